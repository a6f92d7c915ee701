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


# (block_law, block_hazard, block_min, block_max, p_block)
LAWS = [
    ("geometric", 0.3, 2, 4, 0.8),
    ("exponential", 0.5, 1, 5, 0.7),
    ("geometric", 0.2, 3, 3, 0.9),
    ("geometric", 0.2, 1, 6, 1.0),
]


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_semi_markov_equals_enumeration_for_every_law(law):
    """Sides are known and unknown; where p_block is 1, only those that can be."""
    names = ("block_law", "block_hazard", "block_min", "block_max", "p_block")
    task = hrnn.Task(**dict(zip(names, law, strict=True)))
    side, log_l = one_session(8, np.random.default_rng(6), 0.5)
    if task.p_block == 1:
        side = np.where(side, 1, 0)
    prior, block = filter_sides(side, np.zeros(8), np.ones(8), task=task, log_likelihood=log_l)
    twin = reference.brute_force(side, log_l, task.block_length_pmf(), task.p_block)
    np.testing.assert_allclose(prior, twin[0], atol=1e-13)
    np.testing.assert_allclose(block, twin[1], atol=1e-13)


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
    task = hrnn.Task()
    rng = np.random.default_rng(1)
    side, log_l = one_session(900, rng, 0.2)
    block_side = np.r_[np.zeros(n_unbiased), np.ones(900 - n_unbiased)]
    prior, _ = filter_sides(
        np.tile(side, 2),
        np.repeat([0, 1], 900),
        np.tile(block_side, 2),
        task=task,
        block_model=model,
        log_likelihood=np.tile(log_l, (2, 1)),
    )
    pmf = task.block_length_pmf()
    twin = {
        "semi_markov": lambda: reference.semi_markov(side, log_l, pmf, 0.8, n_unbiased)[0],
        "markov": lambda: reference.markov(side, log_l, 0.02, 0.8, n_unbiased)[0],
        "exponential": lambda: reference.exponential(side, 0.1),
    }[model]()
    np.testing.assert_allclose(prior[:900], twin, atol=1e-12)
    np.testing.assert_array_equal(prior[900:], prior[:900])


@pytest.mark.parametrize("model", ["semi_markov", "markov"])
def test_flat_evidence_leaves_the_block_posterior_to_the_transition(model):
    """A trial that told nothing changes the prior only by the hazard, here by nothing.

    Blocks cannot end yet.
    """
    task = hrnn.Task(block_min=50)
    side = np.r_[np.ones(5), np.zeros(4)]
    prior, block = filter_sides(
        side,
        np.zeros(9),
        np.ones(9),
        task=task,
        block_model=model,
        hazard=0.0,
        log_likelihood=np.full((9, 2), -3.0),
    )
    np.testing.assert_allclose(block[5:], block[5], atol=1e-15)
    assert prior[5] > 0.7


@pytest.mark.parametrize("model", ["semi_markov", "markov"])
def test_a_common_factor_of_the_likelihoods_changes_nothing(model):
    side, log_l = one_session(60, np.random.default_rng(2), 0.7)
    shifted = log_l + np.random.default_rng(3).uniform(-900, 900, (60, 1))
    one, other = (
        filter_sides(
            side, np.zeros(60), np.ones(60), task=SHORT, block_model=model, log_likelihood=x
        )
        for x in (log_l, shifted)
    )
    np.testing.assert_allclose(one, other, atol=1e-11)


@pytest.mark.parametrize("model", ["semi_markov", "markov", "none"])
def test_an_unbiased_start_is_even_and_teaches_nothing(model):
    """After the unbiased start, whose block sides are 0, a session is as one that starts there."""
    biased = np.random.default_rng(0).choice([-1, 1], 60)
    side = np.r_[np.ones(9), biased]
    block_side = np.r_[np.zeros(9), np.ones(60)]
    prior, block = filter_sides(side, np.zeros(69), block_side, task=SHORT, block_model=model)
    late = filter_sides(side[9:], np.zeros(60), block_side[9:], task=SHORT, block_model=model)
    assert (prior[:10] == 0.5).all()
    assert (block[:10] == 0.5).all()
    np.testing.assert_array_equal([prior[9:], block[9:]], late)


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
@pytest.mark.parametrize(
    "model", ["semi_markov", "markov", "none", "oracle", "exponential", "published_observer"]
)
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
        prior, _ = filter_sides(
            sessions.side,
            sessions.session,
            sessions.block_side,
            task=sessions.task,
            block_model=model,
        )
        scores[model] = np.log(np.where(right, prior, 1 - prior)).mean()
        if model == "semi_markov":
            assert (
                abs(
                    (right - prior).mean()
                    / (prior.std() / np.sqrt(len(prior)) + 0.5 / np.sqrt(len(prior)))
                )
                < 4
            )
    assert scores["semi_markov"] > scores["markov"] > scores["exponential"]


