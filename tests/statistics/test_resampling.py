"""Intervals of known distributions cover, and pairing removes what is shared."""

import numpy as np
import pytest
import scipy.stats

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
    a = shared + 1 + 0.01 * rng.normal(size=200)
    b = shared
    one = np.ones(200)
    gap = stats.paired((a, one), (b, one))
    assert gap.low < 1.0 + 0.002 and gap.high > 1.0 - 0.002 and gap.high - gap.low < 0.01
    assert stats.ratio_interval(a, one).high - stats.ratio_interval(a, one).low > 1


def test_value_is_the_ratio_of_sums_and_the_seed_fixes_the_interval():
    a = stats.ratio_interval([1, 2, 9], [10, 10, 20], rng=3)
    assert a.value == pytest.approx(12 / 40)
    assert a == stats.ratio_interval([1, 2, 9], [10, 10, 20], rng=3)


def test_wilson_is_the_textbook_interval():
    k = 17
    n = 20
    z = 1.959963984540054
    centre = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    interval = stats.wilson(k, n)
    assert (interval.low, interval.high) == (
        pytest.approx(centre - half),
        pytest.approx(centre + half),
    )


@pytest.mark.parametrize(
    "arguments", [([], []), ([1, np.nan], [1, 1]), ([1, 2], [1]), (["a"], [1])]
)
def test_bad_input_is_refused(arguments):
    with pytest.raises((TypeError, ValueError)):
        stats.ratio_interval(*arguments)


def within_binomial_bound(hits, n, p):
    """Four standard errors of a fraction p of n."""
    return abs(hits / n - p) < 4 * np.sqrt(p * (1 - p) / n)


def test_few_units_are_covered_too():
    """Eight networks, 400 fixed seeds; the plain percentile interval would cover about 90 %."""
    values = [np.random.default_rng(seed).normal(3.0, 1.0, 8) for seed in range(400)]
    intervals = [stats.mean_interval(v, rng=seed) for seed, v in enumerate(values)]
    hits = sum(i.low <= 3.0 <= i.high for i in intervals)
    assert within_binomial_bound(hits, 400, 0.95) and intervals[0].n == 8


@pytest.mark.parametrize("n", [2, 3, 5, 9])
def test_few_units_get_students_interval(n):
    """Of three networks the resampled interval holds the mean in 76 % of the cases."""
    draws = np.random.default_rng(n).normal(3.0, 1.0, (n, 2000))
    mean = draws.mean(0)
    half = scipy.stats.t.ppf(0.975, n - 1) * draws.std(0, ddof=1) / np.sqrt(n)
    found = stats.mean_interval(draws)
    np.testing.assert_allclose(found.low, mean - half)
    np.testing.assert_allclose(found.high, mean + half)
    assert within_binomial_bound(((found.low <= 3) & (found.high >= 3)).sum(), 2000, 0.95)
    one = stats.mean_interval(draws[:, 0])
    assert (one.value, one.low, one.high, one.n) == pytest.approx(
        (mean[0], mean[0] - half[0], mean[0] + half[0], n)
    )


def test_resampling_three_units_would_not_cover():
    """Negative control; ratios of few units are therefore Student's, too."""
    values = np.random.default_rng(0).normal(3.0, 1.0, (3, 400))
    draws = stats.resample(3).sums(values) / 3
    low, high = stats.percentiles(draws, 3)
    assert ((low <= 3) & (high >= 3)).mean() < 0.85
    found = stats.ratio_interval(values, np.ones_like(values))
    assert within_binomial_bound(((found.low <= 3) & (found.high >= 3)).sum(), 400, 0.95)


