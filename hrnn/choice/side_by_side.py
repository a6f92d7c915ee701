"""Mice beside networks and Bayesian agents.

The same measures, and the same models fitted, for all of them.
"""

import dataclasses
import functools

import numpy as np

from hrnn import behavior
from hrnn.base.arguments import whole_number
from hrnn.behavior.trials import trial_table
from hrnn.choice.comparison import COMPARED, compare, confusion, recover
from hrnn.choice.fitting import fit
from hrnn.choice.nulls import block_following
from hrnn.choice.priors import ActionKernel, SemiMarkov
from hrnn.choice.regressions import HistoryGlm
from hrnn.statistics.resampling import mean_interval

MODELS_FITTED: tuple[str, ...] = tuple(
    model.name for model in (ActionKernel, SemiMarkov, HistoryGlm)
)
MEASURES = {  # what `Beside.measures` holds of every unit
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
        Of `load`.
    agents : dict of str to DataFrame or Rollout
        By name.
    seed : int
    n_threads : int or None
    n_starts : int
        Of every fit.
    n_pseudo : int
        Pseudo-sessions and simulations of `block_following`.
    models : sequence of str
        Of the comparison.
    progress : bool

    Examples
    --------
    >>> import hrnn
    >>> runs = [hrnn.rollout(hrnn.BayesianActor(), hrnn.Task().sample(n_sessions=4, rng=i)) for i in (0, 1)]
    >>> Beside(runs[0].trials.assign(subject="a"), {"bayes": runs[1]}, n_starts=1).measures.population.unique().tolist()
    ['mice', 'bayes']
    """

    mice: object
    agents: dict
    seed: int = 0
    n_threads: object = 1
    n_starts: int = 5
    n_pseudo: int = 200
    models: tuple = COMPARED
    progress: bool = False

    def __post_init__(self):
        trial_table(self.mice, "subject")
        for name in ("n_starts", "n_pseudo"):
            whole_number(getattr(self, name), name)
        self.settings = {
            "n_threads": self.n_threads,
            "n_starts": self.n_starts,
            "progress": self.progress,
            "rng": self.seed,
        }

    @functools.cached_property
    def fits(self):
        """Fits of MODELS_FITTED: {(population, model): Fit}."""
        tables = {"mice": self.mice, **self.agents}
        return {
            (name, model): fit(table, model, **self.settings)
            for name, table in tables.items()
            for model in MODELS_FITTED
        }

    @functools.cached_property
    def measures(self):
        """One row per population, unit and measure: `population, subject, measure, value, margin`.

        margin is half the 95 % interval, NaN where there is none.
        """
        import pandas as pd

        parts = []
        for name in ("mice", *self.agents):
            fits = {model: self.fits[name, model] for model in MODELS_FITTED}
            subjects = fits["action_kernel"].names.assign(population=name)
            for measure, (value, margin) in of_fits(fits).items():
                parts.append(
                    subjects.assign(
                        measure=measure, value=np.asarray(value), margin=np.asarray(margin)
                    )
                )
        return pd.concat(parts, ignore_index=True)

    @functools.cached_property
    def comparison(self):
        """`compare` of the models on the mice."""
        return compare(self.mice, self.models, **self.settings)

    @functools.cached_property
    def recovery(self):
        """`recover` of the action kernel's fit to the mice."""
        return recover(self.fits["mice", "action_kernel"], **self.settings)

    @functools.cached_property
    def confusion(self):
        """`confusion` of four models, simulated in the mice's trials."""
        return confusion(self.mice, **self.settings)

    @functools.cached_property
    def following(self):
        """`block_following` of the mice."""
        return block_following(self.mice, n_pseudo=self.n_pseudo, rng=self.seed)

    @functools.cached_property
    def changes(self):
        """Fraction of choices of the new block's side at contrast 0 by trial since the change.

        {population: DataFrame}.
        """
        return {
            name: behavior.takes_new_side(table)
            for name, table in {"mice": self.mice, **self.agents}.items()
        }

    def population(self, measure):
        """Mean over mice with its interval, and the value of each agent.

        A table `population, value, low, high, n`.
        """
        import pandas as pd

        rows = []
        for name, part in self.measures[self.measures.measure == measure].groupby(
            "population", sort=False
        ):
            if name == "mice":
                mean = mean_interval(part.value[np.isfinite(part.value)].to_numpy(), rng=self.seed)
                rows.append(
                    {
                        "population": name,
                        "value": mean.value,
                        "low": mean.low,
                        "high": mean.high,
                        "n": mean.n,
                    }
                )
            else:
                value = part.value.iloc[0]
                margin = part.margin.iloc[0]
                rows.append(
                    {
                        "population": name,
                        "value": value,
                        "low": value - margin,
                        "high": value + margin,
                        "n": 1,
                    }
                )
        return pd.DataFrame(rows)


def of_fits(fits):
    """MEASURES of every unit from the fits of MODELS_FITTED to the same choices.

    {measure: (value (M,), half its 95 % interval (M,) or NaN)}.
    """
    action, bayes, history = (fits[model] for model in MODELS_FITTED)
    return {
        "shift_at_0": (shift_at_zero(action), np.nan),
        "alpha": (action.params.alpha, action.margin.alpha),
        "bits_over_bayes": (action.bits_per_trial - bayes.bits_per_trial, np.nan),
        "bits_per_trial": (action.bits_per_trial, np.nan),
        **{
            which: (history.params[which], history.margin[which])
            for which in ("previous_correct", "previous_wrong")
        },
    }


def shift_at_zero(fitted):
    """P(right | choice) at contrast 0 in right less left blocks, of each unit of a fit, (M,).

    NaN without such trials.
    """
    shift = np.full(len(fitted.trials), np.nan)
    for k, choices in enumerate(fitted.trials):
        zero = choices.responded & (choices.contrast == 0)
        right = [(choices.choice[zero & (choices.block_side == s)] > 0) for s in (1, -1)]
        if min(map(len, right)):
            shift[k] = right[0].mean() - right[1].mean()
    return shift
