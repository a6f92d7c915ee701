"""Maximum-likelihood fits of models of choice to mice, networks and Bayesian agents alike."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrnn.base import parallel
from hrnn.base.arguments import flag, generator, one_of, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.behavior.trials import trial_table
from hrnn.choice.maximise import TOLERANCE, Maximum, hessian, maximise
from hrnn.choice.models import MODELS, model_of, name_of
from hrnn.choice.protocol import Floats, Model, ModelLike, OwnModel, Parameter
from hrnn.choice.trials import Choices, session_labels, units
from hrnn.statistics.resampling import LEVEL, student

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike, Trials

Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]
N_STARTS: int = 10
N_FOLDS: int = 5
MOST_STARTS: int = 2**20
NEAR: float = 0.01  # nats below the best that a start may end and still agree with it
SINGULAR: float = 1e-10  # least eigenvalue of the information with a diagonal of 1
BY: tuple[str, ...] = ("subject", "session", "pooled")
ERRORS: tuple[str, ...] = ("session", "hessian")
SHOWN = (  # of a fit, in its table
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


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """A model fitted to each of M units (subjects, sessions, or all trials together).

    Attributes
    ----------
    model : str
        Name of the model.
    options : dict
        `lapses, zetas, repetition, bias` of the decision stage.
    names : DataFrame (M rows)
        `subject` (and `session`) of each unit.
    params : DataFrame (M rows)
        A column per parameter; parameters that a unit does not have are NaN.
    se : DataFrame (M rows)
        Standard errors of the parameters, NaN at a bound, and where the data do not determine them:
        clustered ones need two sessions or more.
    errors : str
        Which standard errors: 'session', 'hessian', or 'none'.
    n_sessions : (M,) int
        Number of sessions with a choice.
    log_likelihood : (M,)
        Of all choices of the unit, in nats.
    n_trials : (M,) int
        Number of trials with a choice.
    bits_per_trial : (M,)
        Log likelihood per trial in bits, relative to a coin of the unit's own rate of right
        choices.
    aic, bic : (M,)
        Akaike's and the Bayesian information criterion; less is better.
    converged : (M,) bool
        Whether the best search came to an end.
    at_bound : (M,) bool
        Whether a parameter is at one of its bounds, or is infinite: nothing is lost on the way to
        the bound. Its value says where the search stopped, and has no `se`; a mean over units with
        such a parameter means nothing.
    agreement : (M,)
        Fraction of the starts that ended within .01 nats of the best.
    prior : (R,)
        P(right) before each trial of the table, or NaN for models without one.
    p_right : (R,)
        Predicted P(right) of each trial of the table.
    trials : list of Choices
        Trials of each unit.
    rows : list of (R_unit,) int
        Their rows in the table.
    custom : object
        A user's model, or None: a model of the library.
    """

    model: str
    options: dict[str, Any]
    names: pd.DataFrame
    params: pd.DataFrame
    se: pd.DataFrame
    errors: str
    n_sessions: NDArray[np.int64]
    log_likelihood: Floats
    n_trials: NDArray[np.int64]
    bits_per_trial: Floats
    aic: Floats
    bic: Floats
    converged: Bools
    at_bound: Bools
    agreement: Floats
    prior: Floats
    p_right: Floats
    trials: list[Choices]
    rows: list[Indices]
    custom: OwnModel | None = dataclasses.field(default=None, kw_only=True)

    @property
    def accuracy(self) -> Floats:
        """exp(LL / n), the geometric mean probability of a choice, (M,)."""
        return np.exp(self.log_likelihood / self.n_trials)

    @property
    def margin(self) -> pd.DataFrame:
        """Half the 95 % interval of each parameter, a DataFrame (M rows).

        That is `se` times the quantile of Student's t where errors are clustered by session, with
        one degree of freedom less than sessions that tell of the parameter; of the normal where
        they come from the Hessian.
        """
        from scipy.special import ndtri

        if self.errors == "session":
            return self.se * student(np.maximum(self._n_telling, 2))
        return self.se * ndtri((1 + LEVEL) / 2)

    @functools.cached_property
    def _n_telling(self) -> pd.DataFrame:
        """Number of sessions of each unit that tell of each parameter."""
        found = self.se.copy()
        for k, choices in enumerate(self.trials):
            names = [parameter.name for parameter in self._model.parameters(choices)]
            scores = self._model.scores(choices, self.theta(k))
            found.loc[found.index[k], names] = np.count_nonzero(scores, axis=0)
        return found

    def row(self, unit: int | str) -> int:
        """Row of `names` of one unit, by its number or by the name of its subject."""
        if isinstance(unit, str):
            named = np.flatnonzero((self.names["subject"] == unit).to_numpy())
            if len(named) != 1:
                raise ValueError(
                    f"unit must be a subject with one row in names, got {unit!r} with {len(named)}"
                )
            return int(named[0])
        unit = whole_number(unit, "unit", 0)
        if unit >= len(self.names):
            raise ValueError(
                f"unit must be in 0..{len(self.names) - 1}, or a subject's name, got {unit}"
            )
        return unit

    def theta(self, unit: int | str) -> Floats:
        """Parameters of one unit, its row or its subject, in the order of its model, (P,)."""
        unit = self.row(unit)
        names = parameter_names(self._model, self.trials[unit])
        return self.params.iloc[unit][names].to_numpy(float)

    @functools.cached_property
    def _model(self) -> Model:
        if self.custom is None and self.model not in MODELS:
            raise ValueError(
                f"fitted must be of a model of hrnn.mice.fit, got one of {self.model!r}"
            )
        return model_of(self.given, **self.options)

    @property
    def given(self) -> ModelLike:
        """The model as `fit` was given it: its name, or a user's object."""
        return self.model if self.custom is None else self.custom

    def to_frame(self) -> pd.DataFrame:
        """One row per unit: names, parameters, `se_` of each, which errors, how good the fit is."""
        import pandas as pd

        quality = pd.DataFrame({name: getattr(self, name) for name in SHOWN})
        return pd.concat([self.names, self.params, self.se.add_prefix("se_"), quality], axis=1)


