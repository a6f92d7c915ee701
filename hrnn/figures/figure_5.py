"""Figure 5: integration within and across trials, feedback, and the flow of gradients."""

import numpy as np

from hrnn.claims import PUBLISHED
from hrnn.figures import join, rows, several, thin
from hrnn.plot import GREY, INK, PALE, band, finish, interval, letter, look, note, page, points, powers, style

SCATTER = 2000
MARKERS = {"stimulus": "o", "block_in_plane": "s"}
SLOPES = {
    ("stimulus", "evidence"): "stimulus_slope", ("block_in_plane", "evidence"): "block_slope_in_plane",
    ("stimulus", "feedback"): "stimulus_feedback_slope", ("block_in_plane", "feedback"): "block_in_plane_feedback_slope",
}
XLABELS = {"evidence": "evidence, right − left", "feedback": "feedback"}
PANELS = dict(zip(SLOPES, "abcd", strict=True))
NAMES = {"stimulus": "stimulus readout", "block_in_plane": "block readout"}


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    anatomy = study.anatomy
    figure = page(180)
    panels = figure.subplot_mosaic("abcd;eefg;hhhh", height_ratios=[1, 1.1, 0.8])
    for name, ax in panels.items():
        letter(name, ax=ax)
    source = [
        *(movement(panels[p], study, name, of) for p, name, of in (
            ("a", "stimulus", "evidence"), ("b", "block_in_plane", "evidence"), ("c", "stimulus", "feedback"),
            ("d", "block_in_plane", "feedback"))),
        along(panels["e"], study), belief(panels["f"], study), updates(panels["g"], study), gradients(panels["h"], study),
    ]
    scale, r2, one = study.measures["belief_scale"], study.measures["belief_r2"], study.n_networks == 1
    note(figure, several(study, "f, g: dots of one of them. ") + "a, b: movement of the state in one observation step against the "
         "evidence of that step, means in bins with the line of least squares of all steps (dashed: the published slope); "
         "c, d: in the first step of a trial against the feedback it brings. Block readout: that of the plane. "
         "e: belief towards the block's side at the last blank step before "
         f"each trial, the observer's times the one fitted scale ({scale.value:.2f} [{scale.low:.2f}, {scale.high:.2f}], R² "
         f"{r2.value:.2f}); points with n < 30 dropped. f, g: {SCATTER} trials drawn at random, "
         "means in bins of equally many trials, and one line through the origin. h: norm of the gradient of −p(correct) at "
         f"a step with respect to the state k steps before; median {'and quartiles ' if one else ''}over 200 steps. "
         + (f"n = {anatomy.run.sessions.n_sessions} sessions; brackets and bands of e: 95 % intervals, sessions resampled." if one else ""))
    finish(figure)
    return figure, join(source)


def movement(ax, study, name, of):
    """Movement along a readout against evidence or feedback."""
    condition, slope = f"{name}, {of}", study.measures[SLOPES[name, of]]
    colour = look("network")[0]
    table = study.curve("movement").query("condition == @condition")
    points(table, "x", ax=ax, colour=colour, marker=MARKERS[name], line="")
    thin(ax, study, "movement", condition)
    _line(ax, table, slope.value, "-")
    if SLOPES[name, of] in PUBLISHED and of == "evidence":
        published = PUBLISHED[SLOPES[name, of]]
        _line(ax, table, published, "--")
        ax.annotate(f"published\n{published:g}", (0.97, 0.03), xycoords="axes fraction", ha="right")
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set_title(f"{NAMES[name]}\nslope {interval(slope, 3)}".replace(" [", "\n["))
    limit = 3.8 if name == "stimulus" else 0.7
    ax.set(xlabel=XLABELS[of], ylabel="movement of the state", ylim=(-limit, limit))
    return rows(table, PANELS[name, of])


def _line(ax, table, slope, line):
    """A line of this slope through the mean of the points."""
    x = np.array([table["x"].min(), table["x"].max()])
    y = table["value"].mean() + slope * (x - table["x"].mean())
    ax.plot(x, y, line, color=INK, lw=0.8)


def along(ax, study):
    """Belief towards the block's side by trial in block."""
    table = study.curve("belief")
    for name, agent, line in (("network", "network", "-"), ("observer × scale", "semi_markov", "--")):
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
    return pd.concat([
        rows(pd.DataFrame({"x": x, "value": y}), panel, condition="trials"),
        rows(table, panel, condition="bins"),
    ])


def _sample(anatomy, n):
    return np.sort(np.random.default_rng(anatomy.seed).choice(n, min(SCATTER, n), replace=False))


def belief(ax, study):
    """Block belief of the network against the observer's, trial by trial."""
    anatomy = study.anatomy
    b, shown = anatomy.belief, _sample(anatomy, anatomy.run.sessions.n_trials)
    ax.set(xlabel="observer (log odds)", ylabel="network (log odds)")
    return _scatter(
        ax, study, b.observer[shown], b.network[shown], of="belief", slope=b.scale.value,
        correlation=study.measures["belief_correlation"],
    )


def updates(ax, study):
    """Change of the belief from one trial to the next, network against observer."""
    anatomy = study.anatomy
    b, s = anatomy.belief, anatomy.run.sessions
    pair = np.flatnonzero(np.diff(s.session) == 0)
    pair = pair[_sample(anatomy, len(pair))]
    x, y = (values[pair + 1] - values[pair] for values in (b.observer, b.network))
    ax.set(xlabel="update of the observer", ylabel="update of the network")
    return _scatter(
        ax, study, x, y, of="update", slope=b.update_scale.value,
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
