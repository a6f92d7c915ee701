"""Networks: initial draws, views into theta, files, PyTorch's names, what is refused.

The kernels they run on.
"""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

import hrnn
from hrnn.base import files

SHAPES = {
    "W": lambda n: (n, n),
    "U": lambda n: (n, 3),
    "b": lambda n: (n,),
    "V": lambda n: (2, n),
    "c": lambda n: (2,),
}


def arrays_of(net):
    return {name: getattr(net, name) for name in SHAPES}


@pytest.fixture
def net():
    return hrnn.Network.init("leaky", n_hidden=5, rng=3, leak=0.25)


@pytest.mark.parametrize("n_hidden", [1, 7, 50])
def test_views_cover_theta_once(n_hidden):
    net = hrnn.Network.init("tanh", n_hidden=n_hidden, rng=0)
    assert net.theta.shape == (n_hidden**2 + 6 * n_hidden + 2,) and net.theta.dtype == float
    assert {name: array.shape for name, array in arrays_of(net).items()} == {
        k: shape(n_hidden) for k, shape in SHAPES.items()
    }
    marked = net.with_theta(np.arange(len(net.theta)))
    assert sorted(np.concatenate([a.ravel() for a in arrays_of(marked).values()])) == list(
        range(len(net.theta))
    )
    for array in arrays_of(net).values():
        assert np.shares_memory(array, net.theta) and not array.flags.writeable


def test_initial_entries_are_uniform_and_b_is_the_sum_of_two():
    """Variance k²/3 of U(-k, k), k = 1/√N, and 2k²/3 of b.

    Bounds of 4 standard errors, fourth moments k⁴/5 and 16k⁴/15.
    """
    n = 64
    nets = [hrnn.Network.init("tanh", n_hidden=n, rng=seed) for seed in range(60)]
    for name in SHAPES:
        values = np.concatenate([getattr(net, name).ravel() for net in nets]) * np.sqrt(n)
        two = name == "b"
        variance, fourth, bound = (2 / 3, 16 / 15, 2) if two else (1 / 3, 1 / 5, 1)
        assert abs(values).max() <= bound and abs(values).max() > 0.9 * bound
        assert abs(values.mean()) < 4 * np.sqrt(variance / len(values))
        assert abs((values**2).mean() - variance) < 4 * np.sqrt(
            (fourth - variance**2) / len(values)
        )


