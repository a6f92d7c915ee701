"""Mice in the same trial table as the agents; the models of `choice` are offered here, too.

`load` reads a folder of CSV files, one per mouse; `fetch` downloads the 54 published mice; `fit`
fits a model of choice, `compare` several; `recover` says how far to trust them. pandas, SciPy and
pooch are imported only when called.
"""

from typing import Any

import lazy_loader

from hrnn import choice

_OWN: dict[str, list[str]] = {
    "alf": ["to_alf"],
    "fetching": ["fetch", "registry"],
    "inclusion": ["include"],
    "frames": ["from_frame"],
    "loading": ["load"],
    "one": ["from_one"],
    "sessions": ["left_out"],
}
_OFFERED = dir(choice)
_own, _, __all__ = lazy_loader.attach(__name__, submod_attrs=_OWN)
__all__ = sorted([*__all__, *_OFFERED])


def __getattr__(name: str) -> Any:
    if name in _OFFERED:
        return getattr(choice, name)
    return _own(name)


def __dir__() -> list[str]:
    return list(__all__)
