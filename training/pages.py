"""The pages to learn from: three sets of WARC with gold beside it, and which site each page belongs to.

The folder is `shared/data/extraction` as its README describes it; pages join their gold by url.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from fastwarc.warc import ArchiveIterator, WarcRecordType

from curation_dagster.ingest.charset import decode

if TYPE_CHECKING:
    from pathlib import Path

WCXB, TRAFILATURA, READABILITY = "wcxb-dev", "trafilatura-eval", "readability-test-pages"
SETS: Final = (WCXB, TRAFILATURA, READABILITY)
WORD: Final = re.compile(r"\w+")
_CANONICAL: Final = re.compile(
    rb"""<(?:link[^>]{0,300}?canonical[^>]{0,300}?href|meta[^>]{0,300}?og:url[^>]{0,300}?content)\s*=\s*["']?"""
    rb"""(https?://[^"'\s>]+)|<link[^>]{0,300}?href\s*=\s*["'](https?://[^"']+)["'][^>]{0,300}?canonical""",
    re.IGNORECASE,
)
_SECOND_LEVEL: Final = 3  # "co" in co.uk


class Example(NamedTuple):
    """A page and what is known of its main text."""

    set_name: str
    url: str
    site: str
    body: bytes
    utf8: bytes
    gold: dict[str, Any]


def load(folder: Path, name: str) -> list[Example]:
    """Read one set."""
    gold = {}
    with gzip.open(folder / f"{name}.gold.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            gold[entry["url"]] = entry
    examples = []
    with (folder / f"{name}.warc.gz").open("rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
            url, body = record.headers["WARC-Target-URI"], record.reader.read()
            examples.append(
                Example(
                    name,
                    url,
                    site(url, body),
                    body,
                    decode(body, None).utf8,
                    gold[url],
                )
            )
    return examples


def site(url: str, body: bytes) -> str:
    """Name a page's site, the unit that folds keep together: the registered domain, as the page gives it."""
    host = urlsplit(url).hostname or url
    if host.endswith(".invalid"):
        said = _CANONICAL.search(body[:200_000])
        if said is None:
            return url
        host = urlsplit((said[1] or said[2]).decode("utf-8", "replace")).hostname or url
    parts = host.split(".")
    is_second_level = len(parts) > 2 and len(parts[-2]) <= _SECOND_LEVEL and len(parts[-1]) == 2  # noqa: PLR2004
    return ".".join(parts[-3:] if is_second_level else parts[-2:])


def fold(site_name: str, folds: int, seed: int = 0) -> int:
    """Assign a site to a fold by a keyed hash, so that sets and runs agree."""
    return zlib.crc32(f"{seed}:{site_name}".encode()) % folds


def words(text: str) -> list[str]:
    """Split as the word F1 does: lower-cased runs of letters, digits and underscores."""
    return WORD.findall(text.lower())
