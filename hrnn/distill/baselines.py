"""Other ways to make a network of two units of a trained one.

Five baselines beside RADD, with one budget. Each sees the training sessions of a `Radd` and its
coordinates z, and starts from recurrent weights near a multiple of the identity (Le, Jaitly &
Hinton 2015), without which most seeds of soft targets and sampled choices never learn to remember
the block. The first three back-propagate through whole sessions of the teacher's own inputs,
N_UPDATES times on a quarter of the sessions, by Adam with a rate that falls to 0 by a cosine and a
gradient of norm at most 1:

* soft_targets: cross entropy to the teacher's P(right), both softened by a temperature τ, times τ²
  (Bucilă, Caruana & Niculescu-Mizil 2006; Ba & Caruana 2014; Hinton, Vinyals & Dean 2015);
* hidden_states: squared distance of the units to z at every step, the units being driven by
  themselves alone, plus cross entropy to P(right) (the hidden and the prediction loss of TinyBERT,
  Jiao et al. 2020; z has two dimensions, so its map is the identity);
* sampled_choices: -log p of one sequence of choices for each session, drawn from the teacher's
  P(right) (sequence-level distillation, Kim & Rush 2016).

The others:

* from_scratch: trained on the task itself in closed loop with the teacher's loss, as many sessions
  in as many updates;
* full_force: recursive least squares of the units' currents on the teacher's, in the directions of
  z, and of the log odds, while the student runs freely (full-FORCE, DePasquale et al. 2018;
  Sussillo & Abbott 2009), once through the training sessions.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from hrnn import sequence
from hrnn.analysis.integration import log_odds
from hrnn.analysis.representation import before, run_of
from hrnn.base import parallel
from hrnn.base.arguments import instance, one_of, real_number, whole_number
from hrnn.base.parallel import look, n_threads_of
from hrnn.base.streams import recorded
from hrnn.distill.reduction import MARGIN, Radd, states_in
from hrnn.network import Network
from hrnn.rollout import Rollout
from hrnn.sequence import Force, Sequences, Target, scratch_of
from hrnn.training import Adam, Recipe, Trainer

if TYPE_CHECKING:
    from hrnn.base.typing import RNGLike, Seed

Kind = Literal["from_scratch", "soft_targets", "hidden_states", "sampled_choices", "full_force"]

KINDS: tuple[Kind, ...] = (
    "from_scratch",
    "soft_targets",
    "hidden_states",
    "sampled_choices",
    "full_force",
)
N_UPDATES: int = 600
N_BATCHES: int = 4
LEARNING_RATE: float = 0.1
LARGEST_GRADIENT: float = 1.0
LEARNING_RATE_CLOSED_LOOP: float = 0.003
FIRST_MEMORY: float = 0.7
FIRST_SPREAD: float = 0.5
TEMPERATURE: float = 2.0
FIRST_INVERSE: float = 1.0  # of the running inverse correlation matrices


@dataclasses.dataclass(frozen=True, eq=False)
class Student:
    """A small network that learned from a larger one.

    Attributes
    ----------
    kind : str
        One of KINDS; in a `Distillation` also 'radd' and 'random'.
    network : Network
        A tanh network of as many units as the coordinates have dimensions; its `metadata` says how
        it was made.
    loss : (n_updates,) float64
        Loss before each update; empty for 'full_force', which has none.
    seconds : float
        Wall time that it took to make, in seconds.
    seed : int, SeedSequence or None
        What it was drawn of, usable as `rng` of `student`; None if it is not known.
    """

    kind: str
    network: Network
    loss: NDArray[np.float64]
    seconds: float
    seed: Seed = None


@dataclasses.dataclass(frozen=True, eq=False)
class _Batch:
    """One batch of sessions, with what the student is to learn there."""

    sequences: Sequences
    target: Target

    def gradient(
        self,
        student: Network,
        theta: NDArray[np.float64],
        into: NDArray[np.float64],
        room: NDArray[np.float64],
    ) -> float:
        """Return the loss, and write its gradient into a vector (P,).

        Parameters
        ----------
        student : Network
            Gives the cell.
        theta : (P,) float64
            Parameters at which loss and gradient are wanted.
        into : (P,) float64
            Overwritten.
        room : (n,) float64
            Of `scratch_of`.
        """
        into.fill(0)
        return sequence.gradient(student.form, theta, self.sequences.x, self.target, into, room)


def student(
    kind: Kind,
    run: Rollout,
    net: Network,
    radd: Radd,
    *,
    n_updates: int = N_UPDATES,
    temperature: float = TEMPERATURE,
    rng: RNGLike | None = None,
) -> Student:
    """Make one small network of a trained one.

    Parameters
    ----------
    kind : {'from_scratch', 'soft_targets', 'hidden_states', 'sampled_choices', 'full_force'}
        How it learns.
    run : Rollout
        A rollout of the teacher, with its states.
    net : Network
        The teacher.
    radd : Radd
        RADD of this run: coordinates and training sessions are taken from it.
    n_updates : int
        Number of updates by gradient; 'full_force' has none.
    temperature : float
        Softens probabilities of 'soft_targets'.
    rng : int, SeedSequence, Generator or None
        For first weights, batches and drawn choices; None means fresh numbers at every call.
        `Student.seed` says which it was.

    Returns
    -------
    Student

    Raises
    ------
    NumericalError
        If the loss or the weights are no longer finite.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> radd = hrnn.distill.radd(run, net)
    >>> student("soft_targets", run, net, radd, n_updates=5, rng=0).network.n_hidden
    2
    """
    one_of(kind, "kind", KINDS)
    run_of(run, net)
    _check_radd(radd, run, net)
    n_updates = whole_number(n_updates, "n_updates")
    temperature = real_number(temperature, "temperature", 0, np.inf, "")
    began = time.perf_counter()
    random, seed = recorded(rng)
    first = first_network(len(radd.rows), random)
    if kind == "from_scratch":
        n_train = len(radd.train_sessions)
        theta, loss = _closed_loop(first, run, n_train, n_updates, random)
    elif kind == "full_force":
        theta = _force(first, run, net, radd, random)
        loss = np.empty(0)
    else:
        targets = _targets(kind, run, radd, temperature, random)
        theta, loss = _descend(first, targets, n_updates)
    network = first.with_theta(theta, metadata={"distilled": kind, "n_updates": n_updates})
    return Student(kind, network, np.asarray(loss), time.perf_counter() - began, seed)


def _check_radd(radd: Radd, run: Rollout, net: Network) -> None:
    """Refuse what cannot be a `Radd` of this run."""
    if (
        not isinstance(radd, Radd)
        or radd.rows.shape[1] != net.n_hidden
        or radd.train_sessions.max() >= run.sessions.n_sessions
    ):
        raise ValueError("radd must be hrnn.distill.radd of this run")


def first_network(n_hidden: int, rng: RNGLike) -> Network:
    """Draw the network from which students start.

    PyTorch's initial weights, the recurrent ones halved beside 0.7 times the identity, no biases.

    Parameters
    ----------
    n_hidden : int
        Number of units.
    rng : int, SeedSequence or Generator
        For the weights.
    """
    net = Network.init("tanh", n_hidden=n_hidden, rng=rng)
    memory = FIRST_MEMORY * np.eye(n_hidden)
    arrays = {
        "W": memory + FIRST_SPREAD * net.W,
        "U": net.U,
        "b": np.zeros(n_hidden),
        "V": net.V,
        "c": np.zeros(2),
    }
    return Network.from_arrays("tanh", **arrays)


def students(
    run: Rollout,
    net: Network,
    radds: Sequence[Radd],
    *,
    kinds: Sequence[Kind] = KINDS,
    n_updates: int = N_UPDATES,
    n_threads: int | None = None,
    progress: bool = True,
    rng: RNGLike | None = None,
) -> dict[str, list[Student]]:
    """Students of several kinds, one of each for every RADD, in parallel threads.

    Parameters
    ----------
    run : Rollout
        A rollout of the teacher, with its states.
    net : Network
        The teacher.
    radds : list of Radd
        One for each seed; they may differ in their training sessions.
    kinds : sequence of str
        Which of KINDS to make.
    n_updates : int
        Number of updates by gradient.
    n_threads : int or None
        Number of threads, None meaning one for each core. The result does not depend on it.
    progress : bool
        Whether to show a progress bar.
    rng : int, SeedSequence, Generator or None
        For first weights, batches and drawn choices; None means fresh numbers at every call.
        `Student.seed` says which it was.

    Returns
    -------
    dict of str to list of Student
        By kind; one student for each of `radds`.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> radds = [hrnn.distill.radd(run, net)]
    >>> made = students(run, net, radds, kinds=["full_force"], rng=0, progress=False)
    >>> len(made["full_force"])
    1
    """
    instance(kinds, "kinds", Sequence)
    for kind in kinds:
        one_of(kind, "kinds", KINDS)
    run_of(run, net)
    for radd in instance(radds, "radds", Sequence):
        _check_radd(radd, run, net)
    sequence: Any = recorded(rng)[0].bit_generator.seed_seq
    streams = iter(sequence.spawn(len(radds) * len(kinds)))

    make = functools.partial(student, run=run, net=net, n_updates=n_updates)
    jobs = {}
    for kind in kinds:
        for i, radd in enumerate(radds):
            jobs[kind, i] = functools.partial(make, kind, radd=radd, rng=next(streams))
    done = parallel.run(jobs, n_threads_of(n_threads), progress)
    seeds = range(len(radds))
    return {kind: [done[kind, seed] for seed in seeds] for kind in kinds}


# ---- open loop, by gradient ----


def _targets(
    kind: Kind, run: Rollout, radd: Radd, temperature: float, random: np.random.Generator
) -> list[_Batch]:
    """Batches of training sessions with what `kind` asks for."""
    tau = temperature if kind == "soft_targets" else 1.0
    q = 1 / (1 + np.exp(-log_odds(run.p_right) / tau))
    if kind == "sampled_choices":
        q = (random.random(len(q)) < q).astype(float)
    z = radd.project(states_in(run)) if kind == "hidden_states" else None
    order = random.permutation(radd.train_sessions)
    n_batches = min(N_BATCHES, len(radd.train_sessions))
    found: list[_Batch] = []
    for part in np.array_split(order, n_batches):
        sequences = Sequences.of(run, np.sort(part))
        weight = sequences.lay(run.observed)
        weight = weight / weight.sum()
        target = sequences.lay(q)
        if z is None:
            found.append(_Batch(sequences, Target(target, weight, tau)))
            continue
        everywhere = (sequences.step >= 0).astype(float)
        state_weight = everywhere / everywhere.sum()
        asked = Target(target, weight, tau, sequences.lay(z), state_weight)
        found.append(_Batch(sequences, asked))
    return found


def _descend(
    first: Network, batches: Sequence[_Batch], n_updates: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Theta after Adam on the batches in turn, and the loss before each update."""
    theta = first.theta.copy()
    gradient = np.empty_like(first.theta)
    adam = Adam(LEARNING_RATE, np.zeros((2, len(theta))))
    scratch = [scratch_of(first, batch.sequences) for batch in batches]
    loss = np.empty(n_updates)
    for update in range(n_updates):
        look()
        turn = update % len(batches)
        loss[update] = batches[turn].gradient(first, theta, gradient, scratch[turn])
        norm = max(np.linalg.norm(gradient), 1e-300)
        gradient *= min(1.0, LARGEST_GRADIENT / norm)
        falling = 1 + np.cos(np.pi * update / n_updates)
        adam.learning_rate = LEARNING_RATE * 0.5 * falling
        adam.update(gradient, theta, update)
    return theta, loss


