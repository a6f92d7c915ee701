"""Bayesian actors, passive observers and the optimal value of a trial, in slow NumPy.

A task is any object with the fields of `hrnn.Task`, sessions any with those of
`hrnn.Sessions`.
"""

import numpy as np
from reference_inference import (
    Blockless,
    Exponential,
    Markov,
    Oracle,
    PublishedActor,
    PublishedObserver,
    SemiMarkov,
    block_length_pmf,
    block_likelihood,
    log_evidence,
    posterior,
    reweigh,
)


def new_filter(task, block_side, block_model, hazard, learning_rate):
    """The filter that a session with the given block sides starts with."""
    if block_model == "semi_markov":
        law = (task.block_law, task.block_hazard, task.block_min, task.block_max)
        return SemiMarkov(block_length_pmf(*law), task.p_block, task.n_unbiased)
    if block_model == "markov":
        return Markov(hazard, task.p_block, task.n_unbiased)
    if block_model == "none":
        return Blockless()
    if block_model == "oracle":
        return Oracle(block_side, task.p_block)
    if block_model == "exponential":
        return Exponential(learning_rate)
    if block_model == "published_actor":
        return PublishedActor(task.p_block)
    if block_model == "published_observer":
        return PublishedObserver(task.p_block)
    raise ValueError(f"unknown block_model {block_model!r}")


def trial_evidence(task, observations, evidence):
    """(2, n): log-likelihood of left and right after each of n observations (n, 2)."""
    sum_left, sum_right = np.cumsum(observations, axis=0).T
    n = np.arange(1, len(observations) + 1)
    world = (task.strengths, task.strength_weights, task.noise_sd)
    return np.array(log_evidence(sum_left, sum_right, n, *world, evidence))


def published_posteriors(task, observations, prior):
    """(n,): p <- p M+(d) / (p M+(d) + (1 - p) M-(d)), strength drawn anew each time."""
    p_right = []
    p = prior
    for observation in observations:
        log_l = trial_evidence(task, observation[None], "difference")
        p = posterior(p, *log_l[:, 0])
        p_right.append(p)
    return np.array(p_right)


def act(task, p_right, side):
    """(choice, n_obs, reward) of a trial from the belief after each observation."""
    reward = 0.0
    for n_obs, p in enumerate(p_right, start=1):
        if max(p, 1 - p) > task.threshold:
            choice = +1 if p > 0.5 else -1
            return choice, n_obs, reward + (1 if choice == side else -1)
        if n_obs < task.n_obs_max:
            reward += task.wait_penalty
    return 0, task.n_obs_max, reward - 1


def actor(task_like, sessions, block_model, evidence, hazard=0.02, learning_rate=0.1):
    """Bayesian actor in closed loop (hazard: of markov, learning_rate: of exponential).

    published_actor takes neither these nor `evidence`, nor knows of unbiased trials.
    Returns choice, n_obs, reward and prior, each (R,), and p_right (T,): the prior on
    blank steps, P(s = +1 | past, o_1..t) on the others.
    """
    task = task_like
    out = {"choice": [], "n_obs": [], "reward": [], "prior": [], "p_right": []}
    for first, last in zip(sessions.offsets[:-1], sessions.offsets[1:], strict=True):
        block_side = sessions.block_side[first:last]
        belief = new_filter(task, block_side, block_model, hazard, learning_rate)
        for trial in range(first, last):
            observations = sessions.observations[trial]
            side = sessions.side[trial]
            prior = belief.prior
            log_l = trial_evidence(task, observations, evidence)
            if block_model == "published_actor":
                p = published_posteriors(task, observations, prior)
            else:
                p = posterior(prior, *log_l)
            choice, n_obs, reward = act(task, p, side)
            out["choice"].append(choice)
            out["n_obs"].append(n_obs)
            out["reward"].append(reward)
            out["prior"].append(prior)
            out["p_right"] += [prior] * task.n_blank + list(p[:n_obs])
            known_side = side if choice else 0
            if block_model == "published_actor" and choice == 0:
                known_side = -1 if p[-1] > 0.5 else +1  # the opposite of argmax p
            belief.update(known_side, log_l[:, n_obs - 1])
    return {name: np.array(values) for name, values in out.items()}


