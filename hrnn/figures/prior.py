"""Figure 3: use of the prior.

It is seen in trials of strength 0, after changes of block, and as threshold and penalty vary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hrnn.agents import AFTER_CHANGE, POLICIES, SWEPT, look
from hrnn.figures.panels import (
    counts,
    curve_of,
    join,
    measures,
    only,
    rows,
    singles,
    strip,
    strips,
    thin,
)
from hrnn.plot import band, chance, dots, finish, letter, note, page, points, style
from hrnn.populations.curves import MIN_N
from hrnn.populations.measures import labels
from hrnn.statistics import resampling

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase
    from numpy.typing import NDArray

    from hrnn.figures.typing import StudyLike


MEASURES = labels("correct", "steps_per_trial")


@style()
def draw(study: StudyLike) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure: (Figure, source data)."""
    figure = page(215)
    top, middle, bottom = strips(figure, [1, 1.35, 1.5])
    source = [
        *zero(top.subplots(1, 2, sharey=True), study),
        *changes(middle, study),
        *sweeps(bottom, study),
    ]
    networks = only(study.thresholds, agent="network")["network"].nunique()
    note(
        bottom,
        counts(study)
        + " Dotted: chance. b: means in bins of trials since the change, as wide as the gaps "
        f"between points; first blocks left out, bins with n < {MIN_N} dropped (long blocks are "
        f"rare). c, d: RNN, {networks} networks retrained at each value (small dots), mean with "
        "Student's 95 % interval, each in sessions of its own; other agents: sessions resampled. "
        "Caution: networks are not trained on reward; the wait penalty reaches them only as an "
        "input (d), while for the optimal policy it is the objective (e).",
    )
    finish(figure)
    return figure, join(source)


def zero(axes: Sequence[Axes], study: StudyLike) -> Iterator[pd.DataFrame]:
    """Fraction correct at strength 0, concordant with the block and discordant.

    Parameters
    ----------
    axes : sequence of Axes
        Two panels.
    study : StudyLike
        The study.
    """
    table = measures(study, "mu0_concordant", "mu0_discordant")
    letter("a", ax=axes[0])
    for ax, kind in zip(axes, ("concordant", "discordant"), strict=True):
        part = only(table, measure=f"mu0_{kind}")
        dots(part, look, ax=ax)
        singles(ax, study, f"mu0_{kind}", 0.35)
        chance(ax=ax, vertical=True)
        ax.set(xlim=(-0.02, 1.02), xlabel="fraction correct (a timeout is wrong)")
        ax.set_title(f"strength 0, {kind} with the block")
        yield rows(part, "a", condition=f"strength 0, {kind}")


def changes(figure: FigureBase, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Fraction correct by trials since the block changed, one column per agent, and n per bin.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    study : StudyLike
        The study.
    """
    grid = figure.subplots(2, len(AFTER_CHANGE) + 1, sharex=True)
    letter("b", ax=grid[0, 0])
    for row, name in zip(grid, ("all strengths", "strength 0"), strict=True):
        row[0].set_ylabel(f"fraction correct,\n{name}")
        for ax, agent in zip(row, AFTER_CHANGE, strict=False):
            table = only(curve_of(study, agent, "after_change"), condition=name)
            colour, marker, label = look(agent)
            band(table, "x", ax=ax, colour=colour)
            ax.plot(table["x"], table["value"], marker, color=colour, ms=2.5, mew=0)
            if agent == "network":
                thin(ax, study, "after_change", name)
            chance(ax=ax)
            ax.set(ylim=(0, 1), xlim=(-2, study.task.block_max), xticks=(0, 25, 50, 75, 100))
            ax.set_title(label if name == "all strengths" else "")
            ax.tick_params(labelleft=ax is row[0])
            yield rows(table, "b", agent=agent)
        row[-1].plot(table["x"], table["n"], "o-", color="k", ms=2.5, mew=0, lw=0.8)
        row[-1].set(ylim=(0, None), ylabel="trials per bin, n")
    grid[0, -1].set_title("n of\none agent")
    label = "trials since the block changed (0: the first of the new block)"
    grid[1, len(AFTER_CHANGE) // 2].set_xlabel(label)


def sweeps(figure: FigureBase, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Accuracy and steps against threshold and penalty.

    Networks and optimal policies never share a panel.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    study : StudyLike
        The study.
    """
    columns = [("c", "threshold", agent) for agent in ("network", *SWEPT["threshold"])]
    columns += [("d", "wait_penalty", "network")]
    columns += [("e", "wait_penalty", agent) for agent in POLICIES]
    grid = figure.subplots(len(MEASURES), len(columns), sharex="col")
    for column, (name, setting, agent) in zip(grid.T, columns, strict=True):
        column[0].set_title(look(agent)[2])
        found = study.thresholds if setting == "threshold" else study.penalties
        for ax, measure in zip(column, MEASURES, strict=True):
            table = _sweep(found, setting, agent, measure)
            colour, marker, _ = look(agent)
            points(table, setting, ax=ax, colour=colour, marker=marker)
            _each(ax, only(found, agent=agent), setting, measure)
            yield rows(table, name, x=setting, agent=agent, condition=f"{measure} by {setting}")
        column[1].set_xlabel("threshold" if setting == "threshold" else "wait penalty")
    _share(grid, columns)


def _each(ax: Axes, found: pd.DataFrame, setting: str, measure: str) -> None:
    """The single networks at each value, beside the mean of so few."""
    beside = 0.03 * (found[setting].max() - found[setting].min())
    for x, part in found.groupby(setting):
        if 1 < len(part) < resampling.FEW:
            strip(ax, part[measure].to_numpy(), x + beside, vertical=True)


def _sweep(table: pd.DataFrame, setting: str, agent: str, measure: str) -> pd.DataFrame:
    """One row per setting: value and interval, over (n) networks where there are several.

    Those of one agent are over sessions.
    """
    import pandas as pd

    found = []
    for x, part in only(table, agent=agent).groupby(setting):
        if len(part) > 1:
            mean = resampling.mean_interval(part[measure].to_numpy())
            found.append((x, mean.value, mean.low, mean.high, len(part)))
        else:
            ends = part.iloc[0][[measure, f"{measure}_low", f"{measure}_high"]]
            found.append((x, *ends, None))
    return pd.DataFrame(found, columns=[setting, "value", "low", "high", "n"])


def _share(grid: NDArray[Any], columns: Sequence[tuple[str, str, str]]) -> None:
    """One ordinate per group of panels, around its data; letters and labels at its left."""
    for row, (measure, label) in zip(grid, MEASURES.items(), strict=True):
        for name in "cde":
            group = [ax for ax, column in zip(row, columns, strict=True) if column[0] == name]
            ends = [ax.dataLim.intervaly for ax in group]
            low = min(end[0] for end in ends)
            high = max(end[1] for end in ends)
            margin = 0.08 * (high - low)
            for ax in group:
                ax.set_ylim(low - margin, high + margin)
                ax.tick_params(labelleft=ax is group[0])
            group[0].set_ylabel(label)
            if measure == "correct":
                letter(name, ax=group[0])
