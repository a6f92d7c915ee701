"""The two-unit network beside the Bayesian observer of the same trials.

In the coordinates z = (E[s], E[b]) = tanh(log odds / 2) the exact observer nearly has the form z_t
= tanh(A z_{t-1} + B x_t + c):

* an observation adds to artanh z, as B x_t does, the stimulus row being larger than the block row;
* a hazard h multiplies E[b] by 1 - 2h, so that the block belief goes on as tanh(artanh((1 - 2h) z) + …);
* before a trial E[s] = (2 p_block - 1) E[b], the prior's message; and what a trial's evidence says, E[s | o], adds
  artanh((2 p_block - 1) E[s | o]) to artanh E[b], the posterior's message: to first order both
  weigh 2 p_block - 1.

What the form cannot do is to take the side's belief back to the prior at a trial's start, about
which it is not told. `bayesian_filter` is the form's least-squares fit to the observer.
"""

import numpy as np

from hrnn.analysis.integration import log_odds
from hrnn.analysis.representation import before, needs_sessions
from hrnn.base.arguments import generator
from hrnn.distill.reduction import GAINS, Radd, least_squares, training_half
from hrnn.statistics.regression import linear, weight_ratio
from hrnn.statistics.resampling import Estimate

RIGHT_MINUS_LEFT = (-1.0, 1.0, 0.0)  # of the weights of o^L, o^R, r


def beliefs(seen):
    """Half the log odds of side and block of an observer at each step, (T, 2).

    Artanh of E[s] and E[b].

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=2, rng=0))
    >>> beliefs(hrnn.observe(run))[0].tolist()
    [0.0, 0.0]
    """
    return np.column_stack([log_odds(seen.p_right), log_odds(seen.p_block)]) / 2


def bayesian_filter(run, seen, *, gains=GAINS, n_resamples=1000, rng=0):
    """z_t = tanh(A z_{t-1} + B x_t + c) fitted to the observer's z = (E[s], E[b]) by least squares of artanh z, as RADD is.

    Parameters
    ----------
    run : Rollout
        Of any agent, at least four sessions.
    seen : Observation
        ``hrnn.observe(run)``.
    gains, n_resamples, rng : optional
        As in `radd`.

    Returns
    -------
    Map

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=8, rng=0))
    >>> bayesian_filter(run, hrnn.observe(run)).network.n_hidden
    2
    """
    needs_sessions(run)
    target = beliefs(seen)
    if len(target) != len(run.p_right):
        raise ValueError("seen must be hrnn.observe of this run")
    train = training_half(run, generator(rng))
    z_before = before(run, np.tanh(target))
    return least_squares(
        run,
        z_before,
        target,
        train,
        gains=gains,
        n_resamples=n_resamples,
        rng=rng,
        name="bayesian_filter",
    )


def evidence_ratio(run, radd, seen, *, rng=0):
    """How much more an observation moves the side than the block.

    Slope on o^R - o^L of the first over that of the second.

    The scale of z is arbitrary, a ratio is not. For 'radd' the rows of B; for 'observer' the
    least-squares slopes of the steps of its log odds on (o^L, o^R, 1) at observation steps.

    Parameters
    ----------
    run : Rollout
    radd : Radd
        Of this run, of two dimensions or more.
    seen : Observation
    rng : int, SeedSequence or Generator

    Returns
    -------
    dict of str to Estimate
        Sessions resampled.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> sorted(evidence_ratio(run, hrnn.distill.radd(run, net), hrnn.observe(run)))
    ['observer', 'radd']
    """
    session = run.session
    rows = np.flatnonzero(run.observed)
    rows = rows[(rows > 0) & (session[rows] == session[rows - 1])]
    belief = beliefs(seen)
    ones = np.ones(len(rows))
    steps = belief[rows] - belief[rows - 1]
    X = np.column_stack([run.inputs[rows, :2], ones])
    return {
        "observer": weight_ratio(X, steps, (-1, 1, 0), session[rows], rng=rng),
        "radd": _ratio_of_rows(radd),
    }


