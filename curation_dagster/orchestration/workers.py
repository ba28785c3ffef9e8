"""Which process a run is in, and whether that process still lives.

Dagster learns that a worker of its own launcher was killed from nobody: the run stays "started" for ever. So a run is
tagged with its process, and whoever looks next on the same host ends the run of a dead one. On other hosts, and with
launchers that watch their workers (Kubernetes), Dagster's run monitoring is the judge.
"""

import os
from collections.abc import Sequence
from typing import Final

import dagster as dg

from curation_dagster import process

WORKER: Final = "curate/worker"
_AT_WORK: Final = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def said(run_id: str) -> str:
    """Name a run and this process: host (and container), pid and when it started (pids come again)."""
    return f"{run_id}@{process.host()}/{os.getpid()}/{process.started(os.getpid())}"


def is_dead(worker: str) -> bool:
    """Say whether a process of this host is gone; of another host nothing is known."""
    host, pid, since = worker.partition("@")[2].rsplit("/", 2)
    return host == process.host() and not process.lives(int(pid), since)


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
