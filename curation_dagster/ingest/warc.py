"""WARC and WET records as rows (ISO 28500), read with fastwarc: every record gets one, with a reason if rejected.

A file that is damaged or cut ends in a row of its own (`ingest.damaged`) that covers the bytes not
read, so that the rows' `record_bytes` add up to the file. Reading does not go on behind the damage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from curation_dagster.ingest import html

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastwarc.warc import WarcRecord

_HTML: Final = ("text/html", "application/xhtml+xml")
_SNIFF: Final = (b"<!doctype html", b"<html")
_OK: Final = 200
Row = dict[str, Any]


def records(stream: Any, size: int, max_record_bytes: int) -> Iterator[tuple[int, Row]]:  # noqa: ANN401
    """Yield (offset in the file as stored, row) of every record; rows hold what `schema.RAW` names.

    Memory: one record, at most `max_record_bytes` decoded.
    """
    from fastwarc.warc import ArchiveIterator

    held: tuple[int, Row] | None = None
    try:
        for record in ArchiveIterator(stream, parse_http=True, auto_decode="all"):
            offset = int(record.stream_pos)
            if held:
                yield held[0], held[1] | {"record_bytes": max(offset - held[0], 0)}
            held = offset, _row(record, max_record_bytes)
    except (OSError, ValueError) as error:
        # What follows the last good record's header is not accounted to it: its end is unknown.
        where = held[0] if held else 0
        if held:
            yield where, held[1] | {"record_bytes": 0}
        yield (
            where,
            {"rejected_by": "ingest.damaged", "title": str(error), "record_bytes": size - where},
        )
        return
    if held:
        yield held[0], held[1] | {"record_bytes": size - held[0]}
    elif size:
        yield 0, {"rejected_by": "ingest.damaged", "title": "no record found", "record_bytes": size}


def _row(record: WarcRecord, max_record_bytes: int) -> Row:
    kind = str(record.record_type)
    row: Row = {
        "url": (record.headers.get("WARC-Target-URI") or "").strip("<>") or None,
        "crawled_at": record.record_date,
    }
    if kind == "conversion":
        body = _body(record, max_record_bytes)
        return row | ({"rejected_by": "ingest.too_large"} if body is None else _plain(body))
    if kind != "response":
        return row | {"rejected_by": f"ingest.record_{kind}"}
    if not record.http_headers:
        return row | {"rejected_by": "ingest.not_http"}
    row |= {
        "http_status": _status(record.http_headers.status_code),
        "content_type": record.http_content_type,
    }
    if row["http_status"] != _OK:
        return row | {"rejected_by": "ingest.http_status"}
    if record.http_content_type and record.http_content_type.lower() not in _HTML:
        return row | {"rejected_by": "ingest.not_html"}
    return row | _page(record, max_record_bytes)


def _page(record: WarcRecord, max_record_bytes: int) -> Row:  # noqa: PLR0911 - one a reason
    body = _body(record, max_record_bytes)
    if body is None:
        return {"rejected_by": "ingest.too_large"}
    if not record.http_content_type and not body[:1024].lstrip().lower().startswith(_SNIFF):
        return {"rejected_by": "ingest.not_html"}
    if not body.strip():
        return {"rejected_by": "ingest.empty"}
    text = html.decode(body, record.http_charset)
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


def _body(record: WarcRecord, max_record_bytes: int) -> bytes | None:
    body: bytes = record.reader.read(max_record_bytes + 1)
    return body if len(body) <= max_record_bytes else None


def _status(code: int | None) -> int | None:
    return code if code is not None and 0 <= code < 1 << 16 else None
