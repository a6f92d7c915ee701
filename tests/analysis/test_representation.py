"""Components, decoders and angles on states that were made to have known ones.

And controls on networks.
"""

import dataclasses

import numpy as np
import pytest
from scipy.special import ndtr

import hrnn
from hrnn.analysis import representation as rep


@pytest.fixture(scope="module")
def untrained():
    return hrnn.rollout(
        hrnn.Network.init("tanh", n_hidden=16, rng=0), hrnn.Task().sample(n_blocks=160, rng=0)
    )


@pytest.fixture(scope="module")
def trained():
    net = hrnn.train(
        hrnn.Network.init("tanh", n_hidden=16, rng=0),
        hrnn.Task(),
        "fast",
        n_steps=600,
        progress=False,
        rng=0,
    ).network
    return hrnn.rollout(net, hrnn.Task().sample(n_blocks=160, rng=0))


def planted(run, gain=1.0, seed=0, n_hidden=5):
    """The rollout with states that hold the block along one axis, and noise."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(n_hidden, n_hidden)))[0]
    block = run.sessions.block_side[run.trial] * gain
    states = np.column_stack(
        [block, 2 * rng.normal(size=len(block)), 0.5 * rng.normal(size=(len(block), n_hidden - 2))]
    )
    states[:, 0] += 0.5 * rng.normal(size=len(block))
    return dataclasses.replace(run, hidden=states @ axes), axes


def test_components_are_those_of_the_singular_values(untrained):
    found = rep.pca(untrained)
    centred = untrained.hidden - untrained.hidden.mean(0)
    values = np.linalg.svd(centred, compute_uv=False) ** 2 / len(centred)
    np.testing.assert_allclose(found.variance, values, rtol=1e-8)
    np.testing.assert_allclose(found.cumulative.value, values.cumsum() / values.sum(), rtol=1e-10)
    assert found.participation_ratio.value == pytest.approx(values.sum() ** 2 / (values**2).sum())
    np.testing.assert_allclose((centred @ found.axes.T).var(0), values, rtol=1e-8)
    ends = rep.pca(untrained, trial_ends=True)
    np.testing.assert_allclose(ends.mean, untrained.hidden[untrained.last_step].mean(0))


def test_intervals_of_the_components_are_of_sessions(untrained):
    """Refit on resampled sessions by brute force."""
    found = rep.pca(untrained)
    rng = np.random.default_rng(5)
    ends = np.searchsorted(untrained.sessions.session[untrained.trial], np.arange(41))
    ratios = []
    for _ in range(60):
        part = np.concatenate([np.arange(ends[s], ends[s + 1]) for s in rng.integers(40, size=40)])
        values = np.linalg.eigvalsh(np.cov(untrained.hidden[part].T))
        ratios.append(values.sum() ** 2 / (values**2).sum())
    width = found.participation_ratio.high - found.participation_ratio.low
    assert width == pytest.approx(3.92 * np.std(ratios), rel=0.4)


def test_a_planted_block_is_decoded_along_its_axis(untrained):
    run, axes = planted(untrained)
    decoder = rep.block_decoder(run, regularisation=1.0)
    assert rep.angle(decoder.weights, axes[0]) < 3
    assert decoder.accuracy.value == pytest.approx(ndtr(1 / 0.5), abs=0.005)
    states = run.hidden[:5]
    np.testing.assert_allclose(
        decoder.log_odds(states), states @ decoder.weights + decoder.intercept
    )
    in_plane = rep.block_decoder(run, axes=axes[:1], regularisation=1.0)
    np.testing.assert_allclose(
        in_plane.weights / np.linalg.norm(in_plane.weights), axes[0], atol=1e-12
    )


def test_angles_of_planted_readouts(untrained):
    run, axes = planted(untrained)
    V = np.stack([np.zeros(5), axes[0] * np.cos(0.6) + axes[1] * np.sin(0.6)])
    net = hrnn.Network.from_arrays(
        "tanh", W=np.zeros((5, 5)), U=np.zeros((5, 3)), b=np.zeros(5), V=V, c=np.zeros(2)
    )
    decoder = rep.block_decoder(run, regularisation=1.0)
    found = rep.readout_angle(net, decoder)
    assert (
        found.value == pytest.approx(np.degrees(0.6), abs=2)
        and found.low < found.value < found.high
    )
    components = rep.pca(run)
    plane = rep.task_plane(
        net, components, rep.block_decoder(run, axes=components.axes[:2], regularisation=1.0)
    )
    assert np.degrees(np.arccos(plane.stimulus @ plane.block)) == pytest.approx(
        np.degrees(0.6), abs=3
    )
    scores = np.random.default_rng(0).normal(size=(4, 2))
    np.testing.assert_allclose(plane.project(plane.lift(scores)), scores, atol=1e-12)
    np.testing.assert_allclose(
        plane.align(plane.lift(scores)),
        scores @ np.stack([plane.stimulus, plane.block]).T,
        atol=1e-12,
    )


def test_resampled_weights_are_near_those_of_refits(untrained):
    run, _ = planted(untrained, gain=0.3)
    decoder = rep.block_decoder(run, regularisation=0.1)
    refits = []
    names = np.setdiff1d(np.arange(40), decoder.test_sessions)
    session = run.sessions.session[run.trial]
    rng = np.random.default_rng(1)
    rows_of = {
        name: np.flatnonzero((session == name) & (run.sessions.block_side[run.trial] != 0))
        for name in names
    }
    for _ in range(40):
        rows = np.concatenate([rows_of[name] for name in rng.choice(names, len(names))])
        X = run.hidden[rows]
        y = run.sessions.block_side[run.trial[rows]] > 0
        w, _ = rep._fit(rep._model(0.1), (X - X.mean(0)) / X.std(0), y)
        refits.append(w / X.std(0))
    ratio = decoder.weights_resampled.std(0)[:2] / np.std(refits, axis=0)[:2]
    assert (abs(np.log(ratio)) < np.log(1.5)).all()


def test_training_beats_the_floor_and_neither_beats_the_observer(trained, untrained):
    """Paired over the same test sessions; shuffled labels are at chance."""
    full = rep.block_decoder(trained)
    floor = rep.block_decoder(untrained)
    assert floor.accuracy.value == pytest.approx(0.73, abs=0.03)
    assert full.minus(floor).low > 0
    ceiling = rep.observer_accuracy(trained, hrnn.observe(trained), full)
    assert ceiling.low > full.accuracy.high
    shuffled = rep.block_decoder(
        trained, labels=rep.shuffled_blocks(trained), regularisation=full.regularisation
    )
    assert shuffled.accuracy.low < 0.5 < shuffled.accuracy.high


def test_the_split_by_time_step_leaks():
    """States that know only in which session they are.

    Nothing to learn across sessions, everything within.
    """
    run = hrnn.rollout(
        hrnn.Network.init("tanh", n_hidden=4, rng=0),
        hrnn.Task(n_blocks=1).sample(n_sessions=24, rng=0),
    )
    label = np.eye(24)[run.sessions.session[run.trial]] + 0.01 * np.random.default_rng(0).normal(
        size=(len(run.trial), 24)
    )
    run = dataclasses.replace(run, hidden=label)
    assert rep.block_decoder(run, split="time_step", regularisation=1.0).accuracy.value > 0.99
    assert rep.block_decoder(run, regularisation=1.0).accuracy.value < 0.8


def test_shuffling_keeps_blocks_whole(untrained):
    labels = rep.shuffled_blocks(untrained)
    s = untrained.sessions
    block = np.cumsum(np.r_[True, (np.diff(s.session) != 0) | (np.diff(s.block) != 0)])[
        untrained.trial
    ]
    assert all(len(np.unique(labels[block == k])) == 1 for k in np.unique(block))
    sides = np.array([labels[block == k][0] for k in np.unique(block)])
    assert sides.sum() == 0 or abs(sides.sum()) <= 8


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda run: rep.pca(run.sessions), TypeError, "run must be a Rollout"),
        (
            lambda run: rep.pca(dataclasses.replace(run, hidden=None)),
            ValueError,
            "run must hold the states",
        ),
        (lambda run: rep.block_decoder(run, split="random"), ValueError, "split"),
        (lambda run: rep.block_decoder(run, labels=[1, 2]), ValueError, "labels must have shape"),
        (
            lambda run: rep.block_decoder(
                hrnn.rollout(run.agent, hrnn.Task().sample(n_sessions=3, rng=0))
            ),
            ValueError,
            "at least 4 sessions",
        ),
    ],
)
def test_bad_arguments_are_named(untrained, call, error, message):
    with pytest.raises(error, match=message):
        call(untrained)
