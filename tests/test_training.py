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
from hrnn.base.streams import stream
from hrnn.task import SessionsForm

NAMES = ("W", "U", "b", "V", "c")


def network(cell="tanh", n_hidden=12, gain=1.5):
    net = hrnn.Network.init(cell, n_hidden=n_hidden, rng=4)
    return net.with_theta(net.theta * gain)


@pytest.fixture(scope="module")
def sessions():
    return hrnn.Task(n_blocks=2, threshold=0.75).sample(n_sessions=3, rng=6)


@pytest.mark.parametrize("loss", training.LOSSES)
@pytest.mark.parametrize(
    "cell, n_hidden", [("tanh", 1), ("tanh", 12), ("leaky", 12), ("leaky", 50), ("tanh", 60)]
)
def test_gradient_equals_its_twin(sessions, cell, n_hidden, loss):
    net = network(cell, n_hidden)
    value, gradient = training.loss_and_gradient(net, sessions, loss=loss)
    arrays = {name: getattr(net, name) for name in NAMES}
    twin_value, twin = reference.loss_and_gradient(arrays, net.leak, sessions, sessions.task, loss)
    np.testing.assert_allclose(value, twin_value, rtol=1e-12)
    flat = np.concatenate([twin[name].ravel() for name in NAMES])
    np.testing.assert_allclose(gradient, flat, rtol=0, atol=1e-11 * abs(flat).max())


@pytest.mark.parametrize("loss", training.LOSSES)
@pytest.mark.parametrize("cell", hrnn.network.CELLS)
def test_gradient_meets_finite_differences(sessions, cell, loss):
    """Only where no choice changes within the step.

    The closed loop is piecewise smooth, feedback a constant.
    """
    net = network(cell, 6)
    never = hrnn.Task(n_blocks=2, threshold=0.999999).sample(n_sessions=2, rng=6)
    _, gradient = training.loss_and_gradient(net, never, loss=loss)
    numeric = np.empty_like(gradient)
    for i in range(len(gradient)):
        shift = np.zeros_like(gradient)
        shift[i] = 1e-6
        high, low = (
            training.loss_and_gradient(net.with_theta(net.theta + s * shift), never, loss=loss)[
                0
            ].mean()
            for s in (1, -1)
        )
        numeric[i] = (high - low) / 2e-6
    np.testing.assert_allclose(gradient, numeric, rtol=0, atol=1e-8)
    assert abs(gradient).max() > 1e-4


@pytest.mark.parametrize("loss", training.LOSSES)
@pytest.mark.parametrize(
    "cell, n_hidden, seed",
    [("tanh", 4, 15), ("leaky", 4, 12), ("leaky", 57, 11), ("gru", 4, 15), ("gru", 21, 33)],
)
def test_gradient_meets_finite_differences_in_closed_loop(cell, n_hidden, seed, loss):
    """With actions, and the feedback they bring; no choice may change within the steps taken."""
    sessions = hrnn.Task(n_blocks=1, threshold=0.55, block_max=30).sample(n_sessions=2, rng=2)
    net = hrnn.Network.init(cell, n_hidden=n_hidden, rng=seed)
    run = hrnn.rollout(net, sessions)
    assert set(run.choice) >= {-1, 1} and len(set(run.n_obs)) > 2
    _, gradient = training.loss_and_gradient(net, sessions, loss=loss)
    rng = np.random.default_rng(0)
    step = 1e-6
    for _ in range(30):
        direction = rng.choice([-1.0, 0.0, 1.0], len(gradient), p=[0.05, 0.9, 0.05])
        values = []
        for shift in (step, -step):
            near = net.with_theta(net.theta + shift * direction)
            np.testing.assert_array_equal(
                hrnn.rollout(near, sessions, hidden=False).n_obs, run.n_obs
            )
            values.append(training.loss_and_gradient(near, sessions, loss=loss)[0].mean())
        assert (values[0] - values[1]) / (2 * step) == pytest.approx(gradient @ direction, abs=2e-8)


