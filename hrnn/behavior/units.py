"""Which trials are resampled together, where a table is split into cells.

An interval of a cell is of what would be drawn anew if the cell were measured again. Cells that mix
subjects are of new subjects; the cells of one subject are of new sessions of this subject, and
those of one session of new runs of its blocks. So each subject, or session, that `by` names is a
pool of its own, in which units are found as if it were the whole table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from hrnn.behavior.trials import session_codes, trial_units

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Pool:
    """Trials whose units are resampled together.

    Attributes
    ----------
    rows : ndarray (P,)
        Row numbers of its trials.
    unit : ndarray (P,)
        Unit of each of them, from 0.
    run : int
        Number of consecutive units that are drawn together, for `resample`.
    """

    rows: NDArray[np.intp]
    unit: NDArray[np.int64]
    run: int


def pools(table: pd.DataFrame, by: Sequence[str]) -> list[Pool]:
    """Split a trial table into the pools that its cells are resampled in.

    Parameters
    ----------
    table : DataFrame (R rows)
        The trial table.
    by : list or tuple of str
        Columns that make the cells. "subject" makes every subject a pool, and "session" every
        session, unless subjects share names of sessions and "subject" is not there, too: such a
        cell is of all of these subjects.

    Returns
    -------
    list of Pool
        No trial is in two; no cell has trials of two.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"subject": ["a", "a", "b", "b"], "session": [0, 1, 0, 1]})
    >>> [pool.unit.tolist() for pool in pools(table, ["subject"])]
    [[0, 1], [0, 1]]
    """
    code = _pool_codes(table, by)
    if code is None:
        unit, run = trial_units(table)
        return [Pool(np.arange(len(table)), unit, run)]
    order = np.argsort(code, kind="stable")
    ends = np.cumsum(np.bincount(code))[:-1]
    return [_pool(table, rows) for rows in np.split(order, ends)]


def _pool_codes(table: pd.DataFrame, by: Sequence[str]) -> NDArray[np.int64] | None:
    """Number of each trial's pool (R,), or None: all are in one."""
    session = session_codes(table)
    if "session" in by:
        names = cast("int", table["session"].nunique())
        if "subject" in by or names == session.max() + 1:  # no two subjects share a name
            return session
    if "subject" in by:
        return cast("NDArray[np.int64]", table.groupby("subject", sort=True).ngroup().to_numpy())
    return None


def _pool(table: pd.DataFrame, rows: NDArray[np.intp]) -> Pool:
    """The units of some rows; one of all where nothing smaller than the session is known."""
    part = table.iloc[rows]
    if "block" not in table and session_codes(part).max() == 0:
        return Pool(rows, np.zeros(len(rows), np.int64), 1)
    return Pool(rows, *trial_units(part))
