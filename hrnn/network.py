"""Recurrent networks: cell, parameters, files.

h' = (1 - leak) h + leak tanh(W h + U x + b) and p = softmax(V h' + c), row 0 left and row 1 right;
the tanh cell is leak = 1. All parameters live in one flat vector theta.
"""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from hrnn import _core
from hrnn.base import files
from hrnn.base.arguments import generator, one_of, real_array, real_number, whole_number

CELLS = ("tanh", "leaky")
N_HIDDEN_MAX = 4096


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A recurrent network with a linear readout of two actions.

    Make one with `Network.init` or `Network.from_arrays`.

    Attributes
    ----------
    cell : {'tanh', 'leaky'}
    n_hidden : int, N
    leak : float
        1 for 'tanh'.
    theta : (P,) float64, read-only
    W (N, N), U (N, 3), b (N,), V (2, N), c (2,) : read-only views into theta
    metadata : dict
        Where it comes from: recipe, seed, version.

    Examples
    --------
    >>> import hrnn
    >>> hrnn.Network.init("tanh", n_hidden=50, rng=0).W.shape
    (50, 50)
    """

    cell: str
    n_hidden: int
    leak: float
    theta: np.ndarray
    metadata: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        put = functools.partial(object.__setattr__, self)
        put("n_hidden", _n_hidden(self.n_hidden))
        if not isinstance(self.metadata, dict):
            raise TypeError(f"metadata must be a dict, got {type(self.metadata).__name__}")
        put("metadata", dict(self.metadata))
        put("leak", _leak(self.cell, self.leak))
        theta = real_array(self.theta, "theta", (1,))
        n_parameters = sum(int(np.prod(shape)) for _, _, shape in _core.cell_layout(self.n_hidden))
        if theta.shape != (n_parameters,):
            raise ValueError(f"theta must have shape ({n_parameters},), got {theta.shape}")
        theta.flags.writeable = False
        put("theta", theta)
        for name, offset, shape in _core.cell_layout(self.n_hidden):
            put(name, theta[offset : offset + int(np.prod(shape))].reshape(shape))

    @classmethod
    def init(cls, cell, *, n_hidden=50, rng=0, leak=None, gain=1.0):
        """Draw a network with PyTorch's default initialisation.

        Every entry is U(-1/sqrt(N), 1/sqrt(N)); b is the sum of two such draws.

        Parameters
        ----------
        cell : {'tanh', 'leaky'}
        n_hidden : int, N
        rng : int, SeedSequence or Generator
        leak : float, optional
            Of the leaky cell, in (0, 1]; 0.5 by default.
        gain : float, optional
            Factor of the recurrent weights W, > 0: 1 is PyTorch's.

        Examples
        --------
        >>> import hrnn
        >>> hrnn.Network.init("leaky", n_hidden=10, rng=0).leak
        0.5
        """
        draw = generator(rng)
        n = _n_hidden(n_hidden)
        bound = 1 / np.sqrt(n)
        arrays = {
            name: draw.uniform(-bound, bound, shape) for name, _, shape in _core.cell_layout(n)
        }
        arrays["b"] = arrays["b"] + draw.uniform(-bound, bound, n)
        arrays["W"] = arrays["W"] * real_number(gain, "gain", 0, np.inf, "(")
        return cls.from_arrays(cell, **arrays, leak=leak)

    @classmethod
    def from_arrays(cls, cell, *, W, U, b, V, c, leak=None, metadata=None):
        """Make a network of its five arrays, W (N, N), U (N, 3), b (N,), V (2, N), c (2,)."""
        given = {"W": W, "U": U, "b": b, "V": V, "c": c}
        arrays = {name: real_array(values, name, (1, 2)) for name, values in given.items()}
        parts = []
        for name, _, shape in _core.cell_layout(_n_hidden(len(arrays["W"]))):
            if arrays[name].shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {arrays[name].shape}")
            parts.append(arrays[name].ravel())
        return cls(
            cell,
            len(arrays["W"]),
            leak,
            np.concatenate(parts),
            {} if metadata is None else metadata,
        )

    def with_theta(self, theta, *, metadata=None):
        """Return the same network with other parameters (P,)."""
        return Network(
            self.cell,
            self.n_hidden,
            self.leak,
            theta,
            self.metadata if metadata is None else metadata,
        )

    def save(self, path):
        """Write the network to a file, whole or not at all."""
        files.save_archive(
            path, kind="network", config=self._config(), arrays={"theta": self.theta}
        )

    @classmethod
    def load(cls, path):
        """Read a network from its file, from a checkpoint of its training.

        Or from its file in a population.
        """
        archive = files.load_archive(path, kind=("network", "checkpoint", "member"), fallback=True)
        return cls._from_archive(path, archive)

    @classmethod
    def _from_archive(cls, path, archive):
        config = archive.config.get("network", archive.config)
        try:
            return cls(
                config["cell"],
                config["n_hidden"],
                config["leak"],
                archive.arrays["theta"],
                config["metadata"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} does not hold a network: {error}") from error

    def _config(self):
        return {
            "cell": self.cell,
            "n_hidden": self.n_hidden,
            "leak": self.leak,
            "metadata": self.metadata,
        }

    def step(self, h, x):
        """One step of the map, F(h, x).

        Parameters
        ----------
        h : (..., N)
            States before the step.
        x : (..., 3)
            Inputs of the step.

        Returns
        -------
        (..., N) float64
            States after it.

        Examples
        --------
        >>> import hrnn
        >>> net = hrnn.Network.init("tanh", n_hidden=4, rng=0)
        >>> net.step(np.zeros((5, 4)), [0, 0, 0]).shape
        (5, 4)
        """
        return _KINDS[self.cell].step(self, h, np.asarray(x))

    def jacobian(self, h, x):
        """Derivative of a step with respect to the state, dF/dh.

        Parameters
        ----------
        h : (..., N)
            States before the step.
        x : (..., 3)
            Inputs of the step.

        Returns
        -------
        (..., N, N) float64
            Row i has the derivatives of unit i.

        Examples
        --------
        >>> import hrnn
        >>> net = hrnn.Network.init("tanh", n_hidden=4, rng=0)
        >>> net.jacobian(np.zeros(4), [0, 0, 0]).shape
        (4, 4)
        """
        return _KINDS[self.cell].jacobian(self, h, np.asarray(x))

    def input_jacobian(self, h, x):
        """Derivative of a step with respect to its input, dF/dx.

        Parameters
        ----------
        h : (..., N)
            States before the step.
        x : (..., 3)
            Inputs of the step.

        Returns
        -------
        (..., N, 3) float64
            Row i has the derivatives of unit i.

        Examples
        --------
        >>> import hrnn
        >>> net = hrnn.Network.init("tanh", n_hidden=4, rng=0)
        >>> net.input_jacobian(np.zeros(4), [0, 0, 0]).shape
        (4, 3)
        """
        return _KINDS[self.cell].input_jacobian(self, h, np.asarray(x))

    def pull_back(self, h, x, v):
        """Gradients by the state before a step, of those by the state after it: v' dF/dh.

        Parameters
        ----------
        h : (..., N)
            States before the step.
        x : (..., 3)
            Inputs of the step.
        v : (..., N)
            Gradients with respect to the states after it.

        Returns
        -------
        (..., N) float64
            The same as `v @ net.jacobian(h, x)`, without making the Jacobians.

        Examples
        --------
        >>> import hrnn
        >>> net = hrnn.Network.init("tanh", n_hidden=4, rng=0)
        >>> net.pull_back(np.zeros((5, 4)), [0, 0, 0], np.ones((5, 4))).shape
        (5, 4)
        """
        return _KINDS[self.cell].pull_back(self, h, np.asarray(x), v)

    def jacobian_lipschitz(self):
        """A bound on how fast the Jacobian varies: |J(h) - J(h')| <= bound |h - h'|.

        Spectral norms, any input; of states of at most 2 in any unit where the cell is gated.

        Returns
        -------
        float
            The bound; 0 if nothing is recurrent.
        """
        return float(_KINDS[self.cell].jacobian_lipschitz(self))

    def to_state_dict(self):
        """Parameters under PyTorch's names; our one bias becomes bias_ih, and bias_hh is 0."""
        return {
            "rnn.weight_ih_l0": self.U.copy(),
            "rnn.weight_hh_l0": self.W.copy(),
            "rnn.bias_ih_l0": self.b.copy(),
            "rnn.bias_hh_l0": np.zeros(self.n_hidden),
            "readout.weight": self.V.copy(),
            "readout.bias": self.c.copy(),
        }

    @classmethod
    def from_state_dict(cls, cell, state, *, leak=None):
        """Make a network of parameters under PyTorch's names; the two biases are added."""
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be a dict of arrays, got {type(state).__name__}")
        missing = {
            "rnn.weight_ih_l0",
            "rnn.weight_hh_l0",
            "rnn.bias_ih_l0",
            "rnn.bias_hh_l0",
            "readout.weight",
            "readout.bias",
        } - set(state)
        if missing:
            raise ValueError(f"state must hold {sorted(missing)}, got {sorted(state)}")
        biases = [
            real_array(state[name], name, (1,)) for name in ("rnn.bias_ih_l0", "rnn.bias_hh_l0")
        ]
        if biases[0].shape != biases[1].shape:
            raise ValueError(
                f"rnn.bias_hh_l0 must have shape {biases[0].shape}, got {biases[1].shape}"
            )
        bias = biases[0] + biases[1]
        return cls.from_arrays(
            cell,
            W=state["rnn.weight_hh_l0"],
            U=state["rnn.weight_ih_l0"],
            b=bias,
            V=state["readout.weight"],
            c=state["readout.bias"],
            leak=leak,
        )

    def __repr__(self):
        return f"Network({self.cell!r}, n_hidden={self.n_hidden}, leak={self.leak:g})"


class _Leaky:
    """h' = (1 - leak) h + leak tanh(a) with a = W h + U x + b; the tanh cell is leak = 1."""

    @staticmethod
    def step(net, h, x):
        u = np.tanh(h @ net.W.T + x @ net.U.T + net.b)
        return (1 - net.leak) * h + net.leak * u

    @staticmethod
    def gain(net, h, x):
        """Derivative of tanh a with respect to a, (..., N, 1)."""
        return (1 - np.tanh(h @ net.W.T + x @ net.U.T + net.b) ** 2)[..., None]

    @classmethod
    def jacobian(cls, net, h, x):
        kept = (1 - net.leak) * np.eye(net.n_hidden)
        return kept + net.leak * cls.gain(net, h, x) * net.W

    @classmethod
    def input_jacobian(cls, net, h, x):
        return net.leak * cls.gain(net, h, x) * net.U

    @classmethod
    def pull_back(cls, net, h, x, v):
        return (1 - net.leak) * v + net.leak * ((cls.gain(net, h, x)[..., 0] * v) @ net.W)

    @staticmethod
    def jacobian_lipschitz(net):
        rows = np.linalg.norm(net.W, axis=1)
        return net.leak * 4 / (3 * np.sqrt(3)) * np.linalg.norm(net.W, 2) * rows.max()


_KINDS = {"tanh": _Leaky, "leaky": _Leaky}


def check_network(net):
    """Refuse what is no Network."""
    if not isinstance(net, Network):
        raise TypeError(f"net must be a Network, got {type(net).__name__}")


def _n_hidden(value):
    value = whole_number(value, "n_hidden")
    if value > N_HIDDEN_MAX:
        raise ValueError(f"n_hidden must be <= {N_HIDDEN_MAX}, got {value}")
    return value


def _leak(cell, leak):
    one_of(cell, "cell", CELLS)
    if leak is None:
        return 1.0 if cell == "tanh" else 0.5
    leak = real_number(leak, "leak", 1e-6, 1, "[]")
    if cell == "tanh" and leak != 1:
        raise ValueError(f"leak must be 1 for the tanh cell, got {leak}")
    return leak
