"""Contrasts and P(left) as categories: any number of them, any value, and what fits say of them.

Whatever the table, the log likelihood of a fit is that of the probabilities it returns.
"""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import ndtr

from hrnn import mice
from hrnn.behavior.trials import with_choice
from hrnn.choice.fitting import parameter_names
from hrnn.choice.models import MODELS, PRIOR_MODELS, Repeating, model_of
from hrnn.choice.protocol import completed
from hrnn.choice.regressions import MOST_LEVELS
from hrnn.choice.trials import units

IBL = (0.0, 0.0625, 0.125, 0.25, 1.0)


def any_table(
    lengths=(60, 60, 60),
    contrasts=IBL,
    p_left=(0.2, 0.8),
    block=20,
    unbiased=20,
    no_go=0.05,
    seed=0,
):
    """Sessions of these lengths of a mouse that takes the true side in 4 trials of 5.

    Blocks of one length, whose P(left) are drawn from `p_left`.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for session, n in enumerate(lengths):
        drawn = np.repeat(rng.choice(p_left, n // block + 1), block)
        left = np.r_[np.full(unbiased, 0.5), drawn][:n]
        side = np.where(rng.random(n) < left, -1, 1)
        strength = rng.choice(contrasts, n)
        choice = np.where(rng.random(n) < 0.8, side, -side) * (rng.random(n) >= no_go)
        parts.append(
            pd.DataFrame(
                {
                    "subject": "M",
                    "session": session,
                    "trial": np.arange(n),
                    "p_left": left,
                    "block_side": np.sign(0.5 - left).astype(int),
                    "side": side,
                    "strength": strength,
                    "signed_strength": side * strength,
                    "choice": choice,
                    "correct": choice == side,
                    "timeout": choice == 0,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def one_hot(table):
    """Regressors of the history regression, written once more, from the table's own columns."""
    previous = table.groupby("session")[["choice", "side"]].shift(1, fill_value=0)
    columns = {
        f"{name} {level}": (table.signed_strength == sign * level)
        for level in np.unique(table.strength[table.strength > 0])
        for name, sign in (("left", -1), ("right", 1))
    }
    won = previous.choice == previous.side
    columns |= {"correct": previous.choice * won, "wrong": previous.choice * ~won}
    return pd.DataFrame(columns | {"block": table.block_side, "one": 1}).to_numpy(float)


def said(p_right, table):
    """Log likelihood of the choices under P(right)."""
    chose = (table.choice != 0).to_numpy()
    return np.log(np.where(table.choice > 0, p_right, 1 - p_right)[chose]).sum()


# ---- how many contrasts ----


@pytest.mark.parametrize("n_levels", [1, 5, 15, 16, 17, 20, 30])
def test_the_history_regression_is_at_its_maximum_for_any_number_of_contrasts(n_levels):
    levels = np.round(np.linspace(0, 1, n_levels + 1), 3)
    table = any_table((500,) * 4, levels)
    fitted = mice.fit(table, "history_glm", n_starts=1)
    chose = (table.choice != 0).to_numpy()
    X = one_hot(table)[chose]
    right = (table.choice > 0).to_numpy()[chose]

    def loss(w):
        z = X @ w
        return np.logaddexp(0, z).sum() - right @ z, X.T @ (1 / (1 + np.exp(-z)) - right)

    start = np.zeros(X.shape[1])
    found = minimize(loss, start, jac=True, bounds=[(-15, 15)] * len(start), options={"gtol": 1e-9})
    assert fitted.params.shape[1] == 2 * n_levels + 4
    assert fitted.log_likelihood[0] == pytest.approx(-found.fun, abs=1e-3)
    assert fitted.log_likelihood[0] == pytest.approx(said(fitted.p_right, table), rel=1e-9)


