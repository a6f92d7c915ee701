"""Speed, as ratios to OpenBLAS dgemm of the same run. Run apart: pytest tests/benchmarks -s"""

import shutil
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
    A = np.random.default_rng(0).random((1000, 1000))
    C = np.empty((1000, 1000))
    return 2e9 / seconds(lambda: _core.linalg_gemm(A, A, C), 15)


def training_speed(n_hidden, n_sessions, n_threads=1, cell="tanh"):
    """Seconds per network step of whole training steps, sampling and update included."""
    n_steps = 300 if n_hidden <= 50 else 20
    net = hrnn.Network.init(cell, n_hidden=n_hidden, rng=0)
    task = hrnn.Task(threshold=0.6)
    recipe = hrnn.Recipe(n_sessions=n_sessions, n_steps=n_steps, learning_rate=1e-9)
    taken = seconds(
        lambda: hrnn.train(net, task, recipe, progress=False, n_threads=n_threads, rng=0), 3
    )
    streams = np.random.default_rng(0).spawn(n_sessions)
    steps = 0
    workspace = training.Workspace(net, task, recipe.loss)
    gradient = np.empty_like(net.theta)
    for _ in range(n_steps):
        for stream in streams:
            sessions, offsets = workspace.sample([stream])
            workspace.compute(net.theta, sessions, offsets, 1.0, gradient)
            steps += int(workspace.n_obs[: offsets[-1]].sum()) + task.n_blank * int(offsets[-1])
    return taken / steps


def show(benchmark, **numbers):
    benchmark.extra_info.update(numbers)
    print("", *(f"{name} {value:.3g}" for name, value in numbers.items()), sep="  ")


@pytest.mark.parametrize(
    "n_hidden, n_sessions",
    [(2, 1), (8, 1), (16, 1), (32, 1), (50, 1), (100, 8), (128, 8), (256, 8)],
)
def test_training_step(benchmark, dgemm, n_hidden, n_sessions):
    per_step = benchmark.pedantic(training_speed, (n_hidden, n_sessions), rounds=1)
    fraction = 6 * (n_hidden + 2) * (n_hidden + 4) / per_step / dgemm
    show(
        benchmark,
        N=n_hidden,
        ns_per_step=per_step * 1e9,
        fraction_of_dgemm=fraction,
        dgemm_GF=dgemm / 1e9,
    )


@pytest.mark.parametrize("n_hidden", [50, 100, 200])
def test_gated_training_step(benchmark, dgemm, n_hidden):
    """Three times the products of a tanh cell."""
    per_step = benchmark.pedantic(training_speed, (n_hidden, 8, 1, "gru"), rounds=1)
    fraction = 6 * (3 * n_hidden + 2) * (n_hidden + 4) / per_step / dgemm
    show(benchmark, N=n_hidden, ns_per_step=per_step * 1e9, fraction_of_dgemm=fraction)


@pytest.mark.parametrize("n_hidden, n_sessions", [(50, 16), (128, 16)])
def test_two_threads(benchmark, n_hidden, n_sessions):
    one, two = benchmark.pedantic(
        lambda: [training_speed(n_hidden, n_sessions, k) for k in (1, 2)], rounds=1
    )
    show(benchmark, N=n_hidden, speedup=one / two)


def test_agents(benchmark):
    """The filter also in one long session.

    Where all ages of a block are reached and its cost is that of the longest block.
    """
    short, long = (hrnn.Task(n_blocks=n).sample(n_blocks=1000, rng=0) for n in (4, 1000))

    def filtering(sessions, longest):
        task = hrnn.Task(block_max=longest)
        return (
            seconds(
                lambda: filter_sides(
                    sessions.side, sessions.session, sessions.block_side, task=task
                )
            )
            / sessions.n_trials
        )

    actor = seconds(lambda: hrnn.rollout(hrnn.BayesianActor(), short)) / short.n_trials
    each = {longest: filtering(long, longest) for longest in (100, 200, 400)}
    benchmark.pedantic(lambda: None, rounds=1)
    show(
        benchmark,
        actor_M_trials=1e-6 / actor,
        filter_M_trials=1e-6 / filtering(short, 100),
        **{f"filter_M_trials_long_{k}": 1e-6 / v for k, v in each.items()},
        time_200_over_100=each[200] / each[100],
        time_400_over_200=each[400] / each[200],
    )


