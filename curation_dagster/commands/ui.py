"""`curate ui`: Dagster's web server and daemon on loopback, over the persistent instance."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from curation_dagster.orchestration.instance import home
from curation_dagster.recipe_file import recipe_folder


def serve(port: int) -> int:
    """Run the UI until it is interrupted; return its exit code."""
    folder = recipe_folder().resolve().parent
    kept = home(folder)
    click.echo(f"http://127.0.0.1:{port}   instance {kept}   Ctrl-C stops it")
    command = [
        str(Path(sys.executable).with_name("dagster")), "dev", "-m", "curation_dagster.definitions",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    try:
        return subprocess.call(command, env=os.environ | {"DAGSTER_HOME": str(kept)}, cwd=folder)  # noqa: S603
    except KeyboardInterrupt:
        return 0
