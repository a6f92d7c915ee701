"""What was claimed of one network, and in how many of many networks it holds.

This is the one list that report, figures and docs are made of.

Sources: Schaeffer et al. (NeurIPS 2020; its poster) and the Cosyne 2021 abstract. A published
number holds in a network if the network's own lies between `low` and `high`, which are ours: near
enough that one would call it the same result. A criterion that nothing can fail says nothing:
`controls` tries each on an untrained network, a shuffled one and the exact observer.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnn.base.arguments import instance, numbers
from hrnn.populations import measures
from hrnn.statistics import resampling

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike

# Of the networks; with more, the count turns on which sessions were drawn.
MOST_UNSETTLED: float = 0.1
RELATIVE: float = 0.2  # of published slopes


@dataclasses.dataclass(frozen=True)
class Claim:
    """One claim about a network.

    Attributes
    ----------
    name : str
        Of the measure, as in a population's table; one of `measures.CATALOGUE`.
    text : str
        What is claimed, in words.
    published : float or None
        The published number, if there is one.
    low, high : float
        The claim holds if low <= value <= high.
    why : str
        Why the criterion has its edges there.
    figure : str
        Number of the figure that shows the measure.
    cosyne : float or None
        The number of the Cosyne abstract, where it has one of its own (of another network).

    Raises
    ------
    KeyError
        If the catalogue has no measure of this name.
    """

    name: str
    text: str
    published: float | None
    low: float
    high: float
    why: str
    figure: str
    cosyne: float | None = None

    def __post_init__(self) -> None:
        measures.measure(self.name)

    @property
    def label(self) -> str:
        """The measure in few words, for an axis."""
        return measures.measure(self.name).label

    @property
    def source(self) -> str:
        """The function that measures it."""
        return measures.measure(self.name).source

    @property
    def criterion(self) -> str:
        """The criterion in words."""
        low = f"{self.low:.4g}".replace("-", "−")
        high = f"{self.high:.4g}".replace("-", "−")
        if math.isinf(self.high):
            return f"≥ {low}"
        return f"≤ {high}" if math.isinf(self.low) else f"{low} … {high}"

    def holds(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Whether it holds in each network, (K,) bool; not where the measure is undefined."""
        values = numbers(values, "values")
        return (values >= self.low) & (values <= self.high)

    def turns_on_sessions(self, low: ArrayLike, high: ArrayLike) -> NDArray[np.bool_]:
        """Whether other sessions may decide otherwise about each network.

        Parameters
        ----------
        low, high : (K,) array_like
            Ends of each network's interval over sessions; NaN where it has none.

        Returns
        -------
        (K,) bool
            Whether an edge of the criterion lies within.
        """
        low = numbers(low, "low")
        high = numbers(high, "high")
        within = [(low < edge) & (edge <= high) for edge in (self.low, self.high)]
        return within[0] | within[1]


def _near(
    name: str,
    text: str,
    published: float,
    *,
    by: float,
    why: str,
    figure: str,
    cosyne: float | None = None,
) -> Claim:
    """Within `by` of the published number, or of that in the Cosyne abstract."""
    numbers = [published] if cosyne is None else [published, cosyne]
    low = round(min(numbers) - by, 6)
    high = round(max(numbers) + by, 6)
    return Claim(name, text, published, low, high, why, figure, cosyne)


def _factor_two(name: str, text: str, published: float, *, figure: str, cosyne: float) -> Claim:
    """Between half and twice the published number: neither 0 nor the other sign meets it."""
    low, high = sorted((published / 2, 2 * published))
    why = "half to twice: 0 and the other sign fail"
    return Claim(name, text, published, low, high, why, figure, cosyne)


def _at_least(name: str, text: str, low: float, *, why: str, figure: str) -> Claim:
    """Not below an edge; no number was published."""
    return Claim(name, text, None, low, math.inf, why, figure)


def _at_most(name: str, text: str, high: float, *, why: str, figure: str) -> Claim:
    """Not above an edge; no number was published."""
    return Claim(name, text, None, -math.inf, high, why, figure)


