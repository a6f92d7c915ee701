"""Training by back-propagation through whole sessions."""

import array
import collections
import dataclasses
import functools
import json
import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hrnn import _core
from hrnn.base import files, streams
from hrnn.base.arguments import (
    as_path,
    flag,
    generator,
    one_of,
    real_number,
    refuse_size,
    whole_number,
)
from hrnn.base.parallel import n_threads_of
from hrnn.base.progress import bar
from hrnn.base.version import __version__
from hrnn.network import Network
from hrnn.task import Sessions, Task

LOSSES = ("nll_of_probability", "cross_entropy")
OPTIMIZERS = ("sgd", "adam")
# sessions in lockstep where a network does not fit the innermost cache; a constant of the algorithm
LANES = 8
LOCKSTEP_FROM = 57  # smallest n_hidden that runs in lockstep
CHECKPOINT_SECONDS = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train.

    Parameters
    ----------
    optimizer : {'sgd', 'adam'}
        In PyTorch's form; Adam with betas .9 and .999.
    learning_rate : float
    momentum : float
        Of SGD.
    n_sessions : int
        Sessions per step; the gradient is that of their mean loss.
    n_steps : int
    loss : {'nll_of_probability', 'cross_entropy'}
        -p(correct side), which the published code minimises, or -log p(correct side).
    name : str

    Examples
    --------
    >>> import hrnn
    >>> hrnn.Recipe(optimizer="adam", learning_rate=1e-3, n_steps=10).n_sessions
    1
    """

    optimizer: str = "sgd"
    learning_rate: float = 1e-3
    momentum: float = 0.0
    n_sessions: int = 1
    n_steps: int = 1000
    loss: str = "nll_of_probability"
    name: str = "custom"

    def __post_init__(self):
        put = functools.partial(object.__setattr__, self)
        for field, allowed in (("optimizer", OPTIMIZERS), ("loss", LOSSES)):
            one_of(getattr(self, field), field, allowed)
        put("learning_rate", real_number(self.learning_rate, "learning_rate", 0, math.inf, ""))
        put("momentum", real_number(self.momentum, "momentum", 0, 1, "["))
        put("n_sessions", whole_number(self.n_sessions, "n_sessions"))
        put("n_steps", whole_number(self.n_steps, "n_steps"))
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a str, got {type(self.name).__name__}")


RECIPES = {
    "paper": Recipe(
        optimizer="sgd",
        learning_rate=1e-3,
        momentum=0.1,
        n_sessions=1,
        n_steps=100_001,
        name="paper",
    ),
    "fast": Recipe(optimizer="adam", learning_rate=1e-3, n_sessions=4, n_steps=600, name="fast"),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Training:
    """What training gives.

    Attributes
    ----------
    network : Network
    loss : (n_steps,) float64
        Mean over the sessions of each step, before its update.
    recipe : Recipe
    task : Task
    rng_state : dict
        Of the stream of sessions, from which training goes on.
    """

    network: Network
    loss: np.ndarray
    recipe: Recipe
    task: Task
    rng_state: list

    def to_csv(self, path):
        """Write the loss curve as CSV: step, loss."""
        files.write_text(
            path,
            "step,loss\n"
            + "".join(f"{step},{loss}\n" for step, loss in enumerate(self.loss.tolist())),
        )


class Workspace:
    """Room for the sessions that one call of the gradient takes in lockstep.

    It grows, and is used again.
    """

    def __init__(self, network, task, loss):
        self.cell = network.form
        self.task = task
        self.loss_kind = LOSSES.index(loss)
        self.n_lanes = self.n_trials = 0

    def reserve(self, n_lanes, n_trials):
        """Make room for n_trials in n_lanes sessions."""
        if n_trials <= self.n_trials and n_lanes <= self.n_lanes:
            return
        n = n_trials + n_trials // 2
        self.n_lanes = n_lanes
        n_scratch = _core.rollout_scratch(self.task._tuple, self.cell, n_lanes, n)[1]
        refuse_size("n_hidden", self.cell.n_hidden, 8 * n_scratch)
        self.n_trials = n
        self.scratch = np.empty(n_scratch)
        self.block_side, self.side, self.choice = np.zeros((3, n), np.int8)
        self.session, self.n_obs = np.zeros((2, n), np.int64)
        self.strength, self.observations = np.empty(n), np.empty((n, self.task.n_obs_max, 2))

    def sample(self, streams):
        """Draw the next session of each stream; returns (sessions in the core's form, offsets)."""
        task = self.task._tuple
        lengths = []
        offsets = [0]
        for stream in streams:
            lengths.append(np.empty(self.task.n_blocks, np.int64))
            n = _core.task_sample_lengths(task, stream.bit_generator, lengths[-1])
            offsets.append(offsets[-1] + self.task.n_unbiased + n)
        self.reserve(len(streams), offsets[-1])
        for stream, length, first in zip(streams, lengths, offsets, strict=False):
            _core.task_sample_session(
                task,
                stream.bit_generator,
                length,
                first,
                self.block_side,
                self.side,
                self.strength,
                self.observations,
            )
        return (self.session, self.block_side, self.side, self.observations), np.array(offsets)

    def compute(self, theta, sessions, offsets, scale, gradient):
        """Losses (n_lanes,); the sum of the gradients times scale goes to gradient (P,)."""
        loss = np.empty(len(offsets) - 1)
        n = len(sessions[0])
        gradient.fill(0)
        _core.rollout_gradient(
            theta,
            self.cell,
            self.task._tuple,
            sessions,
            offsets,
            self.loss_kind,
            scale,
            loss,
            self.choice[:n],
            self.n_obs[:n],
            gradient,
            self.scratch,
        )
        return loss


class Gradient:
    """Loss and gradient on blocks of sessions in parallel threads.

    With the same bits for any number of them.
    """

    def __init__(self, network, task, loss, n_threads):
        self.make_workspace = functools.partial(Workspace, network, task, loss)
        self.lanes = LANES if network.n_hidden >= LOCKSTEP_FROM else 1
        self.n_threads = n_threads
        self.pool = ThreadPoolExecutor(n_threads) if n_threads > 1 else None
        self.workspaces = []
        self.gradients = []  # one per thread, and one per block of sessions

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pool:
            self.pool.shutdown()

    def of(self, theta, sessions):
        """(loss (S,), gradient (P,)) of given sessions."""

        def block(workspace, part, gradient):
            offsets = sessions.offsets[part.start : part.stop + 1]
            workspace.reserve(len(offsets) - 1, int(offsets[-1] - offsets[0]))
            arrays = tuple(array[offsets[0] : offsets[-1]] for array in sessions._tuple)
            return workspace.compute(
                theta, arrays, offsets - offsets[0], 1 / sessions.n_sessions, gradient
            )

        return self.total(block, len(theta), sessions.n_sessions)

    def of_next(self, theta, streams):
        """(loss (S,), gradient (P,)) of the next session of each stream, drawn in the threads.

        Too.
        """

        def block(workspace, part, gradient):
            return workspace.compute(
                theta, *workspace.sample(streams[part]), 1 / len(streams), gradient
            )

        return self.total(block, len(theta), len(streams))

    def total(self, block, n_parameters, n_sessions):
        """All losses and the sum of all gradients.

        Blocks of sessions being computed apart and added up in one order.
        """
        parts = [
            slice(first, min(first + self.lanes, n_sessions))
            for first in range(0, n_sessions, self.lanes)
        ]
        while len(self.gradients) < len(parts):
            self.gradients.append(np.empty(n_parameters))

        losses = [None] * len(parts)
        left = collections.deque(range(len(parts)))

        def work(_=None):
            workspace = self.workspaces.pop() if self.workspaces else self.make_workspace()
            while True:
                try:
                    i = left.popleft()  # who is free takes the next
                except IndexError:
                    break
                losses[i] = block(workspace, parts[i], self.gradients[i])
            self.workspaces.append(workspace)

        n_workers = min(self.n_threads, len(parts))
        if n_workers == 1:
            work()
        else:
            list(self.pool.map(work, range(n_workers)))
        for more in self.gradients[1 : len(parts)]:
            self.gradients[0] += more
        return np.concatenate(losses) if len(losses) > 1 else losses[0], self.gradients[0]


def loss_and_gradient(net, sessions, *, loss="nll_of_probability", n_threads=1):
    """Loss of each session, and the gradient of their mean with respect to theta.

    Parameters
    ----------
    net : Network
    sessions : Sessions
    loss : {'nll_of_probability', 'cross_entropy'}
    n_threads : int or None

    Returns
    -------
    loss : (S,) float64
        Mean over all steps of the session, to which blank steps add 0.
    gradient : (P,) float64
        By back-propagation through the whole session; feedback inputs are constants of it.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=4, rng=0)
    >>> loss, gradient = hrnn.training.loss_and_gradient(net, hrnn.Task().sample(n_sessions=3, rng=0))
    >>> loss.shape
    (3,)
    """
    if not isinstance(net, Network):
        raise TypeError(f"net must be a Network, got {type(net).__name__}")
    if not isinstance(sessions, Sessions):
        raise TypeError(f"sessions must be Sessions, got {type(sessions).__name__}")
    Recipe(loss=loss)
    with Gradient(net, sessions.task, loss, n_threads_of(n_threads)) as compute:
        return compute.of(net.theta, sessions)


def train(
    net=None,
    task=None,
    recipe="paper",
    *,
    n_steps=None,
    rng=0,
    callback=None,
    checkpoint=None,
    resume=None,
    n_threads=1,
    progress=True,
):
    """Train a network by back-propagation through whole sessions.

    Parameters
    ----------
    net : Network
        Left as it is.
    task : Task
    recipe : {'paper', 'fast'} or Recipe
    n_steps : int, optional
        Instead of the recipe's; the total, also with `resume`.
    rng : int, SeedSequence or Generator
    callback : callable(step, loss, network), optional
        Called after each step; `network` is made only for it.
    checkpoint : path, optional
        One file, written at the start, then at least once a second, at the end and on Ctrl-C.
    resume : path, optional
        Of a checkpoint: goes on where it stopped, with the same bits as if it never had, and goes
        on writing to it. Takes no net, task, recipe, rng or checkpoint.
    n_threads : int or None
        Sessions of one step in parallel; the result does not depend on it.
    progress : bool

    Returns
    -------
    Training

    Raises
    ------
    NumericalError
        With attribute `step` when loss, gradient or parameters are no longer finite; a checkpoint
        keeps the last good state.
    KeyboardInterrupt
        After the checkpoint has been written.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=8, rng=0)
    >>> hrnn.train(net, hrnn.Task(), recipe="fast", n_steps=3, progress=False).loss.shape
    (3,)
    """
    flag(progress, "progress")
    if resume is not None:
        if (net, task, checkpoint) != (None, None, None) or recipe != "paper" or rng != 0:
            raise TypeError(
                "resume takes net, task, recipe, rng and checkpoint from the file: leave them out"
            )
        trainer = Trainer.load(as_path(resume, "resume"), n_steps)
    else:
        checkpoint = None if checkpoint is None else as_path(checkpoint, "checkpoint")
        trainer = Trainer.new(net, task, recipe, n_steps, rng, checkpoint)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}")
    return trainer.run(callback, n_threads_of(n_threads), progress)


