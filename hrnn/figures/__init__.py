"""The figures, each made of a `study.Study`: `draw` returns the Figure and its source data."""

from __future__ import annotations

import importlib
import io
import os
from typing import TYPE_CHECKING

from hrnn.base.arguments import as_path, instance, one_of
from hrnn.figures.one_network import OneNetwork

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from hrnn.figures.typing import StudyLike

__all__ = [
    "FIGURES",
    "OF_MICE",
    "OF_SEVERAL",
    "OneNetwork",
    "about",
    "comparison",
    "draw",
    "drawable",
    "save",
]
FIGURES: dict[str, str] = {  # number: module
    "1": "task",
    "2": "behavior",
    "3": "prior",
    "4": "representation",
    "5": "integration",
    "6": "coupling",
    "7": "mechanism",
    "8": "distillation",
    "9": "networks",
    "10": "choice",
    "mice": "mice",
}
COMPARED: tuple[str, ...] = (  # columns of `mice.compare` that `comparison` draws
    "model",
    "difference",
    "difference_low",
    "difference_high",
    "bits_per_trial",
    "low",
    "high",
    "exceedance",
    "n_subjects",
)
OF_MICE: tuple[str, ...] = ("10", "mice")  # drawn where there are mice
OF_SEVERAL: tuple[str, ...] = ("9",)  # drawn of several networks


def __dir__() -> list[str]:
    return list(__all__)


def draw(name: str, study: StudyLike | OneNetwork) -> tuple[Figure, pd.DataFrame]:
    """Draw a figure.

    Parameters
    ----------
    name : {'1', ..., '10', 'mice'}
        Which figure.
    study : study.Study or OneNetwork
        With mice for '10' and 'mice', and at least two networks for '9'.

    Returns
    -------
    figure : matplotlib Figure
        Laid out, to be saved or shown.
    source : DataFrame
        What is drawn, in long form: `panel, agent, condition, x, value, low, high, n`.

    Raises
    ------
    ValueError
        If there is no such figure, or no mice or networks for theirs.
    """
    one_of(name, "name", tuple(FIGURES))
    if isinstance(study, OneNetwork):
        study.check(name)
    else:
        _check_study(study)
    return importlib.import_module(f"hrnn.figures.{FIGURES[name]}").draw(study)


def _check_study(study: object) -> None:
    """Refuse what has not what a study holds."""
    if not all(hasattr(study, part) for part in ("runs", "population", "mice")):
        raise TypeError(f"study must be a Study or a OneNetwork, got {type(study).__name__}")


def drawable(study: StudyLike | OneNetwork) -> list[str]:
    """Names of the figures that a study has what they need for."""
    if isinstance(study, OneNetwork):
        return study.drawable
    _check_study(study)
    mice = study.mice is not None
    several = study.n_networks > 1
    return [
        name
        for name in FIGURES
        if (mice or name not in OF_MICE) and (several or name not in OF_SEVERAL)
    ]


def about(name: str) -> str:
    """What a figure shows, in a line."""
    one_of(name, "name", tuple(FIGURES))
    module = importlib.import_module(f"hrnn.figures.{FIGURES[name]}")
    return (module.__doc__ or "").split("\n")[0]


def comparison(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw a comparison of models, `mice.compare`, alone: (Figure, source data)."""
    import pandas as pd

    from hrnn.figures.choice import compared, exceedance
    from hrnn.figures.panels import join
    from hrnn.plot import finish, letter, note, page, style

    missing = set(COMPARED) - set(instance(table, "table", pd.DataFrame).columns)
    if missing:
        raise ValueError(f"table must be of mice.compare, but lacks {sorted(missing)}")
    if not len(table):
        raise ValueError("table must have at least one model, got none")
    with style():
        figure = page(36 + 6 * len(table))
        a, b = figure.subplots(1, 2, sharey=True, width_ratios=[2, 1])
        source = join([*compared(a, table), exceedance(b, table)])
        letter("a", ax=a)
        letter("b", ax=b)
        n = table.n_subjects.iloc[0]
        note(
            figure,
            f"n = {n} subjects with at least two sessions. a: log likelihood of left-out sessions, "
            "paired by subject with the best model; bars, 95 %, subjects resampled. b: probability "
            "that the model is the most frequent one, "
            "left-out log likelihoods taken as log evidence.",
        )
        finish(figure)
    return figure, source


def save(figure: Figure, source: pd.DataFrame, folder: str | os.PathLike[str], name: str) -> None:
    """Write `name`.pdf, .png (300 dpi), .svg and .csv, each whole or not at all.

    The same figure gives the same bytes. Files of an earlier figure of this name are replaced; a
    table with other columns is not.

    Parameters
    ----------
    figure : Figure
        The figure that `draw` returned.
    source : DataFrame
        The source data that `draw` returned.
    folder : str or os.PathLike
        Where to write; it must exist.
    name : str
        Name of the files, without suffix.

    Raises
    ------
    FileExistsError
        If `name`.csv is there, and is no source data of a figure; nothing is written then.
    OSError
        If a file cannot be written.
    """
    import pandas as pd
    from matplotlib.figure import Figure

    from hrnn.base.files import write_bytes, write_csv
    from hrnn.plot import style

    instance(figure, "figure", Figure)
    instance(source, "source", pd.DataFrame)
    folder = as_path(folder, "folder")
    instance(name, "name", str)
    write_csv(folder / f"{name}.csv", source.to_csv(index=False), "name")
    with style():
        for kind, metadata in (
            ("pdf", {"CreationDate": None}),
            ("png", {"Software": None}),
            ("svg", {"Date": None}),
        ):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=300, metadata=metadata)
            write_bytes(folder / f"{name}.{kind}", buffer.getvalue())
