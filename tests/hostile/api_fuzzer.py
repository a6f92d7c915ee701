"""A fuzzer of every public callable: right arguments, of which one or two are made wrong.

A call must work, or raise TypeError or ValueError whose message names an argument; OSError is right
for files, NumericalError where numbers leave what floats hold, MemoryError for what does not fit.
Anything else, and a call that takes longer than `SECONDS`, is a defect, and is printed.

    python tests/hostile/api_fuzzer.py --n 2000 --seed 1 [--only fixed_points]

Inputs are numbered: `--seed 1 --first 37 --n 1` makes the 37th of seed 1 again.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime
import decimal
import fractions
import functools
import importlib
import inspect
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
import warnings

import numpy as np
import pandas as pd

import hrnn
from hrnn import _core, agents, distill, inference, mice, plot, sequence, statistics
from hrnn.analysis import connectivity, paths, representation, similarity

SECONDS = 20  # longer is a defect
SLOW = 2.0  # longer is told
MEMORY = 6 * 2**30
MODULES = (
    "agents",
    "analysis.anatomy",
    "analysis.connectivity",
    "analysis.continuation",
    "analysis.defects",
    "analysis.dynamics",
    "analysis.integration",
    "analysis.manifold",
    "analysis.paths",
    "analysis.representation",
    "analysis.similarity",
    "behavior.history",
    "behavior.measures",
    "behavior.psychometric_function",
    "choice.comparison",
    "choice.external",
    "choice.fitting",
    "choice.nulls",
    "choice.side_by_side",
    "choice.tiny",
    "distill.baselines",
    "distill.bayes",
    "distill.comparison",
    "distill.distillation",
    "distill.reduction",
    "figures",
    "inference",
    "mice.alf",
    "mice.fetching",
    "mice.inclusion",
    "mice.loading",
    "mice.frames",
    "mice.one",
    "mice.sessions",
    "behavior.trials",
    "network",
    "plot",
    "policy",
    "populations.claims",
    "populations.controls",
    "populations.ensemble",
    "populations.measures",
    "populations.settings",
    "rollout",
    "sequence",
    "statistics.regression",
    "statistics.resampling",
    "study.verification",
    "study.writing",
    "task",
    "training",
)
# What is under the public functions, takes their values as they are, or holds results alone.
INSIDE = set(
    """
    choice.comparison.refit choice.external.library choice.external.regressors choice.external.r_hat
    choice.fitting.fit_units choice.fitting.checked choice.fitting.climb choice.fitting.bounds
    choice.fitting.inside choice.fitting.standard_errors choice.fitting.information_of
    choice.fitting.inverse choice.fitting.clustered choice.fitting.coin choice.side_by_side.of_fits
    choice.side_by_side.shift_at_zero choice.tiny.inputs_of choice.tiny.train choice.tiny.one_step
    choice.tiny.dimension distill.baselines.first_network distill.reduction.training_half
    distill.reduction.least_squares distill.reduction.states_in distill.distillation.entries
    inference.believer inference.act mice.alf.is_session mice.alf.sessions_in mice.alf.subject_of
    mice.alf.read mice.alf.rows_of mice.fetching.fetch mice.fetching.default_folder
    network.check_network policy.solve populations.ensemble.run_one populations.ensemble.work
    populations.ensemble.one_blas_thread populations.settings.key_of
    populations.settings.differences populations.measures.page populations.measures.map_entries
    populations.measures.labels sequence.scratch_of sequence.scratch sequence.forward
    sequence.gradient sequence.gated_sizes sequence.gated_forward sequence.gated_gradient
    behavior.psychometric_function.curve behavior.psychometric_function.curve_and_slopes
    behavior.psychometric_function.starts behavior.psychometric_function.climb
    choice.fitting.parameter_names choice.fitting.free_parameters choice.fitting.with_two_sessions
    behavior.trials.trial_table behavior.trials.trial_column behavior.trials.session_codes
    behavior.trials.trial_order behavior.trials.trial_units mice.alf.refuse mice.sessions.joined
    mice.sessions.refuse_doubles mice.sessions.natural
    mice.sessions.gathered mice.frames.table_of_sessions mice.frames.sessions_of
    network.init_settings populations.ensemble.read populations.ensemble.read_record
    populations.ensemble.check_version populations.settings.point_of populations.settings.differing
    statistics.resampling.with_width study.writing.check_folder
    statistics.resampling.alone statistics.resampling.student task.draw_lengths task.draw_session
    task.observe task.act training.n_memory analysis.dynamics.check_solver
    """.split()  # noqa: SIM905
)
LONG = set(
    """
    n_starts n_steps n_repeats n_folds n_pseudo n_updates n_iterations n_walkers n_ensembles n_outer
    n_inner n_seeds max_epochs max_points n_resamples n_back n_lags n_orders n_states n_networks
    """.split()  # noqa: SIM905
)  # counts to which a call's time is proportional
OF_MATPLOTLIB = ["colour", "marker", "line", "label", "hollow", "bar", "text"]  # its own errors
CLASSES = set(
    """
    analysis.anatomy.Anatomy choice.side_by_side.Beside distill.comparison.Examiner
    distill.distillation.Distillation inference.BayesianActor network.Network policy.OptimalPolicy
    task.Task training.Recipe
    """.split()  # noqa: SIM905
)


# ---- right arguments ----


COMPARED = {  # what `mice.compare` gives
    "model": ["action_kernel", "flat"],
    "difference": [0.0, -3.0],
    "difference_low": [0.0, -5.0],
    "difference_high": [0.0, -1.0],
    "bits_per_trial": [0.5, 0.4],
    "low": [0.4, 0.3],
    "high": [0.6, 0.5],
    "n_subjects": [3, 3],
    "exceedance": [0.9, 0.1],
}


class One:
    """As little of ONE as `mice.from_one` asks for."""

    def get_details(self, eid):
        raise ValueError("eids must be of sessions that exist")


def of_one_network(task):
    """A population of one network that has learned next to nothing."""
    size = {"n_networks": 1, "n_hidden": 4, "n_blocks": 8, "n_updates": 2, "n_threads": 1}
    recipe = hrnn.Recipe(n_sessions=1, n_steps=1)
    how = {"parts": ("representation",), "executor": "threads", "progress": False}
    with tempfile.TemporaryDirectory() as folder:
        found = hrnn.population(f"{folder}/one", task=task, recipe=recipe, **size, **how)
        assert len(found.members) == 1  # read while the files are there
    return found


@functools.cache
def world():
    """One right value for each name that an argument has."""
    task = hrnn.Task(block_min=5, block_max=8, n_blocks=2, n_obs_max=4)
    sessions = task.sample(n_sessions=6, rng=0)
    net = hrnn.Network.init("tanh", n_hidden=5, rng=0)
    run = hrnn.rollout(net, sessions)
    bayes = hrnn.rollout(hrnn.BayesianActor(), sessions)
    table = bayes.trials.assign(subject=np.where(bayes.trials.session < 3, "a", "b"))
    seen = hrnn.observe(run)
    decoder = representation.block_decoder(run, n_resamples=5)
    radd = distill.radd(run, net, n_resamples=3)
    found = hrnn.fixed_points(net, x=(0, 0, 0), starts=run.hidden[:10])
    components = representation.pca(run, n_resamples=3)
    fitted = mice.fit(table, "action_kernel", n_starts=1)
    measured = pd.DataFrame({"correct": [0.8, 0.9], "mu0_gap": [0.1, 0.3]}, index=["k1", "k2"])
    controls = pd.DataFrame(
        {"control": ["untrained"], "index": [0], "measure": ["correct"], "value": [0.5]}
    )
    mapped = distill.bayesian_filter(run, seen, n_resamples=3)
    plane = representation.task_plane(net, components, decoder)
    return {
        "task": task,
        "sessions": sessions,
        "net": net,
        "run": run,
        "table": table,
        "trials": table,
        "seen": seen,
        "decoder": decoder,
        "radd": radd,
        "found": found,
        "components": components,
        "fitted": fitted,
        "wide": measured,
        "controls": controls,
        "map": mapped,
        "plane": plane,
        "bayes": bayes,
        "actor": hrnn.BayesianActor(),
        "policy": hrnn.OptimalPolicy(),
        "recipe": hrnn.Recipe(n_sessions=1, n_steps=1),
        "estimate": statistics.Estimate(0.5, 0.4, 0.6, 10),
        "resamples": statistics.resample(4, rng=0, n_resamples=5),
        "sequences": sequence.Sequences.of(run, [0, 1]),
        "examiner": distill.Examiner(run, net, radd, run),
        "way": paths.Path(
            states=np.zeros((3, 5)),
            arclength=np.arange(3.0),
            drift=np.ones(3),
            contraction=np.ones(3),
            along=np.ones(3),
            tangent=np.eye(3, 5),
            ends=(0, 1),
            converged=True,
        ),
        "claim": hrnn.claims.CLAIMS[0],
        "radds": [radd],
        "student": distill.student("full_force", run, net, radd),
        "spread": radd.spread,
        "label": connectivity.populations(run).label,
        "population": of_one_network(task),
        "study": hrnn.figures.OneNetwork(anatomy=hrnn.Anatomy(run)),
    }


@functools.cache
def right_by_name():
    """What an argument of a name gets, wherever it stands."""
    w = world()
    n_units = 5
    axis = np.arange(1.0, n_units + 1)
    points = {"value": [0.1, 0.2], "low": [0.0, 0.1], "high": [0.2, 0.3], "n": [3, 3]}
    common = {name: w[name] for name in w}
    return common | {
        "rng": 0,
        "seed": 0,
        "progress": False,
        "n_threads": 1,
        "n_resamples": 5,
        "n_starts": 1,
        "n_steps": 3,
        "n_repeats": 2,
        "n_folds": 2,
        "n_pseudo": 5,
        "n_blocks": 2,
        "n_updates": 2,
        "n_hidden": 4,
        "n_states": 3,
        "axis": axis,
        "axes": {"stimulus": axis, "block": w["decoder"]},
        "first": axis,
        "second": w["decoder"],
        "x": (0.0, 0.0, 0.0),
        "starts": w["run"].hidden[:4],
        "states": w["run"].hidden,
        "session": w["run"].session,
        "session_of": w["sessions"].session,
        "values": np.linspace(-1, 1, w["sessions"].n_trials),
        "unit": np.repeat([0, 1, 2], 4),
        "cluster": np.repeat([0, 1, 2], 4),
        "X": np.random.default_rng(0).normal(size=(12, 2)),
        "y": (np.arange(12) % 3 == 0).astype(float),
        "a": w["run"],
        "b": w["run"],
        "model": "action_kernel",
        "models": ("action_kernel", "flat"),
        "name": "1",
        "start": np.zeros(n_units),
        "point": w["found"].points[0] if len(w["found"].points) else np.zeros(n_units),
        "points_table": pd.DataFrame(points | {"strength": [0.0, 1.0]}),
        "criterion": "reward_per_trial",
        "row": 0,
        "steps": 3,
        "rank": 2,
        "first_network": w["net"],
        "agent": w["net"],
        "several": [w["run"].hidden[:20], w["run"].hidden[5:25]],
    }


OF_TASK = {
    "threshold": 0.9,
    "strengths": (0.0, 1.0),
    "strength_weights": (1.0, 2.0),
    "p_block": 0.8,
    "block_law": "geometric",
    "block_hazard": 0.02,
    "block_min": 20,
    "block_max": 100,
    "noise_sd": 1.0,
}


def own_table():
    """The least that `from_frame` takes."""
    return {"choice": [-1, 1, 1], "signed_strength": [-0.5, 0.25, 1.0], "p_left": [0.5, 0.5, 0.2]}


@functools.cache
def right_by_call():
    """What single callables get that other names' values do not fit."""
    w = world()
    net = w["net"]
    n_trials = w["sessions"].n_trials
    points = right_by_name()["points_table"]
    from matplotlib.figure import Figure

    figure = Figure()
    ax = figure.subplots()
    ax.set_ylim(1, 100)
    ax.set_yscale("log")
    one_mouse = w["bayes"].trials.assign(subject="a")
    compared = pd.DataFrame(COMPARED)
    counted = next(hrnn.claims.verdicts(w["wide"]).itertuples())
    log = np.array([[-1.0, -2.0], [-2.0, -1.5], [-1.0, -3.0]])
    side = w["sessions"].side.astype(int)
    measured = {"X": np.random.default_rng(0).normal(size=(12, 2)), "Y": np.ones((12, 2))}
    measured["Y"] = measured["X"] @ np.array([[1.0, 0.2], [0.1, 2.0]]) + 0.1
    return {
        "Task": OF_TASK
        | {"n_unbiased": 0, "n_blocks": 2, "n_blank": 2, "n_obs_max": 5, "wait_penalty": -0.1},
        "Task.preset": {"name": "ibl", "contrast_gain": 1.0, "contrasts": "uniform"},
        "Task.replace": {"threshold": 0.8, "n_blank": 1},
        "Task.sample": {"n_sessions": 2, "n_blocks": None},
        "BayesianActor": {
            "block_model": "markov",
            "evidence": "both",
            "hazard": 0.02,
            "learning_rate": 0.1,
            **OF_TASK,
        },
        "OptimalPolicy": {"evidence": "both", **OF_TASK},
        "observe": {
            "block_model": "markov",
            "evidence": "both",
            "hazard": 0.02,
            "learning_rate": 0.1,
            "threshold": 0.8,
            "strengths": (0.0, 1.0),
        },
        "filter_sides": {
            "side": side,
            "session": w["sessions"].session,
            "block_side": w["sessions"].block_side,
            "block_model": "semi_markov",
            "log_likelihood": np.zeros((n_trials, 2)),
            "hazard": 0.02,
            "learning_rate": 0.1,
        },
        "accuracy_bound": {"evidence": "both"},
        "Network": {
            "cell": "leaky",
            "leak": 0.5,
            "theta": net.theta,
            "metadata": {"a": 1},
            "n_hidden": 5,
        },
        "Network.init": {"cell": "leaky", "leak": 0.5, "gain": 1.0},
        "Network.from_arrays": {
            "cell": "leaky",
            **{name: getattr(net, name) for name in "WUbVc"},
            "leak": 0.5,
            "metadata": None,
        },
        "Network.from_state_dict": {
            "cell": "leaky",
            "state": net.to_state_dict(),
            "leak": 0.5,
        },
        "Network.load": {"path": "nothing"},
        "Network.save": {"path": "saved.npz"},
        "Network.with_theta": {"theta": net.theta, "metadata": None},
        "Network.with_arrays": {"W": net.W, "b": net.b},
        "Network.step": {"h": np.zeros(5), "x": np.zeros(3)},
        "Network.jacobian": {"h": np.zeros(5), "x": np.zeros(3)},
        "Network.input_jacobian": {"h": np.zeros(5), "x": np.zeros(3)},
        "Network.pull_back": {"h": np.zeros(5), "x": np.zeros(3), "v": np.ones(5)},
        "Sessions.select": {"sessions": [0, 2]},
        "Sessions.join": {"several": [w["sessions"], w["sessions"]]},
        "Rollout.join": {"runs": [w["run"], w["run"]]},
        "rollout": {"hidden": True},
        "Recipe": {
            "optimizer": "adam",
            "learning_rate": 0.1,
            "momentum": 0.1,
            "n_sessions": 1,
            "n_steps": 1,
            "loss": "cross_entropy",
            "name": "mine",
        },
        "train": {
            "n_steps": 1,
            "callback": None,
            "checkpoint": None,
            "resume": None,
        },
        "loss_and_gradient": {"loss": "cross_entropy"},
        "Anatomy": {"first": net},
        "coupling_name": {"agent": "network", "effect": "start per prior"},
        "cliffs_delta": {"a": [1.0, 2.0], "b": [0.5, 3.0]},
        "low_rank": {},
        "continuation": {
            "along": (0.0, 0.0, 1.0),
            "low": -0.1,
            "high": 0.1,
            "step_size": 0.1,
            "max_points": 20,
            "start": right_by_name()["point"],
        },
        "first_order_search": {"n_steps": 5, "rate": 0.1},
        "difference_order": {"states": w["run"].hidden[:, :2], "n_orders": 3},
        "iterate": {"states": w["run"].hidden[:4], "n_steps": 5, "tolerance": 1e-9},
        "slopes": {"of": "evidence"},
        "log_odds": {"p": np.array([0.2, 0.8])},
        "prior_log_odds": {"block": np.array([0.2, 0.8]), "p_block": 0.8},
        "along_blocks": {"min_n": 1},
        "gradient_flow": {"n_back": 3, "n_steps": 3},
        "verdict": {"axis": right_by_name()["axis"]},
        "path_between": {"n_states": 5},
        "unstable_manifold": {"distance": 1e-3, "n_steps": 5},
        "eigenvectors": {"x": (0.0, 0.0, 0.0)},
        "before": {"values": w["run"].hidden, "initial": np.zeros(5)},
        "needs_sessions": {"n": 2},
        "pca": {"trial_ends": False, "sessions": [0, 1, 2]},
        "block_decoder": {
            "axes": np.eye(2, 5),
            "split": "session",
            "labels": None,
            "regularisation": 1.0,
        },
        "angle": {"a": np.eye(2)[0], "b": np.eye(2)[1]},
        "readout_angle": {"axes": np.eye(2, 5)},
        "trajectories": {},
        "cka": {"a": right_by_name()["several"][0], "b": right_by_name()["several"][1]},
        "procrustes": {"a": right_by_name()["several"][0], "b": right_by_name()["several"][1]},
        "session_starts": {"n_steps": 5},
        "dsa": {
            "a": similarity.session_starts(w["run"], 8),
            "b": similarity.session_starts(w["run"], 8),
            "n_delays": 2,
            "rank": 3,
        },
        "matrix": {"others": None, "of": similarity.cka},
        "mean_of_pairs": {"similar": np.array([[1.0, 0.2], [0.2, 1.0]])},
        "history_regression": {"trials": w["bayes"], "prior": w["bayes"].prior},
        "by_strength": {"by": ("strength",)},
        "after_block_change": {"strength": None, "min_n": 1},
        "regret": {"agent": w["run"], "optimal": w["bayes"]},
        "psychometric_curve": {
            "c": [0.0, 1.0],
            "mu": 0.0,
            "sigma": 1.0,
            "gamma1": 0.1,
            "gamma2": 0.1,
        },
        "compare": {"by": "subject"},
        "drift": {"trials": one_mouse},
        "exceedance": {"log_evidence": log},
        "recover": {"between_sessions": False},
        "fit": {
            "by": "subject",
            "errors": "hessian",
            "lapses": 2,
            "zetas": 2,
            "repetition": False,
            "bias": False,
        },
        "cross_validate": {
            "by": "subject",
            "lapses": 2,
            "zetas": 2,
            "repetition": False,
            "bias": False,
        },
        "glm_hmm": {"trials": one_mouse, "n_iterations": 2},
        "posterior": {"unit": 0, "n_steps": 20, "n_walkers": 20, "n_ensembles": 2},
        "pseudo_blocks": {"n_trials": 10},
        "Beside": {"mice": w["table"], "agents": {"bayes": w["bayes"]}},
        "tiny_rnn": {
            "trials": one_mouse,
            "cell": "gru",
            "n_units": (1,),
            "n_outer": 2,
            "n_inner": 2,
            "n_seeds": 1,
            "penalties": (0.001,),
            "max_epochs": 2,
        },
        "student": {"kind": "full_force", "temperature": 2.0},
        "students": {"kinds": ("full_force",)},
        "bayesian_filter": {"gains": (1.0, 2.0)},
        "messages": {"fitted": w["map"]},
        "with_gain": {"fitted": w["map"], "gain": 2.0},
        "Examiner": {"master": w["run"]},
        "Examiner.behaviour": {"student": w["student"].network},
        "Examiner.likeness": {"student": w["student"].network},
        "Examiner.examine": {"student": w["student"].network},
        "divergence": {"n_lags": 3},
        "summarise": {
            "table": pd.DataFrame({"kind": ["radd", "radd"], "seed": [0, 1], "correct": [0.8, 0.9]})
        },
        "Distillation": {"master": w["run"], "n_seeds": 1},
        "coordinates": {"dimension": 2},
        "radd": {
            "dimension": 2,
            "projection": None,
            "rows": np.eye(2, 5),
            "mean": np.zeros(5),
            "scale": None,
            "gains": (1.0, 2.0),
        },
        "figures.draw": {"name": "4"},
        "figures.comparison": {"table": compared},
        "figures.save": {
            "figure": Figure(),
            "source": points,
            "folder": ".",
            "name": "saved",
        },
        "include": {"rules": {"min_trials": 1}},
        "load": {"path": "nothing", "subjects": None},
        "from_one": {"one": One(), "eids": ["a"]},
        "to_alf": {"trials": w["table"].assign(response_time=1.0)},
        "points": {
            "table": points,
            "x": "strength",
            "ax": ax,
            "colour": "#112233",
            "marker": "o",
            "line": "-",
            "hollow": False,
            "bar": True,
            "label": "",
        },
        "band": {"table": points, "x": "strength", "ax": ax, "colour": "#112233", "label": ""},
        "plot.estimate": {
            "found": w["estimate"],
            "y": 0.0,
            "ax": ax,
            "colour": "#112233",
            "marker": "o",
            "vertical": False,
            "label": "",
        },
        "dots": {
            "table": pd.DataFrame(
                {"agent": ["network"], "value": [0.5], "low": [0.4], "high": [0.6]}
            ),
            "look": agents.look,
            "ax": ax,
        },
        "page": {"height": 50.0},
        "letter": {"text": "a", "ax": ax},
        "chance": {"value": 0.5, "ax": ax, "vertical": False},
        "powers": {"axis": ax.yaxis},
        "few": {"axis": ax.xaxis, "n": 3},
        "signed": {"number": 0.5, "form": ".2f"},
        "interval": {"found": w["estimate"], "digits": 2},
        "note": {"figure": figure, "text": "x"},
        "finish": {"figure": figure},
        "verdicts": {},
        "claims.verdicts": {
            "wide": w["wide"],
            "low": w["wide"] - 0.1,
            "high": w["wide"] + 0.1,
        },
        "report_name": {"measure": "correct"},
        "counted": {"row": counted},
        "controls.measures": {"kind": "untrained", "found": w["population"].members[0], "index": 0},
        "controls.table": {"n_each": 1},
        "controls.observer": {"hidden": True},
        "shuffled": {},
        "Population.load": {"folder": "nothing"},
        "population": {
            "folder": None,
            "n_networks": 1,
            "grid": None,
            "cell": "tanh",
            "parts": ("representation",),
            "executor": "threads",
            "tensorboard": None,
        },
        "plan": {"n_networks": 1, "grid": None, "cell": "tanh", "parts": ("representation",)},
        "measure": {"name": "correct"},
        "of_row": {"name": "correct"},
        "checked": {"found": {"correct": w["estimate"]}},
        "Sequences.of": {"sessions": [0, 1]},
        "independent": {},
        "logistic": {},
        "linear": {},
        "weight_ratio": measured | {"contrast": (1.0, 0.0)},
        "correlation": {
            "x": np.arange(12.0),
            "y": np.arange(12.0) ** 2,
        },
        "resample": {"n_units": 4, "run": 1},
        "percentiles": {"draws": np.arange(10.0).reshape(5, 2), "n": 3},
        "ratio_interval": {
            "numerators": [1.0, 2.0, 0.5],
            "denominators": [2.0, 3.0, 1.0],
            "resamples": None,
        },
        "paired": {
            "a": ([1.0, 2.0], [2.0, 3.0]),
            "b": ([1.0, 2.0], [2.0, 3.0]),
            "resamples": None,
        },
        "mean_interval": {"values": [1.0, 2.0, 4.0]},
        "wilson": {"k": 1, "n": 4},
        "verify": {"folder": "nothing", "n_networks": 1},
        "write": {"folder": "written", "figures": False, "settings": None},
        "manifest": {"settings": {}},
        "look": {"name": "network"},
        "about": {"name": "1"},
        "readout_participation": {},
        "circuit": {},
        "FixedPoints.at": {},
        "Path.angles": {"axes": np.eye(2, 5)},
        "Branch.passes": {"state": np.zeros(5), "value": 0.0, "within": 0.1},
        "Decoder.minus": {"other": w["decoder"]},
        "Plane.lift": {"scores": np.zeros((3, 2))},
        "Resamples.independent": {"has_data": np.ones((4, 2), bool)},
        "plot.blocks": {"p_left": [0.2, 0.8]},
        "from_frame": {"frame": pd.DataFrame(own_table()), "columns": None},
        "left_out": {"trials": pd.DataFrame({"a": [1]})},
        "with_choice": {"trials": w["table"], "choice": np.ones(len(w["table"]))},
        "Resamples.runs": {"values": np.ones((4, 2))},
        "Resamples.sums": {"values": np.ones((4, 2))},
        "Radd.trajectories": {},
        "Spread.estimate": {"function": np.asarray},
        "Projection.first": {"dimension": 1},
        "Fit.theta": {"unit": 0},
        "Claim.holds": {"values": [0.1, 0.9]},
        "Claim.turns_on_sessions": {"low": [0.1], "high": [0.9]},
        "Sequences.lay": {"values": w["run"].p_right},
        "Sequences.flat": {"values": w["sequences"].x},
        "Population.wide": {"values": None},
        "Population.member": {"key": "x"},
        "OptimalPolicy.solution": {},
    }


