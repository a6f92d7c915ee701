"""Uncertainty: 95 % intervals from resampled units.

The trials of a session are not independent, so trials are never resampled; the units are sessions,
subjects, networks, or (one long session) runs of task blocks. Everything works on sums per unit: a
resample is a row of integer weights, and all resampled ratios come out of two matrix products. What
is measured lives in `behavior`; regressions in `regression`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.base.arguments import generator, numbers, real_array, refuse_size, whole_number

if TYPE_CHECKING:
    from hrnn.base.typing import RNGLike

LEVEL: float = 0.95
N_RESAMPLES: int = 2000
FEW: int = 10  # units, below which a mean gets Student's interval


@dataclass(frozen=True)
class Estimate:
    """A number, or several, with the ends of the 95 % interval.

    Type checkers take the four for `Any`: whether they are numbers or arrays depends on the shape
    of the data, and a union of both would refuse ``round(estimate.value, 2)``.

    Attributes
    ----------
    value : float or ndarray (K,)
        The estimate; NaN where the data do not define it.
    low : float or ndarray (K,)
        Lower end of the interval; NaN where the data do not define it.
    high : float or ndarray (K,)
        Upper end of the interval; NaN where the data do not define it.
    n : int or ndarray (K,)
        What the estimate rests on: units, unless the function that made it says trials.
    """

    value: Any
    low: Any
    high: Any
    n: Any


def alone(value: float) -> Estimate:
    """Wrap a number that has no interval of its own as an Estimate of n = 1."""
    return Estimate(float(value), np.nan, np.nan, 1)


@dataclass(frozen=True)
class Resamples:
    """How often each run of units occurs in each resample.

    Attributes
    ----------
    weights : ndarray (n_resamples, n_units)
        Column i counts the run that begins with unit i; each row sums to n_units / run, rounded up.
    run : int
        Consecutive units in a run; the last unit is followed by the first.
    n_independent : int
        Number of units that count as independent, n_units // run; below 2 there is no interval.
    """

    weights: NDArray[np.float64]
    run: int
    n_independent: int

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum values (n_units, K) over each resample, (K, n_resamples)."""
        values = real_array(values, "values", (2,))
        if len(values) != self.weights.shape[1]:
            raise ValueError(f"values must have {self.weights.shape[1]} rows, got {len(values)}")
        runs = np.zeros_like(values, dtype=float)
        for shift in range(self.run):
            runs += np.roll(values, -shift, axis=0)
        return runs.T @ self.weights.T


