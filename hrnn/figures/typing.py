"""What the figures ask of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from hrnn.populations import Population
    from hrnn.rollout import Rollout
    from hrnn.task import Sessions, Task


class StudyLike(Protocol):
    """Networks and agents on the same sessions, such as a `study.Study`.

    A `OneNetwork` has the part of it that figures of one network need. What a study keeps once it
    is computed is Any here: to type checkers a cached property is no property.
    """

    task: Task
    sessions: Sessions
    population: Population
    runs: dict[str, Rollout]
    bound: NDArray[np.bool_]
    thresholds: pd.DataFrame
    penalties: pd.DataFrame
    variations: pd.DataFrame
    mice: pd.DataFrame | None
    distillation: Any

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        ...

    @property
    def wide(self) -> Any:
        """One row per network, one column per measure."""
        ...

    @property
    def verdicts(self) -> Any:
        """Claims and whether the networks bear them out, one row per claim."""
        ...

    @property
    def anatomy(self) -> Any:
        """The first network taken apart."""
        ...

    @property
    def over_networks(self) -> Any:
        """Mean of every measure over networks, by name; empty for one network."""
        ...

    @property
    def measures(self) -> Any:
        """Measures by name: over networks, or of the one there is over sessions."""
        ...

    @property
    def beside(self) -> Any:
        """Mice beside the first network and agents; None without mice."""
        ...

    @property
    def summaries(self) -> Any:
        """Behaviour of each agent, one row per measure."""
        ...

    def curve(self, name: str) -> pd.DataFrame:
        """A curve of the networks: the mean over them, or that of the one there is."""
        ...

    def each(self, name: str) -> pd.DataFrame:
        """The curves of all networks by themselves, with a column `network`."""
        ...


Records = list[dict[str, Any]]  # rows of a table before it is one
