"""Mice in the same trial table as the agents, and models of choice for mice and agents alike.

`load` reads a folder of CSV files, one per mouse; `fetch` downloads the 54 published mice; `fit` fits a model of choice,
`compare` several; `recover` says how far to trust them. pandas, SciPy and pooch are imported only when called.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
