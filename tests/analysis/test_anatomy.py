"""A network taken apart: all measures where they are defined, and the reason where they are not."""

import dataclasses

import numpy as np
import pytest

import hrnn
from hrnn.analysis.anatomy import Anatomy

TASK = hrnn.Task()


def network(n_hidden, cell="tanh", n_steps=60, task=TASK):
    net = hrnn.Network.init(cell, n_hidden=n_hidden, rng=0)
    return hrnn.train(
        net,
        task,
        hrnn.Recipe(optimizer="adam", n_sessions=2, n_steps=n_steps, loss="cross_entropy"),
        progress=False,
        rng=0,
    ).network


def measured(net, task=TASK, n_blocks=48):
    anatomy = Anatomy(hrnn.rollout(net, task.sample(n_blocks=n_blocks, rng=1)))
    return anatomy, anatomy.measures()


@pytest.mark.parametrize("cell", hrnn.network.CELLS)
def test_a_trained_network_defines_everything(cell):
    anatomy, found = measured(network(12, cell))
    assert anatomy.undefined == {}
    for name in (
        "variance_pc12",
        "block_decoder_plane_untrained",
        "angle_plane",
        "slope_ratio_in_plane",
        "belief_correlation",
        "silhouette",
        "cliffs_delta",
        "coupling_block_step_per_evidence",
        "coupling_start_per_prior_observer",
    ):
        assert found[name].low <= found[name].value <= found[name].high, name
    assert anatomy.verdict.numbers["n_steps"] == round(len(anatomy.run.p_right) / 48)
    for name in ("kept_predicted", "kept_simulated"):
        assert found[name].value == anatomy.verdict.numbers[name] >= 0
    assert (
        found["fixed_points_residual"].value <= 1e-12
        and found["rank_10_r2"].value > found["rank_1_r2"].value
    )


@pytest.mark.parametrize(
    "net, task, undefined",
    [
        (
            hrnn.Network.init("tanh", n_hidden=12, rng=0),
            TASK,
            set(),
        ),  # it never acts: feedback never varies
        (
            hrnn.Network.init("tanh", n_hidden=1, rng=0),
            TASK,
            {"variance", "decoding", "angles", "slopes", "populations", "fixed_points"},
        ),
        (hrnn.Network.init("tanh", n_hidden=2, rng=0), TASK, {"populations"}),
        (
            hrnn.Network.init("tanh", n_hidden=5, rng=0),
            TASK.replace(n_blank=0),
            {"belief", "coupling"},
        ),
        (
            hrnn.Network.init("tanh", n_hidden=5, rng=0),
            TASK.replace(p_block=0.5),
            {"belief", "coupling"},
        ),
        (
            hrnn.Network.init("tanh", n_hidden=5, rng=0),
            TASK.replace(block_min=60, p_block=0.95),
            set(),
        ),
        (hrnn.Network.init("tanh", n_hidden=5, rng=0), hrnn.Task.preset("ibl"), set()),
        (hrnn.Network.init("tanh", n_hidden=5, rng=0), TASK.replace(n_obs_max=1), set()),
    ],
)
def test_what_is_undefined_is_left_out_with_its_reason(net, task, undefined):
    anatomy, found = measured(net, task)
    assert set(anatomy.undefined) <= undefined | ({"populations"} if net.n_hidden < 3 else set()), (
        anatomy.undefined
    )
    assert all(reason for reason in anatomy.undefined.values()) and len(found) > 5


def test_a_network_without_a_stable_state_has_a_verdict():
    W = np.zeros((4, 4))
    W[:2, :2] = 1.6 * np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    rng = np.random.default_rng(0)
    net = hrnn.Network.from_arrays(
        "tanh",
        W=W,
        U=0.5 * rng.normal(size=(4, 3)),
        b=np.zeros(4),
        V=3 * rng.normal(size=(2, 4)),
        c=[0, 0],
    )
    anatomy, found = measured(net)
    assert (
        anatomy.verdict.kind == "no stable state"
        and found["n_stable"].value == 0
        and np.isnan(found["lambda_stable"].value)
    )
    assert len(anatomy.consequences)


def test_only_rollouts_of_networks_can_be_taken_apart():
    run = hrnn.rollout(hrnn.BayesianActor("none"), TASK.sample(n_blocks=16, rng=0))
    for wrong, error in ((run, ValueError), (run.sessions, TypeError)):
        with pytest.raises(error, match="run must"):
            Anatomy(wrong)
    with pytest.raises(ValueError, match="seed must"):
        Anatomy(dataclasses.replace(run, hidden=np.zeros((len(run.p_right), 3))), seed=-1)
