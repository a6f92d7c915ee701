"""One network of a population, from its settings to its file.

Trained, evaluated, taken apart, distilled, its choices fitted.
"""

import dataclasses
import functools

import numpy as np

from hrnn import _core
from hrnn.analysis import similarity
from hrnn.analysis.anatomy import N_SESSIONS_UNTRAINED, Anatomy
from hrnn.base import files
from hrnn.base.streams import stream
from hrnn.behavior import difference, error_split, history_regression, regret, session_sums, summary
from hrnn.choice import fit
from hrnn.choice.side_by_side import MODELS_FITTED, of_fits
from hrnn.distill import Distillation
from hrnn.inference import BayesianActor, accuracy_bound, observe
from hrnn.network import Network
from hrnn.policy import CRITERIA, OptimalPolicy
from hrnn.populations import curves
from hrnn.populations.measures import Named
from hrnn.rollout import rollout
from hrnn.statistics.resampling import Estimate, paired, ratio_interval, resample
from hrnn.task import Task
from hrnn.training import Recipe, Trainer

PARTS = ("representation", "integration", "mechanism", "distillation", "choices")
BLOCKS_AT_ONCE = 1000  # bounds the memory, however many blocks are evaluated
# numbers; a network that acts has fewer in 1000 blocks, one that always times out four times as
# many
STATES_AT_ONCE = 8_500_000
FEWEST_SESSIONS = 8
N_LOSSES = 100  # points of the loss curve
N_STUDENTS = 1  # seeds of every kind of student
HISTORY_TERMS = ("logit_prior", "previous_correct", "previous_wrong")
N_STARTS = 5  # of every fit of choices
OVER_UNITS = (
    "cliffs_delta",
    "silhouette",
    "silhouette_untrained",
)  # whose intervals resample units of the network, not sessions
MOST_UNITS = 1000  # sessions resampled one by one; of more, neighbours are drawn together


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
    intervals : dict of str to [float, float]
        Their 95 % intervals over sessions, given this network; those that have none are missing.
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
    intervals: dict
    undefined: dict
    curves: dict
    trajectories: dict
    cpu: str

    def save(self, path):
        """Write everything into one file, whole or not at all."""
        tables = {name: table for name, table in self.curves.items() if len(table)}
        conditions = {name: table.condition.unique().tolist() for name, table in tables.items()}
        config = {
            "settings": self.settings,
            "measures": self.measures,
            "intervals": self.intervals,
            "undefined": self.undefined,
            "curves": conditions,
            "network": self.network._config(),
            "cpu": self.cpu,
        }
        parts = [
            np.column_stack(
                [
                    np.full(len(table), i),
                    table.condition.map(conditions[name].index),
                    table[list(curves.COLUMNS[1:])],
                ]
            )
            for i, (name, table) in enumerate(tables.items())
        ]
        rows = np.concatenate(parts) if parts else np.empty((0, 1 + len(curves.COLUMNS)))
        files.save_archive(
            path,
            kind="member",
            config=config,
            arrays={
                "theta": self.network.theta,
                "curves": rows.astype(float),
                **{f"{k}_trajectories": v for k, v in self.trajectories.items()},
            },
        )

    @classmethod
    def load(cls, path):
        """Read a member from its file."""
        import pandas as pd

        archive = files.load_archive(path, kind="member")
        config = archive.config
        rows = archive.arrays["curves"]
        found = {}
        for i, (name, conditions) in enumerate(config["curves"].items()):
            table = pd.DataFrame(rows[rows[:, 0] == i, 1:], columns=curves.COLUMNS)
            found[name] = table.assign(
                condition=np.array(conditions, object)[table.condition.astype(int)]
            )
        paths = {
            name.removesuffix("_trajectories"): v
            for name, v in archive.arrays.items()
            if name.endswith("_trajectories")
        }
        return cls(
            config["settings"],
            Network._from_archive(path, archive),
            config["measures"],
            config["intervals"],
            config["undefined"],
            found,
            paths,
            config["cpu"],
        )


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
    task = Task(**settings["task"])
    recipe = Recipe(**settings["recipe"])
    seed = settings["seed"]
    index = settings["index"]
    first = Network.init(**settings["network"], rng=stream(seed, "network", index))
    trainer = Trainer.new(first, task, recipe, None, stream(seed, "training", index), checkpoint)
    training = trainer.caught_up().run(callback, 1, False, stop)
    found = Findings(stop)
    found.curves["loss"] = loss_curve(training.loss)
    act = functools.partial(rollout, training.network)
    examine(act, task, settings, found, first)
    shared = sessions_of(task, settings["n_blocks"], seed)
    few = shared.select(np.arange(min(N_SESSIONS_UNTRAINED, shared.n_sessions)))
    trained = with_states(act, act(shared, hidden=False))
    paths = {
        "trained": similarity.trajectories(trained),
        "untrained": similarity.trajectories(rollout(first, few)),
    }
    return Member(
        settings,
        training.network,
        dict(found.measures),
        found.intervals,
        found.undefined,
        found.curves,
        paths,
        _core.info()["cpu"],
    )