def test_loss_is_that_of_the_rollout(sessions):
    """The mean over all steps of −p and −log p of the correct side, blank steps adding 0."""
    net = network("leaky", 20)
    run = hrnn.rollout(net, sessions)
    p_correct = np.where(sessions.side[run.trial] > 0, run.p_right, 1 - run.p_right)
    for name, per_step in (
        ("nll_of_probability", -p_correct),
        ("cross_entropy", -np.log(p_correct)),
    ):
        per_step = np.where(run.step < 2, 0, per_step)
        expected = [
            per_step[sessions.session[run.trial] == s].mean() for s in range(sessions.n_sessions)
        ]
        np.testing.assert_allclose(
            training.loss_and_gradient(net, sessions, loss=name)[0], expected, rtol=1e-12
        )


def alone(net, sessions, i, loss):
    """Loss and gradient of session i by itself."""
    workspace = training.Workspace(net, sessions.task, loss)
    gradient = np.empty_like(net.theta)
    part = slice(*sessions.offsets[i : i + 2])
    arrays = SessionsForm(*(array[part] for array in sessions.form))
    workspace.reserve(1, len(arrays[0]))
    return workspace.compute(net.theta, arrays, np.array([0, len(arrays[0])]), 1.0, gradient)[
        0
    ], gradient


def next_session(task, stream, n_lanes=1):
    """What training draws next from a stream, or from as many of its children."""
    workspace = training.Workspace(network(), task, "nll_of_probability")
    streams = [stream] if n_lanes == 1 else stream.spawn(n_lanes)
    (session, block_side, side, observations), offsets = workspace.sample(streams)
    arrays = {
        "session": session,
        "block_side": block_side,
        "side": side,
        "strength": workspace.strength,
        "observations": observations,
    }
    return training.Sessions(
        task=task,
        block=np.zeros(offsets[-1], np.int64),
        trial_in_block=np.zeros(offsets[-1], np.int64),
        offsets=offsets,
        **{name: a[: offsets[-1]] for name, a in arrays.items()},
    )


def test_lockstep_gives_each_session_the_bits_it_has_alone():
    net = network("tanh", 60)
    many = hrnn.Task(n_blocks=1).sample(n_sessions=11, rng=1)
    together, _ = training.loss_and_gradient(net, many)
    np.testing.assert_array_equal(
        together, [alone(net, many, i, "nll_of_probability")[0] for i in range(11)]
    )


def test_lockstep_gradient_is_the_mean_of_single_ones():
    net = network("leaky", 60)
    many = hrnn.Task(n_blocks=1).sample(n_sessions=11, rng=1)
    _, together = training.loss_and_gradient(net, many, loss="cross_entropy")
    single = [alone(net, many, i, "cross_entropy")[1] for i in range(11)]
    np.testing.assert_allclose(
        together, np.mean(single, axis=0), rtol=0, atol=1e-13 * abs(together).max()
    )


