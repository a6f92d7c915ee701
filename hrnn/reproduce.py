"""Everything the figures and the report are made of, computed once, and written to a folder.

Long work is cut into jobs that run in parallel threads (the C core releases the GIL); each takes its random
numbers from the seed and its own name, so the result does not depend on how many run at once.
"""

import dataclasses
import functools
import itertools
import os
import platform
import time
import zlib
from pathlib import Path

import numpy as np

import hrnn
from hrnn import behavior, io, jobs, stats
from hrnn.anatomy import PUBLISHED as PUBLISHED_ANATOMY
from hrnn.anatomy import Anatomy
from hrnn.arguments import as_path, whole_number
from hrnn.inference import accuracy_bound

BASELINES = {
    "semi_markov": functools.partial(hrnn.BayesianActor, "semi_markov"),
    "markov": functools.partial(hrnn.BayesianActor, "markov"),
    "none": functools.partial(hrnn.BayesianActor, "none"),
    "oracle": functools.partial(hrnn.BayesianActor, "oracle"),
    "exponential": functools.partial(hrnn.BayesianActor, "exponential"),
    "published_actor": functools.partial(hrnn.BayesianActor, "published_actor"),
    "optimal_per_trial": functools.partial(hrnn.OptimalPolicy, "reward_per_trial"),
    "optimal_per_step": functools.partial(hrnn.OptimalPolicy, "reward_per_step"),
}
THRESHOLDS = (0.6, 0.7, 0.8, 0.9, 0.95)
PENALTIES = (-0.2, -0.1, -0.05, -0.02, 0.0)
# Swept settings: their values, and the baselines that they concern. The optimal policy knows no threshold, while the
# network knows the penalty only as an input.
SWEEPS = {
    "threshold": (THRESHOLDS, ("semi_markov", "published_actor")),
    "wait_penalty": (PENALTIES, ("semi_markov", "optimal_per_trial", "optimal_per_step")),
}
QUANTITIES = (
    "correct", "timeouts", "steps_per_trial", "reward_per_trial", "reward_per_step", "mu0_concordant", "mu0_discordant",
)
PUBLISHED = {"network.correct": 0.855, **{f"network.{k}": v for k, v in PUBLISHED_ANATOMY.items()}}  # Schaeffer et al. (2020)
N_BLOCKS, N_BLOCKS_SWEEP, N_BLOCKS_QUICK = 1000, 400, 80
N_NETWORKS_SWEEP, N_NETWORKS_QUICK = 5, 2  # retrained at each value
QUICK_STEPS = 20
NOTE = (
    "n is the number of trials, or of networks where several were trained. Intervals resample sessions (mice: subjects; several "
    "networks: networks). Published: one network. `optimal_….expected` is what the dynamic programme promises; the policies earn a "
    "little more, because a session ends with its last block while the filter, and with it the programme, expects one more change "
    "(docs/theory.md)."
)


@dataclasses.dataclass(eq=False)
class Study:
    """Trained networks beside every baseline on the same sessions.

    Attributes
    ----------
    task : Task
    sessions : Sessions
        Shared by all agents.
    networks : list of Training
    runs : dict of str to Rollout
        Agents by name: 'network' (that of networks[0]) and those of BASELINES.
    network_runs : list of Rollout
        One for each network.
    bound : (R,) bool
        Whether the exact posterior after all observations is right.
    thresholds, penalties : DataFrame
        Sweeps, one row per agent, network and setting: agent ('network', 'semi_markov', 'optimal_per_trial', ...),
        threshold or wait_penalty, network (index), and the measures of `behavior.summary`.
    mice : DataFrame or None
        Trial table of the mice, where their files are.
    seconds : dict of str to float
        Wall time of each part.
    seed : int
    """

    task: hrnn.Task
    sessions: object
    networks: list
    runs: dict
    network_runs: list
    bound: np.ndarray
    thresholds: object
    penalties: object
    mice: object = None
    seconds: dict = dataclasses.field(default_factory=dict)
    seed: int = 0

    @functools.cached_property
    def anatomy(self):
        """The first network taken apart: an `anatomy.Anatomy`."""
        return self.take_apart(0)

    def take_apart(self, index):
        """One network, rolled out again with its states and taken apart."""
        return Anatomy(hrnn.rollout(self.networks[index].network, self.sessions), self.seed)

    @functools.cached_property
    def measures(self):
        """Measures of the networks' anatomy, {name: Estimate}: of several networks their mean, with networks resampled."""
        first = self.anatomy.measures()
        if len(self.networks) == 1:
            return first
        each = [first, *(self.take_apart(i).measures() for i in range(1, len(self.networks)))]
        values = {name: np.array([measures[name].value for measures in each if name in measures]) for name in first}
        return {name: stats.mean_interval(v[np.isfinite(v)]) if np.isfinite(v).any() else first[name] for name, v in values.items()}

    @functools.cached_property
    def summaries(self):
        """QUANTITIES of each agent: a table with columns value, low, high, n.

        Several networks are one agent: their mean, with the interval from resampled networks, and n networks.
        """
        import pandas as pd

        rows = list(QUANTITIES)
        tables = {agent: behavior.summary(run).loc[rows] for agent, run in self.runs.items()}
        if len(self.network_runs) > 1:
            mean = stats.mean_interval([behavior.summary(run).loc[rows, "value"].to_numpy() for run in self.network_runs])
            columns = {"value": mean.value, "low": mean.low, "high": mean.high, "n": len(self.network_runs)}
            tables["network"] = pd.DataFrame(columns, index=tables["network"].index)
        return tables


