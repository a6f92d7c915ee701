"""Paths between stable points, and the directions in which states leave a point.

The path between two stable points comes from the string method: a chain of states moves with the
map and is spread out again to equal distances until it stands still. If it attracts from its sides
wherever it rests, these are saddles and it runs along their unstable manifolds (E, Ren &
Vanden-Eijnden 2007); if it does not, it crosses a repeller and is no path.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.analysis.dynamics import FixedPoints, points_of
from hrnn.base.arguments import instance, real_array, real_number, real_vector, whole_number
from hrnn.network import Network, check_network

N_STATES: int = 101  # of a path
MAX_SWEEPS: int = 5000
SWEEP_TOLERANCE: float = 1e-7


@dataclasses.dataclass(frozen=True, eq=False)
class Path:
    """The path between the two outer stable points under one input (P states, N units).

    Attributes
    ----------
    states : ndarray (P, N)
        States at equal distances along the path, the outer points included.
    arclength : ndarray (P,)
        Distance from the first outer point along the path; its last entry is the path's length.
    drift : ndarray (P,)
        (F(h) - h) along the path, per step: positive towards the last state.
    contraction : ndarray (P,)
        Largest modulus of the Jacobian across the path: the rate at which it is approached where
        it rests, that is at fixed points. Where states pass, a value above 1 only stretches.
    along : ndarray (P,)
        The Jacobian along the path.
    tangent : ndarray (P, N)
        Unit vectors along the path.
    ends : ndarray of int (2,)
        Rows of the outer points in the FixedPoints.
    converged : bool
        Whether the chain came to stand still and attracts from its sides (contraction below 1)
        wherever it rests. If not, it is no path of the map, and none of the numbers means anything:
        a chain can stand still on a repeller, which every state beside it leaves.
    """

    states: NDArray[np.float64]
    arclength: NDArray[np.float64]
    drift: NDArray[np.float64]
    contraction: NDArray[np.float64]
    along: NDArray[np.float64]
    tangent: NDArray[np.float64]
    ends: NDArray[np.intp]
    converged: bool

    def angles(self, axes: ArrayLike) -> NDArray[np.float64]:
        """Angle in degrees, 0 to 90, between the chord of the path and each row of axes (A, N)."""
        chord = self.states[-1] - self.states[0]
        axes = np.atleast_2d(real_array(axes, "axes", (1, 2)))
        if axes.shape[1] != len(chord):
            raise ValueError(f"axes must have shape (A, {len(chord)}), got {axes.shape}")
        lengths = np.linalg.norm(chord) * np.linalg.norm(axes, axis=1)
        cosine = axes @ chord / lengths
        return np.degrees(np.arccos(np.clip(np.abs(cosine), 0, 1)))


def outer_points(
    found: FixedPoints, x: ArrayLike, axis: ArrayLike | None = None
) -> NDArray[np.intp] | None:
    """Find the two stable points under an input that lie farthest apart.

    Points neutral to rounding count as stable.

    Parameters
    ----------
    found : FixedPoints
        The fixed points of a network.
    x : array_like (3,)
        The input.
    axis : array_like (N,), optional
        Direction along which the distance is taken, if it separates the points.

    Returns
    -------
    ndarray of int (2,) or None
        Their rows in `found`; None if there are fewer than two.
    """
    rows = instance(found, "found", FixedPoints).at(x)
    if axis is not None:
        axis = real_vector(axis, "axis", found.points.shape[1])
    rows = rows[found.stable[rows] | found.neutral[rows]]
    if len(rows) < 2:
        return None
    points = found.points[rows]
    score = np.zeros(len(rows))
    if axis is not None:
        score = points @ axis
    if np.ptp(score) > 1e-9:
        return rows[[score.argmin(), score.argmax()]]
    gaps = np.linalg.norm(points[:, None] - points, axis=2)
    farthest = np.unravel_index(gaps.argmax(), gaps.shape)
    return rows[np.sort(farthest)]


def path_between(
    net: Network,
    found: FixedPoints,
    *,
    x: ArrayLike,
    axis: ArrayLike | None = None,
    n_states: int = N_STATES,
) -> Path | None:
    """Path between the outer stable points under the input x, or None if there are fewer than two.

    Where `converged`, it consists of the unstable manifolds of the saddles between the two, and of
    the stable points that they join. The search starts from the straight line; that line can lie on
    a repeller (a ring's diameter through its centre), and then there is no path.

    Parameters
    ----------
    net : Network
        The network.
    found : FixedPoints
        Its fixed points.
    x : array_like (3,)
        One of the inputs that were searched.
    axis : array_like (N,), optional
        The outer points are those of least and of greatest projection on it; else those farthest
        apart.
    n_states : int
        Number of states of the path.

    Returns
    -------
    Path or None
        The path, converged or not.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.from_arrays(
    ...     "tanh", W=[[1.5]], U=np.zeros((1, 3)), b=[0.0], V=[[0.0], [0.0]], c=[0.0, 0.0]
    ... )
    >>> found = hrnn.fixed_points(net, x=[0, 0, 0], starts=[[-1.0], [0.1], [1.0]])
    >>> path_between(net, found, x=[0, 0, 0]).arclength[-1].round(3).item()
    1.717
    """
    points_of(found, net)
    n_states = whole_number(n_states, "n_states", 3)
    ends = outer_points(found, x, axis)
    if ends is None:
        return None
    x = np.asarray(x, float)
    first, last = found.points[ends]
    states = np.linspace(first, last, n_states)
    still = False
    for _ in range(MAX_SWEEPS):
        moved = _spread(net.step(states, x), n_states)
        shift = np.abs(moved - states).max()
        states = moved
        if shift < SWEEP_TOLERANCE:
            still = True
            break
    return _measure(net, states, x, ends, still)


def _arclength(states: NDArray[np.float64]) -> NDArray[np.float64]:
    """Length of a chain up to each of its states."""
    pieces = np.linalg.norm(np.diff(states, axis=0), axis=1)
    return np.r_[0, pieces.cumsum()]


def _spread(states: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Spread n states at equal distances along a chain."""
    s = _arclength(states)
    even = np.linspace(0, s[-1], n)
    i = np.clip(np.searchsorted(s, even, side="right") - 1, 0, len(s) - 2)
    piece = np.maximum(s[i + 1] - s[i], 1e-300)
    f = ((even - s[i]) / piece)[:, None]
    return (1 - f) * states[i] + f * states[i + 1]


def _measure(
    net: Network,
    states: NDArray[np.float64],
    x: NDArray[np.float64],
    ends: NDArray[np.intp],
    still: bool,
) -> Path:
    """Path of a chain of states that stands still, or does not."""
    tangent = np.gradient(states, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    J = net.jacobian(states, x)
    across = np.eye(net.n_hidden) - tangent[:, :, None] * tangent[:, None]
    contraction = np.abs(np.linalg.eigvals(across @ J @ across)).max(1)
    drift = ((net.step(states, x) - states) * tangent).sum(1)
    attracts = (contraction[_rests(drift)] < 1).all()
    return Path(
        states=states,
        arclength=_arclength(states),
        drift=drift,
        contraction=contraction,
        along=np.einsum("pi,pij,pj->p", tangent, J, tangent),
        tangent=tangent,
        ends=ends,
        converged=bool(still and attracts),
    )


def _rests(drift: NDArray[np.float64]) -> NDArray[np.intp]:
    """States of a path next to where the drift changes its sign."""
    before = np.flatnonzero(drift[:-1] * drift[1:] <= 0)
    nearer = np.abs(drift[before]) < np.abs(drift[before + 1])
    return np.where(nearer, before, before + 1)


def unstable_manifold(
    net: Network, found: FixedPoints, row: int, *, distance: float = 1e-3, n_steps: int = 400
) -> list[NDArray[np.float64]]:
    """Orbits that leave a saddle along its one unstable direction.

    Parameters
    ----------
    net : Network
        The network.
    found : FixedPoints
        Its fixed points.
    row : int
        Row of a point with exactly one unstable direction, of a real eigenvalue above 1.
    distance : float
        Distance of the first state from the saddle.
    n_steps : int
        Number of steps.

    Returns
    -------
    list of two ndarray (n_steps + 1, N)
        One orbit to each side.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.from_arrays(
    ...     "tanh", W=[[1.5]], U=np.zeros((1, 3)), b=[0.0], V=[[0.0], [0.0]], c=[0.0, 0.0]
    ... )
    >>> found = hrnn.fixed_points(net, x=[0, 0, 0], starts=[[-1.0], [0.1], [1.0]])
    >>> branches = unstable_manifold(net, found, int(np.flatnonzero(~found.stable)[0]))
    >>> sorted(round(b[-1, 0].item(), 3) for b in branches)
    [-0.859, 0.859]
    """
    row = _row_of(row, net, found)
    value = found.eigenvalues[row, 0]
    if found.n_unstable[row] != 1 or value.imag or value.real < 1:
        raise ValueError(
            "row must be of a saddle with one real eigenvalue above 1, "
            f"got {found.n_unstable[row]} of modulus >= 1"
        )
    direction = slowest_direction(net, found, row)
    distance = real_number(distance, "distance", 0, np.inf, "")
    n_steps = whole_number(n_steps, "n_steps")
    orbits = [found.points[row] + sign * distance * direction[None] for sign in (-1, 1)]
    for _ in range(n_steps):
        orbits = [np.vstack([orbit, net.step(orbit[-1], found.x[row])]) for orbit in orbits]
    return orbits


def _row_of(row: int, net: Network, found: FixedPoints) -> int:
    """Check the row of a fixed point of a network."""
    points_of(found, net)
    row = whole_number(row, "row", 0)
    if row >= len(found.points):
        raise ValueError(f"row must be < {len(found.points)}, the number of points, got {row}")
    return row


def slowest_direction(net: Network, found: FixedPoints, row: int) -> NDArray[np.float64]:
    """Direction of the largest modulus at a fixed point.

    Parameters
    ----------
    net : Network
        The network.
    found : FixedPoints
        Its fixed points.
    row : int
        Row of the point.

    Returns
    -------
    ndarray (N,)
        Right eigenvector of unit length; its real part, if it is complex.
    """
    row = _row_of(row, net, found)
    values, vectors = np.linalg.eig(net.jacobian(found.points[row], found.x[row]))
    direction = np.real(vectors[:, np.abs(values).argmax()])
    return direction / np.linalg.norm(direction)


def eigenvectors(
    net: Network, point: ArrayLike, x: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Eigenvalues and eigenvectors of the Jacobian at a state.

    Parameters
    ----------
    net : Network
        The network.
    point : array_like (N,)
        The state.
    x : array_like (3,)
        The input.

    Returns
    -------
    values : ndarray (N,)
        Eigenvalues, the largest modulus first; real if all are.
    right : ndarray (N, N)
        Right eigenvectors, one a column.
    left : ndarray (N, N)
        Left eigenvectors, one a column, with left' right = 1.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=4, rng=0)
    >>> values, right, left = eigenvectors(net, np.zeros(4), [0, 0, 0])
    >>> bool(np.allclose(left.conj().T @ right, np.eye(4)))
    True
    """
    check_network(net)
    J = net.jacobian(real_vector(point, "point", net.n_hidden), real_vector(x, "x", 3))
    values, right = np.linalg.eig(J)
    order = np.argsort(-np.abs(values), kind="stable")
    right = right[:, order]
    return values[order], right, np.linalg.inv(right).conj().T
