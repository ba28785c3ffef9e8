"""`curate ui`: Dagster's web server and daemon over the persistent instance, on loopback unless told otherwise.

The pages have no login and launch code, so another address is refused until somebody says that it is meant. Read-only
is the web server alone, without the daemon and without mutations.
"""

from __future__ import annotations

import ipaddress
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
_REFUSED: Final = (
    "--host {host}: the pages have no login, and whoever reaches them can {power}; put a proxy that asks for one "
    "before 127.0.0.1 (deploy/README.md), or say --without-login"
)


def serve(host: str, port: int, *, read_only: bool) -> NoReturn:
    """Become `dagster dev`, or Dagster's web server alone, so that a signal to this process stops all of it."""
    folder = recipe_folder().resolve().parent
    kept = home(folder)
    with instance(folder):  # made before the processes below all open it
        pass
    shown = f"[{host}]" if ":" in host else host
    notes = f"instance {kept}   {'read-only   ' if read_only else ''}Ctrl-C stops it"
    click.echo(f"http://{shown}:{port}/asset-groups   {notes}")
    workspace = folder / "workspace.yaml"
    what = ("-w", str(workspace)) if workspace.exists() else ("-m", "curation_dagster.definitions")
    program, *first = ("dagster-webserver", "--read-only") if read_only else ("dagster", "dev")
    command = [
        str(Path(sys.executable).with_name(program)), *first, *what, "--host", host, "--port", str(port),
    ]  # fmt: skip
    quiet = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), _QUIET)))
    environment = os.environ | {"DAGSTER_HOME": str(kept), "PYTHONWARNINGS": quiet}
    sys.stdout.flush()
    os.chdir(folder)
    os.execve(command[0], command, environment)  # noqa: S606


def refuse(host: str, *, read_only: bool) -> None:
    """Refuse an address that others may reach.

    A name other than `localhost` is refused too: what it resolves to may change.

    Raises:
        click.UsageError: saying what whoever reaches it could do.
    """
    try:
        alone = ipaddress.ip_address(host).is_loopback
    except ValueError:
        alone = host == "localhost"
    if not alone:
        power = "read every page" if read_only else "run code on this machine"
        raise click.UsageError(_REFUSED.format(host=host, power=power))
