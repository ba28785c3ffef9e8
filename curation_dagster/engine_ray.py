"""A function mapped over partitions: tasks on a Ray cluster that is already there, with the outcomes of `engine`.

The cluster is the one RAY_ADDRESS names; none is ever started here. What is sent is pickled by reference, as for a
process, so every node needs the package, the libraries and the files of the recipe: `alike` says what they are, and
nodes that differ are refused before any work, those that join later when they are given some. A task whose node or
worker dies is run again by Ray, elsewhere if need be; an error of the function is an outcome, and is not.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import pickle
import signal
import socket
import threading
import traceback
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from curation_dagster.engine import Outcome, limits, tell
from curation_dagster.errors import CurationError, RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
J = TypeVar("J")
Alike = dict[str, str]

ADDRESS: Final = "RAY_ADDRESS"
RETRIES: Final = 3  # Ray's own default; a task that kills its worker does so once more than that
_ANSWER_S: Final = 120.0  # a worker's start and imports, on a busy node
_REACH_S: Final = 5.0
_LOOK_S: Final = 1.0  # how long an interrupt may wait
_found_alike: set[bytes] = set()


def require() -> str:
    """Return the address of the cluster.

    Raises:
        RecipeError: where Ray is not installed, or the environment names no cluster.
    """
    if importlib.util.find_spec("ray") is None:
        msg = 'engine = "ray" needs Ray: pip install "curation_dagster[ray]"'
        raise RecipeError(msg)
    address = os.environ.get(ADDRESS, "").strip()
    if address in {"", "local"}:
        msg = (
            f'engine = "ray" works on a cluster that is there: expected its address in {ADDRESS} (host:port, or '
            f'ray://host:port from outside it), found {address or "nothing"!r}; or say engine = "processes"'
        )
        raise RecipeError(msg)
    return address


def run_all(
    function: Callable[[J], T],
    jobs: Sequence[J],
    keys: Sequence[str],
    *,
    workers: int,
    label: str,
    alike: Callable[[], Alike] | None,
) -> list[Outcome[T]]:
    """Call `function` on every job, `workers` at a time (0: one a CPU of the cluster); never raises for a job.

    Raises:
        RecipeError: where Ray or its address is missing.
        CurationError: where the cluster does not answer, or a node is not like this machine.
    """
    ray = _connected()
    threads = _threads(ray, workers)
    how = {"max_retries": RETRIES, "runtime_env": {"env_vars": limits(threads)}}
    expected = pickle.dumps((alike, alike())) if alike else b""
    if alike:
        _agree(ray, how, expected)
    task = ray.remote(num_cpus=threads, scheduling_strategy="SPREAD", **how)(_task)
    done: dict[int, Outcome[T]] = {}
    running: dict[Any, int] = {}
    waiting = _payloads(function, jobs, keys, done)
    tell(label, 0, len(jobs))
    try:
        while True:
            while len(running) < (workers or len(jobs)) and (following := next(waiting, None)):
                i, payload = following
                running[task.remote(expected, payload)] = i
            if not running:
                break
            for ref in ray.wait(list(running), timeout=_LOOK_S)[0]:
                i = running.pop(ref)
                done[i] = _outcome(ray, ref, keys[i])
                tell(label, len(done), len(jobs))
    finally:  # only where something stopped the run: an interrupt, or the end of the cluster
        for ref in running:
            with contextlib.suppress(Exception):
                ray.cancel(ref, force=True)
    return [done[i] for i in range(len(jobs))]


def disconnect() -> None:
    """Leave the cluster; what still runs for this process there is ended."""
    import ray

    ray.shutdown()


def _payloads(
    function: Callable[[J], T], jobs: Sequence[J], keys: Sequence[str], done: dict[int, Outcome[T]]
) -> Iterator[tuple[int, bytes]]:
    """Yield what is sent for every job; one that cannot be is done, and failed."""
    for i, job in enumerate(jobs):
        try:
            payload = pickle.dumps((function, job))
        except Exception as error:  # noqa: BLE001 - pickle raises anything
            done[i] = Outcome(keys[i], None, error)
        else:
            yield i, payload


def _task(expected: bytes, payload: bytes) -> tuple[Any, BaseException | None]:
    """Do one job on a node; an error is an answer, not a failure of Ray's."""
    try:
        if expected and expected not in _found_alike:
            differences = _differences(expected)
            if differences:
                raise CurationError(_unlike(socket.gethostname(), differences))
            _found_alike.add(expected)
        function, job = pickle.loads(payload)  # noqa: S301 - our own, from the driver
        return function(job), None
    except Exception as error:  # noqa: BLE001 - whatever stops one job must not stop the others
        return None, _sendable(error)


