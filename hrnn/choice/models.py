"""Models of choice: their parameters, likelihood and gradient, prior, and simulation.

Docs/mice.md has every formula and source.

A model has `parameters(choices)`, `starts(choices, n, seed)`, `evaluate(choices, theta)` -> (log
likelihood, gradient, information), `scores(choices, theta)` (G, P), the gradient of each session's
log likelihood, `p_right(choices, theta)`, `prior(choices, theta)` or None, and `simulate(choices,
theta, uniforms)`.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from hrnn import _core
from hrnn.choice.trials import TrialsForm
from hrnn.inference import filter_sides
from hrnn.task import Task

SIGMA = 0.49  # of the contrast, Findling et al.
IBL_TASK = Task.preset("ibl").replace(block_max=100)  # the observer's block lengths: 20..100
# name: prior of the core (csrc/core/choice.h), whether the present trial is left out of the past,
# parameters that are not fitted
KERNELS = {
    "action_kernel": ("action_kernel", 1, ()),
    "stimulus_kernel": ("stimulus_kernel", 1, ()),
    "four_alpha": ("four_alpha", 1, ()),
    "exponential": ("exponential", 1, ()),
    "exponential_with_current_trial": ("exponential", 0, ()),
    "markov": ("markov", 1, (IBL_TASK.p_block,)),
    "markov_free": ("markov", 1, ()),
}
LEARNING = (1e-4, 0.999, 0.02, 0.6)
TAU = (0.5, 100.0, 1.0, 20.0)


class DecisionForm(NamedTuple):
    """A decision stage as the C core takes it: `decision_fields` in csrc/binding/py_choice.c.

    Where a model is simulated, the numbers are arrays (G,), one entry for each session.
    """

    sigma: float
    zeta_left: float | np.ndarray
    zeta_right: float | np.ndarray
    lapse_left: float | np.ndarray
    lapse_right: float | np.ndarray
    repetition: float | np.ndarray
    bias: float | np.ndarray
    one_zeta: bool  # whether left and right are one parameter
    one_lapse: bool
    repeats: bool  # whether repetition is a parameter
    leans: bool  # whether bias is


@dataclasses.dataclass(frozen=True)
class Parameter:
    """Name, bounds, and the box of the starts."""

    name: str
    low: float
    high: float
    start_low: float
    start_high: float


ZETA = (0.01, 5.0, 0.05, 0.6)
LAPSE = (0.0, 0.5, 0.01, 0.3)
REPETITION = (0.0, 0.5, 0.0, 0.3)
BIAS = -3.0, 3.0, -0.3, 0.3
PRIOR_PARAMETERS = {
    "action_kernel": [Parameter("alpha", *LEARNING)],
    "stimulus_kernel": [Parameter("alpha", *LEARNING)],
    "four_alpha": [
        Parameter(f"alpha_{which}", *LEARNING)
        for which in ("chosen_correct", "chosen_wrong", "other_correct", "other_wrong")
    ],
    "exponential": [
        Parameter("tau", *TAU),
        Parameter("beta_right", 0.01, 50.0, 0.2, 5.0),
        Parameter("beta_left", 0.01, 50.0, 0.2, 5.0),
    ],
    "markov": [Parameter("hazard", 1e-4, 0.5, 0.005, 0.2)],
    "markov_free": [
        Parameter("hazard", 1e-4, 0.5, 0.005, 0.2),
        Parameter("p_block", 0.5, 0.999, 0.6, 0.9),
    ],
    "semi_markov_free": [
        Parameter("tau", 5.0, 1000.0, 20.0, 150.0),
        Parameter("p_block", 0.5, 0.999, 0.6, 0.9),
    ],
}


class PriorModel:
    """A prior over sides, in the decision stage of Findling et al.

    Parameters
    ----------
    name : str
    lapses, zetas : 1 or 2
        One for both sides of the contrast, or one for each.
    repetition : bool
        Whether the last choice is repeated with some probability.
    bias : bool
        Whether one side is preferred throughout.
    """

    exact = False  # whether `evaluate` gives the Hessian, not outer products of gradients

    def __init__(self, name, lapses=1, zetas=1, repetition=False, bias=False):
        self.name = name
        self.lapses = lapses
        self.zetas = zetas
        self.repetition = repetition
        self.bias = bias

    def parameters(self, _):
        zetas = ["zeta"] if self.zetas == 1 else ["zeta_left", "zeta_right"]
        lapses = ["lapse"] if self.lapses == 1 else ["lapse_left", "lapse_right"]
        return [
            *(Parameter(name, *ZETA) for name in zetas),
            *(Parameter(name, *LAPSE) for name in lapses),
            *([Parameter("repetition", *REPETITION)] if self.repetition else []),
            *([Parameter("bias", *BIAS)] if self.bias else []),
            *PRIOR_PARAMETERS.get(self.name.removesuffix("_with_current_trial"), []),
        ]

    def starts(self, choices, n, seed):
        return sobol(self.parameters(choices), n, seed)

    def _split(self, theta):
        """The core's form of the decision, and the parameters of the prior."""
        zeta = theta[: self.zetas]
        rest = theta[self.zetas :]
        lapse = rest[: self.lapses]
        rest = rest[self.lapses :]
        rho, rest = (rest[0], rest[1:]) if self.repetition else (0.0, rest)
        bias, rest = (rest[0], rest[1:]) if self.bias else (0.0, rest)
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
        return decision, rest

    def _prior(self, choices, parameters):
        """π before each trial and its derivatives by its parameters (K, R)."""
        kernel, shift, fixed = KERNELS[self.name]
        model = _core.CHOICE_PRIORS.index(kernel)
        every = np.array([*parameters, *fixed], float)
        n = len(choices.choice)
        prior = np.empty(n)
        dprior = np.empty((len(every), n))
        _core.choice_prior(model, choices.form, shift, every, prior, dprior)
        return prior, dprior[: len(parameters)]

    def prior(self, choices, theta):
        return self._prior(choices, self._split(theta)[1])[0]

    def evaluate(self, choices, theta):
        decision, parameters = self._split(theta)
        prior, dprior = self._prior(choices, parameters)
        gradient = np.empty(len(theta))
        outer = np.empty((len(theta), len(theta)))
        value = _core.choice_likelihood(
            choices.form,
            decision,
            prior,
            dprior,
            gradient,
            outer,
            None,
            np.empty(_core.choice_scratch()),
        )
        return value, gradient, outer

    def scores(self, choices, theta):
        """Gradient of the log likelihood of each session, (G, P)."""
        decision, parameters = self._split(theta)
        prior, dprior = self._prior(choices, parameters)
        scores = np.empty((len(choices.sessions), len(theta)))
        outer = np.empty((len(theta), len(theta)))
        scratch = np.empty(_core.choice_scratch())
        for rows, score in zip(choices.sessions, scores, strict=True):
            trials = TrialsForm(*(column[rows] for column in choices.form))
            moved = np.ascontiguousarray(dprior[:, rows])
            _core.choice_likelihood(
                trials, decision, prior[rows], moved, score, outer, None, scratch
            )
        return scores

    def p_right(self, choices, theta):
        decision, parameters = self._split(theta)
        return self._decide(choices, decision, self._prior(choices, parameters)[0])

    @staticmethod
    def _decide(choices, decision, prior):
        p = np.empty(len(prior))
        _core.choice_p_right(choices.form, decision, prior, p, np.empty(_core.choice_scratch()))
        return p

    def simulate(self, choices, theta, uniforms):
        """Choices (R,) of one mouse like this in the same trials.

        Where there was none there is none. theta is (P,), or (G, P) with a row for each session.
        """
        closed = self.repetition or self.name in ("action_kernel", "four_alpha")
        thetas = _of_sessions(choices, theta)
        if not closed:
            return _drawn(choices, _session_by_session(self.p_right, choices, thetas), uniforms)
        decision, parameters = self._split(thetas.T)
        kernel = self.name in ("action_kernel", "four_alpha")
        fixed = None if kernel else _session_by_session(self.prior, choices, thetas)
        return _in_order(choices, decision, fixed, self.name, parameters, uniforms)


