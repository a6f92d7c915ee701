"""Mice: the trial table against a slow twin, every way a file can be wrong, and the download."""

import contextlib
import csv
import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pooch
import pytest

from hrnn import mice
from hrnn.mice import fetching

HEADER = (
    "trial_num,session_num,stim_probability_left,contrast,position,"
    "response_choice,trial_correct,reaction_time"
)


# Synthetic mice


def session_rows(rng, session_num, n_unbiased, n_trials, contrasts):
    """Draw the rows of one session, as the text of the fields of the file."""
    p_left, n_left = ("0.5", n_unbiased) if n_unbiased else ("0.2", 25)
    rows = []
    trial_num = 0
    for _ in range(n_trials):
        if n_left == 0:
            p_left = "0.2" if p_left == "0.8" else "0.8"
            n_left = rng.integers(20, 60)
        n_left -= 1
        trial_num += 1 + (rng.random() < 0.02)
        side = -1 if rng.random() < float(p_left) else 1
        contrast = rng.choice(contrasts)
        choice = rng.choice([side, -side, 0], p=[0.75, 0.2, 0.05])
        unknown = contrast == "0.0" and choice == 0
        rows.append(
            (
                f"{trial_num}",
                f"{session_num}",
                p_left,
                contrast,
                "-0.0" if unknown else f"{35.0 * side}",
                f"{choice}",
                f"{float(choice == side)}",
                "" if rng.random() < 0.1 else repr(rng.exponential(0.5)),
            )
        )
    return rows


def mouse_rows(seed=0):
    """Draw a mouse: long, short, biased and oddly unbiased sessions, one number left out."""
    rng = np.random.default_rng(seed)
    five = ["0.0", "0.0625", "0.125", "0.25", "1.0"]
    seven = ["0.04", "0.08"]
    plan = [(1, 90, 200, five), (2, 57, 57, five), (3, 71, 150, five), (5, 0, 80, five + seven)]
    return [row for session in plan for row in session_rows(rng, *session)]


def write(file, rows, header=HEADER, end="\r\n"):
    file.write_bytes(end.join([header, *map(",".join, rows), ""]).encode())
    return file


def slow_table(subject, rows):
    """Build the trial table row by row, in plain Python."""
    table = []
    session_nums = []
    previous = None
    for trial_num, session_num, p_left, contrast, position, choice, correct, reaction_time in rows:
        if session_num not in session_nums:
            session_nums.append(session_num)
            first = block_start = int(trial_num)
            block = 0
        elif p_left != previous:
            block = block + 1
            block_start = int(trial_num)
        trial = int(trial_num) - first
        trial_in_block = int(trial_num) - block_start
        previous = p_left
        side = {"-35.0": -1, "35.0": 1, "-0.0": 0}[position]
        block_side = {"0.2": 1, "0.5": 0, "0.8": -1}[p_left]
        table.append(
            {
                "subject": subject,
                "session": len(session_nums) - 1,
                "block": block,
                "trial": trial,
                "trial_in_block": trial_in_block,
                "p_left": float(p_left),
                "block_side": block_side,
                "side": side,
                "strength": float(contrast),
                "signed_strength": side * float(contrast),
                "concordant": side == block_side if side and block_side else pd.NA,
                "choice": int(choice),
                "correct": correct == "1.0",
                "timeout": choice == "0",
                "reward": 1.0 if correct == "1.0" else -1.0,
                "response_time": float(reaction_time or "nan"),
                "session_num": int(session_num),
                "trial_num": int(trial_num),
            }
        )
    return pd.DataFrame(table).astype({"concordant": "boolean"})


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "M_1.csv", mouse_rows())


@pytest.fixture(autouse=True)
def no_data_folder(monkeypatch, tmp_path_factory):
    """Keep the tests from the data and the cache of whoever runs them."""
    monkeypatch.delenv("HRNN_DATA_DIR", raising=False)
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(pooch, "os_cache", lambda project: cache / project)
    return cache / "hrnn"


# The trial table


@pytest.mark.parametrize("seed", range(3))
def test_table_equals_slow_twin(tmp_path, seed):
    rows = mouse_rows(seed)
    trials = mice.load(write(tmp_path / "M_1.csv", rows))
    pd.testing.assert_frame_equal(trials, slow_table("M_1", rows))
    assert trials.concordant.isna().any() and trials.response_time.isna().any()
    assert (trials.side == 0).any()