def _within(name: str, text: str, half: float, *, why: str, figure: str) -> Claim:
    """Not farther from 0 than `half`; no number was published."""
    return Claim(name, text, None, -half, half, why, figure)


def _behaviour() -> Iterator[Claim]:
    """Behaviour is quantitatively similar to Bayesian baselines."""
    yield _near(
        "correct",
        "fraction correct, all trials",
        0.855,
        by=0.02,
        why="the exact actor (.79) and the optimum per trial (.91) fail",
        figure="2",
    )
    yield _at_least(
        "mu0_gap",
        "strength 0: more often right with the block than against it",
        0.2,
        why="what the exact actor, which often times out, shows (.24), less sampling",
        figure="3",
    )
    yield _within(
        "gap_to_published_actor",
        "accuracy is that of the published Bayesian actor, in the same sessions",
        0.02,
        why="as for the fraction correct",
        figure="2",
    )
    yield _at_most(
        "gap_to_bound",
        "accuracy approaches the exact bound",
        0.05,
        why="the optimum per trial is nearer (.02), the exact actor at the threshold is not (.14)",
        figure="2",
    )


def _two_dimensions() -> Iterator[Claim]:
    """Two dimensions hold the beliefs."""
    yield _near(
        "variance_pc12",
        "variance in two components",
        0.8874,
        by=0.05,
        why="less than halfway to 1, which two units have",
        figure="4",
    )
    for name, text, published in (
        ("full", "all units, other sessions", 0.826),
        ("plane", "two components", 0.825),
        ("full_by_step", "all units, split by time step", 0.826),
    ):
        yield _near(
            f"block_decoder_{name}",
            f"block decoded from {text}",
            published,
            by=0.03,
            why="a third of the way to the untrained floor (.73) and to the observer (.92)",
            figure="4",
        )
    yield _at_least(
        "belief_correlation",
        "block belief follows the Bayesian observer's",
        0.8,
        why="two thirds of the variance",
        figure="5",
    )


def _readouts() -> Iterator[Claim]:
    """The readouts are not orthogonal, and evidence moves the state along both."""
    for name, text, published in (
        (
            "angle_full",
            "angle between the readouts: the plane's block readout in the space of all units (°)",
            72.0,
        ),
        ("angle_plane", "angle between the readouts, plane of two components (°)", 66.0),
    ):
        why = "independent readouts (90°) fail"
        yield _near(name, text, published, by=10, why=why, figure="4")
    for kind, published in (("stimulus", 0.84), ("block", 0.18)):
        yield _near(
            f"{kind}_slope_in_plane",
            f"evidence moves the state along the {kind} readout (plane)",
            published,
            by=round(RELATIVE * published, 3),
            why="a fifth of the number",
            figure="5",
        )
    yield _near(
        "slope_ratio_in_plane",
        "stimulus slope over block slope (plane)",
        4.67,
        by=1.5,
        why="twice what the two publications differ by (.67)",
        figure="5",
        cosyne=4.0,
    )


def _coupled() -> Iterator[Claim]:
    """The two inferences are coupled, and feedback plays no part."""
    yield _at_least(
        "coupling_start_per_prior",
        "the block belief sets the belief in the side before evidence (exact observer: 1)",
        0.5,
        why="half of what the exact observer does",
        figure="6",
    )
    yield _at_least(
        "coupling_block_step_per_evidence",
        "evidence moves the block belief within the trial (exact observer: .37)",
        0.18,
        why="half of what the exact observer does",
        figure="6",
    )
    yield _at_most(
        "belief_feedback_share",
        "feedback has almost no effect on the block belief (R² that it adds)",
        0.05,
        why="a quarter of the exact observer's (.23)",
        figure="5",
    )
    yield _within(
        "told_weight_ratio",
        "the side that feedback tells has almost no effect on the block belief (exact observer: 1)",
        0.1,
        why="a tenth of what the exact observer learns",
        figure="5",
    )


