"""The two-unit network beside the Bayesian observer of the same trials.

In the coordinates z = (E[s], E[b]) = tanh(log odds / 2) the exact observer nearly has the form z_t
= tanh(A z_{t-1} + B x_t + c):

* an observation adds to artanh z, as B x_t does, the stimulus row being larger than the block row;
* a hazard h multiplies E[b] by 1 - 2h, so that the block belief goes on as
  tanh(artanh((1 - 2h) z) + …);
* before a trial E[s] = (2 p_block - 1) E[b], the prior's message; and what a trial's evidence says,
  E[s | o], adds artanh((2 p_block - 1) E[s | o]) to artanh E[b], the posterior's message: to first
  order both weigh 2 p_block - 1.

What the form cannot do is to take the side's belief back to the prior at a trial's start, about
which it is not told. `bayesian_filter` is the form's least-squares fit to the observer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.analysis.integration import log_odds
from hrnn.analysis.representation import before, needs_sessions
from hrnn.base.arguments import generator, instance
from hrnn.distill.reduction import GAINS, Map, Radd, least_squares, training_half
from hrnn.inference import Observation
from hrnn.rollout import Rollout
from hrnn.statistics.regression import linear, weight_ratio
from hrnn.statistics.resampling import Estimate

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike

RIGHT_MINUS_LEFT: tuple[float, float, float] = (-1.0, 1.0, 0.0)  # of the weights of o^L, o^R, r


def beliefs(seen: Observation) -> NDArray[np.float64]:
    """Half the log odds of side and block of an observer at each step, (T, 2).

    These are the artanh of E[s] and E[b].

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=2, rng=0))
    >>> beliefs(hrnn.observe(run))[0].tolist()
    [0.0, 0.0]
    """
    instance(seen, "seen", Observation)
    side = log_odds(seen.p_right)
    block = log_odds(seen.p_block)
    return np.column_stack([side, block]) / 2


def _beliefs_in(run: Rollout, seen: Observation) -> NDArray[np.float64]:
    """Beliefs of an observer of this run, one row per step."""
    found = beliefs(seen)
    if len(found) != len(instance(run, "run", Rollout).p_right):
        raise ValueError("seen must be hrnn.observe of this run")
    return found


def _of_dimensions(radd: Radd) -> None:
    """Refuse what is no RADD of two dimensions or more."""
    if not isinstance(radd, Radd):
        raise TypeError(f"radd must be a Radd, got {type(radd).__name__}")
    if len(radd.rows) < 2:
        raise ValueError(f"radd must have two dimensions or more, got {len(radd.rows)}")


def bayesian_filter(
    run: Rollout,
    seen: Observation,
    *,
    gains: ArrayLike = GAINS,
    n_resamples: int = 1000,
    rng: RNGLike = 0,
) -> Map:
    """Fit a two-unit network to the Bayesian observer, as RADD is fitted to a network.

    z_t = tanh(A z_{t-1} + B x_t + c) is fitted to the observer's z = (E[s], E[b]) by least squares
    of artanh z.

    Parameters
    ----------
    run : Rollout
        A rollout of any agent, of at least four sessions.
    seen : Observation
        What the observer of this run believed, ``hrnn.observe(run)``.
    gains : sequence of float
        Gains to try, as in `radd`.
    n_resamples : int
        Number of resamples of training sessions; 1 gives no intervals.
    rng : int, SeedSequence or Generator
        For training sessions and resamples.

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
    target = _beliefs_in(run, seen)
    random = generator(rng)
    train = training_half(run, random)
    z_before = before(run, np.tanh(target))
    return least_squares(
        run,
        z_before,
        target,
        train,
        gains=gains,
        n_resamples=n_resamples,
        rng=random.spawn(1)[0],
        name="bayesian_filter",
    )


def evidence_ratio(
    run: Rollout, radd: Radd, seen: Observation, *, rng: RNGLike = 0
) -> dict[str, Estimate]:
    """How much more an observation moves the side than the block.

    This is the slope of the side on o^R - o^L over that of the block. The scale of z is arbitrary,
    a ratio is not. For 'radd' the slopes are the rows of B; for 'observer' the least-squares slopes
    of the steps of its log odds on (o^L, o^R, 1) at observation steps.

    Parameters
    ----------
    run : Rollout
        A rollout of the teacher.
    radd : Radd
        RADD of this run, of two dimensions or more.
    seen : Observation
        What the observer of this run believed, ``hrnn.observe(run)``.
    rng : int, SeedSequence or Generator
        For the resampled sessions.

    Returns
    -------
    dict of str to Estimate
        By source, 'observer' and 'radd', with intervals over sessions; NaN where the block does not
        move, as in an observer that has no belief of it.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> sorted(evidence_ratio(run, hrnn.distill.radd(run, net), hrnn.observe(run)))
    ['observer', 'radd']
    """
    belief = _beliefs_in(run, seen)
    _of_dimensions(radd)
    session = run.session
    rows = np.flatnonzero(run.observed)
    goes_on = session[rows] == session[rows - 1]
    rows = rows[(rows > 0) & goes_on]
    steps = belief[rows] - belief[rows - 1]
    ones = np.ones(len(rows))
    X = np.column_stack([run.inputs[rows, :2], ones])
    observer = weight_ratio(X, steps, (-1, 1, 0), session[rows], rng=rng)
    return {"observer": observer, "radd": _ratio_of_rows(radd)}


