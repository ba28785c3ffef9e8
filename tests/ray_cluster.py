"""A Ray cluster for tests: nodes as processes on loopback addresses of their own, with a token; and jobs for it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation_dagster.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.job import Files, Job

ROOT = Path(__file__).parents[1]
# Ray listens on every address of the machine, whatever its node is called; only who has the token may ask it anything.
DRIVER = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
_NODE = DRIVER | {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "4",
    "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "120",
    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
}
SLOW_S = 0.4
_STORE_BYTES = 80_000_000  # Ray takes no less than 75 MB


@dataclass
class Node:
    """The processes of one `ray start`: a session of their own."""

    process: subprocess.Popen[bytes]

    def pids(self) -> list[int]:
        """List the living processes of the node, its workers too."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text("utf-8").rsplit(")", 1)[1].split()
                if int(fields[3]) == self.process.pid and fields[0] != "Z":
                    found.append(int(stat.parent.name))
        return found

    def kill(self) -> None:
        """End all of them at once, as a machine that loses power."""
        while pids := self.pids():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()


class Cluster:
    """A head and further nodes, each with one CPU unless said otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: list[Node] = []
        self.address, self.client_address = (f"127.0.0.2:{port}" for port in _free_ports(2))

    @property
    def environment(self) -> dict[str, str]:
        """What a process that uses the cluster needs."""
        return DRIVER | {"RAY_ADDRESS": self.address}

    def add(self, cpus: int = 1) -> Node:
        """Start a node and wait until it is part of the cluster; the first one is the head."""
        number = len(self.nodes) + 1
        place = ["--address", self.address]
        if not self.nodes:
            port = self.address.rsplit(":", 1)[1]
            place = [
                "--head",
                f"--port={port}",
                f"--temp-dir={self.folder}",
                "--include-dashboard=false",
            ]
            place += [f"--ray-client-server-port={self.client_address.rpartition(':')[2]}"]
        log = self.folder / f"node-{number}.log"
        command = [
            sys.executable,
            "-m",
            "ray.scripts.scripts",
            "start",
            *place,
            "--block",
            f"--num-cpus={cpus}",
        ]
        command += [
            f"--object-store-memory={_STORE_BYTES}",
            f"--node-ip-address=127.0.0.{number + 1}",
        ]
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                env=os.environ | _NODE | {"RAY_TEST_NODE": str(number)},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        node = Node(process)
        self.nodes.append(node)
        deadline = time.monotonic() + 120
        while "will now block" not in log.read_text("utf-8"):
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.05)
        if number == 1:
            self._wait_for_clients(deadline)
        return node

    def _wait_for_clients(self, deadline: float) -> None:
        """Wait for the server of drivers outside the cluster: it starts after the head has said that it has."""
        host, _, port = self.client_address.rpartition(":")
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, "no client server"
                time.sleep(0.1)
            else:
                return


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        open_ = [stack.enter_context(socket.create_server(("127.0.0.2", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in open_]


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Give a cluster without nodes; what was added ends with it."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # short: Ray puts sockets there
    made = Cluster(folder)
    try:
        yield made
    finally:
        for node in made.nodes:
            node.kill()
        shutil.rmtree(folder, ignore_errors=True)


class Awkward(Exception):  # noqa: N818
    """An error that cannot be pickled back: its arguments are not those of its constructor."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one}{two}")


def job(order: tuple[str, int, Path]) -> Any:
    """Do what a test asks of a worker, and leave a file that says who did."""
    kind, number, folder = order
    (folder / f"{number}.{os.getpid()}").touch()
    match kind:
        case "slow":
            time.sleep(SLOW_S)
        case "forever":
            time.sleep(600)
        case "raise":
            msg = f"bad {number}"
            raise ValueError(msg)
        case "refuse":
            msg = f"law {number}"
            raise IntegrityError(msg)
        case "awkward":
            raise Awkward("a", "b")
        case "die once" if len(list(folder.glob(f"{number}.*"))) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "limits":
            import polars as pl

            names = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS")
            return [os.environ.get(n) for n in names], pl.thread_pool_size()
    return number * number


def tries(folder: Path) -> dict[str, int]:
    """Count how often each job was begun."""
    return dict(Counter(sorted(path.stem for path in folder.iterdir())))


def here_only() -> dict[str, str]:
    """Describe a machine by what no two processes share: every node is refused."""
    return {"pid": str(os.getpid()), "same": "x"}


def everywhere() -> dict[str, str]:
    """Describe a machine as all are."""
    return {"same": "x"}


def annotate_until_killed(job: Job, files: Files) -> dict[str, Any]:
    """Annotate, and leave a file that says who did; until the second node is killed, it alone gets on to another."""
    from curation_dagster.annotate.stage import annotate_shard

    folder, node = Path(job.store.root).parent / "begun", os.environ["RAY_TEST_NODE"]
    (folder / f"{job.partition}.{node}-{os.getpid()}").touch()
    deadline = time.monotonic() + 120
    while node == "1" or len(list(folder.glob("*.2-*"))) > 1:
        if (folder.parent / "killed").exists() or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return annotate_shard(job, files)
