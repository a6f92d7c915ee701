"""Recurrent networks: cell, parameters, files.

A step takes the state h to h' = F(h, x), as `cells` says for each kind of cell, and the choice is
p = softmax(V h' + c), row 0 left and row 1 right. All parameters live in one flat vector theta.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from hrnn import _core
from hrnn.base import files, streams
from hrnn.base.arguments import last_axis, one_of, real_array, real_number, whole_number
from hrnn.base.records import Record, fixed
from hrnn.cells import KINDS

if TYPE_CHECKING:
    import os

    from numpy.typing import ArrayLike, NDArray

    from hrnn.base.typing import RNGLike, Seed

Cell = Literal["tanh", "leaky", "gru"]
CELLS: tuple[str, ...] = _core.CELLS
N_HIDDEN_MAX: int = _core.N_HIDDEN_MAX


class CellForm(NamedTuple):
    """A cell as the core takes it: `cell_fields` in csrc/binding/py.c."""

    kind: int  # place in CELLS
    n_hidden: int
    leak: float


@dataclasses.dataclass(frozen=True, eq=False)
class Network(Record):
    """A recurrent network with a linear readout of two actions.

    Make one with `Network.init` or `Network.from_arrays`.

    Attributes
    ----------
    cell : {'tanh', 'leaky', 'gru'}
        What its units are.
    n_hidden : int
        Number of units, N.
    leak : float
        Of the leaky cell; 1 for the others.
    theta : (P,) float64, read-only
        All parameters.
    metadata : dict
        Where it comes from: recipe, seed, version, as plain JSON.
    W : (N, N), gated (3 N, N)
        Recurrent weights, a read-only view into theta, as the other arrays are.
    U : (N, 3), gated (3 N, 3)
        Weights of the input.
    b : (N,), gated (3 N,)
        Biases.
    V : (2, N)
        Readout of left and right.
    c : (2,)
        Biases of the readout.
    b_inner : (N,)
        Biases inside the reset gate; only a gated cell has them.

    Examples
    --------
    >>> import hrnn
    >>> hrnn.Network.init("tanh", n_hidden=50, rng=0).W.shape
    (50, 50)
    """

    cell: str
    n_hidden: int
    leak: float
    theta: NDArray[np.float64]
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)
    W: NDArray[np.float64] = dataclasses.field(init=False)
    U: NDArray[np.float64] = dataclasses.field(init=False)
    b: NDArray[np.float64] = dataclasses.field(init=False)
    V: NDArray[np.float64] = dataclasses.field(init=False)
    c: NDArray[np.float64] = dataclasses.field(init=False)
    b_inner: NDArray[np.float64] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
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
        theta = fixed(theta, "theta", float, (n_parameters,))
        put("theta", theta)
        for name, offset, shape in layout:
            put(name, theta[offset : offset + math.prod(shape)].reshape(shape))

    @property
    def seed(self) -> Seed:
        """What `Network.init` drew the first weights of, usable as its `rng`; None if not known."""
        return streams.seed_from_json(self.metadata.get("seed"))

    @property
    def form(self) -> CellForm:
        """What the core asks of a cell: its number, its units and its leak."""
        return CellForm(CELLS.index(self.cell), self.n_hidden, self.leak)

    @classmethod
    def init(
        cls,
        cell: Cell | str,
        *,
        n_hidden: int = 50,
        rng: RNGLike | None = None,
        leak: float | None = None,
        gain: float = 1.0,
    ) -> Network:
        """Draw a network with PyTorch's default initialisation, another one at every call.

        Every entry is U(-1/sqrt(N), 1/sqrt(N)); b is the sum of two such draws, but for those of a
        gated cell's candidate.

        Parameters
        ----------
        cell : {'tanh', 'leaky', 'gru'}
            What its units are.
        n_hidden : int
            Number of units, N.
        rng : int, SeedSequence, Generator or None
            Of the draws; None means fresh numbers. `seed` of the network says which it was.
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
        checked = init_settings(cell, n_hidden=n_hidden, leak=leak, gain=gain)
        draw, seed = streams.recorded(rng)
        form = CellForm(CELLS.index(cell), checked["n_hidden"], 1.0)
        bound = 1 / np.sqrt(form.n_hidden)
        arrays: dict[str, Any] = {
            name: draw.uniform(-bound, bound, shape) for name, _, shape in _core.cell_layout(form)
        }
        arrays["b"] = arrays["b"] + KINDS[cell].second_bias(draw, bound, form.n_hidden)
        arrays["W"] = arrays["W"] * checked["gain"]
        metadata = {} if seed is None else {"seed": streams.seed_to_json(seed)}
        return cls.from_arrays(cell, **arrays, leak=leak, metadata=metadata)

    @classmethod
    def from_arrays(
        cls,
        cell: Cell | str,
        *,
        W: ArrayLike,
        U: ArrayLike,
        b: ArrayLike,
        V: ArrayLike,
        c: ArrayLike,
        b_inner: ArrayLike | None = None,
        leak: float | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Network:
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
        kind = KINDS[one_of(cell, "cell", CELLS)]
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
            cell,
            n_hidden,
            _leak(cell, leak),
            np.concatenate(parts),
            {} if metadata is None else metadata,
        )

    def with_arrays(self, **arrays: ArrayLike | None) -> Network:
        """Return the same network with some of its arrays replaced, by name."""
        every: dict[str, Any] = {"leak": self.leak}
        for name, _, _ in _core.cell_layout(self.form):
            every[name] = getattr(self, name)
        every.update(arrays)
        return Network.from_arrays(self.cell, **every)

    @property
    def recurrent_weights(self) -> NDArray[np.float64]:
        """Weights among the units, (N, N): W, or those of the candidate state in a gated cell."""
        return self.W[-self.n_hidden :]

    @property
    def input_weights(self) -> NDArray[np.float64]:
        """Weights of the input, (N, 3): U, or those of the candidate state in a gated cell."""
        return self.U[-self.n_hidden :]

    def with_theta(self, theta: ArrayLike, *, metadata: dict[str, Any] | None = None) -> Network:
        """Return the same network with other parameters (P,)."""
        return Network(
            self.cell,
            self.n_hidden,
            self.leak,
            real_array(theta, "theta", (1,)),
            self.metadata if metadata is None else metadata,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to a file, whole or not at all.

        A file that is there is written over only if it holds a network; a checkpoint, a member of a
        population, or a file of anybody else is refused with FileExistsError.
        """
        files.refuse_other(path, "network")
        files.save_archive(
            path, kind="network", config=self._config(), arrays={"theta": self.theta}
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """Read a network from its file, from a checkpoint of its training.

        Or from its file in a population.
        """
        archive = files.load_archive(path, kind=("network", "checkpoint", "member"), fallback=True)
        return cls._from_archive(path, archive)

    @classmethod
    def _from_archive(cls, path: Any, archive: files.Archive) -> Network:
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

    def _config(self) -> dict[str, Any]:
        return {
            "cell": self.cell,
            "n_hidden": self.n_hidden,
            "leak": self.leak,
            "metadata": self.metadata,
        }

    def step(self, h: ArrayLike, x: ArrayLike) -> NDArray[np.float64]:
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
        return KINDS[self.cell].step(self, *self._at(h, x))

    def jacobian(self, h: ArrayLike, x: ArrayLike) -> NDArray[np.float64]:
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
        return KINDS[self.cell].jacobian(self, *self._at(h, x))

    def input_jacobian(self, h: ArrayLike, x: ArrayLike) -> NDArray[np.float64]:
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
        return KINDS[self.cell].input_jacobian(self, *self._at(h, x))

    def pull_back(self, h: ArrayLike, x: ArrayLike, v: ArrayLike) -> NDArray[np.float64]:
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
        v = last_axis(v, "v", self.n_hidden)
        return KINDS[self.cell].pull_back(self, *self._at(h, x), v)

    def _at(self, h: ArrayLike, x: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """States (..., N) and inputs (..., 3), checked."""
        return last_axis(h, "h", self.n_hidden), last_axis(x, "x", 3)

    def jacobian_lipschitz(self) -> float:
        """A bound on how fast the Jacobian varies: |J(h) - J(h')| <= bound |h - h'|.

        Spectral norms, any input; of states of at most 2 in any unit where the cell is gated.

        Returns
        -------
        float
            The bound; 0 if nothing is recurrent.
        """
        return float(KINDS[self.cell].jacobian_lipschitz(self))

    def to_state_dict(self) -> dict[str, NDArray[np.float64]]:
        """Parameters under PyTorch's names.

        Our one bias becomes bias_ih, and bias_hh is 0 but for b_inner of a gated cell. A leaky
        network has its leak, a number, under "leak": PyTorch, which has no such cell, refuses it.
        """
        bias, other = KINDS[self.cell].biases(self)
        leak = {"leak": np.array(self.leak)} if KINDS[self.cell].has_leak else {}
        return leak | {
            "rnn.weight_ih_l0": self.U.copy(),
            "rnn.weight_hh_l0": self.W.copy(),
            "rnn.bias_ih_l0": bias.copy(),
            "rnn.bias_hh_l0": other,
            "readout.weight": self.V.copy(),
            "readout.bias": self.c.copy(),
        }

    @classmethod
    def from_state_dict(
        cls, cell: Cell | str, state: Mapping[str, ArrayLike], *, leak: float | None = None
    ) -> Network:
        """Make a network of parameters under PyTorch's names; the two biases are added.

        The leak of a leaky network is in the state, under "leak", or given.
        """
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
        leak = _leak_of_state(cell, state, leak)
        joined: dict[str, Any] = KINDS[cell].joined(*biases)
        return cls.from_arrays(
            cell,
            W=state["rnn.weight_hh_l0"],
            U=state["rnn.weight_ih_l0"],
            **joined,
            V=state["readout.weight"],
            c=state["readout.bias"],
            leak=leak,
        )

    def __repr__(self) -> str:
        seed = streams.shown(self.seed)
        return f"Network({self.cell!r}, n_hidden={self.n_hidden}, leak={self.leak:g}{seed})"


def init_settings(
    cell: Cell | str, *, n_hidden: int, leak: float | None, gain: float
) -> dict[str, Any]:
    """What `Network.init` is asked for, by name, as plain numbers; or an error that names it.

    Parameters
    ----------
    cell, n_hidden, leak, gain
        As in `Network.init`.
    """
    one_of(cell, "cell", CELLS)
    return {
        "n_hidden": _n_hidden(n_hidden),
        "cell": str(cell),
        "leak": None if leak is None else _leak(cell, leak),
        "gain": real_number(gain, "gain", 0, np.inf, ""),
    }


def check_network(net: object) -> None:
    """Refuse what is no Network."""
    if not isinstance(net, Network):
        raise TypeError(f"net must be a Network, got {type(net).__name__}")


def _n_hidden(value: object) -> int:
    value = whole_number(value, "n_hidden")
    if value > N_HIDDEN_MAX:
        raise ValueError(f"n_hidden must be <= {N_HIDDEN_MAX}, got {value}")
    return value


def _leak_of_state(cell: str, state: Mapping[str, ArrayLike], leak: float | None) -> float | None:
    """The leak that goes with a state: its own, or the one that was given."""
    if "leak" in state:
        own = float(real_array(state["leak"], "leak", (0,)))
        if leak is not None and leak != own:
            raise ValueError(f"leak must be that of the state, {own}, got {leak}")
        leak = own
    if leak is None and KINDS[cell].has_leak:
        raise ValueError(f"leak must be given for a {cell} cell: the state has none")
    return leak


def _leak(cell: str, leak: float | None) -> float:
    kind = KINDS[one_of(cell, "cell", CELLS)]
    if leak is None:
        return kind.leak
    leak = real_number(leak, "leak", 1e-6, 1, "[]")
    if not kind.has_leak and leak != 1:
        raise ValueError(f"leak must be 1 for the {cell} cell, got {leak}")
    return leak
