"""Do the types hold? pyright over hrnn, over its public API, and over the code of README and docs.

    python tests/check_types.py

needs what `pip install --group dev` brings; the tests do without.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What blocks in the middle of a page take for granted.
CONTEXT = """# pyright: reportMissingImports=false
import hrnn
import numpy as np
import pandas as pd

task = hrnn.Task()
net = hrnn.Network.init("tanh", n_hidden=4, rng=0)
sessions = task.sample(n_sessions=2, rng=0)
run = hrnn.rollout(net, sessions)
mice = hrnn.mice.load("folder")
state = net.to_state_dict()
trials = run.trials
found = hrnn.Population.load("folder")
key = found.keys[0]
agent = net
"""


def pyright(*arguments):
    """What pyright says, as JSON; it finds hrnn in the tree, however it is installed."""
    command = ["basedpyright", "--outputjson", *map(str, arguments)]
    tree = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=tree)
    return json.loads(done.stdout)


def told(diagnostics):
    """One line for each diagnostic."""
    lines = []
    for one in diagnostics:
        line = one.get("range", {}).get("start", {}).get("line", -1) + 1
        lines.append(f"{one.get('file', '')}:{line}: {one['message']}")
    return lines


def errors(*arguments):
    """Errors of a check."""
    found = pyright(*arguments)["generalDiagnostics"]
    return told(one for one in found if one["severity"] == "error")


def incomplete():
    """Public symbols whose types are not known, or that share of them which is."""
    report = pyright("--verifytypes", "hrnn", "--ignoreexternal")["typeCompleteness"]
    unknown = [one for one in report["symbols"] if one["isExported"] and not one["isTypeKnown"]]
    named = [f"{one['name']}: its type is not known" for one in unknown]
    return (
        [] if report["completenessScore"] == 1 else [f"{report['completenessScore']:.4f}", *named]
    )


def code_of_docs(folder):
    """One file for each page with Python in it."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.S)
        if blocks:
            (folder / f"{page.stem}_page.py").write_text(CONTEXT + "\n".join(blocks))


def main():
    """Everything; the exit status says whether it holds."""
    with tempfile.TemporaryDirectory() as folder:
        code_of_docs(Path(folder))
        checks = {
            "hrnn": errors(),
            "public API": incomplete(),
            "README and docs": errors(folder),
        }
    for name, problems in checks.items():
        print(f"{name}: {len(problems)} problems", *problems, sep="\n    ")
    sys.exit(any(checks.values()))


if __name__ == "__main__":
    main()
