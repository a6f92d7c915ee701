"""Tiny recurrent networks as models of choice, of one to four units.

They are trained and tested on whole sessions.

The protocol is that of Ji-An, Benna & Mattar (2025): inputs are the previous choice, the previous
reward and the signed contrast; the output is P(right) of the trial; Adam on all training sessions
at once, an L1 penalty on recurrent weights, early stopping on validation sessions, nested
cross-validation, several seeds.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrnn import sequence
from hrnn.base import parallel
from hrnn.base.arguments import generator, one_of, real_number, whole_number
from hrnn.base.parallel import look, n_threads_of
from hrnn.choice.trials import Choices, units
from hrnn.network import CELLS as NETWORK_CELLS
from hrnn.network import CellForm, Network
from hrnn.sequence import Target
from hrnn.training import Adam

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike, Trials

Floats = NDArray[np.float64]
Sessions = NDArray[np.int64]  # their numbers
Folds = dict[tuple[int, int], tuple[Sessions, Sessions, Sessions]]
CELLS: tuple[str, ...] = ("gru", "tanh")
PENALTIES: tuple[float, ...] = (1e-5, 1e-4, 1e-3)
LEARNING_RATE: float = 0.005
MAX_EPOCHS: int = 2000
PATIENCE: int = 200  # epochs without a better validation loss, after which training stops
SIGNIFICANCE: float = 0.05
MOST_UNITS: int = 16


@dataclasses.dataclass(frozen=True, eq=False)
class Batch:
    """Sessions side by side, in L lanes of T trials.

    Attributes
    ----------
    x : (3, T, L)
        Inputs.
    q : (T, L)
        1 where the choice is right, else 0.
    weight : (T, L)
        Weights of the trials in the loss, which sum to 1; 0 without a choice.
    trial : (T, L) int
        Where each trial stands in the choices, -1 after the end of a session.
    """

    x: Floats
    q: Floats
    weight: Floats
    trial: NDArray[np.int64]

    @classmethod
    def of(cls, choices: Choices, sessions: Sessions) -> Batch:
        """Some sessions of one unit.

        Parameters
        ----------
        choices : Choices
            All trials of the unit.
        sessions : sequence of int
            Numbers of the sessions, of `choices.session`.
        """
        inputs = inputs_of(choices)
        parts = [np.flatnonzero(choices.session == session) for session in sessions]
        longest = max(map(len, parts))
        n_lanes = len(parts) + -len(parts) % sequence.LANES  # the core takes a multiple
        trial = np.full((longest, n_lanes), -1)
        for lane, part in enumerate(parts):
            trial[: len(part), lane] = part
        inside = trial >= 0
        x = np.zeros((3, *trial.shape))
        x[:, inside] = inputs[trial[inside]].T
        choice = np.where(inside, choices.choice[trial], 0)
        weight = (choice != 0) / max((choice != 0).sum(), 1)
        return cls(x, (choice > 0).astype(float), weight, trial)


def inputs_of(choices: Choices) -> Floats:
    """Previous choice, previous reward and signed contrast of each trial, (R, 3).

    0 at a session's start, after no answer and after a gap.
    """
    before = np.r_[0, choices.choice[:-1]] * choices.follows
    side_before = np.r_[0, choices.side[:-1]]
    reward = np.where(before == side_before, 1, -1)
    reward = np.where(before == 0, 0, reward)
    return np.column_stack([before, reward, choices.contrast]).astype(float)


class Cell:
    """A kind of network of n units: its parameters, loss with gradient, and answers.

    Parameters
    ----------
    kind : {'gru', 'tanh'}
        Which kind.
    n_units : int
        Number of units, N.
    """

    def __init__(self, kind: str, n_units: int) -> None:
        self.kind: str = one_of(kind, "cell", CELLS)
        self.n = n_units

    def init(self, rng: np.random.Generator) -> Floats:
        """PyTorch's initial parameters, (P,)."""
        if self.kind == "tanh":
            return Network.init("tanh", n_hidden=self.n, rng=rng).theta.copy()
        bound = 1 / np.sqrt(self.n)
        return rng.uniform(-bound, bound, sequence.gated_sizes(self.n, 1, 4)[0])

    @property
    def form(self) -> CellForm:
        """The tanh cell of this size, as the core takes it."""
        return CellForm(NETWORK_CELLS.index("tanh"), self.n, 1.0)

    def network(self, theta: Floats) -> Network:
        """The network with these parameters (P,); of one logit, that of right."""
        n = self.n
        if self.kind == "tanh":
            return Network("tanh", n, 1.0, theta)
        W, U, b, b_inner, v, c = np.split(theta, np.cumsum([9 * n, 3 * n * n, 3 * n, n, n]))
        return Network.from_arrays(
            "gru",
            W=U.reshape(3 * n, n),
            U=W.reshape(3 * n, 3),
            b=b,
            b_inner=b_inner,
            V=np.stack([np.zeros(n), v]),
            c=[0.0, c[0]],
        )

    @property
    def recurrent(self) -> slice:
        """Where the recurrent weights stand in the parameters."""
        n = self.n
        if self.kind == "tanh":
            return slice(0, n**2)
        return slice(9 * n, 9 * n + 3 * n**2)

    def room(self, batch: Batch) -> Floats:
        """Scratch for calls on a batch."""
        n_steps, n_sequences = batch.q.shape
        if self.kind == "tanh":
            return sequence.scratch(self.form, n_steps, n_sequences)
        return np.empty(sequence.gated_sizes(self.n, n_steps, n_sequences)[1])

    def gradient(self, theta: Floats, batch: Batch, gradient: Floats, scratch: Floats) -> float:
        """Cross entropy (nats per choice), and its gradient.

        Parameters
        ----------
        theta : (P,)
            Parameters of the network.
        batch : Batch
            The sessions.
        gradient : (P,)
            Where the gradient is written to.
        scratch : array
            Of `room`.
        """
        gradient.fill(0)
        target = Target(batch.q, batch.weight)
        if self.kind == "tanh":
            return sequence.gradient(self.form, theta, batch.x, target, gradient, scratch)
        return sequence.gated_gradient(self.n, theta, batch.x, target, gradient, scratch)

    def answer(self, theta: Floats, batch: Batch, scratch: Floats) -> tuple[Floats, Floats]:
        """Log odds of right (T, L) and states (N, T, L).

        Parameters
        ----------
        theta : (P,)
            Parameters of the network.
        batch : Batch
            The sessions.
        scratch : array
            Of `room`.
        """
        if self.kind == "tanh":
            return sequence.forward(self.form, theta, batch.x, scratch)
        return sequence.gated_forward(self.n, theta, batch.x, scratch)

    def loss(self, theta: Floats, batch: Batch, scratch: Floats) -> float:
        """Cross entropy (nats per choice) alone.

        Parameters
        ----------
        theta : (P,)
            Parameters of the network.
        batch : Batch
            The sessions.
        scratch : array
            Of `room`.
        """
        margin = self.answer(theta, batch, scratch)[0]
        each = np.logaddexp(0, margin) - batch.q * margin
        return float((batch.weight * each).sum())


