"""Verification: a folder that holds what its record says passes.

And every way to spoil it is found.
"""

import json
import os
import shutil

import numpy as np
import pytest

import hrnn
from hrnn import cli
from hrnn.base import files
from hrnn.populations import ensemble
from hrnn.populations.ensemble import population
from hrnn.populations.member import Member
from hrnn.populations.settings import key_of
from hrnn.study import writing

SMALL = {
    "recipe": hrnn.Recipe(n_steps=3, optimizer="adam"),
    "n_hidden": 4,
    "n_blocks": 24,
    "parts": [],
    "progress": False,
}


@pytest.fixture(scope="module")
def folder(quick_study, tmp_path_factory):
    """A written study, whose networks are small: those of a quick study are not made anew here."""
    folder = tmp_path_factory.mktemp("study")
    writing.write(quick_study, folder, figures=["1"])
    return folder


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "study")


def failed(folder, **options):
    found = hrnn.verify(folder, **{"n_networks": 0, "progress": False} | options)
    return {row.name: row.detail for row in found[~found.same].itertuples()}


def test_a_study_as_it_was_written_passes(folder):
    found = hrnn.verify(folder, n_networks=0, progress=False)
    assert found.same.all() and {
        "figure_1.pdf",
        "report.html",
        "report.json",
        "networks.csv",
    } <= set(found.name)
    assert set(found.what) == {"file", "table"}


def test_spoilt_and_missing_files_are_named(copy):
    (copy / "figure_1.png").write_bytes(b"")
    (copy / "report.md").unlink()
    assert failed(copy) == {
        "figure_1.png": "other bytes than in the manifest",
        "report.md": "missing",
    }


def test_tables_are_compared_with_the_networks(copy):
    """Also where the hashes have been brought in line."""
    rows = json.loads((copy / "report.json").read_text())
    next(row for row in rows if row["name"] == "network.correct")["value"] += 1e-6
    files.write_json(copy / "report.json", rows)
    text = (copy / "networks.csv").read_text().splitlines()
    files.write_text(
        copy / "networks.csv", "\n".join([text[0], text[1].replace("0.", "0.1", 1), text[2]]) + "\n"
    )
    found = hrnn.verify(copy, n_networks=0, progress=False).query("what == 'table' and not same")
    assert found.set_index("name").detail["networks.csv"].startswith(
        "1 of "
    ) and "report.json" in set(found.name)


@pytest.fixture
def small(tmp_path):
    found = population(tmp_path, n_networks=2, **SMALL)
    return tmp_path, found


def test_networks_are_made_anew_bit_for_bit(small):
    folder, found = small
    checks = hrnn.verify(folder, n_networks=2, progress=False)
    assert (
        checks.what.tolist() == ["network"] * 2
        and checks.same.all()
        and sorted(checks.name) == sorted(found.keys)
    )
    assert len(hrnn.verify(folder, n_networks=1, progress=False)) == 1


@pytest.mark.parametrize(
    "change, detail",
    [
        (
            lambda m: {
                "measures": m.measures | {"correct": np.nextafter(m.measures["correct"], 1)}
            },
            "other correct",
        ),
        (
            lambda m: {"network": m.network.with_theta(np.nextafter(m.network.theta, 1))},
            "other weights",
        ),
        (lambda m: {"cpu": "v9"}, "made with kernel v9"),
        (
            lambda m: {
                "measures": m.measures | {"correct": np.nextafter(m.measures["correct"], 1)},
                "blas": "Other",
            },
            "other correct: NumPy's BLAS worked for Other, and here for",
        ),
    ],
)
def test_a_network_that_does_not_come_out_again_is_named(small, change, detail):
    folder, found = small
    member = found.members[0]
    Member(**vars(member) | change(member)).save(folder / f"{found.keys[0]}.npz")
    wrong = failed(folder, n_networks=2)
    assert list(wrong) == [found.keys[0]] and detail in wrong[found.keys[0]]


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be of `hrnn reproduce` or `hrnn population`"):
        hrnn.verify(tmp_path)
    with pytest.raises(ValueError, match="n_networks"):
        hrnn.verify(tmp_path, n_networks=-1)


# ---- hostile folders -----------------------------------------------------------------------------


