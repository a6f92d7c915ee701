"""Nothing that Python or another thread does while the core works can spoil memory.

Each case that once ended the interpreter runs in a process of its own.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import hrnn
from hrnn import _core
from hrnn.inference import Believer

FUZZER = Path(__file__).with_name("fuzz_core.py")
HERE = os.environ | {"PYTHONPATH": str(Path(hrnn.__file__).parents[1])}
TASK = hrnn.Task()
BELIEVER = Believer("semi_markov").form(TASK)
ALONE = """
import threading, numpy as np, hrnn
from hrnn import _core
from hrnn.inference import Believer
task = hrnn.Task()
net = hrnn.Network.init("tanh", n_hidden=8, rng=0)
sessions = task.sample(n_blocks=3000, rng=0)
R = sessions.n_trials
def forward(theta, form):
    room = np.empty(_core.rollout_scratch(task.form, net.form, 1, 1)[0])
    out = np.empty(10**6), None, np.empty(R, np.int8), np.empty(R, np.int64), room
    return _core.rollout_forward(
        theta, net.form, form, sessions.form, R, np.zeros(3), np.zeros(8), *out
    )
"""


def alone(code, timeout=60):
    """Run code in a process of its own; what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE + code],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=HERE,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def state_of(head, oldest):
    state = np.full(_core.inference_sizes(TASK.form)[0], 0.01)
    state[3:5] = head, oldest
    return state


def call_filter(state, first=1):
    n = 20
    arrays = np.zeros(n, np.int64), np.ones(n, np.int8), np.ones(n, np.int8), np.zeros((n, 2))
    prior = np.full(n, np.nan)
    _core.inference_filter(TASK.form, BELIEVER, first, 10, *arrays, state, prior, np.empty(n))
    return prior[first:10]


def call_observer(state):
    sessions = TASK.sample(n_sessions=1, rng=0).form
    n = len(sessions.session)
    steps = np.empty(9 * 5), np.empty(9 * 5)
    out = state, np.empty(n), np.empty(n), *steps, np.empty(_core.inference_sizes(TASK.form)[1])
    done = np.ones(n, np.int8), np.full(n, 3)
    _core.inference_observer(TASK.form, BELIEVER, sessions, 1, 10, *done, *out)


def call_actor(state):
    sessions = TASK.sample(n_sessions=1, rng=0).form
    n = len(sessions.session)
    out = np.empty(n, np.int8), np.empty(n, np.int64), np.empty(n), np.empty(9 * 12)
    room = np.empty(_core.inference_sizes(TASK.form)[1])
    forms = TASK.form, BELIEVER, TASK.form, sessions, None
    _core.inference_actor(*forms, 1, 10, state, *out, room)


@pytest.mark.parametrize("call", [call_filter, call_observer, call_actor])
@pytest.mark.parametrize(
    ("head", "oldest"),
    [(1e9, 1), (257, 1), (-5, 3), (0.5, 3), (np.nan, 3), (3, 1e9), (3, 101), (3, 0), (3, np.nan)],
)
def test_a_state_that_no_call_left_is_refused(call, head, oldest):
    with pytest.raises(ValueError, match="state must be what the call before left"):
        call(state_of(head, oldest))


@pytest.mark.parametrize(("head", "oldest"), [(0, 100), (256, 1), (256, 100)])
def test_the_ends_of_a_state_are_taken(head, oldest):
    call_filter(state_of(head, oldest))
    call_observer(state_of(head, oldest))
    call_actor(state_of(head, oldest))


def test_a_first_session_needs_no_state():
    assert call_filter(state_of(np.nan, np.nan), first=0)[0] == 0.5


def test_a_state_goes_on_as_if_the_calls_were_one():
    n = 300
    arrays = np.zeros(n, np.int64), np.ones(n, np.int8), np.ones(n, np.int8), np.zeros((n, 2))
    whole, parts = np.empty((2, n))
    _core.inference_filter(TASK.form, BELIEVER, 0, n, *arrays, state_of(0, 1), whole, np.empty(n))
    state = state_of(np.nan, np.nan)
    for first in range(0, n, 7):
        last = min(first + 7, n)
        _core.inference_filter(TASK.form, BELIEVER, first, last, *arrays, state, parts, np.empty(n))
    np.testing.assert_array_equal(parts, whole)


