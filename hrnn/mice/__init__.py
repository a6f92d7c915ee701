"""Mice in the same trial table as the agents: reading and fetching of IBL behaviour.

`load` reads a folder of CSV files, one per mouse; `fetch` downloads the 54 published mice;
`registry` names their files and sha256. pandas and pooch are imported only when called.
"""

from hrnn.mice.fetch import fetch, registry
from hrnn.mice.fit import Fit, cross_validate, fit
from hrnn.mice.load import load
from hrnn.mice.models import MODELS

__all__ = ["MODELS", "Fit", "cross_validate", "fetch", "fit", "load", "registry"]
