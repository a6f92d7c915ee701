"""Figure 8: distillation.

The map of two units, all students side by side, the Bayesian observer, dynamics, divergence.
"""

import numpy as np

from hrnn.agents import STUDENTS, look
from hrnn.analysis import dynamics
from hrnn.figures.panels import join, rows, several, strip, thin
from hrnn.plot import (
    GREY,
    INK,
    PALE,
    band,
    estimate,
    few,
    finish,
    letter,
    note,
    page,
    points,
    powers,
    style,
)
from hrnn.populations.claims import COSYNE, PUBLISHED

ENTRIES = tuple(
    f"{letter}{row}{column}"
    for letter, n in (("A", 2), ("B", 3))
    for row in (1, 2)
    for column in range(1, n + 1)
)
RADD = look("radd")
COMPARED = {
    "correct": "fraction\ncorrect",
    "reward_per_trial": "reward\nper trial",
    "reward_per_step": "reward\nper step",
    "mu0_concordance": "μ = 0: takes\nblock's side",
    "same_choice": "same choice\nas teacher",
    "p_difference": "|P(right) −\nteacher's|",
    "trajectory_error": "error of\nz (sd)",
}
PORTRAITS = ("teacher", "radd", "hidden_states", "soft_targets", "bayesian_filter")
OF_PLANE = ("teacher", "radd", "hidden_states")  # whose units are the coordinates z
GRID = 12
N_VISITED = 600
LAGS = 20
NO_INPUT = (0, 0, 0)


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    found = study.distillation
    figure = page(247)
    heights = [1.15, 1.1, 1, 1.05, 1.65]
    top, middle, bayes, fields, bottom = figure.subfigures(5, 1, height_ratios=heights)
    source = [*least_squares(top, study), *comparison(middle, study), *observer(bayes, study)]
    source += [*portraits(fields, found, study.anatomy), *divergences(bottom, study)]
    radd = found.radds[0]
    n = found.run.sessions.n_sessions
    n_train = len(radd.train_sessions)
    one = study.n_networks == 1
    seeds = f"each of {found.n_seeds} seeds; bars, 95 %, seeds resampled"
    shown = "One teacher; "
    if not one:
        shown = (
            several(study, "f–l: one student of each kind for each; o–t, v: one teacher. ")
            + "Of each teacher "
        )
    note(
        bottom,
        f"{shown}{n} sessions, {n_train} to learn from and {n - n_train} for c, l and m; f–k: "
        f"{found.master.sessions.n_sessions} others. a: ×, poster; +, Cosyne abstract (one network each)"
        f"{'; bars, 95 %, sessions resampled' if one else ''}. c: dashed, the state's own movement. f–l: small, "
        f"{seeds if one else 'each network'}; dashed, the teacher; arrows: beyond the panel (random acts in hardly any "
        "trial). n: per step, in units of the beliefs; exact: once a trial. "
        "o: filled, at stable points; open, at saddles. p–t: one step without input, from "
        "states that occur (grey); filled, stable, and open, unstable fixed points. u: ‖x(t+Δ) − x(t)‖ over its value at "
        f"Δ = {LAGS}, mean{' ± sd, first seeds' if one else ''}. v: differences of order Δ of z, which the published figure shows.",
    )
    finish(figure)
    return figure, join(source)


# ---- the map ----


def least_squares(figure, study):
    """Weights beside the published ones, gain sweep, horizon, number of units."""
    axes = figure.subplots(1, 5, width_ratios=[3, 1, 1, 1, 1])
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
    for x, name in enumerate(names):
        estimate(study.measures[name], x, ax=ax, vertical=True, colour=RADD[0], marker=RADD[1])
        if study.n_networks > 1:
            strip(ax, study.wide[name], x + 0.25, vertical=True)
        for published, marker in ((PUBLISHED, "x"), (COSYNE, "+")):
            ax.plot(x - 0.25, published[name], marker, color=INK, ms=4, mew=0.8)
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.set_xticks(range(len(names)), [name[1:] for name in ENTRIES])
    ax.axvline(3.5, color="0.8", lw=0.6, zorder=0)
    for matrix, x in (("A", 1.5), ("B", 6.5)):
        place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        ax.annotate(f"entries of {matrix}", (x, 0), (0, -14), ha="center", va="top", **place)
    ax.set_ylabel("weight")
    table = [
        {"x": x, "condition": name, **vars(study.measures[name])} for x, name in enumerate(names)
    ]
    return rows(pd.DataFrame(table), "a", agent="radd")


