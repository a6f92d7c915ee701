"""The report of a study: every number beside the published one, as rows and as markdown."""

import numpy as np

from hrnn import behavior
from hrnn.agents import BASELINES, POLICIES, WITH_ERRORS, WITH_HISTORY, WITH_REGRET
from hrnn.choice.side_by_side import MEASURES
from hrnn.inference import observe
from hrnn.populations import claims, controls
from hrnn.populations.measures import QUANTITIES, of_row
from hrnn.populations.member import HISTORY_TERMS, long_session
from hrnn.rollout import rollout
from hrnn.statistics import resampling

PUBLISHED = {claims.report_name(name): value for name, value in claims.PUBLISHED.items()}
OVER_NETWORKS = "populations.population: mean over networks, each in sessions of its own"
GIVEN = {  # what the interval of one network takes as known, by the beginning of the measure's name
    "block_decoder_": "the decoder",
    "radd.r2": "projection and scale",
    "radd.message": "the units of z",
}
CLAIM_COLUMNS = {  # of the table of claims: heading and cell
    "claim": lambda row: row.claim,
    "published": lambda row: _number(row.published),
    "criterion": lambda row: row.criterion,
    "mean [95 %]": lambda row: (
        _number(row.value)
        + (f" [{_number(row.low)}, {_number(row.high)}]" if np.isfinite(row.low) else "")
    ),
    "sd": lambda row: _number(row.sd),
    "range": lambda row: f"{_number(row.least)} … {_number(row.most)}",
    "holds in": claims.counted,
}
NOTE = (
    "n is the number of trials, or of networks where several were trained. Intervals resample sessions (mice: subjects). Several "
    "networks: each is measured in sessions of its own and the networks are resampled, so that their intervals mean new networks in new "
    "sessions; other agents share one set of sessions, and their differences from networks are not paired, except where a measure is a "
    "gap or a regret: those are within the network's own sessions. Intervals of one network that take an estimate as known say so in "
    "the source ('given ...'). Published: one network. `optimal_….expected` is what the dynamic programme promises; the policies earn a "
    "little more, because a session ends with its last block while the filter, and with it the programme, expects one more change "
    "(docs/theory.md)."
)


def rows(study):
    """Every measure of every agent: a list of {name, value, low, high, n, published, source}."""
    found = []
    for agent, table in study.summaries.items():
        for quantity, row in table.iterrows():
            numbers = row[["value", "low", "high", "n"]]
            found.append(_row(f"{agent}.{quantity}", *numbers, f"behavior.summary of {agent}"))
    found.append(
        _row(
            "bound.correct",
            study.bound.mean(),
            None,
            None,
            len(study.bound),
            "inference.accuracy_bound",
        )
    )
    parts = (_errors, _long_session, _anatomy, _distillation, _regrets, _history, _mice_rows)
    every = {row["name"]: row for row in found + [row for part in parts for row in part(study)]}
    return list((every | _over_networks(study)).values())


def _over_networks(study):
    """Rows of all networks, in the place of those of the first.

    {name: row}; none for one network.
    """
    named = {claims.report_name(measure): m for measure, m in study.over_networks.items()}
    return {
        name: _row(name, m.value, m.low, m.high, m.n, OVER_NETWORKS) for name, m in named.items()
    }


def _row(name, value, low, high, n, source):
    """A row of report.json; KeyError if the catalogue of measures has no such name."""
    of_row(name)
    low, high = (None if x is None or not np.isfinite(x) else float(x) for x in (low, high))
    return {
        "name": name,
        "value": float(value) if np.isfinite(value) else None,
        "low": low,
        "high": high,
        "n": int(n),
        "published": PUBLISHED.get(name),
        "source": source,
    }


def _given(name):
    """Words for what an interval takes as known."""
    return next((f", given {what}" for start, what in GIVEN.items() if name.startswith(start)), "")


def _anatomy(study):
    """Representation, integration, coupling and mechanism of the networks.

    And what the published code's defects do to them.
    """
    measures = {} if study.over_networks else study.anatomy.measures()
    rows = [
        _row(
            f"network.{name}",
            m.value,
            m.low,
            m.high,
            m.n,
            f"analysis.Anatomy.measures{_given(name)}",
        )
        for name, m in measures.items()
    ]
    return rows + [
        _row(row.name, row.value, None, None, row.n, "published.consequences")
        for row in study.anatomy.consequences.itertuples(index=False)
    ]


def _distillation(study):
    """Students of the first network, and what links the two units to the Bayesian observer."""
    return [
        _row(name, m.value, m.low, m.high, m.n, f"distill.Distillation.measures{_given(name)}")
        for name, m in study.distillation.measures().items()
    ]


