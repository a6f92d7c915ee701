"""Files are written whole or not at all, and damaged or hostile ones are refused with a reason."""

import contextlib
import copy
import hashlib
import io as stdio
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import hrnn
from hrnn.base import files

CONFIG = {"cell": "tanh", "n_hidden": 3, "big": str(2**127), "nested": {"x": [1, 2.5, None, "é"]}}
ARRAYS = {"theta": np.linspace(-1, 1, 6).reshape(2, 3), "steps": np.arange(4)}


def save(path, *, config=CONFIG, arrays=ARRAYS, **more):
    files.save_archive(path, kind="network", config=config, arrays=arrays, **more)
    return Path(path)


def load(path, **more):
    return files.load_archive(path, kind="network", **more)


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def python(code, *arguments, **more):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        text=True,
        capture_output=True,
        timeout=60,
        **more,
    )


def npy(array, *, header=None):
    """A member's bytes, with any header in front of the array's own bytes."""
    buffer = stdio.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, header or np.lib.format.header_data_from_array_1_0(array)
    )
    return buffer.getvalue() + array.tobytes()


def forge(path, members, *, compression=zipfile.ZIP_STORED, **header):
    """An archive with right hashes and anything else in it: what an attacker would write."""
    fields = {
        "format": "hrnn",
        "schema": 1,
        "kind": "network",
        "hrnn_version": "0",
        "config": {},
        "sha256": {
            name.removesuffix(".npy"): hashlib.sha256(data).hexdigest() for name, data in members
        },
    } | header
    text = json.dumps(fields, indent=2, sort_keys=True)
    fields["sha256"]["config.json"] = hashlib.sha256(text.encode()).hexdigest()
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("config.json", json.dumps(fields))
        for name, data in members:
            archive.writestr(name, data)
    return path


# Round trips --------------------------------------------------------------------------------------


def test_round_trip_of_config_and_arrays_at_exactly_the_path_given(tmp_path):
    archive = load(save(tmp_path / "net"))
    assert names(tmp_path) == ["net"]
    assert (archive.kind, archive.config) == ("network", CONFIG)
    assert list(archive.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(archive.arrays[name], array, strict=True)
        assert archive.arrays[name].flags.writeable


DTYPE = st.sampled_from(["?", "i1", "u1", "<i4", "<u4", "<i8", ">i8", "<u8", "<f8", ">f8"])


@given(hnp.arrays(DTYPE.map(np.dtype), hnp.array_shapes(min_dims=0, min_side=0)), st.booleans())
def test_any_array_comes_back_bit_for_bit(array, transpose):
    array = array.T if transpose else array
    with tempfile.TemporaryDirectory() as folder:
        back = load(save(folder + "/a", arrays={"x": array})).arrays["x"]
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("<")
    assert back.flags.c_contiguous
    assert back.tobytes() == array.astype(back.dtype).tobytes()


def test_numpy_and_unzip_read_the_archive_too(tmp_path):
    path = save(tmp_path / "net")
    with np.load(path, allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["theta"], ARRAYS["theta"])
    with zipfile.ZipFile(path) as archive:
        header = json.loads(archive.read("config.json"))
        digest = hashlib.sha256(archive.read("theta.npy")).hexdigest()
    assert (header["format"], header["schema"]) == ("hrnn", 1)
    assert header["hrnn_version"] == hrnn.__version__
    assert header["sha256"]["theta"] == digest


def test_an_archive_written_by_hand_from_the_description_is_read(tmp_path):
    archive = load(forge(tmp_path / "a", [("x.npy", npy(np.arange(3)))], config={"a": 1}))
    assert archive.config == {"a": 1}
    np.testing.assert_array_equal(archive.arrays["x"], [0, 1, 2])


def test_equal_contents_give_equal_bytes(tmp_path):
    assert save(tmp_path / "a").read_bytes() == save(tmp_path / "b").read_bytes()
    with zipfile.ZipFile(tmp_path / "a") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_config_comes_back_as_json_gives_it(tmp_path):
    config = {"strengths": (0.0, 0.5), "names": {10: "a", 9: "b"}}
    assert load(save(tmp_path / "a", config=config)).config == {
        "strengths": [0.0, 0.5],
        "names": {"10": "a", "9": "b"},
    }


def test_text_and_json(tmp_path):
    files.write_text(tmp_path / "t", "π\r\n")
    assert (tmp_path / "t").read_bytes() == "π\r\n".encode()
    files.write_json(tmp_path / "j", [{"name": "network.correct", "value": 0.1}])
    assert json.loads((tmp_path / "j").read_text()) == [{"name": "network.correct", "value": 0.1}]


def test_a_symbolic_link_is_written_through(tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "link").symlink_to("scratch/net")
    save(tmp_path / "link")
    save(tmp_path / "link", keep_previous=True)
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "scratch") == ["net", "net.previous"]


