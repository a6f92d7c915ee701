"""Dynamics under a constant input: fixed points, their stability, slow points, basins.

F(h, x) = (1 - leak) h + leak tanh(W h + U x + b) is one step. Paths between fixed points, branches
of fixed points and the verdict on how a network holds its block belief are in `manifold`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn import _core
from hrnn.analysis.degree import SAME, SURE, settle
from hrnn.base.arguments import (
    instance,
    real_array,
    real_number,
    real_vector,
    stored_array,
    whole_number,
)
from hrnn.base.parallel import look, n_threads_of, workers
from hrnn.network import Network, check_network

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE: float = 1e-12  # of |F(h) - h| at a fixed point
NEUTRAL: float = 1e-6  # | |λ| - 1 | of a point below which rounding decides whether it is stable
N_MORE: int = 400  # further searches under an input of which points are missing
MORE_PER_ROUND: int = 100
ALONG: NDArray[np.float64] = np.linspace(0, 1, 7)[1:-1, None]  # starts between two points
BESIDE: float = 0.1  # of starts beside a point: of each unit (rms)
MAX_ITERATIONS: int = 200
STARTS_PER_CALL: int = 100
STEPS_PER_CALL: int = 50
STATES_PER_CALL: int = 4000  # of the iterated map
FOUND, SLOW, UNDECIDED = range(3)
CONDITIONS: dict[
    str, tuple[float, float, float]
] = {  # inputs (o^L, o^R, r) under which networks are taken apart
    "left": (1.2, 0.2, -0.05),
    "equal": (0.2, 0.2, -0.05),
    "right": (0.2, 1.2, -0.05),
    "feedback −1": (0.0, 0.0, -1.0),
    "no input": (0.0, 0.0, 0.0),
    "feedback +1": (0.0, 0.0, 1.0),
}


def _states(values: ArrayLike, name: str, net: Network) -> NDArray[np.float64]:
    states = real_array(values, name, (2,))
    if states.shape[1] != net.n_hidden:
        raise ValueError(f"{name} must have shape (n, {net.n_hidden}), got {states.shape}")
    return states


def _inputs(x: ArrayLike) -> NDArray[np.float64]:
    x = real_array(x, "x", (1, 2))
    if x.shape[-1] != 3:
        raise ValueError(f"x must have shape (3,) or (M, 3), got {x.shape}")
    return np.atleast_2d(x)


@dataclasses.dataclass(frozen=True, eq=False)
class FixedPoints:
    """Fixed points of a network, each one once, and slow points (K and L points, N units).

    Attributes
    ----------
    points : ndarray (K, N)
        The fixed points.
    x : ndarray (K, 3)
        The input under which each is one.
    inputs : ndarray (M, 3)
        All inputs that were searched, also those without a point.
    speed : ndarray (K,)
        q = ½ |F(h) - h|² at the returned point.
    residual : ndarray (K,)
        |F(h) - h|, at most 1e-12.
    degree : ndarray (K,)
        Topological degree: sign det(1 - J), 1 or -1. Where double precision cannot tell whether
        there are one, several or no points, the sum of theirs, also 0 (a fold). NaN where it cannot
        say: the point is of a continuum, or has several neutral directions.
    eigenvalues : ndarray of complex (K, N)
        Eigenvalues of dF/dh, the largest modulus first.
    stable : ndarray of bool (K,)
        Whether all moduli are below 1.
    n_found : ndarray of int (K,)
        Number of starts that ended there; 0 if only a further search did.
    n_more : ndarray of int (M,)
        Number of further searches under each input, because points were missing.
    slow_points : ndarray (L, N)
        Local minima of q that are no fixed points.
    slow_x : ndarray (L, 3)
        The input under which each slow point is one.
    slow_speed : ndarray (L,)
        q at the slow points.
    converged_fraction : float
        Fraction of all searches from the starts given that ended at a fixed point; the others ended
        at slow points or nowhere.
    n_starts : int
        Number of searches from the starts given, over all inputs.
    """

    points: NDArray[np.float64]
    x: NDArray[np.float64]
    inputs: NDArray[np.float64]
    speed: NDArray[np.float64]
    residual: NDArray[np.float64]
    degree: NDArray[np.float64]
    eigenvalues: NDArray[np.complex128]
    stable: NDArray[np.bool_]
    n_found: NDArray[np.int64]
    n_more: NDArray[np.int64]
    slow_points: NDArray[np.float64]
    slow_x: NDArray[np.float64]
    slow_speed: NDArray[np.float64]
    converged_fraction: float
    n_starts: int

    def __post_init__(self) -> None:
        n = len(self.points) if isinstance(self.points, np.ndarray) and self.points.ndim else 0
        stored_array(self.points, "points", (n, *np.shape(self.points)[1:2]))
        stored_array(self.x, "x", (n, 3))
        stored_array(self.inputs, "inputs", (*np.shape(self.inputs)[:1], 3))
        stored_array(self.eigenvalues, "eigenvalues", self.points.shape, "fc")
        stored_array(self.stable, "stable", (n,), "b")

    def __repr__(self) -> str:
        """Numbers of points, and under which inputs some are missing."""
        said = [
            f"FixedPoints({len(self.points)} under {len(self.inputs)} inputs, "
            f"{self.stable.sum()} stable, {len(self.slow_points)} slow points"
        ]
        for x, total in zip(self.inputs.tolist(), self.degree_sum.tolist(), strict=True):
            if np.isnan(total):
                said.append(f"degree undecided under {x}")
            elif total != 1:
                said.append(f"INCOMPLETE under {x}: sum of degrees {total:g}, not 1")
        return "; ".join(said) + ")"

    @property
    def degree_sum(self) -> NDArray[np.float64]:
        """Sum of degrees under each input, (M,): 1 of all points; NaN if one is undecided."""
        return np.array([self.degree[self.at(x)].sum() for x in self.inputs])

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Whether the degrees under each input have the sum 1, (M,).

        Where not, points are missing, or the degree of one is undecided. Where so, none may be
        missing, or several of which the degrees cancel: it is no proof.
        """
        return self.degree_sum == 1

    @property
    def neutral(self) -> NDArray[np.bool_]:
        """Whether rounding decides if each point is stable, (K,): ||λ| - 1| < 1e-6."""
        return np.abs(np.abs(self.eigenvalues[:, 0]) - 1) < NEUTRAL

    @property
    def time_constants(self) -> NDArray[np.float64]:
        """Time constants τ = -1/ln|λ| in steps, (K, N); negative where a direction grows."""
        with np.errstate(divide="ignore"):
            return -1 / np.log(np.abs(self.eigenvalues))

    @property
    def n_unstable(self) -> NDArray[np.int64]:
        """Number of directions that grow at each point, (K,)."""
        return (np.abs(self.eigenvalues) >= 1).sum(1)

    def at(self, x: ArrayLike) -> NDArray[np.intp]:
        """Rows of the points under the input x (3,)."""
        return np.flatnonzero((self.x == real_vector(x, "x", 3)).all(1))

    def to_frame(self) -> pd.DataFrame:
        """Table of the fixed points, one a row.

        Columns: the input, stability, degree, residual and speed, the largest modulus and its time
        constant, and the number of starts that ended there.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "obs_left": self.x[:, 0],
                "obs_right": self.x[:, 1],
                "feedback": self.x[:, 2],
                "stable": self.stable,
                "n_unstable": self.n_unstable,
                "degree": self.degree,
                "residual": self.residual,
                "speed": self.speed,
                "largest_modulus": np.abs(self.eigenvalues[:, 0]),
                "time_constant": self.time_constants[:, 0],
                "n_found": self.n_found,
            }
        )


def fixed_points(
    net: Network,
    *,
    x: ArrayLike,
    starts: ArrayLike,
    n_more: int = N_MORE,
    n_threads: int | None = None,
) -> FixedPoints:
    """Find the fixed points h* = F(h*, x) by safeguarded Newton searches from many starts.

    Newton's method with the Jacobian at the iterate; where its step does not lower |F(h) - h|, a
    damped step down the speed q = ½ |F(h) - h|² with its exact Hessian does. Each search ends at a
    fixed point or at a local minimum of q. The degrees, sign det(1 - J), of all fixed points under
    an input have the sum 1; where those found have another, it searches on.

    Parameters
    ----------
    net : Network
        The network.
    x : array_like (3,) or (M, 3)
        One or several constant inputs (o^L, o^R, r).
    starts : array_like (n, N)
        States from which to search, all of them under each input; best visited ones, `run.hidden`,
        thinned.
    n_more : int
        Most further searches under an input of which points are missing, from between and beside
        those found and from everywhere; 0 for none.
    n_threads : int or None
        Number of threads, None for all that the process may use; the result does not depend on it.

    Returns
    -------
    FixedPoints
        In the order of the inputs and, for each, in that of the starts that found them first.
        Points within 1e-6 of each other are one, and so are those that double precision cannot
        tell apart near a bifurcation; of a continuum they stay apart.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above or not finite.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=8, rng=0)
    >>> found = hrnn.fixed_points(net, x=[0, 0, 0], starts=np.zeros((1, 8)))
    >>> found.stable.tolist(), found.complete.tolist()
    ([True], [True])
    """
    check_network(net)
    x = _inputs(x)
    starts = _states(starts, "starts", net)
    n_more = whole_number(n_more, "n_more", 0)
    n_threads = n_threads_of(n_threads)
    ended, residual, outcome = _search(net, x, starts, n_threads)
    every = []
    for m in range(len(x)):
        one = _Found.of(net, x[m], ended[m], residual[m], outcome[m])
        one.search_on(n_more, n_threads)
        every.append(one)
    of_input = np.repeat(np.arange(len(x)), [len(one.points) for one in every])
    slow = np.repeat(np.arange(len(x)), [len(one.slow) for one in every])
    points = np.concatenate([one.points for one in every])
    left = np.concatenate([one.residual for one in every])
    eigenvalues = _eigenvalues(net.jacobian(points, x[of_input]))
    n_converged = sum(one.n_converged for one in every)
    return FixedPoints(
        points=points,
        x=x[of_input],
        inputs=x,
        speed=0.5 * left**2,
        residual=left,
        degree=np.concatenate([one.degree for one in every]),
        eigenvalues=eigenvalues,
        stable=np.all(np.abs(eigenvalues) < 1, axis=1),
        n_found=np.concatenate([one.n_found for one in every]),
        n_more=np.array([one.n_more for one in every]),
        slow_points=np.concatenate([one.slow for one in every]),
        slow_x=x[slow],
        slow_speed=0.5 * np.concatenate([one.slow_residual for one in every]) ** 2,
        converged_fraction=n_converged / outcome.size,
        n_starts=outcome.size,
    )


@dataclasses.dataclass
class _Found:
    """What was found under one input."""

    net: Network
    x: NDArray[np.float64]
    points: NDArray[np.float64]
    residual: NDArray[np.float64]
    degree: NDArray[np.float64]
    n_found: NDArray[np.int64]
    slow: NDArray[np.float64]
    slow_residual: NDArray[np.float64]
    n_converged: int
    n_more: int = 0

    @classmethod
    def of(
        cls,
        net: Network,
        x: NDArray[np.float64],
        ended: NDArray[np.float64],
        residual: NDArray[np.float64],
        outcome: NDArray[np.int8],
    ) -> _Found:
        """Of where the searches ended (n, N), their residual and their outcome (n,)."""
        slow = np.array(list(_distinct(ended, residual, outcome == SLOW, SAME)), int)
        empty = np.empty((0, net.n_hidden))
        none = np.empty(0)
        counts = np.empty(0, np.int64)
        found = cls(net, x, empty, none, none, counts, ended[slow], residual[slow], 0)
        ends = _distinct(ended, residual, outcome == FOUND, SURE)
        rows = np.array(list(ends), int)
        found.take(ended[rows], residual[rows], np.array(list(ends.values()), np.int64))
        found.n_converged = int(found.n_found.sum())
        return found

    def take(
        self,
        ends: NDArray[np.float64],
        residual: NDArray[np.float64],
        counts: NDArray[np.int64],
    ) -> None:
        """Add ends (K, N) of small residual, each reached from a number of starts."""
        ends = np.concatenate([self.points, ends])
        residual = np.concatenate([self.residual, residual])
        counts = np.concatenate([self.n_found, counts])
        settled = settle(self.net, self.x, ends, residual)
        self.points = settled.points
        self.residual = settled.residual
        self.degree = settled.degree
        n_found = [counts[members].sum() for members in settled.members]
        self.n_found = np.array(n_found, np.int64)
        for _, state in settled.ghosts:
            if not self.n_more:
                gap = float(np.linalg.norm(self.net.step(state, self.x) - state))
                self.slow = np.vstack([self.slow, state])
                self.slow_residual = np.concatenate([self.slow_residual, np.array([gap])])

    def search_on(self, most: int, n_threads: int) -> None:
        """Search from other starts while the degrees have another sum than 1, or all are used."""
        draw = np.random.default_rng(0)
        while self.n_more < most and self.degree.sum() != 1:
            if np.isnan(self.degree.sum()):
                break
            n = min(MORE_PER_ROUND, most - self.n_more)
            near = draw.permutation(self.between())[: n // 2]
            spread = draw.uniform(-1, 1, (n - len(near), self.net.n_hidden))
            self.n_more += n
            starts = np.concatenate([near, spread])
            found = _search(self.net, self.x[None], starts, n_threads)
            ended, residual, outcome = (part[0] for part in found)
            rows = np.array(list(_distinct(ended, residual, outcome == FOUND, SURE)), int)
            self.take(ended[rows], residual[rows], np.zeros(len(rows), np.int64))

    def between(self) -> NDArray[np.float64]:
        """Starts between each two points, and beside each along its slowest direction."""
        net = self.net
        points = self.points[:MORE_PER_ROUND]
        if not len(points):
            return points
        beside = []
        for point in points:
            values, vectors = np.linalg.eig(net.jacobian(point, self.x))
            direction = np.real(vectors[:, np.abs(values).argmax()])
            nudge = BESIDE * np.sqrt(net.n_hidden) * direction
            beside += [point + nudge, point - nudge]
        states = np.array(beside).reshape(-1, net.n_hidden)
        ahead, _ = _iterate(net, self.x, states.copy(), STEPS_PER_CALL, 0.0, None)
        between = [a + ALONG * (b - a) for i, a in enumerate(points) for b in points[:i]]
        return np.concatenate([states, ahead, *between])


def _eigenvalues(J: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Eigenvalues (K, N) of matrices (K, N, N), the largest modulus first."""
    values = np.linalg.eigvals(J)
    order = np.argsort(-np.abs(values), axis=1, kind="stable")
    return np.take_along_axis(values, order, 1).astype(complex)


