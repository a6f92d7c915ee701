"""Everything the figures and the report (`report`) are made of, computed once.

`writing` puts it into a folder.

Long work is cut into jobs that run in parallel; each takes its random numbers from the seed and its
own name, so the result does not depend on how many run at once.
"""

import atexit
import dataclasses
import functools
import itertools
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

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
from hrnn.populations.ensemble import population
from hrnn.populations.measures import QUANTITIES, checked
from hrnn.rollout import rollout
from hrnn.statistics import resampling
from hrnn.task import Task
from hrnn.training import RECIPES, Trainer

THRESHOLDS = (0.6, 0.7, 0.8, 0.9, 0.95)
PENALTIES = (-0.2, -0.1, -0.05, -0.02, 0.0)
VALUES = {"threshold": THRESHOLDS, "wait_penalty": PENALTIES}  # of the settings that are swept
N_BLOCKS = 1000
N_BLOCKS_SWEEP = 400
N_BLOCKS_VARIED = 200
N_BLOCKS_QUICK = 80
N_NETWORKS_SWEEP = 4
N_NETWORKS_VARIED = 3
N_NETWORKS_QUICK = 1  # retrained at each value
# Settings varied one at a time with the fast recipe; each has the value of all others' networks at
# BASE.
BASE = 1
VARIATIONS = {
    "n_hidden": (25, 50, 100),
    "threshold": (0.8, 0.9, 0.95),
    "loss": ("cross_entropy", "nll_of_probability"),
}
N_SEEDS_SEVERAL = 3  # of the first network's students, where every network has its own
QUICK_STEPS = 20
N_SEEDS_QUICK = 2
N_PSEUDO_QUICK = 20
MODELS_QUICK = ("flat", "semi_markov", "action_kernel")


