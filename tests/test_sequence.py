"""Open-loop sequences in C against the NumPy twin.

Inputs side by side, losses, gradients, recursive least squares.
"""

import numpy as np
import pytest
import reference

import hrnn
from hrnn import _core
from hrnn.sequence import Sequences, respond, scratch_of

T = 9
L = 8


def arrays_of(net):
    return {name: getattr(net, name) for name in "WUbVc"}


@pytest.fixture(scope="module")
def run():
    net = hrnn.Network.init("leaky", n_hidden=5, rng=0, leak=0.4)
    return hrnn.rollout(net, hrnn.Task(n_blocks=1, block_max=25).sample(n_sessions=6, rng=0))


def test_a_network_on_its_own_inputs_does_what_it_did(run):
    """Sessions of different lengths, padded, in any order; flat and lay undo each other."""
    sequences = Sequences.of(run, [4, 1, 2])
    assert sequences.x.shape[2] == 4 and (sequences.step[:, 3] == -1).all()
    margin, states = respond(run.agent, sequences)
    np.testing.assert_allclose(sequences.flat(states), run.hidden[sequences.rows], atol=1e-13)
    np.testing.assert_allclose(
        1 / (1 + np.exp(-sequences.flat(margin))), run.p_right[sequences.rows], atol=1e-13
    )
    inside = np.isin(run.sessions.session[run.trial], [4, 1, 2])
    assert sorted(sequences.rows) == np.flatnonzero(inside).tolist()
    np.testing.assert_array_equal(
        sequences.flat(sequences.lay(run.inputs)), run.inputs[sequences.rows]
    )
    assert (sequences.lay(run.hidden)[:, sequences.step < 0] == 0).all()


def lesson(n_hidden, seed=0):
    rng = np.random.default_rng(seed)
    x, q, weight, state_weight = rng.normal(size=(3, T, L)), *rng.random((3, T, L))
    return x, q, weight, rng.normal(size=(n_hidden, T, L)), state_weight


def gradient_of(net, x, q, weight, temperature, y, state_weight):
    gradient = np.zeros_like(net.theta)
    scratch = np.empty(_core.sequence_scratch(net.form, *x.shape[1:])[0])
    loss = _core.sequence_gradient(
        net.theta,
        net.form,
        x,
        q,
        weight,
        temperature,
        y,
        state_weight,
        gradient,
        scratch,
    )
    return loss, gradient


@pytest.mark.parametrize(
    "n_hidden, leak, temperature", [(1, 1.0, 1.0), (2, 1.0, 2.0), (3, 0.4, 0.5)]
)
def test_loss_and_gradient_are_those_of_the_twin(n_hidden, leak, temperature):
    net = hrnn.Network.init("leaky", n_hidden=n_hidden, rng=1, leak=leak)
    arrays = arrays_of(net)
    (x, q, weight, y, state_weight) = lesson(n_hidden)
    total = 0.0
    expected = {name: np.zeros_like(a) for name, a in arrays.items()}
    for lane in range(L):
        inputs = x[:, :, lane].T
        h = np.zeros(n_hidden)
        hidden = []
        for o in inputs:
            h = (1 - leak) * h + leak * np.tanh(net.W @ h + net.U @ o + net.b)
            hidden.append(h)
        hidden = np.array(hidden)
        margin = (hidden @ net.V.T + net.c) @ [-1, 1]
        p = 1 / (1 + np.exp(-margin / temperature))
        cross = -(q[:, lane] * np.log(p) + (1 - q[:, lane]) * np.log(1 - p))
        total += (weight[:, lane] * temperature**2 * cross).sum()
        slope = weight[:, lane] * temperature * (p - q[:, lane])
        parts = reference.backward(arrays, leak, inputs, hidden, np.stack([-slope, slope], 1))
        for name in expected:
            expected[name] += parts[name]
    loss, gradient = gradient_of(net, x, q, weight, temperature, None, None)
    assert loss == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(
        gradient,
        np.concatenate([expected[name].ravel() for name in "WUbVc"]),
        rtol=1e-9,
        atol=1e-12,
    )
    both, with_states = gradient_of(net, x, q, weight, temperature, y, state_weight)
    theta = np.eye(len(gradient)) * 1e-5
    ends = [
        [
            gradient_of(
                net.with_theta(net.theta + s * d), x, q, weight, temperature, y, state_weight
            )[0]
            for d in theta
        ]
        for s in (1, -1)
    ]
    np.testing.assert_allclose(with_states, np.subtract(*ends) / 2e-5, rtol=1e-5, atol=1e-7)
    states = np.empty((n_hidden, T, L))
    _core.sequence_forward(
        net.theta,
        net.form,
        x,
        np.empty((T, L)),
        states,
        np.empty(_core.sequence_scratch(net.form, T, L)[0]),
    )
    assert both == pytest.approx(total + (state_weight * (states - y) ** 2).sum(), rel=1e-12)


