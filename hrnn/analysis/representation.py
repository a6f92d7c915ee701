"""What the state of a network represents.

Principal components, readouts of side and block, angles between them.

Decoders are fitted on some sessions and tested on others. Neighbouring steps of a session are
nearly copies of each other, so a split by time step leaks; it is offered by name, for comparison
with the published number.
"""

import dataclasses
import warnings

import numpy as np

from hrnn.base.arguments import generator, one_of
from hrnn.network import check_network
from hrnn.rollout import Rollout
from hrnn.statistics.projections import N_RESAMPLES, Readout
from hrnn.statistics.resampling import Estimate, paired, percentiles, ratio_interval, resample

REGULARISATIONS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1.0)  # C of scikit-learn
N_FOLDS = 3
N_SESSIONS_CV = 60


def states_of(run):
    """States (T, N), session (T,) of each step and block side (T,) of a rollout of a network."""
    if not isinstance(run, Rollout):
        raise TypeError(f"run must be a Rollout, got {type(run).__name__}")
    if run.hidden is None:
        raise ValueError(
            "run must hold the states of a network: only networks have them, and only with hidden=True"
        )
    return run.hidden, run.session, run.sessions.block_side[run.trial].astype(float)


def run_of(run, net):
    """Refuse a rollout that is not of this network."""
    check_network(net)
    states_of(run)
    if run.agent is not net:
        raise ValueError("run must be a rollout of net")


def before(run, values, initial=0.0):
    """Values (T, ...) one step earlier, and `initial` at the first steps of sessions."""
    shifted = np.empty_like(values)
    shifted[1:] = values[:-1]
    shifted[run.session_starts] = initial
    return shifted


def states_before(run):
    """State before each step of a rollout of a network, (T, N): 0 at the start of a session."""
    return before(run, run.hidden)


def needs_sessions(run, n=4):
    """Refuse a rollout of too few sessions to split."""
    if run.sessions.n_sessions < n:
        raise ValueError(f"run must have at least {n} sessions, got {run.sessions.n_sessions}")


# ---- principal components ----


@dataclasses.dataclass(frozen=True, eq=False)
class Pca:
    """Principal components of the states.

    Attributes
    ----------
    mean : (N,)
    axes : (N, N)
        Rows, the largest variance first.
    variance : (N,)
    cumulative : Estimate of (N,)
        Fraction of the variance in the first 1, 2, ... components.
    participation_ratio : Estimate
        (Σλ)² / Σλ².
    """

    mean: np.ndarray
    axes: np.ndarray
    variance: np.ndarray
    cumulative: Estimate
    participation_ratio: Estimate


def _spectrum(n, total, outer):
    """Eigenvalues (..., N), largest first, of the covariance from sums n (...,), (..., N).

    (..., N, N).
    """
    mean = total / n[..., None]
    covariance = outer / n[..., None, None] - mean[..., :, None] * mean[..., None, :]
    return np.maximum(np.linalg.eigvalsh(covariance)[..., ::-1], 0), covariance


def pca(run, *, trial_ends=False, sessions=None, n_resamples=N_RESAMPLES, rng=0):
    """Principal components of the states of a rollout, all steps (or the last of each trial).

    Parameters
    ----------
    run : Rollout
    trial_ends : bool
        Only the last state of each trial.
    sessions : (K,) int, optional
        Only these sessions; all by default.
    n_resamples : int
        Of sessions; 1 gives no intervals.
    rng : int, SeedSequence or Generator
        For the resampled sessions.

    Returns
    -------
    Pca

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task().sample(n_sessions=4, rng=0))
    >>> pca(run).cumulative.value[-1].round(6).item()
    1.0
    """
    states, session, _ = states_of(run)
    rows = run.last_step if trial_ends else slice(None)
    states = states[rows]
    session = session[rows]
    names = np.arange(run.sessions.n_sessions) if sessions is None else np.asarray(sessions)
    ends = np.searchsorted(session, names), np.searchsorted(session, names, "right")
    parts = [states[a:b] for a, b in zip(*ends, strict=True)]
    n = (ends[1] - ends[0]).astype(float)
    total = np.stack([part.sum(0) for part in parts])
    outer = np.stack([part.T @ part for part in parts])
    variance, covariance = _spectrum(n.sum(), total.sum(0), outer.sum(0))
    axes = np.linalg.eigh(covariance)[1].T[::-1]
    draws = resample(len(n), rng=rng, n_resamples=n_resamples)
    size = states.shape[1]
    resampled, _ = _spectrum(
        draws.weights @ n,
        draws.weights @ total,
        (draws.weights @ outer.reshape(len(n), -1)).reshape(-1, size, size),
    )
    share = lambda v: v.cumsum(-1) / v.sum(-1, keepdims=True)
    ratio = lambda v: v.sum(-1) ** 2 / (v**2).sum(-1)
    low, high = percentiles(share(resampled).T, len(n))
    low_ratio, high_ratio = percentiles(ratio(resampled)[None], len(n))[:, 0]
    return Pca(
        total.sum(0) / n.sum(),
        axes,
        variance,
        Estimate(share(variance), low, high, len(n)),
        Estimate(float(ratio(variance)), float(low_ratio), float(high_ratio), len(n)),
    )


