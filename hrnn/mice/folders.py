"""ALF sessions in a tree of folders: which there are, whose they are, and their files.

Files are `_ibl_trials.<attribute>[.<uuid>].npy` and `_ibl_trials.table[.<uuid>].pqt`, in a folder
or in dated revisions `#<date>#` of it, of which the newest wins, attribute by attribute.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrnn.mice import alf
from hrnn.mice.sessions import Session, natural

OBJECT: str = "_ibl_trials."
TABLE: str = "table"
TABLES: tuple[str, ...] = (".pqt", ".parquet")
N_FOLDERS: int = 200_000  # that are searched
DATE: re.Pattern[str] = re.compile(r"(\d{4})[-_](\d{2})[-_](\d{2})|(\d{4})(\d{2})(\d{2})")
REVISION: re.Pattern[str] = re.compile(r"#.*#")
SESSION: re.Pattern[str] = re.compile(r"(ses|sess|session|day|run)?[-_ ]?\d+", re.IGNORECASE)
LAYOUT: str = "<subject>/<date>/<number>/alf, <subject>/ses-<number> or <subject>"


Files = dict[str, dict[str, Path]]  # {revision: {attribute: file}}


@dataclasses.dataclass(frozen=True, eq=False)
class Folder:
    """The files of one session, and whose they are.

    Attributes
    ----------
    path : Path
        The folder.
    files : dict
        Files of each revision, {revision: {attribute: file}}; the folder itself is revision "".
    subject, date, name : str
        Whose it is and when it was; empty if the path does not tell.
    number : int or None
        Of the session on its date.
    lab : str
        Name of the lab, in paths with a folder ``Subjects``.
    home : Path
        The folder of the subject.
    """

    path: Path
    files: Files
    subject: str
    home: Path
    date: str = ""
    number: int | None = None
    name: str = ""
    lab: str = ""


def sessions_in(root: Path) -> list[Folder]:
    """All sessions in or under a folder, by subject, date, number and name.

    Parameters
    ----------
    root : Path
        The folder.

    Raises
    ------
    ValueError
        If the path of a session does not tell whose it is, one subject is in two places, or there
        are too many folders to search.
    """
    files: dict[Path, Files] = {}
    for folder, names in _walk(root):
        revision = folder.name[1:-1] if REVISION.fullmatch(folder.name) else ""
        session = folder.parent if REVISION.fullmatch(folder.name) else folder
        files.setdefault(session, {})[revision] = _attributes(folder, names)
    found = [_whose(path, root, own) for path, own in files.items()]
    _refuse_two_homes(found)
    return sorted(found, key=_when)


def readers(folders: list[Folder]) -> list[tuple[str, Callable[[], Session]]]:
    """What reads each session, with its name.

    Parameters
    ----------
    folders : list of Folder
        Sessions.
    """
    return [(str(folder.path), functools.partial(_read, folder)) for folder in folders]


def _when(folder: Folder) -> tuple[Any, ...]:
    number = -1 if folder.number is None else folder.number
    return (folder.subject, folder.date, number, natural(folder.name))


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Folders with files of trials, also behind links, each once; in the order of their names."""
    seen: set[str] = set()
    for n, (path, folders, names) in enumerate(os.walk(root, followlinks=True)):
        if n >= N_FOLDERS:
            raise ValueError(
                f"path must hold fewer than {N_FOLDERS} folders, but {root} holds more: name the "
                "folder of the sessions"
            )
        real = os.path.realpath(path)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        trials = sorted(name for name in names if name.startswith(OBJECT))
        if trials:
            yield Path(path), trials


def _attributes(folder: Path, names: list[str]) -> dict[str, Path]:
    """The file of each attribute, {attribute: file}."""
    found: dict[str, Path] = {}
    for name in names:
        if not name.endswith((".npy", *TABLES)):
            continue
        attribute = name.split(".")[1]
        if attribute in found:
            raise ValueError(
                f"{folder} must have one file of {attribute}, but has {found[attribute].name} and "
                f"{name}"
            )
        found[attribute] = folder / name
    return found


