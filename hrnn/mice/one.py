"""Sessions through ONE, the IBL's library of data, whatever the order in which it names them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hrnn.mice import alf
from hrnn.mice.frames import table_of_sessions
from hrnn.mice.sessions import Session

if TYPE_CHECKING:
    import pandas as pd

KEPT: dict[str, str] = {"lab": "lab", "task_protocol": "protocol"}  # of the details, as columns


def from_one(one: Any, eids: Iterable[str], *, on_error: str = "raise") -> pd.DataFrame:
    """Read sessions through ONE into one trial table, as `load` gives it, in order of their dates.

    Parameters
    ----------
    one : one.api.One
        Of the extra ``hrnn[ibl]``; local or remote, as it was made.
    eids : list of str
        Sessions in any order, each once.
    on_error : {"raise", "skip"}
        Whether malformed sessions are named in an error, or left out (`left_out` tells why).

    Returns
    -------
    pandas.DataFrame
        With `eid, date, number, lab, protocol` of each session, where ONE has them.

    Raises
    ------
    ValueError
        If there are no eids, one is there twice, or sessions are malformed, naming them.

    Examples
    --------
    >>> from hrnn import mice
    >>> trials = mice.from_one(one, one.search(subject="KS014"))  # doctest: +SKIP
    """
    if not (hasattr(one, "get_details") and hasattr(one, "load_object")):
        raise TypeError(f"one must be a one.api.One, got {type(one).__name__}")
    if not np.iterable(eids):
        raise TypeError(f"eids must be a list of sessions, got {type(eids).__name__}")
    wanted = [eids] if isinstance(eids, str) else list(eids)
    if not wanted:
        raise ValueError("eids must name at least one session, got none")
    names = [str(eid) for eid in wanted]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"eids must name each session once, but {', '.join(twice)} is there twice")
    readers = [
        (name, functools.partial(_read, one, eid)) for name, eid in zip(names, wanted, strict=True)
    ]
    return table_of_sessions(readers, on_error)


def _read(one: Any, eid: Any) -> Session:
    """One session, and what ONE knows of it."""
    try:
        details = dict(one.get_details(eid))
        trials = one.load_object(eid, "trials")
    except Exception as error:  # whatever ONE, or the network, makes of it
        raise ValueError(f"session {eid} could not be read through ONE: {error}") from error
    if "subject" not in details:
        raise ValueError(f"session {eid} must have a subject, but ONE tells none")
    about: dict[str, Any] = {"eid": str(eid)}
    about |= {ours: str(details[name]) for name, ours in KEPT.items() if details.get(name)}
    date = _date(details)
    if date:
        about["date"] = date
    number = details.get("number")
    if number is not None:
        about["number"] = int(number)
    rows = alf.rows_of(_arrays(trials), str(eid))
    return Session(
        subject=str(details["subject"]),
        source=str(eid),
        rows=rows,
        date=date,
        number=about.get("number"),
        name=str(eid),
        about=about,
    )


def _arrays(trials: Any) -> Any:
    """The trials object as a mapping of arrays."""
    return dict(trials) if isinstance(trials, Mapping) else trials


def _date(details: Mapping[str, Any]) -> str:
    """Date of a session as ISO text, empty if ONE tells none."""
    for name in ("date", "start_time"):
        value = details.get(name)
        if value is not None and str(value) not in ("", "NaT"):
            return str(np.datetime64(str(value)[:10]))
    return ""
