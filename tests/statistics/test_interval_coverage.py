"""Does each kind of interval hold the truth in 95 % of the cases? By simulation, slowly."""

import numpy as np
import pandas as pd
import pytest

from hrnn import behavior
from hrnn import stats as statistics
from hrnn.choice.fitting import fit
from hrnn.statistics import regression

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:trials. choices")]
LEAST = 0.92
MOST = 0.98


def holds(intervals, truth):
    """Fraction of intervals (low, high) that hold the truth, of all that are defined."""
    low, high = np.asarray(intervals, float).T
    defined = np.isfinite(low)
    assert defined.mean() > 0.9
    return ((low <= truth) & (truth <= high))[defined].mean()


def table(rng, n_subjects, n_sessions, n_trials=60, spread=0.15, p=0.7):
    """Trials whose fraction correct differs between subjects and sessions, p on average."""
    n = n_subjects * n_sessions
    subject = np.repeat(np.arange(n_subjects), n_sessions)
    rate = p + rng.uniform(-spread, spread, n_subjects)[subject] * (n_subjects > 1)
    rate = rate + rng.uniform(-0.1, 0.1, n)
    size = np.full(n, n_trials)
    session = np.repeat(np.arange(n), size)
    side = rng.choice([-1, 1], len(session))
    correct = rng.random(len(session)) < rate[session]
    found = pd.DataFrame({"session": session, "choice": np.where(correct, side, -side)})
    found = found.assign(correct=correct, side=side, strength=rng.choice([0.0, 1.0], len(session)))
    found["signed_strength"] = found.side * found.strength
    return found.assign(subject=subject[session]) if n_subjects > 1 else found


@pytest.mark.parametrize("n_subjects, n_sessions", [(1, 3), (1, 6), (1, 30), (5, 4), (20, 4)])
def test_fractions_over_sessions_and_subjects(n_subjects, n_sessions):
    rng = np.random.default_rng(n_subjects + n_sessions)
    rows = []
    for _ in range(250):
        t = table(rng, n_subjects, n_sessions)
        rows.append(behavior.summary(t).loc["correct_given_choice", ["low", "high"]])
    assert LEAST < holds(rows, 0.7) < MOST


def test_cells_of_one_subject_and_cells_that_few_units_have():
    rng = np.random.default_rng(1)
    rows = {"subject": [], "few": []}
    for _ in range(200):
        t = table(rng, 12, 4, spread=0.0)
        t = t[(t.strength == 1) | (t.subject < 3)]
        cells = behavior.by_strength(t, by=["subject"])
        cells = cells[(cells.measure == "correct") & (cells.subject == 5)]
        rows["subject"].append(cells[["low", "high"]].to_numpy()[0])
        t = table(rng, 12, 4)
        t = t[(t.strength == 1) | (t.subject < 3)]
        cells = behavior.by_strength(t, by=["strength"])
        cells = cells[(cells.measure == "correct") & (cells.strength == 0)]
        rows["few"].append(cells[["low", "high"]].to_numpy()[0])
    for name, found in rows.items():
        assert LEAST < holds(found, 0.7) < MOST, name


@pytest.mark.parametrize("n_blocks", [12, 24, 60])
def test_blocks_of_one_session(n_blocks):
    """Neighbouring blocks share a part of their rate."""
    rng = np.random.default_rng(n_blocks)
    rows = []
    for _ in range(300):
        slow = rng.normal(0, 0.04, n_blocks + 1)
        rate = 0.7 + slow[1:] + slow[:-1]
        block = np.repeat(np.arange(n_blocks), 30)
        correct = rng.random(len(block)) < rate[block]
        t = pd.DataFrame({"session": 0, "block": block, "choice": 1, "correct": correct})
        rows.append(behavior.summary(t).loc["correct", ["low", "high"]])
    # a run sees part of what neighbours share; three runs of twelve blocks are rather wide
    assert LEAST - 0.02 < holds(rows, 0.7) < MOST + 0.015


@pytest.mark.parametrize("n", [3, 5, 12, 20])
def test_means(n):
    values = np.random.default_rng(n).normal(3, 1, (n, 3000))
    found = statistics.mean_interval(values)
    assert LEAST < holds(np.stack([found.low, found.high], 1), 3) < MOST


