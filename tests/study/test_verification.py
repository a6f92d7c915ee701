"""Verification: a folder that holds what its record says passes.

And every way to spoil it is found.
"""

import json
import shutil

import numpy as np
import pytest

import hrnn
from hrnn.base import files
from hrnn.populations.ensemble import population
from hrnn.populations.member import Member
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