def gains(ax, study):
    """Fraction correct on training sessions for each gain."""
    table = study.curve("gain")
    ax.set_xscale("log")
    points(table, "x", ax=ax, colour=RADD[0])
    thin(ax, study, "gain")
    for name, line, label in (
        ("radd.gain", "-", "taken"),
        ("radd.published_gain", "--", "published"),
    ):
        ax.axvline(study.measures[name].value, color=INK, lw=0.8, ls=line, label=label)
    ax.set(xlabel="gain", ylabel="fraction\ncorrect", ylim=(0, 1))
    ax.set(xticks=(1, 10), xticklabels=("1", "10"))
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1), handlelength=1.5)
    return rows(table, "b", agent="radd")


def horizon(ax, study):
    """Error of free running, against the movement of the state itself."""
    table = study.curve("horizon")
    for name, colour, line in (("error", RADD[0], "-"), ("baseline", INK, "--")):
        part = table[table.condition == name]
        ax.plot(part["x"], part["value"], line, color=colour, lw=1)
        thin(ax, study, "horizon", name)
    ax.set(
        xlabel="steps of\nfree running", ylabel="rms error of z", ylim=(0, None), xticks=(0, 10, 20)
    )
    return rows(table, "c", agent="radd")


def dimensions(axes, study):
    """RADD against its number of units."""
    table = study.curve("dimensions")
    looks = {
        "r2": (axes[0], False, "-", None),
        "correct": (axes[1], False, "-", "correct"),
        "same_choice": (axes[1], True, "--", "same choice"),
    }
    for panel, (name, (ax, hollow, line, label)) in zip("dee", looks.items(), strict=True):
        part = table[table.condition == name]
        points(part, "x", ax=ax, colour=RADD[0], hollow=hollow, line=line, label=label)
        thin(ax, study, "dimensions", name)
        ax.set_xscale("log", base=2)
        ax.set(xlabel="units", xticks=(1, 2, 4, 8), xticklabels=("1", "2", "4", "8"))
        ax.minorticks_off()
        yield rows(part, panel)
    axes[0].set_ylabel("R² of artanh z")
    axes[1].set_ylabel("fraction\nof trials")
    axes[1].legend(loc="lower center", bbox_to_anchor=(0.4, 1), handlelength=1.5)


# ---- students ----


def comparison(figure, study):
    """Every measure in its own panel, every kind of student in its own row.

    Every seed (or network) a dot.
    """
    found = study.distillation
    axes = figure.subplots(1, len(COMPARED), sharey=True)
    kinds = list(found.students)
    for panel, ax, (measure, label) in zip("fghijkl", axes, COMPARED.items(), strict=True):
        letter(panel, ax=ax)
        each, teacher = _each(study, measure)
        table = pd_rows(
            [{"agent": kind, **vars(study.measures[f"{kind}.{measure}"])} for kind in kinds]
        )
        for y, row in enumerate(table.itertuples()):
            strip(ax, each[row.agent], y + 0.3)
            colour, marker = RADD[:2] if row.agent == "radd" else (INK, "o")
            estimate(row, y - 0.08, ax=ax, colour=colour, marker=marker)
            single = pd_rows([{"value": v} for v in each[row.agent]])
            yield rows(single, panel, agent=row.agent, condition="each")
        yield rows(table, panel, condition="mean")
        if teacher is not None and measure != "same_choice":
            ax.axvline(teacher, color="k", lw=0.8, ls="--")
        ax.set_xlabel(label)
        sensible = [values for kind, values in each.items() if kind != "random"]
        _zoom(ax, np.concatenate(sensible), teacher)
        _beyond(ax, table["value"])
    axes[0].set_yticks(range(len(kinds)), [STUDENTS[kind] for kind in kinds])
    axes[0].set_ylim(len(kinds) - 0.5, -0.5)


def pd_rows(records):
    """A table of records."""
    import pandas as pd

    return pd.DataFrame(records)


def _each(study, measure):
    """A measure of every student by kind, of each seed of one network or of each network.

    And the teacher's (mean), or None.
    """
    found = study.distillation
    if study.n_networks == 1:
        return {
            kind: found.table.loc[found.table.kind == kind, measure].to_numpy()
            for kind in found.students
        }, found.teacher.get(measure)
    teacher = study.over_networks[measure].value if measure in study.over_networks else None
    return {
        kind: study.wide[f"{kind}.{measure}"].dropna().to_numpy() for kind in found.students
    }, teacher


def _zoom(ax, values, teacher):
    """Limits, and round ticks, around all students but the random ones.

    Which would squeeze the others.
    """
    ends = np.array([*values, *([] if teacher is None else [teacher])], float)
    low = np.nanmin(ends)
    high = np.nanmax(ends)
    margin = 0.15 * (high - low) + 1e-3
    ax.set_xlim(low - margin, high + margin)
    few(ax.xaxis, 2)


