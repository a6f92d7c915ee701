"""The command line: `hrnn`, the same as `python -m hrnn`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hrnn.network import CELLS

if TYPE_CHECKING:
    import pandas as pd

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

COMPARISON: str = "comparison.csv"  # the table
DRAWN: str = "figure_comparison"  # its figure, with the source data


def parser() -> argparse.ArgumentParser:
    """Arguments of all subcommands."""
    top = argparse.ArgumentParser(prog="hrnn", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for add in (_reproduce, _train, _evaluate, _mice, _population, _verify):
        add(commands)
    commands.add_parser("info", help="version, BLAS, CPU path and compiler flags")
    return top


def _reproduce(commands: Commands) -> None:
    """Arguments of `reproduce`."""
    p = commands.add_parser(
        "reproduce", help="train, compare with every baseline, draw the figures, write the report"
    )
    p.add_argument("--figures", help="comma-separated, for example 1,3 (default: all)")
    p.add_argument("--networks", type=int, default=20, help="how many networks to train")
    p.add_argument("--out", type=Path, default=Path("reproduced"), help="folder to write to")
    p.add_argument(
        "--quick",
        action="store_true",
        help="few steps and blocks: to see that all works, not for its numbers",
    )
    p.add_argument("--seed", type=int, default=0)


def _train(commands: Commands) -> None:
    """Arguments of `train`."""
    p = commands.add_parser("train", help="train a network and save it")
    p.add_argument(
        "out",
        type=Path,
        help="file of the network; also its checkpoint while it trains. The same command goes on "
        "with it; what else is there is not written over",
    )
    p.add_argument(
        "--resume", action="store_true", help="go on from that file, with the settings it has"
    )
    p.add_argument("--recipe", default="paper", choices=["paper", "fast"])
    p.add_argument("--cell", default="tanh", choices=CELLS)
    p.add_argument("--n-hidden", type=int, default=50)
    p.add_argument("--n-steps", type=int)
    p.add_argument("--seed", type=int, help="default: a fresh one, which is printed")
    p.add_argument("--loss-csv", type=Path, help="also write the loss curve")


def _evaluate(commands: Commands) -> None:
    """Arguments of `evaluate`."""
    p = commands.add_parser("evaluate", help="behaviour of a saved network, as a table")
    p.add_argument("network", type=Path)
    p.add_argument("--n-blocks", type=int, default=1000)
    p.add_argument("--seed", type=int, default=1)


def _mice(commands: Commands) -> None:
    """Arguments of `mice`."""
    p = commands.add_parser("mice", help="models of choice fitted to mice: tables and a figure")
    p.add_argument(
        "--data", type=Path, help="folder of CSV files or ALF sessions (default: $HRNN_DATA_DIR)"
    )
    p.add_argument(
        "--models",
        default="psychometric",
        help="comma-separated; with two or more they are compared",
    )
    p.add_argument("--out", type=Path, default=Path("mice"), help="folder to write to")
    p.add_argument("--seed", type=int, default=0)


def _population(commands: Commands) -> None:
    """Arguments of `population`."""
    p = commands.add_parser(
        "population",
        help="train many networks and take each apart, or do one of them as a task of a job array",
    )
    p.add_argument("out", type=Path, help="folder to write to; what is there is not done again")
    p.add_argument("--networks", type=int, default=20, help="seeds at every point of the grid")
    p.add_argument(
        "--grid",
        action="append",
        default=[],
        metavar="NAME=VALUE,...",
        help="may be given several times: n_hidden=25,50",
    )
    p.add_argument("--recipe", default="paper", choices=["paper", "fast"])
    p.add_argument("--n-blocks", type=int, default=1000)
    p.add_argument(
        "--parts",
        default="representation,integration,mechanism,distillation,choices",
        help="found out beside behaviour",
    )
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--workers", type=int, help="processes (default: all cores)")
    p.add_argument(
        "--tensorboard", action="store_true", help="write losses to OUT/tensorboard while training"
    )
    p.add_argument("--task-id", type=int, help="only this network, from 0")


def _verify(commands: Commands) -> None:
    """Arguments of `verify`."""
    p = commands.add_parser(
        "verify",
        help="check a folder of reproduce or population: its files, its tables, "
        "some networks made anew",
    )
    p.add_argument("folder", type=Path)
    p.add_argument("--networks", type=int, default=1, help="how many to make anew")
    p.add_argument("--seed", type=int, default=0, help="which ones")


def reproduce(arguments: argparse.Namespace) -> None:
    """Everything, into one folder that only one process writes to.

    An interrupted run goes on where it was.
    """
    from hrnn import figures
    from hrnn.base import files
    from hrnn.study import reproduction as work
    from hrnn.study import writing

    wanted = arguments.figures.split(",") if arguments.figures else None
    _check_among("--figures", wanted or [], figures.FIGURES)
    keys = work.keys(arguments.networks, arguments.seed, arguments.quick)
    writing.check_folder(arguments.out, keys)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with files.lock(arguments.out / ".lock"):
        files.remove_leftovers(arguments.out)
        study = work.study(
            n_networks=arguments.networks,
            seed=arguments.seed,
            quick=arguments.quick,
            folder=arguments.out,
            executor="processes" if arguments.networks > 1 else "threads",
        )
        settings = {name: str(value) for name, value in vars(arguments).items()}
        writing.write(study, arguments.out, figures=wanted, settings=settings)
    print((arguments.out / "report.md").read_text(), end="")


def train(arguments: argparse.Namespace) -> None:
    """One network into one file."""
    import hrnn
    from hrnn.base import streams

    curve = arguments.loss_csv
    if curve is not None and curve.resolve() == arguments.out.resolve():
        raise ValueError(f"--loss-csv must be another file than the network's, {arguments.out}")
    if arguments.resume:
        if arguments.seed is not None:
            raise ValueError("--seed must not be given with --resume: the file has it")
        training = hrnn.train(resume=arguments.out, n_steps=arguments.n_steps)
    else:
        seed = streams.fresh_seed() if arguments.seed is None else arguments.seed
        print(f"seed {seed}", flush=True)
        net = hrnn.Network.init(arguments.cell, n_hidden=arguments.n_hidden, rng=seed)
        training = hrnn.train(
            net,
            hrnn.Task(),
            recipe=arguments.recipe,
            n_steps=arguments.n_steps,
            rng=seed,
            checkpoint=arguments.out,
        )
    if curve is not None:
        training.to_csv(curve)
    print(f"{len(training.loss)} steps, last loss {training.loss[-1]:.4f}: {arguments.out}")


def evaluate(arguments: argparse.Namespace) -> None:
    """Summary of a network in fresh sessions of the task it was trained on."""
    import hrnn

    net = hrnn.Network.load(arguments.network)
    task = hrnn.Task(**net.metadata.get("task", {}))
    run = hrnn.rollout(
        net, task.sample(n_blocks=arguments.n_blocks, rng=arguments.seed), hidden=False
    )
    print(hrnn.behavior.summary(run).to_string(float_format=lambda x: f"{x:.4f}"))


def mice(arguments: argparse.Namespace) -> None:
    """Fits of models to every mouse, one CSV each.

    Of several models their comparison, as a table and a figure.
    """
    import hrnn
    from hrnn.base import files

    models = arguments.models.split(",")
    table = hrnn.mice.load(arguments.data)
    _check_among("--models", models, hrnn.mice.MODELS)
    if len(set(models)) < len(models):
        raise ValueError(f"--models must be different ones, got {arguments.models}")
    names = [f"{model}.csv" for model in models]
    if len(models) > 1:
        names += [COMPARISON, *(f"{DRAWN}.{kind}" for kind in ("pdf", "png", "svg", "csv"))]
    files.refuse_existing((arguments.out / name for name in names), "--out")
    arguments.out.mkdir(parents=True, exist_ok=True)
    settings = {"rng": arguments.seed, "n_threads": None}
    for model in models:
        fitted = hrnn.mice.fit(table, model, progress=True, **settings).to_frame()
        files.write_text(arguments.out / f"{model}.csv", fitted.to_csv(index=False))
        n_choices = fitted.n_trials.sum()
        bits = fitted.bits_per_trial.mean()
        print(f"{model}: {len(fitted)} mice, {n_choices} choices, {bits:.4f} bits per trial")
    if len(models) > 1:
        compared = hrnn.mice.compare(table, models, progress=True, **settings)
        files.write_text(arguments.out / COMPARISON, compared.to_csv(index=False))
        hrnn.figures.save(*hrnn.figures.comparison(compared), arguments.out, DRAWN)
        shown = ["model", "bits_per_trial", "low", "high", "difference", "exceedance"]
        print(compared[shown].to_string(index=False))


def population(arguments: argparse.Namespace) -> None:
    """Many networks into one folder, and their table as CSV; or one of them."""
    from hrnn.base import files
    from hrnn.populations import ensemble

    settings = {
        "n_networks": arguments.networks,
        "grid": dict(_axis(text) for text in arguments.grid),
        "recipe": arguments.recipe,
        "n_blocks": arguments.n_blocks,
        "parts": list(filter(None, arguments.parts.split(","))),
        "seed": arguments.seed,
    }
    if arguments.task_id is not None:
        print(ensemble.run_one(arguments.out, arguments.task_id, **settings))
        return
    table, failures = (arguments.out / name for name in ("table.csv", "failures.csv"))
    if not (arguments.out / ensemble.RECORD).exists():
        files.refuse_existing([table, failures], "OUT")
    try:
        found = ensemble.population(
            arguments.out,
            **settings,
            executor="processes",
            n_threads=arguments.workers,
            tensorboard=arguments.tensorboard,
        )
    except ensemble.AllFailedError as error:
        files.write_text(failures, error.failures.to_csv(index=False))
        raise
    files.write_text(table, found.table.to_csv(index=False))
    files.write_text(failures, found.failures.to_csv(index=False))
    n_failed = len(found.failures)
    print(f"{found.table.key.nunique()} networks, {n_failed} failed: {table}")
    if n_failed:
        raise RuntimeError(f"{n_failed} networks failed; see {failures}")


def verify(arguments: argparse.Namespace) -> None:
    """Every check that failed, and how many there were."""
    import hrnn

    found = hrnn.verify(arguments.folder, n_networks=arguments.networks, rng=arguments.seed)
    bad = cast("pd.DataFrame", found[~found.same])
    for row in bad.to_dict("records"):
        print(f"{row['what']} {row['name']}: {row['detail']}")
    counts = [_counted(n, str(what)) for what, n in found.what.value_counts(sort=False).items()]
    differ = "differs" if len(bad) == 1 else "differ"
    print(f"checked {', '.join(counts)}: {len(bad) or 'none'} {differ}")
    if len(bad):
        raise ValueError(f"{arguments.folder} does not hold what its record says")


def _check_among(option: str, names: Iterable[str], known: Collection[str]) -> None:
    """ValueError if names of an option are not known."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{option} must be among {','.join(known)}, got {','.join(unknown)}")


