"""What several test files share."""

import signal

import pytest

from hrnn import reproduce

signal.signal(signal.SIGINT, signal.default_int_handler)  # a runner in the background ignores it, and so would its children


@pytest.fixture(scope="session")
def quick_study():
    """A small study with two networks, and without mice wherever they may be; nobody may change it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HRNN_DATA_DIR", raising=False)
        return reproduce.study(quick=True, n_networks=2, n_threads=2, progress=False)
