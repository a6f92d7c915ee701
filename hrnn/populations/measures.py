"""The catalogue of measures: name, label, unit and meaning of every number of a network.

The names are those of a population's table, and, after the agent's name and a dot, those of the
rows of report.json. What is not in the catalogue can be stored in neither. Families of names (one
for each student, rank, readout, ...) are made from the constants of the modules that measure them.
docs/measures.md is written from it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from hrnn.agents import STUDENTS
from hrnn.analysis.anatomy import RANKS, coupling_name
from hrnn.analysis.integration import EFFECTS
from hrnn.analysis.representation import REGULARISATIONS
from hrnn.base.arguments import instance
from hrnn.choice.models import model_of
from hrnn.choice.side_by_side import MEASURES as OF_CHOICES
from hrnn.distill.baselines import KINDS
from hrnn.distill.comparison import BEHAVIOUR

QUANTITIES: tuple[str, ...] = BEHAVIOUR  # what every agent is compared by
READOUTS: dict[str, str] = {  # of `Anatomy.readouts`
    "stimulus": "the stimulus readout (V_right − V_left)",
    "block": "the block readout (decoder of all units)",
    "stimulus_in_plane": "the stimulus readout in the plane of two components",
    "block_in_plane": "the block readout in the plane of two components (decoder there)",
}
DIGITS: dict[int, int] = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Measure:
    """One number that is measured of every network.

    Attributes
    ----------
    name : str
        In a population's table; the column of `Population.wide`.
    label : str
        Short, for an axis, with the unit where the words do not say it. It may hold a line break.
    unit : str
        'fraction', 'steps', '°', ...; empty for a pure number.
    part : str
        One of PARTS: when it is measured.
    source : str
        The function or attribute that measures it, below `hrnn`.
    meaning : str
        What it is, in words.
    """

    name: str
    label: str
    unit: str
    part: str
    source: str
    meaning: str


PARTS: dict[str, str] = {  # in the order of docs/measures.md
    "behaviour": "measured of every network",
    "representation": "measured where `parts` has 'representation'",
    "integration": "measured where `parts` has 'integration'",
    "mechanism": "measured where `parts` has 'mechanism'",
    "distillation": "measured where `parts` has 'distillation'",
    "choices": "measured where `parts` has 'choices'",
    "report": "rows of report.json alone: of other agents, of mice, of the published code",
}


class Named(dict[str, Any]):
    """A dict that takes names of the catalogue only.

    Examples
    --------
    >>> found = Named()
    >>> found["correct"] = 0.8
    >>> found["right"] = 0.8
    Traceback (most recent call last):
    KeyError: "'right' is not in hrnn.populations.measures.CATALOGUE"
    """

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(measure(name).name, value)


def measure(name: str) -> Measure:
    """The catalogue's row of a name.

    Raises
    ------
    KeyError
        If there is none.

    Examples
    --------
    >>> measure("angle_plane").label
    'angle, plane (°)'
    """
    if instance(name, "name", str) not in CATALOGUE:
        raise KeyError(f"{name!r} is not in hrnn.populations.measures.CATALOGUE")
    return CATALOGUE[name]


def of_row(name: str) -> Measure:
    """The catalogue's row for the name of a row of report.json.

    Parameters
    ----------
    name : str
        A name of the catalogue, or '<agent>.<name of the catalogue>'.

    Returns
    -------
    Measure

    Raises
    ------
    KeyError
        If there is none.

    Examples
    --------
    >>> of_row("semi_markov.correct").name, of_row("radd.correct").name
    ('correct', 'radd.correct')
    """
    instance(name, "name", str)
    return CATALOGUE[name] if name in CATALOGUE else measure(name.partition(".")[2] or name)


def checked(found: dict[str, Any]) -> dict[str, Any]:
    """Measures by name as they are, once it is known that the catalogue has their names.

    Raises
    ------
    KeyError
        If a name is not in the catalogue.
    """
    for name in instance(found, "found", Mapping):
        measure(name)
    return found


def labels(*names: str) -> dict[str, str]:
    """Labels of measures: {name: label}."""
    return {name: measure(name).label for name in names}


def page() -> str:
    """docs/measures.md: the whole catalogue, one table for each part."""
    lines = [
        "# Measures",
        "",
        "Every number of `found.table` ([populations](populations.md)) and of report.json, made"
        " from `hrnn/populations/measures.py` by `docs/measured.py write`.",
        "In report.json a measure of the networks is `network.<name>`, unless it has a dot; the"
        " same measure of another agent is `<agent>.<name>`.",
    ]
    for part, when in PARTS.items():
        lines += ["", f"## {part.capitalize()}", "", f"{when[0].upper()}{when[1:]}.", ""]
        lines += ["| measure | label | unit | source | meaning |", "|---|---|---|---|---|"]
        lines += [_line(one) for one in CATALOGUE.values() if one.part == part]
    return "\n".join(lines) + "\n"


def _line(one: Measure) -> str:
    cells = (f"`{one.name}`", one.label, one.unit, f"`{one.source}`", one.meaning)
    escaped = [cell.replace("\n", " ").replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


# ---- behaviour ----

_SUMMARY = (  # name, label, unit, meaning: those of `behavior.summary`
    ("correct", "fraction correct", "fraction", "trials with the right choice; a timeout is wrong"),
    ("timeouts", "timeouts", "fraction", "trials that end without a choice"),
    ("correct_given_choice", "correct, of choices", "fraction", "choices that are right"),
    ("p_right", "choices of right", "fraction", "choices of the right side"),
    ("steps_per_trial", "steps per trial", "steps", "mean length of a trial, blank steps included"),
    ("observations_per_trial", "observations per trial", "steps", "mean steps with a stimulus"),
    ("reward_per_trial", "reward per trial", "reward", "mean sum of feedback in a trial"),
    ("reward_per_step", "reward per step", "reward/step", "all feedback over all steps"),
    ("concordant_correct", "correct, concordant", "fraction", "correct where side and block agree"),
    ("discordant_correct", "correct, discordant", "fraction", "correct where they do not agree"),
    ("mu0_correct", "correct, strength 0", "fraction", "correct where the stimulus is noise"),
    (
        "mu0_concordant",
        "correct, strength 0, concordant",
        "fraction",
        "correct at strength 0 where the side that counts is that of the block",
    ),
    (
        "mu0_discordant",
        "correct, strength 0, discordant",
        "fraction",
        "correct at strength 0 where the side that counts is not that of the block",
    ),
)
_ERRORS = {
    "mu0": "at strength 0, timeouts there included",
    "discordant": "at other strengths, with the side against the block",
    "timeouts": "at other strengths, with the side of the block, by timeouts",
    "rest": "of none of the other three kinds",
}
_HISTORY = {
    "logit_prior": ("prior", "weight of the exact observer's prior, itself in log odds"),
    "previous_correct": ("last choice, correct", "weight of the last choice if it was correct"),
    "previous_wrong": ("last choice, wrong", "weight of the last choice if it was wrong"),
}


def _behaviour() -> Iterator[Measure]:
    """Fractions and means of trials, gaps to other agents, errors, history, regrets."""
    for name, label, unit, meaning in _SUMMARY:
        yield Measure(name, label, unit, "behaviour", "behavior.summary", meaning)
    yield from _gaps()
    for cause, words in _ERRORS.items():
        label = f"errors, {cause.replace('mu0', 'strength 0')}"
        meaning = f"share of the errors that are made {words}"
        yield Measure(
            f"errors_{cause}", label, "fraction", "behaviour", "behavior.error_split", meaning
        )
    for term, (label, meaning) in _HISTORY.items():
        source = "behavior.history_regression"
        words = f"{meaning}, in a regression of choices on stimulus, prior and last choice"
        yield Measure(
            f"history_{term}", f"history: {label}", "log odds", "behaviour", source, words
        )
    for criterion, unit in (("reward_per_trial", "reward"), ("reward_per_step", "reward/step")):
        words = criterion.replace("_", " ")
        meaning = f"what the policy that maximises {words} earns more in the same sessions"
        yield Measure(
            f"regret_{criterion}", f"regret, {words}", unit, "behaviour", "behavior.regret", meaning
        )
    for name, label, unit, meaning in _SUMMARY:
        words = f"{meaning}; in one session without reset, as many blocks as all others have"
        label = f"long session: {label}"
        yield Measure(f"long_session_{name}", label, unit, "behaviour", "behavior.summary", words)


def _gaps() -> Iterator[Measure]:
    """Differences within the network's own sessions."""
    yield Measure(
        "gap_to_bound",
        "gap to accuracy bound",
        "fraction",
        "behaviour",
        "inference.accuracy_bound",
        "fraction correct of the ideal observer of all observations, less the network's",
    )
    yield Measure(
        "mu0_gap",
        "prior at strength 0",
        "fraction",
        "behaviour",
        "behavior.summary",
        "`mu0_concordant` less `mu0_discordant`: the use of the prior",
    )
    yield Measure(
        "gap_to_published_actor",
        "gap to published actor",
        "fraction",
        "behaviour",
        "inference.BayesianActor",
        "fraction correct of the published Bayesian actor, less the network's",
    )


