"""Adapters of other libraries, each skipped where its library is not installed."""

import dataclasses
import sys

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn import mice
from hrnn.behavior.trials import with_choice
from hrnn.choice.external import library, r_hat, regressors


def weighted(bias, n_sessions=4, contrast=4.0, previous=0.5, seed=0):
    """Trials of one mouse whose choices follow weights.

    Bias is a function of the trial's place, 0 to 1.
    """
    rng = np.random.default_rng(seed)
    t = hrnn.rollout(
        hrnn.BayesianActor("none"),
        hrnn.Task.preset("ibl", contrast_gain=1.0).sample(n_sessions=n_sessions, rng=seed),
    ).trials
    choice = np.zeros(len(t), int)
    last = 0
    for i, (session, c) in enumerate(zip(t.session, t.signed_strength, strict=True)):
        last = last if i and session == t.session[i - 1] else 0
        z = bias(i / len(t)) + contrast * np.tanh(5 * c) / np.tanh(5) + previous * last
        choice[i] = last = 1 if rng.random() < 1 / (1 + np.exp(-z)) else -1
    return t.assign(subject="M", choice=choice, correct=choice == t.side, timeout=False)


def test_regressors_know_the_last_choice_of_the_session():
    table = weighted(lambda _: 0.0, n_sessions=2)
    found = regressors(mice.fit(table, "flat", n_starts=1).trials[0])
    first = np.flatnonzero(np.diff(table.session, prepend=-1))
    assert (found["previous"][first] == 0).all() and found["previous"][5] == table.choice[4]
    assert np.abs(found["contrast"]).max() == pytest.approx(1)


@pytest.mark.slow
def test_drifting_weights_are_followed():
    pytest.importorskip("psytrack")
    table = weighted(lambda at: 2 * at - 1, n_sessions=3)
    found = mice.drift(table)
    third = len(table) // 3
    assert found.weights.bias[:third].mean() < -0.3 and found.weights.bias[-third:].mean() > 0.3
    assert found.weights.contrast.mean() == pytest.approx(
        4, abs=0.7
    ) and found.weights.previous.mean() == pytest.approx(0.5, abs=0.3)
    assert (found.weight_se > 0).all(axis=None) and np.isfinite(found.log_evidence)
    assert found.bits_per_trial[0] > mice.fit(table, "flat").bits_per_trial[0] and isinstance(
        found, mice.Fit
    )


@pytest.mark.filterwarnings("ignore")
def test_states_of_a_glm_hmm_are_found():
    pytest.importorskip("dynamax")
    table = weighted(lambda at: 0.0 if at < 0.5 else 3.0)
    found = mice.glm_hmm(table, 2, n_starts=2, n_iterations=30)
    assert found.transition.sum(1) == pytest.approx([1, 1], abs=1e-4) and found.posterior.shape == (
        len(table),
        2,
    )
    biased = int(np.argmax([found.params[f"bias_{k}"][0] for k in (1, 2)]))
    assert found.posterior[-500:, biased].mean() > 0.7 > 0.3 > found.posterior[:500, biased].mean()


def test_the_posterior_is_that_of_the_errors_where_there_are_many_trials():
    pytest.importorskip("emcee")
    table = weighted(lambda _: 0.0, n_sessions=6)
    truth = dataclasses.replace(
        mice.fit(table, n_starts=1),
        params=pd.DataFrame({"zeta": [0.2], "lapse": [0.1], "alpha": [0.2]}),
    )
    made = hrnn.behavior.with_choice(table, mice.simulate(truth, rng=0)[0].choice)
    fitted = mice.fit(made, "action_kernel", errors="hessian")
    draws, summary = mice.posterior(fitted, n_steps=600)
    table = summary.set_index("parameter")
    for name in ("zeta", "alpha"):
        assert table.loc[name, "mean"] == pytest.approx(
            fitted.params[name][0], abs=1.0 * fitted.se[name][0]
        )
        assert table.loc[name, "sd"] == pytest.approx(fitted.se[name][0], rel=0.3)
    assert (
        (table.r_hat < 1.1).all()
        and (table.ess > 100).all()
        and list(draws) == fitted.params.columns.tolist()
    )
    again, _ = mice.posterior(fitted, n_steps=20)
    pd.testing.assert_frame_equal(again, mice.posterior(fitted, n_steps=20)[0], check_exact=True)


def test_chains_that_disagree_have_a_large_r_hat():
    rng = np.random.default_rng(0)
    same = [rng.normal(size=(500, 4, 2)) for _ in range(4)]
    assert r_hat(same) == pytest.approx([1, 1], abs=0.02)
    assert r_hat([chain + [0, k] for k, chain in enumerate(same)])[1] > 1.5


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    table = weighted(lambda _: 0.0, n_sessions=1)
    for call, name, extra in ((mice.drift, "psytrack", "drift"), (mice.glm_hmm, "dynamax", "hmm")):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ImportError, match=rf"needs {name}: pip install 'hrnn\[{extra}\]'"):
            call(table)


def test_one_subject_and_a_fit():
    table = weighted(lambda _: 0.0, n_sessions=1)
    with pytest.raises(ValueError, match="of one subject, got 2"):
        mice.drift(pd.concat([table, table.assign(subject="N")]))
    with pytest.raises(ValueError, match="must have choices, got none"):
        mice.drift(hrnn.behavior.with_choice(table, np.zeros(len(table))))
    with pytest.raises(TypeError, match="fitted must be a Fit"):
        mice.posterior(table)
    assert dataclasses.is_dataclass(mice.Fit)


def test_a_unit_is_a_row_or_a_subject():
    table = weighted(lambda _: 0.0, n_sessions=1)
    two = pd.concat([table, table.assign(subject="N")], ignore_index=True)
    fitted = mice.fit(two, "flat", n_starts=1)
    assert (fitted.theta("N") == fitted.theta(1)).all() and fitted.row("M") == 0
    for unit, error, words in (
        (2, ValueError, r"unit must be in 0\.\.1"),
        (-1, ValueError, "unit must be >= 0"),
        (1.0, TypeError, "unit must be an int"),
        ("K", ValueError, "unit must be a subject with one row in names, got 'K' with 0"),
    ):
        with pytest.raises(error, match=words):
            fitted.theta(unit)
        with pytest.raises(error, match=words):
            mice.posterior(fitted, unit)


def test_drift_needs_both_choices():
    table = weighted(lambda _: 0.0, n_sessions=1)
    table = with_choice(table, np.ones(len(table)))
    with pytest.raises(ValueError, match="both choices, -1 and 1, got 1 alone"):
        mice.drift(table)


def test_numbers_of_a_glm_hmm_are_checked_before_dynamax_is_needed(monkeypatch):
    table = weighted(lambda _: 0.0, n_sessions=1)
    monkeypatch.setitem(sys.modules, "dynamax", None)
    with pytest.raises(ValueError, match="n_states must be >= 2"):
        mice.glm_hmm(table, 1)
    with pytest.raises(ValueError, match="rng must be >= 0"):
        mice.glm_hmm(table, rng=-1)


def test_a_library_that_does_not_fit_others_is_named(monkeypatch):
    def broken(name):
        raise AttributeError("module 'jax.interpreters.xla' has no attribute 'pytype'")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ImportError, match=r"dynamax that can be imported: pip install --upgrade"):
        library("dynamax.hidden_markov_model")
