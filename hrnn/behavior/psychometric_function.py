"""Psychometric functions: right choices against signed strength, fitted per block side.

The fits are by maximum likelihood.

P(right | c) = γ1 + (1 − γ1 − γ2) ½ [1 + erf((c − μ)/(√2 σ))], with two lapses (the IBL's
`erf_psycho_2gammas`, whose own σ is √2 times this one). Fits use counts per strength; the fractions
themselves come from `behavior.by_strength`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.base.arguments import generator, real_array, real_number
from hrnn.behavior.trials import session_codes, trial_column, trial_table

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike, Trials

PARAMETERS: tuple[str, ...] = ("mu", "sigma", "gamma1", "gamma2")
N_PER_REGION: int = 25  # candidates in each region of the box of starts
NEAR: float = 0.01  # nats below the best that a start may end and still agree with it
# mu and sigma in units of the largest strength; the search is over log sigma
LOWER: NDArray[np.float64] = np.array([-1.0, 1e-3, 0.0, 0.0])
UPPER: NDArray[np.float64] = np.array([1.0, 10.0, 0.5, 0.5])
# region of the starts: outside it the likelihood has other maxima, steps between two strengths
START_LOWER: NDArray[np.float64] = np.array([-0.5, np.log(0.03), 0.0, 0.0])
START_UPPER: NDArray[np.float64] = np.array([0.5, 0.0, 0.3, 0.3])
# edges of the regions of log sigma and of the sum of the lapses: one start in each
SIGMA_EDGES: NDArray[np.float64] = np.log([0.03, 0.08, 0.2, 0.45, 1.0])
LAPSE_EDGES: NDArray[np.float64] = np.array([0.0, 0.08, 0.3])
SMALLEST: float = 1e-12
MAX_SLOPE: float = 1e-5


def psychometric_curve(
    c: ArrayLike, *, mu: float, sigma: float, gamma1: float, gamma2: float
) -> NDArray[np.float64]:
    """P(right) at signed strengths c.

    Parameters
    ----------
    c : array_like
        Signed strengths or contrasts, right positive.
    mu : float
        Centre, in the unit of c.
    sigma : float
        Standard deviation, in the unit of c.
    gamma1 : float
        Lapse on the left: P(right) far on the left.
    gamma2 : float
        Lapse on the right: P(left) far on the right.

    Returns
    -------
    ndarray of the shape of c
        Probability of a right choice.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a finite number, sigma not positive, or the lapses are negative or
        exceed 1 together.

    Examples
    --------
    >>> float(psychometric_curve(0.0, mu=0.0, sigma=1.0, gamma1=0.1, gamma2=0.1))
    0.5
    """
    c = real_array(c, "c", range(9))
    mu = real_number(mu, "mu", -np.inf, np.inf, "")
    sigma = real_number(sigma, "sigma", 0, np.inf, "")
    gamma1 = real_number(gamma1, "gamma1", 0, 1, "[]")
    gamma2 = real_number(gamma2, "gamma2", 0, 1 - gamma1, "[]")
    return curve(c, mu, sigma, gamma1, gamma2)


def curve(c: NDArray[np.float64], mu: Any, sigma: Any, gamma1: Any, gamma2: Any) -> Any:
    """P(right) as `psychometric_curve` has it, unchecked, of numbers or arrays.

    Parameters
    ----------
    c : ndarray
        Signed strengths.
    mu, sigma, gamma1, gamma2 : float or ndarray
        Parameters, which broadcast with c.

    Returns
    -------
    ndarray
        Of the shape that all broadcast to.
    """
    from scipy.special import ndtr

    z = (c - mu) / sigma
    height = 1 - gamma1 - gamma2
    return gamma1 + height * ndtr(z)


def curve_and_slopes(
    theta: NDArray[np.float64], c: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """P(right) and its derivatives by the four parameters.

    Parameters
    ----------
    theta : ndarray (4,)
        Mu, sigma, gamma1, gamma2.
    c : ndarray (C,)
        Signed strengths.

    Returns
    -------
    p : ndarray (C,)
        P(right), never quite 0 or 1.
    slopes : ndarray (4, C)
        The derivatives.
    """
    from scipy.special import ndtr

    mu, sigma, gamma1, gamma2 = theta
    z = (c - mu) / sigma
    phi = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    height = 1 - gamma1 - gamma2
    cdf = ndtr(z)
    slope = -height * phi / sigma
    p = np.minimum(np.maximum(gamma1 + height * cdf, SMALLEST), 1 - SMALLEST)
    return p, np.array([slope, slope * z, 1 - cdf, -cdf])


def _loss(
    theta: NDArray[np.float64],
    c: NDArray[np.float64],
    n_right: NDArray[np.float64],
    n: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    """Negative log-likelihood per trial and its gradient (4,)."""
    p, slopes = curve_and_slopes(theta, c)
    total = n.sum()
    n_left = n - n_right
    value = -(n_right @ np.log(p) + n_left @ np.log1p(-p)) / total
    by_p = n_right / p - n_left / (1 - p)
    return value, -slopes @ by_p / total


def _curvature(theta: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    """Second derivatives of P(right), (4, 4, C)."""
    mu, sigma, gamma1, gamma2 = theta
    z = (c - mu) / sigma
    phi = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    height = 1 - gamma1 - gamma2
    variance = sigma**2
    mixed = height * phi * (1 - z**2) / variance
    second = np.zeros((4, 4, len(c)))
    second[0, 0] = -height * phi * z / variance
    second[0, 1] = mixed
    second[1, 0] = mixed
    second[1, 1] = height * phi * z * (2 - z**2) / variance
    second[0, 2:] = phi / sigma
    second[2:, 0] = phi / sigma
    second[1, 2:] = phi * z / sigma
    second[2:, 1] = phi * z / sigma
    return second


def _information(
    theta: NDArray[np.float64],
    c: NDArray[np.float64],
    n_right: NDArray[np.float64],
    n: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Observed information: minus the Hessian (4, 4) of the log-likelihood."""
    p, slopes = curve_and_slopes(theta, c)
    n_left = n - n_right
    by_p = n_right / p - n_left / (1 - p)
    by_p_twice = n_right / p**2 + n_left / (1 - p) ** 2
    outer = (slopes * by_p_twice) @ slopes.T
    return outer - _curvature(theta, c) @ by_p