# ---- the others ----


def _closed_loop(
    first: Network,
    run: Rollout,
    n_train: int,
    n_updates: int,
    random: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Theta after training on the task itself, and the loss before each update.

    Each update takes as many sessions as a batch of the others.
    """
    recipe = Recipe(
        optimizer="adam",
        learning_rate=LEARNING_RATE_CLOSED_LOOP,
        n_sessions=-(-n_train // N_BATCHES),
        n_steps=n_updates,
    )
    trainer = Trainer.new(first, run.sessions.task, recipe, None, random, None)
    trained = trainer.run(None, 1, False)
    return trained.network.theta, trained.loss


def _force(
    first: Network, run: Rollout, net: Network, radd: Radd, random: np.random.Generator
) -> NDArray[np.float64]:
    """Theta after recursive least squares on the teacher's currents."""
    current = _currents(run, net, radd)
    margin = log_odds(run.p_right)
    force = Force(first.form, first.theta.copy(), FIRST_INVERSE)
    session = run.session
    for part in random.permutation(radd.train_sessions):
        look()
        rows = session == part
        force.learn(np.ascontiguousarray(run.inputs[rows]), current[rows], margin[rows])
    return force.theta


def _currents(run: Rollout, net: Network, radd: Radd) -> NDArray[np.float64]:
    """The teacher's currents W h + U x + b in the coordinates of z, scaled as z is, (T, D)."""
    train = np.isin(run.session, radd.train_sessions)
    limit = np.arctanh(1 / MARGIN)
    # projected before they are shifted: the states are large
    W = radd.rows @ net.recurrent_weights
    U = radd.rows @ net.input_weights
    recurrent = before(run, states_in(run) @ W.T)
    current = recurrent + run.inputs @ U.T
    current -= current[train].mean(0)
    largest = np.abs(current[train]).max()
    current *= limit / largest
    return cast("NDArray[np.float64]", current)
