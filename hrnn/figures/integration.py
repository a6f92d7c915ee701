"""Figure 5: integration within and across trials, feedback, and the flow of gradients."""

import numpy as np

from hrnn.agents import look
from hrnn.figures.panels import join, rows, several, thin
from hrnn.plot import (
    GREY,
    INK,
    LEFT,
    PALE,
    RIGHT,
    band,
    finish,
    interval,
    letter,
    note,
    page,
    points,
    powers,
    style,
)
from hrnn.populations.claims import PUBLISHED

SCATTER = 2000
# in the plane of two components: name, marker, panels, limit of the ordinate of the first panel and
# of the second
READOUTS = {
    "stimulus_in_plane": ("stimulus readout", "o", "ac", 3.8, 1.9),
    "block_in_plane": ("block readout", "s", "bd", 0.7, 0.7),
}


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    anatomy = study.anatomy
    figure = page(180)
    panels = figure.subplot_mosaic("abcd;eefg;hhhh", height_ratios=[1, 1.1, 0.8])
    for name, ax in panels.items():
        letter(name, ax=ax)
    source = [
        *(movement(panels[place[0]], study, name) for name, (_, _, place, *_) in READOUTS.items()),
        *(told(panels[place[1]], study, name) for name, (_, _, place, *_) in READOUTS.items()),
        along(panels["e"], study),
        belief(panels["f"], study),
        updates(panels["g"], study),
        gradients(panels["h"], study),
    ]
    scale = study.measures["belief_scale"]
    r2 = study.measures["belief_r2"]
    one = study.n_networks == 1
    note(
        figure,
        several(study, "f, g: dots of one of them. ")
        + "Readouts: those of the plane of two components. a, b: movement of the "
        "state in one observation step against the evidence of that step, means in bins with the line of least squares of all steps "
        "(dashed: the published slope). c, d: movement in the first step of a trial against the feedback that it brings, after a choice "
        "of left and of right. An ideal learner learns from feedback × choice, the side that they tell: lines of opposite slopes. "
        + _learnt(study)
        + "e: belief towards the block's side at the last blank step before each trial, the observer's times the one fitted scale "
        f"({interval(scale)}, R² {r2.value:.2f}); points with n < 30 dropped. f, g: {SCATTER} trials drawn at random, "
        "means in bins of equally many trials, and one line through the origin. h: norm of the gradient of −p(correct) at "
        f"a step with respect to the state k steps before; median {'and quartiles ' if one else ''}over 200 steps. "
        + (
            f"n = {anatomy.run.sessions.n_sessions} sessions; brackets and bands of e: 95 % intervals, sessions resampled."
            if one
            else ""
        ),
    )
    finish(figure)
    return figure, join(source)


def _learnt(study):
    """Words for what observer and network learn from feedback, where that is defined."""
    weights = [study.measures.get(name) for name in ("told_weight_observer", "told_weight")]
    if None in weights:
        return ""
    observer, network = map(interval, weights)
    return (
        f"By that, evidence and choice being the same, it moves its block belief by {observer} a trial (log odds), the network by "
        f"{network}. "
    )


def movement(ax, study, name):
    """Movement along a readout against evidence."""
    title, marker, (panel, _), limit, _ = READOUTS[name]
    condition = f"{name}, evidence"
    measure = name.replace("_in", "_slope_in")
    table = study.curve("movement").query("condition == @condition")
    slope = study.measures[measure]
    published = PUBLISHED[measure]
    points(table, "x", ax=ax, colour=look("network")[0], marker=marker, line="")
    thin(ax, study, "movement", condition)
    _line(ax, table, slope.value, "-")
    _line(ax, table, published, "--")
    ax.annotate(f"published\n{published:g}", (0.97, 0.03), xycoords="axes fraction", ha="right")
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set_title(f"{title}\nslope {interval(slope, 3)}".replace(" [", "\n["))
    ax.set(xlabel="evidence, right − left", ylabel="movement of the state", ylim=(-limit, limit))
    return rows(table, panel)


