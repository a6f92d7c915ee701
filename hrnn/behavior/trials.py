"""The trial table: its columns, checked once for everybody who reads it.

And the units of resampling of its trials.

A trial table is a DataFrame with a row a trial (`Rollout.trials`, `mice.load`), or what carries one
as `.trials`.
"""

import numpy as np

BLOCKS_PER_RUN = 4


def trial_table(trials, *columns, name="trials"):
    """Check a trial table: a DataFrame, or what carries one as `.trials`.

    With rows and these columns.
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


def trial_column(table, name, *, allowed=None):
    """Return a column of a trial table as finite float64 (R,), zeros without sign.

    Each one of `allowed` if given.
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


def session_codes(table):
    """Number the sessions of a trial table from 0, (R,); a session belongs to one subject."""
    keys = ["subject", "session"] if "subject" in table else ["session"]
    for key in keys:
        missing = np.flatnonzero(table[key].isna())
        if missing.size:
            raise ValueError(
                f"trials[{key!r}] must not be missing, but row {missing[0]} is {table[key].iloc[missing[0]]}"
            )
    return table.groupby(keys, sort=True).ngroup().to_numpy()


def trial_units(table):
    """Find the unit of resampling of each trial, by one rule for all measures.

    Several subjects: the subject. Else several sessions: the session. One (long) session: the task
    block, to be resampled in runs of four, so that both sides stay balanced and slow correlations
    stay whole.

    Returns
    -------
    unit : ndarray (R,)
        Unit of each trial, from 0.
    run : int
        Number of consecutive units that are drawn together, for `resample`.
    """
    session = session_codes(table)
    if "subject" in table and table["subject"].nunique() > 1:
        return table.groupby("subject", sort=True).ngroup().to_numpy(), 1
    if session.max() > 0:
        return session, 1
    return np.unique(trial_column(trial_table(table, "block"), "block"), return_inverse=True)[
        1
    ], BLOCKS_PER_RUN