def _errors(study):
    """Why performance is not perfect.

    Errors by what made them, and the paired gap to the bound on accuracy.
    """
    rows = []
    session = study.sessions.session
    n = np.bincount(session).astype(float)
    for agent in WITH_ERRORS:
        run = study.runs[agent]
        split = behavior.error_split(run)
        rows += [
            _row(
                f"{agent}.errors_{cause}",
                *split.loc[cause, ["value", "low", "high", "n"]],
                "behavior.error_split",
            )
            for cause in split.index
        ]
        right = np.bincount(session, run.choice == study.sessions.side)
        gap = resampling.paired((np.bincount(session, study.bound), n), (right, n))
        rows.append(
            _row(
                f"{agent}.gap_to_bound",
                gap.value,
                gap.low,
                gap.high,
                len(session),
                "accuracy_bound, paired by session",
            )
        )
    return rows


def _long_session(study):
    """The first network in one session without reset, as many blocks as all sessions have.

    Runs of four blocks are resampled.
    """
    sessions = long_session(study.sessions, study.seed)
    table = behavior.summary(rollout(study.runs["network"].agent, sessions, hidden=False)).loc[
        list(QUANTITIES)
    ]
    return [
        _row(
            f"network.long_session_{q}",
            *table.loc[q, ["value", "low", "high", "n"]],
            "behavior.summary, one long session",
        )
        for q in QUANTITIES
    ]


def _regrets(study):
    """What the network and the exact actor lose against each optimal policy."""
    rows = []
    for agent in WITH_REGRET:
        for policy, criterion in POLICIES.items():
            r = behavior.regret(study.runs[agent], study.runs[policy], criterion=criterion)
            rows.append(
                _row(f"{agent}.regret_{criterion}", r.value, r.low, r.high, r.n, "behavior.regret")
            )
    for policy in POLICIES:
        solution = BASELINES[policy]().solution(study.task)
        rows.append(
            _row(f"{policy}.expected", solution.value, None, None, 0, "policy.Solution.value")
        )
    return rows


def _history(study):
    """How the previous choice bears on the next beyond the exact prior.

    The exact actor is the negative control.
    """
    rows = []
    for agent in WITH_HISTORY:
        run = study.runs[agent]
        try:
            table = behavior.history_regression(run, observe(run).prior).set_index("term")
        except ValueError:  # a network that takes one side only has no history
            continue
        for term in HISTORY_TERMS:
            row = table.loc[term]
            source = "behavior.history_regression"
            rows.append(
                _row(
                    f"{agent}.history_{term}",
                    row["weight"],
                    row["low"],
                    row["high"],
                    row["n"],
                    source,
                )
            )
    return rows


def _mice_rows(study):
    if study.mice is None:
        return []
    table = behavior.summary(study.mice)
    names = [q for q in ("correct", "concordant_correct", "discordant_correct") if q in table.index]
    found = [
        _row(f"mice.{q}", *table.loc[q, ["value", "low", "high", "n"]], "behavior.summary of mice")
        for q in names
    ]
    for row in study.beside.comparison.itertuples():
        numbers = {
            "bits_per_trial": (row.bits_per_trial, row.low, row.high),
            "bits_less_best": (row.difference, row.difference_low, row.difference_high),
            "exceedance": (row.exceedance, np.nan, np.nan),
        }
        found += [
            _row(f"{row.model}.{name}", *values, row.n_subjects, "mice.compare")
            for name, values in numbers.items()
        ]
    action = study.beside.fits["mice", "action_kernel"]
    for name in action.params:
        mean = resampling.mean_interval(action.params[name].to_numpy(float))
        found.append(
            _row(f"action_kernel.{name}", mean.value, mean.low, mean.high, mean.n, "mice.fit")
        )
    for measure in MEASURES:
        found += [
            _row(
                f"{row.population}.choices_{measure}",
                row.value,
                row.low,
                row.high,
                row.n,
                "choice.Beside.measures",
            )
            for row in study.beside.population(measure).itertuples()
        ]
    return found


