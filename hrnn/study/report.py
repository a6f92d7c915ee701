"""The report of a study: every number beside the published one, as rows and as markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hrnn import behavior
from hrnn.agents import BASELINES, POLICIES, WITH_ERRORS, WITH_HISTORY, WITH_REGRET
from hrnn.choice.side_by_side import MEASURES, Beside
from hrnn.distill import Distillation
from hrnn.inference import observe
from hrnn.policy import OptimalPolicy
from hrnn.populations import claims, controls
from hrnn.populations.ensemble import Population
from hrnn.populations.measures import QUANTITIES, of_row
from hrnn.populations.member import HISTORY_TERMS, long_session
from hrnn.rollout import rollout
from hrnn.statistics import resampling
from hrnn.statistics.resampling import Estimate
from hrnn.study.reproduction import Study

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]  # name, value, low, high, n, published, source
PUBLISHED: dict[str, float] = {
    claims.report_name(name): value for name, value in claims.PUBLISHED.items()
}
OVER_NETWORKS: str = "populations.population: mean over networks, each in sessions of its own"
# What the interval of one network takes as known, by the beginning of the measure's name.
GIVEN: dict[str, str] = {
    "block_decoder_": "the decoder",
    "radd.r2": "projection and scale",
    "radd.message": "the units of z",
}


def _mean_cell(row: Any) -> str:
    """Mean over networks with its interval, of a row of the claims' verdicts."""
    value = _number(row.value)
    return f"{value} [{_number(row.low)}, {_number(row.high)}]" if np.isfinite(row.low) else value


CLAIM_COLUMNS: dict[str, Callable[[Any], str]] = {  # of the table of claims: heading and cell
    "claim": lambda row: row.claim,
    "published": lambda row: _number(row.published),
    "criterion": lambda row: row.criterion,
    "mean [95 %]": _mean_cell,
    "sd": lambda row: _number(row.sd),
    "range": lambda row: f"{_number(row.least)} … {_number(row.most)}",
    "holds in": claims.counted,
}
NOTE: str = (
    "n is the number of trials, or of networks where several were trained. "
    "Intervals resample sessions (mice: subjects). "
    "Several networks: each is measured in sessions of its own and the networks are resampled, "
    "so that their intervals mean new networks in new sessions; "
    "other agents share one set of sessions, and their differences from networks are not paired, "
    "except where a measure is a gap or a regret: those are within the network's own sessions. "
    "Intervals of one network that take an estimate as known say so in the source ('given ...'). "
    "Published: one network. "
    "`optimal_….expected` is what the dynamic programme promises; the policies earn a little more, "
    "because a session ends with its last block while the filter, and with it the programme, "
    "expects one more change (docs/theory.md)."
)


def rows(study: Study) -> list[Row]:
    """Every measure of every agent: a list of {name, value, low, high, n, published, source}."""
    parts = (
        _summaries,
        _errors,
        _long_session,
        _anatomy,
        _distillation,
        _regrets,
        _history,
        _mice_rows,
    )
    every = {row["name"]: row for part in parts for row in part(study)}
    return list((every | _over_networks(study)).values())


def _over_networks(study: Study) -> dict[str, Row]:
    """Rows of all networks, in the place of those of the first.

    {name: row}; none for one network.
    """
    named = {claims.report_name(measure): m for measure, m in study.over_networks.items()}
    return {name: _of_estimate(name, m, OVER_NETWORKS) for name, m in named.items()}


def _row(name: str, value: Any, low: Any, high: Any, n: Any, source: str) -> Row:
    """A row of report.json; KeyError if the catalogue of measures has no such name."""
    of_row(name)
    return {
        "name": name,
        "value": _plain(value),
        "low": None if low is None else _plain(low),
        "high": None if high is None else _plain(high),
        "n": int(n),
        "published": PUBLISHED.get(name),
        "source": source,
    }


