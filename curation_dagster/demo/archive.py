"""Write a crawl as WARC 1.1 files: one gzip member a record, a new file every so many pages.

Files carry a temporary name until `publish`: an interrupted capture leaves nothing that looks
whole. Digests are SHA-1 in base 32, as in Common Crawl.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastwarc.stream_io import GzipWriter
from fastwarc.warc import WarcRecord, WarcRecordType

from curation_dagster.demo.fetch import USER_AGENT

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from curation_dagster.demo.fetch import Exchange

PAGES_PER_FILE = 300
"""Pages in one WARC file before the next is begun."""

GZIP_LEVEL = 6
"""zlib's default: level 9 takes twice the time for one per cent."""

PART = ".part"
"""Suffix of a file that is not published."""

_INFO = (
    "software: {agent}\r\nformat: WARC File Format 1.1\r\n"
    "conformsTo: https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/\r\n"
    "description: documentation installed on one machine, crawled over loopback\r\n"
    "robots: obey\r\n"
)


class Archive:
    """The WARC files of one source, being written; `names` and `pages` grow as it is fed."""

    def __init__(self, folder: Path, source: str) -> None:
        """Write below `folder`, under names that begin with the source's."""
        self.folder, self.source = folder, source
        self.names: list[str] = []
        self.pages: list[int] = []
        self._file: BinaryIO | None = None

    def add(self, exchange: Exchange) -> None:
        """Write one request and its response, in a new file when the last one is full."""
        if self._file is None or self.pages[-1] >= PAGES_PER_FILE:
            self._rotate()
        date = datetime.now(UTC)
        response = _record("response", date, exchange.url)
        request = _record("request", date, exchange.url)
        response.headers["WARC-IP-Address"] = "127.0.0.1"
        request.headers["WARC-Concurrent-To"] = str(response.record_id)
        self._write(response, exchange.head + exchange.body, exchange.body)
        self._write(request, exchange.request, b"")
        self.pages[-1] += exchange.is_page

    def close(self) -> None:
        """Close the file being written."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def publish(self) -> None:
        """Give every file its final name."""
        self.close()
        for name in self.names:
            (self.folder / (name + PART)).rename(self.folder / name)

    def _rotate(self) -> None:
        self.close()
        self.names.append(f"{self.source}-{len(self.names):05d}.warc.gz")
        self.pages.append(0)
        self._file = (self.folder / (self.names[-1] + PART)).open("wb")
        info = _record("warcinfo", datetime.now(UTC))
        info.headers["WARC-Filename"] = self.names[-1]
        info.headers["Content-Type"] = "application/warc-fields"
        self._write(info, _INFO.format(agent=USER_AGENT).encode())

    def _write(self, record: WarcRecord, block: bytes, payload: bytes | None = None) -> None:
        record.set_bytes_content(block)
        digest = None if payload is None else hashlib.sha1(payload, usedforsecurity=False).digest()
        member = GzipWriter(self._file, GZIP_LEVEL)  # type: ignore[arg-type]
        record.write(member, checksum_data=True, payload_digest=digest)
        member.finish()


def _record(kind: str, date: datetime, url: str | None = None) -> WarcRecord:
    record = WarcRecord()
    record.init_headers(getattr(WarcRecordType, kind))
    record.headers["WARC-Date"] = date.strftime("%Y-%m-%dT%H:%M:%SZ")
    if url is not None:
        record.headers["WARC-Target-URI"] = url
        record.headers["Content-Type"] = f"application/http; msgtype={kind}"
    return record