# ---- block decoder ----


@dataclasses.dataclass(frozen=True, eq=False)
class Decoder(Readout):
    """Logistic regression of the block side on states, in raw coordinates.

    Attributes
    ----------
    weights : (N,)
        Of the raw state: those of the standardised state divided by its sd.
    intercept : float
    weights_resampled, intercept_resampled : (B, N), (B,)
        For resampled training sessions, to first order: w + H⁻¹ Σ_s (k_s - 1) g_s with the scores
        g_s of the sessions.
    counts : (B, S)
        How often each session of the run was drawn: those that train among themselves, the others
        too.
    regularisation : float
        C of scikit-learn.
    accuracy : Estimate
        Over the steps of test sessions, sessions resampled: of this decoder, given what it was
        trained on.
    correct, steps : (S_test,)
        Correct steps and steps of each test session.
    test_sessions : (S_test,) int
    n_train : int
        Training sessions.
    """

    regularisation: float
    accuracy: Estimate
    correct: np.ndarray
    steps: np.ndarray
    test_sessions: np.ndarray
    n_train: int

    def log_odds(self, states):
        """Log odds of a right block at states (..., N)."""
        return states @ self.weights + self.intercept

    def minus(self, other):
        """Paired difference of accuracies, on the same test sessions, as an Estimate."""
        if not np.array_equal(self.test_sessions, other.test_sessions):
            raise ValueError("other must have been tested on the same sessions")
        return paired((self.correct, self.steps), (other.correct, other.steps))


def _model(C):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C, solver="newton-cholesky", max_iter=50, warm_start=True)


def _fit(model, X, y):
    """(weights, intercept) of standardised states.

    A model that has been fitted goes on from there.
    """
    with (
        warnings.catch_warnings()
    ):  # separable states of small samples: the answer is then that of the last step
        warnings.simplefilter("ignore")
        model.fit(X, y)
    return model.coef_[0], model.intercept_[0]


def _best_regularisation(X, y, session, rng):
    """C of the best accuracy on left-out sessions, the smallest of the best.

    N_FOLDS folds of at most N_SESSIONS_CV sessions.
    """
    names = generator(rng).permutation(np.unique(session))[:N_SESSIONS_CV]
    fold = {name: i % N_FOLDS for i, name in enumerate(names)}
    inside = np.isin(session, names)
    X = X[inside]
    y = y[inside]
    folds = np.array([fold[name] for name in session[inside]])
    hits = np.zeros(len(REGULARISATIONS), int)
    for k in range(N_FOLDS):
        if len(np.unique(y[folds != k])) < 2:  # few sessions of few blocks may leave one side only
            continue
        model = _model(REGULARISATIONS[0])
        train = (X[folds != k], y[folds != k])
        test = (X[folds == k], y[folds == k])
        for i, C in enumerate(REGULARISATIONS):
            w, b = _fit(model.set_params(C=C), *train)
            hits[i] += ((test[0] @ w + b > 0) == (test[1] > 0)).sum()
    return REGULARISATIONS[int(np.argmax(hits))]


