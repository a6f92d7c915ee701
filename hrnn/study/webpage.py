"""The report as one self-contained page.

Claims, figures with their source data, every number, provenance.
"""

import base64
import html
import json

from hrnn.populations.controls import CONTROLS
from hrnn.study.report import CLAIM_COLUMNS, NOTE, control_cells, number_cells

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #111; background: #fff; margin: 0 auto; max-width: 76rem; padding: 1rem; }
nav a { display: inline-block; padding: .3rem .6rem .3rem 0; }
a { color: #00559b; }
figure { margin: 2rem 0; break-inside: avoid; }
img { width: 100%; height: auto; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid #ddd; }
tbody th { font-weight: normal; min-width: 13rem; }
thead th { border-bottom: 2px solid #111; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
:focus-visible { outline: 3px solid #d55e00; outline-offset: 1px; }
pre { overflow-x: auto; font-size: .8125rem; }
@media print { nav, .download { display: none; } .table { overflow: visible; } body { max-width: none; font-size: 10pt; } }
"""
SCRIPT = """
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


def page(study, rows, manifest, folder, figures):
    """The page as text.

    Parameters
    ----------
    study : study.Study
    rows : list of dict
        Of `report.rows`.
    manifest : dict
    folder : Path
        Holds figure_<name>.svg and .csv.
    figures : dict of str to str
        Their names, and what each shows.
    """
    n = study.n_networks
    links = [("claims", "Claims"), *((f"figure-{name}", _title(name)) for name in figures)]
    links += [("numbers", "Every number"), ("provenance", "Provenance")]
    body = [
        f"<h1>hrnn: {n} network{'s' if n > 1 else ''}, measured and published</h1>",
        "<nav aria-label='Contents'>"
        + "".join(f"<a href='#{anchor}'>{html.escape(title)}</a>" for anchor, title in links)
        + "</nav>",
        "<h2 id='claims'>Claims, network by network</h2>",
        _claims(study, figures),
        _controls(study),
        *(_figure(name, about, folder) for name, about in figures.items()),
        "<h2 id='numbers'>Every number</h2>",
        _table(
            "Every number",
            ("quantity", "measured", "95 % interval", "n", "published"),
            [number_cells(row) for row in rows],
        ),
        f"<p>{html.escape(NOTE)}</p>",
        "<h2 id='provenance'>Provenance</h2>",
        f"<pre tabindex='0'>{html.escape(json.dumps(manifest, indent=1))}</pre>",
    ]
    return (
        f"<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n<meta name='viewport' "
        f"content='width=device-width, initial-scale=1'>\n<title>hrnn report</title>\n<link rel='icon' href='data:,'>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{chr(10).join(body)}\n</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _claims(study, figures):
    cells = []
    for row in study.verdicts.itertuples():
        shown = html.escape(f"figure {row.figure}")
        link = f"<a href='#figure-{row.figure}'>{shown}</a>" if row.figure in figures else shown
        cells.append([*(html.escape(cell(row)) for cell in CLAIM_COLUMNS.values()), link])
    table = _table("Claims", (*CLAIM_COLUMNS, "shown in"), cells, escaped=True)
    return f"{table}\n<p>A claim holds in a network if its measure meets the criterion, which is ours. Published: one network.</p>"


def _controls(study):
    """How the claims fare where they must be able to fail."""
    kinds = "; ".join(f"{kind}: {text}" for kind, text in CONTROLS.items())
    table = _table(
        "Controls", ("measure", "criterion", *CONTROLS, "all fail"), control_cells(study.controls)
    )
    return f"<p>Each claim on what must not always meet it: mean, and in how many it holds. {html.escape(kinds)}.</p>\n{table}"


def _table(label, headings, rows, *, escaped=False):
    """A table that scrolls by itself on a narrow screen."""
    head = "".join(f"<th scope='col'>{html.escape(heading)}</th>" for heading in headings)
    body = []
    for first, *others in rows:
        first, others = (
            (first, others)
            if escaped
            else (html.escape(str(first)), [html.escape(str(cell)) for cell in others])
        )
        body.append(
            f"<tr><th scope='row'>{first}</th>"
            + "".join(f"<td class='number'>{cell}</td>" for cell in others)
            + "</tr>"
        )
    return (
        f"<div class='table' role='region' aria-label='{label}'>\n<table><thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{chr(10).join(body)}\n</tbody></table>\n</div>"
    )


def _title(name):
    return "Mice" if name == "mice" else f"Figure {name}"


def _figure(name, about, folder):
    """A figure as an image inside the page, what it shows, and its source data as a download."""
    image, source = (
        _data(folder / f"figure_{name}.{kind}", mime)
        for kind, mime in (("svg", "image/svg+xml"), ("csv", "text/csv"))
    )
    return (
        f"<figure id='figure-{name}'>\n<img alt='{html.escape(about, quote=True)}' src='{image}'>\n<figcaption>{html.escape(about)} "
        f"<a class='download' download='figure_{name}.csv' href='{source}'>Source data</a></figcaption>\n</figure>"
    )


def _data(path, mime):
    return f"data:{mime};base64,{base64.b64encode(path.read_bytes()).decode()}"
