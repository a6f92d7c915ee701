"""The task's numbers, and what is sampled from them."""

import dataclasses

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import hrnn


@pytest.fixture(scope="module")
def sessions():
    return hrnn.Task().sample(n_blocks=2000, rng=3)


def z_score(values, mean):
    """Distance of the mean of some values from what it should be, in standard errors."""
    standard_error = np.std(values) / np.sqrt(len(values))
    return abs(np.mean(values) - mean) / standard_error


@pytest.mark.parametrize("name, mean", [("paper", 49.42), ("ibl", 50.87)])
def test_block_lengths_follow_their_law(name, mean):
    task = hrnn.Task.preset(name)
    pmf = reference.block_length_pmf(
        task.block_law, task.block_hazard, task.block_min, task.block_max
    )
    np.testing.assert_allclose(task.block_length_pmf(), pmf, atol=1e-15)
    np.testing.assert_allclose(task.block_length_hazard(), reference.hazard(pmf), rtol=1e-12)
    assert pmf @ np.arange(len(pmf)) == pytest.approx(mean, abs=0.005)
    lengths = task.sample(n_blocks=4000, rng=0).block_lengths
    assert lengths.min() == task.block_min and lengths.max() == task.block_max
    assert z_score(lengths, pmf @ np.arange(len(pmf))) < 4
    counts = np.bincount(lengths, minlength=len(pmf))
    expected = 4000 * pmf
    chi2 = ((counts - expected)[expected > 0] ** 2 / expected[expected > 0]).sum()
    assert chi2 < 81 + 4 * np.sqrt(2 * 81)


@pytest.mark.parametrize("law", ["geometric", "exponential"])
def test_a_hazard_below_the_rounding_of_one_gives_even_lengths(law):
    task = hrnn.Task(block_law=law, block_hazard=1e-300)
    np.testing.assert_allclose(task.block_length_pmf()[20:], 1 / 81, rtol=1e-12)
    lengths = np.empty(3000, np.int64)
    rng = np.random.default_rng(0)
    hrnn._core.task_sample_lengths(task.form, rng.bit_generator, lengths)
    assert lengths.min() == 20
    assert lengths.max() == 100
    assert z_score(lengths, 60) < 4


def test_sides_strengths_and_observations(sessions):
    task = sessions.task
    assert z_score(sessions.side == sessions.block_side, task.p_block) < 4
    for strength in task.strengths:
        assert z_score(sessions.strength == strength, 1 / 6) < 4
    on_the_right = sessions.side[:, None] > 0
    left, right = np.moveaxis(sessions.observations, -1, 0)
    signal = np.where(on_the_right, right, left)
    other = np.where(on_the_right, left, right)
    noise = (signal - sessions.strength[:, None]).ravel()
    for values in (noise, other.ravel()):
        assert z_score(values, 0) < 4
        assert z_score(values**2, 1) < 4
    assert abs(np.corrcoef(noise, other.ravel())[0, 1]) < 4 / np.sqrt(noise.size)


