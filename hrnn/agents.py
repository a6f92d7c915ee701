"""Every agent by name: how it is made, and how it looks in every figure.

A study, its report and the figures read their agents from here. A name that is not in `AGENTS`, as
that of a user's own agent, is given the next free look.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

from hrnn.base.arguments import instance
from hrnn.inference import BayesianActor
from hrnn.plot import BLUE, GREEN, INK, ORANGE, PURPLE, SKY_BLUE, VERMILION
from hrnn.policy import OptimalPolicy

Criterion = Literal["reward_per_trial", "reward_per_step"]


class Look(NamedTuple):
    """How an agent is drawn.

    Attributes
    ----------
    colour : str
        As '#RRGGBB'.
    marker : str
        As matplotlib's; for readers who see no colours.
    label : str
        Short, for axes; it may hold a line break.
    """

    colour: str
    marker: str
    label: str


@dataclass(frozen=True)
class Agent:
    """One agent that figures and reports name.

    Attributes
    ----------
    name : str
        The key of its rows in reports and in source data.
    colour : str
        As '#RRGGBB': of Okabe & Ito where it acts in the task by itself.
    marker : str
        As matplotlib's.
    label : str
        Short, for axes; it may hold a line break.
    make : callable() -> BayesianActor or OptimalPolicy, optional
        Makes the agent; None for networks, mice and students, which are trained or read.
    criterion : {'reward_per_trial', 'reward_per_step'}, optional
        What an optimal policy maximises.
    """

    name: str
    colour: str
    marker: str
    label: str
    make: Callable[[], BayesianActor | OptimalPolicy] | None = None
    criterion: Criterion | None = None

    @property
    def look(self) -> Look:
        """Colour, marker and label."""
        return Look(self.colour, self.marker, self.label)


def _bayes(name: str, colour: str, marker: str, label: str) -> Agent:
    """The exact or approximate Bayesian actor whose block model has this name."""
    make = functools.partial(BayesianActor, cast("Any", name))
    return Agent(name, colour, marker, label, make)


def _optimal(name: str, colour: str, marker: str, label: str, criterion: Criterion) -> Agent:
    """The optimal policy for a criterion."""
    make = functools.partial(OptimalPolicy, criterion)
    return Agent(name, colour, marker, label, make, criterion)


AGENTS: dict[str, Agent] = {
    agent.name: agent
    for agent in (
        Agent("network", VERMILION, "o", "RNN"),
        _bayes("semi_markov", BLUE, "s", "Bayes,\nsemi-Markov"),
        _bayes("markov", SKY_BLUE, "D", "Bayes,\nMarkov"),
        _bayes("none", "#999999", "v", "Bayes,\nno blocks"),
        _bayes("oracle", INK, "^", "Bayes,\nblock known"),
        _bayes("exponential", PURPLE, "P", "exponential\nprior"),
        _bayes("published_actor", ORANGE, "X", "published\nactor"),
        _optimal("optimal_per_trial", GREEN, "*", "optimal\nper trial", "reward_per_trial"),
        _optimal("optimal_per_step", GREEN, "p", "optimal\nper step", "reward_per_step"),
        Agent("mice", "#7A4B12", "h", "mice"),
        Agent("radd", "#882255", "d", "RADD"),
        # watches another agent's trials with the beliefs of 'semi_markov', and looks like it
        Agent("observer", BLUE, "s", "Bayesian observer"),
    )
}
BASELINES: dict[str, Callable[[], BayesianActor | OptimalPolicy]] = {
    agent.name: agent.make for agent in AGENTS.values() if agent.make is not None
}
POLICIES: dict[str, Criterion] = {
    agent.name: agent.criterion for agent in AGENTS.values() if agent.criterion is not None
}


def _known(*names: str) -> tuple[str, ...]:
    """The names themselves; KeyError if one is not in AGENTS."""
    for name in names:
        if name not in AGENTS:
            raise KeyError(f"{name!r} is not in hrnn.agents.AGENTS")
    return names


# Two-unit students of a network and what is drawn beside them: labels.
STUDENTS: dict[str, str] = {
    "teacher": "teacher",
    "projection": "projection z",
    "radd": "RADD",
    "from_scratch": "from scratch",
    "soft_targets": "soft targets",
    "hidden_states": "hidden states",
    "sampled_choices": "sampled choices",
    "full_force": "full-FORCE",
    "random": "random",
    "bayesian_filter": "Bayesian filter",
    "observer": "observer",
}

# Who is shown where. The player of figure 1 waits for evidence, so that trials differ in length.
PLAYER: str = _known("semi_markov")[0]
AFTER_CHANGE = _known("network", "semi_markov", "published_actor", "optimal_per_trial")
BESIDE_MICE = _known("network", "semi_markov", "exponential", "optimal_per_trial")
SWEPT: dict[str, tuple[str, ...]] = {  # by setting: who acts beside the networks retrained at it
    "threshold": _known("semi_markov", "published_actor"),
    "wait_penalty": _known("semi_markov", *POLICIES),
}
COUPLED = _known("network", "observer")  # whose beliefs are compared within a trial
WITH_ERRORS = _known("network", "semi_markov", "optimal_per_trial")  # split by what made them
WITH_REGRET = _known("network", "semi_markov", "published_actor")  # against the optimal policies
WITH_HISTORY = _known("network", "semi_markov")  # the exact actor is the negative control

# Of agents that are not in AGENTS: after Tol's muted scheme, colours that colour-blind readers tell
# apart, and markers, neither of which a known agent has. Their numbers have no common divisor, so
# that the pairs come back only after all combinations.
OWN_COLOURS: tuple[str, ...] = ("#20207A", "#44AA99", "#AA4499", "#117733", "#CC6677")
OWN_MARKERS: tuple[str, ...] = ("<", ">", "8")
DARKER: float = 0.7  # factor of the colours when all pairs are taken

_own: dict[str, Look] = {}
_asked_by_one = threading.Lock()


def _free() -> Iterator[tuple[str, str]]:
    """Pairs of colour and marker, each once."""
    n_pairs = len(OWN_COLOURS) * len(OWN_MARKERS)
    for k in itertools.count():
        colour = OWN_COLOURS[k % len(OWN_COLOURS)]
        yield _darker(colour, k // n_pairs), OWN_MARKERS[k % len(OWN_MARKERS)]


def _darker(colour: str, times: int) -> str:
    """The colour with its channels multiplied by DARKER some times."""
    channels = bytes.fromhex(colour[1:])
    darker = [round(channel * DARKER**times) for channel in channels]
    return "#" + bytes(darker).hex().upper()


_next_free = _free()


def look(name: str) -> Look:
    """Colour, marker and label of an agent.

    A name that is not in `AGENTS` gets the next free look, with the name for its label, and keeps
    it for as long as Python runs. The looks are given in the order in which names are first asked
    for.

    Parameters
    ----------
    name : str
        Of any agent.

    Returns
    -------
    Look

    Examples
    --------
    >>> look("network")
    Look(colour='#D55E00', marker='o', label='RNN')
    >>> look("my agent").label, look("my agent") == look("my agent")
    ('my agent', True)
    """
    instance(name, "name", str)
    if name in AGENTS:
        return AGENTS[name].look
    with _asked_by_one:
        if name not in _own:
            _own[name] = Look(*next(_next_free), name)
        return _own[name]
