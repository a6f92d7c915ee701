"""The numbers of README and docs, made anew.

Tables from folders of `hrnn reproduce`, and what was measured beside them.

    hrnn reproduce --seed 0 --out many
    hrnn reproduce --seed 0 --networks 1 --out one
    python docs/measured.py collect many one   # every number that the tables show
    python docs/measured.py coverage many      # intervals of one network in fresh sessions
    python docs/measured.py fresh many         # intervals over networks in fresh sets of sessions
    python docs/measured.py write              # the tables, and docs/measures.md

The first three keep their numbers in docs/measured.json; `coverage` takes ten minutes, `fresh` one.
`write` puts the tables between <!-- name --> and <!-- /name --> of their pages. The tests write the
tables and compare, and run the other parts with smaller networks.
"""

import functools
import json
import re
import sys
from pathlib import Path

import numpy as np

import hrnn
from hrnn import claims, distill, report, stats
from hrnn.analysis.anatomy import Anatomy
from hrnn.distill.distillation import entries
from hrnn.populations import controls, measures, member
from hrnn.populations.ensemble import Population
from hrnn.populations.measures import QUANTITIES

ROOT = Path(__file__).parents[1]
NUMBERS = ROOT / "docs" / "measured.json"
MEASURES = ROOT / "docs" / "measures.md"
AGENTS = {
    "network": "20 trained networks",
    "semi_markov": "exact Bayes, threshold .9",
    "published_actor": "published Bayesian actor",
    "optimal_per_trial": "optimal per trial",
    "optimal_per_step": "optimal per step",
}
NAMES = {
    "correct": "correct",
    "timeouts": "timeouts",
    "steps_per_trial": "steps per trial",
    "reward_per_trial": "reward per trial",
    "reward_per_step": "reward per step",
    "mu0_concordant": "strength 0: concordant",
    "mu0_discordant": "strength 0: discordant",
}
TAKEN_APART = {  # rows of the README's second table
    "variance_pc12": "variance in two components",
    "block_decoder_full": "block decoded from all units, other sessions",
    "block_decoder_plane": "block decoded from two components",
    "angle_plane": "angle between the readouts, plane of two components (°)",
    "angle_full": "the same, the plane's block readout in the space of all units (°)",
    "stimulus_slope_in_plane": "movement along the stimulus readout per evidence",
    "block_slope_in_plane": "movement along the block readout per evidence",
    "belief_correlation": "correlation of the block belief with the exact observer's",
    "told_weight_ratio": (
        "learnt of the block from the side that feedback tells (exact observer: 1)"
    ),
    "radd.A22": "distilled to two units: memory of the block, A₂₂",
    "radd.correct": "distilled to two units: correct, gain tuned for it",
    "radd.correct_at_published_gain": "the same, published gain",
}
DEFECTS = {  # rows of docs/defects.md: measure of the networks, and in words
    "angle_full": "plane's block readout in all units, against V_right − V_left",
    "published_angle_full": "the same by the letter of the code (13 to 15)",
    "angle_plane": "in the plane",
    "published_angle_plane": "the same by the letter of the code (13 to 15)",
    "feedback_slope_before_arrival_stimulus_in_plane": (
        "movement per feedback, stimulus readout, one step too early (10)"
    ),
    "feedback_slope_stimulus_in_plane": "the same in the step that brings it",
    "feedback_slope_before_arrival_block_in_plane": (
        "movement per feedback, block readout, one step too early (10)"
    ),
    "feedback_slope_block_in_plane": "the same in the step that brings it",
}
FRESH = ("correct", "reward_per_step", "mu0_concordant", "mu0_discordant", "gap_to_published_actor")
GAINS = (2.8,)


# ---- numbers from folders ----


