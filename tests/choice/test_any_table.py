"""Whole trial tables drawn at random, and what must hold of all of them.

The order of the rows does not matter, the names of subjects and sessions do not matter (in the same
order), the likelihood that a fit reports is that of the probabilities it returns, and what is wrong
is said in an error of the library. HRNN_TABLES=20000 draws so many.
"""

import os
import traceback
import uuid
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrnn import behavior, mice

N_TABLES = int(os.environ.get("HRNN_TABLES", "120"))
PROFILE = settings(
    max_examples=N_TABLES,
    deadline=None,
    derandomize=N_TABLES <= 1000,
    database=None,
    suppress_health_check=list(HealthCheck),
)
CONTRASTS = [
    (0.0, 0.0625, 0.125, 0.25, 1.0),
    (0.0, 0.0625, 0.125, 0.25, 0.5, 1.0),
    (0.0,),
    (1.0,),
    (0.5, 1.0),
    (0.06, 0.061, 0.0611, 0.06111),
    tuple(np.round(np.linspace(0, 1, 20), 3)),
    tuple(np.linspace(0, 2.5, 7)),
    tuple(np.random.default_rng(0).random(40)),
]
BLOCKS = [
    (0.2, 0.8),
    (0.3, 0.7),
    (0.2, 0.5, 0.8),
    (0.5,),
    (0.0, 1.0),
    (0.123, 0.4, 1.0),
    (1 - 0.8, 1 - 0.2),
]
MODELS = (
    "flat",
    "oracle",
    "semi_markov",
    "action_kernel",
    "stimulus_kernel",
    "four_alpha",
    "exponential",
    "markov",
    "markov_free",
    "history_glm",
    "psychometric",
)
NUMBERS = (
    "p_left",
    "block_side",
    "side",
    "strength",
    "signed_strength",
    "choice",
    "trial",
    "block",
)
WHOLE = ("block_side", "side", "choice")


# ---- tables ----


