"""Models with a prior over sides, which the decision stage of Findling et al. takes in.

A model says what its prior is: `prior_parameters` and `prior_and_slopes`. Where the prior depends
on the model's own choices it also says how one choice changes it (`update`), which simulations
need. docs/mice.md has every formula and source.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrnn import _core
from hrnn.choice.protocol import Floats, Model, Parameter, drawn, of_sessions, session_by_session
from hrnn.choice.trials import Choices, TrialsForm
from hrnn.inference import filter_sides
from hrnn.task import Task

SIGMA: float = 0.49  # of the contrast, Findling et al.
IBL_TASK: Task = Task.preset("ibl").replace(block_max=100)  # the observer's block lengths: 20..100
CLIP: float = 1e-7  # least distance of a prior from 0 and 1, in simulations
# bounds, and the box of the starts
LEARNING = (1e-4, 0.999, 0.02, 0.6)
TAU = (0.5, 100.0, 1.0, 20.0)
ZETA = (0.01, 5.0, 0.05, 0.6)
LAPSE = (0.0, 0.5, 0.01, 0.3)
REPETITION = (0.0, 0.5, 0.0, 0.3)
BIAS = (-3.0, 3.0, -0.3, 0.3)
HAZARD = Parameter("hazard", 1e-4, 0.5, 0.005, 0.2)
P_BLOCK = Parameter("p_block", 0.5, 0.999, 0.6, 0.9)


class DecisionForm(NamedTuple):
    """A decision stage as the C core takes it: `decision_fields` in csrc/binding/py_choice.c.

    Where a model is simulated, the numbers are arrays (G,), one entry for each session.
    """

    sigma: float
    zeta_left: float | Floats
    zeta_right: float | Floats
    lapse_left: float | Floats
    lapse_right: float | Floats
    repetition: float | Floats
    bias: float | Floats
    one_zeta: bool  # whether left and right are one parameter
    one_lapse: bool
    repeats: bool  # whether repetition is a parameter
    leans: bool  # whether bias is


class PriorModel(Model):
    """A prior over sides, in the decision stage of Findling et al.

    Parameters
    ----------
    lapses, zetas : {1, 2}
        Number of lapses and of widths ζ: one for both sides of the contrast, or one for each.
    repetition : bool
        Whether the last choice is repeated with some probability.
    bias : bool
        Whether one side is preferred throughout.

    Attributes
    ----------
    prior_parameters : tuple of Parameter
        Parameters of the prior, which follow those of the decision stage.
    from_own_choices : bool
        Whether choices change the prior of later trials; then `update` says how.
    """

    has_options: ClassVar[bool] = True
    prior_parameters: ClassVar[tuple[Parameter, ...]] = ()
    from_own_choices: ClassVar[bool] = False

    def __init__(
        self, lapses: int = 1, zetas: int = 1, repetition: bool = False, bias: bool = False
    ) -> None:
        self.lapses = lapses
        self.zetas = zetas
        self.repetition = repetition
        self.bias = bias

    # ---- what a prior says of itself ----

    def prior_and_slopes(self, choices: Choices, parameters: Floats) -> tuple[Floats, Floats]:
        """π before each trial (R,) and its derivatives by its K parameters (K, R).

        Parameters
        ----------
        choices : Choices
            The trials (R).
        parameters : (K,)
            Values of `prior_parameters`.
        """
        raise NotImplementedError

    def update(
        self,
        prior: Floats,
        parameters: Floats,
        came: NDArray[np.bool_],
        chose: NDArray[np.bool_],
    ) -> Floats:
        """π of the next trial (n,), in n sessions at once, after a choice.

        Parameters
        ----------
        prior : (n,)
            π of this trial.
        parameters : (K, n)
            Values of `prior_parameters` in each session.
        came : (n,)
            Whether the stimulus was on the right.
        chose : (n,)
            Whether the choice was right.
        """
        raise NotImplementedError

    # ---- what follows for a model ----

    def parameters(self, choices: Choices) -> list[Parameter]:
        """Parameters of the decision stage, then those of the prior."""
        zetas = ["zeta"] if self.zetas == 1 else ["zeta_left", "zeta_right"]
        lapses = ["lapse"] if self.lapses == 1 else ["lapse_left", "lapse_right"]
        found = [Parameter(name, *ZETA) for name in zetas]
        found += [Parameter(name, *LAPSE) for name in lapses]
        if self.repetition:
            found.append(Parameter("repetition", *REPETITION))
        if self.bias:
            found.append(Parameter("bias", *BIAS))
        return [*found, *self.prior_parameters]

    def _split(self, theta: Any) -> tuple[DecisionForm, Any]:
        """The core's form of the decision, and the parameters of the prior."""
        rest = list(theta)
        zeta = [rest.pop(0) for _ in range(self.zetas)]
        lapse = [rest.pop(0) for _ in range(self.lapses)]
        rho = rest.pop(0) if self.repetition else 0.0
        bias = rest.pop(0) if self.bias else 0.0
        decision = DecisionForm(
            sigma=SIGMA,
            zeta_left=zeta[0],
            zeta_right=zeta[-1],
            lapse_left=lapse[0],
            lapse_right=lapse[-1],
            repetition=rho,
            bias=bias,
            one_zeta=self.zetas == 1,
            one_lapse=self.lapses == 1,
            repeats=self.repetition,
            leans=self.bias,
        )
        return decision, theta[len(theta) - len(rest) :]

    def prior(self, choices: Choices, theta: Floats) -> Floats:
        """π before the stimulus of every trial, (R,)."""
        _, parameters = self._split(theta)
        return self.prior_and_slopes(choices, parameters)[0]

    def evaluate(self, choices: Choices, theta: Floats) -> tuple[float, Floats, Floats]:
        """Log likelihood, its gradient (P,), and the sum of outer products of trials' gradients."""
        decision, parameters = self._split(theta)
        prior, slopes = self.prior_and_slopes(choices, parameters)
        gradient = np.empty(len(theta))
        outer = np.empty((len(theta), len(theta)))
        scratch = np.empty(_core.choice_scratch())
        value = _core.choice_likelihood(
            choices.form, decision, prior, slopes, gradient, outer, None, scratch
        )
        return value, gradient, outer

    def scores(self, choices: Choices, theta: Floats) -> Floats:
        """Gradient of the log likelihood of each session, (G, P)."""
        decision, parameters = self._split(theta)
        prior, slopes = self.prior_and_slopes(choices, parameters)
        scores = np.empty((len(choices.sessions), len(theta)))
        outer = np.empty((len(theta), len(theta)))
        scratch = np.empty(_core.choice_scratch())
        for rows, score in zip(choices.sessions, scores, strict=True):
            trials = TrialsForm(*(column[rows] for column in choices.form))
            moved = np.ascontiguousarray(slopes[:, rows])
            _core.choice_likelihood(
                trials, decision, prior[rows], moved, score, outer, None, scratch
            )
        return scores

    def p_right(self, choices: Choices, theta: Floats) -> Floats:
        """P(right) of every trial, (R,)."""
        decision, parameters = self._split(theta)
        prior = self.prior_and_slopes(choices, parameters)[0]
        p = np.empty(len(prior))
        scratch = np.empty(_core.choice_scratch())
        _core.choice_p_right(choices.form, decision, prior, p, scratch)
        return p

    def simulate(self, choices: Choices, theta: Floats, uniforms: Floats) -> NDArray[np.int8]:
        """Choices (R,) of one mouse like this in the same trials.

        Where there was none there is none.

        Parameters
        ----------
        choices : Choices
            The trials, of G sessions.
        theta : (P,) or (G, P)
            Parameters of all sessions, or of each.
        uniforms : (R,)
            Uniform numbers in [0, 1).
        """
        thetas = of_sessions(choices, theta)
        if not (self.repetition or self.from_own_choices):
            return drawn(choices, session_by_session(self.p_right, choices, thetas), uniforms)
        prior = None
        if not self.from_own_choices:
            prior = session_by_session(self.prior, choices, thetas)
        return _Doubles(self, choices, thetas, prior).choose(uniforms)