def train(
    cell: Cell,
    training: Batch,
    validation: Batch,
    *,
    penalty: float,
    rng: np.random.Generator,
    max_epochs: int = MAX_EPOCHS,
) -> tuple[Floats, float]:
    """Parameters (P,) of the best validation loss, and that loss.

    Adam on all training sessions at once.

    Parameters
    ----------
    cell : Cell
        The kind of network.
    training, validation : Batch
        Sessions that it is trained on, and those that say when to stop.
    penalty : float
        Of the L1 norm of the recurrent weights.
    rng : Generator
        Of the initial parameters.
    max_epochs : int
        Most steps.
    """
    theta = cell.init(rng)
    gradient = np.empty_like(theta)
    adam = Adam(LEARNING_RATE, np.zeros((2, len(theta))))
    training_room = cell.room(training)
    validation_room = cell.room(validation)
    best = (theta.copy(), np.inf)
    since = 0
    for epoch in range(max_epochs):
        look()
        cell.gradient(theta, training, gradient, training_room)
        gradient[cell.recurrent] += penalty * np.sign(theta[cell.recurrent])
        adam.update(gradient, theta, epoch)
        loss = cell.loss(theta, validation, validation_room)
        since = since + 1
        if loss < best[1]:
            best = (theta.copy(), loss)
            since = 0
        if since >= PATIENCE:
            break
    return best


