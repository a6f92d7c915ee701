"""Models and samplers of other libraries, on the same tables: psytrack, dynamax, emcee.

Each is imported when it is first needed.
"""

import dataclasses
import importlib

import numpy as np

from hrnn.base.arguments import generator, whole_number
from hrnn.choice.fitting import Fit, coin
from hrnn.choice.trials import units

EXTRAS = {"psytrack": "drift", "dynamax": "hmm", "emcee": "mcmc"}
SHARPNESS = 5.0  # contrasts enter as tanh(5 c) / tanh(5): Roy et al. (2021)


def library(name):
    """An optional library, or an ImportError that says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"this needs {name}: pip install 'hrnn[{EXTRAS[name]}]'") from error


def regressors(choices):
    """Regressors of each trial with a choice.

    {'bias', 'contrast', 'previous'}, (n,) each; previous is that choice, 0 at a start.
    """
    rows = choices.responded
    return {
        "bias": np.ones(rows.sum()),
        "contrast": np.tanh(SHARPNESS * choices.contrast[rows]) / np.tanh(SHARPNESS),
        "previous": choices.previous[rows].astype(float),
    }


def _one(trials):
    names, found, rows = units(trials, "subject")
    if len(names) > 1:
        raise ValueError(f"trials must be of one subject, got {len(names)}")
    if not found[0].n:
        raise ValueError("trials must have choices, got none")
    return names, found[0], rows[0]


def _fields(model, names, choices, rows, params, p):
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
    weights, weight_se : DataFrame (n rows)
        Of every trial with a choice: `bias, contrast, previous`. The likelihood of the fit is at
        these weights, which were fitted to the same choices: compare evidences, not bits.
    log_evidence : float
    """

    weights: object
    weight_se: object
    log_evidence: float


