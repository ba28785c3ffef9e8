"""HTTP responses: odd heads, codings that are there, not there, cut or hostile, and what is HTML."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from random import Random

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster.ingest import http

OK = b"HTTP/1.1 200 OK\r\n"
HTML = b"Content-Type: text/html\r\n"
PAGE = (
    b"<html><body><p>" + b"The harbour was frozen for eleven weeks. " * 50 + b"</p></body></html>"
)
MAX = 100_000


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(body) + stream.flush()


def zstd(body: bytes) -> bytes:
    """Compress as servers do: the frame does not say how long it is."""
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(body) + stream.flush()


def chunks(body: bytes, size: int = 50) -> bytes:
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(f"{len(p):x}\r\n".encode() + p + b"\r\n" for p in parts) + b"0\r\n\r\n"


ENCODE = {
    "gzip": lambda b: gzip.compress(b, mtime=0),
    "x-gzip": lambda b: gzip.compress(b, mtime=0),
    "deflate": zlib.compress,
    "raw deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": zstd,
}
CODINGS = [pytest.param(name.split()[-1], encode, id=name) for name, encode in ENCODE.items()]


def parse(
    body: bytes = PAGE, *lines: str, limit: int = MAX, head: bytes = OK + HTML
) -> http.Response:
    head += b"".join(line.encode("latin-1") + b"\r\n" for line in lines)
    found = http.response(head + b"\r\n" + body, limit)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("line", "status"),
    [
        pytest.param(b"HTTP/1.1 200 OK", 200, id="usual"),
        pytest.param(b"HTTP/1.0 404 Not Found", 404, id="1.0"),
        pytest.param(b"HTTP/2 200", 200, id="2, no reason"),
        pytest.param(b"HTTP/1.1 200 ", 200, id="space, no reason"),
        pytest.param(b"http/1.1 200 ok", 200, id="lower case"),
        pytest.param(b"\r\n HTTP/1.1 200 OK", 200, id="behind a blank line"),
        pytest.param(b"HTTP/1.1   200\tOK", 200, id="spaces"),
        pytest.param(b"HTTP/1.1 200OK", 200, id="no space"),
        pytest.param(b"HTTP/1.1 999 \xe9\xff", 999, id="latin-1"),
        pytest.param(b"ICY 200 OK", 200, id="icy"),
        pytest.param(b"HTTP 200 OK", 200, id="no version"),
        pytest.param(b"HTTP/1.1", None, id="no status"),
        pytest.param(b"HTTP/1.1 OK", None, id="a word for a status"),
        pytest.param(b"HTTP/1.1 2000 OK", None, id="four digits"),
        pytest.param(b"HTTP/1.1 20 OK", None, id="two digits"),
    ],
)
def test_status_lines(line, status) -> None:
    for end in (b"\r\n", b"\n"):
        found = http.response(line + end + b"A: b" + end * 2 + b"x", MAX)
        assert found
        assert (found.status, found.headers, found.body) == (status, {"a": "b"}, b"x")


@pytest.mark.parametrize(
    "block",
    [b"", b"\r\n", b"<html>", b"no status line\r\n\r\n", b"HTTP is a protocol", b"HTTPS/1.1 200 OK",
     b"20260102 a.example 192.0.2.1", b"GET / HTTP/1.1\r\n\r\n", b"ICY road", b"HTTP/x 200 OK"],
)  # fmt: skip
def test_what_is_no_http(block) -> None:
    assert http.response(block, MAX) is None


@pytest.mark.parametrize(
    ("rest", "headers", "body"),
    [
        pytest.param(b"A: b\r\n\r\nx\r\n\r\ny", {"a": "b"}, b"x\r\n\r\ny", id="usual"),
        pytest.param(b"A: b\n\nx\r\n\r\ny", {"a": "b"}, b"x\r\n\r\ny", id="lf only"),
        pytest.param(b"A: b\r\n\nx", {"a": "b"}, b"x", id="crlf, then lf"),
        pytest.param(b"A: b\n\r\nx", {"a": "b"}, b"x", id="lf, then crlf"),
        pytest.param(b"\r\nx\n\ny", {}, b"x\n\ny", id="no headers"),
        pytest.param(b"\nx", {}, b"x", id="no headers, lf"),
        pytest.param(b"", {}, b"", id="nothing"),
        pytest.param(b"A: b\r\nC: d", {"a": "b", "c": "d"}, b"", id="no end"),
        pytest.param(b"A: b\r\n<html>\r\n\r\nC: d", {"a": "b"}, b"<html>\r\n\r\nC: d", id="page in the head"),
        pytest.param(b"<html>\n\nx", {}, b"<html>\n\nx", id="page behind the status"),
        pytest.param(b"A: b\r\n  c\r\n\td\r\n\r\nx", {"a": "b c d"}, b"x", id="folded"),
        pytest.param(b"junk\r\nA : b\r\n: c\r\n\r\n", {"a": "b", "": "c"}, b"", id="odd lines"),
        pytest.param(b"A:\r\nB: c:d\r\n\r\n", {"a": "", "b": "c:d"}, b"", id="empty and colons"),
        pytest.param(b"A: \xe9\xff\r\n\r\n", {"a": "éÿ"}, b"", id="latin-1"),
        pytest.param(b"A: 1\r\na: 2\r\nA: 3\r\n\r\n", {"a": "1"}, b"", id="the first wins"),
    ],
)  # fmt: skip
def test_heads(rest, headers, body) -> None:
    found = http.response(OK + rest, MAX)
    assert found
    assert (found.status, found.headers, found.body, found.trouble) == (200, headers, body, None)


@pytest.mark.parametrize(
    ("values", "kind", "charset"),
    [
        pytest.param([], None, None, id="none"),
        pytest.param(["text/html"], "text/html", None, id="bare"),
        pytest.param(["TEXT/HTML;Charset=UTF-8"], "text/html", "utf-8", id="case"),
        pytest.param(["text/html ; a=b ; charset = 'gbk' ; c=d"], "text/html", "gbk", id="spaces, quotes"),
        pytest.param(['text/html; charset="utf-8'], "text/html", "utf-8", id="half a quote"),
        pytest.param(["text/html; charset="], "text/html", None, id="empty charset"),
        pytest.param(["text/html charset=utf-8"], "text/html", "utf-8", id="no semicolon"),
        pytest.param(["text/html; xcharset=utf-8"], "text/html", None, id="another parameter"),
        pytest.param(["text/html, text/html; charset=gbk"], "text/html", "gbk", id="a list"),
        pytest.param(["html", "", ";charset=gbk"], None, None, id="no type"),
        pytest.param(["text/plain", "text/html; charset=a"], "text/html", "a", id="the last wins"),
        pytest.param(["text/html; charset=a", "html"], "text/html", "a", id="the last that is a type"),
    ],
)  # fmt: skip
def test_content_types(values, kind, charset) -> None:
    found = parse(b"", *(f"Content-Type: {v}" for v in values), head=OK)
    assert (found.content_type, found.charset) == (kind, charset)


def test_interim_responses_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n"
    found = http.response(interim + OK + b"A: b\r\n\r\nHTTP/1.1 404 in the text", MAX)
    assert found
    assert (found.status, found.headers, found.body) == (
        200,
        {"a": "b"},
        b"HTTP/1.1 404 in the text",
    )
    for many, status, body in [(10, 200, b"x"), (11, 100, OK + b"\r\nx")]:
        chain = http.response(b"HTTP/1.1 100 C\r\n\r\n" * many + OK + b"\r\nx", MAX)
        assert chain
        assert (chain.status, chain.body) == (status, body)
    alone = http.response(b"HTTP/1.1 100 Continue\r\n\r\nx", MAX)
    assert alone
    assert (alone.status, alone.body) == (100, b"x")


@pytest.mark.parametrize(("name", "encode"), CODINGS)
def test_codings(name, encode) -> None:
    line = f"Content-Encoding: {name.upper()}"
    for body, lines in [
        (encode(PAGE), [line]),
        (chunks(encode(PAGE)), [line, "Transfer-Encoding: chunked"]),
        (chunks(encode(PAGE)), ["Transfer-Encoding: " + name + ", chunked"]),
        (encode(PAGE), [line, "Transfer-Encoding: chunked"]),
        (encode(encode(PAGE)), [line, line]),
        (encode(gzip.compress(PAGE)), [f"Content-Encoding: gzip, {name}"]),
        (PAGE, [line]),
        (b" \n" + PAGE, [line, line]),
        (encode(PAGE), [f"Content-Encoding: identity, {name}, "]),
    ]:
        assert parse(body, *lines)[4:] == (PAGE if body[:1] != b" " else b" \n" + PAGE, None)
    assert parse(b"", line)[4:] == (b"", None)
    assert parse(encode(b""), line)[4:] == (b"", None)


@pytest.mark.parametrize(("name", "encode"), CODINGS)
def test_cut_codings_give_what_there_is(name, encode) -> None:
    text = b"".join(
        b"%x " % random.getrandbits(20) for random in [Random(7)] for _ in range(50_000)
    )
    data = encode(text)
    assert parse(data, f"Content-Encoding: {name}", limit=1 << 20)[4:] == (text, None)
    for size in (len(data) - 1, len(data) * 2 // 3, 20):
        found = parse(data[:size], f"Content-Encoding: {name}", limit=1 << 20)
        assert found.trouble == f"{name}: cut"
        assert text.startswith(found.body) or found.body == data[:size]
    cut = parse(data[:-6], f"Content-Encoding: {name}", limit=1 << 20)
    assert len(cut.body) > len(text) // 2


@pytest.mark.parametrize(("name", "encode"), CODINGS)
def test_broken_codings_are_trouble(name, encode) -> None:
    data = bytearray(encode(bytes(i * i % 251 for i in range(3000)) * 3))
    data[6:60] = b"\xff" * 54
    found = parse(bytes(data), f"Content-Encoding: {name}")
    assert found.trouble
    assert found.trouble.startswith(f"{name}: ")


@pytest.mark.parametrize(("name", "encode"), CODINGS)
@pytest.mark.parametrize(
    ("size", "trouble"), [(999, None), (1000, None), (1001, "larger than 1000 bytes")]
)
def test_the_cap(name, encode, size, trouble) -> None:
    for body, line in [(encode(b"a" * size), f"Content-Encoding: {name}"), (b"a" * size, "A: b")]:
        found = parse(body, line, limit=1000)
        assert (len(found.body), found.trouble) == (min(size, 1000), trouble)


@pytest.mark.parametrize(("name", "encode"), CODINGS)
def test_a_bomb_is_not_held(name, encode) -> None:
    body = OK + f"Content-Encoding: {name}\r\n\r\n".encode() + encode(b"a" * 30_000_000)
    tracemalloc.start()
    found = http.response(body, MAX)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found
    assert (len(found.body), found.trouble) == (MAX, f"larger than {MAX} bytes")
    assert peak < 8 * MAX + len(body)


def test_bombs_in_bombs_and_endless_lists() -> None:
    twice = gzip.compress(gzip.compress(b"a" * 30_000_000))
    found = parse(twice, "Content-Encoding: gzip, gzip")
    assert (len(found.body), found.trouble) == (MAX, f"larger than {MAX} bytes")
    assert parse(twice, "Content-Encoding: " + "gzip," * 6).trouble == "more than 5 codings"
    many = parse(PAGE, *["Content-Encoding: gzip"] * 9999)
    assert many.trouble == "more than 5 codings"
    assert len(many.headers["content-encoding"]) < 250
    members = parse(gzip.compress(b"a") * 101, "Content-Encoding: gzip")
    assert members.trouble == "gzip: more than 100 members"
    assert parse(gzip.compress(b"a") * 100, "Content-Encoding: gzip")[4:] == (b"a" * 100, None)
    assert parse(zstd(b"") + zstd(b"a"), "Content-Encoding: zstd")[4:] == (b"a", None)
    assert parse(zstd(b"a") * 100, "Content-Encoding: zstd")[4:] == (b"a" * 100, None)


@pytest.mark.parametrize(
    ("body", "lines", "expected", "trouble"),
    [
        pytest.param(gzip.compress(PAGE), [], PAGE, None, id="gzip not declared"),
        pytest.param(gzip.compress(PAGE)[:60], [], None, "gzip: cut", id="gzip not declared, cut"),
        pytest.param(b"\x1f\x8b\x08junk", [], b"\x1f\x8b\x08junk", None, id="gzip in name only"),
        pytest.param(gzip.compress(gzip.compress(PAGE)), ["Content-Encoding: gzip"], PAGE, None, id="twice"),
        pytest.param(gzip.compress(PAGE), ["Content-Encoding: br"], PAGE, None, id="called br"),
        pytest.param(gzip.compress(PAGE), ["Content-Encoding: deflate"], PAGE, None, id="called deflate"),
        pytest.param(gzip.compress(PAGE) + b"\r\njunk", ["Content-Encoding: gzip"], PAGE, None, id="junk behind"),
        pytest.param(PAGE, ["X-Crawler-Content-Encoding: gzip"], PAGE, None, id="common crawl"),
        pytest.param(PAGE, ["Content-Encoding: utf-8"], PAGE, None, id="a charset for a coding"),
        pytest.param(b"\x00\x01", ["Content-Encoding: identity"], b"\x00\x01", None, id="identity"),
        pytest.param(b"\x00\x01", ["Content-Encoding: odd"], b"\x00\x01", "odd: unknown coding", id="unknown"),
        pytest.param(b"\x00\x01", ["Content-Encoding: gzip"], b"\x00\x01", "gzip: ", id="other data"),
        pytest.param(b"\x00\x01", ["Content-Encoding: zstd"], b"\x00\x01", "zstd: other data", id="not zstd"),
        pytest.param(PAGE, ["Content-Length: 9"], PAGE, None, id="a length too small"),
        pytest.param(PAGE, ["Content-Length: 99999"], PAGE, None, id="a length too large"),
        pytest.param(PAGE + b"\r\n", ["Content-Length: x"], PAGE + b"\r\n", None, id="no length"),
    ],
)  # fmt: skip
def test_headers_that_lie(body, lines, expected, trouble) -> None:
    found = parse(body, *lines)
    assert (found.trouble or "").startswith(trouble or "")
    assert (found.trouble is None) == (trouble is None)
    assert found.body == expected if expected is not None else PAGE.startswith(found.body)


def test_a_declared_archive_stays_packed() -> None:
    data = gzip.compress(PAGE)
    assert parse(data, "Content-Type: application/gzip", head=OK).body == data
    assert parse(data, head=OK).body == PAGE


@pytest.mark.parametrize(
    ("body", "expected", "trouble"),
    [
        pytest.param(b"5\r\nhello\r\n0\r\n\r\n", b"hello", None, id="usual"),
        pytest.param(b"5\nhello\n0\n\n", b"hello", None, id="lf only"),
        pytest.param(b"5;a=b\r\nhello\r\n0;c\r\n\r\n", b"hello", None, id="extensions"),
        pytest.param(b" 0005 \r\nhello\r\n00\r\n\r\n", b"hello", None, id="padded sizes"),
        pytest.param(b"5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n", b"hello", None, id="trailers"),
        pytest.param(b"A\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n", b"0123456789x", None, id="hex"),
        pytest.param(b"0\r\n\r\n", b"", None, id="empty"),
        pytest.param(b"5\r\nhello\r\n0", b"hello", None, id="the last line cut"),
        pytest.param(b"5\r\nhello\r\n", b"hello", "chunked: cut", id="no last chunk"),
        pytest.param(b"5\r\nhello", b"hello", "chunked: cut", id="cut behind a chunk"),
        pytest.param(b"ff\r\nshort", b"short", "chunked: cut", id="cut in a chunk"),
        pytest.param(
            b"3\r\nhello\r\n0\r\n\r\n", b"hel", "chunked: no chunk at byte 6", id="too small"
        ),
        pytest.param(
            b"5\r\nhello\r\nxyz\r\n", b"hello", "chunked: no chunk at byte 10", id="no size"
        ),
        pytest.param(
            b"5\r\nhello\r\n-1\r\nx", b"hello", "chunked: no chunk at byte 10", id="negative"
        ),
        pytest.param(PAGE, PAGE, None, id="no chunks"),
        pytest.param(b"f" * 99 + b"\r\n", b"f" * 99 + b"\r\n", None, id="no size at all"),
        pytest.param(b"", b"", None, id="nothing"),
    ],
)
def test_chunks(body, expected, trouble) -> None:
    assert parse(body, "Transfer-Encoding: Chunked")[4:] == (expected, trouble)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\na\n" * 200_000, id="chunks"),
        pytest.param(
            OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;" + b"a" * 400_000, id="extension"
        ),
        pytest.param(OK + b"A: b\n" * 80_000, id="equal headers"),
        pytest.param(OK + b"Content-Encoding: b\n" * 20_000, id="repeated lists"),
        pytest.param(OK + b"A: b\n" + b" c\n" * 130_000, id="folds"),
        pytest.param(b"HTTP/1.1 100 C\n\n" * 25_000, id="interim responses"),
        pytest.param(b" \n" * 200_000, id="blank lines"),
        pytest.param(OK + b"\r\n" + b"<!--" * 100_000, id="comments"),
        pytest.param(
            OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"") * 20_000, id="members"
        ),
    ],
)
def test_hostile_blocks_take_linear_time(block) -> None:
    start = time.process_time()
    found = http.response(block, 1 << 20)
    assert time.process_time() - start < 4
    assert found is None or not http.is_html(None, found.body[:0])


MARK = b"\xef\xbb\xbf"
XHTML = b'<?xml version="1.0"?>\n<!-- c > -->\n<!DOCTYPE html PUBLIC "x"><html>'


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        *[pytest.param(k, b"anything", True, id=k) for k in ("text/html", "application/xhtml+xml")],
        *[
            pytest.param(k, PAGE, False, id=k)
            for k in ("image/png", "application/pdf", "application/json", "text/css", "text/htmlx")
        ],
        *[
            pytest.param(None, b"\n\t <" + t + e, True, id=f"{t} {e}")
            for t in b"!DOCTYPE HTML|html|HEAD|script|iframe|h1|div|font|table|a|style|title|b|body|br|p".split(b"|")
            for e in (b">", b" x")
        ],
        *[
            pytest.param(k, MARK + b" <!doctype  HTML>", True, id=f"doctype as {k}")
            for k in (None, "text/plain", "application/octet-stream", "application/xml", "text/xml", "*/*")
        ],
        pytest.param(None, b"<!-- x", True, id="a comment"),
        pytest.param(None, b"<pre>", False, id="a longer name"),
        pytest.param(None, b"<html", False, id="an open tag"),
        pytest.param(None, b"text <html>", False, id="text first"),
        pytest.param(None, b"%PDF-1.7", False, id="pdf"),
        pytest.param(None, b"", False, id="empty"),
        pytest.param(None, XHTML, True, id="xhtml, no type"),
        pytest.param(None, b"<?xml version='1.0'?><rss>", False, id="xml, no type"),
        pytest.param("application/xml", XHTML, True, id="xhtml as xml"),
        pytest.param("text/xml", b"<rss><html>", False, id="xml"),
        pytest.param("text/plain", b"<p>a", False, id="a tag in plain text"),
        pytest.param("text/plain", b"<!-- a --><html>", True, id="a comment in plain text"),
        pytest.param(None, b"\xff\xfe" + "<html>".encode("utf-16-le"), True, id="utf-16"),
        pytest.param(None, b"\xfe\xff" + "<html>".encode("utf-16-be"), True, id="utf-16, big end"),
        pytest.param("text/plain", b"<!--" * 100_000, False, id="hostile comments"),
        pytest.param("text/plain", b"<!---->" * 1000 + b"<html>", True, id="many comments"),
        pytest.param("text/plain", b"<!---->" * 2000 + b"<html>", False, id="too many comments"),
    ],
)  # fmt: skip
def test_is_html(kind, body, expected) -> None:
    assert http.is_html(kind, body) is expected


LINES = st.sampled_from(
    [b"Transfer-Encoding: chunked", b"Content-Type: text/html; charset=", b"Content-Encoding: deflate, gzip",
     b"Content-Encoding: br", b"Content-Encoding: zstd", b"\r\n", b"\n", b": ", b"5\r\nhello\r\n", b"<html>",
     b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x78\x9c", b" fold", b"\xff\x00", gzip.compress(PAGE)[:70]]
)  # fmt: skip


@given(parts=st.lists(LINES | st.binary(max_size=9), max_size=12), limit=st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_any_bytes_are_a_response_or_none(parts, limit) -> None:
    for sep in (b"", b"\r\n"):
        found = http.response(b"HTTP/1.1 200 OK\r\n" + sep.join(parts), limit)
        assert found
        assert len(found.body) <= limit
        assert isinstance(http.is_html(found.content_type, found.body), bool)
        http.response(sep.join(parts), limit)
