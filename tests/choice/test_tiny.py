"""Tiny networks as models of choice.

The GRU against its twin, the protocol, the portrait, planted choices.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn import _core, mice
from hrnn.choice.tiny import Batch, Cell, dimension, inputs_of, one_step, train
from hrnn.choice.trials import units


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru_twin(theta, n, x):
    """PyTorch's equations for one sequence x (T, 3): log odds (T,) and states (T, N)."""
    W = theta[: 9 * n].reshape(3, n, 3)
    U = theta[9 * n : 9 * n + 3 * n * n].reshape(3, n, n)
    b = theta[9 * n + 3 * n * n :]
    b, inner, v, c = b[: 3 * n].reshape(3, n), b[3 * n : 4 * n], b[4 * n : 5 * n], b[5 * n]
    h = np.zeros(n)
    states = []
    for o in x:
        r, z = (sigmoid(W[k] @ o + U[k] @ h + b[k]) for k in (0, 1))
        candidate = np.tanh(W[2] @ o + b[2] + r * (U[2] @ h + inner))
        h = (1 - z) * candidate + z * h
        states.append(h)
    return np.array(states) @ v + c, np.array(states)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_gru_is_that_of_the_twin_and_its_gradient_that_of_differences(n):
    rng = np.random.default_rng(n)
    T = 11
    L = 8
    n_parameters, n_scratch = _core.gru_sizes(n, T, L)
    theta = rng.uniform(-0.8, 0.8, n_parameters)
    x = rng.normal(size=(3, T, L))
    scratch = np.empty(n_scratch)
    q = (rng.random((T, L)) < 0.5).astype(float)
    weight = rng.random((T, L))
    margin = np.empty((T, L))
    states = np.empty((n, T, L))
    _core.gru_forward(theta, n, x, margin, states, scratch)
    total = 0.0
    for lane in range(L):
        expected, hidden = gru_twin(theta, n, x[:, :, lane].T)
        np.testing.assert_allclose(margin[:, lane], expected, atol=1e-12)
        np.testing.assert_allclose(states[:, :, lane].T, hidden, atol=1e-12)
        total += (weight[:, lane] * (np.logaddexp(0, expected) - q[:, lane] * expected)).sum()

    def loss(theta, gradient):
        return _core.gru_gradient(theta, n, x, q, weight, gradient, scratch)

    gradient = np.zeros_like(theta)
    spare = np.zeros_like(theta)
    assert loss(theta, gradient) == pytest.approx(total, rel=1e-12)
    ends = [[loss(theta + s * d, spare) for d in 1e-5 * np.eye(len(theta))] for s in (1, -1)]
    np.testing.assert_allclose(gradient, np.subtract(*ends) / 2e-5, atol=1e-7)


@pytest.fixture(scope="module")
def table():
    """A mouse that tends to repeat what was rewarded.

    Choices of an action kernel in the rig's task.
    """
    task = hrnn.Task.preset("ibl", contrast_gain=1.0).replace(n_blocks=3)
    t = hrnn.rollout(hrnn.BayesianActor("none"), task.sample(n_sessions=9, rng=0)).trials.assign(
        subject="M"
    )
    fitted = mice.fit(hrnn.behavior.with_choice(t, t.side), "action_kernel", n_starts=1)
    truth = pd.DataFrame({"zeta": [0.3], "lapse": [0.05], "alpha": [0.3]})
    made = mice.simulate(dataclasses.replace(fitted, params=truth), rng=1)[0]
    choice = made.choice * (np.random.default_rng(0).random(len(t)) > 0.03)
    return hrnn.behavior.with_choice(t, choice)


def test_inputs_are_the_last_choice_its_reward_and_the_contrast(table):
    inputs = inputs_of(units(table, "subject")[1][0])
    rows = table.reset_index(drop=True)
    wrong = int(np.flatnonzero((rows.choice != 0) & (rows.choice != rows.side))[3]) + 1
    after_none = int(np.flatnonzero(rows.choice == 0)[0]) + 1
    start = int(np.flatnonzero(np.diff(rows.session))[0]) + 1
    for i in (0, 1, 2, 200, len(rows) - 1, wrong, after_none, start):
        first = i == 0 or rows.session[i] != rows.session[i - 1]
        choice = 0 if first else rows.choice[i - 1]
        reward = 0 if not choice else 1 if choice == rows.side[i - 1] else -1
        assert inputs[i].tolist() == [choice, reward, rows.signed_strength[i]]


def test_batches_hold_every_trial_once(table):
    choices = units(table, "subject")[1][0]
    batch = Batch.of(choices, np.unique(choices.session)[[3, 1]])
    inside = batch.trial >= 0
    assert (
        sorted(batch.trial[inside])
        == np.flatnonzero(np.isin(choices.session, np.unique(choices.session)[[1, 3]])).tolist()
    )
    assert (
        batch.weight.sum() == pytest.approx(1)
        and (batch.weight[~inside] == 0).all()
        and batch.q.shape[1] == 4
    )
    np.testing.assert_array_equal(
        (batch.weight > 0)[inside], choices.responded[batch.trial[inside]]
    )


