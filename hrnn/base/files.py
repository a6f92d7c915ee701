"""Files: written whole or not at all, read without trusting them.

An *archive* (a network, a checkpoint) is an uncompressed `.npz`: one `<name>.npy` per array, and
`config.json` with its kind, its configuration and the SHA-256 of every member. `numpy.load` opens
it too. Nothing is ever pickled. What the arrays mean is not this module's business.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import io
import json
import math
import os
import shutil
import stat
import struct
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hrnn.base.arguments import as_path
from hrnn.base.version import __version__

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

SCHEMA: int = 1
MAX_BYTES: int = 1 << 30  # of a whole archive
MAX_TEXT_BYTES: int = 1 << 20  # of config.json, and of the zip directory
DTYPES: tuple[str, ...] = ("|b1", "|i1", "|u1", "<i4", "<u4", "<i8", "<u8", "<f8")
_CONFIG = "config.json"


class DamagedFileError(ValueError):
    """The bytes of a file are not those of a whole archive."""


@dataclasses.dataclass(frozen=True, eq=False)
class Archive:
    """The contents of an archive, as `load_archive` returns them.

    Attributes
    ----------
    kind : str
        What the archive holds.
    config : dict
        The configuration as JSON gives it: tuples are lists, keys are strings.
    arrays : dict of str to ndarray
        The arrays by name, each fresh, writable and C-contiguous.
    """

    kind: str
    config: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


# Writing ------------------------------------------------------------------------------------------


def write_bytes(
    path: str | os.PathLike[str], data: bytes | memoryview, *, keep_previous: bool = False
) -> None:
    """Write a file so that a crash leaves the old one or the new one, never a part.

    The bytes go to a temporary file in the same directory, reach the disk, and take the name of
    the old file in one step. The temporary file is removed on any exception, Ctrl-C included.

    Parameters
    ----------
    path : str or os.PathLike
        Where to write, exactly. A symbolic link is followed.
    data : bytes-like
        All of the file.
    keep_previous : bool, optional
        Keep the file that was there as `<path>.previous`. It takes that name only after the new
        file is in place, so at every instant at least one of the two is whole.

    Raises
    ------
    OSError
        With the path and the reason: full disk, missing directory, no permission, not a file.
    """
    destination = _destination(path)
    unique = destination.with_name(f".hrnn-{os.urandom(8).hex()}")
    temporary = unique.with_suffix(".tmp")
    old = unique.with_suffix(".old")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        keep_previous = keep_previous and destination.exists()
        if keep_previous:
            _link(destination, old)
        os.replace(temporary, destination)
        _sync_directory(destination.parent)
        if keep_previous:
            os.replace(old, previous_of(destination))
    except OSError as error:
        raise OSError(error.errno, f"cannot write: {error.strerror}", str(destination)) from error
    finally:
        for leftover in (temporary, old):
            with contextlib.suppress(OSError):
                leftover.unlink()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text as UTF-8, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        Where to write; see `write_bytes`.
    text : str
        All of the file.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {type(text).__name__}")
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], obj: object) -> None:
    """Write indented, strict JSON (no NaN, no infinity), whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        Where to write; see `write_bytes`.
    obj : dict, list, str, float, int, bool or None
        What JSON can hold.
    """
    write_text(path, _to_json(obj, "obj") + "\n")


def refuse_existing(paths: Iterable[Path], argument: str) -> None:
    """Refuse to write over files that are there.

    Parameters
    ----------
    paths : iterable of Path
        Where will be written.
    argument : str
        What says where to write, for the message.

    Raises
    ------
    FileExistsError
        With the first file that is there.
    """
    for path in paths:
        if os.path.lexists(path):
            raise FileExistsError(
                f"{argument} would be written over {path}, which is there: "
                "give another place, or move the file away"
            )


def refuse_other(path: str | os.PathLike[str], kind: str) -> None:
    """Refuse to write an archive over anything but one of its kind.

    Parameters
    ----------
    path : str or os.PathLike
        Where will be written.
    kind : str
        Of the archive.

    Raises
    ------
    FileExistsError
        If another file is there.
    """
    try:
        load_archive(path, kind=kind, with_arrays=False)
    except FileNotFoundError:
        return
    except ValueError as error:
        raise FileExistsError(f"path would be written over what is no {kind}: {error}") from error


def write_csv(path: str | os.PathLike[str], text: str, argument: str = "path") -> None:
    """Write a table, whole or not at all, over nothing but one with the same columns.

    Parameters
    ----------
    path : str or os.PathLike
        Where to write; see `write_bytes`.
    text : str
        All of the file; its first line has the names of the columns.
    argument : str, optional
        What says where to write, for the message.

    Raises
    ------
    FileExistsError
        If another file is there.
    """
    path = as_path(path)
    head = text.partition("\n")[0].encode()
    if path.is_file():
        with open(path, "rb") as file:
            there = file.readline(len(head) + 2).rstrip(b"\r\n")
        if there != head:
            refuse_existing([path], argument)
    write_text(path, text)


def save_archive(
    path: str | os.PathLike[str],
    *,
    kind: str,
    config: dict[str, Any],
    arrays: Mapping[str, ArrayLike],
    keep_previous: bool = False,
) -> None:
    """Write an archive, atomically; equal contents give equal bytes.

    Parameters
    ----------
    path : str or os.PathLike
        Where to write, exactly: no suffix is added.
    kind : str
        What the archive holds; `load_archive` asks for it.
    config : dict
        Plain JSON without NaN or infinity, at most `MAX_TEXT_BYTES`.
    arrays : dict of str to array_like
        Names are identifiers, dtypes among `DTYPES` in either byte order.
    keep_previous : bool, optional
        Keep the file that was there as `<path>.previous`; see `write_bytes`.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be stored as it is.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from hrnn.base import files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     arrays = {"x": [1.0, 2.0]}
    ...     files.save_archive(folder + "/a", kind="demo", config={"n": 2}, arrays=arrays)
    ...     archive = files.load_archive(folder + "/a", kind="demo")
    >>> archive.config, archive.arrays
    ({'n': 2}, {'x': array([1., 2.])})
    """
    for argument, value, wanted in (
        ("kind", kind, str),
        ("config", config, dict),
        ("arrays", arrays, dict),
    ):
        if not isinstance(value, wanted):
            raise TypeError(f"{argument} must be a {wanted.__name__}, got {type(value).__name__}")
    npys = {_checked_name(name): _to_npy(name, array) for name, array in arrays.items()}
    text = _to_json(_header(kind, config, npys), "config").encode()
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError(f"config must take at most {MAX_TEXT_BYTES} bytes, takes {len(text)}")
    n_bytes = sum(len(npy) for npy in npys.values())
    if n_bytes > MAX_BYTES - 3 * MAX_TEXT_BYTES:
        raise ValueError(f"arrays must take less than {MAX_BYTES} bytes together")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_CONFIG), text)
        for name, npy in npys.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), npy)
    write_bytes(path, buffer.getbuffer(), keep_previous=keep_previous)


def _header(kind: str, config: dict[str, Any], npys: dict[str, bytes]) -> dict[str, Any]:
    """What config.json says: kind, configuration, and the hashes of all members."""
    hashes = {name: hashlib.sha256(npy).hexdigest() for name, npy in npys.items()}
    header = {
        "format": "hrnn",
        "schema": SCHEMA,
        "kind": kind,
        "hrnn_version": __version__,
        "config": json.loads(_to_json(config, "config")),
        "sha256": hashes,
    }
    hashes[_CONFIG] = _seal(header)
    return header


def _to_npy(name: str, array: ArrayLike) -> bytes:
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"arrays[{name!r}] must not be masked")
    array = np.asarray(array)
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in DTYPES:
        raise TypeError(f"arrays[{name!r}] must have a dtype among {DTYPES}, got {array.dtype}")
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array.astype(dtype, order="C"), (1, 0), allow_pickle=False)
    return buffer.getvalue()


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, target)


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # not every file system can
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


# Reading ------------------------------------------------------------------------------------------


def load_archive(
    path: str | os.PathLike[str],
    *,
    kind: str | tuple[str, ...],
    fallback: bool = False,
    with_arrays: bool = True,
) -> Archive:
    """Read an archive, checking all of it; memory grows with its real size, not with its claims.

    Parameters
    ----------
    path : str or os.PathLike
        The archive.
    kind : str or tuple of str
        The kind, or kinds, that are accepted.
    fallback : bool, optional
        If the file is damaged or missing and `<path>.previous` is whole, warn and return that.
    with_arrays : bool, optional
        False reads, and checks, the configuration alone; `arrays` is then empty.

    Returns
    -------
    Archive
        Kind, configuration and arrays.

    Raises
    ------
    DamagedFileError
        A ValueError: the file is not whole, or is no archive.
    ValueError
        If it is of another kind, or was written by a newer hrnn.
    OSError
        If it cannot be read: FileNotFoundError, IsADirectoryError, PermissionError.
    """
    try:
        archive = _read_archive(path, with_arrays)
    except (DamagedFileError, FileNotFoundError) as error:
        if not fallback:
            raise
        previous = previous_of(path)
        try:
            archive = _read_archive(previous, with_arrays)
        except (ValueError, OSError):
            raise error from None
        warnings.warn(f"{error}; reading {previous} instead", stacklevel=2)
    kinds = (kind,) if isinstance(kind, str) else tuple(kind)
    if archive.kind not in kinds:
        raise ValueError(f"{path} holds a {archive.kind!r}, not a {' or '.join(map(repr, kinds))}")
    return archive


def _read_archive(path: str | os.PathLike[str], with_arrays: bool) -> Archive:
    data = _read_bytes(path)
    with _damage(path):
        archive = _open_zip(data)
        header = _read_header(archive)
    if header["schema"] > SCHEMA:
        raise ValueError(
            f"{path} was written by a newer hrnn ({header.get('hrnn_version')}): "
            f"its schema is {header['schema']}, this one reads up to {SCHEMA}"
        )
    with _damage(path):
        hashes = header["sha256"]
        _check_members(archive, header, hashes, len(data))
        arrays = {}
        if with_arrays:
            arrays = {name: _read_array(archive, name, digest) for name, digest in hashes.items()}
    return Archive(header["kind"], header["config"], arrays)


def _check_members(
    archive: zipfile.ZipFile, header: dict[str, Any], hashes: dict[str, str], n_bytes: int
) -> None:
    """Refuse a header that was changed, or one that does not tell of the members that are there."""
    if hashes.pop(_CONFIG, None) != _seal(header):
        raise ValueError(f"{_CONFIG} does not match its SHA-256")
    expected = [_CONFIG, *(f"{_checked_name(name)}.npy" for name in hashes)]
    if sorted(archive.namelist()) != sorted(expected):
        raise ValueError("it has duplicated, missing or unexpected members")
    if sum(info.file_size for info in archive.infolist()) > n_bytes:
        raise ValueError("its members overlap")
    if not (isinstance(header["kind"], str) and isinstance(header["config"], dict)):
        raise ValueError("its kind must be a string and its config an object")


@contextlib.contextmanager
def _damage(path: str | os.PathLike[str]) -> Iterator[None]:
    # zipfile, json and NumPy's header parser meet hostile bytes with a dozen kinds of exception.
    # The file is in memory by then, so none of them is about reading it.
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise DamagedFileError(f"{path} is not a whole hrnn file: {error}") from error


def _read_bytes(path: str | os.PathLike[str]) -> bytes:
    path = as_path(path)
    status = path.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise ValueError(f"{path} is not a regular file")
    if status.st_size > MAX_BYTES:
        raise ValueError(
            f"{path} is too large for an hrnn file: {status.st_size} bytes, "
            f"the limit is {MAX_BYTES}"
        )
    with open(path, "rb") as file:
        return file.read(status.st_size)


def _open_zip(data: bytes) -> zipfile.ZipFile:
    # The end record is checked first: zipfile makes an object for each entry that it promises.
    end = data[-22:]
    if end[:4] != b"PK\5\6" or end[-2:] != b"\0\0":
        raise ValueError("it does not end as an archive does")
    (directory_size,) = struct.unpack("<L", end[12:16])
    if directory_size > MAX_TEXT_BYTES or data[-42:-38] == b"PK\6\7":  # the latter is zip64
        raise ValueError("its directory is too large")
    return zipfile.ZipFile(io.BytesIO(data))


def _read_header(archive: zipfile.ZipFile) -> dict[str, Any]:
    if _CONFIG not in archive.namelist():
        raise ValueError(f"it has no {_CONFIG}")
    if archive.getinfo(_CONFIG).file_size > MAX_TEXT_BYTES:
        raise ValueError(f"{_CONFIG} is too large")
    header = json.loads(_read_member(archive, _CONFIG))
    if not (
        isinstance(header, dict)
        and header.get("format") == "hrnn"
        and type(header.get("schema")) is int
        and header["schema"] >= 1
    ):
        raise ValueError(f"{_CONFIG} has no valid format and schema")
    return header


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return archive.read(name)


def _read_array(archive: zipfile.ZipFile, name: str, digest: str) -> NDArray[Any]:
    npy = _read_member(archive, f"{name}.npy")
    if hashlib.sha256(npy).hexdigest() != digest:
        raise ValueError(f"{name} does not match its SHA-256")
    file = io.BytesIO(npy)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{name} is not in version 1.0 of the .npy format")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    if fortran_order or dtype.str not in DTYPES:
        raise ValueError(f"{name} must be in C order with a dtype among {DTYPES}")
    if math.prod(shape) * dtype.itemsize != len(npy) - file.tell():
        raise ValueError(f"{name} says shape {shape}, which is not the size of its data")
    array = np.frombuffer(npy, dtype, offset=file.tell()).reshape(shape).copy()
    if dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
        raise ValueError(f"{name} holds bytes that are neither true nor false")
    return array


# Locks --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def lock(path: str | os.PathLike[str], *, shared: bool = False) -> Iterator[None]:
    """Hold a lock file for the length of a `with` block, or raise at once.

    The lock dies with its process; the file stays. Give it a file of its own, not one written by
    this module: writing puts a new file in place, and the lock stays on the old one. `held` does
    so for one file.

    Parameters
    ----------
    path : str or os.PathLike
        The lock file; it is made if it is not there.
    shared : bool, optional
        Let others share the lock; nobody can hold it alone then.

    Raises
    ------
    BlockingIOError
        With the path, if another process (or another `with` block of this one) holds it.
    """
    path = as_path(path)
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
            except BlockingIOError as error:
                message = "in use by another process"
                raise BlockingIOError(error.errno, message, str(path)) from error
            if _is_at(descriptor, path):
                yield
                return
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one of this name: whoever held it may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def held(path: str | os.PathLike[str]) -> Iterator[None]:
    """Keep other processes from a file for the length of a `with` block, or raise at once.

    They must hold it in the same way. The lock is a hidden file beside it, `.<name>.lock`, which is
    removed at the end; one that a killed process left is taken over.

    Parameters
    ----------
    path : str or os.PathLike
        The file, which need not exist. A symbolic link is followed.

    Raises
    ------
    BlockingIOError
        With the path, if another process (or another `with` block of this one) holds it.
    OSError
        With the path, if nothing can be written beside it.
    """
    destination = _destination(path)
    guard = destination.with_name(f".{destination.name}.lock")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock(guard))
        except OSError as error:
            message = f"cannot write: {error.strerror}"
            raise OSError(error.errno, message, str(destination)) from error
        try:
            yield
        finally:
            guard.unlink(missing_ok=True)


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Remove what processes that were killed while they wrote have left in a folder.

    Parameters
    ----------
    folder : str or os.PathLike
        Nobody else may write to it: hold its lock.
    """
    for kind in ("tmp", "old"):
        for leftover in as_path(folder, "folder").glob(f".hrnn-{16 * '[0-9a-f]'}.{kind}"):
            leftover.unlink(missing_ok=True)


# Common ground ------------------------------------------------------------------------------------


def _destination(path: str | os.PathLike[str]) -> Path:
    real = Path(os.path.realpath(as_path(path)))
    if real.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(real))
    if real.exists() and not real.is_file():  # else a device would be replaced by a file
        raise OSError(errno.EINVAL, "not a regular file", str(real))
    return real


def previous_of(path: str | os.PathLike[str]) -> Path:
    """Where `keep_previous` puts what was there before, `<path>.previous`."""
    return Path(os.path.realpath(path) + ".previous")


def _checked_name(name: str) -> str:
    if not (isinstance(name, str) and name.isascii() and name.isidentifier()):
        raise ValueError(f"the name of an array must be an identifier, got {name!r:.80}")
    return name


def _to_json(obj: object, name: str, *, sort_keys: bool = False) -> str:
    try:
        return json.dumps(obj, allow_nan=False, indent=2, sort_keys=sort_keys)
    except TypeError as error:
        raise TypeError(f"{name} must be plain JSON: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} must be plain JSON without NaN or infinity: {error}") from error


def _seal(header: dict[str, Any]) -> str:
    # Covers the arrays' hashes too. Key order does not count; NaN is refused here on both sides.
    text = _to_json(header, _CONFIG, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
