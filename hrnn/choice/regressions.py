"""Models of choice without a prior: a logistic regression on history, psychometric functions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrnn.behavior.contradictions import DECIMALS
from hrnn.choice.protocol import Floats, Model, Parameter, drawn, of_sessions
from hrnn.choice.trials import Choices

WIDE: tuple[float, float, float, float] = (
    -15.0,
    15.0,
    -0.5,
    0.5,
)  # bounds of a weight, and the box of the starts
MOST_LEVELS: int = 300  # contrasts, or P(left), that one fit can have parameters of their own for


def refuse_many(model: str, levels: Floats, what: str) -> None:
    """Refuse more levels than a model can have parameters for.

    Parameters
    ----------
    model : str
        Name of the model, for the message.
    levels : (L,)
        The different values that occur.
    what : str
        Name of the column that they come from, for the message.
    """
    if len(levels) > MOST_LEVELS:
        raise ValueError(
            f"trials[{what!r}] must have at most {MOST_LEVELS} different values for {model!r}, "
            f"which has parameters for each, got {len(levels)}: round them, or take another model"
        )


class HistoryGlm(Model):
    """Logistic regression on contrast × side (one-hot), previous choice × (correct, wrong).

    Block side and intercept are regressors, too. A contrast is a category: two trials have the same
    weight if their contrasts are equal.

    Attributes
    ----------
    blocks : bool
        Whether the side of the block is a regressor.
    """

    name = "history_glm"
    label = "history GLM"
    exact = True
    blocks: ClassVar[bool] = True

    def _levels(self, choices: Choices) -> Floats:
        """Contrasts that occur, without sign and 0, in order."""
        sizes = np.unique(np.abs(choices.contrast))
        levels = sizes[sizes > 0]
        refuse_many(self.name, levels, "signed_strength")
        return levels

    def parameters(self, choices: Choices) -> list[Parameter]:
        """A weight of every contrast on each side that is there, then those of history."""
        levels = self._levels(choices)
        names = [f"{side}_{100 * c:.8g}" for c in levels for side in ("left", "right")]
        names += ["previous_correct", "previous_wrong"]
        if self.blocks:
            names.append("block")
        names.append("intercept")
        return [Parameter(name, *WIDE) for name in names]

    def _regressors(self, choices: Choices) -> tuple[NDArray[np.intp], list[NDArray[Any]]]:
        """Which weight of a contrast is each trial's (R,), 0 for none; then the other regressors.

        The previous trial is the one before in the session, 0 where it has no choice, or is not in
        the table.
        """
        levels = self._levels(choices)
        signed = np.stack([-levels, levels], 1).ravel()
        order = np.argsort(signed)
        at = np.searchsorted(signed[order], choices.contrast)
        contrast = np.where(choices.contrast != 0, np.r_[order + 1, 0][at], 0)
        last = np.r_[0, choices.choice[:-1]] * choices.follows
        correct = np.r_[False, choices.choice[:-1] == choices.side[:-1]]
        others = [last * correct, last * ~correct]
        if self.blocks:
            others.append(choices.block_side)
        return contrast, others

    def design(self, choices: Choices) -> Floats:
        """Regressors (R, K): 1 for the trial's contrast and side, history, block, 1."""
        contrast, others = self._regressors(choices)
        n_weights = 2 * len(self._levels(choices))
        shown = contrast[:, None] == np.arange(1, n_weights + 1)
        return np.column_stack([shown, *others, np.ones(len(contrast))]).astype(float)

    def _counts(self, choices: Choices) -> tuple[Floats, Floats, Floats]:
        """Distinct regressors, how often each occurs with a choice, and with a right one."""
        if self.name not in choices.cache:
            contrast, others = self._regressors(choices)
            kind = np.zeros(len(contrast), int)
            for column in reversed(others):  # -1, 0, 1: the digits of a whole number
                kind = 3 * kind + column
            kind = kind * (2 * len(self._levels(choices)) + 1) + contrast
            right = choices.choice[choices.responded] > 0
            kind = kind[choices.responded]
            _, first, code = np.unique(kind, return_index=True, return_inverse=True)
            n = np.bincount(code).astype(float)
            n_right = np.bincount(code, right)
            X = self.design(choices)[choices.responded]
            choices.cache[self.name] = (X[first], n, n_right)
        return choices.cache[self.name]

    def evaluate(self, choices: Choices, theta: Floats) -> tuple[float, Floats, Floats]:
        """Log likelihood, its gradient (P,), and minus its Hessian (P, P)."""
        X, n, right = self._counts(choices)
        z = X @ theta
        p = 1 / (1 + np.exp(-z))
        value = right @ z - n @ np.logaddexp(0, z)
        gradient = X.T @ (right - n * p)
        information = (X * (n * p * (1 - p))[:, None]).T @ X
        return float(value), gradient, information

    def scores(self, choices: Choices, theta: Floats) -> Floats:
        """Gradient Σ x (y - p) of the log likelihood of each session, (G, P)."""
        X = self.design(choices)
        p = 1 / (1 + np.exp(-X @ theta))
        residual = choices.responded * ((choices.choice > 0) - p)
        return np.stack([residual[rows] @ X[rows] for rows in choices.sessions])

    def p_right(self, choices: Choices, theta: Floats) -> Floats:
        """P(right) of every trial, (R,)."""
        X = self.design(choices)
        return 1 / (1 + np.exp(-X @ theta))

    def simulate(self, choices: Choices, theta: Floats, uniforms: Floats) -> NDArray[np.int8]:
        """Choices (R,) in the same trials, each with the weights of the choice before.

        Parameters
        ----------
        choices : Choices
            The trials, of G sessions.
        theta : (P,) or (G, P)
            Weights of all sessions, or of each.
        uniforms : (R,)
            Uniform numbers in [0, 1).
        """
        choice = np.zeros(len(choices.choice), np.int8)
        thetas = of_sessions(choices, theta)
        X = self.design(choices.with_choice(choice))
        parts = zip(choices.sessions, thetas, strict=True)
        without_history = np.concatenate([X[rows] @ own for rows, own in parts])
        starts = np.flatnonzero(choices.first)
        ends = np.r_[starts[1:], len(choice)]
        history = 2 * len(self._levels(choices))
        correct, wrong = thetas.T[history : history + 2]
        for t in range((ends - starts).max()):
            live = starts + t < ends
            rows = (starts + t)[live]
            z = without_history[rows]
            if t:
                before = choice[rows - 1] * choices.follows[rows]
                was_correct = before == choices.side[rows - 1]
                z = z + before * np.where(was_correct, correct[live], wrong[live])
            right = uniforms[rows] < 1 / (1 + np.exp(-z))
            choice[rows] = np.where(right, 1, -1) * choices.responded[rows]
        return choice


