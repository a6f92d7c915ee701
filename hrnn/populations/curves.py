"""Curves that figures draw of a network, as tables.

One network has the intervals of its sessions; of many each has a curve, and `mean` is over them.

Columns: `condition`; `point`, which is the same thing in every network (a strength, a bin, a trial
in block); `x, value, low, high, n`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn import behavior
from hrnn.analysis import integration
from hrnn.analysis.anatomy import Anatomy
from hrnn.distill import Distillation
from hrnn.rollout import Rollout
from hrnn.statistics.resampling import mean_interval

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import Trials

COLUMNS: tuple[str, ...] = ("condition", "point", "x", "value", "low", "high", "n")
MIN_N: int = 30
N_COMPONENTS: int = 10
N_BINS: int = 15
N_WEIGHT_BINS: int = 41
# First trials of the bins of trials since a change: narrow where the prior turns, wide where trials
# are alike and few.
CHANGE_BINS: tuple[int, ...] = (0, 1, 2, 3, 5, 8, 12, 17, 23, 30, 40, 50, 60, 80)
WEIGHT_RANGE: float = 2.0  # of 1/√N, the half width of the first weights


def _curve(
    table: pd.DataFrame, x: str, *, condition: Any = "", point: ArrayLike | None = None
) -> pd.DataFrame:
    """A table in the columns of all curves; points are numbered within conditions unless given."""
    found = table.assign(x=table[x], condition=condition)
    found["point"] = found.groupby("condition", sort=False).cumcount() if point is None else point
    return found.reindex(columns=COLUMNS).reset_index(drop=True)


def empty() -> pd.DataFrame:
    """No curve."""
    import pandas as pd

    columns = {name: np.empty(0, object if name == "condition" else float) for name in COLUMNS}
    return pd.DataFrame(columns)


def _join(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """One curve of several with conditions of their own."""
    import pandas as pd

    parts = list(parts)
    return pd.concat(parts, ignore_index=True) if parts else empty()


def mean(several: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Mean over networks of each point that all of them have, with networks resampled.

    Its x is their mean, too.

    Parameters
    ----------
    several : list of DataFrame
        The same curve of each network.

    Returns
    -------
    DataFrame
        In the columns of all curves; `n` networks.
    """
    import pandas as pd

    if not several:
        return empty()
    values = _side_by_side(several, "value")
    places = _side_by_side(several, "x")
    if values.empty:
        return empty()
    rows = values.index.intersection(places.index, sort=False)
    found = mean_interval(values.loc[rows].to_numpy().T)
    columns = {
        "x": places.loc[rows].mean(axis=1).to_numpy(),
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "n": len(several),
    }
    table = pd.DataFrame(columns, index=rows).reset_index()
    return cast("pd.DataFrame", table[list(COLUMNS)])


def _side_by_side(several: Sequence[pd.DataFrame], name: str) -> pd.DataFrame:
    """A column of each network, by condition and point, where all networks have it."""
    import pandas as pd

    columns = [table.set_index(["condition", "point"])[name] for table in several]
    return cast("pd.DataFrame", pd.concat(columns, axis=1).dropna())


# ---- behaviour, of a Rollout of any agent ----


def accuracy(run: Rollout) -> pd.DataFrame:
    """Fraction correct by strength."""
    table = behavior.by_strength(run, by=("strength",)).query("measure == 'correct'")
    return _curve(table, "strength", point=_number(table.strength, run.sessions.task.strengths))


def timeouts(run: Rollout) -> pd.DataFrame:
    """Fraction of trials without a choice by strength."""
    table = behavior.by_strength(run, by=("strength",)).query("measure == 'timeouts'")
    return _curve(table, "strength", point=_number(table.strength, run.sessions.task.strengths))


def concordance(run: Rollout) -> pd.DataFrame:
    """Fraction correct by strength, concordant and discordant with the block."""
    table = behavior.by_strength(run, by=("strength", "concordant")).query("measure == 'correct'")
    point = _number(table.strength, run.sessions.task.strengths)
    return _curve(table, "strength", condition=_sides(table), point=point)


def steps(run: Rollout) -> pd.DataFrame:
    """Steps per trial by strength × correct × concordant.

    Conditions 'correct, concordant' and so on.
    """
    table = behavior.chronometric(run)
    condition = np.char.add(np.where(table.correct, "correct, ", "wrong, "), _sides(table))
    point = _number(table.strength, run.sessions.task.strengths)
    return _curve(table, "strength", condition=condition, point=point)


