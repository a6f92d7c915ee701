"""Work in parallel: in threads, in processes, or in somebody else's executor or cluster.

The C core releases the GIL, so threads are enough for it. No choice changes a result.

Ctrl-C reaches the main thread alone. Work in threads is therefore done by `workers`, and whatever
lasts calls `look` more often than every half second, or has C call it.

`run` stops at the first error: its jobs are pieces of one result. `each` records failures and goes
on: its tasks are results of their own.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import queue
import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Literal, TypeVar

from hrnn.base import machine
from hrnn.base.arguments import whole_number
from hrnn.base.progress import bar

_Task = TypeVar("_Task")
_Name = TypeVar("_Name")
_Result = TypeVar("_Result")

OWN: tuple[str, ...] = ("threads", "processes")
SECONDS: float = 1.0  # between looks at whether a cluster is still there


def n_threads_of(n_threads: int | None) -> int:
    """Number of threads from an argument; None means all cores that this process may use."""
    if n_threads is None:
        return machine.n_cores()
    return whole_number(n_threads, "n_threads")


_own = threading.local()  # .stops: of the pools that a thread works for


def _stops() -> tuple[threading.Event, ...]:
    return getattr(_own, "stops", ())


def look() -> None:
    """Raise KeyboardInterrupt in a worker of `workers` whose work is not wanted any more.

    In another thread it does nothing.
    """
    for stop in _stops():
        if stop.is_set():
            raise KeyboardInterrupt


@contextlib.contextmanager
def workers(n_threads: int) -> Iterator[concurrent.futures.ThreadPoolExecutor]:
    """Threads for a `with` block: whatever ends it, they end with it.

    What they have not begun is dropped; what they have begun ends where it calls `look`. A worker's
    own workers end with it, too.

    Parameters
    ----------
    n_threads : int
        How many.

    Examples
    --------
    >>> with workers(2) as pool:
    ...     list(pool.map(abs, [-1, 2]))
    [1, 2]
    """
    stop = threading.Event()
    stops = (*_stops(), stop)

    def begin() -> None:
        _own.stops = stops

    pool = concurrent.futures.ThreadPoolExecutor(n_threads, initializer=begin)
    try:
        yield pool
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


class _OneBlasThread:
    """NumPy on one thread while anybody is inside, in whatever order they come and go."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.n_inside = 0
        self.limits: list[Any] = []

    def __enter__(self) -> None:
        import scipy.linalg  # noqa: F401 - its BLAS must be there to be limited
        from threadpoolctl import ThreadpoolController

        with self.lock:
            self.n_inside += 1
            try:  # once more each time: a library may have come since
                self.limits.append(ThreadpoolController().limit(limits=1, user_api="blas"))
            except BaseException:
                self._leave()
                raise

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self._leave()

    def _leave(self) -> None:
        self.n_inside -= 1
        while self.limits and self.n_inside == 0:
            self.limits[-1].restore_original_limits()
            self.limits.pop()


one_blas_thread: contextlib.AbstractContextManager[None] = _OneBlasThread()
"""NumPy works on one thread in this `with` block: more would get in each other's way, and sums
would depend on their number."""


def run(
    jobs: Mapping[_Name, Callable[[], _Result]], n_threads: int, progress: bool
) -> dict[_Name, _Result]:
    """Do all jobs in threads; the first error, or Ctrl-C, stops the rest.

    Parameters
    ----------
    jobs : dict of name to callable()
        The work, which calls `look` more often than every half second.
    n_threads : int
        Number of jobs at work at once.
    progress : bool
        Show a bar.

    Returns
    -------
    dict of name to result
        What the jobs returned, in the order of `jobs`.

    Examples
    --------
    >>> run({"a": lambda: 1, "b": lambda: 2}, 2, False)
    {'a': 1, 'b': 2}
    """
    with bar(progress, len(jobs), unit="job") as shown, workers(n_threads) as pool:
        futures = {name: pool.submit(job) for name, job in jobs.items()}
        results = {}
        for name, future in futures.items():
            results[name] = future.result()
            shown.update()
        return results


