"""Figures 1 to 10 and the mice: drawn, lettered, legible, inside their page, and the same twice."""

import ast
import dataclasses
import functools
import inspect

import matplotlib
import numpy as np
import pandas as pd
import pytest

from hrnn import figures, plot, reproduce

LETTERS = {"1": "abcde", "2": "abcdefgh", "3": "abcde", "4": "abcdef", "5": "abcdefgh", "6": "abcdef", "7": "abcdefghijklm",
           "8": "abcdefghijklmnopqrstuv", "9": "abcdefg", "10": "abcdefghijkl", "mice": "abcde"}
NO_SOURCE = {"1": "e", "7": "ak", "10": "e"}  # a scheme, a matrix, a path that one stable state does not have, too few changes


def mouse(subject, rng, n_sessions=5, n=500):
    """Sessions of 100 unbiased trials and blocks of 50."""
    block = np.maximum(np.arange(n) - 100, -50) // 50 + 1
    p_left = np.tile(np.where(block == 0, 0.5, np.where(block % 2, 0.2, 0.8)), n_sessions)
    n, block, trial = n * n_sessions, np.tile(block, n_sessions), np.tile(np.arange(n), n_sessions)
    side = np.where(rng.random(n) < p_left, -1, 1)
    strength = rng.choice([0, 0.0625, 0.125, 0.25, 1], n)
    right = rng.random(n) < 0.05 + 0.9 / (1 + np.exp(-12 * (side * strength + 0.1 * (0.5 - p_left))))
    choice, block_side = np.where(right, 1, -1), np.sign(0.5 - p_left).astype(int)
    return pd.DataFrame({"subject": subject, "session": np.repeat(np.arange(n_sessions), n // n_sessions), "block": block, "trial": trial,
                         "trial_in_block": np.where(block == 0, trial, (trial - 100) % 50), "p_left": p_left, "block_side": block_side,
                         "side": side, "strength": strength, "signed_strength": side * strength, "concordant": side == block_side,
                         "choice": choice, "correct": choice == side, "timeout": False})


@pytest.fixture(scope="module", params=[pytest.param(1, marks=pytest.mark.slow), 2], ids=["one network", "two networks"])
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
    return [t for t in figure.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text().strip()]


def outside(box, page):
    return box.width > 0 and (box.x0 < -1 or box.y0 < -1 or box.x1 > page.x1 + 1 or box.y1 > page.y1 + 1)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_page_and_letters(one, name):
    figure, _ = one
    assert figure.get_figwidth() == pytest.approx(183 / 25.4) and figure.get_figheight() <= 247 / 25.4
    bold = [t.get_text() for t in texts(figure) if t.get_fontweight() == "bold" and t.get_fontsize() == 8]
    assert "".join(sorted(bold)) == LETTERS[name]


@pytest.mark.parametrize("name", figures.FIGURES)
def test_text_is_legible_inside_the_page_and_apart(one, name):
    figure, _ = one
    found = [t for t in texts(figure) if np.isfinite(t.get_window_extent().x0)]
    assert min(t.get_fontsize() for t in found) >= 7
    shown = [t for t in found if not isinstance(t.axes, matplotlib.axes.Axes) or t.axes.axison or t in t.axes.texts]
    ticks = {id(label) for ax in figure.findobj(matplotlib.axes.Axes) for axis in (ax.xaxis, ax.yaxis)
             for tick in axis.get_major_ticks() + axis.get_minor_ticks() for label in (tick.label1, tick.label2)}
    shown = [t for t in shown if id(t) not in ticks]
    boxes = [(t.get_text(), t.get_window_extent()) for t in shown]
    assert [text for text, box in boxes if outside(box, figure.bbox)] == []
    pairs = [(boxes[i][0], boxes[j][0]) for i in range(len(boxes)) for j in range(i) if _overlap(boxes[i][1], boxes[j][1])]
    assert pairs == []


def _overlap(a, b):
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["7", "8", "10"])  # rasterised fields, lines, dots
def test_saved_twice_gives_the_same_bytes(drawn, name, tmp_path):
    for folder, (figure, source) in (("a", drawn[name]), ("b", drawn[name])):
        (tmp_path / folder).mkdir()
        figures.save(figure, source, str(tmp_path / folder), "x")
        assert sorted(p.name for p in (tmp_path / folder).iterdir()) == ["x.csv", "x.pdf", "x.png", "x.svg"]
    for kind in ("pdf", "png", "svg", "csv"):
        assert (tmp_path / "a" / f"x.{kind}").read_bytes() == (tmp_path / "b" / f"x.{kind}").read_bytes()


