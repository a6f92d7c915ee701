"""The lines of the README run as they stand."""

import re
from pathlib import Path

import numpy as np


def test_the_ten_lines_run(capsys):
    text = (Path(__file__).parents[1] / "README.md").read_text()
    block, _ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(block.replace("rng=0)\nsessions", "rng=0, progress=False)\nsessions"), {})
    assert "reward_per_step" in capsys.readouterr().out


def test_the_five_lines_for_a_mouse_lab_run(tmp_path):
    import hrnn
    from hrnn import mice

    task = hrnn.Task.preset("ibl", contrast_gain=1.0).replace(n_blocks=3)
    for k in range(2):
        trials = hrnn.rollout(
            hrnn.BayesianActor("none"), task.sample(n_sessions=5, rng=k)
        ).trials.assign(subject="M", response_time=0.3)
        for (_, session), arrays in mice.to_alf(trials).items():
            folder = tmp_path / "Subjects" / f"M{k}" / f"2020-01-0{session + 1}" / "001" / "alf"
            folder.mkdir(parents=True)
            for name, values in arrays.items():
                np.save(folder / f"_ibl_trials.{name}.npy", values)
    text = (Path(__file__).parents[1] / "README.md").read_text()
    _, block = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    found = {"hrnn": hrnn}
    exec(block.replace('"folder"', repr(str(tmp_path))), found)
    assert (
        len(found["fit"].names) == 2
        and len(found["ranked"]) == len(mice.COMPARED)
        and len(found["null"]) == 2
    )
