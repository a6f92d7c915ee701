"""Many networks, trained and taken apart.

Seeds, or a grid of settings, on threads, processes or a cluster.

Every network is one piece of work that depends on its settings alone (`member`), and one file named
by a hash of them: whichever engine runs it, in whatever order, the bits are the same, and an
interrupted population goes on where it was.
"""

import contextlib
import dataclasses
import functools
import itertools
import json
from pathlib import Path

import numpy as np

from hrnn.base import files, parallel
from hrnn.base.arguments import as_path, one_of, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.base.progress import bar
from hrnn.base.version import __version__
from hrnn.distill.baselines import N_UPDATES
from hrnn.populations.member import PARTS, Member, make
from hrnn.populations.settings import N_BLOCKS, N_NETWORKS, differences, key_of, plan

N_SCALARS = 100  # written to TensorBoard in the course of a training
RECORD = "population.json"


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

    table: object
    failures: object
    folder: Path

    @classmethod
    def load(cls, folder):
        """Read a saved population, whatever grids made it; trains nothing.

        Raises
        ------
        FileNotFoundError
            If there is none in the folder.
        ValueError
            If it was made by another version.
        """
        folder = as_path(folder, "folder")
        _check_version(folder)
        configs = {
            path.stem: files.load_archive(path, kind="member", with_arrays=False).config
            for path in folder.glob("*.npz")
        }
        points = dict(
            zip(
                configs,
                differences([config["settings"] for config in configs.values()]),
                strict=True,
            )
        )
        order = sorted(
            configs,
            key=lambda key: (
                json.dumps(list(points[key].values())),
                configs[key]["settings"]["index"],
                key,
            ),
        )
        about = [(key, configs[key]["settings"]["index"], points[key]) for key in order]
        return cls._of(about, [configs[key] for key in order], [], folder)

    @classmethod
    def _of(cls, about, configs, failed, folder):
        """`about` and the file's config of each network, and (about, error) of each that failed."""
        import pandas as pd

        names = list(
            dict.fromkeys(itertools.chain.from_iterable(config["measures"] for config in configs))
        )
        settings = list(about[0][2]) if about else list(failed[0][0][2]) if failed else []

        def columns(rows, repeat):
            keys = {"key": [key for key, _, _ in rows], "index": [index for _, index, _ in rows]}
            keys |= {name: [_cell(point[name]) for _, _, point in rows] for name in settings}
            return {name: np.repeat(pd.Series(v).to_numpy(), repeat) for name, v in keys.items()}

        none = [np.nan, np.nan]
        values = [config["measures"].get(name) for config in configs for name in names]
        ends = [config["intervals"].get(name, none) for config in configs for name in names]
        low, high = np.array(ends, float).reshape(-1, 2).T
        table = pd.DataFrame(
            {
                **columns(about, len(names)),
                "measure": names * len(about),
                "value": np.array(values, float),
                "low": low,
                "high": high,
            }
        )
        failures = pd.DataFrame(
            {**columns([row for row, _ in failed], 1), "error": [error for _, error in failed]}
        )
        return cls(table, failures, folder)

    @property
    def keys(self):
        """Keys of the networks, in order."""
        return self.table.key.unique().tolist()

    def wide(self, values="value"):
        """One row per network, one column per measure.

        Index `key`; or the ends 'low', 'high' of their intervals.
        """
        one_of(values, "values", ("value", "low", "high"))
        return self.table.pivot(index="key", columns="measure", values=values).loc[self.keys]

    def member(self, key):
        """Everything about one network, a `member.Member`, by its key."""
        return Member.load(self.folder / f"{key}.npz")

    @functools.cached_property
    def members(self):
        """All networks, in order."""
        return [self.member(key) for key in self.keys]