def drift(trials):
    """Fit drifting weights of bias, contrast and previous choice to one subject with psytrack.

    Roy, Bak, Akrami, Brody & Pillow (2021), Neuron 109:597. Weights move by N(0, σ²) from trial to
    trial, σ maximises the evidence.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        Of one subject.

    Returns
    -------
    DriftFit

    Raises
    ------
    ImportError
        Without the extra ``hrnn[drift]``.
    ValueError
        If there are several subjects, or no choices.
    """
    import pandas as pd

    names, choices, rows = _one(trials)
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
    p = 1 / (1 + np.exp(-sum(w * inputs[key] for key, w in zip(keys, weights, strict=True))))
    params = {f"sigma_{key}": float(s) for key, s in zip(keys, hyper["sigma"], strict=True)}
    table, se = (
        pd.DataFrame(dict(zip(keys, values, strict=True))) for values in (weights, info["W_std"])
    )
    return DriftFit(
        **_fields("drift", names, choices, rows, params, p),
        weights=table,
        weight_se=se,
        log_evidence=float(evidence),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class HmmFit(Fit):
    """States of a GLM-HMM (dynamax).

    A `Fit` whose parameters are the weights in each state and the stay probabilities.

    Attributes
    ----------
    transition : (K, K)
        States in the order of their contrast weight, the largest first.
    posterior : (n, K)
        Of each state in every trial with a choice, given all choices.
    """

    transition: np.ndarray
    posterior: np.ndarray


def glm_hmm(trials, n_states=3, *, n_iterations=100, n_starts=5, rng=0):
    """Fit a GLM-HMM to one subject with dynamax.

    Bias, contrast and previous choice in each state; sessions follow each other.

    Ashwood et al. (2022), Nature Neuroscience 25:201. Expectation maximisation from several starts;
    p_right predicts each trial from those before it.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        Of one subject.
    n_states, n_iterations, n_starts : int
    rng : int, SeedSequence or Generator

    Returns
    -------
    HmmFit

    Raises
    ------
    ImportError
        Without the extra ``hrnn[hmm]``.
    ValueError
        If there are several subjects, or no choices.
    """
    names, choices, rows = _one(trials)
    n_states, n_iterations, n_starts = (
        whole_number(v, name)
        for v, name in (
            (n_states, "n_states"),
            (n_iterations, "n_iterations"),
            (n_starts, "n_starts"),
        )
    )
    library("dynamax")
    import jax
    import jax.numpy as jnp
    from dynamax.hidden_markov_model import LogisticRegressionHMM

    inputs = regressors(choices)
    right = jnp.array((choices.choice[choices.responded] > 0).astype(int))
    X = np.column_stack([inputs["contrast"], inputs["previous"]])
    model = LogisticRegressionHMM(
        num_states=n_states, input_dim=2, transition_matrix_stickiness=10.0
    )
    best = None
    for seed in generator(rng).integers(2**31, size=n_starts):
        params, props = model.initialize(jax.random.PRNGKey(int(seed)))
        params, values = model.fit_em(
            params, props, right, inputs=jnp.array(X), num_iters=n_iterations, verbose=False
        )
        if best is None or float(values[-1]) > best[1]:
            best = params, float(values[-1])
    params = best[0]
    smoothed = model.smoother(best[0], right, inputs=jnp.array(X))
    weights = np.asarray(params.emissions.weights, float)
    biases = np.asarray(params.emissions.biases, float)
    order = np.argsort(-weights[:, 0])
    by_state = 1 / (1 + np.exp(-(X @ weights.T + biases)))
    p = (np.asarray(smoothed.predicted_probs, float) * by_state).sum(1)
    transition = np.asarray(params.transitions.transition_matrix, float)[np.ix_(order, order)]
    found = {
        f"{name}_{k + 1}": float(v)
        for k, i in enumerate(order)
        for name, v in (
            ("bias", biases[i]),
            ("contrast", weights[i, 0]),
            ("previous", weights[i, 1]),
        )
    }
    found |= {f"stay_{k + 1}": float(transition[k, k]) for k in range(n_states)}
    return HmmFit(
        **_fields("glm_hmm", names, choices, rows, found, p),
        transition=transition,
        posterior=np.asarray(smoothed.smoothed_probs, float)[:, order],
    )


def posterior(fitted, unit=0, *, n_steps=1000, n_walkers=None, n_ensembles=4, rng=0):
    """Sample the posterior of one unit's parameters with emcee.

    Under a prior that is flat within the bounds.

    Parameters
    ----------
    fitted : Fit
        Of `fit`.
    unit : int
        Row of `fitted.names`.
    n_steps : int
        Of each walker; the first half is left out.
    n_walkers : int, optional
        Default: four times the number of parameters.
    n_ensembles : int
        Independent ones, between which R-hat compares.
    rng : int, SeedSequence or Generator

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
    """
    import pandas as pd

    if not isinstance(fitted, Fit) or isinstance(fitted, (DriftFit, HmmFit)):
        raise TypeError(f"fitted must be a Fit of hrnn.mice.fit, got {type(fitted).__name__}")
    emcee = library("emcee")
    model = fitted._model
    choices = fitted.trials[unit]
    parameters = model.parameters(choices)
    random = generator(rng)
    low, high = (np.array([getattr(p, end) for p in parameters]) for end in ("low", "high"))
    n_steps = whole_number(n_steps, "n_steps", 10)
    n_ensembles = whole_number(n_ensembles, "n_ensembles", 2)
    n_walkers = (
        4 * len(low) if n_walkers is None else whole_number(n_walkers, "n_walkers", 2 * len(low))
    )

    def log_posterior(theta):
        return (
            model.evaluate(choices, theta)[0]
            if ((theta >= low) & (theta <= high)).all()
            else -np.inf
        )

    names = [p.name for p in parameters]
    centre = fitted.theta(unit)
    spread = np.nan_to_num(fitted.se.iloc[unit][names].to_numpy(float), nan=0.01)
    chains = []
    ess = np.zeros(len(low))
    edge = 1e-6 * (high - low)
    for _ in range(n_ensembles):
        start = np.clip(
            centre + 2 * spread * random.normal(size=(n_walkers, len(low))), low + edge, high - edge
        )
        sampler = emcee.EnsembleSampler(n_walkers, len(low), log_posterior)
        sampler._random = np.random.RandomState(int(random.integers(2**31)))
        sampler.run_mcmc(start, n_steps)
        chain = sampler.get_chain(discard=n_steps // 2)
        ess += chain.shape[0] * n_walkers / emcee.autocorr.integrated_time(chain, tol=0)
        chains.append(chain)
    draws = np.concatenate([chain.reshape(-1, len(low)) for chain in chains])
    ends = np.quantile(draws, [0.025, 0.975], axis=0)
    summary = pd.DataFrame(
        {
            "parameter": names,
            "mean": draws.mean(0),
            "sd": draws.std(0),
            "low": ends[0],
            "high": ends[1],
            "r_hat": r_hat(chains),
            "ess": ess,
        }
    )
    return pd.DataFrame(draws, columns=names), summary


def r_hat(chains):
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
