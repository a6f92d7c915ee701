"""Checks of arguments that users give.

Each returns the value in the form the code wants, or names what is wrong.
"""

import os
from pathlib import Path

import numpy as np


def generator(rng):
    """Make a Generator of an int, a SeedSequence or a Generator; never of the global state."""
    if isinstance(rng, bool) or not isinstance(
        rng, (int, np.integer, np.random.SeedSequence, np.random.Generator)
    ):
        raise TypeError(
            f"rng must be an int, a SeedSequence or a Generator, got {type(rng).__name__}"
        )
    if isinstance(rng, (int, np.integer)) and rng < 0:
        raise ValueError(f"rng must be >= 0, got {rng}")
    return np.random.default_rng(rng)


def whole_number(value, name, minimum=1):
    """Check an integer argument and return it as int."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if value < minimum:
        raise ValueError(f"{name} must be >= {minimum}, got {value}")
    return int(value)


def real_array(values, name, ndims):
    """Check an array argument of finite real numbers and return it as float64."""
    array = np.asarray(values)
    if isinstance(values, np.ma.MaskedArray) or array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must be an array of real numbers, got {type(values).__name__} of {array.dtype}"
        )
    if array.ndim not in ndims or array.size == 0:
        raise ValueError(
            f"{name} must be a non-empty array with ndim in {ndims}, got shape {array.shape}"
        )
    with np.errstate(over="ignore"):
        array = array.astype(float)
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite, but {name}{np.argwhere(~np.isfinite(array))[0].tolist()} is not"
        )
    return array


def real_number(value, name, low, high, closed):
    """Check a number in an interval whose closed ends, of "[]", are given.

    And return it as float.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    value = float(value)
    below = value >= low if "[" in closed else value > low
    above = value <= high if "]" in closed else value < high
    if not (below and above):
        raise ValueError(
            f"{name} must be in {'[' if '[' in closed else '('}{low}, {high}{']' if ']' in closed else ')'}, got {value}"
        )
    return value


def one_of(value, name, allowed):
    """Check a word among those allowed and return it."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}, got {value!r}")
    return value


def flag(value, name):
    """Check a switch and return it as bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {type(value).__name__}")
    return bool(value)


def as_path(value, name="path"):
    """Check a path and return it as Path, with ~ as the user's home."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be a str or os.PathLike, got {type(value).__name__}")
    if not os.fspath(value):
        raise ValueError(f"{name} must not be empty")
    return Path(value).expanduser()


def refuse_size(name, value, n_bytes):
    """Refuse what would take over half of the machine's memory, before anything is allocated."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if n_bytes > memory / 2:
        raise ValueError(
            f"{name} = {value} would need {n_bytes / 2**30:.1f} GiB, over half of this machine's memory"
        )
