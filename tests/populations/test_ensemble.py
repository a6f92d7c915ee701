"""Populations: the same bits from every engine, resumed, failures alone.

Killed workers and parents, folders in use, bad grids.
"""

import concurrent.futures
import contextlib
import functools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn import behavior
from hrnn.base import files
from hrnn.base.streams import stream
from hrnn.populations import ensemble, member
from hrnn.populations.ensemble import Population, population, run_one
from hrnn.populations.settings import key_of, plan

SMALL = {
    "recipe": hrnn.Recipe(n_steps=3, optimizer="adam"),
    "n_hidden": 4,
    "n_blocks": 24,
    "parts": ["representation", "integration", "mechanism", "choices"],
}
GRID = {"n_networks": 2, "grid": {"threshold": [0.6, 0.9]}}
COMMAND = [sys.executable, "-m", "hrnn", "population"]


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    return population(
        tmp_path_factory.mktemp("serial"), n_threads=1, progress=False, **GRID, **SMALL
    )


def same(found, serial):
    pd.testing.assert_frame_equal(found.table, serial.table, check_exact=True)
    for one, other in zip(found.members, serial.members, strict=True):
        np.testing.assert_array_equal(one.network.theta, other.network.theta)
        np.testing.assert_array_equal(one.trajectories["trained"], other.trajectories["trained"])
        assert one.curves.keys() == other.curves.keys() and one.settings == other.settings
        for name, table in one.curves.items():
            pd.testing.assert_frame_equal(table, other.curves[name], check_exact=True)


# ---- what is measured
# ----------------------------------------------------------------------------------------------


def test_one_row_for_every_network_and_measure(serial):
    assert serial.table.groupby("threshold").key.nunique().to_dict() == {
        0.6: 2,
        0.9: 2,
    } and not len(serial.failures)
    assert {"correct", "variance_pc12", "n_stable"} <= set(serial.table.measure)
    values = serial.table[serial.table.measure == "correct"].value
    assert values.notna().all() and values.nunique() > 1
    assert len(serial.wide()) == 4 and serial.wide().correct.tolist() == values.tolist()


def test_measures_are_those_of_the_network_in_its_file(serial):
    row = serial.table[serial.table.measure == "correct"].iloc[0]
    one = serial.member(row.key)
    task = hrnn.Task(threshold=row.threshold)
    run = hrnn.rollout(one.network, task.sample(n_blocks=24, rng=stream(0, "sessions", 0)))
    assert row.value == pytest.approx((run.choice == run.sessions.side).mean())
    assert one.measures["variance_pc12"] == pytest.approx(
        hrnn.representation.pca(run).cumulative.value[1]
    )
    assert key_of(one.settings) == row.key and one.settings["hrnn"] == hrnn.__version__
    assert one.settings["task"]["threshold"] == row.threshold
    assert (
        hrnn.Network.load(serial.folder / f"{row.key}.npz").theta.tolist()
        == one.network.theta.tolist()
    )


def test_behaviour_of_many_blocks_is_measured_in_parts(monkeypatch):
    """In parts of 8 blocks the sums are those of all parts' sessions together."""
    monkeypatch.setattr(member, "BLOCKS_AT_ONCE", 8)
    task = hrnn.Task(threshold=0.51)  # at which an untrained network acts
    made = member.make(plan(n_networks=1, task=task, **SMALL | {"parts": [], "n_blocks": 20})[0][1])
    streams = [
        (8, stream(0, "sessions", 0)),
        (8, stream(0, "sessions", 0, 1)),
        (4, stream(0, "sessions", 0, 2)),
    ]
    runs = [hrnn.rollout(made.network, task.sample(n_blocks=n, rng=rng)) for n, rng in streams]
    whole = behavior.summary(
        hrnn.rollout(made.network, hrnn.task.Sessions.join([run.sessions for run in runs]))
    )
    first = behavior.summary(runs[0])["value"]
    assert first.correct != whole["value"].correct
    for name, row in whole.dropna().iterrows():
        assert made.measures[name] == pytest.approx(row.value), name
        assert made.intervals[name] == pytest.approx([row.low, row.high], abs=1e-9), name
    bound = np.concatenate([hrnn.inference.accuracy_bound(run.sessions) for run in runs]).mean()
    assert made.measures["gap_to_bound"] == pytest.approx(bound - whole["value"].correct)


