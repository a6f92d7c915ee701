"""The trial table: its columns, checked once for everybody who reads it, its order and its units.

A trial table is a DataFrame with a row a trial (`Rollout.trials`, `mice.load`), or what carries one
as `.trials`. `(subject, session, trial)` names a row; what depends on the order of trials takes
them in that order, whatever the order of the rows. The units are what is resampled for intervals:
subjects, sessions or blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.base.arguments import real_array
from hrnn.behavior.contradictions import DECIMALS, ROUNDED, refuse_contradictions, warn_of_codes

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import Trials

BLOCKS_PER_RUN: int = 4
OF_THE_ANSWER: tuple[str, ...] = (  # columns that are of one answer
    "reward",
    "response_time",
    "reaction_time",
    "n_steps",
    "n_obs",
    "p_right",
)
OF_A_SESSION: tuple[str, ...] = ("eid", "session_num", "date", "number")  # one value in a session
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Order = NDArray[np.intp]


def trial_table(trials: Trials, *columns: str, name: str = "trials") -> pd.DataFrame:
    """Check that a trial table has rows and some columns, and return it.

    Whatever of these is in the table must agree, also where it is not asked for: no
    `(subject, session, trial)` occurs twice, a session has one `eid`, `date`, `number` and
    `session_num`, and `choice, side, correct, timeout, strength, signed_strength, p_left`,
    `block_side` and `concordant` do not contradict each other.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        The trial table, or what carries one.
    *columns : str
        Names of the columns that are needed.
    name : str, optional
        Name of the argument, for the message.

    Returns
    -------
    DataFrame
        The table itself, not a copy.

    Raises
    ------
    TypeError
        If there is no trial table.
    ValueError
        If it is empty, lacks a column or has one twice, or contradicts itself.

    Warns
    -----
    UserWarning
        If the choices of a subject (a mouse's table has such a column) look mirrored, or coded 0
        and 1.
    """
    import pandas as pd

    table = trials if isinstance(trials, pd.DataFrame) else getattr(trials, "trials", None)
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"{name} must be a trial table or have one as .trials, got {type(trials).__name__}"
        )
    if len(table) == 0:
        raise ValueError(f"{name} must have at least one row, got an empty table")
    if not table.columns.is_unique:
        doubled = list(table.columns[table.columns.duplicated()].unique())
        raise ValueError(f"{name} must have each column once, but has {doubled} more than once")
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(f"{name} must have the columns {list(columns)}, but lacks {missing}")
    _refuse_doubles(table, name)
    refuse_contradictions(table, name)
    if table is trials and "subject" in table:
        warn_of_codes(table, name)
    return table


def trial_column(
    table: pd.DataFrame, name: str, *, allowed: tuple[float, ...] | None = None
) -> Floats:
    """Return a column of a trial table as finite float64, zeros without sign.

    Contrasts and probabilities (`p_left, strength, signed_strength`) are rounded to six decimals:
    equal ones are equal, also where one came from a file in single precision.

    Parameters
    ----------
    table : DataFrame (R rows)
        The trial table.
    name : str
        Name of the column.
    allowed : tuple of float, optional
        The values that may occur; default all.

    Returns
    -------
    ndarray (R,)
        A copy of the column.

    Raises
    ------
    TypeError
        If the column does not hold numbers.
    ValueError
        If a value is not finite, or not allowed.
    """
    try:
        values = table[name].to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            f"trials[{name!r}] must hold numbers, got dtype {table[name].dtype}"
        ) from None
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise ValueError(f"trials[{name!r}] must be finite, but row {bad[0]} is {values[bad[0]]}")
    bad = np.flatnonzero(~np.isin(values, allowed)) if allowed else bad
    if bad.size:
        raise ValueError(
            f"trials[{name!r}] must be one of {allowed}, but row {bad[0]} is {values[bad[0]]}"
        )
    if name in ROUNDED:
        values = values.round(DECIMALS)
    return values + 0.0


def session_codes(table: pd.DataFrame) -> NDArray[np.int64]:
    """Number the sessions of a trial table from 0, (R,); a session belongs to one subject."""
    keys = _session_keys(table)
    for key in keys:
        missing = np.flatnonzero(table[key].isna())
        if missing.size:
            row = missing[0]
            raise ValueError(
                f"trials[{key!r}] must not be missing, but row {row} is {table[key].iloc[row]}"
            )
    return table.groupby(keys, sort=True, observed=True).ngroup().to_numpy()


def trial_order(table: pd.DataFrame) -> Order:
    """Positions of the rows in the order of session and trial.

    Parameters
    ----------
    table : DataFrame (R rows)
        The trial table. Without a column `trial`, the rows of a session are taken to be in order.

    Returns
    -------
    ndarray (R,)
        Row numbers, session after session.
    """
    session = session_codes(table)
    if "trial" not in table:
        return np.argsort(session, kind="stable")
    return np.lexsort((trial_column(table, "trial"), session))


def trial_units(table: pd.DataFrame) -> tuple[NDArray[np.int64], int]:
    """Find the unit of resampling of each trial, by one rule for all measures.

    Several subjects: the subject. Else several sessions: the session. One (long) session: the task
    block, to be resampled in runs of four, so that both sides stay balanced and slow correlations
    stay whole.

    Parameters
    ----------
    table : DataFrame (R rows)
        The trial table.

    Returns
    -------
    unit : ndarray (R,)
        Unit of each trial, from 0.
    run : int
        Number of consecutive units that are drawn together, for `resample`.
    """
    session = session_codes(table)
    n_subjects = 1
    if "subject" in table:
        n_subjects = cast("int", table["subject"].nunique())
    if n_subjects > 1:
        return table.groupby("subject", sort=True, observed=True).ngroup().to_numpy(), 1
    if session.max() > 0:
        return session, 1
    block = trial_column(trial_table(table, "block"), "block")
    _, unit = np.unique(block, return_inverse=True)
    return unit, BLOCKS_PER_RUN


def _session_keys(table: pd.DataFrame) -> list[str]:
    """Columns that say which session a row is of."""
    return ["subject", "session"] if "subject" in table else ["session"]


def _refuse_doubles(table: pd.DataFrame, name: str) -> None:
    """Raise ValueError if a trial occurs twice, or a session is known to be several."""
    if "session" not in table:
        return
    told = [column for column in OF_A_SESSION if column in table]
    if "trial" not in table and not told:
        return
    keys = _session_keys(table)
    ordered = table
    if "trial" in table and not _is_in_order(table, keys):
        order = trial_order(table)
        ordered = table.iloc[order]
    same = ~_changes(ordered, keys)
    if "trial" in table:
        trial = trial_column(ordered, "trial")
        _refuse_row(ordered, keys, np.r_[False, same & (np.diff(trial) == 0)], name)
    for column in told:
        another = same & _changes(ordered, [column])
        if another.any():
            row = ordered.iloc[another.argmax() + 1]
            raise ValueError(
                f"{name} must have one {column} in a session, but "
                f"{_said(row, keys)} has {row[column]} and others: they are several sessions"
            )


def _is_in_order(table: pd.DataFrame, keys: list[str]) -> bool:
    """Whether every session is one run of rows whose trials increase."""
    changes = _changes(table, keys)
    starts = np.r_[0, np.flatnonzero(changes) + 1]
    if table[keys].iloc[starts].duplicated().any():
        return False
    steps = np.diff(trial_column(table, "trial"))
    return bool((steps[~changes] > 0).all())


def _changes(table: pd.DataFrame, keys: list[str]) -> Bools:
    """Which rows but the first differ from the row before in some columns, (R - 1,)."""
    changes = np.zeros(len(table) - 1, bool)
    for key in keys:
        codes, _ = table[key].factorize()
        changes |= np.diff(codes) != 0
    return changes


def _refuse_row(table: pd.DataFrame, keys: list[str], doubled: Bools, name: str) -> None:
    """Raise ValueError with the first trial that occurs twice, if there is one."""
    if not doubled.any():
        return
    row = table.iloc[doubled.argmax()]
    raise ValueError(
        f"{name} must have each trial once, but trial {row['trial']:g} of {_said(row, keys)} "
        f"occurs more than once ({doubled.sum()} rows are doubles): give tables that are joined "
        "a subject or session of their own"
    )


def _said(row: Any, keys: list[str]) -> str:
    """Subject and session of a row, for a message."""
    return ", ".join(f"{key} {row[key]}" for key in keys)


def with_choice(trials: Trials, choice: ArrayLike) -> pd.DataFrame:
    """The same trials with other choices, and with what follows from choices made anew.

    `correct`, `timeout` and a `reward` of +1 or -1 follow from the choice. Other columns that
    depend on it (times, steps) are dropped.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
        With `side`.
    choice : array_like (R,)
        -1 (left), 0 (none) or +1 (right), in the order of the rows.

    Returns
    -------
    DataFrame
        A new table.

    Raises
    ------
    TypeError, ValueError
        If `trials` is no trial table, or `choice` has another length or other values.

    Examples
    --------
    >>> import pandas as pd
    >>> trials = pd.DataFrame({"side": [-1, 1], "choice": [-1, -1], "correct": [True, False]})
    >>> with_choice(trials, [1, 1]).correct.tolist()
    [False, True]
    """
    table = trial_table(trials, "side")
    chosen = real_array(choice, "choice", (1,))
    if len(chosen) != len(table) or not np.isin(chosen, (-1, 0, 1)).all():
        raise ValueError(
            f"choice must be {len(table)} numbers of -1, 0 and 1, got {len(chosen)} from "
            f"{chosen.min():g} to {chosen.max():g}"
        )
    correct = (chosen == table["side"].to_numpy(float)) & (chosen != 0)
    made: Any = {"choice": chosen.astype(np.int64), "correct": correct, "timeout": chosen == 0}
    if "reward" in table and np.isin(table["reward"].to_numpy(), (-1, 1)).all():
        made["reward"] = np.where(correct, 1.0, -1.0)
    return table.drop(columns=table.columns.intersection(OF_THE_ANSWER)).assign(**made)