def _mechanism() -> Iterator[Claim]:
    """Two populations, and a line attractor."""
    yield _at_most(
        "correlation_between_populations_gained",
        "two populations are anti-correlated, more than before training",
        -0.1,
        why="any network cut in two has r < 0",
        figure="7",
    )
    yield _at_least(
        "cliffs_delta",
        "weights within populations exceed those between them (Cliff's δ)",
        0.1,
        why="two standard errors of shuffled weights (.05)",
        figure="7",
    )
    yield _at_least(
        "kept_simulated",
        "a line attractor holds the block belief: what is left of a graded difference after"
        " a block",
        0.5,
        why="half",
        figure="7",
    )


POSTER_AND_COSYNE: dict[str, tuple[float, float]] = {  # entries of the map of two units
    "A11": (0.54, 0.59),
    "A12": (0.31, 0.28),
    "A21": (0.19, 0.18),
    "A22": (0.84, 0.90),
    "B11": (-0.20, -0.19),
    "B12": (0.20, 0.19),
    "B13": (0.005, 0.005),
    "B21": (-0.04, -0.04),
    "B22": (0.04, 0.04),
    "B23": (0.02, 0.019),
}


def _entries() -> Iterator[Claim]:
    """The map of two units: poster and Cosyne abstract."""
    for entry, (poster, cosyne) in POSTER_AND_COSYNE.items():
        name = f"radd.{entry}"
        text = f"distilled map: {measures.measure(name).label}"
        if entry.startswith("A"):
            why = "twice what the two publications differ by (.06)"
            yield _near(name, text, poster, by=0.1, why=why, figure="8", cosyne=cosyne)
        elif entry in ("B11", "B12"):
            why = "three times what the two publications differ by (.01)"
            yield _near(name, text, poster, by=0.03, why=why, figure="8", cosyne=cosyne)
        else:
            yield _factor_two(name, text, poster, figure="8", cosyne=cosyne)


def _two_units() -> Iterator[Claim]:
    """Two units suffice, and learn less well by themselves."""
    yield from _entries()
    why = "as for the fraction correct"
    for suffix, gain in (("", "its gain tuned for it"), ("_at_published_gain", "published gain")):
        text = f"fraction correct of the distilled map, {gain}"
        yield _near(f"radd.correct{suffix}", text, 0.8687, by=0.02, why=why, figure="8")
    worse = "two units trained on the task itself are less often right than the distilled map"
    for suffix, gain in (("", "its gain tuned"), ("_at_published_gain", "published gain")):
        name = f"from_scratch.below_radd{suffix}"
        yield _at_least(name, f"{worse}, {gain}", 0.02, why=why, figure="8")


CLAIMS: tuple[Claim, ...] = (
    *_behaviour(),
    *_two_dimensions(),
    *_readouts(),
    *_coupled(),
    *_mechanism(),
    *_two_units(),
)


def report_name(measure: str) -> str:
    """Name of a networks' measure in report.json: '<agent>.<quantity>'.

    Examples
    --------
    >>> report_name("correct"), report_name("radd.correct")
    ('network.correct', 'radd.correct')
    >>> report_name("angle_decoder_at_C_0.01")
    'network.angle_decoder_at_C_0.01'
    """
    instance(measure, "measure", str)
    own = re.search(r"\.(?!\d)", measure)  # the point of a decimal number names no agent
    return measure if own else f"network.{measure}"


PUBLISHED: dict[str, float] = {
    claim.name: claim.published for claim in CLAIMS if claim.published is not None
}
COSYNE: dict[str, float] = {
    claim.name: claim.cosyne for claim in CLAIMS if claim.cosyne is not None
}


