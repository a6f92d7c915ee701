"""Kinds of cells: a step of each, and its derivatives. `Network` has the same as methods.

States are h (..., N), inputs x (..., 3). The C core has the same steps in csrc/core/cell_*.c.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Arrays(Protocol):
    """What a step needs of a network: its arrays, as `Network` describes them."""

    @property
    def n_hidden(self) -> int:
        """Number of units, N."""
        ...

    @property
    def leak(self) -> float:
        """Of the leaky cell."""
        ...

    @property
    def W(self) -> Floats:
        """Recurrent weights."""
        ...

    @property
    def U(self) -> Floats:
        """Weights of the input."""
        ...

    @property
    def b(self) -> Floats:
        """Biases."""
        ...

    @property
    def b_inner(self) -> Floats:
        """Biases inside the reset gate of a gated cell."""
        ...


class Kind:
    """A kind of cell."""

    n_gates: int
    """Blocks of N rows in W, U and b."""
    leak: float = 1.0
    """What `leak` is unless it is given."""
    has_leak: bool = False
    """Whether it may be given."""

    @classmethod
    def biases(cls, net: Arrays) -> tuple[Floats, Floats]:
        """PyTorch's two biases: ours, and what stands beside it."""
        return net.b, np.zeros_like(net.b)

    @classmethod
    def joined(cls, bias: Floats, other: Floats) -> dict[str, Floats]:
        """Our biases by name, of PyTorch's two.

        Parameters
        ----------
        bias : array
            Beside the weights of the input.
        other : array
            Beside the recurrent weights.
        """
        return {"b": bias + other}

    @classmethod
    def second_bias(cls, draw: np.random.Generator, bound: float, n: int) -> Floats:
        """What PyTorch's second bias adds to b when a network is drawn.

        Parameters
        ----------
        draw : Generator
            What draws it.
        bound : float
            Largest size of an entry.
        n : int
            Number of units, N.
        """
        raise NotImplementedError

    @classmethod
    def step(cls, net: Arrays, h: Floats, x: Floats) -> Floats:
        """As `Network.step`."""
        raise NotImplementedError

    @classmethod
    def jacobian(cls, net: Arrays, h: Floats, x: Floats) -> Floats:
        """As `Network.jacobian`."""
        raise NotImplementedError

    @classmethod
    def input_jacobian(cls, net: Arrays, h: Floats, x: Floats) -> Floats:
        """As `Network.input_jacobian`."""
        raise NotImplementedError

    @classmethod
    def pull_back(cls, net: Arrays, h: Floats, x: Floats, v: Floats) -> Floats:
        """As `Network.pull_back`."""
        raise NotImplementedError

    @classmethod
    def jacobian_lipschitz(cls, net: Arrays) -> float:
        """As `Network.jacobian_lipschitz`."""
        raise NotImplementedError


class _Leaky(Kind):
    """h' = (1 - leak) h + leak tanh(a) with a = W h + U x + b."""

    n_gates = 1
    leak = 0.5
    has_leak = True

    @classmethod
    def second_bias(cls, draw: np.random.Generator, bound: float, n: int) -> Floats:
        """PyTorch has two biases, which are added."""
        return draw.uniform(-bound, bound, n)

    @classmethod
    def step(cls, net: Arrays, h: Floats, x: Floats) -> Floats:
        u = np.tanh(h @ net.W.T + x @ net.U.T + net.b)
        return (1 - net.leak) * h + net.leak * u

    @classmethod
    def gain(cls, net: Arrays, h: Floats, x: Floats) -> Floats:
        """Derivative of tanh a with respect to a, (..., N, 1)."""
        return (1 - np.tanh(h @ net.W.T + x @ net.U.T + net.b) ** 2)[..., None]

    @classmethod
    def jacobian(cls, net: Arrays, h: Floats, x: Floats) -> Floats:
        kept = (1 - net.leak) * np.eye(net.n_hidden)
        return kept + net.leak * cls.gain(net, h, x) * net.W

    @classmethod
    def input_jacobian(cls, net: Arrays, h: Floats, x: Floats) -> Floats:
        return net.leak * cls.gain(net, h, x) * net.U

    @classmethod
    def pull_back(cls, net: Arrays, h: Floats, x: Floats, v: Floats) -> Floats:
        return (1 - net.leak) * v + net.leak * ((cls.gain(net, h, x)[..., 0] * v) @ net.W)

    @classmethod
    def jacobian_lipschitz(cls, net: Arrays) -> float:
        rows = np.linalg.norm(net.W, axis=1)
        return net.leak * 4 / (3 * np.sqrt(3)) * np.linalg.norm(net.W, 2) * rows.max()


