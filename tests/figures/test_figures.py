"""Figures 1 to 10 and the mice: drawn, lettered, legible, inside their page, and the same twice."""

import ast
import dataclasses
import functools
import inspect
import itertools
import re
import types

import matplotlib
import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn import agents, figures, plot
from hrnn.figures import choice, mechanism, networks, panels, prior
from hrnn.populations.claims import PUBLISHED
from hrnn.study import reproduction

LETTERS = {
    "1": "abcde",
    "2": "abcdefghij",
    "3": "abcde",
    "4": "abcdef",
    "5": "abcdefgh",
    "6": "abcdef",
    "7": "abcdefghijklm",
    "8": "abcdefghijklmnopqrstuv",
    "9": "abcdefg",
    "10": "abcdefghijkl",
    "mice": "abcde",
}
# a scheme; what networks that never act are told; a matrix, a path that one stable state does not
# have; too few changes
NO_SOURCE = {"1": "e", "5": "cd", "7": "ak", "10": "e"}


def mouse(subject, rng, n_sessions=5, n=500):
    """Sessions of 100 unbiased trials and blocks of 50."""
    block = np.maximum(np.arange(n) - 100, -50) // 50 + 1
    p_left = np.tile(np.where(block == 0, 0.5, np.where(block % 2, 0.2, 0.8)), n_sessions)
    n, block, trial = n * n_sessions, np.tile(block, n_sessions), np.tile(np.arange(n), n_sessions)
    side = np.where(rng.random(n) < p_left, -1, 1)
    strength = rng.choice([0, 0.0625, 0.125, 0.25, 1], n)
    right = rng.random(n) < 0.05 + 0.9 / (
        1 + np.exp(-12 * (side * strength + 0.1 * (0.5 - p_left)))
    )
    choice = np.where(right, 1, -1)
    block_side = np.sign(0.5 - p_left).astype(int)
    return pd.DataFrame(
        {
            "subject": subject,
            "session": np.repeat(np.arange(n_sessions), n // n_sessions),
            "block": block,
            "trial": trial,
            "trial_in_block": np.where(block == 0, trial, (trial - 100) % 50),
            "p_left": p_left,
            "block_side": block_side,
            "side": side,
            "strength": strength,
            "signed_strength": side * strength,
            "concordant": side == block_side,
            "choice": choice,
            "correct": choice == side,
            "timeout": False,
        }
    )


@pytest.fixture(
    scope="module",
    params=[pytest.param(1, marks=pytest.mark.slow), 2],
    ids=["one network", "two networks"],
)
def study(request, quick_study, one_network):
    rng = np.random.default_rng(0)
    mice = pd.concat([mouse(name, rng) for name in ("M1", "M2")], ignore_index=True)
    return dataclasses.replace(one_network if request.param == 1 else quick_study, mice=mice)


@pytest.fixture(scope="module")
def drawn(study):
    return {name: figures.draw(name, study) for name in figures.drawable(study)}


@pytest.fixture
def one(drawn, name):
    """One of the figures, where there is one."""
    if name not in drawn:
        pytest.skip("of several networks")
    return drawn[name]


@functools.cache
def texts(figure):
    """Every visible text of a figure, once it has been laid out."""
    figure.draw_without_rendering()
    return [
        t for t in figure.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text().strip()
    ]


def outside(box, page):
    return box.width > 0 and (
        box.x0 < -1 or box.y0 < -1 or box.x1 > page.x1 + 1 or box.y1 > page.y1 + 1
    )


@pytest.mark.parametrize("name", figures.FIGURES)
def test_page_and_letters(one, name):
    figure, _ = one
    assert (
        figure.get_figwidth() == pytest.approx(183 / 25.4) and figure.get_figheight() <= 247 / 25.4
    )
    bold = [
        t.get_text()
        for t in texts(figure)
        if t.get_fontweight() == "bold" and t.get_fontsize() == 8
    ]
    assert "".join(sorted(bold)) == LETTERS[name]


@pytest.mark.parametrize("name", figures.FIGURES)
def test_text_is_legible_inside_the_page_and_apart(one, name):
    figure, _ = one
    found = [t for t in texts(figure) if np.isfinite(t.get_window_extent().x0)]
    assert min(t.get_fontsize() for t in found) >= 7
    shown = [
        t
        for t in found
        if not isinstance(t.axes, matplotlib.axes.Axes) or t.axes.axison or t in t.axes.texts
    ]
    ticks = {
        id(label)
        for ax in figure.findobj(matplotlib.axes.Axes)
        for axis in (ax.xaxis, ax.yaxis)
        for tick in axis.get_major_ticks() + axis.get_minor_ticks()
        for label in (tick.label1, tick.label2)
    }
    shown = [t for t in shown if id(t) not in ticks]
    boxes = [(t.get_text(), t.get_window_extent()) for t in shown]
    assert [text for text, box in boxes if outside(box, figure.bbox)] == []
    pairs = [
        (boxes[i][0], boxes[j][0])
        for i in range(len(boxes))
        for j in range(i)
        if _overlap(boxes[i][1], boxes[j][1])
    ]
    assert pairs == []


def _overlap(a, b):
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1


SHRINK = 0.7
LEAST_POINTS = 6  # of mathtext's sub- and superscripts, as set and as printed


@pytest.mark.parametrize("name", figures.FIGURES)
def test_subscripts_are_legible(one, name):
    small = [
        t.get_text()
        for t in texts(one[0])
        if re.search(r"\$.*[_^]", t.get_text()) and SHRINK * t.get_fontsize() < LEAST_POINTS
    ]
    assert small == []


@pytest.mark.parametrize("name", figures.FIGURES)
def test_tick_labels_stand_apart(one, name):
    figure, _ = one
    texts(figure)
    for ax in figure.findobj(matplotlib.axes.Axes):
        for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
            low, high = sorted(axis.get_view_interval())
            ticks = [t for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
            labels = [
                t.label1
                for t in ticks
                if t.label1.get_visible() and t.label1.get_text() and t.label1.get_rotation() == 0
            ]
            boxes = [label.get_window_extent() for label in labels]
            assert not [(a, b) for a, b in itertools.combinations(boxes, 2) if a.overlaps(b)], [
                label.get_text() for label in labels
            ]


def panel(figure, name):
    """The Axes that bears a letter."""
    return next(
        t.axes
        for t in texts(figure)
        if t.get_text() == name and t.get_fontweight() == "bold" and t.get_fontsize() == 8
    )


AGENTS = {agent.colour for agent in agents.AGENTS.values()}
SIDES = {colour for colour, _ in plot.blocks((0.2, 0.5, 0.8)).values()}


def lab(colour):
    """CIELAB of an sRGB colour, white point D65."""
    channel = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(channel <= 0.04045, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)
    xyz = (
        np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
        @ linear
        / [0.9505, 1, 1.089]
    )
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_no_colour_is_two_things():
    """Both optimal policies share one, as do the exact actor and the observer.

    All others differ by far more than the just noticeable difference, 2.3.
    """
    assert len(AGENTS) == len(agents.AGENTS) - 2
    distances = [
        np.linalg.norm(lab(a) - lab(b))
        for a, b in itertools.combinations([*AGENTS, *SIDES, *agents.OWN_COLOURS], 2)
    ]
    assert min(distances) > 15


def colours(figure):
    """Colours that are no greys, of all lines, areas and arrows that no colour map made."""
    found = set()
    for line in figure.findobj(matplotlib.lines.Line2D):
        found |= {line.get_color(), line.get_markerfacecolor()}
    for drawn in figure.findobj(matplotlib.collections.Collection):
        if drawn.get_array() is None:
            found |= {tuple(c[:3]) for c in (*drawn.get_facecolor(), *drawn.get_edgecolor())}
    for patch in figure.findobj(matplotlib.patches.Rectangle):
        found |= {tuple(patch.get_facecolor()[:3])}
    rgb = {matplotlib.colors.to_hex(c) for c in found if not (isinstance(c, str) and c == "none")}
    return {c.upper() for c in rgb if np.ptp(matplotlib.colors.to_rgb(c)) > 0.02}


@pytest.mark.parametrize("name", figures.FIGURES)
def test_colours_are_agents_and_sides(one, name):
    with_sides = SIDES if name in ("1", "2", "4", "5", "mice") else set()
    assert colours(one[0]) <= AGENTS | with_sides


@pytest.mark.parametrize(
    "function, options", [(plot.estimate, {}), (plot.estimate, {"vertical": True})]
)
def test_a_marker_does_not_hide_its_interval(function, options):
    found = types.SimpleNamespace(value=0.5, low=0.499, high=0.501)
    bar, marker = function(found, 0, ax=matplotlib.figure.Figure().subplots(), **options).lines
    assert bar.get_linewidth() >= 1.5 and marker.get_markerfacecolor() == "none"
    assert bar.get_solid_capstyle() == "butt", "no longer than the interval"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["7", "8", "10"])  # rasterised fields, lines, dots
def test_saved_twice_gives_the_same_bytes(drawn, name, tmp_path):
    for folder, (figure, source) in (("a", drawn[name]), ("b", drawn[name])):
        (tmp_path / folder).mkdir()
        figures.save(figure, source, str(tmp_path / folder), "x")
        assert sorted(p.name for p in (tmp_path / folder).iterdir()) == [
            "x.csv",
            "x.pdf",
            "x.png",
            "x.svg",
        ]
    for kind in ("pdf", "png", "svg", "csv"):
        assert (tmp_path / "a" / f"x.{kind}").read_bytes() == (
            tmp_path / "b" / f"x.{kind}"
        ).read_bytes()


@pytest.mark.parametrize("name", figures.FIGURES)
def test_source_is_long_and_whole(one, name):
    _, source = one
    assert tuple(source.columns) == panels.COLUMNS
    assert (
        set(LETTERS[name]) - set(NO_SOURCE.get(name, ""))
        <= set(source["panel"])
        <= set(LETTERS[name])
    )
    bars = source.dropna(subset=["value", "low", "high"])
    assert (bars["low"] <= bars["value"] + 1e-9).all() and (
        bars["value"] <= bars["high"] + 1e-9
    ).all()


def test_every_agent_is_drawn(drawn, study):
    for name, letters in (("2", "abcdefghij"), ("3", "a")):
        source = drawn[name][1]
        for panel in letters:
            absent = set(study.runs) - set(source.loc[source["panel"] == panel, "agent"])
            assert absent <= ({"network"} if name + panel in ("2d", "2e", "2f") else set()), (
                "of the small study's networks some never act"
            )


def test_sweeps_keep_networks_and_optimal_policies_apart(drawn):
    agents = drawn["3"][1].groupby("panel")["agent"].unique()
    assert set(agents["d"]) == {"network"} and set(agents["e"]) == {
        "optimal_per_trial",
        "optimal_per_step",
    }


def test_several_networks_are_one_row_with_their_number(quick_study):
    table = panels.measures(quick_study, "correct").set_index("agent")
    assert table.loc["network", "n"] == 2
    assert table.loc["network", "value"] == pytest.approx(quick_study.wide.correct.mean())


def test_every_network_is_drawn_beside_their_mean(drawn, study):
    """Thin lines in the panels of curves, one for each network and condition."""
    if study.n_networks == 1:
        pytest.skip("of several networks")
    for name, curve in (("4", "variance"), ("6", "coupling")):
        collections = [
            c
            for c in drawn[name][0].findobj(matplotlib.collections.LineCollection)
            if c.get_gid() == "each"
        ]
        thin = {
            tuple(line[:, 1]) for collection in collections for line in collection.get_segments()
        }
        assert {
            tuple(part.value) for _, part in study.each(curve).groupby(["network", "condition"])
        } <= thin


@pytest.mark.slow
def test_the_users_settings_do_not_matter(study, drawn, tmp_path):
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "r"}):
        figure, source = figures.draw("1", study)
        figures.save(figure, source, tmp_path, "x")
        assert matplotlib.rcParams["font.size"] == 20
    figures.save(*drawn["1"], tmp_path, "y")
    assert (tmp_path / "x.png").read_bytes() == (tmp_path / "y.png").read_bytes()


