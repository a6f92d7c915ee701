"""Which fixed points double precision can tell apart, and whether some are missing.

A residual says where a point is only through the smallest singular value of 1 - J. Where that is
large enough for a theorem (Kantorovich's), there is one point and none other near. Where it is not,
the point is polished as far as rounding allows, and points between which |F(h) - h| does not rise
above its rounding error are one.

Every cell maps the box of all |h_i| <= 1 into itself and has all its fixed points inside, so that
their degrees, sign det(1 - J), have the sum 1 (Brouwer).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from hrnn.network import Network

Floats = NDArray[np.float64]

SAME: float = 1e-6  # distance below which points are one, if no theorem says that they are two
SURE: float = 1e-9  # of the distance to the point that a residual leaves open: no polish below it
EXTENT: float = 1e-3  # what cannot be told from one point over this distance is a continuum
EPS: float = float(np.finfo(float).eps)
POLISHINGS: int = 60
HALVINGS: int = 8
BORDERED_STEPS: int = 12
ALONG: Floats = np.linspace(0, 1, 9)[1:-1, None]  # where two points' segment is looked at


@dataclasses.dataclass
class Settled:
    """Distinct fixed points under one input (K points of N units).

    Attributes
    ----------
    points : ndarray (K, N)
        The points.
    residual : ndarray (K,)
        |F(h) - h| there.
    degree : ndarray (K,)
        Sum of sign det(1 - J) over what is one point to double precision; NaN for a point of a
        continuum.
    members : list of list of int
        Which of the ends given are each point.
    ghosts : list of (list of int, ndarray (N,))
        Ends that are no fixed points, and the state where |F(h) - h| has a least value above its
        rounding error instead.
    """

    points: Floats
    residual: Floats
    degree: Floats
    members: list[list[int]]
    ghosts: list[tuple[list[int], Floats]]


@dataclasses.dataclass
class _Point:
    """A candidate: residual, its rounding error, and how far 1 - J is from singular."""

    h: Floats
    residual: float
    rounding: float
    least: float
    """At most the smallest singular value of 1 - J."""
    reach: float
    """Radius within which it is the only fixed point; 0 if no theorem says so."""

    @property
    def sure(self) -> bool:
        """Whether the residual says that there is one point, and where."""
        return self.reach > 0 and self.residual <= SURE * self.least


class _Map:
    """The map under one input. Leak is left out: it moves no fixed point, nor a degree."""

    def __init__(self, net: Network, x: Floats) -> None:
        self.net = dataclasses.replace(net, leak=1.0) if net.cell == "leaky" else net
        self.x = x
        self.bend = self.net.jacobian_lipschitz()

    def gap(self, h: Floats) -> Floats:
        """F(h) - h."""
        return self.net.step(h, self.x) - h

    def slope(self, h: Floats) -> Floats:
        """J - 1."""
        return self.net.jacobian(h, self.x) - np.eye(self.net.n_hidden)

    def rounding(self, h: Floats) -> float:
        """What rounding may do to |F(h) - h|."""
        by_state = np.abs(self.net.jacobian(h, self.x)) @ np.abs(h)
        by_input = np.abs(self.net.input_jacobian(h, self.x)) @ np.abs(self.x)
        return 2 * EPS * float(np.linalg.norm(2 * np.abs(h) + by_state + by_input))

    def point(self, h: Floats) -> _Point:
        """The candidate at h."""
        residual = float(np.linalg.norm(self.gap(h)))
        rounding = self.rounding(h)
        across = -self.slope(h)
        try:
            least = 1 / float(np.linalg.norm(np.linalg.inv(across)))
        except np.linalg.LinAlgError:
            least = 0.0
        exact = least > 4 * len(h) * EPS * (1 + np.linalg.norm(across))
        alone = 2 * (residual + rounding) * self.bend < least**2
        reach = 0.0
        if exact and alone:
            reach = least / self.bend if self.bend else np.inf
        return _Point(h, residual, rounding, least, reach)

    def polished(self, point: _Point) -> _Point:
        """Newton's steps, without what is rounding, until nothing falls any more."""
        for _ in range(POLISHINGS):
            if point.residual <= point.rounding / 2:
                break
            left, singular, right = np.linalg.svd(-self.slope(point.h))
            along = left.T @ self.gap(point.h)
            known = (np.abs(along) > point.rounding / 4) & (singular > 0)
            amounts = np.where(known, along / np.where(known, singular, 1), 0)
            better = self._nearer(point, right.T @ amounts)
            if better is None:
                break
            point = self.point(better)
        return point

    def _nearer(self, point: _Point, step: Floats) -> Floats | None:
        """State along a step, halved until the residual falls."""
        for k in range(HALVINGS):
            h = point.h + step / 2**k
            if np.linalg.norm(self.gap(h)) < point.residual:
                return h
        return None

    def alike(self, a: _Point, b: _Point) -> bool:
        """Whether two candidates are one point."""
        distance = np.linalg.norm(a.h - b.h)
        if a.reach and b.reach:
            return bool(distance < max(a.reach, b.reach))
        if distance < SAME:
            return True
        if distance > EXTENT:
            return False
        between = a.h + ALONG * (b.h - a.h)
        return bool((np.linalg.norm(self.gap(between), axis=1) <= self._floor(a, b)).all())

    def _floor(self, a: _Point, b: _Point) -> float:
        """Residual below which nothing is known between two candidates."""
        return 2 * max(a.rounding, b.rounding)

    def degree(self, point: _Point, extent: float) -> float:
        """Sum of sign det(1 - J) over the fixed points that are one; NaN of a continuum.

        By the sign of the determinant if there is one point. Else, with one slow direction v, by
        the signs of g(t) on both sides, where F(h) - h = g u at the state h of v'(h - point) = t.
        """
        if point.reach:
            return float(np.linalg.slogdet(-self.slope(point.h))[0])
        ends = self._reduced(point, EXTENT)
        distance = extent + SAME
        while ends is not None and distance < EXTENT:
            inner = self._reduced(point, distance)
            if inner is not None:
                ends = inner
                break
            distance *= 2
        if ends is None:
            return float("nan")
        below, above, orientation = ends
        return orientation * (np.sign(above) - np.sign(below)) / 2

    def _reduced(self, point: _Point, distance: float) -> tuple[float, float, float] | None:
        """Residuals g on both sides and the orientation; None where rounding decides its sign."""
        found = []
        left, _, right = np.linalg.svd(-self.slope(point.h))
        for t in (-distance, distance):
            one = self._bordered(point, left[:, -1], right[-1], t)
            if one is None:
                return None
            found.append(one)
        (below, sign, _), (above, other, _) = found
        if sign != other or any(abs(g) <= 2 * rounding for g, _, rounding in found):
            return None
        return below, above, (-1) ** self.net.n_hidden * sign

    def _bordered(
        self, point: _Point, u: Floats, v: Floats, t: float
    ) -> tuple[float, float, float] | None:
        """g(t), sign of the bordered determinant, rounding error; None if not solved."""
        h = point.h + t * v
        g = 0.0
        for _ in range(BORDERED_STEPS):
            rounding = self.rounding(h)
            missing = np.r_[self.gap(h) - g * u, v @ (h - point.h) - t]
            border = np.block([[self.slope(h), -u[:, None]], [v, 0.0]])
            if np.linalg.cond(border) > 1 / SAME:
                return None
            step = np.linalg.solve(border, missing)
            h = h - step[:-1]
            g -= step[-1]
            if np.linalg.norm(missing[:-1]) <= rounding:
                return float(g), float(np.linalg.slogdet(border)[0]), rounding
        return None

    def is_ghost(self, point: _Point, degree: float) -> bool:
        """Whether nothing is there: the residual cannot be made as small as its rounding error."""
        return not point.reach and degree == 0 and point.residual > 4 * point.rounding