def stream(seed, *name):
    """Seed of one job: depends on the seed and on the job's name only."""
    return np.random.SeedSequence([seed, *(zlib.crc32(str(part).encode()) for part in name)])


def study(*, n_networks=1, seed=0, quick=False, n_threads=None, progress=True, unfinished=None):
    """Train networks, run them beside every baseline, sweep threshold and penalty, and read the mice.

    Parameters
    ----------
    n_networks : int
        Trained with the paper's recipe.
    seed : int
    quick : bool
        Few steps of training and few blocks: to see that all works, not for its numbers.
    n_threads : int or None
    progress : bool
    unfinished : path, optional
        Folder of the networks' checkpoints, from which an interrupted study goes on.

    Returns
    -------
    Study
    """
    n_networks, seed = whole_number(n_networks, "n_networks"), whole_number(seed, "seed", 0)
    task, began = hrnn.Task(), time.monotonic()
    sessions = task.sample(n_blocks=N_BLOCKS_QUICK if quick else N_BLOCKS, rng=stream(seed, "sessions"))
    train, work = functools.partial(_train, seed=seed, quick=quick), {}
    for i in range(n_networks):
        checkpoint = None if unfinished is None else as_path(unfinished, "unfinished") / f"network_{i}.npz"
        work["network", i] = functools.partial(train, task, index=i, progress=progress and i == 0, checkpoint=checkpoint)
    for setting, (values, baselines) in SWEEPS.items():
        sweep = functools.partial(_sweep, seed=seed, quick=quick, train=train, baselines=baselines)
        for x, i in itertools.product(values, range(N_NETWORKS_QUICK if quick else N_NETWORKS_SWEEP)):
            work[setting, x, i] = functools.partial(sweep, task.replace(**{setting: x}), index=i)
    done = jobs.run(work, hrnn.training.n_threads_of(n_threads), progress)
    trained = time.monotonic()
    networks = [done["network", i] for i in range(n_networks)]
    network_runs = [hrnn.rollout(t.network, sessions, hidden=False) for t in networks]
    runs = {"network": network_runs[0]} | {name: hrnn.rollout(make(), sessions) for name, make in BASELINES.items()}
    return Study(
        task, sessions, networks, runs, network_runs, accuracy_bound(sessions),
        _sweep_table(done, "threshold"), _sweep_table(done, "wait_penalty"), _mice(),
        {"training and sweeps": trained - began, "agents and mice": time.monotonic() - trained}, seed,
    )


def _train(task, stop, *, seed, index, quick, recipe="paper", progress=False, checkpoint=None):
    net = hrnn.Network.init("tanh", n_hidden=50, rng=stream(seed, "network", index))
    n_steps = QUICK_STEPS if quick else None
    recipe = "fast" if quick else recipe
    trainer = hrnn.training.Trainer.new(net, task, recipe, n_steps, stream(seed, "training", index), checkpoint)
    return trainer.caught_up().run(None, 1, progress, stop)


