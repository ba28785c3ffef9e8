"""Serve the documentation site on loopback; a process of its own, started by `serving`.

The documentation is rendered here, in a process with a fixed hash seed and without the caller's
environment: importing a module may do anything, and what `repr` prints must not vary. Standard
output carries one JSON object a line: pages rendered so far, then the port.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import TYPE_CHECKING

from curation_dagster.demo.plant import benchmark, plant
from curation_dagster.demo.shelves import SOURCES
from curation_dagster.demo.site import answers, host_of, not_found

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation_dagster.demo.pages import Sheet
    from curation_dagster.demo.site import Answer

Sites = dict[str, "dict[str, Answer]"]
"""What each host answers, by path."""


class Handler(BaseHTTPRequestHandler):
    """Answer GET requests from the rendered sites; the Host header chooses the site."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    sites: Sites

    def do_GET(self) -> None:
        """Send the page at this path, a redirect, or a 404 page."""
        path = self.path.partition("?")[0]
        found = self.sites.get(self.headers.get("Host", ""), {}).get(path) or not_found(path)
        self.send_response(found.status)
        self.send_header("Content-Type", found.content_type)
        self.send_header("Content-Length", str(len(found.body)))
        if found.location:
            self.send_header("Location", found.location)
        self.end_headers()
        self.wfile.write(found.body)

    def version_string(self) -> str:
        """Name the server in the responses."""
        return "curation-dagster-demo"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Log nothing: the WARC files are the log."""


def render(max_pages: int | None, tell: Callable[[dict[str, object]], None]) -> Sites:
    """Render every source, plant the benchmark in the two that are documentation."""
    shelves: dict[str, list[Sheet]] = {}
    for source, sheets in SOURCES.items():
        shelf = shelves.setdefault(source, [])
        for sheet in islice(sheets(), max_pages):
            shelf.append(sheet)
            tell({"source": source, "pages": len(shelf)})
    shelves |= plant({name: shelves[name] for name in ("stdlib", "packages")}, benchmark())
    elsewhere = frozenset(sheet.path for sheet in shelves["stdlib"])
    return {host_of(name): answers(name, shelves[name], elsewhere) for name in shelves}


def no_comments(object: object) -> str | None:  # noqa: A002, ARG001 - inspect's name
    """Stand in for `inspect.getcomments`, for which pydoc parses a whole file for each class."""
    return None


def main(max_pages: int | None) -> None:
    """Render, serve on a free port of 127.0.0.1, and stop when standard input is closed."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as wire:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a module prints on import goes nowhere

        def tell(fact: dict[str, object]) -> None:
            wire.write(json.dumps(fact) + "\n")
            wire.flush()

        inspect.getcomments = no_comments
        Handler.sites = render(max_pages, tell)
        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            tell({"port": server.server_port})
            sys.stdin.read()
            server.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