def told(ax, study, name):
    """Movement along a readout in the step that brings feedback, by what was chosen."""
    import pandas as pd

    title, _, (_, panel), _, limit = READOUTS[name]
    found = []
    for side, (colour, marker) in (("left", LEFT), ("right", RIGHT)):
        condition = f"{name}, after {side}"
        table = study.curve("movement").query("condition == @condition")
        points(table, "x", ax=ax, colour=colour, marker=marker, label=f"after {side}")
        thin(ax, study, "movement", condition)
        found.append(rows(table, panel))
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set_title(f"{title},\nfeedback arrives")
    ax.set(
        xlabel="feedback",
        ylabel="movement of the state",
        ylim=(-limit, limit),
        xlim=(-1.5, 1.5),
        xticks=(-1, 1),
    )
    if panel == "c":
        ax.legend(loc="lower right")
    return pd.concat(found)


def _line(ax, table, slope, line):
    """A line of this slope through the mean of the points."""
    x = np.array([table["x"].min(), table["x"].max()])
    y = table["value"].mean() + slope * (x - table["x"].mean())
    ax.plot(x, y, line, color=INK, lw=0.8)


def along(ax, study):
    """Belief towards the block's side by trial in block."""
    table = study.curve("belief")
    for name, agent, line in (
        ("network", "network", "-"),
        ("observer × scale", "semi_markov", "--"),
    ):
        part = table[table.condition == name]
        band(part, "x", ax=ax, colour=look(agent)[0], line=line, label=name)
    thin(ax, study, "belief", "network")
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set(xlabel="trial in block", ylabel="block belief (log odds\ntowards the block's side)")
    ax.legend(loc="lower right")
    return rows(table, "e")


def _scatter(ax, study, x, y, *, of, slope, correlation):
    """A cloud of trials, the mean in bins of all trials, and one line through the origin."""
    import pandas as pd

    panel = {"belief": "f", "update": "g"}[of]
    ax.plot(x, y, ".", color=PALE, ms=2, mew=0, rasterized=True)
    table = study.curve("agreement").query("condition == @of")
    points(table, "x", ax=ax, colour=look("network")[0])
    thin(ax, study, "agreement", of)
    line = np.array([x.min(), x.max()])
    ax.plot(line, slope * line, "--", color=INK, lw=0.8)
    ax.set_title(f"r = {interval(correlation)}")
    return pd.concat(
        [
            rows(pd.DataFrame({"x": x, "value": y}), panel, condition="trials"),
            rows(table, panel, condition="bins"),
        ]
    )


def _sample(anatomy, n):
    return np.sort(np.random.default_rng(anatomy.seed).choice(n, min(SCATTER, n), replace=False))


def belief(ax, study):
    """Block belief of the network against the observer's, trial by trial."""
    anatomy = study.anatomy
    b = anatomy.belief
    shown = _sample(anatomy, anatomy.run.sessions.n_trials)
    ax.set(xlabel="observer (log odds)", ylabel="network (log odds)")
    return _scatter(
        ax,
        study,
        b.observer[shown],
        b.network[shown],
        of="belief",
        slope=b.scale.value,
        correlation=study.measures["belief_correlation"],
    )


def updates(ax, study):
    """Change of the belief from one trial to the next, network against observer."""
    anatomy = study.anatomy
    b = anatomy.belief
    s = anatomy.run.sessions
    pair = np.flatnonzero(np.diff(s.session) == 0)
    pair = pair[_sample(anatomy, len(pair))]
    x, y = (values[pair + 1] - values[pair] for values in (b.observer, b.network))
    ax.set(xlabel="observer's update", ylabel="network's update")
    return _scatter(
        ax,
        study,
        x,
        y,
        of="update",
        slope=b.update_scale.value,
        correlation=study.measures["belief_update_correlation"],
    )


def gradients(ax, study):
    """How far gradients reach back, before and after training."""
    table = study.curve("gradient_flow")
    looks = (("untrained", GREY, "--"), ("trained", look("network")[0], "-"))
    for name, colour, line in looks:
        band(table[table.condition == name], "x", ax=ax, colour=colour, line=line, label=name)
        thin(ax, study, "gradient_flow", name)
    ax.set(yscale="log", xlabel="steps back, k", ylim=(1e-12, 3))
    ax.set_ylabel("‖∂L/∂h‖ relative to\nk = 0 (power of ten)")
    powers(ax.yaxis)
    ax.legend(loc="upper right")
    return rows(table, "h")
