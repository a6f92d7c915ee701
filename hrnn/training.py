"""Training by back-propagation through whole sessions."""

from __future__ import annotations

import array
import collections
import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hrnn import _core
from hrnn.base import files, streams
from hrnn.base.arguments import (
    as_path,
    flag,
    one_of,
    real_number,
    refuse_size,
    whole_number,
)
from hrnn.base.parallel import look, n_threads_of, workers
from hrnn.base.progress import bar
from hrnn.base.version import __version__
from hrnn.network import Network
from hrnn.rollout import Workspace
from hrnn.task import Sessions, SessionsForm, Task

if TYPE_CHECKING:
    import os

    from hrnn.base.typing import RNGLike, Seed

Loss = Literal["nll_of_probability", "cross_entropy"]

LOSSES: tuple[str, ...] = _core.LOSSES
OPTIMIZERS: tuple[str, ...] = ("sgd", "adam")
# sessions in lockstep where a network does not fit the innermost cache; a constant of the algorithm
LANES: int = _core.LANES_MAX
LOCKSTEP_FROM: int = 57  # fewest rows of W that run in lockstep
CHECKPOINT_SECONDS: float = 0.5
BYTES_PER_STEP: int = 16  # of the loss curve, and of its copy in a checkpoint
BYTES_PER_SESSION: int = 4096  # of its stream


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train.

    Parameters
    ----------
    optimizer : {'sgd', 'adam'}
        In PyTorch's form; Adam with betas .9 and .999.
    learning_rate : float
        Of either optimizer, > 0.
    momentum : float
        Of SGD, in [0, 1).
    n_sessions : int
        Sessions per step; the gradient is that of their mean loss.
    n_steps : int
        Updates.
    loss : {'nll_of_probability', 'cross_entropy'}
        -p(correct side), which the published code minimises, or -log p(correct side).
    name : str
        What records call it.

    Examples
    --------
    >>> import hrnn
    >>> hrnn.Recipe(optimizer="adam", learning_rate=1e-3, n_steps=10).n_sessions
    1
    """

    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = 1e-3
    momentum: float = 0.0
    n_sessions: int = 1
    n_steps: int = 1000
    loss: Loss = "nll_of_probability"
    name: str = "custom"

    def __post_init__(self) -> None:
        put = functools.partial(object.__setattr__, self)
        for field, allowed in (("optimizer", OPTIMIZERS), ("loss", LOSSES)):
            one_of(getattr(self, field), field, allowed)
        put("learning_rate", real_number(self.learning_rate, "learning_rate", 0, math.inf, ""))
        put("momentum", real_number(self.momentum, "momentum", 0, 1, "["))
        put("n_sessions", whole_number(self.n_sessions, "n_sessions"))
        put("n_steps", whole_number(self.n_steps, "n_steps"))
        refuse_size("n_sessions", self.n_sessions, self.n_sessions * BYTES_PER_SESSION)
        refuse_size("n_steps", self.n_steps, self.n_steps * BYTES_PER_STEP)
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a str, got {type(self.name).__name__}")


RECIPES: dict[str, Recipe] = {
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
        The trained network; the one that was given stays as it was.
    loss : (n_steps,) float64
        Mean over the sessions of each step, before its update.
    recipe : Recipe
        How it was trained.
    task : Task
        On what.
    rng_state : list of dict
        States of the streams of sessions, from which training goes on.
    """

    network: Network
    loss: NDArray[np.float64]
    recipe: Recipe
    task: Task
    rng_state: list[dict[str, Any]]

    @property
    def seed(self) -> Seed:
        """What the sessions were drawn of, usable as `rng` of `train`; None if not known."""
        return streams.seed_from_json(self.network.metadata.get("rng"))

    def __repr__(self) -> str:
        last = f", last loss {self.loss[-1]:.4f}" if len(self.loss) else ""
        about = f"{self.network!r}, {len(self.loss)} steps of {self.recipe.name!r}{last}"
        return f"Training({about}{streams.shown(self.seed)})"

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the loss curve as CSV (step, loss), over nothing but another loss curve."""
        rows = [f"{step},{loss}\n" for step, loss in enumerate(self.loss.tolist())]
        files.write_csv(path, "step,loss\n" + "".join(rows))


class Sgd:
    """Stochastic gradient descent in PyTorch's form, with momentum.

    Parameters
    ----------
    learning_rate : float
        Of every update, unless it is told otherwise.
    memory : (1, P)
        The velocity, which it changes.
    momentum : float
        What is kept of it.
    """

    n_memory = 1

    def __init__(self, learning_rate: float, memory: NDArray[np.float64], momentum: float) -> None:
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.memory = memory

    def update(self, gradient: NDArray[np.float64], theta: NDArray[np.float64], _: int) -> None:
        """Change theta (P,) by its gradient (P,)."""
        _core.optim_sgd(self.learning_rate, self.momentum, gradient, self.memory[0], theta)


class Adam:
    """Adam with betas .9 and .999 (Kingma & Ba 2015), in PyTorch's form.

    Parameters
    ----------
    learning_rate : float
        Of every update; it may be set anew between updates.
    memory : (2, P)
        Running means of gradient and squared gradient, which it changes.
    """

    n_memory = 2

    def __init__(self, learning_rate: float, memory: NDArray[np.float64]) -> None:
        self.learning_rate = learning_rate
        self.memory = memory

    def update(
        self, gradient: NDArray[np.float64], theta: NDArray[np.float64], n_done: int
    ) -> None:
        """Change theta (P,) by its gradient (P,), after n_done updates."""
        mean, square = self.memory
        _core.optim_adam(self.learning_rate, float(n_done + 1), gradient, mean, square, theta)


class Gradient:
    """Loss and gradient on blocks of sessions in parallel threads: the same bits for any number.

    Parameters
    ----------
    network : Network
        Whose cell it is.
    task : Task
        What sessions are drawn from.
    loss : str
        One of `LOSSES`.
    n_threads : int
        Most threads at work.
    """

    def __init__(self, network: Network, task: Task, loss: str, n_threads: int) -> None:
        self.make_workspace: Callable[[], Workspace] = functools.partial(
            Workspace, network, task, loss
        )
        self.lanes: int = LANES if len(network.W) >= LOCKSTEP_FROM else 1
        self.n_threads = n_threads
        self.ends: contextlib.ExitStack = contextlib.ExitStack()
        self.pool: Any = self.ends.enter_context(workers(n_threads)) if n_threads > 1 else None
        self.workspaces: list[Workspace] = []  # one per thread
        self.gradients: list[NDArray[np.float64]] = []  # one per block of sessions

    def __enter__(self) -> Gradient:
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.close()

    def of(
        self, theta: NDArray[np.float64], sessions: Sessions
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(loss (S,), gradient (P,)) of given sessions."""

        def block(
            workspace: Workspace, part: slice, gradient: NDArray[np.float64]
        ) -> NDArray[np.float64]:
            offsets = sessions.offsets[part.start : part.stop + 1]
            workspace.reserve(len(offsets) - 1, int(offsets[-1] - offsets[0]))
            rows = slice(offsets[0], offsets[-1])
            whole = sessions.form
            arrays = SessionsForm(
                session=whole.session[rows],
                block_side=whole.block_side[rows],
                side=whole.side[rows],
                observations=whole.observations[rows],
            )
            return workspace.compute(
                theta, arrays, offsets - offsets[0], 1 / sessions.n_sessions, gradient
            )

        return self.total(block, len(theta), sessions.n_sessions)

    def of_next(
        self, theta: NDArray[np.float64], streams: Sequence[np.random.Generator]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(loss (S,), gradient (P,)) of the next session of each stream, drawn in the threads."""

        def block(
            workspace: Workspace, part: slice, gradient: NDArray[np.float64]
        ) -> NDArray[np.float64]:
            return workspace.compute(
                theta, *workspace.sample(streams[part]), 1 / len(streams), gradient
            )

        return self.total(block, len(theta), len(streams))

    def total(
        self, block: Callable[..., NDArray[np.float64]], n_parameters: int, n_sessions: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """All losses and the sum of all gradients.

        Blocks of sessions are computed apart and added up in one order.

        Parameters
        ----------
        block : callable(workspace, part, gradient)
            Computes the losses of the sessions in a slice, and their gradient.
        n_parameters : int
            P.
        n_sessions : int
            S.
        """
        parts = [
            slice(first, min(first + self.lanes, n_sessions))
            for first in range(0, n_sessions, self.lanes)
        ]
        while len(self.gradients) < len(parts):
            self.gradients.append(np.empty(n_parameters))

        losses: list[Any] = [None] * len(parts)
        left = collections.deque(range(len(parts)))

        def work(_: object = None) -> None:
            # taken at once or not at all: between a look and a step another thread may come
            try:
                workspace = self.workspaces.pop()
            except IndexError:
                workspace = self.make_workspace()
            while True:
                try:
                    i = left.popleft()  # who is free takes the next
                except IndexError:
                    break
                try:
                    losses[i] = block(workspace, parts[i], self.gradients[i])
                except BaseException:
                    left.clear()
                    raise
            self.workspaces.append(workspace)

        n_workers = min(self.n_threads, len(parts))
        if n_workers == 1 or self.pool is None:
            work()
        else:
            list(self.pool.map(work, range(n_workers)))
        for more in self.gradients[1 : len(parts)]:
            self.gradients[0] += more
        every = np.concatenate(losses) if len(losses) > 1 else losses[0]
        return every, self.gradients[0]


def loss_and_gradient(
    net: Network,
    sessions: Sessions,
    *,
    loss: Loss = "nll_of_probability",
    n_threads: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Loss of each session, and the gradient of their mean with respect to theta.

    Parameters
    ----------
    net : Network
        The network.
    sessions : Sessions
        What it acts in.
    loss : {'nll_of_probability', 'cross_entropy'}
        As in `Recipe`.
    n_threads : int or None
        Sessions in parallel, None: as many as there are cores.

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
    >>> sessions = hrnn.Task().sample(n_sessions=3, rng=0)
    >>> loss, gradient = hrnn.training.loss_and_gradient(net, sessions)
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
    net: Network | None = None,
    task: Task | None = None,
    recipe: Literal["paper", "fast"] | Recipe = "paper",
    *,
    n_steps: int | None = None,
    rng: RNGLike | None = None,
    callback: Callable[[int, float, Network], object] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    n_threads: int | None = None,
    progress: bool = True,
) -> Training:
    """Train a network by back-propagation through whole sessions.

    Parameters
    ----------
    net : Network
        Left as it is.
    task : Task
        What sessions are drawn from.
    recipe : {'paper', 'fast'} or Recipe
        How to train: the paper's 100 001 steps of SGD, or 600 of Adam.
    n_steps : int, optional
        Instead of the recipe's; the total, also with `resume`.
    rng : int, SeedSequence, Generator or None
        Of the sessions; None means fresh ones at every call. `Training.seed` says which it was.
    callback : callable(step, loss, network), optional
        Called after each step; `network` is made only for it.
    checkpoint : path, optional
        One file, written at the start, then at least once a second, at the end and on Ctrl-C. If it
        is there and holds this very training (the same first weights, task, recipe and rng), that
        goes on where it was, or is returned at once if it is done; anything else is refused and
        left as it is. Beside it is `<checkpoint>.previous`, the state one write earlier, which is
        read if the file is damaged or missing, and removed when all steps are done.
    resume : path, optional
        Of a checkpoint: goes on where it stopped, with the same bits as if it never had, and goes
        on writing to it. Takes no net, task, recipe, rng or checkpoint.
    n_threads : int or None
        Sessions of one step in parallel; the result does not depend on it.
    progress : bool
        Whether to show a bar of the steps done.

    Returns
    -------
    Training
        The trained network, its loss curve and how it was made.

    Raises
    ------
    NumericalError
        With attribute `step` when loss, gradient or parameters are no longer finite; a checkpoint
        keeps the last good state.
    KeyboardInterrupt
        After the checkpoint has been written.
    FileExistsError
        If `checkpoint` holds anything but this training.
    BlockingIOError
        If another process trains with this checkpoint.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=8, rng=0)
    >>> hrnn.train(net, hrnn.Task(), recipe="fast", n_steps=3, rng=0, progress=False).loss.shape
    (3,)
    """
    flag(progress, "progress")
    named = [argument is not None for argument in (net, task, checkpoint, rng)]
    given = any(named) or not isinstance(recipe, str) or recipe != "paper"
    if resume is not None and given:
        raise TypeError(
            "resume takes net, task, recipe, rng and checkpoint from the file: leave them out"
        )
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}")
    n_threads = n_threads_of(n_threads)
    if resume is not None:
        path = as_path(resume, "resume")
        with files.held(path):
            trainer = Trainer.load(path, n_steps)
            trainer.check_previous("resume")
            return trainer.finish(callback, n_threads, progress)
    path = None if checkpoint is None else as_path(checkpoint, "checkpoint")
    trainer = Trainer.new(net, task, recipe, n_steps, rng, path)
    with contextlib.nullcontext() if path is None else files.held(path):
        return trainer.gone_on().finish(callback, n_threads, progress)


def n_memory(recipe: Recipe) -> int:
    """Vectors (P,) that the recipe's optimizer remembers."""
    return (Sgd if recipe.optimizer == "sgd" else Adam).n_memory