@dataclasses.dataclass(frozen=True, eq=False)
class _One:
    """The fit of one unit."""

    names: list[str]
    theta: Floats
    se: Floats
    value: float
    converged: bool
    at_bound: bool
    agreement: float


def fit(
    trials: Trials,
    model: ModelLike = "action_kernel",
    *,
    by: str = "subject",
    errors: str = "session",
    lapses: int = 1,
    zetas: int = 1,
    repetition: bool = False,
    bias: bool = False,
    n_starts: int = N_STARTS,
    n_threads: int | None = None,
    progress: bool = True,
    rng: RNGLike = 0,
) -> Fit:
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
        What is fitted alone: every subject, every session, or all trials together. 'session' needs
        ``errors="hessian"``.
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
        Number of searches, from a Sobol sequence in the box of the starts (psychometric: the best
        of 200).
    n_threads : int or None
        Number of threads, None for all that the process may use. The result does not depend on it.
    progress : bool
        Whether a progress bar is shown.
    rng : int, SeedSequence or Generator
        Of the starts.

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
    n_starts = number_of_starts(n_starts)
    names, found, rows = units(trials, by)
    for k, choices in enumerate(found):
        if not choices.n:
            raise ValueError(
                f"trials must have choices of every unit, but {names.iloc[k].to_dict()} has none"
            )
    return fit_units(
        model,
        {"lapses": lapses, "zetas": zetas, "repetition": repetition, "bias": bias},
        names,
        found,
        rows,
        errors=errors,
        n_starts=n_starts,
        n_threads=n_threads,
        progress=progress,
        rng=rng,
    )


