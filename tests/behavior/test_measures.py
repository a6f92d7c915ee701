"""Measures of behaviour on tables with known truth, and on agents."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import hrnn
from hrnn import behavior
from hrnn.behavior.psychometric_function import psychometric
from hrnn.inference import filter_sides


@pytest.fixture(scope="module")
def run():
    return hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_blocks=200, rng=3))


def test_summary_is_what_pandas_says(run):
    table = behavior.summary(run)
    t = run.trials
    expected = {
        "correct": t.correct.mean(),
        "timeouts": t.timeout.mean(),
        "steps_per_trial": t.n_steps.mean(),
        "reward_per_trial": t.reward.mean(),
        "reward_per_step": t.reward.sum() / t.n_steps.sum(),
        "correct_given_choice": t.correct[t.choice != 0].mean(),
        "p_right": (t.choice[t.choice != 0] > 0).mean(),
        "concordant_correct": t.correct[t.concordant].mean(),
        "discordant_correct": t.correct[~t.concordant].mean(),
        "mu0_correct": t.correct[t.strength == 0].mean(),
        "mu0_concordant": t.correct[(t.strength == 0) & t.concordant].mean(),
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
    side = rng.choice([-1, 1], n)
    previous = np.zeros(n)
    prior = np.full(n, 0.5)
    choice = np.zeros(n, int)
    for i in range(n):
        logit = 1.5 * side[i] + (0.8 * choice[i - 1] if i % 200 else 0)
        choice[i] = 1 if rng.random() < 1 / (1 + np.exp(-logit)) else -1
        previous[i] = choice[i - 1] if i % 200 else 0
    table = pd.DataFrame(
        {
            "session": np.arange(n) // 200,
            "trial": np.arange(n) % 200,
            "side": side,
            "strength": 1.0,
            "signed_strength": 1.0 * side,
            "choice": choice,
            "correct": choice == side,
            "timeout": False,
        }
    )
    prior = np.clip(0.5 + 0.2 * rng.normal(size=n), 0.05, 0.95)
    fit = behavior.history_regression(table, prior).set_index("term")
    use = np.arange(n) % 200 > 0
    was_right = np.r_[False, (choice == side)[:-1]]
    X = np.c_[
        side > 0,
        np.ones(n),
        np.log(prior / (1 - prior)),
        previous * was_right,
        previous * ~was_right,
    ][use].astype(float)
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
    prior, _ = filter_sides(
        sessions.side, sessions.session, sessions.block_side, task=sessions.task
    )
    fit = behavior.history_regression(run, prior).set_index("term")
    for term in ("previous_correct", "previous_wrong"):
        assert abs(fit.loc[term, "weight"]) < 4 * fit.loc[term, "se"]
    assert fit.loc["logit_prior", "weight"] > 10 * fit.loc["logit_prior", "se"]


def test_regret_and_error_split(run):
    best = hrnn.rollout(hrnn.OptimalPolicy(), run.sessions)
    assert behavior.regret(run, best).value == pytest.approx(
        best.trials.reward.mean() - run.trials.reward.mean()
    )
    split = behavior.error_split(run)
    assert split["value"].sum() == pytest.approx(1)


def test_psychometric_recovers_what_was_simulated():
    rng = np.random.default_rng(0)
    c = rng.choice([-1, -0.25, -0.125, -0.0625, 0, 0.0625, 0.125, 0.25, 1], 20_000)
    from scipy.special import erf

    p = 0.05 + 0.85 * 0.5 * (1 + erf((c - 0.03) / (np.sqrt(2) * 0.15)))
    choice = np.where(rng.random(c.size) < p, 1, -1)
    side = np.where(c > 0, 1, -1)
    table = pd.DataFrame(
        {
            "session": 0,
            "trial": np.arange(c.size),
            "p_left": 0.5,
            "signed_strength": c,
            "side": side,
            "strength": abs(c),
            "choice": choice,
            "correct": choice == side,
        }
    )
    row = psychometric(table).reset_index().iloc[0]
    for name, truth in (("mu", 0.03), ("sigma", 0.15), ("gamma1", 0.05), ("gamma2", 0.10)):
        assert abs(row[name] - truth) < 4 * row[f"se_{name}"], name
    assert row["converged"] and not row["at_bound"]


@pytest.mark.parametrize(
    "table, message",
    [
        (3, "trials"),
        (pd.DataFrame({"session": [], "choice": [], "correct": []}), "empty|rows"),
        (pd.DataFrame({"session": [0]}), "columns"),
        (pd.DataFrame({"session": [0.0], "choice": [np.nan], "correct": [True]}), "choice"),
    ],
)
def test_bad_tables_are_refused(table, message):
    with pytest.raises((TypeError, ValueError), match=message):
        behavior.summary(table)


def made_up(n_sessions=30, n_trials=120, *, rng=0, lapse=0.0):
    """A table with three blocks of equal length in each session.

    P(choice is the side) = 0.6 + 0.15 strength; a fraction `lapse` has no choice.
    """
    rng = np.random.default_rng(rng)
    session, trial = np.divmod(np.arange(n_sessions * n_trials), n_trials)
    block, within = np.divmod(trial, n_trials // 3)
    block_side = np.where((session + block) % 2, 1, -1)
    side = np.where(rng.random(session.size) < 0.8, block_side, -block_side)
    strength = rng.choice([0.0, 1.0, 2.0], session.size)
    choice = np.where(rng.random(session.size) < 0.6 + 0.15 * strength, side, -side)
    choice[rng.random(session.size) < lapse] = 0
    n_obs = rng.integers(1, 11, session.size)
    correct = choice == side
    return pd.DataFrame(
        {
            "session": session,
            "block": block,
            "trial": trial,
            "trial_in_block": within,
            "p_left": np.where(block_side > 0, 0.2, 0.8),
            "block_side": block_side,
            "side": side,
            "strength": strength,
            "signed_strength": side * strength,
            "concordant": side == block_side,
            "choice": choice,
            "correct": correct,
            "timeout": choice == 0,
            "n_obs": n_obs,
            "n_steps": n_obs + 2,
            "reward": np.where(correct, 1.0, -1.0) - 0.05 * (n_obs - 1),
            "p_right": 0.5,
        }
    )


def as_mouse(table, *, subjects=1):
    names = np.array([f"m{i}" for i in range(subjects)])
    mouse = table.drop(columns=["n_obs", "n_steps", "p_right", "reward"], errors="ignore")
    return mouse.assign(subject=names[table["session"] % subjects], response_time=0.3)


def test_simulated_fractions_are_the_known_ones():
    table = made_up(200, rng=1, lapse=0.1)
    s = behavior.summary(table)
    truth = {
        "timeouts": 0.1,
        "correct": 0.9 * 0.75,
        "correct_given_choice": 0.75,
        "mu0_correct": 0.9 * 0.6,
        "mu0_concordant": 0.54,
        "mu0_discordant": 0.54,
        "discordant_correct": 0.675,
        "p_right": 0.5,
    }
    for name, p in truth.items():
        assert abs(s.loc[name, "value"] - p) < 4 * np.sqrt(p * (1 - p) / s.loc[name, "n"]), name
    assert s.loc["mu0_discordant", "n"] == ((table.strength == 0) & ~table.concordant).sum()
    assert s.loc["p_right", "n"] == s.loc["correct_given_choice", "n"] == (table.choice != 0).sum()
    assert s.loc["observations_per_trial", "value"] == pytest.approx(
        s.loc["steps_per_trial", "value"] - 2
    )
    assert s.loc["reward_per_step", "n"] == len(table)


def test_intervals_of_the_summary_cover():
    """200 fixed seeds; sessions differ in their ability.

    Which an interval over trials would miss.
    """
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        session = np.repeat(np.arange(40), 25)
        correct = rng.random(1000) < np.clip(rng.normal(0.7, 0.1, 40), 0, 1)[session]
        row = behavior.summary(
            pd.DataFrame({"session": session, "choice": 1, "correct": correct}), rng=seed
        ).loc["correct"]
        hits += row["low"] <= 0.7 <= row["high"]
    assert abs(hits / 200 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 200)


def test_mirrored_sides_mirror_only_the_side():
    table = made_up(lapse=0.1)
    mirrored = table.assign(
        **{name: -table[name] for name in ("side", "block_side", "choice", "signed_strength")},
        p_left=1 - table["p_left"],
    )
    a = behavior.summary(table)["value"]
    b = behavior.summary(mirrored)["value"]
    assert b["p_right"] == pytest.approx(1 - a["p_right"])
    pd.testing.assert_series_equal(a.drop("p_right"), b.drop("p_right"))


def test_absent_columns_leave_their_measures_out():
    few = made_up().drop(columns=["n_obs", "reward", "concordant"])
    names = set(behavior.summary(few).index)
    assert names == {
        "correct",
        "timeouts",
        "correct_given_choice",
        "p_right",
        "steps_per_trial",
        "mu0_correct",
    }


def test_no_go_trials_of_mice_are_counted_apart():
    table = made_up(lapse=0.2)
    mouse = behavior.summary(as_mouse(table))
    went = behavior.summary(as_mouse(table[table.choice != 0]))
    assert mouse.loc["no_go", "value"] == pytest.approx((table.choice == 0).mean()) and mouse.loc[
        "no_go", "n"
    ] == len(table)
    assert "timeouts" not in mouse.index and "steps_per_trial" not in mouse.index
    pd.testing.assert_series_equal(mouse["value"].drop("no_go"), went["value"].drop("no_go"))
    assert mouse.loc["correct", "n"] == (table.choice != 0).sum()
    assert behavior.summary(table).loc["correct", "value"] == pytest.approx(table.correct.mean())
    strengths = behavior.by_strength(as_mouse(table))
    assert set(strengths["measure"]) == {"correct", "no_go", "correct_given_choice", "p_right"}


def test_subjects_are_resampled_when_there_are_several():
    table = made_up(40)
    table = behavior.with_choice(table, np.where(table.session % 4 == 0, 1, table.choice))
    width = {
        n: np.ptp(behavior.summary(as_mouse(table, subjects=n)).loc["correct", ["low", "high"]])
        for n in (1, 4)
    }
    assert width[4] > 3 * width[1]


def test_strength_zero_is_one_row_and_concordance_may_be_missing():
    table = made_up(lapse=0.1)
    cells = behavior.by_strength(table)
    assert cells[cells.measure == "correct"]["signed_strength"].to_list() == [-2, -1, 0, 1, 2]
    zero = cells[(cells.measure == "correct") & (cells.signed_strength == 0)].iloc[0]
    assert (
        zero["value"] == pytest.approx(table.correct[table.strength == 0].mean())
        and zero["n"] == (table.strength == 0).sum()
    )
    table["concordant"] = table["concordant"].astype("boolean").mask(table["block"] == 0)
    cells = behavior.by_strength(table, by=["strength", "concordant"])
    known = table[table["block"] > 0]
    for _, row in cells[cells.measure == "correct"].iterrows():
        part = known[(known.strength == row.strength) & (known.concordant == row.concordant)]
        assert row["value"] == pytest.approx(part.correct.mean()) and row["n"] == len(part)
    assert len(cells) == 4 * 6 and cells["concordant"].dtype == bool
    assert behavior.summary(table).loc["discordant_correct", "n"] == (~known.concordant).sum()


def test_a_change_is_between_two_biased_blocks():
    table = made_up(lapse=0.1)
    biased = behavior.after_block_change(table, min_n=1)
    unbiased = table.drop(columns="p_left").assign(
        block_side=table.block_side.where(table.block > 0, 0),
        concordant=table.concordant.astype("boolean").mask(table.block == 0),
    )
    later = behavior.after_block_change(unbiased, min_n=1)
    assert biased[biased.concordance == "all"]["n"].sum() == (table.block > 0).sum()
    assert later[later.concordance == "all"]["n"].sum() == (table.block > 1).sum()
    zero = behavior.after_block_change(table, strength=0, min_n=1)
    part = table[
        (table.block > 0) & (table.strength == 0) & (table.trial_in_block == 3) & ~table.concordant
    ]
    row = zero[(zero.trial_in_block == 3) & (zero.concordance == "discordant")].iloc[0]
    assert row["value"] == pytest.approx(part.correct.mean()) and row["n"] == len(part)
    assert behavior.after_block_change(table, min_n=10**6).empty


def test_chronometric_is_what_pandas_says():
    table = made_up(lapse=0.1)
    cells = behavior.chronometric(table).set_index(["strength", "correct", "concordant"])
    groups = table.groupby(["strength", "correct", "concordant"])["n_steps"]
    assert cells["value"].to_numpy() == pytest.approx(groups.mean().to_numpy())
    assert cells["n"].to_list() == groups.size().to_list() and len(cells) == 12


def test_each_error_has_one_cause():
    table = made_up(lapse=0.1)
    wrong = table[~table.correct]
    zero = wrong.strength == 0
    against = ~wrong.concordant
    expected = {
        "mu0": zero,
        "discordant": ~zero & against,
        "timeouts": ~zero & ~against & wrong.timeout,
        "rest": ~zero & ~against & ~wrong.timeout,
    }
    split = behavior.error_split(table)
    assert split["value"].to_dict() == pytest.approx(
        {name: part.mean() for name, part in expected.items()}
    )
    assert (split["n"] == len(wrong)).all()
    assert "timeouts" not in behavior.error_split(as_mouse(table)).index


def test_regret_is_paired_and_of_both_kinds():
    optimal = made_up()
    agent = optimal.assign(reward=optimal.reward - 0.2, n_steps=optimal.n_steps + 1)
    per_trial = behavior.regret(agent, optimal)
    assert (per_trial.value, per_trial.low, per_trial.high) == pytest.approx(
        (0.2, 0.2, 0.2)
    ) and per_trial.n == len(agent)
    per_step = behavior.regret(agent, optimal, criterion="reward_per_step")
    expected = (
        optimal.reward.sum() / optimal.n_steps.sum() - agent.reward.sum() / agent.n_steps.sum()
    )
    assert per_step.value == pytest.approx(expected) and per_step.low < expected < per_step.high
    shuffled = behavior.regret(agent.sample(frac=1, random_state=0), optimal)
    assert shuffled.value == pytest.approx(0.2) and shuffled.high - shuffled.low < 1e-9


def prior_of(table):
    """A prior that follows the sides of the session's earlier trials, as an observer's would."""
    prior = np.full(len(table), 0.5)
    for i in np.flatnonzero(table["trial"] > 0):
        prior[i] = 0.9 * prior[i - 1] + 0.1 * (0.1 + 0.8 * (table["side"].iloc[i - 1] > 0))
    return prior


@pytest.fixture(scope="module")
def ideal():
    """Choices by exactly the regressed model.

    Log-odds = 1.2 side × strength + 2 logit prior, no history.
    """
    table = made_up(150, rng=5)
    prior = prior_of(table)
    log_odds = 1.2 * table.signed_strength.to_numpy() + 2 * np.log(prior / (1 - prior))
    choice = np.where(
        np.random.default_rng(6).random(len(table)) < 1 / (1 + np.exp(-log_odds)), 1, -1
    )
    return table.assign(choice=choice, correct=choice == table.side, timeout=False), prior


def test_history_regression_recovers_the_model(ideal):
    fit = behavior.history_regression(*ideal).set_index("term")
    truth = {
        "strength 1 left": -1.2,
        "strength 2 right": 2.4,
        "intercept": 0,
        "logit_prior": 2,
        "previous_correct": 0,
        "previous_wrong": 0,
    }
    for term, weight in truth.items():
        assert abs(fit.loc[term, "weight"] - weight) < 4 * fit.loc[term, "se"], term
    assert (
        fit["converged"].all()
        and fit.loc["logit_prior", "p_value"] < 1e-6 < fit.loc["previous_correct", "p_value"]
    )


def test_the_true_block_leaves_a_spurious_history_effect(ideal):
    """Why the prior is the observer's: the same choices, the wrong regressor."""
    table, _ = ideal
    fit = behavior.history_regression(table, np.where(table.block_side > 0, 0.8, 0.2)).set_index(
        "term"
    )
    assert fit.loc["previous_correct", "weight"] > 4 * fit.loc["previous_correct", "se"]