def key_of(name):
    """Short name of a callable, by which the tables above have it."""
    parts = name.split(".")
    return ".".join(parts[-2:])


def right_arguments(name, function):
    """Arguments by name with which a callable is to work."""
    own = right_by_call()
    given = dict(own.get(key_of(name), own.get(name.rsplit(".", 1)[-1], {})))
    common = right_by_name()
    kept = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            kept |= given
        elif parameter.name in given:
            kept[parameter.name] = given[parameter.name]
        elif parameter.name in common:
            kept[parameter.name] = common[parameter.name]
        elif parameter.default is parameter.empty:
            raise LookupError(f"{name}({parameter.name}) needs a right value in {__file__}")
    return kept


@functools.cache
def callables():
    """Every public function, class that is made by hand, and method: (callable, arguments)."""
    found = {}
    for module_name in MODULES:
        module = importlib.import_module(f"hrnn.{module_name}")
        for name, value in vars(module).items():
            full = f"{module_name}.{name}"
            if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
                continue
            if inspect.isfunction(value) and full not in INSIDE or full in CLASSES:
                found[full] = value
    for instance in [hrnn.Task, hrnn.Network, hrnn.Sessions, hrnn.Rollout, *instances()]:
        found |= methods_of(instance)
    return {name: (value, right_arguments(name, value)) for name, value in found.items()}


