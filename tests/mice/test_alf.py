"""ALF sessions: the same session written both ways, folders, tables, ONE's local cache.

The way back; inclusion by name.
"""

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn import mice

COLUMNS = [
    "session",
    "block",
    "trial",
    "trial_in_block",
    "p_left",
    "block_side",
    "side",
    "strength",
    "signed_strength",
    "concordant",
    "choice",
    "correct",
    "timeout",
    "reward",
]


def session(seed=0, n=120):
    """A trials object as ONE gives it: choice -1 is a report of the right side."""
    rng = np.random.default_rng(seed)
    side = rng.choice([-1, 1], n)
    contrast = rng.choice([0, 0.0625, 0.25, 1.0], n)
    right = np.where(rng.random(n) < 0.8, side, -side) * (rng.random(n) > 0.1)
    shown = np.cumsum(rng.uniform(2, 4, n))
    return {
        "contrastLeft": np.where(side < 0, contrast, np.nan),
        "contrastRight": np.where(side > 0, contrast, np.nan),
        "probabilityLeft": np.repeat([0.5, 0.2, 0.8], n // 3),
        "choice": -right.astype(float),
        "feedbackType": np.where(right == side, 1, -1),
        "stimOn_times": shown,
        "response_times": shown + rng.exponential(0.5, n),
        "firstMovement_times": shown + 0.1,
    }


def as_csv(trials, path):
    """The same session in the form of the CSV files, written field by field."""
    left = ~np.isnan(trials["contrastLeft"])
    frame = pd.DataFrame(
        {
            "trial_num": np.arange(1, len(left) + 1),
            "session_num": 1,
            "stim_probability_left": trials["probabilityLeft"],
            "contrast": np.where(left, trials["contrastLeft"], trials["contrastRight"]),
            "position": np.where(left, -35.0, 35.0),
            "response_choice": (-trials["choice"]).astype(int),
            "trial_correct": (trials["feedbackType"] == 1).astype(float),
            "reaction_time": trials["response_times"] - trials["stimOn_times"],
        }
    )
    frame.to_csv(path, index=False)
    return path


def write_folder(trials, folder, table=False):
    folder.mkdir(parents=True)
    if table:
        pd.DataFrame(trials).to_parquet(folder / "_ibl_trials.table.pqt")
    else:
        for name, values in trials.items():
            np.save(folder / f"_ibl_trials.{name}.npy", values)
    return folder


def test_both_forms_of_a_session_give_one_table(tmp_path):
    trials = session()
    csv = mice.load(as_csv(trials, tmp_path / "M.csv"))
    for alf in (
        mice.load(trials),
        mice.load(pd.DataFrame(trials)),
        mice.load(write_folder(trials, tmp_path / "alf")),
    ):
        pd.testing.assert_frame_equal(alf[COLUMNS], csv[COLUMNS])
        np.testing.assert_allclose(alf.response_time, csv.response_time, atol=1e-9)
    right = csv[csv.signed_strength > 0.9]
    assert (right.choice[right.correct] == 1).all() and csv.correct.mean() > 0.6


def test_sign_by_hand():
    """A rightward report (-1) to a stimulus on the right is correct."""
    trials = {
        "contrastLeft": [np.nan, 0.0],
        "contrastRight": [1.0, np.nan],
        "probabilityLeft": [0.5, 0.2],
        "choice": [-1, 0],
        "feedbackType": [1, -1],
    }
    found = mice.load(trials)
    assert (
        found.choice.tolist() == [1, 0]
        and found.side.tolist() == [1, -1]
        and found.correct.tolist() == [True, False]
    )
    assert found.block_side.tolist() == [0, 1] and found.response_time.isna().all()


def test_a_tree_of_folders_is_read_by_subject_and_date(tmp_path):
    for subject, date, seed in (
        ("KS01", "2020-01-02", 1),
        ("KS01", "2020-01-01", 2),
        ("DY02", "2019-05-05", 3),
    ):
        write_folder(session(seed), tmp_path / "lab" / "Subjects" / subject / date / "001" / "alf")
    found = mice.load(tmp_path)
    assert found.groupby("subject").session.nunique().to_dict() == {"DY02": 1, "KS01": 2}
    first = found[(found.subject == "KS01") & (found.session == 0)].reset_index(drop=True)
    pd.testing.assert_frame_equal(first[COLUMNS[2:]], mice.load(session(2))[COLUMNS[2:]])
    assert set(mice.load(tmp_path, subjects=["DY02"]).subject) == {"DY02"}


def test_aggregated_tables_are_read(tmp_path):
    pytest.importorskip("pyarrow")
    pd.testing.assert_frame_equal(
        mice.load(write_folder(session(), tmp_path / "alf", table=True))[COLUMNS],
        mice.load(session())[COLUMNS],
    )


def test_the_way_back(tmp_path):
    table = pd.concat(
        [mice.load(as_csv(session(k), tmp_path / f"M{k}.csv")) for k in (0, 1)], ignore_index=True
    )
    back = mice.to_alf(table)
    assert sorted(back) == [("M0", 0), ("M1", 0)]
    for (subject, _), trials in back.items():
        again = mice.load(trials)
        before = table[table.subject == subject].reset_index(drop=True)
        pd.testing.assert_frame_equal(again[COLUMNS], before[COLUMNS])
        np.testing.assert_allclose(again.response_time, before.response_time, atol=1e-9)
    with pytest.raises(ValueError, match="must be known, but row 3 is 0"):
        mice.to_alf(table.assign(side=np.where(np.arange(len(table)) == 3, 0, table.side)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_sessions_through_a_local_one(tmp_path, monkeypatch):
    pytest.importorskip("one")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    from one.alf.cache import make_parquet_db
    from one.api import One

    root = tmp_path / "cache"
    for date, seed in (("2020-01-01", 1), ("2020-01-02", 2)):
        write_folder(session(seed), root / "lab" / "Subjects" / "KS01" / date / "001" / "alf")
    make_parquet_db(root)
    one = One(cache_dir=root, mode="local")
    eids = sorted(one.search(), key=lambda eid: str(one.get_details(eid)["date"]))
    found = mice.from_one(one, eids)
    assert set(found.subject) == {"KS01"} and found.session.nunique() == 2
    pd.testing.assert_frame_equal(
        found[found.session == 0][COLUMNS], mice.load(session(1))[COLUMNS]
    )
    with pytest.raises(ValueError, match="at least one session"):
        mice.from_one(one, [])


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda t: t.pop("choice"), "lacks choice"),
        (lambda t: t.update(choice=t["choice"][:-1]), "arrays of one length"),
        (
            lambda t: t["contrastLeft"].__setitem__(slice(None), np.nan),
            "exactly one of contrastLeft and contrastRight",
        ),
        (
            lambda t: t["contrastRight"].__setitem__(slice(None), 0.5),
            "exactly one of contrastLeft and contrastRight",
        ),
        (lambda t: t["choice"].__setitem__(5, 2), "row 5: choice must be -1, 0 or 1"),
        (
            lambda t: t["feedbackType"].__setitem__(7, -t["feedbackType"][7]),
            "row 7: feedbackType must be 1 where",
        ),
        (lambda t: t["probabilityLeft"].__setitem__(0, 1.2), "row 0: probabilityLeft must be in"),
    ],
)
def test_malformed_sessions_name_their_rows(spoil, message):
    trials = {name: values.copy() for name, values in session().items()}
    spoil(trials)
    with pytest.raises(ValueError, match=message):
        mice.load(trials)


