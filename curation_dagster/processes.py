"""Whether a process of this machine still lives: process ids come again, so when it started is part of its name."""

from __future__ import annotations

import os
from pathlib import Path


def started(pid: int) -> int | None:
    """Say when a process started, in clock ticks since boot; None where /proc does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def is_gone(pid: int, start: int | None) -> bool:
    """Tell whether a process of this machine and container that started then has ended."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        pass
    return started(pid) not in {start, None}
