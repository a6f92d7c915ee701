"""Tiny recurrent networks as models of choice.

One to four units, trained and tested on whole sessions.

The protocol is that of Ji-An, Benna & Mattar (2025): inputs are the previous choice, the previous
reward and the signed contrast; the output is P(right) of the trial; Adam on all training sessions
at once, an L1 penalty on recurrent weights, early stopping on validation sessions, nested
cross-validation, several seeds.
"""

import dataclasses
import functools

import numpy as np

from hrnn import _core
from hrnn.base import parallel
from hrnn.base.arguments import generator, one_of, real_number, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.choice.trials import Choices, units
from hrnn.network import CELLS as NETWORK_CELLS
from hrnn.network import CellForm, Network

CELLS = ("gru", "tanh")
PENALTIES = (1e-5, 1e-4, 1e-3)
LEARNING_RATE = 0.005
MAX_EPOCHS = 2000
PATIENCE = 200
SIGNIFICANCE = 0.05
MOST_UNITS = 16


@dataclasses.dataclass(frozen=True, eq=False)
class Batch:
    """Sessions side by side.

    Inputs (3, T, L), right choices q (T, L), weights (T, L) that sum to 1, and where each trial
    stands.
    """

    x: np.ndarray
    q: np.ndarray
    weight: np.ndarray
    trial: np.ndarray

    @classmethod
    def of(cls, choices, sessions):
        """Sessions of one unit, by label."""
        inputs = inputs_of(choices)
        parts = [np.flatnonzero(choices.session == session) for session in sessions]
        trial = np.full((max(map(len, parts)), len(parts) + -len(parts) % 4), -1)
        for lane, part in enumerate(parts):
            trial[: len(part), lane] = part
        inside = trial >= 0
        x = np.zeros((3, *trial.shape))
        x[:, inside] = inputs[trial[inside]].T
        choice = np.where(inside, choices.choice[trial], 0)
        weight = (choice != 0) / max((choice != 0).sum(), 1)
        return cls(x, (choice > 0).astype(float), weight, trial)


def inputs_of(choices):
    """(previous choice, previous reward, signed contrast) of each trial, (R, 3).

    0 at a session's start and after no answer.
    """
    before = np.r_[0, choices.choice[:-1]] * ~choices.first
    reward = np.where(before == 0, 0, np.where(before == np.r_[0, choices.side[:-1]], 1, -1))
    return np.column_stack([before, reward, choices.contrast]).astype(float)


class Cell:
    """A kind of network of n units: its parameters, loss with gradient, and answers."""

    def __init__(self, kind, n_units):
        self.kind = one_of(kind, "cell", CELLS)
        self.n = n_units

    def init(self, rng):
        """PyTorch's initial parameters, (P,)."""
        if self.kind == "tanh":
            return Network.init("tanh", n_hidden=self.n, rng=rng).theta.copy()
        bound = 1 / np.sqrt(self.n)
        return rng.uniform(-bound, bound, _core.gru_sizes(self.n, 1, 4)[0])

    @property
    def form(self):
        """The tanh cell of this size, as the core takes it."""
        return CellForm(NETWORK_CELLS.index("tanh"), self.n, 1.0)

    @property
    def recurrent(self):
        """Where the recurrent weights stand in the parameters."""
        return (
            slice(0, self.n**2)
            if self.kind == "tanh"
            else slice(9 * self.n, 9 * self.n + 3 * self.n**2)
        )

    def room(self, batch):
        """Scratch for calls on a batch."""
        if self.kind == "tanh":
            return np.empty(_core.sequence_scratch(self.form, *batch.q.shape)[0])
        return np.empty(_core.gru_sizes(self.n, *batch.q.shape)[1])

    def gradient(self, theta, batch, gradient, scratch):
        """Cross entropy (nats per choice); its gradient goes to gradient (P,)."""
        gradient.fill(0)
        if self.kind == "tanh":
            return _core.sequence_gradient(
                theta,
                self.form,
                batch.x,
                batch.q,
                batch.weight,
                1.0,
                None,
                None,
                gradient,
                scratch,
            )
        return _core.gru_gradient(theta, self.n, batch.x, batch.q, batch.weight, gradient, scratch)

    def answer(self, theta, batch, scratch):
        """Log odds of right (T, L) and states (N, T, L)."""
        margin = np.empty(batch.q.shape)
        states = np.empty((self.n, *batch.q.shape))
        if self.kind == "tanh":
            _core.sequence_forward(theta, self.form, batch.x, margin, states, scratch)
        else:
            _core.gru_forward(theta, self.n, batch.x, margin, states, scratch)
        return margin, states

    def loss(self, theta, batch, scratch):
        """Cross entropy alone."""
        margin = self.answer(theta, batch, scratch)[0]
        return float((batch.weight * (np.logaddexp(0, margin) - batch.q * margin)).sum())


