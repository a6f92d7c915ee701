"""Generators that go on where they were, and states that are refused."""

import json
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrnn.base import streams as states

BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


def generator(name, seed=5):
    """A generator that has been used: half of a 64-bit draw is waiting, one child was made."""
    rng = np.random.Generator(getattr(np.random, name)(seed))
    rng.integers(0, 9, 3, dtype=np.uint32)
    rng.spawn(1)
    return rng


def draws(rng):
    return [
        rng.integers(0, 9, 3, dtype=np.uint32).tolist(),
        rng.normal(size=3).tolist(),
        rng.spawn(1)[0].random(),
        rng.random(),
    ]


@pytest.mark.parametrize("name", BIT_GENERATORS)
def test_a_generator_goes_on_where_it_was_and_so_do_its_children(name):
    rng = generator(name)
    text = json.dumps(states.state_to_json(rng.bit_generator), allow_nan=False)
    fresh = np.random.Generator(getattr(np.random, name)(5))
    assert draws(states.from_json(json.loads(text))) == draws(rng) != draws(fresh)


@given(
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**128 - 1),
    st.integers(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_every_state_of_pcg64_survives(state, increment, has_uint32, uinteger):
    bit_generator = np.random.PCG64(0)
    bit_generator.state = {
        "bit_generator": "PCG64",
        "has_uint32": has_uint32,
        "uinteger": uinteger,
        "state": {"state": state, "inc": increment | 1},
    }
    back = states.from_json(states.state_to_json(bit_generator))
    assert back.bit_generator.state == bit_generator.state


@pytest.mark.parametrize("entropy", [None, 2**200, [1, 2], np.array([3, 4]), np.int64(5)])
def test_every_kind_of_entropy_survives(entropy):
    rng = np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(3, 1)))
    assert draws(states.from_json(states.state_to_json(rng.bit_generator))) == draws(rng)


def test_only_numpys_own_bit_generators_are_saved():
    with pytest.raises(TypeError, match="bit_generator must be one of"):
        states.state_to_json(np.random.default_rng(0))
    with pytest.raises(TypeError, match="SeedSequence"):
        states.state_to_json(np.random.Philox(key=1))


HOSTILE = [
    ("PCG64", ("bit_generator",), "default_rng"),
    ("PCG64", ("bit_generator",), "__class__"),
    ("PCG64", ("bit_generator",), "MT19937"),
    ("PCG64", ("bit_generator",), ["PCG64"]),
    ("PCG64", ("state",), None),
    ("PCG64", ("state",), {}),
    ("PCG64", ("state", "state"), 3),
    ("PCG64", ("state", "state"), "-1"),
    ("PCG64", ("state", "state"), str(2**128)),
    ("PCG64", ("state", "state"), "1" * 5000),
    ("PCG64", ("state", "state"), "0x1"),
    ("PCG64", ("state", "state"), "٣"),
    ("PCG64", ("state", "state"), "01"),
    ("PCG64", ("state", "inc"), "2"),
    ("PCG64", ("has_uint32",), None),
    ("PCG64", ("uinteger",), str(2**32)),
    ("PCG64", ("has_uint32",), str(2**70)),
    ("PCG64", ("extra",), "1"),
    ("PCG64", ("seed_sequence",), None),
    ("PCG64", ("seed_sequence", "pool_size"), str(2**40)),
    ("PCG64", ("seed_sequence", "pool_size"), "1"),
    ("PCG64", ("seed_sequence", "entropy"), {"a": "1"}),
    ("PCG64", ("seed_sequence", "spawn_key"), "a"),
    ("PCG64", ("seed_sequence", "extra"), "1"),
    ("PCG64", ("seed_sequence", "n_children_spawned"), str(2**40)),
    ("MT19937", ("state", "pos"), "625"),
    ("MT19937", ("state", "pos"), "2147483647"),
    ("MT19937", ("state", "key"), ["0"] * 624),
    ("MT19937", ("state", "key"), ["1"] * 623),
    ("MT19937", ("state", "key"), ["1"] * 625),
    ("MT19937", ("state", "key"), [str(2**32)] * 624),
    ("Philox", ("buffer_pos",), "5"),
    ("Philox", ("buffer_pos",), "-1"),
    ("Philox", ("buffer",), ["1"] * 3),
    ("Philox", ("state", "counter"), []),
    ("SFC64", ("state", "state"), ["1"] * 3),
    ("SFC64", ("state", "state"), "1"),
]