def test_presets_are_the_published_numbers():
    assert hrnn.Task.preset("paper") == hrnn.Task()
    ibl = hrnn.Task.preset("ibl", contrast_gain=4)
    assert ibl.strengths == (0, 0.25, 0.5, 1, 4) and ibl.strength_weights is None
    shared = (
        "p_block",
        "n_blocks",
        "n_blank",
        "n_obs_max",
        "threshold",
        "wait_penalty",
        "noise_sd",
        "block_min",
    )
    assert [getattr(ibl, name) for name in shared] == [
        getattr(hrnn.Task(), name) for name in shared
    ]
    assert [getattr(ibl, name) for name in shared] == [0.8, 4, 2, 10, 0.9, -0.05, 1, 20]
    assert (ibl.block_law, ibl.block_hazard, ibl.block_max, ibl.n_unbiased) == (
        "exponential",
        1 / 60,
        99,
        90,
    )
    assert (hrnn.Task().block_law, hrnn.Task().block_hazard, hrnn.Task().block_max) == (
        "geometric",
        1 / 50,
        100,
    )


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("cosyne", {}, "name must be"),
        (None, {}, "name must be"),
        ("ibl", {"contrasts": "even"}, "contrasts must be"),
        ("ibl", {"contrast_gain": 0}, "contrast_gain"),
        ("ibl", {"contrast_gain": "2"}, "contrast_gain"),
    ],
)
def test_bad_presets_are_refused(name, arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        hrnn.Task.preset(name, **arguments)


@pytest.mark.parametrize("weights", [(0.5, 1, 1, 1, 1), (0, 3, 0, 1, 0)])
def test_strengths_follow_their_weights(weights):
    task = hrnn.Task.preset("ibl", contrasts="skew_zero")
    assert task.strength_weights == (0.5, 1, 1, 1, 1)
    strength = task.replace(strength_weights=weights).sample(n_blocks=400, rng=1).strength
    for value, weight in zip(task.strengths, weights, strict=True):
        p = weight / sum(weights)
        error = np.sqrt(p * (1 - p) / len(strength))
        fraction = (strength == value).mean()
        assert abs(fraction - p) <= 4 * error


@pytest.mark.parametrize("p_block", [0.5, 0.65, 1.0])
def test_sides_follow_p_block_whatever_the_strength(p_block):
    sessions = hrnn.Task(p_block=p_block).sample(n_blocks=800, rng=2)
    like = sessions.side == sessions.block_side
    for mask in (
        sessions.strength == 0,
        sessions.strength == 2.5,
        sessions.block_side == 1,
        sessions.trial_in_block == 0,
    ):
        error = np.sqrt(p_block * (1 - p_block) / mask.sum())
        assert abs(like[mask].mean() - p_block) <= 4 * error


def mean_observations(sessions):
    """Mean of each observation given side and strength, (R, 1, 2)."""
    left = np.where(sessions.side == -1, sessions.strength, 0)
    right = np.where(sessions.side == 1, sessions.strength, 0)
    return np.stack([left, right], axis=1)[:, None]


def test_noise_scales_and_the_mean_does_not():
    quiet = hrnn.Task(noise_sd=1).sample(n_sessions=20, rng=4)
    loud = hrnn.Task(noise_sd=3).sample(n_sessions=20, rng=4)
    mean = mean_observations(quiet)
    np.testing.assert_allclose(
        loud.observations - mean, 3 * (quiet.observations - mean), atol=1e-13
    )


def test_observations_are_independent(sessions):
    """Correlations of independent normals have standard error 1/√n."""
    noise = sessions.observations - mean_observations(sessions)
    n_trials = len(noise)
    flat = noise.reshape(n_trials, -1)
    pairs = np.triu_indices(flat.shape[1], 1)
    between = np.corrcoef(flat.T)[pairs]
    assert abs(between).max() < 5 / np.sqrt(n_trials)
    products = flat[1:] * flat[:-1]
    assert abs(products.mean()) < 4 / np.sqrt(products.size)


def test_blocks_alternate_and_sessions_have_four(sessions):
    assert sessions.n_sessions == 500
    starts = np.flatnonzero(sessions.trial_in_block == 0)
    sides = sessions.block_side[starts].reshape(-1, 4)
    assert (sides[:, 1:] == -sides[:, :-1]).all()
    assert z_score(sides[:, 0] > 0, 0.5) < 4
    assert (np.diff(sessions.session) >= 0).all()
    blocks = sessions.block[starts].reshape(-1, 4)
    assert (blocks == range(4)).all()


def test_last_session_takes_the_remainder():
    sessions = hrnn.Task().sample(n_blocks=6, rng=0)
    assert sessions.n_sessions == 2
    assert len(sessions.block_lengths) == 6
    second = sessions.offsets[1]
    assert sessions.block[second:].max() == 1
    long = hrnn.Task(n_blocks=9).sample(n_blocks=6, rng=0)
    assert long.n_sessions == 1
    assert (np.diff(long.block) >= 0).all()
    assert long.block.max() == 5


def test_the_arrays_of_sessions_agree(sessions):
    n = sessions.n_trials
    assert sessions.offsets[0] == 0 and sessions.offsets[-1] == n == sessions.block_lengths.sum()
    np.testing.assert_array_equal(np.bincount(sessions.session), np.diff(sessions.offsets))
    np.testing.assert_array_equal(
        sessions.trial_in_block[1:],
        np.where(
            (np.diff(sessions.block) != 0) | (np.diff(sessions.session) != 0),
            0,
            sessions.trial_in_block[:-1] + 1,
        ),
    )
    assert (
        sessions.observations.shape == (n, 10, 2)
        and sessions.observations.dtype == sessions.strength.dtype == float
    )
    assert set(sessions.side) == set(sessions.block_side) == {-1, 1}
    assert f"{sessions.block_lengths.mean():.2f} ± {sessions.block_lengths.std():.2f}" in repr(
        sessions
    )


def test_unbiased_start():
    sessions = hrnn.Task.preset("ibl").sample(n_sessions=40, rng=0)
    for first in sessions.offsets[:-1]:
        assert (sessions.block_side[first : first + 90] == 0).all() and sessions.block_side[
            first + 90
        ] != 0
    assert len(sessions.block_lengths) == 160
    assert z_score(sessions.side[sessions.block_side == 0] > 0, 0.5) < 4


def test_same_seed_same_bits_and_no_global_state():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    a = hrnn.Task().sample(n_sessions=3, rng=7)
    b = hrnn.Task().sample(n_sessions=3, rng=7)
    np.testing.assert_array_equal(a.observations, b.observations)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert not np.array_equal(
        a.observations[:50], hrnn.Task().sample(n_sessions=3, rng=8).observations[:50]
    )


def test_streams_are_separate_by_purpose():
    a = hrnn.Task().sample(n_sessions=3, rng=7)
    b = hrnn.Task(n_obs_max=3).sample(n_sessions=3, rng=7)
    np.testing.assert_array_equal(a.side, b.side)
    np.testing.assert_array_equal(a.strength, b.strength)
    c = hrnn.Task(p_block=0.6, strengths=(0.0,)).sample(
        n_sessions=3, rng=7
    )  # other draws of trials
    np.testing.assert_array_equal(a.block_lengths, c.block_lengths)
    silent = (a.side == -1) & (c.side == -1)
    np.testing.assert_array_equal(a.observations[silent, :, 1], c.observations[silent, :, 1])


@pytest.mark.parametrize(
    "make",
    [lambda: np.int64(7), lambda: np.random.SeedSequence(7), lambda: np.random.default_rng(7)],
)
def test_every_kind_of_seed_gives_the_same_bits(make):
    a = hrnn.Task().sample(n_sessions=1, rng=7)
    b = hrnn.Task().sample(n_sessions=1, rng=make())
    np.testing.assert_array_equal(a.observations, b.observations)


def test_a_generator_moves_on():
    rng = np.random.default_rng(7)
    a = hrnn.Task().sample(n_sessions=1, rng=rng)
    b = hrnn.Task().sample(n_sessions=1, rng=rng)
    assert not np.isin(a.observations, b.observations).any()


@pytest.mark.parametrize(
    "bit_generator", [np.random.MT19937, np.random.Philox, np.random.SFC64, np.random.PCG64DXSM]
)
def test_every_bit_generator_of_numpy_serves(bit_generator):
    from scipy import stats

    sessions = hrnn.Task(strengths=(0,)).sample(
        n_blocks=100, rng=np.random.Generator(bit_generator(1))
    )
    assert stats.kstest(sessions.observations.ravel(), "norm").pvalue > 1e-3


def test_normal_draws_have_the_tails_and_the_moments_of_the_normal():
    """Two million draws have the normal's moments 1 to 6, counts below edges, and tails.

    The standard error of the k-th moment is √((E x^2k − (E x^k)²)/n), that of a count √(n p (1−p)).
    """
    from scipy import stats

    n = 2_000_000
    x = np.empty(n)
    hrnn._core.rng_normal(np.random.default_rng(1).bit_generator, x)
    moment = {k: stats.norm.moment(k) for k in range(1, 13)}
    power = np.ones(n)
    for k in range(1, 7):
        power *= x
        error = np.sqrt((moment[2 * k] - moment[k] ** 2) / n)
        assert abs(power.mean() - moment[k]) < 4 * error, k
    edges = np.array(
        [
            -4.5,
            -4,
            -3.6541528853610088,
            -3,
            -1,
            -0.2,
            0,
            1e-2,
            0.5,
            2,
            3,
            3.6541528853610088,
            3.8,
            4,
            4.5,
        ]
    )
    for edge in edges:
        p = stats.norm.cdf(edge)
        error = np.sqrt(n * p * (1 - p))
        assert abs((x < edge).sum() - n * p) < 4 * error + 1, edge
    tail = abs(x[abs(x) > 3.6541528853610088])
    assert (
        stats.kstest(stats.norm.sf(tail) / stats.norm.sf(3.6541528853610088), "uniform").pvalue
        > 1e-3
    )


@pytest.mark.parametrize(
    "field, value",
    [
        ("strengths", ()),
        ("strengths", (-1.0,)),
        ("strengths", (np.nan,)),
        ("strengths", "abc"),
        ("strength_weights", (1,)),
        ("strength_weights", (0,) * 6),
        ("p_block", 0.4),
        ("p_block", 1.1),
        ("p_block", True),
        ("block_law", "normal"),
        ("block_hazard", 0),
        ("block_hazard", 1),
        ("block_min", 0),
        ("block_min", 101),
        ("block_max", 10**7),
        ("block_max", 50.5),
        ("n_unbiased", -1),
        ("n_blocks", 0),
        ("n_blank", -1),
        ("n_obs_max", 0),
        ("threshold", 1.0),
        ("threshold", 0.49),
        ("threshold", np.nan),
        ("wait_penalty", np.inf),
        ("noise_sd", 0),
        ("noise_sd", "1"),
    ],
)
def test_impossible_numbers_are_refused(field, value):
    with pytest.raises(
        (TypeError, ValueError), match="^" + field.replace("block_min", "block_") + ".* must be"
    ):
        hrnn.Task(**{field: value})


def test_weights_whose_sum_overflows_are_refused():
    with pytest.raises(ValueError, match="strength_weights"):
        hrnn.Task(strength_weights=(1e308,) * 6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "exactly one of n_sessions and n_blocks"),
        ({"n_sessions": 1, "n_blocks": 1}, "exactly one"),
        ({"n_blocks": 0}, "n_blocks"),
        ({"n_blocks": 1.5}, "n_blocks must be an int, got float"),
        ({"n_blocks": 10**9}, "memory"),
        ({"n_sessions": 10**30}, "memory"),
        ({"n_sessions": True}, "n_sessions"),
        ({"n_sessions": -1}, "n_sessions must be >= 1, got -1"),
        ({"n_blocks": 1, "rng": -1}, "rng"),
        ({"n_blocks": 1, "rng": "0"}, "rng"),
        ({"n_blocks": 1, "rng": np.random}, "rng"),
    ],
)
def test_bad_sampling_is_refused(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        hrnn.Task().sample(**arguments)


SAMPLED = ("block_side", "side", "strength", "observations")


@pytest.mark.parametrize(
    "name, spoil, error",
    [
        (name, spoil, error)
        for name in SAMPLED
        for spoil, error in [
            (lambda a: a.astype(np.float32), TypeError),
            (lambda a: a.tolist(), TypeError),
            (lambda a: a[..., None], ValueError),
            (lambda a: np.repeat(a, 2, axis=0)[::2], ValueError),
            (lambda a: np.ma.array(a), TypeError),
        ]
    ]
    + [(name, lambda a: np.broadcast_to(a[:1], a.shape), ValueError) for name in SAMPLED]
    + [(name, lambda a: a[:-1], ValueError) for name in SAMPLED[1:]]
    + [(name, lambda a: a.astype(a.dtype.newbyteorder()), TypeError) for name in SAMPLED[2:]],
)
def test_the_sampler_refuses_wrong_arrays(name, spoil, error):
    arrays = dict(
        zip(
            SAMPLED,
            (np.ones(6, np.int8), np.zeros(6, np.int8), np.zeros(6), np.zeros((6, 10, 2))),
            strict=True,
        )
    )
    bits = np.random.default_rng(0).bit_generator
    hrnn._core.task_sample_trials(hrnn.Task().form, bits, None, *arrays.values())
    arrays[name] = spoil(arrays[name])
    with pytest.raises(error, match=f"^{name}"):
        hrnn._core.task_sample_trials(hrnn.Task().form, bits, None, *arrays.values())


def test_the_sampler_refuses_outputs_that_overlap():
    bits = np.random.default_rng(0).bit_generator
    one = np.ones(9, np.int8)
    with pytest.raises(ValueError, match="side must not overlap block_side"):
        hrnn._core.task_sample_trials(
            hrnn.Task().form, bits, None, one[:6], one[3:], np.zeros(6), np.zeros((6, 10, 2))
        )


@pytest.mark.parametrize("bit_generator", [None, 3, np.random.default_rng(0)])
def test_what_is_no_bit_generator_is_refused(bit_generator):
    with pytest.raises(TypeError, match="bit_generator"):
        hrnn._core.rng_normal(bit_generator, np.zeros(4))


def test_round_trip_and_frozen():
    task = hrnn.Task.preset("ibl", contrasts="skew_zero")
    assert hrnn.Task(**task.to_dict()) == task
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.threshold = 0.5


@st.composite
def tasks(draw):
    """Draw any task of few trials."""
    low = draw(st.integers(1, 12))
    strengths = tuple(draw(st.lists(st.floats(0, 50), min_size=1, max_size=5)))
    return hrnn.Task(
        strengths=strengths,
        p_block=draw(st.floats(0.5, 1)),
        block_law=draw(st.sampled_from(["geometric", "exponential"])),
        block_hazard=draw(st.floats(1e-9, 1 - 1e-9)),
        block_min=low,
        block_max=low + draw(st.integers(0, 12)),
        n_unbiased=draw(st.integers(0, 5)),
        n_blocks=draw(st.integers(1, 4)),
        n_blank=draw(st.integers(0, 3)),
        n_obs_max=draw(st.integers(1, 4)),
        threshold=draw(st.floats(0.5, 1, exclude_max=True)),
        wait_penalty=draw(st.floats(-2, 2)),
        noise_sd=draw(st.floats(1e-3, 1e3)),
    )


@settings(deadline=None, max_examples=60)
@given(tasks(), st.integers(1, 9), st.integers(0, 2**32))
def test_sessions_of_any_task_obey_it(task, n_blocks, seed):
    sessions = task.sample(n_blocks=n_blocks, rng=seed)
    lengths = sessions.block_lengths
    biased = sessions.block_side != 0
    assert (
        len(lengths) == n_blocks
        and lengths.min() >= task.block_min
        and lengths.max() <= task.block_max
    )
    assert (
        sessions.n_sessions == -(-n_blocks // task.n_blocks)
        and sessions.offsets[-1] == sessions.n_trials
    )
    assert (~biased).sum() == task.n_unbiased * sessions.n_sessions and set(sessions.side) <= {
        -1,
        1,
    }
    assert (
        set(sessions.strength) <= set(task.strengths) and np.isfinite(sessions.observations).all()
    )
    for first, end in zip(sessions.offsets[:-1], sessions.offsets[1:], strict=True):
        sides = sessions.block_side[first:end][np.r_[True, np.diff(sessions.block[first:end]) != 0]]
        sides = sides[sides != 0]
        assert (sides[1:] == -sides[:-1]).all()
    if task.p_block == 1:
        assert (sessions.side == sessions.block_side)[biased].all()


@settings(deadline=None, max_examples=40)
@given(
    tasks(), st.sampled_from(["network", *hrnn.inference.BLOCK_MODELS[:-1]]), st.integers(0, 2**32)
)
def test_any_agent_keeps_the_rules_of_any_task(task, agent, seed):
    """Feedback, steps and rewards of a rollout follow from its choices, whatever the task."""
    sessions = task.sample(n_sessions=2, rng=seed)
    run = hrnn.rollout(
        hrnn.Network.init("leaky", n_hidden=3, rng=seed)
        if agent == "network"
        else hrnn.BayesianActor(agent),
        sessions,
    )
    assert (
        set(run.choice) <= {-1, 0, 1} and run.n_obs.min() >= 1 and run.n_obs.max() <= task.n_obs_max
    )
    assert (run.n_obs[run.choice == 0] == task.n_obs_max).all() and (
        (run.p_right >= 0) & (run.p_right <= 1)
    ).all()
    assert len(run.p_right) == (run.n_obs + task.n_blank).sum()
    received = np.bincount(
        run.trial[1:] - (run.step[1:] == 0), run.inputs[1:, 2], minlength=sessions.n_trials
    )
    last = sessions.offsets[1:] - 1  # what a session's last trial earns, no step sees
    inside = np.setdiff1d(np.arange(sessions.n_trials), last)
    np.testing.assert_allclose(received[inside], run.trials.reward.to_numpy()[inside], atol=1e-12)
