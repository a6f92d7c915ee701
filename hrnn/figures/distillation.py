"""Figure 8: distillation.

Its panels are the map of two units, all students side by side, the Bayesian observer, dynamics and
divergence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hrnn.agents import STUDENTS, look
from hrnn.analysis import dynamics
from hrnn.distill.reduction import Radd, states_in
from hrnn.figures.panels import join, only, records, rows, several, strip, strips, thin
from hrnn.network import Network
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

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase
    from numpy.typing import NDArray

    from hrnn.analysis.anatomy import Anatomy
    from hrnn.distill import Distillation
    from hrnn.figures.typing import Records, StudyLike


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
def draw(study: StudyLike) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure: (Figure, source data)."""
    found = study.distillation
    figure = page(247)
    heights = [1.15, 1.1, 1, 1.05, 1.65]
    top, middle, bayes, fields, bottom = strips(figure, heights)
    source = [
        *least_squares(top, study),
        *comparison(middle, study),
        *observer(bayes, study),
    ]
    source += [*portraits(fields, found, study.anatomy), *divergences(bottom, study)]
    note(bottom, _words(study))
    finish(figure)
    return figure, join(source)


def _words(study: StudyLike) -> str:
    """The note of the figure."""
    found = study.distillation
    n = found.run.sessions.n_sessions
    n_train = len(found.radds[0].train_sessions)
    if study.n_networks == 1:
        shown = "One teacher; "
        bars = "; bars, 95 %, sessions resampled"
        each = f"each of {found.n_seeds} seeds; bars, 95 %, seeds resampled"
        spread = " ± sd, first seeds"
    else:
        which = "f–l: one student of each kind for each; o–t, v: one teacher. "
        shown = several(study, which) + "Of each teacher "
        bars = ""
        each = "each network"
        spread = ""
    return (
        f"{shown}{n} sessions, {n_train} to learn from and {n - n_train} for c, l and m; f–k: "
        f"{found.master.sessions.n_sessions} others. a: ×, poster; +, Cosyne abstract (one "
        f"network each){bars}. c: dashed, the state's own movement. f–l: small, {each}; "
        "dashed, the teacher; arrows: beyond the panel (random acts in hardly any trial). n: "
        "per step, in units of the beliefs; exact: once a trial. o: filled, at stable points; "
        "open, at saddles. p–t: one step without input, from states that occur (grey); "
        "filled, stable, and open, unstable fixed points. u: ‖x(t+Δ) − x(t)‖ over its value at Δ "
        f"= {LAGS}, mean{spread}. v: differences of order Δ of z, which the published figure "
        "shows."
    )


# ---- the map ----


