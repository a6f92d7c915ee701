"""Whose row is this: every door gives each row its mouse, session and trial, or says why not."""

import os

import numpy as np
import pandas as pd
import pytest

import hrnn
from hrnn import mice
from hrnn.behavior.trials import trial_order

ATTRIBUTES = ["contrastLeft", "contrastRight", "probabilityLeft", "choice", "feedbackType"]


def session(seed=0, n=130, p_left=None):
    """A trials object as ONE gives it, of a mouse that is right in eight of ten trials."""
    rng = np.random.default_rng(seed)
    if p_left is None:
        p_left = np.r_[np.full(90, 0.5), np.full(n - 90, 0.2)]
    side = np.where(rng.random(n) < p_left, -1, 1)
    contrast = rng.choice([0, 0.0625, 0.125, 0.25, 1.0], n)
    right = np.where(rng.random(n) < 0.8, side, -side)
    shown = np.cumsum(rng.uniform(2, 4, n))
    return {
        "contrastLeft": np.where(side < 0, contrast, np.nan),
        "contrastRight": np.where(side > 0, contrast, np.nan),
        "probabilityLeft": np.asarray(p_left, float),
        "choice": -right.astype(float),
        "feedbackType": np.where(right == side, 1.0, -1.0),
        "stimOn_times": shown,
        "response_times": shown + 0.4,
        "firstMovement_times": shown + 0.2,
        "goCue_times": shown + 0.01,
    }


def put(trials, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in trials.items():
        np.save(folder / f"_ibl_trials.{name}.npy", values)
    return folder


def choices(trials):
    """Choices with right positive, as in the table."""
    return (-trials["choice"]).astype(int).tolist()


def sessions_of(table):
    """Choices of every session, {(subject, session): list}."""
    groups = table.groupby(["subject", "session"], sort=True)
    return {key: part.choice.tolist() for key, part in groups}


# ---- tables of many sessions ----


def aggregate():
    """A table as `one.load_aggregate` gives it: two mice, sessions newest first, rows shuffled."""
    parts = []
    for subject, day, number, seed in (
        ("KS01", "2020-01-03", 1, 3),
        ("KS01", "2020-01-02", 2, 2),
        ("KS01", "2020-01-02", 1, 1),
        ("DY02", "2019-05-05", 1, 4),
    ):
        parts.append(
            pd.DataFrame(session(seed)).assign(
                session=f"eid{9 - seed}",
                subject=subject,
                session_start_time=pd.Timestamp(day) + pd.Timedelta(hours=number),
                session_number=number,
                task_protocol="biased",
            )
        )
    return pd.concat(parts)


def test_a_table_of_many_sessions_is_told_apart_and_put_in_order_of_time():
    table = mice.load(aggregate())
    expected = {("DY02", 0): 4, ("KS01", 0): 1, ("KS01", 1): 2, ("KS01", 2): 3}
    assert sessions_of(table) == {key: choices(session(seed)) for key, seed in expected.items()}
    assert table[table.subject == "KS01"].eid.unique().tolist() == ["eid8", "eid7", "eid6"]
    assert set(table.protocol) == {"biased"} and "goCue_times" in table
    assert table.number.tolist() == table.number.astype(int).tolist()


def test_rows_of_a_table_in_any_order_where_trials_are_numbered():
    frame = pd.concat(
        [pd.DataFrame(session(k)).assign(session=k, trial=np.arange(130)) for k in range(3)]
    )
    shuffled = frame.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(mice.load(shuffled), mice.load(frame))
    assert sessions_of(mice.load(shuffled))[("subject", 2)] == choices(session(2))
    with pytest.raises(ValueError, match="each trial must be there once"):
        mice.load(pd.concat([frame, frame.iloc[:5]]))


@pytest.mark.parametrize(
    "given",
    [
        lambda: {"a": session(1), "b": session(2)},
        lambda: {"a": pd.DataFrame(session(1)), "b": pd.DataFrame(session(2))},
        lambda: [session(1), session(2)],
        lambda: [pd.DataFrame(session(1)), session(2)],
    ],
)
def test_several_trials_objects_are_several_sessions(given):
    table = mice.load(given(), subject="M")
    assert sessions_of(table) == {("M", 0): choices(session(1)), ("M", 1): choices(session(2))}
    assert len(mice.fit(table, "flat", by="session", errors="hessian", n_starts=1).names) == 2


def test_loads_that_are_joined_without_names_are_refused_where_they_are_used():
    joined = pd.concat([mice.load(session(1)), mice.load(session(2))], ignore_index=True)
    with pytest.raises(ValueError, match="must have each trial once"):
        mice.fit(joined, "flat")
    named = pd.concat([mice.load(session(k), subject=f"m{k}") for k in (1, 2)])
    assert mice.fit(named, "flat", errors="hessian", n_starts=1).names.subject.tolist() == [
        "m1",
        "m2",
    ]


# ---- folders ----


def test_folders_of_one_name_in_two_mice(tmp_path):
    for subject, seed in (("A", 1), ("B", 2)):
        put(session(seed), tmp_path / "plain" / subject / "ses-01")
        put(session(seed), tmp_path / "dated" / subject / "2020_01_01" / "001" / "alf")
    for kind in ("plain", "dated"):
        found = sessions_of(mice.load(tmp_path / kind))
        assert found == {("A", 0): choices(session(1)), ("B", 0): choices(session(2))}


def test_sessions_of_a_mouse_are_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 2, 1):
        put(session(number), tmp_path / "M" / f"ses-{number}")
        put(
            session(number),
            tmp_path / "L" / "lab" / "Subjects" / "M" / "2020-01-01" / f"{number:03}",
        )
    for root in (tmp_path / "M", tmp_path / "L"):
        table = mice.load(root)
        assert set(table.subject) == {"M"}
        assert [part for part in sessions_of(table).values()] == [
            choices(session(number)) for number in (1, 2, 10)
        ]


