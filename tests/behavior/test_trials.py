"""Rows of a trial table: each once, in the order of trials, and without contradictions."""

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn import behavior, mice
from hrnn.behavior.trials import session_codes, trial_column, trial_order, trial_table, with_choice
from hrnn.choice.trials import units

IBL = hrnn.Task.preset("ibl", contrast_gain=1.0).replace(n_blocks=4)


def made(n_subjects=2, n_sessions=3):
    """Mice that are Bayesian actors."""
    tables = [
        hrnn.rollout(hrnn.BayesianActor(), IBL.sample(n_sessions=n_sessions, rng=k)).trials
        for k in range(n_subjects)
    ]
    return pd.concat([t.assign(subject=f"m{k}") for k, t in enumerate(tables)], ignore_index=True)


@pytest.fixture(scope="module")
def table():
    return made()


def test_rows_in_any_order_give_the_same(table):
    order = np.random.default_rng(0).permutation(len(table))
    shuffled = table.iloc[order]
    for model in ("action_kernel", "history_glm"):
        a = mice.fit(table, model, n_starts=2)
        b = mice.fit(shuffled, model, n_starts=2)
        pd.testing.assert_frame_equal(a.params, b.params)
        np.testing.assert_array_equal(a.log_likelihood, b.log_likelihood)
        np.testing.assert_array_equal(a.p_right[order], b.p_right)
    a = mice.block_following(table, n_pseudo=5)
    pd.testing.assert_frame_equal(a, mice.block_following(shuffled, n_pseudo=5))


def test_order_is_that_of_trials_and_of_rows_where_there_are_none(table):
    order = np.random.default_rng(0).permutation(len(table))
    found = table.iloc[order].iloc[trial_order(table.iloc[order])]
    pd.testing.assert_frame_equal(found, table)
    without = table.iloc[order].drop(columns="trial")
    code = session_codes(without)
    np.testing.assert_array_equal(trial_order(without), np.argsort(code, kind="stable"))


@pytest.mark.parametrize(
    "double",
    [
        lambda t: pd.concat([t, t]),
        lambda t: pd.concat([t, t.iloc[[17]]]),
        lambda t: t.assign(subject="m"),
        lambda t: t.assign(session=0),
        lambda t: t.assign(trial=0),
    ],
)
@pytest.mark.parametrize(
    "read",
    [
        lambda t: mice.fit(t, "flat"),
        behavior.summary,
        behavior.by_strength,
        lambda t: behavior.history_regression(t, np.full(len(t), 0.5)),
        lambda t: mice.include(t, "responded"),
        mice.to_alf,
        lambda t: mice.compare(t, ["flat"]),
    ],
)
def test_a_trial_that_occurs_twice_is_refused(table, double, read):
    full = table.assign(response_time=0.3, reaction_time=0.3)
    with pytest.raises(ValueError, match="must have each trial once, but trial .* of subject m"):
        read(double(full))


@pytest.mark.parametrize("column", ["eid", "session_num", "date", "number"])
def test_a_session_that_is_known_to_be_several_is_refused(table, column):
    told = table.assign(**{column: table.session})
    mice.fit(told, "flat", n_starts=1)
    told.loc[5, column] = 99
    for several in (told, told.sample(frac=1, random_state=0)):
        with pytest.raises(
            ValueError, match=f"one {column} in a session, but subject m0, session 0"
        ):
            mice.fit(several, "flat")


def test_gaps_are_gaps(table):
    whole = table[(table.subject == "m0")]
    gap = whole[whole.trial != 7]
    choices = units(gap, "subject")[1][0]
    assert not choices.follows[choices.first].any()
    starts = np.flatnonzero(choices.first)
    expected = np.ones(len(gap), bool)
    expected[starts] = False
    expected[starts + 7] = False
    np.testing.assert_array_equal(choices.follows, expected)
    design = mice.fit(gap, "history_glm", n_starts=1)
    row = int(np.flatnonzero(gap.trial == 8)[0])
    model = design._model
    names = [p.name for p in model.parameters(choices)]
    history = [names.index("previous_correct"), names.index("previous_wrong")]
    assert (model.design(choices)[row, history] == 0).all()


@pytest.mark.parametrize(
    "change, rule",
    [
        ({"choice": lambda t: -t.choice}, "correct must be True where choice is the side"),
        ({"choice": lambda t: (t.choice > 0).astype(int)}, "timeout|correct"),
        ({"side": lambda t: -t.side}, "correct must be|sign of side|side \\* strength"),
        ({"timeout": lambda t: t.trial == 3}, "timeout must be True where choice is 0"),
        ({"p_left": lambda t: 1 - t.p_left}, "block_side must be the sign of 0.5 - p_left"),
        ({"p_left": lambda t: 100 * t.p_left}, "p_left must be in"),
        ({"strength": lambda t: 100 * t.strength}, "signed_strength must be side"),
        ({"concordant": lambda t: ~t.concordant}, "concordant must be True where"),
    ],
)
def test_columns_that_contradict_each_other_are_refused(table, change, rule):
    for read in (behavior.summary, lambda t: mice.fit(t, "flat"), mice.include):
        with pytest.raises(ValueError, match=f"must not contradict itself, but .*({rule})"):
            read(table.assign(**change))


def test_mirrored_choices_are_warned_of_by_name(table):
    mirrored = with_choice(table, np.where(table.subject == "m1", -table.choice, table.choice))
    with pytest.warns(UserWarning, match=r"choices of 1 subjects \(m1\).*look mirrored"):
        mice.fit(mirrored, "flat", n_starts=1)
    with pytest.warns(UserWarning, match="look mirrored"):
        behavior.summary(mirrored)


def test_choices_of_0_and_1_are_warned_of_where_nothing_contradicts_them(table):
    bare = table.drop(columns=["correct", "timeout"])
    with pytest.warns(UserWarning, match="no choice is -1, and most trials with choice 0"):
        mice.fit(bare.assign(choice=(bare.choice > 0).astype(int)), "flat", n_starts=1)


def test_equal_contrasts_and_probabilities_are_equal_in_any_precision(table):
    single = np.arange(len(table)) % 2 == 0
    mixed = table.copy()
    for name in ("p_left", "strength", "signed_strength"):
        mixed[name] = np.where(single, table[name].astype(np.float32), table[name])
        np.testing.assert_array_equal(trial_column(mixed, name), table[name].round(6))
    for model in ("history_glm", "psychometric"):
        a = mice.fit(table, model, n_starts=2)
        b = mice.fit(mixed, model, n_starts=2)
        pd.testing.assert_frame_equal(a.params, b.params)


def test_other_choices_take_along_what_follows_from_them(table):
    other = with_choice(table, -table.choice)
    assert (other.correct == (other.choice == other.side)).all()
    assert not {"n_steps", "n_obs", "p_right", "reward"} & set(other.columns)
    mouse = table.assign(
        reward=np.where(table.correct, 1.0, -1.0), response_time=0.3, reaction_time=0.3
    )
    told = with_choice(mouse, np.zeros(len(table)))
    assert (told.reward == -1).all() and told.timeout.all() and "response_time" not in told
    with pytest.raises(ValueError, match="choice must be"):
        with_choice(table, [1, 2])


def test_columns_that_occur_twice_are_named(table):
    with pytest.raises(ValueError, match="each column once, but has \\['choice'\\]"):
        trial_table(pd.concat([table, table[["choice"]]], axis=1))
