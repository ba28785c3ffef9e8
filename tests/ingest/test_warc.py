"""WARC and WET files to rows: one row a record, a reason each, and every byte accounted for."""

from __future__ import annotations

import gzip
import random
from datetime import UTC, datetime

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.extract.html2text import extract_plain_text
from shared_data import DATA

from curation_dagster.schema import RAW

WARCS = DATA / "warc"
FILES = [p for p in sorted([*WARCS.glob("*"), *WARCS.glob("odd/*")]) if p.is_file()]
LONG = b"<html><body><p>" + b"all work and no play makes a long page " * 40 + b"</p></body></html>"
HTML_UTF8 = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
GZ = b"Content-Encoding: gzip\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def chunks(body: bytes, size: int = 50) -> bytes:
    """Encode a body in HTTP chunks."""
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(f"{len(p):x}\r\n".encode() + p + b"\r\n" for p in parts) + b"0\r\n\r\n"


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def each_zipped(records: list[bytes]) -> bytes:
    return b"".join(map(zipped, records))


def whole_zipped(records: list[bytes]) -> bytes:
    return zipped(b"".join(records))


def each_zstd(records: list[bytes]) -> bytes:
    return b"".join(zstandard.ZstdCompressor().compress(r) for r in records)


LAYOUTS = {
    "plain.warc": b"".join,
    "each.warc.gz": each_zipped,
    "whole.warc.gz": whole_zipped,
    "each.warc.zst": each_zstd,
}


