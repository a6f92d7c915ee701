"""Figure 7: mechanism. Populations, weights, vector fields with fixed points and manifold.

Drift along it, continuation.
"""

import numpy as np

from hrnn.agents import look
from hrnn.analysis import dynamics
from hrnn.figures.panels import join, rows, several, singles, thin
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
IN_DATA = {"angles": "xy", "scale_units": "xy"}  # arrows in the units of the axes


@style()
def draw(study):
    """Draw the figure: (Figure, source data)."""
    anatomy = study.anatomy
    figure = page(247)
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=[0.95, 1.45, 2.0])
    source = [*circuit(top, study), *fields(middle, anatomy), *memory(bottom, study)]
    found = anatomy.fixed_points
    residual = found.residual.max() if len(found.residual) else 0.0
    note(
        bottom,
        several(study, "a, c–i, l, m (black): one of them. ")
        + f"b: of one, {len(anatomy.weights.within)} weights within, "
        f"{len(anatomy.weights.between)} between populations; δ: Cliff's{'' if study.n_networks > 1 else ', units resampled'}. "
        "d–i: inputs (left, right, feedback), both axes of one scale; arrows: displacement in one step of states in the "
        "plane of PCs 1–2 (half its length, at most half a unit); orange: mean displacement observed under such inputs "
        f"(bins of n ≥ {MIN_REAL} steps); grey lines: trajectories. "
        "Filled: stable points, open: saddles, triangles: slow points; line: path between the outer stable points, whose drift is in k; "
        "dashed: border of their basins in the plane. "
        f"{len(found.points)} points, residuals ≤ {residual:.0e}; {100 * found.converged_fraction:.0f} % of {found.n_starts} searches "
        f"ended at one, the others at slow points; {100 * anatomy.coverage:.0f} % of starts, iterated, end at a stable one. Without "
        f"input: {anatomy.verdict.text}.",
    )
    finish(figure)
    return figure, join(source)


# ---- populations and weights ----


def circuit(figure, study):
    """Correlations of units, weights within and between populations, units in the two readouts."""
    import pandas as pd
    from cmcrameri import cm

    anatomy = study.anatomy
    panels = figure.subplot_mosaic("abc;adc", width_ratios=[1.1, 1, 1], height_ratios=[3.2, 1])
    a, b, c, below = (panels[name] for name in "abcd")
    for name, ax in zip("abc", (a, b, c), strict=True):
        letter(name, ax=ax)
    p = anatomy.populations["trained"]
    order = anatomy.populations["trained"].order
    shown = a.imshow(
        p.correlation[np.ix_(order, order)], cmap=cm.vik, vmin=-1, vmax=1, rasterized=True
    )
    figure.colorbar(shown, ax=a, label="correlation", shrink=0.8)
    title = f"silhouette {interval(study.measures['silhouette'])},\n{p.n_clusters} clusters"
    a.set(xlabel="unit (ordered)", ylabel="unit (ordered)", title=title)
    yield from weights((b, below), study)
    stimulus, block = (
        anatomy.readouts[name] / np.linalg.norm(anatomy.readouts[name])
        for name in ("stimulus", "block_in_plane")
    )
    for label, marker, face in ((0, "o", INK), (1, "s", "w")):
        inside = p.label == label
        c.plot(
            stimulus[inside],
            block[inside],
            marker,
            color=INK,
            mfc=face,
            ms=3,
            mew=0.6,
            label=f"population {label + 1}",
        )
    c.axhline(0, color="0.8", lw=0.6, zorder=0)
    c.axvline(0, color="0.8", lw=0.6, zorder=0)
    c.set(xlabel="weight in stimulus readout", ylabel="weight in block readout")
    c.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, handletextpad=0)
    yield rows(pd.DataFrame({"x": stimulus, "value": block, "condition": p.label}), "c")


def weights(axes, study):
    """Distribution of the recurrent weights within and between populations.

    And the size of the difference.
    """
    import pandas as pd

    table = study.curve("weights")
    delta = study.measures["cliffs_delta"]
    density, effect = axes
    for name, colour, line in (("within", INK, "-"), ("between", GREY, "--")):
        band(table[table.condition == name], "x", ax=density, colour=colour, line=line, label=name)
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


def _grid(anatomy):
    """Points of a grid inside the convex hull of the activity in the plane."""
    from scipy.spatial import ConvexHull, Delaunay

    scores = anatomy.plane.project(anatomy.run.hidden)
    hull = scores[ConvexHull(scores).vertices]
    axes = [np.linspace(*edge, GRID) for edge in zip(hull.min(0), hull.max(0), strict=True)]
    grid = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
    return grid[Delaunay(hull).find_simplex(grid) >= 0], hull


