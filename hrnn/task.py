"""The decision task: every number of it, and whole sessions sampled from it.

The random content of a session does not depend on what an agent does. Sessions are therefore
sampled once, as data, and given to every agent, so that comparisons are paired.
"""

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrnn import _core
from hrnn.base.arguments import (
    generator,
    one_of,
    real_array,
    real_number,
    refuse_size,
    whole_number,
)

BLOCK_LAWS = _core.BLOCK_LAWS
IBL_CONTRASTS = (0.0, 0.0625, 0.125, 0.25, 1.0)
TRIALS_PER_CALL = 50_000  # bounds the time of one call into C
LARGEST = (
    1e6  # of strengths, noise and penalties: sums, squares and likelihoods of them stay finite
)


class TaskForm(NamedTuple):
    """A task as the C core takes it: `task_fields` in csrc/binding/py.c, in the same order."""

    strengths: np.ndarray
    strength_weights: np.ndarray  # sums to 1
    p_block: float
    block_law: int  # place in BLOCK_LAWS
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
    """Sessions as the C core takes them: `sessions_fields` in csrc/binding/py.c."""

    session: np.ndarray
    block_side: np.ndarray
    side: np.ndarray
    observations: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """Every number of the task. The defaults are the task of Schaeffer et al. (NeurIPS 2020).

    Parameters
    ----------
    strengths : sequence of float, in units of the observations
        Mean of an observation on the stimulus side; drawn once per trial.
    strength_weights : sequence of float, optional
        Relative frequency of each strength; equal by default.
    p_block : float
        P(stimulus side = side of the block), in [0.5, 1].
    block_law : {'geometric', 'exponential'}
        P(L = n) is proportional to (1 - block_hazard)^n or to exp(-block_hazard n), for n in
        block_min..block_max, both included.
    block_hazard : float, per trial
    block_min, block_max : int, trials
    n_unbiased : int, trials
        Trials with P(right) = 1/2 before the first block of a session.
    n_blocks : int
        Blocks per session, the unbiased start not counted.
    n_blank, n_obs_max : int, steps
        Steps without stimulus before the observations, and most observations in a trial.
    threshold : float
        An agent acts when max(p, 1 - p) exceeds it; in [0.5, 1).
    wait_penalty : float
        Feedback of an observation step without action.
    noise_sd : float
        Standard deviation of an observation.

    Raises
    ------
    TypeError, ValueError
        Naming the field, what it was and what it must be.

    Examples
    --------
    >>> import hrnn
    >>> task = hrnn.Task(threshold=0.8)
    >>> sessions = task.sample(n_blocks=8, rng=0)
    >>> sessions.n_sessions
    2
    """

    strengths: tuple = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)
    strength_weights: tuple | None = None
    p_block: float = 0.8
    block_law: str = "geometric"
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

    def __post_init__(self):
        put = functools.partial(object.__setattr__, self)
        put("strengths", _numbers("strengths", self.strengths))
        if self.strength_weights is not None:
            put("strength_weights", _numbers("strength_weights", self.strength_weights))
            if (
                len(self.strength_weights) != len(self.strengths)
                or not 0 < sum(self.strength_weights) < math.inf
            ):
                raise ValueError(
                    f"strength_weights must be {len(self.strengths)} numbers >= 0, not all 0, got {self.strength_weights}"
                )
        one_of(self.block_law, "block_law", BLOCK_LAWS)
        for name, low, high, closed in _REALS:
            put(name, real_number(getattr(self, name), name, low, high, closed))
        for name, low, high in _COUNTS:
            put(name, whole_number(getattr(self, name), name, low))
            if getattr(self, name) > high:
                raise ValueError(f"{name} must be <= {high}, got {getattr(self, name)}")
        if self.block_max < self.block_min:
            raise ValueError(
                f"block_max must be >= block_min = {self.block_min}, got {self.block_max}"
            )

    @classmethod
    def preset(cls, name, *, contrast_gain=2.5, contrasts="uniform"):
        """Task of a publication: 'paper' (Schaeffer et al.) or 'ibl' (the rig of the IBL).

        Parameters
        ----------
        name : {'paper', 'ibl'}
        contrast_gain : float
            Strength of contrast 1; only for 'ibl'.
        contrasts : {'uniform', 'skew_zero'}
            Whether contrast 0 is as frequent as the others, or half as frequent; only for 'ibl'.

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
        weights = None if contrasts == "uniform" else (0.5, 1.0, 1.0, 1.0, 1.0)
        return cls(
            strengths=tuple(gain * c for c in IBL_CONTRASTS),
            strength_weights=weights,
            block_law="exponential",
            block_hazard=1 / 60,
            block_max=99,
            n_unbiased=90,
        )

    def replace(self, **changes):
        """Return the same task with some numbers changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self):
        """Fields as plain numbers, strings and lists, for JSON; `Task(**d)` reverses it."""
        return {
            k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()
        }

    @functools.cached_property
    def form(self) -> TaskForm:
        """What the C core takes."""
        weights = (
            np.ones(len(self.strengths))
            if self.strength_weights is None
            else np.array(self.strength_weights)
        )
        return TaskForm(
            strengths=np.array(self.strengths),
            strength_weights=weights / weights.sum(),
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
    def _block_law(self):
        """P(L = n) and H(n), n = 0..block_max."""
        pmf, hazard = np.empty((2, self.block_max + 1))
        _core.task_block_law(self.form, pmf, hazard)
        return pmf, hazard

    def block_length_pmf(self):
        """P(L = n) for n = 0..block_max, (block_max + 1,)."""
        return self._block_law[0].copy()

    def block_length_hazard(self):
        """H(n) = P(L = n) / P(L >= n) for n = 0..block_max, (block_max + 1,)."""
        return self._block_law[1].copy()

    def sample(self, *, n_sessions=None, n_blocks=None, rng=0):
        """Sample sessions: what the world will do, whatever the agent does.

        Parameters
        ----------
        n_sessions : int, optional
            Sessions of `self.n_blocks` blocks.
        n_blocks : int, optional
            Blocks in total, cut into sessions of `self.n_blocks`; the last takes the remainder.
            Exactly one of the two must be given.
        rng : int, SeedSequence or Generator

        Returns
        -------
        Sessions

        Examples
        --------
        >>> import hrnn
        >>> hrnn.Task().replace(n_blocks=3).sample(n_sessions=2, rng=1).block_lengths.shape
        (6,)
        """
        if (n_sessions is None) == (n_blocks is None):
            raise ValueError("exactly one of n_sessions and n_blocks must be given")
        name, asked, per = (
            ("n_blocks", n_blocks, 1)
            if n_sessions is None
            else ("n_sessions", n_sessions, self.n_blocks)
        )
        n_blocks = whole_number(asked, name) * per
        refuse_size(name, asked, n_blocks * self.block_max * (16 * self.n_obs_max + 42))
        return _sample(self, n_blocks, generator(rng))


_REALS = (
    ("p_block", 0.5, 1, "[]"),
    ("block_hazard", 0, 1, ""),
    ("threshold", 0.5, 1, "["),
    ("wait_penalty", -LARGEST, LARGEST, "[]"),
    ("noise_sd", 1 / LARGEST, LARGEST, "[]"),
)
_COUNTS = (
    ("block_min", 1, 10**6),
    ("block_max", 1, 10**6),
    ("n_unbiased", 0, 10**6),
    ("n_blocks", 1, 10**7),
    ("n_blank", 0, 10**4),
    ("n_obs_max", 1, 10**4),
)


def _numbers(name, values):
    """A tuple of floats >= 0."""
    array = real_array(values, name, (1,))
    if (array < 0).any() or (array > LARGEST).any():
        raise ValueError(
            f"{name} must be in [0, {LARGEST:g}], got {array.min():g} to {array.max():g}"
        )
    return tuple(array.tolist())


@dataclasses.dataclass(frozen=True, eq=False)
class Sessions:
    """What the world will do, flat over sessions (R trials in S sessions).

    Attributes
    ----------
    task : Task
    session, block, trial_in_block : (R,) int64, 0-based
        With an unbiased start, that is block 0 of its session.
    block_side : (R,) int8
        -1 left, +1 right, 0 in unbiased trials.
    side : (R,) int8
        Side of the stimulus, also where its strength is 0.
    strength : (R,) float64
    observations : (R, n_obs_max, 2) float64, left and right
    offsets : (S + 1,) int64
        Trials of session s are offsets[s]..offsets[s + 1] - 1.
    """

    task: Task
    session: np.ndarray
    block: np.ndarray
    block_side: np.ndarray
    trial_in_block: np.ndarray
    side: np.ndarray
    strength: np.ndarray
    observations: np.ndarray
    offsets: np.ndarray

    @classmethod
    def join(cls, several):
        """One Sessions of several of the same task, one after the other."""
        several = list(several)
        first = several[0]
        if any(sessions.task != first.task for sessions in several):
            raise ValueError("several must be of one task")
        before = np.cumsum([0, *(sessions.n_sessions for sessions in several[:-1])])
        ends = np.cumsum([0, *(sessions.n_trials for sessions in several[:-1])])
        names = ("block", "block_side", "trial_in_block", "side", "strength", "observations")
        return cls(
            task=first.task,
            session=np.concatenate([s.session + n for s, n in zip(several, before, strict=True)]),
            offsets=np.r_[
                0, np.concatenate([s.offsets[1:] + n for s, n in zip(several, ends, strict=True)])
            ],
            **{name: np.concatenate([getattr(s, name) for s in several]) for name in names},
        )

    def select(self, sessions):
        """Only these sessions, (n,) int, in this order, numbered from 0."""
        sessions = np.asarray(sessions)
        rows = np.concatenate([np.arange(self.offsets[s], self.offsets[s + 1]) for s in sessions])
        n = np.diff(self.offsets)[sessions]
        names = ("block", "block_side", "trial_in_block", "side", "strength", "observations")
        return Sessions(
            task=self.task,
            session=np.repeat(np.arange(len(sessions)), n),
            offsets=np.r_[0, n.cumsum()],
            **{name: getattr(self, name)[rows] for name in names},
        )

    @property
    def n_sessions(self):
        """Number of sessions, S."""
        return len(self.offsets) - 1

    @property
    def n_trials(self):
        """Number of trials, R."""
        return len(self.side)

    @functools.cached_property
    def block_lengths(self):
        """Lengths of all biased blocks (number of blocks,), in trials."""
        last = np.append(np.flatnonzero(self.trial_in_block[1:] == 0), self.n_trials - 1)
        return self.trial_in_block[last][self.block_side[last] != 0] + 1

    @property
    def form(self) -> SessionsForm:
        """What the C core takes."""
        return SessionsForm(
            session=self.session,
            block_side=self.block_side,
            side=self.side,
            observations=self.observations,
        )

    def __repr__(self):
        lengths = self.block_lengths
        return (
            f"Sessions(n_sessions={self.n_sessions}, n_trials={self.n_trials}, "
            f"block length {lengths.mean():.2f} ± {lengths.std():.2f} trials)"
        )


def _sample(task, n_blocks, rng):
    """Block lengths and sides, then trials, then observations, each from a stream of its own."""
    blocks, trials, noise = rng.spawn(3)
    per_session = np.full(-(-n_blocks // task.n_blocks), task.n_blocks)
    per_session[-1] = n_blocks - task.n_blocks * (len(per_session) - 1)
    lengths = np.empty(n_blocks, np.int64)
    _core.task_sample_lengths(task.form, blocks.bit_generator, lengths)
    first_side = 2 * blocks.integers(0, 2, len(per_session)) - 1
    index = (
        np.concatenate([np.arange(n) for n in per_session])
        if len(per_session) > 1
        else np.arange(n_blocks)
    )
    side = np.repeat(first_side, per_session) * (1 - 2 * (index % 2))
    session = np.repeat(np.arange(len(per_session)), per_session)
    if task.n_unbiased:
        starts = np.flatnonzero(index == 0)
        lengths, side, index, session = (
            np.insert(values, starts, start)
            for values, start in (
                (lengths, task.n_unbiased),
                (side, 0),
                (index + 1, 0),
                (session, session[starts]),
            )
        )
    return _fill(task, lengths, side.astype(np.int8), index, session, trials, noise)


def _fill(task, lengths, block_side, block, session, trials, noise):
    """Sessions from the table of their blocks."""
    n_trials = int(lengths.sum())
    first = np.cumsum(lengths) - lengths
    block_side = np.repeat(block_side, lengths)
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
    ends = np.bincount(session, weights=lengths).cumsum().astype(np.int64)
    return Sessions(
        task=task,
        session=np.repeat(session, lengths),
        block=np.repeat(block, lengths),
        block_side=block_side,
        trial_in_block=np.arange(n_trials) - np.repeat(first, lengths),
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