def _ratio_of_rows(radd):
    """Weight of o^R - o^L in the first row of B over that in the second.

    With the interval of `Radd.spread` if it has one.
    """
    contrast = np.r_[np.zeros(len(radd.rows)), RIGHT_MINUS_LEFT, 0]

    def ratio(weights):
        return (weights[0] @ contrast) / (weights[1] @ contrast)

    if radd.spread is None:
        return Estimate(
            float(ratio(np.column_stack([radd.A.value, radd.B.value, radd.c.value]))),
            np.nan,
            np.nan,
            radd.A.n,
        )
    found = radd.spread.estimate(ratio)
    return Estimate(float(found.value), float(found.low), float(found.high), found.n)


def messages(run, radd, fitted, seen, *, rng=0):
    """The off-diagonals of A as messages between the beliefs, in units of E[s] and E[b].

    z₁ = α E[s] and z₂ = β E[b] by least squares through the origin; A₁₂ β/α and A₂₁ α/β are then
    what the student's side takes from its block in a step, and its block from its side. Beside them
    those of the filter, and 2 p_block - 1, what the exact messages weigh to first order, where they
    are sent: once at a trial's start, and once at its end. The product A₁₂ A₂₁ knows no units.

    Parameters
    ----------
    run : Rollout
    radd : Radd
    fitted : Map
        ``bayesian_filter(run, seen)``.
    seen : Observation
    rng : int, SeedSequence or Generator

    Returns
    -------
    DataFrame
        `source` (radd, bayesian_filter, observer), `message` (block to side, side to block,
        product), `value, low, high`: for RADD and the filter the interval of A's entry; products
        have none.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> seen = hrnn.observe(run)
    >>> len(messages(run, hrnn.distill.radd(run, net), bayesian_filter(run, seen), seen))
    9
    """
    import pandas as pd

    z = radd.trajectories(run)[0]
    session = run.session
    expected = np.tanh(beliefs(seen))
    scale = [
        linear(expected[:, [k]], z[:, k], session, rng=rng, n_resamples=1).weights.value[0]
        for k in (0, 1)
    ]
    exact = 2 * run.sessions.task.p_block - 1
    rows = []
    for source, A, unit in (
        ("radd", radd.A, scale[1] / scale[0]),
        ("bayesian_filter", fitted.A, 1.0),
    ):
        for message, (i, j), factor in (
            ("block to side", (0, 1), unit),
            ("side to block", (1, 0), 1 / unit),
        ):
            ends = sorted(getattr(A, end)[i, j] * factor for end in ("low", "high"))
            rows.append((source, message, A.value[i, j] * factor, *ends))
        rows.append((source, "product", A.value[0, 1] * A.value[1, 0], np.nan, np.nan))
    rows += [
        ("observer", message, value, np.nan, np.nan)
        for message, value in (
            ("block to side", exact),
            ("side to block", exact),
            ("product", exact**2),
        )
    ]
    return pd.DataFrame(rows, columns=["source", "message", "value", "low", "high"])


def resembles(run, radd, seen, *, rng=0):
    """R² of each coordinate z on the belief it stands for, E[s] and E[b], with an intercept.

    (side, block) Estimates.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> len(resembles(run, hrnn.distill.radd(run, net), hrnn.observe(run)))
    2
    """
    if not isinstance(radd, Radd) or len(radd.rows) < 2:
        raise ValueError("radd must be a Radd of two dimensions or more")
    z = radd.trajectories(run)[0]
    session = run.session
    expected = np.tanh(beliefs(seen))
    ones = np.ones(len(z))
    return tuple(
        linear(np.column_stack([expected[:, k], ones]), z[:, k], session, rng=rng).r2
        for k in (0, 1)
    )
