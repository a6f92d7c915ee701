"""The slow, plain NumPy twin of the C core: network, training, Bayesian inference.

Sides and choices are -1 (left), +1 (right), 0 (none or unknown). `arrays` is a network
as a dict W (N, N), U (N, 3), b (N,), V (2, N), c (2,); logits are [left, right].
"""

import numpy as np
from reference_agents import actor, observer, optimal_value
from reference_inference import (
    block_length_pmf,
    brute_force,
    exponential,
    hazard,
    log_evidence,
    markov,
    semi_markov,
)

__all__ = [
    "actor",
    "adam",
    "block_length_pmf",
    "brute_force",
    "exponential",
    "hazard",
    "log_evidence",
    "loss_and_gradient",
    "markov",
    "observer",
    "optimal_value",
    "rollout",
    "semi_markov",
    "sgd",
]


def arrays_of(net):
    """The arrays of a hrnn.Network by name."""
    names = ["W", "U", "b", "V", "c", *(["b_inner"] if hasattr(net, "b_inner") else [])]
    return {name: getattr(net, name) for name in names}


def cell_step(arrays, leak, h, x):
    """h' = (1 - leak) h + leak tanh(W h + U x + b); with b_inner, a gated unit as PyTorch's."""
    W, U, b = (arrays[name] for name in "WUb")
    if "b_inner" not in arrays:
        return (1 - leak) * h + leak * np.tanh(W @ h + U @ x + b)
    n = len(h)
    reset = 1 / (1 + np.exp(-(W[:n] @ h + U[:n] @ x + b[:n])))
    update = 1 / (1 + np.exp(-(W[n : 2 * n] @ h + U[n : 2 * n] @ x + b[n : 2 * n])))
    inner = W[2 * n :] @ h + arrays["b_inner"]
    candidate = np.tanh(U[2 * n :] @ x + b[2 * n :] + reset * inner)
    return (1 - update) * candidate + update * h


def respond(task, p, n_obs, side):
    """(choice, feedback) after observation number n_obs with p = P(right)."""
    if max(p, 1 - p) > task.threshold:
        choice = +1 if p > 0.5 else -1
        return choice, 1.0 if choice == side else -1.0
    return 0, task.wait_penalty if n_obs < task.n_obs_max else -1.0


def rollout(arrays, leak, sessions, task):
    """A network in closed loop.

    Per step: inputs x = (o^L, o^R, r) (T, 3), hidden (T, N) after the input, logits
    (T, 2); p_right, is_blank, trial (row in sessions), session_of_step, each (T,).
    Per trial: choice, n_obs, and reward, the sum of its feedback, each (R,).
    """
    V, c = arrays["V"], arrays["c"]
    steps = []
    n_trials = len(sessions.side)
    choice = np.zeros(n_trials, dtype=int)
    n_obs = np.zeros(n_trials, dtype=int)
    reward = np.zeros(n_trials)
    for session in range(len(sessions.offsets) - 1):
        h = np.zeros(V.shape[1])
        feedback = 0.0
        for trial in range(sessions.offsets[session], sessions.offsets[session + 1]):
            for n in range(1 - task.n_blank, task.n_obs_max + 1):  # n < 1: blank steps
                o = sessions.observations[trial, n - 1] if n > 0 else (0.0, 0.0)
                x = np.array([o[0], o[1], feedback])
                h = cell_step(arrays, leak, h, x)
                logits = V @ h + c
                p = np.exp(-np.logaddexp(0, logits[0] - logits[1]))
                steps.append((x, h, logits, p, n < 1, trial, session))
                feedback = 0.0
                if n > 0:
                    choice[trial], feedback = respond(task, p, n, sessions.side[trial])
                    n_obs[trial] = n
                    reward[trial] += feedback
                if choice[trial]:
                    break
    names = ["inputs", "hidden", "logits", "p_right", "is_blank", "trial", "session_of_step"]
    columns = (np.array(column) for column in zip(*steps, strict=True))
    out = dict(zip(names, columns, strict=True))
    return out | {"choice": choice, "n_obs": n_obs, "reward": reward}


def step_losses(logits, side, loss):
    """Loss (T,) of each step and its derivative (T, 2) with respect to the logits."""
    log_p = logits - np.logaddexp(logits[:, :1], logits[:, 1:])
    target = np.stack([side == -1, side == +1], axis=1).astype(float)
    log_correct = np.sum(target * log_p, axis=1)
    p = np.exp(log_p)
    p_correct = np.exp(log_correct)
    if loss == "cross_entropy":
        return -log_correct, p - target
    if loss == "nll_of_probability":
        return -p_correct, p_correct[:, None] * (p - target)
    raise ValueError(f"loss must be 'cross_entropy' or 'nll_of_probability', got {loss!r}")


def backward(arrays, leak, inputs, hidden, dlogits):
    """Gradient of one session's loss, a dict like arrays, by BPTT to its first step."""
    W, U, b, V, _ = (arrays[name] for name in "WUbVc")
    grad = {name: np.zeros_like(array) for name, array in arrays.items()}
    dh = np.zeros(len(b))  # from the steps after this one
    for t in reversed(range(len(inputs))):
        before = hidden[t - 1] if t else np.zeros(len(b))
        dh = dh + V.T @ dlogits[t]
        da = leak * dh * (1 - np.tanh(W @ before + U @ inputs[t] + b) ** 2)
        grad["W"] += np.outer(da, before)
        grad["U"] += np.outer(da, inputs[t])
        grad["b"] += da
        grad["V"] += np.outer(dlogits[t], hidden[t])
        grad["c"] += dlogits[t]
        dh = (1 - leak) * dh + W.T @ da
    return grad


def loss_and_gradient(arrays, leak, sessions, task, loss):
    """Loss of each session (S,) and gradient of their mean; feedback is constant.

    A session's loss is the mean over all its steps, of which the blank ones add 0.
    """
    run = rollout(arrays, leak, sessions, task)
    step_loss, dlogits = step_losses(run["logits"], sessions.side[run["trial"]], loss)
    step_loss[run["is_blank"]] = 0
    dlogits[run["is_blank"]] = 0
    n_sessions = len(sessions.offsets) - 1
    losses = np.zeros(n_sessions)
    total = {name: np.zeros_like(array) for name, array in arrays.items()}
    for session in range(n_sessions):
        mine = run["session_of_step"] == session
        losses[session] = step_loss[mine].mean()
        dmean = dlogits[mine] / (mine.sum() * n_sessions)
        grad = backward(arrays, leak, run["inputs"][mine], run["hidden"][mine], dmean)
        total = {name: total[name] + grad[name] for name in total}
    return losses, total


def sgd(theta, velocity, gradient, learning_rate, momentum):
    """(theta, velocity) after v <- momentum v + g, theta <- theta - learning_rate v."""
    velocity = momentum * velocity + gradient
    return theta - learning_rate * velocity, velocity


def adam(theta, m, v, t, gradient, learning_rate):
    """(theta, m, v) after step number t = 1, 2, ...; PyTorch's default constants."""
    beta1 = 0.9
    beta2 = 0.999
    epsilon = 1e-8
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * gradient**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return theta - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon), m, v