@pytest.mark.parametrize("cell, n_hidden", [("tanh", 12), ("leaky", 60), ("gru", 21)])
def test_loss_and_gradient_have_the_same_bits_for_any_number_of_threads(cell, n_hidden):
    net = network(cell, n_hidden)
    many = hrnn.Task(n_blocks=1).sample(n_sessions=19, rng=1)
    results = [
        np.concatenate(training.loss_and_gradient(net, many, n_threads=k)) for k in (1, 2, 3, None)
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("n_hidden", [12, 60])
def test_same_bits_for_any_number_of_threads(n_hidden):
    net = network("tanh", n_hidden)
    recipe = hrnn.Recipe(n_sessions=17, n_steps=3, learning_rate=0.1)
    thetas = [
        hrnn.train(
            net, hrnn.Task(n_blocks=1), recipe, n_threads=k, progress=False, rng=0
        ).network.theta
        for k in (1, 2, 3)
    ]
    np.testing.assert_array_equal(thetas[0], thetas[1])
    np.testing.assert_array_equal(thetas[0], thetas[2])


@pytest.mark.parametrize("optimizer", training.OPTIMIZERS)
def test_steps_are_those_of_the_twin_optimiser(optimizer):
    net = network()
    task = hrnn.Task(n_blocks=1)
    recipe = hrnn.Recipe(
        optimizer=optimizer, learning_rate=0.01, momentum=0.5, n_sessions=2, n_steps=3
    )
    trained = hrnn.train(net, task, recipe, rng=9, progress=False)
    streams = np.random.default_rng(stream(9, "train")).spawn(2)
    theta = net.theta
    v = np.zeros(len(net.theta))
    m = np.zeros(len(net.theta))
    for t in range(3):
        gradients = []
        for own in streams:
            gradients.append(
                0.5 * alone(net.with_theta(theta), next_session(task, own), 0, recipe.loss)[1]
            )
        if optimizer == "sgd":
            theta, v = reference.sgd(theta, v, sum(gradients), 0.01, 0.5)
        else:
            theta, m, v = reference.adam(theta, m, v, t + 1, sum(gradients), 0.01)
    np.testing.assert_allclose(trained.network.theta, theta, rtol=0, atol=1e-14)


@pytest.mark.parametrize("optimizer", training.OPTIMIZERS)
def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(tmp_path, optimizer):
    net = network()
    task = hrnn.Task(n_blocks=1)
    recipe = hrnn.Recipe(
        optimizer=optimizer, n_sessions=2, n_steps=20, learning_rate=0.01, momentum=0.1
    )
    whole = hrnn.train(net, task, recipe, rng=3, progress=False)

    def interrupt(step, loss, network):
        if step == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hrnn.train(
            net, task, recipe, rng=3, progress=False, checkpoint=tmp_path / "c", callback=interrupt
        )
    resumed = hrnn.train(resume=tmp_path / "c", progress=False)
    np.testing.assert_array_equal(resumed.network.theta, whole.network.theta)
    np.testing.assert_array_equal(resumed.loss, whole.loss)
    assert hrnn.Network.load(tmp_path / "c").metadata["recipe"]["optimizer"] == optimizer
    longer = hrnn.train(resume=tmp_path / "c", n_steps=22, progress=False)
    np.testing.assert_array_equal(longer.loss[:20], whole.loss)


@pytest.mark.parametrize("optimizer", training.OPTIMIZERS)
def test_an_interrupt_between_the_update_and_its_record_loses_no_bit(
    tmp_path, monkeypatch, optimizer
):
    """Ctrl-C may arrive anywhere in a step; here, just after the parameters have moved."""
    net = network()
    task = hrnn.Task(n_blocks=1)
    recipe = hrnn.Recipe(optimizer=optimizer, n_steps=12, learning_rate=0.01, momentum=0.1)
    whole = hrnn.train(net, task, recipe, progress=False, rng=0)
    update = getattr(training._core, f"optim_{optimizer}")
    calls = []

    def interrupted(*arguments):
        update(*arguments)
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(training._core, f"optim_{optimizer}", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hrnn.train(net, task, recipe, progress=False, checkpoint=tmp_path / "c", rng=0)
    resumed = hrnn.train(resume=tmp_path / "c", progress=False)
    np.testing.assert_array_equal(resumed.loss, whole.loss)
    np.testing.assert_array_equal(resumed.network.theta, whole.network.theta)


def test_an_interrupt_within_the_gradient_loses_no_session(tmp_path, monkeypatch):
    net = network()
    task = hrnn.Task(n_blocks=1)
    recipe = hrnn.Recipe(n_sessions=3, n_steps=9, learning_rate=0.1)
    whole = hrnn.train(net, task, recipe, progress=False, rng=0)
    compute = training.Workspace.compute
    calls = []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 14:  # the second session of the fifth step
            raise KeyboardInterrupt
        return compute(*arguments)

    monkeypatch.setattr(training.Workspace, "compute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hrnn.train(net, task, recipe, progress=False, checkpoint=tmp_path / "c", rng=0)
    assert len(training.Trainer.load(tmp_path / "c", None).loss) == 4
    resumed = hrnn.train(resume=tmp_path / "c", progress=False)
    np.testing.assert_array_equal(resumed.loss, whole.loss)
    np.testing.assert_array_equal(resumed.network.theta, whole.network.theta)


@pytest.mark.parametrize("bit_generator", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_any_of_numpys_generators_can_be_resumed(tmp_path, bit_generator):
    net = network()
    task = hrnn.Task(n_blocks=1)
    whole = hrnn.train(
        net, task, "fast", n_steps=6, rng=np.random.Generator(bit_generator(3)), progress=False
    )
    hrnn.train(
        net,
        task,
        "fast",
        n_steps=3,
        rng=np.random.Generator(bit_generator(3)),
        progress=False,
        checkpoint=tmp_path / "c",
    )
    resumed = hrnn.train(resume=tmp_path / "c", n_steps=6, progress=False)
    np.testing.assert_array_equal(resumed.network.theta, whole.network.theta)


def test_resume_wants_no_fewer_steps_and_nothing_beside_it(tmp_path):
    net = network()
    task = hrnn.Task(n_blocks=1)
    hrnn.train(net, task, n_steps=3, progress=False, checkpoint=tmp_path / "c", rng=0)
    with pytest.raises(ValueError, match="n_steps must be >= the 3 steps already done, got 2"):
        hrnn.train(resume=tmp_path / "c", n_steps=2)
    for given in ({"net": net}, {"task": task}, {"checkpoint": tmp_path / "d"}):
        with pytest.raises(TypeError, match="resume"):
            hrnn.train(resume=tmp_path / "c", **given)
    net.save(tmp_path / "net")
    with pytest.raises(ValueError, match="checkpoint"):
        hrnn.train(resume=tmp_path / "net")
    with pytest.raises(FileNotFoundError):
        hrnn.train(resume=tmp_path / "missing")


@pytest.mark.parametrize("given", [{"recipe": "fast"}, {"rng": 3}])
def test_resume_refuses_what_it_does_not_use(tmp_path, given):
    hrnn.train(
        network(),
        hrnn.Task(n_blocks=1),
        n_steps=1,
        progress=False,
        checkpoint=tmp_path / "c",
        rng=0,
    )
    with pytest.raises(TypeError, match="resume"):
        hrnn.train(resume=tmp_path / "c", n_steps=2, progress=False, **given)


SCRIPT = """
import hrnn
net = hrnn.Network.init('tanh', n_hidden=8, rng=0)
hrnn.train(net, hrnn.Task(), n_steps=10**8, checkpoint='c', progress=False)
"""


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_run_leaves_its_checkpoint(tmp_path, kill):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    while not (tmp_path / "c").exists():
        time.sleep(0.05)
    time.sleep(1.5)
    process.send_signal(kill)
    assert process.wait(20) != 0
    done = hrnn.Network.load(tmp_path / "c")
    assert done.n_hidden == 8
    steps = len(training.Trainer.load(tmp_path / "c", None).loss)
    assert steps > 0
    assert (
        len(hrnn.train(resume=tmp_path / "c", n_steps=steps + 2, progress=False).loss) == steps + 2
    )
    assert (
        not [name for name in os.listdir(tmp_path) if name not in ("c", "c.previous", ".c.lock")]
        or kill == signal.SIGKILL
    )


def test_divergence_names_the_step_and_keeps_the_last_good_state(tmp_path):
    net = network().with_theta(np.full_like(network().theta, 1e308))
    with pytest.raises(hrnn.NumericalError) as caught:
        hrnn.train(
            net,
            hrnn.Task(n_blocks=1),
            hrnn.Recipe(loss="cross_entropy", learning_rate=1e300, n_steps=50),
            progress=False,
            checkpoint=tmp_path / "c",
            rng=0,
        )
    assert caught.value.step >= 0 and str(caught.value.step) in str(caught.value)
    assert np.isfinite(hrnn.Network.load(tmp_path / "c").theta).all()


@pytest.mark.parametrize("n_steps, step", [(1, 0), (3, 0)])
def test_an_update_that_overflows_is_divergence_too(tmp_path, n_steps, step):
    net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    net = hrnn.Network.from_arrays("tanh", W=net.W, U=net.U, b=net.b, V=1e3 * net.V, c=net.c)
    recipe = hrnn.Recipe(loss="cross_entropy", learning_rate=1.7e308, n_steps=n_steps)
    with pytest.raises(hrnn.NumericalError) as caught:
        hrnn.train(
            net, hrnn.Task(n_blocks=1), recipe, progress=False, checkpoint=tmp_path / "c", rng=0
        )
    assert caught.value.step == step
    np.testing.assert_array_equal(hrnn.Network.load(tmp_path / "c").theta, net.theta)


@pytest.mark.parametrize("optimizer", training.OPTIMIZERS)
def test_divergence_stops_where_it_happens(tmp_path, optimizer):
    recipe = hrnn.Recipe(optimizer=optimizer, learning_rate=1e307, loss="cross_entropy", n_steps=30)
    seen = []
    with pytest.raises(hrnn.NumericalError, match=r"at step \d+$") as caught:
        hrnn.train(
            network(),
            hrnn.Task(n_blocks=1),
            recipe,
            progress=False,
            checkpoint=tmp_path / "c",
            callback=lambda *a: seen.append(a),
            rng=0,
        )
    assert 1 <= caught.value.step == len(seen) < 30
    assert len(training.Trainer.load(tmp_path / "c", None).loss) == caught.value.step
    np.testing.assert_array_equal(hrnn.Network.load(tmp_path / "c").theta, seen[-1][2].theta)


def test_a_failing_callback_stops_the_training_and_keeps_the_checkpoint(tmp_path):
    def fail(step, loss, network):
        if step == 4:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        hrnn.train(
            network(),
            hrnn.Task(n_blocks=1),
            progress=False,
            checkpoint=tmp_path / "c",
            callback=fail,
            rng=0,
        )
    assert len(training.Trainer.load(tmp_path / "c", None).loss) == 5


def test_the_loss_curve_as_csv(tmp_path):
    done = hrnn.train(network(), hrnn.Task(n_blocks=1), n_steps=12, progress=False, rng=0)
    done.to_csv(tmp_path / "loss.csv")
    step, loss = np.loadtxt(tmp_path / "loss.csv", delimiter=",", skiprows=1, unpack=True)
    np.testing.assert_array_equal(step, range(12))
    np.testing.assert_array_equal(loss, done.loss)
    assert (tmp_path / "loss.csv").read_text().startswith("step,loss\n")


def test_training_depends_on_its_seed_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    a, b, c = (
        hrnn.train(network(), hrnn.Task(n_blocks=1), n_steps=3, rng=rng, progress=False).loss
        for rng in (5, stream(5, "train"), 6)
    )
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert (a != c).all()


def test_training_samples_the_task():
    """What training draws has the laws of `Task.sample`."""
    task = hrnn.Task.preset("ibl").replace(n_blocks=6)
    rng = np.random.default_rng(0)
    sessions = [next_session(task, rng) for _ in range(200)]
    side, block = (
        np.concatenate([getattr(s, name) for s in sessions]) for name in ("side", "block_side")
    )
    like = (side == block)[block != 0]
    assert abs(like.mean() - 0.8) < 4 * np.sqrt(0.16 / len(like))
    assert all((s.block_side[:90] == 0).all() and s.block_side[90] != 0 for s in sessions)
    starts = np.array([s.block_side[90] for s in sessions])
    assert abs(starts.mean()) < 4 / np.sqrt(200)
    changes = [np.flatnonzero(np.diff(s.block_side)) for s in sessions]
    lengths = np.concatenate(
        [np.diff(np.append(c, s.n_trials - 1)) for c, s in zip(changes, sessions, strict=True)]
    )
    assert all(len(c) == 6 for c in changes) and lengths.min() >= 20 and lengths.max() <= 99
    values = np.arange(100)
    mean = task.block_length_pmf() @ values
    sd = np.sqrt(task.block_length_pmf() @ (values - mean) ** 2)
    assert abs(lengths.mean() - mean) < 4 * sd / np.sqrt(len(lengths))
    means = [
        np.stack([(s.side == side) * s.strength for side in (-1, 1)], axis=1)[:, None]
        for s in sessions
    ]
    noise = np.concatenate(
        [(s.observations - mean).ravel() for s, mean in zip(sessions, means, strict=True)]
    )
    assert abs(noise.mean()) < 4 / np.sqrt(noise.size) and abs(noise.var() - 1) < 4 * np.sqrt(
        2 / noise.size
    )


@pytest.mark.parametrize(
    "field, value",
    [
        ("optimizer", "rmsprop"),
        ("loss", "mse"),
        ("learning_rate", 0),
        ("learning_rate", -1.0),
        ("learning_rate", np.nan),
        ("learning_rate", "1"),
        ("momentum", 1.0),
        ("momentum", -0.1),
        ("n_sessions", 0),
        ("n_sessions", 1.5),
        ("n_steps", 0),
        ("name", 3),
    ],
)
def test_impossible_recipes_are_refused(field, value):
    with pytest.raises((TypeError, ValueError), match=f"^{field} must be"):
        hrnn.Recipe(**{field: value})


def test_recipes_are_the_published_numbers():
    paper = training.RECIPES["paper"]
    fast = training.RECIPES["fast"]
    assert (
        paper.optimizer,
        paper.learning_rate,
        paper.momentum,
        paper.n_sessions,
        paper.n_steps,
    ) == ("sgd", 1e-3, 0.1, 1, 100_001)
    assert paper.loss == fast.loss == "nll_of_probability" and fast.optimizer == "adam"


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"net": None}, TypeError, "net"),
        ({"sessions": hrnn.Task()}, TypeError, "sessions"),
        ({"loss": "mse"}, ValueError, "loss"),
        ({"n_threads": 0}, ValueError, "n_threads"),
        ({"n_threads": 1.5}, TypeError, "n_threads"),
    ],
)
def test_bad_arguments_of_the_gradient_are_named(sessions, changes, error, message):
    with pytest.raises(error, match=message):
        training.loss_and_gradient(**{"net": network(), "sessions": sessions} | changes)


