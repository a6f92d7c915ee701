"""Uncertainty: 95 % intervals from resampled units.

The trials of a session are not independent, so trials are never resampled; the units are sessions,
subjects, networks, or (one long session) runs of task blocks. Everything works on sums per unit: a
resample is a row of integer weights, and all resampled ratios come out of two matrix products. What
is measured lives in `behavior`; regressions in `regression`.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from hrnn.base.arguments import generator, real_array, refuse_size, whole_number

LEVEL = 0.95
N_RESAMPLES = 2000
FEW = 10  # units, below which a mean gets Student's interval


@dataclass(frozen=True)
class Estimate:
    """A number, or several, with the ends of the 95 % interval.

    Attributes
    ----------
    value, low, high : float or ndarray (K,)
        The estimate and its interval; NaN where the data do not define them.
    n : int or ndarray (K,)
        What the estimate rests on: units, unless the function that made it says trials.
    """

    value: Any
    low: Any
    high: Any
    n: Any


def alone(value):
    """A number that has no interval of its own, as an Estimate of n = 1."""
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

    weights: np.ndarray
    run: int
    n_independent: int

    def sums(self, values):
        """Sum values (n_units, K) over each resample, (K, n_resamples)."""
        runs = sum(np.roll(values, -shift, axis=0) for shift in range(self.run))
        return runs.T @ self.weights.T


def resample(n_units, *, run=1, rng=0, n_resamples=N_RESAMPLES):
    """Draw the units of every resample once, as weights.

    Parameters
    ----------
    n_units : int
        Number of units; their order matters only if ``run > 1``.
    run : int, optional
        1: units are drawn one by one. More: runs of this many consecutive units are drawn, the last
        unit being followed by the first (circular moving blocks: Politis & Romano 1992).
    rng : int, SeedSequence or Generator, optional
    n_resamples : int, optional

    Returns
    -------
    Resamples

    Examples
    --------
    >>> resample(5, n_resamples=3).weights.sum(axis=1)
    array([5., 5., 5.])
    """
    n_units = whole_number(n_units, "n_units")
    run = whole_number(run, "run")
    n_resamples = whole_number(n_resamples, "n_resamples")
    refuse_size("n_units and n_resamples", f"{n_units}, {n_resamples}", 24 * n_units * n_resamples)
    drawn = generator(rng).integers(n_units, size=(n_resamples, -(-n_units // run)))
    drawn += n_units * np.arange(n_resamples)[:, None]
    weights = np.bincount(drawn.ravel(), minlength=n_resamples * n_units).reshape(
        n_resamples, n_units
    )
    return Resamples(weights.astype(float), run, n_units // run)


def _ratio(numerators, denominators):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominators == 0, np.nan, numerators / denominators)


def percentiles(draws, n):
    """Ends of the expanded percentile interval of draws (K, n_resamples).

    The percentile interval of n units is too narrow by √((n−1)/n) and by using the normal for
    Student's t; its tail probability becomes Φ(−√(n/(n−1)) t_{n−1}), which tends to 2.5 %
    (Hesterberg 2015, The American Statistician 69:371, section 4.2). Undefined resamples are left
    out.
    """
    from scipy.special import ndtr, stdtrit

    if n < 2 or not draws.shape[1]:
        return np.full((2, draws.shape[0]), np.nan)
    tail = ndtr(np.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 - LEVEL) / 2))
    ends = np.full((2, draws.shape[0]), np.nan)
    undefined = ~np.isfinite(draws)
    whole = ~undefined.any(axis=1)
    ends[:, whole] = np.quantile(draws[whole], [tail, 1 - tail], axis=1)
    for row in np.flatnonzero(~whole & ~undefined.all(axis=1)):
        ends[:, row] = np.quantile(draws[row][~undefined[row]], [tail, 1 - tail])
    return ends


def _sums(numerators, denominators, name=""):
    num = real_array(numerators, f"numerators{name}", (1, 2))
    den = real_array(denominators, f"denominators{name}", (1, 2))
    if num.shape != den.shape:
        raise ValueError(
            f"denominators{name} must have the shape of numerators{name} {num.shape}, got {den.shape}"
        )
    return (num[:, None], den[:, None]) if num.ndim == 1 else (num, den)


def _resamples(resamples, n_units, rng, n_resamples):
    if resamples is None:
        return resample(n_units, rng=rng, n_resamples=n_resamples)
    if not isinstance(resamples, Resamples):
        raise TypeError(f"resamples must be Resamples, got {type(resamples).__name__}")
    if resamples.weights.shape[1] != n_units:
        raise ValueError(f"resamples must be of {n_units} units, got {resamples.weights.shape[1]}")
    return resamples


def _estimate(value, ends, n, scalar):
    if scalar:
        return Estimate(float(value[0]), float(ends[0, 0]), float(ends[1, 0]), n)
    return Estimate(value, ends[0], ends[1], np.full(len(value), n))


def ratio_interval(numerators, denominators, *, resamples=None, rng=0, n_resamples=N_RESAMPLES):
    """Ratio of sums Σ numerators / Σ denominators over units, with its 95 % interval.

    Parameters
    ----------
    numerators, denominators : array_like (n_units,) or (n_units, K)
        Sums within each unit; K measures at once share the resamples.
    resamples : Resamples, optional
        Drawn beforehand, to use the same for several calls; else one by one from `rng`.
    rng : int, SeedSequence or Generator, optional
    n_resamples : int, optional

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
    ends = percentiles(_ratio(draws.sums(num), draws.sums(den)), draws.n_independent)
    return _estimate(_ratio(num.sum(0), den.sum(0)), ends, len(num), np.ndim(numerators) == 1)


