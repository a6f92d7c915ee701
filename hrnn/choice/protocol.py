"""What a model of choice has: the least that a user's must have, and all that the library uses.

`ChoiceModel` is the least: a name, parameters with bounds, and P(right) or the log likelihood.
`Model` is the whole, with a docstring for every member; `completed` makes it of the least.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from hrnn.choice.trials import Choices

Floats = NDArray[np.float64]
LEAST: float = 1e-12  # of the probability of a choice, in a log likelihood


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A parameter of a model of choice.

    Attributes
    ----------
    name : str
        Its name, a column of `Fit.params`.
    low, high : float
        Bounds of the search.
    start_low, start_high : float, optional
        The box that searches start from, by default the bounds.
    """

    name: str
    low: float
    high: float
    start_low: float = np.nan
    start_high: float = np.nan

    def __post_init__(self) -> None:
        if np.isnan(self.start_low):
            object.__setattr__(self, "start_low", self.low)
        if np.isnan(self.start_high):
            object.__setattr__(self, "start_high", self.high)


class ChoiceModel(Protocol):
    """The least that an object must have to be fitted, compared, recovered and simulated.

    It need not inherit from anything. Beside `name` and `parameters` it must have `p_right` or
    `log_likelihood`, better `p_right`, from which the library works out everything else: the log
    likelihood, its derivatives by finite differences, predictions and simulations. Any other
    method of `Model` (`gradient` too) may be given, and is then used.
    """

    @property
    def name(self) -> str:
        """What tables call the model; not the name of a model of the library in one comparison."""
        ...

    @property
    def parameters(self) -> Any:
        """Parameters in the order of theta, each a `Parameter` or (name, low, high).

        A sequence; or a method of the `Choices`, where they depend on the trials. (name, low, high,
        start_low, start_high) says also where searches start.
        """
        ...

    def p_right(self, choices: Choices, theta: Floats) -> Floats:
        """P(right) of every trial (R,) at parameters theta (P,).

        Of each trial before its choice: it may depend on the stimuli up to the trial, on the
        choices before it, not on its own. Trials are in order, session after session;
        `choices.first` says where one begins. Probabilities are held 1e-12 away from 0 and 1; where
        the model has `log_likelihood` as well, it must be that of these probabilities.
        """
        ...


class LikelihoodModel(Protocol):
    """The least of a model that gives the log likelihood in place of P(right).

    It can be fitted and compared; to be simulated it needs `simulate` or `p_right` as well.
    """

    @property
    def name(self) -> str:
        """What tables call the model, as in `ChoiceModel`."""
        ...

    @property
    def parameters(self) -> Any:
        """Parameters in the order of theta, as in `ChoiceModel`."""
        ...

    def log_likelihood(self, choices: Choices, theta: Floats) -> float:
        """Log likelihood (nats) of all choices at parameters theta (P,).

        Trials without a choice count nothing. It must be finite within the bounds.
        """
        ...


