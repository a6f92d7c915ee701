"""Intervals of known distributions cover, and pairing removes what is shared."""

import numpy as np
import pytest

from hrnn import stats


def test_ratio_intervals_cover_at_their_nominal_rate():
    """Over 300 fixed seeds, clustered sessions: within the binomial bound of 95 %."""
    inside = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        p = np.clip(rng.normal(0.7, 0.08, 60), 0, 1)
        n = rng.integers(100, 300, 60)
        interval = stats.ratio_interval(rng.binomial(n, p), n, rng=seed, n_resamples=500)
        inside += interval.low <= 0.7 <= interval.high
    assert abs(inside / 300 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 300)


def test_paired_differences_cancel_what_is_shared():
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 5, 200)
    a, b = shared + 1 + 0.01 * rng.normal(size=200), shared
    one = np.ones(200)
    gap = stats.paired((a, one), (b, one))
    assert gap.low < 1.0 + 0.002 and gap.high > 1.0 - 0.002 and gap.high - gap.low < 0.01
    assert stats.ratio_interval(a, one).high - stats.ratio_interval(a, one).low > 1


def test_value_is_the_ratio_of_sums_and_the_seed_fixes_the_interval():
    a = stats.ratio_interval([1, 2, 9], [10, 10, 20], rng=3)
    assert a.value == pytest.approx(12 / 40)
    assert a == stats.ratio_interval([1, 2, 9], [10, 10, 20], rng=3)


def test_wilson_is_the_textbook_interval():
    k, n, z = 17, 20, 1.959963984540054
    centre, half = (k + z**2 / 2) / (n + z**2), z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    interval = stats.wilson(k, n)
    assert (interval.low, interval.high) == (pytest.approx(centre - half), pytest.approx(centre + half))


@pytest.mark.parametrize("arguments", [([], []), ([1, np.nan], [1, 1]), ([1, 2], [1]), (["a"], [1])])
def test_bad_input_is_refused(arguments):
    with pytest.raises((TypeError, ValueError)):
        stats.ratio_interval(*arguments)
