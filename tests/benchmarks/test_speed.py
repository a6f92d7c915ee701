"""Speed, as ratios to OpenBLAS dgemm of the same run. Run apart: pytest tests/benchmarks -s"""

import subprocess
import sys
import time

import numpy as np
import pytest

import hrnn
from hrnn import _core, training
from hrnn.inference import filter_sides


def seconds(function, repeat=5):
    function()
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


@pytest.fixture(scope="module")
def dgemm():
    """Flop/s of a product of two 1000 x 1000 matrices, one thread."""
    A, C = np.random.default_rng(0).random((1000, 1000)), np.empty((1000, 1000))
    return 2e9 / seconds(lambda: _core.linalg_gemm(A, A, C), 15)


def training_speed(n_hidden, n_sessions, n_threads=1):
    """Seconds per network step of whole training steps, sampling and update included."""
    n_steps = 300 if n_hidden <= 50 else 20
    net, task = hrnn.Network.init("tanh", n_hidden=n_hidden, rng=0), hrnn.Task(threshold=0.6)
    recipe = hrnn.Recipe(n_sessions=n_sessions, n_steps=n_steps, learning_rate=1e-9)
    taken = seconds(lambda: hrnn.train(net, task, recipe, progress=False, n_threads=n_threads), 3)
    streams, steps = np.random.default_rng(0).spawn(n_sessions), 0
    workspace, gradient = training.Workspace(net, task, recipe.loss), np.empty_like(net.theta)
    for _ in range(n_steps):
        for stream in streams:
            sessions, offsets = workspace.sample([stream])
            workspace.compute(net.theta, sessions, offsets, 1.0, gradient)
            steps += int(workspace.n_obs[: offsets[-1]].sum()) + task.n_blank * int(offsets[-1])
    return taken / steps


def show(benchmark, **numbers):
    benchmark.extra_info.update(numbers)
    print("", *(f"{name} {value:.3g}" for name, value in numbers.items()), sep="  ")


@pytest.mark.parametrize("n_hidden, n_sessions", [(2, 1), (8, 1), (16, 1), (32, 1), (50, 1), (100, 8), (128, 8), (256, 8)])
def test_training_step(benchmark, dgemm, n_hidden, n_sessions):
    per_step = benchmark.pedantic(training_speed, (n_hidden, n_sessions), rounds=1)
    fraction = 6 * (n_hidden + 2) * (n_hidden + 4) / per_step / dgemm
    show(benchmark, N=n_hidden, ns_per_step=per_step * 1e9, fraction_of_dgemm=fraction, dgemm_GF=dgemm / 1e9)


@pytest.mark.parametrize("n_hidden, n_sessions", [(50, 16), (128, 16)])
def test_two_threads(benchmark, n_hidden, n_sessions):
    one, two = benchmark.pedantic(lambda: [training_speed(n_hidden, n_sessions, k) for k in (1, 2)], rounds=1)
    show(benchmark, N=n_hidden, speedup=one / two)


def test_sampling_and_task(benchmark):
    task = hrnn.Task(threshold=0.999999999)

    def work():
        return hrnn.rollout(hrnn.Network.init("tanh", n_hidden=1, rng=0), task.sample(n_blocks=1000, rng=0), hidden=False)

    taken = benchmark.pedantic(lambda: seconds(work, 3), rounds=1)
    show(benchmark, M_steps_per_second_with_a_one_unit_network=len(work().p_right) / taken / 1e6)


def test_agents(benchmark):
    sessions = hrnn.Task().sample(n_blocks=1000, rng=0)
    actor = seconds(lambda: hrnn.rollout(hrnn.BayesianActor(), sessions))
    filters = []
    for longest in (100, 200, 400):
        task = hrnn.Task(block_max=longest)
        filters.append(seconds(lambda task=task: filter_sides(sessions.side, sessions.session, sessions.block_side, task=task)))
    n = sessions.n_trials / 1e6
    benchmark.pedantic(lambda: None, rounds=1)
    show(benchmark, actor_M_trials=n / actor, filter_M_trials_100=n / filters[0], filter_M_trials_200=n / filters[1],
         filter_M_trials_400=n / filters[2], filter_time_200_over_100=filters[1] / filters[0],
         filter_time_400_over_200=filters[2] / filters[1])


def test_policies(benchmark):
    def both():
        return [hrnn.OptimalPolicy(c).solution(hrnn.Task(wait_penalty=-0.05 - 1e-9 * next(fresh))) for c in
                ("reward_per_trial", "reward_per_step")]

    fresh = iter(range(100))
    show(benchmark, both_policies_seconds=benchmark.pedantic(lambda: seconds(both, 3), rounds=1))


SCRIPT = """
import hrnn
peak = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
task = hrnn.Task(); net = hrnn.Network.init('tanh', n_hidden=50, rng=0)
net = hrnn.train(net, task, recipe='fast', n_steps=100, progress=False).network
before = peak()
run = hrnn.rollout(net, task.sample(n_blocks=1000, rng=0)); run.inputs
print(len(run.p_right), peak() - before)
"""


def test_memory_and_import(benchmark):
    steps, mb = map(float, subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True).stdout.split())
    run = lambda code: subprocess.run([sys.executable, "-c", code], check=True)  # noqa: E731
    imported = seconds(lambda: run("import hrnn")) - seconds(lambda: run("import numpy"))
    benchmark.pedantic(lambda: None, rounds=1)
    show(benchmark, rollout_steps=steps, rollout_MB=mb, import_seconds_beyond_numpy=imported)


def test_overhead_of_python_per_training_step(benchmark):
    """A step of a one-unit network on one short block is nearly all overhead."""
    net, task = hrnn.Network.init("tanh", n_hidden=1, rng=0), hrnn.Task(n_blocks=1, block_min=1, block_max=1, n_obs_max=1)
    taken = benchmark.pedantic(lambda: seconds(lambda: hrnn.train(net, task, n_steps=3000, progress=False), 3), rounds=1)
    show(benchmark, microseconds_per_step=taken / 3000 * 1e6)
