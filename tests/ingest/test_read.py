"""Files of every kind to rows: threads change nothing, damage is accounted for, a file can be a document."""

from __future__ import annotations

import gzip
import io
import sys
from concurrent.futures import Future

import polars as pl
import pytest
import zstandard
from shared_data import DATA

from curation_dagster.errors import IntegrityError, RecipeError
from curation_dagster.ingest import page, read
from curation_dagster.plan import Input
from curation_dagster.recipe import Ingest, Source

TEXT = (
    "The harbour was frozen for eleven weeks that winter, and the ferries stayed at the quay. " * 8
)
MANY = (
    f"<html><body>{'<div>' * 60}<article><h1>Ice</h1><p>{TEXT}</p></article></body></html>".encode()
)
ARTICLE = (
    "<html lang='en'><head><title>Ice</title><meta name='description' content='A cold winter.'>"
    "<link rel='canonical' href='/ice'></head><body><nav><a href='/'>Home</a> <a href='/b'>Boats</a></nav>"
    f"<article><h2>Ice</h2><p>{TEXT}</p><pre>  x = 1\n  y = 2</pre></article>"
    "<footer><a href='https://creativecommons.org/licenses/by/4.0/'>CC BY</a></footer></body></html>"
).encode()
ZSTD = zstandard.compress(ARTICLE)


def rows(data: bytes, name: str, **config) -> pl.DataFrame:
    entry = Input(name, f"/nowhere/{name}", len(data), "")
    source = Source(name="s", paths=("x",))
    return pl.concat(list(read.read(io.BytesIO(data), entry, source, Ingest(**config))))


@pytest.mark.skipif(not (DATA / "warc").exists(), reason="no crawls here")
@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_nothing(monkeypatch, threads) -> None:
    path = DATA / "warc" / "cc-dolma-0000.warc.gz"
    monkeypatch.setattr(pl, "thread_pool_size", lambda: 1)
    alone = rows(path.read_bytes(), path.name)
    monkeypatch.setattr(pl, "thread_pool_size", lambda: threads)
    monkeypatch.setattr(read, "_AHEAD", 2)
    assert rows(path.read_bytes(), path.name).equals(alone)
    assert alone["text"].count() > 15


def test_an_error_in_a_thread_reaches_the_reader(monkeypatch, warc) -> None:
    def fail(_record, _config):
        msg = "no such luck"
        raise OSError(msg)

    monkeypatch.setattr(pl, "thread_pool_size", lambda: 2)
    monkeypatch.setattr(read.warc, "row", fail)
    with pytest.raises(OSError, match="no such luck"):
        rows(warc.response(), "a.warc")


def test_bytes_not_accounted_for_are_an_error(monkeypatch, warc) -> None:
    data = warc.response() + warc.response()
    monkeypatch.setattr(read.warc, "read", lambda *_: [])
    with pytest.raises(IntegrityError, match=f"a.warc: 0 bytes accounted for of {len(data)}"):
        rows(data, "a.warc")


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        pytest.param("a/b.html", ARTICLE, ("a/b.html", "text/html", None, "Ice"), id="html"),
        pytest.param("a.HTM", b"<p></p>", ("a.HTM", "text/html", "ingest.no_text", None), id="empty"),
        pytest.param("a.txt", b"Caf\xe9", ("a.txt", "text/plain", None, None), id="text, latin-1"),
        pytest.param("a.md", b" \n", ("a.md", "text/plain", "ingest.no_text", None), id="blank"),
        pytest.param("a.txt.gz", gzip.compress(b"Ice"), ("a.txt.gz", "text/plain", None, None), id="gzip"),
        pytest.param("a.html.zst", ZSTD, ("a.html.zst", "text/html", None, "Ice"), id="zstd"),
        pytest.param("a.html.zst", ZSTD[:-9], ("a.html.zst", "text/html", "ingest.damaged", None), id="cut zstd"),
        pytest.param(
            "a.txt.gz", gzip.compress(b"Ice")[:-9], ("a.txt.gz", "text/plain", "ingest.damaged", None), id="cut"
        ),
        pytest.param("a.txt", bytes(range(256)) * 9, ("a.txt", "text/plain", "ingest.not_text", None), id="binary"),
        pytest.param("a.txt", b"x" * 99, ("a.txt", "text/plain", "ingest.too_large", None), id="large"),
    ],
)  # fmt: skip
def test_a_file_a_document(name, data, expected) -> None:
    cap = 50 if data.startswith(b"xx") else 1 << 20
    found = rows(data, name, max_record_bytes=cap)
    assert found.height == 1
    assert found.select("url", "content_type", "rejected_by", "title").row(0) == expected
    assert found["record_bytes"].sum() == len(data)
    if name == "a.txt" and len(data) == 4:
        assert found["text"].to_list() == ["Café"]
        assert found["charset"].to_list() == ["windows-1252"]