def least_squares(figure: FigureBase, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Weights beside the published ones, gain sweep, horizon, number of units.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    study : StudyLike
        The study.
    """
    axes = figure.subplots(1, 5, width_ratios=[3, 1, 1, 1, 1])
    for name, ax in zip("abcde", axes, strict=True):
        letter(name, ax=ax)
    yield weights(axes[0], study)
    yield gains(axes[1], study)
    yield horizon(axes[2], study)
    yield from dimensions(axes[3:], study)


def weights(ax: Axes, study: StudyLike) -> pd.DataFrame:
    """A and B with intervals, and what was published.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
    names = [f"radd.{name}" for name in ENTRIES]
    for x, name in enumerate(names):
        estimate(study.measures[name], x, ax=ax, vertical=True, colour=RADD[0], marker=RADD[1])
        if study.n_networks > 1:
            strip(ax, study.wide[name].to_numpy(), x + 0.25, vertical=True)
        for published, marker in ((PUBLISHED, "x"), (COSYNE, "+")):
            ax.plot(x - 0.25, published[name], marker, color=INK, ms=4, mew=0.8)
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.set_xticks(range(len(names)), [name[1:] for name in ENTRIES])
    ax.axvline(3.5, color="0.8", lw=0.6, zorder=0)
    for matrix, x in (("A", 1.5), ("B", 6.5)):
        place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        ax.annotate(f"entries of {matrix}", (x, 0), (0, -14), ha="center", va="top", **place)
    ax.set_ylabel("weight")
    table: Records = []
    for x, name in enumerate(names):
        table.append({"x": x, "condition": name, **vars(study.measures[name])})
    return rows(pd_rows(table), "a", agent="radd")


def gains(ax: Axes, study: StudyLike) -> pd.DataFrame:
    """Fraction correct on training sessions for each gain.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
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


def horizon(ax: Axes, study: StudyLike) -> pd.DataFrame:
    """Error of free running, against the movement of the state itself.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
    table = study.curve("horizon")
    for name, colour, line in (("error", RADD[0], "-"), ("baseline", INK, "--")):
        part = only(table, condition=name)
        ax.plot(part["x"], part["value"], line, color=colour, lw=1)
        thin(ax, study, "horizon", name)
    ax.set(
        xlabel="steps of\nfree running", ylabel="rms error of z", ylim=(0, None), xticks=(0, 10, 20)
    )
    return rows(table, "c", agent="radd")


def dimensions(axes: Sequence[Axes], study: StudyLike) -> Iterator[pd.DataFrame]:
    """RADD against its number of units.

    Parameters
    ----------
    axes : sequence of Axes
        Two panels.
    study : StudyLike
        The study.
    """
    table = study.curve("dimensions")
    looks = {
        "r2": (axes[0], False, "-", None),
        "correct": (axes[1], False, "-", "correct"),
        "same_choice": (axes[1], True, "--", "same choice"),
    }
    for panel, (name, (ax, hollow, line, label)) in zip("dee", looks.items(), strict=True):
        part = only(table, condition=name)
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


def comparison(figure: FigureBase, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Every measure in its own panel, every kind of student in its own row.

    Every seed, or every network, is a dot.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    study : StudyLike
        The study.
    """
    found = study.distillation
    axes = figure.subplots(1, len(COMPARED), sharey=True)
    kinds = list(found.students)
    for panel, ax, (measure, label) in zip("fghijkl", axes, COMPARED.items(), strict=True):
        letter(panel, ax=ax)
        each, teacher = _each(study, measure)
        means = {kind: study.measures[f"{kind}.{measure}"] for kind in kinds}
        table = pd_rows([{"agent": kind, **vars(mean)} for kind, mean in means.items()])
        for y, row in enumerate(records(table)):
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


def pd_rows(rows_of: Records) -> pd.DataFrame:
    """A table of its rows."""
    import pandas as pd

    return pd.DataFrame(rows_of)


def _each(study: StudyLike, measure: str) -> tuple[dict[str, NDArray[np.float64]], float | None]:
    """A measure of every student by kind, and the teacher's (mean), or None.

    Students are those of each seed of one network, or of each network.
    """
    found = study.distillation
    each: dict[str, NDArray[np.float64]] = {}
    if study.n_networks == 1:
        for kind in found.students:
            each[kind] = only(found.table, kind=kind)[measure].to_numpy()
        return each, found.teacher.get(measure)
    for kind in found.students:
        each[kind] = study.wide[f"{kind}.{measure}"].dropna().to_numpy()
    teacher = study.over_networks[measure].value if measure in study.over_networks else None
    return each, teacher


def _zoom(ax: Axes, values: NDArray[np.float64], teacher: float | None) -> None:
    """Limits, and round ticks, around the values that are given, and the teacher's.

    Those of random students are not among them: they would squeeze the others.
    """
    ends = np.asarray(values, float)
    if teacher is not None:
        ends = np.append(ends, teacher)
    low = np.nanmin(ends)
    high = np.nanmax(ends)
    margin = 0.15 * (high - low) + 1e-3
    ax.set_xlim(low - margin, high + margin)
    few(ax.xaxis, 2)


def _beyond(ax: Axes, values: Iterable[float]) -> None:
    """Arrows for the rows whose mean lies outside the panel."""
    left, right = ax.get_xlim()
    for y, value in enumerate(values):
        if not left <= value <= right:
            side = "left" if value < left else "right"
            text = {"left": "←", "right": "→"}[side]
            x = {"left": 0.1, "right": 0.9}[side]
            ax.annotate(text, (x, y), xycoords=("axes fraction", "data"), ha=side, va="center")


# ---- Bayes and time constants ----


def observer(figure: FigureBase, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Evidence on side and block, messages between them, time constants.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    study : StudyLike
        The study.
    """
    m, n, o = figure.subplots(1, 3, width_ratios=[0.8, 1.2, 4.6])
    for name, ax in zip("mno", (m, n, o), strict=True):
        letter(name, ax=ax)
    yield ratios(m, study)
    yield messages(n, study)
    yield time_constants(o, study.distillation, study.anatomy)


def ratios(ax: Axes, study: StudyLike) -> pd.DataFrame:
    """Slope of the side over slope of the block on an observation.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
    table: Records = []
    for x, (name, look_of) in enumerate((("radd", RADD), ("observer", look("observer")))):
        measure = f"{name}.evidence_ratio"
        found = study.measures[measure]
        estimate(found, x, ax=ax, vertical=True, colour=look_of[0], marker=look_of[1])
        if study.n_networks > 1:
            strip(ax, study.wide[measure].to_numpy(), x + 0.25, vertical=True)
        table.append({"x": x, "agent": name, **vars(found)})
    ax.set(xticks=(0, 1), xlim=(-0.6, 1.6), ylim=(0, None), ylabel="evidence:\nside over block")
    ax.set_xticklabels(["RADD", "observer"], rotation=30)
    return rows(pd_rows(table), "m")


def messages(ax: Axes, study: StudyLike) -> pd.DataFrame:
    """Off-diagonals of A in units of the beliefs.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
    looks = (
        ("radd", *RADD[:2], "RADD"),
        ("bayesian_filter", GREY, "v", "filter"),
        ("observer", *look("observer")[:2], "exact"),
    )
    table: Records = []
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


def time_constants(ax: Axes, found: Distillation, anatomy: Anatomy) -> pd.DataFrame:
    """Moduli of eigenvalues of A, and of teacher and small networks at their fixed points.

    Fixed points are those without input.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    found : Distillation
        The students.
    anatomy : Anatomy
        The teacher taken apart.
    """
    every = {"teacher": anatomy.fixed_points, **found.fixed_points}
    table = [*_at_points(ax, every), *_of_matrices(ax, found, list(every))]
    ax.axhline(1, color="0.7", lw=0.6, zorder=0)
    ax.set(xticks=range(len(every)), ylabel="|λ|, two largest", ylim=(0, 1.25))
    names = [STUDENTS[name] for name in every]
    ax.set_xticklabels(names, rotation=25, ha="right", rotation_mode="anchor")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 0.95), handletextpad=0)
    right = ax.secondary_yaxis("right")
    marks = (1, 3, 10)
    places = [np.exp(-1 / tau) for tau in marks]
    right.set_yticks(places, [str(tau) for tau in marks])
    right.set_ylabel("τ (steps)")
    return rows(pd_rows(table), "o")