def population(
    folder,
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
    executor="threads",
    n_threads=None,
    tensorboard=False,
    progress=True,
):
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
    recipe : {'paper', 'fast'} or Recipe
    n_hidden : int
    cell : {'tanh', 'leaky'}
    n_blocks : int
        In which behaviour is measured, in sessions of each network's own, so that an interval over
        networks is one of new networks in new sessions; everything else is measured in the first
        1000 of them.
    parts : sequence of {'representation', 'integration', 'mechanism', 'distillation', 'choices'}
        What is found out beside behaviour.
    n_updates : int
        Of the students that learn by gradient.
    seed : int
    executor : {'threads', 'processes'}, concurrent.futures.Executor or dask.distributed.Client
        Where to work. Processes and clusters import the main script anew, which must then guard its
        work with ``if __name__ == "__main__":``.
    n_threads : int or None
        Threads or processes of this machine; None means all cores.
    tensorboard : bool
        Write the loss of each training for TensorBoard to `folder/tensorboard` (extra `sweep`).
    progress : bool

    Returns
    -------
    Population
        A network that failed is in `failures`, and is tried again by the next call; the others are
        not held up.

    Raises
    ------
    ValueError
        If a key of the grid is not known, the grid has an empty axis, or the folder is of another
        version.
    BlockingIOError
        If another process works in the folder.

    Examples
    --------
    >>> import hrnn, tempfile
    >>> recipe = hrnn.Recipe(n_steps=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = population(folder, n_networks=2, recipe=recipe, n_hidden=4, n_blocks=32, parts=[], progress=False)
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
    errors = {}
    n_threads = n_threads_of(n_threads)
    with _folder(folder, shared=False), one_blas_thread():
        left = [settings for _, settings in members if not _path(folder, settings).exists()]
        job = functools.partial(work, folder=str(folder.resolve()), tensorboard=tensorboard)
        with (
            bar(progress, len(members), initial=len(members) - len(left), unit="network") as shown,
            contextlib.closing(parallel.each(job, left, executor, n_threads)) as done,
        ):
            for settings, error in done:
                if (
                    error and not _path(folder, settings).exists()
                ):  # else its worker died, or was lost, when all was done
                    errors[key_of(settings)] = error
                shown.update()
    return _gather(members, folder, errors)


def run_one(folder, number, **settings):
    """One network of a population, for the tasks of a job array.

    They may share the folder, which `population` then reads.

    Parameters
    ----------
    folder : path
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
    settings = members[number][1]
    with (
        _folder(folder, shared=True),
        files.lock(folder / f".{key_of(settings)}.lock"),
        one_blas_thread(),
    ):
        if not _path(folder, settings).exists():
            work(settings, None, folder=folder)
    return key_of(settings)


def _path(folder, settings):
    return Path(folder) / f"{key_of(settings)}.npz"


def work(settings, stop, *, folder, tensorboard=False):
    """One network into its file: what every engine runs.

    Its training goes on from a checkpoint, if it was interrupted.
    """
    path = _path(folder, settings)
    checkpoint = path.with_suffix(".checkpoint")
    one_blas_thread()
    with (
        _writer(Path(folder) / "tensorboard" / path.stem, settings)
        if tensorboard
        else contextlib.nullcontext() as callback
    ):
        make(settings, checkpoint=checkpoint, stop=stop, callback=callback).save(path)
    for leftover in (checkpoint, checkpoint.with_name(checkpoint.name + ".previous")):
        leftover.unlink(missing_ok=True)


def one_blas_thread():
    """Let NumPy work on one thread.

    Workers would get in each other's way, and sums would depend on their number.

    For good, or for the length of a `with` block.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas")


@contextlib.contextmanager
def _writer(folder, settings):
    """A callback that writes N_SCALARS means of the loss for TensorBoard."""
    from tensorboardX import SummaryWriter

    every = max(settings["recipe"]["n_steps"] // N_SCALARS, 1)
    losses = []

    def callback(step, loss, network):
        losses.append(loss)
        if len(losses) == every:
            writer.add_scalar("loss", float(np.mean(losses)), step)
            losses.clear()

    with SummaryWriter(str(folder)) as writer:
        yield callback


@contextlib.contextmanager
def _folder(folder, *, shared):
    """Hold a folder of this version: alone, or beside other tasks of a job array."""
    folder.mkdir(parents=True, exist_ok=True)
    with files.lock(folder / ".lock", shared=shared):
        if (folder / RECORD).exists():
            _check_version(folder)
        else:
            files.write_json(folder / RECORD, {"hrnn": __version__})
        yield


def _check_version(folder):
    try:
        version = json.loads((folder / RECORD).read_text())["hrnn"]
    except FileNotFoundError:
        raise FileNotFoundError(f"{folder} holds no population: it has no {RECORD}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / RECORD} must be the record of a population: {error}"
        ) from error
    if version != __version__:
        raise ValueError(
            f"folder must hold networks of this hrnn, {__version__}, got those of {version} in {folder}"
        )


def _gather(members, folder, errors):
    made = []
    failed = []
    for point, settings in members:
        about = key_of(settings), settings["index"], point
        (failed if about[0] in errors else made).append(about)
    configs = [
        files.load_archive(folder / f"{key}.npz", kind="member", with_arrays=False).config
        for key, _, _ in made
    ]
    return Population._of(made, configs, [(about, errors[about[0]]) for about in failed], folder)


def _cell(value):
    """A value of the grid as it stands in a table."""
    return value if isinstance(value, str | int | float) or value is None else str(value)
