"""Objects after every kind of copy: the same numbers, read-only, whole and tied together."""

import copy
import dataclasses
import multiprocessing
import pickle

import joblib
import numpy as np
import pytest

import hrnn
from hrnn.base.records import fixed

TASK = hrnn.Task()
SIZES = (8, 13, 50, 100, 200, 400)


def misplaced(buffers):
    """The same bytes, read-only and at odd addresses, as Dask hands them over."""
    return [memoryview(b"\0" + bytes(buffer.raw()))[1:] for buffer in buffers]


def through_odd_buffers(thing):
    buffers = []
    data = pickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(data, buffers=misplaced(buffers))


def through_memmaps(thing, tmp_path):
    path = tmp_path / f"thing {len(list(tmp_path.iterdir()))}"  # a map must keep its file
    joblib.dump(thing, path)
    return joblib.load(path, mmap_mode="r")


WAYS = {
    "pickle": lambda thing, _: pickle.loads(pickle.dumps(thing)),
    "old pickle": lambda thing, _: pickle.loads(pickle.dumps(thing, protocol=2)),
    "deepcopy": lambda thing, _: copy.deepcopy(thing),
    "copy": lambda thing, _: copy.copy(thing),
    "odd buffers": lambda thing, _: through_odd_buffers(thing),
    "memmaps": through_memmaps,
}


def arrays_of(thing):
    """Arrays of an object and of all that it holds, by name."""
    found = {}
    names = [field.name for field in dataclasses.fields(thing)]
    for name in names:
        value = getattr(thing, name, None)
        if isinstance(value, np.ndarray):
            found[name] = value
        elif dataclasses.is_dataclass(value):
            found |= {f"{name}.{k}": array for k, array in arrays_of(value).items()}
    return found


def check_same(made, original):
    ours = arrays_of(original)
    theirs = arrays_of(made)
    assert list(ours) == list(theirs)
    for name, array in theirs.items():
        assert type(array) is np.ndarray, name
        assert array.dtype == ours[name].dtype, name
        assert array.flags.c_contiguous, name
        assert array.flags.aligned, name
        assert not array.flags.writeable, name
        np.testing.assert_array_equal(array, ours[name], err_msg=name)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cell", ["tanh", "leaky", "gru"])
@pytest.mark.parametrize("n_hidden", SIZES)
def test_a_network_survives(way, cell, n_hidden, tmp_path):
    net = hrnn.Network.init(cell, n_hidden=n_hidden, rng=0)
    made = WAYS[way](net, tmp_path)
    check_same(made, net)
    for name in ("W", "U", "b", "V", "c", *(["b_inner"] if cell == "gru" else [])):
        assert np.shares_memory(made.theta, getattr(made, name)), name
    with pytest.raises(ValueError, match="WRITEABLE"):
        made.theta.flags.writeable = True
    sessions = TASK.sample(n_blocks=1, rng=0)
    np.testing.assert_array_equal(
        hrnn.rollout(made, sessions).p_right, hrnn.rollout(net, sessions).p_right
    )


@pytest.mark.parametrize("way", WAYS)
def test_task_sessions_and_rollouts_survive(way, tmp_path):
    net = hrnn.Network.init("tanh", n_hidden=13, rng=0)
    sessions = TASK.sample(n_blocks=200, rng=0)  # observations beyond joblib's 1 MB
    run = hrnn.rollout(net, sessions)
    bayes = hrnn.rollout(hrnn.BayesianActor(), sessions)
    seen = hrnn.observe(run)
    assert sessions.observations.nbytes > 1e6
    for thing in (TASK, net, sessions, run, bayes, seen):
        check_same(WAYS[way](thing, tmp_path), thing)
    again = WAYS[way](sessions, tmp_path)
    for agent in (net, hrnn.BayesianActor(), hrnn.OptimalPolicy()):
        agent = WAYS[way](agent, tmp_path)
        np.testing.assert_array_equal(
            hrnn.rollout(agent, again).choice, hrnn.rollout(agent, sessions).choice
        )
    np.testing.assert_array_equal(hrnn.observe(WAYS[way](run, tmp_path)).block, seen.block)


