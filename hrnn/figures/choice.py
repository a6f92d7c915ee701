"""Figure 10: mice. Models of their choices compared and tested.

And the same measures of networks and Bayesian agents.
"""

import numpy as np

from hrnn.agents import look
from hrnn.choice.side_by_side import MEASURES as OF_CHOICES
from hrnn.figures.panels import join, rows, singles, strip
from hrnn.plot import (
    GREY,
    INK,
    band,
    chance,
    estimate,
    few,
    finish,
    letter,
    note,
    page,
    style,
)
from hrnn.populations import curves
from hrnn.populations.measures import CATALOGUE

MICE = look("mice")
MODEL_NAMES = {
    "action_kernel": "action kernel",
    "four_alpha": "four α",
    "history_glm": "history GLM",
    "exponential": "exponential",
    "markov": "Markov",
    "stimulus_kernel": "stimulus kernel",
    "semi_markov": "Bayes, semi-Markov",
    "oracle": "block known",
    "flat": "no prior",
}
MEASURES = {name: CATALOGUE[f"choices_{name}"].label for name in OF_CHOICES}
MOST_TRIALS = 40


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    found = study.beside
    if found is None:
        raise ValueError("study.mice must be the mice's trial table, got None")
    figure = page(245)
    top, changes, measured, bottom = figure.subfigures(4, 1, height_ratios=[1.3, 0.9, 1.1, 1.6])
    source = [
        *models(top, found),
        *after_change(changes, study),
        *measures(measured, study),
        *following(bottom, found),
    ]
    n_mice = found.comparison.n_subjects[0]
    n_trials = found.fits["mice", "action_kernel"].n_trials.sum()
    several = study.n_networks > 1
    note(
        bottom,
        f"{n_mice} mice, {n_trials} choices; agents in their own task. a: left-out sessions, paired by mouse with the best "
        "model (bars: 95 %, mice resampled). b: each mouse; named, where a model tells less than the mouse's own rate of right "
        "choices (0 bits). c: parameters of simulated mice found again, 95 % intervals with errors clustered by session (Student's t). "
        "d: per cent of simulated mice that the BIC gives to each model. e: choices of the new block's side at contrast 0 after a "
        "change, in bins of at least "
        f"{curves.MIN_N} trials "
        f"(bands: 95 %{'; RNN, networks and their sessions resampled; others, sessions' if several else ', sessions resampled'}). "
        f"f–k: small, each mouse{' and network' if several else ''}; bars, 95 % "
        f"({'mice, and networks with their sessions,' if several else 'mice'} resampled; other agents: errors clustered by session, where "
        "there are). l: P(right) at contrast 0 in right less left blocks, mice in order; grey bars, 95 % of "
        f"{found.n_pseudo} pseudo-sessions of the rig, which any memory exceeds; black, of {found.n_pseudo} simulated mice that only "
        "repeat their last choice.",
    )
    finish(figure)
    return figure, join(source)


# ---- models ----


def models(figure, found):
    """Comparison, mouse by mouse, recovery, confusion."""
    a, b, c, d = figure.subplots(1, 4, width_ratios=[1.25, 1, 1, 1.1])
    for name, ax in zip("abcd", (a, b, c, d), strict=True):
        letter(name, ax=ax)
    yield from compared(a, found.comparison)
    yield scatter(b, found)
    yield recovered(c, found)
    yield confused(d, found)


def compared(ax, table):
    """Bits per trial in left-out sessions less those of the best model."""
    renamed = table.assign(
        value=table.difference,
        low=table.difference_low,
        high=table.difference_high,
        n=table.n_subjects,
    )
    for y, row in enumerate(renamed.itertuples()):
        estimate(row, y, ax=ax)
    ax.set_yticks(range(len(table)), [MODEL_NAMES.get(name, name) for name in table.model])
    ax.set(ylim=(len(table) - 0.5, -0.5), xlabel="bits per trial,\nless the best model")
    ax.axvline(0, color="0.8", lw=0.6, zorder=0)
    best = table.iloc[0]
    ax.set_title(f"best: {best.bits_per_trial:.3f} [{best.low:.3f}, {best.high:.3f}]")
    yield rows(renamed[["value", "low", "high", "n"]], "a", agent="mice", condition=table.model)


