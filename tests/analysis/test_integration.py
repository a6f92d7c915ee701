"""Integration, coupling and gradient flow where the answer was planted or is algebra."""

import dataclasses

import numpy as np
import pytest

import hrnn
from hrnn.analysis import integration
from hrnn.analysis import representation as rep
from hrnn.populations.controls import observer
from hrnn.statistics.projections import known


@pytest.fixture(scope="module")
def run():
    net = hrnn.train(
        hrnn.Network.init("tanh", n_hidden=12, rng=0),
        hrnn.Task(),
        "fast",
        n_steps=500,
        progress=False,
        rng=0,
    ).network
    return hrnn.rollout(net, hrnn.Task().sample(n_blocks=80, rng=0))


def evidence(run):
    return run.inputs[:, 1] - run.inputs[:, 0]


def test_movement_is_the_projected_difference(run):
    axis = np.random.default_rng(0).normal(size=12)
    before = np.vstack([np.zeros(12), run.hidden[:-1]])
    before[np.searchsorted(run.trial, run.sessions.offsets[:-1])] = 0
    np.testing.assert_allclose(
        integration.movement(run, axis),
        (run.hidden - before) @ axis / np.linalg.norm(axis),
        atol=1e-12,
    )


def test_planted_slopes_are_found(run):
    """A state that moves by .3 of the evidence and -.2 of the feedback along one axis."""
    rng = np.random.default_rng(1)
    moved = (
        0.3 * evidence(run) - 0.2 * run.inputs[:, 2] + 0.05 + 0.1 * rng.normal(size=len(run.trial))
    )
    position = np.empty(len(moved))
    first = np.searchsorted(run.trial, run.sessions.offsets[:-1])
    for a, b in zip(first, np.r_[first[1:], len(moved)], strict=True):
        position[a:b] = moved[a:b].cumsum()
    made = dataclasses.replace(
        run, hidden=np.column_stack([position, rng.normal(size=len(position))])
    )
    for of, slope in (("evidence", 0.3), ("feedback", -0.2)):
        row = integration.slopes(made, {"x": [2.0, 0.0]}, of=of).loc["x"]
        error = (row.slope_high - row.slope_low) / 3.92
        assert abs(row.slope - slope) < 4 * error < 0.02
    ratio = integration.slope_ratio(made, [1.0, 0.0], [-2.0, 0.0])
    assert ratio.value == pytest.approx(-1) and ratio.high == pytest.approx(-1)


def test_a_network_that_is_the_observer_has_its_belief(run):
    """The state holds the observer's log odds of the block, times 2.

    Scale 2 × the decoder's weight, correlation 1.
    """
    seen = hrnn.observe(run)
    log_odds = np.log(seen.block) - np.log1p(-seen.block)
    noise = np.random.default_rng(0).normal(size=len(run.trial))
    made = dataclasses.replace(run, hidden=np.column_stack([2 * log_odds[run.trial], noise]))
    decoder = rep.block_decoder(made, regularisation=1.0)
    belief = integration.block_belief(made, with_weights(decoder, [0.5, 0.0]), seen)
    np.testing.assert_allclose(belief.network, belief.observer)
    for estimate in (
        belief.scale,
        belief.correlation,
        belief.r2,
        belief.update_scale,
        belief.update_correlation,
    ):
        assert estimate.value == pytest.approx(1)
    assert belief.feedback_share.low > 0.1, (
        "the observer learns from feedback what evidence leaves open"
    )
    assert belief.told_weight_ratio.value == pytest.approx(1) and belief.told_weight.low > 0.5


def with_weights(decoder, weights):
    """The decoder with weights that are known, not estimated."""
    return dataclasses.replace(decoder, **vars(known(weights, decoder.counts)))


def test_feedback_alone_tells_an_ideal_learner_nothing():
    """Its belief moves with feedback × choice, not with feedback.

    A claim about the latter is met by who learns everything.
    """
    made = observer(hrnn.Task().sample(n_sessions=60, rng=3))
    seen = hrnn.observe(made)
    decoder = with_weights(rep.block_decoder(made, regularisation=1.0), [0.0, 2.0])
    alone = integration.slopes(made, {"block": [0.0, 1.0]}, of="feedback").loc["block"]
    assert abs(alone.slope) < 0.06 and alone.r2 < 0.005
    belief = integration.block_belief(made, decoder, seen)
    assert belief.told_weight_observer.low > 0.8 and belief.feedback_share_observer.low > 0.1
    assert belief.told_weight_ratio.value == pytest.approx(1)


def test_the_belief_is_read_at_the_last_blank_step_and_compared_with_the_past_alone(run):
    seen = hrnn.observe(run)
    of_trial = np.random.default_rng(0).normal(size=run.sessions.n_trials)
    made = dataclasses.replace(run, hidden=np.column_stack([run.step, of_trial[run.trial]]))
    decoder = with_weights(rep.block_decoder(run), [1.0, 1.0])
    belief = integration.block_belief(made, decoder, seen)
    np.testing.assert_allclose(belief.network, run.sessions.task.n_blank - 1 + of_trial)
    first = hrnn.inference.filter_sides(
        run.sessions.side, run.sessions.session, run.sessions.block_side, task=run.sessions.task
    )[1]
    if (run.choice != 0).all():  # then feedback reveals every side
        np.testing.assert_allclose(belief.observer, np.log(first) - np.log1p(-first), atol=1e-9)


