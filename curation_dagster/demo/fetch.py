"""Crawl one source breadth first over HTTP/1.1 and keep what went over the wire.

A plain crawler: robots.txt first, then pages in the order in which their links were met, nothing
outside the source's prefix, each address once. How a response is stored is decided in `archive`.
"""

from __future__ import annotations

import contextlib
import re
from collections import deque
from dataclasses import dataclass
from html import unescape
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urldefrag, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from socket import socket

USER_AGENT = "curation-dagster-demo/1.0"
"""The name the crawler gives itself, in its requests and to robots.txt."""

TIMEOUT_SECONDS = 30
"""How long one response may take."""


_LINK = re.compile(r"<(?:a|link|img)\b[^>]*?\b(?:href|src)=[\"']([^\"'>]*)[\"']", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response; both heads byte for byte as they were sent."""

    url: str
    request: bytes
    status: int
    content_type: str
    location: str | None
    head: bytes
    body: bytes

    @property
    def is_page(self) -> bool:
        """Whether an HTML page was found here."""
        return self.status == HTTPStatus.OK and self.content_type.startswith("text/html")


class _Reader:
    """The stream of a response, remembering the lines read from it: the head, not the body."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.lines = stream, list[bytes]()

    def readline(self, limit: int = -1) -> bytes:
        self.lines.append(self.stream.readline(limit))
        return self.lines[-1]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self.stream, name)


class _Response(HTTPResponse):
    def __init__(
        self, sock: socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.reader = _Reader(self.fp)
        self.fp = self.reader  # type: ignore[assignment]


class _Connection(HTTPConnection):
    """A connection that remembers the bytes of its last request."""

    response_class = _Response
    sent = b""

    def send(self, data: Any) -> None:  # noqa: ANN401 - bytes or a file, as http.client says
        self.sent = bytes(data)
        super().send(data)


def crawl(host: str, prefix: str, port: int, max_requests: int) -> Iterator[Exchange]:
    """Fetch the pages below `prefix` of a host that is served on this port of 127.0.0.1."""
    origin = f"http://{host}"
    connection = _Connection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        first = fetch(connection, f"{origin}/robots.txt")
        yield first
        robots = RobotFileParser()
        robots.parse(first.body.decode("utf-8", "replace").splitlines())
        queue, seen = deque([origin + prefix]), {first.url, origin + prefix}
        while queue and len(seen) - len(queue) < max_requests:
            exchange = fetch(connection, queue.popleft())
            yield exchange
            for url in links(exchange):
                inside = url.startswith((origin + prefix, origin + prefix.rstrip("/")))
                if inside and url not in seen and robots.can_fetch(USER_AGENT, url):
                    seen.add(url)
                    queue.append(url)
    finally:
        connection.close()


def fetch(connection: _Connection, url: str) -> Exchange:
    """Send one GET request under the host name of the address, whatever host answers."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    connection.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": parts.netloc, "User-Agent": USER_AGENT, "Accept": "*/*"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    return Exchange(
        url=url,
        request=connection.sent,
        status=response.status,
        content_type=response.getheader("Content-Type", ""),
        location=response.getheader("Location"),
        head=b"".join(response.reader.lines),  # type: ignore[attr-defined]
        body=body,
    )


def links(exchange: Exchange) -> list[str]:
    """Return the absolute addresses a response leads to, without fragments, in its order."""
    found = [exchange.location] if exchange.location else []
    if exchange.is_page:
        page = exchange.body.decode("utf-8", "replace")
        found = [unescape(link) for link in _LINK.findall(page)]
    absolute: list[str] = []
    for link in found:
        with contextlib.suppress(ValueError):  # not an address: documentation shows examples
            absolute.append(urldefrag(urljoin(exchange.url, link)).url)
    return absolute
