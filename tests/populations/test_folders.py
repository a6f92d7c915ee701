"""A population's folder: what is in it is read whatever stands beside it, and nothing is lost."""

import itertools
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn.base import files
from hrnn.populations import ensemble, member, settings
from hrnn.populations.ensemble import AllFailedError, Population, population, run_one

SMALL = {
    "recipe": hrnn.Recipe(n_steps=2, optimizer="adam"),
    "n_hidden": 4,
    "n_blocks": 24,
    "n_networks": 2,
    "parts": [],
}


def make(folder, **more):
    return population(folder, progress=False, n_threads=1, **SMALL | more)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return make(tmp_path_factory.mktemp("population"))


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original.folder, tmp_path / "p")


def same(found, original):
    pd.testing.assert_frame_equal(found.table, original.table, check_exact=True)


# ---- reading -------------------------------------------------------------------------------------


def test_a_population_of_another_version_is_read(original, folder, monkeypatch):
    for module in (ensemble, settings):
        monkeypatch.setattr(module, "__version__", "99.0")
    found = Population.load(folder)
    same(found, original)
    assert len(found.members) == 2
    with pytest.raises(ValueError, match=r"must hold networks of this hrnn, 99\.0"):
        make(folder)
    same(Population.load(folder), original)


def test_constant_columns_of_the_grid_are_kept(tmp_path):
    grid = {"n_steps": [2], "recipe": ["fast"], "threshold": [0.6, 0.9], "strengths": [(0, 1.0)]}
    found = make(tmp_path, grid=grid, n_networks=1)
    same(Population.load(tmp_path), found)
    assert {"n_steps", "recipe", "threshold", "strengths"} <= set(found.table)


def test_constant_columns_of_a_job_array_are_kept(tmp_path):
    for number in (1, 0):
        run_one(tmp_path, number, grid={"n_steps": [2]}, **SMALL)
    assert Population.load(tmp_path).table.n_steps.unique().tolist() == [2]


def test_a_second_grid_adds_its_columns(tmp_path):
    make(tmp_path, grid={"n_steps": [2]})
    make(tmp_path, grid={"n_steps": [3], "gain": [1.0]})
    table = Population.load(tmp_path).table
    assert sorted(table.n_steps.unique()) == [2, 3] and table.gain.unique().tolist() == [1.0]


# ---- files that are not as they should be --------------------------------------------------------


def key_file(folder, original, i=0):
    return folder / f"{original.keys[i]}.npz"


def cut(folder, original):
    os.truncate(key_file(folder, original), 500)


