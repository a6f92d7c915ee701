"""Small networks on given inputs, many sessions side by side, over csrc/core/sequence.c and gru.c.

Sessions of a rollout as the core takes them, what a network does on their inputs, and how it learns
what is asked of it there.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn import _core
from hrnn.base.arguments import instance, real_array, refuse_size, stored_array
from hrnn.network import CellForm, Network, check_network
from hrnn.rollout import Rollout

Floats = NDArray[np.float64]
LANES: int = _core.WIDTH  # sequences are padded to a multiple of this number


@dataclasses.dataclass(frozen=True, eq=False)
class Sequences:
    """Inputs of some sessions, side by side (T steps of the longest, L sessions, padded).

    Attributes
    ----------
    x : (3, T, L)
        Zero after the end of a session.
    step : (T, L) int
        Which step of the rollout stands there; -1 after the end of a session.
    """

    x: Floats
    step: NDArray[np.int64]

    def __post_init__(self) -> None:
        shape = np.shape(self.step)[:2]
        stored_array(self.step, "step", shape, "i")
        stored_array(self.x, "x", (3, *shape))

    @classmethod
    def of(cls, run: Rollout, sessions: ArrayLike) -> Sequences:
        """Sessions of a rollout, by number.

        Examples
        --------
        >>> import hrnn
        >>> net = hrnn.Network.init("tanh", n_hidden=2, rng=0)
        >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=3, rng=0))
        >>> Sequences.of(run, [0, 2]).x.shape[2]
        4
        """
        offsets = instance(run, "run", Rollout).sessions.offsets
        which = run.sessions.numbers(sessions)
        first = run.first_step[offsets[:-1]][which]
        last = run.last_step[offsets[1:] - 1][which]
        n = last - first + 1
        step = first + np.arange(n.max())[:, None]
        step = np.where(step <= last, step, -1)
        step = np.pad(step, ((0, 0), (0, -len(n) % LANES)), constant_values=-1)
        return cls(_lay(run.inputs, step), step)

    def lay(self, values: ArrayLike) -> Floats:
        """What a rollout has for each step (steps, ...) in the places of its steps, (..., T, L).

        0 elsewhere.
        """
        values = real_array(values, "values", (1, 2))
        if len(values) <= self.step.max():
            raise ValueError(f"values must have a row per step of the run, got {len(values)}")
        return _lay(values, self.step)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Steps of the rollout in their places one after another, (n,): those of `flat`."""
        return self.step[self.step >= 0]

    def flat(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values (..., T, L) in the places of steps, (n, ...): the steps are `rows`."""
        if np.shape(instance(values, "values", np.ndarray))[-2:] != self.step.shape:
            raise ValueError(f"values must have shape (..., {self.step.shape}), got {values.shape}")
        return np.moveaxis(values[..., self.step >= 0], -1, 0)


def _lay(values: ArrayLike, step: NDArray[np.int64]) -> Floats:
    laid = np.asarray(values, float)[step]
    laid[step < 0] = 0
    return np.ascontiguousarray(np.moveaxis(laid, (0, 1), (-2, -1)))


def respond(net: Network, sequences: Sequences) -> tuple[Floats, Floats]:
    """What a network of at most 64 units does on given inputs.

    Parameters
    ----------
    net : Network
        The network.
    sequences : Sequences
        The inputs.

    Returns
    -------
    margin : (T, L)
        Log odds of right after each step.
    states : (N, T, L)
        States after each step.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=2, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=3, rng=0))
    >>> sequences = Sequences.of(run, [0, 2])
    >>> bool(np.allclose(sequences.flat(respond(net, sequences)[1]), run.hidden[sequences.rows]))
    True
    """
    check_network(net)
    instance(sequences, "sequences", Sequences)
    return forward(net.form, net.theta, sequences.x, scratch_of(net, sequences))


def scratch_of(net: Network, sequences: Sequences) -> Floats:
    """Room for a call of the core on these sequences."""
    n_steps, n_sequences = sequences.step.shape
    room = scratch(net.form, n_steps, n_sequences)
    refuse_size("n_hidden", net.n_hidden, room.nbytes)
    return room


def scratch(form: CellForm, n_steps: int, n_sequences: int) -> Floats:
    """Room for `forward` and `gradient`."""
    return np.empty(_core.sequence_scratch(form, n_steps, n_sequences)[0])


def forward(form: CellForm, theta: Floats, x: Floats, room: Floats) -> tuple[Floats, Floats]:
    """Log odds of right (T, L) and states (N, T, L) on inputs x (3, T, L).

    Parameters
    ----------
    form : CellForm
        The cell.
    theta : (P,)
        Its parameters.
    x : (3, T, L)
        The inputs.
    room : array
        Of `scratch`.
    """
    margin = np.empty(x.shape[1:])
    states = np.empty((form.n_hidden, *x.shape[1:]))
    _core.sequence_forward(theta, form, x, margin, states, room)
    return margin, states


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """What is asked of a network on inputs.

    The loss is Σ weight τ² CE(q, σ(log odds / τ)) + Σ state_weight |h - y|².

    Attributes
    ----------
    q : (T, L)
        Probabilities of right, softened by the temperature.
    weight : (T, L)
        Of each step's cross entropy.
    temperature : float
        τ.
    y : (N, T, L) or None
        States.
    state_weight : (T, L) or None
        Of each step's states.
    """

    q: Floats
    weight: Floats
    temperature: float = 1.0
    y: Floats | None = None
    state_weight: Floats | None = None


def gradient(
    form: CellForm, theta: Floats, x: Floats, target: Target, into: Floats, room: Floats
) -> float:
    """The loss of a network on inputs, whose gradient is added.

    Parameters
    ----------
    form : CellForm
        The cell.
    theta : (P,)
        Its parameters.
    x : (3, T, L)
        The inputs.
    target : Target
        What is asked of it.
    into : (P,)
        What the gradient is added to.
    room : array
        Of `scratch`.
    """
    asked = (target.q, target.weight, target.temperature, target.y, target.state_weight)
    return _core.sequence_gradient(theta, form, x, *asked, into, room)


class Force:
    """Recursive least squares on a network that runs freely, session after session.

    Currents W h + U x + b are fitted to given ones, and log odds to given ones (Sussillo & Abbott
    2009; DePasquale et al. 2018).

    Parameters
    ----------
    form : CellForm
        The cell, tanh or leaky.
    theta : (P,)
        Its parameters, which change.
    first_inverse : float
        What the identity is multiplied with to begin the running inverse correlations.
    """

    def __init__(self, form: CellForm, theta: Floats, first_inverse: float) -> None:
        self.form = form
        self.theta = theta
        self.inverse: Floats = np.stack([first_inverse * np.eye(form.n_hidden + 4)] * 2)
        self.h: Floats = np.zeros(form.n_hidden)
        self.room: Floats = np.empty(_core.sequence_scratch(form, 1, LANES)[1])

    def learn(self, x: Floats, current: Floats, margin: Floats) -> None:
        """Learn from one session.

        Parameters
        ----------
        x : (T, 3)
            Its inputs.
        current : (T, N)
            The currents.
        margin : (T,)
            The log odds of right.
        """
        starts = np.zeros(len(x), np.int8)
        starts[0] = 1
        _core.sequence_force(
            self.theta, self.form, x, starts, current, margin, self.inverse, self.h, self.room
        )


# ---- gated units with one logit, of the tinyRNN models ----


def gated_sizes(n_hidden: int, n_steps: int, n_sequences: int) -> tuple[int, int]:
    """Number of parameters, and doubles of scratch, of a gated network with one logit."""
    return _core.gru_sizes(n_hidden, n_steps, n_sequences)


def gated_forward(n_hidden: int, theta: Floats, x: Floats, room: Floats) -> tuple[Floats, Floats]:
    """As `forward`, of a gated network with one logit."""
    margin = np.empty(x.shape[1:])
    states = np.empty((n_hidden, *x.shape[1:]))
    _core.gru_forward(theta, n_hidden, x, margin, states, room)
    return margin, states


def gated_gradient(
    n_hidden: int, theta: Floats, x: Floats, target: Target, into: Floats, room: Floats
) -> float:
    """As `gradient`, of a gated network with one logit, and of probabilities alone."""
    return _core.gru_gradient(theta, n_hidden, x, target.q, target.weight, into, room)
