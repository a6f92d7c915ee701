"""Figure 2: behaviour beside every baseline, on the same sessions."""

from hrnn import behavior
from hrnn.plot import MM, WIDTH_MM, agents, letter, look, points
from hrnn.psychometric import psychometric_curve

SHOWN = ("network", "semi_markov", "optimal_per_trial", "published_actor")


def draw(study, Figure):
    """The figure and its source data."""
    import pandas as pd

    figure = Figure(figsize=(WIDTH_MM * MM, 170 * MM))
    panels = figure.subplot_mosaic([["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]], height_ratios=[1, 1, 1.15])
    for name, ax in panels.items():
        letter(ax, name)
    source = [
        accuracy(panels["a"], study), concordance(panels["b"], study), chronometric(panels["c"], study),
        psychometrics([panels[k] for k in "def"], study), *measures([panels[k] for k in "ghi"], study),
    ]
    return figure, pd.concat(source, ignore_index=True)


def accuracy(ax, study):
    """Fraction correct by strength, with chance and the exact bound."""
    import pandas as pd

    tables = []
    for k, agent in enumerate(SHOWN):
        table = behavior.by_strength(study.runs[agent], by=("strength",)).reset_index()
        table = table[table["measure"] == "correct"]
        points(table, table["strength"] + 0.04 * (k - 1.5), agent, ax=ax)
        tables.append(table.assign(panel="a", agent=agent))
    bound = pd.Series(study.bound).groupby(study.sessions.strength).mean()
    ax.plot(bound.index, bound, "_", color="k", ms=9, label="bound")
    ax.axhline(0.5, color="0.6", ls=":", lw=0.6)
    ax.set(xlabel="strength (sd of an observation)", ylabel="fraction correct, all trials", ylim=(0, 1.02))
    ax.legend(fontsize=7, loc="lower right")
    return pd.concat(tables)


def concordance(ax, study):
    """Fraction correct of the network by strength, concordant and discordant."""
    table = behavior.by_strength(study.runs["network"], by=("strength", "concordant")).reset_index()
    table = table[table["measure"] == "correct"]
    for value, style, name in ((True, "-", "concordant"), (False, "--", "discordant")):
        part = table[table["concordant"].astype(bool) == value]
        points(part, part["strength"], "network", ax=ax, label=name, ls=style)
    ax.axhline(0.5, color="0.6", ls=":", lw=0.6)
    ax.set(xlabel="strength (sd of an observation)", ylabel="fraction correct (RNN)", ylim=(0, 1.02))
    ax.legend(loc="lower right")
    return table.assign(panel="b", agent="network")


def chronometric(ax, study):
    """Steps per trial of the network by strength, correct and wrong."""
    table = behavior.chronometric(study.runs["network"]).reset_index()
    for right, concordant, style in ((True, True, "-"), (True, False, "--"), (False, True, ":"), (False, False, "-.")):
        part = table[(table["correct"].astype(bool) == right) & (table["concordant"].astype(bool) == concordant)]
        name = f"{'correct' if right else 'wrong'}, {'conc.' if concordant else 'disc.'}"
        points(part, part["strength"], "network", ax=ax, label=name, ls=style)
    ax.set(xlabel="strength (sd of an observation)", ylabel="steps per trial (RNN)")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.9 * (high - low))
    ax.legend(loc="upper right", handlelength=2.2)
    return table.assign(panel="c", agent="network")


def psychometrics(axes, study):
    """Right choices by signed strength and block, one agent a panel."""
    import numpy as np
    import pandas as pd

    from hrnn.psychometric import psychometric

    tables = []
    for ax, agent in zip(axes, ("network", "semi_markov", "optimal_per_trial"), strict=True):
        trials = study.runs[agent].trials
        fits = psychometric(trials).reset_index()
        for (p_left, part), colour, marker in zip(trials[trials.choice != 0].groupby("p_left"), ("#D55E00", "#0072B2"), "os", strict=True):
            fraction = (part.choice > 0).groupby(part.signed_strength).mean()
            ax.plot(fraction.index, fraction, marker, color=colour, ms=3, label=f"P(left) = {p_left:g}")
            fit, x = fits[fits.p_left == p_left].iloc[0], np.linspace(-2.5, 2.5, 201)
            ax.plot(x, psychometric_curve(x, **{k: fit[k] for k in ("mu", "sigma", "gamma1", "gamma2")}), color=colour)
        ax.set(xlabel="signed strength (right > 0)", ylabel="P(right | choice)", title=look(agent)[2], ylim=(0, 1))
        ax.legend(loc="lower right", handletextpad=0.1, borderaxespad=0.2)
        tables.append(fits.assign(panel="def", agent=agent))
    return pd.concat(tables)


def measures(axes, study):
    """Accuracy and both rewards of all agents."""
    import pandas as pd

    summaries = {name: behavior.summary(run) for name, run in study.runs.items()}
    labels = {"correct": "fraction correct, all trials", "reward_per_trial": "reward per trial", "reward_per_step": "reward per step"}
    for ax, (measure, label) in zip(axes, labels.items(), strict=True):
        rows = {name: tuple(s.loc[measure, ["value", "low", "high"]]) for name, s in summaries.items()}
        agents(rows, ax=ax)
        ax.set(xlabel=label)
        if measure == "correct":
            ax.axvline(study.bound.mean(), color="k", lw=0.6, ls="--")
        else:
            ax.set_yticklabels([])
        yield pd.DataFrame([{"panel": measure, "agent": k, "value": v[0], "low": v[1], "high": v[2]} for k, v in rows.items()])