def flip(folder, original):
    data = bytearray(key_file(folder, original).read_bytes())
    data[len(data) // 2] ^= 1
    key_file(folder, original).write_bytes(data)


def empty(folder, original):
    key_file(folder, original).write_bytes(b"")


def other_network(folder, original):
    shutil.copy(key_file(folder, original, 1), key_file(folder, original, 0))


def other_kind(folder, original):
    hrnn.Network.init("tanh", n_hidden=4, rng=0).save(folder / "n")
    os.replace(folder / "n", key_file(folder, original))


def other_form(folder, original):
    path = key_file(folder, original)
    archive = files.load_archive(path, kind="member")
    config = {name: value for name, value in archive.config.items() if name != "cpu"}
    files.save_archive(path, kind="member", config=config, arrays=archive.arrays)


SPOILT = [cut, empty, other_network, other_kind, other_form]


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_spoilt_member_is_named_and_the_others_are_read(original, folder, spoil):
    spoil(folder, original)
    with pytest.warns(UserWarning, match=f"1 files are left out: .*{original.keys[0]}"):
        found = Population.load(folder)
    assert found.keys == original.keys[1:]
    with pytest.raises(ValueError, match=f"{original.keys[0]}"):
        original.__class__(original.table, original.failures, folder).member(original.keys[0])


@pytest.mark.parametrize("spoil", [*SPOILT, flip])
def test_a_spoilt_member_is_kept_aside_and_made_again(original, folder, spoil):
    before = key_file(folder, original).read_bytes()
    for n in (1, 2):
        spoil(folder, original)
        spoilt = key_file(folder, original).read_bytes()
        with pytest.warns(UserWarning, match=rf"{original.keys[0]}.* is made again"):
            same(make(folder), original)
        assert key_file(folder, original).read_bytes() == before
        aside = sorted(folder.glob("*.aside*"))
        assert len(aside) == n and aside[-1].read_bytes() == spoilt
    same(Population.load(folder), original)


@pytest.mark.parametrize("spoil", [cut, other_network])
def test_a_task_of_a_job_array_makes_a_spoilt_member_again(original, folder, spoil):
    before = key_file(folder, original).read_bytes()
    spoil(folder, original)
    with pytest.warns(UserWarning, match="is made again"):
        run_one(folder, 0, **SMALL)
    assert key_file(folder, original).read_bytes() == before


def test_files_of_anybody_else_do_not_stop_a_population(original, folder):
    np.savez(folder / "mine.npz", x=[1, 2])
    (folder / "text.npz").write_text("text")
    shutil.copy(key_file(folder, original), folder / "copy.npz")
    (folder / "folder.npz").mkdir()
    with pytest.warns(UserWarning, match=r"4 files are left out: .*mine\.npz"):
        same(Population.load(folder), original)
    same(make(folder), original)
    assert {"mine.npz", "text.npz", "copy.npz"} <= {path.name for path in folder.iterdir()}


FORMS = [None, 3, "x", [], {}, {"a": 1}, [1], {"a": None}, {"a": [1, 2]}, {"a": "b"}, True]
PARTS = ["settings", "measures", "intervals", "undefined", "curves", "network", "cpu", "blas"]


def test_a_member_of_before_its_blas_was_noted_is_read(original, tmp_path):
    archive = files.load_archive(key_file(original.folder, original), kind="member")
    config = {name: value for name, value in archive.config.items() if name != "blas"}
    files.save_archive(tmp_path / "m.npz", kind="member", config=config, arrays=archive.arrays)
    assert member.Member.load(tmp_path / "m.npz").blas == ""


@pytest.mark.parametrize("part", [*PARTS, *(f"settings.{name}" for name in member._SETTINGS)])
def test_a_member_of_another_form_is_a_named_error(original, tmp_path, part):
    archive = files.load_archive(key_file(original.folder, original), kind="member")
    path = tmp_path / "m.npz"
    refused = 0
    for form in [*FORMS, "gone"]:
        config = json.loads(json.dumps(archive.config))
        parent = config
        *above, last = part.split(".")
        for name in above:
            parent = parent[name]
        if form == "gone":
            del parent[last]
        else:
            parent[last] = form
        files.save_archive(path, kind="member", config=config, arrays=archive.arrays)
        try:
            member.Member.load(path)
        except ValueError as error:
            assert "m.npz" in str(error)
            refused += 1
    assert refused >= 7


@pytest.mark.parametrize(
    ("name", "shape"), list(itertools.product(["theta", "curves"], [(), (3,), (2, 2)]))
)
def test_a_member_with_other_arrays_is_a_named_error(original, tmp_path, name, shape):
    archive = files.load_archive(key_file(original.folder, original), kind="member")
    for dtype in (float, np.int8, bool):
        arrays = archive.arrays | {name: np.ones(shape, dtype)}
        path = tmp_path / "m.npz"
        files.save_archive(path, kind="member", config=archive.config, arrays=arrays)
        with pytest.raises(ValueError, match=r"m\.npz does not hold a"):
            member.Member.load(path)
    arrays.pop(name)
    files.save_archive(path, kind="member", config=archive.config, arrays=arrays)
    with pytest.raises(ValueError, match=r"m\.npz does not hold a"):
        member.Member.load(path)


RECORDS = ["", "[]", "{}", "3", '{"hrnn": 3}', '{"hrnn": "0.1", "grid": 3}', "[" * 10**5]


@pytest.mark.parametrize("text", [*RECORDS, '{"hrnn": "0.1", "grid": [[1]]}'])
def test_a_damaged_record_is_a_named_error(folder, text):
    (folder / "population.json").write_text(text)
    for call in (Population.load, make, lambda f: run_one(f, 0, **SMALL)):
        with pytest.raises(ValueError, match="must be the record of a population"):
            call(folder)


def test_a_record_without_grid_is_read(original, folder):
    (folder / "population.json").write_text(json.dumps({"hrnn": hrnn.__version__}))
    same(Population.load(folder), original)


def test_what_a_killed_process_left_is_removed(original, folder):
    leftover = folder / f".hrnn-{16 * 'a'}.tmp"
    leftover.write_text("part")
    run_one(folder, 0, **SMALL)
    assert leftover.exists()  # another task may write it
    make(folder)
    assert not leftover.exists()


# ---- failures ------------------------------------------------------------------------------------


@pytest.fixture
def poisoned(monkeypatch):
    """Networks of 5 units cannot be made."""
    make_one = ensemble.make

    def fail(settings, **options):
        if settings["network"]["n_hidden"] == 5:
            raise ArithmeticError("poisoned")
        return make_one(settings, **options)

    monkeypatch.setattr(ensemble, "make", fail)


def test_a_population_in_which_some_failed_warns(poisoned, tmp_path):
    with pytest.warns(UserWarning, match="2 of 4 networks failed: ArithmeticError: poisoned"):
        found = make(tmp_path, grid={"n_hidden": [4, 5]})
    assert found.failures.n_hidden.tolist() == [5, 5] and len(found.keys) == 2


def test_a_population_in_which_all_failed_raises(poisoned, tmp_path):
    with pytest.raises(AllFailedError, match="2 of 2 networks failed: .*poisoned") as raised:
        make(tmp_path, n_hidden=5)
    assert isinstance(raised.value, RuntimeError)
    assert len(raised.value.failures) == 2 and "Traceback" in raised.value.failures.error[0]
    assert "Traceback" in raised.value.__notes__[0]