@pytest.mark.parametrize("function", [plot.points, plot.band, plot.dots])
def test_axes_functions_return_their_axes(function):
    ax = matplotlib.figure.Figure().subplots()
    table = pd.DataFrame(
        {
            "agent": ["network", "none"],
            "x": [0, 1],
            "value": [0.5, 0.6],
            "low": [0.4, np.nan],
            "high": [0.6, np.nan],
        }
    )
    assert function(table, agents.look if function is plot.dots else "x", ax=ax) is ax
    assert inspect.signature(function).parameters["ax"].default is None


def test_figures_name_each_agent_of_the_study_with_its_own_look():
    assert set(agents.AGENTS) > {"network", *reproduction.BASELINES}
    looks = [agent.look for name, agent in agents.AGENTS.items() if name != "observer"]
    assert len({look.marker for look in looks}) == len(looks)


def test_what_cannot_be_drawn_is_refused(study):
    with pytest.raises(ValueError, match="name must be one of"):
        figures.draw("99", study)
    for name in figures.OF_MICE:
        with pytest.raises(ValueError, match="study.mice must be"):
            figures.draw(name, dataclasses.replace(study, mice=None))


def test_figure_9_needs_several_networks(one_network):
    with pytest.raises(ValueError, match="at least 2 networks, got 1"):
        figures.draw("9", one_network)


