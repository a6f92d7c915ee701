"""How evidence and feedback move the state, within and across trials.

Also the coupling of the two beliefs, and how far back the gradient of the loss reaches.

Movement is û·(h_t - h_{t-1}) along a unit readout û of the raw state. The observer is the
semi-Markov one that saw the same trials (`hrnn.observe`). Published slopes have unstated scalings:
compare ratios.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.analysis.representation import (
    Decoder,
    run_of,
    states_before,
    states_of,
    stimulus_readout,
)
from hrnn.base.arguments import (
    generator,
    instance,
    numbers,
    one_of,
    real_number,
    real_vector,
    whole_number,
)
from hrnn.inference import Observation
from hrnn.rollout import Rollout
from hrnn.statistics.projections import Moments, Readout, estimate, resampled_together
from hrnn.statistics.regression import independent
from hrnn.statistics.resampling import Estimate, ratio_interval

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike
    from hrnn.network import Network
    from hrnn.task import Sessions


def movement(run: Rollout, axis: ArrayLike) -> NDArray[np.float64]:
    """Movement of the state along a direction at each step.

    Parameters
    ----------
    run : Rollout
        Of a network, with its states.
    axis : array_like (N,)
        The direction; its length does not count.

    Returns
    -------
    ndarray (T,)
        Change of the projection from the step before.
    """
    states, _, _ = states_of(run)
    axis = real_vector(axis, "axis", states.shape[1])
    if not axis.any():
        raise ValueError("axis must not be 0 everywhere")
    unit = axis / np.linalg.norm(axis)
    return (states - states_before(run)) @ unit


SLOPE_COLUMNS: list[str] = [
    "slope",
    "slope_low",
    "slope_high",
    "intercept",
    "intercept_low",
    "intercept_high",
    "r2",
    "n",
]


def slopes(
    run: Rollout,
    axes: Mapping[str, ArrayLike | Readout],
    *,
    of: Literal["evidence", "feedback"] = "evidence",
    rng: RNGLike = 0,
) -> pd.DataFrame:
    """Slope and intercept of the movement along readouts against evidence or feedback.

    Parameters
    ----------
    run : Rollout
        Of a network, with its states.
    axes : dict of str to ndarray (N,) or Decoder
        Readouts by name, e.g. stimulus and block. What is estimated, a `Decoder`, is estimated anew
        in every resample.
    of : {'evidence', 'feedback'}
        Regressor: the evidence d_t of the same step, at observation steps only; or the feedback
        that a step receives, at first steps of trials only.
    rng : int, SeedSequence or Generator
        Seed or generator of the resamples, if no axis brings its own.

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
    axes = _checked_axes(run, instance(axes, "axes", Mapping))
    if of == "evidence":
        rows = np.flatnonzero(run.observed)
        x = run.evidence[rows]
    else:
        rows = run.told
        x = run.inputs[:, 2][rows]
    if not np.ptp(x) > 0:  # an agent that always times out never sees feedback vary
        empty = pd.DataFrame(np.nan, index=pd.Index(list(axes)), columns=pd.Index(SLOPE_COLUMNS))
        return empty.assign(n=len(rows))
    moments, readouts = _movements(run, axes, rows, rng, x=x)
    n_sessions = run.sessions.n_sessions
    design = [moments.of("x"), moments.of("one")]
    table = {}
    for name, readout in readouts.items():
        moved = moments.of("moved", readout.all_directions)
        weights, r2 = moments.regress(design, moved)
        slope = estimate(weights[:, 0], n_sessions)
        intercept = estimate(weights[:, 1], n_sessions)
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


def _checked_axes(
    run: Rollout, axes: Mapping[str, ArrayLike | Readout]
) -> dict[str, ArrayLike | Readout]:
    """Axes of as many units as the run has, at least one."""
    n_units = states_of(run)[0].shape[1]
    if not axes:
        raise ValueError("axes must hold at least one axis, got none")
    checked: dict[str, ArrayLike | Readout] = {}
    for name, axis in axes.items():
        if isinstance(axis, Readout):
            real_vector(axis.weights, f"axes[{name!r}].weights", n_units)
            checked[name] = axis
        else:
            checked[name] = real_vector(axis, f"axes[{name!r}]", n_units)
    return checked


def _movements(
    run: Rollout,
    axes: Mapping[str, ArrayLike | Readout],
    rows: NDArray[np.intp],
    rng: RNGLike,
    **columns: NDArray[np.float64],
) -> tuple[Moments, dict[str, Readout]]:
    """Moments of the state's movement and of other columns at some steps, and the readouts.

    Moments and readouts share their resamples.
    """
    states, _, _ = states_of(run)
    readouts = resampled_together(axes, run.sessions.n_sessions, rng)
    counts = next(iter(readouts.values())).counts
    moved = states[rows] - states_before(run)[rows]
    return Moments(run.session[rows], counts, moved=moved, **columns), readouts


