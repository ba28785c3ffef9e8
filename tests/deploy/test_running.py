"""deploy/ as its README sets it up, running: code server, daemon, two web servers, proxy; on SQLite and Postgres."""

import base64
import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import corpus
import postgres_server
import psycopg2
import pytest
import urllib3
from installed import DEPLOY, PROGRAMS, install
from services import program

from curation_dagster.lineage import Lineage
from curation_dagster.recipe_file import load
from curation_dagster.store import Store

UNITS = ("curate-code", "curate-daemon", "curate-web", "curate-web-read-only")
PASSWORD = "p@ss:word/9"
CLONE = Path(__file__).parents[2]


@contextlib.contextmanager
def running(commands: dict[str, list[str]], folder: Path, environment: dict[str, str]):
    """Run programs until the block ends, each with a log of its own."""
    processes = []
    try:
        for name, command in commands.items():
            with (folder / f"{name}.log").open("w") as log:
                process = subprocess.Popen(
                    command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
                )  # fmt: skip
                processes.append(process)
        yield
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            process.wait(60)


def curate(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "curation_dagster.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def environment_of(made, **more: str) -> dict[str, str]:
    return (
        os.environ
        | made.environment
        | {"PYTHONPATH": str(CLONE), "PYTHONWARNINGS": "ignore"}
        | more
    )


def wait_for(port: int) -> None:
    url = f"http://127.0.0.1:{port}/server_info"
    for _ in range(120):
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if urllib3.request("GET", url, retries=False).status in {200, 401}:
                return
        time.sleep(1)
    raise AssertionError(f"nothing answers at {url}")


@pytest.fixture
def database():
    """A role and a database as create.sql makes them: what CURATE_POSTGRES_URL says."""
    with postgres_server.serving() as port:
        psql = [
            program("psql", "postgresql"),
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-U",
            "postgres",
            "-q",
        ]
        given = [
            "--set=ON_ERROR_STOP=1",
            "--set=password=secret",
            f"--file={DEPLOY}/postgres/create.sql",
        ]
        subprocess.run([*psql, *given], check=True)
        yield f"postgresql+psycopg2://curate:secret@127.0.0.1:{port}/curate"


def backfill_through_the_proxy(made, recipe: Path, environment: dict[str, str]) -> None:
    """Have a backfill run by what is installed; readers and strangers cannot."""
    hashed = base64.b64encode(hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).digest())
    for role, port in (("operators", 3000), ("readers", 3001)):
        login = f"{role}:{{SHA}}{hashed.decode()}\n"
        (made.proxy.parent / "etc" / f"{role}.htpasswd").write_text(login, "utf-8")
        wait_for(made.ports[port])
    commands = {
        "nginx": [
            program("nginx", "nginx-light"),
            "-p",
            str(made.proxy.parent),
            "-c",
            str(made.proxy),
        ]
    }
    with running(commands, made.proxy.parent, environment):
        wait_for(made.ports[443])
        proxy = f"127.0.0.1:{made.ports[443]}"
        asked = ["backfill", str(recipe), "--to", "cleaned", "--wait", "--url"]
        stranger = curate(environment, *asked, f"http://{proxy}")
        assert "asks for a login" in stranger.stderr
        reader = curate(environment, *asked, f"http://127.0.0.1:{made.ports[3001]}")
        assert "is it read-only?" in reader.stderr
        done = curate(environment, *asked, f"http://operators:p%40ss%3Aword%2F9@{proxy}")
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout
    loaded = load(recipe)
    lineage = Lineage(loaded, Store.of(loaded))
    assert {lineage.state("cleaned", key) for key in lineage.shards} == {"current"}


def start_and_use(made, folder: Path, environment: dict[str, str]) -> None:
    """Start the units in systemd's order, and have a backfill run."""
    recipe = corpus.project(folder / "var" / "recipes")
    subprocess.run(
        made.command("curate-code", "ExecStartPre"),
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with running({unit: made.command(unit) for unit in UNITS}, folder, environment):
        backfill_through_the_proxy(made, recipe, environment)


@pytest.mark.slow
def test_one_machine_with_sqlite(tmp_path):
    made = install("sqlite", tmp_path)
    start_and_use(made, tmp_path, environment_of(made))


@pytest.mark.slow
def test_one_machine_with_postgres(tmp_path, database):
    made = install("postgres", tmp_path)
    start_and_use(made, tmp_path, environment_of(made, CURATE_POSTGRES_URL=database))
    assert not (tmp_path / "var" / "dagster" / "history").exists()  # nothing went to SQLite


def test_two_processes_at_once_begin_a_fresh_postgres_instance(tmp_path, database):
    made = install("postgres", tmp_path)
    environment = environment_of(made, CURATE_POSTGRES_URL=database)
    recipes = [
        corpus.project(tmp_path / "var" / "recipes" / name, name=name) for name in ("one", "two")
    ]
    commands = {
        path.stem: [
            str(PROGRAMS / "python"),
            "-m",
            "curation_dagster.cli",
            "run",
            str(path),
            "--to",
            "raw",
        ]
        for path in recipes
    }
    logs = {name: (tmp_path / f"{name}.log").open("w") for name in commands}
    both = [
        subprocess.Popen(command, env=environment, stdout=logs[name], stderr=logs[name])
        for name, command in commands.items()
    ]
    codes = [process.wait(300) for process in both]
    said = [Path(log.name).read_text("utf-8") for log in logs.values() if not log.close()]
    assert codes == [0, 0], said
    with contextlib.closing(psycopg2.connect(database.replace("+psycopg2", ""))) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT status, count(*) FROM runs GROUP BY status")
        assert dict(cursor.fetchall()) == {"SUCCESS": 2}