# ---- single figures
# ------------------------------------------------------------------------------------------------


def test_timeouts_are_drawn_by_strength(drawn, study):
    source = drawn["2"][1].query("panel == 'b' and agent == 'semi_markov'").set_index("x").value
    trials = study.runs["semi_markov"].trials
    for strength, timeouts in trials.groupby("strength").timeout.mean().items():
        assert source[strength] == pytest.approx(timeouts)


def test_the_few_networks_of_a_sweep_are_drawn_beside_their_mean():
    ax = matplotlib.figure.Figure().subplots()
    table = pd.DataFrame(
        {"threshold": np.repeat([0.8, 0.9], 4), "correct": np.linspace(0.7, 0.9, 8)}
    )
    prior._each(ax, table, "threshold", "correct")
    drawn = np.concatenate([line.get_ydata() for line in ax.lines])
    assert drawn.tolist() == table.correct.tolist()
    assert all(
        (line.get_xdata() != x).all() for line, x in zip(ax.lines, (0.8, 0.9), strict=True)
    ), "beside the bar"


@pytest.mark.parametrize("name, letters", [("4", "bce"), ("7", "defghi"), ("8", "pqrst")])
def test_angles_on_the_page_are_angles_in_the_plane(drawn, name, letters):
    figure, _ = drawn[name]
    for letter in letters:
        (x0, y0), (x1, y1) = panel(figure, letter).transData.transform([(0, 0), (1, 1)])
        assert x1 - x0 == pytest.approx(y1 - y0, rel=0.005), letter