def fit_units(
    model: ModelLike,
    options: Mapping[str, Any],
    names: pd.DataFrame,
    found: Sequence[Choices],
    rows: Sequence[Indices],
    *,
    errors: str,
    n_starts: int,
    n_threads: int | None,
    progress: bool,
    rng: RNGLike,
) -> Fit:
    """Fit a model to the choices of each of M units.

    Parameters
    ----------
    model : str or ChoiceModel
        As in `fit`.
    options : dict
        `lapses, zetas, repetition, bias` of the decision stage.
    names : DataFrame (M rows)
        Of the units.
    found : sequence of Choices
        Trials of each unit.
    rows : sequence of (R_unit,) int
        Their rows in the table that they come from.
    errors, n_starts, n_threads, progress, rng
        As in `fit`.
    """
    chosen = checked(model, **options)
    seed = int(generator(rng).integers(2**31))

    def one(choices: Choices) -> _One:
        return _fit_one(chosen, choices, errors, n_starts, seed)

    jobs = {k: functools.partial(one, choices) for k, choices in enumerate(found)}
    done = list(parallel.run(jobs, n_threads_of(n_threads), progress).values())
    prior, p_right = _predictions(chosen, done, found, rows)
    return Fit(
        name_of(model),
        dict(options),
        names,
        **_estimates(done),
        **_quality(done, found),
        errors=errors,
        prior=prior,
        p_right=p_right,
        trials=list(found),
        rows=list(rows),
        custom=None if isinstance(model, str) else model,
    )


def checked(model: ModelLike, lapses: int, zetas: int, repetition: bool, bias: bool) -> Model:
    """The model of a name and its options, or an error that says which is wrong.

    Parameters
    ----------
    model, lapses, zetas, repetition, bias
        As in `fit`.
    """
    if isinstance(model, str):
        one_of(model, "model", MODELS)
    for name, value in (("lapses", lapses), ("zetas", zetas)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"{name} must be 1 or 2, got {value!r}")
        if value not in (1, 2):
            raise ValueError(f"{name} must be 1 or 2, got {value!r}")
    return model_of(
        model,
        lapses=lapses,
        zetas=zetas,
        repetition=flag(repetition, "repetition"),
        bias=flag(bias, "bias"),
    )


def climb(
    model: Model, choices: Choices, starts: Sequence[Floats] | NDArray[np.float64]
) -> list[Maximum]:
    """Where the searches from some starts ended.

    Parameters
    ----------
    model : Model
        Whose log likelihood is climbed.
    choices : Choices
        The trials.
    starts : sequence of (P,)
        Where each search starts.
    """
    low, high = bounds(model.parameters(choices))

    def evaluate(theta: Floats) -> tuple[float, Floats, Floats]:
        return model.evaluate(choices, theta)

    ends: list[Maximum] = []
    for start in starts:
        ends.append(maximise(evaluate, start, low, high, exact=model.exact, known=ends))
    return ends


def number_of_starts(n_starts: object) -> int:
    """A number of searches, as many as a Sobol sequence has points of.

    Parameters
    ----------
    n_starts : object
        The argument.
    """
    number = whole_number(n_starts, "n_starts")
    if number > MOST_STARTS:
        raise ValueError(f"n_starts must be at most {MOST_STARTS}, got {number}")
    return number


def bounds(parameters: Sequence[Parameter]) -> tuple[Floats, Floats]:
    """Lower and upper bounds of parameters, (P,) each."""
    low = np.array([parameter.low for parameter in parameters])
    high = np.array([parameter.high for parameter in parameters])
    return low, high


def parameter_names(model: Model, choices: Choices) -> list[str]:
    """Names of a model's parameters in some trials, or an error if two have the same.

    Parameters
    ----------
    model : Model
        Whose parameters are named.
    choices : Choices
        The trials.
    """
    names = [parameter.name for parameter in model.parameters(choices)]
    twice = [name for k, name in enumerate(names) if name in names[:k]]
    if twice:
        raise ValueError(
            f"parameters of model {model.name!r} must have different names, got {twice[0]!r} "
            "twice: contrasts and p_left that mean the same must be equal"
        )
    return names


def free_parameters(model: Model, choices: Choices, theta: Floats) -> Bools:
    """Which parameters the data hold between their bounds, (P,).

    Not those at a bound, nor those that would go to one for ever: where the log likelihood grows
    towards the bound, and is no less at it. A search ends where nothing is left to gain, which may
    be well before the bound: the weight of a contrast at which a mouse is never wrong is infinite.

    Parameters
    ----------
    model : Model
        That was fitted.
    choices : Choices
        The trials it was fitted to.
    theta : (P,)
        Where the log likelihood is largest.
    """
    low, high = bounds(model.parameters(choices))
    near = 1e-6 * (high - low)
    free = (theta > low + near) & (theta < high - near)
    value, gradient, _ = model.evaluate(choices, theta)
    outward = np.where(gradient > 0, high, low)
    for k in np.flatnonzero(free & (gradient != 0)):
        there = theta.copy()
        there[k] = outward[k]
        free[k] = model.evaluate(choices, there)[0] < value - TOLERANCE
    return free


