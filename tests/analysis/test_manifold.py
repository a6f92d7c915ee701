"""Paths, branches and verdicts on networks whose manifolds and bifurcations are known."""

import dataclasses

import numpy as np
import pytest
from test_dynamics import NO_INPUT, network

import hrnn
from hrnn.analysis import manifold


def inhibition(w=2.0, U=None, leak=None):
    return network([[0, -w], [-w, 0]], U=U, leak=leak)


def found_of(net, x=NO_INPUT, seed=0):
    return hrnn.fixed_points(
        net, x=x, starts=np.random.default_rng(seed).uniform(-1, 1, (80, net.n_hidden))
    )


def test_the_path_between_two_inhibiting_units_is_the_antidiagonal():
    net = inhibition(leak=0.3)
    path = manifold.path_between(net, found_of(net), x=NO_INPUT)
    assert path.converged
    np.testing.assert_allclose(path.states.sum(1), 0, atol=1e-9)
    np.testing.assert_allclose(np.diff(path.arclength), np.diff(path.arclength)[0], rtol=1e-6)
    across = path.states[:, 0]
    drift = 0.3 * (np.tanh(2 * across) - across)
    np.testing.assert_allclose(
        path.drift, np.sqrt(2) * drift * np.sign(path.states[-1, 0]), atol=1e-6
    )
    diagonal = np.abs(0.7 - 0.3 * 2 * (1 - np.tanh(2 * across) ** 2))
    np.testing.assert_allclose(path.contraction, diagonal, atol=1e-6)
    assert path.angles([[1, -1], [1, 1]]) == pytest.approx([0, 90], abs=1e-5)


def test_the_path_runs_along_the_unstable_manifold():
    net = hrnn.train(
        hrnn.Network.init("tanh", n_hidden=20, rng=0),
        hrnn.Task(),
        "fast",
        n_steps=600,
        progress=False,
        rng=0,
    ).network
    run = hrnn.rollout(net, hrnn.Task().sample(n_blocks=8, rng=0))
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=run.hidden[:: len(run.hidden) // 200])
    saddles = np.flatnonzero(found.n_unstable == 1)
    assert len(saddles) == 1, "this seed learns two stable states"
    path = manifold.path_between(net, found, x=NO_INPUT)
    assert path.converged
    verdict = manifold.verdict(net, found)
    assert verdict.kind == "two stable states" and verdict.numbers["kept_simulated"] < 0.01
    for orbit in manifold.unstable_manifold(net, found, saddles[0]):
        assert (
            np.linalg.norm(orbit[:, None] - path.states, axis=2).min(1).max()
            < 0.02 * path.arclength[-1]
        )
        assert np.linalg.norm(orbit[-1] - found.points[found.stable], axis=1).min() < 1e-6


def test_a_chain_on_a_repeller_is_no_path():
    """The straight chain stands still where by symmetry nothing moves it off.

    But states leave it.
    """
    flip = inhibition()  # at 0 the diagonal grows too, by -2 a step
    corners = network(np.diag([1.5, 1.5]))  # four stable corners, 0 repels every way
    for net, n_stable in ((flip, 2), (corners, 4), (ring(20, 2.5), 20), (ring(60, 1.5), 2)):
        found = visited_points(net)
        assert found.stable.sum() >= n_stable
        chain = np.linspace(-1, 1, 101)[:, None] * found.points[found.stable][0]
        on_diameter = dataclasses.replace(
            found,
            points=chain[[0, -1]],
            x=np.zeros((2, 3)),
            stable=np.ones(2, bool),
            eigenvalues=np.zeros((2, net.n_hidden), complex),
        )
        path = manifold.path_between(net, on_diameter, x=NO_INPUT)
        assert np.abs(path.states - chain).max() < 0.5, "it stays across the repeller"
        assert path.contraction[50] > 1 and not path.converged


def test_a_path_passes_a_stable_state_and_two_saddles():
    """s = 3 (h_1 + h_2) goes up a staircase: stable near -6, 0 and 6, saddles between."""
    net, found = staircase()
    path = manifold.path_between(net, found, x=NO_INPUT)
    assert path.converged and found.stable.sum() == 3 and (found.n_unstable == 1).sum() == 2
    gaps = np.linalg.norm(found.points[:, None] - path.states, axis=2).min(1)
    assert gaps.max() < path.arclength[1]
    assert (np.diff(np.sign(path.drift[2:-2])) != 0).sum() == 3
    verdict = manifold.verdict(net, found)
    assert verdict.kind == "several stable states" and "3 stable states, 2 saddles" in verdict.text


def test_stretching_between_saddles_is_no_repeller():
    """Where states pass, the Jacobian across may exceed 1: orbits from the saddles run along it."""
    rng = np.random.default_rng(63)
    n = int(rng.integers(2, 12))
    W = rng.normal(size=(n, n)) * 2 / np.sqrt(n) * rng.uniform(0.7, 1.5)
    net = network(W + np.eye(n) * rng.uniform(0, 1), b=rng.normal(size=n) * 0.1)
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=rng.uniform(-1, 1, (60, n)))
    path = manifold.path_between(net, found, x=NO_INPUT)
    assert path.converged and path.contraction.max() > 1.5
    for row in np.flatnonzero(found.n_unstable == 1):
        for orbit in manifold.unstable_manifold(net, found, row):
            gaps = np.linalg.norm(orbit[:, None] - path.states, axis=2).min(1)
            assert gaps.max() < 0.01 * path.arclength[-1]


