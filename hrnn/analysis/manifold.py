"""Slow manifolds: how long a belief is held, and by what.

Paths between stable points are in `paths`, branches of fixed points in `continuation`; both are
offered here.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.analysis.continuation import Branch, continuation
from hrnn.analysis.dynamics import FixedPoints, fixed_points, iterate, points_of
from hrnn.analysis.paths import (
    Path,
    eigenvectors,
    outer_points,
    path_between,
    slowest_direction,
    unstable_manifold,
)
from hrnn.base.arguments import instance, real_array, whole_number
from hrnn.network import Network, check_network
from hrnn.rollout import Rollout

__all__ = [
    "Branch",
    "Path",
    "Verdict",
    "continuation",
    "eigenvectors",
    "outer_points",
    "path_between",
    "steps_per_block",
    "unstable_manifold",
    "verdict",
]

BLOCK: int = 160  # steps of a block of the paper's task: 49.4 trials of 3.2 steps
HALF: float = 0.5  # of a difference: what at least must be left of it if it is to count as kept
NUDGE: float = 0.01  # of the states that are iterated: of a path's length, or of each unit (rms)
SETTLING: int = (
    1000  # steps within which a state that leaves a repeller comes to where it is searched
)
BESIDE: float = 0.05  # distance from a path, in lengths of it, beyond which a point is not on it
NOUNS: dict[str, str] = {
    "n_stable": "stable state",
    "n_saddles": "saddle",
    "n_neutral": "neutral point",
}
FORGETTING: tuple[str, ...] = (
    "no stable state",
    "fast decay",
    "two stable states",
    "several stable states",
)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How a network holds its block belief, in a word, in a sentence and in numbers.

    Attributes
    ----------
    kind : str
        'line attractor', 'continuous attractor', 'slow decay' (at least half is kept), 'two stable
        states', 'several stable states', 'fast decay' (less), or 'no stable state'.
    text : str
        The sentence that says why.
    numbers : dict of str to float
        `n_stable`, `n_saddles`; `n_neutral`, points of which rounding decides whether they are
        stable; `n_steps`, how long a belief must last. With a stable point: `lambda_stable`, the
        largest modulus of the slowest, and its `time_constant` (steps). Where some state holds:
        `kept_predicted` and `kept_simulated`, the fraction of a small difference that is left after
        n_steps. With a converged path: `path_length`, `largest_drift` (per step, as a fraction of
        the length), `contraction`.
    """

    kind: str
    text: str
    numbers: dict[str, float]


def verdict(
    net: Network,
    found: FixedPoints,
    *,
    x: ArrayLike = (0.0, 0.0, 0.0),
    axis: ArrayLike | None = None,
    n_steps: int = BLOCK,
) -> Verdict:
    """What holds a belief under the input x for n_steps: a continuum, discrete states, or nothing.

    The criterion is what is left of a small difference between two beliefs after n_steps. Between
    the outer stable points it is taken along the path: `kept_predicted` from the drift along it
    alone, s → s + drift(s), and `kept_simulated` from the whole map, iterated from states beside
    the path; each is the median over the path, on which the mean is 1 as the outer points stay.
    Without a path it is taken at the points that do not leave within n_steps: |λ|^n_steps, and the
    map iterated from states displaced along the slowest direction. The simulation decides.

    At least half kept: 'line attractor', if there is a path longer than the differences, deviations
    across it are halved and no other point holds beside it; else 'slow decay' (one point, or
    several nearer than the differences) or 'continuous attractor' (a ring, a plane). Less: 'fast
    decay', 'two stable states' or 'several stable states', by their number. Points neutral to
    rounding count as states. Where states leave a point, those at which they end are searched too,
    so that the verdict on a ring does not rest on its centre.

    Parameters
    ----------
    net : Network
        The network.
    found : FixedPoints
        Its fixed points, searched under x among other inputs.
    x : array_like (3,)
        The input (o^L, o^R, r) under which the belief is held.
    axis : array_like (N,), optional
        The block readout, which says what the outer points are; see `path_between`.
    n_steps : int
        How long a belief must last: by default a block of the paper's task (49.4 trials of 3.2
        steps). For other tasks see `steps_per_block`.

    Returns
    -------
    Verdict
        The kind, and what it rests on.

    Raises
    ------
    TypeError
        If net is no Network, found no FixedPoints, x no array of numbers or n_steps no int.
    ValueError
        If n_steps < 1 or found was not searched under x.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=8, rng=0)
    >>> verdict(net, hrnn.fixed_points(net, x=[0, 0, 0], starts=np.zeros((1, 8)))).kind
    'fast decay'
    """
    check_network(net)
    points_of(found, net)
    n_steps = whole_number(n_steps, "n_steps")
    x = real_array(x, "x", (1,))
    if not any(np.array_equal(x, searched) for searched in found.inputs):
        raise ValueError(f"x must be an input under which found was searched, got {x}")
    found = _completed(net, found, x, n_steps)
    rows = found.at(x)
    numbers = _counts(found, rows)
    numbers["n_steps"] = n_steps
    holding = rows[~_leaves(found, n_steps)[rows]]
    if not holding.size:
        said = _states(numbers) if rows.size else "no fixed point was found"
        return Verdict("no stable state", f"{said}: no stable state", numbers)
    path = path_between(net, found, x=x, axis=axis)
    line = False
    if path is not None and path.converged:
        kept = _kept_along(net, path, x, n_steps)
        line = not _is_one_place(net, found.points[rows]) and _is_line(
            path, found.points[holding], n_steps
        )
        numbers |= _path_numbers(path)
    else:
        kept = _kept_at(net, found, holding, x, n_steps)
    numbers |= dict(zip(("kept_predicted", "kept_simulated"), kept, strict=True))
    kind = _kind(numbers, line, _is_one_place(net, found.points[rows]))
    said = f"{_states(numbers)}{_missing(found, x)}; {_kept_in_words(numbers, path)}: {kind}"
    return Verdict(kind, said, numbers)


