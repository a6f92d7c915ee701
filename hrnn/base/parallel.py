"""Work in parallel: threads (the C core releases the GIL), processes.

Or somebody else's executor or cluster. None changes a result.

`run` stops at the first error: pieces of one result. `each` records failures and goes on: pieces
that are results of their own.
"""

import concurrent.futures
import multiprocessing
import os
import queue
import threading
import traceback
from concurrent.futures.process import BrokenProcessPool

from hrnn.base.arguments import whole_number
from hrnn.base.progress import bar

OWN = ("threads", "processes")
SECONDS = 1.0  # between looks at whether a cluster is still there


def n_threads_of(n_threads):
    """Number of threads from an argument: None means all cores."""
    return os.cpu_count() or 1 if n_threads is None else whole_number(n_threads, "n_threads")


def run(jobs, n_threads, progress):
    """Results of all jobs by name; the first error, or Ctrl-C, stops the rest.

    Parameters
    ----------
    jobs : dict of name to callable(stop)
        `stop` is a threading.Event: a job raises KeyboardInterrupt soon after it is set.
    n_threads : int
    progress : bool

    Returns
    -------
    dict of name to result

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


def each(work, tasks, engine, n_workers):
    """Do work(task) for all tasks, in any order.

    Parameters
    ----------
    work : callable(task, stop)
        Can be pickled. `stop`, an Event in threads and None elsewhere, is set when the work is to
        be given up.
    tasks : sequence
    engine : {'threads', 'processes'}, concurrent.futures.Executor or dask.distributed.Client
    n_workers : int
        Of the first two.

    Yields
    ------
    (task, traceback or None)
        As they end. A task that was with a worker that died has failed; the others go on.
    """
    if engine == "threads":
        return _threads(work, tasks, n_workers)
    if engine == "processes":
        return _processes(work, tasks, n_workers)
    return _lent(work, tasks, engine)


def check(engine):
    """Refuse what is no engine."""
    if isinstance(engine, str) and engine in OWN:
        return
    if not isinstance(engine, concurrent.futures.Executor) and not hasattr(engine, "get_executor"):
        raise TypeError(
            f"executor must be one of {OWN}, a concurrent.futures.Executor or a dask.distributed.Client, got {engine!r}"
        )


def _outcome(future):
    """Traceback of a future that ended, or None."""
    try:
        future.result()
    except Exception:  # a network that failed, or its worker: a failure is data here
        return traceback.format_exc()
    return None


def _threads(work, tasks, n_workers):
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


def _processes(work, tasks, n_workers):
    """Tasks are handed out one per worker.

    So that a dead worker takes only those in work with it.
    """
    left = list(reversed(tasks))
    pool = None
    running = {}
    try:
        while left or running:
            pool = pool or _pool(n_workers)
            whole = _hand_out(work, left, pool, running, n_workers)
            done, _ = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED
            )
            if not whole or any(
                isinstance(future.exception(), BrokenProcessPool) for future in done
            ):
                done = concurrent.futures.wait(running).done
                pool = _end(pool)
            for future in done:
                yield running.pop(future), _outcome(future)
        if pool is not None:
            pool.shutdown()
            pool = None
    finally:  # on Ctrl-C
        if pool is not None:
            _end(pool)


def _hand_out(work, left, pool, running, n_workers):
    """Give every free worker a task; False if the pool is broken."""
    while left and len(running) < n_workers:
        try:
            future = pool.submit(work, left[-1], None)
        except BrokenProcessPool:
            return False
        running[future] = left.pop()
    return True


def _pool(n_workers):
    context = multiprocessing.get_context(
        "spawn"
    )  # forked workers would keep the folder's lock, and BLAS in an unknown state
    return concurrent.futures.ProcessPoolExecutor(
        n_workers, mp_context=context, initializer=_watch_parent
    )


def _watch_parent():
    """End this worker when its parent has died, even by SIGKILL."""

    def watch():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _end(pool):
    """Stop a pool at once: what its workers have not written is not wanted."""
    for worker in list((pool._processes or {}).values()):
        worker.kill()
    pool.shutdown(wait=True, cancel_futures=True)


def _lent(work, tasks, engine):
    executor = engine.get_executor(pure=False) if hasattr(engine, "get_executor") else engine
    futures = {executor.submit(work, task, None): task for task in tasks}
    done = queue.SimpleQueue()
    for future in futures:  # as_completed would wait for ever for what a lost cluster has cancelled
        future.add_done_callback(done.put)
    try:
        while futures:
            try:
                future = done.get(timeout=SECONDS)
            except queue.Empty:
                if (
                    getattr(engine, "status", None) == "closed"
                ):  # a client that has given up its scheduler
                    break
            else:
                yield futures.pop(future), _outcome(future)
        for task in futures.values():
            yield task, "ConnectionError: the cluster was lost"
    finally:
        for future in futures:
            future.cancel()
