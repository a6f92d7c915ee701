"""Closed loops of networks and of users' agents against the slow twin."""

import sys

import numpy as np
import pytest
import reference

import hrnn

CASES = [
    ("tanh", 1, {}),
    ("tanh", 7, {"n_blank": 0}),
    ("leaky", 50, {"n_blank": 1}),
    ("tanh", 60, {"n_obs_max": 1}),
    ("leaky", 1, {"n_obs_max": 1, "n_blank": 0}),
    ("leaky", 7, {"n_unbiased": 5}),
    ("tanh", 50, {"wait_penalty": -0.5}),
    ("leaky", 60, {"noise_sd": 2.0, "n_obs_max": 3}),
    ("gru", 1, {"n_blank": 0}),
    ("gru", 7, {}),
    ("gru", 50, {"n_obs_max": 4}),
    ("gru", 61, {"n_unbiased": 5, "noise_sd": 2.0}),
]


@pytest.mark.parametrize("cell, n_hidden, changes", CASES)
def test_rollout_equals_its_twin(cell, n_hidden, changes):
    task = hrnn.Task(n_blocks=2, threshold=0.55, **changes)
    sessions = task.sample(n_sessions=3, rng=1)
    net = hrnn.Network.init(cell, n_hidden=n_hidden, rng=2)
    net = net.with_arrays(W=1.5 * net.W, U=1.5 * net.U, V=4 * net.V)
    run = hrnn.rollout(net, sessions)
    twin = reference.rollout(reference.arrays_of(net), net.leak, sessions, task)
    np.testing.assert_array_equal(run.choice, twin["choice"])
    np.testing.assert_array_equal(run.n_obs, twin["n_obs"])
    np.testing.assert_array_equal(run.trial, twin["trial"])
    np.testing.assert_array_equal(run.inputs, twin["inputs"])
    np.testing.assert_allclose(run.hidden, twin["hidden"], atol=1e-12)
    np.testing.assert_allclose(run.p_right, twin["p_right"], atol=1e-12)
    np.testing.assert_allclose(run.trials.reward, twin["reward"], atol=1e-12)
    np.testing.assert_array_equal(run.steps.is_blank, twin["is_blank"])
    np.testing.assert_array_equal(run.steps.session, twin["session_of_step"])
    assert len(set(run.choice)) > 1


@pytest.mark.parametrize("cell", hrnn.network.CELLS)
def test_the_state_restarts_with_each_session_and_only_there(cell):
    task = hrnn.Task(n_blocks=1)
    net = hrnn.Network.init(cell, n_hidden=9, rng=0)
    run = hrnn.rollout(net, task.sample(n_sessions=3, rng=0))
    before = np.vstack([np.zeros((1, 9)), run.hidden[:-1]])
    before[np.searchsorted(run.trial, run.sessions.offsets[:-1])] = 0
    new = net.step(before, run.inputs)
    np.testing.assert_allclose(run.hidden, new, atol=1e-14)
    logits = run.hidden @ net.V.T + net.c
    np.testing.assert_allclose(
        run.p_right, 1 / (1 + np.exp(logits[:, 0] - logits[:, 1])), atol=1e-14
    )