# What cannot be saved -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.array([object()]),
        np.array(["a"]),
        np.zeros(2, "f4"),
        np.zeros(2, complex),
        np.zeros(2, "f8,i8"),
        np.zeros(2, "M8[s]"),
        np.ma.zeros(2),
    ],
    ids=str,
)
def test_arrays_of_other_kinds_are_refused(tmp_path, array):
    with pytest.raises(TypeError, match=r"arrays\['x'\] must"):
        save(tmp_path / "a", arrays={"x": array})
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", "config.json", "a.b", "é", "x y", 3])
def test_names_that_are_no_identifiers_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="name of an array"):
        save(tmp_path / "a", arrays={name: np.zeros(1)})


def deep():
    config = {}
    for _ in range(100_000):
        config = {"a": config}
    return config


def endless():
    config = {}
    config["a"] = config
    return config


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"a": np.nan}, ValueError),
        ({"a": [np.inf]}, ValueError),
        ({"a": np.arange(2)}, TypeError),
        ({"a": 1j}, TypeError),
        ([], TypeError),
        ({"a": "x" * (1 << 20)}, ValueError),
        (endless(), ValueError),
        (deep(), ValueError),
    ],
    ids=["nan", "inf", "array", "complex", "list", "long", "endless", "deep"],
)
def test_config_must_be_strict_json(tmp_path, config, error):
    with pytest.raises(error, match="config must"):
        save(tmp_path / "a", config=config)
    assert names(tmp_path) == []


def test_wrong_types_are_named(tmp_path):
    with pytest.raises(TypeError, match="kind must be a str, got int"):
        files.save_archive(tmp_path / "a", kind=1, config={}, arrays={})
    with pytest.raises(TypeError, match="arrays must be a dict, got list"):
        save(tmp_path / "a", arrays=[])
    with pytest.raises(TypeError, match="path must be"):
        files.write_text(1, "x")
    with pytest.raises(TypeError, match="path must be"):
        load(b"a")
    with pytest.raises(TypeError, match="text must be a str, got bytes"):
        files.write_text(tmp_path / "a", b"x")
    with pytest.raises(ValueError, match="obj must be plain JSON without NaN"):
        files.write_json(tmp_path / "a", {"value": float("nan")})
    assert names(tmp_path) == []


def test_more_than_the_cap_is_refused_on_both_sides(tmp_path, monkeypatch):
    path = save(tmp_path / "a", arrays={"x": np.zeros(1 << 20)})
    monkeypatch.setattr(files, "MAX_BYTES", 8 << 20)
    with pytest.raises(ValueError, match="less than 8388608 bytes"):
        save(tmp_path / "b", arrays={"x": np.zeros(1 << 20)})
    with pytest.raises(ValueError, match=f"{path} is too large"):
        load(path)


# Damage -------------------------------------------------------------------------------------------


def test_truncation_is_noticed_wherever_it_happens(tmp_path):
    data = save(tmp_path / "a").read_bytes()
    path = tmp_path / "cut"
    for size in [*range(0, len(data) - 60, 7), *range(len(data) - 60, len(data))]:
        path.write_bytes(data[:size])
        with pytest.raises(files.DamagedFileError, match=f"{path} is not a whole hrnn file"):
            load(path)