def test_history_regression_mirrored_and_shuffled(ideal):
    table, prior = ideal
    fit = behavior.history_regression(table, prior).set_index("term")
    mirrored = table.assign(
        **{name: -table[name] for name in ("side", "block_side", "choice", "signed_strength")},
        p_left=1 - table["p_left"],
    )
    other = behavior.history_regression(mirrored, 1 - prior).set_index("term")
    for term in ("logit_prior", "previous_correct", "previous_wrong"):
        assert other.loc[term, "weight"] == pytest.approx(fit.loc[term, "weight"])
    assert other.loc["strength 2 left", "weight"] == pytest.approx(
        -fit.loc["strength 2 right", "weight"]
    )
    order = np.random.default_rng(0).permutation(len(table))
    shuffled = behavior.history_regression(table.iloc[order], prior[order]).set_index("term")
    pd.testing.assert_frame_equal(shuffled, fit)


def test_history_regression_leaves_out_what_has_no_history(ideal):
    table, prior = ideal
    assert behavior.history_regression(table, prior)["n"].iloc[0] == len(table) - 150
    choice = table["choice"].to_numpy().copy()
    choice[5] = 0  # neither this trial nor the next
    timed_out = behavior.with_choice(table, choice)
    assert behavior.history_regression(timed_out, prior)["n"].iloc[0] == len(table) - 150 - 2
    gap = np.arange(len(table)) != 5
    assert behavior.history_regression(table[gap], prior[gap])["n"].iloc[0] == len(table) - 150 - 2
    through = table.assign(trial=np.arange(len(table)))  # numbered on from session to session
    assert behavior.history_regression(through, prior)["n"].iloc[0] == len(table) - 150


