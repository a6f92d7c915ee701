"""Slow manifolds: paths between fixed points, branches of fixed points as an input varies, and how a belief is held.

The path between two stable points comes from the string method: a chain of states moves with the map and is spread out again
to equal distances until it stands still; it then runs along the unstable manifold of the saddle between them
(E, Ren & Vanden-Eijnden 2007). Branches are followed by pseudo-arclength continuation (Keller 1977).
"""

import dataclasses

import numpy as np

from hrnn.arguments import real_array, real_number, whole_number
from hrnn.dynamics import FixedPoints, jacobian, step
from hrnn.network import check_network

N_STATES = 101  # of a path
MAX_SWEEPS, SWEEP_TOLERANCE = 5000, 1e-7
NEWTON_STEPS, NEWTON_TOLERANCE, BISECTIONS = 12, 1e-11, 30
KINDS = ("fold", "branch point", "flip", "Neimark-Sacker")
SLOW = 0.9  # a single state of a larger modulus than this forgets slowly: τ > 9.5 steps
CREEP = 0.01  # drift per step, as a fraction of the path's length, below which a path is a line attractor


@dataclasses.dataclass(frozen=True, eq=False)
class Path:
    """The path between the two outer stable points under one input (P states, N units).

    Attributes
    ----------
    states : (P, N)
    arclength : (P,)
        From the first outer point; its last entry is the length of the path.
    drift : (P,)
        (F(h) - h) along the path, per step: positive towards the last state.
    contraction : (P,)
        Largest modulus of the Jacobian across the path: the rate at which it is approached in the long run.
    along : (P,)
        The Jacobian along the path.
    tangent : (P, N)
        Unit vectors.
    ends : (2,) int
        Rows of the outer points in the FixedPoints.
    converged : bool
        Whether the chain came to stand still; if not, it is no path of the map and none of the numbers means anything.
    """

    states: np.ndarray
    arclength: np.ndarray
    drift: np.ndarray
    contraction: np.ndarray
    along: np.ndarray
    tangent: np.ndarray
    ends: np.ndarray
    converged: bool

    def angles(self, axes):
        """Angle in degrees, 0 to 90, between the chord of the path and each row of axes (A, N)."""
        chord = self.states[-1] - self.states[0]
        axes = np.atleast_2d(axes)
        cosine = axes @ chord / (np.linalg.norm(chord) * np.linalg.norm(axes, axis=1))
        return np.degrees(np.arccos(np.clip(np.abs(cosine), 0, 1)))


def outer_points(found, x, axis=None):
    """Rows of the two stable points under x that lie farthest apart (along axis (N,), if it separates them), or None."""
    rows = found.at(x)
    rows = rows[found.stable[rows]]
    if len(rows) < 2:
        return None
    points = found.points[rows]
    score = points @ np.asarray(axis, float) if axis is not None else np.zeros(len(rows))
    if np.ptp(score) > 1e-9:
        return rows[[score.argmin(), score.argmax()]]
    gaps = np.linalg.norm(points[:, None] - points, axis=2)
    return rows[np.sort(np.unravel_index(gaps.argmax(), gaps.shape))]


def path_between(net, found, *, x, axis=None, n_states=N_STATES):
    """Path between the outer stable points under the input x, or None if there are fewer than two.

    Parameters
    ----------
    net : Network
    found : FixedPoints
    x : (3,)
    axis : (N,), optional
        The outer points are those of least and of greatest projection on it; else those farthest apart.
    n_states : int

    Returns
    -------
    Path or None

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.from_arrays("tanh", W=[[1.5]], U=np.zeros((1, 3)), b=[0.0], V=[[0.0], [0.0]], c=[0.0, 0.0])
    >>> found = hrnn.fixed_points(net, x=[0, 0, 0], starts=[[-1.0], [0.1], [1.0]])
    >>> path_between(net, found, x=[0, 0, 0]).arclength[-1].round(3).item()
    1.717
    """
    check_network(net)
    n_states = whole_number(n_states, "n_states", 3)
    ends = outer_points(found, x, axis)
    if ends is None:
        return None
    states = np.linspace(*found.points[ends], n_states)
    converged = False
    for _ in range(MAX_SWEEPS):
        moved = _spread(step(net, states, x), n_states)
        shift = np.abs(moved - states).max()
        states = moved
        if shift < SWEEP_TOLERANCE:
            converged = True
            break
    return _measure(net, states, np.asarray(x, float), ends, converged)


