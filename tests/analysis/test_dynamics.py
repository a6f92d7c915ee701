"""Fixed points of networks that have known ones, and of networks that have not.

Against NumPy and the iterated map.
"""

import numpy as np
import pytest
from scipy.optimize import root

import hrnn
from hrnn.analysis import dynamics

NO_INPUT = [0.0, 0.0, 0.0]


def network(W, *, U=None, b=None, leak=None, V=None):
    W = np.atleast_2d(np.asarray(W, float))
    n = len(W)
    V = np.zeros((2, n)) if V is None else V
    return hrnn.Network.from_arrays(
        "tanh" if leak is None else "leaky",
        W=W,
        U=np.zeros((n, 3)) if U is None else U,
        b=np.zeros(n) if b is None else b,
        V=V,
        c=np.zeros(2),
        leak=leak,
    )


@pytest.fixture(scope="module")
def trained():
    net = hrnn.Network.init("tanh", n_hidden=20, rng=0)
    return hrnn.train(net, hrnn.Task(), "fast", n_steps=500, progress=False, rng=0).network


@pytest.fixture(scope="module")
def starts(trained):
    run = hrnn.rollout(trained, hrnn.Task().sample(n_blocks=8, rng=0))
    return run.hidden[:: len(run.hidden) // 150]


@pytest.mark.parametrize("leak", [None, 0.3])
def test_one_unit_has_its_pitchfork(leak):
    """h = tanh(w h): one stable point below w = 1, two and a saddle above."""
    starts = np.linspace(-1.5, 1.5, 31)[:, None]
    for w, n in ((0.7, 1), (1.5, 3), (3.0, 3)):
        found = hrnn.fixed_points(network([[w]], leak=leak), x=NO_INPUT, starts=starts)
        assert (
            len(found.points) == n
            and found.converged_fraction == 1
            and found.residual.max() <= 1e-12
        )
        assert found.stable.sum() == (1 if n == 1 else 2)
        at = found.points[:, 0]
        np.testing.assert_allclose(np.tanh(w * at), at, atol=1e-11)
        factor = w * (1 - at**2)
        np.testing.assert_allclose(
            found.eigenvalues[:, 0], factor if leak is None else 0.7 + 0.3 * factor, atol=1e-10
        )


def test_two_units_have_an_analytic_saddle():
    """Mutual inhibition w: the symmetric point is a saddle with eigenvalues ±w(1 - h²).

    The others mirror images.
    """
    found = hrnn.fixed_points(
        network([[0, -2.0], [-2.0, 0]]),
        x=NO_INPUT,
        starts=np.random.default_rng(0).uniform(-1, 1, (60, 2)),
    )
    assert len(found.points) == 3 and found.stable.sum() == 2
    saddle = np.flatnonzero(~found.stable)[0]
    np.testing.assert_allclose(found.points[saddle], 0, atol=1e-12)
    np.testing.assert_allclose(np.sort(found.eigenvalues[saddle].real), [-2, 2], atol=1e-12)
    np.testing.assert_allclose(found.points[found.stable].sum(0), 0, atol=1e-11)


def test_an_unstable_spiral_is_unstable_by_its_modulus():
    """Eigenvalues 1.2 e^{±i}: real part .65, modulus 1.2."""
    turn = 1.2 * np.array([[np.cos(1.0), -np.sin(1.0)], [np.sin(1.0), np.cos(1.0)]])
    found = hrnn.fixed_points(network(turn), x=NO_INPUT, starts=[[0.01, 0.0]])
    assert not found.stable[0] and abs(found.eigenvalues[0].real).max() < 1 < abs(
        found.eigenvalues[0, 0]
    )
    assert found.n_unstable[0] == 2 and found.time_constants[0, 0] == pytest.approx(
        -1 / np.log(1.2)
    )


def test_a_nearly_linear_network_has_the_point_of_linear_algebra():
    rng = np.random.default_rng(1)
    W = 0.3 * rng.normal(size=(12, 12)) / np.sqrt(12)
    b = 1e-5 * rng.normal(size=12)
    found = hrnn.fixed_points(network(W, b=b), x=NO_INPUT, starts=0.1 * rng.normal(size=(5, 12)))
    assert len(found.points) == 1
    np.testing.assert_allclose(found.points[0], np.linalg.solve(np.eye(12) - W, b), atol=1e-13)


def test_a_ghost_is_a_slow_point():
    """Just past the fold of h = tanh(w h + b) the two points are gone.

    A slow point, where dq/dh = 0, is left.
    """
    w = 1.5
    h = np.sqrt(1 - 1 / w)
    fold = np.arctanh(h) - w * h
    found = hrnn.fixed_points(
        network([[w]], b=[fold - 0.02]), x=NO_INPUT, starts=np.linspace(-1.2, 1.2, 25)[:, None]
    )
    assert len(found.points) == 1 and len(found.slow_points) == 1 and found.converged_fraction < 1
    grid = np.linspace(-1, 1, 200001)
    q = 0.5 * (np.tanh(w * grid + fold - 0.02) - grid) ** 2
    inner = grid[1:-1][(q[1:-1] < q[:-2]) & (q[1:-1] < q[2:]) & (q[1:-1] > 1e-6)]
    assert found.slow_points[0, 0] == pytest.approx(inner[0], abs=2e-5)
    assert found.slow_speed[0] == pytest.approx(
        q.min(where=abs(grid - inner[0]) < 0.05, initial=1), rel=1e-6
    )


def test_all_points_are_those_of_scipy(trained, starts):
    found = hrnn.fixed_points(trained, x=[[0, 0, 0], [0.2, 0.2, -0.05]], starts=starts)
    assert found.residual.max() <= 1e-12
    np.testing.assert_allclose(
        np.linalg.norm(trained.step(found.points, found.x) - found.points, axis=1),
        0,
        atol=2e-12,
    )
    for x in np.unique(found.x, axis=0):
        gap = lambda h, x=x: trained.step(h, x) - h  # noqa: E731
        theirs = [root(gap, h, tol=1e-13) for h in starts[::3]]
        points = found.points[found.at(x)]
        for other in theirs:
            if other.success and np.linalg.norm(gap(other.x)) < 1e-11:
                assert np.linalg.norm(points - other.x, axis=1).min() < 1e-6


def test_jacobian_meets_finite_differences(trained, starts):
    for net in (
        trained,
        hrnn.Network.from_arrays("leaky", **{k: getattr(trained, k) for k in "WUbVc"}, leak=0.4),
    ):
        h = starts[7]
        x = np.array([1.2, 0.2, -0.05])
        numeric = np.stack(
            [(net.step(h + e, x) - net.step(h - e, x)) / 2e-6 for e in 1e-6 * np.eye(20)],
            1,
        )
        np.testing.assert_allclose(net.jacobian(h, x), numeric, atol=1e-8)


def test_stability_is_that_of_the_iterated_map(trained, starts):
    found = hrnn.fixed_points(trained, x=NO_INPUT, starts=starts)
    near = found.points + 1e-4 * np.random.default_rng(0).normal(size=found.points.shape)
    ended, _ = dynamics.iterate(trained, x=NO_INPUT, states=near, n_steps=5000)
    returned = np.linalg.norm(ended - found.points, axis=1) < 1e-6
    np.testing.assert_array_equal(returned, found.stable)
    assert dynamics.coverage(trained, found, starts) == 1.0


def test_iterate_equals_its_twin(trained, starts):
    states = starts[:13]
    x = [0.3, -0.2, 0.1]
    expected = states.copy()
    moved_at = np.full(13, 40)
    for t in range(40):
        new = trained.step(expected, x)
        stop = (np.linalg.norm(new - expected, axis=1) < 1e-2) & (moved_at == 40)
        moved_at[stop] = t + 1
        expected = np.where((moved_at < t + 1)[:, None], expected, new)
    ended, n_done = dynamics.iterate(trained, x=x, states=states, n_steps=40, tolerance=1e-2)
    np.testing.assert_allclose(ended, expected, atol=1e-12)
    np.testing.assert_array_equal(n_done, moved_at)


def test_basins_are_those_of_long_iteration(trained, starts):
    found = hrnn.fixed_points(trained, x=NO_INPUT, starts=starts)
    cloud = starts.mean(0) + 2 * np.random.default_rng(0).normal(size=(300, 20))
    label = dynamics.attractor(trained, found, NO_INPUT, cloud)
    ended, _ = dynamics.iterate(trained, x=NO_INPUT, states=cloud, n_steps=20_000, tolerance=1e-15)
    assert (label >= 0).all()
    np.testing.assert_allclose(ended, found.points[label], atol=1e-6)


def test_the_ball_is_contracted_into_itself(trained, starts):
    found = hrnn.fixed_points(trained, x=NO_INPUT, starts=starts)
    rng = np.random.default_rng(0)
    for row in np.flatnonzero(found.stable):
        root_, radius = dynamics._ball(trained, found.points[row], found.x[row])
        direction = rng.normal(size=(200, 20))
        inside = (
            direction / np.linalg.norm(direction @ root_, axis=1, keepdims=True) * radius * 0.999
        )
        after = trained.step(found.points[row] + inside, found.x[row]) - found.points[row]
        assert (
            np.linalg.norm(after @ root_, axis=1) < np.linalg.norm(inside @ root_, axis=1)
        ).all()


def test_permuted_and_mirrored_networks_have_permuted_and_mirrored_points(trained, starts):
    found = hrnn.fixed_points(trained, x=[[1.2, 0.2, -0.05], NO_INPUT], starts=starts)
    order = np.random.default_rng(2).permutation(20)
    shuffled = hrnn.Network.from_arrays(
        "tanh",
        W=trained.W[np.ix_(order, order)],
        U=trained.U[order],
        b=trained.b[order],
        V=trained.V[:, order],
        c=trained.c,
    )
    again = hrnn.fixed_points(shuffled, x=[[1.2, 0.2, -0.05], NO_INPUT], starts=starts[:, order])
    mirror = hrnn.Network.from_arrays(
        "tanh",
        W=trained.W,
        U=trained.U[:, [1, 0, 2]],
        b=trained.b,
        V=trained.V[::-1],
        c=trained.c[::-1],
    )
    swapped = hrnn.fixed_points(mirror, x=[[0.2, 1.2, -0.05], NO_INPUT], starts=starts)
    for x, y in (([1.2, 0.2, -0.05], [0.2, 1.2, -0.05]), (NO_INPUT, NO_INPUT)):
        mine = found.points[found.at(x)]
        for other, at in (
            (again.points[again.at(x)], mine[:, order]),
            (swapped.points[swapped.at(y)], mine),
        ):
            gaps = np.linalg.norm(other[:, None] - at, axis=2)
            assert len(other) == len(at) and gaps.min(0).max() < 1e-6 and gaps.min(1).max() < 1e-6


def test_an_untrained_network_has_one_stable_point():
    net = hrnn.Network.init("tanh", n_hidden=50, rng=3)
    run = hrnn.rollout(net, hrnn.Task().sample(n_blocks=2, rng=0))
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=run.hidden[::40])
    assert found.stable.tolist() == [True] and found.converged_fraction == 1