def collect(many, one):
    """Numbers of the tables from a folder of many networks and from one of a single network."""
    population = Population.load(Path(many) / "networks")
    wide = population.wide()
    verdicts = claims.verdicts(wide, low=population.wide("low"), high=population.wide("high"))
    import pandas as pd

    tried = controls.verdicts(pd.read_csv(Path(many) / "controls.csv"))
    spread = {
        name: {"mean": wide[name].mean(), "least": wide[name].min(), "most": wide[name].max()}
        for name in DEFECTS
    }
    return {
        "rows": _report(many),
        "one": _report(one),
        "n_networks": len(wide),
        "claims": json.loads(verdicts.to_json(orient="records")),
        "controls": json.loads(tried.to_json(orient="records")),
        "defects": spread,
    }


def _report(folder):
    """Rows of a report by name, without their sources."""
    rows = json.loads((Path(folder) / "report.json").read_text())
    return {row["name"]: [row["value"], row["low"], row["high"], row["n"]] for row in rows}


# ---- what is measured beside them ----


def measured(net, n_sessions, seed):
    """Every measure of a network, and of its distillation, that has an interval over sessions.

    {name: (value, low, high)}.
    """
    run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=n_sessions, rng=seed))
    anatomy = Anatomy(run, seed)
    groups = (
        anatomy._variance,
        anatomy._decoding,
        anatomy._angles,
        anatomy._slopes,
        anatomy._belief,
        anatomy._coupling,
    )
    found = {name: value for group in groups for name, value in group().items()}
    radd = distill.radd(run, net, gains=GAINS, rng=seed)
    fitted = distill.bayesian_filter(run, anatomy.seen, gains=GAINS)
    found |= (
        entries("radd", radd)
        | entries("bayesian_filter", fitted)
        | {"radd.r2_heldout": radd.r2_heldout}
    )
    found |= {
        f"{name}.evidence_ratio": value
        for name, value in distill.evidence_ratio(run, radd, anatomy.seen).items()
    }
    for name, value in zip(
        ("side", "block"), distill.resembles(run, radd, anatomy.seen), strict=True
    ):
        found[f"radd.r2_on_{name}_belief"] = value
    rows = distill.messages(run, radd, fitted, anatomy.seen).itertuples()
    found |= {
        f"{row.source}.message_{row.message.replace(' ', '_')}": stats.Estimate(
            row.value, row.low, row.high, n_sessions
        )
        for row in rows
    }
    return {
        name: (float(e.value), float(e.low), float(e.high))
        for name, e in found.items()
        if np.isfinite(e.low)
    }


def coverage(net, n_sessions, n_sets, seed=1000):
    """How measures of one network vary over fresh sets of sessions.

    And how often their 95 % intervals hold the mean of the sets.
    """
    import pandas as pd

    sets = [measured(net, n_sessions, seed + k) for k in range(n_sets)]
    rows = []
    for name in sets[0]:
        values, low, high = np.array([found[name] for found in sets]).T
        if np.ptp(values) > 1e-9:  # the observer's start is the prior, by definition
            held = np.mean((low <= values.mean()) & (values.mean() <= high))
            rows.append(
                {
                    "measure": name,
                    "value": values.mean(),
                    "sd": values.std(ddof=1),
                    "error": np.mean(high - low) / 3.92,
                    "held": held,
                    "given": next(
                        (what for start, what in report.GIVEN.items() if name.startswith(start)), ""
                    ),
                }
            )
    return pd.DataFrame(rows)


def evaluated(net, settings):
    """The measures of FRESH of a network in the sessions that settings name."""
    found = member.Findings()
    run = member._behaviour(functools.partial(hrnn.rollout, net), hrnn.Task(), settings, found)
    found.group("published actor", functools.partial(member._published_actor, run))
    return [found.measures[name] for name in FRESH]


def fresh(nets, *, n_sets=12, n_blocks=1000, seed=1000, own=True):
    """The measures of FRESH of networks in fresh sets.

    Each network in sessions of its own (or all in the same): (sets, networks, 5).
    """
    settings = [
        [
            {"n_blocks": n_blocks, "seed": seed + k, "index": i if own else 0}
            for i in range(len(nets))
        ]
        for k in range(n_sets)
    ]
    return np.array(
        [
            [evaluated(net, one) for net, one in zip(nets, several, strict=True)]
            for several in settings
        ]
    )


