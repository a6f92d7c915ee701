"""Drawing on axes: the style of all figures, and functions that take `ax=None` and return the Axes."""

import contextlib
from pathlib import Path

MM = 1 / 25.4
WIDTH_MM = 183
# Okabe & Ito's palette, safe for colour-blind readers; a marker goes with each colour.
LOOKS = {
    "network": ("#D55E00", "o", "RNN"), "semi_markov": ("#0072B2", "s", "Bayes, semi-Markov"),
    "markov": ("#56B4E9", "D", "Bayes, Markov"), "none": ("#999999", "v", "Bayes, no blocks"),
    "oracle": ("#000000", "^", "Bayes, block known"), "exponential": ("#CC79A7", "P", "exponential prior"),
    "published_actor": ("#E69F00", "X", "published actor"), "optimal_per_trial": ("#009E73", "*", "optimal per trial"),
    "optimal_per_step": ("#007B5A", "p", "optimal per step"),
}


def look(agent):
    """Colour, marker and label of an agent."""
    return LOOKS[agent]


@contextlib.contextmanager
def style():
    """Matplotlib settings of a printed figure, for the block inside."""
    import matplotlib as mpl

    with mpl.rc_context(fname=str(Path(__file__).with_name("hrnn.mplstyle"))):
        yield


def _axes(ax):
    import matplotlib.pyplot as plt

    return plt.gca() if ax is None else ax


def letter(ax, text):
    """Panel letter, bold, left above the axes."""
    ax.set_title(text, loc="left", fontsize=8, fontweight="bold", x=-0.12)
    return ax


def points(table, x, agent, *, ax=None, label=None, **options):
    """Points with 95 % intervals: table has columns value, low, high; x is a sequence."""
    ax = _axes(ax)
    colour, marker, name = look(agent)
    error = [table["value"] - table["low"], table["high"] - table["value"]]
    settings = {"color": colour, "marker": marker, "ms": 3, "lw": 0.8, "elinewidth": 0.6, "mew": 0}
    ax.errorbar(x, table["value"], yerr=[e.clip(lower=0) for e in error], label=name if label is None else label, **settings | options)
    return ax


def agents(rows, *, ax=None, chance=None):
    """One row per agent with its interval; rows maps agents to (value, low, high)."""
    ax = _axes(ax)
    for y, (agent, (value, low, high)) in enumerate(rows.items()):
        colour, marker, _ = look(agent)
        error = [[max(value - low, 0)], [max(high - value, 0)]]
        ax.errorbar(value, y, xerr=error, color=colour, marker=marker, ms=3.5, mew=0, elinewidth=0.8)
    ax.set_yticks(range(len(rows)), [look(agent)[2] for agent in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    if chance is not None:
        ax.axvline(chance, color="0.6", lw=0.6, ls=":")
    return ax
