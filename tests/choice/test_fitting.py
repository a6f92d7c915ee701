"""Models of choice: every likelihood against its twin, fits against SciPy, recovery with coverage.

Comparison, nulls, bad input.
"""

import dataclasses
import os
import sys

import numpy as np
import pandas as pd
import pytest
import reference_choice as twin
from scipy.optimize import minimize

import hrnn
from hrnn import mice
from hrnn.behavior import with_choice
from hrnn.choice import variation
from hrnn.choice.fitting import climb, fit_units
from hrnn.choice.maximise import hessian, maximise
from hrnn.choice.models import (
    IBL_TASK,
    MODELS,
    PRIOR_MODELS,
    Repeating,
    model_of,
    semi_markov_prior,
)
from hrnn.choice.trials import units

TRUTH = {"zeta": 0.2, "lapse": 0.1, "alpha": 0.2}


def table_of(n_subjects=1, n_sessions=6, seed=0, task=None):
    """Trials of the rig's task with choices of nobody in particular.

    Some trials without a choice.
    """
    rng = np.random.default_rng(seed)
    task = task or hrnn.Task.preset("ibl", contrast_gain=1.0)
    parts = []
    for k in range(n_subjects):
        t = hrnn.rollout(
            hrnn.BayesianActor("none"), task.sample(n_sessions=n_sessions, rng=rng)
        ).trials
        side = t.side.to_numpy()
        choice = np.where(rng.random(len(t)) < 0.8, side, -side) * (rng.random(len(t)) > 0.05)
        parts.append(
            t.assign(subject=f"s{k}", choice=choice, correct=choice == side, timeout=choice == 0)
        )
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def table():
    return table_of()


@pytest.fixture(scope="module")
def choices(table):
    return units(table, "subject")[1][0]


def rows_of(choices):
    names = ("session", "choice", "side", "previous", "contrast")
    rows = zip(
        *(getattr(choices, name).tolist() for name in names),
        (choices.block_side != 0).tolist(),
        strict=True,
    )
    return [dict(zip((*names, "biased"), row, strict=True)) for row in rows]


def middle(model, choices):
    return np.array([0.4 * p.start_low + 0.6 * p.start_high for p in model.parameters(choices)])


# ---- likelihoods ---------------------------------------------------------------------------------
# ------------------


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_those_of_differences_and_values_those_of_the_predictions(choices, name):
    model = model_of(name)
    theta = middle(model, choices)
    value, gradient, information = model.evaluate(choices, theta)
    p = model.p_right(choices, theta)
    chosen = np.where(choices.choice > 0, p, 1 - p)[choices.responded]
    assert value == pytest.approx(np.log(chosen).sum(), rel=1e-10)
    ends = [
        [model.evaluate(choices, theta + s * d)[0] for d in 1e-5 * np.eye(len(theta))]
        for s in (1, -1)
    ]
    np.testing.assert_allclose(gradient, np.subtract(*ends) / 2e-5, rtol=2e-4, atol=2e-3)
    assert np.linalg.eigvalsh(information).min() > -1e-9 * np.abs(information).max()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lapses": 2},
        {"zetas": 2},
        {"bias": True},
        {"lapses": 2, "zetas": 2, "repetition": True, "bias": True},
    ],
)
def test_options_of_the_decision_stage(choices, options):
    model = model_of("action_kernel", **options)
    names = [p.name for p in model.parameters(choices)]
    theta = middle(model, choices)
    value = dict(zip(names, theta, strict=True))
    zeta = [value.get("zeta_left", value.get("zeta")), value.get("zeta_right", value.get("zeta"))]
    lapse = [
        value.get("lapse_left", value.get("lapse")),
        value.get("lapse_right", value.get("lapse")),
    ]
    rows = rows_of(choices)
    p = twin.p_right(
        rows,
        twin.action_kernel(rows, value["alpha"]),
        zeta,
        lapse,
        value.get("repetition", 0.0),
        value.get("bias", 0.0),
    )
    assert (value.get("bias", 1.0) != 0) and ("bias" in value) == options.get("bias", False)
    np.testing.assert_allclose(model.p_right(choices, theta), p, atol=1e-12)


def test_semi_markov_prior_is_that_of_a_dense_filter(choices):
    """State (block, age) as one matrix.

    Unbiased trials are ½, trials without a choice freeze it.
    """
    task = IBL_TASK
    hazard = task.block_length_hazard()
    most = task.block_max
    step = np.zeros((2 * most, 2 * most))  # index: block * most + age - 1
    for b in (0, 1):
        for age in range(1, most + 1):
            step[(1 - b) * most, b * most + age - 1] += hazard[age]
            if age < most:
                step[b * most + age, b * most + age - 1] += 1 - hazard[age]
    p = task.p_block
    emission = {s: np.repeat([p if s < 0 else 1 - p, p if s > 0 else 1 - p], most) for s in (-1, 1)}
    expected = []
    state = None
    for i in range(len(choices.choice)):
        if choices.first[i]:
            state = np.zeros(2 * most)
            state[[0, most]] = 0.5
        expected.append(0.5 if choices.block_side[i] == 0 else emission[1] @ state)
        if choices.choice[i] and choices.block_side[i]:
            state = step @ (state * emission[choices.side[i]])
            state /= state.sum()
    np.testing.assert_allclose(semi_markov_prior(choices), expected, atol=1e-12)


def test_sessions_that_start_in_a_block_are_biased_from_the_first_trial(table):
    biased = table[table.block_side != 0]
    trials = units(biased, "subject")[1][0]
    prior = semi_markov_prior(trials)
    first = np.flatnonzero(trials.first)
    np.testing.assert_allclose(prior[first], 0.5)
    assert np.abs(prior[first + 1] - 0.5)[trials.responded[first]].min() > 0.1


def test_the_observers_blocks_last_up_to_100_trials():
    pmf = IBL_TASK.block_length_pmf()
    assert (
        len(pmf) == 101
        and (pmf > 0).sum() == 81
        and pmf[50] / pmf[51] == pytest.approx(np.exp(1 / 60))
    )


