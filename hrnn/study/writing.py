"""A study as a folder: figures, networks, report, and the manifest that says what made it."""

import hashlib
import json
import os
import platform
import shutil
from pathlib import Path

import numpy as np

from hrnn import _core
from hrnn import figures as drawn
from hrnn.base import files
from hrnn.base.version import __version__
from hrnn.study import report, webpage
from hrnn.study.reproduction import Clock


def manifest(study, settings):
    """Version, seeds, machine, BLAS and times of a run."""
    import scipy

    lengths = study.sessions.block_lengths
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
            found.settings["index"]: key
            for key, found in zip(study.population.keys, study.population.members, strict=True)
        },
        "failures": study.population.failures.to_dict("records"),
    }


def write(study, folder, *, figures=None, settings=None):
    """Write figures, networks, report.md, report.html, report.json, networks.csv and manifest.json.

    Returns the paths of the figures.

    Figures that are in the folder from an earlier call, of the same networks and version, stay on
    the page. The manifest holds the SHA-256 of every other file; `verify` checks them.
    """
    folder = Path(folder)
    clock = Clock()
    folder.mkdir(parents=True, exist_ok=True)
    if study.population.folder.resolve() != (folder / "networks").resolve():
        shutil.copytree(study.population.folder, folder / "networks", dirs_exist_ok=True)
    names = [name for name in drawn.drawable(study) if figures is None or name in figures]
    for name in names:
        drawn.save(*drawn.draw(name, study), folder, f"figure_{name}")
    clock.lap("figures")
    rows = report.rows(study)
    clock.lap("report")
    study.seconds |= clock.seconds
    found = manifest(study, settings or {})
    kept = _kept_hashes(folder, found, [name for name in drawn.FIGURES if name not in names])
    shown = [name for name in drawn.FIGURES if name in names or f"figure_{name}.svg" in kept]
    files.write_text(folder / "report.md", report.markdown(study, rows))
    files.write_json(folder / "report.json", rows)
    files.write_text(folder / "networks.csv", study.wide.to_csv())
    files.write_text(folder / "controls.csv", study.controls.to_csv(index=False))
    files.write_text(
        folder / "report.html",
        webpage.page(study, rows, found, folder, {name: drawn.about(name) for name in shown}),
    )
    made = [
        folder / f"{name}"
        for name in ("report.md", "report.json", "report.html", "networks.csv", "controls.csv")
    ]
    made += [folder / file for name in names for file in _files(name)]
    made += [folder / "networks" / f"{key}.npz" for key in study.population.keys]
    hashes = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in made
    }
    files.write_json(folder / "manifest.json", found | {"sha256": kept | hashes})
    return [folder / f"figure_{name}.pdf" for name in names]


def _files(name):
    """Files of a figure."""
    return [f"figure_{name}.{kind}" for kind in ("pdf", "png", "svg", "csv")]


def _kept_hashes(folder, found, others):
    """SHA-256 of the files of figures that an earlier manifest has.

    If it is of the same networks and version as this one.

    They are those of the earlier manifest, so that `verify` still sees a change since.
    """
    path = folder / "manifest.json"
    kept = {}
    before = json.loads(path.read_text()) if path.exists() else {}
    networks = {str(index): key for index, key in found["networks"].items()}
    if before.get("hrnn") != found["hrnn"] or before.get("networks") != networks:
        return kept
    for name in others:
        if all(file in before["sha256"] and (folder / file).exists() for file in _files(name)):
            kept |= {file: before["sha256"][file] for file in _files(name)}
    return kept
