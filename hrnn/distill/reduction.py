"""Distillation of a network to a few units: reduced algebraic dynamics by least squares (RADD).

z_t = tanh(A z_{t-1} + B x_t + c) is fitted to projections z of the network's state on its readouts
of side and block, in the plane of two principal components, divided by one scale so that |z| < 1:
artanh(z_t) is linear in (z_{t-1}, x_t, 1). The result is a network like any other.

Components, block readout and scale are estimated from the same sessions, and most of what A and B
are uncertain by comes from them: their intervals refit everything without each of N_GROUPS groups
of sessions (jackknife), and the scale, a maximum, has the variance that the spacing of the largest
maxima of sessions gives it.
"""

import dataclasses
import functools

import numpy as np

from hrnn.analysis import representation
from hrnn.base.arguments import generator, real_array, real_number, whole_number
from hrnn.network import Network
from hrnn.rollout import rollout
from hrnn.statistics.regression import linear
from hrnn.statistics.resampling import Estimate, ratio_interval, student

MARGIN = 1.01  # scale over the largest |entry| of the training data
GAINS = tuple(float(g) for g in np.geomspace(0.5, 64, 15))
MOST_DIMENSIONS = 8
HORIZONS = 20
N_FREE = 400  # starts of free-running predictions
LINE = 1e-6  # sine of the angle between two readouts below which they span no plane
N_GROUPS = 10  # of sessions, each left out once
N_LARGEST = 5  # maxima of sessions, whose spacing tells how much the largest varies
RESCALED = 0.005  # change of the log scale for derivatives by it: less than log MARGIN


@dataclasses.dataclass(frozen=True, eq=False)
class Map:
    """z_t = tanh(A z_{t-1} + B x_t + c) by least squares, as a network of D units.

    Attributes
    ----------
    network : Network
        tanh, D units: W = A, U = B, b = c, and P(right) = σ(2 gain z₁). It starts from z = 0.
    A, B, c : Estimate of (D, D), (D, 3), (D,)
        Intervals resample training sessions; those of a `Radd` also refit its projection and scale.
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
        """τ = -1/ln|λ| of the eigenvalues of A in steps, (D,), the slowest first.

        Negative where one grows.
        """
        moduli = np.sort(np.abs(np.linalg.eigvals(self.A.value)))[::-1]
        return -1 / np.log(moduli)


@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """Where to look: z = (h - mean) rows' / scale.

    Attributes
    ----------
    mean, rows : (N,), (D, N)
    group : (S,) int or None
        Group of each session, if the projection was estimated from them.
    without : list of (mean, rows)
        The projection estimated without each group.
    """

    mean: np.ndarray
    rows: np.ndarray
    group: object = None
    without: tuple = ()

    def first(self, dimension):
        """The first of its rows."""
        without = [(mean, rows[:dimension]) for mean, rows in self.without]
        return dataclasses.replace(self, rows=self.rows[:dimension], without=without)


@dataclasses.dataclass(frozen=True, eq=False)
class Spread:
    """Weights [A B c] (D, D + 4) fitted again in other ways.

    From which functions of them get their intervals.

    Attributes
    ----------
    weights : (D, D + 4)
    without : (G, D, D + 4)
        Projection and weights without each group of sessions.
    rescaled : (2, D, D + 4)
        With the log of the scale RESCALED less and more.
    sd_log_scale : float
        Standard deviation of the log of the scale; 0 where it was given.
    """

    weights: np.ndarray
    without: np.ndarray
    rescaled: np.ndarray
    sd_log_scale: float

    def estimate(self, function):
        """A function of the weights, a number or an array of them, as an Estimate.

        Jackknife and scale, Student's t.

        se² = (G - 1)/G Σ_g (f_g - mean f)² + (df/d log scale)² var(log scale), G - 1 degrees of
        freedom.
        """
        value = np.asarray(function(self.weights), float)
        groups = np.stack([function(weights) for weights in self.without])
        less, more = (np.asarray(function(weights), float) for weights in self.rescaled)
        n = len(groups)
        sampling = (n - 1) / n * ((groups - groups.mean(0)) ** 2).sum(0)
        half = student(n) * np.sqrt(
            sampling + ((more - less) / (2 * RESCALED) * self.sd_log_scale) ** 2
        )
        return Estimate(value, value - half, value + half, n)


@dataclasses.dataclass(frozen=True, eq=False)
class Radd(Map):
    """A network of D units distilled from a larger one: a `Map` of its projections.

    Attributes
    ----------
    mean, rows, scale : (N,), (D, N), float
        z = (h - mean) rows' / scale.
    spread : Spread or None
        How the weights vary with sessions; None where projection and scale were given, or no
        intervals were asked for.
    published_gain : float
        √N ‖V‖ / √2 of the teacher, the published rule.
    horizon : DataFrame
        `steps, error, baseline`: root mean square of z - ẑ after free running for some steps, and
        of z - z_start.
    """

    mean: np.ndarray
    rows: np.ndarray
    scale: float
    spread: object
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
    """Where to look: a `Projection` on the unit readouts of side and block in the plane of two components, then on further components.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> coordinates(net, run).rows.shape
    (2, 6)
    """
    dimension = whole_number(dimension, "dimension")
    if dimension > min(MOST_DIMENSIONS, net.n_hidden):
        raise ValueError(
            f"dimension must be <= {min(MOST_DIMENSIONS, net.n_hidden)}, got {dimension}"
        )
    random = generator(rng)
    train, for_decoder, for_groups = training_half(run, random.spawn(1)[0]), *random.spawn(2)
    group = _groups(train, run.sessions.n_sessions, for_groups)
    seed = int(for_decoder.integers(2**63))
    components = representation.pca(run, n_resamples=1)
    if not components.variance[dimension - 1] > 1e-12 * components.variance[0]:
        raise ValueError(f"run must be of a network whose states vary in {dimension} directions")
    look = functools.partial(_looked, net, run, dimension, seed)
    rows = look(components.axes, np.ones(len(group), bool))
    if len(rows) >= 2 and abs(np.linalg.det(rows[:2] @ components.axes[:2].T)) < LINE:
        raise ValueError(
            "run must be of a network whose readouts of side and block are not along one line"
        )
    without = []
    for kept in (group != g for g in range(group.max() + 1)):
        part = representation.pca(run, sessions=np.flatnonzero(kept), n_resamples=1)
        aligned = part.axes * np.sign((part.axes * components.axes).sum(1))[:, None]
        without.append((part.mean, look(aligned, kept)))
    return Projection(components.mean, rows, group, without)


def _groups(train, n_sessions, rng):
    """Group of each session: both halves dealt out to all groups, at most N_GROUPS."""
    group = np.empty(n_sessions, int)
    n_groups = min(N_GROUPS, len(train))
    for part in (train, np.setdiff1d(np.arange(n_sessions), train)):
        group[part] = rng.permutation(np.arange(len(part)) % n_groups)
    return group


def _looked(net, run, dimension, seed, axes, kept):
    """Rows (D, N) of the projection, the block's readout being estimated from the sessions that are kept (S,)."""
    stimulus = axes[:2] @ representation.stimulus_readout(net)
    if net.n_hidden == 1:
        return np.sign(representation.stimulus_readout(net))[None]
    labels = np.where(kept[run.sessions.session], run.sessions.block_side, 0)[run.trial]
    decoder = representation.block_decoder(
        run, axes=axes[:2], labels=labels, regularisation=1.0, n_resamples=1, rng=seed
    )
    block = axes[:2] @ decoder.weights
    readouts = (
        np.stack([stimulus / np.linalg.norm(stimulus), block / np.linalg.norm(block)]) @ axes[:2]
    )
    return np.vstack([readouts, axes[2:]])[:dimension]


