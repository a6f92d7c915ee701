"""Curves that figures draw of a network, as tables.

From one network with the intervals of its sessions, from many one curve each.

Columns: `condition`; `point`, which is the same thing in every network (a strength, a bin, a trial
in block); `x, value, low, high, n`.
"""

import numpy as np

from hrnn import behavior
from hrnn.analysis import integration
from hrnn.statistics.resampling import mean_interval

COLUMNS = ("condition", "point", "x", "value", "low", "high", "n")
MIN_N = 30
N_COMPONENTS = 10
N_BINS = 15
N_WEIGHT_BINS = 41
# First trials of the bins of trials since a change: narrow where the prior turns, wide where trials
# are alike and few.
CHANGE_BINS = (0, 1, 2, 3, 5, 8, 12, 17, 23, 30, 40, 50, 60, 80)
WEIGHT_RANGE = 2.0  # of 1/√N, the half width of the first weights


def _curve(table, x, *, condition="", point=None):
    """A table in the columns of all curves; points are numbered within conditions unless given."""
    found = table.assign(x=table[x], condition=condition)
    found["point"] = found.groupby("condition", sort=False).cumcount() if point is None else point
    return found.reindex(columns=COLUMNS).reset_index(drop=True)


def empty():
    """No curve."""
    import pandas as pd

    return pd.DataFrame(
        {name: np.empty(0, object if name == "condition" else float) for name in COLUMNS}
    )


def _join(parts):
    import pandas as pd

    parts = list(parts)
    return pd.concat(parts, ignore_index=True) if parts else empty()


def mean(several):
    """Mean over networks of each point that all of them have, with networks resampled.

    Its x is their mean, too.

    Parameters
    ----------
    several : list of DataFrame
        The same curve of each network.
    """
    import pandas as pd

    wide = (
        {
            name: pd.concat(
                [table.set_index(["condition", "point"])[name] for table in several], axis=1
            ).dropna()
            for name in ("value", "x")
        }
        if several
        else {}
    )
    if not wide or wide["value"].empty:
        return empty()
    rows = wide["value"].index.intersection(wide["x"].index, sort=False)
    found = mean_interval(wide["value"].loc[rows].to_numpy().T)
    x = wide["x"].loc[rows].mean(axis=1).to_numpy()
    columns = {
        "x": x,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "n": len(several),
    }
    return pd.DataFrame(columns, index=rows).reset_index()[list(COLUMNS)]


# ---- behaviour, of a Rollout of any agent ----


def accuracy(run):
    """Fraction correct by strength."""
    table = behavior.by_strength(run, by=("strength",)).query("measure == 'correct'")
    return _curve(table, "strength", point=_number(table.strength, run.sessions.task.strengths))


def timeouts(run):
    """Fraction of trials without a choice by strength."""
    table = behavior.by_strength(run, by=("strength",)).query("measure == 'timeouts'")
    return _curve(table, "strength", point=_number(table.strength, run.sessions.task.strengths))


def concordance(run):
    """Fraction correct by strength, concordant and discordant with the block."""
    table = behavior.by_strength(run, by=("strength", "concordant")).query("measure == 'correct'")
    return _curve(
        table,
        "strength",
        condition=_sides(table),
        point=_number(table.strength, run.sessions.task.strengths),
    )


def steps(run):
    """Steps per trial by strength × correct × concordant.

    Conditions 'correct, concordant' and so on.
    """
    table = behavior.chronometric(run)
    condition = np.char.add(np.where(table.correct, "correct, ", "wrong, "), _sides(table))
    return _curve(
        table,
        "strength",
        condition=condition,
        point=_number(table.strength, run.sessions.task.strengths),
    )


def p_right(run):
    """Right choices by signed strength and block; conditions are P(left)."""
    table = behavior.by_strength(run, by=("p_left", "signed_strength")).query(
        "measure == 'p_right' and n > 0"
    )
    strengths = np.asarray(run.sessions.task.strengths)
    signed = np.unique(np.r_[-strengths, strengths] + 0.0)
    condition = [f"P(left) = {p:g}" for p in table.p_left]
    return _curve(
        table, "signed_strength", condition=condition, point=_number(table.signed_strength, signed)
    )


def after_change(run):
    """Fraction correct in bins of trials since the block changed.

    At all strengths and at strength 0.
    """
    trials = in_bins(run.trials)
    found = []
    for strength, name in ((None, "all strengths"), (0.0, "strength 0")):
        if strength is None or (run.sessions.strength == strength).any():
            table = behavior.after_block_change(trials, strength=strength, min_n=MIN_N)
            found.append(_over_bins(table[table["concordance"] == "all"], name))
    return _join(found)


def new_side(trials):
    """Choices of the new block's side at strength 0 in bins of trials since the block changed.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
    """
    return _over_bins(behavior.takes_new_side(in_bins(getattr(trials, "trials", trials))), "")


def in_bins(trials):
    """Trials whose `trial_in_block` is the number of its bin of CHANGE_BINS."""
    number = np.searchsorted(CHANGE_BINS, trials["trial_in_block"], "right") - 1
    return trials.assign(trial_in_block=number)


