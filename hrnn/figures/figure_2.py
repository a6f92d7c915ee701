"""Figure 2: behaviour beside every baseline, on the same sessions. One column per agent, so that no curves overlap."""

import numpy as np

from hrnn.figures import counts, curve_of, join, measures, rows, singles, thin
from hrnn.plot import BLOCKS, chance, dots, finish, letter, look, note, page, points, style
from hrnn.psychometric import psychometric, psychometric_curve

REWARDS = {"correct": "fraction correct, all trials", "reward_per_trial": "reward per trial", "reward_per_step": "reward per step"}
GUESS = {"correct": 0.5, "reward_per_trial": 0, "reward_per_step": 0}  # of a guess at the first observation


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    figure = page(235)
    top, bottom = figure.subfigures(2, 1, height_ratios=[3.1, 1])
    grid = top.subplots(5, len(study.runs), sharey="row")
    source = []
    for column, agent in zip(grid.T, study.runs, strict=True):
        column[0].set_title(look(agent)[2])
        source += [accuracy(column[0], agent, study), concordance(column[1], agent, study)]
        source += [*steps(column[2:4], agent, study), psychometrics(column[4], agent, study)]
    _label(top, grid, study)
    source += rewards(bottom.subplots(1, 3, sharey=True), study)
    note(bottom, counts(study) + " Dotted: chance (f–h: a guess at the first observation). Black bars in a, dashed in f: "
         "exact bound, the ideal observer of all observations. A timeout is wrong. The networks are not trained on reward.")
    finish(figure)
    return figure, join(source)


def _label(figure, grid, study):
    """Letters, labels and ticks that the panels of a row share, and the legend."""
    labels = ("fraction correct\n(all trials)", "fraction correct", "steps per trial,\ncorrect", "steps per trial,\nwrong",
              "P(right | choice)")
    for name, label, row in zip("abcde", labels, grid, strict=True):
        letter(name, ax=row[0])
        row[0].set_ylabel(label)
        for ax in row:
            ax.set_xticks([-2, 0, 2] if name == "e" else [0, 1, 2])
            ax.tick_params(labelbottom=name in "de")
    middle = len(study.runs) // 2
    grid[3, middle].set_xlabel("strength μ (sd of an observation)")
    grid[4, middle].set_xlabel("signed strength (sd of an observation, right > 0)")
    for row, ends in ((0, (-0.04, 1.06)), (1, (-0.04, 1.06)), (4, (-0.04, 1.04))):
        grid[row, 0].set_ylim(*ends)
    longest = study.task.n_blank + study.task.n_obs_max
    for row in (2, 3):
        grid[row, 0].set(ylim=(study.task.n_blank, longest + 1.5), yticks=range(study.task.n_blank + 1, longest + 1, 3))
    figure.legend(handles=_keys(), loc="outside lower center", ncols=5, columnspacing=1.2)


def _keys():
    from matplotlib.lines import Line2D

    def key(label, **options):
        return Line2D([], [], ms=3.5, mew=0.6, lw=0.8, label=label, **options)

    return [
        key("b–d: concordant with the block", color="k", marker="o"),
        key("discordant", color="k", marker="o", mfc="w", ls="--"),
        *(key(f"{'e: ' if p == 0.2 else ''}P(left) = {p}", color=BLOCKS[p][0], marker=BLOCKS[p][1]) for p in (0.2, 0.8)),
        Line2D([], [], color="k", marker="_", ms=7, ls="", label="a: exact bound"),
    ]


def _sides(ax, table, agent, study, name, prefix=""):
    """Concordant and discordant trials of a curve."""
    colour, marker, _ = look(agent)
    for side, solid in (("concordant", True), ("discordant", False)):
        part = table[table.condition == prefix + side]
        points(part, "x", ax=ax, colour=colour, marker=marker, line="-" if solid else "--", hollow=not solid)
        if agent == "network":
            thin(ax, study, name, prefix + side)


def accuracy(ax, agent, study):
    """Fraction correct by strength, with chance and the exact bound."""
    import pandas as pd

    table, (colour, marker, _) = curve_of(study, agent, "accuracy"), look(agent)
    bound = pd.Series(study.bound, name="value").groupby(study.sessions.strength).agg(["mean", "size"])
    bound = pd.DataFrame({"x": bound.index, "value": bound["mean"], "n": bound["size"], "condition": "exact bound"})
    ax.plot(bound["x"], bound["value"], "_", color="k", ms=7)
    points(table, "x", ax=ax, colour=colour, marker=marker)
    if agent == "network":
        thin(ax, study, "accuracy")
    chance(ax=ax)
    return pd.concat([rows(table, "a", agent=agent, condition="all"), rows(bound, "a", agent=agent)])


def concordance(ax, agent, study):
    """Fraction correct by strength, concordant and discordant with the block."""
    table = curve_of(study, agent, "concordance")
    _sides(ax, table, agent, study, "concordance")
    chance(ax=ax)
    return rows(table, "b", agent=agent)


def steps(axes, agent, study):
    """Steps per trial by strength, one panel for correct and one for wrong trials."""
    table = curve_of(study, agent, "steps")
    for name, ax, prefix in zip("cd", axes, ("correct, ", "wrong, "), strict=True):
        _sides(ax, table, agent, study, "steps", prefix)
        yield rows(table[table.condition.str.startswith(prefix)], name, agent=agent)


def psychometrics(ax, agent, study):
    """Right choices by signed strength and block, with the fitted functions (of one agent)."""
    import pandas as pd

    table = curve_of(study, agent, "p_right")
    several = agent == "network" and study.n_networks > 1
    parts, x = [rows(table, "e", agent=agent)], np.linspace(table["x"].min(), table["x"].max(), 101)
    for fit in psychometric(study.runs[agent]).itertuples():
        (colour, marker), condition = BLOCKS[round(fit.p_left, 6)], f"P(left) = {fit.p_left:g}"
        points(table[table.condition == condition], "x", ax=ax, colour=colour, marker=marker, line="-" if several else "")
        if several:
            thin(ax, study, "p_right", condition, colour=colour)
            continue
        curve = psychometric_curve(x, mu=fit.mu, sigma=fit.sigma, gamma1=fit.gamma1, gamma2=fit.gamma2)
        ax.plot(x, curve, color=colour, lw=0.8)
        parts.append(rows(pd.DataFrame({"x": x, "value": curve, "condition": f"fit, {condition}"}), "e", agent=agent, n=fit.n_trials))
    chance(ax=ax)
    return pd.concat(parts)


def rewards(axes, study):
    """Accuracy and both rewards of all agents."""
    table = measures(study, *REWARDS)
    for name, ax, (measure, label) in zip("fgh", axes, REWARDS.items(), strict=True):
        letter(name, ax=ax)
        part = table[table["measure"] == measure]
        dots(part, ax=ax)
        singles(ax, study, measure, 0.3)
        chance(GUESS[measure], ax=ax, vertical=True)
        ax.set_xlabel(label)
        if measure == "correct":
            ax.axvline(study.bound.mean(), color="k", lw=0.8, ls="--")
        yield rows(part, name, condition=measure)
