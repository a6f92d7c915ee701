"""How evidence and feedback move the state.

Integration within and across trials, coupling of the two beliefs, gradient flow.

Movement is û·(h_t - h_{t-1}) along a unit readout û of the raw state. The observer is the
semi-Markov one that saw the same trials (`hrnn.observe`). Published slopes have unstated scalings:
compare ratios.
"""

import dataclasses
import itertools

import numpy as np

from hrnn.analysis.representation import run_of, states_before, states_of, stimulus_readout
from hrnn.base.arguments import generator, one_of, real_array, whole_number
from hrnn.statistics.projections import Moments, estimate, resampled_together
from hrnn.statistics.regression import independent
from hrnn.statistics.resampling import Estimate, ratio_interval


def movement(run, axis):
    """Movement of the state along the unit vector of axis (N,) at each step, (T,)."""
    states_of(run)
    axis = np.asarray(axis, float)
    return (run.hidden - states_before(run)) @ (axis / np.linalg.norm(axis))


SLOPE_COLUMNS = [
    "slope",
    "slope_low",
    "slope_high",
    "intercept",
    "intercept_low",
    "intercept_high",
    "r2",
    "n",
]


def slopes(run, axes, *, of="evidence", rng=0):
    """Slope and intercept of the movement along readouts against evidence or feedback.

    Parameters
    ----------
    run : Rollout
    axes : dict of str to (N,) or Decoder
        Readouts by name, e.g. stimulus and block. What is estimated, a `Decoder`, is estimated anew
        in every resample.
    of : {'evidence', 'feedback'}
        d_t of the same step, observation steps only; or the feedback that a step receives, first
        steps of trials only.
    rng : int, SeedSequence or Generator
        For the resamples, if no axis brings its own.

    Returns
    -------
    DataFrame
        Index: readout; columns `slope, slope_low, slope_high, intercept, intercept_low,
        intercept_high, r2, n`. Intervals resample sessions. NaN where feedback does not vary, as in
        an agent that always times out.

    Raises
    ------
    ValueError
        If decoders were not made with one rng from this run.

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
    states_of(run)
    rows = np.flatnonzero(run.observed) if of == "evidence" else run.told
    x = (run.evidence if of == "evidence" else run.inputs[:, 2])[rows]
    if not np.ptp(x) > 0:  # an agent that always times out never sees feedback vary
        return pd.DataFrame(np.nan, index=list(axes), columns=SLOPE_COLUMNS).assign(n=len(rows))
    moments, readouts = _movements(run, axes, rows, rng, x=x)
    table = {}
    for name, readout in readouts.items():
        weights, r2 = moments.regress(
            [moments.of("x"), moments.of("one")], moments.of("moved", readout.all_directions)
        )
        slope, intercept = (estimate(column, run.sessions.n_sessions) for column in weights.T)
        table[name] = {
            "slope": slope.value,
            "slope_low": slope.low,
            "slope_high": slope.high,
            "intercept": intercept.value,
            "intercept_low": intercept.low,
            "intercept_high": intercept.high,
            "r2": r2[0],
            "n": len(rows),
        }
    return pd.DataFrame.from_dict(table, orient="index")


def _movements(run, axes, rows, rng, **columns):
    """Moments of the movement of the state and of other columns at some steps.

    The readouts in the same resamples.
    """
    readouts = resampled_together(axes, run.sessions.n_sessions, rng)
    counts = next(iter(readouts.values())).counts
    moved = run.hidden[rows] - states_before(run)[rows]
    return Moments(run.session[rows], counts, moved=moved, **columns), readouts


def slope_ratio(run, first, second, *, rng=0):
    """Slope of the movement along one readout against the evidence, over that along another.

    As Estimate.

    Parameters
    ----------
    run : Rollout
    first, second : (N,) or Decoder
        As in `slopes`: a decoder is estimated anew in every resample of sessions, which is where
        most of the error comes from.
    rng : int, SeedSequence or Generator

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=4, rng=0))
    >>> round(slope_ratio(run, net.V[1], 2 * net.V[1]).value, 9)
    1.0
    """
    states_of(run)
    rows = np.flatnonzero(run.observed)
    moments, readouts = _movements(
        run, {"first": first, "second": second}, rows, rng, d=run.evidence[rows]
    )
    design = [moments.of("d"), moments.of("one")]
    above, below = (
        moments.regress(design, moments.of("moved", r.all_directions))[0][:, 0]
        for r in readouts.values()
    )
    return estimate(above / below, run.sessions.n_sessions)


# ---- across trials ----


def log_odds(p):
    """log p/(1 - p), of probabilities that rounding has not made 0 or 1.

    Those are taken as 2⁻⁵³ from it, log odds of ±36.7.
    """
    p = np.clip(p, 2.0**-53, 1 - 2.0**-53)
    return np.log(p) - np.log1p(-p)


@dataclasses.dataclass(frozen=True, eq=False)
class Belief:
    """Block belief of a network beside the observer's, before each trial (R trials).

    Intervals resample sessions, the decoder being estimated anew in each resample.

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
        R² that choice, feedback and their product add to the evidence of the trial and the belief
        before it, in a regression of the updates of the network, and of the observer.
    told_weight, told_weight_observer, told_weight_ratio : Estimate
        Weight of feedback × choice, the side that the feedback tells, in that regression (log
        odds), and network over observer. What an ideal learner learns from feedback is this
        product; the feedback alone tells it nothing, since no side is right more often.
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
    told_weight: Estimate
    told_weight_observer: Estimate
    told_weight_ratio: Estimate


