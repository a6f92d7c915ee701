"""Does a folder still hold what its record says, and does the record come out again? Hashes.

Tables, and networks made anew.
"""

import hashlib
import json

import numpy as np

from hrnn import _core
from hrnn.base.arguments import as_path, generator, whole_number
from hrnn.base.progress import bar
from hrnn.populations.claims import report_name
from hrnn.populations.ensemble import RECORD, Population, one_blas_thread
from hrnn.populations.member import make

MANIFEST = "manifest.json"
TOLERANCE = 1e-9  # of numbers that are computed again from others, relative


def verify(folder, *, n_networks=1, rng=0, progress=True):
    """Check a folder of `hrnn reproduce` or `hrnn population`.

    Make some of its networks anew and compare.

    Parameters
    ----------
    folder : path
    n_networks : int
        Made anew, drawn at random; each takes as long as it took. 0 checks files and tables alone.
    rng : int, SeedSequence or Generator
    progress : bool

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
    >>> recipe = hrnn.Recipe(n_steps=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = hrnn.population(folder, n_networks=2, recipe=recipe, n_hidden=4, n_blocks=32, parts=[], progress=False)
    ...     verify(folder, progress=False).same.tolist()
    [True]
    """
    import pandas as pd

    folder = as_path(folder, "folder")
    n_networks = whole_number(n_networks, "n_networks", 0)
    study = (folder / MANIFEST).exists()
    if not study and not (folder / RECORD).exists():
        raise FileNotFoundError(
            f"{folder} must be of `hrnn reproduce` or `hrnn population`: it has neither {MANIFEST} nor {RECORD}"
        )
    population = Population.load(folder / "networks" if study else folder)
    checks = []
    if study:
        manifest = json.loads((folder / MANIFEST).read_text())
        checks += [*_files(folder, manifest), *_tables(folder, population)]
    keys = population.keys
    chosen = [keys[i] for i in sorted(generator(rng).permutation(len(keys))[:n_networks])]
    with bar(progress, len(chosen), unit="network") as shown, one_blas_thread():
        for key in chosen:
            checks.append(_network(population, key))
            shown.update()
    return pd.DataFrame(checks, columns=["what", "name", "same", "detail"])


def _files(folder, manifest):
    for name, expected in manifest["sha256"].items():
        path = folder / name
        there = path.is_file()
        same = there and hashlib.sha256(path.read_bytes()).hexdigest() == expected
        yield (
            "file",
            name,
            same,
            "" if same else "other bytes than in the manifest" if there else "missing",
        )


def _tables(folder, population):
    """networks.csv and the networks' rows of report.json, from the networks' files."""
    import pandas as pd

    wide = population.wide()
    stored = pd.read_csv(folder / "networks.csv", index_col="key").reindex_like(wide)
    yield "table", "networks.csv", *_close(stored.to_numpy(), wide.to_numpy())
    values = {row["name"]: row["value"] for row in json.loads((folder / "report.json").read_text())}
    means = {report_name(name): value for name, value in wide.mean().items() if np.isfinite(value)}
    if len(wide) > 1:
        yield (
            "table",
            "report.json",
            *_close(
                np.array([values.get(name, np.nan) for name in means], float),
                np.array(list(means.values())),
            ),
        )


def _close(stored, again):
    differ = ~np.isclose(stored, again, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    return (
        not differ.any(),
        f"{differ.sum()} of {differ.size} numbers differ" if differ.any() else "",
    )


def _network(population, key):
    """One network made anew from its settings."""
    stored = population.member(key)
    now = _core.info()["cpu"]
    if stored.cpu != now:
        return (
            "network",
            key,
            False,
            f"made with kernel {stored.cpu}, this is {now}: set HRNN_CPU={stored.cpu} where the processor has it",
        )
    again = make(stored.settings)
    differ = [
        name
        for name in stored.measures.keys() | again.measures.keys()
        if stored.measures.get(name) != again.measures.get(name)
    ]
    if not np.array_equal(stored.network.theta, again.network.theta):
        differ.insert(0, "weights")
    return "network", key, not differ, f"other {', '.join(differ[:5])}" if differ else ""
