"""Optimal stopping: when it pays to act, by backward induction for each prior on a grid."""

from __future__ import annotations

import functools
import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hrnn import _core
from hrnn.base.arguments import one_of, refuse_size
from hrnn.base.parallel import look
from hrnn.inference import EVIDENCE, Believer, BelieverForm, Evidence, act, believer, filter_sides
from hrnn.rollout import Rollout
from hrnn.task import Sessions, Task

CRITERIA: tuple[str, ...] = ("reward_per_trial", "reward_per_step")
SPACING: float = 0.25  # of the grid of sums, in units of the noise
N_PRIORS: int = 7  # between 1/2 and p_block, equally spaced in logit
N_BLOCKS_VISITED: int = 4000  # sampled to know how often the filter visits each prior
N_SECANTS: int = 50  # most steps of the search for the reward rate
RHO_TOLERANCE: float = 1e-6


class Solution:
    """A solved policy of one task: tables of the value of going on, and what it expects to earn.

    Parameters
    ----------
    task : Task
        The task as the agent believes it.
    believed : Believer
        What the agent believes.
    criterion : {'reward_per_trial', 'reward_per_step'}
        What it earns most of.

    Attributes
    ----------
    task : Task
        The task as the agent believes it.
    form : BelieverForm
        What it believes, as the C core takes it.
    grid : tuple
        Grid of the sums of observations: lowest value and spacing, in units of the noise, and
        numbers of points for the left and the right sum.
    logit_max : float
        Logit of `p_block`, the most extreme prior.
    logits : (P,) ndarray
        Logits of the priors for which there is a table, from 1/2 to `p_block`.
    wait : (P, n_obs_max - 1, left, right) ndarray
        Value of going on, for each prior, number of observations, and point of the grid.
    reward_rate : float
        rho, the cost of a step; 0 for reward per trial.
    value : float
        Expected reward per trial, or per step: what the dynamic programme promises.
    """

    task: Task
    form: BelieverForm
    grid: tuple[float, float, int, int]
    logit_max: float
    logits: NDArray[np.float64]
    wait: NDArray[np.float64]
    reward_rate: float
    value: float

    def __init__(self, task: Task, believed: Believer, criterion: str) -> None:
        self.task = task
        self.form = believed.form(task)
        self.grid = _core.policy_grid(task.form, EVIDENCE.index(believed.evidence), SPACING)
        self.logit_max = float(np.log(task.p_block / (1 - task.p_block)))
        self.logits = np.zeros(1)
        if self.logit_max > 0:
            self.logits = np.linspace(0, self.logit_max, N_PRIORS)
        shape = (len(self.logits), task.n_obs_max - 1, *self.grid[2:])
        refuse_size("n_obs_max", task.n_obs_max, 8 * math.prod(shape))
        self.wait = np.empty(shape)
        self._scratch = np.empty(_core.policy_scratch(task.form, self.grid))
        self.reward_rate = 0.0
        self.value = self.mean_value(0.0)
        if criterion == "reward_per_step":
            self.reward_rate = self.find_rate()
            self.value = self.reward_rate
        del self._scratch

    @functools.cached_property
    def visited(self) -> NDArray[np.float64]:
        """|logit prior| of each trial in sampled sessions of the task, (trials,)."""
        sessions = self.task.replace(n_obs_max=1).sample(n_blocks=N_BLOCKS_VISITED, rng=0)
        prior, _ = filter_sides(
            sessions.side, sessions.session, sessions.block_side, task=self.task
        )
        return np.abs(np.log(prior / (1 - prior)))

    def mean_value(self, rho: float) -> float:
        """Fill the tables; return the mean over visited priors of E[R - rho T], T with its blanks.

        It works only while the solution is made: later the tables stay as they are.

        Parameters
        ----------
        rho : float
            Cost of a step.

        Returns
        -------
        float
            Expected reward of a trial, less the cost of its steps.
        """
        values = []
        for logit, wait in zip(self.logits, self.wait, strict=True):
            look()
            prior = 1 / (1 + float(np.exp(-logit)))
            value = _core.policy_solve(
                self.task.form, self.form, self.grid, prior, rho, wait, self._scratch, look
            )
            values.append(value)
        return self._mean_over_visited(values) - rho * self.task.n_blank

    def _mean_over_visited(self, values: list[float]) -> float:
        """Mean over the visited priors of a value that is known at `logits`."""
        from scipy.interpolate import CubicSpline

        if len(values) == 1:
            return float(values[0])
        at_visited = CubicSpline(self.logits, values)(self.visited)
        return float(at_visited.mean())

    def find_rate(self) -> float:
        """Find the one rho with E[R - rho T] = 0 over the visited priors, by the secant method.

        The mean value is convex and falls with rho, with slope -E[T].

        Returns
        -------
        float
            The reward rate rho, per step.
        """
        low = 0.0
        value = self.value
        mean_steps = self.task.n_blank + 0.5 * (1 + self.task.n_obs_max)
        rho = value / mean_steps
        for _ in range(N_SECANTS):
            new = self.mean_value(rho)
            step = 0.0
            if value != new:
                step = new * (rho - low) / (value - new)
            low = rho
            value = new
            rho = rho + step
            if abs(step) < RHO_TOLERANCE / 10:
                return low
        raise _core.NumericalError("the reward rate did not converge")


