"""How evidence and feedback move the state: integration within and across trials, coupling of the two beliefs, gradient flow.

Movement is û·(h_t - h_{t-1}) along a unit readout û of the raw state. The observer is the semi-Markov one that saw the same
trials (`hrnn.observe`). Published slopes have unstated scalings: compare ratios.
"""

import dataclasses

import numpy as np

from hrnn.arguments import generator, one_of, real_array, whole_number
from hrnn.dynamics import jacobian
from hrnn.regression import added_r2, correlation, linear, weight_ratio
from hrnn.representation import run_of, states_before, states_of, stimulus_readout
from hrnn.stats import Estimate, ratio_interval


def _evidence(run):
    """d_t = o^R - o^L, (T,)."""
    return run.inputs[:, 1] - run.inputs[:, 0]


def movement(run, axis):
    """Movement of the state along the unit vector of axis (N,) at each step, (T,)."""
    states_of(run)
    axis = np.asarray(axis, float)
    return (run.hidden - states_before(run)) @ (axis / np.linalg.norm(axis))


SLOPE_COLUMNS = ["slope", "slope_low", "slope_high", "intercept", "intercept_low", "intercept_high", "r2", "n"]


def slopes(run, axes, *, of="evidence", rng=0):
    """Slope and intercept of the movement along readouts against evidence or feedback.

    Parameters
    ----------
    run : Rollout
    axes : dict of str to (N,)
        Readouts by name, e.g. stimulus and block.
    of : {'evidence', 'feedback'}
        d_t of the same step, observation steps only; or the feedback that a step receives, first steps of trials only.
    rng : int, SeedSequence or Generator

    Returns
    -------
    DataFrame
        Index: readout; columns `slope, slope_low, slope_high, intercept, intercept_low, intercept_high, r2, n`. Intervals
        resample sessions. NaN where feedback does not vary, as in an agent that always times out.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=4, rng=0))
    >>> slopes(run, {"stimulus": net.V[1] - net.V[0]}).index.tolist()
    ['stimulus']
    """
    import pandas as pd

    one_of(of, "of", ("evidence", "feedback"))
    _, session, _ = states_of(run)
    start = run.first_step[run.sessions.offsets[:-1]]
    if of == "evidence":
        rows, x = run.step >= run.sessions.task.n_blank, _evidence(run)
    else:
        rows, x = np.isin(np.arange(len(session)), np.setdiff1d(run.first_step, start)), run.inputs[:, 2]
    X, table = np.column_stack([x[rows], np.ones(rows.sum())]), {}
    if not np.ptp(x[rows]) > 0:  # an agent that always times out never sees feedback vary
        return pd.DataFrame(np.nan, index=list(axes), columns=SLOPE_COLUMNS).assign(n=int(rows.sum()))
    for name, axis in axes.items():
        fit = linear(X, movement(run, axis)[rows], session[rows], rng=rng)
        w = fit.weights
        table[name] = {"slope": w.value[0], "slope_low": w.low[0], "slope_high": w.high[0], "intercept": w.value[1],
                       "intercept_low": w.low[1], "intercept_high": w.high[1], "r2": fit.r2.value, "n": fit.n}
    return pd.DataFrame.from_dict(table, orient="index")


def slope_ratio(run, first, second, *, rng=0):
    """Slope of the movement along one readout against the evidence, over that along another, as Estimate (sessions resampled).

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=4, rng=0))
    >>> slope_ratio(run, net.V[1], 2 * net.V[1]).value
    1.0
    """
    _, session, _ = states_of(run)
    rows = run.step >= run.sessions.task.n_blank
    X, moved = np.column_stack([_evidence(run), np.ones(len(session))]), np.column_stack([movement(run, axis) for axis in (first, second)])
    return weight_ratio(X[rows], moved[rows], [1, 0], session[rows], rng=rng)


# ---- across trials -------------------------------------------------------------------------------------------------


def log_odds(p):
    """log p/(1 - p), of probabilities that rounding has not made 0 or 1: those are taken as 2⁻⁵³ from it, log odds of ±36.7."""
    p = np.clip(p, 2.0**-53, 1 - 2.0**-53)
    return np.log(p) - np.log1p(-p)


@dataclasses.dataclass(frozen=True, eq=False)
class Belief:
    """Block belief of a network beside the observer's, before each trial (R trials).

    Attributes
    ----------
    network : (R,)
        Log odds of the decoder at the last blank step before the observations.
    observer : (R,)
        log P(b = +1)/P(b = -1) after the previous trial and the hazard.
    scale : Estimate
        The one slope through the origin of network against observer.
    correlation : Estimate
    r2 : Estimate
        1 - SS_res / SS_tot of that slope.
    update_scale, update_correlation : Estimate
        The same for the changes from one trial to the next.
    feedback_share, feedback_share_observer : Estimate
        R² that choice, feedback and their product add to the evidence of the trial and the belief before it, in a regression
        of the updates of the network, and of the observer.
    """

    network: np.ndarray
    observer: np.ndarray
    scale: Estimate
    correlation: Estimate
    r2: Estimate
    update_scale: Estimate
    update_correlation: Estimate
    feedback_share: Estimate
    feedback_share_observer: Estimate