def _of_sessions(choices, theta):
    """Parameters of each session (G, P), from those of each or of all."""
    return np.broadcast_to(theta, (len(choices.sessions), np.shape(theta)[-1]))


def _session_by_session(predict, choices, thetas):
    """Predictions (R,) for each session with its own parameters."""
    parts = zip(choices.sessions, thetas, strict=True)
    return np.concatenate([predict(choices.select(rows), theta) for rows, theta in parts])


def _drawn(choices, p_right, uniforms):
    return np.where(choices.responded, np.where(uniforms < p_right, 1, -1), 0).astype(np.int8)


def _in_order(choices, decision, fixed, name, parameters, uniforms):
    """Trial by trial, all sessions at once.

    A choice changes the next one's prior, or what is repeated. The numbers of the decision and the
    parameters (K, G) of the prior are those of each session.
    """
    from scipy.special import ndtr, ndtri

    rho = np.broadcast_to(decision.repetition, len(choices.sessions))
    bias = np.broadcast_to(decision.bias, len(choices.sessions))
    starts = np.flatnonzero(choices.first)
    choice = np.zeros(len(choices.choice), np.int8)
    ends = np.r_[starts[1:], len(choice)]
    p = np.full(len(starts), 0.5)
    previous = np.zeros(len(starts))
    for t in range((ends - starts).max()):
        live = np.flatnonzero(starts + t < ends)
        rows = starts[live] + t
        side_of = np.sign(choices.contrast[rows])
        c = choices.contrast[rows]
        zeta = _of_side(side_of, decision.zeta_left[live], decision.zeta_right[live])
        lapse = _of_side(side_of, decision.lapse_left[live], decision.lapse_right[live])
        prior = p[live] if fixed is None else fixed[rows]
        w = (
            c / zeta
            + np.sqrt(1 + (zeta / decision.sigma) ** 2) * ndtri(np.clip(prior, 1e-7, 1 - 1e-7))
            + bias[live]
        )
        again = np.where(previous[live] != 0, rho[live], 0.0)
        right = (1 - lapse - again) * ndtr(w) + lapse / 2 + again * (previous[live] > 0)
        drawn = np.where(uniforms[rows] < right, 1, -1) * choices.responded[rows]
        choice[rows] = drawn
        did = live[drawn != 0]
        previous[did] = drawn[drawn != 0]
        came = choices.side[rows][drawn != 0] > 0
        chose = drawn[drawn != 0] > 0
        if name == "action_kernel":
            p[did] += parameters[0][did] * (chose - p[did])
        elif name == "four_alpha":
            wrong = (came != chose).astype(int)
            chosen = parameters[wrong, did]
            other = parameters[2 + wrong, did]
            a_right = np.where(chose, chosen, other)
            a_left = np.where(chose, other, chosen)
            v_right = p[did] + a_right * (came - p[did])
            v_left = (1 - p[did]) + a_left * (p[did] - came)
            p[did] = v_right / (v_right + v_left)
    return choice