def _beyond(ax, values):
    """Arrows for the rows whose mean lies outside the panel."""
    left, right = ax.get_xlim()
    for y, value in enumerate(values):
        if not left <= value <= right:
            text, x, side = ("←", 0.1, "left") if value < left else ("→", 0.9, "right")
            ax.annotate(text, (x, y), xycoords=("axes fraction", "data"), ha=side, va="center")


# ---- Bayes and time constants ----


def observer(figure, study):
    """Evidence on side and block, messages between them, time constants."""
    m, n, o = figure.subplots(1, 3, width_ratios=[0.8, 1.2, 4.6])
    for name, ax in zip("mno", (m, n, o), strict=True):
        letter(name, ax=ax)
    yield ratios(m, study)
    yield messages(n, study)
    yield time_constants(o, study.distillation, study.anatomy)


def ratios(ax, study):
    """Slope of the side over slope of the block on an observation."""
    table = []
    for x, (name, look_of) in enumerate((("radd", RADD), ("observer", look("observer")))):
        measure = f"{name}.evidence_ratio"
        found = study.measures[measure]
        estimate(found, x, ax=ax, vertical=True, colour=look_of[0], marker=look_of[1])
        if study.n_networks > 1:
            strip(ax, study.wide[measure], x + 0.25, vertical=True)
        table.append({"x": x, "agent": name, **vars(found)})
    ax.set(xticks=(0, 1), xlim=(-0.6, 1.6), ylim=(0, None), ylabel="evidence:\nside over block")
    ax.set_xticklabels(["RADD", "observer"], rotation=30)
    return rows(pd_rows(table), "m")


def messages(ax, study):
    """Off-diagonals of A in units of the beliefs."""
    looks = (
        ("radd", *RADD[:2], "RADD"),
        ("bayesian_filter", GREY, "v", "filter"),
        ("observer", *look("observer")[:2], "exact"),
    )
    table = []
    for k, (source, colour, marker, label) in enumerate(looks):
        for x, message in enumerate(("block_to_side", "side_to_block")):
            name = f"{source}.message_{message}"
            at = x + 0.2 * (k - 1)
            if name in study.measures:
                found = study.measures[name]
                shown = label if x == 0 else None
                estimate(found, at, ax=ax, vertical=True, colour=colour, marker=marker, label=shown)
                table.append({"x": at, "agent": source, "condition": message, **vars(found)})
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.set(xticks=(0, 1), xlim=(-0.5, 1.5), ylabel="message\nper step", ylim=(-0.1, 0.7))
    ax.set_xticklabels(["block\nto side", "side\nto block"])
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.25, 1), ncols=3, handletextpad=0, columnspacing=0.6
    )
    return rows(pd_rows(table), "n")


def time_constants(ax, found, anatomy):
    """Moduli of eigenvalues.

    Of the teacher and of the small networks at their fixed points without input, and of A.
    """
    import pandas as pd

    table = []
    every = {"teacher": anatomy.fixed_points, **found.fixed_points}
    for x, (name, points_found) in enumerate(every.items()):
        for row in points_found.at(NO_INPUT):
            moduli = np.abs(points_found.eigenvalues[row][:2])
            stable = points_found.stable[row]
            at = np.full(len(moduli), x + 0.12 * (1 if stable else -1))
            colour = {"teacher": look("network")[0], "radd": RADD[0]}.get(name, INK)
            ax.plot(at, moduli, "o", color=colour, mfc=colour if stable else "w", ms=3, mew=0.7)
            table += [
                {"agent": name, "condition": "stable" if stable else "saddle", "value": v}
                for v in moduli
            ]
    for name, fitted in (("radd", found.radds[0]), ("bayesian_filter", found.filter)):
        moduli = np.abs(np.linalg.eigvals(fitted.A.value))
        at = np.full(2, list(every).index(name) + 0.3)
        label = "of A" if name == "radd" else None
        ax.plot(at, moduli, "_", color=INK, ms=6, mew=1.2, label=label)
        table += [{"agent": name, "condition": "A", "value": v} for v in moduli]
    ax.axhline(1, color="0.7", lw=0.6, zorder=0)
    ax.set(xticks=range(len(every)), ylabel="|λ|, two largest", ylim=(0, 1.25))
    ax.set_xticklabels(
        [STUDENTS[name] for name in every], rotation=25, ha="right", rotation_mode="anchor"
    )
    ax.legend(loc="lower right", bbox_to_anchor=(1, 0.95), handletextpad=0)
    right = ax.secondary_yaxis("right")
    marks = (1, 3, 10)
    right.set_yticks([np.exp(-1 / tau) for tau in marks], [str(tau) for tau in marks])
    right.set_ylabel("τ (steps)")
    return rows(pd.DataFrame(table), "o")


