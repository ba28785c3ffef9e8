"""Which process this is, told so that another one on the same host can see whether it still lives.

A pid alone does not say: pids come again, and containers with one host name have pids of their own.
"""

from __future__ import annotations

import functools
import os
import socket
from pathlib import Path


@functools.cache
def host() -> str:
    """Name the host, and the space of pids: containers may share a name."""
    try:
        space = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        space = ""
    return f"{socket.gethostname()}-{space.removeprefix('pid:').strip('[]')}"


def started(pid: int) -> str:
    """Return the clock ticks from the start of the system to that of a process, on Linux; else nothing."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[19]
    except OSError:
        return ""


def lives(pid: int, since: str) -> bool:
    """Say whether the process of this host with that pid is there and is the one that started then ("": any)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not since or started(pid) == since
