"""Populations of units, the weights within and between them, and low-rank circuits."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.analysis.representation import run_of, states_before, states_of
from hrnn.base.arguments import generator, real_array, whole_number
from hrnn.network import Network, check_network
from hrnn.statistics.resampling import Estimate, percentiles

if TYPE_CHECKING:
    from hrnn.base.typing import RNGLike
    from hrnn.rollout import Rollout

MOST_CLUSTERS: int = 6
N_RESAMPLES: int = 500
ROWS_AT_ONCE: int = 20_000  # bounds the memory


@dataclasses.dataclass(frozen=True, eq=False)
class Populations:
    """Two populations of units by the correlation of their activity.

    Attributes
    ----------
    correlation : ndarray (N, N)
        Correlation of the activity of each unit with each.
    order : ndarray of int (N,)
        Units in the order of the leaves of the tree (average linkage on 1 - correlation).
    label : ndarray of int (N,)
        Population of each unit, 0 or 1: the cut of the tree into two.
    silhouette : Estimate
        Mean over units of the two-population split, units resampled; at 1 perfectly apart.
    n_clusters : int
        Number of clusters, 2 to 6, of the best mean silhouette.
    between : float
        Mean correlation between units of different populations: negative if they are
        anti-correlated.
    """

    correlation: NDArray[np.float64]
    order: NDArray[np.integer]
    label: NDArray[np.integer]
    silhouette: Estimate
    n_clusters: int
    between: float


def populations(run: Rollout, *, rng: RNGLike = 0) -> Populations:
    """Split the units into two populations by hierarchical clustering of their correlations.

    Parameters
    ----------
    run : Rollout
        Of a network with at least three units that all vary.
    rng : int, SeedSequence or Generator
        Seed or generator of the resampled units.

    Returns
    -------
    Populations
        The split, and how far apart the two are.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=2, rng=0))
    >>> populations(run).label.shape
    (6,)
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    states, _, _ = states_of(run)
    n = states.shape[1]
    if n < 3 or (states.std(0) == 0).any():
        raise ValueError("run must be of a network with at least three units, all of which vary")
    correlation = np.atleast_2d(np.corrcoef(states.T))
    distance = np.clip(1 - correlation, 0, 2)
    np.fill_diagonal(distance, 0)
    distance = (distance + distance.T) / 2
    tree = linkage(squareform(distance, checks=False), "average")
    cuts = _cuts(tree, n)
    scores = _silhouettes(distance, cuts)
    if 2 not in scores:
        raise ValueError("run must be of units that do not all vary as one")
    label = cuts[2] - 1
    drawn = generator(rng).integers(n, size=(N_RESAMPLES, n))
    low, high = percentiles(scores[2][drawn].mean(1)[None], n)[:, 0]
    between = correlation[np.ix_(label == 0, label == 1)]
    return Populations(
        correlation,
        leaves_list(tree),
        label,
        Estimate(float(scores[2].mean()), float(low), float(high), n),
        max(scores, key=lambda k: scores[k].mean()),
        float(between.mean()),
    )


def _cuts(tree: NDArray[np.float64], n: int) -> dict[int, NDArray[np.integer]]:
    """Labels (n,) of the units when the tree is cut into 2, 3, ... clusters."""
    from scipy.cluster.hierarchy import fcluster

    most = min(MOST_CLUSTERS, n - 1)
    return {k: np.asarray(fcluster(tree, k, "maxclust")) for k in range(2, most + 1)}


def _silhouettes(
    distance: NDArray[np.float64], cuts: dict[int, NDArray[np.integer]]
) -> dict[int, NDArray[np.float64]]:
    """Silhouettes (N,) of the cuts for which they are defined."""
    from sklearn.metrics import silhouette_samples

    scores = {}
    for k, cut in cuts.items():
        if 1 < len(np.unique(cut)) < len(distance):
            scores[k] = np.asarray(silhouette_samples(distance, cut, metric="precomputed"))
    return scores


def cliffs_delta(a: ArrayLike, b: ArrayLike) -> float:
    """Effect size P(a > b) - P(a < b) over all pairs: 1 if all of a exceed all of b.

    Parameters
    ----------
    a : array_like (n,)
        Numbers of one group.
    b : array_like (m,)
        Numbers of the other.

    Returns
    -------
    float
        From -1 to 1.

    Examples
    --------
    >>> cliffs_delta([3, 4], [1, 2])
    1.0
    """
    a = real_array(a, "a", (1,))
    b = np.sort(real_array(b, "b", (1,)))
    below = np.searchsorted(b, a, "left")
    above = len(b) - np.searchsorted(b, a, "right")
    return float((below - above).mean() / len(b))


@dataclasses.dataclass(frozen=True, eq=False)
class Weights:
    """Recurrent weights off the diagonal, within and between populations.

    Attributes
    ----------
    within : ndarray (n,)
        Weights between units of one population.
    between : ndarray (m,)
        Weights between units of different populations.
    delta : Estimate
        Cliff's δ of within against between, units resampled (a weight goes with both of its units).
    """

    within: NDArray[np.float64]
    between: NDArray[np.float64]
    delta: Estimate


