"""Distillation of a network to a few units: reduced algebraic dynamics by least squares (RADD).

z_t = tanh(A z_{t-1} + B x_t + c) is fitted to projections z of the network's state on its readouts of side and block, in the plane
of two principal components, divided by one scale so that |z| < 1: artanh(z_t) is linear in (z_{t-1}, x_t, 1). The result is a
network like any other.
"""

import dataclasses
import functools

import numpy as np

from hrnn import representation
from hrnn.arguments import generator, real_array, real_number, whole_number
from hrnn.dynamics import step
from hrnn.network import Network
from hrnn.regression import linear
from hrnn.rollout import rollout
from hrnn.stats import Estimate, ratio_interval

MARGIN = 1.01  # scale over the largest |entry| of the training data
GAINS = tuple(float(g) for g in np.geomspace(0.5, 64, 15))
MOST_DIMENSIONS = 8
HORIZONS = 20
N_FREE = 400  # starts of free-running predictions


@dataclasses.dataclass(frozen=True, eq=False)
class Map:
    """z_t = tanh(A z_{t-1} + B x_t + c) by least squares, as a network of D units.

    Attributes
    ----------
    network : Network
        tanh, D units: W = A, U = B, b = c, and P(right) = σ(2 gain z₁). It starts from z = 0.
    A, B, c : Estimate of (D, D), (D, 3), (D,)
        Intervals resample training sessions.
    r2, r2_heldout : Estimate
        Of artanh z, all coordinates together, on training and on other sessions.
    r2_by_coordinate : (D,)
        On the other sessions.
    gain : float
        Of `gains`, the one of highest fraction correct on training sessions.
    gains : DataFrame
        `gain, correct, timeouts, steps_per_trial` on training sessions.
    n_dropped : int
        Held-out steps with |z| >= 1, left out of `r2_heldout`.
    train_sessions : (S,) int
    """

    network: Network
    A: Estimate
    B: Estimate
    c: Estimate
    r2: Estimate
    r2_heldout: Estimate
    r2_by_coordinate: np.ndarray
    gain: float
    gains: object
    n_dropped: int
    train_sessions: np.ndarray

    @property
    def time_constants(self):
        """τ = -1/ln|λ| of the eigenvalues of A in steps, (D,), the slowest first; negative where one grows."""
        moduli = np.sort(np.abs(np.linalg.eigvals(self.A.value)))[::-1]
        return -1 / np.log(moduli)


@dataclasses.dataclass(frozen=True, eq=False)
class Radd(Map):
    """A network of D units distilled from a larger one: a `Map` of its projections.

    Attributes
    ----------
    mean, rows, scale : (N,), (D, N), float
        z = (h - mean) rows' / scale.
    published_gain : float
        √N ‖V‖ / √2 of the teacher, the published rule.
    horizon : DataFrame
        `steps, error, baseline`: root mean square of z - ẑ after free running for some steps, and of z - z_start.
    """

    mean: np.ndarray
    rows: np.ndarray
    scale: float
    published_gain: float
    horizon: object

    def project(self, states):
        """z of states (..., N), (..., D)."""
        return (states @ self.rows.T - self.rows @ self.mean) / self.scale

    def trajectories(self, run):
        """z after and before each step of a rollout of the teacher, (T, D) each."""
        z = self.project(run.hidden)
        return z, representation.before(run, z, self.project(np.zeros(len(self.mean))))


def coordinates(net, run, dimension=2, *, rng=0):
    """Where to look: mean (N,) and rows (D, N) of the projection.

    The unit readouts of side and block in the plane of two components, then the following components.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> coordinates(net, run)[1].shape
    (2, 6)
    """
    dimension = whole_number(dimension, "dimension")
    if dimension > min(MOST_DIMENSIONS, net.n_hidden):
        raise ValueError(f"dimension must be <= {min(MOST_DIMENSIONS, net.n_hidden)}, got {dimension}")
    components = representation.pca(run, n_resamples=1, rng=rng)
    if not components.variance[dimension - 1] > 1e-12 * components.variance[0]:
        raise ValueError(f"run must be of a network whose states vary in {dimension} directions")
    if net.n_hidden == 1:
        return components.mean, np.sign(representation.stimulus_readout(net))[None]
    decoder = representation.block_decoder(run, axes=components.axes[:2], regularisation=1.0, rng=rng)
    plane = representation.task_plane(net, components, decoder)
    readouts = np.stack([plane.stimulus, plane.block]) @ plane.axes
    if dimension >= 2 and abs(np.linalg.det(np.stack([plane.stimulus, plane.block]))) < 1e-3:
        raise ValueError("run must be of a network whose readouts of side and block are not along one line")
    return components.mean, np.vstack([readouts, components.axes[2:]])[:dimension]