# ---- portraits ----


def portraits(figure, found, anatomy):
    """One step without input, of the teacher in the plane of z and of small networks in their own two units."""
    import pandas as pd

    axes = figure.subplots(1, len(PORTRAITS))
    for panel, ax, name in zip("pqrst", axes, PORTRAITS, strict=True):
        letter(panel, ax=ax)
        if name == "teacher":
            lift = np.linalg.pinv(found.radds[0].rows) * found.radds[0].scale
            to_states = lambda z, lift=lift: found.radds[0].mean + z @ lift.T
            to_plane = found.radds[0].project
            net = found.network
            fixed = anatomy.fixed_points
            visited = to_plane(found.run.hidden)
        else:
            to_states = to_plane = lambda z: z
            net = found.small[name]
            fixed = found.fixed_points[name]
            visited = found.visited[name]
        visited = visited[np.linspace(0, len(visited) - 1, N_VISITED).astype(int)]
        edge = 1.05 * np.abs(visited).max()
        grid = np.stack(np.meshgrid(*[np.linspace(-edge, edge, GRID)] * 2), -1).reshape(-1, 2)
        moved = to_plane(dynamics.step(net, to_states(grid), NO_INPUT)) - grid
        ax.plot(*visited.T, ".", color=PALE, ms=1.5, mew=0, rasterized=True)
        colour = {"teacher": look("network")[0], "radd": RADD[0]}.get(name, GREY)
        ax.quiver(
            *grid.T, *moved.T, color=colour, angles="xy", scale_units="xy", scale=3, width=0.007
        )
        for row in fixed.at(NO_INPUT):
            ax.plot(
                *to_plane(fixed.points[row]),
                "o",
                color="k",
                mfc="k" if fixed.stable[row] else "w",
                ms=4,
                mew=0.8,
            )
        labels = ("z, side", "z, block") if name in OF_PLANE else ("unit 1", "unit 2")
        if name == "bayesian_filter":
            labels = ("E[s]", "E[b]")
        ax.set(title=STUDENTS[name], xlabel=labels[0], ylabel=labels[1], aspect="equal")
        ax.set(xlim=(-edge, edge), ylim=(-edge, edge), xticks=(-0.5, 0.5), yticks=(-0.5, 0.5))
        yield rows(
            pd.DataFrame({"x": grid[:, 0], "value": np.linalg.norm(moved, axis=1)}),
            panel,
            agent=name,
        )


# ---- divergence ----


def divergences(figure, study):
    """Movement of states against lag, all kinds on one scale; then the differences of order Δ."""
    kinds = list(study.distillation.divergences)
    axes = figure.subplots(1, len(kinds) + 1, width_ratios=[1] * len(kinds) + [1.15])
    curve = study.curve("divergence")
    orders = study.distillation.difference_orders
    letter("u", ax=axes[0])
    for ax, name in zip(axes, kinds, strict=False):
        whole = curve[curve.condition == name]
        unit = whole.loc[whole["x"] == LAGS, "value"].iloc[0]
        colour = {"teacher": look("network")[0], "radd": RADD[0]}.get(name, INK)
        band(_over(whole, unit), "x", ax=ax, colour=colour)
        for _, part in study.each("divergence").query("condition == @name").groupby("network"):
            ax.plot(part["x"], part["value"] / unit, color="0.55", lw=0.5, zorder=0.5, gid="each")
        ax.set(
            title=STUDENTS[name].replace(" ", "\n").replace("full-", "full-\n"), xticks=(0, 10, 20)
        )
        ax.tick_params(labelleft=ax is axes[0])
        yield rows(whole, "u", agent=name)
    highest = max(ax.dataLim.y1 for ax in axes[:-1])
    for ax in axes[:-1]:
        ax.set_ylim(0, 1.05 * highest)
    axes[0].set_ylabel(f"movement, over\nthat at lag {LAGS}")
    axes[len(kinds) // 2].set_xlabel("lag Δ (steps)")
    yield differences(axes[-1], orders)


def _over(table, unit):
    """A curve in other units."""
    return table.assign(**{name: table[name] / unit for name in ("value", "low", "high")})


def differences(ax, orders):
    """Differences of order Δ of z, which grow whatever the dynamics."""
    letter("v", ax=ax)
    ax.semilogy(orders.order, orders["mean"], color=INK, lw=1)
    powers(ax.yaxis)
    ax.set(title="differences\nof z", xlabel="order Δ", ylabel="power of ten", xticks=(0, 10, 20))
    values = orders.assign(value=orders["mean"])[["order", "value", "n"]]
    return rows(values, "v", x="order", agent="projection")
