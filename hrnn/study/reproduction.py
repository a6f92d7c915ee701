"""Everything the figures and the report (`report`) are made of, computed once.

`writing` puts it into a folder.

Long work is cut into jobs that run in parallel; each takes its random numbers from the seed and its
own name, so the result does not depend on how many run at once.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import dataclasses
import functools
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from hrnn import behavior
from hrnn.agents import BASELINES, BESIDE_MICE, SWEPT
from hrnn.analysis.anatomy import Anatomy
from hrnn.base import parallel
from hrnn.base.arguments import as_path, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.base.streams import stream
from hrnn.distill import Distillation
from hrnn.inference import accuracy_bound
from hrnn.mice import Beside, load
from hrnn.network import Network
from hrnn.populations import claims, controls, curves, member
from hrnn.populations.ensemble import Population, population
from hrnn.populations.measures import QUANTITIES, checked
from hrnn.populations.settings import key_of, plan
from hrnn.rollout import Rollout, rollout
from hrnn.statistics import resampling
from hrnn.statistics.resampling import Estimate
from hrnn.task import Sessions, Task
from hrnn.training import RECIPES, Recipe, Trainer

if TYPE_CHECKING:
    import pandas as pd

Swept = dict[tuple[str, float, int], list[dict[str, Any]]]  # by setting, value and network

THRESHOLDS: tuple[float, ...] = (0.6, 0.7, 0.8, 0.9, 0.95)
PENALTIES: tuple[float, ...] = (-0.2, -0.1, -0.05, -0.02, 0.0)
VALUES: dict[str, tuple[float, ...]] = {  # of the settings that are swept
    "threshold": THRESHOLDS,
    "wait_penalty": PENALTIES,
}
N_BLOCKS: int = 1000
N_BLOCKS_SWEEP: int = 400
N_BLOCKS_VARIED: int = 200
N_BLOCKS_QUICK: int = 80
N_NETWORKS_SWEEP: int = 4
N_NETWORKS_VARIED: int = 3
N_NETWORKS_QUICK: int = 1  # retrained at each value
# Settings varied one at a time with the fast recipe; all others' networks have each at its value
# number BASE.
BASE: int = 1
VARIATIONS: dict[str, tuple[Any, ...]] = {
    "n_hidden": (25, 50, 100),
    "threshold": (0.8, 0.9, 0.95),
    "loss": ("cross_entropy", "nll_of_probability"),
}
N_SEEDS_SEVERAL: int = 3  # of the first network's students, where every network has its own
QUICK_STEPS: int = 20
N_SEEDS_QUICK: int = 2
N_PSEUDO_QUICK: int = 20
MODELS_QUICK: tuple[str, ...] = ("flat", "semi_markov", "action_kernel")


@dataclasses.dataclass(eq=False)
class Study:
    """Trained networks beside every baseline on the same sessions.

    Attributes
    ----------
    task : Task
        What all agents do.
    sessions : Sessions
        Shared by all agents.
    population : populations.Population
        The networks, trained with the paper's recipe.
    runs : dict of str to Rollout
        Agents by name: 'network' (the first) and those of BASELINES.
    bound : (R,) bool
        Whether the exact posterior after all observations is right.
    thresholds, penalties : DataFrame
        Sweeps, one row per agent, network and setting: agent ('network', 'semi_markov',
        'optimal_per_trial', ...), threshold or wait_penalty, network (index), and the measures of
        `behavior.summary`.
    variations : DataFrame
        Networks of VARIATIONS, one row per network and measure: `setting, level, index, measure,
        value`.
    mice : DataFrame or None
        Trial table of the mice, where their files are.
    seconds : dict of str to float
        Wall time of each part.
    seed : int
        Of all random numbers.
    distillation : distill.Distillation
        Students of the first network, which learned from other sessions than those here and are
        compared in these.
    n_threads : int or None
        For what is computed later, when it is first asked for.
    quick : bool
        Whether it was made to see that all works, not for its numbers.
    """

    task: Task
    sessions: Sessions
    population: Population
    runs: dict[str, Rollout]
    bound: NDArray[np.bool_]
    thresholds: pd.DataFrame
    penalties: pd.DataFrame
    variations: pd.DataFrame = None  # pyright: ignore[reportAssignmentType]  # `study` has both
    mice: pd.DataFrame | None = None
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    seed: int = 0
    distillation: Distillation = None  # pyright: ignore[reportAssignmentType]
    n_threads: int | None = None
    quick: bool = False

    @property
    def n_networks(self) -> int:
        """Networks that were trained and did not fail."""
        return len(self.population.keys)

    @functools.cached_property
    def wide(self) -> pd.DataFrame:
        """One row per network, one column per measure."""
        return self.population.wide()

    @functools.cached_property
    def verdicts(self) -> pd.DataFrame:
        """`claims.verdicts` of the networks."""
        return claims.verdicts(
            self.wide, low=self.population.wide("low"), high=self.population.wide("high")
        )

    @functools.cached_property
    def controls(self) -> pd.DataFrame:
        """`controls.table`: what must fail the claims."""
        few: dict[str, Any] = {"n_each": 1, "n_blocks": N_BLOCKS_QUICK} if self.quick else {}
        return controls.table(self.population, n_threads=self.n_threads, **few)

    @functools.cached_property
    def anatomy(self) -> Anatomy:
        """The first network taken apart: an `analysis.Anatomy`."""
        return Anatomy(
            rollout(self.population.members[0].network, self.sessions, progress=False), self.seed
        )

    @functools.cached_property
    def over_networks(self) -> dict[str, Estimate]:
        """Mean of every measure over networks, with networks resampled.

        {name: Estimate}; empty for one network.
        """
        if self.n_networks == 1:
            return {}
        found: dict[str, Estimate] = {}
        for name in self.wide:
            values = self.wide[name].dropna().to_numpy()
            if len(values):
                found[str(name)] = resampling.mean_interval(values)
        return found

    @functools.cached_property
    def measures(self) -> dict[str, Estimate]:
        """Measures by name, {name: Estimate}.

        Over networks, or of one network with the intervals of its sessions.
        """
        if self.over_networks:
            return self.over_networks
        return checked({**self.anatomy.measures(), **self.distillation.measures()})

    def curve(self, name: str) -> pd.DataFrame:
        """A curve of the networks, in the columns of `curves.COLUMNS`.

        Of several networks the mean of each point that all of them have, with networks resampled;
        of one its own.
        """
        each = [found.curves[name] for found in self.population.members if name in found.curves]
        if self.n_networks > 1:
            return curves.mean(each)
        return each[0] if each else curves.empty()

    def each(self, name: str) -> pd.DataFrame:
        """The curves of all networks by themselves, with a column `network`.

        Empty for one network.
        """
        found = [
            member.curves[name].assign(network=i)
            for i, member in enumerate(self.population.members)
            if name in member.curves
        ]
        if self.n_networks > 1 and found:
            return pd_concat(found)
        return curves.empty().assign(network=[])

    @functools.cached_property
    def beside(self) -> Beside | None:
        """Mice beside the first network and agents: a `choice.Beside`, or None without mice."""
        if self.mice is None:
            return None
        few: dict[str, Any] = {}
        if self.quick:
            few = {"n_starts": 1, "n_pseudo": N_PSEUDO_QUICK, "models": MODELS_QUICK}
        agents = {name: self.runs[name] for name in BESIDE_MICE if self.runs[name].choice.any()}
        n_threads = n_threads_of(self.n_threads)
        return Beside(self.mice, agents, seed=self.seed, n_threads=n_threads, **few)

    @functools.cached_property
    def summaries(self) -> dict[str, pd.DataFrame]:
        """QUANTITIES of each agent: a table with columns value, low, high, n.

        Several networks are one agent: their mean, with the interval from resampled networks, and n
        networks.
        """
        rows = list(QUANTITIES)
        tables = {agent: behavior.summary(run).loc[rows] for agent, run in self.runs.items()}
        for name in rows if self.over_networks else ():
            mean = self.over_networks[name]
            tables["network"].loc[name] = [mean.value, mean.low, mean.high, mean.n]
        return tables


def study(
    *,
    n_networks: int = 1,
    seed: int = 0,
    quick: bool = False,
    folder: str | Path | None = None,
    executor: str | concurrent.futures.Executor | Any = "threads",
    n_threads: int | None = None,
    progress: bool = True,
) -> Study:
    """Train networks, run them beside every baseline, sweep and vary settings, read the mice.

    Parameters
    ----------
    n_networks : int
        Trained with the paper's recipe.
    seed : int
        Of all random numbers.
    quick : bool
        Few steps of training and few blocks: to see that all works, not for its numbers.
    folder : path, optional
        Of the networks (`networks`, `variations`), from which an interrupted study goes on; by
        default one that lasts as long as Python runs.
    executor : as in `population`
        For the networks.
    n_threads : int or None
        Threads, or processes; None means all cores that this process may use.
    progress : bool
        Show bars.

    Returns
    -------
    Study
    """
    seed = whole_number(seed, "seed", 0)
    clock = Clock()
    task = Task()
    place = _lasting() if folder is None else as_path(folder, "folder")
    make = functools.partial(
        population, seed=seed, executor=executor, n_threads=n_threads, progress=progress
    )
    trained = _trained(make, place / "networks", n_networks, quick)
    clock.lap("networks")
    swept = _sweeps(task, seed, quick, n_threads, progress)
    clock.lap("sweeps")
    varied = _variations(make, place / "variations", trained, quick)
    clock.lap("variations")
    sessions = member.sessions_of(task, _n_blocks(quick), seed)
    net = trained.members[0].network
    runs = _runs(net, sessions)
    work = {"seed": seed, "n_threads": n_threads, "progress": progress}
    students = _students(net, runs["network"], quick, n_networks, work)
    mice = _mice()
    clock.lap("agents and mice")
    return Study(
        task=task,
        sessions=sessions,
        population=trained,
        runs=runs,
        bound=accuracy_bound(sessions),
        thresholds=_sweep_table(swept, "threshold"),
        penalties=_sweep_table(swept, "wait_penalty"),
        variations=varied,
        mice=mice,
        seconds=clock.seconds,
        seed=seed,
        distillation=students,
        n_threads=n_threads,
        quick=quick,
    )


class Clock:
    """Wall time of each part.

    Attributes
    ----------
    seconds : dict of str to float
        By name of the part.
    last : float
        When the last part ended.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last: float = time.monotonic()

    def lap(self, name: str) -> None:
        """End a part, and begin the next."""
        now = time.monotonic()
        self.seconds[name] = now - self.last
        self.last = now


