"""What the state of a network represents: principal components, readouts, angles between them.

Decoders are fitted on some sessions and tested on others. Neighbouring steps of a session are
nearly copies of each other, so a split by time step leaks; it is offered by name, for comparison
with the published number.
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.base.arguments import (
    flag,
    generator,
    instance,
    last_axis,
    numbers,
    one_of,
    real_array,
    real_number,
    refuse_size,
    whole_number,
)
from hrnn.base.parallel import look
from hrnn.inference import Observation
from hrnn.network import Network, check_network
from hrnn.rollout import Rollout
from hrnn.statistics.projections import N_RESAMPLES, Readout
from hrnn.statistics.resampling import Estimate, paired, percentiles, ratio_interval, resample

if TYPE_CHECKING:
    from hrnn.base.typing import RNGLike

REGULARISATIONS: tuple[float, ...] = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1.0)  # C of scikit-learn
N_FOLDS: int = 3
N_SESSIONS_CV: int = 60


def states_of(
    run: Rollout,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """States (T, N), session (T,) of each step and block side (T,) of a rollout of a network."""
    instance(run, "run", Rollout)
    if run.hidden is None:
        raise ValueError(
            "run must hold the states of a network: only networks have them, "
            "and only with hidden=True"
        )
    side = run.sessions.block_side[run.trial].astype(float)
    return run.hidden, run.session, side


def run_of(run: Rollout, net: Network) -> None:
    """Refuse a rollout that is not of a network, or does not hold its states.

    Parameters
    ----------
    run : Rollout
        The rollout.
    net : Network
        The network it must be of.
    """
    check_network(net)
    states_of(run)
    if run.agent is not net:
        raise ValueError("run must be a rollout of net")


def before(
    run: Rollout, values: NDArray[np.float64], initial: ArrayLike = 0.0
) -> NDArray[np.float64]:
    """Move values one step later within their sessions.

    Parameters
    ----------
    run : Rollout
        Whose steps they are.
    values : ndarray (T, ...)
        One value, or array, per step.
    initial : float, optional
        The value at the first step of each session.

    Returns
    -------
    ndarray (T, ...)
        At each step the value of the step before.
    """
    n_steps = len(instance(run, "run", Rollout).p_right)
    if np.shape(instance(values, "values", np.ndarray))[:1] != (n_steps,):
        raise ValueError(f"values must have a row per step of run, {n_steps}")
    start = real_array(initial, "initial", range(values.ndim))
    if start.ndim and start.shape != values.shape[1:]:
        raise ValueError(f"initial must have shape {values.shape[1:]}, got {start.shape}")
    shifted = np.empty_like(values)
    shifted[1:] = values[:-1]
    shifted[run.session_starts] = start
    return shifted


def states_before(run: Rollout) -> NDArray[np.float64]:
    """State before each step of a rollout of a network, (T, N): 0 at the start of a session."""
    return before(run, states_of(run)[0])


def needs_sessions(run: Rollout, n: int = 4) -> None:
    """Refuse a rollout of too few sessions to split.

    Parameters
    ----------
    run : Rollout
        The rollout.
    n : int, optional
        Least number of sessions.
    """
    n = whole_number(n, "n")
    if instance(run, "run", Rollout).sessions.n_sessions < n:
        raise ValueError(f"run must have at least {n} sessions, got {run.sessions.n_sessions}")


# ---- principal components ----


@dataclasses.dataclass(frozen=True, eq=False)
class Pca:
    """Principal components of the states.

    Attributes
    ----------
    mean : ndarray (N,)
        Mean state.
    axes : ndarray (N, N)
        The components, one a row, the largest variance first.
    variance : ndarray (N,)
        Variance of the states along each component.
    cumulative : Estimate of (N,)
        Fraction of the variance in the first 1, 2, ... components.
    participation_ratio : Estimate
        Effective number of components, (Σλ)² / Σλ² of the variances λ.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    variance: NDArray[np.float64]
    cumulative: Estimate
    participation_ratio: Estimate


