"""`curate ui`: Dagster's web server and daemon on loopback, over the persistent instance."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, NoReturn

import click

from curation_dagster.orchestration.instance import home, instance
from curation_dagster.recipe_file import recipe_folder

# Notices of Dagster's about parameters and commands that this project uses knowingly, one an asset
# otherwise. By message: naming a category would make every Python process below import dagster.
_QUIET: Final = "ignore:Parameter `backfill_policy`,ignore:Function `dev_command`"


def serve(port: int) -> NoReturn:
    """Become `dagster dev`, so that a signal to this process stops all of it."""
    folder = recipe_folder().resolve().parent
    kept = home(folder)
    with instance(folder):  # made before the processes of `dagster dev` all open it
        pass
    click.echo(f"http://127.0.0.1:{port}/asset-groups   instance {kept}   Ctrl-C stops it")
    workspace = folder / "workspace.yaml"
    what = ("-w", str(workspace)) if workspace.exists() else ("-m", "curation_dagster.definitions")
    command = [
        str(Path(sys.executable).with_name("dagster")), "dev", *what, "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    quiet = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), _QUIET)))
    environment = os.environ | {"DAGSTER_HOME": str(kept), "PYTHONWARNINGS": quiet}
    sys.stdout.flush()
    os.chdir(folder)
    os.execve(command[0], command, environment)  # noqa: S606
