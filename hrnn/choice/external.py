"""Models and samplers of other libraries, on the same tables: psytrack, dynamax, emcee.

Each is imported when it is first needed.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrnn.base.arguments import generator, whole_number
from hrnn.choice.fitting import Fit, bounds, coin, number_of_starts
from hrnn.choice.protocol import Floats, Model
from hrnn.choice.trials import Choices, units

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike, Trials

EXTRAS: dict[str, str] = {"psytrack": "drift", "dynamax": "hmm", "emcee": "mcmc"}
SHARPNESS: float = 5.0  # contrasts enter as tanh(5 c) / tanh(5): Roy et al. (2021)


def library(name: str) -> Any:
    """An optional library or a module of it, or an ImportError that says how to get it."""
    root = name.partition(".")[0]
    extra = f"'hrnn[{EXTRAS[root]}]'"
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"this needs {root}: pip install {extra}") from error
    except Exception as error:  # of libraries that do not fit each other
        raise ImportError(
            f"this needs a {root} that can be imported: pip install --upgrade {extra} "
            f"({type(error).__name__}: {error})"
        ) from error


def regressors(choices: Choices) -> dict[str, Floats]:
    """Regressors 'bias', 'contrast' and 'previous' of each trial with a choice, (n,) each.

    'previous' is the choice before, 0 at the start of a session.
    """
    rows = choices.responded
    return {
        "bias": np.ones(rows.sum()),
        "contrast": np.tanh(SHARPNESS * choices.contrast[rows]) / np.tanh(SHARPNESS),
        "previous": choices.previous[rows].astype(float),
    }


def _one(trials: Trials) -> tuple[pd.DataFrame, Choices, NDArray[np.intp]]:
    """Name, choices and rows of the only subject, or an error."""
    names, found, rows = units(trials, "subject")
    if len(names) > 1:
        raise ValueError(f"trials must be of one subject, got {len(names)}")
    if not found[0].n:
        raise ValueError("trials must have choices, got none")
    return names, found[0], rows[0]


def _fields(
    model: str,
    names: pd.DataFrame,
    choices: Choices,
    rows: NDArray[np.intp],
    params: dict[str, float],
    p: Floats,
) -> dict[str, Any]:
    """Fields of a `Fit` from predictions p (n,) of the trials with a choice."""
    import pandas as pd

    chosen = np.where(choices.choice[choices.responded] > 0, p, 1 - p)
    value = float(np.log(np.maximum(chosen, 1e-300)).sum())
    n = choices.n
    k = len(params)
    p_right = np.full(len(rows), np.nan)
    p_right[rows[choices.responded]] = p
    table = pd.DataFrame([params])
    return {
        "model": model,
        "options": {},
        "names": names,
        "params": table,
        "se": table * np.nan,
        "errors": "none",
        "n_sessions": np.array([choices.n_sessions]),
        "log_likelihood": np.array([value]),
        "n_trials": np.array([n]),
        "bits_per_trial": np.array([(value - coin(choices)) / n / np.log(2)]),
        "aic": np.array([2 * k - 2 * value]),
        "bic": np.array([k * np.log(n) - 2 * value]),
        "converged": np.array([True]),
        "at_bound": np.array([False]),
        "agreement": np.array([np.nan]),
        "prior": np.full(len(rows), np.nan),
        "p_right": p_right,
        "trials": [choices],
        "rows": [rows],
    }


@dataclasses.dataclass(frozen=True, eq=False)
class DriftFit(Fit):
    """Weights that drift from trial to trial (psytrack).

    A `Fit` whose parameters are the standard deviations of the drift.

    Attributes
    ----------
    weights : DataFrame (n rows)
        Weights `bias, contrast, previous` in every trial with a choice. The likelihood of the fit
        is at these weights, which were fitted to the same choices: compare evidences, not bits.
    weight_se : DataFrame (n rows)
        Their standard errors.
    log_evidence : float
        Log of the evidence at the fitted standard deviations, in nats.
    """

    weights: pd.DataFrame
    weight_se: pd.DataFrame
    log_evidence: float


def drift(trials: Trials) -> DriftFit:
    """Fit drifting weights of bias, contrast and previous choice to one subject with psytrack.

    Roy, Bak, Akrami, Brody & Pillow (2021), Neuron 109:597. Weights move by N(0, σ²) from trial to
    trial, σ maximises the evidence.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        Trials of one subject.

    Returns
    -------
    DriftFit

    Raises
    ------
    ImportError
        Without the extra ``hrnn[drift]``.
    ValueError
        If there are several subjects, or not both choices.
    """
    import pandas as pd

    names, choices, rows = _one(trials)
    chosen = np.unique(choices.choice[choices.responded])
    if len(chosen) < 2:
        raise ValueError(f"trials must have both choices, -1 and 1, got {chosen[0]} alone")
    psytrack = library("psytrack")
    inputs = regressors(choices)
    keys = sorted(inputs)  # psytrack's own order
    right = (choices.choice[choices.responded] > 0).astype(int)
    session = choices.session[choices.responded]
    data = {
        "y": right,
        "inputs": {key: inputs[key][:, None] for key in keys},
        "dayLength": np.unique(session, return_counts=True)[1],
    }
    first = {"sigInit": 2.0**4, "sigma": [2.0**-4] * len(keys), "sigDay": None}
    hyper, evidence, weights, info = psytrack.hyperOpt(
        data, first, {key: 1 for key in keys}, ["sigma"]
    )
    z: Any = sum(w * inputs[key] for key, w in zip(keys, weights, strict=True))
    p = 1 / (1 + np.exp(-z))
    params = {f"sigma_{key}": float(s) for key, s in zip(keys, hyper["sigma"], strict=True)}
    return DriftFit(
        **_fields("drift", names, choices, rows, params, p),
        weights=pd.DataFrame(dict(zip(keys, weights, strict=True))),
        weight_se=pd.DataFrame(dict(zip(keys, info["W_std"], strict=True))),
        log_evidence=float(evidence),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class HmmFit(Fit):
    """States of a GLM-HMM (dynamax).

    A `Fit` whose parameters are the weights in each state and the stay probabilities.

    Attributes
    ----------
    transition : (K, K)
        Probability of each state (column) after each (row), states in the order of their contrast
        weight, the largest first.
    posterior : (n, K)
        Probability of each state in every trial with a choice, given all choices.
    """

    transition: Floats
    posterior: Floats


def glm_hmm(
    trials: Trials,
    n_states: int = 3,
    *,
    n_iterations: int = 100,
    n_starts: int = 5,
    rng: RNGLike = 0,
) -> HmmFit:
    """Fit a GLM-HMM to one subject with dynamax.

    Bias, contrast and previous choice have weights in each state; sessions follow each other.

    Ashwood et al. (2022), Nature Neuroscience 25:201. Expectation maximisation from several starts;
    p_right predicts each trial from those before it.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        Trials of one subject.
    n_states : int
        Number of states, at least 2.
    n_iterations : int
        Iterations of the expectation maximisation from each start.
    n_starts : int
        Number of starts; the best is kept.
    rng : int, SeedSequence or Generator
        Of the starts.

    Returns
    -------
    HmmFit

    Raises
    ------
    ImportError
        Without the extra ``hrnn[hmm]``.
    TypeError, ValueError
        If there are several subjects, or no choices, or a number is impossible.
    """
    names, choices, rows = _one(trials)
    n_states = whole_number(n_states, "n_states", 2)
    n_iterations = whole_number(n_iterations, "n_iterations")
    n_starts = number_of_starts(n_starts)
    seeds = generator(rng).integers(2**31, size=n_starts)
    library("dynamax.hidden_markov_model")
    inputs = regressors(choices)
    X = np.column_stack([inputs["contrast"], inputs["previous"]])
    right = (choices.choice[choices.responded] > 0).astype(int)
    params, smoothed = _expectation_maximisation(X, right, n_states, n_iterations, seeds)
    weights = np.asarray(params.emissions.weights, float)
    biases = np.asarray(params.emissions.biases, float)
    order = np.argsort(-weights[:, 0])
    by_state = 1 / (1 + np.exp(-(X @ weights.T + biases)))
    p = (np.asarray(smoothed.predicted_probs, float) * by_state).sum(1)
    matrix = np.asarray(params.transitions.transition_matrix, float)
    transition = matrix[np.ix_(order, order)]
    found = _state_parameters(biases[order], weights[order], transition)
    return HmmFit(
        **_fields("glm_hmm", names, choices, rows, found, p),
        transition=transition,
        posterior=np.asarray(smoothed.smoothed_probs, float)[:, order],
    )


def _expectation_maximisation(
    X: Floats,
    right: NDArray[Any],
    n_states: int,
    n_iterations: int,
    seeds: NDArray[np.int64],
) -> tuple[Any, Any]:
    """Parameters of the best start, and dynamax's smoothed states under them."""
    import jax  # pyright: ignore[reportMissingImports]  # comes with an extra
    import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
    from dynamax.hidden_markov_model import (  # pyright: ignore[reportMissingImports]
        LogisticRegressionHMM,
    )

    right = jnp.array(right)
    model = LogisticRegressionHMM(
        num_states=n_states, input_dim=2, transition_matrix_stickiness=10.0
    )
    best: Any = None
    most = -np.inf
    for seed in seeds:
        params, props = model.initialize(jax.random.PRNGKey(int(seed)))
        params, values = model.fit_em(
            params, props, right, inputs=jnp.array(X), num_iters=n_iterations, verbose=False
        )
        if best is None or float(values[-1]) > most:
            best = params
            most = float(values[-1])
    return best, model.smoother(best, right, inputs=jnp.array(X))