@pytest.mark.parametrize("n", [4, 15, 40])
def test_paired_differences_of_unequal_units(n):
    rng = np.random.default_rng(n)
    den = rng.integers(40, 80, (n, 2000)).astype(float)
    shared = rng.uniform(-0.1, 0.1, (n, 2000))
    a, b = (
        rng.binomial(den.astype(int), p + shared + rng.uniform(-0.05, 0.05, shared.shape))
        for p in (0.7, 0.6)
    )
    found = statistics.paired((a, den), (b, den))
    assert LEAST < holds(np.stack([found.low, found.high], 1), 0.1) < MOST


def test_wilson():
    """On average over fractions; of a single small n and fraction it is anywhere from .83 to 1."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0.05, 0.95, 3000)
    n = rng.integers(10, 60, 3000)
    found = [statistics.wilson(int(k), int(m)) for k, m in zip(rng.binomial(n, p), n, strict=True)]
    inside = [one.low <= truth <= one.high for one, truth in zip(found, p, strict=True)]
    assert LEAST < np.mean(inside) < MOST


@pytest.mark.parametrize("n_sessions", [12, 40])
def test_least_squares_and_correlations(n_sessions):
    rng = np.random.default_rng(n_sessions)
    unit = np.repeat(np.arange(n_sessions), 15)
    slopes = []
    correlations = []
    for _ in range(300):
        x = rng.normal(size=len(unit))
        own = rng.normal(0, 0.3, n_sessions)[unit]  # each session has a slope of its own
        y = (1 + own) * x + rng.normal(size=len(unit))
        weights = regression.linear(np.column_stack([x, np.ones(len(x))]), y, unit).weights
        slopes.append((weights.low[0], weights.high[0]))
        found = regression.correlation(x, y, unit)
        correlations.append((found.low, found.high))
    assert LEAST - 0.01 < holds(slopes, 1) < MOST
    assert LEAST - 0.01 < holds(correlations, 1 / np.sqrt(2.09)) < MOST


@pytest.mark.parametrize("n_sessions", [5, 30])
def test_clustered_errors_of_the_history_regression(n_sessions):
    rng = np.random.default_rng(n_sessions)
    rows = []
    n = 100
    for _ in range(200):
        bias = np.repeat(rng.choice([-0.5, 0.5], n_sessions), n)
        side = rng.choice([-1, 1], n * n_sessions)
        right = rng.random(n * n_sessions) < 1 / (1 + np.exp(-bias))
        choice = np.where(right, 1, -1)
        t = pd.DataFrame({"session": np.arange(len(side)) // n, "trial": np.arange(len(side)) % n})
        t = t.assign(side=side, strength=0.0, choice=choice, correct=choice == side)
        found = behavior.history_regression(t, rng.uniform(0.3, 0.7, len(t))).set_index("term")
        rows.append(found.loc["intercept", ["low", "high"]])
    assert LEAST - 0.01 < holds(rows, 0.0) < MOST


def test_clustered_errors_of_fits():
    """A flat model whose sessions have a bias of their own, of mean 0."""
    rng = np.random.default_rng(0)
    n, n_sessions, n_subjects = 80, 15, 200
    session = np.repeat(np.arange(n_sessions * n_subjects), n)
    bias = rng.choice([-0.4, 0.4], n_sessions * n_subjects)[session]
    side = rng.choice([-1, 1], len(session))
    seen = rng.random(len(session)) < 0.6
    right = rng.random(len(session)) < 1 / (1 + np.exp(-bias - side * seen))
    choice = np.where(right, 1, -1)
    t = pd.DataFrame({"subject": session // n_sessions, "session": session, "side": side})
    t = t.assign(choice=choice, signed_strength=0.5 * side * seen, block_side=0, p_left=0.5)
    t["block_side"] = np.where(np.arange(len(t)) // 20 % 2, -1, 1)
    t["p_left"] = 0.5 - 0.3 * t.block_side
    t = t.assign(trial=np.tile(np.arange(n), n_sessions * n_subjects))
    found = fit(t, "history_glm", n_starts=1)
    center = found.params["intercept"]
    margin = found.margin["intercept"]
    truth = fit(t.assign(subject=0), "history_glm", n_starts=1).params["intercept"][0]
    assert LEAST - 0.02 < holds(np.stack([center - margin, center + margin], 1), truth) < MOST