def instances():
    """Objects whose methods are called."""
    w = world()
    names = "task net sessions run found way decoder plane resamples radd spread fitted claim"
    names += " sequences examiner policy"
    yield from (w[name] for name in names.split())
    yield distill.Projection(w["radd"].mean, w["radd"].rows)


def methods_of(instance):
    """Public methods of an instance, or class methods of a class."""
    of_class = inspect.isclass(instance)
    cls = instance if of_class else type(instance)
    found = {}
    for name in dir(cls):
        raw = inspect.getattr_static(cls, name)
        if name.startswith("_") or isinstance(raw, property):
            continue
        if of_class != isinstance(raw, (classmethod, staticmethod)):
            continue
        value = getattr(instance, name)
        if inspect.ismethod(value) or inspect.isfunction(value):
            found[f"{cls.__name__}.{name}"] = value
    return {k: v for k, v in found.items() if inspect.signature(v).parameters}


# ---- wrong ones ----


@functools.cache
def extreme():
    """Objects of tasks at the ends of what is allowed, by the name of the argument they fit."""
    base = {"block_min": 4, "block_max": 6, "n_blocks": 2, "n_obs_max": 3}
    changes = [
        {"threshold": 0.5},
        {"threshold": 1 - 1e-15},
        {"n_obs_max": 1},
        {"n_obs_max": 1000, "n_blocks": 1},
        {"noise_sd": 1e-6},
        {"noise_sd": 1e6},
        {"strengths": (1.0, 1.0, 1.0)},
        {"strengths": (0.0,)},
        {"strengths": (1e6,)},
        {"p_block": 0.5},
        {"p_block": 1.0},
        {"block_min": 5, "block_max": 5},
        {"block_min": 1, "block_max": 1},
        {"n_blank": 0},
        {"n_unbiased": 3},
        {"wait_penalty": -1e6},
        {"block_hazard": 1e-9},
        {"strength_weights": (0.0, 1.0), "strengths": (0.0, 1.0)},
    ]
    by_name = collections.defaultdict(list)
    net = world()["net"]
    for change in changes:
        task = hrnn.Task(**base | change)
        for n_sessions in (1, 4):
            sessions = task.sample(n_sessions=n_sessions, rng=1)
            run = hrnn.rollout(net, sessions)
            bayes = hrnn.rollout(hrnn.BayesianActor(), sessions)
            by_name["task"].append(task)
            by_name["sessions"].append(sessions)
            by_name["run"] += [run, bayes]
            by_name["seen"].append(hrnn.observe(run))
            by_name["trials"] += [run, bayes, bayes.trials, bayes.trials.assign(subject="a")]
    for cell, n_hidden in (("gru", 3), ("leaky", 1), ("tanh", 1), ("tanh", 70)):
        by_name["net"].append(hrnn.Network.init(cell, n_hidden=n_hidden, rng=0, leak=None))
    zero = np.zeros_like(net.theta)
    by_name["net"] += [net.with_theta(zero), net.with_theta(zero + 1e300)]
    by_name["fitted"].append(mice.fit(world()["bayes"], "flat", n_starts=1))
    for other in ("agent", "master", "a", "b", "optimal"):
        by_name[other] = by_name["run"]
    return dict(by_name)