def _state_parameters(biases: Floats, weights: Floats, transition: Floats) -> dict[str, float]:
    """Parameters by name: bias and weights of each state (K,), (K, 2), then how likely it stays."""
    found: dict[str, float] = {}
    for k, (bias, (contrast, previous)) in enumerate(zip(biases, weights, strict=True)):
        found[f"bias_{k + 1}"] = float(bias)
        found[f"contrast_{k + 1}"] = float(contrast)
        found[f"previous_{k + 1}"] = float(previous)
    stay = np.diag(transition)
    return found | {f"stay_{k + 1}": float(value) for k, value in enumerate(stay)}


def posterior(
    fitted: Fit,
    unit: int | str = 0,
    *,
    n_steps: int = 1000,
    n_walkers: int | None = None,
    n_ensembles: int = 4,
    rng: RNGLike = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sample the posterior of one unit's parameters with emcee.

    Under a prior that is flat within the bounds.

    Parameters
    ----------
    fitted : Fit
        Of `fit`.
    unit : int or str
        Row of `fitted.names`, or the name of a subject that has one row there.
    n_steps : int
        Steps of each walker; the first half is left out.
    n_walkers : int, optional
        Number of walkers, by default four times the number of parameters.
    n_ensembles : int
        Number of independent ensembles of walkers, between which R-hat compares.
    rng : int, SeedSequence or Generator
        Of starts and steps.

    Returns
    -------
    draws : DataFrame
        One column per parameter.
    summary : DataFrame
        `parameter, mean, sd, low, high` (95 %), `r_hat` (split, Gelman & Rubin 1992) and `ess`, the
        effective number of draws.

    Raises
    ------
    ImportError
        Without the extra ``hrnn[mcmc]``.
    TypeError, ValueError
        If `fitted` is no Fit of `fit`, has no such unit, or a number is impossible.
    """
    import pandas as pd

    if not isinstance(fitted, Fit) or isinstance(fitted, (DriftFit, HmmFit)):
        raise TypeError(f"fitted must be a Fit of hrnn.mice.fit, got {type(fitted).__name__}")
    unit = fitted.row(unit)
    emcee = library("emcee")
    n_parameters = len(fitted.theta(unit))
    random = generator(rng)
    n_steps = whole_number(n_steps, "n_steps", 10)
    n_ensembles = whole_number(n_ensembles, "n_ensembles", 2)
    if n_walkers is None:
        n_walkers = 4 * n_parameters
    else:
        n_walkers = whole_number(n_walkers, "n_walkers", 2 * n_parameters)
    chains: list[Floats] = []
    ess = np.zeros(n_parameters)
    target = _Posterior(fitted._model, fitted.trials[unit])
    for _ in range(n_ensembles):
        start = target.start(fitted, unit, random.normal(size=(n_walkers, n_parameters)))
        sampler = emcee.EnsembleSampler(n_walkers, n_parameters, target.log_density)
        sampler._random = np.random.RandomState(int(random.integers(2**31)))
        sampler.run_mcmc(start, n_steps)
        chain = sampler.get_chain(discard=n_steps // 2)
        ess += chain.shape[0] * n_walkers / emcee.autocorr.integrated_time(chain, tol=0)
        chains.append(chain)
    draws = np.concatenate([chain.reshape(-1, n_parameters) for chain in chains])
    summary = _summary(target.names, draws, r_hat(chains), ess)
    return pd.DataFrame(draws, columns=target.names), summary


class _Posterior:
    """Posterior of the parameters of a model of some choices, flat within the bounds before."""

    def __init__(self, model: Model, choices: Choices) -> None:
        parameters = model.parameters(choices)
        self.model = model
        self.choices = choices
        self.names = [parameter.name for parameter in parameters]
        self.low, self.high = bounds(parameters)

    def log_density(self, theta: Floats) -> float:
        """Log likelihood within the bounds, minus infinity outside."""
        if not ((theta >= self.low) & (theta <= self.high)).all():
            return -np.inf
        return self.model.evaluate(self.choices, theta)[0]

    def start(self, fitted: Fit, unit: int, normal: Floats) -> Floats:
        """Walkers (W, P) about the fit, two standard errors wide, from normal numbers (W, P)."""
        errors = fitted.se.iloc[unit][self.names].to_numpy(float)
        spread = np.nan_to_num(errors, nan=0.01)
        edge = 1e-6 * (self.high - self.low)
        about = fitted.theta(unit) + 2 * spread * normal
        return np.clip(about, self.low + edge, self.high - edge)


def _summary(names: list[str], draws: Floats, ratio: Floats, ess: Floats) -> pd.DataFrame:
    """A row per parameter: mean, spread, interval, R-hat and effective number of draws."""
    import pandas as pd

    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    columns = {
        "parameter": names,
        "mean": draws.mean(0),
        "sd": draws.std(0),
        "low": low,
        "high": high,
        "r_hat": ratio,
        "ess": ess,
    }
    return pd.DataFrame(columns)


def r_hat(chains: Sequence[Floats]) -> Floats:
    """Split R-hat of ensembles (n_steps, n_walkers, P) each, (P,).

    Both halves of every ensemble count as chains.
    """
    halves = [
        half.reshape(-1, chain.shape[-1]) for chain in chains for half in np.array_split(chain, 2)
    ]
    n = min(map(len, halves))
    x = np.stack([half[:n] for half in halves])
    between = n * x.mean(1).var(0, ddof=1)
    within = x.var(1, ddof=1).mean(0)
    return np.sqrt((n - 1) / n + between / within / n)