# ---- representation ----

_DECODER_SPACES = {"full": ("all units", "all units"), "plane": ("2 components", "two components")}
_DECODER_KINDS = {
    "": ("", "tested in sessions that it was not trained on"),
    "_by_step": (", split by time step", "tested on other steps of the same sessions, which leaks"),
    "_shuffled": (", shuffled", "trained on labels of blocks that are shuffled: a floor"),
    "_untrained": (", untrained", "of the network before training: a floor"),
}


def _representation() -> Iterator[Measure]:
    """Variance, decoders of the block, angles between readouts."""
    part = "representation"
    pca = "representation.pca"
    first = "share of the states' variance in the first two principal components"
    yield Measure("variance_pc12", "variance, 2 components", "fraction", part, pca, first)
    yield Measure(
        "variance_pc12_trial_ends",
        "variance, 2 components, trial ends",
        "fraction",
        part,
        pca,
        f"{first}, last steps of trials alone",
    )
    yield Measure(
        "participation_ratio",
        "participation ratio",
        "dimensions",
        part,
        pca,
        "(Σλ)² / Σλ² of the variances λ of all components: how many of them count",
    )
    yield from _decoders(part)
    yield from _angles(part)


def _decoders(part: str) -> Iterator[Measure]:
    """Accuracy of the block decoders between floors and ceiling."""
    source = "representation.block_decoder"
    for (kind, (of_kind, how)), (space, (short, words)) in itertools.product(
        _DECODER_KINDS.items(), _DECODER_SPACES.items()
    ):
        label = f"decoder, {short}{of_kind}"
        if (space, kind) == ("full", "_by_step"):
            label = "decoder, split by step"
        meaning = f"steps at which a linear decoder of {words} tells the block, {how}"
        yield Measure(f"block_decoder_{space}{kind}", label, "fraction", part, source, meaning)
    yield Measure(
        "block_decoder_observer",
        "decoder, observer",
        "fraction",
        part,
        "representation.observer_accuracy",
        "steps at which the exact observer's posterior tells the block: the ceiling",
    )