class Model:
    """A model of choice in full: what the library works with.

    Models of the library inherit from it; it completes a user's, see `completed`. R trials, G
    sessions, P parameters. Parameters are `theta` (P,) in the order of `parameters`.

    Attributes
    ----------
    name : str
        What tables call the model.
    label : str
        What figures call it; empty: the name.
    short_label : str
        What figures call it where there is little room; empty: the label.
    exact : bool
        Whether the information that `evaluate` gives is minus the Hessian (or its expectation), not
        a sum of outer products of gradients.
    has_options : bool
        Whether the model has a decision stage with `lapses`, `zetas`, `repetition` and `bias`.
    """

    name: str = ""
    label: str = ""
    short_label: str = ""
    exact: bool = False
    has_options: ClassVar[bool] = False

    def parameters(self, choices: Choices) -> list[Parameter]:
        """Parameters of the model in these trials, in the order of theta."""
        raise NotImplementedError

    def starts(self, choices: Choices, n: int, seed: int) -> Floats:
        """Where n searches start, (n, P): a Sobol sequence in the box of the starts."""
        return sobol(self.parameters(choices), n, seed)

    def log_likelihood(self, choices: Choices, theta: Floats) -> float:
        """Log likelihood of all choices (nats); trials without one count nothing."""
        p = np.clip(self.p_right(choices, theta), LEAST, 1 - LEAST)
        chosen = np.where(choices.choice > 0, p, 1 - p)[choices.responded]
        return float(np.log(chosen).sum())

    def evaluate(self, choices: Choices, theta: Floats) -> tuple[float, Floats, Floats]:
        """Log likelihood, its gradient (P,), and its information (P, P).

        The information is positive semi-definite, and nearly minus the Hessian: see `exact`.
        """
        raise NotImplementedError

    def scores(self, choices: Choices, theta: Floats) -> Floats:
        """Gradient of the log likelihood of each session, (G, P)."""
        raise NotImplementedError

    def p_right(self, choices: Choices, theta: Floats) -> Floats:
        """P(right) of every trial before its choice, (R,)."""
        raise NotImplementedError

    def prior(self, choices: Choices, theta: Floats) -> Floats | None:
        """P(right) before the stimulus of every trial (R,), or None: the model has no prior."""
        return None

    def simulate(self, choices: Choices, theta: Floats, uniforms: Floats) -> NDArray[np.int8]:
        """Choices (R,) that the model makes in the same trials, each of its own past choices.

        Parameters
        ----------
        choices : Choices
            The trials; where there is no choice the model makes none.
        theta : (P,) or (G, P)
            Parameters of all sessions, or of each.
        uniforms : (R,)
            Uniform numbers in [0, 1): a choice is right where its number is below P(right).

        Returns
        -------
        (R,) int8
            -1, 0 (no choice), 1.
        """
        raise NotImplementedError


OwnModel = Model | ChoiceModel | LikelihoodModel  # an object, of the library or a user
ModelLike = str | OwnModel  # what functions take for a model: also a name of `MODELS`


def sobol(parameters: Sequence[Parameter], n: int, seed: int) -> Floats:
    """Starting points (n, P) of a Sobol sequence in the box of the starts.

    Parameters
    ----------
    parameters : sequence of Parameter
        P parameters, whose box of starts is filled.
    n : int
        Number of points.
    seed : int
        Of the sequence's scrambling.
    """
    from scipy.stats import qmc

    low = np.array([parameter.start_low for parameter in parameters])
    high = np.array([parameter.start_high for parameter in parameters])
    n_drawn = 1 << (n - 1).bit_length()
    sequence: Any = qmc.Sobol  # its stub lacks the seed
    drawn = sequence(len(parameters), seed=seed).random(n_drawn)[:n]
    return low + drawn * (high - low)


def of_sessions(choices: Choices, theta: Floats) -> Floats:
    """Parameters of each session (G, P), from those of each or of all.

    Parameters
    ----------
    choices : Choices
        Trials of G sessions.
    theta : (P,) or (G, P)
        Parameters of all sessions, or of each.
    """
    n_sessions = len(choices.sessions)
    n_parameters = np.shape(theta)[-1]
    return np.broadcast_to(theta, (n_sessions, n_parameters))


def session_by_session(
    predict: Callable[[Choices, Floats], Floats | None], choices: Choices, thetas: Floats
) -> Floats:
    """Predictions (R,) for each session with its own parameters.

    Parameters
    ----------
    predict : callable(choices, theta) -> (R_session,)
        Predicts the trials of one session.
    choices : Choices
        Trials of G sessions.
    thetas : (G, P)
        Parameters of each session.
    """
    parts: list[Any] = [
        predict(choices.select(rows), theta)
        for rows, theta in zip(choices.sessions, thetas, strict=True)
    ]
    return np.concatenate(parts)


def drawn(choices: Choices, p_right: Floats, uniforms: Floats) -> NDArray[np.int8]:
    """Choices (R,) of uniform numbers, right where they are below P(right); 0 where there is none.

    Parameters
    ----------
    choices : Choices
        Which trials have a choice.
    p_right : (R,)
        P(right) of every trial.
    uniforms : (R,)
        Uniform numbers in [0, 1).
    """
    side = np.where(uniforms < p_right, 1, -1)
    return np.where(choices.responded, side, 0).astype(np.int8)


