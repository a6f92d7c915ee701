"""Drawing on axes: the style of all figures, and functions that take `ax=None` and return the Axes.

What they draw are tidy tables with the columns `value, low, high` of `behavior`. Whole figures are in `figures`.
"""

import contextlib
import textwrap
from pathlib import Path

MM = 1 / 25.4
WIDTH_MM = 183
N_CHARACTERS = 122  # of 7 pt in a line of full width
# Okabe & Ito's palette, safe for colour-blind readers; a marker goes with each colour.
LOOKS = {
    "network": ("#D55E00", "o", "RNN"), "semi_markov": ("#0072B2", "s", "Bayes,\nsemi-Markov"),
    "markov": ("#56B4E9", "D", "Bayes,\nMarkov"), "none": ("#999999", "v", "Bayes,\nno blocks"),
    "oracle": ("#000000", "^", "Bayes,\nblock known"), "exponential": ("#CC79A7", "P", "exponential\nprior"),
    "published_actor": ("#E69F00", "X", "published\nactor"), "optimal_per_trial": ("#009E73", "*", "optimal\nper trial"),
    "optimal_per_step": ("#009E73", "p", "optimal\nper step"),
}
BLOCKS = {0.2: ("#D55E00", "o"), 0.5: ("#999999", "D"), 0.8: ("#0072B2", "s")}
LEFT, RIGHT = BLOCKS[0.8], BLOCKS[0.2]


def look(agent):
    """Colour, marker and label of an agent of `LOOKS`."""
    return LOOKS[agent]


@contextlib.contextmanager
def style():
    """Matplotlib settings of a printed figure, whatever the user's own are, for the block (or function) inside.

    Examples
    --------
    >>> import matplotlib
    >>> with style():
    ...     matplotlib.rcParams["pdf.fonttype"]
    42
    """
    import matplotlib.style

    sheet = Path(__file__).with_name("hrnn.mplstyle")
    with matplotlib.style.context(str(sheet), after_reset=True):
        yield


def page(height):
    """Empty Figure of full width (183 mm) and a height in mm, not known to pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_MM * MM, height * MM))


def _axes(ax):
    if ax is None:
        import matplotlib.pyplot as plt

        return plt.gca()
    return ax


def letter(text, *, ax=None):
    """Panel letter, bold, left above the Axes."""
    ax = _axes(ax)
    ax.annotate(
        text, (0, 1), xytext=(-22, 5), xycoords="axes fraction", textcoords="offset points", fontsize=8,
        fontweight="bold", ha="right",
    )
    return ax


def chance(value=0.5, *, ax=None, vertical=False):
    """Dotted grey line at the level of an agent that guesses."""
    ax = _axes(ax)
    (ax.axvline if vertical else ax.axhline)(value, color="0.5", lw=0.8, ls=":", zorder=0)
    return ax


def points(table, x, *, ax=None, colour="k", marker="o", line="-", hollow=False, label=None):
    """Points with 95 % intervals, joined by a line.

    Parameters
    ----------
    table : DataFrame
        With `value, low, high`; NaN ends draw no bar.
    x : str
        Column of the abscissa.
    ax : Axes, optional
        Default: pyplot's current Axes.
    colour, marker, line, label : str, optional
        As matplotlib's.
    hollow : bool, optional
        White inside.

    Returns
    -------
    Axes

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> table = pd.DataFrame({"strength": [0, 1], "value": [0.5, 0.9], "low": [0.4, 0.8], "high": [0.6, 1.0]})
    >>> points(table, "strength", ax=Figure().subplots()).containers
    [<ErrorbarContainer object of 3 artists>]
    """
    ax = _axes(ax)
    error = [(table["value"] - table["low"]).clip(lower=0), (table["high"] - table["value"]).clip(lower=0)]
    ax.errorbar(
        table[x], table["value"], yerr=error, color=colour, marker=marker, ls=line, label=label, ms=3, mew=0.6,
        mfc="w" if hollow else colour, lw=0.8, elinewidth=0.6,
    )
    return ax


def band(table, x, *, ax=None, colour="k", label=None):
    """Line with its 95 % interval shaded: for long runs of points; parameters as `points`."""
    ax = _axes(ax)
    ax.fill_between(table[x], table["low"], table["high"], color=colour, alpha=0.3, lw=0)
    ax.plot(table[x], table["value"], color=colour, lw=0.8, label=label)
    return ax


def dots(table, *, ax=None):
    """One row per agent, the first on top, with its 95 % interval; table has `agent, value, low, high`."""
    ax = _axes(ax)
    for y, row in enumerate(table.itertuples()):
        colour, marker, _ = look(row.agent)
        error = [[max(row.value - row.low, 0)], [max(row.high - row.value, 0)]]
        ax.errorbar(row.value, y, xerr=error, color=colour, marker=marker, ms=5, mew=0, elinewidth=0.8)
    ax.set_yticks(range(len(table)), [look(agent)[2].replace("\n", " ") for agent in table["agent"]])
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.grid(axis="y", color="0.9", lw=0.4)
    ax.set_axisbelow(True)
    return ax


def note(figure, text):
    """What n, bars and lines are, at the foot of a figure (or subfigure)."""
    figure.supxlabel(textwrap.fill(text, N_CHARACTERS), x=0.01, ha="left", fontsize=7)


def finish(figure):
    """Lay the figure out once and for all, so that saving it twice gives the same bytes."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
