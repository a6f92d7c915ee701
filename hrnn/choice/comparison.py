"""Which model of choice is best, and how far to trust it: comparison, recovery, confusion."""

import numpy as np

from hrnn.base import parallel
from hrnn.base.arguments import flag, generator, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.choice import variation
from hrnn.choice.fitting import Fit, cross_validate, fit, fit_units
from hrnn.choice.models import PRIOR_MODELS
from hrnn.statistics.resampling import mean_interval

COMPARED = (
    "flat",
    "oracle",
    "semi_markov",
    "markov",
    "stimulus_kernel",
    "exponential",
    "action_kernel",
    "four_alpha",
    "history_glm",
)
CONFUSED = ("flat", "semi_markov", "stimulus_kernel", "action_kernel")
N_DRAWS = 100_000


def compare(
    trials,
    models=COMPARED,
    *,
    by="subject",
    n_folds=5,
    n_starts=5,
    n_threads=1,
    progress=False,
    rng=0,
    **options,
):
    """Compare models on the same trials.

    By what they predict of sessions that they were not fitted to.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
    models : sequence of str
    by : {'subject', 'pooled'}
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
        least; `n_best`, the number of subjects whose left-out sessions the model predicts best;
        `exceedance`, the probability that the model is the most frequent best one among subjects
        (Stephan et al. 2009); `n_subjects`. All are over the same subjects, those with choices in
        two sessions or more.

    Raises
    ------
    ValueError
        If no subject has two sessions, or a model is not known.

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
    import pandas as pd

    models = list(models)
    random = generator(rng)
    if not models or len(set(models)) < len(models):
        raise ValueError(f"models must be different names, at least one, got {models}")
    seed = int(random.integers(2**31))
    settings = {"by": by, "n_threads": n_threads, "progress": progress, "n_starts": n_starts}
    rows = []
    bits = {}
    value = {}
    for model in models:
        own = options if model in PRIOR_MODELS else {}
        tested = cross_validate(trials, model, n_folds=n_folds, rng=seed, **own, **settings)
        sums = tested.groupby("unit", sort=True)[["log_likelihood", "coin", "n_trials"]].sum()
        bits[model] = ((sums.log_likelihood - sums.coin) / sums.n_trials / np.log(2)).to_numpy()
        value[model] = sums.log_likelihood.to_numpy()
        whole = fit(trials, model, rng=seed, **own, **settings)
        most = int(whole.params.notna().sum(axis=1).max())
        kept = whole.names.subject.isin(sums.index).to_numpy()
        rows.append(
            {
                "model": model,
                "n_parameters": most,
                "aic": whole.aic[kept].sum(),
                "bic": whole.bic[kept].sum(),
            }
        )
    table = pd.DataFrame(rows)
    every = np.stack(list(bits.values()), 1)
    mean = mean_interval(every)
    best = max(models, key=lambda m: bits[m].mean())
    gap = mean_interval(np.stack([bits[m] - bits[best] for m in models], 1))
    table = table.assign(
        bits_per_trial=mean.value,
        low=mean.low,
        high=mean.high,
        difference=gap.value,
        difference_low=gap.low,
        difference_high=gap.high,
        aic=table.aic - table.aic.min(),
        bic=table.bic - table.bic.min(),
        n_best=np.bincount(every.argmax(1), minlength=len(models)),
        exceedance=exceedance(np.stack(list(value.values()), 1), rng=random),
        n_subjects=len(bits[best]),
    )
    return table.sort_values("bits_per_trial", ascending=False, ignore_index=True)


def exceedance(log_evidence, *, rng=0):
    """Probability of each model to be the most frequent one.

    From the log evidence of each subject (M, K).

    Variational Bayes of Stephan, Penny, Daunizeau, Moran & Friston (2009), NeuroImage 46:1004, with
    a flat Dirichlet prior.

    Examples
    --------
    >>> exceedance([[0.0, -10.0], [0.0, -10.0], [0.0, -10.0]]).round(2).tolist()
    [0.94, 0.06]
    """
    from scipy.special import digamma

    log_evidence, alpha = np.asarray(log_evidence, float), np.ones(np.shape(log_evidence)[1])
    for _ in range(1000):
        weight = log_evidence + digamma(alpha)
        weight = np.exp(weight - weight.max(1, keepdims=True))
        new = 1 + (weight / weight.sum(1, keepdims=True)).sum(0)
        if np.abs(new - alpha).max() < 1e-9:
            break
        alpha = new
    draws = generator(rng).dirichlet(alpha, N_DRAWS)
    return np.bincount(draws.argmax(1), minlength=len(alpha)) / N_DRAWS


# ---- recovery ----


def simulate(fitted, *, rng=0):
    """Choices of simulated subjects, each with the parameters of a unit and in its trials.

    List of Choices.

    Where a subject gave no answer its double gives none. The double's own choices feed its history,
    not the subject's.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=4, rng=0))
    >>> bool(set(simulate(hrnn.mice.fit(run, "flat", n_starts=1))[0].choice) <= {-1, 0, 1})
    True
    """
    _check_fit(fitted)
    random = generator(rng)
    return [
        choices.with_choice(
            fitted._model.simulate(choices, fitted.theta(k), random.random(len(choices.choice)))
        )
        for k, choices in enumerate(fitted.trials)
    ]


def _check_fit(fitted):
    if not isinstance(fitted, Fit):
        raise TypeError(f"fitted must be a Fit, got {type(fitted).__name__}")


def refit(model, trials, fitted, *, n_starts=3, n_threads=1, progress=False, rng=0):
    """Fit a model to simulated choices, which have the names and rows of `fitted`: a Fit."""
    options = (
        fitted.options
        if model in PRIOR_MODELS
        else {"lapses": 1, "zetas": 1, "repetition": False, "bias": False}
    )
    return fit_units(
        model,
        options,
        fitted.names,
        trials,
        fitted.rows,
        errors=fitted.errors,
        n_starts=whole_number(n_starts, "n_starts"),
        n_threads=n_threads,
        progress=progress,
        rng=rng,
    )


def recover(
    fitted, *, between_sessions=True, n_repeats=1, n_starts=3, n_threads=1, progress=False, rng=0
):
    """Simulate the fit, fit the simulation: how well are parameters found again?

    Sessions of a mouse differ more than those of one model. So each simulated session has
    parameters of its own, drawn about the fitted ones with the covariance that the subject's
    sessions have (`variation.between_sessions`). The fit to all sessions together then tends to
    other numbers than the centre of the draws, since one curve through a mixture is not the mean
    curve: the truth is what it tends to, the fit to 30 copies of the subject's sessions.

    Parameters
    ----------
    fitted : Fit
    between_sessions : bool
        False: all simulated sessions have the fitted parameters, which are the truth; this cannot
        show errors that are too small because sessions differ.
    n_repeats : int
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
    rows = []
    settings = {"n_starts": n_starts, "n_threads": n_threads, "progress": progress}
    differ = flag(between_sessions, "between_sessions")
    spreads = _spreads(fitted) if differ else None
    truths = _tendencies(fitted, spreads, n_threads, progress, random) if differ else fitted.params
    for repeat in range(whole_number(n_repeats, "n_repeats")):
        made = _varied(fitted, spreads, random) if differ else simulate(fitted, rng=random)
        again = refit(fitted.model, made, fitted, rng=random, **settings)
        for name in fitted.params.columns:
            truth = truths[name]
            estimate = again.params[name]
            margin = again.margin[name]
            covered = pd.array((estimate - truth).abs() <= margin, dtype="boolean")
            covered[margin.isna().to_numpy()] = pd.NA
            rows.append(
                fitted.names.assign(
                    repeat=repeat,
                    parameter=name,
                    truth=truth,
                    estimate=estimate,
                    se=again.se[name],
                    low=estimate - margin,
                    high=estimate + margin,
                    covered=covered,
                )
            )
    return pd.concat(rows, ignore_index=True)


