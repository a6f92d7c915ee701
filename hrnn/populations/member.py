"""One network of a population, from its settings to its file.

Trained, evaluated, taken apart, distilled, its choices fitted.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from hrnn import _core
from hrnn.analysis import similarity
from hrnn.analysis.anatomy import N_SESSIONS_UNTRAINED, Anatomy
from hrnn.base import files
from hrnn.base.machine import blas_processor
from hrnn.base.parallel import look
from hrnn.base.streams import seed_of, stream
from hrnn.behavior import difference, error_split, history_regression, regret, session_sums, summary
from hrnn.choice import fit
from hrnn.choice.side_by_side import MODELS_FITTED, of_fits
from hrnn.distill import Distillation
from hrnn.inference import BayesianActor, accuracy_bound, observe
from hrnn.network import Network
from hrnn.policy import CRITERIA, OptimalPolicy
from hrnn.populations import curves
from hrnn.populations.measures import Named
from hrnn.rollout import Rollout, rollout
from hrnn.statistics.resampling import Estimate, paired, ratio_interval, resample
from hrnn.task import Sessions, Task
from hrnn.training import Recipe, Trainer

if TYPE_CHECKING:
    import pandas as pd

Settings = dict[str, Any]  # plain JSON
Value = float | Estimate  # of a measure
T = TypeVar("T")

PARTS: tuple[str, ...] = ("representation", "integration", "mechanism", "distillation", "choices")
BLOCKS_AT_ONCE: int = 1000  # bounds the memory, however many blocks are evaluated
# Numbers; a network that acts has fewer in 1000 blocks, one that always times out four times as
# many.
STATES_AT_ONCE: int = 8_500_000
FEWEST_SESSIONS: int = 8
N_LOSSES: int = 100  # points of the loss curve
N_STUDENTS: int = 1  # seeds of every kind of student
HISTORY_TERMS: tuple[str, ...] = ("logit_prior", "previous_correct", "previous_wrong")
N_STARTS: int = 5  # of every fit of choices
# Measures whose intervals resample units of the network, not sessions.
OVER_UNITS: tuple[str, ...] = ("cliffs_delta", "silhouette", "silhouette_untrained")
MOST_UNITS: int = 1000  # sessions resampled one by one; of more, neighbours are drawn together


class Act(Protocol):
    """An agent with states: runs through sessions, keeping its states if `hidden`."""

    def __call__(self, sessions: Sessions, *, hidden: bool = ...) -> Rollout:
        """Run through the sessions."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Member:
    """What is known of one network; a function of its settings.

    Attributes
    ----------
    settings : dict
        Plain JSON: network, recipe, task, n_blocks, parts, n_updates, seed, index and version.
    network : Network
        After its training.
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
    blas : str
        Processor that NumPy's BLAS worked for: another one's last bits differ. Empty if not known.
    """

    settings: Settings
    network: Network
    measures: dict[str, float]
    intervals: dict[str, list[float]]
    undefined: dict[str, str]
    curves: dict[str, pd.DataFrame]
    trajectories: dict[str, NDArray[np.float64]]
    cpu: str
    blas: str

    def save(self, path: str | Path) -> None:
        """Write everything into one file, whole or not at all.

        The curves are one array: number of the curve, number of its condition in the list that
        the config has for the curve, then the other columns of `curves.COLUMNS`.
        """
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
            "blas": self.blas,
        }
        arrays = {"theta": self.network.theta, "curves": _numbered(tables, conditions)}
        arrays |= {f"{name}_trajectories": path for name, path in self.trajectories.items()}
        files.save_archive(path, kind="member", config=config, arrays=arrays)

    @classmethod
    def load(cls, path: str | Path) -> Member:
        """Read a member from its file."""
        archive = files.load_archive(path, kind="member")
        config = checked(path, archive.config)
        network = Network._from_archive(path, archive)
        try:
            tables = _tables(archive.arrays["curves"], config["curves"])
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} does not hold a member: its curves: {error}") from error
        paths = {
            name.removesuffix("_trajectories"): v
            for name, v in archive.arrays.items()
            if name.endswith("_trajectories")
        }
        return cls(
            config["settings"],
            network,
            config["measures"],
            config["intervals"],
            config["undefined"],
            tables,
            paths,
            config["cpu"],
            config.get("blas", ""),
        )


