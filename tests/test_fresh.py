"""What creates draws fresh numbers by default, and says of which; analyses keep their seed."""

import copy
import inspect
import pickle

import numpy as np
import pytest

import hrnn
from hrnn import distill, mice
from hrnn.base import streams
from hrnn.populations import controls

TASK = hrnn.Task(n_blocks=1)
NET = hrnn.Network.init("tanh", n_hidden=6, rng=0)
RUN = hrnn.rollout(NET, hrnn.Task().sample(n_sessions=8, rng=0))
FITTED = mice.fit(hrnn.rollout(hrnn.BayesianActor(), TASK.sample(n_sessions=4, rng=0)), "flat")
RADD = distill.radd(RUN, NET, n_resamples=1)
FAST = hrnn.Recipe(optimizer="adam", n_sessions=2, n_steps=2)

# what makes something; its numbers; the seed that it says
CREATORS = {
    "Network.init": (
        lambda **rng: hrnn.Network.init("gru", n_hidden=3, **rng),
        lambda net: net.theta,
        lambda net: net.seed,
    ),
    "Task.sample": (
        lambda **rng: TASK.sample(n_sessions=2, **rng),
        lambda sessions: sessions.observations.ravel(),
        lambda sessions: sessions.seed,
    ),
    "train": (
        lambda **rng: hrnn.train(NET, TASK, FAST, progress=False, **rng),
        lambda training: training.loss,
        lambda training: training.seed,
    ),
    "simulate": (
        lambda **rng: mice.simulate(FITTED, **rng),
        lambda made: np.concatenate([choices.choice for choices in made]),
        lambda made: made.seed,
    ),
    "student": (
        lambda **rng: distill.student("hidden_states", RUN, NET, RADD, n_updates=2, **rng),
        lambda student: student.network.theta,
        lambda student: student.seed,
    ),
    "students": (
        lambda **rng: distill.students(
            RUN, NET, [RADD], kinds=["full_force"], progress=False, **rng
        ),
        lambda made: made["full_force"][0].network.theta,
        None,
    ),
    "shuffled": (
        lambda **rng: controls.shuffled(NET, **rng),
        lambda net: net.W.ravel(),
        lambda net: streams.seed_from_json(net.metadata["shuffled"]),
    ),
    "pseudo_blocks": (lambda **rng: mice.pseudo_blocks(3000, **rng), lambda p: p, None),
}
SEEDED = [name for name, (_, _, seed) in CREATORS.items() if seed]


@pytest.mark.parametrize("name", CREATORS)
def test_five_in_a_row_are_five_different_ones(name):
    make, numbers, _ = CREATORS[name]
    for given in ({}, {"rng": None}):
        made = [numbers(make(**given)).tobytes() for _ in range(5)]
        assert len(set(made)) == 5


@pytest.mark.parametrize("name", SEEDED)
@pytest.mark.parametrize(
    "rng", [None, 3, np.int64(3), 2**40, 2**100, np.random.SeedSequence(3, spawn_key=(2,))]
)
def test_what_was_made_is_made_again_of_the_seed_that_it_says(name, rng):
    make, numbers, seed = CREATORS[name]
    first = make(rng=copy.deepcopy(rng))
    said = seed(first)
    assert isinstance(said, np.random.SeedSequence if hasattr(rng, "entropy") else int)
    for _ in range(2):
        again = make(rng=said if isinstance(said, int) else streams.recorded(said)[1])
        np.testing.assert_array_equal(numbers(again), numbers(first))


