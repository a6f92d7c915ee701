"""Figure 1: the task. A sampled session, its first trials step by step, the lengths of blocks.

The last panel explains one trial.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hrnn.agents import PLAYER
from hrnn.figures.panels import join, rows
from hrnn.plot import LEFT, NO_SIDE, RIGHT, finish, letter, note, page, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle
    from numpy.typing import NDArray

    from hrnn.figures.typing import StudyLike
    from hrnn.rollout import Rollout
    from hrnn.task import Sessions, Task


N_STEPS_SHOWN = 56
# of annotations above the axes
ABOVE: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}


@style()
def draw(study: StudyLike) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure: (Figure, source data)."""
    figure = page(155)
    panels = figure.subplot_mosaic(
        "aa;bb;cc;de", height_ratios=[1, 1.25, 0.8, 1.25], width_ratios=[1, 1.25]
    )
    for name, ax in panels.items():
        letter(name, ax=ax)
    shown = _shown(study)
    source = [
        session(panels["a"], study.sessions),
        inputs(panels["b"], study, shown),
        belief(panels["c"], study, shown),
        lengths(panels["d"], study),
    ]
    panels["b"].sharex(panels["c"])
    timeline(panels["e"], study.task)
    note(
        figure,
        "a: one session, n = 1; b, c: its first trials, played by the exact Bayesian actor. "
        "Violet squares: left, gold circles: right. Grey lines: a trial begins (the agent is not "
        "told). Above each trial: its side and strength; strength 0 has a side too, which "
        f"decides the feedback. Feedback while waiting ({_minus(study.task.wait_penalty)}) is too "
        "small to see.",
    )
    finish(figure)
    return figure, join(source)


def session(ax: Axes, sessions: Sessions) -> pd.DataFrame:
    """Blocks and stimulus sides of the first session.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    sessions : Sessions
        The sessions.
    """
    import pandas as pd

    n = sessions.offsets[1]
    trials = np.arange(n)
    signed = sessions.side[:n] * sessions.strength[:n]
    block = sessions.block[:n]
    looks = {
        -1: (LEFT[0], "left block"),
        0: (NO_SIDE[0], "no side"),
        1: (RIGHT[0], "right block"),
    }
    for number in np.unique(block):
        inside = np.flatnonzero(block == number)
        side = sessions.block_side[inside[0]]
        colour, name = looks[int(side)]
        ax.axvspan(inside[0] - 0.5, inside[-1] + 0.5, color=colour, alpha=0.15, lw=0)
        ax.annotate(name, (inside.mean(), 1), (0, 2), **ABOVE, ha="center")
    for sign, (colour, marker) in ((-1, LEFT), (1, RIGHT)):
        of_side = sessions.side[:n] == sign
        ax.plot(trials[of_side], signed[of_side], marker, color=colour, ms=2.5, mew=0)
    ax.set(xlabel="trial in session", ylabel="signed strength\n(sd, right > 0)", xlim=(-1, n))
    return rows(pd.DataFrame({"x": trials, "value": signed, "condition": "signed strength"}), "a")


def _shown(study: StudyLike) -> NDArray[np.int64]:
    """Steps of the first trials that fit in N_STEPS_SHOWN."""
    run = study.runs[PLAYER]
    ends = np.cumsum(run.n_obs + study.task.n_blank)
    n_trials = np.searchsorted(ends, N_STEPS_SHOWN, side="right")
    return np.arange(np.count_nonzero(run.trial < n_trials))