def scalars():
    """Numbers, texts and things that are neither."""
    return [
        None, True, False, "", "x", "1", b"ab", float("nan"), float("inf"), -float("inf"),
        -1, 0, 1, 2, 3, 7, 1.0, 0.5, 1.5, -0.5, 10**30, -(10**30), 10**400, -(10**400), 2**31,
        2**63, 2**64, 10**9, 1e300, -1e300, 5e-324, 1j, object(), print, int, {1}, {}, [], (), ...,
        {"a": 1}, {"x": None}, {1: 2}, decimal.Decimal("0.5"), fractions.Fraction(1, 2), range(3),
        range(-2, 2), pathlib.Path("nowhere"), pathlib.Path("/"), "/dev/null", "\0", "é" * 300,
        np.float32(0.25), np.float64("nan"), np.int8(-3), np.uint64(2**63), np.bool_(True),
        np.datetime64("2020-01-01"), np.str_("x"), pd.NA, pd.NaT, datetime.date(2020, 1, 1),
        (i for i in range(3)), lambda *a, **k: None, types.SimpleNamespace(a=1), slice(0, 1),
        Ellipsis, NotImplemented, memoryview(b"abc"), bytearray(b"x"), np.random.RandomState(0),
        np.random.default_rng(0), np.random.SeedSequence(1), ValueError("x"), sys,
    ]  # fmt: skip


