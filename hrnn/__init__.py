"""hrnn: recurrent networks, Bayesian agents and mice on one hierarchical inference task.

What the package offers is listed in `__init__.pyi`, which type checkers read, too. Each name is
imported when it is first asked for.

>>> import hrnn
>>> sessions = hrnn.Task().sample(n_blocks=8, rng=1)
>>> run = hrnn.rollout(hrnn.BayesianActor("semi_markov"), sessions)
"""

import importlib
from typing import Any

import lazy_loader

from hrnn.base.version import __version__ as __version__

_offered, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
_FORMER: dict[str, str] = {  # names that modules had before they were sorted into wings
    "anatomy": "analysis.anatomy",
    "psychometric": "behavior.psychometric_function",
    "published": "analysis.defects",
    "regression": "statistics.regression",
    "report": "study.report",
    "reproduce": "study",
    "stats": "statistics",
}


def __getattr__(name: str) -> Any:
    if name in _FORMER:
        return importlib.import_module(f"hrnn.{_FORMER[name]}")
    return _offered(name)


# `hrnn.rollout` is the function: without this line it would become the module of the same name
from hrnn.rollout import rollout as rollout  # noqa: E402