def _angles(part: str) -> Iterator[Measure]:
    """Angles between the readouts of side and block, and how many units each has."""
    source = "representation.readout_angle"
    between = "angle between the readouts of side and block"
    decoder = f"{between}, the block's from a decoder of all units"
    for name, label, meaning in (
        ("plane", "plane", f"{between} in the plane of two components"),
        (
            "full",
            "all units",
            f"{between}, the block's of the plane taken to the space of all units",
        ),
        ("decoder", "decoder of all units", decoder),
    ):
        yield Measure(f"angle_{name}", f"angle, {label} (°)", "°", part, source, meaning)
    for c in REGULARISATIONS:
        label = f"angle, decoder, C = {c:g} (°)"
        meaning = f"{decoder} with inverse regularisation C = {c:g}"
        yield Measure(f"angle_decoder_at_C_{c:g}", label, "°", part, source, meaning)
    for readout, words in READOUTS.items():
        label = f"units, {readout.replace('_', ' ')} readout"
        meaning = f"how many units share {words}: (Σw²)² / Σw⁴"
        source = "connectivity.readout_participation"
        yield Measure(f"units_in_{readout}_readout", label, "units", part, source, meaning)


# ---- integration ----


def _integration() -> Iterator[Measure]:
    """Movement along the readouts, beliefs beside the observer's, how they act on each other."""
    part = "integration"
    for suffix, kind in itertools.product(("", "_in_plane"), ("stimulus", "block")):
        label = f"{kind} slope" if suffix else f"{kind} slope, all units"
        meaning = f"movement of the state along {READOUTS[kind + suffix]}, per evidence of a step"
        yield Measure(f"{kind}_slope{suffix}", label, "", part, "integration.slopes", meaning)
    for suffix, where in (("", "all units"), ("_in_plane", "the plane of two components")):
        label = "ratio of slopes" if suffix else "ratio of slopes, all units"
        meaning = f"`stimulus_slope{suffix}` over `block_slope{suffix}`, in {where}"
        yield Measure(f"slope_ratio{suffix}", label, "", part, "integration.slope_ratio", meaning)
    yield from _belief(part)
    yield from _coupling(part)
    yield from _published(part)