def test_a_flipped_byte_is_noticed_or_changes_nothing(tmp_path):
    path = save(tmp_path / "a", config={"n": 2})
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        starts = [
            (info.header_offset + 30 + len(info.filename), info.file_size)
            for info in archive.infolist()
        ]
    contents = {position for start, size in starts for position in range(start, start + size)}
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0x41]) + data[position + 1 :])
        if position in contents:
            with pytest.raises(files.DamagedFileError, match=f"{path} is not a whole hrnn file"):
                load(path)
        else:
            assert_refused_or_equal(path, {"n": 2}, ARRAYS)


def assert_refused_or_equal(path, config, arrays):
    """Zip's own times, versions and attributes are of no consequence."""
    try:
        archive = load(path)
    except files.DamagedFileError:
        return
    assert archive.config == config
    assert set(archive.arrays) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(archive.arrays[name], array, strict=True)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a")
        path.write_bytes(data)
        with pytest.raises(files.DamagedFileError, match="is not a whole hrnn file"):
            load(path)


@given(st.binary(max_size=120), st.booleans())
def test_arbitrary_members_are_refused(member, as_header):
    if as_header:
        member = b"\x93NUMPY\x01\x00" + len(member).to_bytes(2, "little") + member
    with tempfile.TemporaryDirectory() as folder:
        path = forge(Path(folder, "a"), [("x.npy", member)])
        with pytest.raises(files.DamagedFileError, match="is not a whole hrnn file"):
            load(path)


@given(st.binary(max_size=120))
def test_arbitrary_headers_are_refused(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", text)
        with pytest.raises(files.DamagedFileError, match="is not a whole hrnn file"):
            load(path)


# Hostile files: right hashes, wrong intentions ----------------------------------------------------

X = [("x.npy", npy(np.zeros(3)))]


def header(descr="<f8", shape=(3,), *, fortran_order=False):
    return {"descr": descr, "fortran_order": fortran_order, "shape": shape}


LYING = {
    "64 GiB": header(shape=(1 << 33,)),
    "overflow": header(shape=(1 << 61, 8)),
    "huge and empty": header(shape=(0, 1 << 70)),
    "negative": header(shape=(-1, -3)),
    "short": header(shape=(2,)),
    "long": header(shape=(4,)),
    "fortran": header(fortran_order=True),
    "object": header("|O"),
    "big-endian": header(">f8"),
    "string": header("|S8"),
    "record": header([("a", "<f8")]),
    "void": header("|V8"),
    "complex": header("<c16"),
    "float shape": header(shape=(3.0,)),
    "list shape": header(shape=[3]),
    "no such type": header("<f3"),
    "65 dimensions": header(shape=(1,) * 64 + (3,)),
}


@pytest.mark.parametrize("lie", LYING.values(), ids=LYING)
def test_a_lying_array_header_is_refused_before_anything_is_allocated(tmp_path, lie):
    path = forge(tmp_path / "a", [("x.npy", npy(np.zeros(3), header=lie))])
    tracemalloc.start()
    try:
        with pytest.raises(files.DamagedFileError, match=f"{path} is not a whole hrnn file"):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


def test_reading_takes_a_few_times_the_file_and_no_more(tmp_path):
    path = save(tmp_path / "a", arrays={"x": np.zeros(1 << 20)})
    tracemalloc.start()
    try:
        load(path)
        assert tracemalloc.get_traced_memory()[1] < 3.5 * path.stat().st_size
    finally:
        tracemalloc.stop()


def test_other_versions_of_the_npy_format_are_refused(tmp_path):
    buffer = stdio.BytesIO()
    np.lib.format.write_array(buffer, np.zeros(3), (2, 0))
    with pytest.raises(ValueError, match="x is not in version 1.0"):
        load(forge(tmp_path / "a", [("x.npy", buffer.getvalue())]))


def test_a_pickle_is_not_executed(tmp_path):
    buffer = stdio.BytesIO()
    np.save(buffer, np.array([Trap(tmp_path / "sprung")], dtype=object), allow_pickle=True)
    path = forge(tmp_path / "a", [("x.npy", buffer.getvalue())])
    with pytest.raises(ValueError, match="dtype"):
        load(path)
    assert not (tmp_path / "sprung").exists()


class Trap:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_booleans_must_be_booleans(tmp_path):
    member = npy(np.array([0, 2], "u1"), header=header("|b1", (2,)))
    path = forge(tmp_path / "a", [("x.npy", member)])
    with pytest.raises(ValueError, match="neither true nor false"):
        load(path)


def test_compression_is_refused_before_it_unfolds(tmp_path):
    bomb = npy(np.zeros(1 << 23))
    path = forge(tmp_path / "a", [("x.npy", bomb)])
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("x.npy", bomb, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="overlap|compressed"):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_deflated_members_are_refused_even_when_small(tmp_path):
    path = forge(tmp_path / "a", X, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="config.json is compressed"):
        load(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("extra", ["x.npy", "config.json", "y.npy", "x", "notes.txt", "../x.npy"])
def test_duplicated_and_unexpected_members_are_refused(tmp_path, extra):
    path = forge(tmp_path / "a", X)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(extra, archive.read("config.json") if extra == "config.json" else X[0][1])
    with pytest.raises(ValueError, match="duplicated, missing or unexpected"):
        load(path)


def test_members_that_overlap_are_refused(tmp_path):
    inner = stdio.BytesIO()
    y = npy(np.zeros(1000))
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("y.npy", y)
        info = archive.getinfo("y.npy")
    x = npy(np.frombuffer(inner.getvalue(), np.uint8))  # holds y, with y's own header before it
    path = forge(tmp_path / "a", [("x.npy", x), ("y.npy", y)])
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("x.npy", x)
        info.header_offset = archive.fp.tell() - len(inner.getvalue())
        archive.filelist.append(info)
    with pytest.raises(ValueError, match="overlap"):
        load(path)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a\\b", "x y", ""])
def test_path_like_names_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="must be an identifier"):
        load(forge(tmp_path / "a", [(f"{name}.npy", X[0][1])]))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"schema": True},
        {"schema": "1"},
        {"schema": 0},
        {"kind": 3},
        {"kind": None},
        {"config": []},
        {"config": None},
        {"sha256": {}},
        {"sha256": {"x": None}},
        {"sha256": {"x": "0" * 64}},
    ],
    ids=str,
)
def test_wrong_headers_are_refused(tmp_path, change):
    path = forge(tmp_path / "a", X, **copy.deepcopy(change))
    with pytest.raises(files.DamagedFileError, match=f"{path} is not a whole hrnn file"):
        load(path)


