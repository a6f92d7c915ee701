"""Everything the figures and the report (`report`) are made of, computed once, and written to a folder.

Long work is cut into jobs that run in parallel threads (the C core releases the GIL); each takes its random
numbers from the seed and its own name, so the result does not depend on how many run at once.
"""

import dataclasses
import functools
import itertools
import os
import platform
import time
from pathlib import Path

import numpy as np

import hrnn
from hrnn import behavior, io, jobs, stats
from hrnn.anatomy import Anatomy
from hrnn.arguments import as_path, whole_number
from hrnn.distill import Distillation
from hrnn.inference import accuracy_bound
from hrnn.rng import stream

BASELINES = {
    "semi_markov": functools.partial(hrnn.BayesianActor, "semi_markov"),
    "markov": functools.partial(hrnn.BayesianActor, "markov"),
    "none": functools.partial(hrnn.BayesianActor, "none"),
    "oracle": functools.partial(hrnn.BayesianActor, "oracle"),
    "exponential": functools.partial(hrnn.BayesianActor, "exponential"),
    "published_actor": functools.partial(hrnn.BayesianActor, "published_actor"),
    "optimal_per_trial": functools.partial(hrnn.OptimalPolicy, "reward_per_trial"),
    "optimal_per_step": functools.partial(hrnn.OptimalPolicy, "reward_per_step"),
}
THRESHOLDS = (0.6, 0.7, 0.8, 0.9, 0.95)
PENALTIES = (-0.2, -0.1, -0.05, -0.02, 0.0)
# Swept settings: their values, and the baselines that they concern. The optimal policy knows no threshold, while the
# network knows the penalty only as an input.
SWEEPS = {
    "threshold": (THRESHOLDS, ("semi_markov", "published_actor")),
    "wait_penalty": (PENALTIES, ("semi_markov", "optimal_per_trial", "optimal_per_step")),
}
QUANTITIES = (
    "correct", "timeouts", "steps_per_trial", "reward_per_trial", "reward_per_step", "mu0_concordant", "mu0_discordant",
)
N_BLOCKS, N_BLOCKS_SWEEP, N_BLOCKS_QUICK = 1000, 400, 80
N_NETWORKS_SWEEP, N_NETWORKS_QUICK = 5, 2  # retrained at each value
QUICK_STEPS, N_SEEDS_QUICK, N_PSEUDO_QUICK = 20, 2, 20
MODELS_QUICK = ("flat", "semi_markov", "action_kernel")
BESIDE_MICE = ("network", "semi_markov", "exponential", "optimal_per_trial")


