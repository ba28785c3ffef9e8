"""The scanner on real pages: the words lxml finds, and nothing worse than wrong text where bytes are lost."""

from __future__ import annotations

import html
import random
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType

from curation_dagster.ingest.blocks import markup, scan_kernel, scratch
from curation_dagster.ingest.charset import decode
from tests.shared_data import DATA

if TYPE_CHECKING:
    from pathlib import Path

ARCHIVES = sorted((DATA / "pages").glob("*.warc.gz")) + sorted(
    (DATA / "extraction").glob("*.warc.gz")
)
EACH = 12
WORD = re.compile(r"\w+")
RAW = [name for name, number in markup.TAG.items() if markup.KINDS[number] == markup.RAW]
BORDERS = {name for name, number in markup.TAG.items() if markup.KINDS[number] == markup.BLOCK}

pytestmark = pytest.mark.skipif(not ARCHIVES, reason="no shared data")


def pages(archive: Path, n: int = EACH) -> list[bytes]:
    found = []
    with archive.open("rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
            body = record.reader.read()
            if len(found) < n and b"\0" not in body and len(body) < 300_000:
                found.append(decode(body, None).utf8)
    return found


def oracle(page: bytes) -> str:
    """Return the text of libxml2's tree without raw elements."""
    lxml = pytest.importorskip("lxml.html")
    parser = lxml.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    tree = lxml.document_fromstring(page, parser=parser)
    for element in list(tree.iter(*RAW)):
        element.drop_tree()
    for element in tree.iter():
        if element.tag in BORDERS or "-" in element.tag or element.tag in {"br", "hr"}:
            element.text = f" {element.text or ''}"
            element.tail = f" {element.tail or ''}"
    return tree.text_content()


def ours(page: bytes) -> str:
    found = scratch.scan(page)
    assert found.status == scan_kernel.OK
    text = found.text.tobytes()
    spans = found.blocks[:, [scan_kernel.START, scan_kernel.END]].tolist()
    return html.unescape("\n".join(text[start:end].decode() for start, end in spans))


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name.split(".")[0])
def test_words_are_those_of_another_parser(archive: Path) -> None:
    shares = []
    for page in pages(archive):
        expected, found = (Counter(WORD.findall(text)) for text in (oracle(page), ours(page)))
        both = 2 * (expected & found).total() / max(1, expected.total() + found.total())
        shares.append(both if expected or found else 1.0)
    shares.sort()
    assert shares[len(shares) // 2] >= 0.995
    assert shares[len(shares) // 10] >= 0.97


def mutated(page: bytes, chance: random.Random) -> bytes:
    """Cut, repeat and swap pieces of a page, and put in bytes that mean something."""
    page = bytearray(page[: chance.choice([300, 5000, 50_000])])
    for _ in range(chance.randrange(1, 30)):
        at = chance.randrange(len(page) + 1)
        size = chance.choice([1, 2, 10, 200])
        match chance.randrange(4):
            case 0:
                del page[at : at + size]
            case 1:
                page[at:at] = page[at : at + size]
            case 2:
                page[at:at] = chance.choice(
                    [b"<", b">", b'"', b"'", b"</", b"<!--", b"-->", b"&", b"\0"]
                )
            case _:
                page[at : at + 1] = chance.randbytes(1)
    return bytes(page).decode("utf-8", "replace").encode()


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name.split(".")[0])
def test_damaged_pages(archive: Path) -> None:
    chance = random.Random(7)
    for page in pages(archive):
        for _ in range(4):
            damaged = mutated(page, chance)
            found = scratch.scan(damaged)
            starts, ends = found.blocks[:, scan_kernel.START], found.blocks[:, scan_kernel.END]
            assert (starts < ends).all()
            assert (ends[:-1] <= starts[1:]).all()
            found.text.tobytes().decode()
            assert len(found.text) <= len(damaged) + 2
