"""Programs that some tests start: servers and a browser, from Debian's packages (`.ci/debian` installs them)."""

import os
import shutil
from pathlib import Path

import pytest


def program(name: str, package: str) -> str:
    """Return the path of a program; without it skip, but fail where CI must have it."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or next(map(str, installed), None)
    if found is None:
        reason = f"{name} is not installed (Debian's package {package}; see .ci/debian)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return found
