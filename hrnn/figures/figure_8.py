"""Figure 8: distillation. The map of two units, all students side by side, the Bayesian observer, dynamics, divergence."""

import numpy as np

from hrnn import dynamics
from hrnn.claims import COSYNE, PUBLISHED
from hrnn.figures import join, rows, several, thin
from hrnn.plot import band, finish, letter, note, page, points, style

NAMES = {
    "teacher": "teacher", "projection": "projection z", "radd": "RADD", "from_scratch": "from scratch", "soft_targets": "soft targets",
    "hidden_states": "hidden states", "sampled_choices": "sampled choices", "full_force": "full-FORCE", "random": "random",
    "bayesian_filter": "Bayesian filter", "observer": "observer",
}
ENTRIES = tuple(f"{letter}{row}{column}" for letter, n in (("A", 2), ("B", 3)) for row in (1, 2) for column in range(1, n + 1))
COMPARED = {
    "correct": "fraction\ncorrect", "reward_per_trial": "reward\nper trial", "reward_per_step": "reward\nper step",
    "mu0_concordance": "μ = 0: takes\nblock's side", "same_choice": "same choice\nas teacher", "p_difference": "|P(right) −\nteacher's|",
    "trajectory_error": "error of\nz (sd)",
}
PORTRAITS = ("teacher", "radd", "hidden_states", "soft_targets", "bayesian_filter")
GRID, N_VISITED = 12, 600
NO_INPUT = (0, 0, 0)
BLUE, ORANGE, PINK = "#0072B2", "#D55E00", "#CC79A7"


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    found = study.distillation
    figure = page(245)
    top, middle, bayes, fields, bottom = figure.subfigures(5, 1, height_ratios=[1, 1.15, 0.95, 1, 1.75])
    source = [*least_squares(top, study), *comparison(middle, study), *observer(bayes, study)]
    source += [*portraits(fields, found, study.anatomy), *divergences(bottom, study)]
    radd, n = found.radds[0], found.run.sessions.n_sessions
    n_train = len(radd.train_sessions)
    one, seeds = study.n_networks == 1, f"each of {found.n_seeds} seeds; bars, 95 %, seeds resampled"
    shown = "One teacher; " if one else several(study, "f–l: one student of each kind for each; o–t, v: one teacher. ") + "Of each teacher "
    note(bottom, f"{shown}{n} sessions, {n_train} to learn from and {n - n_train} for c, l and m; f–k: "
         f"{found.master.sessions.n_sessions} others. {'a: bars, 95 %, sessions resampled. ' if one else ''}c: dashed, the state's own "
         f"movement. f–l: small, {seeds if one else 'each network'}; dashed, the teacher; random acts in hardly any trial. n: per step, "
         "in units of the beliefs; exact: once a trial. o: filled, at stable points; open, at saddles. p–t: one step without input, from "
         "states that occur (grey); filled, stable, and open, unstable fixed points. u: ‖x(t+Δ) − x(t)‖, mean"
         f"{' ± sd, first seeds' if one else ''}. v: differences of order Δ of z, which the published figure shows.")
    finish(figure)
    return figure, join(source)


# ---- the map -------------------------------------------------------------------------------------------------------


def least_squares(figure, study):
    """Weights beside the published ones, gain sweep, horizon, number of units."""
    axes = figure.subplots(1, 5, width_ratios=[3.2, 1, 1, 1, 1])
    for name, ax in zip("abcde", axes, strict=True):
        letter(name, ax=ax)
    yield weights(axes[0], study)
    yield gains(axes[1], study)
    yield horizon(axes[2], study)
    yield from dimensions(axes[3:], study)


def weights(ax, study):
    """A and B with intervals, and what was published."""
    import pandas as pd

    names = [f"radd.{name}" for name in ENTRIES]
    table = pd.DataFrame([{"x": x, "condition": name, **vars(study.measures[name])} for x, name in enumerate(names)])
    points(table, "x", ax=ax, line="", colour=BLUE, label="here")
    if study.n_networks > 1:
        for x, name in enumerate(names):
            ax.plot(np.full(study.n_networks, x + 0.25), study.wide[name], ".", color="0.6", ms=2.5, mew=0)
    for published, marker, label in ((PUBLISHED, "x", "poster"), (COSYNE, "+", "Cosyne")):
        ax.plot(range(len(names)), [published[name] for name in names], marker, color=ORANGE, ms=5, mew=1, label=label)
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.set(xticks=range(len(names)), ylabel="weight")
    ax.set_xticklabels([f"${name[0]}_{{{name[1:]}}}$" for name in ENTRIES])
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, handletextpad=0)
    return rows(table, "a", agent="radd")


