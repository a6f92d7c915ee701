"""Steps of every kind of cell: twin, PyTorch's convention, finite differences."""

import numpy as np
import pytest
import reference

import hrnn
from hrnn import sequence
from hrnn.network import CELLS

STEP = 1e-6


@pytest.fixture(params=CELLS)
def net(request):
    net = hrnn.Network.init(request.param, n_hidden=6, rng=3)
    return net.with_theta(2 * net.theta)


@pytest.fixture
def at():
    """States (4, 6) and inputs (4, 3)."""
    random = np.random.default_rng(0)
    return random.normal(size=(4, 6)), random.normal(size=(4, 3))


def test_a_step_is_that_of_the_twin(net, at):
    h, x = at
    arrays = reference.arrays_of(net)
    twin = [reference.cell_step(arrays, net.leak, *one) for one in zip(h, x, strict=True)]
    np.testing.assert_allclose(net.step(h, x), twin, atol=1e-14)


def test_jacobians_meet_finite_differences(net, at):
    h, x = at

    def slopes(function, n):
        shifts = STEP * np.eye(n)
        return np.stack([(function(s) - function(-s)) / (2 * STEP) for s in shifts], -1)

    by_state = slopes(lambda shift: net.step(h + shift, x), 6)
    np.testing.assert_allclose(net.jacobian(h, x), by_state, atol=1e-8)
    by_input = slopes(lambda shift: net.step(h, x + shift), 3)
    np.testing.assert_allclose(net.input_jacobian(h, x), by_input, atol=1e-8)


def test_pulling_back_is_multiplying_by_the_jacobian(net, at):
    h, x = at
    v = np.random.default_rng(1).normal(size=h.shape)
    expected = np.einsum("ni,nij->nj", v, net.jacobian(h, x))
    np.testing.assert_allclose(net.pull_back(h, x, v), expected, atol=1e-13)


def test_the_jacobian_varies_no_faster_than_its_bound(net):
    """Of states up to 2 in any unit, and the bound is no empty one."""
    pairs = np.random.default_rng(2).uniform(-2, 2, (4000, 2, 6))
    pairs[2000:, 1] = pairs[2000:, 0] + 1e-4 * pairs[2000:, 1]
    x = np.random.default_rng(3).normal(size=(4000, 3))
    change = net.jacobian(pairs[:, 0], x) - net.jacobian(pairs[:, 1], x)
    distance = np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=1)
    fastest = (np.linalg.norm(change, 2, axis=(1, 2)) / distance).max()
    assert 0.02 * net.jacobian_lipschitz() < fastest <= net.jacobian_lipschitz()


def test_a_gated_state_dict_is_pytorchs():
    """Equations of torch.nn.GRU: r, z, n are rows 0, 1, 2; b_hn is inside the reset gate."""
    net = hrnn.Network.init("gru", n_hidden=3, rng=1)
    state = net.to_state_dict()
    assert state["rnn.weight_hh_l0"].shape == (9, 3) and state["rnn.bias_hh_l0"].shape == (9,)
    random = np.random.default_rng(0)
    state = {name: random.normal(size=array.shape) for name, array in state.items()}
    again = hrnn.Network.from_state_dict("gru", state)
    h, x = random.normal(size=3), random.normal(size=3)
    gi = state["rnn.weight_ih_l0"] @ x + state["rnn.bias_ih_l0"]
    gh = state["rnn.weight_hh_l0"] @ h + state["rnn.bias_hh_l0"]
    reset = 1 / (1 + np.exp(-gi[:3] - gh[:3]))
    update = 1 / (1 + np.exp(-gi[3:6] - gh[3:6]))
    new = np.tanh(gi[6:] + reset * gh[6:])
    np.testing.assert_allclose(again.step(h, x), (1 - update) * new + update * h, atol=1e-14)
    back = hrnn.Network.from_state_dict("gru", again.to_state_dict())
    np.testing.assert_array_equal(back.theta, again.theta)


def test_initial_gated_weights_are_pytorchs():
    """Every draw within 1/sqrt(N); the gates' biases are sums of two, the candidate's are not."""
    net = hrnn.Network.init("gru", n_hidden=400, rng=0)
    bound = 1 / 20
    for array in (net.W, net.U, net.V, net.c, net.b_inner, net.b[800:]):
        assert abs(array).max() <= bound
    assert net.W.std() == pytest.approx(bound / np.sqrt(3), rel=0.01)
    assert net.b[:800].std() == pytest.approx(bound * np.sqrt(2 / 3), rel=0.06)
    assert abs(net.b[:800]).max() > bound


@pytest.mark.parametrize("change", [{"b_inner": None}, {"b_inner": np.zeros(4)}])
def test_a_gated_cell_has_all_its_arrays(change):
    net = hrnn.Network.init("gru", n_hidden=3, rng=1)
    with pytest.raises(ValueError, match="b_inner"):
        net.with_arrays(**change)


def test_other_cells_have_no_inner_bias():
    net = hrnn.Network.init("tanh", n_hidden=3, rng=1)
    with pytest.raises(ValueError, match="tanh cell must have"):
        net.with_arrays(b_inner=np.zeros(3))


def test_recursive_least_squares_refuse_gated_cells():
    net = hrnn.Network.init("gru", n_hidden=3, rng=1)
    force = sequence.Force(net.form, net.theta.copy(), 1.0)
    with pytest.raises(ValueError, match="cell must be tanh or leaky for recursive least squares"):
        force.learn(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(2))


def test_sequences_do_what_the_closed_loop_did(net):
    run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=3, rng=0))
    laid = sequence.Sequences.of(run, [0, 2])
    margin, states = sequence.respond(net, laid)
    np.testing.assert_allclose(laid.flat(states), run.hidden[laid.rows], atol=1e-12)
    p = 1 / (1 + np.exp(-laid.flat(margin)))
    np.testing.assert_allclose(p, run.p_right[laid.rows], atol=1e-12)


def test_gradients_of_sequences_meet_finite_differences(net):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(3, 5, 4)), random.normal(size=(6, 5, 4))
    target = sequence.Target(*random.random((2, 5, 4)), 1.7, y, random.random((5, 4)))
    room = sequence.scratch(net.form, 5, 4)
    gradient = np.zeros(len(net.theta))
    sequence.gradient(net.form, net.theta, x, target, gradient, room)
    ignored = np.zeros(len(net.theta))
    for i in range(0, len(net.theta), 7):
        shift = STEP * (np.arange(len(net.theta)) == i)
        ends = [
            sequence.gradient(net.form, net.theta + s * shift, x, target, ignored, room)
            for s in (1, -1)
        ]
        assert (ends[0] - ends[1]) / (2 * STEP) == pytest.approx(gradient[i], abs=1e-7)
