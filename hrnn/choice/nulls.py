"""Do mice follow the blocks? Against pseudo-sessions, and against mice that repeat themselves."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrnn.base.arguments import generator, refuse_size, whole_number
from hrnn.base.streams import recorded
from hrnn.choice.fitting import climb
from hrnn.choice.models import Repeating
from hrnn.choice.trials import Choices, units
from hrnn.task import Task

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike, Trials

Floats = NDArray[np.float64]
RIG: Task = Task.preset("ibl", contrast_gain=1.0)
NULLS: tuple[str, ...] = (  # columns of the two nulls
    "null_mean",
    "null_low",
    "null_high",
    "p",
    "repeating_mean",
    "repeating_low",
    "repeating_high",
    "p_repeating",
)
BYTES_PER_TRIAL: int = 32  # of a pseudo-session
AT_ONCE: int = 20  # copies of a subject that are simulated together


def pseudo_blocks(n_trials: int, *, rng: RNGLike | None = None) -> Floats:
    """Probability of left in each trial of a session that the rig might have made, (n_trials,).

    90 unbiased trials, then blocks; others at every call.

    Parameters
    ----------
    n_trials : int
        Length of the session.
    rng : int, SeedSequence, Generator or None
        Of the blocks; None means fresh numbers, which cannot be drawn again.

    Examples
    --------
    >>> float(pseudo_blocks(200, rng=0)[0])
    0.5
    """
    n_trials = whole_number(n_trials, "n_trials")
    refuse_size("n_trials", n_trials, n_trials * BYTES_PER_TRIAL)
    random, _ = recorded(rng)
    in_right_blocks = round(1 - RIG.p_block, 10)
    in_left_blocks = RIG.p_block
    unbiased = np.full(RIG.n_unbiased, 0.5)
    right = _block_sides(n_trials, random) > 0
    return np.r_[unbiased, np.where(right, in_right_blocks, in_left_blocks)][:n_trials]


def _block_sides(n: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Sides of the blocks of the rig, from their first trial on, (n,)."""
    pmf = RIG.block_length_pmf()
    length = random.choice(len(pmf), size=n // RIG.block_min + 1, p=pmf)
    first = random.choice([-1, 1])
    alternating = (-1) ** np.arange(len(length))
    return first * np.repeat(alternating, length)[:n]


def block_following(trials: Trials, *, n_pseudo: int = 200, rng: RNGLike = 0) -> pd.DataFrame:
    """Whether P(right) at contrast 0 differs between blocks, beyond what knows no block.

    The statistic is the difference in P(right | choice) between right and left blocks at contrast
    0, in all sessions of a subject together. There are two nulls.

    * **Pseudo-sessions** of the rig's generator in place of the blocks. Blocks and slow changes of
      behaviour are both long, so that shuffled trials are no null (Harris 2020). It excludes chance
      and drift. *Any* dependence on the past passes: past stimuli and rewarded choices tell the
      block, so that a mouse that repeats its last choice differs between blocks and not between
      pseudo-blocks.
    * **Mice that repeat themselves**: a logistic regression of the subject's choices on stimulus
      side × contrast, the previous choice × its outcome, and an intercept, without any block,
      simulated in the subject's own trials and blocks. It excludes that stimuli and a memory of one
      trial suffice. It does *not* exclude a longer memory of choices or stimuli that knows of no
      block; `compare` tells such memories from an observer of blocks.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        Trials of subjects on the rig's task.
    n_pseudo : int
        Pseudo-sessions for each session, and simulations of each subject.
    rng : int, SeedSequence or Generator
        Of pseudo-sessions and simulations.

    Returns
    -------
    DataFrame
        One row per subject: `value`; `null_mean, null_low, null_high` (2.5 and 97.5 %) and `p`
        (one-sided, at least 1/(n_pseudo + 1)) under pseudo-sessions; `repeating_mean,
        repeating_low, repeating_high, p_repeating` likewise under mice that repeat themselves; `n`
        (choices at contrast 0 in biased blocks). Sessions without unbiased start are compared with
        the blocks after it. All but `n` is NaN without choices at contrast 0 in blocks of both
        sides, and a warning names such subjects. Draws of a null that leave the statistic undefined
        are left out of p.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor("oracle"), hrnn.Task().sample(n_sessions=10, rng=0))
    >>> bool(block_following(run, n_pseudo=20).p[0] < 0.1)
    True
    """
    import pandas as pd

    n_pseudo = whole_number(n_pseudo, "n_pseudo")
    refuse_size("n_pseudo", n_pseudo, 8 * n_pseudo)
    random = generator(rng)
    simulating = random.spawn(1)[0]
    names, found, _ = units(trials, "subject")
    rows = [
        {"subject": subject, **_followed(choices, n_pseudo, random, simulating)}
        for subject, choices in zip(names["subject"], found, strict=True)
    ]
    table = pd.DataFrame(rows)
    undefined = table["subject"][table["value"].isna()].tolist()
    if undefined:
        warnings.warn(
            "whether they follow the blocks is not defined, since they have no choices at contrast "
            f"0 in blocks of both sides: {undefined}",
            stacklevel=2,
        )
    return table


def _followed(
    choices: Choices,
    n_pseudo: int,
    random: np.random.Generator,
    simulating: np.random.Generator,
) -> dict[str, Any]:
    """The difference between blocks of one subject beside both nulls, a row of the table."""
    zero = choices.responded & (choices.contrast == 0)
    right = choices.choice[zero] > 0
    side = choices.block_side[zero]
    value = _difference(right, side)
    if np.isnan(value):
        nothing = dict.fromkeys(("value", *NULLS), np.nan)
        return nothing | {"n": int((side != 0).sum())}
    pseudo = [_difference(right, _pseudo_sides(choices, random)[zero]) for _ in range(n_pseudo)]
    doubles = _repeaters(choices, n_pseudo, simulating)
    repeating = [_difference(made[zero] > 0, side) for made in doubles]
    against = (*_against(value, np.array(pseudo)), *_against(value, np.array(repeating)))
    row = {"value": value, **dict(zip(NULLS, against, strict=True))}
    return row | {"n": int((side != 0).sum())}


def _against(value: float, null: Floats) -> tuple[float, float, float, float]:
    """Mean of a null (n,), its central 95 %, and the one-sided p of a value.

    Of the defined draws; NaN if there are none.
    """
    null = null[np.isfinite(null)]
    if not len(null):
        return np.nan, np.nan, np.nan, np.nan
    low, high = np.quantile(null, [0.025, 0.975])
    n_beyond = (null >= value).sum()
    return null.mean(), low, high, (1 + n_beyond) / (len(null) + 1)


def _repeaters(choices: Choices, n: int, random: np.random.Generator) -> Iterator[NDArray[np.int8]]:
    """Choices (R,) of n doubles of the subject that know no block, in the subject's trials."""
    model = Repeating()
    start = np.zeros(len(model.parameters(choices)))
    theta = climb(model, choices, [start])[0].theta
    for done in range(0, n, AT_ONCE):
        copies = choices.copies(min(AT_ONCE, n - done))
        made = model.simulate(copies, theta, random.random(len(copies.choice)))
        yield from made.reshape(-1, len(choices.choice))


def _pseudo_sides(choices: Choices, random: np.random.Generator) -> Floats:
    """Block sides of pseudo-sessions in place of the sessions, as unbiased at their start."""
    sides = np.zeros(len(choices.session))
    for rows in choices.sessions:
        n_unbiased = int((choices.block_side[rows] == 0).sum())
        start = rows.start + n_unbiased
        sides[start : rows.stop] = _block_sides(rows.stop - start, random)
    return sides


def _difference(right: NDArray[np.bool_], side: NDArray[Any]) -> float:
    """P(right) in right blocks less that in left ones; NaN without trials of both."""
    in_right = side > 0
    in_left = side < 0
    with np.errstate(invalid="ignore", divide="ignore"):
        p_in_right = np.divide(right[in_right].sum(), in_right.sum())
        p_in_left = np.divide(right[in_left].sum(), in_left.sum())
        return p_in_right - p_in_left