class Trainer:
    """The state of one training: parameters, optimiser, streams of sessions, loss curve."""

    def __init__(
        self,
        network: Network,
        task: Task,
        recipe: Recipe,
        checkpoint: Path | None,
        theta: NDArray[np.float64],
        memory: NDArray[np.float64],
        streams: list[np.random.Generator],
        loss: Sequence[float] | NDArray[np.float64],
        origin: dict[str, str],
    ) -> None:
        self.network: Network = network
        self.task = task
        self.recipe: Recipe = recipe
        self.checkpoint = checkpoint
        self.theta: NDArray[np.float64] = theta
        self.optimizer: Sgd | Adam
        if recipe.optimizer == "sgd":
            self.optimizer = Sgd(recipe.learning_rate, memory, recipe.momentum)
        else:
            self.optimizer = Adam(recipe.learning_rate, memory)
        self.streams = streams
        self.loss: array.array[float] = array.array("d", loss)
        self.origin = origin

    @classmethod
    def new(
        cls,
        net: Network | None,
        task: Task | None,
        recipe: str | Recipe,
        n_steps: int | None,
        rng: RNGLike | None,
        checkpoint: Path | None,
    ) -> Trainer:
        """The training of a network from its beginning; arguments as in `train`."""
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
        draw, seed = streams.recorded(rng)
        if isinstance(seed, int):  # its own streams: `Task.sample` of the same seed has others
            draw = np.random.default_rng(streams.stream(seed, "train"))
        record = {
            **net.metadata,
            "hrnn": __version__,
            "recipe": dataclasses.asdict(recipe),
            "rng": streams.seed_to_json(seed),
            "task": task.to_dict(),
        }
        network = net.with_theta(net.theta, metadata=record)
        sessions = draw.spawn(recipe.n_sessions)
        return cls(
            network,
            task,
            recipe,
            checkpoint,
            net.theta.copy(),
            np.zeros((n_memory(recipe), len(net.theta))),
            sessions,
            [],
            _origin(net, task, recipe, sessions),
        )

    @classmethod
    def load(cls, path: Path, n_steps: int | None) -> Trainer:
        """The training that a checkpoint holds, to go on for n_steps in all."""
        archive = files.load_archive(path, kind="checkpoint", fallback=True)
        network = Network._from_archive(path, archive)
        config = archive.config
        try:
            task = Task(**config["task"])
            recipe = Recipe(**config["recipe"])
            resumed = [streams.from_json(state) for state in config["streams"]]
            memory = archive.arrays["memory"]
            loss = archive.arrays["loss"]
            origin = dict(config.get("origin", {}))  # files of hrnn 0.2.0 and before have none
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path} does not hold a checkpoint: {error}") from error
        if (
            memory.shape != (n_memory(recipe), len(network.theta))
            or len(resumed) != recipe.n_sessions
            or loss.ndim != 1
            or not memory.dtype == loss.dtype == network.theta.dtype
        ):
            raise ValueError(f"{path} does not hold a checkpoint: sizes or types disagree")
        state = network.theta.copy()
        found = cls(network, task, recipe, path, state, memory, resumed, loss, origin)
        found.last(recipe.n_steps if n_steps is None else n_steps)
        return found

    def last(self, n_steps: int) -> None:
        """Go on for n_steps in all."""
        n_steps = whole_number(n_steps, "n_steps")
        if n_steps < len(self.loss):
            raise ValueError(
                f"n_steps must be >= the {len(self.loss)} steps already done, got {n_steps}"
            )
        self.recipe = dataclasses.replace(self.recipe, n_steps=n_steps)
        record = {**self.network.metadata, "recipe": dataclasses.asdict(self.recipe)}
        self.network = self.network.with_theta(self.network.theta, metadata=record)

    def caught_up(self) -> Trainer:
        """What the checkpoint holds, if it is of the same training; else the training itself."""
        try:
            return self.gone_on()
        except (FileExistsError, ValueError):
            return self

    def gone_on(self) -> Trainer:
        """What the checkpoint holds of this training; the training itself if nothing is there.

        Raises
        ------
        FileExistsError
            If the checkpoint, or the file beside it, holds anything else.
        """
        path = self.checkpoint
        if path is None or not (path.exists() or files.previous_of(path).exists()):
            return self
        try:
            found = Trainer.load(path, None)
        except ValueError as error:
            raise _occupied("checkpoint", path, str(error)) from error
        except FileNotFoundError:
            found = self  # all that is there is the file beside it, which cannot be read
        if found.origin != self.origin:
            differ = [name for name in self.origin if found.origin.get(name) != self.origin[name]]
            reason = f"it holds a training of another {', '.join(differ)}"
            raise _occupied("checkpoint", path, reason)
        found.check_previous("checkpoint")
        found.last(self.recipe.n_steps)
        return found

    def check_previous(self, argument: str) -> None:
        """FileExistsError if the file beside the checkpoint is not of this training."""
        if self.checkpoint is None or not files.previous_of(self.checkpoint).exists():
            return
        path = files.previous_of(self.checkpoint)
        try:
            beside = Trainer.load(path, None)
        except ValueError as error:
            raise _occupied(argument, path, str(error)) from error
        if beside.origin != self.origin:
            raise _occupied(argument, path, "it holds another training")

    def finish(
        self,
        callback: Callable[[int, float, Network], object] | None,
        n_threads: int,
        progress: bool,
    ) -> Training:
        """Train what is left, and remove the file beside the checkpoint."""
        done = len(self.loss) == self.recipe.n_steps
        training = self.result() if done else self.run(callback, n_threads, progress)
        if self.checkpoint is not None:
            files.previous_of(self.checkpoint).unlink(missing_ok=True)
        return training

    def save(self) -> None:
        """Write the checkpoint, if there is one."""
        if self.checkpoint is None:
            return
        config = {
            "network": self.network._config(),
            "task": self.task.to_dict(),
            "recipe": dataclasses.asdict(self.recipe),
            "streams": [streams.state_to_json(s.bit_generator) for s in self.streams],
            "origin": self.origin,
        }
        arrays = {"theta": self.theta, "memory": self.optimizer.memory, "loss": np.array(self.loss)}
        files.save_archive(
            self.checkpoint, kind="checkpoint", config=config, arrays=arrays, keep_previous=True
        )

    def step(self, compute: Gradient) -> float:
        """One update; returns the mean loss before it."""
        losses, gradient = compute.of_next(self.theta, self.streams)
        self.optimizer.update(gradient, self.theta, len(self.loss))
        return math.fsum(losses) / len(losses)

    def run(
        self,
        callback: Callable[[int, float, Network], object] | None,
        n_threads: int,
        progress: bool,
    ) -> Training:
        """Train to the end.

        Parameters
        ----------
        callback, progress
            As in `train`.
        n_threads : int
            Most threads at work.
        """
        self.save()
        kept = None
        try:
            with (
                Gradient(self.network, self.task, self.recipe.loss, n_threads) as compute,
                self._bar(progress) as shown,
            ):
                saved = time.monotonic()
                while len(self.loss) < self.recipe.n_steps:
                    look()
                    kept = self._kept()
                    self.loss.append(self.step(compute))
                    kept = None
                    shown.update()
                    if callback is not None:
                        callback(len(self.loss) - 1, self.loss[-1], self.trained())
                    if self.checkpoint and time.monotonic() - saved > CHECKPOINT_SECONDS:
                        self.save()
                        saved = time.monotonic()
        except _core.NumericalError as error:
            step = len(self.loss)
            error.step = step
            error.args = (f"{error} at step {step}",)
            raise
        finally:
            if kept is not None:
                self._undo(*kept)
            self.save()
        return self.result()

    def result(self) -> Training:
        """The training as it is now."""
        states = [streams.state_to_json(s.bit_generator) for s in self.streams]
        return Training(self.trained(), np.array(self.loss), self.recipe, self.task, states)

    def _bar(self, progress: bool) -> Any:
        n_steps = self.recipe.n_steps
        return bar(progress, n_steps, initial=len(self.loss), unit="step", mininterval=0.5)

    def _kept(self) -> tuple[Any, ...]:
        """What an update changes, as it is before."""
        states = [s.bit_generator.state for s in self.streams]
        return self.theta.copy(), self.optimizer.memory.copy(), len(self.loss), states

    def _undo(
        self,
        before: NDArray[np.float64],
        memory: NDArray[np.float64],
        n_done: int,
        states: list[Any],
    ) -> None:
        """Undo an interrupted update; its sessions will be drawn again."""
        self.theta = before
        self.optimizer.memory = memory
        del self.loss[n_done:]
        for stream, state in zip(self.streams, states, strict=True):
            stream.bit_generator.state = state

    def trained(self) -> Network:
        """The network as it is now."""
        return self.network.with_theta(self.theta)


def _origin(
    net: Network, task: Task, recipe: Recipe, sessions: list[np.random.Generator]
) -> dict[str, str]:
    """What a training depends on, by the argument of `train` that says it, each as a hash.

    The number of steps is not among it: a longer training begins with the shorter one.
    """
    how = dataclasses.asdict(recipe)
    del how["n_steps"]
    first = hashlib.sha256(net.theta.tobytes()).hexdigest()
    origin = {
        "net": [net.cell, net.n_hidden, net.leak, first],
        "task": task.to_dict(),
        "recipe": how,
        "rng": [streams.state_to_json(stream.bit_generator) for stream in sessions],
    }
    return {
        name: hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
        for name, value in origin.items()
    }


def _occupied(argument: str, path: Path, reason: str) -> FileExistsError:
    """What is raised where another file would be written over."""
    return FileExistsError(
        f"{argument} would be written over {path}, which is there: {reason}. Give another file; "
        "or `resume`, to go on with the training that a checkpoint holds"
    )