def test_recursive_least_squares_is_that_of_the_twin():
    """The regressor is the running network's own state.

    The state follows from the current before its correction.
    """
    rng = np.random.default_rng(0)
    n = 2
    k = 6
    net = hrnn.Network.init("tanh", n_hidden=n, rng=0)
    x = rng.normal(size=(30, 3))
    current = rng.normal(size=(30, n))
    margin = rng.normal(size=30)
    starts = np.zeros(30, np.int8)
    starts[[0, 11]] = 1
    theta = net.theta.copy()
    inverse = np.stack([np.eye(k)] * 2)
    h = np.full(n, 5.0)
    scratch = np.empty(_core.sequence_scratch(net.form, 1, 4)[1])
    for part in (slice(0, 17), slice(17, 30)):
        _core.sequence_force(
            theta, net.form, x[part], starts[part], current[part], margin[part], inverse, h, scratch
        )
    w = np.column_stack([net.W, net.U, net.b])
    v = np.r_[net.V[1] - net.V[0], net.c[1] - net.c[0]]
    P = np.eye(k)
    Q = np.eye(n + 1)
    state = np.zeros(n)
    for t in range(30):
        z = np.r_[np.zeros(n) if starts[t] else state, x[t], 1]
        P = np.linalg.inv(np.linalg.inv(P) + np.outer(z, z))
        a = w @ z
        w = w - np.outer(a - current[t], P @ z)
        state = np.tanh(a)
        after = np.r_[state, 1]
        Q = np.linalg.inv(np.linalg.inv(Q) + np.outer(after, after))
        v = v - (v @ after - margin[t]) * (Q @ after)
    found = net.with_theta(theta)
    np.testing.assert_allclose(np.column_stack([found.W, found.U, found.b]), w, atol=1e-9)
    np.testing.assert_allclose(
        np.r_[found.V[1] - found.V[0], found.c[1] - found.c[0]], v, atol=1e-9
    )
    np.testing.assert_allclose(inverse[0], P, atol=1e-9)
    np.testing.assert_allclose(h, state, atol=1e-9)


def test_what_is_not_finite_is_an_error():
    net = hrnn.Network.init("tanh", n_hidden=2, rng=0)
    (x, q, weight, _, _) = lesson(2)
    x[0, 3, 2] = np.nan
    with pytest.raises(hrnn.NumericalError):
        gradient_of(net, x, q, weight, 1.0, None, None)
    with pytest.raises(hrnn.NumericalError):
        _core.sequence_force(
            net.theta.copy(),
            net.form,
            np.full((3, 3), np.nan),
            np.ones(3, np.int8),
            np.zeros((3, 2)),
            np.zeros(3),
            np.stack([np.eye(6)] * 2),
            np.zeros(2),
            np.empty(_core.sequence_scratch(net.form, 1, 4)[1]),
        )


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": np.zeros((3, T, 6))}, "multiple of 4"),
        ({"x": np.zeros((2, T, L))}, "x.shape"),
        ({"q": np.zeros((T, 4))}, "q.shape"),
        ({"temperature": 0.0}, "temperature must be > 0"),
        ({"y": np.zeros((3, T, L))}, "y.shape"),
    ],
)
def test_the_binding_names_what_does_not_fit(change, message):
    x, q, weight, y, state_weight = lesson(2)
    given = {
        "x": x,
        "q": q,
        "weight": weight,
        "temperature": 1.0,
        "y": y,
        "state_weight": state_weight,
    } | change
    net = hrnn.Network.init("tanh", n_hidden=2, rng=0)
    scratch = np.empty(_core.sequence_scratch(net.form, T, L)[0])
    with pytest.raises(ValueError, match=message):
        _core.sequence_gradient(
            net.theta, net.form, *given.values(), np.zeros_like(net.theta), scratch
        )


def test_wide_networks_are_refused(run):
    with pytest.raises(ValueError, match="n_hidden must be in 1..64"):
        respond(hrnn.Network.init("tanh", n_hidden=65, rng=0), Sequences.of(run, [0]))
    assert (
        len(scratch_of(hrnn.Network.init("tanh", n_hidden=64, rng=0), Sequences.of(run, [0]))) > 0
    )
