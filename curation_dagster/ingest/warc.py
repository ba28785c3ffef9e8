"""Records of crawls to rows: every record, and every damaged range, gets one, with a reason if it has no text.

The rows' `record_bytes` add up to the file. What can go wrong with a body is its record's trouble,
never the file's. Not here: how files are read (`archive`), HTTP (`http`), pages (`page`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from curation_dagster.ingest import http
from curation_dagster.ingest.archive import Record, records
from curation_dagster.ingest.page import page, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.recipe import Ingest

_OK: Final = 200
_ROOM: Final = 1 << 20  # for HTTP headers and chunk sizes, around a body
_TITLE_CHARS: Final = 200
_MAX_STATUS: Final = 1 << 16
_DATE_CHARS: Final = len("2026-01-02T03:04:05.123456")
DAMAGED: Final = "ingest.damaged"
Row = dict[str, Any]


def read(stream: Any, size: int, config: Ingest) -> Iterator[Record]:  # noqa: ANN401 - any binary stream
    """Yield a file's records. Memory: a few records of at most `max_record_bytes`."""
    return records(stream, size, config.max_record_bytes + _ROOM)


def row(record: Record, config: Ingest) -> Row:
    """Judge one record. Its work is in kernels that release the GIL, where the extractor is ours."""
    headers = record.headers
    given: Row = {
        "url": (headers.get("warc-target-uri") or "").strip("<>") or None,
        "crawled_at": _date(headers.get("warc-date")),
        "record_id": (headers.get("warc-record-id") or "").strip("<>") or None,
        "record_bytes": record.length,
        "unpacked_bytes": record.unpacked,
    }
    if record.trouble is not None:
        return given | {"rejected_by": DAMAGED, "title": record.trouble[:_TITLE_CHARS]}
    if record.too_large:
        return given | {"rejected_by": "ingest.too_large"}
    return given | _judged(record, given["url"], config)


def _judged(record: Record, url: str | None, config: Ingest) -> Row:
    kind = record.kind
    if kind == "conversion":
        large = len(record.block) > config.max_record_bytes
        return {"rejected_by": "ingest.too_large"} if large else plain(record.block, None, config)
    declared = record.headers.get("content-type", "").lower()
    if kind == "resource" and declared.startswith(("text/html", "application/xhtml+xml")):
        large = len(record.block) > config.max_record_bytes
        return (
            {"rejected_by": "ingest.too_large"} if large else page(record.block, None, url, config)
        )
    if kind != "response":
        return {
            "rejected_by": f"ingest.record_{kind}" if kind.isalnum() else "ingest.record_unknown"
        }
    is_http = (
        not declared or declared.startswith("application/http") or (url or "").startswith("http")
    )
    return _response(record.block, url, config) if is_http else {"rejected_by": "ingest.not_http"}


def _response(block: bytes, url: str | None, config: Ingest) -> Row:
    response = http.response(block, config.max_record_bytes)
    if response is None:
        return {"rejected_by": "ingest.not_http"}
    status = (
        response.status if response.status is not None and response.status < _MAX_STATUS else None
    )
    given: Row = {"http_status": status, "content_type": response.content_type}
    if status != _OK:
        return given | {"rejected_by": "ingest.http_status" if status else "ingest.not_http"}
    if response.trouble is not None:
        large = response.trouble.startswith("larger")
        reason = "ingest.too_large" if large else "ingest.undecodable"
        return given | {"rejected_by": reason, "title": response.trouble[:_TITLE_CHARS]}
    if not response.body.strip():
        return given | {"rejected_by": "ingest.empty"}
    if not http.is_html(response.content_type, response.body):
        return given | {"rejected_by": "ingest.not_html"}
    return given | page(response.body, response.charset, url, config)


def _date(text: str | None) -> datetime | None:
    """Parse an ISO date; None where it is none. Digits below microseconds are dropped."""
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text.strip().rstrip("Zz")[:_DATE_CHARS])
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