def test_init_depends_on_its_seed_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    first = hrnn.Network.init("tanh", n_hidden=9, rng=5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    for rng in (5, np.int64(5), np.random.SeedSequence(5), np.random.default_rng(5)):
        np.testing.assert_array_equal(
            hrnn.Network.init("leaky", n_hidden=9, rng=rng).theta, first.theta
        )
    assert not np.isin(hrnn.Network.init("tanh", n_hidden=9, rng=6).theta, first.theta).any()


def test_leak_belongs_to_the_leaky_cell():
    assert hrnn.Network.init("tanh", n_hidden=2).leak == 1
    assert hrnn.Network.init("leaky", n_hidden=2).leak == 0.5
    assert hrnn.Network.init("leaky", n_hidden=2, leak=1).leak == 1


def test_a_network_does_not_change(net):
    theta = net.theta.copy()
    other = net.with_theta(theta)
    theta[:] = 0
    np.testing.assert_array_equal(other.theta, net.theta)
    with pytest.raises(ValueError, match="read-only"):
        net.W[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        net.leak = 1


def test_from_arrays_takes_any_layout_and_copies(net):
    given = {name: np.asfortranarray(array).astype(">f8") for name, array in arrays_of(net).items()}
    other = hrnn.Network.from_arrays("leaky", **given, leak=0.25)
    given["W"][:] = 0
    np.testing.assert_array_equal(other.theta, net.theta)
    lists = hrnn.Network.from_arrays("tanh", W=[[1]], U=[[1, 2, 3]], b=[4], V=[[5], [6]], c=[7, 8])
    assert lists.U.tolist() == [[1.0, 2.0, 3.0]] and lists.V.tolist() == [[5.0], [6.0]]


@pytest.mark.parametrize("cell, leak", [("tanh", None), ("leaky", 0.3), ("gru", None)])
def test_save_and_load_keep_every_bit(tmp_path, cell, leak):
    net = hrnn.Network.init(cell, n_hidden=6, rng=1, leak=leak)
    net = net.with_theta(net.theta * np.pi, metadata={"recipe": "µ", "seed": 2**70})
    net.save(tmp_path / "n")
    again = hrnn.Network.load(tmp_path / "n")
    np.testing.assert_array_equal(again.theta, net.theta)
    assert (again.cell, again.n_hidden, again.leak, again.metadata) == (
        net.cell,
        net.n_hidden,
        net.leak,
        net.metadata,
    )
    assert os.listdir(tmp_path) == ["n"]


def test_loading_what_is_no_network_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        hrnn.Network.load(tmp_path / "missing")
    (tmp_path / "text").write_text("W")
    with pytest.raises(ValueError, match="text"):
        hrnn.Network.load(tmp_path / "text")
    config = {"cell": "lstm", "n_hidden": 1, "leak": 1.0, "metadata": {}}
    files.save_archive(
        tmp_path / "lstm", kind="network", config=config, arrays={"theta": np.zeros(9)}
    )
    with pytest.raises(ValueError, match="lstm does not hold a network.*cell"):
        hrnn.Network.load(tmp_path / "lstm")


def test_state_dict_is_pytorchs_convention(net):
    state = net.to_state_dict()
    assert {name: array.shape for name, array in state.items()} == {
        "rnn.weight_ih_l0": (5, 3),
        "rnn.weight_hh_l0": (5, 5),
        "rnn.bias_ih_l0": (5,),
        "rnn.bias_hh_l0": (5,),
        "readout.weight": (2, 5),
        "readout.bias": (2,),
        "leak": (),
    }
    h = np.linspace(-1, 1, 5)
    x = np.array([0.3, -0.2, 1.0])
    pre = (
        state["rnn.weight_ih_l0"] @ x
        + state["rnn.bias_ih_l0"]
        + state["rnn.weight_hh_l0"] @ h
        + state["rnn.bias_hh_l0"]
    )
    np.testing.assert_allclose(pre, net.W @ h + net.U @ x + net.b, rtol=1e-15)
    again = hrnn.Network.from_state_dict("leaky", state)
    assert again.leak == 0.25
    np.testing.assert_array_equal(again.theta, net.theta)
    shifted = hrnn.Network.from_state_dict(
        "leaky", state | {"rnn.bias_hh_l0": np.arange(5)}, leak=0.25
    )
    np.testing.assert_array_equal(shifted.b, net.b + np.arange(5))
    state["readout.bias"][:] = 0
    assert (net.c != 0).all()


def test_a_leak_is_never_lost_on_its_way_through_a_state_dict(net):
    """PyTorch has no leaky cell: strict loading refuses the name, and so do our other cells."""
    state = net.to_state_dict()
    for cell in ("tanh", "gru"):
        with pytest.raises(ValueError, match=r"leak|shape"):
            hrnn.Network.from_state_dict(cell, state)
    with pytest.raises(ValueError, match=r"leak must be that of the state, 0\.25, got 0\.5"):
        hrnn.Network.from_state_dict("leaky", state, leak=0.5)
    del state["leak"]
    with pytest.raises(ValueError, match="leak must be given for a leaky cell"):
        hrnn.Network.from_state_dict("leaky", state)
    assert hrnn.Network.from_state_dict("leaky", state, leak=0.25).leak == 0.25
    for bad in ("a", [0.5, 0.5], 2.0, np.nan):
        with pytest.raises((TypeError, ValueError), match="leak"):
            hrnn.Network.from_state_dict("leaky", state | {"leak": bad})
    tanh = hrnn.Network.init("tanh", n_hidden=5, rng=0)
    assert "leak" not in tanh.to_state_dict()
    assert hrnn.Network.from_state_dict("leaky", tanh.to_state_dict() | {"leak": 1}).leak == 1


def test_a_network_is_saved_over_nothing_but_a_network(net, tmp_path):
    net.save(tmp_path / "n")
    net.with_theta(2 * net.theta).save(tmp_path / "n")
    np.testing.assert_array_equal(hrnn.Network.load(tmp_path / "n").theta, 2 * net.theta)
    hrnn.train(
        net,
        hrnn.Task(n_blocks=1),
        "fast",
        n_steps=1,
        rng=0,
        checkpoint=tmp_path / "c",
        progress=False,
    )
    (tmp_path / "t").write_text("notes")
    (tmp_path / "e").write_bytes(b"")
    for name in ("c", "t", "e"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(FileExistsError, match=rf"path would be written over .*{name}\b"):
            net.save(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before


def test_an_incomplete_state_dict_is_refused(net):
    state = net.to_state_dict()
    del state["readout.bias"]
    with pytest.raises(ValueError, match=r"state must hold \['readout.bias'\]"):
        hrnn.Network.from_state_dict("leaky", state)


@pytest.mark.parametrize(
    "bias", [np.ma.array(np.zeros(5), mask=[1, 0, 0, 0, 0]), 2.0, np.zeros(4), ["a"] * 5]
)
def test_a_bad_bias_in_a_state_dict_is_named(net, bias):
    with pytest.raises((TypeError, ValueError), match="bias_hh_l0"):
        hrnn.Network.from_state_dict("leaky", net.to_state_dict() | {"rnn.bias_hh_l0": bias})


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.skipif(
    np.finfo(np.longdouble).maxexp == np.finfo(float).maxexp, reason="long double is double here"
)
def test_a_number_beyond_double_precision_is_refused(net):
    with pytest.raises(ValueError, match="theta must be finite"):
        net.with_theta(np.full(57, np.longdouble("1e4000")))


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"cell": "lstm"}, ValueError, "cell must be one of"),
        ({"cell": None}, ValueError, "cell"),
        ({"n_hidden": 0}, ValueError, "n_hidden must be >= 1, got 0"),
        ({"n_hidden": 5000}, ValueError, "n_hidden must be <= 4096"),
        ({"n_hidden": 10**30}, ValueError, "n_hidden"),
        ({"n_hidden": 5.0}, TypeError, "n_hidden must be an int, got float"),
        ({"n_hidden": True}, TypeError, "n_hidden"),
        ({"leak": 0.5}, ValueError, "leak must be 1 for the tanh cell"),
        ({"cell": "leaky", "leak": 0}, ValueError, "leak"),
        ({"cell": "leaky", "leak": 1.5}, ValueError, "leak.*got 1.5"),
        ({"cell": "leaky", "leak": np.nan}, ValueError, "leak"),
        ({"cell": "leaky", "leak": "1"}, TypeError, "leak"),
        ({"rng": -1}, ValueError, "rng"),
        ({"rng": "0"}, TypeError, "rng"),
        ({"rng": np.random}, TypeError, "rng"),
    ],
)
def test_bad_arguments_of_init_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        hrnn.Network.init(**{"cell": "tanh", "n_hidden": 3} | arguments)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "spoil, error",
    [
        (lambda a: a[:-1], ValueError),
        (lambda a: a[None, None], ValueError),
        (lambda a: a * 1j, TypeError),
        (lambda a: a.astype(str), TypeError),
        (lambda a: np.ma.array(a), TypeError),
        (lambda a: np.where(a == a.max(), np.nan, a), ValueError),
        (lambda a: a[:0], ValueError),
        (lambda a: None, TypeError),
    ],
)
def test_bad_arrays_are_named(net, name, spoil, error):
    good = arrays_of(net)
    hrnn.Network.from_arrays("tanh", **good)
    culprit = (
        "[WUbVc]" if name == "W" else name
    )  # of a network with another W, every other array is wrong
    with pytest.raises(error, match=f"^{culprit} must"):
        hrnn.Network.from_arrays("tanh", **good | {name: spoil(good[name])})