def _of_side(side, left, right):
    """The parameter of each trial's side, the mean of both where there is none."""
    return np.where(side < 0, left, np.where(side > 0, right, (left + right) / 2))


class FixedPrior(PriorModel):
    """A prior without parameters, computed once for each set of trials.

    semi_markov, oracle, flat.
    """

    def _prior(self, choices, parameters):
        if self.name not in choices.cache:
            choices.cache[self.name] = self._computed(choices)
        return choices.cache[self.name], np.empty((0, len(choices.choice)))

    def _computed(self, choices):
        if self.name == "flat":
            return np.full(len(choices.choice), 0.5)
        if self.name == "oracle":
            return choices.p_right_block.astype(float)
        return semi_markov_prior(choices)


def semi_markov_prior(choices, task=IBL_TASK):
    """π of the exact observer of the rig's blocks, told the side of every trial with a choice.

    Frozen at the others; (R,).
    """
    told = choices.responded
    prior = np.full(len(told), np.nan)
    if told.any():
        prior[told], _ = filter_sides(
            choices.side[told], choices.session[told], choices.block_side[told], task=task
        )
    # a trial without a choice stands before the same prior as the next one with a choice in its
    # session, or after the last
    following = np.minimum.accumulate(np.where(told, np.arange(len(told)), len(told))[::-1])[::-1]
    session = choices.session
    same = (following < len(told)) & (session[np.minimum(following, len(told) - 1)] == session)
    prior[~told & same] = prior[following[~told & same]]
    prior[np.isnan(prior)] = 0.5
    return prior


class FreeSemiMarkov(PriorModel):
    """The semi-Markov observer with fitted τ and p_block.

    Derivatives of the prior by central differences.
    """

    STEP = 1e-4

    def _prior(self, choices, parameters):
        def at(tau, p_block):
            return semi_markov_prior(
                choices, IBL_TASK.replace(block_hazard=1 / tau, p_block=min(p_block, 1.0))
            )

        tau, p_block = map(float, parameters)
        h = self.STEP
        dtau = (at(tau * (1 + h), p_block) - at(tau * (1 - h), p_block)) / (2 * h * tau)
        low = max(p_block - h, 0.5)
        dp = (at(tau, p_block + h) - at(tau, low)) / (p_block + h - low)
        return at(tau, p_block), np.stack([dtau, dp])


def sobol(parameters, n, seed):
    """Starting points (n, P) of a Sobol sequence in the box of the starts."""
    from scipy.stats import qmc

    low, high = (
        np.array([getattr(p, end) for p in parameters]) for end in ("start_low", "start_high")
    )
    return low + qmc.Sobol(len(parameters), seed=seed).random(1 << (n - 1).bit_length())[:n] * (
        high - low
    )


