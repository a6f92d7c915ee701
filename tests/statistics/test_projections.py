"""Regressions along estimated readouts against refits by brute force."""

import numpy as np
import pytest

from hrnn.statistics import projections
from hrnn.statistics.projections import Moments, Readout, known, resampled_together
from hrnn.statistics.resampling import resample

S = 30
N = 3


@pytest.fixture(scope="module")
def data():
    """States (R, N), x, session; counts of 5 resamples.

    A readout with an axis of its own in each.
    """
    rng = np.random.default_rng(0)
    session = np.repeat(np.arange(S), rng.integers(5, 15, S))
    states = rng.normal(size=(len(session), N)) + 3
    x = rng.normal(size=len(session))
    counts = resample(S, rng=1, n_resamples=5).weights
    readout = Readout(
        np.array([1.0, 2, 3]), 0.5, rng.normal(size=(5, N)), rng.normal(size=5), counts
    )
    return session, states, x, counts, readout


def repeated(session, k):
    """Rows of a resample, written out."""
    return np.concatenate([np.tile(np.flatnonzero(session == s), int(n)) for s, n in enumerate(k)])


def test_weights_and_r2_are_those_of_least_squares_on_rows_written_out(data):
    session, states, x, counts, readout = data
    m = Moments(session, counts, states=states, x=x)
    weights, r2 = m.regress(
        [m.of("x"), m.log_odds("states", readout), m.of("one")],
        m.of("states", readout.all_directions),
    )
    for b, k in enumerate(np.vstack([np.ones(S), counts])):
        rows = repeated(session, k)
        w = readout.all_weights[b]
        c = readout.all_intercepts[b]
        X = np.column_stack([x[rows], states[rows] @ w + c, np.ones(len(rows))])[:, :2]
        y = states[rows] @ w / np.linalg.norm(w)
        direct = np.linalg.lstsq(np.column_stack([X[:, :1], np.ones(len(rows))]), y, rcond=None)[0]
        simple, simple_r2 = m.regress(
            [m.of("x"), m.of("one")], m.of("states", readout.all_directions)
        )
        np.testing.assert_allclose(simple[b], direct, rtol=1e-9, atol=1e-9)
        left = y - np.column_stack([X[:, :1], np.ones(len(rows))]) @ direct
        assert simple_r2[b] == pytest.approx(
            1 - (left**2).sum() / ((y - y.mean()) ** 2).sum(), abs=1e-9
        )
        assert weights[b, 0] == pytest.approx(0, abs=1e-6) and r2[b] == pytest.approx(1)


def test_correlations_are_those_of_rows_written_out(data):
    session, states, x, counts, readout = data
    m = Moments(session, counts, states=states, x=x)
    found = m.correlate(m.of("x"), m.of("states", readout.all_weights))
    for b, k in enumerate(np.vstack([np.ones(S), counts])):
        rows = repeated(session, k)
        assert found[b] == pytest.approx(
            np.corrcoef(x[rows], states[rows] @ readout.all_weights[b])[0, 1], abs=1e-9
        )


def test_a_large_table_is_summed_in_parts_to_the_same_numbers(data, monkeypatch):
    session, states, x, counts, readout = data
    m = Moments(session, counts, states=states, x=x)
    whole = m.regress([m.of("x"), m.of("one")], m.of("states", readout.all_weights))
    monkeypatch.setattr(projections, "MOST_NUMBERS", 60)
    parts = Moments(session, counts, states=states, x=x).regress(
        [m.of("x"), m.of("one")], m.of("states", readout.all_weights)
    )
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_columns_that_follow_from_others_have_no_weights(data):
    session, states, x, counts, _ = data
    m = Moments(session, counts, x=x, twice=2 * x)
    assert np.isnan(m.regress([m.of("x"), m.of("twice")], m.of("one"))[0]).all()


def test_readouts_of_other_resamples_are_refused(data):
    _, _, _, counts, readout = data
    other = known(np.ones(N), resample(S, rng=2, n_resamples=5).weights)
    with pytest.raises(ValueError, match="axes must be decoders of the same sessions"):
        resampled_together({"a": readout, "b": other}, S, 0)
    with pytest.raises(ValueError, match="axes must be decoders of run"):
        resampled_together({"a": readout}, S + 1, 0)
    both = resampled_together({"a": readout, "b": np.ones(N)}, S, 0)
    assert (
        both["a"] is readout
        and (both["b"].weights_resampled == 1).all()
        and both["b"].counts is readout.counts
    )
