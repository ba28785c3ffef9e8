"""The Dagster instance: runs, events and checks, kept under `.dagster/` unless DAGSTER_HOME says otherwise."""

import fcntl
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from curation_dagster.errors import StorageError

CONFIG = """telemetry:
  enabled: false
nux:
  enabled: false
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  free_slots_after_run_end_seconds: 300
concurrency:
  runs:
    max_concurrent_runs: 2 # queued runs at a time; each uses a process a core, unless the recipe says `workers`
  pools:
    granularity: run # so that `curate run`, which is not queued, holds no slot that its death would leave taken
    default_limit: 1 # whole_corpus: duplicates, repeats, mixture; each may use [dedup] memory_gb
"""


def home(folder: Path) -> Path:
    """Prepare DAGSTER_HOME: the environment's, else `.dagster` in `folder`."""
    found = Path(os.environ.get("DAGSTER_HOME") or folder / ".dagster").resolve()
    try:
        found.mkdir(parents=True, exist_ok=True)
        config = found / "dagster.yaml"
        if not config.exists():
            draft = config.with_name(f".{config.name}.{os.getpid()}")
            draft.write_text(CONFIG, "utf-8")
            draft.rename(config)
    except OSError as error:
        msg = f"DAGSTER_HOME {found}: {error.strerror}; set DAGSTER_HOME to a folder that can be written"
        raise StorageError(msg) from error
    os.environ["DAGSTER_HOME"] = str(found)
    return found


@contextmanager
def instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    """Open the persistent instance; closed afterwards."""
    with _opened(home(folder)) as instance_:
        yield instance_


def _opened(found: Path) -> dg.DagsterInstance:
    """Open the instance of a home, one process at a time: two that make its tables at once stop one another."""
    try:
        lock = (found / ".opening.lock").open("w")
    except OSError:  # a home that cannot be written: its tables are in a server
        return dg.DagsterInstance.get()
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return dg.DagsterInstance.get()


def quiet() -> None:
    """Silence notices about Dagster's beta parameters, which this project uses knowingly."""
    for category in (dg.BetaWarning, dg.PreviewWarning):
        warnings.simplefilter("ignore", category)