def slope_ratio(
    run: Rollout, first: ArrayLike | Readout, second: ArrayLike | Readout, *, rng: RNGLike = 0
) -> Estimate:
    """Slope of the movement along one readout against the evidence, over that along another.

    Parameters
    ----------
    run : Rollout
        Of a network, with its states.
    first : array_like (N,) or Decoder
        Readout of the numerator. A decoder is estimated anew in every resample of sessions, which
        is where most of the error comes from.
    second : array_like (N,) or Decoder
        Readout of the denominator.
    rng : int, SeedSequence or Generator
        Seed or generator of the resamples, if no readout brings its own.

    Returns
    -------
    Estimate
        The ratio; `n` is the number of sessions.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=4, rng=0))
    >>> round(slope_ratio(run, net.V[1], 2 * net.V[1]).value, 9)
    1.0
    """
    axes = _checked_axes(run, {"first": first, "second": second})
    rows = np.flatnonzero(run.observed)
    moments, readouts = _movements(run, axes, rows, rng, d=run.evidence[rows])
    design = [moments.of("d"), moments.of("one")]
    slope = {}
    for name, readout in readouts.items():
        moved = moments.of("moved", readout.all_directions)
        weights, _ = moments.regress(design, moved)
        slope[name] = weights[:, 0]
    return estimate(slope["first"] / slope["second"], run.sessions.n_sessions)


# ---- across trials ----


