"""The ten lines of the README run as they stand."""

import re
from pathlib import Path


def test_the_ten_lines_run(capsys):
    text = (Path(__file__).parents[1] / "README.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(block.replace("rng=0)\nsessions", "rng=0, progress=False)\nsessions"), {})
    assert "reward_per_step" in capsys.readouterr().out
