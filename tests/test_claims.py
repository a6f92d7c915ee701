"""Claims: complete, the same in code and docs, counted right."""

import importlib
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn import claims, stats

DOCS = Path(__file__).parents[1] / "docs" / "claims.md"
# What was published (one network each), with the Cosyne abstract's numbers where they differ
PUBLISHED = {
    "correct": 0.855, "variance_pc12": 0.8874, "block_decoder_full": 0.826, "block_decoder_plane": 0.825, "angle_full": 72,
    "angle_plane": 66, "stimulus_slope": 0.84, "block_slope_in_plane": 0.18, "slope_ratio_in_plane": 4.67,
    "radd.correct": 0.8687,
    "radd.A11": 0.54, "radd.A12": 0.31, "radd.A21": 0.19, "radd.A22": 0.84, "radd.B11": -0.20, "radd.B12": 0.20, "radd.B13": 0.005,
    "radd.B21": -0.04, "radd.B22": 0.04, "radd.B23": 0.02,
}
COSYNE = {"radd.A11": 0.59, "radd.A12": 0.28, "radd.A21": 0.18, "radd.A22": 0.90, "radd.B11": -0.19, "radd.B12": 0.19, "radd.B13": 0.005,
          "radd.B21": -0.04, "radd.B22": 0.04, "radd.B23": 0.019, "stimulus_slope": 0.15, "block_slope_in_plane": 0.04,
          "slope_ratio_in_plane": 4}


def test_every_published_number_is_there():
    assert PUBLISHED.items() <= claims.PUBLISHED.items() and COSYNE.items() <= claims.COSYNE.items()
    assert set(claims.PUBLISHED) - set(PUBLISHED) == {"block_decoder_full_by_step"}, "the published split of the same number"
    names = [claim.name for claim in claims.CLAIMS]
    assert len(set(names)) == len(names)
    assert {"stimulus_feedback_slope", "belief_feedback_share", "correlation_between_populations", "cliffs_delta"} <= set(names)


def test_a_published_number_meets_its_own_criterion():
    for claim in claims.CLAIMS:
        if claim.published is not None:
            assert claim.holds([claim.published]).all(), claim.name
            assert claim.low < claim.published < claim.high, claim.name


def test_every_claim_names_a_function_that_exists_and_a_measure_of_the_networks(quick_study):
    for claim in claims.CLAIMS:
        module, _, name = claim.source.rpartition(".")
        found = importlib.import_module(f"hrnn.{module}")
        assert hasattr(found, name) or importlib.import_module(f"hrnn.{claim.source}"), claim.source
        assert claim.name in quick_study.wide, claim.name


@pytest.mark.parametrize("low, high, words, inside, outside", [
    (0, math.inf, "> 0", 1e-9, 0), (0.8, math.inf, "≥ 0.8", 0.8, 0.79), (-math.inf, 0.05, "≤ 0.05", 0.05, 0.051),
    (-1, 2, "−1 … 2", 2, 2.01),
])
def test_criteria_in_words_and_numbers(low, high, words, inside, outside):
    claim = claims.Claim("x", "", "", None, low, high, "2", "")
    assert claim.criterion == words and claim.holds([inside, outside, np.nan]).tolist() == [True, False, False]


def test_verdicts_count_networks_and_describe_what_is_defined():
    wide = pd.DataFrame({"correct": [0.85, 0.86, 0.70, np.nan], "angle_plane": [66.0] * 4})
    table = claims.verdicts(wide).set_index("name")
    row = table.loc["correct"]
    assert (row.k, row.of, row.n) == (2, 4, 3) and (row.least, row.most) == (0.70, 0.86)
    assert row.value == pytest.approx(np.mean([0.85, 0.86, 0.70])) and row.sd == pytest.approx(np.std([0.85, 0.86, 0.70], ddof=1))
    assert (row.k_low, row.k_high) == (stats.wilson(2, 4).low, stats.wilson(2, 4).high)
    assert (table.loc["angle_full", ["k", "n"]] == 0).all() and len(table) == len(claims.CLAIMS)
    assert table.loc["angle_plane", "k"] == 4


@pytest.mark.slow
def test_intervals_over_networks_cover_the_mean_of_a_known_distribution():
    """20 networks whose measures are normal, skewed, or fractions: 95 % of the intervals hold the true mean."""
    rng = np.random.default_rng(0)
    draws = {"correct": (rng.normal(0.85, 0.01, (400, 20)), 0.85), "variance_pc12": (rng.beta(8, 1, (400, 20)), 8 / 9)}
    for name, (values, truth) in draws.items():
        rows = [claims.verdicts(pd.DataFrame({name: column})).set_index("name").loc[name] for column in values]
        covered = np.mean([row.low <= truth <= row.high for row in rows])
        assert 0.91 <= covered <= 0.98, (name, covered)


def test_the_docs_list_the_same_claims():
    """Name, published number and criterion of every row, in order."""
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \| (.*?) \| (.*?) \|", DOCS.read_text(), re.M)
    wanted = [(c.name, c.text, "–" if c.published is None else f"{c.published:.3g}".replace("-", "−"), c.criterion) for c in claims.CLAIMS]
    assert rows == wanted


def test_claims_are_public():
    assert hrnn.claims is claims
