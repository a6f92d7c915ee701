"""Which sessions and trials to keep.

Rules by name, applied only when asked, with counts of what each dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrnn.base.arguments import real_number, whole_number
from hrnn.behavior.trials import session_codes, trial_column, trial_order, trial_table
from hrnn.mice.protocols import BLOCK_MIN, in_blocks

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import Trials

Bools = NDArray[np.bool_]
Codes = NDArray[np.intp]  # the number of each trial's session
PRESETS: dict[str, dict[str, Any]] = {  # name: rules with their numbers, applied in this order
    "responded": {"responded": True},
    "biased": {"responded": True, "biased_blocks": True},
    "proficient": {"min_trials": 400, "easy_correct": 0.9, "both_blocks": True, "responded": True},
}
EASY: float = 0.5  # contrasts of at least this are easy


def include(
    trials: Trials, rules: str | Mapping[str, Any] = "proficient"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the trials that rules allow.

    Parameters
    ----------
    trials : DataFrame or object with `.trials`
        The trial table.
    rules : str or dict
        A preset (of `PRESETS`) or rules, applied in their order: `min_trials` (n: sessions of at
        least n trials), `easy_correct` (p: sessions with at least a fraction p correct among trials
        of contrast 0.5 and more), `both_blocks` (sessions with blocks of both sides),
        `biased_blocks` (trials in biased blocks), `responded` (trials with a choice),
        `min_sessions` (n: subjects of at least n sessions). A block is a run of one p_left of 20
        trials or more (the rig's least; another least as the number: ``{"both_blocks": 5}``);
        sessions with shorter runs, the last apart, have no blocks.

    Returns
    -------
    kept : DataFrame
        The trials that are kept.
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

    table: Any = trial_table(trials, "session", "choice", "correct", "strength", "block_side")
    table = table.iloc[trial_order(table)]
    counts: list[dict[str, Any]] = []
    for rule, number in _checked_rules(rules).items():
        code = session_codes(table)
        keep = RULES[rule](table, code, number)
        n_sessions_dropped = len(np.unique(code)) - len(np.unique(code[keep]))
        counts.append(
            {
                "rule": rule,
                "number": number,
                "sessions_dropped": n_sessions_dropped,
                "trials_dropped": int((~keep).sum()),
            }
        )
        table = table[keep]
        if not len(table):
            raise ValueError(f"rules must leave something, but {rule} = {number} leaves nothing")
    return table.reset_index(drop=True), pd.DataFrame(counts)


def _checked_rules(rules: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """The rules of a preset, or those given, all of which are known."""
    if isinstance(rules, str):
        if rules not in PRESETS:
            raise ValueError(
                f"rules must be one of {tuple(PRESETS)} or a dict of rules, got {rules!r}"
            )
        return PRESETS[rules]
    if not isinstance(rules, Mapping):
        raise TypeError(f"rules must be the name of a preset or a dict of rules, got {rules!r}")
    unknown = [rule for rule in rules if rule not in RULES]
    if unknown or not rules:
        raise ValueError(f"rules must be among {tuple(RULES)}, got {unknown or 'none'}")
    return rules


def _wanted(value: Any, rule: str) -> None:
    if value is not True:
        raise ValueError(f"{rule} must be True, got {value!r}")


def _least_block(value: Any, rule: str) -> int:
    """Trials of the shortest run that counts as a block."""
    if value is True:
        return BLOCK_MIN
    if isinstance(value, bool):
        raise ValueError(f"{rule} must be True or a least number of trials, got {value!r}")
    return whole_number(value, rule)


def _min_trials(table: pd.DataFrame, code: Codes, number: Any) -> Bools:
    n_trials = np.bincount(code)[code]
    return n_trials >= whole_number(number, "min_trials")


def _easy_correct(table: pd.DataFrame, code: Codes, number: Any) -> Bools:
    easy = trial_column(table, "strength") >= EASY
    correct = table["correct"].to_numpy(bool)
    n = code.max() + 1
    n_correct = np.bincount(code[easy & correct], minlength=n)
    n_easy = np.bincount(code[easy], minlength=n)
    least = real_number(number, "easy_correct", 0, 1, "[]")
    return (n_correct >= least * np.maximum(n_easy, 1))[code]


def _both_blocks(table: pd.DataFrame, code: Codes, number: Any) -> Bools:
    side = trial_column(table, "block_side")
    side *= in_blocks(table, _least_block(number, "both_blocks"))
    n = code.max() + 1
    has_left = np.bincount(code[side == -1], minlength=n) > 0
    has_right = np.bincount(code[side == 1], minlength=n) > 0
    return (has_left & has_right)[code]


def _biased_blocks(table: pd.DataFrame, code: Codes, number: Any) -> Bools:
    return in_blocks(table, _least_block(number, "biased_blocks"))


def _responded(table: pd.DataFrame, code: Codes, number: Any) -> Bools:
    _wanted(number, "responded")
    return table["choice"].to_numpy() != 0


def _min_sessions(table: pd.DataFrame, code: Codes, number: Any) -> Bools:
    subject = table["subject"].to_numpy() if "subject" in table else np.zeros(len(table))
    names, of = np.unique(subject, return_inverse=True)
    n = np.array([len(np.unique(code[of == k])) for k in range(len(names))])
    return n[of] >= whole_number(number, "min_sessions")


RULES: dict[str, Callable[[pd.DataFrame, Codes, Any], Bools]] = {
    "min_trials": _min_trials,
    "easy_correct": _easy_correct,
    "both_blocks": _both_blocks,
    "biased_blocks": _biased_blocks,
    "responded": _responded,
    "min_sessions": _min_sessions,
}
