"""Figure 4: representation. Variance, states in the plane of two components, decoders between floor and ceiling, angles."""

import numpy as np

from hrnn.claims import PUBLISHED
from hrnn.figures import join, rows, several, singles, thin
from hrnn.plot import LEFT, RIGHT, finish, letter, note, page, points, style

N_DOTS = 1500
DECODERS = (  # label, end of the measure's name
    ("untrained\nnetwork", "untrained"), ("shuffled\nlabels", "shuffled"), ("trained network", ""), ("split by\ntime step", "by_step"),
)


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    anatomy = study.anatomy
    figure = page(165)
    panels = figure.subplot_mosaic("abc;def", width_ratios=[1, 1.15, 1.15])
    for name, ax in panels.items():
        letter(name, ax=ax)
    shown = _shown(anatomy)
    source = [
        variance(panels["a"], study), states(panels["b"], anatomy, shown, "side"), states(panels["c"], anatomy, shown, "block_side"),
        decoders(panels["d"], study), errors(panels["e"], anatomy, shown), angles(panels["f"], study),
    ]
    trials = anatomy.run.trials.iloc[shown]
    n_test = len(anatomy.decoders["full"].test_sessions)
    note(figure, several(study, "b, c, e: one of them. ") + f"b, c, e: state at the last step of {len(shown)} trials drawn at random, the "
         f"step at which it acts ({(trials.side < 0).sum()} of side left, {(trials.side > 0).sum()} right; "
         f"{(trials.block_side < 0).sum()} in left blocks, {(trials.block_side > 0).sum()} in right). Arrows: unit readouts of side (s) "
         "and block (b). e: every error is of one kind, the first that applies. d: accuracy at all steps, trained on "
         f"{anatomy.run.sessions.n_sessions - n_test} sessions and tested on {n_test} others, but for the split by time step, which leaks. "
         "Crosses and dashed lines: published (one network)."
         + (" Bars: 95 % intervals, sessions resampled." if study.n_networks == 1 else ""))
    finish(figure)
    return figure, join(source)


def _shown(anatomy):
    n = anatomy.run.sessions.n_trials
    return np.sort(np.random.default_rng(anatomy.seed).choice(n, min(N_DOTS, n), replace=False))


def variance(ax, study):
    """Cumulative variance of the first components."""
    table, ratio = study.curve("variance"), study.measures["participation_ratio"]
    points(table, "x", ax=ax)
    thin(ax, study, "variance")
    ax.plot(2, PUBLISHED["variance_pc12"], "x", color="#D55E00", ms=6, mew=1.5, zorder=5)
    text = f"participation ratio\n{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
    ax.annotate(text, (0.95, 0.1), xycoords="axes fraction", ha="right")
    ax.set(xlabel="number of components", ylabel="fraction of variance", ylim=(0.5, 1.02), xticks=range(1, int(table.x.max()) + 1, 3))
    return rows(table, "a")


def _plane(ax, anatomy, scores):
    plane = anatomy.plane
    size = 0.65 * np.abs(scores).max()
    for axis, name, place in ((plane.stimulus, "s", 1.15), (plane.block, "b", 1.3)):
        ax.annotate("", size * axis, (0, 0), arrowprops={"arrowstyle": "->", "lw": 1.2})
        box = {"facecolor": "w", "alpha": 0.8, "lw": 0, "pad": 0.5}
        ax.annotate(name, place * size * axis, fontweight="bold", ha="center", va="center", bbox=box)
    ax.set(xlabel="PC 1", ylabel="PC 2")


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
    return rows(pd.DataFrame({"x": scores[:, 0], "value": scores[:, 1], "condition": sign}), "b" if of == "side" else "c")


