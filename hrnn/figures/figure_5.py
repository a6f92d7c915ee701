"""Figure 5: integration within and across trials, feedback, and the flow of gradients."""

import numpy as np

from hrnn.figures import join, rows, several, thin
from hrnn.plot import band, finish, letter, note, page, points, style

SCATTER = 2000
COLOURS = {"stimulus": ("#009E73", "o"), "block_in_plane": ("#CC79A7", "s")}
SLOPES = {
    ("stimulus", "evidence"): "stimulus_slope", ("block_in_plane", "evidence"): "block_slope_in_plane",
    ("stimulus", "feedback"): "stimulus_feedback_slope", ("block_in_plane", "feedback"): "block_in_plane_feedback_slope",
}
NAMES = {"stimulus": "stimulus readout", "block_in_plane": "block readout"}


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    anatomy = study.anatomy
    figure = page(170)
    panels = figure.subplot_mosaic("abcd;eefg;hhhh", height_ratios=[1, 1, 0.9])
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
         "evidence of that step, means in bins with the line of least squares of all steps; c, d: in the first step of a trial against "
         "the feedback it brings. Block readout: that of the plane. e: belief towards the block's side at the last blank step before "
         f"each trial, the observer's times the one fitted scale ({scale.value:.2f} [{scale.low:.2f}, {scale.high:.2f}], R² "
         f"{r2.value:.2f}); points with n < 30 dropped. f, g: {SCATTER} trials drawn at random. h: norm of the gradient of −p(correct) at "
         f"a step with respect to the state k steps before; median {'and quartiles ' if one else ''}over 200 steps. "
         + (f"n = {anatomy.run.sessions.n_sessions} sessions; brackets and bands of e: 95 % intervals, sessions resampled." if one else ""))
    finish(figure)
    return figure, join(source)


def movement(ax, study, name, of):
    """Movement along a readout against evidence or feedback."""
    (colour, marker), condition = COLOURS[name], f"{name}, {of}"
    table = study.curve("movement").query("condition == @condition")
    points(table, "x", ax=ax, colour=colour, marker=marker, line="")
    thin(ax, study, "movement", condition)
    slope = study.measures[SLOPES[name, of]]
    x = np.array([table["x"].min(), table["x"].max()])
    ax.plot(x, table.value.mean() + slope.value * (x - table["x"].mean()), color="k", lw=0.8)
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    text = f"slope {slope.value:.3f}\n[{slope.low:.3f}, {slope.high:.3f}]".replace("-", "−")
    ax.set_title(f"{NAMES[name]}\n{text}")
    limit = 3.8 if name == "stimulus" else 0.7
    ax.set(xlabel="evidence $o^R - o^L$" if of == "evidence" else "feedback", ylabel="movement of the state", ylim=(-limit, limit))
    panel = {("stimulus", "evidence"): "a", ("block_in_plane", "evidence"): "b", ("stimulus", "feedback"): "c"}.get((name, of), "d")
    return rows(table, panel)


def along(ax, study):
    """Belief towards the block's side by trial in block."""
    table = study.curve("belief")
    for name, colour in (("network", "#D55E00"), ("observer × scale", "#0072B2")):
        band(table[table.condition == name], "x", ax=ax, colour=colour, label=name)
    thin(ax, study, "belief", "network")
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set(xlabel="trial in block", ylabel="block belief (log odds\ntowards the block's side)")
    ax.legend(loc="lower right")
    return rows(table, "e")


def _scatter(ax, x, y, panel, xlabel, ylabel, slope, correlation):
    import pandas as pd

    ax.plot(x, y, ".", color="0.4", ms=2, mew=0, alpha=0.5, rasterized=True)
    line = np.array([x.min(), x.max()])
    ax.plot(line, slope * line, color="#D55E00", lw=1)
    ax.set_title(f"r = {correlation.value:.2f} [{correlation.low:.2f}, {correlation.high:.2f}]")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return rows(pd.DataFrame({"x": x, "value": y}), panel)


def _sample(anatomy, n):
    return np.sort(np.random.default_rng(anatomy.seed).choice(n, min(SCATTER, n), replace=False))


def belief(ax, study):
    """Block belief of the network against the observer's, trial by trial."""
    anatomy = study.anatomy
    b, shown = anatomy.belief, _sample(anatomy, anatomy.run.sessions.n_trials)
    return _scatter(ax, b.observer[shown], b.network[shown], "f", "observer (log odds)", "network (log odds)", b.scale.value,
                    study.measures["belief_correlation"])


def updates(ax, study):
    """Change of the belief from one trial to the next, network against observer."""
    anatomy = study.anatomy
    b, s = anatomy.belief, anatomy.run.sessions
    pair = np.flatnonzero(np.diff(s.session) == 0)
    pair = pair[_sample(anatomy, len(pair))]
    x, y = (values[pair + 1] - values[pair] for values in (b.observer, b.network))
    return _scatter(ax, x, y, "g", "update of the observer", "update of the network", b.update_scale.value,
                    study.measures["belief_update_correlation"])


def gradients(ax, study):
    """How far gradients reach back, before and after training."""
    table = study.curve("gradient_flow")
    for name, colour in (("untrained", "#999999"), ("trained", "#D55E00")):
        band(table[table.condition == name], "x", ax=ax, colour=colour, label=name)
        thin(ax, study, "gradient_flow", name)
    ax.set(yscale="log", xlabel="steps back, k", ylabel="‖∂L/∂h‖ relative to k = 0", ylim=(1e-12, 3))
    ax.legend(loc="upper right")
    return rows(table, "h")
