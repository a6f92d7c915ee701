"""Recurrent networks: cell, parameters, files.

h' = (1 - leak) h + leak tanh(W h + U x + b) and p = softmax(V h' + c), row 0 left and row 1 right;
the tanh cell is leak = 1. All parameters live in one flat vector theta.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hrnn import _core
from hrnn.base import files
from hrnn.base.arguments import generator, one_of, real_array, real_number, whole_number

CELLS = ("tanh", "leaky", "gru")  # in the order of the core
N_HIDDEN_MAX = 4096


class CellForm(NamedTuple):
    """A cell as the core takes it, in the order of `py_cell`."""

    kind: int
    n_hidden: int
    leak: float


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
        layout = _core.cell_layout(self.form)
        n_parameters = sum(math.prod(shape) for _, _, shape in layout)
        if theta.shape != (n_parameters,):
            raise ValueError(f"theta must have shape ({n_parameters},), got {theta.shape}")
        theta.flags.writeable = False
        put("theta", theta)
        for name, offset, shape in layout:
            put(name, theta[offset : offset + math.prod(shape)].reshape(shape))

    @property
    def form(self):
        """What the core asks of a cell: its number, its units and its leak."""
        return CellForm(CELLS.index(self.cell), self.n_hidden, self.leak)

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
        form = CellForm(CELLS.index(one_of(cell, "cell", CELLS)), _n_hidden(n_hidden), 1.0)
        bound = 1 / np.sqrt(form.n_hidden)
        arrays = {
            name: draw.uniform(-bound, bound, shape) for name, _, shape in _core.cell_layout(form)
        }
        arrays["b"] = arrays["b"] + _KINDS[cell].second_bias(draw, bound, form.n_hidden)
        arrays["W"] = arrays["W"] * real_number(gain, "gain", 0, np.inf, "(")
        return cls.from_arrays(cell, **arrays, leak=leak)

    @classmethod
    def from_arrays(cls, cell, *, W, U, b, V, c, b_inner=None, leak=None, metadata=None):
        """Make a network of its arrays.

        Parameters
        ----------
        cell : {'tanh', 'leaky', 'gru'}
            What its units are.
        W : (N, N), gated (3 N, N)
            Recurrent weights; of a gated cell those of reset, update and candidate in turn.
        U : (N, 3), gated (3 N, 3)
            Weights of the input.
        b : (N,), gated (3 N,)
            Biases.
        V : (2, N)
            Readout of left and right.
        c : (2,)
            Biases of the readout.
        b_inner : (N,), optional
            Of a gated cell alone: biases inside the reset gate.
        leak : float, optional
            Of the leaky cell, in (0, 1]; 0.5 by default.
        metadata : dict, optional
            Where the network comes from.
        """
        kind = _KINDS[one_of(cell, "cell", CELLS)]
        given = {"W": W, "U": U, "b": b, "V": V, "c": c}
        if b_inner is not None:
            given["b_inner"] = b_inner
        arrays = {name: real_array(values, name, (1, 2)) for name, values in given.items()}
        n_hidden = _n_hidden(len(arrays["W"]) // kind.n_gates)
        layout = _core.cell_layout(CellForm(CELLS.index(cell), n_hidden, 1.0))
        names = {name for name, _, _ in layout}
        if set(arrays) != names:
            raise ValueError(f"a {cell} cell must have {sorted(names)}, got {sorted(arrays)}")
        parts = []
        for name, _, shape in layout:
            if arrays[name].shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {arrays[name].shape}")
            parts.append(arrays[name].ravel())
        return cls(
            cell, n_hidden, leak, np.concatenate(parts), {} if metadata is None else metadata
        )

    def with_arrays(self, **arrays):
        """Return the same network with some of its arrays replaced, by name."""
        kept = {name: getattr(self, name) for name, _, _ in _core.cell_layout(self.form)}
        return Network.from_arrays(self.cell, **(kept | arrays), leak=self.leak)

    @property
    def recurrent_weights(self):
        """Weights among the units, (N, N): W, or those of the candidate state in a gated cell."""
        return self.W[-self.n_hidden :]

    @property
    def input_weights(self):
        """Weights of the input, (N, 3): U, or those of the candidate state in a gated cell."""
        return self.U[-self.n_hidden :]

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
        """Parameters under PyTorch's names.

        Our one bias becomes bias_ih, and bias_hh is 0 but for b_inner of a gated cell.
        """
        inner = np.zeros(len(self.b))
        if self.cell == "gru":
            inner[-self.n_hidden :] = self.b_inner
        return {
            "rnn.weight_ih_l0": self.U.copy(),
            "rnn.weight_hh_l0": self.W.copy(),
            "rnn.bias_ih_l0": self.b.copy(),
            "rnn.bias_hh_l0": inner,
            "readout.weight": self.V.copy(),
            "readout.bias": self.c.copy(),
        }

    @classmethod
    def from_state_dict(cls, cell, state, *, leak=None):
        """Make a network of parameters under PyTorch's names; the two biases are added."""
        one_of(cell, "cell", CELLS)
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
        inner = None
        if cell == "gru":
            outside = 2 * len(biases[1]) // 3
            inner = biases[1][outside:]
            biases[1] = np.where(np.arange(len(biases[1])) < outside, biases[1], 0)
        return cls.from_arrays(
            cell,
            W=state["rnn.weight_hh_l0"],
            U=state["rnn.weight_ih_l0"],
            b=biases[0] + biases[1],
            b_inner=inner,
            V=state["readout.weight"],
            c=state["readout.bias"],
            leak=leak,
        )

    def __repr__(self):
        return f"Network({self.cell!r}, n_hidden={self.n_hidden}, leak={self.leak:g})"