def _over_bins(table, condition):
    """A table by bin of CHANGE_BINS at the bins' middles.

    The last bin is as wide as the one before.
    """
    first = np.array([*CHANGE_BINS, 2 * CHANGE_BINS[-1] - CHANGE_BINS[-2]])
    middle = (first[:-1] + first[1:] - 1) / 2
    number = table["trial_in_block"].to_numpy(int)
    return _curve(table.assign(middle=middle[number]), "middle", condition=condition, point=number)


def _sides(table):
    return np.where(table["concordant"], "concordant", "discordant")


def _number(values, levels):
    return np.searchsorted(np.sort(levels), values)


# ---- a network taken apart, of an Anatomy ----


def variance(anatomy):
    """Cumulative variance of the first components."""
    import pandas as pd

    share = anatomy.components.cumulative
    k = np.arange(min(N_COMPONENTS, len(share.value)))
    return _curve(
        pd.DataFrame(
            {
                "k": k + 1,
                "value": share.value[k],
                "low": share.low[k],
                "high": share.high[k],
                "n": share.n,
            }
        ),
        "k",
    )


def angle_decoder(anatomy):
    """Angle between the stimulus readout and a decoder of all units.

    Against the decoder's regularisation.
    """
    import pandas as pd

    return _curve(
        pd.DataFrame([{"C": C, **vars(angle)} for C, angle in anatomy.angles["decoder"].items()]),
        "C",
    )


def movement(anatomy):
    """Movement along the readouts in the plane.

    Against evidence, in bins, and in the step that brings feedback, by what was chosen.

    Conditions '<readout>, evidence' and '<readout>, after left' or 'right', against the feedback:
    what an ideal learner learns is their product, so that its lines for left and right have
    opposite slopes.
    """
    import pandas as pd

    run = anatomy.run
    observed = anatomy.run.observed
    d = run.evidence[observed]
    first = run.told
    choice = run.choice[run.trial[first] - 1]
    feedback = run.inputs[first, 2]
    found = []
    for readout in ("stimulus_in_plane", "block_in_plane"):
        moved = integration.movement(run, anatomy.readouts[readout])
        found.append(_binned(d, moved[observed], f"{readout}, evidence"))
        for side, name in ((-1, "left"), (1, "right")):
            cells = [(x, moved[first[(choice == side) & (feedback == x)]]) for x in (-1, 1)]
            table = pd.DataFrame(
                [
                    {"x": x, "value": values.mean(), "n": len(values)}
                    for x, values in cells
                    if len(values)
                ]
            )
            if len(table):
                found.append(
                    _curve(table, "x", condition=f"{readout}, after {name}", point=table.x)
                )
    return _join(found)


def _binned(x, y, condition):
    """Means of x and y in bins of equally many steps."""
    import pandas as pd

    edges = np.unique(np.quantile(x, np.linspace(0, 1, N_BINS + 1)))
    which = (
        np.clip(np.searchsorted(edges, x, "right") - 1, 0, max(len(edges) - 2, 0))
        if len(edges) > 2
        else (x > x.min()).astype(int)
    )
    n = np.bincount(which)
    x, y = (np.bincount(which, values)[n > 0] / n[n > 0] for values in (x, y))
    return _curve(pd.DataFrame({"x": x, "value": y, "n": n[n > 0]}), "x", condition=condition)


def belief(anatomy):
    """Belief towards the block's side by trial in block.

    The network's, and the observer's times the fitted scale.
    """
    b = anatomy.belief
    found = []
    for name, values in (("network", b.network), ("observer × scale", b.scale.value * b.observer)):
        table = integration.along_blocks(anatomy.run, values, rng=anatomy.seed)
        found.append(_curve(table, "trial_in_block", condition=name, point=table.trial_in_block))
    return _join(found)


def agreement(anatomy):
    """The network's block belief against the observer's in bins.

    Conditions 'belief' and 'update' from trial to trial.
    """
    b = anatomy.belief
    pairs = np.flatnonzero(np.diff(anatomy.run.sessions.session) == 0)
    change = {
        name: getattr(b, name)[pairs + 1] - getattr(b, name)[pairs]
        for name in ("observer", "network")
    }
    return _join(
        [
            _binned(b.observer, b.network, "belief"),
            _binned(change["observer"], change["network"], "update"),
        ]
    )


def gradient_flow(anatomy):
    """Norm of the gradient against the steps back.

    Median and quartiles, before and after training.
    """
    return _join(
        _curve(table.rename(columns={"median": "value"}), "k", condition=name, point=table.k)
        for name, table in anatomy.gradient_flow.items()
    )


def coupling(anatomy):
    """How the beliefs act on each other, in bins; conditions '<agent>, <effect>'."""
    run = anatomy.run
    observed = np.flatnonzero(run.observed)
    start = run.first_step + run.sessions.task.n_blank - 1
    d = run.evidence[observed]
    found = []
    for agent, (stimulus, block) in _beliefs(anatomy).items():
        found.append(
            _binned(d, block[observed] - block[observed - 1], f"{agent}, block step per evidence")
        )
        prior = integration.prior_log_odds(block[start], run.sessions.task.p_block)
        found.append(_binned(prior, stimulus[start], f"{agent}, start per prior"))
    return _join(found)


