"""Figure 1: the task. A sampled session, one stretch of it step by step, and the lengths of blocks."""

import numpy as np

from hrnn.plot import MM, WIDTH_MM, letter

LEFT, RIGHT = "#0072B2", "#D55E00"
N_TRIALS_SHOWN = 8


def draw(study, Figure):
    """The figure and its source data."""
    import pandas as pd

    figure = Figure(figsize=(WIDTH_MM * MM, 110 * MM))
    a, b, c, d = figure.subplot_mosaic([["a", "a"], ["b", "b"], ["c", "d"]], height_ratios=[1, 1.4, 1.4]).values()
    source = [session(letter(a, "a"), study), stretch(letter(b, "b"), study), lengths(letter(c, "c"), study)]
    timeline(letter(d, "d"), study.task)
    return figure, pd.concat(source, ignore_index=True)


def session(ax, study):
    """Blocks and stimulus sides of the first session."""
    import pandas as pd

    s = study.sessions
    n = s.offsets[1]
    trials = np.arange(n)
    signed = s.side[:n] * s.strength[:n]
    ax.fill_between(trials - 0.5, -2.8, 2.8, where=s.block_side[:n] > 0, step="post", color=RIGHT, alpha=0.15, lw=0)
    ax.fill_between(trials - 0.5, -2.8, 2.8, where=s.block_side[:n] < 0, step="post", color=LEFT, alpha=0.15, lw=0)
    ax.plot(trials, signed, "k.", ms=2.5)
    ax.set(xlabel="trial in session", ylabel="signed strength\n(right > 0)", xlim=(0, n), ylim=(-2.8, 2.8))
    ax.text(0.01, 1.02, "one session: shading is the side of the block (orange right, blue left)", transform=ax.transAxes, va="bottom")
    return pd.DataFrame({"panel": "a", "x": trials, "y": signed, "series": "signed strength"})


def stretch(ax, study):
    """Observations and feedback of a few trials, as the network gets them."""
    import pandas as pd

    run = study.runs["network"]
    shown = run.trial < N_TRIALS_SHOWN
    x, steps = run.inputs[shown], np.arange(shown.sum())
    for column, colour, marker, name in ((0, LEFT, "o", "left observation"), (1, RIGHT, "s", "right observation")):
        seen = run.step[shown] >= study.task.n_blank
        ax.plot(steps[seen], x[seen, column], marker, color=colour, ms=3, label=name)
    ax.step(steps, x[:, 2], where="mid", color="k", lw=0.8, label="feedback")
    for first in np.flatnonzero(run.step[shown] == 0):
        ax.axvline(first - 0.5, color="0.7", lw=0.6)
    ax.set(xlabel="network step (grey lines: a trial begins; the network is not told)", ylabel="input", xlim=(-0.5, len(steps) - 0.5))
    ax.legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 0.97))
    return pd.DataFrame({"panel": "b", "x": np.tile(steps, 3), "y": x.T.ravel(),
                         "series": np.repeat(["left", "right", "feedback"], len(steps))})


def lengths(ax, study):
    """Sampled block lengths against their law."""
    import pandas as pd

    sampled, pmf = study.sessions.block_lengths, study.task.block_length_pmf()
    edges = np.arange(study.task.block_min, study.task.block_max + 6, 5) - 0.5
    ax.hist(sampled, edges, density=True, color="0.8", label=f"{len(sampled)} sampled blocks")
    n = np.arange(study.task.block_min, study.task.block_max + 1)
    ax.plot(n, pmf[n], color="k", label="law")
    ax.set(xlabel="block length (trials)", ylabel="probability per trial")
    ax.set_title(f"mean {sampled.mean():.1f}, sd {sampled.std():.1f} trials; law: mean {pmf @ np.arange(len(pmf)):.1f}")
    ax.legend()
    return pd.DataFrame({"panel": "c", "x": n, "y": pmf[n], "series": "law"})


def timeline(ax, task):
    """What happens in a trial."""
    ax.axis("off")
    boxes = [(0, task.n_blank, f"{task.n_blank} blank\nsteps", "0.9"), (task.n_blank, 4, f"1 to {task.n_obs_max}\nobservations", "#FDE3C8"),
             (task.n_blank + 4, 2, "feedback\n±1", "#CFE8DD")]
    for x, width, text, colour in boxes:
        ax.add_patch(_box(x, width, colour))
        ax.text(x + width / 2, 0.5, text, ha="center", va="center")
    ax.text(0, -0.35, f"acts when max(p, 1 − p) > {task.threshold:g};\neach waiting step: {task.wait_penalty:g};\n"
            f"no action at observation {task.n_obs_max}: timeout, −1;\nfeedback arrives one step later", va="top")
    ax.set(xlim=(-0.2, task.n_blank + 6.2), ylim=(-2, 1.4))


def _box(x, width, colour):
    from matplotlib.patches import Rectangle

    return Rectangle((x, 0), width, 1, facecolor=colour, edgecolor="k", lw=0.6)