def _at_points(ax: Axes, every: dict[str, dynamics.FixedPoints]) -> Records:
    """Moduli at fixed points of networks by name: filled at stable ones, hollow at saddles."""
    table: Records = []
    for x, (name, points_found) in enumerate(every.items()):
        colour = _colour(name, INK)
        for row in points_found.at(NO_INPUT):
            moduli = np.abs(points_found.eigenvalues[row][:2])
            stable = points_found.stable[row]
            condition = "stable" if stable else "saddle"
            at = np.full(len(moduli), x + 0.12 * (1 if stable else -1))
            face = colour if stable else "w"
            ax.plot(at, moduli, "o", color=colour, mfc=face, ms=3, mew=0.7)
            table += [{"agent": name, "condition": condition, "value": v} for v in moduli]
    return table


def _of_matrices(ax: Axes, found: Distillation, places: Sequence[str]) -> Records:
    """Moduli of A of RADD and of the filter, as short lines."""
    table: Records = []
    for name, fitted in (("radd", found.radds[0]), ("bayesian_filter", found.filter)):
        moduli = np.abs(np.linalg.eigvals(fitted.A.value))
        at = np.full(2, places.index(name) + 0.3)
        label = "of A" if name == "radd" else None
        ax.plot(at, moduli, "_", color=INK, ms=6, mew=1.2, label=label)
        table += [{"agent": name, "condition": "A", "value": v} for v in moduli]
    return table


def _colour(name: str, other: str) -> str:
    """Colour of the teacher, of RADD, or of any other."""
    return {"teacher": look("network")[0], "radd": RADD[0]}.get(name, other)


# ---- portraits ----


