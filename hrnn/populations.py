"""Many networks, trained and taken apart: seeds, or a grid of settings, on threads, processes or a cluster.

Every network is one piece of work that depends on its settings alone, and one file named by a hash of them: whichever engine runs it,
in whatever order, the bits are the same, and an interrupted population goes on where it was.
"""

import concurrent.futures
import dataclasses
import hashlib
import itertools
import json
import traceback

import numpy as np

from hrnn import io
from hrnn.arguments import as_path, whole_number
from hrnn.network import Network
from hrnn.reproduce import stream
from hrnn.rollout import bar, rollout
from hrnn.task import Task
from hrnn.training import RECIPES, Recipe, n_threads_of, train

NETWORK_KEYS = ("n_hidden", "cell", "leak")
RECIPE_KEYS = ("optimizer", "learning_rate", "momentum", "n_sessions", "n_steps", "loss")
TASK_KEYS = tuple(field.name for field in dataclasses.fields(Task))
N_BLOCKS = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class Population:
    """Measures of many networks.

    Attributes
    ----------
    table : DataFrame
        One row per network and measure: `key` (of its files), `index` (seed), the settings of the grid, `measure, value`.
    failures : DataFrame
        One row per network that failed: `key, index`, the settings of the grid, `error` (its traceback).
    folder : Path
        `<key>.json` holds settings, version and measures of a network, `<key>.npz` the network itself.
    """

    table: object
    failures: object
    folder: object

    def network(self, key):
        """A network by its key."""
        return Network.load(self.folder / f"{key}.npz")


def population(folder, *, n_networks=20, grid=None, task=None, recipe="paper", n_hidden=50, cell="tanh", n_blocks=N_BLOCKS, seed=0,
               executor=None, n_threads=None, progress=True):
    """Train networks, evaluate each, and take each apart.

    Parameters
    ----------
    folder : path
        Made if it is not there. Networks whose files are in it are not trained again.
    n_networks : int
        Seeds at every point of the grid.
    grid : dict of str to sequence, optional
        Values of `n_hidden, cell, leak`, of the recipe's fields or of the task's, every combination of which is a point.
    task : Task, optional
    recipe : {'paper', 'fast'} or Recipe
    n_hidden : int
    cell : {'tanh', 'leaky'}
    n_blocks : int
        Evaluated, in the same sessions for all networks of one task.
    seed : int
    executor : concurrent.futures.Executor or dask.distributed.Client, optional
        Where to work; by default threads of this process.
    n_threads : int or None
        Of these.
    progress : bool

    Returns
    -------
    Population
        A network that failed is in `failures`, and is tried again by the next call; the others are not held up.

    Raises
    ------
    ValueError
        If a key of the grid is not known, the grid has an empty axis, or another process works in the folder.

    Examples
    --------
    >>> import hrnn, tempfile
    >>> recipe = hrnn.Recipe(n_steps=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = population(folder, n_networks=2, recipe=recipe, n_hidden=4, n_blocks=32, progress=False)
    >>> len(found.failures), found.table.key.nunique()
    (0, 2)
    """
    folder = as_path(folder, "folder")
    task = Task() if task is None else task
    recipe = RECIPES[recipe] if isinstance(recipe, str) and recipe in RECIPES else recipe
    if not isinstance(task, Task) or not isinstance(recipe, Recipe):
        raise TypeError("task must be a Task and recipe 'paper', 'fast' or a Recipe")
    n_networks, n_blocks, seed = whole_number(n_networks, "n_networks"), whole_number(n_blocks, "n_blocks"), whole_number(seed, "seed", 0)
    grid = {} if grid is None else {name: list(values) for name, values in dict(grid).items()}
    _check(grid)
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    base = {"network": {"n_hidden": n_hidden, "cell": cell}, "recipe": dataclasses.asdict(recipe), "task": task.to_dict(),
            "n_blocks": n_blocks, "seed": seed}
    members = [(point, index, _settings(base, point, index)) for point in points for index in range(n_networks)]
    folder.mkdir(parents=True, exist_ok=True)
    with io.lock(folder / ".lock"):
        left = [settings for _, _, settings in members if not (folder / f"{key_of(settings)}.json").exists()]
        errors = _work(left, folder, executor, n_threads_of(n_threads), progress)
    return _gather(members, folder, errors)


