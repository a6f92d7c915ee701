"""What panels share: source data, single networks beside their mean, words for the note."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hrnn.plot import GREY
from hrnn.populations import curves

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase
    from numpy.typing import ArrayLike, NDArray

    from hrnn.figures.typing import Records, StudyLike


COLUMNS: tuple[str, ...] = ("panel", "agent", "condition", "x", "value", "low", "high", "n")


def rows(table: pd.DataFrame, panel: str, *, x: str | None = None, **constant: Any) -> pd.DataFrame:
    """Source data of one panel: a table in the columns of all figures.

    Parameters
    ----------
    table : DataFrame
        What is drawn, with `value`.
    panel : str
        Letter of the panel.
    x : str, optional
        Column of the abscissa; `x` by default.
    **constant : str or array_like
        Further columns, each one value or one for each row.
    """
    renamed = table if x is None else table.rename(columns={x: "x"})
    return renamed.assign(panel=panel, **constant).reindex(columns=COLUMNS)


def join(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Source data of a figure from those of its panels."""
    import pandas as pd

    found: Records = []
    for part in parts:
        found += part.to_dict("records")
    table = pd.DataFrame(found, columns=COLUMNS)
    return table.astype({"n": "Int64"})


def measures(study: StudyLike, *names: str) -> pd.DataFrame:
    """Measures of behaviour of all agents: `agent, measure, value, low, high, n`.

    Parameters
    ----------
    study : StudyLike
        Whose `summaries` are read.
    *names : str
        Which measures.
    """
    import pandas as pd

    tables = [
        table.loc[list(names)].reset_index().assign(agent=agent)
        for agent, table in study.summaries.items()
    ]
    return pd.concat(tables, ignore_index=True)


def curve_of(study: StudyLike, agent: str, name: str) -> pd.DataFrame:
    """A curve of behaviour, of the networks or of another agent.

    Parameters
    ----------
    study : StudyLike
        The study.
    agent : str
        Name of the agent.
    name : str
        Name of the curve.
    """
    if agent == "network":
        return study.curve(name)
    return curves.OF_RUN[name](study.runs[agent])


def only(table: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """Rows of a table that have these values in these columns.

    Parameters
    ----------
    table : DataFrame
        The table.
    **wanted : object
        Value by name of the column.
    """
    for column, value in wanted.items():
        table = cast("pd.DataFrame", table[table[column] == value])
    return table


def records(table: pd.DataFrame) -> Iterator[Any]:
    """Rows of a table, with its columns as their attributes."""
    return iter(table.itertuples())


def strips(figure: FigureBase, heights: Sequence[float]) -> list[Any]:
    """Subfigures one below the other, of these relative heights."""
    found = figure.subfigures(len(heights), 1, height_ratios=heights)
    return list(np.atleast_1d(cast("Any", found)))


def thin(
    ax: Axes, study: StudyLike, name: str, condition: str = "", *, colour: str = "0.55"
) -> None:
    """The curve of each network by itself, thin; nothing for one network.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        Whose networks.
    name : str
        Name of the curve.
    condition : str
        Which part of the curve.
    colour : str
        Colour of the lines.
    """
    from matplotlib.collections import LineCollection

    found = study.each(name)
    found = only(found, condition=condition)
    lines = [
        np.column_stack([part["x"], part["value"]]).astype(float)
        for _, part in found.groupby("network")
    ]
    if lines:
        drawn = LineCollection(
            lines, colors=colour, linewidths=0.5, alpha=0.7, zorder=0.5, gid="each"
        )
        ax.add_collection(drawn)


def strip(
    ax: Axes,
    values: NDArray[Any] | pd.Series | Sequence[float],
    y: ArrayLike,
    *,
    vertical: bool = False,
) -> None:
    """Single values as small dots at one height.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    values : array_like (n,)
        The values.
    y : float or array_like (n,)
        Height of the dots; their abscissa if vertical.
    vertical : bool
        Whether the values are those of the ordinate.
    """
    level = np.full(len(values), y)
    at = (level, values) if vertical else (values, level)
    ax.plot(*at, ".", color=GREY, ms=3.5, mew=0, alpha=0.7, zorder=1, gid="each")


def singles(ax: Axes, study: StudyLike, name: str, y: float, *, vertical: bool = False) -> None:
    """A measure of each network by itself as small dots; nothing for one network.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        Whose networks.
    name : str
        Name of the measure.
    y : float
        Height of the dots; their abscissa if vertical.
    vertical : bool
        Whether the values are those of the ordinate.
    """
    if study.n_networks > 1 and name in study.wide:
        values = study.wide[name].dropna().to_numpy()
        strip(ax, values, y, vertical=vertical)


def several(study: StudyLike, first: str = "") -> str:
    """Words for how many networks there are, and how single ones are drawn.

    Parameters
    ----------
    study : StudyLike
        Whose networks.
    first : str
        Added where there are several.
    """
    n = study.n_networks
    if n == 1:
        return "One network. "
    return (
        f"{n} networks: means with 95 % intervals, networks and their sessions resampled; "
        "thin lines "
        f"and small dots: each. {first}"
    )


def counts(study: StudyLike) -> str:
    """Words that say what n is and what the bars are."""
    sessions = study.sessions
    n = study.n_networks
    words = f"n = {sessions.n_sessions} sessions ({sessions.n_trials} trials) of each agent. "
    if n == 1:
        return words + "Bars and bands: 95 % intervals, sessions resampled."
    return words + (
        f"RNN: mean of {n} networks, each in sessions of its own (thin, dots: each). "
        "Bars and bands: 95 % intervals; RNN, networks "
        "and their sessions resampled; other agents, sessions resampled."
    )