@pytest.mark.parametrize("change", ['"n": 1', '"n": NaN', '"n": 1e999', '"m": 2', '"n": 2, "n": 1'])
def test_the_config_has_a_hash_too(tmp_path, change):
    path = forge(tmp_path / "a", X, config={"n": 2})
    with zipfile.ZipFile(path) as archive:
        text = archive.read("config.json").decode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", text.replace('"n": 2', change))
        archive.writestr(*X[0])
    with pytest.raises(ValueError, match="config.json"):
        load(path)


def test_deep_json_is_refused(tmp_path):
    path = tmp_path / "a"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "[" * 500_000)
    with pytest.raises(ValueError, match="is not a whole hrnn file"):
        load(path)


def test_a_long_config_is_refused(tmp_path):
    with pytest.raises(ValueError, match="config.json is too large"):
        load(forge(tmp_path / "a", X, config={"a": "x" * (1 << 20)}))


@pytest.mark.parametrize("zip64", [False, True])
def test_a_directory_of_a_million_entries_is_refused_unread(tmp_path, zip64):
    n = 1_000_000
    size = 46_000_000
    data = (b"PK\1\2" + bytes(42)) * n
    if zip64:
        data += struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, n, n, size, 0)
        data += struct.pack("<4sLQL", b"PK\6\7", 0, size, 1)
        n = 0xFFFF
        size = 0
    path = tmp_path / "a"
    n &= 0xFFFF
    path.write_bytes(data + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, n, n, size, 0, 0))
    with pytest.raises(ValueError, match="directory is too large"):
        load(path)


