"""Models of anybody's choices: mice, networks and Bayesian agents alike.

`fit` fits a model, `compare` several, `recover` says how far to trust them, `simulate` chooses as a
fitted model does.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