def test_every_network_has_sessions_of_its_own_and_shares_those_of_trajectories(
    serial, monkeypatch
):
    seen = []
    monkeypatch.setattr(
        member, "examine", lambda act, task, settings, found, first: seen.append(settings["index"])
    )
    asked = []
    monkeypatch.setattr(
        member, "stream", lambda seed, *name: asked.append(name) or stream(seed, *name)
    )
    shared = [member.make(serial.members[i].settings) for i in (0, 1)]
    assert seen == [0, 1] and asked.count(("sessions",)) == 2
    for made, one in zip(shared, serial.members, strict=False):
        np.testing.assert_array_equal(made.trajectories["trained"], one.trajectories["trained"])
    first, second = (member.sessions_of(hrnn.Task(), 8, 0, index) for index in (0, 1))
    assert not np.array_equal(first.observations[:10], second.observations[:10])


def test_the_table_has_the_intervals_of_each_network_over_its_sessions(serial):
    one = serial.members[0]
    rows = serial.table[serial.table.key == serial.keys[0]].set_index("measure")
    assert rows.loc["correct", ["low", "high"]].tolist() == one.intervals["correct"]
    assert (
        np.isnan(rows.low["n_stable"]) and (rows.low.dropna() <= rows.value[rows.low.notna()]).all()
    )
    np.testing.assert_array_equal(
        serial.wide("low").correct, serial.table[serial.table.measure == "correct"].low
    )
    with pytest.raises(ValueError, match="values must be one of"):
        serial.wide("middle")


def test_gaps_to_other_agents_are_paired_in_the_networks_own_sessions(serial):
    one = serial.members[0]
    sessions = hrnn.Task(**one.settings["task"]).sample(n_blocks=24, rng=stream(0, "sessions", 0))
    run = hrnn.rollout(one.network, sessions)
    actor = hrnn.rollout(hrnn.BayesianActor("published_actor"), sessions)
    right = [(r.choice == sessions.side).mean() for r in (actor, run)]
    assert one.measures["gap_to_published_actor"] == pytest.approx(right[0] - right[1])
    best = hrnn.rollout(hrnn.OptimalPolicy("reward_per_step"), sessions)
    rates = [r.trials.reward.sum() / r.trials.n_steps.sum() for r in (best, run)]
    assert one.measures["regret_reward_per_step"] == pytest.approx(rates[0] - rates[1])


@pytest.mark.slow
def test_intervals_over_networks_hold_what_fresh_sessions_give(numbers):
    """12 fresh sets: at least 90 % of the 95 % intervals hold the grand mean.

    In sets that all networks share, far fewer do.

    The networks are as alike as those of the paper's recipe, whose accuracies differ by .0006 (sd):
    one network, its weights shaken.
    """
    recipe = hrnn.Recipe(optimizer="adam", learning_rate=5e-3, n_sessions=2, n_steps=400)
    one = hrnn.train(
        hrnn.Network.init("tanh", n_hidden=16, rng=0), hrnn.Task(), recipe, rng=0, progress=False
    ).network
    nets = [
        one.with_theta(one.theta + 0.002 * np.random.default_rng(i).normal(size=one.theta.size))
        for i in range(12)
    ]
    held = {
        own: numbers.held(numbers.fresh(nets, n_blocks=200, seed=50, own=own)).mean()
        for own in (True, False)
    }
    assert held[True] >= 0.9 and held[False] < 0.5, held


def test_the_long_session_is_of_the_networks_own(serial):
    one = serial.members[1]
    assert {"long_session_correct", "long_session_mu0_concordant"} <= one.intervals.keys()


def test_a_network_has_first_weights_and_training_sessions_of_its_own(serial):
    """The second network of a population, trained by hand."""
    net = hrnn.Network.init("tanh", n_hidden=4, rng=stream(0, "network", 1))
    trained = hrnn.train(
        net, hrnn.Task(threshold=0.6), SMALL["recipe"], rng=stream(0, "training", 1), progress=False
    ).network
    np.testing.assert_array_equal(serial.members[1].network.theta, trained.theta)


def test_states_are_kept_of_as_many_sessions_as_fit(monkeypatch):
    net = hrnn.Network.init("tanh", n_hidden=4, rng=0)
    sessions = hrnn.Task().sample(n_sessions=12, rng=0)
    act = functools.partial(hrnn.rollout, net)
    run = act(sessions, hidden=False)
    whole = member.with_states(act, run)
    ends = (whole.last_step + 1)[sessions.offsets[1:] - 1]
    assert whole.sessions.n_sessions == 12
    monkeypatch.setattr(member, "STATES_AT_ONCE", int(ends[9]) * 4)
    part = member.with_states(act, run)
    assert part.sessions.n_sessions == 10
    np.testing.assert_array_equal(part.hidden, whole.hidden[: ends[9]])
    monkeypatch.setattr(member, "STATES_AT_ONCE", 1)
    assert member.with_states(act, run).sessions.n_sessions == member.FEWEST_SESSIONS


