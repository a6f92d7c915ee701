"""Gradients, optimisers, recipes, checkpoints."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import reference

import hrnn
from hrnn import training

NAMES = ("W", "U", "b", "V", "c")


def network(cell="tanh", n_hidden=12, gain=1.5):
    net = hrnn.Network.init(cell, n_hidden=n_hidden, rng=4)
    return net.with_theta(net.theta * gain)


@pytest.fixture(scope="module")
def sessions():
    return hrnn.Task(n_blocks=2, threshold=0.75).sample(n_sessions=3, rng=6)


@pytest.mark.parametrize("loss", training.LOSSES)
@pytest.mark.parametrize("cell, n_hidden", [("tanh", 1), ("tanh", 12), ("leaky", 12), ("leaky", 50), ("tanh", 60)])
def test_gradient_equals_its_twin(sessions, cell, n_hidden, loss):
    net = network(cell, n_hidden)
    value, gradient = training.loss_and_gradient(net, sessions, loss=loss)
    arrays = {name: getattr(net, name) for name in NAMES}
    twin_value, twin = reference.loss_and_gradient(arrays, net.leak, sessions, sessions.task, loss)
    np.testing.assert_allclose(value, twin_value, rtol=1e-12)
    flat = np.concatenate([twin[name].ravel() for name in NAMES])
    np.testing.assert_allclose(gradient, flat, rtol=0, atol=1e-11 * abs(flat).max())


@pytest.mark.parametrize("loss", training.LOSSES)
@pytest.mark.parametrize("cell", ["tanh", "leaky"])
def test_gradient_meets_finite_differences(sessions, cell, loss):
    """Only where no choice changes within the step: the closed loop is piecewise smooth, feedback a constant."""
    net = network(cell, 6)
    never = hrnn.Task(n_blocks=2, threshold=0.999999).sample(n_sessions=2, rng=6)
    _, gradient = training.loss_and_gradient(net, never, loss=loss)
    numeric = np.empty_like(gradient)
    for i in range(len(gradient)):
        shift = np.zeros_like(gradient)
        shift[i] = 1e-6
        high, low = (training.loss_and_gradient(net.with_theta(net.theta + s * shift), never, loss=loss)[0].mean() for s in (1, -1))
        numeric[i] = (high - low) / 2e-6
    np.testing.assert_allclose(gradient, numeric, rtol=0, atol=1e-8)
    assert abs(gradient).max() > 1e-4


def test_lockstep_gives_each_session_the_bits_it_has_alone():
    net = network("tanh", 60)
    many = hrnn.Task(n_blocks=1).sample(n_sessions=11, rng=1)
    together, _ = training.loss_and_gradient(net, many)
    alone = [training.Gradient(net, many.task, "nll_of_probability", 1).block(0, net.theta, [training._one(many, i)], 1.0)[0][0]
             for i in range(11)]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("n_hidden", [12, 60])
def test_same_bits_for_any_number_of_threads(n_hidden):
    net, recipe = network("tanh", n_hidden), hrnn.Recipe(n_sessions=17, n_steps=3, learning_rate=0.1)
    thetas = [hrnn.train(net, hrnn.Task(n_blocks=1), recipe, n_threads=k, progress=False).network.theta for k in (1, 2, 3)]
    np.testing.assert_array_equal(thetas[0], thetas[1])
    np.testing.assert_array_equal(thetas[0], thetas[2])


@pytest.mark.parametrize("optimizer", training.OPTIMIZERS)
def test_steps_are_those_of_the_twin_optimiser(optimizer):
    net, task = network(), hrnn.Task(n_blocks=1)
    recipe = hrnn.Recipe(optimizer=optimizer, learning_rate=0.01, momentum=0.5, n_sessions=2, n_steps=3)
    trained = hrnn.train(net, task, recipe, rng=9, progress=False)
    streams = np.random.default_rng(9).spawn(2)
    theta, v, m = net.theta, np.zeros(len(net.theta)), np.zeros(len(net.theta))
    for t in range(3):
        gradients = []
        for stream in streams:
            gradient = training.Gradient(net, task, recipe.loss, 1).block(0, theta, [training.sample_session(task, stream)], 0.5)
            gradients.append(gradient[1].copy())
        if optimizer == "sgd":
            theta, v = reference.sgd(theta, v, sum(gradients), 0.01, 0.5)
        else:
            theta, m, v = reference.adam(theta, m, v, t + 1, sum(gradients), 0.01)
    np.testing.assert_allclose(trained.network.theta, theta, rtol=0, atol=1e-14)


@pytest.mark.parametrize("optimizer", training.OPTIMIZERS)
def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(tmp_path, optimizer):
    net, task = network(), hrnn.Task(n_blocks=1)
    recipe = hrnn.Recipe(optimizer=optimizer, n_sessions=2, n_steps=20, learning_rate=0.01, momentum=0.1)
    whole = hrnn.train(net, task, recipe, rng=3, progress=False)

    def interrupt(step, loss, network):
        if step == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hrnn.train(net, task, recipe, rng=3, progress=False, checkpoint=tmp_path / "c", callback=interrupt)
    resumed = hrnn.train(resume=tmp_path / "c", progress=False)
    np.testing.assert_array_equal(resumed.network.theta, whole.network.theta)
    np.testing.assert_array_equal(resumed.loss, whole.loss)
    assert hrnn.Network.load(tmp_path / "c").metadata["recipe"]["optimizer"] == optimizer
    longer = hrnn.train(resume=tmp_path / "c", n_steps=22, progress=False)
    np.testing.assert_array_equal(longer.loss[:20], whole.loss)


SCRIPT = "import hrnn; hrnn.train(hrnn.Network.init('tanh', n_hidden=8, rng=0), hrnn.Task(), n_steps=10**8, checkpoint='c', progress=False)"


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_run_leaves_its_checkpoint(tmp_path, kill):
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], cwd=tmp_path, stderr=subprocess.DEVNULL)
    while not (tmp_path / "c").exists():
        time.sleep(0.05)
    time.sleep(1.5)
    process.send_signal(kill)
    assert process.wait(20) != 0
    done = hrnn.Network.load(tmp_path / "c")
    assert done.n_hidden == 8
    steps = len(training.Trainer.load(tmp_path / "c", None).loss)
    assert steps > 0
    assert len(hrnn.train(resume=tmp_path / "c", n_steps=steps + 2, progress=False).loss) == steps + 2
    assert not [name for name in os.listdir(tmp_path) if name not in ("c", "c.previous")] or kill == signal.SIGKILL


def test_divergence_names_the_step_and_keeps_the_last_good_state(tmp_path):
    net = network().with_theta(np.full_like(network().theta, 1e308))
    with pytest.raises(hrnn.NumericalError) as caught:
        hrnn.train(net, hrnn.Task(n_blocks=1), hrnn.Recipe(loss="cross_entropy", learning_rate=1e300, n_steps=50),
                   progress=False, checkpoint=tmp_path / "c")
    assert caught.value.step >= 0 and str(caught.value.step) in str(caught.value)
    assert np.isfinite(hrnn.Network.load(tmp_path / "c").theta).all()


def test_training_leaves_the_network_and_calls_back(tmp_path):
    net, seen = network(), []
    before = net.theta.copy()
    done = hrnn.train(net, hrnn.Task(n_blocks=1), "fast", n_steps=4, callback=lambda *a: seen.append(a), progress=False)
    np.testing.assert_array_equal(net.theta, before)
    assert [step for step, _, _ in seen] == [0, 1, 2, 3] and [loss for _, loss, _ in seen] == done.loss.tolist()
    np.testing.assert_array_equal(seen[-1][2].theta, done.network.theta)
    done.to_csv(tmp_path / "loss.csv")
    assert (tmp_path / "loss.csv").read_text().splitlines()[1] == f"0,{done.loss[0]}"


def test_training_learns():
    net, task = hrnn.Network.init("tanh", n_hidden=20, rng=0), hrnn.Task()
    done = hrnn.train(net, task, "fast", n_steps=300, progress=False)
    trials = hrnn.rollout(done.network, task.sample(n_sessions=50, rng=1), hidden=False).trials
    assert trials.correct.mean() > 0.8 and trials.timeout.mean() < 0.1


@pytest.mark.parametrize("changes, message", [
    ({"net": None}, "net"), ({"task": 3}, "task"), ({"recipe": "slow"}, "recipe"), ({"n_steps": 0}, "n_steps"),
    ({"rng": None}, "rng"), ({"callback": 3}, "callback"), ({"n_threads": 0}, "n_threads"), ({"resume": "x"}, "resume"),
])
def test_bad_arguments_are_named(changes, message):
    arguments = {"net": network(), "task": hrnn.Task(n_blocks=1), "n_steps": 1, "progress": False} | changes
    with pytest.raises((TypeError, ValueError), match=message):
        hrnn.train(**arguments)
