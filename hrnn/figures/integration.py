"""Figure 5: integration within and across trials, feedback, and the flow of gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hrnn.agents import look
from hrnn.figures.panels import join, only, rows, several, thin
from hrnn.plot import (
    GREY,
    INK,
    LEFT,
    PALE,
    RIGHT,
    band,
    finish,
    interval,
    letter,
    note,
    page,
    points,
    powers,
    style,
)
from hrnn.populations.claims import PUBLISHED

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from hrnn.analysis.anatomy import Anatomy
    from hrnn.figures.typing import StudyLike
    from hrnn.statistics.resampling import Estimate


SCATTER = 2000
# in the plane of two components: name, marker, panels, limit of the ordinate of the first panel and
# of the second
READOUTS = {
    "stimulus_in_plane": ("stimulus readout", "o", "ac", 3.8, 1.9),
    "block_in_plane": ("block readout", "s", "bd", 0.7, 0.7),
}


@style()
def draw(study: StudyLike) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure: (Figure, source data)."""
    figure = page(180)
    panels = figure.subplot_mosaic("abcd;eefg;hhhh", height_ratios=[1, 1.1, 0.8])
    for name, ax in panels.items():
        letter(name, ax=ax)
    source = [
        movement(panels["a"], study, "stimulus_in_plane"),
        movement(panels["b"], study, "block_in_plane"),
        told(panels["c"], study, "stimulus_in_plane"),
        told(panels["d"], study, "block_in_plane"),
        along(panels["e"], study),
        belief(panels["f"], study),
        updates(panels["g"], study),
        gradients(panels["h"], study),
    ]
    note(figure, _words(study))
    finish(figure)
    return figure, join(source)


def _words(study: StudyLike) -> str:
    """The note of the figure."""
    scale = study.measures["belief_scale"]
    r2 = study.measures["belief_r2"]
    if study.n_networks == 1:
        quartiles = "and quartiles "
        n = (
            f"n = {study.anatomy.run.sessions.n_sessions} sessions; brackets and bands of e: "
            "95 % intervals, sessions resampled."
        )
    else:
        quartiles = ""
        n = ""
    return (
        several(study, "f, g: dots of one of them. ")
        + "Readouts: those of the plane of two components. a, b: movement of the state in one "
        "observation step against the evidence of that step, means in bins with the line of least "
        "squares of all steps (dashed: the published slope). c, d: movement in the first step of a "
        "trial against the feedback that it brings, after a choice of left and of right. An ideal "
        "learner learns from feedback × choice, the side that they tell: lines of opposite slopes. "
        + _learnt(study)
        + "e: belief towards the block's side at the last blank step before each trial, the "
        f"observer's times the one fitted scale ({interval(scale)}, R² {r2.value:.2f}); points "
        f"with n < 30 dropped. f, g: {SCATTER} trials drawn at random, means in bins of equally "
        "many trials, and one line through the origin. h: norm of the gradient of −p(correct) at a "
        "step with respect to the state k steps before; median "
        f"{quartiles}over 200 steps. {n}"
    )


def _learnt(study: StudyLike) -> str:
    """Words for what observer and network learn from feedback, where that is defined."""
    observer = study.measures.get("told_weight_observer")
    network = study.measures.get("told_weight")
    if observer is None or network is None:
        return ""
    return (
        "By that, evidence and choice being the same, it moves its block belief by "
        f"{interval(observer)} a trial (log odds), the network by {interval(network)}. "
    )


def movement(ax: Axes, study: StudyLike, name: str) -> pd.DataFrame:
    """Movement along a readout against evidence.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    name : str
        Which of READOUTS.
    """
    title, marker, (panel, _), limit, _ = READOUTS[name]
    condition = f"{name}, evidence"
    measure = name.replace("_in", "_slope_in")
    table = only(study.curve("movement"), condition=condition)
    slope = study.measures[measure]
    published = PUBLISHED[measure]
    points(table, "x", ax=ax, colour=look("network")[0], marker=marker, line="")
    thin(ax, study, "movement", condition)
    _line(ax, table, slope.value, "-")
    _line(ax, table, published, "--")
    ax.annotate(f"published\n{published:g}", (0.97, 0.03), xycoords="axes fraction", ha="right")
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set_title(f"{title}\nslope {interval(slope, 3)}".replace(" [", "\n["))
    ax.set(xlabel="evidence, right − left", ylabel="movement of the state", ylim=(-limit, limit))
    return rows(table, panel)


