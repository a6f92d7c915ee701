"""The task's numbers, and what is sampled from them."""

import dataclasses

import numpy as np
import pytest
import reference

import hrnn


@pytest.fixture(scope="module")
def sessions():
    return hrnn.Task().sample(n_blocks=2000, rng=3)


def z_score(values, mean):
    return abs(np.mean(values) - mean) / (np.std(values) / np.sqrt(len(values)))


@pytest.mark.parametrize("name, mean", [("paper", 49.42), ("ibl", 50.87)])
def test_block_lengths_follow_their_law(name, mean):
    task = hrnn.Task.preset(name)
    pmf = reference.block_length_pmf(task.block_law, task.block_hazard, task.block_min, task.block_max)
    np.testing.assert_allclose(task.block_length_pmf(), pmf, atol=1e-15)
    np.testing.assert_allclose(task.block_length_hazard(), reference.hazard(pmf), rtol=1e-12)
    assert pmf @ np.arange(len(pmf)) == pytest.approx(mean, abs=0.005)
    lengths = task.sample(n_blocks=4000, rng=0).block_lengths
    assert lengths.min() >= task.block_min and lengths.max() <= task.block_max
    assert z_score(lengths, pmf @ np.arange(len(pmf))) < 4
    counts = np.bincount(lengths, minlength=len(pmf))
    expected = 4000 * pmf
    chi2 = ((counts - expected)[expected > 0] ** 2 / expected[expected > 0]).sum()
    assert chi2 < 81 + 4 * np.sqrt(2 * 81)


def test_sides_strengths_and_observations(sessions):
    task = sessions.task
    assert z_score(sessions.side == sessions.block_side, task.p_block) < 4
    for strength in task.strengths:
        assert z_score(sessions.strength == strength, 1 / 6) < 4
    signal = np.where(sessions.side[:, None] > 0, sessions.observations[..., 1], sessions.observations[..., 0])
    other = np.where(sessions.side[:, None] > 0, sessions.observations[..., 0], sessions.observations[..., 1])
    noise = (signal - sessions.strength[:, None]).ravel()
    for values in (noise, other.ravel()):
        assert z_score(values, 0) < 4
        assert z_score(values**2, 1) < 4
    assert abs(np.corrcoef(noise, other.ravel())[0, 1]) < 4 / np.sqrt(noise.size)


def test_blocks_alternate_and_sessions_have_four(sessions):
    assert sessions.n_sessions == 500
    starts = np.flatnonzero(sessions.trial_in_block == 0)
    sides = sessions.block_side[starts].reshape(-1, 4)
    assert (sides[:, 1:] == -sides[:, :-1]).all()
    assert z_score(sides[:, 0] > 0, 0.5) < 4
    assert (np.diff(sessions.session) >= 0).all() and (sessions.block[starts].reshape(-1, 4) == range(4)).all()


def test_last_session_takes_the_remainder():
    sessions = hrnn.Task().sample(n_blocks=6, rng=0)
    assert sessions.n_sessions == 2 and len(sessions.block_lengths) == 6
    assert sessions.block[sessions.offsets[1] :].max() == 1


def test_unbiased_start():
    sessions = hrnn.Task.preset("ibl").sample(n_sessions=40, rng=0)
    for first in sessions.offsets[:-1]:
        assert (sessions.block_side[first : first + 90] == 0).all() and sessions.block_side[first + 90] != 0
    assert len(sessions.block_lengths) == 160
    assert z_score(sessions.side[sessions.block_side == 0] > 0, 0.5) < 4


def test_same_seed_same_bits_and_no_global_state():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    a, b = (hrnn.Task().sample(n_sessions=3, rng=7) for _ in range(2))
    np.testing.assert_array_equal(a.observations, b.observations)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert not np.array_equal(a.observations[:50], hrnn.Task().sample(n_sessions=3, rng=8).observations[:50])


def test_streams_are_separate_by_purpose():
    a = hrnn.Task().sample(n_sessions=3, rng=7)
    b = hrnn.Task(n_obs_max=3).sample(n_sessions=3, rng=7)
    np.testing.assert_array_equal(a.side, b.side)
    np.testing.assert_array_equal(a.strength, b.strength)


@pytest.mark.parametrize("field, value", [
    ("strengths", ()), ("strengths", (-1.0,)), ("strengths", (np.nan,)), ("strengths", "abc"), ("strength_weights", (1,)),
    ("strength_weights", (0,) * 6), ("p_block", 0.4), ("p_block", 1.1), ("p_block", True), ("block_law", "normal"),
    ("block_hazard", 0), ("block_hazard", 1), ("block_min", 0), ("block_min", 101), ("block_max", 10**7),
    ("block_max", 50.5), ("n_unbiased", -1), ("n_blocks", 0), ("n_blank", -1), ("n_obs_max", 0), ("threshold", 1.0),
    ("threshold", 0.49), ("threshold", np.nan), ("wait_penalty", np.inf), ("noise_sd", 0), ("noise_sd", "1"),
])
def test_impossible_numbers_are_refused(field, value):
    with pytest.raises((TypeError, ValueError), match=field.replace("block_min", "block_")):
        hrnn.Task(**{field: value})


@pytest.mark.parametrize("arguments", [{}, {"n_sessions": 1, "n_blocks": 1}, {"n_blocks": 0}, {"n_blocks": 1.5},
                                       {"n_blocks": 10**9}, {"n_blocks": 1, "rng": -1}, {"n_blocks": 1, "rng": None}])
def test_bad_sampling_is_refused(arguments):
    with pytest.raises((TypeError, ValueError)):
        hrnn.Task().sample(**arguments)


def test_round_trip_and_frozen():
    task = hrnn.Task.preset("ibl", contrasts="skew_zero")
    assert hrnn.Task(**task.to_dict()) == task
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.threshold = 0.5
