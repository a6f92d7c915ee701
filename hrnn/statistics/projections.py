"""Regressions along readouts that are themselves estimated.

Every resample of sessions has its own readout.

An interval that resamples the regression alone treats the readout as known, and is too narrow: by a
factor of six for the ratio of the slopes along side and block. Here everything is a combination of
columns (states, their movement, evidence, ...) whose second moments within each session are kept,
so that a resample costs one weighted sum of moments and a small linear system.
"""

import dataclasses

import numpy as np

from hrnn.base.arguments import one_of
from hrnn.statistics.resampling import Estimate, percentiles, resample

N_RESAMPLES = 500
MOST_NUMBERS = 1_500_000  # of moments held at once
SINGULAR = 1e-10  # least eigenvalue of normal equations with a diagonal of 1


@dataclasses.dataclass(frozen=True, eq=False)
class Readout:
    """A direction in the space of states, with that of every resample of sessions.

    Attributes
    ----------
    weights : (N,)
    intercept : float
    weights_resampled : (B, N)
    intercept_resampled : (B,)
    counts : (B, S)
        How often each session of the run was drawn.
    """

    weights: np.ndarray
    intercept: float
    weights_resampled: np.ndarray
    intercept_resampled: np.ndarray
    counts: np.ndarray

    @property
    def all_weights(self):
        """Those of the data and of each resample, (1 + B, N)."""
        return np.vstack([self.weights, self.weights_resampled])

    @property
    def all_intercepts(self):
        """Those of the data and of each resample, (1 + B,)."""
        return np.append(self.intercept, self.intercept_resampled)

    @property
    def all_directions(self):
        """Unit vectors, (1 + B, N)."""
        weights = self.all_weights
        return weights / np.linalg.norm(weights, axis=1, keepdims=True)


def known(weights, counts):
    """A `Readout` that is the same in every resample, as a network's own readout is."""
    weights = np.asarray(weights, float)
    return Readout(weights, 0.0, np.tile(weights, (len(counts), 1)), np.zeros(len(counts)), counts)


def resampled_together(axes, n_sessions, rng):
    """Readouts {name: Readout} that share their resamples, of axes {name: (N,) or Readout}.

    An axis that is a plain vector is known; a `Readout` brings the resamples of its sessions.

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
            "axes must be decoders of the same sessions, made with one rng, so that they are resampled together"
        )
    if counts[0].shape[1] != n_sessions:
        raise ValueError(
            f"axes must be decoders of run, of {n_sessions} sessions, got {counts[0].shape[1]}"
        )
    return {
        name: axis if isinstance(axis, Readout) else known(axis, counts[0])
        for name, axis in axes.items()
    }


class Moments:
    """Second moments of named columns within each session.

    Parameters
    ----------
    session : (R,) int
        Of each row, from 0.
    counts : (B, S)
        Resamples of the sessions.
    **columns : (R,) or (R, C)

    Examples
    --------
    >>> counts = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    >>> m = Moments(np.array([0, 0, 1, 1]), counts, x=np.arange(4.0), y=2 * np.arange(4.0))
    >>> m.regress([m.of("x")], m.of("y"))[0][:, 0].tolist()
    [2.0, 2.0, 2.0, 2.0]
    """

    def __init__(self, session, counts, **columns):
        parts = {
            name: np.asarray(values, float).reshape(len(session), -1)
            for name, values in columns.items()
        }
        parts["one"] = np.ones((len(session), 1))
        ends = np.cumsum([part.shape[1] for part in parts.values()])
        self.where = {
            name: slice(end - part.shape[1], end)
            for (name, part), end in zip(parts.items(), ends, strict=True)
        }
        self.counts = np.vstack([np.ones(counts.shape[1]), counts])
        self.size = int(ends[-1])
        self._kept = None
        self.moments = np.zeros((counts.shape[1], self.size, self.size))
        order = np.argsort(session, kind="stable")
        names, first = np.unique(np.asarray(session)[order], return_index=True)
        for name, rows in zip(names, np.split(order, first[1:]), strict=True):
            Z = np.hstack(
                [part[rows] for part in parts.values()]
            )  # session by session: the columns are large
            self.moments[name] = Z.T @ Z

    def of(self, name, weights=1.0):
        """A combination of the columns `name` as coefficients of all columns, (1 + B, size).

        Weights (C,) or (1 + B, C).
        """
        one_of(name, "name", tuple(self.where))
        weights = np.atleast_2d(weights)
        found = np.zeros((len(self.counts), self.size))
        found[:, self.where[name]] = weights
        return found

    def log_odds(self, name, readout):
        """The log odds of a `Readout` at the states in the columns `name`, as coefficients."""
        return self.of(name, readout.all_weights) + self.of("one", readout.all_intercepts[:, None])

    def regress(self, design, target):
        """Least squares of a combination of columns on others.

        Parameters
        ----------
        design : list of K (1 + B, size)
            What `of` gives. An intercept is ``of("one")``.
        target : (1 + B, size)

        Returns
        -------
        weights : (1 + B, K)
            Of the data, then of each resample.
        r2 : (1 + B,)
            1 - SS_res / SS_tot, with SS_tot about the mean.
        """
        Z = np.stack([*design, target, self.of("one")], -1)
        inner = np.concatenate(
            [Z[rows].transpose(0, 2, 1) @ sums @ Z[rows] for rows, sums in self._sums()]
        )
        k = len(design)
        weights = np.array(
            [
                _solve(gram, cross)
                for gram, cross in zip(inner[:, :k, :k], inner[:, :k, k], strict=True)
            ]
        )
        spread = inner[:, k, k] - inner[:, k, k + 1] ** 2 / inner[:, k + 1, k + 1]
        left = inner[:, k, k] - (weights * inner[:, :k, k]).sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return weights, np.where(spread > 0, 1 - left / spread, np.nan)

    def _sums(self):
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
            yield rows, (self.counts[rows] @ flat).reshape(-1, size, size)

    def correlate(self, first, second):
        """Correlation of two combinations of columns, of the data and of each resample.

        (1 + B,).
        """
        slope, r2 = self.regress([first, self.of("one")], second)
        return np.sign(slope[:, 0]) * np.sqrt(np.maximum(r2, 0))


def _solve(gram, cross):
    """Least squares from normal equations, in columns of one length.

    NaN where a column follows from the others.
    """
    scale = np.sqrt(np.diag(gram))
    if not (scale > 0).all():
        return np.full(len(cross), np.nan)
    inner = gram / np.outer(scale, scale)
    if np.linalg.eigvalsh(inner)[0] < SINGULAR:
        return np.full(len(cross), np.nan)
    return np.linalg.solve(inner, cross / scale) / scale


def estimate(values, n):
    """The first of values (1 + B,) with the interval of the others.

    As an Estimate of n sessions.
    """
    low, high = percentiles(values[None, 1:], n)[:, 0]
    return Estimate(float(values[0]), float(low), float(high), n)
