"""Figure 10: mice. Models of their choices compared and tested, and the same measures of networks and Bayesian agents."""

import numpy as np

from hrnn.figures import join, rows, singles
from hrnn.plot import band, chance, finish, letter, look, note, page, style

MODEL_NAMES = {
    "action_kernel": "action kernel", "four_alpha": "four α", "history_glm": "history GLM", "exponential": "exponential",
    "markov": "Markov", "stimulus_kernel": "stimulus kernel", "semi_markov": "Bayes, semi-Markov", "oracle": "block known",
    "flat": "no prior",
}
MEASURES = {
    "shift_at_0": "shift of P(right)\nat contrast 0", "alpha": "rate α of the\naction kernel",
    "bits_over_bayes": "action kernel over\nBayes (bits/trial)",
    "previous_correct": "repeats correct\nchoice (log odds)", "previous_wrong": "repeats wrong\nchoice (log odds)",
    "bits_per_trial": "action kernel\n(bits/trial)",
}
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "0.6"
MOST_TRIALS = 40


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    found = study.beside
    if found is None:
        raise ValueError("study.mice must be the mice's trial table, got None")
    figure = page(225)
    top, changes, measured, bottom = figure.subfigures(4, 1, height_ratios=[1.3, 0.9, 1.1, 1.15])
    source = [*models(top, found), *after_change(changes, study), *measures(measured, study), *following(bottom, found)]
    n_mice, n_trials = found.comparison.n_subjects[0], found.fits["mice", "action_kernel"].n_trials.sum()
    note(bottom, f"{n_mice} mice, {n_trials} choices; agents in their own task. a: left-out sessions, paired by mouse with the best model "
         "(bars: 95 %, mice resampled). b: each mouse. c: parameters of simulated mice found again. d: per cent of simulated mice that "
         "the BIC gives to each model. e: choices of the new block's side at contrast 0 after a change (bands: 95 %). f–k: small, each "
         f"mouse{' and network' if study.n_networks > 1 else ''}; bars, 95 % ({'mice and networks' if study.n_networks > 1 else 'mice'} "
         "resampled; other agents: ± 1.96 standard errors, where there are). l: P(right) at contrast 0 in right less "
         f"left blocks; bars, 95 % of {found.n_pseudo} pseudo-sessions of the rig.")
    finish(figure)
    return figure, join(source)


# ---- models --------------------------------------------------------------------------------------------------------


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
    for y, row in enumerate(table.itertuples()):
        ax.errorbar(row.difference, y, xerr=[[row.difference - row.difference_low], [row.difference_high - row.difference]], fmt="o",
                    color=ORANGE if y == 0 else BLUE, ms=3, elinewidth=0.8)
    ax.set_yticks(range(len(table)), [MODEL_NAMES.get(name, name) for name in table.model])
    ax.set(ylim=(len(table) - 0.5, -0.5), xlabel="bits per trial,\nless the best model")
    ax.axvline(0, color="0.8", lw=0.6, zorder=0)
    best = table.iloc[0]
    ax.set_title(f"best: {best.bits_per_trial:.3f} [{best.low:.3f}, {best.high:.3f}]")
    renamed = table.assign(value=table.difference, low=table.difference_low, high=table.difference_high, n=table.n_subjects)
    yield rows(renamed[["value", "low", "high", "n"]], "a", agent="mice", condition=table.model)


def scatter(ax, found):
    """Bits per trial of each mouse under the action kernel and the semi-Markov observer."""
    import pandas as pd

    action, bayes = (found.fits["mice", model].bits_per_trial for model in ("action_kernel", "semi_markov"))
    ends = [min(bayes.min(), action.min()) - 0.02, max(bayes.max(), action.max()) + 0.02]
    ax.plot(ends, ends, color="0.8", lw=0.6, zorder=0)
    ax.plot(bayes, action, "o", color=BLUE, ms=3, mew=0, alpha=0.7)
    ax.set(xlabel="Bayes, semi-Markov\n(bits per trial)", ylabel="action kernel", xlim=ends, ylim=ends, aspect="equal")
    return rows(pd.DataFrame({"x": bayes, "value": action}), "b", agent="mice")


def recovered(ax, found):
    """Rates of the action kernel, true and found again."""
    table = found.recovery[found.recovery.parameter == "alpha"]
    ends = [0, 1.1 * max(table.truth.max(), table.estimate.max())]
    ax.plot(ends, ends, color="0.8", lw=0.6, zorder=0)
    ax.errorbar(table.truth, table.estimate, yerr=1.96 * table.se, fmt="o", color=BLUE, ms=2.5, mew=0, elinewidth=0.6)
    ax.set(xlabel="true α", ylabel="estimated α", xlim=ends, ylim=ends, aspect="equal")
    return rows(table.assign(x=table.truth, value=table.estimate, low=table.estimate - 1.96 * table.se,
                             high=table.estimate + 1.96 * table.se), "c", agent="simulated")