def test_history_of_the_glm_begins_anew_in_every_session(choices):
    X = model_of("history_glm").design(choices)
    correct, wrong, block, one = X[:, -4:].T
    assert (
        (correct[choices.first] == 0).all()
        and (wrong[choices.first] == 0).all()
        and (one == 1).all()
    )
    np.testing.assert_array_equal(block, choices.block_side)
    later = np.flatnonzero(~choices.first)
    right = choices.choice[later - 1] == choices.side[later - 1]
    np.testing.assert_array_equal(correct[later], np.where(right, choices.choice[later - 1], 0))
    np.testing.assert_array_equal(wrong[later], np.where(right, 0, choices.choice[later - 1]))
    assert X[:, :-4].sum(1) == pytest.approx((choices.contrast != 0).astype(float))


def test_the_published_window_contains_the_present(choices):
    leaky, right = (model_of(name) for name in ("exponential_with_current_trial", "exponential"))
    theta = middle(right, choices)
    gap = (leaky.prior(choices, theta) - right.prior(choices, theta)) * choices.side
    assert (gap[choices.responded] > 0).all() and leaky.evaluate(choices, theta)[
        0
    ] != right.evaluate(choices, theta)[0]


# ---- the search ----------------------------------------------------------------------------------
# ------------------


@pytest.mark.parametrize("name", ["action_kernel", "markov", "exponential", "history_glm"])
def test_the_maximum_is_that_of_scipy(choices, name):
    model = model_of(name)
    fitted = mice.fit(table_of(), name, n_starts=3)
    low, high = (
        np.array([getattr(p, end) for p in model.parameters(choices)]) for end in ("low", "high")
    )
    found = minimize(
        lambda t: [-x for x in model.evaluate(choices, t)[:2]],
        middle(model, choices),
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([low, high]),
        options={"ftol": 1e-13, "gtol": 1e-7, "maxiter": 2000},
    )
    assert fitted.converged.all() and fitted.log_likelihood[0] >= -found.fun - 1e-4
    assert fitted.log_likelihood[0] == pytest.approx(-found.fun, abs=2e-3)


def test_history_glm_is_that_of_scikit_learn(choices, table):
    from sklearn.linear_model import LogisticRegression

    model = model_of("history_glm")
    X = model.design(choices)[choices.responded]
    y = choices.choice[choices.responded] > 0
    found = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(mice.fit(table, "history_glm").theta(0), found.coef_[0], atol=2e-4)


def test_psychometric_is_that_of_its_own_module(table):
    rng = np.random.default_rng(0)
    drawn = np.where(rng.normal(table.signed_strength, 0.2) + 0.1 * table.block_side > 0, 1, -1)
    table = with_choice(table, drawn * table.choice.abs())
    fitted = mice.fit(table, "psychometric", n_starts=5)
    alone = hrnn.psychometric.psychometric(table)
    assert fitted.log_likelihood[0] == pytest.approx(alone.log_likelihood.sum(), abs=0.01)


def test_a_search_holds_to_its_bounds_and_says_when_it_has_not_come_to_an_end(monkeypatch):
    bowl = lambda t: (-((t - 2) ** 2).sum(), -2 * (t - 2), 2 * np.eye(2))  # noqa: E731
    found = maximise(bowl, np.zeros(2), np.zeros(2), np.array([1.0, 5.0]))
    assert (
        found.theta == pytest.approx([1, 2], abs=1e-5)
        and found.converged
        and found.information[0, 0] == 0
    )
    slope = lambda t: (t.sum(), np.ones(1), np.full((1, 1), 1e-12))  # noqa: E731
    assert maximise(slope, np.zeros(1), np.zeros(1), np.ones(1)).theta[0] == 1
    monkeypatch.setattr(sys.modules["hrnn.choice.maximise"], "MAX_STEPS", 1)
    assert not maximise(bowl, np.zeros(2), np.zeros(2), np.array([5.0, 5.0])).converged
    quartic = lambda t: (-(t**4).sum(), -4 * t**3, np.diag(12 * t**2))  # noqa: E731
    np.testing.assert_allclose(
        hessian(
            quartic, np.ones(2), np.eye(2) * 1e4, -np.ones(2) * 9, np.ones(2) * 9, np.ones(2, bool)
        ),
        -12 * np.eye(2),
        rtol=1e-4,
    )


def test_lapses_that_nearly_vanish_are_no_trap():
    """Nearly faultless choices.

    A single start finds what ten find, and what is best lies inside the bounds.
    """
    run = hrnn.rollout(
        hrnn.BayesianActor(),
        hrnn.Task.preset("ibl").replace(n_blocks=15).sample(n_sessions=10, rng=4),
    )
    one, ten = (mice.fit(run, "action_kernel", n_starts=n) for n in (1, 10))
    assert one.log_likelihood[0] == pytest.approx(ten.log_likelihood[0], abs=0.01)
    assert ten.agreement[0] == 1 and 0.002 < ten.params.lapse[0] < 0.05


@pytest.mark.parametrize("name", ["four_alpha", "exponential"])
def test_every_start_ends_at_the_best(name):
    found = mice.fit(table_of(3, n_sessions=4), name, n_starts=6)
    assert found.agreement.min() >= 0.5 and found.converged.all()


def simulated(n=40, seed=0, model="action_kernel", truth=None, **options):
    """n subjects that are the model, each in trials of its own.

    (Fit that holds the truth, table).
    """
    table = table_of(n, n_sessions=5, seed=seed)
    fitted = mice.fit(table, model, n_starts=1, **options)
    truth = truth or TRUTH
    params = pd.DataFrame({name: [truth[name]] * n for name in fitted.params})
    return dataclasses.replace(fitted, params=params)