def test_table_of_a_few_trials_by_hand(tmp_path):
    rows = [
        "1,4,0.5,0.25,-35.0,-1,1.0,0.5",
        "2,4,0.5,0.0,-0.0,0,0.0,60.0",
        "4,4,0.8,0.0,-35.0,1,0.0,",
        "5,4,0.8,1.0,35.0,0,0.0,59.9",
        "1,7,0.2,0.125,35.0,1,1.0,-0.1",
    ]
    trials = mice.load(write(tmp_path / "M.csv", [row.split(",") for row in rows]))
    assert trials.session.tolist() == [0, 0, 0, 0, 1]
    assert trials.trial.tolist() == [0, 1, 3, 4, 0]
    assert trials.block.tolist() == [0, 0, 1, 1, 0]
    assert trials.trial_in_block.tolist() == [0, 1, 0, 1, 0]
    assert trials.block_side.tolist() == [0, 0, -1, -1, 1]
    assert trials.side.tolist() == [-1, 0, -1, 1, 1]
    assert trials.signed_strength.tolist() == [-0.25, 0, 0, 1, 0.125]
    assert trials.concordant.tolist() == [pd.NA, pd.NA, True, False, True]
    assert trials.choice.tolist() == [-1, 0, 1, 0, 1]
    assert trials.correct.tolist() == [True, False, False, False, True]
    assert trials.timeout.tolist() == [False, True, False, True, False]
    assert trials.reward.tolist() == [1, -1, -1, -1, 1]
    assert trials.response_time.isna().tolist() == [False, False, True, False, False]
    assert trials.session_num.tolist() == [4, 4, 4, 4, 7]
    assert trials.trial_num.tolist() == [1, 2, 4, 5, 1]


def test_rows_in_any_order_give_the_same_table(file):
    rows = mouse_rows()
    trials = mice.load(file)
    write(file, [rows[i] for i in np.random.default_rng(1).permutation(len(rows))])
    pd.testing.assert_frame_equal(mice.load(file), trials)


def test_folder_is_its_mice_one_after_the_other(tmp_path):
    for seed, name in enumerate(["B.csv", "A.csv", "C.CSV"]):
        write(tmp_path / name, mouse_rows(seed))
    trials = mice.load(tmp_path)
    alone = [slow_table(name, mouse_rows(seed)) for name, seed in [("A", 1), ("B", 0), ("C", 2)]]
    pd.testing.assert_frame_equal(trials, pd.concat(alone, ignore_index=True))


def test_subjects_choose_mice(tmp_path):
    for seed, name in enumerate("ABC"):
        write(tmp_path / f"{name}.csv", mouse_rows(seed))
    assert mice.load(tmp_path, subjects=["C", "A"]).subject.unique().tolist() == ["A", "C"]
    write(tmp_path / "B.csv", [], header="not,a,mouse")
    assert len(mice.load(tmp_path, subjects=("A",))) == len(mouse_rows(0))
    with pytest.raises(ValueError, match=r"subjects must name one or more of A, B, C; got \['D'\]"):
        mice.load(tmp_path, subjects=["A", "D"])
    with pytest.raises(ValueError, match="subjects must name"):
        mice.load(tmp_path, subjects=[])
    for wrong in ("A", 3):
        with pytest.raises(TypeError, match="subjects must be a list"):
            mice.load(tmp_path, subjects=wrong)


def test_other_files_of_the_folder_are_ignored(file):
    for name in ["registry.txt", "notes.md", "._M_1.csv", ".hidden.csv", "M_2.csv.bak"]:
        (file.parent / name).write_bytes(b"\xff\xfe")
    (file.parent / "folder.csv").mkdir()
    assert mice.load(file.parent).subject.unique().tolist() == ["M_1"]


def test_another_protocol_is_kept_and_flagged(tmp_path):
    rows = [("1", "1", "0.7", "1.0", "35.0", "1", "1.0", "0.5")]
    with pytest.warns(UserWarning, match="1 trials have a p_left of 0.7, .* in M session 0"):
        trials = mice.load(write(tmp_path / "M.csv", rows))
    assert trials.p_left.tolist() == [0.7] and trials.block_side.tolist() == [-1]


