"""Regressions whose errors respect sessions.

Least squares with resampled units, logistic with clustered errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.base.arguments import generator, real_array
from hrnn.statistics.resampling import Estimate, percentiles, resample, with_width

if TYPE_CHECKING:
    from hrnn.base.typing import RNGLike

NEWTON_STEPS: int = 20
NEWTON_TOLERANCE: float = 1e-12


@dataclass(frozen=True)
class LinearFit:
    """Weights of a least-squares regression.

    Attributes
    ----------
    weights : Estimate of arrays (K,)
        One weight per column, with its interval; that of a column that is 0 in all units but some
        is of these units.
    r2 : Estimate
        1 - SS_res / SS_tot, with SS_tot about the mean also if there is no intercept.
    n : int
        Number of rows.
    """

    weights: Estimate
    r2: Estimate
    n: int


def independent(X: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the columns of X (R, K) that are no combination of those before them, (K,) bool.

    Examples
    --------
    >>> independent(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0]])).tolist()
    [True, False, True]
    """
    X = real_array(X, "X", (2,))
    basis = np.empty((len(X), 0))
    kept = []
    for column in X.T:
        left = column - basis @ (basis.T @ column)
        left -= basis @ (basis.T @ left)  # once more, for what rounding left
        length = np.linalg.norm(left)
        kept.append(bool(length > 1e-9 * np.linalg.norm(column)))
        if kept[-1]:
            basis = np.column_stack([basis, left / length])
    return np.array(kept)


