"""Models of one's own, in plain NumPy: the example of docs/mice.md, and what the library works out.

Fits, comparisons, recoveries, simulations, figures; and what is said of objects that are no models.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn import figures, mice
from hrnn.choice.models import LABELS, MODELS, REGISTRY, model_of
from hrnn.choice.priors import ActionKernel, PriorModel
from hrnn.choice.protocol import Model, Parameter, completed
from hrnn.choice.trials import units

PAGE = Path(__file__).parents[2] / "docs" / "mice.md"
TRUTH = np.array([8.0, 0.5, 0.15])


def example():
    """The code of docs/mice.md that writes a model."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (found,) = (block for block in blocks if "class BiasedSoftmax" in block)
    return found


@pytest.fixture(scope="module")
def written():
    """The class of the example, executed without what is done with it."""
    names = {}
    exec(example().split("mice = ")[0], names)
    return names["BiasedSoftmax"]


@pytest.fixture(scope="module")
def table():
    """Three subjects of five sessions that choose as the model does, with different biases."""
    task = hrnn.Task.preset("ibl", contrast_gain=1.0)
    rng = np.random.default_rng(0)
    parts = []
    for k in range(3):
        trials = hrnn.rollout(hrnn.BayesianActor("none"), task.sample(n_sessions=5, rng=rng)).trials
        p = softmax(trials.signed_strength.to_numpy(), TRUTH + [0, 0.3 * (k - 1), 0])
        choice = np.where(rng.random(len(p)) < p, 1, -1) * (rng.random(len(p)) > 0.03)
        parts.append(
            trials.assign(
                subject=f"s{k}",
                choice=choice,
                correct=choice == trials.side,
                timeout=choice == 0,
            )
        )
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def choices(table):
    return units(table, "subject")[1][0]


def softmax(contrast, theta):
    """The function of the example, written once more."""
    gain, bias, lapse = theta
    return lapse * 0.5 + (1 - lapse) * 0.5 * (1 + np.tanh((gain * contrast + bias) / 2))


class Likelihood:
    """The same model by its log likelihood alone."""

    name = "likelihood_alone"
    parameters = (
        Parameter("gain", 0.1, 50.0, 1.0, 20.0),
        Parameter("bias", -3.0, 3.0),
        Parameter("lapse", 0.0, 0.5, 0.01, 0.2),
    )

    def log_likelihood(self, choices, theta):
        p = softmax(choices.contrast, theta)
        chosen = np.where(choices.choice > 0, p, 1 - p)
        return np.log(chosen[choices.choice != 0]).sum()


class Slow:
    """The action kernel by a loop over trials: its own choices change what it does next."""

    name = "slow_kernel"
    parameters = [("zeta", 0.01, 5.0, 0.05, 0.6), ("alpha", 1e-4, 0.999, 0.02, 0.6)]

    def p_right(self, choices, theta):
        zeta, alpha = theta
        belief = np.empty(len(choices.choice))
        now = 0.5
        for t, choice in enumerate(choices.choice):
            now = 0.5 if choices.first[t] else now
            belief[t] = now
            if choice:
                now += alpha * ((choice > 0) - now)
        z = choices.contrast / zeta + np.log(np.clip(belief, 1e-7, 1 - 1e-7) / (1 - belief + 1e-7))
        return 1 / (1 + np.exp(-z))


# ---- fits ----


def test_known_parameters_are_found_and_the_likelihood_is_an_independent_one(written, table):
    fitted = mice.fit(table, written(), n_starts=3)
    assert fitted.model == "biased_softmax" and fitted.converged.all()
    truth = TRUTH + np.array([[0, -0.3, 0], [0, 0, 0], [0, 0.3, 0]])
    assert (np.abs(fitted.params.to_numpy() - truth) < 1.5 * fitted.margin.to_numpy()).all()
    for k, subject in enumerate(fitted.names.subject):
        own = table[(table.subject == subject) & (table.choice != 0)]
        p = softmax(own.signed_strength.to_numpy(), fitted.theta(k))
        expected = np.log(np.where(own.choice > 0, p, 1 - p)).sum()
        assert fitted.log_likelihood[k] == pytest.approx(expected, rel=1e-12)
    p = softmax(table.signed_strength[fitted.rows[1]].to_numpy(), fitted.theta(1))
    np.testing.assert_allclose(fitted.p_right[fitted.rows[1]], p, rtol=1e-12)
    assert np.isnan(fitted.prior).all() and len(fitted.to_frame()) == 3


