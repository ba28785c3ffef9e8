"""The demo's capture: whole WARC files, stable pages, planted questions, nothing of this machine.

Two small captures (forced, into one folder each) serve every test; each starts a server process.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text

from curation_dagster.demo import capture, crawl, fetch
from curation_dagster.demo.fetch import Exchange, links
from curation_dagster.demo.pages import SHARED_ROOTS, Sheet, prose, scrub
from curation_dagster.demo.plant import PAGES_PER_ITEM, Item, benchmark, plant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastwarc.warc import WarcRecord

    from curation_dagster.demo import Capture

MAX_PAGES = 24
PROSE = f"<p>{'A sentence of plain words. ' * 50}</p>"
ITEM = Item("one", "Is 1 < 2 & 3?", "yes", planted=True, rephrased="")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")


@pytest.fixture(scope="module")
def made(folders: tuple[Path, Path]) -> Capture:
    capture(folders[1], max_pages=MAX_PAGES)
    return capture(folders[0], max_pages=MAX_PAGES)


def records(folder: Path, *, parse_http: bool = True) -> Iterator[WarcRecord]:
    for path in sorted(folder.glob("*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, parse_http=parse_http):
                record.freeze()
                yield record


def bodies(folder: Path) -> dict[str, bytes]:
    return {
        record.headers["WARC-Target-URI"]: record.reader.read()
        for record in records(folder)
        if record.record_type == WarcRecordType.response
    }


def text_of(html: bytes) -> str:
    return extract_plain_text(
        html.decode(), main_content=True, comments=False, post_meta=False, alt_texts=False
    )


@pytest.mark.usefixtures("made")
def test_digests_are_those_of_the_records(folders: tuple[Path, Path]) -> None:
    assert all(record.verify_block_digest() for record in records(folders[0], parse_http=False))
    responses = [r for r in records(folders[0]) if r.record_type == WarcRecordType.response]
    assert all(record.verify_payload_digest() for record in responses)


@pytest.mark.usefixtures("made")
def test_every_response_has_its_request(folders: tuple[Path, Path]) -> None:
    heads: dict[str, list[str]] = {"response": [], "request": []}
    for record in records(folders[0], parse_http=False):
        kind = record.headers["WARC-Type"]
        block = record.reader.read()
        if kind == "warcinfo":
            assert block.startswith(b"software: ")
            continue
        name = record.headers["WARC-Record-ID" if kind == "response" else "WARC-Concurrent-To"]
        heads[kind].append(f"{name} {record.headers['WARC-Target-URI']}")
        assert block.startswith(b"HTTP/1.1 " if kind == "response" else b"GET /")
        assert re.search(rb"\r\n(Server|Host): [^\r]+\r\n.*\r\n\r\n", block, re.DOTALL)
    assert heads["response"] == heads["request"] != []


@pytest.mark.usefixtures("made")
def test_there_is_something_to_reject(folders: tuple[Path, Path]) -> None:
    found = {
        (r.http_headers.status_code, r.http_content_type)
        for r in records(folders[0])
        if r.record_type == WarcRecordType.response
    }
    html = {(200, "text/html"), (301, "text/html")}
    assert found >= html | {(200, kind) for kind in ("text/plain", "text/css", "image/png")}


@pytest.mark.usefixtures("made")
def test_no_page_names_a_folder_of_this_machine(folders: tuple[Path, Path]) -> None:
    here = {sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]), str(Path.home())}
    roots = "|".join(re.escape(root) for root in here - SHARED_ROOTS)
    private = re.compile(rf"(?<![\w.-])(?:{roots})(?![\w-])|file:/|site-packages/| at 0x\w{{4}}")
    named = {url: private.search(body.decode()) for url, body in html(folders[0]).items()}
    assert [url for url, found in named.items() if found] == []


def test_planted_questions_survive_extraction_where_listed(
    made: Capture, folders: tuple[Path, Path]
) -> None:
    texts = {url: text_of(body) for url, body in html(folders[0]).items()}
    for item in benchmark():
        found = [url for url, text in texts.items() if item.question in text]
        assert sorted(found) == sorted(made.planted.get(item.id, []))
        assert bool(found) == item.planted


def test_whole_capture_is_reused(made: Capture, folders: tuple[Path, Path]) -> None:
    again = capture(folders[0], max_pages=MAX_PAGES)
    assert again.reused
    assert (again.files, again.pages, again.planted) == (made.files, made.pages, made.planted)
    assert all((folders[0] / file.name).stat().st_size == file.size_bytes for file in made.files)


@pytest.mark.usefixtures("made")
def test_two_captures_have_the_same_pages(folders: tuple[Path, Path]) -> None:
    first, second = bodies(folders[0]), bodies(folders[1])
    assert first == second


def test_damaged_capture_is_none(made: Capture, tmp_path: Path, folders: tuple[Path, Path]) -> None:
    for path in folders[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert crawl.existing(tmp_path) == made
    (tmp_path / made.files[0].name).write_bytes(b"")
    assert crawl.existing(tmp_path) is None


def test_interrupted_capture_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class InterruptedTestError(Exception):
        """Raised where a user would press Ctrl-C."""

    def stops(host: str, prefix: str, port: int, limit: int) -> Iterator[Exchange]:
        if host.startswith("packages"):
            raise InterruptedTestError
        yield from fetch.crawl(host, prefix, port, limit)

    monkeypatch.setattr(crawl, "crawl", stops)
    with pytest.raises(InterruptedTestError):
        capture(tmp_path, max_pages=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("one\ntwo", "<p>one two</p>", id="a paragraph is one line"),
        pytest.param("Use\n===", "<h3>Use</h3>", id="underlined heading"),
        pytest.param("## Use", "<h3>Use</h3>", id="hash heading"),
        pytest.param(">>> a < b\nTrue", "<pre>&gt;&gt;&gt; a &lt; b\nTrue</pre>", id="session"),
        pytest.param("```py\n\nx\n```", "<pre>\nx</pre>", id="fence keeps blank lines"),
        pytest.param("- a\n\n- b", "<ul><li>a</li>\n<li>b</li></ul>", id="one list"),
        pytest.param("x : int\n    Size.", "<dl><dt>x : int</dt><dd>Size.</dd></dl>", id="term"),
        pytest.param("[![badge](x)](y)", "", id="badge"),
        pytest.param("", "", id="empty"),
    ],
)
def test_prose(text: str, expected: str) -> None:
    assert prose(text) == expected


def test_scrub_takes_out_paths_and_addresses() -> None:
    assert scrub(f"see {sys.prefix}/x, <f at 0x7f00aa11>") == "see .../x, <f>"


def test_links_are_absolute_without_fragments_and_skip_what_is_no_address() -> None:
    body = b"<a href='b.html#x'>b</a><a href='http://[bad'>c</a><img src=\"/i.png\">"
    page = Exchange("http://h/s/a.html", b"", 200, "text/html", None, b"", body)
    assert links(page) == ["http://h/s/b.html", "http://h/i.png"]


def test_plant_writes_each_question_into_its_own_pages_of_prose() -> None:
    shelf = [Sheet(f"{n}.html", "t", PROSE) for n in range(9)] + [Sheet("code.html", "t", "<pre/>")]
    planted = plant({"stdlib": shelf}, [ITEM])["stdlib"]
    changed = [sheet for sheet, old in zip(planted, shelf, strict=True) if sheet != old]
    assert len(changed) == PAGES_PER_ITEM
    assert all("Is 1 &lt; 2 &amp; 3?" in sheet.content for sheet in changed)
    assert planted == plant({"stdlib": shelf}, [ITEM])["stdlib"]
    both = plant({"stdlib": shelf}, [replace(ITEM, rephrased="Is one below two and three?")])[
        "stdlib"
    ]
    texts = [sheet.content for sheet, before in zip(both, shelf, strict=True) if sheet != before]
    assert len(texts) == 2 * PAGES_PER_ITEM
    assert sum("Is one below two and three?" in text for text in texts) == PAGES_PER_ITEM


def html(folder: Path) -> dict[str, bytes]:
    return {url: body for url, body in bodies(folder).items() if body.startswith(b"<!DOCTYPE html")}