class _Doubles:
    """Sessions that are simulated side by side, trial by trial.

    A choice changes the next one's prior, or what is repeated.

    Parameters
    ----------
    model : PriorModel
        The model that chooses.
    choices : Choices
        The trials, of G sessions.
    thetas : (G, P)
        Parameters of each session.
    prior : (R,) or None
        The prior of every trial, or None: it depends on the choices.
    """

    def __init__(
        self, model: PriorModel, choices: Choices, thetas: Floats, prior: Floats | None
    ) -> None:
        decision, self.parameters = model._split(thetas.T)
        n_sessions = len(choices.sessions)
        self.sigma = decision.sigma
        self.zetas = (decision.zeta_left, decision.zeta_right)
        self.lapses = (decision.lapse_left, decision.lapse_right)
        self.rho = np.broadcast_to(decision.repetition, n_sessions)
        self.bias = np.broadcast_to(decision.bias, n_sessions)
        self.model = model
        self.choices = choices
        self.fixed = prior
        self.prior = np.full(n_sessions, 0.5)
        self.previous = np.zeros(n_sessions)

    def choose(self, uniforms: Floats) -> NDArray[np.int8]:
        """Choices (R,) of uniform numbers (R,)."""
        choices = self.choices
        starts = np.flatnonzero(choices.first)
        made = np.zeros(len(choices.choice), np.int8)
        ends = np.r_[starts[1:], len(made)]
        for t in range((ends - starts).max()):
            live = np.flatnonzero(starts + t < ends)
            rows = starts[live] + t
            right = self.p_right(live, rows)
            answer = np.where(uniforms[rows] < right, 1, -1) * choices.responded[rows]
            made[rows] = answer
            self.learn(live[answer != 0], rows[answer != 0], answer[answer != 0])
        return made

    def p_right(self, live: NDArray[np.intp], rows: NDArray[np.intp]) -> Floats:
        """P(right) in the sessions `live` (n,), whose trials are `rows` (n,)."""
        from scipy.special import ndtr, ndtri

        contrast = self.choices.contrast[rows]
        side = np.sign(contrast)
        zeta = _of_side(side, *(np.asarray(ends)[live] for ends in self.zetas))
        lapse = _of_side(side, *(np.asarray(ends)[live] for ends in self.lapses))
        prior = self.prior[live] if self.fixed is None else self.fixed[rows]
        odds = ndtri(np.clip(prior, CLIP, 1 - CLIP))
        w = contrast / zeta + np.sqrt(1 + (zeta / self.sigma) ** 2) * odds + self.bias[live]
        again = np.where(self.previous[live] != 0, self.rho[live], 0.0)
        return (1 - lapse - again) * ndtr(w) + lapse / 2 + again * (self.previous[live] > 0)

    def learn(
        self, did: NDArray[np.intp], rows: NDArray[np.intp], answer: NDArray[np.intp]
    ) -> None:
        """Take in the answers (n,) of the sessions `did` in the trials `rows`."""
        self.previous[did] = answer
        if self.fixed is None:
            came = self.choices.side[rows] > 0
            chose = answer > 0
            own = self.parameters[:, did]
            self.prior[did] = self.model.update(self.prior[did], own, came, chose)