# ---- a user's model ----

# steps of finite differences, as a fraction of a parameter's scale
STEP: float = 6e-6
CURVATURE_STEP: float = 1e-3  # of a gradient that is itself one of differences
NEEDED: tuple[str, ...] = ("name", "parameters")
EITHER: tuple[str, ...] = ("p_right", "log_likelihood")
OPTIONAL: tuple[str, ...] = (
    *EITHER,
    "gradient",
    "evaluate",
    "scores",
    "starts",
    "prior",
    "simulate",
)


def completed(model: Any) -> Model:
    """The full model of a user's object, which has at least the members of `ChoiceModel`.

    Raises
    ------
    TypeError
        If the object lacks a member, or one is not of the right kind.
    ValueError
        If bounds or names of the parameters are impossible.

    Examples
    --------
    >>> class Coin:
    ...     name = "coin"
    ...     parameters = [("rate", 0.01, 0.99)]
    ...
    ...     def p_right(self, choices, theta):
    ...         return np.full(len(choices.choice), theta[0])
    >>> completed(Coin()).label
    'coin'
    """
    if isinstance(model, Model):
        return model
    if isinstance(model, type):
        raise TypeError(
            f"model must be an object, got the class {model.__name__}: give {model.__name__}()"
        )
    _check_members(model)
    return Completed(model)


def _check_members(model: Any) -> None:
    """Refuse an object that lacks what a model must have, and say what it lacks."""
    lacking = [member for member in NEEDED if not hasattr(model, member)]
    if not any(hasattr(model, member) for member in EITHER):
        lacking.append("p_right(choices, theta) or log_likelihood(choices, theta)")
    if lacking:
        raise TypeError(
            "model must be a name of hrnn.mice.MODELS, or an object with name, parameters, and "
            "p_right(choices, theta) or log_likelihood(choices, theta), "
            f"but {type(model).__name__} lacks {', '.join(lacking)}"
        )
    if not isinstance(model.name, str) or not model.name:
        raise TypeError(f"model.name must be a str that is not empty, got {model.name!r}")
    for member in OPTIONAL:
        if not callable(getattr(model, member, print)):
            raise TypeError(f"model.{member} must be a method, got {getattr(model, member)!r}")


def checked_parameters(name: str, given: Any) -> list[Parameter]:
    """Parameters of a user's model from what it says of them, or an error that says what is wrong.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    given : iterable of Parameter or tuple
        What `ChoiceModel.parameters` holds.
    """
    parameters = [_parameter(name, one) for one in _listed(name, given)]
    if not parameters:
        raise ValueError(f"model {name!r} must have a parameter, got none")
    names = [parameter.name for parameter in parameters]
    if len(set(names)) < len(names):
        raise ValueError(f"parameters of model {name!r} must have different names, got {names}")
    return parameters


def _listed(name: str, given: Any) -> Iterable[Any]:
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise TypeError(
            f"parameters of model {name!r} must be a sequence of (name, low, high), got {given!r}"
        )
    return given


def _parameter(name: str, given: Any) -> Parameter:
    """A parameter whose bounds are in order."""
    try:
        one = given if isinstance(given, Parameter) else Parameter(*given)
        bounds = np.array([one.low, one.start_low, one.start_high, one.high], float)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"a parameter of model {name!r} must be (name, low, high) or "
            f"(name, low, high, start_low, start_high), got {given!r}"
        ) from error
    if not isinstance(one.name, str):
        raise TypeError(f"names of parameters of model {name!r} must be str, got {one.name!r}")
    in_order = one.low < one.high and (bounds[:-1] <= bounds[1:]).all()
    if not (np.isfinite(bounds).all() and in_order):
        raise ValueError(
            f"bounds of parameter {one.name!r} of model {name!r} must be finite, with "
            f"low <= start_low <= start_high <= high and low < high, got {given!r}"
        )
    return one