@dataclasses.dataclass(frozen=True)
class _Portrait:
    """A network in a plane.

    Attributes
    ----------
    net : Network
        The network.
    fixed : FixedPoints
        Its fixed points.
    visited : (T, 2)
        States that occur, in the plane.
    axes : (N, 2) or None
        States of points of the plane, less the mean; None where the plane is the state space.
    radd : Radd or None
        What projects states to the plane; None where the plane is the state space.
    """

    net: Network
    fixed: dynamics.FixedPoints
    visited: NDArray[np.float64]
    axes: NDArray[np.float64] | None = None
    radd: Radd | None = None

    def to_states(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """States at points (n, 2) of the plane."""
        if self.axes is None or self.radd is None:
            return z
        return self.radd.mean + z @ self.axes.T

    def to_plane(self, states: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points of the plane at states."""
        return states if self.radd is None else self.radd.project(states)


def _portrait(name: str, found: Distillation, anatomy: Anatomy) -> _Portrait:
    """The teacher in the plane of z, or a small network in that of its own two units."""
    if name != "teacher":
        return _Portrait(found.small[name], found.fixed_points[name], found.visited[name])
    radd = found.radds[0]
    lift = np.asarray(np.linalg.pinv(radd.rows) * radd.scale, float)
    visited = radd.project(states_in(found.run))
    return _Portrait(found.network, anatomy.fixed_points, visited, lift, radd)


def portraits(figure: FigureBase, found: Distillation, anatomy: Anatomy) -> Iterator[pd.DataFrame]:
    """One step without input, of the teacher and of small networks.

    The teacher is shown in the plane of z, small networks in that of their own two units.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    found : Distillation
        The students.
    anatomy : Anatomy
        The teacher taken apart.
    """
    import pandas as pd

    axes = figure.subplots(1, len(PORTRAITS))
    for panel, ax, name in zip("pqrst", axes, PORTRAITS, strict=True):
        letter(panel, ax=ax)
        portrait = _portrait(name, found, anatomy)
        visited = portrait.visited
        visited = visited[np.linspace(0, len(visited) - 1, N_VISITED).astype(int)]
        edge = 1.05 * np.abs(visited).max()
        ax.plot(*visited.T, ".", color=PALE, ms=1.5, mew=0, rasterized=True)
        grid, moved = _arrows(ax, portrait, edge, _colour(name, GREY))
        for row in portrait.fixed.at(NO_INPUT):
            at = portrait.to_plane(portrait.fixed.points[row])
            face = "k" if portrait.fixed.stable[row] else "w"
            ax.plot(*at, "o", color="k", mfc=face, ms=4, mew=0.8)
        labels = ("z, side", "z, block") if name in OF_PLANE else ("unit 1", "unit 2")
        if name == "bayesian_filter":
            labels = ("E[s]", "E[b]")
        ax.set(title=STUDENTS[name], xlabel=labels[0], ylabel=labels[1], aspect="equal")
        ax.set(xlim=(-edge, edge), ylim=(-edge, edge), xticks=(-0.5, 0.5), yticks=(-0.5, 0.5))
        length = np.linalg.norm(moved, axis=1)
        table = pd.DataFrame({"x": grid[:, 0], "value": length})
        yield rows(table, panel, agent=name)


def _arrows(
    ax: Axes, portrait: _Portrait, edge: float, colour: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw displacements in one step from points of a grid; points and displacements (n, 2)."""
    line = np.linspace(-edge, edge, GRID)
    grid = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    moved = portrait.to_plane(portrait.net.step(portrait.to_states(grid), NO_INPUT)) - grid
    units = {"angles": "xy", "scale_units": "xy", "scale": 3}
    ax.quiver(*grid.T, *moved.T, color=colour, **units, width=0.007)
    return grid, moved


# ---- divergence ----


def divergences(figure: FigureBase, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Movement of states against lag, all kinds on one scale; then the differences of order Δ.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    study : StudyLike
        The study.
    """
    kinds = list(study.distillation.divergences)
    axes = figure.subplots(1, len(kinds) + 1, width_ratios=[1] * len(kinds) + [1.15])
    curve = study.curve("divergence")
    orders = study.distillation.difference_orders
    letter("u", ax=axes[0])
    for ax, name in zip(axes, kinds, strict=False):
        whole = only(curve, condition=name)
        unit = whole.loc[whole["x"] == LAGS, "value"].iloc[0]
        band(_over(whole, unit), "x", ax=ax, colour=_colour(name, INK))
        for _, part in only(study.each("divergence"), condition=name).groupby("network"):
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


def _over(table: pd.DataFrame, unit: float) -> pd.DataFrame:
    """A curve in other units."""
    scaled = {name: table[name] / unit for name in ("value", "low", "high")}
    return table.assign(**scaled)


def differences(ax: Axes, orders: pd.DataFrame) -> pd.DataFrame:
    """Differences of order Δ of z, which grow whatever the dynamics.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    orders : DataFrame
        Of `defects.difference_order`.
    """
    letter("v", ax=ax)
    ax.semilogy(orders.order, orders["mean"], color=INK, lw=1)
    powers(ax.yaxis)
    ax.set(title="differences\nof z", xlabel="order Δ", ylabel="power of ten", xticks=(0, 10, 20))
    values = orders.assign(value=orders["mean"]).reindex(columns=["order", "value", "n"])
    return rows(values, "v", x="order", agent="projection")
