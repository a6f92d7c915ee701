"""Regressions whose errors respect sessions: least squares with resampled units, logistic with clustered errors."""

from dataclasses import dataclass

import numpy as np

from .arguments import real_array
from .stats import Estimate, percentiles, resample

NEWTON_STEPS = 20
NEWTON_TOLERANCE = 1e-12


@dataclass(frozen=True)
class LinearFit:
    """Least squares.

    Attributes
    ----------
    weights : Estimate of arrays (K,)
    r2 : Estimate
        1 - SS_res / SS_tot, with SS_tot about the mean also if there is no intercept.
    n : int
        Rows.
    """

    weights: Estimate
    r2: Estimate
    n: int


def _moments(X, y, unit):
    """Sums of (X, y, 1) times their transpose within each unit, (U, K + 2, K + 2)."""
    Z = np.column_stack([X, y, np.ones(len(y))])
    order = np.argsort(unit, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(unit[order]) != 0])
    return np.stack([part.T @ part for part in np.split(Z[order], starts[1:])])


def _solve(moments):
    """Weights (..., K) and R² (...,) from moments (..., K + 2, K + 2)."""
    k = moments.shape[-1] - 2
    gram, product, total = moments[..., :k, :k], moments[..., :k, k], moments[..., k, k]
    weights = np.linalg.solve(gram, product[..., None])[..., 0]
    n, sum_y = moments[..., k + 1, k + 1], moments[..., k, k + 1]
    residual = total - (weights * product).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return weights, 1 - residual / (total - sum_y**2 / n)


def linear(X, y, unit, *, rng=0, n_resamples=1000):
    """Least squares y ≈ X w, with 95 % intervals from resampled units (sessions).

    The intercept, if wanted, is a column of ones.

    Parameters
    ----------
    X : array_like (R, K)
    y : array_like (R,)
    unit : array_like (R,)
        Label of the session of each row.
    rng : int, SeedSequence or Generator, optional
    n_resamples : int, optional

    Returns
    -------
    LinearFit

    Raises
    ------
    ValueError
        If the shapes disagree or columns of X follow from others.

    Examples
    --------
    >>> linear([[0.0], [1.0], [2.0], [3.0]], [0.0, 2.0, 4.0, 6.0], [0, 0, 1, 1]).weights.value
    array([2.])
    """
    X, y, unit = real_array(X, "X", (2,)), real_array(y, "y", (1,)), np.asarray(unit)
    if unit.ndim != 1 or not (len(X) == len(y) == len(unit)):
        raise ValueError(f"X, y and unit must have one row each, got {X.shape}, {y.shape}, {unit.shape}")
    _refuse_dependent(X, "X")
    moments, resampled = _resampled_moments(X, y, unit, rng, n_resamples)
    (weights, r2), (drawn, drawn_r2) = _solve(moments.sum(0)), _solve(resampled)
    low, high = percentiles(drawn.T, len(moments))
    low_r2, high_r2 = percentiles(drawn_r2[None], len(moments))[:, 0]
    return LinearFit(
        Estimate(weights, low, high, len(moments)), Estimate(float(r2), float(low_r2), float(high_r2), len(moments)), len(y)
    )


def _refuse_dependent(X, name):
    norms = np.linalg.norm(X, axis=0)
    if len(X) < X.shape[1] or (np.abs(np.diag(np.linalg.qr(X, mode="r"))) <= 1e-9 * norms).any():
        raise ValueError(f"{name} must have columns that do not follow from each other")


def _resampled_moments(X, y, unit, rng, n_resamples):
    """Moments of each unit, and those of the resamples in which the columns of X stay independent."""
    moments, k = _moments(X, y, unit), X.shape[1]
    draws = resample(len(moments), rng=rng, n_resamples=n_resamples)
    resampled = draws.sums(moments.reshape(len(moments), -1)).T.reshape(-1, *moments.shape[1:])
    return moments, resampled[np.linalg.matrix_rank(resampled[:, :k, :k]) == k]


