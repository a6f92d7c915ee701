"""Optimal stopping: when it pays to act, by backward induction for each prior on a grid."""

import functools

import numpy as np

from hrnn import _core
from hrnn.base.arguments import one_of
from hrnn.inference import EVIDENCE, act, believer, filter_sides
from hrnn.task import Task

CRITERIA = ("reward_per_trial", "reward_per_step")
SPACING = 0.25  # of the grid of sums, in units of the noise
N_PRIORS = 7  # between 1/2 and p_block, equally spaced in logit
N_BLOCKS_VISITED = 4000  # sampled to know how often the filter visits each prior
RHO_TOLERANCE = 1e-6


class Solution:
    """A solved policy of one task: tables of the value of going on, and what it expects to earn.

    Attributes
    ----------
    reward_rate : float
        rho, the cost of a step; 0 for reward per trial.
    value : float
        Expected reward per trial, or per step: what the dynamic programme promises.
    """

    def __init__(self, task, believed, criterion):
        self.task = task
        self.form = believed.form(task)
        self.grid = _core.policy_grid(task.form, EVIDENCE.index(believed.evidence), SPACING)
        self.logit_max = float(np.log(task.p_block / (1 - task.p_block)))
        self.logits = (
            np.linspace(0, self.logit_max, N_PRIORS) if self.logit_max > 0 else np.zeros(1)
        )
        self.scratch = np.empty(_core.policy_scratch(task.form, self.grid))
        self.wait = np.empty((len(self.logits), task.n_obs_max - 1, *self.grid[2:]))
        self.reward_rate, self.value = 0.0, self.mean_value(0.0)
        if criterion == "reward_per_step":
            self.reward_rate = self.value = self.find_rate()
        del self.scratch

    @functools.cached_property
    def visited(self):
        """|logit prior| in sampled sessions of the task."""
        sessions = self.task.replace(n_obs_max=1).sample(n_blocks=N_BLOCKS_VISITED, rng=0)
        prior, _ = filter_sides(
            sessions.side, sessions.session, sessions.block_side, task=self.task
        )
        return np.abs(np.log(prior / (1 - prior)))

    def mean_value(self, rho):
        """Mean over visited priors of E[R - rho T], T with its blanks; fills the tables."""
        from scipy.interpolate import CubicSpline

        values = [
            _core.policy_solve(
                self.task.form,
                self.form,
                self.grid,
                1 / (1 + float(np.exp(-x))),
                rho,
                wait,
                self.scratch,
            )
            for x, wait in zip(self.logits, self.wait, strict=True)
        ]
        mean = (
            CubicSpline(self.logits, values)(self.visited).mean() if len(values) > 1 else values[0]
        )
        return float(mean) - rho * self.task.n_blank

    def find_rate(self):
        """The one rho with E[R - rho T] = 0 over the visited priors, by the secant method.

        The mean value is convex and falls with rho, with slope -E[T].
        """
        low = 0.0
        value = self.value
        rho = value / (self.task.n_blank + 0.5 * (1 + self.task.n_obs_max))
        for _ in range(50):
            new = self.mean_value(rho)
            step = new * (rho - low) / (value - new) if value != new else 0.0
            low = rho
            value = new
            rho = rho + step
            if abs(step) < RHO_TOLERANCE / 10:
                return low
        raise _core.NumericalError("the reward rate did not converge")


@functools.lru_cache(maxsize=8)
def solve(task, believed, criterion):
    """Solution for a task; kept, since agents share it."""
    strongest = max(task.strengths) / task.noise_sd
    if task.p_block == 1:
        raise ValueError("p_block must be < 1 for the optimal policy, got 1")
    if strongest * (task.n_obs_max * strongest / 2 + 4.5 * task.n_obs_max**0.5) > 600:
        raise ValueError(
            f"strengths / noise_sd must be smaller for the optimal policy's grid, got {strongest}"
        )
    if task.n_obs_max * strongest > 200:
        raise ValueError(
            f"n_obs_max * strength / noise_sd must be <= 200, got {task.n_obs_max * strongest}"
        )
    return Solution(task, believed, criterion)


class OptimalPolicy:
    """The agent that earns most: exact prior, and acts when waiting does not pay.

    Parameters
    ----------
    criterion : {'reward_per_trial', 'reward_per_step'}
    evidence : {'both', 'difference'}
        With 'difference' it is the best policy of an agent that sees only o^R - o^L.
    **assumed
        As for `BayesianActor`; the threshold plays no role.

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

    def __init__(self, criterion="reward_per_trial", *, evidence="both", **assumed):
        self.criterion = one_of(criterion, "criterion", CRITERIA)
        self.believer = believer("semi_markov", ("semi_markov",), evidence, 0.02, 0.1, assumed)

    def __repr__(self):
        return f"OptimalPolicy({self.criterion!r}, evidence={self.believer.evidence!r})"

    def solution(self, task):
        """The solved policy for a task: `value`, `reward_rate` and the tables."""
        if not isinstance(task, Task):
            raise TypeError(f"task must be a Task, got {type(task).__name__}")
        return solve(self.believer.task(task), self.believer, self.criterion)

    def _rollout(self, sessions, progress):
        s = self.solution(sessions.task)
        return act(self, self.believer, (s.grid, s.logit_max, s.wait), sessions, progress)
