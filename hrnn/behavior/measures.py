"""Measures of behaviour: fractions, curves, differences and regret.

Every function takes a trial table or what has one as `.trials`. Fractions correct divide by all
trials, a timeout being wrong; P(right) by those with a choice. A table with a `subject` column is a
mouse's: its no-go trials (choice 0) leave numerators and denominators and are counted as `no_go`.
Measures whose columns are absent are left out. Intervals are 95 %, from resampled sessions
(subjects, or runs of task blocks in one long session: `statistics`); NaN where fewer than two of
them have data, or all agree. Within a subject or session that is among the columns of cells, the
next smaller unit is resampled (`units`). `n` is always the number of trials in the denominator.
Psychometric fits live in `psychometric_function`, the history regression in `history`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from hrnn.base.arguments import one_of, real_number, whole_number
from hrnn.behavior.trials import session_codes, trial_column, trial_table
from hrnn.behavior.units import Pool, pools
from hrnn.statistics.resampling import Estimate, paired, ratio_interval, resample

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike, Trials

SAME_SESSIONS: tuple[str, ...] = ("session", "trial", "side", "strength")
CRITERIA: tuple[str, ...] = ("reward_per_trial", "reward_per_step")

ENDS: tuple[str, ...] = ("value", "low", "high")
RESULT: tuple[str, ...] = ("measure", *ENDS, "n")  # columns of a table of cells

_Pair = tuple[NDArray[np.float64], NDArray[np.float64]]  # numerator and denominator


@dataclass(frozen=True)
class _Choices:
    """The columns that every measure starts from, each (R,) float64 of 0 and 1.

    `counted` is 0 on the no-go trials of mice alone; `empty` is the name of a trial without a
    choice.
    """

    chose: NDArray[np.float64]
    right: NDArray[np.float64]
    correct: NDArray[np.float64]
    counted: NDArray[np.float64]
    empty: str


def _choices(table: pd.DataFrame) -> _Choices:
    choice = trial_column(table, "choice", allowed=(-1, 0, 1))
    correct = trial_column(table, "correct", allowed=(0, 1))
    chose = (choice != 0).astype(float)
    mouse = "subject" in table
    counted = chose if mouse else np.ones(len(table))
    right = (choice > 0).astype(float)
    empty = "no_go" if mouse else "timeouts"
    return _Choices(chose, right, correct * chose, counted, empty)


def _concordance(table: pd.DataFrame) -> _Pair:
    """Mark concordant and discordant trials by 1, (R,) each; both are 0 where it is undefined."""
    column = table["concordant"].astype("boolean")
    values = column.to_numpy(dtype=float, na_value=np.nan)
    concordant = values == 1
    discordant = values == 0
    return concordant.astype(float), discordant.astype(float)


def _fractions(table: pd.DataFrame, c: _Choices) -> dict[str, _Pair]:
    return {
        "correct": (c.correct, c.counted),
        c.empty: (1 - c.chose, np.ones(len(table))),
        "correct_given_choice": (c.correct, c.chose),
        "p_right": (c.right, c.chose),
    }


def _per_trial(table: pd.DataFrame, c: _Choices) -> dict[str, _Pair]:
    names = {
        "steps_per_trial": "n_steps",
        "observations_per_trial": "n_obs",
        "reward_per_trial": "reward",
    }
    found = {name: trial_column(table, column) for name, column in names.items() if column in table}
    measures = {name: (values * c.counted, c.counted) for name, values in found.items()}
    if {"steps_per_trial", "reward_per_trial"} <= set(found):
        measures["reward_per_step"] = (found["reward_per_trial"], found["steps_per_trial"])
    return measures


def _conditional(table: pd.DataFrame, c: _Choices) -> dict[str, _Pair]:
    subsets: dict[str, NDArray[np.float64]] = {}
    if "concordant" in table:
        subsets["concordant_correct"], subsets["discordant_correct"] = _concordance(table)
    if "strength" in table:
        subsets["mu0_correct"] = (trial_column(table, "strength") == 0).astype(float)
    if len(subsets) == 3:
        for name in ("concordant", "discordant"):
            subsets[f"mu0_{name}"] = subsets["mu0_correct"] * subsets[f"{name}_correct"]
    measures: dict[str, _Pair] = {}
    for name, subset in subsets.items():
        measures[name] = (c.correct * subset, c.counted * subset)
    return measures


def _measures(table: pd.DataFrame) -> dict[str, _Pair]:
    """Numerator and denominator of each measure per trial: {name: ((R,), (R,))}."""
    c = _choices(table)
    return _fractions(table, c) | _per_trial(table, c) | _conditional(table, c)


def _unit_sums(
    measures: Mapping[str, _Pair], unit: NDArray[np.int64], cell: NDArray[np.int64], n_cells: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Sum numerators and denominators within units and cells; count trials.

    Returns (U, M·n_cells) twice, and (M·n_cells,).
    """
    inside = cell >= 0
    n_units = unit.max() + 1
    index = (unit * n_cells + cell)[inside]

    def sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = np.bincount(index, values[inside], n_units * n_cells)
        return np.asarray(flat, float).reshape(n_units, n_cells)

    def counts(denominator: NDArray[np.float64]) -> NDArray[np.float64]:
        defined = denominator[inside] != 0
        return np.asarray(np.bincount(cell[inside], defined, n_cells), float)

    num = np.hstack([sums(numerator) for numerator, _ in measures.values()])
    den = np.hstack([sums(denominator) for _, denominator in measures.values()])
    n = np.hstack([counts(denominator) for _, denominator in measures.values()])
    return num, den, n.astype(int)