@pytest.mark.slow
def test_parameters_are_recovered_and_intervals_cover_at_their_rate():
    """200 simulated mice; within the binomial bound (.001) of 95 %."""
    found = mice.recover(simulated(200), between_sessions=False, n_starts=1)
    for name, part in found.groupby("parameter"):
        assert part.estimate.mean() == pytest.approx(TRUTH[name], rel=0.05)
        assert 178 <= part.covered.sum() <= 200, name


@pytest.mark.parametrize(
    "model, truth",
    [
        (
            "four_alpha",
            {
                "zeta": 0.25,
                "lapse": 0.05,
                "alpha_chosen_correct": 0.3,
                "alpha_chosen_wrong": 0.1,
                "alpha_other_correct": 0.2,
                "alpha_other_wrong": 0.15,
            },
        ),
        ("stimulus_kernel", TRUTH),
        ("markov", {"zeta": 0.2, "lapse": 0.1, "hazard": 0.05}),
        ("semi_markov", {"zeta": 0.2, "lapse": 0.1}),
    ],
)
def test_other_models_are_recovered_too(model, truth):
    found = mice.recover(
        simulated(12, model=model, truth=truth), between_sessions=False, n_starts=2
    )
    for name, part in found.groupby("parameter"):
        assert part.estimate.mean() == pytest.approx(
            truth[name], abs=4 * part.se.mean() / np.sqrt(12) + 0.01
        ), name


def test_repetition_bias_and_two_lapses_are_recovered():
    truth = {
        "zeta_left": 0.15,
        "zeta_right": 0.3,
        "lapse_left": 0.05,
        "lapse_right": 0.2,
        "repetition": 0.15,
        "bias": -0.3,
    }
    truth["alpha"] = 0.2
    made = simulated(12, truth=truth, lapses=2, zetas=2, repetition=True, bias=True)
    found = mice.recover(made, between_sessions=False, n_starts=2)
    for name, part in found.groupby("parameter"):
        assert part.estimate.mean() == pytest.approx(
            truth[name], abs=max(0.04, 4 * part.se.mean() / np.sqrt(12))
        ), name


@pytest.mark.parametrize("model", ["action_kernel", "semi_markov"])
def test_a_bias_is_told_from_a_prior(model):
    """A mouse without bias has none; both ways to simulate take the bias into account."""
    for bias in (0.0, 0.4):
        made = simulated(8, model=model, truth=TRUTH | {"bias": bias}, bias=True)
        found = mice.recover(made, between_sessions=False, n_starts=2)
        part = found[found.parameter == "bias"]
        assert part.estimate.mean() == pytest.approx(bias, abs=4 * part.se.mean() / np.sqrt(8))


def test_history_of_a_simulated_glm_is_its_own():
    fitted = mice.fit(table_of(12, n_sessions=6), "history_glm")
    truth = fitted.params.copy()
    truth["previous_correct"] = 0.8
    truth["previous_wrong"] = -0.5
    found = (
        mice.recover(dataclasses.replace(fitted, params=truth), between_sessions=False, n_starts=1)
        .groupby("parameter")
        .estimate.mean()
    )
    assert found["previous_correct"] == pytest.approx(0.8, abs=0.1) and found[
        "previous_wrong"
    ] == pytest.approx(-0.5, abs=0.15)


def test_simulated_choices_follow_the_predicted_probabilities(choices):
    """Given the choices that were made before, each is right as often as the model says.

    None where there was none.
    """
    model = model_of("four_alpha")
    theta = np.array([0.3, 0.1, 0.3, 0.1, 0.2, 0.15])
    made = choices.with_choice(
        model.simulate(choices, theta, np.random.default_rng(0).random(len(choices.choice)))
    )
    assert ((made.choice == 0) == (choices.choice == 0)).all()
    p = model.p_right(made, theta)[made.responded]
    right = made.choice[made.responded] > 0
    for low in np.arange(0, 1, 0.2):
        inside = (p >= low) & (p < low + 0.2)
        assert right[inside].mean() == pytest.approx(
            p[inside].mean(), abs=4 * 0.5 / np.sqrt(inside.sum())
        )


# ---- standard errors
# -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_scores_of_sessions_add_up(choices, name):
    model = model_of(name)
    theta = middle(model, choices)
    scores = model.scores(choices, theta)
    _, gradient, information = model.evaluate(choices, theta)
    assert len(scores) == choices.n_sessions == 6
    atol = 1e-8 * np.sqrt(np.abs(information).max())
    np.testing.assert_allclose(scores.sum(0), gradient, rtol=1e-8, atol=atol)


@pytest.mark.parametrize("name", ["four_alpha", "semi_markov_free", "history_glm", "psychometric"])
def test_scores_of_sessions_are_differences_of_their_predictions(choices, name):
    model = model_of(name)
    theta = middle(model, choices)

    def of_sessions(theta):
        p = model.p_right(choices, theta)
        each = np.log(np.where(choices.choice > 0, p, 1 - p)) * choices.responded
        return np.array([each[rows].sum() for rows in choices.sessions])

    scores = model.scores(choices, theta)
    for k, shift in enumerate(1e-5 * np.eye(len(theta))):
        slope = (of_sessions(theta + shift) - of_sessions(theta - shift)) / 2e-5
        np.testing.assert_allclose(scores[:, k], slope, rtol=1e-3, atol=1e-3)


def test_clustered_errors_of_the_glm_are_those_of_the_regression(table, choices):
    """`regression.logistic` has the factor (n - 1)/(n - K) besides."""
    from hrnn.statistics.regression import logistic

    fitted = mice.fit(table, "history_glm")
    X = model_of("history_glm").design(choices)[choices.responded]
    right = choices.choice[choices.responded] > 0
    found = logistic(X, right.astype(float), choices.session[choices.responded])
    factor = np.sqrt((len(X) - 1) / (len(X) - X.shape[1]))
    np.testing.assert_allclose(factor * fitted.se.iloc[0], found.se, rtol=1e-3)
    assert (fitted.errors, fitted.n_sessions[0]) == ("session", 6)