def test_agents_equal_their_twins_after_an_unbiased_start():
    task = hrnn.Task.preset("ibl").replace(n_blocks=2, n_unbiased=12, n_obs_max=4)
    sessions = task.sample(n_sessions=2, rng=8)
    assert (sessions.block_side == 0).sum() == 24
    for model in ("semi_markov", "markov", "none", "oracle"):
        run = hrnn.rollout(hrnn.BayesianActor(model, hazard=0.05), sessions)
        twin = reference.actor(task, sessions, model, "both", hazard=0.05)
        np.testing.assert_array_equal(run.choice, twin["choice"])
        np.testing.assert_allclose(run.p_right, twin["p_right"], atol=1e-12)
        seen = hrnn.observe(run, block_model=model)
        twin = reference.observer(task, sessions, run.choice, run.n_obs, model, "both")
        np.testing.assert_allclose(seen.prior, twin["prior"], atol=1e-12)
        np.testing.assert_allclose(seen.p_block, twin["p_block"], atol=1e-12)


@pytest.mark.parametrize(
    "agent", [hrnn.BayesianActor(), hrnn.BayesianActor("markov"), hrnn.OptimalPolicy()], ids=repr
)
@pytest.mark.parametrize("trials_per_call", [1, 7, 400])
def test_many_calls_equal_one(agent, trials_per_call, monkeypatch):
    sessions = hrnn.Task(n_unbiased=5).sample(n_sessions=3, rng=0)

    def everything():
        run = hrnn.rollout(agent, sessions)
        seen = hrnn.observe(run)
        told = filter_sides(
            sessions.side, sessions.session, sessions.block_side, task=sessions.task
        )
        return (
            run.choice,
            run.n_obs,
            run.prior,
            run.p_right,
            seen.prior,
            seen.block,
            seen.p_right,
            seen.p_block,
            *told,
        )

    once = everything()
    monkeypatch.setattr(sys.modules["hrnn.inference"], "TRIALS_PER_CALL", trials_per_call)
    for one, many in zip(once, everything(), strict=True):
        np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize("evidence", ["both", "difference"])
def test_accuracy_bound_equals_its_definition(evidence):
    task = hrnn.Task(n_blocks=2, noise_sd=1.4, strength_weights=(1, 0, 2, 3, 1, 1))
    sessions = task.sample(n_sessions=3, rng=3)
    world = (task.strengths, task.strength_weights, task.noise_sd)
    log_l = np.stack(
        reference.log_evidence(*sessions.observations.sum(1).T, task.n_obs_max, *world, evidence),
        axis=1,
    )
    right = []
    for first, last in zip(sessions.offsets[:-1], sessions.offsets[1:], strict=True):
        side = sessions.side[first:last]
        prior, _ = reference.semi_markov(
            side, log_l[first:last], task.block_length_pmf(), task.p_block, 0
        )
        log_odds = np.log(prior / (1 - prior)) + log_l[first:last, 1] - log_l[first:last, 0]
        right.append(np.sign(log_odds) == side)
    bound = accuracy_bound(sessions, evidence=evidence)
    np.testing.assert_array_equal(bound, np.concatenate(right))
    assert bound.dtype == bool and 0.7 < bound.mean() < 1


def test_accuracy_bound_is_the_exact_posterior_after_all_observations():
    sessions = hrnn.Task().sample(n_sessions=20, rng=2)
    never = hrnn.rollout(hrnn.BayesianActor(threshold=0.999999999), sessions)
    timeouts = never.choice == 0
    last = np.where(never.trials.p_right > 0.5, 1, -1) == sessions.side
    prior, _ = filter_sides(
        sessions.side, sessions.session, sessions.block_side, task=sessions.task
    )
    same = timeouts & np.isclose(never.prior, prior)
    np.testing.assert_array_equal(accuracy_bound(sessions)[same], last[same])
    assert same.sum() > 50


ASSUMED = [
    dict(threshold=0.6),
    dict(p_block=0.95),
    dict(noise_sd=0.5),
    dict(strengths=(0.5, 3.0)),
    dict(strength_weights=(5, 1, 1, 1, 1, 0)),
    dict(block_law="exponential", block_hazard=0.1, block_min=5, block_max=30),
]


@pytest.mark.parametrize("assumed", ASSUMED, ids=str)
def test_what_an_agent_assumes_changes_only_its_beliefs(assumed):
    task = hrnn.Task(n_blocks=2)
    sessions = task.sample(n_sessions=2, rng=0)
    run = hrnn.rollout(hrnn.BayesianActor(**assumed), sessions)
    twin = reference.actor(task.replace(**assumed), sessions, "semi_markov", "both")
    np.testing.assert_array_equal(run.choice, twin["choice"])
    np.testing.assert_allclose(run.p_right, twin["p_right"], atol=1e-12)
    assert run.sessions.task == task
    own = hrnn.rollout(hrnn.BayesianActor(), sessions)
    assert len(own.p_right) != len(run.p_right) or (own.p_right != run.p_right).any()
    seen = hrnn.observe(own, **assumed)
    twin = reference.observer(
        task.replace(**assumed), sessions, own.choice, own.n_obs, "semi_markov", "both"
    )
    np.testing.assert_allclose(seen.prior, twin["prior"], atol=1e-12)
    np.testing.assert_allclose(seen.p_block, twin["p_block"], atol=1e-12)