def p_right(run: Rollout) -> pd.DataFrame:
    """Right choices by signed strength and block; conditions are P(left)."""
    table = behavior.by_strength(run, by=("p_left", "signed_strength"))
    table = table.query("measure == 'p_right' and n > 0")
    strengths = np.asarray(run.sessions.task.strengths)
    signed = np.unique(np.r_[-strengths, strengths] + 0.0)
    condition = [f"P(left) = {p:g}" for p in table.p_left]
    point = _number(table.signed_strength, signed)
    return _curve(table, "signed_strength", condition=condition, point=point)


def after_change(run: Rollout) -> pd.DataFrame:
    """Fraction correct in bins of trials since the block changed.

    The conditions are 'all strengths' and 'strength 0'.
    """
    trials = in_bins(run.trials)
    found: list[pd.DataFrame] = []
    for strength, name in ((None, "all strengths"), (0.0, "strength 0")):
        if strength is None or (run.sessions.strength == strength).any():
            table = behavior.after_block_change(trials, strength=strength, min_n=MIN_N)
            of_all = table[table["concordance"] == "all"]
            found.append(_over_bins(cast("pd.DataFrame", of_all), name))
    return _join(found)


def new_side(trials: Trials) -> pd.DataFrame:
    """Choices of the new block's side at strength 0 in bins of trials since the block changed.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
        Of any agent, or of mice.
    """
    table = cast("pd.DataFrame", getattr(trials, "trials", trials))
    return _over_bins(behavior.takes_new_side(in_bins(table)), "")


