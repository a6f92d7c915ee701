"""Which units are resampled in cells: of subjects, of sessions of one, of blocks of one session."""

import numpy as np
import pandas as pd
import pytest

from hrnn import behavior
from hrnn.behavior.units import pools


def table(n_sessions, seed=0, n_trials=240, p=0.8):
    """Trials of subjects a, b, ... with these numbers of sessions, named 0, 1, ... in each."""
    rng = np.random.default_rng(seed)
    parts = []
    for name, n in zip("abcdefghijklmnopqrstuvwxyz", n_sessions, strict=False):
        rate = rng.uniform(p - 0.1, p + 0.1)
        for session in range(n):
            side = rng.choice([-1, 1], n_trials)
            correct = rng.random(n_trials) < rate + rng.uniform(-0.05, 0.05)
            parts.append(
                pd.DataFrame(
                    {
                        "subject": name,
                        "session": session,
                        "trial": np.arange(n_trials),
                        "block": np.arange(n_trials) // 15,
                        "block_side": np.where(np.arange(n_trials) // 15 % 2, -1, 1),
                        "trial_in_block": np.arange(n_trials) % 15,
                        "side": side,
                        "strength": rng.choice([0.0, 0.25, 1.0], n_trials),
                        "choice": np.where(correct, side, -side),
                        "correct": correct,
                        "n_steps": rng.integers(1, 9, n_trials),
                    }
                )
            )
    found = pd.concat(parts, ignore_index=True)
    found["signed_strength"] = found.side * found.strength
    found["p_left"] = np.where(found.block_side < 0, 0.8, 0.2)
    return found.assign(concordant=found.side == found.block_side)


def cells(found, **values):
    for name, value in values.items():
        found = found[found[name] == value]
    return found.sort_values(["measure", "signed_strength"])[["value", "low", "high", "n"]]


@pytest.mark.parametrize("n_sessions", [(4, 1, 12), (3,)])
def test_the_cells_of_a_subject_are_those_of_the_subject_alone(n_sessions):
    """Sessions within it; of its only session, runs of blocks."""
    t = table(n_sessions)
    found = behavior.by_strength(t, by=["subject", "signed_strength"])
    for name, part in t.groupby("subject"):
        alone = behavior.by_strength(part, by=["signed_strength"])
        np.testing.assert_allclose(cells(found, subject=name), cells(alone))
        inner = found[(found.subject == name) & (found.value > 0) & (found.value < 1)]
        assert (inner.low < inner.value).all() and (inner.value < inner.high).all()


def test_the_cells_of_a_session_are_those_of_the_session_alone():
    t = table((3, 2))
    found = behavior.by_strength(t, by=["subject", "session", "signed_strength"])
    agent = behavior.by_strength(
        t[t.subject == "b"].drop(columns="subject"), by=["session", "signed_strength"]
    )
    one = t[(t.subject == "b") & (t.session == 1)]
    alone = cells(behavior.by_strength(one, by=["signed_strength"]))
    np.testing.assert_allclose(cells(found, subject="b", session=1), alone)
    measures = cells(agent.replace("timeouts", "no_go"), session=1)
    np.testing.assert_allclose(measures, alone)
    assert alone.low.notna().any()


def test_a_group_of_one_subject_has_no_interval_and_one_of_three_that_of_three():
    t = table((5,) * 12)
    t["group"] = np.where(t.subject == "a", "one", np.where(t.subject < "e", "three", "many"))
    found = behavior.by_strength(t, by=["group"]).set_index(["group", "measure"])
    row = found.loc[("one", "p_right")]
    assert 0 < row.value < 1 and np.isnan([row.low, row.high]).all()
    alone = behavior.summary(t[t.group == "three"])
    for name in ("correct", "p_right"):
        expected = alone.loc[name, ["value", "low", "high", "n"]]
        got = found.loc[("three", name), ["value", "low", "high", "n"]]
        np.testing.assert_allclose(got.astype(float), expected.astype(float))


def test_sessions_that_subjects_share_by_name_are_of_subjects():
    t = table((3,) * 5)
    shared = behavior.by_strength(t, by=["session"]).query("measure == 'p_right'")
    subjects = t.assign(right=t.choice > 0).query("session == 1").groupby("subject")["right"].mean()
    half = 2.7764451051977987 * subjects.std() / np.sqrt(5)
    row = shared[shared.session == 1].iloc[0]
    assert (row.low, row.high) == pytest.approx((subjects.mean() - half, subjects.mean() + half))
    own = t.assign(session=t.subject + t.session.astype(str))
    found = behavior.by_strength(own, by=["session"])
    one = own[own.session == "b1"]
    alone = behavior.summary(one).loc["p_right"]
    row = found[(found.session == "b1") & (found.measure == "p_right")].iloc[0]
    assert (row.low, row.high) == (alone.low, alone.high)


def test_one_unit_has_no_interval():
    t = table((1,))
    by_block = behavior.by_strength(t, by=["session", "block"])
    assert by_block[["low", "high"]].isna().all().all() and by_block.value.notna().any()
    unknown = behavior.by_strength(table((2,)).drop(columns="block"), by=["subject", "session"])
    assert unknown[["low", "high"]].isna().all().all()
    few = t[t.block < 6]  # six blocks are one run of four
    assert behavior.summary(few)[["low", "high"]].isna().all().all()


@pytest.mark.parametrize("seed", range(20))
def test_no_interval_within_zero_and_one_has_no_width(seed):
    """Any unequal units, and cells that some of them do not have."""
    rng = np.random.default_rng(seed)
    t = table(rng.integers(1, 5, rng.integers(1, 14)), seed, n_trials=int(rng.integers(30, 200)))
    t = t[rng.random(len(t)) < rng.uniform(0.05, 1)]
    t = t[~((t.strength == 1) & (t.subject != "a"))]
    t["drug"] = rng.choice(["x", "y"], 26)[t.subject.map(ord) - 97]
    bys = (["subject"], ["session"], ["drug"], ["block"], ["subject", "drug"], ["strength"])
    tables = [behavior.by_strength(t, by=by) for by in bys]
    tables += [behavior.summary(t), behavior.error_split(t)]
    tables += [behavior.chronometric(t), behavior.after_block_change(t, min_n=1)]
    for found in tables:
        inner = found[found.low.notna()]
        assert (inner.low < inner.high).all()
        assert (inner.low <= inner.value).all() and (inner.value <= inner.high).all()
        fraction = inner[(inner.value > 0) & (inner.value < 1)]
        assert ((fraction.low >= 0) & (fraction.high <= 1)).all() or "strength" in found


def test_every_trial_of_a_cell_is_in_one_pool():
    t = table((3, 1, 2))
    for by in ([], ["subject"], ["session"], ["session", "subject"]):
        found = pools(t, by)
        rows = np.sort(np.concatenate([pool.rows for pool in found]))
        assert (rows == np.arange(len(t))).all()
    assert [len(pools(t, by)) for by in ([], ["subject"], ["session"])] == [1, 3, 1]


@pytest.mark.parametrize("by", [["n"], ["subject", "subject"], ["measure"]])
def test_columns_of_the_result_are_no_cells(by):
    t = table((2,)).assign(n=1, measure="x")
    with pytest.raises(ValueError, match="by must be different columns"):
        behavior.by_strength(t, by=by)