def test_what_was_worked_out_does_not_travel():
    task = hrnn.Task()
    assert task.form.n_obs_max == 10
    assert "form" not in vars(pickle.loads(pickle.dumps(task)))
    run = hrnn.rollout(hrnn.BayesianActor(), task.sample(n_sessions=2, rng=0))
    bare = len(pickle.dumps(run))
    assert len(run.trials) > 0
    assert len(pickle.dumps(run)) == bare


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_joblib_gives_the_numbers_of_this_process(backend):
    net = hrnn.Network.init("tanh", n_hidden=400, rng=0)  # theta beyond 1 MB
    sessions = TASK.sample(n_blocks=200, rng=0)
    few = sessions.select([0, 1])
    jobs = [(net, few), (hrnn.BayesianActor(), sessions), (net, few)]
    with joblib.Parallel(n_jobs=2, backend=backend) as parallel:
        runs = parallel(joblib.delayed(hrnn.rollout)(*job, hidden=False) for job in jobs)
    for run, job in zip(runs, jobs, strict=True):
        expected = hrnn.rollout(*job, hidden=False)
        check_same(run, expected)


def test_a_process_pool_gives_the_numbers_of_this_process():
    net = hrnn.Network.init("gru", n_hidden=100, rng=0)
    sessions = TASK.sample(n_blocks=8, rng=0)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        run = pool.apply(hrnn.rollout, (net, sessions))
    check_same(run, hrnn.rollout(net, sessions))


@pytest.mark.slow
def test_dask_gives_the_numbers_of_this_process():
    distributed = pytest.importorskip("distributed")
    sessions = TASK.sample(n_blocks=4, rng=0)
    with distributed.Client(n_workers=1, processes=True, dashboard_address=":0") as client:
        for n_hidden in SIZES:
            net = hrnn.Network.init("tanh", n_hidden=n_hidden, rng=0)
            run = client.submit(hrnn.rollout, net, sessions).result()
            check_same(run, hrnn.rollout(net, sessions))


def test_arrays_cannot_be_written_into():
    sessions = TASK.sample(n_sessions=1, rng=0)
    run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=4, rng=0), sessions)
    arrays = [*arrays_of(run).values(), TASK.form.strengths, *TASK._block_law]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_obs": lambda a: a * 0}, "n_obs must be in 1..10"),
        ({"n_obs": lambda a: a + 10**9}, "n_obs must be in 1..10"),
        ({"n_obs": lambda a: a[:-1]}, r"n_obs must have shape \("),
        ({"choice": lambda a: a + 0.5}, "choice must hold numbers of int8"),
        ({"choice": lambda a: a.astype(str)}, "choice must be an array of real numbers"),
        ({"p_right": lambda a: a[1:]}, r"p_right must have shape \("),
        ({"hidden": lambda a: a[1:]}, r"hidden must have shape \("),
    ],
)
def test_a_forged_rollout_is_refused(change, message):
    run = hrnn.rollout(
        hrnn.Network.init("tanh", n_hidden=4, rng=0), TASK.sample(n_sessions=1, rng=0)
    )
    changed = {name: forge(getattr(run, name)) for name, forge in change.items()}
    with pytest.raises((TypeError, ValueError), match=message):
        dataclasses.replace(run, **changed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offsets": lambda a: a[:-1]}, "offsets must increase"),
        ({"offsets": lambda a: a[::-1]}, "offsets must increase"),
        ({"side": lambda a: a[:-1]}, r"session must have shape \("),
        ({"observations": lambda a: a[:, :-1]}, r"observations must have shape \("),
        ({"session": lambda a: a + 0.5}, "session must hold numbers of int64"),
    ],
)
def test_forged_sessions_are_refused(change, message):
    sessions = TASK.sample(n_sessions=2, rng=0)
    changed = {name: forge(getattr(sessions, name)) for name, forge in change.items()}
    with pytest.raises((TypeError, ValueError), match=message):
        dataclasses.replace(sessions, **changed)


@pytest.mark.parametrize(
    "lay",
    [np.asfortranarray, lambda a: np.repeat(a, 2, 0)[::2], lambda a: a.astype(">f8"), list],
)
def test_the_constructor_takes_the_same_numbers_in_any_layout(lay):
    sessions = TASK.sample(n_sessions=1, rng=0)
    other = dataclasses.replace(sessions, observations=lay(sessions.observations))
    check_same(other, sessions)


def test_the_array_that_is_given_stays_writable():
    values = np.zeros(3)
    kept = fixed(values, "values", float, (3,))
    assert values.flags.writeable
    assert np.shares_memory(values, kept)


def test_log_likelihoods_may_lie_by_columns():
    side, session, block = np.array([1, 0, -1]), np.zeros(3), np.ones(3)
    seen = np.log([[0.2, 0.8], [0.3, 0.7], [0.5, 0.5]])
    expected = hrnn.inference.filter_sides(side, session, block, task=TASK, log_likelihood=seen)
    given = np.asfortranarray(seen)
    found = hrnn.inference.filter_sides(side, session, block, task=TASK, log_likelihood=given)
    np.testing.assert_array_equal(found, expected)