def log_odds(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log odds, log p/(1 - p).

    Probabilities that rounding has made 0 or 1 are taken as 2⁻⁵³ from it, log odds of ±36.7.
    """
    p = np.clip(numbers(p, "p"), 2.0**-53, 1 - 2.0**-53)
    return np.log(p) - np.log1p(-p)


@dataclasses.dataclass(frozen=True, eq=False)
class Belief:
    """Block belief of a network beside the observer's, before each trial (R trials).

    Intervals resample sessions, the decoder being estimated anew in each resample.

    Attributes
    ----------
    network : ndarray (R,)
        Log odds of the decoder at the last blank step before the observations.
    observer : ndarray (R,)
        log P(b = +1)/P(b = -1) after the previous trial and the hazard.
    scale : Estimate
        The one slope through the origin of network against observer.
    correlation : Estimate
        Correlation of network and observer.
    r2 : Estimate
        1 - SS_res / SS_tot of that slope.
    update_scale : Estimate
        The slope for the changes from one trial to the next.
    update_correlation : Estimate
        The correlation of these changes.
    feedback_share : Estimate
        R² that choice, feedback and their product add to the evidence of the trial and the belief
        before it, in a regression of the network's updates.
    feedback_share_observer : Estimate
        The same for the observer's updates.
    told_weight : Estimate
        Weight of feedback × choice, the side that the feedback tells, in the regression of the
        network's updates (log odds). What an ideal learner learns from feedback is this product;
        the feedback alone tells it nothing, since no side is right more often.
    told_weight_observer : Estimate
        The same weight for the observer's updates.
    told_weight_ratio : Estimate
        Weight of the network over that of the observer.
    """

    network: NDArray[np.float64]
    observer: NDArray[np.float64]
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


def _check_observer(run: Rollout, decoder: Decoder, seen: Observation) -> None:
    """Refuse a task without blank steps, and an observer without a belief to compare with.

    The observer must be of the same trials and have a block belief that varies.
    """
    states, _, _ = states_of(run)
    real_vector(instance(decoder, "decoder", Decoder).weights, "decoder.weights", states.shape[1])
    instance(seen, "seen", Observation)
    if decoder.counts.shape[1] != run.sessions.n_sessions:
        raise ValueError(
            f"decoder must be of the {run.sessions.n_sessions} sessions of run, "
            f"got {decoder.counts.shape[1]}"
        )
    if run.sessions.task.n_blank < 1:
        raise ValueError("run must be of a task with n_blank >= 1")
    if len(seen.block) != run.sessions.n_trials or len(seen.p_block) != len(run.p_right):
        raise ValueError("seen must be hrnn.observe of this run")
    block = seen.block[run.sessions.block_side != 0]
    if not (np.isfinite(block).all() and np.ptp(block) > 0):
        raise ValueError(
            "seen must be of an observer with a block belief that varies, "
            "such as 'semi_markov' where p_block > 0.5"
        )


def block_belief(run: Rollout, decoder: Decoder, seen: Observation) -> Belief:
    """Compare a network's block belief, and its updates, with those of the observer.

    Parameters
    ----------
    run : Rollout
        Of a network, with its states, in a task with at least one blank step.
    decoder : representation.Decoder
        Block decoder of this run.
    seen : Observation
        What the observer of the same trials believed, ``hrnn.observe(run)``.

    Returns
    -------
    Belief
        The two beliefs before each trial, and how they agree.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> belief = block_belief(run, hrnn.representation.block_decoder(run), hrnn.observe(run))
    >>> belief.network.shape == (run.sessions.n_trials,)
    True
    """
    _check_observer(run, decoder, seen)
    s = run.sessions
    hidden, _, _ = states_of(run)
    states = hidden[run.first_step + s.task.n_blank - 1]
    network = decoder.log_odds(states)
    observer = log_odds(seen.block)
    biased = s.block_side != 0
    counts = decoder.counts
    n = s.n_sessions
    m = Moments(s.session[biased], counts, states=states[biased], observer=observer[biased])
    belief = m.log_odds("states", decoder)
    scale, r2 = m.regress([m.of("observer")], belief)
    pair = np.flatnonzero(biased[1:] & biased[:-1] & (np.diff(s.session) == 0))
    steps = states[pair + 1] - states[pair]
    observer_steps = observer[pair + 1] - observer[pair]
    u = Moments(s.session[pair], counts, steps=steps, observer=observer_steps)
    update = u.of("steps", decoder.all_weights)
    update_scale, _ = u.regress([u.of("observer")], update)
    return Belief(
        network,
        observer,
        scale=estimate(scale[:, 0], n),
        correlation=estimate(m.correlate(m.of("observer"), belief), n),
        r2=estimate(r2, n),
        update_scale=estimate(update_scale[:, 0], n),
        update_correlation=estimate(u.correlate(u.of("observer"), update), n),
        **_feedback(run, decoder, states, observer, pair),
    )


def _feedback(
    run: Rollout,
    decoder: Decoder,
    states: NDArray[np.float64],
    observer: NDArray[np.float64],
    pair: NDArray[np.intp],
) -> dict[str, Estimate]:
    """What choice, feedback and their product add to the updates of network and observer.

    Returns the fields of `Belief` that say so.
    """
    s = run.sessions
    n = s.n_sessions
    told = _told(run, pair)
    evidence = np.bincount(run.trial, run.evidence, minlength=s.n_trials)[pair]
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
        _, r2_without = u.regress(design, update)
        design += [u.of(name) for name in told]
        found, r2 = u.regress(design, update)
        shares.append(r2 - r2_without)
        weights.append(found[:, -1] if "product" in told else np.full(len(r2), np.nan))
    return {
        "feedback_share": estimate(shares[0], n),
        "feedback_share_observer": estimate(shares[1], n),
        "told_weight": estimate(weights[0], n),
        "told_weight_observer": estimate(weights[1], n),
        "told_weight_ratio": estimate(weights[0] / weights[1], n),
    }


def _told(run: Rollout, pair: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
    """Choice, feedback and their product on some trials, without those that follow from others."""
    choice = run.choice[pair].astype(float)
    feedback = np.where(run.choice == run.sessions.side, 1.0, -1.0)[pair]
    told = {"choice": choice, "feedback": feedback, "product": choice * feedback}
    kept = independent(np.column_stack([np.ones(len(pair)), *told.values()]))[1:]
    return {name: values for (name, values), keep in zip(told.items(), kept, strict=True) if keep}


def along_blocks(
    run: Rollout, values: ArrayLike, *, min_n: int = 30, rng: RNGLike = 0
) -> pd.DataFrame:
    """Mean of a belief towards the block's side by trial in block, sessions resampled.

    Parameters
    ----------
    run : Rollout
        Of any agent.
    values : array_like (R,)
        The belief before each trial, positive for the right.
    min_n : int
        Points with fewer trials are dropped.
    rng : int, SeedSequence or Generator
        Seed or generator of the resamples.

    Returns
    -------
    DataFrame
        Columns `trial_in_block, value, low, high, n`.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=20, rng=0))
    >>> int(along_blocks(run, np.ones(run.sessions.n_trials)).n[0])
    80
    """
    import pandas as pd

    s = instance(run, "run", Rollout).sessions
    min_n = whole_number(min_n, "min_n")
    values = real_vector(values, "values", s.n_trials)
    biased = s.block_side != 0
    most = int(s.trial_in_block.max()) + 1
    cell = (s.session * most + s.trial_in_block)[biased]
    signed = (s.block_side * values)[biased]
    n_cells = s.n_sessions * most
    total = np.bincount(cell, signed, n_cells).reshape(s.n_sessions, most)
    n = np.bincount(cell, np.ones(len(signed)), n_cells).reshape(s.n_sessions, most)
    most_n = int(n.sum(0).max())
    if min_n > most_n:
        raise ValueError(f"min_n must be <= {most_n}, the most trials of a point, got {min_n}")
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


EFFECTS: tuple[str, ...] = (
    "block step per evidence",
    "start per prior",
    "stimulus step per evidence",
    "evidence × block belief",
)


@dataclasses.dataclass(frozen=True)
class _Beliefs:
    """Beliefs of an agent at observation steps, as coefficients of the columns of `moments`.

    `belief` and `times`: the block belief before a step, and its product with the evidence;
    `block_step`: the step of the block belief. That of the stimulus belief is "side_steps".
    """

    moments: Moments
    belief: NDArray[np.float64]
    times: NDArray[np.float64]
    block_step: NDArray[np.float64]


def coupling(run: Rollout, decoder: Decoder, seen: Observation) -> pd.DataFrame:
    """How the two beliefs act on each other within a trial, in the network and in the observer.

    Three regressions, sessions resampled and the decoder estimated anew in each resample: the step
    of the block belief on the evidence d_t; the stimulus belief before the first observation on the
    prior's log odds that the block belief implies (starting point: the exact observer has slope 1);
    and the step of the stimulus belief on d_t and d_t × block belief (slope). Beliefs are log odds:
    the network's are its readout and its block decoder, the observer's its posteriors.

    Parameters
    ----------
    run : Rollout
        Of a network, with its states, in a task with at least one blank step.
    decoder : representation.Decoder
        Block decoder of this run.
    seen : Observation
        What the observer of the same trials believed, ``hrnn.observe(run)``.

    Returns
    -------
    DataFrame
        Tidy: `agent` (network, observer), `effect` (EFFECTS), `value, low, high, r2, n`.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> found = coupling(run, hrnn.representation.block_decoder(run), hrnn.observe(run))
    >>> found.agent.unique().tolist()
    ['network', 'observer']
    """
    import pandas as pd

    _check_observer(run, decoder, seen)
    s = run.sessions
    biased = s.block_side != 0
    rows = np.flatnonzero(run.observed & biased[run.trial])
    starts = (run.first_step + s.task.n_blank - 1)[biased]
    beliefs = {
        "network": _network_beliefs(run, decoder, rows),
        "observer": _observer_beliefs(run, decoder, seen, rows),
    }
    at_start = {
        "network": _network_start(run, decoder, starts),
        "observer": _observer_start(seen, starts),
    }
    table = []
    for agent, belief in beliefs.items():
        stimulus, blocks = at_start[agent]
        start = _start(stimulus, blocks, s, biased, decoder.counts)
        for row in _effects(belief, start, s.n_sessions, len(rows), len(starts)):
            table.append({"agent": agent, **row})
    return pd.DataFrame(table)


def _network_beliefs(run: Rollout, decoder: Decoder, rows: NDArray[np.intp]) -> _Beliefs:
    hidden, session, _ = states_of(run)
    d = run.evidence[rows]
    states = hidden[rows - 1]
    steps = hidden[rows] - states
    m = Moments(
        session[rows],
        decoder.counts,
        d=d,
        states=states,
        times=states * d[:, None],
        block_steps=steps,
        side_steps=steps @ stimulus_readout(cast("Network", run.agent)),
    )
    by_intercept = m.of("d", decoder.all_intercepts[:, None])
    return _Beliefs(
        m,
        belief=m.log_odds("states", decoder),
        times=m.of("times", decoder.all_weights) + by_intercept,
        block_step=m.of("block_steps", decoder.all_weights),
    )


def _observer_beliefs(
    run: Rollout, decoder: Decoder, seen: Observation, rows: NDArray[np.intp]
) -> _Beliefs:
    d = run.evidence[rows]
    right = log_odds(seen.p_right)
    block = log_odds(seen.p_block)
    before = block[rows - 1]
    o = Moments(
        run.session[rows],
        decoder.counts,
        d=d,
        belief=before,
        times=before * d,
        block_steps=block[rows] - before,
        side_steps=right[rows] - right[rows - 1],
    )
    return _Beliefs(o, o.of("belief"), o.of("times"), o.of("block_steps"))


def _network_start(
    run: Rollout, decoder: Decoder, starts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], Iterable[NDArray[np.float64]]]:
    """Stimulus belief at some steps, and block belief in the data and in each resample."""
    hidden, _, _ = states_of(run)
    net = cast("Network", run.agent)
    states = hidden[starts]
    stimulus = states @ stimulus_readout(net) + net.c[1] - net.c[0]
    return stimulus, _decoded(decoder, states)


def _observer_start(
    seen: Observation, starts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], Iterable[NDArray[np.float64]]]:
    """Both beliefs at some steps; the block belief is the same in every resample."""
    stimulus = log_odds(seen.p_right)[starts]
    block = log_odds(seen.p_block)[starts]
    return stimulus, itertools.repeat(block)


def _effects(
    belief: _Beliefs,
    start: tuple[NDArray[np.float64], NDArray[np.float64]],
    n_sessions: int,
    n_rows: int,
    n_starts: int,
) -> Iterator[dict[str, Any]]:
    """One row of the table of `coupling` for each effect."""
    moments = belief.moments
    d_and_one = [moments.of("d"), moments.of("one")]
    on_block = moments.regress(d_and_one, belief.block_step)
    design = [*d_and_one, belief.times, belief.belief]
    on_side = moments.regress(design, moments.of("side_steps"))
    effects = (
        (on_block, 0, n_rows),
        (start, 0, n_starts),
        (on_side, 0, n_rows),
        (on_side, 2, n_rows),
    )
    for effect, ((weights, r2), k, n) in zip(EFFECTS, effects, strict=True):
        found = estimate(weights[:, k], n_sessions)
        yield {
            "effect": effect,
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "r2": r2[0],
            "n": n,
        }


def prior_log_odds(block: NDArray[np.float64], p_block: float) -> NDArray[np.float64]:
    """Log odds of right before a trial, given log odds of a right block.

    The probability of right is ½ + (p_block - ½) tanh(block / 2).

    Parameters
    ----------
    block : ndarray
        Log odds of a right block.
    p_block : float
        Probability of the block's side in a trial.

    Returns
    -------
    ndarray of the shape of block
        Log odds of right.

    Examples
    --------
    >>> prior_log_odds(np.array([0.0, 100.0]), 0.8).round(6).tolist()
    [0.0, 1.386294]
    """
    block = numbers(block, "block")
    p_block = real_number(p_block, "p_block", 0.5, 1, "[]")
    towards_right = np.tanh(block / 2)  # P(right block) - P(left block)
    return log_odds(0.5 + (p_block - 0.5) * towards_right)


def _decoded(decoder: Decoder, states: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Log odds (R,) of the block at states (R, N): those of the data, then of each resample."""
    for weights, intercept in zip(decoder.all_weights, decoder.all_intercepts, strict=True):
        yield states @ weights + intercept