@pytest.fixture
def mixed(warc) -> list[tuple[bytes, str | None]]:
    """Return records of many kinds, each with the reason it must be given."""
    response, record, page, head = warc.response, warc.record, warc.page, warc.html
    bare = b"HTTP/1.1 200 OK\r\nServer: s\r\n"
    typed = b"HTTP/1.1 200 OK\r\nContent-Type: "
    return [
        (record("warcinfo", b"software: tests\r\n"), "ingest.record_warcinfo"),
        (record("request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "ingest.record_request"),
        (response(), None),
        (record("metadata", b"fetchTimeMs: 3\r\n"), "ingest.record_metadata"),
        (record("revisit", b"HTTP/1.1 200 OK\r\nServer: s\r\n\r\n"), "ingest.record_revisit"),
        (record("resource", page, Content_Type="text/html"), None),
        (record("resource", b"GIF89a", Content_Type="image/gif"), "ingest.record_resource"),
        (record("odd", b"x"), "ingest.record_unknown"),
        (record("continuation", b"x"), "ingest.record_continuation"),
        (response(head=b"HTTP/1.1 404 Gone\r\nContent-Type: text/html\r\n"), "ingest.http_status"),
        (response(head=b"HTTP/1.1 301 Moved\r\nLocation: /b\r\n"), "ingest.http_status"),
        (response(b"%PDF-1.7", typed + b"application/pdf\r\n"), "ingest.not_html"),
        (response(head=typed + b"application/xhtml+xml; charset=utf-8\r\n"), None),
        (response(head=typed + b"TEXT/HTML;charset=UTF-8\r\n"), None),
        (response(b" \n<!DOCTYPE html>" + page, bare), None),
        (response(page.upper(), bare), None),
        (response(b"{}", bare), "ingest.not_html"),
        (response(b"", bare), "ingest.empty"),
        (response(b""), "ingest.empty"),
        (response(b" \r\n\t "), "ingest.empty"),
        (response(bytes(range(160, 256)) * 9), None),  # in windows-1252 every byte is a character
        (response(LONG), "ingest.too_large"),
        (response(zipped(LONG), head + GZ), "ingest.too_large"),
        (response(b"<html><head><title>Blank</title></head><body></body></html>"), "ingest.no_text"),
        (response(b"<html><body><p>no title but text, more than a little</p></body>"), None),
        (response(zipped(page), head + GZ), None),
        (response(chunks(page), head + CHUNKED), None),
        (response(chunks(zipped(page)), head + GZ + CHUNKED), None),
        (response(page, head + GZ), None),  # declared, and stored decoded
        (response(zipped(page)[:30] + b"XX" + zipped(page)[32:], head + GZ), "ingest.undecodable"),
        (response(page, head + CHUNKED), None),
        (response(b"ff\r\nshort", head + CHUNKED), "ingest.undecodable"),
        (response(page, head + b"Content-Encoding: nonesuch\r\n"), None),
        (response(page, head + b"X-Long: " + b"x" * 70_000 + b"\r\n"), None),
        (response(page, b"no status line\r\n"), "ingest.not_http"),
        (record("response", b"20260102 a.example 192.0.2.1", Content_Type="text/dns"), "ingest.not_http"),
        (response(head=typed + b"text/html; charset=nonesuch\r\n"), None),
        (record("conversion", "Plain text, extracted before: naïve.\n".encode()), None),
        (record("conversion", b" \n"), "ingest.no_text"),
        (record("conversion", b"long " * 300), "ingest.too_large"),
        (record("conversion", b""), "ingest.no_text"),
        (response(WARC_Date="yesterday"), None),
        (response(), None),
    ]  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_record_has_its_row_and_reason(warc, mixed, name) -> None:
    data = LAYOUTS[name]([record for record, _ in mixed])
    rows = warc.rows(data, name, max_record_bytes=1200)
    assert rows["rejected_by"].to_list() == [reason for _, reason in mixed]
    assert rows["record_bytes"].sum() == len(data)
    assert rows["doc_id"].n_unique() == rows.height
    assert {c: t for c, t in rows.schema.items() if c != "row"} == {
        c: t for c, t in RAW.items() if c != "row"
    }
    assert rows["text"].is_null().to_list() == [reason is not None for _, reason in mixed]
    assert (rows["text_bytes"] == rows["text"].str.len_bytes().fill_null(0)).all()


@pytest.mark.parametrize("name", ["plain.warc", "each.warc.gz", "each.warc.zst"])
def test_doc_id_and_locator_say_where_the_record_is(warc, mixed, name) -> None:
    records = [record for record, _ in mixed]
    data = LAYOUTS[name](records)
    rows = warc.rows(data, name, max_record_bytes=1200)
    sizes = [len(LAYOUTS[name]([r])) for r in records]
    offsets = [sum(sizes[:i]) for i in range(len(sizes))]
    assert rows["record_bytes"].to_list() == sizes
    assert rows["locator"].to_list() == [f"{name}:{offset}" for offset in offsets]
    assert [int(d.split("-")[1], 16) for d in rows["doc_id"]] == offsets
    assert rows["doc_id"].str.slice(0, 17).n_unique() == 1
    other = warc.rows(data, "b." + name, max_record_bytes=1200)
    assert not set(rows["doc_id"]) & set(other["doc_id"])


def test_records_that_share_an_offset(warc) -> None:
    """In a file of one gzip member all records have its offset; the locator says where they begin inside it."""
    records = [warc.response(url=f"http://a.example/{i}") for i in range(40)]
    data = whole_zipped(records)
    large = warc.rows(data, "w.warc.gz")
    starts = [sum(map(len, records[:i])) for i in range(40)]
    assert large["locator"].to_list() == [f"w.warc.gz:0{f'+{at}' * (at > 0)}" for at in starts]
    assert large["doc_id"].n_unique() == 40
    assert large["url"].to_list() == [f"http://a.example/{i}" for i in range(40)]
    for text in (1, 300, 1000):
        batches = warc.batches(data, "w.warc.gz", batch_text_bytes=text)
        assert len(batches) > 5
        assert pl.concat(batches).equals(large)


@given(batch=st.integers(1, 3000), picks=st.lists(st.integers(0, 40), min_size=1, max_size=12))
@settings(max_examples=12, deadline=None)
def test_rows_do_not_depend_on_the_batch(warc, batch, picks) -> None:
    pages = [
        warc.response(LONG if i % 3 else warc.page, url=f"http://a.example/{i}") for i in picks
    ]
    for make in (b"".join, each_zipped, whole_zipped):
        data = make(pages)
        assert warc.rows(data, batch_text_bytes=batch).equals(warc.rows(data))


def test_what_a_page_says_of_itself(warc) -> None:
    page = (
        "<html><head><title>\n A &amp; B\n</title><link rel='nofollow license' href='http://l.example/by'>"
        f"</head><body><p>{warc.sentences}</p></body></html>"
    ).encode()
    plain = f"<html><body><p>{warc.sentences}</p></body></html>".encode()
    data = b"".join(
        [
            warc.response(page, url="<http://a.example/é>"),
            warc.response(plain, WARC_Date="2026-01-02T03:04:05.678901Z"),
            warc.response(plain, WARC_Date="never"),
            warc.response(plain, b"HTTP/1.1 404 No\r\nContent-Type: text/html\r\n"),
        ]
    )
    columns = ["url", "crawled_at", "title", "license", "http_status", "content_type"]
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert warc.rows(data).select(columns).rows() == [
        ("http://a.example/é", at, "A & B", "http://l.example/by", 200, "text/html"),
        ("http://a.example/", at.replace(microsecond=678901), None, None, 200, "text/html"),
        ("http://a.example/", None, None, None, 200, "text/html"),
        ("http://a.example/", at, None, None, 404, "text/html"),
    ]
    assert warc.rows(data, license="CC0")["license"].to_list() == [
        "http://l.example/by", "CC0", "CC0", "CC0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        pytest.param("2026-01-02T03:04:05Z", (3, 4, 5, 0), id="seconds"),
        pytest.param("2026-01-02T03:04:05.123456789Z", (3, 4, 5, 123456), id="nanoseconds"),
        pytest.param("2026-01-02T03:04:05.123+02:30", (0, 34, 5, 123000), id="a zone"),
        pytest.param("20260102030405", (3, 4, 5, 0), id="14 digits"),
        pytest.param("2026-13-02T03:04:05Z", None, id="month 13"),
        pytest.param("0001-01-01T00:00:00+14:00", None, id="before the first year"),
    ],
)
def test_dates(warc, date, expected) -> None:
    at = datetime(2026, 1, 2, *expected, tzinfo=UTC) if expected else None
    assert warc.rows(warc.response(WARC_Date=date))["crawled_at"].to_list() == [at]


def test_what_a_file_says_is_bounded(warc) -> None:
    long = warc.record("x" * 1000, b"", url="http://a.example/" + "y" * 100_000)
    row = warc.rows(long + warc.response(WARC_Truncated="length")).row(0, named=True)
    assert row["rejected_by"] == "ingest.record_unknown"
    assert len(row["url"]) == 8192
    assert warc.rows(warc.response(WARC_Truncated="length"))["warc_truncated"][0] == "length"


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n", "ingest.too_large", id="html"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n", "ingest.not_html", id="video"
        ),
        pytest.param(
            b"HTTP/1.1 404 No\r\nContent-Type: text/html\r\n", "ingest.http_status", id="404"
        ),
    ],
)
def test_a_large_record_is_what_its_head_says(warc, head, reason) -> None:
    data = warc.response(b"x" * (3 << 20), head) + warc.record("metadata", b"y" * (3 << 20))
    rows = warc.rows(data, max_record_bytes=1000)
    assert rows["rejected_by"].to_list() == [reason, "ingest.record_metadata"]
    assert rows["http_status"][0] in {200, 404}


