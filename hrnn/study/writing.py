"""A study as a folder: figures, networks, report, and the manifest that says what made it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hrnn import _core
from hrnn import figures as drawn
from hrnn.base import files
from hrnn.base.arguments import as_path, instance
from hrnn.base.version import __version__
from hrnn.study import report, webpage
from hrnn.study.reproduction import Clock, Study

MANIFEST: str = "manifest.json"
TABLES: tuple[str, ...] = (
    "report.md",
    "report.json",
    "report.html",
    "networks.csv",
    "controls.csv",
)


def manifest(study: Study, settings: Mapping[str, str]) -> dict[str, Any]:
    """Version, seeds, machine, BLAS and times of a run.

    Parameters
    ----------
    study : Study
        What was computed.
    settings : dict of str to str
        What it was asked for with, as words.

    Returns
    -------
    dict
        Plain JSON.
    """
    import scipy

    instance(study, "study", Study)
    lengths = study.sessions.block_lengths
    made = study.population
    return {
        "hrnn": __version__,
        "core": _core.info(),
        "settings": settings,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "machine": platform.machine(),
        "system": platform.system(),
        "cpus": os.cpu_count(),
        "seconds": study.seconds,
        "task": study.task.to_dict(),
        "block_length_mean": float(lengths.mean()),
        "block_length_sd": float(lengths.std()),
        "networks": {
            found.settings["index"]: key for key, found in zip(made.keys, made.members, strict=True)
        },
        "failures": made.failures.to_dict("records"),
    }


def write(
    study: Study,
    folder: str | Path,
    *,
    figures: Collection[str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write figures, networks, report.md, report.html, report.json, networks.csv and manifest.json.

    Figures that are in the folder from an earlier call, of the same networks and version, stay on
    the page. The manifest holds the SHA-256 of every other file; `verify` checks them. A folder
    with the report of other networks, or with files of these names of anybody else, is refused.

    Parameters
    ----------
    study : Study
        What was computed.
    folder : path
        Made if it is not there.
    figures : collection of str, optional
        Names of those to draw; by default all.
    settings : dict of str to str, optional
        What the study was asked for with, for the manifest.

    Returns
    -------
    list of Path
        Of the figures, as PDF.

    Raises
    ------
    FileExistsError
        If something that is there would be written over.
    """
    instance(study, "study", Study)
    folder = as_path(folder, "folder")
    clock = Clock()
    check_folder(folder, study.population.keys)
    folder.mkdir(parents=True, exist_ok=True)
    if study.population.folder.resolve() != (folder / "networks").resolve():
        shutil.copytree(study.population.folder, folder / "networks", dirs_exist_ok=True)
    names = [name for name in drawn.drawable(study) if figures is None or name in figures]
    found = manifest(study, settings or {})
    kept = _kept_hashes(folder, found, [name for name in drawn.FIGURES if name not in names])
    # before any other file, which could not be told from anybody else's if this process were killed
    files.write_json(folder / MANIFEST, found | {"sha256": kept})
    for name in names:
        figure, source = drawn.draw(name, study)
        drawn.save(figure, source, folder, f"figure_{name}")
    clock.lap("figures")
    rows = report.rows(study)
    clock.lap("report")
    study.seconds |= clock.seconds
    found = manifest(study, settings or {})
    shown = [name for name in drawn.FIGURES if name in names or f"figure_{name}.svg" in kept]
    _tables(study, folder, rows, found, shown)
    hashes = _hashes(folder, names, study.population.keys)
    files.write_json(folder / MANIFEST, found | {"sha256": kept | hashes})
    return [folder / f"figure_{name}.pdf" for name in names]


def check_folder(folder: Path, keys: Collection[str]) -> None:
    """Refuse a folder in which a report of these networks would be written over something else.

    Parameters
    ----------
    folder : Path
        To be written to.
    keys : collection of str
        Of the networks; those of an earlier report must be among them.

    Raises
    ------
    FileExistsError
        If the folder has the report of other networks, or files of anybody else.
    """
    path = folder / MANIFEST
    if not path.exists():
        figures = [file for name in drawn.FIGURES for file in _files(name)]
        files.refuse_existing((folder / name for name in [*TABLES, *figures]), "folder")
        return
    lost = set(_manifest(path)["networks"].values()) - set(keys)
    if lost:
        raise FileExistsError(
            f"{folder} holds the report of other networks ({len(lost)} are not among those of this "
            "study): give another folder"
        )


def _manifest(path: Path) -> dict[str, Any]:
    """The manifest of an earlier study; FileExistsError if it is anything else."""
    try:
        found = json.loads(path.read_text())
        networks = {str(index): str(key) for index, key in found["networks"].items()}
        return {"hrnn": found["hrnn"], "networks": networks, "sha256": dict(found["sha256"])}
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise FileExistsError(f"{path} is there, and no manifest of a study: {error}") from error


def _tables(
    study: Study,
    folder: Path,
    rows: list[report.Row],
    found: dict[str, Any],
    shown: Sequence[str],
) -> None:
    """The files of TABLES; `shown` are the figures on the page."""
    files.write_text(folder / "report.md", report.markdown(study, rows))
    files.write_json(folder / "report.json", rows)
    files.write_text(folder / "networks.csv", study.wide.to_csv())
    files.write_text(folder / "controls.csv", study.controls.to_csv(index=False))
    about = {name: drawn.about(name) for name in shown}
    files.write_text(folder / "report.html", webpage.page(study, rows, found, folder, about))


def _hashes(folder: Path, names: Sequence[str], keys: Sequence[str]) -> dict[str, str]:
    """SHA-256 of tables, of the figures of these names, and of the networks of these keys."""
    made = [folder / name for name in TABLES]
    made += [folder / file for name in names for file in _files(name)]
    made += [folder / "networks" / f"{key}.npz" for key in keys]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in made
    }


def _files(name: str) -> list[str]:
    """Files of a figure."""
    return [f"figure_{name}.{kind}" for kind in ("pdf", "png", "svg", "csv")]


def _kept_hashes(folder: Path, found: dict[str, Any], others: Sequence[str]) -> dict[str, str]:
    """SHA-256 of the files of other figures that an earlier manifest has.

    None if it is of other networks, or of another version, than this one. They are those of the
    earlier manifest, so that `verify` still sees a change since.
    """
    path = folder / MANIFEST
    before = _manifest(path) if path.exists() else {}
    networks = {str(index): key for index, key in found["networks"].items()}
    if before.get("hrnn") != found["hrnn"] or before.get("networks") != networks:
        return {}
    kept: dict[str, str] = {}
    for name in others:
        if all(file in before["sha256"] and (folder / file).exists() for file in _files(name)):
            kept |= {file: before["sha256"][file] for file in _files(name)}
    return kept