def train(cell, training, validation, *, penalty, rng, max_epochs=MAX_EPOCHS, stop=None):
    """Parameters of the best validation loss, and that loss.

    Adam on all training sessions at once.
    """
    theta = cell.init(rng)
    gradient = np.empty_like(theta)
    (mean, square) = np.zeros((2, len(theta)))
    rooms = (cell.room(training), cell.room(validation))
    best = (theta.copy(), np.inf)
    since = 0
    for epoch in range(max_epochs):
        if stop is not None and stop.is_set():
            raise KeyboardInterrupt
        cell.gradient(theta, training, gradient, rooms[0])
        gradient[cell.recurrent] += penalty * np.sign(theta[cell.recurrent])
        _core.optim_adam(LEARNING_RATE, float(epoch + 1), gradient, mean, square, theta)
        loss = cell.loss(theta, validation, rooms[1])
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
        Of each number of units, the one of the lowest validation loss of all.
    choices : Choices
    """

    cell: str
    losses: object
    table: object
    dimension: int
    networks: dict
    choices: Choices

    def portrait(self, n_units=1):
        """Phase portrait: how the log odds of right at contrast 0 change from trial to trial.

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
        shown, unseen = (Batch.of(c, np.unique(c.session)) for c in (self.choices, blank))
        carried = self._carried(cell, theta, shown, unseen)
        inside = shown.trial >= 0
        logit = np.full(len(self.choices.choice), np.nan)
        logit[shown.trial[inside]] = carried[inside]
        rows = np.flatnonzero(self.choices.responded[:-1] & ~self.choices.first[1:])
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
    def _carried(cell, theta, shown, unseen):
        """Log odds at contrast 0 (T, L) from the states that the shown contrasts left behind.

        One step of many one-step sequences.
        """
        _, states = cell.answer(theta, shown, cell.room(shown))
        before = np.concatenate([np.zeros((cell.n, 1, states.shape[2])), states[:, :-1]], axis=1)
        return one_step(cell, theta, before, unseen.x)


def one_step(cell, theta, h, x):
    """Log odds after one step from states h (N, ...) under inputs x (3, ...), in NumPy."""
    n = cell.n
    if cell.kind == "tanh":
        net = Network("tanh", n, 1.0, theta)
        after = np.tanh(
            np.tensordot(net.W, h, 1)
            + np.tensordot(net.U, x, 1)
            + net.b.reshape(-1, *[1] * (h.ndim - 1))
        )
        return np.tensordot(net.V[1] - net.V[0], after, 1) + net.c[1] - net.c[0]
    W = theta[: 9 * n].reshape(3 * n, 3)
    U = theta[9 * n : 9 * n + 3 * n * n].reshape(3 * n, n)
    rest = theta[9 * n + 3 * n * n :]
    shape = (-1, *[1] * (h.ndim - 1))
    b = rest[: 3 * n].reshape(shape)
    inner = rest[3 * n : 4 * n].reshape(shape)
    v = rest[4 * n : 5 * n]
    c = rest[5 * n]
    a = np.tensordot(W, x, 1) + b
    m = np.tensordot(U, h, 1)
    r, z = (1 / (1 + np.exp(-(a[k * n : (k + 1) * n] + m[k * n : (k + 1) * n]))) for k in (0, 1))
    candidate = np.tanh(a[2 * n :] + r * (m[2 * n :] + inner))
    return np.tensordot(v, (1 - z) * candidate + z * h, 1) + c


