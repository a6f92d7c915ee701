"""Mice beside networks and Bayesian agents.

The same measures, and the same models fitted, for all of them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrnn import behavior
from hrnn.base.arguments import flag, instance, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.behavior.trials import trial_table
from hrnn.choice.comparison import COMPARED, compare, confusion, recover
from hrnn.choice.fitting import Fit, fit
from hrnn.choice.models import name_of
from hrnn.choice.nulls import block_following
from hrnn.choice.priors import ActionKernel, SemiMarkov
from hrnn.choice.protocol import ModelLike
from hrnn.choice.regressions import HistoryGlm
from hrnn.statistics.resampling import mean_interval

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import Trials

Floats = NDArray[np.float64]

MODELS_FITTED: tuple[str, ...] = tuple(
    model.name for model in (ActionKernel, SemiMarkov, HistoryGlm)
)
MEASURES: dict[str, str] = {  # what `Beside.measures` holds of every unit
    "shift_at_0": "P(right | contrast 0), right less left blocks",
    "alpha": "rate of the action kernel",
    "bits_over_bayes": "bits per trial of the action kernel less those of the semi-Markov observer",
    "previous_correct": "log odds of repeating a choice that was correct",
    "previous_wrong": "log odds of repeating one that was wrong",
    "bits_per_trial": "bits per trial of the action kernel",
}


@dataclasses.dataclass(eq=False)
class Beside:
    """Mice, and agents in their own task, each measured in the same way.

    Every part is computed when it is first asked for.

    Parameters
    ----------
    mice : DataFrame
        The trial table of the mice, of `load`.
    agents : dict of str to DataFrame or Rollout
        Trials of each agent, by its name.
    seed : int
        Of every part that is random.
    n_threads : int or None
        Number of threads, None for all cores that the process may use.
    n_starts : int
        Searches of every fit.
    n_pseudo : int
        Pseudo-sessions and simulations of `block_following`.
    models : sequence of str or ChoiceModel
        Which are compared on the mice.
    progress : bool
        Whether progress bars are shown.

    Examples
    --------
    >>> import hrnn
    >>> sessions = [hrnn.Task().sample(n_sessions=4, rng=i) for i in (0, 1)]
    >>> runs = [hrnn.rollout(hrnn.BayesianActor(), one) for one in sessions]
    >>> mice = runs[0].trials.assign(subject="a")
    >>> Beside(mice, {"bayes": runs[1]}, n_starts=1).measures.population.unique().tolist()
    ['mice', 'bayes']
    """

    mice: pd.DataFrame
    agents: Mapping[str, Trials]
    seed: int = 0
    n_threads: int | None = None
    n_starts: int = 5
    n_pseudo: int = 200
    models: Sequence[ModelLike] = COMPARED
    progress: bool = True

    def __post_init__(self) -> None:
        trial_table(self.mice, "subject", name="mice")
        instance(self.agents, "agents", Mapping)
        for name in ("n_starts", "n_pseudo"):
            whole_number(getattr(self, name), name)
        whole_number(self.seed, "seed", 0)
        n_threads_of(self.n_threads)
        flag(self.progress, "progress")
        for model in instance(self.models, "models", Sequence):
            name_of(model)
        self.settings: dict[str, Any] = {
            "n_threads": self.n_threads,
            "n_starts": self.n_starts,
            "progress": self.progress,
            "rng": self.seed,
        }

    @functools.cached_property
    def fits(self) -> dict[tuple[str, str], Fit]:
        """Fits of MODELS_FITTED: {(population, model): Fit}."""
        tables: dict[str, Trials] = {"mice": self.mice, **self.agents}
        return {
            (name, model): fit(table, model, **self.settings)
            for name, table in tables.items()
            for model in MODELS_FITTED
        }

    @functools.cached_property
    def measures(self) -> pd.DataFrame:
        """One row per population, unit and measure: `population, subject, measure, value, margin`.

        margin is half the 95 % interval, NaN where there is none.
        """
        import pandas as pd

        parts: list[pd.DataFrame] = []
        for name in ("mice", *self.agents):
            fits = {model: self.fits[name, model] for model in MODELS_FITTED}
            subjects = fits[ActionKernel.name].names.assign(population=name)
            for measure, (value, margin) in of_fits(fits).items():
                columns = {"value": np.asarray(value), "margin": np.asarray(margin)}
                parts.append(subjects.assign(measure=measure, **columns))
        return pd.concat(parts, ignore_index=True)

    @functools.cached_property
    def comparison(self) -> pd.DataFrame:
        """`compare` of the models on the mice."""
        return compare(self.mice, self.models, **self.settings)

    @functools.cached_property
    def recovery(self) -> pd.DataFrame:
        """`recover` of the action kernel's fit to the mice."""
        return recover(self.fits["mice", ActionKernel.name], **self.settings)

    @functools.cached_property
    def confusion(self) -> pd.DataFrame:
        """`confusion` of four models, simulated in the mice's trials."""
        return confusion(self.mice, **self.settings)

    @functools.cached_property
    def following(self) -> pd.DataFrame:
        """`block_following` of the mice."""
        return block_following(self.mice, n_pseudo=self.n_pseudo, rng=self.seed)

    @functools.cached_property
    def changes(self) -> dict[str, pd.DataFrame]:
        """Fraction of choices of the new block's side at contrast 0 by trial since the change.

        {population: DataFrame}.
        """
        tables: dict[str, Trials] = {"mice": self.mice, **self.agents}
        changes: dict[str, Any] = {}
        for name, table in tables.items():
            changes[name] = behavior.takes_new_side(table)
        return changes

    def population(self, measure: str) -> pd.DataFrame:
        """Mean over mice with its interval, and the value of each agent.

        A table `population, value, low, high, n`.
        """
        import pandas as pd

        chosen = self.measures[self.measures["measure"] == measure]
        rows: list[dict[str, Any]] = []
        for name, part in chosen.groupby("population", sort=False):
            row = self._over_mice(part) if name == "mice" else _of_agent(part)
            rows.append({"population": name, **row})
        return pd.DataFrame(rows)

    def _over_mice(self, part: Any) -> dict[str, Any]:
        """Mean over the mice that have a value, with its interval; NaN where none has."""
        finite = part.value[np.isfinite(part.value)].to_numpy()
        if not len(finite):
            return {"value": np.nan, "low": np.nan, "high": np.nan, "n": 0}
        mean = mean_interval(finite, rng=self.seed)
        return {"value": mean.value, "low": mean.low, "high": mean.high, "n": mean.n}