def markdown(study, rows):
    """report.md: behaviour of all agents in one table.

    Then every number beside the published one.
    """
    lengths = study.sessions.block_lengths
    found = {row["name"]: row for row in rows}
    lines = [
        "# hrnn: measured and published",
        "",
        "## Behaviour of every agent",
        "",
        _markdown_row(["agent", *QUANTITIES]),
        _markdown_row(["---"] * (1 + len(QUANTITIES))),
    ]
    lines += [
        _markdown_row([f"`{agent}`", *(_cell(found[f"{agent}.{q}"]) for q in QUANTITIES)])
        for agent in study.summaries
    ]
    lines += [
        "",
        f"{study.sessions.n_sessions} sessions of {study.task.n_blocks} blocks, the same for every agent; block length "
        f"{lengths.mean():.2f} ± {lengths.std():.2f} trials (mean ± sd). A timeout is wrong.",
        "",
        *claims_table(study.verdicts),
        "",
        *controls_table(study.controls),
        *_failures(study.population),
        "",
        *_students(study.distillation),
        "",
        "## Every number",
        "",
        "| quantity | measured | 95 % interval | n | published |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        name, *others = number_cells(row)
        lines.append(_markdown_row([f"`{name}`", *others]))
    lines += ["", NOTE]
    return "\n".join(lines) + "\n"


def number_cells(row):
    """A row as it is printed: name, value, interval, n, published."""
    value = "–" if row["value"] is None else f"{row['value']:.4f}"
    interval = "–" if row["low"] is None else f"{row['low']:.4f} … {row['high']:.4f}"
    return [
        row["name"],
        value,
        interval,
        row["n"],
        "–" if row["published"] is None else f"{row['published']:g}",
    ]


def claims_table(verdicts):
    """Every published claim, and in how many networks it holds, as lines of markdown."""
    lines = [
        "## Claims, network by network",
        "",
        _markdown_row(CLAIM_COLUMNS),
        _markdown_row(["---"] * len(CLAIM_COLUMNS)),
    ]
    lines += [
        _markdown_row([cell(row) for cell in CLAIM_COLUMNS.values()])
        for row in verdicts.itertuples()
    ]
    return [
        *lines,
        "",
        "A claim holds in a network if the measure of that network meets the criterion, which is ours (docs/claims.md). "
        "It turns on the sessions where more than a tenth of the networks have an edge of the criterion in their own interval over "
        "sessions.",
    ]


def controls_table(found):
    """How every claim fares on the controls, as lines of markdown."""
    kinds = list(controls.CONTROLS)
    lines = [
        "## Claims on controls",
        "",
        "Each claim on what must not always meet it: mean, and in how many it holds. "
        + "; ".join(f"{kind}: {text}" for kind, text in controls.CONTROLS.items())
        + ".",
        "",
        _markdown_row(["measure", "criterion", *kinds, "all fail"]),
        _markdown_row(["---"] * (3 + len(kinds))),
    ]
    return [
        *lines,
        *(_markdown_row([f"`{name}`", *others]) for name, *others in control_cells(found)),
    ]


def control_cells(found):
    """The rows of the table of controls as they are printed.

    Measure, criterion, each kind of control, which kinds all fail.
    """
    cells = []
    for row in controls.verdicts(found).to_dict("records"):
        each = [
            f"{_number(row[kind])} ({row[f'{kind}_k']} of {row[f'{kind}_of']})"
            for kind in controls.CONTROLS
        ]
        cells.append([row["name"], row["criterion"], *each, row["failed_by"] or "–"])
    return cells


def _failures(population):
    return (
        [f"\n{len(population.failures)} networks failed; their errors are in manifest.json."]
        if len(population.failures)
        else []
    )


def _number(value):
    """Three significant digits, or a dash."""
    return f"{value:.3g}".replace("-", "−") if value is not None and np.isfinite(value) else "–"


def _students(found):
    """The students of the first network in one table."""
    measures = [name for name in found.table.columns if name not in ("kind", "seed")]
    lines = [
        "## Students of two units",
        "",
        _markdown_row(["student", *measures]),
        _markdown_row(["---"] * (1 + len(measures))),
    ]
    teacher = [f"{found.teacher[name]:.3f}" if name in found.teacher else "–" for name in measures]
    lines.append(_markdown_row(["the teacher", *teacher]))
    for kind, group in found.summary.groupby("kind", sort=False):
        rows = group.set_index("measure").loc[measures]
        lines.append(
            _markdown_row(
                [
                    f"`{kind}`",
                    *(f"{r.value:.3f} [{r.low:.3f}, {r.high:.3f}]" for r in rows.itertuples()),
                ]
            )
        )
    return [
        *lines,
        "",
        f"Mean over {found.n_seeds} seeds with its 95 % interval over them, in the sessions of the table above; "
        "`seconds` is the wall time to make one, all cores being busy (docs/distillation.md).",
    ]


def _markdown_row(cells):
    return f"| {' | '.join(map(str, cells))} |"


def _cell(row):
    """Value with its interval, and the published value where there is one."""
    text = f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    return text if row["published"] is None else f"{text}; published {row['published']:g}"
