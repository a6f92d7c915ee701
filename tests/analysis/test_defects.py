"""What the published code measures, where the answer was planted."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

import hrnn
from hrnn import published
from hrnn.analysis import representation as rep
from hrnn.analysis.anatomy import Anatomy


@pytest.fixture(scope="module")
def trained():
    recipe = hrnn.Recipe(optimizer="adam", learning_rate=5e-3, n_sessions=2, n_steps=300)
    net = hrnn.train(
        hrnn.Network.init("tanh", n_hidden=12, rng=0), hrnn.Task(), recipe, rng=0, progress=False
    ).network
    return hrnn.rollout(net, hrnn.Task().sample(n_sessions=24, rng=1))


def test_the_full_angle_is_that_of_the_planes_readout_lifted_to_all_units(trained):
    """By hand: logistic regression on two components, its weights taken back to units.

    Against V_right - V_left.
    """
    found = Anatomy(trained)
    axes = found.components.axes[:2]
    net = trained.agent
    lifted = axes.T @ (axes @ found.decoders["plane"].weights)
    np.testing.assert_allclose(lifted, found.decoders["plane"].weights, atol=1e-12)
    side = net.V[1] - net.V[0]
    cosine = lifted @ side / np.linalg.norm(lifted) / np.linalg.norm(side)
    measures = found.measures()
    assert measures["angle_full"].value == pytest.approx(np.degrees(np.arccos(cosine)))
    assert measures["angle_full"].low < measures["angle_full"].value < measures["angle_full"].high
    assert measures["angle_decoder"].value == pytest.approx(
        rep.readout_angle(net, found.decoders["full"]).value
    )
    assert abs(measures["angle_decoder"].value - measures["angle_full"].value) > 3, (
        "another quantity"
    )


def test_slopes_in_the_plane_are_those_of_projected_states(trained):
    found = Anatomy(trained)
    plane = found.plane
    run = trained
    aligned = plane.align(run.hidden)
    rows = np.flatnonzero(run.step >= run.sessions.task.n_blank)
    moved = aligned[rows] - aligned[rows - 1]
    d = (run.inputs[:, 1] - run.inputs[:, 0])[rows]
    slope = [np.polyfit(d, column, 1)[0] for column in moved.T]
    measures = found.measures()
    assert measures["stimulus_slope_in_plane"].value == pytest.approx(slope[0])
    assert measures["block_slope_in_plane"].value == pytest.approx(slope[1])
    assert measures["slope_ratio_in_plane"].value == pytest.approx(slope[0] / slope[1])


def test_directions_taken_for_states_have_the_mean_in_their_angle(trained):
    """A shift of all states leaves the angle of directions as it is.

    And changes the published one.
    """
    shifted = dataclasses.replace(trained, hidden=trained.hidden + np.linspace(-2, 2, 12))
    for run in (trained, shifted):
        components = rep.pca(run, n_resamples=1)
        side, block = published.readouts_in_plane(run, components)
        by_hand = components.axes[:2] @ (
            run.agent.V[1] / np.linalg.norm(run.agent.V[1]) - components.mean
        )
        np.testing.assert_allclose(side, by_hand)
        assert np.linalg.norm(block) == pytest.approx(1)
    plain, moved = (published.readout_angles(run) for run in (trained, shifted))
    assert abs(plain["plane"] - moved["plane"]) > 1 and abs(plain["full"] - moved["full"]) > 1
    decoders = [
        rep.block_decoder(run, axes=rep.pca(run).axes[:2], regularisation=1.0)
        for run in (trained, shifted)
    ]
    angles = [rep.readout_angle(trained.agent, decoder) for decoder in decoders]
    assert angles[0].value == pytest.approx(angles[1].value, abs=0.5)


def test_the_published_feedback_slope_is_blind_to_what_feedback_does(trained):
    """States that jump by the feedback when it arrives.

    Slope 1 there, and none in the step before.
    """
    run = trained
    jump = np.zeros(len(run.trial))
    told = np.setdiff1d(run.first_step, run.first_step[run.sessions.offsets[:-1]])
    jump[told] = run.inputs[told, 2]
    states = np.zeros((len(jump), 12))
    session = run.sessions.session[run.trial]
    for s in np.unique(session):
        states[session == s, 0] = np.cumsum(jump[session == s])
    run = dataclasses.replace(run, hidden=states)
    axis = np.eye(12)[0]
    assert hrnn.integration.slopes(run, {"a": axis}, of="feedback").slope["a"] == pytest.approx(1)
    assert published.feedback_slope(run, axis) == pytest.approx(0, abs=1e-12)


def test_pairs_across_sessions_and_a_split_by_step_are_in_the_published_fit():
    """A linear-in-artanh system observed directly.

    The published recipe pairs the last state of a session with the next one's first.
    """
    net = hrnn.Network.from_arrays(
        "tanh",
        W=[[0.6, 0.3], [0.2, 0.8]],
        U=[[-0.2, 0.2, 0], [-0.04, 0.04, 0.02]],
        b=[0, 0],
        V=[[-3.0, 0], [3.0, 0]],
        c=[0, 0],
    )
    run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=20, rng=0))
    A, B, r2 = published.radd_fit(run)
    again = published.radd_fit(run)
    assert A.shape == (2, 2) and B.shape == (2, 3) and 0 < r2 <= 1
    np.testing.assert_array_equal(A, again[0])


def test_consequences_are_in_the_report_of_every_network(trained):
    found = Anatomy(trained).measures()
    names = {
        "published_angle_full",
        "published_angle_plane",
        "feedback_slope_before_arrival_stimulus_in_plane",
        "feedback_slope_before_arrival_block_in_plane",
        "feedback_slope_stimulus_in_plane",
        "feedback_slope_block_in_plane",
    }
    assert names <= found.keys()


def test_without_its_three_defects_the_published_actor_is_the_markov_actor():
    """The agent of the script in docs/defects.md.

    Block belief as prior, strength drawn anew, the other side after a timeout.
    """
    page = (Path(__file__).parents[2] / "docs" / "defects.md").read_text()
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[-1]
    defined = {}
    exec(code[: code.index("def mean(")], defined)
    sessions = hrnn.Task().sample(n_blocks=40, rng=1)

    def choices(agent):
        return hrnn.rollout(agent, sessions).choice

    mended = defined["Variant"](emission=True, redraw=False, likelihood=True)
    np.testing.assert_array_equal(
        choices(mended), choices(hrnn.BayesianActor("markov", evidence="difference"))
    )
    np.testing.assert_array_equal(
        choices(defined["Variant"](emission=False, redraw=True)),
        choices(hrnn.BayesianActor("published_actor")),
    )
    ruled = choices(defined["Variant"](emission=True, redraw=False))
    assert (ruled != choices(mended)).any(), "the rule after a timeout is a defect of its own"
