"""What the defects of the published code do to a network's analysis.

Each is reproduced under its own name, and measured: numbers 4 to 15 of docs/defects.md. These are
facts about the published code, not its text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.analysis.dynamics import FixedPoints, points_of
from hrnn.analysis.integration import movement
from hrnn.analysis.representation import Pca, angle, pca, states_of
from hrnn.base.arguments import (
    generator,
    instance,
    last_axis,
    real_array,
    real_number,
    real_vector,
    whole_number,
)
from hrnn.network import Network, check_network
from hrnn.rollout import Rollout, rollout

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike

FIRST_ORDER_STEPS: int = 500
FIRST_ORDER_RATE: float = 0.01

_Row = tuple[str, Any, int]  # name, value and n of a consequence


def with_right_readout_normalised(net: Network) -> Network:
    """Divide the right row of a network's readout by its norm (defect 5).

    Parameters
    ----------
    net : Network
        The network; the published code changes it in place, here it stays as it is.

    Returns
    -------
    Network
        The changed network.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> float(np.linalg.norm(with_right_readout_normalised(net).V[1]).round(6))
    1.0
    """
    check_network(net)
    V = net.V.copy()
    V[1] /= np.linalg.norm(V[1])
    return net.with_arrays(V=V)


def first_order_search(
    net: Network,
    *,
    x: ArrayLike,
    starts: ArrayLike,
    n_steps: int = FIRST_ORDER_STEPS,
    rate: float = FIRST_ORDER_RATE,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """States after a fixed number of steps of Adam on the speed |F(h) - h| (defect 7).

    No tolerance says whether a state is a fixed point.

    Parameters
    ----------
    net : Network
        The network.
    x : array_like (3,)
        The input (o^L, o^R, r).
    starts : array_like (n, N)
        States from which to search.
    n_steps : int
        Number of steps.
    rate : float
        Step size of Adam.

    Returns
    -------
    states : ndarray (n, N)
        Where the search was stopped.
    residual : ndarray (n,)
        |F(h) - h| where the search was stopped.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> bool(first_order_search(net, x=[0, 0, 0], starts=np.ones((1, 6)))[1][0] > 1e-12)
    True
    """
    check_network(net)
    x = real_vector(x, "x", 3)
    h = last_axis(real_array(starts, "starts", (2,)), "starts", net.n_hidden)
    rate = real_number(rate, "rate", 0, np.inf, "")
    mean: Any = 0.0
    square: Any = 0.0
    for t in range(1, whole_number(n_steps, "n_steps") + 1):
        gap = net.step(h, x) - h
        gradient = net.pull_back(h, x, gap) - gap
        gradient /= np.maximum(np.linalg.norm(gap, axis=1, keepdims=True), 1e-12)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        unbiased_mean = mean / (1 - 0.9**t)
        unbiased_square = square / (1 - 0.999**t)
        h = h - rate * unbiased_mean / (np.sqrt(unbiased_square) + 1e-8)
    return h, np.linalg.norm(net.step(h, x) - h, axis=1)


def difference_order(states: ArrayLike, session: ArrayLike, *, n_orders: int = 20) -> pd.DataFrame:
    """Mean norm of the Δ-th order differences of the states (defect 4).

    The published code draws it over "distance". It is not how far states move in Δ steps
    (`distill.divergence`): the noise of each step enters with binomial weights, so that the norm
    grows about as 2^Δ.

    Parameters
    ----------
    states : array_like (T, D)
        One state per step.
    session : array_like (T,)
        Session of each step, sessions being whole runs of steps.
    n_orders : int
        Largest order.

    Returns
    -------
    DataFrame
        Columns `order` (0..n_orders), `mean, sd, n`. Order 0 is the norm of the states themselves.

    Examples
    --------
    >>> states = np.array([[0.0], [1.0], [4.0], [9.0]])
    >>> difference_order(states, [0, 0, 0, 0], n_orders=2)["mean"].tolist()
    [3.5, 3.0, 2.0]
    """
    import pandas as pd

    states = real_array(states, "states", (2,))
    session = real_vector(session, "session", len(states))
    rows = []
    for order in range(whole_number(n_orders, "n_orders") + 1):
        if not len(states):
            break
        norm = np.linalg.norm(states, axis=1)
        rows.append({"order": order, "mean": norm.mean(), "sd": norm.std(), "n": len(norm)})
        pair = session[1:] == session[:-1]
        states = np.diff(states, axis=0)[pair]
        session = session[1:][pair]
    return pd.DataFrame(rows)


def _components(run: Rollout, components: Pca | None) -> Pca:
    """Principal components of a run: those that are given, if they are of as many units."""
    states, _, _ = states_of(run)
    if components is None:
        return pca(run, n_resamples=1)
    real_vector(instance(components, "components", Pca).mean, "components.mean", states.shape[1])
    return components


def readouts_in_plane(
    run: Rollout, components: Pca | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two directions in the plane that the published code compares (defects 13 to 15).

    The unit row V_right alone stands for the side, and goes through the projection of *states*,
    which subtracts their mean; the block's is the unit vector of a logistic regression without
    intercept on the scores.

    Parameters
    ----------
    run : Rollout
        Of a network, with its states.
    components : representation.Pca, optional
        Its principal components; by default they are computed.

    Returns
    -------
    side : ndarray (2,)
        Direction of the side; not of unit length.
    block : ndarray (2,)
        Direction of the block, of unit length.
    """
    from sklearn.linear_model import LogisticRegression

    states, _, block_side = states_of(run)
    components = _components(run, components)
    axes = components.axes[:2]
    inside = block_side != 0
    if len(np.unique(block_side[inside])) < 2:
        raise ValueError("run must have blocks of both sides")
    scores = (states[inside] - components.mean) @ axes.T
    model: Any = LogisticRegression(C=1e6, fit_intercept=False)
    model.fit(scores, block_side[inside] > 0)
    block = model.coef_[0]
    net = cast("Network", run.agent)
    side = axes @ (_unit(net.V[1]) - components.mean)
    return side, _unit(block)


