"""A PostgreSQL server of a test's own: Debian's programs, a fresh cluster, a free port on loopback."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from services import program

_START_S = 60


@contextlib.contextmanager
def serving() -> Iterator[int]:
    """Run a cluster whose superuser is `postgres`, trusted on loopback, until the block ends; yield its port.

    As root it runs as the user Debian made for it: the server refuses root.
    """
    initdb, postgres = program("initdb", "postgresql"), program("postgres", "postgresql")
    aside = (
        ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        if os.geteuid() == 0
        else []
    )
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        if aside:
            subprocess.run(["chown", "postgres", folder], check=True)
        cluster = Path(folder, "data")
        made = [
            *aside,
            initdb,
            "--pgdata",
            str(cluster),
            "--username",
            "postgres",
            "--auth",
            "trust",
        ]
        subprocess.run(made, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        command = [
            *aside, postgres, "-D", str(cluster), "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-c", "fsync=off",
        ]  # fmt: skip
        server = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            for _ in range(_START_S):
                ready = subprocess.run(
                    [program("pg_isready", "postgresql"), "-q", "-h", "127.0.0.1", "-p", str(port)],
                    check=False,
                )
                if ready.returncode == 0:
                    break
                time.sleep(1)
            yield port
        finally:
            server.terminate()
            server.wait(60)