# Harmless differences of form


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\r\n", b"\n"),
        lambda data: data.rstrip(),
        lambda data: data + b"\r\n\r\n",
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\r\n", b",x\r\n"),
        lambda data: data.replace(b",\r\n", b",NaN\r\n"),
        lambda data: data.replace(b",1.0\r\n", b",1\r\n"),
        lambda data: data.replace(b",", b";"),
        lambda data: data.replace(b",", b"\t"),
        lambda data: data.replace(b",", b", "),
        lambda data: (
            b'"' + data.split(b"\r\n")[0].replace(b",", b'","') + b'"' + data[len(HEADER) :]
        ),
        lambda data: b"\xef\xbb\xbf" + data.replace(b",", b";"),
    ],
    ids=[
        "LF",
        "no end",
        "blank end",
        "BOM",
        "more columns",
        "NaN",
        "integers",
        "semicolons",
        "tabs",
        "blanks",
        "quoted names",
        "BOM and semicolons",
    ],
)
def test_form_does_not_matter(file, change):
    trials = mice.load(file)
    file.write_bytes(change(file.read_bytes()))
    pd.testing.assert_frame_equal(mice.load(file)[trials.columns], trials)


# Malformed files


GOOD = dict(
    zip(HEADER.split(","), ["9", "9", "0.2", "0.25", "35.0", "1", "1.0", "0.5"], strict=True)
)


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        ({"trial_num": "x"}, "trial_num must be a number"),
        ({"trial_num": ""}, "trial_num must be a number"),
        ({"trial_num": "1.5"}, "trial_num must be a whole number"),
        ({"session_num": "-1"}, "session_num must be a whole number"),
        ({"session_num": "1" * 30}, "session_num must be a whole number"),
        ({"stim_probability_left": "0.2.1"}, "stim_probability_left must be a number"),
        ({"stim_probability_left": "1.5"}, r"stim_probability_left must be in \[0, 1\]"),
        ({"stim_probability_left": "-0.1"}, r"stim_probability_left must be in \[0, 1\]"),
        ({"contrast": "25"}, r"contrast must be in \[0, 1\]"),
        ({"contrast": "-0.25"}, r"contrast must be in \[0, 1\]"),
        ({"contrast": "nan"}, "contrast must be a number"),
        ({"contrast": "True"}, "contrast must be a number"),
        ({"position": "36"}, "position must be -35 or 35"),
        ({"position": "-0.0", "trial_correct": "0.0"}, "position may be 0 only"),
        (
            {"position": "0.0", "response_choice": "0", "trial_correct": "0.0"},
            "position may be 0 only",
        ),
        ({"response_choice": "2"}, "response_choice must be -1, 0 or 1"),
        ({"response_choice": "0.5"}, "response_choice must be -1, 0 or 1"),
        ({"trial_correct": "0.0"}, "trial_correct must be 1 if"),
        ({"trial_correct": "0.5"}, "trial_correct must be 1 if"),
        ({"response_choice": "-1"}, "trial_correct must be 1 if"),
        ({"response_choice": "0"}, "trial_correct must be 1 if"),
        ({"reaction_time": "fast"}, "reaction_time must be a number"),
        ({"trial_num": "3"}, "are those of an earlier row"),
        ({"reaction_time": "0.5,1"}, "a row must have 8 fields"),
        ({"trial_num": '"9"'}, "trial_num must be a number"),
    ],
)
@pytest.mark.parametrize("line", [2, 7, 9])
def test_malformed_row_is_named(tmp_path, cells, rule, line):
    rows = [tuple({**GOOD, "trial_num": str(n)}.values()) for n in range(1, 8)]
    assert len(mice.load(write(tmp_path / "M_1.csv", rows))) == 7
    rows.insert(line - 2, tuple({**GOOD, **cells}.values()))
    write(tmp_path / "M_1.csv", rows)
    where = 5 if line == 2 and "earlier" in rule else line  # of two alike the later is blamed
    with pytest.raises(ValueError, match=rf"1 malformed rows:\n  line {where}: .*{rule}") as caught:
        mice.load(tmp_path)
    assert str(tmp_path / "M_1.csv") in str(caught.value)


