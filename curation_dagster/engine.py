"""A function mapped over partitions: processes on this machine, one failure costing one partition.

Workers are spawned (never forked) and share the cores: each gets its part of the Polars threads.
This module imports nothing that starts threads, so that a worker can set its limits first. Results
come in the order of the jobs, whatever the order they finished in.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from curation_dagster.errors import CurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from curation_dagster.recipe import Engine

T = TypeVar("T")
J = TypeVar("J")
observer: ContextVar[Callable[[str, int, int], None] | None] = ContextVar("observer", default=None)
_pools: dict[int, ProcessPoolExecutor] = {}
_THREAD_LIMITS: Final = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What became of one job: a result, or the error that stopped it."""

    key: str
    result: T | None
    error: BaseException | None = None

    @property
    def message(self) -> str:
        """One line for a log: the key and what went wrong."""
        kind = "" if isinstance(self.error, CurationError) else f"{type(self.error).__name__}: "
        return f"{self.key}: {kind}{self.error}"


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def run_all(
    function: Callable[[J], T],
    jobs: Sequence[J],
    keys: Sequence[str],
    *,
    workers: int = 0,
    label: str = "",
    engine: Engine = "processes",
    alike: Callable[[], dict[str, str]] | None = None,
) -> list[Outcome[T]]:
    """Call `function` on every job, on `workers` processes (0: one a core); never raises for a job.

    A worker that dies (killed, out of memory) takes down the pool, not the run: what had not
    finished is run again, one job at a time, so that the job that kills its worker is the one that
    fails. The engine "ray" takes nodes of a cluster for processes; `alike` says what they must share.

    Raises:
        CurationError: where the engine "ray" has no cluster, or one whose nodes differ.
    """
    if not jobs:
        return []
    if engine == "ray":
        from curation_dagster import engine_ray

        return engine_ray.run_all(function, jobs, keys, workers=workers, label=label, alike=alike)
    workers = min(workers or cores(), len(jobs))
    if workers <= 1:
        return _inline(function, jobs, keys, label)
    done: dict[int, Outcome[T]] = {}
    tell(label, 0, len(jobs))
    try:
        pool = _pool(workers)
        futures = {pool.submit(function, job): i for i, job in enumerate(jobs)}
        for future in as_completed(futures):
            i = futures[future]
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                raise error
            done[i] = Outcome(keys[i], None if error else future.result(), error)
            tell(label, len(done), len(jobs))
    except BrokenProcessPool:
        _drop_pools()
        for i in range(len(jobs)):
            if i not in done:
                done[i] = _alone(function, jobs[i], keys[i])
                tell(label, len(done), len(jobs))
    return [done[i] for i in range(len(jobs))]


def _inline(
    function: Callable[[J], T], jobs: Sequence[J], keys: Sequence[str], label: str
) -> list[Outcome[T]]:
    outcomes: list[Outcome[T]] = []
    tell(label, 0, len(jobs))
    for job, key in zip(jobs, keys, strict=True):
        try:
            outcomes.append(Outcome(key, function(job)))
        except Exception as error:  # noqa: BLE001 - whatever stops one job must not stop the others
            outcomes.append(Outcome(key, None, error))
        tell(label, len(outcomes), len(jobs))
    return outcomes


def _alone(function: Callable[[J], T], job: J, key: str) -> Outcome[T]:
    """Run one job in a process of its own, to tell whether it is the one that kills workers."""
    with _new_pool(1) as pool:
        error = (future := pool.submit(function, job)).exception()
        if isinstance(error, BrokenProcessPool):
            error = CurationError("the worker process died (killed, or out of memory)")
        return Outcome(key, None if error else future.result(), error)


def _pool(workers: int) -> ProcessPoolExecutor:
    """Return the pool of this size, started once and kept for the next stage."""
    if workers not in _pools:
        if not _pools:
            atexit.register(_drop_pools)
        _pools[workers] = _new_pool(workers)
    return _pools[workers]


def _new_pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(max(1, cores() // workers),),
    )


def _drop_pools() -> None:
    while _pools:
        _pools.popitem()[1].shutdown(wait=False, cancel_futures=True)


def limits(threads: int) -> dict[str, str]:
    """Return the environment that limits a worker's threads, where it is set before Polars is imported."""
    return dict.fromkeys(_THREAD_LIMITS, str(threads))


def _start_worker(threads: int) -> None:
    """Limit the threads of a worker, and let it end with the process it works for."""
    os.environ.update(limits(threads))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the parent to end: one that is killed tells its workers nothing, and they would wait for ever."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def tell(label: str, done: int, total: int) -> None:
    """Tell whoever watches how far a step is."""
    if watch := observer.get():
        watch(label, done, total)
