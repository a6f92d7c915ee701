"""What every claim about trained networks is tried on, and some of which must fail it.

Untrained, shuffled, and an exact observer.

A criterion that an untrained network meets tells nothing about learning; one that the exact
observer fails tells nothing about how near a network is to it; and one that all three meet cannot
fail.
"""

import dataclasses
import functools

import numpy as np

from hrnn.base import parallel
from hrnn.base.arguments import one_of, whole_number
from hrnn.base.parallel import n_threads_of
from hrnn.base.streams import stream
from hrnn.distill.baselines import student
from hrnn.distill.bayes import beliefs
from hrnn.distill.distillation import entries
from hrnn.distill.reduction import radd, with_gain
from hrnn.inference import BayesianActor, observe
from hrnn.network import Network
from hrnn.populations import member
from hrnn.populations.claims import CLAIMS
from hrnn.rollout import rollout
from hrnn.task import Task

CONTROLS = {
    "untrained": "networks before training",
    "shuffled": "trained networks with their recurrent weights permuted at random",
    "observer": "the exact Bayesian actor and observer, its beliefs taken for states",
}
N_EACH = 3
N_BLOCKS = 400
OFFSET = 1_000_000  # of the indices of controls, which have sessions that no network has
PARTS = ("representation", "integration", "mechanism")


def shuffled(net, *, rng=0):
    """The network with its recurrent weights permuted: their distribution without their structure.

    Examples
    --------
    >>> net = Network.init("tanh", n_hidden=4, rng=0)
    >>> bool(np.allclose(np.sort(shuffled(net).W, axis=None), np.sort(net.W, axis=None)))
    True
    """
    W = np.random.default_rng(rng).permutation(net.W.ravel()).reshape(net.W.shape)
    return Network.from_arrays(net.cell, W=W, U=net.U, b=net.b, V=net.V, c=net.c, leak=net.leak)


# of states (½ log odds of right, ½ log odds of a right block): P(right) is the posterior
READOUT = Network.from_arrays(
    "tanh",
    W=np.zeros((2, 2)),
    U=np.zeros((2, 3)),
    b=np.zeros(2),
    V=[[-1.0, 0.0], [1.0, 0.0]],
    c=np.zeros(2),
)


def observer(sessions, *, hidden=True):
    """The exact actor in these sessions.

    With the beliefs of the exact observer of its own trials for states.

    Examples
    --------
    >>> run = observer(Task().sample(n_sessions=2, rng=0))
    >>> run.hidden.shape == (len(run.p_right), 2)
    True
    """
    run = rollout(BayesianActor("semi_markov"), sessions)
    states = np.ascontiguousarray(beliefs(observe(run))) if hidden else None
    return dataclasses.replace(run, agent=READOUT, hidden=states)


def measures(kind, found, *, index=0, n_blocks=N_BLOCKS):
    """Measures of one control, as those of a network of a population.

    Parameters
    ----------
    kind : {'untrained', 'shuffled', 'observer'}
    found : Member
        A trained network, with its settings.
    index : int
        Of the control: it has sessions of its own.
    n_blocks : int

    Returns
    -------
    dict of str to float
    """
    one_of(kind, "kind", tuple(CONTROLS))
    own = OFFSET * (1 + tuple(CONTROLS).index(kind)) + whole_number(index, "index", 0)
    settings = found.settings | {
        "index": own,
        "n_blocks": whole_number(n_blocks, "n_blocks"),
        "parts": list(PARTS),
    }
    first = Network.init(
        **settings["network"], rng=stream(settings["seed"], "network", found.settings["index"])
    )
    if kind == "observer":
        act = observer
        settings["parts"] = list(PARTS[:2])
    else:
        act = functools.partial(
            rollout, first if kind == "untrained" else shuffled(found.network, rng=index)
        )
    task = Task(**settings["task"])
    results = member.Findings(None)
    member.examine(act, task, settings, results, first)
    sessions = [
        member.sessions_of(task, settings["n_blocks"], settings["seed"], own, part)
        for part in ("taught", "compared")
    ]
    results.group(
        "distillation", functools.partial(_distilled, act, *sessions, settings["n_updates"], own)
    )
    return dict(results.measures)


def _distilled(act, taught, compared, n_updates, seed):
    """What the claims about two units need of `distill.Distillation`, with the same names."""
    run = act(taught, hidden=True)
    fitted = radd(run, run.agent, n_resamples=1, rng=seed)
    scratch = student("from_scratch", run, run.agent, fitted, n_updates=n_updates, rng=seed).network
    at_gains = {"": fitted.network, "_at_published_gain": with_gain(fitted, fitted.published_gain)}
    right = {name: _correct(net, compared) for name, net in at_gains.items()}
    return (
        entries("radd", fitted)
        | {f"radd.correct{name}": value for name, value in right.items()}
        | {
            f"from_scratch.below_radd{name}": value - _correct(scratch, compared)
            for name, value in right.items()
        }
    )


def _correct(net, sessions):
    return float((rollout(net, sessions, hidden=False).choice == sessions.side).mean())


def table(population, *, n_each=N_EACH, n_blocks=N_BLOCKS, n_threads=1, progress=False):
    """All controls of a population.

    Parameters
    ----------
    population : Population
    n_each : int
        Controls of each kind, made of the first networks.
    n_blocks, n_threads, progress
        As elsewhere.

    Returns
    -------
    DataFrame
        One row per control and measure: `control, index, measure, value`.
    """
    import pandas as pd

    members = population.members[: whole_number(n_each, "n_each")]
    work = {
        (kind, i): functools.partial(_job, kind, found, i, n_blocks)
        for kind in CONTROLS
        for i, found in enumerate(members)
    }
    done = parallel.run(work, n_threads_of(n_threads), progress)
    rows = [
        (kind, i, name, value) for (kind, i), found in done.items() for name, value in found.items()
    ]
    return pd.DataFrame(rows, columns=["control", "index", "measure", "value"])


def _job(kind, found, index, n_blocks, stop):
    return measures(kind, found, index=index, n_blocks=n_blocks)


def verdicts(controls):
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

    rows = []
    for claim in CLAIMS:
        row = {"name": claim.name, "criterion": claim.criterion}
        failed = []
        for kind, part in controls.groupby("control", sort=False):
            values = part[part.measure == claim.name].value.to_numpy()
            k = int(claim.holds(values).sum())
            of = part["index"].nunique()
            row |= {
                kind: values.mean() if len(values) else np.nan,
                f"{kind}_k": k,
                f"{kind}_of": of,
            }
            failed += [kind] if k == 0 and len(values) == of else []
        rows.append(row | {"failed_by": ", ".join(failed)})
    return pd.DataFrame(rows)
