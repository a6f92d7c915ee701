"""Other ways to make a network of two units of a trained one.

Five baselines beside RADD, with one budget.

Each sees the training sessions of a `Radd` and its coordinates z, and starts from recurrent weights
near a multiple of the identity (Le, Jaitly & Hinton 2015), without which most seeds of soft targets
and sampled choices never learn to remember the block. The first three back-propagate through whole
sessions of the teacher's own inputs, N_UPDATES times on a quarter of the sessions, by Adam with a
rate that falls to 0 by a cosine and a gradient of norm at most 1:

* soft_targets: cross entropy to the teacher's P(right), both softened by a temperature τ, times τ² (Bucilă, Caruana &
  Niculescu-Mizil 2006; Ba & Caruana 2014; Hinton, Vinyals & Dean 2015);
* hidden_states: squared distance of the units to z at every step, the units being driven by themselves alone, plus cross entropy
  to P(right) (the hidden and the prediction loss of TinyBERT, Jiao et al. 2020; z has two
  dimensions, so its map is the identity);
* sampled_choices: -log p of one sequence of choices for each session, drawn from the teacher's P(right) (sequence-level
  distillation, Kim & Rush 2016).

The others:

* from_scratch: trained on the task itself in closed loop with the teacher's loss, as many sessions in as many updates;
* full_force: recursive least squares of the units' currents on the teacher's, in the directions of z, and of the log odds, while
  the student runs freely (full-FORCE, DePasquale et al. 2018; Sussillo & Abbott 2009), once through
  the training sessions.
"""

import dataclasses
import time

import numpy as np

from hrnn import _core
from hrnn.analysis.integration import log_odds
from hrnn.analysis.representation import before, run_of
from hrnn.base import parallel
from hrnn.base.arguments import generator, one_of, real_number, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.distill.reduction import MARGIN, Radd
from hrnn.network import Network
from hrnn.sequence import LANES, Sequences, scratch_of
from hrnn.training import Recipe, Trainer

KINDS = ("from_scratch", "soft_targets", "hidden_states", "sampled_choices", "full_force")
N_UPDATES = 600
N_BATCHES = 4
LEARNING_RATE = 0.1
LARGEST_GRADIENT = 1.0
LEARNING_RATE_CLOSED_LOOP = 0.003
FIRST_MEMORY = 0.7
FIRST_SPREAD = 0.5
TEMPERATURE = 2.0
FIRST_INVERSE = 1.0  # of the running inverse correlation matrices


@dataclasses.dataclass(frozen=True, eq=False)
class Student:
    """A small network that learned from a larger one.

    Attributes
    ----------
    kind : str
        Of KINDS.
    network : Network
        tanh, as many units as the coordinates have dimensions; `metadata` says how it was made.
    loss : (n_updates,) float64
        Before each update; empty for 'full_force', which has none.
    seconds : float
        Wall time.
    """

    kind: str
    network: Network
    loss: np.ndarray
    seconds: float


@dataclasses.dataclass(frozen=True, eq=False)
class _Lesson:
    """One batch of sessions as the core wants it.

    Inputs, probabilities q and their weights, states y and theirs.
    """

    sequences: Sequences
    q: np.ndarray
    weight: np.ndarray
    temperature: float
    y: object = None
    state_weight: object = None

    def gradient(self, student, theta, gradient, scratch):
        """The loss; its gradient goes to gradient (P,)."""
        gradient.fill(0)
        return _core.sequence_gradient(
            theta,
            student.form,
            self.sequences.x,
            self.q,
            self.weight,
            self.temperature,
            self.y,
            self.state_weight,
            gradient,
            scratch,
        )


def student(
    kind, run, net, radd, *, n_updates=N_UPDATES, temperature=TEMPERATURE, rng=0, stop=None
):
    """Make one small network of a trained one.

    Parameters
    ----------
    kind : {'from_scratch', 'soft_targets', 'hidden_states', 'sampled_choices', 'full_force'}
    run : Rollout
        Of the teacher, with its states.
    net : Network
        The teacher.
    radd : Radd
        Of this run: coordinates and training sessions are taken from it.
    n_updates : int
        Of the gradient; 'full_force' has none.
    temperature : float
        Of 'soft_targets'.
    rng : int, SeedSequence or Generator
        First weights, batches and drawn choices.
    stop : threading.Event, optional
        Ends it from another thread, as Ctrl-C would.

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
    >>> student("soft_targets", run, net, hrnn.distill.radd(run, net), n_updates=5).network.n_hidden
    2
    """
    one_of(kind, "kind", KINDS)
    run_of(run, net)
    if (
        not isinstance(radd, Radd)
        or radd.rows.shape[1] != net.n_hidden
        or radd.train_sessions.max() >= run.sessions.n_sessions
    ):
        raise ValueError("radd must be hrnn.distill.radd of this run")
    n_updates = whole_number(n_updates, "n_updates")
    temperature = real_number(temperature, "temperature", 0, np.inf, "")
    began = time.perf_counter()
    random = generator(rng)
    first = first_network(len(radd.rows), random)
    if kind == "from_scratch":
        theta, loss = _closed_loop(first, run, len(radd.train_sessions), n_updates, random, stop)
    elif kind == "full_force":
        theta, loss = _force(first, run, net, radd, random)
    else:
        theta, loss = _descend(
            first, _lessons(kind, run, radd, temperature, random), n_updates, stop
        )
    network = first.with_theta(theta, metadata={"distilled": kind, "n_updates": n_updates})
    return Student(kind, network, np.asarray(loss), time.perf_counter() - began)


