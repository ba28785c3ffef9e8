"""The heads of WARC (ISO 28500) and ARC (Internet Archive, 1996) records: their first lines, fields and lengths.

ARC heads are given the names of WARC fields. Finding heads in a file is `archive`'s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from curation_dagster.ingest.fields import named, unfolded

if TYPE_CHECKING:
    from collections.abc import Mapping

WARC_LINE: Final = re.compile(rb"WARC/[01]\.\d{1,4}[ \t]*\r?\n")
_SCHEME: Final = re.compile(rb"[a-z][a-z0-9+.\-]{1,15}:")
_IP: Final = re.compile(rb"\d{1,3}(?:\.\d{1,3}){3}|-|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
_DATE_DIGITS: Final = range(8, 19)
_ARC2_REST: Final = 6  # type, result, checksum, location, offset, filename
_MAX_LENGTH_DIGITS: Final = 18


class Head(NamedTuple):
    """A record's head, and where its block lies."""

    kind: str
    headers: Mapping[str, str]
    end: int  # where the block begins
    length: int  # of the block
    trouble: str | None


class ArcLine(NamedTuple):
    """The first line of an ARC record."""

    url: bytes
    ip: bytes
    date: bytes
    kind: bytes
    length: bytes
    size: int


def begins(data: bytes) -> bool:
    r"""Tell whether bytes begin like a record.

    >>> begins(b"WARC/1.0\r\n"), begins(b"http://a.example/ 192.0.2.1 20080430204825 text/html 99\n")
    (True, True)
    """
    return WARC_LINE.match(data) is not None or arc_line(data[: data.find(b"\n") + 1]) is not None


def warc_fields(head: bytes) -> dict[str, str]:
    """Parse the complete lines of a WARC header."""
    try:
        text = head.decode()
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    lines = unfolded(text).split("\n")[-2:0:-1]  # from the last, so that the first one wins
    return dict(field for line in lines if (field := named(line)))


def block_length(stated: str | None) -> tuple[int, str | None]:
    """Read a Content-Length: (bytes, None) or (0, why not)."""
    if stated is None:
        return 0, "a header without Content-Length"
    if stated.isascii() and stated.isdigit() and len(stated) <= _MAX_LENGTH_DIGITS:
        return int(stated), None
    return 0, f"Content-Length is no length: {stated[:40]!r}"


def arc_line(line: bytes) -> ArcLine | None:
    """Parse the first line of an ARC record, version 1 or 2; a URL may have spaces."""
    if not line.endswith(b"\n") or not _SCHEME.match(line):
        return None
    parts = line.split()
    for index in range(1, len(parts) - 3):
        date = parts[index + 1]
        if _IP.fullmatch(parts[index]) and date.isdigit() and len(date) in _DATE_DIGITS:
            rest = parts[index + 2 : -1]
            kind = rest[0] if len(rest) == _ARC2_REST else b" ".join(rest)
            url = b" ".join(parts[:index])
            return ArcLine(url, parts[index], date, kind, parts[-1], len(line))
    return None


def arc_head(line: ArcLine, begin: int) -> Head:
    """Name the parts of an ARC line as WARC does. Times are UTC, and missing digits are zeros."""
    date = line.date[:14].decode().ljust(14, "0")
    try:
        url = line.url.decode()
    except UnicodeDecodeError:
        url = line.url.decode("latin-1")
    fields = {
        "warc-target-uri": url,
        "warc-date": f"{date[:4]}-{date[4:6]}-{date[6:8]}T{date[8:10]}:{date[10:12]}:{date[12:]}Z",
        "content-type": line.kind.decode("latin-1"),
        "content-length": line.length.decode("latin-1"),
        "warc-ip-address": line.ip.decode("latin-1"),
    }
    kind = "filedesc" if url.startswith("filedesc:") else "resource"
    if url.startswith(("http:", "https:")):
        kind = "response"
    return Head(kind, fields, begin + line.size, *block_length(fields["content-length"]))
