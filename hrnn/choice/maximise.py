"""Maximum of a smooth log likelihood within bounds: damped, projected Newton steps.

Far from the maximum the information is the sum of outer products of the trials' gradients, which
costs nothing more; where a full step promises little, it is the Hessian itself, from differences of
the gradient, since the two agree only where the model is right.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hrnn.base.parallel import look

Floats = NDArray[np.float64]
Evaluate = Callable[[Floats], tuple[float, Floats, Floats]]

MAX_STEPS: int = 100
REFRESH: int = 5  # steps after which the Hessian is taken again
# gain in log likelihood (nats) that a full step promises
TOLERANCE: float = 1e-7  # the search is done
NEAR: float = 2.0  # the maximum is near
STALLED: float = 1e-4  # the search is done if no step gains
# squared distance in standard errors within which a search has come to a maximum that is known
SAME: float = 25.0
# damping
LEAST: float = 1e-12
FIRST: float = 1e-3
LARGEST: float = 1e9
NEARBY: float = 1e-4  # of the distance between the bounds
MOST: float = 0.9  # of the way to a bound


@dataclasses.dataclass(frozen=True, eq=False)
class Maximum:
    """Where a search ended.

    Attributes
    ----------
    theta : (P,)
        The parameters there.
    value : float
        The log likelihood there.
    converged : bool
        Whether a step within the bounds promises no more gain.
    information : (P, P)
        Minus the Hessian of the parameters that are not at a bound, 0 elsewhere.
    n_evaluations : int
        How often the log likelihood was computed.
    """

    theta: Floats
    value: float
    converged: bool
    information: Floats
    n_evaluations: int

    def is_near(self, theta: Floats) -> bool:
        """Whether a point (P,) is within five standard errors."""
        if not self.converged:
            return False
        gap = theta - self.theta
        close = gap @ self.information @ gap < SAME
        at_bound = np.diag(self.information) == 0
        return bool(close and not gap[at_bound].any())


def hessian(
    evaluate: Evaluate,
    theta: Floats,
    information: Floats,
    lower: Floats,
    upper: Floats,
    free: NDArray[np.bool_],
) -> Floats:
    """Second derivatives (P, P) by central differences of the gradient.

    Parameters
    ----------
    evaluate : callable(theta) -> (value, gradient (P,), information (P, P))
        What is differentiated.
    theta : (P,)
        Where.
    information : (P, P)
        Nearly minus the Hessian: steps are .01 of the standard errors that it gives.
    lower, upper : (P,)
        Bounds, which no step leaves.
    free : (P,) bool
        Parameters to differentiate by; derivatives by the others are 0.
    """
    found = np.zeros((len(theta), len(theta)))
    index = np.flatnonzero(free)
    step = 0.01 / np.sqrt(np.maximum(np.diag(information), 1e-12))
    step = np.minimum(step, 0.5 * np.minimum(theta - lower, upper - theta))
    for i in index:
        shift = np.zeros(len(theta))
        shift[i] = step[i]
        change = evaluate(theta + shift)[1] - evaluate(theta - shift)[1]
        found[i, index] = change[index] / (2 * step[i])
    return (found + found.T) / 2


class _Search:
    """One climb: where it is, and what it knows of the curvature."""

    def __init__(self, evaluate: Evaluate, start: Floats, lower: Floats, upper: Floats) -> None:
        self.evaluate = evaluate
        self.lower = lower
        self.upper = upper
        self.n = 0
        self.damping = FIRST
        self.theta = np.clip(start, lower, upper)
        self.value, self.gradient, self.information = self.look(self.theta)

    def look(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Evaluate a point, and count it."""
        look()
        self.n += 1
        return self.evaluate(theta)

    @property
    def outward(self) -> Floats:
        """Where the gradient leads to: the lower or the upper bound of each parameter."""
        upward = self.gradient > 0
        return np.where(upward, self.upper, self.lower)

    @property
    def free(self) -> NDArray[np.bool_]:
        """Parameters that the gradient does not hold at, or press to, a bound nearby."""
        distance = np.abs(self.outward - self.theta)
        return distance > NEARBY * (self.upper - self.lower)

    def step(self, damping: float, reach: float = 1.0) -> Floats:
        """Where a damped step leads, (P,).

        Free parameters go at most .9 of their way to a bound, the others a fraction `reach`.

        A lapse of nearly 0, taken before the other parameters are right, makes some trials nearly
        impossible, and the likelihood so steep that no step leads back. Parameters that are cut
        short are set, and the others solved for once more.
        """
        open_ = self.free.copy()
        move = reach * (self.outward - self.theta)
        scale = np.maximum(np.sqrt(np.abs(np.diag(self.information))), 1e-8)
        inner = self.information / np.outer(scale, scale) + damping * np.eye(len(scale))
        slope = self.gradient / scale
        ends = MOST * (self.lower - self.theta), MOST * (self.upper - self.theta)
        while open_.any():
            left = slope[open_] - inner[np.ix_(open_, ~open_)] @ (move * scale)[~open_]
            move[open_] = np.linalg.solve(inner[np.ix_(open_, open_)], left) / scale[open_]
            far = open_ & ((move < ends[0]) | (move > ends[1]))
            if not far.any():
                break
            move = np.where(far, np.clip(move, *ends), move)
            open_ &= ~far
        return np.clip(self.theta + move, self.lower, self.upper)

    @property
    def promised(self) -> float:
        """The gain that a full step promises, or that of each parameter alone if it is more."""
        distance = np.abs(self.outward - self.theta)
        root = np.sqrt(np.abs(np.diag(self.information)))
        error = 1 / np.maximum(root, 1e-8)
        to_summit = 0.5 * (self.gradient * error) ** 2
        to_bound = np.abs(self.gradient) * distance
        alone = np.minimum(to_summit, to_bound)
        together = self.gradient @ (self.step(1e-9) - self.theta) / 2
        return max(together, alone.sum())

    def climb(self) -> tuple[Floats, bool] | None:
        """Take a step that gains; None: there is none.

        The information (P, P) there, and whether the step gained about what it promised.
        """
        reach = 1.0
        while self.damping < LARGEST:
            there = self.step(self.damping, reach)
            found = self.look(there)
            if found[0] > self.value:
                gain = found[0] - self.value
                promised = self.gradient @ (there - self.theta) / 2
                self.theta = there
                self.value, self.gradient, outer = found
                self.damping = max(self.damping / 10, LEAST)
                return outer, bool(gain > 0.5 * promised)
            self.damping = 10 * max(self.damping, 1e-6)
            reach = MOST * reach
        return None

    def sharpen(self) -> None:
        """Take the Hessian for the information, where it is negative definite."""
        free = self.free & (self.theta > self.lower) & (self.theta < self.upper)
        if not free.any():
            return
        found = -hessian(self.look, self.theta, self.information, self.lower, self.upper, free)
        if np.linalg.eigvalsh(found[np.ix_(free, free)]).min() > 0:
            self.information = found + np.diag(np.where(free, 0.0, np.diag(self.information)))

    def ended(self, converged: bool) -> Maximum:
        """What is known of the point where the search is now."""
        inside = (self.theta > self.lower) & (self.theta < self.upper)
        information = self.information * np.outer(inside, inside)
        return Maximum(self.theta, self.value, converged, information, self.n)


