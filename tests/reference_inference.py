"""Bayesian inference in slow NumPy: block lengths, evidence within a trial, filters.

Everywhere pi = P(s = +1 | past) is the prior for the right side, `block` is
P(b = +1 | past) before a trial, and log-likelihoods come as [left, right], up to a
common factor.
"""

import numpy as np

PUBLISHED_HAZARD = 0.02  # what the published models use whatever the task says


def block_length_pmf(block_law, block_hazard, block_min, block_max):
    """P(L = n) at index n = 0..block_max; block_min and block_max are included."""
    n = np.arange(block_max + 1)
    past_min = np.maximum(n - block_min, 0)  # the shortest block's factor cancels
    if block_law == "geometric":
        weight = (1 - block_hazard) ** past_min
    elif block_law == "exponential":
        weight = np.exp(-block_hazard * past_min)
    else:
        raise ValueError(f"unknown block_law {block_law!r}")
    pmf = np.where(n >= block_min, weight, 0.0)
    return pmf / pmf.sum()


def hazard(pmf):
    """H(a) = P(L = a) / P(L >= a) at index a; 1 where no block is as long as a."""
    survival = np.array([pmf[a:].sum() for a in range(len(pmf))])
    return np.divide(pmf, survival, out=np.ones(len(pmf)), where=survival > 0)


def log_evidence(sum_left, sum_right, n, strengths, weights, noise_sd, evidence):
    """log L_left, log L_right of n observations: log sum_mu P(mu) l_s(mu).

    The sums and n broadcast against each other; weights are relative, None is uniform.
    The common factor left out is the density of the observations at mu = 0.
    """
    mu = np.asarray(strengths, dtype=float)
    weights = np.ones(len(mu)) if weights is None else np.asarray(weights, dtype=float)
    weights = weights / weights.sum()
    mu = mu[weights > 0]
    weights = weights[weights > 0]
    left, right, n = (np.asarray(z)[..., None] for z in (sum_left, sum_right, n))
    if evidence == "both":
        exponents = [mu * total - n * mu**2 / 2 for total in (left, right)]
    elif evidence == "difference":
        exponents = [s * mu * (right - left) / 2 - n * mu**2 / 4 for s in (-1, +1)]
    else:
        raise ValueError(f"unknown evidence {evidence!r}")
    return tuple(
        np.logaddexp.reduce(np.log(weights) + exponent / noise_sd**2, axis=-1)
        for exponent in exponents
    )


def posterior(prior, log_left, log_right):
    """P(s = +1 | o) from the prior of s = +1 and the log-likelihood of either side."""
    largest = np.maximum(log_left, log_right)
    left = (1 - prior) * np.exp(log_left - largest)
    right = prior * np.exp(log_right - largest)
    return right / (left + right)


def block_likelihood(side, log_likelihood, p_agree):
    """[P(data | b = -1), P(data | b = +1)]; p_agree is P(s = b | b).

    That is P(s | b) if the side is known, sum_s P(s | b) L_s if it is not (side 0).
    """
    if side == 0:
        left, right = np.exp(log_likelihood - np.max(log_likelihood, axis=0))
    else:
        left = float(side == -1)
        right = float(side == +1)
    p_differ = 1 - p_agree
    return np.array([p_agree * left + p_differ * right, p_differ * left + p_agree * right])


def reweigh(block, likelihood):
    """P(b = +1 | data) from P(b = +1) and [P(data | b = -1), P(data | b = +1)]."""
    left = (1 - block) * likelihood[0]
    right = block * likelihood[1]
    return right / (left + right)


def move(block, hazard):
    """P(b = +1) after the block has changed with probability `hazard`."""
    return (1 - hazard) * block + hazard * (1 - block)


class SemiMarkov:
    """Predicted P(b, a): row b = -1, +1, column a = trials of the block so far.

    Every filter has, before a trial, `block` = P(b = +1 | past), `p_agree` =
    P(s = b | b) and `prior` = P(s = +1 | past); `update` takes what the trial told
    (side 0 = unknown) and predicts the next.
    """

    def __init__(self, pmf, p_block, n_unbiased):
        self.hazard = hazard(pmf)
        self.p_block = p_block
        self.unbiased_left = n_unbiased
        self.belief = np.zeros((2, len(pmf)))
        self.belief[:, 1] = 0.5

    @property
    def block(self):
        return self.belief[1].sum()

    @property
    def p_agree(self):
        return 0.5 if self.unbiased_left else self.p_block

    @property
    def prior(self):
        return self.p_agree * self.block + (1 - self.p_agree) * (1 - self.block)

    def update(self, side, log_likelihood):
        if self.unbiased_left:
            self.unbiased_left -= 1
            return
        likelihood = block_likelihood(side, log_likelihood, self.p_block)
        joint = self.belief * likelihood[:, None]
        joint /= joint.sum()
        self.belief[:, 2:] = (joint * (1 - self.hazard))[:, 1:-1]
        self.belief[:, 1] = (joint * self.hazard).sum(axis=1)[::-1]