class _Resampled:
    """Least squares of y on X and on its resampled units, from the moments of each unit.

    Everything is done in the orthonormal columns Q of X = Q R and in the deviations of y from its
    mean, so that nothing cancels.
    """

    def __init__(
        self,
        X: NDArray[np.float64],
        y: NDArray[np.float64],
        unit: NDArray[Any],
        rng: RNGLike,
        n_resamples: int,
    ) -> None:
        (Q, self.R) = np.linalg.qr(X)
        k = X.shape[1]
        own_length = np.abs(np.diag(self.R))  # what a column does not share with those before it
        if len(X) < k or not (own_length > 1e-9 * np.linalg.norm(X, axis=0)).all():
            raise ValueError("X must have columns that do not follow from each other")
        deviation = y - y.mean()
        self.scale = max(np.abs(deviation).max(), 1e-300)
        self.mean = y.mean() / self.scale
        Z = np.column_stack([Q, deviation / self.scale, np.ones(len(y))])
        moments = _unit_moments(Z, unit)
        self.n_units = len(moments)
        self.n_telling = _units_that_tell(X, unit)
        draws = resample(self.n_units, rng=rng, n_resamples=n_resamples)
        drawn = draws.sums(moments.reshape(self.n_units, -1)).T
        drawn = drawn.reshape(-1, *moments.shape[1:])
        whole = np.linalg.matrix_rank(drawn[:, :k, :k], tol=1e-9) == k
        self.all_defined = bool(whole.all())
        # first the data, then the resamples
        self.moments = np.concatenate([moments.sum(0)[None], drawn[whole]])

    def solve(self, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Solve for weights (1 + B, K) of the first columns and R² (1 + B,).

        Both are those of the data, then of each resample.
        """
        m = self.moments
        mean = self.mean
        gram = m[:, :columns, :columns]
        of_y = m[:, :columns, -2]
        of_1 = m[:, :columns, -1]
        both = np.stack([of_y, of_1], -1)
        y_on, one_on = np.linalg.solve(gram, both).transpose(2, 0, 1)
        sum_yy = m[:, -2, -2]
        sum_y = m[:, -2, -1]
        n = m[:, -1, -1]
        residual = sum_yy - (y_on * of_y).sum(-1)
        of_mean = n - (one_on * of_1).sum(-1)
        # no intercept among the columns: the mean of y is left over in part
        if of_mean[0] > 1e-9 * n[0]:
            left = sum_y - (y_on * of_1).sum(-1)
            residual = residual + 2 * mean * left + mean**2 * of_mean
        with np.errstate(divide="ignore", invalid="ignore"):
            r2 = 1 - residual / (sum_yy - sum_y**2 / n)
        in_Q = self.scale * (y_on + mean * one_on).T
        weights = np.linalg.solve(self.R[:columns, :columns], in_Q).T
        return weights, r2

    def estimate(self, values: NDArray[np.float64], n: ArrayLike) -> Estimate:
        """Estimate of values (1 + B,) or (1 + B, K): the first and the interval of the others.

        It is an interval of n units, or of n (K,).
        """
        ends = percentiles(np.atleast_2d(values[1:].T), n)
        low, high = ends if self.all_defined else with_width(ends)
        if values.ndim == 1:
            return Estimate(float(values[0]), float(low[0]), float(high[0]), self.n_units)
        return Estimate(values[0], low, high, self.n_units)


def _units_that_tell(X: NDArray[np.float64], unit: NDArray[Any]) -> NDArray[np.int64]:
    """Number of units in which each column of X (R, K) is not 0, (K,)."""
    return np.array([len(np.unique(unit[column != 0])) for column in X.T], dtype=np.int64)


def _unit_moments(Z: NDArray[np.float64], unit: NDArray[Any]) -> NDArray[np.float64]:
    """Sums of products of the columns Z (R, C) within each unit, (U, C, C)."""
    _, code = np.unique(unit, return_inverse=True)
    order = np.argsort(code, kind="stable")
    first = np.flatnonzero(np.diff(code[order])) + 1
    parts = np.split(Z[order], first)
    return np.stack([part.T @ part for part in parts])


def linear(
    X: ArrayLike, y: ArrayLike, unit: ArrayLike, *, rng: RNGLike = 0, n_resamples: int = 1000
) -> LinearFit:
    """Least squares y ≈ X w, with 95 % intervals from resampled units (sessions).

    The intercept, if wanted, is a column of ones.

    Parameters
    ----------
    X : array_like (R, K)
        Regressors, one a column.
    y : array_like (R,)
        What is regressed on them.
    unit : array_like (R,)
        Label of the session of each row.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples.
    n_resamples : int, optional
        Number of resamples.

    Returns
    -------
    LinearFit
        The weights and R², with their intervals.

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
    return LinearFit(fit.estimate(weights, fit.n_telling), fit.estimate(r2, fit.n_units), len(y))


def weight_ratio(
    X: ArrayLike,
    Y: ArrayLike,
    contrast: ArrayLike,
    unit: ArrayLike,
    *,
    rng: RNGLike = 0,
    n_resamples: int = 1000,
) -> Estimate:
    """Ratio of one combination of weights between two regressions on the same X.

    Parameters
    ----------
    X : array_like (R, K)
        Regressors of both.
    Y : array_like (R, 2)
        What is regressed on them: the numerator's regression is of the first column.
    contrast : array_like (K,)
        Coefficients of the combination of weights.
    unit : array_like (R,)
        Label of the session of each row.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples, which are the same for both.
    n_resamples : int, optional
        Number of resamples.

    Returns
    -------
    Estimate
        The ratio, with its interval over resampled units; NaN where the second combination is 0.

    Examples
    --------
    >>> X = [[1.0], [2.0], [3.0], [4.0]]
    >>> Y = [[2.0, 1.0], [4.0, 2.0], [6.0, 3.0], [8.0, 4.0]]
    >>> weight_ratio(X, Y, [1], [0, 0, 1, 1]).value
    2.0
    """
    X = real_array(X, "X", (2,))
    Y = real_array(Y, "Y", (2,))
    unit = np.asarray(unit)
    contrast = real_array(contrast, "contrast", (1,))
    if Y.shape != (len(X), 2) or contrast.shape != X.shape[1:] or unit.shape != X.shape[:1]:
        raise ValueError(
            f"X, Y, contrast and unit must agree, got {X.shape}, {Y.shape}, "
            f"{contrast.shape}, {unit.shape}"
        )
    seed = int(generator(rng).integers(2**63))  # the same resamples for both
    fits = [_Resampled(X, y, unit, seed, n_resamples) for y in Y.T]
    above, below = (fit.solve(X.shape[1])[0] @ contrast for fit in fits)
    ratio = np.divide(above, below, out=np.full(len(below), np.nan), where=below != 0)
    telling = fits[0].n_telling[contrast != 0]
    return fits[0].estimate(ratio, telling.min(initial=fits[0].n_units))


def correlation(
    x: ArrayLike, y: ArrayLike, unit: ArrayLike, *, rng: RNGLike = 0, n_resamples: int = 1000
) -> Estimate:
    """Correlation of x and y, with its interval from resampled units.

    Parameters
    ----------
    x, y : array_like (R,)
        What is correlated.
    unit : array_like (R,)
        Label of the session of each row.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples.
    n_resamples : int, optional
        Number of resamples.

    Returns
    -------
    Estimate
        Pearson's correlation; NaN if x or y does not vary. `n` is the number of units.

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
        return Estimate(np.nan, np.nan, np.nan, int(code.max()) + 1)
    u = (x - x.mean()) / x.std()
    v = (y - y.mean()) / y.std()
    terms = (np.ones(len(u)), u, v, u * u, v * v, u * v)
    sums = np.stack([np.bincount(code, term) for term in terms], axis=1)
    draws = resample(len(sums), rng=rng, n_resamples=n_resamples)
    n, sx, sy, sxx, syy, sxy = np.column_stack([sums.sum(0), draws.sums(sums)])
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = sxy - sx * sy / n
        variances = (sxx - sx**2 / n) * (syy - sy**2 / n)
        r = covariance / np.sqrt(variances)
    low, high = percentiles(r[None, 1:], len(sums))[:, 0]
    return Estimate(float(r[0]), float(low), float(high), len(sums))


@dataclass(frozen=True)
class LogisticFit:
    """Weights of a logistic regression.

    Attributes
    ----------
    weights : ndarray (K,)
        One weight per column: NaN where a column is a combination of those before it, and
        everywhere if not converged.
    se : ndarray (K,)
        Standard errors of the weights, NaN where these are, and where fewer than two clusters tell
        of the weight.
    converged : bool
        False if the classes are separated, so that no finite maximum exists.
    n_clusters : int
        Number of clusters.
    n_telling : ndarray (K,)
        Number of clusters that tell of each weight: its column is not 0 in them.
    """

    weights: NDArray[np.float64]
    se: NDArray[np.float64]
    converged: bool
    n_clusters: int
    n_telling: NDArray[np.int64]


def _newton(X: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """Maximise the log-likelihood by Newton's method from 0.

    Returns the weights and whether they converged: for separated classes they never do.
    """
    from scipy.special import expit

    w = np.zeros(X.shape[1])
    for _ in range(NEWTON_STEPS):
        p = expit(X @ w)
        gradient = X.T @ (y - p)
        hessian = _hessian(X, p)
        step = np.linalg.solve(hessian, gradient)
        if gradient @ step < NEWTON_TOLERANCE:
            return w, True
        w = w + step
    return w, False


def _hessian(X: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus the second derivatives of the log-likelihood where P(1) is p."""
    variance = p * (1 - p)
    return (X * variance[:, None]).T @ X


def _clustered_errors(
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    w: NDArray[np.float64],
    cluster: NDArray[Any],
    n_telling: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Cluster-robust standard errors of the weights, (K,).

    From the diagonal of H⁻¹ (Σ_g u_g u_gᵀ) H⁻¹ · G/(G−1) · (n−1)/(n−K) with the scores u_g of the
    clusters, and G the number of those that tell of the weight. NaN for fewer than two: the score
    of one alone is 0 at the maximum.
    """
    from scipy.special import expit

    p = expit(X @ w)
    _, inverse = np.unique(cluster, return_inverse=True)
    residual = y - p
    scores = np.stack([np.bincount(inverse, x * residual) for x in X.T], axis=1)
    bread = np.linalg.inv(_hessian(X, p))
    (n, k) = X.shape
    correction = np.full(k, np.nan)
    enough = (n_telling > 1) & (n > k)
    of = n_telling[enough]
    correction[enough] = of / (of - 1) * (n - 1) / (n - k)
    return np.sqrt(correction * np.diag(bread @ (scores.T @ scores) @ bread))


def logistic(X: ArrayLike, y: ArrayLike, cluster: ArrayLike) -> LogisticFit:
    """Unpenalised logistic regression with cluster-robust standard errors (Liang & Zeger 1986).

    Parameters
    ----------
    X : array_like (R, K)
        Regressors, the intercept included. A column that is a linear combination of those before it
        is left out.
    y : array_like (R,)
        What is regressed, 0 or 1.
    cluster : array_like (R,)
        Label of the cluster of each row, usually its session.

    Returns
    -------
    LogisticFit
        Weights and standard errors.

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
            f"X, y and cluster must have one row each per trial, "
            f"got {X.shape}, {y.shape}, {cluster.shape}"
        )
    if not np.isin(y, (0, 1)).all():
        raise ValueError("y must be 0 or 1 everywhere")
    kept = independent(X)
    n_telling = _units_that_tell(X, cluster)
    weights, se = np.full((2, X.shape[1]), np.nan)
    try:
        w, converged = _newton(X[:, kept], y)
        if converged:
            weights[kept] = w
            se[kept] = _clustered_errors(X[:, kept], y, w, cluster, n_telling[kept])
    except np.linalg.LinAlgError:
        converged = False
    return LogisticFit(weights, se, converged, len(np.unique(cluster)), n_telling)
