"""Measures of behaviour on tables with known truth, and on agents."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import hrnn
from hrnn import behavior
from hrnn.inference import filter_sides
from hrnn.psychometric import psychometric


@pytest.fixture(scope="module")
def run():
    return hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_blocks=200, rng=3))


def test_summary_is_what_pandas_says(run):
    table, t = behavior.summary(run), run.trials
    expected = {
        "correct": t.correct.mean(), "timeouts": t.timeout.mean(), "steps_per_trial": t.n_steps.mean(),
        "reward_per_trial": t.reward.mean(), "reward_per_step": t.reward.sum() / t.n_steps.sum(),
        "correct_given_choice": t.correct[t.choice != 0].mean(), "p_right": (t.choice[t.choice != 0] > 0).mean(),
        "concordant_correct": t.correct[t.concordant].mean(), "discordant_correct": t.correct[~t.concordant].mean(),
        "mu0_correct": t.correct[t.strength == 0].mean(), "mu0_concordant": t.correct[(t.strength == 0) & t.concordant].mean(),
    }
    for name, value in expected.items():
        assert table.loc[name, "value"] == pytest.approx(value), name
        assert table.loc[name, "low"] < value < table.loc[name, "high"]


def test_a_table_in_another_order_gives_the_same(run):
    shuffled = run.trials.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(behavior.summary(run), behavior.summary(shuffled))


def test_long_session_resamples_runs_of_blocks():
    long = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task(n_blocks=200).sample(n_sessions=1, rng=3))
    row = behavior.summary(long).loc["correct"]
    assert 0 < row["high"] - row["low"] < 0.1


def test_difference_is_paired_and_refuses_other_sessions(run):
    other = hrnn.rollout(hrnn.BayesianActor("none"), run.sessions)
    gap = behavior.difference(run, other).loc["correct"]
    assert gap["value"] == pytest.approx(run.trials.correct.mean() - other.trials.correct.mean())
    assert gap["low"] > 0
    foreign = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_blocks=200, rng=4))
    with pytest.raises(ValueError, match="same sessions"):
        behavior.difference(run, foreign)


def test_after_block_change_leaves_out_first_blocks_and_rare_points(run):
    table = behavior.after_block_change(run)
    t = run.trials
    every = table[table.concordance == "all"]
    at = t[(t.block > 0) & (t.trial_in_block == 10)]
    row = every[every.trial_in_block == 10].iloc[0]
    assert row["value"] == pytest.approx(at.correct.mean()) and row["n"] == len(at)
    assert every.n.min() >= 30


def test_history_weights_equal_a_plain_likelihood_fit():
    """Independent check: the same design built by hand, maximised by SciPy."""
    rng = np.random.default_rng(0)
    n = 4000
    side, previous, prior = rng.choice([-1, 1], n), np.zeros(n), np.full(n, 0.5)
    choice = np.zeros(n, int)
    for i in range(n):
        logit = 1.5 * side[i] + (0.8 * choice[i - 1] if i % 200 else 0)
        choice[i] = 1 if rng.random() < 1 / (1 + np.exp(-logit)) else -1
        previous[i] = choice[i - 1] if i % 200 else 0
    table = pd.DataFrame({"session": np.arange(n) // 200, "trial": np.arange(n) % 200, "side": side, "strength": 1.0,
                          "signed_strength": 1.0 * side, "choice": choice, "correct": choice == side, "timeout": False})
    prior = np.clip(0.5 + 0.2 * rng.normal(size=n), 0.05, 0.95)
    fit = behavior.history_regression(table, prior).set_index("term")
    use = np.arange(n) % 200 > 0
    was_right = np.r_[False, (choice == side)[:-1]]
    X = np.c_[side > 0, np.ones(n), np.log(prior / (1 - prior)), previous * was_right, previous * ~was_right][use].astype(float)
    y = choice[use] > 0

    def loss(w):
        return np.logaddexp(0, -np.where(y, 1, -1) * (X @ w)).sum()

    w = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-8}).x
    assert fit.loc["logit_prior", "weight"] == pytest.approx(w[2], abs=1e-4)
    assert fit.loc["previous_correct", "weight"] == pytest.approx(w[3], abs=1e-4)
    assert fit.loc["previous_wrong", "weight"] == pytest.approx(w[4], abs=1e-4)
    assert abs(fit.loc["previous_correct", "weight"] - 0.8) < 4 * fit.loc["previous_correct", "se"]


def test_exact_actor_without_threshold_has_no_history_weight():
    """Negative control, free of selection: the actor always acts at its only observation."""
    sessions = hrnn.Task(n_obs_max=1, threshold=0.5, n_blocks=8).sample(n_blocks=1600, rng=1)
    run = hrnn.rollout(hrnn.BayesianActor(), sessions)
    prior, _ = filter_sides(sessions.side, sessions.session, sessions.block_side, task=sessions.task)
    fit = behavior.history_regression(run, prior).set_index("term")
    for term in ("previous_correct", "previous_wrong"):
        assert abs(fit.loc[term, "weight"]) < 4 * fit.loc[term, "se"]
    assert fit.loc["logit_prior", "weight"] > 10 * fit.loc["logit_prior", "se"]


def test_regret_and_error_split(run):
    best = hrnn.rollout(hrnn.OptimalPolicy(), run.sessions)
    assert behavior.regret(run, best).value == pytest.approx(best.trials.reward.mean() - run.trials.reward.mean())
    split = behavior.error_split(run)
    assert split["value"].sum() == pytest.approx(1)


def test_psychometric_recovers_what_was_simulated():
    rng = np.random.default_rng(0)
    c = rng.choice([-1, -0.25, -0.125, -0.0625, 0, 0.0625, 0.125, 0.25, 1], 20_000)
    from scipy.special import erf

    p = 0.05 + 0.85 * 0.5 * (1 + erf((c - 0.03) / (np.sqrt(2) * 0.15)))
    choice = np.where(rng.random(c.size) < p, 1, -1)
    side = np.where(c > 0, 1, -1)
    table = pd.DataFrame({"session": 0, "trial": np.arange(c.size), "p_left": 0.5, "signed_strength": c, "side": side,
                          "strength": abs(c), "choice": choice, "correct": choice == side})
    row = psychometric(table).reset_index().iloc[0]
    for name, truth in (("mu", 0.03), ("sigma", 0.15), ("gamma1", 0.05), ("gamma2", 0.10)):
        assert abs(row[name] - truth) < 4 * row[f"se_{name}"], name
    assert row["converged"] and not row["at_bound"]


@pytest.mark.parametrize("table, message", [
    (3, "trials"), (pd.DataFrame({"session": [], "choice": [], "correct": []}), "empty|rows"),
    (pd.DataFrame({"session": [0]}), "columns"), (pd.DataFrame({"session": [0.0], "choice": [np.nan], "correct": [True]}), "choice"),
])
def test_bad_tables_are_refused(table, message):
    with pytest.raises((TypeError, ValueError), match=message):
        behavior.summary(table)
