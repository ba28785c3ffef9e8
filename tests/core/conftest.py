"""Fixtures of the core: recipes as text, roots on disk and on a real S3 API."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import fsspec
import pytest
import s3fs.core

from curation_dagster.recipe_file import load
from curation_dagster.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from curation_dagster.recipe import Recipe

SECRET = "canary/secret+0123456789abcdefghijklmnop"
RECIPE = """root = "store"

[[sources]]
name = "web"
paths = ["in/*.jsonl"]

[[steps]]
edit = "normalize"

[[steps]]
judge = "language"
languages = ["en"]

[mix]
seed = 1

[[mix.phases]]
name = "main"
tokens = 1000
weights = { web = 1 }
"""


@dataclass(frozen=True)
class S3:
    """A server that speaks S3, on loopback."""

    url: str

    @property
    def fs(self) -> s3fs.S3FileSystem:
        """The file system of the server, as the store sees it."""
        return fsspec.filesystem("s3", endpoint_url=self.url)

    def bucket(self, name: str) -> str:
        """Make a bucket."""
        self.fs.mkdir(name)
        return f"s3://{name}"


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """Serve S3 on a free port, with credentials in the environment."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "canary-key-id")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setattr(s3fs.S3FileSystem, "retries", 1)
        host, port = server.get_host_and_port()
        yield S3(f"http://{host}:{port}")
    server.stop()


@pytest.fixture
def s3_store(
    s3: S3, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Store:
    """Give an empty root in a bucket of the test's own; scratch goes to the test's folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    bucket = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:40]
    return Store(f"{s3.bucket(bucket)}/some/root", s3.url)


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Give an empty root, on disk and on S3."""
    if request.param == "local":
        return Store(str(tmp_path / "root"))
    found: Store = request.getfixturevalue("s3_store")
    return found


@pytest.fixture
def recipe_text() -> str:
    """Give a small complete recipe."""
    return RECIPE


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Give the small recipe, read from the test's folder."""
    path = tmp_path / "small.toml"
    path.write_text(RECIPE, "utf-8")
    return load(path)
