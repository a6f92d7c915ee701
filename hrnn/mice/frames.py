"""Any table of trials as the trial table: columns by name, sessions told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrnn.mice import alf
from hrnn.mice.protocols import warn_of_protocols
from hrnn.mice.sessions import SUBJECT, Session, gathered, joined, natural
from hrnn.mice.table import table_of

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
WHO: dict[str, tuple[str, ...]] = {  # what tells sessions apart, and under which names it comes
    "session": ("session",),
    "eid": ("eid",),
    "date": ("date", "session_start_time", "start_time"),
    "number": ("number", "session_number"),
    "lab": ("lab",),
    "protocol": ("protocol", "task_protocol"),
}
APART: tuple[str, ...] = ("session", "eid", "date", "number")  # two values are two sessions
ABOUT: tuple[str, ...] = ("eid", "date", "number", "lab", "protocol")  # kept as columns
ORDER: tuple[str, ...] = ("trial", "trial_num")  # columns that number the trials of a session
CLOCKS: tuple[str, ...] = ("intervals_0", "goCue_times", "stimOn_times", "response_times")  # grow
N_ALIKE: int = 10  # as many rows, all of them there again, are doubles
OURS: tuple[str, ...] = (
    "choice",
    "side",
    "strength",
    "signed_strength",
    "p_left",
    "correct",
    "response_time",
    "reaction_time",
    "subject",
    *ORDER,
    *(name for names in WHO.values() for name in names),
)
DERIVED: tuple[str, ...] = ("block", "trial_in_block")  # numbered anew: rows may have been left out


def from_frame(
    frame: pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    subject: str | None = None,
    on_error: str = "raise",
) -> pd.DataFrame:
    """Read any table with a row a trial into the trial table of `load`.

    The minimum is `choice`; the side and size of the stimulus, as `signed_strength`, or as `side`
    and `strength`; and `p_left`. All else follows:

    ====================  ==========================================================================
    `side`                sign of `signed_strength`; at contrast 0 the side that `correct` tells, 0
                          (unknown) on trials without a choice
    `strength`            size of `signed_strength`
    `correct`             choice = side; given ones must agree
    `block`               runs of one `p_left` within a session
    `block_side`          sign of .5 - p_left
    `concordant`          side = block_side
    `trial`               the given `trial` (or `trial_num`), counted from 0, gaps kept; else rows
                          are taken to be in order, and must stand together, with times that grow
    `session`             sessions of a subject by date and number, where they are given, else by
                          their labels, counted from 0
    ====================  ==========================================================================

    Parameters
    ----------
    frame : DataFrame (R rows)
        The table. It is not changed.
    columns : dict, optional
        Names of the table's columns: ``{"resp": "choice"}`` (or the other way round).
    subject : str, optional
        Name of the mouse, where no column `subject` tells it.
    on_error : {"raise", "skip"}
        Whether malformed sessions are named in an error, or left out (`left_out` tells why).

    Returns
    -------
    DataFrame
        The trial table; `eid, date, number, lab, protocol` and all columns that hrnn does not know
        are kept.

    Raises
    ------
    TypeError, ValueError
        If columns are missing or contradict each other, naming sessions and rows.

    Examples
    --------
    >>> import pandas as pd
    >>> mine = pd.DataFrame({"resp": [-1, 1], "contrast": [-0.5, 0.25], "pl": [0.8, 0.8]})
    >>> names = {"resp": "choice", "contrast": "signed_strength", "pl": "p_left"}
    >>> from_frame(mine, columns=names)[["side", "correct", "concordant"]].values.tolist()
    [[-1, True, True], [1, True, False]]
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"frame must be a DataFrame, got {type(frame).__name__}")
    named = _renamed(frame, columns)
    return table_of_sessions(sessions_of(named, "frame", subject), on_error)


def table_of_sessions(
    readers: list[tuple[str, Callable[[], Session]]], on_error: str
) -> pd.DataFrame:
    """Trial table of sessions that are read one by one.

    Parameters
    ----------
    readers : list of (str, callable)
        Name of each session, and what reads it.
    on_error : {"raise", "skip"}
        As in `load`.
    """
    found, left_out = gathered(readers, on_error)
    rows = joined(found)
    if "session_num" in rows and rows["session_num"].equals(rows["session"]):
        rows = rows.drop(columns="session_num")
    table = table_of(rows)
    warn_of_protocols(table)
    if left_out:
        table.attrs["left_out"] = left_out
    return table