def radd(run, net, *, dimension=2, rows=None, mean=None, scale=None, gains=GAINS, n_resamples=1000, rng=0):
    """Distil a network to a few units by least squares on its projected trajectories.

    Parameters
    ----------
    run : Rollout
        Of the network, at least four sessions; half of them train.
    net : Network
    dimension : int, 1..8
        The readouts of side and block, then further principal components.
    rows, mean : (D, N), (N,), optional
        A projection of your own instead; mean is 0 by default then.
    scale : float, optional
        Default 1.01 times the largest |entry| of the training sessions.
    gains : sequence of float
        Swept; see `Radd.gain`.
    n_resamples : int
    rng : int, SeedSequence or Generator

    Returns
    -------
    Radd

    Raises
    ------
    ValueError
        If there are too few sessions, more dimensions than units, readouts along one line, states that do not vary, or a scale
        that leaves |z| >= 1 in the training sessions.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> radd(run, net).network.n_hidden
    2
    """
    representation.run_of(run, net)
    representation.needs_sessions(run)
    random = generator(rng)
    train = training_half(run, random)
    mean, rows = _projection(net, run, dimension, rows, mean, random.spawn(1)[0])
    z = run.hidden @ rows.T - rows @ mean
    scale = _scale(z[np.isin(run.sessions.session[run.trial], train)], scale)
    z /= scale
    before = representation.before(run, z, -rows @ mean / scale)
    defined = np.abs(z) < 1
    fitted = least_squares(run, before, np.arctanh(np.where(defined, z, 0)), train, gains=gains, keep=defined.all(1),
                           n_resamples=n_resamples, rng=rng, name="radd")
    return Radd(
        **{field.name: getattr(fitted, field.name) for field in dataclasses.fields(Map)}, mean=mean, rows=rows, scale=scale,
        published_gain=float(np.sqrt(net.n_hidden) * np.linalg.norm(net.V) / np.sqrt(2)),
        horizon=_horizon(fitted.network, z, before, run, np.setdiff1d(np.arange(run.sessions.n_sessions), train), random.spawn(1)[0]),
    )


