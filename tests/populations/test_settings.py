"""What a population is asked for is checked before anything is trained."""

import sys

import numpy as np
import pytest

import hrnn
from hrnn.populations.ensemble import population
from hrnn.populations.settings import key_of, plan

BAD = [
    # cell, n_hidden
    ({"cell": "lstm"}, ValueError, "cell must be one of"),
    ({"cell": None}, ValueError, "cell must be one of"),
    ({"n_hidden": 0}, ValueError, "n_hidden must be >= 1, got 0"),
    ({"n_hidden": 10**9}, ValueError, "n_hidden must be <="),
    ({"n_hidden": 4.0}, TypeError, "n_hidden must be an int, got float"),
    ({"n_hidden": "4"}, TypeError, "n_hidden must be an int, got str"),
    # types of the grid
    ({"grid": {"cell": "tanh"}}, TypeError, r"grid\['cell'\] must be a sequence.*'tanh'"),
    ({"grid": {"cell": b"tanh"}}, TypeError, r"grid\['cell'\] must be a sequence"),
    ({"grid": {"n_hidden": 5}}, TypeError, r"grid\['n_hidden'\] must be a sequence.*got 5"),
    ({"grid": {"n_hidden": None}}, TypeError, r"grid\['n_hidden'\] must be a sequence"),
    ({"grid": {"n_hidden": np.array(5)}}, TypeError, r"grid\['n_hidden'\] must be a sequence"),
    ({"grid": {"n_hidden": {5: 6}}}, TypeError, r"grid\['n_hidden'\] must be a sequence"),
    ({"grid": 5}, TypeError, "grid must be a dict or a list of dicts, got int"),
    ({"grid": "n_hidden"}, TypeError, "grid must be a dict or a list of dicts, got str"),
    ({"grid": ["n_hidden"]}, TypeError, "grid must be a dict or a list of dicts, got one of str"),
    ({"grid": []}, ValueError, "grid must be a dict, or a list of at least one"),
    ({"grid": {3: [1]}}, ValueError, "grid must have keys among"),
    # numbers of every point of the grid
    ({"grid": {"n_hidden": [4, "x"]}}, TypeError, "n_hidden must be an int, got str"),
    ({"grid": {"n_hidden": [4, True]}}, TypeError, "n_hidden must be an int, got bool"),
    ({"grid": {"cell": ["tanh", "lstm"]}}, ValueError, "cell must be one of"),
    ({"grid": {"leak": [0.5]}}, ValueError, "leak must be 1 for the tanh cell"),
    ({"grid": {"gain": [1, 0]}}, ValueError, "gain must be in"),
    ({"grid": {"threshold": [0.9, 2.0]}}, ValueError, "threshold must be in"),
    ({"grid": {"block_min": [200]}}, ValueError, "block_max must be >= block_min"),
    ({"grid": {"strengths": (0.0, 1.0)}}, ValueError, "strengths must be"),
    ({"grid": {"n_steps": [10, 0]}}, ValueError, "n_steps must be >= 1"),
    ({"grid": {"learning_rate": [float("nan")]}}, ValueError, "learning_rate must be in"),
    ({"grid": {"loss": ["huber"]}}, ValueError, "loss must be one of"),
    ({"grid": {"recipe": ["fast", 3]}}, TypeError, r"grid\['recipe'\] must be"),
    # parts
    ({"parts": None}, TypeError, "parts must be a sequence of names, got None"),
    ({"parts": "mechanism"}, TypeError, "parts must be a sequence of names, got 'mechanism'"),
    ({"parts": 3}, TypeError, "parts must be a sequence of names, got 3"),
    ({"parts": [3]}, ValueError, "parts must be one of"),
    # counts that would take all memory
    ({"n_networks": 2**31}, ValueError, "n_networks = 2147483648 would need"),
    ({"n_networks": 10**18}, ValueError, "n_networks = .* would need"),
    ({"n_blocks": 2**40}, ValueError, "n_blocks = .* would need"),
    ({"n_updates": 2**40}, ValueError, "n_updates = .* would need"),
    ({"grid": {"n_steps": [2**40]}}, ValueError, "n_steps = .* would need"),
    ({"grid": {"n_sessions": [2**40]}}, ValueError, "n_sessions = .* would need"),
    # others
    ({"tensorboard": "yes"}, TypeError, "tensorboard must be True or False"),
    ({"n_blocks": 24.0}, TypeError, "n_blocks must be an int"),
    ({"seed": "0"}, TypeError, "seed must be an int"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD)
def test_what_cannot_be_is_refused_before_anything_is_trained(tmp_path, change, error, message):
    settings = {"n_networks": 1, "n_blocks": 24, "parts": [], "progress": False, "recipe": "fast"}
    with pytest.raises(error, match=message):
        population(tmp_path / "p", **settings | change)
    assert not (tmp_path / "p").exists()


def test_a_missing_extra_is_said_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ModuleNotFoundError, match=r"tensorboard=True needs.*hrnn\[sweep\]"):
        population(tmp_path / "p", n_networks=1, recipe="fast", tensorboard=True, progress=False)
    assert not (tmp_path / "p").exists()


SAME = [
    ({"p_block": [1]}, {"p_block": [1.0]}),
    ({"gain": [1]}, {"gain": [1.0]}),
    ({"n_hidden": [5]}, {"n_hidden": np.array([5], np.int16)}),
    ({"cell": ["gru"]}, {"cell": np.array(["gru"])}),
    ({"threshold": (0.8, 0.9)}, {"threshold": iter([0.8, 0.9])}),
    ({"strengths": [(0, 1), (0, 1, 2)]}, {"strengths": [np.array([0.0, 1.0]), [0, 1, 2]]}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_network_has_one_key_however_it_is_asked_for(one, other):
    keys = [[key_of(s) for _, s in plan(n_networks=2, grid=grid)] for grid in (one, other)]
    assert keys[0] == keys[1]


def test_a_point_says_what_was_asked_for():
    own = hrnn.Recipe(n_steps=2, name="mine")
    points = [p for p, _ in plan(n_networks=1, grid={"recipe": ["fast", own], "n_hidden": [5]})]
    assert [p["recipe"] for p in points] == ["fast", str(own)]
    assert [p["n_hidden"] for p in points] == [5, 5]