def examine(act, task, settings, found, first=None):
    """Everything that is measured of one agent, in sessions of its own, into `found`.

    Parameters
    ----------
    act : callable(sessions, *, hidden) -> Rollout
        Of a network, or of what has states and a readout like one.
    task : Task
    settings : dict
        `n_blocks, seed, index, parts, n_updates` of `Member.settings`.
    found : Findings
    first : Network, optional
        Its first weights, as the floor of decoders.
    """
    run = _behaviour(act, task, settings, found)
    for group in (_errors, _history, _published_actor, _regrets):
        found.group(group.__name__.strip("_").replace("_", " "), functools.partial(group, run))
    found.group("long session", functools.partial(_long_session, act, run, settings))
    found.table(curves.OF_RUN, run)
    _anatomy(Anatomy(with_states(act, run), settings["seed"], first), settings["parts"], found)
    if "choices" in settings["parts"]:
        found.group("choices", functools.partial(_choices, run, settings["seed"]))
    if "distillation" in settings["parts"]:
        found.group("distillation", functools.partial(_distillation, act, run, settings, found))


class Findings:
    """Measures and curves, with the reasons of those that are missing.

    A measure whose name `measures.CATALOGUE` does not have cannot be stored: KeyError.
    """

    def __init__(self, stop):
        self.measures = Named()
        self.intervals = {}
        self.undefined = {}
        self.curves = {}
        self.stop = stop

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
            over_sessions = isinstance(value, Estimate) and key not in OVER_UNITS
            if over_sessions and np.isfinite([number, value.low, value.high]).all():
                self.intervals[key] = [float(value.low), float(value.high)]

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
    table = pd.DataFrame(
        {
            "condition": "",
            "point": np.arange(len(mean)),
            "x": (edges[1:] + edges[:-1]) / 2,
            "value": mean,
        }
    )
    return table.reindex(columns=curves.COLUMNS)


def sessions_of(task, n_blocks, seed, *name):
    """At most BLOCKS_AT_ONCE blocks.

    Those of a network (its index, then the part of its evaluation), or those that all share.
    """
    return task.sample(n_blocks=min(n_blocks, BLOCKS_AT_ONCE), rng=stream(seed, "sessions", *name))


