"""Least squares and logistic regression against independent ways to the same numbers."""

import numpy as np
import pytest

from hrnn.statistics import regression


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: regression.logistic([[1.0]] * 3, [0, 1, 2], [0, 0, 1]), "y must"),
        (lambda: regression.logistic([[1.0]] * 3, [0, 1], [0, 0, 1]), "one row"),
        (lambda: regression.linear([[1.0]] * 3, [0, 1], [0, 0, 1]), "one row"),
        (lambda: regression.linear([[1.0, 2.0]] * 3, [0, 1, 2], [0, 0, 1]), "X must have columns"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_least_squares_are_those_of_numpy():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(300), rng.normal(size=(300, 2))])
    unit = np.repeat(np.arange(30), 10)
    y = X @ [0.5, 1.0, -2.0] + rng.normal(size=300)
    fit = regression.linear(X, y, unit)
    w, residual, *_ = np.linalg.lstsq(X, y)
    np.testing.assert_allclose(fit.weights.value, w, atol=1e-12)
    assert fit.r2.value == pytest.approx(1 - residual[0] / ((y - y.mean()) ** 2).sum())
    np.testing.assert_array_equal(
        regression.linear(X[::-1], y[::-1], unit[::-1]).weights.value.round(12),
        fit.weights.value.round(12),
    )


def test_intervals_of_least_squares_cover_at_their_rate():
    """A regressor and an error that are constant within sessions.

    The interval must be that of sessions, not of rows.
    """
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        unit = np.repeat(np.arange(40), 15)
        x = rng.normal(size=40)[unit]
        y = 2 * x + rng.normal(size=40)[unit] + rng.normal(size=600)
        weights = regression.linear(
            np.column_stack([np.ones(600), x]), y, unit, rng=seed, n_resamples=300
        ).weights
        hits += weights.low[1] <= 2 <= weights.high[1]
    assert (
        179 <= hits <= 199
    )  # two-sided binomial bound at .001 about 95 % of 200, with the percentiles' own error


def test_nothing_cancels_in_least_squares():
    """Far from zero, and at any scale of a column, the fit is that of the same data near it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=800)
    unit = np.repeat(np.arange(40), 20)
    y = 2 * x + rng.normal(size=800)
    near = regression.linear(np.column_stack([x, np.ones(800)]), y, unit)
    far = regression.linear(
        np.column_stack([1e-9 * x + 1e-5, np.ones(800)]),
        y + 1e8,
        np.char.zfill(unit.astype(str), 3),
    )
    assert far.r2.value == pytest.approx(near.r2.value, abs=1e-7) and far.r2.low == pytest.approx(
        near.r2.low, abs=1e-7
    )
    assert far.weights.value[0] * 1e-9 == pytest.approx(near.weights.value[0], rel=1e-6)
    origin = regression.linear(x[:, None], y + 1, unit)
    w = x @ (y + 1) / (x @ x)
    assert origin.r2.value == pytest.approx(
        1 - ((y + 1 - w * x) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    )


def test_the_interval_of_a_correlation_is_its_own():
    """(1 - r²)/√n, not √(1 - r²)/√n as of a slope: against resampled sessions by brute force."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=2000)
    unit = np.repeat(np.arange(200), 10)
    y = 0.9 * x + np.sqrt(1 - 0.81) * rng.normal(size=2000)
    found = regression.correlation(x, y, unit)
    drawn = rng.integers(200, size=(400, 200))
    brute = [
        np.corrcoef(x.reshape(200, 10)[d].ravel(), y.reshape(200, 10)[d].ravel())[0, 1]
        for d in drawn
    ]
    assert found.value == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found.high - found.low == pytest.approx(3.92 * np.std(brute), rel=0.2)
    assert np.isnan(regression.correlation(np.ones(2000), y, unit).value)


def clustered(seed, *, n_clusters=60, size=20, spread=0.0):
    """A regressor with weight 1 that is constant in each cluster.

    And a random effect of the cluster.
    """
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n_clusters), size)
    X = np.column_stack([np.ones(cluster.size), rng.normal(size=n_clusters)[cluster]])
    p = 1 / (1 + np.exp(-(X @ [0.2, 1.0] + spread * rng.normal(size=n_clusters)[cluster])))
    return X, (rng.random(cluster.size) < p).astype(float), cluster


def test_logistic_weights_maximise_the_plain_likelihood():
    from scipy.optimize import minimize

    X, y, cluster = clustered(0)
    best = minimize(
        lambda w: np.logaddexp(0, (1 - 2 * y) * (X @ w)).sum(), np.zeros(2), options={"gtol": 1e-8}
    )
    assert regression.logistic(X, y, cluster).weights == pytest.approx(best.x, abs=1e-6)


