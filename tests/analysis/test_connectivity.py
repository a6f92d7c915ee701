"""Populations, weights, circuits and ranks of networks that were built to have them.

The published code's defects.
"""

import dataclasses

import numpy as np
import pytest

import hrnn
from hrnn import published
from hrnn.analysis import connectivity


def rolled(net, n_blocks=40):
    return hrnn.rollout(net, hrnn.Task().sample(n_blocks=n_blocks, rng=0))


@pytest.fixture(scope="module")
def two_groups():
    """Units in two groups that drive themselves and inhibit the other, shuffled."""
    rng = np.random.default_rng(0)
    sign = rng.permutation(np.repeat([1.0, -1.0], 10))
    W = 0.06 * np.outer(sign, sign) + 0.005 * rng.normal(size=(20, 20))
    U = np.outer(sign, [-0.3, 0.3, 0.0])
    net = hrnn.Network.from_arrays(
        "tanh", W=W, U=U, b=np.zeros(20), V=np.stack([-sign, sign]), c=np.zeros(2)
    )
    return net, sign


def test_built_populations_are_found(two_groups):
    net, sign = two_groups
    found = connectivity.populations(rolled(net))
    assert len(np.unique(sign[found.label == 0])) == len(np.unique(sign[found.label == 1])) == 1
    assert found.silhouette.low > 0.9 and found.n_clusters == 2 and found.between < -0.9
    sorted_signs = sign[found.order]
    assert (np.diff(sorted_signs) != 0).sum() == 1
    weights = connectivity.weights_by_population(net, found.label)
    assert weights.delta.value > 0.99 and len(weights.within) + len(weights.between) == 20 * 19
    recurrent, inputs, readout = connectivity.circuit(net, found.label)
    assert (np.sign(recurrent) == [[1, -1], [-1, 1]]).all() and (
        np.sign(inputs[:, 0]) == -np.sign(inputs[:, 1])
    ).all()
    assert readout[0] * readout[1] < 0


def test_permuting_units_changes_nothing_but_labels(two_groups):
    net, _ = two_groups
    run = rolled(net)
    order = np.random.default_rng(1).permutation(20)
    found = connectivity.populations(run)
    again = connectivity.populations(dataclasses.replace(run, hidden=run.hidden[:, order]))
    same = (again.label == found.label[order]).all() or (
        again.label == 1 - found.label[order]
    ).all()
    assert same and again.silhouette.value == pytest.approx(found.silhouette.value)


def test_training_makes_the_split_clearer():
    """Paired over networks of the same initialisation."""
    gains = []
    for seed in range(3):
        net = hrnn.Network.init("tanh", n_hidden=24, rng=seed)
        trained = hrnn.train(
            net, hrnn.Task(), "fast", n_steps=500, rng=seed, progress=False
        ).network
        gains.append(
            connectivity.populations(rolled(trained)).silhouette.value
            - connectivity.populations(rolled(net)).silhouette.value
        )
    assert hrnn.stats.mean_interval(gains).low > 0


def test_cliffs_delta_by_counting():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 9, 30)
    b = rng.integers(2, 11, 40)
    pairs = np.sign(a[:, None].astype(int) - b)
    assert connectivity.cliffs_delta(a, b) == pytest.approx(pairs.mean())
    assert connectivity.cliffs_delta([1, 2], [1, 2]) == 0


def test_the_interval_of_delta_covers_without_effect():
    """Weights that do not depend on the label: the interval holds 0 at its rate."""
    hits = 0
    for seed in range(40):
        net = hrnn.Network.init("tanh", n_hidden=20, rng=seed)
        delta = connectivity.weights_by_population(net, np.repeat([0, 1], 10), rng=seed).delta
        hits += delta.low <= 0 <= delta.high
    assert hits >= 33


def test_rank_of_a_low_rank_network(two_groups):
    net, sign = two_groups
    exact = hrnn.Network.from_arrays(
        "tanh", W=0.06 * np.outer(sign, sign), U=net.U, b=net.b, V=net.V, c=net.c
    )
    assert connectivity.low_rank(exact, rolled(exact), 1) == {
        "r2": pytest.approx(1),
        "agreement": 1.0,
    }
    rough = hrnn.Network.init("tanh", n_hidden=20, rng=0)
    run = rolled(rough)
    r2 = [connectivity.low_rank(rough, run, k)["r2"] for k in (1, 5, 20)]
    assert r2[0] < r2[1] < r2[2] == pytest.approx(1)


def test_participation_of_known_readouts():
    share, n = connectivity.readout_participation([3.0, -4.0, 0.0])
    np.testing.assert_allclose(share, [3 / 7, 4 / 7, 0])
    assert n == pytest.approx(25**2 / (81 + 256))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda net: connectivity.weights_by_population(net, [0, 1]), "label must have shape"),
        (lambda net: connectivity.weights_by_population(net, np.zeros(20)), "two values"),
        (lambda net: connectivity.low_rank(net, rolled(net, 4), 21), "rank must be"),
        (
            lambda net: connectivity.populations(
                rolled(hrnn.Network.init("tanh", n_hidden=1, rng=0), 4)
            ),
            "at least three units",
        ),
    ],
)
def test_bad_arguments_are_named(two_groups, call, message):
    with pytest.raises(ValueError, match=message):
        call(two_groups[0])


def test_normalising_the_right_readout_changes_choices_but_not_states():
    net = hrnn.train(
        hrnn.Network.init("tanh", n_hidden=16, rng=0),
        hrnn.Task(),
        "fast",
        n_steps=400,
        progress=False,
        rng=0,
    ).network
    changed = published.with_right_readout_normalised(net)
    assert (
        np.linalg.norm(changed.V[1]) == pytest.approx(1)
        and (changed.W == net.W).all()
        and (changed.V[0] == net.V[0]).all()
    )
    assert rolled(changed).trials.choice.ne(rolled(net).trials.choice).mean() > 0.01


def test_first_order_search_goes_down_but_not_to_the_point():
    net = hrnn.train(
        hrnn.Network.init("tanh", n_hidden=16, rng=0),
        hrnn.Task(),
        "fast",
        n_steps=400,
        progress=False,
        rng=0,
    ).network
    starts = rolled(net, 4).hidden[::50]
    _, residual = published.first_order_search(net, x=[0, 0, 0], starts=starts)
    at_start = np.linalg.norm(net.step(starts, [0, 0, 0]) - starts, axis=1)
    assert (residual < at_start).mean() > 0.9 and np.median(residual) > 1e-9
    table = (
        published.consequences(
            rolled(net, 8), hrnn.fixed_points(net, x=[0, 0, 0], starts=starts), starts
        )
        .set_index("name")
        .value
    )
    assert (
        table["defect_7.first_order_points"]
        == len(starts)
        > table["defect_7.distinct_fixed_points"]
    )
