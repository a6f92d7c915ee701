"""Dynamics under a constant input: fixed points, their stability, slow points, basins.

F(h, x) = (1 - leak) h + leak tanh(W h + U x + b) is one step. Paths between fixed points, branches
of fixed points and the verdict on how a network holds its block belief are in `manifold`.
"""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hrnn import _core
from hrnn.base.arguments import real_array, real_number, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.network import check_network

TOLERANCE = 1e-12  # of |F(h) - h| at a fixed point
SAME = 1e-6  # distance below which two points are one
MAX_ITERATIONS = 200
STARTS_PER_CALL = 100
STEPS_PER_CALL = 50
STATES_PER_CALL = 4000  # of the iterated map
FOUND, SLOW, UNDECIDED = range(3)
CONDITIONS = {  # inputs (o^L, o^R, r) under which networks are taken apart
    "left": (1.2, 0.2, -0.05),
    "equal": (0.2, 0.2, -0.05),
    "right": (0.2, 1.2, -0.05),
    "feedback −1": (0.0, 0.0, -1.0),
    "no input": (0.0, 0.0, 0.0),
    "feedback +1": (0.0, 0.0, 1.0),
}


def _states(values, name, net):
    states = real_array(values, name, (2,))
    if states.shape[1] != net.n_hidden:
        raise ValueError(f"{name} must have shape (n, {net.n_hidden}), got {states.shape}")
    return states


def _inputs(x):
    x = real_array(x, "x", (1, 2))
    if x.shape[-1] != 3:
        raise ValueError(f"x must have shape (3,) or (M, 3), got {x.shape}")
    return np.atleast_2d(x)


def step(net, h, x):
    """One step of the map: `Network.step`."""
    return net.step(h, x)


def jacobian(net, h, x):
    """Derivative of a step with respect to the state: `Network.jacobian`."""
    return net.jacobian(h, x)


