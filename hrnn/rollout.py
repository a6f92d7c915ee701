"""Any agent in closed loop with the task: one function, one result."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hrnn import _core
from hrnn.base.arguments import flag, refuse_size
from hrnn.base.parallel import look
from hrnn.base.progress import bar
from hrnn.base.records import Record, fixed
from hrnn.network import CellForm, Network
from hrnn.task import (
    Sessions,
    SessionsForm,
    Task,
    act,
    draw_lengths,
    draw_session,
    observe,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

STEPS_PER_CALL: int = 100_000  # bounds the time of one call into C


@dataclasses.dataclass(frozen=True, eq=False)
class Rollout(Record):
    """What an agent did in sessions (R trials, T steps). All arrays are read-only.

    Attributes
    ----------
    agent : object
        Who acted.
    sessions : Sessions
        What the world did.
    choice : (R,) int8
        -1, 0 (timeout), +1.
    n_obs : (R,) int64
        Observations taken in each trial.
    p_right : (T,) float64
        The agent's P(right) at each step, blanks included.
    hidden : (T, N) float64 or None
        hidden[t] is the state after inputs[t]; networks only.
    prior : (R,) float64 or None
        P(side = right | past) before each trial; Bayesian agents only.
    """

    agent: Any
    sessions: Sessions
    choice: NDArray[np.int8]
    n_obs: NDArray[np.int64]
    p_right: NDArray[np.float64]
    # None where there is none; scripts that have a network would else ask each time
    hidden: NDArray[np.float64] = cast("Any", None)
    prior: NDArray[np.float64] = cast("Any", None)

    def __post_init__(self) -> None:
        if not isinstance(self.sessions, Sessions):
            raise TypeError(f"sessions must be Sessions, got {type(self.sessions).__name__}")
        task = self.sessions.task
        n = self.sessions.n_trials
        put = functools.partial(object.__setattr__, self)
        put("choice", fixed(self.choice, "choice", np.int8, (n,)))
        put("n_obs", fixed(self.n_obs, "n_obs", np.int64, (n,)))
        if n and not 1 <= self.n_obs.min() <= self.n_obs.max() <= task.n_obs_max:
            raise ValueError(
                f"n_obs must be in 1..{task.n_obs_max}, "
                f"got {self.n_obs.min()} to {self.n_obs.max()}"
            )
        n_steps = int(self.n_obs.sum()) + n * task.n_blank
        put("p_right", fixed(self.p_right, "p_right", float, (n_steps,)))
        if self.hidden is not None:
            put("hidden", fixed(self.hidden, "hidden", float, (n_steps, None)))
        if self.prior is not None:
            put("prior", fixed(self.prior, "prior", float, (n,)))

    @classmethod
    def join(cls, runs: Iterable[Rollout]) -> Rollout:
        """One rollout of several of the same agent and task, their sessions one after the other.

        Examples
        --------
        >>> import hrnn
        >>> agent = hrnn.BayesianActor("none")
        >>> several = [hrnn.Task().sample(n_sessions=2, rng=seed) for seed in (0, 1)]
        >>> runs = [hrnn.rollout(agent, sessions) for sessions in several]
        >>> Rollout.join(runs).sessions.n_sessions
        4
        """
        if not isinstance(runs, Iterable):
            raise TypeError(f"runs must be Rollouts in a list, got {type(runs).__name__}")
        runs = list(runs)
        if not runs or not all(isinstance(run, cls) for run in runs):
            raise TypeError("runs must be one or more Rollouts")
        first = runs[0]
        if any(
            run.agent is not first.agent or run.sessions.task != first.sessions.task for run in runs
        ):
            raise ValueError("runs must be of one agent and one task")
        sessions = Sessions.join([run.sessions for run in runs])
        arrays = {}
        for name in ("choice", "n_obs", "p_right", "hidden", "prior"):
            if getattr(first, name) is not None:
                arrays[name] = np.concatenate([getattr(run, name) for run in runs])
        return cls(first.agent, sessions, **arrays)

    @functools.cached_property
    def trial(self) -> NDArray[np.int64]:
        """Row in `sessions` of each step, (T,) int64."""
        return np.repeat(np.arange(self.sessions.n_trials), self.n_obs + self.sessions.task.n_blank)

    @functools.cached_property
    def step(self) -> NDArray[np.int64]:
        """Step within the trial, blanks included, (T,) int64."""
        return np.arange(len(self.p_right)) - self.first_step[self.trial]

    @property
    def session(self) -> NDArray[np.int64]:
        """Session of each step, (T,) int64."""
        return self.sessions.session[self.trial]

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Whether each step is an observation, not a blank, (T,) bool."""
        return self.step >= self.sessions.task.n_blank

    @property
    def session_starts(self) -> NDArray[np.int64]:
        """Row of the first step of each session, (S,)."""
        return self.first_step[self.sessions.offsets[:-1]]

    @property
    def told(self) -> NDArray[np.int64]:
        """Rows of the steps that receive a trial's feedback.

        The first of all trials but those that begin a session.
        """
        return np.setdiff1d(self.first_step, self.session_starts)

    @property
    def evidence(self) -> NDArray[np.float64]:
        """o^R - o^L at each step, (T,)."""
        return self.inputs[:, 1] - self.inputs[:, 0]

    @functools.cached_property
    def inputs(self) -> NDArray[np.float64]:
        """(o^L, o^R, r) at each step, (T, 3): the feedback r is what the step before produced."""
        task = self.sessions.task
        sessions = self.sessions
        observed = self.observed
        inputs = np.zeros((len(self.p_right), 3))
        inputs[observed, :2] = sessions.observations[
            self.trial[observed], self.step[observed] - task.n_blank
        ]
        produced = np.where(observed, task.wait_penalty, 0.0)
        produced[self.last_step] = np.where(self.choice == sessions.side, 1.0, -1.0)
        inputs[1:, 2] = produced[:-1]
        inputs[self.session_starts, 2] = 0
        return inputs

    @functools.cached_property
    def last_step(self) -> NDArray[np.int64]:
        """Row of the last step of each trial, (R,)."""
        return np.cumsum(self.n_obs + self.sessions.task.n_blank) - 1

    @property
    def first_step(self) -> NDArray[np.int64]:
        """Row of the first step of each trial, (R,)."""
        return self.last_step + 1 - self.n_obs - self.sessions.task.n_blank

    @functools.cached_property
    def trials(self) -> pd.DataFrame:
        """One row per trial, as a pandas DataFrame."""
        import pandas as pd

        s = self.sessions
        task = self.sessions.task
        correct = self.choice == s.side
        concordant: Any = s.side == s.block_side
        if (s.block_side == 0).any():
            concordant = pd.array(concordant, dtype="boolean")
            concordant[s.block_side == 0] = pd.NA
        return pd.DataFrame(
            {
                "session": s.session,
                "block": s.block,
                "trial": np.arange(s.n_trials) - s.offsets[s.session],
                "trial_in_block": s.trial_in_block,
                "p_left": np.round(0.5 - s.block_side * (task.p_block - 0.5), 12),
                "block_side": s.block_side.astype(np.int64),
                "side": s.side.astype(np.int64),
                "strength": s.strength,
                "signed_strength": s.side * s.strength + 0.0,
                "concordant": concordant,
                "choice": self.choice.astype(np.int64),
                "correct": correct,
                "timeout": self.choice == 0,
                "n_obs": self.n_obs,
                "n_steps": self.n_obs + task.n_blank,
                "reward": task.wait_penalty * (self.n_obs - 1) + np.where(correct, 1.0, -1.0),
                "p_right": self.p_right[self.last_step],
            }
        )

    @functools.cached_property
    def steps(self) -> pd.DataFrame:
        """One row per step, as a pandas DataFrame."""
        import pandas as pd

        s = self.sessions
        session = s.session[self.trial]
        return pd.DataFrame(
            {
                "session": session,
                "trial": self.trial - s.offsets[session],
                "t": self.step,
                "is_blank": self.step < s.task.n_blank,
                "obs_left": self.inputs[:, 0],
                "obs_right": self.inputs[:, 1],
                "feedback": self.inputs[:, 2],
                "p_right": self.p_right,
            }
        )