@pytest.fixture(scope="module")
def kernel():
    """Trials whose choices an action kernel made."""
    table = table_of()
    truth = dataclasses.replace(mice.fit(table, n_starts=1), params=pd.DataFrame([TRUTH]))
    return with_choice(table, mice.simulate(truth, rng=0)[0].choice)


def test_clustered_errors_of_a_prior_model_are_those_of_differences(kernel):
    """The sandwich from second and first differences of the sessions' log likelihoods."""
    choices = units(kernel, "subject")[1][0]
    fitted = mice.fit(kernel, "action_kernel")
    model = model_of("action_kernel")
    theta = fitted.theta(0)
    step = 1e-4 * np.eye(3)

    def of_sessions(theta):
        p = model.p_right(choices, theta)
        each = np.log(np.where(choices.choice > 0, p, 1 - p)) * choices.responded
        return np.array([each[rows].sum() for rows in choices.sessions])

    scores = np.stack([(of_sessions(theta + d) - of_sessions(theta - d)) / 2e-4 for d in step], 1)
    second = [
        [
            (
                of_sessions(theta + d + e)
                - of_sessions(theta + d - e)
                - of_sessions(theta - d + e)
                + of_sessions(theta - d - e)
            ).sum()
            / 4e-8
            for e in step
        ]
        for d in step
    ]
    bread = np.linalg.inv(second)
    expected = np.sqrt(np.diag(bread @ (6 / 5 * scores.T @ scores) @ bread))
    np.testing.assert_allclose(fitted.se.iloc[0], expected, rtol=0.01)
    plain = mice.fit(kernel, "action_kernel", errors="hessian")
    np.testing.assert_allclose(plain.se.iloc[0], np.sqrt(-np.diag(bread)), rtol=0.01)


def test_intervals_are_those_of_students_t_and_one_session_has_none(kernel):
    from scipy.stats import t

    fitted = mice.fit(kernel, "flat", n_starts=1)
    np.testing.assert_allclose(fitted.margin, t.ppf(0.975, 5) * fitted.se, rtol=1e-10)
    plain = mice.fit(kernel, "flat", n_starts=1, errors="hessian")
    np.testing.assert_allclose(plain.margin, 1.959964 * plain.se, rtol=1e-6)
    alone = kernel[kernel.session == kernel.session[0]]
    fitted = mice.fit(alone, "flat", n_starts=1)
    assert fitted.se.isna().all(axis=None) and fitted.margin.isna().all(axis=None)
    assert mice.fit(alone, "flat", n_starts=1, errors="hessian").se.notna().all(axis=None)


def test_what_a_single_session_tells_of_has_no_clustered_error(table):
    """Contrast .0625 on the left in one session alone."""
    rare = (table.signed_strength == -0.0625) & (table.session != table.session[0])
    fitted = mice.fit(table[~rare], "history_glm")
    assert fitted.se.columns[fitted.se.isna().iloc[0]].tolist() == ["left_6.25"]


# ---- sessions that differ
# ------------------------------------------------------------------------------------------

SPREAD = np.diag([0.05, 0.04, 0.08]) ** 2  # of zeta, lapse and alpha between sessions


def many_sessions(n, seed=0):
    """Trials of n short sessions of one subject, as Choices."""
    task = hrnn.Task.preset("ibl", contrast_gain=1.0).replace(n_blocks=3)
    return units(table_of(1, n_sessions=n, seed=seed, task=task), "subject")[1][0]


def test_how_sessions_differ_is_found_again():
    model = model_of("action_kernel")
    theta = np.array(list(TRUTH.values()))
    choices = many_sessions(300)
    random = np.random.default_rng(0)
    for spread, low, high in ((SPREAD, 0.75, 1.25), (np.zeros((3, 3)), 0, 0)):
        made = variation.varied(model, choices, theta, spread, random)
        best = fitted_to([made], "hessian").theta(0)
        found = np.sqrt(np.diag(variation.between_sessions(model, made, best)))
        planted = np.sqrt(np.diag(spread))
        assert (found >= low * planted).all() and (found <= high * planted + 0.02).all(), found


def test_sessions_are_simulated_with_their_own_parameters(choices):
    """Sessions with one theta and with another are what each theta alone gives there."""
    uniforms = np.random.default_rng(0).random(len(choices.choice))
    for name in (
        "action_kernel",
        "four_alpha",
        "markov",
        "semi_markov_free",
        "history_glm",
        "psychometric",
    ):
        options = (
            {}
            if name in ("history_glm", "psychometric")
            else {"lapses": 2, "repetition": name == "markov"}
        )
        model = model_of(name, **options)
        one = middle(model, choices)
        two = one + 0.1 * (np.array([p.start_high for p in model.parameters(choices)]) - one)
        made = model.simulate(choices, np.stack([one, two] * 3), uniforms)
        apart = [model.simulate(choices, theta, uniforms) for theta in (one, two)]
        for k, rows in enumerate(choices.sessions):
            np.testing.assert_array_equal(made[rows], apart[k % 2][rows])
        assert (apart[0] != apart[1]).any()


@pytest.mark.slow
def test_clustered_intervals_cover_where_sessions_differ_and_those_of_the_hessian_do_not():
    """200 mice of 12 sessions; the truth is the fit to all of them together.

    178 is the binomial bound (.001) of 95 %.
    """
    model = model_of("action_kernel")
    theta = np.array(list(TRUTH.values()))
    choices = many_sessions(200 * 12)
    random = np.random.default_rng(1)
    made = variation.varied(model, choices, theta, SPREAD, random)
    truth = fitted_to([made], "hessian").theta(0)
    each = [
        made.select(slice(made.sessions[k].start, made.sessions[k + 11].stop))
        for k in range(0, 2400, 12)
    ]
    covered = {}
    for errors in ("session", "hessian"):
        found = fitted_to(each, errors)
        covered[errors] = (np.abs(found.params - truth) <= found.margin).sum()
    assert (covered["session"] >= 178).all(), covered
    assert (covered["hessian"] < 178).all() and (
        covered["hessian"][["zeta", "alpha"]] < 160
    ).all(), covered