def tiny_rnn(
    trials,
    *,
    cell="gru",
    n_units=(1, 2),
    n_outer=5,
    n_inner=4,
    n_seeds=2,
    penalties=PENALTIES,
    max_epochs=MAX_EPOCHS,
    n_threads=1,
    progress=False,
    rng=0,
):
    """Train tiny networks on one subject by nested cross-validation over sessions.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        Of one subject (or agent), of at least three sessions.
    cell : {'gru', 'tanh'}
    n_units : sequence of int, 1..16
    n_outer, n_inner : int
        Folds; at most as many as there are sessions (left).
    n_seeds : int
    penalties : sequence of float
        Of the L1 norm of recurrent weights; the best in validation is taken with the best seed.
    max_epochs : int
    n_threads : int or None
        The result does not depend on it.
    progress : bool
    rng : int, SeedSequence or Generator

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
    >>> hrnn.mice.tiny_rnn(run, n_units=[1], n_outer=2, n_inner=2, n_seeds=1, penalties=[1e-4], max_epochs=3).dimension
    1
    """
    one_of(cell, "cell", CELLS)
    n_units = sorted({whole_number(n, "n_units") for n in n_units})
    if not n_units or n_units[-1] > MOST_UNITS:
        raise ValueError(f"n_units must be in 1..{MOST_UNITS}, at least one, got {n_units}")
    n_outer = whole_number(n_outer, "n_outer", 2)
    n_inner = whole_number(n_inner, "n_inner", 2)
    n_seeds = whole_number(n_seeds, "n_seeds")
    max_epochs = whole_number(max_epochs, "max_epochs")
    penalties = [real_number(p, "penalties", 0, np.inf, "[") for p in penalties]
    names, found, _ = units(trials, "subject")
    if len(names) > 1:
        raise ValueError(f"trials must be of one subject, got {len(names)}")
    choices = found[0]
    random = generator(rng)
    sessions = random.permutation(np.unique(choices.session[choices.responded]))
    if len(sessions) < 3:
        raise ValueError(
            f"trials must have at least three sessions with choices, got {len(sessions)}"
        )
    folds = _nested(sessions, min(n_outer, len(sessions)), n_inner)
    work = {}
    for d in n_units:
        for (outer, inner), parts in folds.items():
            for seed, penalty in np.ndindex(n_seeds, len(penalties)):
                key = d, outer, inner, seed, penalties[penalty]
                work[key] = functools.partial(
                    _job,
                    Cell(cell, d),
                    choices,
                    parts,
                    penalties[penalty],
                    random.spawn(1)[0],
                    max_epochs,
                )
    done = parallel.run(work, n_threads_of(n_threads), progress)
    return _summary(cell, choices, folds, done, n_units)


def _nested(sessions, n_outer, n_inner):
    """{(outer, inner): (training, validation, test sessions)}."""
    found = {}
    for outer, test in enumerate(np.array_split(sessions, n_outer)):
        rest = np.setdiff1d(sessions, test, assume_unique=True)
        for inner, validation in enumerate(np.array_split(rest, min(n_inner, len(rest)))):
            found[outer, inner] = (
                np.setdiff1d(rest, validation, assume_unique=True),
                validation,
                test,
            )
    return found


def _job(cell, choices, parts, penalty, random, max_epochs, stop):
    training, validation, test = (Batch.of(choices, part) for part in parts)
    theta, loss = train(
        cell, training, validation, penalty=penalty, rng=random, max_epochs=max_epochs, stop=stop
    )
    return theta, loss, cell.loss(theta, test, cell.room(test))


def _summary(cell, choices, folds, done, n_units):
    import pandas as pd

    rows = []
    networks = {}
    for d in n_units:
        mine = {key: value for key, value in done.items() if key[0] == d}
        networks[d] = min(mine.values(), key=lambda value: value[1])[0]
        for outer, inner in folds:
            key, (_, _, loss) = min(
                ((k, v) for k, v in mine.items() if k[1:3] == (outer, inner)),
                key=lambda pair: pair[1][1],
            )
            rows.append(
                {
                    "n_units": d,
                    "outer": outer,
                    "inner": inner,
                    "loss": loss,
                    "penalty": key[4],
                    "seed": key[3],
                }
            )
    losses = pd.DataFrame(rows)
    by_outer = losses.groupby(["n_units", "outer"]).loss.mean().unstack()
    coin = np.mean([_coin(choices, training, test) for training, _, test in folds.values()])
    table = pd.DataFrame(
        {
            "n_units": by_outer.index,
            "loss": by_outer.mean(axis=1).to_numpy(),
            "sd": by_outer.std(axis=1).to_numpy(),
            "bits_per_trial": (coin - by_outer.mean(axis=1).to_numpy()) / np.log(2),
        }
    )
    return TinyRnn(cell, losses, table, dimension(by_outer), networks, choices)


def _coin(choices, training, test):
    """Cross entropy of a coin of the training rate in the test sessions."""
    rate, right = (
        (choices.choice[np.isin(choices.session, part) & choices.responded] > 0).mean()
        for part in (training, test)
    )
    rate = np.clip(rate, 1e-6, 1 - 1e-6)
    return -(right * np.log(rate) + (1 - right) * np.log(1 - rate))


def dimension(by_outer):
    """The largest number of units (index) whose losses (columns: outer folds) are significantly below those of every smaller number.

    Examples
    --------
    >>> import pandas as pd
    >>> dimension(pd.DataFrame([[0.5, 0.6, 0.55], [0.4, 0.5, 0.44], [0.41, 0.49, 0.45]], index=[1, 2, 3]))
    2
    """
    from scipy.stats import ttest_rel

    found = by_outer.index[0]
    for d in by_outer.index[1:]:
        smaller = by_outer.loc[by_outer.index < d]
        if all(
            ttest_rel(by_outer.loc[d], row, alternative="less").pvalue < SIGNIFICANCE
            for _, row in smaller.iterrows()
        ):
            found = d
    return int(found)