class Completed(Model):
    """A user's model in full: what it lacks is worked out from what it has.

    Parameters
    ----------
    model : object
        Has at least the members of `ChoiceModel`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.name: str = model.name
        self.label: str = getattr(model, "label", "") or model.name
        own_curvature = hasattr(model, "evaluate")
        self.exact: bool = (
            getattr(model, "exact", False) if own_curvature else not self._has("p_right")
        )
        if not callable(model.parameters):
            self._listed = checked_parameters(self.name, model.parameters)

    def _has(self, member: str) -> bool:
        return hasattr(self.model, member)

    def parameters(self, choices: Choices) -> list[Parameter]:
        """What the model says of its parameters, checked."""
        if callable(self.model.parameters):
            return checked_parameters(self.name, self.model.parameters(choices))
        return self._listed

    def starts(self, choices: Choices, n: int, seed: int) -> Floats:
        """The model's own starts, or a Sobol sequence."""
        if self._has("starts"):
            return np.asarray(self.model.starts(choices, n, seed), float)
        return super().starts(choices, n, seed)

    def p_right(self, choices: Choices, theta: Floats) -> Floats:
        """P(right) of every trial (R,), checked; NaN where the model has only a log likelihood."""
        n = len(choices.choice)
        if not self._has("p_right"):
            return np.full(n, np.nan)
        p = np.asarray(self.model.p_right(choices, theta), float)
        if p.shape != (n,):
            raise ValueError(f"p_right of model {self.name!r} must be ({n},), got {p.shape}")
        if not ((p >= 0) & (p <= 1)).all():
            raise ValueError(
                f"p_right of model {self.name!r} must be probabilities, got "
                f"{p[~((p >= 0) & (p <= 1))][0]} at parameters {np.asarray(theta).tolist()}"
            )
        return np.clip(p, LEAST, 1 - LEAST)

    def prior(self, choices: Choices, theta: Floats) -> Floats | None:
        """The model's own prior (R,), if it has one."""
        if not self._has("prior"):
            return None
        return self.model.prior(choices, theta)

    def log_likelihood(self, choices: Choices, theta: Floats) -> float:
        """The model's own log likelihood, or that of its P(right); it must be finite."""
        if not self._has("log_likelihood"):
            return super().log_likelihood(choices, theta)
        value = float(self.model.log_likelihood(choices, theta))
        if not np.isfinite(value):
            raise ValueError(
                f"log_likelihood of model {self.name!r} must be finite within the bounds, got "
                f"{value} at parameters {np.asarray(theta).tolist()}"
            )
        return value

    def gradient(self, choices: Choices, theta: Floats) -> Floats:
        """Gradient of the log likelihood (P,): the model's own, or finite differences."""
        if self._has("gradient"):
            return np.asarray(self.model.gradient(choices, theta), float)
        if self._has("log_likelihood"):
            return self._slopes(choices, theta, lambda at: self.log_likelihood(choices, at))
        return self._trial_slopes(choices, theta).sum(axis=1)

    def evaluate(self, choices: Choices, theta: Floats) -> tuple[float, Floats, Floats]:
        """Log likelihood, gradient and information: the model's own, or worked out.

        The information is the sum of outer products of trials where there is `p_right`, else minus
        the Hessian by differences, with the absolute values of its eigenvalues.
        """
        if self._has("evaluate"):
            value, gradient, information = self.model.evaluate(choices, theta)
            return float(value), np.asarray(gradient, float), np.asarray(information, float)
        value = self.log_likelihood(choices, theta)
        if not self._has("p_right"):
            return value, self.gradient(choices, theta), self._curvature(choices, theta)
        slopes = self._trial_slopes(choices, theta)
        worked_out = not (self._has("gradient") or self._has("log_likelihood"))
        gradient = slopes.sum(axis=1) if worked_out else self.gradient(choices, theta)
        return value, gradient, slopes @ slopes.T

    def scores(self, choices: Choices, theta: Floats) -> Floats:
        """Gradient of each session (G, P): the model's own, or that of the session alone."""
        if self._has("scores"):
            return np.asarray(self.model.scores(choices, theta), float)
        parts = [choices.select(rows) for rows in choices.sessions]
        return np.stack([self.gradient(part, theta) for part in parts])

    def simulate(self, choices: Choices, theta: Floats, uniforms: Floats) -> NDArray[np.int8]:
        """Choices (R,) of the model's own `simulate`, or of its P(right).

        The model's own is called with the parameters (P,) of all trials, or session by session.
        """
        if self._has("simulate"):
            return self._simulated(choices, theta, uniforms)
        if not self._has("p_right"):
            raise TypeError(
                f"model {self.name!r} must have simulate(choices, theta, uniforms) or "
                "p_right(choices, theta) to be simulated"
            )
        return self._consistent(choices, theta, uniforms)

    def _simulated(self, choices: Choices, theta: Floats, uniforms: Floats) -> NDArray[np.int8]:
        """Choices (R,) of the model's own `simulate`, checked."""
        if np.ndim(theta) == 1:
            made = np.asarray(self.model.simulate(choices, theta, uniforms))
        else:
            thetas = of_sessions(choices, theta)
            parts = [
                self.model.simulate(choices.select(rows), own, uniforms[rows])
                for rows, own in zip(choices.sessions, thetas, strict=True)
            ]
            made = np.concatenate(parts)
        if made.shape != choices.choice.shape or not np.isin(made, (-1, 0, 1)).all():
            raise ValueError(
                f"simulate of model {self.name!r} must give -1, 0 or 1 for each of "
                f"{len(choices.choice)} trials"
            )
        return np.where(choices.responded, made, 0).astype(np.int8)

    def _consistent(self, choices: Choices, theta: Floats, uniforms: Floats) -> NDArray[np.int8]:
        """Choices (R,) that are those drawn from the P(right) that they themselves lead to.

        There is one such series, that of trial after trial, if P(right) depends on earlier choices
        only: every round sets at least one more trial of every session right, mostly many.
        """
        made = choices
        longest = max(rows.stop - rows.start for rows in choices.sessions)
        for _ in range(longest + 1):
            again = drawn(choices, self._p_of_sessions(made, theta), uniforms)
            if np.array_equal(again, made.choice):
                return again
            made = choices.with_choice(again)
        raise ValueError(
            f"p_right of model {self.name!r} must not depend on a trial's own choice or later ones"
        )

    def _p_of_sessions(self, choices: Choices, theta: Floats) -> Floats:
        if np.ndim(theta) == 1:
            return self.p_right(choices, theta)
        return session_by_session(self.p_right, choices, of_sessions(choices, theta))

    def _trial_slopes(self, choices: Choices, theta: Floats) -> Floats:
        """Derivatives (P, n) of the log probability of every choice by the parameters."""
        right = choices.choice[choices.responded] > 0

        def log_p(at: Floats) -> Floats:
            p = self.p_right(choices, at)[choices.responded]
            return np.log(np.where(right, p, 1 - p))

        return self._slopes(choices, theta, log_p)

    def _curvature(self, choices: Choices, theta: Floats) -> Floats:
        """Minus the Hessian (P, P) by differences of the gradient, made positive."""

        def gradient(at: Floats) -> Floats:
            return self.gradient(choices, at)

        second = self._slopes(choices, theta, gradient, CURVATURE_STEP)
        symmetric = -(second + second.T) / 2
        values, vectors = np.linalg.eigh(symmetric)
        return (vectors * np.abs(values)) @ vectors.T

    def _slopes(
        self, choices: Choices, theta: Floats, of: Callable[[Floats], Any], step: float = STEP
    ) -> Floats:
        """Derivatives (P, ...) by central differences, one-sided at a bound."""
        found: list[Any] = []
        for i, parameter in enumerate(self.parameters(choices)):
            width = parameter.start_high - parameter.start_low
            size = step * max(abs(theta[i]), 0.01 * width)
            above = np.array(theta, float)
            below = np.array(theta, float)
            above[i] = min(theta[i] + size, parameter.high)
            below[i] = max(theta[i] - size, parameter.low)
            found.append((of(above) - of(below)) / (above[i] - below[i]))
        return np.array(found)