@functools.lru_cache(maxsize=8)
def solve(task: Task, believed: Believer, criterion: str) -> Solution:
    """Solve a task; the solution is kept, since agents share it.

    Parameters
    ----------
    task : Task
        The task as the agent believes it.
    believed : Believer
        What the agent believes.
    criterion : {'reward_per_trial', 'reward_per_step'}
        What it earns most of.

    Returns
    -------
    Solution
        The policy that earns most.

    Raises
    ------
    ValueError
        If the strengths are too large for the grid, or `p_block` is 1.
    """
    n = task.n_obs_max
    strongest = max(task.strengths) / task.noise_sd
    if task.p_block == 1:
        raise ValueError("p_block must be < 1 for the optimal policy, got 1")
    if strongest * (n * strongest / 2 + 4.5 * n**0.5) > 600:
        raise ValueError(
            f"strengths / noise_sd must be smaller for the optimal policy's grid, got {strongest}"
        )
    if n * strongest > 200:
        raise ValueError(f"n_obs_max * strength / noise_sd must be <= 200, got {n * strongest}")
    return Solution(task, believed, criterion)


class OptimalPolicy:
    """The agent that earns most: exact prior, and acts when waiting does not pay.

    Parameters
    ----------
    criterion : {'reward_per_trial', 'reward_per_step'}
        What it earns most of.
    evidence : {'both', 'difference'}, optional
        Whether the two observations are used, or only their difference. With 'difference' it is
        the best policy of an agent that sees only o^R - o^L.
    **assumed
        Numbers of the task as the agent believes them, as for `BayesianActor`; the threshold plays
        no role.

    Attributes
    ----------
    criterion : str
        What it earns most of.
    believer : Believer
        What the agent believes.

    Notes
    -----
    Q(n, sums) = wait_penalty - rho + E[max(2 max(p, 1 - p) - 1, Q(n + 1))], and it waits where Q
    exceeds 2 max(p, 1 - p) - 1. At n_obs_max it always acts, so the side is always revealed and the
    priors do not depend on the policy. rho = 0 for reward per trial; for reward per step it is the
    one rate with E[R - rho T] = 0 over the priors that the filter visits.

    Examples
    --------
    >>> import hrnn
    >>> sessions = hrnn.Task().sample(n_sessions=2, rng=0)
    >>> int(hrnn.rollout(hrnn.OptimalPolicy(), sessions).trials.timeout.sum())
    0
    """

    criterion: str
    believer: Believer

    def __init__(
        self,
        criterion: Literal["reward_per_trial", "reward_per_step"] = "reward_per_trial",
        *,
        evidence: Evidence = "both",
        **assumed: Any,
    ) -> None:
        self.criterion = one_of(criterion, "criterion", CRITERIA)
        self.believer = believer("semi_markov", ("semi_markov",), evidence, 0.02, 0.1, assumed)

    def __repr__(self) -> str:
        return f"OptimalPolicy({self.criterion!r}, evidence={self.believer.evidence!r})"

    def solution(self, task: Task) -> Solution:
        """Solve a task: `value`, `reward_rate` and the tables.

        Parameters
        ----------
        task : Task
            The task that the agent meets; where it assumes other numbers, those are solved.

        Returns
        -------
        Solution
            The policy that earns most.
        """
        if not isinstance(task, Task):
            raise TypeError(f"task must be a Task, got {type(task).__name__}")
        own = self.believer.task(task)
        return solve(own, self.believer, self.criterion)

    def _rollout(self, sessions: Sessions, progress: bool) -> Rollout:
        solved = self.solution(sessions.task)
        policy = (solved.grid, solved.logit_max, solved.wait)
        return act(self, self.believer, policy, sessions, progress)