def test_an_undefined_measure_is_missing_and_says_why(tmp_path):
    found = population(tmp_path, n_networks=1, task=hrnn.Task(n_blank=0), progress=False, **SMALL)
    one = found.members[0]
    assert (
        "belief" in one.undefined
        and "belief_r2" not in one.measures
        and "variance_pc12" in one.measures
    )


def test_the_loss_curve_holds_means_of_runs_of_steps():
    table = member.loss_curve(np.arange(1000.0))
    assert len(table) == member.N_LOSSES and table.value[0] == 4.5 and table.x.iloc[-1] == 995


def test_the_first_gain_scales_the_recurrent_weights_alone():
    one, two = (hrnn.Network.init("tanh", n_hidden=5, rng=0, gain=gain) for gain in (1, 1.5))
    np.testing.assert_array_equal(1.5 * one.W, two.W)
    np.testing.assert_array_equal(one.U, two.U)


def test_every_part_of_the_grid_reaches_the_network():
    grid = {
        "recipe": ["fast", "paper"],
        "loss": ["cross_entropy"],
        "gain": [2.0],
        "wait_penalty": [-0.1],
    }
    settings = [settings for _, settings in plan(n_networks=1, grid=grid)]
    assert [s["recipe"]["n_steps"] for s in settings] == [
        hrnn.training.RECIPES[name].n_steps for name in ("fast", "paper")
    ]
    assert all(
        s["recipe"]["loss"] == "cross_entropy"
        and s["network"]["gain"] == 2
        and s["task"]["wait_penalty"] == -0.1
        for s in settings
    )


@pytest.mark.slow
@pytest.mark.parametrize("cell", hrnn.network.CELLS)
def test_all_parts_of_a_small_network(tmp_path, cell):
    found = population(
        tmp_path,
        n_networks=2,
        cell=cell,
        progress=False,
        task=hrnn.Task(threshold=0.55),
        **SMALL | {"parts": ensemble.PARTS, "n_hidden": 8, "n_blocks": 40},
    )
    names = set(found.table.measure)
    assert {
        "correct",
        "variance_pc12",
        "radd.A11",
        "radd.tau_1",
        "hidden_states.correct",
        "choices_alpha",
    } <= names
    assert {"loss", "accuracy", "variance", "gain", "divergence"} <= set(found.members[0].curves)
    assert found.wide()[
        ["from_scratch.trajectory_error", "random.trajectory_error"]
    ].nunique().tolist() == [2, 2], "each its own students"


# ---- engines -------------------------------------------------------------------------------------
# ------------------


def test_threads_make_the_same_bits(serial, tmp_path):
    same(population(tmp_path, n_threads=2, progress=False, **GRID, **SMALL), serial)