def _behaviour(act, task, settings, found):
    """Behaviour in all blocks, part by part.

    Returns the rollout of the first part, without states.
    """
    n_blocks = settings["n_blocks"]
    parts = []
    first = None
    for part in range(-(-n_blocks // BLOCKS_AT_ONCE)):
        name = (settings["index"], *([part] if part else []))
        sessions = sessions_of(task, n_blocks - part * BLOCKS_AT_ONCE, settings["seed"], *name)
        run = act(sessions, hidden=False)
        first = run if first is None else first
        right = [
            np.bincount(sessions.session, values)
            for values in (accuracy_bound(sessions), np.ones(sessions.n_trials))
        ]
        parts.append(session_sums(run) | {"bound": np.stack(right, 1)})
    found.group("behaviour", functools.partial(_estimates, parts))
    return first


def _estimates(parts):
    """Estimates of behaviour from sums in the sessions of each part.

    And of two differences within the same sessions.
    """
    sums = {
        name: np.concatenate([part[name] for part in parts])
        for name in parts[0]
        if all(name in part for part in parts)
    }
    n_sessions = len(sums["correct"])
    together = np.arange(0, n_sessions, -(-n_sessions // MOST_UNITS))
    sums = {name: tuple(np.add.reduceat(values, together).T) for name, values in sums.items()}
    draws = resample(len(together))
    values = {
        name: ratio_interval(*pair, resamples=draws)
        for name, pair in sums.items()
        if name != "bound"
    }
    values["gap_to_bound"] = paired(sums["bound"], sums["correct"], resamples=draws)
    if {"mu0_concordant", "mu0_discordant"} <= sums.keys():
        values["mu0_gap"] = paired(sums["mu0_concordant"], sums["mu0_discordant"], resamples=draws)
    return values


def with_states(act, run):
    """The rollout `run` again, with states, in the first of its sessions.

    As many as have STATES_AT_ONCE numbers.
    """
    sessions = run.sessions
    steps = (run.last_step + 1)[sessions.offsets[1:] - 1]
    n = max(np.searchsorted(steps * run.agent.n_hidden, STATES_AT_ONCE, "right"), FEWEST_SESSIONS)
    return act(sessions.select(np.arange(min(n, sessions.n_sessions))), hidden=True)


def _rows(table, prefix):
    """Estimates of the rows of a table with `value, low, high, n`."""
    return {
        f"{prefix}{name}": Estimate(*table.loc[name, ["value", "low", "high", "n"]])
        for name in table.index
    }


def _errors(run):
    return _rows(error_split(run), "errors_")


def _history(run):
    table = (
        history_regression(run, observe(run).prior)
        .set_index("term")
        .rename(columns={"weight": "value"})
    )
    return _rows(table.loc[list(HISTORY_TERMS)], "history_")


def _published_actor(run):
    """How much more often the published actor is right, in the same sessions."""
    gap = difference(rollout(BayesianActor("published_actor"), run.sessions), run)
    return {"gap_to_published_actor": _rows(gap, "")["correct"]}


def _regrets(run):
    """What the optimal policies earn more in the same sessions."""
    best = {criterion: rollout(OptimalPolicy(criterion), run.sessions) for criterion in CRITERIA}
    return {
        f"regret_{criterion}": regret(run, policy, criterion=criterion)
        for criterion, policy in best.items()
    }


def _long_session(act, run, settings):
    sessions = long_session(run.sessions, settings["seed"], settings["index"])
    return _rows(summary(act(sessions, hidden=False)), "long_session_")


def long_session(sessions, seed, *name):
    """One session without reset, of as many blocks as all these have."""
    return sessions.task.replace(n_blocks=len(sessions.block_lengths)).sample(
        n_sessions=1, rng=stream(seed, "long session", *name)
    )


def _anatomy(anatomy, parts, found):
    for part, groups in anatomy.parts.items():
        if part in parts:
            for group in groups:
                found.group(group.__name__.strip("_"), group)
            found.table(curves.OF_ANATOMY[part], anatomy)


def _choices(run, seed):
    fits = {model: fit(run, model, n_starts=N_STARTS, rng=seed) for model in MODELS_FITTED}
    found = {}
    n = run.sessions.n_sessions
    for measure, (value, margin) in of_fits(fits).items():
        value = float(np.asarray(value)[0])
        half = float(np.broadcast_to(margin, 1)[0])
        found[f"choices_{measure}"] = Estimate(value, value - half, value + half, n)
    return found


def _distillation(act, master, settings, found):
    seed = settings["seed"]
    index = settings["index"]
    sessions = master.sessions.task.sample(
        n_blocks=len(master.sessions.block_lengths), rng=stream(seed, "distillation", index)
    )
    taught = with_states(act, act(sessions, hidden=False))
    made = Distillation(
        taught,
        master,
        n_seeds=N_STUDENTS,
        n_updates=settings["n_updates"],
        seed=seed + index,
        n_threads=1,
        progress=False,
    )  # a seed of its own: some students do not depend on their teacher
    found.table(curves.OF_DISTILLATION, made)
    return made.measures()