@dataclasses.dataclass(frozen=True, eq=False)
class FixedPoints:
    """Fixed points of a network, each one once, and slow points (K and L points, N units).

    Attributes
    ----------
    points : (K, N)
    x : (K, 3)
        The input under which each is one.
    inputs : (M, 3)
        All inputs that were searched, also those without a point.
    speed : (K,)
        q = ½ |F(h) - h|² at the returned point.
    residual : (K,)
        |F(h) - h|, at most 1e-12.
    eigenvalues : (K, N) complex
        Of dF/dh, the largest modulus first.
    stable : (K,) bool
        Whether all moduli are below 1.
    n_found : (K,) int
        Starts that ended there.
    slow_points, slow_x, slow_speed : (L, N), (L, 3), (L,)
        Local minima of q that are no fixed points.
    converged_fraction : float
        Of all searches, those that ended at a fixed point; the others ended at slow points or
        nowhere.
    n_starts : int
        Searches, over all inputs.
    """

    points: np.ndarray
    x: np.ndarray
    inputs: np.ndarray
    speed: np.ndarray
    residual: np.ndarray
    eigenvalues: np.ndarray
    stable: np.ndarray
    n_found: np.ndarray
    slow_points: np.ndarray
    slow_x: np.ndarray
    slow_speed: np.ndarray
    converged_fraction: float
    n_starts: int

    @property
    def time_constants(self):
        """τ = -1/ln|λ| in steps, (K, N); negative where a direction grows."""
        with np.errstate(divide="ignore"):
            return -1 / np.log(np.abs(self.eigenvalues))

    @property
    def n_unstable(self):
        """Directions that grow at each point, (K,)."""
        return (np.abs(self.eigenvalues) >= 1).sum(1)

    def at(self, x):
        """Rows of the points under the input x (3,)."""
        return np.flatnonzero((self.x == np.asarray(x, float)).all(1))

    def to_frame(self):
        """One row per fixed point.

        Input, stability, speed, largest modulus and its time constant, starts.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "obs_left": self.x[:, 0],
                "obs_right": self.x[:, 1],
                "feedback": self.x[:, 2],
                "stable": self.stable,
                "n_unstable": self.n_unstable,
                "residual": self.residual,
                "speed": self.speed,
                "largest_modulus": np.abs(self.eigenvalues[:, 0]),
                "time_constant": self.time_constants[:, 0],
                "n_found": self.n_found,
            }
        )


def fixed_points(net, *, x, starts, n_threads=1):
    """Find the fixed points h* = F(h*, x) by safeguarded Newton searches from many starts.

    Newton's method with the Jacobian at the iterate; where its step does not lower |F(h) - h|, a
    damped step down the speed q = ½ |F(h) - h|² with its exact Hessian does. Each search ends at a
    fixed point or at a local minimum of q.

    Parameters
    ----------
    net : Network
    x : (3,) or (M, 3)
        One or several constant inputs (o^L, o^R, r).
    starts : (n, N)
        Best visited states, `run.hidden`, thinned: all of them are searched from, under each input.
    n_threads : int or None
        The result does not depend on it.

    Returns
    -------
    FixedPoints
        In the order of the inputs and, for each, in that of the starts that found them first.
        Searches that end within 1e-6 of each other are one point, the one of least residual.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above or not finite.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=8, rng=0)
    >>> found = hrnn.fixed_points(net, x=[0, 0, 0], starts=np.zeros((1, 8)))
    >>> found.stable.tolist()
    [True]
    """
    check_network(net)
    x = _inputs(x)
    starts = _states(starts, "starts", net)
    n_threads = n_threads_of(n_threads)
    ended, residual, outcome = _search(net, x, starts, n_threads)
    kinds = [
        [_distinct(ended[m], residual[m], outcome[m] == kind) for m in range(len(x))]
        for kind in (FOUND, SLOW)
    ]
    found, slow = ([(m, i) for m, rows in enumerate(kind) for i in rows] for kind in kinds)
    m, i = (
        (np.array(rows, dtype=int) for rows in zip(*found, strict=True))
        if found
        else np.zeros((2, 0), int)
    )
    points = ended[m, i]
    at = x[m]
    moduli = np.linalg.eigvals(net.jacobian(points, at))
    moduli = np.take_along_axis(
        moduli, np.argsort(-np.abs(moduli), axis=1, kind="stable"), 1
    ).astype(complex)
    n_found = np.array([count for rows in kinds[0] for count in rows.values()], dtype=int)
    ms, js = (
        (np.array(rows, dtype=int) for rows in zip(*slow, strict=True))
        if slow
        else np.zeros((2, 0), int)
    )
    return FixedPoints(
        points,
        at,
        x,
        0.5 * residual[m, i] ** 2,
        residual[m, i],
        moduli,
        (np.abs(moduli) < 1).all(1),
        n_found,
        ended[ms, js],
        x[ms],
        0.5 * residual[ms, js] ** 2,
        float((outcome == FOUND).mean()),
        outcome.size,
    )


def _search(net, x, starts, n_threads):
    """Where each search ended (M, n, N), its residual and its outcome (M, n)."""
    ended = np.repeat(starts[None], len(x), 0)
    residual = np.empty(ended.shape[:2])
    outcome = np.empty(ended.shape[:2], np.int8)
    n_iterations = np.empty(ended.shape[:2], np.int64)
    size = _core.fixedpoint_scratch(net.n_hidden)[0]

    def job(part):
        m, first = part
        rows = slice(first, first + STARTS_PER_CALL)
        _core.fixedpoint_search(
            net.theta,
            net.n_hidden,
            net.leak,
            x[m],
            MAX_ITERATIONS,
            TOLERANCE,
            ended[m, rows],
            residual[m, rows],
            outcome[m, rows],
            n_iterations[m, rows],
            np.empty(size),
        )

    parts = [(m, first) for m in range(len(x)) for first in range(0, len(starts), STARTS_PER_CALL)]
    if n_threads == 1:
        for part in parts:
            job(part)
    else:
        with ThreadPoolExecutor(min(n_threads, len(parts))) as pool:
            list(pool.map(job, parts))
    return ended, residual, outcome


def _distinct(points, residual, wanted):
    """One row for each distinct point among those wanted, the one of least residual.

    {row: number of rows that are it}.
    """
    left = np.flatnonzero(wanted)
    found = {}
    while left.size:
        same = np.linalg.norm(points[left] - points[left[0]], axis=1) < SAME
        group = left[same]
        found[group[np.argmin(residual[group])]] = len(group)
        left = left[~same]
    return found


def iterate(net, *, x, states, n_steps, tolerance=0.0):
    """Iterate the map from states (n, N) under a constant input x (3,).

    Parameters
    ----------
    net : Network
    x : (3,)
    states : (n, N)
    n_steps : int
        Most steps.
    tolerance : float
        A state that moves less than this in one step stops there.

    Returns
    -------
    ended : (n, N)
    n_done : (n,) int
        Steps done.

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


