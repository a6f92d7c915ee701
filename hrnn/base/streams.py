"""Random-number generators as plain JSON.

What draws from them can so go on as if it had never stopped.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

BIT_GENERATORS: tuple[str, ...] = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


def state_to_json(bit_generator: np.random.BitGenerator) -> dict[str, Any]:
    """Everything that makes a generator go on as it would have, as plain JSON.

    Parameters
    ----------
    bit_generator : numpy.random.BitGenerator
        One of NumPy's own, seeded by a SeedSequence, such as `rng.bit_generator`.

    Returns
    -------
    dict
        Its state and, under "seed_sequence", what its children come from. Integers, some of
        128 bits, are decimal strings.

    Raises
    ------
    TypeError
        If it is another generator, or was seeded in another way.

    Examples
    --------
    >>> import numpy as np
    >>> from hrnn.base import streams as states
    >>> rng = np.random.default_rng(0)
    >>> twin = states.from_json(states.state_to_json(rng.bit_generator))
    >>> bool(rng.random() == twin.random())
    True
    """
    if type(bit_generator) not in [getattr(np.random, name) for name in BIT_GENERATORS]:
        raise TypeError(
            f"bit_generator must be one of numpy.random's {BIT_GENERATORS}, "
            f"got {type(bit_generator).__name__}"
        )
    seed = bit_generator.seed_seq
    if type(seed) is not np.random.SeedSequence:
        raise TypeError("bit_generator must have been seeded by a numpy.random.SeedSequence")
    return _encoded({**bit_generator.state, "seed_sequence": seed.state})


def from_json(state: dict[str, Any]) -> np.random.Generator:
    """Make the generator whose state `state_to_json` gave.

    Parameters
    ----------
    state : dict
        What `state_to_json` returned; it may come from an untrusted file.

    Returns
    -------
    numpy.random.Generator
        It draws what the first generator would have drawn next.

    Raises
    ------
    ValueError
        If the state is no such state.
    """
    try:
        bit_generator = _bit_generator(state)
    except (
        AttributeError,
        LookupError,
        OverflowError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(f"state is not one that state_to_json gave: {error}") from error
    return np.random.Generator(bit_generator)


def _bit_generator(state: dict[str, Any]) -> np.random.BitGenerator:
    """Rebuild a bit generator, and see that NumPy gives the same state back."""
    decoded = _decoded(state)
    if decoded["bit_generator"] not in BIT_GENERATORS:
        raise ValueError(f"bit_generator is not one of {BIT_GENERATORS}")
    seed = decoded.pop("seed_sequence")
    if seed["pool_size"] > 1024:
        raise ValueError("pool_size is above 1024")
    kind = getattr(np.random, decoded["bit_generator"])
    bit_generator = kind(np.random.SeedSequence(**seed))
    bit_generator.state = decoded
    if state_to_json(bit_generator) != state:
        raise ValueError("NumPy does not keep it as it is")
    _check_usable(bit_generator.state)
    return bit_generator


def _check_usable(state: dict[str, Any]) -> None:
    # NumPy takes these on trust: the positions index C arrays, and a generator that is stuck at
    # zero hangs what waits for another number.
    inner = state["state"]
    if inner.get("pos", 0) > 624 or state.get("buffer_pos", 0) > 4:
        raise ValueError("its position is beyond its buffer")
    if inner.get("inc", 1) % 2 == 0:
        raise ValueError("it is stuck")
    if "pos" in inner and not np.any(inner["key"]):
        raise ValueError("it is stuck")


def _encoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_encoded(item) for item in value]
    return str(value)


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _decoded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if value.isascii() and value.isdigit():
        return int(value)
    return value


def stream(seed: int, *name: object) -> np.random.SeedSequence:
    """Seed of one job, which depends on the seed and on the job's name only.

    Parameters
    ----------
    seed : int
        The seed of all jobs.
    *name : object
        The job's name, in parts; they count as ``str`` shows them, but 1 and "1" are two.

    Returns
    -------
    numpy.random.SeedSequence
        From which to make the job's generator.

    Examples
    --------
    >>> stream(0, "network", 1).entropy == stream(0, "network", 2).entropy
    False
    """
    hashes = [zlib.crc32(_spelled(part).encode()) for part in name]
    n_words = -(-int(seed).bit_length() // 32)
    if n_words <= 1:
        return np.random.SeedSequence([seed, *hashes])
    # NumPy cuts a wide seed into words, and these could be those of a narrow seed and its name
    return np.random.SeedSequence([n_words, seed, *hashes], pool_size=8)


def _spelled(part: object) -> str:
    """A part of a name, so that a number and the same digits as text are two."""
    if not isinstance(part, str) or (part[:1].isalpha() and part not in ("None", "True", "False")):
        return str(part)
    return repr(part)
