"""The examination of students, the movement of states, and the link to the Bayesian observer."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn import distill, published
from hrnn.distill import Distillation, bayes


@pytest.fixture(scope="module")
def school():
    net = hrnn.Network.from_arrays(
        "tanh",
        W=[[0.7, 0.3], [0.2, 0.85]],
        U=[[-0.25, 0.25, 0], [-0.05, 0.05, 0.02]],
        b=[0.01, -0.01],
        V=[[-5, 0], [5, 0]],
        c=[0, 0],
    )
    run, master = (
        hrnn.rollout(net, hrnn.Task(n_blocks=2).sample(n_sessions=30, rng=seed)) for seed in (0, 1)
    )
    return (
        run,
        net,
        distill.radd(run, net, rows=np.eye(2), scale=1.0, gains=[5.0], n_resamples=2),
        master,
    )


# ---- examination ---------------------------------------------------------------------------------
# ------------------


def test_a_teacher_is_its_own_best_student(school):
    run, net, radd, master = school
    examiner = distill.Examiner(run, net, radd, master)
    copy = net.with_theta(net.theta)
    for student in (net, copy):
        found = examiner.examine(student)
        assert (
            found["same_choice"] == 1
            and found["p_difference"] < 1e-12
            and found["trajectory_error"] < 1e-12
        )
        assert found["correct"] == pytest.approx((master.choice == master.sessions.side).mean())
    assert set(found) == set(distill.MEASURES)


def test_a_change_of_basis_is_no_error_of_the_trajectory(school):
    """The same network with its units exchanged and mirrored; what it says is the same, too."""
    run, net, radd, master = school
    flip = np.array([[0.0, -1.0], [1.0, 0.0]])
    turned = hrnn.Network.from_arrays(
        "tanh", W=flip @ net.W @ flip.T, U=flip @ net.U, b=flip @ net.b, V=net.V @ flip.T, c=net.c
    )
    found = distill.Examiner(run, net, radd, master).examine(turned)
    assert (
        found["same_choice"] > 0.999
        and found["p_difference"] < 1e-9
        and found["trajectory_error"] < 1e-9
    )


def test_a_student_without_a_clue_has_all_errors(school):
    run, net, radd, master = school
    still = net.with_theta(np.zeros_like(net.theta))
    radd = dataclasses.replace(radd, mean=np.array([0.5, -0.3]))
    found = distill.Examiner(run, net, radd, master).examine(still)
    assert found["timeouts"] == 1 and found["mu0_concordance"] == 0
    assert found["trajectory_error"] == pytest.approx(1, abs=0.02)
    last = np.intersect1d(
        run.last_step,
        np.flatnonzero(~np.isin(run.sessions.session[run.trial], radd.train_sessions)),
    )
    assert found["p_difference"] == pytest.approx(np.abs(0.5 - run.p_right[last]).mean())


def test_concordance_at_strength_zero_is_that_of_the_trials(school):
    run, net, radd, master = school
    t = master.trials
    zero = t[t.strength == 0]
    expected = (zero.choice == zero.block_side).mean()
    assert distill.Examiner(run, net, radd, master).behaviour(net)[
        "mu0_concordance"
    ] == pytest.approx(expected)


def test_a_master_of_another_network_is_refused(school):
    run, net, radd, master = school
    with pytest.raises(ValueError, match="master must be a rollout of net"):
        distill.Examiner(
            run, net, radd, dataclasses.replace(master, agent=net.with_theta(net.theta))
        )


def test_means_over_seeds_have_intervals():
    table = pd.DataFrame(
        {"kind": ["a"] * 4 + ["b"], "seed": [0, 1, 2, 3, 0], "correct": [0.8, 0.9, 0.7, 0.8, 0.5]}
    )
    found = distill.summarise(table).set_index("kind")
    assert (
        found.loc["a", "value"] == pytest.approx(0.8)
        and found.loc["a", "low"] < 0.8 < found.loc["a", "high"]
    )
    assert found.n.tolist() == [4, 1] and np.isnan(found.loc["b", "low"])


# ---- divergence ----------------------------------------------------------------------------------
# ------------------


def test_divergence_is_that_of_a_loop_over_pairs_within_sessions():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    session = np.repeat([0, 1, 2], [20, 13, 7])
    found = distill.divergence(x, session, n_lags=15).set_index("lag")
    for lag in (0, 1, 6, 15):
        moved = [
            np.linalg.norm(x[t + lag] - x[t])
            for t in range(40 - lag)
            if session[t + lag] == session[t]
        ]
        assert (found.loc[lag, "n"], found.loc[lag, "mean"], found.loc[lag, "sd"]) == pytest.approx(
            (len(moved), np.mean(moved), np.std(moved))
        )
    assert distill.divergence(x[:5], session[:5], n_lags=15).lag.max() == 4
    with pytest.raises(ValueError, match="session must have shape"):
        distill.divergence(x, session[:-1])


def test_a_random_walk_diverges_as_a_root_but_its_differences_as_a_power():
    """In two dimensions E‖x(t+Δ) - x(t)‖ = √(πΔ/2).

    And that of the Δ-th difference of white noise grows as √binom(2Δ, Δ).
    """
    rng = np.random.default_rng(0)
    walk = rng.normal(size=(200_000, 2)).cumsum(0)
    session = np.zeros(200_000)
    lag = distill.divergence(walk, session, n_lags=16).set_index("lag")["mean"]
    assert lag[16] / lag[4] == pytest.approx(2, rel=0.03) and lag[4] == pytest.approx(
        np.sqrt(np.pi * 4 / 2), rel=0.02
    )
    order = published.difference_order(walk, session, n_orders=16).set_index("order")["mean"]
    np.testing.assert_allclose(order[3], np.linalg.norm(np.diff(walk, n=3, axis=0), axis=1).mean())
    from scipy.special import binom

    assert order[16] / order[5] == pytest.approx(np.sqrt(binom(30, 15) / binom(8, 4)), rel=0.05)


def test_differences_do_not_cross_sessions():
    x = np.array([[0.0], [1.0], [2.0], [100.0], [101.0], [102.0]])
    found = published.difference_order(x, [0, 0, 0, 1, 1, 1], n_orders=4)
    assert found["mean"].tolist()[1:] == [1.0, 0.0] and found.n.tolist() == [6, 4, 2]


# ---- Bayes ---------------------------------------------------------------------------------------
# ------------------


@pytest.fixture(scope="module")
def seen(school):
    return hrnn.observe(school[0])


def test_the_filter_is_the_least_squares_fit_to_the_observer(school, seen):
    run = school[0]
    found = bayes.bayesian_filter(run, seen, gains=[2.0], n_resamples=20)
    inside = np.isin(run.sessions.session[run.trial], found.train_sessions)
    y = (
        0.5
        * np.log(
            np.stack([seen.p_right, seen.p_block]) / (1 - np.stack([seen.p_right, seen.p_block]))
        ).T
    )
    z = np.tanh(y)
    before = np.vstack([[[0, 0]], z[:-1]])
    before[run.first_step[run.sessions.offsets[:-1]]] = 0
    w = np.linalg.lstsq(
        np.column_stack([before, run.inputs, np.ones(len(z))])[inside], y[inside], rcond=None
    )[0].T
    np.testing.assert_allclose(
        np.column_stack([found.A.value, found.B.value, found.c.value]), w, atol=1e-8
    )
    np.testing.assert_array_equal(found.network.W, found.A.value)


def test_an_agent_that_is_the_filter_is_found_again(school, seen):
    """Planted: an observer whose log odds follow tanh(A z + B x + c) exactly."""
    run, net, *_ = school
    z = np.clip(run.hidden, -1 + 1e-12, 1 - 1e-12)
    planted = dataclasses.replace(seen, p_right=(1 + z[:, 0]) / 2, p_block=(1 + z[:, 1]) / 2)
    found = bayes.bayesian_filter(run, planted, gains=[2.0], n_resamples=2)
    np.testing.assert_allclose(found.A.value, net.W, atol=1e-8)
    np.testing.assert_allclose(found.B.value, net.U, atol=1e-8)
    assert found.r2_heldout.value == pytest.approx(1)


def test_ratio_of_evidence_is_that_of_the_slopes(school, seen):
    run, net, radd, _ = school
    found = bayes.evidence_ratio(run, radd, seen)
    assert found["radd"].value == pytest.approx((net.U[0] @ [-1, 1, 0]) / (net.U[1] @ [-1, 1, 0]))
    rows = np.flatnonzero(run.step >= run.sessions.task.n_blank)
    steps = [np.diff(np.log(p / (1 - p)), prepend=0)[rows] for p in (seen.p_right, seen.p_block)]
    X = np.column_stack([run.inputs[rows, :2], np.ones(len(rows))])
    side, block = (np.linalg.lstsq(X, s, rcond=None)[0] @ [-1, 1, 0] for s in steps)
    assert found["observer"].value == pytest.approx(side / block)
    assert found["observer"].low < found["observer"].value < found["observer"].high


def test_messages_are_the_off_diagonals_in_units_of_the_beliefs(school, seen):
    run, net, radd, _ = school
    fitted = bayes.bayesian_filter(run, seen, gains=[2.0], n_resamples=20)
    table = bayes.messages(run, radd, fitted, seen).set_index(["source", "message"]).value
    expected = np.stack([2 * seen.p_right - 1, 2 * seen.p_block - 1])
    alpha, beta = ((expected[k] @ run.hidden[:, k]) / (expected[k] @ expected[k]) for k in (0, 1))
    assert table["radd", "block to side"] == pytest.approx(net.W[0, 1] * beta / alpha)
    assert table["radd", "side to block"] == pytest.approx(net.W[1, 0] * alpha / beta)
    assert table["radd", "product"] == pytest.approx(net.W[0, 1] * net.W[1, 0])
    assert table["bayesian_filter", "block to side"] == pytest.approx(fitted.A.value[0, 1])
    assert table["observer", "block to side"] == pytest.approx(2 * 0.8 - 1)


def test_exact_messages_weigh_as_said(seen, school):
    """Before a trial E[s] = (2 p_block - 1) E[b].

    And the evidence of a trial moves the block by artanh((2 p_block - 1) E[s | o]).
    """
    run = school[0]
    before = run.first_step + run.sessions.task.n_blank - 1
    expected = np.tanh(bayes.beliefs(seen))
    np.testing.assert_allclose(expected[before, 0], 0.6 * expected[before, 1], atol=1e-12)
    side, block = bayes.beliefs(seen).T
    told = np.tanh(
        side[run.last_step] - side[before]
    )  # E[s | o] with a flat prior: the prior taken off
    np.testing.assert_allclose(
        (block[run.last_step] - block[before]), np.arctanh(0.6 * told), atol=1e-6
    )


def test_a_coordinate_that_is_the_belief_has_r2_of_one(school, seen):
    run, net, radd, _ = school
    states = np.tanh(bayes.beliefs(seen))
    as_run = dataclasses.replace(run, hidden=0.5 * states + 0.1)
    assert [r.value for r in bayes.resembles(as_run, radd, seen)] == pytest.approx([1, 1])
    with pytest.raises(ValueError, match="rows must have shape"):
        bayes.resembles(run, dataclasses.replace(radd, rows=radd.rows[:1]), seen)


def test_observers_of_other_trials_are_refused(school, seen):
    short = dataclasses.replace(seen, p_right=seen.p_right[:-1], p_block=seen.p_block[:-1])
    with pytest.raises(ValueError, match="seen must be"):
        bayes.bayesian_filter(school[0], short)


# ---- all of it -----------------------------------------------------------------------------------
# ------------------


def test_measures_of_a_quick_distillation_are_finite_and_named(quick_study):
    """The teacher is hardly trained here: nothing may be NaN but intervals of single numbers."""
    found = quick_study.distillation.measures()
    assert {
        "radd.A11",
        "radd.B23",
        "radd.c2",
        "radd.correct",
        "hidden_states.same_choice",
        "random.correct",
    } <= set(found)
    assert [name for name, m in found.items() if not np.isfinite(m.value)] == []
    assert quick_study.distillation.table.groupby("kind").size().eq(2).all()
    assert set(quick_study.distillation.divergences) == {
        "teacher",
        "projection",
        "radd",
        *distill.KINDS,
        "random",
    }


def test_seeds_split_anew_and_the_best_student_is_the_likest(quick_study):
    found = quick_study.distillation
    assert not np.array_equal(found.radds[0].train_sessions, found.radds[1].train_sessions)
    for kind in ("radd", "hidden_states", "soft_targets"):
        same = [
            (hrnn.rollout(s.network, found.master.sessions).choice == found.master.choice).mean()
            for s in found.students[kind]
        ]
        assert found.best(kind) is found.students[kind][int(np.argmax(same))]
    acted = found.at_published_gain["correct"]
    first = found.radds[0]
    loud = hrnn.Network.from_arrays(
        "tanh",
        W=first.A.value,
        U=first.B.value,
        b=first.c.value,
        c=np.zeros(2),
        V=first.network.V * first.published_gain / first.gain,
    )
    assert acted == pytest.approx(
        (hrnn.rollout(loud, found.master.sessions).choice == found.master.sessions.side).mean()
    )
    assert acted != pytest.approx(
        (
            hrnn.rollout(first.network, found.master.sessions).choice == found.master.sessions.side
        ).mean()
    )


def test_time_constants_are_those_of_the_eigenvalues(school):
    radd = school[2]
    moduli = np.sort(np.abs(np.linalg.eigvals(radd.A.value)))[::-1]
    np.testing.assert_allclose(np.exp(-1 / radd.time_constants), moduli)


@pytest.mark.parametrize(
    "change, error",
    [({"n_seeds": 0}, ValueError), ({"n_updates": 1.5}, TypeError), ({"seed": -1}, ValueError)],
)
def test_bad_settings_are_refused(school, change, error):
    run, *_, master = school
    with pytest.raises(error, match=next(iter(change))):
        Distillation(run, master, **change)
