"""Behaviour of any agent or mouse from its trial table.

Fractions, curves, differences, history, regret.

Every function takes a trial table or what has one as `.trials`. Fractions correct divide by all
trials, a timeout being wrong; P(right) by those with a choice. A table with a `subject` column is a
mouse's: its no-go trials (choice 0) leave numerators and denominators and are counted as `no_go`.
Measures whose columns are absent are left out. Intervals are 95 %, from resampled sessions
(subjects, or runs of task blocks in one long session: `stats`); `n` is always the number of trials
in the denominator. Psychometric fits live in `psychometric`, the history regression in `history`.
"""

from dataclasses import dataclass

import numpy as np

from hrnn.base.arguments import one_of, real_number, whole_number
from hrnn.behavior.trials import session_codes, trial_column, trial_table, trial_units
from hrnn.statistics.resampling import Estimate, paired, ratio_interval, resample

SAME_SESSIONS = ("session", "trial", "side", "strength")
CRITERIA = ("reward_per_trial", "reward_per_step")


@dataclass(frozen=True)
class _Choices:
    """What every measure starts from, each (R,) float64 of 0 and 1.

    `counted` is 0 on the no-go trials of mice alone; `empty` is the name of a trial without a
    choice.
    """

    chose: np.ndarray
    right: np.ndarray
    correct: np.ndarray
    counted: np.ndarray
    empty: str


def _choices(table):
    choice = trial_column(table, "choice", allowed=(-1, 0, 1))
    correct = trial_column(table, "correct", allowed=(0, 1))
    chose = (choice != 0).astype(float)
    mouse = "subject" in table
    counted = chose if mouse else np.ones(len(table))
    return _Choices(
        chose,
        (choice > 0).astype(float),
        correct * chose,
        counted,
        "no_go" if mouse else "timeouts",
    )


def _concordance(table):
    """Return 1 on concordant and 1 on discordant trials, (R,) each.

    Both are 0 where that is undefined.
    """
    concordant = table["concordant"].astype("boolean").to_numpy(dtype=float, na_value=np.nan)
    return (concordant == 1).astype(float), (concordant == 0).astype(float)


def _fractions(table, c):
    return {
        "correct": (c.correct, c.counted),
        c.empty: (1 - c.chose, np.ones(len(table))),
        "correct_given_choice": (c.correct, c.chose),
        "p_right": (c.right, c.chose),
    }


def _per_trial(table, c):
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


def _conditional(table, c):
    subsets = {}
    if "concordant" in table:
        subsets["concordant_correct"], subsets["discordant_correct"] = _concordance(table)
    if "strength" in table:
        subsets["mu0_correct"] = (trial_column(table, "strength") == 0).astype(float)
    if len(subsets) == 3:
        for name in ("concordant", "discordant"):
            subsets[f"mu0_{name}"] = subsets["mu0_correct"] * subsets[f"{name}_correct"]
    return {name: (c.correct * subset, c.counted * subset) for name, subset in subsets.items()}


def _measures(table):
    """Numerator and denominator of each measure per trial: {name: ((R,), (R,))}."""
    c = _choices(table)
    return _fractions(table, c) | _per_trial(table, c) | _conditional(table, c)


def _unit_sums(measures, unit, cell, n_cells):
    """Sum numerators and denominators within units and cells; count trials.

    (U, M·n_cells) twice, (M·n_cells,).
    """
    inside = cell >= 0
    n_units = unit.max() + 1
    index = (unit * n_cells + cell)[inside]

    def sums(values):
        return np.bincount(index, values[inside], n_units * n_cells).reshape(n_units, n_cells)

    pairs = list(measures.values())
    num, den = (np.hstack([sums(pair[i]) for pair in pairs]) for i in (0, 1))
    n = np.hstack([np.bincount(cell[inside], pair[1][inside] != 0, n_cells) for pair in pairs])
    return num, den, n.astype(int)


