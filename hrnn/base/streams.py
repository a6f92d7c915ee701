"""Random-number generators as plain JSON.

What draws from them can so go on as if it had never stopped.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from hrnn.base.arguments import generator, whole_number

if TYPE_CHECKING:
    from hrnn.base.typing import RNGLike, Seed

BIT_GENERATORS: tuple[str, ...] = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
LARGEST_POOL: int = 1024  # of a SeedSequence, in words


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
    if seed["pool_size"] > LARGEST_POOL:
        raise ValueError(f"pool_size is above {LARGEST_POOL}")
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


# Seeds --------------------------------------------------------------------------------------------


def stream(seed: int, *name: int | str) -> np.random.SeedSequence:
    """Seed of one job, which depends on the seed and on the job's name only.

    Parameters
    ----------
    seed : int
        The seed of all jobs, >= 0.
    *name : int or str
        The job's name, in parts; 1 and "1" are two names.

    Returns
    -------
    numpy.random.SeedSequence
        From which to make the job's generator.

    Examples
    --------
    >>> stream(0, "network", 1).entropy == stream(0, "network", 2).entropy
    False
    """
    seed = whole_number(seed, "seed", 0)
    parts = [_part(part) for part in name]
    if seed < 2**32:
        return np.random.SeedSequence([seed, *map(zlib.crc32, parts)])
    # NumPy cuts a larger seed into words, which could be the words of a smaller one and a name
    text = b"".join(len(part).to_bytes(8, "little") + part for part in [_part(seed), *parts])
    return np.random.SeedSequence(int.from_bytes(hashlib.sha256(text).digest(), "little"))


def _part(part: int | str) -> bytes:
    """A part of a name as bytes, different for whatever is different."""
    if isinstance(part, bool) or not isinstance(part, (int, np.integer, str)):
        raise TypeError(f"name must be of int and str, got {type(part).__name__}")
    is_like_a_number = isinstance(part, str) and part.removeprefix("-").isdecimal()
    if part == "" or isinstance(part, str) and (is_like_a_number or part.startswith("\0")):
        part = f"\0{part}"
    return str(part).encode()


def seed_of(seed: int, *name: int | str) -> int:
    """A seed of its own for one job, where a `stream` of it is not enough.

    Seed plus index would be the seed of a neighbour's job.

    Parameters
    ----------
    seed : int
        The seed of all jobs, >= 0.
    *name : int or str
        The job's name, as for `stream`.
    """
    return int(stream(seed, *name).generate_state(1, np.uint64)[0] >> 1)


def recorded(rng: RNGLike | None) -> tuple[np.random.Generator, Seed]:
    """A generator, and what makes it again: for what is made of random numbers and says of which.

    Parameters
    ----------
    rng : int, SeedSequence, Generator or None
        As for `arguments.generator`, or None, which draws a fresh seed.

    Returns
    -------
    generator : numpy.random.Generator
        From which to draw.
    seed : int, SeedSequence or None
        Usable as `rng` again; None where a Generator was given, whose past is its owner's.
    """
    if rng is None:
        rng = fresh_seed()
    seed: Seed = None
    if isinstance(rng, np.random.SeedSequence):
        seed = np.random.SeedSequence(**rng.state)  # as it is now: it counts its children
    elif isinstance(rng, (int, np.integer)):
        seed = int(rng)
    return generator(rng), seed


def fresh_seed() -> int:
    """A seed from the machine's entropy that tables and files hold, below 2**63."""
    return secrets.randbits(63)


def seed_to_json(seed: Seed) -> int | dict[str, Any] | None:
    """A seed of `recorded` as plain JSON."""
    return _encoded(seed.state) if isinstance(seed, np.random.SeedSequence) else seed


def seed_from_json(value: Any) -> Seed:
    """The seed that `seed_to_json` gave, or None if the value is none."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    try:
        state = _decoded(value)
        if state["pool_size"] > LARGEST_POOL:
            return None
        return np.random.SeedSequence(**state)
    except (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError):
        return None


def shown(seed: Seed) -> str:
    """A seed as a repr shows it; nothing where there is none."""
    if seed is None:
        return ""
    if isinstance(seed, int):
        return f", seed={seed}"
    return f", seed=SeedSequence({seed.entropy}, spawn_key={seed.spawn_key})"
