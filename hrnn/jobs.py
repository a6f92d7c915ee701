"""Independent pieces of long work in parallel threads (the C core releases the GIL), with one progress bar."""

import threading
from concurrent.futures import ThreadPoolExecutor

from hrnn.rollout import bar


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
    with ThreadPoolExecutor(n_threads) as pool, bar(progress, len(jobs), unit="job") as shown:
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
