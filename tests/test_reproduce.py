"""The study behind figures and report."""

import os

import numpy as np
import pytest

import hrnn
from hrnn import behavior, report, reproduce


def test_all_agents_ran_the_same_sessions(quick_study):
    assert set(quick_study.runs) == {"network", *reproduce.BASELINES}
    assert all(run.sessions is quick_study.sessions for run in quick_study.runs.values())
    assert len(quick_study.network_runs) == 2


def test_an_interrupted_study_goes_on_where_it_was_on_any_number_of_threads(quick_study, tmp_path, monkeypatch):
    """The first network is done, the second is stopped on its way: the next study does what is left, with the same bits.

    One thread here, two in `quick_study`."""
    steps, step = [], hrnn.training.Trainer.step

    def counted(trainer, compute):
        steps.append(trainer.checkpoint)
        return step(trainer, compute)

    def interrupted(trainer, compute):
        if steps.count(tmp_path / "network_1.npz") == 9:
            raise KeyboardInterrupt
        return counted(trainer, compute)

    monkeypatch.delenv("HRNN_DATA_DIR", raising=False)
    monkeypatch.setattr(hrnn.training.Trainer, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reproduce.study(quick=True, n_networks=2, n_threads=1, progress=False, unfinished=tmp_path)
    monkeypatch.setattr(hrnn.training.Trainer, "step", counted)
    steps.clear()
    again = reproduce.study(quick=True, n_networks=2, n_threads=1, progress=False, unfinished=tmp_path)
    assert [steps.count(tmp_path / f"network_{i}.npz") for i in (0, 1)] == [0, reproduce.QUICK_STEPS - 9]
    for a, b in zip(quick_study.networks, again.networks, strict=True):
        np.testing.assert_array_equal(a.network.theta, b.network.theta)
    assert quick_study.thresholds.equals(again.thresholds) and quick_study.penalties.equals(again.penalties)
    for agent, table in quick_study.summaries.items():
        assert table.equals(again.summaries[agent])
    students = [study.distillation.table.drop(columns="seconds") for study in (quick_study, again)]
    assert students[0].equals(students[1])
    other = hrnn.training.Trainer.new(again.networks[0].network, again.task, "fast", 20, 1, tmp_path / "network_0.npz")
    assert other.caught_up() is other, "of another seed"


def test_networks_differ(quick_study):
    assert not np.array_equal(quick_study.networks[0].network.theta, quick_study.networks[1].network.theta)


def test_report_values_are_those_of_the_runs(quick_study):
    rows = {row["name"]: row for row in report.rows(quick_study)}
    run = quick_study.runs["semi_markov"]
    assert rows["semi_markov.correct"]["value"] == pytest.approx((run.choice == quick_study.sessions.side).mean())
    both = [behavior.summary(r).loc["correct", "value"] for r in quick_study.network_runs]
    assert rows["network.correct"]["value"] == pytest.approx(np.mean(both))
    assert rows["network.correct"]["n"] == 2


def test_optimal_policies_lose_to_nobody_at_their_own_criterion(quick_study):
    for policy, criterion in (("optimal_per_trial", "reward_per_trial"), ("optimal_per_step", "reward_per_step")):
        for agent in quick_study.runs:
            if agent != policy:
                assert behavior.regret(quick_study.runs[agent], quick_study.runs[policy], criterion=criterion).high > 0


def test_sweeps_hold_every_setting(quick_study):
    assert set(quick_study.thresholds.threshold) == set(reproduce.THRESHOLDS)
    networks = quick_study.thresholds[quick_study.thresholds.agent == "network"].groupby("threshold").network.nunique()
    assert (networks == reproduce.N_NETWORKS_QUICK).all()
    assert set(quick_study.penalties.wait_penalty) == set(reproduce.PENALTIES)
    actor = quick_study.thresholds[quick_study.thresholds.agent == "semi_markov"].sort_values("threshold")
    assert actor.timeouts.is_monotonic_increasing


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("HRNN_DATA_DIR"), reason="HRNN_DATA_DIR is not set")
def test_real_mice_prefer_their_own_choices(quick_study):
    """The action kernel beats the exact observer in left-out sessions, as Findling et al. (2023) found."""
    study = reproduce.dataclasses.replace(quick_study, mice=hrnn.mice.load())
    rows = {row["name"]: row for row in report.rows(study)}
    assert rows["action_kernel.bits_per_trial"]["low"] > rows["flat.bits_per_trial"]["value"]
    assert rows["semi_markov.bits_less_best"]["high"] < 0 == rows["action_kernel.bits_less_best"]["value"]
    assert 0.1 < rows["action_kernel.alpha"]["value"] < 0.2 and rows["mice.choices_shift_at_0"]["low"] > 0.2


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
