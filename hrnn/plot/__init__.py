"""Drawing on axes: the style of all figures, and functions that take `ax=None` and return the Axes.

What they draw are tidy tables with the columns `value, low, high` of `behavior`. Whole figures are
in `figures`.
"""

from __future__ import annotations

import contextlib
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from hrnn.base.arguments import instance, real_array, real_number, whole_number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure, FigureBase
    from numpy.typing import ArrayLike

__all__ = [
    "GREY",
    "INK",
    "LEFT",
    "NO_SIDE",
    "PALE",
    "RIGHT",
    "band",
    "blocks",
    "chance",
    "dots",
    "estimate",
    "few",
    "finish",
    "interval",
    "letter",
    "note",
    "page",
    "points",
    "powers",
    "signed",
    "style",
]
MM: float = 1 / 25.4
WIDTH_MM: float = 183
PALEST: float = 0.5  # of white in the palest colour of several blocks of a side
N_CHARACTERS: int = 122  # of 7 pt in a line of full width

# Colours of Okabe & Ito, by their names for them.
ORANGE: str = "#E69F00"
SKY_BLUE: str = "#56B4E9"
GREEN: str = "#009E73"
BLUE: str = "#0072B2"
VERMILION: str = "#D55E00"
PURPLE: str = "#CC79A7"

# The palette. A colour is an agent or a side, in every figure the same; a marker goes with each of
# them, for readers who see no colours. All else is ink and grey, filled and hollow, solid and
# dashed: published numbers are black crosses. Agents have the colours of Okabe & Ito, safe for
# colour-blind readers (`hrnn.agents`); sides have violet and gold, which no agent has.
INK = "#000000"
GREY = "#7F7F7F"
PALE = "#C4C4C4"
LEFT = ("#5E3C99", "s")
NO_SIDE = ("#595959", "D")
RIGHT = ("#A69500", "o")
MARKERS_LEFT = (LEFT[1], "P", "p", "X")
MARKERS_RIGHT = (RIGHT[1], "^", "v", "h")


class HasInterval(Protocol):
    """What has a value and the ends of its interval, such as an `Estimate`."""

    @property
    def value(self) -> Any:
        """The number itself."""
        ...

    @property
    def low(self) -> Any:
        """Lower end of the interval."""
        ...

    @property
    def high(self) -> Any:
        """Upper end of the interval."""
        ...


def __dir__() -> list[str]:
    return list(__all__)


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Matplotlib settings of a printed figure, whatever the user's own are.

    They hold in the block under ``with``, or in the function that is decorated.

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


def page(height: float) -> Figure:
    """Empty Figure of full width (183 mm) and a height in mm, not known to pyplot."""
    from matplotlib.figure import Figure

    height = real_number(height, "height", 0, 10_000, "]")
    return Figure(figsize=(WIDTH_MM * MM, height * MM))


def _axes(ax: Axes | None) -> Axes:
    """The Axes that were given, or pyplot's current ones."""
    if ax is None:
        import matplotlib.pyplot as plt

        return plt.gca()
    from matplotlib.axes import Axes

    return instance(ax, "ax", Axes)


def _checked_table(table: pd.DataFrame, *columns: str) -> None:
    """Refuse what is no table with these columns."""
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"table must be a DataFrame, got {type(table).__name__}")
    missing = [name for name in columns if not isinstance(name, str) or name not in table]
    if missing:
        raise ValueError(f"table must have the columns {list(columns)}, but lacks {missing}")


def letter(text: str, *, ax: Axes | None = None) -> Axes:
    """Write a panel's letter, bold, left above the Axes.

    Parameters
    ----------
    text : str
        The letter.
    ax : Axes, optional
        Default: pyplot's current Axes.
    """
    ax = _axes(ax)
    ax.annotate(
        text,
        (0, 1),
        xytext=(-22, 5),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=8,
        fontweight="bold",
        ha="right",
    )
    return ax


