"""Where the mouse files live and how they get there; what is in them is `load`'s matter."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from hrnn.base.arguments import as_path, flag
from hrnn.base.progress import bar

ENVIRONMENT: str = "HRNN_DATA_DIR"
BASE_URL: str = (
    "https://raw.githubusercontent.com/int-brain-lab/ann-rnns/"
    "786c7770a123bafea602f7db2ad6c2dc49661acf/data/ibl-data-may2020/"
)
N_RETRIES: int = 3


def registry() -> dict[str, str]:
    """Files of the published mice and what they must contain.

    Returns
    -------
    dict of str to str
        File name (``<mouse>.csv``) to the sha256 of its bytes, 54 entries.

    Examples
    --------
    >>> from hrnn import mice
    >>> len(mice.registry())
    54
    """
    text = resources.files("hrnn.mice").joinpath("registry.txt").read_text("utf-8")
    pairs = [line.split() for line in text.splitlines()]
    return {name: digest.removeprefix("sha256:") for name, digest in pairs}


def fetch(
    *,
    path: str | os.PathLike[str] | None = None,
    progress: bool = True,
    base_url: str = BASE_URL,
) -> Path:
    """Download the 54 published IBL mice, each checked against its sha256.

    Files already there are kept; one whose sha256 differs is replaced. A file is put in place
    only when it is complete and right, so an interrupted download is taken up by calling again.

    Parameters
    ----------
    path : str or path-like, optional
        Folder to fill; by default ``$HRNN_DATA_DIR`` or, if that is not set, the user's cache,
        which is where `load` looks too.
    progress : bool, optional
        Show a progress bar over the files.
    base_url : str, optional
        Address of the folder to download from; by default one pinned commit of the public
        repository int-brain-lab/ann-rnns.

    Returns
    -------
    pathlib.Path
        The folder that holds the files.

    Raises
    ------
    ConnectionError
        If a file cannot be downloaded after three retries.
    ValueError
        If what the server sends does not have the sha256 of the file.
    OSError
        If the folder is a file or cannot be written to.

    Examples
    --------
    >>> from hrnn import mice
    >>> trials = mice.load(mice.fetch())  # doctest: +SKIP
    """
    import pooch

    if not isinstance(base_url, str) or not base_url.startswith(("http://", "https://")):
        raise ValueError(f"base_url must begin with http:// or https://, got {base_url!r}")
    flag(progress, "progress")
    folder = default_folder() if path is None else as_path(path)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"path must be a folder, {folder} is a file")
    files = pooch.create(
        path=folder,
        base_url=base_url,
        registry=registry(),
        retry_if_failed=N_RETRIES,
    )
    n_mice = len(files.registry_files)
    with _quiet(pooch.get_logger()), bar(progress, n_mice, unit="mouse") as shown:
        for name in files.registry_files:
            _fetch_one(files, name)
            shown.update()
    return folder


def default_folder() -> Path:
    """Return the folder of the mice if none is named: $HRNN_DATA_DIR or the user's cache."""
    import pooch

    named = os.environ.get(ENVIRONMENT)
    return Path(named).expanduser() if named else Path(pooch.os_cache("hrnn"))


def _fetch_one(files: Any, name: str) -> None:
    """Bring one file into the folder, and say what to do if that fails."""
    import requests

    try:
        files.fetch(name)
    except requests.RequestException as error:
        raise ConnectionError(
            f"could not download {name} from {files.get_url(name)} ({error}). Call "
            f"hrnn.mice.fetch() again when the network is there, or get the CSV files some "
            f"other way and set {ENVIRONMENT} to the folder that holds them"
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{name} as downloaded from {files.get_url(name)} is not the published file: its "
            f"sha256 must be {files.registry[name]}. It was not kept"
        ) from error


@contextlib.contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Silence pooch's line per file; the progress bar and the errors say it all."""
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