class Growing:
    """An array that grows in place along its first axis while it is filled."""

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.array: NDArray[np.float64]
        self.array = np.empty((0, *shape))
        self.shape = shape
        self.n = 0

    def room(self, n: int) -> NDArray[np.float64]:
        """A view of n free rows."""
        if self.n + n > len(self.array):
            n_rows = max(self.n + n, len(self.array) * 3 // 2)
            self.array.resize((n_rows, *self.shape), refcheck=False)
        return self.array[self.n : self.n + n]

    def done(self) -> NDArray[np.float64]:
        """The filled part, without slack."""
        self.array.resize((self.n, *self.shape), refcheck=False)
        return self.array


def rollout(
    agent: Any, sessions: Sessions, *, hidden: bool = True, progress: bool = True
) -> Rollout:
    """Run an agent in closed loop on sessions.

    Parameters
    ----------
    agent : Network, BayesianActor, OptimalPolicy, or any object with `start(task)` and `step(x)`
        A user's agent gets `start(task)` at the start of each session and `step(x)` with x = (o^L,
        o^R, r), (3,), at each step, blanks included, and returns P(right). It is run step by step
        in Python, thousands of times slower than the others.
    sessions : Sessions
        What the world will do, such as `task.sample(n_sessions=10)`.
    hidden : bool
        Whether to keep the states of a network, T x N x 8 bytes.
    progress : bool
        Whether to show a bar of the trials done.

    Returns
    -------
    Rollout
        What the agent did, step by step and trial by trial.

    Raises
    ------
    TypeError
        If agent or sessions is none of these.

    Examples
    --------
    >>> import hrnn
    >>> sessions = hrnn.Task().sample(n_sessions=2, rng=0)
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=8, rng=0), sessions)
    >>> run.hidden.shape[1]
    8
    """
    if not isinstance(sessions, Sessions):
        raise TypeError(f"sessions must be Sessions, got {type(sessions).__name__}")
    flag(hidden, "hidden")
    if isinstance(agent, Network):
        return _network(agent, sessions, hidden, progress)
    if hasattr(agent, "_rollout"):
        return agent._rollout(sessions, progress)
    if callable(getattr(agent, "step", None)) and callable(getattr(agent, "start", None)):
        return _python(agent, sessions, progress)
    raise TypeError(
        "agent must be a Network, BayesianActor, OptimalPolicy or have start and step, "
        f"got {type(agent).__name__}"
    )


def _network(net: Network, sessions: Sessions, keep: bool, progress: bool) -> Rollout:
    task = sessions.task
    choice = np.empty(sessions.n_trials, np.int8)
    n_obs = np.empty(sessions.n_trials, np.int64)
    most = sessions.n_trials * (task.n_blank + task.n_obs_max)
    if keep:
        refuse_size("hidden", "states", 8 * net.n_hidden * sessions.n_trials * (task.n_blank + 1))
    scratch = np.empty(_core.rollout_scratch(task.form, net.form, 1, 1)[0])
    place = np.zeros(3)
    h = np.zeros(net.n_hidden)
    p_right = Growing()
    states = Growing((net.n_hidden,))
    per_call = min(most, max(1000, STEPS_PER_CALL * 50**2 // max(net.n_hidden, 50) ** 2))
    with bar(progress, sessions.n_trials, unit="trial") as shown:
        while place[0] < sessions.n_trials:
            look()
            before = place[0]
            n = _core.rollout_forward(
                net.theta,
                net.form,
                task.form,
                sessions.form,
                sessions.n_trials,
                place,
                h,
                p_right.room(per_call),
                states.room(per_call) if keep else None,
                choice,
                n_obs,
                scratch,
                look,
            )
            if not np.isfinite(p_right.array[p_right.n : p_right.n + n]).all():
                raise _core.NumericalError("a state of the network is no longer finite")
            p_right.n += n
            states.n += n
            shown.update(int(place[0] - before))
    hidden: Any = states.done() if keep else None
    return Rollout(net, sessions, choice, n_obs, p_right.done(), hidden)


def _margin(p: float) -> float:
    """Log odds of p in the form of the threshold's own, so that equal numbers stay equal."""
    with np.errstate(divide="ignore"):
        if p >= 0.5:
            return float(np.log(np.float64(p) / (1 - p)))
        return float(-np.log(np.float64(1 - p) / p))


def _python(agent: Any, sessions: Sessions, progress: bool) -> Rollout:
    task = sessions.task
    choice = np.empty(sessions.n_trials, np.int8)
    n_obs = np.empty(sessions.n_trials, np.int64)
    place = np.zeros(3)
    x = np.empty(3)
    p_right = []
    with bar(progress, sessions.n_trials, unit="trial") as shown:
        for first, end in zip(sessions.offsets[:-1], sessions.offsets[1:], strict=True):
            agent.start(task)
            place[:] = first, 0, 0
            while place[0] < end:
                look()
                observe(task.form, sessions.form, place, x)
                p = float(agent.step(x.copy()))
                if not 0 <= p <= 1:
                    raise ValueError(f"agent.step must return a probability, got {p}")
                p_right.append(p)
                act(task.form, sessions.form, _margin(p), place, choice, n_obs)
            shown.update(int(end - first))
    return Rollout(agent, sessions, choice, n_obs, np.array(p_right))


class Workspace:
    """Room for the sessions that one call of the gradient takes in lockstep.

    It grows, and is used again.

    Parameters
    ----------
    network : Network
        Whose cell it is.
    task : Task
        What its sessions are drawn from.
    loss : str
        Which loss, one of the core's.
    """

    def __init__(self, network: Network, task: Task, loss: str) -> None:
        self.cell: CellForm = network.form
        self.task = task
        self.loss_kind: int = _core.LOSSES.index(loss)
        self.n_lanes: int = 0
        self.n_trials: int = 0
        self.scratch: NDArray[np.float64]
        self.block_side: NDArray[np.int8]
        self.side: NDArray[np.int8]
        self.choice: NDArray[np.int8]
        self.session: NDArray[np.int64]
        self.n_obs: NDArray[np.int64]
        self.strength: NDArray[np.float64]
        self.observations: NDArray[np.float64]

    def reserve(self, n_lanes: int, n_trials: int) -> None:
        """Make room for n_trials in n_lanes sessions."""
        if n_trials <= self.n_trials and n_lanes <= self.n_lanes:
            return
        n = n_trials + n_trials // 2
        self.n_lanes = n_lanes
        n_scratch = _core.rollout_scratch(self.task.form, self.cell, n_lanes, n)[1]
        refuse_size("n_hidden", self.cell.n_hidden, 8 * n_scratch)
        self.n_trials = n
        self.scratch = np.empty(n_scratch)
        self.block_side = np.zeros(n, np.int8)
        self.side = np.zeros(n, np.int8)
        self.choice = np.zeros(n, np.int8)
        self.session = np.zeros(n, np.int64)
        self.n_obs = np.zeros(n, np.int64)
        self.strength = np.empty(n)
        self.observations = np.empty((n, self.task.n_obs_max, 2))

    def sample(
        self, streams: Sequence[np.random.Generator]
    ) -> tuple[SessionsForm, NDArray[np.int64]]:
        """Draw the next session of each stream; returns (sessions in the core's form, offsets)."""
        task = self.task.form
        lengths = []
        offsets = [0]
        for stream in streams:
            lengths.append(np.empty(self.task.n_blocks, np.int64))
            n = draw_lengths(task, stream, lengths[-1])
            offsets.append(offsets[-1] + self.task.n_unbiased + n)
        self.reserve(len(streams), offsets[-1])
        arrays = (self.block_side, self.side, self.strength, self.observations)
        for stream, length, first in zip(streams, lengths, offsets, strict=False):
            draw_session(task, stream, length, first, arrays)
        drawn = SessionsForm(
            session=self.session,
            block_side=self.block_side,
            side=self.side,
            observations=self.observations,
        )
        return drawn, np.array(offsets)

    def compute(
        self,
        theta: NDArray[np.float64],
        sessions: SessionsForm,
        offsets: NDArray[np.int64],
        scale: float,
        gradient: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Losses of sessions in lockstep, (n_lanes,).

        Parameters
        ----------
        theta : (P,)
            Parameters of the network.
        sessions : SessionsForm
            The sessions, one after another.
        offsets : (n_lanes + 1,)
            Where each begins.
        scale : float
            What the sum of their gradients is multiplied with.
        gradient : (P,)
            Where that is written to.
        """
        loss = np.empty(len(offsets) - 1)
        n = len(sessions.session)
        gradient.fill(0)
        _core.rollout_gradient(
            theta,
            self.cell,
            self.task.form,
            sessions,
            offsets,
            self.loss_kind,
            scale,
            loss,
            self.choice[:n],
            self.n_obs[:n],
            gradient,
            self.scratch,
            look,
        )
        return loss