def test_column_of_booleans_is_refused(tmp_path):
    rows = [({**GOOD, "trial_num": str(n), "trial_correct": "True"}).values() for n in range(3)]
    with pytest.raises(
        ValueError, match="3 malformed rows:\n  line 2: trial_correct must be a num"
    ):
        mice.load(write(tmp_path / "M.csv", rows))


def test_many_malformed_rows_are_counted(tmp_path):
    rows = [list(row) for row in mouse_rows()]
    for row in rows[10:22]:
        row[3] = "1.5"
    rows[20][5] = "x"
    with pytest.raises(ValueError) as caught:
        mice.load(write(tmp_path / "M_1.csv", rows))
    message = str(caught.value)
    assert "12 malformed rows" in message and message.endswith("and 7 more")
    assert [f"line {n}: " in message for n in range(11, 19)] == [False] + [True] * 5 + [False] * 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\r\n \r\n", "is empty"),
        (HEADER.encode(), "has no trials"),
        (
            b"time,value\r\n1,2\r\n",
            "is not a mouse file: .* which is not so for trial_num, session",
        ),
        (
            HEADER.replace("contrast", "c").encode() + b"\n1",
            ".* is not so for contrast; the first line is",
        ),
        (HEADER.encode() + b",contrast\n1", ".* is not so for contrast; the first line is"),
        (HEADER.encode("utf-16"), "is not a CSV file in UTF-8"),
        (HEADER.encode() + b"\n1,1,0.2,0.25,35.0,1,1.0,0\x00.5", "is not a CSV file in UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not a CSV file in UTF-8"),
        (b"<!DOCTYPE html>\n<html></html>\n", "is not a mouse file"),
    ],
)
def test_file_that_is_no_mouse_is_named(file, data, message):
    (file.parent / "strange.csv").write_bytes(data)
    with pytest.raises(ValueError, match=rf"strange\.csv {message}"):
        mice.load(file.parent)


def test_truncated_file_is_refused(file):
    """Wherever the last line is cut, up to the comma before the reaction time, it is seen."""
    data = file.read_bytes().rstrip()
    last = data.rindex(b"\n") + 1
    for end in range(last + 1, data.rindex(b",") + 1):
        file.write_bytes(data[:end])
        with pytest.raises(ValueError, match="a row must have 8 fields"):
            mice.load(file)


def test_blank_line_inside_is_refused(file):
    lines = file.read_bytes().split(b"\r\n")
    file.write_bytes(b"\r\n".join([*lines[:4], b"", *lines[4:]]))
    with pytest.raises(ValueError, match="1 malformed rows:\n  line 5: a row must have 8 fields"):
        mice.load(file)


def test_two_files_of_one_mouse_are_refused(file):
    write(file.with_suffix(".CSV"), mouse_rows())
    if len(list(file.parent.iterdir())) == 1:
        pytest.skip("this file system does not tell upper from lower case")
    with pytest.raises(ValueError, match="are both of mouse M_1"):
        mice.load(file.parent)


# Where the files are


def test_missing_paths_are_named(tmp_path):
    (tmp_path / "registry.txt").write_text("")
    with pytest.raises(FileNotFoundError, match="no CSV file in the folder"):
        mice.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        mice.load(tmp_path / "nowhere")
    (tmp_path / "link.csv").symlink_to(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"link\.csv does not exist"):
        mice.load(tmp_path)


@pytest.mark.parametrize(
    "call", [mice.load, lambda path: mice.fetch(path=path, base_url="http://127.0.0.1:9/")]
)
def test_paths_that_are_none_are_refused(call):
    with pytest.raises(TypeError, match="path must be a str or os.PathLike, got int"):
        call(3)
    with pytest.raises(ValueError, match="path must not be empty"):
        call("")


def test_environment_names_the_folder(file, monkeypatch):
    monkeypatch.setenv("HRNN_DATA_DIR", str(file.parent))
    assert mice.load().subject.unique().tolist() == ["M_1"]
    monkeypatch.setenv("HRNN_DATA_DIR", str(file.parent / "gone"))
    with pytest.raises(FileNotFoundError, match="HRNN_DATA_DIR is .*gone, which does not exist"):
        mice.load()