def test_sessions_are_left_as_they_were():
    sessions = hrnn.Task(n_blocks=1).sample(n_sessions=2, rng=0)
    copies = [array.copy() for array in sessions.form]
    hrnn.rollout(hrnn.Network.init("tanh", n_hidden=3, rng=0), sessions)
    for array, copy in zip(sessions.form, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.fixture(scope="module")
def run():
    net = hrnn.Network.init("tanh", n_hidden=20, rng=0)
    trained = hrnn.train(net, hrnn.Task(), recipe="fast", n_steps=60, progress=False, rng=0).network
    return hrnn.rollout(trained, hrnn.Task().sample(n_sessions=6, rng=5))


def test_trial_table(run):
    trials = run.trials
    assert (trials.correct == (trials.choice == trials.side)).all()
    assert (trials.timeout == (trials.choice == 0)).all()
    assert trials.n_steps.sum() == len(run.steps) == len(run.p_right)
    assert (trials.p_left == np.where(trials.block_side > 0, 0.2, 0.8)).all()
    ends = run.steps.groupby(["session", "trial"]).p_right.last().to_numpy()
    np.testing.assert_array_equal(trials.p_right, ends)
    confident = np.maximum(ends, 1 - ends) > 0.9
    assert (confident == ~trials.timeout).all()
    assert trials.trial.iloc[0] == 0 and trials.trial.max() < 400
    sessions = run.sessions
    for name in ("session", "block", "trial_in_block", "block_side", "side", "strength"):
        np.testing.assert_array_equal(trials[name], getattr(sessions, name))
    np.testing.assert_array_equal(trials.signed_strength, sessions.side * sessions.strength)
    np.testing.assert_array_equal(trials.concordant, sessions.side == sessions.block_side)
    np.testing.assert_array_equal(trials.n_steps, trials.n_obs + 2)
    assert (trials.groupby("session").trial.diff().dropna() == 1).all()
    assert [trials[name].dtype for name in ("concordant", "correct", "timeout")] == [bool] * 3
    assert (
        not trials.correct[trials.timeout].any()
        and trials.timeout.any()
        and (trials.n_obs[trials.timeout] == 10).all()
    )
    feedback = np.where(trials.correct, 1, -1)
    np.testing.assert_allclose(trials.reward, feedback - 0.05 * (trials.n_obs - 1))
    assert trials.columns.tolist() == [
        "session",
        "block",
        "trial",
        "trial_in_block",
        "p_left",
        "block_side",
        "side",
        "strength",
        "signed_strength",
        "concordant",
        "choice",
        "correct",
        "timeout",
        "n_obs",
        "n_steps",
        "reward",
        "p_right",
    ]


def test_step_table(run):
    steps = run.steps
    sessions = run.sessions
    assert steps.columns.tolist() == [
        "session",
        "trial",
        "t",
        "is_blank",
        "obs_left",
        "obs_right",
        "feedback",
        "p_right",
    ]
    np.testing.assert_array_equal(steps[["obs_left", "obs_right", "feedback"]], run.inputs)
    assert (steps.is_blank == (steps.t < 2)).all() and steps.is_blank.dtype == bool
    assert (steps.loc[steps.is_blank, ["obs_left", "obs_right"]] == 0).all(axis=None)
    row = sessions.offsets[steps.session] + steps.trial
    np.testing.assert_array_equal(row, run.trial)
    seen = steps[~steps.is_blank]
    np.testing.assert_array_equal(
        seen[["obs_left", "obs_right"]], sessions.observations[row[~steps.is_blank], seen.t - 2]
    )
    ended = np.where(run.trials.correct, 1, -1)
    first = (steps.t == 0) & (steps.trial > 0)
    np.testing.assert_array_equal(steps.feedback[first], ended[run.trial[first] - 1])
    assert (steps.feedback[(steps.t == 0) & (steps.trial == 0)] == 0).all()
    assert (steps.feedback[(steps.t == 1) | (steps.t == 2)] == 0).all() and (
        steps.feedback[steps.t > 2] == -0.05
    ).all()


def test_unbiased_trials_have_no_concordance():
    sessions = hrnn.Task.preset("ibl").sample(n_sessions=1, rng=0)
    trials = hrnn.rollout(hrnn.BayesianActor("none"), sessions).trials
    assert trials.concordant[:90].isna().all() and trials.concordant[90:].notna().all()
    assert (trials.p_left[:90] == 0.5).all()


def test_many_calls_equal_one(run, monkeypatch):
    assert len(run.p_right) > 2500  # 1000 steps a call are the fewest
    monkeypatch.setattr(sys.modules["hrnn.rollout"], "STEPS_PER_CALL", 1)
    again = hrnn.rollout(run.agent, run.sessions)
    np.testing.assert_array_equal(run.hidden, again.hidden)
    np.testing.assert_array_equal(run.p_right, again.p_right)


def test_states_can_be_left_out(run):
    short = hrnn.rollout(run.agent, run.sessions, hidden=False)
    assert short.hidden is None
    np.testing.assert_array_equal(short.p_right, run.p_right)


class Wrapped:
    """A user's agent that happens to be a network."""

    def __init__(self, net):
        self.net = net

    def start(self, task):
        self.h = np.zeros(self.net.n_hidden)

    def step(self, x):
        new = np.tanh(self.net.W @ self.h + self.net.U @ x + self.net.b)
        self.h = (1 - self.net.leak) * self.h + self.net.leak * new
        left, right = self.net.V @ self.h + self.net.c
        return 1 / (1 + np.exp(left - right))


def test_python_agent_equals_the_network_it_wraps(run):
    again = hrnn.rollout(Wrapped(run.agent), run.sessions)
    np.testing.assert_array_equal(again.choice, run.choice)
    np.testing.assert_allclose(again.p_right, run.p_right, atol=1e-12)


def test_python_agent_equals_a_leaky_network_without_blanks():
    sessions = hrnn.Task(threshold=0.55, n_blank=0, n_unbiased=3, n_blocks=1).sample(
        n_sessions=3, rng=0
    )
    net = hrnn.Network.init("leaky", n_hidden=5, rng=1)
    net = hrnn.Network.from_arrays("leaky", W=net.W, U=3 * net.U, b=net.b, V=3 * net.V, c=net.c)
    own = hrnn.rollout(net, sessions)
    wrapped = hrnn.rollout(Wrapped(net), sessions)
    np.testing.assert_array_equal(own.choice, wrapped.choice)
    np.testing.assert_array_equal(own.inputs, wrapped.inputs)
    assert wrapped.hidden is None and set(own.choice) >= {-1, 1}


class Constant:
    """An agent that always gives the same P(right)."""

    def __init__(self, p):
        self.p = p

    def start(self, task):
        pass

    def step(self, x):
        return self.p


@pytest.mark.parametrize(
    "p, choice",
    [
        (0, -1),
        (1, 1),
        (0.5, 0),
        (0.9 + 1e-12, 1),
        (0.1 - 1e-12, -1),
        (0.9 - 1e-12, 0),
        (0.1 + 1e-12, 0),
    ],
)
def test_an_agent_acts_beyond_the_threshold(p, choice):
    sessions = hrnn.Task(n_blocks=1).sample(n_sessions=2, rng=0)
    run = hrnn.rollout(Constant(p), sessions)
    assert set(run.choice) == {choice} and set(run.n_obs) == {1 if choice else 10}
    assert len(run.p_right) == run.trials.n_steps.sum() and (run.p_right == p).all()


def test_an_agent_waits_at_the_threshold():
    for threshold in (0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99):
        sessions = hrnn.Task(n_blocks=1, block_max=20, threshold=threshold).sample(
            n_sessions=1, rng=0
        )
        for p in (threshold, 1 - threshold):
            assert (hrnn.rollout(Constant(p), sessions).choice == 0).all(), (threshold, p)


@pytest.mark.parametrize("p", [np.nan, -1e-9, 1 + 1e-9, np.inf])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match="agent.step must return a probability, got"):
        hrnn.rollout(Constant(p), hrnn.Task(n_blocks=1).sample(n_sessions=1, rng=0))