def resample(
    n_units: int, *, run: int = 1, rng: RNGLike = 0, n_resamples: int = N_RESAMPLES
) -> Resamples:
    """Draw the units of every resample once, as weights.

    Parameters
    ----------
    n_units : int
        Number of units; their order matters only if ``run > 1``.
    run : int, optional
        1: units are drawn one by one. More: runs of this many consecutive units are drawn, the last
        unit being followed by the first (circular moving blocks: Politis & Romano 1992).
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the draws.
    n_resamples : int, optional
        Number of resamples.

    Returns
    -------
    Resamples
        The weights of the units in every resample.

    Examples
    --------
    >>> resample(5, n_resamples=3).weights.sum(axis=1)
    array([5., 5., 5.])
    """
    n_units = whole_number(n_units, "n_units")
    run = whole_number(run, "run")
    n_resamples = whole_number(n_resamples, "n_resamples")
    refuse_size("n_units and n_resamples", f"{n_units}, {n_resamples}", 24 * n_units * n_resamples)
    n_runs = -(-n_units // run)  # rounded up
    drawn = generator(rng).integers(n_units, size=(n_resamples, n_runs))
    drawn += n_units * np.arange(n_resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=n_resamples * n_units)
    weights = counts.reshape(n_resamples, n_units).astype(float)
    return Resamples(weights, run, n_units // run)


def _ratio(
    numerators: NDArray[np.float64], denominators: NDArray[np.float64]
) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominators == 0, np.nan, numerators / denominators)


def percentiles(draws: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Ends of the expanded percentile interval of resampled numbers.

    The percentile interval of n units is too narrow by √((n−1)/n) and by using the normal for
    Student's t; its tail probability becomes Φ(−√(n/(n−1)) t_{n−1}), which tends to 2.5 %
    (Hesterberg 2015, The American Statistician 69:371, section 4.2). Undefined resamples are left
    out.

    Parameters
    ----------
    draws : ndarray (K, n_resamples)
        K numbers in every resample.
    n : int
        Number of independent units that were resampled.

    Returns
    -------
    ndarray (2, K)
        Lower and upper ends; NaN for fewer than two units.
    """
    draws = numbers(draws, "draws")
    if draws.ndim != 2:
        raise ValueError(f"draws must have shape (K, n_resamples), got {draws.shape}")
    n = whole_number(n, "n", 0)
    ends = np.full((2, draws.shape[0]), np.nan)
    if n < 2 or not draws.shape[1]:
        return ends
    tail = _tail(min(n, 10**300))
    undefined = ~np.isfinite(draws)
    whole = ~undefined.any(axis=1)
    ends[:, whole] = np.quantile(draws[whole], [tail, 1 - tail], axis=1)
    partly = ~whole & ~undefined.all(axis=1)
    for row in np.flatnonzero(partly):
        defined = draws[row][~undefined[row]]
        ends[:, row] = np.quantile(defined, [tail, 1 - tail])
    return ends


def _tail(n: int) -> float:
    """Tail probability of the expanded percentile interval of n units."""
    from scipy.special import ndtr, stdtrit

    t = stdtrit(n - 1, (1 - LEVEL) / 2)
    return ndtr(np.sqrt(n / (n - 1)) * t)


def _sums(
    numerators: ArrayLike, denominators: ArrayLike, name: str = ""
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check sums of units and return both as (n_units, K)."""
    num = real_array(numerators, f"numerators{name}", (1, 2))
    den = real_array(denominators, f"denominators{name}", (1, 2))
    if num.shape != den.shape:
        raise ValueError(
            f"denominators{name} must have the shape of numerators{name} {num.shape}, "
            f"got {den.shape}"
        )
    if num.ndim == 1:
        return num[:, None], den[:, None]
    return num, den


def _resamples(
    resamples: Resamples | None, n_units: int, rng: RNGLike, n_resamples: int
) -> Resamples:
    if resamples is None:
        return resample(n_units, rng=rng, n_resamples=n_resamples)
    if not isinstance(resamples, Resamples):
        raise TypeError(f"resamples must be Resamples, got {type(resamples).__name__}")
    if resamples.weights.shape[1] != n_units:
        raise ValueError(f"resamples must be of {n_units} units, got {resamples.weights.shape[1]}")
    return resamples


def _estimate(
    value: NDArray[np.float64], ends: NDArray[np.float64], n: int, scalar: bool
) -> Estimate:
    if scalar:
        low = float(ends[0, 0])
        high = float(ends[1, 0])
        return Estimate(float(value[0]), low, high, n)
    return Estimate(value, ends[0], ends[1], np.full(len(value), n))


def ratio_interval(
    numerators: ArrayLike,
    denominators: ArrayLike,
    *,
    resamples: Resamples | None = None,
    rng: RNGLike = 0,
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """Ratio of sums Σ numerators / Σ denominators over units, with its 95 % interval.

    Parameters
    ----------
    numerators, denominators : array_like (n_units,) or (n_units, K)
        Sums within each unit; K measures at once share the resamples.
    resamples : Resamples, optional
        Drawn beforehand, to use the same for several calls; else one by one from `rng`.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples.
    n_resamples : int, optional
        Number of resamples.

    Returns
    -------
    Estimate
        The expanded percentile interval (Hesterberg 2015). `n` is the number of units. A ratio with
        no denominator is NaN, and so is the interval of fewer than two independent units.

    Raises
    ------
    TypeError, ValueError
        If sums are not real, finite, non-empty and of one shape, or `resamples` is of other units.

    Examples
    --------
    >>> ratio_interval([8, 9, 7], [10, 10, 10]).value
    0.8
    """
    num, den = _sums(numerators, denominators)
    draws = _resamples(resamples, len(num), rng, n_resamples)
    resampled = _ratio(draws.sums(num), draws.sums(den))
    ends = percentiles(resampled, draws.n_independent)
    value = _ratio(num.sum(0), den.sum(0))
    return _estimate(value, ends, len(num), np.ndim(numerators) == 1)


def paired(
    a: Sequence[ArrayLike],
    b: Sequence[ArrayLike],
    *,
    resamples: Resamples | None = None,
    rng: RNGLike = 0,
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """Difference of two ratios of sums, a − b, over the same resampled units.

    Parameters
    ----------
    a, b : tuple of two array_like (n_units,) or (n_units, K)
        Numerators and denominators; row i of both is the same unit.
    resamples : Resamples, optional
        Drawn beforehand, to use the same for several calls; else one by one from `rng`.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples.
    n_resamples : int, optional
        Number of resamples.

    Returns
    -------
    Estimate
        The difference, with the interval of `ratio_interval`; `n` is the number of units.

    Raises
    ------
    TypeError, ValueError
        As `ratio_interval`, and if a and b have different shapes.

    Examples
    --------
    >>> round(paired(([8, 9, 7], [10, 10, 10]), ([7, 8, 6], [10, 10, 10])).high, 3)
    0.1
    """
    for pair, name in ((a, "a"), (b, "b")):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(
                f"{name} must be a pair of numerators and denominators, got {type(pair).__name__}"
            )
    num_a, den_a = _sums(*a, name=" of a")
    num_b, den_b = _sums(*b, name=" of b")
    if num_a.shape != num_b.shape:
        raise ValueError(
            f"b must have the units and measures of a {num_a.shape}, got {num_b.shape}"
        )
    draws = _resamples(resamples, len(num_a), rng, n_resamples)
    value_a = _ratio(num_a.sum(0), den_a.sum(0))
    value_b = _ratio(num_b.sum(0), den_b.sum(0))
    resampled_a = _ratio(draws.sums(num_a), draws.sums(den_a))
    resampled_b = _ratio(draws.sums(num_b), draws.sums(den_b))
    ends = percentiles(resampled_a - resampled_b, draws.n_independent)
    return _estimate(value_a - value_b, ends, len(num_a), np.ndim(a[0]) == 1)


def mean_interval(
    values: ArrayLike, *, rng: RNGLike = 0, n_resamples: int = N_RESAMPLES
) -> Estimate:
    """Mean over networks or subjects with its 95 % interval.

    From FEW units on they are resampled, as everywhere; the interval may then be asymmetric. Fewer
    say too little of their own spread for that: a resample cannot be wider than their range, and of
    three it covers 76 % instead of 95 %. They get Student's t, which is right where the units are
    normal, and wide.

    Parameters
    ----------
    values : array_like (n_units,) or (n_units, K)
        One number, or K of them, per network or subject.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples.
    n_resamples : int, optional
        Number of resamples.

    Returns
    -------
    Estimate
        The mean; `n` is the number of units. One unit has no interval.

    Examples
    --------
    >>> mean_interval([0.84, 0.86, 0.85, 0.85]).n
    4
    """
    array = real_array(values, "values", (1, 2))
    rng = generator(rng)
    n_resamples = whole_number(n_resamples, "n_resamples")
    n_units = len(array)
    if n_units >= FEW:
        return ratio_interval(array, np.ones_like(array), rng=rng, n_resamples=n_resamples)
    columns = array.reshape(n_units, -1)
    mean = columns.mean(0)
    half = np.full(len(mean), np.nan)
    if n_units > 1:
        half = student(n_units) * columns.std(0, ddof=1) / np.sqrt(n_units)
    ends = np.stack([mean - half, mean + half])
    return _estimate(mean, ends, n_units, array.ndim == 1)


def student(n: int) -> float:
    """Half width of Student's 95 % interval of n units, in standard errors.

    Examples
    --------
    >>> round(student(10), 3)
    2.262
    """
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + LEVEL) / 2))


def wilson(k: int, n: int) -> Estimate:
    """Fraction k of n *independent* units with Wilson's 95 % score interval (Wilson 1927).

    For k of n networks; the trials of a session are not independent and need `ratio_interval`.

    Parameters
    ----------
    k : int
        Number of units that count.
    n : int
        Number of all units.

    Returns
    -------
    Estimate
        The fraction k / n and its interval.

    Examples
    --------
    >>> wilson(20, 20).high
    1.0
    """
    k = whole_number(k, "k", 0)
    n = whole_number(n, "n")
    if k > n:
        raise ValueError(f"k must be <= n = {n}, got {k}")
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    scale = n + z**2
    centre = (k + z**2 / 2) / scale
    spread = k * (n - k) / n + z**2 / 4
    half = z * np.sqrt(spread) / scale
    low = 0.0 if k == 0 else float(centre - half)
    high = 1.0 if k == n else float(centre + half)
    return Estimate(k / n, low, high, n)