class Trainer:
    """The state of one training: parameters, optimiser, streams of sessions, loss curve."""

    def __init__(self, network, task, recipe, checkpoint, theta, memory, streams, loss):
        self.network = network
        self.task = task
        self.recipe = recipe
        self.checkpoint = checkpoint
        self.theta = theta
        self.memory = memory
        self.streams = streams
        self.loss = array.array("d", loss)

    @classmethod
    def new(cls, net, task, recipe, n_steps, rng, checkpoint):
        if not isinstance(net, Network):
            raise TypeError(f"net must be a Network, got {type(net).__name__}")
        if not isinstance(task, Task):
            raise TypeError(f"task must be a Task, got {type(task).__name__}")
        if isinstance(recipe, str):
            if recipe not in RECIPES:
                raise ValueError(
                    f"recipe must be one of {tuple(RECIPES)} or a Recipe, got {recipe!r}"
                )
            recipe = RECIPES[recipe]
        if not isinstance(recipe, Recipe):
            raise TypeError(f"recipe must be a str or a Recipe, got {type(recipe).__name__}")
        if n_steps is not None:
            recipe = dataclasses.replace(recipe, n_steps=whole_number(n_steps, "n_steps"))
        seed = int(rng) if isinstance(rng, (int, np.integer)) else str(rng)
        record = {
            **net.metadata,
            "hrnn": __version__,
            "recipe": dataclasses.asdict(recipe),
            "rng": seed,
            "task": task.to_dict(),
        }
        network = net.with_theta(net.theta, metadata=record)
        n_memory = 1 if recipe.optimizer == "sgd" else 2
        streams = [generator(child) for child in generator(rng).spawn(recipe.n_sessions)]
        return cls(
            network,
            task,
            recipe,
            checkpoint,
            net.theta.copy(),
            np.zeros((n_memory, len(net.theta))),
            streams,
            [],
        )

    @classmethod
    def load(cls, path, n_steps):
        archive = files.load_archive(path, kind="checkpoint", fallback=True)
        network = Network._from_archive(path, archive)
        config = archive.config
        try:
            task = Task(**config["task"])
            recipe = Recipe(**config["recipe"])
            resumed = [streams.from_json(state) for state in config["streams"]]
            memory = archive.arrays["memory"]
            loss = archive.arrays["loss"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path} does not hold a checkpoint: {error}") from error
        if (
            memory.shape != (1 if recipe.optimizer == "sgd" else 2, len(network.theta))
            or len(resumed) != recipe.n_sessions
        ):
            raise ValueError(f"{path} does not hold a checkpoint: sizes disagree")
        if n_steps is not None:
            recipe = dataclasses.replace(recipe, n_steps=whole_number(n_steps, "n_steps"))
        if recipe.n_steps < len(loss):
            raise ValueError(
                f"n_steps must be >= the {len(loss)} steps already done, got {recipe.n_steps}"
            )
        return cls(network, task, recipe, path, network.theta.copy(), memory, resumed, loss)

    def caught_up(self):
        """This training, or what its checkpoint holds if that is the same training, interrupted."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return self
        try:
            found = Trainer.load(self.checkpoint, None)
        except ValueError:
            return self
        return (
            found
            if found.network.metadata == json.loads(json.dumps(self.network.metadata))
            else self
        )

    def save(self):
        """Write the checkpoint, if there is one."""
        if self.checkpoint is None:
            return
        config = {
            "network": self.network._config(),
            "task": self.task.to_dict(),
            "recipe": dataclasses.asdict(self.recipe),
            "streams": [streams.state_to_json(s.bit_generator) for s in self.streams],
        }
        arrays = {"theta": self.theta, "memory": self.memory, "loss": np.array(self.loss)}
        files.save_archive(
            self.checkpoint, kind="checkpoint", config=config, arrays=arrays, keep_previous=True
        )

    def step(self, compute):
        """One update; returns the mean loss before it."""
        losses, gradient = compute.of_next(self.theta, self.streams)
        rate = self.recipe.learning_rate
        if self.recipe.optimizer == "sgd":
            _core.optim_sgd(rate, self.recipe.momentum, gradient, self.memory[0], self.theta)
        else:
            _core.optim_adam(
                rate,
                float(len(self.loss) + 1),
                gradient,
                self.memory[0],
                self.memory[1],
                self.theta,
            )
        return math.fsum(losses) / len(losses)

    def run(self, callback, n_threads, progress, stop=None):
        """Train to the end; `stop`, a threading.Event.

        Ends it from another thread as Ctrl-C would.
        """
        self.save()
        saved = time.monotonic()
        before = None
        try:
            with (
                Gradient(self.network, self.task, self.recipe.loss, n_threads) as compute,
                bar(
                    progress,
                    self.recipe.n_steps,
                    initial=len(self.loss),
                    unit="step",
                    mininterval=0.5,
                ) as shown,
            ):
                while len(self.loss) < self.recipe.n_steps:
                    if stop is not None and stop.is_set():
                        raise KeyboardInterrupt
                    before = (
                        self.theta.copy(),
                        self.memory.copy(),
                        len(self.loss),
                        [s.bit_generator.state for s in self.streams],
                    )
                    loss = self.step(compute)
                    self.loss.append(loss)
                    before = None
                    shown.update()
                    if callback is not None:
                        callback(len(self.loss) - 1, loss, self.trained())
                    if (
                        self.checkpoint is not None
                        and time.monotonic() - saved > CHECKPOINT_SECONDS
                    ):
                        self.save()
                        saved = time.monotonic()
        except _core.NumericalError as error:
            error.step = len(self.loss)
            error.args = (f"{error} at step {error.step}",)
            raise
        finally:
            if (
                before is not None
            ):  # an interrupted step is undone, and its sessions will be drawn again
                self.theta, self.memory, n_done, states = before
                del self.loss[n_done:]
                for stream, state in zip(self.streams, states, strict=True):
                    stream.bit_generator.state = state
            self.save()
        return Training(
            self.trained(),
            np.array(self.loss),
            self.recipe,
            self.task,
            [streams.state_to_json(s.bit_generator) for s in self.streams],
        )

    def trained(self):
        """The network as it is now."""
        return self.network.with_theta(self.theta)
