"""Similarity of trajectories.

Invariances, an independent library, a slow twin, pairs of networks.
"""

import numpy as np
import pytest
import scipy.spatial
from hypothesis import given
from hypothesis import strategies as st

import hrnn
from hrnn.analysis import similarity

RUN = hrnn.rollout(
    hrnn.Network.init("tanh", n_hidden=6, rng=0),
    hrnn.Task(threshold=0.55).sample(n_sessions=12, rng=0),
)


def slow_trajectories(run):
    """The definition, trial by trial."""
    s = run.sessions
    states = {}
    for step in range(len(run.p_right)):
        trial = run.trial[step]
        t = run.step[step]
        if t < s.task.n_blank + similarity.N_OBSERVED:
            states.setdefault(
                (s.block_side[trial], s.side[trial], s.strength[trial], t), []
            ).append(run.hidden[step])
    rows = [
        (b, side, x, t)
        for b in (-1, 1)
        for side in (-1, 1)
        for x in sorted(s.task.strengths)
        for t in range(s.task.n_blank + similarity.N_OBSERVED)
    ]
    nothing = np.full(run.hidden.shape[1], np.nan)
    return np.array(
        [
            np.mean(states[row], axis=0)
            if len(states.get(row, ())) >= similarity.MIN_TRIALS
            else nothing
            for row in rows
        ]
    )


def test_trajectories_are_means_by_condition():
    found = similarity.trajectories(RUN)
    slow = slow_trajectories(RUN)
    np.testing.assert_allclose(found, slow, rtol=1e-12, atol=1e-14)
    assert np.isfinite(found).any() and np.isnan(found).any(), (
        "some conditions are rare in so few sessions"
    )


def test_trajectories_of_unbiased_blocks_are_left_out():
    sessions = hrnn.Task.preset("ibl").sample(n_sessions=4, rng=0)
    run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=3, rng=0), sessions)
    np.testing.assert_allclose(
        similarity.trajectories(run), slow_trajectories(run), rtol=1e-12, atol=1e-14
    )


@given(seed=st.integers(0, 10**6))
def test_rotation_scale_and_shift_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(20, 5))
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    for of in (similarity.cka, similarity.procrustes):
        assert of(a, 2.5 * a @ rotation + rng.normal(size=5)) == pytest.approx(1)
        b = rng.normal(size=(20, 3))
        assert 0 <= of(a, b) <= 1 and of(a, b) == pytest.approx(of(b, a))


def test_procrustes_is_that_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30, 4))
    assert 1 - similarity.procrustes(a, b) ** 2 == pytest.approx(scipy.spatial.procrustes(a, b)[2])


def test_cka_is_the_correlation_of_centred_gram_matrices():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(30, 4))
    b = rng.normal(size=(30, 7))
    centre = np.eye(30) - 1 / 30
    K, L = (centre @ x @ x.T @ centre for x in (a, b))
    assert similarity.cka(a, b) == pytest.approx(
        (K * L).sum() / np.sqrt((K * K).sum() * (L * L).sum())
    )


def test_conditions_that_one_lacks_are_left_out_of_both():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30, 4))
    expected = similarity.cka(a[5:], b[5:])
    a[:5] = np.nan
    assert similarity.cka(a, b) == expected


def test_mean_of_pairs_covers_the_mean_of_many_networks():
    """Similarity 1 - |x_i - x_j| of networks with uniform x: the mean over pairs is 2/3."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        x = rng.random(15)
        found = similarity.mean_of_pairs(1 - np.abs(x[:, None] - x), rng=0)
        covered.append(found.low <= 2 / 3 <= found.high)
    assert 0.88 <= np.mean(covered) <= 0.99


def test_pairs_leave_out_a_network_with_itself():
    similar = np.array([[9.0, 0.5], [0.5, 9.0]])
    assert similarity.mean_of_pairs(similar).value == 0.5


@pytest.mark.parametrize(
    "a, b, message",
    [
        (np.ones((4, 2)), np.ones((5, 2)), "same conditions"),
        (np.ones(4), np.ones((4, 2)), "same conditions"),
        (np.full((4, 2), np.nan), np.ones((4, 2)), "share at least 3 conditions, got 0"),
        (np.ones((4, 2)), np.eye(4), "must vary"),
    ],
)
def test_bad_trajectories_are_named(a, b, message):
    with pytest.raises(ValueError, match=message):
        similarity.cka(a, b)


@pytest.mark.parametrize("similar", [np.ones((2, 3)), np.ones((1, 1))])
def test_bad_matrices_are_named(similar):
    with pytest.raises(ValueError, match="square matrix of at least 2"):
        similarity.mean_of_pairs(similar)


def test_session_starts_are_the_first_states_of_sessions():
    starts = similarity.session_starts(RUN, 7)
    first = RUN.first_step[RUN.sessions.offsets[:-1]]
    np.testing.assert_array_equal(starts[3], RUN.hidden[first[3] : first[3] + 7])
    with pytest.raises(ValueError, match="n_steps must be <= "):
        similarity.session_starts(RUN, 10**6)


def test_dsa_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "DSA", None)
    starts = similarity.session_starts(RUN, 7)
    with pytest.raises(ModuleNotFoundError, match="hrnn\\[dsa\\]"):
        similarity.dsa(starts, starts)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of the library are not ours
def test_dsa_tells_dynamics_apart_and_not_bases():
    pytest.importorskip("DSA")
    rng = np.random.default_rng(0)

    def states(angle):
        A = 0.98 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        x = rng.normal(size=(10, 2))
        return (
            np.stack([x := x @ A.T for _ in range(100)], axis=1)
            @ np.linalg.qr(rng.normal(size=(4, 4)))[0][:2]
        )

    same, other = (
        similarity.dsa(states(0.2), states(angle), n_delays=2, rank=4) for angle in (0.2, 0.8)
    )
    assert same < 0.2 * other