def steps_per_block(run: Rollout) -> int:
    """Steps in a block of mean length of a rollout: how long a belief has to last in it.

    Parameters
    ----------
    run : Rollout
        Of any agent.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> import hrnn
    >>> sessions = hrnn.Task().sample(n_blocks=8, rng=0)
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=4, rng=0), sessions)
    >>> steps_per_block(run) == round(len(run.p_right) / 8)
    True
    """
    instance(run, "run", Rollout)
    per_trial = len(run.p_right) / run.sessions.n_trials
    return max(1, round(per_trial * run.sessions.block_lengths.mean()))


def _leaves(found: FixedPoints, n_steps: int) -> NDArray[np.bool_]:
    """Whether states leave each point within n_steps: (K,) bool."""
    modulus = np.abs(found.eigenvalues[:, 0])
    return modulus > HALF ** (-1 / n_steps)


def _completed(
    net: Network, found: FixedPoints, x: NDArray[np.float64], n_steps: int
) -> FixedPoints:
    """Points under x, together with those at which states end that leave one of them."""
    rows = found.at(x)
    leaving = rows[_leaves(found, n_steps)[rows]]
    if not leaving.size:
        return found
    states = _nudged(net, found, leaving)
    ended, _ = iterate(net, x=x, states=states, n_steps=SETTLING)
    return fixed_points(net, x=x, starts=np.vstack([found.points[rows], ended]), n_threads=1)