def _search(
    net: Network, x: NDArray[np.float64], starts: NDArray[np.float64], n_threads: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int8]]:
    """Where each search ended (M, n, N), its residual and its outcome (M, n)."""
    ended = np.repeat(starts[None], len(x), 0)
    residual = np.empty(ended.shape[:2])
    outcome = np.empty(ended.shape[:2], np.int8)
    n_iterations = np.empty(ended.shape[:2], np.int64)
    size = _core.fixedpoint_scratch(net.form)[0]

    def job(part: tuple[int, int]) -> None:
        look()
        m, first = part
        rows = slice(first, first + STARTS_PER_CALL)
        _core.fixedpoint_search(
            net.theta,
            net.form,
            x[m],
            MAX_ITERATIONS,
            TOLERANCE * net.leak,
            ended[m, rows],
            residual[m, rows],
            outcome[m, rows],
            n_iterations[m, rows],
            np.empty(size),
            look,
        )

    parts = [(m, first) for m in range(len(x)) for first in range(0, len(starts), STARTS_PER_CALL)]
    if n_threads == 1:
        for part in parts:
            job(part)
    else:
        with workers(min(n_threads, len(parts))) as pool:
            list(pool.map(job, parts))
    return ended, residual, outcome


def _distinct(
    points: NDArray[np.float64],
    residual: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    closer: float,
) -> dict[int, int]:
    """One row for each distinct point among those wanted, the one of least residual.

    Returns {row: number of rows that are this point}.
    """
    left = np.flatnonzero(wanted)
    found: dict[int, int] = {}
    while left.size:
        same = np.linalg.norm(points[left] - points[left[0]], axis=1) < closer
        group = left[same]
        found[group[np.argmin(residual[group])]] = len(group)
        left = left[~same]
    return found


