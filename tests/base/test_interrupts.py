"""Ctrl-C: a call that lasts ends soon after SIGINT, with its threads; NumPy is as it was."""

import os
import signal
import subprocess
import sys
import time

import pytest

SECONDS = 2.0  # far above what it takes, since other work may be on the cores
N_TRIES = 3

PROGRAM = """
import signal, sys, tempfile, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
import numpy as np, scipy.linalg, pandas, threadpoolctl
import hrnn
from hrnn import mice
def blas():
    return {one["filepath"]: one["num_threads"] for one in threadpoolctl.threadpool_info()}
before = blas()
def network(n, gain=1.0):
    return hrnn.Network.init("tanh", n_hidden=n, rng=0)
def table(n_sessions, n_subjects=1):
    task = hrnn.Task.preset("ibl", contrast_gain=1.0)
    runs = [hrnn.rollout(hrnn.BayesianActor(), task.sample(n_sessions=n_sessions, rng=i)).trials
            for i in range(n_subjects)]
    return pandas.concat([run.assign(subject=f"m{i}") for i, run in enumerate(runs)])
silent = {"progress": False}
SETUP
print("ready", flush=True)
try:
    CALL
    print("done", flush=True)
except KeyboardInterrupt:
    print("stopped", flush=True)
left = [thread for thread in threading.enumerate() if not thread.daemon]
print(len(left), before.items() <= blas().items(), flush=True)
"""

# name: (setup, call, seconds from its beginning to SIGINT)
CALLS = {
    "train": (
        "net = network(1000); recipe = hrnn.Recipe(n_sessions=2)",
        "hrnn.train(net, hrnn.Task(), recipe, n_threads=1, **silent)",
        1.0,
    ),
    "train in threads": (
        "net = network(1000); recipe = hrnn.Recipe(n_sessions=16)",
        "hrnn.train(net, hrnn.Task(), recipe, n_threads=2, **silent)",
        1.0,
    ),
    "gradient": (
        "net = network(500); sessions = hrnn.Task().sample(n_sessions=64, rng=0)",
        "hrnn.training.loss_and_gradient(net, sessions)",
        1.0,
    ),
    "rollout": (
        "net = network(2000); sessions = hrnn.Task().sample(n_sessions=64, rng=0)",
        "hrnn.rollout(net, sessions, hidden=False, **silent)",
        1.0,
    ),
    "policy": ("", "hrnn.OptimalPolicy().solution(hrnn.Task(n_obs_max=60))", 1.0),
    "fixed points": (
        "net = network(600); starts = np.random.default_rng(0).normal(size=(200, 600))",
        "hrnn.fixed_points(net, x=[0, 0, 0], starts=starts)",
        1.0,
    ),
    "iteration": (
        "net = network(600); states = np.random.default_rng(0).normal(size=(4000, 600))",
        "hrnn.dynamics.iterate(net, x=[0, 0, 0], states=states, n_steps=10_000)",
        1.0,
    ),
    "fit": (
        "trials = table(300)",
        "mice.fit(trials, 'semi_markov_free', n_starts=50, **silent)",
        1.0,
    ),
    "fit of many starts": (
        "trials = table(60)",
        "mice.fit(trials, 'four_alpha', n_starts=200, **silent)",
        1.0,
    ),
    "cross_validate": (
        "trials = table(60)",
        "mice.cross_validate(trials, 'semi_markov_free', n_starts=50, **silent)",
        1.0,
    ),
    "compare": ("trials = table(60, 4)", "mice.compare(trials, n_starts=20, **silent)", 1.0),
    "recover": (
        "fitted = mice.fit(table(60), 'action_kernel', n_starts=2, **silent)",
        "mice.recover(fitted, n_starts=200, **silent)",
        1.0,
    ),
    "confusion": ("trials = table(30)", "mice.confusion(trials, n_starts=50, **silent)", 1.0),
    "tiny_rnn": ("trials = table(10)", "mice.tiny_rnn(trials, **silent)", 1.0),
    "population in threads": (
        "folder = tempfile.mkdtemp()",
        "hrnn.population(folder, recipe='fast', n_networks=4, n_blocks=200, **silent)",
        1.0,
    ),
    "population in threads, at once": (
        "folder = tempfile.mkdtemp()",
        "hrnn.population(folder, recipe='fast', n_networks=4, n_blocks=200, **silent)",
        0.05,
    ),
    "population, late": (
        "folder = tempfile.mkdtemp(); recipe = hrnn.Recipe(n_steps=3)",
        "hrnn.population(folder, recipe=recipe, n_networks=4, n_blocks=4000, **silent)",
        6.0,
    ),
}


def interrupted(setup, call, delay):
    """Seconds from SIGINT to the end of the call, and what was written of it."""
    program = PROGRAM.replace("SETUP", setup).replace("CALL", call)
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=dict(os.environ, PYTHONWARNINGS="ignore"),
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(delay)
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            how = process.stdout.readline().strip()
            seconds = time.monotonic() - sent
            return seconds, how, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.parametrize("name", CALLS)
def test_a_call_ends_soon_after_ctrl_c(name):
    seconds = []
    for _ in range(N_TRIES):
        latency, how, after = interrupted(*CALLS[name])
        assert how == "stopped"
        assert after == "1 True", "threads left, NumPy's BLAS as it was"
        seconds.append(latency)
        if latency < SECONDS:
            return
    raise AssertionError(f"it took {seconds} s")


def test_a_notebook_is_interrupted():
    jupyter_client = pytest.importorskip("jupyter_client")
    manager, client = jupyter_client.manager.start_new_kernel(kernel_name="python3")
    setup = PROGRAM.split("SETUP")[0].partition("signal.default_int_handler)")[2]
    calls = [CALLS["train"], CALLS["fit"]]
    try:
        for before, call, delay in calls:
            reply = client.execute_interactive(f"{setup}\n{before}", timeout=120, silent=True)
            assert reply["content"]["status"] == "ok", reply["content"]
            asked = client.execute(call, stop_on_error=False)
            time.sleep(delay)
            sent = time.monotonic()
            manager.interrupt_kernel()
            while True:
                reply = client.get_shell_msg(timeout=120)
                if reply["parent_header"]["msg_id"] == asked:
                    break
            assert reply["content"].get("ename") == "KeyboardInterrupt"
            assert time.monotonic() - sent < 2 * SECONDS
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
