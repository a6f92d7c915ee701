"""Bayesian agents: actors that choose for themselves, and observers that watch somebody else.

Everywhere the prior is P(side = right | past). Formulas and names are those of docs/theory.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn import _core
from hrnn.base.arguments import one_of, real_array, real_number
from hrnn.base.parallel import look
from hrnn.base.progress import bar
from hrnn.base.records import Record, fixed
from hrnn.rollout import Growing, Rollout
from hrnn.task import Sessions, Task

Exact = Literal["semi_markov", "markov", "none", "oracle", "exponential"]
ActorModel = Exact | Literal["published_actor"]
ObserverModel = Exact | Literal["published_observer"]
Evidence = Literal["both", "difference"]
BLOCK_MODELS: tuple[str, ...] = _core.BLOCK_MODELS
EVIDENCE: tuple[str, ...] = _core.EVIDENCE
ASSUMABLE: tuple[str, ...] = (
    "threshold",
    "strengths",
    "strength_weights",
    "p_block",
    "block_law",
    "block_hazard",
    "block_min",
    "block_max",
    "noise_sd",
)
TRIALS_PER_CALL: int = 50_000  # bounds the time of one call into C
LENGTH: int = (
    100  # of the longest block, for which that is so; a trial takes as long as there are lengths
)


class BelieverForm(NamedTuple):
    """A believer as the C core takes it: `believer_fields` in csrc/binding/py.c.

    Attributes
    ----------
    block_model : int
        Place of the model in `BLOCK_MODELS`.
    evidence : int
        Place of what is used of the observations in `EVIDENCE`.
    block_hazard : (block_max + 1,) ndarray of float64
        Hazard of the law of block lengths after 0..block_max trials.
    constant_hazard : float
        Hazard of the models that do not count trials, per trial.
    learning_rate : float
        Step of 'exponential' towards the last side.
    log_weights : (K,) ndarray of float64
        Logarithms of the probabilities of the strengths.
    """

    block_model: int
    evidence: int
    block_hazard: NDArray[np.float64]
    constant_hazard: float
    learning_rate: float
    log_weights: NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Believer:
    """What a Bayesian agent believes.

    Attributes
    ----------
    block_model : str
        One of `BLOCK_MODELS`: how the agent infers the prior of a trial.
    evidence : str
        One of `EVIDENCE`: what it uses of the two observations.
    hazard : float
        Probability per trial that the block changes, for models that do not count trials.
    learning_rate : float
        Step of 'exponential' towards the last side.
    assumed : tuple of (str, object)
        Names and values of the task's numbers that the agent believes to be others than they are.
    """

    block_model: str
    evidence: str = "both"
    hazard: float = 0.02
    learning_rate: float = 0.1
    assumed: tuple[tuple[str, Any], ...] = ()

    def task(self, task: Task) -> Task:
        """Return the task as this agent believes it to be."""
        if not self.assumed:
            return task
        return task.replace(**dict(self.assumed))

    def form(self, task: Task) -> BelieverForm:
        """Return what the C core takes; `task` is the believed one."""
        evidence = "difference" if self.block_model == "published_actor" else self.evidence
        with np.errstate(divide="ignore"):
            log_weights = np.log(task.form.strength_weights)
        return BelieverForm(
            block_model=BLOCK_MODELS.index(self.block_model),
            evidence=EVIDENCE.index(evidence),
            block_hazard=task._block_law[1],
            constant_hazard=self.hazard,
            learning_rate=self.learning_rate,
            log_weights=fixed(log_weights, "log_weights", float, (None,)),
        )


def believer(
    block_model: str,
    allowed: Container[str],
    evidence: str,
    hazard: float,
    learning_rate: float,
    assumed: Mapping[str, Any],
) -> Believer:
    """Check the arguments that all Bayesian agents share, and make a Believer of them.

    Parameters
    ----------
    block_model : str
        How the agent infers the prior of a trial.
    allowed : tuple of str
        The block models that this agent can have.
    evidence : {'both', 'difference'}
        What it uses of the two observations.
    hazard : float
        Probability per trial that the block changes, in [0, 1].
    learning_rate : float
        Step of 'exponential' towards the last side, in [0, 1].
    assumed : mapping of str to object
        Numbers of the task as the agent believes them, by name.

    Returns
    -------
    Believer
        Of these arguments.
    """
    for name in assumed:
        if name not in ASSUMABLE:
            raise TypeError(
                f"unexpected argument {name!r}; what an agent can assume is {ASSUMABLE}"
            )
    checked = Task(**assumed)
    return Believer(
        one_of(block_model, "block_model", allowed),
        one_of(evidence, "evidence", EVIDENCE),
        real_number(hazard, "hazard", 0, 1, "[]"),
        real_number(learning_rate, "learning_rate", 0, 1, "[]"),
        tuple((name, getattr(checked, name)) for name in sorted(assumed)),
    )


class BayesianActor:
    """An agent that infers block and side, and acts when its posterior passes the threshold.

    Parameters
    ----------
    block_model : {'semi_markov', 'markov', 'none', 'oracle', 'exponential', 'published_actor'}
        How the agent infers the prior of a trial. 'semi_markov' is exact. 'published_actor' is the
        inconsistent model of the code published with Schaeffer et al. (2020): its prior is the
        block belief itself, and it re-draws the strength at every observation; it always uses the
        difference and a hazard of `hazard`.
    evidence : {'both', 'difference'}, optional
        Whether the two observations are used, or only their difference. The strength is unknown and
        fixed within a trial, so their sum is informative and only 'both' is exact.
    hazard : float, optional
        Probability per trial that the block changes, as 'markov' and 'published_actor' believe.
    learning_rate : float, optional
        Fraction of the way to the last side that the prior of 'exponential' goes after each trial.
    **assumed
        Numbers of the task as the agent believes them (threshold, strengths, block_law, ...); by
        default those of the sessions it acts in.

    Attributes
    ----------
    believer : Believer
        What the agent believes, from these arguments.

    Examples
    --------
    >>> import hrnn
    >>> sessions = hrnn.Task().sample(n_sessions=10, rng=0)
    >>> run = hrnn.rollout(hrnn.BayesianActor("semi_markov"), sessions)
    >>> bool(run.trials.correct.mean() > 0.7)
    True
    """

    believer: Believer

    def __init__(
        self,
        block_model: ActorModel = "semi_markov",
        *,
        evidence: Evidence = "both",
        hazard: float = 0.02,
        learning_rate: float = 0.1,
        **assumed: Any,
    ) -> None:
        allowed = tuple(model for model in BLOCK_MODELS if model != "published_observer")
        self.believer = believer(block_model, allowed, evidence, hazard, learning_rate, assumed)

    def __repr__(self) -> str:
        own = self.believer
        return f"BayesianActor({own.block_model!r}, evidence={own.evidence!r})"

    def _rollout(self, sessions: Sessions, progress: bool) -> Rollout:
        return act(self, self.believer, None, sessions, progress)


def act(
    agent: object,
    believed: Believer,
    policy: tuple[Any, ...] | None,
    sessions: Sessions,
    progress: bool,
) -> Rollout:
    """Run a Bayesian agent in closed loop.

    Parameters
    ----------
    agent : object
        The agent, kept in the result.
    believed : Believer
        What it believes.
    policy : tuple or None
        When it acts: a solved policy as `inference_actor` of the core takes it, or None for the
        threshold.
    sessions : Sessions
        In which it acts.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Rollout
        What the agent did and believed.
    """
    task = sessions.task
    own = believed.task(task)
    if own.n_obs_max != task.n_obs_max or own.n_blank != task.n_blank:
        raise ValueError("an agent cannot assume other steps than the task has")
    form = believed.form(own)
    state, scratch = _room(own)
    n = sessions.n_trials
    choice = np.empty(n, np.int8)
    n_obs = np.empty(n, np.int64)
    prior = np.empty(n)
    p_right = Growing()
    steps_per_trial = task.n_blank + task.n_obs_max
    with bar(progress, n, unit="trial") as shown:
        for first, last in _parts(n, own):
            p_right.n += _core.inference_actor(
                own.form,
                form,
                task.form,
                sessions.form,
                policy,
                first,
                last,
                state,
                choice,
                n_obs,
                prior,
                p_right.room((last - first) * steps_per_trial),
                scratch,
            )
            shown.update(last - first)
    return Rollout(agent, sessions, choice, n_obs, p_right.done(), prior=prior)


def _room(task: Task) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the core keeps from trial to trial, and its scratch."""
    n_state, n_scratch = _core.inference_sizes(task.form)
    return np.empty(n_state), np.empty(n_scratch)


