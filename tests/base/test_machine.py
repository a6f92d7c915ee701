"""Cores and memory that a process may use: affinity, limits, control groups of both versions."""

import os
import platform
import resource
import subprocess
import sys

import pytest

from hrnn.base import arguments, machine, parallel

GIB = 2**30


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Control groups as given: what the process is in, and files with what each may use."""

    def make(lines, files):
        (tmp_path / "cgroup").write_text(lines)
        for name, text in files.items():
            path = tmp_path / "fs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(machine, "GROUPS", tmp_path / "cgroup")
        monkeypatch.setattr(machine, "LIMITS", tmp_path / "fs")
        machine._memory_of_groups.cache_clear()

    make("", {})
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    if hasattr(os, "process_cpu_count"):
        monkeypatch.setattr(os, "process_cpu_count", lambda: 64)
    yield make
    machine._memory_of_groups.cache_clear()


@pytest.mark.parametrize(
    "lines, files, n",
    [
        ("", {}, 64),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 64),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 3),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "max 100000\n"}, 2),
        ("0::/a\n", {"a/cpu.max": "1000 100000\n"}, 1),
        ("3:cpu,cpuacct:/docker/x\n", {"cpu/cpu.cfs_quota_us": "400000\n",
                                       "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ("3:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1\n",
                                "cpu/x/cpu.cfs_period_us": "100000\n"}, 64),
    ],
)  # fmt: skip
def test_cores_are_those_of_the_quota(groups, lines, files, n):
    groups(lines, files)
    assert machine.n_cores() == n
    assert parallel.n_threads_of(None) == n
    assert parallel.n_threads_of(7) == 7


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs affinities")
def test_cores_are_those_of_the_affinity():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert parallel.n_threads_of(None) == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    "lines, files",
    [
        ("0::/job/step\n", {"job/memory.max": str(GIB), "job/step/memory.max": "max"}),
        ("5:memory:/job\n0::/\n", {"memory/job/memory.limit_in_bytes": str(GIB)}),
    ],
)
def test_memory_is_that_of_the_control_group(groups, lines, files):
    physical = machine.memory()
    groups(lines, files)
    assert machine.memory() == min(physical, GIB)
    arguments.refuse_size("n", 1, GIB / 2)
    with pytest.raises(ValueError, match="n = 1 would need 0.6 GiB, over half of the memory"):
        arguments.refuse_size("n", 1, 0.6 * GIB)


@pytest.mark.parametrize("kind", [resource.RLIMIT_AS, resource.RLIMIT_DATA])
def test_memory_is_that_of_the_limits(groups, monkeypatch, kind):
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda k: (GIB, GIB) if k == kind else unlimited)
    assert machine.memory() == GIB


@pytest.mark.skipif(platform.machine() != "x86_64", reason="OpenBLAS's names of other processors")
def test_the_processor_of_the_blas_is_the_one_that_was_asked_for():
    code = "import numpy, hrnn.base.machine as m; print(m.blas_processor())"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"OPENBLAS_CORETYPE": "Nehalem"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "Nehalem"
