"""Regressions whose errors respect sessions.

Least squares with resampled units, logistic with clustered errors.
"""

from dataclasses import dataclass

import numpy as np

from hrnn.base.arguments import generator, real_array
from hrnn.statistics.resampling import Estimate, percentiles, resample

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


def independent(X):
    """Which columns of X (R, K) do not follow from those before them, (K,) bool.

    Examples
    --------
    >>> independent(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0]])).tolist()
    [True, False, True]
    """
    basis = np.empty((len(X), 0))
    kept = []
    for column in X.T:
        left = column - basis @ (basis.T @ column)
        left -= basis @ (basis.T @ left)  # once more, for what rounding left
        kept.append(bool(np.linalg.norm(left) > 1e-9 * np.linalg.norm(column)))
        if kept[-1]:
            basis = np.column_stack([basis, left / np.linalg.norm(left)])
    return np.array(kept)


class _Resampled:
    """Least squares of y on X and on its resampled units, from the moments of each unit.

    Everything is done in the orthonormal columns Q of X = Q R and in the deviations of y from its
    mean, so that nothing cancels.
    """

    def __init__(self, X, y, unit, rng, n_resamples):
        (Q, self.R) = np.linalg.qr(X)
        k = X.shape[1]
        if len(X) < k or not (np.abs(np.diag(self.R)) > 1e-9 * np.linalg.norm(X, axis=0)).all():
            raise ValueError("X must have columns that do not follow from each other")
        _, code = np.unique(unit, return_inverse=True)
        self.scale = max(np.abs(y - y.mean()).max(), 1e-300)
        self.mean = y.mean() / self.scale
        Z = np.column_stack([Q, (y - y.mean()) / self.scale, np.ones(len(y))])
        order = np.argsort(code, kind="stable")
        parts = np.split(Z[order], np.flatnonzero(np.diff(code[order])) + 1)
        moments = np.stack([part.T @ part for part in parts])
        draws = resample(len(moments), rng=rng, n_resamples=n_resamples)
        drawn = draws.sums(moments.reshape(len(moments), -1)).T.reshape(-1, *moments.shape[1:])
        whole = np.linalg.matrix_rank(drawn[:, :k, :k], tol=1e-9) == k
        self.n_units = len(moments)
        self.moments = np.concatenate(
            [moments.sum(0)[None], drawn[whole]]
        )  # first the data, then the resamples

    def solve(self, columns):
        """Weights (1 + B, K) of the first columns and R² (1 + B,).

        For the data and for each resample.
        """
        m = self.moments
        mean = self.mean
        gram = m[:, :columns, :columns]
        of_y = m[:, :columns, -2]
        of_1 = m[:, :columns, -1]
        y_on, one_on = np.linalg.solve(gram, np.stack([of_y, of_1], -1)).transpose(2, 0, 1)
        sum_yy = m[:, -2, -2]
        sum_y = m[:, -2, -1]
        n = m[:, -1, -1]
        residual = sum_yy - (y_on * of_y).sum(-1)
        of_mean = n - (one_on * of_1).sum(-1)
        if (
            of_mean[0] > 1e-9 * n[0]
        ):  # no intercept among the columns: the mean of y is left over in part
            residual = residual + 2 * mean * (sum_y - (y_on * of_1).sum(-1)) + mean**2 * of_mean
        with np.errstate(divide="ignore", invalid="ignore"):
            r2 = 1 - residual / (sum_yy - sum_y**2 / n)
        return np.linalg.solve(
            self.R[:columns, :columns], self.scale * (y_on + mean * one_on).T
        ).T, r2

    def estimate(self, values):
        """Estimate of values (1 + B,) or (1 + B, K): the first and the interval of the others."""
        low, high = percentiles(np.atleast_2d(values[1:].T), self.n_units)
        if values.ndim == 1:
            return Estimate(float(values[0]), float(low[0]), float(high[0]), self.n_units)
        return Estimate(values[0], low, high, self.n_units)


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
    X = real_array(X, "X", (2,))
    y = real_array(y, "y", (1,))
    unit = np.asarray(unit)
    if unit.ndim != 1 or not (len(X) == len(y) == len(unit)):
        raise ValueError(
            f"X, y and unit must have one row each, got {X.shape}, {y.shape}, {unit.shape}"
        )
    fit = _Resampled(X, y, unit, rng, n_resamples)
    weights, r2 = fit.solve(X.shape[1])
    return LinearFit(fit.estimate(weights), fit.estimate(r2), len(y))


