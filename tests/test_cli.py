"""The command line, in processes of its own."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest

COMMAND = [sys.executable, "-m", "hrnn"]


def run(*arguments, cwd, **options):
    environment = {k: v for k, v in os.environ.items() if k != "HRNN_DATA_DIR"} | options.pop(
        "env", {}
    )
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        **options,
    )


def test_info_names_version_blas_cpu_and_flags(tmp_path):
    shown = json.loads(run("info", cwd=tmp_path).stdout)
    assert set(shown) == {"hrnn", "cpu", "cpu_best", "blas", "build"}
    assert "OpenBLAS" in shown["blas"] and "-ffp-contract=off" in shown["build"]


def test_forced_kernel_is_used_and_an_unknown_one_refused(tmp_path):
    assert (
        json.loads(run("info", cwd=tmp_path, env={"HRNN_CPU": "baseline"}).stdout)["cpu"]
        == "baseline"
    )
    assert "HRNN_CPU must be one of" in run("info", cwd=tmp_path, env={"HRNN_CPU": "v9"}).stderr


@pytest.mark.slow
def test_reproduce_quick_writes_figures_report_and_manifest(tmp_path):
    done = run(
        "reproduce", "--quick", "--networks", "1", "--figures", "1,4", "--out", "out", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    names = {p.name for p in (tmp_path / "out").iterdir()}
    drawn = {f"figure_{i}.{kind}" for i in "14" for kind in ("pdf", "png", "svg", "csv")}
    assert {name for name in names if name.startswith("figure")} == drawn
    rows = {row["name"]: row for row in json.loads((tmp_path / "out" / "report.json").read_text())}
    for agent in (
        "network",
        "semi_markov",
        "markov",
        "none",
        "oracle",
        "exponential",
        "published_actor",
        "optimal_per_trial",
        "optimal_per_step",
    ):
        for quantity in (
            "correct",
            "timeouts",
            "steps_per_trial",
            "reward_per_trial",
            "reward_per_step",
            "mu0_concordant",
            "mu0_discordant",
        ):
            row = rows[f"{agent}.{quantity}"]
            if row["low"] is None:  # none of its sessions differs from another
                assert row["value"] in (0, 1) and row["high"] is None
            else:
                assert row["low"] < row["value"] < row["high"]
    assert rows["network.correct"]["published"] == 0.855
    for quantity in (
        "variance_pc12",
        "participation_ratio",
        "block_decoder_full",
        "block_decoder_plane",
        "block_decoder_full_by_step",
        "angle_plane",
        "angle_full",
        "stimulus_slope",
        "block_slope",
    ):
        row = rows[f"network.{quantity}"]
        assert row["low"] <= row["value"] <= row["high"]
    assert rows["network.n_stable"]["value"] >= 1 and rows["network.lambda_stable"]["value"] < 1
    assert rows["optimal_per_step.timeouts"]["value"] == 0
    assert rows["semi_markov.correct"]["value"] < rows["bound.correct"]["value"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (
        manifest["settings"]["seed"] == "0"
        and f"networks/{manifest['networks']['0']}.npz" in manifest["sha256"]
    )
    checked = run("verify", "out", "--networks", "0", cwd=tmp_path)
    assert (
        checked.returncode == 0
        and "2 tables" not in checked.stdout
        and "none differ" in checked.stdout
    ), checked.stdout + checked.stderr
    (tmp_path / "out" / "figure_1.csv").write_text("")
    checked = run("verify", "out", "--networks", "0", cwd=tmp_path)
    assert (
        checked.returncode == 1
        and "file figure_1.csv: other bytes than in the manifest" in checked.stdout
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["reproduce", "--figures", "1,x"], "--figures must be among"),
        (["reproduce", "--networks", "0"], "n_networks must be >= 1"),
        (["evaluate", "missing.npz"], "missing.npz"),
        (["mice"], "HRNN_DATA_DIR"),
        (["mice", "--data", "nowhere"], "nowhere"),
        (["population", "out", "--grid", "magic=1"], "grid must have keys among"),
        (["population", "out", "--grid", "magic"], "--grid must be NAME=VALUE"),
        (
            ["population", "out", "--networks", "2", "--task-id", "2"],
            "number must be less than the number of networks, 2, got 2",
        ),
        (["verify", "nowhere"], "must be of `hrnn reproduce` or `hrnn population`"),
        (["train", "no/such/folder/net.npz", "--n-steps", "2"], "no/such/folder"),
    ],
)
def test_wrong_arguments_end_with_one_clear_line(tmp_path, arguments, message):
    done = run(*arguments, cwd=tmp_path, env={"XDG_CACHE_HOME": str(tmp_path)})
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr


def test_unwritable_output_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    done = run("reproduce", "--quick", "--out", "file/out", cwd=tmp_path)
    assert done.returncode == 1 and "file" in done.stderr and "Traceback" not in done.stderr


def test_train_evaluate_resume(tmp_path):
    assert (
        run("train", "net.npz", "--recipe", "fast", "--n-steps", "5", cwd=tmp_path).returncode == 0
    )
    done = run(
        "train", "net.npz", "--resume", "--n-steps", "8", "--loss-csv", "loss.csv", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "loss.csv").read_text().splitlines()) == 9
    shown = run("evaluate", "net.npz", "--n-blocks", "8", cwd=tmp_path)
    assert "reward_per_step" in shown.stdout


@pytest.mark.slow
def test_mice_are_fitted_and_compared(tmp_path):
    import numpy as np
    import pandas as pd

    import hrnn
    from hrnn import mice

    task = hrnn.Task.preset("ibl", contrast_gain=1.0).replace(n_blocks=2)
    trials = hrnn.rollout(
        hrnn.BayesianActor("none"), task.sample(n_sessions=3, rng=0)
    ).trials.assign(subject="M", response_time=0.3)
    for (_, session), arrays in mice.to_alf(trials).items():
        folder = tmp_path / "data" / "M" / f"2020-01-0{session + 1}" / "alf"
        folder.mkdir(parents=True)
        for name, values in arrays.items():
            np.save(folder / f"_ibl_trials.{name}.npy", values)
    done = run("mice", "--data", "data", "--models", "flat,oracle", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert (
        names
        == {
            "flat.csv",
            "oracle.csv",
            "comparison.csv",
            *(f"figure_comparison.{kind}" for kind in ("csv", "pdf", "png", "svg")),
        }
        and "flat" in done.stdout
    )
    table = pd.read_csv(tmp_path / "out" / "comparison.csv").set_index("model")
    whole = mice.compare(mice.load(tmp_path / "data"), ["flat", "oracle"]).set_index("model")
    assert list(table.columns) == list(whole.columns)
    assert table.aic.tolist() == pytest.approx(whole.loc[table.index, "aic"].tolist())
    source = pd.read_csv(tmp_path / "out" / "figure_comparison.csv")
    assert list(source.columns) == ["panel", "agent", "condition", "x", "value", "low", "high", "n"]
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    for models in ("flat,oracle", "flat"):
        again = run("mice", "--data", "data", "--models", models, "--out", "out", cwd=tmp_path)
        assert again.returncode == 1 and "--out would be written over out/flat.csv" in again.stderr
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before
    twice = run("mice", "--data", "data", "--models", "flat,flat", "--out", "b", cwd=tmp_path)
    assert twice.returncode == 1 and "--models must be different ones" in twice.stderr
    wrong = run("mice", "--data", "data", "--models", "flat,magic", cwd=tmp_path)
    assert wrong.returncode == 1 and "--models must be among" in wrong.stderr


def test_a_finished_training_is_not_written_over(tmp_path):
    short = ["--recipe", "fast", "--n-steps", "3", "--n-hidden", "4"]
    first = run("train", "net.npz", *short, "--seed", "1", cwd=tmp_path)
    assert first.returncode == 0 and first.stdout.startswith("seed 1\n"), first.stderr
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert list(before) == ["net.npz"]
    again = run("train", "net.npz", *short, "--seed", "1", cwd=tmp_path)
    assert again.returncode == 0 and "3 steps" in again.stdout
    for other in (["--seed", "2"], [], ["--seed", "1", "--cell", "gru"]):
        refused = run("train", "net.npz", *short, *other, cwd=tmp_path)
        assert refused.returncode == 1 and "Traceback" not in refused.stderr
        assert all(word in refused.stderr for word in ("checkpoint", "net.npz", "resume"))
    wrong = run("train", "net.npz", *short, "--seed", "1", "--loss-csv", "net.npz", cwd=tmp_path)
    assert wrong.returncode == 1 and "--loss-csv must be another file" in wrong.stderr
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    (tmp_path / "data.csv").write_text("mouse,choice\n")
    for command in (
        ["train", "data.csv", *short],
        ["train", "b.npz", *short, "--loss-csv", "data.csv"],
    ):
        wrong = run(*command, cwd=tmp_path)
        assert wrong.returncode == 1 and "data.csv" in wrong.stderr
        assert (tmp_path / "data.csv").read_text() == "mouse,choice\n"


def test_without_a_seed_every_training_is_another_and_its_seed_is_printed(tmp_path):
    short = ["--recipe", "fast", "--n-steps", "2", "--n-hidden", "4"]
    said = [run("train", f"{i}.npz", *short, cwd=tmp_path).stdout.split()[1] for i in range(2)]
    assert said[0] != said[1]
    run("train", "again.npz", *short, "--seed", said[0], cwd=tmp_path)
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "0.npz").read_bytes()


def test_files_of_anybody_else_stay_in_a_populations_or_a_studys_folder(tmp_path):
    for name in ("table.csv", "failures.csv"):
        (tmp_path / name).write_text("mine")
        done = run("population", ".", "--networks", "1", cwd=tmp_path)
        assert done.returncode == 1 and f"OUT would be written over {name}" in done.stderr
        assert [p.name for p in tmp_path.iterdir()] == [name]
        (tmp_path / name).unlink()
    for name in ("report.md", "networks.csv", "figure_1.pdf"):
        (tmp_path / name).write_text("mine")
        done = run("reproduce", "--quick", "--out", ".", cwd=tmp_path)
        assert done.returncode == 1 and f"folder would be written over {name}" in done.stderr
        assert [p.name for p in tmp_path.iterdir()] == [name]
        (tmp_path / name).unlink()


def test_a_study_of_other_networks_is_not_written_over(tmp_path):
    from hrnn.study import reproduction, writing

    keys = reproduction.keys(2, 0, True)
    manifest = {"hrnn": "0", "networks": dict(enumerate(keys)), "sha256": {}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    for options in (["--networks", "1"], ["--networks", "2", "--seed", "1"]):
        done = run("reproduce", "--quick", *options, "--out", ".", cwd=tmp_path)
        assert done.returncode == 1 and "holds the report of other networks" in done.stderr
    writing.check_folder(tmp_path, reproduction.keys(3, 0, True))
    for text in ("", "[]", "{}", '{"networks": 3}'):
        (tmp_path / "manifest.json").write_text(text)
        done = run("reproduce", "--quick", "--out", ".", cwd=tmp_path)
        assert done.returncode == 1 and "no manifest of a study" in done.stderr


def test_full_disk_leaves_the_old_network(tmp_path):
    assert (
        run("train", "net.npz", "--recipe", "fast", "--n-steps", "2", cwd=tmp_path).returncode == 0
    )
    before = (tmp_path / "net.npz").read_bytes()
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # noqa: E731
    done = run("train", "net.npz", "--resume", "--n-steps", "4", cwd=tmp_path, preexec_fn=limit)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert (tmp_path / "net.npz").read_bytes() == before


def test_closed_stdout_is_no_traceback(tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "info"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) in (0, 1) and b"Traceback" not in error


def test_interrupted_reproduce_ends_at_once(tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "reproduce", "--out", "out"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130 and "interrupted" in error
    assert time.monotonic() - began < 5
