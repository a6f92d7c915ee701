"""Every example in a docstring runs and shows what it says; every public function has one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import hrnn

NOT_OURS = ("hrnn.__main__", "hrnn._core", "hrnn.libscipy_openblas")
FOUND = [module.name for module in pkgutil.walk_packages(hrnn.__path__, "hrnn.")]
MODULES = ["hrnn", *(name for name in FOUND if name not in NOT_OURS)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


RESULTS = (
    "Estimate",
    "FixedPoints",
    "Observation",
    "Population",
    "Rollout",
    "Sessions",
    "Training",
)  # what functions return


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in hrnn.__all__
        if name not in RESULTS and not inspect.ismodule(getattr(hrnn, name))
    ],
)
def test_public_objects_have_an_example(name):
    thing = getattr(hrnn, name)
    if not (inspect.isclass(thing) and issubclass(thing, Exception)) and name != "Network":
        assert ">>>" in inspect.getdoc(thing)