def _check_observer(run, seen):
    """Refuse trials without a step before the observations, and an observer of other trials or without a block belief that varies."""
    states_of(run)
    if run.sessions.task.n_blank < 1:
        raise ValueError("run must be of a task with n_blank >= 1")
    if len(seen.block) != run.sessions.n_trials or len(seen.p_block) != len(run.p_right):
        raise ValueError("seen must be hrnn.observe of this run")
    block = seen.block[run.sessions.block_side != 0]
    if not (np.isfinite(block).all() and np.ptp(block) > 0):
        raise ValueError("seen must be of an observer with a block belief that varies, such as 'semi_markov' where p_block > 0.5")


def _through_origin(x, y, unit, rng):
    fit = linear(x[:, None], y, unit, rng=rng)
    w = fit.weights
    return Estimate(float(w.value[0]), float(w.low[0]), float(w.high[0]), w.n), fit.r2


def block_belief(run, decoder, seen, *, rng=0):
    """Compare a network's block belief with that of the observer of the same trials, and their updates.

    Parameters
    ----------
    run : Rollout
        Of a task with at least one blank step.
    decoder : representation.Decoder
    seen : Observation
        ``hrnn.observe(run)``.
    rng : int, SeedSequence or Generator

    Returns
    -------
    Belief

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task().sample(n_sessions=8, rng=0))
    >>> belief = block_belief(run, hrnn.representation.block_decoder(run), hrnn.observe(run))
    >>> belief.network.shape == (run.sessions.n_trials,)
    True
    """
    _check_observer(run, seen)
    s, n_blank = run.sessions, run.sessions.task.n_blank
    biased = s.block_side != 0
    network, observer = decoder.log_odds(run.hidden[run.first_step + n_blank - 1]), log_odds(seen.block)
    scale, r2 = _through_origin(observer[biased], network[biased], s.session[biased], rng)
    pair = biased[1:] & biased[:-1] & (np.diff(s.session) == 0)
    step_net, step_obs, unit = np.diff(network)[pair], np.diff(observer)[pair], s.session[1:][pair]
    update_scale, _ = _through_origin(step_obs, step_net, unit, rng)
    evidence = np.bincount(run.trial, _evidence(run), minlength=s.n_trials)[:-1][pair]
    choice, feedback = run.choice[:-1][pair].astype(float), np.where(run.choice == s.side, 1.0, -1.0)[:-1][pair]
    told = np.column_stack([choice, feedback, choice * feedback])
    shares = [
        added_r2(np.column_stack([evidence, values[:-1][pair], np.ones(len(unit))]), told, steps, unit, rng=rng)
        for values, steps in ((network, step_net), (observer, step_obs))
    ]
    return Belief(
        network, observer, scale, correlation(observer[biased], network[biased], s.session[biased], rng=rng), r2, update_scale,
        correlation(step_obs, step_net, unit, rng=rng), *shares,
    )


def along_blocks(run, values, *, min_n=30, rng=0):
    """Mean of a belief towards the block's side by trial in block, sessions resampled.

    Parameters
    ----------
    run : Rollout
    values : (R,)
        Before each trial, positive for the right.
    min_n : int
        Points with fewer trials are dropped.
    rng : int, SeedSequence or Generator

    Returns
    -------
    DataFrame
        `trial_in_block, value, low, high, n`.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=20, rng=0))
    >>> int(along_blocks(run, np.ones(run.sessions.n_trials)).n[0])
    80
    """
    import pandas as pd

    s, min_n = run.sessions, whole_number(min_n, "min_n")
    biased = s.block_side != 0
    most = int(s.trial_in_block.max()) + 1
    cell = (s.session * most + s.trial_in_block)[biased]
    signed = (s.block_side * real_array(values, "values", (1,)))[biased]
    total, n = (np.bincount(cell, v, s.n_sessions * most).reshape(s.n_sessions, most) for v in (signed, np.ones(len(signed))))
    keep = np.flatnonzero(n.sum(0) >= min_n)
    mean = ratio_interval(total[:, keep], n[:, keep], rng=rng)
    return pd.DataFrame({"trial_in_block": keep, "value": mean.value, "low": mean.low, "high": mean.high, "n": n.sum(0)[keep].astype(int)})


# ---- coupling ------------------------------------------------------------------------------------------------------


