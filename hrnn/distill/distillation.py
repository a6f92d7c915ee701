"""A network distilled in every way: all students and what is known of them, once."""

from __future__ import annotations

import dataclasses
import functools
import time
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from hrnn import behavior
from hrnn.analysis import defects, dynamics, manifold
from hrnn.analysis.representation import states_of
from hrnn.base import parallel
from hrnn.base.arguments import generator, instance, one_of, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.base.streams import stream
from hrnn.distill import bayes
from hrnn.distill.baselines import KINDS, N_UPDATES, Student, students
from hrnn.distill.comparison import MEASURES, Examiner, divergence, summarise
from hrnn.distill.reduction import (
    MOST_DIMENSIONS,
    Map,
    Projection,
    Radd,
    coordinates,
    radd,
    states_in,
    with_gain,
)
from hrnn.inference import Observation, observe
from hrnn.network import Network
from hrnn.rollout import Rollout, rollout
from hrnn.sequence import Sequences, respond
from hrnn.statistics.resampling import Estimate, alone, mean_interval

if TYPE_CHECKING:
    import pandas as pd

N_SEEDS: int = 10
N_RESAMPLES: int = 1000
N_STARTS: int = 100
N_SESSIONS_SHOWN: int = 8
DIMENSIONS: tuple[int, ...] = (1, 2, 3, 4, 8)