@dataclasses.dataclass(eq=False)
class Study:
    """Trained networks beside every baseline on the same sessions.

    Attributes
    ----------
    task : Task
    sessions : Sessions
        Shared by all agents.
    networks : list of Training
    runs : dict of str to Rollout
        Agents by name: 'network' (that of networks[0]) and those of BASELINES.
    network_runs : list of Rollout
        One for each network.
    bound : (R,) bool
        Whether the exact posterior after all observations is right.
    thresholds, penalties : DataFrame
        Sweeps, one row per agent, network and setting: agent ('network', 'semi_markov', 'optimal_per_trial', ...),
        threshold or wait_penalty, network (index), and the measures of `behavior.summary`.
    mice : DataFrame or None
        Trial table of the mice, where their files are.
    seconds : dict of str to float
        Wall time of each part.
    seed : int
    distillation : distill.Distillation
        Students of the first network, which learned from other sessions than those here and are compared in these.
    n_threads : int or None
        For what is computed later, when it is first asked for.
    quick : bool
    """

    task: hrnn.Task
    sessions: object
    networks: list
    runs: dict
    network_runs: list
    bound: np.ndarray
    thresholds: object
    penalties: object
    mice: object = None
    seconds: dict = dataclasses.field(default_factory=dict)
    seed: int = 0
    distillation: object = None
    n_threads: object = None
    quick: bool = False

    @functools.cached_property
    def anatomy(self):
        """The first network taken apart: an `anatomy.Anatomy`."""
        return self.take_apart(0)

    def take_apart(self, index):
        """One network, rolled out again with its states and taken apart."""
        return Anatomy(hrnn.rollout(self.networks[index].network, self.sessions), self.seed)

    @functools.cached_property
    def measures(self):
        """Measures of the networks' anatomy, {name: Estimate}: of several networks their mean, with networks resampled."""
        first = self.anatomy.measures()
        if len(self.networks) == 1:
            return first
        each = [first, *(self.take_apart(i).measures() for i in range(1, len(self.networks)))]
        values = {name: np.array([measures[name].value for measures in each if name in measures]) for name in first}
        return {name: stats.mean_interval(v[np.isfinite(v)]) if np.isfinite(v).any() else first[name] for name, v in values.items()}

    @functools.cached_property
    def beside(self):
        """Mice beside the first network and agents: a `mice.Beside`, or None without mice."""
        if self.mice is None:
            return None
        few = {"n_starts": 1, "n_pseudo": N_PSEUDO_QUICK, "models": MODELS_QUICK} if self.quick else {}
        agents = {name: self.runs[name] for name in BESIDE_MICE if self.runs[name].choice.any()}
        return hrnn.mice.Beside(self.mice, agents, seed=self.seed, n_threads=hrnn.training.n_threads_of(self.n_threads), **few)

    @functools.cached_property
    def summaries(self):
        """QUANTITIES of each agent: a table with columns value, low, high, n.

        Several networks are one agent: their mean, with the interval from resampled networks, and n networks.
        """
        import pandas as pd

        rows = list(QUANTITIES)
        tables = {agent: behavior.summary(run).loc[rows] for agent, run in self.runs.items()}
        if len(self.network_runs) > 1:
            mean = stats.mean_interval([behavior.summary(run).loc[rows, "value"].to_numpy() for run in self.network_runs])
            columns = {"value": mean.value, "low": mean.low, "high": mean.high, "n": len(self.network_runs)}
            tables["network"] = pd.DataFrame(columns, index=tables["network"].index)
        return tables


def study(*, n_networks=1, seed=0, quick=False, n_threads=None, progress=True, unfinished=None):
    """Train networks, run them beside every baseline, sweep threshold and penalty, and read the mice.

    Parameters
    ----------
    n_networks : int
        Trained with the paper's recipe.
    seed : int
    quick : bool
        Few steps of training and few blocks: to see that all works, not for its numbers.
    n_threads : int or None
    progress : bool
    unfinished : path, optional
        Folder of the networks' checkpoints, from which an interrupted study goes on.

    Returns
    -------
    Study
    """
    n_networks, seed = whole_number(n_networks, "n_networks"), whole_number(seed, "seed", 0)
    task, began = hrnn.Task(), time.monotonic()
    sessions = task.sample(n_blocks=N_BLOCKS_QUICK if quick else N_BLOCKS, rng=stream(seed, "sessions"))
    train, work = functools.partial(_train, seed=seed, quick=quick), {}
    for i in range(n_networks):
        checkpoint = None if unfinished is None else as_path(unfinished, "unfinished") / f"network_{i}.npz"
        work["network", i] = functools.partial(train, task, index=i, progress=progress and i == 0, checkpoint=checkpoint)
    for setting, (values, baselines) in SWEEPS.items():
        sweep = functools.partial(_sweep, seed=seed, quick=quick, train=train, baselines=baselines)
        for x, i in itertools.product(values, range(N_NETWORKS_QUICK if quick else N_NETWORKS_SWEEP)):
            work[setting, x, i] = functools.partial(sweep, task.replace(**{setting: x}), index=i)
    done = jobs.run(work, hrnn.training.n_threads_of(n_threads), progress)
    trained = time.monotonic()
    networks = [done["network", i] for i in range(n_networks)]
    network_runs = [hrnn.rollout(t.network, sessions, hidden=False) for t in networks]
    runs = {"network": network_runs[0]} | {name: hrnn.rollout(make(), sessions) for name, make in BASELINES.items()}
    shown = task.sample(n_blocks=N_BLOCKS_QUICK if quick else N_BLOCKS, rng=stream(seed, "distillation"))
    distillation = Distillation(
        hrnn.rollout(networks[0].network, shown), network_runs[0], seed=seed, n_threads=n_threads, progress=progress,
        **({"n_seeds": N_SEEDS_QUICK, "n_updates": QUICK_STEPS} if quick else {}),
    )
    return Study(
        task, sessions, networks, runs, network_runs, accuracy_bound(sessions),
        _sweep_table(done, "threshold"), _sweep_table(done, "wait_penalty"), _mice(),
        {"training and sweeps": trained - began, "agents and mice": time.monotonic() - trained}, seed, distillation, n_threads, quick,
    )


