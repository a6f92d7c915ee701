"""Which networks a population has: the settings of each, from seeds and a grid.

And the key that names its file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hrnn.base.arguments import one_of, refuse_size, whole_number
from hrnn.base.version import __version__
from hrnn.distill.baselines import N_UPDATES
from hrnn.network import Cell, init_settings
from hrnn.populations.member import PARTS, Settings
from hrnn.task import Task
from hrnn.training import BYTES_PER_STEP, RECIPES, Recipe

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
BYTES_PER_NETWORK: int = 4096  # of its settings
BYTES_PER_BLOCK: int = 128  # of the sums of what it did, which are kept until all are there


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
    _check_parts(parts)
    base = {
        "network": {"n_hidden": n_hidden, "cell": cell, "leak": None, "gain": 1.0},
        "recipe": _recipe(recipe, "recipe"),
        "task": task.to_dict(),
        "n_blocks": _affordable(n_blocks, "n_blocks", BYTES_PER_BLOCK),
        "parts": [part for part in PARTS if part in parts],
        "n_updates": _affordable(n_updates, "n_updates", BYTES_PER_STEP),
        "seed": whole_number(seed, "seed", 0),
    }
    grids = _checked({} if grid is None else grid)
    n_points = sum(math.prod(map(len, one.values())) for one in grids)
    n_networks = _affordable(n_networks, "n_networks", n_points * BYTES_PER_NETWORK)
    names = list(dict.fromkeys(itertools.chain.from_iterable(grids)))
    members: dict[str, tuple[Point, Settings]] = {}
    for point, index in itertools.product(_points(grids), range(n_networks)):
        settings = _settings(base, point, index)
        members.setdefault(key_of(settings), (point_of(settings, names), settings))
    return list(members.values())


def _check_parts(parts: Sequence[str]) -> None:
    """Refuse what are no names of parts."""
    if isinstance(parts, str) or not isinstance(parts, Iterable):
        raise TypeError(f"parts must be a sequence of names, got {parts!r}")
    for part in parts:
        one_of(part, "parts", PARTS)


def _affordable(value: Any, name: str, n_bytes: int) -> int:
    """A count >= 1, each of which takes some bytes of memory."""
    count = whole_number(value, name)
    refuse_size(name, count, count * n_bytes)
    return count


def _points(grids: list[dict[str, list[Any]]]) -> list[Point]:
    """Every combination of values of each grid, one grid after the other."""
    return [
        dict(zip(one, values, strict=True))
        for one in grids
        for values in itertools.product(*one.values())
    ]


def point_of(settings: Settings, names: Iterable[str]) -> Point:
    """Values of some of `GRID_KEYS` by name; None where settings of another version have none.

    Parameters
    ----------
    settings : dict
        As in `Member.settings`.
    names : iterable of str
        Which.
    """
    flat = {**settings["network"], **settings["recipe"], **settings["task"]}
    recipe = RECIPES.get(settings["recipe"]["name"])
    known = recipe is not None and dataclasses.asdict(recipe) == settings["recipe"]
    flat["recipe"] = settings["recipe"]["name"] if known else _words(settings["recipe"])
    return {name: flat.get(name) for name in names}


def _words(recipe: Mapping[str, Any]) -> str:
    """A recipe that has no name of its own."""
    return f"Recipe({', '.join(f'{name}={value!r}' for name, value in recipe.items())})"


def _recipe(recipe: Any, name: str) -> dict[str, Any]:
    """A recipe, or the name of one, as plain values."""
    if isinstance(recipe, str):
        recipe = RECIPES[one_of(recipe, name, tuple(RECIPES))]
    if not isinstance(recipe, Recipe):
        raise TypeError(f"{name} must be 'paper', 'fast' or a Recipe, got {type(recipe).__name__}")
    return dataclasses.asdict(recipe)


def _checked(grid: Grid | Sequence[Grid]) -> list[dict[str, list[Any]]]:
    """A list of grids with known keys and at least one value for each."""
    several = [grid] if isinstance(grid, Mapping) else grid
    if isinstance(several, str) or not isinstance(several, Iterable):
        raise TypeError(f"grid must be a dict or a list of dicts, got {type(grid).__name__}")
    grids: list[dict[str, list[Any]]] = []
    for one in several:
        if not isinstance(one, Mapping):
            raise TypeError(
                f"grid must be a dict or a list of dicts, got one of {type(one).__name__}"
            )
        grids.append({name: _values(name, values) for name, values in one.items()})
    if not grids:
        raise ValueError("grid must be a dict, or a list of at least one, got an empty list")
    return grids


def _values(name: Any, values: Any) -> list[Any]:
    """Values of an axis of the grid."""
    if name not in GRID_KEYS:
        raise ValueError(f"grid must have keys among {GRID_KEYS}, got {name!r}")
    try:
        if isinstance(values, str | bytes | Mapping):
            raise TypeError
        several = list(values)
    except TypeError:
        message = f"grid[{name!r}] must be a sequence of values, got {values!r}"
        raise TypeError(message) from None
    if not several:
        raise ValueError(f"grid must have values for every key, got none for {name!r}")
    return several


def _settings(base: Settings, point: Point, index: int) -> Settings:
    """Everything that a network depends on, as plain JSON."""
    parts = {part: dict(base[part]) for part in ("network", "recipe", "task")}
    if "recipe" in point:
        parts["recipe"] = _recipe(point["recipe"], "grid['recipe']")
    for name, value in point.items():
        if name != "recipe":
            parts[_part_of(name)][name] = value
    checked = {
        "network": init_settings(**parts["network"]),
        "recipe": dataclasses.asdict(Recipe(**parts["recipe"])),
        "task": Task(**parts["task"]).to_dict(),
    }
    return {**base, **checked, "index": index, "hrnn": __version__}


def _part_of(name: str) -> str:
    """Which part of the settings has a key of the grid."""
    if name in NETWORK_KEYS:
        return "network"
    return "recipe" if name in RECIPE_KEYS else "task"


def key_of(settings: Settings) -> str:
    """Name of a network's file: a hash of its settings."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differing(several: Sequence[Settings]) -> list[str]:
    """Names among `GRID_KEYS` of what is not the same in all these settings, in order."""
    points = [point_of(settings, GRID_KEYS) for settings in several]
    return [name for name in GRID_KEYS if len({json.dumps(p[name]) for p in points}) > 1]