def settle(net: Network, x: Floats, ends: Floats, residual: Floats) -> Settled:
    """Distinct fixed points among states at which searches have ended.

    Parameters
    ----------
    net : Network
        The network.
    x : ndarray (3,)
        The input.
    ends : ndarray (K, N)
        States of small residual.
    residual : ndarray (K,)
        |F(h) - h| there.

    Returns
    -------
    Settled
        In the order of the ends; an end of which the residual says where its point is stays as it
        is, bit for bit.
    """
    mapping = _Map(net, x)
    points = [mapping.point(h) for h in ends]
    points = [point if point.sure else mapping.polished(point) for point in points]
    found = Settled(np.empty((0, net.n_hidden)), np.empty(0), np.empty(0), [], [])
    kept = []
    for members in _groups(mapping, points):
        best = min(members, key=lambda i: points[i].residual)
        point = points[best]
        distances = [np.linalg.norm(points[i].h - point.h) for i in members]
        degree = mapping.degree(point, float(max(distances)))
        if mapping.is_ghost(point, degree):
            found.ghosts.append((members, point.h))
            continue
        left = residual[best]
        if not np.array_equal(point.h, ends[best]):
            left = np.linalg.norm(net.step(point.h, x) - point.h)
        kept.append((point.h, left, degree))
        found.members.append(members)
    found.points = np.array([h for h, _, _ in kept]).reshape(-1, net.n_hidden)
    found.residual = np.array([left for _, left, _ in kept], float)
    found.degree = np.array([degree for _, _, degree in kept], float)
    return found


def _groups(mapping: _Map, points: list[_Point]) -> list[list[int]]:
    """Candidates that are one, each group by way of its neighbours but no wider than EXTENT."""
    left = list(range(len(points)))
    groups = []
    while left:
        group = [left.pop(0)]
        for i in group:
            near = [
                j
                for j in left
                if np.linalg.norm(points[j].h - points[group[0]].h) < EXTENT
                and mapping.alike(points[i], points[j])
            ]
            group.extend(near)
            left = [j for j in left if j not in near]
        groups.append(sorted(group))
    return groups
