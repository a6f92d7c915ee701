"""Optimal stopping against quadrature, against simulation, and against every constant threshold."""

import numpy as np
import pytest
import reference

import hrnn
from hrnn import _core, behavior


def value_at(task, prior, rho, evidence):
    solution = hrnn.OptimalPolicy(evidence=evidence).solution(task)
    scratch = np.empty(_core.policy_scratch(task._tuple, solution.grid))
    return _core.policy_solve(task._tuple, solution.form, solution.grid, prior, rho, np.empty_like(solution.wait[0]), scratch)


@pytest.mark.parametrize("evidence, n_nodes", [("both", 24), ("difference", 100)])
@pytest.mark.parametrize("n_obs_max, strengths", [(1, (0.0, 1.0, 2.5)), (2, (0.0, 1.0, 2.5)), (2, (0.3, 1.1))])
def test_value_equals_quadrature_over_observations(evidence, n_nodes, n_obs_max, strengths):
    task = hrnn.Task(n_obs_max=n_obs_max, strengths=strengths)
    for prior in (0.65, 0.8):
        for rho in (0.0, 0.1):
            twin = reference.optimal_value(task, prior, rho, n_nodes, evidence)
            assert value_at(task, prior, rho, evidence) == pytest.approx(twin, abs=3e-3)


def realised(run, criterion, blocks_per_unit=20):
    """Value and standard error, by groups of blocks."""
    trials = run.trials
    unit = (trials.session * run.sessions.task.n_blocks + trials.block) // blocks_per_unit
    sums = trials.assign(one=1.0).groupby(unit)[["reward", "one", "n_steps"]].sum()
    size = sums["one" if criterion == "reward_per_trial" else "n_steps"]
    value = sums.reward.sum() / size.sum()
    return value, np.sqrt(((sums.reward - value * size) ** 2).sum()) / size.sum()


@pytest.mark.parametrize("evidence", ["both", "difference"])
@pytest.mark.parametrize("criterion", ["reward_per_trial", "reward_per_step"])
def test_it_earns_what_the_dynamic_programme_promises(criterion, evidence):
    """In long sessions: the filter does not expect a session to end with its last block."""
    task = hrnn.Task(n_blocks=400)
    policy = hrnn.OptimalPolicy(criterion, evidence=evidence)
    value, error = realised(hrnn.rollout(policy, task.sample(n_blocks=4000, rng=5)), criterion)
    assert abs(value - policy.solution(task).value) < 4 * error
    assert error < 0.005


@pytest.mark.parametrize("criterion", ["reward_per_trial", "reward_per_step"])
def test_no_constant_threshold_earns_more(criterion):
    sessions = hrnn.Task().sample(n_blocks=600, rng=2)
    optimal = hrnn.rollout(hrnn.OptimalPolicy(criterion), sessions)
    for evidence in ("both", "difference"):
        for threshold in (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9):
            actor = hrnn.rollout(hrnn.BayesianActor(evidence=evidence, threshold=threshold), sessions)
            assert behavior.regret(actor, optimal, criterion=criterion).value > 0


def test_both_observations_earn_more_than_their_difference():
    sessions = hrnn.Task().sample(n_blocks=600, rng=2)
    both, difference = (hrnn.rollout(hrnn.OptimalPolicy(evidence=e), sessions) for e in ("both", "difference"))
    assert behavior.regret(difference, both).low > 0


def test_it_always_acts_and_waits_longer_where_waiting_costs_less():
    steps = []
    for penalty in (-5.0, -0.2, -0.05, 0.0):
        task = hrnn.Task(wait_penalty=penalty)
        trials = hrnn.rollout(hrnn.OptimalPolicy(), task.sample(n_sessions=20, rng=1)).trials
        assert not trials.timeout.any()
        steps.append(trials.n_obs.mean())
    assert steps == sorted(steps) and steps[0] == 1


def test_mirrored_sessions_give_mirrored_choices():
    import dataclasses

    s = hrnn.Task().sample(n_sessions=10, rng=1)
    mirrored = dataclasses.replace(s, side=-s.side, block_side=-s.block_side, observations=np.ascontiguousarray(s.observations[:, :, ::-1]))
    for evidence in ("both", "difference"):
        a, b = (hrnn.rollout(hrnn.OptimalPolicy(evidence=evidence), x) for x in (s, mirrored))
        np.testing.assert_array_equal(a.choice, -b.choice)
        np.testing.assert_array_equal(a.n_obs, b.n_obs)


@pytest.mark.parametrize("make, message", [
    (lambda: hrnn.OptimalPolicy("reward"), "criterion"), (lambda: hrnn.OptimalPolicy(evidence="x"), "evidence"),
    (lambda: hrnn.OptimalPolicy().solution(3), "task"),
    (lambda: hrnn.OptimalPolicy().solution(hrnn.Task(strengths=(40.0,))), "strengths"),
    (lambda: hrnn.OptimalPolicy().solution(hrnn.Task(p_block=1.0)), "p_block"),
])
def test_bad_arguments_are_named(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()