def _like(run, name):
    """Steps whose input is like that of a condition."""
    blank = run.step < run.sessions.task.n_blank
    feedback = run.inputs[:, 2]
    d = run.inputs[:, 1] - run.inputs[:, 0]
    if name in ("left", "equal", "right"):
        centre = {"left": -1, "equal": 0, "right": 1}[name]
        return ~blank & (np.abs(d - centre) < 0.5)
    return blank & (feedback == {"feedback −1": -1, "no input": 0, "feedback +1": 1}[name])


def _observed(anatomy, name):
    """Mean displacement in bins of the plane over steps with such inputs.

    Centres (n, 2), displacements (n, 2).
    """
    run = anatomy.run
    steps = np.flatnonzero(_like(run, name))
    first = run.session_starts
    steps = np.setdiff1d(steps, first)
    before, after = (anatomy.plane.project(run.hidden[at]) for at in (steps - 1, steps))
    low = before.min(0)
    high = before.max(0)
    index = np.minimum(
        ((before - low) / (high - low + 1e-12) * REAL_BINS).astype(int), REAL_BINS - 1
    ) @ [1, REAL_BINS]
    n = np.bincount(index, minlength=REAL_BINS**2)
    mean = lambda v: (
        np.stack([np.bincount(index, v[:, k], REAL_BINS**2) for k in (0, 1)], 1)
        / np.maximum(n, 1)[:, None]
    )  # noqa: E731
    keep = n >= MIN_REAL
    return mean(before)[keep], mean(after - before)[keep]


def speeds():
    """Colours of the arrows: darker the faster, and none so light that it is lost on white."""
    from cmcrameri import cm
    from matplotlib.colors import ListedColormap

    return ListedColormap(cm.batlow_r(np.linspace(0.4, 1, 256)))


def fields(figure, anatomy):
    """Ideal and observed displacement for the six inputs, with fixed points.

    Slow points and path.
    """
    import pandas as pd

    grid, hull = _grid(anatomy)
    axes = figure.subplots(2, 3, sharex=True, sharey=True)
    colours = speeds()
    for panel, ax, (name, x) in zip("defghi", axes.flat, dynamics.CONDITIONS.items(), strict=True):
        states = anatomy.plane.lift(grid)
        moved = anatomy.plane.project(dynamics.step(anatomy.network, states, x)) - grid
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
        centres, shift = _observed(anatomy, name)
        ax.quiver(*centres.T, *shift.T, color=look("network")[0], width=0.005, **IN_DATA, scale=2)
        ax.plot(*np.vstack([hull, hull[:1]]).T, color=PALE, lw=0.6)
        for orbit in _orbits(anatomy, hull, x):
            ax.plot(*orbit.T, color=GREY, lw=0.6)
        _separatrix(ax, anatomy, hull, x)
        _points(ax, anatomy, name, x)
        ax.set(
            title=TITLES[name], aspect="equal", xlim=_around(hull[:, 0]), ylim=_around(hull[:, 1])
        )
        letter(panel, ax=ax)
        yield rows(pd.DataFrame({"x": grid[:, 0], "value": speed, "condition": name}), panel)
    for ax in axes[1]:
        ax.set_xlabel("PC 1")
    for ax in axes[:, 0]:
        ax.set_ylabel("PC 2")
    label = "displacement in one step (in the plane)"
    figure.colorbar(arrows, ax=axes, label=label, shrink=0.7, extend="max")


def _around(values):
    """Limits with some room on both sides."""
    margin = 0.04 * (values.max() - values.min())
    return values.min() - margin, values.max() + margin


def _orbits(anatomy, hull, x):
    """Trajectories in the plane from N_ORBITS states on the hull.

    (N_ORBITS, N_ORBIT_STEPS + 1, 2).
    """
    states = [anatomy.plane.lift(hull[np.linspace(0, len(hull) - 1, N_ORBITS).astype(int)])]
    for _ in range(N_ORBIT_STEPS):
        states.append(dynamics.step(anatomy.network, states[-1], x))
    return anatomy.plane.project(np.array(states)).swapaxes(0, 1)


