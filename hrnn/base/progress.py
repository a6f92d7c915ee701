"""A progress bar for long work."""

from __future__ import annotations

from typing import Any

from hrnn.base.arguments import flag

SECONDS: float = 1.0  # of work before a bar is shown


def bar(progress: bool, total: int, **options: Any) -> Any:
    """Make a progress bar, or its silent stand-in.

    Parameters
    ----------
    progress : bool
        True shows the bar where a person can see it, if the work takes longer than a second; False
        shows nothing.
    total : int
        Number of pieces of the work.
    **options
        Further arguments of ``tqdm.tqdm``.

    Returns
    -------
    tqdm.tqdm
        Use it as a context, and call its `update` for every piece that is done.
    """
    from tqdm.auto import tqdm

    disable = None if flag(progress, "progress") else True
    return tqdm(total=total, disable=disable, delay=SECONDS, **options)
