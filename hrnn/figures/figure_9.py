"""Figure 9: statistics over networks. Every claim, relations between measures, similarity of dynamics, what settings change."""

import numpy as np

from hrnn import similarity
from hrnn.claims import CLAIMS
from hrnn.figures import join, rows
from hrnn.plot import finish, letter, note, page, points, style
from hrnn.regression import correlation
from hrnn.stats import mean_interval

SHOWN = tuple(claim for claim in CLAIMS if claim.name[:6] not in ("radd.A", "radd.B"))  # those are in figure 8
COLUMNS = 5
RELATIONS = (  # abscissa and ordinate: name, label
    (("radd.lambda_1", "slower eigenvalue\nof RADD, |λ|"), ("mu0_gap", "use of the prior\nat strength 0")),
    (("angle_plane", "angle, plane (°)"), ("coupling_start_per_block_belief", "side per\nblock belief")),
    (("participation_ratio", "participation\nratio"), ("correct", "fraction correct")),
)
CHANGED = {"correct": "correct", "mu0_gap": "prior", "variance_pc12": "variance", "angle_plane": "angle (°)"}
SETTINGS = {"n_hidden": "units N", "threshold": "threshold", "loss": "loss", "recipe": "recipe"}
LEVELS = {"nll_of_probability": "−p", "cross_entropy": "−log p"}
KINDS = (("trained", "trained"), ("untrained", "untrained"), ("trained", "untrained"))
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "0.6"


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    if study.n_networks < 2:
        raise ValueError(f"study must be of at least 2 networks, got {study.n_networks}")
    figure = page(245)
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=[2.15, 0.9, 1.45])
    source = [*claims(top, study), *relations_and_similarity(middle, study), *changes(bottom, study)]
    n = study.variations.groupby(["setting", "level"])["index"].nunique()
    note(bottom, f"a: dots, {study.n_networks} networks; bars, mean with its 95 % interval, networks resampled; ×, published (one network; "
         "+, Cosyne abstract); shaded, where a claim holds; k/K, networks in which it does. Weights of RADD: figure 8a. "
         "b–d: one dot a network, Spearman's ρ. b: the block's time constant, −1/ln |λ| steps. e, f: mean states by block, side, "
         "strength and step, compared for all pairs of networks (dots): linear CKA; correlation after the best rotation. g: fraction "
         "correct, use of the prior at strength 0, variance in two components, angle in their plane; one setting "
         f"changed at a time, fast recipe, {n.min()} networks at each value (paper's recipe: {n.max()}), "
         f"{study.variations.attrs['n_blocks']} blocks.")
    finish(figure)
    return figure, join(source)