def test_binary_data_is_no_text(warc) -> None:
    noise = random.Random(5).randbytes(20_000)
    bodies = [b"<html>" + noise, b"%PDF-1.7\n" + noise, gzip.compress(b"x")[:9] + noise]
    rows = warc.rows(b"".join(warc.response(b) for b in bodies))
    assert set(rows["rejected_by"]) <= {"ingest.not_text", "ingest.undecodable"}


FRENCH = "Le café où nous déjeunions était fermé à cause de la neige. "
KOREAN = "겨울 내내 항구가 얼어 있었고 배들은 부두에 묶여 있었다. 뷁 "
JAPANESE = "その冬は港が十一週間も凍りつき、船は岸壁につながれたままだった。①② "
RUSSIAN = "В ту зиму гавань замёрзла на одиннадцать недель. "


@pytest.mark.parametrize(
    ("text", "codec", "charset", "meta"),
    [
        pytest.param(FRENCH, "iso-8859-1", "ISO-8859-1", None, id="latin-1 by header"),
        pytest.param(FRENCH, "cp1252", None, "iso-8859-1", id="latin-1 by meta"),
        pytest.param(FRENCH, "utf-8", "ISO-8859-1", None, id="utf-8, header lies"),
        pytest.param(FRENCH, "utf-8-sig", None, None, id="utf-8 with a mark"),
        pytest.param(KOREAN, "cp949", "EUC-KR", None, id="euc-kr by header"),
        pytest.param(KOREAN, "cp949", None, "euc-kr", id="euc-kr by meta"),
        pytest.param(JAPANESE, "cp932", "Shift_JIS", None, id="shift-jis by header"),
        pytest.param(JAPANESE, "cp932", None, "shift_jis", id="shift-jis by meta"),
        pytest.param(JAPANESE, "cp932", "utf-8", "shift_jis", id="shift-jis, header lies"),
        pytest.param(JAPANESE, "cp932", "nonesuch", "shift_jis", id="shift-jis, no such charset"),
        pytest.param(JAPANESE[:-3], "iso-2022-jp", "iso-2022-jp", None, id="seven bits"),
        pytest.param(JAPANESE, "utf-16", None, None, id="utf-16 with a mark"),
        pytest.param(JAPANESE, "utf-16-le", "utf-16le", None, id="utf-16 by header"),
        pytest.param(FRENCH, "utf-16-be", "UTF-16BE", None, id="ascii in utf-16 is valid utf-8"),
        pytest.param(RUSSIAN * 5, "cp1251", None, None, id="cyrillic by detection"),
        pytest.param(JAPANESE, "gb18030", "gb2312", None, id="gb18030 called gb2312"),
    ],
)
def test_encodings(warc, text, codec, charset, meta) -> None:
    tag = f'<meta charset="{meta}">' if meta else ""
    page = f"<html><head>{tag}<title>t</title></head><body><p>{text * 3}</p></body></html>"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html"
    head += f"; charset={charset}\r\n".encode() if charset else b"\r\n"
    rows = warc.rows(warc.response(page.encode(codec), head))
    assert rows["rejected_by"].to_list() == [None]
    assert rows["text"][0].strip() == (text * 3).strip()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(50, None, id="5 %"),
        pytest.param(51, "ingest.undecodable", id="more than 5 %"),
    ],
)
def test_undecodable_above_five_percent(warc, bad, reason) -> None:
    good = "<html><body><p>" + "né " * 300
    body = good.ljust(1000 - bad).encode() + b"\xff" * bad
    rows = warc.rows(warc.response(body, HTML_UTF8))
    assert rows["rejected_by"].to_list() == [reason]
    assert rows["replaced_char_ratio"][0] == pytest.approx(bad / 1000)


