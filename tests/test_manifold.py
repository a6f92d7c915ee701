"""Paths, branches and verdicts on networks whose manifolds and bifurcations are known."""

import numpy as np
import pytest
from test_dynamics import NO_INPUT, network

import hrnn
from hrnn import manifold


def inhibition(w=2.0, U=None):
    return network([[0, -w], [-w, 0]], U=U)


def found_of(net, x=NO_INPUT, seed=0):
    return hrnn.fixed_points(net, x=x, starts=np.random.default_rng(seed).uniform(-1, 1, (80, net.n_hidden)))


def test_the_path_between_two_inhibiting_units_is_the_antidiagonal():
    net = inhibition()
    path = manifold.path_between(net, found_of(net), x=NO_INPUT)
    assert path.converged
    np.testing.assert_allclose(path.states.sum(1), 0, atol=1e-9)
    np.testing.assert_allclose(np.diff(path.arclength), np.diff(path.arclength)[0], rtol=1e-6)
    across = path.states[:, 0]
    drift = np.tanh(2 * across) - across
    np.testing.assert_allclose(path.drift, np.sqrt(2) * drift * np.sign(path.states[-1, 0]), atol=1e-6)
    np.testing.assert_allclose(path.contraction, 2 * (1 - np.tanh(2 * across) ** 2), atol=1e-6)  # along the diagonal
    assert path.angles([[1, -1], [1, 1]]) == pytest.approx([0, 90], abs=1e-5)