def _frame(estimate, n, index=None):
    import pandas as pd

    columns = {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": n}
    return pd.DataFrame(columns, index=index)


def _tabulate(table, measures, rng, by=None, cell=None):
    """Estimate measures, overall (index: measure) or in cells of the columns `by` (tidy, one row per cell).

    `cell` (R,) marks trials to leave out by −1.
    """
    import pandas as pd

    unit, run = trial_units(table)
    resamples = resample(int(unit.max()) + 1, run=run, rng=rng)
    if by is None:
        num, den, n = _unit_sums(measures, unit, np.zeros(len(table), dtype=int), 1)
        return _frame(
            ratio_interval(num, den, resamples=resamples), n, pd.Index(measures, name="measure")
        )
    keys, cell = _cells(table, by, cell)
    num, den, n = _unit_sums(measures, unit, cell, len(keys))
    rows = pd.concat([keys.assign(measure=name) for name in measures], ignore_index=True)
    return rows.join(_frame(ratio_interval(num, den, resamples=resamples), n))


def _cells(table, by, inside=None):
    """Number the trials by the values of the columns `by`.

    Keys (one row per cell) and cell (R,), −1 for none.
    """
    import pandas as pd

    columns = {name: table[name].to_numpy() for name in by}
    for name in set(by) & {"strength", "signed_strength"}:
        columns[name] = trial_column(table, name)
    for name in set(by) & {"concordant"}:
        columns[name] = table[name].astype("boolean").array
    frame = pd.DataFrame(columns)
    if inside is not None:
        frame = frame[inside]
    groups = frame.groupby(list(by), sort=True)
    keys = groups.size().index.to_frame(index=False)
    cell = groups.ngroup().reindex(np.arange(len(table))).fillna(-1).to_numpy(dtype=int)
    if len(keys) == 0:
        raise ValueError(f"trials must have rows in which {list(by)} are defined, got none")
    return keys.astype({"concordant": bool}) if "concordant" in keys else keys, cell


def summary(trials, *, rng=0):
    """Summarise behaviour in one table.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
        At least `session, choice, correct`.
    rng : int, SeedSequence or Generator, optional
        For the resamples.

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
    >>> trials = pd.DataFrame({"session": [0, 0, 1, 1], "choice": [1, -1, 0, 1], "correct": [True, True, False, True]})
    >>> summary(trials)["value"].round(2).to_dict()
    {'correct': 0.75, 'timeouts': 0.25, 'correct_given_choice': 1.0, 'p_right': 0.67}
    """
    table = trial_table(trials, "session", "choice", "correct")
    return _tabulate(table, _measures(table), rng)


def session_sums(trials):
    """Numerator and denominator of every measure of `summary` in each session.

    To be joined over parts of a long evaluation.

    Returns
    -------
    dict of str to ndarray (S, 2)

    Examples
    --------
    >>> import pandas as pd
    >>> trials = pd.DataFrame({"session": [0, 0], "choice": [1, -1], "correct": [True, False]})
    >>> session_sums(trials)["correct"].tolist()
    [[1.0, 2.0]]
    """
    table = trial_table(trials, "session", "choice", "correct")
    session = session_codes(table)
    return {
        name: np.stack([np.bincount(session, values) for values in pair], 1)
        for name, pair in _measures(table).items()
    }


def _mismatch(tables):
    """Return the first column, and the row in it.

    Where two tables of equal length are not of the same trials.
    """
    for column in SAME_SESSIONS:
        differs = np.flatnonzero(tables[0][column].to_numpy() != tables[1][column].to_numpy())
        if differs.size:
            return column, differs[0]
    return None


def _same_sessions(a, b, names):
    """Return both tables with their rows in one order.

    Or say where they are not the same trials.
    """
    tables = [
        trial_table(x, *SAME_SESSIONS, "choice", "correct", name=name)
        for x, name in zip((a, b), names, strict=True)
    ]
    start = f"{names[0]} and {names[1]} must be of the same sessions"
    if len(tables[0]) != len(tables[1]):
        raise ValueError(f"{start}, got {len(tables[0])} and {len(tables[1])} trials")
    if _mismatch(tables):
        keys = (["subject"] if all("subject" in t for t in tables) else []) + ["session", "trial"]
        tables = [t.sort_values(keys, kind="stable", ignore_index=True) for t in tables]
    if found := _mismatch(tables):
        raise ValueError(f"{start}, but {found[0]!r} differs at trial {found[1]}")
    return tables


def difference(a, b, *, rng=0):
    """Paired differences a − b of all measures of two agents on the same sessions.

    Parameters
    ----------
    a, b : DataFrame (R rows) or object with `.trials`
        The same sessions, trials, sides and strengths; rows in any order.
    rng : int, SeedSequence or Generator, optional

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
    >>> a = pd.DataFrame({"session": [0, 1], "trial": [0, 0], "side": [1, -1], "strength": [0.5, 1.0],
    ...                   "choice": [1, -1], "correct": [True, True]})
    >>> difference(a, a).loc["correct", "value"].item()
    0.0
    """
    return _difference(a, b, ("a", "b"), rng)


def _difference(a, b, names, rng):
    import pandas as pd

    tables = _same_sessions(a, b, names)
    measures = [_measures(t) for t in tables]
    shared = [name for name in measures[0] if name in measures[1]]
    unit, run = trial_units(tables[0])
    one = np.zeros(len(unit), dtype=int)
    sums = [_unit_sums({name: m[name] for name in shared}, unit, one, 1) for m in measures]
    resamples = resample(int(unit.max()) + 1, run=run, rng=rng)
    gap = paired(sums[0][:2], sums[1][:2], resamples=resamples)
    return _frame(gap, np.minimum(sums[0][2], sums[1][2]), pd.Index(shared, name="measure"))


def by_strength(trials, *, by=("signed_strength",), rng=0):
    """Fraction correct, timeouts and right choices in cells, by default the signed strengths.

    Strength 0 is one signed strength, whatever the side; `correct` still goes by the side. Trials
    where a column of `by` is undefined (concordance in an unbiased block) are left out.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
    by : sequence of str, optional
        Columns that make the cells, e.g. ``["strength", "concordant"]``, ``["p_left",
        "signed_strength"]``.
    rng : int, SeedSequence or Generator, optional

    Returns
    -------
    DataFrame
        Tidy: the columns `by`, `measure` (`correct`, `timeouts` or for mice `no_go`,
        `correct_given_choice`, `p_right`), `value, low, high, n`.

    Raises
    ------
    TypeError, ValueError
        As `summary`, and if `by` is not columns of the table or no trial is in any cell.

    Examples
    --------
    >>> import pandas as pd
    >>> trials = pd.DataFrame({"session": [0, 0, 1, 1], "choice": [1, -1, 1, 1], "signed_strength": [0, -1, 0, -1.0],
    ...                        "correct": [True, True, False, False]})
    >>> table = by_strength(trials)
    >>> table[table["measure"] == "p_right"]["value"].to_list()
    [0.5, 1.0]
    """
    if not isinstance(by, (tuple, list)) or not by or not all(isinstance(name, str) for name in by):
        raise TypeError(f"by must be a list or tuple of column names, got {by!r}")
    table = trial_table(trials, "session", "choice", "correct", *by)
    return _tabulate(table, _fractions(table, _choices(table)), rng, by)


def _follows_change(table):
    """Mark the trials of blocks that follow a biased block of their session."""
    session = session_codes(table)
    block = trial_column(table, "block")
    biased = trial_column(table, "block_side") != 0
    first = np.full(session.max() + 1, np.inf)
    np.minimum.at(first, session[biased], block[biased])
    return biased & (block > first[session])


def after_block_change(trials, *, strength=None, min_n=30, rng=0):
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
    >>> trials = pd.DataFrame({"session": [0, 0, 1, 1], "block": [0, 1, 0, 1], "block_side": [1, -1, 1, -1],
    ...     "trial_in_block": [5, 0, 5, 0], "choice": 1, "correct": [True, False, True, True], "concordant": True})
    >>> after_block_change(trials, min_n=1)[["trial_in_block", "concordance", "value"]].to_dict("list")
    {'trial_in_block': [0, 0], 'concordance': ['all', 'concordant'], 'value': [0.5, 0.5]}
    """
    columns = (
        "session",
        "block",
        "block_side",
        "trial_in_block",
        "concordant",
        "choice",
        "correct",
    )
    table = trial_table(trials, *columns, *([] if strength is None else ["strength"]))
    min_n = whole_number(min_n, "min_n")
    strength = None if strength is None else real_number(strength, "strength", 0, np.inf, "[")
    inside = _follows_change(table)
    if not inside.any():
        raise ValueError("trials must have a session with two biased blocks, got none")
    if strength is not None:
        inside &= trial_column(table, "strength") == strength
        if not inside.any():
            raise ValueError(f"strength must occur after a block change, got {strength!r}")
    c = _choices(table)
    subsets = dict(
        zip(("all", "concordant", "discordant"), (1.0, *_concordance(table)), strict=True)
    )
    measures = {name: (c.correct * subset, c.counted * subset) for name, subset in subsets.items()}
    curve = _tabulate(table, measures, rng, ["trial_in_block"], inside).rename(
        columns={"measure": "concordance"}
    )
    return curve[curve["n"] >= min_n].reset_index(drop=True)


def chronometric(trials, *, rng=0):
    """Steps per trial, blanks included, by strength × correct × concordant.

    A timeout is wrong and has the longest trial; for decisions alone give
    ``trials[~trials["timeout"]]``.

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
    >>> trials = pd.DataFrame({"session": [0, 1], "strength": 0.5, "correct": True, "concordant": True,
    ...                        "choice": 1, "n_steps": [3, 5]})
    >>> chronometric(trials)["value"].to_list()
    [4.0]
    """
    cells = ["strength", "correct", "concordant"]
    table = trial_table(trials, "session", "choice", "n_steps", *cells)
    steps = {"steps": _per_trial(table, _choices(table))["steps_per_trial"]}
    return _tabulate(table, steps, rng, cells).drop(columns="measure")


def error_split(trials, *, rng=0):
    """Split the errors by what made them: why performance is not 100 %.

    Each error belongs to the first that applies: `mu0` (strength 0, timeouts included),
    `discordant` (the side against the block), `timeouts` (mice have none: a no-go is no error),
    `rest`. The fractions sum to 1.

    Returns
    -------
    DataFrame
        Index `cause`; columns `value, low, high, n` (errors).

    Examples
    --------
    >>> import pandas as pd
    >>> trials = pd.DataFrame({"session": [0, 1], "strength": [0, 0.5], "correct": False, "concordant": True, "choice": 1})
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
    causes |= {"timeouts": c.chose == 0} if c.empty == "timeouts" else {}
    measures = {}
    for name, applies in causes.items():
        measures[name] = (error * left * applies, error)
        left = left * ~applies
    return _tabulate(table, measures | {"rest": (error * left, error)}, rng).rename_axis("cause")


def regret(agent, optimal, *, criterion="reward_per_trial", rng=0):
    """What an agent loses against the optimal policy on the same sessions.

    mean(R_optimal − R_agent) per trial, or ρ_optimal − ρ_agent with ρ = Σ reward / Σ steps.

    Parameters
    ----------
    agent, optimal : DataFrame (R rows) or object with `.trials`
        The same sessions, with `reward` and, per step, `n_steps`; `optimal` solved for the same
        criterion.
    criterion : {"reward_per_trial", "reward_per_step"}, optional
    rng : int, SeedSequence or Generator, optional

    Returns
    -------
    Estimate
        `n` is the number of trials.

    Raises
    ------
    ValueError
        If the criterion is unknown, or the tables are not of the same trials or lack reward.

    Examples
    --------
    >>> import pandas as pd
    >>> run = pd.DataFrame({"session": [0, 1], "trial": [0, 0], "side": [1, -1], "strength": [0.5, 1.0],
    ...                     "choice": [1, -1], "correct": [True, True], "reward": [1.0, 1.0]})
    >>> regret(run.assign(reward=0.75), run).value
    0.25
    """
    one_of(criterion, "criterion", CRITERIA)
    columns = ("reward", "n_steps")[: 1 + CRITERIA.index(criterion)]
    for run, name in ((agent, "agent"), (optimal, "optimal")):
        trial_table(run, *columns, name=name)
    row = _difference(optimal, agent, ("optimal", "agent"), rng).loc[criterion]
    return Estimate(float(row["value"]), float(row["low"]), float(row["high"]), int(row["n"]))


def takes_new_side(trials):
    """`after_block_change` at strength 0 with "correct" meaning a choice of the block's side.

    Trials with a choice alone.

    Empty where there is no such choice.
    """
    import pandas as pd

    table = trial_table(trials, "choice", "block_side", "concordant", "strength", "block")
    table = table[table.choice != 0]
    if not ((table.strength == 0) & (table.block > 1)).any():
        return pd.DataFrame(
            {name: [] for name in ("trial_in_block", "concordance", "value", "low", "high", "n")}
        )
    follows = table.assign(correct=table.choice == table.block_side, concordant=True)
    found = after_block_change(follows, strength=0)
    return found[found.concordance == "all"].reset_index(drop=True)