def arrays(random):
    """Arrays, lists and tables of every wrong kind."""
    n = int(random.integers(1, 7))
    frame = pd.DataFrame({"session": [0, 0, 1], "choice": [1, -1, 1], "side": [1, 1, -1]})
    mapped = np.memmap(tempfile.TemporaryFile(), dtype=float, mode="w+", shape=(n, 5))  # noqa: SIM115
    return [
        np.array([]), np.empty((0, 5)), np.empty((5, 0)), np.empty((0, 3)), np.array(1.0),
        np.array(np.nan), np.full(n, np.nan), np.full((n, 5), np.inf), np.ones(n), np.ones((n, n)),
        np.ones((n, 5)), np.zeros((n, 5)), np.zeros(5), np.zeros(3), np.ones((2, 2, 2, 2)),
        np.ones((n, 3)), np.arange(n), -np.arange(n), np.array([2**62]), np.array([-1, 10**6]),
        np.array([0.5, 1.5]), np.ma.array([1.0, 2.0], mask=[0, 1]),
        np.ma.array(np.ones((n, 5)), mask=np.eye(n, 5)), np.ones(n) * 1j, np.array(["a", "b"]),
        np.array([b"a"]), np.array([object(), None]), np.array([1, "a"], object),
        np.array([1.0, 2.0], object), np.array([10**400], object), np.ones(n, np.float32),
        np.ones(5, np.float16), np.ones((n, 5), ">f8"), np.broadcast_to(1.0, (n, 5)),
        np.ones(n, bool), np.zeros(n, bool), np.ones((5, n)).T, np.asmatrix(np.ones((n, 5))),
        np.zeros(2, [("a", float), ("b", int)]), np.array(["2020"], "M8[D]"), mapped, mapped[:, 0],
        np.full(n, 1e300), np.full((n, 5), 1e200), np.full(5, 5e-324), np.full((n, n), -1),
        [1.0, [2.0]], [[1.0], [2.0, 3.0]], [None], [None, 1.0], ["a"], ["a", 1], [object()],
        [np.ones(3), np.ones(2)], [float("nan")], [10**400], [-1.0], [0], [0, 0], [1, 2, 3],
        ["a", "a"], [True, False], [(1, 2)], (1.0, "x"), ((1,), (2,)), [[]], [{}], {"a": []},
        {"a": np.ones(5), "b": None}, {"stimulus": "x"}, {"min_trials": -1}, {"min_trials": "x"},
        {"W": np.eye(5)}, {"a": frame}, frame, frame.iloc[:0], frame.session, pd.DataFrame(),
        pd.concat([frame, frame], axis=1), frame.astype(object), frame.astype(str),
        pd.Series([1.0, None]), pd.Index([1, 2]), pd.Series(["a"], index=["b"]),
        pd.array([1, None], dtype="Int64"), pd.Categorical(["a", "b"]), iter([1.0, 2.0]),
    ]  # fmt: skip


