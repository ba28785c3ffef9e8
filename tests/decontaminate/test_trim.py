"""Cuts of hits together with those of dedup: what is stored leaves exactly the fragments that were counted."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster import schema
from curation_dagster.decontaminate.cut import trim
from curation_dagster.decontaminate.offsets import uncut_span
from curation_dagster.decontaminate.trim import cutting, trimmed
from curation_dagster.documents import in_fragments, without_cuts
from curation_dagster.recipe_decontaminate import Benchmark, Cut
from curation_dagster.section import File

Spans = list[tuple[int, int]]
BENCHMARKS = [
    Benchmark(name="cut", file=File(path=Path("x")), action="cut", passage=("p",), question=("q",)),
    Benchmark(name="drop", file=File(path=Path("x")), action="drop", passage_action="cut"),
    Benchmark(name="flag", file=File(path=Path("x")), action="flag"),
]
COLUMNS = {"text": pl.String, "cuts": schema.SPANS, "spans": schema.SPANS}


def spans_of(spans: Spans) -> list[dict[str, int]]:
    return [{"start": start, "end": end} for start, end in spans]


def lengths(texts: pl.Series) -> pl.Series:
    """Stand in for a tokenizer: a token a character."""
    return texts.str.len_chars()


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, Spans, str, Spans]:
    """Draw a text, what dedup cut of it, the text that leaves, and hits in that; all at characters."""
    text = draw(st.text(st.sampled_from("ab é東\U0001f600"), min_size=1, max_size=50))
    edges = [0, *accumulate(len(c.encode()) for c in text)]
    points = sorted(draw(st.lists(st.sampled_from(edges), max_size=8, unique=True)))
    cuts = list(zip(points[::2], points[1::2], strict=False))
    data = text.encode()
    left = bytes(b for i, b in enumerate(data) if not any(a <= i < z for a, z in cuts)).decode()
    inner = [0, *accumulate(len(c.encode()) for c in left)]
    place = st.sampled_from(inner)
    pairs = st.tuples(place, place).map(lambda p: (min(p), max(p))).filter(lambda p: p[0] < p[1])
    hits = draw(st.lists(pairs, min_size=1, max_size=5)) if len(inner) > 1 else []
    return text, cuts, left, hits


@settings(max_examples=300)
@given(st.lists(documents(), min_size=1, max_size=4), st.integers(0, 4), st.integers(1, 6))
def test_what_is_stored_leaves_the_fragments_that_were_counted(
    docs: list[tuple[str, Spans, str, Spans]], around: int, least: int
) -> None:
    config = Cut(around_chars=around, min_fragment_chars=least, max_cuts=3)
    rows: list[dict[str, Any]] = [
        {"row": n, "doc_id": f"d{n}", "raw": text, "text": left, "cuts": spans_of(cuts),
         "spans": spans_of([uncut_span(hit, cuts) for hit in hits])}
        for n, (text, cuts, left, hits) in enumerate(docs)
    ]  # fmt: skip
    frame = pl.DataFrame(
        rows, schema={"row": pl.UInt32, "doc_id": pl.String, "raw": pl.String, **COLUMNS}
    )
    found = trimmed(frame.drop("raw"), config, lengths)
    assert found.schema == schema.TRIMMED
    raw = frame.select("row", "doc_id", text="raw")
    both = {"deduped": frame.select("row", "cuts"), "decontaminated": found.select("row", "cuts")}
    shipped = in_fragments(raw, both)
    joined = without_cuts(raw, [*both.values()])["text"].to_list()
    for n, (text, _, left, hits) in enumerate(docs):
        wanted = trim(left.encode(), hits, config)
        verdict = found.row(n, named=True)
        assert verdict["rejected_by"] == wanted.rejected_by
        if wanted.rejected_by:
            assert (verdict["cuts"], verdict["fragment_tokens"]) == ([], [])
            assert verdict["token_count"] is None
            continue
        pieces = [left.encode()[a:b].decode() for a, b in wanted.fragments]
        rows_of = shipped.filter(pl.col("row") == n)
        assert rows_of["text"].to_list() == pieces
        assert rows_of["fragment"].to_list() == list(range(len(pieces)))
        assert verdict["fragment_tokens"] == [len(p) for p in pieces]
        assert verdict["token_count"] == sum(map(len, pieces))
        assert verdict["text_bytes"] == len("".join(pieces).encode())
        assert joined[n] == "".join(pieces)
        assert all(cut["end"] <= len(text.encode()) for cut in verdict["cuts"])


@pytest.mark.parametrize(
    ("dedup", "hits", "left"),
    [
        pytest.param([], [], ["abcdefghij"], id="nothing cut"),
        pytest.param([(2, 4)], [], ["abefghij"], id="dedup alone joins"),
        pytest.param([], [(2, 4)], ["ab", "efghij"], id="a hit alone parts"),
        pytest.param([(0, 2)], [(2, 4)], ["efghij"], id="dedup took all before the hit"),
        pytest.param([(8, 10)], [(6, 8)], ["abcdef"], id="dedup took all behind it"),
        pytest.param([(3, 4)], [(2, 6)], ["ab", "ghij"], id="dedup cut inside the hit"),
        pytest.param([(1, 3)], [(2, 4)], ["a", "efghij"], id="they overlap"),
        pytest.param([(2, 4)], [(4, 5), (1, 2)], ["a", "fghij"], id="hits on either side of it"),
        pytest.param([], [(0, 10)], [""], id="all, though nobody keeps such a document"),
    ],
)
def test_fragments(dedup: Spans, hits: Spans, left: list[str]) -> None:
    docs = pl.DataFrame(
        {"row": [6, 7, 8], "text": ["x", "abcdefghij", "y"]}, schema_overrides={"row": pl.UInt32}
    )

    def cuts(spans: Spans) -> pl.DataFrame:
        columns = {"row": pl.UInt32, "cuts": schema.SPANS}
        return pl.DataFrame({"row": [7], "cuts": [spans_of(spans)]}, schema=columns)

    found = in_fragments(docs, {"deduped": cuts(dedup), "decontaminated": cuts(hits)})
    wanted = [(6, "x", 0), *((7, text, n) for n, text in enumerate(left)), (8, "y", 0)]
    assert found.select("row", "text", "fragment").rows() == wanted
    assert found.schema["fragment"] == pl.UInt16


@pytest.mark.parametrize(
    ("hits", "spans"),
    [
        pytest.param([], None, id="no hit"),
        pytest.param([("cut", "question", 1, 2)], [(1, 2)], id="a hit to cut"),
        pytest.param([("cut", "passage", 1, 2)], None, id="its passage is only flagged"),
        pytest.param([("flag", "question", 1, 2)], None, id="flagged"),
        pytest.param([("drop", "passage", 3, 4)], [(3, 4)], id="a passage whose action is cut"),
        pytest.param([("cut", "question", 1, 2), ("drop", "question", 3, 4)], None, id="dropped"),
        pytest.param(
            [("cut", "question", 1, 2), ("flag", "question", 3, 4), ("drop", "passage", 5, 6)],
            [(1, 2), (5, 6)],
            id="all that cut, and no other",
        ),
    ],
)
def test_which_spans_are_cut(hits: list[tuple[str, str, int, int]], spans: Spans | None) -> None:
    listed = [
        {"benchmark": b, "item": "1", "part": p, "method": "exact", "score": 1.0, "start": a, "end": z}
        for b, p, a, z in hits
    ]  # fmt: skip
    scanned = pl.DataFrame(
        {"row": [3, 4], "hits": [listed, []]}, schema={"row": pl.UInt32, "hits": schema.HITS}
    )
    rows = cutting(scanned, BENCHMARKS).rows()
    found = {row: [(s["start"], s["end"]) for s in of] for row, of in rows}
    assert found == ({3: spans} if spans else {})


def test_no_documents() -> None:
    none = pl.DataFrame(schema={"row": pl.UInt32, "doc_id": pl.String, **COLUMNS})
    assert trimmed(none, Cut(), lengths).schema == schema.TRIMMED