def in_bins(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials whose `trial_in_block` is the number of its bin of CHANGE_BINS."""
    number = np.searchsorted(CHANGE_BINS, trials["trial_in_block"], "right") - 1
    return trials.assign(trial_in_block=number)


def _over_bins(table: pd.DataFrame, condition: str) -> pd.DataFrame:
    """A table by bin of CHANGE_BINS at the bins' middles.

    The last bin is as wide as the one before.
    """
    first = np.array([*CHANGE_BINS, 2 * CHANGE_BINS[-1] - CHANGE_BINS[-2]])
    middle = (first[:-1] + first[1:] - 1) / 2
    number = table["trial_in_block"].to_numpy(int)
    return _curve(table.assign(middle=middle[number]), "middle", condition=condition, point=number)


def _sides(table: pd.DataFrame) -> NDArray[np.str_]:
    """Whether the trials of each row are concordant with the block, in words."""
    return np.where(table["concordant"], "concordant", "discordant")


def _number(values: ArrayLike, levels: ArrayLike) -> NDArray[np.intp]:
    """Number of each value among the levels, the smallest first."""
    return np.searchsorted(np.sort(levels), values)


# ---- a network taken apart, of an Anatomy ----


def variance(anatomy: Anatomy) -> pd.DataFrame:
    """Cumulative variance of the first components."""
    import pandas as pd

    share = anatomy.components.cumulative
    k = np.arange(min(N_COMPONENTS, len(share.value)))
    columns = {name: getattr(share, name)[k] for name in ("value", "low", "high")}
    return _curve(pd.DataFrame({"k": k + 1, **columns, "n": share.n}), "k")


def angle_decoder(anatomy: Anatomy) -> pd.DataFrame:
    """Angle between the stimulus readout and a decoder of all units, by its regularisation."""
    import pandas as pd

    rows = [{"C": C, **vars(angle)} for C, angle in anatomy.angles["decoder"].items()]
    return _curve(pd.DataFrame(rows), "C")


def movement(anatomy: Anatomy) -> pd.DataFrame:
    """Movement along the readouts in the plane against evidence, and in steps with feedback.

    The evidence is in bins: condition '<readout>, evidence'. The steps that bring feedback are
    drawn against it, apart by what was chosen: '<readout>, after left' and 'after right'. What an
    ideal learner learns is the product of both, so that its lines for left and right have opposite
    slopes.
    """
    run = anatomy.run
    observed = run.observed
    found: list[pd.DataFrame] = []
    for readout in ("stimulus_in_plane", "block_in_plane"):
        moved = integration.movement(run, anatomy.readouts[readout])
        evidence = run.evidence[observed]
        found.append(_binned(evidence, moved[observed], f"{readout}, evidence"))
        for side, name in ((-1, "left"), (1, "right")):
            table = _by_feedback(run, moved, side)
            if len(table):
                condition = f"{readout}, after {name}"
                found.append(_curve(table, "x", condition=condition, point=table.x))
    return _join(found)


def _by_feedback(run: Rollout, moved: NDArray[np.float64], side: int) -> pd.DataFrame:
    """Mean movement (T,) in the step that brings feedback -1 and 1, after choices of a side."""
    import pandas as pd

    told = run.told
    choice = run.choice[run.trial[told] - 1]
    feedback = run.inputs[told, 2]
    rows: list[dict[str, float]] = []
    for x in (-1, 1):
        values = moved[told[(choice == side) & (feedback == x)]]
        if len(values):
            rows.append({"x": x, "value": values.mean(), "n": len(values)})
    return pd.DataFrame(rows)


def _binned(x: NDArray[np.float64], y: NDArray[np.float64], condition: str) -> pd.DataFrame:
    """Means of x and y in bins of equally many steps."""
    import pandas as pd

    which = _bins(x)
    n = np.bincount(which)
    some = n > 0
    columns = {
        "x": np.bincount(which, x)[some] / n[some],
        "value": np.bincount(which, y)[some] / n[some],
        "n": n[some],
    }
    return _curve(pd.DataFrame(columns), "x", condition=condition)


def _bins(x: NDArray[np.float64]) -> NDArray[np.intp]:
    """Bin of each x: N_BINS of equally many; where there are two values, one bin each."""
    edges = np.unique(np.quantile(x, np.linspace(0, 1, N_BINS + 1)))
    if len(edges) <= 2:
        return (x > x.min()).astype(np.intp)
    number = np.searchsorted(edges, x, "right") - 1
    return np.clip(number, 0, len(edges) - 2)


def belief(anatomy: Anatomy) -> pd.DataFrame:
    """Belief towards the block's side by trial in block.

    The conditions are 'network' and 'observer × scale', the observer's times the fitted scale.
    """
    b = anatomy.belief
    scaled = b.scale.value * b.observer
    found: list[pd.DataFrame] = []
    for name, values in (("network", b.network), ("observer × scale", scaled)):
        table = integration.along_blocks(anatomy.run, values, rng=anatomy.seed)
        found.append(_curve(table, "trial_in_block", condition=name, point=table.trial_in_block))
    return _join(found)


def agreement(anatomy: Anatomy) -> pd.DataFrame:
    """The network's block belief against the observer's in bins.

    Conditions 'belief' and 'update' from trial to trial.
    """
    b = anatomy.belief
    before = np.flatnonzero(np.diff(anatomy.run.sessions.session) == 0)
    observer = b.observer[before + 1] - b.observer[before]
    network = b.network[before + 1] - b.network[before]
    return _join([_binned(b.observer, b.network, "belief"), _binned(observer, network, "update")])


def gradient_flow(anatomy: Anatomy) -> pd.DataFrame:
    """Norm of the gradient against the steps back, before and after training.

    Median and quartiles.
    """
    return _join(
        _curve(table.rename(columns={"median": "value"}), "k", condition=name, point=table.k)
        for name, table in anatomy.gradient_flow.items()
    )


def coupling(anatomy: Anatomy) -> pd.DataFrame:
    """How the beliefs act on each other, in bins; conditions '<agent>, <effect>'."""
    run = anatomy.run
    observed = np.flatnonzero(run.observed)
    start = run.first_step + run.sessions.task.n_blank - 1
    evidence = run.evidence[observed]
    found: list[pd.DataFrame] = []
    for agent, (stimulus, block) in _beliefs(anatomy).items():
        moved = block[observed] - block[observed - 1]
        found.append(_binned(evidence, moved, f"{agent}, block step per evidence"))
        prior = integration.prior_log_odds(block[start], run.sessions.task.p_block)
        found.append(_binned(prior, stimulus[start], f"{agent}, start per prior"))
    return _join(found)


def _beliefs(anatomy: Anatomy) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Log odds of side and of block at each step, ((T,), (T,)), of network and observer."""
    run = anatomy.run
    net = anatomy.network
    seen = anatomy.seen
    side = run.hidden @ anatomy.readouts["stimulus"] + net.c[1] - net.c[0]
    block = anatomy.decoders["full"].log_odds(run.hidden)
    observer = integration.log_odds(seen.p_right), integration.log_odds(seen.p_block)
    return {"network": (side, block), "observer": observer}


def weights(anatomy: Anatomy) -> pd.DataFrame:
    """Density of the recurrent weights within and between populations."""
    import pandas as pd

    limit = WEIGHT_RANGE / np.sqrt(anatomy.network.n_hidden)
    edges = np.linspace(-limit, limit, N_WEIGHT_BINS + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    width = edges[1] - edges[0]
    found: list[pd.DataFrame] = []
    for name in ("within", "between"):
        values = getattr(anatomy.weights, name)
        counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
        density = counts / (len(values) * width)
        table = pd.DataFrame({"x": middle, "value": density, "n": len(values)})
        found.append(_curve(table, "x", condition=name))
    return _join(found)


def eigenvalues(anatomy: Anatomy) -> pd.DataFrame:
    """Eigenvalues at the fixed points without input, real part x and imaginary part.

    Conditions stable and saddle.
    """
    import pandas as pd

    points = anatomy.fixed_points
    found: list[pd.DataFrame] = []
    for row in points.at((0, 0, 0)):
        values = points.eigenvalues[row]
        table = pd.DataFrame({"x": values.real, "value": values.imag})
        condition = "stable" if points.stable[row] else "saddle"
        found.append(_curve(table, "x", condition=condition))
    return _join(found)


def drift(anatomy: Anatomy) -> pd.DataFrame:
    """Drift along the path between the outer stable points, and contraction across it.

    Both are against the arclength; without a path there is no curve.
    """
    import pandas as pd

    path = anatomy.paths["no input"]
    if path is None or not path.converged:
        return _join(())
    found: list[pd.DataFrame] = []
    for name in ("drift", "contraction"):
        table = pd.DataFrame({"x": path.arclength, "value": getattr(path, name)})
        found.append(_curve(table, "x", condition=name))
    return _join(found)


def branches(anatomy: Anatomy) -> pd.DataFrame:
    """Fixed points on the block readout as feedback or stimulus varies.

    Conditions '<input>, <stable or unstable>, <branch>'.
    """
    import pandas as pd

    readout = anatomy.readouts["block_in_plane"]
    axis = readout / np.linalg.norm(readout)
    found: list[pd.DataFrame] = []
    for name, several in anatomy.branches.items():
        for k, branch in enumerate(several):
            y = branch.points @ axis
            for stable, kind in ((True, "stable"), (False, "unstable")):
                shown = np.where(branch.stable == stable, y, np.nan)
                table = pd.DataFrame({"x": branch.value, "value": shown})
                found.append(_curve(table, "x", condition=f"{name}, {kind}, {k}"))
    return _join(found)


# ---- students, of a Distillation ----


def gain(found: Distillation) -> pd.DataFrame:
    """Fraction correct of RADD against its gain."""
    return _curve(found.radds[0].gains.rename(columns={"correct": "value"}), "gain")


def horizon(found: Distillation) -> pd.DataFrame:
    """Error of RADD's free running against steps, and the movement of the state itself."""
    table = found.radds[0].horizon
    return _join(
        _curve(table.rename(columns={name: "value"}), "steps", condition=name, point=table.steps)
        for name in ("error", "baseline")
    )


def dimensions(found: Distillation) -> pd.DataFrame:
    """RADD against its number of units: R², fraction correct, same choice."""
    table = found.dimensions.rename(columns={"r2_low": "low", "r2_high": "high"})
    parts = [_curve(table.rename(columns={"r2": "value"}), "units", condition="r2")]
    bare = table.drop(columns=["low", "high"])
    for name in ("correct", "same_choice"):
        parts.append(_curve(bare.rename(columns={name: "value"}), "units", condition=name))
    return _join(parts)


def divergence(found: Distillation) -> pd.DataFrame:
    """Movement of states against lag, mean and sd.

    Conditions are teacher, projection and kinds of student.
    """
    parts: list[pd.DataFrame] = []
    for name, table in found.divergences.items():
        middle = table["mean"]
        drawn = table.assign(value=middle, low=middle - table.sd, high=middle + table.sd)
        parts.append(_curve(drawn, "lag", condition=name, point=table.lag))
    return _join(parts)


# ---- all of them ----

OF_RUN: dict[str, Callable[[Any], pd.DataFrame]] = {
    f.__name__: f for f in (accuracy, timeouts, concordance, steps, p_right, after_change, new_side)
}
OF_ANATOMY: dict[str, dict[str, Callable[[Anatomy], pd.DataFrame]]] = {
    part: {f.__name__: f for f in functions}
    for part, functions in {
        "representation": (variance, angle_decoder),
        "integration": (movement, belief, agreement, gradient_flow, coupling),
        "mechanism": (weights, eigenvalues, drift, branches),
    }.items()
}
OF_DISTILLATION: dict[str, Callable[[Distillation], pd.DataFrame]] = {
    f.__name__: f for f in (gain, horizon, dimensions, divergence)
}
