"""Figure 6: coupling of the two beliefs within a trial, network and observer alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hrnn.agents import COUPLED, look
from hrnn.analysis.anatomy import coupling_name
from hrnn.figures.panels import join, only, rows, several, singles, thin
from hrnn.plot import INK, estimate, finish, letter, note, page, points, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hrnn.figures.typing import Records, StudyLike


@style()
def draw(study: StudyLike) -> tuple[Figure, pd.DataFrame]:
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
    n = study.sessions.n_sessions
    resampled = "" if study.n_networks > 1 else f", {n} sessions resampled"
    note(
        figure,
        several(study)
        + "RNN and the semi-Markov observer of the same trials; beliefs are log odds: "
        "the network's those of its readout and of its block decoder (all units), the observer's "
        "its posteriors. a, b: change of the block belief in one observation step against the "
        "evidence of the step. c, d: belief in the side at the last blank step, before any "
        "evidence, against the prior that the block belief implies (log odds; dashed: "
        "the exact relation, slope 1). Means in bins, line of least squares of all steps or "
        f"trials. e, f: slopes with 95 % intervals{resampled}.",
    )
    finish(figure)
    return figure, join(source)


def _same_scales(axes: Sequence[Axes]) -> None:
    """One abscissa and one ordinate for panels that are to be compared."""
    first, *others = axes
    for get, put in (("get_xlim", "set_xlim"), ("get_ylim", "set_ylim")):
        ends = [getattr(ax, get)() for ax in axes]
        low = min(end[0] for end in ends)
        high = max(end[1] for end in ends)
        for ax in axes:
            getattr(ax, put)((low, high))
    for ax in others:
        ax.set_ylabel("")


def _binned(ax: Axes, study: StudyLike, agent: str, effect: str, panel: str) -> pd.DataFrame:
    """Means in bins, with the line of least squares of all."""
    colour, marker, label = look(agent)
    condition = f"{agent}, {effect}"
    table = only(study.curve("coupling"), condition=condition)
    points(table, "x", ax=ax, colour=colour, marker=marker, line="")
    thin(ax, study, "coupling", condition)
    slope = study.measures[coupling_name(agent, effect)].value
    x = np.array([table["x"].min(), table["x"].max()])
    from_mean = x - table["x"].mean()
    ax.plot(x, table.value.mean() + slope * from_mean, color=INK, lw=0.8)
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set_title(label)
    return rows(table, panel, agent=agent)


def block_step(ax: Axes, study: StudyLike, agent: str, panel: str) -> pd.DataFrame:
    """Change of the block belief against the evidence of a step.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    agent : str
        'network' or 'observer'.
    panel : str
        Letter of the panel.
    """
    table = _binned(ax, study, agent, "block step per evidence", panel)
    ax.set(xlabel="evidence, right − left", ylabel="step of the block belief")
    return table


def start(ax: Axes, study: StudyLike, agent: str, panel: str) -> pd.DataFrame:
    """Belief in the side before any observation against the prior from the block belief.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    agent : str
        'network' or 'observer'.
    panel : str
        Letter of the panel.
    """
    table = _binned(ax, study, agent, "start per prior", panel)
    ax.axline((0, 0), slope=1, color=INK, lw=0.8, ls="--")
    ax.set(xlabel="implied prior (log odds)", ylabel="belief in the side\nbefore evidence")
    return table


def effects(ax: Axes, study: StudyLike, names: Sequence[str], panel: str) -> pd.DataFrame:
    """Slopes of the coupling regressions.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    names : sequence of str
        Which effects.
    panel : str
        Letter of the panel.
    """
    import pandas as pd

    found: Records = []
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