def _sweep(task, stop, *, seed, quick, train, index, baselines):
    """One row per agent: a network retrained on this task and, beside the first, the baselines, in fresh sessions."""
    agents = {"network": train(task, stop, index=index, recipe="fast").network}
    if index == 0:
        agents |= {name: BASELINES[name]() for name in baselines}
    sessions = task.sample(n_blocks=N_BLOCKS_QUICK if quick else N_BLOCKS_SWEEP, rng=stream(seed, "sweep"))
    rows = []
    for name, agent in agents.items():
        summary = behavior.summary(hrnn.rollout(agent, sessions, hidden=False))
        rows.append({"agent": name, "network": index, "n_sessions": sessions.n_sessions, **summary["value"].to_dict(),
                     **{f"{k}_low": v for k, v in summary["low"].items()},
                     **{f"{k}_high": v for k, v in summary["high"].items()}})
    return rows


def _sweep_table(done, setting):
    import pandas as pd

    return pd.DataFrame([{setting: name[1], **row} for name, rows in done.items() if name[0] == setting for row in rows])


def _mice():
    """The mice in HRNN_DATA_DIR, or None where it is not set; never downloads."""
    return hrnn.mice.load() if os.environ.get("HRNN_DATA_DIR") else None


def report(study):
    """Every measure of every agent: a list of {name, value, low, high, n, published, source}."""
    rows = []
    for agent, table in study.summaries.items():
        for quantity, row in table.iterrows():
            numbers = row[["value", "low", "high", "n"]]
            rows.append(_row(f"{agent}.{quantity}", *numbers, f"behavior.summary of {agent}"))
    rows.append(_row("bound.correct", study.bound.mean(), None, None, len(study.bound), "inference.accuracy_bound"))
    return rows + _errors(study) + _long_session(study) + _anatomy(study) + _regrets(study) + _history(study) + _mice_rows(study)


def _row(name, value, low, high, n, source):
    low, high = (None if x is None or not np.isfinite(x) else float(x) for x in (low, high))
    return {"name": name, "value": float(value) if np.isfinite(value) else None, "low": low, "high": high, "n": int(n),
            "published": PUBLISHED.get(name), "source": source}


def _anatomy(study):
    """Representation, integration, coupling and mechanism of the networks, and what the published code's defects do to them."""
    rows = [_row(f"network.{name}", m.value, m.low, m.high, m.n, f"anatomy.Anatomy.measures: {name}") for name, m in study.measures.items()]
    return rows + [_row(row.name, row.value, None, None, row.n, "published.consequences")
                   for row in study.anatomy.consequences.itertuples(index=False)]


def _errors(study):
    """Why performance is not perfect: errors by what made them, and the paired gap to the bound on accuracy."""
    rows, session = [], study.sessions.session
    n = np.bincount(session).astype(float)
    for agent in ("network", "semi_markov", "optimal_per_trial"):
        run = study.runs[agent]
        split = behavior.error_split(run)
        rows += [_row(f"{agent}.errors_{cause}", *split.loc[cause, ["value", "low", "high", "n"]], "behavior.error_split")
                 for cause in split.index]
        right = np.bincount(session, run.choice == study.sessions.side)
        gap = stats.paired((np.bincount(session, study.bound), n), (right, n))
        rows.append(_row(f"{agent}.gap_to_bound", gap.value, gap.low, gap.high, len(session), "accuracy_bound, paired by session"))
    return rows


def _long_session(study):
    """The first network in one session without reset, as many blocks as all sessions have; runs of four blocks are resampled."""
    n_blocks = len(study.sessions.block_lengths)
    sessions = study.task.replace(n_blocks=n_blocks).sample(n_sessions=1, rng=stream(study.seed, "long session"))
    table = behavior.summary(hrnn.rollout(study.networks[0].network, sessions, hidden=False)).loc[list(QUANTITIES)]
    return [_row(f"network.long_session_{q}", *table.loc[q, ["value", "low", "high", "n"]], "behavior.summary, one long session")
            for q in QUANTITIES]


def _regrets(study):
    """What the network and the exact actor lose against each optimal policy."""
    rows = []
    for agent in ("network", "semi_markov", "published_actor"):
        for policy, criterion in (("optimal_per_trial", "reward_per_trial"), ("optimal_per_step", "reward_per_step")):
            r = behavior.regret(study.runs[agent], study.runs[policy], criterion=criterion)
            rows.append(_row(f"{agent}.regret_{criterion}", r.value, r.low, r.high, r.n, "behavior.regret"))
    for policy in ("optimal_per_trial", "optimal_per_step"):
        solution = BASELINES[policy]().solution(study.task)
        rows.append(_row(f"{policy}.expected", solution.value, None, None, 0, "policy.Solution.value"))
    return rows


