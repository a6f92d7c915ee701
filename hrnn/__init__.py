"""hrnn: recurrent networks, Bayesian agents and mice on one hierarchical inference task.

>>> import hrnn
>>> sessions = hrnn.Task().sample(n_blocks=8, rng=1)
>>> run = hrnn.rollout(hrnn.BayesianActor("semi_markov"), sessions)
"""

import importlib

from hrnn._core import NumericalError
from hrnn.dynamics import fixed_points
from hrnn.inference import BayesianActor, observe
from hrnn.network import Network
from hrnn.policy import OptimalPolicy
from hrnn.rollout import rollout
from hrnn.task import Task
from hrnn.training import Recipe, train

__version__ = "0.1.0"
__all__ = [
    "BayesianActor", "Network", "NumericalError", "OptimalPolicy", "Recipe", "Task", "fixed_points", "observe", "rollout", "train",
]
_MODULES = (
    "anatomy", "behavior", "claims", "connectivity", "distill", "dynamics", "figures", "inference", "integration", "io", "manifold", "mice",
    "plot", "policy", "populations", "psychometric", "published", "regression", "report", "representation", "reproduce", "similarity",
    "stats", "training",
)
_FUNCTIONS = {"population": "populations", "verify": "verification"}


def __getattr__(name):
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(f"hrnn.{_FUNCTIONS[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"hrnn.{name}")
    raise AttributeError(f"module 'hrnn' has no attribute {name!r}")
