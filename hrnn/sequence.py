"""Sessions of a rollout side by side, as the core takes them.

And what a small network does on their inputs.
"""

import dataclasses

import numpy as np

from hrnn import _core
from hrnn.base.arguments import refuse_size
from hrnn.network import check_network

LANES = 4  # sequences are padded to a multiple of this number


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

    x: np.ndarray
    step: np.ndarray

    @classmethod
    def of(cls, run, sessions):
        """Sessions of a rollout, by number.

        Examples
        --------
        >>> import hrnn
        >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=2, rng=0), hrnn.Task().sample(n_sessions=3, rng=0))
        >>> Sequences.of(run, [0, 2]).x.shape[2]
        4
        """
        offsets = run.sessions.offsets
        first = run.first_step[offsets[:-1]][sessions]
        last = run.last_step[offsets[1:] - 1][sessions]
        n = last - first + 1
        step = first + np.arange(n.max())[:, None]
        step = np.where(step <= last, step, -1)
        step = np.pad(step, ((0, 0), (0, -len(n) % LANES)), constant_values=-1)
        return cls(_lay(run.inputs, step), step)

    def lay(self, values):
        """What a rollout has for each step (steps, ...) in the places of its steps, (..., T, L).

        0 elsewhere.
        """
        return _lay(values, self.step)

    @property
    def rows(self):
        """Steps of the rollout in their places one after another, (n,).

        What `flat` returns values of.
        """
        return self.step[self.step >= 0]

    def flat(self, values):
        """Values (..., T, L) in the places of steps, (n, ...): the steps are `rows`."""
        return np.moveaxis(values[..., self.step >= 0], -1, 0)


def _lay(values, step):
    laid = np.asarray(values, float)[step]
    laid[step < 0] = 0
    return np.ascontiguousarray(np.moveaxis(laid, (0, 1), (-2, -1)))


def respond(net, sequences):
    """Log odds of right (T, L) and states (N, T, L) of a network of at most 64 units on given inputs.

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
    scratch = scratch_of(net, sequences)
    margin = np.empty(sequences.step.shape)
    states = np.empty((net.n_hidden, *sequences.step.shape))
    _core.sequence_forward(net.theta, net.form, sequences.x, margin, states, scratch)
    return margin, states


def scratch_of(net, sequences):
    """Room for a call of the core on these sequences."""
    n = _core.sequence_scratch(net.form, *sequences.step.shape)[0]
    refuse_size("n_hidden", net.n_hidden, 8 * n)
    return np.empty(n)