def test_policies(benchmark):
    def both():
        return [
            hrnn.OptimalPolicy(c).solution(hrnn.Task(wait_penalty=-0.05 - 1e-9 * next(fresh)))
            for c in ("reward_per_trial", "reward_per_step")
        ]

    fresh = iter(range(100))
    show(benchmark, both_policies_seconds=benchmark.pedantic(lambda: seconds(both, 3), rounds=1))


SCRIPT = """
import hrnn
def peak():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024
task = hrnn.Task(); net = hrnn.Network.init('tanh', n_hidden=50, rng=0)
net = hrnn.train(net, task, recipe='fast', n_steps=100, progress=False).network
before = peak()
run = hrnn.rollout(net, task.sample(n_blocks=1000, rng=0)); run.inputs
print(len(run.p_right), peak() - before)
"""


def test_memory_and_import(benchmark):
    steps, mb = map(
        float,
        subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, text=True
        ).stdout.split(),
    )
    run = lambda code: subprocess.run([sys.executable, "-c", code], check=True)  # noqa: E731
    imported = seconds(lambda: run("import hrnn")) - seconds(lambda: run("import numpy"))
    benchmark.pedantic(lambda: None, rounds=1)
    show(benchmark, rollout_steps=steps, rollout_MB=mb, import_seconds_beyond_numpy=imported)


def test_overhead_of_python_per_training_step(benchmark):
    """A step of a one-unit network on one short block is nearly all overhead."""
    net = hrnn.Network.init("tanh", n_hidden=1, rng=0)
    task = hrnn.Task(n_blocks=1, block_min=1, block_max=1, n_obs_max=1)
    taken = benchmark.pedantic(
        lambda: seconds(lambda: hrnn.train(net, task, n_steps=3000, progress=False, rng=0), 3),
        rounds=1,
    )
    show(benchmark, microseconds_per_step=taken / 3000 * 1e6)


def numpy_newton(net, x, starts, max_iterations=200):
    """Batched Newton with step halving in NumPy: what the search in C is measured against."""
    h = starts.copy()
    left = np.arange(len(starts))
    gap = lambda h: np.tanh(h @ net.W.T + net.U @ x + net.b) - h  # noqa: E731
    for _ in range(max_iterations):
        f = gap(h[left])
        norm = np.linalg.norm(f, axis=1)
        left = left[norm > 1e-12]
        f = f[norm > 1e-12]
        norm = norm[norm > 1e-12]
        if not left.size:
            break
        J = (1 - (f + h[left]) ** 2)[:, :, None] * net.W - np.eye(net.n_hidden)
        step = np.linalg.solve(J, -f[..., None])[..., 0]
        t = np.ones(len(left))
        for _ in range(8):
            worse = np.linalg.norm(gap(h[left] + t[:, None] * step), axis=1) > norm
            t[worse] /= 2
        h[left] += t[:, None] * step
    return h, len(left)


def trained(n_hidden):
    net = hrnn.train(
        hrnn.Network.init("tanh", n_hidden=n_hidden, rng=0),
        hrnn.Task(),
        "fast",
        n_steps=300,
        progress=False,
        rng=0,
    ).network
    run = hrnn.rollout(net, hrnn.Task().sample(n_blocks=200, rng=0))
    return (
        net,
        run,
        run.hidden[np.random.default_rng(0).choice(len(run.hidden), 400, replace=False)],
    )