def _standard_errors(
    theta: NDArray[np.float64],
    free: NDArray[np.bool_],
    c: NDArray[np.float64],
    n_right: NDArray[np.float64],
    n: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Errors (4,) from the free parameters' information.

    NaN for those at a bound, for all if the information is not positive definite, and for those
    whose error is wider than the bounds: the data do not determine them.
    """
    se = np.full(4, np.nan)
    information = _information(theta, c, n_right, n)[np.ix_(free, free)]
    if free.any() and _positive_definite(information):
        se[free] = np.sqrt(np.diag(np.linalg.inv(information)))
    return np.where(se < UPPER - LOWER, se, np.nan)


def _positive_definite(matrix: NDArray[np.float64]) -> bool:
    largest = np.abs(matrix).max()
    return bool(np.linalg.eigvalsh(matrix).min() > SMALLEST * largest)


def candidates(rng: RNGLike) -> NDArray[np.float64]:
    """Draw starting points, equally many in every region of sigma and the lapses.

    Parameters
    ----------
    rng : int, SeedSequence or Generator
        Seed or generator of the points.

    Returns
    -------
    ndarray (n_regions, N_PER_REGION, 4)
        Mu and sigma in units of the largest strength, gamma1, gamma2.

    Examples
    --------
    >>> candidates(0).shape[2]
    4
    """
    uniform = generator(rng).random((len(SIGMA_EDGES) - 1, 2, 2, N_PER_REGION, 4))
    lower = np.empty(uniform.shape)
    lower[...] = START_LOWER
    upper = np.empty(uniform.shape)
    upper[...] = START_UPPER
    lower[..., 1] = SIGMA_EDGES[:-1, None, None, None]
    upper[..., 1] = SIGMA_EDGES[1:, None, None, None]
    lower[..., 2] = LAPSE_EDGES[:-1, None, None]
    upper[..., 2] = LAPSE_EDGES[1:, None, None]
    lower[..., 3] = LAPSE_EDGES[:-1, None]
    upper[..., 3] = LAPSE_EDGES[1:, None]
    points = lower + uniform * (upper - lower)
    points[..., 1] = np.exp(points[..., 1])
    return points.reshape(-1, N_PER_REGION, 4)


def starts(
    points: NDArray[np.float64],
    c: NDArray[np.float64],
    n_right: NDArray[np.float64],
    n: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Choose the best candidate of each region, the best region first.

    Parameters
    ----------
    points : ndarray (n_regions, N, 4)
        As `candidates` makes them.
    c : ndarray (C,)
        Signed strengths, the largest of size 1.
    n_right, n : ndarray (C,)
        Right choices and choices at each.

    Returns
    -------
    ndarray (n_regions, 4)
        Mu, sigma, gamma1, gamma2.
    """
    mu, sigma, gamma1, gamma2 = np.moveaxis(points, -1, 0)[..., None]
    p = np.clip(curve(c, mu, sigma, gamma1, gamma2), SMALLEST, 1 - SMALLEST)
    loss = -(np.log(p) @ n_right + np.log1p(-p) @ (n - n_right))
    best = loss.argmin(axis=1)
    regions = np.arange(len(points))
    order = np.argsort(loss[regions, best], kind="stable")
    return points[regions, best][order]


def climb(
    points: NDArray[np.float64],
    c: NDArray[np.float64],
    n_right: NDArray[np.float64],
    n: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float, float, float]:
    """Search from starting points within the bounds.

    Truncated Newton, because L-BFGS-B calls threaded LAPACK on 4 × 4 matrices, which is slow on a
    busy machine.

    Parameters
    ----------
    points : ndarray (S, 4)
        Where the searches start: mu, sigma, gamma1, gamma2.
    c : ndarray (C,)
        Signed strengths, the largest of size 1.
    n_right, n : ndarray (C,)
        Right choices and choices at each.

    Returns
    -------
    theta : ndarray (4,)
        Where the best search ended.
    log_likelihood : float
        There, in nats.
    slope : float
        Largest entry of the projected gradient of the loss per trial.
    agreement : float
        Fraction of the searches that ended within NEAR of the best.
    """
    from scipy.optimize import minimize

    def loss(u: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        theta = np.array([u[0], np.exp(u[1]), u[2], u[3]])
        value, gradient = _loss(theta, c, n_right, n)
        gradient[1] *= theta[1]
        return value, gradient

    lower, upper, first = LOWER.copy(), UPPER.copy(), points.copy()
    for box in (lower, upper, first.T):
        box[1] = np.log(box[1])
    bounds = np.column_stack([lower, upper])
    options = {"ftol": 1e-15, "gtol": 1e-9, "xtol": 1e-12, "maxfun": 500}
    fits: list[Any] = [
        minimize(loss, start, jac=True, method="TNC", bounds=bounds, options=options)
        for start in first
    ]
    best = min(fits, key=lambda fit: fit.fun)
    moved = np.clip(best.x - best.jac, lower, upper) - best.x
    theta = np.array([best.x[0], np.exp(best.x[1]), *best.x[2:]])
    agree = [(fit.fun - best.fun) * n.sum() < NEAR for fit in fits]
    return theta, -best.fun * n.sum(), np.abs(moved).max(), float(np.mean(agree))


def _row(
    c: NDArray[np.float64],
    n_right: NDArray[np.float64],
    n: NDArray[np.float64],
    points: NDArray[np.float64],
) -> dict[str, Any]:
    """All that is reported of one fit."""
    scale = np.abs(c).max() or 1.0
    data = (c / scale, n_right, n)
    theta, log_likelihood, slope, agreement = climb(starts(points, *data), *data)
    near = 1e-6 * (UPPER - LOWER)
    free = (theta > LOWER + near * [1, 1e-4, 1, 1]) & (theta < UPPER - near)
    unit = np.array([scale, scale, 1, 1])
    se = unit * _standard_errors(theta, free, *data)
    theta = unit * theta
    root2 = np.sqrt(2)
    row: dict[str, Any] = dict(zip(PARAMETERS, theta, strict=True))
    row["sigma_ibl"] = root2 * theta[1]
    for name, value in zip(PARAMETERS, se, strict=True):
        row[f"se_{name}"] = value
    row["se_sigma_ibl"] = root2 * se[1]
    row["log_likelihood"] = log_likelihood
    row["n_trials"] = int(n.sum())
    row["converged"] = bool(slope < MAX_SLOPE)
    row["at_bound"] = bool(not free.all())
    row["agreement"] = agreement
    return row


def _counts(trials: Trials) -> tuple[pd.DataFrame, list[str]]:
    """Count the choices per (subject,) p_left and signed strength.

    Returns a table with `n_right` and `n`, and the names of the columns of one fit.
    """
    import pandas as pd

    table = trial_table(trials, "session", "p_left", "signed_strength", "choice")
    session_codes(table)
    choice = trial_column(table, "choice", allowed=(-1, 0, 1))
    names = ("p_left", "signed_strength")
    frame = pd.DataFrame(
        {name: trial_column(table, name) for name in names} | {"n_right": choice > 0, "n": 1.0}
    )
    by = ["p_left"]
    if "subject" in table:
        frame = frame.assign(subject=table["subject"].to_numpy())
        by = ["subject", "p_left"]
    if not (choice != 0).any():
        raise ValueError("trials must have choices, got none")
    groups = frame[choice != 0].groupby([*by, "signed_strength"], sort=True, as_index=False)
    return cast("pd.DataFrame", groups.sum()), by


def psychometric(trials: Trials, *, rng: RNGLike = 0) -> pd.DataFrame:
    """Fit the psychometric function with two lapses to each block side of each subject.

    Binomial maximum likelihood with the analytic gradient, from the best of 25 points in each of 16
    regions of σ and the lapses; the points are the same for every fit. The likelihood of a short
    session may have several maxima; steps between two strengths, with σ below the starts, are left
    out on purpose. With s the largest |signed strength|: μ in [−s, s], σ in [s/1000, 10 s], γ1 and
    γ2 in [0, ½]. Standard errors come from the Hessian over the parameters that are not at a bound.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
        With `session, p_left, signed_strength, choice`; trials without a choice are left out.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the starts.

    Returns
    -------
    DataFrame
        One row per (`subject`,) `p_left`: `mu, sigma, gamma1, gamma2` and `sigma_ibl` = √2 σ, `se_`
        of each (NaN at a bound or if the data do not determine it), `log_likelihood` (of the single
        choices, nats), `n_trials`, `converged`, `at_bound`, `agreement` (fraction of the starts
        that ended within .01 nats of the best). mu and sigma are in the unit of the strengths.

    Raises
    ------
    TypeError, ValueError
        If `trials` is no trial table, lacks columns, holds NaN or has no choices.

    Examples
    --------
    >>> import pandas as pd
    >>> strength = [-1.0, -0.5, 0, 0.5, 1] * 40
    >>> trials = pd.DataFrame({"session": 0, "p_left": 0.5, "signed_strength": strength})
    >>> percept = np.random.default_rng(0).normal(strength, 0.5)
    >>> trials["choice"] = np.where(percept > 0, 1, -1)
    >>> psychometric(trials)["converged"].to_list()
    [True]
    """
    import pandas as pd

    counts, by = _counts(trials)
    points = candidates(rng)
    rows = []
    for key, group in counts.groupby(by, sort=True):
        c = group["signed_strength"].to_numpy(dtype=float)
        n_right = group["n_right"].to_numpy(dtype=float)
        n = group["n"].to_numpy(dtype=float)
        names = dict(zip(by, cast("tuple[Any, ...]", key), strict=True))
        rows.append(names | _row(c, n_right, n, points))
    return pd.DataFrame(rows)