def test_a_likelihood_alone_gives_the_same_fit(written, table):
    whole = mice.fit(table, written(), n_starts=2)
    alone = mice.fit(table, Likelihood(), n_starts=2)
    assert ((alone.params - whole.params).abs() < 2e-3 * whole.se).all(axis=None)
    np.testing.assert_allclose(alone.se, whole.se, rtol=1e-2)
    assert alone.log_likelihood == pytest.approx(whole.log_likelihood, abs=1e-6)
    assert np.isnan(alone.p_right).all()
    tested = [
        mice.cross_validate(table, model, n_starts=1).log_likelihood
        for model in (written(), Likelihood())
    ]
    np.testing.assert_allclose(*tested, atol=1e-3)
    with pytest.raises(TypeError, match="'likelihood_alone' must have simulate"):
        mice.simulate(alone)


def test_what_is_worked_out_is_what_the_library_has(choices):
    """The action kernel by its P(right) alone: value, gradient, information, scores, choices."""
    model = ActionKernel()

    class Bare:
        name = "bare"
        parameters = model.parameters(choices)
        p_right = staticmethod(model.p_right)

    bare = completed(Bare())
    theta = np.array([0.3, 0.1, 0.2])
    both = zip(bare.evaluate(choices, theta), model.evaluate(choices, theta), strict=True)
    for one, other in both:
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-4)
    scores = model.scores(choices, theta)
    np.testing.assert_allclose(bare.scores(choices, theta), scores, rtol=1e-5, atol=1e-4)
    uniforms = np.random.default_rng(1).random(len(choices.choice))
    of_each = np.linspace(0.8, 1.2, len(choices.sessions))[:, None] * theta
    for given in (theta, of_each):
        np.testing.assert_array_equal(
            bare.simulate(choices, given, uniforms), model.simulate(choices, given, uniforms)
        )


def test_a_gradient_of_ones_own_is_used(written, choices):
    class Steep(written):
        def gradient(self, choices, theta):
            return np.full(3, 7.0)

    value, gradient, information = completed(Steep()).evaluate(choices, TRUTH)
    assert gradient.tolist() == [7, 7, 7]
    plain = completed(written()).evaluate(choices, TRUTH)
    assert value == plain[0]
    np.testing.assert_array_equal(information, plain[2])
    scores = completed(Steep()).scores(choices, TRUTH)
    assert scores.shape == (5, 3) and (scores == 7).all()


def test_members_that_are_there_are_used(choices):
    class Full:
        name = "full"
        parameters = [("a", 0.0, 1.0)]
        exact = True

        def p_right(self, choices, theta):
            return np.full(len(choices.choice), 0.5)

        def evaluate(self, choices, theta):
            return -(theta[0] ** 2), -2 * theta, np.full((1, 1), 2.0)

        def scores(self, choices, theta):
            return np.arange(5.0)[:, None]

        def prior(self, choices, theta):
            return np.full(len(choices.choice), 0.25)

        def starts(self, choices, n, seed):
            return np.full((n, 1), 0.125)

        def simulate(self, choices, theta, uniforms):
            assert np.ndim(theta) == 1
            return np.where(uniforms < theta[0], 1, -1)

    model = completed(Full())
    assert model.exact and model.evaluate(choices, np.ones(1))[0] == -1
    assert model.scores(choices, np.ones(1))[3] == 3
    assert (model.prior(choices, np.ones(1)) == 0.25).all()
    assert model.starts(choices, 4, 0).tolist() == [[0.125]] * 4
    uniforms = np.full(len(choices.choice), 0.5)
    of_each = np.array([[0.0], [1.0], [0.0], [1.0], [0.0]])
    made = model.simulate(choices, of_each, uniforms)
    expected = [(-1, 1)[k % 2] for k in range(5)]
    for rows, side in zip(choices.sessions, expected, strict=True):
        assert (made[rows] == np.where(choices.responded[rows], side, 0)).all()


