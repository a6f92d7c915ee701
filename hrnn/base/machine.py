"""What this process may use of its machine.

That is less than there is in a container, or under a batch system.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Iterator
from pathlib import Path

GROUPS: Path = Path("/proc/self/cgroup")  # the control groups that this process is in
LIMITS: Path = Path("/sys/fs/cgroup")  # and what each may use


def n_cores() -> int:
    """Number of cores that this process may use.

    Those of its affinity, such as Slurm and taskset set, and no more than its control group's quota
    of time, rounded up.

    Examples
    --------
    >>> n_cores() >= 1
    True
    """
    n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for text in _limits("cpu", "cpu.max"):  # "quota period", or "max period"
        quota, period = text.split()
        if quota != "max":
            n = min(n, math.ceil(int(quota) / int(period)))
    periods = _limits("cpu", "cpu.cfs_period_us")
    for quota, period in zip(_limits("cpu", "cpu.cfs_quota_us"), periods, strict=False):
        if int(quota) > 0:
            n = min(n, math.ceil(int(quota) / int(period)))
    return max(n, 1)


def blas_processor() -> str:
    """For which processor the BLAS of NumPy and SciPy works here; it chooses when it is loaded.

    Its sums depend on it in their last bits. `OPENBLAS_CORETYPE` sets it.

    Returns
    -------
    str
        As OpenBLAS names it, such as 'SkylakeX'; several, where several are loaded, with '+'
        between; empty where it does not say.
    """
    from threadpoolctl import ThreadpoolController

    loaded = ThreadpoolController().select(user_api="blas").info()
    return "+".join(sorted({library.get("architecture") or "" for library in loaded} - {""}))


def memory() -> float:
    """Bytes of memory that this process may use.

    Those of the machine, and no more than its own limits (ulimit -v, -d) and its control group's.

    Examples
    --------
    >>> memory() > 2**20
    True
    """
    import resource

    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        limit = resource.getrlimit(kind)[0]
        if limit != resource.RLIM_INFINITY:
            most = min(most, limit)
    return min(most, _memory_of_groups())


@functools.cache
def _memory_of_groups() -> float:
    """Least limit of the control groups, read once: reading takes longer than a short rollout."""
    names = ("memory.max", "memory.limit_in_bytes")
    found = [text for name in names for text in _limits("memory", name)]
    return min((int(text) for text in found if text != "max"), default=math.inf)


def _limits(controller: str, name: str) -> Iterator[str]:
    """What a file says in the control group of this process, and in each that holds it.

    Of version 2, where all controllers are in one tree, and of version 1, where each has its own.
    """
    try:
        lines = GROUPS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = LIMITS / controller if controllers else LIMITS
        inner = top / group.lstrip("/")
        for folder in (inner, *inner.parents):
            with contextlib.suppress(OSError):
                yield (folder / name).read_text().strip()
            if folder == top:
                break