@dataclasses.dataclass(frozen=True, eq=False)
class TinyRnn:
    """Tiny networks of one subject.

    Attributes
    ----------
    cell : str
        The kind of network, 'gru' or 'tanh'.
    losses : DataFrame
        `n_units, outer, inner, loss, penalty, seed`: cross entropy (nats per choice) in the test
        sessions of the outer fold, of the network that was best in the validation sessions of the
        inner one.
    table : DataFrame
        `n_units, loss, sd, bits_per_trial`: mean over outer folds, sd between them, and bits
        relative to a coin of the training rate.
    dimension : int
        The largest number of units whose test loss is lower than that of every smaller number
        (paired one-sided t-test over outer folds, p < .05).
    networks : dict of int to (P,)
        Parameters of each number of units, of the lowest validation loss of all.
    choices : Choices
        The subject's trials.
    """

    cell: str
    losses: pd.DataFrame
    table: pd.DataFrame
    dimension: int
    networks: dict[int, Floats]
    choices: Choices

    def portrait(self, n_units: int = 1) -> pd.DataFrame:
        """Phase portrait: how the log odds of right at contrast 0 change from trial to trial.

        Parameters
        ----------
        n_units : int
            Which of the networks.

        Returns
        -------
        DataFrame
            `logit, change, choice, reward, contrast`: the log odds carried into a trial (what a
            contrast of 0 would give), their change to the next trial, and what happened in between;
            trials with a choice, not the last of a session.
        """
        import pandas as pd

        if n_units not in self.networks:
            raise ValueError(f"n_units must be one of {sorted(self.networks)}, got {n_units!r}")
        cell = Cell(self.cell, n_units)
        theta = self.networks[n_units]
        blank = dataclasses.replace(self.choices, contrast=np.zeros(len(self.choices.contrast)))
        sessions = np.unique(self.choices.session)
        shown = Batch.of(self.choices, sessions)
        unseen = Batch.of(blank, sessions)
        carried = self._carried(cell, theta, shown, unseen)
        inside = shown.trial >= 0
        logit = np.full(len(self.choices.choice), np.nan)
        logit[shown.trial[inside]] = carried[inside]
        rows = np.flatnonzero(self.choices.responded[:-1] & self.choices.follows[1:])
        reward = np.where(self.choices.choice == self.choices.side, 1, -1)
        return pd.DataFrame(
            {
                "logit": logit[rows],
                "change": logit[rows + 1] - logit[rows],
                "choice": self.choices.choice[rows],
                "reward": reward[rows],
                "contrast": self.choices.contrast[rows],
            }
        )

    @staticmethod
    def _carried(cell: Cell, theta: Floats, shown: Batch, unseen: Batch) -> Floats:
        """Log odds at contrast 0 (T, L) from the states that the shown contrasts left behind.

        One step of many one-step sequences.
        """
        _, states = cell.answer(theta, shown, cell.room(shown))
        start = np.zeros((cell.n, 1, states.shape[2]))
        before = np.concatenate([start, states[:, :-1]], axis=1)
        return one_step(cell, theta, before, unseen.x)


def one_step(cell: Cell, theta: Floats, h: Floats, x: Floats) -> Floats:
    """Log odds of right (...) after one step, in NumPy.

    Parameters
    ----------
    cell : Cell
        The kind of network, of N units.
    theta : (P,)
        Its parameters.
    h : (N, ...)
        States before the step.
    x : (3, ...)
        Inputs.
    """
    net = cell.network(theta)
    after = net.step(np.moveaxis(h, 0, -1), np.moveaxis(x, 0, -1))
    return after @ (net.V[1] - net.V[0]) + net.c[1] - net.c[0]