# ---- verdicts ----------------------------------------------------------------------------------


def ring(n, g):
    """Cosine weights on a circle: 2 n points on a ring that grows flatter with n."""
    angles = 2 * np.pi * np.arange(n) / n
    return network(g * 2 / n * np.cos(angles[:, None] - angles))


def plane_network(fast):
    """Two units that do not know of each other, one of them nearly neutral."""
    return network(np.diag([1.0005, fast]))


def line():
    """W = 1.0005 u u' in 30 units: one nearly neutral direction, nothing beside it."""
    u = np.linalg.qr(np.random.default_rng(0).normal(size=(30, 1)))[0][:, 0]
    return network(1.0005 * np.outer(u, u))


def staircase():
    """Two units whose sum has three stable values."""
    net = network([[3.0, 3.0], [3.0, 3.0]], b=[3.0, -3.0])
    return net, found_of(net)


def visited_points(net, n=200):
    """Points found from states to which noise has driven the network."""
    rng = np.random.default_rng(0)
    states = rng.uniform(-1, 1, (n, net.n_hidden))
    for noise in np.r_[np.full(60, 0.3), np.zeros(30)]:
        drive = noise * rng.normal(size=states.shape)
        states = net.step(states, NO_INPUT) + drive
    return hrnn.fixed_points(net, x=NO_INPUT, starts=states)


def of_visited(net, n=200):
    return net, visited_points(net, n)


def of_random(net):
    return net, found_of(net)


def untrained():
    net = hrnn.Network.init("tanh", n_hidden=50, rng=0)
    run = hrnn.rollout(net, hrnn.Task().sample(n_blocks=4, rng=0))
    return net, hrnn.fixed_points(net, x=NO_INPUT, starts=run.hidden[::50])


