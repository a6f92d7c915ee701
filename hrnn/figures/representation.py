"""Figure 4: representation.

It shows variance, states in the plane of two components, decoders between floor and ceiling, and
angles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hrnn.agents import look
from hrnn.distill.reduction import states_in
from hrnn.figures.panels import join, rows, several, singles, thin
from hrnn.plot import (
    GREY,
    INK,
    LEFT,
    PALE,
    RIGHT,
    chance,
    estimate,
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
    from hrnn.figures.typing import Records, StudyLike
    from hrnn.statistics.resampling import Estimate


N_DOTS = 1500
DECODERS = (  # label, end of the measure's name
    ("untrained\nnetwork", "untrained"),
    ("shuffled\nlabels", "shuffled"),
    ("trained network", ""),
    ("split by\ntime step", "by_step"),
)
SPACES = (("plane", "two components", GREY, "s"), ("full", "all units", INK, "o"))


@style()
def draw(study: StudyLike) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure: (Figure, source data)."""
    anatomy = study.anatomy
    figure = page(142)
    panels = figure.subplot_mosaic("abc;def", width_ratios=[1, 1.15, 1.15])
    for name, ax in panels.items():
        letter(name, ax=ax)
    shown = _shown(anatomy)
    source = [
        variance(panels["a"], study),
        states(panels["b"], anatomy, shown, "side"),
        states(panels["c"], anatomy, shown, "block_side"),
        decoders(panels["d"], study),
        errors(panels["e"], anatomy, shown),
        angles(panels["f"], study),
    ]
    trials = anatomy.run.trials.iloc[shown]
    n_test = len(anatomy.decoders["full"].test_sessions)
    note(
        figure,
        several(study, "b, c, e: one of them. ")
        + f"b, c, e: state at the last step of {len(shown)} trials drawn at random, the step at "
        f"which it acts ({(trials.side < 0).sum()} of side left, {(trials.side > 0).sum()} right; "
        f"{(trials.block_side < 0).sum()} in left blocks, {(trials.block_side > 0).sum()} in "
        "right). Arrows: unit readouts of side (s) and block (b). e: every error is of one kind, "
        "the first that applies. d: accuracy at all steps, trained on "
        f"{anatomy.run.sessions.n_sessions - n_test} sessions and tested on {n_test} others, but "
        "for the split by time step, which leaks. Crosses: published (one network). f: "
        "the plane's angles stand anywhere on the abscissa; that of a decoder of all units has "
        "no published number. In b, c, e both axes have the same scale."
        + (" Bars: 95 % intervals, sessions resampled." if study.n_networks == 1 else ""),
    )
    finish(figure)
    return figure, join(source)


def _shown(anatomy: Anatomy) -> NDArray[np.int64]:
    """Numbers of the trials that are shown, drawn at random and in order."""
    n = anatomy.run.sessions.n_trials
    random = np.random.default_rng(anatomy.seed)
    n_shown = min(N_DOTS, n)
    drawn = random.choice(n, n_shown, replace=False)
    return np.sort(drawn)


def _scores(anatomy: Anatomy, shown: NDArray[np.int64]) -> NDArray[np.float64]:
    """Last states of trials in the plane of two components, (n, 2)."""
    states = states_in(anatomy.run)
    last = anatomy.run.last_step[shown]
    return anatomy.plane.project(states[last])


