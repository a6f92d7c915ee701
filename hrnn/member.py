"""One network of a population, from its settings to its file: trained, evaluated, taken apart, distilled, its choices fitted."""

import dataclasses
import functools

import numpy as np

from hrnn import _core, curves, io, similarity
from hrnn.anatomy import N_SESSIONS_UNTRAINED, Anatomy
from hrnn.behavior import error_split, history_regression, totals
from hrnn.distill import Distillation
from hrnn.inference import BayesianActor, accuracy_bound, observe
from hrnn.mice import fit
from hrnn.mice.beside import MODELS_FITTED, of_fits
from hrnn.network import Network
from hrnn.rng import stream
from hrnn.rollout import rollout
from hrnn.task import Task
from hrnn.training import Recipe, Trainer

PARTS = ("representation", "integration", "mechanism", "distillation", "choices")
BLOCKS_AT_ONCE = 1000  # bounds the memory, however many blocks are evaluated
STATES_AT_ONCE = 8_500_000  # numbers; a network that acts has fewer in 1000 blocks, one that always times out four times as many
FEWEST_SESSIONS = 8
N_LOSSES = 100  # points of the loss curve
N_STUDENTS = 1  # seeds of every kind of student
HISTORY_TERMS = ("logit_prior", "previous_correct", "previous_wrong")
N_STARTS = 5  # of every fit of choices


@dataclasses.dataclass(frozen=True, eq=False)
class Member:
    """What is known of one network; a function of its settings.

    Attributes
    ----------
    settings : dict
        Plain JSON: network, recipe, task, n_blocks, parts, n_updates, seed, index and version.
    network : Network
    measures : dict of str to float
        Headline numbers by name; those that the network does not define are missing.
    undefined : dict of str to str
        Why a group of measures or a curve is missing.
    curves : dict of str to DataFrame
        By name, in the columns of `curves.COLUMNS`.
    trajectories : dict of str to (C, N)
        `similarity.trajectories` of the 'trained' and of the 'untrained' network.
    cpu : str
        Kernel that made it: another one's last bits differ, and training lets them grow.
    """

    settings: dict
    network: Network
    measures: dict
    undefined: dict
    curves: dict
    trajectories: dict
    cpu: str

    def save(self, path):
        """Write everything into one file, whole or not at all."""
        tables = {name: table for name, table in self.curves.items() if len(table)}
        conditions = {name: table.condition.unique().tolist() for name, table in tables.items()}
        config = {"settings": self.settings, "measures": self.measures, "undefined": self.undefined, "curves": conditions,
                  "network": self.network._config(), "cpu": self.cpu}
        parts = [np.column_stack([np.full(len(table), i), table.condition.map(conditions[name].index), table[list(curves.COLUMNS[1:])]])
                 for i, (name, table) in enumerate(tables.items())]
        rows = np.concatenate(parts) if parts else np.empty((0, 1 + len(curves.COLUMNS)))
        io.save_archive(path, kind="member", config=config, arrays={
            "theta": self.network.theta, "curves": rows.astype(float), **{f"{k}_trajectories": v for k, v in self.trajectories.items()}})

    @classmethod
    def load(cls, path):
        """Read a member from its file."""
        import pandas as pd

        archive = io.load_archive(path, kind="member")
        config, rows, found = archive.config, archive.arrays["curves"], {}
        for i, (name, conditions) in enumerate(config["curves"].items()):
            table = pd.DataFrame(rows[rows[:, 0] == i, 1:], columns=curves.COLUMNS)
            found[name] = table.assign(condition=np.array(conditions, object)[table.condition.astype(int)])
        paths = {name.removesuffix("_trajectories"): v for name, v in archive.arrays.items() if name.endswith("_trajectories")}
        return cls(config["settings"], Network._from_archive(path, archive), config["measures"], config["undefined"], found, paths,
                   config["cpu"])


def make(settings, *, checkpoint=None, stop=None, callback=None):
    """Train, evaluate and take apart one network.

    Parameters
    ----------
    settings : dict
        As in `Member.settings`.
    checkpoint : path, optional
        Of the training, which goes on from it.
    stop : threading.Event, optional
        Once it is set, KeyboardInterrupt is raised soon.
    callback : callable(step, loss, network), optional
        After each step of the training.

    Returns
    -------
    Member
    """
    task, recipe, seed, index = Task(**settings["task"]), Recipe(**settings["recipe"]), settings["seed"], settings["index"]
    first = Network.init(**settings["network"], rng=stream(seed, "network", index))
    trainer = Trainer.new(first, task, recipe, None, stream(seed, "training", index), checkpoint)
    training = trainer.caught_up().run(callback, 1, False, stop)
    found = _Findings(stop)
    found.curves["loss"] = loss_curve(training.loss)
    run = _behaviour(training.network, task, settings, found)
    found.group("errors, history, actor, long session", functools.partial(_more_behaviour, run, seed))
    found.table(curves.OF_RUN, run)
    few = run.sessions.select(np.arange(min(N_SESSIONS_UNTRAINED, run.sessions.n_sessions)))
    seen = with_states(run)
    paths = {"trained": similarity.trajectories(seen), "untrained": similarity.trajectories(rollout(first, few))}
    _anatomy(Anatomy(seen, seed, first), settings["parts"], found)
    del seen  # the states are large
    if "choices" in settings["parts"]:
        found.group("choices", functools.partial(_choices, run, seed))
    if "distillation" in settings["parts"]:
        found.group("distillation", functools.partial(_distillation, run, settings, found))
    return Member(settings, training.network, found.measures, found.undefined, found.curves, paths, _core.info()["cpu"])