def _spectrum(n: Any, total: Any, outer: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues (..., N), largest first, of a covariance, and this covariance (..., N, N).

    From the number of states n (...,), their sums (..., N) and those of their products
    (..., N, N).
    """
    mean = total / n[..., None]
    squares = mean[..., :, None] * mean[..., None, :]
    covariance = outer / n[..., None, None] - squares
    eigenvalues = np.linalg.eigvalsh(covariance)[..., ::-1]
    return np.maximum(eigenvalues, 0), covariance


def _share(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fraction of the variance in the first 1, 2, ... components."""
    total = variance.sum(-1, keepdims=True)
    return variance.cumsum(-1) / total


def _participation(variance: NDArray[np.float64]) -> Any:
    """Participation ratio (Σλ)² / Σλ² of variances (..., N)."""
    total = variance.sum(-1)
    squares = (variance**2).sum(-1)
    return total**2 / squares


def pca(
    run: Rollout,
    *,
    trial_ends: bool = False,
    sessions: ArrayLike | None = None,
    n_resamples: int = N_RESAMPLES,
    rng: RNGLike = 0,
) -> Pca:
    """Principal components of the states of a rollout, all steps (or the last of each trial).

    Parameters
    ----------
    run : Rollout
        Of a network, with its states.
    trial_ends : bool
        Only the last state of each trial.
    sessions : array_like of int (K,), optional
        Only these sessions; all by default.
    n_resamples : int
        Number of resamples of sessions; 1 gives no intervals.
    rng : int, SeedSequence or Generator
        Seed or generator of the resampled sessions.

    Returns
    -------
    Pca
        The components, with intervals over sessions.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=4, rng=0))
    >>> pca(run).cumulative.value[-1].round(6).item()
    1.0
    """
    states, session, _ = states_of(run)
    rows = run.last_step if flag(trial_ends, "trial_ends") else slice(None)
    states = states[rows]
    session = session[rows]
    names = np.arange(run.sessions.n_sessions) if sessions is None else sessions
    names = run.sessions.numbers(names)
    first = np.searchsorted(session, names)
    end = np.searchsorted(session, names, "right")
    parts = [states[a:b] for a, b in zip(first, end, strict=True)]
    n = (end - first).astype(float)
    total = np.stack([part.sum(0) for part in parts])
    outer = np.stack([part.T @ part for part in parts])
    variance, covariance = _spectrum(n.sum(), total.sum(0), outer.sum(0))
    axes = np.linalg.eigh(covariance)[1].T[::-1]
    draws = resample(len(n), rng=rng, n_resamples=n_resamples)
    size = states.shape[1]
    drawn_outer = draws.weights @ outer.reshape(len(n), -1)
    drawn_outer = drawn_outer.reshape(-1, size, size)
    resampled, _ = _spectrum(draws.weights @ n, draws.weights @ total, drawn_outer)
    low, high = percentiles(_share(resampled).T, len(n))
    cumulative = Estimate(_share(variance), low, high, len(n))
    low, high = percentiles(_participation(resampled)[None], len(n))[:, 0]
    ratio = Estimate(float(_participation(variance)), float(low), float(high), len(n))
    return Pca(total.sum(0) / n.sum(), axes, variance, cumulative, ratio)


# ---- block decoder ----


@dataclasses.dataclass(frozen=True, eq=False)
class Decoder(Readout):
    """Logistic regression of the block side on states, in raw coordinates.

    Attributes
    ----------
    weights : ndarray (N,)
        Weights of the raw state: those of the standardised state divided by its sd.
    intercept : float
        Log odds of a right block where the raw state is 0.
    weights_resampled : ndarray (B, N)
        Weights for resampled training sessions, to first order: w + H⁻¹ Σ_s (k_s - 1) g_s with the
        scores g_s of the sessions.
    intercept_resampled : ndarray (B,)
        The intercepts that go with them.
    counts : ndarray (B, S)
        How often each session of the run was drawn: those that train among themselves, the others
        too.
    regularisation : float
        C of scikit-learn.
    accuracy : Estimate
        Fraction correct over the steps of test sessions, sessions resampled: of this decoder, given
        what it was trained on.
    correct : ndarray (S_test,)
        Number of correct steps in each test session.
    steps : ndarray (S_test,)
        Number of steps in each test session.
    test_sessions : ndarray of int (S_test,)
        Which sessions test.
    n_train : int
        Number of sessions that train.
    """

    regularisation: float
    accuracy: Estimate
    correct: NDArray[np.float64]
    steps: NDArray[np.float64]
    test_sessions: NDArray[np.int64]
    n_train: int

    def log_odds(self, states: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log odds of a right block at states (..., N)."""
        states = last_axis(states, "states", len(self.weights))
        return states @ self.weights + self.intercept

    def minus(self, other: Decoder) -> Estimate:
        """Paired difference of accuracies, on the same test sessions, as an Estimate."""
        instance(other, "other", Decoder)
        if not np.array_equal(self.test_sessions, other.test_sessions):
            raise ValueError("other must have been tested on the same sessions")
        return paired((self.correct, self.steps), (other.correct, other.steps))


def _model(C: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C, solver="newton-cholesky", max_iter=50, warm_start=True)


def _fit(
    model: Any, X: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Weights and intercept of standardised states; a fitted model goes on from where it is."""
    look()
    # separable states of small samples: the answer is then that of the last step
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    return model.coef_[0], model.intercept_[0]


def _best_regularisation(
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    session: NDArray[np.int64],
    rng: np.random.Generator,
) -> float:
    """C of the best accuracy on left-out sessions, the smallest of the best.

    By N_FOLDS folds of at most N_SESSIONS_CV sessions.
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
        left_out = folds == k
        X_train = X[~left_out]
        y_train = y[~left_out]
        X_test = X[left_out]
        y_test = y[left_out]
        for i, C in enumerate(REGULARISATIONS):
            w, b = _fit(model.set_params(C=C), X_train, y_train)
            right = (X_test @ w + b > 0) == (y_test > 0)
            hits[i] += right.sum()
    return REGULARISATIONS[int(np.argmax(hits))]


def block_decoder(
    run: Rollout,
    *,
    axes: ArrayLike | None = None,
    split: Literal["session", "time_step"] = "session",
    labels: ArrayLike | None = None,
    regularisation: float | None = None,
    n_resamples: int = N_RESAMPLES,
    rng: RNGLike = 0,
) -> Decoder:
    """Decode the block side from the state, by regularised logistic regression.

    All steps of biased blocks count.

    Parameters
    ----------
    run : Rollout
        Of a network, with its states.
    axes : array_like (D, N), optional
        Only these projections of the state, e.g. the first two rows of `pca(run).axes`; weights are
        still over units.
    split : {'session', 'time_step'}
        Half of the sessions to train on and the others to test on; or, leaking, half of the steps.
        The latter is what the published code does.
    labels : array_like (T,), optional
        Labels ±1 of the steps, instead of the block sides; 0 leaves a step out. See
        `shuffled_blocks`.
    regularisation : float, optional
        C of scikit-learn; by default the best on left-out training sessions.
    n_resamples : int
        Number of resamples of the training sessions, for `weights_resampled`.
    rng : int, SeedSequence or Generator
        Seed or generator that chooses which sessions train.

    Returns
    -------
    Decoder
        The readout, and how well it does on test sessions.

    Raises
    ------
    ValueError
        If there are fewer than four sessions or all blocks are of one side.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> bool(0.4 < block_decoder(run).accuracy.value < 1)
    True
    """
    states, session, side = states_of(run)
    needs_sessions(run)
    one_of(split, "split", ("session", "time_step"))
    if labels is not None:
        side = _labels(labels, len(states))
    n_resamples = whole_number(n_resamples, "n_resamples")
    refuse_size("n_resamples", n_resamples, 8 * n_resamples * states.shape[1])
    random = generator(rng)
    n_sessions = run.sessions.n_sessions
    chosen = _training_steps(session, n_sessions, split, random)
    train = chosen & (side != 0)
    test = ~chosen & (side != 0)
    y = (side > 0).astype(float)
    if len(np.unique(y[train])) < 2:
        raise ValueError("run must have blocks of both sides among its training sessions")
    if axes is not None:
        axes = _axes(axes, states.shape[1])
    if regularisation is not None:
        regularisation = real_number(regularisation, "regularisation", 0, np.inf, "")
    X = states if axes is None else states @ axes.T
    Z, mean, sd = _standardised(X[train])
    for_folds, for_counts = random.spawn(2)
    if regularisation is None:
        regularisation = _best_regularisation(Z, y[train], session[train], for_folds)
    w, b = _fit(_model(regularisation), Z, y[train])
    train_sessions = np.unique(session[train])
    counts = _counts(train_sessions, n_sessions, n_resamples, for_counts)
    resampled = _one_step(Z, y[train], session[train], w, b, regularisation, counts)
    every = np.vstack([np.append(w, b), resampled])  # the data, then the resamples
    weights, intercepts = _of_raw_states(every, mean, sd, axes)
    intercept = float(intercepts[0])
    right = (states @ weights[0] + intercept > 0)[test] == (y[test] > 0)
    test_sessions, correct, steps = _by_session(right, session[test])
    return Decoder(
        weights[0],
        intercept,
        weights[1:],
        intercepts[1:],
        counts,
        regularisation,
        ratio_interval(correct, steps),
        correct,
        steps,
        test_sessions,
        len(train_sessions),
    )


def _labels(labels: ArrayLike, n_steps: int) -> NDArray[np.float64]:
    """Check labels of the steps and return them as float64."""
    array = real_array(labels, "labels", (1,))
    if array.shape != (n_steps,):
        raise ValueError(f"labels must have shape ({n_steps},), got {array.shape}")
    return array


def _axes(axes: ArrayLike, n_units: int) -> NDArray[np.float64]:
    """Check directions of the state space and return them one a row, (D, N)."""
    rows = np.atleast_2d(real_array(axes, "axes", (1, 2)))
    if rows.shape[1] != n_units:
        raise ValueError(f"axes must have shape (D, {n_units}), got {rows.shape}")
    return rows


def _of_raw_states(
    every: NDArray[np.float64],
    mean: NDArray[np.float64],
    sd: NDArray[np.float64],
    axes: ArrayLike | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (1 + B, N) and intercepts (1 + B,) of raw states from those of standardised ones."""
    weights = every[:, :-1] / sd
    intercepts = every[:, -1] - weights @ mean
    if axes is not None:
        weights = weights @ np.atleast_2d(axes)
    return weights, intercepts


def _by_session(
    right: NDArray[np.bool_], session: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Sessions that occur, and the correct steps and all steps of each."""
    names, unit = np.unique(session, return_inverse=True)
    correct = np.bincount(unit, right).astype(float)
    steps = np.bincount(unit).astype(float)
    return names, correct, steps


def _training_steps(
    session: NDArray[np.int64], n_sessions: int, split: str, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Mark the steps of half of the sessions, or half of the steps, (T,)."""
    chosen = random.permutation(n_sessions)[: n_sessions // 2]
    if split == "session":
        return np.isin(session, chosen)
    return random.random(len(session)) < 0.5


def _standardised(
    Z: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Standardise columns in place, since the states are large; their means and sds."""
    mean = Z.mean(0)
    sd = np.maximum(Z.std(0), 1e-12)
    Z -= mean
    Z /= sd
    return Z, mean, sd


def _counts(
    train: NDArray[np.int64], n_sessions: int, n_resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Resamples (B, S) of the sessions that train, and of the others."""
    counts = np.ones((n_resamples, n_sessions))
    others = np.setdiff1d(np.arange(n_sessions), train)
    for part, stream in zip((train, others), rng.spawn(2), strict=True):
        if len(part):
            counts[:, part] = resample(len(part), rng=stream, n_resamples=n_resamples).weights
    return counts


def _one_step(
    Z: NDArray[np.float64],
    y: NDArray[np.float64],
    session: NDArray[np.int64],
    w: NDArray[np.float64],
    b: float,
    C: float,
    counts: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Weights and intercept (B, D + 1) of resampled sessions, one Newton step from those of all."""
    p = 1 / (1 + np.exp(-(Z @ w + b)))
    X = np.column_stack([Z, np.ones(len(y))])
    first = np.flatnonzero(np.r_[True, np.diff(session) != 0])
    scores = np.add.reduceat(X * (y - p)[:, None], first)
    scores[:, :-1] -= w / (C * len(scores))
    variance = p * (1 - p)
    penalty = np.diag([*np.full(len(w), 1 / C), 0])  # none of the intercept
    hessian = (X * variance[:, None]).T @ X + penalty
    more = counts[:, session[first]] - 1  # how much oftener than once a session was drawn
    steps = np.linalg.solve(hessian, (more @ scores).T).T
    return np.asarray(np.append(w, b) + steps, float)


def shuffled_blocks(run: Rollout, *, rng: RNGLike = 0) -> NDArray[np.float64]:
    """Block sides of each step with the sides of the blocks permuted.

    Labels at chance that keep the blocks' lengths, for `block_decoder`.

    Parameters
    ----------
    run : Rollout
        Of a network, with its states.
    rng : int, SeedSequence or Generator
        Seed or generator of the permutation.

    Returns
    -------
    ndarray (T,)
        Label of each step: -1, 0 or 1.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=2, rng=0))
    >>> sorted(set(shuffled_blocks(run).tolist()))
    [-1.0, 1.0]
    """
    states_of(run)
    s = run.sessions
    changes = (np.diff(s.session) != 0) | (np.diff(s.block) != 0)
    first = np.r_[True, changes]
    sides = s.block_side[first].astype(float)
    biased = np.flatnonzero(sides)
    sides[biased] = generator(rng).permutation(sides[biased])
    return sides[first.cumsum() - 1][run.trial]


def observer_accuracy(run: Rollout, seen: Observation, decoder: Decoder) -> Estimate:
    """How often the sign of an observer's block posterior is right, on the decoder's test sessions.

    No decoder can be expected to do better.

    Parameters
    ----------
    run : Rollout
        Of a network, with its states.
    seen : Observation
        What the observer believed, ``hrnn.observe(run)``.
    decoder : Decoder
        Of this run: it says which sessions test.

    Returns
    -------
    Estimate
        Fraction of steps, with its interval over sessions.
    """
    _, session, side = states_of(run)
    instance(decoder, "decoder", Decoder)
    if len(instance(seen, "seen", Observation).p_block) != len(session):
        raise ValueError("seen must be hrnn.observe of this run")
    test = np.isin(session, decoder.test_sessions) & (side != 0)
    right = (seen.p_block[test] > 0.5) == (side[test] > 0)
    _, correct, steps = _by_session(right, session[test])
    return ratio_interval(correct, steps)


# ---- readouts and their plane ----


def stimulus_readout(net: Network) -> NDArray[np.float64]:
    """V_right - V_left, (N,): the direction of the state along which the log odds of right grow."""
    check_network(net)
    return net.V[1] - net.V[0]


def angle(a: NDArray[np.float64], b: NDArray[np.float64]) -> Any:
    """Angle between vectors in degrees, 0 to 180.

    Parameters
    ----------
    a, b : ndarray (..., N)
        The vectors; leading axes are broadcast.

    Returns
    -------
    float or ndarray (...)
        Degrees.
    """
    a = np.atleast_1d(numbers(a, "a"))
    b = last_axis(b, "b", a.shape[-1])
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosine = (a * b).sum(-1) / lengths
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _check_decoder(decoder: Decoder, n_units: int) -> None:
    """Refuse what is no decoder of states of so many units."""
    whole_number(instance(decoder, "decoder", Decoder).n_train, "decoder.n_train")
    if len(decoder.weights) != n_units:
        raise ValueError(
            f"decoder must be of {n_units} units, as net is, got {len(decoder.weights)}"
        )


def readout_angle(net: Network, decoder: Decoder, *, axes: ArrayLike | None = None) -> Estimate:
    """Angle between stimulus and block readout, with the interval over resampled training sessions.

    Parameters
    ----------
    net : Network
        Whose stimulus readout it is.
    decoder : Decoder
        The block readout.
    axes : array_like (D, N), optional
        Measure the angle in the space of these projections; then the decoder should have been
        fitted in it.

    Returns
    -------
    Estimate
        The angle in degrees; `n` is the number of sessions that trained the decoder.
    """
    stimulus = stimulus_readout(net)
    _check_decoder(decoder, net.n_hidden)
    axes = np.eye(net.n_hidden) if axes is None else _axes(axes, net.n_hidden)
    stimulus = axes @ stimulus
    block = decoder.weights @ axes.T
    resampled = decoder.weights_resampled @ axes.T
    low, high = percentiles(angle(resampled, stimulus)[None], decoder.n_train)[:, 0]
    return Estimate(float(angle(block, stimulus)), float(low), float(high), decoder.n_train)


@dataclasses.dataclass(frozen=True, eq=False)
class Plane:
    """The plane of the first two principal components, with the two readouts in it.

    Attributes
    ----------
    mean : ndarray (N,)
        Mean state, the origin of the plane.
    axes : ndarray (2, N)
        The two components.
    stimulus : ndarray (2,)
        Stimulus readout in the plane, of unit length, right positive.
    block : ndarray (2,)
        Block readout in the plane, of unit length, right positive.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    stimulus: NDArray[np.float64]
    block: NDArray[np.float64]

    def project(self, states: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores (..., 2) of states (..., N) on the two components."""
        return (last_axis(states, "states", len(self.mean)) - self.mean) @ self.axes.T

    def align(self, states: NDArray[np.float64]) -> NDArray[np.float64]:
        """Projections (..., 2) of states (..., N) on the two readouts: (ŝ·y, b̂·y) of scores y."""
        readouts = np.stack([self.stimulus, self.block])
        return self.project(states) @ readouts.T

    def lift(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """States (..., N) in the plane that have the scores (..., 2)."""
        return self.mean + last_axis(scores, "scores", len(self.axes)) @ self.axes


def task_plane(net: Network, components: Pca, decoder: Decoder) -> Plane:
    """Plane of the first two principal components with the readouts of side and block.

    Parameters
    ----------
    net : Network
        Whose stimulus readout is shown.
    components : Pca
        Principal components of its states.
    decoder : Decoder
        Block decoder fitted in the plane: ``block_decoder(run, axes=components.axes[:2])``.

    Returns
    -------
    Plane
        The plane, with unit readouts.

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
    stimulus = stimulus_readout(net)
    _check_decoder(decoder, net.n_hidden)
    axes = instance(components, "components", Pca).axes[:2]
    if axes.shape[1] != net.n_hidden:
        raise ValueError(
            f"components must be of {net.n_hidden} units, as net is, got {axes.shape[1]}"
        )
    stimulus = axes @ stimulus
    block = axes @ decoder.weights
    stimulus = stimulus / np.linalg.norm(stimulus)
    block = block / np.linalg.norm(block)
    return Plane(components.mean, axes, stimulus, block)
