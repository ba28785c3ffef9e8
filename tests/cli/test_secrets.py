"""Secrets stay where they are: a run that fails in every way it can prints, logs and stores none of them."""

import os
import subprocess
import sys
import urllib.parse
from pathlib import Path

import boto3
import corpus
import faulty
import pytest
from moto.server import ThreadedMotoServer

from curation_dagster.errors import RecipeError
from curation_dagster.recipe_file import load

SECRET = "canary/secret+key0123456789abcdefghijklm"
TOKEN = "canary-session-token/0123456789=="
PASSWORD = "canary-password"
FORMS = [f(s).encode() for s in (SECRET, TOKEN, PASSWORD) for f in (str, urllib.parse.quote_plus)]


def traces(folder: Path) -> list[str]:
    """Name the files of a folder, event logs and compute logs among them, that hold a secret."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [f"{path}: {form!r}" for form in FORMS if form in data or form[:20] in data]
    return found


@pytest.fixture
def line():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=url, **keys).create_bucket(Bucket="corpus")
    with faulty.before(url) as running:
        yield running
    server.stop()


def run(folder, *arguments, **more):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | {
        "AWS_ACCESS_KEY_ID": "key-id",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "2",
        "DAGSTER_HOME": str(folder / "dagster-home"),
        "TMPDIR": str(folder / "tmp"),
        "S3FS_LOGGING_LEVEL": "INFO",
        **more,
    }
    (folder / "tmp").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "curation_dagster.cli", *arguments]
    return subprocess.run(command, capture_output=True, cwd=folder, env=environment, check=False)


def test_a_failing_run_tells_no_secret(line, tmp_path):
    recipe = corpus.project(tmp_path)
    place = f'root = "s3://corpus/store"\nendpoint_url = "{line.url}"'
    recipe.write_text(recipe.read_text().replace('root = "store"', place))
    real, answers = line.spoils, iter(["503", "reset", "cut", "expired", "lost"] * 100)

    def uploads_fail(method, path):
        real(method, path)
        return next(answers) if method == "PUT" and "/raw/" in path else None

    line.spoils = uploads_fail
    done = run(tmp_path, "run", str(recipe), "--to", "raw")
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert b"raw/" in said
    assert b"ExpiredToken" in said
    logs = [p for p in (tmp_path / "dagster-home").rglob("*.db*") if p.is_file()]
    assert any(b"ExpiredToken" in p.read_bytes() for p in logs), "the event log has the failure"
    (tmp_path / "stdout-and-stderr").write_bytes(said)
    assert traces(tmp_path) == []
    recipe.write_text(recipe.read_text().replace(f'\nendpoint_url = "{line.url}"', ""))
    url = f"http://user:{PASSWORD}@127.0.0.1:9"
    done = run(tmp_path, "run", str(recipe), "--to", "raw", AWS_ENDPOINT_URL_S3=url)
    assert done.returncode != 0
    assert b"has credentials in it" in done.stdout + done.stderr
    (tmp_path / "stdout-and-stderr-2").write_bytes(done.stdout + done.stderr)
    assert traces(tmp_path) == []


def test_a_trace_would_be_found(tmp_path):
    (tmp_path / "log").write_bytes(b"x" + urllib.parse.quote_plus(SECRET).encode())
    assert traces(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("root", f"s3://key:{PASSWORD}@bucket/store"),
        ("endpoint_url", f"https://user:{PASSWORD}@storage.example.org"),
        ("endpoint_url", f"https://storage.example.org?X-Amz-Security-Token={PASSWORD}"),
        ("paths", f"s3://user:{PASSWORD}@bucket/in/*.jsonl"),
        ("paths", f"https://example.org/a.warc?X-Amz-Signature={PASSWORD}"),
        ("paths", f"https://example.org/a.warc?sig=1&AWSAccessKeyId={PASSWORD}"),
    ],
)
def test_credentials_in_a_recipe_are_refused_and_not_repeated(tmp_path, key, value):
    recipe = corpus.project(tmp_path)
    text = recipe.read_text()
    if key == "root":
        text = text.replace('root = "store"', f'root = "{value}"')
    elif key == "endpoint_url":
        text = text.replace('root = "store"', f'root = "store"\nendpoint_url = "{value}"')
    else:
        first = next(x for x in text.splitlines() if x.startswith("paths"))
        text = text.replace(first, f'paths = ["{value}"]', 1)
    recipe.write_text(text)
    with pytest.raises(RecipeError, match=rf"{key}.*has credentials in it") as caught:
        load(recipe)
    shown = caught.getrepr(chain=True, style="long", showlocals=False)
    assert PASSWORD not in str(caught.value) + str(caught.value.__cause__)
    assert PASSWORD not in "".join(str(x) for x in [shown.reprcrash])


@pytest.mark.parametrize(
    "value",
    ["s3://bucket/store", "/data/a@b/store", "s3://bucket/in/*.jsonl?versionId=1", "a?b/token"],
)
def test_other_places_are_taken(tmp_path, value):
    recipe = corpus.project(tmp_path)
    recipe.write_text(recipe.read_text().replace('root = "store"', f'root = "{value}"'))
    assert load(recipe).root.endswith(value)
