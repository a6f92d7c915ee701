"""Figure 2: behaviour beside every baseline, on the same sessions. One column per agent, so that no curves overlap."""

import numpy as np

from hrnn import behavior
from hrnn.figures import counts, join, measures, rows
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
    for column, (agent, run) in zip(grid.T, study.runs.items(), strict=True):
        column[0].set_title(look(agent)[2])
        source += [accuracy(column[0], agent, run, study), concordance(column[1], agent, run)]
        source += [*steps(column[2:4], agent, run), psychometrics(column[4], agent, run)]
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


def _side(ax, table, agent, *, solid):
    colour, marker, _ = look(agent)
    points(table, "strength", ax=ax, colour=colour, marker=marker, line="-" if solid else "--", hollow=not solid)


def accuracy(ax, agent, run, study):
    """Fraction correct by strength, with chance and the exact bound."""
    import pandas as pd

    table = behavior.by_strength(run, by=("strength",)).query("measure == 'correct'")
    bound = pd.Series(study.bound, name="value").groupby(study.sessions.strength).agg(["mean", "size"])
    bound = pd.DataFrame({"x": bound.index, "value": bound["mean"], "n": bound["size"], "condition": "exact bound"})
    ax.plot(bound["x"], bound["value"], "_", color="k", ms=7)
    _side(ax, table, agent, solid=True)
    chance(ax=ax)
    return pd.concat([rows(table, "a", x="strength", agent=agent, condition="all"), rows(bound, "a", agent=agent)])


def concordance(ax, agent, run):
    """Fraction correct by strength, concordant and discordant with the block."""
    table = behavior.by_strength(run, by=("strength", "concordant")).query("measure == 'correct'")
    for value in (True, False):
        _side(ax, table[table["concordant"] == value], agent, solid=value)
    chance(ax=ax)
    return rows(table, "b", x="strength", agent=agent, condition=_names(table))


def _names(table):
    return np.where(table["concordant"], "concordant", "discordant")


def steps(axes, agent, run):
    """Steps per trial by strength, one panel for correct and one for wrong trials."""
    table = behavior.chronometric(run)
    for name, ax, correct in zip("cd", axes, (True, False), strict=True):
        part = table[table["correct"] == correct]
        for value in (True, False):
            _side(ax, part[part["concordant"] == value], agent, solid=value)
        yield rows(part, name, x="strength", agent=agent, condition=_names(part))


def psychometrics(ax, agent, run):
    """Right choices by signed strength and block, with the fitted functions."""
    import pandas as pd

    table = behavior.by_strength(run, by=("p_left", "signed_strength")).query("measure == 'p_right' and n > 0")
    x = np.linspace(table["signed_strength"].min(), table["signed_strength"].max(), 101)
    parts = [rows(table, "e", x="signed_strength", agent=agent, condition=[f"P(left) = {p:g}" for p in table["p_left"]])]
    for fit in psychometric(run).itertuples():
        colour, marker = BLOCKS[round(fit.p_left, 6)]
        curve = psychometric_curve(x, mu=fit.mu, sigma=fit.sigma, gamma1=fit.gamma1, gamma2=fit.gamma2)
        ax.plot(x, curve, color=colour, lw=0.8)
        points(table[table["p_left"] == fit.p_left], "signed_strength", ax=ax, colour=colour, marker=marker, line="")
        fitted = pd.DataFrame({"x": x, "value": curve, "condition": f"fit, P(left) = {fit.p_left:g}"})
        parts.append(rows(fitted, "e", agent=agent, n=fit.n_trials))
    chance(ax=ax)
    return pd.concat(parts)


def rewards(axes, study):
    """Accuracy and both rewards of all agents."""
    table = measures(study, *REWARDS)
    for name, ax, (measure, label) in zip("fgh", axes, REWARDS.items(), strict=True):
        letter(name, ax=ax)
        part = table[table["measure"] == measure]
        dots(part, ax=ax)
        chance(GUESS[measure], ax=ax, vertical=True)
        ax.set_xlabel(label)
        if measure == "correct":
            ax.axvline(study.bound.mean(), color="k", lw=0.8, ls="--")
        yield rows(part, name, condition=measure)