def _belief(part: str) -> Iterator[Measure]:
    """The block belief before each trial beside the exact observer's."""
    observer = "the exact observer's block belief (log odds before each trial)"
    told = "weight of the side that feedback tells in the update of the block belief"
    added = "R² that choice, feedback and their product add to the update of the block belief"
    for name, label, unit, meaning in (
        ("belief_scale", "scale of belief", "", f"slope of the network's on {observer}"),
        ("belief_correlation", "belief and observer, r", "r", f"correlation with {observer}"),
        ("belief_r2", "belief and observer, R²", "R²", "of the slope `belief_scale`"),
        (
            "belief_update_correlation",
            "updates of belief, r",
            "r",
            "correlation of the changes of both beliefs from one trial to the next",
        ),
        ("belief_feedback_share", "R² that feedback adds", "R²", added),
        (
            "belief_feedback_share_observer",
            "R² that feedback adds, observer",
            "R²",
            f"{added}, of the exact observer",
        ),
        ("told_weight", "weight of feedback", "log odds", told),
        (
            "told_weight_observer",
            "weight of feedback, observer",
            "log odds",
            f"{told}, of the exact observer",
        ),
        (
            "told_weight_ratio",
            "learnt from feedback",
            "",
            "`told_weight` over `told_weight_observer`: 1 learns as much as the observer",
        ),
    ):
        yield Measure(name, label, unit, part, "integration.block_belief", meaning)


_EFFECTS = {  # by effect of `integration.coupling`: label and meaning
    "block step per evidence": (
        "block step per evidence",
        "slope of the step of the block belief on the evidence of the step",
    ),
    "start per prior": (
        "side per prior",
        "slope of the side's belief before any evidence on the prior that the block belief implies",
    ),
    "stimulus step per evidence": (
        "side step per evidence",
        "slope of the step of the side's belief on the evidence of the step",
    ),
    "evidence × block belief": (
        "evidence × block belief",
        "how that slope grows with evidence × block belief",
    ),
}


def _coupling(part: str) -> Iterator[Measure]:
    """How the two beliefs act on each other within a trial, network and observer."""
    for agent, effect in itertools.product(("network", "observer"), EFFECTS):
        label, meaning = _EFFECTS[effect]
        of_observer = agent == "observer"
        yield Measure(
            coupling_name(agent, effect),
            f"{label}, observer" if of_observer else label,
            "",
            part,
            "integration.coupling",
            f"{meaning}, of the exact observer of the same trials" if of_observer else meaning,
        )