def _trial_lines(ax: Axes, run: Rollout, shown: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where trials begin; returns those steps."""
    first = np.flatnonzero(run.step[shown] == 0)
    for step in first:
        ax.axvline(step - 0.5, color="0.75", lw=0.6, zorder=0)
    ax.set_xlim(-0.5, len(shown) - 0.5)
    return first


def inputs(ax: Axes, study: StudyLike, shown: NDArray[np.int64]) -> pd.DataFrame:
    """Observations and feedback, as the agent gets them.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    shown : (n,) int64
        Numbers of the steps that are shown.
    """
    import pandas as pd

    run = study.runs[PLAYER]
    sessions = study.sessions
    x = run.inputs[shown]
    observed = run.step[shown] >= study.task.n_blank
    ax.bar(shown, x[:, 2], width=0.8, color="0.45", label="feedback")
    for column, (colour, marker), name in ((0, LEFT, "left"), (1, RIGHT, "right")):
        label = f"{name} observation"
        at = (shown[observed], x[observed, column])
        ax.plot(*at, marker, color=colour, ms=3, mew=0, label=label)
    for step in _trial_lines(ax, run, shown):
        trial = run.trial[step]
        side = "L" if sessions.side[trial] < 0 else "R"
        text = f"{side} {sessions.strength[trial]:g}"
        ax.annotate(text, (step - 0.3, 1), (0, 1), **ABOVE)
    ax.axhline(0, color="k", lw=0.4)
    ax.tick_params(labelbottom=False)
    low = min(x.min(), -1)
    ax.set(ylabel="input (sd)", ylim=(low - 0.3, x.max() + 0.3))
    ax.legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 1.06), borderpad=0)
    table = pd.DataFrame(x, columns=["left observation", "right observation", "feedback"])
    table = table.assign(x=shown)
    return rows(table.melt("x", var_name="condition"), "b", agent=PLAYER)


def belief(ax: Axes, study: StudyLike, shown: NDArray[np.int64]) -> pd.DataFrame:
    """P(right) of the agent, and where it acts.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    shown : (n,) int64
        Numbers of the steps that are shown.
    """
    import pandas as pd

    run = study.runs[PLAYER]
    threshold = study.task.threshold
    p = run.p_right[shown]
    choice = run.choice[run.trial[shown]]
    _trial_lines(ax, run, shown)
    ax.plot(shown, p, "-", color="k", lw=0.8)
    last = np.append(run.step[shown][1:] == 0, True)
    for sign, (colour, marker) in ((-1, LEFT), (1, RIGHT)):
        acts = last & (choice == sign)
        ax.plot(shown[acts], p[acts], marker, color=colour, ms=4, mew=0)
    timeouts = last & (choice == 0)
    ax.plot(shown[timeouts], p[timeouts], "kx", ms=4)
    for level in (threshold, 1 - threshold):
        ax.axhline(level, color="0.5", lw=0.6, ls="--")
    ax.set_xlabel(
        "step (symbols: choices; cross: timeout; "
        f"dashed: thresholds {1 - threshold:g} and {threshold:g})"
    )
    ax.set(ylabel="P(right)", ylim=(-0.06, 1.06))
    table = pd.DataFrame({"x": shown, "value": p, "condition": "P(right)"})
    return rows(table, "c", agent=PLAYER)


def lengths(ax: Axes, study: StudyLike) -> pd.DataFrame:
    """Sampled block lengths against their law.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
    import pandas as pd

    sampled = study.sessions.block_lengths
    pmf = study.task.block_length_pmf()
    n = np.arange(study.task.block_min, study.task.block_max + 1)
    width = 9
    bins = np.arange(n[0], n[-1] + width + 1, width) - 0.5
    heights, edges = np.histogram(sampled, bins)
    expected = np.add.reduceat(pmf[n[0] :], np.arange(0, len(n), width))
    middles = (edges[:-1] + edges[1:]) / 2
    fraction = heights / len(sampled)
    label = f"sampled: {sampled.mean():.1f} ± {sampled.std():.1f}"
    ax.bar(middles, fraction, width - 0.6, color="0.8", label=label)
    every = np.arange(len(pmf))
    mean = pmf @ every
    sd = np.sqrt(pmf @ (every - mean) ** 2)
    ax.plot(middles, expected, "ko-", ms=3, label=f"analytic: {mean:.1f} ± {sd:.1f}")
    highest = max(fraction.max(), expected.max())
    ax.set(xlabel="block length (trials)", ylim=(0, 1.25 * highest))
    ax.set_ylabel(f"fraction of blocks\n(bins of {width} trials)")
    ax.legend(title=f"mean ± sd, n = {len(sampled)} blocks", title_fontsize=7)
    table = pd.DataFrame({"x": middles, "sampled": fraction, "analytic": expected})
    return rows(table.melt("x", var_name="condition"), "d", n=len(sampled))


def timeline(ax: Axes, task: Task) -> None:
    """What happens in a trial.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    task : Task
        The task.
    """
    ax.axis("off")
    boxes = [(1, "0.9", "blank")] * task.n_blank
    boxes += [(1, "w", "obs. 1"), (1, "w", "…"), (1.1, "w", f"obs. {task.n_obs_max}")]
    x = 0
    arrow = {"arrowstyle": "->", "lw": 0.6}
    for width, colour, text in [*boxes, (1, "0.9", "blank")]:
        ax.add_patch(_box(x, width, colour))
        ax.text(x + width / 2, 0.5, text, ha="center", va="center")
        x += width
    for text, at in (("feedback ±1", x - 0.5), ("acts here, or waits", task.n_blank + 1.5)):
        ax.annotate(text, (at, 1), (at, 1.75), ha="center", arrowprops=arrow)
    ax.plot([x - 1, x - 1], [-0.2, 1.3], color="0.5", lw=0.8)
    ax.text(x - 0.5, -0.15, "next trial", ha="center", va="top")
    ax.text(
        0,
        -0.75,
        f"acts when P(right) or P(left) exceeds {task.threshold:g}: +1 if correct, −1 if wrong\n"
        f"waits: {_minus(task.wait_penalty)} at each observation; at observation {task.n_obs_max}: "
        "timeout, −1\n"
        f"feedback is an input of the step after; P(side = block) = {task.p_block:g}",
        va="top",
        linespacing=1.4,
    )
    ax.set(xlim=(-0.1, x + 0.1), ylim=(-2.6, 2.3))


def _minus(number: float) -> str:
    """A number with a minus sign in place of a hyphen."""
    return f"{number:g}".replace("-", "−")


def _box(x: float, width: float, colour: str) -> Rectangle:
    """A box of the timeline that begins at x."""
    from matplotlib.patches import Rectangle

    return Rectangle((x, 0), width, 1, facecolor=colour, edgecolor="k", lw=0.6)
