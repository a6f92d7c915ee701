"""Laws of the source: layers, names, exports, what the core may not do."""

import ast
import graphlib
import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest

import hrnn
from hrnn import cells, inference, network, task, training
from hrnn.choice.priors import DecisionForm
from hrnn.choice.trials import TrialsForm
from hrnn.inference import BelieverForm
from hrnn.network import CellForm
from hrnn.task import SessionsForm, TaskForm

ROOT = Path(__file__).parents[1]
CORE = ROOT / "csrc" / "core"
PACKAGE = ROOT / "hrnn"
ORDER = [
    "status",
    "linalg",
    "rng",
    "kernel",
    "scratch",
    "task",
    "cell",
    "loss",
    "optim",
    "inference",
    "policy",
    "rollout",
    "sequence",
    "gru",
    "fixedpoint",
    "choice",
]

FORBIDDEN = set(
    [
        "printf",
        "fprintf",
        "vprintf",
        "vfprintf",
        "puts",
        "fputs",
        "putchar",
        "fputc",
        "fwrite",
        "fopen",
        "perror",
        "exit",
        "_exit",
        "_Exit",
        "quick_exit",
        "abort",
        "raise",
        "signal",
        "malloc",
        "calloc",
        "realloc",
        "free",
        "aligned_alloc",
        "posix_memalign",
        "rand",
        "srand",
        "rand_r",
        "random",
        "srandom",
        "drand48",
        "time",
        "clock",
        "clock_gettime",
        "gettimeofday",
        "getenv",
        "setenv",
        "__printf_chk",
        "__fprintf_chk",
        "__assert_fail",
    ]
)


def stem(path):
    return path.stem.split("_")[0]


@pytest.mark.parametrize("path", sorted(CORE.glob("*.[ch]")), ids=lambda p: p.name)
def test_core_files_include_only_what_stands_before_them(path):
    included = re.findall(r'#include "(\w+)\.h"', path.read_text())
    for name in included:
        assert ORDER.index(stem(Path(name))) <= ORDER.index(stem(path)), name
    assert "Python.h" not in path.read_text()


