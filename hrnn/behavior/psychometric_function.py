"""Psychometric functions.

The right choices against signed strength, fitted by maximum likelihood per block side.

P(right | c) = γ1 + (1 − γ1 − γ2) ½ [1 + erf((c − μ)/(√2 σ))], with two lapses (the IBL's
`erf_psycho_2gammas`, whose own σ is √2 times this one). Fits use counts per strength; the fractions
themselves come from `behavior.by_strength`.
"""

import numpy as np

from hrnn.base.arguments import generator, real_array, real_number
from hrnn.behavior.trials import session_codes, trial_column, trial_table

PARAMETERS = ("mu", "sigma", "gamma1", "gamma2")
N_CANDIDATES = 200
N_STARTS = 3
# mu and sigma in units of the largest strength; the search is over log sigma
LOWER = np.array([-1.0, 1e-3, 0.0, 0.0])
UPPER = np.array([1.0, 10.0, 0.5, 0.5])
# region of the starts: outside it the likelihood has other maxima, steps between two strengths
START_LOWER = np.array([-0.5, np.log(0.03), 0.0, 0.0])
START_UPPER = np.array([0.5, 0.0, 0.3, 0.3])
SMALLEST = 1e-12
MAX_SLOPE = 1e-5


def psychometric_curve(c, *, mu, sigma, gamma1, gamma2):
    """P(right) at signed strengths c.

    Parameters
    ----------
    c : array_like
        Signed strengths or contrasts, right positive.
    mu, sigma : float
        Centre and standard deviation, in the unit of c.
    gamma1, gamma2 : float
        Lapses: P(right) far on the left, P(left) far on the right.

    Returns
    -------
    ndarray of the shape of c

    Raises
    ------
    TypeError, ValueError
        If an argument is not a finite number, sigma not positive, or the lapses are negative or
        exceed 1 together.

    Examples
    --------
    >>> float(psychometric_curve(0.0, mu=0.0, sigma=1.0, gamma1=0.1, gamma2=0.1))
    0.5
    """
    c = real_array(c, "c", range(9))
    mu = real_number(mu, "mu", -np.inf, np.inf, "")
    sigma = real_number(sigma, "sigma", 0, np.inf, "")
    gamma1 = real_number(gamma1, "gamma1", 0, 1, "[]")
    return _curve(c, mu, sigma, gamma1, real_number(gamma2, "gamma2", 0, 1 - gamma1, "[]"))


def _curve(c, mu, sigma, gamma1, gamma2):
    from scipy.special import ndtr

    return gamma1 + (1 - gamma1 - gamma2) * ndtr((c - mu) / sigma)


def _curve_and_slopes(theta, c):
    """P(right) (C,) and its derivatives by the four parameters (4, C)."""
    from scipy.special import ndtr

    mu, sigma, gamma1, gamma2 = theta
    z = (c - mu) / sigma
    phi = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    height = 1 - gamma1 - gamma2
    cdf = ndtr(z)
    slope = -height * phi / sigma
    p = np.minimum(np.maximum(gamma1 + height * cdf, SMALLEST), 1 - SMALLEST)
    return p, np.array([slope, slope * z, 1 - cdf, -cdf])


def _loss(theta, c, n_right, n):
    """Negative log-likelihood per trial and its gradient (4,)."""
    p, slopes = _curve_and_slopes(theta, c)
    total = n.sum()
    value = -(n_right @ np.log(p) + (n - n_right) @ np.log1p(-p)) / total
    return value, -slopes @ (n_right / p - (n - n_right) / (1 - p)) / total


def _curvature(theta, c):
    """Second derivatives of P(right), (4, 4, C)."""
    mu, sigma, gamma1, gamma2 = theta
    z = (c - mu) / sigma
    phi = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    height = 1 - gamma1 - gamma2
    second = np.zeros((4, 4, len(c)))
    second[0, 0] = -height * phi * z / sigma**2
    second[0, 1] = second[1, 0] = height * phi * (1 - z**2) / sigma**2
    second[1, 1] = height * phi * z * (2 - z**2) / sigma**2
    second[0, 2:] = second[2:, 0] = phi / sigma
    second[1, 2:] = second[2:, 1] = phi * z / sigma
    return second


def _information(theta, c, n_right, n):
    """Observed information: minus the Hessian (4, 4) of the log-likelihood."""
    p, slopes = _curve_and_slopes(theta, c)
    n_left = n - n_right
    outer = (slopes * (n_right / p**2 + n_left / (1 - p) ** 2)) @ slopes.T
    return outer - _curvature(theta, c) @ (n_right / p - n_left / (1 - p))


def _standard_errors(theta, free, c, n_right, n):
    """Errors (4,) from the free parameters' information.

    NaN for those at a bound, for all if the information is not positive definite, and for those
    whose error is wider than the bounds: the data do not determine them.
    """
    se = np.full(4, np.nan)
    information = _information(theta, c, n_right, n)[np.ix_(free, free)]
    if free.any() and np.linalg.eigvalsh(information).min() > SMALLEST * np.abs(information).max():
        se[free] = np.sqrt(np.diag(np.linalg.inv(information)))
    return np.where(se < UPPER - LOWER, se, np.nan)


def _candidates(rng):
    """Starting points (mu, log sigma, gamma1, gamma2), (N_CANDIDATES, 4)."""
    return START_LOWER + generator(rng).random((N_CANDIDATES, 4)) * (START_UPPER - START_LOWER)