def checked(path: str | Path, config: dict[str, Any]) -> dict[str, Any]:
    """The config of a member's file, if it has the form that `Member.save` gives it.

    Raises
    ------
    ValueError
        With the path and the part that is of another form.
    """
    settings = config.get("settings")
    whole = isinstance(settings, dict) and all(
        isinstance(settings.get(name), kind) for name, kind in _SETTINGS.items()
    )
    rest = {
        "settings": whole,
        "measures": _each(config.get("measures"), _is_number),
        "intervals": _each(config.get("intervals"), _is_pair),
        "undefined": _each(config.get("undefined"), lambda v: isinstance(v, str)),
        "curves": _each(config.get("curves"), lambda v: isinstance(v, list)),
        "network": isinstance(config.get("network"), dict),
        "cpu": isinstance(config.get("cpu"), str),
        "blas": isinstance(config.get("blas", ""), str),  # older files do not say
    }
    wrong = [name for name, right in rest.items() if not right]
    if wrong:
        raise ValueError(f"{path} does not hold a member: its {', '.join(wrong)} have another form")
    return config


_SETTINGS: dict[str, type] = {
    "network": dict,
    "recipe": dict,
    "task": dict,
    "n_blocks": int,
    "parts": list,
    "n_updates": int,
    "seed": int,
    "index": int,
    "hrnn": str,
}


def _each(values: Any, right: Callable[[Any], bool]) -> bool:
    """Whether it is a dict whose values are all right."""
    return isinstance(values, dict) and all(map(right, values.values()))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


def _numbered(
    tables: Mapping[str, pd.DataFrame], conditions: Mapping[str, list[str]]
) -> NDArray[np.float64]:
    """Curves as one array of numbers (rows, 1 + columns): what `Member.save` writes."""
    parts = [np.empty((0, 1 + len(curves.COLUMNS)))]
    for i, (name, table) in enumerate(tables.items()):
        number = np.full(len(table), i)
        condition = table.condition.map(conditions[name].index)
        parts.append(np.column_stack([number, condition, table[list(curves.COLUMNS[1:])]]))
    return np.concatenate(parts).astype(float)


def _tables(
    rows: NDArray[np.float64], conditions: Mapping[str, list[str]]
) -> dict[str, pd.DataFrame]:
    """The curves of an array of `_numbered`."""
    import pandas as pd

    if rows.ndim != 2 or rows.shape[1] != 1 + len(curves.COLUMNS):
        raise ValueError(f"must have {1 + len(curves.COLUMNS)} columns, got shape {rows.shape}")
    found: dict[str, pd.DataFrame] = {}
    for i, (name, names) in enumerate(conditions.items()):
        table = pd.DataFrame(rows[rows[:, 0] == i, 1:], columns=list(curves.COLUMNS))
        condition = np.array(names, object)[table.condition.astype(int)]
        found[name] = table.assign(condition=condition)
    return found


def make(
    settings: Settings,
    *,
    checkpoint: Path | None = None,
    callback: Callable[[int, float, Network], None] | None = None,
) -> Member:
    """Train, evaluate and take apart one network.

    Parameters
    ----------
    settings : dict
        As in `Member.settings`.
    checkpoint : path, optional
        Of the training, which goes on from it.
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
    training = trainer.caught_up().run(callback, 1, False)
    found = Findings()
    found.curves["loss"] = loss_curve(training.loss)
    act = functools.partial(rollout, training.network, progress=False)
    examine(act, task, settings, found, first)
    return Member(
        settings,
        training.network,
        dict(found.measures),
        dict(found.intervals),
        found.undefined,
        found.curves,
        _trajectories(act, first, sessions_of(task, settings["n_blocks"], seed)),
        _core.info()["cpu"],
        blas_processor(),
    )


def _trajectories(act: Act, first: Network, shared: Sessions) -> dict[str, NDArray[np.float64]]:
    """Mean states by condition in the sessions that all networks share, before and after."""
    few = shared.select(np.arange(min(N_SESSIONS_UNTRAINED, shared.n_sessions)))
    trained = with_states(act, act(shared, hidden=False))
    return {
        "trained": similarity.trajectories(trained),
        "untrained": similarity.trajectories(rollout(first, few, progress=False)),
    }


def examine(
    act: Act, task: Task, settings: Settings, found: Findings, first: Network | None = None
) -> None:
    """Everything that is measured of one agent, in sessions of its own, into `found`.

    Parameters
    ----------
    act : callable(sessions, *, hidden) -> Rollout
        Of a network, or of what has states and a readout like one.
    task : Task
        Whose sessions it is measured in.
    settings : dict
        `n_blocks, seed, index, parts, n_updates` of `Member.settings`.
    found : Findings
        Takes the measures, curves and reasons of what is missing.
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

    def __init__(self) -> None:
        self.measures: dict[str, float] = Named()
        self.intervals: dict[str, list[float]] = Named()
        self.undefined: dict[str, str] = {}
        self.curves: dict[str, pd.DataFrame] = {}

    def attempt(self, name: str, work: Callable[[], T]) -> T | None:
        """What a piece of work returns, or None where this network or task does not define it."""
        look()
        try:
            return work()
        except ValueError as error:
            self.undefined[name] = str(error)
            return None

    def group(self, name: str, work: Callable[[], Mapping[str, Value]]) -> None:
        """Store measures; numbers that are not finite are left out.

        Parameters
        ----------
        name : str
            Of the group, by which `undefined` says why it is missing.
        work : callable() -> {name: number or Estimate}
            Measures them; a ValueError says that this network or task does not define them.
        """
        for key, value in (self.attempt(name, work) or {}).items():
            number = float(value.value if isinstance(value, Estimate) else value)
            if np.isfinite(number):
                self.measures[key] = number
            if isinstance(value, Estimate) and key not in OVER_UNITS:
                ends = [float(value.low), float(value.high)]
                if np.isfinite([number, *ends]).all():
                    self.intervals[key] = ends

    def table(self, functions: Mapping[str, Callable[[Any], pd.DataFrame]], of: Any) -> None:
        """Store curves.

        Parameters
        ----------
        functions : dict of str to callable(of) -> DataFrame
            By the name of the curve, as `curves.OF_RUN`.
        of : Rollout, Anatomy or Distillation
            What the functions take.
        """
        for name, function in functions.items():
            table = self.attempt(name, functools.partial(function, of))
            if table is not None:
                self.curves[name] = table