def sessions_of(
    frame: pd.DataFrame, name: str, subject: str | None
) -> list[tuple[str, Callable[[], Session]]]:
    """Readers of the sessions of a table, one for each, in the order in which they took place.

    Parameters
    ----------
    frame : DataFrame (R rows)
        With the names of this library or those of ALF.
    name : str
        What messages call it.
    subject : str or None
        Name of the mouse, where the table has none.
    """
    if not len(frame):
        raise ValueError(f"{name} must have at least one row, got an empty table")
    if not frame.columns.is_unique:
        doubled = list(frame.columns[frame.columns.duplicated()].unique())
        raise ValueError(f"{name} must have each column once, but has {doubled} more than once")
    if "subject" in frame and subject is not None:
        raise ValueError(f"subject must be left out where {name} has a column 'subject'")
    who = _who(frame, name)
    keys = ["subject", *(key for key in APART if key in who)]
    if "subject" not in who:
        who["subject"] = SUBJECT if subject is None else subject
    of_each = who.groupby(keys, sort=False, dropna=False, observed=True).indices
    labels = sorted(of_each, key=lambda label: tuple(natural(part) for part in _parts(label)))
    return [_reader(frame, who, of_each[label], name, len(labels)) for label in labels]


def _parts(label: Any) -> tuple[Any, ...]:
    return label if isinstance(label, tuple) else (label,)


def _reader(
    frame: pd.DataFrame, who: pd.DataFrame, rows: NDArray[np.intp], name: str, n: int
) -> tuple[str, Callable[[], Session]]:
    """Name and reader of one session."""
    first = who.iloc[rows[0]]
    label = " ".join(
        f"{key} {first[key]}" for key in ("subject", *APART) if key in who and first[key] != ""
    )
    source = f"{name} ({label})" if n > 1 else name

    def read() -> Session:
        own = frame.iloc[rows].drop(columns=_used(frame))
        kept = _in_order(own, rows, source)
        is_alf = any(attribute in frame for attribute in alf.ATTRIBUTES if attribute != "choice")
        found = alf.rows_of(kept, source) if is_alf else _rows(kept, source)
        return Session(source=source, rows=found, **_named(first))

    return source, read


def _used(frame: pd.DataFrame) -> list[str]:
    """Columns of a table that say whose rows are, in which `Session` keeps them."""
    names = ["subject", *(name for names in _names_of_who(frame).values() for name in names)]
    return [name for name in names if name in frame]


def _named(first: Any) -> dict[str, Any]:
    """Arguments of `Session` from its first row of `_who`."""
    about = {key: first[key] for key in ABOUT if key in first}
    session = first.get("session", "")
    if not isinstance(session, str):
        about["session_num"] = session
    elif session:
        about.setdefault("eid", session)
    number = about.get("number")
    return {
        "subject": str(first["subject"]),
        "date": str(about.get("date", "")),
        "number": None if number is None else int(number),
        "name": f"{session}" or str(about.get("eid", "")),
        "about": about,
    }