def test_belief_along_blocks_is_a_mean_by_hand(run):
    values = np.random.default_rng(0).normal(size=run.sessions.n_trials)
    table = integration.along_blocks(run, values, min_n=1)
    s = run.sessions
    for t in (0, 7, 30):
        inside = s.trial_in_block == t
        row = table.iloc[t]
        assert row.n == inside.sum() and row.value == pytest.approx(
            (s.block_side * values)[inside].mean()
        )
        assert row.low < row.value < row.high and row.high - row.low == pytest.approx(
            3.92 / np.sqrt(row.n), rel=0.5
        )
    assert integration.along_blocks(run, values).n.min() >= 30


def test_the_observers_coupling_is_that_of_bayes(run):
    """The observer's step of block belief follows the evidence, its start the prior.

    And evidence adds to any block belief alike.
    """
    seen = hrnn.observe(run)
    table = integration.coupling(run, rep.block_decoder(run), seen).set_index(["agent", "effect"])
    observer = table.loc["observer"]
    assert observer.loc["block step per evidence", "low"] > 0
    assert observer.loc["start per prior", "value"] == pytest.approx(1) and observer.loc[
        "start per prior", "r2"
    ] == pytest.approx(1)
    assert (
        abs(observer.loc["evidence × block belief", "value"])
        < 0.02 * observer.loc["stimulus step per evidence", "value"]
    )
    first = run.first_step + 1
    prior = np.log(seen.prior) - np.log1p(-seen.prior)
    np.testing.assert_allclose(
        np.log(seen.p_right[first]) - np.log1p(-seen.p_right[first]), prior, atol=1e-9
    )


def test_gradient_flow_meets_finite_differences(run):
    """dp(right)/dh a few steps back: the network runs from a shifted state, inputs unchanged."""
    net = run.agent
    back = 7
    flow = integration.gradient_flow(net, run, n_back=back, n_steps=1, rng=3)
    first = run.first_step[run.sessions.offsets[:-1]]
    start = np.repeat(first, np.diff(np.r_[first, len(run.p_right)]))
    possible = np.flatnonzero((run.step >= 2) & (np.arange(len(start)) - start >= back))
    t = np.random.default_rng(3).choice(possible, 1, replace=False)[0]

    def p_right(h, k):
        for x in run.inputs[t - k + 1 : t + 1]:
            h = net.step(h, x)
        logits = net.V @ h + net.c
        return 1 / (1 + np.exp(logits[0] - logits[1]))

    norms = []
    for k in (0, back):
        shifts = 1e-6 * np.eye(12)
        h = run.hidden[t - k]
        norms.append(
            np.linalg.norm([(p_right(h + e, k) - p_right(h - e, k)) / 2e-6 for e in shifts])
        )
    assert flow["median"].iloc[back] == pytest.approx(norms[1] / norms[0], rel=1e-5)


def test_gradients_of_a_decaying_network_vanish_at_its_rate():
    n = 4
    net = hrnn.Network.from_arrays(
        "tanh",
        W=0.5 * np.eye(n),
        U=1e-6 * np.ones((n, 3)),
        b=np.zeros(n),
        V=[[0] * n, [1] * n],
        c=[0, 0],
    )
    run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=2, rng=0))
    flow = integration.gradient_flow(net, run, n_back=20)
    np.testing.assert_allclose(flow["median"], 0.5**flow.k, rtol=1e-6)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda run: integration.slopes(run, {"x": np.ones(12)}, of="reward"), "of must"),
        (lambda run: integration.gradient_flow(run.agent, run, n_back=10**6), "n_back"),
    ],
)
def test_bad_arguments_are_named(run, call, message):
    with pytest.raises(ValueError, match=message):
        call(run)


@pytest.mark.parametrize("compare", [integration.block_belief, integration.coupling])
def test_a_task_without_blanks_has_no_belief_before_trials(compare):
    run = hrnn.rollout(
        hrnn.Network.init("tanh", n_hidden=4, rng=0),
        hrnn.Task(n_blank=0).sample(n_sessions=8, rng=0),
    )
    with pytest.raises(ValueError, match="n_blank"):
        compare(run, rep.block_decoder(run), hrnn.observe(run))


@pytest.mark.parametrize(
    "changes", [{"p_block": 0.95}, {"n_unbiased": 30}, {"strengths": (0.0, 9.0)}]
)
def test_beliefs_that_round_to_certainty_stay_finite(changes):
    run = hrnn.rollout(
        hrnn.Network.init("tanh", n_hidden=6, rng=0),
        hrnn.Task(**changes).sample(n_sessions=12, rng=0),
    )
    seen = hrnn.observe(run)
    decoder = rep.block_decoder(run)
    assert np.isfinite(integration.coupling(run, decoder, seen)[["value", "low", "high"]]).all(
        axis=None
    )
    assert np.isfinite(integration.block_belief(run, decoder, seen).correlation.value)
