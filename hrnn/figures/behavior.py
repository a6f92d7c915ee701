"""Figure 2: behaviour beside every baseline.

One column per kind of agent, so that no more than two overlap.
"""

import numpy as np

from hrnn.agents import look
from hrnn.behavior.psychometric_function import psychometric, psychometric_curve
from hrnn.figures.panels import counts, curve_of, join, measures, rows, singles, thin
from hrnn.plot import BLOCKS, chance, dots, finish, letter, note, page, points, style
from hrnn.populations.measures import labels

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
def draw(study):
    """Draw the figure: (Figure, source data)."""
    figure = page(246)
    top, bottom = figure.subfigures(2, 1, height_ratios=[3.6, 1])
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
        "Black bars in a, dashed in g: exact bound, the ideal observer of all observations. A timeout is wrong "
        "(a, c, g). The networks are not trained on reward.",
    )
    finish(figure)
    return figure, join(source)


def _head(ax, agents):
    """Names of a column's agents, with the markers that they have in its panels."""
    from matplotlib.lines import Line2D

    looks = [look(agent) for agent in agents]
    keys = [
        Line2D(
            [],
            [],
            color=colour,
            marker=marker,
            ms=3.5,
            mew=0.6,
            lw=0,
            label=name.replace("\n", " "),
        )
        for colour, marker, name in looks
    ]
    ax.legend(
        handles=keys, loc="lower center", bbox_to_anchor=(0.5, 1), handletextpad=0, borderpad=0
    )


def behaviour(column, agent, study, *, second):
    """The panels of one agent."""
    a, b, c, d, e, f = column
    yield accuracy(a, agent, study)
    yield timeouts(b, agent, study)
    yield concordance(c, agent, study)
    yield from steps((d, e), agent, study)
    yield psychometrics(f, agent, study, second=second)


def _label(figure, grid, study):
    """Letters, labels and ticks that the panels of a row share, and the legend."""
    for (name, label), row in zip(LABELS.items(), grid, strict=True):
        letter(name, ax=row[0])
        row[0].set_ylabel(label)
        for ax in row:
            ax.set_xticks([-2, -1, 0, 1, 2] if name == "f" else [0, 0.5, 1, 1.5, 2, 2.5])
            ax.tick_params(labelbottom=name in "ef")
    middle = len(COLUMNS) // 2
    grid[4, middle].set_xlabel("strength μ (sd of an observation)")
    grid[5, middle].set_xlabel("signed strength (sd of an observation, right > 0)")
    for row in (0, 2, 5):
        grid[row, 0].set(ylim=(-0.04, 1.06), yticks=(0, 0.5, 1))
    grid[1, 0].set_ylim(-0.02, None)
    longest = study.task.n_blank + study.task.n_obs_max
    for row in (3, 4):
        grid[row, 0].set_ylim(study.task.n_blank, min(grid[row, 0].get_ylim()[1], longest + 0.5))
    figure.legend(handles=_keys(), loc="outside lower center", ncols=5, columnspacing=1.2)


def _keys():
    from matplotlib.lines import Line2D

    def key(label, **options):
        return Line2D([], [], ms=3.5, mew=0.6, lw=0.8, label=label, **options)

    return [
        key("c–e: concordant with the block", color="k", marker="o"),
        key("discordant", color="k", marker="o", mfc="w", ls="--"),
        *(
            key(
                f"{'f: ' if p == 0.2 else ''}P(left) = {p}", color=BLOCKS[p][0], marker=BLOCKS[p][1]
            )
            for p in (0.2, 0.8)
        ),
        key("f: second of a column", color="k", marker="o", mfc="w", ls="--"),
    ]


def _sides(ax, table, agent, study, name, prefix=""):
    """Concordant and discordant trials of a curve."""
    colour, marker, _ = look(agent)
    for side, solid in (("concordant", True), ("discordant", False)):
        part = table[table.condition == prefix + side]
        line = "-" if solid else "--"
        points(part, "x", ax=ax, colour=colour, marker=marker, line=line, hollow=not solid)
        if agent == "network":
            thin(ax, study, name, prefix + side)


