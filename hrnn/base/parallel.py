"""Work in parallel: in threads, in processes, or in somebody else's executor or cluster.

The C core releases the GIL, so threads are enough for it. No choice changes a result.

`run` stops at the first error: its jobs are pieces of one result. `each` records failures and goes
on: its tasks are results of their own.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import queue
import threading
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Literal, TypeVar

from hrnn.base.arguments import whole_number
from hrnn.base.progress import bar

_Task = TypeVar("_Task")
_Name = TypeVar("_Name")
_Result = TypeVar("_Result")

OWN: tuple[str, ...] = ("threads", "processes")
SECONDS: float = 1.0  # between looks at whether a cluster is still there


def n_threads_of(n_threads: int | None) -> int:
    """Number of threads from an argument; None means all cores."""
    if n_threads is None:
        return os.cpu_count() or 1
    return whole_number(n_threads, "n_threads")


def run(
    jobs: Mapping[_Name, Callable[[threading.Event], _Result]], n_threads: int, progress: bool
) -> dict[_Name, _Result]:
    """Do all jobs in threads; the first error, or Ctrl-C, stops the rest.

    Parameters
    ----------
    jobs : dict of name to callable(stop)
        The work. `stop` is a threading.Event: a job raises KeyboardInterrupt soon after it is set.
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
    >>> run({"a": lambda stop: 1, "b": lambda stop: 2}, 2, False)
    {'a': 1, 'b': 2}
    """
    stop = threading.Event()
    with (
        concurrent.futures.ThreadPoolExecutor(n_threads) as pool,
        bar(progress, len(jobs), unit="job") as shown,
    ):
        futures = {name: pool.submit(job, stop) for name, job in jobs.items()}
        try:
            results = {}
            for name, future in futures.items():
                results[name] = future.result()
                shown.update()
            return results
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def each(
    work: Callable[[_Task, threading.Event | None], object],
    tasks: Sequence[_Task],
    engine: Literal["threads", "processes"] | Any,
    n_workers: int,
) -> Generator[tuple[_Task, str | None], None, None]:
    """Do work(task) for all tasks, in any order.

    Parameters
    ----------
    work : callable(task, stop)
        A function that can be pickled. `stop`, an Event in threads and None elsewhere, is set when
        the work is to be given up.
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
    work: Callable[[_Task, threading.Event | None], object], tasks: Sequence[_Task], n_workers: int
) -> Generator[tuple[_Task, str | None], None, None]:
    stop = threading.Event()
    pool = concurrent.futures.ThreadPoolExecutor(n_workers)
    futures = {pool.submit(work, task, stop): task for task in tasks}
    try:
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], _outcome(future)
    # also on Ctrl-C; who is at work gives up at the next occasion, and nobody waits for it
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _processes(
    work: Callable[[_Task, None], object], tasks: Sequence[_Task], n_workers: int
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
    work: Callable[[_Task, None], object],
    left: list[_Task],
    pool: concurrent.futures.ProcessPoolExecutor,
    running: dict[concurrent.futures.Future[object], _Task],
    n_workers: int,
) -> bool:
    """Give every free worker a task; False if the pool is broken."""
    while left and len(running) < n_workers:
        try:
            future = pool.submit(work, left[-1], None)
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
    work: Callable[[_Task, None], object], tasks: Sequence[_Task], engine: Any
) -> Generator[tuple[_Task, str | None], None, None]:
    """Submit all tasks to an executor, or to that of a dask client."""
    executor = engine.get_executor(pure=False) if hasattr(engine, "get_executor") else engine
    futures = {executor.submit(work, task, None): task for task in tasks}
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
