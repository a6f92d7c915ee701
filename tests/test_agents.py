"""The agents by name: those that are known, and a user's own."""

import matplotlib
import matplotlib.figure
import pandas as pd
import pytest

import hrnn
from hrnn import agents, figures, plot

MODELS = ("flat", "semi_markov", "action_kernel")


def test_every_agent_has_its_name_and_those_that_act_alone_are_made():
    for name, agent in agents.AGENTS.items():
        assert agent.name == name and agents.look(name) == agent.look
    sessions = hrnn.Task().sample(n_sessions=1, rng=0)
    for name, make in agents.BASELINES.items():
        assert hrnn.rollout(make(), sessions).choice.shape == (sessions.n_trials,), name


def test_optimal_policies_say_what_they_maximise():
    assert agents.POLICIES == {
        "optimal_per_trial": "reward_per_trial",
        "optimal_per_step": "reward_per_step",
    }
    assert all(agents.BASELINES[name]().criterion == of for name, of in agents.POLICIES.items())


def test_a_group_holds_known_agents_only():
    with pytest.raises(KeyError, match="'somebody' is not in hrnn.agents.AGENTS"):
        agents._known("network", "somebody")


def test_own_agents_have_looks_that_nobody_else_has():
    names = [f"own agent {i}" for i in range(40)]
    looks = [agents.look(name) for name in names]
    assert looks == [agents.look(name) for name in names]
    assert [look.label for look in looks] == names
    assert len({look[:2] for look in looks}) == len(looks)
    for known in agents.AGENTS.values():
        assert all(known.colour != look.colour and known.marker != look.marker for look in looks)


def test_looks_are_given_in_the_order_of_asking():
    first, second, third = (next(free) for free in [agents._free()] * 3)
    assert first == (agents.OWN_COLOURS[0], agents.OWN_MARKERS[0])
    assert len({first, second, third}) == 3
    assert len({colour for colour, _ in (first, second, third)}) == 3


def beside(*names):
    """Mice, played by the exact actor, beside agents of these names."""
    task = hrnn.Task()
    runs = [
        hrnn.rollout(hrnn.BayesianActor(), task.sample(n_sessions=4, rng=i))
        for i in range(2 + len(names))
    ]
    mice = pd.concat(
        [run.trials.assign(subject=name) for run, name in zip(runs[:2], "ab", strict=True)]
    )
    own = dict(zip(names, runs[2:], strict=True))
    return hrnn.mice.Beside(mice, own, n_starts=1, n_pseudo=10, models=MODELS)


def labels(figure):
    return {
        label.get_text()
        for ax in figure.findobj(matplotlib.axes.Axes)
        for label in (ax.title, *ax.get_yticklabels())
    }


@pytest.mark.parametrize("names", [("my agent",), ("my agent", "another of mine")])
def test_own_agents_are_drawn_beside_mice(names):
    figure, source = figures.draw("10", figures.OneNetwork(beside=beside(*names)))
    assert set(names) <= labels(figure) and set(names) <= set(source.agent)
    drawn = {
        (line.get_color(), line.get_marker()) for line in figure.findobj(matplotlib.lines.Line2D)
    }
    looks = {agents.look(name)[:2] for name in names}
    assert len(looks) == len(names) and looks <= drawn


def test_own_agents_are_drawn_as_dots():
    table = pd.DataFrame(
        {"agent": ["network", "my agent"], "value": [0.5, 0.6], "low": 0.4, "high": 0.7}
    )
    ax = plot.dots(table, agents.look, ax=matplotlib.figure.Figure().subplots())
    assert [label.get_text() for label in ax.get_yticklabels()] == ["RNN", "my agent"]