def iterate(
    net: Network, *, x: ArrayLike, states: ArrayLike, n_steps: int, tolerance: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Iterate the map from several states under a constant input.

    Parameters
    ----------
    net : Network
        The network.
    x : array_like (3,)
        The input (o^L, o^R, r).
    states : array_like (n, N)
        Where to begin.
    n_steps : int
        Most steps.
    tolerance : float
        A state that moves less than this in one step stops there.

    Returns
    -------
    ended : ndarray (n, N)
        The states at the end.
    n_done : ndarray of int (n,)
        Number of steps that each state did.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=4, rng=0)
    >>> hrnn.dynamics.iterate(net, x=[0, 0, 0], states=np.zeros((2, 4)), n_steps=3)[1]
    array([3, 3])
    """
    check_network(net)
    x = _inputs(x)
    states = _states(states, "states", net)
    n_steps = whole_number(n_steps, "n_steps")
    tolerance = real_number(tolerance, "tolerance", 0, np.inf, "[")
    if len(x) != 1:
        raise ValueError(f"x must have shape (3,), got {x.shape}")
    return _iterate(net, x[0], states, n_steps, tolerance, None)


def _iterate(
    net: Network,
    x: NDArray[np.float64],
    states: NDArray[np.float64],
    n_steps: int,
    tolerance: float,
    arrived: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Iterate in bounded calls; between them arrived(states), if given, says which may stop."""
    scratch = np.empty(_core.fixedpoint_scratch(net.form)[1])
    done = np.zeros(len(states), np.int64)
    left = np.arange(len(states))
    for first in range(0, n_steps, STEPS_PER_CALL):
        moving = []
        most = min(STEPS_PER_CALL, n_steps - first)
        for start in range(0, len(left), STATES_PER_CALL):
            rows = left[start : start + STATES_PER_CALL]
            part = states[rows]
            count = np.empty(len(rows), np.int64)
            look()
            _core.fixedpoint_iterate(
                net.theta, net.form, x, most, tolerance, part, count, scratch, look
            )
            states[rows] = part
            done[rows] += count
            goes_on = count == most if tolerance else np.ones(len(rows), bool)
            if arrived:
                goes_on = goes_on & ~arrived(part)
            moving.append(rows[goes_on])
        left = np.concatenate(moving)
        if not left.size:
            break
    return states, done