def test_the_ceiling_is_a_line_with_its_name(drawn, study):
    ax = panel(drawn["4"][0], "d")
    line = next(line for line in ax.lines if line.get_gid() == "ceiling")
    name = next(t for t in texts(drawn["4"][0]) if t.get_text() == "observer")
    assert (
        line.get_xdata()[0] == study.measures["block_decoder_observer"].value
        and line.get_linewidth() >= 1
    )
    centre = name.get_window_extent().intervalx.mean()
    assert centre == pytest.approx(ax.transData.transform((line.get_xdata()[0], 0))[0], abs=1)


def test_published_slopes_are_drawn(drawn):
    figure, _ = drawn["5"]
    for letter, measure in (("a", "stimulus_slope_in_plane"), ("b", "block_slope_in_plane")):
        ax = panel(figure, letter)
        dashed = next(line for line in ax.lines if line.get_linestyle() == "--")
        assert np.ptp(dashed.get_ydata()) / np.ptp(dashed.get_xdata()) == pytest.approx(
            PUBLISHED[measure]
        )
        assert f"{PUBLISHED[measure]:g}" in " ".join(t.get_text() for t in ax.texts)


def test_the_mean_curve_lies_on_the_cloud(drawn, study):
    source = drawn["5"][1]
    for letter, of in (("f", "belief"), ("g", "update")):
        bins = source[(source.panel == letter) & (source.condition == "bins")]
        curve = study.curve("agreement")
        curve = curve[curve.condition == of]
        assert len(bins) > 5 and bins.value.tolist() == curve.value.tolist()
        line = panel(drawn["5"][0], letter).containers[0].lines[0]
        assert line.get_ydata().tolist() == curve.value.tolist()


