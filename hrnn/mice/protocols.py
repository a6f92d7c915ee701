"""Blocks as the rig makes them, and sessions of other protocols: kept, and named."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrnn.behavior.trials import session_codes, trial_column, trial_order
from hrnn.mice.table import sessions_named

if TYPE_CHECKING:
    import pandas as pd

Bools = NDArray[np.bool_]
P_LEFT: tuple[float, ...] = (0.2, 0.5, 0.8)  # of blocks in the biasedChoiceWorld protocol
BLOCK_MIN: int = 20  # trials of its shortest block; the last of a session may be cut
N_UNBIASED: int = 90  # trials at its start


def warn_of_protocols(table: pd.DataFrame) -> None:
    """Warn of sessions that are not of the rig's protocol with blocks, by name.

    Parameters
    ----------
    table : DataFrame (R rows)
        With `subject, session, trial, trial_in_block, block_side, p_left`.

    Warns
    -----
    UserWarning
        If a p_left is none of .2, .5, .8, if a biased block is shorter than 20 trials and not the
        last of its session, or if a session of more than 90 trials has no biased block.
    """
    foreign = ~table["p_left"].isin(P_LEFT).to_numpy()
    if foreign.any():
        values = ", ".join(f"{value:g}" for value in np.unique(table["p_left"][foreign])[:10])
        _warn(table, foreign, f"have a p_left of {values}, not .2, .5 or .8")
    session = session_codes(table)
    short = ~in_blocks(table, BLOCK_MIN) & (table["block_side"] != 0).to_numpy()
    if short.any():
        _warn(table, short, f"are in sessions with blocks of fewer than {BLOCK_MIN} trials")
    n_biased = np.bincount(session, table["block_side"] != 0)
    unbiased = ((n_biased == 0) & (np.bincount(session) > N_UNBIASED))[session]
    if unbiased.any():
        _warn(table, unbiased, "are in sessions without a biased block")


def _warn(table: pd.DataFrame, rows: Bools, what: str) -> None:
    warnings.warn(
        f"{rows.sum()} trials {what}: another protocol; they are kept, in "
        f"{sessions_named(table, rows)}",
        stacklevel=4,
    )


def in_blocks(table: pd.DataFrame, least: int) -> Bools:
    """Which trials are in biased blocks of a session whose biased blocks are long enough, (R,).

    A block is a run of trials with one p_left. Of a session's biased blocks all but the last must
    have `least` trials or more, or none counts as a block: where p_left changes from trial to trial
    there are no blocks. The last may be cut by the end of the session.

    Parameters
    ----------
    table : DataFrame (R rows)
        With `session` and `block_side`; `trial` and `trial_in_block`, where they are there, tell
        the length of a block also after trials were left out.
    least : int
        Trials of the shortest block.
    """
    order = trial_order(table)
    session = session_codes(table)[order]
    side = trial_column(table, "block_side")[order]
    start = _block_starts(table, order, session, side)
    new = np.r_[True, (np.diff(session) != 0) | (np.diff(start) != 0)]
    first = np.flatnonzero(new)
    of = session[first]
    lengths = np.diff(start[first], append=0)
    is_last = np.r_[np.diff(of) != 0, True]
    short = (side[first] != 0) & ~is_last & (lengths < least)
    without = np.bincount(of, short, minlength=session.max() + 1) > 0
    found = np.zeros(len(table), bool)
    found[order] = (side != 0) & ~without[session]
    return found


def _block_starts(
    table: pd.DataFrame, order: NDArray[np.intp], session: NDArray[Any], side: NDArray[Any]
) -> NDArray[Any]:
    """Number of the trial at which the block of each trial began, in order, (R,)."""
    if "trial" in table and "trial_in_block" in table:
        trial = trial_column(table, "trial")[order]
        return trial - trial_column(table, "trial_in_block")[order]
    value = trial_column(table, "p_left")[order] if "p_left" in table else side
    new = np.r_[True, (np.diff(session) != 0) | (np.diff(value) != 0)]
    row = np.arange(len(order))
    trial = trial_column(table, "trial")[order] if "trial" in table else row
    return trial[np.maximum.accumulate(np.where(new, row, 0))]
