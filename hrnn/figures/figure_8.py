"""Figure 8: distillation. The map of two units, all students side by side, the Bayesian observer, dynamics, divergence."""

import numpy as np

from hrnn import dynamics
from hrnn.distill.distillation import PUBLISHED, PUBLISHED_COSYNE
from hrnn.figures import join, rows
from hrnn.plot import band, finish, letter, note, page, points, style

NAMES = {
    "teacher": "teacher", "projection": "projection z", "radd": "RADD", "from_scratch": "from scratch", "soft_targets": "soft targets",
    "hidden_states": "hidden states", "sampled_choices": "sampled choices", "full_force": "full-FORCE", "random": "random",
    "bayesian_filter": "Bayesian filter", "observer": "observer",
}
ENTRIES = tuple(PUBLISHED)[:10]
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
    source = [*least_squares(top, found), *comparison(middle, found), *observer(bayes, found, study.anatomy)]
    source += [*portraits(fields, found, study.anatomy), *divergences(bottom, found)]
    radd, n = found.radds[0], found.run.sessions.n_sessions
    n_train = len(radd.train_sessions)
    note(bottom, f"One teacher; {n} of its sessions, {n_train} to learn from and {n - n_train} for c, l and m; f–k: "
         f"{found.master.sessions.n_sessions} others. a: bars, 95 %, sessions resampled. c: dashed, the state's own movement. f–l: small, "
         f"each of {found.n_seeds} seeds; bars, 95 %, seeds resampled; dashed, the teacher; random acts in hardly any trial. n: per step, "
         "in units of the beliefs; exact: once a trial. o: filled, at stable points; open, at saddles. p–t: one step without input, from "
         "states that occur (grey); filled, stable, and open, unstable fixed points. u: ‖x(t+Δ) − x(t)‖, mean ± sd, first seeds. v: "
         "differences of order Δ of z, which the published figure shows.")
    finish(figure)
    return figure, join(source)


# ---- the map -------------------------------------------------------------------------------------------------------


def least_squares(figure, found):
    """Weights beside the published ones, gain sweep, horizon, number of units."""
    axes = figure.subplots(1, 5, width_ratios=[3.2, 1, 1, 1, 1])
    for name, ax in zip("abcde", axes, strict=True):
        letter(name, ax=ax)
    yield weights(axes[0], found.radds[0])
    yield gains(axes[1], found.radds[0])
    yield horizon(axes[2], found.radds[0])
    table = found.dimensions.rename(columns={"r2_low": "low", "r2_high": "high"})
    points(table.assign(value=table.r2), "units", ax=axes[3])
    axes[3].set(xlabel="units", ylabel="R² of artanh z", xticks=(1, 2, 4, 8))
    yield rows(table.assign(value=table.r2), "d", x="units")
    for column, colour, marker in (("correct", BLUE, "o"), ("same_choice", ORANGE, "s")):
        axes[4].plot(table.units, table[column], color=colour, marker=marker, ms=3, lw=0.8, label=column.replace("_", " "))
        yield rows(table.assign(value=table[column])[["units", "value"]], "e", x="units", condition=column)
    axes[4].legend(loc="lower center", bbox_to_anchor=(0.4, 1), handlelength=1)
    axes[4].set(xlabel="units", ylabel="fraction of trials", xticks=(1, 2, 4, 8))


def weights(ax, radd):
    """A and B with intervals, and what was published."""
    import pandas as pd

    table = []
    for x, name in enumerate(ENTRIES):
        part, index = getattr(radd, name[0]), (int(name[1]) - 1, int(name[2]) - 1)
        table.append({"x": x, "condition": name, "value": part.value[index], "low": part.low[index], "high": part.high[index], "n": part.n})
    table = pd.DataFrame(table)
    points(table, "x", ax=ax, line="", colour=BLUE, label="here")
    for published, marker, label in ((PUBLISHED, "x", "poster"), (PUBLISHED_COSYNE, "+", "Cosyne")):
        ax.plot(range(len(ENTRIES)), [published[name] for name in ENTRIES], marker, color=ORANGE, ms=5, mew=1, label=label)
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    labels = [f"${name[0]}_{{{name[1:]}}}$" for name in ENTRIES]
    ax.set(xticks=range(len(ENTRIES)), ylabel="weight")
    ax.set_xticklabels(labels)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, handletextpad=0)
    return rows(table, "a", agent="radd")


def gains(ax, radd):
    """Fraction correct on training sessions for each gain."""
    table = radd.gains.assign(value=radd.gains.correct)
    ax.semilogx(table.gain, table.value, color="k", marker="o", ms=2.5, lw=0.8)
    ax.axvline(radd.gain, color=BLUE, lw=0.8, label="taken")
    ax.axvline(radd.published_gain, color=ORANGE, lw=0.8, ls="--", label="published")
    ax.set(xlabel="gain", ylabel="fraction correct", xticks=(1, 10), xticklabels=("1", "10"), ylim=(0, 1))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), handlelength=1)
    return rows(table[["gain", "value"]], "b", x="gain", agent="radd")


def horizon(ax, radd):
    """Error of free running, against the movement of the state itself."""
    table = radd.horizon
    ax.plot(table.steps, table.error, color=BLUE, lw=1)
    ax.plot(table.steps, table.baseline, color="0.5", lw=1, ls="--")
    ax.set(xlabel="steps of free running", ylabel="rms error of z", ylim=(0, None))
    return rows(table.assign(value=table.error)[["steps", "value"]], "c", x="steps", agent="radd")


