"""Many networks, of seeds or of a grid of settings, trained and taken apart.

They are made on threads, on processes or on a cluster.

Every network is one piece of work that depends on its settings alone (`member`), and one file named
by a hash of them: whichever engine runs it, in whatever order, the bits are the same, and an
interrupted population goes on where it was.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import importlib
import itertools
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hrnn.base import files, parallel
from hrnn.base.arguments import as_path, flag, one_of, whole_number
from hrnn.base.parallel import n_threads_of, one_blas_thread
from hrnn.base.progress import bar
from hrnn.base.version import __version__
from hrnn.distill.baselines import N_UPDATES
from hrnn.network import Cell, Network
from hrnn.populations.member import PARTS, Member, Settings, checked, make
from hrnn.populations.settings import (
    GRID_KEYS,
    N_BLOCKS,
    N_NETWORKS,
    RECIPE_KEYS,
    Grid,
    Point,
    differing,
    key_of,
    plan,
    point_of,
)
from hrnn.task import Task
from hrnn.training import Recipe

if TYPE_CHECKING:
    import pandas as pd

About = tuple[str, int, Point]  # of a network: key, index, values of the grid
N_SHOWN: int = 5  # files that a warning names
N_SCALARS: int = 100  # written to TensorBoard in the course of a training
RECORD: str = "population.json"


@dataclasses.dataclass(frozen=True, eq=False)
class Population:
    """Measures of many networks.

    Attributes
    ----------
    table : DataFrame
        One row per network and measure: `key` (of its file), `index` (seed), the settings of the
        grid, `measure, value`, and `low, high`, the 95 % interval over sessions given the network;
        NaN where a network does not define a measure that others do.
    failures : DataFrame
        One row per network that failed: `key, index`, the settings of the grid, `error` (its
        traceback).
    folder : Path
        `<key>.npz` holds everything about a network.
    """

    table: pd.DataFrame
    failures: pd.DataFrame
    folder: Path

    @classmethod
    def load(cls, folder: str | Path) -> Population:
        """Read a saved population, whatever grids made it; trains nothing.

        Populations of other versions of hrnn are read, too. A file that holds no network of the
        population (cut short, renamed, somebody else's) is left out with a warning that names it.

        Raises
        ------
        FileNotFoundError
            If there is none in the folder.
        ValueError
            If its record is damaged.
        """
        folder = as_path(folder, "folder")
        names = read_record(folder)["grid"]
        configs, left_out = read(folder)
        if left_out:
            what = "; ".join(itertools.islice(left_out.values(), N_SHOWN))
            warnings.warn(f"{len(left_out)} files are left out: {what}", stacklevel=2)
        several = [config["settings"] for config in configs.values()]
        others = RECIPE_KEYS if "recipe" in names else ("recipe",)
        more = [name for name in differing(several) if name not in (*names, *others)]
        about = [
            (key, config["settings"]["index"], point_of(config["settings"], [*names, *more]))
            for key, config in configs.items()
        ]
        about.sort(key=_in_order)
        return cls._of(about, [configs[key] for key, _, _ in about], [], folder)

    @classmethod
    def _of(
        cls,
        about: list[About],
        configs: list[dict[str, Any]],
        failed: list[tuple[About, str]],
        folder: Path,
    ) -> Population:
        """`about` and the file's config of each network, and (about, error) of each that failed."""
        import pandas as pd

        of_failed = [one for one, _ in failed]
        settings = next((list(point) for _, _, point in [*about, *of_failed]), [])
        every = itertools.chain.from_iterable(config["measures"] for config in configs)
        names = list(dict.fromkeys(every))
        none = [np.nan, np.nan]
        values = [config["measures"].get(name) for config in configs for name in names]
        ends = [config["intervals"].get(name, none) for config in configs for name in names]
        low, high = np.array(ends, float).reshape(-1, 2).T
        table = pd.DataFrame(
            {
                **_columns(about, settings, len(names)),
                "measure": names * len(about),
                "value": np.array(values, float),
                "low": low,
                "high": high,
            }
        )
        columns = _columns(of_failed, settings, 1)
        failures = pd.DataFrame({**columns, "error": [error for _, error in failed]})
        return cls(table, failures, folder)

    @property
    def keys(self) -> list[str]:
        """Keys of the networks, in order."""
        return self.table.key.unique().tolist()

    def wide(self, values: Literal["value", "low", "high"] = "value") -> pd.DataFrame:
        """One row per network, one column per measure.

        Parameters
        ----------
        values : {'value', 'low', 'high'}
            The measures, or the ends of their intervals over sessions.

        Returns
        -------
        DataFrame
            Index `key`.
        """
        one_of(values, "values", ("value", "low", "high"))
        return self.table.pivot(index="key", columns="measure", values=values).loc[self.keys]

    def member(self, key: str) -> Member:
        """Everything about one network, a `member.Member`, by its key."""
        path = self.folder / f"{key}.npz"
        found = Member.load(path)
        _check_key(path, found.settings)
        return found

    @functools.cached_property
    def members(self) -> list[Member]:
        """All networks, in order."""
        return [self.member(key) for key in self.keys]


def _in_order(about: About) -> tuple[str, int, str]:
    """What networks are sorted by: values of the grid, index, key."""
    key, index, point = about
    return json.dumps(list(point.values())), index, key


def _columns(rows: Sequence[About], settings: Sequence[str], repeat: int) -> dict[str, Any]:
    """Columns `key, index` and those of the settings of the grid, each value some times."""
    import pandas as pd

    columns: dict[str, list[Any]] = {
        "key": [key for key, _, _ in rows],
        "index": [index for _, index, _ in rows],
    }
    for name in settings:
        columns[name] = [_cell(point[name]) for _, _, point in rows]
    return {name: np.repeat(pd.Series(v).to_numpy(), repeat) for name, v in columns.items()}


def population(
    folder: str | Path,
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
    executor: str | concurrent.futures.Executor | Any = "threads",
    n_threads: int | None = None,
    tensorboard: bool = False,
    progress: bool = True,
) -> Population:
    """Train networks, evaluate each, and take each apart.

    Parameters
    ----------
    folder : path
        Made if it is not there. Networks whose files are in it are not trained again.
    n_networks : int
        Seeds at every point of the grid.
    grid : dict of str to sequence, or list of such dicts, optional
        Values of `n_hidden, cell, leak, gain` (of the first recurrent weights), `recipe`, of the
        recipe's fields or of the task's, every combination of which is a point. The points of
        several grids are joined.
    task : Task, optional
        On which they are trained and evaluated; by default the paper's.
    recipe : {'paper', 'fast'} or Recipe
        How they are trained.
    n_hidden : int
        Units of each.
    cell : {'tanh', 'leaky', 'gru'}
        Of each.
    n_blocks : int
        In which behaviour is measured, in sessions of each network's own, so that an interval over
        networks is one of new networks in new sessions; everything else is measured in the first
        1000 of them.
    parts : sequence of {'representation', 'integration', 'mechanism', 'distillation', 'choices'}
        What is found out beside behaviour.
    n_updates : int
        Of the students that learn by gradient.
    seed : int
        Of all weights and sessions.
    executor : {'threads', 'processes'}, concurrent.futures.Executor or dask.distributed.Client
        Where to work. Processes and clusters import the main script anew, which must then guard its
        work with ``if __name__ == "__main__":``.
    n_threads : int or None
        Threads or processes of this machine; None means all cores that this process may use.
    tensorboard : bool
        Write the loss of each training for TensorBoard to `folder/tensorboard` (extra `sweep`).
    progress : bool
        Show a bar.

    Returns
    -------
    Population
        A network that failed is in `failures`, and is tried again by the next call; the others are
        not held up. A warning says how many failed. A file of a network that is damaged, or is
        another network's, is kept under another name with a warning, and made again.

    Raises
    ------
    TypeError, ValueError
        If a setting, or a value of the grid, is of the wrong type or out of range: before anything
        is trained. Also if the folder is of another version.
    ModuleNotFoundError
        If `tensorboard` is asked for without its extra.
    AllFailedError
        A RuntimeError: every network failed. Its `failures` are those of a population.
    BlockingIOError
        If another process works in the folder.

    Examples
    --------
    >>> import hrnn, tempfile
    >>> recipe = hrnn.Recipe(n_steps=2)
    >>> few = {"n_networks": 2, "n_hidden": 4, "n_blocks": 32, "parts": []}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = population(folder, recipe=recipe, **few, progress=False)
    >>> len(found.failures), found.table.key.nunique()
    (0, 2)
    """
    folder = as_path(folder, "folder")
    parallel.check(executor)
    members = plan(
        n_networks=n_networks,
        grid=grid,
        task=task,
        recipe=recipe,
        n_hidden=n_hidden,
        cell=cell,
        n_blocks=n_blocks,
        parts=parts,
        n_updates=n_updates,
        seed=seed,
    )
    n_threads = n_threads_of(n_threads)
    if flag(tensorboard, "tensorboard"):
        _check_tensorboard()
    job = functools.partial(work, folder=str(folder.resolve()), tensorboard=tensorboard)
    with _folder(folder, members, shared=False), one_blas_thread:
        left = [settings for _, settings in members if not _is_made(folder, settings)]
        n_made = len(members) - len(left)
        done = parallel.each(job, left, executor, n_threads)
        with (
            bar(progress, len(members), initial=n_made, unit="network") as shown,
            contextlib.closing(done),
        ):
            errors = _failed(done, folder, shown.update)
        found = _gather(members, folder, errors)
    _tell(found.failures, len(members))
    return found


class AllFailedError(RuntimeError):
    """Every network of a population failed.

    Attributes
    ----------
    failures : DataFrame
        As `Population.failures`.
    """

    def __init__(self, message: str, failures: pd.DataFrame) -> None:
        super().__init__(message)
        self.failures = failures


def _tell(failures: pd.DataFrame, n_networks: int) -> None:
    """Warn of networks that failed; AllFailedError if there is no other."""
    if not len(failures):
        return
    first = str(failures.error[0])
    message = f"{len(failures)} of {n_networks} networks failed: {first.strip().splitlines()[-1]}"
    if len(failures) < n_networks:
        warnings.warn(message, stacklevel=3)
        return
    error = AllFailedError(message, failures)
    error.add_note(f"The first of them:\n{first}")
    raise error


def _check_tensorboard() -> None:
    """Refuse to write for TensorBoard without what writes for it."""
    try:
        importlib.import_module("tensorboardX")
    except ImportError as error:
        raise ModuleNotFoundError(
            "tensorboard=True needs tensorboardX: pip install 'hrnn[sweep]'"
        ) from error


def _failed(
    done: Iterator[tuple[Settings, str | None]], folder: Path, update: Callable[[], Any]
) -> dict[str, str]:
    """Wait for all networks: {key: traceback} of those that failed.

    One whose file is there did not fail: its worker died, or was lost, when all was done.
    """
    errors: dict[str, str] = {}
    for settings, error in done:
        if error and not _path(folder, settings).exists():
            errors[key_of(settings)] = error
        update()
    return errors


def run_one(folder: str | Path, number: int, **settings: Any) -> str:
    """One network of a population, for the tasks of a job array.

    They may share the folder, which `population` then reads.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    number : int
        From 0, less than seeds × points of the grid.
    **settings
        Those of `population` that say which networks there are.

    Returns
    -------
    str
        Its key.
    """
    members = plan(**settings)
    folder = as_path(folder, "folder")
    if whole_number(number, "number", 0) >= len(members):
        raise ValueError(
            f"number must be less than the number of networks, {len(members)}, got {number}"
        )
    one = members[number][1]
    key = key_of(one)
    lock = files.lock(folder / f".{key}.lock")
    with _folder(folder, members, shared=True), lock, one_blas_thread:
        if not _is_made(folder, one):
            work(one, folder=folder)
    return key


def _path(folder: str | Path, settings: Settings) -> Path:
    return Path(folder) / f"{key_of(settings)}.npz"


def _config(path: Path, *, whole: bool = False) -> dict[str, Any]:
    """What the file of a network says without its arrays, which are checked as well if `whole`."""
    archive = files.load_archive(path, kind="member", with_arrays=whole)
    config = checked(path, archive.config)
    _check_key(path, config["settings"])
    return config


def _check_key(path: Path, settings: Settings) -> None:
    """ValueError if the file has the name of another network."""
    key = key_of(settings)
    if key != path.stem:
        raise ValueError(f"{path} holds the network {key}: it was renamed or copied")


def read(folder: Path) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Configs of the networks in a folder by key, and by name what is wrong with other .npz files.

    Parameters
    ----------
    folder : Path
        Of the population.
    """
    configs: dict[str, dict[str, Any]] = {}
    wrong: dict[str, str] = {}
    for path in sorted(folder.glob("*.npz")):
        try:
            configs[path.stem] = _config(path)
        except (OSError, ValueError) as error:
            wrong[path.stem] = str(error)
    return configs, wrong


def _is_made(folder: Path, settings: Settings) -> bool:
    """Whether a network has its file; one that is damaged, or another's, gets another name."""
    path = _path(folder, settings)
    try:
        _config(path, whole=True)
    except FileNotFoundError:
        return False
    except ValueError as error:
        places = (folder / f"{path.name}.aside{i or ''}" for i in itertools.count())
        aside = next(place for place in places if not place.exists())
        path.rename(aside)
        warnings.warn(
            f"{error}. It is {aside.name} now, and the network is made again", stacklevel=3
        )
        return False
    return True


def work(
    settings: Settings,
    *,
    folder: str | Path,
    tensorboard: bool = False,
) -> None:
    """One network into its file: what every engine runs.

    Its training goes on from a checkpoint, if it was interrupted.

    Parameters
    ----------
    settings : dict
        As in `Member.settings`.
    folder : path
        Of the population.
    tensorboard : bool
        Write the loss for TensorBoard.
    """
    path = _path(folder, settings)
    checkpoint = path.with_suffix(".checkpoint")
    writer: AbstractContextManager[Any] = contextlib.nullcontext()
    if tensorboard:
        writer = _writer(Path(folder) / "tensorboard" / path.stem, settings)
    with one_blas_thread, writer as callback:
        make(settings, checkpoint=checkpoint, callback=callback).save(path)
    for leftover in (checkpoint, checkpoint.with_name(checkpoint.name + ".previous")):
        leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def _writer(folder: Path, settings: Settings) -> Iterator[Callable[[int, float, Network], None]]:
    """A callback that writes N_SCALARS means of the loss for TensorBoard."""
    from tensorboardX import SummaryWriter

    every = max(settings["recipe"]["n_steps"] // N_SCALARS, 1)
    losses: list[float] = []

    def callback(step: int, loss: float, network: Network) -> None:
        losses.append(loss)
        if len(losses) == every:
            writer.add_scalar("loss", float(np.mean(losses)), step)
            losses.clear()

    with SummaryWriter(str(folder)) as writer:
        yield callback


@contextlib.contextmanager
def _folder(folder: Path, members: list[tuple[Point, Settings]], *, shared: bool) -> Iterator[None]:
    """Hold a folder of this version: alone, or beside other tasks of a job array."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(members[0][0])  # of what the grid sets
    with files.lock(folder / ".lock", shared=shared):
        if (folder / RECORD).exists():
            check_version(folder)
            before = read_record(folder)["grid"]
        else:
            before = None
        every = list(dict.fromkeys([*(before or []), *names]))
        if every != before:
            files.write_json(folder / RECORD, {"hrnn": __version__, "grid": every})
        if not shared:
            files.remove_leftovers(folder)
        yield


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a population: its version, and the names of what its grids set.

    Parameters
    ----------
    folder : Path
        Of the population.

    Raises
    ------
    FileNotFoundError
        If the folder has none.
    ValueError
        If it is no such record.
    """
    path = folder / RECORD
    try:
        record = json.loads(path.read_text())
    except FileNotFoundError:
        raise FileNotFoundError(f"{folder} holds no population: it has no {RECORD}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} must be the record of a population: {error}") from error
    version = record.get("hrnn") if isinstance(record, dict) else None
    names = record.get("grid", []) if isinstance(record, dict) else None
    if not isinstance(version, str) or not _are_keys(names):
        raise ValueError(f"{path} must be the record of a population, got {record!r:.80}")
    return {"hrnn": version, "grid": names}


def _are_keys(names: Any) -> bool:
    """Whether it is a list of what a grid may set."""
    return isinstance(names, list) and all(name in GRID_KEYS for name in names)


def check_version(folder: Path) -> None:
    """Refuse a folder without a population, or with one of another version."""
    version = read_record(folder)["hrnn"]
    if version != __version__:
        raise ValueError(
            f"folder must hold networks of this hrnn, {__version__}, "
            f"got those of {version} in {folder}"
        )


def _gather(
    members: list[tuple[Point, Settings]], folder: Path, errors: Mapping[str, str]
) -> Population:
    """The population of the files in a folder, and of those that failed."""
    made: list[About] = []
    failed: list[tuple[About, str]] = []
    for point, settings in members:
        key = key_of(settings)
        about = (key, settings["index"], point)
        if key in errors:
            failed.append((about, errors[key]))
        else:
            made.append(about)
    configs = [_config(folder / f"{key}.npz") for key, _, _ in made]
    return Population._of(made, configs, failed, folder)


def _cell(value: Any) -> str | int | float | None:
    """A value of the grid as it stands in a table."""
    return value if isinstance(value, str | int | float) or value is None else str(value)
