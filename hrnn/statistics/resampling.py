"""Uncertainty: 95 % intervals from resampled units.

The trials of a session are not independent, so trials are never resampled; the units are sessions,
subjects, networks, or (one long session) runs of task blocks. Everything works on sums per unit: a
resample is a row of integer weights, and all resampled ratios come out of two matrix products. What
is measured lives in `behavior`; regressions in `regression`.

Two rules hold for every ratio and mean. Units are counted where they have data: a ratio that three
of 36 units define is one of three units. And no interval has a width of zero: where all units agree
they do not tell how far others may differ, so both ends are NaN. (Of regressions those alone have
no width that are exact in every resample.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
FEW: int = 10  # units, below which a mean or a ratio gets Student's interval
FLAT: float = 1e-12  # relative width of what rounding alone makes


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
        Lower end of the interval; NaN where the data do not define it, or all units agree.
    high : float or ndarray (K,)
        Upper end of the interval; NaN where the data do not define it, or all units agree.
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

    def runs(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum values (n_units, K) over the run that begins with each unit, (n_units, K)."""
        values = self._of_units(values, "values")
        runs = np.zeros_like(values)
        for shift in range(self.run):
            runs += np.roll(values, -shift, axis=0)
        return runs

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum values (n_units, K) over each resample, (K, n_resamples)."""
        return self.runs(values).T @ self.weights.T

    def independent(self, has_data: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Count the units that are independent and have data (n_units, K) in each column, (K,).

        Of single units all that have data; of runs those that hold data, divided by their length.
        """
        data = self._of_units(has_data, "has_data")
        return np.count_nonzero(self.runs(data), axis=0) // self.run

    def _of_units(self, values: ArrayLike, name: str) -> NDArray[np.float64]:
        """Numbers (n_units, K) of an argument, or an error that names it."""
        found = numbers(values, name)
        if found.ndim != 2 or len(found) != self.weights.shape[1]:
            raise ValueError(
                f"{name} must have shape ({self.weights.shape[1]}, K), got {found.shape}"
            )
        return found


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


def percentiles(draws: NDArray[np.float64], n: ArrayLike) -> NDArray[np.float64]:
    """Ends of the expanded percentile interval of resampled numbers.

    The percentile interval of n units is too narrow by √((n−1)/n) and by using the normal for
    Student's t; its tail probability becomes Φ(−√(n/(n−1)) t_{n−1}), which tends to 2.5 %
    (Hesterberg 2015, The American Statistician 69:371, section 4.2). Undefined resamples are left
    out. No resample is beyond the units' own range: below five units the interval is too narrow
    all the same.

    Parameters
    ----------
    draws : ndarray (K, n_resamples)
        K numbers in every resample.
    n : int or array_like (K,)
        Number of independent units that were resampled, of all numbers or of each.

    Returns
    -------
    ndarray (2, K)
        Lower and upper ends; NaN for fewer than two units, and where all resamples that are defined
        are equal, but some are not.
    """
    draws = numbers(draws, "draws")
    if draws.ndim != 2:
        raise ValueError(f"draws must have shape (K, n_resamples), got {draws.shape}")
    ends = np.full((2, draws.shape[0]), np.nan)
    if not draws.shape[1]:
        return ends
    given = numbers(n, "n")
    if given.shape not in ((), draws.shape[:1]):
        raise ValueError(f"n must have shape () or {draws.shape[:1]}, got {given.shape}")
    of_each = np.broadcast_to(given, draws.shape[:1])
    for number in np.unique(of_each[of_each >= 2]):
        rows = of_each == number
        ends[:, rows] = _quantiles(draws[rows], _tail(int(number)))
    partly = ~np.isfinite(draws).all(axis=1)
    ends[:, partly] = with_width(ends[:, partly])
    return ends


def _quantiles(draws: NDArray[np.float64], tail: float) -> NDArray[np.float64]:
    """Quantiles of the defined among the draws (K, n_resamples) at both tails, (2, K)."""
    ends = np.full((2, draws.shape[0]), np.nan)
    undefined = ~np.isfinite(draws)
    whole = ~undefined.any(axis=1)
    ends[:, whole] = np.quantile(draws[whole], [tail, 1 - tail], axis=1)
    partly = ~whole & ~undefined.all(axis=1)
    for row in np.flatnonzero(partly):
        defined = draws[row][~undefined[row]]
        ends[:, row] = np.quantile(defined, [tail, 1 - tail])
    return ends


