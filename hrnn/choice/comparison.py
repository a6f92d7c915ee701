"""Which model of choice is best, and how far to trust it: comparison, recovery, confusion."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from hrnn.base import parallel, streams
from hrnn.base.arguments import flag, generator, numbers, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.choice import variation
from hrnn.choice.fitting import (
    Fit,
    cross_validate,
    fit,
    fit_units,
    number_of_starts,
    with_two_sessions,
)
from hrnn.choice.models import has_options, model_of, name_of
from hrnn.choice.priors import (
    ActionKernel,
    Exponential,
    Flat,
    FourAlpha,
    Markov,
    Oracle,
    SemiMarkov,
    StimulusKernel,
)
from hrnn.choice.protocol import Floats, ModelLike
from hrnn.choice.regressions import HistoryGlm
from hrnn.choice.trials import Choices
from hrnn.statistics.resampling import mean_interval

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike, Seed, Trials

COMPARED: tuple[str, ...] = tuple(
    model.name
    for model in (
        Flat,
        Oracle,
        SemiMarkov,
        Markov,
        StimulusKernel,
        Exponential,
        ActionKernel,
        FourAlpha,
        HistoryGlm,
    )
)
CONFUSED: tuple[str, ...] = tuple(
    model.name for model in (Flat, SemiMarkov, StimulusKernel, ActionKernel)
)
N_DRAWS: int = 100_000  # of a Dirichlet distribution, for exceedance
NO_OPTIONS: dict[str, Any] = {
    "lapses": 1,
    "zetas": 1,
    "repetition": False,
    "bias": False,
}


def compare(
    trials: Trials,
    models: Sequence[ModelLike] = COMPARED,
    *,
    by: str = "subject",
    n_folds: int = 5,
    n_starts: int = 5,
    n_threads: int | None = None,
    progress: bool = True,
    rng: RNGLike = 0,
    **options: Any,
) -> pd.DataFrame:
    """Compare models by what they predict of sessions that they were not fitted to.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        The trial table, the same for all models.
    models : sequence of str or ChoiceModel
        Names, or models of one's own, as in `fit`; all with different names.
    by : {'subject', 'pooled'}
        Whether every subject is fitted alone, or all trials together.
    n_folds, n_starts, n_threads, progress, rng
        As in `cross_validate`; every model gets the same folds.
    **options
        `lapses, zetas, repetition, bias` of prior models.

    Returns
    -------
    DataFrame
        One row per model, the best first: `model, n_parameters`; `bits_per_trial, low, high` in
        left-out sessions, over subjects (subjects resampled); `difference, difference_low,
        difference_high` to the best, paired by subject; `aic, bic` summed over subjects, less the
        least; `n_best`, the number of subjects whose left-out sessions the model predicts best
        (models that tie all count); `exceedance`, the probability that the model is the most
        frequent best one among subjects (Stephan et al. 2009); `n_subjects`. All are over the same
        subjects, those with choices in two sessions or more: a warning and `attrs["left_out"]` name
        the others. `attrs["bits_per_trial"]` has the bits per trial of each subject, {model:
        {subject: bits}}, and `attrs["labels"]` the labels of models of one's own.

    Raises
    ------
    ValueError
        If no subject has two sessions, a model is not known, or one of one's own finds a choice
        impossible in a left-out session.

    Notes
    -----
    Exceedance takes the log likelihood of left-out sessions for the log evidence. That is a choice:
    it rewards prediction from most of a subject's sessions, where an evidence would integrate over
    a prior of the parameters.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=4, rng=0))
    >>> hrnn.mice.compare(run, ["flat", "oracle"], n_folds=2, n_starts=1).model.tolist()
    ['oracle', 'flat']
    """
    if isinstance(models, str) or not isinstance(models, Iterable):
        raise TypeError(f"models must be a list of models, got {type(models).__name__}")
    models = list(models)
    names = [name_of(model) for model in models]
    random = generator(rng)
    if not models or len(set(names)) < len(names):
        raise ValueError(f"models must be different names, at least one, got {names}")
    seed = int(random.integers(2**31))
    settings = {
        "by": by,
        "n_threads": n_threads,
        "progress": progress,
        "n_starts": n_starts,
        "rng": seed,
    }
    kept, left_out = with_two_sessions(trials, by)
    tested = [
        _tested(kept, model, n_folds, options if has_options(model) else {}, settings)
        for model in models
    ]
    bits = {row["model"]: of_subjects for row, of_subjects, _ in tested}
    table = _ranked([one[0] for one in tested], [one.to_numpy() for one in bits.values()])
    value = np.stack([one[2] for one in tested], 1)
    table = table.assign(exceedance=exceedance(value, rng=random), n_subjects=len(value))
    table = table.sort_values("bits_per_trial", ascending=False, ignore_index=True)
    table.attrs["left_out"] = left_out
    table.attrs["bits_per_trial"] = {name: one.to_dict() for name, one in bits.items()}
    return _labelled(table, models)


def _tested(
    trials: Trials,
    model: ModelLike,
    n_folds: int,
    options: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> tuple[dict[str, Any], pd.Series, Floats]:
    """One model's row of the comparison, and of each subject the bits per trial and log likelihood.

    Bits, by subject, and log likelihood (M,) are of left-out sessions.
    """
    tested = cross_validate(trials, model, n_folds=n_folds, **options, **settings)
    sums: Any = tested.groupby("unit", sort=True)[["log_likelihood", "coin", "n_trials"]].sum()
    bad = sums.index[~np.isfinite(sums["log_likelihood"])]
    if len(bad):
        raise ValueError(
            f"models must find every choice possible in left-out sessions, but {name_of(model)!r} "
            f"gives {bad[0]!r} a log likelihood of {sums['log_likelihood'][bad[0]]}"
        )
    bits = (sums["log_likelihood"] - sums["coin"]) / sums["n_trials"] / np.log(2)
    whole = fit(trials, model, **options, **settings)
    row = {
        "model": name_of(model),
        "n_parameters": int(whole.params.notna().sum(axis=1).max()),
        "aic": whole.aic.sum(),
        "bic": whole.bic.sum(),
    }
    return row, bits, sums["log_likelihood"].to_numpy()


def _ranked(rows: list[dict[str, Any]], bits: list[Floats]) -> pd.DataFrame:
    """The table of models from their rows and their bits per trial (M,), each."""
    import pandas as pd

    table = pd.DataFrame(rows)
    every = np.stack(bits, 1)
    mean = mean_interval(every)
    best = max(bits, key=np.mean)
    gap = mean_interval(np.stack([one - best for one in bits], 1))
    return table.assign(
        bits_per_trial=mean.value,
        low=mean.low,
        high=mean.high,
        difference=gap.value,
        difference_low=gap.low,
        difference_high=gap.high,
        aic=table["aic"] - table["aic"].min(),
        bic=table["bic"] - table["bic"].min(),
        n_best=(every == every.max(1, keepdims=True)).sum(0),
    )


def _labelled(table: pd.DataFrame, models: Sequence[ModelLike]) -> pd.DataFrame:
    """The table with the labels of a user's models in its `attrs`."""
    own = [model_of(model) for model in models if not isinstance(model, str)]
    if own:
        table.attrs["labels"] = {model.name: model.label or model.name for model in own}
    return table