class _Findings:
    """Measures and curves, with the reasons of those that are missing."""

    def __init__(self, stop):
        self.measures, self.undefined, self.curves, self.stop = {}, {}, {}, stop

    def attempt(self, name, work):
        """What a piece of work returns, or None where this network or task does not define it."""
        if self.stop is not None and self.stop.is_set():
            raise KeyboardInterrupt
        try:
            return work()
        except ValueError as error:
            self.undefined[name] = str(error)
            return None

    def group(self, name, work):
        """Measures {name: number or Estimate}; numbers that are not finite are left out."""
        for key, value in (self.attempt(name, work) or {}).items():
            number = float(getattr(value, "value", value))
            if np.isfinite(number):
                self.measures[key] = number

    def table(self, functions, of):
        """Curves of a rollout, anatomy or distillation."""
        for name, function in functions.items():
            table = self.attempt(name, functools.partial(function, of))
            if table is not None:
                self.curves[name] = table


def loss_curve(loss):
    """Means of the losses (n_steps,) of a training in N_LOSSES runs of steps."""
    import pandas as pd

    edges = np.unique(np.linspace(0, len(loss), N_LOSSES + 1).astype(int))
    mean = np.add.reduceat(loss, edges[:-1]) / np.diff(edges)
    table = pd.DataFrame({"condition": "", "point": np.arange(len(mean)), "x": (edges[1:] + edges[:-1]) / 2, "value": mean})
    return table.reindex(columns=curves.COLUMNS)


def sessions_of(task, n_blocks, seed, part=0):
    """The sessions of one part of an evaluation: at most BLOCKS_AT_ONCE blocks, the same for all networks."""
    left = n_blocks - part * BLOCKS_AT_ONCE
    return task.sample(n_blocks=min(left, BLOCKS_AT_ONCE), rng=stream(seed, "sessions", *([part] if part else [])))


def _behaviour(net, task, settings, found):
    """Behaviour in all blocks, part by part; returns the rollout of the first part, without states."""
    n_parts, sums, bound = -(-settings["n_blocks"] // BLOCKS_AT_ONCE), {}, 0
    for part in reversed(range(n_parts)):
        run = rollout(net, sessions_of(task, settings["n_blocks"], settings["seed"], part), hidden=False)
        bound += np.array([accuracy_bound(run.sessions).sum(), run.sessions.n_trials])
        for name, pair in totals(run).items():
            sums[name] = sums.get(name, 0) + pair
    values = {name: num / den if den else np.nan for name, (num, den) in sums.items()}
    values["mu0_gap"] = values.get("mu0_concordant", np.nan) - values.get("mu0_discordant", np.nan)
    values["gap_to_bound"] = bound[0] / bound[1] - values["correct"]
    found.group("behaviour", lambda: values)
    return run


def with_states(run):
    """A network's rollout again, with states, in the first of its sessions, as many as have STATES_AT_ONCE numbers."""
    net, sessions = run.agent, run.sessions
    steps = (run.last_step + 1)[sessions.offsets[1:] - 1]
    n = max(np.searchsorted(steps * net.n_hidden, STATES_AT_ONCE, "right"), FEWEST_SESSIONS)
    return rollout(net, sessions.select(np.arange(min(n, sessions.n_sessions))))


def _more_behaviour(run, seed):
    """Beside the summary: causes of errors, history, the published actor, one long session."""
    found = {f"errors_{cause}": value for cause, value in error_split(run)["value"].items()}
    history = history_regression(run, observe(run).prior).set_index("term")["weight"]
    found |= {f"history_{term}": history[term] for term in HISTORY_TERMS}
    actor = rollout(BayesianActor("published_actor"), run.sessions)
    found["gap_to_published_actor"] = (actor.choice == run.sessions.side).mean() - (run.choice == run.sessions.side).mean()
    long = rollout(run.agent, long_session(run.sessions, seed), hidden=False)
    return found | {f"long_session_{name}": num / den for name, (num, den) in totals(long).items() if den}


def long_session(sessions, seed):
    """One session without reset, of as many blocks as all these have."""
    return sessions.task.replace(n_blocks=len(sessions.block_lengths)).sample(n_sessions=1, rng=stream(seed, "long session"))


def _anatomy(anatomy, parts, found):
    for part, groups in anatomy.parts.items():
        if part in parts:
            for group in groups:
                found.group(group.__name__.strip("_"), group)
            found.table(curves.OF_ANATOMY[part], anatomy)


def _choices(run, seed):
    fits = {model: fit(run, model, n_starts=N_STARTS, rng=seed) for model in MODELS_FITTED}
    return {f"choices_{measure}": np.asarray(value)[0] for measure, (value, _) in of_fits(fits).items()}


def _distillation(master, settings, found):
    sessions = master.sessions.task.sample(n_blocks=len(master.sessions.block_lengths), rng=stream(settings["seed"], "distillation"))
    seed = settings["seed"] + settings["index"]  # each network has its own: some students do not depend on their teacher
    shown = with_states(rollout(master.agent, sessions, hidden=False))
    made = Distillation(shown, master, n_seeds=N_STUDENTS, n_updates=settings["n_updates"], seed=seed,
                        n_threads=1, progress=False)
    found.table(curves.OF_DISTILLATION, made)
    return made.measures()
