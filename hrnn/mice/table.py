"""From checked rows to the trial table: what follows from the minimum is worked out here alone."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrnn.behavior.contradictions import DECIMALS

if TYPE_CHECKING:
    import pandas as pd

Indices = NDArray[np.int64]
GIVEN: tuple[str, ...] = (  # columns of rows; `reaction_time` may be missing
    "subject",
    "session",
    "trial",
    "p_left",
    "strength",
    "side",
    "choice",
    "response_time",
    "reaction_time",
)
TIMES: tuple[str, ...] = ("response_time", "reaction_time")
N_SHOWN: int = 5  # sessions named in a warning


def table_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Trial table of rows in the order of subject, session and trial.

    Parameters
    ----------
    rows : DataFrame (R rows)
        Columns `GIVEN`, checked, and any others, which are kept behind those of the table. Other
        columns with the name of one that follows from `GIVEN` must be equal to it; a `reward` of
        its own units is kept.

    Returns
    -------
    DataFrame (R rows)
        What `load` returns.

    Raises
    ------
    ValueError
        If a column is not what follows from the others.

    Warns
    -----
    UserWarning
        If times are infinite: they are read as missing.
    """
    import pandas as pd

    found = _derived(rows)
    for name in TIMES:
        if name in rows:
            found[name] = _finite(rows, name)
    for name in [name for name in rows if name not in GIVEN]:
        if name not in found or name == "reward":
            found[name] = rows[name].array
        elif not _agree(found[name], rows[name]):
            raise ValueError(
                f"column {name!r} must be what follows from choice, side, contrast and p_left, or "
                "be left out"
            )
    return pd.DataFrame(found, copy=False)


def _derived(rows: pd.DataFrame) -> dict[str, Any]:
    """Columns of the table that follow from the minimum, by name."""
    import pandas as pd

    trial = rows["trial"].to_numpy(np.int64)
    p_left = rows["p_left"].to_numpy(float).round(DECIMALS)
    strength = rows["strength"].to_numpy(float).round(DECIMALS)
    side = rows["side"].to_numpy(np.int64)
    choice = rows["choice"].to_numpy(np.int64)
    new_session = _changes(rows["subject"].factorize()[0]) | _changes(rows["session"].to_numpy())
    new_block = new_session | _changes(p_left)
    n_blocks = np.cumsum(new_block)
    block_side = np.sign(0.5 - p_left).astype(np.int64)
    correct = (choice == side) & (choice != 0)
    concordant: Any = pd.array(side == block_side, dtype="boolean")
    concordant[(side == 0) | (block_side == 0)] = pd.NA
    return {
        "subject": rows["subject"].array,
        "session": rows["session"].to_numpy(np.int64),
        "block": n_blocks - n_blocks[_start(new_session)],
        "trial": trial - trial[_start(new_session)],
        "trial_in_block": trial - trial[_start(new_block)],
        "p_left": p_left,
        "block_side": block_side,
        "side": side,
        "strength": strength,
        "signed_strength": side * strength + 0.0,  # zeros without sign
        "concordant": concordant,
        "choice": choice,
        "correct": correct,
        "timeout": choice == 0,
        "reward": np.where(correct, 1.0, -1.0),
    }


def _changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows differ from the row before, the first among them, (R,)."""
    return np.r_[True, values[1:] != values[:-1]]


def _start(new: NDArray[np.bool_]) -> Indices:
    """Row where the group of each row began, (R,)."""
    row = np.arange(len(new))
    return np.maximum.accumulate(np.where(new, row, 0))


def _finite(rows: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """A column of times (R,), infinite ones as missing, with a warning."""
    times = rows[name].to_numpy(float, copy=True)
    infinite = np.isinf(times)
    if infinite.any():
        warnings.warn(
            f"{infinite.sum()} trials have an infinite {name}, which is read as missing, in "
            f"{sessions_named(rows, infinite)}",
            stacklevel=4,
        )
        times[infinite] = np.nan
    return times


def _agree(ours: Any, theirs: Any) -> bool:
    """Whether a given column holds what was worked out."""
    import pandas as pd

    numbers: Any = pd.to_numeric(theirs, errors="coerce")
    given = numbers.to_numpy(float, na_value=np.nan)
    column: Any = pd.array(ours)
    right = column.to_numpy(float, na_value=np.nan)
    known = ~np.isnan(right)
    return bool((np.abs(given[known] - right[known]) < 2 * 10.0**-DECIMALS).all())


def sessions_named(table: pd.DataFrame, rows: NDArray[np.bool_]) -> str:
    """Subjects and sessions that some rows are of, for a message.

    Parameters
    ----------
    table : DataFrame (R rows)
        With `subject` and `session`.
    rows : (R,) bool
        Which rows.
    """
    pairs = table.loc[rows, ["subject", "session"]].drop_duplicates()
    named = [f"{subject} session {session}" for subject, session in pairs.itertuples(index=False)]
    more = f" and {len(named) - N_SHOWN} more" if len(named) > N_SHOWN else ""
    return ", ".join(named[:N_SHOWN]) + more
