"""Figures of mice with blocks of any P(left) and any contrasts."""

import types

import matplotlib
import numpy as np
import pandas as pd
import pytest

from hrnn import figures, plot
from hrnn.choice.side_by_side import Beside
from hrnn.figures import choice, mice
from hrnn.plot import blocks

IBL = (0.0, 0.0625, 0.125, 0.25, 1.0)
MANY = tuple(np.round(np.linspace(0, 1, 18), 3))


def mouse(subject, p_left, contrasts, unbiased=40, n_sessions=3, n=200, block=40):
    """Sessions with an unbiased start and blocks whose P(left) take turns."""
    rng = np.random.default_rng(len(subject) + n_sessions)
    left = np.r_[np.full(unbiased, 0.5), np.resize(np.repeat(p_left, block), n)][:n]
    number = np.cumsum(np.r_[True, np.diff(left) != 0])
    parts = []
    for session in range(n_sessions):
        side = np.where(rng.random(n) < left, -1, 1)
        strength = rng.choice(contrasts, n)
        block_side = np.sign(0.5 - left).astype(int)
        made = np.where(rng.random(n) < 0.6 + 0.3 * strength, side, -side)
        parts.append(
            pd.DataFrame(
                {
                    "subject": subject,
                    "session": session,
                    "trial": np.arange(n),
                    "block": number,
                    "trial_in_block": np.arange(n) - np.searchsorted(number, number),
                    "p_left": left,
                    "block_side": block_side,
                    "side": side,
                    "strength": strength,
                    "signed_strength": side * strength,
                    "concordant": pd.array(side == block_side, "boolean"),
                    "choice": made,
                    "correct": made == side,
                    "timeout": False,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def mice_of(p_left, contrasts=IBL, **options):
    names = pd.Series(["A", "BB"])
    return pd.concat(
        [mouse(name, p_left, contrasts, **options) for name in names], ignore_index=True
    )


CASES = {
    "IBL": ((0.2, 0.8), IBL, 40),
    "weaker blocks": ((0.3, 0.7), IBL, 40),
    "unbiased blocks between": ((0.2, 0.5, 0.8), IBL, 40),
    "certain blocks": ((0.0, 1.0), IBL, 40),
    "unbiased alone": ((0.5,), IBL, 40),
    "six kinds": ((0.1, 0.9, 0.25, 0.75, 0.4, 0.6), IBL, 40),
    "one side": ((0.35,), IBL, 0),
    "17 contrasts": ((0.2, 0.8), MANY, 40),
    "no contrast 0": ((0.3, 0.7), (0.5, 1.0), 40),
    "one contrast": ((0.2, 0.8), (1.0,), 40),
    "odd contrasts": ((0.2, 0.8), (0.03, 0.0317, 0.4), 40),
}


@pytest.mark.parametrize("name", CASES)
def test_psychometric_functions_of_any_blocks(name):
    p_left, contrasts, unbiased = CASES[name]
    table = mice_of(p_left, contrasts, unbiased=unbiased)
    figure, source = mice.draw(types.SimpleNamespace(mice=table))
    shown = sorted(set(table.p_left))
    titles = [ax.get_title() for ax in figure.findobj(matplotlib.axes.Axes) if ax.get_title()]
    assert titles == [f"P(left) = {p:g}" for p in shown]
    points = source[(source.agent == "all mice") & (source.panel == "a")]
    expected = table.groupby(["p_left", "signed_strength"]).choice.agg(lambda c: (c > 0).mean())
    assert len(points) <= len(expected) and points.n.sum() >= 0.95 * len(table)
    for row in points.itertuples():
        key = (float(row.condition.split()[-1]), row.x)
        assert row.value == pytest.approx(expected[key])


@pytest.mark.filterwarnings("ignore:whether they follow the blocks is not defined")
@pytest.mark.parametrize("name", CASES)
def test_models_and_nulls_of_any_blocks(name):
    p_left, contrasts, unbiased = CASES[name]
    table = mice_of(p_left, contrasts, unbiased=unbiased)
    beside = Beside(
        table, {}, n_starts=1, n_pseudo=5, models=("flat", "oracle", "history_glm", "psychometric")
    )
    study = types.SimpleNamespace(
        beside=beside, mice=table, n_networks=1, over_networks={}, wide={}
    )
    with plot.style():
        figure = plot.page(200)
        parts = figure.subfigures(4, 1)
        source = [
            *choice.models(parts[0], beside),
            *choice.after_change(parts[1], study),
            *choice.measures(parts[2], study),
            *choice.following(parts[3], beside),
        ]
        plot.finish(figure)
    shown = figures.panels.join(source) if hasattr(figures, "panels") else pd.concat(source)
    assert set("abcdfghijkl") <= set(shown.panel)
    bits = shown[(shown.panel == "a") & (shown.agent == "mice")]
    assert np.isfinite(bits.value.astype(float)).all()


def test_every_block_has_a_look_of_its_own():
    values = [0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9]
    looks = blocks(values)
    assert list(looks) == values and len(set(looks.values())) == len(values)
    assert looks[0.1] == plot.RIGHT and looks[0.9] == plot.LEFT and looks[0.5] == plot.NO_SIDE
    lightness = [sum(matplotlib.colors.to_rgb(looks[p][0])) for p in (0.1, 0.25, 0.4)]
    assert lightness == sorted(lightness)
    assert blocks([0.3, 0.7]) == {0.3: plot.RIGHT, 0.7: plot.LEFT}
    with pytest.raises(ValueError, match="p_left must be a non-empty array"):
        blocks([])


def test_text_of_svg_is_text(tmp_path):
    figure, source = mice.draw(types.SimpleNamespace(mice=mice_of((0.2, 0.8))))
    figures.save(figure, source, tmp_path, "mice")
    text = (tmp_path / "mice.svg").read_text()
    assert "<text" in text and "P(left) = 0.2" in text.replace("\xa0", " ")
