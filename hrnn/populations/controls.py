"""Controls: what every claim about trained networks is tried on, and some of which must fail it.

They are untrained networks, shuffled ones, and the exact observer.

A criterion that an untrained network meets tells nothing about learning; one that the exact
observer fails tells nothing about how near a network is to it; and one that all three meet cannot
fail.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hrnn.base import parallel, streams
from hrnn.base.arguments import flag, instance, numbers, one_of, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.base.streams import seed_of, stream
from hrnn.distill.baselines import student
from hrnn.distill.bayes import beliefs
from hrnn.distill.distillation import entries
from hrnn.distill.reduction import radd, with_gain
from hrnn.inference import BayesianActor, observe
from hrnn.network import Network, check_network
from hrnn.populations import member
from hrnn.populations.claims import CLAIMS
from hrnn.populations.ensemble import Population
from hrnn.rollout import Rollout, rollout
from hrnn.statistics.resampling import Estimate
from hrnn.task import Sessions, Task

if TYPE_CHECKING:
    import pandas as pd

    from hrnn.base.typing import RNGLike

Kind = Literal["untrained", "shuffled", "observer"]
CONTROLS: dict[Kind, str] = {
    "untrained": "networks before training",
    "shuffled": "trained networks with their recurrent weights permuted at random",
    "observer": "the exact Bayesian actor and observer, its beliefs taken for states",
}
N_EACH: int = 3
N_BLOCKS: int = 400
OFFSET: int = 1_000_000  # of the indices of controls, which have sessions that no network has
PARTS: tuple[str, ...] = ("representation", "integration", "mechanism")


def shuffled(net: Network, *, rng: RNGLike | None = None) -> Network:
    """The network with its recurrent weights permuted: their distribution without their structure.

    Parameters
    ----------
    net : Network
        Whose weights they are.
    rng : int, SeedSequence, Generator or None
        For the permutation; None means a fresh one at every call.

    Returns
    -------
    Network
        `metadata["shuffled"]` says what the permutation was drawn of.

    Examples
    --------
    >>> net = Network.init("tanh", n_hidden=4, rng=0)
    >>> bool(np.allclose(np.sort(shuffled(net, rng=0).W, axis=None), np.sort(net.W, axis=None)))
    True
    """
    check_network(net)
    draw, seed = streams.recorded(rng)
    W = draw.permutation(net.W.ravel()).reshape(net.W.shape)
    record: Any = net.metadata | {"shuffled": streams.seed_to_json(seed)}
    return net.with_arrays(W=W, metadata=record)


# Of states (½ log odds of right, ½ log odds of a right block): P(right) is the posterior
READOUT: Network = Network.from_arrays(
    "tanh",
    W=np.zeros((2, 2)),
    U=np.zeros((2, 3)),
    b=np.zeros(2),
    V=[[-1.0, 0.0], [1.0, 0.0]],
    c=np.zeros(2),
)


def observer(sessions: Sessions, *, hidden: bool = True) -> Rollout:
    """The exact actor in these sessions, its beliefs taken for the states of a network.

    Parameters
    ----------
    sessions : Sessions
        In which it acts.
    hidden : bool
        Keep the states: the beliefs of the exact observer of its own trials.

    Returns
    -------
    Rollout
        Whose agent is READOUT.

    Examples
    --------
    >>> run = observer(Task().sample(n_sessions=2, rng=0))
    >>> run.hidden.shape == (len(run.p_right), 2)
    True
    """
    flag(hidden, "hidden")
    run = rollout(BayesianActor("semi_markov"), sessions, progress=False)
    states = np.ascontiguousarray(beliefs(observe(run))) if hidden else None
    return dataclasses.replace(run, agent=READOUT, hidden=states)


def measures(
    kind: Kind, found: member.Member, *, index: int = 0, n_blocks: int = N_BLOCKS
) -> dict[str, float]:
    """Measures of one control, as those of a network of a population.

    Parameters
    ----------
    kind : {'untrained', 'shuffled', 'observer'}
        Which control.
    found : Member
        A trained network, with its settings.
    index : int
        Of the control: it has sessions of its own.
    n_blocks : int
        In which it is measured.

    Returns
    -------
    dict of str to float
    """
    one_of(kind, "kind", tuple(CONTROLS))
    instance(found, "found", member.Member)
    own = OFFSET * (1 + tuple(CONTROLS).index(kind)) + whole_number(index, "index", 0)
    settings = found.settings | {
        "index": own,
        "n_blocks": whole_number(n_blocks, "n_blocks"),
        "parts": list(PARTS),
    }
    if kind == "observer":
        settings["parts"] = list(PARTS[:2])
    weights = stream(settings["seed"], "network", found.settings["index"])
    first = Network.init(**settings["network"], rng=weights)
    permutation = stream(settings["seed"], "shuffled", own)
    acts: dict[Kind, member.Act] = {
        "untrained": functools.partial(rollout, first, progress=False),
        "shuffled": functools.partial(
            rollout, shuffled(found.network, rng=permutation), progress=False
        ),
        "observer": observer,
    }
    act = acts[kind]
    task = Task(**settings["task"])
    results = member.Findings()
    member.examine(act, task, settings, results, first)
    taught, compared = (
        member.sessions_of(task, settings["n_blocks"], settings["seed"], own, part)
        for part in ("taught", "compared")
    )
    seed = seed_of(settings["seed"], "control", own)
    distilled = functools.partial(_distilled, act, taught, compared, settings["n_updates"], seed)
    results.group("distillation", distilled)
    return dict(results.measures)


def _distilled(
    act: member.Act, taught: Sessions, compared: Sessions, n_updates: int, seed: int
) -> Mapping[str, float | Estimate]:
    """What the claims about two units need of `distill.Distillation`, with the same names."""
    run = act(taught, hidden=True)
    fitted = radd(run, run.agent, n_resamples=1, rng=stream(seed, "radd"))
    own = stream(seed, "student")
    learnt = student("from_scratch", run, run.agent, fitted, n_updates=n_updates, rng=own)
    scratch = _correct(learnt.network, compared)
    at_gains = {"": fitted.network, "_at_published_gain": with_gain(fitted, fitted.published_gain)}
    found: dict[str, float | Estimate] = {**entries("radd", fitted)}
    right = {suffix: _correct(net, compared) for suffix, net in at_gains.items()}
    found |= {f"radd.correct{suffix}": value for suffix, value in right.items()}
    for suffix, value in right.items():
        found[f"from_scratch.below_radd{suffix}"] = value - scratch
    return found


def _correct(net: Network, sessions: Sessions) -> float:
    """Fraction of trials in which a network takes the right side."""
    return float(
        (rollout(net, sessions, hidden=False, progress=False).choice == sessions.side).mean()
    )


def table(
    population: Population,
    *,
    n_each: int = N_EACH,
    n_blocks: int = N_BLOCKS,
    n_threads: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """All controls of a population.

    Parameters
    ----------
    population : Population
        Of trained networks.
    n_each : int
        Controls of each kind, made of the first networks.
    n_blocks : int
        In which each is measured.
    n_threads : int or None
        Controls at once; None means all cores that this process may use.
    progress : bool
        Show a bar.

    Returns
    -------
    DataFrame
        One row per control and measure: `control, index, measure, value`.
    """
    import pandas as pd

    members = instance(population, "population", Population).members[
        : whole_number(n_each, "n_each")
    ]
    work = {
        (kind, i): functools.partial(measures, kind, found, index=i, n_blocks=n_blocks)
        for kind in CONTROLS
        for i, found in enumerate(members)
    }
    done = parallel.run(work, n_threads_of(n_threads), progress)
    rows = [
        (kind, i, name, value) for (kind, i), found in done.items() for name, value in found.items()
    ]
    return pd.DataFrame(rows, columns=["control", "index", "measure", "value"])


def verdicts(controls: pd.DataFrame) -> pd.DataFrame:
    """How every claim fares on the controls.

    Parameters
    ----------
    controls : DataFrame
        What `table` gives.

    Returns
    -------
    DataFrame
        One row per claim: `name, criterion`; for each control its mean `<control>` and in how many
        of how many the claim holds, `<control>_k`, `<control>_of` (undefined: it does not hold);
        `failed_by`, the kinds of control all of which have the measure and fail.
    """
    import pandas as pd

    missing = {"control", "index", "measure", "value"} - set(
        instance(controls, "controls", pd.DataFrame).columns
    )
    if missing:
        raise ValueError(f"controls must be of table, but lacks {sorted(missing)}")
    controls = controls.assign(value=numbers(controls["value"], "controls['value']"))
    rows: list[dict[str, Any]] = []
    for claim in CLAIMS:
        row: dict[str, Any] = {"name": claim.name, "criterion": claim.criterion}
        failed: list[str] = []
        for kind, part in controls.groupby("control", sort=False):
            values = part[part.measure == claim.name].value.to_numpy()
            k = int(claim.holds(values).sum())
            of = part["index"].nunique()
            row[str(kind)] = values.mean() if len(values) else np.nan
            row[f"{kind}_k"] = k
            row[f"{kind}_of"] = of
            if k == 0 and len(values) == of:
                failed.append(str(kind))
        rows.append(row | {"failed_by": ", ".join(failed)})
    return pd.DataFrame(rows)