def exceedance(log_evidence: ArrayLike, *, rng: RNGLike = 0) -> Floats:
    """Probability (K,) of each of K models to be the most frequent one among subjects.

    Variational Bayes of Stephan, Penny, Daunizeau, Moran & Friston (2009), NeuroImage 46:1004, with
    a flat Dirichlet prior.

    Parameters
    ----------
    log_evidence : (M, K)
        Log evidence of every model in each of M subjects; -inf where it excludes the subject, but
        not in all models.
    rng : int, SeedSequence or Generator
        Of the draws that the probabilities are counted in.

    Examples
    --------
    >>> exceedance([[0.0, -10.0], [0.0, -10.0], [0.0, -10.0]]).round(2).tolist()
    [0.94, 0.06]
    """
    from scipy.special import digamma

    evidence = numbers(log_evidence, "log_evidence")
    if evidence.ndim != 2 or not evidence.size:
        raise ValueError(
            f"log_evidence must have a row per subject and a column per model, "
            f"got shape {evidence.shape}"
        )
    bad = np.flatnonzero(~(evidence < np.inf).all(1) | ~np.isfinite(evidence).any(1))
    if bad.size:
        raise ValueError(
            f"log_evidence must be numbers, not all -inf, but of subject {bad[0]} it is "
            f"{evidence[bad[0]].tolist()}"
        )
    alpha = np.ones(evidence.shape[1])
    for _ in range(1000):
        weight = evidence + digamma(alpha)
        weight = np.exp(weight - weight.max(1, keepdims=True))
        new = 1 + (weight / weight.sum(1, keepdims=True)).sum(0)
        if np.abs(new - alpha).max() < 1e-9:
            break
        alpha = new
    draws = generator(rng).dirichlet(alpha, N_DRAWS)
    return np.bincount(draws.argmax(1), minlength=len(alpha)) / N_DRAWS


# ---- recovery ----