@pytest.mark.parametrize(("name", "keys", "value"), HOSTILE)
def test_a_hostile_state_is_refused(name, keys, value):
    state = states.state_to_json(generator(name).bit_generator)
    *parents, last = keys
    inner = state
    for key in parents:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(ValueError, match="state is not one that state_to_json gave"):
        states.from_json(state)


@pytest.mark.parametrize("state", [None, 3, "PCG64", [], {}, {"bit_generator": "PCG64"}, {1: 2}])
def test_what_is_no_state_is_refused(state):
    with pytest.raises(ValueError, match="state is not one that state_to_json gave"):
        states.from_json(state)


def test_the_global_generator_is_left_alone():
    before = np.random.get_state()[1].tolist()
    states.from_json(states.state_to_json(generator("MT19937").bit_generator))
    assert np.random.get_state()[1].tolist() == before


# ---- seeds of jobs -------------------------------------------------------------------------------


def drawn(sequence):
    return tuple(sequence.generate_state(4).tolist())


@given(
    st.integers(0, 2**32 - 1), st.lists(st.integers(0, 9) | st.text("ab", min_size=1), max_size=3)
)
def test_streams_of_ordinary_names_are_as_they_were(seed, name):
    hashes = [zlib.crc32(str(part).encode()) for part in name]
    assert drawn(states.stream(seed, *name)) == drawn(np.random.SeedSequence([seed, *hashes]))


NAMES = st.lists(st.integers(-3, 3) | st.text("\0-0123", max_size=3), max_size=3).map(tuple)
SEEDS = st.integers(0, 2**70) | st.sampled_from([0, 5, 2**32 - 1, 2**32, 2**64])


def typed(name):
    return [(type(part), part) for part in name]


@given(SEEDS, SEEDS, NAMES, NAMES)
def test_other_seeds_or_names_have_other_streams(one, other, name, names):
    same = one == other and typed(name) == typed(names)
    assert (drawn(states.stream(one, *name)) == drawn(states.stream(other, *names))) == same


def test_a_number_and_its_word_are_two_names():
    assert drawn(states.stream(0, 1)) != drawn(states.stream(0, "1"))
    assert drawn(states.stream(0, "network", 1)) != drawn(states.stream(0, "network", "1"))
    assert drawn(states.stream(0, np.int64(1))) == drawn(states.stream(np.int64(0), 1))


def test_a_large_seed_is_no_small_one_with_a_name():
    large = 5 + (zlib.crc32(b"network") << 32)
    assert drawn(states.stream(large, 1)) != drawn(states.stream(5, "network", 1))
    assert drawn(states.stream(large)) != drawn(states.stream(5, "network"))


@pytest.mark.parametrize("part", [1.0, None, True, b"a", ("a",)])
def test_a_name_is_of_numbers_and_words(part):
    with pytest.raises(TypeError, match="name must be of int and str"):
        states.stream(0, part)
    for seed in (-1, 1.0, "0", None, True):
        with pytest.raises((TypeError, ValueError), match="seed must be"):
            states.stream(seed, "a")


def test_seeds_of_neighbours_do_not_overlap():
    seeds = {states.seed_of(seed, "a", index) for seed in range(100) for index in range(100)}
    assert len(seeds) == 10_000 and all(0 <= seed < 2**63 for seed in seeds)