def test_of_dated_revisions_the_newest_counts_attribute_by_attribute(tmp_path):
    alf = tmp_path / "lab" / "Subjects" / "M" / "2020-01-01" / "001" / "alf"
    old, new = session(1), session(2)
    put(old, alf)
    put(session(3), alf / "#2021-01-01#")
    put({name: new[name] for name in ATTRIBUTES}, alf / "#2025-03-03#")
    table = mice.load(tmp_path)
    assert sessions_of(table) == {("M", 0): choices(new)}
    assert table.date.unique().tolist() == ["2020-01-01"] and set(table.lab) == {"lab"}


def test_one_name_in_two_labs_is_refused(tmp_path):
    for lab in ("a", "b"):
        put(session(1), tmp_path / lab / "Subjects" / "M" / "2020-01-01" / "001" / "alf")
    with pytest.raises(ValueError, match="a subject must be in one folder, but M is in"):
        mice.load(tmp_path)


def test_a_copy_of_a_session_is_refused(tmp_path):
    for place in ("disk1", "disk2"):
        put(session(1), tmp_path / place / "M" / "2020-01-01" / "001" / "alf")
    with pytest.raises(ValueError, match="are the same session of M"):
        mice.load(tmp_path)


def test_a_path_that_tells_no_mouse_is_refused(tmp_path):
    put(session(1), tmp_path / "lab" / "mouseA")
    with pytest.raises(ValueError, match="the path must tell the subject and the session"):
        mice.load(tmp_path)


def test_links_are_followed_once(tmp_path):
    put(session(1), tmp_path / "data" / "M" / "2020-01-01" / "001")
    root = tmp_path / "links"
    root.mkdir()
    os.symlink(tmp_path / "data" / "M", root / "M")
    os.symlink(root, root / "loop")
    assert sessions_of(mice.load(root)) == {("M", 0): choices(session(1))}


