"""Figure 10: mice. Models of their choices compared and tested.

Beside them the same measures of networks and Bayesian agents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from hrnn.agents import look
from hrnn.choice.models import LABELS, SHORT_LABELS
from hrnn.choice.side_by_side import MEASURES as OF_CHOICES
from hrnn.figures.panels import join, only, records, rows, singles, strip, strips
from hrnn.plot import (
    GREY,
    INK,
    band,
    chance,
    estimate,
    few,
    finish,
    letter,
    note,
    page,
    points,
    style,
)
from hrnn.populations import curves
from hrnn.populations.measures import CATALOGUE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase
    from numpy.typing import NDArray

    from hrnn.choice.side_by_side import Beside
    from hrnn.figures.typing import StudyLike


MICE = look("mice")
MEASURES = {name: CATALOGUE[f"choices_{name}"].label for name in OF_CHOICES}
MOST_TRIALS = 40


@style()
def draw(study: StudyLike) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure: (Figure, source data)."""
    found = _beside(study)
    figure = page(245)
    top, changes, measured, bottom = strips(figure, [1.3, 0.9, 1.1, 1.6])
    source = [
        *models(top, found),
        *after_change(changes, study),
        *measures(measured, study),
        *following(bottom, found),
    ]
    note(bottom, _words(found, several=study.n_networks > 1))
    finish(figure)
    return figure, join(source)


def _beside(study: StudyLike) -> Beside:
    """Mice beside agents, of a study that has mice."""
    if study.beside is None:
        raise ValueError("study.mice must be the mice's trial table, got None")
    return study.beside


def _words(found: Beside, *, several: bool) -> str:
    """The note of the figure."""
    n_mice = found.comparison.n_subjects[0]
    n_trials = found.fits["mice", "action_kernel"].n_trials.sum()
    if several:
        change = "; RNN, networks and their sessions resampled; others, sessions"
        each = "each mouse and network"
        units = "mice, and networks with their sessions,"
    else:
        change = ", sessions resampled"
        each = "each mouse"
        units = "mice"
    return (
        f"{n_mice} mice, {n_trials} choices; agents in their own task. "
        "a: left-out sessions, paired by mouse with the best model (bars: 95 %, mice resampled). "
        "b: each mouse; named, where a model tells less than the mouse's own rate of right choices "
        "(0 bits). c: parameters of simulated mice found again, 95 % intervals with errors "
        "clustered by session (Student's t). d: per cent of simulated mice that the BIC gives to "
        "each model. e: choices of the new block's side at contrast 0 after a change, in bins of "
        f"at least {curves.MIN_N} trials (bands: 95 %{change}). "
        f"f–k: small, {each}; bars, 95 % ({units} resampled; other agents: errors clustered by "
        "session, where there are). l: P(right) at contrast 0 in right less left blocks, mice in "
        f"order; grey bars, 95 % of {found.n_pseudo} pseudo-sessions of the rig, which any memory "
        f"exceeds; black, of {found.n_pseudo} simulated mice that only repeat their last choice."
    )


# ---- models ----


def models(figure: FigureBase, found: Beside) -> Iterator[pd.DataFrame]:
    """Comparison, mouse by mouse, recovery, confusion.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    found : Beside
        Mice beside agents.
    """
    a, b, c, d = figure.subplots(1, 4, width_ratios=[1.25, 1, 1, 1.1])
    for name, ax in zip("abcd", (a, b, c, d), strict=True):
        letter(name, ax=ax)
    yield from compared(a, found.comparison)
    yield scatter(b, found)
    yield recovered(c, found)
    yield confused(d, found)


