"""Figure 3: use of the prior. Zero-strength trials, changes of block, and sweeps of threshold and penalty."""

from hrnn import stats
from hrnn.curves import MIN_N
from hrnn.figures import counts, curve_of, join, measures, rows, singles, thin
from hrnn.plot import band, chance, dots, finish, letter, look, note, page, points, style

AFTER_CHANGE = ("network", "semi_markov", "published_actor", "optimal_per_trial")
SWEPT = {"correct": "fraction correct", "steps_per_trial": "steps per trial"}


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    figure = page(225)
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=[1, 1.35, 1.65])
    source = [*zero(top.subplots(1, 2, sharey=True), study), *changes(middle, study), *sweeps(bottom, study)]
    networks = study.thresholds.loc[study.thresholds["agent"] == "network", "network"].nunique()
    note(bottom, counts(study) + f" Dotted: chance. b: first blocks left out, points with n < {MIN_N} dropped (long blocks "
         f"are rare). c, d: mean of {networks} networks retrained at each value, intervals from resampled "
         "networks, on sessions of the sweep. Caution: networks are not trained on "
         "reward; the wait penalty reaches them only as an input (d), while for the optimal policy it is the objective (e).")
    finish(figure)
    return figure, join(source)


def zero(axes, study):
    """Fraction correct at strength 0, concordant with the block and discordant."""
    table = measures(study, "mu0_concordant", "mu0_discordant")
    letter("a", ax=axes[0])
    for ax, kind in zip(axes, ("concordant", "discordant"), strict=True):
        part = table[table["measure"] == f"mu0_{kind}"]
        dots(part, ax=ax)
        singles(ax, study, f"mu0_{kind}", 0.3)
        chance(ax=ax, vertical=True)
        ax.set(xlim=(-0.02, 1.02), title=f"strength 0, {kind} with the block", xlabel="fraction correct (a timeout is wrong)")
        yield rows(part, "a", condition=f"strength 0, {kind}")


def changes(figure, study):
    """Fraction correct by trial since the block changed, one column per agent, and n per point."""
    grid = figure.subplots(2, len(AFTER_CHANGE) + 1, sharex=True)
    letter("b", ax=grid[0, 0])
    for row, name in zip(grid, ("all strengths", "strength 0"), strict=True):
        row[0].set_ylabel(f"fraction correct,\n{name}")
        for ax, agent in zip(row, AFTER_CHANGE, strict=False):
            table = curve_of(study, agent, "after_change").query("condition == @name")
            band(table, "x", ax=ax, colour=look(agent)[0])
            if agent == "network":
                thin(ax, study, "after_change", name)
            chance(ax=ax)
            ax.set(ylim=(0, 1), xlim=(-1, study.task.block_max), title=look(agent)[2] if name == "all strengths" else "")
            ax.tick_params(labelleft=ax is row[0])
            yield rows(table, "b", agent=agent)
        row[-1].step(table["x"], table["n"], color="k", lw=0.8, where="mid")
        row[-1].set(ylim=(0, None), ylabel="trials per point, n")
    grid[0, -1].set_title("n, the same\nfor all agents")
    grid[1, len(AFTER_CHANGE) // 2].set_xlabel("trials since the block changed (0: the first of the new block)")


def sweeps(figure, study):
    """Accuracy and steps against threshold and penalty; networks and optimal policies never share a panel."""
    columns = [("c", "threshold", agent) for agent in ("network", "semi_markov", "published_actor")]
    columns += [("d", "wait_penalty", "network")]
    columns += [("e", "wait_penalty", agent) for agent in ("optimal_per_trial", "optimal_per_step")]
    grid = figure.subplots(len(SWEPT), len(columns), sharex="col")
    for column, (name, setting, agent) in zip(grid.T, columns, strict=True):
        column[0].set_title(look(agent)[2])
        for ax, measure in zip(column, SWEPT, strict=True):
            table = _sweep(study.thresholds if setting == "threshold" else study.penalties, setting, agent, measure)
            colour, marker, _ = look(agent)
            points(table, setting, ax=ax, colour=colour, marker=marker)
            yield rows(table, name, x=setting, agent=agent, condition=f"{measure} by {setting}")
        column[1].set_xlabel("threshold" if setting == "threshold" else "wait penalty")
    _share(grid, columns, study.task)


def _sweep(table, setting, agent, measure):
    """One row per setting: value and interval, over (n) networks where there are several, else over sessions."""
    import pandas as pd

    found = []
    for x, part in table[table["agent"] == agent].groupby(setting):
        if len(part) > 1:
            mean = stats.mean_interval(part[measure].to_numpy())
            found.append((x, mean.value, mean.low, mean.high, len(part)))
        else:
            found.append((x, *part.iloc[0][[measure, f"{measure}_low", f"{measure}_high"]], None))
    return pd.DataFrame(found, columns=[setting, "value", "low", "high", "n"])


def _share(grid, columns, task):
    """One ordinate per group of panels, with chance or the longest trial in view; letters and labels at its left."""
    limits = {"correct": (0.45, 1), "steps_per_trial": (task.n_blank, task.n_blank + task.n_obs_max)}
    for row, (measure, label) in zip(grid, SWEPT.items(), strict=True):
        for name in "cde":
            group = [ax for ax, column in zip(row, columns, strict=True) if column[0] == name]
            for ax in group:
                ax.set_ylim(limits[measure])
                ax.tick_params(labelleft=ax is group[0])
            group[0].set_ylabel(label)
            if measure == "correct":
                letter(name, ax=group[0])
    for ax in grid[0]:
        chance(ax=ax)