def _check_observer(run, seen):
    """Refuse trials without a step before the observations.

    And an observer of other trials or without a block belief that varies.
    """
    states_of(run)
    if run.sessions.task.n_blank < 1:
        raise ValueError("run must be of a task with n_blank >= 1")
    if len(seen.block) != run.sessions.n_trials or len(seen.p_block) != len(run.p_right):
        raise ValueError("seen must be hrnn.observe of this run")
    block = seen.block[run.sessions.block_side != 0]
    if not (np.isfinite(block).all() and np.ptp(block) > 0):
        raise ValueError(
            "seen must be of an observer with a block belief that varies, such as 'semi_markov' where p_block > 0.5"
        )


def block_belief(run, decoder, seen):
    """Compare a network's block belief with that of the observer of the same trials.

    And their updates.

    Parameters
    ----------
    run : Rollout
        Of a task with at least one blank step.
    decoder : representation.Decoder
        Of this run.
    seen : Observation
        ``hrnn.observe(run)``.

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
    s = run.sessions
    states = run.hidden[run.first_step + run.sessions.task.n_blank - 1]
    network = decoder.log_odds(states)
    observer = log_odds(seen.block)
    biased = s.block_side != 0
    counts = decoder.counts
    n = s.n_sessions
    m = Moments(s.session[biased], counts, states=states[biased], observer=observer[biased])
    belief = m.log_odds("states", decoder)
    scale, r2 = m.regress([m.of("observer")], belief)
    pair = np.flatnonzero(biased[1:] & biased[:-1] & (np.diff(s.session) == 0))
    u = Moments(
        s.session[pair],
        counts,
        steps=states[pair + 1] - states[pair],
        observer=observer[pair + 1] - observer[pair],
    )
    update = u.of("steps", decoder.all_weights)
    return Belief(
        network,
        observer,
        estimate(scale[:, 0], n),
        estimate(m.correlate(m.of("observer"), belief), n),
        estimate(r2, n),
        estimate(u.regress([u.of("observer")], update)[0][:, 0], n),
        estimate(u.correlate(u.of("observer"), update), n),
        *_feedback(run, decoder, states, observer, pair),
    )


def _feedback(run, decoder, states, observer, pair):
    """What choice, feedback and their product add to the updates of network and observer.

    Shares, weights of the product, their ratio.
    """
    s = run.sessions
    n = run.sessions.n_sessions
    evidence = np.bincount(run.trial, run.evidence, minlength=s.n_trials)[pair]
    choice = run.choice[pair].astype(float)
    feedback = np.where(run.choice == s.side, 1.0, -1.0)[pair]
    told = {"choice": choice, "feedback": feedback, "product": choice * feedback}
    kept = independent(np.column_stack([np.ones(len(pair)), *told.values()]))[1:]
    told = {name: values for (name, values), keep in zip(told.items(), kept, strict=True) if keep}
    u = Moments(
        s.session[pair],
        decoder.counts,
        before=states[pair],
        steps=states[pair + 1] - states[pair],
        evidence=evidence,
        observer_before=observer[pair],
        observer=observer[pair + 1] - observer[pair],
        **told,
    )
    agents = (
        (u.log_odds("before", decoder), u.of("steps", decoder.all_weights)),
        (u.of("observer_before"), u.of("observer")),
    )
    shares = []
    weights = []
    for before, update in agents:
        design = [u.of("evidence"), before, u.of("one")]
        without = u.regress(design, update)[1]
        found, r2 = u.regress([*design, *(u.of(name) for name in told)], update)
        shares.append(r2 - without)
        weights.append(found[:, -1] if "product" in told else np.full(len(r2), np.nan))
    return [estimate(values, n) for values in (*shares, *weights, weights[0] / weights[1])]


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

    s = run.sessions
    min_n = whole_number(min_n, "min_n")
    biased = s.block_side != 0
    most = int(s.trial_in_block.max()) + 1
    cell = (s.session * most + s.trial_in_block)[biased]
    signed = (s.block_side * real_array(values, "values", (1,)))[biased]
    total, n = (
        np.bincount(cell, v, s.n_sessions * most).reshape(s.n_sessions, most)
        for v in (signed, np.ones(len(signed)))
    )
    keep = np.flatnonzero(n.sum(0) >= min_n)
    mean = ratio_interval(total[:, keep], n[:, keep], rng=rng)
    return pd.DataFrame(
        {
            "trial_in_block": keep,
            "value": mean.value,
            "low": mean.low,
            "high": mean.high,
            "n": n.sum(0)[keep].astype(int),
        }
    )


# ---- coupling ----


EFFECTS = (
    "block step per evidence",
    "start per prior",
    "stimulus step per evidence",
    "evidence × block belief",
)


def coupling(run, decoder, seen):
    """How the two beliefs act on each other within a trial.

    For the network and for the observer alike.

    Three regressions, sessions resampled and the decoder estimated anew in each resample: the step
    of the block belief on the evidence d_t; the stimulus belief before the first observation on the
    prior's log odds that the block belief implies (starting point: the exact observer has slope 1);
    and the step of the stimulus belief on d_t and d_t × block belief (slope). Beliefs are log odds:
    the network's are its readout and its block decoder, the observer's its posteriors.

    Parameters
    ----------
    run : Rollout
        Of a task with at least one blank step.
    decoder : representation.Decoder
        Of this run.
    seen : Observation

    Returns
    -------
    DataFrame
        Tidy: `agent` (network, observer), `effect` (EFFECTS), `value, low, high, r2, n`.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task().sample(n_sessions=8, rng=0))
    >>> coupling(run, hrnn.representation.block_decoder(run), hrnn.observe(run)).agent.unique().tolist()
    ['network', 'observer']
    """
    import pandas as pd

    _check_observer(run, seen)
    s = run.sessions
    n_blank = run.sessions.task.n_blank
    net = run.agent
    biased = s.block_side != 0
    rows = np.flatnonzero(run.observed & biased[run.trial])
    starts = (run.first_step + n_blank - 1)[biased]
    d = run.evidence[rows]
    right = log_odds(seen.p_right)
    block = log_odds(seen.p_block)
    states = run.hidden[rows - 1]
    observer = block[rows - 1]
    session = run.session[rows]
    m = Moments(
        session,
        decoder.counts,
        d=d,
        states=states,
        times=states * d[:, None],
        block_steps=run.hidden[rows] - states,
        side_steps=(run.hidden[rows] - states) @ stimulus_readout(net),
    )
    o = Moments(
        session,
        decoder.counts,
        d=d,
        belief=observer,
        times=observer * d,
        block_steps=block[rows] - observer,
        side_steps=right[rows] - right[rows - 1],
    )
    product = m.of("times", decoder.all_weights) + m.of("d", decoder.all_intercepts[:, None])
    beliefs = {
        "network": (
            m,
            m.log_odds("states", decoder),
            product,
            m.of("block_steps", decoder.all_weights),
        ),
        "observer": (o, o.of("belief"), o.of("times"), o.of("block_steps")),
    }
    at_start = {
        "network": (
            run.hidden[starts] @ stimulus_readout(net) + net.c[1] - net.c[0],
            _decoded(decoder, run.hidden[starts]),
        ),
        "observer": (right[starts], itertools.repeat(block[starts])),
    }
    table = []
    for agent, (moments, belief, times, block_step) in beliefs.items():
        d_and_one = moments.of("d"), moments.of("one")
        on_block = moments.regress(d_and_one, block_step)
        on_side = moments.regress([*d_and_one, times, belief], moments.of("side_steps"))
        start = _start(*at_start[agent], s, biased, decoder.counts)
        effects = (
            (on_block, 0, len(rows)),
            (start, 0, len(starts)),
            (on_side, 0, len(rows)),
            (on_side, 2, len(rows)),
        )
        for effect, ((weights, r2), k, n) in zip(EFFECTS, effects, strict=True):
            found = estimate(weights[:, k], s.n_sessions)
            table.append(
                {
                    "agent": agent,
                    "effect": effect,
                    "value": found.value,
                    "low": found.low,
                    "high": found.high,
                    "r2": r2[0],
                    "n": n,
                }
            )
    return pd.DataFrame(table)


def prior_log_odds(block, p_block):
    """Log odds of right before a trial, given log odds of a right block.

    Those of ½ + (p_block - ½) tanh(block / 2).

    Examples
    --------
    >>> prior_log_odds(np.array([0.0, 100.0]), 0.8).round(6).tolist()
    [0.0, 1.386294]
    """
    return log_odds(0.5 + (p_block - 0.5) * np.tanh(block / 2))


def _decoded(decoder, states):
    """Log odds (R,) of the block at states (R, N), for the data and for each resample.

    One after the other.
    """
    for weights, intercept in zip(decoder.all_weights, decoder.all_intercepts, strict=True):
        yield states @ weights + intercept


def _start(stimulus, blocks, s, biased, counts):
    """Slope (1 + B, 1) and R² (1 + B,) of the side's belief (R,) on the prior that the block beliefs of each resample (R,) imply."""
    sessions, first = np.unique(s.session[biased], return_index=True)
    every = np.vstack([np.ones(counts.shape[1]), counts])[:, sessions]
    rows = []
    last = None
    for k, block in zip(every, blocks, strict=False):
        if block is not last:
            x = prior_log_odds(block, s.task.p_block)
            last = block
            columns = np.stack([np.ones(len(x)), x, stimulus, x * x, x * stimulus, stimulus**2])
            sums = np.add.reduceat(columns, first, axis=1)
        n, sx, sy, sxx, sxy, syy = sums @ k
        slope = (sxy - sx * sy / n) / (sxx - sx**2 / n)
        rows.append((slope, slope**2 * (sxx - sx**2 / n) / (syy - sy**2 / n)))
    slope, r2 = np.array(rows).T
    return slope[:, None], r2