def test_fixed_points(benchmark):
    """400 starts under six inputs, beside NumPy's Newton and a first-order search on them."""
    from hrnn.analysis import defects, dynamics

    net, _, starts = trained(50)
    x = np.array(list(dynamics.CONDITIONS.values()))
    ours = benchmark.pedantic(
        lambda: seconds(lambda: hrnn.fixed_points(net, x=x, starts=starts)), rounds=1
    )
    numpy = seconds(lambda: [numpy_newton(net, row, starts) for row in x], 1)
    first = seconds(lambda: [defects.first_order_search(net, x=row, starts=starts) for row in x], 1)
    wandering = sum(numpy_newton(net, row, starts)[1] for row in x) / (len(x) * len(starts))
    show(
        benchmark,
        fixed_points_seconds=ours,
        numpy_newton_seconds=numpy,
        first_order_500_steps_seconds=first,
        ratio=numpy / ours,
        numpy_wandering=wandering,
        converged=hrnn.fixed_points(net, x=x, starts=starts).converged_fraction,
    )


@pytest.mark.parametrize("n_hidden", [10, 25, 50, 100, 256])
def test_fixed_points_against_size(benchmark, n_hidden):
    net, _, starts = trained(n_hidden)
    benchmark.pedantic(lambda: None, rounds=1)
    times = {
        n: seconds(lambda n=n: hrnn.fixed_points(net, x=[0, 0, 0], starts=starts[:n]), 1)
        for n in (100, 400)
    }
    show(benchmark, N=n_hidden, **{f"seconds_{n}_starts": taken for n, taken in times.items()})


def test_basins_of_a_grid(benchmark):
    from hrnn.analysis import dynamics, representation

    net, run, starts = trained(50)
    found = hrnn.fixed_points(net, x=[0, 0, 0], starts=starts)
    axes = representation.pca(run).axes[:2]
    edge = np.linspace(-4, 4, 200)
    grid = run.hidden.mean(0) + np.stack(np.meshgrid(edge, edge), -1).reshape(-1, 2) @ axes
    taken = benchmark.pedantic(
        lambda: seconds(lambda: dynamics.attractor(net, found, [0, 0, 0], grid), 3), rounds=1
    )
    show(
        benchmark,
        basin_200x200_seconds=taken,
        decided=float((dynamics.attractor(net, found, [0, 0, 0], grid) >= 0).mean()),
    )


def test_figures_4_to_7(benchmark, tmp_path):
    from hrnn import figures
    from hrnn.analysis.anatomy import Anatomy

    net = trained(50)[0]
    sessions = hrnn.Task().sample(n_blocks=1000, rng=0)

    def work():
        study = figures.OneNetwork(anatomy=Anatomy(hrnn.rollout(net, sessions)))
        for name in "4567":
            figures.save(*figures.draw(name, study), tmp_path, name)

    show(benchmark, figures_4_to_7_seconds=benchmark.pedantic(lambda: seconds(work, 1), rounds=1))


@pytest.mark.parametrize("n_units", [1, 2, 4, 8])
def test_open_loop_gradient(benchmark, n_units):
    """Sessions as the vector.

    One gradient step of small networks, cross entropy alone and with states.
    """
    rng = np.random.default_rng(0)
    net = hrnn.Network.init("tanh", n_hidden=n_units, rng=0)
    n_steps = 800
    n_sessions = 32
    x = rng.normal(size=(3, n_steps, n_sessions))
    (q, weight) = rng.random((2, n_steps, n_sessions))
    y = rng.random((n_units, n_steps, n_sessions))
    call = (net.theta, net.form, x, q, weight, 2.0)
    gradient = np.zeros_like(net.theta)
    scratch = np.empty(_core.sequence_scratch(net.form, n_steps, n_sessions)[0])
    benchmark.pedantic(lambda: None, rounds=1)
    for name, states in (("outputs", (None, None)), ("states", (y, weight))):
        taken = seconds(
            lambda states=states: _core.sequence_gradient(*call, *states, gradient, scratch), 15
        )
        show(
            benchmark,
            N=n_units,
            **{f"ns_per_step_and_session_{name}": taken / (n_steps * n_sessions) * 1e9},
        )