def _plain(number: Any) -> float | None:
    """A number as JSON has it: None if it is not finite."""
    return float(number) if np.isfinite(number) else None


def _of_estimate(name: str, found: Estimate, source: str) -> Row:
    """The row of an estimate."""
    return _row(name, found.value, found.low, found.high, found.n, source)


def _of_table(name: str, row: pd.Series, source: str) -> Row:
    """The row of a row of a table with `value, low, high, n`."""
    return _row(name, row["value"], row["low"], row["high"], row["n"], source)


def _given(name: str) -> str:
    """Words for what an interval takes as known."""
    return next((f", given {what}" for start, what in GIVEN.items() if name.startswith(start)), "")


def _summaries(study: Study) -> list[Row]:
    """Behaviour of every agent, and the bound on accuracy."""
    found = [
        _of_table(f"{agent}.{quantity}", row, f"behavior.summary of {agent}")
        for agent, table in study.summaries.items()
        for quantity, row in table.iterrows()
    ]
    bound = study.bound
    source = "inference.accuracy_bound"
    return [*found, _row("bound.correct", bound.mean(), None, None, len(bound), source)]


def _anatomy(study: Study) -> list[Row]:
    """Representation, integration, coupling and mechanism of the networks.

    And what the published code's defects do to them.
    """
    measures = {} if study.over_networks else study.anatomy.measures()
    found = [
        _of_estimate(f"network.{name}", m, f"analysis.Anatomy.measures{_given(name)}")
        for name, m in measures.items()
    ]
    for row in study.anatomy.consequences.to_dict("records"):
        source = "analysis.defects.consequences"
        found.append(_row(row["name"], row["value"], None, None, row["n"], source))
    return found


def _distillation(study: Study) -> list[Row]:
    """Students of the first network, and what links the two units to the Bayesian observer."""
    return [
        _of_estimate(name, m, f"distill.Distillation.measures{_given(name)}")
        for name, m in study.distillation.measures().items()
    ]


def _errors(study: Study) -> list[Row]:
    """Why performance is not perfect.

    Errors by what made them, and the paired gap to the bound on accuracy.
    """
    found: list[Row] = []
    session = study.sessions.session
    n = np.bincount(session).astype(float)
    bound = np.bincount(session, study.bound)
    source = "accuracy_bound, paired by session"
    for agent in WITH_ERRORS:
        run = study.runs[agent]
        for cause, row in behavior.error_split(run).iterrows():
            found.append(_of_table(f"{agent}.errors_{cause}", row, "behavior.error_split"))
        right = np.bincount(session, run.choice == study.sessions.side)
        gap = resampling.paired((bound, n), (right, n))
        name = f"{agent}.gap_to_bound"
        found.append(_row(name, gap.value, gap.low, gap.high, len(session), source))
    return found


def _long_session(study: Study) -> list[Row]:
    """The first network in one session without reset, as many blocks as all sessions have.

    Runs of four blocks are resampled.
    """
    sessions = long_session(study.sessions, study.seed)
    run = rollout(study.runs["network"].agent, sessions, hidden=False, progress=False)
    table = behavior.summary(run)
    source = "behavior.summary, one long session"
    return [_of_table(f"network.long_session_{q}", table.loc[q], source) for q in QUANTITIES]


def _regrets(study: Study) -> list[Row]:
    """What the network and the exact actor lose against each optimal policy."""
    found: list[Row] = []
    for agent in WITH_REGRET:
        for policy, criterion in POLICIES.items():
            r = behavior.regret(study.runs[agent], study.runs[policy], criterion=criterion)
            found.append(_of_estimate(f"{agent}.regret_{criterion}", r, "behavior.regret"))
    for policy in POLICIES:
        optimal = BASELINES[policy]()
        assert isinstance(optimal, OptimalPolicy)
        value = optimal.solution(study.task).value
        found.append(_row(f"{policy}.expected", value, None, None, 0, "policy.Solution.value"))
    return found