def _of_agent(part: Any) -> dict[str, Any]:
    """Value of an agent with its interval."""
    value = part.value.iloc[0]
    margin = part.margin.iloc[0]
    return {"value": value, "low": value - margin, "high": value + margin, "n": 1}


def of_fits(fits: Mapping[str, Fit]) -> dict[str, tuple[Any, Any]]:
    """MEASURES of every unit from the fits of MODELS_FITTED to the same choices.

    {measure: (value (M,), half its 95 % interval (M,) or NaN)}.
    """
    action, bayes, history = (fits[model] for model in MODELS_FITTED)
    gap = action.bits_per_trial - bayes.bits_per_trial
    found: dict[str, tuple[Any, Any]] = {
        "shift_at_0": (shift_at_zero(action), np.nan),
        "alpha": (action.params["alpha"], action.margin["alpha"]),
        "bits_over_bayes": (gap, np.nan),
        "bits_per_trial": (action.bits_per_trial, np.nan),
    }
    for which in ("previous_correct", "previous_wrong"):
        found[which] = (history.params[which], history.margin[which])
    return found


def shift_at_zero(fitted: Fit) -> Floats:
    """P(right | choice) at contrast 0 in right less left blocks, of each unit of a fit, (M,).

    NaN without such trials.
    """
    shift = np.full(len(fitted.trials), np.nan)
    for k, choices in enumerate(fitted.trials):
        zero = choices.responded & (choices.contrast == 0)
        in_right = choices.choice[zero & (choices.block_side == 1)] > 0
        in_left = choices.choice[zero & (choices.block_side == -1)] > 0
        if len(in_right) and len(in_left):
            shift[k] = in_right.mean() - in_left.mean()
    return shift
