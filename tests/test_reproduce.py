"""The study behind figures and report."""

import numpy as np
import pytest

import hrnn
from hrnn import behavior, reproduce


@pytest.fixture(scope="module")
def study():
    return reproduce.study(quick=True, n_networks=2, n_threads=2, progress=False)


def test_all_agents_ran_the_same_sessions(study):
    assert set(study.runs) == {"network", *reproduce.BASELINES}
    assert all(run.sessions is study.sessions for run in study.runs.values())
    assert len(study.network_runs) == 2


def test_the_result_does_not_depend_on_threads(study):
    again = reproduce.study(quick=True, n_networks=2, n_threads=1, progress=False)
    for a, b in zip(study.networks, again.networks, strict=True):
        np.testing.assert_array_equal(a.network.theta, b.network.theta)
    assert study.thresholds.equals(again.thresholds)
    assert reproduce.report(study) == reproduce.report(again)


def test_networks_differ(study):
    assert not np.array_equal(study.networks[0].network.theta, study.networks[1].network.theta)


def test_report_values_are_those_of_the_runs(study):
    rows = {row["name"]: row for row in reproduce.report(study)}
    run = study.runs["semi_markov"]
    assert rows["semi_markov.correct"]["value"] == pytest.approx((run.choice == study.sessions.side).mean())
    both = [behavior.summary(r).loc["correct", "value"] for r in study.network_runs]
    assert rows["network.correct"]["value"] == pytest.approx(np.mean(both))
    assert rows["network.correct"]["n"] == 2


def test_optimal_policies_lose_to_nobody_at_their_own_criterion(study):
    for policy, criterion in (("optimal_per_trial", "reward_per_trial"), ("optimal_per_step", "reward_per_step")):
        for agent in study.runs:
            if agent != policy:
                assert behavior.regret(study.runs[agent], study.runs[policy], criterion=criterion).high > 0


def test_sweeps_hold_every_setting(study):
    assert set(study.thresholds.threshold) == set(reproduce.THRESHOLDS)
    assert set(study.penalties.wait_penalty) == set(reproduce.PENALTIES)
    actor = study.thresholds[study.thresholds.agent == "semi_markov"].sort_values("threshold")
    assert actor.timeouts.is_monotonic_increasing


@pytest.mark.slow
def test_paper_recipe_reaches_the_published_accuracy():
    """Schaeffer et al. (2020) report 85.5 % over all trials for one network."""
    task = hrnn.Task()
    correct = []
    for seed in range(2):
        net = hrnn.Network.init("tanh", n_hidden=50, rng=seed)
        trained = hrnn.train(net, task, recipe="paper", rng=seed, progress=False).network
        correct.append(hrnn.rollout(trained, task.sample(n_blocks=1000, rng=100), hidden=False).trials.correct.mean())
    assert np.mean(correct) == pytest.approx(0.855, abs=0.015)
