"""Start the documentation server in a process of its own and stop it again."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from curation_dagster.errors import CurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

STOP_SECONDS = 5
"""How long the server may take to stop before it is killed."""

_KEPT = ("PATH", "HOME", "SYSTEMROOT", "LD_LIBRARY_PATH", "TMPDIR")
_FIXED = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"}


@contextlib.contextmanager
def serving(
    max_pages: int | None, rendered: Callable[[str, int], None] | None = None
) -> Iterator[int]:
    """Serve the documentation while the block runs and give the port on 127.0.0.1.

    The server sees none of the caller's environment but where to find things: modules put the
    environment into their documentation. `rendered` hears of each page as it is made.

    Raises:
        CurationError: if the server ends before it serves.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    env = {**kept, **_FIXED, "PYTHONPATH": str(Path(__file__).parents[2])}
    limit = [] if max_pages is None else [str(max_pages)]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, our module
            [sys.executable, "-m", "curation_dagster.demo.host", *limit],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=env, text=True,
        )  # fmt: skip
        try:
            yield _port(process, rendered) or _fail(errors)
        finally:
            _stop(process)


def _port(process: subprocess.Popen[str], rendered: Callable[[str, int], None] | None) -> int:
    for line in process.stdout or ():
        fact = json.loads(line)
        if "port" in fact:
            return int(fact["port"])
        if rendered is not None:
            rendered(fact["source"], fact["pages"])
    return 0


def _fail(errors: TextIO) -> int:
    errors.seek(0)
    last = errors.read().strip()[-2000:] or "no message"
    raise CurationError(f"demo: the documentation server ended before it served: {last}")


def _stop(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