def _ratio_of_rows(radd: Radd) -> Estimate:
    """Weight of o^R - o^L in the first row of B over that in the second.

    With the interval of `Radd.spread` if it has one.
    """
    contrast = np.r_[np.zeros(len(radd.rows)), RIGHT_MINUS_LEFT, 0]

    def ratio(weights: NDArray[np.float64]) -> float:
        side = weights[0] @ contrast
        block = weights[1] @ contrast
        return float(side / block) if block else np.nan

    if radd.spread is None:
        weights = np.column_stack([radd.A.value, radd.B.value, radd.c.value])
        return Estimate(ratio(weights), np.nan, np.nan, radd.A.n)
    found = radd.spread.estimate(ratio)
    value, low, high = (float(end) for end in (found.value, found.low, found.high))
    return Estimate(value, low, high, found.n)


def messages(run: Rollout, radd: Radd, fitted: Map, seen: Observation) -> pd.DataFrame:
    """The off-diagonals of A as messages between the beliefs, in units of E[s] and E[b].

    z₁ = α E[s] and z₂ = β E[b] by least squares through the origin; A₁₂ β/α and A₂₁ α/β are then
    what the student's side takes from its block in a step, and its block from its side. Beside them
    those of the filter, and 2 p_block - 1, what the exact messages weigh to first order, where they
    are sent: once at a trial's start, and once at its end. The product A₁₂ A₂₁ knows no units.

    Parameters
    ----------
    run : Rollout
        A rollout of the teacher, with its states.
    radd : Radd
        RADD of this run, of two dimensions.
    fitted : Map
        The observer in the same form, ``bayesian_filter(run, seen)``.
    seen : Observation
        What the observer of this run believed, ``hrnn.observe(run)``.

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

    expected = np.tanh(_beliefs_in(run, seen))
    _of_dimensions(radd)
    instance(fitted, "fitted", Map)
    z, _ = radd.trajectories(run)

    def scale(k: int) -> float:
        fit = linear(expected[:, [k]], z[:, k], run.session, n_resamples=1)
        return fit.weights.value[0]

    alpha = scale(0)
    beta = scale(1)
    exact = 2 * run.sessions.task.p_block - 1
    rows = [
        *_off_diagonals("radd", radd.A, beta / alpha),
        *_off_diagonals("bayesian_filter", fitted.A, 1.0),
        ("observer", "block to side", exact, np.nan, np.nan),
        ("observer", "side to block", exact, np.nan, np.nan),
        ("observer", "product", exact**2, np.nan, np.nan),
    ]
    return pd.DataFrame(rows, columns=["source", "message", "value", "low", "high"])


def _off_diagonals(
    source: str, A: Estimate, unit: float
) -> Iterator[tuple[str, str, float, float, float]]:
    """Rows of `messages` of one A, `unit` being β/α."""
    for message, (i, j), factor in (
        ("block to side", (0, 1), unit),
        ("side to block", (1, 0), 1 / unit),
    ):
        ends = (A.low[i, j] * factor, A.high[i, j] * factor)
        value = A.value[i, j] * factor
        yield source, message, value, min(ends), max(ends)
    product = A.value[0, 1] * A.value[1, 0]
    yield source, "product", product, np.nan, np.nan


def resembles(
    run: Rollout, radd: Radd, seen: Observation, *, rng: RNGLike = 0
) -> tuple[Estimate, Estimate]:
    """R² of each coordinate z on the belief it stands for, E[s] and E[b], with an intercept.

    Parameters
    ----------
    run : Rollout
        A rollout of the teacher, with its states.
    radd : Radd
        RADD of this run, of two dimensions or more.
    seen : Observation
        What the observer of this run believed, ``hrnn.observe(run)``.
    rng : int, SeedSequence or Generator
        For the resampled sessions.

    Returns
    -------
    side : Estimate
        R² of the first coordinate on E[s].
    block : Estimate
        R² of the second coordinate on E[b].

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> len(resembles(run, hrnn.distill.radd(run, net), hrnn.observe(run)))
    2
    """
    expected = np.tanh(_beliefs_in(run, seen))
    _of_dimensions(radd)
    z, _ = radd.trajectories(run)
    ones = np.ones(len(z))

    def r2(k: int) -> Estimate:
        X = np.column_stack([expected[:, k], ones])
        fit = linear(X, z[:, k], run.session, rng=rng)
        return fit.r2

    return r2(0), r2(1)