@dataclasses.dataclass(eq=False)
class Distillation:
    """What is known of the students of one network.

    Each part is computed when it is first asked for.

    Parameters
    ----------
    run : Rollout
        A rollout of the teacher, with its states: what students learn from.
    master : Rollout
        A rollout of the teacher in other sessions, in which all are compared.
    n_seeds : int
        Number of students of every kind; a seed draws training sessions, first weights, batches and
        choices.
    n_updates : int
        Number of updates of students that learn by gradient.
    seed : int
        From which all randomness comes.
    n_threads : int or None
        Number of threads, None meaning one for each core. The results, wall times apart, do not
        depend on it.
    progress : bool
        Whether to show progress bars.

    Examples
    --------
    >>> import hrnn
    >>> net, task = hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task()
    >>> run, master = (hrnn.rollout(net, task.sample(n_sessions=8, rng=i)) for i in (0, 1))
    >>> Distillation(run, master, n_seeds=2, n_updates=3, progress=False).radds[0].network.n_hidden
    2
    """

    run: Rollout
    master: Rollout
    n_seeds: int = N_SEEDS
    n_updates: int = N_UPDATES
    seed: int = 0
    n_threads: int | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        states_of(self.run)
        if instance(self.master, "master", Rollout).agent is not self.run.agent:
            raise ValueError("master must be a rollout of the network of run")
        for name in ("n_seeds", "n_updates"):
            whole_number(getattr(self, name), name)
        whole_number(self.seed, "seed", 0)

    @property
    def network(self) -> Network:
        """The teacher."""
        return cast("Network", self.run.agent)

    # ---- students ----

    @functools.cached_property
    def coordinates(self) -> Projection:
        """A `Projection` on the readouts of side and block, then on components."""
        net = self.network
        dimension = min(MOST_DIMENSIONS, net.n_hidden)
        return coordinates(net, self.run, dimension, rng=stream(self.seed, "coordinates"))

    def _radd(self, dimension: int, seed: int, n_resamples: int) -> Radd:
        """RADD of one seed, on the first coordinates."""
        return radd(
            self.run,
            self.network,
            projection=self.coordinates.first(dimension),
            n_resamples=n_resamples,
            rng=stream(self.seed, "radd", seed),
        )

    @functools.cached_property
    def _timed_radds(self) -> list[tuple[Radd, float]]:
        """RADD of each seed, and the seconds that it took."""
        found: list[tuple[Radd, float]] = []
        for seed in range(self.n_seeds):
            began = time.perf_counter()
            fitted = self._radd(2, seed, N_RESAMPLES)
            found.append((fitted, time.perf_counter() - began))
        return found

    @property
    def radds(self) -> list[Radd]:
        """One RADD for each seed.

        They differ in their training sessions, and share the first one's projection.
        """
        return [found for found, _ in self._timed_radds]

    @functools.cached_property
    def students(self) -> dict[str, list[Student]]:
        """Students by kind, one for each seed: RADD, those of KINDS, and untrained ones."""
        made = students(
            self.run,
            self.network,
            self.radds,
            n_updates=self.n_updates,
            n_threads=self.n_threads,
            progress=self.progress,
            rng=stream(self.seed, "students"),
        )
        by_radd = [
            Student("radd", fitted.network, np.empty(0), seconds)
            for fitted, seconds in self._timed_radds
        ]
        untrained = [
            Network.init("tanh", n_hidden=2, rng=stream(self.seed, "random", seed))
            for seed in range(self.n_seeds)
        ]
        random = [Student("random", net, np.empty(0), 0.0) for net in untrained]
        return {"radd": by_radd, **made, "random": random}

    def best(self, kind: str) -> Student:
        """The student of a kind that acts most often as the teacher does."""
        one_of(kind, "kind", tuple(self.students))
        rows = self.table[self.table.kind == kind]
        seed = rows.seed.iloc[rows.same_choice.argmax()]
        return self.students[kind][int(seed)]

    # ---- how good they are ----

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """One row per student: `kind, seed`, the MEASURES and `seconds`, what it took to make."""
        import pandas as pd

        examiners = [Examiner(self.run, self.network, r, self.master) for r in self.radds]

        def row(kind: str, seed: int, student: Student) -> dict[str, object]:
            measured = examiners[seed].examine(student.network)
            return {"kind": kind, "seed": seed, **measured, "seconds": student.seconds}

        jobs = {}
        for kind, several in self.students.items():
            for seed, student in enumerate(several):
                jobs[kind, seed] = functools.partial(row, kind, seed, student)
        n_threads = n_threads_of(self.n_threads)
        rows = parallel.run(jobs, n_threads, self.progress)
        return pd.DataFrame(rows.values())

    @functools.cached_property
    def summary(self) -> pd.DataFrame:
        """Mean of every measure by kind with the interval over seeds.

        One row per kind and measure, `kind, measure, value, low, high, n`.
        """
        return summarise(self.table, rng=self.seed)

    @functools.cached_property
    def teacher(self) -> dict[str, float]:
        """The teacher's own behaviour in the master's sessions, by measure."""
        examiner = Examiner(self.run, self.network, self.radds[0], self.master)
        return examiner.behaviour(self.network)

    @functools.cached_property
    def at_published_gain(self) -> dict[str, float]:
        """The first RADD with the published gain in the master's sessions, by measure."""
        first = self.radds[0]
        net = with_gain(first, first.published_gain)
        examiner = Examiner(self.run, self.network, first, self.master)
        return examiner.behaviour(net)

    @functools.cached_property
    def accuracies(self) -> dict[str, Estimate]:
        """How often RADD is right, and how much less often a network trained from scratch.

        For RADD with its gain tuned and with the published one. Intervals are over seeds; those of
        one seed over the master's sessions.
        """
        gains = {
            "": [r.network for r in self.radds],
            "_at_published_gain": [with_gain(r, r.published_gain) for r in self.radds],
        }
        scratch = [self._act(student.network) for student in self.students["from_scratch"]]
        found: dict[str, Estimate] = {}
        for suffix, networks in gains.items():
            runs = [self._act(net) for net in networks]
            gaps = [
                behavior.difference(run, other).loc["correct"]
                for run, other in zip(runs, scratch, strict=True)
            ]
            right = [behavior.summary(run).loc["correct"] for run in runs]
            found[f"radd.correct{suffix}"] = self._over_seeds(right)
            found[f"from_scratch.below_radd{suffix}"] = self._over_seeds(gaps)
        return found

    def _act(self, net: Network) -> Rollout:
        """What a network does in the master's sessions."""
        return rollout(net, sessions=self.master.sessions, hidden=False, progress=False)

    def _over_seeds(self, rows: list[pd.Series]) -> Estimate:
        """Mean over seeds; of one seed the row itself (`value, low, high, n`)."""
        if self.n_seeds == 1:
            row = rows[0]
            return Estimate(row["value"], row["low"], row["high"], row["n"])
        return mean_interval([row["value"] for row in rows], rng=self.seed)

    @functools.cached_property
    def dimensions(self) -> pd.DataFrame:
        """RADD against the number of units.

        One row per number: `units`, R² on held-out sessions (`r2, r2_low, r2_high`), `correct,
        same_choice` in the master's sessions, and `horizon`, its table of prediction errors.
        """
        import pandas as pd

        rows: list[dict[str, object]] = []
        sessions = self.master.sessions
        for n_units in DIMENSIONS:
            if n_units > len(self.coordinates.rows):
                continue
            fitted = self._radd(n_units, 0, 1)
            choice = self._act(fitted.network).choice
            r2 = fitted.r2_heldout
            rows.append(
                {
                    "units": n_units,
                    "r2": r2.value,
                    "r2_low": r2.low,
                    "r2_high": r2.high,
                    "correct": (choice == sessions.side).mean(),
                    "same_choice": (choice == self.master.choice).mean(),
                    "horizon": fitted.horizon,
                }
            )
        return pd.DataFrame(rows)

    # ---- how their states move ----

    @functools.cached_property
    def divergences(self) -> dict[str, pd.DataFrame]:
        """Movement of states against lag, for teacher, projection and every kind (its first seed).

        By name, tables as `divergence` returns them.
        """
        session = self.run.session
        hidden = states_in(self.run)
        found = {
            "teacher": divergence(hidden, session),
            "projection": divergence(self.radds[0].project(hidden), session),
        }
        for kind, made in self.students.items():
            acted = rollout(made[0].network, self.run.sessions, progress=False)
            found[kind] = divergence(states_in(acted), acted.session)
        return found

    @functools.cached_property
    def difference_orders(self) -> pd.DataFrame:
        """What the published code calls divergence, of the projection (defect 4)."""
        z = self.radds[0].project(states_in(self.run))
        return defects.difference_order(z, self.run.session)

    @functools.cached_property
    def small(self) -> dict[str, Network]:
        """Two-unit networks that are shown, by name.

        RADD, the best student of each kind that imitates, and the filter.
        """
        return {
            "radd": self.radds[0].network,
            **{kind: self.best(kind).network for kind in KINDS},
            "bayesian_filter": self.filter.network,
        }

    @functools.cached_property
    def visited(self) -> dict[str, NDArray[np.float64]]:
        """States of the small networks under the teacher's inputs, by name.

        (T, 2) each, T being the steps of the first N_SESSIONS_SHOWN sessions.
        """
        n_sessions = self.run.sessions.n_sessions
        n_shown = min(N_SESSIONS_SHOWN, n_sessions)
        sequences = Sequences.of(self.run, np.arange(n_shown))
        found: dict[str, NDArray[np.float64]] = {}
        for name, net in self.small.items():
            _, states = respond(net, sequences)
            found[name] = sequences.flat(states)
        return found

    @functools.cached_property
    def fixed_points(self) -> dict[str, dynamics.FixedPoints]:
        """Fixed points of the small networks without input, by name."""
        starts = generator(stream(self.seed, "starts")).uniform(-1, 1, (N_STARTS, 2))
        return {
            name: dynamics.fixed_points(net, x=[0, 0, 0], starts=starts, n_threads=1)
            for name, net in self.small.items()
        }

    @functools.cached_property
    def verdicts(self) -> dict[str, manifold.Verdict]:
        """How each small network holds its belief for one of the teacher's blocks, by name."""
        n_steps = manifold.steps_per_block(self.run)
        return {
            name: manifold.verdict(self.small[name], found, n_steps=n_steps)
            for name, found in self.fixed_points.items()
        }

    # ---- beside the Bayesian observer ----

    @functools.cached_property
    def seen(self) -> Observation:
        """What the semi-Markov observer of the teacher's trials believed."""
        return observe(self.run)

    @functools.cached_property
    def filter(self) -> Map:
        """The Bayesian observer in the form of a two-unit network, of the first RADD's sessions."""
        return bayes.bayesian_filter(self.run, self.seen, rng=stream(self.seed, "radd", 0))

    @functools.cached_property
    def evidence_ratio(self) -> dict[str, Estimate]:
        """Slope of side over slope of block on an observation, of 'radd' and 'observer'."""
        first = self.radds[0]
        seen = self.seen
        return bayes.evidence_ratio(self.run, first, seen, rng=self.seed)

    @functools.cached_property
    def messages(self) -> pd.DataFrame:
        """Off-diagonals of A as messages between beliefs: `source, message, value, low, high`."""
        first = self.radds[0]
        return bayes.messages(self.run, first, self.filter, self.seen)

    @functools.cached_property
    def belief_r2(self) -> tuple[Estimate, Estimate]:
        """R² of z on E[s] and E[b]."""
        first = self.radds[0]
        seen = self.seen
        return bayes.resembles(self.run, first, seen, rng=self.seed)

    # ---- numbers ----

    def measures(self) -> dict[str, Estimate]:
        """Headline numbers by name, '<kind>.<measure>'."""
        return {
            **self._of_kinds(),
            **self._of_maps(),
            **self.accuracies,
            **self._acted(),
            **self._messages_by_name(),
            **self._of_dynamics(),
        }

    def _of_kinds(self) -> dict[str, Estimate]:
        """MEASURES of every kind of student."""
        found: dict[str, Estimate] = {}
        for row in self.summary.to_dict("records"):
            kind = row["kind"]
            measure = row["measure"]
            if measure in MEASURES:
                n = int(row["n"])
                estimate = Estimate(row["value"], row["low"], row["high"], n)
                found[f"{kind}.{measure}"] = estimate
        return found

    def _of_maps(self) -> dict[str, Estimate]:
        """Weights of RADD and of the filter, how well they fit, and what they resemble."""
        first = self.radds[0]
        return {
            **entries("radd", first),
            "radd.r2": first.r2,
            "radd.r2_heldout": first.r2_heldout,
            "radd.gain": alone(first.gain),
            "radd.published_gain": alone(first.published_gain),
            "radd.r2_on_side_belief": self.belief_r2[0],
            "radd.r2_on_block_belief": self.belief_r2[1],
            "radd.evidence_ratio": self.evidence_ratio["radd"],
            "observer.evidence_ratio": self.evidence_ratio["observer"],
            **entries("bayesian_filter", self.filter),
            "bayesian_filter.r2_heldout": self.filter.r2_heldout,
        }

    def _acted(self) -> dict[str, Estimate]:
        """What RADD with the published gain, and the filter, do in the master's sessions."""
        acted = self._act(self.filter.network)
        return {
            "radd.same_choice_at_published_gain": alone(self.at_published_gain["same_choice"]),
            "bayesian_filter.correct": alone(acted.trials.correct.mean()),
        }

    def _messages_by_name(self) -> dict[str, Estimate]:
        """Messages between beliefs of every source."""
        n = self.radds[0].A.n
        found: dict[str, Estimate] = {}
        for row in self.messages.to_dict("records"):
            source = row["source"]
            message = row["message"].replace(" ", "_")
            estimate = Estimate(row["value"], row["low"], row["high"], n)
            found[f"{source}.message_{message}"] = estimate
        return found

    def _of_dynamics(self) -> dict[str, Estimate]:
        """Stable states of the small networks, and time constants of RADD and of the filter."""
        found: dict[str, Estimate] = {}
        for name, verdict in self.verdicts.items():
            for key in ("n_stable", "n_saddles", "lambda_stable"):
                number = verdict.numbers.get(key, np.nan)
                found[f"{name}.{key}"] = alone(number)
        for name, fitted in (("radd", self.radds[0]), ("bayesian_filter", self.filter)):
            taus = fitted.time_constants
            for k, tau in enumerate(taus, 1):
                found[f"{name}.tau_{k}"] = alone(tau)
            for k, tau in enumerate(taus, 1):
                modulus = np.exp(-1 / tau)
                found[f"{name}.lambda_{k}"] = alone(modulus)
        return found


def entries(name: str, fitted: Map) -> dict[str, Estimate]:
    """Entries of A, B and c of a `Map` by name: '<name>.A11' … '<name>.B23', '<name>.c1', ….

    Parameters
    ----------
    name : str
        Begins each name.
    fitted : Map
        Gives the entries.
    """
    found: dict[str, Estimate] = {}
    for letter, part in (("A", fitted.A), ("B", fitted.B), ("c", fitted.c)):
        for index in np.ndindex(part.value.shape):
            place = "".join(str(k + 1) for k in index)
            ends = (part.value, part.low, part.high)
            value, low, high = (float(end[index]) for end in ends)
            found[f"{name}.{letter}{place}"] = Estimate(value, low, high, part.n)
    return found
