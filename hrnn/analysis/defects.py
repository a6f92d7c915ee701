"""What the defects of the published code do to a network's analysis.

Each reproduced under its own name, and measured.

Numbers 4 to 15 of docs/defects.md. Facts about the published code, not its text.
"""

import numpy as np

from hrnn.analysis.integration import movement
from hrnn.analysis.representation import angle, pca, states_of
from hrnn.base.arguments import generator, real_array, whole_number
from hrnn.network import Network, check_network
from hrnn.rollout import rollout

FIRST_ORDER_STEPS = 500
FIRST_ORDER_RATE = 0.01


def with_right_readout_normalised(net):
    """The network after the right row of its readout has been divided by its norm in place (defect 5).

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
    return Network.from_arrays(net.cell, W=net.W, U=net.U, b=net.b, V=V, c=net.c, leak=net.leak)


def first_order_search(net, *, x, starts, n_steps=FIRST_ORDER_STEPS, rate=FIRST_ORDER_RATE):
    """States after a fixed number of steps of Adam on the speed |F(h) - h|.

    Without tolerance (defect 7).

    Parameters
    ----------
    net : Network
    x : (3,)
    starts : (n, N)
    n_steps : int
    rate : float

    Returns
    -------
    states : (n, N)
    residual : (n,)
        |F(h) - h| where the search was stopped.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> bool(first_order_search(net, x=[0, 0, 0], starts=np.ones((1, 6)))[1][0] > 1e-12)
    True
    """
    check_network(net)
    h = np.array(starts, float)
    mean = 0.0
    square = 0.0
    for t in range(1, whole_number(n_steps, "n_steps") + 1):
        gap = net.step(h, x) - h
        gradient = net.pull_back(h, x, gap) - gap
        gradient /= np.maximum(np.linalg.norm(gap, axis=1, keepdims=True), 1e-12)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        h = h - rate * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
    return h, np.linalg.norm(net.step(h, x) - h, axis=1)


def difference_order(states, session, *, n_orders=20):
    """Mean norm of the Δ-th order differences of the states.

    What the published code draws over "distance" (defect 4).

    Not how far states move in Δ steps (`distill.divergence`): the noise of each step enters with
    binomial weights, so that the norm grows about as 2^Δ.

    Parameters
    ----------
    states : (T, D)
    session : (T,)
        Of each step, sessions being whole runs of steps.
    n_orders : int

    Returns
    -------
    DataFrame
        `order` (0..n_orders), `mean, sd, n`. Order 0 is the norm of the states themselves.

    Examples
    --------
    >>> difference_order(np.array([[0.0], [1.0], [4.0], [9.0]]), [0, 0, 0, 0], n_orders=2)["mean"].tolist()
    [3.5, 3.0, 2.0]
    """
    import pandas as pd

    states = real_array(states, "states", (2,))
    session = np.asarray(session)
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


def readouts_in_plane(run, components=None):
    """The two directions that the published code compares.

    In the plane of two components (defects 13 to 15).

    The unit row V_right alone stands for the side, and goes through the projection of *states*,
    which subtracts their mean; the block's is the unit vector of a logistic regression without
    intercept on the scores.

    Parameters
    ----------
    run : Rollout
        Of a network.
    components : representation.Pca, optional

    Returns
    -------
    side, block : (2,)
    """
    from sklearn.linear_model import LogisticRegression

    states, _, block_side = states_of(run)
    components = pca(run, n_resamples=1) if components is None else components
    axes = components.axes[:2]
    inside = block_side != 0
    scores = (states[inside] - components.mean) @ axes.T
    block = (
        LogisticRegression(C=1e6, fit_intercept=False).fit(scores, block_side[inside] > 0).coef_[0]
    )
    return axes @ (_unit(run.agent.V[1]) - components.mean), _unit(block)


def readout_angles(run, components=None):
    """Angles between the readouts by the letter of the published code, degrees.

    'plane' and 'full' (defects 13 to 15).

    'full' is the block direction of the plane taken back to all units as if it were a state, the
    mean added, against V_right.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task().sample(n_sessions=4, rng=0))
    >>> sorted(readout_angles(run))
    ['full', 'plane']
    """
    components = pca(run, n_resamples=1) if components is None else components
    side, block = readouts_in_plane(run, components)
    lifted = block @ components.axes[:2] + components.mean
    return {"plane": float(angle(side, block)), "full": float(angle(lifted, run.agent.V[1]))}


def _unit(vector):
    return vector / np.linalg.norm(vector)


def feedback_slope(run, axis):
    """Slope of the movement along a readout on the feedback in the step that *produces* it.

    One before it arrives (defect 10).

    NaN where feedback does not vary.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task().sample(n_sessions=4, rng=0))
    >>> feedback_slope(run, run.agent.V[1])
    nan
    """
    feedback = np.where(run.choice == run.sessions.side, 1.0, -1.0)
    if not np.ptp(feedback) > 0:
        return float("nan")
    return float(np.polyfit(feedback, movement(run, axis)[run.last_step], 1)[0])


def radd_fit(run, rng=0):
    """The two-unit map as the published code fits it (defects 11 to 15).

    ``A (2, 2), B (2, 3), r2``.

    Steps of one session are paired with those of the next, the very first with z = 0; the
    projections are `readouts_in_plane`; and R² is measured on a third of the *steps*, drawn at
    random.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task().sample(n_sessions=4, rng=0))
    >>> radd_fit(run)[0].shape
    (2, 2)
    """
    components = pca(run, n_resamples=1)
    side, block = readouts_in_plane(run, components)
    z = ((run.hidden - components.mean) @ components.axes[:2].T) @ np.stack([_unit(side), block]).T
    z /= 1.01 * np.abs(z).max()
    X = np.column_stack([np.vstack([np.zeros(2), z[:-1]]), run.inputs, np.ones(len(z))])
    y = np.arctanh(z)
    train = generator(rng).random(len(z)) > 1 / 3
    weights = np.linalg.lstsq(X[train], y[train], rcond=None)[0]
    left = y[~train] - X[~train] @ weights
    spread = y[~train] - y[~train].mean(0)
    return weights[:2].T, weights[2:5].T, float(1 - (left**2).sum() / (spread**2).sum())


def consequences(run, found, starts):
    """Measured consequences of defects 5 to 7 and 11 to 15 for one network.

    A table of `name, value, n`.

    Parameters
    ----------
    run : Rollout
        Of the network.
    found : FixedPoints
        From `starts`, zero input among the inputs: defect 6 counts all points, defect 7 those at
        zero input.
    starts : (n, N)

    Returns
    -------
    DataFrame
    """
    import pandas as pd

    net = run.agent
    changed = rollout(with_right_readout_normalised(net), run.sessions, hidden=False)
    ended, residual = first_order_search(net, x=[0, 0, 0], starts=starts)
    points = found.points[found.at([0, 0, 0])]
    distance = (
        np.linalg.norm(ended[:, None] - points, axis=2).min(1)
        if len(points)
        else np.full(len(ended), np.nan)
    )
    by_real_part = (np.abs(found.eigenvalues.real) < 1).all(1)
    rows = [
        (
            "defect_5.radd_gain",
            np.sqrt(net.n_hidden / 2) * np.linalg.norm(changed.agent.V),
            net.n_hidden,
        ),
        (
            "defect_5.radd_gain_before",
            np.sqrt(net.n_hidden / 2) * np.linalg.norm(net.V),
            net.n_hidden,
        ),
        ("defect_5.correct", (changed.choice == run.sessions.side).mean(), run.sessions.n_trials),
        (
            "defect_5.correct_before",
            (run.choice == run.sessions.side).mean(),
            run.sessions.n_trials,
        ),
        (
            "defect_6.points_judged_otherwise",
            (by_real_part != found.stable).sum(),
            len(found.stable),
        ),
        ("defect_7.first_order_points", len(ended), len(ended)),
        ("defect_7.distinct_fixed_points", len(points), len(ended)),
        ("defect_7.median_residual", np.median(residual), len(ended)),
        ("defect_7.largest_residual", residual.max(), len(ended)),
        ("defect_7.median_distance_to_a_fixed_point", np.median(distance), len(ended)),
        ("defect_7.largest_distance_to_a_fixed_point", distance.max(), len(ended)),
    ]
    A, B, r2 = radd_fit(run)
    entries = {
        f"{name}{i + 1}{j + 1}": values[i, j]
        for name, values in (("A", A), ("B", B))
        for i, j in np.ndindex(values.shape)
    }
    rows += [
        (f"defect_11.{name}", value, len(run.p_right))
        for name, value in {**entries, "r2": r2}.items()
    ]
    return pd.DataFrame(rows, columns=["name", "value", "n"])
