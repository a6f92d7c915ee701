"""RADD on trajectories whose equations are known, and on networks."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import r2_score

import hrnn
from hrnn import distill
from hrnn.distill import reduction

A = np.array([[0.6, 0.25], [0.2, 0.8]])
B = np.array([[-0.2, 0.2, 0.02], [-0.04, 0.04, 0.02]])
C = np.array([0.01, -0.02])
GAINS = (2.0, 4.0)


def planted_run(noise=0.0, seed=0, n_sessions=12, n_units=2, lift=None, mean=None, scale=1.0):
    """A rollout whose states are z_t = tanh(A z_{t-1} + B x_t + c + noise), lifted to n_units.

    H = mean + scale z lift.
    """
    rng = np.random.default_rng(seed)
    lift = np.eye(2) if lift is None else lift
    mean = np.zeros(n_units) if mean is None else mean
    net = hrnn.Network.init("tanh", n_hidden=n_units, rng=0)
    run = hrnn.rollout(
        net,
        hrnn.Task(n_blocks=1, block_max=20, n_obs_max=2).sample(n_sessions=n_sessions, rng=seed),
    )
    start = np.isin(np.arange(len(run.trial)), run.first_step[run.sessions.offsets[:-1]])
    first = -(mean @ lift.T) / scale  # what the projection makes of h = 0
    z = np.empty((len(start), 2))
    state = first
    shocks = noise * rng.normal(size=z.shape)
    for t, x in enumerate(run.inputs):
        state = np.tanh(A @ (first if start[t] else state) + B @ x + C + shocks[t])
        z[t] = state
    return dataclasses.replace(run, hidden=mean + scale * z @ lift), net


def test_equations_without_noise_are_recovered_exactly():
    run, net = planted_run()
    found = distill.radd(run, net, rows=np.eye(2), scale=1.0, gains=GAINS)
    np.testing.assert_allclose(found.A.value, A, atol=1e-8)
    np.testing.assert_allclose(found.B.value, B, atol=1e-8)
    np.testing.assert_allclose(found.c.value, C, atol=1e-8)
    assert (
        found.r2.value == pytest.approx(1)
        and found.r2_heldout.value == pytest.approx(1)
        and found.n_dropped == 0
    )
    assert found.horizon.error.max() < 1e-8


@pytest.mark.slow
def test_intervals_cover_each_parameter():
    """With noise, over 200 seeds.

    Within the binomial bound (.001) of 95 %, which 12 sessions and percentiles widen a little.
    """
    hits = np.zeros((2, 6))
    truth = np.column_stack([A, B, C])
    for seed in range(200):
        run, net = planted_run(0.1, seed=seed, n_sessions=24)
        found = distill.radd(
            run, net, rows=np.eye(2), scale=1.0, gains=GAINS[:1], n_resamples=200, rng=seed
        )
        low, high = (
            np.column_stack([getattr(part, end) for part in (found.A, found.B, found.c)])
            for end in ("low", "high")
        )
        hits += (low <= truth) & (truth <= high)
    assert hits.min() >= 173 and hits.mean() >= 183, hits


def test_trajectories_lifted_into_fifty_dimensions():
    """With mean, plane and scale given."""
    rng = np.random.default_rng(3)
    lift = np.linalg.qr(rng.normal(size=(50, 2)))[0].T
    mean = 0.05 * rng.normal(size=50)
    run, net = planted_run(n_units=50, lift=lift, mean=mean, scale=1.7)
    found = distill.radd(run, net, rows=lift, mean=mean, scale=1.7, gains=GAINS)
    np.testing.assert_allclose(found.A.value, A, atol=1e-8)
    np.testing.assert_allclose(found.B.value, B, atol=1e-8)
    np.testing.assert_allclose(
        found.project(mean + 1.7 * np.array([0.1, -0.2]) @ lift), [0.1, -0.2], atol=1e-12
    )


def test_time_shuffled_states_are_not_predicted():
    run, net = planted_run(0.1)
    order = np.random.default_rng(0).permutation(len(run.hidden))
    shuffled = dataclasses.replace(run, hidden=run.hidden[order])
    assert (
        distill.radd(shuffled, net, rows=np.eye(2), scale=1.0, gains=GAINS).r2_heldout.value < 0.01
    )


def test_other_sessions_set_no_scale_and_their_outliers_are_counted():
    """R² against scikit-learn's, on the steps that are left."""
    run, net = planted_run(0.1)
    before = distill.radd(run, net, rows=np.eye(2), gains=GAINS)
    session = run.sessions.session[run.trial]
    train = np.isin(session, before.train_sessions)
    hidden = run.hidden.copy()
    hidden[np.flatnonzero(~train)[7]] = 3.0
    found = distill.radd(dataclasses.replace(run, hidden=hidden), net, rows=np.eye(2), gains=GAINS)
    assert found.scale == before.scale == pytest.approx(1.01 * np.abs(run.hidden[train]).max())
    assert (before.n_dropped, found.n_dropped) == (
        (np.abs(run.hidden[~train]) >= found.scale).any(1).sum(),
        before.n_dropped + 1,
    )
    z = hidden / found.scale
    last = np.vstack([np.zeros((1, 2)), hidden[:-1]]) / found.scale
    last[run.first_step[run.sessions.offsets[:-1]]] = 0
    for rows, r2 in ((train, found.r2), (~train & (np.abs(z) < 1).all(1), found.r2_heldout)):
        y = np.arctanh(z[rows])
        predicted = (
            last[rows] @ found.A.value.T + run.inputs[rows] @ found.B.value.T + found.c.value
        )
        assert r2.value == pytest.approx(
            r2_score(y, predicted, multioutput="variance_weighted"), rel=1e-9
        )
        assert r2.low < r2.value < r2.high
    np.testing.assert_allclose(
        found.r2_by_coordinate, r2_score(y, predicted, multioutput="raw_values"), rtol=1e-9
    )
    assert found.published_gain == pytest.approx(
        np.sqrt((net.V**2).sum())
    )  # sqrt(N / 2) |V| of two units


