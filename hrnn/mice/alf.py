"""Trials objects of the IBL's ALF convention, as ONE gives them, and the way back.

In ALF the contrast stands in the column of its side, NaN in the other, and a choice of -1 is a
report of the *right* side (the wheel is turned counter-clockwise); in hrnn right is +1 everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import Trials

Floats = NDArray[np.float64]
Problem = tuple[NDArray[np.bool_], str]  # which rows, and what must hold instead
ATTRIBUTES: tuple[str, ...] = (
    "contrastLeft",
    "contrastRight",
    "probabilityLeft",
    "choice",
    "feedbackType",
)
TIMES: tuple[str, ...] = ("stimOn_times", "response_times", "firstMovement_times")
N_SHOWN: int = 5  # malformed rows in an error


def rows_of(trials: Mapping[str, ArrayLike] | pd.DataFrame, name: str = "trials") -> pd.DataFrame:
    """Rows of one session from a trials object.

    Parameters
    ----------
    trials : mapping or DataFrame
        Arrays by attribute.
    name : str
        What messages call it.

    Returns
    -------
    DataFrame
        Columns of `hrnn.mice.table.GIVEN` but subject and session; other attributes with an entry a
        trial are kept under their names.

    Raises
    ------
    TypeError, ValueError
        If attributes are missing, of different lengths, or hold what no session can, naming the
        first such rows.
    """
    import pandas as pd

    arrays = _checked_arrays(trials, name)
    n = len(arrays["choice"])
    side = np.where(np.isnan(arrays["contrastLeft"]), 1, -1)
    contrast = np.where(side > 0, arrays["contrastRight"], arrays["contrastLeft"])
    choice = -arrays["choice"]
    correct = (choice == side) & (choice != 0)
    refuse(name, _impossible(arrays, contrast, choice, correct))
    columns: dict[str, Any] = {
        "trial": np.asarray(trials["trial"]) if "trial" in trials else np.arange(n),
        "p_left": arrays["probabilityLeft"],
        "strength": contrast,
        "side": side,
        "choice": choice.astype(np.int64),
        "response_time": _since_stimulus(arrays, "response_times"),
    }
    if "firstMovement_times" in arrays:
        columns["reaction_time"] = _since_stimulus(arrays, "firstMovement_times")
    return pd.DataFrame(columns | _others(trials, n))


def _since_stimulus(arrays: Mapping[str, Floats], name: str) -> Floats:
    """Time of an event since the stimulus was shown, in seconds; NaN where it is not told."""
    if name not in arrays or "stimOn_times" not in arrays:
        return np.full(len(arrays["choice"]), np.nan)
    with np.errstate(invalid="ignore"):  # the difference of two infinite times is missing
        return arrays[name] - arrays["stimOn_times"]


def _others(trials: Any, n: int) -> dict[str, Any]:
    """Attributes with an entry a trial that are not among those read here, as they are."""
    found: dict[str, Any] = {}
    for key in trials:
        if key in ATTRIBUTES or key == "trial":
            continue
        values = trials[key]
        values = values.array if hasattr(values, "array") else np.asarray(values)
        if getattr(values, "ndim", 1) == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if getattr(values, "ndim", 1) == 1 and len(values) == n:
            found[str(key)] = values
    return found


def _checked_arrays(trials: Any, name: str) -> dict[str, Floats]:
    """Attributes of a trials object as numbers, all of one length."""
    import pandas as pd

    if not isinstance(trials, (Mapping, pd.DataFrame)):
        raise TypeError(
            f"{name} must be a trials object (a dict or DataFrame), got {type(trials).__name__}"
        )
    missing = [attribute for attribute in ATTRIBUTES if attribute not in trials]
    if missing:
        raise ValueError(
            f"{name} must have {', '.join(ATTRIBUTES)}, but lacks {', '.join(missing)}"
        )
    there = [key for key in (*ATTRIBUTES, *TIMES) if key in trials]
    arrays = {key: _numbers(trials[key], f"{name}[{key!r}]") for key in there}
    n = len(arrays["choice"])
    wrong = [f"{key} has {len(values)}" for key, values in arrays.items() if len(values) != n]
    if wrong or not n:
        raise ValueError(
            f"{name} must have arrays of one length, at least 1: choice has {n}, "
            f"{', '.join(wrong) or 'all others too'}"
        )
    return arrays


def _impossible(
    arrays: Mapping[str, Floats], contrast: Floats, choice: Floats, correct: NDArray[np.bool_]
) -> list[Problem]:
    """Which rows are impossible, and what must hold instead."""
    both_or_none = np.isnan(arrays["contrastLeft"]) == np.isnan(arrays["contrastRight"])
    p_left = arrays["probabilityLeft"]
    return [
        (both_or_none, "exactly one of contrastLeft and contrastRight must be a number"),
        (~((contrast >= 0) & (contrast <= 1)), "contrasts must be in [0, 1]"),
        (~np.isin(choice, (-1, 0, 1)), "choice must be -1, 0 or 1"),
        (~((p_left >= 0) & (p_left <= 1)), "probabilityLeft must be in [0, 1]"),
        (
            arrays["feedbackType"] != np.where(correct, 1, -1),
            "feedbackType must be 1 where the choice is the side, else -1",
        ),
    ]


def _numbers(given: ArrayLike, name: str) -> Floats:
    """An attribute (n,) as float64, masked entries as NaN; a column (n, 1) is taken, too."""
    values: Any = given
    if hasattr(values, "to_numpy"):
        values = values.to_numpy(na_value=np.nan)
    masked = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of numbers, got {values.dtype}")
    numbers = values.astype(float)
    if masked is not None:
        numbers[masked] = np.nan
    if numbers.ndim == 2 and numbers.shape[1] == 1:
        numbers = numbers[:, 0]
    if numbers.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got the shape {numbers.shape}")
    return numbers


def refuse(name: str, problems: Sequence[Problem]) -> None:
    """Raise ValueError with the first rows that are wrong.

    Parameters
    ----------
    name : str
        Where the rows come from.
    problems : sequence of ((R,) bool, str)
        Which rows are wrong, and what must hold instead.
    """
    first: dict[int, str] = {}
    for bad, rule in problems:
        for row in np.flatnonzero(bad):
            first.setdefault(int(row), rule)
    if first:
        shown = "".join(f"\n  row {row}: {first[row]}" for row in sorted(first)[:N_SHOWN])
        raise ValueError(f"{name} has {len(first)} malformed rows:{shown}")


def to_alf(trials: Trials) -> dict[Any, dict[str, Floats]]:
    """Trials objects of a trial table, one for each subject and session.

    Times are in seconds from the stimulus of the first trial, trials following each other at once:
    the table holds no others.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        The trial table, of `load`.

    Returns
    -------
    dict
        {(subject, session): {attribute: array}}.

    Raises
    ------
    ValueError
        If a side is unknown: zero-contrast no-go rows of CSV files cannot be written.

    Examples
    --------
    >>> import hrnn
    >>> task = hrnn.Task.preset("ibl", contrast_gain=1.0)
    >>> run = hrnn.rollout(hrnn.BayesianActor(), task.sample(n_sessions=1, rng=0))
    >>> mice = run.trials.assign(subject="a", response_time=0.5)
    >>> sorted(to_alf(mice)[("a", 0)])[:3]
    ['choice', 'contrastLeft', 'contrastRight']
    """
    from hrnn.behavior.trials import trial_column, trial_order, trial_table

    columns = ("subject", "session", "side", "strength", "choice", "correct", "p_left")
    table = trial_table(trials, *columns)
    numbers = {name: trial_column(table, name) for name in columns[2:]}
    ordered = table.assign(**numbers).iloc[trial_order(table)]
    sessions = ordered.groupby(["subject", "session"], sort=False, observed=True)
    return {key: _trials_object(table) for key, table in sessions}


def _trials_object(table: pd.DataFrame) -> dict[str, Floats]:
    """Arrays of one session by attribute."""
    side: Any = table["side"].to_numpy()
    strength = table["strength"].to_numpy(float)
    if (side == 0).any():
        raise ValueError(
            f"trials['side'] must be known, but row {table.index[(side == 0).argmax()]} is 0"
        )
    waited = np.full(len(table), np.nan)
    if "response_time" in table:
        waited = table["response_time"].to_numpy(float)
    shown = np.r_[0.0, np.cumsum(np.nan_to_num(waited, nan=0.0))[:-1]]
    arrays = {
        "contrastLeft": np.where(side < 0, strength, np.nan),
        "contrastRight": np.where(side > 0, strength, np.nan),
        "probabilityLeft": table["p_left"].to_numpy(float),
        "choice": -table["choice"].to_numpy(float),
        "feedbackType": np.where(table["correct"], 1.0, -1.0),
        "stimOn_times": shown,
        "response_times": shown + waited,
    }
    if "reaction_time" in table:
        arrays["firstMovement_times"] = shown + table["reaction_time"].to_numpy(float)
    return arrays
