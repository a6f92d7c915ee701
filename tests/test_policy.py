"""Optimal stopping against quadrature, against simulation, and against every constant threshold."""

import numpy as np
import pytest
import reference

import hrnn
from hrnn import _core, behavior


def value_at(task, prior, rho, evidence):
    solution = hrnn.OptimalPolicy(evidence=evidence).solution(task)
    scratch = np.empty(_core.policy_scratch(task.form, solution.grid))
    return _core.policy_solve(
        task.form,
        solution.form,
        solution.grid,
        prior,
        rho,
        np.empty_like(solution.wait[0]),
        scratch,
    )


QUADRATURES = [
    *[
        ("both", 24, n, strengths)
        for n, strengths in ((1, (0.0, 1.0, 2.5)), (2, (0.0, 1.0, 2.5)), (2, (0.3, 1.1)))
    ],
    *[
        ("difference", 100, n, strengths)
        for n, strengths in ((1, (0.0, 1.0, 2.5)), (2, (0.0, 1.0, 2.5)), (2, (0.3, 1.1)))
    ],
    *[("difference", 50, 3, strengths) for strengths in ((0.0, 1.0, 2.5), (0.3, 1.1))],
]


@pytest.mark.parametrize("evidence, n_nodes, n_obs_max, strengths", QUADRATURES)
def test_value_equals_quadrature_over_observations(evidence, n_nodes, n_obs_max, strengths):
    """Strengths lie on the grid of sums and off it; the tolerance is the quadrature's own."""
    task = hrnn.Task(
        n_obs_max=n_obs_max,
        strengths=strengths,
        strength_weights=range(1, len(strengths) + 1),
        noise_sd=1.2,
    )
    for prior in (0.65, 0.8):
        for rho in (0.0, 0.1):
            twin = reference.optimal_value(task, prior, rho, n_nodes, evidence)
            assert value_at(task, prior, rho, evidence) == pytest.approx(twin, abs=2.5e-3)


def realised(run, criterion, blocks_per_unit=20):
    """What a run earned per trial or step, and its standard error by groups of blocks."""
    trials = run.trials
    block = trials.session * run.sessions.task.n_blocks + trials.block
    unit = block // blocks_per_unit
    sums = trials.assign(one=1.0).groupby(unit)[["reward", "one", "n_steps"]].sum()
    size = sums["one" if criterion == "reward_per_trial" else "n_steps"]
    value = sums.reward.sum() / size.sum()
    excess = sums.reward - value * size
    return value, np.sqrt((excess**2).sum()) / size.sum()


@pytest.mark.parametrize("evidence", ["both", "difference"])
@pytest.mark.parametrize("criterion", ["reward_per_trial", "reward_per_step"])
def test_it_earns_what_the_dynamic_programme_promises(criterion, evidence):
    """Sessions are long, since the filter does not expect one to end with its last block."""
    task = hrnn.Task(n_blocks=400)
    policy = hrnn.OptimalPolicy(criterion, evidence=evidence)
    value, error = realised(hrnn.rollout(policy, task.sample(n_blocks=4000, rng=5)), criterion)
    assert abs(value - policy.solution(task).value) < 4 * error
    assert error < 0.005


def values_of_visited_priors(policy, run):
    """E[R - rho T] of each trial, from the prior that it began with."""
    from scipy.interpolate import CubicSpline

    task = run.sessions.task
    solution = policy.solution(task)
    priors = 1 / (1 + np.exp(-solution.logits))
    values = [
        value_at(task, prior, solution.reward_rate, policy.believer.evidence) for prior in priors
    ]
    visited = np.abs(np.log(run.prior / (1 - run.prior)))
    return CubicSpline(solution.logits, values)(visited) - solution.reward_rate * task.n_blank


def mean_and_error(values, session):
    """Mean over all trials, with its standard error by sessions."""
    mean = values.mean()
    sums = np.bincount(session, values - mean)
    return mean, np.sqrt((sums**2).sum()) / len(values)


@pytest.mark.parametrize("evidence", ["both", "difference"])
@pytest.mark.parametrize("criterion", ["reward_per_trial", "reward_per_step"])
def test_each_trial_earns_the_value_of_its_prior(criterion, evidence):
    """The mean is over trials that every session has.

    Which trials come last depends on the block, that is on more than the past.
    """
    task = hrnn.Task()
    policy = hrnn.OptimalPolicy(criterion, evidence=evidence)
    sessions = task.sample(n_sessions=1000, rng=3)
    run = hrnn.rollout(policy, sessions)
    rho = policy.solution(task).reward_rate
    excess = (
        run.trials.reward.to_numpy()
        - rho * run.trials.n_steps.to_numpy()
        - values_of_visited_priors(policy, run)
    )
    trial_in_session = np.arange(sessions.n_trials) - sessions.offsets[sessions.session]
    early = trial_in_session < task.n_blocks * task.block_min
    mean, error = mean_and_error(excess[early], sessions.session[early])
    assert abs(mean) < 4 * error
    assert error < 0.004


