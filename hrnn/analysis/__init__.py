"""One network taken apart: what its state represents, how it moves, by what it holds a belief.

`Anatomy` is every analysis of one network, each computed when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
