"""Closed loops of networks and of users' agents against the slow twin."""

import sys

import numpy as np
import pytest
import reference

import hrnn

CASES = [("tanh", 1, {}), ("tanh", 7, {"n_blank": 0}), ("leaky", 50, {"n_blank": 1}), ("tanh", 60, {"n_obs_max": 1})]


def arrays_of(net):
    return {name: getattr(net, name) for name in ("W", "U", "b", "V", "c")}


@pytest.mark.parametrize("cell, n_hidden, changes", CASES)
def test_rollout_equals_its_twin(cell, n_hidden, changes):
    task = hrnn.Task(n_blocks=2, threshold=0.55, **changes)
    sessions = task.sample(n_sessions=3, rng=1)
    net = hrnn.Network.init(cell, n_hidden=n_hidden, rng=2)
    net = hrnn.Network.from_arrays(cell, W=1.5 * net.W, U=1.5 * net.U, b=net.b, V=4 * net.V, c=net.c)
    run = hrnn.rollout(net, sessions)
    twin = reference.rollout(arrays_of(net), net.leak, sessions, task)
    np.testing.assert_array_equal(run.choice, twin["choice"])
    np.testing.assert_array_equal(run.n_obs, twin["n_obs"])
    np.testing.assert_array_equal(run.trial, twin["trial"])
    np.testing.assert_array_equal(run.inputs, twin["inputs"])
    np.testing.assert_allclose(run.hidden, twin["hidden"], atol=1e-12)
    np.testing.assert_allclose(run.p_right, twin["p_right"], atol=1e-12)
    np.testing.assert_allclose(run.trials.reward, twin["reward"], atol=1e-12)
    assert len(set(run.choice)) > 1


@pytest.fixture(scope="module")
def run():
    net = hrnn.Network.init("tanh", n_hidden=20, rng=0)
    trained = hrnn.train(net, hrnn.Task(), recipe="fast", n_steps=60, progress=False).network
    return hrnn.rollout(trained, hrnn.Task().sample(n_sessions=6, rng=5))


def test_trial_table(run):
    trials = run.trials
    assert (trials.correct == (trials.choice == trials.side)).all()
    assert (trials.timeout == (trials.choice == 0)).all()
    assert trials.n_steps.sum() == len(run.steps) == len(run.p_right)
    assert (trials.p_left == np.where(trials.block_side > 0, 0.2, 0.8)).all()
    ends = run.steps.groupby(["session", "trial"]).p_right.last().to_numpy()
    np.testing.assert_array_equal(trials.p_right, ends)
    confident = np.maximum(ends, 1 - ends) > 0.9
    assert (confident == ~trials.timeout).all()
    assert trials.trial.iloc[0] == 0 and trials.trial.max() < 400


def test_unbiased_trials_have_no_concordance():
    sessions = hrnn.Task.preset("ibl").sample(n_sessions=1, rng=0)
    trials = hrnn.rollout(hrnn.BayesianActor("none"), sessions).trials
    assert trials.concordant[:90].isna().all() and trials.concordant[90:].notna().all()
    assert (trials.p_left[:90] == 0.5).all()


def test_many_calls_equal_one(run, monkeypatch):
    monkeypatch.setattr(sys.modules["hrnn.rollout"], "STEPS_PER_CALL", 1)
    again = hrnn.rollout(run.agent, run.sessions)
    np.testing.assert_array_equal(run.hidden, again.hidden)
    np.testing.assert_array_equal(run.p_right, again.p_right)


def test_states_can_be_left_out(run):
    short = hrnn.rollout(run.agent, run.sessions, hidden=False)
    assert short.hidden is None
    np.testing.assert_array_equal(short.p_right, run.p_right)


class Wrapped:
    """A user's agent that happens to be a network."""

    def __init__(self, net):
        self.net = net

    def start(self, task):
        self.h = np.zeros(self.net.n_hidden)

    def step(self, x):
        self.h = np.tanh(self.net.W @ self.h + self.net.U @ x + self.net.b)
        left, right = self.net.V @ self.h + self.net.c
        return 1 / (1 + np.exp(left - right))


def test_python_agent_equals_the_network_it_wraps(run):
    again = hrnn.rollout(Wrapped(run.agent), run.sessions)
    np.testing.assert_array_equal(again.choice, run.choice)
    np.testing.assert_allclose(again.p_right, run.p_right, atol=1e-12)


@pytest.mark.parametrize("agent", [None, 3, "semi_markov", hrnn.Network])
def test_what_is_no_agent_is_refused(run, agent):
    with pytest.raises(TypeError, match="agent"):
        hrnn.rollout(agent, run.sessions)


def test_bad_sessions_and_bad_probability(run):
    with pytest.raises(TypeError, match="sessions"):
        hrnn.rollout(run.agent, run.trials)
    agent = Wrapped(run.agent)
    agent.step = lambda x: 1.5
    with pytest.raises(ValueError, match="probability"):
        hrnn.rollout(agent, run.sessions)