def compared(ax: Axes, table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Bits per trial in left-out sessions less those of the best model.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    table : DataFrame
        One row per model, of `choice.compare`.
    """
    renamed = table.assign(
        value=table.difference,
        low=table.difference_low,
        high=table.difference_high,
        n=table.n_subjects,
    )
    for y, row in enumerate(records(renamed)):
        estimate(row, y, ax=ax)
    ax.set_yticks(range(len(table)), labels_of(table, table.model, LABELS))
    ax.set(ylim=(len(table) - 0.5, -0.5), xlabel="bits per trial,\nless the best model")
    ax.axvline(0, color="0.8", lw=0.6, zorder=0)
    best = table.iloc[0]
    ax.set_title(f"best: {best.bits_per_trial:.3f} [{best.low:.3f}, {best.high:.3f}]")
    yield rows(
        renamed.reindex(columns=["value", "low", "high", "n"]),
        "a",
        agent="mice",
        condition=table.model,
    )


def labels_of(table: pd.DataFrame, names: Iterable[str], known: dict[str, str]) -> list[str]:
    """What to call models: as a comparison's table says of a user's, as known, or their names.

    Parameters
    ----------
    table : DataFrame
        A comparison or a confusion, whose `attrs` may have labels of a user's models.
    names : iterable of str
        Names of the models.
    known : dict of str to str
        Labels of the models that hrnn has.
    """
    called = known | table.attrs.get("labels", {})
    return [called.get(name, name) for name in names]


def exceedance(ax: Axes, table: pd.DataFrame) -> pd.DataFrame:
    """Probability that a model is the most frequent one.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    table : DataFrame
        One row per model, of `choice.compare`.
    """
    y = np.arange(len(table))
    ax.hlines(y, 0, table.exceedance, color=GREY, lw=3)
    ax.plot(table.exceedance, y, "o", color=INK, ms=3, mew=0)
    for height, value in zip(y, table.exceedance, strict=True):
        ax.annotate(
            f"{value:.3f}", (value, height), (5, 0), textcoords="offset points", va="center"
        )
    ax.set(xlabel="exceedance probability", xlim=(0, 1.25), xticks=(0, 0.5, 1))
    values = table.assign(value=table.exceedance, n=table.n_subjects)
    values = values.reindex(columns=["value", "n"])
    return rows(values, "b", agent="mice", condition=table.model)


def scatter(ax: Axes, found: Beside) -> pd.DataFrame:
    """Bits per trial of each mouse under the action kernel and the semi-Markov observer.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    found : Beside
        Mice beside agents.
    """
    import pandas as pd

    action = found.fits["mice", "action_kernel"].bits_per_trial
    bayes = found.fits["mice", "semi_markov"].bits_per_trial
    names = found.fits["mice", "action_kernel"].names["subject"]
    low = min(bayes.min(), action.min())
    high = max(bayes.max(), action.max())
    ends = [low - 0.03, high + 0.03]
    ax.plot(ends, ends, color="0.8", lw=0.6, zorder=0)
    ax.plot(bayes, action, MICE[1], color=MICE[0], ms=3, mew=0, alpha=0.7)
    for name, x, y in zip(names, bayes, action, strict=True):
        if min(x, y) < 0:
            ax.annotate(name, (x, y), (-2, -4), textcoords="offset points", va="top")
    ax.set(xlabel="Bayes, semi-Markov\n(bits per trial)", ylabel="action kernel", aspect="equal")
    ax.set(xlim=ends, ylim=ends)
    return rows(pd.DataFrame({"x": bayes, "value": action}), "b", agent=names)


def recovered(ax: Axes, found: Beside) -> pd.DataFrame:
    """Rates of the action kernel, true and found again.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    found : Beside
        Mice beside agents.
    """
    table = only(found.recovery, parameter="alpha")
    table = table.assign(value=table.estimate)
    ends = [0, 1.1 * max(table.truth.max(), table.estimate.max())]
    ax.plot(ends, ends, color="0.8", lw=0.6, zorder=0)
    points(table, "truth", ax=ax, colour=INK, line="", hollow=True, bar=1)
    ax.set(xlabel="true α", ylabel="estimated α", xlim=ends, ylim=ends, aspect="equal")
    return rows(table, "c", x="truth", agent="simulated")


def confused(ax: Axes, found: Beside) -> pd.DataFrame:
    """Which model wins on choices that another made.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    found : Beside
        Mice beside agents.
    """
    from cmcrameri import cm

    table = found.confusion
    shown = ax.imshow(table, cmap=cm.cmaps["oslo_r"], vmin=0, vmax=1)
    for (i, j), value in np.ndenumerate(table.to_numpy()):
        colour = INK if luminance(shown.to_rgba(value)) > 0.18 else "w"
        ax.annotate(f"{100 * value:.0f}", (j, i), ha="center", va="center", color=colour)
    names = labels_of(table, table.index, SHORT_LABELS)
    ax.set_xticks(range(len(names)), names, rotation=90)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="winner", ylabel="made by")
    long = cast("pd.Series", table.stack()).reset_index(name="value")
    return rows(long, "d", agent=long["true"], condition=long["winner"])


def luminance(colour: Sequence[float] | NDArray[np.float64]) -> float:
    """Relative luminance of an sRGB colour, from 0 (black) to 1 (white), as WCAG 2.1 defines it.

    Examples
    --------
    >>> luminance((1, 1, 1)), luminance((0, 0, 0, 1))
    (1.0, 0.0)
    """
    channel = np.asarray(colour[:3], float)
    curved = ((channel + 0.055) / 1.055) ** 2.4
    linear = np.where(channel <= 0.04045, channel / 12.92, curved)
    return float(linear @ [0.2126, 0.7152, 0.0722])


# ---- beside agents ----


def _look(population: str) -> tuple[str, str, str]:
    """Colour, marker and name of mice or an agent, on one line."""
    colour, marker, name = look(population)
    return colour, marker, name.replace("\n", " ")


def after_change(figure: FigureBase, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Use of the prior at contrast 0 after a change of block, one panel each.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    study : StudyLike
        The study.
    """
    found = _beside(study)
    tables = {"mice": found.mice, **found.agents}
    axes = np.atleast_1d(figure.subplots(1, len(tables), sharey=True))
    letter("e", ax=axes[0])
    for ax, (name, trials) in zip(axes, tables.items(), strict=True):
        several = name == "network" and study.n_networks > 1
        table = study.curve("new_side") if several else curves.new_side(trials)
        shown = table.loc[table.x < MOST_TRIALS]
        colour, marker, title = _look(name)
        band(shown, "x", ax=ax, colour=colour)
        ax.plot(shown["x"], shown["value"], marker, color=colour, ms=2.5, mew=0)
        chance(ax=ax)
        ax.set(title=title, xlabel="trials since the change", ylim=(0, 1), xlim=(-1, MOST_TRIALS))
        ax.set(xticks=(0, MOST_TRIALS // 2, MOST_TRIALS), yticks=(0, 0.5, 1))
        yield rows(shown.reindex(columns=["x", "value", "low", "high", "n"]), "e", agent=name)
    axes[0].set_ylabel("takes new side")


def measures(figure: FigureBase, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Every measure in its own panel, every population in its own row.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    study : StudyLike
        The study.
    """
    found = _beside(study)
    axes = figure.subplots(1, len(MEASURES), sharey=True)
    for panel, ax, (measure, label) in zip("fghijk", axes, MEASURES.items(), strict=True):
        letter(panel, ax=ax)
        table = _with_networks(found.population(measure), study, measure)
        each = only(found.measures, measure=measure, population="mice")
        strip(ax, each.value.to_numpy(), 0.3)
        singles(ax, study, f"choices_{measure}", 1.3)
        for y, row in enumerate(records(table)):
            colour, marker, _ = _look(row.population)
            estimate(row, y, ax=ax, colour=colour, marker=marker)
        ax.axvline(0, color="0.8", lw=0.6, zorder=0)
        ax.set_xlabel(label)
        ax.margins(x=0.12)
        few(ax.xaxis, 3)
        yield rows(table.rename(columns={"population": "agent"}), panel, condition=measure)
        yield rows(each.reindex(columns=["value"]), panel, agent="mice", condition="each mouse")
    axes[0].set_yticks(range(len(table)), [_look(name)[2] for name in table.population])
    axes[0].set_ylim(len(table) - 0.5, -0.5)


def _with_networks(table: pd.DataFrame, study: StudyLike, measure: str) -> pd.DataFrame:
    """The row of the first network replaced by the mean over networks, where there are several."""
    mean = study.over_networks.get(f"choices_{measure}")
    if mean is not None:
        row = (mean.value, mean.low, mean.high, mean.n)
        table.loc[table.population == "network", ["value", "low", "high", "n"]] = row
    return table


def following(figure: FigureBase, found: Beside) -> Iterator[pd.DataFrame]:
    """Difference between blocks at contrast 0 of each mouse, the greatest first.

    Beside them what pseudo-sessions give, and mice that repeat themselves.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    found : Beside
        Mice beside agents.
    """
    ax = figure.subplots()
    letter("l", ax=ax)
    table = found.following.sort_values("value", ascending=False, ignore_index=True)
    x = np.arange(len(table))
    ax.vlines(x - 0.15, table.null_low, table.null_high, color=GREY, lw=2)
    ax.vlines(x + 0.15, table.repeating_low, table.repeating_high, color=INK, lw=0.8)
    ax.plot(x, table.value, MICE[1], color=MICE[0], ms=3.5, mew=0)
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.set(ylabel="difference\nbetween blocks", xlim=(-0.7, len(table) - 0.3))
    ax.set_xticks(x, table.subject, rotation=90)
    of_mice = table.assign(x=x).reindex(columns=["x", "value", "n"])
    yield rows(of_mice, "l", agent=table.subject, condition="mouse")
    for name, condition in (
        ("null", "pseudo-sessions"),
        ("repeating", "mice that repeat themselves"),
    ):
        columns = {
            "value": table[f"{name}_mean"],
            "low": table[f"{name}_low"],
            "high": table[f"{name}_high"],
        }
        null = table.assign(x=x, **columns)
        null = null.reindex(columns=["x", "value", "low", "high", "n"])
        yield rows(null, "l", agent=table.subject, condition=condition)