def verdicts(
    wide: pd.DataFrame,
    *,
    low: pd.DataFrame | None = None,
    high: pd.DataFrame | None = None,
    rng: RNGLike = 0,
) -> pd.DataFrame:
    """What becomes of every claim in a population.

    Parameters
    ----------
    wide : DataFrame (K networks, measures)
        As `Population.wide`; a missing measure is a column that is missing, or NaN.
    low, high : DataFrame (K networks, measures), optional
        ``wide("low")`` and ``wide("high")``: intervals of each network over sessions. Without them
        nothing is said to turn on sessions.
    rng : int, SeedSequence or Generator, optional
        For the resampled networks.

    Returns
    -------
    DataFrame
        One row per claim: `claim` (text), `name, published, criterion, why`; `value` (mean), `sd,
        low, high` (95 % interval of the mean: networks, each in sessions of its own, are
        resampled), `least, most` and `n` over the networks that define it; `k` networks of `of` in
        which it holds (it does not where it is undefined), with Wilson's interval `k_low, k_high`
        of that fraction, over networks and sessions; `unsettled`, the networks whose own interval
        over sessions holds an edge of the criterion. Where those are more than a tenth, k turns on
        the draw of sessions and is missing. `figure, source`.

    Examples
    --------
    >>> import pandas as pd
    >>> found = verdicts(pd.DataFrame({"correct": [0.85, 0.86, 0.7]})).set_index("name")
    >>> [int(n) for n in found.loc["correct", ["k", "of"]]]
    [2, 3]
    """
    import pandas as pd

    for name, given in (("wide", wide), ("low", low), ("high", high)):
        if given is not None or name == "wide":
            table = instance(given, name, pd.DataFrame)
            if len(table) != len(wide):
                raise ValueError(f"{name} must have a row per network, {len(wide)}")
    if not len(wide):
        raise ValueError("wide must have at least one network, got none")
    rows: list[dict[str, Any]] = []
    for claim in CLAIMS:
        values = _column(wide, claim.name, len(wide), "wide")
        ends = [
            _column(table, claim.name, len(wide), name)
            for table, name in ((low, "low"), (high, "high"))
        ]
        rows.append(
            {
                "claim": claim.text,
                "name": claim.name,
                "published": claim.published,
                "criterion": claim.criterion,
                "why": claim.why,
                **_spread(values, rng),
                **_count(claim, values, *ends),
                "figure": claim.figure,
                "source": claim.source,
            }
        )
    return pd.DataFrame(rows).astype({"published": float, "k": "Int64"})


def _column(table: pd.DataFrame | None, name: str, n: int, argument: str) -> NDArray[np.float64]:
    """A column of n numbers; NaN where the table, or the column, is missing."""
    if table is None or name not in table:
        return np.full(n, np.nan)
    return numbers(table[name], f"{argument}[{name!r}]")


def _spread(values: NDArray[np.float64], rng: RNGLike) -> dict[str, Any]:
    """Mean with its interval, and spread, over the networks that define a measure."""
    defined = values[np.isfinite(values)]
    if not len(defined):
        missing = dict.fromkeys(("value", "sd", "low", "high", "least", "most"), np.nan)
        return {**missing, "n": 0}
    mean = resampling.mean_interval(defined, rng=rng)
    sd = defined.std(ddof=1) if len(defined) > 1 else np.nan
    return {
        "value": mean.value,
        "sd": sd,
        "low": mean.low,
        "high": mean.high,
        "least": defined.min(),
        "most": defined.max(),
        "n": mean.n,
    }


def _count(
    claim: Claim,
    values: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> dict[str, Any]:
    """In how many networks a claim holds, unless that turns on the draw of sessions."""
    k = int(claim.holds(values).sum())
    of = len(values)
    unsettled = int(claim.turns_on_sessions(low, high).sum())
    fraction = resampling.wilson(k, of)
    turns = unsettled > MOST_UNSETTLED * of
    return {
        "k": None if turns else k,
        "of": of,
        "unsettled": unsettled,
        "k_low": np.nan if turns else fraction.low,
        "k_high": np.nan if turns else fraction.high,
    }


def counted(row: Any) -> str:
    """In how many networks the claim of a row of `verdicts` holds, in words."""
    import pandas as pd

    if not all(hasattr(row, name) for name in ("k", "of", "unsettled")):
        raise TypeError(f"row must be a row of verdicts, got {type(row).__name__}")
    if pd.isna(row.k):
        return f"turns on the sessions ({row.unsettled} of {row.of} networks)"
    return f"{row.k:.0f} of {row.of} networks"
