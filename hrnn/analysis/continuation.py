"""Branches of fixed points as an input varies, by pseudo-arclength continuation (Keller 1977)."""

import dataclasses

import numpy as np

from hrnn.base.arguments import real_array, real_number, whole_number
from hrnn.network import check_network

NEWTON_STEPS = 12
NEWTON_TOLERANCE = 1e-11
BISECTIONS = 30
KINDS = ("fold", "branch point", "flip", "Neimark-Sacker")


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
        `value, kind` and `index` (after which point): 'fold' (the branch turns), 'branch point'
        (another branch crosses, as at a pitchfork), 'flip' (an eigenvalue passes -1),
        'Neimark-Sacker' (a complex pair passes modulus 1).
    """

    value: np.ndarray
    points: np.ndarray
    largest_modulus: np.ndarray
    stable: np.ndarray
    bifurcations: object

    def passes(self, state, value=0.0, *, within=1e-3):
        """Whether the branch goes through a state (N,) at a value of the input."""
        i = np.flatnonzero((self.value[:-1] - value) * (self.value[1:] - value) <= 0)
        f = (
            (value - self.value[i])
            / np.where(self.value[i + 1] == self.value[i], 1, self.value[i + 1] - self.value[i])
        )[:, None]
        between = (1 - f) * self.points[i] + f * self.points[i + 1]
        return bool(
            (np.linalg.norm(between - state, axis=1) < within * (1 + np.linalg.norm(state))).any()
        )


def continuation(net, start, *, x, along, low, high, step_size=0.05, max_points=2000):
    """Follow a fixed point as the input x + value · along varies, through folds.

    By pseudo-arclength.

    Parameters
    ----------
    net : Network
    start : (N,)
        A fixed point under the input x, value 0.
    x, along : (3,)
        The input at value 0, and the direction in which it varies.
    low, high : float
        The branch ends where value leaves [low, high], or where it closes; it is followed both ways
        from value 0.
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
    start = real_array(start, "start", (1,))
    x = real_array(x, "x", (1,))
    along = real_array(along, "along", (1,))
    for name, vector, n in (("start", start, net.n_hidden), ("x", x, 3), ("along", along, 3)):
        if vector.shape != (n,):
            raise ValueError(f"{name} must have shape ({n},), got {vector.shape}")
    low = real_number(low, "low", -np.inf, 0, "]")
    high = real_number(high, "high", 0, np.inf, "[")
    step_size = real_number(step_size, "step_size", 0, np.inf, "")
    if np.linalg.norm(net.step(start, x) - start) > 1e-8:
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
    """Product of factors that come in complex pairs, as sign and geometric mean of the moduli.

    1 of none.
    """
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
        """f = F(h, x + value along) - h at y = (h, value), and its derivative (N, N + 1)."""
        h = y[:-1]
        x = self.x + y[-1] * self.along
        by_state = self.net.jacobian(h, x) - np.eye(len(h))
        by_value = self.net.input_jacobian(h, x) @ self.along
        return self.net.step(h, x) - h, np.hstack([by_state, by_value[:, None]])

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
        """Points of the branch from y on, first in the direction in which value has this sign.

        And whether it closes.
        """
        t = self.tangent(self.residual(y)[1], np.r_[np.zeros(len(y) - 1), sign])
        points = [y]
        size = self.step_size
        while (
            len(points) <= self.max_points
            and self.low <= points[-1][-1] <= self.high
            and size > 1e-9
        ):
            new = self.correct(points[-1] + size * t, t)
            if new is None or np.linalg.norm(new - points[-1]) > 2 * size:
                size /= 2
                continue
            turned = self.tangent(self.residual(new)[1], t)
            if turned @ t < 0.9:
                size /= 2
                continue
            points.append(new)
            t = turned
            size = min(1.5 * size, self.step_size)
            if len(points) > 3 and self.passes(points[-2], new, y):
                return np.array([*points[:-1], y]), True
        return np.array(points), False

    def passes(self, a, b, y):
        """Whether the segment from a to b passes y."""
        f = np.clip((y - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        return np.linalg.norm(a + f * (b - a) - y) < 0.1 * np.linalg.norm(b - a)

    def branch(self, ys):
        import pandas as pd

        values = np.linalg.eigvals(self.net.jacobian(ys[:, :-1], self.x + ys[:, -1:] * self.along))
        moduli = np.abs(values).max(1)
        ahead = np.gradient(ys, axis=0)
        tests = np.array([self.tests(y, t) for y, t in zip(ys, ahead, strict=True)])
        rows = []
        for k, kind in enumerate(KINDS):
            for i in np.flatnonzero(tests[1:, k] * tests[:-1, k] < 0):
                at = self.locate(k, ys[i], ys[i + 1], tests[i, k])
                if self.low <= at[-1] <= self.high and self.happens(kind, at):
                    rows.append({"value": at[-1], "kind": kind, "index": i})
        table = pd.DataFrame(rows, columns=["value", "kind", "index"]).sort_values(
            "index", ignore_index=True
        )
        return Branch(ys[:, -1], ys[:, :-1], moduli, moduli < 1, table)

    def tests(self, y, ahead):
        """Continuous functions whose changes of sign along the branch are bifurcations.

        Scaled by their number of factors.

        fold: the tangent along the input; branch point: determinant of the bordered derivative;
        flip: det(J + 1); Neimark-Sacker: Π_{i<j} (λ_i λ_j - 1), 0 also where two real eigenvalues
        have product 1 (a neutral saddle).
        """
        derivative = self.residual(y)[1]
        t = self.tangent(derivative, ahead)
        values = self.eigenvalues(y)
        sign, size = np.linalg.slogdet(np.vstack([derivative, t]))
        return np.array(
            [
                t[-1],
                sign * np.exp(size / len(t)),
                _product(values + 1),
                _product(_pairs(values) - 1),
            ]
        )

    def eigenvalues(self, y):
        """Of the map's Jacobian at y = (h, value)."""
        return np.linalg.eigvals(self.net.jacobian(y[:-1], self.x + y[-1] * self.along))

    def happens(self, kind, y):
        """Whether a change of sign near y is a bifurcation: that of a neutral saddle is none."""
        if kind != "Neimark-Sacker":
            return True
        values = self.eigenvalues(y)
        first, second = np.triu_indices(len(values), 1)
        nearest = np.abs(_pairs(values) - 1).argmin()
        return abs(values[first[nearest]].imag) > 1e-9 and abs(values[second[nearest]].imag) > 1e-9

    def locate(self, k, y, end, test):
        """Point (h, value) at which test k changes its sign between two points.

        By bisection along the branch.
        """
        for _ in range(BISECTIONS):
            ahead = end - y
            middle = self.correct((y + end) / 2, ahead / np.linalg.norm(ahead))
            if middle is None:
                break
            there = self.tests(middle, ahead)[k]
            if test * there > 0:
                y = middle
                test = there
            else:
                end = middle
        return (y + end) / 2