def test_parameters_may_depend_on_the_trials(choices, written):
    class Depends(written):
        def parameters(self, choices):
            return [("gain", 0.1, 50.0), ("bias", -3.0, float(len(choices.sessions)))]

    found = completed(Depends()).parameters(choices)
    assert [(p.name, p.high) for p in found] == [("gain", 50.0), ("bias", 5.0)]


def test_a_model_whose_choices_feed_back_is_simulated_trial_after_trial(choices):
    model = Slow()
    theta = np.array([0.5, 0.3])
    uniforms = np.random.default_rng(0).random(len(choices.choice))
    made = completed(model).simulate(choices, theta, uniforms)
    expected = np.zeros_like(made)
    for t in range(120):  # one after another, as slowly as it goes
        p = model.p_right(choices.with_choice(expected), theta)[t]
        expected[t] = (1 if uniforms[t] < p else -1) if choices.choice[t] else 0
    np.testing.assert_array_equal(made[:120], expected[:120])


# ---- comparison, recovery, figures ----


def test_names_and_objects_are_compared_recovered_and_drawn(written, table):
    model = written()
    found = mice.compare(table, ["flat", model, "stimulus_kernel"], n_folds=2, n_starts=1)
    assert found.model[0] == "biased_softmax"
    figure, source = figures.comparison(found)
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown[0] == "biased softmax" and {"no prior", "stimulus kernel"} == set(shown[1:])
    assert "biased_softmax" in set(source.condition)
    fitted = mice.fit(table, model, n_starts=2)
    for differ in (True, False):
        again = mice.recover(fitted, between_sessions=differ, n_starts=1)
        assert again.parameter.unique().tolist() == ["gain", "bias", "lapse"]
        assert (np.abs(again.estimate - again.truth) < 2 * (again.high - again.estimate)).all()
    wins = mice.confusion(table, ["flat", model], n_starts=1)
    assert wins.loc["biased_softmax", "biased_softmax"] > 0.5
    assert wins.attrs["labels"] == {"biased_softmax": "biased softmax"}


def test_the_example_of_the_page_runs(table, monkeypatch):
    small = table[table.session.isin(table.session.unique()[:2])]
    monkeypatch.setattr(mice, "load", lambda: small, raising=False)
    fast = example().replace('"action_kernel"', '"oracle"')
    names = {}
    exec(fast, names)
    assert names["table"].model[0] == "biased_softmax" and len(names["found"]) == 9
    assert names["figure"].axes and names["wins"].shape == (2, 2)


class Written(PriorModel):
    """The action kernel as a prior in NumPy."""

    name = "written_kernel"
    prior_parameters = (Parameter("alpha", 1e-4, 0.999, 0.02, 0.6),)
    from_own_choices = True

    def prior_and_slopes(self, choices, parameters):
        (alpha,) = parameters
        prior, slope = np.full((2, len(choices.choice)), 0.5)
        slope[:] = 0
        for t in np.flatnonzero(~choices.first):
            prior[t] = prior[t - 1]
            slope[t] = slope[t - 1]
            if choices.choice[t - 1]:
                chose = choices.choice[t - 1] > 0
                slope[t] += chose - prior[t - 1] - alpha * slope[t - 1]
                prior[t] += alpha * (chose - prior[t - 1])
        return prior, slope[None]

    def update(self, prior, parameters, came, chose):
        return prior + parameters[0] * (chose - prior)


def test_a_new_prior_in_the_decision_stage(table, choices):
    """It has the likelihood, the scores and the simulations of the one that the core computes."""
    own = Written(bias=True)
    core = ActionKernel(bias=True)
    theta = np.array([0.3, 0.1, 0.2, 0.4])
    for one, other in zip(own.evaluate(choices, theta), core.evaluate(choices, theta), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-7)
    uniforms = np.random.default_rng(0).random(len(choices.choice))
    made = own.simulate(choices, theta, uniforms)
    np.testing.assert_array_equal(made, core.simulate(choices, theta, uniforms))
    fits = [mice.fit(table, model, n_starts=1) for model in (Written(), "action_kernel")]
    np.testing.assert_allclose(fits[0].params, fits[1].params, rtol=1e-5, atol=1e-6)
    assert fits[0].model == "written_kernel"


