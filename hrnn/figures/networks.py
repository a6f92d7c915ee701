"""Figure 9: statistics over networks.

It shows every claim, relations between measures, similarity of dynamics, and what settings change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hrnn.agents import look
from hrnn.analysis import similarity
from hrnn.figures.panels import join, only, rows, strip, strips
from hrnn.plot import (
    GREY,
    INK,
    PALE,
    estimate,
    few,
    finish,
    interval,
    letter,
    note,
    page,
    style,
)
from hrnn.populations.claims import CLAIMS
from hrnn.populations.measures import CATALOGUE
from hrnn.statistics.regression import correlation
from hrnn.statistics.resampling import mean_interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase
    from numpy.typing import NDArray

    from hrnn.figures.typing import Records, StudyLike
    from hrnn.populations.claims import Claim


SHOWN = tuple(
    claim for claim in CLAIMS if claim.name[:6] not in ("radd.A", "radd.B")
)  # those are in figure 8
COLUMNS = 4
RELATIONS = (  # abscissa and ordinate: name, label
    (
        ("radd.lambda_1", "slower eigenvalue\nof RADD, |λ|"),
        ("mu0_gap", "use of the prior\nat strength 0"),
    ),
    (
        ("angle_plane", CATALOGUE["angle_plane"].label),
        ("coupling_start_per_prior", "side per\nprior"),
    ),
    (("participation_ratio", "participation\nratio"), ("correct", "fraction\ncorrect")),
)
CHANGED = {
    "correct": "correct",
    "mu0_gap": "prior",
    "variance_pc12": "variance",
    "angle_plane": "angle (°)",
}
SETTINGS = {"n_hidden": "units N", "threshold": "threshold", "loss": "loss", "recipe": "recipe"}
LEVELS = {"nll_of_probability": "−p", "cross_entropy": "−log p"}
KINDS = (("trained", "trained"), ("untrained", "untrained"), ("trained", "untrained"))
COLOUR = look("network")[0]


@style()
def draw(study: StudyLike) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure: (Figure, source data)."""
    if study.n_networks < 2:
        raise ValueError(f"study must be of at least 2 networks, got {study.n_networks}")
    figure = page(247)
    n_rows = -(-len(SHOWN) // COLUMNS)
    top, middle, bottom = strips(figure, [0.43 * n_rows, 0.95, 1.8])
    source = [
        *claims(top, study),
        *relations_and_similarity(middle, study),
        *changes(bottom, study),
    ]
    n = study.variations.groupby(["setting", "level"])["index"].nunique()
    note(
        bottom,
        f"a: dots, {study.n_networks} networks; bars, mean with its 95 % interval, networks and "
        "their sessions resampled; ×, published (one network; +, Cosyne abstract); "
        "a claim holds where the background is white, up to the criterion (vertical lines); "
        "k/K, networks in which it does. Weights of RADD: figure 8a. b–d: one dot a network, "
        "Spearman's ρ. b: the block's time constant, −1/ln |λ| steps. e, f: mean states by "
        "block, side, strength and step, compared for all pairs of networks (dots): linear CKA; "
        "correlation after the best rotation. g: fraction correct, use of the prior at strength "
        "0, variance in two components, angle in their plane; one setting changed at a time, "
        f"fast recipe, {n.min()} networks (dots) at each value (paper's recipe: {n.max()}), "
        f"{study.variations.attrs['n_blocks']} blocks; mean and 95 %.",
    )
    finish(figure)
    return figure, join(source)


def claims(figure: FigureBase, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Every claim: networks, their mean, the published value, and where the claim holds.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    study : StudyLike
        The study.
    """
    import pandas as pd

    table = study.verdicts.set_index("name")
    axes = figure.subplots(-(-len(SHOWN) // COLUMNS), COLUMNS)
    letter("a", ax=axes[0, 0])
    for ax, claim in zip(axes.flat, SHOWN, strict=False):
        row = cast("Any", table.loc[claim.name])
        values = _values(study, claim.name)
        strip(ax, values, np.linspace(-0.4, 0.2, len(values)))
        estimate(row, 0.6, ax=ax, colour=COLOUR)
        for published, marker in ((claim.published, "x"), (claim.cosyne, "+")):
            if published is not None:
                ax.plot(published, 0.6, marker, color=INK, ms=5, mew=1, zorder=5)
        _limits(ax, claim, values)
        _criterion(ax, claim)
        ax.set_title(f"{claim.label}\n{_count(row)}", pad=2)
        ax.set(ylim=(-0.7, 1.1), yticks=[])
        yield rows(pd.DataFrame({"value": values}), "a", condition=claim.name, agent="network")
        yield rows(pd.DataFrame([row]), "a", condition=claim.name, agent="mean")
    for ax in axes.flat[len(SHOWN) :]:
        ax.axis("off")
    if axes.size > len(SHOWN):
        axes.flat[len(SHOWN)].legend(handles=_keys(), loc="center left", borderpad=0)


def _keys() -> list[Artist]:
    """What the symbols of the claims are."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Line2D([], [], color=COLOUR, marker="o", mfc="none", ms=4.5, lw=1.8, label="mean, 95 %"),
        Line2D([], [], color=GREY, marker=".", ms=3.5, lw=0, label="each network"),
        Line2D([], [], color=INK, marker="x", ms=5, lw=0, label="published"),
        Patch(facecolor=PALE, alpha=0.5, label="does not hold"),
    ]


def _values(study: StudyLike, name: str) -> NDArray[np.float64]:
    """A measure of the networks that define it, (n,)."""
    if name not in study.wide:
        return np.empty(0)
    return study.wide[name].dropna().to_numpy(float)


def _count(row: Any) -> str:
    """In how many networks a claim holds, where that is a number."""
    import pandas as pd

    if pd.isna(row.k):
        return "turns on the sessions"
    return f"{row.k:.0f}/{row.of}"


def _limits(ax: Axes, claim: Claim, values: NDArray[np.float64]) -> None:
    """Abscissa around networks, published numbers and the criterion's edges; a few round ticks."""
    ends = (claim.published, claim.cosyne, claim.low, claim.high)
    others = [end for end in ends if end is not None]
    shown = np.array([*values, *others], float)
    shown = shown[np.isfinite(shown)]
    margin = 0.12 * (shown.max() - shown.min()) or 0.1
    ax.set_xlim(shown.min() - margin, shown.max() + margin)
    few(ax.xaxis, 3)


def _criterion(ax: Axes, claim: Claim) -> None:
    """Lines at the edges of the criterion, grey beyond them."""
    for edge, outer in zip((claim.low, claim.high), ax.get_xlim(), strict=True):
        if np.isfinite(edge):
            ax.axvspan(*sorted((edge, outer)), color=PALE, alpha=0.5, lw=0, zorder=0)
            ax.axvline(edge, color=INK, lw=0.8, gid="criterion")


def relations_and_similarity(figure: FigureBase, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Measures against each other; similarity of trajectories.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    study : StudyLike
        The study.
    """
    axes = figure.subplots(1, 5, width_ratios=[1, 1, 1, 0.9, 0.9])
    for name, ax in zip("bcdef", axes, strict=True):
        letter(name, ax=ax)
    for panel, ax, ((x, xlabel), (y, ylabel)) in zip("bcd", axes, RELATIONS, strict=False):
        yield relation(ax, study, x, y, panel)
        ax.set(xlabel=xlabel, ylabel=ylabel)
    compared = ((similarity.cka, "CKA"), (similarity.procrustes, "correlation,\nrotated"))
    for panel, ax, (of, label) in zip("ef", axes[3:], compared, strict=True):
        yield similar(ax, study, of, panel)
        ax.set_ylabel(label)


def relation(ax: Axes, study: StudyLike, x: str, y: str, panel: str) -> pd.DataFrame:
    """Two measures of every network, with the rank correlation.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    x : str
        Measure of the abscissa.
    y : str
        Measure of the ordinate.
    panel : str
        Letter of the panel.
    """
    from scipy.stats import rankdata

    table = study.wide.reindex(columns=[x, y]).dropna()
    ax.plot(table[x], table[y], "o", color=COLOUR, ms=3, mew=0)
    varied = len(table[x].unique()) > 1 and len(table[y].unique()) > 1
    if len(table) > 2 and varied:
        ranks = (rankdata(table[x]), rankdata(table[y]))
        rho = correlation(*ranks, np.arange(len(table)))
        ax.set_title(f"ρ = {interval(rho)}".replace(" [", "\n["))
    renamed = table.rename(columns={x: "x", y: "value"})
    return rows(renamed, panel, condition=f"{y} against {x}")


def similar(ax: Axes, study: StudyLike, of: Callable[..., float], panel: str) -> pd.DataFrame:
    """Similarity of all pairs of networks.

    Pairs are of trained networks, of untrained ones, and of each trained one with the untrained
    others.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    of : callable
        Similarity of the trajectories of two networks.
    panel : str
        Letter of the panel.
    """
    import pandas as pd

    members = study.population.members
    paths = {
        kind: [found.trajectories[kind] for found in members] for kind in ("trained", "untrained")
    }
    table: Records = []
    for x, (first, second) in enumerate(KINDS):
        found = similarity.matrix(paths[first], paths[second], of=of)
        values = _pairs(found, same=first == second)
        mean = similarity.mean_of_pairs(found)
        colour = INK if first == second == "untrained" else COLOUR
        strip(ax, values, x + np.linspace(-0.25, 0.25, len(values)), vertical=True)
        estimate(mean, x, ax=ax, vertical=True, colour=colour)
        table.append({"x": x, "condition": f"{first}, {second}", **vars(mean)})
    names = ["trained", "untrained", "one of each"]
    ax.set_xticks(range(len(KINDS)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set(ylim=(0, 1.02), xlim=(-0.5, 2.5))
    return rows(pd.DataFrame(table), panel)


def _pairs(found: NDArray[np.float64], *, same: bool) -> NDArray[np.float64]:
    """Entries of a matrix of similarities of different networks, each pair of one kind once."""
    n = len(found)
    if same:
        return found[np.triu_indices(n, 1)]
    itself = np.eye(n, dtype=bool)
    return found[~itself]


def changes(figure: FigureBase, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Measures (rows) of networks with one setting changed at a time (columns).

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    study : StudyLike
        The study.
    """
    grid = figure.subplots(len(CHANGED), len(SETTINGS), sharey="row")
    letter("g", ax=grid[0, 0])
    for column, (setting, name) in zip(grid.T, SETTINGS.items(), strict=True):
        part = only(study.variations, setting=setting)
        levels = part.level.unique().tolist()
        for ax, measure in zip(column, CHANGED, strict=True):
            ax.tick_params(labelbottom=ax is column[-1])
            yield _changed(ax, only(part, measure=measure), levels, f"{measure}, {setting}")
        column[-1].set_xticklabels([LEVELS.get(level, level) for level in levels])
        column[-1].set_xlabel(name)
    for row, label in zip(grid, CHANGED.values(), strict=True):
        row[0].set_ylabel(label, rotation=0, ha="right", va="center")
        row[0].margins(y=0.15)


def _changed(ax: Axes, found: pd.DataFrame, levels: Sequence[Any], name: str) -> pd.DataFrame:
    """A measure of networks at each level of a setting."""
    import pandas as pd

    table: Records = []
    for x, level in enumerate(levels):
        values = only(found, level=level)["value"].dropna().to_numpy()
        strip(ax, values, x + 0.15, vertical=True)
        if len(values):
            mean = mean_interval(values)
            estimate(mean, x, ax=ax, vertical=True, colour=COLOUR)
            table.append({"x": x, "condition": f"{name} {level}", **vars(mean)})
    ax.set(xlim=(-0.5, len(levels) - 0.5), xticks=range(len(levels)))
    return rows(pd.DataFrame(table), "g")
