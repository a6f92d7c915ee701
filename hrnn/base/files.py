"""Files: written whole or not at all, read without trusting them.

An *archive* (a network, a checkpoint) is an uncompressed `.npz`: one `<name>.npy` per array, and
`config.json` with its kind, its configuration and the SHA-256 of every member. `numpy.load` opens
it too. Nothing is ever pickled. What the arrays mean is not this module's business.
"""

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
from pathlib import Path

import numpy as np

from hrnn.base.arguments import as_path
from hrnn.base.version import __version__

SCHEMA = 1
MAX_BYTES = 1 << 30  # of a whole archive
MAX_TEXT_BYTES = 1 << 20  # of config.json, and of the zip directory
DTYPES = ("|b1", "|i1", "|u1", "<i4", "<u4", "<i8", "<u8", "<f8")
_CONFIG = "config.json"


class DamagedFileError(ValueError):
    """The bytes of a file are not those of a whole archive."""


@dataclasses.dataclass(frozen=True, eq=False)
class Archive:
    """What `load_archive` returns: `kind`, `config` as JSON gives it (tuples are lists, keys are
    strings), and `arrays` by name, each fresh, writable and C-contiguous."""

    kind: str
    config: dict
    arrays: dict


# Writing ------------------------------------------------------------------------------------------


def write_bytes(path, data, *, keep_previous=False):
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
    path = _destination(path)
    unique = path.with_name(f".hrnn-{os.urandom(8).hex()}")
    temporary = unique.with_suffix(".tmp")
    old = unique.with_suffix(".old")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        keep_previous = keep_previous and path.exists()
        if keep_previous:
            _link(path, old)
        os.replace(temporary, path)
        _sync_directory(path.parent)
        if keep_previous:
            os.replace(old, _previous(path))
    except OSError as error:
        raise OSError(error.errno, f"cannot write: {error.strerror}", str(path)) from error
    finally:
        for leftover in (temporary, old):
            with contextlib.suppress(OSError):
                leftover.unlink()


def write_text(path, text):
    """Write `text` (str) as UTF-8, atomically; see `write_bytes`."""
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {type(text).__name__}")
    write_bytes(path, text.encode())


def write_json(path, obj):
    """Write `obj` as indented, strict JSON (no NaN, no infinity), atomically; see `write_bytes`."""
    write_text(path, _to_json(obj, "obj") + "\n")


def save_archive(path, *, kind, config, arrays, keep_previous=False):
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
    ...     files.save_archive(folder + "/a", kind="demo", config={"n": 2}, arrays={"x": [1.0, 2.0]})
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
    header = {
        "format": "hrnn",
        "schema": SCHEMA,
        "kind": kind,
        "hrnn_version": __version__,
        "config": json.loads(_to_json(config, "config")),
        "sha256": {name: hashlib.sha256(npy).hexdigest() for name, npy in npys.items()},
    }
    header["sha256"][_CONFIG] = _seal(header)
    text = _to_json(header, "config").encode()
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError(f"config must take at most {MAX_TEXT_BYTES} bytes, takes {len(text)}")
    if sum(map(len, npys.values())) > MAX_BYTES - 3 * MAX_TEXT_BYTES:
        raise ValueError(f"arrays must take less than {MAX_BYTES} bytes together")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_CONFIG), text)
        for name, npy in npys.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), npy)
    write_bytes(path, buffer.getbuffer(), keep_previous=keep_previous)


def _to_npy(name, array):
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"arrays[{name!r}] must not be masked")
    array = np.asarray(array)
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in DTYPES:
        raise TypeError(f"arrays[{name!r}] must have a dtype among {DTYPES}, got {array.dtype}")
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array.astype(dtype, order="C"), (1, 0), allow_pickle=False)
    return buffer.getvalue()


def _link(path, target):
    try:
        os.link(path, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, target)


