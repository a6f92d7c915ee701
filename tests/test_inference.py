"""Filters, actors and observers against enumeration and the slow twin."""

import sys

import numpy as np
import pytest
import reference

import hrnn
from hrnn.inference import accuracy_bound, filter_sides

MODELS = ("semi_markov", "markov", "none", "oracle", "exponential", "published_actor")
SHORT = hrnn.Task(block_min=2, block_max=4, block_hazard=0.3, n_blocks=3)


def one_session(n, rng, unknown=0.3):
    side = rng.choice([-1, 1], n)
    side[rng.random(n) < unknown] = 0
    return side, rng.normal(size=(n, 2))


@pytest.mark.parametrize("seed", range(5))
def test_semi_markov_equals_enumeration_of_block_paths(seed):
    side, log_l = one_session(9, np.random.default_rng(seed))
    prior, block = filter_sides(side, np.zeros(9), np.ones(9), task=SHORT, log_likelihood=log_l)
    twin = reference.brute_force(side, log_l, SHORT.block_length_pmf(), SHORT.p_block)
    np.testing.assert_allclose(prior, twin[0], atol=1e-13)
    np.testing.assert_allclose(block, twin[1], atol=1e-13)


@pytest.mark.parametrize("n_unbiased", [0, 7])
@pytest.mark.parametrize("model", ["semi_markov", "markov", "exponential"])
def test_filter_equals_its_twin_over_long_sessions(model, n_unbiased):
    task, rng = hrnn.Task(), np.random.default_rng(1)
    side, log_l = one_session(900, rng, 0.2)
    block_side = np.r_[np.zeros(n_unbiased), np.ones(900 - n_unbiased)]
    prior, _ = filter_sides(np.tile(side, 2), np.repeat([0, 1], 900), np.tile(block_side, 2), task=task, block_model=model,
                            log_likelihood=np.tile(log_l, (2, 1)))
    pmf = task.block_length_pmf()
    twin = {"semi_markov": lambda: reference.semi_markov(side, log_l, pmf, 0.8, n_unbiased)[0],
            "markov": lambda: reference.markov(side, log_l, 0.02, 0.8, n_unbiased)[0],
            "exponential": lambda: reference.exponential(side, 0.1)}[model]()
    np.testing.assert_allclose(prior[:900], twin, atol=1e-12)
    np.testing.assert_array_equal(prior[900:], prior[:900])


@pytest.mark.parametrize("model", ["semi_markov", "markov"])
def test_flat_evidence_leaves_the_block_posterior_to_the_transition(model):
    """A trial that told nothing must change the prior only by the hazard: here none, as blocks cannot end yet."""
    task = hrnn.Task(block_min=50)
    side = np.r_[np.ones(5), np.zeros(4)]
    prior, block = filter_sides(side, np.zeros(9), np.ones(9), task=task, block_model=model, hazard=0.0,
                                log_likelihood=np.full((9, 2), -3.0))
    np.testing.assert_allclose(block[5:], block[5], atol=1e-15)
    assert prior[5] > 0.7


@pytest.mark.parametrize("evidence", ["both", "difference"])
@pytest.mark.parametrize("model", MODELS)
def test_actor_equals_its_twin(model, evidence):
    task = hrnn.Task(n_blocks=2, noise_sd=1.3, strength_weights=(1, 2, 3, 1, 2, 0))
    sessions = task.sample(n_sessions=2, rng=4)
    run = hrnn.rollout(hrnn.BayesianActor(model, evidence=evidence), sessions)
    twin = reference.actor(task, sessions, model, evidence)
    for name in ("choice", "n_obs"):
        np.testing.assert_array_equal(getattr(run, name), twin[name])
    np.testing.assert_allclose(run.prior, twin["prior"], atol=1e-12)
    np.testing.assert_allclose(run.p_right, twin["p_right"], atol=1e-12)
    np.testing.assert_allclose(run.trials.reward, twin["reward"], atol=1e-12)
    assert (run.choice == 0).any()


@pytest.mark.parametrize("evidence", ["both", "difference"])
@pytest.mark.parametrize("model", ["semi_markov", "markov", "none", "oracle", "exponential", "published_observer"])
def test_observer_equals_its_twin(model, evidence):
    task = hrnn.Task(n_blocks=2)
    run = hrnn.rollout(hrnn.BayesianActor("none"), task.sample(n_sessions=2, rng=4))
    seen = hrnn.observe(run, block_model=model, evidence=evidence)
    twin = reference.observer(task, run.sessions, run.choice, run.n_obs, model, evidence)
    for name in ("prior", "block", "p_right", "p_block"):
        np.testing.assert_allclose(getattr(seen, name), twin[name], atol=1e-12, err_msg=name)


def test_the_exact_prior_is_calibrated_and_beats_the_others():
    sessions = hrnn.Task(n_blocks=400).sample(n_sessions=2, rng=0)
    right = sessions.side > 0
    scores = {}
    for model in ("semi_markov", "markov", "exponential"):
        prior, _ = filter_sides(sessions.side, sessions.session, sessions.block_side, task=sessions.task, block_model=model)
        scores[model] = np.log(np.where(right, prior, 1 - prior)).mean()
        if model == "semi_markov":
            assert abs((right - prior).mean() / (prior.std() / np.sqrt(len(prior)) + 0.5 / np.sqrt(len(prior)))) < 4
    assert scores["semi_markov"] > scores["markov"] > scores["exponential"]


def test_many_calls_equal_one(monkeypatch):
    sessions = hrnn.Task(n_blocks=20).sample(n_sessions=3, rng=0)
    run, seen = hrnn.rollout(hrnn.BayesianActor(), sessions), None
    seen = hrnn.observe(run)
    monkeypatch.setattr(sys.modules["hrnn.inference"], "TRIALS_PER_CALL", 7)
    again = hrnn.rollout(hrnn.BayesianActor(), sessions)
    np.testing.assert_array_equal(run.p_right, again.p_right)
    np.testing.assert_array_equal(seen.p_block, hrnn.observe(again).p_block)


def test_accuracy_bound_is_the_exact_posterior_after_all_observations():
    sessions = hrnn.Task().sample(n_sessions=20, rng=2)
    never = hrnn.rollout(hrnn.BayesianActor(threshold=0.999999999), sessions)
    timeouts = never.choice == 0
    last = np.where(never.trials.p_right > 0.5, 1, -1) == sessions.side
    prior, _ = filter_sides(sessions.side, sessions.session, sessions.block_side, task=sessions.task)
    same = timeouts & np.isclose(never.prior, prior)
    np.testing.assert_array_equal(accuracy_bound(sessions)[same], last[same])
    assert same.sum() > 50


def test_what_an_agent_assumes_changes_only_its_beliefs():
    sessions = hrnn.Task().sample(n_sessions=4, rng=0)
    eager = hrnn.rollout(hrnn.BayesianActor(threshold=0.6), sessions)
    own = hrnn.rollout(hrnn.BayesianActor(), sessions.task.replace(threshold=0.6).sample(n_sessions=4, rng=0))
    np.testing.assert_array_equal(eager.choice, own.choice)


@pytest.mark.parametrize("arguments, message", [
    (dict(block_model="bayes"), "block_model"), (dict(evidence="sum"), "evidence"), (dict(hazard=2), "hazard"),
    (dict(learning_rate="x"), "learning_rate"), (dict(threshold=2), "threshold"), (dict(n_blank=3), "n_blank"),
    (dict(block_model="published_observer"), "block_model"),
])
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        hrnn.BayesianActor(**arguments)
