"""What was claimed of one network, and in how many of many networks it holds.

The one list that report, figures and docs are made of.

Sources: Schaeffer et al. (NeurIPS 2020; its poster) and the Cosyne 2021 abstract. A published
number holds in a network if the network's own lies between `low` and `high`, which are ours: near
enough that one would call it the same result. A criterion that nothing can fail says nothing:
`controls` tries each on an untrained network, a shuffled one and the exact observer.
"""

import dataclasses
import math

import numpy as np

from hrnn.statistics import resampling

MOST_UNSETTLED = 0.1  # of the networks; with more, the count turns on which sessions were drawn
RELATIVE = 0.2  # of published slopes


@dataclasses.dataclass(frozen=True)
class Claim:
    """One claim about a network.

    Attributes
    ----------
    name : str
        Of the measure, as in a population's table.
    text : str
        What is claimed, in words.
    label : str
        The same in few, for an axis.
    published : float or None
        The published number, if there is one.
    low, high : float
        The claim holds if low <= value <= high.
    why : str
        Why there.
    figure : str
        Which shows it.
    source : str
        The function that measures it.
    cosyne : float or None
        Of the Cosyne abstract, where that has a number of its own (another network).
    """

    name: str
    text: str
    label: str
    published: float | None
    low: float
    high: float
    why: str
    figure: str
    source: str
    cosyne: float | None = None

    @property
    def criterion(self):
        """The criterion in words."""
        low, high = (f"{end:.4g}".replace("-", "−") for end in (self.low, self.high))
        if math.isinf(self.high):
            return f"≥ {low}"
        return f"≤ {high}" if math.isinf(self.low) else f"{low} … {high}"

    def holds(self, values):
        """Whether it holds in each network, (K,) bool; not where the measure is undefined."""
        values = np.asarray(values, float)
        return (values >= self.low) & (values <= self.high)

    def turns_on_sessions(self, low, high):
        """Whether an edge of the criterion lies within each network's interval over sessions, (K,).

        Other sessions may decide otherwise.
        """
        low = np.asarray(low, float)
        high = np.asarray(high, float)
        return np.logical_or.reduce(
            [(low < edge) & (edge <= high) for edge in (self.low, self.high)]
        )


def _near(name, text, label, published, by, why, figure, source, cosyne=None):
    """Within `by` of the published number, or of that in the Cosyne abstract."""
    numbers = [published] if cosyne is None else [published, cosyne]
    low = round(min(numbers) - by, 6)
    high = round(max(numbers) + by, 6)
    return Claim(name, text, label, published, low, high, why, figure, source, cosyne)


def _factor_two(name, text, label, published, figure, source, cosyne):
    """Between half and twice the published number.

    So that neither 0 nor the other sign meets it.
    """
    ends = sorted((published / 2, 2 * published))
    return Claim(
        name,
        text,
        label,
        published,
        *ends,
        "half to twice: 0 and the other sign fail",
        figure,
        source,
        cosyne,
    )


def _entries():
    """The map of two units: poster and Cosyne abstract."""
    A = {"A11": (0.54, 0.59), "A12": (0.31, 0.28), "A21": (0.19, 0.18), "A22": (0.84, 0.90)}
    B = {
        "B11": (-0.20, -0.19),
        "B12": (0.20, 0.19),
        "B13": (0.005, 0.005),
        "B21": (-0.04, -0.04),
        "B22": (0.04, 0.04),
        "B23": (0.02, 0.019),
    }
    for name, (poster, cosyne) in (A | B).items():
        label = name.translate(str.maketrans("123", "₁₂₃"))
        about = f"radd.{name}", f"distilled map: {label}", label, poster
        if name in A:
            yield _near(
                *about,
                0.1,
                "twice what the two publications differ by (.06)",
                "8",
                "distill.radd",
                cosyne,
            )
        elif name in ("B11", "B12"):
            yield _near(
                *about,
                0.03,
                "three times what the two publications differ by (.01)",
                "8",
                "distill.radd",
                cosyne,
            )
        else:
            yield _factor_two(*about, "8", "distill.radd", cosyne)