@pytest.mark.parametrize(
    "theta, error, message",
    [
        (np.zeros(56), ValueError, r"theta must have shape \(57,\), got \(56,\)"),
        (np.zeros((1, 57)), ValueError, "theta"),
        (np.full(57, np.inf), ValueError, r"theta must be finite, but theta\[0\]"),
        (np.zeros(57, complex), TypeError, "theta"),
        (["a"] * 57, TypeError, "theta"),
        (np.ma.zeros(57), TypeError, "theta"),
    ],
)
def test_bad_theta_is_named(net, theta, error, message):
    with pytest.raises(error, match=message):
        net.with_theta(theta)


SPECIAL = """
import numpy as np, hrnn
assert hrnn._core.info()["cpu"] == {isa!r}
tiny, huge = 5e-324, np.finfo(float).max
x = np.array([0.0, -0.0, tiny, -tiny, np.inf, -np.inf, np.nan, 1.0, huge, -huge, 2.5e-308, 20.0])
x = np.concatenate([x, [-20.0, 745.2, -745.2, 1e-9]])
out = np.empty(16)
with np.errstate(all="ignore"):
    functions = (hrnn._core.kernel_tanh, np.tanh, 5), (hrnn._core.kernel_exp, np.exp, 4)
    for kernel, exact, ulp in functions:
        kernel(x, out)
        true = exact(x.astype(np.longdouble)).astype(float)
        assert np.isnan(out[6]) and np.isnan(out).sum() == 1, out
        keep = np.isfinite(true) & (abs(true) >= 2.3e-308)
        assert (abs(out - true)[keep] <= ulp * np.spacing(abs(true[keep]))).all(), (x, out, true)
        assert (out[np.isinf(true)] == np.inf).all()
        assert (abs(out[abs(true) < 2.3e-308]) <= 1e-307).all()
    hrnn._core.kernel_tanh(x, out)
    assert out[:4].tolist() == [0, 0, tiny, -tiny]
    assert np.signbit(out[[1, 3]]).all() and not np.signbit(out[[0, 2]]).any()
grid = np.linspace(-8, 8, 80_000)
rising = np.empty_like(grid)
for kernel in (hrnn._core.kernel_tanh, hrnn._core.kernel_exp):
    kernel(grid, rising)
    assert (np.diff(rising) >= -5 * np.spacing(abs(rising[1:]))).all()
print("ok")
"""