def _of_side(side: Floats, left: Floats, right: Floats) -> Floats:
    """The parameter of each trial's side, the mean of both where there is none."""
    of_side = np.where(side > 0, right, (left + right) / 2)
    return np.where(side < 0, left, of_side)


# ---- priors that the core computes, with their derivatives ----


class Kernel(PriorModel):
    """A prior of the C core.

    Attributes
    ----------
    kernel : str
        Which prior of the core.
    leaves_out_present : bool
        Whether the trial that is predicted is left out of the past.
    fixed : tuple of float
        Parameters of the core's prior that are not fitted; they follow those that are.
    """

    kernel: ClassVar[str]
    leaves_out_present: ClassVar[bool] = True
    fixed: ClassVar[tuple[float, ...]] = ()

    def prior_and_slopes(self, choices: Choices, parameters: Floats) -> tuple[Floats, Floats]:
        """π before each trial (R,) and its derivatives by its parameters (K, R)."""
        every = np.array([*parameters, *self.fixed], float)
        n = len(choices.choice)
        prior = np.empty(n)
        slopes = np.empty((len(every), n))
        number = _core.CHOICE_PRIORS.index(self.kernel)
        shift = int(self.leaves_out_present)
        _core.choice_prior(number, choices.form, shift, every, prior, slopes)
        return prior, slopes[: len(parameters)]


