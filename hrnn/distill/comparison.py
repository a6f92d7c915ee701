"""How good a copy a student is: its behaviour, its agreement with the teacher, how states move."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn import behavior
from hrnn.analysis.representation import run_of
from hrnn.base.arguments import instance, numbers, real_array, whole_number
from hrnn.distill.reduction import Radd, states_in
from hrnn.network import Network
from hrnn.rollout import Rollout, rollout
from hrnn.sequence import Sequences, respond
from hrnn.statistics.resampling import mean_interval

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike

BEHAVIOUR: tuple[str, ...] = (
    "correct",
    "timeouts",
    "steps_per_trial",
    "reward_per_trial",
    "reward_per_step",
    "mu0_concordant",
    "mu0_discordant",
)
AGREEMENT: tuple[str, ...] = ("mu0_concordance", "same_choice", "p_difference", "trajectory_error")
MEASURES: tuple[str, ...] = (*BEHAVIOUR, *AGREEMENT)
ROWS_AT_ONCE: int = 20_000


@dataclasses.dataclass(frozen=True, eq=False)
class Examiner:
    """One examination for all students of a teacher.

    Parameters
    ----------
    run : Rollout
        A rollout of the teacher, with its states: its inputs drive the students for what is
        compared step by step.
    net : Network
        The teacher.
    radd : Radd
        RADD of this run: coordinates z; its training sessions fit the map from a student's states
        to z, the others measure.
    master : Rollout
        A rollout of the teacher, in the sessions in which students act for themselves.
    """

    run: Rollout
    net: Network
    radd: Radd
    master: Rollout

    def __post_init__(self) -> None:
        run_of(self.run, self.net)
        instance(self.radd, "radd", Radd)
        if self.radd.rows.shape[1] != self.net.n_hidden:
            raise ValueError("radd must be hrnn.distill.radd of this run")
        if instance(self.master, "master", Rollout).agent is not self.net:
            raise ValueError("master must be a rollout of net")

    def behaviour(self, student: Network) -> dict[str, float]:
        """What a student does in the master's sessions, and how often it does as the teacher does.

        Returns the measures BEHAVIOUR by name, and two more: `mu0_concordance` is the fraction of
        trials of strength 0 in which it takes the side of the block, a timeout not being it;
        `same_choice` the fraction of all trials with the teacher's choice, timeouts being a choice.
        """
        instance(student, "student", Network)
        sessions = self.master.sessions
        run = (
            self.master
            if student is self.net
            else rollout(student, sessions, hidden=False, progress=False)
        )
        found = behavior.summary(run)["value"].reindex(BEHAVIOUR).to_dict()
        zero = (sessions.strength == 0) & (sessions.block_side != 0)
        concordant = (run.choice == sessions.block_side)[zero]
        found["mu0_concordance"] = float(concordant.mean()) if zero.any() else np.nan
        found["same_choice"] = float((run.choice == self.master.choice).mean())
        return found

    def likeness(self, student: Network) -> dict[str, float]:
        """How like the teacher's a student's steps are, in sessions that did not train.

        Returns measures under the teacher's inputs by name: `p_difference` is the mean of |P(right)
        - the teacher's| at the last steps of trials; `trajectory_error` the root mean square of z
        minus the best affine map of the student's states, which have another basis in every
        student, over that of z minus its mean, the student running freely through whole sessions.
        """
        from scipy.special import expit

        instance(student, "student", Network)
        run = self.run
        hidden = states_in(run)
        train_sessions = self.radd.train_sessions
        every = np.arange(run.sessions.n_sessions)
        train = Sequences.of(run, train_sessions)
        other = Sequences.of(run, np.setdiff1d(every, train_sessions))
        _, train_states = respond(student, train)
        margin, other_states = respond(student, other)
        train_z = self.radd.project(hidden[train.rows])
        other_z = self.radd.project(hidden[other.rows])
        train_X = _with_ones(train.flat(train_states))
        other_X = _with_ones(other.flat(other_states))
        affine = np.linalg.lstsq(train_X, train_z, rcond=None)[0]
        gap = other_z - other_X @ affine
        spread = other_z - other_z.mean(0)
        last = np.isin(other.rows, run.last_step)
        p = expit(other.flat(margin)[last])
        p_teacher = run.p_right[other.rows[last]]
        difference = np.abs(p - p_teacher).mean()
        error = np.sqrt((gap**2).sum() / (spread**2).sum())
        return {"p_difference": float(difference), "trajectory_error": float(error)}

    def examine(self, student: Network) -> dict[str, float]:
        """All MEASURES of one student, by name."""
        return self.behaviour(student) | self.likeness(student)


def _with_ones(states: NDArray[np.float64]) -> NDArray[np.float64]:
    """States (n, D) beside a column of ones, (n, D + 1)."""
    return np.column_stack([states, np.ones(len(states))])


def summarise(table: pd.DataFrame, *, rng: RNGLike = 0) -> pd.DataFrame:
    """Mean of every measure by kind, with the interval over seeds.

    Parameters
    ----------
    table : DataFrame
        One row per student: `kind`, `seed` and measures.
    rng : int, SeedSequence or Generator
        For the resampled seeds.

    Returns
    -------
    DataFrame
        One row per kind and measure, `kind, measure, value, low, high, n`, n being the number of
        seeds. One seed has no interval.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"kind": ["a", "a"], "seed": [0, 1], "correct": [0.8, 0.9]})
    >>> summarise(table).value.round(2).tolist()
    [0.85]
    """
    import pandas as pd

    instance(table, "table", pd.DataFrame)
    if "kind" not in table:
        raise ValueError(f"table must have a column kind, got {list(table.columns)}")
    if table.shape[1] < 2 + ("seed" in table):
        raise ValueError("table must have at least one measure beside kind and seed")
    names = [name for name in table.columns if name not in ("kind", "seed")]
    rows: list[dict[str, object]] = []
    for kind, group in table.groupby("kind", sort=False):
        estimate = mean_interval(numbers(group[names], "table"), rng=rng)
        for i, name in enumerate(names):
            rows.append(
                {
                    "kind": kind,
                    "measure": name,
                    "value": estimate.value[i],
                    "low": estimate.low[i],
                    "high": estimate.high[i],
                    "n": len(group),
                }
            )
    return pd.DataFrame(rows)


def divergence(states: ArrayLike, session: ArrayLike, *, n_lags: int = 20) -> pd.DataFrame:
    """How far states move in some steps: ‖x_{t+Δ} - x_t‖ against the lag Δ, within sessions.

    This is the ordinary lag. What the published code calls the same is a difference of order Δ:
    `defects.difference_order`.

    Parameters
    ----------
    states : array_like (T, D)
        State at each step.
    session : array_like (T,)
        Session of each step, sessions being whole runs of steps.
    n_lags : int
        Largest lag, in steps.

    Returns
    -------
    DataFrame
        One row per lag (0..n_lags): `lag, mean, sd, n`, over n pairs of steps; lags that no session
        is long enough for are left out.

    Examples
    --------
    >>> divergence(np.arange(6.0)[:, None], [0, 0, 0, 0, 1, 1], n_lags=2)["mean"].tolist()
    [0.0, 1.0, 2.0]
    """
    import pandas as pd

    states = real_array(states, "states", (2,))
    session = np.asarray(session)
    n_lags = whole_number(n_lags, "n_lags")
    if session.shape != (len(states),):
        raise ValueError(f"session must have shape ({len(states)},), got {session.shape}")
    rows: list[dict[str, float]] = []
    n_steps = len(states)
    for lag in range(min(n_lags, n_steps - 1) + 1):
        same_session = session[lag:] == session[: n_steps - lag]
        moved = _distances(states, lag)[same_session]
        n = moved.size
        if n:
            rows.append({"lag": lag, "mean": moved.mean(), "sd": moved.std(), "n": n})
    return pd.DataFrame(rows)


def _distances(states: NDArray[np.float64], lag: int) -> NDArray[np.float64]:
    """‖x_{t+lag} - x_t‖, (T - lag,), some rows at a time: the states are large."""
    n = len(states) - lag
    found = np.empty(n)
    for first in range(0, n, ROWS_AT_ONCE):
        end = min(first + ROWS_AT_ONCE, n)
        step = states[first + lag : end + lag] - states[first:end]
        found[first:end] = np.sqrt(np.einsum("ij,ij->i", step, step))
    return found