def _nudged(net: Network, found: FixedPoints, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """States beside points along their slowest direction, on one side and on the other (2 n, N)."""
    directions = np.array([slowest_direction(net, found, row) for row in rows])
    nudge = NUDGE * np.sqrt(net.n_hidden) * directions
    return np.vstack([found.points[rows] + nudge, found.points[rows] - nudge])


def _counts(found: FixedPoints, rows: NDArray[np.intp]) -> dict[str, float]:
    """Numbers of stable points, saddles and neutral points, and how slow the slowest is."""
    neutral = found.neutral[rows]
    stable = rows[found.stable[rows] & ~neutral]
    saddle = (found.n_unstable[rows] == 1) & ~neutral
    numbers: dict[str, float] = {
        "n_stable": len(stable),
        "n_saddles": int(saddle.sum()),
        "n_neutral": int(neutral.sum()),
    }
    if stable.size:
        numbers["lambda_stable"] = float(np.abs(found.eigenvalues[stable, 0]).max())
        numbers["time_constant"] = float(found.time_constants[stable, 0].max())
    return numbers


def _path_numbers(path: Path) -> dict[str, float]:
    """Length, largest drift as a fraction of it, and largest modulus across."""
    length = float(path.arclength[-1])
    drift = float(np.abs(path.drift).max() / length)
    return {
        "path_length": length,
        "largest_drift": drift,
        "contraction": float(path.contraction.max()),
    }


def _kept_along(
    net: Network, path: Path, x: NDArray[np.float64], n_steps: int
) -> tuple[float, float]:
    """Fractions kept of the differences between neighbours on a path: predicted and simulated."""
    place = path.arclength
    for _ in range(n_steps):
        place = np.interp(place, path.arclength, path.arclength + path.drift)
    nudge = np.random.default_rng(0).normal(size=net.n_hidden)
    nudge *= NUDGE * path.arclength[-1] / np.linalg.norm(nudge)
    ended, _ = iterate(net, x=x, states=path.states + nudge, n_steps=n_steps)
    before = np.diff(path.arclength)
    predicted = np.abs(np.diff(place)) / before
    simulated = np.linalg.norm(np.diff(ended, axis=0), axis=1) / before
    return float(np.median(predicted)), float(np.median(simulated))


def _kept_at(
    net: Network,
    found: FixedPoints,
    rows: NDArray[np.intp],
    x: NDArray[np.float64],
    n_steps: int,
) -> tuple[float, float]:
    """Fractions kept of displacements from points, from those that last if there are any."""
    lasting = rows[found.stable[rows] | found.neutral[rows]]
    rows = lasting if lasting.size else rows
    ended, _ = iterate(net, x=x, states=_nudged(net, found, rows), n_steps=n_steps)
    points = np.tile(found.points[rows], (2, 1))
    displaced = NUDGE * np.sqrt(net.n_hidden)
    simulated = np.linalg.norm(ended - points, axis=1) / displaced
    predicted = np.abs(found.eigenvalues[rows, 0]) ** n_steps
    return float(np.median(predicted)), float(np.median(simulated))


def _is_line(path: Path, holding: NDArray[np.float64], n_steps: int) -> bool:
    """Whether the slow states are one line: deviations across fade and no point holds beside it."""
    gaps = np.linalg.norm(holding[:, None] - path.states, axis=2).min(1)
    length = path.arclength[-1]
    fades = path.contraction.max() ** n_steps < HALF
    return bool(fades and gaps.max() < BESIDE * length)


def _is_one_place(net: Network, points: NDArray[np.float64]) -> bool:
    """Whether no two points are farther apart than the differences that are looked at."""
    gaps = np.linalg.norm(points[:, None] - points, axis=2)
    return bool(gaps.max() < NUDGE * np.sqrt(net.n_hidden))


def _kind(numbers: dict[str, float], line: bool, one_place: bool) -> str:
    """Word for the numbers; line: whether the slow states are one path."""
    n_states = int(numbers["n_stable"] + numbers["n_neutral"])
    if numbers["kept_simulated"] < HALF:
        return FORGETTING[min(n_states, 3)]
    if line:
        return "line attractor"
    return "slow decay" if one_place and n_states else "continuous attractor"


def _states(numbers: dict[str, float]) -> str:
    """Words for the numbers of points."""
    said = []
    for name, word in NOUNS.items():
        number = numbers[name]
        if number or name == "n_stable":
            ending = "" if number == 1 else "s"
            said.append(f"{number} {word}{ending}")
    return ", ".join(said)


def _kept_in_words(numbers: dict[str, float], path: Path | None) -> str:
    """Words for what is kept, where, and whether prediction and simulation agree."""
    if path is None:
        where = "no path between two"
    elif path.converged:
        length = f"{numbers['path_length']:.2g}"
        where = f"along the path between the outer two (length {length})"
    else:
        where = "no path between the outer two was found that attracts and stands still"
    simulated = numbers["kept_simulated"]
    predicted = numbers["kept_predicted"]
    said = (
        f"{where}; of a small difference {_percent(simulated)} is left after "
        f"{numbers['n_steps']} steps (predicted {_percent(predicted)})"
    )
    if (predicted < HALF) != (simulated < HALF):
        said += ", so that prediction and simulation disagree about the half"
    return said


def _missing(found: FixedPoints, x: NDArray[np.float64]) -> str:
    """Words for points that are missing under x, if the degrees say so."""
    total = found.degree[found.at(x)].sum()
    if np.isnan(total) or total == 1:
        return ""
    return f" (points are missing: their degrees have the sum {total:g}, not 1)"


def _percent(fraction: float) -> str:
    """Words for a fraction."""
    return f"{100 * fraction:.0f} %" if fraction >= 0.005 else "less than 1 %"
