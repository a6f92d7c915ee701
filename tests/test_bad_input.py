"""Every argument of every public function meets wrong values of every kind.

Each call must either work or raise TypeError or ValueError (OSError for paths) that names the
argument: no crash, no hang, no other exception, no huge allocation. Values that an argument accepts
are listed, so that nothing wrong is let in.
"""

import dataclasses
import functools

import numpy as np
import pytest

import hrnn
from hrnn import behavior, inference, mice, stats, training
from hrnn.behavior import psychometric_function
from hrnn.statistics import regression

WRONG = {
    "None": None,
    "text": "x",
    "object": object(),
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": -float("inf"),
    "-1": -1,
    "0": 0,
    "0.5": 0.5,
    "True": True,
    "[]": [],
    "{}": {},
    "empty array": np.array([]),
    "1e30": 10**30,
    "1e300": 1e300,
    "masked array": np.ma.array([1.0, 2.0], mask=[0, 1]),
    "complex": 1j,
    "bytes": b"ab",
    "[nan]": np.array([np.nan]),
    "text array": np.array(["a"]),
    "object array": np.array([object()]),
    "four dimensions": np.ones((2, 2, 2, 2)),
    "[-1]": [-1.0],
    "set": {1},
    "function": print,
    "float32": np.float32(0.25),
    "byte-swapped": np.array([1.0, 2.0]).astype(">f8"),
    "read-only": np.broadcast_to(1.0, (5,)),
}
NUMBER = {"0.5", "float32"}  # in (0, 1)
FRACTION = NUMBER | {"0"}
SEED = {"0", "1e30"}
FRESH = SEED | {"None"}  # of what draws anew by default
POSITIVE = NUMBER | {"1e300", "1e30"}
TASK = hrnn.Task(n_blocks=1)
SESSIONS = TASK.sample(n_sessions=3, rng=0)
NET = hrnn.Network.init("tanh", n_hidden=4, rng=0)
RUN = hrnn.rollout(NET, SESSIONS)
BAYES = hrnn.rollout(hrnn.BayesianActor(), SESSIONS)
LONGER = hrnn.rollout(NET, hrnn.Task(n_blocks=3).sample(n_sessions=3, rng=0))
ASSUMED = {
    "threshold": 0.9,
    "strengths": (0.0, 1.0),
    "strength_weights": None,
    "p_block": 0.8,
    "block_law": "geometric",
    "block_hazard": 0.02,
    "block_min": 20,
    "block_max": 100,
    "noise_sd": 1.0,
}
BELIEF = {"evidence": "both", "hazard": 0.02, "learning_rate": 0.1}
BELIEF_OK = {
    "hazard": FRACTION,
    "learning_rate": FRACTION,
    "threshold": {"0.5"},
    "p_block": {"0.5"},
    "block_hazard": NUMBER,
    "noise_sd": NUMBER,
    "strengths": {"byte-swapped", "read-only"},
    "strength_weights": {"None", "byte-swapped"},
}
TASK_OK = BELIEF_OK | {
    "strength_weights": {"None"},
    "n_blank": {"0"},
    "n_unbiased": {"0"},
    "wait_penalty": FRACTION | {"-1"},
}
ARRAY = {"byte-swapped", "read-only", "[-1]"}  # for numbers without bounds, of any length
TRIALS = {"trials": RUN, "rng": 0}
SUMS = {"resamples": None, "rng": 0, "n_resamples": 10}


def act(**arguments):
    return hrnn.rollout(hrnn.BayesianActor(**arguments), SESSIONS)


