"""Controls: what they are, and that every claim fails on some of them."""

import numpy as np
import pytest

import hrnn
from hrnn import claims
from hrnn.populations import controls


def test_a_shuffled_network_keeps_its_weights_and_loses_their_places():
    net = hrnn.Network.init("tanh", n_hidden=12, rng=0)
    other = controls.shuffled(net, rng=0)
    np.testing.assert_array_equal(np.sort(other.W, axis=None), np.sort(net.W, axis=None))
    assert (other.W != net.W).mean() > 0.9
    for name in ("U", "b", "V", "c"):
        np.testing.assert_array_equal(getattr(other, name), getattr(net, name))


def test_the_observers_readout_is_its_posterior():
    run = controls.observer(hrnn.Task().sample(n_sessions=3, rng=0))
    seen = hrnn.observe(run)
    net = run.agent
    logits = run.hidden @ net.V.T + net.c
    np.testing.assert_allclose(
        1 / (1 + np.exp(logits[:, 0] - logits[:, 1])), seen.p_right, atol=1e-12
    )
    np.testing.assert_allclose(1 / (1 + np.exp(-2 * run.hidden[:, 1])), seen.p_block, atol=1e-12)
    np.testing.assert_array_equal(
        run.choice, hrnn.rollout(hrnn.BayesianActor(), run.sessions).choice
    )


def test_the_observer_meets_what_an_ideal_agent_should(quick_study):
    """Its belief is the observer's, its start the prior.

    It learns from feedback, so that a claim of no effect fails on it.
    """
    one = controls.measures("observer", quick_study.population.members[0], n_blocks=120)
    assert one["belief_correlation"] == pytest.approx(1, abs=0.01)
    assert one["coupling_start_per_prior"] == pytest.approx(1, abs=0.15)
    assert one["told_weight_ratio"] > 0.5 and one["belief_feedback_share"] > 0.05
    assert one["variance_pc12"] == pytest.approx(1)
    again = controls.measures("observer", quick_study.population.members[0], n_blocks=120)
    assert one == again
    assert one != controls.measures(
        "observer", quick_study.population.members[0], index=1, n_blocks=120
    )


def test_one_row_for_every_control_and_measure(quick_study):
    table = quick_study.controls
    assert (
        set(table.control) == set(controls.CONTROLS)
        and not table.duplicated(["control", "index", "measure"]).any()
    )
    verdicts = controls.verdicts(table)
    assert verdicts.name.tolist() == [claim.name for claim in claims.CLAIMS]
    untrained = table[(table.control == "untrained") & (table.measure == "correct")].value
    assert verdicts.set_index("name").untrained["correct"] == pytest.approx(untrained.mean())


@pytest.mark.slow
def test_every_claim_fails_on_all_controls_of_some_kind(tmp_path):
    """With a network that learned: otherwise a shuffled one is an untrained one."""
    recipe = hrnn.Recipe(optimizer="adam", n_sessions=4, n_steps=400)
    found = hrnn.population(
        tmp_path, n_networks=2, recipe=recipe, parts=[], n_blocks=40, progress=False
    )
    verdicts = controls.verdicts(controls.table(found, n_each=2, n_threads=2))
    assert (verdicts.failed_by != "").all(), verdicts[verdicts.failed_by == ""].to_string()


def test_a_kind_that_is_none_is_refused(quick_study):
    with pytest.raises(ValueError, match="kind must be one of"):
        controls.measures("trained", quick_study.population.members[0])
