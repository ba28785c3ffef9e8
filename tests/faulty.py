"""An HTTP proxy that misbehaves: it stands before an S3 server and spoils requests of its seeded choice.

Kinds: `503` (refuses), `reset` (closes before the server hears of it), `lost` (the server does it, the answer is lost),
`cut` (half of a body, whichever way it goes), `slow` (answers late, every other time later than anybody waits). Which
request is spoiled depends on seed, method, path and how often it came, not on the order in which threads come.
"""

import contextlib
import hashlib
import http.client
import re
import socket
import socketserver
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

KINDS = ("503", "reset", "lost", "cut", "slow")
SLOW_DOWN = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"""

EXPIRED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"""


@dataclass
class Faulty:
    """A running proxy; harmless until `inject`."""

    upstream: str
    url: str = ""
    kind: str | None = None
    seed: int = 0
    rate: float = 0
    late_s: float = 0.05
    never_s: float = 1.5
    times: int = 10**9
    spoiled: Counter = field(default_factory=Counter)
    seen: Counter = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def inject(self, kind, seed=0, rate=1.0, times=10**9):
        """Spoil this share of the requests from now on, at most so many."""
        with self.lock:
            self.kind, self.seed, self.rate, self.times = kind, seed, rate, times
            self.spoiled, self.seen = Counter(), Counter()

    def spoils(self, method, path):
        """Decide about a request: the kind of fault, or None."""
        with self.lock:
            key = re.sub(
                r"uploadId=[^&]*", "", path.split("/", 2)[-1]
            )  # a round has a bucket of its own
            said = f"{self.seed} {method} {key} {self.seen[method, key]}"
            self.seen[method, key] += 1
            chance = int.from_bytes(hashlib.sha256(said.encode()).digest()[:4]) / 2**32
            if self.kind is None or chance >= self.rate or self.spoiled.total() >= self.times:
                return None
            self.spoiled[method] += 1
            if self.kind == "slow":
                return "never" if self.spoiled.total() % 2 else "late"
            return self.kind


@contextlib.contextmanager
def before(upstream):
    """Give a proxy on a free port of loopback."""
    proxy = Faulty(upstream)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    with _Server(("127.0.0.1", 0), handler) as server:
        proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield proxy
        server.shutdown()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, *_):
        """Say nothing: clients give up, which is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: Faulty

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.proxy.spoils(self.command, self.path)
        match fault:
            case "503":
                self._answer(503, [("Content-Type", "application/xml")], SLOW_DOWN)
            case "expired":
                self._answer(400, [("Content-Type", "application/xml")], EXPIRED)
            case "reset":
                self._reset()
            case "never":
                time.sleep(self.proxy.never_s)
                self._reset()
            case "cut" if body:
                self._forward(body[: len(body) // 2], whole=False)
                self._reset()
            case _:
                status, headers, answer = self._forward(body)
                if fault == "lost":
                    self._reset()
                    return
                if fault == "late":
                    time.sleep(self.proxy.late_s)
                self._answer(status, headers, answer, cut=fault == "cut")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815

    def _forward(self, body, whole=True):
        there = urlsplit(self.proxy.upstream)
        with contextlib.closing(
            http.client.HTTPConnection(there.hostname, there.port, timeout=60)
        ) as connection:
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() not in {"connection", "expect"}:
                    connection.putheader(name, value)
            connection.endheaders(body)
            if not whole:
                return None
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def _answer(self, status, headers, body, cut=False):
        dropped = {"transfer-encoding", "connection", *({"content-length"} if body else ())}
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in dropped:
                self.send_header(name, value)
        if body:
            self.send_header("Content-Length", str(len(body)))
        elif self.command != "HEAD" and "content-length" not in {n.lower() for n, _ in headers}:
            self.send_header("Content-Length", "0")
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.wfile.flush()
            self.close_connection = True

    def _reset(self):
        """Close so that the client sees a reset, not an end."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def log_message(self, *_):
        """Say nothing."""