def test_distillation(benchmark):
    """RADD of a rollout of 1000 blocks, and sixty students on all cores.

    Ten seeds of RADD and of five baselines.
    """
    from hrnn import distill

    net = trained(50)[0]
    run = hrnn.rollout(net, hrnn.Task().sample(n_blocks=1000, rng=0))
    run.inputs  # noqa: B018
    once, many = (seconds(lambda n=n: distill.radd(run, net, n_resamples=n), 3) for n in (1, 1000))
    mean, rows = distill.coordinates(net, run)
    given = seconds(
        lambda: distill.radd(run, net, mean=mean, rows=rows, n_resamples=1, gains=(3.0,)), 3
    )

    def sixty():
        radds = [distill.radd(run, net, mean=mean, rows=rows, rng=seed) for seed in range(10)]
        distill.students(run, net, radds, progress=False, rng=0)

    show(
        benchmark,
        radd_seconds=once,
        radd_1000_resamples_seconds=many,
        radd_given_projection_and_gain_seconds=given,
        sixty_students_seconds=benchmark.pedantic(lambda: seconds(sixty, 1), rounds=1),
    )


def mice_table():
    """The mice in HRNN_DATA_DIR, or six simulated ones."""
    import os

    if os.environ.get("HRNN_DATA_DIR"):
        return hrnn.mice.load()
    import pandas as pd

    task = hrnn.Task.preset("ibl").replace(n_blocks=15)
    runs = (hrnn.rollout(hrnn.BayesianActor(), task.sample(n_sessions=10, rng=k)) for k in range(6))
    return pd.concat(
        [run.trials.assign(subject=f"M{k}") for k, run in enumerate(runs)], ignore_index=True
    )


def scipy_fit(choices):
    """The action kernel by SciPy's L-BFGS-B; its NumPy likelihood has a linear filter as prior."""
    from scipy.optimize import minimize
    from scipy.signal import lfilter
    from scipy.special import ndtr, ndtri

    responded = choices.responded
    right = (choices.choice[responded] > 0).astype(float)
    contrast = choices.contrast[responded]
    starts = np.r_[np.flatnonzero(np.diff(choices.session[responded], prepend=-1)), len(right)]
    sessions = [slice(a, b) for a, b in zip(starts[:-1], starts[1:], strict=True)]
    sign = 2 * right - 1

    def loss(theta):
        zeta, lapse, alpha = theta
        prior, slope = np.empty((2, len(right)))
        for s in sessions:
            p = np.r_[
                0.5,
                0.5 * (1 - alpha) ** np.arange(1, s.stop - s.start)
                + lfilter([alpha], [1, alpha - 1], right[s][:-1]),
            ]
            gap = right[s] - p
            prior[s] = p
            slope[s] = np.r_[0, lfilter([1], [1, alpha - 1], gap[:-1])]
        u = ndtri(np.clip(prior, 1e-7, 1 - 1e-7))
        k = np.sqrt(1 + (zeta / 0.49) ** 2)
        w = sign * (contrast / zeta + k * u)
        cumulative = ndtr(w)
        density = np.exp(-w * w / 2) / np.sqrt(2 * np.pi)
        p = np.maximum((1 - lapse) * cumulative + lapse / 2, 1e-12)
        dw = (1 - lapse) * density * sign / p
        dalpha = dw * k * slope * np.sqrt(2 * np.pi) * np.exp(u * u / 2)
        dzeta = dw * (-contrast / zeta**2 + u * zeta / 0.49**2 / k)
        return -np.log(p).sum(), -np.array(
            [dzeta.sum(), ((0.5 - cumulative) / p).sum(), dalpha.sum()]
        )

    with np.errstate(over="ignore"):
        return minimize(
            loss,
            [0.2, 0.1, 0.2],
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.01, 5), (0, 0.5), (1e-4, 0.999)],
        )


