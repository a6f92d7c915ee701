"""A network of one's own in the figures that take one apart."""

import functools

from hrnn.populations import curves


class OneNetwork:
    """What figures 4 to 8 and 10 need of a `study.Study`.

    From one network that was taken apart elsewhere.

    Parameters
    ----------
    anatomy : analysis.Anatomy, optional
        For figures 4 to 8.
    distillation : distill.Distillation, optional
        For figure 8.
    beside : choice.Beside, optional
        For figure 10.

    Examples
    --------
    >>> import hrnn
    >>> from hrnn.analysis import Anatomy
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> OneNetwork(anatomy=Anatomy(hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0)))).curve("variance").x.tolist()
    [1, 2, 3, 4, 5, 6]
    """

    n_networks = 1
    over_networks = {}

    def __init__(self, *, anatomy=None, distillation=None, beside=None):
        self.anatomy = anatomy
        self.distillation = distillation
        self.beside = beside

    @property
    def sessions(self):
        """Those of the anatomy."""
        return self.anatomy.run.sessions

    @functools.cached_property
    def measures(self):
        """Measures by name, with the intervals of the sessions."""
        return {
            name: m
            for part in (self.anatomy, self.distillation)
            if part is not None
            for name, m in part.measures().items()
        }

    def curve(self, name):
        """A curve of the network."""
        if name in curves.OF_DISTILLATION:
            return curves.OF_DISTILLATION[name](self.distillation)
        return next(
            functions[name] for functions in curves.OF_ANATOMY.values() if name in functions
        )(self.anatomy)

    def each(self, name):
        """No other networks."""
        return curves.empty().assign(network=[])