def broken(value, random):
    """A right value made wrong: of another shape, type or content, or one forged field."""
    if isinstance(value, (np.ndarray, list, tuple)) and np.asarray(value, object).ndim:
        return broken_array(value, random)
    if isinstance(value, pd.DataFrame):
        return broken_table(value, random)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return forged(value, random)
    if isinstance(value, dict) and value:
        name = list(value)[random.integers(len(value))]
        wrong = any_value(random)
        return random_choice(
            random, [{}, {name: wrong}, value | {name: wrong}, value | {"extra": wrong}]
        )
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return random_choice(
            random,
            [-value, value * 10**6, value + 0.5, str(value), [value], np.array(value), value / 7]
            + [np.float32(value), int(value) * 10**320 + 10**310, complex(value), -1e-9],
        )
    if isinstance(value, str):
        return random_choice(random, [value.upper(), value + " ", value.encode(), [value], ""])
    return any_value(random)


def random_choice(random, values):
    return values[random.integers(len(values))]


def broken_array(value, random):
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or array.size == 0:
        few = list(value)
        wrong = any_value(random)
        return random_choice(random, [few[:0], few[:1], few * 2, [*few, wrong], [wrong], wrong])
    spoiled = array.astype(float)
    place = tuple(random.integers(n) for n in array.shape)
    spoiled[place] = random_choice(random, [np.nan, np.inf, -1.0, 1e300, 0.5, 1e9, -np.inf])
    mask = np.zeros(array.shape, bool)
    mask[place] = True
    objects = array.astype(object)
    objects[place] = random_choice(random, [None, "x", 10**400, object(), 1j])
    return random_choice(
        random,
        [
            array[:-1], array[:1], array[:0], array[1:], np.concatenate([array, array]),
            array[..., None], array[None], array.ravel()[:1], array.T, array[..., ::-1], spoiled,
            spoiled, objects, objects, objects.tolist(), np.ma.array(array, mask=mask),
            array * 1j, array.astype(str), array.tolist(), array.astype(np.float32),
            array.astype("U3"), array.astype(">f8"), array * 0, array * 0 + np.nan,
            array.astype(np.int64), array.astype(bool), array.astype(object), iter(array),
            pd.DataFrame(array.reshape(len(array), -1)), array * 1e200, array.sum(),
        ],
    )  # fmt: skip