@dataclasses.dataclass(eq=False)
class Study:
    """Trained networks beside every baseline on the same sessions.

    Attributes
    ----------
    task : Task
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
    distillation : distill.Distillation
        Students of the first network, which learned from other sessions than those here and are
        compared in these.
    n_threads : int or None
        For what is computed later, when it is first asked for.
    quick : bool
    """

    task: Task
    sessions: object
    population: object
    runs: dict
    bound: np.ndarray
    thresholds: object
    penalties: object
    variations: object = None
    mice: object = None
    seconds: dict = dataclasses.field(default_factory=dict)
    seed: int = 0
    distillation: object = None
    n_threads: object = None
    quick: bool = False

    @property
    def n_networks(self):
        """Networks that were trained and did not fail."""
        return len(self.population.keys)

    @functools.cached_property
    def wide(self):
        """One row per network, one column per measure."""
        return self.population.wide()

    @functools.cached_property
    def verdicts(self):
        """`claims.verdicts` of the networks."""
        return claims.verdicts(
            self.wide, low=self.population.wide("low"), high=self.population.wide("high")
        )

    @functools.cached_property
    def controls(self):
        """`controls.table`: what must fail the claims."""
        few = {"n_each": 1, "n_blocks": N_BLOCKS_QUICK} if self.quick else {}
        return controls.table(self.population, n_threads=self.n_threads, **few)

    @functools.cached_property
    def anatomy(self):
        """The first network taken apart: an `analysis.Anatomy`."""
        return Anatomy(rollout(self.population.members[0].network, self.sessions), self.seed)

    @functools.cached_property
    def over_networks(self):
        """Mean of every measure over networks, with networks resampled.

        {name: Estimate}; empty for one network.
        """
        if self.n_networks == 1:
            return {}
        columns = {name: self.wide[name].dropna().to_numpy() for name in self.wide}
        return {
            name: resampling.mean_interval(values)
            for name, values in columns.items()
            if len(values)
        }

    @functools.cached_property
    def measures(self):
        """Measures by name, {name: Estimate}.

        Over networks, or of one network with the intervals of its sessions.
        """
        if self.over_networks:
            return self.over_networks
        return checked({**self.anatomy.measures(), **self.distillation.measures()})

    def curve(self, name):
        """A curve of the networks, in the columns of `curves.COLUMNS`.

        Of several networks the mean of each point that all of them have, with networks resampled;
        of one its own.
        """
        each = [found.curves[name] for found in self.population.members if name in found.curves]
        return curves.mean(each) if self.n_networks > 1 else each[0] if each else curves.empty()

    def each(self, name):
        """The curves of all networks by themselves, with a column `network`.

        Empty for one network.
        """
        found = [
            member.curves[name].assign(network=i)
            for i, member in enumerate(self.population.members)
            if name in member.curves
        ]
        return (
            pd_concat(found) if self.n_networks > 1 and found else curves.empty().assign(network=[])
        )

    @functools.cached_property
    def beside(self):
        """Mice beside the first network and agents: a `choice.Beside`, or None without mice."""
        if self.mice is None:
            return None
        few = (
            {"n_starts": 1, "n_pseudo": N_PSEUDO_QUICK, "models": MODELS_QUICK}
            if self.quick
            else {}
        )
        agents = {name: self.runs[name] for name in BESIDE_MICE if self.runs[name].choice.any()}
        return Beside(
            self.mice, agents, seed=self.seed, n_threads=n_threads_of(self.n_threads), **few
        )

    @functools.cached_property
    def summaries(self):
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
    n_networks=1,
    seed=0,
    quick=False,
    folder=None,
    executor="threads",
    n_threads=None,
    progress=True,
):
    """Train networks, run them beside every baseline, sweep threshold and penalty, vary settings.

    And read the mice.

    Parameters
    ----------
    n_networks : int
        Trained with the paper's recipe.
    seed : int
    quick : bool
        Few steps of training and few blocks: to see that all works, not for its numbers.
    folder : path, optional
        Of the networks (`networks`, `variations`), from which an interrupted study goes on; by
        default one that lasts as long as Python runs.
    executor : as in `population`
        For the networks.
    n_threads : int or None
    progress : bool

    Returns
    -------
    Study
    """
    seed = whole_number(seed, "seed", 0)
    clock = Clock()
    task = Task()
    folder = _lasting() if folder is None else as_path(folder, "folder")
    make = functools.partial(
        population, seed=seed, executor=executor, n_threads=n_threads, progress=progress
    )
    few = (
        {"recipe": _quick_recipe(), "n_blocks": N_BLOCKS_QUICK, "n_updates": QUICK_STEPS}
        if quick
        else {"n_blocks": N_BLOCKS}
    )
    trained = make(folder / "networks", n_networks=n_networks, **few)
    if not trained.keys:
        raise RuntimeError(f"every network failed; the first: {trained.failures.error[0]}")
    clock.lap("networks")
    swept = _sweeps(task, seed, quick, n_threads, progress)
    clock.lap("sweeps")
    varied = _variations(make, folder / "variations", trained, quick)
    clock.lap("variations")
    sessions = member.sessions_of(task, few["n_blocks"], seed)
    net = trained.members[0].network
    runs = {"network": rollout(net, sessions, hidden=False)}
    runs |= {name: rollout(make_agent(), sessions) for name, make_agent in BASELINES.items()}
    shown = task.sample(n_blocks=few["n_blocks"], rng=stream(seed, "distillation"))
    distillation = Distillation(
        rollout(net, shown),
        runs["network"],
        seed=seed,
        n_threads=n_threads,
        progress=progress,
        **(
            {"n_seeds": N_SEEDS_QUICK, "n_updates": QUICK_STEPS}
            if quick
            else {"n_seeds": N_SEEDS_SEVERAL}
            if n_networks > 1
            else {}
        ),
    )
    mice = _mice()
    clock.lap("agents and mice")
    return Study(
        task,
        sessions,
        trained,
        runs,
        accuracy_bound(sessions),
        _sweep_table(swept, "threshold"),
        _sweep_table(swept, "wait_penalty"),
        varied,
        mice,
        clock.seconds,
        seed,
        distillation,
        n_threads,
        quick,
    )


class Clock:
    """Wall time of each part."""

    def __init__(self):
        self.seconds = {}
        self.last = time.monotonic()

    def lap(self, name):
        now = time.monotonic()
        self.seconds[name] = now - self.last
        self.last = now


