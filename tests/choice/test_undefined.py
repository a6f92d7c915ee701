"""What is not defined has no p, no interval and no error; what is left out is named."""

import warnings

import numpy as np
import pandas as pd
import pytest

from hrnn import mice
from hrnn.choice.comparison import exceedance
from hrnn.choice.fitting import clustered


def session(seed, n=300, contrasts=(0, 0.0625, 0.125, 0.25, 1.0), **columns):
    """A session of the rig: 90 unbiased trials, then blocks of 40."""
    rng = np.random.default_rng(seed)
    blocks = np.resize(np.repeat([0.2, 0.8], 40), max(n - 90, 0))
    p_left = np.r_[np.full(90, 0.5), blocks][:n]
    side = np.where(rng.random(n) < p_left, -1, 1)
    strength = rng.choice(contrasts, n)
    choice = np.where(rng.random(n) < 0.8, side, -side)
    table = pd.DataFrame(
        {
            "subject": "A",
            "session": seed,
            "trial": np.arange(n),
            "p_left": p_left,
            "block_side": np.sign(0.5 - p_left).astype(int),
            "side": side,
            "strength": strength,
            "signed_strength": side * strength,
            "choice": choice,
            "correct": choice == side,
        }
    )
    return table.assign(**columns)


def joined(*tables):
    return pd.concat(tables, ignore_index=True)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_statistic_that_is_not_defined_has_no_p():
    """No contrast 0; none in blocks of one side; blocks of one side alone; no choice at all."""
    no_zero = session(1, contrasts=(0.5, 1.0), subject="no zero")
    one_side = session(2, subject="one side")
    one_side.loc[one_side.block_side < 0, "strength"] = 1.0
    one_side["signed_strength"] = one_side.side * one_side.strength
    unbiased = session(3, p_left=0.5, block_side=0, subject="unbiased")
    silent = session(4, choice=0, correct=False, subject="silent")
    good = session(5, subject="good")
    table = joined(no_zero, one_side, unbiased, silent, good)
    with pytest.warns(UserWarning, match="'no zero', 'one side', 'silent', 'unbiased'"):
        found = mice.block_following(table, n_pseudo=19).set_index("subject")
    undefined = found.drop(index="good").drop(columns="n")
    assert undefined.isna().all().all() and found.loc["good"].notna().all()
    assert found.loc["one side", "n"] > 0 and found.loc["silent", "n"] == 0