class Repeating(HistoryGlm):
    """The same without the block side: stimuli and the last trial alone; `nulls` simulates it."""

    name = "repeating"
    label = ""
    blocks = False


class Psychometric(Model):
    """The function with two lapses (`psychometric`) in each block.

    Its values are held between 1e-12 and 1 - 1e-12.
    """

    name = "psychometric"
    exact = True

    def _blocks(self, choices: Choices) -> Floats:
        """P(right) of the blocks that have a choice, in order."""
        blocks = np.unique(choices.p_right_block[choices.responded])
        refuse_many(self.name, blocks, "p_left")
        return blocks

    def parameters(self, choices: Choices) -> list[Parameter]:
        """The four of the function in each block, with P(left) of the block in their names."""
        from hrnn.behavior.psychometric_function import LOWER, UPPER

        names = ("mu", "sigma", "gamma1", "gamma2")
        starts = [(-0.3, 0.3), (0.03, 0.8), (0.0, 0.3), (0.0, 0.3)]
        boxes = list(zip(names, LOWER, UPPER, starts, strict=True))
        return [
            Parameter(f"{name}_{1 - block:.{DECIMALS}g}", low, high, *start)
            for block in self._blocks(choices)
            for name, low, high, start in boxes
        ]

    def _counts(self, choices: Choices) -> list[tuple[Floats, Any, Floats]]:
        """Contrasts, right choices and choices of each block."""
        if self.name not in choices.cache:
            found: list[tuple[Floats, Any, Floats]] = []
            for block in self._blocks(choices):
                rows = choices.responded & (choices.p_right_block == block)
                c, code = np.unique(choices.contrast[rows], return_inverse=True)
                right = choices.choice[rows] > 0
                found.append((c, np.bincount(code, right), np.bincount(code).astype(float)))
            choices.cache[self.name] = found
        return choices.cache[self.name]

    def starts(self, choices: Choices, n: int, seed: int) -> Floats:
        """The best of 200 candidates in each block.

        Far from them the likelihood has other maxima, steps between two contrasts.
        """
        from hrnn.behavior.psychometric_function import _candidates, _screen

        candidates = _candidates(seed)
        best: list[Floats] = []
        for c, right, total in self._counts(choices):
            order = np.argsort(_screen(candidates, c, right, total), kind="stable")
            first = candidates[order[:n]]
            best.append(np.column_stack([first[:, 0], np.exp(first[:, 1]), first[:, 2:]]))
        return np.hstack(best)

    def evaluate(self, choices: Choices, theta: Floats) -> tuple[float, Floats, Floats]:
        """Log likelihood, its gradient (P,), and its expected information (P, P)."""
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
            # expected, so that it is positive everywhere
            information[own, own] = (slopes * (n / (p * (1 - p)))) @ slopes.T
        return value, gradient, information

    def scores(self, choices: Choices, theta: Floats) -> Floats:
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

    def p_right(self, choices: Choices, theta: Floats) -> Floats:
        """P(right) of every trial (R,); ½ in blocks without a choice."""
        from hrnn.behavior.psychometric_function import _curve_and_slopes

        p = np.full(len(choices.choice), 0.5)
        for i, block in enumerate(self._blocks(choices)):
            rows = choices.p_right_block == block
            p[rows], _ = _curve_and_slopes(theta[4 * i : 4 * i + 4], choices.contrast[rows])
        return p

    def simulate(self, choices: Choices, theta: Floats, uniforms: Floats) -> NDArray[np.int8]:
        """Choices (R,) in the same trials.

        Parameters
        ----------
        choices : Choices
            The trials, of G sessions.
        theta : (P,) or (G, P)
            Parameters of all sessions, or of each.
        uniforms : (R,)
            Uniform numbers in [0, 1).
        """
        from hrnn.behavior.psychometric_function import _curve

        lengths = [rows.stop - rows.start for rows in choices.sessions]
        thetas = np.repeat(of_sessions(choices, theta), lengths, axis=0)
        p = np.full(len(choices.choice), 0.5)
        for i, block in enumerate(self._blocks(choices)):
            rows = choices.p_right_block == block
            p[rows] = _curve(choices.contrast[rows], *thetas[rows, 4 * i : 4 * i + 4].T)
        return drawn(choices, p, uniforms)
