"""Trials of one subject in the form that models of choice take."""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from hrnn.behavior.trials import session_codes, trial_column, trial_table

COLUMNS = ("session", "choice", "side", "signed_strength", "block_side", "p_left")


class TrialsForm(NamedTuple):
    """Trials as the C core takes them: `trials_fields` in csrc/binding/py_choice.c."""

    session: np.ndarray
    choice: np.ndarray
    side: np.ndarray
    previous: np.ndarray
    biased: np.ndarray
    contrast: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Choices:
    """Trials in order, sessions one after another (R trials).

    Attributes
    ----------
    session : (R,) int64
    choice, side : (R,) int8
        -1, 0 (no choice, unknown), 1.
    contrast : (R,) float
        Signed, at most 1 in size.
    block_side : (R,) int8
        0 where unbiased.
    p_right_block : (R,) float
        1 - p_left.
    """

    session: np.ndarray
    choice: np.ndarray
    side: np.ndarray
    contrast: np.ndarray
    block_side: np.ndarray
    p_right_block: np.ndarray

    @functools.cached_property
    def cache(self):
        """What models have worked out of these trials once and for all, by name."""
        return {}

    @functools.cached_property
    def responded(self):
        """Which trials have a choice, (R,) bool."""
        return self.choice != 0

    @functools.cached_property
    def first(self):
        """Which trials begin a session, (R,) bool."""
        return np.diff(self.session, prepend=self.session[0] - 1) != 0

    @functools.cached_property
    def sessions(self):
        """Where each session stands: a list of G slices."""
        ends = np.r_[np.flatnonzero(self.first), len(self.first)]
        return [slice(start, end) for start, end in zip(ends[:-1], ends[1:], strict=True)]

    @property
    def n_sessions(self):
        """Number of sessions with a choice."""
        return len(np.unique(self.session[self.responded]))

    @functools.cached_property
    def previous(self):
        """The last choice before each trial in its session that was not 0, or 0; (R,) int8."""
        at = np.maximum.accumulate(np.where(self.responded, np.arange(len(self.choice)), -1))
        at = np.r_[-1, at[:-1]]
        start = np.maximum.accumulate(np.where(self.first, np.arange(len(self.choice)), 0))
        return np.where(at >= start, self.choice[at], 0).astype(np.int8)

    @functools.cached_property
    def form(self) -> TrialsForm:
        """What the C core takes."""
        return TrialsForm(
            session=self.session,
            choice=self.choice,
            side=self.side,
            previous=self.previous,
            biased=(self.block_side != 0).astype(np.int8),
            contrast=self.contrast,
        )

    @property
    def n(self):
        """Number of trials with a choice."""
        return int(self.responded.sum())

    def select(self, rows):
        """Some trials, (R,) bool or a slice: whole sessions."""
        return Choices(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))

    def copies(self, n):
        """The same sessions n times, one set after another, as sessions of their own: Choices."""
        columns = {
            field.name: np.tile(getattr(self, field.name), n) for field in dataclasses.fields(self)
        }
        code = np.cumsum(self.first) - 1
        columns["session"] = (code + len(self.sessions) * np.arange(n)[:, None]).ravel()
        return Choices(**columns)

    def with_choice(self, choice):
        """The same trials with other choices, (R,)."""
        return dataclasses.replace(self, choice=np.asarray(choice, np.int8))


def session_labels(trials, choices, rows):
    """Subject and session of each session as the trial table has them: a DataFrame (G rows).

    It is indexed by `Choices.session`. Without subjects the subject is "all". rows (R,) are those
    of the choices in the table.
    """
    table = trial_table(trials, "session").iloc[rows[choices.first]]
    subject = table["subject"] if "subject" in table else "all"
    labels = table[["session"]].assign(subject=subject)
    return labels[["subject", "session"]].set_axis(choices.session[choices.first])


def units(table, by):
    """Split a trial table into units to fit.

    (DataFrame of their names, [Choices], [rows of the table (bool)]).

    Strengths are divided by the largest of the table where that exceeds 1: contrasts stay,
    strengths of agents become at most 1.
    """
    import pandas as pd

    table = trial_table(table, *COLUMNS)
    session = session_codes(table)
    values = {name: trial_column(table, name) for name in COLUMNS[1:]}
    for name in ("choice", "side", "block_side"):
        trial_column(table, name, allowed=(-1, 0, 1))
    unknown = np.flatnonzero((values["choice"] != 0) & (values["side"] == 0))
    if unknown.size:
        raise ValueError(
            f"trials['side'] must be known where there is a choice, but row {unknown[0]} is 0"
        )
    contrast = values["signed_strength"] / max(np.abs(values["signed_strength"]).max(), 1.0)
    subject = table["subject"].to_numpy() if "subject" in table else np.full(len(table), "all")
    if by == "pooled":
        names = pd.DataFrame({"subject": ["all"]})
        code = np.zeros(len(table), int)
    else:
        keys = {"subject": subject} | (
            {"session": table["session"].to_numpy()} if by == "session" else {}
        )
        groups = pd.DataFrame(keys).groupby(list(keys), sort=True)
        code = groups.ngroup().to_numpy()
        names = groups.size().reset_index()[list(keys)]
    found = []
    rows = []
    for k in range(len(names)):
        inside = np.flatnonzero(code == k)
        inside = inside[np.argsort(session[inside], kind="stable")]
        choice, side, block_side = (
            values[name][inside].astype(np.int8) for name in ("choice", "side", "block_side")
        )
        found.append(
            Choices(
                session[inside].astype(np.int64),
                choice,
                side,
                contrast[inside],
                block_side,
                1 - values["p_left"][inside],
            )
        )
        rows.append(inside)
    return names, found, rows
