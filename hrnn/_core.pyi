from collections.abc import Callable
from typing import Any

from numpy import ndarray

class NumericalError(ArithmeticError):
    step: int

WIDTH: int
LANES_MAX: int
N_HIDDEN_MAX: int
CELLS: tuple[str, ...]
LOSSES: tuple[str, ...]
BLOCK_LAWS: tuple[str, ...]
BLOCK_MODELS: tuple[str, ...]
EVIDENCE: tuple[str, ...]
CHOICE_PRIORS: tuple[str, ...]
TASK_FIELDS: tuple[str, ...]
SESSIONS_FIELDS: tuple[str, ...]
BELIEVER_FIELDS: tuple[str, ...]
CELL_FIELDS: tuple[str, ...]
CHOICE_TRIALS_FIELDS: tuple[str, ...]
CHOICE_DECISION_FIELDS: tuple[str, ...]

# task, sessions, believer, cell, trials and decision are the forms that the Python modules make,
# named tuples whose fields stand in *_FIELDS; grid is what policy_grid returns, policy a tuple of
# it, the largest logit and the tables.
def info() -> dict[str, str]: ...
def kernel_tanh(x: ndarray, out: ndarray) -> None: ...
def kernel_exp(x: ndarray, out: ndarray) -> None: ...
def kernel_log(x: ndarray, out: ndarray) -> None: ...
def kernel_probit(x: ndarray, out: ndarray) -> None: ...
def kernel_normal(x: ndarray, density: ndarray, cumulative: ndarray) -> None: ...
def linalg_gemm(A: ndarray, B: ndarray, C: ndarray) -> None: ...
def rng_normal(bit_generator: Any, out: ndarray) -> None: ...
def task_block_law(task: tuple, pmf: ndarray, hazard: ndarray) -> None: ...
def task_sample_lengths(task: tuple, bit_generator: Any, length: ndarray) -> int: ...
def task_sample_trials(
    task: tuple,
    bit_generator: Any,
    noise_generator: Any,
    block_side: ndarray,
    side: ndarray,
    strength: ndarray,
    observations: ndarray,
) -> None: ...
def task_sample_session(
    task: tuple,
    bit_generator: Any,
    length: ndarray,
    first: int,
    block_side: ndarray,
    side: ndarray,
    strength: ndarray,
    observations: ndarray,
) -> None: ...
def task_observe(task: tuple, sessions: tuple, place: ndarray, x: ndarray) -> None: ...
def task_act(
    task: tuple, sessions: tuple, margin: float, place: ndarray, choice: ndarray, n_obs: ndarray
) -> None: ...
def cell_layout(cell: tuple[int, int, float]) -> tuple[tuple[str, int, tuple[int, ...]], ...]: ...
def optim_sgd(
    rate: float, momentum: float, gradient: ndarray, velocity: ndarray, theta: ndarray
) -> None: ...
def optim_adam(
    rate: float, t: float, gradient: ndarray, mean: ndarray, square: ndarray, theta: ndarray
) -> None: ...
def inference_sizes(task: tuple) -> tuple[int, int]: ...
def inference_evidence(
    task: tuple, believer: tuple, n_obs: ndarray, sums: ndarray, out: ndarray, scratch: ndarray
) -> None: ...
def inference_filter(
    task: tuple,
    believer: tuple,
    first: int,
    last: int,
    session: ndarray,
    block_side: ndarray,
    side: ndarray,
    log_likelihood: ndarray,
    state: ndarray,
    prior: ndarray,
    block: ndarray,
) -> None: ...
def inference_observer(
    task: tuple,
    believer: tuple,
    sessions: tuple,
    first: int,
    last: int,
    choice: ndarray,
    n_obs: ndarray,
    state: ndarray,
    prior: ndarray,
    block: ndarray,
    p_right: ndarray,
    p_block: ndarray,
    scratch: ndarray,
) -> None: ...
def inference_actor(
    own_task: tuple,
    believer: tuple,
    task: tuple,
    sessions: tuple,
    policy: tuple | None,
    first: int,
    last: int,
    state: ndarray,
    choice: ndarray,
    n_obs: ndarray,
    prior: ndarray,
    p_right: ndarray,
    scratch: ndarray,
) -> int: ...
def policy_grid(task: tuple, evidence: int, spacing: float) -> tuple[float, float, int, int]: ...
def policy_scratch(task: tuple, grid: tuple) -> int: ...
def policy_solve(
    task: tuple,
    believer: tuple,
    grid: tuple,
    prior: float,
    rho: float,
    wait: ndarray,
    scratch: ndarray,
    look: Callable[[], object] | None = None,
) -> float: ...
def rollout_scratch(
    task: tuple, cell: tuple[int, int, float], n_lanes: int, n_trials: int
) -> tuple[int, int]: ...
def rollout_forward(
    theta: ndarray,
    cell: tuple[int, int, float],
    task: tuple,
    sessions: tuple,
    end: int,
    place: ndarray,
    h: ndarray,
    p_right: ndarray,
    hidden: ndarray | None,
    choice: ndarray,
    n_obs: ndarray,
    scratch: ndarray,
    look: Callable[[], object] | None = None,
) -> int: ...
def rollout_gradient(
    theta: ndarray,
    cell: tuple[int, int, float],
    task: tuple,
    sessions: tuple,
    offsets: ndarray,
    loss_kind: int,
    scale: float,
    loss: ndarray,
    choice: ndarray,
    n_obs: ndarray,
    gradient: ndarray,
    scratch: ndarray,
    look: Callable[[], object] | None = None,
) -> None: ...
def sequence_scratch(
    cell: tuple[int, int, float], n_steps: int, n_sequences: int
) -> tuple[int, int]: ...
def sequence_forward(
    theta: ndarray,
    cell: tuple[int, int, float],
    x: ndarray,
    margin: ndarray,
    hidden: ndarray | None,
    scratch: ndarray,
) -> None: ...
def sequence_gradient(
    theta: ndarray,
    cell: tuple[int, int, float],
    x: ndarray,
    q: ndarray,
    weight: ndarray,
    temperature: float,
    y: ndarray | None,
    state_weight: ndarray | None,
    gradient: ndarray,
    scratch: ndarray,
) -> float: ...
def sequence_force(
    theta: ndarray,
    cell: tuple[int, int, float],
    x: ndarray,
    starts: ndarray,
    current: ndarray,
    margin: ndarray,
    inverse: ndarray,
    h: ndarray,
    scratch: ndarray,
) -> None: ...
def gru_sizes(n_hidden: int, n_steps: int, n_sequences: int) -> tuple[int, int]: ...
def gru_forward(
    theta: ndarray, n_hidden: int, x: ndarray, margin: ndarray, hidden: ndarray, scratch: ndarray
) -> None: ...
def gru_gradient(
    theta: ndarray,
    n_hidden: int,
    x: ndarray,
    q: ndarray,
    weight: ndarray,
    gradient: ndarray,
    scratch: ndarray,
) -> float: ...
def fixedpoint_scratch(cell: tuple[int, int, float]) -> tuple[int, int]: ...
def fixedpoint_search(
    theta: ndarray,
    cell: tuple[int, int, float],
    x: ndarray,
    max_iterations: int,
    tolerance: float,
    points: ndarray,
    residual: ndarray,
    outcome: ndarray,
    n_iterations: ndarray,
    scratch: ndarray,
    look: Callable[[], object] | None = None,
) -> None: ...
def fixedpoint_iterate(
    theta: ndarray,
    cell: tuple[int, int, float],
    x: ndarray,
    max_steps: int,
    tolerance: float,
    states: ndarray,
    n_steps: ndarray,
    scratch: ndarray,
    look: Callable[[], object] | None = None,
) -> None: ...
def choice_prior(
    model: int, trials: tuple, shift: int, parameters: ndarray, prior: ndarray, dprior: ndarray
) -> None: ...
def choice_scratch() -> int: ...
def choice_likelihood(
    trials: tuple,
    decision: tuple,
    prior: ndarray,
    dprior: ndarray,
    gradient: ndarray,
    outer: ndarray,
    log_p: ndarray | None,
    scratch: ndarray,
) -> float: ...
def choice_p_right(
    trials: tuple, decision: tuple, prior: ndarray, p_right: ndarray, scratch: ndarray
) -> None: ...
