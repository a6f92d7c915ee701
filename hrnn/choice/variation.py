"""How parameters vary between the sessions of a subject, and simulated choices that vary so."""

from __future__ import annotations

import numpy as np

from hrnn.choice.fitting import bounds, climb, clustered, free_parameters, information_of, inverse
from hrnn.choice.protocol import Floats, Model
from hrnn.choice.trials import Choices

N_COPIES: int = 30  # of a unit's sessions, for what the fit of all of them together tends to


def between_sessions(model: Model, choices: Choices, theta: Floats) -> Floats:
    """Covariance of the parameters between sessions, a moment estimate (P, P).

    Session s has parameters θ + δ_s, δ_s ~ (0, Σ). At the maximum for all sessions together its
    score is nearly u_s = w_s H δ_s + e_s, where H is minus the Hessian of all, w_s the session's
    share of the choices, and w_s H the variance of e_s if trials are those of the model. Hence Σ_s
    u_s u_sᵀ G/(G - 1) is on average H + Σ_s w_s² H Σ H, and

    Σ = [H⁻¹ (Σ_s u_s u_sᵀ) H⁻¹ G/(G - 1) - H⁻¹] / Σ_s w_s²:

    the excess of the clustered covariance over that of the Hessian. Negative eigenvalues (of H^½ Σ
    H^½) are set to 0. Parameters at a bound do not vary, nor do any where H is not positive
    definite.

    Parameters
    ----------
    model : Model
        The fitted model.
    choices : Choices
        Of two sessions or more.
    theta : ndarray (P,)
        Where the likelihood of all sessions is largest.

    Returns
    -------
    ndarray (P, P)
    """
    free = np.flatnonzero(free_parameters(model, choices, theta))
    covariance = np.zeros((len(theta), len(theta)))
    information = information_of(model, choices, theta, free)
    bread = inverse(information)
    if bread is None:
        return covariance
    root = np.linalg.cholesky(information)
    scores = model.scores(choices, theta)[:, free]
    n_choices = [choices.responded[rows].sum() for rows in choices.sessions]
    share = np.array(n_choices) / choices.n
    excess = clustered(bread, scores) - bread
    excess[np.isnan(excess)] = 0
    half = _positive(root.T @ excess @ root)
    back = np.linalg.inv(root)
    covariance[np.ix_(free, free)] = back.T @ half @ back / (share**2).sum()
    return covariance


def _positive(matrix: Floats) -> Floats:
    """The nearest positive semi-definite matrix."""
    symmetric = (matrix + matrix.T) / 2
    values, vectors = np.linalg.eigh(symmetric)
    return (vectors * np.maximum(values, 0)) @ vectors.T


def varied(
    model: Model,
    choices: Choices,
    theta: Floats,
    covariance: Floats,
    random: np.random.Generator,
) -> Choices:
    """The same trials with choices of a double whose sessions vary.

    Each session's parameters are normal about the mean, clipped to their bounds.

    Parameters
    ----------
    model : Model
        The model that chooses.
    choices : Choices
        The trials.
    theta : (P,)
        Mean of the parameters.
    covariance : (P, P)
        Their covariance between sessions.
    random : Generator
        Of parameters and choices.
    """
    low, high = bounds(model.parameters(choices))
    values, vectors = np.linalg.eigh(covariance)
    normal = random.normal(size=(len(choices.sessions), len(theta)))
    shifts = normal * np.sqrt(np.maximum(values, 0)) @ vectors.T
    thetas = np.clip(theta + shifts, low, high)
    uniforms = random.random(len(choices.choice))
    return choices.with_choice(model.simulate(choices, thetas, uniforms))


def tendency(
    model: Model,
    choices: Choices,
    theta: Floats,
    covariance: Floats,
    random: np.random.Generator,
) -> Floats:
    """What the fit to all sessions tends to if they vary by a covariance about theta, (P,).

    It is taken to be that of N_COPIES doubles of all sessions. It is not theta: one curve through a
    mixture of steep and flat ones is flatter than their mean.

    Parameters
    ----------
    model, choices, theta, covariance, random
        As in `varied`.
    """
    copies = varied(model, choices.copies(N_COPIES), theta, covariance, random)
    return climb(model, copies, [theta])[0].theta
