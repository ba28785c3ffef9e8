"""Capture the documentation on this machine as WARC files, so that the demo has a real crawl.

`capture.json` is written last and lists what the capture holds; a folder without it holds none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from curation_dagster.demo.archive import PART, Archive
from curation_dagster.demo.fetch import crawl
from curation_dagster.demo.plant import benchmark, questions_in
from curation_dagster.demo.serving import serving
from curation_dagster.demo.site import host_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SOURCES = ("stdlib", "packages", "licenses")
"""The sources in the order in which they are crawled."""

MAX_REQUESTS = 3000
"""The most addresses asked for in one source."""

MANIFEST = "capture.json"
"""Written last, under its final name in one step."""

_OURS = re.compile(rf"(?:{'|'.join(SOURCES)})-\d{{5}}\.warc\.gz")


@dataclass(frozen=True, slots=True)
class File:
    """One published WARC file; `pages` counts its HTML pages."""

    name: str
    source: str
    size_bytes: int
    sha256: str
    pages: int


@dataclass(frozen=True, slots=True)
class Capture:
    """What a capture holds: files, HTML pages by source, and the addresses of planted questions."""

    files: tuple[File, ...]
    pages: dict[str, int]
    planted: dict[str, list[str]]
    max_pages: int | None
    reused: bool = False


def capture(out: Path, *, max_pages: int | None = None, force: bool = False) -> Capture:
    """Crawl the documentation on this machine into `out`, or reuse a whole capture found there.

    Takes some 20 seconds of one core. `max_pages` limits the documents each source offers; a
    capture made with another limit is made again.

    Raises:
        CurationError: if the documentation server does not start.
    """
    found = None if force else existing(out)
    if found is not None and found.max_pages == max_pages:
        return replace(found, reused=True)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with progress() as tell, serving(max_pages, lambda *at: tell("rendered", *at)) as port:
            archives, planted = _record(out, port, lambda *at: tell("crawled", *at))
        return _publish(out, archives, planted, max_pages)
    finally:
        for part in out.glob(f"*{PART}"):
            part.unlink()


def existing(out: Path) -> Capture | None:
    """Return the capture in a folder, or None when there is none or a file is not as listed."""
    if not (out / MANIFEST).is_file():
        return None
    listed = json.loads((out / MANIFEST).read_text("utf-8"))
    files = tuple(File(**file) for file in listed.pop("files"))
    whole = all((out / f.name).is_file() and _sha256(out / f.name) == f.sha256 for f in files)
    return Capture(files=files, **listed) if whole else None


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str, str, int], None]]:
    """Show what has been done so far on a terminal; elsewhere show nothing."""
    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, int] = {}

        def tell(verb: str, source: str, pages: int) -> None:
            task = tasks.setdefault(source, len(tasks))
            if task not in bar.task_ids:
                bar.add_task(source, total=None)
            bar.update(bar.task_ids[task], description=f"{source}: {pages} pages {verb}")

        yield tell


def _record(
    out: Path, port: int, tell: Callable[[str, int], None]
) -> tuple[list[Archive], dict[str, list[str]]]:
    """Crawl every source into unpublished files; note the pages that hold a planted question."""
    items = benchmark()
    planted: dict[str, list[str]] = {item.id: [] for item in items if item.planted}
    archives: list[Archive] = []
    with contextlib.ExitStack() as stack:
        for source in SOURCES:
            archive = Archive(out, source)
            stack.callback(archive.close)
            archives.append(archive)
            for exchange in crawl(host_of(source), f"/{source}/", port, MAX_REQUESTS):
                archive.add(exchange)
                tell(source, sum(archive.pages))
                if exchange.is_page:
                    for found in questions_in(exchange.body.decode("utf-8", "replace"), items):
                        planted[found].append(exchange.url)
    return archives, planted


def _publish(
    out: Path, archives: list[Archive], planted: dict[str, list[str]], max_pages: int | None
) -> Capture:
    """Replace what a former capture left by the new files, and write the manifest last."""
    (out / MANIFEST).unlink(missing_ok=True)
    for old in out.iterdir():
        if _OURS.fullmatch(old.name):
            old.unlink()
    for archive in archives:
        archive.publish()
    files = tuple(
        File(name, archive.source, (out / name).stat().st_size, _sha256(out / name), pages)
        for archive in archives
        for name, pages in zip(archive.names, archive.pages, strict=True)
    )
    pages = {archive.source: sum(archive.pages) for archive in archives}
    made = Capture(files, pages, planted, max_pages)
    listed = {name: value for name, value in asdict(made).items() if name != "reused"}
    part = out / (MANIFEST + PART)
    part.write_text(json.dumps(listed, indent=2) + "\n", "utf-8")
    part.rename(out / MANIFEST)
    return made


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