def each(
    work: Callable[[_Task], object],
    tasks: Sequence[_Task],
    engine: Literal["threads", "processes"] | Any,
    n_workers: int,
) -> Generator[tuple[_Task, str | None], None, None]:
    """Do work(task) for all tasks, in any order.

    Parameters
    ----------
    work : callable(task)
        A function that can be pickled, and calls `look` more often than every half second.
    tasks : sequence
        What is given to the function, piece by piece.
    engine : {'threads', 'processes'}, concurrent.futures.Executor or dask.distributed.Client
        Who does the work.
    n_workers : int
        Number of threads or processes; an executor or a client knows its own.

    Yields
    ------
    (task, traceback or None)
        Each task as it ends. A task that was with a worker that died has failed; the others go on.
    """
    if engine == "threads":
        return _threads(work, tasks, n_workers)
    if engine == "processes":
        return _processes(work, tasks, n_workers)
    return _lent(work, tasks, engine)


def check(engine: object) -> None:
    """Refuse what is no engine for `each`, with a TypeError."""
    if isinstance(engine, str) and engine in OWN:
        return
    if not isinstance(engine, concurrent.futures.Executor) and not hasattr(engine, "get_executor"):
        raise TypeError(
            f"executor must be one of {OWN}, a concurrent.futures.Executor "
            f"or a dask.distributed.Client, got {engine!r}"
        )


def _outcome(future: Any) -> str | None:
    """Traceback of a future that ended, or None."""
    try:
        future.result()
    except Exception:  # a network that failed, or its worker: a failure is data here
        return traceback.format_exc()
    return None


def _threads(
    work: Callable[[_Task], object], tasks: Sequence[_Task], n_workers: int
) -> Generator[tuple[_Task, str | None], None, None]:
    with workers(n_workers) as pool:
        futures = {pool.submit(work, task): task for task in tasks}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], _outcome(future)


def _processes(
    work: Callable[[_Task], object], tasks: Sequence[_Task], n_workers: int
) -> Generator[tuple[_Task, str | None], None, None]:
    """Hand tasks out one per worker, so that a dead worker takes only its own with it."""
    left = list(reversed(tasks))
    pool = None
    running: dict[concurrent.futures.Future[object], _Task] = {}
    try:
        while left or running:
            pool = pool or _pool(n_workers)
            whole = _hand_out(work, left, pool, running, n_workers)
            done, _ = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED
            )
            if not whole or _any_broken(done):
                done = concurrent.futures.wait(running).done
                _end(pool)
                pool = None
            for future in done:
                yield running.pop(future), _outcome(future)
        if pool is not None:
            pool.shutdown()
            pool = None
    finally:  # on Ctrl-C
        if pool is not None:
            _end(pool)


def _any_broken(done: set[concurrent.futures.Future[object]]) -> bool:
    """Whether a future ended because its pool broke."""
    return any(isinstance(future.exception(), BrokenProcessPool) for future in done)


def _hand_out(
    work: Callable[[_Task], object],
    left: list[_Task],
    pool: concurrent.futures.ProcessPoolExecutor,
    running: dict[concurrent.futures.Future[object], _Task],
    n_workers: int,
) -> bool:
    """Give every free worker a task; False if the pool is broken."""
    while left and len(running) < n_workers:
        try:
            future = pool.submit(work, left[-1])
        except BrokenProcessPool:
            return False
        running[future] = left.pop()
    return True


def _pool(n_workers: int) -> concurrent.futures.ProcessPoolExecutor:
    # forked workers would keep the folder's lock, and BLAS in an unknown state
    context = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(
        n_workers, mp_context=context, initializer=_watch_parent
    )


def _watch_parent() -> None:
    """End this worker when its parent has died, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # a worker has one

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _end(pool: concurrent.futures.ProcessPoolExecutor) -> None:
    """Stop a pool at once: what its workers have not written is not wanted."""
    for worker in list((pool._processes or {}).values()):
        worker.kill()
    pool.shutdown(wait=True, cancel_futures=True)


def _lent(
    work: Callable[[_Task], object], tasks: Sequence[_Task], engine: Any
) -> Generator[tuple[_Task, str | None], None, None]:
    """Submit all tasks to an executor, or to that of a dask client."""
    executor = engine.get_executor(pure=False) if hasattr(engine, "get_executor") else engine
    futures = {executor.submit(work, task): task for task in tasks}
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for future in futures:  # as_completed would wait for ever for what a lost cluster has cancelled
        future.add_done_callback(done.put)
    try:
        while futures:
            try:
                future = done.get(timeout=SECONDS)
            except queue.Empty:
                # a client that has given up its scheduler
                if getattr(engine, "status", None) == "closed":
                    break
            else:
                yield futures.pop(future), _outcome(future)
        for task in futures.values():
            yield task, "ConnectionError: the cluster was lost"
    finally:
        for future in futures:
            future.cancel()
