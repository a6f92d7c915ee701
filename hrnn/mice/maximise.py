"""Maximum of a smooth log likelihood within bounds: Newton's method with a damped, projected step.

Likelihoods of choices have few parameters, many trials, and gradients whose outer products are, near the maximum, nearly the
information; so a handful of evaluations is enough, where general quasi-Newton methods take dozens.
"""

import dataclasses

import numpy as np

MAX_STEPS = 200
TOLERANCE, STALLED = 1e-7, 1e-4  # gain in log likelihood (nats) that a full step promises; where rounding lets none come
DAMPING = (1e-12, 1e-3, 1e9)  # least, first, largest


@dataclasses.dataclass(frozen=True, eq=False)
class Maximum:
    """Where a search ended.

    Attributes
    ----------
    theta : (P,)
    value : float
    converged : bool
        Whether a step within the bounds promises no more gain.
    n_evaluations : int
    """

    theta: np.ndarray
    value: float
    converged: bool
    n_evaluations: int


def maximise(evaluate, start, lower, upper):
    """Climb from a start.

    Parameters
    ----------
    evaluate : callable(theta) -> (value, gradient (P,), information (P, P))
        The information is minus the Hessian, or nearly, positive semi-definite.
    start, lower, upper : (P,)

    Returns
    -------
    Maximum

    Examples
    --------
    >>> bowl = lambda t: (-((t - 2) ** 2).sum(), -2 * (t - 2), 2 * np.eye(2))
    >>> maximise(bowl, np.zeros(2), np.zeros(2), np.array([1.0, 5.0])).theta.tolist()
    [1.0, 2.0]
    """
    theta, damping = np.clip(start, lower, upper), DAMPING[1]
    value, gradient, information = evaluate(theta)
    n = 1
    for _ in range(MAX_STEPS):
        free = ~(((theta <= lower) & (gradient <= 0)) | ((theta >= upper) & (gradient >= 0)))
        if not free.any():
            return Maximum(theta, value, True, n)
        scale = np.maximum(np.sqrt(np.diag(information)[free]), 1e-8)
        inner, slope = information[np.ix_(free, free)] / np.outer(scale, scale), gradient[free] / scale

        def moved(damping, free=free, inner=inner, slope=slope, scale=scale, theta=theta):
            step = np.zeros(len(theta))
            step[free] = np.linalg.solve(inner + damping * np.eye(len(slope)), slope) / scale
            return np.clip(theta + step, lower, upper)

        promised = gradient @ (moved(1e-6) - theta)
        if promised < TOLERANCE:
            return Maximum(theta, value, True, n)
        while damping < DAMPING[2]:
            there = moved(damping)
            found = evaluate(there)
            n += 1
            if found[0] > value:
                theta, (value, gradient, information) = there, found
                damping = max(damping / 10, DAMPING[0])
                break
            damping = 10 * max(damping, 1e-6)
        else:
            return Maximum(theta, value, bool(promised < STALLED), n)
    return Maximum(theta, value, False, n)
