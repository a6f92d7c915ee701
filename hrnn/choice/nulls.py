"""Do mice follow the blocks? Against pseudo-sessions, and against mice that repeat themselves."""

import numpy as np

from hrnn.base.arguments import generator, whole_number
from hrnn.choice.fitting import climb
from hrnn.choice.models import Repeating
from hrnn.choice.trials import units
from hrnn.task import Task

RIG = Task.preset("ibl", contrast_gain=1.0)
AT_ONCE = 20  # copies of a subject that are simulated together


def pseudo_blocks(n_trials, *, rng=0):
    """Probability of left in each trial of a session that the rig might have made, (n_trials,).

    90 unbiased trials, then blocks.

    Examples
    --------
    >>> float(pseudo_blocks(200)[0])
    0.5
    """
    n_trials = whole_number(n_trials, "n_trials")
    random = generator(rng)
    left = round(1 - RIG.p_block, 10)
    right = RIG.p_block  # P(left) in right and in left blocks
    return np.r_[
        np.full(RIG.n_unbiased, 0.5), np.where(_block_sides(n_trials, random) > 0, left, right)
    ][:n_trials]


def _block_sides(n, random):
    """Sides of the blocks of the rig, from their first trial on, (n,)."""
    pmf = RIG.block_length_pmf()
    length = random.choice(len(pmf), size=n // RIG.block_min + 1, p=pmf)
    return random.choice([-1, 1]) * np.repeat((-1) ** np.arange(len(length)), length)[:n]


def block_following(trials, *, n_pseudo=200, rng=0):
    """Does P(right) at contrast 0 differ between blocks, by more than what knows no block gives?

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
    n_pseudo : int
        Pseudo-sessions for each session, and simulations of each subject.
    rng : int, SeedSequence or Generator

    Returns
    -------
    DataFrame
        One row per subject: `value`; `null_mean, null_low, null_high` (2.5 and 97.5 %) and `p`
        (one-sided, at least 1/(n_pseudo + 1)) under pseudo-sessions; `repeating_mean,
        repeating_low, repeating_high, p_repeating` likewise under mice that repeat themselves; `n`
        (choices at contrast 0 in biased blocks). Sessions without unbiased start are compared with
        the blocks after it. All but `n` is NaN without choices at contrast 0 in blocks of both
        sides.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor("oracle"), hrnn.Task().sample(n_sessions=10, rng=0))
    >>> bool(block_following(run, n_pseudo=20).p[0] < 0.1)
    True
    """
    import pandas as pd

    n_pseudo = whole_number(n_pseudo, "n_pseudo")
    random = generator(rng)
    rows = []
    simulating = random.spawn(1)[0]
    names, found, _ = units(trials, "subject")
    for k, choices in enumerate(found):
        zero = choices.responded & (choices.contrast == 0)
        right = choices.choice[zero] > 0
        side = choices.block_side[zero]
        value = _difference(right, side)
        pseudo = np.array(
            [_difference(right, _pseudo_sides(choices, random)[zero]) for _ in range(n_pseudo)]
        )
        repeating = np.array(
            [
                _difference(made[zero] > 0, side)
                for made in _repeaters(choices, n_pseudo, simulating)
            ]
        )
        mean, low, high, p = _against(value, pseudo)
        row = {
            "subject": names.subject[k],
            "value": value,
            "null_mean": mean,
            "null_low": low,
            "null_high": high,
            "p": p,
        }
        mean, low, high, p = _against(value, repeating)
        row |= {
            "repeating_mean": mean,
            "repeating_low": low,
            "repeating_high": high,
            "p_repeating": p,
        }
        rows.append(row | {"n": int((side != 0).sum())})
    return pd.DataFrame(rows)


def _against(value, null):
    """Mean of a null (n,), its central 95 %, and the one-sided p of a value; NaN if undefined."""
    null = null[np.isfinite(null)]
    if not (np.isfinite(value) and len(null)):
        return (np.nan,) * 4
    low, high = np.quantile(null, [0.025, 0.975])
    return null.mean(), low, high, (1 + (null >= value).sum()) / (len(null) + 1)


def _repeaters(choices, n, random):
    """Choices (R,) of n doubles of the subject that know no block, in the subject's trials."""
    model = Repeating()
    theta = climb(model, choices, [np.zeros(len(model.parameters(choices)))])[0].theta
    for done in range(0, n, AT_ONCE):
        copies = choices.copies(min(AT_ONCE, n - done))
        made = model.simulate(copies, theta, random.random(len(copies.choice)))
        yield from made.reshape(-1, len(choices.choice))


def _pseudo_sides(choices, random):
    """Block sides of pseudo-sessions in place of the sessions, as unbiased at their start."""
    starts = np.flatnonzero(choices.first)
    sides = np.zeros(len(choices.session))
    for start, end in zip(starts, np.r_[starts[1:], len(sides)], strict=True):
        start += int((choices.block_side[start:end] == 0).sum())
        sides[start:end] = _block_sides(end - start, random)
    return sides


def _difference(right, side):
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.divide(right[side > 0].sum(), (side > 0).sum()) - np.divide(
            right[side < 0].sum(), (side < 0).sum()
        )
