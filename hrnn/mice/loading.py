"""From mouse CSV files and ALF sessions to the trial table.

Files are read, every row is checked, and what can be derived is added. Nothing is dropped here: a
file is taken whole, or refused with the lines that are wrong.
"""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.base.arguments import as_path
from hrnn.mice import alf
from hrnn.mice.fetching import ENVIRONMENT, default_folder, registry

if TYPE_CHECKING:
    import pandas as pd

File = Path | list[Path]  # a CSV file, or the ALF folders of a mouse
Problem = tuple[Any, str]  # which rows, and what must hold instead
Indices = NDArray[np.int64]
COLUMNS: tuple[str, ...] = (
    "trial_num",
    "session_num",
    "stim_probability_left",
    "contrast",
    "position",
    "response_choice",
    "trial_correct",
    "reaction_time",
)
POSITION: float = 35.0  # degrees of the stimulus to either side
P_LEFT: tuple[float, ...] = (0.2, 0.5, 0.8)  # blocks of the biasedChoiceWorld protocol
N_SHOWN: int = 5  # malformed lines quoted in an error
LINES_AT_ONCE: int = 100_000


def load(
    path: str | os.PathLike[str] | Mapping[str, ArrayLike] | pd.DataFrame | None = None,
    *,
    subjects: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read mice into one trial table, the table of `Rollout.trials`, a row per trial.

    Rows are in the order of subject, session and trial number. Every well-formed row is kept,
    no-go trials, missing reaction times, unbiased blocks and short sessions included; one
    malformed row refuses its file.

    Parameters
    ----------
    path : str, path-like, dict or DataFrame, optional
        A folder, all CSV files directly in it being mice; one CSV file; a folder without CSV files
        in or under which there are ALF sessions (``_ibl_trials.*.npy`` or
        ``_ibl_trials.table.pqt``), by subject and date; or the trials object of one session, as
        ``one.load_object(eid, 'trials')`` and SessionLoader give it. By default ``$HRNN_DATA_DIR``
        or, if that is not set, the files that `hrnn.mice.fetch` downloaded.
    subjects : list of str, optional
        Mice to read (file names without ``.csv``); by default all.

    Returns
    -------
    pandas.DataFrame
        ``subject``; ``session, block, trial, trial_in_block`` counted from 0 (blocks and trials
        within the session; an unbiased start is block 0); ``p_left``; ``block_side`` (0 in unbiased
        blocks) and ``side`` of the stimulus, -1 left and +1 right (0 where the file does not tell:
        zero-contrast no-go trials); ``strength`` (the contrast, 0 to 1) and ``signed_strength`` =
        side * strength; ``concordant`` (missing where one of the two sides is 0); ``choice`` (-1, 0
        for no-go, +1, right positive also where ALF has -1 for it); ``correct``; ``timeout``
        (no-go); ``reward`` (+1 or -1); ``reaction_time`` in seconds (of ALF: response - stimulus
        on); the file's own ``session_num, trial_num``.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder, or no CSV file in it.
    ValueError
        If a CSV file is not that of a mouse, naming the file and the lines that are wrong, or
        if `subjects` names a mouse that is not there.

    Warns
    -----
    UserWarning
        If a block probability is none of .2, .5, .8: another protocol; its rows are kept.

    Examples
    --------
    >>> from hrnn import mice
    >>> trials = mice.load("path/to/csvs")  # doctest: +SKIP
    >>> trials[~trials.timeout].groupby("subject").correct.mean()  # doctest: +SKIP
    """
    import pandas as pd

    if isinstance(path, (Mapping, pd.DataFrame)):
        tables = [_trial_table("subject", alf.rows_of(path, "path"))]
    else:
        files = _select(_mouse_files(path), subjects)
        tables = [_trial_table(subject, _read(file)) for subject, file in files.items()]
    trials = tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
    foreign: Any = trials[~trials["p_left"].isin(P_LEFT)]
    if len(foreign):
        warnings.warn(
            f"{len(foreign)} trials of {', '.join(foreign.subject.unique())} have a p_left of "
            f"{', '.join(map(str, foreign.p_left.unique()))}, not .2, .5 or .8; they are kept",
            stacklevel=2,
        )
    return trials


def _mouse_files(path: str | os.PathLike[str] | None) -> Mapping[str, File]:
    """Return subject -> CSV file, or list of ALF folders, in the order of the names."""
    source = _fetched_or_named() if path is None else as_path(path)
    if not source.is_dir():
        return {source.stem: source}
    files: dict[str, Path] = {}
    for file in sorted(source.iterdir()):
        if file.suffix.lower() != ".csv" or file.name.startswith(".") or file.is_dir():
            continue
        if file.stem in files:
            raise ValueError(f"{files[file.stem]} and {file} are both of mouse {file.stem}")
        files[file.stem] = file
    if files:
        return files
    folders: dict[str, list[Path]] = {}
    for folder in alf.sessions_in(source):
        folders.setdefault(alf.subject_of(folder), []).append(folder)
    if not folders:
        raise FileNotFoundError(
            f"there is no CSV file in the folder {source}, and no ALF session under it"
        )
    return folders


def _fetched_or_named() -> Path:
    """Return the default folder if it is there, the cache only if it is complete."""
    folder = default_folder()
    if os.environ.get(ENVIRONMENT):
        if not folder.exists():
            raise FileNotFoundError(f"{ENVIRONMENT} is {folder}, which does not exist")
        return folder
    names = registry()
    n_there = sum((folder / name).is_file() for name in names)
    if n_there < len(names):
        raise FileNotFoundError(
            f"no mouse data: {n_there} of {len(names)} files are in {folder}. Call "
            f"hrnn.mice.fetch() to download them, or name a folder of CSV files, either as "
            f"load(path) or in the environment variable {ENVIRONMENT}"
        )
    return folder


def _select(files: Mapping[str, File], subjects: Any) -> Mapping[str, File]:
    """Keep the files of the named mice."""
    if subjects is None:
        return files
    listed = np.iterable(subjects) and not isinstance(subjects, str)
    if not listed or not all(isinstance(name, str) for name in subjects):
        raise TypeError(f"subjects must be a list of names, got {subjects!r}")
    wanted = list(subjects)
    there = list(files)
    unknown = [name for name in wanted if name not in there]
    if unknown or not wanted:
        raise ValueError(
            f"subjects must name one or more of {', '.join(there)}; got {unknown or wanted}"
        )
    return {name: file for name, file in files.items() if name in wanted}


def _read(file: File) -> pd.DataFrame:
    """Return the checked rows of a mouse as numbers, in the order of session and trial."""
    if isinstance(file, list):
        return _sessions([alf.rows_of(alf.read(folder), str(folder)) for folder in file])
    return _read_csv(file)


def _sessions(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of several sessions, numbered from 1, as one table."""
    import pandas as pd

    numbered = [rows.assign(session_num=k + 1) for k, rows in enumerate(parts)]
    return pd.concat(numbered, ignore_index=True)


def _read_csv(file: Path) -> pd.DataFrame:
    """Return the checked rows of a CSV file as numbers, in the order of session and trial."""
    import pandas as pd

    data, starts = _lines(file)
    frame: Any = pd.read_csv(
        io.BytesIO(data),
        quoting=csv.QUOTE_NONE,
        keep_default_na=False,
        na_values={"reaction_time": ["", "NaN", "nan", "NA"]},
        low_memory=False,
    )
    said = frame["reaction_time"].notna()
    rows: Any = pd.DataFrame({name: _numbers(frame.pop(name)) for name in COLUMNS}, copy=False)
    unreadable = {name: rows[name].isna() for name in COLUMNS}
    unreadable["reaction_time"] &= said  # it may be missing, but only where the file says so
    problems = [(bad, f"{name} must be a number") for name, bad in unreadable.items()]
    _refuse(file, data, starts, problems + _impossible(rows))
    del frame, data, starts, unreadable, problems  # before a sorted copy is made
    order = np.lexsort([rows.trial_num, rows.session_num])
    if (np.diff(order) == 1).all():
        return rows
    return rows.iloc[order].reset_index(drop=True)


def _lines(file: Path) -> tuple[bytes, Indices]:
    """Return the bytes of a file and where its lines start, all with a field for each column.

    Lines are not cut out, which would take more memory than the table.
    """
    data = _text_of(file)
    n_columns = len(_header(file, data))
    text = np.frombuffer(data, np.uint8)
    starts = np.r_[0, np.flatnonzero(text == ord("\n")) + 1]
    if len(starts) == 1:
        raise ValueError(f"{file} has no trials, only a header")
    problem = (_commas(text, starts) != n_columns - 1, f"a row must have {n_columns} fields")
    _refuse(file, data, starts, [problem])
    return data, starts


def _text_of(file: Path) -> bytes:
    """Return the bytes of a file, whose lines end with a newline alone."""
    if not file.is_file():
        raise FileNotFoundError(f"{file} does not exist or is not a regular file")
    data = file.read_bytes().rstrip()
    if not data:
        raise ValueError(f"{file} is empty")
    if not _is_text(data):
        raise ValueError(f"{file} is not a CSV file in UTF-8")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def _header(file: Path, data: bytes) -> list[str]:
    """Return the names in the first line, each column's once among them."""
    header = data.partition(b"\n")[0].decode("utf-8-sig").split(",")
    missing = [name for name in COLUMNS if header.count(name) != 1]
    if missing:
        raise ValueError(
            f"{file} is not a mouse file: its first line must name each of {', '.join(COLUMNS)} "
            f"once, which is not so for {', '.join(missing)}"
        )
    return header


def _commas(text: NDArray[np.uint8], starts: Indices) -> Indices:
    """Return the number of commas in each line but the first, some lines at a time."""
    ends = np.r_[starts[1:], len(text)]
    counts: list[Indices] = []
    for first in range(1, len(starts), LINES_AT_ONCE):
        part = starts[first : first + LINES_AT_ONCE]
        last = ends[first + len(part) - 1]
        is_comma = text[part[0] : last] == ord(",")
        counts.append(np.add.reduceat(is_comma, part - part[0], dtype=np.int64))
    return np.concatenate(counts)


def _is_text(data: bytes) -> bool:
    """Return whether bytes are UTF-8 text, in which NUL has no place."""
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            return False
    return b"\0" not in data


def _numbers(column: Any) -> Any:
    """Return a column as float64, NaN where it does not hold a number."""
    import pandas as pd

    if column.dtype.kind not in "iuf":
        column = pd.to_numeric(column.astype(str), errors="coerce")
    return column.astype(np.float64)


def _impossible(rows: Any) -> list[Problem]:
    """Return (which rows, what must hold instead) for all that no session can contain."""
    side = np.sign(rows.position)
    choice = rows.response_choice
    no_side = (rows.position == 0) & ~((rows.contrast == 0) & (choice == 0))
    right = (choice == side) & (choice != 0)
    same = rows.duplicated(["session_num", "trial_num"])
    p_left = rows.stim_probability_left
    return [
        (~_is_count(rows.trial_num), "trial_num must be a whole number, 0 or more"),
        (~_is_count(rows.session_num), "session_num must be a whole number, 0 or more"),
        (~p_left.between(0, 1, inclusive="neither"), "stim_probability_left must be in (0, 1)"),
        (~rows.contrast.between(0, 1), "contrast must be in [0, 1]"),
        (~rows.position.isin([-POSITION, 0, POSITION]), "position must be -35 or 35"),
        (no_side, "position may be 0 only on a no-go trial of zero contrast"),
        (~choice.isin([-1, 0, 1]), "response_choice must be -1, 0 or 1"),
        (rows.trial_correct != right, "trial_correct must be 1 if the choice is the side, else 0"),
        (np.isinf(rows.reaction_time), "reaction_time must be finite or missing"),
        (same, "session_num and trial_num are those of an earlier row"),
    ]


def _is_count(column: Any) -> Any:
    """Return which entries are whole numbers that an int64 holds with room to spare."""
    return (column % 1 == 0) & column.between(0, 2**31)


def _refuse(file: Path, data: bytes, starts: Indices, problems: Sequence[Problem]) -> None:
    """Raise ValueError with the first malformed lines of a file, if there are any."""
    first: dict[int, str] = {}
    for bad, rule in problems:
        for row in np.flatnonzero(bad):
            first.setdefault(int(row), rule)
    if not first:
        return
    shown = "".join(
        f"\n  line {row + 2}: {first[row]}: {_line(data, starts, row + 1)}"
        for row in sorted(first)[:N_SHOWN]
    )
    more = f"\n  and {len(first) - N_SHOWN} more" if len(first) > N_SHOWN else ""
    raise ValueError(f"{file} has {len(first)} malformed rows:{shown}{more}")


def _line(data: bytes, starts: Indices, number: int) -> str:
    """Return the first 100 bytes of a line as text."""
    start = starts[number]
    line = data[start : start + 100].partition(b"\n")[0]
    return line.decode("utf-8", "replace")


def _trial_table(subject: str, rows: Any) -> pd.DataFrame:
    """Return the trial table of one mouse from its checked and ordered rows."""
    import pandas as pd

    session_num = rows.session_num.to_numpy()
    p_left = rows.stim_probability_left.to_numpy()
    new_session = np.diff(session_num, prepend=-1) != 0
    new_block = new_session | (np.diff(p_left, prepend=0) != 0)
    n_blocks = np.cumsum(new_block)
    block_side = np.sign(0.5 - p_left).astype(np.int64)
    side = np.sign(rows.position).astype(np.int64)
    concordant: Any = pd.array(side == block_side, dtype="boolean")
    concordant[(side == 0) | (block_side == 0)] = pd.NA
    choice = rows.response_choice.astype(np.int64)
    correct = rows.trial_correct == 1
    return pd.DataFrame(
        {
            "subject": subject,
            "session": np.cumsum(new_session) - 1,
            "block": n_blocks - n_blocks[_start(new_session)],
            "trial": _since(new_session),
            "trial_in_block": _since(new_block),
            "p_left": p_left.copy(),
            "block_side": block_side,
            "side": side,
            "strength": rows.contrast.to_numpy(copy=True),
            "signed_strength": side * rows.contrast.to_numpy(),
            "concordant": concordant,
            "choice": choice,
            "correct": correct,
            "timeout": choice == 0,
            "reward": np.where(correct, 1.0, -1.0),
            "reaction_time": rows.reaction_time.to_numpy(copy=True),
            "session_num": rows.session_num.to_numpy(np.int64),
            "trial_num": rows.trial_num.to_numpy(np.int64),
        },
        copy=False,  # the arrays are nobody else's
    )


def _start(new: NDArray[np.bool_]) -> Indices:
    """Return for each row the row where its group began."""
    row = np.arange(len(new))
    return np.maximum.accumulate(np.where(new, row, 0))


def _since(new: NDArray[np.bool_]) -> Indices:
    """Return for each row the number of rows since its group began."""
    return np.arange(len(new)) - _start(new)


def from_one(one: Any, eids: Iterable[str]) -> pd.DataFrame:
    """Read sessions through ONE into one trial table, as `load` gives it.

    Parameters
    ----------
    one : one.api.One
        Of the extra ``hrnn[ibl]``; local or remote, as it was made.
    eids : list of str
        Sessions, in the order in which they took place.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    ValueError
        If there are no eids, or a session is malformed, naming it.

    Examples
    --------
    >>> from hrnn import mice
    >>> trials = mice.from_one(one, one.search(subject="KS014"))  # doctest: +SKIP
    """
    import pandas as pd

    eids = list(eids)
    if not eids:
        raise ValueError("eids must name at least one session, got none")
    sessions: dict[str, list[pd.DataFrame]] = {}
    for eid in eids:
        subject = str(one.get_details(eid)["subject"])
        rows = alf.rows_of(dict(one.load_object(eid, "trials")), str(eid))
        sessions.setdefault(subject, []).append(rows)
    tables = [
        _trial_table(subject, _sessions(parts)) for subject, parts in sorted(sessions.items())
    ]
    return pd.concat(tables, ignore_index=True)