def blocks(p_left: ArrayLike) -> dict[float, tuple[str, str]]:
    """Colour and marker of blocks of each P(left), {P(left): (colour, marker)}.

    Blocks of one side have its colour, the palest the nearest to 1/2.

    Parameters
    ----------
    p_left : (B,) array_like
        P(left) of the blocks that are drawn.

    Examples
    --------
    >>> blocks([0.2, 0.5, 0.8]) == {0.2: RIGHT, 0.5: NO_SIDE, 0.8: LEFT}
    True
    """
    values = sorted(set(real_array(p_left, "p_left", (1,)).tolist()))
    left = [value for value in reversed(values) if value > 0.5]
    right = [value for value in values if value < 0.5]
    found = {value: NO_SIDE for value in values if value == 0.5}
    found |= _of_side(right, RIGHT[0], MARKERS_RIGHT)
    found |= _of_side(left, LEFT[0], MARKERS_LEFT)
    return {value: found[value] for value in values}


def _of_side(
    values: Sequence[float], colour: str, markers: Sequence[str]
) -> dict[float, tuple[str, str]]:
    """The look of blocks of one side, the strongest first."""
    from matplotlib.colors import to_hex, to_rgb

    found: dict[float, tuple[str, str]] = {}
    for k, value in enumerate(values):
        white = PALEST * k / max(len(values) - 1, 1)
        red, green, blue = (channel + white * (1 - channel) for channel in to_rgb(colour))
        mixed = to_hex((red, green, blue))
        found[value] = (mixed.upper(), markers[k % len(markers)])
    return found


def chance(value: float = 0.5, *, ax: Axes | None = None, vertical: bool = False) -> Axes:
    """Draw a dotted grey line at the level of an agent that guesses.

    Parameters
    ----------
    value : float
        The level.
    ax : Axes, optional
        Default: pyplot's current Axes.
    vertical : bool
        Whether the level is one of the abscissa.
    """
    ax = _axes(ax)
    value = real_number(value, "value", -math.inf, math.inf, "")
    draw = ax.axvline if vertical else ax.axhline
    draw(value, color="0.5", lw=0.8, ls=":", zorder=0)
    return ax


def points(
    table: pd.DataFrame,
    x: str,
    *,
    ax: Axes | None = None,
    colour: str = "k",
    marker: str = "o",
    line: str = "-",
    hollow: bool = False,
    bar: float = 1.2,
    label: str | None = None,
) -> Axes:
    """Points with 95 % intervals, joined by a line.

    Parameters
    ----------
    table : DataFrame
        With `value, low, high`; NaN ends draw no bar.
    x : str
        Column of the abscissa.
    ax : Axes, optional
        Default: pyplot's current Axes.
    colour : str, optional
        Colour of points, bars and line.
    marker : str, optional
        Marker of the points, as matplotlib's.
    line : str, optional
        Style of the line, as matplotlib's; '' draws none.
    hollow : bool, optional
        Whether the points are white inside.
    bar : float, optional
        Width of the bars in points (1/72 inch).
    label : str, optional
        Words for the legend.

    Returns
    -------
    Axes

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> table = pd.DataFrame({"strength": [0, 1], "value": [0.5, 0.9]})
    >>> table = table.assign(low=[0.4, 0.8], high=[0.6, 1.0])
    >>> points(table, "strength", ax=Figure().subplots()).containers
    [<ErrorbarContainer object of 3 artists>]
    """
    ax = _axes(ax)
    _checked_table(table, x, "value", "low", "high")
    face = "w" if hollow else colour
    ax.errorbar(
        table[x].to_numpy(),
        table["value"].to_numpy(),
        yerr=_lengths(table),
        color=colour,
        marker=marker,
        ls=line,
        label=label,
        ms=2.5,
        mew=0.6,
        mfc=face,
        lw=0.8,
        elinewidth=bar,
    )
    return ax