def added_r2(X, extra, y, unit, *, rng=0, n_resamples=1000):
    """R² that the columns `extra` add to least squares on X, with its interval over the same resampled units.

    Columns of `extra` that do not vary add nothing and are left out.

    Parameters
    ----------
    X : array_like (R, K)
    extra : array_like (R, L)
    y, unit : array_like (R,)
    rng, n_resamples : optional
        As in `linear`.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> X, extra = [[1.0]] * 4, [[0.0], [1.0], [2.0], [3.0]]
    >>> round(added_r2(X, extra, [0.0, 2.0, 4.0, 6.0], [0, 0, 1, 1]).value, 6)
    1.0
    """
    X, extra, y, unit = real_array(X, "X", (2,)), real_array(extra, "extra", (2,)), real_array(y, "y", (1,)), np.asarray(unit)
    extra = extra[:, extra.std(0) > 0]
    k, n_units = X.shape[1], len(np.unique(unit))
    if not extra.shape[1]:
        return Estimate(0.0, 0.0, 0.0, n_units)
    _refuse_dependent(np.column_stack([X, extra]), "X and extra")
    moments, resampled = _resampled_moments(np.column_stack([X, extra]), y, unit, rng, n_resamples)
    kept = [*range(k), moments.shape[1] - 2, moments.shape[1] - 1]

    def added(all_moments):
        return _solve(all_moments)[1] - _solve(all_moments[..., kept, :][..., kept])[1]

    low, high = percentiles(added(resampled)[None], n_units)[:, 0]
    return Estimate(float(added(moments.sum(0))), float(low), float(high), n_units)


@dataclass(frozen=True)
class LogisticFit:
    """Weights of a logistic regression.

    Attributes
    ----------
    weights, se : ndarray (K,)
        NaN where a column is a combination of those before it, and everywhere if not converged.
    converged : bool
        False if the classes are separated, so that no finite maximum exists.
    n_clusters : int
    """

    weights: np.ndarray
    se: np.ndarray
    converged: bool
    n_clusters: int


def _newton(X, y):
    """Maximise the log-likelihood by Newton's method from 0; separated classes do not converge in the given steps."""
    from scipy.special import expit

    w = np.zeros(X.shape[1])
    for _ in range(NEWTON_STEPS):
        p = expit(X @ w)
        gradient, hessian = X.T @ (y - p), (X * (p * (1 - p))[:, None]).T @ X
        step = np.linalg.solve(hessian, gradient)
        if gradient @ step < NEWTON_TOLERANCE:
            return w, True
        w = w + step
    return w, False


def _sandwich(X, y, w, cluster):
    """Cluster-robust covariance H⁻¹ (Σ_g u_g u_gᵀ) H⁻¹ · G/(G−1) · (n−1)/(n−K) with the scores u_g of the clusters."""
    from scipy.special import expit

    p = expit(X @ w)
    groups, inverse = np.unique(cluster, return_inverse=True)
    residual = y - p
    scores = np.stack([np.bincount(inverse, x * residual) for x in X.T], axis=1)
    bread = np.linalg.inv((X * (p * (1 - p))[:, None]).T @ X)
    (n, k), g = X.shape, len(groups)
    correction = g / (g - 1) * (n - 1) / (n - k) if g > 1 and n > k else np.nan
    return correction * bread @ (scores.T @ scores) @ bread


def logistic(X, y, cluster):
    """Unpenalised logistic regression with cluster-robust standard errors (Liang & Zeger 1986).

    Parameters
    ----------
    X : array_like (R, K)
        Regressors, the intercept included. A column that is a linear combination of those before it is left out.
    y : array_like (R,)
        0 or 1.
    cluster : array_like (R,)
        Label of the cluster of each row, usually its session.

    Returns
    -------
    LogisticFit

    Examples
    --------
    >>> logistic([[1], [1], [1], [1]], [1, 1, 1, 0], [0, 0, 1, 1]).weights.round(4)
    array([1.0986])
    """
    X, y, cluster = real_array(X, "X", (2,)), real_array(y, "y", (1,)), np.asarray(cluster)
    if cluster.ndim != 1 or not (len(X) == len(y) == len(cluster)):
        raise ValueError(f"X, y and cluster must have one row each per trial, got {X.shape}, {y.shape}, {cluster.shape}")
    if not np.isin(y, (0, 1)).all():
        raise ValueError("y must be 0 or 1 everywhere")
    norms = np.linalg.norm(X, axis=0)
    kept = np.zeros(X.shape[1], dtype=bool)
    kept[: min(X.shape)] = np.abs(np.diag(np.linalg.qr(X, mode="r"))) > 1e-9 * norms[: min(X.shape)]
    weights, se = np.full((2, X.shape[1]), np.nan)
    try:
        w, converged = _newton(X[:, kept], y)
        if converged:
            weights[kept], se[kept] = w, np.sqrt(np.diag(_sandwich(X[:, kept], y, w, cluster)))
    except np.linalg.LinAlgError:
        converged = False
    return LogisticFit(weights, se, converged, len(np.unique(cluster)))
