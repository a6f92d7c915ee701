"""How good a copy is a student? Behaviour in closed loop, agreement with the teacher.

And how the states move.
"""

import dataclasses

import numpy as np

from hrnn import behavior
from hrnn.analysis.representation import run_of
from hrnn.base.arguments import real_array, whole_number
from hrnn.distill.reduction import Radd
from hrnn.network import Network, check_network
from hrnn.rollout import rollout
from hrnn.sequence import Sequences, respond
from hrnn.statistics.resampling import mean_interval

BEHAVIOUR = (
    "correct",
    "timeouts",
    "steps_per_trial",
    "reward_per_trial",
    "reward_per_step",
    "mu0_concordant",
    "mu0_discordant",
)
AGREEMENT = ("mu0_concordance", "same_choice", "p_difference", "trajectory_error")
MEASURES = (*BEHAVIOUR, *AGREEMENT)
ROWS_AT_ONCE = 20_000


@dataclasses.dataclass(frozen=True, eq=False)
class Examiner:
    """One examination for all students of a teacher.

    Parameters
    ----------
    run : Rollout
        Of the teacher, with its states: its inputs drive the students for what is compared step by
        step.
    net : Network
        The teacher.
    radd : Radd
        Of this run: coordinates z; its training sessions fit the map from a student's states to z,
        the others measure.
    master : Rollout
        Of the teacher, in the sessions in which students act for themselves.
    """

    run: object
    net: Network
    radd: Radd
    master: object

    def __post_init__(self):
        run_of(self.run, self.net)
        if self.master.agent is not self.net:
            raise ValueError("master must be a rollout of net")

    def behaviour(self, student):
        """BEHAVIOUR, and what the student does as the teacher does, in the master's sessions.

        {measure: value}.

        `mu0_concordance` is the fraction of trials of strength 0 in which it takes the side of the
        block, a timeout not being it; `same_choice` the fraction of all trials with the teacher's
        choice, timeouts being a choice.
        """
        sessions = self.master.sessions
        run = self.master if student is self.net else rollout(student, sessions, hidden=False)
        found = behavior.summary(run)["value"].reindex(BEHAVIOUR).to_dict()
        zero = (sessions.strength == 0) & (sessions.block_side != 0)
        found["mu0_concordance"] = (
            float((run.choice == sessions.block_side)[zero].mean()) if zero.any() else np.nan
        )
        return found | {"same_choice": float((run.choice == self.master.choice).mean())}

    def likeness(self, student):
        """Under the teacher's inputs, in sessions that did not train: {measure: value}.

        `p_difference` is the mean of |P(right) - the teacher's| at the last steps of trials;
        `trajectory_error` the root mean square of z minus the best affine map of the student's
        states, which have another basis in every student, over that of z minus its mean, the
        student running freely through whole sessions.
        """
        from scipy.special import expit

        check_network(student)
        n = self.run.sessions.n_sessions
        train, other = (
            Sequences.of(self.run, sessions)
            for sessions in (
                self.radd.train_sessions,
                np.setdiff1d(np.arange(n), self.radd.train_sessions),
            )
        )
        answers = [respond(student, sequences) for sequences in (train, other)]
        design = [
            np.column_stack([s.flat(states), np.ones(len(s.rows))])
            for s, (_, states) in zip((train, other), answers, strict=True)
        ]
        z = [self.radd.project(self.run.hidden[sequences.rows]) for sequences in (train, other)]
        affine = np.linalg.lstsq(design[0], z[0], rcond=None)[0]
        gap = z[1] - design[1] @ affine
        spread = z[1] - z[1].mean(0)
        last = np.isin(other.rows, self.run.last_step)
        p = expit(other.flat(answers[1][0])[last])
        return {
            "p_difference": float(np.abs(p - self.run.p_right[other.rows[last]]).mean()),
            "trajectory_error": float(np.sqrt((gap**2).sum() / (spread**2).sum())),
        }

    def examine(self, student):
        """All MEASURES of one student: {measure: value}."""
        return self.behaviour(student) | self.likeness(student)


def summarise(table, *, rng=0):
    """Mean of every measure by kind, with the interval over seeds.

    Parameters
    ----------
    table : DataFrame
        One row per student: `kind`, `seed` and measures.
    rng : int, SeedSequence or Generator

    Returns
    -------
    DataFrame
        `kind, measure, value, low, high, n`; n seeds. One seed has no interval.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"kind": ["a", "a"], "seed": [0, 1], "correct": [0.8, 0.9]})
    >>> summarise(table).value.round(2).tolist()
    [0.85]
    """
    import pandas as pd

    names = [name for name in table.columns if name not in ("kind", "seed")]
    rows = []
    for kind, group in table.groupby("kind", sort=False):
        estimate = mean_interval(group[names].to_numpy(float), rng=rng)
        rows += [
            {
                "kind": kind,
                "measure": name,
                "value": estimate.value[i],
                "low": estimate.low[i],
                "high": estimate.high[i],
                "n": len(group),
            }
            for i, name in enumerate(names)
        ]
    return pd.DataFrame(rows)


def divergence(states, session, *, n_lags=20):
    """How far states move in some steps.

    Mean and sd of ‖x_{t+Δ} - x_t‖ against Δ, pairs within sessions.

    The ordinary lag. What the published code calls the same is a difference of order Δ:
    `defects.difference_order`.

    Parameters
    ----------
    states : (T, D)
    session : (T,)
        Of each step, sessions being whole runs of steps.
    n_lags : int

    Returns
    -------
    DataFrame
        `lag` (0..n_lags), `mean, sd, n`; lags that no session is long enough for are left out.

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
    rows = []
    for lag in range(min(n_lags, len(states) - 1) + 1):
        pair = session[lag:] == session[: len(session) - lag]
        moved = _distances(states, lag)[pair]
        if moved.size:
            rows.append({"lag": lag, "mean": moved.mean(), "sd": moved.std(), "n": moved.size})
    return pd.DataFrame(rows)


def _distances(states, lag):
    """‖x_{t+lag} - x_t‖, (T - lag,), some rows at a time: the states are large."""
    n = len(states) - lag
    found = np.empty(len(states) - lag)
    for first in range(0, n, ROWS_AT_ONCE):
        end = min(first + ROWS_AT_ONCE, n)
        step = states[first + lag : end + lag] - states[first:end]
        found[first:end] = np.sqrt(np.einsum("ij,ij->i", step, step))
    return found
