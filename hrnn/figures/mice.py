"""The mice: psychometric functions per block.

With two lapses and standard errors for each mouse.
"""

import numpy as np

from hrnn.behavior.measures import by_strength
from hrnn.behavior.psychometric_function import PARAMETERS, psychometric, psychometric_curve
from hrnn.figures.panels import join, rows
from hrnn.plot import BLOCKS, chance, finish, letter, note, page, points, style

LABELS = {
    "mu": "bias μ\n(contrast)",
    "sigma": "width σ\n(contrast)",
    "gamma1": "lapse\non the left",
    "gamma2": "lapse\non the right",
}
Z = 1.96
MIN_SHARE = 0.01


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    if study.mice is None:
        raise ValueError("study.mice must be the mice's trial table, got None")
    fits = psychometric(study.mice)
    blocks = sorted(fits["p_left"].unique())
    figure = page(200)
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 2.4])
    source = curves(
        np.atleast_1d(top.subplots(1, len(blocks), sharey=True)), study.mice, fits, blocks
    )
    source += parameters(bottom.subplots(len(PARAMETERS), 1, sharex=True), fits)
    n_mice = fits["subject"].nunique()
    note(
        bottom,
        f"a: thin lines are fits, one per mouse ({n_mice} mice); symbols: all their choices, 95 % intervals, mice "
        f"resampled; contrasts of less than {MIN_SHARE:.0%} of the trials left out. "
        "b–e: maximum likelihood, bars ± 1.96 standard errors; hollow: no standard error "
        "(at a bound, or not determined by the data). No-go trials left out.",
    )
    finish(figure)
    return figure, join(source)


def curves(axes, mice, fits, blocks):
    """Fitted functions of all mice and the fraction of right choices, one panel per block."""
    import pandas as pd

    table = by_strength(mice, by=("p_left", "signed_strength")).query("measure == 'p_right'")
    table = table[table["n"] >= MIN_SHARE * table.groupby("p_left")["n"].transform("sum")]
    x = np.linspace(-1, 1, 201)
    source = []
    letter("a", ax=axes[0])
    axes[0].set_ylabel("P(right | choice)")
    for ax, p_left in zip(axes, blocks, strict=True):
        (colour, marker) = BLOCKS[round(p_left, 6)]
        name = f"P(left) = {p_left:g}"
        for fit in fits[fits["p_left"] == p_left].itertuples():
            curve = psychometric_curve(x, **{key: getattr(fit, key) for key in PARAMETERS})
            ax.plot(x, curve, color=colour, lw=0.4, alpha=0.5)
            source.append(
                rows(
                    pd.DataFrame({"x": x, "value": curve}),
                    "a",
                    agent=fit.subject,
                    condition=f"fit, {name}",
                    n=fit.n_trials,
                )
            )
        part = table[table["p_left"] == p_left]
        points(part, "signed_strength", ax=ax, marker=marker, line="")
        chance(ax=ax)
        ax.set(
            title=name, xlabel="signed contrast (right > 0)", xlim=(-1.05, 1.05), ylim=(-0.02, 1.02)
        )
        source.append(rows(part, "a", x="signed_strength", agent="all mice", condition=name))
    return source


def parameters(axes, fits):
    """Each parameter of each mouse and block, with its standard error."""
    subjects = sorted(fits["subject"].unique())
    source = []
    for letter_, ax, name in zip("bcde", axes, PARAMETERS, strict=True):
        letter(letter_, ax=ax)
        for k, (p_left, part) in enumerate(fits.groupby("p_left")):
            colour, marker = BLOCKS[round(p_left, 6)]
            place = part["subject"].map(subjects.index) + 0.25 * (k - 1)
            half = Z * part[f"se_{name}"]
            table = part.assign(
                x=place,
                value=part[name],
                low=part[name] - half,
                high=part[name] + half,
                n=part["n_trials"],
            )
            for bare, shown in table.groupby(half.isna()):
                points(
                    shown,
                    "x",
                    ax=ax,
                    colour=colour,
                    marker=marker,
                    line="",
                    hollow=bare,
                    label=None if bare else f"P(left) = {p_left:g}",
                )
            source.append(
                rows(
                    table,
                    letter_,
                    agent=table["subject"],
                    condition=f"{name}, P(left) = {p_left:g}",
                )
            )
        ax.set(ylabel=LABELS[name], xlim=(-0.7, len(subjects) - 0.3))
        for between in np.arange(len(subjects) - 1) + 0.5:
            ax.axvline(between, color="0.9", lw=0.4, zorder=0)
    axes[0].axhline(0, color="0.5", lw=0.8, ls=":")
    axes[0].legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    axes[-1].set_xticks(range(len(subjects)), subjects, rotation=90)
    axes[-1].set_xlabel("mouse")
    return source