class Simulated(list[Choices]):
    """Choices of simulated subjects: what `simulate` gives.

    Attributes
    ----------
    seed : int, SeedSequence or None
        What they were drawn of, usable as `rng` of `simulate`; None if it is not known.
    """

    def __init__(self, several: Iterable[Choices] = (), *, seed: Seed = None) -> None:
        super().__init__(several)
        self.seed = seed

    def __repr__(self) -> str:
        return f"Simulated({len(self)} subjects{streams.shown(self.seed)})"


def simulate(fitted: Fit, *, rng: RNGLike | None = None) -> Simulated:
    """Choices of simulated subjects, each with the parameters of a unit and in its trials.

    Others at every call.

    Where a subject gave no answer its double gives none. The double's own choices feed its history,
    not the subject's.

    Parameters
    ----------
    fitted : Fit
        Of `fit`; a model of one's own must have `simulate` or `p_right`.
    rng : int, SeedSequence, Generator or None
        Of the choices; None means fresh numbers.

    Returns
    -------
    Simulated
        A list of Choices, one for each unit; its `seed` says what they were drawn of.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=4, rng=0))
    >>> bool(set(simulate(hrnn.mice.fit(run, "flat", n_starts=1), rng=0)[0].choice) <= {-1, 0, 1})
    True
    """
    _check_fit(fitted)
    random, seed = streams.recorded(rng)
    made = Simulated(seed=seed)
    for k, choices in enumerate(fitted.trials):
        uniforms = random.random(len(choices.choice))
        made.append(choices.with_choice(fitted._model.simulate(choices, fitted.theta(k), uniforms)))
    return made


def _check_fit(fitted: Any) -> None:
    if not isinstance(fitted, Fit):
        raise TypeError(f"fitted must be a Fit, got {type(fitted).__name__}")


def refit(
    model: ModelLike,
    trials: list[Choices],
    fitted: Fit,
    *,
    n_starts: int = 3,
    n_threads: int | None = None,
    progress: bool = True,
    rng: RNGLike = 0,
) -> Fit:
    """Fit a model to simulated choices, which have the names and rows of `fitted`.

    Parameters
    ----------
    model : str or ChoiceModel
        As in `fit`; if it has a decision stage, the options are those of `fitted`.
    trials : list of Choices
        Simulated choices of each unit.
    fitted : Fit
        Which was simulated.
    n_starts, n_threads, progress, rng
        As in `fit`.
    """
    options = fitted.options if has_options(model) else NO_OPTIONS
    return fit_units(
        model,
        options,
        fitted.names,
        trials,
        fitted.rows,
        errors=fitted.errors,
        n_starts=number_of_starts(n_starts),
        n_threads=n_threads,
        progress=progress,
        rng=rng,
    )


def recover(
    fitted: Fit,
    *,
    between_sessions: bool = True,
    n_repeats: int = 1,
    n_starts: int = 3,
    n_threads: int | None = None,
    progress: bool = True,
    rng: RNGLike = 0,
) -> pd.DataFrame:
    """Simulate a fit and fit the simulation: how well parameters are found again.

    Sessions of a mouse differ more than those of one model. So each simulated session has
    parameters of its own, drawn about the fitted ones with the covariance that the subject's
    sessions have (`variation.between_sessions`). The fit to all sessions together then tends to
    other numbers than the centre of the draws, since one curve through a mixture is not the mean
    curve: the truth is what it tends to, the fit to 30 copies of the subject's sessions.

    Parameters
    ----------
    fitted : Fit
        Of `fit`.
    between_sessions : bool
        Whether simulated sessions have parameters of their own. False: all have the fitted ones,
        which are the truth; this cannot show errors that are too small because sessions differ.
    n_repeats : int
        How often every unit is simulated and fitted again.
    n_starts, n_threads, progress, rng
        As in `fit`.

    Returns
    -------
    DataFrame
        One row per unit, repeat and parameter: `subject` (and `session`), `repeat, parameter,
        truth, estimate, se`, the estimate's 95 % interval `low, high` (± `Fit.margin`; errors as in
        `fitted`), and `covered`, whether it holds the truth; missing where there is no se.

    Raises
    ------
    TypeError, ValueError
        If `fitted` is no Fit, or has a unit of one session, which does not tell how sessions
        differ.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=4, rng=0))
    >>> recover(hrnn.mice.fit(run, "flat", n_starts=1)).parameter.tolist()
    ['zeta', 'lapse']
    """
    import pandas as pd

    _check_fit(fitted)
    random = generator(rng)
    settings = {"n_starts": n_starts, "n_threads": n_threads, "progress": progress}
    spreads = _spreads(fitted) if flag(between_sessions, "between_sessions") else None
    truths = fitted.params
    if spreads is not None:
        truths = _tendencies(fitted, spreads, n_threads, progress, random)
    tables: list[pd.DataFrame] = []
    for repeat in range(whole_number(n_repeats, "n_repeats")):
        made = simulate(fitted, rng=random) if spreads is None else _varied(fitted, spreads, random)
        again = refit(fitted.given, made, fitted, rng=random, **settings)
        for name in fitted.params.columns:
            tables.append(_found_again(again, repeat, name, truths[name]))
    return pd.concat(tables, ignore_index=True)