@pytest.mark.skipif(not shutil.which("gcc") or not shutil.which("nm"), reason="needs gcc and nm")
@pytest.mark.parametrize("path", sorted(CORE.glob("*.c")), ids=lambda p: p.name)
def test_core_objects_are_pure(path, tmp_path):
    isa = {
        "kernel_v3": ["-mavx2", "-mfma"],
        "kernel_v4": ["-mavx2", "-mfma", "-mavx512f", "-mavx512dq", "-mavx512vl"],
    }
    subprocess.run(
        [
            "gcc",
            "-std=c11",
            "-O2",
            "-fPIC",
            "-ffp-contract=off",
            "-DNDEBUG",
            f"-I{np.get_include()}",
            *isa.get(path.stem, []),
            "-c",
            str(path),
            "-o",
            str(tmp_path / "o"),
        ],
        check=True,
    )
    symbols = [
        line.split()[-2:]
        for line in subprocess.run(
            ["nm", tmp_path / "o"], capture_output=True, text=True
        ).stdout.splitlines()
    ]
    for kind, name in symbols:
        assert kind not in "dDbBCsSgGuVvWw", f"writable or weak data {name}"
        assert not (kind == "U" and name in FORBIDDEN), name
        if kind in "TRA":
            assert name.startswith(f"hrnn_{stem(path)}_"), name


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("nm"), reason="needs nm on Linux")
def test_the_extension_exports_only_its_init():
    out = subprocess.run(
        ["nm", "-D", "--defined-only", hrnn._core.__file__],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = [line.split()[-1] for line in out.splitlines()]
    if not any("asan" in name for name in names):
        assert [n for n in names if not n.startswith(("_init", "_fini"))] == ["PyInit__core"]


def imports(path):
    """Full names of everything that a file imports, anywhere in it."""
    package = ["hrnn", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


FLOORS = [  # a room imports only what stands on a floor before its own, and its own room
    "base",
    "statistics plot cells",
    "task network",
    "behavior rollout",
    "training inference sequence",
    "policy analysis",
    "agents distill choice",
    "mice populations",
    "figures",
    "study",
    "cli",
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms.split()}


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.relative_to(PACKAGE).as_posix()
)
def test_a_room_imports_only_what_stands_below_it(path):
    room = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if room in ("__init__", "__main__"):
        return
    reached = {name.split(".")[1] for name in imports(path) if name.startswith("hrnn.")} - {
        room,
        "_core",
    }
    assert all(FLOOR[other] < FLOOR[room] for other in reached), sorted(reached)


# stem of the core: the one module that calls its functions; docs/architecture.md has the same table
CALLERS = {
    "cell": "network",
    "choice": "choice.priors",
    "fixedpoint": "analysis.dynamics",
    "gru": "sequence",
    "inference": "inference",
    "optim": "training",
    "policy": "policy",
    "rollout": "rollout",
    "sequence": "sequence",
    "task": "task",
}


def test_each_stem_of_the_core_has_the_one_caller_it_is_said_to_have():
    called = {}
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for stem_ in re.findall(r"_core\.([a-z]+)_\w+\(", path.read_text()):
            called.setdefault(stem_, set()).add(module)
    assert called == {stem_: {module} for stem_, module in CALLERS.items()}
    page = (ROOT / "docs" / "architecture.md").read_text()
    for stem_, module in CALLERS.items():
        row = next(
            line for line in page.splitlines() if line.startswith("| `") and f"`{stem_}`" in line
        )
        assert f"`{module.replace('.', '/')}.py`" in row, stem_


def test_the_page_says_on_which_floor_each_wing_stands():
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", page, re.M)
    said = {room: int(number) for number, rooms in rows for room in re.findall(r"`(\w+)`", rooms)}
    assert said == {room: number + 1 for room, number in FLOOR.items()}


@pytest.mark.parametrize(
    "hints, told",
    [
        ([network.Cell], hrnn._core.CELLS),
        ([training.Loss], hrnn._core.LOSSES),
        ([task.BlockLaw], hrnn._core.BLOCK_LAWS),
        ([inference.Evidence], hrnn._core.EVIDENCE),
        ([inference.ActorModel, inference.ObserverModel], hrnn._core.BLOCK_MODELS),
    ],
)
def test_hints_name_what_the_core_names(hints, told):
    def names(hint):
        options = typing.get_args(hint)
        return {n for o in options for n in ([o] if isinstance(o, str) else names(o))}

    assert set().union(*map(names, hints)) == set(told)
    assert set(cells.KINDS) == set(hrnn._core.CELLS)


@pytest.mark.parametrize("room", ["behavior", "plot", "figures", "statistics"])
def test_who_does_without_the_core(room):
    for path in (PACKAGE / room).rglob("*.py"):
        assert not re.search(r"\b_core\b", path.read_text()), path


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.relative_to(PACKAGE).as_posix()
)
def test_nothing_inside_comes_through_the_front_door(path):
    """A module that imports the package itself asks for names that may not be there yet.

    The command line is outside.
    """
    if path.name != "cli.py":
        assert "hrnn" not in set(imports(path))


def test_no_room_imports_itself_by_a_detour():
    """Arrows between modules and packages of the house, also those drawn late, inside a function.

    Form no circle.
    """
    rooms = {path.stem for path in PACKAGE.iterdir()} - {"__init__", "_core"}
    arrows = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        reached = {name.split(".")[1] for name in imports(path) if name.startswith("hrnn.")}
        arrows.setdefault(room, set()).update((reached & rooms) - {room})
    arrows.pop("__init__")
    graphlib.TopologicalSorter(arrows).prepare()  # CycleError names a circle


@pytest.mark.parametrize("path", sorted((PACKAGE / "base").glob("*.py")), ids=lambda p: p.name)
def test_the_base_imports_nothing_of_the_house_but_itself(path):
    assert all(
        name.startswith("hrnn.base") for name in imports(path) if name.split(".")[0] == "hrnn"
    )


OFFERS = [
    "hrnn",
    "hrnn.plot",
    "hrnn.figures",
    *(f"hrnn.{path.parent.name}" for path in PACKAGE.glob("*/__init__.pyi")),
]


@pytest.mark.parametrize("name", OFFERS)
def test_what_is_offered_is_there_and_nothing_else(name):
    """dir() is what Tab shows: every name resolves, none is a module that only serves others."""
    package = importlib.import_module(name)
    offered = dir(package)
    assert sorted(offered) == sorted(package.__all__) and len(set(offered)) == len(offered)
    assert all(getattr(package, one) is not None for one in offered)
    assert not {"importlib", "arguments", "io", "rng", "jobs", "engines", "np", "dataclass"} & set(
        offered
    )


def test_the_readme_begins_with_what_tab_shows():
    results = {
        "Training",
        "Rollout",
        "Sessions",
        "Population",
        "FixedPoints",
        "Observation",
        "Estimate",
    }
    assert {"mice", "behavior", "figures", "distill", "population"} | results <= set(dir(hrnn))
    assert {"fit", "Fit", "load", "compare"} <= set(dir(hrnn.mice))