class ActionKernel(Kernel):
    """Choices of the past, each with a weight that falls exponentially."""

    name = "action_kernel"
    label = "action kernel"
    kernel = "action_kernel"
    prior_parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("alpha", *LEARNING),)
    from_own_choices = True

    def update(
        self,
        prior: Floats,
        parameters: Floats,
        came: NDArray[np.bool_],
        chose: NDArray[np.bool_],
    ) -> Floats:
        """A step of α towards the choice."""
        return prior + parameters[0] * (chose - prior)


class StimulusKernel(Kernel):
    """Sides of the past, each with a weight that falls exponentially."""

    name = "stimulus_kernel"
    label = "stimulus kernel"
    kernel = "stimulus_kernel"
    prior_parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("alpha", *LEARNING),)


class FourAlpha(Kernel):
    """Values of both sides, with four learning rates: chosen or other, correct or wrong."""

    name = "four_alpha"
    label = "four α"
    kernel = "four_alpha"
    prior_parameters: ClassVar[tuple[Parameter, ...]] = tuple(
        Parameter(f"alpha_{which}", *LEARNING)
        for which in ("chosen_correct", "chosen_wrong", "other_correct", "other_wrong")
    )
    from_own_choices = True

    def update(
        self,
        prior: Floats,
        parameters: Floats,
        came: NDArray[np.bool_],
        chose: NDArray[np.bool_],
    ) -> Floats:
        """A step of both values towards what came, and the share of the right one."""
        wrong = (came != chose).astype(int)
        each = np.arange(len(prior))
        chosen = parameters[wrong, each]
        other = parameters[2 + wrong, each]
        a_right = np.where(chose, chosen, other)
        a_left = np.where(chose, other, chosen)
        v_right = prior + a_right * (came - prior)
        v_left = (1 - prior) + a_left * (prior - came)
        return v_right / (v_right + v_left)


class Exponential(Kernel):
    """Counts of past sides in an exponential window, with a prior count for each side."""

    name = "exponential"
    label = "exponential"
    kernel = "exponential"
    prior_parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("tau", *TAU),
        Parameter("beta_right", 0.01, 50.0, 0.2, 5.0),
        Parameter("beta_left", 0.01, 50.0, 0.2, 5.0),
    )


class ExponentialWithCurrentTrial(Exponential):
    """The same window with the present trial in it, as published code has it."""

    name = "exponential_with_current_trial"
    label = ""
    leaves_out_present = False


class Markov(Kernel):
    """The observer of blocks that change at a constant rate, of a known probability."""

    name = "markov"
    label = "Markov"
    kernel = "markov"
    prior_parameters: ClassVar[tuple[Parameter, ...]] = (HAZARD,)
    fixed: ClassVar[tuple[float, ...]] = (IBL_TASK.p_block,)