def test_names_with_uuids_and_columns_of_matlab(tmp_path):
    folder = tmp_path / "M" / "2020-01-01" / "001" / "alf"
    folder.mkdir(parents=True)
    uuid = "0f7de5a1-5a5c-4f0e-9c3f-6f7d9a2a9f10"
    for name, values in session(1).items():
        np.save(folder / f"_ibl_trials.{name}.{uuid}.npy", values[:, None])
    assert sessions_of(mice.load(tmp_path)) == {("M", 0): choices(session(1))}
    np.save(folder / "_ibl_trials.choice.npy", session(1)["choice"])
    with pytest.raises(ValueError, match="must have one file of choice, but has"):
        mice.load(tmp_path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-100]),
        lambda file: file.write_bytes(b"PK\x03\x04junk"),
        lambda file: file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
        lambda file: np.save(file, np.array([{}, None], object)),
        lambda file: np.save(file, np.float64(3)),
        lambda file: file.write_bytes(
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, "
            b"'shape': (1000000000000,), }" + b" " * 37 + b"\n"
        ),
    ],
)
def test_a_damaged_array_is_named(tmp_path, spoil):
    file = put(session(1), tmp_path / "M" / "2020-01-01") / "_ibl_trials.choice.npy"
    spoil(file)
    with pytest.raises(ValueError, match=r"_ibl_trials\.choice\.npy") as caught:
        mice.load(tmp_path)
    assert "unsafe" not in str(caught.value) and "allow_pickle" not in str(caught.value)