def command(folder, capsys):
    """What `hrnn verify` says; it ends with a status, not with a traceback."""
    status = cli.main(["verify", str(folder), "--networks", "2"])
    said = capsys.readouterr()
    assert status == 1 and "Traceback" not in said.out + said.err
    return said.out + said.err


def cut(path):
    os.truncate(path, 500)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def other_form(path):
    archive = files.load_archive(path, kind="member")
    config = {name: value for name, value in archive.config.items() if name != "measures"}
    files.save_archive(path, kind="member", config=config, arrays=archive.arrays)


def other_settings(path):
    """A member that says it is of settings that nothing can be made of, and is named after them."""
    archive = files.load_archive(path, kind="member")
    settings = archive.config["settings"] | {"task": {"magic": 1}}
    config = archive.config | {"settings": settings}
    new = path.with_name(f"{key_of(settings)}.npz")
    files.save_archive(new, kind="member", config=config, arrays=archive.arrays)


@pytest.mark.parametrize("spoil", [cut, flip, other_form, other_settings])
def test_a_network_that_cannot_be_read_or_made_is_a_row(small, spoil, capsys):
    folder, found = small
    spoil(folder / f"{found.keys[0]}.npz")
    checks = hrnn.verify(folder, n_networks=3, progress=False)
    bad = checks[~checks.same]
    assert len(bad) == 1 and bad.what.tolist() == ["network"] and bad.detail.tolist() != [""]
    assert bad.name.tolist()[0] in command(folder, capsys)


def test_a_renamed_network_is_not_the_same(small, capsys):
    """It was found to be the same as itself."""
    folder, found = small
    shutil.copy(folder / f"{found.keys[0]}.npz", folder / f"{found.keys[1]}.npz")
    wrong = failed(folder, n_networks=3)
    assert list(wrong) == [found.keys[1]] and found.keys[0] in wrong[found.keys[1]]
    assert "renamed or copied" in command(folder, capsys)


def test_a_folder_in_which_no_network_can_be_read_says_so(small, capsys):
    folder, found = small
    for key in found.keys:
        cut(folder / f"{key}.npz")
    assert sorted(failed(folder, n_networks=2)) == sorted(found.keys)
    assert "2 differ" in command(folder, capsys)


def test_the_table_of_a_population_is_compared_with_its_networks(small, capsys):
    folder, found = small
    found.table.to_csv(folder / "table.csv", index=False)
    assert not failed(folder)
    changed = found.table.assign(value=found.table.value + 1e-6)
    changed.to_csv(folder / "table.csv", index=False)
    assert "numbers differ" in failed(folder)["table.csv"]
    for text in ("", "key,measure\n", "a,b\n1\n", "key,measure,value,low,high\nx,y,z,1,2\n", "\0"):
        (folder / "table.csv").write_text(text)
        assert failed(folder)["table.csv"], text
    assert "table table.csv" in command(folder, capsys)


FORMS = ["", "3", "[]", "{}", "null", '{"hrnn": 3}', '{"sha256": 3}', '[{"name": 1}]', "[" * 10**5]


@pytest.mark.parametrize("text", FORMS)
@pytest.mark.parametrize("name", ["networks/population.json", "manifest.json"])
def test_records_of_another_form_are_named(copy, name, text, capsys):
    (copy / name).write_text(text)
    with pytest.raises(ValueError, match=name.split("/")[-1].replace(".", r"\.")):
        hrnn.verify(copy, n_networks=0, progress=False)
    assert name.split("/")[-1] in command(copy, capsys)


@pytest.mark.parametrize("text", [*FORMS, "key\n", "key,correct\na,b\n", None])
@pytest.mark.parametrize("name", ["networks.csv", "report.json"])
def test_tables_of_another_form_are_rows(copy, name, text):
    if text is None:
        (copy / name).unlink()
    else:
        (copy / name).write_text(text)
    found = hrnn.verify(copy, n_networks=0, progress=False).query("not same")
    assert found[found.name == name].what.tolist() == ["file", "table"]


def test_networks_of_another_version_are_refused(small, monkeypatch):
    monkeypatch.setattr(ensemble, "__version__", "99.0")
    with pytest.raises(ValueError, match=r"must hold networks of this hrnn, 99\.0"):
        hrnn.verify(small[0], progress=False)