def test_intact_files_are_not_called_damaged(warc) -> None:
    records = [warc.response(), warc.record("metadata", b"a: b\r\n")]
    for name, make in LAYOUTS.items():
        assert "ingest.damaged" not in warc.rows(make(records), name)["rejected_by"].to_list()
    padded = b"".join(records) + b"\r\n" * 5
    assert warc.rows(padded)["record_bytes"].sum() == len(padded)


@pytest.mark.parametrize("name", ["plain.warc", "each.warc.gz", "whole.warc.gz"])
def test_a_cut_file_says_so(warc, name) -> None:
    """At every 7th byte; only an end between two records, or in the blank lines after one, is no damage."""
    records = [warc.record("warcinfo", b"a: b\r\n"), warc.response(), warc.response()]
    data = LAYOUTS[name](records)
    whole = warc.rows(data, name)
    ends = [len(LAYOUTS[name](records[:i])) for i in range(4)]
    for size in range(1, len(data), 7):
        cut = warc.rows(data[:size], name)
        reasons = cut["rejected_by"].to_list()
        assert cut["record_bytes"].sum() == size
        assert cut["doc_id"].n_unique() == cut.height
        if not (name == "plain.warc" and any(end - 4 <= size <= end for end in ends)):
            assert (reasons[-1] == "ingest.damaged") == (
                name == "whole.warc.gz" or size not in ends
            )
            assert reasons.count("ingest.damaged") <= 1
        kept = cut.filter(pl.col("rejected_by").is_null())["text"].to_list()
        assert set(kept) <= set(whole["text"].drop_nulls()), "half a page is no document"