def test_the_rate_leaves_nothing_over():
    """rho is one number with sum reward = rho sum steps, and also what the solution promises."""
    from scipy.interpolate import CubicSpline

    task = hrnn.Task()
    solution = hrnn.OptimalPolicy("reward_per_step").solution(task)
    rho = solution.reward_rate
    assert solution.value == rho > 0
    assert hrnn.OptimalPolicy("reward_per_trial").solution(task).reward_rate == 0
    priors = 1 / (1 + np.exp(-solution.logits))
    values = [value_at(task, prior, rho, "both") for prior in priors]
    mean = CubicSpline(solution.logits, values)(solution.visited).mean()
    assert abs(mean - rho * task.n_blank) < 1e-6


def test_no_constant_threshold_earns_more():
    """Agents meet the same sessions, under either criterion and with either evidence."""
    sessions = hrnn.Task().sample(n_blocks=600, rng=2)
    optimal = {
        criterion: hrnn.rollout(hrnn.OptimalPolicy(criterion), sessions)
        for criterion in ("reward_per_trial", "reward_per_step")
    }
    for evidence in ("both", "difference"):
        for threshold in (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.97):
            actor = hrnn.rollout(
                hrnn.BayesianActor(evidence=evidence, threshold=threshold), sessions
            )
            for criterion, best in optimal.items():
                assert behavior.regret(actor, best, criterion=criterion).value > 0


def test_both_observations_earn_more_than_their_difference():
    sessions = hrnn.Task().sample(n_blocks=600, rng=2)
    both, difference = (
        hrnn.rollout(hrnn.OptimalPolicy(evidence=e), sessions) for e in ("both", "difference")
    )
    assert behavior.regret(difference, both).low > 0


def test_it_always_acts_and_waits_longer_where_waiting_costs_less():
    steps = []
    for penalty in (-5.0, -0.2, -0.05, 0.0):
        task = hrnn.Task(wait_penalty=penalty)
        trials = hrnn.rollout(hrnn.OptimalPolicy(), task.sample(n_sessions=20, rng=1)).trials
        assert not trials.timeout.any()
        steps.append(trials.n_obs.mean())
    assert steps == sorted(steps) and steps[0] == 1


def test_where_waiting_is_dear_it_acts_on_the_first_observation():
    sessions = hrnn.Task(wait_penalty=-1e6).sample(n_sessions=10, rng=1)
    eager = hrnn.rollout(hrnn.BayesianActor(threshold=0.5), sessions)
    for criterion in ("reward_per_trial", "reward_per_step"):
        run = hrnn.rollout(hrnn.OptimalPolicy(criterion), sessions)
        np.testing.assert_array_equal(run.choice, eager.choice)
        assert (run.n_obs == 1).all()


@pytest.mark.parametrize("evidence", ["both", "difference"])
def test_where_waiting_is_free_it_reaches_the_accuracy_bound(evidence):
    sessions = hrnn.Task(wait_penalty=0.0).sample(n_sessions=300, rng=1)
    run = hrnn.rollout(hrnn.OptimalPolicy(evidence=evidence), sessions)
    bound = hrnn.inference.accuracy_bound(sessions, evidence=evidence)
    mean, error = mean_and_error(
        run.trials.correct.to_numpy().astype(float) - bound, sessions.session
    )
    assert abs(mean) < max(4 * error, 1e-4)
    assert error < 0.001


def test_mirrored_sessions_give_mirrored_choices():
    import dataclasses

    s = hrnn.Task().sample(n_sessions=10, rng=1)
    mirrored = dataclasses.replace(
        s,
        side=-s.side,
        block_side=-s.block_side,
        observations=np.ascontiguousarray(s.observations[:, :, ::-1]),
    )
    for evidence in ("both", "difference"):
        a, b = (hrnn.rollout(hrnn.OptimalPolicy(evidence=evidence), x) for x in (s, mirrored))
        np.testing.assert_array_equal(a.choice, -b.choice)
        np.testing.assert_array_equal(a.n_obs, b.n_obs)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: hrnn.OptimalPolicy("reward"), "criterion"),
        (lambda: hrnn.OptimalPolicy(evidence="x"), "evidence"),
        (lambda: hrnn.OptimalPolicy().solution(3), "task"),
        (
            lambda: hrnn.OptimalPolicy().solution(hrnn.Task(strengths=(40.0,))),
            "strengths / noise_sd",
        ),
        (
            lambda: hrnn.OptimalPolicy().solution(hrnn.Task(strengths=(3.0,), n_obs_max=100)),
            "n_obs_max [*] strength",
        ),
        (lambda: hrnn.OptimalPolicy().solution(hrnn.Task(p_block=1.0)), "p_block must be < 1"),
        (lambda: hrnn.OptimalPolicy(n_obs_max=3), "n_obs_max"),
        (lambda: hrnn.OptimalPolicy(p_block=0.3), "p_block"),
        (lambda: hrnn.OptimalPolicy(block_model="markov"), "block_model"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()