class Markov:
    """Two states and a constant hazard."""

    def __init__(self, hazard, p_block, n_unbiased):
        self.hazard = hazard
        self.p_block = p_block
        self.unbiased_left = n_unbiased
        self.block = 0.5

    p_agree = SemiMarkov.p_agree
    prior = SemiMarkov.prior

    def update(self, side, log_likelihood):
        if self.unbiased_left:
            self.unbiased_left -= 1
            return
        likelihood = block_likelihood(side, log_likelihood, self.p_block)
        self.block = move(reweigh(self.block, likelihood), self.hazard)


class Blockless:
    """Knows of no blocks: a side tells nothing about a block, and both stay at 1/2."""

    prior = block = p_agree = 0.5

    def update(self, side, log_likelihood):
        pass


class Oracle:
    """Is told the block side of every trial; 0 is an unbiased trial."""

    def __init__(self, block_side, p_block):
        self.block_side = list(block_side)
        self.p_block = p_block

    @property
    def block(self):
        return (1 + self.block_side[0]) / 2

    @property
    def p_agree(self):
        return self.p_block if self.block_side[0] else 0.5

    prior = SemiMarkov.prior

    def update(self, side, log_likelihood):
        self.block_side.pop(0)


class Exponential:
    """pi <- (1 - alpha) pi + alpha [s = +1], unmoved by an unknown side; no blocks."""

    block = p_agree = np.nan

    def __init__(self, learning_rate):
        self.learning_rate = learning_rate
        self.prior = 0.5

    def update(self, side, log_likelihood):
        if side:
            self.prior += self.learning_rate * ((side == +1) - self.prior)


class PublishedActor(Markov):
    """The published actor: takes the block belief itself as the prior of the side."""

    def __init__(self, p_block):
        super().__init__(PUBLISHED_HAZARD, p_block, n_unbiased=0)

    @property
    def prior(self):
        return self.block


class PublishedObserver(Markov):
    """The published observer: `block` is the last trial's posterior, not yet moved."""

    def __init__(self, p_block):
        super().__init__(PUBLISHED_HAZARD, p_block, n_unbiased=0)

    def update(self, side, log_likelihood):
        likelihood = block_likelihood(side, log_likelihood, self.p_block)
        self.block = reweigh(move(self.block, self.hazard), likelihood)


def run_filter(belief, side, log_likelihood):
    """(prior (R,), block (R,)) of a filter over the trials of one session."""
    prior = []
    block = []
    for s, log_l in zip(side, log_likelihood, strict=True):
        prior.append(belief.prior)
        block.append(belief.block)
        belief.update(s, log_l)
    return np.array(prior), np.array(block)


def semi_markov(side, log_likelihood, pmf, p_block, n_unbiased):
    """(prior (R,), block (R,)) of the exact filter for block lengths from `pmf`."""
    return run_filter(SemiMarkov(pmf, p_block, n_unbiased), side, log_likelihood)


def markov(side, log_likelihood, hazard, p_block, n_unbiased):
    """(prior (R,), block (R,)) of the filter with a constant hazard."""
    return run_filter(Markov(hazard, p_block, n_unbiased), side, log_likelihood)


def exponential(side, learning_rate):
    """prior (R,) of the exponentially weighted average of past sides."""
    return run_filter(Exponential(learning_rate), side, np.zeros((len(side), 2)))[0]


def block_paths(n_trials, pmf):
    """Yield (block lengths, probability) of all ways to cut n_trials into blocks.

    The session's end cuts off the last block: its length counts with P(L >= length).
    """
    for length in range(1, min(n_trials, len(pmf) - 1) + 1):
        if length == n_trials:
            yield (length,), pmf[length:].sum()
        elif pmf[length] > 0:
            for rest, probability in block_paths(n_trials - length, pmf):
                yield (length, *rest), pmf[length] * probability


def brute_force(side, log_likelihood, pmf, p_block):
    """(prior (R,), block (R,)) of the exact filter, summing over every block path."""
    n_trials = len(side)
    likelihood = np.exp(log_likelihood)  # [L_left, L_right] of each trial
    likelihood[side == -1] = 1, 0
    likelihood[side == +1] = 0, 1
    total = np.zeros(n_trials)
    right_block = np.zeros(n_trials)
    for lengths, probability in block_paths(n_trials, pmf):
        for first_side in (-1, +1):
            alternating = first_side * (-1) ** np.arange(len(lengths))
            weight = 0.5 * probability  # of the path and of the data before the trial
            for n, b in enumerate(np.repeat(alternating, lengths)):
                total[n] += weight
                right_block[n] += weight * (b == +1)
                p_left = p_block if b == -1 else 1 - p_block
                weight *= p_left * likelihood[n, 0] + (1 - p_left) * likelihood[n, 1]
    block = right_block / total
    return p_block * block + (1 - p_block) * (1 - block), block
