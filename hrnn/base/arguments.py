"""Checks of arguments that users give.

Each returns the value in the form the code wants, or names what is wrong.
"""

from __future__ import annotations

import math
import os
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from hrnn.base import machine

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from hrnn.base.typing import RNGLike


_Word = TypeVar("_Word", bound=str)
_Kind = TypeVar("_Kind")


def generator(rng: RNGLike) -> np.random.Generator:
    """Make a Generator of an int, a SeedSequence or a Generator; never of the global state.

    Parameters
    ----------
    rng : int, SeedSequence or Generator
        Seed, at least 0, or a generator, which is returned as it is.

    Returns
    -------
    numpy.random.Generator
        From which to draw.

    Raises
    ------
    TypeError
        If `rng` is something else.
    ValueError
        If a seed is negative.
    """
    if isinstance(rng, bool) or not isinstance(
        rng, (int, np.integer, np.random.SeedSequence, np.random.Generator)
    ):
        raise TypeError(
            f"rng must be an int, a SeedSequence or a Generator, got {type(rng).__name__}"
        )
    if isinstance(rng, (int, np.integer)) and rng < 0:
        raise ValueError(f"rng must be >= 0, got {rng}")
    return np.random.default_rng(rng)


def instance(value: object, name: str, kind: type[_Kind]) -> _Kind:
    """Check that an argument is of a class and return it.

    Parameters
    ----------
    value : object
        The argument.
    name : str
        Name of the argument, for the message.
    kind : type
        What it must be.

    Returns
    -------
    object
        The value.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}")
    return value


def whole_number(value: object, name: str, minimum: int = 1) -> int:
    """Check an integer argument and return it as int.

    Parameters
    ----------
    value : int
        The argument; integers of NumPy are accepted, bools are not.
    name : str
        Name of the argument, for the message.
    minimum : int, optional
        The least value that is accepted.

    Returns
    -------
    int
        The value.

    Raises
    ------
    TypeError
        If the value is no integer.
    ValueError
        If it is below `minimum`.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if value < minimum:
        raise ValueError(f"{name} must be >= {minimum}, got {value}")
    return int(value)


def real_array(values: ArrayLike, name: str, ndims: Container[int]) -> NDArray[np.float64]:
    """Check an array argument of finite real numbers and return it as float64.

    Parameters
    ----------
    values : array_like
        The argument; bools and integers are accepted.
    name : str
        Name of the argument, for the message.
    ndims : tuple of int
        Numbers of dimensions that are accepted.

    Returns
    -------
    ndarray
        A copy of the values.

    Raises
    ------
    TypeError
        If the values are not real numbers, or are masked.
    ValueError
        If they are empty, not finite, or of another number of dimensions.
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, OverflowError) as error:
        got = type(values).__name__
        raise TypeError(f"{name} must be an array of real numbers, got {got}: {error}") from error
    if isinstance(values, np.ma.MaskedArray) or array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must be an array of real numbers, got {type(values).__name__} of {array.dtype}"
        )
    if array.ndim not in ndims or array.size == 0:
        raise ValueError(
            f"{name} must be a non-empty array with ndim in {ndims}, got shape {array.shape}"
        )
    with np.errstate(over="ignore"):
        array = array.astype(float, order="C")
    finite = np.isfinite(array)
    if not finite.all():
        place = np.argwhere(~finite)[0].tolist()
        raise ValueError(f"{name} must be finite, but {name}{place} is not")
    return array


def numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Check real numbers of any shape, NaN and infinite ones too, and return them as float64.

    Parameters
    ----------
    values : array_like
        The argument; None is NaN.
    name : str
        Name of the argument, for the message.

    Returns
    -------
    ndarray
        The values; not copied if they are an array of float64.

    Raises
    ------
    TypeError
        If they are not real numbers.
    """
    try:
        return np.asarray(values, float)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} must be real numbers, got {type(values).__name__}") from error


def stored_array(value: object, name: str, shape: tuple[int, ...], kinds: str = "f") -> None:
    """Refuse what is no array of a shape and a kind of number, as a field of a result is.

    Parameters
    ----------
    value : object
        The field.
    name : str
        Its name, for the message.
    shape : tuple of int
        Its shape.
    kinds : str, optional
        Letters of the kinds of number that are accepted, as of `numpy.dtype.kind`.

    Raises
    ------
    TypeError
        If it is no array, masked, or of another kind.
    ValueError
        If it is of another shape.
    """
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must be a numpy array, got {type(value).__name__}")
    if value.dtype.kind not in kinds:
        raise TypeError(f"{name} must be an array of numbers of kind {kinds}, got {value.dtype}")
    if value.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {value.shape}")


