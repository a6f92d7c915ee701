"""Populations: the same bits from every engine, resumed, failures alone, folders that are in use, bad grids."""

import concurrent.futures
import json
import multiprocessing

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn import io
from hrnn.populations import key_of, member, population

SMALL = {"recipe": hrnn.Recipe(n_steps=3, optimizer="adam"), "n_hidden": 4, "n_blocks": 24, "progress": False}


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    return population(tmp_path_factory.mktemp("serial"), n_networks=2, grid={"threshold": [0.6, 0.9]}, n_threads=1, **SMALL)


def test_one_row_for_every_network_and_measure(serial):
    assert serial.table.groupby("threshold").key.nunique().to_dict() == {0.6: 2, 0.9: 2} and not len(serial.failures)
    assert {"correct", "variance_pc12", "n_stable"} <= set(serial.table.measure)
    values = serial.table[serial.table.measure == "correct"].value
    assert values.notna().all() and values.nunique() > 1


def test_measures_are_those_of_the_network_in_its_file(serial):
    row = serial.table[serial.table.measure == "correct"].iloc[0]
    task = hrnn.Task(threshold=row.threshold)
    run = hrnn.rollout(serial.network(row.key), task.sample(n_blocks=24, rng=hrnn.reproduce.stream(0, "sessions")), hidden=False)
    assert row.value == pytest.approx((run.choice == run.sessions.side).mean())
    kept = json.loads((serial.folder / f"{row.key}.json").read_text())["settings"]
    assert key_of(kept) == row.key and kept["hrnn"] == hrnn.__version__ and kept["task"]["threshold"] == row.threshold


@pytest.mark.parametrize("engine", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_the_same_bits_from_every_engine(serial, engine, tmp_path):
    if engine == "threads":
        found = population(tmp_path, n_networks=2, grid={"threshold": [0.6, 0.9]}, n_threads=2, **SMALL)
    else:
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
            found = population(tmp_path, n_networks=2, grid={"threshold": [0.6, 0.9]}, executor=executor, **SMALL)
    pd.testing.assert_frame_equal(found.table, serial.table, check_exact=True)
    for key in found.table.key.unique():
        np.testing.assert_array_equal(found.network(key).theta, serial.network(key).theta)


def test_what_is_there_is_not_done_again_and_what_is_missing_is(serial, monkeypatch):
    done = []
    monkeypatch.setattr("hrnn.populations.member", lambda settings: done.append(key_of(settings)) or member(settings))
    missing = serial.table.key.iloc[0]
    (serial.folder / f"{missing}.json").unlink()
    again = population(serial.folder, n_networks=2, grid={"threshold": [0.6, 0.9]}, n_threads=1, **SMALL)
    assert done == [missing]
    pd.testing.assert_frame_equal(again.table, serial.table, check_exact=True)


def test_a_poisoned_setting_fails_alone_and_is_recorded(tmp_path):
    found = population(tmp_path, n_networks=1, grid={"leak": [1.0, 5.0]}, n_threads=1, **SMALL)
    assert found.table.leak.unique().tolist() == [1.0] and found.failures.leak.tolist() == [5.0]
    assert "Traceback" in found.failures.error[0] and "leak must be" in found.failures.error[0]
    assert not (tmp_path / f"{found.failures.key[0]}.json").exists()


def test_a_folder_in_use_is_refused(tmp_path):
    with io.lock(tmp_path / ".lock"), pytest.raises(BlockingIOError, match="in use"):
        population(tmp_path, n_networks=1, **SMALL)


def test_a_closed_executor_is_an_error(tmp_path):
    executor = concurrent.futures.ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        population(tmp_path, n_networks=1, executor=executor, **SMALL)


@pytest.mark.parametrize("change, error, message", [
    ({"grid": {"magic": [1]}}, ValueError, "grid must have keys among"),
    ({"grid": {"threshold": []}}, ValueError, "got none for 'threshold'"), ({"n_networks": 0}, ValueError, "n_networks"),
    ({"recipe": "slow"}, TypeError, "recipe"), ({"task": 3}, TypeError, "task must be a Task"), ({"seed": -1}, ValueError, "seed"),
    ({"folder": 3}, TypeError, "folder must be"),
])
def test_bad_arguments_are_named(tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        population(**{"folder": tmp_path, "n_networks": 1} | SMALL | change)