SPAN = (16, 40, 80, 160, 320)
ONE = "line attractor"
CONTINUUM = "continuous attractor"
TWO = "two stable states"
SEVERAL = "several stable states"
SLOW = "slow decay"
FAST = "fast decay"
KNOWN = {  # what it is: how to make it with its points, and the right word for each of SPAN
    "line, w = 1.0005": (lambda: of_random(network([[1.0005]])), [ONE] * 5),
    "line in 30 units": (lambda: of_random(line()), [ONE] * 5),
    "line, other unit .3": (lambda: of_random(plane_network(0.3)), [ONE] * 5),
    "plane, other unit .9999": (lambda: of_random(plane_network(0.9999)), [CONTINUUM] * 5),
    "plane, other unit 1.0005": (lambda: of_random(plane_network(1.0005)), [CONTINUUM] * 5),
    "ring of 60": (lambda: of_visited(ring(60, 1.5), 100), [CONTINUUM] * 5),
    "ring of 60, random starts": (lambda: of_random(ring(60, 1.5)), [CONTINUUM] * 5),
    "ring of 60, g = 1.1, random starts": (lambda: of_random(ring(60, 1.1)), [CONTINUUM] * 5),
    "ring of 20, one point found": (lambda: of_random(ring(20, 1.5)), [CONTINUUM] * 5),
    "ring of 20, weak bumps": (lambda: of_visited(ring(20, 2.5)), [CONTINUUM] * 5),
    "ring of 20, bumps": (lambda: of_visited(ring(20, 3.0)), [CONTINUUM] * 2 + [SEVERAL] * 3),
    "bistable, w = 1.05": (lambda: of_random(network([[1.05]])), [ONE] + [TWO] * 4),
    "bistable, w = 1.5, leak .1": (
        lambda: of_random(network([[1.5]], leak=0.1)),
        [ONE] + [TWO] * 4,
    ),
    "mutual inhibition": (lambda: of_random(inhibition()), [TWO] * 5),
    "three states in a row": (staircase, [SEVERAL] * 5),
    "four corners": (lambda: of_random(network(np.diag([1.5, 1.5]))), [SEVERAL] * 5),
    "one slow state, w = .9977": (lambda: of_random(network([[0.9977]])), [SLOW] * 4 + [FAST]),
    "one state, w = .9": (lambda: of_random(network([[0.9]])), [FAST] * 5),
    "untrained": (untrained, [FAST] * 5),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_structures_are_called_by_their_names(name):
    make, kinds = KNOWN[name]
    net, found = make()
    verdicts = [manifold.verdict(net, found, n_steps=n) for n in SPAN]
    assert [verdict.kind for verdict in verdicts] == kinds
    for n, verdict in zip(SPAN, verdicts, strict=True):
        numbers = verdict.numbers
        assert numbers["n_steps"] == n and f"after {n} steps" in verdict.text
        assert numbers["kept_simulated"] == pytest.approx(numbers["kept_predicted"], abs=0.02)
        assert verdict.text.endswith(kinds[SPAN.index(n)])


def test_what_is_kept_follows_from_the_map():
    """One unit: the derivative of the iterated map at states between the outer points."""
    for w, leak, n in ((1.05, 1.0, 16), (1.004, 1.0, 160), (1.5, 0.1, 16)):
        net = network([[w]], leak=leak)
        verdict = manifold.verdict(net, found_of(net), n_steps=n)
        end = max(found_of(net).points[:, 0])
        h = np.linspace(-end, end, 2001)
        left = np.ones_like(h)
        for _ in range(n):
            left *= 1 - leak + leak * w * (1 - np.tanh(w * h) ** 2)
            h = (1 - leak) * h + leak * np.tanh(w * h)
        assert verdict.numbers["kept_predicted"] == pytest.approx(np.median(left), rel=0.02)
        assert verdict.numbers["kept_simulated"] == pytest.approx(np.median(left), rel=0.02)
    net = network([[0.9977]])
    numbers = manifold.verdict(net, found_of(net)).numbers
    assert numbers["kept_predicted"] == pytest.approx(0.9977**160, rel=1e-9)
    h = 0.01
    for _ in range(160):
        h = np.tanh(0.9977 * h)
    assert numbers["kept_simulated"] == pytest.approx(h / 0.01, rel=1e-9)


def test_the_simulation_decides_where_the_prediction_misses_the_half():
    """λ^300 = .501, but a displacement of .01 shrinks faster than a vanishing one."""
    net = network([[0.9977]])
    verdict = manifold.verdict(net, found_of(net), n_steps=300)
    assert verdict.numbers["kept_predicted"] > 0.5 > verdict.numbers["kept_simulated"]
    assert verdict.kind == "fast decay" and "disagree" in verdict.text


def test_rounding_does_not_make_states_of_a_ring():
    """The points of a ring of 60 have |λ| = 1 to 1e-12, half of them below: none is a state."""
    net, found = of_visited(ring(60, 1.5), 100)
    assert 0 < found.stable.sum() < len(found.points) == (found.eigenvalues.real[:, 0] > 0.99).sum()
    numbers = manifold.verdict(net, found).numbers
    assert numbers["n_stable"] == numbers["n_saddles"] == 0
    assert numbers["n_neutral"] == len(found.points) and "lambda_stable" not in numbers


def test_a_ring_with_bumps_is_several_states_for_whoever_waits_longer():
    """Twenty stable states of |λ| = .998: .72 is left after a block, .36 after 500 steps."""
    net, found = of_visited(ring(20, 2.5))
    block, longer = (manifold.verdict(net, found, n_steps=n) for n in (160, 500))
    assert block.numbers["n_stable"] == 20 and "no path" in block.text
    assert block.numbers["lambda_stable"] == pytest.approx(0.998, abs=5e-4)
    assert block.numbers["kept_simulated"] == pytest.approx(0.72, abs=0.01)
    assert longer.numbers["kept_simulated"] == pytest.approx(0.36, abs=0.01)
    assert (block.kind, longer.kind) == ("continuous attractor", "several stable states")


def test_verdicts_of_known_networks():
    for w in (0.95, 0.5):
        verdict = manifold.verdict(network([[w]]), found_of(network([[w]])))
        assert verdict.kind == "fast decay" and "no path" in verdict.text
        assert verdict.numbers["time_constant"] == pytest.approx(-1 / np.log(w))
    turn = 1.6 * np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    verdict = manifold.verdict(network(turn), found_of(network(turn)))
    assert verdict.kind == "no stable state" and "kept_simulated" not in verdict.numbers
    apart = network(np.diag([1.5, 0.5]))
    verdict = manifold.verdict(apart, found_of(apart), axis=[0, 1.0])
    assert verdict.kind == "two stable states", "an axis that does not separate them"
    one = network([[0.5]])
    assert manifold.path_between(one, found_of(one), x=NO_INPUT) is None


def test_a_search_that_found_nothing_has_a_verdict():
    found = dataclasses.replace(found_of(network([[0.5]])), x=np.ones((1, 3)))
    verdict = manifold.verdict(network([[0.5]]), found)
    assert verdict.kind == "no stable state" and "no fixed point was found" in verdict.text
    assert verdict.numbers["n_stable"] == verdict.numbers["n_saddles"] == 0


@pytest.mark.parametrize(
    "task, rel",
    [
        (hrnn.Task(), 0.01),
        (hrnn.Task.preset("ibl"), 0.05),  # unbiased trials are of no block, but of another length
    ],
)
def test_a_belief_has_to_last_for_a_block_of_mean_length(task, rel):
    run = hrnn.rollout(hrnn.BayesianActor("semi_markov"), task.sample(n_blocks=40, rng=0))
    trials = run.trials
    biased = trials[trials.block_side != 0]
    per_block = biased.groupby(["session", "block"]).n_steps.sum().mean()
    assert manifold.steps_per_block(run) == pytest.approx(per_block, rel=rel)


def test_continuation_finds_the_folds_of_one_unit():
    """h = tanh(w h + s) folds where w (1 - h²) = 1."""
    w = 1.5
    net = network([[w]], U=[[1.0, 0, 0]])
    start = found_of(net).points
    branch = manifold.continuation(
        net, start[np.argmax(start[:, 0])], x=NO_INPUT, along=[1, 0, 0], low=-1, high=1
    )
    h = np.sqrt(1 - 1 / w)
    fold = w * h - np.arctanh(h)
    assert branch.bifurcations.kind.tolist() == ["fold", "fold"]
    np.testing.assert_allclose(np.sort(branch.bifurcations.value), [-fold, fold], atol=1e-7)
    np.testing.assert_allclose(
        np.tanh(w * branch.points[:, 0] + branch.value), branch.points[:, 0], atol=1e-10
    )
    assert (
        branch.passes(start[0])
        and branch.passes(start[1])
        and branch.passes(start[2])
        and not branch.passes(np.array([0.3]))
    )


def test_continuation_finds_a_pitchfork():
    """Two inhibiting units under a common drive s.

    The symmetric state turns into a saddle where w (1 - h²) = 1.
    """
    w = 1.6
    net = inhibition(w, U=[[1.0, 0, 0], [1.0, 0, 0]])
    start = next(p for p in found_of(net, x=[3.0, 0, 0]).points if abs(p[0] - p[1]) < 1e-8)
    branch = manifold.continuation(
        net, start, x=[3.0, 0, 0], along=[1, 0, 0], low=-6, high=0, step_size=0.02
    )
    h = np.sqrt(1 - 1 / w)
    at = np.arctanh(h) + w * h
    pitchforks = branch.bifurcations[branch.bifurcations.kind == "branch point"]
    np.testing.assert_allclose(np.sort(pitchforks.value + 3), [-at, at], atol=1e-6)
    assert branch.stable[0] and not branch.stable[np.abs(branch.value + 3).argmin()]


def test_continuation_finds_a_flip_and_a_hopf():
    """tanh(-w h + s) flips where w (1 - h²) = 1.

    A rotation loses its spiral where r (1 - h²) passes 1.
    """
    w = 1.5
    net = network([[-w]], U=[[1.0, 0, 0]])
    start = found_of(net, x=[3.0, 0, 0]).points[0]
    flips = manifold.continuation(
        net, start, x=[3.0, 0, 0], along=[1, 0, 0], low=-3, high=0
    ).bifurcations
    h = np.sqrt(1 - 1 / w)
    assert flips.kind.tolist() == ["flip"] and flips.value[0] + 3 == pytest.approx(
        np.arctanh(h) + w * h, abs=1e-6
    )
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
    np.testing.assert_allclose(
        np.sort(flips.value), np.sort(np.arctanh(h) + np.array([1.5, 2.5]) * h - 6), atol=1e-6
    )


def test_each_of_several_spirals_is_found():
    """Two pairs of units, each losing its spiral where its own modulus passes 1."""
    turn = lambda r, a: r * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])  # noqa: E731
    W = np.zeros((4, 4))
    W[:2, :2] = turn(1.2, 1.0)
    W[2:, 2:] = turn(1.6, 2.0)
    branch = follow(W, [[2.0, 0, 0]] * 4, 4.0, low=-4)
    hopf = branch.bifurcations[branch.bifurcations.kind == "Neimark-Sacker"]
    crossings = []
    for part in (slice(0, 2), slice(2, 4)):
        gain = 1 - np.tanh(branch.points @ W.T + 2 * (4 + branch.value)[:, None]) ** 2
        moduli = np.abs(np.linalg.eigvals(gain[:, part, None] * W[part, part])).max(1)
        crossings += [
            branch.value[i] for i in np.flatnonzero((moduli[1:] - 1) * (moduli[:-1] - 1) < 0)
        ]
    np.testing.assert_allclose(np.sort(hopf.value), np.sort(crossings), atol=0.06)
    assert len(hopf) == 2


