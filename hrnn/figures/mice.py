"""The mice: psychometric functions per block.

They have two lapses, and standard errors for each mouse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from hrnn.behavior.measures import by_strength
from hrnn.behavior.psychometric_function import PARAMETERS, psychometric, psychometric_curve
from hrnn.figures.panels import join, only, records, rows, strips
from hrnn.plot import blocks, chance, finish, letter, note, page, points, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hrnn.figures.typing import StudyLike


LABELS = {
    "mu": "bias μ\n(contrast)",
    "sigma": "width σ\n(contrast)",
    "gamma1": "lapse\non the left",
    "gamma2": "lapse\non the right",
}
Z = 1.96
MIN_SHARE = 0.01


@style()
def draw(study: StudyLike) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure: (Figure, source data)."""
    if study.mice is None:
        raise ValueError("study.mice must be the mice's trial table, got None")
    fits = psychometric(study.mice)
    p_left = sorted(fits["p_left"].unique())
    figure = page(200)
    top, bottom = strips(figure, [1, 2.4])
    axes = np.atleast_1d(top.subplots(1, len(p_left), sharey=True)).tolist()
    source = curves(axes, study.mice, fits, p_left)
    source += parameters(bottom.subplots(len(PARAMETERS), 1, sharex=True), fits)
    n_mice = fits["subject"].nunique()
    note(
        bottom,
        f"a: thin lines are fits, one per mouse ({n_mice} mice); symbols: all their choices, 95 % "
        f"intervals, mice resampled; contrasts of less than {MIN_SHARE:.0%} of the trials left "
        "out. b–e: maximum likelihood, bars ± 1.96 standard errors; hollow: no standard error "
        "(at a bound, or not determined by the data). No-go trials left out.",
    )
    finish(figure)
    return figure, join(source)


def curves(
    axes: Sequence[Axes], mice: pd.DataFrame, fits: pd.DataFrame, p_left: Sequence[float]
) -> list[pd.DataFrame]:
    """Fitted functions of all mice and the fraction of right choices, one panel per block.

    Parameters
    ----------
    axes : sequence of Axes
        One for each block.
    mice : DataFrame
        Trial table of the mice.
    fits : DataFrame
        Of `psychometric`, one row per mouse and block.
    p_left : sequence of float
        P(left) of the blocks, one for each panel.
    """
    import pandas as pd

    table = only(by_strength(mice, by=("p_left", "signed_strength")), measure="p_right")
    n = cast("pd.Series", table.groupby("p_left", observed=True)["n"].transform("sum"))
    table = table.loc[table["n"] >= MIN_SHARE * n]
    x = np.linspace(-1, 1, 201)
    source: list[pd.DataFrame] = []
    letter("a", ax=axes[0])
    axes[0].set_ylabel("P(right | choice)")
    looks = blocks(p_left)
    for ax, block in zip(axes, p_left, strict=True):
        colour, marker = looks[block]
        name = f"P(left) = {block:g}"
        for fit in records(only(fits, p_left=block)):
            fitted_to = {key: getattr(fit, key) for key in PARAMETERS}
            curve = psychometric_curve(x, **fitted_to)
            ax.plot(x, curve, color=colour, lw=0.4, alpha=0.5)
            drawn = pd.DataFrame({"x": x, "value": curve, "condition": f"fit, {name}"})
            source.append(rows(drawn, "a", agent=fit.subject, n=fit.n_trials))
        part = only(table, p_left=block)
        points(part, "signed_strength", ax=ax, marker=marker, line="")
        chance(ax=ax)
        ax.set(
            title=name, xlabel="signed contrast (right > 0)", xlim=(-1.05, 1.05), ylim=(-0.02, 1.02)
        )
        source.append(rows(part, "a", x="signed_strength", agent="all mice", condition=name))
    return source


def parameters(axes: Sequence[Axes], fits: pd.DataFrame) -> list[pd.DataFrame]:
    """Each parameter of each mouse and block, with its standard error.

    Parameters
    ----------
    axes : sequence of Axes
        One for each of PARAMETERS.
    fits : DataFrame
        Of `psychometric`, one row per mouse and block.
    """
    subjects = sorted(fits["subject"].unique())
    looks = blocks(fits["p_left"])
    apart = 0.5 / max(len(looks) - 1, 2)
    source: list[pd.DataFrame] = []
    for panel, ax, name in zip("bcde", axes, PARAMETERS, strict=True):
        letter(panel, ax=ax)
        for k, (p_left, part) in enumerate(fits.groupby("p_left", observed=True)):
            condition = f"P(left) = {p_left:g}"
            middle = (len(looks) - 1) / 2
            place = part["subject"].map(subjects.index) + apart * (k - middle)
            table = _with_errors(part, name).assign(x=place)
            _values(ax, table, looks[cast("float", p_left)], condition)
            table = table.assign(agent=table["subject"], condition=f"{name}, {condition}")
            source.append(rows(table, panel))
        ax.set(ylabel=LABELS[name], xlim=(-0.7, len(subjects) - 0.3))
        for between in np.arange(len(subjects) - 1) + 0.5:
            ax.axvline(between, color="0.9", lw=0.4, zorder=0)
    axes[0].axhline(0, color="0.5", lw=0.8, ls=":")
    axes[0].legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    axes[-1].set_xticks(range(len(subjects)), subjects, rotation=90)
    axes[-1].set_xlabel("mouse")
    return source


def _with_errors(fits: pd.DataFrame, name: str) -> pd.DataFrame:
    """Fits with one parameter as `value, low, high`, n trials, and whether it is `bare` of bars."""
    half = Z * fits[f"se_{name}"]
    value = fits[name]
    return fits.assign(
        value=value, low=value - half, high=value + half, bare=half.isna(), n=fits["n_trials"]
    )


def _values(ax: Axes, table: pd.DataFrame, look: tuple[str, str], label: str) -> None:
    """Values with their intervals; hollow where they have none."""
    colour, marker = look
    for bare in (False, True):
        shown = only(table, bare=bare)
        if len(shown):
            words = label if bare == bool(table["bare"].all()) else None
            points(
                shown,
                "x",
                ax=ax,
                colour=colour,
                marker=marker,
                line="",
                hollow=bare,
                label=words,
            )
