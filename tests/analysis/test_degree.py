"""Points that double precision can tell apart, continua, and points that are missing.

Against roots by brentq, known bifurcations and Brouwer's sum of degrees.
"""

import numpy as np
import pytest
from scipy.optimize import brentq
from test_dynamics import NO_INPUT, network

import hrnn
from hrnn.analysis import dynamics, manifold

GRID = np.linspace(-1, 1, 51)[:, None]
W_FOLD = 1.5
H_FOLD = np.sqrt(1 - 1 / W_FOLD)
FOLD = np.arctanh(H_FOLD) - W_FOLD * H_FOLD  # bias at which h = tanh(1.5 h + b) loses two points


def gated(n_kept, hold=np.inf, n=4, bias=0.0):
    """GRU of n units: n_kept of them keep what they have (update gate at 1 - exp(-hold))."""
    b = np.zeros(3 * n)
    b[n : n + n_kept] = 60.0 if np.isinf(hold) else hold
    b[2 * n :] = bias
    arrays = {"W": np.zeros((3 * n, n)), "U": np.zeros((3 * n, 3)), "b": b}
    readout = {"V": np.zeros((2, n)), "c": np.zeros(2), "b_inner": np.zeros(n)}
    return hrnn.Network.from_arrays("gru", **arrays, **readout)


def roots(w, b=0.0):
    """Roots of tanh(w h + b) - h, by brentq between neighbours of a fine grid."""
    grid = np.unique(np.r_[-np.geomspace(1e-9, 1, 4001), np.geomspace(1.03e-9, 1.02, 4003)])
    value = np.tanh(w * grid + b) - grid
    signs = np.flatnonzero(value[1:] * value[:-1] < 0)
    return np.array([brentq(lambda h: np.tanh(w * h + b) - h, *grid[i : i + 2]) for i in signs])


@pytest.mark.parametrize("leak", [None, 0.02, 1e-6])
@pytest.mark.parametrize("w", [0.9999, 0.999999, 1.0])
def test_a_tangency_is_one_point_and_no_line(w, leak):
    net = network([[w]], leak=leak)
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=GRID)
    assert len(found.points) == 1 and abs(found.points[0, 0]) < 1e-6
    assert found.n_found.tolist() == [51] and found.degree.tolist() == [1]
    assert found.complete.all() and found.n_more.tolist() == [0]
    assert manifold.verdict(net, found).kind == "slow decay"


@pytest.mark.parametrize("excess", [1e-3, 1e-5, 1e-7, 1e-8, 1e-10, 1e-11])
def test_three_points_that_double_precision_can_tell_apart_are_three(excess):
    found = hrnn.fixed_points(network([[1 + excess]]), x=NO_INPUT, starts=GRID)
    right = roots(1 + excess)
    assert len(right) == 3
    np.testing.assert_allclose(np.sort(found.points[:, 0]), right, rtol=1e-4, atol=1e-12)
    order = np.argsort(found.points[:, 0])
    assert found.degree[order].tolist() == [1, -1, 1] and found.complete.all()


def test_a_line_shorter_than_what_is_looked_at_is_one_place():
    """tanh((1 + 1e-7) h) and tanh(h) do the same in a block: neither is a line attractor."""
    net = network([[1 + 1e-7]])
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=GRID)
    assert manifold.verdict(net, found).kind == "slow decay"


@pytest.mark.parametrize("W", [np.diag([1, 0.2]), np.diag([1.0, 1.0, 0.3])])
def test_neutral_directions_beside_others(W):
    net = network(W)
    starts = np.random.default_rng(0).uniform(-1, 1, (100, len(W)))
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=starts)
    assert len(found.points) == 1 and np.abs(found.points).max() < 1e-6
    undecided = len(W) == 3
    assert np.isnan(found.degree_sum[0]) == undecided
    assert ("undecided" in repr(found)) == undecided
    assert manifold.verdict(net, found).kind == "slow decay"


@pytest.mark.parametrize("beyond", [1e-8, 1e-10, 1e-12, 1e-13])
def test_a_fold_has_two_points_on_one_side_and_a_slow_point_on_the_other(beyond):
    for sign, n in ((1, 3), (-1, 1)):
        net = network([[W_FOLD]], b=[FOLD + sign * beyond])
        found = hrnn.fixed_points(net, x=NO_INPUT, starts=GRID)
        assert len(found.points) == n and found.complete.all()
        apart = np.sqrt(beyond / (W_FOLD**2 * H_FOLD))
        upper = np.sort(found.points[:, 0])[1:]
        expected = H_FOLD + apart * np.array([-1, 1]) if n == 3 else []
        np.testing.assert_allclose(upper, expected, atol=0.01 * apart)
        if sign < 0:
            assert np.abs(found.slow_points[:, 0] - H_FOLD).min() < 1e-3


def test_at_a_fold_the_degrees_of_two_points_cancel():
    found = hrnn.fixed_points(network([[W_FOLD]], b=[FOLD]), x=NO_INPUT, starts=GRID)
    assert sorted(found.degree.tolist()) == [0, 1] and found.complete.all()


def critical(slope, n=50):
    """Network of n units with one direction of that slope at a point that is not 0."""
    rng = np.random.default_rng(0)
    h = rng.uniform(-0.6, 0.6, n)
    W = 0.3 * rng.normal(size=(n, n)) / np.sqrt(n)
    gain = 1 - h**2
    v = rng.normal(size=n)
    v /= np.linalg.norm(v)
    W += np.outer(slope * v / gain - W @ v, v)
    return network(W, b=np.arctanh(h) - W @ h), h


