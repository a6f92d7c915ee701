"""Check that a folder holds what its record says, and that the record comes out again.

Hashes of files, tables computed again, and networks made anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrnn import _core
from hrnn.base.arguments import as_path, generator, whole_number
from hrnn.base.parallel import one_blas_thread
from hrnn.base.progress import bar
from hrnn.populations.claims import report_name
from hrnn.populations.ensemble import RECORD, Population
from hrnn.populations.member import make

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike

Check = tuple[str, str, bool, str]  # what, name, same, detail
MANIFEST: str = "manifest.json"
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
        (what differs). Files of a study are compared with the SHA-256 in its manifest, its tables
        with the networks' files, networks bit for bit with what their settings give.

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
    population = Population.load(folder / "networks" if study else folder)
    checks: list[Check] = []
    if study:
        manifest = json.loads((folder / MANIFEST).read_text())
        checks += [*_files(folder, manifest), *_tables(folder, population)]
    keys = population.keys
    drawn = generator(rng).permutation(len(keys))[:n_networks]
    chosen = [keys[i] for i in sorted(drawn)]
    with bar(progress, len(chosen), unit="network") as shown, one_blas_thread:
        for key in chosen:
            checks.append(_network(population, key))
            shown.update()
    return pd.DataFrame(checks, columns=["what", "name", "same", "detail"])


def _files(folder: Path, manifest: dict[str, Any]) -> Iterator[Check]:
    """Files whose hashes are in the manifest."""
    for name, expected in manifest["sha256"].items():
        path = folder / name
        if not path.is_file():
            yield "file", name, False, "missing"
            continue
        same = hashlib.sha256(path.read_bytes()).hexdigest() == expected
        yield "file", name, same, "" if same else "other bytes than in the manifest"


def _tables(folder: Path, population: Population) -> Iterator[Check]:
    """networks.csv and the networks' rows of report.json, from the networks' files."""
    import pandas as pd

    wide = population.wide()
    stored = pd.read_csv(folder / "networks.csv", index_col="key").reindex_like(wide)
    yield _close("networks.csv", stored.to_numpy(), wide.to_numpy())
    rows = json.loads((folder / "report.json").read_text())
    values = {row["name"]: row["value"] for row in rows}
    means = {str(name): value for name, value in wide.mean().items() if np.isfinite(value)}
    if len(wide) > 1:
        reported = [values.get(report_name(name), np.nan) for name in means]
        yield _close("report.json", np.array(reported, float), np.array(list(means.values())))


def _close(name: str, stored: NDArray[Any], again: NDArray[Any]) -> Check:
    """A table whose numbers were computed again."""
    differ = ~np.isclose(stored, again, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    if not differ.any():
        return "table", name, True, ""
    return "table", name, False, f"{differ.sum()} of {differ.size} numbers differ"


def _network(population: Population, key: str) -> Check:
    """One network made anew from its settings."""
    stored = population.member(key)
    now = _core.info()["cpu"]
    if stored.cpu != now:
        words = f"made with kernel {stored.cpu}, this is {now}: "
        words += f"set HRNN_CPU={stored.cpu} where the processor has it"
        return "network", key, False, words
    again = make(stored.settings)
    differ = [
        name
        for name in stored.measures.keys() | again.measures.keys()
        if stored.measures.get(name) != again.measures.get(name)
    ]
    if not np.array_equal(stored.network.theta, again.network.theta):
        differ.insert(0, "weights")
    detail = f"other {', '.join(differ[:5])}" if differ else ""
    return "network", key, not differ, detail