@pytest.fixture(scope="module")
def teacher():
    net = hrnn.train(
        hrnn.Network.init("tanh", n_hidden=20, rng=0),
        hrnn.Task(),
        "fast",
        n_steps=500,
        progress=False,
        rng=0,
    ).network
    return net, hrnn.rollout(net, hrnn.Task().sample(n_sessions=40, rng=1))


def test_a_distilled_network_behaves_like_its_teacher(teacher):
    net, run = teacher
    found = distill.radd(run, net, n_resamples=100)
    fresh = hrnn.Task().sample(n_sessions=60, rng=5)
    student, master = (hrnn.rollout(agent, fresh) for agent in (found.network, net))
    assert found.network.n_hidden == 2 and found.r2_heldout.value > 0.9
    assert (student.choice == master.choice).mean() > 0.8
    correct = (student.choice == fresh.side).mean()
    assert correct > (master.choice == fresh.side).mean() - 0.03
    assert (
        found.gain == found.gains.gain[found.gains.correct.argmax()]
        and found.gains.correct.max() > 0.8
    )
    assert found.horizon.error.iloc[0] < found.horizon.baseline.iloc[0]
    points = hrnn.fixed_points(
        found.network, x=[0, 0, 0], starts=np.random.default_rng(0).uniform(-0.9, 0.9, (30, 2))
    )
    assert len(points.points) and (points.residual < 1e-10).all()


def test_a_mirrored_teacher_gives_the_mirrored_student(teacher):
    net, run = teacher
    mirror = hrnn.Network.from_arrays(
        "tanh", W=net.W, U=net.U[:, [1, 0, 2]], b=net.b, V=net.V[::-1], c=net.c[::-1]
    )
    s = run.sessions
    swapped = np.ascontiguousarray(s.observations[..., ::-1])
    flipped = dataclasses.replace(s, block_side=-s.block_side, side=-s.side, observations=swapped)
    one = distill.radd(run, net, n_resamples=50)
    two = distill.radd(hrnn.rollout(mirror, flipped), mirror, n_resamples=50)
    np.testing.assert_allclose(two.A.value, one.A.value, atol=1e-3)
    np.testing.assert_allclose(two.B.value[:, [1, 0, 2]], -one.B.value, atol=1e-3)
    np.testing.assert_allclose(two.c.value, -one.c.value, atol=1e-3)


@pytest.mark.parametrize("dimension", [1, 2, 4, 8])
def test_more_dimensions_predict_their_own_coordinates(teacher, dimension):
    net, run = teacher
    found = distill.radd(run, net, dimension=dimension, gains=GAINS, n_resamples=50)
    assert found.network.n_hidden == dimension and found.A.value.shape == (dimension, dimension)
    assert np.isfinite(found.A.low).all() and found.r2_heldout.value > 0.5


@pytest.mark.parametrize(
    "change, message",
    [
        ({"dimension": 21}, "dimension must be <= 8"),
        ({"dimension": 0}, "dimension"),
        ({"rows": np.ones((2, 20))}, "rows must be independent"),
        ({"rows": np.eye(3)}, "rows and mean must have shapes"),
        ({"scale": 1e-3}, "scale must exceed"),
        ({"gains": []}, "gains"),
        ({"gains": [-1.0]}, "gains"),
        ({"net": hrnn.Network.init("tanh", n_hidden=20, rng=0)}, "run must be a rollout of net"),
    ],
)
def test_bad_arguments_are_named(teacher, change, message):
    net, run = teacher
    with pytest.raises(ValueError, match=message):
        distill.radd(**{"run": run, "net": net} | change)


def test_three_sessions_are_too_few(teacher):
    net, _ = teacher
    with pytest.raises(ValueError, match="at least 4 sessions"):
        distill.radd(hrnn.rollout(net, hrnn.Task().sample(n_sessions=3, rng=0)), net)