def _found_again(again: Fit, repeat: int, name: str, truth: Any) -> pd.DataFrame:
    """Rows of a recovery for one parameter: its truth beside what the fit `again` says."""
    import pandas as pd

    estimate = again.params[name]
    margin = again.margin[name]
    within: Any = (estimate - truth).abs() <= margin
    covered: Any = pd.array(within, dtype="boolean")
    covered[margin.isna().to_numpy()] = pd.NA
    return again.names.assign(
        repeat=repeat,
        parameter=name,
        truth=truth,
        estimate=estimate,
        se=again.se[name],
        low=estimate - margin,
        high=estimate + margin,
        covered=covered,
    )


def _spreads(fitted: Fit) -> list[Floats]:
    """Covariance (P, P) of parameters between sessions, of each unit."""
    alone = np.flatnonzero(fitted.n_sessions < 2)
    if alone.size:
        raise ValueError(
            "fitted must have two sessions or more in every unit, or between_sessions be False, "
            f"but {fitted.names.iloc[alone[0]].to_dict()} has one"
        )
    return [
        variation.between_sessions(fitted._model, choices, fitted.theta(k))
        for k, choices in enumerate(fitted.trials)
    ]


def _varied(fitted: Fit, spreads: list[Floats], random: np.random.Generator) -> list[Choices]:
    """Simulated choices of each unit, whose sessions differ."""
    return [
        variation.varied(fitted._model, choices, fitted.theta(k), spread, random)
        for k, (choices, spread) in enumerate(zip(fitted.trials, spreads, strict=True))
    ]


def _tendencies(
    fitted: Fit,
    spreads: list[Floats],
    n_threads: int | None,
    progress: bool,
    random: np.random.Generator,
) -> pd.DataFrame:
    """What fits of units whose sessions differ tend to, in the form of `fitted.params`."""
    own = random.spawn(len(spreads))

    def one(k: int) -> Floats:
        choices = fitted.trials[k]
        return variation.tendency(fitted._model, choices, fitted.theta(k), spreads[k], own[k])

    jobs = {k: functools.partial(one, k) for k in range(len(spreads))}
    found = parallel.run(jobs, n_threads_of(n_threads), progress)
    truths = fitted.params.copy()
    for k, theta in found.items():
        names = [p.name for p in fitted._model.parameters(fitted.trials[k])]
        truths.loc[truths.index[k], names] = theta
    return truths


def confusion(
    trials: Trials,
    models: Sequence[ModelLike] = CONFUSED,
    *,
    n_starts: int = 3,
    n_threads: int | None = None,
    progress: bool = True,
    rng: RNGLike = 0,
) -> pd.DataFrame:
    """Which model wins, by BIC, on choices that each model made.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        Whose fits give the parameters of the simulated subjects.
    models : sequence of str or ChoiceModel
        Names, or models of one's own, as in `fit`; each is simulated and all are fitted.
    n_starts, n_threads, progress, rng
        As in `fit`.

    Returns
    -------
    DataFrame
        Fraction of subjects, a row per true model, a column per winner; every row sums to 1. Models
        that tie share a subject.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=8, rng=0))
    >>> confusion(run, ["flat", "history_glm"], n_starts=1).sum(axis=1).tolist()
    [1.0, 1.0]
    """
    import pandas as pd

    if not isinstance(models, Iterable):
        raise TypeError(f"models must be a list of models, got {type(models).__name__}")
    random = generator(rng)
    models = list(models)
    names = [name_of(model) for model in models]
    settings = {"n_starts": n_starts, "n_threads": n_threads, "progress": progress}
    table = np.zeros((len(models), len(models)))
    for i, true in enumerate(models):
        fitted = fit(trials, true, rng=random, **settings)
        made = simulate(fitted, rng=random)
        bic = np.stack([refit(model, made, fitted, rng=random, **settings).bic for model in models])
        won = bic == bic.min(0)
        table[i] = (won / won.sum(0)).mean(1)
    index = pd.Index(names, name="true")
    columns = pd.Index(names, name="winner")
    return _labelled(pd.DataFrame(table, index=index, columns=columns), models)
