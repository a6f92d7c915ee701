"""The report as one self-contained page.

Claims, figures with their source data, every number, provenance.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hrnn.populations.controls import CONTROLS
from hrnn.study.report import CLAIM_COLUMNS, NOTE, Row, control_cells, number_cells
from hrnn.study.reproduction import Study

STYLE: str = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #111; background: #fff; \
margin: 0 auto; max-width: 76rem; padding: 1rem; }
nav a { display: inline-block; padding: .3rem .6rem .3rem 0; }
a { color: #00559b; }
figure { margin: 2rem 0; break-inside: avoid; }
img { width: 100%; height: auto; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; }
th, td { text-align: left; vertical-align: top; \
padding: .3rem .7rem .3rem 0; border-bottom: 1px solid #ddd; }
tbody th { font-weight: normal; min-width: 13rem; }
thead th { border-bottom: 2px solid #111; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
:focus-visible { outline: 3px solid #d55e00; outline-offset: 1px; }
pre { overflow-x: auto; font-size: .8125rem; }
@media print { nav, .download { display: none; } .table { overflow: visible; } \
body { max-width: none; font-size: 10pt; } }
"""
SCRIPT: str = """
// Arrow keys, Home and End move between the rows of a table; Tab enters and leaves it.
for (const table of document.querySelectorAll("table")) {
  const rows = [...table.tBodies[0].rows];
  rows.forEach((row, i) => { row.tabIndex = i ? -1 : 0; });
  table.addEventListener("keydown", event => {
    const at = rows.indexOf(event.target.closest("tr"));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (at < 0 || to === undefined || !rows[to]) return;
    event.preventDefault();
    rows[at].tabIndex = -1;
    rows[to].tabIndex = 0;
    rows[to].focus();
  });
}
"""
PAGE: str = """<!doctype html>
<html lang='en'>
<head>
<meta charset='utf-8'>
<meta name='viewport' content='width=device-width, initial-scale=1'>
<title>hrnn report</title>
<link rel='icon' href='data:,'>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
<script>{script}</script>
</body>
</html>
"""
TABLE: str = """<div class='table' role='region' aria-label='{label}'>
<table><thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody></table>
</div>"""
FIGURE: str = """<figure id='figure-{name}'>
<img alt='{alt}' src='{image}'>
<figcaption>{about} \
<a class='download' download='figure_{name}.csv' href='{source}'>Source data</a></figcaption>
</figure>"""


def page(
    study: Study,
    rows: Sequence[Row],
    manifest: Mapping[str, Any],
    folder: Path,
    figures: Mapping[str, str],
) -> str:
    """The page as text.

    Parameters
    ----------
    study : study.Study
        What was computed.
    rows : list of dict
        Of `report.rows`.
    manifest : dict
        Of `writing.manifest`: what made it.
    folder : Path
        Holds figure_<name>.svg and .csv.
    figures : dict of str to str
        Their names, and what each shows.
    """
    n = study.n_networks
    numbers = ("quantity", "measured", "95 % interval", "n", "published")
    body = [
        f"<h1>hrnn: {n} network{'s' if n > 1 else ''}, measured and published</h1>",
        _contents(figures),
        "<h2 id='claims'>Claims, network by network</h2>",
        _claims(study, figures),
        _controls(study),
        *(_figure(name, about, folder) for name, about in figures.items()),
        "<h2 id='numbers'>Every number</h2>",
        _table("Every number", numbers, [number_cells(row) for row in rows]),
        f"<p>{html.escape(NOTE)}</p>",
        "<h2 id='provenance'>Provenance</h2>",
        f"<pre tabindex='0'>{html.escape(json.dumps(manifest, indent=1))}</pre>",
    ]
    return PAGE.format(style=STYLE, script=SCRIPT, body="\n".join(body))


def _contents(figures: Iterable[str]) -> str:
    """Links to the parts of the page."""
    links = [("claims", "Claims"), *((f"figure-{name}", _title(name)) for name in figures)]
    links += [("numbers", "Every number"), ("provenance", "Provenance")]
    anchors = [f"<a href='#{anchor}'>{html.escape(title)}</a>" for anchor, title in links]
    return f"<nav aria-label='Contents'>{''.join(anchors)}</nav>"


def _claims(study: Study, figures: Collection[str]) -> str:
    """Every claim, with a link to the figure that shows it."""
    cells: list[list[str]] = []
    row: Any
    for row in study.verdicts.itertuples():
        shown = html.escape(f"figure {row.figure}")
        link = f"<a href='#figure-{row.figure}'>{shown}</a>" if row.figure in figures else shown
        cells.append([*(html.escape(cell(row)) for cell in CLAIM_COLUMNS.values()), link])
    table = _table("Claims", (*CLAIM_COLUMNS, "shown in"), cells, escaped=True)
    said = (
        "A claim holds in a network if its measure meets the criterion, which is ours. "
        "Published: one network."
    )
    return f"{table}\n<p>{said}</p>"


def _controls(study: Study) -> str:
    """How the claims fare where they must be able to fail."""
    kinds = html.escape("; ".join(f"{kind}: {text}" for kind, text in CONTROLS.items()))
    headings = ("measure", "criterion", *CONTROLS, "all fail")
    table = _table("Controls", headings, control_cells(study.controls))
    said = "Each claim on what must not always meet it: mean, and in how many it holds."
    return f"<p>{said} {kinds}.</p>\n{table}"


def _table(
    label: str, headings: Iterable[str], rows: Iterable[Sequence[Any]], *, escaped: bool = False
) -> str:
    """A table that scrolls by itself on a narrow screen."""
    head = "".join(f"<th scope='col'>{html.escape(heading)}</th>" for heading in headings)
    body: list[str] = []
    for row in rows:
        first, *others = row if escaped else [html.escape(str(cell)) for cell in row]
        cells = "".join(f"<td class='number'>{cell}</td>" for cell in others)
        body.append(f"<tr><th scope='row'>{first}</th>{cells}</tr>")
    return TABLE.format(label=label, head=head, body="\n".join(body))


def _title(name: str) -> str:
    return "Mice" if name == "mice" else f"Figure {name}"


def _figure(name: str, about: str, folder: Path) -> str:
    """A figure as an image inside the page, what it shows, and its source data as a download."""
    return FIGURE.format(
        name=name,
        alt=html.escape(about, quote=True),
        about=html.escape(about),
        image=_data(folder / f"figure_{name}.svg", "image/svg+xml"),
        source=_data(folder / f"figure_{name}.csv", "text/csv"),
    )


def _data(path: Path, mime: str) -> str:
    """A file as a URL that holds it."""
    return f"data:{mime};base64,{base64.b64encode(path.read_bytes()).decode()}"
