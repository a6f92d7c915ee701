"""Slow twins of the choice models.

Priors trial by trial, the decision stage with SciPy's normal law.
"""

import numpy as np
from scipy.stats import norm


def action_kernel(table, alpha, of="choice"):
    """π before each trial; frozen without a choice, ½ at a session's start."""
    prior = []
    p = 0.5
    for i, row in enumerate(table):
        if i == 0 or row["session"] != table[i - 1]["session"]:
            p = 0.5
        prior.append(p)
        if row["choice"]:
            p = (1 - alpha) * p + alpha * (row[of] > 0)
    return np.array(prior)


def four_alpha(table, alphas):
    """Values of left and right; alphas: chosen rewarded, chosen not, other rewarded, other not."""
    prior = []
    v = {-1: 0.5, 1: 0.5}
    for i, row in enumerate(table):
        if i == 0 or row["session"] != table[i - 1]["session"]:
            v = {-1: 0.5, 1: 0.5}
        prior.append(v[1])
        if row["choice"]:
            rewarded = row["choice"] == row["side"]
            for j in (-1, 1):
                alpha = alphas[(0 if rewarded else 1) + (0 if j == row["choice"] else 2)]
                v[j] = (1 - alpha) * v[j] + alpha * (row["side"] == j)
            total = v[-1] + v[1]
            v = {j: v[j] / total for j in v}
    return np.array(prior)


def exponential(table, tau, beta_right, beta_left, shift=1):
    """Direct sums over the past of the session."""
    prior = []
    for i, row in enumerate(table):
        right = left = 0.0
        past = [r for r in table[: i + 1] if r["session"] == row["session"] and r["choice"]]
        if row["choice"] and shift:
            past = past[:-1]
        for k, r in enumerate(reversed(past), start=shift if row["choice"] else 1):
            weight = np.exp(-k / tau)
            right = right + weight * (r["side"] > 0)
            left = left + weight * (r["side"] < 0)
        prior.append((right + beta_right) / (right + left + beta_right + beta_left))
    return np.array(prior)


def markov(table, hazard, gamma):
    """Two blocks; unbiased trials have π = ½ and teach nothing."""
    prior = []
    b = 0.5
    for i, row in enumerate(table):
        if i == 0 or row["session"] != table[i - 1]["session"]:
            b = 0.5
        prior.append(gamma * b + (1 - gamma) * (1 - b) if row["biased"] else 0.5)
        if row["choice"] and row["biased"]:
            right, left = (gamma, 1 - gamma) if row["side"] > 0 else (1 - gamma, gamma)
            b = right * b / (right * b + left * (1 - b))
            b = (1 - hazard) * b + hazard * (1 - b)
    return np.array(prior)


def p_right(table, prior, zeta, lapse, repetition=0.0, bias=0.0, sigma=0.49):
    """SPEC 7: Φ(c/ζ − (ζ/σ*) Φ⁻¹(1 − π) + bias), lapses, repetition; ζ and λ are (left, right)."""
    out = []
    previous = 0
    for i, row in enumerate(table):
        if i == 0 or row["session"] != table[i - 1]["session"]:
            previous = 0
        c = row["contrast"]
        z, lam = (
            (pair[0] if c < 0 else pair[1] if c > 0 else np.mean(pair)) for pair in (zeta, lapse)
        )
        star = (sigma**-2 + z**-2) ** -0.5
        p = norm.cdf(c / z - z / star * norm.ppf(1 - np.clip(prior[i], 1e-7, 1 - 1e-7)) + bias)
        rho = repetition if previous else 0.0
        out.append((1 - lam - rho) * p + lam / 2 + rho * (previous > 0))
        previous = row["choice"] or previous
    return np.array(out)


def log_p(table, p):
    """Log probability of each choice, 0 where there is none."""
    choice = np.array([row["choice"] for row in table])
    return np.where(choice > 0, np.log(p), np.where(choice < 0, np.log1p(-p), 0.0))