def test_a_network_that_overflows_is_an_error():
    net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    with pytest.raises(hrnn.NumericalError):
        hrnn.rollout(
            net.with_theta(np.full(len(net.theta), 1e308)),
            hrnn.Task(n_blocks=1).sample(n_sessions=1, rng=0),
        )


@pytest.mark.parametrize("agent", [None, 3, "semi_markov", hrnn.Network])
def test_what_is_no_agent_is_refused(run, agent):
    with pytest.raises(TypeError, match="agent"):
        hrnn.rollout(agent, run.sessions)


def test_bad_sessions_and_bad_probability(run):
    with pytest.raises(TypeError, match="sessions"):
        hrnn.rollout(run.agent, run.trials)
    agent = Wrapped(run.agent)
    agent.step = lambda x: 1.5
    with pytest.raises(ValueError, match="probability"):
        hrnn.rollout(agent, run.sessions)


FORWARD = [
    "theta",
    "cell",
    "task",
    "sessions",
    "end",
    "place",
    "h",
    "p_right",
    "hidden",
    "choice",
    "n_obs",
    "scratch",
]


def forward(**changes):
    """One call of the core's rollout with some arguments changed."""
    task = hrnn.Task(n_blocks=1)
    n = 4
    sessions = task.sample(n_sessions=1, rng=0)
    r = sessions.n_trials
    good = [
        hrnn.Network.init("tanh", n_hidden=n, rng=0).theta,
        (0, n, 1.0),
        task.form,
        sessions.form,
        r,
        np.zeros(3),
        np.zeros(n),
        np.empty(50),
        np.empty((50, n)),
        np.empty(r, np.int8),
        np.empty(r, np.int64),
        np.empty(hrnn._core.rollout_scratch(task.form, (0, n, 1.0), 1, 1)[0]),
    ]
    arguments = dict(zip(FORWARD, good, strict=True))
    for name, change in changes.items():
        arguments[name] = change(arguments[name])
    return hrnn._core.rollout_forward(*arguments.values())


@pytest.mark.parametrize(
    "name", ["theta", "place", "h", "p_right", "hidden", "choice", "n_obs", "scratch"]
)
@pytest.mark.parametrize(
    "spoil, error",
    [
        (lambda a: a.astype(np.float32), TypeError),
        (lambda a: a.tolist(), TypeError),
        (lambda a: np.ma.array(a), TypeError),
        (lambda a: a[None], ValueError),
        (lambda a: np.repeat(a, 2, axis=0)[::2], ValueError),
        (lambda a: 0, TypeError),
    ],
)
def test_the_core_refuses_wrong_arrays(name, spoil, error):
    assert forward() == 50
    with pytest.raises(error, match=f"^{name}"):
        forward(**{name: spoil})