class MarkovFree(Kernel):
    """The same observer with a fitted probability of the blocks."""

    name = "markov_free"
    kernel = "markov"
    prior_parameters: ClassVar[tuple[Parameter, ...]] = (HAZARD, P_BLOCK)


# ---- priors without parameters ----


class FixedPrior(PriorModel):
    """A prior without parameters, computed once for each set of trials."""

    def computed(self, choices: Choices) -> Floats:
        """π before each trial, (R,)."""
        raise NotImplementedError

    def prior_and_slopes(self, choices: Choices, parameters: Floats) -> tuple[Floats, Floats]:
        """π before each trial (R,), and no derivatives (0, R)."""
        if self.name not in choices.cache:
            choices.cache[self.name] = self.computed(choices)
        return choices.cache[self.name], np.empty((0, len(choices.choice)))


class Flat(FixedPrior):
    """No prior: both sides are as likely."""

    name = "flat"
    label = "no prior"

    def computed(self, choices: Choices) -> Floats:
        """One half, (R,)."""
        return np.full(len(choices.choice), 0.5)


class Oracle(FixedPrior):
    """The block is known."""

    name = "oracle"
    label = "block known"

    def computed(self, choices: Choices) -> Floats:
        """P(right) of the block, (R,)."""
        return choices.p_right_block.astype(float)


class SemiMarkov(FixedPrior):
    """The exact observer of the rig's blocks."""

    name = "semi_markov"
    label = "Bayes, semi-Markov"
    short_label = "Bayes"

    def computed(self, choices: Choices) -> Floats:
        """What the observer expects, (R,)."""
        return semi_markov_prior(choices)


def semi_markov_prior(choices: Choices, task: Task = IBL_TASK) -> Floats:
    """π of the exact observer of the rig's blocks, told the side of every trial with a choice.

    It does not change at the other trials.

    Parameters
    ----------
    choices : Choices
        The trials (R).
    task : Task
        Whose blocks the observer expects.

    Returns
    -------
    (R,)
    """
    told = choices.responded
    prior = np.full(len(told), np.nan)
    if told.any():
        prior[told], _ = filter_sides(
            choices.side[told], choices.session[told], choices.block_side[told], task=task
        )
    # a trial without a choice stands before the same prior as the next one with a choice in its
    # session, or after the last
    n = len(told)
    next_told = np.where(told, np.arange(n), n)
    following = np.minimum.accumulate(next_told[::-1])[::-1]
    session = choices.session
    same = (following < n) & (session[np.minimum(following, n - 1)] == session)
    prior[~told & same] = prior[following[~told & same]]
    prior[np.isnan(prior)] = 0.5
    return prior


class SemiMarkovFree(PriorModel):
    """The semi-Markov observer with fitted τ and p_block.

    Derivatives of the prior by central differences.
    """

    name = "semi_markov_free"
    prior_parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("tau", 5.0, 1000.0, 20.0, 150.0),
        P_BLOCK,
    )
    STEP: ClassVar[float] = 1e-4

    def prior_and_slopes(self, choices: Choices, parameters: Floats) -> tuple[Floats, Floats]:
        """π before each trial (R,) and its derivatives by τ and p_block (2, R)."""

        def at(tau: float, p_block: float) -> Floats:
            task = IBL_TASK.replace(block_hazard=1 / tau, p_block=min(p_block, 1.0))
            return semi_markov_prior(choices, task)

        tau, p_block = map(float, parameters)
        h = self.STEP
        longer = at(tau * (1 + h), p_block)
        shorter = at(tau * (1 - h), p_block)
        by_tau = (longer - shorter) / (2 * h * tau)
        high = p_block + h
        low = max(p_block - h, 0.5)
        by_p_block = (at(tau, high) - at(tau, low)) / (high - low)
        return at(tau, p_block), np.stack([by_tau, by_p_block])
