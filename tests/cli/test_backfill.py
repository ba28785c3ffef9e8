"""`curate backfill`: refusals at once; a backfill through a real web server and daemon (slow)."""

import contextlib
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import corpus
import dagster as dg
import pytest
import urllib3

from curation_dagster.lineage import Lineage
from curation_dagster.recipe_file import load
from curation_dagster.store import Store


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--url", "http://127.0.0.1:9"], 1, "does not answer as a Dagster web server"),
        (["--shards", "alpha-00099"], 2, "no such shards: ['alpha-00099']"),
        (["--source", "gamma"], 2, "no such source: gamma; there are ['alpha', 'beta']"),
        (["--to", "polished"], 2, "no stage 'polished'"),
        (["--to", "release"], 2, "backfill --to mixture first"),
    ],
)
def test_refusals(fresh, curate, options, code, says):
    found = curate("backfill", fresh, *options)
    assert found.exit_code == code
    assert says in found.stderr


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"<html>", "does not answer as a Dagster web server"),
        (b'{"errors": [{"message": "no such field"}]}', "no such field"),
        (
            b'{"data": {"launch": {"__typename": "UnauthorizedError"}}}',
            "launches nothing (UnauthorizedError)",
        ),
        (b'{"data": {"launch": {"__typename": "PythonError", "message": "boom"}}}', "boom"),
    ],
)
def test_what_a_server_may_say(fresh, curate, answer, says):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = curate("backfill", fresh, "--url", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert found.exit_code == 1
    assert says in found.stderr


@pytest.mark.parametrize(
    ("login", "says"),
    [
        pytest.param("", "asks for a login", id="none"),
        pytest.param("me:wrong@", "asks for a login", id="another"),
        pytest.param("me:p%40ss%3Aword%2F9@", "reached", id="percent-encoded"),
    ],
)
def test_a_login_is_in_the_url_and_nowhere_else(fresh, curate, login, says):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            known = self.headers["Authorization"] == "Basic bWU6cEBzczp3b3JkLzk="  # me:p@ss:word/9
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(b'{"errors": [{"message": "reached"}]}' if known else b"<html>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://{login}127.0.0.1:{server.server_port}"
        found = curate("backfill", fresh, "--url", url)
        server.shutdown()
    assert found.exit_code == 1
    assert says in found.stderr
    assert "word" not in found.stderr.replace("PASSWORD", "")


def test_nothing_to_do_asks_nobody(curated, curate):
    found = curate("backfill", curated[0], "--url", "http://127.0.0.1:9")
    assert found.exit_code == 0
    assert "everything asked for is current" in found.stdout


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A project with a web server and a daemon over it: (recipe, url, environment)."""
    folder = tmp_path_factory.mktemp("served")
    recipe = corpus.project(folder / "recipes")
    port = free_port()
    environment = os.environ | {
        "CURATE_RECIPES": str(folder / "recipes"), "DAGSTER_HOME": str(folder / ".dagster"), "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    command = [sys.executable, "-m", "curation_dagster.cli", "ui", "--port", str(port)]
    with (folder / "ui.log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                if urllib3.request("GET", f"{url}/server_info", retries=False).status == 200:
                    break
            time.sleep(1)
        yield recipe, url, environment
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def call(served, *arguments: object) -> subprocess.CompletedProcess:
    recipe, url, environment = served
    command = [sys.executable, "-m", "curation_dagster.cli", "backfill", str(recipe), "--url", url]
    return subprocess.run(
        [*command, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_backfill_is_run_shown_and_held_against_the_store(served):
    done = call(served, "--to", "cleaned", "--source", "alpha", "--wait")
    assert done.returncode == 0, done.stderr
    assert "everything asked for is current" in done.stdout
    recipe = load(served[0])
    lineage = Lineage(recipe, Store.of(recipe))
    states = {key: lineage.state("cleaned", key) for key in lineage.partitions("cleaned")}
    assert states == {k: "current" if k.startswith("alpha") else "blocked" for k in states}
    backfill = done.stdout.split("backfill ", 1)[1].split(":", 1)[0]
    query = json.dumps(
        {"query": "{ partitionBackfillsOrError { ... on PartitionBackfills { results { id } } } }"}
    )
    shown = urllib3.request(
        "POST", f"{served[1]}/graphql", body=query, headers={"Content-Type": "application/json"}
    )
    found = shown.json()["data"]["partitionBackfillsOrError"]["results"]
    assert backfill in {entry["id"] for entry in found}


@pytest.mark.slow
def test_a_cancelled_backfill_goes_on_by_the_same_command(served):
    submitted = call(served)
    assert "the daemon runs it" in submitted.stdout
    backfill = submitted.stdout.split("backfill ", 1)[1].split(":", 1)[0]
    assert call(served, "--cancel", backfill).returncode == 0
    done = call(served, "--to", "fingerprinted", "--wait")
    assert done.returncode == 0, done.stderr
    recipe = load(served[0])
    lineage = Lineage(recipe, Store.of(recipe))
    keys = lineage.partitions("fingerprinted")
    assert [lineage.state("fingerprinted", key) for key in keys] == ["current"] * len(keys)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", served[2]["DAGSTER_HOME"])
        with dg.DagsterInstance.get() as instance:
            assert instance.get_runs_count() > 1
    assert not Path(recipe.root, "release").exists()