# ---- gradient flow ----


def gradient_flow(net, run, *, n_back=200, n_steps=200, rng=0):
    """‖∂L_t/∂h_{t-k}‖ against k.

    Does the gradient of a step's loss vanish on its way back through the session?

    L_t = -p(correct side) at observation steps t, drawn at random among those with n_back steps
    before them in the session.

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
        `k` (0..n_back), `median`, `low`, `high` (quartiles) over the steps t, each norm divided by
        that at k = 0.

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
    n_back = whole_number(n_back, "n_back")
    n_steps = whole_number(n_steps, "n_steps")
    first = run.session_starts
    start = np.repeat(first, np.diff(np.r_[first, len(run.p_right)]))
    possible = np.flatnonzero(run.observed & (np.arange(len(start)) - start >= n_back))
    if not possible.size:
        raise ValueError(
            f"run must have observation steps with n_back = {n_back} steps before them, got none"
        )
    t = generator(rng).choice(possible, min(n_steps, len(possible)), replace=False)
    p = run.p_right[t]
    gradient = (p * (1 - p))[:, None] * stimulus_readout(net)
    before = states_before(run)
    norms = []
    for k in range(n_back + 1):
        norms.append(np.linalg.norm(gradient, axis=1))
        J = net.jacobian(before[t - k], run.inputs[t - k])
        gradient = np.einsum("ti,tij->tj", gradient, J)
    norms = np.array(norms) / np.maximum(norms[0], 1e-300)
    low, median, high = np.quantile(norms, [0.25, 0.5, 0.75], axis=1)
    return pd.DataFrame({"k": np.arange(n_back + 1), "median": median, "low": low, "high": high})