def readout_angles(run: Rollout, components: Pca | None = None) -> dict[str, float]:
    """Angles between the readouts by the letter of the published code (defects 13 to 15).

    Parameters
    ----------
    run : Rollout
        Of a network, with its states.
    components : representation.Pca, optional
        Its principal components; by default they are computed.

    Returns
    -------
    dict of str to float
        Degrees. 'plane': in the plane; 'full': the block direction of the plane taken back to all
        units as if it were a state, the mean added, against V_right.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=4, rng=0))
    >>> sorted(readout_angles(run))
    ['full', 'plane']
    """
    components = _components(run, components)
    side, block = readouts_in_plane(run, components)
    lifted = block @ components.axes[:2] + components.mean
    net = cast("Network", run.agent)
    return {"plane": float(angle(side, block)), "full": float(angle(lifted, net.V[1]))}


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / np.linalg.norm(vector)


def feedback_slope(run: Rollout, axis: ArrayLike) -> float:
    """Slope of the movement along a readout on feedback, one step too early (defect 10).

    The movement is that of the step that *produces* the feedback, one before it arrives.

    Parameters
    ----------
    run : Rollout
        Of a network, with its states.
    axis : array_like (N,)
        The readout.

    Returns
    -------
    float
        The slope; NaN where feedback does not vary.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=4, rng=0))
    >>> feedback_slope(run, run.agent.V[1])
    nan
    """
    instance(run, "run", Rollout)
    feedback = np.where(run.choice == run.sessions.side, 1.0, -1.0)
    if not np.ptp(feedback) > 0:
        return float("nan")
    moved = movement(run, axis)[run.last_step]
    return float(np.polyfit(feedback, moved, 1)[0])


