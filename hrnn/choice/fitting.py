"""Maximum-likelihood fits of models of choice to mice, networks and Bayesian agents alike."""

import dataclasses
import functools
from typing import Any

import numpy as np

from hrnn.base import parallel
from hrnn.base.arguments import flag, generator, one_of, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.choice.maximise import hessian, maximise
from hrnn.choice.models import MODELS, model_of, name_of
from hrnn.choice.trials import session_labels, units
from hrnn.statistics.resampling import LEVEL

N_STARTS = 10
N_FOLDS = 5
SINGULAR = 1e-10  # least eigenvalue of the information with a diagonal of 1
BY = ("subject", "session", "pooled")
ERRORS = ("session", "hessian")


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """A model fitted to each of M units (subjects, sessions, or all trials together).

    Attributes
    ----------
    model : str
    options : dict
        `lapses, zetas, repetition, bias`.
    names : DataFrame (M rows)
        `subject` (and `session`).
    params, se : DataFrame (M rows)
        A column per parameter; parameters that a unit does not have are NaN, as are errors at a
        bound, or that the data do not determine: clustered ones need two sessions or more.
    errors : str
        Which standard errors: 'session', 'hessian', or 'none'.
    n_sessions : (M,) int
        Those with a choice.
    log_likelihood, n_trials, bits_per_trial, aic, bic : (M,)
        n_trials are those with a choice; bits per trial are relative to a coin of the unit's own
        rate of right choices.
    converged, at_bound : (M,) bool
    agreement : (M,)
        Fraction of the starts that ended within .01 nats of the best.
    prior : (R,)
        P(right) before each trial of the table, or NaN for models without one.
    p_right : (R,)
        Predicted P(right).
    trials : list of Choices
        Of each unit.
    rows : list of (R_unit,) int
        Their rows in the table.
    custom : object
        A user's model, or None: a model of the library.
    """

    model: str
    options: dict
    names: object
    params: object
    se: object
    errors: str
    n_sessions: np.ndarray
    log_likelihood: np.ndarray
    n_trials: np.ndarray
    bits_per_trial: np.ndarray
    aic: np.ndarray
    bic: np.ndarray
    converged: np.ndarray
    at_bound: np.ndarray
    agreement: np.ndarray
    prior: np.ndarray
    p_right: np.ndarray
    trials: list
    rows: list
    custom: Any = dataclasses.field(default=None, kw_only=True)

    @property
    def accuracy(self):
        """exp(LL / n), the geometric mean probability of a choice, (M,)."""
        return np.exp(self.log_likelihood / self.n_trials)

    @property
    def margin(self):
        """Half the 95 % interval of each parameter, a DataFrame (M rows).

        That is `se` times the quantile of Student's t with n_sessions - 1 degrees of freedom where
        errors are clustered by session, of the normal where they come from the Hessian.
        """
        from scipy.special import ndtri, stdtrit

        tail = (1 + LEVEL) / 2
        quantile = np.full(len(self.se), ndtri(tail))
        if self.errors == "session":
            quantile = stdtrit(np.maximum(self.n_sessions - 1, 1), tail)
        return self.se.mul(quantile, axis=0)

    def theta(self, unit):
        """Parameters of one unit in the order of its model, (P,)."""
        return self.params.iloc[unit][
            [p.name for p in self._model.parameters(self.trials[unit])]
        ].to_numpy(float)

    @functools.cached_property
    def _model(self):
        if self.custom is None and self.model not in MODELS:
            raise ValueError(
                f"fitted must be of a model of hrnn.mice.fit, got one of {self.model!r}"
            )
        return model_of(self.given, **self.options)

    @property
    def given(self):
        """The model as `fit` was given it: its name, or a user's object."""
        return self.model if self.custom is None else self.custom

    def to_frame(self):
        """One row per unit: names, parameters, `se_` of each, which errors, how good the fit is."""
        import pandas as pd

        return pd.concat(
            [
                self.names,
                self.params,
                self.se.add_prefix("se_"),
                pd.DataFrame(
                    {
                        name: getattr(self, name)
                        for name in (
                            "errors",
                            "n_sessions",
                            "log_likelihood",
                            "n_trials",
                            "bits_per_trial",
                            "accuracy",
                            "aic",
                            "bic",
                            "converged",
                            "at_bound",
                            "agreement",
                        )
                    }
                ),
            ],
            axis=1,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class _One:
    """The fit of one unit."""

    names: list
    theta: np.ndarray
    se: np.ndarray
    value: float
    converged: bool
    at_bound: bool
    agreement: float


def fit(
    trials,
    model="action_kernel",
    *,
    by="subject",
    errors="session",
    lapses=1,
    zetas=1,
    repetition=False,
    bias=False,
    n_starts=N_STARTS,
    n_threads=1,
    progress=False,
    rng=0,
):
    """Fit a model of choice by maximum likelihood, with standard errors that let sessions differ.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        Of mice (`load`), a network or a Bayesian agent: `session, choice, side, signed_strength,
        block_side, p_left`, and `subject` if there are several. Trials without a choice count
        nothing and freeze priors.
    model : str or ChoiceModel
        'action_kernel', 'stimulus_kernel', 'four_alpha', 'exponential', 'markov', 'markov_free',
        'semi_markov', 'semi_markov_free', 'oracle', 'flat', 'exponential_with_current_trial' (as
        published code has it), 'history_glm', 'psychometric'. Or a model of one's own, an object
        with the members of `ChoiceModel`: `name`, `parameters`, `p_right(choices, theta)`.
    by : {'subject', 'session', 'pooled'}
        'session' needs ``errors="hessian"``.
    errors : {'session', 'hessian'}
        'session': clustered by session (Liang & Zeger 1986), H⁻¹ (Σ_s u_s u_sᵀ) H⁻¹ G/(G - 1), with
        H minus the Hessian at the maximum and u_s the gradient of the log likelihood of session s
        of G. They hold if sessions differ, and if trials of a session depend on each other in ways
        that the model does not have; they are NaN for a unit of one session, and too small with few
        sessions, for which `Fit.margin` makes up in part. 'hessian': H⁻¹, as if the model were
        right and all sessions had the same parameters.
    lapses, zetas : 1 or 2
        Of prior models: one for both sides, or one for each.
    repetition : bool
        Of prior models: the last choice is repeated with a fitted probability.
    bias : bool
        Of prior models: a constant is fitted that favours the right side, or the left.
    n_starts : int
        From a Sobol sequence in the box of the starts (psychometric: the best of 200).
    n_threads : int or None
        The result does not depend on it.
    progress : bool
    rng : int, SeedSequence or Generator

    Returns
    -------
    Fit

    Raises
    ------
    TypeError, ValueError
        If the table lacks columns or holds what it may not, a unit has no choices, or an argument
        is not as above; if errors are to be clustered by session and each session is a unit.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=4, rng=0))
    >>> hrnn.mice.fit(run, "action_kernel", n_starts=2).params.columns.tolist()
    ['zeta', 'lapse', 'alpha']
    """
    checked(model, lapses, zetas, repetition, bias)
    one_of(by, "by", BY)
    one_of(errors, "errors", ERRORS)
    if by == errors == "session":
        raise ValueError(
            "errors must be 'hessian' if by is 'session', got 'session': one session has none"
        )
    n_starts = whole_number(n_starts, "n_starts")
    names, found, rows = units(trials, by)
    for k, choices in enumerate(found):
        if not choices.n:
            raise ValueError(
                f"trials must have choices of every unit, but {names.iloc[k].to_dict()} has none"
            )
    options = {"lapses": lapses, "zetas": zetas, "repetition": repetition, "bias": bias}
    return fit_units(
        model,
        options,
        names,
        found,
        rows,
        errors=errors,
        n_starts=n_starts,
        n_threads=n_threads,
        progress=progress,
        rng=rng,
    )


def fit_units(model, options, names, found, rows, *, errors, n_starts, n_threads, progress, rng):
    """Fit a model to the choices of each unit, which have these names and rows of the table.

    A Fit.
    """
    chosen = checked(model, **options)
    seed = int(generator(rng).integers(2**31))

    def one(choices):
        return lambda stop: _fit_one(chosen, choices, errors, n_starts, seed)

    done = parallel.run(
        {k: one(choices) for k, choices in enumerate(found)}, n_threads_of(n_threads), progress
    )
    return _assemble(model, options, chosen, names, found, rows, errors, list(done.values()))


def checked(model, lapses, zetas, repetition, bias):
    """The model of a name and its options, or an error that says which is wrong."""
    if isinstance(model, str):
        one_of(model, "model", MODELS)
    for name, value in (("lapses", lapses), ("zetas", zetas)):
        if value not in (1, 2) or isinstance(value, bool):
            raise ValueError(f"{name} must be 1 or 2, got {value!r}")
    return model_of(
        model,
        lapses=lapses,
        zetas=zetas,
        repetition=flag(repetition, "repetition"),
        bias=flag(bias, "bias"),
    )


def climb(model, choices, starts):
    """Where the searches from some starts ended: a list of Maximum."""
    low, high = bounds(model.parameters(choices))
    ends = []
    for start in starts:
        ends.append(
            maximise(
                lambda theta: model.evaluate(choices, theta),
                start,
                low,
                high,
                exact=model.exact,
                known=ends,
            )
        )
    return ends


def bounds(parameters):
    """Lower and upper bounds of parameters, (P,) each."""
    return tuple(np.array([getattr(p, end) for p in parameters]) for end in ("low", "high"))


def inside(theta, low, high):
    """Which parameters are not at a bound, (P,) bool."""
    near = 1e-6 * (high - low)
    return (theta > low + near) & (theta < high - near)


def _fit_one(model, choices, errors, n_starts, seed):
    """Climb from every start; the best, and the standard errors there."""
    parameters = model.parameters(choices)
    low, high = bounds(parameters)
    ends = climb(model, choices, model.starts(choices, n_starts, seed))
    best = max(ends, key=lambda end: end.value)
    free = inside(best.theta, low, high)
    return _One(
        [p.name for p in parameters],
        best.theta,
        standard_errors(model, choices, best, free, low, high, errors),
        best.value,
        best.converged,
        bool(not free.all()),
        float(np.mean([end.value > best.value - 0.01 for end in ends])),
    )


def standard_errors(model, choices, best, free, low, high, errors):
    """Errors (P,) of the free parameters, from the Hessian or clustered by session.

    NaN at a bound, for all if the Hessian is not negative definite, where an error is as wide as
    the bounds, and, clustered, of what fewer than two sessions tell of.
    """
    se = np.full(len(free), np.nan)
    index = np.flatnonzero(free)
    if not index.size or (errors == "session" and choices.n_sessions < 2):
        return se
    covariance = inverse(information_of(model, choices, best.theta, index))
    if covariance is None:
        return se
    if errors == "session":
        covariance = clustered(covariance, model.scores(choices, best.theta)[:, index])
    se[index] = np.sqrt(np.diag(covariance))
    return np.where(se < high - low, se, np.nan)


def information_of(model, choices, theta, index):
    """Minus the Hessian of the log likelihood by the free parameters `index` (F,), (F, F)."""
    low, high = bounds(model.parameters(choices))
    free = np.isin(np.arange(len(theta)), index)
    outer = model.evaluate(choices, theta)[2]
    second = hessian(
        lambda shifted: model.evaluate(choices, shifted), theta, outer, low, high, free
    )
    return -second[np.ix_(index, index)]


def inverse(information):
    """Inverse of an information (P, P), or None where it is not positive definite."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-12))
    inner = information / np.outer(scale, scale)
    if np.linalg.eigvalsh(inner).min() <= SINGULAR:
        return None
    return np.linalg.inv(inner) / np.outer(scale, scale)


def clustered(bread, scores):
    """The sandwich B (Σ u uᵀ) B G/(G - 1) of B (P, P) and the scores u of sessions (G, P).

    Sessions without choices have no score. NaN on the diagonal where fewer than two sessions have a
    score.

    Examples
    --------
    >>> clustered(np.eye(1) / 4, np.array([[2.0], [-2.0], [0.0]])).tolist()
    [[1.0]]
    """
    scores = scores[scores.any(axis=1)]
    n = max(len(scores), 2)
    covariance = n / (n - 1) * bread @ (scores.T @ scores) @ bread
    alone = (scores != 0).sum(axis=0) < 2
    covariance[alone, alone] = np.nan
    return covariance


def coin(choices, rate=None):
    """Log likelihood of the choices by a coin of a rate of right choices, by default their own."""
    right = int((choices.choice > 0).sum())
    rate = right / choices.n if rate is None else rate
    parts = [(k, p) for k, p in ((right, rate), (choices.n - right, 1 - rate)) if k]
    with np.errstate(divide="ignore"):
        return float(sum(k * np.log(p) for k, p in parts))


def _assemble(model, options, chosen, names, found, rows, errors, done):
    """The Fit of all units from that of each."""
    import pandas as pd

    columns = list(dict.fromkeys(name for one in done for name in one.names))
    params, se = (
        pd.DataFrame(
            [dict(zip(one.names, getattr(one, part), strict=True)) for one in done], columns=columns
        )
        for part in ("theta", "se")
    )
    value = np.array([one.value for one in done])
    n = np.array([c.n for c in found])
    k = np.array([len(one.names) for one in done])
    prior, p_right = np.full((2, sum(map(len, rows))), np.nan)
    for one, choices, at in zip(done, found, rows, strict=True):
        p_right[at] = chosen.p_right(choices, one.theta)
        before = chosen.prior(choices, one.theta)
        prior[at] = np.nan if before is None else before
    bits = (value - np.array([coin(c) for c in found])) / (n * np.log(2))
    n_sessions = np.array([choices.n_sessions for choices in found])
    converged, at_bound, agreement = (
        np.array([getattr(one, name) for one in done])
        for name in ("converged", "at_bound", "agreement")
    )
    return Fit(
        name_of(model),
        options,
        names,
        params,
        se,
        errors,
        n_sessions,
        value,
        n,
        bits,
        2 * k - 2 * value,
        k * np.log(n) - 2 * value,
        converged,
        at_bound,
        agreement,
        prior,
        p_right,
        found,
        rows,
        custom=None if isinstance(model, str) else model,
    )


def cross_validate(
    trials,
    model="action_kernel",
    *,
    by="subject",
    n_folds=N_FOLDS,
    lapses=1,
    zetas=1,
    repetition=False,
    bias=False,
    n_starts=3,
    n_threads=1,
    progress=False,
    rng=0,
):
    """Log likelihood of each session by a fit to the other folds of sessions of its unit.

    The searches of a fold start where those of `fit` start, and see its training sessions alone.

    Parameters
    ----------
    trials, model, lapses, zetas, repetition, bias, n_starts, n_threads, progress, rng
        As in `fit`.
    by : {'subject', 'pooled'}
    n_folds : int
        At most as many as a unit has sessions; sessions are dealt out at random.

    Returns
    -------
    DataFrame
        One row per session: `unit` (the fitted subject, or 'all'), `subject, session` (as the table
        has them, so that both merge with it), `fold, log_likelihood, n_trials, coin` (log
        likelihood of a coin with the rate of the training sessions). Units of one session are left
        out.

    Raises
    ------
    TypeError, ValueError
        As `fit`, and if no unit has two sessions.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=4, rng=0))
    >>> len(hrnn.mice.cross_validate(run, "flat", n_folds=2, n_starts=1))
    4
    """
    import pandas as pd

    chosen = checked(model, lapses, zetas, repetition, bias)
    one_of(by, "by", BY[::2])
    n_folds = whole_number(n_folds, "n_folds", 2)
    n_starts = whole_number(n_starts, "n_starts")
    names, found, table_rows = units(trials, by)
    random = generator(rng)
    starts = int(random.integers(2**31))
    work = {}
    for k, choices in enumerate(found):
        sessions = np.unique(choices.session[choices.responded])
        if len(sessions) < 2:
            continue
        folds = random.permutation(np.arange(len(sessions)) % n_folds)
        parts = [sessions[folds == fold] for fold in range(min(n_folds, len(sessions)))]
        work[k] = functools.partial(_folds, chosen, choices, parts, n_starts, starts)
    done = parallel.run(
        {key: lambda stop, job=job: job(stop) for key, job in work.items()},
        n_threads_of(n_threads),
        progress,
    )
    if not done:
        raise ValueError("trials must have a unit with two sessions or more, got none")
    tables = []
    for k, rows in done.items():
        labels = session_labels(trials, found[k], table_rows[k]).assign(unit=names.subject[k])
        tables.append(
            labels[["unit", "subject", "session"]].join(
                pd.DataFrame(rows).set_index("code"), how="inner"
            )
        )
    return pd.concat(tables).sort_values(["unit", "subject", "session"], ignore_index=True)


def _folds(model, choices, parts, n_starts, seed, stop):
    """Log likelihood of every session, by its code, by a fit to the sessions of other parts."""
    rows = []
    unknown = {p.name: 0.5 * (p.start_low + p.start_high) for p in model.parameters(choices)}
    for fold, part in enumerate(parts):
        if stop.is_set():
            raise KeyboardInterrupt
        training = choices.select(~np.isin(choices.session, part))
        ends = climb(model, training, model.starts(training, n_starts, seed))
        theta = max(ends, key=lambda end: end.value).theta
        names = [p.name for p in model.parameters(training)]
        fitted = unknown | dict(zip(names, theta, strict=True))
        right = (training.choice > 0).sum() / training.n
        for session in part:
            left_out = choices.select(choices.session == session)
            rows.append(
                {"code": session, "fold": fold, **_predicted(model, fitted, left_out, right)}
            )
    return rows


def _predicted(model, fitted, choices, right):
    """Log likelihood of choices by parameters {name: value}, and by a coin of the rate `right`."""
    theta = np.array([fitted[p.name] for p in model.parameters(choices)])
    return {
        "log_likelihood": model.log_likelihood(choices, theta),
        "n_trials": choices.n,
        "coin": coin(choices, right),
    }