def errors(ax, anatomy, shown):
    """Last states of the wrong trials: strength 0, discordant, and the rest."""
    import pandas as pd

    trials = anatomy.run.trials.iloc[shown]
    scores = anatomy.plane.project(anatomy.run.hidden[anatomy.run.last_step[shown]])
    wrong = ~trials.correct.to_numpy()
    zero = wrong & (trials.strength == 0).to_numpy()
    against = wrong & ~zero & (trials.side * trials.block_side < 0).to_numpy()
    ax.plot(*scores[~wrong].T, ".", color="0.85", ms=2, mew=0, rasterized=True, label=f"correct ({(~wrong).sum()})")
    kinds = (
        ("strength 0", zero, "#009E73", "s"), ("discordant", against, "#CC79A7", "D"), ("other", wrong & ~zero & ~against, "#000000", "x"),
    )
    for name, inside, colour, marker in kinds:
        ax.plot(*scores[inside].T, marker, color=colour, ms=2.5, mew=0.6, alpha=0.7, rasterized=True, label=f"{name} ({inside.sum()})")
    _plane(ax, anatomy, scores)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, markerscale=1.5, handletextpad=0, columnspacing=0.8)
    kind = np.where(zero, "strength 0", np.where(against, "discordant", "other"))
    return rows(pd.DataFrame({"x": scores[wrong, 0], "value": scores[wrong, 1], "condition": kind[wrong]}), "e")


def decoders(ax, study):
    """Accuracy of the block decoders, from two components and from all units, between floor and ceiling."""
    import pandas as pd

    table = []
    for k, (space, colour, marker) in enumerate((("plane", "#E69F00", "s"), ("full", "#0072B2", "o"))):
        for y, (label, kind) in enumerate(DECODERS):
            measure, at = f"block_decoder_{space}_{kind}".rstrip("_"), y + 0.3 * (k - 0.5)
            estimate, name = study.measures[measure], {"plane": "two components", "full": "all units"}[space]
            ax.errorbar(estimate.value, at, xerr=[[estimate.value - estimate.low], [estimate.high - estimate.value]], fmt=marker,
                        color=colour, ms=3.5, elinewidth=0.8, label=name if y == 0 else None)
            singles(ax, study, measure, at + 0.1)
            if measure in PUBLISHED:
                ax.plot(PUBLISHED[measure], at, "x", color="k", ms=5, mew=1)
            table.append({"condition": f"{label}, {name}".replace("\n", " "), "x": at, **vars(estimate)})
    ceiling = study.measures["block_decoder_observer"]
    ax.axvline(0.5, color="0.5", lw=0.8, ls=":")
    ax.axvspan(ceiling.low, ceiling.high, color="#009E73", alpha=0.5, lw=0, label="observer")
    ax.set_yticks(range(len(DECODERS)), [label for label, _ in DECODERS])
    ax.set(xlabel="fraction of steps with the block right", xlim=(0.4, 1), ylim=(-0.5, len(DECODERS) - 0.5))
    ax.legend(loc="lower right", bbox_to_anchor=(1.05, 1), ncols=2, handletextpad=0.2, columnspacing=0.8, borderpad=0)
    return rows(pd.DataFrame(table), "d", x="x")


def angles(ax, study):
    """Angle between the readouts: in the full space it depends on the regularisation, in the plane it hardly does."""
    full, plane = study.curve("angle_full"), study.measures["angle_plane"]
    points(full, "x", ax=ax, colour="#0072B2", label="all units")
    thin(ax, study, "angle_full", colour="#0072B2")
    ax.axhspan(plane.low, plane.high, color="#E69F00", alpha=0.4, lw=0)
    ax.axhline(plane.value, color="#E69F00", lw=1, label="plane of 2 PCs")
    for key, colour in (("angle_full", "#0072B2"), ("angle_plane", "#E69F00")):
        ax.axhline(PUBLISHED[key], color=colour, ls="--", lw=0.8)
    ax.set(xscale="log", xlabel="C (small: strong regularisation)", ylabel="angle between readouts (°)", ylim=(45, 95))
    ax.legend(loc="lower right")
    return rows(full, "f")
