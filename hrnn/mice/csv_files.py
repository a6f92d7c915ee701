"""CSV files of mice, one mouse a file: read whole, or refused with the lines that are wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

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
N_SHOWN: int = 5  # malformed lines quoted in an error
N_COLUMNS: int = 500  # that a file may have
LINES_AT_ONCE: int = 100_000
DELIMITERS: tuple[bytes, ...] = (b",", b";", b"\t")
BLANK: bytes = b" \"'"  # around names and numbers


def rows_of(file: Path) -> pd.DataFrame:
    """Rows of a mouse with the columns of `hrnn.mice.table.GIVEN`, by session and trial.

    Parameters
    ----------
    file : Path
        The file; its name is that of the mouse.

    Returns
    -------
    DataFrame
        With `session_num, trial_num` of the file and its other columns.

    Raises
    ------
    ValueError
        If the file is not that of a mouse, naming it and the lines that are wrong.
    """
    given: Any
    others: Any
    given, others = _read(file)
    session_num = given["session_num"].to_numpy(np.int64)
    new = np.diff(session_num, prepend=-1) != 0
    rows = {
        "subject": file.stem,
        "session": np.cumsum(new) - 1,
        "trial": given["trial_num"].to_numpy(np.int64),
        "p_left": given["stim_probability_left"],
        "strength": given["contrast"],
        "side": np.sign(given["position"]).astype(np.int64),
        "choice": given["response_choice"].astype(np.int64),
        "response_time": given["reaction_time"],
        "session_num": session_num,
        "trial_num": given["trial_num"].to_numpy(np.int64),
    }
    return others.assign(**rows)[[*rows, *others]]


def is_mouse(file: Path) -> bool:
    """Whether the first line of a file names the columns of a mouse."""
    try:
        _header(file, _text_of(file))
    except (ValueError, OSError):
        return False
    return True


def _read(file: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the checked rows as numbers, and the other columns, by session and trial."""
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
    del data, starts, unreadable, problems  # before a sorted copy is made
    order = np.lexsort([rows.trial_num, rows.session_num])
    if (np.diff(order) == 1).all():
        return rows, frame
    return rows.iloc[order].reset_index(drop=True), frame.iloc[order].reset_index(drop=True)


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
    return _with_commas(file, data)


def _with_commas(file: Path, data: bytes) -> bytes:
    """Return the bytes with plain fields between commas, if the first line is of another kind."""
    first = data.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0]
    wanted = {name.encode() for name in COLUMNS}
    if wanted <= set(first.split(b",")):
        return data
    for delimiter in DELIMITERS:
        names = [name.strip(BLANK) for name in first.split(delimiter)]
        if not wanted <= set(names):
            continue
        if delimiter != b"," and b"," in data:
            raise ValueError(f"{file} must have decimal points, but has commas between semicolons")
        lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        fields = ([field.strip(BLANK) for field in line.split(delimiter)] for line in lines)
        return b"\n".join(b",".join(line) for line in fields)
    return data


def _header(file: Path, data: bytes) -> list[str]:
    """Return the names in the first line, each column's once among them."""
    header = data.partition(b"\n")[0].decode("utf-8-sig").split(",")
    missing = [name for name in COLUMNS if header.count(name) != 1]
    if missing:
        raise ValueError(
            f"{file} is not a mouse file: its first line must name each of {', '.join(COLUMNS)} "
            f"once, separated by commas, which is not so for {', '.join(missing)}; the first line "
            f"is {','.join(header)[:200]!r}"
        )
    if len(header) > N_COLUMNS:
        raise ValueError(f"{file} must have at most {N_COLUMNS} columns, but has {len(header)}")
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
        (~_is_count(rows.trial_num), "trial_num must be a whole number from 0 to 2**31"),
        (~_is_count(rows.session_num), "session_num must be a whole number from 0 to 2**31"),
        (~p_left.between(0, 1), "stim_probability_left must be in [0, 1]"),
        (~rows.contrast.between(0, 1), "contrast must be in [0, 1]"),
        (~rows.position.isin([-POSITION, 0, POSITION]), "position must be -35 or 35"),
        (no_side, "position may be 0 only on a no-go trial of zero contrast"),
        (~choice.isin([-1, 0, 1]), "response_choice must be -1, 0 or 1"),
        (rows.trial_correct != right, "trial_correct must be 1 if the choice is the side, else 0"),
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