def radd_fit(
    run: Rollout, rng: RNGLike = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Fit the two-unit map as the published code fits it (defects 11 to 15).

    Steps of one session are paired with those of the next, the very first with z = 0; the
    projections are `readouts_in_plane`; and R² is measured on a third of the *steps*, drawn at
    random.

    Parameters
    ----------
    run : Rollout
        Of a network, with its states.
    rng : int, SeedSequence or Generator
        Seed or generator that chooses the steps to test on.

    Returns
    -------
    A : ndarray (2, 2)
        Weights of the two units on each other.
    B : ndarray (2, 3)
        Weights of the inputs.
    r2 : float
        R² on the steps that were left out.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=4, rng=0))
    >>> radd_fit(run)[0].shape
    (2, 2)
    """
    components = pca(run, n_resamples=1)
    side, block = readouts_in_plane(run, components)
    states, _, _ = states_of(run)
    scores = (states - components.mean) @ components.axes[:2].T
    z = scores @ np.stack([_unit(side), block]).T
    z /= 1.01 * np.abs(z).max()
    before = np.vstack([np.zeros(2), z[:-1]])
    X = np.column_stack([before, run.inputs, np.ones(len(z))])
    y = np.arctanh(z)
    train = generator(rng).random(len(z)) > 1 / 3
    weights = np.linalg.lstsq(X[train], y[train], rcond=None)[0]
    left = y[~train] - X[~train] @ weights
    spread = y[~train] - y[~train].mean(0)
    r2 = 1 - (left**2).sum() / (spread**2).sum()
    return weights[:2].T, weights[2:5].T, float(r2)


def consequences(run: Rollout, found: FixedPoints, starts: ArrayLike) -> pd.DataFrame:
    """Measure the consequences of defects 5 to 7 and 11 to 15 for one network.

    Parameters
    ----------
    run : Rollout
        Of the network, with its states.
    found : FixedPoints
        Fixed points found from `starts`, zero input among the inputs: defect 6 counts all points,
        defect 7 those at zero input.
    starts : array_like (n, N)
        States from which the search of defect 7 begins.

    Returns
    -------
    DataFrame
        Columns `name` (`defect_<number>.<measure>`), `value`, `n` (what the value rests on: units,
        trials, points or steps).
    """
    import pandas as pd

    states_of(run)
    points_of(found, cast("Network", run.agent))
    rows = [
        *_of_defect_5(run),
        *_of_defect_6(found),
        *_of_defect_7(cast("Network", run.agent), found, starts),
        *_of_defect_11(run),
    ]
    return pd.DataFrame(rows, columns=pd.Index(["name", "value", "n"]))


def _of_defect_5(run: Rollout) -> list[_Row]:
    net = cast("Network", run.agent)
    changed_net = with_right_readout_normalised(net)
    changed = rollout(changed_net, run.sessions, hidden=False, progress=False)
    side = run.sessions.side
    scale = np.sqrt(net.n_hidden / 2)
    gain = scale * np.linalg.norm(changed_net.V)
    gain_before = scale * np.linalg.norm(net.V)
    n_trials = run.sessions.n_trials
    return [
        ("defect_5.radd_gain", gain, net.n_hidden),
        ("defect_5.radd_gain_before", gain_before, net.n_hidden),
        ("defect_5.correct", (changed.choice == side).mean(), n_trials),
        ("defect_5.correct_before", (run.choice == side).mean(), n_trials),
    ]


def _of_defect_6(found: FixedPoints) -> list[_Row]:
    by_real_part = (np.abs(found.eigenvalues.real) < 1).all(1)
    otherwise = (by_real_part != found.stable).sum()
    return [("defect_6.points_judged_otherwise", otherwise, len(found.stable))]


def _of_defect_7(net: Network, found: FixedPoints, starts: ArrayLike) -> list[_Row]:
    ended, residual = first_order_search(net, x=[0, 0, 0], starts=starts)
    points = found.points[found.at([0, 0, 0])]
    n = len(ended)
    distance = np.full(n, np.nan)
    if len(points):
        distance = np.linalg.norm(ended[:, None] - points, axis=2).min(1)
    return [
        ("defect_7.first_order_points", n, n),
        ("defect_7.distinct_fixed_points", len(points), n),
        ("defect_7.median_residual", np.median(residual), n),
        ("defect_7.largest_residual", residual.max(), n),
        ("defect_7.median_distance_to_a_fixed_point", np.median(distance), n),
        ("defect_7.largest_distance_to_a_fixed_point", distance.max(), n),
    ]


def _of_defect_11(run: Rollout) -> list[_Row]:
    A, B, r2 = radd_fit(run)
    n_steps = len(run.p_right)
    rows: list[_Row] = []
    for name, values in (("A", A), ("B", B)):
        for i, j in np.ndindex(values.shape):
            rows.append((f"defect_11.{name}{i + 1}{j + 1}", values[i, j], n_steps))
    rows.append(("defect_11.r2", r2, n_steps))
    return rows