def fitted_to(trials, errors):
    """The action kernel's fit to Choices of several subjects."""
    names = pd.DataFrame({"subject": range(len(trials))})
    options = {"lapses": 1, "zetas": 1, "repetition": False, "bias": False}
    ends = np.cumsum([0, *(len(c.choice) for c in trials)])
    rows = [np.arange(start, end) for start, end in zip(ends[:-1], ends[1:], strict=True)]
    return fit_units(
        "action_kernel",
        options,
        names,
        trials,
        rows,
        errors=errors,
        n_starts=1,
        n_threads=1,
        progress=False,
        rng=0,
    )


@pytest.mark.slow
def test_recovery_with_sessions_that_differ_shows_errors_that_are_too_small():
    model = model_of("action_kernel")
    theta = np.array(list(TRUTH.values()))
    random = np.random.default_rng(2)
    made = [
        variation.varied(model, many_sessions(12, seed), theta, 2 * SPREAD, random)
        for seed in range(15)
    ]
    covered = {
        errors: mice.recover(fitted_to(made, errors), n_repeats=4, n_starts=1).covered.mean()
        for errors in ("session", "hessian")
    }
    assert covered["session"] > 0.88 and covered["hessian"] < covered["session"] - 0.1, covered


def test_one_session_does_not_tell_how_sessions_differ(choices):
    alone = fitted_to([choices.select(choices.sessions[0])], "hessian")
    with pytest.raises(ValueError, match="two sessions or more in every unit"):
        mice.recover(alone)
    assert len(mice.recover(alone, between_sessions=False, n_starts=1)) == 3


# ---- what a fit says
# -----------------------------------------------------------------------------------------------