def _published(part: str) -> Iterator[Measure]:
    """What the published code measured, to the letter."""
    for name, where in (("plane", "plane"), ("full", "all units")):
        label = f"angle by the letter, {where} (°)"
        meaning = f"`angle_{name}` as the published code computes it (defects 13 to 15)"
        source = "analysis.defects.readout_angles"
        yield Measure(f"published_angle_{name}", label, "°", part, source, meaning)
    for readout in ("stimulus_in_plane", "block_in_plane"):
        words = f"movement per feedback along {READOUTS[readout]}"
        label = f"feedback slope, {readout.partition('_')[0]}"
        yield Measure(
            f"feedback_slope_before_arrival_{readout}",
            f"{label}, before it arrives",
            "",
            part,
            "analysis.defects.feedback_slope",
            f"{words}, in the step before the feedback is an input (defect 10)",
        )
        meaning = f"{words}, in the step whose input it is"
        yield Measure(f"feedback_slope_{readout}", label, "", part, "integration.slopes", meaning)


# ---- mechanism ----


def _mechanism() -> Iterator[Measure]:
    """Populations of units, fixed points and what they hold, low-rank copies."""
    part = "mechanism"
    yield from _unit_populations(part)
    yield from _fixed_points(part)
    yield from _path(part)
    for rank in RANKS:
        for name, label, unit, words in (
            ("r2", "R²", "R²", "R² of the next state, given the true one,"),
            ("agreement", "same choices", "fraction", "trials with the full network's choice"),
        ):
            meaning = f"{words} with the recurrent weights cut to rank {rank}"
            source = "connectivity.low_rank"
            yield Measure(
                f"rank_{rank}_{name}", f"rank {rank}, {label}", unit, part, source, meaning
            )


def _unit_populations(part: str) -> Iterator[Measure]:
    """Two populations of units by the correlation of their activity."""
    source = "connectivity.populations"
    split = "mean silhouette of the split of the units into two populations"
    between = "mean correlation of units of different populations"
    for name, label, unit, meaning in (
        ("silhouette", "silhouette", "", f"{split}: 1 is perfectly apart"),
        ("silhouette_untrained", "silhouette, untrained", "", f"{split}, before training"),
        ("correlation_between_populations", "r of populations", "r", between),
        (
            "correlation_between_populations_gained",
            "r of populations, gained",
            "r",
            f"{between}, less that before training",
        ),
        ("n_populations", "populations", "count", "clusters of units of the best silhouette"),
    ):
        yield Measure(name, label, unit, part, source, meaning)
    yield Measure(
        "cliffs_delta",
        "Cliff's δ of weights",
        "",
        part,
        "connectivity.weights_by_population",
        "recurrent weights within populations against those between: 1 if all are greater",
    )


_STATES = {  # of `manifold.verdict`: label, unit and meaning
    "n_stable": ("stable points", "count", "stable fixed points without input"),
    "n_saddles": ("saddles", "count", "fixed points without input with one unstable direction"),
    "lambda_stable": (
        "|λ|, stable",
        "",
        "largest modulus of the eigenvalues of the slowest stable point without input",
    ),
}


def _fixed_points(part: str) -> Iterator[Measure]:
    """Fixed points without input, and how long they hold a belief."""
    left = "what is left of a small difference of beliefs after a block without input"
    for name, (label, unit, meaning) in _STATES.items():
        yield Measure(name, label, unit, part, "manifold.verdict", meaning)
    for name, label, how in (
        ("kept_predicted", "kept over a block, predicted", "from drift or eigenvalue"),
        ("kept_simulated", "kept over a block", "the map iterated"),
    ):
        yield Measure(name, label, "fraction", part, "manifold.verdict", f"{left}, {how}")
    found = "dynamics.fixed_points"
    for name, label, unit, source, meaning in (
        (
            "lambda_saddle",
            "|λ|, saddle",
            "",
            found,
            "largest modulus of the eigenvalues of the saddles without input",
        ),
        (
            "fixed_points_converged",
            "searches that converge",
            "fraction",
            found,
            "searches for fixed points that end at one",
        ),
        (
            "fixed_points_coverage",
            "starts that points explain",
            "fraction",
            "dynamics.coverage",
            "visited states from which iterating the map ends at a reported stable point",
        ),
        (
            "fixed_points_residual",
            "largest residual",
            "",
            found,
            "largest ‖F(h) − h‖ of the reported fixed points",
        ),
    ):
        yield Measure(name, label, unit, part, source, meaning)