def test_an_archive_with_something_after_its_end_is_refused(tmp_path):
    path = save(tmp_path / "a")
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"a comment"
    with pytest.raises(ValueError, match="does not end as an archive does"):
        load(path)


def test_running_out_of_memory_is_no_damage(tmp_path, monkeypatch):
    path = save(tmp_path / "a")
    save(tmp_path / "a.previous")
    monkeypatch.setattr(files.np, "frombuffer", exhausted)
    with pytest.raises(MemoryError):
        load(path, fallback=True)


def exhausted(*_, **__):
    raise MemoryError


def test_a_newer_schema_says_so_and_is_no_damage(tmp_path):
    path = forge(tmp_path / "a", X, schema=2, hrnn_version="9.1")
    save(tmp_path / "a.previous")
    with pytest.raises(ValueError, match=r"a was written by a newer hrnn \(9.1\)") as caught:
        load(path, fallback=True)
    assert not isinstance(caught.value, files.DamagedFileError)


def test_another_kind_says_so(tmp_path):
    path = save(tmp_path / "a")
    save(tmp_path / "a.previous")
    message = f"{path} holds a 'network', not a 'checkpoint' or 'sweep'"
    with pytest.raises(ValueError, match=message):
        files.load_archive(path, kind=("checkpoint", "sweep"), fallback=True)
    assert files.load_archive(path, kind=("checkpoint", "network")).kind == "network"


def test_what_the_system_refuses_passes_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ValueError, match="is not a regular file"):
            load(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write anything")
def test_permissions(tmp_path):
    path = save(tmp_path / "a")
    path.chmod(0)
    with pytest.raises(PermissionError):
        load(path)
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="cannot write"):
        save(path)
    tmp_path.chmod(0o700)


# Atomic writing -----------------------------------------------------------------------------------


def interrupt(monkeypatch, step, error, *, call=1):
    """Raise `error` in place of the call-th use of one of the steps of writing."""
    owner = files if step == "open" else files.os
    original = open if step == "open" else getattr(os, step)
    calls = []

    def raising(*arguments, **more):
        calls.append(step)
        if len(calls) == call:
            raise error
        return original(*arguments, **more)

    monkeypatch.setattr(owner, step, raising, raising=False)


@pytest.mark.parametrize(
    ("step", "call"),
    [("open", 1), ("fsync", 1), ("link", 1), ("replace", 1), ("fsync", 2), ("replace", 2)],
)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), SystemExit()], ids=repr)
def test_an_interruption_leaves_whole_files_and_nothing_else(
    tmp_path, monkeypatch, step, call, error
):
    path = save(tmp_path / "a", config={"version": 0})
    save(path, config={"version": 1}, keep_previous=True)
    with monkeypatch.context() as patch:
        interrupt(patch, step, error, call=call)
        with pytest.raises(type(error)):
            save(path, config={"version": 2}, keep_previous=True)
    assert names(tmp_path) == ["a", "a.previous"]
    assert load(path).config["version"] == (2 if call == 2 else 1)
    assert load(tmp_path / "a.previous").config["version"] == 0