# ---- students ------------------------------------------------------------------------------------------------------


def comparison(figure, found):
    """Every measure in its own panel, every kind of student in its own row, every seed a dot."""
    axes = figure.subplots(1, len(COMPARED), sharey=True)
    kinds = list(found.students)
    for panel, ax, (measure, label) in zip("fghijkl", axes, COMPARED.items(), strict=True):
        letter(panel, ax=ax)
        table = found.summary[found.summary.measure == measure].set_index("kind")
        for y, kind in enumerate(kinds):
            seeds = found.table.loc[found.table.kind == kind, measure]
            ax.plot(seeds, np.full(len(seeds), y + 0.22), ".", color="0.6", ms=3, mew=0)
            row = table.loc[kind]
            error = [[max(row.value - row.low, 0)], [max(row.high - row.value, 0)]]
            ax.errorbar(row.value, y - 0.12, xerr=error, fmt="o", color=ORANGE if kind == "radd" else BLUE, ms=3, elinewidth=0.8)
            yield rows(found.table.loc[found.table.kind == kind, [measure]].rename(columns={measure: "value"}), panel, agent=kind,
                       condition="seed")
        yield rows(table.reset_index().rename(columns={"kind": "agent"}), panel, condition="mean")
        if found.teacher.get(measure) is not None and measure != "same_choice":
            ax.axvline(found.teacher[measure], color="k", lw=0.8, ls="--")
        ax.set_xlabel(label)
        _zoom(ax, found.table[found.table.kind != "random"][measure], found.teacher.get(measure))
    axes[0].set_yticks(range(len(kinds)), [NAMES[kind] for kind in kinds])
    axes[0].set_ylim(len(kinds) - 0.5, -0.5)


def _zoom(ax, values, teacher):
    """Limits, and two ticks, around all students but the random ones, which would squeeze the others."""
    ends = np.array([*values, *([] if teacher is None else [teacher])], float)
    low, high = np.nanmin(ends), np.nanmax(ends)
    span = high - low
    ax.set_xlim(low - 0.1 * span - 1e-3, high + 0.1 * span + 1e-3)
    ax.set_xticks(np.round([low + 0.1 * span, high - 0.1 * span], 2))


# ---- Bayes and time constants --------------------------------------------------------------------------------------


def observer(figure, found, anatomy):
    """Evidence on side and block, messages between them, time constants."""
    m, n, o = figure.subplots(1, 3, width_ratios=[0.9, 1.5, 4])
    for name, ax in zip("mno", (m, n, o), strict=True):
        letter(name, ax=ax)
    yield ratios(m, found)
    yield messages(n, found)
    yield time_constants(o, found, anatomy)


def ratios(ax, found):
    """Slope of the side over slope of the block on an observation."""
    import pandas as pd

    table = []
    for x, name in enumerate(("radd", "observer")):
        estimate = found.evidence_ratio[name]
        table.append({"x": x, "agent": name, "value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n})
    table = pd.DataFrame(table)
    points(table, "x", ax=ax, line="", colour=BLUE)
    ax.set(xticks=(0, 1), xlim=(-0.6, 1.6), ylim=(0, None), ylabel="evidence:\nside over block")
    ax.set_xticklabels(["RADD", "observer"], rotation=30)
    return rows(table, "m")


def messages(ax, found):
    """Off-diagonals of A in units of the beliefs."""
    table = found.messages[found.messages.message != "product"]
    looks = (("radd", BLUE, "o", "RADD"), ("bayesian_filter", PINK, "s", "filter"), ("observer", "k", "D", "exact"))
    for k, (source, colour, marker, label) in enumerate(looks):
        part = table[table.source == source].assign(x=lambda t, k=k: (t.message == "side to block") + 0.2 * (k - 1))
        points(part, "x", ax=ax, line="", colour=colour, marker=marker, label=label)
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.set(xticks=(0, 1), xlim=(-0.5, 1.5), ylabel="message per step", ylim=(-0.1, 0.7))
    ax.set_xticklabels(["block\nto side", "side\nto block"])
    ax.legend(loc="lower left", bbox_to_anchor=(-0.25, 1), ncols=3, handletextpad=0, columnspacing=0.6)
    return rows(table.rename(columns={"source": "agent", "message": "condition"}), "n")


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


def divergences(figure, found):
    """Movement of states against lag, one panel each; then the differences of order Δ."""
    grid = figure.subplots(2, 5)
    for ax, (name, table) in zip(grid.flat, found.divergences.items(), strict=False):
        shown = table.assign(value=table["mean"], low=table["mean"] - table.sd, high=table["mean"] + table.sd)
        band(shown, "lag", ax=ax, colour=ORANGE if name == "radd" else BLUE)
        ax.set(title=NAMES[name], ylim=(0, None), xticks=(0, 10, 20))
        yield rows(shown[["lag", "value", "low", "high", "n"]], "u", x="lag", agent=name)
    letter("u", ax=grid[0, 0])
    last, table = grid[-1, -1], found.difference_orders
    letter("v", ax=last)
    last.semilogy(table.order, table["mean"], color="k", lw=1)
    last.set(title="differences of z", xlabel="order Δ", xticks=(0, 10, 20))
    yield rows(table.assign(value=table["mean"])[["order", "value", "n"]], "v", x="order", agent="projection")
    for ax in grid[:, 0]:
        ax.set_ylabel("movement")
    for ax in grid[1, :-1]:
        ax.set_xlabel("lag Δ (steps)")