def test_the_path_runs_along_the_unstable_manifold():
    net = hrnn.train(hrnn.Network.init("tanh", n_hidden=20, rng=0), hrnn.Task(), "fast", n_steps=600, progress=False).network
    run = hrnn.rollout(net, hrnn.Task().sample(n_blocks=8, rng=0))
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=run.hidden[:: len(run.hidden) // 200])
    saddles = np.flatnonzero(found.n_unstable == 1)
    assert len(saddles) == 1, "this seed learns two stable states"
    path = manifold.path_between(net, found, x=NO_INPUT)
    for orbit in manifold.unstable_manifold(net, found, saddles[0]):
        assert np.linalg.norm(orbit[:, None] - path.states, axis=2).min(1).max() < 0.02 * path.arclength[-1]
        assert np.linalg.norm(orbit[-1] - found.points[found.stable], axis=1).min() < 1e-6


def test_a_line_attractor_built_by_hand_is_one():
    """W = u u' with a gain that keeps tanh nearly linear: a long, slow line."""
    rng = np.random.default_rng(0)
    u = np.linalg.qr(rng.normal(size=(30, 1)))[0][:, 0]
    net = network(1.004 * np.outer(u, u))
    verdict = manifold.verdict(net, found_of(net))
    assert verdict.kind == "line attractor" and verdict.numbers["largest_drift"] < 0.01 and verdict.numbers["n_saddles"] == 1
    assert verdict.numbers["contraction"] < 0.01, "a map of rank one leaves nothing across the line"


def test_verdicts_of_known_networks():
    assert manifold.verdict(inhibition(), found_of(inhibition())).kind == "two stable states"
    for w, kind in ((0.95, "slow decay"), (0.5, "fast decay")):
        verdict = manifold.verdict(network([[w]]), found_of(network([[w]])))
        assert verdict.kind == kind and verdict.numbers["time_constant"] == pytest.approx(-1 / np.log(w))
        assert "no path" in verdict.text
    assert manifold.path_between(network([[0.5]]), found_of(network([[0.5]])), x=NO_INPUT) is None


def test_continuation_finds_the_folds_of_one_unit():
    """h = tanh(w h + s) folds where w (1 - h²) = 1."""
    w = 1.5
    net = network([[w]], U=[[1.0, 0, 0]])
    start = found_of(net).points
    branch = manifold.continuation(net, start[np.argmax(start[:, 0])], x=NO_INPUT, along=[1, 0, 0], low=-1, high=1)
    h = np.sqrt(1 - 1 / w)
    fold = w * h - np.arctanh(h)
    assert branch.bifurcations.kind.tolist() == ["fold", "fold"]
    np.testing.assert_allclose(np.sort(branch.bifurcations.value), [-fold, fold], atol=1e-7)
    np.testing.assert_allclose(np.tanh(w * branch.points[:, 0] + branch.value), branch.points[:, 0], atol=1e-10)
    assert branch.passes(start[0]) and branch.passes(start[1]) and branch.passes(start[2]) and not branch.passes(np.array([0.3]))


def test_continuation_finds_a_pitchfork():
    """Two inhibiting units under a common drive s: the symmetric state turns into a saddle where w (1 - h²) = 1."""
    w = 1.6
    net = inhibition(w, U=[[1.0, 0, 0], [1.0, 0, 0]])
    start = next(p for p in found_of(net, x=[3.0, 0, 0]).points if abs(p[0] - p[1]) < 1e-8)
    branch = manifold.continuation(net, start, x=[3.0, 0, 0], along=[1, 0, 0], low=-6, high=0, step_size=0.02)
    h = np.sqrt(1 - 1 / w)
    at = np.arctanh(h) + w * h
    pitchforks = branch.bifurcations[branch.bifurcations.kind == "branch point"]
    np.testing.assert_allclose(np.sort(pitchforks.value + 3), [-at, at], atol=1e-6)
    assert branch.stable[0] and not branch.stable[np.abs(branch.value + 3).argmin()]


def test_continuation_finds_a_flip_and_a_hopf():
    """tanh(-w h + s) flips where w (1 - h²) = 1; a rotation loses its spiral where r (1 - h²) passes 1."""
    w = 1.5
    net = network([[-w]], U=[[1.0, 0, 0]])
    start = found_of(net, x=[3.0, 0, 0]).points[0]
    flips = manifold.continuation(net, start, x=[3.0, 0, 0], along=[1, 0, 0], low=-3, high=0).bifurcations
    h = np.sqrt(1 - 1 / w)
    assert flips.kind.tolist() == ["flip"] and flips.value[0] + 3 == pytest.approx(np.arctanh(h) + w * h, abs=1e-6)
    turn = 1.2 * np.array([[np.cos(1.0), -np.sin(1.0)], [np.sin(1.0), np.cos(1.0)]])
    net = network(turn, U=[[2.0, 0, 0], [2.0, 0, 0]])
    start = found_of(net, x=[2.0, 0, 0]).points[0]
    branch = manifold.continuation(net, start, x=[2.0, 0, 0], along=[1, 0, 0], low=-2, high=0)
    hopf = branch.bifurcations[branch.bifurcations.kind == "Neimark-Sacker"]
    assert len(hopf) == 1
    i = hopf["index"].iloc[0]
    assert (branch.largest_modulus[i] - 1) * (branch.largest_modulus[i + 1] - 1) < 0


def test_eigenvectors_are_those_of_scipy():
    from scipy.linalg import eig

    net = hrnn.Network.init("leaky", n_hidden=12, rng=1)
    point = found_of(net).points[0]
    values, right, left = manifold.eigenvectors(net, point, NO_INPUT)
    J = hrnn.dynamics.jacobian(net, point, np.zeros(3))
    np.testing.assert_allclose(J @ right, right * values, atol=1e-12)
    np.testing.assert_allclose(left.conj().T @ J, values[:, None] * left.conj().T, atol=1e-11)
    np.testing.assert_allclose(np.sort(np.abs(values)), np.sort(np.abs(eig(J)[0])), atol=1e-12)
    assert (np.diff(np.abs(values)) <= 1e-12).all()


@pytest.mark.parametrize("call, message", [
    (lambda net, f: manifold.unstable_manifold(net, f, int(np.flatnonzero(f.stable)[0])), "row must be of a saddle"),
    (lambda net, f: manifold.continuation(net, [0.3, 0.3], x=NO_INPUT, along=[1, 0, 0], low=-1, high=1), "start must be a fixed point"),
    (lambda net, f: manifold.continuation(net, [0.3], x=NO_INPUT, along=[1, 0, 0], low=-1, high=1), "start must have shape"),
    (lambda net, f: manifold.continuation(net, [0, 0], x=NO_INPUT, along=[1, 0, 0], low=1, high=2), "low must"),
    (lambda net, f: manifold.verdict(net, f, x=(1, 0, 0)), "found must hold a stable point"),
    (lambda net, f: manifold.path_between(net, f, x=NO_INPUT, n_states=2), "n_states"),
])
def test_bad_arguments_are_named(call, message):
    net = inhibition()
    with pytest.raises(ValueError, match=message):
        call(net, found_of(net))