def exceedance(ax, table):
    """Probability that a model is the most frequent one."""
    y = np.arange(len(table))
    ax.hlines(y, 0, table.exceedance, color=GREY, lw=3)
    ax.plot(table.exceedance, y, "o", color=INK, ms=3, mew=0)
    for height, value in zip(y, table.exceedance, strict=True):
        ax.annotate(
            f"{value:.3f}", (value, height), (5, 0), textcoords="offset points", va="center"
        )
    ax.set(xlabel="exceedance probability", xlim=(0, 1.25), xticks=(0, 0.5, 1))
    values = table.assign(value=table.exceedance, n=table.n_subjects)[["value", "n"]]
    return rows(values, "b", agent="mice", condition=table.model)


def scatter(ax, found):
    """Bits per trial of each mouse under the action kernel and the semi-Markov observer."""
    import pandas as pd

    action, bayes = (
        found.fits["mice", model].bits_per_trial for model in ("action_kernel", "semi_markov")
    )
    names = found.fits["mice", "action_kernel"].names["subject"]
    ends = [min(bayes.min(), action.min()) - 0.03, max(bayes.max(), action.max()) + 0.03]
    ax.plot(ends, ends, color="0.8", lw=0.6, zorder=0)
    ax.plot(bayes, action, MICE[1], color=MICE[0], ms=3, mew=0, alpha=0.7)
    for name, x, y in zip(names, bayes, action, strict=True):
        if min(x, y) < 0:
            ax.annotate(name, (x, y), (-2, -4), textcoords="offset points", va="top")
    ax.set(xlabel="Bayes, semi-Markov\n(bits per trial)", ylabel="action kernel", aspect="equal")
    ax.set(xlim=ends, ylim=ends)
    return rows(pd.DataFrame({"x": bayes, "value": action}), "b", agent=names)


def recovered(ax, found):
    """Rates of the action kernel, true and found again."""
    table = found.recovery[found.recovery.parameter == "alpha"]
    ends = [0, 1.1 * max(table.truth.max(), table.estimate.max())]
    ax.plot(ends, ends, color="0.8", lw=0.6, zorder=0)
    ends_of = [table.estimate - table.low, table.high - table.estimate]
    ax.errorbar(
        table.truth,
        table.estimate,
        yerr=ends_of,
        fmt="o",
        color=INK,
        mfc="w",
        ms=2.5,
        mew=0.6,
        elinewidth=1,
    )
    ax.set(xlabel="true α", ylabel="estimated α", xlim=ends, ylim=ends, aspect="equal")
    return rows(table.assign(x=table.truth, value=table.estimate), "c", agent="simulated")


def confused(ax, found):
    """Which model wins on choices that another made."""
    from cmcrameri import cm

    table = found.confusion
    shown = ax.imshow(table, cmap=cm.oslo_r, vmin=0, vmax=1)
    for (i, j), value in np.ndenumerate(table.to_numpy()):
        colour = INK if luminance(shown.to_rgba(value)) > 0.18 else "w"
        ax.annotate(f"{100 * value:.0f}", (j, i), ha="center", va="center", color=colour)
    names = [{"semi_markov": "Bayes"}.get(name, MODEL_NAMES[name]) for name in table.index]
    ax.set_xticks(range(len(names)), names, rotation=90)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="winner", ylabel="made by")
    long = table.stack().rename("value").reset_index()
    return rows(long, "d", agent=long["true"], condition=long["winner"])


