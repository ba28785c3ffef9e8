"""JSON lines and Parquet: a row a line, whatever the line is."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster.errors import RecipeError
from curation_dagster.ingest import tabular

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MALFORMED, NO_TEXT = "ingest.malformed", "ingest.no_text"
LINES = [
    pytest.param(b'{"text": "hello", "url": "u"}', "hello", None, id="plain"),
    pytest.param(b'{"text": "crlf"}\r', "crlf", None, id="crlf"),
    pytest.param(b'  {"text": "indented"}\t', "indented", None, id="space around"),
    pytest.param('{"text": "naïve 日本 😀"}'.encode(), "naïve 日本 😀", None, id="utf-8"),
    pytest.param(b'{"text": "A\\u0042\\n\\"\\ud83d\\ude00"}', 'AB\n"😀', None, id="escapes"),
    pytest.param(b'{"text": "x", "more": {"text": "y"}}', "x", None, id="other fields"),
    pytest.param(b'{"text": 12}', "12", None, id="a number is its digits"),
    pytest.param(b'{"text": 1.50}', "1.5", None, id="a fraction, normalised"),
    pytest.param(b'{"text": {"a": 1}}', '{"a":1}', None, id="nested is its json"),
    pytest.param(b'{"text": ["a", "b"]}', '["a","b"]', None, id="a list is its json"),
    pytest.param(b'{"text": null}', None, NO_TEXT, id="null"),
    pytest.param(b'{"url": "u"}', None, NO_TEXT, id="no text"),
    pytest.param(b'{"text": ""}', None, NO_TEXT, id="empty"),
    pytest.param(b'{"text": " \\n\\u3000"}', None, NO_TEXT, id="blank"),
    pytest.param(b'"hello"', None, NO_TEXT, id="a string"),
    pytest.param(b"[1]", None, NO_TEXT, id="a list"),
    pytest.param(b"null", None, MALFORMED, id="nothing"),
    pytest.param(b'{"text": "cut', None, MALFORMED, id="cut"),
    pytest.param(b'{"text": "x"} y', None, MALFORMED, id="more behind"),
    pytest.param(b'{"text": NaN}', None, MALFORMED, id="nan"),
    pytest.param(b'{"text": "\xff"}', None, MALFORMED, id="not utf-8"),
    pytest.param(b'{"text": "\\ud800"}', None, MALFORMED, id="half a surrogate"),
    pytest.param(b"\x00\x00", None, MALFORMED, id="zeros"),
]
COMPRESS = {
    "a.jsonl": bytes,
    "a.jsonl.gz": lambda data: gzip.compress(data, mtime=0),
    "a.jsonl.zst": zstandard.ZstdCompressor().compress,
    "two.jsonl.gz": lambda data: gzip.compress(data[:99]) + gzip.compress(data[99:]),
    "two.jsonl.zst": lambda data: b"".join(
        zstandard.ZstdCompressor().compress(part) for part in (data[:99], data[99:])
    ),
    "UPPER.JSONL.GZ": gzip.compress,
}


@pytest.mark.parametrize(("line", "text", "reason"), LINES)
def test_a_line(warc, line, text, reason) -> None:
    rows = warc.rows(line, "a.jsonl")
    assert rows.select("text", "rejected_by").rows() == [(text, reason)]
    assert rows["record_bytes"].to_list() == [len(line)]
    with_bad = warc.rows(b"\xff\n" + line + b"\n", "a.jsonl")
    assert with_bad.select("text", "rejected_by").rows() == [(None, MALFORMED), (text, reason)]


@pytest.mark.parametrize("name", COMPRESS)
@pytest.mark.parametrize("end", [b"\n", b""], ids=["newline at the end", "none"])
def test_offsets_locate_the_line_in_the_decompressed_file(warc, name, end) -> None:
    lines = [p.values[0] for p in LINES]
    data = b"\n\n  \n" + b"\n".join(lines) + end
    rows = warc.rows(COMPRESS[name](data), name)
    assert rows["rejected_by"].to_list() == [p.values[2] for p in LINES]
    for line, locator, doc_id, size in zip(
        lines, rows["locator"], rows["doc_id"], rows["record_bytes"], strict=True
    ):
        offset = int(locator.removeprefix(f"{name}:"))
        assert data[offset : offset + len(line)] == line
        assert int(doc_id.split("-")[1], 16) == offset
        assert data[offset : offset + size].rstrip(b"\n") == line
    blank = len(b"\n\n  \n")
    assert rows["record_bytes"].sum() == len(data) - blank, "blank lines are no records"


@given(
    st.lists(st.sampled_from([p.values[0] for p in LINES] + [b""]), max_size=30),
    st.integers(1, 200),
)
@settings(max_examples=40, deadline=None)
def test_rows_do_not_depend_on_the_chunk(warc, lines, chunk) -> None:
    data = b"\n".join(lines)
    whole = warc.batches(data, "a.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tabular, "_CHUNK", chunk)
        patch.setattr(tabular, "_PIECE", max(1, chunk // 3))
        parts = warc.batches(data, "a.jsonl")
    assert [r for b in whole for r in b.rows()] == [r for b in parts for r in b.rows()]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        pytest.param("2026-01-02T03:04:05Z", AT, id="rfc 3339"),
        pytest.param("2026-01-02T03:04:05.678901Z", AT.replace(microsecond=678901), id="fraction"),
        pytest.param("2026-01-02T05:04:05+02:00", AT, id="zone"),
        pytest.param("2026-01-02T03:04:05", AT, id="no zone is utc"),
        pytest.param("2026-01-02 03:04:05", AT, id="space"),
        pytest.param("2026-01-02 03:04:05+00:00", AT, id="as polars writes"),
        pytest.param("2026-01-02", AT.replace(hour=0, minute=0, second=0), id="day"),
        pytest.param("2 January 2026", None, id="prose"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="null"),
        pytest.param(1767323045, None, id="a number is no date"),
    ],
)
def test_dates(warc, said, found) -> None:
    line = json.dumps({"text": "x", "crawled_at": said}).encode()
    other = json.dumps({"text": "x", "crawled_at": "2020-02-02"}).encode()
    assert warc.rows(line, "a.jsonl")["crawled_at"].to_list() == [found]
    after_other_format = warc.rows(other + b"\n" + line, "a.jsonl")["crawled_at"].to_list()
    assert after_other_format[1] == found, "a date depends on its own line only"


def test_fields_are_named_by_the_source(warc) -> None:
    line = b'{"body": {"plain": "x"}, "link": "u", "when": "2026-01-02T03:04:05Z", "text": "no"}'
    fields = {"text_field": "body.plain", "url_field": "link", "date_field": "when"}
    rows = warc.rows(line, "a.jsonl", license="CC0", **fields)
    assert rows.select("text", "url", "crawled_at", "license").rows() == [("x", "u", AT, "CC0")]


def many_lines(count: int = 4000) -> bytes:
    return b"".join(b'{"text": "line %d %x"}\n' % (i, pow(7, i, 10**60)) for i in range(count))


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
@pytest.mark.parametrize("left", [0.5, 0.999], ids=["half", "nearly whole"])
def test_a_cut_file_keeps_its_lines_and_says_so(warc, name, left) -> None:
    data = many_lines()
    packed = COMPRESS[name](data)
    rows = warc.rows(packed[: int(len(packed) * left)], name)
    reasons = rows["rejected_by"].to_list()
    assert reasons.count("ingest.damaged") == 1
    assert reasons[-1] == "ingest.damaged"
    assert rows["doc_id"].n_unique() == rows.height
    texts = rows["text"].drop_nulls().to_list()
    assert texts == warc.rows(data, "a.jsonl")["text"].head(len(texts)).to_list()
    assert len(texts) > 4000 * left * 0.6


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_damaged_middle_and_junk_behind(warc, name) -> None:
    packed = COMPRESS[name](many_lines())
    junk = warc.rows(packed + b"junk", name)["rejected_by"].to_list()
    assert junk == [None] * 4000 + ["ingest.damaged"]
    bad = bytearray(COMPRESS[name](many_lines()))
    bad[:200] = bytes(200)
    assert warc.rows(bytes(bad), name)["rejected_by"].to_list() == ["ingest.damaged"]
    if name.endswith(".gz"):
        bad = bytearray(packed)
        bad[len(bad) // 2 : len(bad) // 2 + 40] = b"\xff" * 40
        assert warc.rows(bytes(bad), name)["rejected_by"][-1] == "ingest.damaged"


def parquet(**columns: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, row_group_size=3)
    return out.getvalue()


def test_parquet_rows(warc) -> None:
    texts = ["one", None, "", " \t", "five 日本", "six", "seven"]
    days = [date(2026, 1, day) for day in range(1, 8)]
    data = parquet(
        text=texts, url=[f"u{i}" for i in range(7)], crawled_at=days, other=list(range(7))
    )
    rows = warc.rows(data, "a.parquet")
    assert rows["text"].to_list() == ["one", None, None, None, "five 日本", "six", "seven"]
    assert rows["rejected_by"].to_list() == [None, NO_TEXT, NO_TEXT, NO_TEXT, None, None, None]
    assert rows["locator"].to_list() == [f"a.parquet:{i}" for i in range(7)]
    assert rows["crawled_at"].dt.date().to_list() == days
    assert rows["url"].to_list() == [f"u{i}" for i in range(7)]
    assert rows["doc_id"].n_unique() == 7
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tabular, "_ROWS", 2)
        assert warc.rows(data, "a.parquet").equals(rows)


@pytest.mark.parametrize(
    ("column", "found"),
    [
        pytest.param(pa.array([b"x", b"\xff"]), [("x", None), (None, MALFORMED)], id="bytes"),
        pytest.param(pa.array(["x", None]).dictionary_encode(), [("x", None), (None, NO_TEXT)], id="dictionary"),
        pytest.param(pa.array([12, None]), [("12", None), (None, NO_TEXT)], id="numbers"),
        pytest.param(pa.array(["x", "y"], pa.large_string()), [("x", None), ("y", None)], id="large"),
        pytest.param(pa.array([], pa.string()), [], id="no rows"),
    ],
)  # fmt: skip
def test_parquet_types(warc, column, found) -> None:
    batches = warc.batches(parquet(text=column), "a.parquet")
    assert [r for b in batches for r in b.select("text", "rejected_by").rows()] == found


@pytest.mark.parametrize(
    "at",
    [
        pytest.param(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), id="with a zone"),
        pytest.param(datetime(2026, 1, 2, 3, 4, 5), id="without"),
    ],
)
def test_parquet_times(warc, at) -> None:
    assert warc.rows(parquet(text=["x"], crawled_at=[at]), "a.parquet")["crawled_at"][0] == AT


def test_a_damaged_parquet_is_a_row(warc) -> None:
    data = parquet(text=["some text"] * 30)
    for bad in (data[:100], b"", data[:10] + b"\xff" * 20 + data[30:]):
        rows = warc.rows(bad, "a.parquet")
        assert rows["rejected_by"].to_list() == ["ingest.damaged"]
        assert rows["reason"][0]


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        pytest.param({"body": ["x"], "n": [1]}, {},
                     r"'cc': x/a\.parquet: no column 'text'; found \['body', 'n'\]", id="no column"),
        pytest.param({"text": ["x"]}, {"text_field": "body"},
                     r"no column 'body'; found \['text'\]", id="named otherwise"),
        pytest.param({"text": [["x"]]}, {}, r"column 'text' is list<.*string>, not text", id="a list"),
    ],
)  # fmt: skip
def test_parquet_columns_that_do_not_fit(warc, columns, options, said) -> None:
    with pytest.raises(RecipeError, match=said):
        warc.rows(parquet(**columns), "x/a.parquet", **options)


@pytest.mark.parametrize(
    ("name", "options", "height"),
    [
        pytest.param("a.jsonl", {}, 1, id="by name"),
        pytest.param("a.ndjson", {}, 1, id="ndjson"),
        pytest.param("A.JSONL", {}, 1, id="upper case"),
        pytest.param("a.txt", {"format": "jsonl"}, 1, id="by recipe"),
        pytest.param("a.xyz", {}, None, id="unknown"),
        pytest.param("a.warc.bz2", {}, None, id="unknown compression"),
        pytest.param("jsonl", {}, None, id="no suffix"),
    ],
)
def test_formats(warc, name, options, height) -> None:
    if height is None:
        with pytest.raises(RecipeError, match=rf"'cc'.*{name}.*set `format`"):
            warc.batches(b'{"text": "x"}', name, **options)
    else:
        assert warc.rows(b'{"text": "x"}', name, **options).height == height


def test_numbered_over_files(warc) -> None:
    from curation_dagster.ingest.read import numbered

    frames = warc.batches(b'{"text": "x"}\n' * 3, "a.jsonl") + warc.batches(b"{}", "b.jsonl")
    rows = pl.concat(numbered(frames))
    assert rows["row"].to_list() == [0, 1, 2, 3]
    assert rows["doc_id"].n_unique() == 4
