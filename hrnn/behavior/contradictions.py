"""Columns of a trial table that cannot be true together, and codes that look wrong."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

DECIMALS: int = 6  # contrasts and probabilities that agree in these are the same
ROUNDED: tuple[str, ...] = ("p_left", "strength", "signed_strength")
MIRRORED: int = 20  # least choices at the strongest contrasts that can look mirrored
BELOW: float = 0.35  # fraction right that no preference for a side explains
SHARE: float = 0.75  # of trials without a choice on one side, from which on 0 looks like a code
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def refuse_contradictions(table: pd.DataFrame, name: str) -> None:
    """Raise ValueError with the first row whose columns cannot be true together.

    Parameters
    ----------
    table : DataFrame (R rows)
        The trial table.
    name : str
        What messages call it.
    """
    columns = _Columns(table)
    for wrong, rule in _contradictions(columns):
        rows = np.flatnonzero(wrong)
        if rows.size:
            raise ValueError(
                f"{name} must not contradict itself, but {rows.size} rows do, the first is row "
                f"{rows[0]}: {rule}. A column that follows from others may be left out"
            )


class _Columns:
    """Columns of a trial table as float64; NaN where missing, or where there is no such column."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        self.read: dict[str, Floats | None] = {}

    def __getitem__(self, name: str) -> Floats | None:
        """The column (R,), or None if there is none of numbers."""
        if name not in self.read:
            self.read[name] = _as_float(self.table, name)
        return self.read[name]

    def together(self, *names: str) -> list[Floats] | None:
        """Several columns (R,), or None if one is not there."""
        found = [self[name] for name in names]
        if any(values is None for values in found):
            return None
        return cast("list[Floats]", found)


def _as_float(table: pd.DataFrame, name: str) -> Floats | None:
    """A column as float64, rounded where it is a category, or None if it is not of numbers."""
    if name not in table or table[name].dtype.kind not in "biuf":
        return None
    values = table[name].to_numpy(dtype=float, na_value=np.nan)
    return values.round(DECIMALS) if name in ROUNDED else values


def _contradictions(columns: _Columns) -> list[tuple[Bools, str]]:
    """Which rows are wrong, and what must hold, of all columns that are there."""
    found: list[tuple[Bools, str]] = []
    for name in ("choice", "side", "block_side"):
        values = columns[name]
        if values is not None:
            wrong = ~np.isnan(values) & ~np.isin(values, (-1, 0, 1))
            found.append((wrong, f"{name} must be one of -1, 0, 1"))
    if pair := columns.together("timeout", "choice"):
        timeout, choice = pair
        wrong = _known(*pair) & ((timeout != 0) != (choice == 0))
        found.append((wrong, "timeout must be True where choice is 0, and only there"))
    if three := columns.together("correct", "choice", "side"):
        correct, choice, side = three
        right = (choice == side) & (choice != 0)
        told = _known(*three) & ((side != 0) | (choice == 0))
        wrong = told & ((correct != 0) != right)
        found.append((wrong, "correct must be True where choice is the side, and only there"))
    return found + _stimulus_contradictions(columns) + _block_contradictions(columns)


def _stimulus_contradictions(columns: _Columns) -> list[tuple[Bools, str]]:
    """The same of the stimulus."""
    found: list[tuple[Bools, str]] = []
    strength = columns["strength"]
    if strength is not None:
        found.append((strength < 0, "strength must be 0 or more"))
    if three := columns.together("signed_strength", "side", "strength"):
        signed, side, strength = three
        seen = _known(*three) & (strength > 0)
        differs = np.abs(signed - side * strength) > 1.5 * 10.0**-DECIMALS
        found.append((seen & differs, "signed_strength must be side * strength"))
    if pair := columns.together("signed_strength", "side"):
        signed, side = pair
        wrong = _known(*pair) & (signed * side < 0)
        found.append((wrong, "signed_strength must have the sign of side"))
    return found


def _block_contradictions(columns: _Columns) -> list[tuple[Bools, str]]:
    """The same of the block."""
    found: list[tuple[Bools, str]] = []
    p_left = columns["p_left"]
    if p_left is not None:
        found.append(((p_left < 0) | (p_left > 1), "p_left must be in [0, 1]"))
    if pair := columns.together("block_side", "p_left"):
        block_side, p_left = pair
        wrong = _known(*pair) & (block_side != np.sign(0.5 - p_left))
        found.append((wrong, "block_side must be the sign of 0.5 - p_left"))
    if three := columns.together("concordant", "side", "block_side"):
        concordant, side, block_side = three
        defined = _known(*three) & (side != 0) & (block_side != 0)
        wrong = defined & ((concordant != 0) != (side == block_side))
        found.append((wrong, "concordant must be True where side is block_side, and only there"))
    return found


def _known(*columns: Floats) -> Bools:
    """Which rows have a number in all columns, (R,)."""
    known = np.ones(len(columns[0]), bool)
    for values in columns:
        known &= ~np.isnan(values)
    return known


def warn_of_codes(table: pd.DataFrame, name: str) -> None:
    """Warn of subjects whose choices look mirrored, or coded 0 and 1.

    Parameters
    ----------
    table : DataFrame (R rows)
        The trial table of subjects.
    name : str
        What messages call it.
    """
    found = _Columns(table).together("choice", "signed_strength")
    if found is None:
        return
    answered = _known(*found)
    choice, signed = (values[answered] for values in found)
    if not choice.size:
        return
    _warn_of_zeros(choice, signed, name)
    column: Any = table["subject"]
    subject, labels = column[answered].factorize()
    mirrored = np.asarray(labels)[_below_chance(choice, signed, subject)]
    if mirrored.size:
        names = ", ".join(str(label) for label in mirrored[:5])
        warnings.warn(
            f"{name}: choices of {mirrored.size} subjects ({names}) are below chance at the "
            "strongest contrasts and look mirrored: choice must be -1 for left and +1 for right "
            "(in ALF files -1 is right)",
            stacklevel=4,
        )


def _below_chance(choice: Floats, signed: Floats, subject: NDArray[np.intp]) -> Bools:
    """Which subjects are right in less than half of the trials at the strongest contrasts."""
    n_subjects = int(subject.max()) + 1
    size = np.abs(signed)
    answered = np.isin(choice, (-1, 1)) & (subject >= 0)
    strong = (size > 0) & (size >= size.max() / 2) & answered
    right = choice[strong] == np.sign(signed[strong])
    n = np.bincount(subject[strong], minlength=n_subjects)
    n_right = np.bincount(subject[strong], right, minlength=n_subjects)
    significant = n_right < n / 2 - 1.5 * np.sqrt(n)
    return (n >= MIRRORED) & significant & (n_right < BELOW * n)


def _warn_of_zeros(choice: Floats, signed: Floats, name: str) -> None:
    """Warn of choices that are 0 or 1 (or 0 and -1) alone, the zeros mostly on the other side."""
    other = -1 if (choice > 0).any() else 1
    none = choice == 0
    if (choice == other).any() or none.all() or none.sum() < MIRRORED:
        return
    size = np.abs(signed)
    shown = signed[none & (size > 0) & (size >= size.max() / 2)]
    if shown.size and (np.sign(shown) == other).mean() > SHARE:
        warnings.warn(
            f"{name}: no choice is {other}, and most trials with choice 0 have their stimulus on "
            "that side: choice must be -1 for left, 0 for none and +1 for right, not 0 and 1",
            stacklevel=5,
        )
