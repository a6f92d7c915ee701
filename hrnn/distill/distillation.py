"""A network distilled in every way.

All students and what is known of them, once, for figure and report alike.
"""

import dataclasses
import functools
import time

import numpy as np

from hrnn import behavior
from hrnn.analysis import defects, dynamics, manifold
from hrnn.base import parallel
from hrnn.base.arguments import generator, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.distill import bayes
from hrnn.distill.baselines import KINDS, N_UPDATES, Student, students
from hrnn.distill.comparison import MEASURES, Examiner, divergence, summarise
from hrnn.distill.reduction import MOST_DIMENSIONS, coordinates, radd, with_gain
from hrnn.inference import observe
from hrnn.network import Network
from hrnn.rollout import Rollout, rollout
from hrnn.sequence import Sequences, respond
from hrnn.statistics.resampling import Estimate, alone, mean_interval

N_SEEDS = 10
N_RESAMPLES = 1000
N_STARTS = 100
N_SESSIONS_SHOWN = 8
DIMENSIONS = (1, 2, 3, 4, 8)


@dataclasses.dataclass(eq=False)
class Distillation:
    """What is known of the students of one network.

    Each part is computed when it is first asked for.

    Parameters
    ----------
    run : Rollout
        Of the teacher, with its states: what students learn from.
    master : Rollout
        Of the teacher in other sessions, in which all are compared.
    n_seeds : int
        Of every kind of student; a seed draws training sessions, first weights, batches and
        choices.
    n_updates : int
        Of students that learn by gradient.
    seed : int
    n_threads : int or None
        The results, wall times apart, do not depend on it.
    progress : bool

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
    n_threads: object = None
    progress: bool = True

    def __post_init__(self):
        for name in ("n_seeds", "n_updates"):
            whole_number(getattr(self, name), name)
        whole_number(self.seed, "seed", 0)

    @property
    def network(self):
        """The teacher."""
        return self.run.agent

    @functools.cached_property
    def coordinates(self):
        """A `Projection` on the readouts of side and block, then on components."""
        return coordinates(
            self.network, self.run, min(MOST_DIMENSIONS, self.network.n_hidden), rng=self.seed
        )

    def _radd(self, dimension, seed, n_resamples):
        projection = self.coordinates.first(dimension)
        return radd(
            self.run,
            self.network,
            projection=projection,
            n_resamples=n_resamples,
            rng=self.seed + seed,
        )

    @functools.cached_property
    def _timed_radds(self):
        found = []
        for seed in range(self.n_seeds):
            began = time.perf_counter()
            found.append((self._radd(2, seed, N_RESAMPLES), time.perf_counter() - began))
        return found

    @property
    def radds(self):
        """One RADD for each seed.

        They differ in their training sessions, and share the first one's projection.
        """
        return [found for found, _ in self._timed_radds]

    @functools.cached_property
    def students(self):
        """Students by kind: RADD, those of KINDS, and untrained ones.

        {kind: [Student of each seed]}.
        """
        made = students(
            self.run,
            self.network,
            self.radds,
            n_updates=self.n_updates,
            n_threads=self.n_threads,
            progress=self.progress,
            rng=self.seed,
        )
        by_radd = [
            Student("radd", r.network, np.empty(0), seconds) for r, seconds in self._timed_radds
        ]
        control = [
            Student("random", Network.init("tanh", n_hidden=2, rng=stream), np.empty(0), 0.0)
            for stream in generator(self.seed).spawn(self.n_seeds)
        ]
        return {"radd": by_radd, **made, "random": control}

    @functools.cached_property
    def table(self):
        """One row per student: `kind, seed`, the MEASURES and `seconds`, what it took to make."""
        import pandas as pd

        examiners = [Examiner(self.run, self.network, r, self.master) for r in self.radds]

        def examine(kind, seed):
            student = self.students[kind][seed]
            return lambda stop: {
                "kind": kind,
                "seed": seed,
                **examiners[seed].examine(student.network),
                "seconds": student.seconds,
            }

        work = {
            (kind, seed): examine(kind, seed)
            for kind in self.students
            for seed in range(self.n_seeds)
        }
        return pd.DataFrame(
            parallel.run(work, n_threads_of(self.n_threads), self.progress).values()
        )

    @functools.cached_property
    def summary(self):
        """Mean of every measure by kind with the interval over seeds.

        `kind, measure, value, low, high, n`.
        """
        return summarise(self.table, rng=self.seed)

    @functools.cached_property
    def teacher(self):
        """The teacher's own behaviour in the master's sessions: {measure: value}."""
        return Examiner(self.run, self.network, self.radds[0], self.master).behaviour(self.network)

    @functools.cached_property
    def at_published_gain(self):
        """The first RADD with the published gain in the master's sessions: {measure: value}."""
        first = self.radds[0]
        net = with_gain(first, first.published_gain)
        return Examiner(self.run, self.network, first, self.master).behaviour(net)

    @functools.cached_property
    def accuracies(self):
        """How often RADD is right, with its gain tuned and with the published one.

        And how much less often what learned from scratch.

        Over seeds; of one seed with the interval of the master's sessions.
        """
        gains = {
            "": [r.network for r in self.radds],
            "_at_published_gain": [with_gain(r, r.published_gain) for r in self.radds],
        }
        act = functools.partial(rollout, sessions=self.master.sessions, hidden=False)
        scratch = [act(student.network) for student in self.students["from_scratch"]]
        found = {}
        for suffix, networks in gains.items():
            runs = [act(net) for net in networks]
            gaps = [
                behavior.difference(*pair).loc["correct"]
                for pair in zip(runs, scratch, strict=True)
            ]
            right = [behavior.summary(run).loc["correct"] for run in runs]
            for name, rows in (
                (f"radd.correct{suffix}", right),
                (f"from_scratch.below_radd{suffix}", gaps),
            ):
                one = Estimate(*rows[0][["value", "low", "high", "n"]])
                found[name] = (
                    one
                    if self.n_seeds == 1
                    else mean_interval([row.value for row in rows], rng=self.seed)
                )
        return found

    def best(self, kind):
        """The student of a kind that acts most often as the teacher does."""
        rows = self.table[self.table.kind == kind]
        return self.students[kind][int(rows.seed.iloc[rows.same_choice.argmax()])]

    @functools.cached_property
    def dimensions(self):
        """RADD against the number of units.

        `units, r2_heldout, r2_low, r2_high, correct, same_choice`, and its horizon errors.
        """
        import pandas as pd

        rows = []
        sessions = self.master.sessions
        for d in (d for d in DIMENSIONS if d <= len(self.coordinates.rows)):
            found = self._radd(d, 0, 1)
            choice = rollout(found.network, sessions, hidden=False).choice
            r2 = found.r2_heldout
            rows.append(
                {
                    "units": d,
                    "r2": r2.value,
                    "r2_low": r2.low,
                    "r2_high": r2.high,
                    "correct": (choice == sessions.side).mean(),
                    "same_choice": (choice == self.master.choice).mean(),
                    "horizon": found.horizon,
                }
            )
        return pd.DataFrame(rows)

    @functools.cached_property
    def divergences(self):
        """Movement of states against lag, for teacher, projection and every kind (its first seed).

        {name: DataFrame}.
        """
        session = self.run.session
        found = {
            "teacher": divergence(self.run.hidden, session),
            "projection": divergence(self.radds[0].project(self.run.hidden), session),
        }
        for kind, made in self.students.items():
            acted = rollout(made[0].network, self.run.sessions)
            found[kind] = divergence(acted.hidden, acted.session)
        return found

    @functools.cached_property
    def difference_orders(self):
        """What the published code calls divergence, of the projection (defect 4)."""
        return defects.difference_order(self.radds[0].project(self.run.hidden), self.run.session)

    @functools.cached_property
    def seen(self):
        """What the semi-Markov observer of the teacher's trials believed."""
        return observe(self.run)

    @functools.cached_property
    def filter(self):
        """The Bayesian observer in the form of a two-unit network: a `Map`."""
        return bayes.bayesian_filter(self.run, self.seen, rng=self.seed)

    @functools.cached_property
    def evidence_ratio(self):
        """Slope of side over slope of block on an observation: {'radd', 'observer': Estimate}."""
        return bayes.evidence_ratio(self.run, self.radds[0], self.seen, rng=self.seed)

    @functools.cached_property
    def messages(self):
        """Off-diagonals of A as messages between beliefs."""
        return bayes.messages(self.run, self.radds[0], self.filter, self.seen, rng=self.seed)

    @functools.cached_property
    def belief_r2(self):
        """R² of z on E[s] and E[b]."""
        return bayes.resembles(self.run, self.radds[0], self.seen, rng=self.seed)

    @functools.cached_property
    def small(self):
        """Two-unit networks that are shown.

        RADD, the best student of each kind that imitates, and the filter: {name: Network}.
        """
        return {
            "radd": self.radds[0].network,
            **{kind: self.best(kind).network for kind in KINDS},
            "bayesian_filter": self.filter.network,
        }

    @functools.cached_property
    def visited(self):
        """States of the small networks under the teacher's inputs in some sessions.

        {name: (T, 2)}.
        """
        sequences = Sequences.of(
            self.run, np.arange(min(N_SESSIONS_SHOWN, self.run.sessions.n_sessions))
        )
        return {
            name: sequences.flat(respond(net, sequences)[1]) for name, net in self.small.items()
        }

    @functools.cached_property
    def fixed_points(self):
        """Fixed points of the small networks without input: {name: FixedPoints}."""
        starts = generator(self.seed).uniform(-1, 1, (N_STARTS, 2))
        return {
            name: dynamics.fixed_points(net, x=[0, 0, 0], starts=starts)
            for name, net in self.small.items()
        }

    @functools.cached_property
    def verdicts(self):
        """How each small network holds its belief for one of the teacher's blocks.

        {name: Verdict}.
        """
        n_steps = manifold.steps_per_block(self.run)
        return {
            name: manifold.verdict(self.small[name], found, n_steps=n_steps)
            for name, found in self.fixed_points.items()
        }

    def measures(self):
        """Headline numbers by name, '<kind>.<measure>': {name: Estimate}."""
        found = {
            f"{row.kind}.{row.measure}": Estimate(row.value, row.low, row.high, int(row.n))
            for row in self.summary.itertuples()
            if row.measure in MEASURES
        }
        first = self.radds[0]
        found |= entries("radd", first) | {
            "radd.r2": first.r2,
            "radd.r2_heldout": first.r2_heldout,
            "radd.gain": alone(first.gain),
            "radd.published_gain": alone(first.published_gain),
            "radd.r2_on_side_belief": self.belief_r2[0],
            "radd.r2_on_block_belief": self.belief_r2[1],
            "radd.evidence_ratio": self.evidence_ratio["radd"],
            "observer.evidence_ratio": self.evidence_ratio["observer"],
        }
        found |= entries("bayesian_filter", self.filter) | {
            "bayesian_filter.r2_heldout": self.filter.r2_heldout
        }
        found |= self.accuracies
        found["radd.same_choice_at_published_gain"] = alone(self.at_published_gain["same_choice"])
        acted = rollout(self.filter.network, self.master.sessions, hidden=False)
        found["bayesian_filter.correct"] = alone(acted.trials.correct.mean())
        for row in self.messages.itertuples():
            found[f"{row.source}.message_{row.message.replace(' ', '_')}"] = Estimate(
                row.value, row.low, row.high, first.A.n
            )
        for name, verdict in self.verdicts.items():
            found |= {
                f"{name}.{key}": alone(verdict.numbers.get(key, np.nan))
                for key in ("n_stable", "n_saddles", "lambda_stable")
            }
        for name, fitted in (("radd", first), ("bayesian_filter", self.filter)):
            found |= {
                f"{name}.tau_{k + 1}": alone(tau) for k, tau in enumerate(fitted.time_constants)
            }
            found |= {
                f"{name}.lambda_{k + 1}": alone(np.exp(-1 / tau))
                for k, tau in enumerate(fitted.time_constants)
            }
        return found


def entries(name, fitted):
    """A11 … B23 and c1, c2 of a Map."""
    return {
        f"{name}.{letter}{''.join(str(k + 1) for k in index)}": Estimate(
            *(float(getattr(part, end)[index]) for end in ("value", "low", "high")), part.n
        )
        for letter, part in (("A", fitted.A), ("B", fitted.B), ("c", fitted.c))
        for index in np.ndindex(part.value.shape)
    }