def gains(ax, study):
    """Fraction correct on training sessions for each gain."""
    table = study.curve("gain")
    ax.set_xscale("log")
    points(table, "x", ax=ax)
    thin(ax, study, "gain")
    ax.axvline(study.measures["radd.gain"].value, color=BLUE, lw=0.8, label="taken")
    ax.axvline(study.measures["radd.published_gain"].value, color=ORANGE, lw=0.8, ls="--", label="published")
    ax.set(xlabel="gain", ylabel="fraction correct", xticks=(1, 10), xticklabels=("1", "10"), ylim=(0, 1))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), handlelength=1)
    return rows(table, "b", agent="radd")


def horizon(ax, study):
    """Error of free running, against the movement of the state itself."""
    table = study.curve("horizon")
    for name, colour, line in (("error", BLUE, "-"), ("baseline", "0.5", "--")):
        part = table[table.condition == name]
        ax.plot(part["x"], part["value"], line, color=colour, lw=1)
        thin(ax, study, "horizon", name)
    ax.set(xlabel="steps of free running", ylabel="rms error of z", ylim=(0, None))
    return rows(table, "c", agent="radd")


def dimensions(axes, study):
    """RADD against its number of units."""
    table = study.curve("dimensions")
    looks = {"r2": (axes[0], BLUE, "o", None), "correct": (axes[1], BLUE, "o", "correct"),
             "same_choice": (axes[1], ORANGE, "s", "same choice")}
    for panel, (name, (ax, colour, marker, label)) in zip("dee", looks.items(), strict=True):
        part = table[table.condition == name]
        points(part, "x", ax=ax, colour=colour, marker=marker, label=label)
        thin(ax, study, "dimensions", name)
        ax.set(xlabel="units", xticks=(1, 2, 4, 8))
        yield rows(part, panel)
    axes[0].set_ylabel("R² of artanh z")
    axes[1].set_ylabel("fraction of trials")
    axes[1].legend(loc="lower center", bbox_to_anchor=(0.4, 1), handlelength=1)


# ---- students ------------------------------------------------------------------------------------------------------


def comparison(figure, study):
    """Every measure in its own panel, every kind of student in its own row, every seed (or network) a dot."""
    found = study.distillation
    axes = figure.subplots(1, len(COMPARED), sharey=True)
    kinds = list(found.students)
    for panel, ax, (measure, label) in zip("fghijkl", axes, COMPARED.items(), strict=True):
        letter(panel, ax=ax)
        each, teacher = _each(study, measure)
        table = pd_rows([{"agent": kind, **vars(study.measures[f"{kind}.{measure}"])} for kind in kinds])
        for y, row in enumerate(table.itertuples()):
            ax.plot(each[row.agent], np.full(len(each[row.agent]), y + 0.22), ".", color="0.6", ms=3, mew=0)
            error = [[max(row.value - row.low, 0)], [max(row.high - row.value, 0)]]
            ax.errorbar(row.value, y - 0.12, xerr=error, fmt="o", color=ORANGE if row.agent == "radd" else BLUE, ms=3, elinewidth=0.8)
            yield rows(pd_rows([{"value": v} for v in each[row.agent]]), panel, agent=row.agent, condition="each")
        yield rows(table, panel, condition="mean")
        if teacher is not None and measure != "same_choice":
            ax.axvline(teacher, color="k", lw=0.8, ls="--")
        ax.set_xlabel(label)
        _zoom(ax, np.concatenate([values for kind, values in each.items() if kind != "random"]), teacher)
    axes[0].set_yticks(range(len(kinds)), [NAMES[kind] for kind in kinds])
    axes[0].set_ylim(len(kinds) - 0.5, -0.5)


def pd_rows(records):
    """A table of records."""
    import pandas as pd

    return pd.DataFrame(records)


