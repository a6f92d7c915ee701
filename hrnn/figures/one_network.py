"""A network of one's own in the figures that take one apart."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from hrnn.base.arguments import instance
from hrnn.populations import curves

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.analysis.anatomy import Anatomy
    from hrnn.choice.side_by_side import Beside
    from hrnn.distill import Distillation
    from hrnn.statistics.resampling import Estimate
    from hrnn.task import Sessions


NEEDED: dict[str, tuple[str, ...]] = {  # by figure, what it is drawn of
    "4": ("anatomy",),
    "5": ("anatomy",),
    "6": ("anatomy",),
    "7": ("anatomy",),
    "8": ("anatomy", "distillation"),
    "10": ("beside",),
}


class OneNetwork:
    """What figures 4 to 8 and 10 need of a study, from one network that was taken apart elsewhere.

    Parameters
    ----------
    anatomy : analysis.Anatomy, optional
        The network taken apart, for figures 4 to 8.
    distillation : distill.Distillation, optional
        Its students, for figure 8.
    beside : choice.Beside, optional
        Mice beside it, for figure 10.

    Attributes
    ----------
    n_networks : int
        1, as there is one network.
    over_networks : dict of str to Estimate
        Empty, as there is no mean over networks.

    Examples
    --------
    >>> import hrnn
    >>> from hrnn.analysis import Anatomy
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> OneNetwork(anatomy=Anatomy(run)).curve("variance").x.tolist()
    [1, 2, 3, 4, 5, 6]
    """

    n_networks: int = 1
    over_networks: Mapping[str, Estimate] = {}

    def __init__(
        self,
        *,
        anatomy: Anatomy | None = None,
        distillation: Distillation | None = None,
        beside: Beside | None = None,
    ) -> None:
        from hrnn.analysis import Anatomy
        from hrnn.distill import Distillation

        if anatomy is not None:
            instance(anatomy, "anatomy", Anatomy)
        if distillation is not None:
            instance(distillation, "distillation", Distillation)
        self.anatomy = anatomy
        self.distillation = distillation
        self.beside = beside

    @property
    def drawable(self) -> list[str]:
        """Names of the figures that it has what they need for."""
        return [name for name, parts in NEEDED.items() if not self._missing(parts)]

    def check(self, name: str) -> None:
        """Refuse a figure that needs more than this one network has.

        Parameters
        ----------
        name : str
            Which figure.
        """
        if name not in NEEDED:
            raise ValueError(f"study must be a Study for figure {name}, got a OneNetwork")
        missing = self._missing(NEEDED[name])
        if missing:
            raise ValueError(f"study must have {' and '.join(missing)} for figure {name}")

    def _missing(self, parts: tuple[str, ...]) -> list[str]:
        return [part for part in parts if getattr(self, part) is None]

    @property
    def sessions(self) -> Sessions:
        """Sessions of the anatomy."""
        return cast("Anatomy", self.anatomy).run.sessions

    @functools.cached_property
    def measures(self) -> dict[str, Estimate]:
        """Measures by name, with the intervals of the sessions."""
        found: dict[str, Estimate] = {}
        for part in (self.anatomy, self.distillation):
            if part is not None:
                found |= part.measures()
        return found

    def curve(self, name: str) -> pd.DataFrame:
        """A curve of the network, by its name."""
        if name in curves.OF_DISTILLATION:
            return curves.OF_DISTILLATION[name](cast("Any", self.distillation))
        functions = next(group for group in curves.OF_ANATOMY.values() if name in group)
        return functions[name](cast("Any", self.anatomy))

    def each(self, name: str) -> pd.DataFrame:
        """An empty table: there are no other networks."""
        return curves.empty().assign(network=[])