def test_a_damaged_table_is_named(tmp_path):
    pytest.importorskip("pyarrow")
    folder = tmp_path / "M" / "2020-01-01"
    folder.mkdir(parents=True)
    file = folder / "_ibl_trials.table.pqt"
    pd.DataFrame(session(1)).to_parquet(file)
    data = bytearray(file.read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(40):
        flipped = bytearray(data)
        flipped[rng.integers(len(data))] ^= 1 << rng.integers(8)
        file.write_bytes(bytes(flipped[: rng.integers(len(data) // 2, len(data) + 1)]))
        try:
            mice.load(tmp_path)
        except ValueError as error:
            assert str(folder) in str(error)


def test_all_malformed_sessions_are_named_at_once_or_left_out(tmp_path):
    for number in range(1, 6):
        put(session(number), tmp_path / "M" / "2020-01-01" / f"{number:03}")
    (tmp_path / "M" / "2020-01-01" / "002" / "_ibl_trials.choice.npy").unlink()
    (tmp_path / "M" / "2020-01-01" / "004" / "_ibl_trials.feedbackType.npy").write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"(?s)2 of 5 sources.*002.*lacks choice.*004.*feedbackType"
    ):
        mice.load(tmp_path)
    with pytest.warns(UserWarning, match="2 of 5 sources are left out"):
        table = mice.load(tmp_path, on_error="skip")
    assert list(sessions_of(table).values()) == [choices(session(k)) for k in (1, 3, 5)]
    out = mice.left_out(table)
    assert len(out) == 2 and "lacks choice" in out.reason[0] and out.source[1].endswith("004")
    with pytest.raises(ValueError, match="on_error must be one of"):
        mice.load(tmp_path, on_error="ignore")


def test_a_file_of_participants_beside_sessions_is_said(tmp_path):
    put(session(1), tmp_path / "M" / "2020-01-01" / "001")
    (tmp_path / "participants.csv").write_text("name,age\nM,3\n")
    with pytest.warns(UserWarning, match="holds ALF sessions, which are read, and CSV files"):
        assert set(mice.load(tmp_path).subject) == {"M"}


# ---- ONE ----


class FakeOne:
    """What `from_one` asks of ONE: sessions are found newest first."""

    def __init__(self, n=3):
        self.sessions = {f"eid-{k}": (f"2020-01-0{k}", session(k)) for k in range(1, n + 1)}

    def search(self):
        return sorted(self.sessions, reverse=True)

    def get_details(self, eid):
        return {"subject": "KS01", "date": self.sessions[eid][0], "number": 1, "lab": "cortex"}

    def load_object(self, eid, name):
        return self.sessions[eid][1]


def test_sessions_through_one_are_in_the_order_of_their_dates():
    one = FakeOne()
    table = mice.from_one(one, one.search())
    assert list(sessions_of(table).values()) == [choices(session(k)) for k in (1, 2, 3)]
    assert table.eid.unique().tolist() == ["eid-1", "eid-2", "eid-3"]
    assert {"date", "number", "lab", "goCue_times"} <= set(table.columns)
    with pytest.raises(ValueError, match="eids must name each session once"):
        mice.from_one(one, ["eid-1", "eid-1"])
    one.sessions["eid-2"] = ("2020-01-02", {"choice": [1]})
    with pytest.raises(ValueError, match="eid-2 must have contrastLeft"):
        mice.from_one(one, one.search())
    with pytest.warns(UserWarning, match="1 of 3 sources"):
        assert mice.from_one(one, one.search(), on_error="skip").session.nunique() == 2


# ---- any table ----


def own_table(seed=0, n=200):
    """A table with names of its own and no more than the minimum."""
    rng = np.random.default_rng(seed)
    p = np.repeat([0.3, 0.7], n // 2)
    side = np.where(rng.random(n) < p, -1, 1)
    signed = side * rng.choice([0.05, 0.2, 0.9], n)
    response = np.where(rng.random(n) < 0.9, side, -side)
    return pd.DataFrame({"resp": response, "con": signed, "pl": p, "rt": 0.3, "note": "x"})


NAMES = {"resp": "choice", "con": "signed_strength", "pl": "p_left", "rt": "response_time"}


@pytest.mark.filterwarnings("ignore:.*another protocol")
@pytest.mark.parametrize("columns", [NAMES, {ours: theirs for theirs, ours in NAMES.items()}])
def test_any_table_by_the_names_of_its_columns(columns):
    own = own_table()
    table = mice.from_frame(own, columns=columns, subject="M")
    side = np.sign(own.con).astype(int)
    assert table.side.tolist() == side.tolist() and set(table.subject) == {"M"}
    assert table.correct.tolist() == (own.resp == side).tolist()
    assert table.block_side.tolist() == np.sign(0.5 - own.pl).astype(int).tolist()
    assert table.trial_in_block.tolist() == list(range(100)) * 2
    assert table.block.tolist() == [0] * 100 + [1] * 100
    assert table.concordant.tolist() == (side == np.sign(0.5 - own.pl)).tolist()
    assert (table.note == "x").all() and (table.response_time == 0.3).all()
    for use in (
        hrnn.behavior.summary,
        hrnn.behavior.psychometric,
        lambda t: mice.fit(t, errors="hessian", n_starts=1),
    ):
        use(table)


def test_a_table_that_was_read_is_read_again_as_it_is():
    table = mice.load(aggregate())
    pd.testing.assert_frame_equal(mice.from_frame(table)[table.columns], table)
    pd.testing.assert_frame_equal(
        mice.load(table.sample(frac=1, random_state=0))[table.columns], table
    )


def test_at_contrast_0_correct_tells_the_side():
    frame = pd.DataFrame({"choice": [1, 1, -1, 0], "signed_strength": 0.0, "p_left": 0.5})
    told = mice.from_frame(frame.assign(correct=[1, 0, 0, 0]))
    assert told.side.tolist() == [1, -1, 1, 0]
    with pytest.raises(ValueError, match="at contrast 0 side or correct tells it"):
        mice.from_frame(frame)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"choice": [0, 1, 1, 0]}, "correct must be 1"),
        ({"choice": [1, 2, 2, 1]}, "choice must be -1"),
        ({"choice": ["left", "right", "right", "left"]}, "choice must hold numbers"),
        ({"choice": [-1, np.nan, 1, -1]}, "choice must not be missing, but row 1"),
        ({"p_left": 80}, "p_left must be in"),
        ({"signed_strength": np.inf}, "strength must be 0 or more|sign"),
        ({"side": [1, 1, -1, -1]}, "signed_strength must be side"),
        ({"reward": [1, 1, 1, 1], "correct": [1, 1, 1, 0], "choice": [-1, 1, 1, 1]}, "reward must"),
        ({"timeout": True}, "'timeout' must be what follows"),
        ({"block_side": 1}, "'block_side' must be what follows"),
        ({"subject": ["a", None, "a", "a"]}, "subject'\\] must not be missing, but row 1"),
        ({"trial": [0, 1, 1, 2]}, "each trial must be there once"),
        ({"trial": [0, 1, 1.5, 2]}, "must hold whole numbers"),
        ({"date": 5}, "must hold dates"),
    ],
)
def test_what_a_table_may_not_hold_is_named(change, message):
    good = pd.DataFrame(
        {
            "choice": [-1, 1, 1, -1],
            "signed_strength": [-0.5, 0.5, 1.0, -1.0],
            "p_left": 0.5,
            "correct": [1, 1, 1, 1],
        }
    )
    assert len(mice.from_frame(good)) == 4
    with pytest.raises((ValueError, TypeError), match=message):
        mice.from_frame(good.assign(**change))


@pytest.mark.parametrize(
    "columns, error, message",
    [
        ("choice", TypeError, "columns must be a dict"),
        ({"nowhere": "choice"}, ValueError, "columns must name columns of frame"),
        ({"resp": "answer"}, ValueError, "columns must map to names among"),
    ],
)
def test_names_that_are_none_are_refused(columns, error, message):
    with pytest.raises(error, match=message):
        mice.from_frame(own_table(), columns=columns)


# ---- times ----


def test_times_have_a_rule():
    trials = session(1)
    trials["response_times"][3] = np.inf
    trials["response_times"][4] = np.nan
    trials["firstMovement_times"][5] = trials["stimOn_times"][5] - 1
    with pytest.warns(UserWarning, match="1 trials have an infinite response_time, .* session 0"):
        table = mice.load(trials)
    assert table.response_time.isna().tolist() == [i in (3, 4) for i in range(130)]
    np.testing.assert_allclose(table.response_time.dropna(), 0.4)
    assert table.reaction_time[5] == pytest.approx(-1)
    np.testing.assert_allclose(table.reaction_time.drop(5), 0.2)


def test_masked_entries_are_missing():
    trials = session(1)
    masked = np.ma.masked_array(trials["response_times"], np.arange(130) == 7)
    assert mice.load(trials | {"response_times": masked}).response_time.isna().sum() == 1
    with pytest.raises(ValueError, match="row 7: choice must be -1, 0 or 1"):
        mice.load(trials | {"choice": np.ma.masked_array(trials["choice"], np.arange(130) == 7)})


# ---- protocols ----


def test_sessions_of_other_protocols_are_kept_and_named():
    alternating = np.r_[np.full(90, 0.5), np.tile([0.2, 0.8], 20)]
    for p_left, message in (
        (alternating, "40 trials are in sessions with blocks of fewer than 20 trials"),
        (np.full(130, 0.5), "130 trials are in sessions without a biased block"),
        (np.r_[np.full(90, 0.5), np.ones(40)], "40 trials have a p_left of 1, not"),
        (np.r_[np.full(90, 0.5), np.zeros(40)], "40 trials have a p_left of 0, not"),
        (np.full(130, 0.3), "130 trials have a p_left of 0.3"),
    ):
        with pytest.warns(UserWarning, match=f"{message}.*M session 0"):
            assert len(mice.load(session(1, p_left=p_left), subject="M")) == 130


def blocks(p_left, trial=None):
    n = len(p_left)
    table = pd.DataFrame({"session": 0, "p_left": p_left, "choice": 1, "side": 1})
    table = table.assign(correct=True, strength=1.0, block_side=np.sign(0.5 - table.p_left))
    return table if trial is None else table.assign(trial=trial[:n])


def test_rules_of_blocks_mean_runs():
    true_blocks = np.r_[np.full(90, 0.5), np.full(25, 0.2), np.full(20, 0.8), np.full(3, 0.2)]
    kept = mice.include(blocks(true_blocks), {"both_blocks": True, "biased_blocks": True})[0]
    assert len(kept) == 48
    one_by_one = np.r_[np.full(90, 0.5), np.tile([0.2, 0.8], 20)]
    for rule in ("both_blocks", "biased_blocks"):
        with pytest.raises(ValueError, match="leaves nothing"):
            mice.include(blocks(one_by_one), {rule: True})
        assert len(mice.include(blocks(one_by_one), {rule: 1})[0])
    with pytest.raises(ValueError, match="both_blocks must be"):
        mice.include(blocks(true_blocks), {"both_blocks": False})


def test_blocks_are_as_long_after_trials_were_left_out():
    p_left = np.r_[np.full(90, 0.5), np.full(20, 0.2), np.full(20, 0.8), np.full(20, 0.2)]
    table = mice.load(session(2, n=150, p_left=p_left))
    few = table[table.trial % 3 == 0]
    assert len(mice.include(few, {"biased_blocks": True})[0]) == 20
    assert (np.diff(trial_order(few)) == 1).all()


def test_each_of_several_malformed_sessions_is_named_once():
    table = pd.DataFrame(session(1)).assign(session=np.repeat(["x", "y"], 65), subject="m")
    with pytest.raises(ValueError, match="2 of 2 sources are malformed") as raised:
        mice.load(table.assign(choice="left"))
    lines = str(raised.value).splitlines()[1:]
    assert len(lines) == 2
    assert [line.count("session x") + line.count("session y") for line in lines] == [1, 1]


def timeless(name, seed):
    columns = ["contrastLeft", "contrastRight", "probabilityLeft", "choice", "feedbackType"]
    return pd.DataFrame(session(seed))[columns].assign(session=name, subject="m")


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda a, b: pd.concat([a[:50], b, a[50:]]), "session x.* rows stand in 2 places"),
        (lambda a, b: pd.concat([a, b, a]), "session x.* rows stand in 2 places"),
        (lambda a, b: pd.concat([a, b]).sort_values("choice", kind="stable"), "stand in 2 places"),
        (lambda a, b: pd.concat([a, a, b]), "session x.* 130 rows are there 2 times over"),
        (lambda a, b: pd.concat([a, a, a]), "130 rows are there 3 times over"),
    ],
)
def test_rows_whose_order_nobody_tells_are_refused(spoil, message):
    one, two = timeless("x", 0), timeless("y", 1)
    with pytest.raises(ValueError, match=message):
        mice.load(spoil(one, two))


def test_rows_in_the_order_of_trials_are_of_one_session_each():
    one, two = timeless("x", 0), timeless("y", 1)
    assert choices(one) + choices(two) == mice.load(pd.concat([one, two])).choice.tolist()


@pytest.mark.parametrize("spoil", [lambda t: t[::-1], lambda t: t.sample(frac=1, random_state=0)])
def test_times_that_go_back_are_refused(spoil):
    one, two = pd.DataFrame(session()), pd.DataFrame(session(1))
    with pytest.raises(ValueError, match="must be in the order of trials.* goCue_times goes back"):
        mice.load(spoil(one))
    with pytest.raises(ValueError, match="or give a column session"):
        mice.load(pd.concat([one, two]))
    numbered = one.assign(trial=np.arange(130))
    pd.testing.assert_frame_equal(mice.load(spoil(numbered)), mice.load(numbered))
    one.loc[[3, 7], "goCue_times"] = np.nan
    assert len(mice.load(one)) == 130
