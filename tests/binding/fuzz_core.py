"""Calls every function of `hrnn._core` with arguments that are right but for what is done to some.

    python tests/binding/fuzz_core.py --seed 0 --n-inputs 1000

Prints one JSON line: how often each outcome came. What is no TypeError, ValueError, MemoryError or
NumericalError ends it with status 1; a crash or a hang is seen by whoever started it. The input
that is being tried stands in the file `--trace`, written before the call.
"""

from __future__ import annotations

import argparse
import collections
import json
import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import hrnn
from hrnn import _core
from hrnn.inference import BLOCK_MODELS, Believer

ALLOWED = (TypeError, ValueError, MemoryError, _core.NumericalError)
NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 7, 1000, 10**6, 2**31, 2**63 - 1, -(2**63), 2**64, 10**400, True),
    *(0.0, 0.5, 1.0, -0.5, 1e-300, 1e-6, 1e6, 1e19, 1e300, float("inf"), -float("inf")),
    *(float("nan"), None, "x", b"x", (), [], {}, 1j, np.float64(0.5), np.int64(3), np.int8(-1)),
)


class Evil:
    """A number that does something to an array while it is converted."""

    def __init__(self, target: np.ndarray) -> None:
        self.target = target

    def __float__(self) -> float:
        self.target.resize(1, refcheck=False)
        return 0.5

    def __index__(self) -> int:
        self.target.resize(1, refcheck=False)
        return 1


def form_of(draw: np.random.Generator) -> tuple[hrnn.Task, Any]:
    """A task, often at an edge of what is allowed."""
    p = draw.choice
    low = int(p([1, 2, 20]))
    task = hrnn.Task(
        strengths=[(0.0, 1.0), (1.0, 1.0, 1.0), (1e-6,), (1e6, 0.0), (0.0, 0.5, 2.5)][p(5)],
        p_block=float(p([0.5, 0.8, 1.0])),
        block_law=str(p(["geometric", "exponential"])),  # pyright: ignore[reportArgumentType]
        block_hazard=float(p([1e-9, 0.02, 0.999])),
        block_min=low,
        block_max=int(p([low, low + 1, 300])) if low < 300 else low,
        n_unbiased=int(p([0, 3])),
        n_blocks=2,
        n_blank=int(p([0, 2, 50])),
        n_obs_max=int(p([1, 2, 10, 1000], p=[0.3, 0.3, 0.38, 0.02])),
        threshold=float(p([0.5, 0.5 + 1e-12, 0.9, 1 - 1e-12])),
        wait_penalty=float(p([-0.05, 0.0, 1e6])),
        noise_sd=float(p([1e-6, 1.0, 1e6])),
    )
    return task, task.form


def sessions_of(draw: np.random.Generator, task: hrnn.Task, n: int) -> tuple[Any, ...]:
    """Sessions of n trials, as the core takes them."""
    sides = np.array([-1, 1], np.int8)
    return (
        np.sort(draw.integers(0, 3, n)),
        draw.choice(np.array([-1, 0, 1], np.int8), n),
        draw.choice(sides, n),
        draw.normal(size=(n, task.n_obs_max, 2)),
    )


def cell_of(draw: np.random.Generator, most: int = 12) -> tuple[tuple[Any, ...], np.ndarray]:
    """A cell and parameters for it."""
    kind = int(draw.integers(len(_core.CELLS)))
    cell = (kind, int(draw.integers(1, most + 1)), 0.5 if _core.CELLS[kind] == "leaky" else 1.0)
    layout = _core.cell_layout(cell)
    size = sum(int(np.prod(shape)) for _, _, shape in layout)
    return cell, float(draw.choice([0.3, 1e3])) * draw.normal(size=size)


def believer_of(draw: np.random.Generator, task: hrnn.Task) -> tuple[Any, ...]:
    """A believer of this task."""
    own = Believer(str(draw.choice(BLOCK_MODELS)), str(draw.choice(["both", "difference"])))
    return tuple(own.form(task))


