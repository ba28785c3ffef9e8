"""WARC and WET records as rows (ISO 28500), read with fastwarc: every record gets one, with a reason if rejected.

A file that is damaged ends in a row of its own (`ingest.damaged`) that covers the bytes not read;
in a file that is cut the record that lacks bytes is that row. So the rows' `record_bytes` add up to
the file. Reading does not go on behind the damage. A body that does not decode is its record's
trouble, not the file's: it is read as bytes first, and decoded apart from the file.
"""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Any, Final, Literal

from curation_dagster.ingest import html

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastwarc.warc import WarcRecord

_HTML: Final = ("text/html", "application/xhtml+xml")
_SNIFF: Final = (b"<!doctype html", b"<html")
_OK: Final = 200
_GZIP: Final = b"\x1f\x8b\x08"
_ROOM: Final = 1 << 20  # for HTTP headers and chunk sizes, around a body
_TITLE_CHARS: Final = 200
DAMAGED: Final = "ingest.damaged"
Row = dict[str, Any]


def records(stream: Any, size: int, max_record_bytes: int) -> Iterator[tuple[int, Row]]:  # noqa: ANN401
    """Yield (offset in the file as stored, row) of every record; rows hold what `schema.RAW` names.

    Memory: one record, at most `max_record_bytes` decoded.
    """
    from fastwarc.warc import ArchiveIterator

    held: tuple[int, Row] | None = None
    trouble: str | None = None
    try:
        for record in ArchiveIterator(stream, parse_http=False):
            offset = int(record.stream_pos)
            if held:
                yield held[0], held[1] | {"record_bytes": max(offset - held[0], 0)}
            held = offset, _row(record, max_record_bytes)
    except (OSError, ValueError) as error:
        trouble = str(error)
    if held is None:
        if size:
            yield 0, _damaged(trouble or "no record found") | {"record_bytes": size}
        return
    where, row = held
    damaged = row.get("rejected_by") == DAMAGED
    if trouble is None and not damaged and _is_cut(stream, where):
        trouble = "cut short"
    if trouble is None or damaged:
        yield where, row | {"record_bytes": size - where}
        return
    # What follows the last good record's header is not accounted to it: its end is unknown.
    yield where, row | {"record_bytes": 0}
    yield where, _damaged(trouble) | {"record_bytes": size - where}


def _row(record: WarcRecord, max_record_bytes: int) -> Row:
    kind = str(record.record_type)
    row: Row = {
        "url": (record.headers.get("WARC-Target-URI") or "").strip("<>") or None,
        "crawled_at": record.record_date,
    }
    block = b""
    if kind in {"response", "conversion"}:
        block = record.reader.read(max_record_bytes + _ROOM)
    lacking = record.content_length - len(block) - record.consume()
    if not (record.headers.get("Content-Length") or "").strip().isdigit():
        return row | _damaged("a record header without Content-Length, or cut")
    if lacking > 0:
        return row | _damaged(f"cut short: {lacking} bytes of the record are missing")
    return row | _judged(kind, block, max_record_bytes, is_http=record.is_http)


def _judged(kind: str, block: bytes, max_record_bytes: int, *, is_http: bool) -> Row:
    if kind == "conversion":
        large = len(block) > max_record_bytes
        return {"rejected_by": "ingest.too_large"} if large else _plain(block)
    if kind != "response":
        return {"rejected_by": f"ingest.record_{kind}"}
    return _response(block, max_record_bytes) if is_http else {"rejected_by": "ingest.not_http"}


def _response(block: bytes, max_record_bytes: int) -> Row:
    """Judge an HTTP response, apart from the file: its errors end with it."""
    try:
        head = _http(block, "none")
    except (OSError, ValueError) as error:
        return {"rejected_by": "ingest.not_http", "title": str(error)[:_TITLE_CHARS]}
    status, kind = _status(head.http_headers.status_code), head.http_content_type
    row: Row = {"http_status": status, "content_type": kind}
    if status != _OK:
        return row | {"rejected_by": "ingest.http_status" if status else "ingest.not_http"}
    if kind and kind.lower() not in _HTML:
        return row | {"rejected_by": "ingest.not_html"}
    try:
        body = _http(block, "all").reader.read(max_record_bytes + 1)
    except (OSError, ValueError) as error:
        return row | {"rejected_by": "ingest.undecodable", "title": str(error)[:_TITLE_CHARS]}
    large = len(body) > max_record_bytes
    page = None if large else _page(body, kind, head.http_charset)
    return row | (page or {"rejected_by": "ingest.too_large"})


def _http(block: bytes, decode: Literal["none", "all"]) -> WarcRecord:
    from fastwarc.warc import WarcRecord

    record = WarcRecord()
    record.set_bytes_content(block)
    record.is_http = True
    record.parse_http(auto_decode=decode)
    return record


def _page(body: bytes, content_type: str | None, charset: str | None) -> Row:
    if not body.strip():
        return {"rejected_by": "ingest.empty"}
    if not content_type and not body[:1024].lstrip().lower().startswith(_SNIFF):
        return {"rejected_by": "ingest.not_html"}
    text = html.decode(body, charset)
    if text is None:
        return {"rejected_by": "ingest.undecodable"}
    try:
        page = html.extract(text)
    except (ValueError, RuntimeError) as error:
        return {"rejected_by": "ingest.unparsable", "title": str(error)}
    said = {"title": page.title, "license": page.license}
    if not page.text.strip():
        return said | {"rejected_by": "ingest.no_text"}
    return said | {"text": page.text}


def _plain(body: bytes) -> Row:
    text = html.decode(body, None)
    if text is None:
        return {"rejected_by": "ingest.undecodable"}
    return {"text": text} if text.strip() else {"rejected_by": "ingest.no_text"}


def _damaged(why: str) -> Row:
    return {"rejected_by": DAMAGED, "title": why[:_TITLE_CHARS]}


def _is_cut(stream: Any, last: int) -> bool:  # noqa: ANN401 - any seekable binary stream
    """Say whether gzip ends too early, where fastwarc ends quietly. Cost: reads the last member again."""
    for start in (last, 0):  # in a file of one member the last record is no start
        stream.seek(start)
        if stream.read(len(_GZIP)) == _GZIP:
            stream.seek(start)
            break
    else:
        return False
    try:
        with gzip.GzipFile(fileobj=stream) as file:
            while file.read(1 << 20):
                pass
    except (EOFError, OSError, zlib.error):
        return True
    return False


def _status(code: int | None) -> int | None:
    return code if code is not None and 0 <= code < 1 << 16 else None