ADAM = ("gradient", "mean", "square", "theta")


@pytest.mark.parametrize("name", ADAM)
@pytest.mark.parametrize(
    "spoil, error",
    [
        (lambda a: a.astype(np.float32), TypeError),
        (lambda a: a.astype(">f8"), TypeError),
        (lambda a: np.ma.array(a), TypeError),
        (lambda a: a.tolist(), TypeError),
        (lambda a: a[None], ValueError),
        (lambda a: np.repeat(a, 2)[::2], ValueError),
    ],
)
def test_adam_refuses_wrong_arrays(name, spoil, error):
    arrays = {key: np.zeros(6) for key in ADAM}
    arrays[name] = spoil(arrays[name])
    with pytest.raises(error, match=f"^{name}"):
        hrnn._core.optim_adam(0.1, 1.0, *arrays.values())


@pytest.mark.parametrize(
    "offsets", [[0], [1, 0], [0, 0], [-1, 5], [0, 10**9], [0, 5, 5], list(range(12))]
)
def test_the_core_refuses_impossible_offsets(sessions, offsets):
    net = network()
    task = sessions.task
    n = sessions.n_trials
    scratch = np.empty(hrnn._core.rollout_scratch(task.form, net.form, 8, n)[1])
    with pytest.raises(ValueError, match="offsets|number of sessions"):
        hrnn._core.rollout_gradient(
            net.theta,
            net.form,
            task.form,
            sessions.form,
            np.array(offsets),
            0,
            1.0,
            np.empty(len(offsets) - 1),
            np.empty(n, np.int8),
            np.empty(n, np.int64),
            np.zeros(len(net.theta)),
            scratch,
        )