def claims(figure, study):
    """Every claim in its own panel: networks, mean, published value, where the claim holds."""
    import pandas as pd

    table = study.verdicts.set_index("name")
    axes = figure.subplots(-(-len(SHOWN) // COLUMNS), COLUMNS)
    letter("a", ax=axes[0, 0])
    for ax, claim in zip(axes.flat, SHOWN, strict=False):
        row, values = table.loc[claim.name], study.wide[claim.name].dropna() if claim.name in study.wide else pd.Series(dtype=float)
        ax.plot(values, np.linspace(-0.3, 0.3, len(values)), "o", color=GREY, ms=2, mew=0)
        ax.errorbar(row.value, 0.6, xerr=[[max(row.value - row.low, 0)], [max(row.high - row.value, 0)]], fmt="o", color=BLUE, ms=3,
                    elinewidth=0.8)
        for published, marker in ((claim.published, "x"), (claim.cosyne, "+")):
            if published is not None:
                ax.plot(published, 0.6, marker, color=ORANGE, ms=5, mew=1)
        _limits(ax, [*values, claim.published, claim.cosyne if claim.cosyne and claim.cosyne < 5 * max(values, default=1) else None])
        ax.axvspan(max(claim.low, ax.get_xlim()[0]), min(claim.high, ax.get_xlim()[1]), color=GREEN, alpha=0.15, lw=0)
        ax.set_title(f"{claim.label}\n{row.k}/{row.of}", pad=2)
        ax.set(ylim=(-0.6, 1), yticks=[])
        yield rows(pd.DataFrame({"value": values}), "a", condition=claim.name, agent="network")
        yield rows(pd.DataFrame([row]), "a", condition=claim.name, agent="mean")
    for ax in axes.flat[len(SHOWN):]:
        ax.axis("off")


def _limits(ax, values):
    """Abscissa around all values, with two ticks."""
    finite = np.array([v for v in values if v is not None and np.isfinite(v)], float)
    if not finite.size:
        return
    low, high = finite.min(), finite.max()
    margin = 0.12 * (high - low) or 0.1 * abs(high) or 0.1
    ax.set_xlim(low - margin, high + margin)
    digits = max(0, 2 - int(np.floor(np.log10(max(high - low, 1e-9)))) - 1)
    ax.set_xticks(np.unique(np.round([low, high], digits)))


def relations_and_similarity(figure, study):
    """Measures against each other; similarity of trajectories."""
    axes = figure.subplots(1, 5, width_ratios=[1, 1, 1, 0.9, 0.9])
    for name, ax in zip("bcdef", axes, strict=True):
        letter(name, ax=ax)
    for panel, ax, ((x, xlabel), (y, ylabel)) in zip("bcd", axes, RELATIONS, strict=False):
        yield relation(ax, study, x, y, panel)
        ax.set(xlabel=xlabel, ylabel=ylabel)
    compared = ((similarity.cka, "CKA"), (similarity.procrustes, "correlation, rotated"))
    for panel, ax, (of, label) in zip("ef", axes[3:], compared, strict=True):
        yield similar(ax, study, of, panel)
        ax.set_ylabel(label)


def relation(ax, study, x, y, panel):
    """Two measures of every network, with the rank correlation."""
    from scipy.stats import rankdata

    table = study.wide.reindex(columns=[x, y]).dropna()
    ax.plot(table[x], table[y], "o", color=BLUE, ms=3, mew=0)
    if len(table) > 2 and table[x].nunique() > 1 and table[y].nunique() > 1:
        rho = correlation(rankdata(table[x]), rankdata(table[y]), np.arange(len(table)))
        ax.set_title(f"ρ = {rho.value:.2f}\n[{rho.low:.2f}, {rho.high:.2f}]".replace("-", "−"))
    return rows(table.rename(columns={x: "x", y: "value"}), panel, condition=f"{y} against {x}")


def similar(ax, study, of, panel):
    """Similarity of all pairs of networks: trained, untrained, and each trained one with the untrained others."""
    import pandas as pd

    paths = {kind: [found.trajectories[kind] for found in study.population.members] for kind in ("trained", "untrained")}
    table = []
    for x, (first, second) in enumerate(KINDS):
        found = similarity.matrix(paths[first], paths[second], of=of)
        values = found[np.triu_indices(len(found), 1)] if first == second else found[~np.eye(len(found), dtype=bool)]
        mean = similarity.mean_of_pairs(found)
        ax.plot(x + np.linspace(-0.25, 0.25, len(values)), values, ".", color=GREY, ms=2, mew=0, rasterized=True)
        ax.errorbar(x, mean.value, yerr=[[max(mean.value - mean.low, 0)], [max(mean.high - mean.value, 0)]], fmt="o", color=BLUE, ms=3.5,
                    elinewidth=0.8)
        table.append({"x": x, "condition": f"{first}, {second}", **vars(mean)})
    ax.set_xticks(range(len(KINDS)), ["trained", "untrained", "one of each"], rotation=45, ha="right", rotation_mode="anchor")
    ax.set(ylim=(0, 1.02), xlim=(-0.5, 2.5))
    return rows(pd.DataFrame(table), panel)


def changes(figure, study):
    """Measures (rows) of networks with one setting changed at a time (columns)."""
    import pandas as pd

    grid = figure.subplots(len(CHANGED), len(SETTINGS), sharey="row")
    letter("g", ax=grid[0, 0])
    for column, (setting, name) in zip(grid.T, SETTINGS.items(), strict=True):
        part = study.variations[study.variations.setting == setting]
        levels = part.level.unique().tolist()
        for ax, measure in zip(column, CHANGED, strict=True):
            table = []
            for x, level in enumerate(levels):
                values = part.loc[(part.level == level) & (part.measure == measure), "value"].dropna().to_numpy()
                ax.plot(np.full(len(values), x) + 0.15, values, ".", color=GREY, ms=3, mew=0)
                if len(values):
                    table.append({"x": x, "condition": f"{measure}, {setting} {level}", **vars(mean_interval(values))})
            found = pd.DataFrame(table)
            points(found, "x", ax=ax, colour=BLUE, line="")
            ax.set(xlim=(-0.5, len(levels) - 0.5), xticks=range(len(levels)))
            ax.tick_params(labelbottom=ax is column[-1])
            yield rows(found, "g")
        column[-1].set_xticklabels([LEVELS.get(level, level) for level in levels])
        column[-1].set_xlabel(name)
    for row, label in zip(grid, CHANGED.values(), strict=True):
        row[0].set_ylabel(label)
