"""Claims: complete, the same in code and docs, counted right."""

import functools
import math

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn import claims, stats

# What was published (one network each), with the Cosyne abstract's numbers where they differ
PUBLISHED = {
    "correct": 0.855,
    "variance_pc12": 0.8874,
    "block_decoder_full": 0.826,
    "block_decoder_plane": 0.825,
    "angle_full": 72,
    "angle_plane": 66,
    "stimulus_slope_in_plane": 0.84,
    "block_slope_in_plane": 0.18,
    "slope_ratio_in_plane": 4.67,
    "radd.correct": 0.8687,
    "radd.correct_at_published_gain": 0.8687,
    "radd.A11": 0.54,
    "radd.A12": 0.31,
    "radd.A21": 0.19,
    "radd.A22": 0.84,
    "radd.B11": -0.20,
    "radd.B12": 0.20,
    "radd.B13": 0.005,
    "radd.B21": -0.04,
    "radd.B22": 0.04,
    "radd.B23": 0.02,
}
COSYNE = {
    "radd.A11": 0.59,
    "radd.A12": 0.28,
    "radd.A21": 0.18,
    "radd.A22": 0.90,
    "radd.B11": -0.19,
    "radd.B12": 0.19,
    "radd.B13": 0.005,
    "radd.B21": -0.04,
    "radd.B22": 0.04,
    "radd.B23": 0.019,
    "slope_ratio_in_plane": 4,
}


def test_every_published_number_is_there():
    assert PUBLISHED.items() <= claims.PUBLISHED.items() and COSYNE.items() <= claims.COSYNE.items()
    assert set(claims.PUBLISHED) - set(PUBLISHED) == {"block_decoder_full_by_step"}, (
        "the published split of the same number"
    )
    names = [claim.name for claim in claims.CLAIMS]
    assert len(set(names)) == len(names)
    assert {
        "told_weight_ratio",
        "belief_feedback_share",
        "correlation_between_populations_gained",
        "cliffs_delta",
        "from_scratch.below_radd",
    } <= set(names)


def test_a_published_number_meets_its_own_criterion():
    for claim in claims.CLAIMS:
        if claim.published is not None:
            assert claim.holds([claim.published]).all(), claim.name
            assert claim.low < claim.published < claim.high, claim.name


def test_every_claim_names_a_function_that_exists_and_a_measure(quick_study):
    """Of the networks, or of the controls.

    Networks that learned for 20 steps seldom act, so that nothing is told them.
    """
    measured = set(quick_study.wide) | set(quick_study.controls.measure)
    for claim in claims.CLAIMS:
        assert functools.reduce(getattr, claim.source.split("."), hrnn), claim.source
        assert claim.name in measured, claim.name
        assert claim.why


@pytest.mark.parametrize(
    "low, high, words, inside, outside",
    [
        (0.8, math.inf, "≥ 0.8", 0.8, 0.79),
        (-math.inf, 0.05, "≤ 0.05", 0.05, 0.051),
        (-1, 2, "−1 … 2", 2, 2.01),
    ],
)
def test_criteria_in_words_and_numbers(low, high, words, inside, outside):
    claim = claims.Claim("correct", "", None, low, high, "", "2")
    assert claim.criterion == words and claim.holds([inside, outside, np.nan]).tolist() == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.name)
def test_no_criterion_about_an_effect_is_met_by_none_or_by_the_opposite(claim):
    """Zero and the other sign meet only what says that there is (almost) no effect, or no gap."""
    absent = {
        "gap_to_published_actor",
        "gap_to_bound",
        "belief_feedback_share",
        "told_weight_ratio",
    }
    assert claim.holds([0.0])[0] == (claim.name in absent)
    if claim.published is not None:
        assert not claim.holds([-claim.published])[0]


def test_the_slopes_are_tested_as_numbers():
    by_name = {claim.name: claim for claim in claims.CLAIMS}
    assert by_name["stimulus_slope_in_plane"].holds([0.84, 0.892, 0.5, 1.2]).tolist() == [
        True,
        True,
        False,
        False,
    ]
    assert by_name["block_slope_in_plane"].holds([0.18, 0.155, 0.05, 0.3]).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_verdicts_count_networks_and_describe_what_is_defined():
    wide = pd.DataFrame({"correct": [0.85, 0.86, 0.70, np.nan], "angle_plane": [66.0] * 4})
    table = claims.verdicts(wide).set_index("name")
    row = table.loc["correct"]
    assert (row.k, row.of, row.n) == (2, 4, 3) and (row.least, row.most) == (0.70, 0.86)
    assert row.value == pytest.approx(np.mean([0.85, 0.86, 0.70])) and row.sd == pytest.approx(
        np.std([0.85, 0.86, 0.70], ddof=1)
    )
    assert (row.k_low, row.k_high) == (stats.wilson(2, 4).low, stats.wilson(2, 4).high)
    assert (table.loc["angle_full", ["k", "n"]] == 0).all() and len(table) == len(claims.CLAIMS)
    assert table.loc["angle_plane", "k"] == 4


def test_no_count_is_given_where_it_turns_on_the_sessions():
    """The gap to the published actor: .019 ± .003 in every network, an edge at .02."""
    gap = pd.DataFrame({"gap_to_published_actor": np.full(20, 0.019), "correct": np.full(20, 0.85)})
    row = claims.verdicts(gap, low=gap - 0.003, high=gap + 0.003).set_index("name")
    assert pd.isna(row.k["gap_to_published_actor"]) and np.isnan(
        row.k_low["gap_to_published_actor"]
    )
    assert (
        row.unsettled["gap_to_published_actor"] == 20
        and row.k["correct"] == 20
        and row.unsettled["correct"] == 0
    )
    assert (
        claims.counted(row.loc["gap_to_published_actor"])
        == "turns on the sessions (20 of 20 networks)"
    )
    assert claims.counted(row.loc["correct"]) == "20 of 20 networks"
    two = gap.copy()
    two.loc[2:, "gap_to_published_actor"] = 0.01
    assert (
        claims.verdicts(two, low=two - 0.003, high=two + 0.003)
        .set_index("name")
        .k["gap_to_published_actor"]
        == 20
    )


@pytest.mark.slow
def test_intervals_over_networks_cover_the_mean_of_a_known_distribution():
    """20 networks whose measures are normal, skewed, or fractions.

    95 % of the intervals hold the true mean.
    """
    rng = np.random.default_rng(0)
    draws = {
        "correct": (rng.normal(0.85, 0.01, (400, 20)), 0.85),
        "variance_pc12": (rng.beta(8, 1, (400, 20)), 8 / 9),
    }
    for name, (values, truth) in draws.items():
        rows = [
            claims.verdicts(pd.DataFrame({name: column})).set_index("name").loc[name]
            for column in values
        ]
        covered = np.mean([row.low <= truth <= row.high for row in rows])
        assert 0.91 <= covered <= 0.98, (name, covered)


def test_claims_are_public():
    assert hrnn.claims is claims