def solve(strengths=(0.0, 1.0), noise_sd=1.0, grid=None):
    weights = np.full(len(strengths), 1 / len(strengths))
    form = TASK.form._replace(
        strengths=np.array(strengths), strength_weights=weights, noise_sd=noise_sd
    )
    grid = grid or _core.policy_grid(TASK.form, 0, 0.25)
    believer = BELIEVER._replace(log_weights=np.log(weights))
    wait = np.empty((9, *grid[2:]))
    return _core.policy_solve(
        form, believer, grid, 0.5, 0.0, wait, np.empty(_core.policy_scratch(form, grid))
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"strengths": (0.0, 1e19)},
        {"strengths": (0.0, 1e300)},
        {"strengths": (np.nan, 1.0)},
        {"strengths": (np.inf,)},
        {"strengths": (-1e300, 1.0)},
        {"noise_sd": 1e-300},
        {"noise_sd": 0.0},
        {"noise_sd": np.inf},
        {"grid": (-1e-300, 1e-300, 4, 4)},
        {"grid": (-3.6, 1.0, 4, 4)},  # the origin would round to beyond the end
        {"grid": (np.nan, 1.0, 4, 4)},
        {"grid": (-1.0, np.inf, 4, 4)},
    ],
)
def test_absurd_numbers_of_a_policy_are_a_number_or_an_error(wrong):
    with contextlib.suppress(ValueError, _core.NumericalError):
        assert np.isfinite(solve(**wrong))


@pytest.mark.parametrize(
    ("changes", "spacing"),
    [({"noise_sd": 1e-300}, 0.25), ({"noise_sd": 0.0}, 0.25), ({}, 1e-300), ({}, np.nan)],
)
def test_a_grid_too_fine_is_refused(changes, spacing):
    for evidence in (0, 1):
        with pytest.raises(ValueError, match=r"strengths / noise_sd|spacing"):
            _core.policy_grid(TASK.form._replace(**changes), evidence, spacing)


@pytest.mark.parametrize("size", [1, 10**6])
def test_a_number_that_resizes_an_array_is_refused(size):
    code = f"""
theta = net.theta.copy()
class Evil:
    def __float__(self):
        theta.resize({size}, refcheck=False)
        return 0.8
try:
    forward(theta, task.form._replace(wait_penalty=Evil()))
except TypeError as error:
    print(error)
assert theta.size == net.theta.size
"""
    assert alone(code) == "wait_penalty must be a float, got Evil"


def test_an_array_in_use_cannot_be_resized():
    code = """
import time
theta = net.theta.copy()
whole = np.concatenate([theta, theta])
for array, owner in ((theta, theta), (whole[: len(theta)], whole)):
    thread = threading.Thread(target=lambda: [forward(array, task.form) for _ in range(20)])
    thread.start()
    time.sleep(0.2)
    refused = 0
    for _ in range(20):
        try:
            owner.resize(len(owner) + 1, refcheck=False)
            break
        except ValueError:
            refused += 1
    print(refused == 20 or not thread.is_alive())
    thread.join()
"""
    assert alone(code) == "True\nTrue"


def test_numbers_of_observations_may_change_while_an_observer_reads_them():
    code = """
run = hrnn.rollout(hrnn.BayesianActor(), sessions)
believer = Believer("semi_markov").form(task)
n_state, n_room = _core.inference_sizes(task.form)
n_obs, state = run.n_obs.copy(), np.empty(n_state)
stop = threading.Event()
def meddle():
    while not stop.is_set():
        n_obs[:] = 10
        state[:] = 1e9
        n_obs[:] = run.n_obs
thread = threading.Thread(target=meddle)
thread.start()
for _ in range(20):
    steps = np.empty(len(run.p_right)), np.empty(len(run.p_right))
    out = np.empty(R), np.empty(R), *steps, np.empty(n_room)
    try:
        _core.inference_observer(
            task.form, believer, sessions.form, 0, R, run.choice, n_obs, state, *out
        )
    except ValueError:
        pass  # the sum of the steps was another
stop.set()
thread.join()
print("done")
"""
    assert alone(code) == "done"


def test_lengths_and_offsets_may_change_while_they_are_read():
    code = """
length, offsets = np.full(50, 20), np.array([0, 20, 40])
stop = threading.Event()
def meddle():
    while not stop.is_set():
        length[:] = 10**9
        offsets[:] = -(10**9), 0, 10**9
        length[:] = 20
        offsets[:] = 0, 20, 40
thread = threading.Thread(target=meddle)
thread.start()
bits = np.random.PCG64(0)
room = np.empty(_core.rollout_scratch(task.form, net.form, 2, R)[1])
for _ in range(300):
    arrays = np.empty(1000, np.int8), np.empty(1000, np.int8), np.empty(1000)
    done = np.empty(R, np.int8), np.empty(R, np.int64), np.zeros_like(net.theta)
    try:
        _core.task_sample_session(task.form, bits, length, 0, *arrays, np.empty((1000, 10, 2)))
    except ValueError:
        pass
    try:
        _core.rollout_gradient(
            net.theta, net.form, task.form, sessions.form, offsets, 0, 1.0, np.empty(2), *done, room
        )
    except ValueError:
        pass
stop.set()
thread.join()
print("done")
"""
    assert alone(code) == "done"