def test_models_of_mice(benchmark):
    """All mice, one core: the action kernel from one start and from ten with standard errors.

    SciPy from one start without.
    """
    from hrnn.choice.models import model_of
    from hrnn.choice.trials import units

    table = mice_table()
    _, found, _ = units(table, "subject")
    n = sum(c.n for c in found)
    model = model_of("action_kernel")
    theta = np.array([0.2, 0.1, 0.2])
    sweep = seconds(lambda: [model.evaluate(c, theta) for c in found])
    one, ten = (
        seconds(lambda k=k: hrnn.mice.fit(table, "action_kernel", n_starts=k), 3) for k in (1, 10)
    )
    began = time.perf_counter()
    others = [scipy_fit(c) for c in found]
    slow = time.perf_counter() - began
    ours = hrnn.mice.fit(table, "action_kernel", n_starts=1).log_likelihood
    assert (
        ours > np.array([-other.fun for other in others]) - 0.1
    ).all()  # priors are clipped, which makes small kinks
    benchmark.pedantic(lambda: None, rounds=1)
    show(
        benchmark,
        choices=n,
        M_trial_gradients_per_second=n / sweep / 1e6,
        one_start_seconds=one,
        ten_starts_seconds=ten,
        scipy_one_start_seconds=slow,
    )


@pytest.mark.parametrize("n_units", [1, 2, 4])
def test_tiny_gru(benchmark, n_units):
    """Full-batch gradient on 10 000 trials in 16 sessions."""
    rng = np.random.default_rng(0)
    shape = (625, 16)
    n_parameters, n_scratch = _core.gru_sizes(n_units, *shape)
    theta = rng.uniform(-0.5, 0.5, n_parameters)
    gradient = np.zeros(n_parameters)
    scratch = np.empty(n_scratch)
    x = rng.normal(size=(3, *shape))
    q = rng.random(shape)
    weight = rng.random(shape)
    taken = benchmark.pedantic(
        lambda: seconds(
            lambda: _core.gru_gradient(theta, n_units, x, q, weight, gradient, scratch), 15
        ),
        rounds=1,
    )
    show(benchmark, units=n_units, milliseconds=1e3 * taken)


def test_population_scales(benchmark, tmp_path):
    """Six networks of a shortened recipe with all analyses, in one and in two processes."""
    recipe = hrnn.Recipe(n_steps=20_000)
    taken = {}
    for n in (1, 2):
        began = time.perf_counter()
        hrnn.population(
            tmp_path / str(n),
            n_networks=6,
            recipe=recipe,
            executor="processes",
            n_threads=n,
            progress=False,
        )
        taken[n] = time.perf_counter() - began
    benchmark.pedantic(lambda: None, rounds=1)
    show(
        benchmark,
        one_worker_seconds=taken[1],
        two_workers_seconds=taken[2],
        ratio=taken[1] / taken[2],
    )


@pytest.mark.parametrize("n_blocks", [1000, 10_000])
def test_population_memory(benchmark, tmp_path, n_blocks):
    """Largest memory of a process that makes one network after another with all analyses."""
    code = (
        "import hrnn, resource\n"
        f"hrnn.population({str(tmp_path)!r}, n_networks=2, recipe=hrnn.Recipe(n_steps=2000),"
        f" n_threads=1, n_blocks={n_blocks}, progress=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    found = benchmark.pedantic(
        lambda: subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ),
        rounds=1,
    )
    show(benchmark, n_blocks=n_blocks, megabytes=float(found.stdout))


def test_table_of_1000_networks(benchmark, tmp_path):
    """Time to read the table of a saved population.

    The files are copies of one, with other names.
    """
    from hrnn.populations.ensemble import Population

    found = hrnn.population(tmp_path, n_networks=1, recipe=hrnn.Recipe(n_steps=2), progress=False)
    path = tmp_path / f"{found.keys[0]}.npz"
    for i in range(999):
        shutil.copy(path, tmp_path / f"{i:016d}.npz")
    taken = benchmark.pedantic(lambda: seconds(lambda: Population.load(tmp_path), 3), rounds=1)
    show(benchmark, seconds=taken, rows=len(Population.load(tmp_path).table))
