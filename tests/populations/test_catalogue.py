"""The catalogue of measures: complete, checked where names are stored, the same in the docs."""

import dataclasses
import json
import runpy
import types

import numpy as np
import pytest

from hrnn.analysis.anatomy import coupling_name
from hrnn.populations import claims, measures, member
from hrnn.statistics import Estimate
from hrnn.study import report


def test_every_measure_of_the_networks_has_a_row(quick_study):
    names = set(quick_study.population.table.measure)
    assert len(names) > 250 and names <= set(measures.CATALOGUE)
    for found in quick_study.population.members:
        assert set(found.intervals) <= set(found.measures) == set(measures.checked(found.measures))
        assert type(found.measures) is dict


def test_every_measure_of_anatomy_and_distillation_has_a_row(one_network):
    assert set(one_network.measures) <= set(measures.CATALOGUE)


def test_every_row_of_the_report_has_a_row(quick_study, numbers):
    rows = report.rows(quick_study)
    assert all(measures.of_row(row["name"]) for row in rows)
    stored = json.loads(numbers.NUMBERS.read_text())
    for name in (*stored["rows"], *stored["one"]):  # mice and models of choice among them
        assert measures.of_row(name)


def test_nothing_is_catalogued_that_nobody_measures(quick_study, numbers):
    """Every name occurs in the quick study or in the kept report."""
    kept = json.loads(numbers.NUMBERS.read_text())
    made = set(quick_study.population.table.measure)
    made |= {measures.of_row(name).name for name in (*kept["rows"], *kept["one"])}
    assert set(measures.CATALOGUE) - made <= {"no_go"}


def test_rows_are_filled_and_say_themselves_once():
    rows = list(measures.CATALOGUE.values())
    for row in rows:
        for field in ("name", "label", "part", "source", "meaning"):
            assert getattr(row, field).strip(), row
        assert row.part in measures.PARTS and not row.meaning.endswith(".")
    assert len({row.meaning + row.label for row in rows}) == len(rows)
    with pytest.raises(ValueError, match="once, in one of PARTS"):
        measures._unique([rows[0], rows[0]])
    with pytest.raises(ValueError, match="once, in one of PARTS"):
        measures._unique([dataclasses.replace(rows[0], part="elsewhere")])


@pytest.mark.parametrize("value", [0.5, Estimate(0.5, 0.4, 0.6, 10)])
def test_a_name_that_is_not_in_the_catalogue_cannot_be_stored(value):
    found = member.Findings()
    found.group("own", lambda: {"angle_plane": value})
    with pytest.raises(
        KeyError, match="'my_measure' is not in hrnn.populations.measures.CATALOGUE"
    ):
        found.group("own", lambda: {"my_measure": value})
    assert list(found.measures) == ["angle_plane"] and not found.undefined


def test_a_report_has_no_row_without_a_measure():
    assert report._row("network.correct", 0.5, np.nan, np.nan, 3, "")["value"] == 0.5
    with pytest.raises(KeyError, match="'right'"):
        report._row("network.right", 0.5, np.nan, np.nan, 3, "")


def test_a_claim_on_an_unknown_measure_fails_when_claims_are_imported(monkeypatch):
    with pytest.raises(KeyError, match="'angle_plain'"):
        claims.Claim("angle_plain", "", None, 0, 1, "", "4")
    left = {k: v for k, v in measures.CATALOGUE.items() if k != "cliffs_delta"}
    monkeypatch.setattr(measures, "CATALOGUE", left)
    with pytest.raises(KeyError, match="'cliffs_delta'"):
        runpy.run_path(claims.__file__)


def test_the_observers_coupling_is_told_from_the_networks():
    both = [measures.measure(coupling_name(a, "start per prior")) for a in ("network", "observer")]
    assert both[0].label == "side per prior" and both[1].label == "side per prior, observer"


def test_the_page_is_the_catalogue(numbers):
    text = numbers.MEASURES.read_text()
    assert text == measures.page(), "run: python docs/measured.py write"
    assert all(f"| `{name}` |" in text for name in measures.CATALOGUE)


def test_write_puts_the_catalogue_into_its_page(numbers, monkeypatch, tmp_path):
    monkeypatch.setattr(numbers, "MEASURES", tmp_path / "measures.md")
    monkeypatch.setattr(numbers, "TABLES", {})
    numbers.write()
    assert (tmp_path / "measures.md").read_text() == measures.page()


def test_labels_are_those_of_figures():
    found = measures.labels("steps_per_trial", "angle_plane")
    assert found == {"steps_per_trial": "steps per trial", "angle_plane": "angle, plane (°)"}
    row = types.SimpleNamespace(**dataclasses.asdict(measures.measure("radd.A12")))
    assert row.label == "A₁₂"
