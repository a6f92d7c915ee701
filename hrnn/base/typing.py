"""Types that many signatures share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class HasTrials(Protocol):
    """What carries a trial table, such as a `Rollout`."""

    @property
    def trials(self) -> Any:
        """The trial table, a DataFrame with one row a trial; a cached property, too."""
        ...


if TYPE_CHECKING:
    Seed = int | np.random.SeedSequence | None  # that something was made of, if it is known
    RNGLike = int | np.random.SeedSequence | np.random.Generator
    Trials = pd.DataFrame | HasTrials
