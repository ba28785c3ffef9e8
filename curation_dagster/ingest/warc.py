"""Records of crawls to rows: every record, and every damaged range, gets one, with a reason if it has no text.

The rows' `record_bytes` add up to the file. What can go wrong with a body is its record's trouble,
never the file's. Not here: how files are read (`archive`), HTTP (`http`), pages (`page`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from curation_dagster.ingest import http
from curation_dagster.ingest.archive import Record, records
from curation_dagster.ingest.page import Row, page, plain, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.recipe import Ingest

_OK: Final = 200
_ROOM: Final = 1 << 20  # for HTTP headers and chunk sizes, around a body
_MAX_STATUS: Final = 1 << 16
_MAX_URL_CHARS, _MAX_ID_CHARS = 8192, 200
_KINDS: Final = frozenset(
    "warcinfo request metadata revisit resource continuation filedesc response conversion".split()
)
_HTML: Final = ("text/html", "application/xhtml+xml")
_TOO_FINE: Final = re.compile(r"(\.\d{6})\d+")
_DIGITS: Final = re.compile(r"\d{14}")
DAMAGED: Final = "ingest.damaged"
TOO_LARGE: Final = {"rejected_by": "ingest.too_large"}


def read(stream: Any, size: int, config: Ingest) -> Iterator[Record]:  # noqa: ANN401 - any binary stream
    """Yield a file's records. Memory: a few records of at most `max_record_bytes`."""
    for record in records(stream, size, config.max_record_bytes + _ROOM):
        if record.too_large:  # its head says what it is
            yield record._replace(block=record.block[:_ROOM])
        else:
            yield record


def row(record: Record, config: Ingest) -> Row:
    """Judge one record. Its work is in kernels that release the GIL, where the extractor is ours."""
    headers = record.headers
    given: Row = {
        "url": (headers.get("warc-target-uri") or "").strip("<>")[:_MAX_URL_CHARS] or None,
        "crawled_at": _date(headers.get("warc-date")),
        "record_id": (headers.get("warc-record-id") or "").strip("<>")[:_MAX_ID_CHARS] or None,
        "warc_truncated": (headers.get("warc-truncated") or "")[:_MAX_ID_CHARS] or None,
        "record_bytes": record.length,
        "unpacked_bytes": record.unpacked,
    }
    if record.trouble is not None:
        return given | refused(DAMAGED, record.trouble)
    return given | _judged(record, given["url"], config)


def _judged(record: Record, url: str | None, config: Ingest) -> Row:
    kind = record.kind
    large = record.too_large or len(record.block) > config.max_record_bytes
    if kind == "conversion":
        return dict(TOO_LARGE) if large else plain(record.block, None, config)
    declared = record.headers.get("content-type", "").lower()
    if kind == "resource" and declared.startswith(_HTML):
        return dict(TOO_LARGE) if large else page(record.block, None, url, config)
    if kind != "response":
        return {"rejected_by": f"ingest.record_{kind if kind in _KINDS else 'unknown'}"}
    is_http = (
        not declared or declared.startswith("application/http") or (url or "").startswith("http")
    )
    return _response(record, url, config) if is_http else {"rejected_by": "ingest.not_http"}


def _response(  # noqa: PLR0911 - one return a reason
    record: Record, url: str | None, config: Ingest
) -> Row:
    response = http.response(record.block, config.max_record_bytes)
    if response is None:
        return {"rejected_by": "ingest.not_http"}
    status = (
        response.status if response.status is not None and response.status < _MAX_STATUS else None
    )
    given: Row = {"http_status": status, "content_type": response.content_type}
    if status != _OK:
        return given | {"rejected_by": "ingest.http_status" if status else "ingest.not_http"}
    if record.too_large or (response.trouble or "").startswith("larger"):
        is_html = http.is_html(response.content_type, response.body)
        return given | (TOO_LARGE if is_html else {"rejected_by": "ingest.not_html"})
    if response.trouble is not None:
        return given | refused("ingest.undecodable", response.trouble)
    if not response.body.strip():
        return given | {"rejected_by": "ingest.empty"}
    if not http.is_html(response.content_type, response.body):
        return given | {"rejected_by": "ingest.not_html"}
    return given | page(response.body, response.charset, url, config)


def _date(text: str | None) -> datetime | None:
    """Parse an ISO date, or 14 digits; None where it is neither. Digits below microseconds are dropped."""
    if not text:
        return None
    text = text.strip()
    try:
        if _DIGITS.fullmatch(text):
            return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        parsed = datetime.fromisoformat(_TOO_FINE.sub(r"\1", text))
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