@dataclasses.dataclass(frozen=True)
class _Gates:
    """What the units of a gated network do in a step, each (..., N)."""

    reset: Floats
    update: Floats
    inner: Floats
    candidate: Floats

    @classmethod
    def of(cls, net: Arrays, h: Floats, x: Floats) -> _Gates:
        reset, update, memory = np.split(h @ net.W.T, 3, axis=-1)
        reset_input, update_input, candidate_input = np.split(x @ net.U.T + net.b, 3, axis=-1)
        reset = _sigmoid(reset + reset_input)
        inner = memory + net.b_inner
        candidate = np.tanh(candidate_input + reset * inner)
        return cls(reset, _sigmoid(update + update_input), inner, candidate)

    def slopes(self, h: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Derivatives of h' by the forms of reset, update, the inner one, and the input's."""
        candidate = (1 - self.update) * (1 - self.candidate**2)
        reset = candidate * self.inner * self.reset * (1 - self.reset)
        update = self.update * (1 - self.update) * (h - self.candidate)
        return reset, update, candidate * self.reset, candidate


class _Gru(Kind):
    """The gated recurrent unit, PyTorch's convention (Cho et al. 2014).

    r = σ(W_r h + U_r x + b_r), z = σ(W_z h + U_z x + b_z), m = W_n h + b_inner,
    h' = (1 - z) tanh(U_n x + b_n + r m) + z h.
    """

    n_gates = 3

    @classmethod
    def biases(cls, net: Arrays) -> tuple[Floats, Floats]:
        """The second one holds b_inner alone: those of the gates have been added."""
        other = np.zeros_like(net.b)
        other[-net.n_hidden :] = net.b_inner
        return net.b, other

    @classmethod
    def joined(cls, bias: Floats, other: Floats) -> dict[str, Floats]:
        """Those of the gates added; those of the candidate apart."""
        gates = np.arange(len(other)) < 2 * len(other) // 3
        return {"b": bias + np.where(gates, other, 0), "b_inner": other[~gates]}

    @classmethod
    def second_bias(cls, draw: np.random.Generator, bound: float, n: int) -> Floats:
        """PyTorch's second bias of the gates; that of the candidate is b_inner."""
        return np.concatenate([draw.uniform(-bound, bound, 2 * n), np.zeros(n)])

    @classmethod
    def step(cls, net: Arrays, h: Floats, x: Floats) -> Floats:
        gates = _Gates.of(net, h, x)
        return gates.candidate + gates.update * (h - gates.candidate)

    @classmethod
    def jacobian(cls, net: Arrays, h: Floats, x: Floats) -> Floats:
        gates = _Gates.of(net, h, x)
        kept = gates.update[..., None] * np.eye(net.n_hidden)
        slopes = gates.slopes(h)[:3]
        parts = np.split(net.W, 3)
        return kept + sum(s[..., None] * W for s, W in zip(slopes, parts, strict=True))

    @classmethod
    def input_jacobian(cls, net: Arrays, h: Floats, x: Floats) -> Floats:
        reset, update, _, candidate = _Gates.of(net, h, x).slopes(h)
        slopes = (reset, update, candidate)
        parts = np.split(net.U, 3)
        found = np.zeros((*h.shape, x.shape[-1]))
        for slope, U in zip(slopes, parts, strict=True):
            found += slope[..., None] * U
        return found

    @classmethod
    def pull_back(cls, net: Arrays, h: Floats, x: Floats, v: Floats) -> Floats:
        gates = _Gates.of(net, h, x)
        slopes = gates.slopes(h)[:3]
        parts = np.split(net.W, 3)
        return gates.update * v + sum((v * s) @ W for s, W in zip(slopes, parts, strict=True))

    @classmethod
    def jacobian_lipschitz(cls, net: Arrays) -> float:
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


def _sigmoid(a: Floats) -> Floats:
    """Logistic function, by way of tanh: it overflows nowhere."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


class _Tanh(_Leaky):
    """The leaky cell with leak = 1."""

    leak = 1.0
    has_leak = False


KINDS: dict[str, type[Kind]] = {"tanh": _Tanh, "leaky": _Leaky, "gru": _Gru}