def _lengths(table: pd.DataFrame) -> list[Any]:
    """Lengths of the bars below and above, not less than 0."""
    below = (table["value"] - table["low"]).clip(lower=0)
    above = (table["high"] - table["value"]).clip(lower=0)
    return [below.to_list(), above.to_list()]


def band(
    table: pd.DataFrame,
    x: str,
    *,
    ax: Axes | None = None,
    colour: str = "k",
    line: str = "-",
    label: str | None = None,
) -> Axes:
    """Line with its 95 % interval shaded: for long runs of points.

    Parameters
    ----------
    table : DataFrame
        With `value, low, high`.
    x : str
        Column of the abscissa.
    ax : Axes, optional
        Default: pyplot's current Axes.
    colour : str, optional
        Colour of line and interval.
    line : str, optional
        Style of the line, as matplotlib's.
    label : str, optional
        Words for the legend.
    """
    ax = _axes(ax)
    _checked_table(table, x, "value", "low", "high")
    ax.fill_between(table[x], table["low"], table["high"], color=colour, alpha=0.3, lw=0)
    ax.plot(table[x], table["value"], line, color=colour, lw=0.8, label=label)
    return ax


def estimate(
    found: HasInterval,
    y: float,
    *,
    ax: Axes | None = None,
    colour: str = "k",
    marker: str = "o",
    vertical: bool = False,
    label: str | None = None,
) -> Axes:
    """An estimate with its 95 % interval, a thick bar that a hollow marker does not hide.

    Parameters
    ----------
    found : statistics.Estimate or row of a table
        With `value, low, high`; NaN ends draw no bar.
    y : float
        Height at which the bar lies; its abscissa if vertical.
    ax : Axes, optional
        Default: pyplot's current Axes.
    colour : str, optional
        Colour of bar and marker.
    marker : str, optional
        Marker of the value, as matplotlib's.
    vertical : bool, optional
        Whether the bar stands.
    label : str, optional
        Words for the legend.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from hrnn.statistics import Estimate
    >>> ax = estimate(Estimate(0.85, 0.84, 0.86, 20), 0, ax=Figure().subplots())
    >>> ax.lines[0].get_xdata().tolist(), ax.lines[1].get_xdata().tolist()
    ([0.84, 0.86], [0.85])
    """
    ax = _axes(ax)
    _check_estimate(found)
    y = real_number(y, "y", -math.inf, math.inf, "[]")
    ends = [found.low, found.high]
    level = [y, y]
    bar = (level, ends) if vertical else (ends, level)
    at = ([y], [found.value]) if vertical else ([found.value], [y])
    ax.plot(*bar, color=colour, lw=1.8, solid_capstyle="butt", zorder=3, gid="interval")
    ax.plot(*at, marker, color=colour, mfc="none", ms=4.5, mew=0.8, zorder=4, label=label)
    return ax


def dots(
    table: pd.DataFrame,
    look: Callable[[str], tuple[str, str, str]],
    *,
    ax: Axes | None = None,
) -> Axes:
    """One row per agent, the first on top, with its 95 % interval.

    Parameters
    ----------
    table : DataFrame
        With `agent, value, low, high`.
    look : callable(agent) -> (colour, marker, label)
        How an agent is drawn: `agents.look`.
    ax : Axes, optional
        Default: pyplot's current Axes.
    """
    ax = _axes(ax)
    _checked_table(table, "agent", "value", "low", "high")
    if not callable(look):
        raise TypeError(f"look must be callable, got {type(look).__name__}")
    for y, row in enumerate(cast("Iterator[Any]", table.itertuples())):
        colour, marker, _ = look(row.agent)
        estimate(row, y, ax=ax, colour=colour, marker=marker)
    names = [look(agent)[2].replace("\n", " ") for agent in table["agent"]]
    ax.set_yticks(range(len(table)), names)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.grid(axis="y", color="0.9", lw=0.4)
    ax.set_axisbelow(True)
    return ax


