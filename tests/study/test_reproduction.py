"""The study behind figures and report."""

import dataclasses
import os

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn import behavior
from hrnn.populations import member
from hrnn.study import report, reproduction, writing


def test_all_agents_ran_the_same_sessions(quick_study):
    assert set(quick_study.runs) == {"network", *reproduction.BASELINES}
    assert all(run.sessions is quick_study.sessions for run in quick_study.runs.values())
    assert quick_study.n_networks == 2


@pytest.mark.slow
def test_a_study_goes_on_where_it_was_and_does_not_depend_on_the_number_of_threads(
    quick_study, tmp_path, monkeypatch
):
    """One thread here, two in `quick_study`.

    The networks of the second call are those of the first.
    """
    monkeypatch.delenv("HRNN_DATA_DIR", raising=False)
    first = reproduction.study(
        quick=True, n_networks=2, n_threads=1, progress=False, folder=tmp_path
    )
    monkeypatch.setattr(
        "hrnn.populations.ensemble.make", lambda *a, **k: pytest.fail("a network was made again")
    )
    again = reproduction.study(
        quick=True, n_networks=2, n_threads=1, progress=False, folder=tmp_path
    )
    for other in (first, again):
        assert other.wide.equals(quick_study.wide) and other.variations.equals(
            quick_study.variations
        )
        assert quick_study.thresholds.equals(other.thresholds) and quick_study.penalties.equals(
            other.penalties
        )
        for agent, table in quick_study.summaries.items():
            assert table.equals(other.summaries[agent])
    students = [study.distillation.table.drop(columns="seconds") for study in (quick_study, again)]
    assert students[0].equals(students[1])


def test_a_checkpoint_of_another_seed_is_not_taken(tmp_path):
    task = hrnn.Task()
    net = hrnn.Network.init("tanh", n_hidden=4, rng=0)
    hrnn.train(
        net, task, recipe="fast", n_steps=2, rng=0, checkpoint=tmp_path / "c", progress=False
    )
    same, other = (
        hrnn.training.Trainer.new(net, task, "fast", 2, seed, tmp_path / "c") for seed in (0, 1)
    )
    assert len(same.caught_up().loss) == 2 and other.caught_up() is other


def test_networks_differ(quick_study):
    assert not np.array_equal(*(found.network.theta for found in quick_study.population.members))


def test_report_values_are_those_of_the_networks(quick_study):
    rows = {row["name"]: row for row in report.rows(quick_study)}
    run = quick_study.runs["semi_markov"]
    assert rows["semi_markov.correct"]["value"] == pytest.approx(
        (run.choice == quick_study.sessions.side).mean()
    )
    task = quick_study.task
    n_blocks = reproduction.N_BLOCKS_QUICK
    runs = [
        hrnn.rollout(found.network, member.sessions_of(task, n_blocks, 0, i))
        for i, found in enumerate(quick_study.population.members)
    ]
    both = [behavior.summary(r).loc["correct", "value"] for r in runs]
    assert (
        rows["network.correct"]["value"] == pytest.approx(np.mean(both))
        and rows["network.correct"]["n"] == 2
    )
    both = [hrnn.representation.pca(r).cumulative.value[1] for r in runs]
    assert (
        rows["network.variance_pc12"]["value"] == pytest.approx(np.mean(both))
        and rows["network.variance_pc12"]["n"] == 2
    )
    bests = [hrnn.rollout(hrnn.OptimalPolicy(), r.sessions) for r in runs]
    lost = [
        b.trials.reward.mean() - r.trials.reward.mean() for b, r in zip(bests, runs, strict=True)
    ]
    assert rows["network.regret_reward_per_trial"]["value"] == pytest.approx(np.mean(lost))
    assert len(rows) == len(report.rows(quick_study)), "no name twice"


def test_curves_are_means_over_networks(quick_study):
    mean = quick_study.curve("variance")
    each = quick_study.each("variance")
    assert (mean.n == 2).all() and each.network.nunique() == 2
    np.testing.assert_allclose(mean.value, each.groupby("point").value.mean())
    assert (mean.low <= mean.value).all() and quick_study.curve("no such curve").empty


def test_one_network_has_the_intervals_of_its_sessions(one_network):
    curve = one_network.curve("variance")
    assert (curve.n == one_network.sessions.n_sessions).all() and one_network.each("variance").empty
    rows = {row["name"]: row for row in report.rows(one_network)}
    assert rows["network.variance_pc12"]["low"] < rows["network.variance_pc12"]["value"]
    assert rows["network.variance_pc12"]["n"] == one_network.sessions.n_sessions