def _whose(path: Path, root: Path, files: Files) -> Folder:
    """Whose session is in a folder, from its path."""
    resolved = root.resolve()
    parts = resolved.parts + path.relative_to(root).parts
    dated = [i for i, part in enumerate(parts) if i > 1 and DATE.fullmatch(part)]
    if dated:
        return _dated(path, parts, dated[-1], files)
    kept = [i for i, part in enumerate(parts) if part != "alf"]
    depth = sum(i >= len(resolved.parts) for i in kept)
    own = parts[kept[-1]]
    if SESSION.fullmatch(own) and len(kept) > 1:
        home = Path(*parts[: kept[-2] + 1])
        return Folder(path, files, parts[kept[-2]], home, name=own)
    if depth > 1:
        raise ValueError(
            f"{path}: the path must tell the subject and the session; it may end in {LAYOUT}"
        )
    return Folder(path, files, own, Path(*parts[: kept[-1] + 1]))


def _dated(path: Path, parts: tuple[str, ...], i: int, files: Files) -> Folder:
    """Session in …/<lab>/Subjects/<subject>/<date>/<number>/alf; `parts[i]` is the date."""
    after = [part for part in parts[i + 1 :] if part != "alf"]
    number = int(after.pop(0)) if after and after[0].isdecimal() else None
    match = DATE.fullmatch(parts[i])
    digits = [group for group in match.groups() if group] if match else []
    lab = parts[i - 3] if i > 2 and parts[i - 2] == "Subjects" else ""
    return Folder(
        path,
        files,
        parts[i - 1],
        Path(*parts[:i]),
        date="-".join(digits),
        number=number,
        name="/".join(after),
        lab=lab,
    )


def _refuse_two_homes(folders: list[Folder]) -> None:
    """Raise ValueError if two folders have one name of a subject, which may be two animals."""
    homes: dict[str, Folder] = {}
    for folder in folders:
        other = homes.setdefault(folder.subject, folder)
        if other.home != folder.home and (other.lab != folder.lab or not folder.date):
            raise ValueError(
                f"a subject must be in one folder, but {folder.subject} is in {other.home} and "
                f"{folder.home}: load each alone and give them names of their own"
            )


def _read(folder: Folder) -> Session:
    """The session of a folder."""
    trials: dict[str, NDArray[Any]] = {}
    for revision in sorted(folder.files):
        files = folder.files[revision]
        if TABLE in files:
            trials |= table_in(files[TABLE])
        for attribute, file in files.items():
            if attribute != TABLE:
                trials[attribute] = array_in(file)
    about: dict[str, Any] = {}
    if folder.date:
        about["date"] = folder.date
    if folder.number is not None:
        about["number"] = folder.number
    if folder.lab:
        about["lab"] = folder.lab
    if folder.name:
        about["eid"] = folder.name
    return Session(
        subject=folder.subject,
        source=str(folder.path),
        rows=alf.rows_of(trials, str(folder.path)),
        date=folder.date,
        number=folder.number,
        name=folder.name,
        about=about,
    )


def table_in(file: Path) -> dict[str, Any]:
    """Columns of a parquet file, or an error that names it.

    Parameters
    ----------
    file : Path
        The file.
    """
    import pandas as pd

    try:
        table = pd.read_parquet(file)
    except ImportError as error:
        raise ImportError(
            f"{file} needs pyarrow, which comes with pip install 'hrnn[ibl]'"
        ) from error
    except Exception as error:  # whatever a damaged file makes of the library that reads it
        raise ValueError(f"{file} is not a whole parquet file ({_line(error)})") from error
    return {str(name): column for name, column in table.items()}


def array_in(file: Path) -> NDArray[Any]:
    """The array of a .npy file, or an error that names it.

    Parameters
    ----------
    file : Path
        The file.
    """
    try:
        array = np.load(file, allow_pickle=False)
    except Exception as error:  # whatever a damaged file makes of the library that reads it
        raise ValueError(f"{file} is not a whole .npy file of numbers ({_line(error)})") from error
    if not isinstance(array, np.ndarray) or not array.ndim:
        raise ValueError(f"{file} must hold one array with an entry a trial")
    return array


def _line(error: Exception) -> str:
    """First line of what a library said, without advice to read a file unsafely."""
    text = str(error).partition("\n")[0] or type(error).__name__
    return "pickled objects" if "pickle" in text else text[:100]
