"""Which sessions and trials to keep.

Rules by name, applied only when asked, with counts of what each dropped.
"""

import numpy as np

from hrnn.behavior.trials import session_codes, trial_table

PRESETS = {  # name: rules with their numbers, applied in this order
    "responded": {"responded": True},
    "biased": {"responded": True, "biased_blocks": True},
    "proficient": {"min_trials": 400, "easy_correct": 0.9, "both_blocks": True, "responded": True},
}
EASY = 0.5  # contrasts of at least this are easy


def include(trials, rules="proficient"):
    """Keep the trials that rules allow.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
    rules : str or dict
        A preset (of `PRESETS`) or rules, applied in their order: `min_trials` (n: sessions of at
        least n trials), `easy_correct` (p: sessions with at least a fraction p correct among trials
        of contrast 0.5 and more), `both_blocks` (sessions with blocks of both sides),
        `biased_blocks` (trials in biased blocks), `responded` (trials with a choice),
        `min_sessions` (n: subjects of at least n sessions).

    Returns
    -------
    kept : DataFrame
    counts : DataFrame
        One row per rule: `rule, number, sessions_dropped, trials_dropped`.

    Raises
    ------
    ValueError
        If a rule is not known, its number impossible, or nothing is left.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=4, rng=0))
    >>> include(run, {"responded": True})[1].rule.tolist()
    ['responded']
    """
    import pandas as pd

    table = trial_table(trials, "session", "choice", "correct", "strength", "block_side")
    if isinstance(rules, str):
        if rules not in PRESETS:
            raise ValueError(
                f"rules must be one of {tuple(PRESETS)} or a dict of rules, got {rules!r}"
            )
        rules = PRESETS[rules]
    unknown = [rule for rule in rules if rule not in RULES]
    if unknown or not rules:
        raise ValueError(f"rules must be among {tuple(RULES)}, got {unknown or 'none'}")
    counts = []
    for rule, number in rules.items():
        code = session_codes(table)
        keep = RULES[rule](table, code, number)
        n = len(np.unique(code)) - len(np.unique(code[keep]))
        counts.append(
            {
                "rule": rule,
                "number": number,
                "sessions_dropped": n,
                "trials_dropped": int((~keep).sum()),
            }
        )
        table = table[keep]
        if not len(table):
            raise ValueError(f"rules must leave something, but {rule} = {number} leaves nothing")
    return table.reset_index(drop=True), pd.DataFrame(counts)


def _number(value, rule, low, high):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{rule} must be a number in {low}..{high}, got {value!r}")
    return value


def _wanted(value, rule):
    if value is not True:
        raise ValueError(f"{rule} must be True, got {value!r}")


def _min_trials(table, code, number):
    return np.bincount(code)[code] >= _number(number, "min_trials", 1, 10**9)


def _easy_correct(table, code, number):
    easy = table.strength.to_numpy() >= EASY
    n = code.max() + 1
    right, all_ = (
        np.bincount(code[rows], minlength=n) for rows in (easy & table.correct.to_numpy(bool), easy)
    )
    return (right >= _number(number, "easy_correct", 0, 1) * np.maximum(all_, 1))[code]


def _both_blocks(table, code, number):
    _wanted(number, "both_blocks")
    side = table.block_side.to_numpy()
    return np.all(
        [np.bincount(code[side == s], minlength=code.max() + 1) > 0 for s in (-1, 1)], axis=0
    )[code]


def _biased_blocks(table, code, number):
    _wanted(number, "biased_blocks")
    return table.block_side.to_numpy() != 0


def _responded(table, code, number):
    _wanted(number, "responded")
    return table.choice.to_numpy() != 0


def _min_sessions(table, code, number):
    subject = table["subject"].to_numpy() if "subject" in table else np.zeros(len(table))
    names, of = np.unique(subject, return_inverse=True)
    n = np.array([len(np.unique(code[of == k])) for k in range(len(names))])
    return n[of] >= _number(number, "min_sessions", 1, 10**9)


RULES = {
    "min_trials": _min_trials,
    "easy_correct": _easy_correct,
    "both_blocks": _both_blocks,
    "biased_blocks": _biased_blocks,
    "responded": _responded,
    "min_sessions": _min_sessions,
}
