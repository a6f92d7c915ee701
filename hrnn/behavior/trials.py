"""The trial table: its columns, checked once for everybody who reads it, and its units.

The units are what is resampled for intervals: subjects, sessions or blocks.

A trial table is a DataFrame with a row a trial (`Rollout.trials`, `mice.load`), or what carries one
as `.trials`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import Trials

BLOCKS_PER_RUN: int = 4


def trial_table(trials: Trials, *columns: str, name: str = "trials") -> pd.DataFrame:
    """Check that a trial table has rows and some columns, and return it.

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
        If it is empty or lacks a column.
    """
    import pandas as pd

    table = trials if isinstance(trials, pd.DataFrame) else getattr(trials, "trials", None)
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"{name} must be a trial table or have one as .trials, got {type(trials).__name__}"
        )
    if len(table) == 0:
        raise ValueError(f"{name} must have at least one row, got an empty table")
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(f"{name} must have the columns {list(columns)}, but lacks {missing}")
    return table


def trial_column(
    table: pd.DataFrame, name: str, *, allowed: tuple[float, ...] | None = None
) -> NDArray[np.float64]:
    """Return a column of a trial table as finite float64, zeros without sign.

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
    except (TypeError, ValueError):
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
    return values + 0.0


def session_codes(table: pd.DataFrame) -> NDArray[np.int64]:
    """Number the sessions of a trial table from 0, (R,); a session belongs to one subject."""
    keys = ["subject", "session"] if "subject" in table else ["session"]
    for key in keys:
        missing = np.flatnonzero(table[key].isna())
        if missing.size:
            row = missing[0]
            raise ValueError(
                f"trials[{key!r}] must not be missing, but row {row} is {table[key].iloc[row]}"
            )
    return table.groupby(keys, sort=True).ngroup().to_numpy()


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
        return table.groupby("subject", sort=True).ngroup().to_numpy(), 1
    if session.max() > 0:
        return session, 1
    block = trial_column(trial_table(table, "block"), "block")
    _, unit = np.unique(block, return_inverse=True)
    return unit, BLOCKS_PER_RUN