def confused(ax, found):
    """Which model wins on choices that another made."""
    from cmcrameri import cm

    table = found.confusion
    ax.imshow(table, cmap=cm.oslo_r, vmin=0, vmax=1.6)
    for (i, j), value in np.ndenumerate(table.to_numpy()):
        ax.annotate(f"{100 * value:.0f}", (j, i), ha="center", va="center")
    names = [{"semi_markov": "Bayes"}.get(name, MODEL_NAMES[name]) for name in table.index]
    ax.set_xticks(range(len(names)), names, rotation=90)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="winner", ylabel="made by")
    long = table.stack().rename("value").reset_index()
    return rows(long, "d", agent=long["true"], condition=long["winner"])


# ---- beside agents -------------------------------------------------------------------------------------------------


def _name(population):
    return "mice" if population == "mice" else look(population)[2].replace("\n", " ")


def after_change(figure, study):
    """Use of the prior at contrast 0 after a change of block, one panel each."""
    found = study.beside
    axes = np.atleast_1d(figure.subplots(1, len(found.changes), sharey=True))
    letter("e", ax=axes[0])
    for ax, (name, table) in zip(axes, found.changes.items(), strict=True):
        several = name == "network" and study.n_networks > 1
        table = study.curve("new_side") if several else table.rename(columns={"trial_in_block": "x"})
        shown = table[table.x < MOST_TRIALS]
        band(shown, "x", ax=ax, colour="k" if name == "mice" else look(name)[0])
        chance(ax=ax)
        ax.set(title=_name(name), xlabel="trials since the change", ylim=(0, 1), xlim=(-1, MOST_TRIALS),
               xticks=(0, MOST_TRIALS // 2, MOST_TRIALS), yticks=(0, 0.5, 1))
        yield rows(shown[["x", "value", "low", "high", "n"]], "e", agent=name)
    axes[0].set_ylabel("takes new side")


def measures(figure, study):
    """Every measure in its own panel, every population in its own row."""
    found = study.beside
    axes = figure.subplots(1, len(MEASURES), sharey=True)
    for panel, ax, (measure, label) in zip("fghijk", axes, MEASURES.items(), strict=True):
        letter(panel, ax=ax)
        table = _with_networks(found.population(measure), study, measure)
        each = found.measures[(found.measures.measure == measure) & (found.measures.population == "mice")]
        ax.plot(each.value, np.full(len(each), 0.25), ".", color=GREY, ms=3, mew=0)
        singles(ax, study, f"choices_{measure}", 1.25)
        for y, row in enumerate(table.itertuples()):
            colour, marker = ("k", "o") if row.population == "mice" else look(row.population)[:2]
            error = [[row.value - row.low], [row.high - row.value]] if np.isfinite(row.low) else None
            ax.errorbar(row.value, y, xerr=error, fmt=marker, color=colour, ms=3.5, elinewidth=0.8)
        ax.axvline(0, color="0.8", lw=0.6, zorder=0)
        ax.set_xlabel(label)
        yield rows(table.rename(columns={"population": "agent"}), panel, condition=measure)
        yield rows(each[["value"]], panel, agent="mice", condition="each mouse")
    axes[0].set_yticks(range(len(table)), [_name(name) for name in table.population])
    axes[0].set_ylim(len(table) - 0.5, -0.5)


def _with_networks(table, study, measure):
    """The row of the first network replaced by the mean over networks, where there are several."""
    mean = study.over_networks.get(f"choices_{measure}")
    if mean is not None:
        table.loc[table.population == "network", ["value", "low", "high", "n"]] = mean.value, mean.low, mean.high, mean.n
    return table


def following(figure, found):
    """Difference between blocks at contrast 0 of each mouse, and what pseudo-sessions give."""
    ax = figure.subplots()
    letter("l", ax=ax)
    table = found.following
    x = np.arange(len(table))
    ax.vlines(x, table.null_low, table.null_high, color=GREY, lw=2)
    ax.plot(x, table.value, "o", color=BLUE, ms=3, mew=0)
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.set(ylabel="difference\nbetween blocks", xlim=(-0.7, len(table) - 0.3))
    ax.set_xticks(x, table.subject, rotation=90)
    null = table.assign(x=x, value=table.null_mean, low=table.null_low, high=table.null_high)[["x", "value", "low", "high", "n"]]
    yield rows(table.assign(x=x)[["x", "value", "n"]], "l", agent=table.subject, condition="mouse")
    yield rows(null, "l", agent=table.subject, condition="pseudo-sessions")
