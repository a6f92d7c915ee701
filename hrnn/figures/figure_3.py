"""Figure 3: use of the prior. Zero-strength trials, changes of block, and sweeps."""

from hrnn import behavior
from hrnn.plot import MM, WIDTH_MM, agents, letter, points

SHOWN = ("network", "semi_markov", "optimal_per_trial")


def draw(study, Figure):
    """The figure and its source data."""
    import pandas as pd

    figure = Figure(figsize=(WIDTH_MM * MM, 150 * MM))
    panels = figure.subplot_mosaic([["a", "b"], ["c", "d"], ["e", "f"]])
    for name, ax in panels.items():
        letter(ax, name)
    source = [
        zero(panels["a"], study), change(panels["b"], study, None), change(panels["c"], study, 0.0),
        sweep(panels["d"], study.thresholds, "threshold", ("network", "semi_markov", "published_actor"), "correct"),
        sweep(panels["e"], study.penalties, "wait_penalty", ("network",), "steps_per_trial"),
        sweep(panels["f"], study.penalties, "wait_penalty", ("optimal_per_trial", "optimal_per_step"), "steps_per_trial"),
    ]
    panels["e"].set_title("RNN: the penalty is only an input")
    panels["f"].set_title("optimal policy: the penalty is the objective")
    return figure, pd.concat(source, ignore_index=True)


def zero(ax, study):
    """Fraction correct at strength 0, concordant with the block or not."""
    import pandas as pd

    rows, tables = {}, []
    for agent, run in study.runs.items():
        summary = behavior.summary(run)
        rows[agent] = tuple(summary.loc["mu0_concordant", ["value", "low", "high"]])
        tables.append(summary.loc[["mu0_concordant", "mu0_discordant"]].reset_index().assign(panel="a", agent=agent))
    agents(rows, ax=ax, chance=0.5)
    for y, table in enumerate(tables):
        ax.plot(table["value"].iloc[1], y, "|", color="0.4", ms=6)
    ax.set(xlabel="fraction correct at strength 0 (timeouts wrong)\nsymbol: concordant, bar: discordant", xlim=(0, 1))
    return pd.concat(tables)


def change(ax, study, strength):
    """Fraction correct by trial since the block changed."""
    import pandas as pd

    tables = []
    for agent in SHOWN:
        table = behavior.after_block_change(study.runs[agent], strength=strength).reset_index()
        table = table[(table["concordance"] == "all") & (table["trial_in_block"] < 40)]
        points(table, table["trial_in_block"], agent, ax=ax, ls="-", lw=0.6, ms=2)
        tables.append(table.assign(panel="c" if strength == 0 else "b", agent=agent))
    kind = "all strengths" if strength is None else "strength 0"
    ax.set(xlabel="trials since the block changed", ylabel="fraction correct", ylim=(0, 1))
    n = tables[0]["n"]
    ax.set_title(f"{kind}, n = {n.min():.0f} to {n.max():.0f} trials per point" if len(n) else f"{kind}: too few trials")
    ax.axhline(0.5, color="0.6", ls=":", lw=0.6)
    if strength is None:  # the same agents in the next panel
        ax.legend(loc="lower right")
    return pd.concat(tables)


def sweep(ax, table, column, names, measure):
    """A measure against a number of the task, networks retrained at each value."""
    import pandas as pd

    tables = []
    for agent in names:
        part = table[table.agent == agent].sort_values(column)
        part = part.rename(columns={measure: "value", f"{measure}_low": "low", f"{measure}_high": "high"})
        points(part, part[column], agent, ax=ax)
        tables.append(part[[column, "agent", "value", "low", "high"]].assign(panel=f"{column} {measure}"))
    labels = {"correct": "fraction correct", "steps_per_trial": "steps per trial"}
    ax.set(xlabel={"threshold": "action threshold", "wait_penalty": "wait penalty"}[column], ylabel=labels[measure])
    ax.locator_params(axis="x", nbins=5)
    ax.legend(loc="best")
    return pd.concat(tables)