def coupling(run, decoder, seen, *, rng=0):
    """How the two beliefs act on each other within a trial, for the network and for the observer alike.

    Four regressions, sessions resampled: the step of the block belief on the evidence d_t; the stimulus belief before the first
    observation on the block belief (starting point); and the step of the stimulus belief on d_t and d_t × block belief (slope).
    Beliefs are log odds: the network's are its readout and its block decoder, the observer's its posteriors.

    Parameters
    ----------
    run : Rollout
        Of a task with at least one blank step.
    decoder : representation.Decoder
    seen : Observation
    rng : int, SeedSequence or Generator

    Returns
    -------
    DataFrame
        Tidy: `agent` (network, observer), `effect` (block step per evidence, start per block belief, stimulus step per evidence,
        evidence x block belief), `value, low, high, r2, n`.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task().sample(n_sessions=8, rng=0))
    >>> coupling(run, hrnn.representation.block_decoder(run), hrnn.observe(run)).agent.unique().tolist()
    ['network', 'observer']
    """
    import pandas as pd

    _check_observer(run, seen)
    s, n_blank, net = run.sessions, run.sessions.task.n_blank, run.agent
    beliefs = {
        "network": (run.hidden @ stimulus_readout(net) + net.c[1] - net.c[0], decoder.log_odds(run.hidden)),
        "observer": (log_odds(seen.p_right), log_odds(seen.p_block)),
    }
    biased = s.block_side != 0
    rows, starts = np.flatnonzero((run.step >= n_blank) & biased[run.trial]), (run.first_step + n_blank - 1)[biased]
    unit, d, ones = s.session[run.trial[rows]], _evidence(run)[rows], np.ones(len(rows))
    table = []
    for agent, (stimulus, block) in beliefs.items():
        moved, joint = stimulus[rows] - stimulus[rows - 1], np.column_stack([d, d * block[rows - 1], block[rows - 1], ones])
        fits = {
            "block step per evidence": (np.column_stack([d, ones]), block[rows] - block[rows - 1], unit, 0),
            "start per block belief": (np.column_stack([block[starts], np.ones(len(starts))]), stimulus[starts], s.session[biased], 0),
            "stimulus step per evidence": (joint, moved, unit, 0),
            "evidence × block belief": (joint, moved, unit, 1),
        }
        for effect, (X, y, unit_of, k) in fits.items():
            fit = linear(X, y, unit_of, rng=rng)
            table.append({"agent": agent, "effect": effect, "value": fit.weights.value[k], "low": fit.weights.low[k],
                          "high": fit.weights.high[k], "r2": fit.r2.value, "n": fit.n})
    return pd.DataFrame(table)


# ---- gradient flow -------------------------------------------------------------------------------------------------


def gradient_flow(net, run, *, n_back=200, n_steps=200, rng=0):
    """‖∂L_t/∂h_{t-k}‖ against k: does the gradient of a step's loss vanish on its way back through the session?

    L_t = -p(correct side) at observation steps t, drawn at random among those with n_back steps before them in the session.

    Parameters
    ----------
    net : Network
    run : Rollout
        Of this network.
    n_back : int
        Largest k.
    n_steps : int
        Steps t.
    rng : int, SeedSequence or Generator

    Returns
    -------
    DataFrame
        `k` (0..n_back), `median`, `low`, `high` (quartiles) over the steps t, each norm divided by that at k = 0.

    Raises
    ------
    ValueError
        If no observation step has n_back steps before it.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=4, rng=0))
    >>> gradient_flow(net, run, n_back=10)["median"].iloc[0].item()
    1.0
    """
    import pandas as pd

    run_of(run, net)
    n_back, n_steps = whole_number(n_back, "n_back"), whole_number(n_steps, "n_steps")
    first = run.first_step[run.sessions.offsets[:-1]]
    start = np.repeat(first, np.diff(np.r_[first, len(run.p_right)]))
    possible = np.flatnonzero((run.step >= run.sessions.task.n_blank) & (np.arange(len(start)) - start >= n_back))
    if not possible.size:
        raise ValueError(f"run must have observation steps with n_back = {n_back} steps before them, got none")
    t = generator(rng).choice(possible, min(n_steps, len(possible)), replace=False)
    p = run.p_right[t]
    gradient = (p * (1 - p))[:, None] * stimulus_readout(net)
    before, norms = states_before(run), []
    for k in range(n_back + 1):
        norms.append(np.linalg.norm(gradient, axis=1))
        J = jacobian(net, before[t - k], run.inputs[t - k])
        gradient = np.einsum("ti,tij->tj", gradient, J)
    norms = np.array(norms) / np.maximum(norms[0], 1e-300)
    low, median, high = np.quantile(norms, [0.25, 0.5, 0.75], axis=1)
    return pd.DataFrame({"k": np.arange(n_back + 1), "median": median, "low": low, "high": high})