def _path(part: str) -> Iterator[Measure]:
    """The path between the outer stable points without input."""
    path = "the path between the outer stable points"
    source = "manifold.verdict"
    meaning = f"largest movement along {path} in one step, as a fraction of its length"
    yield Measure("path_drift", "drift on the path", "1/step", part, source, meaning)
    meaning = f"largest modulus of the eigenvalues across {path}: below 1 it attracts"
    yield Measure("path_contraction", "|λ| across the path", "", part, source, meaning)
    for readout, words in READOUTS.items():
        label = f"angle, path and {readout.replace('_', ' ')} (°)"
        meaning = f"angle between the chord of {path} and {words}"
        source = "manifold.path_between"
        yield Measure(f"path_angle_{readout}", label, "°", part, source, meaning)


# ---- distillation ----

_STUDENT = (  # name, label, unit, meaning: those of `distill.comparison` beside behaviour
    (
        "mu0_concordance",
        "μ = 0: takes block's side",
        "fraction",
        "trials of strength 0 in which it takes the side of the block",
    ),
    ("same_choice", "same choice as teacher", "fraction", "trials with the teacher's choice"),
    (
        "p_difference",
        "|P(right) − teacher's|",
        "",
        "mean absolute difference of P(right) at the last steps of trials, under the same inputs",
    ),
    (
        "trajectory_error",
        "error of z (sd)",
        "sd",
        "error of the teacher's z from the student's states, running freely, over the sd of z",
    ),
)
_GAINS = {
    "": ("tuned", "with the gain that is best for it"),
    "_at_published_gain": ("published", "with the published gain"),
}
_MESSAGES = {
    "block_to_side": "what the side takes from the block's belief in a step (units of the beliefs)",
    "side_to_block": "what the block takes from the side's belief in a step (units of the beliefs)",
    "product": "product of both messages, which knows no units",
}


def _distillation() -> Iterator[Measure]:
    """Students of two units: behaviour, likeness, the map, messages, fixed points."""
    part = "distillation"
    summary = {name: row for name, *row in _SUMMARY}
    quantities = [(name, *summary[name]) for name in QUANTITIES]
    for kind in ("radd", *KINDS, "random"):
        source = "distill.comparison"
        for name, label, unit, meaning in (*quantities, *_STUDENT):
            label = f"{STUDENTS[kind]}, {label}"
            if (kind, name) == ("radd", "correct"):
                label = "RADD, tuned gain"
            words = f"of the student '{STUDENTS[kind]}': {meaning}"
            yield Measure(f"{kind}.{name}", label, unit, part, source, words)
    yield from _gained(part)
    for name in ("radd", "bayesian_filter"):
        yield from _map(name, part)
    yield from _radd(part)
    yield from _beliefs_of_students(part)
    for kind in ("radd", *KINDS, "bayesian_filter"):
        for name, (label, unit, meaning) in _STATES.items():
            words = f"of the student '{STUDENTS[kind]}': {meaning}"
            label = f"{STUDENTS[kind]}, {label}"
            yield Measure(f"{kind}.{name}", label, unit, part, "manifold.verdict", words)


def _gained(part: str) -> Iterator[Measure]:
    """How often RADD is right, and how much less often what learned from scratch."""
    source = "distill.comparison"
    for suffix, (gain, words) in _GAINS.items():
        if suffix:
            yield Measure(
                f"radd.correct{suffix}",
                f"RADD, {gain} gain",
                "fraction",
                part,
                source,
                f"fraction correct of the distilled map {words}",
            )
        yield Measure(
            f"from_scratch.below_radd{suffix}",
            f"RADD − scratch, {gain}",
            "fraction",
            part,
            source,
            f"fraction correct of the distilled map {words}, less that of two units trained on"
            " the task itself",
        )
    yield Measure(
        "radd.same_choice_at_published_gain",
        "RADD, same choice as teacher, published gain",
        "fraction",
        part,
        source,
        "trials with the teacher's choice, with the published gain",
    )
    yield Measure(
        "bayesian_filter.correct",
        "Bayesian filter, fraction correct",
        "fraction",
        part,
        source,
        "fraction correct of the Bayesian observer in the form of two units",
    )


