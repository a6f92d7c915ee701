"""Distillation of a network to a few units: reduced algebraic dynamics by least squares (RADD).

z_t = tanh(A z_{t-1} + B x_t + c) is fitted to projections z of the network's state on its readouts
of side and block, in the plane of two principal components, divided by one scale so that |z| < 1:
artanh(z_t) is linear in (z_{t-1}, x_t, 1). The result is a network like any other.

Components, block readout and scale are estimated from the same sessions, and most of what A and B
are uncertain by comes from them: their intervals refit everything without each of N_GROUPS groups
of sessions (jackknife), and the scale, a maximum, has the variance that the spacing of the largest
maxima of sessions gives it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.analysis import representation
from hrnn.base.arguments import (
    generator,
    instance,
    last_axis,
    real_array,
    real_number,
    stored_array,
    whole_number,
)
from hrnn.network import Network
from hrnn.rollout import Rollout, rollout
from hrnn.statistics.regression import linear
from hrnn.statistics.resampling import Estimate, ratio_interval, student
from hrnn.task import Sessions

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike

MARGIN: float = 1.01  # scale over the largest |entry| of the training data
GAINS: tuple[float, ...] = tuple(float(gain) for gain in np.geomspace(0.5, 64, 15))
MOST_DIMENSIONS: int = 8
HORIZONS: int = 20
N_FREE: int = 400  # starts of free-running predictions
LINE: float = 1e-6  # sine of the angle between two readouts below which they span no plane
N_GROUPS: int = 10  # of sessions, each left out once
N_LARGEST: int = 5  # maxima of sessions, whose spacing tells how much the largest varies
RESCALED: float = 0.005  # change of the log scale for derivatives by it: less than log MARGIN


@dataclasses.dataclass(frozen=True, eq=False)
class Map:
    """z_t = tanh(A z_{t-1} + B x_t + c) by least squares, as a network of D units.

    Intervals of A, B and c resample training sessions; those of a `Radd` also refit its projection
    and scale.

    Attributes
    ----------
    network : Network
        A tanh network of D units: W = A, U = B, b = c, and P(right) = σ(2 gain z₁). It starts from
        z = 0.
    A : Estimate of (D, D)
        What each coordinate takes from the coordinates one step earlier.
    B : Estimate of (D, 3)
        What each coordinate takes from the inputs (o^L, o^R, r).
    c : Estimate of (D,)
        Constant of each coordinate.
    r2 : Estimate
        R² of artanh z, all coordinates together, on training sessions.
    r2_heldout : Estimate
        R² of artanh z, all coordinates together, on the other sessions.
    r2_by_coordinate : (D,) float64
        R² of each coordinate alone, on the other sessions.
    gain : float
        The one of `gains` with the highest fraction correct on training sessions.
    gains : DataFrame
        Behaviour on training sessions by gain: `gain, correct, timeouts, steps_per_trial`.
    n_dropped : int
        Number of held-out steps with |z| >= 1, which are left out of `r2_heldout`.
    train_sessions : (S,) int64
        Numbers of the sessions that trained it, in order.
    """

    network: Network
    A: Estimate
    B: Estimate
    c: Estimate
    r2: Estimate
    r2_heldout: Estimate
    r2_by_coordinate: NDArray[np.float64]
    gain: float
    gains: pd.DataFrame
    n_dropped: int
    train_sessions: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = instance(self.network, "network", Network).n_hidden
        for name, shape in (("A", (n, n)), ("B", (n, 3)), ("c", (n,))):
            estimate = instance(getattr(self, name), name, Estimate)
            for end in ("value", "low", "high"):
                stored_array(np.asarray(getattr(estimate, end)), f"{name}.{end}", shape)

    @property
    def time_constants(self) -> NDArray[np.float64]:
        """τ = -1/ln|λ| of the eigenvalues of A in steps, (D,), the slowest first.

        Negative where one grows.
        """
        moduli = np.abs(np.linalg.eigvals(self.A.value))
        slowest_first = np.sort(moduli)[::-1]
        return -1 / np.log(slowest_first)


@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """Where to look: z = (h - mean) rows' / scale.

    Attributes
    ----------
    mean : (N,) float64
        Subtracted from the states first.
    rows : (D, N) float64
        One direction of the state space for each coordinate.
    group : (S,) int64 or None
        Group of each session, if the projection was estimated from them.
    without : sequence of (mean, rows)
        The projection estimated without each group.
    """

    mean: NDArray[np.float64]
    rows: NDArray[np.float64]
    group: NDArray[np.int64] | None = None
    without: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]] = ()

    def first(self, dimension: int) -> Projection:
        """The projection on the first of its rows."""
        if whole_number(dimension, "dimension") > len(self.rows):
            raise ValueError(f"dimension must be <= {len(self.rows)}, got {dimension}")
        rows = self.rows[:dimension]
        without = [(mean, others[:dimension]) for mean, others in self.without]
        return dataclasses.replace(self, rows=rows, without=without)


@dataclasses.dataclass(frozen=True, eq=False)
class Spread:
    """Weights [A B c] fitted again in other ways, from which functions of them get intervals.

    Attributes
    ----------
    weights : (D, D + 4) float64
        The weights themselves.
    without : (G, D, D + 4) float64
        Projection and weights fitted without each group of sessions.
    rescaled : (2, D, D + 4) float64
        Weights with the log of the scale RESCALED less and more.
    sd_log_scale : float
        Standard deviation of the log of the scale; 0 where it was given.
    """

    weights: NDArray[np.float64]
    without: NDArray[np.float64]
    rescaled: NDArray[np.float64]
    sd_log_scale: float

    def estimate(self, function: Callable[[NDArray[np.float64]], ArrayLike]) -> Estimate:
        """A function of the weights, a number or an array of them, as an Estimate.

        Its variance is that of the jackknife over groups and that which comes from the scale:
        se² = (G - 1)/G Σ_g (f_g - mean f)² + (df/d log scale)² var(log scale), and the interval is
        Student's with G - 1 degrees of freedom.
        """
        if not callable(function):
            raise TypeError(f"function must be callable, got {type(function).__name__}")
        value = np.asarray(function(self.weights), float)
        groups = np.stack([function(weights) for weights in self.without])
        less, more = (np.asarray(function(weights), float) for weights in self.rescaled)
        n = len(groups)
        squares = (groups - groups.mean(0)) ** 2
        sampling = (n - 1) / n * squares.sum(0)
        slope = (more - less) / (2 * RESCALED)
        scaling = (slope * self.sd_log_scale) ** 2
        half = student(n) * np.sqrt(sampling + scaling)
        return Estimate(value, value - half, value + half, n)


@dataclasses.dataclass(frozen=True, eq=False)
class Radd(Map):
    """A network of D units distilled from a larger one: a `Map` of its projections.

    Its coordinates are z = (h - mean) rows' / scale.

    Attributes
    ----------
    mean : (N,) float64
        Subtracted from the teacher's states first.
    rows : (D, N) float64
        One direction of the teacher's state space for each coordinate.
    scale : float
        What all coordinates are divided by.
    spread : Spread or None
        How the weights vary with sessions; None where projection and scale were given, or no
        intervals were asked for.
    published_gain : float
        √N ‖V‖ / √2 of the teacher, the published rule.
    horizon : DataFrame
        Error of free-running predictions, `steps, error, baseline`: root mean square of z - ẑ after
        some steps, and of z - z_start.
    """

    mean: NDArray[np.float64]
    rows: NDArray[np.float64]
    scale: float
    spread: Spread | None
    published_gain: float
    horizon: pd.DataFrame

    def __post_init__(self) -> None:
        super().__post_init__()
        n_units = np.shape(self.mean)[:1]
        stored_array(self.mean, "mean", n_units)
        stored_array(self.rows, "rows", (self.network.n_hidden, *n_units))
        real_number(self.scale, "scale", 0, np.inf, "")

    def project(self, states: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates z (..., D) of states (..., N) of the teacher."""
        states = last_axis(states, "states", len(self.mean))
        shift = self.rows @ self.mean
        return (states @ self.rows.T - shift) / self.scale

    def trajectories(self, run: Rollout) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coordinates after and before each step of a rollout of the teacher, (T, D) each."""
        states, _, _ = representation.states_of(run)
        if states.shape[1] != len(self.mean):
            raise ValueError(f"run must be of a network of {len(self.mean)} units, as radd is")
        z = self.project(states)
        at_start = self.project(np.zeros(len(self.mean)))
        return z, representation.before(run, z, at_start)


def states_in(run: Rollout) -> NDArray[np.float64]:
    """States (T, N) of a rollout that is known to hold them."""
    return cast("NDArray[np.float64]", run.hidden)


# ---- coordinates ----


def coordinates(net: Network, run: Rollout, dimension: int = 2, *, rng: RNGLike = 0) -> Projection:
    """Find where to look: a `Projection` on the readouts of side and block, then on components.

    Its first two rows are the unit readouts of side and block in the plane of two principal
    components, the others further components.

    Parameters
    ----------
    net : Network
        The teacher.
    run : Rollout
        A rollout of the teacher, with its states, of at least four sessions.
    dimension : int, 1..8
        Number of coordinates.
    rng : int, SeedSequence or Generator
        For training sessions, groups of sessions and the decoder.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> coordinates(net, run).rows.shape
    (2, 6)
    """
    representation.run_of(run, net)
    representation.needs_sessions(run)
    dimension = whole_number(dimension, "dimension")
    most = min(MOST_DIMENSIONS, net.n_hidden)
    if dimension > most:
        raise ValueError(f"dimension must be <= {most}, got {dimension}")
    random = generator(rng)
    train = training_half(run, random.spawn(1)[0])
    for_decoder, for_groups = random.spawn(2)
    group = _groups(train, run.sessions.n_sessions, for_groups)
    seed = int(for_decoder.integers(2**63))
    components = representation.pca(run, n_resamples=1)
    if not components.variance[dimension - 1] > 1e-12 * components.variance[0]:
        raise ValueError(f"run must be of a network whose states vary in {dimension} directions")
    everything = np.ones(len(group), bool)
    rows = _readout_rows(net, run, dimension, seed, components.axes, everything)
    if len(rows) >= 2 and abs(np.linalg.det(rows[:2] @ components.axes[:2].T)) < LINE:
        raise ValueError(
            "run must be of a network whose readouts of side and block are not along one line"
        )
    without: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for left_out in range(group.max() + 1):
        kept = group != left_out
        part = representation.pca(run, sessions=np.flatnonzero(kept), n_resamples=1)
        sign = np.sign((part.axes * components.axes).sum(1))
        aligned = part.axes * sign[:, None]
        without.append((part.mean, _readout_rows(net, run, dimension, seed, aligned, kept)))
    return Projection(components.mean, rows, group, without)


def _groups(
    train: NDArray[np.int64], n_sessions: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Group of each session: both halves dealt out to all groups, at most N_GROUPS."""
    group = np.empty(n_sessions, int)
    n_groups = min(N_GROUPS, len(train))
    others = np.setdiff1d(np.arange(n_sessions), train)
    for part in (train, others):
        dealt = np.arange(len(part)) % n_groups
        group[part] = rng.permutation(dealt)
    return group