@pytest.mark.parametrize("name", OFFERS[1:])
def test_no_module_has_the_name_of_a_function_beside_it(name):
    package = importlib.import_module(name)
    modules = {path.stem for path in Path(package.__file__).parent.glob("*.py")}
    assert all(inspect.ismodule(getattr(package, one)) for one in modules & set(package.__all__))


def test_type_checkers_read_the_same_list():
    """The stub says what `dir` says; lazily or not, it imports."""
    code = "import hrnn, hrnn.mice, hrnn.distill; print(len(dir(hrnn)), hrnn.rollout.__name__)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "EAGER_IMPORT": "1"},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [str(len(dir(hrnn))), "rollout"]


def test_python_h_only_in_binding():
    for path in (ROOT / "csrc").rglob("*.[ch]"):
        assert ("Python.h" in path.read_text()) == (path.name == "py.h"), path


def test_import_is_light():
    heavy = ("pandas", "scipy", "matplotlib", "sklearn", "tqdm")
    code = f"import sys, hrnn; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
        == "[]"
    )


def test_import_leaves_the_global_generator_alone():
    code = (
        "import numpy as np; np.random.seed(3); a = np.random.get_state()[1].copy(); import hrnn; "
    )
    code += "hrnn.Task().sample(n_blocks=1, rng=0); hrnn.Network.init('tanh', n_hidden=2, rng=0); "
    code += "print((a == np.random.get_state()[1]).all())"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
        == "True"
    )


def project_files():
    """Text of the tree as it is kept: no builds, no caches, nothing of git."""
    skipped = {"build", "dist", "wheelhouse", "_build", "__pycache__", "reproduced", "htmlcov"}
    for folder, inside, names in os.walk(ROOT):
        inside[:] = [
            d
            for d in inside
            if d not in skipped
            and not d.endswith(".egg-info")
            and (d[0] != "." or d in (".ci", ".github"))
        ]
        for name in names:
            path = Path(folder) / name
            if path.suffix not in (".so", ".dylib", ".pyc", ".png", ".pdf", ".npz", ".o"):
                yield path


def test_the_stub_names_the_functions_of_the_extension_and_their_arguments():
    stub = ast.parse((ROOT / "hrnn" / "_core.pyi").read_text())
    declared = {
        f.name: [a.arg for a in f.args.args] for f in stub.body if isinstance(f, ast.FunctionDef)
    }
    functions = {
        name: f for name, f in vars(hrnn._core).items() if callable(f) and not isinstance(f, type)
    }
    assert set(declared) == set(functions)
    for name, arguments in declared.items():
        said = re.match(rf"{name}\((.*?)\)[.:]", functions[name].__doc__)
        assert (
            name == "info"
            or [a for a in said[1].replace(" or None", "").split(", ") if a] == arguments
        ), name


def test_the_stub_names_the_constants_of_the_extension():
    stub = ast.parse((ROOT / "hrnn" / "_core.pyi").read_text())
    declared = {node.target.id for node in stub.body if isinstance(node, ast.AnnAssign)}
    assert declared == {name for name in vars(hrnn._core) if name.isupper()}


@pytest.mark.parametrize(
    "form, fields",
    [
        (TaskForm, hrnn._core.TASK_FIELDS),
        (SessionsForm, hrnn._core.SESSIONS_FIELDS),
        (BelieverForm, hrnn._core.BELIEVER_FIELDS),
        (CellForm, hrnn._core.CELL_FIELDS),
        (TrialsForm, hrnn._core.CHOICE_TRIALS_FIELDS),
        (DecisionForm, hrnn._core.CHOICE_DECISION_FIELDS),
    ],
)
def test_python_and_c_order_the_fields_of_a_form_alike(form, fields):
    """Two numbers in each other's place would pass every check of types and shapes."""
    assert form._fields == fields