def _start(
    stimulus: NDArray[np.float64],
    blocks: Iterable[NDArray[np.float64]],
    s: Sessions,
    biased: NDArray[np.bool_],
    counts: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope (1 + B, 1) and R² (1 + B,) of the stimulus belief on the prior before each trial.

    The prior is what the block beliefs (R,) of each resample imply.
    """
    sessions, first = np.unique(s.session[biased], return_index=True)
    every = np.vstack([np.ones(counts.shape[1]), counts])[:, sessions]
    rows = []
    last = None
    sums: Any = None
    for k, block in zip(every, blocks, strict=False):
        if block is not last:
            x = prior_log_odds(block, s.task.p_block)
            last = block
            columns = np.stack([np.ones(len(x)), x, stimulus, x * x, x * stimulus, stimulus**2])
            sums = np.add.reduceat(columns, first, axis=1)
        n, sx, sy, sxx, sxy, syy = sums @ k
        spread_x = sxx - sx**2 / n
        spread_y = syy - sy**2 / n
        slope = (sxy - sx * sy / n) / spread_x
        rows.append((slope, slope**2 * spread_x / spread_y))
    slope, r2 = np.array(rows).T
    return slope[:, None], r2


# ---- gradient flow ----


def gradient_flow(
    net: Network, run: Rollout, *, n_back: int = 200, n_steps: int = 200, rng: RNGLike = 0
) -> pd.DataFrame:
    """Size of the gradient of a step's loss on its way back through the session.

    ‖∂L_t/∂h_{t-k}‖ against k, where L_t = -p(correct side) at observation steps t, drawn at random
    among those with n_back steps before them in the session.

    Parameters
    ----------
    net : Network
        The network.
    run : Rollout
        A rollout of it, with its states.
    n_back : int
        Largest k.
    n_steps : int
        Number of steps t.
    rng : int, SeedSequence or Generator
        Seed or generator that chooses the steps t.

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