# name: (function, arguments that work, which wrong values each argument takes after all)
CALLS = {
    "Task": (
        hrnn.Task,
        {f.name: getattr(hrnn.Task(), f.name) for f in dataclasses.fields(hrnn.Task)},
        TASK_OK,
    ),
    "Task.preset": (
        hrnn.Task.preset,
        {"name": "ibl", "contrast_gain": 2.5, "contrasts": "uniform"},
        {"contrast_gain": NUMBER},
    ),
    "sample sessions": (TASK.sample, {"n_sessions": 2, "rng": 0}, {"rng": FRESH}),
    "sample blocks": (TASK.sample, {"n_blocks": 2, "rng": 0}, {"rng": FRESH}),
    "Network": (
        hrnn.Network,
        {"cell": "leaky", "n_hidden": 4, "leak": 0.5, "theta": NET.theta, "metadata": {}},
        {"leak": NUMBER | {"None"}, "metadata": {"{}"}},
    ),
    "Network.init": (
        hrnn.Network.init,
        {"cell": "leaky", "n_hidden": 4, "rng": 0, "leak": 0.5},
        {"leak": NUMBER | {"None"}, "rng": FRESH},
    ),
    "from_arrays": (
        hrnn.Network.from_arrays,
        {"cell": "leaky", **{k: getattr(NET, k) for k in "WUbVc"}, "leak": 0.5, "metadata": {}},
        {"leak": NUMBER | {"None"}, "metadata": {"{}", "None"}, "c": {"byte-swapped"}},
    ),
    "with_theta": (
        NET.with_theta,
        {"theta": NET.theta, "metadata": {}},
        {"metadata": {"{}", "None"}},
    ),
    "from_state_dict": (
        hrnn.Network.from_state_dict,
        {"cell": "leaky", "state": NET.to_state_dict(), "leak": 0.5},
        {"leak": NUMBER},
    ),
    "rollout": (
        hrnn.rollout,
        {"agent": NET, "sessions": SESSIONS, "hidden": True, "progress": False},
        {"hidden": {"True"}, "progress": {"True"}},
    ),
    "BayesianActor": (act, {"block_model": "markov", **BELIEF, **ASSUMED}, BELIEF_OK),
    "observe": (
        hrnn.observe,
        {"run": RUN, "block_model": "semi_markov", **BELIEF, **ASSUMED},
        BELIEF_OK,
    ),
    "OptimalPolicy": (
        hrnn.OptimalPolicy,
        {"criterion": "reward_per_trial", "evidence": "both", **ASSUMED},
        BELIEF_OK,
    ),
    "solution": (hrnn.OptimalPolicy().solution, {"task": TASK}, {}),
    "Recipe": (
        hrnn.Recipe,
        {
            "optimizer": "sgd",
            "learning_rate": 0.1,
            "momentum": 0.1,
            "n_sessions": 1,
            "n_steps": 1,
            "loss": "cross_entropy",
            "name": "mine",
        },
        {
            "learning_rate": POSITIVE,
            "momentum": FRACTION,
            "name": {"text"},
        },
    ),
    "train": (
        hrnn.train,
        {
            "net": NET,
            "task": TASK,
            "recipe": "fast",
            "n_steps": 1,
            "rng": 0,
            "callback": None,
            "checkpoint": None,
            "n_threads": 1,
            "progress": False,
        },
        {
            "n_steps": {"None"},
            "rng": FRESH,
            "callback": {"None", "function"},
            "checkpoint": {"None", "text"},
            "n_threads": {"None", "1e30"},
            "progress": {"True"},
        },
    ),
    "loss_and_gradient": (
        training.loss_and_gradient,
        {"net": NET, "sessions": SESSIONS, "loss": "cross_entropy", "n_threads": 1},
        {"n_threads": {"None", "1e30"}},
    ),
    "filter_sides": (
        inference.filter_sides,
        {
            "side": SESSIONS.side,
            "session": SESSIONS.session,
            "block_side": SESSIONS.block_side,
            "task": TASK,
            "block_model": "semi_markov",
            "log_likelihood": None,
            "hazard": 0.02,
            "learning_rate": 0.1,
        },
        {"log_likelihood": {"None"}, "hazard": FRACTION, "learning_rate": FRACTION},
    ),
    "accuracy_bound": (inference.accuracy_bound, {"sessions": SESSIONS, "evidence": "both"}, {}),
    "summary": (behavior.summary, TRIALS, {"rng": SEED}),
    "difference": (behavior.difference, {"a": RUN, "b": BAYES, "rng": 0}, {"rng": SEED}),
    "by_strength": (behavior.by_strength, TRIALS | {"by": ("strength",)}, {"rng": SEED}),
    "after_block_change": (
        behavior.after_block_change,
        {"trials": LONGER, "strength": 0, "min_n": 1, "rng": 0},
        {"rng": SEED, "strength": {"None", "0", "0.5"}, "min_n": {"1e30"}},
    ),
    "chronometric": (behavior.chronometric, TRIALS, {"rng": SEED}),
    "error_split": (behavior.error_split, TRIALS, {"rng": SEED}),
    "regret": (
        behavior.regret,
        {"agent": RUN, "optimal": BAYES, "criterion": "reward_per_step", "rng": 0},
        {"rng": SEED},
    ),
    "history_regression": (
        behavior.history_regression,
        {"trials": BAYES, "prior": BAYES.prior},
        {},
    ),
    "psychometric": (
        psychometric_function.psychometric,
        {"trials": BAYES, "rng": 0},
        {"rng": SEED},
    ),
    "psychometric_curve": (
        psychometric_function.psychometric_curve,
        {"c": [0.0, 1.0], "mu": 0.0, "sigma": 1.0, "gamma1": 0.1, "gamma2": 0.1},
        {
            "c": ARRAY | FRACTION | {"-1", "1e300", "four dimensions", "True"},
            "mu": POSITIVE | {"0", "-1"},
            "sigma": POSITIVE,
            "gamma1": FRACTION,
            "gamma2": FRACTION,
        },
    ),
    "resample": (
        stats.resample,
        {"n_units": 5, "run": 1, "rng": 0, "n_resamples": 3},
        {"rng": SEED, "run": {"1e30"}},
    ),
    "ratio_interval": (
        stats.ratio_interval,
        {"numerators": [1.0, 2.0], "denominators": [2.0, 3.0], **SUMS},
        {
            "numerators": {"byte-swapped"},
            "denominators": {"byte-swapped"},
            "resamples": {"None"},
            "rng": SEED,
        },
    ),
    "paired": (
        stats.paired,
        {"a": ([1.0, 2.0], [2.0, 3.0]), "b": ([1.0, 2.0], [2.0, 3.0]), **SUMS},
        {"resamples": {"None"}, "rng": SEED},
    ),
    "mean_interval": (
        stats.mean_interval,
        {"values": [1.0, 2.0] * 5, "rng": 0, "n_resamples": 10},
        {"values": ARRAY, "rng": SEED},
    ),
    "wilson": (stats.wilson, {"k": 1, "n": 2}, {"k": {"0"}}),
    "logistic": (
        regression.logistic,
        {"X": [[1.0], [1.0], [1.0]], "y": [0, 1, 1], "cluster": [0, 1, 2]},
        {},
    ),
    "linear": (
        regression.linear,
        {
            "X": [[1.0], [2.0], [1.0]],
            "y": [0, 1, 1],
            "unit": [0, 1, 2],
            "rng": 0,
            "n_resamples": 10,
        },
        {"rng": SEED},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_wrong_arguments_are_named_and_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, right, accepted = CALLS[name]
    function(**right)
    for argument in right:
        taken = set()
        for kind, value in WRONG.items():
            if (argument, kind) == ("n_steps", "1e30") and name == "train":
                continue  # right, but without end
            try:
                function(**right | {argument: value})
            except (TypeError, ValueError) as error:
                assert argument in str(error), f"{argument} = {kind}: {error}"
            else:
                taken.add(kind)
        assert taken == accepted.get(argument, set()), argument


@pytest.mark.parametrize("kind", [k for k in WRONG if k not in ("text", "None")])
def test_what_is_no_path_is_refused_by_name(kind, tmp_path):
    for function, argument in (
        (NET.save, "path"),
        (hrnn.Network.load, "path"),
        (mice.load, "path"),
        (mice.fetch, "path"),
        (functools.partial(hrnn.train, n_steps=1), "resume"),
        (functools.partial(hrnn.train, NET, TASK, n_steps=1), "checkpoint"),
    ):
        session = (
            function is mice.load and kind == "{}"
        )  # a dict may be a trials object, if it holds one
        with pytest.raises(
            ValueError if session else TypeError,
            match=f"^{argument} must {'have' if session else 'be'}",
        ):
            function(**{argument: WRONG[kind]})


@pytest.mark.parametrize(
    "changes",
    [
        {"strengths": (1e6,), "noise_sd": 1e-6},
        {"strengths": (1e6, 0.0), "noise_sd": 1e6},
        {"wait_penalty": -1e6},
        {"n_obs_max": 1},
        {"block_hazard": 1 - 1e-12},
        {"block_hazard": 1e-12},
        {"threshold": 0.5},
        {"threshold": 1 - 1e-15},
        {"p_block": 1.0},
        {"n_blank": 0},
    ],
)
def test_extreme_tasks_stay_finite(changes):
    """The ends of what `Task` allows.

    Finite sessions, probabilities and losses, or a NumericalError.
    """
    sessions = hrnn.Task(n_blocks=2, **changes).sample(n_sessions=2, rng=0)
    assert np.isfinite(sessions.observations).all()
    run = hrnn.rollout(hrnn.BayesianActor(), sessions)
    assert ((run.p_right >= 0) & (run.p_right <= 1)).all() and np.isfinite(run.trials.reward).all()
    loss, gradient = training.loss_and_gradient(NET, sessions, loss="cross_entropy")
    assert np.isfinite(loss).all() and np.isfinite(gradient).all()