def _task(draw: np.random.Generator, name: str) -> list[Any]:
    task, form = form_of(draw)
    n = int(draw.integers(0, 9))
    bits = np.random.PCG64(int(draw.integers(9)))
    world = sessions_of(draw, task, n)
    place = np.array([draw.integers(max(n, 1)), draw.integers(task.n_blank + 1), 0.0])
    filled = [np.ones(n, np.int8), np.empty(n, np.int8), np.empty(n), world[3]]
    return {
        "task_block_law": [form, *np.empty((2, task.block_max + 1)).copy()],
        "task_sample_lengths": [form, bits, np.empty(n, np.int64)],
        "task_sample_trials": [form, bits, [None, bits, np.random.MT19937(1)][n % 3], *filled],
        "task_sample_session": [form, bits, np.array([n // 2, n // 3]), 0, *filled],
        "task_observe": [form, world, place, np.empty(3)],
        "task_act": [form, world, 3.0, place, np.empty(n, np.int8), np.empty(n, np.int64)],
        "inference_sizes": [form],
    }[name]


def _inference(draw: np.random.Generator, name: str) -> list[Any]:
    task, form = form_of(draw)
    n = int(draw.integers(1, 9))
    first = int(draw.choice([0, n // 2]))
    n_state, n_scratch = _core.inference_sizes(form)
    state = np.full(n_state, 0.01)
    state[3:5] = float(draw.integers(0, 257)), float(draw.integers(1, task.block_max + 1))
    room = np.empty(n_scratch)
    world = sessions_of(draw, task, n)
    believer = believer_of(draw, task)
    n_obs = draw.integers(1, task.n_obs_max + 1, n)
    n_steps = int((n_obs[first:] + task.n_blank).sum())
    choice = draw.choice(np.array([-1, 0, 1], np.int8), n)
    out = [np.empty(n), np.empty(n)]
    most = (n - first) * (task.n_blank + task.n_obs_max)
    policy = None
    if draw.random() < 0.3 and task.n_obs_max < 20:
        policy = ((-2.0, 1.0, 5, 5), 1.0, draw.normal(size=(2, task.n_obs_max - 1, 5, 5)))
    return {
        "inference_evidence": [form, believer, n_obs, np.ones((n, 2)), np.empty((n, 2)), room],
        "inference_filter": [form, believer, first, n, *world[:3], np.ones((n, 2)), state, *out],
        "inference_observer": [
            *(form, believer, world, first, n, choice, n_obs, state, *out),
            *(np.empty(n_steps), np.empty(n_steps), room),
        ],
        "inference_actor": [
            *(form, believer, form, world, policy, first, n, state, choice),
            *(n_obs, out[0], np.empty(most), room),
        ],
    }[name]


def _policy(draw: np.random.Generator, name: str) -> list[Any]:
    task, form = form_of(draw)
    form = form._replace(n_obs_max=min(task.n_obs_max, 3))
    if name == "policy_grid":
        return [form, int(draw.integers(2)), float(draw.choice([0.25, 0.5, 1.0]))]
    n = int(draw.choice([2, 5, 30]))
    grid = (-1.0 * (n // 2), float(draw.choice([1.0, 0.25])), int(draw.choice([1, n])), n)
    if -grid[0] / grid[1] > n - 1:
        grid = (-grid[1] * (n // 2), *grid[1:])
    if name == "policy_scratch":
        return [form, grid]
    wait = np.empty((form.n_obs_max - 1, grid[2], grid[3]))
    room = np.empty(_core.policy_scratch(form, grid))
    return [form, believer_of(draw, task), grid, 0.6, float(draw.choice([0, 0.1])), wait, room]


def _rollout(draw: np.random.Generator, name: str) -> list[Any]:
    task, form = form_of(draw)
    cell, theta = cell_of(draw)
    n = int(draw.integers(1, 9))
    sizes = _core.rollout_scratch(form, cell, 8, n)
    if name == "rollout_scratch":
        return [form, cell, 8, n]
    world = sessions_of(draw, task, n)
    done = [np.empty(n, np.int8), np.empty(n, np.int64)]
    if name == "rollout_forward":
        most = int(draw.choice([0, 3, 50]))
        hidden = [None, np.empty((most, cell[1]))][int(draw.integers(2))]
        place = np.array([draw.integers(n + 1), draw.integers(task.n_blank + 1), 0.0])
        steps = [np.zeros(cell[1]), np.empty(most), hidden]
        return [theta, cell, form, world, n, place, *steps, *done, np.empty(sizes[0])]
    offsets = np.unique(draw.integers(0, n + 1, 4))
    if len(offsets) < 2:
        offsets = np.array([0, n])
    room = np.empty(sizes[1])
    loss = np.empty(len(offsets) - 1)
    kind = int(draw.integers(len(_core.LOSSES)))
    return [theta, cell, form, world, offsets, kind, 1.0, loss, *done, np.zeros_like(theta), room]


def _sequence(draw: np.random.Generator, name: str) -> list[Any]:
    cell, theta = cell_of(draw)
    n_steps, n_lanes = int(draw.integers(1, 6)), _core.WIDTH * int(draw.integers(1, 3))
    x = draw.normal(size=(3, n_steps, n_lanes))
    q, weight, margin = np.full((3, n_steps, n_lanes), 0.5).copy()
    states = np.empty((cell[1], n_steps, n_lanes))
    n, k = cell[1], cell[1] + 4
    room = [np.empty(size) for size in _core.sequence_scratch(cell, n_steps, n_lanes)]
    y = [None, np.zeros_like(states)][int(draw.integers(2))]
    inverse = np.stack([np.eye(k)] * 2)
    starts = np.zeros(n_steps, np.int8)
    free = [x[:, :, 0].T.copy(), starts, np.zeros((n_steps, n)), np.zeros(n_steps), inverse]
    return {
        "sequence_scratch": [cell, n_steps, n_lanes],
        "sequence_forward": [theta, cell, x, margin, states, room[0]],
        "sequence_gradient": [
            *(theta, cell, x, q, weight, 1.0, y, None if y is None else weight),
            *(np.zeros_like(theta), room[0]),
        ],
        "sequence_force": [theta, cell, *free, np.zeros(n), room[1]],
    }[name]


def _gru(draw: np.random.Generator, name: str) -> list[Any]:
    n, n_steps, n_lanes = int(draw.integers(1, 6)), int(draw.integers(1, 6)), _core.WIDTH
    n_parameters, n_room = _core.gru_sizes(n, n_steps, n_lanes)
    theta, room = draw.normal(size=n_parameters), np.empty(n_room)
    x = draw.normal(size=(3, n_steps, n_lanes))
    q, weight, margin = np.full((3, n_steps, n_lanes), 0.5).copy()
    return {
        "gru_sizes": [n, n_steps, n_lanes],
        "gru_forward": [theta, n, x, margin, np.empty((n, n_steps, n_lanes)), room],
        "gru_gradient": [theta, n, x, q, weight, np.zeros(n_parameters), room],
    }[name]


def _fixedpoint(draw: np.random.Generator, name: str) -> list[Any]:
    cell, theta = cell_of(draw)
    n = int(draw.integers(0, 6))
    points = draw.normal(size=(n, cell[1]))
    rooms = [np.empty(size) for size in _core.fixedpoint_scratch(cell)]
    found = [np.empty(n), np.empty(n, np.int8), np.empty(n, np.int64)]
    return {
        "fixedpoint_scratch": [cell],
        "fixedpoint_search": [theta, cell, np.zeros(3), 20, 1e-9, points, *found, rooms[0]],
        "fixedpoint_iterate": [theta, cell, np.zeros(3), 20, 1e-9, points, found[2], rooms[1]],
    }[name]


def _choice(draw: np.random.Generator, name: str) -> list[Any]:
    n, k = int(draw.integers(0, 300)), int(draw.integers(0, 5))
    some = [draw.integers(-1, 2, n).astype(np.int8) for _ in range(4)]
    trials = (np.sort(draw.integers(0, 3, n)), *some, draw.normal(size=n))
    model = int(draw.integers(len(_core.CHOICE_PRIORS)))
    n_parameters = (1, 1, 4, 3, 2)[model]
    decision = (1.0, 0.5, 0.5, 0.1, 0.1, 0.1, 0.0, *(bool(v) for v in draw.integers(0, 2, 4)))
    n_all = (4 - sum(decision[7:9])) + sum(decision[9:]) + k
    prior, room = np.full(n, 0.5), np.empty(_core.choice_scratch())
    outputs = [np.empty(n_all), np.empty((n_all, n_all)), [None, np.empty(n)][n % 2]]
    return {
        "choice_prior": [
            *(model, trials, n % 2, np.full(n_parameters, 0.3)),
            *(prior, np.empty((n_parameters, n))),
        ],
        "choice_likelihood": [trials, decision, prior, np.zeros((k, n)), *outputs, room],
        "choice_p_right": [trials, decision, prior, np.empty(n), room],
        "choice_scratch": [],
    }[name]


def _plain(draw: np.random.Generator, name: str) -> list[Any]:
    n = _core.WIDTH * int(draw.integers(0, 5))
    x, y, z, w = np.full((4, n), 0.25).copy()
    sides = draw.integers(1, 9, 3)
    A, B = draw.normal(size=sides[:2]), draw.normal(size=sides[1:])
    return {
        "kernel_normal": [x, y, z],
        "linalg_gemm": [A, B, np.empty((sides[0], sides[2]))],
        "rng_normal": [np.random.SFC64(1), x],
        "cell_layout": [cell_of(draw, 500)[0]],
        "optim_sgd": [0.1, 0.5, x, y, z],
        "optim_adam": [0.1, 1.0, x, y, z, w],
        "info": [],
    }.get(name, [x, y])


MAKERS: dict[str, Callable[[np.random.Generator, str], list[Any]]] = {
    "task": _task,
    "inference": _inference,
    "policy": _policy,
    "rollout": _rollout,
    "sequence": _sequence,
    "gru": _gru,
    "fixedpoint": _fixedpoint,
    "choice": _choice,
}
FUNCTIONS = sorted(name for name in dir(_core) if callable(getattr(_core, name)) and name.islower())


def arguments_of(draw: np.random.Generator, name: str) -> list[Any]:
    """Arguments that a function takes."""
    if name == "inference_sizes":
        return _task(draw, name)
    return MAKERS.get(name.split("_")[0], _plain)(draw, name)


def arrays_in(values: Any) -> list[np.ndarray]:
    """All arrays of the arguments, those in tuples, too."""
    if isinstance(values, np.ndarray):
        return [values]
    if isinstance(values, (list, tuple)):
        return [array for value in values for array in arrays_in(value)]
    return []


def spoiled_array(draw: np.random.Generator, array: np.ndarray, others: list[np.ndarray]) -> Any:
    """Another array in its place: wrong type, layout or size, wild values, or somebody else's."""
    how = int(draw.integers(14))
    if how == 0:
        with np.errstate(all="ignore"):
            return array.astype(["f4", "i4", "i8", "i1", "f8", "U1", "O", "c16"][draw.integers(8)])
    if how == 1:
        return np.repeat(array, 2, -1)[..., ::2] if array.ndim else array
    if how == 2:
        return array[: len(array) // 2].copy()
    if how == 3:
        return np.concatenate([array, array])
    if how == 4:
        array.flags.writeable = False
        return array
    if how == 5 and array.dtype.kind in "iuf":
        return np.frombuffer(b"\0" + array.tobytes(), array.dtype, offset=1).reshape(array.shape)
    if how == 6:
        return array.astype(array.dtype.newbyteorder())
    if how == 7:
        return others[int(draw.integers(len(others)))]
    if how == 8:
        return np.asfortranarray(array)
    if how == 9:
        return array[..., None].copy() if draw.random() < 0.5 else array.flatten()
    if how == 10:
        return array.copy().view(np.matrix if array.ndim == 2 else np.recarray)
    if how == 11:
        return np.empty((0,) * array.ndim, array.dtype)
    wild = [0, -1, 1, 2, 10**9, 2**62, -(2**63)]
    if array.dtype.kind not in "iuf":
        return array
    if array.dtype.kind == "f":
        wild = [np.nan, np.inf, -np.inf, -1.0, 1e9, 1e300, 0.5]
    flat = np.asarray(array).reshape(-1)
    if array.size and array.flags.writeable:
        at = draw.integers(0, array.size, int(draw.integers(1, 4)))
        with np.errstate(all="ignore"):
            flat[at] = np.array(wild)[draw.integers(0, len(wild), len(at))].astype(array.dtype)
    return array


def spoiled(draw: np.random.Generator, value: Any, every: list[np.ndarray]) -> Any:
    """What stands for an argument."""
    if isinstance(value, tuple) and value and draw.random() < 0.9:
        at = int(draw.integers(len(value)))
        if draw.random() < 0.1:
            return tuple(value)[:at]
        return (*value[:at], spoiled(draw, value[at], every), *value[at + 1 :])
    if isinstance(value, np.ndarray) and draw.random() < 0.9:
        return spoiled_array(draw, value, every)
    if every and draw.random() < 0.1:
        return Evil(every[int(draw.integers(len(every)))])
    return NUMBERS[int(draw.integers(len(NUMBERS)))]


def meddle(arrays: list[np.ndarray], seed: int, done: threading.Event) -> None:
    """Write into the arrays, and try to resize them, until it is done."""
    draw = np.random.default_rng(seed)
    while arrays and not done.is_set():
        array = arrays[int(draw.integers(len(arrays)))]
        try:
            if draw.random() < 0.1:
                array.resize(1, refcheck=False)
            elif array.size and array.dtype.kind in "if":
                wild = draw.choice([np.nan, 1e300, -1.0, 1e9]) if array.dtype.kind == "f" else -7
                np.asarray(array).reshape(-1)[int(draw.integers(array.size))] = wild
        except (ValueError, OverflowError, IndexError):
            pass  # held, read-only, or smaller than a moment ago


def call(name: str, arguments: list[Any], meddler: int | None) -> str:
    """Name of what came of a call."""
    done = threading.Event()
    if meddler is not None:
        args = (arrays_in(arguments), meddler, done)
        thread = threading.Thread(target=meddle, args=args, daemon=True)
        thread.start()
    try:
        for _ in range(1 if meddler is None else 5):
            getattr(_core, name)(*arguments)
    except Exception as error:
        return type(error).__name__
    finally:
        done.set()
        if meddler is not None:
            thread.join()
    return "returned"


def main(argv: list[str] | None = None) -> int:
    """Try inputs; returns 1 if one raised what it must not."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-inputs", type=int, default=1000)
    parser.add_argument("--gigabytes", type=float, default=4, help="of memory; 0 for no limit")
    parser.add_argument("--trace", type=Path)
    options = parser.parse_args(argv)
    if options.gigabytes:
        limit = int(options.gigabytes * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    allowed = {kind.__name__ for kind in ALLOWED} | {"returned"}
    outcomes: collections.Counter[str] = collections.Counter()
    wrong = []
    for i in range(options.n_inputs):
        draw = np.random.default_rng([options.seed, i])
        name = FUNCTIONS[int(draw.integers(len(FUNCTIONS)))]
        arguments = arguments_of(draw, name)
        n_spoiled = int(draw.choice([0, 1, 2, 3], p=[0.15, 0.55, 0.2, 0.1]))
        for _ in range(n_spoiled if arguments else 0):
            at = int(draw.integers(len(arguments)))
            arguments[at] = spoiled(draw, arguments[at], arrays_in(arguments))
        if draw.random() < 0.01:
            arguments = arguments[:-1]
        meddler = i if draw.random() < 0.1 else None
        if options.trace:
            options.trace.write_text(f"{options.seed} {i} {name}\n")
        outcome = call(name, arguments, meddler)
        outcomes[outcome] += 1
        if n_spoiled == 0 and meddler is None:
            outcomes[f"of right ones: {outcome}"] += 1
        if outcome not in allowed:
            wrong.append(f"{options.seed} {i} {name}: {outcome}")
    print(json.dumps({"outcomes": outcomes, "wrong": wrong}))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