@pytest.mark.parametrize("name", SEEDED)
def test_of_a_generator_no_seed_is_said(name):
    make, numbers, seed = CREATORS[name]
    first, second = (make(rng=np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(numbers(first), numbers(second))
    assert seed(first) is None


@pytest.mark.parametrize("name", CREATORS)
@pytest.mark.parametrize("rng", ["0", 1.0, True, np.random, [3]])
def test_what_is_no_seed_is_refused(name, rng):
    with pytest.raises(TypeError, match="rng must be"):
        CREATORS[name][0](rng=rng)
    with pytest.raises(ValueError, match="rng must be >= 0"):
        CREATORS[name][0](rng=-1)


@pytest.mark.parametrize("name", ["Network.init", "Task.sample", "train", "simulate"])
def test_the_seed_is_shown(name):
    make, _, seed = CREATORS[name]
    made = make()
    assert f"seed={seed(made)}" in repr(made) and "\n" not in repr(made)
    assert "seed=7)" in repr(make(rng=7))
    assert "seed=SeedSequence(7, spawn_key=(1,))" in repr(
        make(rng=np.random.SeedSequence(7, spawn_key=(1,)))
    )


@pytest.mark.parametrize("name", SEEDED)
@pytest.mark.parametrize(
    "again", [lambda v: pickle.loads(pickle.dumps(v)), copy.deepcopy, copy.copy]
)
def test_the_seed_stays_with_a_copy(name, again):
    make, _, seed = CREATORS[name]
    made = make()
    assert seed(again(made)) == seed(made) is not None


@pytest.mark.parametrize("rng", [None, 5, np.random.SeedSequence(5, spawn_key=(1,))])
def test_the_seed_is_in_the_file(rng, tmp_path):
    net = hrnn.Network.init("tanh", n_hidden=3, rng=rng)
    net.save(tmp_path / "n")
    read = hrnn.Network.load(tmp_path / "n")
    again = hrnn.Network.init("tanh", n_hidden=3, rng=read.seed)
    np.testing.assert_array_equal(again.theta, net.theta)
    done = hrnn.train(net, TASK, FAST, rng=rng, checkpoint=tmp_path / "c", progress=False)
    resumed = hrnn.train(resume=tmp_path / "c", progress=False)
    loss = hrnn.train(net, TASK, FAST, rng=resumed.seed, progress=False).loss
    np.testing.assert_array_equal(loss, done.loss)
    assert hrnn.Network.load(tmp_path / "c").metadata == done.network.metadata


@pytest.mark.parametrize("seed", [None, "a", [], {}, {"entropy": "1"}, 1.5, True, -1])
def test_a_seed_of_somebody_elses_metadata_is_no_seed(seed):
    net = NET.with_theta(NET.theta, metadata={"seed": seed})
    assert net.seed is None and repr(net).endswith("leak=1)")


def test_a_hostile_seed_takes_no_memory():
    state = np.random.SeedSequence(1).state | {"pool_size": str(2**40), "entropy": "1"}
    state = {**state, "spawn_key": [], "n_children_spawned": "0"}
    assert NET.with_theta(NET.theta, metadata={"seed": state}).seed is None


def test_a_seed_is_kept_where_it_is_the_same_thing_alone():
    sessions = TASK.sample(n_sessions=3, rng=1)
    assert sessions.select([0]).seed is None
    assert hrnn.Sessions.join([sessions, sessions]).seed is None


def test_a_fresh_seed_fits_tables_and_differs():
    seeds = {streams.fresh_seed() for _ in range(1000)}
    assert len(seeds) == 1000 and all(0 <= seed < 2**63 for seed in seeds)


def test_training_and_sampling_with_one_seed_share_no_session():
    lengths = []
    for seed in range(20):
        seen = []
        draw = hrnn.training.Trainer.new(NET, TASK, FAST, None, seed, None).streams[0]
        length = np.empty(4, np.int64)
        hrnn.task.draw_lengths(hrnn.Task().form, draw, length)
        seen.append(tuple(length))
        lengths.append((seen[0], tuple(hrnn.Task().sample(n_sessions=1, rng=seed).block_lengths)))
    assert all(trained != sampled for trained, sampled in lengths)


ANALYSES = [
    hrnn.behavior.summary,
    hrnn.representation.pca,
    hrnn.mice.fit,
    hrnn.mice.compare,
    hrnn.mice.recover,
    hrnn.distill.radd,
    hrnn.distill.coordinates,
    hrnn.stats.resample,
    hrnn.verify,
]


@pytest.mark.parametrize("analysis", ANALYSES, ids=lambda f: f.__name__)
def test_analyses_keep_their_seed(analysis):
    assert inspect.signature(analysis).parameters["rng"].default == 0
