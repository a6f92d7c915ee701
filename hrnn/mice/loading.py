"""One door for the data of mice: CSV files, trees of ALF sessions, trials objects, tables."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from hrnn.base.arguments import as_path
from hrnn.behavior.contradictions import warn_of_codes
from hrnn.mice import alf, csv_files, folders
from hrnn.mice.fetching import ENVIRONMENT, default_folder, registry
from hrnn.mice.frames import sessions_of, table_of_sessions
from hrnn.mice.protocols import warn_of_protocols
from hrnn.mice.sessions import SUBJECT, Session, gathered
from hrnn.mice.table import table_of

if TYPE_CHECKING:
    import pandas as pd

    TrialsObject = Mapping[str, ArrayLike] | pd.DataFrame

Reader = tuple[str, Callable[[], Session]]


def load(
    path: str
    | os.PathLike[str]
    | TrialsObject
    | Mapping[str, TrialsObject]
    | Sequence[TrialsObject]
    | None = None,
    *,
    subjects: Sequence[str] | None = None,
    subject: str | None = None,
    on_error: str = "raise",
) -> pd.DataFrame:
    """Read mice into one trial table, the table of `Rollout.trials`, a row per trial.

    Rows are in the order of subject, session and trial; `(subject, session, trial)` names a row,
    and nothing may be there twice. Every well-formed row is kept, no-go trials, missing times,
    unbiased blocks and short sessions included.

    Parameters
    ----------
    path : str, path-like, DataFrame, dict or list, optional
        * A folder of CSV files, each a mouse; or one CSV file.
        * A folder in or under which there are ALF sessions (``_ibl_trials.*.npy`` or
          ``_ibl_trials.table.pqt``; of dated revisions the newest), or one parquet file.
        * The trials object of one session, as ``one.load_object(eid, 'trials')`` and
          SessionLoader give it; a dict ``{name: trials object}`` or a list of them, in the order of
          the sessions.
        * A DataFrame of many sessions, as ``one.load_aggregate`` gives it, with columns such as
          ``subject, session, session_start_time``; and any table that `from_frame` takes.

        By default ``$HRNN_DATA_DIR`` or, if that is not set, the files that `hrnn.mice.fetch`
        downloaded.
    subjects : list of str, optional
        Mice to read; by default all.
    subject : str, optional
        Name of the mouse, for trials objects, which do not tell it; by default "subject".
    on_error : {"raise", "skip"}
        Whether all malformed sessions (of CSV files: files) are named in an error, or left out with
        a warning; `left_out(table)` then tells which, and why.

    Returns
    -------
    pandas.DataFrame
        ``subject``; ``session, block, trial, trial_in_block`` counted from 0 (sessions by date
        where there are dates; blocks, which are runs of one p_left, and trials within the session;
        gaps in the file's numbers of trials are kept); ``p_left``; ``block_side`` (0 at .5) and
        ``side`` of the stimulus, -1 left and +1 right (0 where the file does not tell:
        zero-contrast no-go trials); ``strength`` (the contrast, 0 to 1, six decimals) and
        ``signed_strength`` = side * strength; ``concordant`` (missing where one of the two sides is
        0); ``choice`` (-1, 0 for no-go, +1, right positive also where ALF has -1 for it);
        ``correct``; ``timeout`` (no-go); ``reward`` (+1 or -1); ``response_time``, response -
        stimulus on, in seconds (what the CSV files call reaction_time), and ``reaction_time``,
        first movement - stimulus on, where ALF has it. Missing times are NaN, negative ones are
        kept, infinite ones are missing. Then what the source knows beside: ``eid, date, number,
        lab, protocol``, ``session_num, trial_num`` and any other columns.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder, or nothing to read in it.
    ValueError
        If sessions are malformed, naming all of them and rows or lines that are wrong; if it cannot
        be told whose a row is; or if `subjects` names a mouse that is not there.

    Warns
    -----
    UserWarning
        If sessions are of another protocol (p_left, short blocks, no biased block), if choices look
        mirrored, or times are infinite, each by name; all rows are kept.

    Examples
    --------
    >>> from hrnn import mice
    >>> trials = mice.load("path/to/csvs")  # doctest: +SKIP
    >>> trials[~trials.timeout].groupby("subject").correct.mean()  # doctest: +SKIP
    """
    import pandas as pd

    if subject is not None and not isinstance(subject, str):
        raise TypeError(f"subject must be a name, got {subject!r}")
    if isinstance(path, (Mapping, pd.DataFrame, list, tuple)):
        table = table_of_sessions(_objects(path, subject), on_error)
        table = _of_subjects(table, subjects)
    else:
        if subject is not None:
            raise ValueError("subject must be left out where files tell whose sessions are")
        table = _from_path(path, subjects, on_error)
    warn_of_codes(table, "trials")
    return table


def _objects(given: Any, subject: str | None) -> list[Reader]:
    """Readers of the sessions of trials objects: one, a dict, a list, or a table of several."""
    import pandas as pd

    if isinstance(given, pd.DataFrame):
        return sessions_of(given, "path", subject)
    if isinstance(given, Mapping) and not _is_dict_of_objects(given):
        return [("path", functools.partial(_object, given, "path", "", subject))]
    pairs = list(given.items()) if isinstance(given, Mapping) else list(enumerate(given))
    if not pairs or not all(isinstance(trials, (Mapping, pd.DataFrame)) for _, trials in pairs):
        raise TypeError(
            "path must be a path, a trials object, or some of these in a list or dict, got "
            f"{str(given):.60}"
        )
    readers: list[Reader] = []
    for name, trials in pairs:
        source = f"path[{name!r}]"
        if isinstance(trials, pd.DataFrame):
            readers += _frame(trials, source, str(name), subject)
        else:
            readers.append((source, functools.partial(_object, trials, source, str(name), subject)))
    return readers


def _is_dict_of_objects(given: Mapping[str, Any]) -> bool:
    """Whether a dict holds trials objects, not the arrays of one."""
    import pandas as pd

    return any(isinstance(value, (Mapping, pd.DataFrame)) for value in given.values())


def _frame(trials: pd.DataFrame, source: str, name: str, subject: str | None) -> list[Reader]:
    """Readers of the sessions of a table that is one of several, and has a name among them."""
    own = sessions_of(trials, source, None if "subject" in trials else subject)
    if len(own) > 1 or "session" in trials or "eid" in trials:
        return own
    return [(source, functools.partial(_with_name, own[0][1], name))]


def _with_name(read: Callable[[], Session], name: str) -> Session:
    """A session by the name that it has among others."""
    import dataclasses

    session = read()
    return dataclasses.replace(session, name=name, about={"eid": name, **session.about})


def _object(given: Any, source: str, name: str, subject: str | None) -> Session:
    """The session of one trials object."""
    rows = alf.rows_of(given, source)
    about = {"eid": name} if name else {}
    return Session(SUBJECT if subject is None else subject, source, rows, name=name, about=about)


def _from_path(path: Any, subjects: Any, on_error: str) -> pd.DataFrame:
    """Trial table of files."""
    import pandas as pd

    source = _fetched_or_named() if path is None else as_path(path)
    if source.suffix.lower() in folders.TABLES:
        frame = pd.DataFrame(folders.table_in(source))
        table = table_of_sessions(sessions_of(frame, str(source), None), on_error)
        return _of_subjects(table, subjects)
    files = _csv_files(source)
    if not files:
        found = folders.sessions_in(source)
        if not found:
            raise FileNotFoundError(
                f"there is no CSV file in the folder {source}, and no ALF session under it"
            )
        wanted = _wanted([folder.subject for folder in found], subjects)
        chosen = [folder for folder in found if folder.subject in wanted]
        return table_of_sessions(folders.readers(chosen), on_error)
    wanted = _wanted(files, subjects)
    readers = [
        (str(file), functools.partial(csv_files.rows_of, file))
        for name, file in files.items()
        if name in wanted
    ]
    tables, left_out = gathered(readers, on_error)
    table = table_of(pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0])
    warn_of_protocols(table)
    if left_out:
        table.attrs["left_out"] = left_out
    return table


def _csv_files(source: Path) -> dict[str, Path]:
    """Return subject -> CSV file in the order of the names; none where only ALF is to be read."""
    if not source.is_dir():
        return {source.stem: source}
    files: dict[str, Path] = {}
    for file in sorted(source.iterdir()):
        if file.suffix.lower() != ".csv" or file.name.startswith(".") or file.is_dir():
            continue
        if file.stem in files:
            raise ValueError(f"{files[file.stem]} and {file} are both of mouse {file.stem}")
        files[file.stem] = file
    if not files or not _has_folders(source):
        return files
    n_mice = sum(csv_files.is_mouse(file) for file in files.values())
    if folders.sessions_in(source):
        left, read = ("ALF sessions", "CSV files") if n_mice else ("CSV files", "ALF sessions")
        warnings.warn(
            f"{source} holds {read}, which are read, and {left}, which are not", stacklevel=4
        )
        return files if n_mice else {}
    return files


def _has_folders(source: Path) -> bool:
    return any(entry.is_dir() for entry in source.iterdir())


def _of_subjects(table: pd.DataFrame, subjects: Any) -> pd.DataFrame:
    """Keep the trials of the named mice."""
    if subjects is None:
        return table
    wanted = _wanted(table["subject"].unique(), subjects)
    kept: Any = table[table["subject"].isin(wanted)]
    return kept.reset_index(drop=True)


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


def _wanted(there: Any, subjects: Any) -> list[str]:
    """The mice to read, all of which are there."""
    names = sorted(set(there))
    if subjects is None:
        return names
    listed = np.iterable(subjects) and not isinstance(subjects, str)
    if not listed or not all(isinstance(name, str) for name in subjects):
        raise TypeError(f"subjects must be a list of names, got {subjects!r}")
    wanted = list(subjects)
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted:
        raise ValueError(
            f"subjects must name one or more of {', '.join(names)}; got {unknown or wanted}"
        )
    return wanted
