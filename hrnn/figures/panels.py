"""What the panels of several figures share.

Source data, single networks beside their mean, words for the note.
"""

import numpy as np

from hrnn.plot import GREY
from hrnn.populations import curves

COLUMNS = ("panel", "agent", "condition", "x", "value", "low", "high", "n")


def rows(table, panel, *, x=None, **constant):
    """Source data of one panel.

    Table (with `value`) in the columns of all figures, x being its abscissa.
    """
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

    tables = [
        table.loc[list(names)].reset_index().assign(agent=agent)
        for agent, table in study.summaries.items()
    ]
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
        drawn = LineCollection(
            lines, colors=colour, linewidths=0.5, alpha=0.7, zorder=0.5, gid="each"
        )
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
    sessions = study.sessions
    n = study.n_networks
    words = f"n = {sessions.n_sessions} sessions ({sessions.n_trials} trials) of each agent. "
    if n == 1:
        return words + "Bars and bands: 95 % intervals, sessions resampled."
    return words + (
        f"RNN: mean of {n} networks, each in sessions of its own (thin, dots: each). Bars and bands: 95 % intervals; RNN, networks "
        "and their sessions resampled; other agents, sessions resampled."
    )