def radd(
    run,
    net,
    *,
    dimension=2,
    projection=None,
    rows=None,
    mean=None,
    scale=None,
    gains=GAINS,
    n_resamples=1000,
    rng=0,
):
    """Distil a network to a few units by least squares on its projected trajectories.

    Parameters
    ----------
    run : Rollout
        Of the network, at least four sessions; half of them train.
    net : Network
    dimension : int, 1..8
        The readouts of side and block, then further principal components.
    projection : Projection, optional
        What `coordinates` gave for this run, so that several fits share it.
    rows, mean : (D, N), (N,), optional
        A projection of your own instead, taken as known; mean is 0 by default then.
    scale : float, optional
        Default 1.01 times the largest |entry| of the training sessions.
    gains : sequence of float
        Swept; see `Radd.gain`.
    n_resamples : int
        1 gives no intervals of A, B and c.
    rng : int, SeedSequence or Generator

    Returns
    -------
    Radd

    Raises
    ------
    ValueError
        If there are too few sessions, more dimensions than units, readouts along one line, states
        that do not vary, or a scale that leaves |z| >= 1 in the training sessions.

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
    projection = _projection(net, run, dimension, projection, rows, mean, random.spawn(1)[0])
    inside = np.isin(run.session, train)
    given = scale is not None
    z = _scores(run, projection.mean, projection.rows)
    scale = _scale(z[inside], scale)
    z /= scale
    z_before = representation.before(run, z, -projection.rows @ projection.mean / scale)
    defined = np.abs(z) < 1
    fitted = least_squares(
        run,
        z_before,
        np.arctanh(np.where(defined, z, 0)),
        train,
        gains=gains,
        keep=defined.all(1),
        n_resamples=n_resamples,
        rng=rng,
        name="radd",
    )
    spread = None
    if n_resamples > 1 and (projection.without or not given) and len(train) > 2:
        spread = _spread(run, projection, scale, fitted, train, given, random.spawn(1)[0])
        A, B, c = (
            spread.estimate(lambda weights, columns=columns: weights[:, columns])
            for columns in _columns(len(fitted.c.value))
        )
        fitted = dataclasses.replace(fitted, A=A, B=B, c=c)
    return Radd(
        **{field.name: getattr(fitted, field.name) for field in dataclasses.fields(Map)},
        mean=projection.mean,
        rows=projection.rows,
        scale=scale,
        spread=spread,
        published_gain=float(np.sqrt(net.n_hidden) * np.linalg.norm(net.V) / np.sqrt(2)),
        horizon=_horizon(
            fitted.network,
            z,
            z_before,
            run,
            np.setdiff1d(np.arange(run.sessions.n_sessions), train),
            random.spawn(1)[0],
        ),
    )


def _scores(run, mean, rows):
    return run.hidden @ rows.T - rows @ mean


def _columns(d):
    """Where A, B and c are among the columns of the weights of d units."""
    return slice(0, d), slice(d, d + 3), d + 3


def _spread(run, projection, scale, fitted, train, given, rng):
    """The `Spread` of a fit."""
    session = run.session
    inside = np.isin(session, train)
    group = (
        _groups(train, run.sessions.n_sessions, rng)
        if projection.group is None
        else projection.group
    )
    largest = np.abs(_scores(run, projection.mean, projection.rows)[inside]).max(1)
    maxima = np.sort(
        np.maximum.reduceat(largest, np.unique(session[inside], return_index=True)[1])
    )[::-1]

    def fit(mean, rows, scale, kept):
        z = _scores(run, mean, rows)
        if not given:
            scale = scale * np.abs(z[inside]).max() / maxima[0]
        X, y = _design(run, z / scale, -rows @ mean / scale, kept)
        return np.linalg.lstsq(X, y, rcond=None)[0].T

    at_hand = projection.mean, projection.rows
    others = projection.without or [at_hand] * (group.max() + 1)
    without = [fit(*other, scale, inside & (group[session] != g)) for g, other in enumerate(others)]
    rescaled = (
        [fit(*at_hand, scale * np.exp(change), inside) for change in (-RESCALED, RESCALED)]
        if not given
        else [without[0]] * 2
    )
    weights = np.column_stack([fitted.A.value, fitted.B.value, fitted.c.value])
    return Spread(
        weights,
        np.array(without),
        np.array(rescaled),
        0.0 if given else _sd_of_largest(maxima) / maxima[0],
    )


def _design(run, z, initial, kept):
    """Regressors (z one step earlier, x, 1) and target artanh z of the steps that are kept."""
    X = np.column_stack([representation.before(run, z, initial), run.inputs, np.ones(len(z))])
    return X[kept], np.arctanh(z[kept])


def _sd_of_largest(maxima):
    """Standard deviation of the largest of independent maxima, sorted from the largest.

    In the domain of Gumbel's law the spacings i (M_i - M_{i+1}) of the largest are exponential with
    its scale σ (Weissman 1978), and the largest has the standard deviation π σ / √6. Projections of
    states are bounded, so that their tail is shorter; the more of the largest are taken, the more
    this overestimates (with N_LARGEST by a third, in networks of the paper's recipe).

    Examples
    --------
    >>> draws = np.sort(np.random.default_rng(0).exponential(size=1000))[::-1]
    >>> bool(0.4 < _sd_of_largest(draws) < 2.5)
    True
    """
    k = min(N_LARGEST, len(maxima) - 1)
    i = np.arange(1, k + 1)
    return float((i * (maxima[:k] - maxima[1 : k + 1])).mean() * np.pi / np.sqrt(6))


def training_half(run, random):
    """Half of the sessions, drawn, in order."""
    n = run.sessions.n_sessions
    return np.sort(random.permutation(n)[: n // 2])


def least_squares(run, before, target, train, *, gains, keep=None, n_resamples, rng, name):
    """The `Map` of least squares of target = artanh z (T, D) on (before, x, 1).

    Before (T, D) being z one step earlier.

    Other steps than `keep` are left out, of the sessions that do not train.
    """
    session = run.session
    d = target.shape[1]
    inside = np.isin(session, train)
    keep = np.ones(len(target), bool) if keep is None else keep
    X = np.column_stack([before, run.inputs, np.ones(len(target))])
    fit = [
        linear(X[inside], column[inside], session[inside], rng=rng, n_resamples=n_resamples).weights
        for column in target.T
    ]
    weights = Estimate(
        *(np.stack([getattr(w, part) for w in fit]) for part in ("value", "low", "high")),
        len(train),
    )
    A, B, c = (
        Estimate(
            *(getattr(weights, part)[:, columns] for part in ("value", "low", "high")), len(train)
        )
        for columns in _columns(d)
    )
    other = ~inside & keep
    pooled = [
        _pooled_r2(X[part], target[part], weights.value, session[part], rng)
        for part in (inside, other)
    ]
    student = functools.partial(_network, A.value, B.value, c.value, name)
    table, gain = _sweep(student, run.sessions.select(train), gains)
    return Map(
        student(gain),
        A,
        B,
        c,
        *(r for r, _ in pooled),
        pooled[1][1],
        gain,
        table,
        int((~inside).sum() - other.sum()),
        train,
    )


def _projection(net, run, dimension, projection, rows, mean, rng):
    if projection is not None:
        if not isinstance(projection, Projection) or rows is not None:
            raise TypeError(
                f"projection must be a Projection, and rows None beside it, got {type(projection).__name__}"
            )
        return projection
    if rows is None:
        return coordinates(net, run, dimension, rng=rng)
    rows = real_array(rows, "rows", (2,))
    mean = np.zeros(net.n_hidden) if mean is None else real_array(mean, "mean", (1,))
    if (
        rows.shape[1] != net.n_hidden
        or not 1 <= len(rows) <= MOST_DIMENSIONS
        or mean.shape != (net.n_hidden,)
    ):
        raise ValueError(
            f"rows and mean must have shapes (D, {net.n_hidden}) and ({net.n_hidden},), got {rows.shape} and {mean.shape}"
        )
    if np.linalg.matrix_rank(rows) < len(rows):
        raise ValueError("rows must be independent")
    return Projection(mean, rows)


def _scale(z, scale):
    largest = np.abs(z).max()
    if scale is None:
        if not largest > 0:
            raise ValueError("run must be of a network whose state varies along the rows")
        return MARGIN * float(largest)
    scale = real_number(scale, "scale", 0, np.inf, "")
    if largest >= scale:
        raise ValueError(
            f"scale must exceed the largest projection of the training sessions, {largest:g}, got {scale:g}"
        )
    return scale


def _pooled_r2(X, y, weights, session, rng):
    """R² over all columns of y, with its interval over sessions, and by column."""
    if not len(y):
        return Estimate(np.nan, np.nan, np.nan, 0), np.full(y.shape[1], np.nan)
    residual = (y - X @ weights.T) ** 2
    total = (y - y.mean(0)) ** 2
    _, unit = np.unique(session, return_inverse=True)
    lost = ratio_interval(
        np.bincount(unit, residual.sum(1)), np.bincount(unit, total.sum(1)), rng=rng
    )
    return Estimate(1 - lost.value, 1 - lost.high, 1 - lost.low, lost.n), 1 - residual.sum(
        0
    ) / total.sum(0)


def _network(A, B, c, name, gain):
    V = np.zeros((2, len(A)))
    V[:, 0] = -gain, gain
    return Network.from_arrays(
        "tanh", W=A, U=B, b=c, V=V, c=np.zeros(2), metadata={"distilled": name, "gain": gain}
    )


def with_gain(fitted, gain):
    """The network of a `Map` with another gain."""
    return _network(
        fitted.A.value, fitted.B.value, fitted.c.value, fitted.network.metadata["distilled"], gain
    )


def _sweep(student, sessions, gains):
    """Behaviour on the sessions for each gain, and the gain of the highest fraction correct."""
    import pandas as pd

    rows = []
    for gain in real_array(gains, "gains", (1,)):
        run = rollout(student(real_number(gain, "gains", 0, np.inf, "")), sessions, hidden=False)
        rows.append(
            {
                "gain": gain,
                "correct": (run.choice == sessions.side).mean(),
                "timeouts": (run.choice == 0).mean(),
                "steps_per_trial": len(run.p_right) / sessions.n_trials,
            }
        )
    table = pd.DataFrame(rows)
    return table, float(table.gain[table.correct.argmax()])


def _horizon(student, z, before, run, sessions, rng):
    """Error of free-running predictions from true states of held-out sessions.

    Under the true inputs.
    """
    import pandas as pd

    session = run.session
    steps = np.arange(len(z))
    possible = np.flatnonzero(
        np.isin(session, sessions)
        & (np.roll(session, 1 - HORIZONS) == session)
        & (steps <= len(z) - HORIZONS)
    )
    if not possible.size:
        return pd.DataFrame({"steps": [], "error": [], "baseline": []})
    t = rng.choice(possible, min(N_FREE, len(possible)), replace=False)
    state = before[t]
    rows = []
    for k in range(HORIZONS):
        state = student.step(state, run.inputs[t + k])
        rms = lambda v: float(np.sqrt((v**2).sum(1).mean()))  # noqa: E731
        rows.append(
            {"steps": k + 1, "error": rms(z[t + k] - state), "baseline": rms(z[t + k] - before[t])}
        )
    return pd.DataFrame(rows)