def test_eigenvalues_that_merge_are_no_bifurcation():
    """A complex pair left of -1 becomes two real eigenvalues: nothing crosses -1 there."""
    rng = np.random.default_rng(9)
    W = rng.normal(size=(4, 4)) * 1.5
    U = rng.normal(size=(4, 3))
    b = rng.normal(size=4) * 0.3
    net = network(W, U=U, b=b)
    start = hrnn.fixed_points(
        net, x=[3.0, 0, 0], starts=np.random.default_rng(0).uniform(-1, 1, (80, 4))
    ).points[0]
    branch = manifold.continuation(net, start, x=[3.0, 0, 0], along=[1, 0, 0], low=-3, high=0)
    for row in branch.bifurcations[branch.bifurcations.kind == "flip"].itertuples():
        values = [
            np.linalg.eigvals(net.jacobian(branch.points[i], np.array([3 + branch.value[i], 0, 0])))
            for i in (row.index, row.index + 1)
        ]
        real = [v[np.abs(v.imag) < 1e-9].real for v in values]
        assert (real[0] < -1).sum() != (real[1] < -1).sum()


def test_a_closed_branch_is_followed_once():
    """An isola: two folds, at values that follow from those of the one unit."""
    w = 1.5
    h = np.sqrt(1 - 1 / w)
    fold = w * h - np.arctanh(h)
    net = network(
        [[w, 0.5, -0.5], [0, 0, 0], [0, 0, 0]],
        U=[[0, 0, 0], [1, 0, 0], [1, 0, 0]],
        b=[-fold - 0.55, 1, -1],
    )
    found = found_of(net)
    branch = manifold.continuation(
        net,
        found.points[np.argmax(found.points[:, 0])],
        x=NO_INPUT,
        along=[1, 0, 0],
        low=-5,
        high=5,
    )
    assert branch.bifurcations.kind.tolist() == ["fold", "fold"]
    np.testing.assert_allclose(np.sort(branch.bifurcations.value), [-0.850714, 0.850714], atol=1e-5)
    np.testing.assert_allclose(branch.points[0], branch.points[-1], atol=1e-12)