def broken_table(table, random):
    column = random_choice(random, list(table.columns))
    wrong = random_choice(
        random,
        [np.nan, None, "x", -1, 0, 1, 2, 0.5, np.inf, 1e300, 10**400, 1j, pd.NA, True, b"x"],
    )
    spoiled = table.copy().astype({column: object})
    spoiled.iloc[random.integers(len(table)), list(table.columns).index(column)] = wrong
    return random_choice(
        random,
        [
            table.drop(columns=column), table.assign(**{str(column): wrong}), spoiled, spoiled,
            table.iloc[:0], table.iloc[:1], table.iloc[::-1], pd.concat([table, table]),
            table.sample(frac=1, random_state=1), table.astype(object), table.astype(str),
            table[[column]], table.T, pd.concat([table, table[[column]]], axis=1),
            table.rename(columns={column: "other"}), table.to_dict("list"), table[column],
            table.set_index(column), table.convert_dtypes(), table.iloc[:7], table.to_numpy(),
            table.assign(**{str(column): table[column].astype(str)}),
            table.assign(**{str(column): pd.Categorical(table[column])}),
        ],
    )  # fmt: skip


def forged(value, random):
    """The same object with one field made wrong, past its constructor if that refuses."""
    names = [f.name for f in dataclasses.fields(value) if f.init]
    name = random_choice(random, names)
    old = getattr(value, name)
    wrong = broken(old, random) if random.random() < 0.6 else any_value(random)
    return dataclasses.replace(value, **{name: wrong})


def any_value(random):
    """Any wrong value: a scalar, an array, or an object of another kind."""
    kind = random.random()
    if kind < 0.45:
        return random_choice(random, scalars())
    if kind < 0.8:
        return random_choice(random, arrays(random))
    return random_choice(random, list(world().values()))