def test_hazard_and_learning_rate_reach_actor_and_filter():
    task = hrnn.Task(n_blocks=2)
    sessions = task.sample(n_sessions=1, rng=0)
    for model, number in (("markov", dict(hazard=0.1)), ("exponential", dict(learning_rate=0.4))):
        twin = reference.actor(task, sessions, model, "both", **number)
        np.testing.assert_allclose(
            hrnn.rollout(hrnn.BayesianActor(model, **number), sessions).p_right,
            twin["p_right"],
            atol=1e-12,
        )
    told = sessions.side, sessions.session, sessions.block_side
    prior, block = filter_sides(*told, task=task, block_model="exponential", learning_rate=0.4)
    np.testing.assert_allclose(prior, reference.exponential(sessions.side, 0.4), atol=1e-13)
    assert np.isnan(block).all()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(block_model="bayes"), "block_model"),
        (dict(evidence="sum"), "evidence"),
        (dict(hazard=2), "hazard"),
        (dict(learning_rate="x"), "learning_rate"),
        (dict(threshold=2), "threshold"),
        (dict(n_blank=3), "n_blank"),
        (dict(block_model="published_observer"), "block_model"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        hrnn.BayesianActor(**arguments)


FILTER = dict(side=[1, 0, -1], session=[0, 0, 0], block_side=[1, 1, 1], task=hrnn.Task())


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(side=[1, np.nan, 1]), "side must be finite"),
        (dict(side=["left"] * 3), "side must be an array"),
        (dict(side=[]), "side must be"),
        (dict(side=[[1, 0, -1]]), "side must be"),
        (dict(side=[1, 0]), "session must have"),
        (dict(side=np.ma.array([1, 0, -1], mask=[1, 0, 0])), "side must be"),
        (dict(session=[0, 0]), "session must have"),
        (dict(block_side=[0, 0]), "block_side must have"),
        (dict(log_likelihood=np.zeros((3, 3))), "log_likelihood.shape"),
        (dict(log_likelihood=np.zeros((2, 2))), "log_likelihood.shape"),
        (dict(log_likelihood=np.full((3, 2), np.inf)), "log_likelihood must be finite"),
        (dict(block_model="x"), "block_model"),
        (dict(hazard=np.nan), "hazard"),
        (dict(learning_rate=-0.1), "learning_rate"),
    ],
)
def test_bad_arguments_of_the_filter_are_named(change, message):
    arguments = FILTER | change
    with pytest.raises((TypeError, ValueError), match=message):
        filter_sides(
            arguments.pop("side"),
            arguments.pop("session"),
            arguments.pop("block_side"),
            **arguments,
        )


def test_bad_arguments_of_observers_are_named():
    run = hrnn.rollout(hrnn.BayesianActor("none"), hrnn.Task().sample(n_blocks=1, rng=0))
    for call, message in [
        (lambda: hrnn.observe(run.sessions), "run must be a Rollout"),
        (lambda: hrnn.observe(run, evidence="sum"), "evidence"),
        (lambda: hrnn.observe(run, block_model="published_actor"), "block_model"),
        (lambda: hrnn.observe(run, n_obs_max=3), "n_obs_max"),
        (lambda: accuracy_bound(run), "sessions must be Sessions"),
        (lambda: accuracy_bound(run.sessions, evidence="sum"), "evidence"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message):
            call()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"side": [1, 2, 0]}, r"side\[1\] is 2"),
        ({"side": [1, 0.5, 0]}, r"side\[1\]"),
        ({"side": [300, 1, 1]}, r"side\[0\]"),
        ({"block_side": [1, 1, 5]}, r"block_side\[2\]"),
        ({"session": [0, 0.2, 0.9]}, r"session\[1\]"),
        ({"task": 3}, "task"),
    ],
)
def test_filter_refuses_what_it_would_have_to_convert(changes, message):
    arguments = {
        "side": [1, 1, 0],
        "session": [0, 0, 0],
        "block_side": [1, 1, 1],
        "task": hrnn.Task(),
    } | changes
    with pytest.raises((TypeError, ValueError), match=message):
        filter_sides(**arguments)


def test_certain_sides_give_no_nan():
    task = hrnn.Task(p_block=1.0)
    sessions = task.sample(n_sessions=2, rng=0)
    run = hrnn.rollout(hrnn.BayesianActor(), sessions)
    for model in ("semi_markov", "published_observer"):
        seen = hrnn.observe(run, block_model=model)
        assert np.isfinite(seen.prior).all() and np.isfinite(seen.p_block).all()
    assert accuracy_bound(sessions).mean() > 0.9
    with pytest.raises(ValueError, match="impossible"):
        filter_sides([1, -1, 1, 1], np.zeros(4), np.ones(4), task=task)
