"""Dagster's pages in a real browser: `curate ui` as a process, Chromium over it, and the pages users look at.

Tests and `make screenshots` open the same pages by the same words and roles a reader sees. Every method returns when
what its page is about is visible, and fails after Playwright's 30 seconds.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import urllib3
from playwright.sync_api import Locator, Page, sync_playwright

CLONE = Path(__file__).parents[1]
VIEW = {"width": 1440, "height": 900}
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
_START_S, _STOP_S, _RUN_S = 120, 60, 180


def workspace(folder: Path) -> None:
    """Make a folder with `recipes/` a project of its own, as a clone is one."""
    shutil.copy(CLONE / "workspace.yaml", folder)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment in which `curate` works on the project in a folder."""
    return os.environ | {
        "CURATE_RECIPES": str(folder / "recipes"),
        "DAGSTER_HOME": str(folder / ".dagster"),
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": str(CLONE),
    }


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Run `curate ui` over the project in a folder until the block ends; yield its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "curation_dagster.cli", "ui", "--port", str(port), *options]
    with (folder / "ui.log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment(folder), stdout=log, stderr=log, start_new_session=True
        )
    try:
        answers(url, process)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(_STOP_S)


def answers(url: str, process: subprocess.Popen) -> None:
    """Wait until a web server answers.

    Raises:
        RuntimeError: its process has ended, or two minutes are over.
    """
    for _ in range(_START_S):
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if urllib3.request("GET", f"{url}/server_info", retries=False).status == 200:
                return
        if process.poll() is not None:
            break
        time.sleep(1)
    msg = f"no web server at {url}; exit code {process.poll()}"
    raise RuntimeError(msg)


@contextlib.contextmanager
def browsing(chromium: str) -> Iterator[Page]:
    """Open Chromium with a profile of its own; what a page may ask for outside this machine fails the block."""
    outside: list[str] = []

    def note(url: str) -> None:
        if re.match(r"(https?|wss?)://(?!127\.0\.0\.1[:/])", url):
            outside.append(url)

    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=chromium, args=_FLAGS.split(), viewport=VIEW
        )
        context.on("request", lambda request: note(request.url))
        yield context.pages[0]
        context.close()
    if outside:
        msg = f"the pages asked for addresses outside this machine: {outside[:5]}"
        raise RuntimeError(msg)


class Pages:
    """The pages of one web server, in one browser tab."""

    def __init__(self, page: Page, url: str) -> None:
        """Remember the tab and where the server is."""
        self.page, self.url = page, url

    def hide_navigation(self) -> None:
        """Give the pages the room of the column at the left, for good."""
        self.page.goto(f"{self.url}/runs")
        self.shown("Created at")
        if (button := self.page.get_by_text("Hide navigation")).count():
            button.click()

    def lineage(self, recipe: str, last: str) -> None:
        """Open the graph of a recipe; its assets up to `last` are drawn."""
        self.page.goto(f"{self.url}/locations/curation_dagster/asset-groups/{recipe}/lineage")
        self.shown(last)

    def partition(self, recipe: str, stage: str, key: str, says: str = "Materialized") -> None:
        """Open one partition of an asset; what was never materialized says "No metadata entries"."""
        self.page.goto(f"{self.url}/assets/{recipe}/{stage}?view=partitions&partition={key}")
        self.shown(key)
        self.shown(says)

    def check(self, recipe: str, stage: str, name: str) -> None:
        """Open the last result of a check."""
        self.page.goto(f"{self.url}/assets/{recipe}/{stage}?view=checks&checkDetail={name}")
        self.shown("Evaluation result")

    def metadata(self, recipe: str, stage: str, entry: str) -> Locator:
        """Open an asset's overview and scroll to one entry of its metadata, which is returned as a row."""
        self.page.goto(f"{self.url}/assets/{recipe}/{stage}")
        self.shown("Metadata")
        row = (
            self.page.get_by_role("row").filter(has=self.page.get_by_text(entry, exact=True)).first
        )
        row.scroll_into_view_if_needed()
        return row

    def choose(self) -> None:
        """Ask for the partition whose page is open; a dialog says what would run."""
        self.page.get_by_role("button", name="Materialize").first.click()
        self.page.get_by_role("dialog").get_by_text("1 partition", exact=True).wait_for()

    def launch(self) -> None:
        """Launch what the dialog says, and watch the page of its run until it ends well."""
        self.page.get_by_role("button", name="Launch 1 run").click()
        self.page.get_by_text("Launched run").wait_for()
        self.page.get_by_text("View", exact=True).click()
        self.shown("Success", within_s=_RUN_S)

    def backfill(self, identity: str) -> None:
        """Open the page of a backfill."""
        self.page.goto(f"{self.url}/runs/b/{identity}")
        self.shown("Partition selection")

    def shown(self, text: str, *, whole: bool = True, within_s: float = 30) -> None:
        """Wait until a text is visible, by itself or, if not `whole`, as a part of another."""
        self.page.get_by_text(text, exact=whole).first.wait_for(timeout=within_s * 1000)
