"""Figure 7: mechanism. Populations, weights, vector fields with fixed points and manifold.

Then drift along the manifold, and how fixed points go on as one input varies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hrnn.agents import look
from hrnn.analysis import dynamics
from hrnn.distill.reduction import states_in
from hrnn.figures.panels import join, only, records, rows, several, singles, strips, thin
from hrnn.plot import (
    GREY,
    INK,
    PALE,
    band,
    estimate,
    finish,
    interval,
    letter,
    note,
    page,
    style,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure, FigureBase
    from matplotlib.quiver import Quiver
    from numpy.typing import NDArray

    from hrnn.analysis.anatomy import Anatomy
    from hrnn.figures.typing import StudyLike
    from hrnn.rollout import Rollout


GRID = 17
FINE = 81
REAL_BINS = 9
MIN_REAL = 20
N_ORBITS = 6
N_ORBIT_STEPS = 60
TITLES = {
    "left": "left: (1.2, 0.2, −0.05)",
    "equal": "equal: (0.2, 0.2, −0.05)",
    "right": "right: (0.2, 1.2, −0.05)",
    "feedback −1": "feedback −1",
    "no input": "no input",
    "feedback +1": "feedback +1",
}
SPEED_MAX = 3.0
IN_DATA: dict[str, Any] = {"angles": "xy", "scale_units": "xy"}  # arrows in the units of the axes


@style()
def draw(study: StudyLike) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure: (Figure, source data)."""
    anatomy = study.anatomy
    figure = page(247)
    top, middle, bottom = strips(figure, [0.95, 1.45, 2.0])
    source = [*circuit(top, study), *fields(middle, anatomy), *memory(bottom, study)]
    note(bottom, _words(study))
    finish(figure)
    return figure, join(source)


def _words(study: StudyLike) -> str:
    """The note of the figure."""
    anatomy = study.anatomy
    found = anatomy.fixed_points
    residual = found.residual.max() if len(found.residual) else 0.0
    resampled = "" if study.n_networks > 1 else ", units resampled"
    return (
        several(study, "a, c–i, l, m (black): one of them. ")
        + f"b: of one, {len(anatomy.weights.within)} weights within, "
        f"{len(anatomy.weights.between)} between populations; δ: Cliff's{resampled}. "
        "d–i: inputs (left, right, feedback), both axes of one scale; arrows: displacement in one "
        "step of states in the plane of PCs 1–2 (half its length, at most half a unit); orange: "
        f"mean displacement observed under such inputs (bins of n ≥ {MIN_REAL} steps); grey lines: "
        "trajectories. Filled: stable points, open: saddles, triangles: slow points; line: path "
        "between the outer stable points, whose drift is in k; dashed: border of their basins in "
        f"the plane. {len(found.points)} points, residuals ≤ {residual:.0e}; "
        f"{100 * found.converged_fraction:.0f} % of {found.n_starts} searches ended at one, the "
        f"others at slow points; {100 * anatomy.coverage:.0f} % of starts, iterated, end at a "
        f"stable one. Without input: {anatomy.verdict.text}."
    )


# ---- populations and weights ----