def _history(study: Study) -> list[Row]:
    """How the previous choice bears on the next beyond the exact prior.

    The exact actor is the negative control.
    """
    found: list[Row] = []
    for agent in WITH_HISTORY:
        run = study.runs[agent]
        try:
            table = behavior.history_regression(run, observe(run).prior).set_index("term")
        except ValueError:  # a network that takes one side only has no history
            continue
        table = table.rename(columns={"weight": "value"})
        for term in HISTORY_TERMS:
            name = f"{agent}.history_{term}"
            found.append(_of_table(name, table.loc[term], "behavior.history_regression"))
    return found


def _mice_rows(study: Study) -> list[Row]:
    """Behaviour of the mice, models of their choices, and the same measures of agents."""
    beside = study.beside
    if study.mice is None or beside is None:
        return []
    table = behavior.summary(study.mice)
    names = [q for q in ("correct", "concordant_correct", "discordant_correct") if q in table.index]
    found = [_of_table(f"mice.{q}", table.loc[q], "behavior.summary of mice") for q in names]
    return [*found, *_compared(beside), *_action_kernel(beside), *_beside(beside)]


def _compared(beside: Beside) -> list[Row]:
    """Models of choice in left-out sessions."""
    found: list[Row] = []
    for row in beside.comparison.to_dict("records"):
        numbers = {
            "bits_per_trial": (row["bits_per_trial"], row["low"], row["high"]),
            "bits_less_best": (row["difference"], row["difference_low"], row["difference_high"]),
            "exceedance": (row["exceedance"], np.nan, np.nan),
        }
        for name, (value, low, high) in numbers.items():
            full = f"{row['model']}.{name}"
            found.append(_row(full, value, low, high, row["n_subjects"], "mice.compare"))
    return found


def _action_kernel(beside: Beside) -> list[Row]:
    """Parameters of the action kernel, mean over mice."""
    action = beside.fits["mice", "action_kernel"]
    found: list[Row] = []
    for name in action.params:
        mean = resampling.mean_interval(action.params[name].to_numpy(float))
        found.append(_of_estimate(f"action_kernel.{name}", mean, "mice.fit"))
    return found


def _beside(beside: Beside) -> list[Row]:
    """The measures of choices of mice and agents."""
    return [
        _of_table(f"{row['population']}.choices_{measure}", row, "choice.Beside.measures")
        for measure in MEASURES
        for _, row in beside.population(measure).iterrows()
    ]