def _iterate(net, x, states, n_steps, tolerance, arrived):
    """`iterate`; arrived(states) -> (n,) bool, or None.

    Says between bounded calls which states may stop.
    """
    scratch = np.empty(_core.fixedpoint_scratch(net.n_hidden)[1])
    done = np.zeros(len(states), np.int64)
    left = np.arange(len(states))
    for first in range(0, n_steps, STEPS_PER_CALL):
        moving = []
        most = min(STEPS_PER_CALL, n_steps - first)
        for start in range(0, len(left), STATES_PER_CALL):
            rows = left[start : start + STATES_PER_CALL]
            part = states[rows]
            count = np.empty(len(rows), np.int64)
            _core.fixedpoint_iterate(
                net.theta, net.n_hidden, net.leak, x, most, tolerance, part, count, scratch
            )
            states[rows] = part
            done[rows] += count
            goes_on = count == most if tolerance else np.ones(len(rows), bool)
            moving.append(rows[goes_on & ~arrived(part)] if arrived else rows[goes_on])
        left = np.concatenate(moving)
        if not left.size:
            break
    return states, done


def coverage(net, found, starts, *, n_steps=10_000):
    """Fraction of starts that, iterated under each input searched.

    End within 1e-6 of a reported stable point.

    Parameters
    ----------
    net : Network
    found : FixedPoints
    starts : (n, N)
    n_steps : int

    Returns
    -------
    float

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=8, rng=0)
    >>> starts = np.zeros((3, 8))
    >>> hrnn.dynamics.coverage(net, hrnn.fixed_points(net, x=[0, 0, 0], starts=starts), starts)
    1.0
    """
    return float(
        np.mean([attractor(net, found, x, starts, n_steps=n_steps) >= 0 for x in found.inputs])
    )


def attractor(net, found, x, starts, *, n_steps=10_000):
    """Which stable point each start reaches under the input x: row in `found`, or -1; (n,) int.

    A state stops where it is inside a ball around a stable point that the map contracts into
    itself, proven from the Jacobian there and a bound on its change; the others go on until they
    come within 1e-6 of one.

    Parameters
    ----------
    net : Network
    found : FixedPoints
    x : (3,)
    starts : (n, N)
    n_steps : int

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
    rows = found.at(x)
    rows = rows[found.stable[rows]]
    if not rows.size:
        return np.full(len(states), -1)
    balls = [_ball(net, found.points[row], found.x[row]) for row in rows]

    def inside(states):
        distances = [
            np.linalg.norm((states - found.points[row]) @ root, axis=1)
            for row, (root, _) in zip(rows, balls, strict=True)
        ]
        return np.column_stack(distances) < [radius for _, radius in balls]

    states, _ = _iterate(
        net,
        np.asarray(x, float),
        states,
        whole_number(n_steps, "n_steps"),
        1e-14,
        lambda s: inside(s).any(1),
    )
    near = inside(states) | (np.linalg.norm(states[:, None] - found.points[rows], axis=2) < SAME)
    return np.where(near.any(1), rows[near.argmax(1)], -1)


def _ball(net, point, x):
    """Root R and radius r of a ball |R'(h - point)| < r that the map contracts into itself.

    With P = R R' from J'PJ - P = -1 the linear map contracts in P's norm by sqrt(1 - 1/|P|); the
    Jacobian changes by at most leak · 4/(3√3) |W| max|w_i| per unit of distance (4/(3√3) bounds
    |tanh''|), which is less than the gap inside r.
    """
    from scipy.linalg import cholesky, solve_discrete_lyapunov

    J = net.jacobian(point, x)
    P = solve_discrete_lyapunov(J.T, np.eye(net.n_hidden))
    R = cholesky(P, lower=True)
    singular = np.linalg.svd(R, compute_uv=False)
    gap = 1 - np.sqrt(1 - 1 / singular[0] ** 2)
    bend = net.jacobian_lipschitz()
    return R, gap * singular[-1] ** 2 / (bend * singular[0]) if bend else np.inf