def powers(axis: Axis) -> None:
    """Label the ticks of a logarithmic Axis, `ax.xaxis` or `ax.yaxis`, by their power of ten.

    Labels are of one size, as no exponent is raised.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> ax.set_yscale("log")
    >>> ax.set_ylim(1e-4, 1)
    (0.0001, 1)
    >>> powers(ax.yaxis)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['−4', '−3', '−2', '−1', '0']
    """
    from matplotlib.axis import Axis
    from matplotlib.ticker import NullLocator

    instance(axis, "axis", Axis)
    if not min(axis.get_view_interval()) > 0:
        raise ValueError("axis must be logarithmic, with limits above 0")
    low, high = (math.log10(end) for end in axis.get_view_interval())
    step = max(1, math.ceil((high - low) / 5))
    shown = range(math.ceil(low / step) * step, math.floor(high) + 1, step)
    places = [10.0**power for power in shown]
    axis.set_ticks(places, [signed(power, "d") for power in shown])
    axis.set_minor_locator(NullLocator())


def few(axis: Axis, n: int) -> None:
    """About n round ticks on an Axis, at least 2, labelled in as few characters as it takes.

    Parameters
    ----------
    axis : Axis
        The abscissa or ordinate of an Axes.
    n : int
        How many intervals between ticks there are at most.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> ax.set_xlim(-0.03, 0.03)
    (-0.03, 0.03)
    >>> few(ax.xaxis, 3)
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['−0.04', '−0.02', '0', '0.02', '0.04']
    """
    from matplotlib.axis import Axis
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    instance(axis, "axis", Axis)
    n = whole_number(n, "n")

    axis.set_major_locator(MaxNLocator(n, min_n_ticks=2))
    axis.set_major_formatter(FuncFormatter(_short))


def _short(value: float, _: object) -> str:
    """A tick's number in as few characters as it takes, never as −0."""
    rounded = round(value, 12) + 0.0
    return signed(rounded, "g")


def signed(number: float, form: str) -> str:
    """A number as text, with a minus sign in place of a hyphen.

    Parameters
    ----------
    number : float
        Any number.
    form : str
        How to write it, as in an f-string after the colon.

    Examples
    --------
    >>> signed(-0.25, ".1f"), signed(3, "d")
    ('−0.2', '3')
    """
    try:
        return f"{number:{form}}".replace("-", "−")
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"form must fit number, got {form!r} for {number!r}") from error


def _check_estimate(found: object) -> None:
    """Refuse what has not a number and its interval."""
    for end in ("value", "low", "high"):
        if not isinstance(getattr(found, end, None), (int, float, np.number)):
            raise TypeError(f"found must be an Estimate of a number, got {type(found).__name__}")


def interval(found: HasInterval, digits: int = 2) -> str:
    """An estimate in words: 'value [low, high]'.

    Parameters
    ----------
    found : statistics.Estimate
        With `value, low, high`.
    digits : int
        Number of digits after the point.

    Examples
    --------
    >>> from hrnn.statistics import Estimate
    >>> interval(Estimate(-0.251, -0.3, 0.1, 20))
    '−0.25 [−0.30, 0.10]'
    """
    form = f".{min(whole_number(digits, 'digits', 0), 300)}f"
    _check_estimate(found)
    value, low, high = (signed(end, form) for end in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def note(figure: FigureBase, text: str) -> None:
    """Write what n, bars and lines are at the foot of a figure.

    Parameters
    ----------
    figure : Figure or SubFigure
        Where to write.
    text : str
        Filled into lines of the page's width.
    """
    from matplotlib.figure import FigureBase

    instance(figure, "figure", FigureBase)
    instance(text, "text", str)
    filled = textwrap.fill(text, N_CHARACTERS)
    figure.supxlabel(filled, x=0.01, ha="left", fontsize=7)


def finish(figure: Figure) -> None:
    """Lay the figure out once and for all, so that saving it twice gives the same bytes."""
    from matplotlib.figure import Figure

    instance(figure, "figure", Figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