def paired(a, b, *, resamples=None, rng=0, n_resamples=N_RESAMPLES):
    """Difference of two ratios of sums, a − b, over the same resampled units.

    Parameters
    ----------
    a, b : tuple of two array_like (n_units,) or (n_units, K)
        Numerators and denominators; row i of both is the same unit.
    resamples, rng, n_resamples : optional
        As in `ratio_interval`.

    Returns
    -------
    Estimate
        `n` is the number of units.

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
    sums_a = _sums(*a, name=" of a")
    sums_b = _sums(*b, name=" of b")
    if sums_a[0].shape != sums_b[0].shape:
        raise ValueError(
            f"b must have the units and measures of a {sums_a[0].shape}, got {sums_b[0].shape}"
        )
    draws = _resamples(resamples, len(sums_a[0]), rng, n_resamples)
    value = _ratio(*(s.sum(0) for s in sums_a)) - _ratio(*(s.sum(0) for s in sums_b))
    gap = np.subtract(*(_ratio(draws.sums(num), draws.sums(den)) for num, den in (sums_a, sums_b)))
    scalar = np.ndim(a[0]) == 1
    return _estimate(value, percentiles(gap, draws.n_independent), len(sums_a[0]), scalar)


def mean_interval(values, *, rng=0, n_resamples=N_RESAMPLES):
    """Mean over networks or subjects with its 95 % interval.

    From FEW units on they are resampled, as everywhere; the interval may then be asymmetric. Fewer
    say too little of their own spread for that: a resample cannot be wider than their range, and of
    three it covers 76 % instead of 95 %. They get Student's t, which is right where the units are
    normal, and wide.

    Parameters
    ----------
    values : array_like (n_units,) or (n_units, K)
        One number per network or subject.
    rng : int, SeedSequence or Generator, optional
    n_resamples : int, optional

    Returns
    -------
    Estimate
        `n` is the number of units. One unit has no interval.

    Examples
    --------
    >>> mean_interval([0.84, 0.86, 0.85, 0.85]).n
    4
    """
    values = real_array(values, "values", (1, 2))
    rng = generator(rng)
    n_resamples = whole_number(n_resamples, "n_resamples")
    n_units = len(values)
    if n_units >= FEW:
        return ratio_interval(values, np.ones_like(values), rng=rng, n_resamples=n_resamples)
    columns = values.reshape(n_units, -1)
    mean = columns.mean(0)
    half = (
        student(n_units) * columns.std(0, ddof=1) / np.sqrt(n_units)
        if n_units > 1
        else np.full(len(mean), np.nan)
    )
    return _estimate(mean, np.stack([mean - half, mean + half]), n_units, values.ndim == 1)


def student(n):
    """Half width, in standard errors.

    Of a 95 % interval whose standard error is estimated from n units.

    Examples
    --------
    >>> round(student(10), 3)
    2.262
    """
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + LEVEL) / 2))


def wilson(k, n):
    """Fraction k of n *independent* units with Wilson's 95 % score interval (Wilson 1927).

    For k of n networks; the trials of a session are not independent and need `ratio_interval`.

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
    centre = (k + z**2 / 2) / (n + z**2)
    half = z * np.sqrt(k * (n - k) / n + z**2 / 4) / (n + z**2)
    low = 0.0 if k == 0 else float(centre - half)
    high = 1.0 if k == n else float(centre + half)
    return Estimate(k / n, low, high, n)