def test_the_plane_and_its_dynamics_are_found_without_being_given():
    """Lifted into fifty dimensions, small against their scale.

    The plane is exact, the eigenvalues of A nearly, whatever the axes.
    """
    rng = np.random.default_rng(3)
    lift = np.linalg.qr(rng.normal(size=(50, 2)))[0].T
    mean = 0.05 * rng.normal(size=50)
    run, net = planted_run(0.02, n_sessions=40, n_units=50, lift=lift, mean=mean, scale=1.7)
    readout = np.stack([-lift[0], lift[0]]) * 3
    net = hrnn.Network.from_arrays("tanh", W=net.W, U=net.U, b=net.b, V=readout, c=net.c)
    found = distill.radd(dataclasses.replace(run, agent=net), net, gains=GAINS, n_resamples=20)
    np.testing.assert_allclose(found.rows @ lift.T @ lift, found.rows, atol=1e-6)
    assert found.r2_heldout.value > 0.97
    np.testing.assert_allclose(
        sorted(np.linalg.eigvals(found.A.value)), sorted(np.linalg.eigvals(A)), atol=0.06
    )


def test_states_or_readouts_along_one_line_span_no_plane():
    """States along the stimulus readout alone; and a stimulus readout that is that of the block."""
    run, net = planted_run(0.1, n_sessions=12)
    line = np.outer(run.hidden[:, 0], [0.6, 0.8])
    with pytest.raises(ValueError, match="vary in 2 directions"):
        distill.radd(dataclasses.replace(run, hidden=line), net, gains=GAINS)
    block = distill.coordinates(net, run).rows[1]
    along = hrnn.Network.from_arrays(
        "tanh", W=net.W, U=net.U, b=net.b, V=np.stack([-block, block]), c=net.c
    )
    with pytest.raises(ValueError, match="not along one line"):
        distill.coordinates(along, dataclasses.replace(run, agent=along))


def test_a_scale_at_the_edge_of_artanh_is_refused():
    run, net = planted_run(0.1)
    train = distill.radd(run, net, rows=np.eye(2), gains=GAINS).train_sessions
    edge = np.abs(run.hidden[np.isin(run.sessions.session[run.trial], train)]).max()
    with pytest.raises(ValueError, match="scale must exceed"):
        distill.radd(run, net, rows=np.eye(2), scale=float(edge), gains=GAINS)
    assert np.isfinite(
        distill.radd(run, net, rows=np.eye(2), scale=float(edge) * (1 + 1e-9), gains=GAINS).A.high
    ).all()


def test_an_untrained_teacher_gives_finite_numbers():
    net = hrnn.Network.init("tanh", n_hidden=20, rng=0)
    found = distill.radd(
        hrnn.rollout(net, hrnn.Task().sample(n_sessions=12, rng=0)), net, n_resamples=20
    )
    for part in (found.A, found.B, found.c, found.r2, found.r2_heldout):
        assert np.isfinite([part.value, part.low, part.high]).all()
    assert np.isfinite(found.horizon.to_numpy()).all() and found.gain in found.gains.gain.to_numpy()


def test_a_spread_is_the_jackknife_and_the_scale():
    """A linear function of the weights.

    Both parts by hand; the largest of exponential maxima has standard deviation π/√6.
    """
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, 6))
    without = rng.normal(size=(10, 2, 6))
    rescaled = np.stack([weights - 0.3, weights + 0.3])
    spread = reduction.Spread(weights, without, rescaled, 0.02)
    found = spread.estimate(lambda w: 2 * w[0, 1])
    sampling = 0.9 * ((2 * without[:, 0, 1] - 2 * without[:, 0, 1].mean()) ** 2).sum()
    slope = 2 * 0.6 / (2 * reduction.RESCALED)
    assert found.value == 2 * weights[0, 1] and found.n == 10
    assert found.high - found.value == pytest.approx(
        2.262157 * np.sqrt(sampling + (slope * 0.02) ** 2), rel=1e-6
    )
    draws = np.sort(rng.exponential(size=(500, 400)), axis=1)[:, ::-1]
    sds = [reduction._sd_of_largest(one) for one in draws]
    assert np.mean(sds) == pytest.approx(np.pi / np.sqrt(6), rel=0.06) and draws[
        :, 0
    ].std() == pytest.approx(np.pi / np.sqrt(6), rel=0.12)


def test_what_is_given_is_not_estimated():
    """With projection and scale given nothing is left to refit.

    With a projection estimated the intervals are wider.
    """
    run, net = planted_run(0.1, n_sessions=40)
    given = distill.radd(run, net, rows=np.eye(2), scale=1.0, gains=GAINS)
    assert given.spread is None
    scaled = distill.radd(run, net, rows=np.eye(2), gains=GAINS)
    wider = (scaled.B.high - scaled.B.low) / (given.B.high - given.B.low)
    assert scaled.spread.sd_log_scale > 0 and wider.mean() > 1
    assert distill.radd(run, net, rows=np.eye(2), gains=GAINS, n_resamples=1).spread is None
    with pytest.raises(TypeError, match="projection must be a Projection"):
        distill.radd(run, net, projection=np.eye(2))
