"""Whose row is this: subject, session, date, number and trial of every row, decided here alone."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from hrnn.base.arguments import one_of

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
ON_ERROR: tuple[str, ...] = ("raise", "skip")
N_SHOWN: int = 20  # sessions named in an error
SUBJECT: str = "subject"  # name of a mouse that nobody named


@dataclasses.dataclass(frozen=True, eq=False)
class Session:
    """One session: whose it is, and its rows.

    Attributes
    ----------
    subject : str
        Name of the mouse.
    source : str
        Where it comes from, for messages.
    rows : DataFrame (R rows)
        Columns of `hrnn.mice.table.GIVEN` but subject and session, in the order of trials.
    date : str
        When it was, so that dates sort as text; empty if nobody knows.
    number : int or None
        Number of the session on its date.
    name : str
        What tells it from others of its subject, date and number: a folder, a label.
    about : dict
        Columns of one value that are kept: `eid, date, number, lab, protocol`.
    """

    subject: str
    source: str
    rows: pd.DataFrame
    date: str = ""
    number: int | None = None
    name: str = ""
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What no two sessions may share."""
        return (self.subject, self.date, -1 if self.number is None else self.number, self.name)


def joined(sessions: Sequence[Session]) -> pd.DataFrame:
    """Rows of all sessions, by subject and in the order in which the sessions took place.

    Sessions with dates are in the order of date and number, those without in the order given.

    Parameters
    ----------
    sessions : sequence of Session
        In any order if they have dates.

    Returns
    -------
    DataFrame
        Their rows with `subject`, `session` (from 0 in each subject) and what is known of them.

    Raises
    ------
    ValueError
        If a session is there twice, or some sessions of a subject have a date and some have not.
    """
    import pandas as pd

    refuse_doubles(sessions)
    parts: list[pd.DataFrame] = []
    for subject in sorted({session.subject for session in sessions}):
        own = [session for session in sessions if session.subject == subject]
        for code, session in enumerate(_in_order(own)):
            who = {"subject": subject, "session": code}
            parts.append(session.rows.assign(**who, **session.about))
    rows = pd.concat(parts, ignore_index=True)
    if "number" in rows and np.isnan(rows["number"].to_numpy(float)).any():
        rows["number"] = rows["number"].astype("Int64")
    return rows


def refuse_doubles(sessions: Sequence[Session]) -> None:
    """Raise ValueError if a session is there twice.

    Parameters
    ----------
    sessions : sequence of Session
        All sessions.
    """
    seen: dict[Any, Session] = {}
    for session in sessions:
        eid = session.about.get("eid")
        keys: list[Any] = [session.key]
        if eid is not None:
            keys.append((session.subject, "eid", str(eid)))
        for key in keys:
            other = seen.setdefault(key, session)
            if other is not session:
                raise ValueError(
                    f"a session must be there once, but {session.source} and {other.source} are "
                    f"the same session of {session.subject}"
                )


def _in_order(sessions: list[Session]) -> list[Session]:
    """Sessions of one subject as they took place."""
    n_dated = sum(bool(session.date) for session in sessions)
    if not n_dated:
        return sessions
    if n_dated < len(sessions):
        without = next(session for session in sessions if not session.date)
        raise ValueError(
            f"sessions of {without.subject} must all have a date, or none, but {without.source} "
            "has none and others have one"
        )
    return sorted(sessions, key=lambda session: (*session.key[1:3], natural(session.name)))


def natural(text: object) -> tuple[tuple[int, int, str], ...]:
    """Key that sorts names with numbers in them as a reader would: ses-2 before ses-10.

    Parameters
    ----------
    text : object
        A name, or a number.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return ((0, int(text), f"{text}"),)
    parts = re.split(r"(\d+)", str(text))
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


# ---- what cannot be read ----


def gathered(
    readers: Iterable[tuple[str, Callable[[], T]]], on_error: str
) -> tuple[list[T], list[dict[str, str]]]:
    """Read every source; name all that are malformed at once, or leave them out.

    Parameters
    ----------
    readers : iterable of (str, callable)
        Name of each source, and what reads it.
    on_error : {"raise", "skip"}
        What happens to sources that cannot be read.

    Returns
    -------
    found : list
        What was read.
    left_out : list of dict
        `source` and `reason` of each that was not.

    Raises
    ------
    ValueError
        If a source is malformed and `on_error` is "raise", or none can be read.
    """
    one_of(on_error, "on_error", ON_ERROR)
    found: list[T] = []
    errors: list[tuple[str, Exception]] = []
    for source, read in readers:
        try:
            found.append(read())
        except (ValueError, TypeError, OSError) as error:
            errors.append((source, error))
    if errors and (on_error == "raise" or not found):
        _raise(errors, len(found) + len(errors))
    left_out = [{"source": source, "reason": str(error)} for source, error in errors]
    if left_out:
        warnings.warn(
            f"{len(left_out)} of {len(found) + len(errors)} sources are left out; "
            "hrnn.mice.left_out(table) tells why",
            stacklevel=4,
        )
    return found, left_out


def _raise(errors: list[tuple[str, Exception]], n: int) -> None:
    """Raise the only error, or one that names all sources that are malformed."""
    if len(errors) == 1:
        raise errors[0][1]
    named = [(source, str(error)) for source, error in errors[:N_SHOWN]]
    lines = [
        f"\n{text}" if text.startswith(source) else f"\n{source}: {text}" for source, text in named
    ]
    more = f"\nand {len(errors) - N_SHOWN} more" if len(errors) > N_SHOWN else ""
    raise ValueError(f"{len(errors)} of {n} sources are malformed:{''.join(lines)}{more}")


def left_out(trials: pd.DataFrame) -> pd.DataFrame:
    """What `load(..., on_error="skip")` left out, and why.

    Parameters
    ----------
    trials : DataFrame
        The table that `load`, `from_frame` or `from_one` returned.

    Returns
    -------
    DataFrame
        `source` and `reason`, a row for each session (or CSV file) that was left out.

    Examples
    --------
    >>> import pandas as pd
    >>> len(left_out(pd.DataFrame({"subject": []})))
    0
    """
    import pandas as pd

    if not isinstance(trials, pd.DataFrame):
        raise TypeError(f"trials must be a DataFrame, got {type(trials).__name__}")
    return pd.DataFrame(trials.attrs.get("left_out", []), columns=["source", "reason"])