def variance(ax: Axes, study: StudyLike) -> pd.DataFrame:
    """Cumulative variance of the first components.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
    table = study.curve("variance")
    ratio = study.measures["participation_ratio"]
    points(table, "x", ax=ax)
    thin(ax, study, "variance")
    ax.plot(2, PUBLISHED["variance_pc12"], "x", color=INK, ms=5, mew=0.8, zorder=5)
    ax.annotate(
        f"participation ratio\n{interval(ratio)}", (0.97, 0.1), xycoords="axes fraction", ha="right"
    )
    ax.set(xlabel="number of components", ylabel="fraction of variance", ylim=(0.5, 1.02))
    ax.set_xticks(range(1, int(table.x.max()) + 1, 3))
    return rows(table, "a")


def _plane(ax: Axes, anatomy: Anatomy, scores: NDArray[np.float64]) -> None:
    """Arrows of the readouts, in axes of one scale: angles on the page are those in the plane."""
    plane = anatomy.plane
    size = 0.65 * np.abs(scores).max()
    box = {"facecolor": "w", "alpha": 0.8, "lw": 0, "pad": 0.5}
    arrow = {"arrowstyle": "->", "lw": 1.2, "shrinkB": 0}
    centred: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "center"}
    pair = ((plane.stimulus, plane.block, "s"), (plane.block, plane.stimulus, "b"))
    for axis, other, name in pair:
        end = tuple(size * axis)
        ax.annotate("", end, (0, 0), arrowprops=arrow)
        away = tuple(4 * _unit(axis) + 5 * _unit(axis - other))
        ax.annotate(name, end, away, fontweight="bold", bbox=box, **centred)
    ax.set(xlabel="PC 1", ylabel="PC 2")
    ax.set_aspect("equal", adjustable="datalim")


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """A vector of length 1 of the same direction."""
    length = np.linalg.norm(vector)
    return vector / length


def states(ax: Axes, anatomy: Anatomy, shown: NDArray[np.int64], of: str) -> pd.DataFrame:
    """Last states of trials in the plane, by the side of the stimulus or of the block.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    anatomy : Anatomy
        The network taken apart.
    shown : (n,) int64
        Numbers of the trials that are shown.
    of : {'side', 'block_side'}
        Which side.
    """
    import pandas as pd

    scores = _scores(anatomy, shown)
    sign = getattr(anatomy.run.sessions, of)[shown]
    for value, (colour, marker), name in ((-1, LEFT, "left"), (1, RIGHT, "right")):
        part = scores[sign == value]
        label = f"{'stimulus' if of == 'side' else 'block'} {name}"
        ax.plot(*part.T, marker, color=colour, ms=2, mew=0, alpha=0.5, rasterized=True, label=label)
    _plane(ax, anatomy, scores)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, markerscale=2, handletextpad=0)
    table = pd.DataFrame({"x": scores[:, 0], "value": scores[:, 1], "condition": sign})
    return rows(table, "b" if of == "side" else "c")


def errors(ax: Axes, anatomy: Anatomy, shown: NDArray[np.int64]) -> pd.DataFrame:
    """Last states of the wrong trials: strength 0, discordant, and the rest.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    anatomy : Anatomy
        The network taken apart.
    shown : (n,) int64
        Numbers of the trials that are shown.
    """
    import pandas as pd

    trials = anatomy.run.trials.iloc[shown]
    scores = _scores(anatomy, shown)
    wrong = ~trials.correct.to_numpy()
    zero = wrong & (trials.strength == 0).to_numpy()
    against = wrong & ~zero & (trials.side * trials.block_side < 0).to_numpy()
    kinds = (
        ("correct", ~wrong, PALE, PALE, ".", 2.0, 0.0),
        ("strength 0", zero, INK, "w", "s", 2.5, 0.6),
        ("discordant", against, GREY, GREY, "D", 2.5, 0.6),
        ("other", wrong & ~zero & ~against, INK, INK, "x", 2.5, 0.6),
    )
    for name, inside, colour, face, marker, size, edge in kinds:
        look_of = {"color": colour, "mfc": face, "ms": size, "mew": edge}
        label = f"{name} ({inside.sum()})"
        ax.plot(*scores[inside].T, marker, **look_of, rasterized=True, label=label)
    _plane(ax, anatomy, scores)
    spacing = {"handletextpad": 0, "columnspacing": 0.8}
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, markerscale=1.5, **spacing)
    kind = np.where(zero, "strength 0", np.where(against, "discordant", "other"))[wrong]
    x, y = scores[wrong].T
    return rows(pd.DataFrame({"x": x, "value": y, "condition": kind}), "e")


def decoders(ax: Axes, study: StudyLike) -> pd.DataFrame:
    """Accuracy of the block decoders, from two components and from all units.

    They stand between the floor of shuffled labels and the ceiling of the exact observer.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
    import pandas as pd

    table: Records = []
    for k, (space, name, colour, marker) in enumerate(SPACES):
        for y, (label, kind) in enumerate(DECODERS):
            measure = f"block_decoder_{space}_{kind}".rstrip("_")
            at = y + 0.4 * (k - 0.5)
            found = study.measures[measure]
            shown = name if y == 0 else None
            estimate(found, at, ax=ax, colour=colour, marker=marker, label=shown)
            singles(ax, study, measure, at + 0.14)
            if measure in PUBLISHED:
                ax.plot(PUBLISHED[measure], at, "x", color=INK, ms=5, mew=1, zorder=5)
            condition = f"{label}, {name}".replace("\n", " ")
            table.append({"condition": condition, "x": at, **vars(found)})
    _ceiling(ax, study.measures["block_decoder_observer"])
    chance(ax=ax, vertical=True)
    ax.set_yticks(range(len(DECODERS)), [label for label, _ in DECODERS])
    ax.set(xlabel="fraction of steps with the\nblock decoded correctly", xlim=(0.4, 1))
    ax.set_ylim(-0.5, len(DECODERS) - 0.5)
    ax.legend(
        loc="lower right", bbox_to_anchor=(1.05, 1.06), ncols=2, handletextpad=0.2, borderpad=0
    )
    return rows(pd.DataFrame(table), "d", x="x")


def _ceiling(ax: Axes, observer: Estimate) -> None:
    """Accuracy of the exact observer: a line with its name, and its interval."""
    colour = look("semi_markov")[0]
    ax.axvspan(observer.low, observer.high, color=colour, alpha=0.3, lw=0)
    ax.axvline(observer.value, color=colour, lw=1, gid="ceiling")
    place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    ax.annotate("observer", (observer.value, 1), (0, 1), color=colour, ha="center", **place)


def angles(ax: Axes, study: StudyLike) -> pd.DataFrame:
    """Angle between the readouts of the plane, there and in all units, and that of other decoders.

    A decoder of all units turns with its C.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
    import pandas as pd

    decoder = study.curve("angle_decoder")
    points(decoder, "x", ax=ax, colour=GREY, label="decoder of all units")
    thin(ax, study, "angle_decoder")
    measured = (
        ("angle_plane", "readouts in the plane", 3e-6, "o"),
        ("angle_full", "the same in all units", 3e-5, "s"),
    )
    for name, label, x, marker in measured:
        found = pd.DataFrame([{"x": x, **vars(study.measures[name])}])
        colour = look("network")[0]
        shape = {"marker": marker, "line": "", "hollow": True}
        points(found, "x", ax=ax, colour=colour, label=label, **shape)
        ax.plot(1.8 * x, PUBLISHED[name], "x", color=INK, ms=5, mew=1, zorder=5)
    ax.set(xscale="log", ylabel="angle between readouts (°)", ylim=(25, 95))
    ax.set_xlabel("power of ten of the decoder's C\n(small: strong regularisation)")
    powers(ax.xaxis)
    ax.legend(loc="lower right")
    return rows(decoder, "f")