def test_a_fit_adds_up(table):
    found = mice.fit(table, "action_kernel")
    n = found.n_trials[0]
    k = 3
    assert n == (table.choice != 0).sum()
    rate = (table.choice > 0).sum() / n
    coin = n * (rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    assert found.bits_per_trial[0] == pytest.approx(
        (found.log_likelihood[0] - coin) / n / np.log(2)
    )
    assert (found.aic[0], found.bic[0]) == pytest.approx(
        (2 * k - 2 * found.log_likelihood[0], k * np.log(n) - 2 * found.log_likelihood[0])
    )
    assert found.accuracy[0] == pytest.approx(np.exp(found.log_likelihood[0] / n))
    chosen = np.where(table.choice > 0, found.p_right, 1 - found.p_right)[table.choice != 0]
    assert np.log(chosen).sum() == pytest.approx(found.log_likelihood[0])
    assert found.prior[0] == 0.5 and np.isfinite(found.prior).all()
    assert found.to_frame().columns[:7].tolist() == [
        "subject",
        "zeta",
        "lapse",
        "alpha",
        "se_zeta",
        "se_lapse",
        "se_alpha",
    ]


def test_the_order_of_subjects_and_rows_and_threads_change_nothing():
    table = table_of(3, n_sessions=3)
    one = mice.fit(table, "action_kernel", n_starts=3)
    shuffled = table.iloc[
        np.r_[
            np.arange(len(table))[(table.subject == "s2").to_numpy()],
            np.flatnonzero(table.subject != "s2"),
        ]
    ]
    two = mice.fit(shuffled, "action_kernel", n_starts=3, n_threads=2)
    pd.testing.assert_frame_equal(one.to_frame(), two.to_frame(), check_exact=True)
    again = shuffled.index.to_numpy()
    np.testing.assert_array_equal(one.prior[again], two.prior)


def test_by_session_and_pooled():
    table = table_of(2, n_sessions=3)
    each = mice.fit(table, "flat", by="session", errors="hessian", n_starts=1)
    pooled = mice.fit(table, "flat", by="pooled", n_starts=1)
    assert (
        len(each.names) == 6
        and list(each.names) == ["subject", "session"]
        and len(pooled.names) == 1
    )
    middle_ = mice.fit(table, "flat", n_starts=1).log_likelihood.sum()
    assert each.log_likelihood.sum() >= middle_ - 1e-6 >= pooled.log_likelihood.sum() - 1e-5


def test_agents_are_fitted_by_the_same_call():
    """Strengths become contrasts of at most 1.

    The exponential actor is described by a stimulus kernel, not by an action kernel.
    """
    run = hrnn.rollout(
        hrnn.BayesianActor("exponential", learning_rate=0.15),
        hrnn.Task().sample(n_sessions=40, rng=0),
    )
    found = mice.fit(run, "stimulus_kernel", n_starts=2)
    assert np.abs(found.trials[0].contrast).max() == 1 and found.names.subject[0] == "all"
    assert 0.1 < found.params.alpha[0] < 0.3
    assert found.log_likelihood[0] > mice.fit(run, "action_kernel", n_starts=2).log_likelihood[0]


def test_a_parameter_at_its_bound_has_no_error():
    found = mice.recover(
        simulated(3, truth={"zeta": 0.2, "lapse": 0.0, "alpha": 0.2}),
        between_sessions=False,
        n_starts=2,
    )
    at_zero = found[(found.parameter == "lapse") & (found.estimate < 1e-6)]
    assert at_zero.se.isna().all() and at_zero.covered.isna().all()


# ---- comparison ----------------------------------------------------------------------------------
# ------------------


def test_folds_are_sessions_and_what_is_left_out_is_not_fitted():
    table = table_of(2, n_sessions=5)
    found = mice.cross_validate(table, "flat", n_folds=5, n_starts=1)
    assert len(found) == 10 and found.n_trials.sum() == (table.choice != 0).sum()
    row = found[found.subject == "s0"].iloc[1]
    part = table[table.subject == "s0"]
    alone = mice.fit(part[part.session != row.session], "flat", n_starts=1)
    left = units(part[part.session == row.session], "subject")[1][0]
    p = model_of("flat").p_right(left, alone.theta(0))
    expected = np.log(np.where(left.choice > 0, p, 1 - p)[left.responded]).sum()
    assert row.log_likelihood == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("by", ["subject", "pooled"])
def test_left_out_sessions_bear_the_labels_of_the_table(by):
    """Labels that neither begin at 0 nor are unique: a merge finds the trials of each session."""
    table = table_of(2, n_sessions=4)
    table = table.assign(session=10 * (table.session + 1) + 100 * (table.subject == "s1"))
    table = pd.concat([table, table.assign(subject="s2", session=table.session + 3)]).sample(
        frac=1, random_state=0
    )
    table = table.sort_values(["subject", "session", "trial"])
    found = mice.cross_validate(table, "flat", by=by, n_folds=2, n_starts=1)
    counts = (
        table[table.choice != 0]
        .groupby(["subject", "session"])
        .size()
        .rename("expected")
        .reset_index()
    )
    both = found.merge(counts, on=["subject", "session"], how="outer", validate="one_to_one")
    assert len(both) == len(found) and (both.n_trials == both.expected).all()
    assert set(found.unit) == (set(table.subject) if by == "subject" else {"all"})
    assert set(mice.cross_validate(table.drop(columns="subject"), "flat", n_starts=1).subject) == {
        "all"
    }


@pytest.mark.parametrize("name", ["exponential", "history_glm"])
def test_searches_of_a_fold_see_nothing_of_what_is_left_out(monkeypatch, name):
    """Every search is on training sessions; other choices in a left-out session change none."""
    module = sys.modules["hrnn.choice.fitting"]
    calls = []

    def watched(model, choices, starts, climb=module.climb):
        calls.append(
            (tuple(np.unique(choices.session)), np.array(starts), climb(model, choices, starts))
        )
        return calls[-1][2]

    monkeypatch.setattr(module, "climb", watched)
    table = table_of(1, n_sessions=4)
    mice.cross_validate(table, name, n_folds=4, n_starts=2)
    first = list(calls)
    calls[:] = []
    mice.cross_validate(
        with_choice(table, np.where(table.session == 2, -table.choice, table.choice)),
        name,
        n_folds=4,
        n_starts=2,
    )
    assert [len(sessions) for sessions, *_ in first + calls] == [3] * 8
    kept = [(a, b) for a, b in zip(first, calls, strict=True) if 2 not in a[0]]
    assert len(kept) == 1
    for (_, starts, ends), (_, again, others) in kept:
        np.testing.assert_array_equal(starts, again)
        np.testing.assert_array_equal([end.theta for end in ends], [end.theta for end in others])


def test_the_model_that_made_the_choices_wins():
    truth = simulated(8, model="action_kernel")
    made = mice.simulate(truth, rng=1)
    table = table_of(8, n_sessions=5)
    choice = np.zeros(len(table))
    for choices, rows in zip(made, truth.rows, strict=True):
        choice[rows] = choices.choice
    table = with_choice(table, choice)
    found = mice.compare(table, ["flat", "stimulus_kernel", "action_kernel"], n_folds=5)
    assert (
        found.model[0] == "action_kernel"
        and found.exceedance[0] > 0.95
        and found.difference[0] == 0
    )
    assert (found.difference_high[1:] < 0).all() and found.bic[0] == 0


def test_all_columns_of_a_comparison_are_of_the_same_subjects():
    """A subject of one session changes nothing but that its strengths are seen."""
    table = table_of(4, n_sessions=4)
    alone = table[(table.subject == "s0") & (table.session == 0)].assign(subject="one")
    models = ["flat", "oracle", "action_kernel"]
    without = mice.compare(table, models, n_folds=2, n_starts=2)
    with pytest.warns(UserWarning, match="fewer than two sessions.*'one'"):
        with_ = mice.compare(pd.concat([table, alone]), models, n_folds=2, n_starts=2)
    pd.testing.assert_frame_equal(without, with_)
    assert without.n_best.sum() == 4 == without.n_subjects[0]
    tested = {
        m: mice.cross_validate(
            table, m, n_folds=2, n_starts=2, rng=int(np.random.default_rng(0).integers(2**31))
        )
        for m in models
    }
    each = pd.DataFrame({m: t.groupby("subject").log_likelihood.sum() for m, t in tested.items()})
    counts = each.idxmax(axis=1).value_counts().reindex(models, fill_value=0)
    assert without.set_index("model").n_best[models].tolist() == counts.tolist()


def test_models_are_told_apart():
    table = mice.confusion(table_of(6, n_sessions=5), ["flat", "stimulus_kernel"], n_starts=1)
    np.testing.assert_allclose(table.sum(axis=1), 1)
    assert table.to_numpy().diagonal().min() >= 0.8


def test_exceedance_of_equal_models_is_shared():
    assert mice.exceedance(np.zeros((10, 4))) == pytest.approx([0.25] * 4, abs=0.01)
    assert mice.exceedance(np.tile([[5.0, 0.0]], (20, 1)))[0] > 0.99
    # three subjects, beyond doubt: Dirichlet(4, 1), whose first share is the larger with
    # probability 1 - 2^-4
    assert mice.exceedance(np.tile([[50.0, 0.0]], (3, 1)))[0] == pytest.approx(
        1 - 0.5**4, abs=0.005
    )


# ---- nulls ---------------------------------------------------------------------------------------
# ------------------


def test_pseudo_blocks_have_the_rigs_lengths():
    from scipy import stats

    p_left = mice.pseudo_blocks(400_000, rng=0)
    assert (p_left[:90] == 0.5).all() and set(p_left[90:]) == {0.2, 0.8}
    lengths = np.diff(np.flatnonzero(np.diff(p_left)))[1:]
    pmf = hrnn.Task.preset("ibl").block_length_pmf()
    observed = np.bincount(lengths, minlength=len(pmf))
    assert stats.chisquare(observed[pmf > 0], len(lengths) * pmf[pmf > 0]).pvalue > 1e-3


def test_who_ignores_blocks_does_not_follow_them():
    table = pd.concat([table_of(30, n_sessions=3)], ignore_index=True)
    rng = np.random.default_rng(0)
    blind = with_choice(table, np.where(rng.random(len(table)) < 0.5, 1, -1))
    p = mice.block_following(blind, n_pseudo=50).p
    assert (p <= 0.05).mean() < 0.2 and 0.3 < p.mean() < 0.7
    follower = with_choice(table, np.where(table.block_side == 0, table.side, table.block_side))
    assert (mice.block_following(follower, n_pseudo=50).p <= 1 / 51 + 1e-9).all()


def history_mouse(choices, log_odds, block, uniforms):
    """Choices that follow contrast (slope 8), the previous choice, and the block."""
    made = np.zeros(len(choices.choice), int)
    last = 0
    fixed = 8 * choices.contrast + block * choices.block_side
    for i, u in enumerate(uniforms):
        last = 0 if choices.first[i] else last
        made[i] = last = (
            1 if u < 1 / (1 + np.exp(-fixed[i] - log_odds * last)) else -1
        ) * choices.responded[i]
    return made


@pytest.mark.slow
def test_who_repeats_follows_blocks_by_the_first_null_and_not_by_the_second():
    """60 mice that repeat their last choice with log odds 1 and know no block.

    The binomial bound (.001) of .05 in 60 is 9.
    """
    task = hrnn.Task.preset("ibl", contrast_gain=1.0).replace(n_blocks=8)
    table = table_of(60, n_sessions=6, task=task)
    rng = np.random.default_rng(0)
    choice = np.zeros(len(table))
    for choices, rows in zip(*units(table, "subject")[1:], strict=True):
        choice[rows] = history_mouse(choices, 1.0, 0.0, rng.random(len(rows)))
    made = with_choice(table, choice)
    found = mice.block_following(made, n_pseudo=100)
    assert (found.p <= 0.05).mean() > 0.8 and (found.p_repeating <= 0.05).sum() <= 9
    assert found.value.mean() == pytest.approx(found.repeating_mean.mean(), abs=0.02)


def test_who_follows_the_blocks_does_so_by_both_nulls():
    task = hrnn.Task.preset("ibl", contrast_gain=1.0).replace(n_blocks=6)
    table = table_of(4, n_sessions=5, task=task)
    rng = np.random.default_rng(0)
    choice = np.zeros(len(table))
    for choices, rows in zip(*units(table, "subject")[1:], strict=True):
        choice[rows] = history_mouse(choices, 0.5, 1.0, rng.random(len(rows)))
    made = with_choice(table, choice)
    found = mice.block_following(made, n_pseudo=60)
    assert (found[["p", "p_repeating"]] < 0.05).all(axis=None)
    assert (found.repeating_high < found.value).all() and (found.repeating_mean > 0.02).all()


def test_without_choices_at_contrast_0_in_blocks_of_both_sides_there_is_no_p(table):
    one_side = with_choice(
        table, np.where((table.strength == 0) & (table.block_side > 0), 0, table.choice)
    )
    with pytest.warns(UserWarning, match="not defined.*'s0'"):
        found = mice.block_following(one_side, n_pseudo=5)
    assert found.n[0] > 0 and found.drop(columns=["subject", "n"]).isna().all(axis=None)


def test_the_null_that_repeats_itself_knows_no_block(choices):
    model = Repeating()
    names = [p.name for p in model.parameters(choices)]
    assert (
        names[-3:] == ["previous_correct", "previous_wrong", "intercept"] and "block" not in names
    )
    theta = np.where(np.isin(names, ["previous_correct", "previous_wrong"]), 1.0, 0.0)
    theta += np.array(
        [
            8 * float(n.split("_")[1]) / 100 * (1 if n[0] == "r" else -1) if n[0] in "lr" else 0
            for n in names
        ]
    )
    uniforms = np.random.default_rng(0).random(len(choices.choice))
    np.testing.assert_array_equal(
        model.simulate(choices, theta, uniforms), history_mouse(choices, 1.0, 0.0, uniforms)
    )


# ---- beside agents
# -------------------------------------------------------------------------------------------------


def test_measures_of_mice_and_agents_are_the_same_functions():
    """A subject that takes the side of its block at contrast 0, and one that takes the other."""
    task = hrnn.Task.preset("ibl", contrast_gain=1.0).replace(strengths=(0.0, 1.0), n_blocks=8)
    table = table_of(1, n_sessions=10, task=task)
    zero = (table.signed_strength == 0) & (table.block_side != 0)
    follows, against = (
        with_choice(table, np.where(zero, sign * table.block_side, table.choice))
        for sign in (1, -1)
    )
    both = mice.Beside(
        follows, {"none": against}, n_starts=1, models=("flat", "oracle"), n_pseudo=5
    )
    shift = both.population("shift_at_0").set_index("population").value
    assert (shift["mice"], shift["none"]) == (1, -1)
    for name, value in (("mice", 1), ("none", 0)):
        assert len(both.changes[name]) and (both.changes[name].value == value).all()
    fitted = mice.fit(follows, "action_kernel", n_starts=1)
    assert both.population("alpha").value[0] == pytest.approx(fitted.params.alpha[0], abs=1e-3)
    assert set(both.measures.measure) == {
        "shift_at_0",
        "alpha",
        "bits_over_bayes",
        "bits_per_trial",
        "previous_correct",
        "previous_wrong",
    }


# ---- bad input -----------------------------------------------------------------------------------
# ------------------


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"errors": "none"}, ValueError, "errors must be one of"),
        ({"by": "session"}, ValueError, "errors must be 'hessian' if by is"),
        ({"model": "magic"}, ValueError, "model must be one of"),
        ({"by": "cage"}, ValueError, "by must be one of"),
        ({"lapses": 3}, ValueError, "lapses must be 1 or 2"),
        ({"zetas": True}, TypeError, "zetas must be 1 or 2"),
        ({"repetition": 1}, TypeError, "repetition must be True or False"),
        ({"bias": 0.5}, TypeError, "bias must be True or False"),
        ({"model": "psychometric", "bias": True}, ValueError, "defaults for 'psychometric'"),
        ({"n_starts": 0}, ValueError, "n_starts"),
        ({"model": "history_glm", "lapses": 2}, ValueError, "defaults for 'history_glm'"),
        ({"trials": 3}, TypeError, "trials must be a trial table"),
    ],
)
def test_bad_arguments_are_named(table, change, error, message):
    given = {"trials": table, "model": "flat"} | change
    with pytest.raises(error, match=message):
        mice.fit(given.pop("trials"), given.pop("model"), **given)


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda t: t.drop(columns="p_left"), "lacks"),
        (lambda t: with_choice(t, np.zeros(len(t))), "must have choices of every unit"),
        (lambda t: t.drop(columns="timeout").assign(choice=2), "must be one of"),
        (
            lambda t: t.assign(side=0, signed_strength=0.0, concordant=False),
            "must be known where there is a choice",
        ),
        (lambda t: t.assign(signed_strength=np.nan), "must be finite"),
        (lambda t: t.iloc[:0], "at least one row"),
    ],
)
def test_bad_tables_are_named(table, spoil, message):
    with pytest.raises(ValueError, match=message):
        mice.fit(spoil(table), "flat")


