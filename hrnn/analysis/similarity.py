"""Whether networks move alike: trajectories aligned by the task.

They are compared by what no rotation of the units changes.

Rows of a trajectory matrix are the same conditions in every network: block side × side × strength ×
step in the trial.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.analysis.representation import states_of
from hrnn.base.arguments import instance, numbers, real_array, whole_number
from hrnn.statistics.resampling import Estimate, percentiles, resample, with_width

if TYPE_CHECKING:
    from hrnn.base.typing import RNGLike
    from hrnn.rollout import Rollout

N_OBSERVED: int = 2
MIN_TRIALS: int = 10
N_STEPS: int = 200


def trajectories(run: Rollout) -> NDArray[np.float64]:
    """Mean state by condition.

    Conditions are block side (2) × side (2) × strength × step (blanks and N_OBSERVED observations).

    Parameters
    ----------
    run : Rollout
        Of a network, with its states. Trials of unbiased blocks are left out.

    Returns
    -------
    ndarray (C, N)
        One row per condition; NaN where fewer than MIN_TRIALS trials have the step (trials that
        have ended have none).

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> trajectories(run).shape
    (96, 6)
    """
    states, _, block = states_of(run)
    s = run.sessions
    n_steps = s.task.n_blank + N_OBSERVED
    levels = np.unique(s.task.strengths)
    inside = np.flatnonzero((run.step < n_steps) & (block != 0))
    trial = run.trial[inside]
    sides = (s.block_side[trial] > 0) * 2 + (s.side[trial] > 0)
    condition = sides * len(levels) + np.searchsorted(levels, s.strength[trial])
    row = condition * n_steps + run.step[inside]
    n_rows = 4 * len(levels) * n_steps
    n = np.bincount(row, minlength=n_rows)
    total = np.stack([np.bincount(row, column, n_rows) for column in states[inside].T], axis=1)
    mean = total / np.maximum(n, 1)[:, None]
    enough = (n >= MIN_TRIALS)[:, None]
    return np.where(enough, mean, np.nan)


def _common(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows that both have, centred."""
    a = numbers(a, "a")
    b = numbers(b, "b")
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b):
        raise ValueError(
            f"a and b must be matrices of the same conditions, got shapes {a.shape} and {b.shape}"
        )
    both = np.isfinite(a).all(1) & np.isfinite(b).all(1)
    if both.sum() < 3:
        raise ValueError(f"a and b must share at least 3 conditions, got {both.sum()}")
    centred_a = real_array(a[both] - a[both].mean(0), "a and b", (2,))
    centred_b = real_array(b[both] - b[both].mean(0), "a and b", (2,))
    if not (centred_a.any() and centred_b.any()):
        raise ValueError("a and b must vary over conditions")
    return centred_a, centred_b


def cka(a: ArrayLike, b: ArrayLike) -> float:
    """Linear centred kernel alignment, ‖b'a‖² / (‖a'a‖ ‖b'b‖), in [0, 1] (Kornblith et al. 2019).

    Parameters
    ----------
    a : array_like (C, N)
        Trajectories of one network.
    b : array_like (C, M)
        Those of another, in the same conditions; rows with NaN in either are left out.

    Returns
    -------
    float
        1 if one is a rotation and rescaling of the other.

    Examples
    --------
    >>> a = np.random.default_rng(0).normal(size=(30, 4))
    >>> round(cka(a, 3 * a[:, ::-1]), 6)
    1.0
    """
    A, B = _common(a, b)
    shared = np.linalg.norm(B.T @ A) ** 2
    return float(shared / (np.linalg.norm(A.T @ A) * np.linalg.norm(B.T @ B)))


def procrustes(a: ArrayLike, b: ArrayLike) -> float:
    """Correlation after the best rotation, ‖a'b‖_* / (‖a‖ ‖b‖), in [0, 1].

    Its arccos is a distance (Williams et al. 2021).

    Parameters
    ----------
    a : array_like (C, N)
        Trajectories of one network.
    b : array_like (C, M)
        Those of another, in the same conditions; rows with NaN in either are left out.

    Returns
    -------
    float
        1 if one is a rotation and rescaling of the other.

    Examples
    --------
    >>> a = np.random.default_rng(0).normal(size=(30, 4))
    >>> round(procrustes(a, 3 * a[:, ::-1]), 6)
    1.0
    """
    A, B = _common(a, b)
    shared = np.linalg.norm(A.T @ B, "nuc")
    return float(shared / (np.linalg.norm(A) * np.linalg.norm(B)))