def _parts(n_trials: int, task: Task) -> Iterator[tuple[int, int]]:
    """First trial, and that after the last, of each call into C."""
    n_each = max(TRIALS_PER_CALL * LENGTH // max(task.block_max, LENGTH), 1)
    for first in range(0, n_trials, n_each):
        look()
        yield first, min(first + n_each, n_trials)


@dataclasses.dataclass(frozen=True, eq=False)
class Observation(Record):
    """What a passive Bayesian observer believed while it watched a rollout (R trials, T steps).

    Attributes
    ----------
    prior : (R,) ndarray of float64
        P(side = right | past) before each trial.
    block : (R,) ndarray of float64
        P(block = right | past) before each trial; NaN for 'exponential'.
    p_right : (T,) ndarray of float64
        P(side = right | past, observations so far) at each step.
    p_block : (T,) ndarray of float64
        P(block = right | past, observations so far) at each step.
    """

    prior: NDArray[np.float64]
    block: NDArray[np.float64]
    p_right: NDArray[np.float64]
    p_block: NDArray[np.float64]

    def __post_init__(self) -> None:
        for names in (("prior", "block"), ("p_right", "p_block")):
            n = np.shape(getattr(self, names[0]))[:1] or (None,)
            for name in names:
                values = fixed(getattr(self, name), name, float, n)
                object.__setattr__(self, name, values)


def observe(
    run: Rollout,
    *,
    block_model: ObserverModel = "semi_markov",
    evidence: Evidence = "both",
    hazard: float = 0.02,
    learning_rate: float = 0.1,
    **assumed: Any,
) -> Observation:
    """Infer the posteriors of a passive observer that sees what the agent of a rollout saw and did.

    Feedback reveals the side where there was a choice; after a timeout the side stays unknown and
    the block posterior is weighted by the likelihood of the observations.

    Parameters
    ----------
    run : Rollout
        What the observer watches.
    block_model : {'semi_markov', 'markov', 'none', 'oracle', 'exponential', 'published_observer'}
        How the observer infers the prior of a trial; 'semi_markov' is exact.
    evidence : {'both', 'difference'}, optional
        Whether the two observations are used, or only their difference.
    hazard : float, optional
        Probability per trial that the block changes, as 'markov' and 'published_observer' believe.
    learning_rate : float, optional
        Fraction of the way to the last side that the prior of 'exponential' goes after each trial.
    **assumed
        Numbers of the task as the observer believes them, as for `BayesianActor`.

    Returns
    -------
    Observation
        Its beliefs before each trial and at each step.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor("none"), hrnn.Task().sample(n_sessions=2, rng=0))
    >>> hrnn.observe(run).prior[0].item()
    0.5
    """
    if not isinstance(run, Rollout):
        raise TypeError(f"run must be a Rollout, got {type(run).__name__}")
    allowed = tuple(model for model in BLOCK_MODELS if model != "published_actor")
    believed = believer(block_model, allowed, evidence, hazard, learning_rate, assumed)
    task = believed.task(run.sessions.task)
    form = believed.form(task)
    state, scratch = _room(task)
    n = run.sessions.n_trials
    prior, block = np.empty((2, n))
    p_right, p_block = np.empty((2, len(run.p_right)))
    ends = np.concatenate([[0], run.last_step + 1])
    for first, last in _parts(n, task):
        steps = slice(ends[first], ends[last])
        _core.inference_observer(
            task.form,
            form,
            run.sessions.form,
            first,
            last,
            run.choice,
            run.n_obs,
            state,
            prior,
            block,
            p_right[steps],
            p_block[steps],
            scratch,
        )
    return Observation(prior, block, p_right, p_block)


def filter_sides(
    side: ArrayLike,
    session: ArrayLike,
    block_side: ArrayLike,
    *,
    task: Task,
    block_model: ActorModel | ObserverModel = "semi_markov",
    log_likelihood: ArrayLike | None = None,
    hazard: float = 0.02,
    learning_rate: float = 0.1,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Infer the prior of each trial with a filter that is told the side of every trial.

    Parameters
    ----------
    side : (R,) array_like of int
        Side of each trial: -1 left, +1 right; 0 where it stayed unknown.
    session : (R,) array_like of int
        Session of each trial; the filter starts afresh where it changes.
    block_side : (R,) array_like of int
        Side of the block, and 0 in unbiased trials (prior 1/2); its sign matters only to 'oracle'.
    task : Task
        The task as the filter believes it.
    block_model : str, optional
        How the prior is inferred: one of those of `BayesianActor` and `observe`.
    log_likelihood : (R, 2) array_like, optional
        Log likelihood of what was seen in each trial if its side is left, and if it is right; it
        counts where the side stayed unknown. Flat by default.
    hazard : float, optional
        Probability per trial that the block changes, for models that do not count trials.
    learning_rate : float, optional
        Fraction of the way to the last side that the prior of 'exponential' goes after each trial.

    Returns
    -------
    prior : (R,) ndarray
        P(side = right | past) before each trial.
    block : (R,) ndarray
        P(block = right | past) before each trial; NaN for 'exponential'.

    Raises
    ------
    TypeError
        If an array does not hold numbers, or `task` is no Task.
    ValueError
        If the arrays do not fit each other, or the sides are impossible under the task.
    """
    if not isinstance(task, Task):
        raise TypeError(f"task must be a Task, got {type(task).__name__}")
    sides = _whole(side, "side", -1, 1).astype(np.int8)
    block_sides = _whole(block_side, "block_side", -1, 1).astype(np.int8)
    sessions = _whole(session, "session", -(2**53), 2**53).astype(np.int64)
    believed = believer(block_model, BLOCK_MODELS, "both", hazard, learning_rate, {})
    n = len(sides)
    _same_length("session", sessions, n)
    _same_length("block_side", block_sides, n)
    seen = np.zeros((n, 2))
    if log_likelihood is not None:
        seen = real_array(log_likelihood, "log_likelihood", (2,))
    form = believed.form(task)
    state, _ = _room(task)
    prior, block = np.empty((2, n))
    for first, last in _parts(n, task):
        _core.inference_filter(
            task.form, form, first, last, sessions, block_sides, sides, seen, state, prior, block
        )
    bad = np.flatnonzero(np.isnan(prior))
    if bad.size:
        raise ValueError(
            f"side[{bad[0] - 1}] is impossible under this task: "
            "a block of the other side cannot have begun"
        )
    return prior, block


def _whole(values: ArrayLike, name: str, low: int, high: int) -> NDArray[np.float64]:
    """An array of whole numbers in low..high."""
    array = real_array(values, name, (1,))
    broken = array != np.round(array)
    outside = (array < low) | (array > high)
    bad = np.flatnonzero(broken | outside)
    if bad.size:
        raise ValueError(
            f"{name} must hold whole numbers in {low}..{high}, "
            f"but {name}[{bad[0]}] is {array[bad[0]]:g}"
        )
    return array


def _same_length(name: str, array: NDArray[Any], n: int) -> None:
    """Refuse an array that has not one entry for each of n sides."""
    if len(array) != n:
        raise ValueError(f"{name} must have one entry per trial of side ({n}), got {len(array)}")


def accuracy_bound(sessions: Sessions, *, evidence: Evidence = "both") -> NDArray[np.bool_]:
    """Tell whether the exact posterior after all observations of each trial is right.

    Its mean is the highest accuracy that any agent can reach on these sessions (up to chance).

    Parameters
    ----------
    sessions : Sessions
        The trials.
    evidence : {'both', 'difference'}, optional
        Whether the two observations are used, or only their difference.

    Returns
    -------
    (R,) ndarray of bool
        True where the more probable side after `n_obs_max` observations is the stimulus side.
    """
    if not isinstance(sessions, Sessions):
        raise TypeError(f"sessions must be Sessions, got {type(sessions).__name__}")
    task = sessions.task
    prior, _ = filter_sides(sessions.side, sessions.session, sessions.block_side, task=task)
    believed = Believer("none", one_of(evidence, "evidence", EVIDENCE))
    _, scratch = _room(task)
    log_likelihood = np.empty((sessions.n_trials, 2))
    _core.inference_evidence(
        task.form,
        believed.form(task),
        np.full(sessions.n_trials, task.n_obs_max, np.int64),
        sessions.observations.sum(1),
        log_likelihood,
        scratch,
    )
    left, right = log_likelihood.T
    with np.errstate(divide="ignore"):
        log_odds = np.log(prior) - np.log1p(-prior) + right - left
    return np.where(log_odds > 0, 1, -1) == sessions.side