class HistoryGlm:
    """Logistic regression on contrast × side (one-hot), previous choice × (correct, wrong).

    Block side, intercept.
    """

    name = "history_glm"
    exact = True
    blocks = True
    WIDE = (-15.0, 15.0, -0.5, 0.5)

    def _levels(self, choices):
        sizes = np.unique(np.abs(choices.contrast))
        return sizes[sizes > 0]

    def parameters(self, choices):
        names = [
            f"{side}_{100 * c:.4g}" for c in self._levels(choices) for side in ("left", "right")
        ]
        names += [
            "previous_correct",
            "previous_wrong",
            *(["block"] if self.blocks else []),
            "intercept",
        ]
        return [Parameter(name, *self.WIDE) for name in names]

    def starts(self, choices, n, seed):
        return sobol(self.parameters(choices), n, seed)

    def design(self, choices):
        """Regressors (R, K); the previous trial is the one before in the session.

        0 where it has no choice.
        """
        last = np.r_[0, choices.choice[:-1]] * ~choices.first
        correct = np.r_[False, choices.choice[:-1] == choices.side[:-1]]
        columns = [(choices.contrast == s * c) for c in self._levels(choices) for s in (-1, 1)]
        columns += [
            last * correct,
            last * ~correct,
            *([choices.block_side] if self.blocks else []),
            np.ones(len(last)),
        ]
        return np.column_stack(columns).astype(float)

    def _counts(self, choices):
        """Distinct regressors, how often each occurs with a choice, and with a right one."""
        if self.name not in choices.cache:
            X = self.design(choices)[choices.responded]
            right = choices.choice[choices.responded] > 0
            kind = X @ 3.0 ** np.arange(X.shape[1])  # entries are -1, 0, 1: the digits of a number
            _, first, code = np.unique(kind, return_index=True, return_inverse=True)
            choices.cache[self.name] = (
                X[first],
                np.bincount(code.ravel()).astype(float),
                np.bincount(code.ravel(), right),
            )
        return choices.cache[self.name]

    def evaluate(self, choices, theta):
        X, n, right = self._counts(choices)
        z = X @ theta
        p = 1 / (1 + np.exp(-z))
        value = right @ z - n @ np.logaddexp(0, z)
        return float(value), X.T @ (right - n * p), (X * (n * p * (1 - p))[:, None]).T @ X

    def scores(self, choices, theta):
        """Gradient Σ x (y - p) of the log likelihood of each session, (G, P)."""
        X = self.design(choices)
        p = 1 / (1 + np.exp(-X @ theta))
        residual = choices.responded * ((choices.choice > 0) - p)
        return np.stack([residual[rows] @ X[rows] for rows in choices.sessions])

    def p_right(self, choices, theta):
        return 1 / (1 + np.exp(-self.design(choices) @ theta))

    def prior(self, *_):
        return None

    def simulate(self, choices, theta, uniforms):
        """Choices (R,) in the same trials; theta is (P,), or (G, P) with a row for each session."""
        choice = np.zeros(len(choices.choice), np.int8)
        thetas = _of_sessions(choices, theta)
        X = self.design(choices.with_choice(choice))
        fixed = np.concatenate(
            [X[rows] @ own for rows, own in zip(choices.sessions, thetas, strict=True)]
        )
        starts = np.flatnonzero(choices.first)
        ends = np.r_[starts[1:], len(choice)]
        history = 2 * len(self._levels(choices))
        correct, wrong = thetas.T[history : history + 2]
        for t in range((ends - starts).max()):
            live = starts + t < ends
            rows = (starts + t)[live]
            z = fixed[rows]
            if t:
                before = choice[rows - 1]
                z = z + before * np.where(
                    before == choices.side[rows - 1], correct[live], wrong[live]
                )
            choice[rows] = (
                np.where(uniforms[rows] < 1 / (1 + np.exp(-z)), 1, -1) * choices.responded[rows]
            )
        return choice


class Repeating(HistoryGlm):
    """The same without the block side: stimuli and the last trial alone; `nulls` simulates it."""

    name = "repeating"
    blocks = False


