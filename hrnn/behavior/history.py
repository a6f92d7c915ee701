"""The bias of a choice by the trial before: a logistic regression beside an ideal observer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.base.arguments import real_array
from hrnn.behavior.trials import session_codes, trial_column, trial_table, trial_units
from hrnn.statistics.regression import LogisticFit, logistic
from hrnn.statistics.resampling import LEVEL

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import Trials


def _history_trials(table: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row numbers of the usable trials and of those before them, by session and trial."""
    session = session_codes(table)
    trial = trial_column(table, "trial")
    choice = trial_column(table, "choice")
    order = np.lexsort((trial, session))
    now = order[1:]
    before = order[:-1]
    follows = (session[now] == session[before]) & (trial[now] == trial[before] + 1)
    usable = follows & (choice[now] != 0) & (choice[before] != 0)
    return now[usable], before[usable]


def _history_design(
    table: pd.DataFrame,
    log_odds: NDArray[np.float64],
    now: NDArray[np.intp],
    before: NDArray[np.intp],
) -> dict[str, NDArray[np.float64] | NDArray[np.bool_]]:
    """Terms of the regression and their columns, {term: (n,)}; the strengths come first."""
    strength = trial_column(table, "strength")[now]
    side = trial_column(table, "side")[now]
    choice = trial_column(table, "choice")[before]
    correct = trial_column(table, "correct")[before]
    terms: dict[str, NDArray[np.float64] | NDArray[np.bool_]] = {}
    for value in np.unique(strength)[1:]:
        for sign, name in ((-1, "left"), (1, "right")):
            terms[f"strength {value:g} {name}"] = (strength == value) & (side == sign)
    weakest = strength.min()
    if weakest > 0:
        terms[f"strength {weakest:g} right"] = (strength == weakest) & (side == 1)
    terms["intercept"] = np.ones(len(now))
    terms["logit_prior"] = log_odds[now]
    terms["previous_correct"] = choice * correct
    terms["previous_wrong"] = choice * (1 - correct)
    return terms


def _log_odds(prior: ArrayLike, n_trials: int) -> NDArray[np.float64]:
    prior = real_array(prior, "prior", (1,))
    if len(prior) != n_trials:
        raise ValueError(f"prior must have one entry per trial ({n_trials}), got {len(prior)}")
    bad = np.flatnonzero((prior <= 0) | (prior >= 1))
    if bad.size:
        raise ValueError(
            f"prior must be between 0 and 1, excluded, but prior[{bad[0]}] is {prior[bad[0]]}"
        )
    return np.log(prior) - np.log1p(-prior)


def _clusters(table: pd.DataFrame) -> NDArray[np.int64]:
    """Cluster of each trial: its subject, its session, or its run of blocks in one long session."""
    unit, run = trial_units(table)
    return unit // run


def _fit_history(
    terms: dict[str, NDArray[np.float64] | NDArray[np.bool_]],
    right: NDArray[np.float64],
    cluster: NDArray[np.int64],
) -> tuple[pd.DataFrame, int, LogisticFit]:
    """The terms with `weight, se, clusters` (those that tell of it), number of trials, the fit.

    A strength on which only one side was chosen has an infinite weight: its trials fix their own
    weight and say nothing of the others, so the fit is that of the other trials.
    """
    import pandas as pd

    infinite: dict[str, float] = {}
    kept = np.ones(len(right), dtype=bool)
    for name in [name for name in terms if name.startswith("strength")]:
        shown = terms[name].astype(bool)
        chosen = right[shown]
        if chosen.size and chosen.min() == chosen.max():
            infinite[name] = np.inf if chosen[0] else -np.inf
            kept &= ~shown
    if not kept.any():
        raise ValueError("trials must have both choices at some strength, got one choice at each")
    free = [name for name in terms if name not in infinite]
    columns = np.column_stack([terms[name][kept] for name in free])
    fit = logistic(columns, right[kept], cluster[kept])
    found = {"weight": fit.weights, "se": fit.se, "clusters": fit.n_telling}
    table = pd.DataFrame(found, index=free).reindex(list(terms))
    table["weight"] = table["weight"].fillna(pd.Series(infinite, dtype=float))
    return table.rename_axis("term").reset_index(), int(kept.sum()), fit


def history_regression(trials: Trials, prior: ArrayLike) -> pd.DataFrame:
    """Measure how the last trial biases the choice, beyond an ideal observer's prior.

    Logistic regression of the choice (1: right) on strength × side (one-hot), the log-odds of the
    observer's prior, the previous choice (±1) if it was correct, the previous choice if it was
    wrong, and an intercept. The reference of the one-hot is strength 0, whose side cannot be seen
    (without strength 0: the weakest on the left). First trials of sessions, trials without a
    choice, and trials after one or after a gap in `trial` are left out.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
        With `session, trial, side, strength, choice, correct`; rows in any order.
    prior : array_like (R,)
        P(right) of the semi-Markov observer before each trial, in the order of the rows. (The true
        block instead would leave a spurious history effect even in an ideal agent.)

    Returns
    -------
    DataFrame
        Tidy: `term` (`strength <value> left|right`, `intercept`, `logit_prior`, `previous_correct`,
        `previous_wrong`), `weight, se, low, high, p_value, n, converged`. Errors are clustered by
        session (several subjects: by subject; one long session: by four task blocks), interval and
        p by Student's t with one degree less than clusters that tell of the term; NaN where only
        one does. A weight is infinite, without error, where only one side was chosen, and those
        trials are left out of `n`; NaN where a term does not vary or follows from others; all are
        NaN and `converged` False if the choices are otherwise separated.

    Raises
    ------
    TypeError, ValueError
        As `behavior.summary`, and if `prior` has another length or leaves (0, 1), or no trial is
        usable.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> trials = pd.DataFrame({"session": np.arange(400) // 40, "trial": np.arange(400) % 40})
    >>> trials["strength"] = 0.0
    >>> trials["side"] = rng.choice([-1, 1], 400)
    >>> trials["choice"] = rng.choice([-1, 1], 400)
    >>> trials["correct"] = trials["side"] == trials["choice"]
    >>> history_regression(trials, rng.uniform(0.2, 0.8, 400))["term"].to_list()
    ['intercept', 'logit_prior', 'previous_correct', 'previous_wrong']
    """
    from scipy.special import stdtr, stdtrit

    table = trial_table(trials, "session", "trial", "side", "strength", "choice", "correct")
    trial_column(table, "choice", allowed=(-1, 0, 1))
    trial_column(table, "correct", allowed=(0, 1))
    now, before = _history_trials(table)
    log_odds = _log_odds(prior, len(table))
    if now.size == 0:
        raise ValueError("trials must have choices in two successive trials of a session, got none")
    terms = _history_design(table, log_odds, now, before)
    right = (trial_column(table, "choice")[now] > 0).astype(float)
    result, n, fit = _fit_history(terms, right, _clusters(table)[now])
    freedom = np.maximum(result.pop("clusters") - 1, 1)  # where one cluster tells, se is NaN
    half = stdtrit(freedom, (1 + LEVEL) / 2) * result["se"]
    t = result["weight"] / result["se"]
    p_value = 2 * stdtr(freedom, -np.abs(t))
    return result.assign(
        low=result["weight"] - half,
        high=result["weight"] + half,
        p_value=p_value,
        n=n,
        converged=fit.converged,
    )