def _check(grid):
    known = (*NETWORK_KEYS, *RECIPE_KEYS, *TASK_KEYS)
    for name, values in grid.items():
        if name not in known:
            raise ValueError(f"grid must have keys among {known}, got {name!r}")
        if not values:
            raise ValueError(f"grid must have values for every key, got none for {name!r}")


def _settings(base, point, index):
    """Everything that a network depends on, as plain JSON."""
    from hrnn import __version__

    parts = {part: dict(base[part]) for part in ("network", "recipe", "task")}
    for name, value in point.items():
        part = "network" if name in NETWORK_KEYS else "recipe" if name in RECIPE_KEYS else "task"
        parts[part][name] = value
    return json.loads(json.dumps({**base, **parts, "index": index, "hrnn": __version__}, default=_plain))


def _plain(value):
    return value.item() if isinstance(value, np.generic) else list(value)


def key_of(settings):
    """Name of a network's files: a hash of its settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def member(settings):
    """Train, evaluate and take apart one network: (measures, network); a function of its settings."""
    from hrnn.anatomy import Anatomy
    from hrnn.behavior import summary

    task, recipe, index = Task(**settings["task"]), Recipe(**settings["recipe"]), settings["index"]
    net = Network.init(**settings["network"], rng=stream(settings["seed"], "network", index))
    net = train(net, task, recipe, rng=stream(settings["seed"], "training", index), progress=False).network
    run = rollout(net, task.sample(n_blocks=settings["n_blocks"], rng=stream(settings["seed"], "sessions")))
    found = {name: float(value) for name, value in summary(run)["value"].items()}
    found |= {name: float(estimate.value) for name, estimate in Anatomy(run, settings["seed"]).measures().items()}
    return {name: value if np.isfinite(value) else None for name, value in found.items()}, net


def work(settings, folder):
    """One network into its files; the traceback if it fails, else None. What every engine runs."""
    try:
        measures, net = member(settings)
        key = key_of(settings)
        net.save(as_path(folder) / f"{key}.npz")
        io.write_json(as_path(folder) / f"{key}.json", {"settings": settings, "measures": measures})
    except Exception:
        return traceback.format_exc()
    return None


def _work(left, folder, executor, n_threads, progress):
    """{key: traceback} of the networks that failed."""
    own = concurrent.futures.ThreadPoolExecutor(n_threads) if executor is None else None
    engine, errors = executor if own is None else own, {}
    options = {"pure": False} if type(engine).__module__.startswith("distributed") else {}
    futures = []
    try:
        with bar(progress, len(left), unit="network") as shown:
            futures = [engine.submit(work, settings, str(folder), **options) for settings in left]
            for settings, future in zip(left, futures, strict=True):
                try:
                    error = future.result()
                except Exception:  # a worker that died: its network is a failure like another
                    error = traceback.format_exc()
                if error:
                    errors[key_of(settings)] = error
                shown.update()
    finally:
        for future in futures:
            future.cancel()
        if own is not None:
            own.shutdown(wait=True, cancel_futures=True)
    return errors


def _gather(members, folder, errors):
    import pandas as pd

    rows, failures = [], []
    for point, index, settings in members:
        key = key_of(settings)
        about = {"key": key, "index": index, **{name: value if np.isscalar(value) else str(value) for name, value in point.items()}}
        if key in errors:
            failures.append({**about, "error": errors[key]})
            continue
        measures = json.loads((folder / f"{key}.json").read_text())["measures"]
        rows += [{**about, "measure": name, "value": np.nan if value is None else value} for name, value in measures.items()]
    names = ["key", "index", *members[0][0]]
    return Population(pd.DataFrame(rows, columns=[*names, "measure", "value"]), pd.DataFrame(failures, columns=[*names, "error"]), folder)