def markdown(study: Study, rows: Sequence[Row]) -> str:
    """report.md: behaviour of all agents, claims, controls, students, and every number.

    Parameters
    ----------
    study : Study
        What was computed.
    rows : list of dict
        Of `rows`.

    Returns
    -------
    str
    """
    lines = [
        "# hrnn: measured and published",
        "",
        *_behaviour_table(study, rows),
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


def _behaviour_table(study: Study, rows: Sequence[Row]) -> list[str]:
    """Behaviour of all agents in one table, and in what sessions."""
    found = {row["name"]: row for row in rows}
    sessions = study.sessions
    lengths = sessions.block_lengths
    lines = ["## Behaviour of every agent", "", *_head(["agent", *QUANTITIES])]
    for agent in study.summaries:
        cells = [_cell(found[f"{agent}.{quantity}"]) for quantity in QUANTITIES]
        lines.append(_markdown_row([f"`{agent}`", *cells]))
    return [
        *lines,
        "",
        f"{sessions.n_sessions} sessions of {study.task.n_blocks} blocks, the same for every agent;"
        f" block length {lengths.mean():.2f} ± {lengths.std():.2f} trials (mean ± sd)."
        " A timeout is wrong.",
    ]


def number_cells(row: Row) -> list[Any]:
    """A row as it is printed: name, value, interval, n, published."""
    value = "–" if row["value"] is None else f"{row['value']:.4f}"
    interval = "–" if row["low"] is None else f"{row['low']:.4f} … {row['high']:.4f}"
    published = "–" if row["published"] is None else f"{row['published']:g}"
    return [row["name"], value, interval, row["n"], published]


def claims_table(verdicts: pd.DataFrame) -> list[str]:
    """Every published claim, and in how many networks it holds, as lines of markdown."""
    lines = ["## Claims, network by network", "", *_head(CLAIM_COLUMNS)]
    for row in verdicts.itertuples():
        lines.append(_markdown_row(cell(row) for cell in CLAIM_COLUMNS.values()))
    return [
        *lines,
        "",
        "A claim holds in a network if the measure of that network meets the criterion, "
        "which is ours (docs/claims.md). "
        "It turns on the sessions where more than a tenth of the networks have an edge of the "
        "criterion in their own interval over sessions.",
    ]


def controls_table(found: pd.DataFrame) -> list[str]:
    """How every claim fares on the controls, as lines of markdown.

    Parameters
    ----------
    found : DataFrame
        Of `controls.table`.

    Returns
    -------
    list of str
    """
    kinds = "; ".join(f"{kind}: {text}" for kind, text in controls.CONTROLS.items())
    lines = [
        "## Claims on controls",
        "",
        f"Each claim on what must not always meet it: mean, and in how many it holds. {kinds}.",
        "",
        *_head(["measure", "criterion", *controls.CONTROLS, "all fail"]),
    ]
    for name, *others in control_cells(found):
        lines.append(_markdown_row([f"`{name}`", *others]))
    return lines


def control_cells(found: pd.DataFrame) -> list[list[str]]:
    """The rows of the table of controls as they are printed.

    Parameters
    ----------
    found : DataFrame
        Of `controls.table`.

    Returns
    -------
    list of list of str
        Measure, criterion, each kind of control, which kinds all fail.
    """
    cells: list[list[str]] = []
    for row in controls.verdicts(found).to_dict("records"):
        each = [
            f"{_number(row[kind])} ({row[f'{kind}_k']} of {row[f'{kind}_of']})"
            for kind in controls.CONTROLS
        ]
        cells.append([row["name"], row["criterion"], *each, row["failed_by"] or "–"])
    return cells


def _failures(population: Population) -> list[str]:
    """How many networks failed, if any did."""
    n = len(population.failures)
    return [f"\n{n} networks failed; their errors are in manifest.json."] if n else []


def _number(value: Any) -> str:
    """Three significant digits, or a dash."""
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:.3g}".replace("-", "−")


def _students(found: Distillation) -> list[str]:
    """The students of the first network in one table."""
    measures = [name for name in found.table.columns if name not in ("kind", "seed")]
    lines = ["## Students of two units", "", *_head(["student", *measures])]
    teacher = [f"{found.teacher[name]:.3f}" if name in found.teacher else "–" for name in measures]
    lines.append(_markdown_row(["the teacher", *teacher]))
    for kind, group in found.summary.groupby("kind", sort=False):
        rows = group.set_index("measure").loc[measures].to_dict("records")
        cells = [f"{r['value']:.3f} [{r['low']:.3f}, {r['high']:.3f}]" for r in rows]
        lines.append(_markdown_row([f"`{kind}`", *cells]))
    return [
        *lines,
        "",
        f"Mean over {found.n_seeds} seeds with its 95 % interval over them, in the sessions of the"
        " table above; `seconds` is the wall time to make one, all cores being busy"
        " (docs/distillation.md).",
    ]


def _head(headings: Iterable[str]) -> list[str]:
    """The first two lines of a table in markdown."""
    names = list(headings)
    return [_markdown_row(names), _markdown_row(["---"] * len(names))]


def _markdown_row(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _cell(row: Row) -> str:
    """Value with its interval, and the published value where there is one."""
    text = f"{row['value']:.3f}"
    if row["low"] is not None:
        text += f" [{row['low']:.3f}, {row['high']:.3f}]"
    return text if row["published"] is None else f"{text}; published {row['published']:g}"