def loss_curve(loss: NDArray[np.float64]) -> pd.DataFrame:
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


def sessions_of(task: Task, n_blocks: int, seed: int, *name: int | str) -> Sessions:
    """Sessions of at most BLOCKS_AT_ONCE blocks.

    Parameters
    ----------
    task : Task
        Whose sessions they are.
    n_blocks : int
        How many are wanted.
    seed : int
        Of the population.
    *name : int or str
        Of the random stream: the index of a network, then the part of its evaluation; nothing for
        the sessions that all networks share.

    Returns
    -------
    Sessions
    """
    return task.sample(n_blocks=min(n_blocks, BLOCKS_AT_ONCE), rng=stream(seed, "sessions", *name))


def _behaviour(act: Act, task: Task, settings: Settings, found: Findings) -> Rollout:
    """Behaviour in all blocks, part by part.

    Returns the rollout of the first part, without states.
    """
    n_blocks = settings["n_blocks"]
    index = settings["index"]
    first = act(sessions_of(task, n_blocks, settings["seed"], index), hidden=False)
    parts = [_sums(first)]
    for part in range(1, -(-n_blocks // BLOCKS_AT_ONCE)):
        n_left = n_blocks - part * BLOCKS_AT_ONCE
        sessions = sessions_of(task, n_left, settings["seed"], index, part)
        parts.append(_sums(act(sessions, hidden=False)))
    found.group("behaviour", functools.partial(_estimates, parts))
    return first


def _sums(run: Rollout) -> dict[str, NDArray[Any]]:
    """Numerator and denominator of every measure of behaviour in each session, {name: (S, 2)}."""
    sessions = run.sessions
    right = np.bincount(sessions.session, accuracy_bound(sessions))
    n = np.bincount(sessions.session, np.ones(sessions.n_trials))
    return session_sums(run) | {"bound": np.stack([right, n], 1)}


def _joined(
    parts: list[dict[str, NDArray[Any]]],
) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Sums in units of resampling from those in the sessions of each part, {name: ((U,), (U,))}.

    A unit is a session, or some neighbours where there are more than MOST_UNITS sessions.
    """
    shared = [name for name in parts[0] if all(name in part for part in parts)]
    n_sessions = sum(len(part["correct"]) for part in parts)
    first = np.arange(0, n_sessions, -(-n_sessions // MOST_UNITS))
    found: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
    for name in shared:
        every = np.concatenate([part[name] for part in parts])
        above, below = np.add.reduceat(every, first).T
        found[name] = above, below
    return found


def _estimates(parts: list[dict[str, NDArray[Any]]]) -> dict[str, Estimate]:
    """Estimates of behaviour from sums in the sessions of each part.

    And of two differences within the same sessions.
    """
    sums = _joined(parts)
    draws = resample(len(sums["correct"][0]))
    values = {
        name: ratio_interval(*pair, resamples=draws)
        for name, pair in sums.items()
        if name != "bound"
    }
    values["gap_to_bound"] = paired(sums["bound"], sums["correct"], resamples=draws)
    if {"mu0_concordant", "mu0_discordant"} <= sums.keys():
        values["mu0_gap"] = paired(sums["mu0_concordant"], sums["mu0_discordant"], resamples=draws)
    return values


def with_states(act: Act, run: Rollout) -> Rollout:
    """The same rollout with states, in as many of its first sessions as the memory is for.

    Parameters
    ----------
    act : callable(sessions, *, hidden) -> Rollout
        What acted.
    run : Rollout
        Of it, without states.

    Returns
    -------
    Rollout
        In the first sessions whose states have STATES_AT_ONCE numbers together, and in at least
        FEWEST_SESSIONS.
    """
    sessions = run.sessions
    steps = (run.last_step + 1)[sessions.offsets[1:] - 1]
    n_fit = np.searchsorted(steps * run.agent.n_hidden, STATES_AT_ONCE, "right")
    n = max(n_fit, FEWEST_SESSIONS)
    return act(sessions.select(np.arange(min(n, sessions.n_sessions))), hidden=True)


def _rows(table: pd.DataFrame, prefix: str) -> dict[str, Estimate]:
    """Estimates of the rows of a table with `value, low, high, n`."""
    return {
        f"{prefix}{name}": Estimate(*table.loc[name, ["value", "low", "high", "n"]])
        for name in table.index
    }


def _errors(run: Rollout) -> dict[str, Estimate]:
    """Errors by what made them."""
    return _rows(error_split(run), "errors_")


def _history(run: Rollout) -> dict[str, Estimate]:
    """How the previous choice bears on the next beyond the exact prior."""
    table = history_regression(run, observe(run).prior).set_index("term")
    table = table.rename(columns={"weight": "value"})
    return _rows(table.loc[list(HISTORY_TERMS)], "history_")


def _published_actor(run: Rollout) -> dict[str, Estimate]:
    """How much more often the published actor is right, in the same sessions."""
    gap = difference(rollout(BayesianActor("published_actor"), run.sessions, progress=False), run)
    return {"gap_to_published_actor": _rows(gap, "")["correct"]}


def _regrets(run: Rollout) -> dict[str, Estimate]:
    """What the optimal policies earn more in the same sessions."""
    best = {
        criterion: rollout(OptimalPolicy(cast("Any", criterion)), run.sessions, progress=False)
        for criterion in CRITERIA
    }
    return {
        f"regret_{criterion}": regret(run, policy, criterion=cast("Any", criterion))
        for criterion, policy in best.items()
    }


def _long_session(act: Act, run: Rollout, settings: Settings) -> dict[str, Estimate]:
    """Behaviour in one session without reset."""
    sessions = long_session(run.sessions, settings["seed"], settings["index"])
    return _rows(summary(act(sessions, hidden=False)), "long_session_")


def long_session(sessions: Sessions, seed: int, *name: int | str) -> Sessions:
    """One session without reset, of as many blocks as all these have.

    Parameters
    ----------
    sessions : Sessions
        Whose task and number of blocks it has.
    seed : int
        Of the population.
    *name : int or str
        Of the random stream: the index of a network, or nothing.

    Returns
    -------
    Sessions
    """
    return sessions.task.replace(n_blocks=len(sessions.block_lengths)).sample(
        n_sessions=1, rng=stream(seed, "long session", *name)
    )


def _anatomy(anatomy: Anatomy, parts: Iterable[str], found: Findings) -> None:
    """Measures and curves of the parts of a network taken apart."""
    for part, groups in anatomy.parts.items():
        if part in parts:
            for group in groups:
                found.group(group.__name__.strip("_"), group)
            found.table(curves.OF_ANATOMY[part], anatomy)


def _choices(run: Rollout, seed: int) -> dict[str, Estimate]:
    """Models of choice fitted to the network as to a mouse."""
    fits = {
        model: fit(run, model, n_starts=N_STARTS, rng=seed, n_threads=1, progress=False)
        for model in MODELS_FITTED
    }
    found: dict[str, Estimate] = {}
    n = run.sessions.n_sessions
    for measure, (values, margins) in of_fits(fits).items():
        value = float(np.asarray(values)[0])
        half = float(np.broadcast_to(margins, 1)[0])
        found[f"choices_{measure}"] = Estimate(value, value - half, value + half, n)
    return found


def _distillation(
    act: Act, master: Rollout, settings: Settings, found: Findings
) -> dict[str, Estimate]:
    """Measures of the network's students, and their curves into `found`."""
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
        # its own: some students do not depend on their teacher
        seed=seed_of(seed, "distillation", index),
        n_threads=1,
        progress=False,
    )
    found.table(curves.OF_DISTILLATION, made)
    return made.measures()