def maximise(
    evaluate: Evaluate,
    start: Floats,
    lower: Floats,
    upper: Floats,
    *,
    exact: bool = False,
    known: Sequence[Maximum] = (),
) -> Maximum:
    """Climb to a maximum of a log likelihood from a start.

    Parameters
    ----------
    evaluate : callable(theta) -> (value, gradient (P,), information (P, P))
        The information is positive semi-definite, and nearly minus the Hessian.
    start : (P,)
        Where the search starts.
    lower, upper : (P,)
        Bounds, which it does not leave.
    exact : bool
        Whether the information is minus the Hessian.
    known : sequence of Maximum
        Where other searches ended: one that comes within five standard errors of such a point ends
        there, too.

    Returns
    -------
    Maximum

    Examples
    --------
    >>> bowl = lambda t: (-((t - 2) ** 2).sum(), -2 * (t - 2), 2 * np.eye(2))
    >>> maximise(bowl, np.zeros(2), np.zeros(2), np.array([1.0, 5.0])).theta.tolist()
    [1.0, 2.0]
    """
    search = _Search(evaluate, start, lower, upper)
    since = None if not exact else 0  # steps since the Hessian was taken
    for _ in range(MAX_STEPS):
        found = next((maximum for maximum in known if maximum.is_near(search.theta)), None)
        if found is not None:
            return found
        promised = search.promised
        if not exact and (since is None or since >= REFRESH) and promised < NEAR:
            search.sharpen()
            since = 0
            continue
        if promised < TOLERANCE and since is not None:
            return search.ended(True)
        moved = search.climb()
        if moved is None:
            return search.ended(bool(promised < STALLED))
        outer, kept = moved
        if exact or since is None or not kept:
            search.information = outer
            since = 0 if exact else None
        else:
            since += 1
    return search.ended(False)