def first_network(n_hidden, rng):
    """Where students start.

    PyTorch's initial weights, the recurrent ones halved beside 0.7 times the identity, no biases.
    """
    net = Network.init("tanh", n_hidden=n_hidden, rng=rng)
    W = FIRST_MEMORY * np.eye(n_hidden) + FIRST_SPREAD * net.W
    return Network.from_arrays("tanh", W=W, U=net.U, b=np.zeros(n_hidden), V=net.V, c=np.zeros(2))


def students(
    run, net, radds, *, kinds=KINDS, n_updates=N_UPDATES, n_threads=None, progress=True, rng=0
):
    """Students of several kinds, one of each for every RADD, in parallel threads.

    Parameters
    ----------
    run : Rollout
    net : Network
    radds : list of Radd
        One for each seed; they may differ in their training sessions.
    kinds : sequence of str
    n_updates : int
    n_threads : int or None
        The result does not depend on it.
    progress : bool
    rng : int, SeedSequence or Generator

    Returns
    -------
    dict of str to list of Student

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> made = students(run, net, [hrnn.distill.radd(run, net)], kinds=["full_force"], progress=False)
    >>> len(made["full_force"])
    1
    """
    for kind in kinds:
        one_of(kind, "kinds", KINDS)
    streams = iter(generator(rng).spawn(len(radds) * len(kinds)))

    def job(kind, radd, stream):
        return lambda stop: student(
            kind, run, net, radd, n_updates=n_updates, rng=stream, stop=stop
        )

    work = {
        (kind, i): job(kind, radd, next(streams)) for kind in kinds for i, radd in enumerate(radds)
    }
    done = parallel.run(work, n_threads_of(n_threads), progress)
    return {kind: [done[kind, i] for i in range(len(radds))] for kind in kinds}


# ---- open loop, by gradient ----


def _lessons(kind, run, radd, temperature, random):
    """Batches of training sessions with what `kind` asks for."""
    margin = log_odds(run.p_right)
    observed = run.observed
    tau = temperature if kind == "soft_targets" else 1.0
    q = 1 / (1 + np.exp(-margin / tau))
    if kind == "sampled_choices":
        q = (random.random(len(q)) < q).astype(float)
    z = radd.project(run.hidden) if kind == "hidden_states" else None
    found = []
    for part in np.array_split(
        random.permutation(radd.train_sessions), min(N_BATCHES, len(radd.train_sessions))
    ):
        sequences = Sequences.of(run, np.sort(part))
        weight = sequences.lay(observed)
        everywhere = (sequences.step >= 0).astype(float)
        states = (None, None) if z is None else (sequences.lay(z), everywhere / everywhere.sum())
        found.append(_Lesson(sequences, sequences.lay(q), weight / weight.sum(), tau, *states))
    return found


def _descend(first, lessons, n_updates, stop):
    """theta after Adam on the lessons in turn, and the loss before each update."""
    theta = first.theta.copy()
    gradient = np.empty_like(first.theta)
    (mean, square) = np.zeros((2, len(first.theta)))
    scratch = [scratch_of(first, lesson.sequences) for lesson in lessons]
    loss = np.empty(n_updates)
    for update in range(n_updates):
        if stop is not None and stop.is_set():
            raise KeyboardInterrupt
        turn = update % len(lessons)
        loss[update] = lessons[turn].gradient(first, theta, gradient, scratch[turn])
        gradient *= min(1.0, LARGEST_GRADIENT / max(np.linalg.norm(gradient), 1e-300))
        rate = LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * update / n_updates))
        _core.optim_adam(rate, float(update + 1), gradient, mean, square, theta)
    return theta, loss


# ---- the others ----


def _closed_loop(first, run, n_train, n_updates, random, stop):
    """theta after training on the task itself, a batch's number of sessions in each update."""
    recipe = Recipe(
        optimizer="adam",
        learning_rate=LEARNING_RATE_CLOSED_LOOP,
        n_sessions=-(-n_train // N_BATCHES),
        n_steps=n_updates,
    )
    trained = Trainer.new(first, run.sessions.task, recipe, None, random, None).run(
        None, 1, False, stop
    )
    return trained.network.theta, trained.loss


def _force(first, run, net, radd, random):
    """theta after recursive least squares on the teacher's currents W h + U x + b in the coordinates of z, scaled as z is."""
    session = run.session
    recurrent = before(run, run.hidden @ (radd.rows @ net.recurrent_weights).T)
    train = np.isin(session, radd.train_sessions)
    current = (
        recurrent + run.inputs @ (radd.rows @ net.input_weights).T
    )  # projected before they are shifted: the states are large
    current -= current[train].mean(0)
    current *= np.arctanh(1 / MARGIN) / np.abs(current[train]).max()
    margin = log_odds(run.p_right)
    theta = first.theta.copy()
    k = first.n_hidden + 4
    inverse = np.stack([FIRST_INVERSE * np.eye(k)] * 2)
    h = np.zeros(first.n_hidden)
    scratch = np.empty(_core.sequence_scratch(first.form, 1, LANES)[1])
    for part in random.permutation(radd.train_sessions):
        rows = session == part
        starts = np.zeros(rows.sum(), np.int8)
        starts[0] = 1
        _core.sequence_force(
            theta,
            first.form,
            np.ascontiguousarray(run.inputs[rows]),
            starts,
            current[rows],
            margin[rows],
            inverse,
            h,
            scratch,
        )
    return theta, []