def _lasting():
    """A folder that is removed when Python ends."""
    folder = tempfile.mkdtemp(prefix="hrnn-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _quick_recipe():
    return dataclasses.replace(RECIPES["fast"], n_steps=QUICK_STEPS)


def _variations(make, folder, trained, quick):
    """Networks trained with one setting changed at a time.

    And those of the paper's recipe beside them.
    """
    settings = {
        "recipe": _quick_recipe() if quick else "fast",
        "n_blocks": N_BLOCKS_QUICK // 2 if quick else N_BLOCKS_VARIED,
        "n_networks": N_NETWORKS_QUICK if quick else N_NETWORKS_VARIED,
        "parts": ["representation"],
    }
    found = make(
        folder, grid=[{setting: levels} for setting, levels in VARIATIONS.items()], **settings
    ).table
    base = {setting: levels[BASE] for setting, levels in VARIATIONS.items()}
    at_base = {setting: found[setting] == level for setting, level in base.items()}
    tables = [
        found[np.logical_and.reduce(list(at_base.values()))].assign(setting="recipe", level="fast"),
        trained.table.assign(setting="recipe", level="paper"),
    ]
    for setting in VARIATIONS:
        part = found[
            np.logical_and.reduce([same for name, same in at_base.items() if name != setting])
        ]
        tables.append(
            part.sort_values(setting, kind="stable").assign(
                setting=setting, level=lambda t, s=setting: t[s].astype(str)
            )
        )
    every = pd_concat(tables)[["setting", "level", "index", "measure", "value"]]
    every.attrs["n_blocks"] = settings["n_blocks"]
    return every


def pd_concat(tables):
    """One table of several."""
    import pandas as pd

    return pd.concat(tables, ignore_index=True)


def _sweeps(task, seed, quick, n_threads, progress):
    """Networks retrained at all VALUES of each setting, beside the agents of SWEPT.

    The optimal policy knows no threshold, while the network knows the penalty only as an input.
    {(setting, value, network): rows}.
    """
    work = {}
    for setting, values in VALUES.items():
        sweep = functools.partial(_sweep, seed=seed, quick=quick, baselines=SWEPT[setting])
        for x, i in itertools.product(
            values, range(N_NETWORKS_QUICK if quick else N_NETWORKS_SWEEP)
        ):
            work[setting, x, i] = functools.partial(sweep, task.replace(**{setting: x}), index=i)
    return parallel.run(work, n_threads_of(n_threads), progress)


def _sweep(task, stop, *, seed, quick, index, baselines):
    """One row per agent: a network retrained on this task and, beside the first, the baselines.

    In sessions of this network's own.
    """
    net = Network.init("tanh", n_hidden=50, rng=stream(seed, "network", index))
    recipe = _quick_recipe() if quick else "fast"
    trainer = Trainer.new(net, task, recipe, None, stream(seed, "training", index), None)
    agents = {"network": trainer.run(None, 1, False, stop).network}
    if index == 0:
        agents |= {name: BASELINES[name]() for name in baselines}
    sessions = task.sample(
        n_blocks=N_BLOCKS_QUICK if quick else N_BLOCKS_SWEEP, rng=stream(seed, "sweep", index)
    )
    rows = []
    for name, agent in agents.items():
        summary = behavior.summary(rollout(agent, sessions, hidden=False))
        rows.append(
            {
                "agent": name,
                "network": index,
                "n_sessions": sessions.n_sessions,
                **summary["value"].to_dict(),
                **{f"{k}_low": v for k, v in summary["low"].items()},
                **{f"{k}_high": v for k, v in summary["high"].items()},
            }
        )
    return rows


def _sweep_table(done, setting):
    import pandas as pd

    return pd.DataFrame(
        [
            {setting: name[1], **row}
            for name, rows in done.items()
            if name[0] == setting
            for row in rows
        ]
    )


def _mice():
    """The mice in HRNN_DATA_DIR, or None where it is not set; never downloads."""
    return load() if os.environ.get("HRNN_DATA_DIR") else None