def test_hundreds_of_contrasts_are_right_and_more_are_refused():
    levels = np.round(np.linspace(0, 1, MOST_LEVELS + 1), 6)
    choices = units(any_table((3000,), levels, seed=1), "subject")[1][0]
    model = model_of("history_glm")
    theta = np.random.default_rng(0).normal(size=len(model.parameters(choices)))
    p = model.p_right(choices, theta)
    chosen = np.where(choices.choice > 0, p, 1 - p)[choices.responded]
    assert len(theta) == 2 * MOST_LEVELS + 4
    assert model.evaluate(choices, theta)[0] == pytest.approx(np.log(chosen).sum(), rel=1e-12)
    rng = np.random.default_rng(0)
    for call in (mice.fit, mice.cross_validate):
        with pytest.raises(
            ValueError, match=r"'signed_strength'\] must have at most 300 different"
        ):
            call(any_table((900, 900), np.round(rng.random(2000), 6)), "history_glm")
    with pytest.raises(ValueError, match=r"'p_left'\] must have at most 300 different values"):
        mice.fit(any_table((900,), p_left=rng.random(900).round(6), block=1), "psychometric")


def test_every_contrast_and_every_block_has_a_name_of_its_own():
    levels = (0.06, 0.0611, 0.061111, 0.061112, 0.99999, 0.999991, 1.0)
    blocks = (0.123456, 0.123457, 0.2, 1 - 0.2, 0.0, 1.0)
    table = any_table((600, 600), levels, blocks)
    glm = mice.fit(table, "history_glm", n_starts=1).params.columns
    assert {"left_6", "left_6.11", "right_6.1112", "left_99.9991", "right_100"} <= set(glm)
    assert len(set(glm)) == len(glm) == 2 * len(levels) + 4
    fitted = mice.fit(table, "psychometric", n_starts=1)
    named = [name.removeprefix("mu_") for name in fitted.params if name.startswith("mu_")]
    assert sorted(named) == ["0", "0.123456", "0.123457", "0.2", "0.5", "0.8", "1"]
    assert len(fitted.theta(0)) == fitted.params.shape[1] == 28


def test_one_block_in_two_ways_of_rounding_is_one():
    table = any_table()
    table.loc[table.session == 1, "p_left"] = 1 - (1 - table.p_left)  # .2 is .19999999999999996
    assert table.p_left.nunique() > 3
    names = mice.fit(table, "psychometric", n_starts=1).params.columns
    assert [name for name in names if name.startswith("mu")] == ["mu_0.8", "mu_0.5", "mu_0.2"]


def test_two_parameters_of_one_name_are_refused():
    _, (choices,), _ = units(any_table(), "subject")
    contrast = choices.contrast.copy()
    contrast[contrast == 0.25] += 1e-13 * (np.arange((contrast == 0.25).sum()) % 2)
    twins = dataclasses.replace(choices, contrast=contrast)
    with pytest.raises(ValueError, match=re.escape("different names, got 'left_25' twice")):
        parameter_names(model_of("history_glm"), twins)


# ---- the likelihood is that of the probabilities ----

OPTIONS = [
    {},
    {"lapses": 2},
    {"zetas": 2},
    {"repetition": True},
    {"bias": True},
    {"lapses": 2, "zetas": 2, "repetition": True, "bias": True},
]
MADE = [model_of(name, **(OPTIONS[-1] if name in PRIOR_MODELS else {})) for name in MODELS]
MADE += [model_of("action_kernel", **options) for options in OPTIONS[:-1]]
MADE += [Repeating()]
TABLES = {
    "IBL": {},
    "17 contrasts": {"contrasts": np.round(np.linspace(0, 1, 18), 3)},
    "40 contrasts": {"contrasts": np.round(np.linspace(0.01, 1, 40), 3), "lengths": (400,)},
    "one contrast": {"contrasts": (1.0,)},
    "contrast 0 alone": {"contrasts": (0.0,)},
    "strengths of an agent": {"contrasts": (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)},
    "blocks .3 .7": {"p_left": (0.3, 0.7)},
    "certain blocks": {"p_left": (0.0, 1.0)},
    "odd blocks": {"p_left": (0.123, 0.5, 1.0), "unbiased": 0},
    "unbiased": {"p_left": (0.5,)},
    "blocks of one trial": {"block": 1, "unbiased": 0},
    "no unbiased start": {"unbiased": 0},
    "short sessions": {"lengths": (1, 2, 5, 1, 30)},
    "one trial": {"lengths": (1,), "no_go": 0},
    "many no-gos": {"no_go": 0.7},
}