def _look(expected: bytes) -> list[str]:
    """Say on a node what is not as on the machine that asks."""
    return _differences(expected)


def _differences(expected: bytes) -> list[str]:
    alike, there = pickle.loads(expected)  # noqa: S301 - our own, from the driver
    here = alike()
    return [
        f"{what}: {here.get(what, 'absent')}, expected {there.get(what, 'absent')}"
        for what in sorted(there | here)
        if here.get(what) != there.get(what)
    ]


def _unlike(node: str, differences: list[str]) -> str:
    shown = "\n  ".join(differences)
    return (
        f"the Ray node {node} is not like the machine of the run, so its bytes might differ:\n  {shown}\n"
        "Give all nodes the same image and files, or take this one out of the cluster."
    )


def _sendable(error: Exception) -> Exception:
    """Return an error that survives pickling, with its traceback as a note."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - ours
    except Exception:  # noqa: BLE001 - pickle raises anything
        error = RuntimeError(f"{type(error).__name__}: {error}").with_traceback(error.__traceback__)
    error.add_note("".join(traceback.format_tb(error.__traceback__)))
    return error


def _outcome(ray: Any, ref: Any, key: str) -> Outcome[Any]:  # noqa: ANN401 - Ray has no types here
    try:
        result, error = ray.get(ref)
    except ray.exceptions.OutOfMemoryError:
        error = CurationError("the node ran out of memory, and Ray ended the worker process")
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError):
        times = RETRIES + 1
        error = CurationError(
            f"the worker process died {times} times (killed, or out of memory), or its nodes did"
        )
    except Exception as failure:  # noqa: BLE001 - whatever Ray says of one task
        error = CurationError(f"Ray: {type(failure).__name__}: {failure}")
    return Outcome(key, None, error) if error else Outcome(key, result)


def _threads(ray: Any, workers: int) -> int:  # noqa: ANN401
    """Share the cluster's CPUs out among `workers`, no more to one than its smallest node has."""
    cpus = [int(count) for _, _, count in _nodes(ray)]
    if not workers or not cpus:
        return 1
    return max(1, min(sum(cpus) // workers, *cpus))


def _nodes(ray: Any) -> list[tuple[str, str, float]]:  # noqa: ANN401
    """List the nodes that take tasks: id, address, CPUs."""
    return [
        (node["NodeID"], node["NodeManagerAddress"], node["Resources"]["CPU"])
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
    ]


def _agree(ray: Any, how: dict[str, Any], expected: bytes) -> None:  # noqa: ANN401
    """Ask every node whether it is like this machine.

    Raises:
        CurationError: naming the first node that is not, and what differs.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked = {}
    for node, address, _ in _nodes(ray):
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        look = ray.remote(num_cpus=0, scheduling_strategy=there, **how)(_look)
        asked[look.remote(expected)] = (node, address)
    ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWER_S)
    for ref, (node, address) in asked.items():
        try:
            differences = ray.get(ref, timeout=0)
        except Exception as error:
            if node not in {alive for alive, _, _ in _nodes(ray)}:
                continue  # it died while it was asked
            what = str(error).strip().splitlines()[-1]
            msg = f"the Ray node {address} cannot do the work: {type(error).__name__}: {what}"
            raise CurationError(msg) from error
        if differences:
            raise CurationError(_unlike(address, differences))


def _connected() -> Any:  # noqa: ANN401
    """Join the cluster, once a process.

    Raises:
        RecipeError: where Ray or its address is missing.
        CurationError: where nothing answers there, or what does is another version.
    """
    address = require()
    import ray

    if ray.is_initialized():
        return ray
    _reach(address)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        msg = f"{ADDRESS}={address}: {type(error).__name__}: {error}"
        raise CurationError(msg) from error
    finally:  # Ray takes the signal by which Dagster ends a run
        if threading.current_thread() is threading.main_thread() and handler is not None:
            signal.signal(signal.SIGTERM, handler)
    return ray


def _reach(address: str) -> None:
    """See that something listens: Ray itself tries for minutes.

    Raises:
        CurationError: naming the address.
    """
    parts = urlsplit(address if "://" in address else f"//{address}")
    if parts.port is None:
        return  # "auto", which Ray looks up
    try:
        socket.create_connection((parts.hostname or "", parts.port), timeout=_REACH_S).close()
    except OSError as error:
        msg = f"{ADDRESS}={address}: no Ray cluster answers there: {error}"
        raise CurationError(msg) from error