def _fit_one(model: Model, choices: Choices, errors: str, n_starts: int, seed: int) -> _One:
    """Climb from every start; the best, and the standard errors there."""
    parameters = model.parameters(choices)
    low, high = bounds(parameters)
    ends = climb(model, choices, model.starts(choices, n_starts, seed))
    best = max(ends, key=lambda end: end.value)
    free = free_parameters(model, choices, best.theta)
    return _One(
        parameter_names(model, choices),
        best.theta,
        standard_errors(model, choices, best, free, low, high, errors),
        best.value,
        best.converged,
        bool(not free.all()),
        float(np.mean([end.value > best.value - NEAR for end in ends])),
    )


def standard_errors(
    model: Model,
    choices: Choices,
    best: Maximum,
    free: Bools,
    low: Floats,
    high: Floats,
    errors: str,
) -> Floats:
    """Errors (P,) of the free parameters, from the Hessian or clustered by session.

    NaN at a bound, for all if the Hessian is not negative definite, where an error is as wide as
    the bounds, and, clustered, of what fewer than two sessions tell of.

    Parameters
    ----------
    model : Model
        That was fitted.
    choices : Choices
        The trials it was fitted to.
    best : Maximum
        Where the log likelihood is largest.
    free : (P,) bool
        Which parameters are not at a bound.
    low, high : (P,)
        Bounds of the parameters.
    errors : {'session', 'hessian'}
        Which standard errors.
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


def information_of(model: Model, choices: Choices, theta: Floats, index: Indices) -> Floats:
    """Minus the Hessian (F, F) of the log likelihood by the free parameters.

    Parameters
    ----------
    model : Model
        That was fitted.
    choices : Choices
        The trials it was fitted to.
    theta : (P,)
        Where the log likelihood is largest.
    index : (F,) int
        Which parameters are free.
    """
    low, high = bounds(model.parameters(choices))
    free = np.isin(np.arange(len(theta)), index)
    outer = model.evaluate(choices, theta)[2]

    def evaluate(shifted: Floats) -> tuple[float, Floats, Floats]:
        return model.evaluate(choices, shifted)

    second = hessian(evaluate, theta, outer, low, high, free)
    return -second[np.ix_(index, index)]


def inverse(information: Floats) -> Floats | None:
    """Inverse of an information (P, P), or None where it is not positive definite."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-12))
    inner = information / np.outer(scale, scale)
    if np.linalg.eigvalsh(inner).min() <= SINGULAR:
        return None
    return np.linalg.inv(inner) / np.outer(scale, scale)


def clustered(bread: Floats, scores: Floats) -> Floats:
    """The sandwich B (Σ u uᵀ) B G/(G - 1) of an inverse B and the scores u of sessions, (P, P).

    G is the number of sessions that have a score for the parameter: those without choices have
    none, nor those without the contrast that it is of. NaN on the diagonal where G is below two.

    Parameters
    ----------
    bread : (P, P)
        Inverse of the information.
    scores : (G, P)
        Gradient of the log likelihood of each session.

    Examples
    --------
    >>> clustered(np.eye(1) / 4, np.array([[2.0], [-2.0], [0.0]])).round(6).tolist()
    [[1.0]]
    """
    n = np.count_nonzero(scores, axis=0)
    few = n < 2
    correction = np.sqrt(np.maximum(n, 2) / (np.maximum(n, 2) - 1))
    covariance = np.outer(correction, correction) * (bread @ (scores.T @ scores) @ bread)
    covariance[few, few] = np.nan
    return covariance