@pytest.mark.slow
@pytest.mark.parametrize("lent", [False, True])
def test_processes_make_the_same_bits(serial, tmp_path, lent):
    pool = (
        concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
        if lent
        else contextlib.nullcontext()
    )
    with pool as executor:
        same(
            population(
                tmp_path,
                executor=executor or "processes",
                n_threads=2,
                progress=False,
                **GRID,
                **SMALL,
            ),
            serial,
        )


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of distributed are not ours
def test_a_dask_cluster_makes_the_same_bits(serial, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        same(population(tmp_path, executor=client, progress=False, **GRID, **SMALL), serial)


def test_a_job_array_makes_the_same_bits_and_is_read_like_any_other(serial, tmp_path):
    for number in (3, 1, 0, 2, 2):
        run_one(tmp_path, number, **GRID, **SMALL)
    same(population(tmp_path, progress=False, **GRID, **SMALL), serial)
    with pytest.raises(
        ValueError, match="number must be less than the number of networks, 4, got 4"
    ):
        run_one(tmp_path, 4, **GRID, **SMALL)


# ---- interrupted ---------------------------------------------------------------------------------
# ------------------


def test_what_is_there_is_not_done_again_and_what_is_missing_is(serial, monkeypatch):
    done = []
    make = ensemble.make
    monkeypatch.setattr(
        ensemble,
        "make",
        lambda settings, **options: done.append(key_of(settings)) or make(settings, **options),
    )
    missing = serial.keys[0]
    (serial.folder / f"{missing}.npz").unlink()
    again = population(serial.folder, n_threads=1, progress=False, **GRID, **SMALL)
    assert done == [missing]
    pd.testing.assert_frame_equal(again.table, serial.table, check_exact=True)


def test_an_interrupted_training_goes_on_from_its_checkpoint(serial, tmp_path, monkeypatch):
    steps = []
    step = hrnn.training.Trainer.step

    def interrupted(trainer, compute):
        if len(steps) == 2:
            raise KeyboardInterrupt
        steps.append(len(trainer.loss))
        return step(trainer, compute)

    one = GRID | {"n_networks": 1, "grid": {"threshold": [0.6]}}
    monkeypatch.setattr(hrnn.training.Trainer, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_one(tmp_path, 0, **one, **SMALL)
    monkeypatch.setattr(hrnn.training.Trainer, "step", lambda *a: steps.append("more") or step(*a))
    found = population(tmp_path, n_threads=1, progress=False, **one, **SMALL)
    assert steps == [0, 1, "more"]
    np.testing.assert_array_equal(found.members[0].network.theta, serial.members[0].network.theta)
    assert sorted(path.suffix for path in tmp_path.iterdir() if not path.name.startswith(".")) == [
        ".json",
        ".npz",
    ]


def arguments(n=4, steps=4000):
    return [
        "out",
        "--networks",
        str(n),
        "--grid",
        f"n_steps={steps}",
        "--grid",
        "n_hidden=4",
        "--n-blocks",
        "24",
        "--parts",
        "",
        "--workers",
        "2",
    ]


def children(pid):
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def workers(pid):
    return [
        child
        for child in children(pid)
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def begun(tmp_path):
    """A population at work, with one network done."""
    process = subprocess.Popen(
        [*COMMAND, *arguments()],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: list((tmp_path / "out").glob("*.npz")) and len(workers(process.pid)) == 2)
    return process


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    subprocess.run([*COMMAND, *arguments()], cwd=folder, check=True, capture_output=True)
    return pd.read_csv(folder / "out" / "table.csv")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="workers are found in /proc")
def test_a_killed_worker_takes_only_its_networks_with_it(tmp_path, whole):
    process = begun(tmp_path)
    os.kill(workers(process.pid)[0], signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    failures = pd.read_csv(tmp_path / "out" / "failures.csv")
    assert (
        process.returncode == 1
        and 1 <= len(failures) <= 2
        and "BrokenProcessPool" in failures.error[0]
    ), err
    assert len(list((tmp_path / "out").glob("*.npz"))) == 4 - len(failures)
    subprocess.run([*COMMAND, *arguments()], cwd=tmp_path, check=True, capture_output=True)
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "out" / "table.csv"), whole, check_exact=True
    )


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="workers are found in /proc")
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_parent_loses_only_the_networks_in_work(tmp_path, whole, by):
    process = begun(tmp_path)
    orphans = workers(process.pid)
    process.send_signal(by)
    process.communicate(timeout=10)
    wait_for(lambda: not any(map(alive, orphans)), 10)
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.npz")}
    assert 1 <= len(kept) < 4
    subprocess.run([*COMMAND, *arguments()], cwd=tmp_path, check=True, capture_output=True)
    assert all((tmp_path / "out" / name).stat().st_mtime_ns == when for name, when in kept.items())
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "out" / "table.csv"), whole, check_exact=True
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_killed_worker_of_a_cluster_is_replaced(serial, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = client.run(os.getpid)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            future = pool.submit(
                population, tmp_path, executor=client, progress=False, **GRID, **SMALL
            )
            wait_for(lambda: list(tmp_path.glob("*.checkpoint")) + list(tmp_path.glob("*.npz")))
            os.kill(next(iter(pids.values())), signal.SIGKILL)
            same(future.result(timeout=120), serial)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_killed_scheduler_loses_only_the_networks_in_work(serial, tmp_path):
    """The networks that are left are failures, soon; the next call makes them, on any engine."""
    distributed = pytest.importorskip("distributed")
    script = (
        "import distributed, time\n"
        "cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1,"
        " dashboard_address=None)\n"
        "print(cluster.scheduler_address, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"if __name__ == '__main__': exec({script!r})"],
        stdout=subprocess.PIPE,
        text=True,
    )
    with (
        distributed.Client(process.stdout.readline().strip()) as client,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        future = pool.submit(population, tmp_path, executor=client, progress=False, **GRID, **SMALL)
        wait_for(lambda: list(tmp_path.glob("*.npz")))
        for pid in (*workers(process.pid), process.pid):
            os.kill(pid, signal.SIGKILL)
        found = future.result(timeout=100)
    process.communicate()
    kept = set(found.keys)
    assert (
        kept
        and len(kept) + len(found.failures) == 4
        and found.failures.error.str.contains("Error").all()
    )
    again = population(tmp_path, progress=False, **GRID, **SMALL)
    assert kept <= set(again.keys)
    same(again, serial)


# ---- failures ------------------------------------------------------------------------------------
# ------------------


@pytest.mark.parametrize("executor", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_a_poisoned_setting_fails_alone_and_is_recorded(tmp_path, executor):
    with pytest.warns(UserWarning, match="1 of 2 networks failed: ValueError: n_blocks = 24 would"):
        found = population(
            tmp_path,
            n_networks=1,
            grid={"block_max": [100, 10**6]},  # of which not even few sessions fit the memory
            task=hrnn.Task(n_obs_max=1000, n_blocks=1),
            executor=executor,
            n_threads=1,
            progress=False,
            **SMALL | {"parts": []},
        )
    assert found.table.block_max.unique().tolist() == [100]
    assert found.failures.block_max.tolist() == [10**6]
    assert "Traceback" in found.failures.error[0] and "n_blocks = 24" in found.failures.error[0]
    assert not (tmp_path / f"{found.failures.key[0]}.npz").exists()


def test_a_folder_in_use_is_refused(tmp_path):
    with files.lock(tmp_path / ".lock"):
        for call in (population, lambda folder, **settings: run_one(folder, 0, **settings)):
            with pytest.raises(BlockingIOError, match="in use"):
                call(tmp_path, n_networks=1, **SMALL)
    with files.lock(tmp_path / ".lock", shared=True):  # as a task of a job array would
        with pytest.raises(BlockingIOError, match="in use"):
            population(tmp_path, n_networks=1, progress=False, **SMALL)
        run_one(tmp_path, 0, n_networks=1, **SMALL | {"parts": []})


def test_a_folder_of_another_version_is_refused(tmp_path, monkeypatch):
    population(tmp_path, n_networks=1, progress=False, **SMALL | {"parts": []})
    monkeypatch.setattr(ensemble, "__version__", "99.0")
    with pytest.raises(ValueError, match="must hold networks of this hrnn, 99.0, got those of"):
        population(tmp_path, n_networks=1, progress=False, **SMALL)
    with pytest.raises(ValueError, match="must hold networks of this hrnn, 99.0, got those of"):
        run_one(tmp_path, 0, n_networks=1, **SMALL)


def test_what_is_no_population_is_not_loaded(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no population"):
        Population.load(tmp_path)
    (tmp_path / "population.json").write_text("[]")
    with pytest.raises(ValueError, match="must be the record of a population"):
        Population.load(tmp_path)


def test_a_saved_population_is_read_whole(serial):
    found = Population.load(serial.folder)
    pd.testing.assert_frame_equal(found.table, serial.table, check_exact=True)


def test_a_closed_executor_is_an_error(tmp_path):
    executor = concurrent.futures.ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        population(tmp_path, n_networks=1, executor=executor, progress=False, **SMALL)


def test_losses_are_written_for_tensorboard(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    pytest.importorskip("tensorboardX")
    recipe = hrnn.Recipe(n_steps=200, optimizer="adam")
    found = population(
        tmp_path,
        n_networks=1,
        progress=False,
        tensorboard=True,
        **SMALL | {"parts": [], "recipe": recipe},
    )
    events = reader.EventAccumulator(str(tmp_path / "tensorboard" / found.keys[0]))
    events.Reload()
    scalars = events.Scalars("loss")
    curve = found.members[0].curves["loss"]
    np.testing.assert_allclose([scalar.value for scalar in scalars], curve.value, rtol=1e-6)
    assert [scalar.step for scalar in scalars][:2] == [1, 3]


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"grid": {"magic": [1]}}, ValueError, "grid must have keys among"),
        ({"grid": {"threshold": []}}, ValueError, "got none for 'threshold'"),
        ({"n_networks": 0}, ValueError, "n_networks"),
        ({"recipe": "slow"}, ValueError, "recipe must be one of"),
        ({"recipe": 3}, TypeError, "recipe must be 'paper', 'fast' or a Recipe"),
        ({"grid": {"recipe": ["slow"]}}, ValueError, "grid\\['recipe'\\] must be one of"),
        ({"task": 3}, TypeError, "task must be a Task"),
        ({"seed": -1}, ValueError, "seed"),
        ({"parts": ["mind"]}, ValueError, "parts"),
        ({"folder": 3}, TypeError, "folder must be"),
        ({"executor": "gpu"}, TypeError, "executor must be one of"),
    ],
)
def test_bad_arguments_are_named(tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        population(**{"folder": tmp_path, "n_networks": 1, "progress": False} | SMALL | change)


def test_a_record_says_which_version(serial):
    assert json.loads((serial.folder / "population.json").read_text()) == {
        "hrnn": hrnn.__version__,
        "grid": ["threshold"],
    }
