"""Which networks a population has: the settings of each, from seeds and a grid.

And the key that names its file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hrnn.base.arguments import one_of, refuse_size, whole_number
from hrnn.base.version import __version__
from hrnn.distill.baselines import N_UPDATES
from hrnn.network import Cell
from hrnn.populations.member import PARTS, Settings
from hrnn.task import Task
from hrnn.training import RECIPES, Recipe

Grid = Mapping[str, Iterable[Any]]  # values of settings by name
Point = dict[str, Any]  # one value of each
NETWORK_KEYS: tuple[str, ...] = ("n_hidden", "cell", "leak", "gain")
RECIPE_KEYS: tuple[str, ...] = tuple(
    field.name for field in dataclasses.fields(Recipe) if field.name != "name"
)
TASK_KEYS: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Task))
GRID_KEYS: tuple[str, ...] = (*NETWORK_KEYS, "recipe", *RECIPE_KEYS, *TASK_KEYS)
N_BLOCKS: int = 1000
N_NETWORKS: int = 20
BYTES_OF_SETTINGS: int = 4000  # that one network's settings take


def plan(
    *,
    n_networks: int = N_NETWORKS,
    grid: Grid | Sequence[Grid] | None = None,
    task: Task | None = None,
    recipe: str | Recipe = "paper",
    n_hidden: int = 50,
    cell: Cell | str = "tanh",
    n_blocks: int = N_BLOCKS,
    parts: Sequence[str] = PARTS,
    n_updates: int = N_UPDATES,
    seed: int = 0,
) -> list[tuple[Point, Settings]]:
    """Which networks a population has.

    Parameters
    ----------
    n_networks, grid, task, recipe, n_hidden, cell, n_blocks, parts, n_updates, seed
        Those of `population`.

    Returns
    -------
    list of (dict, dict)
        In order, for each network its point of the grid and its `Member.settings`.
    """
    task = Task() if task is None else task
    if not isinstance(task, Task):
        raise TypeError(f"task must be a Task, got {type(task).__name__}")
    if not isinstance(parts, Sequence):
        raise TypeError(f"parts must be a list of {PARTS}, got {type(parts).__name__}")
    for part in parts:
        one_of(part, "parts", PARTS)
    base = {
        "network": {"n_hidden": n_hidden, "cell": cell, "leak": None, "gain": 1.0},
        "recipe": _recipe(recipe, "recipe"),
        "task": task.to_dict(),
        "n_blocks": whole_number(n_blocks, "n_blocks"),
        "parts": [part for part in PARTS if part in parts],
        "n_updates": whole_number(n_updates, "n_updates"),
        "seed": whole_number(seed, "seed", 0),
    }
    grids = _checked({} if grid is None else grid)
    n_networks = whole_number(n_networks, "n_networks")
    refuse_size("n_networks", n_networks, BYTES_OF_SETTINGS * n_networks)
    names = list(dict.fromkeys(itertools.chain.from_iterable(grids)))
    members: dict[str, tuple[Point, Settings]] = {}
    for point, index in itertools.product(_points(grids), range(n_networks)):
        settings = _settings(base, point, index)
        flat = _flat(settings) | {"recipe": point.get("recipe", recipe)}
        about = {name: flat[name] for name in names}
        members.setdefault(key_of(settings), (about, settings))
    return list(members.values())


def _points(grids: list[dict[str, list[Any]]]) -> list[Point]:
    """Every combination of values of each grid, one grid after the other."""
    return [
        dict(zip(one, values, strict=True))
        for one in grids
        for values in itertools.product(*one.values())
    ]


def _flat(settings: Settings) -> dict[str, Any]:
    """Settings of network, recipe and task by name."""
    return {**settings["network"], **settings["recipe"], **settings["task"]}


def _recipe(recipe: Any, name: str) -> dict[str, Any]:
    """A recipe, or the name of one, as plain values."""
    if isinstance(recipe, str):
        recipe = RECIPES[one_of(recipe, name, tuple(RECIPES))]
    if not isinstance(recipe, Recipe):
        raise TypeError(f"{name} must be 'paper', 'fast' or a Recipe, got {type(recipe).__name__}")
    return dataclasses.asdict(recipe)


def _checked(grid: Grid | Sequence[Grid]) -> list[dict[str, list[Any]]]:
    """A list of grids with known keys and at least one value for each."""
    several: list[Any] = [grid] if isinstance(grid, dict) else list(grid)
    grids: list[dict[str, list[Any]]] = []
    for one in several:
        values_of: dict[str, Any] = dict(one)
        grids.append({name: list(values) for name, values in values_of.items()})
    if not grids:
        raise ValueError("grid must be a dict, or a list of at least one, got an empty list")
    for name, values in itertools.chain.from_iterable(one.items() for one in grids):
        if name not in GRID_KEYS:
            raise ValueError(f"grid must have keys among {GRID_KEYS}, got {name!r}")
        if not values:
            raise ValueError(f"grid must have values for every key, got none for {name!r}")
    return grids


def _settings(base: Settings, point: Point, index: int) -> Settings:
    """Everything that a network depends on, as plain JSON."""
    parts = {part: dict(base[part]) for part in ("network", "recipe", "task")}
    if "recipe" in point:
        parts["recipe"] = _recipe(point["recipe"], "grid['recipe']")
    for name, value in point.items():
        if name != "recipe":
            parts[_part_of(name)][name] = value
    every = {**base, **parts, "index": index, "hrnn": __version__}
    return json.loads(json.dumps(every, default=_plain))


def _part_of(name: str) -> str:
    """Which part of the settings has a key of the grid."""
    if name in NETWORK_KEYS:
        return "network"
    return "recipe" if name in RECIPE_KEYS else "task"


def _plain(value: Any) -> Any:
    """What JSON has for NumPy's numbers and for tuples."""
    return value.item() if isinstance(value, np.generic) else list(value)


def key_of(settings: Settings) -> str:
    """Name of a network's file: a hash of its settings."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(several: Sequence[Settings]) -> list[Point]:
    """What differs between settings: {name: value} of each network."""
    flat = [_flat(settings) for settings in several]
    differ: list[str] = []
    for name in GRID_KEYS:
        values = {json.dumps(settings.get(name)) for settings in flat}
        if len(values) > 1:
            differ.append(name)
    return [{name: settings.get(name) for name in differ} for settings in flat]
