"""The figures of the paper, each made of a Study; `draw` returns the Figure and its source data."""

import importlib
import io

FIGURES = {"1": "figure_1", "2": "figure_2", "3": "figure_3", "mice": "figure_mice"}


def draw(name, study):
    """Figure `name` of a study: (Figure, source data as a long DataFrame)."""
    if name not in FIGURES:
        raise ValueError(f"name must be one of {tuple(FIGURES)}, got {name!r}")
    from matplotlib.figure import Figure

    from hrnn.plot import style

    with style():
        figure, source = importlib.import_module(f"hrnn.figures.{FIGURES[name]}").draw(study, Figure)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once, so that saving twice gives the same bytes
    return figure, source


def save(figure, source, folder, name):
    """Write `name`.pdf, .png (300 dpi) and .csv; the same figure gives the same bytes."""
    from hrnn.io import write_bytes, write_text
    from hrnn.plot import style

    with style():
        for kind, metadata in (("pdf", {"CreationDate": None}), ("png", {"Software": None})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=300, metadata=metadata)
            write_bytes(folder / f"{name}.{kind}", buffer.getvalue())
    write_text(folder / f"{name}.csv", source.to_csv(index=False))