def _arclength(states):
    """Length of a chain up to each of its states."""
    return np.r_[0, np.linalg.norm(np.diff(states, axis=0), axis=1).cumsum()]


def _spread(states, n):
    """n states at equal distances along a chain."""
    s = _arclength(states)
    even = np.linspace(0, s[-1], n)
    i = np.clip(np.searchsorted(s, even, side="right") - 1, 0, len(s) - 2)
    f = ((even - s[i]) / np.maximum(s[i + 1] - s[i], 1e-300))[:, None]
    return (1 - f) * states[i] + f * states[i + 1]


def _measure(net, states, x, ends, converged):
    tangent = np.gradient(states, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    J = jacobian(net, states, x)
    across = np.eye(net.n_hidden) - tangent[:, :, None] * tangent[:, None]
    arclength = _arclength(states)
    return Path(
        states, arclength, ((step(net, states, x) - states) * tangent).sum(1),
        np.abs(np.linalg.eigvals(across @ J @ across)).max(1), np.einsum("pi,pij,pj->p", tangent, J, tangent), tangent, ends, converged,
    )


def unstable_manifold(net, found, row, *, distance=1e-3, n_steps=400):
    """Orbits that leave a saddle along its one unstable direction: two arrays (n_steps + 1, N).

    Parameters
    ----------
    net : Network
    found : FixedPoints
    row : int
        A point with exactly one unstable direction, of a real eigenvalue above 1.
    distance : float
        Of the first state from the saddle.
    n_steps : int

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.from_arrays("tanh", W=[[1.5]], U=np.zeros((1, 3)), b=[0.0], V=[[0.0], [0.0]], c=[0.0, 0.0])
    >>> found = hrnn.fixed_points(net, x=[0, 0, 0], starts=[[-1.0], [0.1], [1.0]])
    >>> branches = unstable_manifold(net, found, int(np.flatnonzero(~found.stable)[0]))
    >>> sorted(round(b[-1, 0].item(), 3) for b in branches)
    [-0.859, 0.859]
    """
    check_network(net)
    row = whole_number(row, "row", 0)
    value = found.eigenvalues[row, 0]
    if found.n_unstable[row] != 1 or value.imag or value.real < 1:
        raise ValueError(f"row must be of a saddle with one real eigenvalue above 1, got {found.n_unstable[row]} of modulus >= 1")
    values, vectors = np.linalg.eig(jacobian(net, found.points[row], found.x[row]))
    direction = vectors[:, np.abs(values).argmax()].real
    orbits = [found.points[row] + sign * real_number(distance, "distance", 0, np.inf, "") * direction[None] for sign in (-1, 1)]
    for _ in range(whole_number(n_steps, "n_steps")):
        orbits = [np.vstack([orbit, step(net, orbit[-1], found.x[row])]) for orbit in orbits]
    return orbits


def eigenvectors(net, point, x):
    """Eigenvalues (N,), right and left eigenvectors (N, N), as columns with left' right = 1, the largest modulus first.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=4, rng=0)
    >>> values, right, left = eigenvectors(net, np.zeros(4), [0, 0, 0])
    >>> bool(np.allclose(left.conj().T @ right, np.eye(4)))
    True
    """
    check_network(net)
    values, right = np.linalg.eig(jacobian(net, real_array(point, "point", (1,)), np.asarray(x, float)))
    order = np.argsort(-np.abs(values), kind="stable")
    right = right[:, order]
    return values[order], right, np.linalg.inv(right).conj().T


# ---- continuation --------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class Branch:
    """Fixed points along one input that varies (L points).

    Attributes
    ----------
    value : (L,)
        Of the varied input.
    points : (L, N)
    largest_modulus : (L,)
    stable : (L,) bool
    bifurcations : DataFrame
        `value, kind` and `index` (after which point): 'fold' (the branch turns), 'branch point' (another branch crosses, as
        at a pitchfork), 'flip' (an eigenvalue passes -1), 'Neimark-Sacker' (a complex pair passes modulus 1).
    """

    value: np.ndarray
    points: np.ndarray
    largest_modulus: np.ndarray
    stable: np.ndarray
    bifurcations: object

    def passes(self, state, value=0.0, *, within=1e-3):
        """Whether the branch goes through a state (N,) at a value of the input."""
        i = np.flatnonzero((self.value[:-1] - value) * (self.value[1:] - value) <= 0)
        f = ((value - self.value[i]) / np.where(self.value[i + 1] == self.value[i], 1, self.value[i + 1] - self.value[i]))[:, None]
        between = (1 - f) * self.points[i] + f * self.points[i + 1]
        return bool((np.linalg.norm(between - state, axis=1) < within * (1 + np.linalg.norm(state))).any())


def continuation(net, start, *, x, along, low, high, step_size=0.05, max_points=2000):
    """Follow a fixed point as the input x + value · along varies, through folds, by pseudo-arclength.

    Parameters
    ----------
    net : Network
    start : (N,)
        A fixed point under the input x, value 0.
    x, along : (3,)
        The input at value 0, and the direction in which it varies.
    low, high : float
        The branch ends where value leaves [low, high], or where it closes; it is followed both ways from value 0.
    step_size : float
        Longest step along the branch.
    max_points : int
        Most points each way.

    Returns
    -------
    Branch

    Raises
    ------
    ValueError
        If start is no fixed point under x.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.from_arrays("tanh", W=[[1.5]], U=[[1.0, 0, 0]], b=[0.0], V=[[0.0], [0.0]], c=[0.0, 0.0])
    >>> start = hrnn.fixed_points(net, x=[0, 0, 0], starts=[[1.0]]).points[0]
    >>> branch = continuation(net, start, x=[0, 0, 0], along=[1, 0, 0], low=-1, high=1)
    >>> branch.bifurcations.kind.tolist()
    ['fold', 'fold']
    """
    check_network(net)
    start, x, along = real_array(start, "start", (1,)), real_array(x, "x", (1,)), real_array(along, "along", (1,))
    for name, vector, n in (("start", start, net.n_hidden), ("x", x, 3), ("along", along, 3)):
        if vector.shape != (n,):
            raise ValueError(f"{name} must have shape ({n},), got {vector.shape}")
    low, high = real_number(low, "low", -np.inf, 0, "]"), real_number(high, "high", 0, np.inf, "[")
    step_size = real_number(step_size, "step_size", 0, np.inf, "")
    if np.linalg.norm(step(net, start, x) - start) > 1e-8:
        raise ValueError("start must be a fixed point under x")
    follow = _Follower(net, x, along, step_size, whole_number(max_points, "max_points"), low, high)
    forth, closed = follow.run(np.r_[start, 0.0], 1)
    back = forth[:1] if closed else follow.run(np.r_[start, 0.0], -1)[0]
    return follow.branch(np.vstack([back[:0:-1], forth]))


def _pairs(values):
    """λ_i λ_j for i < j."""
    first, second = np.triu_indices(len(values), 1)
    return values[first] * values[second]


def _product(factors):
    """Product of factors that come in complex pairs, as sign and geometric mean of the moduli; 1 of none."""
    if not len(factors):
        return 1.0
    with np.errstate(divide="ignore"):
        size = np.exp(np.log(np.abs(factors)).mean())
    return np.cos(np.angle(factors).sum()) * size


@dataclasses.dataclass
class _Follower:
    net: object
    x: np.ndarray
    along: np.ndarray
    step_size: float
    max_points: int
    low: float
    high: float

    def residual(self, y):
        """f = tanh(W h + U (x + value along) + b) - h at y = (h, value), and its derivative (N, N + 1)."""
        net, h = self.net, y[:-1]
        u = np.tanh(net.W @ h + net.U @ (self.x + y[-1] * self.along) + net.b)
        gain = (1 - u**2)[:, None]
        return u - h, np.hstack([gain * net.W - np.eye(len(h)), gain * (net.U @ self.along)[:, None]])

    def tangent(self, derivative, before):
        """Unit vector of the branch, on the side of the one before."""
        t = np.linalg.svd(derivative)[2][-1]
        return t if t @ before >= 0 else -t

    def correct(self, y, t):
        """Newton across the branch from the predicted y; None if it does not converge."""
        target = y
        for _ in range(NEWTON_STEPS):
            f, derivative = self.residual(y)
            if np.linalg.norm(f) < NEWTON_TOLERANCE:
                return y
            try:
                y = y - np.linalg.solve(np.vstack([derivative, t]), np.r_[f, t @ (y - target)])
            except np.linalg.LinAlgError:
                return None
        return None

    def run(self, y, sign):
        """Points of the branch from y on, first in the direction in which value has this sign, and whether it closes."""
        t = self.tangent(self.residual(y)[1], np.r_[np.zeros(len(y) - 1), sign])
        points, size = [y], self.step_size
        while len(points) <= self.max_points and self.low <= points[-1][-1] <= self.high and size > 1e-9:
            new = self.correct(points[-1] + size * t, t)
            if new is None or np.linalg.norm(new - points[-1]) > 2 * size:
                size /= 2
                continue
            turned = self.tangent(self.residual(new)[1], t)
            if turned @ t < 0.9:
                size /= 2
                continue
            points.append(new)
            t, size = turned, min(1.5 * size, self.step_size)
            if len(points) > 3 and self.passes(points[-2], new, y):
                return np.array([*points[:-1], y]), True
        return np.array(points), False

    def passes(self, a, b, y):
        """Whether the segment from a to b passes y."""
        f = np.clip((y - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        return np.linalg.norm(a + f * (b - a) - y) < 0.1 * np.linalg.norm(b - a)

    def branch(self, ys):
        import pandas as pd

        values = np.linalg.eigvals(jacobian(self.net, ys[:, :-1], self.x + ys[:, -1:] * self.along))
        moduli = np.abs(values).max(1)
        ahead = np.gradient(ys, axis=0)
        tests = np.array([self.tests(y, t) for y, t in zip(ys, ahead, strict=True)])
        rows = []
        for k, kind in enumerate(KINDS):
            for i in np.flatnonzero(tests[1:, k] * tests[:-1, k] < 0):
                at = self.locate(k, ys[i], ys[i + 1], tests[i, k])
                if self.low <= at[-1] <= self.high and self.happens(kind, at):
                    rows.append({"value": at[-1], "kind": kind, "index": i})
        table = pd.DataFrame(rows, columns=["value", "kind", "index"]).sort_values("index", ignore_index=True)
        return Branch(ys[:, -1], ys[:, :-1], moduli, moduli < 1, table)

    def tests(self, y, ahead):
        """Continuous functions whose changes of sign along the branch are bifurcations, scaled by their number of factors.

        fold: the tangent along the input; branch point: determinant of the bordered derivative; flip: det(J + 1);
        Neimark-Sacker: Π_{i<j} (λ_i λ_j - 1), 0 also where two real eigenvalues have product 1 (a neutral saddle).
        """
        derivative = self.residual(y)[1]
        t = self.tangent(derivative, ahead)
        values = self.eigenvalues(y)
        sign, size = np.linalg.slogdet(np.vstack([derivative, t]))
        return np.array([t[-1], sign * np.exp(size / len(t)), _product(values + 1), _product(_pairs(values) - 1)])

    def eigenvalues(self, y):
        """Of the map's Jacobian at y = (h, value)."""
        return np.linalg.eigvals(jacobian(self.net, y[:-1], self.x + y[-1] * self.along))

    def happens(self, kind, y):
        """Whether a change of sign near y is a bifurcation: that of a neutral saddle is none."""
        if kind != "Neimark-Sacker":
            return True
        values = self.eigenvalues(y)
        first, second = np.triu_indices(len(values), 1)
        nearest = np.abs(_pairs(values) - 1).argmin()
        return abs(values[first[nearest]].imag) > 1e-9 and abs(values[second[nearest]].imag) > 1e-9

    def locate(self, k, y, end, test):
        """Point (h, value) at which test k changes its sign between two points, by bisection along the branch."""
        for _ in range(BISECTIONS):
            ahead = end - y
            middle = self.correct((y + end) / 2, ahead / np.linalg.norm(ahead))
            if middle is None:
                break
            there = self.tests(middle, ahead)[k]
            if test * there > 0:
                y, test = middle, there
            else:
                end = middle
        return (y + end) / 2


# ---- verdict -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How a network holds its block belief without input: `kind`, the words that say so, and the numbers behind it.

    Attributes
    ----------
    kind : {'two stable states', 'line attractor', 'slow decay', 'fast decay', 'no stable state'}
    text : str
    numbers : dict of str to float
        n_stable, n_saddles, lambda_stable (largest modulus of the slowest stable point), time_constant (steps), and for a
        path that stands still under the map: path_length, largest_drift (per step, as a fraction of the length), contraction.
    """

    kind: str
    text: str
    numbers: dict


def verdict(net, found, *, x=(0.0, 0.0, 0.0), axis=None):
    """Line attractor, two stable states, or decay: what holds a belief under the input x.

    The criterion: with two or more stable points, a line attractor if the drift along the path between the outer two is
    below 1 % of its length per step everywhere and it attracts from its sides, else two stable states; with one, slow decay
    if its largest modulus is above 0.9 (a time constant above 9.5 steps), else fast decay; with none, no stable state.

    Parameters
    ----------
    net : Network
    found : FixedPoints
        With points under x.
    x : (3,)
    axis : (N,), optional
        As for `path_between`: the block readout.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=8, rng=0)
    >>> verdict(net, hrnn.fixed_points(net, x=[0, 0, 0], starts=np.zeros((1, 8)))).kind
    'fast decay'
    """
    check_network(net)
    if not isinstance(found, FixedPoints):
        raise TypeError(f"found must be FixedPoints, got {type(found).__name__}")
    rows = found.at(x)
    stable, saddles = rows[found.stable[rows]], rows[found.n_unstable[rows] == 1]
    if not stable.size:
        return Verdict("no stable state", f"{len(rows)} fixed points, none of them stable", {"n_stable": 0, "n_saddles": len(saddles)})
    slowest = np.abs(found.eigenvalues[stable, 0]).max()
    numbers = {"n_stable": len(stable), "n_saddles": len(saddles), "lambda_stable": float(slowest),
               "time_constant": float(-1 / np.log(slowest))}
    path = path_between(net, found, x=x, axis=axis)
    if path is None:
        kind = "slow decay" if slowest > SLOW else "fast decay"
        return Verdict(kind, f"one stable state, no path between two: belief decays with a time constant of "
                       f"{numbers['time_constant']:.1f} steps ({kind})", numbers)
    states = f"{len(stable)} stable states and {len(saddles)} saddle{'s' if len(saddles) != 1 else ''}"
    if not path.converged:
        return Verdict("two stable states", f"{states}; no path between the outer two was found that stands still under the map: "
                       "two stable states", numbers)
    drift, contraction = float(np.abs(path.drift).max() / path.arclength[-1]), float(path.contraction.max())
    numbers |= {"path_length": float(path.arclength[-1]), "largest_drift": drift, "contraction": contraction}
    kind = "line attractor" if drift < CREEP and contraction < 1 else "two stable states"
    text = (
        f"{states}; along the path between the outer two the state drifts by at most {100 * drift:.2f} % of its length a step; "
        f"across it the largest modulus is {contraction:.2f}: {kind}"
    )
    return Verdict(kind, text, numbers)