def _sync_directory(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # not every file system can
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


# Reading ------------------------------------------------------------------------------------------


def load_archive(path, *, kind, fallback=False, with_arrays=True):
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
        previous = _previous(path)
        try:
            archive = _read_archive(previous, with_arrays)
        except (ValueError, OSError):
            raise error from None
        warnings.warn(f"{error}; reading {previous} instead", stacklevel=2)
    kinds = (kind,) if isinstance(kind, str) else tuple(kind)
    if archive.kind not in kinds:
        raise ValueError(f"{path} holds a {archive.kind!r}, not a {' or '.join(map(repr, kinds))}")
    return archive


def _read_archive(path, with_arrays):
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
        if hashes.pop(_CONFIG, None) != _seal(header):
            raise ValueError(f"{_CONFIG} does not match its SHA-256")
        expected = [_CONFIG, *(f"{_checked_name(name)}.npy" for name in hashes)]
        if sorted(archive.namelist()) != sorted(expected):
            raise ValueError("it has duplicated, missing or unexpected members")
        if sum(info.file_size for info in archive.infolist()) > len(data):
            raise ValueError("its members overlap")
        if not (isinstance(header["kind"], str) and isinstance(header["config"], dict)):
            raise ValueError("its kind must be a string and its config an object")
        arrays = {
            name: _read_array(archive, name, digest)
            for name, digest in hashes.items()
            if with_arrays
        }
    return Archive(header["kind"], header["config"], arrays)


@contextlib.contextmanager
def _damage(path):
    # zipfile, json and NumPy's header parser meet hostile bytes with a dozen kinds of exception.
    # The file is in memory by then, so none of them is about reading it.
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise DamagedFileError(f"{path} is not a whole hrnn file: {error}") from error


def _read_bytes(path):
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


def _open_zip(data):
    # The end record is checked first: zipfile makes an object for each entry that it promises.
    end = data[-22:]
    if end[:4] != b"PK\5\6" or end[-2:] != b"\0\0":
        raise ValueError("it does not end as an archive does")
    (directory_size,) = struct.unpack("<L", end[12:16])
    if directory_size > MAX_TEXT_BYTES or data[-42:-38] == b"PK\6\7":  # the latter is zip64
        raise ValueError("its directory is too large")
    return zipfile.ZipFile(io.BytesIO(data))


def _read_header(archive):
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


def _read_member(archive, name):
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return archive.read(name)


def _read_array(archive, name, digest):
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
def lock(path, *, shared=False):
    """Hold the lock file `path` for the length of a `with` block, or raise at once.

    Several may share it; nobody else can hold it then.

    The lock dies with its process; the file stays. Give it a file of its own, not one written by
    this module: writing puts a new file in place, and the lock stays on the old one.

    Raises
    ------
    BlockingIOError
        With the path, if another process (or another `with` block of this one) holds it.
    """
    path = as_path(path)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(error.errno, "in use by another process", str(path)) from error
        yield
    finally:
        os.close(descriptor)


# Random-number generators -------------------------------------------------------------------------


# Common ground ------------------------------------------------------------------------------------


def _destination(path):
    path = Path(os.path.realpath(as_path(path)))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():  # else a device would be replaced by a file
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path


def _previous(path):
    return Path(os.path.realpath(path) + ".previous")


def _checked_name(name):
    if not (isinstance(name, str) and name.isascii() and name.isidentifier()):
        raise ValueError(f"the name of an array must be an identifier, got {name!r:.80}")
    return name


def _to_json(obj, name, *, sort_keys=False):
    try:
        return json.dumps(obj, allow_nan=False, indent=2, sort_keys=sort_keys)
    except TypeError as error:
        raise TypeError(f"{name} must be plain JSON: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} must be plain JSON without NaN or infinity: {error}") from error


def _seal(header):
    # Covers the arrays' hashes too. Key order does not count; NaN is refused here on both sides.
    return hashlib.sha256(_to_json(header, _CONFIG, sort_keys=True).encode()).hexdigest()