def test_archives_are_read_from_any_file_system(warc) -> None:
    import fsspec

    records = [gzip.compress(warc.response(url=f"http://a.example/{n}")) for n in range(9)]
    records[4] = records[4][:50] + b"\xff" * 9 + records[4][59:]
    data = b"".join(records)
    remote = fsspec.filesystem("memory")
    remote.pipe("/crawl/a.warc.gz", data)
    entry = Input("a.warc.gz", "memory://crawl/a.warc.gz", len(data), "")
    with remote.open("/crawl/a.warc.gz", "rb") as stream:
        found = pl.concat(list(read.read(stream, entry, Source(name="s", paths=("x",)), Ingest())))
    assert found["text"].count() == 8
    assert found["record_bytes"].sum() == len(data)


def test_a_storage_failure_is_no_damage() -> None:
    class Failing(io.BytesIO):
        def read(self, _size=-1):
            raise ConnectionResetError(104, "reset by peer")

    source, config = Source(name="s", paths=("x",)), Ingest()
    for name in ("a.warc.gz", "a.jsonl.gz", "a.jsonl", "a.parquet", "a.html"):
        with pytest.raises(ConnectionResetError):
            list(read.read(Failing(b"x" * 99), Input(name, name, 99, ""), source, config))


def test_small_files_share_row_groups() -> None:
    frames = [rows(f"A short text, number {n}.".encode(), f"{n:02}.txt") for n in range(30)]
    packed = list(read._regrouped(frames, 300, "text_bytes"))
    assert [f.height for f in packed[:3]] == [13, 13, 4]
    assert pl.concat(packed).equals(pl.concat(frames))


def test_what_waits_is_bounded_by_what_it_became() -> None:
    done, failed, running = Future(), Future(), Future()
    done.set_result({"text": "x" * 500})
    failed.set_exception(OSError())
    assert read._held([(0, 10, done), (1, 20, failed), (2, 40, running), (3, 900, done)]) == 1460


def test_what_a_page_gives(warc) -> None:
    row = warc.rows(warc.response(ARTICLE, url="http://a.example/x")).row(0, named=True)
    assert row["text"].startswith("Ice\n\nThe harbour")
    assert row["text"].endswith("  x = 1\n  y = 2")
    assert "Boats" not in row["text"]
    said = {
        k: row[k]
        for k in ("canonical_url", "declared_language", "license", "charset", "replaced_char_ratio")
    }
    assert said == {
        "canonical_url": "http://a.example/ice",
        "declared_language": "en",
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "charset": "utf-8",
        "replaced_char_ratio": 0.0,
    }
    assert row["record_id"] == "urn:uuid:6f1c9e0a-0000-4000-8000-000000000000"
    assert 0 < row["unpacked_bytes"] <= row["record_bytes"]


@pytest.mark.parametrize("extractor", ["blocks", "fast", "trafilatura"])
def test_every_extractor_finds_the_article(warc, extractor) -> None:
    if extractor == "trafilatura":
        pytest.importorskip("trafilatura")
    text = warc.rows(warc.response(ARTICLE), extractor=extractor)["text"][0]
    assert TEXT.strip() in text
    assert "Boats" not in text


def test_markdown_is_an_option(warc) -> None:
    text = warc.rows(warc.response(ARTICLE), markup="markdown")["text"][0]
    assert text.startswith("## Ice\n\nThe harbour")
    assert text.endswith("```\n  x = 1\n  y = 2\n```")


def test_a_page_with_too_many_elements_is_refused(monkeypatch, warc) -> None:
    from curation_dagster.ingest.blocks import scratch

    monkeypatch.setattr(scratch, "MAX_ELEMENTS", 50)
    monkeypatch.setattr(scratch, "_LOCAL", type(scratch._LOCAL)())
    found = warc.rows(warc.response(MANY) + warc.response())
    assert found["rejected_by"].to_list() == ["ingest.too_complex", None]
    assert found["reason"][0] == "too many elements"


def test_whatever_a_library_raises_is_the_pages_trouble(monkeypatch, warc) -> None:
    trafilatura = pytest.importorskip("trafilatura")

    def fail(*_args, **_options):
        raise KeyError("head")

    monkeypatch.setattr(trafilatura, "extract", fail)
    found = warc.rows(warc.response(), extractor="trafilatura")
    assert found.select("rejected_by", "reason").row(0) == ("ingest.unparsable", "KeyError: 'head'")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"<div>" * 5000 + b"deep text", None, id="5000"),
        pytest.param(b"<div>" * 5001 + b"deep text", "ingest.too_complex", id="deeper"),
        pytest.param(b"<p>a<br>b<img src=x>c</p>" * 6000, None, id="closed, and void"),
        pytest.param(b"<p>a paragraph nobody ends\n" * 6000, None, id="implied ends"),
        pytest.param(b"<p>text<script>" + b"if(a<b )" * 6000 + b"</script>", None, id="no tags"),
        pytest.param(b"<DIV class='a>b'>x</DIV>" * 6000, None, id="closed in capitals"),
    ],
)
def test_libraries_get_no_page_that_is_too_deep_for_them(warc, body, reason) -> None:
    assert warc.rows(warc.response(body), extractor="fast")["rejected_by"].to_list() == [reason]
    assert warc.rows(warc.response(body))["rejected_by"].to_list() == [None]


def test_an_extractor_that_is_not_installed(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(RecipeError, match=r"pip install .*curation_dagster\[trafilatura\]"):
        page.require("trafilatura")
    page.require("blocks")
