"""The decision task: every number of it, and whole sessions sampled from it.

The random content of a session does not depend on what an agent does. Sessions are therefore
sampled once, as data, and given to every agent, so that comparisons are paired.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np

from hrnn import _core
from hrnn.base import streams
from hrnn.base.arguments import (
    instance,
    one_of,
    real_array,
    real_number,
    refuse_size,
    whole_number,
)
from hrnn.base.records import Record, fixed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from hrnn.base.typing import RNGLike, Seed

BlockLaw = Literal["geometric", "exponential"]
BLOCK_LAWS: tuple[str, ...] = _core.BLOCK_LAWS
IBL_CONTRASTS: tuple[float, ...] = (0.0, 0.0625, 0.125, 0.25, 1.0)
TRIALS_PER_CALL: int = 50_000  # bounds the time of one call into C
# of strengths, noise and penalties: sums, squares and likelihoods of them stay finite
LARGEST: float = 1e6


class TaskForm(NamedTuple):
    """A task as the C core takes it: `task_fields` in csrc/binding/py.c, in the same order.

    Attributes
    ----------
    strengths : (K,) ndarray of float64
        Means of an observation on the stimulus side.
    strength_weights : (K,) ndarray of float64
        Probabilities of the strengths; they sum to 1.
    p_block : float
        P(stimulus side = side of the block).
    block_law : int
        Place of the law of block lengths in `BLOCK_LAWS`.
    block_hazard : float
        Parameter of that law, per trial.
    block_min : int
        Length of the shortest block, in trials.
    block_max : int
        Length of the longest block, in trials.
    n_unbiased : int
        Trials before the first block of a session.
    n_blank : int
        Steps without stimulus at the start of a trial.
    n_obs_max : int
        Most observations in a trial.
    threshold : float
        An agent acts when max(p, 1 - p) exceeds it.
    wait_penalty : float
        Feedback of an observation step without action.
    noise_sd : float
        Standard deviation of an observation.
    """

    strengths: NDArray[np.float64]
    strength_weights: NDArray[np.float64]
    p_block: float
    block_law: int
    block_hazard: float
    block_min: int
    block_max: int
    n_unbiased: int
    n_blank: int
    n_obs_max: int
    threshold: float
    wait_penalty: float
    noise_sd: float


class SessionsForm(NamedTuple):
    """Sessions as the C core takes them: `sessions_fields` in csrc/binding/py.c.

    Attributes
    ----------
    session : (R,) ndarray of int64
        Session of each trial.
    block_side : (R,) ndarray of int8
        Side of the block of each trial: -1 left, +1 right, 0 in unbiased trials.
    side : (R,) ndarray of int8
        Side of the stimulus of each trial: -1 left, +1 right.
    observations : (R, n_obs_max, 2) ndarray of float64
        What is seen at each observation step, left and right.
    """

    session: NDArray[np.int64]
    block_side: NDArray[np.int8]
    side: NDArray[np.int8]
    observations: NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task(Record):
    """Every number of the task. The defaults are the task of Schaeffer et al. (NeurIPS 2020).

    Parameters
    ----------
    strengths : sequence of float
        Mean of an observation on the stimulus side, in the units of the observations; one of them
        is drawn for each trial. Kept as a tuple.
    strength_weights : sequence of float, optional
        Relative frequency of each strength; equal by default. Kept as a tuple.
    p_block : float
        P(stimulus side = side of the block), in [0.5, 1].
    block_law : {'geometric', 'exponential'}
        Law of the block length L: P(L = n) is proportional to (1 - block_hazard)^n or to
        exp(-block_hazard n), for n in block_min..block_max, both included.
    block_hazard : float
        Parameter of that law, per trial, in (0, 1).
    block_min : int
        Length of the shortest block, in trials.
    block_max : int
        Length of the longest block, in trials.
    n_unbiased : int
        Number of trials with P(right) = 1/2 before the first block of a session.
    n_blocks : int
        Blocks per session, the unbiased start not counted.
    n_blank : int
        Steps without stimulus before the observations of a trial.
    n_obs_max : int
        Most observations in a trial; each takes one step.
    threshold : float
        An agent acts when max(p, 1 - p) exceeds it, p being its P(right); in [0.5, 1).
    wait_penalty : float
        Feedback of an observation step without action.
    noise_sd : float
        Standard deviation of an observation, in the units of the observations.

    Raises
    ------
    TypeError
        If a field is of the wrong type; the message names it, what it was and what it must be.
    ValueError
        If a field is out of range; the message says the same.

    Examples
    --------
    >>> import hrnn
    >>> task = hrnn.Task(threshold=0.8)
    >>> sessions = task.sample(n_blocks=8, rng=0)
    >>> sessions.n_sessions
    2
    """

    strengths: Sequence[float] = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)
    strength_weights: Sequence[float] | None = None
    p_block: float = 0.8
    block_law: BlockLaw = "geometric"
    block_hazard: float = 1 / 50
    block_min: int = 20
    block_max: int = 100
    n_unbiased: int = 0
    n_blocks: int = 4
    n_blank: int = 2
    n_obs_max: int = 10
    threshold: float = 0.9
    wait_penalty: float = -0.05
    noise_sd: float = 1.0

    def __post_init__(self) -> None:
        put = functools.partial(object.__setattr__, self)
        put("strengths", _numbers("strengths", self.strengths))
        if self.strength_weights is not None:
            put("strength_weights", _weights(self.strength_weights, len(self.strengths)))
        one_of(self.block_law, "block_law", BLOCK_LAWS)
        for name, low, high, closed in _REALS:
            put(name, real_number(getattr(self, name), name, low, high, closed))
        for name, least, most in _COUNTS:
            count = whole_number(getattr(self, name), name, least)
            put(name, count)
            if count > most:
                raise ValueError(f"{name} must be <= {most}, got {count}")
        if self.block_max < self.block_min:
            raise ValueError(
                f"block_max must be >= block_min = {self.block_min}, got {self.block_max}"
            )

    @classmethod
    def preset(
        cls,
        name: Literal["paper", "ibl"],
        *,
        contrast_gain: float = 2.5,
        contrasts: Literal["uniform", "skew_zero"] = "uniform",
    ) -> Self:
        """Make the task of a publication: 'paper' (Schaeffer et al.) or 'ibl' (the IBL's rig).

        Parameters
        ----------
        name : {'paper', 'ibl'}
            Which task.
        contrast_gain : float, optional
            Strength of contrast 1, in the units of the observations; only for 'ibl'.
        contrasts : {'uniform', 'skew_zero'}, optional
            Whether contrast 0 is as frequent as the others, or half as frequent; only for 'ibl'.

        Returns
        -------
        Task
            With the numbers of that publication.

        Examples
        --------
        >>> import hrnn
        >>> hrnn.Task.preset("ibl").n_unbiased
        90
        """
        one_of(contrasts, "contrasts", ("uniform", "skew_zero"))
        gain = real_number(contrast_gain, "contrast_gain", 0, LARGEST, "]")
        if one_of(name, "name", ("paper", "ibl")) == "paper":
            return cls()
        return cls(
            strengths=tuple(gain * contrast for contrast in IBL_CONTRASTS),
            strength_weights=None if contrasts == "uniform" else (0.5, 1.0, 1.0, 1.0, 1.0),
            block_law="exponential",
            block_hazard=1 / 60,
            block_max=99,
            n_unbiased=90,
        )

    def replace(self, **changes: Any) -> Self:
        """Make the same task with some numbers changed.

        Parameters
        ----------
        **changes
            New values of fields, by name.

        Returns
        -------
        Task
            The new task; this one stays as it is.
        """
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain numbers, strings and lists, for JSON; `Task(**d)` reverses it.

        Returns
        -------
        dict
            Value of each field by its name.
        """
        fields = dataclasses.asdict(self)
        for name in ("strengths", "strength_weights"):
            if fields[name] is not None:
                fields[name] = list(fields[name])
        return fields

    @functools.cached_property
    def form(self) -> TaskForm:
        """What the C core takes."""
        weights = np.ones(len(self.strengths))
        if self.strength_weights is not None:
            weights = np.array(self.strength_weights)
        return TaskForm(
            strengths=fixed(self.strengths, "strengths", float, (None,)),
            strength_weights=fixed(weights / weights.sum(), "strength_weights", float, (None,)),
            p_block=self.p_block,
            block_law=BLOCK_LAWS.index(self.block_law),
            block_hazard=self.block_hazard,
            block_min=self.block_min,
            block_max=self.block_max,
            n_unbiased=self.n_unbiased,
            n_blank=self.n_blank,
            n_obs_max=self.n_obs_max,
            threshold=self.threshold,
            wait_penalty=self.wait_penalty,
            noise_sd=self.noise_sd,
        )

    @functools.cached_property
    def _block_law(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """P(L = n) and H(n), n = 0..block_max."""
        pmf, hazard = np.empty((2, self.block_max + 1))
        _core.task_block_law(self.form, pmf, hazard)
        return fixed(pmf, "pmf", float, (None,)), fixed(hazard, "hazard", float, (None,))

    def block_length_pmf(self) -> NDArray[np.float64]:
        """P(L = n) of the block length L, for n = 0..block_max.

        Returns
        -------
        (block_max + 1,) ndarray
            Probability of each length.
        """
        return self._block_law[0].copy()

    def block_length_hazard(self) -> NDArray[np.float64]:
        """H(n) = P(L = n) / P(L >= n) of the block length L, for n = 0..block_max.

        Returns
        -------
        (block_max + 1,) ndarray
            Probability that a block ends after trial n, if it has lasted so long.
        """
        return self._block_law[1].copy()

    def sample(
        self,
        *,
        n_sessions: int | None = None,
        n_blocks: int | None = None,
        rng: RNGLike | None = None,
    ) -> Sessions:
        """Sample sessions: what the world will do, whatever the agent does; others at every call.

        Parameters
        ----------
        n_sessions : int, optional
            Number of sessions, each of `self.n_blocks` blocks.
        n_blocks : int, optional
            Blocks in total, cut into sessions of `self.n_blocks`; the last takes the remainder.
            Exactly one of the two must be given.
        rng : int, SeedSequence, Generator or None, optional
            Seed or source of all random numbers; None means fresh ones. `seed` of the sessions says
            which it was.

        Returns
        -------
        Sessions
            The sampled trials.

        Examples
        --------
        >>> import hrnn
        >>> hrnn.Task().replace(n_blocks=3).sample(n_sessions=2, rng=1).block_lengths.shape
        (6,)
        """
        if (n_sessions is None) == (n_blocks is None):
            raise ValueError("exactly one of n_sessions and n_blocks must be given")
        if n_sessions is None:
            name = "n_blocks"
            asked = n_blocks
            total = whole_number(asked, name)
        else:
            name = "n_sessions"
            asked = n_sessions
            total = whole_number(asked, name) * self.n_blocks
        bytes_per_trial = 16 * self.n_obs_max + 42
        refuse_size(name, asked, total * self.block_max * bytes_per_trial)
        draw, seed = streams.recorded(rng)
        return dataclasses.replace(_sample(self, total, draw), seed=seed)


_REALS: tuple[tuple[str, float, float, str], ...] = (
    # lower end, upper end, the ends that are allowed
    ("p_block", 0.5, 1, "[]"),
    ("block_hazard", 0, 1, ""),
    ("threshold", 0.5, 1, "["),
    ("wait_penalty", -LARGEST, LARGEST, "[]"),
    ("noise_sd", 1 / LARGEST, LARGEST, "[]"),
)
_COUNTS: tuple[tuple[str, int, int], ...] = (
    # least, most
    ("block_min", 1, 10**6),
    ("block_max", 1, 10**6),
    ("n_unbiased", 0, 10**6),
    ("n_blocks", 1, 10**7),
    ("n_blank", 0, 10**4),
    ("n_obs_max", 1, 10**4),
)


def _numbers(name: str, values: ArrayLike) -> tuple[float, ...]:
    """A tuple of floats >= 0."""
    array = real_array(values, name, (1,))
    if (array < 0).any() or (array > LARGEST).any():
        raise ValueError(
            f"{name} must be in [0, {LARGEST:g}], got {array.min():g} to {array.max():g}"
        )
    return tuple(array.tolist())


def _weights(values: ArrayLike, n: int) -> tuple[float, ...]:
    """A tuple of n relative frequencies, not all of them 0."""
    weights = _numbers("strength_weights", values)
    if len(weights) != n or not 0 < sum(weights) < math.inf:
        raise ValueError(f"strength_weights must be {n} numbers >= 0, not all 0, got {weights}")
    return weights


_COPIED: tuple[str, ...] = (  # arrays of `Sessions` whose rows do not depend on other sessions
    "block",
    "block_side",
    "trial_in_block",
    "side",
    "strength",
    "observations",
)


@dataclasses.dataclass(frozen=True, eq=False)
class Sessions(Record):
    """What the world will do, flat over sessions (R trials in S sessions).

    All arrays are read-only.

    Attributes
    ----------
    task : Task
        The task that the sessions are of.
    session : (R,) ndarray of int64
        Session of each trial, counted from 0.
    block : (R,) ndarray of int64
        Block of each trial within its session, counted from 0; an unbiased start is block 0.
    block_side : (R,) ndarray of int8
        Side of the block: -1 left, +1 right, 0 in unbiased trials.
    trial_in_block : (R,) ndarray of int64
        Place of each trial in its block, counted from 0.
    side : (R,) ndarray of int8
        Side of the stimulus, -1 left or +1 right, also where its strength is 0.
    strength : (R,) ndarray of float64
        Mean of an observation on the stimulus side.
    observations : (R, n_obs_max, 2) ndarray of float64
        What is seen at each observation step, left and right, if the trial lasts so long.
    offsets : (S + 1,) ndarray of int64
        Trials of session s are offsets[s]..offsets[s + 1] - 1.
    seed : int, SeedSequence or None
        What they were sampled of, usable as `rng` of `Task.sample`; None if it is not known.
    """

    task: Task
    session: NDArray[np.int64]
    block: NDArray[np.int64]
    block_side: NDArray[np.int8]
    trial_in_block: NDArray[np.int64]
    side: NDArray[np.int8]
    strength: NDArray[np.float64]
    observations: NDArray[np.float64]
    offsets: NDArray[np.int64]
    seed: Seed = None

    def __post_init__(self) -> None:
        if not isinstance(self.task, Task):
            raise TypeError(f"task must be a Task, got {type(self.task).__name__}")
        n = np.size(self.side)
        for name, dtype, shape in (
            ("session", np.int64, (n,)),
            ("block", np.int64, (n,)),
            ("block_side", np.int8, (n,)),
            ("trial_in_block", np.int64, (n,)),
            ("side", np.int8, (n,)),
            ("strength", np.float64, (n,)),
            ("observations", np.float64, (n, self.task.n_obs_max, 2)),
            ("offsets", np.int64, (None,)),
        ):
            object.__setattr__(self, name, fixed(getattr(self, name), name, dtype, shape))
        lengths = np.diff(self.offsets, prepend=0, append=n)
        if lengths[0] != 0 or lengths[-1] != 0 or (lengths < 0).any():
            raise ValueError(f"offsets must increase from 0 to the number of trials, {n}")

    @classmethod
    def join(cls, several: Iterable[Sessions]) -> Self:
        """Put several Sessions of one task one after the other.

        Parameters
        ----------
        several : iterable of Sessions
            The parts, at least one, in their order.

        Returns
        -------
        Sessions
            All their trials, with the sessions numbered through from 0.
        """
        if not isinstance(several, Iterable) or isinstance(several, np.ndarray):
            raise TypeError(f"several must be Sessions in a list, got {type(several).__name__}")
        several = [instance(part, f"several[{i}]", Sessions) for i, part in enumerate(several)]
        if not several:
            raise ValueError("several must hold at least one Sessions, got none")
        task = several[0].task
        if any(part.task != task for part in several):
            raise ValueError("several must be of one task")
        session = []
        ends = []
        n_sessions = 0
        n_trials = 0
        for part in several:
            session.append(part.session + n_sessions)
            ends.append(part.offsets[1:] + n_trials)
            n_sessions += part.n_sessions
            n_trials += part.n_trials
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in several]) for name in _COPIED
        }
        return cls(
            task=task,
            session=np.concatenate(session),
            offsets=np.concatenate([[0], *ends]),
            **arrays,
        )

    def select(self, sessions: ArrayLike) -> Sessions:
        """Take only some of the sessions, and number them from 0.

        Parameters
        ----------
        sessions : (n,) array_like of int
            Which sessions, in the order they shall have: whole numbers from 0 to `n_sessions` - 1.

        Returns
        -------
        Sessions
            Their trials.

        Raises
        ------
        TypeError
            If `sessions` are not whole numbers; a mask is no list of numbers.
        ValueError
            If there are none, or one is not among the sessions.
        """
        chosen = self.numbers(sessions)
        offsets = self.offsets
        every = np.arange(self.n_trials)
        rows = np.concatenate([every[offsets[s] : offsets[s + 1]] for s in chosen])
        lengths = np.diff(offsets)[chosen]
        return Sessions(
            task=self.task,
            session=np.repeat(np.arange(len(chosen)), lengths),
            offsets=np.concatenate([[0], lengths.cumsum()]),
            **{name: getattr(self, name)[rows] for name in _COPIED},
        )

    def numbers(self, sessions: ArrayLike) -> NDArray[np.int64]:
        """Check numbers of sessions and return them, (n,) int64.

        Parameters
        ----------
        sessions : (n,) array_like of int
            Whole numbers from 0 to `n_sessions` - 1.
        """
        chosen = real_array(sessions, "sessions", (1,)).astype(np.int64)
        kind = np.asarray(sessions).dtype
        if kind.kind not in "iu":
            raise TypeError(
                f"sessions must be whole numbers, such as np.flatnonzero of a mask, got {kind}"
            )
        outside = chosen[(chosen < 0) | (chosen >= self.n_sessions)]
        if outside.size:
            raise ValueError(f"sessions must be in 0..{self.n_sessions - 1}, got {outside[0]}")
        return chosen

    @property
    def n_sessions(self) -> int:
        """Number of sessions, S."""
        return len(self.offsets) - 1

    @property
    def n_trials(self) -> int:
        """Number of trials, R."""
        return len(self.side)

    @functools.cached_property
    def block_lengths(self) -> NDArray[np.int64]:
        """Lengths of all biased blocks (number of blocks,), in trials."""
        before_next = np.flatnonzero(self.trial_in_block[1:] == 0)
        last = np.append(before_next, self.n_trials - 1)
        biased = self.block_side[last] != 0
        return self.trial_in_block[last][biased] + 1

    @property
    def form(self) -> SessionsForm:
        """What the C core takes."""
        return SessionsForm(
            session=self.session,
            block_side=self.block_side,
            side=self.side,
            observations=self.observations,
        )

    def __repr__(self) -> str:
        lengths = self.block_lengths
        return (
            f"Sessions(n_sessions={self.n_sessions}, n_trials={self.n_trials}, "
            f"block length {lengths.mean():.2f} ± {lengths.std():.2f} trials"
            f"{streams.shown(self.seed)})"
        )