@pytest.mark.parametrize("pair", ["ab", "cd"])
def test_what_is_to_be_compared_has_one_scale(drawn, pair):
    first, second = (panel(drawn["6"][0], letter) for letter in pair)
    assert first.get_xlim() == second.get_xlim() and first.get_ylim() == second.get_ylim()


def test_arrows_are_darker_the_faster_and_never_pale():
    shades = [choice.luminance(colour) for colour in mechanism.speeds()(np.linspace(0, 1, 50))]
    assert max(shades) < 0.4 and shades[-1] < 0.1 and shades[0] > 3 * shades[-1]


def test_drift_and_contraction_have_axes_of_their_own(drawn):
    labels = [ax.get_ylabel() for ax in drawn["7"][0].findobj(matplotlib.axes.Axes)]
    assert labels.count("drift per step") == labels.count("largest |λ| across") == 1


def test_stable_points_do_not_hide_under_saddles(drawn):
    titles = [ax.get_title() for ax in drawn["7"][0].findobj(matplotlib.axes.Axes)]
    assert titles.count("at stable points") == titles.count("at saddles") == 1


def test_divergences_have_one_scale(drawn, study):
    first = panel(drawn["8"][0], "u")
    axes = [
        ax for ax in first.get_gridspec().figure.axes if ax.get_gridspec() is first.get_gridspec()
    ][:-1]
    assert (
        len(axes) == len(study.distillation.divergences)
        and len({ax.get_ylim() for ax in axes}) == 1
    )


def test_every_criterion_is_a_line_in_view(drawn):
    if "9" not in drawn:
        pytest.skip("of several networks")
    first = panel(drawn["9"][0], "a")
    axes = [ax for ax in first.figure.axes if ax.get_gridspec() is first.get_gridspec()]
    for ax, claim in zip(axes, networks.SHOWN, strict=False):
        edges = [line.get_xdata()[0] for line in ax.lines if line.get_gid() == "criterion"]
        assert edges == [edge for edge in (claim.low, claim.high) if np.isfinite(edge)], claim.name
        assert all(ax.get_xlim()[0] < edge < ax.get_xlim()[1] for edge in edges)


def test_no_point_lies_on_a_frame(drawn):
    if "9" not in drawn:
        pytest.skip("of several networks")
    first = panel(drawn["9"][0], "g")
    for ax in (ax for ax in first.figure.axes if ax.get_gridspec() is first.get_gridspec()):
        low, high = ax.get_ylim()
        values = np.concatenate([line.get_ydata() for line in ax.lines])
        values = values[np.isfinite(values)]
        room = 0.05 * (high - low)
        assert (values > low + room).all() and (values < high - room).all()


def test_a_claim_that_turns_on_the_sessions_has_no_count():
    for none in (None, np.nan):
        assert (
            networks._count(types.SimpleNamespace(k=none, of=20)).strip() == "turns on the sessions"
        )
    assert networks._count(types.SimpleNamespace(k=19, of=20)) == "19/20"


