"""Figure 2: behaviour beside every baseline.

One column per kind of agent, so that no more than two overlap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hrnn.agents import look
from hrnn.behavior.psychometric_function import PARAMETERS, psychometric, psychometric_curve
from hrnn.figures.panels import (
    counts,
    curve_of,
    join,
    measures,
    only,
    records,
    rows,
    singles,
    strips,
    thin,
)
from hrnn.plot import blocks, chance, dots, finish, letter, note, page, points, style
from hrnn.populations.measures import labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

    from hrnn.figures.typing import StudyLike


COLUMNS = (
    ("network",),
    ("semi_markov", "markov"),
    ("none", "oracle"),
    ("exponential", "published_actor"),
    ("optimal_per_trial", "optimal_per_step"),
)
LABELS = {
    "a": "fraction correct\n(all trials)",
    "b": "timeouts",
    "c": "fraction correct",
    "d": "steps per trial,\ncorrect",
    "e": "steps per trial,\nwrong",
    "f": "P(right | choice)",
}
SUMMARIES = {
    "correct": "fraction correct, all trials",
    **labels("timeouts", "reward_per_trial", "reward_per_step"),
}
# Of a guess at the first observation.
GUESS = {"correct": 0.5, "timeouts": 0, "reward_per_trial": 0, "reward_per_step": 0}


@style()
def draw(study: StudyLike) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure: (Figure, source data)."""
    figure = page(246)
    top, bottom = strips(figure, [3.6, 1])
    grid = top.subplots(len(LABELS), len(COLUMNS), sharey="row")
    source = []
    for column, agents in zip(grid.T, COLUMNS, strict=True):
        _head(column[0], agents)
        for k, agent in enumerate(agents):
            source += behaviour(column, agent, study, second=k > 0)
    _label(top, grid, study)
    source += summaries(bottom.subplots(1, len(SUMMARIES), sharey=True), study)
    note(
        bottom,
        counts(study) + " g–j: each agent. Dotted: chance (g–j: a guess at the first observation). "
        "Black bars in a, dashed in g: exact bound, the ideal observer of all observations. "
        "A timeout is wrong (a, c, g). The networks are not trained on reward.",
    )
    finish(figure)
    return figure, join(source)


def _head(ax: Axes, agents: Sequence[str]) -> None:
    """Names of a column's agents, with the markers that they have in its panels."""
    from matplotlib.lines import Line2D

    keys: list[Line2D] = []
    for agent in agents:
        colour, marker, name = look(agent)
        label = name.replace("\n", " ")
        keys.append(Line2D([], [], color=colour, marker=marker, ms=3.5, mew=0.6, lw=0, label=label))
    ax.legend(
        handles=keys, loc="lower center", bbox_to_anchor=(0.5, 1), handletextpad=0, borderpad=0
    )


def behaviour(
    column: Sequence[Axes], agent: str, study: StudyLike, *, second: bool
) -> Iterator[pd.DataFrame]:
    """The panels of one agent.

    Parameters
    ----------
    column : sequence of Axes
        One for each of LABELS.
    agent : str
        Name of the agent.
    study : StudyLike
        The study.
    second : bool
        Whether the column shows another agent already.
    """
    a, b, c, d, e, f = column
    yield accuracy(a, agent, study)
    yield timeouts(b, agent, study)
    yield concordance(c, agent, study)
    yield from steps((d, e), agent, study)
    yield psychometrics(f, agent, study, second=second)


def _label(figure: FigureBase, grid: NDArray[Any], study: StudyLike) -> None:
    """Letters, labels and ticks that the panels of a row share, and the legend."""
    for (name, label), row in zip(LABELS.items(), grid, strict=True):
        letter(name, ax=row[0])
        row[0].set_ylabel(label)
        ticks = [-2, -1, 0, 1, 2] if name == "f" else [0, 0.5, 1, 1.5, 2, 2.5]
        for ax in row:
            ax.set_xticks(ticks)
            ax.tick_params(labelbottom=name in "ef")
    middle = len(COLUMNS) // 2
    grid[4, middle].set_xlabel("strength μ (sd of an observation)")
    grid[5, middle].set_xlabel("signed strength (sd of an observation, right > 0)")
    for row in (0, 2, 5):
        grid[row, 0].set(ylim=(-0.04, 1.06), yticks=(0, 0.5, 1))
    grid[1, 0].set_ylim(-0.02, None)
    longest = study.task.n_blank + study.task.n_obs_max
    for row in (3, 4):
        _, highest = grid[row, 0].get_ylim()
        grid[row, 0].set_ylim(study.task.n_blank, min(highest, longest + 0.5))
    keys = _keys(study)
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), columnspacing=1.2)


def _keys(study: StudyLike) -> list[Line2D]:
    """What the symbols are, for the legend."""
    from matplotlib.lines import Line2D

    def key(label: str, **options: Any) -> Line2D:
        return Line2D([], [], ms=3.5, mew=0.6, lw=0.8, label=label, **options)

    looks = blocks(study.runs["network"].trials["p_left"])
    return [
        key("c–e: concordant with the block", color="k", marker="o"),
        key("discordant", color="k", marker="o", mfc="w", ls="--"),
        *(
            key(f"{'' if k else 'f: '}P(left) = {p_left:g}", color=colour, marker=marker)
            for k, (p_left, (colour, marker)) in enumerate(looks.items())
        ),
        key("f: second of a column", color="k", marker="o", mfc="w", ls="--"),
    ]