def test_variations_change_one_setting_at_a_time(quick_study):
    levels = quick_study.variations.groupby("setting")["level"].unique()
    assert {name: list(values) for name, values in levels.items()} == {
        "recipe": ["fast", "paper"],
        **{
            name: [str(v) for v in sorted(values)]
            for name, values in reproduction.VARIATIONS.items()
        },
    }
    found = quick_study.variations.query("measure == 'correct'")
    correct = dict(zip(zip(found.setting, found.level, strict=True), found.value, strict=True))
    base = {
        correct[name, str(values[reproduction.BASE])]
        for name, values in reproduction.VARIATIONS.items()
    } | {correct["recipe", "fast"]}
    assert len(base) == 1, "the base is the same network everywhere"


def test_the_report_counts_the_networks_of_every_claim(quick_study):
    text = report.markdown(quick_study, report.rows(quick_study))
    assert sum(text.count(f" of 2 networks{end} |") for end in ("", ")")) == len(hrnn.claims.CLAIMS)


def test_a_network_whose_history_is_not_defined_has_no_rows_of_it(quick_study, monkeypatch):
    """As one that acts in few trials, and at every strength on one side only."""
    regression = behavior.history_regression

    def undefined(run, prior):
        if run is quick_study.runs["network"]:
            raise ValueError(
                "trials must have both choices at some strength, got one choice at each"
            )
        return regression(run, prior)

    monkeypatch.setattr(behavior, "history_regression", undefined)
    assert {row["name"].split(".")[0] for row in report._history(quick_study)} == {"semi_markov"}


def test_failed_networks_are_said(quick_study):
    failed = dataclasses.replace(
        quick_study.population,
        failures=pd.DataFrame({"key": ["a"], "index": [7], "error": ["why"]}),
    )
    study = dataclasses.replace(quick_study, population=failed)
    assert "1 networks failed" in report.markdown(study, report.rows(quick_study))
    assert writing.manifest(study, {})["failures"][0]["error"] == "why"


def test_optimal_policies_lose_to_nobody_at_their_own_criterion(quick_study):
    for policy, criterion in (
        ("optimal_per_trial", "reward_per_trial"),
        ("optimal_per_step", "reward_per_step"),
    ):
        for agent in quick_study.runs:
            if agent != policy:
                assert (
                    behavior.regret(
                        quick_study.runs[agent], quick_study.runs[policy], criterion=criterion
                    ).high
                    > 0
                )


def test_sweeps_hold_every_setting(quick_study):
    assert set(quick_study.thresholds.threshold) == set(reproduction.THRESHOLDS)
    networks = (
        quick_study.thresholds[quick_study.thresholds.agent == "network"]
        .groupby("threshold")
        .network.nunique()
    )
    assert (networks == reproduction.N_NETWORKS_QUICK).all()
    assert set(quick_study.penalties.wait_penalty) == set(reproduction.PENALTIES)
    actor = quick_study.thresholds[quick_study.thresholds.agent == "semi_markov"].sort_values(
        "threshold"
    )
    assert actor.timeouts.is_monotonic_increasing


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("HRNN_DATA_DIR"), reason="HRNN_DATA_DIR is not set")
def test_real_mice_prefer_their_own_choices(quick_study):
    """The action kernel beats the exact observer in left-out sessions, as Findling et al.

    (2023) found.
    """
    study = dataclasses.replace(quick_study, mice=hrnn.mice.load())
    rows = {row["name"]: row for row in report.rows(study)}
    assert rows["action_kernel.bits_per_trial"]["low"] > rows["flat.bits_per_trial"]["value"]
    assert (
        rows["semi_markov.bits_less_best"]["high"]
        < 0
        == rows["action_kernel.bits_less_best"]["value"]
    )
    assert (
        0.1 < rows["action_kernel.alpha"]["value"] < 0.2
        and rows["mice.choices_shift_at_0"]["low"] > 0.2
    )


@pytest.mark.slow
def test_paper_recipe_reaches_the_published_accuracy():
    """Schaeffer et al. (2020) report 85.5 % over all trials for one network."""
    task = hrnn.Task()
    correct = []
    for seed in range(2):
        net = hrnn.Network.init("tanh", n_hidden=50, rng=seed)
        trained = hrnn.train(net, task, recipe="paper", rng=seed, progress=False).network
        correct.append(
            hrnn.rollout(
                trained, task.sample(n_blocks=1000, rng=100), hidden=False
            ).trials.correct.mean()
        )
    assert np.mean(correct) == pytest.approx(0.855, abs=0.015)