def held(values):
    """Which intervals over networks (sets, 5) hold the mean over all sets and networks."""
    intervals = [stats.mean_interval(one) for one in values]
    truth = values.mean((0, 1))
    return np.array([(e.low <= truth) & (truth <= e.high) for e in intervals])


# ---- tables ----


def behaviour(numbers):
    """README: behaviour of the networks beside agents and the published network."""
    published = {name: value for name, value in claims.PUBLISHED.items() if name in NAMES}
    lines = [_row(["quantity", *AGENTS.values(), "published network"]), _rule(2 + len(AGENTS))]
    for quantity in QUANTITIES:
        cells = [_interval(numbers["rows"][f"{agent}.{quantity}"]) for agent in AGENTS]
        lines.append(
            _row(
                [
                    NAMES[quantity],
                    *cells,
                    f"{published[quantity]:.3f}" if quantity in published else "–",
                ]
            )
        )
    return lines


def networks(numbers):
    """README: the networks taken apart."""
    by_name = {row["name"]: row for row in numbers["claims"]}
    head = [f"{numbers['n_networks']} trained networks", "range", "published network", "holds in"]
    lines = [_row(["quantity", *head]), _rule(1 + len(head))]
    for name, text in TAKEN_APART.items():
        row = by_name[name]
        published = "–" if row["published"] is None else f"{row['published']:.3g}"
        spread = f"{_short(row['least'])} … {_short(row['most'])}"
        lines.append(
            _row(
                [
                    text,
                    _interval([row["value"], row["low"], row["high"]]),
                    spread,
                    published,
                    _held(row),
                ]
            )
        )
    return lines


def every_claim(numbers):
    """docs/claims.md: every claim."""
    head = [
        "measure",
        "claim",
        "published",
        "criterion",
        "why there",
        "mean [95 %]",
        "sd",
        "range",
        "holds in",
        "figure",
    ]
    lines = [_row(head), _rule(len(head))]
    for row in numbers["claims"]:
        mean = f"{_short(row['value'])} [{_short(row['low'])}, {_short(row['high'])}]"
        cells = [
            row["claim"],
            _short(row["published"]),
            row["criterion"],
            row["why"],
            mean,
            _short(row["sd"]),
        ]
        lines.append(
            _row(
                [
                    f"`{row['name']}`",
                    *cells,
                    f"{_short(row['least'])} … {_short(row['most'])}",
                    _held(row),
                    row["figure"],
                ]
            )
        )
    return lines


def every_control(numbers):
    """docs/claims.md: every claim on the controls."""
    head = ["measure", "criterion", *controls.CONTROLS, "all fail"]
    lines = [_row(head), _rule(len(head))]
    for row in numbers["controls"]:
        cells = [
            f"{_short(row[kind])} ({row[f'{kind}_k']} of {row[f'{kind}_of']})"
            for kind in controls.CONTROLS
        ]
        lines.append(_row([f"`{row['name']}`", row["criterion"], *cells, row["failed_by"] or "–"]))
    return lines


def defects(numbers):
    """docs/defects.md: what the published analysis measures, in all networks."""
    lines = [_row(["", f"mean of {numbers['n_networks']} networks", "range"]), _rule(3)]
    for name, text in DEFECTS.items():
        found = numbers["defects"][name]
        lines.append(
            _row(
                [text, _short(found["mean"]), f"{_short(found['least'])} … {_short(found['most'])}"]
            )
        )
    return lines


def intervals(numbers):
    """docs/intervals.md: intervals over networks in fresh sets of sessions."""
    lines = [
        _row(
            [
                "measure",
                "mean of all sets",
                "sd over sets / reported error",
                "intervals that hold it",
            ]
        ),
        _rule(4),
    ]
    for row in numbers["fresh"]:
        lines.append(
            _row(
                [
                    f"`{row['measure']}`",
                    _short(row["value"]),
                    f"{row['ratio']:.2f}",
                    f"{row['held']} of {row['of']}",
                ]
            )
        )
    return lines


