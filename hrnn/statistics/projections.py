"""Regressions along readouts that are themselves estimated, anew in every resample of sessions.

An interval that resamples the regression alone treats the readout as known, and is too narrow: by a
factor of six for the ratio of the slopes along side and block. Here everything is a combination of
columns (states, their movement, evidence, ...) whose second moments within each session are kept,
so that a resample costs one weighted sum of moments and a small linear system.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.base.arguments import one_of, real_number, stored_array
from hrnn.base.parallel import look
from hrnn.statistics.resampling import Estimate, percentiles, resample

if TYPE_CHECKING:
    from hrnn.base.typing import RNGLike

N_RESAMPLES: int = 500
MOST_NUMBERS: int = 1_500_000  # of moments held at once
SINGULAR: float = 1e-10  # least eigenvalue of normal equations with a diagonal of 1


@dataclasses.dataclass(frozen=True, eq=False)
class Readout:
    """A direction in the space of states, with that of every resample of sessions.

    Attributes
    ----------
    weights : ndarray (N,)
        The direction in all data, not of unit length.
    intercept : float
        What is added to the states' projection on the weights.
    weights_resampled : ndarray (B, N)
        The direction in each of B resamples.
    intercept_resampled : ndarray (B,)
        The intercept in each resample.
    counts : ndarray (B, S)
        How often each of the S sessions of the run was drawn.
    """

    weights: NDArray[np.float64]
    intercept: float
    weights_resampled: NDArray[np.float64]
    intercept_resampled: NDArray[np.float64]
    counts: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = np.shape(self.weights)[:1]
        stored_array(self.weights, "weights", shape)
        real_number(self.intercept, "intercept", -np.inf, np.inf, "")
        n = np.shape(self.weights_resampled)[:1]
        stored_array(self.weights_resampled, "weights_resampled", (*n, *shape))
        stored_array(self.intercept_resampled, "intercept_resampled", n)
        stored_array(self.counts, "counts", (*n, *np.shape(self.counts)[1:2]), "fi")

    @property
    def all_weights(self) -> NDArray[np.float64]:
        """Weights in the data and in each resample, (1 + B, N)."""
        return np.vstack([self.weights, self.weights_resampled])

    @property
    def all_intercepts(self) -> NDArray[np.float64]:
        """Intercepts in the data and in each resample, (1 + B,)."""
        return np.append(self.intercept, self.intercept_resampled)

    @property
    def all_directions(self) -> NDArray[np.float64]:
        """Weights of unit length in the data and in each resample, (1 + B, N)."""
        weights = self.all_weights
        return weights / np.linalg.norm(weights, axis=1, keepdims=True)


def known(weights: ArrayLike, counts: NDArray[np.float64]) -> Readout:
    """Make a `Readout` that is the same in every resample, as a network's own readout is.

    Parameters
    ----------
    weights : array_like (N,)
        The direction.
    counts : ndarray (B, S)
        How often each session of the run was drawn in each resample.

    Returns
    -------
    Readout
        The direction with an intercept of 0.
    """
    weights = np.asarray(weights, float)
    n_resamples = len(counts)
    repeated = np.tile(weights, (n_resamples, 1))
    return Readout(weights, 0.0, repeated, np.zeros(n_resamples), counts)


def resampled_together(
    axes: Mapping[str, ArrayLike | Readout], n_sessions: int, rng: RNGLike
) -> dict[str, Readout]:
    """Make readouts of axes that share their resamples of sessions.

    Parameters
    ----------
    axes : dict of str to ndarray (N,) or Readout
        An axis that is a plain vector is known; a `Readout` brings the resamples of its sessions.
    n_sessions : int
        Number of sessions of the run.
    rng : int, SeedSequence or Generator
        Seed or generator of the resamples, if no axis brings them.

    Returns
    -------
    dict of str to Readout
        By the names of the axes.

    Raises
    ------
    ValueError
        If readouts were made with different resamples.
    """
    counts = [axis.counts for axis in axes.values() if isinstance(axis, Readout)]
    if not counts:
        counts = [resample(n_sessions, rng=rng, n_resamples=N_RESAMPLES).weights]
    if any(not np.array_equal(other, counts[0]) for other in counts[1:]):
        raise ValueError(
            "axes must be decoders of the same sessions, made with one rng, "
            "so that they are resampled together"
        )
    if counts[0].shape[1] != n_sessions:
        raise ValueError(
            f"axes must be decoders of run, of {n_sessions} sessions, got {counts[0].shape[1]}"
        )
    readouts: dict[str, Readout] = {}
    for name, axis in axes.items():
        readouts[name] = axis if isinstance(axis, Readout) else known(axis, counts[0])
    return readouts


class Moments:
    """Second moments of named columns within each session.

    Parameters
    ----------
    session : ndarray of int (R,)
        Session of each row, from 0.
    counts : ndarray (B, S)
        How often each session was drawn in each resample.
    **columns : array_like (R,) or (R, C)
        The columns by name; one name may stand for several.

    Attributes
    ----------
    where : dict of str to slice
        Place of each name among all columns, of which the last is the constant "one".
    counts : ndarray (1 + B, S)
        How often each session was drawn: once in the data, and in each resample.
    size : int
        Number of all columns.
    moments : ndarray (S, size, size)
        Sums of products of two columns within each session.

    Examples
    --------
    >>> counts = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    >>> m = Moments(np.array([0, 0, 1, 1]), counts, x=np.arange(4.0), y=2 * np.arange(4.0))
    >>> m.regress([m.of("x")], m.of("y"))[0][:, 0].tolist()
    [2.0, 2.0, 2.0, 2.0]
    """

    where: dict[str, slice]
    counts: NDArray[np.float64]
    size: int
    moments: NDArray[np.float64]

    def __init__(
        self, session: NDArray[np.integer], counts: NDArray[np.float64], **columns: ArrayLike
    ) -> None:
        parts: dict[str, NDArray[np.float64]] = {}
        for name, values in columns.items():
            parts[name] = np.asarray(values, float).reshape(len(session), -1)
        parts["one"] = np.ones((len(session), 1))
        ends = np.cumsum([part.shape[1] for part in parts.values()])
        self.where = {}
        for (name, part), end in zip(parts.items(), ends, strict=True):
            self.where[name] = slice(end - part.shape[1], end)
        self.counts = np.vstack([np.ones(counts.shape[1]), counts])
        self.size = int(ends[-1])
        self._kept = None
        self.moments = np.zeros((counts.shape[1], self.size, self.size))
        order = np.argsort(session, kind="stable")
        numbers, first = np.unique(np.asarray(session)[order], return_index=True)
        # session by session: the columns are large
        for number, rows in zip(numbers, np.split(order, first[1:]), strict=True):
            Z = np.hstack([part[rows] for part in parts.values()])
            self.moments[number] = Z.T @ Z

    def of(self, name: str, weights: ArrayLike = 1.0) -> NDArray[np.float64]:
        """Write a combination of the columns of one name as coefficients of all columns.

        Parameters
        ----------
        name : str
            Name of C columns.
        weights : array_like (C,) or (1 + B, C), optional
            Their weights, the same in every resample or not.

        Returns
        -------
        ndarray (1 + B, size)
            Coefficients in the data and in each resample.
        """
        one_of(name, "name", tuple(self.where))
        weights = np.atleast_2d(weights)
        found = np.zeros((len(self.counts), self.size))
        found[:, self.where[name]] = weights
        return found

    def log_odds(self, name: str, readout: Readout) -> NDArray[np.float64]:
        """Write the log odds of a readout at some states as coefficients of all columns.

        Parameters
        ----------
        name : str
            Name of the columns that hold the states.
        readout : Readout
            Its weights and intercepts.

        Returns
        -------
        ndarray (1 + B, size)
            Coefficients in the data and in each resample.
        """
        projection = self.of(name, readout.all_weights)
        return projection + self.of("one", readout.all_intercepts[:, None])

    def regress(
        self, design: Sequence[NDArray[np.float64]], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Least squares of a combination of columns on others.

        Parameters
        ----------
        design : list of K ndarray (1 + B, size)
            Regressors, as `of` gives them. An intercept is ``of("one")``.
        target : ndarray (1 + B, size)
            What is regressed on them, as `of` gives it.

        Returns
        -------
        weights : ndarray (1 + B, K)
            Weights in the data, then in each resample.
        r2 : ndarray (1 + B,)
            1 - SS_res / SS_tot, with SS_tot about the mean.
        """
        look()
        Z = np.stack([*design, target, self.of("one")], -1)
        parts = [Z[rows].transpose(0, 2, 1) @ sums @ Z[rows] for rows, sums in self._sums()]
        inner = np.concatenate(parts)
        k = len(design)
        grams = inner[:, :k, :k]
        crosses = inner[:, :k, k]
        squares = inner[:, k, k]
        sums = inner[:, k, k + 1]
        n = inner[:, k + 1, k + 1]
        solved = [_solve(gram, cross) for gram, cross in zip(grams, crosses, strict=True)]
        weights = np.array(solved)
        spread = squares - sums**2 / n
        left = squares - (weights * crosses).sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return weights, np.where(spread > 0, 1 - left / spread, np.nan)

    def _sums(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Moments of the data and of each resample, some at a time: (rows, (n, size, size))."""
        flat = self.moments.reshape(len(self.moments), -1)
        size = self.size
        if self._kept is None and len(self.counts) * size**2 <= MOST_NUMBERS:
            self._kept = (self.counts @ flat).reshape(-1, size, size)
        if self._kept is not None:
            yield slice(None), self._kept
            return
        at_once = max(MOST_NUMBERS // size**2, 1)
        for first in range(0, len(self.counts), at_once):
            rows = slice(first, first + at_once)
            sums = self.counts[rows] @ flat
            yield rows, sums.reshape(-1, size, size)

    def correlate(
        self, first: NDArray[np.float64], second: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Correlate two combinations of columns.

        Parameters
        ----------
        first, second : ndarray (1 + B, size)
            The combinations, as `of` gives them.

        Returns
        -------
        ndarray (1 + B,)
            Correlation in the data, then in each resample.
        """
        slope, r2 = self.regress([first, self.of("one")], second)
        sign = np.sign(slope[:, 0])
        return sign * np.sqrt(np.maximum(r2, 0))


def _solve(gram: NDArray[np.float64], cross: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve normal equations in columns of one length; NaN if a column follows from the others."""
    scale = np.sqrt(np.diag(gram))
    if not (scale > 0).all():
        return np.full(len(cross), np.nan)
    inner = gram / np.outer(scale, scale)
    if np.linalg.eigvalsh(inner)[0] < SINGULAR:
        return np.full(len(cross), np.nan)
    return np.linalg.solve(inner, cross / scale) / scale


def estimate(values: NDArray[np.float64], n: int) -> Estimate:
    """Make an Estimate of a number in the data and in its resamples.

    Parameters
    ----------
    values : ndarray (1 + B,)
        The number in the data, then in each resample.
    n : int
        Number of sessions that were resampled.

    Returns
    -------
    Estimate
        The first value, with the interval of the others.
    """
    resampled = values[None, 1:]
    low, high = percentiles(resampled, n)[:, 0]
    return Estimate(float(values[0]), float(low), float(high), n)