def training_half(run, random):
    """Half of the sessions, drawn, in order."""
    n = run.sessions.n_sessions
    return np.sort(random.permutation(n)[: n // 2])


def least_squares(run, before, target, train, *, gains, keep=None, n_resamples, rng, name):
    """The `Map` of least squares of target = artanh z (T, D) on (before, x, 1), before (T, D) being z one step earlier.

    Other steps than `keep` are left out, of the sessions that do not train.
    """
    session, d = run.sessions.session[run.trial], target.shape[1]
    inside = np.isin(session, train)
    keep = np.ones(len(target), bool) if keep is None else keep
    X = np.column_stack([before, run.inputs, np.ones(len(target))])
    fit = [linear(X[inside], column[inside], session[inside], rng=rng, n_resamples=n_resamples).weights for column in target.T]
    weights = Estimate(*(np.stack([getattr(w, part) for w in fit]) for part in ("value", "low", "high")), len(train))
    A, B, c = (Estimate(*(getattr(weights, part)[:, columns] for part in ("value", "low", "high")), len(train))
               for columns in (slice(0, d), slice(d, d + 3), d + 3))
    other = ~inside & keep
    pooled = [_pooled_r2(X[part], target[part], weights.value, session[part], rng) for part in (inside, other)]
    student = functools.partial(_network, A.value, B.value, c.value, name)
    table, gain = _sweep(student, run.sessions.select(train), gains)
    return Map(student(gain), A, B, c, *(r for r, _ in pooled), pooled[1][1], gain, table, int((~inside).sum() - other.sum()), train)


def _projection(net, run, dimension, rows, mean, rng):
    if rows is None:
        return coordinates(net, run, dimension, rng=rng)
    rows = real_array(rows, "rows", (2,))
    mean = np.zeros(net.n_hidden) if mean is None else real_array(mean, "mean", (1,))
    if rows.shape[1] != net.n_hidden or not 1 <= len(rows) <= MOST_DIMENSIONS or mean.shape != (net.n_hidden,):
        raise ValueError(f"rows and mean must have shapes (D, {net.n_hidden}) and ({net.n_hidden},), got {rows.shape} and {mean.shape}")
    if np.linalg.matrix_rank(rows) < len(rows):
        raise ValueError("rows must be independent")
    return mean, rows


def _scale(z, scale):
    largest = np.abs(z).max()
    if scale is None:
        if not largest > 0:
            raise ValueError("run must be of a network whose state varies along the rows")
        return MARGIN * float(largest)
    scale = real_number(scale, "scale", 0, np.inf, "")
    if largest >= scale:
        raise ValueError(f"scale must exceed the largest projection of the training sessions, {largest:g}, got {scale:g}")
    return scale


def _pooled_r2(X, y, weights, session, rng):
    """R² over all columns of y, with its interval over sessions, and by column."""
    if not len(y):
        return Estimate(np.nan, np.nan, np.nan, 0), np.full(y.shape[1], np.nan)
    residual, total = (y - X @ weights.T) ** 2, (y - y.mean(0)) ** 2
    _, unit = np.unique(session, return_inverse=True)
    lost = ratio_interval(np.bincount(unit, residual.sum(1)), np.bincount(unit, total.sum(1)), rng=rng)
    return Estimate(1 - lost.value, 1 - lost.high, 1 - lost.low, lost.n), 1 - residual.sum(0) / total.sum(0)


def _network(A, B, c, name, gain):
    V = np.zeros((2, len(A)))
    V[:, 0] = -gain, gain
    return Network.from_arrays("tanh", W=A, U=B, b=c, V=V, c=np.zeros(2), metadata={"distilled": name, "gain": gain})


def with_gain(fitted, gain):
    """The network of a `Map` with another gain."""
    return _network(fitted.A.value, fitted.B.value, fitted.c.value, fitted.network.metadata["distilled"], gain)


def _sweep(student, sessions, gains):
    """Behaviour on the sessions for each gain, and the gain of the highest fraction correct."""
    import pandas as pd

    rows = []
    for gain in real_array(gains, "gains", (1,)):
        run = rollout(student(real_number(gain, "gains", 0, np.inf, "")), sessions, hidden=False)
        rows.append({"gain": gain, "correct": (run.choice == sessions.side).mean(), "timeouts": (run.choice == 0).mean(),
                     "steps_per_trial": len(run.p_right) / sessions.n_trials})
    table = pd.DataFrame(rows)
    return table, float(table.gain[table.correct.argmax()])


def _horizon(student, z, before, run, sessions, rng):
    """Error of free-running predictions from true states of held-out sessions, under the true inputs."""
    import pandas as pd

    session = run.sessions.session[run.trial]
    steps = np.arange(len(z))
    possible = np.flatnonzero(np.isin(session, sessions) & (np.roll(session, 1 - HORIZONS) == session) & (steps <= len(z) - HORIZONS))
    if not possible.size:
        return pd.DataFrame({"steps": [], "error": [], "baseline": []})
    t = rng.choice(possible, min(N_FREE, len(possible)), replace=False)
    state, rows = before[t], []
    for k in range(HORIZONS):
        state = step(student, state, run.inputs[t + k])
        rms = lambda v: float(np.sqrt((v**2).sum(1).mean()))  # noqa: E731
        rows.append({"steps": k + 1, "error": rms(z[t + k] - state), "baseline": rms(z[t + k] - before[t])})
    return pd.DataFrame(rows)