def covered(numbers):
    """docs/intervals.md: intervals of one network."""
    head = [
        "measure",
        *(
            f"{n} sessions: {what}"
            for n in numbers["coverage"]
            for what in ("sd over sets", "reported error", "held")
        ),
    ]
    tables = {n: {row["measure"]: row for row in rows} for n, rows in numbers["coverage"].items()}
    lines = [_row([*head, "given"]), _rule(2 + 3 * len(tables))]
    first, *_ = tables.values()
    for name in first:
        cells = []
        for table in tables.values():
            row = table.get(name)
            cells += (
                [_short(row["sd"]), _short(row["error"]), f"{row['held']:.2f}"]
                if row
                else ["–"] * 3
            )
        lines.append(_row([f"`{name}`", *cells, first[name]["given"] or "–"]))
    return lines


def _row(cells):
    return f"| {' | '.join(map(str, cells))} |"


def _rule(n):
    return f"|{'---|' * n}"


def _short(value):
    return "–" if value is None else f"{value:.3g}".replace("-", "−")


def _interval(row):
    value, low, high = row[:3]
    digits = 1 if abs(value) >= 20 else 3
    if low is None:
        return f"{value:.{digits}f}".replace("-", "−")
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]".replace("-", "−")


def _held(row):
    return claims.counted(type("Row", (), row))


TABLES = {  # name of the markers: page and function
    "behaviour": ("README.md", behaviour),
    "networks": ("README.md", networks),
    "claims": ("docs/claims.md", every_claim),
    "controls": ("docs/claims.md", every_control),
    "defects": ("docs/defects.md", defects),
    "fresh": ("docs/intervals.md", intervals),
    "coverage": ("docs/intervals.md", covered),
}


def between(text, name):
    """What stands between the markers of a table: (start, end) in the text."""
    found = re.search(f"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.DOTALL)
    if found is None:
        raise ValueError(f"the page must have the markers <!-- {name} --> and <!-- /{name} -->")
    return found.span(1)


def write():
    """Put every table into its page, and the catalogue of measures into its own."""
    MEASURES.write_text(measures.page())
    numbers = json.loads(NUMBERS.read_text())
    for name, (page, table) in TABLES.items():
        path = ROOT / page
        text = path.read_text()
        start, end = between(text, name)
        path.write_text(text[:start] + "\n".join(table(numbers)) + "\n" + text[end:])


def counted_coverage(nets):
    """Rows of the table of coverage: the first network in fresh sets of 60 and of 250 sessions."""
    return {
        str(n): json.loads(coverage(nets[0], n, sets).to_json(orient="records"))
        for n, sets in ((60, 60), (250, 40))
    }


def counted_fresh(nets):
    """Rows of the table of fresh sets."""
    values = fresh(nets)
    inside = held(values)
    several = [stats.mean_interval(one) for one in values]
    ratio = values.mean(1).std(0, ddof=1) / np.mean(
        [(e.high - e.low) / 3.92 for e in several], axis=0
    )
    return [
        {
            "measure": name,
            "value": values[:, :, j].mean(),
            "ratio": ratio[j],
            "held": int(inside[:, j].sum()),
            "of": len(values),
        }
        for j, name in enumerate(FRESH)
    ]


def keep(**found):
    """Add to what is kept, as it is now: the commands may run side by side."""
    kept = json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}
    NUMBERS.write_text(json.dumps(kept | found, indent=1) + "\n")


def main(command, *folders):
    """One of the commands of the head of this file."""
    if command == "write":
        write()
    elif command == "collect":
        keep(**collect(*folders))
    else:
        nets = [found.network for found in Population.load(Path(folders[0]) / "networks").members]
        work = {"coverage": counted_coverage, "fresh": counted_fresh}[command]
        keep(**{command: work(nets)})


if __name__ == "__main__":
    main(*sys.argv[1:])