def luminance(colour):
    """Relative luminance of an sRGB colour, from 0 (black) to 1 (white), as WCAG 2.1 defines it.

    Examples
    --------
    >>> luminance((1, 1, 1)), luminance((0, 0, 0, 1))
    (1.0, 0.0)
    """
    channel = np.asarray(colour[:3], float)
    linear = np.where(channel <= 0.04045, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


# ---- beside agents ----


def _look(population):
    """Colour, marker and name of mice or an agent, on one line."""
    colour, marker, name = look(population)
    return colour, marker, name.replace("\n", " ")


def after_change(figure, study):
    """Use of the prior at contrast 0 after a change of block, one panel each."""
    found = study.beside
    tables = {"mice": found.mice, **found.agents}
    axes = np.atleast_1d(figure.subplots(1, len(tables), sharey=True))
    letter("e", ax=axes[0])
    for ax, (name, trials) in zip(axes, tables.items(), strict=True):
        several = name == "network" and study.n_networks > 1
        table = study.curve("new_side") if several else curves.new_side(trials)
        shown = table[table.x < MOST_TRIALS]
        colour, marker, title = _look(name)
        band(shown, "x", ax=ax, colour=colour)
        ax.plot(shown["x"], shown["value"], marker, color=colour, ms=2.5, mew=0)
        chance(ax=ax)
        ax.set(title=title, xlabel="trials since the change", ylim=(0, 1), xlim=(-1, MOST_TRIALS))
        ax.set(xticks=(0, MOST_TRIALS // 2, MOST_TRIALS), yticks=(0, 0.5, 1))
        yield rows(shown[["x", "value", "low", "high", "n"]], "e", agent=name)
    axes[0].set_ylabel("takes new side")


def measures(figure, study):
    """Every measure in its own panel, every population in its own row."""
    found = study.beside
    axes = figure.subplots(1, len(MEASURES), sharey=True)
    for panel, ax, (measure, label) in zip("fghijk", axes, MEASURES.items(), strict=True):
        letter(panel, ax=ax)
        table = _with_networks(found.population(measure), study, measure)
        of_mice = (found.measures.measure == measure) & (found.measures.population == "mice")
        each = found.measures[of_mice]
        strip(ax, each.value, 0.3)
        singles(ax, study, f"choices_{measure}", 1.3)
        for y, row in enumerate(table.itertuples()):
            colour, marker, _ = _look(row.population)
            estimate(row, y, ax=ax, colour=colour, marker=marker)
        ax.axvline(0, color="0.8", lw=0.6, zorder=0)
        ax.set_xlabel(label)
        ax.margins(x=0.12)
        few(ax.xaxis, 3)
        yield rows(table.rename(columns={"population": "agent"}), panel, condition=measure)
        yield rows(each[["value"]], panel, agent="mice", condition="each mouse")
    axes[0].set_yticks(range(len(table)), [_look(name)[2] for name in table.population])
    axes[0].set_ylim(len(table) - 0.5, -0.5)


def _with_networks(table, study, measure):
    """The row of the first network replaced by the mean over networks, where there are several."""
    mean = study.over_networks.get(f"choices_{measure}")
    if mean is not None:
        table.loc[table.population == "network", ["value", "low", "high", "n"]] = (
            mean.value,
            mean.low,
            mean.high,
            mean.n,
        )
    return table


def following(figure, found):
    """Difference between blocks at contrast 0 of each mouse, the greatest first.

    And what pseudo-sessions give.
    """
    ax = figure.subplots()
    letter("l", ax=ax)
    table = found.following.sort_values("value", ascending=False, ignore_index=True)
    x = np.arange(len(table))
    ax.vlines(x - 0.15, table.null_low, table.null_high, color=GREY, lw=2)
    ax.vlines(x + 0.15, table.repeating_low, table.repeating_high, color=INK, lw=0.8)
    ax.plot(x, table.value, MICE[1], color=MICE[0], ms=3.5, mew=0)
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.set(ylabel="difference\nbetween blocks", xlim=(-0.7, len(table) - 0.3))
    ax.set_xticks(x, table.subject, rotation=90)
    of_mice = table.assign(x=x)[["x", "value", "n"]]
    yield rows(of_mice, "l", agent=table.subject, condition="mouse")
    for name, condition in (
        ("null", "pseudo-sessions"),
        ("repeating", "mice that repeat themselves"),
    ):
        columns = {
            "value": table[f"{name}_mean"],
            "low": table[f"{name}_low"],
            "high": table[f"{name}_high"],
        }
        null = table.assign(x=x, **columns)[["x", "value", "low", "high", "n"]]
        yield rows(null, "l", agent=table.subject, condition=condition)