@pytest.mark.parametrize("name", ["theta", "place", "h", "hidden", "choice", "n_obs", "scratch"])
def test_the_core_refuses_wrong_lengths(name):
    with pytest.raises(ValueError, match=rf"^{name}.shape\[0\] must be"):
        forward(**{name: lambda a: a[:-1]})


def frozen(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("name", ["place", "h", "p_right", "hidden", "choice", "n_obs", "scratch"])
def test_the_core_refuses_read_only_outputs(name):
    with pytest.raises(ValueError, match=f"^{name} must be writeable"):
        forward(**{name: frozen})


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"cell": lambda c: (0, 0, 1.0)}, "n_hidden"),
        ({"cell": lambda c: (0, 5, 1.0)}, "theta"),
        ({"cell": lambda c: (3, 4, 1.0)}, "kind"),
        ({"cell": lambda c: (-1, 4, 1.0)}, "kind"),
        ({"cell": list}, "cell must be a tuple"),
        ({"cell": lambda c: (1, 4, 0.0)}, "leak"),
        ({"cell": lambda c: (1, 4, np.nan)}, "leak"),
        ({"end": lambda r: r + 1}, "end"),
        ({"end": lambda r: -1}, "end"),
        ({"place": lambda a: a - 1}, "place"),
        ({"place": lambda a: np.array([1e9, 0, 0])}, "place"),
        ({"place": lambda a: np.array([0, 12.0, 0])}, "place"),
        ({"place": lambda a: np.full(3, np.nan)}, "place"),
        ({"sessions": lambda s: s[:3]}, "exactly 4"),
        ({"sessions": lambda s: (*s[:3], s[3][:-1])}, r"observations.shape\[0\]"),
        ({"sessions": lambda s: (*s[:3], s[3][:, :5].copy())}, r"observations.shape\[1\]"),
        ({"sessions": list}, "sessions must be a tuple"),
        ({"sessions": lambda s: (s[0].astype(np.int32), *s[1:])}, "session must have dtype int64"),
        ({"task": list}, "task must be a tuple"),
        ({"task": lambda t: (t[0], t[1][:-1], *t[2:])}, "strength_weights"),
    ],
)
def test_the_core_refuses_wrong_sizes(changes, message):
    with pytest.raises((TypeError, ValueError), match=message):
        forward(**changes)


def test_the_core_refuses_overlap():
    one = np.zeros(54)
    with pytest.raises(ValueError, match="p_right must not overlap h"):
        forward(h=lambda a: one[:4], p_right=lambda a: one[3:53])


def test_joined_rollouts_are_one_after_the_other():
    net = hrnn.Network.init("tanh", n_hidden=5, rng=0)
    task = hrnn.Task(n_blocks=1)
    runs = [hrnn.rollout(net, task.sample(n_sessions=n, rng=n)) for n in (1, 3)]
    joined = hrnn.rollout(net, task.sample(n_sessions=1, rng=1)).join(runs)
    again = hrnn.rollout(net, joined.sessions)
    for name in ("choice", "n_obs", "p_right", "hidden"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(again, name))
    assert joined.trials.session.tolist() == [
        *runs[0].trials.session,
        *(runs[1].trials.session + 1),
    ]
    columns = [c for c in joined.trials if c != "session"]
    for column in columns:
        assert joined.trials[column].tolist() == [*runs[0].trials[column], *runs[1].trials[column]]
    with pytest.raises(ValueError, match="runs must be of one agent"):
        joined.join([runs[0], hrnn.rollout(hrnn.BayesianActor(), runs[0].sessions)])
    with pytest.raises(TypeError, match="runs must be"):
        joined.join([])


def test_a_rollout_says_of_every_step_where_it_stands():
    """By a loop over trials, written out."""
    run = hrnn.rollout(
        hrnn.BayesianActor("none"), hrnn.Task(n_blocks=1).sample(n_sessions=3, rng=0)
    )
    s = run.sessions
    n_blank = run.sessions.task.n_blank
    session = []
    observed = []
    starts = []
    told = []
    for trial in range(s.n_trials):
        begins = trial in s.offsets[:-1]
        (starts if begins else told).append(len(session))
        session += [s.session[trial]] * (n_blank + run.n_obs[trial])
        observed += [False] * n_blank + [True] * run.n_obs[trial]
    for found, wanted in (
        (run.session, session),
        (run.observed, observed),
        (run.session_starts, starts),
        (run.told, told),
    ):
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(run.evidence, run.inputs[:, 1] - run.inputs[:, 0])
    assert (run.inputs[run.told, 2] != 0).all() and (run.inputs[run.session_starts, 2] == 0).all()