def _readout_rows(
    net: Network,
    run: Rollout,
    dimension: int,
    seed: int,
    axes: NDArray[np.float64],
    kept: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Rows (D, N) of the projection, the block readout being estimated from kept sessions (S,)."""
    stimulus = axes[:2] @ representation.stimulus_readout(net)
    if net.n_hidden == 1:
        return np.sign(representation.stimulus_readout(net))[None]
    sessions = run.sessions
    sides = np.where(kept[sessions.session], sessions.block_side, 0)
    labels = sides[run.trial]
    decoder = representation.block_decoder(
        run, axes=axes[:2], labels=labels, regularisation=1.0, n_resamples=1, rng=seed
    )
    block = axes[:2] @ decoder.weights
    stimulus = stimulus / np.linalg.norm(stimulus)
    block = block / np.linalg.norm(block)
    readouts = np.stack([stimulus, block]) @ axes[:2]
    return np.vstack([readouts, axes[2:]])[:dimension]


# ---- the fit ----


def radd(
    run: Rollout,
    net: Network,
    *,
    dimension: int = 2,
    projection: Projection | None = None,
    rows: ArrayLike | None = None,
    mean: ArrayLike | None = None,
    scale: float | None = None,
    gains: ArrayLike = GAINS,
    n_resamples: int = 1000,
    rng: RNGLike = 0,
) -> Radd:
    """Distil a network to a few units by least squares on its projected trajectories.

    Parameters
    ----------
    run : Rollout
        A rollout of the network, with its states, of at least four sessions; half of them train.
    net : Network
        The teacher.
    dimension : int, 1..8
        Number of coordinates: the readouts of side and block, then further principal components.
    projection : Projection, optional
        What `coordinates` gave for this run, so that several fits share it.
    rows : array_like (D, N), optional
        Directions of a projection of your own instead, taken as known.
    mean : array_like (N,), optional
        Mean of a projection of your own; 0 by default.
    scale : float, optional
        Default 1.01 times the largest |entry| of the training sessions.
    gains : sequence of float
        Gains to try; see `Radd.gain`.
    n_resamples : int
        Number of resamples of training sessions; 1 gives no intervals of A, B and c.
    rng : int, SeedSequence or Generator
        For training sessions, groups of sessions, resamples and starts of free-running predictions.

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
    target = np.arctanh(np.where(defined, z, 0))
    keep = np.all(defined, axis=1)
    fitted = least_squares(
        run,
        z_before,
        target,
        train,
        gains=gains,
        keep=keep,
        n_resamples=n_resamples,
        rng=random.spawn(1)[0],
        name="radd",
    )
    spread = None
    if n_resamples > 1 and (projection.without or not given) and len(train) > 2:
        spread = _spread(run, projection, scale, fitted, train, given, random.spawn(1)[0])
        fitted = _with_spread(fitted, spread)
    published_gain = np.sqrt(net.n_hidden) * np.linalg.norm(net.V) / np.sqrt(2)
    horizon = _horizon(fitted, z, z_before, run, random.spawn(1)[0])
    return Radd(
        **vars(fitted),
        mean=projection.mean,
        rows=projection.rows,
        scale=scale,
        spread=spread,
        published_gain=float(published_gain),
        horizon=horizon,
    )


def _projection(
    net: Network,
    run: Rollout,
    dimension: int,
    projection: Projection | None,
    rows: ArrayLike | None,
    mean: ArrayLike | None,
    rng: np.random.Generator,
) -> Projection:
    """The projection that was given, or made of rows and mean that were, or an estimated one."""
    if projection is not None:
        if not isinstance(projection, Projection) or rows is not None:
            raise TypeError(
                "projection must be a Projection, and rows None beside it, "
                f"got {type(projection).__name__}"
            )
        return projection
    if rows is None:
        return coordinates(net, run, dimension, rng=rng)
    return _known_projection(rows, mean, net.n_hidden)


def _known_projection(rows: ArrayLike, mean: ArrayLike | None, n_hidden: int) -> Projection:
    """Check rows (D, N) and mean (N,) of a projection that is taken as known."""
    rows = real_array(rows, "rows", (2,))
    mean = np.zeros(n_hidden) if mean is None else real_array(mean, "mean", (1,))
    if (
        rows.shape[1] != n_hidden
        or not 1 <= len(rows) <= MOST_DIMENSIONS
        or mean.shape != (n_hidden,)
    ):
        raise ValueError(
            f"rows and mean must have shapes (D, {n_hidden}) and ({n_hidden},), "
            f"got {rows.shape} and {mean.shape}"
        )
    if np.linalg.matrix_rank(rows) < len(rows):
        raise ValueError("rows must be independent")
    return Projection(mean, rows)


def _scale(z: NDArray[np.float64], scale: float | None) -> float:
    """The scale that was given, checked on training sessions, or the default one."""
    largest = np.abs(z).max()
    if scale is None:
        if not largest > 0:
            raise ValueError("run must be of a network whose state varies along the rows")
        return MARGIN * float(largest)
    scale = real_number(scale, "scale", 0, np.inf, "")
    if largest >= scale:
        raise ValueError(
            "scale must exceed the largest projection of the training sessions, "
            f"{largest:g}, got {scale:g}"
        )
    return scale


def training_half(run: Rollout, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw half of the sessions, and return their numbers in order.

    Parameters
    ----------
    run : Rollout
        Whose sessions are drawn from.
    random : Generator
        For the draw.
    """
    n = run.sessions.n_sessions
    drawn = random.permutation(n)[: n // 2]
    return np.sort(drawn)


def least_squares(
    run: Rollout,
    before: NDArray[np.float64],
    target: NDArray[np.float64],
    train: NDArray[np.int64],
    *,
    gains: ArrayLike,
    keep: NDArray[np.bool_] | None = None,
    n_resamples: int,
    rng: RNGLike,
    name: str,
) -> Map:
    """The `Map` of least squares of target = artanh z on (before, x, 1).

    Parameters
    ----------
    run : Rollout
        Gives the inputs x and the session of each step.
    before : (T, D) float64
        Coordinates z one step earlier.
    target : (T, D) float64
        Artanh z of each step.
    train : (S,) int64
        Numbers of the sessions that train.
    gains : sequence of float
        Gains to try; see `Map.gain`.
    keep : (T,) bool, optional
        Steps of the other sessions that count for `Map.r2_heldout`; all by default.
    n_resamples : int
        Number of resamples of training sessions; 1 gives no intervals.
    rng : int, SeedSequence or Generator
        For the resamples.
    name : str
        Written to the metadata of the network.
    """
    session = run.session
    inside = np.isin(session, train)
    keep = np.ones(len(target), bool) if keep is None else keep
    X = np.column_stack([before, run.inputs, np.ones(len(target))])
    fits = [
        linear(X[inside], column[inside], session[inside], rng=rng, n_resamples=n_resamples).weights
        for column in target.T
    ]
    value, low, high = (
        np.stack([getattr(fit, end) for fit in fits]) for end in ("value", "low", "high")
    )

    def part(columns: slice | int) -> Estimate:
        return Estimate(value[:, columns], low[:, columns], high[:, columns], len(train))

    A, B, c = (part(columns) for columns in _columns(target.shape[1]))
    other = ~inside & keep
    r2, _ = _pooled_r2(X[inside], target[inside], value, session[inside], rng)
    r2_heldout, by_coordinate = _pooled_r2(X[other], target[other], value, session[other], rng)
    sessions = run.sessions.select(train)
    table, gain = _sweep((A, B, c), name, sessions, gains)
    return Map(
        network=_network(A.value, B.value, c.value, name, gain),
        A=A,
        B=B,
        c=c,
        r2=r2,
        r2_heldout=r2_heldout,
        r2_by_coordinate=by_coordinate,
        gain=gain,
        gains=table,
        n_dropped=int((~inside).sum() - other.sum()),
        train_sessions=train,
    )


def _columns(d: int) -> tuple[slice, slice, int]:
    """Where A, B and c are among the columns of the weights of d units."""
    of_inputs = slice(d, d + 3)
    return slice(0, d), of_inputs, d + 3


def _pooled_r2(
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    weights: NDArray[np.float64],
    session: NDArray[np.int64],
    rng: RNGLike,
) -> tuple[Estimate, NDArray[np.float64]]:
    """R² over all columns of y, with its interval over sessions, and by column."""
    if not len(y):
        nothing = Estimate(np.nan, np.nan, np.nan, 0)
        return nothing, np.full(y.shape[1], np.nan)
    residual = (y - X @ weights.T) ** 2
    total = (y - y.mean(0)) ** 2
    _, unit = np.unique(session, return_inverse=True)
    unexplained = np.bincount(unit, residual.sum(1))
    whole = np.bincount(unit, total.sum(1))
    lost = ratio_interval(unexplained, whole, rng=rng)
    pooled = Estimate(1 - lost.value, 1 - lost.high, 1 - lost.low, lost.n)
    by_column = residual.sum(0) / total.sum(0)
    return pooled, 1 - by_column


# ---- how far the weights can be trusted ----


def _with_spread(fitted: Map, spread: Spread) -> Map:
    """The map with the intervals that a `Spread` gives its weights."""

    def part(columns: slice | int) -> Estimate:
        return spread.estimate(lambda weights: weights[:, columns])

    n_units = len(fitted.c.value)
    A, B, c = (part(columns) for columns in _columns(n_units))
    return dataclasses.replace(fitted, A=A, B=B, c=c)


def _spread(
    run: Rollout,
    projection: Projection,
    scale: float,
    fitted: Map,
    train: NDArray[np.int64],
    given: bool,
    rng: np.random.Generator,
) -> Spread:
    """The `Spread` of a fit; `given` says that the scale was."""
    session = run.session
    inside = np.isin(session, train)
    group = projection.group
    if group is None:
        group = _groups(train, run.sessions.n_sessions, rng)
    maxima = _maxima(_scores(run, projection.mean, projection.rows)[inside], session[inside])

    def fit(
        mean: NDArray[np.float64],
        rows: NDArray[np.float64],
        scale: float,
        kept: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        z = _scores(run, mean, rows)
        if not given:
            largest = np.abs(z[inside]).max()
            scale = scale * largest / maxima[0]
        X, y = _design(run, z / scale, -rows @ mean / scale, kept)
        found = np.linalg.lstsq(X, y, rcond=None)[0]
        return np.asarray(found.T, float)

    at_hand = (projection.mean, projection.rows)
    others = projection.without or [at_hand] * (group.max() + 1)
    without = [
        fit(mean, rows, scale, inside & (group[session] != left_out))
        for left_out, (mean, rows) in enumerate(others)
    ]
    weights = np.column_stack([fitted.A.value, fitted.B.value, fitted.c.value])
    if given:
        return Spread(weights, np.array(without), np.array([without[0]] * 2), 0.0)
    rescaled = [fit(*at_hand, scale * np.exp(change), inside) for change in (-RESCALED, RESCALED)]
    sd_log_scale = _sd_of_largest(maxima) / maxima[0]
    return Spread(weights, np.array(without), np.array(rescaled), sd_log_scale)


def _scores(
    run: Rollout, mean: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(h - mean) rows' of every state of a rollout, (T, D)."""
    states = states_in(run)
    shift = rows @ mean
    return states @ rows.T - shift


def _maxima(scores: NDArray[np.float64], session: NDArray[np.int64]) -> NDArray[np.float64]:
    """Largest |score| of each session, sorted from the largest."""
    largest = np.abs(scores).max(1)
    starts = np.unique(session, return_index=True)[1]
    return np.sort(np.maximum.reduceat(largest, starts))[::-1]


def _design(
    run: Rollout, z: NDArray[np.float64], initial: NDArray[np.float64], kept: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Regressors (z one step earlier, x, 1) and target artanh z of the steps that are kept."""
    z_before = representation.before(run, z, initial)
    X = np.column_stack([z_before, run.inputs, np.ones(len(z))])
    return X[kept], np.arctanh(z[kept])


def _sd_of_largest(maxima: NDArray[np.float64]) -> float:
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
    spacings = i * (maxima[:k] - maxima[1 : k + 1])
    sd = spacings.mean() * np.pi / np.sqrt(6)
    return float(sd)


# ---- networks ----


def _network(
    A: NDArray[np.float64], B: NDArray[np.float64], c: NDArray[np.float64], name: str, gain: float
) -> Network:
    """The network of a map, its log odds being 2 gain z₁."""
    V = np.zeros((2, len(A)))
    V[:, 0] = (-gain, gain)
    metadata = {"distilled": name, "gain": gain}
    return Network.from_arrays("tanh", W=A, U=B, b=c, V=V, c=np.zeros(2), metadata=metadata)


def with_gain(fitted: Map, gain: float) -> Network:
    """The network of a `Map` with another gain.

    Parameters
    ----------
    fitted : Map
        Gives all but the gain.
    gain : float
        Half the log odds of right at z₁ = 1.
    """
    gain = real_number(gain, "gain", 0, np.inf, "")
    name = instance(fitted, "fitted", Map).network.metadata["distilled"]
    return _network(fitted.A.value, fitted.B.value, fitted.c.value, name, gain)


def _sweep(
    weights: tuple[Estimate, Estimate, Estimate], name: str, sessions: Sessions, gains: ArrayLike
) -> tuple[pd.DataFrame, float]:
    """Behaviour on the sessions for each gain, and the gain of the highest fraction correct."""
    import pandas as pd

    A, B, c = (part.value for part in weights)
    rows: list[dict[str, float]] = []
    for gain in real_array(gains, "gains", (1,)):
        net = _network(A, B, c, name, real_number(gain, "gains", 0, np.inf, ""))
        run = rollout(net, sessions, hidden=False, progress=False)
        rows.append(
            {
                "gain": gain,
                "correct": (run.choice == sessions.side).mean(),
                "timeouts": (run.choice == 0).mean(),
                "steps_per_trial": len(run.p_right) / sessions.n_trials,
            }
        )
    best = int(np.argmax([row["correct"] for row in rows]))
    return pd.DataFrame(rows), float(rows[best]["gain"])


def _horizon(
    fitted: Map,
    z: NDArray[np.float64],
    before: NDArray[np.float64],
    run: Rollout,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Error of free-running predictions under the true inputs, from true held-out states."""
    import pandas as pd

    session = run.session
    held_out = np.setdiff1d(np.arange(run.sessions.n_sessions), fitted.train_sessions)
    same_session = np.roll(session, 1 - HORIZONS) == session
    long_enough = np.arange(len(z)) <= len(z) - HORIZONS
    possible = np.flatnonzero(np.isin(session, held_out) & same_session & long_enough)
    if not possible.size:
        return pd.DataFrame({"steps": [], "error": [], "baseline": []})
    t = rng.choice(possible, min(N_FREE, len(possible)), replace=False)
    state = before[t]
    rows: list[dict[str, float]] = []
    for k in range(HORIZONS):
        state = fitted.network.step(state, run.inputs[t + k])
        error = _root_mean_square(z[t + k] - state)
        baseline = _root_mean_square(z[t + k] - before[t])
        rows.append({"steps": k + 1, "error": error, "baseline": baseline})
    return pd.DataFrame(rows)


def _root_mean_square(gaps: NDArray[np.float64]) -> float:
    """Root of the mean squared length of vectors (n, D)."""
    squared_lengths = (gaps**2).sum(1)
    mean = squared_lengths.mean()
    return float(np.sqrt(mean))