def _history(study):
    """How the previous choice bears on the next beyond the exact prior; the exact actor is the negative control."""
    rows = []
    for agent in ("network", "semi_markov"):
        run = study.runs[agent]
        table = behavior.history_regression(run, hrnn.observe(run).prior).set_index("term")
        for term in ("logit_prior", "previous_correct", "previous_wrong"):
            row = table.loc[term]
            source = "behavior.history_regression"
            rows.append(_row(f"{agent}.history_{term}", row["weight"], row["low"], row["high"], row["n"], source))
    return rows


def _mice_rows(study):
    if study.mice is None:
        return []
    table = behavior.summary(study.mice)
    names = [q for q in ("correct", "concordant_correct", "discordant_correct") if q in table.index]
    return [_row(f"mice.{q}", *table.loc[q, ["value", "low", "high", "n"]], "behavior.summary of mice") for q in names]


def report_markdown(study, rows):
    """report.md: behaviour of all agents in one table, then every number beside the published one."""
    lengths, found = study.sessions.block_lengths, {row["name"]: row for row in rows}
    lines = [
        "# hrnn: measured and published", "", "## Behaviour of every agent", "", _markdown_row(["agent", *QUANTITIES]),
        _markdown_row(["---"] * (1 + len(QUANTITIES))),
    ]
    lines += [_markdown_row([f"`{agent}`", *(_cell(found[f"{agent}.{q}"]) for q in QUANTITIES)]) for agent in study.summaries]
    lines += ["", f"{study.sessions.n_sessions} sessions of {study.task.n_blocks} blocks, the same for every agent; block length "
              f"{lengths.mean():.2f} ± {lengths.std():.2f} trials (mean ± sd). A timeout is wrong.", "", "## Every number", "",
              "| quantity | measured | 95 % interval | n | published |", "|---|---|---|---|---|"]
    for row in rows:
        value = "–" if row["value"] is None else f"{row['value']:.4f}"
        interval = "–" if row["low"] is None else f"{row['low']:.4f} … {row['high']:.4f}"
        published = "–" if row["published"] is None else f"{row['published']:g}"
        lines.append(_markdown_row([f"`{row['name']}`", value, interval, row["n"], published]))
    lines += ["", NOTE]
    return "\n".join(lines) + "\n"


def _markdown_row(cells):
    return f"| {' | '.join(map(str, cells))} |"


def _cell(row):
    """Value with its interval, and the published value where there is one."""
    text = f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    return text if row["published"] is None else f"{text}; published {row['published']:g}"


def manifest(study, settings):
    """Version, seeds, machine, BLAS and times of a run."""
    import scipy

    lengths = study.sessions.block_lengths
    return {
        "hrnn": hrnn.__version__, "core": hrnn._core.info(), "settings": settings, "python": platform.python_version(),
        "numpy": np.__version__, "scipy": scipy.__version__, "machine": platform.machine(), "system": platform.system(),
        "cpus": os.cpu_count(), "seconds": study.seconds, "task": study.task.to_dict(),
        "block_length_mean": float(lengths.mean()), "block_length_sd": float(lengths.std()),
        "recipes": [dataclasses.asdict(t.recipe) for t in study.networks],
    }


def write(study, folder, *, figures=None, settings=None):
    """Write figures, networks, report.md, report.json and manifest.json to a folder; returns the paths of the figures."""
    from hrnn import figures as drawn

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for index, training in enumerate(study.networks):
        training.network.save(folder / f"network_{index}.npz")
        training.to_csv(folder / f"network_{index}_loss.csv")
    names = [n for n in drawn.FIGURES if (figures is None or n in figures) and (n != "mice" or study.mice is not None)]
    for name in names:
        drawn.save(*drawn.draw(name, study), folder, f"figure_{name}")
    rows = report(study)
    study.seconds["figures and report"] = time.monotonic() - began
    io.write_text(folder / "report.md", report_markdown(study, rows))
    io.write_json(folder / "report.json", rows)
    io.write_json(folder / "manifest.json", manifest(study, settings or {}))
    return [folder / f"figure_{name}.pdf" for name in names]