@pytest.mark.parametrize(
    "columns",
    [
        lambda i: {"session": i // 100, "block": i // 50 % 2},
        lambda i: {"session": 0, "block": i // 25},
    ],
)
def test_history_errors_are_clustered(columns):
    """Each hundred trials, a session or four blocks of the only one, has its own preference."""
    i = np.arange(6000)
    rng = np.random.default_rng(8)
    choice = np.where(rng.random(6000) < np.where(rng.random(60) < 0.5, 0.2, 0.8)[i // 100], 1, -1)
    side = rng.choice([-1, 1], 6000)
    table = pd.DataFrame(
        {
            "trial": i,
            "side": side,
            "strength": 0.0,
            "choice": choice,
            "correct": choice == side,
            **columns(i),
        }
    )
    fit = behavior.history_regression(table, rng.uniform(0.3, 0.7, 6000)).set_index("term")
    independent = 2 / np.sqrt(6000)
    assert fit.loc["intercept", "se"] > 4 * independent


def test_history_regression_reports_what_is_not_finite(ideal):
    table, prior = ideal
    sure = np.where(table.strength == 2, table.side, table.choice)
    fit = behavior.history_regression(
        table.assign(choice=sure, correct=sure == table.side), prior
    ).set_index("term")
    assert (
        fit.loc["strength 2 right", "weight"] == np.inf
        and fit.loc["strength 2 left", "weight"] == -np.inf
    )
    assert (
        np.isfinite(fit.loc["previous_wrong", ["weight", "se"]].to_numpy(float)).all()
        and fit["converged"].all()
    )
    assert (fit["n"] == ((table.strength < 2) & (table.trial > 0)).sum()).all()
    flat = behavior.history_regression(table, np.full(len(table), 0.5)).set_index("term")
    assert np.isnan(flat.loc["logit_prior", "weight"]) and np.isfinite(
        flat.loc["previous_wrong", "weight"]
    )


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda t: behavior.by_strength(t, by="strength"), TypeError, "by must"),
        (lambda t: behavior.by_strength(t, by=["contrast"]), ValueError, "contrast"),
        (
            lambda t: behavior.by_strength(t.assign(concordant=pd.NA), by=["concordant"]),
            ValueError,
            "concordant",
        ),
        (lambda t: behavior.after_block_change(t, strength=7), ValueError, "strength must"),
        (lambda t: behavior.after_block_change(t, min_n=0), ValueError, "min_n"),
        (lambda t: behavior.after_block_change(t[t.block == 0]), ValueError, "two biased blocks"),
        (lambda t: behavior.chronometric(as_mouse(t)), ValueError, "n_steps"),
        (lambda t: behavior.regret(t, t, criterion="reward"), ValueError, "criterion"),
        (lambda t: behavior.regret(as_mouse(t), t), ValueError, "reward"),
        (
            lambda t: behavior.difference(
                t, t.drop(columns="signed_strength").assign(strength=t.strength + 1)
            ),
            ValueError,
            "'strength' differs",
        ),
        (lambda t: behavior.difference(t, t[:-1]), ValueError, "trials"),
        (lambda t: behavior.summary(t.assign(choice=2)), ValueError, "choice"),
        (lambda t: behavior.summary(t.assign(reward=np.inf)), ValueError, "reward.*row 0"),
        (lambda t: behavior.summary(t.assign(session=np.nan)), ValueError, "session"),
        (lambda t: behavior.summary(t.assign(correct="yes")), TypeError, "correct"),
        (lambda t: behavior.summary(t, rng=None), TypeError, "rng"),
        (lambda t: behavior.history_regression(t, [0.5]), ValueError, "prior must have one entry"),
        (lambda t: behavior.history_regression(t, np.ones(len(t))), ValueError, r"prior\[0\] is 1"),
        (lambda t: behavior.history_regression(t, np.full(len(t), np.nan)), ValueError, "prior"),
        (lambda t: behavior.history_regression(t, np.ma.zeros(len(t))), TypeError, "prior"),
        (
            lambda t: behavior.history_regression(
                behavior.with_choice(t, np.zeros(len(t))), np.full(len(t), 0.5)
            ),
            ValueError,
            "choices",
        ),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(made_up(2, 30))
