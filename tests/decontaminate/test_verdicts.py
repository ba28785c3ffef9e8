"""What hits do to documents."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curation_dagster.decontaminate.verdicts import decide
from curation_dagster.errors import IntegrityError
from curation_dagster.recipe_decontaminate import Benchmark
from curation_dagster.schema import HITS, TRIMMED
from curation_dagster.section import File

BENCHMARKS = [
    Benchmark(name="drop", file=File(path=Path("x")), action="drop"),
    Benchmark(name="drop2", file=File(path=Path("x")), action="drop"),
    Benchmark(name="flag", file=File(path=Path("x")), action="flag"),
    Benchmark(name="cut", file=File(path=Path("x")), action="cut"),
]
CUT = {"cuts": [{"start": 2, "end": 9}], "fragment_tokens": [4, 3]}


def frames(*hits: list[tuple[str, str, float]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make documents with these hits, and a scan that has one document more."""
    rows = [
        [
            {
                "benchmark": b,
                "item": i,
                "part": "question",
                "method": "ngrams",
                "score": s,
                "start": 0,
                "end": 9,
            }
            for b, i, s in doc
        ]
        for doc in [*hits, [("drop", "other", 1.0)]]
    ]
    scanned = pl.DataFrame(
        {"row": range(len(rows)), "doc_id": [f"d{i}" for i in range(len(rows))], "hits": rows},
        schema={"row": pl.UInt32, "doc_id": pl.String, "hits": HITS},
    )
    return scanned.select("row", "doc_id").head(len(hits)), scanned


@pytest.mark.parametrize(
    ("hits", "wanted"),
    [
        pytest.param([], (None, None, None, None), id="clean"),
        pytest.param(
            [("drop", "a", 0.5)], ("decontaminate.ngrams", "drop", "a", 0.5), id="dropped"
        ),
        pytest.param([("flag", "a", 0.5)], (None, "flag", "a", 0.5), id="flagged"),
        pytest.param(
            [("flag", "a", 1.0), ("drop2", "b", 0.25)],
            ("decontaminate.ngrams", "drop2", "b", 0.25),
            id="a dropping hit decides",
        ),
        pytest.param(
            [("drop", "a", 0.25), ("drop2", "b", 0.5)],
            ("decontaminate.ngrams", "drop2", "b", 0.5),
            id="highest score",
        ),
        pytest.param(
            [("drop2", "a", 0.5), ("drop", "c", 0.5), ("drop", "b", 0.5)],
            ("decontaminate.ngrams", "drop", "b", 0.5),
            id="then by name",
        ),
    ],
)
def test_the_hit_that_decides(
    hits: list[tuple[str, str, float]], wanted: tuple[object, ...]
) -> None:
    found = decide(*frames([], hits), BENCHMARKS)
    assert found.select("rejected_by", "benchmark", "item", "score").rows() == [(None,) * 4, wanted]
    assert found["cuts"].to_list() == [[], []]


def test_order_and_schema() -> None:
    docs, scanned = frames([], [("drop", "a", 1.0)], [])
    found = decide(docs, scanned.reverse(), BENCHMARKS)
    assert found.select("row", "doc_id").equals(docs)
    schema = {
        "row": pl.UInt32, "doc_id": pl.String, "rejected_by": pl.String,
        "benchmark": pl.String, "item": pl.String, "score": pl.Float32,
        "text_bytes": pl.UInt32, "token_count": pl.UInt32,
        "cuts": pl.List(pl.Struct({"start": pl.UInt32, "end": pl.UInt32})),
        "fragment_tokens": pl.List(pl.UInt32),
    }  # fmt: skip
    assert found.schema == schema
    assert decide(docs.clear(), scanned, BENCHMARKS).schema == schema
    assert decide(*frames([], []), BENCHMARKS).schema == schema


def test_tables_that_do_not_fit() -> None:
    docs, scanned = frames([("drop", "a", 1.0)], [])
    with pytest.raises(IntegrityError, match="row 0 is None, 'd0' expected"):
        decide(docs, scanned.filter(pl.col("row") > 0), BENCHMARKS)
    with pytest.raises(IntegrityError, match="row 0 is 'other'"):
        decide(docs, scanned.with_columns(doc_id=pl.lit("other")), BENCHMARKS)
    with pytest.raises(IntegrityError, match="share a row"):
        decide(docs, pl.concat([scanned, scanned]), BENCHMARKS)
    with pytest.raises(IntegrityError, match=r"recipe has not: \['drop'\]"):
        decide(docs, scanned, BENCHMARKS[1:])


def trims(rejected_by: str | None = None) -> pl.DataFrame:
    """Say of document d1 what cutting leaves of it."""
    left = CUT | {"text_bytes": 30, "token_count": 7}
    gone = {"cuts": [], "fragment_tokens": [], "text_bytes": 40, "token_count": None}
    key = {"row": 1, "doc_id": "d1", "rejected_by": rejected_by}
    return pl.DataFrame([key | (gone if rejected_by else left)], schema=TRIMMED)


@pytest.mark.parametrize(
    ("hits", "rejected_by", "wanted"),
    [
        pytest.param([("cut", "a", 0.5)], None, (None, "cut"), id="cut"),
        pytest.param(
            [("cut", "a", 0.5)],
            "decontaminate.too_many_cuts",
            ("decontaminate.too_many_cuts", "cut"),
            id="too many cuts",
        ),
        pytest.param(
            [("cut", "a", 0.5)],
            "decontaminate.nothing_left",
            ("decontaminate.nothing_left", "cut"),
            id="nothing left",
        ),
        pytest.param([("flag", "a", 1.0), ("cut", "a", 0.5)], None, (None, "cut"), id="and a flag"),
        pytest.param(
            [("cut", "a", 1.0), ("drop", "a", 0.5)],
            None,
            ("decontaminate.ngrams", "drop"),
            id="a dropping hit decides",
        ),
    ],
)
def test_documents_that_hits_cut(
    hits: list[tuple[str, str, float]], rejected_by: str | None, wanted: tuple[object, ...]
) -> None:
    found = decide(*frames([], hits), BENCHMARKS, trims(rejected_by))
    assert found.row(0)[2:] == (None, None, None, None, None, None, [], [])
    row = found.row(1, named=True)
    assert (row["rejected_by"], row["benchmark"]) == wanted
    cut = {name: row[name] for name in CUT}
    assert cut == (CUT if wanted == (None, "cut") else {"cuts": [], "fragment_tokens": []})
    assert row["token_count"] == (7 if wanted == (None, "cut") else None)


def test_a_document_to_cut_that_was_not_trimmed_is_refused() -> None:
    docs, scanned = frames([("cut", "a", 0.5)], [("cut", "a", 0.5)])
    with pytest.raises(IntegrityError, match=r"1 documents .* the first is d0; rerun trimmed"):
        decide(docs, scanned, BENCHMARKS, trims())
    with pytest.raises(IntegrityError, match="2 documents"):
        decide(docs, scanned, BENCHMARKS)
