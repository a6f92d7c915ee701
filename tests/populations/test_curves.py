"""Curves: the same points in every network, means of what all have, and what they are means of."""

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn.analysis.anatomy import Anatomy
from hrnn.populations import curves

TASK = hrnn.Task(threshold=0.6)
RUN = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), TASK.sample(n_sessions=90, rng=0))


@pytest.fixture(scope="module")
def anatomy():
    return Anatomy(RUN)


@pytest.mark.parametrize("name", curves.OF_RUN)
def test_curves_of_runs_have_all_columns_and_one_value_a_point(name):
    table = curves.OF_RUN[name](RUN)
    assert tuple(table.columns) == curves.COLUMNS and len(table)
    assert (
        not table.duplicated(["condition", "point"]).any()
        and np.isfinite(table.x.astype(float)).all()
    )


OF_ANATOMY = {
    name: function
    for functions in curves.OF_ANATOMY.values()
    for name, function in functions.items()
}


@pytest.mark.parametrize("name", OF_ANATOMY)
def test_curves_of_anatomies_have_all_columns_and_one_value_a_point(name, anatomy):
    table = OF_ANATOMY[name](anatomy)
    assert tuple(table.columns) == curves.COLUMNS
    repeated = ("eigenvalues",)  # of several fixed points
    assert name in repeated or not table.duplicated(["condition", "point"]).any()


def test_fractions_are_those_of_the_trials():
    trials = RUN.trials
    table = curves.concordance(RUN).set_index(["condition", "x"]).value
    part = trials[(trials.strength == 1.5) & ~trials.concordant]
    assert table["discordant", 1.5] == pytest.approx(part.correct.mean())
    table = curves.steps(RUN).set_index(["condition", "x"]).value
    part = trials[(trials.strength == 2) & trials.concordant & ~trials.correct]
    assert table["wrong, concordant", 2] == pytest.approx(part.n_steps.mean())


def test_points_are_the_same_thing_where_a_network_lacks_some():
    """Strengths keep their number when one does not occur among the wrong trials."""
    task = TASK.replace(threshold=0.95)
    table = curves.steps(hrnn.rollout(hrnn.BayesianActor(), task.sample(n_sessions=4, rng=2)))
    levels = sorted(TASK.strengths)
    assert (table.query("condition == 'wrong, discordant'").point.diff() > 1).any(), (
        "one is missing between others"
    )
    assert all(levels[int(row.point)] == row.x for row in table.itertuples())


def test_trials_since_a_change_are_pooled_in_bins():
    trials = RUN.trials
    later = trials[trials.block > trials.groupby("session").block.transform("min")]
    table = curves.after_change(RUN).query("condition == 'all strengths'").set_index("point")
    for point, first in enumerate(curves.CHANGE_BINS[:-1]):
        last = curves.CHANGE_BINS[point + 1] - 1
        inside = later[later.trial_in_block.between(first, last)]
        row = table.loc[point]
        assert (row.x, row.n) == ((first + last) / 2, len(inside))
        assert row.value == pytest.approx(inside.correct.mean())


def test_agreement_is_the_mean_belief_in_bins_of_the_observers(anatomy):
    table = curves.agreement(anatomy).query("condition == 'belief'")
    belief = anatomy.belief
    weights = table.n / table.n.sum()
    assert (table.x.diff()[1:] > 0).all()
    assert weights @ table.x == pytest.approx(belief.observer.mean())
    assert weights @ table.value == pytest.approx(belief.network.mean())


def test_bins_hold_equally_many_steps_and_their_means(anatomy):
    table = curves.movement(anatomy).query("condition == 'stimulus_in_plane, evidence'")
    observed = RUN.step >= TASK.n_blank
    assert table.n.sum() == observed.sum() and np.ptp(table.n) <= 2 and len(table) == curves.N_BINS
    moved = hrnn.integration.movement(RUN, anatomy.readouts["stimulus_in_plane"])[observed]
    assert np.average(table.value, weights=table.n) == pytest.approx(moved.mean())


def test_weights_have_density_one(anatomy):
    for _, part in curves.weights(anatomy).groupby("condition"):
        width = part.x.iloc[1] - part.x.iloc[0]
        assert (part.value * width).sum() == pytest.approx(1)


def test_the_mean_is_of_points_that_all_have():
    one = pd.DataFrame(
        {"condition": "a", "point": [0, 1], "x": [0.0, 1], "value": [1.0, 2]}
    ).reindex(columns=curves.COLUMNS)
    two = pd.DataFrame(
        {"condition": "a", "point": [1, 2], "x": [3.0, 4], "value": [4.0, 5]}
    ).reindex(columns=curves.COLUMNS)
    found = curves.mean([one, two])
    assert found[["condition", "point", "x", "value", "n"]].to_numpy().tolist() == [
        ["a", 1, 2.0, 3.0, 2]
    ]
    assert found.low[0] <= 3 <= found.high[0]
    assert curves.mean([]).empty and curves.mean([one, two.assign(condition="b")]).empty
