"""Figure 4: representation.

Variance, states in the plane of two components, decoders between floor and ceiling, angles.
"""

import numpy as np

from hrnn.agents import look
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

N_DOTS = 1500
DECODERS = (  # label, end of the measure's name
    ("untrained\nnetwork", "untrained"),
    ("shuffled\nlabels", "shuffled"),
    ("trained network", ""),
    ("split by\ntime step", "by_step"),
)
SPACES = (("plane", "two components", GREY, "s"), ("full", "all units", INK, "o"))


@style()
def draw(study):
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
        + f"b, c, e: state at the last step of {len(shown)} trials drawn at random, the "
        f"step at which it acts ({(trials.side < 0).sum()} of side left, {(trials.side > 0).sum()} right; "
        f"{(trials.block_side < 0).sum()} in left blocks, {(trials.block_side > 0).sum()} in right). Arrows: unit readouts of side (s) "
        "and block (b). e: every error is of one kind, the first that applies. d: accuracy at all steps, trained on "
        f"{anatomy.run.sessions.n_sessions - n_test} sessions and tested on {n_test} others, but for the split by time step, which leaks. "
        "Crosses: published (one network). f: the plane's angles stand anywhere on the abscissa; that of a decoder of all units has no "
        "published number. In b, c, e both axes have the same scale."
        + (" Bars: 95 % intervals, sessions resampled." if study.n_networks == 1 else ""),
    )
    finish(figure)
    return figure, join(source)


def _shown(anatomy):
    n = anatomy.run.sessions.n_trials
    return np.sort(np.random.default_rng(anatomy.seed).choice(n, min(N_DOTS, n), replace=False))


def variance(ax, study):
    """Cumulative variance of the first components."""
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


def _plane(ax, anatomy, scores):
    """Arrows of the readouts, in axes of one scale.

    An angle on the page is the angle in the plane.
    """
    plane = anatomy.plane
    size = 0.65 * np.abs(scores).max()
    box = {"facecolor": "w", "alpha": 0.8, "lw": 0, "pad": 0.5}
    pair = ((plane.stimulus, plane.block, "s"), (plane.block, plane.stimulus, "b"))
    for axis, other, name in pair:
        ax.annotate(
            "", size * axis, (0, 0), arrowprops={"arrowstyle": "->", "lw": 1.2, "shrinkB": 0}
        )
        away = 4 * _unit(axis) + 5 * _unit(axis - other)
        ax.annotate(
            name,
            size * axis,
            away,
            textcoords="offset points",
            fontweight="bold",
            ha="center",
            va="center",
            bbox=box,
        )
    ax.set(xlabel="PC 1", ylabel="PC 2")
    ax.set_aspect("equal", adjustable="datalim")


def _unit(vector):
    return vector / np.linalg.norm(vector)


def states(ax, anatomy, shown, of):
    """Last states of trials in the plane, by the side of the stimulus or of the block."""
    import pandas as pd

    scores = anatomy.plane.project(anatomy.run.hidden[anatomy.run.last_step[shown]])
    sign = getattr(anatomy.run.sessions, of)[shown]
    for value, (colour, marker), name in ((-1, LEFT, "left"), (1, RIGHT, "right")):
        part = scores[sign == value]
        label = f"{'stimulus' if of == 'side' else 'block'} {name}"
        ax.plot(*part.T, marker, color=colour, ms=2, mew=0, alpha=0.5, rasterized=True, label=label)
    _plane(ax, anatomy, scores)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, markerscale=2, handletextpad=0)
    return rows(
        pd.DataFrame({"x": scores[:, 0], "value": scores[:, 1], "condition": sign}),
        "b" if of == "side" else "c",
    )


def errors(ax, anatomy, shown):
    """Last states of the wrong trials: strength 0, discordant, and the rest."""
    import pandas as pd

    trials = anatomy.run.trials.iloc[shown]
    scores = anatomy.plane.project(anatomy.run.hidden[anatomy.run.last_step[shown]])
    wrong = ~trials.correct.to_numpy()
    zero = wrong & (trials.strength == 0).to_numpy()
    against = wrong & ~zero & (trials.side * trials.block_side < 0).to_numpy()
    ax.plot(
        *scores[~wrong].T,
        ".",
        color=PALE,
        ms=2,
        mew=0,
        rasterized=True,
        label=f"correct ({(~wrong).sum()})",
    )
    kinds = (
        ("strength 0", zero, INK, "w", "s"),
        ("discordant", against, GREY, GREY, "D"),
        ("other", wrong & ~zero & ~against, INK, INK, "x"),
    )
    for name, inside, colour, face, marker in kinds:
        label = f"{name} ({inside.sum()})"
        ax.plot(
            *scores[inside].T,
            marker,
            color=colour,
            mfc=face,
            ms=2.5,
            mew=0.6,
            rasterized=True,
            label=label,
        )
    _plane(ax, anatomy, scores)
    ax.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1),
        ncols=2,
        markerscale=1.5,
        handletextpad=0,
        columnspacing=0.8,
    )
    kind = np.where(zero, "strength 0", np.where(against, "discordant", "other"))
    return rows(
        pd.DataFrame({"x": scores[wrong, 0], "value": scores[wrong, 1], "condition": kind[wrong]}),
        "e",
    )


def decoders(ax, study):
    """Accuracy of the block decoders, from two components and from all units.

    Between floor and ceiling.
    """
    import pandas as pd

    table = []
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


def _ceiling(ax, observer):
    """Accuracy of the exact observer: a line with its name, and its interval."""
    colour = look("semi_markov")[0]
    ax.axvspan(observer.low, observer.high, color=colour, alpha=0.3, lw=0)
    ax.axvline(observer.value, color=colour, lw=1, gid="ceiling")
    place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    ax.annotate("observer", (observer.value, 1), (0, 1), color=colour, ha="center", **place)


def angles(ax, study):
    """Angle between the readouts.

    The plane's, there and in all units, and that of a decoder of all units, which turns with its C.
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
        points(
            found,
            "x",
            ax=ax,
            colour=look("network")[0],
            marker=marker,
            line="",
            hollow=True,
            label=label,
        )
        ax.plot(1.8 * x, PUBLISHED[name], "x", color=INK, ms=5, mew=1, zorder=5)
    ax.set(xscale="log", ylabel="angle between readouts (°)", ylim=(25, 95))
    ax.set_xlabel("power of ten of the decoder's C\n(small: strong regularisation)")
    powers(ax.xaxis)
    ax.legend(loc="lower right")
    return rows(decoder, "f")
