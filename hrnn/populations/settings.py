"""Which networks a population has.

The settings of each, from seeds and a grid, and the key that names its file.
"""

import dataclasses
import hashlib
import itertools
import json

import numpy as np

from hrnn.base.arguments import one_of, whole_number
from hrnn.base.version import __version__
from hrnn.distill.baselines import N_UPDATES
from hrnn.populations.member import PARTS
from hrnn.task import Task
from hrnn.training import RECIPES, Recipe

NETWORK_KEYS = ("n_hidden", "cell", "leak", "gain")
RECIPE_KEYS = tuple(field.name for field in dataclasses.fields(Recipe) if field.name != "name")
TASK_KEYS = tuple(field.name for field in dataclasses.fields(Task))
GRID_KEYS = (*NETWORK_KEYS, "recipe", *RECIPE_KEYS, *TASK_KEYS)
N_BLOCKS = 1000
N_NETWORKS = 20


def plan(
    *,
    n_networks=N_NETWORKS,
    grid=None,
    task=None,
    recipe="paper",
    n_hidden=50,
    cell="tanh",
    n_blocks=N_BLOCKS,
    parts=PARTS,
    n_updates=N_UPDATES,
    seed=0,
):
    """Which networks a population has, in order: a list of (point of the grid, settings)."""
    task = Task() if task is None else task
    if not isinstance(task, Task):
        raise TypeError(f"task must be a Task, got {type(task).__name__}")
    for part in parts:
        one_of(part, "parts", PARTS)
    network = {"n_hidden": n_hidden, "cell": cell, "leak": None, "gain": 1.0}
    base = {
        "network": network,
        "recipe": _recipe(recipe, "recipe"),
        "task": task.to_dict(),
        "n_blocks": whole_number(n_blocks, "n_blocks"),
        "parts": [part for part in PARTS if part in parts],
        "n_updates": whole_number(n_updates, "n_updates"),
        "seed": whole_number(seed, "seed", 0),
    }
    grids = _checked({} if grid is None else grid)
    n_networks = whole_number(n_networks, "n_networks")
    names = list(dict.fromkeys(itertools.chain.from_iterable(grids)))
    members = {}
    for one in grids:
        for values in itertools.product(*one.values()):
            point = dict(zip(one, values, strict=True))
            for index in range(n_networks):
                settings = _settings(base, point, index)
                flat = {
                    **settings["network"],
                    **settings["recipe"],
                    **settings["task"],
                    "recipe": point.get("recipe", recipe),
                }
                members.setdefault(
                    key_of(settings), ({name: flat[name] for name in names}, settings)
                )
    return list(members.values())


def _recipe(recipe, name):
    if isinstance(recipe, str):
        recipe = RECIPES[one_of(recipe, name, tuple(RECIPES))]
    if not isinstance(recipe, Recipe):
        raise TypeError(f"{name} must be 'paper', 'fast' or a Recipe, got {type(recipe).__name__}")
    return dataclasses.asdict(recipe)


def _checked(grid):
    """A list of grids."""
    grids = [
        {name: list(values) for name, values in dict(one).items()}
        for one in ([grid] if isinstance(grid, dict) else grid)
    ]
    if not grids:
        raise ValueError("grid must be a dict, or a list of at least one, got an empty list")
    for name, values in itertools.chain.from_iterable(one.items() for one in grids):
        if name not in GRID_KEYS:
            raise ValueError(f"grid must have keys among {GRID_KEYS}, got {name!r}")
        if not values:
            raise ValueError(f"grid must have values for every key, got none for {name!r}")
    return grids


def _settings(base, point, index):
    """Everything that a network depends on, as plain JSON."""
    parts = {part: dict(base[part]) for part in ("network", "recipe", "task")}
    if "recipe" in point:
        parts["recipe"] = _recipe(point["recipe"], "grid['recipe']")
    for name, value in point.items():
        if name != "recipe":
            parts[
                "network" if name in NETWORK_KEYS else "recipe" if name in RECIPE_KEYS else "task"
            ][name] = value
    return json.loads(
        json.dumps({**base, **parts, "index": index, "hrnn": __version__}, default=_plain)
    )


def _plain(value):
    return value.item() if isinstance(value, np.generic) else list(value)


def key_of(settings):
    """Name of a network's file: a hash of its settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def differences(several):
    """What differs between settings: {name: value} of each network."""
    flat = [
        {**settings["network"], **settings["recipe"], **settings["task"]} for settings in several
    ]
    differ = [
        name for name in GRID_KEYS if len({json.dumps(settings.get(name)) for settings in flat}) > 1
    ]
    return [{name: settings.get(name) for name in differ} for settings in flat]