def _beliefs(anatomy):
    run = anatomy.run
    net = anatomy.network
    return {
        "network": (
            run.hidden @ anatomy.readouts["stimulus"] + net.c[1] - net.c[0],
            anatomy.decoders["full"].log_odds(run.hidden),
        ),
        "observer": (
            integration.log_odds(anatomy.seen.p_right),
            integration.log_odds(anatomy.seen.p_block),
        ),
    }


def weights(anatomy):
    """Density of the recurrent weights within and between populations."""
    import pandas as pd

    limit = WEIGHT_RANGE / np.sqrt(anatomy.network.n_hidden)
    edges = np.linspace(-limit, limit, N_WEIGHT_BINS + 1)
    found = []
    for name in ("within", "between"):
        values = getattr(anatomy.weights, name)
        density = np.histogram(np.clip(values, *edges[[0, -1]]), edges)[0] / (
            len(values) * (edges[1] - edges[0])
        )
        found.append(
            _curve(
                pd.DataFrame(
                    {"x": (edges[1:] + edges[:-1]) / 2, "value": density, "n": len(values)}
                ),
                "x",
                condition=name,
            )
        )
    return _join(found)


def eigenvalues(anatomy):
    """Eigenvalues at the fixed points without input, real part x and imaginary part.

    Conditions stable and saddle.
    """
    import pandas as pd

    found = anatomy.fixed_points
    rows = anatomy.fixed_points.at((0, 0, 0))
    return _join(
        _curve(
            pd.DataFrame({"x": found.eigenvalues[row].real, "value": found.eigenvalues[row].imag}),
            "x",
            condition="stable" if found.stable[row] else "saddle",
        )
        for row in rows
    )


def drift(anatomy):
    """Drift along the path between the outer stable points, and contraction across it.

    Against the arclength; empty without a path.
    """
    import pandas as pd

    path = anatomy.paths["no input"]
    if path is None or not path.converged:
        return _join(())
    return _join(
        _curve(
            pd.DataFrame({"x": path.arclength, "value": getattr(path, name)}), "x", condition=name
        )
        for name in ("drift", "contraction")
    )


def branches(anatomy):
    """Fixed points on the block readout as feedback or stimulus varies.

    Conditions '<input>, <stable or unstable>, <branch>'.
    """
    import pandas as pd

    axis = anatomy.readouts["block_in_plane"] / np.linalg.norm(anatomy.readouts["block_in_plane"])
    found = []
    for name, several in anatomy.branches.items():
        for k, branch in enumerate(several):
            y = branch.points @ axis
            for stable, kind in ((True, "stable"), (False, "unstable")):
                table = pd.DataFrame(
                    {"x": branch.value, "value": np.where(branch.stable == stable, y, np.nan)}
                )
                found.append(_curve(table, "x", condition=f"{name}, {kind}, {k}"))
    return _join(found)


# ---- students, of a Distillation ----


def gain(found):
    """Fraction correct of RADD against its gain."""
    return _curve(found.radds[0].gains.rename(columns={"correct": "value"}), "gain")


def horizon(found):
    """Error of RADD's free running against steps, and the movement of the state itself."""
    table = found.radds[0].horizon
    return _join(
        _curve(table.rename(columns={name: "value"}), "steps", condition=name, point=table.steps)
        for name in ("error", "baseline")
    )


def dimensions(found):
    """RADD against its number of units: R², fraction correct, same choice."""
    table = found.dimensions.rename(columns={"r2_low": "low", "r2_high": "high"})
    r2 = _curve(table.rename(columns={"r2": "value"}), "units", condition="r2")
    return _join(
        [
            r2,
            *(
                _curve(
                    table.rename(columns={name: "value"}).drop(columns=["low", "high"]),
                    "units",
                    condition=name,
                )
                for name in ("correct", "same_choice")
            ),
        ]
    )


def divergence(found):
    """Movement of states against lag, mean and sd.

    Conditions are teacher, projection and kinds of student.
    """
    return _join(
        _curve(
            table.assign(
                value=table["mean"], low=table["mean"] - table.sd, high=table["mean"] + table.sd
            ),
            "lag",
            condition=name,
            point=table.lag,
        )
        for name, table in found.divergences.items()
    )


# ---- all of them ----

OF_RUN = {
    f.__name__: f for f in (accuracy, timeouts, concordance, steps, p_right, after_change, new_side)
}
OF_ANATOMY = {
    part: {f.__name__: f for f in functions}
    for part, functions in {
        "representation": (variance, angle_decoder),
        "integration": (movement, belief, agreement, gradient_flow, coupling),
        "mechanism": (weights, eigenvalues, drift, branches),
    }.items()
}
OF_DISTILLATION = {f.__name__: f for f in (gain, horizon, dimensions, divergence)}
