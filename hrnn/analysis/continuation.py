"""Branches of fixed points as an input varies, by pseudo-arclength continuation (Keller 1977)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.base.arguments import real_array, real_number, whole_number
from hrnn.network import Network, check_network

if TYPE_CHECKING:
    import pandas as pd

NEWTON_STEPS: int = 12
NEWTON_TOLERANCE: float = 1e-11
BISECTIONS: int = 30
KINDS: tuple[str, ...] = ("fold", "branch point", "flip", "Neimark-Sacker")


@dataclasses.dataclass(frozen=True, eq=False)
class Branch:
    """Fixed points along one input that varies (L points).

    Attributes
    ----------
    value : ndarray (L,)
        How far the input has varied at each point.
    points : ndarray (L, N)
        The fixed points.
    largest_modulus : ndarray (L,)
        Largest modulus of an eigenvalue of the Jacobian at each.
    stable : ndarray of bool (L,)
        Whether that is below 1.
    bifurcations : DataFrame
        `value, kind` and `index` (after which point): 'fold' (the branch turns), 'branch point'
        (another branch crosses, as at a pitchfork), 'flip' (an eigenvalue passes -1),
        'Neimark-Sacker' (a complex pair passes modulus 1).
    """

    value: NDArray[np.float64]
    points: NDArray[np.float64]
    largest_modulus: NDArray[np.float64]
    stable: NDArray[np.bool_]
    bifurcations: pd.DataFrame

    def passes(
        self, state: NDArray[np.float64], value: float = 0.0, *, within: float = 1e-3
    ) -> bool:
        """Whether the branch goes through a state at a value of the input.

        Parameters
        ----------
        state : ndarray (N,)
            The state.
        value : float, optional
            How far the input has varied.
        within : float, optional
            Largest distance from the branch, relative to 1 + the length of the state.

        Returns
        -------
        bool
            Whether it does.
        """
        i = np.flatnonzero((self.value[:-1] - value) * (self.value[1:] - value) <= 0)
        here = self.value[i]
        there = self.value[i + 1]
        apart = np.where(there == here, 1, there - here)
        f = ((value - here) / apart)[:, None]
        between = (1 - f) * self.points[i] + f * self.points[i + 1]
        distance = np.linalg.norm(between - state, axis=1)
        near = distance < within * (1 + np.linalg.norm(state))
        return bool(near.any())


def continuation(
    net: Network,
    start: ArrayLike,
    *,
    x: ArrayLike,
    along: ArrayLike,
    low: float,
    high: float,
    step_size: float = 0.05,
    max_points: int = 2000,
) -> Branch:
    """Follow a fixed point as the input x + value · along varies, through folds.

    By pseudo-arclength continuation.

    Parameters
    ----------
    net : Network
        The network.
    start : array_like (N,)
        A fixed point under the input x, value 0.
    x : array_like (3,)
        The input (o^L, o^R, r) at value 0.
    along : array_like (3,)
        The direction in which the input varies.
    low : float
        Least value, at most 0: the branch ends where value leaves [low, high], or where it closes;
        it is followed both ways from value 0.
    high : float
        Greatest value, at least 0.
    step_size : float
        Longest step along the branch.
    max_points : int
        Most points each way.

    Returns
    -------
    Branch
        The fixed points in order along the branch, and its bifurcations.

    Raises
    ------
    ValueError
        If start is no fixed point under x.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.from_arrays(
    ...     "tanh", W=[[1.5]], U=[[1.0, 0, 0]], b=[0.0], V=[[0.0], [0.0]], c=[0.0, 0.0]
    ... )
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
    max_points = whole_number(max_points, "max_points")
    follow = _Follower(net, x, along, step_size, max_points, low, high)
    y = np.r_[start, 0.0]
    ahead = follow.tangent(follow.residual(y)[1], np.r_[np.zeros(len(start)), 1.0])
    forth, closed = follow.run(y, ahead)
    back = forth[:1]
    if not closed:
        back, _ = follow.run(y, -ahead)
    return follow.branch(np.vstack([back[:0:-1], forth]))