class _Leaky:
    """h' = (1 - leak) h + leak tanh(a) with a = W h + U x + b; the tanh cell is leak = 1."""

    n_gates = 1

    @staticmethod
    def second_bias(draw, bound, n):
        """PyTorch has two biases, which are added."""
        return draw.uniform(-bound, bound, n)

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


@dataclasses.dataclass(frozen=True)
class _Gates:
    """What the units of a gated network do in a step, each (..., N)."""

    reset: np.ndarray
    update: np.ndarray
    inner: np.ndarray
    candidate: np.ndarray

    @classmethod
    def of(cls, net, h, x):
        reset, update, memory = np.split(h @ net.W.T, 3, axis=-1)
        reset_input, update_input, candidate_input = np.split(x @ net.U.T + net.b, 3, axis=-1)
        reset = _sigmoid(reset + reset_input)
        inner = memory + net.b_inner
        candidate = np.tanh(candidate_input + reset * inner)
        return cls(reset, _sigmoid(update + update_input), inner, candidate)

    def slopes(self, h):
        """Derivatives of h' by the forms of reset and update, by the inner one, and by the input's."""
        candidate = (1 - self.update) * (1 - self.candidate**2)
        reset = candidate * self.inner * self.reset * (1 - self.reset)
        update = self.update * (1 - self.update) * (h - self.candidate)
        return reset, update, candidate * self.reset, candidate


class _Gru:
    """The gated recurrent unit, PyTorch's convention (Cho et al. 2014).

    r = σ(W_r h + U_r x + b_r), z = σ(W_z h + U_z x + b_z), m = W_n h + b_inner,
    h' = (1 - z) tanh(U_n x + b_n + r m) + z h.
    """

    n_gates = 3

    @staticmethod
    def second_bias(draw, bound, n):
        """PyTorch's second bias of the gates; that of the candidate is b_inner."""
        return np.concatenate([draw.uniform(-bound, bound, 2 * n), np.zeros(n)])

    @staticmethod
    def step(net, h, x):
        gates = _Gates.of(net, h, x)
        return gates.candidate + gates.update * (h - gates.candidate)

    @staticmethod
    def jacobian(net, h, x):
        gates = _Gates.of(net, h, x)
        kept = gates.update[..., None] * np.eye(net.n_hidden)
        slopes = gates.slopes(h)[:3]
        parts = np.split(net.W, 3)
        return kept + sum(s[..., None] * W for s, W in zip(slopes, parts, strict=True))

    @staticmethod
    def input_jacobian(net, h, x):
        reset, update, _, candidate = _Gates.of(net, h, x).slopes(h)
        slopes = (reset, update, candidate)
        parts = np.split(net.U, 3)
        return sum(s[..., None] * U for s, U in zip(slopes, parts, strict=True))

    @staticmethod
    def pull_back(net, h, x, v):
        gates = _Gates.of(net, h, x)
        slopes = gates.slopes(h)[:3]
        parts = np.split(net.W, 3)
        return gates.update * v + sum((v * s) @ W for s, W in zip(slopes, parts, strict=True))

    @staticmethod
    def jacobian_lipschitz(net):
        """By the largest second derivatives of a unit by its forms while no |h| is above 2."""
        parts = np.split(net.W, 3)
        norms = [np.linalg.norm(W, 2) for W in parts]
        rows = [np.linalg.norm(W, axis=1) for W in parts]
        inner = np.abs(net.b_inner) + 2 * np.abs(parts[2]).sum(1)
        d2tanh = 4 / (3 * np.sqrt(3))  # largest |tanh''|
        d2sigma = 1 / (6 * np.sqrt(3))  # largest |σ''|; the largest σ' is 1/4
        reset_reset = d2tanh * inner**2 / 16 + inner * d2sigma
        reset_update = inner / 16
        reset_inner = d2tanh * inner / 4 + 1 / 4
        one = np.ones(net.n_hidden)
        second = [
            [reset_reset, reset_update, reset_inner],
            [reset_update, 3 * d2sigma * one, one / 4],
            [reset_inner, one / 4, d2tanh * one],
        ]
        by_forms = sum(
            norms[p] * (second[p][q] * rows[q]).max() for p in range(3) for q in range(3)
        )
        by_state = (norms[1] + rows[1].max()) / 4
        return by_forms + by_state


def _sigmoid(a):
    """Logistic function, by way of tanh: it overflows nowhere."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


_KINDS = {"tanh": _Leaky, "leaky": _Leaky, "gru": _Gru}


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
        return 0.5 if cell == "leaky" else 1.0
    leak = real_number(leak, "leak", 1e-6, 1, "[]")
    if cell != "leaky" and leak != 1:
        raise ValueError(f"leak must be 1 for the {cell} cell, got {leak}")
    return leak