def _counted(n: int, what: str) -> str:
    """'1 file', '2 files'."""
    return f"{n} {what}s" if n > 1 else f"{n} {what}"


def _axis(text: str) -> tuple[str, list[int | float | str]]:
    """Name and values of an axis of the grid: numbers where they are numbers, else words."""
    name, equals, values = text.partition("=")
    if not equals:
        raise ValueError(f"--grid must be NAME=VALUE,..., got {text!r}")
    return name, [_number(value) for value in values.split(",") if value]


def _number(text: str) -> int | float | str:
    """The text as a number, where it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def info(_: argparse.Namespace) -> None:
    """What this installation is made of."""
    import hrnn

    print(json.dumps({"hrnn": hrnn.__version__, **hrnn._core.info()}, indent=1))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after the command's name; by default those that Python was started with.

    Returns
    -------
    int
        0; 1 after an error, which is printed; 130 after Ctrl-C.
    """
    parsed = parser().parse_args(arguments)
    every = {f.__name__: f for f in (reproduce, train, evaluate, mice, population, verify, info)}
    run = every[parsed.command]
    try:
        run(parsed)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("hrnn: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, TypeError, ValueError, ArithmeticError, RuntimeError, MemoryError) as error:
        print(f"hrnn: {error}", file=sys.stderr)
        return 1
    return 0