def block_decoder(
    run,
    *,
    axes=None,
    split="session",
    labels=None,
    regularisation=None,
    n_resamples=N_RESAMPLES,
    rng=0,
):
    """Decode the block side from the state, at all steps of biased blocks.

    By regularised logistic regression.

    Parameters
    ----------
    run : Rollout
    axes : (D, N), optional
        Only these projections of the state, e.g. the first two rows of `pca(run).axes`; weights are
        still over units.
    split : {'session', 'time_step'}
        Half of the sessions to train on and the others to test on; or, leaking, half of the steps.
        The latter is what the published code does.
    labels : (T,) array_like, optional
        Of each step, ±1, instead of the block sides; 0 leaves the step out. See `shuffled_blocks`.
    regularisation : float, optional
        C; by default the best on left-out training sessions.
    n_resamples : int
        Of the training sessions, for `weights_resampled`.
    rng : int, SeedSequence or Generator
        Which sessions train.

    Returns
    -------
    Decoder

    Raises
    ------
    ValueError
        If there are fewer than four sessions or all blocks are of one side.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task().sample(n_sessions=8, rng=0))
    >>> bool(0.4 < block_decoder(run).accuracy.value < 1)
    True
    """
    states, session, side = states_of(run)
    needs_sessions(run)
    one_of(split, "split", ("session", "time_step"))
    side = side if labels is None else np.asarray(labels, float)
    if side.shape != (len(states),):
        raise ValueError(f"labels must have shape ({len(states)},), got {side.shape}")
    random = generator(rng)
    chosen = random.permutation(run.sessions.n_sessions)[: run.sessions.n_sessions // 2]
    train = np.isin(session, chosen) if split == "session" else random.random(len(states)) < 0.5
    X = states if axes is None else states @ np.atleast_2d(axes).T
    y = (side > 0).astype(float)
    train, test = train & (side != 0), ~train & (side != 0)
    if len(np.unique(y[train])) < 2:
        raise ValueError("run must have blocks of both sides among its training sessions")
    Z = X[train]  # standardised in place: the states are large
    mean = Z.mean(0)
    sd = np.maximum(Z.std(0), 1e-12)
    Z -= mean
    Z /= sd
    for_folds, for_counts = random.spawn(2)
    if regularisation is None:
        regularisation = _best_regularisation(Z, y[train], session[train], for_folds)
    fitted = _fit(_model(regularisation), Z, y[train])
    counts = _counts(np.unique(session[train]), run.sessions.n_sessions, n_resamples, for_counts)
    every = np.vstack(
        [
            np.append(*fitted),
            _one_step(Z, y[train], session[train], *fitted, regularisation, counts),
        ]
    )
    weights = every[:, :-1] / sd
    intercepts = every[:, -1] - weights @ mean
    if axes is not None:
        weights = weights @ np.atleast_2d(axes)
    weights, resampled, intercept = weights[0], weights[1:], float(intercepts[0])
    right = (states @ weights + intercept > 0)[test] == (y[test] > 0)
    names, unit = np.unique(session[test], return_inverse=True)
    correct = np.bincount(unit, right).astype(float)
    steps = np.bincount(unit).astype(float)
    return Decoder(
        weights,
        intercept,
        resampled,
        intercepts[1:],
        counts,
        regularisation,
        ratio_interval(correct, steps),
        correct,
        steps,
        names,
        len(np.unique(session[train])),
    )


def _counts(train, n_sessions, n_resamples, rng):
    """Resamples (B, S) of the sessions that train, and of the others."""
    counts = np.ones((n_resamples, n_sessions))
    for part, stream in zip(
        (train, np.setdiff1d(np.arange(n_sessions), train)), rng.spawn(2), strict=True
    ):
        if len(part):
            counts[:, part] = resample(len(part), rng=stream, n_resamples=n_resamples).weights
    return counts


def _one_step(Z, y, session, w, b, C, counts):
    """Weights and intercept (B, D + 1) of resampled sessions, one Newton step from those of all."""
    p = 1 / (1 + np.exp(-(Z @ w + b)))
    X = np.column_stack([Z, np.ones(len(y))])
    first = np.flatnonzero(np.r_[True, np.diff(session) != 0])
    scores = np.add.reduceat(X * (y - p)[:, None], first)
    scores[:, :-1] -= w / (C * len(scores))
    hessian = (X * (p * (1 - p))[:, None]).T @ X + np.diag([*np.full(len(w), 1 / C), 0])
    return (
        np.append(w, b) + np.linalg.solve(hessian, ((counts[:, session[first]] - 1) @ scores).T).T
    )


def shuffled_blocks(run, *, rng=0):
    """Block sides of each step with the sides of the blocks permuted.

    Labels at chance that keep the blocks' lengths, (T,).

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task().sample(n_sessions=2, rng=0))
    >>> sorted(set(shuffled_blocks(run).tolist()))
    [-1.0, 1.0]
    """
    states_of(run)
    s = run.sessions
    first = np.r_[True, (np.diff(s.session) != 0) | (np.diff(s.block) != 0)]
    sides = s.block_side[first].astype(float)
    biased = np.flatnonzero(sides)
    sides[biased] = generator(rng).permutation(sides[biased])
    return sides[first.cumsum() - 1][run.trial]


def observer_accuracy(run, seen, decoder):
    """How often the sign of an observer's block posterior is right, on the decoder's test sessions.

    A ceiling, as Estimate.

    Parameters
    ----------
    run : Rollout
    seen : Observation
        `hrnn.observe(run)`.
    decoder : Decoder
    """
    _, session, side = states_of(run)
    if len(seen.p_block) != len(session):
        raise ValueError("seen must be hrnn.observe of this run")
    test = np.isin(session, decoder.test_sessions) & (side != 0)
    _, unit = np.unique(session[test], return_inverse=True)
    right = (seen.p_block[test] > 0.5) == (side[test] > 0)
    return ratio_interval(np.bincount(unit, right).astype(float), np.bincount(unit).astype(float))


# ---- readouts and their plane ----


def stimulus_readout(net):
    """V_right - V_left, (N,): the direction of the state along which the log odds of right grow."""
    return net.V[1] - net.V[0]


def angle(a, b):
    """Angle between vectors in degrees, 0 to 180; broadcasts over leading axes."""
    cosine = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def readout_angle(net, decoder, *, axes=None):
    """Angle between stimulus and block readout, with the interval over resampled training sessions.

    Parameters
    ----------
    net : Network
    decoder : Decoder
    axes : (D, N), optional
        In the space of these projections; then the decoder should have been fitted in it.

    Returns
    -------
    Estimate
        In degrees.
    """
    axes = np.eye(net.n_hidden) if axes is None else np.atleast_2d(axes)
    stimulus = axes @ stimulus_readout(net)
    block = decoder.weights @ axes.T
    resampled = decoder.weights_resampled @ axes.T
    low, high = percentiles(angle(resampled, stimulus)[None], decoder.n_train)[:, 0]
    return Estimate(float(angle(block, stimulus)), float(low), float(high), decoder.n_train)


@dataclasses.dataclass(frozen=True, eq=False)
class Plane:
    """The plane of the first two principal components, with the two readouts in it.

    Attributes
    ----------
    mean : (N,)
    axes : (2, N)
    stimulus, block : (2,)
        Unit readouts in the plane, right positive.
    """

    mean: np.ndarray
    axes: np.ndarray
    stimulus: np.ndarray
    block: np.ndarray

    def project(self, states):
        """Scores on the two components, (..., 2)."""
        return (states - self.mean) @ self.axes.T

    def align(self, states):
        """Projections on the two readouts, (..., 2): (ŝ·y, b̂·y) of the scores y."""
        return self.project(states) @ np.stack([self.stimulus, self.block]).T

    def lift(self, scores):
        """States in the plane from scores (..., 2)."""
        return self.mean + scores @ self.axes


def task_plane(net, components, decoder):
    """Plane of the first two principal components with the readouts of side and block.

    Parameters
    ----------
    net : Network
    components : Pca
    decoder : Decoder
        Fitted in the plane: ``block_decoder(run, axes=components.axes[:2])``.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> components = pca(run)
    >>> plane = task_plane(net, components, block_decoder(run, axes=components.axes[:2]))
    >>> bool(np.allclose(plane.project(plane.lift(np.ones((3, 2)))), 1))
    True
    """
    axes = components.axes[:2]
    stimulus = axes @ stimulus_readout(net)
    block = axes @ decoder.weights
    return Plane(
        components.mean, axes, stimulus / np.linalg.norm(stimulus), block / np.linalg.norm(block)
    )
