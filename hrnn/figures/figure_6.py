"""Figure 6: coupling of the two beliefs within a trial, network and observer alike."""

import numpy as np

from hrnn import integration
from hrnn.figures import join, rows
from hrnn.plot import finish, letter, look, note, page, style

N_BINS = 15
AGENTS = {"network": "RNN", "observer": "Bayesian observer"}


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    anatomy = study.anatomy
    figure = page(135)
    panels = figure.subplot_mosaic("abcd;eeff")
    for name, ax in panels.items():
        letter(name, ax=ax)
    source = []
    for agent, first, second in (("network", "a", "c"), ("observer", "b", "d")):
        source += [block_step(panels[first], anatomy, agent, first), start(panels[second], anatomy, agent, second)]
    source += [effects(panels["e"], anatomy, ("block step per evidence", "start per block belief"), "e"),
               effects(panels["f"], anatomy, ("stimulus step per evidence", "evidence × block belief"), "f")]
    note(figure, "One network and the semi-Markov observer of the same trials; beliefs are log odds: the network's those of its readout "
         "and of its block decoder (all units), the observer's its posteriors. a, b: change of the block belief in one observation step "
         "against the evidence of the step. c, d: belief in the side at the last blank step, before any evidence, against the block "
         "belief. Means in bins, line of least squares of all steps or trials. e, f: slopes with 95 % intervals, mostly smaller than the "
         f"symbols, {anatomy.run.sessions.n_sessions} sessions resampled; the network's scale is its own: compare signs and ratios.")
    finish(figure)
    return figure, join(source)


def _beliefs(anatomy, agent):
    run, net = anatomy.run, anatomy.network
    if agent == "network":
        return run.hidden @ anatomy.readouts["stimulus"] + net.c[1] - net.c[0], anatomy.decoders["full"].log_odds(run.hidden)
    return integration.log_odds(anatomy.seen.p_right), integration.log_odds(anatomy.seen.p_block)


def _binned(ax, x, y, agent, panel, effect, anatomy):
    import pandas as pd

    colour, marker, _ = look("network" if agent == "network" else "semi_markov")
    edges = np.unique(np.quantile(x, np.linspace(0, 1, N_BINS + 1)))
    which = np.clip(np.searchsorted(edges, x, "right") - 1, 0, len(edges) - 2)
    n = np.bincount(which, minlength=len(edges) - 1)
    mean_x, mean = (np.bincount(which, v, len(edges) - 1)[n > 0] / n[n > 0] for v in (x, y))
    ax.plot(mean_x, mean, marker, color=colour, ms=3.5, mew=0)
    slope, offset = np.polyfit(x, y, 1)
    line = np.array([mean_x.min(), mean_x.max()])
    ax.plot(line, offset + slope * line, color="k", lw=0.8)
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set_title(AGENTS[agent])
    return rows(pd.DataFrame({"x": mean_x, "value": mean, "n": n[n > 0]}), panel, agent=agent, condition=effect)


def block_step(ax, anatomy, agent, panel):
    """Change of the block belief against the evidence of a step."""
    run = anatomy.run
    _, block = _beliefs(anatomy, agent)
    inside = np.flatnonzero(run.step >= run.sessions.task.n_blank)
    d = run.inputs[inside, 1] - run.inputs[inside, 0]
    table = _binned(ax, d, block[inside] - block[inside - 1], agent, panel, "block step per evidence", anatomy)
    ax.set(xlabel="evidence $o^R - o^L$", ylabel="step of the block belief", ylim=(-2, 2))
    return table


def start(ax, anatomy, agent, panel):
    """Belief in the side before the first observation against the block belief."""
    run = anatomy.run
    stimulus, block = _beliefs(anatomy, agent)
    at = run.first_step + run.sessions.task.n_blank - 1
    table = _binned(ax, block[at], stimulus[at], agent, panel, "start per block belief", anatomy)
    ax.set(xlabel="block belief", ylabel="belief in the side\nbefore evidence")
    return table


def effects(ax, anatomy, names, panel):
    """Slopes of the coupling regressions."""
    table = anatomy.coupling[anatomy.coupling["effect"].isin(names)]
    for k, agent in enumerate(AGENTS):
        part = table[table["agent"] == agent].set_index("effect").loc[list(names)]
        colour, marker, _ = look("network" if agent == "network" else "semi_markov")
        y = np.arange(len(names)) + 0.15 * (2 * k - 1)
        error = [part["value"] - part["low"], part["high"] - part["value"]]
        ax.errorbar(part["value"], y, xerr=error, fmt=marker, color=colour, ms=4, elinewidth=0.8, label=AGENTS[agent])
    ax.axvline(0, color="0.5", lw=0.8, ls=":")
    ax.set_yticks(range(len(names)), [name.replace(" per ", "\nper ").replace(" × ", "\n× ") for name in names])
    ax.set(xlabel="slope", ylim=(len(names) - 0.5, -0.5))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return rows(table.rename(columns={"effect": "condition"}), panel)