def real_vector(values: ArrayLike, name: str, n: int) -> NDArray[np.float64]:
    """Check an array argument of a fixed number of finite real numbers and return it as float64.

    Parameters
    ----------
    values : array_like (n,)
        The argument.
    name : str
        Name of the argument, for the message.
    n : int
        How many numbers it must have.

    Returns
    -------
    ndarray (n,)
        A copy of the values.

    Raises
    ------
    TypeError
        If the values are not real numbers, or are masked.
    ValueError
        If they are not finite, or of another shape.
    """
    vector = real_array(values, name, (1,))
    if len(vector) != n:
        raise ValueError(f"{name} must have shape ({n},), got {vector.shape}")
    return vector


def last_axis(values: ArrayLike, name: str, n: int) -> NDArray[np.float64]:
    """Check numbers whose last axis has a length, such as states (..., N) of N units.

    Parameters
    ----------
    values : array_like (..., n)
        The numbers.
    name : str
        Name of the argument, for the message.
    n : int
        Length of the last axis.

    Returns
    -------
    ndarray (..., n)
        The numbers as an array; not copied if they are one.
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} must be real numbers, got {type(values).__name__}") from error
    if array.dtype.kind not in "biuf" or isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"{name} must be real numbers, got {type(values).__name__}")
    if array.ndim < 1 or array.shape[-1] != n:
        raise ValueError(f"{name} must have shape (..., {n}), got {array.shape}")
    return array


def real_number(value: object, name: str, low: float, high: float, closed: str) -> float:
    """Check a number that must lie in an interval and return it as float.

    Parameters
    ----------
    value : float
        The argument; integers are accepted, bools are not.
    name : str
        Name of the argument, for the message.
    low : float
        Lower end of the interval.
    high : float
        Upper end of the interval.
    closed : {"", "[", "]", "[]"}
        The ends that belong to the interval.

    Returns
    -------
    float
        The value.

    Raises
    ------
    TypeError
        If the value is no real number.
    ValueError
        If it is outside the interval.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:  # an int of more than 308 digits
        number = math.inf if value > 0 else -math.inf
    below = number >= low if "[" in closed else number > low
    above = number <= high if "]" in closed else number < high
    if not (below and above):
        left = "[" if "[" in closed else "("
        right = "]" if "]" in closed else ")"
        raise ValueError(f"{name} must be in {left}{low}, {high}{right}, got {number}")
    return number


def one_of(value: _Word, name: str, allowed: Container[str]) -> _Word:
    """Check that a word is among those allowed and return it.

    Parameters
    ----------
    value : str
        The argument.
    name : str
        Name of the argument, for the message.
    allowed : tuple of str
        The words that are accepted.

    Returns
    -------
    str
        The word.

    Raises
    ------
    ValueError
        If it is not one of them.
    """
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}, got {value!r}")
    return value


def flag(value: object, name: str) -> bool:
    """Check a switch and return it as bool.

    Parameters
    ----------
    value : bool
        The argument; bools of NumPy are accepted, integers are not.
    name : str
        Name of the argument, for the message.

    Returns
    -------
    bool
        The value.

    Raises
    ------
    TypeError
        If the value is no bool.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {type(value).__name__}")
    return bool(value)


def as_path(value: str | os.PathLike[str], name: str = "path") -> Path:
    """Check a path and return it as Path, with ~ as the user's home.

    Parameters
    ----------
    value : str or os.PathLike
        The argument.
    name : str, optional
        Name of the argument, for the message.

    Returns
    -------
    pathlib.Path
        The path; nothing need exist there.

    Raises
    ------
    TypeError
        If the value is no path.
    ValueError
        If it is empty.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be a str or os.PathLike, got {type(value).__name__}")
    if not os.fspath(value):
        raise ValueError(f"{name} must not be empty")
    if "\0" in os.fsdecode(value):
        raise ValueError(f"{name} must not hold a NUL, got {value!r}")
    return Path(value).expanduser()


def refuse_size(name: str, value: object, n_bytes: float) -> None:
    """Refuse what would take over half of the memory, before anything is allocated.

    Parameters
    ----------
    name : str
        Name of the argument that asks for so much, for the message.
    value : object
        Its value, for the message.
    n_bytes : float
        What would be allocated, in bytes.

    Raises
    ------
    ValueError
        If that is more than half of what this process may use.
    """
    if n_bytes > machine.memory() / 2:
        gigabytes = f"{min(n_bytes, 10**300) / 2**30:.4g} GiB"
        raise ValueError(
            f"{name} = {value} would need {gigabytes}, over half of the memory of this process"
        )
