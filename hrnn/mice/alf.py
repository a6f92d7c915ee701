"""Sessions in the IBL's ALF convention: trials objects, folders of files, and the way back.

Trials objects are those of ONE; the files of a folder are `_ibl_trials.*`.

In ALF the contrast stands in the column of its side, NaN in the other, and a choice of -1 is a
report of the *right* side (the wheel is turned counter-clockwise); in hrnn right is +1 everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
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
TIMES: tuple[str, ...] = ("stimOn_times", "response_times")
TABLE: str = "_ibl_trials.table.pqt"
N_SHOWN: int = 5  # malformed rows in an error


def is_session(path: Path) -> bool:
    """Whether a folder holds the trials of a session."""
    return (path / TABLE).is_file() or (path / "_ibl_trials.choice.npy").is_file()


def sessions_in(path: Path) -> list[Path]:
    """ALF folders at or under a folder, in the order of their names."""
    if is_session(path):
        return [path]
    folders = {file.parent for file in path.rglob("_ibl_trials.*")}
    return sorted(folder for folder in folders if is_session(folder))


def subject_of(folder: Path) -> str:
    """Subject of a folder …/<subject>/<date>/<number>/alf, else the name of the folder."""
    parts = [part for part in folder.resolve().parts if part != "alf"]
    dated = [i for i, part in enumerate(parts) if _is_date(part)]
    return parts[dated[-1] - 1] if dated else parts[-1]


def _is_date(text: str) -> bool:
    if len(text) != 10:
        return False
    has_dashes = text[4] == text[7] == "-"
    return has_dashes and text[:4].isdigit()


def read(folder: Path) -> dict[str, NDArray[Any]]:
    """Trials object of a folder.

    Its aggregated table, which needs pyarrow, and single arrays beside it, which win.
    """
    found: dict[str, NDArray[Any]] = {}
    if (folder / TABLE).is_file():
        import pandas as pd

        try:
            table = pd.read_parquet(folder / TABLE)
        except ImportError as error:
            raise ImportError(
                f"{folder / TABLE} needs pyarrow, which comes with pip install 'hrnn[ibl]'"
            ) from error
        found = {str(name): column.to_numpy() for name, column in table.items()}
    for file in sorted(folder.glob("_ibl_trials.*.npy")):
        name = file.name.split(".")[1]
        if name in (*ATTRIBUTES, *TIMES):
            found[name] = np.load(file, allow_pickle=False)
    return found


def rows_of(trials: Mapping[str, ArrayLike] | pd.DataFrame, name: str = "trials") -> pd.DataFrame:
    """Rows of one session as the CSV files have them, from a trials object.

    Parameters
    ----------
    trials : mapping or DataFrame
        Arrays by attribute.
    name : str
        What messages call it.

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
    _refuse(name, _impossible(arrays, contrast, choice, correct))
    waited = np.full(n, np.nan)
    if all(key in arrays for key in TIMES):
        waited = arrays["response_times"] - arrays["stimOn_times"]
    columns = {
        "trial_num": np.arange(1, n + 1),
        "session_num": 1,
        "stim_probability_left": arrays["probabilityLeft"],
        "contrast": contrast,
        "position": 35.0 * side,
        "response_choice": choice,
        "trial_correct": correct.astype(float),
        "reaction_time": waited,
    }
    return pd.DataFrame(columns)


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
    wrong = [key for key, values in arrays.items() if values.shape != (n,)]
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
        (~((p_left > 0) & (p_left < 1)), "probabilityLeft must be in (0, 1)"),
        (
            arrays["feedbackType"] != np.where(correct, 1, -1),
            "feedbackType must be 1 where the choice is the side, else -1",
        ),
    ]


def _numbers(given: ArrayLike, name: str) -> Floats:
    values = np.asarray(given)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of numbers, got {values.dtype}")
    return values.astype(float)


def _refuse(name: str, problems: list[Problem]) -> None:
    """Raise ValueError with the first rows that are wrong."""
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
    >>> mice = run.trials.assign(subject="a", reaction_time=0.5)
    >>> sorted(to_alf(mice)[("a", 0)])[:3]
    ['choice', 'contrastLeft', 'contrastRight']
    """
    from hrnn.behavior.trials import trial_table

    columns = (
        "subject",
        "session",
        "side",
        "strength",
        "choice",
        "correct",
        "p_left",
        "reaction_time",
    )
    checked = trial_table(trials, *columns)
    sessions = checked.groupby(["subject", "session"], sort=True)
    return {key: _trials_object(table) for key, table in sessions}


def _trials_object(table: pd.DataFrame) -> dict[str, Floats]:
    """Arrays of one session by attribute."""
    side: Any = table["side"].to_numpy()
    strength = table["strength"].to_numpy(float)
    if (side == 0).any():
        raise ValueError(
            f"trials['side'] must be known, but row {table.index[(side == 0).argmax()]} is 0"
        )
    waited = table["reaction_time"].to_numpy(float)
    shown = np.r_[0.0, np.cumsum(np.nan_to_num(waited, nan=0.0))[:-1]]
    return {
        "contrastLeft": np.where(side < 0, strength, np.nan),
        "contrastRight": np.where(side > 0, strength, np.nan),
        "probabilityLeft": table["p_left"].to_numpy(float),
        "choice": -table["choice"].to_numpy(float),
        "feedbackType": np.where(table["correct"], 1.0, -1.0),
        "stimOn_times": shown,
        "response_times": shown + waited,
    }