def tables():
    """The tables by name; and such in which the mouse chose one side, or was never wrong."""
    for name, given in TABLES.items():
        yield name, any_table(**given)
    table = any_table()
    yield "one side", with_choice(table, np.abs(table.choice))
    yield "all correct", with_choice(table, table.side)


def choices_of():
    return [pytest.param(units(table, "subject")[1][0], id=name) for name, table in tables()]


def points(model, choices, n=3):
    """Parameters within the box of the starts, at its ends, and between it and the bounds."""
    rng = np.random.default_rng(0)
    boxes = model.parameters(choices)
    low = np.array([p.start_low for p in boxes])
    high = np.array([p.start_high for p in boxes])
    inner = [low + rng.random(len(boxes)) * (high - low) for _ in range(n)]
    ends = [np.array([p.low for p in boxes]), np.array([p.high for p in boxes])]
    return [*inner, *(0.9 * inner[0] + 0.1 * end for end in ends)]


def by_difference(function, at, step=1e-6):
    """Derivatives (P, ...) of a function by central differences."""
    steps = step * np.maximum(np.abs(at), 0.1)
    moved = [
        (function(at + size * unit) - function(at - size * unit)) / (2 * size)
        for size, unit in zip(steps, np.eye(len(at)), strict=True)
    ]
    return np.array(moved)


@pytest.mark.parametrize("choices", choices_of())
@pytest.mark.parametrize("model", MADE, ids=lambda m: f"{m.name} {vars(m) or ''}")
def test_value_slopes_scores_and_doubles_are_those_of_the_probabilities(model, choices):
    right = choices.choice > 0

    def value_of(p):
        chosen = np.where(right, p, 1 - p)[choices.responded]
        assert (chosen > 0).all()
        return np.log(chosen).sum()

    for theta in points(model, choices):
        p = model.p_right(choices, theta)
        assert ((p >= 0) & (p <= 1)).all()
        value, gradient, information = model.evaluate(choices, theta)
        rounding = (4e-16 / np.where(right, p, 1 - p)[choices.responded]).sum()
        assert value == pytest.approx(value_of(p), rel=1e-9, abs=1e-12 + rounding)
        least = np.where(right, p, 1 - p)[choices.responded].min()
        if least > 1e-11:
            assert model.log_likelihood(choices, theta) == pytest.approx(
                value, rel=1e-9, abs=1e-12 + rounding
            )
        scores = model.scores(choices, theta)
        np.testing.assert_allclose(scores.sum(axis=0), gradient, rtol=1e-8, atol=1e-8)
        assert np.linalg.eigvalsh(information).min() > -1e-9 * max(np.abs(information).max(), 1)
        uniforms = np.random.default_rng(1).random(len(p))
        made = model.simulate(choices, theta, uniforms)
        again = choices.with_choice(made)
        expected = np.where(uniforms < model.p_right(again, theta), 1, -1) * choices.responded
        assert (made == expected).all()
    theta = points(model, choices)[0]
    slopes = by_difference(lambda at: model.evaluate(choices, at)[0], theta)
    expected = model.evaluate(choices, theta)[1]
    np.testing.assert_allclose(slopes, expected, rtol=1e-4, atol=1e-4 * (1 + np.abs(slopes).max()))