def told(ax: Axes, study: StudyLike, name: str) -> pd.DataFrame:
    """Movement along a readout in the step that brings feedback, by what was chosen.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    name : str
        Which of READOUTS.
    """
    import pandas as pd

    title, _, (_, panel), _, limit = READOUTS[name]
    found = []
    for side, (colour, marker) in (("left", LEFT), ("right", RIGHT)):
        condition = f"{name}, after {side}"
        table = only(study.curve("movement"), condition=condition)
        points(table, "x", ax=ax, colour=colour, marker=marker, label=f"after {side}")
        thin(ax, study, "movement", condition)
        found.append(rows(table, panel))
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set_title(f"{title},\nfeedback arrives")
    ax.set(
        xlabel="feedback",
        ylabel="movement of the state",
        ylim=(-limit, limit),
        xlim=(-1.5, 1.5),
        xticks=(-1, 1),
    )
    if panel == "c":
        ax.legend(loc="lower right")
    return pd.concat(found)


def _line(ax: Axes, table: pd.DataFrame, slope: float, line: str) -> None:
    """A line of this slope through the mean of the points."""
    x = np.array([table["x"].min(), table["x"].max()])
    from_mean = x - table["x"].mean()
    y = table["value"].mean() + slope * from_mean
    ax.plot(x, y, line, color=INK, lw=0.8)


def along(ax: Axes, study: StudyLike) -> pd.DataFrame:
    """Belief towards the block's side by trial in block.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
    table = study.curve("belief")
    for name, agent, line in (
        ("network", "network", "-"),
        ("observer × scale", "semi_markov", "--"),
    ):
        part = only(table, condition=name)
        band(part, "x", ax=ax, colour=look(agent)[0], line=line, label=name)
    thin(ax, study, "belief", "network")
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set(xlabel="trial in block", ylabel="block belief (log odds\ntowards the block's side)")
    ax.legend(loc="lower right")
    return rows(table, "e")


def _scatter(
    ax: Axes,
    study: StudyLike,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    of: str,
    slope: float,
    correlation: Estimate,
) -> pd.DataFrame:
    """A cloud of trials, the mean in bins of all trials, and one line through the origin."""
    import pandas as pd

    panel = {"belief": "f", "update": "g"}[of]
    ax.plot(x, y, ".", color=PALE, ms=2, mew=0, rasterized=True)
    table = only(study.curve("agreement"), condition=of)
    points(table, "x", ax=ax, colour=look("network")[0])
    thin(ax, study, "agreement", of)
    line = np.array([x.min(), x.max()])
    ax.plot(line, slope * line, "--", color=INK, lw=0.8)
    ax.set_title(f"r = {interval(correlation)}")
    trials = pd.DataFrame({"x": x, "value": y})
    return pd.concat(
        [rows(trials, panel, condition="trials"), rows(table, panel, condition="bins")]
    )


def _sample(anatomy: Anatomy, n: int) -> NDArray[np.int64]:
    """Numbers below n, at most SCATTER of them, drawn at random and in order."""
    random = np.random.default_rng(anatomy.seed)
    n_shown = min(SCATTER, n)
    drawn = random.choice(n, n_shown, replace=False)
    return np.sort(drawn)


def belief(ax: Axes, study: StudyLike) -> pd.DataFrame:
    """Block belief of the network against the observer's, trial by trial.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
    anatomy = study.anatomy
    b = anatomy.belief
    shown = _sample(anatomy, anatomy.run.sessions.n_trials)
    ax.set(xlabel="observer (log odds)", ylabel="network (log odds)")
    return _scatter(
        ax,
        study,
        b.observer[shown],
        b.network[shown],
        of="belief",
        slope=b.scale.value,
        correlation=study.measures["belief_correlation"],
    )


def updates(ax: Axes, study: StudyLike) -> pd.DataFrame:
    """Change of the belief from one trial to the next, network against observer.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
    anatomy = study.anatomy
    b = anatomy.belief
    s = anatomy.run.sessions
    pair = np.flatnonzero(np.diff(s.session) == 0)
    pair = pair[_sample(anatomy, len(pair))]
    x = b.observer[pair + 1] - b.observer[pair]
    y = b.network[pair + 1] - b.network[pair]
    ax.set(xlabel="observer's update", ylabel="network's update")
    return _scatter(
        ax,
        study,
        x,
        y,
        of="update",
        slope=b.update_scale.value,
        correlation=study.measures["belief_update_correlation"],
    )


def gradients(ax: Axes, study: StudyLike) -> pd.DataFrame:
    """How far gradients reach back, before and after training.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
    table = study.curve("gradient_flow")
    looks = (("untrained", GREY, "--"), ("trained", look("network")[0], "-"))
    for name, colour, line in looks:
        band(only(table, condition=name), "x", ax=ax, colour=colour, line=line, label=name)
        thin(ax, study, "gradient_flow", name)
    ax.set(yscale="log", xlabel="steps back, k", ylim=(1e-12, 3))
    ax.set_ylabel("‖∂L/∂h‖ relative to\nk = 0 (power of ten)")
    powers(ax.yaxis)
    ax.legend(loc="upper right")
    return rows(table, "h")