def test_the_project_stands_alone():
    """Only .ci/run may look beside the repository, for the mice."""
    beside = "../" + "shared"
    found = {
        path.relative_to(ROOT).as_posix()
        for path in project_files()
        if beside.encode() in path.read_bytes()
    }
    assert found <= {".ci/run"}


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.name)
def test_notebooks_are_stored_without_outputs(path):
    for cell in json.loads(path.read_text())["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None


@pytest.mark.parametrize(
    "name, make, error",
    [
        ("theta", lambda: np.zeros(10, np.float32), TypeError),
        ("theta", lambda: np.zeros(10, ">f8"), TypeError),
        ("theta", lambda: np.zeros((2, 5)), ValueError),
        ("theta", lambda: np.zeros(20)[::2], ValueError),
        ("theta", lambda: np.zeros(11), ValueError),
        ("theta", lambda: list(range(10)), TypeError),
        ("theta", lambda: np.ma.zeros(10), TypeError),
    ],
)
def test_the_binding_refuses_wrong_arrays(name, make, error):
    with pytest.raises(error, match=name):
        hrnn._core.optim_sgd(0.1, 0.0, np.zeros(10), np.zeros(10), make())


def test_the_first_of_several_wrong_arrays_is_named():
    """A later check neither replaces the error of the first nor looks at what was not there."""
    short = np.zeros(3)
    with pytest.raises(TypeError, match="gradient must have dtype float64"):
        hrnn._core.optim_sgd(0.1, 0.0, np.zeros(10, np.float32), short, None)
    with pytest.raises(ValueError, match="velocity.shape"):
        hrnn._core.optim_sgd(0.1, 0.0, np.zeros(10), short, None)


def test_the_binding_refuses_read_only_and_overlapping_outputs():
    a = np.zeros(30)
    frozen = np.zeros(10)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="theta must be writeable"):
        hrnn._core.optim_sgd(0.1, 0.0, np.zeros(10), np.zeros(10), frozen)
    with pytest.raises(ValueError, match="theta must not overlap velocity"):
        hrnn._core.optim_sgd(0.1, 0.0, np.zeros(10), a[:10], a[5:15])


@pytest.mark.parametrize("isa", ["baseline", "v3", "v4"])
def test_tanh_and_exp_are_accurate_in_every_kernel(isa):
    order = ("baseline", "v3", "v4")
    if order.index(isa) > order.index(hrnn._core.info()["cpu_best"]):
        pytest.skip(f"this machine has no {isa}")
    code = """
import numpy as np, hrnn
small = 10.0 ** np.random.default_rng(0).uniform(-300, 2, 20000)
x = np.concatenate([np.linspace(-25, 25, 100001)[:100000], small])
out = np.empty_like(x)
hrnn._core.kernel_tanh(x, out)
exact = np.tanh(x.astype(np.longdouble))
assert (abs(out - exact) / np.spacing(abs(exact.astype(float)))).max() < 5
hrnn._core.kernel_tanh(-x, x2 := np.empty_like(x)); assert (x2 == -out).all()
hrnn._core.kernel_exp(x, out)
exact = np.exp(x.astype(np.longdouble))
assert (abs(out - exact) / np.spacing(exact.astype(float))).max() < 4
s = np.array([0.0, -0.0, np.inf, -np.inf]); hrnn._core.kernel_tanh(s, o := np.empty(4))
assert o.tolist() == [0, 0, 1, -1] and np.signbit(o[1])
s = np.array([np.nan, -710, 710, np.nan]); hrnn._core.kernel_exp(s, o)
assert np.isnan(o[[0, 3]]).all() and o[1] == 0 and o[2] == np.inf
print("ok")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"HRNN_CPU": isa},
    )
    assert done.stdout.strip() == "ok", done.stderr


def test_normal_draws_are_normal():
    from scipy import stats

    out = np.empty(400_000)
    hrnn._core.rng_normal(np.random.default_rng(0).bit_generator, out)
    assert stats.kstest(out, "norm").pvalue > 1e-4
    tail = abs(out)[abs(out) > 3.6541528853610088]
    expected = 400_000 * 2 * stats.norm.sf(3.6541528853610088)
    assert abs(len(tail) - expected) < 5 * np.sqrt(expected)
    assert abs(stats.skew(out)) < 0.02 and abs(stats.kurtosis(out)) < 0.04


def public_calls():
    """Functions and constructors of all modules, as (name, signature)."""
    for path in sorted(PACKAGE.rglob("*.py")):
        dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if dotted.endswith("__main__"):
            continue
        module = importlib.import_module(dotted)
        for name, found in vars(module).items():
            if name.startswith("_") or getattr(found, "__module__", None) != dotted:
                continue
            if inspect.isfunction(found) or inspect.isclass(found):
                try:
                    yield f"{dotted}.{name}", inspect.signature(found)
                except ValueError:
                    continue


def test_progress_and_threads_have_one_default():
    defaults = {"progress": True, "n_threads": None}
    seen = dict.fromkeys(defaults, 0)
    for name, signature in public_calls():
        for argument, default in defaults.items():
            parameter = signature.parameters.get(argument)
            if parameter is not None and parameter.default is not inspect.Parameter.empty:
                assert parameter.default is default, f"{name}({argument}=)"
                seen[argument] += 1
    assert min(seen.values()) >= 10, seen