def test_two_threads_that_hold_two_generators_do_not_wait_for_each_other():
    code = """
a, b = np.random.PCG64(1), np.random.PCG64(2)
def draw(one, other):
    for _ in range(200):
        arrays = np.ones(2000, np.int8), np.empty(2000, np.int8), np.empty(2000)
        _core.task_sample_trials(task.form, one, other, *arrays, np.empty((2000, 10, 2)))
pairs = (a, b), (b, a), (a, a), (b, None)
threads = [threading.Thread(target=draw, args=pair, daemon=True) for pair in pairs]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(30)
print(any(thread.is_alive() for thread in threads))
"""
    assert alone(code, timeout=150) == "False"


def test_one_generator_given_twice_is_one_stream():
    def draw(noise):
        bits = np.random.PCG64(1)
        arrays = np.ones(9, np.int8), np.empty(9, np.int8), np.empty(9), np.empty((9, 10, 2))
        _core.task_sample_trials(TASK.form, bits, bits if noise else None, *arrays)
        return arrays

    for one, other in zip(draw(True), draw(False), strict=True):
        np.testing.assert_array_equal(one, other)


class Pretender:
    lock = 1
    capsule = np.random.PCG64(0).capsule


class Empty(np.random.BitGenerator):
    """A generator without functions to draw with."""


class Misleading(np.random.PCG64):
    lock = None  # pyright: ignore[reportAssignmentType,reportIncompatibleVariableOverride]
    capsule = None  # pyright: ignore[reportAssignmentType,reportIncompatibleVariableOverride]


@pytest.mark.parametrize(
    "wrong", [Pretender(), Empty(), Empty.__new__(Empty), np.random.PCG64, None, 3]
)
def test_what_is_no_generator_is_refused(wrong):
    with pytest.raises(TypeError, match="bit_generator must be a numpy BitGenerator"):
        _core.rng_normal(wrong, np.empty(4))


def test_a_subclass_cannot_mislead_about_a_generator():
    given, plain = np.empty((2, 4))
    _core.rng_normal(Misleading(5), given)
    _core.rng_normal(np.random.PCG64(5), plain)
    np.testing.assert_array_equal(given, plain)


@pytest.mark.parametrize("wrong", [None, [], 3, (), (1,), "abcdef"])
def test_what_is_no_tuple_of_trials_is_refused(wrong):
    few = np.empty(1)
    with pytest.raises(TypeError, match="trials must be a tuple"):
        _core.choice_prior(0, wrong, 0, few, few.copy(), np.empty((1, 1)))
    with pytest.raises(TypeError, match="trials must be a tuple"):
        _core.choice_p_right(wrong, (), few, few.copy(), few.copy())
    none = np.empty(0)
    trials = (none.astype(int), *[none.astype(np.int8)] * 4, none)
    with pytest.raises(TypeError, match="decision must be a tuple"):
        _core.choice_p_right(trials, wrong, none, none, none)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"block_max": 10**400}, ValueError, "block_max must be in"),
        ({"block_max": 1.0}, TypeError, "block_max must be an int, got float"),
        ({"n_obs_max": -(2**63)}, ValueError, "n_obs_max must be in"),
        ({"wait_penalty": 10**400}, ValueError, "wait_penalty is too large"),
        ({"threshold": "0.9"}, TypeError, "threshold must be a float, got str"),
        ({"block_hazard": 0.0}, ValueError, "block_hazard is out of range"),
        ({"block_hazard": np.nan}, ValueError, "block_hazard is out of range"),
    ],
)
def test_a_wrong_number_is_named(changes, kind, message):
    with pytest.raises(kind, match=message):
        _core.inference_sizes(TASK.form._replace(**changes))


def test_a_pivot_in_scratch_is_no_index():
    net = hrnn.Network.init("tanh", n_hidden=40, rng=0)
    room = np.empty(_core.fixedpoint_scratch(net.form)[0])
    stop = threading.Event()

    def meddle():
        while not stop.is_set():
            room.view(np.int64)[:] = 2**31 - 1
            room[:] = 0

    thread = threading.Thread(target=meddle)
    thread.start()
    for _ in range(10):
        points = np.zeros((3, 40))
        out = np.empty(3), np.empty(3, np.int8), np.empty(3, np.int64), room
        _core.fixedpoint_search(net.theta, net.form, np.zeros(3), 10, 1e-9, points, *out)
    stop.set()
    thread.join()


def fuzz(seed, n_inputs, timeout):
    command = [sys.executable, str(FUZZER), "--seed", str(seed), "--n-inputs", str(n_inputs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=HERE)
    assert done.returncode == 0, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return json.loads(done.stdout)["outcomes"]


def test_wrong_input_of_every_function_is_refused_by_name():
    outcomes = fuzz(0, 1500, 120)
    assert outcomes["returned"] > 200
    assert outcomes["TypeError"] > 200
    assert outcomes["ValueError"] > 200
    assert outcomes["of right ones: returned"] > 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 4))
def test_wrong_input_of_every_function_is_refused_by_name_at_length(seed):
    fuzz(seed, 5000, 600)
