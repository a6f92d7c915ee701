"""Check that a folder holds what its record says, and that the record comes out again.

Hashes of files, tables computed again, and networks made anew.
"""

from __future__ import annotations

import functools
import hashlib
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrnn import _core
from hrnn.base.arguments import as_path, generator, whole_number
from hrnn.base.machine import blas_processor
from hrnn.base.parallel import one_blas_thread
from hrnn.base.progress import bar
from hrnn.populations.claims import report_name
from hrnn.populations.ensemble import RECORD, Population, check_version, read
from hrnn.populations.member import make
from hrnn.study.writing import MANIFEST

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike

Check = tuple[str, str, bool, str]  # what, name, same, detail
TABLE: str = "table.csv"  # of a population, as the command writes it
TOLERANCE: float = 1e-9  # of numbers that are computed again from others, relative


def verify(
    folder: str | Path, *, n_networks: int = 1, rng: RNGLike = 0, progress: bool = True
) -> pd.DataFrame:
    """Check a folder of `hrnn reproduce` or `hrnn population`, and make some networks anew.

    Parameters
    ----------
    folder : path
        With a manifest, or the record of a population.
    n_networks : int
        Made anew, drawn at random; each takes as long as it took. 0 checks files and tables alone.
    rng : int, SeedSequence or Generator
        Draws them.
    progress : bool
        Show a bar.

    Returns
    -------
    DataFrame
        One row per check: `what` ('file', 'table', 'network'), `name`, `same` (bool), `detail`
        (what differs). Files of a study are compared with the SHA-256 in its manifest, tables of
        study and population with the networks' files, networks bit for bit with what their settings
        give. Files of networks that cannot be read are rows, too.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder holds neither, or was made by another version.

    Examples
    --------
    >>> import hrnn, tempfile
    >>> few = {"n_networks": 2, "n_hidden": 4, "n_blocks": 32, "parts": [], "progress": False}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = hrnn.population(folder, recipe=hrnn.Recipe(n_steps=2), **few)
    ...     verify(folder, progress=False).same.tolist()
    [True]
    """
    import pandas as pd

    folder = as_path(folder, "folder")
    n_networks = whole_number(n_networks, "n_networks", 0)
    study = (folder / MANIFEST).exists()
    if not study and not (folder / RECORD).exists():
        raise FileNotFoundError(
            f"{folder} must be of `hrnn reproduce` or `hrnn population`: "
            f"it has neither {MANIFEST} nor {RECORD}"
        )
    networks = folder / "networks" if study else folder
    check_version(networks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is left out is a row here
        population = Population.load(networks)
    checks: list[Check] = []
    if study:
        checks += [*_files(folder, _hashes(folder / MANIFEST)), *_tables(folder, population)]
    elif (folder / TABLE).exists():
        checks.append(_attempt("table", TABLE, lambda: _table(folder / TABLE, population)))
    checks += [("network", name, False, why) for name, why in read(networks)[1].items()]
    keys = population.keys
    drawn = generator(rng).permutation(len(keys))[:n_networks]
    chosen = [keys[i] for i in sorted(drawn)]
    with bar(progress, len(chosen), unit="network") as shown, one_blas_thread:
        for key in chosen:
            checks.append(_attempt("network", key, functools.partial(_network, population, key)))
            shown.update()
    return pd.DataFrame(checks, columns=["what", "name", "same", "detail"])


def _attempt(what: str, name: str, check: Callable[[], str]) -> Check:
    """A check, which says what differs; what cannot be checked differs, too."""
    try:
        detail = check()
    except (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        detail = f"cannot be checked: {error}"
    return what, name, not detail, detail


def _hashes(path: Path) -> dict[str, str]:
    """SHA-256 of files by name, of a manifest; ValueError if it is none."""
    try:
        hashes = json.loads(path.read_text())["sha256"]
        return {str(name): str(value) for name, value in hashes.items()}
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must be the manifest of a study: {error}") from error


def _files(folder: Path, hashes: dict[str, str]) -> Iterator[Check]:
    """Files whose hashes are in the manifest."""
    for name, expected in hashes.items():
        path = folder / name
        if not path.is_file():
            yield "file", name, False, "missing"
            continue
        same = hashlib.sha256(path.read_bytes()).hexdigest() == expected
        yield "file", name, same, "" if same else "other bytes than in the manifest"


def _tables(folder: Path, population: Population) -> Iterator[Check]:
    """networks.csv and the networks' rows of report.json, from the networks' files."""
    wide = population.wide()
    yield _attempt("table", "networks.csv", lambda: _wide(folder / "networks.csv", wide))
    if len(wide) > 1:
        yield _attempt("table", "report.json", lambda: _report(folder / "report.json", wide))


def _wide(path: Path, wide: pd.DataFrame) -> str:
    """What differs between a CSV of all measures and those of the networks."""
    import pandas as pd

    stored = pd.read_csv(path, index_col="key").reindex_like(wide)
    return _differing(stored.to_numpy(float), wide.to_numpy())


def _report(path: Path, wide: pd.DataFrame) -> str:
    """What differs between a report and the means over networks."""
    values = {row["name"]: row["value"] for row in json.loads(path.read_text())}
    means = {str(name): value for name, value in wide.mean().items() if np.isfinite(value)}
    reported = [values.get(report_name(name), np.nan) for name in means]
    return _differing(np.array(reported, float), np.array(list(means.values())))


def _table(path: Path, population: Population) -> str:
    """What differs between the CSV of a population and the networks of the folder that it names."""
    import pandas as pd

    names = ["key", "measure"]
    numbers = ["value", "low", "high"]
    stored = pd.read_csv(path, dtype={"key": str}).set_index(names)[numbers]
    again = population.table.set_index(names)[numbers].reindex(stored.index)
    return _differing(stored.to_numpy(float), again.to_numpy(float))


def _differing(stored: NDArray[Any], again: NDArray[Any]) -> str:
    """How many numbers of a table are others than those that were computed again."""
    differ = ~np.isclose(stored, again, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    return f"{differ.sum()} of {differ.size} numbers differ" if differ.any() else ""


def _network(population: Population, key: str) -> str:
    """What differs in one network that is made anew from its settings."""
    stored = population.member(key)
    now = _core.info()["cpu"]
    if stored.cpu != now:
        words = f"made with kernel {stored.cpu}, this is {now}: "
        return words + f"set HRNN_CPU={stored.cpu} where the processor has it"
    again = make(stored.settings)
    differ = [
        name
        for name in stored.measures.keys() | again.measures.keys()
        if stored.measures.get(name) != again.measures.get(name)
    ]
    if not np.array_equal(stored.network.theta, again.network.theta):
        differ.insert(0, "weights")
    if not differ:
        return ""
    words = f"other {', '.join(differ[:5])}"
    if stored.blas in ("", blas_processor()):
        return words
    now = blas_processor()
    return f"{words}: NumPy's BLAS worked for {stored.blas}, and here for {now} (OPENBLAS_CORETYPE)"