def circuit(figure: FigureBase, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Correlations of units, weights within and between populations, units in the two readouts.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    study : StudyLike
        The study.
    """
    panels = figure.subplot_mosaic("abc;adc", width_ratios=[1.1, 1, 1], height_ratios=[3.2, 1])
    for name in "abc":
        letter(name, ax=panels[name])
    correlations(figure, panels["a"], study)
    yield from weights((panels["b"], panels["d"]), study)
    yield units(panels["c"], study.anatomy)


def correlations(figure: FigureBase, ax: Axes, study: StudyLike) -> None:
    """Correlations of units, in the order of their populations.

    Parameters
    ----------
    figure : FigureBase
        Gets the colour bar.
    ax : Axes
        Where to draw.
    study : StudyLike
        The study.
    """
    from cmcrameri import cm

    found = study.anatomy.populations["trained"]
    ordered = found.correlation[np.ix_(found.order, found.order)]
    shown = ax.imshow(ordered, cmap=cm.cmaps["vik"], vmin=-1, vmax=1, rasterized=True)
    figure.colorbar(shown, ax=ax, label="correlation", shrink=0.8)
    title = f"silhouette {interval(study.measures['silhouette'])},\n{found.n_clusters} clusters"
    ax.set(xlabel="unit (ordered)", ylabel="unit (ordered)", title=title)


def units(ax: Axes, anatomy: Anatomy) -> pd.DataFrame:
    """Weights of units in the readouts of stimulus and block, by population.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    anatomy : Anatomy
        The network taken apart.
    """
    import pandas as pd

    label = anatomy.populations["trained"].label
    stimulus = _unit(anatomy.readouts["stimulus"])
    block = _unit(anatomy.readouts["block_in_plane"])
    for number, marker, face in ((0, "o", INK), (1, "s", "w")):
        inside = label == number
        name = f"population {number + 1}"
        at = (stimulus[inside], block[inside])
        ax.plot(*at, marker, color=INK, mfc=face, ms=3, mew=0.6, label=name)
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.axvline(0, color="0.8", lw=0.6, zorder=0)
    ax.set(xlabel="weight in stimulus readout", ylabel="weight in block readout")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, handletextpad=0)
    return rows(pd.DataFrame({"x": stimulus, "value": block, "condition": label}), "c")


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """A vector of length 1 of the same direction."""
    length = np.linalg.norm(vector)
    return vector / length


def weights(axes: Sequence[Axes], study: StudyLike) -> Iterator[pd.DataFrame]:
    """Distribution of the recurrent weights within and between populations, and their difference.

    Parameters
    ----------
    axes : sequence of Axes
        Two panels.
    study : StudyLike
        The study.
    """
    import pandas as pd

    table = study.curve("weights")
    delta = study.measures["cliffs_delta"]
    density, effect = axes
    for name, colour, line in (("within", INK, "-"), ("between", GREY, "--")):
        band(only(table, condition=name), "x", ax=density, colour=colour, line=line, label=name)
    density.set(xlabel="recurrent weight", ylabel="density", ylim=(0, None))
    density.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    estimate(delta, 0, ax=effect)
    singles(effect, study, "cliffs_delta", 0.6)
    effect.axvline(0, color="0.7", lw=0.6, zorder=0)
    effect.set(yticks=[], ylim=(-0.6, 1.2), xlim=(min(0, delta.low) - 0.02, None))
    effect.set_xlabel("δ, within less between")
    yield rows(table, "b")
    yield rows(pd.DataFrame([vars(delta)]), "b", condition="Cliff's δ")


# ---- vector fields ----


def _grid(anatomy: Anatomy) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of a grid inside the convex hull of the activity in the plane."""
    from scipy.spatial import ConvexHull, Delaunay

    scores = anatomy.plane.project(states_in(anatomy.run))
    hull = scores[ConvexHull(scores).vertices]
    axes = _spanning(hull, GRID)
    grid = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
    return grid[Delaunay(hull).find_simplex(grid) >= 0], hull


def _spanning(hull: NDArray[np.float64], n: int) -> list[NDArray[np.float64]]:
    """Abscissas and ordinates of a grid around points (K, 2), n each."""
    low = hull.min(0)
    high = hull.max(0)
    return [np.linspace(low[k], high[k], n) for k in (0, 1)]


def _like(run: Rollout, name: str) -> NDArray[np.bool_]:
    """Steps whose input is like that of a condition."""
    blank = run.step < run.sessions.task.n_blank
    feedback = run.inputs[:, 2]
    d = run.inputs[:, 1] - run.inputs[:, 0]
    if name in ("left", "equal", "right"):
        centre = {"left": -1, "equal": 0, "right": 1}[name]
        return ~blank & (np.abs(d - centre) < 0.5)
    return blank & (feedback == {"feedback −1": -1, "no input": 0, "feedback +1": 1}[name])


def _observed(anatomy: Anatomy, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean displacement in bins of the plane over steps with such inputs.

    Returns the mean states (n, 2) of bins with enough steps, and their displacements (n, 2).
    """
    run = anatomy.run
    steps = np.flatnonzero(_like(run, name))
    first = run.session_starts
    steps = np.setdiff1d(steps, first)
    hidden = states_in(run)
    before = anatomy.plane.project(hidden[steps - 1])
    after = anatomy.plane.project(hidden[steps])
    low = before.min(0)
    high = before.max(0)
    place = ((before - low) / (high - low + 1e-12) * REAL_BINS).astype(int)
    index = np.minimum(place, REAL_BINS - 1) @ [1, REAL_BINS]
    n = np.bincount(index, minlength=REAL_BINS**2)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        n_bins = REAL_BINS**2
        x = np.bincount(index, values[:, 0], n_bins)
        y = np.bincount(index, values[:, 1], n_bins)
        divisor = np.maximum(n, 1)
        return np.stack([x, y], 1) / divisor[:, None]

    keep = n >= MIN_REAL
    return mean(before)[keep], mean(after - before)[keep]


def speeds() -> ListedColormap:
    """Colours of the arrows: darker the faster, and none so light that it is lost on white."""
    from cmcrameri import cm
    from matplotlib.colors import ListedColormap

    return ListedColormap(cm.cmaps["batlow_r"](np.linspace(0.4, 1, 256)))


def fields(figure: FigureBase, anatomy: Anatomy) -> Iterator[pd.DataFrame]:
    """Ideal and observed displacement for the six inputs, with fixed and slow points and path.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    anatomy : Anatomy
        The network taken apart.
    """
    import pandas as pd

    grid, hull = _grid(anatomy)
    axes = figure.subplots(2, 3, sharex=True, sharey=True)
    colours = speeds()
    arrows = None
    for panel, ax, (name, x) in zip("defghi", axes.flat, dynamics.CONDITIONS.items(), strict=True):
        arrows, speed = _displacements(ax, anatomy, grid, x, colours)
        centres, shift = _observed(anatomy, name)
        ax.quiver(*centres.T, *shift.T, color=look("network")[0], width=0.005, **IN_DATA, scale=2)
        ax.plot(*np.vstack([hull, hull[:1]]).T, color=PALE, lw=0.6)
        for orbit in _orbits(anatomy, hull, x):
            ax.plot(*orbit.T, color=GREY, lw=0.6)
        _separatrix(ax, anatomy, hull, x)
        _points(ax, anatomy, name, x)
        ax.set(title=TITLES[name], aspect="equal")
        ax.set(xlim=_around(hull[:, 0]), ylim=_around(hull[:, 1]))
        letter(panel, ax=ax)
        yield rows(pd.DataFrame({"x": grid[:, 0], "value": speed, "condition": name}), panel)
    for ax in axes[1]:
        ax.set_xlabel("PC 1")
    for ax in axes[:, 0]:
        ax.set_ylabel("PC 2")
    label = "displacement in one step (in the plane)"
    figure.colorbar(cast("Quiver", arrows), ax=axes, label=label, shrink=0.7, extend="max")


def _displacements(
    ax: Axes,
    anatomy: Anatomy,
    grid: NDArray[np.float64],
    x: tuple[float, ...],
    colours: ListedColormap,
) -> tuple[Quiver, NDArray[np.float64]]:
    """Arrows of the displacement in one step from points of a grid (n, 2), and its lengths (n,)."""
    states = anatomy.plane.lift(grid)
    moved = anatomy.plane.project(anatomy.network.step(states, x)) - grid
    speed = np.linalg.norm(moved, axis=1)
    drawn = 0.5 * moved / np.maximum(speed, 1)[:, None]
    arrows = ax.quiver(
        *grid.T,
        *drawn.T,
        speed,
        cmap=colours,
        clim=(0, SPEED_MAX),
        width=0.004,
        **IN_DATA,
        scale=1,
    )
    return arrows, np.asarray(speed, float)


def _around(values: NDArray[np.float64]) -> tuple[float, float]:
    """Limits with some room on both sides."""
    margin = 0.04 * (values.max() - values.min())
    return values.min() - margin, values.max() + margin


def _orbits(
    anatomy: Anatomy, hull: NDArray[np.float64], x: tuple[float, ...]
) -> NDArray[np.float64]:
    """Trajectories in the plane from states on the hull, (N_ORBITS, N_ORBIT_STEPS + 1, 2)."""
    starts = np.linspace(0, len(hull) - 1, N_ORBITS).astype(int)
    states = [anatomy.plane.lift(hull[starts])]
    for _ in range(N_ORBIT_STEPS):
        states.append(anatomy.network.step(states[-1], x))
    return anatomy.plane.project(np.array(states)).swapaxes(0, 1)


def _separatrix(
    ax: Axes, anatomy: Anatomy, hull: NDArray[np.float64], x: tuple[float, ...]
) -> None:
    """Border between the basins in the plane, where there are several.

    It stands between states of a grid that end at different attractors.
    """
    found = anatomy.fixed_points
    if found.stable[found.at(x)].sum() < 2:
        return
    axes = _spanning(hull, FINE)
    grid = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
    label = dynamics.attractor(anatomy.network, found, x, anatomy.plane.lift(grid))
    label = label.reshape(FINE, FINE)
    for row in np.unique(label)[1:]:
        ax.contour(*axes, label >= row, [0.5], colors="k", linestyles="dashed", linewidths=0.8)


def _points(ax: Axes, anatomy: Anatomy, name: str, x: tuple[float, ...]) -> None:
    """Path, fixed points and slow points in the plane under one input."""
    found = anatomy.fixed_points
    plane = anatomy.plane
    path = anatomy.paths[name]
    if path is not None and path.converged:
        ax.plot(*plane.project(path.states).T, color="k", lw=1)
    for row in found.at(x):
        at = plane.project(found.points[row])
        face = "k" if found.stable[row] else "w"
        ax.plot(*at, "o", color="k", mfc=face, ms=5, mew=0.8, zorder=5)
    slow = found.slow_points[(found.slow_x == np.asarray(x)).all(1)]
    if len(slow):
        ax.plot(*plane.project(slow).T, "^", color="k", mfc="w", ms=4.5, mew=0.8, zorder=5)


# ---- how the belief is held ----


def memory(figure: FigureBase, study: StudyLike) -> Iterator[pd.DataFrame]:
    """Eigenvalues without input, drift along the path, and fixed points as inputs vary.

    Parameters
    ----------
    figure : FigureBase
        Where to draw.
    study : StudyLike
        The study.
    """
    panels = figure.subplot_mosaic("abcd;eeff", height_ratios=[1, 1.1])
    for name, place in zip("jklm", "acef", strict=True):
        letter(name, ax=panels[place])
    yield eigenvalues((panels["a"], panels["b"]), study)
    yield drift((panels["c"], panels["d"]), study)
    varied = (("feedback", "feedback"), ("stimulus", "stimulus, right − left"))
    for panel, place, (name, label) in zip("lm", "ef", varied, strict=True):
        ax = panels[place]
        yield from continuation(ax, study.anatomy, name, label, panel)
        for condition in _kinds(study, name):
            thin(ax, study, "branches", condition, colour="0.85")


def _kinds(study: StudyLike, name: str) -> Sequence[str]:
    """Conditions of the branches of an input, in any network."""
    found = study.each("branches").condition
    if not len(found):
        return ()
    of_input = found.str.startswith(f"{name}, ")
    return found[of_input].unique()


def _of_each(study: StudyLike, name: str) -> pd.DataFrame:
    """A curve of every network, or of the one there is, with a column `network`."""
    if study.n_networks > 1:
        return study.each(name)
    return study.curve(name).assign(network=0)


def eigenvalues(axes: Sequence[Axes], study: StudyLike) -> pd.DataFrame:
    """Eigenvalues in the unit circle, at stable points and at saddles apart.

    Parameters
    ----------
    axes : sequence of Axes
        Two panels.
    study : StudyLike
        The study.
    """
    circle: NDArray[np.complex128] = np.exp(1j * np.linspace(0, 2 * np.pi, 200))
    table = _of_each(study, "eigenvalues")
    for ax, name, face in zip(axes, ("stable", "saddle"), (INK, "w"), strict=True):
        part = only(table, condition=name)
        ax.plot(circle.real, circle.imag, color=PALE, lw=0.8)
        ax.plot(part["x"], part["value"], "o", ms=2.2, mew=0.5, mfc=face, color=INK)
        title = {"stable": "at stable points", "saddle": "at saddles"}[name]
        ax.set(xlabel="Re λ", aspect="equal", xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), title=title)
    axes[0].set_ylabel("Im λ")
    axes[1].tick_params(labelleft=False)
    return rows(table, "j")


def drift(axes: Sequence[Axes], study: StudyLike) -> pd.DataFrame:
    """Drift along the path and contraction across it, without input, each on an axis of its own.

    Parameters
    ----------
    axes : sequence of Axes
        Two panels.
    study : StudyLike
        The study.
    """
    import pandas as pd

    table = _of_each(study, "drift")
    n = len(table["network"].unique())
    if n < study.n_networks or n > 1:
        axes[0].set_title(f"path in {n} of {study.n_networks}" if n else "no path")
    labels = (("drift", "drift per step"), ("contraction", "largest |λ| across"))
    for ax, (name, label) in zip(axes, labels, strict=True):
        for _, part in only(table, condition=name).groupby("network"):
            ax.plot(part["x"], part["value"], color=INK, lw=0.5 if n > 1 else 1.2)
        ax.set(xlabel="arclength", ylabel=label)
    axes[0].axhline(0, color="0.7", lw=0.6, zorder=0)
    return rows(table, "k") if n else rows(pd.DataFrame({"value": []}), "k")


def continuation(
    ax: Axes, anatomy: Anatomy, name: str, label: str, panel: str
) -> Iterator[pd.DataFrame]:
    """Fixed points, projected on the block readout, as one input varies; bifurcations marked.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    anatomy : Anatomy
        The network taken apart.
    name : str
        'feedback' or 'stimulus'.
    label : str
        Words for the abscissa.
    panel : str
        Letter of the panel.
    """
    import pandas as pd

    axis = _unit(anatomy.readouts["block_in_plane"])
    for branch in anatomy.branches[name]:
        y = branch.points @ axis
        for stable, line in ((True, "-"), (False, ":")):
            shown = np.where(branch.stable == stable, y, np.nan)
            ax.plot(branch.value, shown, line, color=INK, lw=1.2)
        for row in records(branch.bifurcations):
            at = (row.value, y[row.index])
            ax.plot(*at, "D", color=INK, mfc="w", ms=4, mew=0.8, zorder=4)
            text = f"{row.kind} {row.value:.2f}".replace("-", "−")
            ax.annotate(text, at, (4, 0), textcoords="offset points", va="center")
        yield rows(pd.DataFrame({"x": branch.value, "value": y}), panel, condition=name)
    ax.set(xlabel=label, ylabel="state on\nblock readout")