def _sides(
    ax: Axes, table: pd.DataFrame, agent: str, study: StudyLike, name: str, prefix: str = ""
) -> None:
    """Concordant and discordant trials of a curve."""
    colour, marker, _ = look(agent)
    for side, solid in (("concordant", True), ("discordant", False)):
        part = only(table, condition=prefix + side)
        line = "-" if solid else "--"
        points(part, "x", ax=ax, colour=colour, marker=marker, line=line, hollow=not solid)
        if agent == "network":
            thin(ax, study, name, prefix + side)


def _by_strength(ax: Axes, agent: str, study: StudyLike, name: str) -> pd.DataFrame:
    """A fraction of all trials by strength."""
    table = curve_of(study, agent, name)
    colour, marker, _ = look(agent)
    points(table, "x", ax=ax, colour=colour, marker=marker)
    if agent == "network":
        thin(ax, study, name)
    return table


def accuracy(ax: Axes, agent: str, study: StudyLike) -> pd.DataFrame:
    """Fraction correct by strength, with chance and the exact bound.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    agent : str
        Name of the agent.
    study : StudyLike
        The study.
    """
    import pandas as pd

    table = _by_strength(ax, agent, study, "accuracy")
    right = pd.Series(study.bound, name="value").groupby(study.sessions.strength)
    bound = pd.DataFrame({"value": right.mean(), "n": right.size()})
    bound = bound.assign(x=bound.index, condition="exact bound")
    ax.plot(bound["x"], bound["value"], "_", color="k", ms=7)
    chance(ax=ax)
    of_agent = rows(table, "a", agent=agent, condition="all")
    return pd.concat([of_agent, rows(bound, "a", agent=agent)])


def timeouts(ax: Axes, agent: str, study: StudyLike) -> pd.DataFrame:
    """Fraction of trials without a choice by strength.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    agent : str
        Name of the agent.
    study : StudyLike
        The study.
    """
    return rows(_by_strength(ax, agent, study, "timeouts"), "b", agent=agent)


def concordance(ax: Axes, agent: str, study: StudyLike) -> pd.DataFrame:
    """Fraction correct by strength, concordant and discordant with the block.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    agent : str
        Name of the agent.
    study : StudyLike
        The study.
    """
    table = curve_of(study, agent, "concordance")
    _sides(ax, table, agent, study, "concordance")
    chance(ax=ax)
    return rows(table, "c", agent=agent)


def steps(axes: Sequence[Axes], agent: str, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Steps per trial by strength, one panel for correct and one for wrong trials.

    Parameters
    ----------
    axes : sequence of Axes
        The two panels.
    agent : str
        Name of the agent.
    study : StudyLike
        The study.
    """
    table = curve_of(study, agent, "steps")
    for name, ax, prefix in zip("de", axes, ("correct, ", "wrong, "), strict=True):
        _sides(ax, table, agent, study, "steps", prefix)
        part = table.loc[table.condition.str.startswith(prefix)]
        yield rows(part, name, agent=agent)


def psychometrics(ax: Axes, agent: str, study: StudyLike, *, second: bool) -> pd.DataFrame:
    """Right choices by signed strength and block, with the fitted functions (of one agent).

    Parameters
    ----------
    ax : Axes
        Where to draw.
    agent : str
        Name of the agent.
    study : StudyLike
        The study.
    second : bool
        Whether the panel shows another agent already.
    """
    import pandas as pd

    table = curve_of(study, agent, "p_right")
    joined = agent == "network" and study.n_networks > 1
    parts = [rows(table, "f", agent=agent)]
    x = np.linspace(table["x"].min(), table["x"].max(), 101)
    line = "--" if second else "-"
    fits = psychometric(study.runs[agent])
    looks = blocks(fits["p_left"])
    for fit in records(fits):
        colour, marker = looks[fit.p_left]
        condition = f"P(left) = {fit.p_left:g}"
        shown = only(table, condition=condition)
        join_line = "-" if joined else ""
        points(shown, "x", ax=ax, colour=colour, marker=marker, line=join_line, hollow=second)
        if joined:
            thin(ax, study, "p_right", condition, colour=colour)
            continue
        fitted_to = {name: getattr(fit, name) for name in PARAMETERS}
        curve = psychometric_curve(x, **fitted_to)
        ax.plot(x, curve, line, color=colour, lw=0.8)
        fitted = pd.DataFrame({"x": x, "value": curve, "condition": f"fit, {condition}"})
        parts.append(rows(fitted, "f", agent=agent, n=fit.n_trials))
    chance(ax=ax)
    return pd.concat(parts)


def summaries(axes: Sequence[Axes], study: StudyLike) -> Iterator[pd.DataFrame]:
    """Accuracy, timeouts and both rewards of all agents.

    Parameters
    ----------
    axes : sequence of Axes
        One for each of SUMMARIES.
    study : StudyLike
        The study.
    """
    table = measures(study, *SUMMARIES)
    for name, ax, (measure, label) in zip("ghij", axes, SUMMARIES.items(), strict=True):
        letter(name, ax=ax)
        part = only(table, measure=measure)
        dots(part, look, ax=ax)
        singles(ax, study, measure, 0.35)
        chance(GUESS[measure], ax=ax, vertical=True)
        ax.set_xlabel(label)
        if measure == "correct":
            ax.axvline(study.bound.mean(), color="k", lw=0.8, ls="--")
        yield rows(part, name, condition=measure)