def test_a_chain_that_does_not_stand_still_is_no_path():
    """Without a saddle of one direction between the outer points the chain wanders.

    And the verdict says so.
    """
    rng = np.random.default_rng(34)
    n = int(rng.integers(2, 8))
    W = rng.normal(size=(n, n)) * 2 / np.sqrt(n) * rng.uniform(0.7, 1.5)
    b = rng.normal(size=n) * 0.1
    net = network(W, b=b)
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=rng.uniform(-1, 1, (60, n)))
    assert not manifold.path_between(net, found, x=NO_INPUT).converged
    verdict = manifold.verdict(net, found)
    assert verdict.kind == "two stable states" and "largest_drift" not in verdict.numbers
    assert "no path" in verdict.text and verdict.numbers["kept_simulated"] < 0.5


def test_eigenvectors_are_those_of_scipy():
    from scipy.linalg import eig

    net = hrnn.Network.init("leaky", n_hidden=12, rng=1)
    point = found_of(net).points[0]
    values, right, left = manifold.eigenvectors(net, point, NO_INPUT)
    J = net.jacobian(point, np.zeros(3))
    np.testing.assert_allclose(J @ right, right * values, atol=1e-12)
    np.testing.assert_allclose(left.conj().T @ J, values[:, None] * left.conj().T, atol=1e-11)
    np.testing.assert_allclose(np.sort(np.abs(values)), np.sort(np.abs(eig(J)[0])), atol=1e-12)
    assert (np.diff(np.abs(values)) <= 1e-12).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda net, f: manifold.unstable_manifold(net, f, int(np.flatnonzero(f.stable)[0])),
            "row must be of a saddle",
        ),
        (
            lambda net, f: manifold.continuation(
                net, [0.3, 0.3], x=NO_INPUT, along=[1, 0, 0], low=-1, high=1
            ),
            "start must be a fixed point",
        ),
        (
            lambda net, f: manifold.continuation(
                net, [0.3], x=NO_INPUT, along=[1, 0, 0], low=-1, high=1
            ),
            "start must have shape",
        ),
        (
            lambda net, f: manifold.continuation(
                net, [0, 0], x=NO_INPUT, along=[1, 0, 0], low=1, high=2
            ),
            "low must",
        ),
        (lambda net, f: manifold.path_between(net, f, x=NO_INPUT, n_states=2), "n_states"),
        (lambda net, f: manifold.verdict(net, f, n_steps=0), "n_steps must be >= 1, got 0"),
        (
            lambda net, f: manifold.verdict(net, f, x=[1, 0, 0]),
            "x must be an input under which found",
        ),
        (lambda net, f: manifold.verdict(net, f, x=[0, 0]), "x must be an input under which found"),
    ],
)
def test_bad_arguments_are_named(call, message):
    net = inhibition()
    with pytest.raises(ValueError, match=message):
        call(net, found_of(net))
