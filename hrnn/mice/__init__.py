"""Mice in the same trial table as the agents, and models of choice for mice and agents alike.

`load` reads a folder of CSV files, one per mouse; `fetch` downloads the 54 published mice; `fit` fits a model of choice,
`compare` several; `recover` says how far to trust them. pandas, SciPy and pooch are imported only when called.
"""

from hrnn.mice.alf import to_alf
from hrnn.mice.beside import Beside
from hrnn.mice.compare import COMPARED, compare, confusion, exceedance, recover, simulate
from hrnn.mice.external import drift, glm_hmm, posterior
from hrnn.mice.fetch import fetch, registry
from hrnn.mice.fit import Fit, cross_validate, fit
from hrnn.mice.include import include
from hrnn.mice.load import from_one, load
from hrnn.mice.models import MODELS
from hrnn.mice.nulls import block_following, pseudo_blocks
from hrnn.mice.tiny import TinyRnn, tiny_rnn

__all__ = [
    "COMPARED", "MODELS", "Beside", "Fit", "TinyRnn", "block_following", "compare", "confusion", "cross_validate", "drift", "exceedance",
    "fetch", "fit", "from_one", "glm_hmm", "include", "load", "posterior", "pseudo_blocks", "recover", "registry", "simulate", "tiny_rnn",
    "to_alf",
]