@pytest.mark.parametrize(
    "write",
    [lambda path: files.write_text(path, "new"), lambda path: files.write_json(path, "new"), save],
)
def test_every_writer_is_atomic(tmp_path, monkeypatch, write):
    path = tmp_path / "a"
    path.write_text("old")
    interrupt(monkeypatch, "replace", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        write(path)
    assert names(tmp_path) == ["a"]
    assert path.read_text() == "old"


def test_bytes_and_names_are_synced_in_order(tmp_path, monkeypatch):
    events = []
    fsync = os.fsync
    replace = os.replace

    def record_fsync(descriptor):
        is_folder = os.path.isdir(f"/proc/self/fd/{descriptor}")
        events.append("sync folder" if is_folder else "sync file")
        fsync(descriptor)

    def record_replace(source, target):
        events.append(f"replace {Path(target).name}")
        replace(source, target)

    monkeypatch.setattr(files.os, "fsync", record_fsync)
    monkeypatch.setattr(files.os, "replace", record_replace)
    save(save(tmp_path / "a"), keep_previous=True)
    once = ["sync file", "replace a", "sync folder"]
    assert events == [*once, *once, "replace a.previous"]


def test_errors_of_writing_name_the_path(tmp_path):
    with pytest.raises(FileNotFoundError, match="cannot write.*none/a"):
        save(tmp_path / "none" / "a")
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        save(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="cannot write"):
        save(tmp_path / "file" / "a")


def test_devices_and_pipes_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file.*pipe"):
        files.write_text(tmp_path / "pipe", "x")
    assert (tmp_path / "pipe").is_fifo()


FULL_DISK = """
import resource, sys
import numpy as np
from hrnn.base import files
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    files.save_archive(sys.argv[1], kind="network", config={}, arrays={"x": np.zeros(10_000)},
                    keep_previous=True)
except OSError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_old_file_and_says_why(tmp_path):
    path = save(tmp_path / "a")
    before = path.read_bytes()
    done = python(FULL_DISK, path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"[Errno 27] cannot write: File too large: '{path}'"
    assert names(tmp_path) == ["a"]
    assert path.read_bytes() == before


SMALL_MEMORY = """
import resource, sys
from hrnn.base import files
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20),) * 2)
try:
    files.load_archive(sys.argv[1], kind="network")
except ValueError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_header_asking_for_64_gib_fails_within_little_memory(tmp_path):
    path = forge(tmp_path / "a", [("x.npy", npy(np.zeros(3), header=LYING["64 GiB"]))])
    done = python(SMALL_MEMORY, path)
    assert "x says shape (8589934592,)" in done.stdout, done.stderr


SAVE_FOREVER = """
import itertools, sys
import numpy as np
from hrnn.base import files
for step in itertools.count():
    files.save_archive(sys.argv[1], kind="network", config={"step": step},
                    arrays={"x": np.full(20_000, step)}, keep_previous=True)
"""


def end(process, number):
    """Python loses a SIGINT that arrives inside a destructor, such as ZipFile's: send another."""
    for _ in range(20):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
            return
    process.kill()
    raise AssertionError("the process does not end")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_process_ended_while_it_writes_leaves_a_whole_file(tmp_path, number):
    path = tmp_path / "a"
    for delay in (0.0, 0.003, 0.011):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOREVER, path], stderr=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + 30
            before = path.read_bytes() if path.exists() else b""
            while not (path.exists() and path.read_bytes() != before):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            time.sleep(delay)
        finally:
            end(process, number)
        archive = load(path)
        assert (archive.arrays["x"] == archive.config["step"]).all()
    if number == signal.SIGINT:
        assert set(names(tmp_path)) <= {"a", "a.previous"}


# The previous file --------------------------------------------------------------------------------


def test_the_previous_file_is_kept(tmp_path):
    path = tmp_path / "a"
    for version in range(3):
        save(path, config={"version": version}, keep_previous=True)
        assert load(path).config["version"] == version
    assert names(tmp_path) == ["a", "a.previous"]
    assert load(tmp_path / "a.previous").config["version"] == 1


def test_without_hard_links_the_previous_file_is_copied(tmp_path, monkeypatch):
    path = save(tmp_path / "a", config={"version": 0})
    interrupt(monkeypatch, "link", PermissionError())
    save(path, config={"version": 1}, keep_previous=True)
    assert load(tmp_path / "a.previous").config["version"] == 0


@pytest.mark.parametrize(
    "ruin", [Path.unlink, lambda path: path.write_bytes(b""), lambda path: os.truncate(path, 700)]
)
def test_fallback_warns_and_returns_the_previous_file(tmp_path, ruin):
    path = save(tmp_path / "a", config={"version": 0})
    save(path, config={"version": 1}, keep_previous=True)
    assert load(path, fallback=True).config["version"] == 1
    ruin(path)
    with pytest.raises((ValueError, FileNotFoundError)):
        load(path)
    with pytest.warns(UserWarning, match=f"{path}.*reading {path}.previous instead"):
        assert load(path, fallback=True).config["version"] == 0