def _pairs(values: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """λ_i λ_j for i < j."""
    first, second = np.triu_indices(len(values), 1)
    return values[first] * values[second]


def _product(factors: NDArray[np.complex128]) -> float:
    """Product of factors that come in complex pairs, as sign times geometric mean of the moduli.

    Of no factors it is 1.
    """
    if not len(factors):
        return 1.0
    with np.errstate(divide="ignore"):
        size = np.exp(np.log(np.abs(factors)).mean())
    return np.cos(np.angle(factors).sum()) * size


@dataclasses.dataclass
class _Follower:
    """What follows a branch: points y = (h, value), the state and how far the input has varied."""

    net: Network
    x: NDArray[np.float64]
    along: NDArray[np.float64]
    step_size: float
    max_points: int
    low: float
    high: float

    def input(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Input (..., 3) at points y (..., N + 1)."""
        value = y[..., -1:]
        return self.x + value * self.along

    def residual(self, y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Residual F(h, x + value · along) - h at y, and its derivative (N, N + 1)."""
        h = y[:-1]
        x = self.input(y)
        by_state = self.net.jacobian(h, x) - np.eye(len(h))
        by_value = self.net.input_jacobian(h, x) @ self.along
        return self.net.step(h, x) - h, np.hstack([by_state, by_value[:, None]])

    def tangent(
        self, derivative: NDArray[np.float64], before: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Unit vector of the branch, on the side of the one before."""
        t = np.linalg.svd(derivative)[2][-1]
        return t if t @ before >= 0 else -t

    def correct(self, y: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Newton across the branch from the predicted y; None if it does not converge."""
        target = y
        for _ in range(NEWTON_STEPS):
            f, derivative = self.residual(y)
            if np.linalg.norm(f) < NEWTON_TOLERANCE:
                return y
            bordered = np.vstack([derivative, t])
            left = np.r_[f, t @ (y - target)]
            try:
                y = y - np.linalg.solve(bordered, left)
            except np.linalg.LinAlgError:
                return None
        return None

    def run(
        self, y: NDArray[np.float64], t: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], bool]:
        """Points of the branch from y on in the direction t, and whether it closes."""
        points = [y]
        size = self.step_size
        while len(points) <= self.max_points and size > 1e-9:
            last = points[-1]
            if not self.low <= last[-1] <= self.high:
                break
            new = self.correct(last + size * t, t)
            if new is None or np.linalg.norm(new - last) > 2 * size:
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

    def passes(
        self, a: NDArray[np.float64], b: NDArray[np.float64], y: NDArray[np.float64]
    ) -> bool:
        """Whether the segment from a to b passes y."""
        step = b - a
        f = np.clip((y - a) @ step / (step @ step), 0, 1)
        distance = np.linalg.norm(a + f * step - y)
        return bool(distance < 0.1 * np.linalg.norm(step))

    def branch(self, ys: NDArray[np.float64]) -> Branch:
        """Branch of the points ys (L, N + 1), with its bifurcations."""
        J = self.net.jacobian(ys[:, :-1], self.input(ys))
        moduli = np.abs(np.linalg.eigvals(J)).max(1)
        return Branch(ys[:, -1], ys[:, :-1], moduli, moduli < 1, self.bifurcations(ys))

    def bifurcations(self, ys: NDArray[np.float64]) -> pd.DataFrame:
        """Table of the bifurcations along the points ys (L, N + 1)."""
        import pandas as pd

        ahead = np.asarray(np.gradient(ys, axis=0))
        tests = np.array([self.tests(y, t) for y, t in zip(ys, ahead, strict=True)])
        rows = []
        for k, kind in enumerate(KINDS):
            for i in np.flatnonzero(tests[1:, k] * tests[:-1, k] < 0):
                at = self.locate(k, ys[i], ys[i + 1], tests[i, k])
                if self.low <= at[-1] <= self.high and self.happens(kind, at):
                    rows.append({"value": at[-1], "kind": kind, "index": i})
        table = pd.DataFrame(rows, columns=pd.Index(["value", "kind", "index"]))
        return table.sort_values("index", ignore_index=True)

    def tests(self, y: NDArray[np.float64], ahead: NDArray[np.float64]) -> NDArray[np.float64]:
        """Continuous functions whose changes of sign along the branch are bifurcations.

        One for each of KINDS, scaled by its number of factors. Fold: the tangent along the input;
        branch point: determinant of the bordered derivative; flip: det(J + 1); Neimark-Sacker:
        Π_{i<j} (λ_i λ_j - 1), 0 also where two real eigenvalues have product 1 (a neutral saddle).
        """
        derivative = self.residual(y)[1]
        t = self.tangent(derivative, ahead)
        values = self.eigenvalues(y)
        sign, size = np.linalg.slogdet(np.vstack([derivative, t]))
        determinant = sign * np.exp(size / len(t))
        flip = _product(values + 1)
        neimark_sacker = _product(_pairs(values) - 1)
        return np.array([t[-1], determinant, flip, neimark_sacker])

    def eigenvalues(self, y: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Eigenvalues of the map's Jacobian at y."""
        J = self.net.jacobian(y[:-1], self.input(y))
        return cast("NDArray[np.complex128]", np.linalg.eigvals(J))

    def happens(self, kind: str, y: NDArray[np.float64]) -> bool:
        """Whether a change of sign near y is a bifurcation: that of a neutral saddle is none."""
        if kind != "Neimark-Sacker":
            return True
        values = self.eigenvalues(y)
        first, second = np.triu_indices(len(values), 1)
        nearest = np.abs(_pairs(values) - 1).argmin()
        pair = values[[first[nearest], second[nearest]]]
        return bool((np.abs(pair.imag) > 1e-9).all())

    def locate(
        self, k: int, y: NDArray[np.float64], end: NDArray[np.float64], test: float
    ) -> NDArray[np.float64]:
        """Point at which test k changes its sign between two points, by bisection."""
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