def _train(task, stop, *, seed, index, quick, recipe="paper", progress=False, checkpoint=None):
    net = hrnn.Network.init("tanh", n_hidden=50, rng=stream(seed, "network", index))
    n_steps = QUICK_STEPS if quick else None
    recipe = "fast" if quick else recipe
    trainer = hrnn.training.Trainer.new(net, task, recipe, n_steps, stream(seed, "training", index), checkpoint)
    return trainer.caught_up().run(None, 1, progress, stop)


def _sweep(task, stop, *, seed, quick, train, index, baselines):
    """One row per agent: a network retrained on this task and, beside the first, the baselines, in fresh sessions."""
    agents = {"network": train(task, stop, index=index, recipe="fast").network}
    if index == 0:
        agents |= {name: BASELINES[name]() for name in baselines}
    sessions = task.sample(n_blocks=N_BLOCKS_QUICK if quick else N_BLOCKS_SWEEP, rng=stream(seed, "sweep"))
    rows = []
    for name, agent in agents.items():
        summary = behavior.summary(hrnn.rollout(agent, sessions, hidden=False))
        rows.append({"agent": name, "network": index, "n_sessions": sessions.n_sessions, **summary["value"].to_dict(),
                     **{f"{k}_low": v for k, v in summary["low"].items()},
                     **{f"{k}_high": v for k, v in summary["high"].items()}})
    return rows


def _sweep_table(done, setting):
    import pandas as pd

    return pd.DataFrame([{setting: name[1], **row} for name, rows in done.items() if name[0] == setting for row in rows])


def _mice():
    """The mice in HRNN_DATA_DIR, or None where it is not set; never downloads."""
    return hrnn.mice.load() if os.environ.get("HRNN_DATA_DIR") else None


def manifest(study, settings):
    """Version, seeds, machine, BLAS and times of a run."""
    import scipy

    lengths = study.sessions.block_lengths
    return {
        "hrnn": hrnn.__version__, "core": hrnn._core.info(), "settings": settings, "python": platform.python_version(),
        "numpy": np.__version__, "scipy": scipy.__version__, "machine": platform.machine(), "system": platform.system(),
        "cpus": os.cpu_count(), "seconds": study.seconds, "task": study.task.to_dict(),
        "block_length_mean": float(lengths.mean()), "block_length_sd": float(lengths.std()),
        "recipes": [dataclasses.asdict(t.recipe) for t in study.networks],
    }


def write(study, folder, *, figures=None, settings=None):
    """Write figures, networks, report.md, report.json and manifest.json to a folder; returns the paths of the figures."""
    from hrnn import figures as drawn
    from hrnn import report

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for index, training in enumerate(study.networks):
        training.network.save(folder / f"network_{index}.npz")
        training.to_csv(folder / f"network_{index}_loss.csv")
    names = [n for n in drawn.FIGURES if (figures is None or n in figures) and (n not in drawn.OF_MICE or study.mice is not None)]
    for name in names:
        drawn.save(*drawn.draw(name, study), folder, f"figure_{name}")
    rows = report.rows(study)
    study.seconds["figures and report"] = time.monotonic() - began
    io.write_text(folder / "report.md", report.markdown(study, rows))
    io.write_json(folder / "report.json", rows)
    io.write_json(folder / "manifest.json", manifest(study, settings or {}))
    return [folder / f"figure_{name}.pdf" for name in names]