def test_a_prior_is_simulated_by_its_own_update(choices):
    class Forgetful(ActionKernel):
        name = "forgetful"

        def update(self, prior, parameters, came, chose):
            return 0.5 + parameters[0] * (chose - 0.5)

    theta = np.array([0.3, 0.1, 0.8])
    uniforms = np.random.default_rng(0).random(len(choices.choice))
    made = Forgetful().simulate(choices, theta, uniforms)
    assert (made != ActionKernel().simulate(choices, theta, uniforms)).any()


def test_the_registry_has_every_model_once():
    assert tuple(REGISTRY) == MODELS and all(model_of(name).name == name for name in MODELS)
    assert all(issubclass(kind, Model) for kind in REGISTRY.values())
    assert LABELS["four_alpha"] == "four α" and LABELS["markov_free"] == "markov_free"


# ---- what is no model ----


def lacking(**members):
    """An object with these members and what else a model must have."""
    full = {
        "name": "odd",
        "parameters": [("a", 0.0, 1.0)],
        "p_right": lambda self, choices, theta: np.full(len(choices.choice), 0.5),
    }
    kept = {name: member for name, member in (full | members).items() if member is not None}
    return type("Odd", (), kept)()


@pytest.mark.parametrize(
    "model, error, message",
    [
        (3, TypeError, "but int lacks name, parameters, p_right"),
        (lacking(name=None), TypeError, "but Odd lacks name$"),
        (lacking(parameters=None), TypeError, "but Odd lacks parameters$"),
        (lacking(p_right=None), TypeError, r"but Odd lacks p_right\(choices, theta\) or log_lik"),
        (Likelihood, TypeError, r"got the class Likelihood: give Likelihood\(\)"),
        (lacking(name=""), TypeError, "name must be a str"),
        (lacking(p_right=0.5), TypeError, "p_right must be a method"),
        (lacking(parameters=[]), ValueError, "must have a parameter"),
        (lacking(parameters=3), TypeError, "must be a sequence"),
        (lacking(parameters=["a"]), TypeError, r"must be \(name, low, high\)"),
        (lacking(parameters=[(1, 0.0, 1.0)]), TypeError, "names of parameters .* must be str"),
        (lacking(parameters=[("a", 1.0, 0.0)]), ValueError, "bounds of parameter 'a'"),
        (lacking(parameters=[("a", 0.0, np.inf)]), ValueError, "must be finite"),
        (lacking(parameters=[("a", 0.0, 1.0, 2.0, 3.0)]), ValueError, "bounds of parameter 'a'"),
        (lacking(parameters=[("a", 0.0, 1.0)] * 2), ValueError, "must have different names"),
        (lacking(p_right=lambda self, c, t: 0.5), ValueError, r"must be \(\d+,\), got \(\)"),
        (lacking(p_right=lambda self, c, t: c.contrast * 3), ValueError, "must be probabilities"),
        (lacking(log_likelihood=lambda self, c, t: np.nan), ValueError, "must be finite within"),
    ],
)
def test_what_is_no_model_is_told_what_it_lacks(table, model, error, message):
    with pytest.raises(error, match=message):
        mice.fit(table, model, n_starts=1)


def test_names_and_options_of_own_models(written, table):
    with pytest.raises(ValueError, match="defaults for 'biased_softmax'"):
        mice.fit(table, written(), bias=True)
    with pytest.raises(ValueError, match=r"different names, at least one, got \['flat', 'flat'\]"):
        mice.compare(table, ["flat", lacking(name="flat")])


def test_a_model_that_sees_its_own_choice_is_not_simulated(table):
    def contrary(self, choices, theta):
        return np.where(choices.choice > 0, 0.0, 1.0)

    seeing = lacking(p_right=contrary)
    trials = mice.fit(table, lacking(), n_starts=1).trials[0]
    with pytest.raises(ValueError, match="must not depend on a trial's own choice"):
        completed(seeing).simulate(trials, np.ones(1), np.full(len(trials.choice), 0.5))
    odd = completed(lacking(simulate=lambda self, c, t, u: np.zeros(3)))
    with pytest.raises(ValueError, match="must give -1, 0 or 1"):
        odd.simulate(trials, np.ones(1), np.zeros(3))