def wrong_for(name, right, random):
    """A wrong, or an extreme, value for an argument that has a right one."""
    kind = random.random()
    if kind < 0.3 and name not in LONG:
        return broken(right, random)
    if kind < 0.45:
        kinds = {
            hrnn.Task: "task",
            hrnn.Sessions: "sessions",
            hrnn.Rollout: "run",
            hrnn.Network: "net",
            inference.Observation: "seen",
            pd.DataFrame: "trials",
            mice.Fit: "fitted",
        }
        like = extreme().get(name) or extreme().get(kinds.get(type(right), ""), [])
        if like:
            return random_choice(random, like)
    value = any_value(random)
    if name in LONG and isinstance(value, (int, np.integer)) and 10 < value < 10**12:
        return right  # a call that is right, and takes its time
    return value


# ---- calls ----


def input_of(seed, number, only=""):
    """(name, function, arguments, names of the wrong ones) of an input."""
    random = np.random.default_rng([seed, number])
    known = {name: call for name, call in callables().items() if only in name}
    name = random_choice(random, list(known))
    function, right = known[name]
    n_wrong = min(len(right), 1 + int(random.random() < 0.25))
    free = [argument for argument in right if argument not in OF_MATPLOTLIB]
    chosen = random.choice(free, min(n_wrong, len(free)), replace=False).tolist()
    arguments = dict(right)
    refused = None
    for argument in chosen:
        try:
            arguments[argument] = wrong_for(argument, right[argument], random)
        except Exception as error:  # an object that refuses to be forged
            refused = error
    return name, function, arguments, [] if refused else chosen


def judge(error, function, arguments):
    """Why an error is a defect; '' if it is none."""
    if isinstance(error, TimeoutError):
        return "too slow"
    if isinstance(error, (MemoryError, _core.NumericalError)):
        return ""
    if isinstance(error, OSError):
        return ""
    documented = inspect.getdoc(function) or ""
    if isinstance(error, KeyError) and "KeyError" in documented:
        return ""
    if isinstance(error, ImportError) and "pip install" in str(error):
        return ""  # an extra that is not installed
    if not isinstance(error, (TypeError, ValueError)):
        return "wrong type"
    names = set(inspect.signature(function).parameters) | set(arguments)
    for value in arguments.values():
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names |= {f.name for f in dataclasses.fields(value)}
    message = str(error)
    names |= {name.removesuffix("s") for name in names}  # one of several
    names |= {key for value in arguments.values() if type(value) is dict for key in map(str, value)}
    named = any(re.search(rf"\b{re.escape(name)}\b", message) for name in names if name)
    return "" if named else "no argument named"


def place_of(error):
    """Innermost line of hrnn, and innermost line, of an error."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [f for f in frames if "/hrnn/" in f.filename]
    last = inside[-1] if inside else frames[-1]
    path = last.filename.split("/hrnn/")[-1]
    return f"{path}:{last.lineno}"


def short(value):
    """A value in a line."""
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return re.sub(r"\s+", " ", text)[:90]


def too_slow(*_):
    raise TimeoutError


def attempt(seed, number, only=""):
    """Make one input and call it; returns what is known of it."""
    name, function, arguments, wrong = input_of(seed, number, only)
    found = {"number": number, "call": name, "defect": "", "outcome": "not made"}
    if not wrong:
        return found
    signal.alarm(SECONDS)
    began = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(**arguments)
        found["outcome"] = "worked"
    except (Exception, TimeoutError) as error:
        signal.alarm(0)
        found["outcome"] = type(error).__name__
        found["defect"] = judge(error, function, arguments)
        found["message"] = short(str(error))
        found["place"] = place_of(error)
        found["wrong"] = {argument: short(arguments[argument]) for argument in wrong}
    finally:
        signal.alarm(0)
    found["seconds"] = round(time.perf_counter() - began, 2)
    return found


def work(seed, first, n, only):
    """Attempt inputs one after another, with one line of JSON for each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, too_slow)
    extreme()
    plot.style()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for number in range(first, first + n):
            print(json.dumps({"begins": number}), flush=True)
            print(json.dumps(attempt(seed, number, only)), flush=True)
        os.chdir("/")


def run(seed, first, n, only=""):
    """Yield findings of n inputs, made in processes of their own, which may die."""
    while n > 0:
        command = [sys.executable, __file__, "--work", "--seed", seed, "--first", first, "--n", n]
        command += ["--only", only]
        environment = os.environ | {"PYTHONPATH": str(pathlib.Path(hrnn.__file__).parents[1])}
        process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, env=environment, text=True
        )
        begun = None
        watch = None
        for line in process.stdout:
            if not line.startswith("{"):
                continue
            one = json.loads(line)
            if watch:
                watch.cancel()
            watch = threading.Timer(3 * SECONDS, process.kill)  # C that heeds no signal
            watch.start()
            begun = one.get("begins", begun)
            if "call" in one:
                yield one
        if watch:
            watch.cancel()
        process.wait()
        if process.returncode == 0:
            break
        begun = first if begun is None else begun
        name, _, arguments, wrong = input_of(seed, begun, only)
        given = {argument: short(arguments[argument]) for argument in wrong}
        died = {"number": begun, "call": name, "defect": "died", "wrong": given}
        yield died | {"outcome": f"status {process.returncode}"}
        n -= begun + 1 - first
        first = begun + 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--only", default="", help="part of the callables' names")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work(chosen.seed, chosen.first, chosen.n, chosen.only)
        return
    outcomes = collections.Counter()
    for one in run(chosen.seed, chosen.first, chosen.n, chosen.only):
        outcomes[one["outcome"]] += 1
        outcomes["defects"] += bool(one["defect"])
        if one["defect"] or one.get("seconds", 0) > SLOW:
            print(json.dumps(one), flush=True)
    print(dict(outcomes))


if __name__ == "__main__":
    main()