@pytest.mark.parametrize("name", MODELS)
def test_degenerate_data_give_numbers_or_a_missing_error_but_never_crash(table, name):
    """All choices on one side; two trials."""
    one_side = with_choice(table, np.where(table.choice != 0, 1, 0))
    for spoiled in (one_side, table[table.choice != 0].iloc[:2]):
        found = mice.fit(spoiled, name, n_starts=2)
        assert (
            np.isfinite(found.params.to_numpy()).all() and np.isfinite(found.log_likelihood).all()
        )


def test_one_session_cannot_be_cross_validated():
    with pytest.raises(ValueError, match="two sessions or more"):
        mice.cross_validate(table_of(1, n_sessions=1), "flat")
    with pytest.raises(ValueError, match="models must be different names"):
        mice.compare(table_of(1), ["flat", "flat"])
    with pytest.raises(TypeError, match="fitted must be a Fit"):
        mice.simulate(3)
    with pytest.raises(ValueError, match="of a model of hrnn.mice.fit, got one of 'drift'"):
        mice.simulate(
            dataclasses.replace(
                mice.fit(table_of(1, n_sessions=1), "flat", n_starts=1), model="drift"
            )
        )


def test_prior_models_are_all_those_with_a_decision_stage():
    assert set(PRIOR_MODELS) < set(MODELS) and set(MODELS) - set(PRIOR_MODELS) == {
        "history_glm",
        "psychometric",
    }