def test_ratios_of_few_units_have_the_error_of_the_jackknife():
    rng = np.random.default_rng(1)
    den = rng.integers(20, 80, (6, 2)).astype(float)
    num = den * rng.uniform(0.3, 0.6, (6, 2))
    found = stats.ratio_interval(num, den)
    left = np.array([np.delete(num, i, 0).sum(0) / np.delete(den, i, 0).sum(0) for i in range(6)])
    value = num.sum(0) / den.sum(0)
    half = scipy.stats.t.ppf(0.975, 5) * np.sqrt(5 / 6 * ((left - value) ** 2).sum(0))
    np.testing.assert_allclose([found.low, found.high], [value - half, value + half])
    assert found.n.tolist() == [6, 6]
    wild = stats.ratio_interval([9, 1], [10, 10])
    assert (wild.low, wild.value, wild.high) == (0, 0.5, 1)  # a fraction


def test_units_are_counted_where_they_have_data():
    """Three of 36 units make the second column: its interval is that of three."""
    rng = np.random.default_rng(2)
    den = np.full((36, 2), 50.0)
    den[3:, 1] = 0
    num = rng.binomial(den.astype(int), 0.4).astype(float)
    found = stats.ratio_interval(num, den)
    alone = stats.ratio_interval(num[:3, 1], den[:3, 1])
    assert found.n.tolist() == [36, 3]
    assert (found.low[1], found.high[1]) == pytest.approx((alone.low, alone.high))
    assert found.low[0] == stats.ratio_interval(num[:, 0], den[:, 0]).low
    gap = stats.paired((num[:, 0], den[:, 0]), (num[:, 1], den[:, 1]))
    assert gap.n == 3 and gap.high - gap.low > 0.9 * (alone.high - alone.low)


def test_runs_without_data_do_not_count():
    draws = stats.resample(40, run=4)
    has = np.zeros((40, 4), bool)
    has[:, 0] = True
    has[::2, 1] = True  # every run has some
    has[7, 2] = True
    has[[7, 27], 3] = True
    assert draws.independent(has).tolist() == [10, 10, 1, 2]


def test_no_interval_has_no_width():
    """Units that agree do not tell how far others may differ, also where rounding differs."""
    for value in (0.0, 0.3, 1.0, 2.0):
        for n in (2, 3, 12, 36):
            found = stats.ratio_interval(np.full(n, 7 * value), np.full(n, 7.0))
            assert found.value == pytest.approx(value) and np.isnan([found.low, found.high]).all()
            found = stats.mean_interval(np.full(n, value))
            assert np.isnan([found.low, found.high]).all() and found.n == n
    num = np.random.default_rng(0).random((2, 20))
    gap = stats.paired((num[0], np.ones(20)), (num[0] + 0.1, np.ones(20)))
    assert gap.value == pytest.approx(-0.1) and np.isnan([gap.low, gap.high]).all()


def test_one_unit_has_no_interval():
    found = stats.mean_interval([0.5])
    assert found.value == 0.5 and np.isnan([found.low, found.high]).all() and found.n == 1


def test_taking_trials_for_units_would_not_cover():
    """Negative control of the whole idea: Wilson over the trials of correlated sessions."""
    hits = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        k = rng.binomial(200, np.clip(rng.normal(0.7, 0.08, 60), 0, 1)).sum()
        interval = stats.wilson(int(k), 60 * 200)
        hits += interval.low <= 0.7 <= interval.high
    assert hits / 300 < 0.7


def test_the_width_is_the_delta_method_of_many_units():
    rng = np.random.default_rng(0)
    den = rng.integers(50, 150, 400).astype(float)
    num = 0.4 * den + rng.normal(0, 5, 400)
    interval = stats.ratio_interval(num, den, n_resamples=20_000)
    residual = num - interval.value * den
    se = np.sqrt((residual**2).sum()) / den.sum()
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * se, rel=0.03)