def test_training_leaves_the_network_and_calls_back(tmp_path):
    net = network()
    seen = []
    before = net.theta.copy()
    done = hrnn.train(
        net,
        hrnn.Task(n_blocks=1),
        "fast",
        n_steps=4,
        callback=lambda *a: seen.append(a),
        progress=False,
        rng=0,
    )
    np.testing.assert_array_equal(net.theta, before)
    assert [step for step, _, _ in seen] == [0, 1, 2, 3] and [
        loss for _, loss, _ in seen
    ] == done.loss.tolist()
    np.testing.assert_array_equal(seen[-1][2].theta, done.network.theta)
    done.to_csv(tmp_path / "loss.csv")
    assert (tmp_path / "loss.csv").read_text().splitlines()[1] == f"0,{done.loss[0]}"


def test_training_learns():
    net = hrnn.Network.init("tanh", n_hidden=20, rng=0)
    task = hrnn.Task()
    done = hrnn.train(net, task, "fast", n_steps=300, progress=False, rng=0)
    trials = hrnn.rollout(done.network, task.sample(n_sessions=50, rng=1), hidden=False).trials
    assert trials.correct.mean() > 0.8 and trials.timeout.mean() < 0.1


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"net": None}, "net"),
        ({"task": 3}, "task"),
        ({"recipe": "slow"}, "recipe"),
        ({"n_steps": 0}, "n_steps"),
        ({"rng": "0"}, "rng"),
        ({"callback": 3}, "callback"),
        ({"n_threads": 0}, "n_threads"),
        ({"resume": "x"}, "resume"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    arguments = {
        "net": network(),
        "task": hrnn.Task(n_blocks=1),
        "n_steps": 1,
        "progress": False,
    } | changes
    with pytest.raises((TypeError, ValueError), match=message):
        hrnn.train(**arguments)