def coverage(
    net: Network, found: FixedPoints, starts: ArrayLike, *, n_steps: int = 10_000
) -> float:
    """Fraction of starts that end at a reported stable point when the map is iterated.

    At means within 1e-6 of it. All inputs that were searched count alike.

    Parameters
    ----------
    net : Network
        The network.
    found : FixedPoints
        Its fixed points.
    starts : array_like (n, N)
        States from which to iterate, under each input.
    n_steps : int
        Most steps.

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=8, rng=0)
    >>> starts = np.zeros((3, 8))
    >>> hrnn.dynamics.coverage(net, hrnn.fixed_points(net, x=[0, 0, 0], starts=starts), starts)
    1.0
    """
    instance(found, "found", FixedPoints)
    arrived = [attractor(net, found, x, starts, n_steps=n_steps) >= 0 for x in found.inputs]
    return float(np.mean(arrived))


def attractor(
    net: Network,
    found: FixedPoints,
    x: ArrayLike,
    starts: ArrayLike,
    *,
    n_steps: int = 10_000,
) -> NDArray[np.int64]:
    """Find the stable point that each start reaches under a constant input.

    A state stops where it is inside a ball around a stable point that the map contracts into
    itself, proven from the Jacobian there and a bound on its change; the others go on until they
    come within 1e-6 of one.

    Parameters
    ----------
    net : Network
        The network.
    found : FixedPoints
        Its fixed points.
    x : array_like (3,)
        One of the inputs that were searched.
    starts : array_like (n, N)
        States from which to iterate.
    n_steps : int
        Most steps.

    Returns
    -------
    ndarray of int (n,)
        Row of the stable point in `found`, or -1.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=8, rng=0)
    >>> found = hrnn.fixed_points(net, x=[0, 0, 0], starts=np.zeros((1, 8)))
    >>> hrnn.dynamics.attractor(net, found, [0, 0, 0], np.ones((2, 8)))
    array([0, 0])
    """
    check_network(net)
    states = _states(starts, "starts", net)
    points_of(found, net)
    rows = found.at(x)
    rows = rows[found.stable[rows]]
    moved = net.step(found.points[rows], found.x[rows]) - found.points[rows]
    if np.abs(moved).max(initial=0) > SAME:
        raise ValueError("found must be fixed points of net, but its map moves them")
    if not rows.size:
        return np.full(len(states), -1)
    balls = [_ball(net, found.points[row], found.x[row]) for row in rows]

    radii = [radius for _, radius in balls]

    def inside(states: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each state is in each ball, (n, number of balls)."""
        distances = [
            np.linalg.norm((states - found.points[row]) @ root, axis=1)
            for row, (root, _) in zip(rows, balls, strict=True)
        ]
        return np.column_stack(distances) < radii

    def arrived(states: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.any(inside(states), axis=1)

    n_steps = whole_number(n_steps, "n_steps")
    states, _ = _iterate(net, np.asarray(x, float), states, n_steps, 1e-14, arrived)
    distance = np.linalg.norm(states[:, None] - found.points[rows], axis=2)
    near = inside(states) | (distance < SAME)
    return np.where(near.any(1), rows[near.argmax(1)], -1)


def points_of(found: FixedPoints, net: Network) -> None:
    """Refuse what are no fixed points of a network of as many units."""
    check_network(net)
    if instance(found, "found", FixedPoints).points.shape[1:] != (net.n_hidden,):
        raise ValueError(f"found must be fixed points of net, of {net.n_hidden} units")


def _ball(
    net: Network, point: NDArray[np.float64], x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Root R and radius r of a ball |R'(h - point)| < r that the map contracts into itself.

    With P = R R' from J'PJ - P = -1 the linear map contracts in P's norm by sqrt(1 - 1/|P|); the
    Jacobian changes by at most leak · 4/(3√3) |W| max|w_i| per unit of distance (4/(3√3) bounds
    |tanh''|), which is less than the gap inside r. Of a neutral point r is 0.
    """
    from scipy.linalg import cholesky, solve_discrete_lyapunov

    J = net.jacobian(point, x)
    if np.abs(np.linalg.eigvals(J)).max() > 1 - NEUTRAL:
        return np.eye(net.n_hidden), 0.0
    P = solve_discrete_lyapunov(J.T, np.eye(net.n_hidden))
    R = cholesky(P, lower=True)
    singular = np.linalg.svd(R, compute_uv=False)
    gap = 1 - np.sqrt(1 - 1 / singular[0] ** 2)
    bend = net.jacobian_lipschitz()
    if not bend:
        return R, np.inf
    return R, min(gap * singular[-1] ** 2 / (bend * singular[0]), 1.0)
