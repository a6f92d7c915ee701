"""The figures, each made of a `reproduce.Study`: `draw` returns the Figure and its source data."""

import importlib
import io
from pathlib import Path

import numpy as np

from hrnn import curves
from hrnn.figures.one_network import OneNetwork
from hrnn.plot import GREY

__all__ = ["FIGURES", "OF_MICE", "OF_SEVERAL", "OneNetwork", "about", "comparison", "draw", "drawable", "save"]
FIGURES = {**{str(i): f"figure_{i}" for i in range(1, 11)}, "mice": "figure_mice"}
OF_MICE = ("10", "mice")  # drawn where there are mice
OF_SEVERAL = ("9",)  # drawn of several networks
COLUMNS = ("panel", "agent", "condition", "x", "value", "low", "high", "n")


def draw(name, study):
    """Draw a figure.

    Parameters
    ----------
    name : {'1', ..., '10', 'mice'}
    study : reproduce.Study or OneNetwork
        With mice for '10' and 'mice', and at least two networks for '9'.

    Returns
    -------
    figure : matplotlib Figure
    source : DataFrame
        What is drawn, in long form: `panel, agent, condition, x, value, low, high, n`.

    Raises
    ------
    ValueError
        If there is no such figure, or no mice or networks for theirs.
    """
    if name not in FIGURES:
        raise ValueError(f"name must be one of {tuple(FIGURES)}, got {name!r}")
    return importlib.import_module(f"hrnn.figures.{FIGURES[name]}").draw(study)


def drawable(study):
    """Names of the figures that a study has what they need for."""
    mice, several = study.mice is not None, study.n_networks > 1
    return [name for name in FIGURES if (mice or name not in OF_MICE) and (several or name not in OF_SEVERAL)]


def about(name):
    """What a figure shows, in a line."""
    return importlib.import_module(f"hrnn.figures.{FIGURES[name]}").__doc__.split("\n")[0]


def comparison(table):
    """Draw a comparison of models, `mice.compare`, alone: (Figure, source data)."""
    from hrnn.figures.figure_10 import compared, exceedance
    from hrnn.plot import finish, letter, note, page, style

    with style():
        figure = page(36 + 6 * len(table))
        a, b = figure.subplots(1, 2, sharey=True, width_ratios=[2, 1])
        source = join([*compared(a, table), exceedance(b, table)])
        letter("a", ax=a)
        letter("b", ax=b)
        n = table.n_subjects.iloc[0]
        note(figure, f"n = {n} subjects with at least two sessions. a: log likelihood of left-out sessions, "
             "paired by subject with the best model; bars, 95 %, subjects resampled. b: probability that "
             "the model is the most frequent one, left-out log likelihoods taken as log evidence.")
        finish(figure)
    return figure, source


def save(figure, source, folder, name):
    """Write `name`.pdf, .png (300 dpi), .svg and .csv, each whole or not at all; the same figure gives the same bytes.

    Parameters
    ----------
    figure, source : what `draw` returned
    folder : str or os.PathLike
        Must exist.
    name : str
        Of the files, without suffix.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    from hrnn.base.files import write_bytes, write_text
    from hrnn.plot import style

    with style():
        for kind, metadata in (("pdf", {"CreationDate": None}), ("png", {"Software": None}), ("svg", {"Date": None})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=300, metadata=metadata)
            write_bytes(Path(folder) / f"{name}.{kind}", buffer.getvalue())
    write_text(Path(folder) / f"{name}.csv", source.to_csv(index=False))


def rows(table, panel, *, x=None, **constant):
    """Source data of one panel: table (with `value`) in the columns of all figures, x being its abscissa."""
    renamed = table if x is None else table.rename(columns={x: "x"})
    return renamed.assign(panel=panel, **constant).reindex(columns=COLUMNS)


def join(parts):
    """Source data of a figure from those of its panels."""
    import pandas as pd

    records = [record for part in parts for record in part.to_dict("records")]
    return pd.DataFrame(records, columns=COLUMNS).astype({"n": "Int64"})


def measures(study, *names):
    """Measures of all agents, of `study.summaries`: agent, measure, value, low, high, n."""
    import pandas as pd

    tables = [table.loc[list(names)].reset_index().assign(agent=agent) for agent, table in study.summaries.items()]
    return pd.concat(tables, ignore_index=True)


def curve_of(study, agent, name):
    """A curve of behaviour: of the networks, or of another agent."""
    return study.curve(name) if agent == "network" else curves.OF_RUN[name](study.runs[agent])


def thin(ax, study, name, condition="", *, colour="0.55"):
    """The curve of each network by itself, thin; nothing for one network."""
    from matplotlib.collections import LineCollection

    found = study.each(name)
    found = found[found.condition == condition]
    lines = [part[["x", "value"]].to_numpy(float) for _, part in found.groupby("network")]
    if lines:
        drawn = LineCollection(lines, colors=colour, linewidths=0.5, alpha=0.7, zorder=0.5, gid="each")
        ax.add_collection(drawn)


def strip(ax, values, y, *, vertical=False):
    """Single values as small dots at height y, or abscissa y if vertical."""
    level = np.full(len(values), y)
    x, y = (level, values) if vertical else (values, level)
    ax.plot(x, y, ".", color=GREY, ms=3.5, mew=0, alpha=0.7, zorder=1, gid="each")


def singles(ax, study, name, y, *, vertical=False):
    """A measure of each network by itself as small dots; nothing for one network."""
    if study.n_networks > 1 and name in study.wide:
        strip(ax, study.wide[name].dropna(), y, vertical=vertical)


def several(study, first=""):
    """Words for how many networks, and what shows one alone."""
    n = study.n_networks
    if n == 1:
        return "One network. "
    return (
        f"{n} networks: means with 95 % intervals, networks and their sessions resampled; thin lines "
        f"and small dots: each. {first}"
    )


def counts(study):
    """Words that say what n is and what the bars are."""
    sessions, n = study.sessions, study.n_networks
    words = f"n = {sessions.n_sessions} sessions ({sessions.n_trials} trials) of each agent. "
    if n == 1:
        return words + "Bars and bands: 95 % intervals, sessions resampled."
    return words + (
        f"RNN: mean of {n} networks, each in sessions of its own (thin, dots: each). Bars and bands: 95 % intervals; RNN, networks "
        "and their sessions resampled; other agents, sessions resampled."
    )
