"""What several test files share."""

import dataclasses
import importlib.util
import signal
from pathlib import Path

import pytest

from hrnn.study import reproduction

signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # a runner in the background ignores it, and so would its children


@pytest.fixture(scope="session")
def numbers():
    """The script that makes the numbers of README and docs."""
    path = Path(__file__).parents[1] / "docs" / "measured.py"
    spec = importlib.util.spec_from_file_location("numbers_of_docs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def quick_study():
    """A small study with two networks, and without mice wherever they may be.

    Nobody may change it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HRNN_DATA_DIR", raising=False)
        return reproduction.study(quick=True, n_networks=2, n_threads=2, progress=False)


@pytest.fixture(scope="session")
def one_network(quick_study):
    """The same study as if only its first network had been trained."""
    population = quick_study.population
    table = population.table[population.table.key == population.keys[0]]
    return dataclasses.replace(quick_study, population=dataclasses.replace(population, table=table))
