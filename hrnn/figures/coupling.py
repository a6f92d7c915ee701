"""Figure 6: coupling of the two beliefs within a trial, network and observer alike."""

import numpy as np

from hrnn.agents import COUPLED, look
from hrnn.analysis.anatomy import coupling_name
from hrnn.figures.panels import join, rows, several, singles, thin
from hrnn.plot import INK, estimate, finish, letter, note, page, points, style


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    figure = page(125)
    panels = figure.subplot_mosaic("abcd;eeff")
    for name, ax in panels.items():
        letter(name, ax=ax)
    source = []
    for agent, first, second in (("network", "a", "c"), ("observer", "b", "d")):
        source += [
            block_step(panels[first], study, agent, first),
            start(panels[second], study, agent, second),
        ]
    for pair in ("ab", "cd"):
        _same_scales([panels[name] for name in pair])
    source += [
        effects(panels["e"], study, ("block step per evidence", "start per prior"), "e"),
        effects(panels["f"], study, ("stimulus step per evidence", "evidence × block belief"), "f"),
    ]
    note(
        figure,
        several(study)
        + "RNN and the semi-Markov observer of the same trials; beliefs are log odds: the network's those of "
        "its readout and of its block decoder (all units), the observer's its posteriors. a, b: change of the block belief in one "
        "observation step against the evidence of the step. c, d: belief in the side at the last blank step, before any evidence, "
        "against the prior that the block belief implies (log odds; dashed: the exact relation, slope 1). Means in bins, line of least "
        "squares of all steps or trials. e, f: slopes with 95 % intervals"
        f"{'' if study.n_networks > 1 else f', {study.sessions.n_sessions} sessions resampled'}.",
    )
    finish(figure)
    return figure, join(source)


def _same_scales(axes):
    """One abscissa and one ordinate for panels that are to be compared."""
    first, *others = axes
    for get, put in (("get_xlim", "set_xlim"), ("get_ylim", "set_ylim")):
        ends = [getattr(ax, get)() for ax in axes]
        widest = min(end[0] for end in ends), max(end[1] for end in ends)
        for ax in axes:
            getattr(ax, put)(widest)
    for ax in others:
        ax.set_ylabel("")


def _binned(ax, study, agent, effect, panel):
    """Means in bins, with the line of least squares of all."""
    colour, marker, label = look(agent)
    condition = f"{agent}, {effect}"
    table = study.curve("coupling").query("condition == @condition")
    points(table, "x", ax=ax, colour=colour, marker=marker, line="")
    thin(ax, study, "coupling", condition)
    slope = study.measures[coupling_name(agent, effect)].value
    x = np.array([table["x"].min(), table["x"].max()])
    ax.plot(x, table.value.mean() + slope * (x - table["x"].mean()), color=INK, lw=0.8)
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set_title(label)
    return rows(table, panel, agent=agent)


def block_step(ax, study, agent, panel):
    """Change of the block belief against the evidence of a step."""
    table = _binned(ax, study, agent, "block step per evidence", panel)
    ax.set(xlabel="evidence, right − left", ylabel="step of the block belief")
    return table


def start(ax, study, agent, panel):
    """Belief in the side before the first observation against the prior that the block belief implies."""
    table = _binned(ax, study, agent, "start per prior", panel)
    ax.axline((0, 0), slope=1, color=INK, lw=0.8, ls="--")
    ax.set(xlabel="implied prior (log odds)", ylabel="belief in the side\nbefore evidence")
    return table


def effects(ax, study, names, panel):
    """Slopes of the coupling regressions."""
    import pandas as pd

    found = []
    for k, agent in enumerate(COUPLED):
        colour, marker, name_of_agent = look(agent)
        for y, name in enumerate(names):
            measure = coupling_name(agent, name)
            at = y + 0.3 * (k - 0.5)
            label = name_of_agent if y == 0 else None
            estimate(study.measures[measure], at, ax=ax, colour=colour, marker=marker, label=label)
            singles(ax, study, measure, at + 0.12)
            found.append({"agent": agent, "condition": name, **vars(study.measures[measure])})
    ax.axvline(0, color="0.5", lw=0.8, ls=":")
    labels = [name.replace(" per ", "\nper ").replace(" × ", "\n× ") for name in names]
    ax.set_yticks(range(len(names)), labels)
    ax.set(xlabel="slope", ylim=(len(names) - 0.5, -0.5))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return rows(pd.DataFrame(found), panel)