def _each(study, measure):
    """A measure of every student by kind, of each seed of one network or of each network, and the teacher's (mean), or None."""
    found = study.distillation
    if study.n_networks == 1:
        return {kind: found.table.loc[found.table.kind == kind, measure].to_numpy() for kind in found.students}, found.teacher.get(measure)
    teacher = study.over_networks[measure].value if measure in study.over_networks else None
    return {kind: study.wide[f"{kind}.{measure}"].dropna().to_numpy() for kind in found.students}, teacher


def _zoom(ax, values, teacher):
    """Limits, and two ticks, around all students but the random ones, which would squeeze the others."""
    ends = np.array([*values, *([] if teacher is None else [teacher])], float)
    low, high = np.nanmin(ends), np.nanmax(ends)
    span = high - low
    ax.set_xlim(low - 0.1 * span - 1e-3, high + 0.1 * span + 1e-3)
    ax.set_xticks(np.round([low + 0.1 * span, high - 0.1 * span], 2))


# ---- Bayes and time constants --------------------------------------------------------------------------------------


def observer(figure, study):
    """Evidence on side and block, messages between them, time constants."""
    m, n, o = figure.subplots(1, 3, width_ratios=[0.9, 1.5, 4])
    for name, ax in zip("mno", (m, n, o), strict=True):
        letter(name, ax=ax)
    yield ratios(m, study)
    yield messages(n, study)
    yield time_constants(o, study.distillation, study.anatomy)


def ratios(ax, study):
    """Slope of the side over slope of the block on an observation."""
    names = ("radd", "observer")
    table = pd_rows([{"x": x, "agent": name, **vars(study.measures[f"{name}.evidence_ratio"])} for x, name in enumerate(names)])
    points(table, "x", ax=ax, line="", colour=BLUE)
    for x, name in enumerate(names if study.n_networks > 1 else ()):
        ax.plot(np.full(study.n_networks, x + 0.25), study.wide[f"{name}.evidence_ratio"], ".", color="0.6", ms=2.5, mew=0)
    ax.set(xticks=(0, 1), xlim=(-0.6, 1.6), ylim=(0, None), ylabel="evidence:\nside over block")
    ax.set_xticklabels(["RADD", "observer"], rotation=30)
    return rows(table, "m")


def messages(ax, study):
    """Off-diagonals of A in units of the beliefs."""
    looks = (("radd", BLUE, "o", "RADD"), ("bayesian_filter", PINK, "s", "filter"), ("observer", "k", "D", "exact"))
    found = []
    for k, (source, colour, marker, label) in enumerate(looks):
        table = pd_rows([
            {"x": x + 0.2 * (k - 1), "agent": source, "condition": message, **vars(study.measures[f"{source}.message_{message}"])}
            for x, message in enumerate(("block_to_side", "side_to_block")) if f"{source}.message_{message}" in study.measures])
        points(table, "x", ax=ax, line="", colour=colour, marker=marker, label=label)
        found.append(table)
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.set(xticks=(0, 1), xlim=(-0.5, 1.5), ylabel="message per step", ylim=(-0.1, 0.7))
    ax.set_xticklabels(["block\nto side", "side\nto block"])
    ax.legend(loc="lower left", bbox_to_anchor=(-0.25, 1), ncols=3, handletextpad=0, columnspacing=0.6)
    return rows(pd_rows([record for table in found for record in table.to_dict("records")]), "n")


def time_constants(ax, found, anatomy):
    """Moduli of eigenvalues: of the teacher and of the small networks at their fixed points without input, and of A."""
    import pandas as pd

    table = []
    every = {"teacher": anatomy.fixed_points, **found.fixed_points}
    for x, (name, points_found) in enumerate(every.items()):
        for row in points_found.at(NO_INPUT):
            moduli, stable = np.abs(points_found.eigenvalues[row][:2]), points_found.stable[row]
            at = np.full(len(moduli), x + 0.12 * (1 if stable else -1))
            ax.plot(at, moduli, "o", color=BLUE, mfc=BLUE if stable else "w", ms=3, mew=0.7)
            table += [{"agent": name, "condition": "stable" if stable else "saddle", "value": v} for v in moduli]
    for name, fitted in (("radd", found.radds[0]), ("bayesian_filter", found.filter)):
        moduli = np.abs(np.linalg.eigvals(fitted.A.value))
        ax.plot(np.full(2, list(every).index(name) + 0.3), moduli, "x", color=ORANGE, ms=4, mew=1, label="of A" if name == "radd" else None)
        table += [{"agent": name, "condition": "A", "value": v} for v in moduli]
    ax.axhline(1, color="0.7", lw=0.6, zorder=0)
    ax.set(xticks=range(len(every)), ylabel="|λ|, two largest", ylim=(0, 1.25))
    ax.set_xticklabels([NAMES[name].replace(" ", "\n").replace("full-", "full-\n") for name in every])
    ax.legend(loc="lower right", bbox_to_anchor=(1, 0.95), handletextpad=0)
    right = ax.secondary_yaxis("right")
    marks = (1, 3, 10)
    right.set_yticks([np.exp(-1 / tau) for tau in marks], [str(tau) for tau in marks])
    right.set_ylabel("τ (steps)")
    return rows(pd.DataFrame(table), "o")


