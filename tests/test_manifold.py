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
    turn = 1.6 * np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    assert manifold.verdict(network(turn), found_of(network(turn))).kind == "no stable state"
    apart = network(np.diag([1.5, 0.5]))
    assert manifold.verdict(apart, found_of(apart), axis=[0, 1.0]).kind == "two stable states", "an axis that does not separate them"
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


def follow(W, U, x, b=None, low=-6.0, high=0.0):
    """Branch of the one fixed point under the input (x, 0, 0), followed as it varies."""
    net = network(W, U=U, b=b)
    start = found_of(net, x=[x, 0, 0]).points
    assert len(start) == 1
    return manifold.continuation(net, start[0], x=[x, 0, 0], along=[1, 0, 0], low=low, high=high)


def test_each_of_several_flips_is_found():
    """Two units that do not know of each other, each with a flip of its own."""
    flips = follow(np.diag([-1.5, -2.5]), [[1.0, 0, 0]] * 2, 6.0).bifurcations
    h = np.sqrt(1 - 1 / np.array([1.5, 2.5]))
    assert (flips.kind == "flip").all()
    np.testing.assert_allclose(np.sort(flips.value), np.sort(np.arctanh(h) + np.array([1.5, 2.5]) * h - 6), atol=1e-6)


def test_each_of_several_spirals_is_found():
    """Two pairs of units, each losing its spiral where its own modulus passes 1."""
    turn = lambda r, a: r * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])  # noqa: E731
    W = np.zeros((4, 4))
    W[:2, :2], W[2:, 2:] = turn(1.2, 1.0), turn(1.6, 2.0)
    branch = follow(W, [[2.0, 0, 0]] * 4, 4.0, low=-4)
    hopf = branch.bifurcations[branch.bifurcations.kind == "Neimark-Sacker"]
    crossings = []
    for part in (slice(0, 2), slice(2, 4)):
        gain = 1 - np.tanh(branch.points @ W.T + 2 * (4 + branch.value)[:, None]) ** 2
        moduli = np.abs(np.linalg.eigvals(gain[:, part, None] * W[part, part])).max(1)
        crossings += [branch.value[i] for i in np.flatnonzero((moduli[1:] - 1) * (moduli[:-1] - 1) < 0)]
    np.testing.assert_allclose(np.sort(hopf.value), np.sort(crossings), atol=0.06)
    assert len(hopf) == 2


def test_eigenvalues_that_merge_are_no_bifurcation():
    """A complex pair left of -1 becomes two real eigenvalues: nothing crosses -1 there."""
    rng = np.random.default_rng(9)
    W, U, b = rng.normal(size=(4, 4)) * 1.5, rng.normal(size=(4, 3)), rng.normal(size=4) * 0.3
    net = network(W, U=U, b=b)
    start = hrnn.fixed_points(net, x=[3.0, 0, 0], starts=np.random.default_rng(0).uniform(-1, 1, (80, 4))).points[0]
    branch = manifold.continuation(net, start, x=[3.0, 0, 0], along=[1, 0, 0], low=-3, high=0)
    for row in branch.bifurcations[branch.bifurcations.kind == "flip"].itertuples():
        values = [np.linalg.eigvals(hrnn.dynamics.jacobian(net, branch.points[i], np.array([3 + branch.value[i], 0, 0])))
                  for i in (row.index, row.index + 1)]
        real = [v[np.abs(v.imag) < 1e-9].real for v in values]
        assert (real[0] < -1).sum() != (real[1] < -1).sum()


def test_a_closed_branch_is_followed_once():
    """An isola: two folds, at values that follow from those of the one unit."""
    w = 1.5
    h = np.sqrt(1 - 1 / w)
    fold = w * h - np.arctanh(h)
    net = network([[w, 0.5, -0.5], [0, 0, 0], [0, 0, 0]], U=[[0, 0, 0], [1, 0, 0], [1, 0, 0]], b=[-fold - 0.55, 1, -1])
    found = found_of(net)
    branch = manifold.continuation(net, found.points[np.argmax(found.points[:, 0])], x=NO_INPUT, along=[1, 0, 0], low=-5, high=5)
    assert branch.bifurcations.kind.tolist() == ["fold", "fold"]
    np.testing.assert_allclose(np.sort(branch.bifurcations.value), [-0.850714, 0.850714], atol=1e-5)
    np.testing.assert_allclose(branch.points[0], branch.points[-1], atol=1e-12)


def test_a_chain_that_does_not_stand_still_is_no_path():
    """Without a saddle of one direction between the outer points the chain wanders, and the verdict says so."""
    rng = np.random.default_rng(34)
    n = int(rng.integers(2, 8))
    W, b = rng.normal(size=(n, n)) * 2 / np.sqrt(n) * rng.uniform(0.7, 1.5), rng.normal(size=n) * 0.1
    net = network(W, b=b)
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=rng.uniform(-1, 1, (60, n)))
    assert not manifold.path_between(net, found, x=NO_INPUT).converged
    verdict = manifold.verdict(net, found)
    assert verdict.kind == "two stable states" and "no path" in verdict.text and "largest_drift" not in verdict.numbers


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
    (lambda net, f: manifold.path_between(net, f, x=NO_INPUT, n_states=2), "n_states"),
])
def test_bad_arguments_are_named(call, message):
    net = inhibition()
    with pytest.raises(ValueError, match=message):
        call(net, found_of(net))
