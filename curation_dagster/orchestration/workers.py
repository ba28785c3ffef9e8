"""Which process a run is in, and whether that process still lives.

Dagster learns that a worker of its own launcher was killed from nobody: the run stays "started" for ever. So a run is
tagged with its process, and whoever looks next on the same host ends the run of a dead one. On other hosts, and with
launchers that watch their workers (Kubernetes), Dagster's run monitoring is the judge.
"""

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import dagster as dg

from curation_dagster import processes
from curation_dagster.orchestration.runs import RECIPE
from curation_dagster.recipe import Recipe

WORKER: Final = "curate/worker"
_AT_WORK: Final = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
_BUSY: Final = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    *_AT_WORK,
)
# From the start of a run to its first step, which names the process, it is a second or two.
_SILENT_S: Final = 60


def mark(context: dg.AssetExecutionContext) -> None:
    """Tag the run of a step with its process; the first thing a step does."""
    worker = said(context.run.run_id)
    if context.run.tags.get(WORKER) != worker:
        context.instance.add_run_tags(context.run.run_id, {WORKER: worker})


def busy(instance: dg.DagsterInstance, recipe: Recipe) -> Sequence[dg.DagsterRun]:
    """Return the runs of a recipe that are not over, as far as Dagster knows."""
    return instance.get_runs(dg.RunsFilter(tags={RECIPE: recipe.name}, statuses=[*_BUSY]))


def said(run_id: str) -> str:
    """Name a run and this process: host (and container), pid and when it started (pids come again)."""
    return f"{run_id}@{_host()}/{os.getpid()}/{processes.started(os.getpid()) or ''}"


def is_dead(worker: str) -> bool:
    """Say whether a process of this host is gone; of another host nothing is known."""
    host, pid, started = worker.partition("@")[2].rsplit("/", 2)
    if host != _host():
        return False
    return processes.is_gone(int(pid), int(started) if started else None)


def bury(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]) -> list[dg.DagsterRun]:
    """End the runs whose process is gone as failed; return the others."""
    gone = dead(instance, runs)
    for run in gone:
        worker = run.tags.get(WORKER, "it was killed before its first step")
        instance.report_run_failed(run, f"the process of this run is gone: {worker}")
    ids = {run.run_id for run in gone}
    return [run for run in runs if run.run_id not in ids]


def dead(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]) -> list[dg.DagsterRun]:
    """Return the runs whose process is gone: named and not there, or started and silent for a minute.

    One that Dagster is still starting is its run monitoring's to judge (`start_timeout_seconds`).
    """
    found = []
    for run in runs:
        # A run made from another one has that one's tag, until its first step.
        worker = run.tags.get(WORKER, "")
        if run.status not in _AT_WORK:
            continue
        if worker.startswith(f"{run.run_id}@"):
            gone = is_dead(worker)
        else:
            record = instance.get_run_record_by_id(run.run_id)
            since = record.start_time if record else None
            gone = since is not None and time.time() - since > _SILENT_S
        if gone:
            found.append(run)
    return found


def _host() -> str:
    """Name the host, and the space of pids: containers may share a name."""
    try:
        space = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        space = ""
    return f"{socket.gethostname()}{space.removeprefix('pid:')}"