INF = math.inf
CLAIMS = (
    # behaviour is quantitatively similar to Bayesian baselines
    _near(
        "correct",
        "fraction correct, all trials",
        "fraction correct",
        0.855,
        0.02,
        "the exact actor (.79) and the optimum per trial (.91) fail",
        "2",
        "behavior.summary",
    ),
    Claim(
        "mu0_gap",
        "strength 0: more often right with the block than against it",
        "prior at strength 0",
        None,
        0.2,
        INF,
        "what the exact actor, which often times out, shows (.24), less sampling",
        "3",
        "behavior.summary",
    ),
    Claim(
        "gap_to_published_actor",
        "accuracy is that of the published Bayesian actor, in the same sessions",
        "gap to published actor",
        None,
        -0.02,
        0.02,
        "as for the fraction correct",
        "2",
        "inference.BayesianActor",
    ),
    Claim(
        "gap_to_bound",
        "accuracy approaches the exact bound",
        "gap to accuracy bound",
        None,
        -INF,
        0.05,
        "the optimum per trial is nearer (.02), the exact actor at the threshold is not (.14)",
        "2",
        "inference.accuracy_bound",
    ),
    # two dimensions hold the beliefs
    _near(
        "variance_pc12",
        "variance in two components",
        "variance, 2 components",
        0.8874,
        0.05,
        "less than halfway to 1, which two units have",
        "4",
        "representation.pca",
    ),
    *(
        _near(
            f"block_decoder_{name}",
            f"block decoded from {text}",
            f"decoder, {label}",
            published,
            0.03,
            "a third of the way to the untrained floor (.73) and to the observer (.92)",
            "4",
            "representation.block_decoder",
        )
        for name, text, label, published in (
            ("full", "all units, other sessions", "all units", 0.826),
            ("plane", "two components", "2 components", 0.825),
            ("full_by_step", "all units, split by time step", "split by step", 0.826),
        )
    ),
    Claim(
        "belief_correlation",
        "block belief follows the Bayesian observer's",
        "belief and observer, r",
        None,
        0.8,
        INF,
        "two thirds of the variance",
        "5",
        "integration.block_belief",
    ),
    # the two inferences are coupled
    _near(
        "angle_full",
        "angle between the readouts: the plane's block readout in the space of all units (°)",
        "angle, all units (°)",
        72.0,
        10,
        "independent readouts (90°) fail",
        "4",
        "representation.readout_angle",
    ),
    _near(
        "angle_plane",
        "angle between the readouts, plane of two components (°)",
        "angle, plane (°)",
        66.0,
        10,
        "independent readouts (90°) fail",
        "4",
        "representation.readout_angle",
    ),
    *(
        _near(
            f"{kind}_slope_in_plane",
            f"evidence moves the state along the {kind} readout (plane)",
            f"{kind} slope",
            published,
            round(RELATIVE * published, 3),
            "a fifth of the number",
            "5",
            "integration.slopes",
        )
        for kind, published in (("stimulus", 0.84), ("block", 0.18))
    ),
    _near(
        "slope_ratio_in_plane",
        "stimulus slope over block slope (plane)",
        "ratio of slopes",
        4.67,
        1.5,
        "twice what the two publications differ by (.67)",
        "5",
        "integration.slope_ratio",
        4.0,
    ),
    Claim(
        "coupling_start_per_prior",
        "the block belief sets the belief in the side before evidence (exact observer: 1)",
        "side per prior",
        None,
        0.5,
        INF,
        "half of what the exact observer does",
        "6",
        "integration.coupling",
    ),
    Claim(
        "coupling_block_step_per_evidence",
        "evidence moves the block belief within the trial (exact observer: .37)",
        "block step per evidence",
        None,
        0.18,
        INF,
        "half of what the exact observer does",
        "6",
        "integration.coupling",
    ),
    Claim(
        "belief_feedback_share",
        "feedback has almost no effect on the block belief (R² that it adds)",
        "R² that feedback adds",
        None,
        -INF,
        0.05,
        "a quarter of the exact observer's (.23)",
        "5",
        "integration.block_belief",
    ),
    Claim(
        "told_weight_ratio",
        "the side that feedback tells has almost no effect on the block belief (exact observer: 1)",
        "learnt from feedback",
        None,
        -0.1,
        0.1,
        "a tenth of what the exact observer learns",
        "5",
        "integration.block_belief",
    ),
    # mechanism
    Claim(
        "correlation_between_populations_gained",
        "two populations are anti-correlated, more than before training",
        "r of populations, gained",
        None,
        -INF,
        -0.1,
        "any network cut in two has r < 0",
        "7",
        "connectivity.populations",
    ),
    Claim(
        "cliffs_delta",
        "weights within populations exceed those between them (Cliff's δ)",
        "Cliff's δ of weights",
        None,
        0.1,
        INF,
        "two standard errors of shuffled weights (.05)",
        "7",
        "connectivity.weights_by_population",
    ),
    Claim(
        "kept_simulated",
        "a line attractor holds the block belief: what is left of a graded difference after a block",
        "kept over a block",
        None,
        0.5,
        INF,
        "half",
        "7",
        "manifold.verdict",
    ),
    # two units suffice
    *_entries(),
    *(
        _near(
            f"radd.correct{suffix}",
            f"fraction correct of the distilled map, {text}",
            f"RADD, {label}",
            0.8687,
            0.02,
            "as for the fraction correct",
            "8",
            "distill.comparison",
        )
        for suffix, text, label in (
            ("", "its gain tuned for it", "tuned gain"),
            ("_at_published_gain", "published gain", "published gain"),
        )
    ),
    *(
        Claim(
            f"from_scratch.below_radd{suffix}",
            f"two units trained on the task itself are less often right than the distilled map, {text}",
            f"RADD − scratch, {label}",
            None,
            0.02,
            INF,
            "as for the fraction correct",
            "8",
            "distill.comparison",
        )
        for suffix, text, label in (
            ("", "its gain tuned", "tuned"),
            ("_at_published_gain", "published gain", "published"),
        )
    ),
)