def _by_strength(ax, agent, study, name):
    """A fraction of all trials by strength."""
    table = curve_of(study, agent, name)
    colour, marker, _ = look(agent)
    points(table, "x", ax=ax, colour=colour, marker=marker)
    if agent == "network":
        thin(ax, study, name)
    return table


def accuracy(ax, agent, study):
    """Fraction correct by strength, with chance and the exact bound."""
    import pandas as pd

    table = _by_strength(ax, agent, study, "accuracy")
    bound = (
        pd.Series(study.bound, name="value").groupby(study.sessions.strength).agg(["mean", "size"])
    )
    bound = pd.DataFrame(
        {"x": bound.index, "value": bound["mean"], "n": bound["size"], "condition": "exact bound"}
    )
    ax.plot(bound["x"], bound["value"], "_", color="k", ms=7)
    chance(ax=ax)
    of_agent = rows(table, "a", agent=agent, condition="all")
    return pd.concat([of_agent, rows(bound, "a", agent=agent)])


def timeouts(ax, agent, study):
    """Fraction of trials without a choice by strength."""
    return rows(_by_strength(ax, agent, study, "timeouts"), "b", agent=agent)


def concordance(ax, agent, study):
    """Fraction correct by strength, concordant and discordant with the block."""
    table = curve_of(study, agent, "concordance")
    _sides(ax, table, agent, study, "concordance")
    chance(ax=ax)
    return rows(table, "c", agent=agent)


def steps(axes, agent, study):
    """Steps per trial by strength, one panel for correct and one for wrong trials."""
    table = curve_of(study, agent, "steps")
    for name, ax, prefix in zip("de", axes, ("correct, ", "wrong, "), strict=True):
        _sides(ax, table, agent, study, "steps", prefix)
        yield rows(table[table.condition.str.startswith(prefix)], name, agent=agent)


def psychometrics(ax, agent, study, *, second):
    """Right choices by signed strength and block, with the fitted functions (of one agent)."""
    import pandas as pd

    table = curve_of(study, agent, "p_right")
    joined = agent == "network" and study.n_networks > 1
    parts = [rows(table, "f", agent=agent)]
    x = np.linspace(table["x"].min(), table["x"].max(), 101)
    line = "--" if second else "-"
    for fit in psychometric(study.runs[agent]).itertuples():
        (colour, marker) = BLOCKS[round(fit.p_left, 6)]
        condition = f"P(left) = {fit.p_left:g}"
        shown = table[table.condition == condition]
        points(
            shown,
            "x",
            ax=ax,
            colour=colour,
            marker=marker,
            line="-" if joined else "",
            hollow=second,
        )
        if joined:
            thin(ax, study, "p_right", condition, colour=colour)
            continue
        curve = psychometric_curve(
            x, mu=fit.mu, sigma=fit.sigma, gamma1=fit.gamma1, gamma2=fit.gamma2
        )
        ax.plot(x, curve, line, color=colour, lw=0.8)
        fitted = pd.DataFrame({"x": x, "value": curve, "condition": f"fit, {condition}"})
        parts.append(rows(fitted, "f", agent=agent, n=fit.n_trials))
    chance(ax=ax)
    return pd.concat(parts)


def summaries(axes, study):
    """Accuracy, timeouts and both rewards of all agents."""
    table = measures(study, *SUMMARIES)
    for name, ax, (measure, label) in zip("ghij", axes, SUMMARIES.items(), strict=True):
        letter(name, ax=ax)
        part = table[table["measure"] == measure]
        dots(part, look, ax=ax)
        singles(ax, study, measure, 0.35)
        chance(GUESS[measure], ax=ax, vertical=True)
        ax.set_xlabel(label)
        if measure == "correct":
            ax.axvline(study.bound.mean(), color="k", lw=0.8, ls="--")
        yield rows(part, name, condition=measure)