@pytest.mark.parametrize(
    "slope, n", [(1 - 1e-3, 1), (1 - 1e-6, 2), (1 - 1e-7, 2), (1 - 1e-11, 1), (1.0, 1)]
)
def test_fifty_units_near_a_bifurcation(slope, n):
    """Another point passes through this one at slope 1: 36 times 1 - slope away, to first order."""
    net, h = critical(slope)
    starts = h + 0.3 * np.random.default_rng(1).normal(size=(150, 50))
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=starts)
    near = np.linalg.norm(found.points - h, axis=1)
    assert (near < 1e-4).sum() == n and found.complete.all()
    if n == 2:
        assert near[near < 1e-4].max() == pytest.approx(36.3 * (1 - slope), rel=0.01)
    assert found.degree[near < 1e-4].sum() == (1 if slope < 1 - 1e-4 else 0)


def test_an_exact_line_attractor_is_one_and_is_not_merged():
    net = gated(1)
    starts = np.random.default_rng(0).uniform(-1, 1, (60, 4))
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=starts)
    assert len(found.points) > 50 and found.neutral.all() and np.ptp(found.points[:, 0]) > 1.8
    assert np.isnan(found.degree).all() and found.n_more[0] == 0 and not found.complete.any()
    assert manifold.verdict(net, found).kind == "line attractor"
    assert dynamics.coverage(net, found, starts) <= 1


def test_an_exact_plane_and_a_ring_are_continua():
    net = gated(2)
    starts = np.random.default_rng(0).uniform(-1, 1, (60, 4))
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=starts)
    assert len(found.points) > 50 and manifold.verdict(net, found).kind == "continuous attractor"


def test_a_gate_that_nearly_holds_leaves_one_point():
    """Update gate at 1 - 1e-9: F(h) - h = 1e-9 (c - h) is below 1e-12 all around c."""
    net = gated(1, hold=-np.log(1e-9), bias=0.4)
    starts = np.random.default_rng(0).uniform(-1, 1, (60, 4))
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=starts)
    np.testing.assert_allclose(found.points, np.full((1, 4), np.tanh(0.4)), atol=1e-5)
    assert found.degree.tolist() == [1]


@pytest.mark.parametrize("leak", [None, 0.3])
def test_missing_points_are_noticed_and_searched(leak):
    """From one start the search finds one of three, nine, or 27 points."""
    for n, total in ((1, 3), (2, 9), (3, 27)):
        net = network(1.5 * np.eye(n), leak=leak)
        starts = np.zeros((1, n))
        few = hrnn.fixed_points(net, x=NO_INPUT, starts=starts, n_more=0)
        assert len(few.points) == 1 and few.degree_sum.tolist() == [(-1) ** n]
        assert few.complete.tolist() == [n == 2] and ("INCOMPLETE" in repr(few)) == (n != 2)
        found = hrnn.fixed_points(net, x=NO_INPUT, starts=starts)
        if n != 2:
            assert found.complete.all() and found.n_more[0] > 0 and len(found.points) <= total
            assert (found.n_found == 0).sum() == len(found.points) - 1


def test_a_verdict_on_too_few_points_says_so():
    net = network([[1.5]])
    few = hrnn.fixed_points(net, x=NO_INPUT, starts=[[1.0], [-1.0]], n_more=0)
    assert few.degree_sum.tolist() == [2]
    assert "points are missing" in manifold.verdict(net, few).text


@pytest.mark.parametrize("cell", ["tanh", "leaky", "gru"])
def test_the_degrees_of_random_networks_have_the_sum_one(cell):
    """Update gates at 1 to rounding leave a continuum, of which nothing is said."""
    rng = np.random.default_rng(0)
    undone = 0
    for k in range(12):
        net = hrnn.Network.init(cell, n_hidden=int(rng.integers(1, 6)), rng=k)
        net = net.with_theta(net.theta * rng.uniform(1, 6))
        starts = rng.uniform(-1, 1, (40, net.n_hidden))
        found = hrnn.fixed_points(net, x=rng.normal(size=(3, 3)), starts=starts)
        for row, total in enumerate(found.degree):
            J = net.jacobian(found.points[row], found.x[row])
            gaps = 1 - np.linalg.eigvals(J)
            assert total == np.sign(np.prod(gaps).real) or np.abs(gaps).min() < 1e-8
        undone += (~found.complete & ~np.isnan(found.degree_sum)).sum()
    assert undone == 0


def test_neutral_points_have_no_basin_and_raise_nothing():
    net = network(np.diag([1.0, 0.2]))
    starts = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=starts)
    label = dynamics.attractor(net, found, NO_INPUT, starts, n_steps=50)
    assert (label == -1).all()


@pytest.mark.parametrize("n_more, error", [(-1, ValueError), (1.5, TypeError)])
def test_n_more_is_checked(n_more, error):
    with pytest.raises(error, match="n_more must be"):
        hrnn.fixed_points(network([[1.5]]), x=NO_INPUT, starts=[[0.0]], n_more=n_more)


@pytest.mark.parametrize("excess", [0, 1e-7, 1e-3])
def test_a_branch_through_a_tangency_goes_on_both_ways(excess):
    """The curve s = artanh(h) - w h through (0, 0) rises for w = 1, and folds twice above."""
    w = 1 + excess
    net = network([[w]], U=[[1.0, 0, 0]])
    branch = manifold.continuation(net, [0.0], x=NO_INPUT, along=[1, 0, 0], low=-1, high=1)
    assert branch.value.min() < -1 and branch.value.max() > 1
    np.testing.assert_allclose(
        np.arctanh(branch.points[:, 0]) - w * branch.points[:, 0], branch.value, atol=1e-9
    )
    assert branch.bifurcations.kind.tolist() == (["fold", "fold"] if excess else [])
