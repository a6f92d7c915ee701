"""Records of arrays: the same whole and read-only ones after every copy.

Another process may hand an array over as a memory map (joblib), at an odd address (Dask) or
writable (pickle), while the C core takes exact, aligned and contiguous arrays alone.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray


class Record:
    """A dataclass whose copies and pickles are made by its constructor.

    What the constructor was given is all that travels; what was worked out of it and kept is
    worked out anew.
    """

    def __getstate__(self) -> dict[str, Any]:
        fields: Any = dataclasses.fields(self)  # pyright: ignore[reportArgumentType]
        return {field.name: getattr(self, field.name) for field in fields if field.init}

    def __setstate__(self, state: dict[str, Any]) -> None:
        type(self).__init__(self, **state)


def fixed(
    values: ArrayLike, name: str, dtype: DTypeLike, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """Return values as a read-only, C-contiguous and aligned array, copied only where they must be.

    Parameters
    ----------
    values : array_like
        The argument. Numbers of another type are accepted if each of them has the same value in
        the wanted one.
    name : str
        Name of the argument, for the message.
    dtype : dtype
        Wanted type.
    shape : tuple of int or None
        Wanted size of each dimension; None where it may be any.

    Returns
    -------
    ndarray
        The values; the array that was given stays as it is.

    Raises
    ------
    TypeError
        If the values are no real numbers, or are masked.
    ValueError
        If the shape is wrong, or a value is none of that type.

    Examples
    --------
    >>> fixed([1, -1], "side", np.int8, (2,)).dtype
    dtype('int8')
    """
    array = np.asarray(values)
    if isinstance(values, np.ma.MaskedArray) or array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must be an array of real numbers, got {type(values).__name__} of {array.dtype}"
        )
    fits = len(shape) == array.ndim and all(
        wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} must have shape ({wanted}), got {array.shape}")
    exact = np.require(_exact(array, name, np.dtype(dtype)), None, ["C", "A", "E"]).view()
    exact.flags.writeable = False
    return exact


def _exact(array: NDArray[Any], name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The same numbers in a type, native byte order."""
    if array.dtype == dtype:
        return array
    with np.errstate(invalid="ignore", over="ignore"):
        converted = array.astype(dtype)
    if not np.array_equal(converted, array, equal_nan=dtype.kind == "f"):
        raise ValueError(f"{name} must hold numbers of {dtype}, got {array.dtype} with others")
    return converted