def test_the_result_does_not_depend_on_threads(trained, starts):
    one, two = (
        hrnn.fixed_points(trained, x=list(dynamics.CONDITIONS.values()), starts=starts, n_threads=k)
        for k in (1, 3)
    )
    np.testing.assert_array_equal(one.points, two.points)
    np.testing.assert_array_equal(one.slow_points, two.slow_points)
    assert one.to_frame().equals(two.to_frame())


def test_singular_jacobians_are_no_error():
    """At w = 1 the Jacobian of f at 0 is 0: a search that starts there is there already."""
    found = hrnn.fixed_points(network([[1.0]]), x=NO_INPUT, starts=[[0.0], [0.0]])
    assert found.points.tolist() == [[0.0]] and found.n_found.tolist() == [2]


def test_no_converged_point_is_an_empty_result():
    w = 1.5
    fold = np.arctanh(np.sqrt(1 - 1 / w)) - w * np.sqrt(1 - 1 / w)
    net = network([[w]], b=[fold - 0.02])
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=[[0.55]], n_more=0)
    assert (
        found.points.shape == (0, 1)
        and found.converged_fraction == 0
        and len(found.to_frame()) == 0
    )
    assert len(found.slow_points) == 1 and dynamics.coverage(network([[w]]), found, [[0.1]]) == 0.0
    assert dynamics.attractor(
        network([[w]], b=[fold - 0.02]), found, NO_INPUT, [[0.1]]
    ).tolist() == [-1]


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"net": None}, TypeError, "net must"),
        ({"x": [0, 0]}, ValueError, "x must have shape"),
        ({"x": [0, 0, np.nan]}, ValueError, "x must be finite"),
        ({"starts": np.zeros(3)}, ValueError, "starts must"),
        (
            {"starts": np.zeros((3, 4))},
            ValueError,
            r"starts must have shape \(n, 1\), got \(3, 4\)",
        ),
        ({"starts": [[np.inf]]}, ValueError, "starts must be finite"),
        ({"starts": np.zeros((0, 1))}, ValueError, "starts must"),
        ({"n_threads": 0}, ValueError, "n_threads"),
        ({"starts": np.ma.array([[1.0]], mask=[[1]])}, TypeError, "starts must"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    with pytest.raises(error, match=message):
        hrnn.fixed_points(**{"net": network([[0.5]]), "x": NO_INPUT, "starts": [[0.0]]} | change)


def test_a_search_that_stops_at_a_known_point_would_have_gone_there(trained, starts):
    """Alone, each start has nobody's point to stop at; together they end at the same ones."""
    together = hrnn.fixed_points(trained, x=NO_INPUT, starts=starts)
    alone = [hrnn.fixed_points(trained, x=NO_INPUT, starts=start[None]) for start in starts]
    count = np.zeros(len(together.points), int)
    for one in alone:
        if len(one.points):
            gaps = np.linalg.norm(together.points - one.points[0], axis=1)
            assert gaps.min() < 1e-9
            count[gaps.argmin()] += 1
    np.testing.assert_array_equal(count, together.n_found)
    assert sum(len(one.slow_points) for one in alone) == together.n_starts - together.n_found.sum()


def test_searches_end_quickly_also_at_slow_points(trained, starts):
    """The exact Hessian makes the way down the speed quadratic; a wrong one creeps or gives up."""
    for x in dynamics.CONDITIONS.values():
        points = starts.copy()
        n = len(starts)
        residual = np.empty(n)
        outcome = np.empty(n, np.int8)
        n_iterations = np.empty(n, np.int64)
        scratch = np.empty(hrnn._core.fixedpoint_scratch(trained.form)[0])
        hrnn._core.fixedpoint_search(
            trained.theta,
            trained.form,
            np.array(x),
            200,
            1e-12,
            points,
            residual,
            outcome,
            n_iterations,
            scratch,
        )
        assert set(outcome) <= {dynamics.FOUND, dynamics.SLOW} and n_iterations.max() <= 30
        for point in points[outcome == dynamics.SLOW]:
            gap = trained.step(point, x) - point
            slope = np.linalg.norm(
                gap @ (trained.jacobian(point, x) - np.eye(20))
            ) / np.linalg.norm(gap)
            assert slope < 1e-6


def test_coverage_counts_inputs_without_a_point():
    w = 1.5
    h = np.sqrt(1 - 1 / w)
    net = network([[w]], U=[[1.0, 0, 0]])
    found = hrnn.fixed_points(
        net, x=[[np.arctanh(h) - w * h - 0.02, 0, 0], NO_INPUT], starts=[[0.55]], n_more=0
    )
    assert len(found.points) == 1 and dynamics.coverage(net, found, [[0.55]]) == 0.5


def test_a_maximum_of_the_speed_is_no_slow_point():
    """A start at which dq/dh = 0 although q is largest there."""
    net = network([[3.0]], b=[2.5])
    grid = np.linspace(-0.6, -0.3, 300001)
    top = grid[np.argmax((np.tanh(3 * grid + 2.5) - grid) ** 2)]
    found = hrnn.fixed_points(net, x=NO_INPUT, starts=[[-0.451261388]])
    assert abs(top + 0.451261388) < 1e-5 and len(found.slow_points) == 0
