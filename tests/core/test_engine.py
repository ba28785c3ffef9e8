"""The engine: order, failures, killed workers, limits."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from curation_dagster import engine
from curation_dagster.errors import CurationError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Awkward(Exception):  # noqa: N818
    """An error that cannot be pickled back: its arguments are not those of its constructor."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one}{two}")


def job(order: tuple[str, int]) -> Any:
    """Do what a test asks of a worker."""
    kind, number = order
    match kind:
        case "slow":
            time.sleep(0.2)
        case "raise":
            msg = f"bad {number}"
            raise ValueError(msg)
        case "refuse":
            msg = f"law {number}"
            raise IntegrityError(msg)
        case "awkward":
            raise Awkward("a", "b")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "limits":
            import polars as pl

            names = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS")
            return [os.environ.get(n) for n in names], pl.thread_pool_size()
        case "process":
            return os.getpid(), multiprocessing.get_start_method(allow_none=True)
    return number * number


@pytest.fixture(autouse=True, scope="module")
def _no_pools_left() -> Iterator[None]:
    yield
    engine._drop_pools()


def run(orders: list[tuple[str, int]], workers: int = 2) -> list[engine.Outcome[Any]]:
    return engine.run_all(job, orders, [f"k{n}" for _, n in orders], workers=workers)


def told(outcomes: list[engine.Outcome[Any]]) -> list[tuple[str, Any, str]]:
    return [(o.key, o.result, o.message if o.error else "") for o in outcomes]


MIXED = [("slow", 0), ("square", 1), ("raise", 2), ("square", 3), ("refuse", 4), ("slow", 5)]


@pytest.mark.parametrize("workers", [1, 2])
def test_order_and_failures(workers: int) -> None:
    assert told(run(MIXED, workers)) == [
        ("k0", 0, ""),
        ("k1", 1, ""),
        ("k2", None, "k2: ValueError: bad 2"),
        ("k3", 9, ""),
        ("k4", None, "k4: law 4"),
        ("k5", 25, ""),
    ]


def test_a_killed_worker_fails_its_own_job_only() -> None:
    outcomes = run([("square", 1), ("die", 2), ("slow", 3), ("square", 4)])
    assert [o.result for o in outcomes] == [1, None, 9, 16]
    assert isinstance(outcomes[1].error, CurationError)
    assert outcomes[1].message == "k2: the worker process died (killed, or out of memory)"
    assert [o.result for o in run([("square", 5), ("square", 6)])] == [25, 36]


PARENT = """
import os, signal, sys, time
from curation_dagster import engine
from tests.core.test_engine import job
if __name__ == "__main__":
    def watch(label, done, total):
        if done == 2:
            print(*[process.pid for process in engine.multiprocessing.active_children()], flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    engine.observer.set(watch)
    engine.run_all(job, [("square", n) for n in range(4)], list("abcd"), workers=2)
"""


def test_workers_of_a_killed_process_end(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    paths = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    said = tmp_path / "pids"  # no pipe: a worker that lives on would hold it open
    with said.open("w") as out:
        environment = os.environ | {"PYTHONPATH": paths}
        done = subprocess.run(
            [sys.executable, script], env=environment, stdout=out, check=False, timeout=60
        )
    assert done.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in said.read_text().split()]
    assert len(pids) == 2
    for _ in range(100):
        left = [pid for pid in pids if _runs(pid)]
        if not left:
            break
        time.sleep(0.1)
    assert left == []


def _runs(pid: int) -> bool:
    """Say whether a process is there and is no zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_an_error_that_cannot_be_sent_fails_its_own_job_only() -> None:
    outcomes = run([("square", 1), ("awkward", 2), ("square", 3)])
    assert [o.result for o in outcomes] == [1, None, 9]
    assert outcomes[1].error is not None


def test_workers_are_limited_spawned_and_kept() -> None:
    each = max(1, engine.cores() // 2)
    for outcome in run([("limits", 0), ("limits", 1)]):
        assert outcome.result == ([str(each)] * 3, each)
    first = {o.result for o in run([("process", 0), ("process", 1)])}
    again = {o.result for o in run([("process", 0), ("process", 1)])}
    assert os.getpid() not in {pid for pid, _ in first | again}
    assert len({pid for pid, _ in first | again}) <= 2
    assert {method for _, method in first | again} == {"spawn"}


def test_one_worker_is_this_process() -> None:
    assert run([("process", 0)], workers=4)[0].result[0] == os.getpid()
    assert run([("process", 0), ("process", 1)], workers=1)[1].result[0] == os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_observer_sees_every_step(workers: int) -> None:
    seen: list[tuple[str, int, int]] = []
    token = engine.observer.set(lambda *what: seen.append(what))
    try:
        engine.run_all(job, MIXED[1:4], ["a", "b", "c"], workers=workers, label="raw")
    finally:
        engine.observer.reset(token)
    assert seen == [("raw", n, 3) for n in range(4)]
    engine.run_all(job, MIXED[1:2], ["a"], label="raw")
    assert len(seen) == 4


def test_nothing_to_do() -> None:
    assert run([]) == []


def test_an_interrupt_is_not_swallowed() -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.run_all(interrupted, [1], ["a"])