@pytest.mark.parametrize(("name", "table"), [pytest.param(*one, id=one[0]) for one in tables()])
def test_every_fit_reports_the_likelihood_of_the_probabilities_it_returns(name, table):
    for model in MODELS:
        fitted = mice.fit(table, model, n_starts=1)
        rounding = 1e-9
        assert np.isfinite(fitted.log_likelihood).all() and np.isfinite(fitted.p_right).all()
        assert fitted.log_likelihood[0] == pytest.approx(
            said(fitted.p_right, table), rel=1e-9, abs=rounding
        )
        k = len(fitted.theta(0))
        assert fitted.aic[0] == pytest.approx(2 * k - 2 * fitted.log_likelihood[0])


# ---- a user's model ----


class Two:
    """P(right) and a log likelihood of one's own, `off` by something."""

    name = "two"
    parameters = [("rate", 0.1, 0.9)]

    def __init__(self, off=0.0):
        self.off = off

    def p_right(self, choices, theta):
        return np.full(len(choices.choice), theta[0])

    def log_likelihood(self, choices, theta):
        right = (choices.choice > 0).sum()
        return right * np.log(theta[0]) + (choices.n - right) * np.log1p(-theta[0]) + self.off


def test_a_likelihood_that_is_not_that_of_p_right_is_refused():
    table = any_table()
    fitted = mice.fit(table, Two(), n_starts=1)
    assert fitted.log_likelihood[0] == pytest.approx(said(fitted.p_right, table), rel=1e-9)
    with pytest.raises(ValueError, match="of model 'two' must be that of its p_right"):
        mice.fit(table, Two(3.0), n_starts=1)


class Certain:
    """Takes the side with certainty, or is of no use."""

    name = "certain"
    parameters = [("at", 0.0, 1.0)]

    def p_right(self, choices, theta):
        return (choices.contrast > theta[0]).astype(float)


def test_probabilities_of_0_and_1_are_held_away_from_them():
    table = any_table()
    fitted = mice.fit(table, Certain(), n_starts=2)
    assert set(fitted.p_right) == {1e-12, 1 - 1e-12}
    assert fitted.log_likelihood[0] == pytest.approx(said(fitted.p_right, table), rel=1e-9)
    _, (choices,), _ = units(table, "subject")
    assert completed(Certain()).log_likelihood(choices, fitted.theta(0)) == fitted.log_likelihood[0]


# ---- left-out sessions ----


def test_contrasts_and_blocks_of_left_out_sessions_alone_have_middling_parameters():
    table = any_table((80, 80, 80))
    odd = table.session == 2
    other = {"strength": 0.5, "signed_strength": table.side * 0.5, "p_left": 0.3, "block_side": 1}
    table.loc[odd, list(other)] = pd.DataFrame(other, index=table.index)[odd]
    for model in ("history_glm", "psychometric"):
        found = mice.cross_validate(table, model, n_folds=3, n_starts=1)
        assert np.isfinite(found[["log_likelihood", "coin"]]).all(axis=None)
    unseen = table[odd & (table.choice != 0)]
    train = mice.fit(table[~odd], "psychometric", n_starts=1)
    assert "mu_0.3" not in train.params
    p = 0.15 + 0.7 * ndtr(unseen.signed_strength / 0.415)
    expected = np.log(np.where(unseen.choice > 0, p, 1 - p)).sum()
    assert found.log_likelihood[2] == pytest.approx(expected, rel=1e-9)


def test_a_coin_that_never_showed_a_side_may_yet():
    table = any_table((60, 60), no_go=0)
    table = with_choice(table, np.where(table.session == 0, 1, table.choice))
    found = mice.cross_validate(table, "flat", n_folds=2, n_starts=1)
    assert np.isfinite(found.coin).all()
    n_right = (table.choice[table.session == 1] > 0).sum()
    expected = n_right * np.log(1 - 0.5 / 60) + (60 - n_right) * np.log(0.5 / 60)
    assert found.coin[1] == pytest.approx(expected)
