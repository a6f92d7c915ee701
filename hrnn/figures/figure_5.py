"""Figure 5: integration within and across trials, feedback, and the flow of gradients."""

import numpy as np

from hrnn import integration
from hrnn.figures import join, rows
from hrnn.plot import finish, letter, note, page, style

N_BINS, SCATTER = 15, 2000
COLOURS = {"stimulus": ("#009E73", "o"), "block_in_plane": ("#CC79A7", "s")}
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
        *(movement(panels[p], anatomy, name, of) for p, name, of in (
            ("a", "stimulus", "evidence"), ("b", "block_in_plane", "evidence"), ("c", "stimulus", "feedback"),
            ("d", "block_in_plane", "feedback"))),
        along(panels["e"], anatomy), belief(panels["f"], anatomy), updates(panels["g"], anatomy), gradients(panels["h"], anatomy),
    ]
    b = anatomy.belief
    note(figure, "One network. a, b: movement of the state in one observation step against the evidence of that step, means in bins "
         "with the line of least squares of all steps; c, d: in the first step of a trial against the feedback it brings. Block readout: "
         "that of the plane. e: belief towards the block's side at the last blank step before each trial, the observer's times the one "
         f"fitted scale ({b.scale.value:.2f} [{b.scale.low:.2f}, {b.scale.high:.2f}], R² {b.r2.value:.2f}); points with n < 30 dropped. "
         f"f, g: {SCATTER} trials drawn at random. h: norm of the gradient of −p(correct) at a step with respect to the state k steps "
         f"before; median and quartiles over 200 steps. n = {anatomy.run.sessions.n_sessions} sessions; brackets and bands of e: 95 % "
         "intervals, sessions resampled.")
    finish(figure)
    return figure, join(source)


def movement(ax, anatomy, name, of):
    """Movement along a readout against evidence or feedback."""
    import pandas as pd

    run, colour = anatomy.run, COLOURS[name]
    moved = integration.movement(run, anatomy.readouts[name])
    if of == "evidence":
        inside, x = run.step >= run.sessions.task.n_blank, run.inputs[:, 1] - run.inputs[:, 0]
        edges = np.quantile(x[inside], np.linspace(0, 1, N_BINS + 1))
        which = np.clip(np.searchsorted(edges, x, "right") - 1, 0, N_BINS - 1)
    else:
        inside, x = np.abs(run.inputs[:, 2]) == 1, run.inputs[:, 2]
        which = (x > 0).astype(int)
    n = np.bincount(which[inside])
    mean_x, mean = (np.bincount(which[inside], v[inside]) / n for v in (x, moved))
    fit = anatomy.slopes[of].loc[name]
    ax.plot(mean_x, mean, colour[1], color=colour[0], ms=3.5, mew=0)
    line = np.array([mean_x.min(), mean_x.max()])
    ax.plot(line, fit.intercept + fit.slope * line, color="k", lw=0.8)
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    slope = f"slope {fit.slope:.3f}\n[{fit.slope_low:.3f}, {fit.slope_high:.3f}]".replace("-", "−")
    ax.set_title(f"{NAMES[name]}\n{slope}")
    limit = 3.8 if name == "stimulus" else 0.7
    ax.set(xlabel="evidence $o^R - o^L$" if of == "evidence" else "feedback", ylabel="movement of the state", ylim=(-limit, limit))
    panel = {("stimulus", "evidence"): "a", ("block_in_plane", "evidence"): "b", ("stimulus", "feedback"): "c"}.get((name, of), "d")
    return rows(pd.DataFrame({"x": mean_x, "value": mean, "n": n}), panel, condition=f"{name}, {of}")


def along(ax, anatomy):
    """Belief towards the block's side by trial in block."""
    import pandas as pd

    b, found = anatomy.belief, []
    scaled = b.scale.value * b.observer
    for name, values, colour, line in (("network", b.network, "#D55E00", "-"), ("observer × scale", scaled, "#0072B2", "--")):
        table = integration.along_blocks(anatomy.run, values, rng=anatomy.seed)
        ax.fill_between(table.trial_in_block, table.low, table.high, color=colour, alpha=0.25, lw=0)
        ax.plot(table.trial_in_block, table.value, line, color=colour, label=name)
        found.append(table.rename(columns={"trial_in_block": "x"}).assign(condition=name))
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set(xlabel="trial in block", ylabel="block belief (log odds\ntowards the block's side)")
    ax.legend(loc="lower right")
    return rows(pd.concat(found), "e")


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


def belief(ax, anatomy):
    """Block belief of the network against the observer's, trial by trial."""
    b, shown = anatomy.belief, _sample(anatomy, anatomy.run.sessions.n_trials)
    return _scatter(ax, b.observer[shown], b.network[shown], "f", "observer (log odds)", "network (log odds)", b.scale.value, b.correlation)


def updates(ax, anatomy):
    """Change of the belief from one trial to the next, network against observer."""
    b, s = anatomy.belief, anatomy.run.sessions
    pair = np.flatnonzero(np.diff(s.session) == 0)
    pair = pair[_sample(anatomy, len(pair))]
    x, y = (values[pair + 1] - values[pair] for values in (b.observer, b.network))
    return _scatter(ax, x, y, "g", "update of the observer", "update of the network", b.update_scale.value, b.update_correlation)


def gradients(ax, anatomy):
    """How far gradients reach back, before and after training."""
    import pandas as pd

    found = []
    for name, colour, line in (("untrained", "#999999", "--"), ("trained", "#D55E00", "-")):
        table = anatomy.gradient_flow[name]
        ax.fill_between(table.k, table.low, table.high, color=colour, alpha=0.25, lw=0)
        ax.plot(table.k, table["median"], line, color=colour, label=name)
        found.append(table.rename(columns={"k": "x", "median": "value"}).assign(condition=name))
    ax.set(yscale="log", xlabel="steps back, k", ylabel="‖∂L/∂h‖ relative to k = 0", ylim=(1e-12, 3))
    ax.legend(loc="upper right")
    return rows(pd.concat(found), "h")