def tiny_rnn(
    trials: Trials,
    *,
    cell: str = "gru",
    n_units: Sequence[int] = (1, 2),
    n_outer: int = 5,
    n_inner: int = 4,
    n_seeds: int = 2,
    penalties: Sequence[float] = PENALTIES,
    max_epochs: int = MAX_EPOCHS,
    n_threads: int | None = None,
    progress: bool = True,
    rng: RNGLike = 0,
) -> TinyRnn:
    """Train tiny networks on one subject by nested cross-validation over sessions.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        Trials of one subject (or agent), of at least three sessions.
    cell : {'gru', 'tanh'}
        The kind of network.
    n_units : sequence of int, 1..16
        Numbers of units that are tried.
    n_outer, n_inner : int
        Outer and inner folds; at most as many as there are sessions (left).
    n_seeds : int
        How often every network is trained, from different initial parameters.
    penalties : sequence of float
        Of the L1 norm of recurrent weights; the best in validation is taken with the best seed.
    max_epochs : int
        Most steps of each training.
    n_threads : int or None
        Number of threads, None for all that the process may use. The result does not depend on it.
    progress : bool
        Whether a progress bar is shown.
    rng : int, SeedSequence or Generator
        Of folds and initial parameters.

    Returns
    -------
    TinyRnn

    Raises
    ------
    ValueError
        If there are several subjects or too few sessions, or a number is impossible.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task(n_blocks=1).sample(n_sessions=4, rng=0))
    >>> few = {"n_outer": 2, "n_inner": 2, "n_seeds": 1, "penalties": [1e-4], "max_epochs": 3}
    >>> hrnn.mice.tiny_rnn(run, n_units=[1], **few).dimension
    1
    """
    one_of(cell, "cell", CELLS)
    for name, values in (("n_units", n_units), ("penalties", penalties)):
        if not isinstance(values, Iterable):
            raise TypeError(f"{name} must be a list of numbers, got {type(values).__name__}")
    n_units = sorted({whole_number(n, "n_units") for n in n_units})
    if not n_units or n_units[-1] > MOST_UNITS:
        raise ValueError(f"n_units must be in 1..{MOST_UNITS}, at least one, got {n_units}")
    n_outer = whole_number(n_outer, "n_outer", 2)
    n_inner = whole_number(n_inner, "n_inner", 2)
    n_seeds = whole_number(n_seeds, "n_seeds")
    max_epochs = whole_number(max_epochs, "max_epochs")
    if not np.iterable(penalties):
        raise TypeError(f"penalties must be a list of numbers, got {type(penalties).__name__}")
    penalties = [real_number(p, "penalties", 0, np.inf, "[") for p in penalties]
    if not penalties:
        raise ValueError("penalties must hold at least one number, got none")
    choices = _of_one_subject(trials)
    random = generator(rng)
    folds = _nested(choices, n_outer, n_inner, random)
    work: dict[Any, Any] = {}
    for d in n_units:
        for (outer, inner), parts in folds.items():
            for seed, penalty in np.ndindex(n_seeds, len(penalties)):
                key = (d, outer, inner, seed, penalties[penalty])
                own = random.spawn(1)[0]
                settings = (penalties[penalty], own, max_epochs)
                work[key] = functools.partial(_job, Cell(cell, d), choices, parts, *settings)
    done = parallel.run(work, n_threads_of(n_threads), progress)
    return _summary(cell, choices, folds, done, n_units)


def _of_one_subject(trials: Trials) -> Choices:
    """Trials of the only subject, or an error."""
    names, found, _ = units(trials, "subject")
    if len(names) > 1:
        raise ValueError(f"trials must be of one subject, got {len(names)}")
    return found[0]