class Psychometric:
    """The function with two lapses (`psychometric`) in each block."""

    name = "psychometric"
    exact = True

    def _blocks(self, choices):
        return np.unique(choices.p_right_block[choices.responded])

    def parameters(self, choices):
        from hrnn.behavior.psychometric_function import LOWER, UPPER

        boxes = [(-0.3, 0.3), (0.03, 0.8), (0.0, 0.3), (0.0, 0.3)]
        return [
            Parameter(f"{name}_{1 - block:.2g}", low, high, *box)
            for block in self._blocks(choices)
            for name, low, high, box in zip(
                ("mu", "sigma", "gamma1", "gamma2"), LOWER, UPPER, boxes, strict=True
            )
        ]

    def _counts(self, choices):
        """Contrasts, choices and right choices of each block."""
        if self.name not in choices.cache:
            found = []
            for block in self._blocks(choices):
                rows = choices.responded & (choices.p_right_block == block)
                c, code = np.unique(choices.contrast[rows], return_inverse=True)
                right = choices.choice[rows] > 0
                found.append((c, np.bincount(code, right), np.bincount(code).astype(float)))
            choices.cache[self.name] = found
        return choices.cache[self.name]

    def starts(self, choices, n, seed):
        """The best of 200 candidates in each block.

        Far from them the likelihood has other maxima, steps between two contrasts.
        """
        from hrnn.behavior.psychometric_function import _candidates, _screen

        candidates = _candidates(seed)
        best = []
        for counts in self._counts(choices):
            c, right, total = counts
            first = candidates[np.argsort(_screen(candidates, c, right, total), kind="stable")[:n]]
            best.append(np.column_stack([first[:, 0], np.exp(first[:, 1]), first[:, 2:]]))
        return np.hstack(best)

    def evaluate(self, choices, theta):
        from hrnn.behavior.psychometric_function import _curve_and_slopes

        value = 0.0
        k = len(theta)
        gradient = np.empty(k)
        information = np.zeros((k, k))
        for i, (c, right, n) in enumerate(self._counts(choices)):
            own = slice(4 * i, 4 * i + 4)
            p, slopes = _curve_and_slopes(theta[own], c)
            value += float(right @ np.log(p) + (n - right) @ np.log1p(-p))
            gradient[own] = slopes @ (right / p - (n - right) / (1 - p))
            information[own, own] = (
                slopes * (n / (p * (1 - p)))
            ) @ slopes.T  # expected: positive everywhere
        return value, gradient, information

    def scores(self, choices, theta):
        """Gradient of the log likelihood of each session, (G, P)."""
        from hrnn.behavior.psychometric_function import _curve_and_slopes

        scores = np.zeros((len(choices.sessions), len(theta)))
        for i, block in enumerate(self._blocks(choices)):
            own = slice(4 * i, 4 * i + 4)
            inside = choices.responded & (choices.p_right_block == block)
            p, slopes = _curve_and_slopes(theta[own], choices.contrast)
            each = slopes * (inside * ((choices.choice > 0) - p) / (p * (1 - p)))
            scores[:, own] = [each[:, rows].sum(axis=1) for rows in choices.sessions]
        return scores

    def p_right(self, choices, theta):
        from hrnn.behavior.psychometric_function import _curve

        p = np.full(len(choices.choice), 0.5)
        for i, block in enumerate(self._blocks(choices)):
            rows = choices.p_right_block == block
            p[rows] = _curve(choices.contrast[rows], *theta[4 * i : 4 * i + 4])
        return p

    def prior(self, *_):
        return None

    def simulate(self, choices, theta, uniforms):
        """Choices (R,) in the same trials; theta is (P,), or (G, P) with a row for each session."""
        from hrnn.behavior.psychometric_function import _curve

        thetas = np.repeat(
            _of_sessions(choices, theta),
            [rows.stop - rows.start for rows in choices.sessions],
            axis=0,
        )
        p = np.full(len(choices.choice), 0.5)
        for i, block in enumerate(self._blocks(choices)):
            rows = choices.p_right_block == block
            p[rows] = _curve(choices.contrast[rows], *thetas[rows, 4 * i : 4 * i + 4].T)
        return _drawn(choices, p, uniforms)


_FIXED = ("semi_markov", "oracle", "flat")
PRIOR_MODELS = (*_FIXED, "semi_markov_free", *KERNELS)
MODELS = (*PRIOR_MODELS, "history_glm", "psychometric")


def model_of(name, *, lapses=1, zetas=1, repetition=False, bias=False):
    """The model of a name; only prior models have a decision stage with options."""
    if name in ("history_glm", "psychometric"):
        if (lapses, zetas, repetition, bias) != (1, 1, False, False):
            raise ValueError(
                f"lapses, zetas, repetition and bias must be left at their defaults for {name!r}"
            )
        return HistoryGlm() if name == "history_glm" else Psychometric()
    kind = (
        FixedPrior
        if name in _FIXED
        else FreeSemiMarkov
        if name == "semi_markov_free"
        else PriorModel
    )
    return kind(name, lapses, zetas, repetition, bias)