def contrast(a, b):
    """Of WCAG 2.1."""
    light, dark = sorted((choice.luminance(a), choice.luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_numbers_are_legible_on_every_cell():
    levels = np.linspace(0, 1, 16).reshape(4, 4)
    names = ["flat", "semi_markov", "stimulus_kernel", "action_kernel"]
    table = pd.DataFrame(levels, pd.Index(names, name="true"), pd.Index(names, name="winner"))
    ax = matplotlib.figure.Figure().subplots()
    choice.confused(ax, types.SimpleNamespace(confusion=table))
    for text, value in zip(ax.texts, levels.flat, strict=True):
        cell = ax.images[0].to_rgba(value)
        assert contrast(cell, matplotlib.colors.to_rgb(text.get_color())) >= 4.5, value


def test_mice_are_in_the_order_of_their_difference(drawn):
    shown = drawn["10"][1].query("panel == 'l' and condition == 'mouse'")
    assert len(shown) == 2 and (shown.value.diff()[1:] <= 0).all()
    names = [t.get_text() for t in panel(drawn["10"][0], "l").get_xticklabels()]
    assert names == shown.agent.tolist()


def test_a_mouse_of_which_a_model_tells_nothing_is_named():
    subjects = pd.DataFrame({"subject": ["A", "B"]})
    bits = {"action_kernel": [0.4, 0.3], "semi_markov": [-0.04, 0.2]}
    fits = {
        ("mice", model): types.SimpleNamespace(bits_per_trial=np.array(v), names=subjects)
        for model, v in bits.items()
    }
    ax = matplotlib.figure.Figure().subplots()
    choice.scatter(ax, types.SimpleNamespace(fits=fits))
    assert [t.get_text() for t in ax.texts] == ["A"]


def test_the_comparison_says_n_and_exceedance():
    table = pd.DataFrame(
        {
            "model": ["action_kernel", "flat"],
            "bits_per_trial": [0.5, 0.4],
            "low": [0.45, 0.35],
            "high": [0.55, 0.45],
            "difference": [0.0, -0.1],
            "difference_low": [0.0, -0.12],
            "difference_high": [0.0, -0.08],
            "exceedance": [0.97, 0.03],
            "n_subjects": [36, 36],
        }
    )
    figure, source = figures.comparison(table)
    said = " ".join(t.get_text() for t in texts(figure))
    assert "n = 36" in said and "0.970" in said and "exceedance" in said
    assert source[source.panel == "b"].value.tolist() == [0.97, 0.03] and (source.n == 36).all()


def n_lines(function):
    """Lines of a function without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


def test_functions_are_short():
    for module in (plot, figures):
        tree = ast.parse(inspect.getsource(module))
        assert all(n_lines(f) <= 40 for f in ast.walk(tree) if isinstance(f, ast.FunctionDef))


def test_only_the_rows_that_are_wanted():
    table = pd.DataFrame({"a": [0, 1, 1], "b": ["x", "x", "y"], "value": [1.0, 2.0, 3.0]})
    assert panels.only(table, a=1, b="y")["value"].tolist() == [3.0]
    assert len(panels.only(table)) == 3


def test_bars_of_points_are_as_wide_as_asked():
    table = pd.DataFrame({"x": [0.0], "value": [0.5], "low": [0.4], "high": [0.6]})
    ax = plot.points(table, "x", ax=plot.page(40).subplots(), bar=3)
    assert list(ax.containers[0].lines[2][0].get_linewidth()) == [3]


@pytest.fixture(scope="module")
def gated():
    """A gated network taken apart."""
    task = hrnn.Task()
    net = hrnn.Network.init("gru", n_hidden=12, rng=0)
    net = hrnn.train(net, task, recipe="fast", n_steps=120, progress=False, rng=0).network
    return hrnn.analysis.Anatomy(hrnn.rollout(net, task.sample(n_blocks=48, rng=1)))


@pytest.mark.parametrize("name", ["4", "5", "6", "7"])
def test_figures_take_a_gated_network_apart(gated, name):
    figure, source = figures.draw(name, figures.OneNetwork(anatomy=gated))
    assert set(LETTERS[name]) - set(NO_SOURCE.get(name, "")) <= set(source["panel"])
    assert source["value"].notna().mean() > 0.5 and len(figure.axes) > 3


def test_fixed_points_of_a_gated_network_are_those_of_its_map(gated):
    found = gated.fixed_points
    moved = np.array([gated.network.step(h, x) for h, x in zip(found.points, found.x, strict=True)])
    assert len(found.points) > 0 and np.abs(moved - found.points).max() < 1e-11