# ---- real mice -----------------------------------------------------------------------------------
# ------------------


@pytest.fixture(scope="module")
def real():
    if "HRNN_DATA_DIR" not in os.environ:
        pytest.skip("HRNN_DATA_DIR names no mice")
    return mice.load()


def bootstrapped(fitted, n, rng):
    """Standard deviations of the parameters over resampled sessions (P,), times √(G/(G - 1))."""
    model = fitted._model
    choices = fitted.trials[0]
    theta = fitted.theta(0)
    parts = [choices.select(rows) for rows in choices.sessions]
    drawn = []
    for picked in rng.integers(len(parts), size=(n, len(parts))):
        columns = {
            field.name: np.concatenate([getattr(parts[i], field.name) for i in picked])
            for field in dataclasses.fields(choices)
        }
        columns["session"] = np.repeat(
            np.arange(len(picked)), [len(parts[i].choice) for i in picked]
        )
        drawn.append(climb(model, dataclasses.replace(choices, **columns), [theta])[0].theta)
    return np.std(drawn, axis=0, ddof=1) * np.sqrt(len(parts) / (len(parts) - 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "model, kept",
    [
        ("action_kernel", ["zeta", "lapse", "alpha"]),
        ("history_glm", ["previous_correct", "previous_wrong", "block", "intercept"]),
    ],
)
def test_clustered_errors_of_real_mice_are_those_of_resampled_sessions(real, model, kept):
    """Each ratio in .6 to 1.5 and their median in .9 to 1.1; the Hessian's median is below .75."""
    rng = np.random.default_rng(0)
    ratios = []
    for subject in ("CSHL_015", "KS014", "DY_007", "CSH_ZAD_001"):
        table = real[real.subject == subject]
        fits = {errors: mice.fit(table, model, errors=errors) for errors in ("session", "hessian")}
        expected = pd.Series(bootstrapped(fits["session"], 100, rng), fits["session"].se.columns)[
            kept
        ]
        ratios.append([fits[errors].se.iloc[0][kept] / expected for errors in fits])
    clustered, hessian = np.moveaxis(np.array(ratios, float), 1, 0)
    assert (
        clustered.min() > 0.6
        and clustered.max() < 1.5
        and np.median(clustered) == pytest.approx(1, abs=0.1)
    )
    assert np.median(hessian) < 0.75


@pytest.mark.slow
def test_folds_of_a_mouse_with_two_maxima_are_at_the_best_of_their_own(real):
    """IBL_001, `exponential`: from the optimum of all sessions a fold stayed 2 nats below."""
    table = real[real.subject == "IBL_001"]
    found = mice.cross_validate(table, "exponential", n_starts=10)
    for fold, part in found.groupby("fold"):
        inside = table.session.isin(part.session)
        fitted = mice.fit(table[~inside], "exponential", n_starts=20, rng=1)
        left = units(table[inside], "subject")[1][0]
        p = fitted._model.p_right(left, fitted.theta(0))
        expected = np.log(np.where(left.choice > 0, p, 1 - p)[left.responded]).sum()
        assert part.log_likelihood.sum() == pytest.approx(expected, abs=0.05), fold
