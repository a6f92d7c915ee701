"""Random-number generators as plain JSON.

So that what draws from them goes on as if it had never stopped.
"""

import zlib

import numpy as np

BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


def state_to_json(bit_generator):
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
    if type(bit_generator.seed_seq) is not np.random.SeedSequence:
        raise TypeError("bit_generator must have been seeded by a numpy.random.SeedSequence")
    return _encoded(bit_generator.state | {"seed_sequence": bit_generator.seed_seq.state})


def from_json(state):
    """The `numpy.random.Generator` whose state `state_to_json` gave, or ValueError."""
    try:
        decoded = _decoded(state)
        if decoded["bit_generator"] not in BIT_GENERATORS:
            raise ValueError(f"bit_generator is not one of {BIT_GENERATORS}")
        seed = decoded.pop("seed_sequence")
        if seed["pool_size"] > 1024:
            raise ValueError("pool_size is above 1024")
        bit_generator = getattr(np.random, decoded["bit_generator"])(np.random.SeedSequence(**seed))
        bit_generator.state = decoded
        if state_to_json(bit_generator) != state:
            raise ValueError("NumPy does not keep it as it is")
        _check_usable(bit_generator.state)
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


def _check_usable(state):
    # NumPy takes these on trust: the positions index C arrays, and a generator that is stuck at
    # zero hangs what waits for another number.
    inner = state["state"]
    if inner.get("pos", 0) > 624 or state.get("buffer_pos", 0) > 4:
        raise ValueError("its position is beyond its buffer")
    if inner.get("inc", 1) % 2 == 0 or ("pos" in inner and not np.any(inner["key"])):
        raise ValueError("it is stuck")


def _encoded(value):
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_encoded(item) for item in value]
    return str(value)


def _decoded(value):
    if isinstance(value, dict):
        return {key: _decoded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return int(value) if value.isascii() and value.isdigit() else value


def stream(seed, *name):
    """Seed of one job, a SeedSequence: depends on the seed and on the job's name only.

    Examples
    --------
    >>> stream(0, "network", 1).entropy == stream(0, "network", 2).entropy
    False
    """
    return np.random.SeedSequence([seed, *(zlib.crc32(str(part).encode()) for part in name)])