def session_starts(run: Rollout, n_steps: int = N_STEPS) -> NDArray[np.float64]:
    """States in the first steps of each session, which `dsa` compares.

    Parameters
    ----------
    run : Rollout
        Of a network, with its states.
    n_steps : int, optional
        Number of steps; no session may be shorter.

    Returns
    -------
    ndarray (S, n_steps, N)
        The states of S sessions.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=3, rng=0))
    >>> session_starts(run, 20).shape
    (3, 20, 6)
    """
    states, session, _ = states_of(run)
    n_steps = whole_number(n_steps, "n_steps")
    first = np.searchsorted(session, np.arange(run.sessions.n_sessions))
    shortest = int(np.bincount(session).min())
    if n_steps > shortest:
        raise ValueError(
            f"n_steps must be <= {shortest}, the length of the shortest session, got {n_steps}"
        )
    return states[first[:, None] + np.arange(n_steps)]


def dsa(a: ArrayLike, b: ArrayLike, *, n_delays: int = 4, rank: int = 10) -> float:
    """Dynamical similarity analysis, a distance between linear models of the delayed states.

    By the library dsa-metric (extra `dsa`, which brings PyTorch; Ostrow et al. 2023). It asks for
    the same dynamics, not for the same geometry.

    Parameters
    ----------
    a : array_like (S, T, N)
        States of one network, as `session_starts` gives them.
    b : array_like (S, T, M)
        States of another.
    n_delays : int
        Number of delays that are stacked into one state.
    rank : int
        Rank of the linear model.

    Returns
    -------
    float
        0 for networks that are alike.

    Raises
    ------
    ModuleNotFoundError
        Without the extra.
    """
    a = real_array(a, "a", (3,))
    b = real_array(b, "b", (3,))
    n_delays = whole_number(n_delays, "n_delays")
    rank = whole_number(rank, "rank")
    try:
        from DSA import DSA  # pyright: ignore[reportMissingImports]  # an extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"dsa needs {error.name}: pip install 'hrnn[dsa]'") from error
    return float(DSA(a, b, n_delays=n_delays, rank=rank, verbose=False).fit_score())


def matrix(
    several: Sequence[NDArray[np.float64]],
    others: Sequence[NDArray[np.float64]] | None = None,
    *,
    of: Callable[[NDArray[np.float64], NDArray[np.float64]], float] = cka,
) -> NDArray[np.float64]:
    """Similarity of each of several trajectories with each of others.

    Parameters
    ----------
    several : list of K ndarray
        What `trajectories` gives for K networks.
    others : list of L ndarray, optional
        Those of other networks; by default the same.
    of : callable(a, b), optional
        Measure of similarity, such as `cka` or `procrustes`.

    Returns
    -------
    ndarray (K, L)
        The similarities.

    Examples
    --------
    >>> a = np.random.default_rng(0).normal(size=(2, 30, 4))
    >>> matrix(list(a)).shape
    (2, 2)
    """
    instance(several, "several", Sequence)
    others = several if others is None else instance(others, "others", Sequence)
    if not callable(of):
        raise TypeError(f"of must be callable, got {type(of).__name__}")
    return np.array([[of(a, b) for b in others] for a in several])


def mean_of_pairs(similar: ArrayLike, *, rng: RNGLike = 0) -> Estimate:
    """Mean similarity over pairs of different networks, with networks resampled.

    Parameters
    ----------
    similar : array_like (K, K)
        Similarity of each network with each, as `matrix` gives it.
    rng : int, SeedSequence or Generator, optional
        Seed or generator of the resamples.

    Returns
    -------
    Estimate
        The mean; `n` is the number of networks.

    Examples
    --------
    >>> mean_of_pairs(np.array([[1, 0.5, 0.7], [0.5, 1, 0.6], [0.7, 0.6, 1]])).value
    0.6
    """
    similar = real_array(similar, "similar", (2,))
    if similar.shape[0] != similar.shape[1] or len(similar) < 2:
        raise ValueError(
            f"similar must be a square matrix of at least 2 networks, got shape {similar.shape}"
        )
    apart = 1 - np.eye(len(similar))
    weights = resample(len(similar), rng=rng).weights

    def mean(w: NDArray[np.float64]) -> NDArray[np.float64]:
        total = ((w @ (apart * similar)) * w).sum(-1)
        n_pairs = ((w @ apart) * w).sum(-1)
        with np.errstate(invalid="ignore"):  # one network drawn K times has no pairs
            return total / n_pairs

    low, high = with_width(percentiles(mean(weights)[None], len(similar)))[:, 0]
    value = mean(np.ones((1, len(similar))))[0]
    return Estimate(float(value), float(low), float(high), len(similar))