def test_fallback_without_a_whole_previous_file_reports_the_file_itself(tmp_path):
    path = tmp_path / "a"
    with pytest.raises(FileNotFoundError, match="a'"):
        load(path, fallback=True)
    path.write_bytes(b"")
    with pytest.raises(files.DamagedFileError, match=f"{path} is not a whole"):
        load(path, fallback=True)
    (tmp_path / "a.previous").write_bytes(b"PK")
    with pytest.raises(files.DamagedFileError, match=f"{path} is not a whole"):
        load(path, fallback=True)


def test_a_damaged_file_never_costs_the_whole_previous_one(tmp_path, monkeypatch):
    path = save(tmp_path / "a", config={"version": 0})
    save(path, config={"version": 1}, keep_previous=True)
    path.write_bytes(b"damaged")
    with monkeypatch.context() as patch:
        interrupt(patch, "replace", KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            save(path, config={"version": 2}, keep_previous=True)
    with pytest.warns(UserWarning, match="instead"):
        assert load(path, fallback=True).config["version"] == 0


# Locks --------------------------------------------------------------------------------------------

HOLD = """
import sys
from hrnn.base import files
with files.lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_held_by_one_process_and_dies_with_it(tmp_path):
    path = tmp_path / "lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "held\n"
        message = f"in use by another process: '{path}'"
        with pytest.raises(BlockingIOError, match=message), files.lock(path):
            raise AssertionError("two processes hold one lock")
    finally:
        process.kill()
        process.communicate()
    with files.lock(path):
        pass


def test_a_lock_is_released_on_an_exception_and_not_shared_within_the_process(tmp_path):
    path = tmp_path / "lock"
    with pytest.raises(KeyError), files.lock(path):
        with pytest.raises(BlockingIOError), files.lock(path):
            raise AssertionError("held twice")
        raise KeyError
    with files.lock(path):
        pass


def test_a_lock_in_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError), files.lock(tmp_path / "none" / "lock"):
        pass


def test_a_held_file_is_held_once_and_nothing_stays(tmp_path):
    with files.held(tmp_path / "a"):
        with (
            pytest.raises(BlockingIOError, match="in use by another process.*a'"),
            files.held(tmp_path / "a"),
        ):
            pass
        with files.held(tmp_path / "b"):
            pass
    with files.held(tmp_path / "a"):
        pass
    assert not list(tmp_path.iterdir())
    with (
        pytest.raises(FileNotFoundError, match="cannot write.*no/a'"),
        files.held(tmp_path / "no" / "a"),
    ):
        pass


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_on_the_new_one(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    flock = files.fcntl.flock
    removed = []

    def slow(descriptor, mode):
        if not removed:
            removed.append(path.unlink())  # who held it before has just let it go
        flock(descriptor, mode)

    monkeypatch.setattr(files.fcntl, "flock", slow)
    with files.lock(path), pytest.raises(BlockingIOError), files.lock(path):
        pass


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    for name in (f".hrnn-{16 * 'a'}.tmp", f".hrnn-{16 * '0'}.old"):
        (tmp_path / name).write_text("")
    kept = {".hrnn-notes.tmp", "a.tmp", ".hrnn.tmp"}
    for name in kept:
        (tmp_path / name).write_text("")
    files.remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_a_table_is_written_over_nothing_but_a_table_of_its_columns(tmp_path):
    path = tmp_path / "t.csv"
    files.write_csv(path, "a,b\n1,2\n")
    files.write_csv(path, "a,b\n3,4\n")
    assert path.read_text() == "a,b\n3,4\n"
    for other in ("a\n1\n", "a,b,c\n1,2,3\n", "", "notes", "x" * 10**6):
        path.write_text(other)
        with pytest.raises(FileExistsError, match=r"name would be written over .*t\.csv"):
            files.write_csv(path, "a,b\n3,4\n", "name")
        assert path.read_text() == other
    path.write_bytes(b"a,b\r\n1,2\r\n")
    files.write_csv(path, "a,b\n3,4\n")