def _two_labels(net: Network, label: ArrayLike) -> NDArray[np.float64]:
    """Check labels of a network's units, of two values."""
    check_network(net)
    labels = real_array(label, "label", (1,))
    n_values = len(np.unique(labels))
    if labels.shape != (net.n_hidden,) or n_values != 2:
        raise ValueError(
            f"label must have shape ({net.n_hidden},) and two values, "
            f"got {labels.shape} with {n_values}"
        )
    return labels


def weights_by_population(net: Network, label: ArrayLike, *, rng: RNGLike = 0) -> Weights:
    """Recurrent weights within and between two populations, and their effect size.

    Parameters
    ----------
    net : Network
        The network.
    label : array_like of int (N,)
        Population of each unit: two values.
    rng : int, SeedSequence or Generator
        Seed or generator of the resampled units.

    Returns
    -------
    Weights
        The weights, without those of units on themselves.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> len(weights_by_population(net, [0, 0, 0, 1, 1, 1]).within)
    12
    """
    label = _two_labels(net, label)

    def split(units: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        W = net.recurrent_weights[np.ix_(units, units)]
        of = label[units]
        off = units[:, None] != units
        same = of[:, None] == of
        return W[off & same], W[off & ~same]

    within, between = split(np.arange(net.n_hidden))
    if not within.size:
        raise ValueError("label must put at least two units into one population")
    random = generator(rng)
    drawn = []
    for _ in range(N_RESAMPLES):
        a, b = split(random.integers(net.n_hidden, size=net.n_hidden))
        drawn.append(cliffs_delta(a, b) if a.size and b.size else np.nan)
    low, high = percentiles(np.array(drawn)[None], net.n_hidden)[:, 0]
    delta = cliffs_delta(within, between)
    return Weights(within, between, Estimate(delta, float(low), float(high), net.n_hidden))


def readout_participation(axis: ArrayLike) -> tuple[NDArray[np.float64], float]:
    """How much each unit takes part in a readout, and how many units share it.

    Parameters
    ----------
    axis : array_like (N,)
        Weights w of the readout.

    Returns
    -------
    share : ndarray (N,)
        Share of each unit, |w_i| / Σ|w|.
    n_units : float
        Effective number of units, (Σw²)² / Σw⁴.

    Examples
    --------
    >>> readout_participation([1.0, -1.0, 0.0])[1]
    2.0
    """
    axis = real_array(axis, "axis", (1,))
    if not axis.any():
        raise ValueError("axis must not be 0 everywhere")
    size = np.abs(axis)
    n_units = (axis**2).sum() ** 2 / (axis**4).sum()
    return size / size.sum(), float(n_units)


def circuit(
    net: Network, label: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean weights of the circuit of two populations.

    Parameters
    ----------
    net : Network
        The network.
    label : array_like of int (N,)
        Population of each unit: two values.

    Returns
    -------
    recurrent : ndarray (2, 2)
        Entry [i, j] is the summed weight that a unit of population i gets from population j,
        averaged over i.
    input : ndarray (2, 3)
        Mean weight of each input to each population.
    readout : ndarray (2,)
        Summed weight of each population in the readout V_right - V_left.
    """
    label = _two_labels(net, label)
    member = np.stack([label == k for k in np.unique(label)]).astype(float)
    mean = member / member.sum(1, keepdims=True)
    recurrent = mean @ net.recurrent_weights @ member.T
    readout = member @ (net.V[1] - net.V[0])
    return recurrent, mean @ net.input_weights, readout


def low_rank(net: Network, run: Rollout, rank: int) -> dict[str, float]:
    """Agreement of a network whose W is cut to a rank (singular vectors) with the full network.

    Parameters
    ----------
    net : Network
        The full network.
    run : Rollout
        A rollout of it, with its states.
    rank : int
        Rank of the recurrent weights, from 1 to N.

    Returns
    -------
    dict of str to float
        'r2': R² of the next state, given the true one, over all steps; 'agreement': fraction of
        trials with the same choice in closed loop.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=2, rng=0))
    >>> low_rank(net, run, 6)["agreement"]
    1.0
    """
    from hrnn.rollout import rollout

    run_of(run, net)
    states, _, _ = states_of(run)
    if whole_number(rank, "rank") > net.n_hidden:
        raise ValueError(f"rank must be <= {net.n_hidden}, got {rank}")
    u, s, vt = np.linalg.svd(net.W)
    W = (u[:, :rank] * s[:rank]) @ vt[:rank]
    cut = net.with_arrays(W=W)
    before = states_before(run)
    mean = states.mean(0)
    left = 0.0
    spread = 0.0
    for first in range(0, len(before), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        predicted = cut.step(before[rows], run.inputs[rows])
        left += ((states[rows] - predicted) ** 2).sum()
        spread += ((states[rows] - mean) ** 2).sum()
    choice = rollout(cut, run.sessions, hidden=False, progress=False).choice
    agreement = (choice == run.choice).mean()
    return {"r2": float(1 - left / spread), "agreement": float(agreement)}