def test_draws_that_are_not_defined_are_not_smaller():
    """Mice that choose at random; few zero-contrast trials leave pseudo-blocks undefined."""
    tables = []
    for seed in range(60):
        table = session(seed, 160, subject=f"m{seed:02}")
        rng = np.random.default_rng(1000 + seed)
        table["choice"] = rng.choice([-1, 1], 160)
        rare = rng.random(160) < 0.85
        table.loc[rare, "strength"] = 1.0
        table["signed_strength"] = table.side * table.strength
        table["correct"] = table.choice == table.side
        tables.append(table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = mice.block_following(joined(*tables), n_pseudo=39)
    defined = found[found.p.notna()]
    assert 10 < len(defined) < 60 and (defined.value.notna()).all()
    assert (defined.p <= 0.05).mean() < 0.05 + 4 * np.sqrt(0.05 * 0.95 / len(defined))


def test_compare_is_of_the_same_subjects_in_every_column():
    a = joined(*(session(i) for i in range(3)))
    alone = mice.compare(a, ["flat", "oracle"])
    b = session(9, subject="B")
    silent = session(8, subject="C", choice=0, correct=False)
    once = joined(session(6, subject="D"), session(7, subject="D", choice=0, correct=False))
    with pytest.warns(UserWarning, match=r"fewer than two sessions: \['B', 'C', 'D'\]"):
        found = mice.compare(joined(b, a, silent, once), ["flat", "oracle"])
    pd.testing.assert_frame_equal(found, alone)
    assert found.attrs["left_out"] == ["B", "C", "D"] and (found.n_subjects == 1).all()
    assert alone.attrs["left_out"] == []
    bits = found.attrs["bits_per_trial"]["oracle"]
    assert bits == {"A": pytest.approx(found.set_index("model").bits_per_trial["oracle"])}
    with pytest.raises(ValueError, match=r"two sessions or more, got none in \['B'\]"):
        mice.compare(b, ["flat"])


class Constant:
    """A model with one P(right), and a parameter that does nothing."""

    def __init__(self, name, p):
        self.name = name
        self.p = p

    def parameters(self, choices):
        return [("idle", 0.0, 1.0)]

    def p_right(self, choices, theta):
        return np.full(len(choices.choice), self.p)


def test_models_that_tie_all_count():
    table = joined(*(session(10 * m + i, subject=f"m{m}") for m in range(3) for i in range(2)))
    both = [Constant("half", 0.5), Constant("half again", 0.5)]
    for models in (both, both[::-1]):
        found = mice.compare(table, models)
        assert found.n_best.tolist() == [3, 3]


@pytest.mark.parametrize(
    "evidence", [[[np.nan, 0.0]], [[-np.inf, -np.inf]], [[np.inf, 0.0]], [0.0], np.empty((0, 2))]
)
def test_exceedance_of_what_is_not_a_number_is_refused(evidence):
    with pytest.raises(ValueError, match="log_evidence"):
        exceedance(evidence)


def test_an_excluded_model_is_never_the_most_frequent():
    assert exceedance([[0.0, -np.inf]] * 8)[0] > 0.98


@pytest.mark.parametrize("n", [40, 300, 2000])
def test_weights_at_infinity_are_flagged(n):
    """A mouse never wrong at contrast 1; the others keep their weights and get errors."""
    table = session(3, n)
    sure = table.strength == 1
    table.loc[sure, "choice"] = table.side[sure]
    table["correct"] = table.choice == table.side
    fitted = mice.fit(table, "history_glm", errors="hessian")
    assert fitted.at_bound[0] and fitted.converged[0]
    assert fitted.se[["left_100", "right_100"]].isna().all().all()
    if n > 40:
        others = fitted.se.drop(columns=["left_100", "right_100"])
        assert others.notna().all().all()
        without = mice.fit(table[~sure], "history_glm", errors="hessian")
        names = ["left_6.25", "right_25"]
        assert fitted.params[names].to_numpy() == pytest.approx(
            without.params[names].to_numpy(), abs=0.5
        )


@pytest.mark.parametrize("model", ["history_glm", "action_kernel", "semi_markov", "psychometric"])
def test_of_a_mouse_that_errs_everywhere_nothing_is_at_a_bound(model):
    table = joined(*(session(i, 1200) for i in range(2)))
    table["choice"] = np.where(
        np.random.default_rng(0).random(len(table))
        < 0.1 + 0.8 / (1 + np.exp(-6 * table.signed_strength - 0.8 * table.block_side)),
        1,
        -1,
    )
    table["correct"] = table.choice == table.side
    fitted = mice.fit(table, model, errors="hessian")
    free = fitted.se.notna().to_numpy().all()
    assert fitted.at_bound[0] == (not free)
    if model == "history_glm":
        assert not fitted.at_bound[0]


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("model", ["history_glm", "action_kernel", "psychometric"])
def test_a_mouse_of_one_side_is_at_a_bound(model, side):
    table = session(4).assign(choice=side)
    table["correct"] = table.choice == table.side
    assert mice.fit(table, model, errors="hessian").at_bound[0]


def test_clustered_errors_count_the_sessions_that_tell():
    """Scores of a contrast that three of twelve sessions have."""
    scores = np.random.default_rng(0).normal(size=(12, 2))
    scores[3:, 1] = 0
    found = np.diag(clustered(np.eye(2), scores))
    expected = [12 / 11 * (scores[:, 0] ** 2).sum(), 3 / 2 * (scores[:, 1] ** 2).sum()]
    assert found == pytest.approx(expected)
    scores[1:, 1] = 0
    assert np.isnan(np.diag(clustered(np.eye(2), scores))[1])


def test_margins_are_students_of_the_sessions_that_tell():
    tables = [session(i, 400) for i in range(6)]
    for table in tables[:4]:
        drop = table.strength == 0.0625
        table.loc[drop, "signed_strength"] *= 2
        table.loc[drop, "strength"] *= 2
    fitted = mice.fit(joined(*tables), "history_glm")
    ratio = fitted.margin / fitted.se
    assert ratio["left_6.25"][0] == pytest.approx(12.7062047)  # of two sessions
    assert ratio["left_25"][0] == pytest.approx(2.5705818)  # of six
