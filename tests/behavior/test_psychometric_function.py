"""Psychometric fits: derivatives, recovery of known curves, errors that are as large as they say.

And borders.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.special import erf

from hrnn.behavior import psychometric_function as module
from hrnn.behavior.psychometric_function import psychometric, psychometric_curve

CONTRASTS = np.array([-1, -0.25, -0.125, -0.0625, 0, 0.0625, 0.125, 0.25, 1])
TRUTH = {"mu": 0.03, "sigma": 0.15, "gamma1": 0.05, "gamma2": 0.1}


def simulated(n, rng, *, truth=TRUTH, contrasts=CONTRASTS, **columns):
    c = rng.choice(contrasts, n)
    choice = np.where(rng.random(n) < psychometric_curve(c, **truth), 1, -1)
    return pd.DataFrame(
        {"session": 0, "p_left": 0.5, "signed_strength": c, "choice": choice} | columns
    )


def counts(table):
    groups = table.groupby("signed_strength")["choice"]
    n = groups.size()
    return (
        n.index.to_numpy(),
        groups.agg(lambda x: (x > 0).sum()).to_numpy(float),
        n.to_numpy(float),
    )


def test_the_curve_is_the_error_function_between_two_lapses():
    expected = 0.05 + 0.85 * 0.5 * (1 + erf((CONTRASTS - 0.03) / (np.sqrt(2) * 0.15)))
    assert psychometric_curve(CONTRASTS, **TRUTH) == pytest.approx(expected, abs=1e-15)
    assert psychometric_curve([-100, 100], **TRUTH) == pytest.approx([0.05, 0.9])


def test_gradient_and_information_are_finite_differences():
    c, k, n = counts(simulated(2000, np.random.default_rng(0)))
    theta = np.array([-0.07, 0.3, 0.12, 0.04])
    step = 1e-6
    shifts = step * np.eye(4)
    loss = [(module._loss(theta + d, c, k, n), module._loss(theta - d, c, k, n)) for d in shifts]
    gradient = np.array([(up[0] - down[0]) / (2 * step) for up, down in loss])
    hessian = np.array([(up[1] - down[1]) / (2 * step) for up, down in loss]) * n.sum()
    assert module._loss(theta, c, k, n)[1] == pytest.approx(gradient, rel=1e-7, abs=1e-9)
    assert module._information(theta, c, k, n) == pytest.approx(hessian, rel=1e-6, abs=1e-4)


def test_errors_are_the_spread_of_the_estimates():
    """Over 60 mice made of one curve.

    Unbiased, z-scores of unit spread; each bound is four of its own errors.
    """
    rng = np.random.default_rng(1)
    mice = pd.concat([simulated(6000, rng, subject=f"m{i:02}") for i in range(60)])
    fits = psychometric(mice)
    assert fits["converged"].all() and not fits["at_bound"].any() and len(fits) == 60
    for name, truth in TRUTH.items():
        z = (fits[name] - truth) / fits[f"se_{name}"]
        assert abs(z.mean()) < 4 / np.sqrt(60), name
        assert abs(z.std() - 1) < 4 / np.sqrt(2 * 59), name


def test_no_better_maximum_is_known_and_the_seed_does_not_matter():
    table = simulated(3000, np.random.default_rng(2))
    a = psychometric(table).iloc[0]
    b = psychometric(table, rng=5).iloc[0]
    assert a["log_likelihood"] == pytest.approx(b["log_likelihood"], abs=1e-6)
    p = psychometric_curve(table["signed_strength"], **{name: a[name] for name in TRUTH})
    assert a["log_likelihood"] == pytest.approx(
        np.log(np.where(table["choice"] > 0, p, 1 - p)).sum()
    )
    p = psychometric_curve(table["signed_strength"], **TRUTH)
    assert a["log_likelihood"] > np.log(np.where(table["choice"] > 0, p, 1 - p)).sum()


def test_one_row_per_subject_and_block_untouched_by_the_others():
    rng = np.random.default_rng(3)
    parts = [simulated(500, rng, subject=s, p_left=p) for s in "ab" for p in (0.2, 0.5, 0.8)]
    fits = psychometric(pd.concat(parts))
    assert fits[["subject", "p_left"]].to_numpy().tolist() == [
        [s, p] for s in "ab" for p in (0.2, 0.5, 0.8)
    ]
    alone = psychometric(parts[4])
    pd.testing.assert_frame_equal(alone, fits.iloc[[4]].reset_index(drop=True))
    assert fits["sigma_ibl"].to_numpy() == pytest.approx(np.sqrt(2) * fits["sigma"].to_numpy())


def test_mirror_scale_and_order():
    table = simulated(3000, np.random.default_rng(4))
    fit = psychometric(table).iloc[0]
    mirrored = psychometric(
        table.assign(signed_strength=-table["signed_strength"], choice=-table["choice"])
    ).iloc[0]
    for name, other, sign in (("mu", "mu", -1), ("sigma", "sigma", 1), ("gamma1", "gamma2", 1)):
        assert mirrored[name] == pytest.approx(sign * fit[other], abs=1e-4)
    percent = psychometric(table.assign(signed_strength=100 * table["signed_strength"])).iloc[0]
    assert percent["se_sigma"] == pytest.approx(100 * fit["se_sigma"], rel=1e-3)
    shuffled = psychometric(table.sample(frac=1, random_state=0)).iloc[0]
    pd.testing.assert_series_equal(fit, shuffled)


def test_trials_without_a_choice_are_left_out():
    table = simulated(1000, np.random.default_rng(5))
    more = pd.concat([table, table.assign(choice=0)])
    pd.testing.assert_frame_equal(psychometric(table), psychometric(more))


def test_bounds_are_flagged_and_have_no_error():
    c = np.repeat(CONTRASTS, 1000)
    few = np.tile(np.arange(1000), len(CONTRASTS)) < 1000 * (
        psychometric_curve(c, **TRUTH | {"gamma1": 0.0}) - 0.03
    )
    fit = psychometric(
        pd.DataFrame({"session": 0, "p_left": 0.5, "signed_strength": c, "choice": 2 * few - 1})
    ).iloc[0]
    assert fit["converged"] and fit["at_bound"] and fit["gamma1"] == 0
    assert (
        np.isnan(fit["se_gamma1"])
        and np.isfinite(fit[["se_mu", "se_sigma", "se_gamma2"]].to_numpy(float)).all()
    )
    step = simulated(2000, np.random.default_rng(6)).assign(
        choice=lambda t: np.where(t["signed_strength"] > 0, 1, -1)
    )
    fit = psychometric(step).iloc[0]
    assert (
        fit["at_bound"]
        and fit["gamma1"] == fit["gamma2"] == 0
        and fit["log_likelihood"] == pytest.approx(0, abs=1e-3)
    )


@pytest.mark.parametrize("contrasts, choice", [([0.0], 1), ([-1.0, 1.0], 1), ([-1.0, 1.0], None)])
def test_what_the_data_do_not_determine_has_no_error(contrasts, choice):
    table = simulated(200, np.random.default_rng(7), contrasts=contrasts)
    fit = psychometric(table if choice is None else table.assign(choice=choice)).iloc[0]
    assert np.isfinite(
        fit[["mu", "sigma", "gamma1", "gamma2", "log_likelihood"]].to_numpy(float)
    ).all()
    assert np.isnan(fit["se_sigma"])


@pytest.mark.parametrize(
    "change, error, message",
    [
        (lambda t: t.drop(columns="p_left"), ValueError, "p_left"),
        (lambda t: t.iloc[:0], ValueError, "row"),
        (lambda t: t.assign(signed_strength=np.nan), ValueError, "signed_strength.*row 0"),
        (lambda t: t.assign(choice=0), ValueError, "choices"),
        (lambda t: t.assign(choice="left"), TypeError, "choice"),
        (lambda t: t.to_numpy(), TypeError, "trials"),
        (lambda t: t.assign(subject=None), ValueError, "subject"),
        (lambda t: t.assign(choice=2), ValueError, "choice"),
    ],
)
def test_bad_tables_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        psychometric(change(simulated(20, np.random.default_rng(0))))


CONTRASTS_OF_IBL = np.array([0, 0.0625, 0.125, 0.25, 1.0])


def one_session(seed, n=300):
    """An observer as in a short session: its likelihood may have several maxima."""
    rng = np.random.default_rng(seed)
    c = rng.choice(CONTRASTS_OF_IBL, n) * rng.choice([-1, 1], n)
    p = psychometric_curve(c, mu=-0.12, sigma=0.18, gamma1=0.08, gamma2=0.08)
    choice = np.where(rng.random(n) < p, 1, -1)
    return pd.DataFrame({"session": 0, "p_left": 0.5, "signed_strength": c, "choice": choice})


def test_a_short_session_reaches_its_higher_maximum():
    """Here the best of random starts are neighbours, and end .08 nats lower, at σ = .164."""
    fit = psychometric(one_session(56)).iloc[0]
    assert fit["sigma"] == pytest.approx(0.231, abs=1e-3) and fit["converged"]
    assert fit["log_likelihood"] == pytest.approx(-136.1706, abs=1e-3)
    assert 0 < fit["agreement"] < 1


def exhaustive(data, rng):
    """The best of 60 searches from all over the box, down to half the smallest contrast."""
    lower = np.array([-1, np.log(0.03), 0, 0])
    upper = np.array([1, np.log(3), 0.45, 0.45])
    points = lower + rng.random((60, 4)) * (upper - lower)
    points[:, 1] = np.exp(points[:, 1])
    return module.climb(points, *data)


@pytest.mark.parametrize(
    "n_sessions", [12, pytest.param(60, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_no_search_finds_more_than_the_regions(n_sessions):
    """One-session fits of any observer; a step between two contrasts is left out."""
    rng = np.random.default_rng(7)
    worse = 0
    differ = 0
    for seed in range(n_sessions):
        n = int(rng.integers(60, 400))
        truth = {
            "mu": rng.uniform(-0.3, 0.3),
            "sigma": np.exp(rng.uniform(np.log(0.05), np.log(0.6))),
            "gamma1": rng.uniform(0, 0.2),
            "gamma2": rng.uniform(0, 0.2),
        }
        contrasts = np.r_[CONTRASTS_OF_IBL, -CONTRASTS_OF_IBL]
        data = counts(simulated(n, rng, truth=truth, contrasts=contrasts))
        found = module.climb(module.starts(module.candidates(0), *data), *data)
        other = module.climb(module.starts(module.candidates(seed + 1), *data), *data)
        best = exhaustive(data, rng)
        steps = np.abs(data[0] - best[0][0]) / best[0][1] > 3
        worse += best[1] > found[1] + 0.05 and not steps.all()
        differ += abs(found[1] - other[1]) > 0.05
    assert worse == 0 and differ <= 0.01 * n_sessions


def test_the_model_of_choice_reaches_the_same_maximum():
    """Of several blocks each is at its own best, also where the largest contrast is small."""
    import hrnn

    for scale in (1, 0.2):
        parts = [one_session(seed).assign(p_left=p) for seed, p in ((56, 0.2), (3, 0.5), (4, 0.8))]
        table = pd.concat(parts, ignore_index=True)
        table["signed_strength"] *= scale
        table["side"] = np.where(table.signed_strength > 0, 1, -1)
        table["block_side"] = np.sign(0.5 - table.p_left).astype(int)
        alone = psychometric(table)
        for n_starts in (1, 10):
            fitted = hrnn.mice.fit(table, "psychometric", errors="hessian", n_starts=n_starts)
            assert fitted.log_likelihood[0] == pytest.approx(
                alone["log_likelihood"].sum(), abs=1e-3
            )