def test_clustered_errors_are_those_of_the_jackknife():
    """Independent of the algebra: leave one cluster out."""
    X, y, cluster = clustered(1, n_clusters=80, spread=1.0)
    fit = regression.logistic(X, y, cluster)
    left_out = [
        regression.logistic(X[cluster != g], y[cluster != g], cluster[cluster != g]).weights
        for g in range(80)
    ]
    jackknife = np.sqrt(79 / 80 * ((left_out - np.mean(left_out, axis=0)) ** 2).sum(axis=0))
    assert fit.se == pytest.approx(jackknife, rel=0.1)
    alone = regression.logistic(X, y, np.arange(len(y)))
    assert (fit.se > 1.5 * alone.se).all() and fit.n_clusters == 80


def test_collinear_columns_are_left_out_and_separated_classes_reported():
    X, y, cluster = clustered(2)
    plain = regression.logistic(X, y, cluster)
    more = regression.logistic(
        np.column_stack([X, X[:, 0] - 2 * X[:, 1], np.zeros(len(y))]), y, cluster
    )
    assert (
        more.weights[:2] == pytest.approx(plain.weights)
        and np.isnan(more.weights[2:]).all()
        and more.converged
    )
    for separated in (np.ones(len(y)), (X[:, 1] > 0).astype(float)):
        fit = regression.logistic(X, separated, cluster)
        assert not fit.converged and np.isnan(fit.weights).all() and np.isnan(fit.se).all()


def test_ratio_of_weights_is_that_of_two_regressions_on_the_same_resamples():
    """Its interval against a bootstrap that refits the rows of drawn sessions."""
    rng = np.random.default_rng(0)
    session = np.repeat(np.arange(40), 12)
    X = rng.normal(size=(480, 3))
    Y = X @ np.array([[2.0, 0.5], [1.0, -1.0], [0.3, 0.2]]) + rng.normal(size=(480, 2))
    contrast = [1.0, -0.5, 0.0]
    found = regression.weight_ratio(X, Y, contrast, session, n_resamples=4000)

    def ratio(rows):
        w = np.linalg.lstsq(X[rows], Y[rows], rcond=None)[0]
        return np.divide(*(contrast @ w))

    assert found.value == pytest.approx(ratio(slice(None)))
    drawn = [
        ratio(np.concatenate([np.flatnonzero(session == s) for s in rng.integers(40, size=40)]))
        for _ in range(1000)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1 * (high - low))
    same = regression.weight_ratio(X, Y[:, [0, 0]], contrast, session, rng=rng)
    assert (same.low, same.high) == pytest.approx(
        (1, 1), abs=1e-12
    )  # the same resamples, also from a Generator
    with pytest.raises(ValueError, match="must agree"):
        regression.weight_ratio(X, Y, [1.0], session)


def test_units_are_counted_where_they_tell_of_a_weight():
    """A column that one unit has, or two of 20: no interval, and one of two units."""
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(20), 30)
    for telling, defined in ((1, False), (2, True)):
        own = (unit < telling) * rng.normal(size=600)
        X = np.column_stack([np.ones(600), rng.normal(size=600), own])
        y = X @ [0.1, 0.5, 0.7] + rng.normal(size=600)
        fit = regression.linear(X, y, unit).weights
        assert np.isfinite(fit.low[:2]).all() and np.isfinite(fit.low[2]) == defined
        logit = regression.logistic(X, (y > 0).astype(float), unit)
        assert logit.n_telling.tolist() == [20, 20, telling]
        assert np.isfinite(logit.se[:2]).all() and np.isfinite(logit.se[2]) == defined
        gap = regression.weight_ratio(
            X, np.column_stack([y, own + rng.normal(size=600)]), [0, 0, 1], unit
        )
        assert np.isfinite(gap.low) == defined


def test_resamples_that_cannot_be_solved_leave_no_width():
    """Two sessions that differ in a regressor: it takes both to tell its weight."""
    unit = np.repeat([0, 1], 50)
    y = np.random.default_rng(1).normal(size=100)
    fit = regression.linear(np.column_stack([np.ones(100), unit + 1.0]), y, unit).weights
    assert np.isnan([fit.low, fit.high]).all() and np.isfinite(fit.value).all()


def test_the_number_of_units_is_an_integer_everywhere():
    unit = np.array([0, 0, 1, 1])
    varied = np.arange(4.0)
    for y in (varied, np.zeros(4)):
        assert type(regression.correlation(varied, y, unit).n) is int
    assert type(regression.linear(varied[:, None], varied + 1, unit).r2.n) is int
    zero = np.column_stack([varied, np.zeros(4)])
    ratio = regression.weight_ratio(varied[:, None], zero, [1.0], unit)
    assert np.isnan([ratio.value, ratio.low, ratio.high]).all() and type(ratio.n) is int