@pytest.mark.parametrize("isa", ["baseline", "v3", "v4"])
def test_kernels_at_the_borders(isa):
    order = ("baseline", "v3", "v4")
    if order.index(isa) > order.index(hrnn._core.info()["cpu_best"]):
        pytest.skip(f"this machine has no {isa}")
    done = subprocess.run(
        [sys.executable, "-c", SPECIAL.format(isa=isa)],
        capture_output=True,
        text=True,
        env=os.environ | {"HRNN_CPU": isa},
    )
    assert done.stdout.strip() == "ok", done.stderr


@pytest.mark.parametrize(
    "name, make, error",
    [
        ("x", lambda: np.zeros(8, np.float32), TypeError),
        ("x", lambda: np.zeros(8, ">f8"), TypeError),
        ("x", lambda: np.zeros((2, 8)), ValueError),
        ("x", lambda: np.zeros(16)[::2], ValueError),
        ("x", lambda: [0.0] * 8, TypeError),
        ("out", lambda: np.zeros(0), ValueError),
        ("out", lambda: np.zeros(16), ValueError),
        ("out", lambda: np.zeros(8, int), TypeError),
        ("out", lambda: np.broadcast_to(0.0, 8), ValueError),
        ("out", lambda: np.zeros(16)[::2], ValueError),
    ],
)
def test_kernels_refuse_wrong_arrays(name, make, error):
    arguments = {"x": np.zeros(8), "out": np.zeros(8)} | {name: make()}
    with pytest.raises(error, match=f"^{name}"):
        hrnn._core.kernel_tanh(*arguments.values())


def test_kernels_refuse_odd_lengths_and_work_in_place():
    with pytest.raises(ValueError, match=r"x.shape\[0\] must be a multiple of 4, got 9"):
        hrnn._core.kernel_exp(np.zeros(9), np.zeros(9))
    x = np.zeros(12)
    with pytest.raises(ValueError, match="out must not overlap x"):
        hrnn._core.kernel_exp(x[:8], x[4:])