def test_cache_is_read_only_when_complete(no_data_folder, monkeypatch):
    names = ["A.csv", "B.csv"]
    monkeypatch.setattr(sys.modules["hrnn.mice.loading"], "registry", lambda: dict.fromkeys(names))
    advice = r"of 2 files are in .*hrnn\.mice\.fetch\(\).*HRNN_DATA_DIR"
    with pytest.raises(FileNotFoundError, match=f"no mouse data: 0 {advice}"):
        mice.load()
    no_data_folder.mkdir()
    write(no_data_folder / "A.csv", mouse_rows(0))
    with pytest.raises(FileNotFoundError, match=f"no mouse data: 1 {advice}"):
        mice.load()
    write(no_data_folder / "B.csv", mouse_rows(1))
    assert mice.load().subject.unique().tolist() == ["A", "B"]


def test_registry_has_54_sha256():
    known = mice.registry()
    assert len(known) == 54 and len(set(known.values())) == 54
    assert all(name.endswith(".csv") for name in known)
    assert all(len(digest) == 64 and int(digest, 16) for digest in known.values())


def test_import_is_light():
    code = (
        "import hrnn.mice, sys; print([m for m in ('pandas', 'pooch', 'tqdm') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


# Download, from a server of this machine


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` (name to bytes) and remembers what was asked of it."""

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.asked = []
        self.cut = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/mice/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.removeprefix("/mice/")
        self.server.asked.append(name)
        if name not in self.server.files:
            return self.send_error(404)
        data = self.server.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) - self.server.cut])

    def log_message(self, *args):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Two mice on a server, and the registry of just these two."""
    files = {
        name: write(tmp_path / name, mouse_rows(seed)).read_bytes()
        for seed, name in enumerate(["A.csv", "B.csv"])
    }
    known = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    monkeypatch.setattr(fetching, "registry", lambda: known)
    monkeypatch.setattr(sys.modules["hrnn.mice.loading"], "registry", lambda: known)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # pooch waits between retries
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(dict(files)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "fetched"


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.exists() else {}


def test_fetch_brings_every_file_once(served, folder, capfd, monkeypatch):
    logger = pooch.get_logger()
    logged = []
    level = logger.level
    monkeypatch.setattr(logger, "handle", logged.append)
    assert mice.fetch(path=folder, base_url=served.url.rstrip("/")) == folder
    assert contents(folder) == served.files
    mice.fetch(path=str(folder), base_url=served.url)
    assert served.asked == ["A.csv", "B.csv"]
    assert mice.load(folder).subject.unique().tolist() == ["A", "B"]
    assert capfd.readouterr() == ("", "") and not logged
    assert logger.level == level


@pytest.mark.parametrize(("progress", "disable"), [(False, True), (True, None)])
def test_fetch_shows_progress_if_asked(served, folder, monkeypatch, progress, disable):
    bars = []
    monkeypatch.setattr("tqdm.auto.tqdm", lambda names, **how: bars.append(how) or names)
    mice.fetch(path=folder, base_url=served.url, progress=progress)
    assert [bar["disable"] for bar in bars] == [disable]


def test_fetch_fills_what_load_reads(served, no_data_folder, folder, monkeypatch):
    assert mice.fetch(base_url=served.url) == no_data_folder
    assert len(mice.load().subject.unique()) == 2
    monkeypatch.setenv("HRNN_DATA_DIR", str(folder))
    assert mice.fetch(base_url=served.url) == folder
    assert contents(folder) == contents(no_data_folder) == served.files


def test_fetch_replaces_a_damaged_file_and_leaves_others(served, folder):
    folder.mkdir()
    (folder / "A.csv").write_bytes(b"damaged")
    (folder / "mine.csv").write_bytes(b"mine")
    mice.fetch(path=folder, base_url=served.url)
    assert contents(folder) == {**served.files, "mine.csv": b"mine"}


def test_fetch_of_what_is_not_there(served, folder):
    good = served.files.pop("B.csv")
    with pytest.raises(ConnectionError, match=r"download B\.csv from .*404.*HRNN_DATA_DIR"):
        mice.fetch(path=folder, base_url=served.url)
    assert contents(folder) == served.files
    assert served.asked == ["A.csv"] + ["B.csv"] * (1 + fetching.N_RETRIES)
    served.files["B.csv"] = good
    mice.fetch(path=folder, base_url=served.url)
    assert contents(folder) == served.files and served.asked[-1] == "B.csv"


@pytest.mark.parametrize("before", [None, b"older"])
def test_fetch_of_wrong_content_keeps_nothing(served, folder, before):
    if before:
        folder.mkdir()
        (folder / "A.csv").write_bytes(before)
    served.files["A.csv"] = served.files["A.csv"].replace(b"0.25", b"0.26", 1)
    with pytest.raises(ValueError, match=r"A\.csv as downloaded from http.*sha256 must be \w{64}"):
        mice.fetch(path=folder, base_url=served.url)
    assert contents(folder) == ({"A.csv": before} if before else {})


def test_fetch_of_a_cut_transfer_keeps_nothing(served, folder):
    served.cut = 100
    with pytest.raises((ConnectionError, ValueError), match=r"A\.csv"):
        mice.fetch(path=folder, base_url=served.url)
    assert contents(folder) == {}


def test_fetch_without_network(served, folder):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConnectionError, match=r"could not download A\.csv .*HRNN_DATA_DIR"):
        mice.fetch(path=folder, base_url=f"http://127.0.0.1:{port}/")
    assert contents(folder) == {}


def test_fetch_refuses_bad_arguments(served, folder):
    for wrong in ("ftp://127.0.0.1/", "mice", "", None):
        with pytest.raises(ValueError, match="base_url must begin with http"):
            mice.fetch(path=folder, base_url=wrong)
    folder.write_text("a file")
    with pytest.raises(NotADirectoryError, match="path must be a folder"):
        mice.fetch(path=folder, base_url=served.url)
    assert served.asked == []


def test_default_address_is_one_commit():
    commit = fetching.BASE_URL.split("/")[5]
    assert len(commit) == 40 and int(commit, 16)


# The real mice, where they are

DATA = os.environ.get("HRNN_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="HRNN_DATA_DIR is not set")


@pytest.fixture(scope="module")
def real():
    return mice.load(DATA)


@needs_data
def test_real_files_are_the_published_ones():
    known = mice.registry()
    files = [file for file in Path(DATA).glob("*.csv") if file.name in known]
    assert files
    for file in files:
        assert hashlib.sha256(file.read_bytes()).hexdigest() == known[file.name], file.name


@needs_data
@pytest.mark.slow
def test_real_rows_are_all_there(real):
    for file in Path(DATA).glob("*.csv"):
        with open(file, newline="") as stream:
            rows = list(csv.DictReader(stream))
        trials = real[real.subject == file.stem]
        assert len(trials) == len(rows)
        assert trials.choice.tolist() == [int(row["response_choice"]) for row in rows]
        assert trials.response_time.isna().sum() == sum(not row["reaction_time"] for row in rows)


@needs_data
def test_real_tables_are_consistent(real):
    key = ["subject", "session", "trial"]
    assert not real.duplicated(key).any()
    sessions = real.groupby(["subject", "session"])
    assert (sessions.trial.max() == sessions.trial_num.max() - sessions.trial_num.min()).all()
    blocks = real.groupby(["subject", "session", "block"])
    assert (blocks.p_left.nunique() == 1).all()
    assert (blocks.trial_in_block.max() + 1 >= blocks.size()).all()
    inner = blocks.size()[
        blocks.block.first().gt(0) & blocks.block.first().lt(sessions.block.max())
    ]
    assert inner.between(20, 99).all()
    assert ((real.side == 0) <= (real.timeout & (real.strength == 0))).all()
    assert real.concordant.isna().equals((real.side == 0) | (real.block_side == 0))


@needs_data
def test_real_mice_know_the_task(real):
    assert real[real.strength == 1].correct.mean() > 0.9
    biased = real[~real.timeout & (real.strength == 0) & (real.block_side != 0)]
    by_concordance = biased.groupby("concordant").correct.mean()
    assert by_concordance[True] > 0.55 > 0.45 > by_concordance[False]
    assert abs(real[real.block_side != 0].concordant.mean() - 0.8) < 0.01
    right = real[~real.timeout].groupby("signed_strength").choice.apply(lambda c: (c == 1).mean())
    assert right[-1.0] < 0.1 and right[1.0] > 0.9
