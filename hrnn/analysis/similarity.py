"""Do networks move alike? Trajectories aligned by the task.

Compared by what no rotation of the units changes.

Rows of a trajectory matrix are the same conditions in every network: block side × side × strength ×
step in the trial.
"""

import numpy as np

from hrnn.analysis.representation import states_of
from hrnn.base.arguments import real_array, whole_number
from hrnn.statistics.resampling import Estimate, percentiles, resample

N_OBSERVED = 2
MIN_TRIALS = 10
N_STEPS = 200


def trajectories(run):
    """Mean state by condition.

    Block side (2) × side (2) × strength × step (blanks and N_OBSERVED observations), (C, N).

    Parameters
    ----------
    run : Rollout
        Of a network, with its states. Trials of unbiased blocks are left out.

    Returns
    -------
    (C, N) float64
        NaN where fewer than MIN_TRIALS trials have the step; trials that have ended have none.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task().sample(n_sessions=8, rng=0))
    >>> trajectories(run).shape
    (96, 6)
    """
    states, _, block = states_of(run)
    s = run.sessions
    n_steps = run.sessions.task.n_blank + N_OBSERVED
    levels = np.unique(s.task.strengths)
    inside = np.flatnonzero((run.step < n_steps) & (block != 0))
    trial = run.trial[inside]
    condition = ((s.block_side[trial] > 0) * 2 + (s.side[trial] > 0)) * len(
        levels
    ) + np.searchsorted(levels, s.strength[trial])
    row = condition * n_steps + run.step[inside]
    n_rows = 4 * len(levels) * n_steps
    n = np.bincount(row, minlength=n_rows)
    total = np.stack([np.bincount(row, column, n_rows) for column in states[inside].T], axis=1)
    return np.where((n >= MIN_TRIALS)[:, None], total / np.maximum(n, 1)[:, None], np.nan)


def _common(a, b):
    """Rows that both have, centred."""
    a = np.asarray(a, float)
    b = np.asarray(b, float)
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b):
        raise ValueError(
            f"a and b must be matrices of the same conditions, got shapes {a.shape} and {b.shape}"
        )
    both = np.isfinite(a).all(1) & np.isfinite(b).all(1)
    if both.sum() < 3:
        raise ValueError(f"a and b must share at least 3 conditions, got {both.sum()}")
    a, b = (real_array(values[both] - values[both].mean(0), "a and b", (2,)) for values in (a, b))
    if not (a.any() and b.any()):
        raise ValueError("a and b must vary over conditions")
    return a, b


def cka(a, b):
    """Linear centred kernel alignment, ‖b'a‖² / (‖a'a‖ ‖b'b‖), in [0, 1] (Kornblith et al. 2019).

    Parameters
    ----------
    a, b : (C, N), (C, M) array_like
        Trajectories of the same conditions; rows with NaN in either are left out.

    Examples
    --------
    >>> a = np.random.default_rng(0).normal(size=(30, 4))
    >>> round(cka(a, 3 * a[:, ::-1]), 6)
    1.0
    """
    a, b = _common(a, b)
    return float(np.linalg.norm(b.T @ a) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)))


def procrustes(a, b):
    """Correlation after the best rotation, ‖a'b‖_* / (‖a‖ ‖b‖), in [0, 1].

    Its arccos is a distance (Williams et al. 2021).

    Parameters
    ----------
    a, b : as in `cka`

    Examples
    --------
    >>> a = np.random.default_rng(0).normal(size=(30, 4))
    >>> round(procrustes(a, 3 * a[:, ::-1]), 6)
    1.0
    """
    a, b = _common(a, b)
    return float(np.linalg.norm(a.T @ b, "nuc") / (np.linalg.norm(a) * np.linalg.norm(b)))


def session_starts(run, n_steps=N_STEPS):
    """States in the first steps of each session, (S, n_steps, N): what `dsa` compares.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task().sample(n_sessions=3, rng=0))
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


def dsa(a, b, *, n_delays=4, rank=10):
    """Dynamical similarity analysis, a distance between linear models of the delayed states.

    0 for alike (Ostrow et al. 2023).

    By the library dsa-metric (extra `dsa`, which brings PyTorch). It asks for the same dynamics,
    not for the same geometry.

    Parameters
    ----------
    a, b : (S, T, N), (S, T, M)
        As `session_starts`.
    n_delays, rank : int
        Of the delay embedding and of the linear model.

    Raises
    ------
    ModuleNotFoundError
        Without the extra.
    """
    a = real_array(a, "a", (3,))
    b = real_array(b, "b", (3,))
    try:
        from DSA import DSA
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"dsa needs {error.name}: pip install 'hrnn[dsa]'") from error
    return float(
        DSA(
            a,
            b,
            n_delays=whole_number(n_delays, "n_delays"),
            rank=whole_number(rank, "rank"),
            verbose=False,
        ).fit_score()
    )


def matrix(several, others=None, *, of=cka):
    """Similarity of each of several trajectories (K) with each of others (L; default the same).

    (K, L).

    Examples
    --------
    >>> a = np.random.default_rng(0).normal(size=(2, 30, 4))
    >>> matrix(list(a)).shape
    (2, 2)
    """
    return np.array([[of(a, b) for b in (several if others is None else others)] for a in several])


def mean_of_pairs(similar, *, rng=0):
    """Mean over pairs of different networks of a similarity matrix (K, K), with networks resampled.

    Examples
    --------
    >>> mean_of_pairs(np.array([[1, 0.5, 0.7], [0.5, 1, 0.6], [0.7, 0.6, 1]])).value.round(3).item()
    0.6
    """
    similar = real_array(similar, "similar", (2,))
    if similar.shape[0] != similar.shape[1] or len(similar) < 2:
        raise ValueError(
            f"similar must be a square matrix of at least 2 networks, got shape {similar.shape}"
        )
    apart = 1 - np.eye(len(similar))
    weights = resample(len(similar), rng=rng).weights

    def ratio(w):
        pairs = w @ apart
        with np.errstate(invalid="ignore"):  # one network drawn K times has no pairs
            return ((w @ (apart * similar)) * w).sum(-1) / (pairs * w).sum(-1)

    low, high = percentiles(ratio(weights)[None], len(similar))[:, 0]
    return Estimate(ratio(np.ones((1, len(similar))))[0], float(low), float(high), len(similar))
