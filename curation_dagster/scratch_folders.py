"""Folders to write in before publishing: whose they are, and which of them nobody will clear.

A folder is named by the process that made it: machine and container (boot id and namespace of process ids), process id,
when that process started. So neither two containers with one hostname nor a process id that is given out again are
taken for one another. Without Linux's /proc the hostname and the process id have to do.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import socket
import time
from pathlib import Path
from typing import Final

from curation_dagster import processes

_FOLDER: Final = re.compile(r"(?P<space>[0-9a-f]{12})-(?P<pid>\d+)-(?P<start>\d+)-[^-]+")


def owner() -> str:
    """Return what the names of this process' folders begin with."""
    return f"{_space()}-{os.getpid()}-{processes.started(os.getpid()) or 0}-"


def sweep(base: Path, abandoned_s: float | None = None) -> int:
    """Remove the folders of processes of this machine that are gone; return how many.

    With `abandoned_s` also those of other machines and containers in which nothing has changed for so many seconds.
    """
    removed = 0
    for folder in base.iterdir() if base.is_dir() else ():
        if _is_dead(folder.name) or (abandoned_s is not None and _is_old(folder, abandoned_s)):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def _is_dead(name: str) -> bool:
    said = _FOLDER.fullmatch(name)
    if not said or said["space"] != _space():
        return False
    return processes.is_gone(int(said["pid"]), int(said["start"]))


def _is_old(folder: Path, seconds: float) -> bool:
    """Tell whether nothing in a folder of some other machine was written for so long."""
    said = _FOLDER.fullmatch(folder.name)
    if said and said["space"] == _space():
        return False
    newest = max((p.lstat().st_mtime for p in (folder, *folder.rglob("*"))), default=0)
    return time.time() - newest > seconds


@functools.cache
def _space() -> str:
    """Name the machine since it booted, and the container: where a process id means one process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        said = f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        said = socket.gethostname()
    return hashlib.sha256(said.encode()).hexdigest()[:12]
