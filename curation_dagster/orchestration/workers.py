"""Which process a run is in, and whether that process still lives.

Dagster learns that a worker of its own launcher was killed from nobody: the run stays "started" for ever. So a run is
tagged with its process, and whoever looks next on the same host ends the run of a dead one. On other hosts, and with
launchers that watch their workers (Kubernetes), Dagster's run monitoring is the judge.
"""

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import dagster as dg

WORKER: Final = "curate/worker"
_AT_WORK: Final = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def said(run_id: str) -> str:
    """Name a run and this process: host (and container), pid and when it started (pids come again)."""
    return f"{run_id}@{_host()}/{os.getpid()}/{_started(os.getpid())}"


def is_dead(worker: str) -> bool:
    """Say whether a process of this host is gone; of another host nothing is known."""
    host, pid, started = worker.partition("@")[2].rsplit("/", 2)
    if host != _host():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return _started(int(pid)) != started


def bury(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]) -> list[dg.DagsterRun]:
    """End the runs whose process is gone as failed; return the others."""
    alive = []
    for run in runs:
        worker = run.tags.get(
            WORKER, ""
        )  # a run made from another one has that one's tag, until it starts
        if run.status in _AT_WORK and worker.startswith(f"{run.run_id}@") and is_dead(worker):
            instance.report_run_failed(run, f"the process of this run is gone: {worker}")
        else:
            alive.append(run)
    return alive


def _host() -> str:
    """Name the host, and the space of pids: containers may share a name."""
    try:
        space = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        space = ""
    return f"{socket.gethostname()}{space.removeprefix('pid:')}"


def _started(pid: int) -> str:
    """Return the clock ticks from the start of the system to that of a process, on Linux; else nothing."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[19]
    except OSError:
        return ""