def with_width(ends: NDArray[np.float64], scale: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Make NaN of intervals whose width is what rounding makes: they say nothing of other units.

    Parameters
    ----------
    ends : ndarray (2, K)
        Lower and upper ends.
    scale : float or array_like (K,), optional
        Size of the numbers that were rounded, where it is more than that of the ends.

    Returns
    -------
    ndarray (2, K)

    Examples
    --------
    >>> with_width(np.array([[0.2, 0.5], [0.3, 0.5]]))[0].tolist()
    [0.2, nan]
    """
    size = np.maximum(np.abs(ends).max(axis=0), scale)
    flat = ends[1] - ends[0] <= FLAT * size
    return np.where(flat, np.nan, ends)


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
    value: NDArray[np.float64], ends: NDArray[np.float64], n: NDArray[np.int64], scalar: bool
) -> Estimate:
    if scalar:
        return Estimate(float(value[0]), float(ends[0, 0]), float(ends[1, 0]), int(n[0]))
    return Estimate(value, ends[0], ends[1], n)


def _ends(
    value: NDArray[np.float64],
    resampled: Callable[[NDArray[np.bool_]], NDArray[np.float64]],
    without: NDArray[np.float64],
    n: NDArray[np.int64],
    run: int,
) -> NDArray[np.float64]:
    """Ends (2, K) of the intervals of K numbers of n (K,) independent units each.

    From FEW units on of what is `resampled` (K', B) of the marked numbers; else Student's, with the
    jackknife's error: what the numbers become `without` (n_units, K) each run of units, NaN for
    runs without data (Künsch 1989, The Annals of Statistics 17:1217).
    """
    ends = np.full((2, len(value)), np.nan)
    many = n >= FEW
    if many.any():
        ends[:, many] = percentiles(resampled(many), n[many])
    few = ~many & (n >= 2)
    moved = without[:, few] - value[few]
    counted = np.isfinite(moved)
    n_runs = np.count_nonzero(counted, axis=0)
    square = np.sum(moved**2, axis=0, where=counted)
    half = student(n[few]) * np.sqrt((n_runs / run - 1) * square / n_runs)
    ends[:, few] = value[few] - half, value[few] + half
    return ends


def _without(
    num: NDArray[np.float64], den: NDArray[np.float64], draws: Resamples, counted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The ratios (n_units, K) without the run that begins with each unit; NaN if it has no data."""
    left = _ratio(num.sum(0) - draws.runs(num), den.sum(0) - draws.runs(den))
    return np.where(draws.runs(counted) > 0, left, np.nan)


def _is_fraction(num: NDArray[np.float64], den: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each ratio (K,) is a fraction of what is counted, so that it is in [0, 1]."""
    return np.asarray(((num >= 0) & (num <= den)).all(axis=0))


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
        Of ten units and more the expanded percentile interval (Hesterberg 2015), of fewer Student's
        with the jackknife's error, cut at 0 and 1 where the ratio is a fraction. `n` is the number
        of units that have a denominator. A ratio with no denominator is NaN, and so is the interval
        of fewer than two independent units, and of units that all agree.

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
    counted = den != 0
    value = _ratio(num.sum(0), den.sum(0))
    without = _without(num, den, draws, counted)

    def resampled(columns: NDArray[np.bool_]) -> NDArray[np.float64]:
        return _ratio(draws.sums(num[:, columns]), draws.sums(den[:, columns]))

    ends = _ends(value, resampled, without, draws.independent(counted), draws.run)
    ends = np.where(_is_fraction(num, den), np.clip(ends, 0, 1), ends)
    n = np.count_nonzero(counted, axis=0)
    return _estimate(value, with_width(ends), n, np.ndim(numerators) == 1)


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
        The difference, with the interval of `ratio_interval`; `n` is the number of units that have
        a denominator, of the ratio that fewer have.

    Raises
    ------
    TypeError, ValueError
        As `ratio_interval`, and if a and b have different shapes.

    Examples
    --------
    >>> round(paired(([8, 9, 7], [10, 10, 10]), ([7, 9, 6], [10, 10, 10])).high, 3)
    0.21
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
    counted = den_a != 0, den_b != 0
    value_a = _ratio(num_a.sum(0), den_a.sum(0))
    value_b = _ratio(num_b.sum(0), den_b.sum(0))
    either = counted[0] | counted[1]
    without = _without(num_a, den_a, draws, either) - _without(num_b, den_b, draws, either)
    independent = np.minimum(*(draws.independent(one) for one in counted))
    value = value_a - value_b

    def resampled(columns: NDArray[np.bool_]) -> NDArray[np.float64]:
        of_a = _ratio(draws.sums(num_a[:, columns]), draws.sums(den_a[:, columns]))
        of_b = _ratio(draws.sums(num_b[:, columns]), draws.sums(den_b[:, columns]))
        return of_a - of_b

    ends = _ends(value, resampled, without, independent, draws.run)
    fractions = _is_fraction(num_a, den_a) & _is_fraction(num_b, den_b)
    ends = np.where(fractions, np.clip(ends, -1, 1), ends)
    n = np.minimum(*(np.count_nonzero(one, axis=0) for one in counted))
    scale = np.abs(value_a) + np.abs(value_b)
    return _estimate(value, with_width(ends, scale), n, np.ndim(a[0]) == 1)


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
        The mean; `n` is the number of units. One unit has no interval, and units that all agree
        have none.

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
    ends = with_width(np.stack([mean - half, mean + half]))
    return _estimate(mean, ends, np.full(len(mean), n_units), array.ndim == 1)


def student(n: ArrayLike) -> Any:
    """Half width of Student's 95 % interval of n units, in standard errors.

    Parameters
    ----------
    n : int or array_like
        Number of units, two or more.

    Returns
    -------
    float or ndarray of the shape of n
        The quantile of n − 1 degrees of freedom.

    Examples
    --------
    >>> float(student(10).round(3))
    2.262
    """
    from scipy.special import stdtrit

    return stdtrit(np.asarray(n) - 1, (1 + LEVEL) / 2)


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
    if n > 2**63:
        raise ValueError(f"n must be <= 2**63, got a number of {n.bit_length()} bits")
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