def report_name(measure):
    """Name of a networks' measure in report.json: '<agent>.<quantity>'.

    Examples
    --------
    >>> report_name("correct"), report_name("radd.correct")
    ('network.correct', 'radd.correct')
    """
    return measure if "." in measure else f"network.{measure}"


PUBLISHED = {claim.name: claim.published for claim in CLAIMS if claim.published is not None}
COSYNE = {claim.name: claim.cosyne for claim in CLAIMS if claim.cosyne is not None}


def verdicts(wide, *, low=None, high=None, rng=0):
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
    >>> verdicts(pd.DataFrame({"correct": [0.85, 0.86, 0.7]})).set_index("name").loc["correct", ["k", "of"]].tolist()
    [2, 3]
    """
    import pandas as pd

    rows = []
    for claim in CLAIMS:
        values, *ends = (_column(table, claim.name, len(wide)) for table in (wide, low, high))
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


def _column(table, name, n):
    return (
        table[name].to_numpy(float) if table is not None and name in table else np.full(n, np.nan)
    )


def _spread(values, rng):
    """Mean with its interval, and spread, over the networks that define a measure."""
    defined = values[np.isfinite(values)]
    if not len(defined):
        return {**dict.fromkeys(("value", "sd", "low", "high", "least", "most"), np.nan), "n": 0}
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


def _count(claim, values, low, high):
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


def counted(row):
    """In how many networks the claim of a row of `verdicts` holds, in words."""
    import pandas as pd

    if pd.isna(row.k):
        return f"turns on the sessions ({row.unsettled} of {row.of} networks)"
    return f"{row.k:.0f} of {row.of} networks"
