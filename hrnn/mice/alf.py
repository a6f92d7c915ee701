"""Sessions in the IBL's ALF convention.

Trials objects of ONE, folders of `_ibl_trials.*` files, and the way back.

In ALF the contrast stands in the column of its side, NaN in the other, and a choice of -1 is a
report of the *right* side (the wheel is turned counter-clockwise); in hrnn right is +1 everywhere.
"""

from collections.abc import Mapping

import numpy as np

ATTRIBUTES = ("contrastLeft", "contrastRight", "probabilityLeft", "choice", "feedbackType")
TIMES = ("stimOn_times", "response_times")
TABLE = "_ibl_trials.table.pqt"
N_SHOWN = 5


def is_session(path):
    """Whether a folder holds the trials of a session."""
    return (path / TABLE).is_file() or (path / "_ibl_trials.choice.npy").is_file()


def sessions_in(path):
    """ALF folders at or under a folder, in the order of their names."""
    return (
        [path]
        if is_session(path)
        else sorted(
            {file.parent for file in path.rglob("_ibl_trials.*") if is_session(file.parent)}
        )
    )


def subject_of(folder):
    """Subject of a folder …/<subject>/<date>/<number>/alf, else the name of the folder."""
    parts = [part for part in folder.resolve().parts if part != "alf"]
    dated = [
        i
        for i, part in enumerate(parts)
        if len(part) == 10 and part[4] == part[7] == "-" and part[:4].isdigit()
    ]
    return parts[dated[-1] - 1] if dated else parts[-1]


def read(folder):
    """Trials object of a folder.

    Its aggregated table, which needs pyarrow, and single arrays beside it, which win.
    """
    found = {}
    if (folder / TABLE).is_file():
        import pandas as pd

        try:
            found = {
                name: column.to_numpy() for name, column in pd.read_parquet(folder / TABLE).items()
            }
        except ImportError as error:
            raise ImportError(
                f"{folder / TABLE} needs pyarrow, which comes with pip install 'hrnn[ibl]'"
            ) from error
    for file in sorted(folder.glob("_ibl_trials.*.npy")):
        name = file.name.split(".")[1]
        if name in (*ATTRIBUTES, *TIMES):
            found[name] = np.load(file, allow_pickle=False)
    return found


def rows_of(trials, name="trials"):
    """Rows of one session as the CSV files have them, from a trials object.

    A mapping or DataFrame of arrays.

    Raises
    ------
    TypeError, ValueError
        If attributes are missing, of different lengths, or hold what no session can, naming the
        first such rows.
    """
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
    arrays = {
        key: _numbers(trials[key], f"{name}[{key!r}]")
        for key in (*ATTRIBUTES, *TIMES)
        if key in trials
    }
    n = len(arrays["choice"])
    wrong = [key for key, values in arrays.items() if values.shape != (n,)]
    if wrong or not n:
        raise ValueError(
            f"{name} must have arrays of one length, at least 1: choice has {n}, {', '.join(wrong) or 'all others too'}"
        )
    left = arrays["contrastLeft"]
    right = arrays["contrastRight"]
    side = np.where(np.isnan(left), 1, -1)
    contrast = np.where(side > 0, right, left)
    choice = -arrays["choice"]
    correct = (choice == side) & (choice != 0)
    _refuse(
        name,
        [
            (
                np.isnan(left) == np.isnan(right),
                "exactly one of contrastLeft and contrastRight must be a number",
            ),
            (~((contrast >= 0) & (contrast <= 1)), "contrasts must be in [0, 1]"),
            (~np.isin(choice, (-1, 0, 1)), "choice must be -1, 0 or 1"),
            (
                ~((arrays["probabilityLeft"] > 0) & (arrays["probabilityLeft"] < 1)),
                "probabilityLeft must be in (0, 1)",
            ),
            (
                arrays["feedbackType"] != np.where(correct, 1, -1),
                "feedbackType must be 1 where the choice is the side, else -1",
            ),
        ],
    )
    waited = (
        arrays["response_times"] - arrays["stimOn_times"]
        if all(key in arrays for key in TIMES)
        else np.full(n, np.nan)
    )
    return pd.DataFrame(
        {
            "trial_num": np.arange(1, n + 1),
            "session_num": 1,
            "stim_probability_left": arrays["probabilityLeft"],
            "contrast": contrast,
            "position": 35.0 * side,
            "response_choice": choice,
            "trial_correct": correct.astype(float),
            "reaction_time": waited,
        }
    )


def _numbers(values, name):
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of numbers, got {values.dtype}")
    return values.astype(float)


def _refuse(name, problems):
    """Raise ValueError with the first rows that are wrong."""
    first = {}
    for bad, rule in problems:
        for row in np.flatnonzero(bad):
            first.setdefault(int(row), rule)
    if first:
        shown = "".join(f"\n  row {row}: {first[row]}" for row in sorted(first)[:N_SHOWN])
        raise ValueError(f"{name} has {len(first)} malformed rows:{shown}")


def to_alf(trials):
    """Trials objects of a trial table, one for each subject and session.

    {(subject, session): dict of arrays}.

    Times are in seconds from the stimulus of the first trial, trials following each other at once:
    the table holds no others.

    Parameters
    ----------
    trials : DataFrame
        Of `load`.

    Raises
    ------
    ValueError
        If a side is unknown: zero-contrast no-go rows of CSV files cannot be written.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task.preset("ibl", contrast_gain=1.0).sample(n_sessions=1, rng=0))
    >>> sorted(to_alf(run.trials.assign(subject="a", reaction_time=0.5))[("a", 0)])[:3]
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
    found = {}
    for key, table in trial_table(trials, *columns).groupby(["subject", "session"], sort=True):
        side = table.side.to_numpy()
        strength = table.strength.to_numpy(float)
        if (side == 0).any():
            raise ValueError(
                f"trials['side'] must be known, but row {table.index[(side == 0).argmax()]} is 0"
            )
        waited = table.reaction_time.to_numpy(float)
        shown = np.r_[0.0, np.cumsum(np.nan_to_num(waited, nan=0.0))[:-1]]
        found[key] = {
            "contrastLeft": np.where(side < 0, strength, np.nan),
            "contrastRight": np.where(side > 0, strength, np.nan),
            "probabilityLeft": table.p_left.to_numpy(float),
            "choice": -table.choice.to_numpy(float),
            "feedbackType": np.where(table.correct, 1.0, -1.0),
            "stimOn_times": shown,
            "response_times": shown + waited,
        }
    return found