def coin(choices: Choices, rate: float | None = None) -> float:
    """Log likelihood of the choices by a coin.

    Parameters
    ----------
    choices : Choices
        The trials.
    rate : float, optional
        P(right) of the coin, by default the rate of right choices.
    """
    n_right = int((choices.choice > 0).sum())
    n_left = choices.n - n_right
    if rate is None:
        rate = n_right / choices.n
    parts = [(n, p) for n, p in ((n_right, rate), (n_left, 1 - rate)) if n]
    with np.errstate(divide="ignore"):
        return float(sum(n * np.log(p) for n, p in parts))


def _estimates(done: Sequence[_One]) -> dict[str, Any]:
    """Parameters and standard errors of all units, a column per parameter."""
    import pandas as pd

    columns = list(dict.fromkeys(name for one in done for name in one.names))
    found: dict[str, Any] = {}
    for field, part in (("params", "theta"), ("se", "se")):
        rows = [dict(zip(one.names, getattr(one, part), strict=True)) for one in done]
        found[field] = pd.DataFrame(rows, columns=columns)
    return found


def _quality(done: Sequence[_One], found: Sequence[Choices]) -> dict[str, Any]:
    """Fields of a Fit that say how good the fit of each unit is, (M,) each."""
    value = np.array([one.value for one in done])
    n = np.array([choices.n for choices in found])
    k = np.array([len(one.names) for one in done])
    bits = (value - np.array([coin(choices) for choices in found])) / (n * np.log(2))
    return {
        "n_sessions": np.array([choices.n_sessions for choices in found]),
        "log_likelihood": value,
        "n_trials": n,
        "bits_per_trial": bits,
        "aic": 2 * k - 2 * value,
        "bic": k * np.log(n) - 2 * value,
        "converged": np.array([one.converged for one in done]),
        "at_bound": np.array([one.at_bound for one in done]),
        "agreement": np.array([one.agreement for one in done]),
    }


def _predictions(
    model: Model, done: Sequence[_One], found: Sequence[Choices], rows: Sequence[Indices]
) -> tuple[Floats, Floats]:
    """Prior and P(right) of every trial of the table, (R,) each."""
    prior, p_right = np.full((2, sum(map(len, rows))), np.nan)
    for one, choices, at in zip(done, found, rows, strict=True):
        p_right[at] = model.p_right(choices, one.theta)
        _check_value(model, choices, p_right[at], one.value)
        before = model.prior(choices, one.theta)
        prior[at] = np.nan if before is None else before
    return prior, p_right


def _check_value(model: Model, choices: Choices, p_right: Floats, value: float) -> None:
    """Refuse a log likelihood that is not that of P(right), up to rounding."""
    p = np.where(choices.choice > 0, p_right, 1 - p_right)[choices.responded]
    with np.errstate(divide="ignore"):
        expected = float(np.log(p).sum())
        rounding = (4 * np.finfo(float).eps / p).sum()
    if abs(value - expected) > 1e-6 * (1 + abs(value)) + rounding:
        raise ValueError(
            f"log likelihood of model {model.name!r} must be that of its p_right, got {value:.6g}, "
            f"but {expected:.6g} of p_right"
        )


