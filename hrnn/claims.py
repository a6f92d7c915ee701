"""What was claimed of one network, and in how many of many networks it holds: the one list that report, figures and docs are made of.

Sources: Schaeffer et al. (NeurIPS 2020; its poster) and the Cosyne 2021 abstract. A published number holds in a network if the
network's own lies between `low` and `high`, which are ours: near enough that one would call it the same result.
"""

import dataclasses
import math

import numpy as np

from hrnn import stats


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
    figure : str
        Which shows it.
    source : str
        The function that measures it.
    cosyne : float or None
        Of the Cosyne abstract, where that has a number of its own (another scale, another network).
    """

    name: str
    text: str
    label: str
    published: float | None
    low: float
    high: float
    figure: str
    source: str
    cosyne: float | None = None

    @property
    def criterion(self):
        """The criterion in words."""
        low, high = (f"{end:.4g}".replace("-", "−") for end in (self.low, self.high))
        if math.isinf(self.high):
            return f"≥ {low}" if self.low else "> 0"
        return f"≤ {high}" if math.isinf(self.low) else f"{low} … {high}"

    def holds(self, values):
        """Whether it holds in each network, (K,) bool; not where the measure is undefined."""
        values = np.asarray(values, float)
        above = values > 0 if self.low == 0 and math.isinf(self.high) else values >= self.low
        return above & (values <= self.high)


def _near(name, text, label, published, by, figure, source, cosyne=None):
    """Within `by` of the published number, or of that in the Cosyne abstract."""
    numbers = [published] if cosyne is None else [published, cosyne]
    return Claim(name, text, label, published, round(min(numbers) - by, 6), round(max(numbers) + by, 6), figure, source, cosyne)


def _entries():
    """The map of two units: poster and Cosyne abstract."""
    A = {"A11": (0.54, 0.59), "A12": (0.31, 0.28), "A21": (0.19, 0.18), "A22": (0.84, 0.90)}
    B = {"B11": (-0.20, -0.19), "B12": (0.20, 0.19), "B13": (0.005, 0.005),
         "B21": (-0.04, -0.04), "B22": (0.04, 0.04), "B23": (0.02, 0.019)}
    for entries, by in ((A, 0.1), (B, 0.03)):
        for name, (poster, cosyne) in entries.items():
            label = name.translate(str.maketrans("123", "₁₂₃"))
            yield _near(f"radd.{name}", f"distilled map: {label}", label, poster, by, "8", "distill.radd", cosyne)


INF = math.inf
CLAIMS = (
    # behaviour is quantitatively similar to Bayesian baselines
    _near("correct", "fraction correct, all trials", "fraction correct", 0.855, 0.02, "2", "behavior.summary"),
    Claim("mu0_gap", "strength 0: more often right with the block than against it", "prior at strength 0", None, 0, INF, "3",
          "behavior.summary"),
    Claim("gap_to_published_actor", "accuracy is that of the published Bayesian actor, in the same sessions", "gap to published actor",
          None, -0.02, 0.02, "2", "inference.BayesianActor"),
    Claim("gap_to_bound", "accuracy approaches the exact bound", "gap to accuracy bound", None, -INF, 0.05, "2",
          "inference.accuracy_bound"),
    # two dimensions hold the beliefs
    _near("variance_pc12", "variance in two components", "variance, 2 components", 0.8874, 0.05, "4", "representation.pca"),
    _near("block_decoder_full", "block decoded from all units, other sessions", "decoder, all units", 0.826, 0.03, "4",
          "representation.block_decoder"),
    _near("block_decoder_full_by_step", "block decoded from all units, split by time step", "decoder, split by step", 0.826, 0.03, "4",
          "representation.block_decoder"),
    _near("block_decoder_plane", "block decoded from two components", "decoder, 2 components", 0.825, 0.03, "4",
          "representation.block_decoder"),
    Claim("belief_correlation", "block belief follows the Bayesian observer's", "belief and observer, r", None, 0.8, INF, "5",
          "integration.block_belief"),
    # the two inferences are coupled
    _near("angle_full", "angle between the readouts, all units (°)", "angle, all units (°)", 72.0, 10, "4",
          "representation.readout_angle"),
    _near("angle_plane", "angle between the readouts, plane of two components (°)", "angle, plane (°)", 66.0, 10, "4",
          "representation.readout_angle"),
    Claim("stimulus_slope", "evidence moves the state along the stimulus readout (scale not stated)", "stimulus slope", 0.84, 0, INF, "5",
          "integration.slopes", 0.15),
    Claim("block_slope_in_plane", "evidence moves the state along the block readout (scale not stated)", "block slope", 0.18, 0, INF, "5",
          "integration.slopes", 0.04),
    _near("slope_ratio_in_plane", "stimulus slope over block slope, plane", "ratio of slopes", 4.67, 1.5, "5",
          "integration.slope_ratio", 4.0),
    Claim("coupling_start_per_block_belief", "the block belief sets the belief in the side before evidence", "side per block belief", None,
          0, INF, "6", "integration.coupling"),
    Claim("coupling_block_step_per_evidence", "evidence moves the block belief within the trial", "block step per evidence", None, 0, INF,
          "6", "integration.coupling"),
    Claim("stimulus_feedback_slope", "feedback has almost no effect on the state, along the stimulus readout", "feedback slope, stimulus",
          None, -0.05, 0.05, "5", "integration.slopes"),
    Claim("block_in_plane_feedback_slope", "feedback has almost no effect on the state, along the block readout", "feedback slope, block",
          None, -0.05, 0.05, "5", "integration.slopes"),
    Claim("belief_feedback_share", "feedback has almost no effect on the block belief (R² that it adds)", "R² that feedback adds", None,
          -INF, 0.05, "5", "integration.block_belief"),
    # mechanism
    Claim("correlation_between_populations", "two populations are anti-correlated", "r between populations", None, -INF, 0, "7",
          "connectivity.populations"),
    Claim("cliffs_delta", "weights within populations exceed those between them (Cliff's δ)", "Cliff's δ of weights", None, 0, INF, "7",
          "connectivity.weights_by_population"),
    # two units suffice
    *_entries(),
    _near("radd.correct", "fraction correct of the distilled map", "RADD, fraction correct", 0.8687, 0.02, "8", "distill.comparison"),
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


def verdicts(wide, *, rng=0):
    """What becomes of every claim in a population.

    Parameters
    ----------
    wide : DataFrame (K networks, measures)
        As `Population.wide`; a missing measure is a column that is missing, or NaN.
    rng : int, SeedSequence or Generator, optional
        For the resampled networks.

    Returns
    -------
    DataFrame
        One row per claim: `claim` (text), `name, published, criterion`; `value` (mean), `sd, low, high` (95 % interval of the mean,
        networks resampled), `least, most` and `n` over the networks that define it; `k` networks of `of` in which it holds (it does
        not where it is undefined), with Wilson's interval `k_low, k_high` of that fraction; `figure, source`.

    Examples
    --------
    >>> import pandas as pd
    >>> verdicts(pd.DataFrame({"correct": [0.85, 0.86, 0.7]})).set_index("name").loc["correct", ["k", "of"]].tolist()
    [2, 3]
    """
    import pandas as pd

    rows = []
    for claim in CLAIMS:
        values = wide[claim.name].to_numpy(float) if claim.name in wide else np.full(len(wide), np.nan)
        defined, k = values[np.isfinite(values)], int(claim.holds(values).sum())
        mean = stats.mean_interval(defined, rng=rng) if len(defined) else stats.Estimate(np.nan, np.nan, np.nan, 0)
        fraction = stats.wilson(k, len(values))
        rows.append({
            "claim": claim.text, "name": claim.name, "published": claim.published, "criterion": claim.criterion, "value": mean.value,
            "sd": defined.std(ddof=1) if len(defined) > 1 else np.nan, "low": mean.low, "high": mean.high,
            "least": defined.min() if len(defined) else np.nan, "most": defined.max() if len(defined) else np.nan, "n": len(defined),
            "k": k, "of": len(values), "k_low": fraction.low, "k_high": fraction.high, "figure": claim.figure, "source": claim.source,
        })
    return pd.DataFrame(rows).astype({"published": float})