def weight_ratio(X, Y, contrast, unit, *, rng=0, n_resamples=1000):
    """Ratio of one combination of weights between two regressions on the same X.

    With its interval over resampled units.

    Parameters
    ----------
    X : array_like (R, K)
    Y : array_like (R, 2)
        The numerator's regression is of the first column.
    contrast : array_like (K,)
        Which combination of weights.
    unit : array_like (R,)
    rng, n_resamples : optional
        As in `linear`.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> weight_ratio([[1.0], [2.0], [3.0], [4.0]], [[2.0, 1.0], [4.0, 2.0], [6.0, 3.0], [8.0, 4.0]], [1], [0, 0, 1, 1]).value
    2.0
    """
    X = real_array(X, "X", (2,))
    Y = real_array(Y, "Y", (2,))
    unit = np.asarray(unit)
    contrast = real_array(contrast, "contrast", (1,))
    if Y.shape != (len(X), 2) or contrast.shape != X.shape[1:] or unit.shape != X.shape[:1]:
        raise ValueError(
            f"X, Y, contrast and unit must agree, got {X.shape}, {Y.shape}, {contrast.shape}, {unit.shape}"
        )
    seed = generator(rng).integers(2**63)  # the same resamples for both
    fits = [_Resampled(X, y, unit, seed, n_resamples) for y in Y.T]
    above, below = (fit.solve(X.shape[1])[0] @ contrast for fit in fits)
    return fits[0].estimate(above / below)


def correlation(x, y, unit, *, rng=0, n_resamples=1000):
    """Correlation of x and y, with its interval from resampled units.

    NaN if one of them does not vary.

    Parameters
    ----------
    x, y, unit : array_like (R,)
    rng, n_resamples : optional
        As in `linear`.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> correlation([0.0, 1.0, 2.0, 3.0], [0.0, 2.0, 4.0, 6.0], [0, 0, 1, 1]).value
    1.0
    """
    x = real_array(x, "x", (1,))
    y = real_array(y, "y", (1,))
    unit = np.asarray(unit)
    if unit.ndim != 1 or not (len(x) == len(y) == len(unit)):
        raise ValueError(
            f"x, y and unit must have one row each, got {x.shape}, {y.shape}, {unit.shape}"
        )
    _, code = np.unique(unit, return_inverse=True)
    if not (x.std() > 0 and y.std() > 0):
        return Estimate(np.nan, np.nan, np.nan, code.max() + 1)
    x, y = ((v - v.mean()) / v.std() for v in (x, y))
    sums = np.stack(
        [np.bincount(code, v) for v in (np.ones(len(x)), x, y, x * x, y * y, x * y)], axis=1
    )
    draws = resample(len(sums), rng=rng, n_resamples=n_resamples)
    n, sx, sy, sxx, syy, sxy = np.column_stack([sums.sum(0), draws.sums(sums)])
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (sxy - sx * sy / n) / np.sqrt((sxx - sx**2 / n) * (syy - sy**2 / n))
    low, high = percentiles(r[None, 1:], len(sums))[:, 0]
    return Estimate(float(r[0]), float(low), float(high), len(sums))


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
    """Maximise the log-likelihood by Newton's method from 0.

    Separated classes do not converge in the given steps.
    """
    from scipy.special import expit

    w = np.zeros(X.shape[1])
    for _ in range(NEWTON_STEPS):
        p = expit(X @ w)
        gradient = X.T @ (y - p)
        hessian = (X * (p * (1 - p))[:, None]).T @ X
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
    (n, k) = X.shape
    g = len(groups)
    correction = g / (g - 1) * (n - 1) / (n - k) if g > 1 and n > k else np.nan
    return correction * bread @ (scores.T @ scores) @ bread


def logistic(X, y, cluster):
    """Unpenalised logistic regression with cluster-robust standard errors (Liang & Zeger 1986).

    Parameters
    ----------
    X : array_like (R, K)
        Regressors, the intercept included. A column that is a linear combination of those before it
        is left out.
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
    X = real_array(X, "X", (2,))
    y = real_array(y, "y", (1,))
    cluster = np.asarray(cluster)
    if cluster.ndim != 1 or not (len(X) == len(y) == len(cluster)):
        raise ValueError(
            f"X, y and cluster must have one row each per trial, got {X.shape}, {y.shape}, {cluster.shape}"
        )
    if not np.isin(y, (0, 1)).all():
        raise ValueError("y must be 0 or 1 everywhere")
    kept = independent(X)
    weights, se = np.full((2, X.shape[1]), np.nan)
    try:
        w, converged = _newton(X[:, kept], y)
        if converged:
            weights[kept] = w
            se[kept] = np.sqrt(np.diag(_sandwich(X[:, kept], y, w, cluster)))
    except np.linalg.LinAlgError:
        converged = False
    return LogisticFit(weights, se, converged, len(np.unique(cluster)))
