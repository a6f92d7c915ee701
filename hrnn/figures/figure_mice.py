"""The mice: psychometric functions per block, each mouse and their mean."""

import numpy as np

from hrnn.plot import MM, WIDTH_MM, letter
from hrnn.psychometric import psychometric, psychometric_curve

COLOURS = {0.2: ("#D55E00", "o"), 0.5: ("#999999", "D"), 0.8: ("#0072B2", "s")}
NAMES = ("mu", "sigma", "gamma1", "gamma2")


def draw(study, Figure):
    """The figure and its source data."""
    figure = Figure(figsize=(WIDTH_MM * MM, 70 * MM))
    a, b = figure.subplots(1, 2)
    fits = psychometric(study.mice).reset_index()
    curves(letter(a, "a"), fits)
    bias(letter(b, "b"), fits)
    return figure, fits


def curves(ax, fits):
    """Fitted functions: thin lines are mice, thick lines their mean."""
    x = np.linspace(-1, 1, 201)
    for p_left, part in fits.groupby("p_left"):
        colour, _ = COLOURS.get(p_left, ("k", "."))
        each = np.array([psychometric_curve(x, **{k: row[k] for k in NAMES}) for _, row in part.iterrows()])
        ax.plot(x, each.T, color=colour, lw=0.3, alpha=0.5)
        ax.plot(x, each.mean(0), color=colour, lw=1.6, label=f"P(left) = {p_left:g}, {len(part)} mice")
    ax.set(xlabel="signed contrast (right > 0)", ylabel="P(right | choice)", ylim=(0, 1), xlim=(-1, 1))
    ax.legend(loc="upper left")


def bias(ax, fits):
    """Threshold of each mouse per block, with its standard error."""
    order = {subject: i for i, subject in enumerate(sorted(fits["subject"].unique()))}
    for p_left, part in fits.groupby("p_left"):
        colour, marker = COLOURS.get(p_left, ("k", "."))
        ax.errorbar(part["subject"].map(order), part["mu"], yerr=1.96 * part["se_mu"], fmt=marker, color=colour, ms=2.5,
                    elinewidth=0.5, mew=0, label=f"P(left) = {p_left:g}")
    ax.axhline(0, color="0.6", ls=":", lw=0.6)
    ax.set(xlabel="mouse", ylabel="bias μ (contrast), ± 1.96 standard errors")
    ax.legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 0.97), columnspacing=0.8, handletextpad=0.1)
