"""`curate ui`: what it becomes, and which addresses it refuses. The pages themselves: tests/ui."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def started(curate, fresh, monkeypatch):
    """Call `curate ui`; return the result, and the command it would have become."""
    monkeypatch.setenv("CURATE_RECIPES", str(fresh.parent))
    commands: list[list[str]] = []

    def become(_program: str, command: list[str], _environment: dict[str, str]) -> None:
        commands.append(command)

    monkeypatch.setattr(os, "execve", become)
    return lambda *options: (curate("ui", *options), *commands)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        pytest.param([], "http://127.0.0.1:3000", id="nothing said"),
        pytest.param(["--host", "127.0.0.2", "--port", "1"], "http://127.0.0.2:1", id="loopback"),
        pytest.param(["--host", "::1"], "http://[::1]:3000", id="IPv6"),
        pytest.param(["--host", "localhost"], "http://localhost:3000", id="its name"),
        pytest.param(["--host", "0.0.0.0", "--without-login"], "http://0.0.0.0:3000", id="meant"),  # noqa: S104
    ],
)
def test_it_becomes_web_server_and_daemon(started, options, shown):
    found, command = started(*options)
    assert f"{shown}/asset-groups" in found.stdout
    assert [Path(command[0]).name, command[1]] == ["dagster", "dev"]
    host = options[options.index("--host") + 1] if "--host" in options else "127.0.0.1"
    assert command[command.index("--host") + 1] == host


def test_read_only_is_the_web_server_alone(started):
    found, command = started("--read-only")
    assert "read-only" in found.stdout
    assert [Path(command[0]).name, command[1]] == ["dagster-webserver", "--read-only"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "10.0.0.1", "curate.test", ""])  # noqa: S104
@pytest.mark.parametrize(
    ("options", "power"),
    [([], "run code on this machine"), (["--read-only"], "read every page")],
)
def test_an_address_that_others_reach_is_refused(started, host, options, power):
    found, *command = started("--host", host, *options)
    assert found.exit_code == 2
    assert f"whoever reaches them can {power}" in found.stderr
    assert "--without-login" in found.stderr
    assert not command