@pytest.mark.parametrize("kind", ["gru", "tanh"])
def test_one_step_is_the_next_step_of_the_answer(kind, table):
    choices = units(table, "subject")[1][0]
    cell = Cell(kind, 2)
    batch = Batch.of(choices, np.unique(choices.session)[:3])
    theta = cell.init(np.random.default_rng(0))
    margin, states = cell.answer(theta, batch, cell.room(batch))
    before = np.concatenate([np.zeros((2, 1, 4)), states[:, :-1]], axis=1)
    np.testing.assert_allclose(one_step(cell, theta, before, batch.x), margin, atol=1e-12)
    assert cell.loss(theta, batch, cell.room(batch)) == pytest.approx(
        cell.gradient(theta, batch, np.empty_like(theta), cell.room(batch))
    )


def test_the_penalty_shrinks_recurrent_weights_alone(table):
    choices = units(table, "subject")[1][0]
    parts = [Batch.of(choices, part) for part in np.split(np.unique(choices.session)[:6], 2)]
    cell = Cell("gru", 2)
    free, held = (
        train(cell, *parts, penalty=p, rng=np.random.default_rng(0), max_epochs=300)[0]
        for p in (0.0, 0.1)
    )
    assert np.abs(held[cell.recurrent]).sum() < 0.5 * np.abs(free[cell.recurrent]).sum()
    assert np.abs(held).sum() - np.abs(held[cell.recurrent]).sum() > 1


@pytest.mark.parametrize("cell", ["gru", "tanh"])
def test_planted_history_is_learned(table, cell):
    """A tiny network predicts left-out sessions better than what knows no history.

    And nearly as well as the truth.
    """
    found = mice.tiny_rnn(
        table,
        cell=cell,
        n_units=[1],
        n_outer=3,
        n_inner=2,
        n_seeds=1,
        penalties=[1e-5],
        max_epochs=1200,
    )
    bits = {}
    for model in ("flat", "action_kernel"):
        tested = mice.cross_validate(table, model, n_folds=3)
        bits[model] = (
            (tested.log_likelihood.sum() - tested.coin.sum()) / tested.n_trials.sum() / np.log(2)
        )
    assert found.table.bits_per_trial[0] > bits["flat"] + 0.5 * (
        bits["action_kernel"] - bits["flat"]
    )
    portrait = found.portrait(1)
    change = portrait.groupby("choice").change.mean()
    assert change[1] > 0.05 and change[-1] < -0.05 and len(portrait) > 0.8 * len(table)


def test_the_same_bits_from_one_thread_and_two(table):
    settings = {
        "n_units": [1, 2],
        "n_outer": 2,
        "n_inner": 2,
        "n_seeds": 2,
        "penalties": [1e-4],
        "max_epochs": 5,
    }
    one, two = (mice.tiny_rnn(table, n_threads=n, **settings) for n in (1, 2))
    pd.testing.assert_frame_equal(one.losses, two.losses, check_exact=True)
    assert len(one.losses) == 2 * 2 * 2 and set(one.losses.n_units) == {1, 2}


def test_dimension_needs_a_significant_gain_over_every_smaller_number():
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.normal(size=(3, 8))
    level = np.array([[0.5], [0.4], [0.4]])
    assert dimension(pd.DataFrame(level + noise, index=[1, 2, 3])) in (2, 3)
    assert dimension(pd.DataFrame(np.array([[0.5], [0.6], [0.55]]) + noise, index=[1, 2, 4])) == 1


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"cell": "lstm"}, ValueError, "cell must be one of"),
        ({"n_units": []}, ValueError, "n_units"),
        ({"n_units": [17]}, ValueError, "n_units"),
        ({"n_outer": 1}, ValueError, "n_outer"),
        ({"penalties": [-1.0]}, ValueError, "penalties"),
        ({"n_seeds": 1.5}, TypeError, "n_seeds"),
    ],
)
def test_bad_arguments_are_named(table, change, error, message):
    with pytest.raises(error, match=message):
        mice.tiny_rnn(table, **change)


def test_one_subject_and_three_sessions(table):
    with pytest.raises(ValueError, match="of one subject, got 2"):
        mice.tiny_rnn(pd.concat([table, table.assign(subject="N")]))
    with pytest.raises(ValueError, match="at least three sessions"):
        mice.tiny_rnn(table[table.session < 2])
    with pytest.raises(ValueError, match="n_units must be one of"):
        mice.tiny_rnn(
            table, n_units=[1], n_outer=2, n_inner=2, n_seeds=1, penalties=[0.0], max_epochs=1
        ).portrait(3)


def test_folds_that_leave_nothing_to_train_on_are_refused():
    run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task(n_blocks=1).sample(n_sessions=3, rng=0))
    with pytest.raises(ValueError, match="n_outer must leave two sessions or more to train on"):
        mice.tiny_rnn(run, n_units=[1], n_outer=2, n_inner=2, n_seeds=1, max_epochs=2)