def cross_validate(
    trials: Trials,
    model: ModelLike = "action_kernel",
    *,
    by: str = "subject",
    n_folds: int = N_FOLDS,
    lapses: int = 1,
    zetas: int = 1,
    repetition: bool = False,
    bias: bool = False,
    n_starts: int = 3,
    n_threads: int | None = None,
    progress: bool = True,
    rng: RNGLike = 0,
) -> pd.DataFrame:
    """Log likelihood of each session by a fit to the other folds of sessions of its unit.

    The searches of a fold start where those of `fit` start, and see its training sessions alone. A
    parameter of a contrast or a block that the training sessions do not have is unknown: it is in
    the middle of the box of the starts (a weight of 0, a bias of 0). A choice counts as at least
    1e-12 likely.

    Parameters
    ----------
    trials, model, lapses, zetas, repetition, bias, n_starts, n_threads, progress, rng
        As in `fit`.
    by : {'subject', 'pooled'}
        What is fitted alone: every subject, or all trials together.
    n_folds : int
        Number of folds, at most as many as a unit has sessions; sessions are dealt out at random.

    Returns
    -------
    DataFrame
        One row per session: `unit` (the fitted subject, or 'all'), `subject, session` (as the table
        has them, so that both merge with it), `fold, log_likelihood, n_trials, coin` (log
        likelihood of a coin with the rate of the training sessions; half a choice for a side that
        they never show). Units with choices in one session are left out, and a warning names them.

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
    n_starts = number_of_starts(n_starts)
    trials, _ = with_two_sessions(trials, by)
    names, found, table_rows = units(trials, by)
    random = generator(rng)
    starts = int(random.integers(2**31))
    work: dict[int, Any] = {}
    for k, choices in enumerate(found):
        sessions = np.unique(choices.session[choices.responded])
        parts = _dealt(sessions, n_folds, random)
        work[k] = functools.partial(_folds, chosen, choices, parts, n_starts, starts)
    done = parallel.run(work, n_threads_of(n_threads), progress)
    tables: list[pd.DataFrame] = []
    for k, rows in done.items():
        labels = session_labels(trials, found[k], table_rows[k]).assign(unit=names["subject"][k])
        tested = pd.DataFrame(rows).set_index("code")
        tables.append(labels[["unit", "subject", "session"]].join(tested, how="inner"))
    return pd.concat(tables).sort_values(["unit", "subject", "session"], ignore_index=True)


def with_two_sessions(trials: Trials, by: str) -> tuple[pd.DataFrame, list[Any]]:
    """Leave out the units that have choices in fewer than two sessions, with a warning.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        The trial table.
    by : {'subject', 'pooled'}
        What a unit is.

    Returns
    -------
    kept : DataFrame
        The trials of the others.
    left_out : list
        Names of those that are left out.

    Raises
    ------
    ValueError
        If all would be left out.
    """
    names, found, rows = units(trials, one_of(by, "by", BY[::2]))
    enough = [choices.n_sessions > 1 for choices in found]
    left_out = names["subject"][np.invert(enough)].tolist()
    if not any(enough):
        raise ValueError(
            f"trials must have a unit with choices in two sessions or more, got none in {left_out}"
        )
    if left_out:
        warnings.warn(
            f"left out, since they have choices in fewer than two sessions: {left_out}",
            stacklevel=3,
        )
    kept = np.concatenate([own for own, good in zip(rows, enough, strict=True) if good])
    return trial_table(trials).iloc[np.sort(kept)], left_out


def _dealt(
    sessions: NDArray[np.int64], n_folds: int, random: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Sessions dealt out to folds at random."""
    n_sessions = len(sessions)
    n_used = min(n_folds, n_sessions)
    folds = random.permutation(np.arange(n_sessions) % n_used)
    return [sessions[folds == fold] for fold in range(n_used)]


def _folds(
    model: Model,
    choices: Choices,
    parts: list[NDArray[np.int64]],
    n_starts: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Log likelihood of every session, by its code, by a fit to the sessions of other parts."""
    rows: list[dict[str, Any]] = []
    # parameters of contrasts or blocks that the training sessions do not have
    unknown = {p.name: 0.5 * (p.start_low + p.start_high) for p in model.parameters(choices)}
    for fold, part in enumerate(parts):
        training = choices.select(~np.isin(choices.session, part))
        ends = climb(model, training, model.starts(training, n_starts, seed))
        theta = max(ends, key=lambda end: end.value).theta
        names = parameter_names(model, training)
        fitted = unknown | dict(zip(names, theta, strict=True))
        least = 0.5 / training.n  # of a side that the training sessions do not show
        right = np.clip((training.choice > 0).sum() / training.n, least, 1 - least)
        for session in part:
            left_out = choices.select(choices.session == session)
            predicted = _predicted(model, fitted, left_out, right)
            rows.append({"code": session, "fold": fold, **predicted})
    return rows


def _predicted(
    model: Model, fitted: Mapping[str, float], choices: Choices, right: float
) -> dict[str, Any]:
    """Log likelihood of choices by parameters {name: value}, and by a coin of the rate `right`."""
    theta = np.array([fitted[name] for name in parameter_names(model, choices)])
    return {
        "log_likelihood": model.log_likelihood(choices, theta),
        "n_trials": choices.n,
        "coin": coin(choices, right),
    }