def _tabulate(
    table: pd.DataFrame,
    measures: Mapping[str, _Pair],
    rng: RNGLike,
    by: Sequence[str] | None = None,
    inside: NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Estimate measures, overall (index: measure) or in cells of the columns `by` (tidy).

    Of cells, only trials that are `inside` (R,) count. Units are counted within each cell.
    """
    import pandas as pd

    if by is None:
        one = np.zeros(len(table), dtype=int)
        columns = _in_cells(measures, pools(table, ()), one, 1, rng)
        return pd.DataFrame(columns, index=pd.Index(list(measures), name="measure"))
    keys, cell = _cells(table, by, inside)
    columns = _in_cells(measures, pools(table, by), cell, len(keys), rng)
    rows = pd.concat([keys.assign(measure=name) for name in measures], ignore_index=True)
    return rows.join(pd.DataFrame(columns))


def _in_cells(
    measures: Mapping[str, _Pair],
    found: Sequence[Pool],
    cell: NDArray[np.int64],
    n_cells: int,
    rng: RNGLike,
) -> dict[str, NDArray[Any]]:
    """Estimates of M measures in cells, and their trials: {value, low, high, n}, (M·n_cells,)."""
    shape = (len(measures), n_cells)
    columns: dict[str, NDArray[Any]] = {name: np.full(shape, np.nan) for name in ENDS}
    columns["n"] = np.zeros(shape, dtype=int)
    for pool in found:
        inside = cell[pool.rows]
        own = np.unique(inside[inside >= 0])
        if not len(own):
            continue
        code = np.where(inside >= 0, np.searchsorted(own, inside), -1)
        parts = {name: (a[pool.rows], b[pool.rows]) for name, (a, b) in measures.items()}
        num, den, n = _unit_sums(parts, pool.unit, code, len(own))
        draws = resample(int(pool.unit.max()) + 1, run=pool.run, rng=rng)
        estimate = ratio_interval(num, den, resamples=draws)
        for name in ENDS:
            columns[name][:, own] = getattr(estimate, name).reshape(len(measures), -1)
        columns["n"][:, own] = n.reshape(len(measures), -1)
    return {name: values.ravel() for name, values in columns.items()}


def _cells(
    table: pd.DataFrame, by: Sequence[str], inside: NDArray[np.bool_] | None = None
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Number the trials by the values of the columns `by`.

    Returns the keys (one row per cell) and the cell of each trial (R,), −1 for none.
    """
    import pandas as pd

    columns: dict[str, Any] = {name: table[name].to_numpy() for name in by}
    for name in set(by) & {"strength", "signed_strength"}:
        columns[name] = trial_column(table, name)
    for name in set(by) & {"concordant"}:
        columns[name] = table[name].astype("boolean").array
    frame = pd.DataFrame(columns)
    if inside is not None:
        frame = frame[inside]
    groups = frame.groupby(list(by), sort=True)
    keys = groups.size().index.to_frame(index=False)
    number = groups.ngroup().reindex(np.arange(len(table)))
    cell = number.fillna(-1).to_numpy(dtype=int)
    if len(keys) == 0:
        raise ValueError(f"trials must have rows in which {list(by)} are defined, got none")
    if "concordant" in keys:
        keys = keys.astype({"concordant": bool})
    return keys, cell


def summary(trials: Trials, *, rng: RNGLike = 0) -> pd.DataFrame:
    """Summarise behaviour in one table.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
        At least `session, choice, correct`.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples.

    Returns
    -------
    DataFrame
        Index `measure`; columns `value, low, high, n` (trials in the denominator). `correct`,
        `timeouts` (mice: `no_go`, of all trials), `correct_given_choice`, `p_right` (fraction of
        right among choices), `steps_per_trial` (blanks included), `observations_per_trial`,
        `reward_per_trial`, `reward_per_step` = Σ reward / Σ steps, `concordant_correct`,
        `discordant_correct`, `mu0_correct` (strength 0), `mu0_concordant`, `mu0_discordant`
        (fractions correct).

    Raises
    ------
    TypeError, ValueError
        If `trials` is no trial table, is empty, lacks columns or holds NaN where it may not.

    Examples
    --------
    >>> import pandas as pd
    >>> trials = pd.DataFrame({"session": [0, 0, 1, 1], "choice": [1, -1, 0, 1]})
    >>> trials["correct"] = [True, True, False, True]
    >>> summary(trials)["value"].round(2).to_dict()
    {'correct': 0.75, 'timeouts': 0.25, 'correct_given_choice': 1.0, 'p_right': 0.67}
    """
    table = trial_table(trials, "session", "choice", "correct")
    return _tabulate(table, _measures(table), rng)


def session_sums(trials: Trials) -> dict[str, NDArray[np.float64]]:
    """Numerator and denominator of every measure of `summary` in each session.

    Those of several parts of a long evaluation can be joined.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
        At least `session, choice, correct`.

    Returns
    -------
    dict of str to ndarray (S, 2)
        By measure: numerators and denominators of S sessions.

    Examples
    --------
    >>> import pandas as pd
    >>> trials = pd.DataFrame({"session": [0, 0], "choice": [1, -1], "correct": [True, False]})
    >>> session_sums(trials)["correct"].tolist()
    [[1.0, 2.0]]
    """
    table = trial_table(trials, "session", "choice", "correct")
    session = session_codes(table)
    sums: dict[str, NDArray[np.float64]] = {}
    for name, pair in _measures(table).items():
        columns = [np.bincount(session, values) for values in pair]
        sums[name] = np.stack(columns, 1).astype(float)
    return sums


def _mismatch(tables: Sequence[pd.DataFrame]) -> tuple[str, np.intp] | None:
    """Find the first column and row in which two tables of equal length differ in their trials."""
    for column in SAME_SESSIONS:
        differs = np.flatnonzero(tables[0][column].to_numpy() != tables[1][column].to_numpy())
        if differs.size:
            return column, differs[0]
    return None


def _same_sessions(a: Trials, b: Trials, names: tuple[str, str]) -> list[pd.DataFrame]:
    """Return both tables with their rows in one order; refuse those of other trials."""
    tables = [
        trial_table(x, *SAME_SESSIONS, "choice", "correct", name=name)
        for x, name in zip((a, b), names, strict=True)
    ]
    start = f"{names[0]} and {names[1]} must be of the same sessions"
    if len(tables[0]) != len(tables[1]):
        raise ValueError(f"{start}, got {len(tables[0])} and {len(tables[1])} trials")
    if _mismatch(tables):
        keys = ["session", "trial"]
        if all("subject" in t for t in tables):
            keys = ["subject", *keys]
        tables = [t.sort_values(keys, kind="stable", ignore_index=True) for t in tables]
    if found := _mismatch(tables):
        raise ValueError(f"{start}, but {found[0]!r} differs at trial {found[1]}")
    return tables


def difference(a: Trials, b: Trials, *, rng: RNGLike = 0) -> pd.DataFrame:
    """Paired differences a − b of all measures of two agents on the same sessions.

    Parameters
    ----------
    a, b : DataFrame (R rows) or object with `.trials`
        Trials of the two agents: the same sessions, trials, sides and strengths; rows in any
        order.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples.

    Returns
    -------
    DataFrame
        As `summary`, of the measures that both have; the resampled sessions are the same for both,
        so what they share cancels. `n` is the smaller number of trials of the two.

    Raises
    ------
    ValueError
        If the tables are not of the same trials.

    Examples
    --------
    >>> import pandas as pd
    >>> a = pd.DataFrame({"session": [0, 1], "trial": [0, 0], "side": [1, -1], "choice": [1, -1]})
    >>> a = a.assign(strength=[0.5, 1.0], correct=True)
    >>> difference(a, a).loc["correct", "value"].item()
    0.0
    """
    return _difference(a, b, ("a", "b"), rng)


def _difference(a: Trials, b: Trials, names: tuple[str, str], rng: RNGLike) -> pd.DataFrame:
    import pandas as pd

    tables = _same_sessions(a, b, names)
    measures_a = _measures(tables[0])
    measures_b = _measures(tables[1])
    shared = [name for name in measures_a if name in measures_b]
    (pool,) = pools(tables[0], ())
    unit = pool.unit
    one = np.zeros(len(unit), dtype=int)
    num_a, den_a, n_a = _unit_sums({name: measures_a[name] for name in shared}, unit, one, 1)
    num_b, den_b, n_b = _unit_sums({name: measures_b[name] for name in shared}, unit, one, 1)
    resamples = resample(int(unit.max()) + 1, run=pool.run, rng=rng)
    gap = paired((num_a, den_a), (num_b, den_b), resamples=resamples)
    columns = {name: getattr(gap, name) for name in ENDS} | {"n": np.minimum(n_a, n_b)}
    return pd.DataFrame(columns, index=pd.Index(shared, name="measure"))


def by_strength(
    trials: Trials, *, by: Sequence[str] = ("signed_strength",), rng: RNGLike = 0
) -> pd.DataFrame:
    """Fraction correct, timeouts and right choices in cells, by default the signed strengths.

    Strength 0 is one signed strength, whatever the side; `correct` still goes by the side. Trials
    where a column of `by` is undefined (concordance in an unbiased block) are left out.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
        At least `session, choice, correct` and the columns `by`.
    by : list or tuple of str, optional
        Columns that make the cells, e.g. ``["strength", "concordant"]``, ``["p_left",
        "signed_strength"]``. With "subject" among them the intervals of a subject's cells are of
        new sessions of this subject, as if it were alone in the table; with "session", of new runs
        of blocks of this session.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples.

    Returns
    -------
    DataFrame
        Tidy: the columns `by`, `measure` (`correct`, `timeouts` or for mice `no_go`,
        `correct_given_choice`, `p_right`), `value, low, high, n`. A cell in which one unit (a
        subject, in cells of several subjects) has trials, or all units agree, has no interval: NaN.

    Raises
    ------
    TypeError, ValueError
        As `summary`, and if `by` is not columns of the table or no trial is in any cell.

    Examples
    --------
    >>> import pandas as pd
    >>> trials = pd.DataFrame({"session": [0, 0, 1, 1], "choice": [1, -1, 1, 1]})
    >>> trials["signed_strength"] = [0, -1, 0, -1.0]
    >>> trials["correct"] = [True, True, False, False]
    >>> table = by_strength(trials)
    >>> table[table["measure"] == "p_right"]["value"].to_list()
    [0.5, 1.0]
    """
    listed = isinstance(by, (tuple, list)) and len(by) > 0
    if not listed or not all(isinstance(name, str) for name in by):
        raise TypeError(f"by must be a list or tuple of column names, got {by!r}")
    if len({*by, *RESULT}) < len(by) + len(RESULT):
        raise ValueError(f"by must be different columns, none of {list(RESULT)}, got {by!r}")
    table = trial_table(trials, "session", "choice", "correct", *by)
    return _tabulate(table, _fractions(table, _choices(table)), rng, by)


def _follows_change(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Mark the trials of blocks that follow a biased block of their session."""
    session = session_codes(table)
    block = trial_column(table, "block")
    biased = trial_column(table, "block_side") != 0
    first = np.full(session.max() + 1, np.inf)
    np.minimum.at(first, session[biased], block[biased])
    return biased & (block > first[session])


def after_block_change(
    trials: Trials, *, strength: float | None = None, min_n: int = 30, rng: RNGLike = 0
) -> pd.DataFrame:
    """P(correct) against the trials since the block changed sides.

    A change is from one biased block to the next: the first biased block of a session and an
    unbiased block before it are left out.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
        With `block, block_side, trial_in_block, concordant`.
    strength : float, optional
        Only trials of this strength, e.g. 0; default all.
    min_n : int, optional
        Points with fewer trials are dropped: few blocks are long.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples.

    Returns
    -------
    DataFrame
        Tidy: `trial_in_block` (0-based), `concordance` ("all", "concordant", "discordant"), `value,
        low, high, n`; empty if no point has `min_n` trials.

    Raises
    ------
    TypeError, ValueError
        As `summary`, and if no session has two biased blocks or no trial the strength.

    Examples
    --------
    >>> import pandas as pd
    >>> trials = pd.DataFrame({"session": [0, 0, 1, 1], "block": [0, 1, 0, 1], "choice": 1})
    >>> trials = trials.assign(block_side=[1, -1, 1, -1], trial_in_block=[5, 0, 5, 0])
    >>> trials = trials.assign(correct=[True, False, True, True], concordant=True)
    >>> curve = after_block_change(trials, min_n=1)
    >>> curve[["trial_in_block", "concordance", "value"]].to_dict("list")
    {'trial_in_block': [0, 0], 'concordance': ['all', 'concordant'], 'value': [0.5, 0.5]}
    """
    columns = ["session", "block", "block_side", "trial_in_block", "concordant"]
    columns += ["choice", "correct"]
    if strength is not None:
        columns.append("strength")
    table = trial_table(trials, *columns)
    min_n = whole_number(min_n, "min_n")
    if strength is not None:
        strength = real_number(strength, "strength", 0, np.inf, "[")
    inside = _after_change(table, strength)
    c = _choices(table)
    concordant, discordant = _concordance(table)
    measures = {
        "all": (c.correct, c.counted),
        "concordant": (c.correct * concordant, c.counted * concordant),
        "discordant": (c.correct * discordant, c.counted * discordant),
    }
    curve = _tabulate(table, measures, rng, ["trial_in_block"], inside)
    curve = curve.rename(columns={"measure": "concordance"})
    return curve.loc[curve["n"] >= min_n].reset_index(drop=True)


def _after_change(table: pd.DataFrame, strength: float | None) -> NDArray[np.bool_]:
    """Mark the trials of one strength, or of all, in blocks that follow a biased block."""
    inside = _follows_change(table)
    if not inside.any():
        raise ValueError("trials must have a session with two biased blocks, got none")
    if strength is not None:
        inside &= trial_column(table, "strength") == strength
        if not inside.any():
            raise ValueError(f"strength must occur after a block change, got {strength!r}")
    return inside


def chronometric(trials: Trials, *, rng: RNGLike = 0) -> pd.DataFrame:
    """Steps per trial, blanks included, by strength × correct × concordant.

    A timeout is wrong and has the longest trial; for decisions alone give
    ``trials[~trials["timeout"]]``.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
        With `session, choice, n_steps, strength, correct, concordant`.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples.

    Returns
    -------
    DataFrame
        Tidy: `strength, correct, concordant, value` (mean steps), `low, high, n`.

    Raises
    ------
    TypeError, ValueError
        As `summary`; mice have no `n_steps`.

    Examples
    --------
    >>> import pandas as pd
    >>> trials = pd.DataFrame({"session": [0, 1], "strength": 0.5, "choice": 1, "n_steps": [3, 5]})
    >>> trials = trials.assign(correct=True, concordant=True)
    >>> chronometric(trials)["value"].to_list()
    [4.0]
    """
    cells = ["strength", "correct", "concordant"]
    table = trial_table(trials, "session", "choice", "n_steps", *cells)
    measures = _per_trial(table, _choices(table))
    steps = {"steps": measures["steps_per_trial"]}
    return _tabulate(table, steps, rng, cells).drop(columns="measure")


def error_split(trials: Trials, *, rng: RNGLike = 0) -> pd.DataFrame:
    """Split the errors by what made them: why performance is not 100 %.

    Each error belongs to the first that applies: `mu0` (strength 0, timeouts included),
    `discordant` (the side against the block), `timeouts` (mice have none: a no-go is no error),
    `rest`. The fractions sum to 1.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
        With `session, choice, correct, strength, concordant`.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples.

    Returns
    -------
    DataFrame
        Index `cause`; columns `value, low, high, n` (errors).

    Examples
    --------
    >>> import pandas as pd
    >>> trials = pd.DataFrame({"session": [0, 1], "strength": [0, 0.5], "choice": 1})
    >>> trials = trials.assign(correct=False, concordant=True)
    >>> error_split(trials)["value"].to_dict()
    {'mu0': 0.5, 'discordant': 0.0, 'timeouts': 0.0, 'rest': 0.5}
    """
    table = trial_table(trials, "session", "choice", "correct", "strength", "concordant")
    c = _choices(table)
    left = np.ones(len(table))
    error = c.counted - c.correct
    causes = {
        "mu0": trial_column(table, "strength") == 0,
        "discordant": _concordance(table)[1] == 1,
    }
    if c.empty == "timeouts":
        causes["timeouts"] = c.chose == 0
    measures: dict[str, _Pair] = {}
    for name, applies in causes.items():
        measures[name] = (error * left * applies, error)
        left = left * ~applies
    measures["rest"] = (error * left, error)
    return _tabulate(table, measures, rng).rename_axis("cause")


def regret(
    agent: Trials,
    optimal: Trials,
    *,
    criterion: Literal["reward_per_trial", "reward_per_step"] = "reward_per_trial",
    rng: RNGLike = 0,
) -> Estimate:
    """What an agent loses against the optimal policy on the same sessions.

    mean(R_optimal − R_agent) per trial, or ρ_optimal − ρ_agent with ρ = Σ reward / Σ steps.

    Parameters
    ----------
    agent : DataFrame (R rows) or object with `.trials`
        Trials of the agent, with `reward` and, per step, `n_steps`.
    optimal : DataFrame (R rows) or object with `.trials`
        Trials of the policy that is optimal by the same criterion, in the same sessions.
    criterion : {"reward_per_trial", "reward_per_step"}, optional
        What is lost: reward per trial, or per step.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples.

    Returns
    -------
    Estimate
        The loss; `n` is the number of trials.

    Raises
    ------
    ValueError
        If the criterion is unknown, or the tables are not of the same trials or lack reward.

    Examples
    --------
    >>> import pandas as pd
    >>> run = pd.DataFrame({"session": [0, 1], "trial": [0, 0], "side": [1, -1], "choice": [1, -1]})
    >>> run = run.assign(strength=[0.5, 1.0], correct=True, reward=1.0)
    >>> regret(run.assign(reward=0.75), run).value
    0.25
    """
    one_of(criterion, "criterion", CRITERIA)
    columns = ("reward", "n_steps")[: 1 + CRITERIA.index(criterion)]
    for run, name in ((agent, "agent"), (optimal, "optimal")):
        trial_table(run, *columns, name=name)
    table = _difference(optimal, agent, ("optimal", "agent"), rng)
    row = cast("dict[str, Any]", table.loc[criterion])
    return Estimate(float(row["value"]), float(row["low"]), float(row["high"]), int(row["n"]))


def takes_new_side(trials: Trials) -> pd.DataFrame:
    """P(choice of the block's side) against the trials since the block changed sides.

    Of the trials with a choice at strength 0, where nothing but the block tells the side.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
        With `choice, block_side, concordant, strength, block` and what `after_block_change` needs.

    Returns
    -------
    DataFrame
        As `after_block_change`, with `concordance` "all" alone; empty where there is no such
        choice.
    """
    import pandas as pd

    table = trial_table(trials, "choice", "block_side", "concordant", "strength", "block")
    table = table.loc[trial_column(table, "choice", allowed=(-1, 0, 1)) != 0]
    unseen = (trial_column(table, "strength") == 0) & (trial_column(table, "block") > 1)
    if not unseen.any():
        names = ("trial_in_block", "concordance", "value", "low", "high", "n")
        return pd.DataFrame({name: [] for name in names})
    side = table["block_side"]
    shown = table.drop(columns="signed_strength", errors="ignore")
    follows = shown.assign(side=side, correct=table["choice"] == side, concordant=True)
    found = after_block_change(follows, strength=0)
    return found.loc[found["concordance"] == "all"].reset_index(drop=True)