@pytest.mark.parametrize("name", figures.FIGURES)
def test_source_is_long_and_whole(one, name):
    _, source = one
    assert tuple(source.columns) == figures.COLUMNS
    assert set(LETTERS[name]) - set(NO_SOURCE.get(name, "")) <= set(source["panel"]) <= set(LETTERS[name])
    bars = source.dropna(subset=["value", "low", "high"])
    assert (bars["low"] <= bars["value"] + 1e-9).all() and (bars["value"] <= bars["high"] + 1e-9).all()


def test_every_agent_is_drawn(drawn, study):
    for name, panels in (("2", "abcdefgh"), ("3", "a")):
        source = drawn[name][1]
        for panel in panels:
            assert set(source.loc[source["panel"] == panel, "agent"]) == set(study.runs)


def test_sweeps_keep_networks_and_optimal_policies_apart(drawn):
    agents = drawn["3"][1].groupby("panel")["agent"].unique()
    assert set(agents["d"]) == {"network"} and set(agents["e"]) == {"optimal_per_trial", "optimal_per_step"}


def test_several_networks_are_one_row_with_their_number(quick_study):
    table = figures.measures(quick_study, "correct").set_index("agent")
    assert table.loc["network", "n"] == 2
    assert table.loc["network", "value"] == pytest.approx(quick_study.wide.correct.mean())


def test_every_network_is_drawn_beside_their_mean(drawn, study):
    """Thin lines in the panels of curves, one for each network and condition."""
    if study.n_networks == 1:
        pytest.skip("of several networks")
    for name, curve in (("4", "variance"), ("6", "coupling")):
        collections = [c for c in drawn[name][0].findobj(matplotlib.collections.LineCollection) if c.get_gid() == "each"]
        thin = {tuple(line[:, 1]) for collection in collections for line in collection.get_segments()}
        assert {tuple(part.value) for _, part in study.each(curve).groupby(["network", "condition"])} <= thin


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
    table = pd.DataFrame({"agent": ["network", "none"], "x": [0, 1], "value": [0.5, 0.6], "low": [0.4, np.nan], "high": [0.6, np.nan]})
    assert function(*((table,) if function is plot.dots else (table, "x")), ax=ax) is ax
    assert inspect.signature(function).parameters["ax"].default is None


def test_figures_name_each_agent_of_the_study_with_its_own_look():
    assert set(plot.LOOKS) == {"network", *reproduce.BASELINES}
    assert len({marker for _, marker, _ in plot.LOOKS.values()}) == len(plot.LOOKS)


def test_what_cannot_be_drawn_is_refused(study):
    with pytest.raises(ValueError, match="name must be one of"):
        figures.draw("99", study)
    for name in figures.OF_MICE:
        with pytest.raises(ValueError, match="study.mice must be"):
            figures.draw(name, dataclasses.replace(study, mice=None))


def test_figure_9_needs_several_networks(one_network):
    with pytest.raises(ValueError, match="at least 2 networks, got 1"):
        figures.draw("9", one_network)


def test_functions_are_short():
    for module in (plot, figures):
        tree = ast.parse(inspect.getsource(module))
        assert all(f.end_lineno - f.lineno < 40 for f in ast.walk(tree) if isinstance(f, ast.FunctionDef))
