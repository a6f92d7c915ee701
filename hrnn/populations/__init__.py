"""Many networks: trained from seeds or a grid of settings, taken apart.

And held against what was claimed of one.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