def _screen(candidates, c, n_right, n):
    """Negative log-likelihood at each candidate, (N_CANDIDATES,)."""
    mu, log_sigma, gamma1, gamma2 = candidates.T[:, :, None]
    p = _curve(c, mu, np.exp(log_sigma), gamma1, gamma2)
    p = np.clip(p, SMALLEST, 1 - SMALLEST)
    return -(np.log(p) @ n_right + np.log1p(-p) @ (n - n_right))


def _fit(c, n_right, n, candidates):
    """Search from the best candidates within the bounds: (theta, loss, projected gradient).

    Truncated Newton, because L-BFGS-B calls threaded LAPACK on 4 × 4 matrices, which is slow on a
    busy machine.
    """
    from scipy.optimize import minimize

    def loss(u):
        theta = np.array([u[0], np.exp(u[1]), u[2], u[3]])
        value, gradient = _loss(theta, c, n_right, n)
        gradient[1] *= theta[1]
        return value, gradient

    lower = LOWER.copy()
    upper = UPPER.copy()
    lower[1] = np.log(LOWER[1])
    upper[1] = np.log(UPPER[1])
    bounds = np.column_stack([lower, upper])
    options = {"ftol": 1e-15, "gtol": 1e-9, "xtol": 1e-12, "maxfun": 500}
    first = np.argsort(_screen(candidates, c, n_right, n), kind="stable")[:N_STARTS]
    fits = [
        minimize(loss, candidates[i], jac=True, method="TNC", bounds=bounds, options=options)
        for i in first
    ]
    best = min(fits, key=lambda fit: fit.fun)
    moved = np.clip(best.x - best.jac, lower, upper) - best.x
    return np.array([best.x[0], np.exp(best.x[1]), *best.x[2:]]), best.fun, np.abs(moved).max()


def _row(c, n_right, n, candidates):
    """All that is reported of one fit."""
    scale = np.abs(c).max() or 1.0
    theta, loss, slope = _fit(c / scale, n_right, n, candidates)
    near = 1e-6 * (UPPER - LOWER)
    free = (theta > LOWER + near * [1, 1e-4, 1, 1]) & (theta < UPPER - near)
    unit = np.array([scale, scale, 1, 1])
    se = unit * _standard_errors(theta, free, c / scale, n_right, n)
    theta = unit * theta
    root2 = np.sqrt(2)
    return (
        dict(zip(PARAMETERS, theta, strict=True))
        | {"sigma_ibl": root2 * theta[1]}
        | {f"se_{name}": value for name, value in zip(PARAMETERS, se, strict=True)}
        | {
            "se_sigma_ibl": root2 * se[1],
            "log_likelihood": -loss * n.sum(),
            "n_trials": int(n.sum()),
        }
        | {"converged": bool(slope < MAX_SLOPE), "at_bound": bool(not free.all())}
    )


def _counts(trials):
    """Choices per (subject,) p_left and signed strength.

    A table with `n_right` and `n`, and the grouping columns.
    """
    import pandas as pd

    table = trial_table(trials, "session", "p_left", "signed_strength", "choice")
    session_codes(table)
    choice = trial_column(table, "choice", allowed=(-1, 0, 1))
    names = ("p_left", "signed_strength")
    frame = pd.DataFrame(
        {name: trial_column(table, name) for name in names} | {"n_right": choice > 0, "n": 1.0}
    )
    by = ["p_left"]
    if "subject" in table:
        frame = frame.assign(subject=table["subject"].to_numpy())
        by = ["subject", "p_left"]
    if not (choice != 0).any():
        raise ValueError("trials must have choices, got none")
    return frame[choice != 0].groupby([*by, "signed_strength"], sort=True, as_index=False).sum(), by


def psychometric(trials, *, rng=0):
    """Fit the psychometric function with two lapses to each block side of each subject.

    Binomial maximum likelihood with the analytic gradient, from the best three of 200 starts that
    are the same for every fit. With s the largest |signed strength|: μ in [−s, s], σ in [s/1000, 10
    s], γ1 and γ2 in [0, ½]. Standard errors come from the Hessian over the parameters that are not
    at a bound.

    Parameters
    ----------
    trials : DataFrame (R rows) or object with `.trials`
        With `session, p_left, signed_strength, choice`; trials without a choice are left out.
    rng : int, SeedSequence or Generator, optional
        For the starts.

    Returns
    -------
    DataFrame
        One row per (`subject`,) `p_left`: `mu, sigma, gamma1, gamma2` and `sigma_ibl` = √2 σ, `se_`
        of each (NaN at a bound or if the data do not determine it), `log_likelihood` (of the single
        choices, nats), `n_trials`, `converged`, `at_bound`. mu and sigma are in the unit of the
        strengths.

    Raises
    ------
    TypeError, ValueError
        If `trials` is no trial table, lacks columns, holds NaN or has no choices.

    Examples
    --------
    >>> import pandas as pd
    >>> trials = pd.DataFrame({"session": 0, "p_left": 0.5, "signed_strength": [-1.0, -0.5, 0, 0.5, 1] * 40})
    >>> trials["choice"] = np.where(np.random.default_rng(0).normal(trials["signed_strength"], 0.5) > 0, 1, -1)
    >>> psychometric(trials)["converged"].to_list()
    [True]
    """
    import pandas as pd

    counts, by = _counts(trials)
    candidates = _candidates(rng)
    rows = []
    for key, group in counts.groupby(by, sort=True):
        columns = (
            group[name].to_numpy(dtype=float) for name in ("signed_strength", "n_right", "n")
        )
        rows.append(dict(zip(by, key, strict=True)) | _row(*columns, candidates))
    return pd.DataFrame(rows)