def test_runs_of_units_cover_a_correlated_series_and_single_units_do_not():
    hits = {1: 0, 4: 0}
    for seed in range(300):
        noise = np.random.default_rng(seed).normal(size=201)
        series = noise[1:] + noise[:-1]
        one = np.ones(200)
        for run in hits:
            interval = stats.ratio_interval(
                series, one, resamples=stats.resample(200, run=run, rng=seed, n_resamples=500)
            )
            hits[run] += interval.low <= 0 <= interval.high
    assert hits[4] / 300 > 0.935 - 4 * np.sqrt(
        0.935 * 0.065 / 300
    )  # a run of 4 sees 7/8 of the variance
    assert hits[1] / 300 < 0.9


def test_runs_are_windows_on_a_circle():
    draws = stats.resample(10, run=4, rng=0, n_resamples=50)
    assert (draws.weights.sum(axis=1) == 3).all() and draws.n_independent == 2
    units = np.arange(10.0)[:, None]
    windows = np.array([sum((start + k) % 10 for k in range(4)) for start in range(10)])
    assert draws.sums(units)[0] == pytest.approx(draws.weights @ windows)


def test_the_generator_is_what_was_given_and_the_global_one_is_left_alone():
    before = np.random.get_state()[1].copy()
    same = [
        stats.resample(7, rng=rng).weights
        for rng in (3, np.random.SeedSequence(3), np.random.default_rng(3))
    ]
    assert (same[0] == same[1]).all() and (same[0] == same[2]).all()
    assert (np.random.get_state()[1] == before).all()
    for rng in (None, "3", 1.0, True):
        with pytest.raises(TypeError, match="rng"):
            stats.resample(7, rng=rng)
    with pytest.raises(ValueError, match="rng"):
        stats.resample(7, rng=-1)


def test_what_is_not_defined_is_nan():
    none = stats.ratio_interval([0, 0], [0, 0])
    assert np.isnan([none.value, none.low, none.high]).all()
    one = stats.ratio_interval([3], [4])
    assert one.value == 0.75 and np.isnan([one.low, one.high]).all()
    rare = stats.ratio_interval([1, 0, 0, 0], [2, 0, 0, 0])
    assert (rare.value, rare.n) == (0.5, 1) and np.isnan([rare.low, rare.high]).all()


def test_columns_share_resamples_and_equal_single_calls():
    rng = np.random.default_rng(0)
    num = rng.random((20, 3))
    den = 1 + rng.random((20, 3))
    both = stats.ratio_interval(num, den, rng=1)
    for k in range(3):
        single = stats.ratio_interval(num[:, k], den[:, k], rng=1)
        assert (both.value[k], both.low[k], both.high[k]) == pytest.approx(
            (single.value, single.low, single.high)
        )
    gap = stats.paired((num, den), (num, den))
    assert (gap.value == 0).all() and np.isnan([gap.low, gap.high]).all()


@pytest.mark.parametrize("k, n", [(0, 20), (20, 20), (1, 3)])
def test_wilson_agrees_with_scipy(k, n):
    from scipy.stats import binomtest

    theirs = binomtest(k, n).proportion_ci(method="wilson")
    ours = stats.wilson(k, n)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: stats.wilson(3, 2), ValueError, "k must be <= n"),
        (lambda: stats.wilson(1.0, 2), TypeError, "k must"),
        (lambda: stats.resample(0), ValueError, "n_units"),
        (lambda: stats.resample(3, run=0), ValueError, "run"),
        (lambda: stats.resample(3, n_resamples=2.0), TypeError, "n_resamples"),
        (
            lambda: stats.ratio_interval([1, 2], [1, 1], resamples=stats.resample(3)),
            ValueError,
            "resamples",
        ),
        (lambda: stats.ratio_interval([1, 2], [1, 1], resamples=3), TypeError, "resamples"),
        (lambda: stats.paired(([1, 2], [1, 1]), ([1], [1])), ValueError, "b must"),
        (lambda: stats.mean_interval(np.ma.array([1.0, 2.0], mask=[0, 1])), TypeError, "values"),
        (lambda: stats.mean_interval([1, 2j]), TypeError, "values"),
        (lambda: stats.mean_interval([1, np.inf]), ValueError, r"values\[1\]"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