def _map(name: str, part: str) -> Iterator[Measure]:
    """Entries, time constants and R² of a map of two units."""
    source = "distill.radd" if name == "radd" else "distill.bayesian_filter"
    of = "distilled map" if name == "radd" else "Bayesian filter"
    for entry in map_entries():
        label = entry.translate(DIGITS)
        label = label if name == "radd" else f"{of}: {label}"
        meaning = f"entry of z ← tanh(A z + B x + c), z = (side, block): {of}"
        yield Measure(f"{name}.{entry}", label, "", part, source, meaning)
    for k in (1, 2):
        order = ("slower", "faster")[k - 1]
        meaning = f"time constant −1/ln|λ| of the {order} eigenvalue of A: {of}"
        yield Measure(
            f"{name}.tau_{k}", f"{of}: τ{k}".translate(DIGITS), "steps", part, source, meaning
        )
        meaning = f"exp(−1/τ{k}), modulus of the {order} eigenvalue of A: {of}".translate(DIGITS)
        yield Measure(
            f"{name}.lambda_{k}", f"{of}: |λ{k}|".translate(DIGITS), "", part, source, meaning
        )
    meaning = f"R² of artanh z in sessions that it was not fitted to: {of}"
    yield Measure(f"{name}.r2_heldout", f"{of}: R², other sessions", "R²", part, source, meaning)


def map_entries() -> Iterator[str]:
    """A11 … B23, c1 and c2: names of the entries of a map of two units."""
    yield from (f"A{i}{j}" for i in (1, 2) for j in (1, 2))
    yield from (f"B{i}{j}" for i in (1, 2) for j in (1, 2, 3))
    yield from ("c1", "c2")


def _radd(part: str) -> Iterator[Measure]:
    """Fit and gain of the distilled map."""
    for name, label, unit, meaning in (
        ("r2", "distilled map: R²", "R²", "R² of artanh z in the sessions that it was fitted to"),
        ("gain", "distilled map: gain", "", "gain of P(right) that is right most often"),
        (
            "published_gain",
            "distilled map: published gain",
            "",
            "gain of P(right) by the published rule, √N ‖V‖ / √2",
        ),
    ):
        yield Measure(f"radd.{name}", label, unit, part, "distill.radd", meaning)


def _beliefs_of_students(part: str) -> Iterator[Measure]:
    """What links the two units to the Bayesian observer."""
    for belief in ("side", "block"):
        yield Measure(
            f"radd.r2_on_{belief}_belief",
            f"R² of z on the {belief}'s belief",
            "R²",
            part,
            "distill.resembles",
            f"R² of the {belief}'s coordinate z on the exact observer's belief",
        )
    for name in ("radd", "observer"):
        yield Measure(
            f"{name}.evidence_ratio",
            f"{STUDENTS[name]}: evidence, side over block",
            "",
            part,
            "distill.evidence_ratio",
            "how much more an observation moves the side than the block",
        )
    for name, (message, meaning) in itertools.product(
        ("radd", "bayesian_filter", "observer"), _MESSAGES.items()
    ):
        label = f"{STUDENTS[name]}: message, {message.replace('_', ' ')}"
        yield Measure(f"{name}.message_{message}", label, "", part, "distill.messages", meaning)


# ---- models of choice, and rows of the report alone ----