# ---- portraits -----------------------------------------------------------------------------------------------------


def portraits(figure, found, anatomy):
    """One step without input, of the teacher in the plane of z and of small networks in their own two units."""
    import pandas as pd

    axes = figure.subplots(1, len(PORTRAITS))
    for panel, ax, name in zip("pqrst", axes, PORTRAITS, strict=True):
        letter(panel, ax=ax)
        if name == "teacher":
            lift = np.linalg.pinv(found.radds[0].rows) * found.radds[0].scale
            to_states, to_plane = (lambda z, lift=lift: found.radds[0].mean + z @ lift.T), found.radds[0].project
            net, fixed, visited = found.network, anatomy.fixed_points, to_plane(found.run.hidden)
        else:
            to_states = to_plane = lambda z: z
            net, fixed, visited = found.small[name], found.fixed_points[name], found.visited[name]
        visited = visited[np.linspace(0, len(visited) - 1, N_VISITED).astype(int)]
        edge = 1.05 * np.abs(visited).max()
        grid = np.stack(np.meshgrid(*[np.linspace(-edge, edge, GRID)] * 2), -1).reshape(-1, 2)
        moved = to_plane(dynamics.step(net, to_states(grid), NO_INPUT)) - grid
        ax.plot(*visited.T, ".", color="0.8", ms=1.5, mew=0, rasterized=True)
        ax.quiver(*grid.T, *moved.T, color=BLUE, angles="xy", scale_units="xy", scale=3, width=0.007)
        for row in fixed.at(NO_INPUT):
            ax.plot(*to_plane(fixed.points[row]), "o", color="k", mfc="k" if fixed.stable[row] else "w", ms=4, mew=0.8)
        z = "z" if name in ("teacher", "radd", "hidden_states") else "h"
        labels = ("E[s]", "E[b]") if name == "bayesian_filter" else (f"${z}_1$", f"${z}_2$")
        ax.set(title=NAMES[name], xlabel=labels[0], ylabel=labels[1], aspect="equal", xlim=(-edge, edge), ylim=(-edge, edge))
        ax.set_xticks([-0.5, 0, 0.5])
        ax.set_yticks([-0.5, 0, 0.5])
        yield rows(pd.DataFrame({"x": grid[:, 0], "value": np.linalg.norm(moved, axis=1)}), panel, agent=name)


# ---- divergence ----------------------------------------------------------------------------------------------------


def divergences(figure, study):
    """Movement of states against lag, one panel each; then the differences of order Δ."""
    grid, curve, orders = figure.subplots(2, 5), study.curve("divergence"), study.distillation.difference_orders
    for ax, name in zip(grid.flat, study.distillation.divergences, strict=False):
        table = curve[curve.condition == name]
        band(table, "x", ax=ax, colour=ORANGE if name == "radd" else BLUE)
        thin(ax, study, "divergence", name)
        ax.set(title=NAMES[name], ylim=(0, None), xticks=(0, 10, 20))
        yield rows(table, "u", agent=name)
    letter("u", ax=grid[0, 0])
    last = grid[-1, -1]
    letter("v", ax=last)
    last.semilogy(orders.order, orders["mean"], color="k", lw=1)
    last.set(title="differences of z", xlabel="order Δ", xticks=(0, 10, 20))
    yield rows(orders.assign(value=orders["mean"])[["order", "value", "n"]], "v", x="order", agent="projection")
    for ax in grid[:, 0]:
        ax.set_ylabel("movement")
    for ax in grid[1, :-1]:
        ax.set_xlabel("lag Δ (steps)")
