"""Trials of one subject in the form that models of choice take."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.behavior.contradictions import DECIMALS
from hrnn.behavior.trials import session_codes, trial_column, trial_order, trial_table

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import Trials

COLUMNS: tuple[str, ...] = ("session", "choice", "side", "signed_strength", "block_side", "p_left")


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
        Number of each trial's session.
    choice : (R,) int8
        -1 (left), 0 (no choice), 1 (right).
    side : (R,) int8
        Side of the stimulus: -1, 0 (unknown), 1.
    contrast : (R,) float
        Contrast with the sign of its side, at most 1 in size.
    block_side : (R,) int8
        Side that the block favours: -1, 0 (none), 1.
    p_right_block : (R,) float
        P(right) of the block, 1 - p_left, rounded as `p_left` is: equal blocks are equal.
    follows : (R,) bool
        Whether the row before is the trial before: not at the start of a session, nor after a gap.
    """

    session: NDArray[np.int64]
    choice: NDArray[np.int8]
    side: NDArray[np.int8]
    contrast: NDArray[np.float64]
    block_side: NDArray[np.int8]
    p_right_block: NDArray[np.float64]
    follows: NDArray[np.bool_]

    @functools.cached_property
    def cache(self) -> dict[str, Any]:
        """What models have worked out of these trials once and for all, by name."""
        return {}

    @functools.cached_property
    def responded(self) -> NDArray[np.bool_]:
        """Which trials have a choice, (R,) bool."""
        return self.choice != 0

    @functools.cached_property
    def first(self) -> NDArray[np.bool_]:
        """Which trials begin a session, (R,) bool."""
        another = self.session[0] - 1
        return np.diff(self.session, prepend=another) != 0

    @functools.cached_property
    def sessions(self) -> list[slice]:
        """Where each session stands: a list of G slices."""
        ends = np.r_[np.flatnonzero(self.first), len(self.first)]
        pairs = itertools.pairwise(ends)
        return [slice(start, end) for start, end in pairs]

    @property
    def n_sessions(self) -> int:
        """Number of sessions with a choice."""
        return len(np.unique(self.session[self.responded]))

    @functools.cached_property
    def previous(self) -> NDArray[np.int8]:
        """The last choice before each trial in its session that was not 0, or 0; (R,) int8."""
        trial = np.arange(len(self.choice))
        at = np.maximum.accumulate(np.where(self.responded, trial, -1))
        at = np.r_[-1, at[:-1]]
        start = np.maximum.accumulate(np.where(self.first, trial, 0))
        previous = np.where(at >= start, self.choice[at], 0)
        return previous.astype(np.int8)

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
    def n(self) -> int:
        """Number of trials with a choice."""
        return int(self.responded.sum())

    def select(self, rows: NDArray[np.bool_] | slice) -> Choices:
        """The trials of some sessions, (R,) bool or a slice: whole sessions."""
        columns = [getattr(self, field.name) for field in dataclasses.fields(self)]
        return Choices(*(column[rows] for column in columns))

    def copies(self, n: int) -> Choices:
        """The same sessions n times, one set after another, as sessions of their own."""
        columns = {
            field.name: np.tile(getattr(self, field.name), n) for field in dataclasses.fields(self)
        }
        code = np.cumsum(self.first) - 1
        columns["session"] = (code + len(self.sessions) * np.arange(n)[:, None]).ravel()
        return Choices(**columns)

    def with_choice(self, choice: ArrayLike) -> Choices:
        """The same trials with other choices, (R,)."""
        return dataclasses.replace(self, choice=np.asarray(choice, np.int8))


def session_labels(trials: Trials, choices: Choices, rows: NDArray[np.intp]) -> pd.DataFrame:
    """Subject and session of each session as the trial table has them: a DataFrame (G rows).

    It is indexed by `Choices.session`. Without subjects the subject is "all".

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        The trial table.
    choices : Choices
        Trials of one unit, of G sessions.
    rows : (R,) int
        Their rows in the table.
    """
    table: Any = trial_table(trials, "session").iloc[rows[choices.first]]
    subject = table.get("subject", "all")
    labels = table[["session"]].assign(subject=subject)
    return labels[["subject", "session"]].set_axis(choices.session[choices.first])


def units(table: Trials, by: str) -> tuple[pd.DataFrame, list[Choices], list[NDArray[np.intp]]]:
    """Split a trial table into units to fit, their trials in the order of session and trial.

    Strengths are divided by the largest of the table where that exceeds 1: contrasts stay,
    strengths of agents become at most 1.

    Parameters
    ----------
    table : DataFrame or object with `.trials`
        The trial table.
    by : {'subject', 'session', 'pooled'}
        What a unit is.

    Returns
    -------
    names : DataFrame (M rows)
        `subject` (and `session`) of each unit.
    found : list of Choices
        Trials of each unit, session after session.
    rows : list of (R_unit,) int
        Their rows in the table.
    """
    checked = trial_table(table, *COLUMNS)
    session = session_codes(checked)
    values = _checked_columns(checked)
    contrast = values["signed_strength"] / max(np.abs(values["signed_strength"]).max(), 1.0)
    contrast = contrast.round(DECIMALS)
    p_right_block = (1 - values["p_left"]).round(DECIMALS)
    order = trial_order(checked)
    follows = _follows(checked, session)
    names, code = _grouped(checked, by)
    found: list[Choices] = []
    rows: list[NDArray[np.intp]] = []
    for k in range(len(names)):
        inside = order[code[order] == k]
        unit = Choices(
            session=session[inside].astype(np.int64),
            choice=values["choice"][inside].astype(np.int8),
            side=values["side"][inside].astype(np.int8),
            contrast=contrast[inside],
            block_side=values["block_side"][inside].astype(np.int8),
            p_right_block=p_right_block[inside],
            follows=follows[inside],
        )
        found.append(unit)
        rows.append(inside)
    return names, found, rows


def _follows(table: pd.DataFrame, session: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which trials follow the trial before in their session, without a gap, (R,)."""
    order = trial_order(table)
    trial = np.arange(len(table))
    if "trial" in table:
        trial = trial_column(table, "trial")[order]
    same = np.diff(session[order]) == 0
    follows = np.zeros(len(table), bool)
    follows[order[1:]] = same & (np.diff(trial) == 1)
    return follows


def _checked_columns(table: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Columns of the trial table as numbers, or an error that says which row is wrong."""
    values = {name: trial_column(table, name) for name in COLUMNS[1:]}
    for name in ("choice", "side", "block_side"):
        trial_column(table, name, allowed=(-1, 0, 1))
    unknown = np.flatnonzero((values["choice"] != 0) & (values["side"] == 0))
    if unknown.size:
        raise ValueError(
            f"trials['side'] must be known where there is a choice, but row {unknown[0]} is 0"
        )
    return values


def _grouped(table: pd.DataFrame, by: str) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Names of the units, and the number of each trial's unit (R,)."""
    import pandas as pd

    if by == "pooled":
        return pd.DataFrame({"subject": ["all"]}), np.zeros(len(table), int)
    everyone = np.full(len(table), "all")
    keys: dict[str, Any] = {"subject": everyone}
    if "subject" in table:
        keys["subject"] = table["subject"].to_numpy()
    if by == "session":
        keys["session"] = table["session"].to_numpy()
    groups = pd.DataFrame(keys).groupby(list(keys), sort=True, observed=True)
    sizes: Any = groups.size()
    return sizes.reset_index()[list(keys)], groups.ngroup().to_numpy()
