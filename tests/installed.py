"""deploy/ installed into a folder: the same files, with the paths and ports of a test instead of the machine's."""

import os
import re
import shlex
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

DEPLOY = Path(__file__).parents[1] / "deploy"
PROGRAMS = Path(sys.executable).parent
_CHANGED = re.compile(
    "/opt/curation_dagster/.venv/bin|/etc/curate|/var/lib/curate|/var/cache/curate|4266|3000|3001"
)
_TLS = ("ssl_certificate ", "ssl_certificate_key ")


@dataclass(frozen=True)
class Installed:
    """Where things are, and which port stands for which."""

    units: Path
    proxy: Path
    environment: dict[str, str]
    ports: dict[int, int]

    def command(self, unit: str, when: str = "ExecStart") -> list[str]:
        """Return what a unit starts."""
        text = (self.units / f"{unit}.service").read_text("utf-8")
        [line] = [line for line in text.splitlines() if line.startswith(f"{when}=")]
        return shlex.split(line.removeprefix(f"{when}="))


def free_ports(count: int) -> list[int]:
    """Return so many different ports on loopback that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for found in sockets:
        found.bind(("127.0.0.1", 0))
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports


def install(kind: str, folder: Path) -> Installed:
    """Do what deploy/README.md says for "sqlite" or "postgres", below a folder. TLS is left out of the proxy."""
    etc, var, units = (folder / name for name in ("etc", "var", "units"))
    for made in (etc, var / "dagster", var / "recipes", units):
        made.mkdir(parents=True)
    ports = dict(zip((4266, 3000, 3001, 443), free_ports(4), strict=True))
    changed = {
        "/opt/curation_dagster/.venv/bin": str(PROGRAMS),
        "/etc/curate": str(etc),
        "/var/lib/curate": str(var),
        "/var/cache/curate": "",
    } | {str(port): str(free) for port, free in ports.items() if port != 443}

    def read(path: Path) -> str:
        return _CHANGED.sub(lambda found: changed[found[0]], path.read_text("utf-8"))

    for path in (DEPLOY / "sqlite").glob("*.service"):
        (units / path.name).write_text(read(path), "utf-8")
    (etc / "workspace.yaml").write_text(read(DEPLOY / "sqlite" / "workspace.yaml"), "utf-8")
    (var / "dagster" / "dagster.yaml").write_text(read(DEPLOY / kind / "dagster.yaml"), "utf-8")
    lines = read(DEPLOY / "sqlite" / "environment").splitlines()
    environment = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    site = read(DEPLOY / "proxy" / "nginx.conf").replace(
        "listen 443 ssl", f"listen 127.0.0.1:{ports[443]}"
    )
    kept = [line for line in site.splitlines() if not line.strip().startswith(_TLS)]
    temporary = "".join(
        f"{name}_temp_path {folder}/nginx-{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = (
        "user root;\n" if os.geteuid() == 0 else ""
    )  # its workers else may not read a test's folder
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{chr(10).join(kept)}\n}}\n",
        "utf-8",
    )
    environment = {name: value for name, value in environment.items() if value}
    return Installed(units, folder / "nginx.conf", environment, ports)