def session_of(rng, n, contrasts, p_left, block, unbiased, no_go, skill):
    """A session of n trials; a mouse takes the true side with probability `skill`."""
    drawn = np.repeat(rng.choice(p_left, n // block + 1), block)
    left = np.r_[np.full(unbiased, 0.5), drawn][:n]
    starts = np.r_[True, np.diff(left) != 0]
    block_number = np.cumsum(starts)
    side = np.where(rng.random(n) < left, -1, 1)
    strength = rng.choice(contrasts, n)
    choice = np.where(rng.random(n) < skill, side, -side) * (rng.random(n) >= no_go)
    block_side = np.sign(0.5 - np.round(left, 6)).astype(int)
    return pd.DataFrame(
        {
            "trial": np.arange(n),
            "block": block_number,
            "trial_in_block": np.arange(n) - np.flatnonzero(starts)[block_number - 1],
            "p_left": left,
            "block_side": block_side,
            "side": side,
            "strength": strength,
            "signed_strength": side * strength,
            "concordant": pd.array(side == block_side, "boolean"),
            "choice": choice,
            "correct": choice == side,
            "timeout": choice == 0,
        }
    )


def named(kind, n, rng):
    """n names of a kind, in their own order."""
    if kind == "int":
        return list(range(3, 3 + n))
    if kind == "str":
        return [f"s {chr(97 + k)}é.[{k}]" for k in range(n)]
    if kind == "uuid":
        return sorted(uuid.UUID(bytes=rng.bytes(16)) for _ in range(n))
    return list(pd.date_range("2020-01-01", periods=n, freq="D", tz="UTC"))


def typed(table, kind):
    """The numbers of a table in other types."""
    if kind == "float32":
        return table.astype(dict.fromkeys(NUMBERS, "float32"))
    if kind == "int8":
        return table.astype(dict.fromkeys(WHOLE, "int8"))
    if kind == "nullable":
        floats = {name: "Float64" for name in NUMBERS}
        return table.astype(floats | dict.fromkeys(WHOLE, "Int64") | {"correct": "boolean"})
    if kind == "arrow":
        pytest.importorskip("pyarrow")
        floats = dict.fromkeys(NUMBERS, "double[pyarrow]")
        return table.astype(floats | dict.fromkeys(WHOLE, "int64[pyarrow]"))
    return table


@st.composite
def tables(draw):
    """A table in order, and a generator for what is done with it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    given = {
        "contrasts": draw(st.sampled_from(CONTRASTS)),
        "p_left": draw(st.sampled_from(BLOCKS)),
        "block": draw(st.sampled_from([1, 2, 7, 20])),
        "unbiased": draw(st.sampled_from([0, 0, 10])),
        "no_go": draw(st.sampled_from([0.0, 0.0, 0.1, 0.7, 1.0])),
        "skill": draw(st.sampled_from([0.8, 0.8, 0.5, 1.0])),
    }
    lengths = st.lists(st.sampled_from([1, 2, 5, 30, 60]), min_size=1, max_size=4)
    subject_kind = draw(st.sampled_from(["none", "int", "str", "category", "string"]))
    session_kind = draw(st.sampled_from(["int", "str", "uuid", "time"]))
    n_subjects = 1 if subject_kind == "none" else draw(st.integers(1, 3))
    parts = []
    for subject in named("int" if subject_kind == "int" else "str", n_subjects, rng):
        sizes = draw(lengths)
        for session, n in zip(named(session_kind, len(sizes), rng), sizes, strict=True):
            parts.append(session_of(rng, n, **given).assign(subject=subject, session=session))
    table = pd.concat(parts, ignore_index=True)
    if draw(st.booleans()):
        one_sided = draw(st.sampled_from([-1, 1]))
        alone = table.subject == table.subject.iloc[0]
        table.loc[alone, "choice"] = np.abs(table.choice[alone]) * one_sided
        table["correct"] = (table.choice == table.side) & (table.choice != 0)
    if draw(st.booleans()) and len(table) > 3:  # gaps
        table = table[rng.random(len(table)) < 0.9]
        table = table if len(table) else pd.concat(parts, ignore_index=True)
    table = typed(table.reset_index(drop=True), draw(st.sampled_from(KINDS)))
    if subject_kind == "none":
        table = table.drop(columns="subject")
    elif subject_kind in ("category", "string"):
        table["subject"] = table.subject.astype(subject_kind)
        if subject_kind == "category":
            table["subject"] = table.subject.cat.add_categories(["zz nobody"])
    index = draw(st.sampled_from(["rows", "twice", "words"]))
    if index == "twice":
        table.index = np.arange(len(table)) // 2
    elif index == "words":
        table.index = [f"r{k}" for k in range(len(table))]
    return table, rng


KINDS = ["as made", "float32", "int8", "nullable", "arrow"]


def shuffled(table, rng):
    """Row numbers of the table in another order; without trial, those of a session stay in it."""
    order = rng.permutation(len(table))
    if "trial" in table:
        return order
    code = table.groupby(keys_of(table), observed=True).ngroup().to_numpy()
    for session in np.unique(code):
        at = code[order] == session
        order[at] = np.sort(order[at])
    return order


def keys_of(table):
    return [name for name in ("subject", "session") if name in table]


def renamed(table, rng):
    """The same table with other names in the same order, as whole numbers or words."""
    table = table.copy()
    for name in keys_of(table):
        values = table[name]
        if values.dtype == "category":
            table[name] = values.cat.rename_categories(lambda label: f"{label}"[:3] + "x" + label)
            continue
        rank = values.map({label: k for k, label in enumerate(sorted(values.unique()))})
        rank = rank.to_numpy(int) * 5 + int(rng.integers(3))
        table[name] = rank if rng.random() < 0.5 else [f"renamed {k:04d}" for k in rank]
    return table


# ---- what is computed of them ----


def fitted(model, by):
    def compute(table, prior):
        errors = "hessian" if by == "session" else "session"
        fit = mice.fit(table, model, by=by, errors=errors, n_starts=1)
        check_likelihood(fit, table)
        each = {"p_right": fit.p_right, "prior": fit.prior}
        return fit.to_frame().drop(columns=keys_of(fit.names)), each

    return compute


def check_likelihood(fit, table):
    """The likelihood reported is that of the probabilities returned, by unit."""
    choice = table.choice.to_numpy(float)
    for k, rows in enumerate(fit.rows):
        p = np.where(choice[rows] > 0, fit.p_right[rows], 1 - fit.p_right[rows])[choice[rows] != 0]
        rounding = (4e-16 / p).sum()
        assert fit.log_likelihood[k] == pytest.approx(
            np.log(p).sum(), rel=1e-9, abs=1e-9 + rounding
        )
        assert fit.n_trials[k] == (choice[rows] != 0).sum()
    assert sorted(np.concatenate(fit.rows).tolist()) == list(range(len(table)))


def without_names(table):
    names = ("subject", "session", "unit")
    return table.drop(columns=[name for name in names if name in table])


def plain(function, **options):
    def compute(table, prior):
        return without_names(function(table, **options).reset_index()), {}

    return compute


def history(table, prior):
    return behavior.history_regression(table, prior), {}


def included(rules):
    def compute(table, prior):
        number = np.arange(len(table))
        kept, counts = mice.include(table.assign(number=number), rules)
        return counts, {"kept": np.isin(number, kept.number)}

    return compute


COMPUTED = {
    **{f"fit {model}": fitted(model, "subject") for model in MODELS},
    **{
        f"fit {model} pooled": fitted(model, "pooled") for model in ("action_kernel", "history_glm")
    },
    **{f"fit {model} session": fitted(model, "session") for model in ("flat", "psychometric")},
    "summary": plain(behavior.summary),
    "by strength": plain(behavior.by_strength),
    "by block": plain(behavior.by_strength, by=["p_left", "signed_strength"]),
    "by subject": plain(behavior.by_strength, by=["subject", "strength"]),
    "after change": plain(behavior.after_block_change),
    "new side": plain(behavior.takes_new_side),
    "psychometric": plain(behavior.psychometric),
    "history": history,
    "include proficient": included({"easy_correct": 0.6, "both_blocks": True}),
    "include": included({"responded": True, "biased_blocks": True, "min_sessions": 2}),
    "compare": plain(mice.compare, models=["flat", "history_glm"], n_folds=2, n_starts=1),
    "cross-validate": plain(mice.cross_validate, model="psychometric", n_folds=2, n_starts=1),
    "following": plain(mice.block_following, n_pseudo=3),
}


def outcome(name, table, prior):
    """What a function gives, or its error, which must be one of the library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            return COMPUTED[name](table, prior)
        except (TypeError, ValueError) as error:
            raised = traceback.extract_tb(error.__traceback__)[-1].filename
            assert f"{os.sep}hrnn{os.sep}" in raised, f"{name}: {error!r} of {raised}"
            return error


def same(a, b, order=None):
    """Whether two outcomes are one; arrays of rows of `b` are in another order."""
    if isinstance(a, Exception) or isinstance(b, Exception):
        assert type(a) is type(b), (a, b)
        return
    (table_a, each_a), (table_b, each_b) = a, b
    pd.testing.assert_frame_equal(
        table_a, table_b, rtol=1e-9, atol=1e-12, check_dtype=False, check_index_type=False
    )
    for key, values in each_a.items():
        moved = values if order is None else values[order]
        np.testing.assert_allclose(each_b[key], moved, rtol=1e-9, atol=1e-12)


@given(drawn=tables(), name=st.sampled_from(list(COMPUTED)))
@PROFILE
def test_order_and_names_do_not_matter_and_likelihoods_are_those_of_the_probabilities(drawn, name):
    table, rng = drawn
    prior = rng.uniform(0.1, 0.9, len(table))
    before = table.copy(deep=True)
    first = outcome(name, table, prior)
    order = shuffled(table, rng)
    same(first, outcome(name, table.iloc[order], prior[order]), order)
    if name != "by subject":
        same(first, outcome(name, renamed(table, rng), prior))
    pd.testing.assert_frame_equal(table, before, check_exact=True)  # nobody changed it


@given(drawn=tables(), name=st.sampled_from(list(COMPUTED)), data=st.data())
@PROFILE
def test_a_missing_column_is_named_or_not_needed(drawn, name, data):
    table, rng = drawn
    prior = rng.uniform(0.1, 0.9, len(table))
    column = data.draw(st.sampled_from(sorted(set(table.columns) - {"timeout"})))
    left = table.drop(columns=column)
    found = outcome(name, left, prior)
    if isinstance(found, Exception) and not isinstance(outcome(name, table, prior), Exception):
        assert column in str(found) or column == "subject", (name, column, found)
    order = shuffled(left, rng)
    same(found, outcome(name, left.iloc[order], prior[order]), order)


def spoilt(kind, table, rng):
    """The table with one fault, or None where it cannot have it."""
    row = int(rng.integers(len(table)))
    if kind == "twice":
        return pd.concat([table, table.iloc[[row]]], ignore_index=True)
    table = table.reset_index(drop=True)
    wrong = {"correct": not bool(table.correct[row]), "choice": 2, "p_left": 1.5, "session": None}
    if kind == "session":
        table["session"] = table.session.astype(object)
    table.loc[row, kind] = wrong[kind]
    return table


@given(drawn=tables(), name=st.sampled_from(list(COMPUTED)), data=st.data())
@PROFILE
def test_a_contradiction_is_an_error(drawn, name, data):
    table, rng = drawn
    kinds = ["twice", "correct", "p_left"]
    if name != "new side":  # which need not read them, without trials at strength 0
        kinds.append("session")
    if name != "new side" and not name.startswith("include"):  # reads no code of choices
        kinds.append("choice")
    kind = data.draw(st.sampled_from(kinds))
    prior = rng.uniform(0.1, 0.9, len(table) + (kind == "twice"))
    found = outcome(name, spoilt(kind, table, rng), prior)
    assert isinstance(found, (TypeError, ValueError)), (name, kind)
