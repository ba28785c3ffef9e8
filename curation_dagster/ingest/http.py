"""HTTP response messages held in bytes (RFC 9110, RFC 9112), read as browsers do: archives cut and rewrite them.

What a header says of the body is a hint. Many archives store bodies decoded and keep the headers, so a
body that is no chunks, or no gzip, is taken as it is; gzip nobody declared is undone where HTML is
expected. Content-Length is not looked at: it counts what the server sent, and all that is there is kept.
The `X-Crawler-` headers of Common Crawl are names like any other. Not here: WARC, charsets, verdicts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import brotli  # type: ignore[import-untyped]
import zstandard
from isal import isal_zlib

from curation_dagster.ingest.fields import named, unfolded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_CODINGS: Final = 5  # as curl
_MAX_INTERIM: Final = 10
_MAX_HEAD_BYTES: Final = 256 << 10
_MAX_MEMBERS: Final = 100  # of a gzip body: each copies what follows it
_MAX_VALUE_CHARS: Final = 200  # of a header whose repeats are joined, and of Content-Type
_ZSTD_WINDOW_BYTES: Final = 8 << 20  # RFC 9659
_PIECE: Final = 1 << 16
_BROKEN: Final = cast(  # isal's stubs call its error an instance
    "tuple[type[Exception], ...]",
    (EOFError, isal_zlib.error, brotli.error, zstandard.ZstdError),
)
_DEFLATE: Final = 8  # the method in a zlib header
_GZIP: Final = b"\x1f\x8b\x08"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_LISTS: Final = {"content-encoding", "transfer-encoding"}
_STATUS: Final = re.compile(
    rb"\s*(?:HTTP/\d+(?:\.\d+)?|(?:HTTP|ICY)(?=[ \t]+\d{3}(?!\d)))(?:[ \t]+(\d{3})(?!\d))?[^\n]*\n?", re.IGNORECASE
)  # fmt: skip
_CHARSET: Final = re.compile(r"""[;,\s]charset\s*=\s*["']?\s*([^\s"';,]+)""")
_CHUNK: Final = re.compile(rb"[ \t]*([0-9a-fA-F]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")
CONTROLS: Final = bytes({*range(0x20), 0x7F} - {*b"\t\n\f\r\x1b"})  # as WHATWG tells binary data
_HTML: Final = {"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"}
_UNKNOWN: Final = {None, "unknown/unknown", "application/unknown", "*/*"}
_MAYBE: Final = {
    "application/octet-stream", "application/xml", "binary/octet-stream", "text/plain", "text/xml",
}  # fmt: skip
_SNIFF_BYTES: Final = 1 << 13
_LEAD: Final = rb"(?:\xef\xbb\xbf)?(?>\s+|<!--.*?-->|<\?.*?\?>)*+"
_ROOT: Final = re.compile(_LEAD + rb"<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?:!--|(?:!doctype\s+html|html|head|script|iframe|h1|div|font|table|a|style"
    rb"|title|b|body|br|p)[\s>])", re.IGNORECASE,
)  # fmt: skip


class Response(NamedTuple):
    """A response, its body free of transfer and content codings."""

    status: int | None  # None: the status line has none
    headers: Mapping[str, str]  # names in lower case; see `_head` for repeats
    content_type: str | None  # "type/subtype" in lower case
    charset: str | None  # as Content-Type says, in lower case
    body: bytes  # at most `max_body_bytes`; with `trouble`, what was decoded before it
    trouble: str | None  # why this is not the whole body: "gzip: cut", "larger than 100 bytes"


def response(block: bytes, max_body_bytes: int) -> Response | None:
    """Parse a response; None if the block does not begin like one. Interim (1xx) responses are passed over.

    Memory: the block, and about twice the body. Time: linear, some 8 us besides copying and decoding.
    """
    line = _STATUS.match(block)
    if not line:
        return None
    headers, start = _head(block, line.end())
    for _ in range(_MAX_INTERIM):
        after = _STATUS.match(block, start) if (line[1] or b"").startswith(b"1") else None
        if not after:
            break
        line = after
        headers, start = _head(block, line.end())
    status = int(line[1]) if line[1] else None
    kind, charset = _media(headers.get("content-type", "")[:_MAX_VALUE_CHARS])
    codings = [] if _LISTS.isdisjoint(headers) else _codings(headers)
    body, trouble = _body(block, start, codings, max_body_bytes)
    if body.startswith(_GZIP) and (kind in _HTML or kind in _UNKNOWN):
        plain, why = _collected(_inflated(body, 31), max_body_bytes)
        if plain:
            body, trouble = plain, trouble or (why and f"gzip: {why}")
    if len(body) > max_body_bytes:
        body, trouble = body[:max_body_bytes], trouble or _larger(max_body_bytes)
    return Response(status, headers, kind, charset, body, trouble)


def is_html(content_type: str | None, body: bytes) -> bool:
    """Tell HTML by its declared type, else by its first tag (WHATWG MIME Sniffing, 7.1).

    A missing type believes any common tag; plain text, octets and XML need a doctype or `<html>`, and may
    have comments before it. Other declared types are not HTML.
    """
    if content_type in _HTML:
        return True
    if content_type not in _MAYBE and content_type not in _UNKNOWN:
        return False
    head = body[:_SNIFF_BYTES]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head[2:].replace(b"\0", b"")
    if _ROOT.match(head):
        return True
    return content_type in _UNKNOWN and bool(_TAG.match(head))


def _head(block: bytes, at: int) -> tuple[dict[str, str], int]:
    """Read the header lines from `at`; return them and where the body starts.

    The first of equal names wins, but the last Content-Type that is one does (as in Fetch), and lists
    of codings are joined. A line that begins with `<` belongs to a body nobody set apart.
    """
    last = min(len(block), at + _MAX_HEAD_BYTES)
    end = block.find(b"\n\r\n", at - 1, last)
    bare = block.find(b"\n\n", at - 1, last if end < 0 else end)
    end, body_at = (bare, bare + 2) if bare >= 0 else (end, end + 3)
    if end < 0:
        end = body_at = last
    tag = block.find(b"\n<", at - 1, end)
    if tag >= 0:
        end, body_at = tag, tag + 1
    headers: dict[str, str] = {}
    for line in unfolded(block[at:end].decode("latin-1")).split("\n"):
        field = named(line)
        if field is None:
            continue
        name, value = field
        if name not in headers:
            headers[name] = value
        elif name in _LISTS and len(headers[name]) < _MAX_VALUE_CHARS:
            headers[name] += "," + value
        elif name == "content-type" and _media(value[:_MAX_VALUE_CHARS])[0]:
            headers[name] = value
    return headers, body_at


@lru_cache(maxsize=1024)
def _media(value: str) -> tuple[str | None, str | None]:
    value = value.lower()
    kind = re.split(r"[;,\s]", value, maxsplit=1)[0]
    charset = _CHARSET.search(value)
    return kind if "/" in kind else None, charset[1] if charset else None


def _codings(headers: Mapping[str, str]) -> list[str]:
    """List the codings in the order they are to be undone."""
    lists = ",".join(headers.get(name, "") for name in ("content-encoding", "transfer-encoding"))
    names = [name.strip() for name in lists.lower().split(",")]
    return [name for name in reversed(names) if name and name != "identity"]


def _body(block: bytes, at: int, codings: list[str], limit: int) -> tuple[bytes, str | None]:
    if not codings:
        return block[at : at + limit + 1], None
    body = block[at:]
    if len(codings) > MAX_CODINGS:
        return body, f"more than {MAX_CODINGS} codings"
    trouble: str | None = None
    for coding in codings:
        body, why = _unchunked(body) if coding == "chunked" else _undone(coding, body, limit)
        trouble = trouble or why
    return body, trouble


def _undone(coding: str, body: bytes, limit: int) -> tuple[bytes, str | None]:
    """Undo a content coding. Text that does not decode was never encoded."""
    if not body:
        return body, None
    decoder = _decoder(coding, body)
    if decoder is None:
        return body, None if _is_text(body) else f"{coding[:20]}: unknown coding"
    decoded, why = _collected(decoder, limit)
    if why is None:
        return decoded, None
    if _is_text(body):
        return body, None
    return decoded or body, why if why == _larger(limit) else f"{coding}: {why}"


def _decoder(coding: str, body: bytes) -> Iterator[bytes] | None:
    """Choose by the body's first bytes, then by name: servers mix up the names."""
    if coding not in {"gzip", "x-gzip", "deflate", "br", "zstd"}:
        return None
    if body.startswith(_GZIP):
        return _inflated(body, 31)
    if body.startswith(_ZSTD):
        return _unzstd(body)
    if coding == "deflate":
        zlib_wrapped = body[0] & 15 == _DEFLATE and int.from_bytes(body[:2], "big") % 31 == 0
        return _inflated(body, 15 if zlib_wrapped else -15)
    return _unbrotli(body) if coding == "br" else _unknown()


def _collected(parts: Iterator[bytes], limit: int) -> tuple[bytes, str | None]:
    """Join parts until they break or exceed the limit."""
    held: list[bytes] = []
    size = 0
    trouble: str | None = None
    try:
        for part in parts:
            held.append(part)
            size += len(part)
            if size > limit:
                trouble = _larger(limit)
                break
    except _BROKEN as error:
        trouble = str(error)
    return b"".join(held), trouble


def _inflated(body: bytes, wbits: int) -> Iterator[bytes]:
    """Inflate members of gzip, or one stream. Other bytes behind the last are ignored."""
    for _ in range(_MAX_MEMBERS):
        stream = isal_zlib.decompressobj(wbits)
        yield stream.decompress(body, _PIECE)
        while not stream.eof:
            part = stream.decompress(stream.unconsumed_tail, _PIECE)
            if not part and not stream.eof:
                raise EOFError("cut")
            yield part
        body = stream.unused_data
        if not body.startswith(_GZIP):
            return
    raise EOFError(f"more than {_MAX_MEMBERS} members")


def _unbrotli(body: bytes) -> Iterator[bytes]:
    """Decompress brotli. Output is asked for until there is none: `can_accept_more_data` does not tell (1.2.1)."""
    stream = brotli.Decompressor()
    for at in range(0, len(body), _PIECE):  # what is not consumed is copied at every call
        part = stream.process(body[at : at + _PIECE], output_buffer_limit=_PIECE)
        while part:
            yield part
            part = b"" if stream.is_finished() else stream.process(b"", output_buffer_limit=_PIECE)
    if not stream.is_finished():
        raise EOFError("cut")


def _unzstd(body: bytes) -> Iterator[bytes]:
    """Decompress frames, then once more, in one piece, to see whether the last one ends."""
    context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    with context.stream_reader(body, read_across_frames=True) as reader:
        while part := reader.read(_PIECE):
            yield part
    for _ in range(_MAX_MEMBERS):
        frame = context.decompressobj()
        frame.decompress(body)
        if not frame.eof:
            raise EOFError("cut")
        body = frame.unused_data
        if not body:
            return
    raise EOFError(f"more than {_MAX_MEMBERS} frames")


def _unknown() -> Iterator[bytes]:
    raise EOFError("other data")
    yield b""


def _unchunked(body: bytes) -> tuple[bytes, str | None]:
    """Join chunks; extensions and trailers are dropped. What does not begin with a chunk's size is no chunks."""
    if not _CHUNK.match(body):
        return body, None
    joined, at = bytearray(), 0
    while chunk := _CHUNK.match(body, at):
        size, start = int(chunk[1], 16), chunk.end()
        if size == 0:
            return bytes(joined), None
        at = start + size
        joined += body[start:at]
        end = body[at : at + 2]
        if not end.startswith((b"\r\n", b"\n")):
            break
        at += 2 if end == b"\r\n" else 1
    if body[at : at + 3].strip() == b"0":
        return bytes(joined), None
    return bytes(joined), "chunked: cut" if at >= len(body) else f"chunked: no chunk at byte {at}"


def _is_text(body: bytes) -> bool:
    head = body[:512]
    return len(head) == len(head.translate(None, CONTROLS))


def _larger(limit: int) -> str:
    return f"larger than {limit} bytes"
