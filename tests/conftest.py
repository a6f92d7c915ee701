"""What several test files share."""

import pytest

from hrnn import reproduce


@pytest.fixture(scope="session")
def quick_study():
    """A small study with two networks; nobody may change it."""
    return reproduce.study(quick=True, n_networks=2, n_threads=2, progress=False)
