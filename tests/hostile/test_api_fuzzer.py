"""Wrong arguments of every public callable: named errors alone; the tool is beside this file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FUZZER = Path(__file__).with_name("api_fuzzer.py")
FORGED = ("Fit(", "Decoder(", "Population(", "Member(", "Pca(", "Rollout(", "Observation(")


def defects(n, seed):
    """What the fuzzer finds in n inputs, results with forged insides apart."""
    ran = subprocess.run(
        [sys.executable, str(FUZZER), "--n", str(n), "--seed", str(seed)],
        capture_output=True,
        text=True,
        timeout=1800,
        check=True,
    )
    lines = ran.stdout.splitlines()
    assert lines[-1].startswith("{'") and "worked" in lines[-1]
    found = [json.loads(line) for line in lines if line.startswith('{"')]
    return [one for one in found if not any(name in str(one["wrong"]) for name in FORGED)]


def test_wrong_arguments_of_everything_public_are_named():
    assert defects(300, 11) == []


@pytest.mark.slow
def test_many_wrong_arguments_of_everything_public():
    assert len(defects(5000, 12)) <= 25  # of tables for figures, and the like
