"""A backfill of six shards whose daemon, code server or run worker is killed: all is found and made after one look.

Web server, daemon and code server are real and apart, as in a deployment; what a supervisor would start again is
started again. Each death has a recipe (and a root) of its own.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import corpus
import dagster as dg
import pytest
import urllib3
from click.testing import CliRunner

from curation_dagster.cli import main
from curation_dagster.lineage import Lineage
from curation_dagster.orchestration import automation, workers
from curation_dagster.orchestration.graph import assets_of
from curation_dagster.recipe_file import load
from curation_dagster.store import Store

pytestmark = pytest.mark.slow
DEATHS = ("daemon", "code-server", "launch", "compute")
MONITORING = """telemetry: {enabled: false}
run_monitoring: {enabled: true, start_timeout_seconds: 45, poll_interval_seconds: 3}
"""
PATIENCE_S = 300
LOADED = """
{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }
"""


class Deployment:
    """Three processes over one instance, each of which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, (folder / "servers.log").open("w")
        self.code_port, self.web_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.web_port}"
        (folder / "home").mkdir()
        (folder / "home" / "dagster.yaml").write_text(MONITORING)
        (folder / "workspace.yaml").write_text(
            "load_from:\n  - grpc_server:\n      host: 127.0.0.1\n"
            f"      port: {self.code_port}\n      location_name: curation_dagster\n"
        )
        self.environment = os.environ | {
            "DAGSTER_HOME": str(folder / "home"), "CURATE_RECIPES": str(folder / "recipes"),
            "PYTHONWARNINGS": "ignore",
        }  # fmt: skip
        self.processes: dict[str, subprocess.Popen] = {}

    def start(self, name: str) -> None:
        tools, workspace = Path(sys.executable).parent, ["-w", str(self.folder / "workspace.yaml")]
        on = ["-h", "127.0.0.1", "-p"]
        location = ["-m", "curation_dagster.definitions"]
        command = {
            "code_server": [tools / "dagster", "api", "grpc", *location, *on, str(self.code_port)],
            "web_server": [tools / "dagster-webserver", *on, str(self.web_port), *workspace],
            "daemon": [tools / "dagster-daemon", "run", *workspace],
        }[name]
        self.processes[name] = subprocess.Popen(
            command, env=self.environment, stdout=self.log, stderr=self.log
        )

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()

    def run_workers(self) -> list[int]:
        """List the children of the code server that are runs: spawned Python processes but the resource tracker."""
        found = []
        for child in Path(f"/proc/{self.processes['code_server'].pid}/task").glob("*/children"):
            for pid in child.read_text().split():
                with contextlib.suppress(OSError):
                    if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        found.append(int(pid))
        return found

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
        self.log.close()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until(what, seconds: float = PATIENCE_S):
    """Ask again and again until there is an answer."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if found := what():
                return found
        time.sleep(0.05)
    raise AssertionError(what)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deployment")
    for name in DEATHS:
        recipe = corpus.project(folder / "recipes", name=name)
        recipe.write_text(recipe.read_text().replace('"store"', f'"store-{name}"'))
    for number in (2, 3):
        copy = (folder / "recipes/corpus/alpha-0.jsonl.gz").read_bytes()
        (folder / f"recipes/corpus/alpha-{number}.jsonl.gz").write_bytes(copy)
    servers = Deployment(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.environment.items():
            patch.setenv(name, value)
        try:
            servers.start("code_server")
            with dg.DagsterInstance.get():
                pass
            for name in ("web_server", "daemon"):
                servers.start(name)
            query = json.dumps({"query": LOADED})

            def loaded():
                said = urllib3.request(
                    "POST", f"{servers.url}/graphql", body=query, retries=False,
                    headers={"Content-Type": "application/json"},
                )  # fmt: skip
                return b"RepositoryLocation" in said.data

            until(loaded)
            yield servers
        finally:
            servers.stop()


def status(deployment, backfill: str) -> str:
    query = '{ partitionBackfillOrError(backfillId: "%s") { ... on PartitionBackfill { status } } }'
    said = urllib3.request(
        "POST", f"{deployment.url}/graphql", body=json.dumps({"query": query % backfill}),
        headers={"Content-Type": "application/json"}, retries=False,
    )  # fmt: skip
    return str(said.json()["data"]["partitionBackfillOrError"]["status"])


def missing(recipe) -> list[str]:
    lineage = Lineage(recipe, Store.of(recipe))
    stages = ("raw", "annotated", "cleaned", "fingerprinted")
    assert len(lineage.shards) == 6
    return [f"{s}/{k}" for s in stages for k in lineage.shards if lineage.state(s, k) != "current"]


def strike(deployment, death: str, recipe) -> None:
    """Kill what is to be killed, when it is to be killed, and start again what a supervisor would."""
    if death == "daemon":
        deployment.kill("daemon")
        time.sleep(1)
        deployment.start("daemon")
        return
    [worker] = until(deployment.run_workers)[:1]
    if death == "launch":
        os.kill(worker, signal.SIGKILL)
        return
    raw = Path(recipe.root) / "raw"
    until(lambda: raw.is_dir() and list(raw.glob("*.parquet")))
    if death == "compute":
        os.kill(worker, signal.SIGKILL)
    else:
        deployment.kill("code_server")
        deployment.start("code_server")


@pytest.mark.parametrize("death", DEATHS)
def test_nothing_is_missing_after_one_look(death, deployment):
    path = deployment.folder / "recipes" / f"{death}.toml"
    recipe = load(path)
    asked = ["backfill", str(path), "--to", "fingerprinted", "--url", deployment.url]
    said = CliRunner().invoke(main, asked)
    assert said.exit_code == 0, said.output
    backfill = said.stdout.split("backfill ", 1)[1].split(":", 1)[0]
    with dg.DagsterInstance.get() as instance:
        strike(deployment, death, recipe)
        began = time.monotonic()
        until(lambda: status(deployment, backfill) not in {"REQUESTED", "CANCELING"})
        until(lambda: not workers.bury(instance, workers.busy(instance, recipe)))
        ended, lacked = status(deployment, backfill), missing(recipe)
        seconds = time.monotonic() - began
        print(f"\n{death}: {ended} after {seconds:.0f} s, {len(lacked)} of 24 missing")  # noqa: T201
        look = automation.sensor(recipe)(dg.build_sensor_context(instance=instance))
        job = dg.Definitions(
            assets=assets_of(recipe), executor=dg.in_process_executor
        ).resolve_implicit_global_asset_job_def()
        wanted = [r for r in look.run_requests or [] if r.asset_selection[0].path[-1] == "raw"]
        assert bool(wanted) is bool(lacked), look.skip_reason
        for request in wanted:
            job.execute_in_process(
                instance=instance, tags=request.tags, asset_selection=list(request.asset_selection)
            )
    assert missing(recipe) == []
