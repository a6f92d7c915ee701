"""Figures 1 to 3 and the mice: drawn, lettered, legible, inside their page, and the same twice."""

import numpy as np
import pandas as pd
import pytest

from hrnn import figures, plot, reproduce

LETTERS = {"1": "abcd", "2": "abcdefghi", "3": "abcdef", "mice": "ab"}


def mouse(subject, rng, n=3000):
    p_left = np.repeat(rng.permutation([0.5, 0.2, 0.8]), n // 3)
    side = np.where(rng.random(n) < p_left, -1, 1)
    strength = rng.choice([0, 0.0625, 0.125, 0.25, 1], n)
    right = rng.random(n) < 0.05 + 0.9 / (1 + np.exp(-12 * (side * strength + 0.1 * (0.5 - p_left))))
    choice = np.where(right, 1, -1)
    return pd.DataFrame({"subject": subject, "session": np.arange(n) // 500, "block": 0, "trial": np.arange(n) % 500, "p_left": p_left,
                         "block_side": np.sign(0.5 - p_left).astype(int), "side": side, "strength": strength,
                         "signed_strength": side * strength, "choice": choice, "correct": choice == side, "timeout": False})


@pytest.fixture(scope="module")
def study():
    made = reproduce.study(quick=True, progress=False)
    rng = np.random.default_rng(0)
    made.mice = pd.concat([mouse(name, rng) for name in ("M1", "M2")], ignore_index=True)
    return made


@pytest.mark.parametrize("name", figures.FIGURES)
def test_figure(study, name, tmp_path):
    figure, source = figures.draw(name, study)
    assert figure.get_figwidth() == pytest.approx(plot.WIDTH_MM * plot.MM) and figure.get_figheight() <= 247 * plot.MM
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        figures.save(figure, source, folder, "x")
    for kind in ("pdf", "png", "csv"):
        assert (tmp_path / "a" / f"x.{kind}").read_bytes() == (tmp_path / "b" / f"x.{kind}").read_bytes()
    assert "".join(ax.get_title(loc="left") for ax in figure.axes) == LETTERS[name]
    assert len(source) > 5
    figure.draw_without_rendering()  # at the screen's resolution again
    for text in figure.findobj(lambda artist: hasattr(artist, "get_fontsize") and artist.get_visible() and artist.get_text()):
        assert text.get_fontsize() >= 7
    for ax in figure.axes:
        legend = ax.get_legend().get_texts() if ax.get_legend() else []
        for text in [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.texts, *legend]:
            box = text.get_window_extent()
            assert box.width == 0 or (box.x0 >= -2 and box.x1 <= figure.bbox.x1 + 2), text.get_text()
    for ax in figure.axes:
        if ax.axison:
            assert ax.get_xlabel()


def test_unknown_figure_is_refused(study):
    with pytest.raises(ValueError, match="name must be one of"):
        figures.draw("99", study)