def _separatrix(ax, anatomy, hull, x):
    """Border between the basins in the plane, where there are several.

    States on a grid, iterated to their attractors.
    """
    found = anatomy.fixed_points
    if found.stable[found.at(x)].sum() < 2:
        return
    axes = [np.linspace(*edge, FINE) for edge in zip(hull.min(0), hull.max(0), strict=True)]
    grid = np.stack(np.meshgrid(*axes), -1)
    label = dynamics.attractor(
        anatomy.network, found, x, anatomy.plane.lift(grid.reshape(-1, 2))
    ).reshape(FINE, FINE)
    for row in np.unique(label)[1:]:
        ax.contour(*axes, label >= row, [0.5], colors="k", linestyles="dashed", linewidths=0.8)


def _points(ax, anatomy, name, x):
    found = anatomy.fixed_points
    plane = anatomy.plane
    path = anatomy.paths[name]
    if path is not None and path.converged:
        ax.plot(*plane.project(path.states).T, color="k", lw=1)
    for row in found.at(x):
        ax.plot(
            *plane.project(found.points[row]),
            "o",
            color="k",
            mfc="k" if found.stable[row] else "w",
            ms=5,
            mew=0.8,
            zorder=5,
        )
    slow = found.slow_points[(found.slow_x == np.asarray(x)).all(1)]
    if len(slow):
        ax.plot(*plane.project(slow).T, "^", color="k", mfc="w", ms=4.5, mew=0.8, zorder=5)


# ---- how the belief is held ----


def memory(figure, study):
    """Eigenvalues without input, drift along the path.

    And the fixed points as feedback and stimulus vary.
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


def _kinds(study, name):
    """Conditions of the branches of an input, in any network."""
    found = study.each("branches").condition
    return found[found.str.startswith(f"{name}, ")].unique() if len(found) else ()


def _of_each(study, name):
    """A curve of every network, or of the one there is, with a column `network`."""
    return study.each(name) if study.n_networks > 1 else study.curve(name).assign(network=0)


def eigenvalues(axes, study):
    """Eigenvalues in the unit circle, at stable points and at saddles apart."""
    circle = np.exp(1j * np.linspace(0, 2 * np.pi, 200))
    table = _of_each(study, "eigenvalues")
    for ax, name, face in zip(axes, ("stable", "saddle"), (INK, "w"), strict=True):
        part = table[table.condition == name]
        ax.plot(circle.real, circle.imag, color=PALE, lw=0.8)
        ax.plot(part["x"], part["value"], "o", ms=2.2, mew=0.5, mfc=face, color=INK)
        title = {"stable": "at stable points", "saddle": "at saddles"}[name]
        ax.set(xlabel="Re λ", aspect="equal", xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), title=title)
    axes[0].set_ylabel("Im λ")
    axes[1].tick_params(labelleft=False)
    return rows(table, "j")


def drift(axes, study):
    """Drift along the path and contraction across it, without input, each on an axis of its own."""
    import pandas as pd

    table = _of_each(study, "drift")
    n = table["network"].nunique()
    if n < study.n_networks or n > 1:
        axes[0].set_title(f"path in {n} of {study.n_networks}" if n else "no path")
    labels = (("drift", "drift per step"), ("contraction", "largest |λ| across"))
    for ax, (name, label) in zip(axes, labels, strict=True):
        for _, part in table[table.condition == name].groupby("network"):
            ax.plot(part["x"], part["value"], color=INK, lw=0.5 if n > 1 else 1.2)
        ax.set(xlabel="arclength", ylabel=label)
    axes[0].axhline(0, color="0.7", lw=0.6, zorder=0)
    return rows(table, "k") if n else rows(pd.DataFrame({"value": []}), "k")


def continuation(ax, anatomy, name, label, panel):
    """Fixed points, projected on the block readout, as one input varies; bifurcations marked."""
    import pandas as pd

    axis = anatomy.readouts["block_in_plane"] / np.linalg.norm(anatomy.readouts["block_in_plane"])
    for branch in anatomy.branches[name]:
        y = branch.points @ axis
        for stable, line in ((True, "-"), (False, ":")):
            ax.plot(
                branch.value, np.where(branch.stable == stable, y, np.nan), line, color=INK, lw=1.2
            )
        for row in branch.bifurcations.itertuples():
            ax.plot(row.value, y[row.index], "D", color=INK, mfc="w", ms=4, mew=0.8, zorder=4)
            text = f"{row.kind} {row.value:.2f}".replace("-", "−")
            ax.annotate(
                text, (row.value, y[row.index]), (4, 0), textcoords="offset points", va="center"
            )
        yield rows(pd.DataFrame({"x": branch.value, "value": y}), panel, condition=name)
    ax.set(xlabel=label, ylabel="state on\nblock readout")