def test_text_is_no_number_and_empty_folders_hold_no_mice(tmp_path):
    with pytest.raises(TypeError, match="choice"):
        mice.load(session() | {"choice": np.array(["left"] * 120)})
    with pytest.raises(FileNotFoundError, match="no ALF session under it"):
        mice.load(tmp_path)


def test_another_protocol_is_kept_with_a_warning():
    with pytest.warns(UserWarning, match=r"p_left of 0.7"):
        assert len(mice.load(session() | {"probabilityLeft": np.full(120, 0.7)})) == 120


# ---- inclusion -----------------------------------------------------------------------------------
# ------------------


@pytest.fixture(scope="module")
def table():
    task = hrnn.Task.preset("ibl", contrast_gain=1.0)
    tasks = (task.replace(n_blocks=n, noise_sd=0.05) for n in (8, 1))
    good, short = (
        hrnn.rollout(hrnn.BayesianActor(), t.sample(n_sessions=3, rng=0)).trials for t in tasks
    )
    return pd.concat([good.assign(subject="a"), short.assign(subject="b")], ignore_index=True)


def test_rules_drop_what_they_say_in_their_order(table):
    kept, counts = mice.include(table, {"min_trials": 250, "both_blocks": True, "responded": True})
    assert set(kept.subject) == {"a"} and (kept.choice != 0).all()
    assert (
        counts.sessions_dropped.tolist() == [3, 0, 0]
        and counts.trials_dropped[0] == (table.subject == "b").sum()
    )
    assert len(kept) == len(table) - counts.trials_dropped.sum()
    assert (mice.include(table, "biased")[0].block_side != 0).all()
    assert mice.include(table, {"min_sessions": 3})[1].trials_dropped[0] == 0


def test_easy_trials_decide_on_proficiency(table):
    fails = (table.subject == "a") & (table.session == 1) & (table.strength == 1)
    wrong = hrnn.behavior.with_choice(table, np.where(fails, -table.side, table.choice))
    kept, counts = mice.include(wrong, {"easy_correct": 0.5})
    assert counts.sessions_dropped[0] == 1 and set(kept[kept.subject == "a"].session) == {0, 2}


@pytest.mark.parametrize(
    "rules, message",
    [
        ("nice", "rules must be one of"),
        ({"magic": 1}, "rules must be among"),
        ({}, "got none"),
        ({"min_trials": 10**6}, "leaves nothing"),
        ({"easy_correct": 2}, "easy_correct must be in"),
        ({"responded": 1}, "responded must be True"),
    ],
)
def test_unknown_rules_are_named(table, rules, message):
    with pytest.raises(ValueError, match=message):
        mice.include(table, rules)