def _lasting() -> Path:
    """A folder that is removed when Python ends."""
    folder = tempfile.mkdtemp(prefix="hrnn-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _quick_recipe() -> Recipe:
    return dataclasses.replace(RECIPES["fast"], n_steps=QUICK_STEPS)


def _n_blocks(quick: bool) -> int:
    """Blocks in which agents are compared."""
    return N_BLOCKS_QUICK if quick else N_BLOCKS


def _trained(
    make: Callable[..., Population], folder: Path, n_networks: int, quick: bool
) -> Population:
    """The networks of the paper's recipe."""
    return make(folder, n_networks=n_networks, **_asked(quick))


def _asked(quick: bool) -> dict[str, Any]:
    """What the networks are asked for with."""
    few: dict[str, Any] = {"n_blocks": _n_blocks(quick)}
    if quick:
        few |= {"recipe": _quick_recipe(), "n_updates": QUICK_STEPS}
    return few


def keys(n_networks: int, seed: int, quick: bool) -> list[str]:
    """Keys of the networks that a study trains.

    Parameters
    ----------
    n_networks, seed, quick
        As in `study`.
    """
    return [key_of(one) for _, one in plan(n_networks=n_networks, seed=seed, **_asked(quick))]


def _runs(net: Network, sessions: Sessions) -> dict[str, Rollout]:
    """A network and every baseline in the same sessions."""
    runs = {"network": rollout(net, sessions, hidden=False, progress=False)}
    for name, make in BASELINES.items():
        runs[name] = rollout(make(), sessions, progress=False)
    return runs


def _students(
    net: Network, master: Rollout, quick: bool, n_networks: int, work: dict[str, Any]
) -> Distillation:
    """Students of a network, which learn from sessions of their own."""
    few: dict[str, Any] = {}
    if quick:
        few = {"n_seeds": N_SEEDS_QUICK, "n_updates": QUICK_STEPS}
    elif n_networks > 1:
        few = {"n_seeds": N_SEEDS_SEVERAL}
    shown = master.sessions.task.sample(
        n_blocks=_n_blocks(quick), rng=stream(work["seed"], "distillation")
    )
    return Distillation(rollout(net, shown, progress=False), master, **work, **few)


def _variations(
    make: Callable[..., Population], folder: Path, trained: Population, quick: bool
) -> pd.DataFrame:
    """Networks trained with one setting changed at a time, and those of the paper's recipe."""
    n_blocks = N_BLOCKS_QUICK // 2 if quick else N_BLOCKS_VARIED
    found = make(
        folder,
        grid=[{setting: levels} for setting, levels in VARIATIONS.items()],
        recipe=_quick_recipe() if quick else "fast",
        n_blocks=n_blocks,
        n_networks=N_NETWORKS_QUICK if quick else N_NETWORKS_VARIED,
        parts=["representation"],
    ).table
    at_base = {setting: found[setting] == VARIATIONS[setting][BASE] for setting in VARIATIONS}
    tables = [
        found[_all(at_base.values())].assign(setting="recipe", level="fast"),
        trained.table.assign(setting="recipe", level="paper"),
    ]
    for setting in VARIATIONS:
        others = [same for name, same in at_base.items() if name != setting]
        part = cast("pd.DataFrame", found[_all(others)]).sort_values(by=setting, kind="stable")
        tables.append(part.assign(setting=setting, level=part[setting].astype(str)))
    columns = ["setting", "level", "index", "measure", "value"]
    every = cast("pd.DataFrame", pd_concat(tables)[columns])
    every.attrs["n_blocks"] = n_blocks
    return every


def _all(conditions: Iterable[Any]) -> NDArray[np.bool_]:
    """Rows in which every condition holds."""
    return np.logical_and.reduce(list(conditions))


def pd_concat(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One table of several."""
    import pandas as pd

    return pd.concat(tables, ignore_index=True)


def _sweeps(task: Task, seed: int, quick: bool, n_threads: int | None, progress: bool) -> Swept:
    """Networks retrained at all VALUES of each setting, beside the agents of SWEPT.

    The optimal policy knows no threshold, while the network knows the penalty only as an input.
    """
    indices = range(N_NETWORKS_QUICK if quick else N_NETWORKS_SWEEP)
    work: dict[tuple[str, float, int], Callable[[], list[dict[str, Any]]]] = {}
    for setting, values in VALUES.items():
        sweep = functools.partial(_sweep, seed=seed, quick=quick, baselines=SWEPT[setting])
        for x, i in itertools.product(values, indices):
            changed = task.replace(**{setting: x})
            work[setting, x, i] = functools.partial(sweep, changed, index=i)
    return parallel.run(work, n_threads_of(n_threads), progress)


def _sweep(
    task: Task,
    *,
    seed: int,
    quick: bool,
    index: int,
    baselines: Sequence[str],
) -> list[dict[str, Any]]:
    """One row per agent: a network retrained on this task and, beside the first, the baselines.

    In sessions of this network's own.
    """
    net = Network.init("tanh", n_hidden=50, rng=stream(seed, "network", index))
    recipe = _quick_recipe() if quick else "fast"
    trainer = Trainer.new(net, task, recipe, None, stream(seed, "training", index), None)
    agents: dict[str, Any] = {"network": trainer.run(None, 1, False).network}
    if index == 0:
        agents |= {name: BASELINES[name]() for name in baselines}
    sessions = task.sample(
        n_blocks=N_BLOCKS_QUICK if quick else N_BLOCKS_SWEEP, rng=stream(seed, "sweep", index)
    )
    rows: list[dict[str, Any]] = []
    for name, agent in agents.items():
        summary = behavior.summary(rollout(agent, sessions, hidden=False, progress=False))
        about = {"agent": name, "network": index, "n_sessions": sessions.n_sessions}
        rows.append(about | _flat(summary))
    return rows


def _flat(summary: pd.DataFrame) -> dict[str, Any]:
    """`behavior.summary` in one row: its values by name, then their ends."""
    found = {str(name): value for name, value in summary["value"].to_dict().items()}
    for end in ("low", "high"):
        found |= {f"{name}_{end}": value for name, value in summary[end].items()}
    return found


def _sweep_table(done: Swept, setting: str) -> pd.DataFrame:
    """One row per agent, network and value of a setting."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for (name, x, _), several in done.items():
        if name == setting:
            rows += [{setting: x, **row} for row in several]
    return pd.DataFrame(rows)


def _mice() -> pd.DataFrame | None:
    """The mice in HRNN_DATA_DIR, or None where it is not set; never downloads."""
    return load() if os.environ.get("HRNN_DATA_DIR") else None