class _Blocks(NamedTuple):
    """The table of all blocks of all sessions, unbiased starts included."""

    length: NDArray[np.int64]  # in trials
    side: NDArray[np.int64]  # -1, 0 in an unbiased start, +1
    index: NDArray[np.int64]  # within the session
    session: NDArray[np.int64]


def _sample(task: Task, n_blocks: int, rng: np.random.Generator) -> Sessions:
    """Block lengths and sides, then trials, then observations, each from a stream of its own."""
    of_blocks, of_trials, of_noise = rng.spawn(3)
    blocks = _sample_blocks(task, n_blocks, of_blocks)
    if task.n_unbiased:
        blocks = _with_unbiased_starts(blocks, task.n_unbiased)
    return _fill(task, blocks, of_trials, of_noise)


def _sample_blocks(task: Task, n_blocks: int, rng: np.random.Generator) -> _Blocks:
    """The biased blocks: their sides alternate within a session, from a random first one."""
    n_sessions = -(-n_blocks // task.n_blocks)
    per_session = np.full(n_sessions, task.n_blocks)
    per_session[-1] = n_blocks - task.n_blocks * (n_sessions - 1)
    length = np.empty(n_blocks, np.int64)
    _core.task_sample_lengths(task.form, rng.bit_generator, length)
    first_side = 2 * rng.integers(0, 2, n_sessions) - 1
    index = np.concatenate([np.arange(n) for n in per_session])
    return _Blocks(
        length=length,
        side=np.repeat(first_side, per_session) * (1 - 2 * (index % 2)),
        index=index,
        session=np.repeat(np.arange(n_sessions), per_session),
    )


def _with_unbiased_starts(blocks: _Blocks, n_unbiased: int) -> _Blocks:
    """The same blocks, and before the first of each session a block of unbiased trials."""
    starts = np.flatnonzero(blocks.index == 0)
    return _Blocks(
        length=np.insert(blocks.length, starts, n_unbiased),
        side=np.insert(blocks.side, starts, 0),
        index=np.insert(blocks.index + 1, starts, 0),
        session=np.insert(blocks.session, starts, blocks.session[starts]),
    )


def _fill(
    task: Task, blocks: _Blocks, trials: np.random.Generator, noise: np.random.Generator
) -> Sessions:
    """Sessions from the table of their blocks."""
    n_trials = int(blocks.length.sum())
    first = np.cumsum(blocks.length) - blocks.length
    block_side = np.repeat(blocks.side.astype(np.int8), blocks.length)
    side = np.empty(n_trials, np.int8)
    strength = np.empty(n_trials)
    observations = np.empty((n_trials, task.n_obs_max, 2))
    for start in range(0, n_trials, TRIALS_PER_CALL):
        part = slice(start, start + TRIALS_PER_CALL)
        _core.task_sample_trials(
            task.form,
            trials.bit_generator,
            noise.bit_generator,
            block_side[part],
            side[part],
            strength[part],
            observations[part],
        )
    trials_per_session = np.bincount(blocks.session, weights=blocks.length)
    ends = trials_per_session.cumsum().astype(np.int64)
    return Sessions(
        task=task,
        session=np.repeat(blocks.session, blocks.length),
        block=np.repeat(blocks.index, blocks.length),
        block_side=block_side,
        trial_in_block=np.arange(n_trials) - np.repeat(first, blocks.length),
        side=side,
        strength=strength,
        observations=observations,
        offsets=np.concatenate([[0], ends]),
    )


def draw_lengths(form: TaskForm, stream: np.random.Generator, length: NDArray[np.int64]) -> int:
    """Draw the lengths of a session's blocks.

    Parameters
    ----------
    form : TaskForm
        The task.
    stream : Generator
        What it draws from.
    length : (n_blocks,)
        Where the lengths are written to.

    Returns
    -------
    int
        Their sum.
    """
    return _core.task_sample_lengths(form, stream.bit_generator, length)


def draw_session(
    form: TaskForm,
    stream: np.random.Generator,
    length: NDArray[np.int64],
    first: int,
    arrays: tuple[NDArray[Any], ...],
) -> None:
    """Draw a session from a single stream.

    Parameters
    ----------
    form : TaskForm
        The task.
    stream : Generator
        What it draws from.
    length : (n_blocks,)
        Lengths of its blocks.
    first : int
        Row of its first trial.
    arrays : tuple of arrays (R, ...)
        Where block_side, side, strength and observations are written to.
    """
    _core.task_sample_session(form, stream.bit_generator, length, first, *arrays)


def observe(
    form: TaskForm, sessions: SessionsForm, place: NDArray[np.float64], x: NDArray[np.float64]
) -> None:
    """Write the input of a step of the closed loop into x (3,).

    Parameters
    ----------
    form : TaskForm
        The task.
    sessions : SessionsForm
        What the world does.
    place : (3,)
        Trial, step and feedback.
    x : (3,)
        Where o^L, o^R and the feedback are written to.
    """
    _core.task_observe(form, sessions, place, x)


def act(
    form: TaskForm,
    sessions: SessionsForm,
    margin: float,
    place: NDArray[np.float64],
    choice: NDArray[np.int8],
    n_obs: NDArray[np.int64],
) -> None:
    """End a step of the closed loop: choose or wait, be told, and go on to the next.

    Parameters
    ----------
    form : TaskForm
        The task.
    sessions : SessionsForm
        What the world does.
    margin : float
        Log odds of right after this step.
    place : (3,)
        Trial, step and feedback, which go on.
    choice : (R,)
        Where a choice is written to.
    n_obs : (R,)
        Where the number of observations is written to.
    """
    _core.task_act(form, sessions, margin, place, choice, n_obs)