def _names_of_who(frame: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """`WHO` for one table: `session_num` names sessions where no column `session` does."""
    return WHO if "session" in frame else {**WHO, "session": ("session_num",)}


def _who(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Subject and what tells sessions apart, a column each, of every row."""
    import pandas as pd

    found: dict[str, Any] = {}
    for key, names in {"subject": ("subject",), **_names_of_who(frame)}.items():
        there = [column for column in names if column in frame]
        if len(there) > 1:
            raise ValueError(f"{name} must tell the {key} once, but has the columns {there}")
        if not there:
            continue
        values: Any = frame[there[0]]
        if key in ("subject", *APART) and values.isna().any():
            row = int(values.isna().to_numpy().argmax())
            raise ValueError(
                f"{name}[{there[0]!r}] must not be missing, but row {row} is {values.iloc[row]}"
            )
        found[key] = _as_label(values, key, f"{name}[{there[0]!r}]")
    return pd.DataFrame(found, index=frame.index)


def _as_label(values: Any, key: str, name: str) -> Any:
    """A column that says whose a row is: numbers stay numbers, dates become text that sorts."""
    import pandas as pd

    if key == "number":
        numbers: Any = pd.to_numeric(values, errors="coerce")
        if not (numbers % 1 == 0).all():
            raise ValueError(f"{name} must hold whole numbers, got {values.iloc[0]!r} and others")
        return numbers.astype(np.int64)
    if key == "date":
        return _as_date(values, name)
    if key == "session" and values.dtype.kind in "iu":
        return values.astype(np.int64)
    if key == "session" and values.dtype.kind == "f" and (values % 1 == 0).all():
        return values.astype(np.int64)
    return values.astype(str)


def _as_date(values: Any, name: str) -> Any:
    """Dates or times as ISO text."""
    import pandas as pd

    if values.dtype.kind in "iufb":
        raise ValueError(f"{name} must hold dates, got numbers such as {values.iloc[0]}")
    distinct = pd.Series(values.unique())
    try:
        parsed = {value: pd.Timestamp(value).isoformat() for value in distinct}
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} must hold dates ({error})") from None
    return values.map(parsed).str.removesuffix("T00:00:00").astype(str)


def _refuse_no_order(own: pd.DataFrame, rows: NDArray[np.intp], source: str) -> None:
    """Refuse a session without numbers of trials whose rows cannot be in the order of trials."""
    n_places = 1 + int((np.diff(rows) > 1).sum())
    if n_places > 1:
        raise ValueError(
            f"{source}: its rows stand in {n_places} places of the table, so that their order is "
            "not known: give a column trial, or sort the table by session and time"
        )
    clock = next((name for name in CLOCKS if name in own), None)
    times = np.zeros(0) if clock is None else _numbers(own, clock, source, missing=True)
    if (np.diff(times[np.isfinite(times)]) < 0).any():
        raise ValueError(
            f"{source}: its rows must be in the order of trials, and of one session, but {clock} "
            "goes back: sort them, or give a column session"
        )
    for n_times in (2, 3, 4):
        n, rest = divmod(len(own), n_times)
        if not rest and n >= N_ALIKE and _same(own.iloc[n:], own.iloc[:-n]):
            raise ValueError(f"{source}: its {n} rows are there {n_times} times over")


def _same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether rows hold the same values, whatever their labels."""
    return one.reset_index(drop=True).equals(other.reset_index(drop=True))


def _in_order(own: pd.DataFrame, rows: NDArray[np.intp], source: str) -> pd.DataFrame:
    """One session, from `rows` of a table, in the order of its trials, each once, in `trial`."""
    there = [column for column in ORDER if column in own]
    if len(there) > 1:
        order = own[there].rank().to_numpy()
        if (order[:, 0] != order[:, 1]).any():
            raise ValueError(f"{source}: trial and trial_num must tell one order")
    if not there:
        _refuse_no_order(own, rows, source)
        return own.assign(trial=np.arange(len(own)))
    trial = _numbers(own, there[0], source)
    if (trial % 1 != 0).any():
        raise ValueError(f"{source}: {there[0]} must hold whole numbers")
    order = np.argsort(trial, kind="stable")
    twice = np.flatnonzero(np.diff(trial[order]) == 0)
    if twice.size:
        raise ValueError(
            f"{source}: each trial must be there once, but {there[0]} {trial[order][twice[0]]:g} "
            f"occurs more than once ({twice.size} rows are doubles)"
        )
    return (
        own.drop(columns="trial", errors="ignore").assign(trial=trial.astype(np.int64)).iloc[order]
    )


# ---- columns of one session ----


def _renamed(frame: pd.DataFrame, columns: Mapping[str, str] | None) -> pd.DataFrame:
    """The table with the names of this library."""
    if columns is None:
        return frame
    if not isinstance(columns, Mapping):
        raise TypeError(f"columns must be a dict of names, got {type(columns).__name__}")
    known = {*OURS, *alf.ATTRIBUTES, *alf.TIMES}
    theirs = dict(columns)
    if not set(theirs) <= set(frame.columns):
        theirs = {value: key for key, value in columns.items()}
    missing = [name for name in theirs if name not in frame]
    if missing or len(theirs) < len(columns):
        raise ValueError(
            f"columns must name columns of frame, once each, but {missing} are not there"
        )
    unknown = [name for name in theirs.values() if name not in known]
    if unknown:
        raise ValueError(f"columns must map to names among {sorted(known)}, got {unknown}")
    hidden = [name for name in theirs.values() if name in frame and name not in theirs]
    if hidden:
        raise ValueError(f"columns must not give a name that frame has already, but {hidden} are")
    return frame.rename(columns=theirs)


def _rows(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Checked rows of one session from columns with the names of this library."""
    missing = [name for name in ("choice", "p_left") if name not in table]
    if "signed_strength" not in table:
        missing += [name for name in ("side", "strength") if name not in table]
    if missing:
        raise ValueError(
            f"{source} must have choice, p_left and signed_strength (or side and strength), but "
            f"lacks {', '.join(missing)}; columns={{'theirs': 'ours'}} renames"
        )
    values = {
        name: _numbers(table, name, source)
        for name in ("choice", "p_left", "signed_strength", "side", "strength", "correct", "reward")
        if name in table
    }
    values["side"], values["strength"] = _stimulus(values)
    alf.refuse(source, _impossible(values))
    rows = {
        "trial": table["trial"].to_numpy(),
        "p_left": values["p_left"],
        "strength": values["strength"],
        "side": values["side"].astype(np.int64),
        "choice": values["choice"].astype(np.int64),
    }
    made = table.drop(columns=[*rows, "signed_strength", *DERIVED], errors="ignore")
    times = {
        name: _numbers(table, name, source, missing=True)
        for name in ("response_time", "reaction_time")
        if name in table
    }
    return made.assign(**rows, **times)


def _numbers(table: pd.DataFrame, name: str, source: str, *, missing: bool = False) -> Floats:
    """A column as float64; only times may be missing."""
    try:
        values = table[name].to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise TypeError(
            f"{source}: {name} must hold numbers, got {table[name].iloc[0]!r} and others"
        ) from None
    bad = np.isnan(values)
    if not missing and bad.any():
        raise ValueError(f"{source}: {name} must not be missing, but row {bad.argmax()} is")
    return values


def _stimulus(values: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Side and strength of the stimulus, from signed strengths where those are missing."""
    if "side" in values and "strength" in values:
        return values["side"], values["strength"]
    signed = values.get("signed_strength")
    if signed is None:
        raise ValueError("signed_strength must be there, or side and strength")
    strength = values.get("strength", np.abs(signed))
    side = values.get("side", np.sign(signed))
    if "side" not in values and "correct" in values:
        told = np.where(values["correct"] != 0, values["choice"], -values["choice"])
        side = np.where(signed == 0, told, side)
    return side, strength


def _impossible(values: Mapping[str, Floats]) -> list[tuple[NDArray[np.bool_], str]]:
    """Which rows are impossible, and what must hold instead."""
    choice = values["choice"]
    side = values["side"]
    strength = values["strength"]
    p_left = values["p_left"]
    problems = [
        (~np.isin(choice, (-1, 0, 1)), "choice must be -1 (left), 0 (none) or 1 (right)"),
        (~np.isin(side, (-1, 0, 1)), "side must be -1, 0 (unknown) or 1"),
        (~((p_left >= 0) & (p_left <= 1)), "p_left must be in [0, 1]"),
        (~((strength >= 0) & (strength < np.inf)), "strength must be 0 or more"),
        ((side == 0) & (strength > 0), "side must be known where there is a stimulus"),
        (
            (side == 0) & (choice != 0),
            "side must be known where there is a choice: at contrast 0 side or correct tells it",
        ),
    ]
    if "signed_strength" in values:
        signed = values["signed_strength"]
        with np.errstate(invalid="ignore"):  # infinite ones are refused above
            differs = (np.abs(signed - side * strength) > 1e-6) & (side != 0)
        problems.append((differs, "signed_strength must be side * strength"))
    if "reward" in values:
        paid = (values["reward"] > 0) & ((side != choice) | (choice == 0))
        problems.append((paid, "reward must not be positive where choice is not the side"))
    if "correct" in values:
        right = (choice == side) & (choice != 0)
        wrong = values["correct"] != right
        problems.append((wrong, "correct must be 1 where choice is the side, else 0"))
    return problems