@pytest.mark.parametrize("name", ["plain.warc", "each.warc.gz", "whole.warc.gz", "each.warc.zst"])
def test_a_corrupt_middle_costs_what_is_there(warc, name) -> None:
    records = [warc.response(url=f"http://a.example/{i}") for i in range(9)]
    data = bytearray(LAYOUTS[name](records))
    data[len(data) // 2 : len(data) // 2 + 8] = b"\xff" * 8
    rows = warc.rows(bytes(data), name)
    reasons = rows["rejected_by"].to_list()
    if name != "plain.warc":  # where bytes of a page may be anything
        assert reasons.count("ingest.damaged") == 1
        assert rows.filter(rejected_by="ingest.damaged")["reason"][0]
    assert reasons.count(None) >= (
        0 if name == "whole.warc.gz" else 8
    )  # which is one block of deflate
    assert rows["record_bytes"].sum() == len(data)
    assert rows["doc_id"].n_unique() == rows.height


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b"no WARC at all", ["ingest.damaged"], id="other"),
        pytest.param(zipped(b""), ["ingest.damaged"], id="empty gzip"),
        pytest.param(b"\x00" * 99, ["ingest.damaged"], id="zeros"),
        pytest.param(b"WARC/1.0\n\nx: y\n", ["ingest.damaged"], id="no length"),
    ],
)
def test_files_without_records(warc, data, reasons) -> None:
    batches = warc.batches(data, "a.warc")
    assert [r for b in batches for r in b["rejected_by"]] == reasons
    assert sum(b["record_bytes"].sum() for b in batches) == len(data)


def test_junk_behind_the_last_record(warc) -> None:
    data = zipped(warc.response()) + b"junk" * 20
    rows = warc.rows(data, "a.warc.gz")
    assert rows["rejected_by"].to_list() == [None, "ingest.damaged"]
    assert rows["record_bytes"].sum() == len(data)


@pytest.mark.skipif(not FILES, reason=f"{WARCS} is not here")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_real_files(warc, path) -> None:
    data = path.read_bytes()
    rows = warc.rows(data, path.name, format="warc")
    assert rows.height >= 1
    assert rows["record_bytes"].sum() == len(data)
    assert rows["doc_id"].n_unique() == rows.height
    assert (rows["text"].is_null() == rows["rejected_by"].is_not_null()).all()
    assert not rows["text"].drop_nulls().str.strip_chars().eq("").any()
    small = warc.rows(data, path.name, format="warc", batch_text_bytes=2000)
    assert small.equals(rows)


@pytest.mark.skipif(not FILES, reason=f"{WARCS} is not here")
@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        pytest.param("odd/cut-cc-dolma-0000.warc.gz", {"ingest.damaged": 1, None: 16}, id="cut"),
        pytest.param(
            "odd/corrupt-middle-cc-dolma-0001.warc.gz",
            {"ingest.damaged": 1, None: 14},
            id="corrupt",
        ),
        pytest.param("odd/clipped.warc.gz", {"ingest.damaged": 1}, id="clipped in a record"),
        pytest.param("whirlwind.warc.wet.gz", {None: 1}, id="wet"),
        pytest.param(
            "odd/ipwb-baconIpsum_chunked_httpTrailors.warc",
            {"ingest.not_http": 0, "ingest.record_resource": 2, "ingest.damaged": 0},
            id="one bad body does not end the file",
        ),
        pytest.param("odd/ipwb-HTTP404.warc", {"ingest.http_status": 1, None: 0}, id="404"),
    ],
)
def test_counts_of_real_files(warc, name, reasons) -> None:
    path = WARCS / name
    found = warc.rows(path.read_bytes(), path.name, format="warc")["rejected_by"].to_list()
    assert {reason: found.count(reason) for reason in reasons} == reasons


@pytest.mark.skipif(not FILES, reason=f"{WARCS} is not here")
def test_text_is_what_resiliparse_gives(warc) -> None:
    from fastwarc.warc import ArchiveIterator

    path = WARCS / "cc-dolma-0000.warc.gz"
    expected = {}
    with path.open("rb") as stream:
        for record in ArchiveIterator(stream, auto_decode="all"):
            if str(record.record_type) == "response":
                page = record.reader.read().decode("utf-8")
                url = record.headers.get("WARC-Target-URI").strip("<>")
                expected[url] = extract_plain_text(
                    page, main_content=True, comments=False, post_meta=False,
                    alt_texts=False, list_bullets=True,
                )  # fmt: skip
    rows = warc.rows(path.read_bytes(), path.name, extractor="fast").filter(
        pl.col("text").is_not_null()
    )
    assert rows.height == 22
    assert dict(rows.select("url", "text").rows()) == expected