def _spreads(fitted):
    """Covariance of parameters between sessions of each unit: a list of (P, P)."""
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


def _varied(fitted, spreads, random):
    """Simulated choices of each unit, whose sessions differ: list of Choices."""
    return [
        variation.varied(fitted._model, choices, fitted.theta(k), spread, random)
        for k, (choices, spread) in enumerate(zip(fitted.trials, spreads, strict=True))
    ]


def _tendencies(fitted, spreads, n_threads, progress, random):
    """What fits of units whose sessions differ tend to: a DataFrame like `fitted.params`."""
    own = random.spawn(len(spreads))

    def one(k):
        choices = fitted.trials[k]
        return lambda stop: variation.tendency(
            fitted._model, choices, fitted.theta(k), spreads[k], own[k]
        )

    found = parallel.run(
        {k: one(k) for k in range(len(spreads))}, n_threads_of(n_threads), progress
    )
    truths = fitted.params.copy()
    for k, theta in found.items():
        names = [p.name for p in fitted._model.parameters(fitted.trials[k])]
        truths.loc[truths.index[k], names] = theta
    return truths


def confusion(trials, models=CONFUSED, *, n_starts=3, n_threads=1, progress=False, rng=0):
    """Which model wins, by BIC, on choices that each model made.

    A table, rows the true model, columns the winner.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        Whose fits give the parameters of the simulated subjects.
    models : sequence of str
    n_starts, n_threads, progress, rng
        As in `fit`.

    Returns
    -------
    DataFrame
        Fraction of subjects; every row sums to 1.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=8, rng=0))
    >>> confusion(run, ["flat", "history_glm"], n_starts=1).sum(axis=1).tolist()
    [1.0, 1.0]
    """
    import pandas as pd

    random = generator(rng)
    models = list(models)
    settings = {"n_starts": n_starts, "n_threads": n_threads, "progress": progress}
    table = np.zeros((len(models), len(models)))
    for i, true in enumerate(models):
        fitted = fit(trials, true, rng=random, **settings)
        made = simulate(fitted, rng=random)
        bic = np.stack([refit(model, made, fitted, rng=random, **settings).bic for model in models])
        table[i] = np.bincount(bic.argmin(0), minlength=len(models)) / bic.shape[1]
    return pd.DataFrame(
        table, index=pd.Index(models, name="true"), columns=pd.Index(models, name="winner")
    )
