"""One command: everything the figures and the report are made of.

Computed once and written into a folder.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
