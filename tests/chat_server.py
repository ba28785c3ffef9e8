"""A chat endpoint on loopback that does what a test says: answers, refuses, stammers, hangs or breaks off."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Reply:
    """What to send: a status, a body, headers; or how to fail."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait_s: float = 0  # before anything
    drip_s: float = 0  # between bytes
    broken_at: int | None = None  # the connection is reset after so many bytes


def said(content: Any, finish: str | None = "stop", **reply: Any) -> Reply:
    """Make a chat completion that says `content`."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}}
    choices = [choice | ({"finish_reason": finish} if finish else {})]
    body = {"id": "x", "object": "chat.completion", "choices": choices}
    return Reply(json.dumps(body).encode(), **reply)


@dataclass
class Seen:
    """What came to the server, and how many requests at once."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    now: int = 0
    most: int = 0
    url: str = ""


@contextlib.contextmanager
def serving(script: Callable[[int, dict[str, Any]], Reply]) -> Iterator[Seen]:
    """Serve on a free port; `script` gets the number of the request and its body."""
    seen, lock, stop = Seen(), threading.Lock(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(seen.bodies)
                seen.bodies.append(body)
                seen.headers.append(dict(self.headers))
                seen.paths.append(self.path)
                seen.now += 1
                seen.most = max(seen.most, seen.now)
            try:
                with contextlib.suppress(OSError):
                    self.answer(script(number, body))
            finally:
                with lock:
                    seen.now -= 1

        def answer(self, reply: Reply) -> None:
            if stop.wait(reply.wait_s):
                return
            self.send_response(reply.status)
            for name, value in ({"Content-Length": str(len(reply.body))} | reply.headers).items():
                self.send_header(name, value)
            self.end_headers()
            sent = reply.body if reply.broken_at is None else reply.body[: reply.broken_at]
            for part in [bytes([b]) for b in sent] if reply.drip_s else [sent]:
                self.wfile.write(part)
                self.wfile.flush()
                if stop.wait(reply.drip_s):
                    return
            if reply.broken_at is not None:
                linger = struct.pack("ii", 1, 0)  # close with a reset, not politely
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                self.connection.close()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    seen.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield seen
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


def dead_url() -> str:
    """Name an endpoint that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def wait_until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for something other threads do."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()