def observer(task_like, sessions, choice, n_obs, block_model, evidence):
    """A passive observer of the given choices (R,) and numbers of observations (R,).

    markov has hazard 1/50, exponential learning rate 0.1. Returns prior and block, each
    (R,), and per step p_right (T,) = P(s = +1 | past, o_1..t) and p_block (T,) =
    P(b = +1 | past, o_1..t), on blank steps the priors. Where a side tells nothing
    about the block (unbiased trials, `none`) P(s | b) is 1/2: p_block does not move.
    """
    task = task_like
    out = {"prior": [], "block": [], "p_right": [], "p_block": []}
    for first, last in zip(sessions.offsets[:-1], sessions.offsets[1:], strict=True):
        block_side = sessions.block_side[first:last]
        belief = new_filter(task, block_side, block_model, 0.02, 0.1)
        for trial in range(first, last):
            prior = belief.prior
            block = belief.block
            seen = sessions.observations[trial, : n_obs[trial]]
            log_l = trial_evidence(task, seen, evidence)
            likelihood = block_likelihood(0, log_l, belief.p_agree)
            out["prior"].append(prior)
            out["block"].append(block)
            out["p_right"] += [prior] * task.n_blank + list(posterior(prior, *log_l))
            out["p_block"] += [block] * task.n_blank + list(reweigh(block, likelihood))
            belief.update(sessions.side[trial] if choice[trial] else 0, log_l[:, -1])
    return {name: np.array(values) for name, values in out.items()}


def optimal_value(task_like, prior, rho, n_nodes, evidence="both"):
    """Expected value of one trial with prior pi under optimal stopping, n_obs_max <= 3.

    V = -rho + E[J_1], J_n = max(stop_n, wait_penalty - rho + E[J_{n+1} | o_1..n]) with
    stop_n = 2 max(p, 1-p) - 1, and J_n = stop_n at n = n_obs_max. So: rho is paid for
    each observation, the first included, wait_penalty for each but the first; blank
    steps cost nothing here; `threshold` plays no part.

    The expectations are nested Gauss-Hermite sums (n_nodes per dimension) over each
    observation: (o^L, o^R) for evidence "both", d = o^R - o^L for "difference". They
    are taken under mu = 0, relative to which L_s is the density of o_1..n on side s:
    `value` is J_n times the density of o_1..n, and stop_n becomes
    |pi L_right - (1 - pi) L_left|. Its kink leaves an error that falls slowly:
    compare two n_nodes to know it.
    """
    task = task_like
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    weights = weights / weights.sum()
    if evidence == "both":
        o_left, o_right = (z.ravel() * task.noise_sd for z in np.meshgrid(nodes, nodes))
        weights = np.outer(weights, weights).ravel()
    else:
        o_left = np.zeros(n_nodes)
        o_right = np.sqrt(2) * task.noise_sd * nodes

    world = (task.strengths, task.strength_weights, task.noise_sd)

    def value(n, sum_left, sum_right):
        log_l = log_evidence(sum_left, sum_right, n, *world, evidence)
        left = (1 - prior) * np.exp(log_l[0])
        right = prior * np.exp(log_l[1])
        stop = np.abs(right - left)
        if n == task.n_obs_max:
            return stop
        after = value(n + 1, sum_left[..., None] + o_left, sum_right[..., None] + o_right)
        wait = (task.wait_penalty - rho) * (left + right) + after @ weights
        return np.maximum(stop, wait)

    first = [value(1, left, right) for left, right in zip(o_left, o_right, strict=True)]
    return -rho + np.dot(weights, first)