def _nested(choices: Choices, n_outer: int, n_inner: int, random: np.random.Generator) -> Folds:
    """{(outer, inner): (training, validation, test sessions)}, dealt out at random."""
    sessions = random.permutation(np.unique(choices.session[choices.responded]))
    if len(sessions) < 3:
        raise ValueError(
            f"trials must have at least three sessions with choices, got {len(sessions)}"
        )
    n_outer = min(n_outer, len(sessions))
    if len(sessions) - -(-len(sessions) // n_outer) < 2:
        raise ValueError(
            f"n_outer must leave two sessions or more to train on, got {n_outer} for "
            f"{len(sessions)} sessions with choices"
        )
    found: Folds = {}
    for outer, test in enumerate(np.array_split(sessions, n_outer)):
        rest = np.setdiff1d(sessions, test, assume_unique=True)
        for inner, validation in enumerate(np.array_split(rest, min(n_inner, len(rest)))):
            training = np.setdiff1d(rest, validation, assume_unique=True)
            found[outer, inner] = (training, validation, test)
    return found


def _job(
    cell: Cell,
    choices: Choices,
    parts: tuple[Sessions, Sessions, Sessions],
    penalty: float,
    random: np.random.Generator,
    max_epochs: int,
) -> tuple[Floats, float, float]:
    """Parameters, validation loss and test loss of one network."""
    training, validation, test = (Batch.of(choices, part) for part in parts)
    theta, loss = train(
        cell, training, validation, penalty=penalty, rng=random, max_epochs=max_epochs
    )
    return theta, loss, cell.loss(theta, test, cell.room(test))


def _summary(
    cell: str,
    choices: Choices,
    folds: Folds,
    done: Mapping[Any, tuple[Floats, float, float]],
    n_units: Sequence[int],
) -> TinyRnn:
    """The best networks, by validation, and how well they do in test sessions."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    networks: dict[int, Floats] = {}
    for d in n_units:
        mine = {key[1:]: value for key, value in done.items() if key[0] == d}
        networks[d] = min(mine.values(), key=_validation_loss)[0]
        rows += [{"n_units": d, **_best_of_fold(mine, outer, inner)} for outer, inner in folds]
    losses: Any = pd.DataFrame(rows)
    by_outer: Any = losses.groupby(["n_units", "outer"])["loss"].mean().unstack()
    mean = by_outer.mean(axis=1).to_numpy()
    coin = np.mean([_coin(choices, training, test) for training, _, test in folds.values()])
    columns = {
        "n_units": by_outer.index,
        "loss": mean,
        "sd": by_outer.std(axis=1).to_numpy(),
        "bits_per_trial": (coin - mean) / np.log(2),
    }
    table = pd.DataFrame(columns)
    return TinyRnn(cell, losses, table, dimension(by_outer), networks, choices)


def _validation_loss(trained: tuple[Floats, float, float]) -> float:
    return trained[1]


def _best_of_fold(mine: Mapping[Any, Any], outer: int, inner: int) -> dict[str, Any]:
    """Fold, test loss, penalty and seed of the network of the lowest validation loss in a fold."""
    inside = {key: value for key, value in mine.items() if key[:2] == (outer, inner)}
    best = min(inside, key=lambda key: _validation_loss(inside[key]))
    _, _, seed, penalty = best
    loss = inside[best][2]
    return {"outer": outer, "inner": inner, "loss": loss, "penalty": penalty, "seed": seed}


def _coin(choices: Choices, training: Sessions, test: Sessions) -> float:
    """Cross entropy of a coin of the training rate in the test sessions."""
    rate = np.clip(_rate(choices, training), 1e-6, 1 - 1e-6)
    right = _rate(choices, test)
    gain = right * np.log(rate) + (1 - right) * np.log(1 - rate)
    return -gain


def _rate(choices: Choices, sessions: Sessions) -> float:
    """Fraction of right choices in some sessions."""
    inside = np.isin(choices.session, sessions) & choices.responded
    return (choices.choice[inside] > 0).mean()


def dimension(by_outer: pd.DataFrame) -> int:
    """The largest number of units that is significantly better than every smaller number.

    Parameters
    ----------
    by_outer : DataFrame
        Losses, a row per number of units (its index), a column per outer fold.

    Examples
    --------
    >>> import pandas as pd
    >>> losses = [[0.5, 0.6, 0.55], [0.4, 0.5, 0.44], [0.41, 0.49, 0.45]]
    >>> dimension(pd.DataFrame(losses, index=[1, 2, 3]))
    2
    """
    from scipy.stats import ttest_rel

    found = by_outer.index[0]
    for d in by_outer.index[1:]:
        smaller = by_outer.loc[by_outer.index < d]
        p = [
            ttest_rel(by_outer.loc[d], row, alternative="less").pvalue
            for _, row in smaller.iterrows()
        ]
        if all(value < SIGNIFICANCE for value in p):
            found = d
    return int(found)
