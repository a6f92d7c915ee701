"""Bayesian agents: actors that choose for themselves, and observers that watch somebody else.

Everywhere the prior is P(side = right | past). Formulas and names are those of docs/theory.md.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from hrnn import _core
from hrnn.base.arguments import one_of, real_array, real_number
from hrnn.base.progress import bar
from hrnn.rollout import Growing, Rollout
from hrnn.task import Sessions, Task

BLOCK_MODELS = _core.BLOCK_MODELS
EVIDENCE = _core.EVIDENCE
ASSUMABLE = (
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
TRIALS_PER_CALL = 50_000


class BelieverForm(NamedTuple):
    """A believer as the C core takes it: `believer_fields` in csrc/binding/py.c."""

    block_model: int  # place in BLOCK_MODELS
    evidence: int  # place in EVIDENCE
    block_hazard: np.ndarray  # of the length law, at 0..block_max trials
    constant_hazard: float
    learning_rate: float
    log_weights: np.ndarray


@dataclasses.dataclass(frozen=True)
class Believer:
    """What a Bayesian agent believes.

    `assumed` holds task numbers that differ from the sessions'.
    """

    block_model: str
    evidence: str = "both"
    hazard: float = 0.02
    learning_rate: float = 0.1
    assumed: tuple = ()

    def task(self, task):
        """The task as this agent believes it to be."""
        return task.replace(**dict(self.assumed)) if self.assumed else task

    def form(self, task: Task) -> BelieverForm:
        """What the C core takes; `task` is the believed one."""
        evidence = "difference" if self.block_model == "published_actor" else self.evidence
        with np.errstate(divide="ignore"):
            log_weights = np.log(task.form.strength_weights)
        return BelieverForm(
            block_model=BLOCK_MODELS.index(self.block_model),
            evidence=EVIDENCE.index(evidence),
            block_hazard=task._block_law[1],
            constant_hazard=self.hazard,
            learning_rate=self.learning_rate,
            log_weights=log_weights,
        )


def believer(block_model, allowed, evidence, hazard, learning_rate, assumed):
    """Check the arguments that all Bayesian agents share."""
    for name in assumed:
        if name not in ASSUMABLE:
            raise TypeError(
                f"unexpected argument {name!r}; what an agent can assume is {ASSUMABLE}"
            )
    Task(**assumed)
    return Believer(
        one_of(block_model, "block_model", allowed),
        one_of(evidence, "evidence", EVIDENCE),
        real_number(hazard, "hazard", 0, 1, "[]"),
        real_number(learning_rate, "learning_rate", 0, 1, "[]"),
        tuple(sorted(assumed.items())),
    )


class BayesianActor:
    """An agent that infers block and side, and acts when its posterior passes the threshold.

    Parameters
    ----------
    block_model : {'semi_markov', 'markov', 'none', 'oracle', 'exponential', 'published_actor'}
        'semi_markov' is exact. 'published_actor' is the inconsistent model of the code published
        with Schaeffer et al. (2020): its prior is the block belief itself, and it re-draws the
        strength at every observation; it always uses the difference and a hazard of `hazard`.
    evidence : {'both', 'difference'}
        Whether the two observations are used, or only their difference. The strength is unknown and
        fixed within a trial, so their sum is informative and only 'both' is exact.
    hazard : float, per trial
        Of 'markov' and 'published_actor'.
    learning_rate : float
        Of 'exponential'.
    **assumed
        Numbers of the task as the agent believes them (threshold, strengths, block_law, ...); by
        default those of the sessions it acts in.

    Examples
    --------
    >>> import hrnn
    >>> sessions = hrnn.Task().sample(n_sessions=10, rng=0)
    >>> run = hrnn.rollout(hrnn.BayesianActor("semi_markov"), sessions)
    >>> bool(run.trials.correct.mean() > 0.7)
    True
    """

    def __init__(
        self,
        block_model="semi_markov",
        *,
        evidence="both",
        hazard=0.02,
        learning_rate=0.1,
        **assumed,
    ):
        self.believer = believer(
            block_model, BLOCK_MODELS[:-1], evidence, hazard, learning_rate, assumed
        )

    def __repr__(self):
        return f"BayesianActor({self.believer.block_model!r}, evidence={self.believer.evidence!r})"

    def _rollout(self, sessions, progress):
        return act(self, self.believer, None, sessions, progress)


def act(agent, believed, policy, sessions, progress):
    """Closed loop of a Bayesian agent.

    Policy is None (threshold) or what `inference_actor` takes.
    """
    own = believed.task(sessions.task)
    task = sessions.task
    if own.n_obs_max != task.n_obs_max or own.n_blank != task.n_blank:
        raise ValueError("an agent cannot assume other steps than the task has")
    n_state, n_scratch = _core.inference_sizes(own.form)
    state = np.empty(n_state)
    scratch = np.empty(n_scratch)
    n = sessions.n_trials
    choice = np.empty(n, np.int8)
    n_obs = np.empty(n, np.int64)
    prior = np.empty(n)
    p_right = Growing()
    form = believed.form(own)
    with bar(progress, n, unit="trial") as shown:
        for first in range(0, n, TRIALS_PER_CALL):
            last = min(first + TRIALS_PER_CALL, n)
            room = p_right.room((last - first) * (task.n_blank + task.n_obs_max))
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
                room,
                scratch,
            )
            shown.update(last - first)
    return Rollout(agent, sessions, choice, n_obs, p_right.done(), prior=prior)


@dataclasses.dataclass(frozen=True, eq=False)
class Observation:
    """What a passive Bayesian observer believed while it watched a rollout.

    Attributes
    ----------
    prior : (R,) P(side = right | past) before each trial
    block : (R,) P(block = right | past) before each trial; NaN for 'exponential'
    p_right : (T,) P(side = right | past, observations so far) at each step
    p_block : (T,) P(block = right | past, observations so far) at each step
    """

    prior: np.ndarray
    block: np.ndarray
    p_right: np.ndarray
    p_block: np.ndarray


def observe(
    run, *, block_model="semi_markov", evidence="both", hazard=0.02, learning_rate=0.1, **assumed
):
    """Posteriors of a passive observer that sees what the agent of a rollout saw and did.

    Feedback reveals the side where there was a choice; after a timeout the side stays unknown and
    the block posterior is weighted by the likelihood of the observations.

    Parameters
    ----------
    run : Rollout
    block_model : {'semi_markov', 'markov', 'none', 'oracle', 'exponential', 'published_observer'}
    evidence, hazard, learning_rate, **assumed
        As for `BayesianActor`.

    Returns
    -------
    Observation

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor("none"), hrnn.Task().sample(n_sessions=2, rng=0))
    >>> hrnn.observe(run).prior[0].item()
    0.5
    """
    if not isinstance(run, Rollout):
        raise TypeError(f"run must be a Rollout, got {type(run).__name__}")
    allowed = tuple(m for m in BLOCK_MODELS if m != "published_actor")
    believed = believer(block_model, allowed, evidence, hazard, learning_rate, assumed)
    task = believed.task(run.sessions.task)
    n_state, n_scratch = _core.inference_sizes(task.form)
    state = np.empty(n_state)
    scratch = np.empty(n_scratch)
    n = run.sessions.n_trials
    form = believed.form(task)
    prior, block = np.empty((2, n))
    p_right, p_block = np.empty((2, len(run.p_right)))
    ends = np.concatenate([[0], run.last_step + 1])
    for first in range(0, n, TRIALS_PER_CALL):
        last = min(first + TRIALS_PER_CALL, n)
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


def _whole(values, name, low, high):
    """An array of whole numbers in low..high."""
    array = real_array(values, name, (1,))
    bad = np.flatnonzero((array != np.round(array)) | (array < low) | (array > high))
    if bad.size:
        raise ValueError(
            f"{name} must hold whole numbers in {low}..{high}, but {name}[{bad[0]}] is {array[bad[0]]:g}"
        )
    return array


def filter_sides(
    side,
    session,
    block_side,
    *,
    task,
    block_model="semi_markov",
    log_likelihood=None,
    hazard=0.02,
    learning_rate=0.1,
):
    """Prior of a filter that is told the side of every trial: (prior (R,), block (R,)).

    Parameters
    ----------
    side : (R,) int in {-1, 0, 1}
        0 where it stayed unknown: then log_likelihood (R, 2) of left and right counts, flat if
        None.
    session : (R,) int
        The filter starts afresh where it changes.
    block_side : (R,) int
        0 in unbiased trials (prior 1/2); its sign matters only to 'oracle'.
    task : Task
    """
    if not isinstance(task, Task):
        raise TypeError(f"task must be a Task, got {type(task).__name__}")
    side, block_side = (
        _whole(values, name, -1, 1).astype(np.int8)
        for values, name in ((side, "side"), (block_side, "block_side"))
    )
    session = _whole(session, "session", -(2**53), 2**53).astype(np.int64)
    believed = believer(block_model, BLOCK_MODELS, "both", hazard, learning_rate, {})
    n = len(side)
    for name, array in (("session", session), ("block_side", block_side)):
        if len(array) != n:
            raise ValueError(
                f"{name} must have one entry per trial of side ({n}), got {len(array)}"
            )
    flat = (
        np.zeros((n, 2))
        if log_likelihood is None
        else real_array(log_likelihood, "log_likelihood", (2,))
    )
    state = np.empty(_core.inference_sizes(task.form)[0])
    (prior, block) = np.empty((2, n))
    form = believed.form(task)
    for first in range(0, n, 4 * TRIALS_PER_CALL):
        _core.inference_filter(
            task.form,
            form,
            first,
            min(first + 4 * TRIALS_PER_CALL, n),
            session,
            block_side,
            side,
            flat,
            state,
            prior,
            block,
        )
    bad = np.flatnonzero(np.isnan(prior))
    if bad.size:
        raise ValueError(
            f"side[{bad[0] - 1}] is impossible under this task: a block of the other side cannot have begun"
        )
    return prior, block


def accuracy_bound(sessions, *, evidence="both"):
    """Whether the exact posterior after all n_obs_max observations is right, (R,) bool.

    Its mean is the highest accuracy that any agent can reach on these sessions (up to chance).
    """
    if not isinstance(sessions, Sessions):
        raise TypeError(f"sessions must be Sessions, got {type(sessions).__name__}")
    task = sessions.task
    prior, _ = filter_sides(sessions.side, sessions.session, sessions.block_side, task=task)
    log_likelihood = np.empty((sessions.n_trials, 2))
    _core.inference_evidence(
        task.form,
        Believer("none", one_of(evidence, "evidence", EVIDENCE)).form(task),
        np.full(sessions.n_trials, task.n_obs_max, np.int64),
        sessions.observations.sum(1),
        log_likelihood,
        np.empty(_core.inference_sizes(task.form)[1]),
    )
    with np.errstate(divide="ignore"):
        log_odds = np.log(prior) - np.log1p(-prior) + log_likelihood[:, 1] - log_likelihood[:, 0]
    return np.where(log_odds > 0, 1, -1) == sessions.side