_CHOICE_LABELS = {  # of the panels of figure 10: label and unit
    "shift_at_0": ("shift of P(right)\nat contrast 0", ""),
    "alpha": ("rate α of the\naction kernel", "1/trial"),
    "bits_over_bayes": ("action kernel over\nBayes (bits/trial)", "bits/trial"),
    "previous_correct": ("repeats correct\nchoice (log odds)", "log odds"),
    "previous_wrong": ("repeats wrong\nchoice (log odds)", "log odds"),
    "bits_per_trial": ("action kernel\n(bits/trial)", "bits/trial"),
}
_DEFECTS = {  # of `analysis.defects.consequences`: label, unit and meaning
    "5.radd_gain": (
        "gain",
        "",
        "published gain after the readout's right row is normalised in place",
    ),
    "5.radd_gain_before": ("gain before", "", "published gain of the network as it is"),
    "5.correct": ("fraction correct", "fraction", "fraction correct of the network so changed"),
    "5.correct_before": ("fraction correct before", "fraction", "of the network as it is"),
    "6.points_judged_otherwise": (
        "points judged otherwise",
        "count",
        "fixed points that real parts of eigenvalues judge otherwise than their moduli",
    ),
    "7.first_order_points": ("first-order points", "count", "ends of first-order searches"),
    "7.distinct_fixed_points": (
        "fixed points",
        "count",
        "distinct fixed points of Newton's method",
    ),
    "7.median_residual": ("median residual", "", "median ‖F(h) − h‖ of the first-order points"),
    "7.largest_residual": ("largest residual", "", "largest ‖F(h) − h‖ of the first-order points"),
    "7.median_distance_to_a_fixed_point": (
        "median distance",
        "",
        "median distance of the first-order points to the nearest fixed point",
    ),
    "7.largest_distance_to_a_fixed_point": (
        "largest distance",
        "",
        "largest distance of the first-order points to the nearest fixed point",
    ),
    "11.r2": ("R²", "R²", "R² of the map as the published code fits and tests it"),
}


def _choices() -> Iterator[Measure]:
    """Parameters of models of choice, fitted to mice, networks and agents alike."""
    for name, meaning in OF_CHOICES.items():
        label, unit = _CHOICE_LABELS[name]
        source = "choice.Beside.measures"
        yield Measure(f"choices_{name}", label, unit, "choices", source, meaning)


def _report() -> Iterator[Measure]:
    """What only a report has: of mice and models, of optimal policies, of the published code."""
    part = "report"
    yield Measure(
        "no_go", "no-go", "fraction", part, "behavior.summary", "trials of mice without a choice"
    )
    yield Measure(
        "expected",
        "expected",
        "reward or reward/step",
        part,
        "policy.Solution.value",
        "what the dynamic programme of an optimal policy promises",
    )
    for name, label, unit, meaning in (
        ("bits_per_trial", "bits per trial", "bits/trial", "of a model in left-out sessions"),
        ("bits_less_best", "bits less best", "bits/trial", "the same, less the best model's"),
        ("exceedance", "exceedance", "", "probability that the model is the most frequent best"),
    ):
        yield Measure(name, label, unit, part, "mice.compare", meaning)
    for parameter in model_of("action_kernel").parameters(cast("Any", None)):
        name = parameter.name
        meaning = f"{name} of the action kernel, mean over mice"
        yield Measure(
            f"action_kernel.{name}", f"{name}, action kernel", "", part, "mice.fit", meaning
        )
    for name, (label, unit, meaning) in _DEFECTS.items():
        number = name.partition(".")[0]
        source = "analysis.defects.consequences"
        yield Measure(f"defect_{name}", f"defect {number}: {label}", unit, part, source, meaning)
    for entry in itertools.islice(map_entries(), 10):
        label = f"defect 11: {entry.translate(DIGITS)}"
        meaning = "entry of the distilled map as the published code fits it"
        source = "analysis.defects.radd_fit"
        yield Measure(f"defect_11.{entry}", label, "", part, source, meaning)


def _unique(rows: Iterable[Measure]) -> dict[str, Measure]:
    """Rows by name; ValueError if a name occurs twice, or a part is not in PARTS."""
    found: dict[str, Measure] = {}
    for row in rows:
        if row.name in found or row.part not in PARTS:
            raise ValueError(f"each name must occur once, in one of PARTS, got {row}")
        found[row.name] = row
    return found


CATALOGUE: dict[str, Measure] = _unique(
    itertools.chain(
        _behaviour(),
        _representation(),
        _integration(),
        _mechanism(),
        _distillation(),
        _choices(),
        _report(),
    )
)
