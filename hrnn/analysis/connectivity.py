"""Populations of units, the weights within and between them, and low-rank circuits."""

import dataclasses

import numpy as np

from hrnn.analysis.representation import run_of, states_before, states_of
from hrnn.base.arguments import generator, whole_number
from hrnn.network import check_network
from hrnn.statistics.resampling import Estimate, percentiles

MOST_CLUSTERS = 6
N_RESAMPLES = 500
ROWS_AT_ONCE = 20_000  # bounds the memory


@dataclasses.dataclass(frozen=True, eq=False)
class Populations:
    """Two populations of units by the correlation of their activity.

    Attributes
    ----------
    correlation : (N, N)
    order : (N,) int
        Of the leaves of the tree (average linkage on 1 - correlation).
    label : (N,) int
        0 or 1, the cut of the tree into two.
    silhouette : Estimate
        Mean over units of the two-population split, units resampled; at 1 perfectly apart.
    n_clusters : int
        Number of clusters, 2 to 6, of the best mean silhouette.
    between : float
        Mean correlation between units of different populations: negative if they are
        anti-correlated.
    """

    correlation: np.ndarray
    order: np.ndarray
    label: np.ndarray
    silhouette: Estimate
    n_clusters: int
    between: float


def populations(run, *, rng=0):
    """Split the units into two populations by hierarchical clustering of their correlations.

    Parameters
    ----------
    run : Rollout
        Of a network with at least three units that all vary.
    rng : int, SeedSequence or Generator

    Returns
    -------
    Populations

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task().sample(n_sessions=2, rng=0))
    >>> populations(run).label.shape
    (6,)
    """
    from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
    from scipy.spatial.distance import squareform
    from sklearn.metrics import silhouette_samples

    states, _, _ = states_of(run)
    n = states.shape[1]
    if n < 3 or (states.std(0) == 0).any():
        raise ValueError("run must be of a network with at least three units, all of which vary")
    correlation = np.corrcoef(states.T)
    distance = np.clip(1 - correlation, 0, 2)
    np.fill_diagonal(distance, 0)
    distance = (distance + distance.T) / 2
    tree = linkage(squareform(distance, checks=False), "average")
    cuts = {k: fcluster(tree, k, "maxclust") for k in range(2, min(MOST_CLUSTERS, n - 1) + 1)}
    scores = {
        k: silhouette_samples(distance, cut, metric="precomputed")
        for k, cut in cuts.items()
        if 1 < len(np.unique(cut)) < n
    }
    if 2 not in scores:
        raise ValueError("run must be of units that do not all vary as one")
    label = cuts[2] - 1
    drawn = scores[2][generator(rng).integers(n, size=(N_RESAMPLES, n))].mean(1)
    low, high = percentiles(drawn[None], n)[:, 0]
    return Populations(
        correlation,
        leaves_list(tree),
        label,
        Estimate(float(scores[2].mean()), float(low), float(high), n),
        max(scores, key=lambda k: scores[k].mean()),
        float(correlation[np.ix_(label == 0, label == 1)].mean()),
    )


def cliffs_delta(a, b):
    """P(a > b) - P(a < b) for all pairs: 1 if all of a exceed all of b.

    Examples
    --------
    >>> cliffs_delta([3, 4], [1, 2])
    1.0
    """
    a = np.asarray(a, float)
    b = np.sort(np.asarray(b, float))
    below = np.searchsorted(b, a, "left")
    above = len(b) - np.searchsorted(b, a, "right")
    return float((below - above).mean() / len(b))


@dataclasses.dataclass(frozen=True, eq=False)
class Weights:
    """Recurrent weights off the diagonal, within and between populations.

    Attributes
    ----------
    within, between : (n,)
    delta : Estimate
        Cliff's δ of within against between, units resampled (a weight goes with both of its units).
    """

    within: np.ndarray
    between: np.ndarray
    delta: Estimate


def weights_by_population(net, label, *, rng=0):
    """Recurrent weights within and between two populations, and their effect size.

    Parameters
    ----------
    net : Network
    label : (N,) int
    rng : int, SeedSequence or Generator

    Returns
    -------
    Weights

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> len(weights_by_population(net, [0, 0, 0, 1, 1, 1]).within)
    12
    """
    check_network(net)
    label = np.asarray(label)
    if label.shape != (net.n_hidden,) or len(np.unique(label)) != 2:
        raise ValueError(
            f"label must have shape ({net.n_hidden},) and two values, got {label.shape} with {len(np.unique(label))}"
        )

    def split(units):
        W = net.W[np.ix_(units, units)]
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
    return Weights(
        within,
        between,
        Estimate(cliffs_delta(within, between), float(low), float(high), net.n_hidden),
    )


def readout_participation(axis):
    """Share of each unit in a readout, |w_i| / Σ|w|, (N,), and how many units share it.

    (Σw²)² / Σw⁴.

    Examples
    --------
    >>> readout_participation([1.0, -1.0, 0.0])[1]
    2.0
    """
    axis = np.asarray(axis, float)
    return np.abs(axis) / np.abs(axis).sum(), float((axis**2).sum() ** 2 / (axis**4).sum())


def circuit(net, label):
    """Mean weights of the circuit of two populations.

    Recurrent (2, 2), input (2, 3) and readout (2,) (V_right - V_left).

    Entry [i, j] of the first is the summed weight that a unit of population i gets from population
    j, averaged over i.
    """
    check_network(net)
    label = np.asarray(label)
    member = np.stack([label == k for k in np.unique(label)]).astype(float)
    mean = member / member.sum(1, keepdims=True)
    return mean @ net.W @ member.T, mean @ net.U, member @ (net.V[1] - net.V[0])


def low_rank(net, run, rank):
    """Agreement of the network with W cut to a rank (singular vectors) with the full network.

    Parameters
    ----------
    net : Network
    run : Rollout
        Of this network.
    rank : int, 1..N

    Returns
    -------
    dict of str to float
        r2: of the next state, given the true one, over all steps; agreement: fraction of trials
        with the same choice in closed loop.

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
    if whole_number(rank, "rank") > net.n_hidden:
        raise ValueError(f"rank must be <= {net.n_hidden}, got {rank}")
    u, s, vt = np.linalg.svd(net.W)
    arrays = {name: getattr(net, name) for name in ("U", "b", "V", "c")}
    cut = type(net).from_arrays(
        net.cell, W=(u[:, :rank] * s[:rank]) @ vt[:rank], **arrays, leak=net.leak
    )
    before = states_before(run)
    mean = run.hidden.mean(0)
    left = 0.0
    spread = 0.0
    for first in range(0, len(before), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        left += ((run.hidden[rows] - cut.step(before[rows], run.inputs[rows])) ** 2).sum()
        spread += ((run.hidden[rows] - mean) ** 2).sum()
    choice = rollout(cut, run.sessions, hidden=False).choice
    return {"r2": float(1 - left / spread), "agreement": float((choice == run.choice).mean())}
