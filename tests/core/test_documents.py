"""Assembling documents: edited if present, else raw, without the cuts; against plain Python."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster import schema, table
from curation_dagster.documents import documents, without_cuts
from curation_dagster.errors import IntegrityError

if TYPE_CHECKING:
    from pathlib import Path

RAW: schema.Columns = {
    "row": pl.UInt32,
    "doc_id": pl.String,
    "rejected_by": pl.String,
    "url": pl.String,
    "text": pl.String,
}
ANNOTATED: schema.Columns = {"row": pl.UInt32, "doc_id": pl.String, "text": pl.String}
JUDGED: schema.Columns = {"row": pl.UInt32, "doc_id": pl.String, "rejected_by": pl.String}
CUT: schema.Columns = JUDGED | {"cuts": schema.SPANS}
Rows = list[dict[str, Any]]
Spans = list[tuple[int, int]]


def write(folder: Path, name: str, columns: Any, rows: Rows, sizes: list[int]) -> Path:
    """Write rows in row groups of these sizes; the last takes the rest."""
    path = folder / f"{name}.parquet"
    with table.TableWriter(path, columns) as writer:
        for size in [*sizes, len(rows)]:
            writer.write(pl.DataFrame(rows[:size], schema=columns))
            rows = rows[size:]
        writer.finish({})
    return path


def cut_oracle(text: str, spans: Spans) -> str:
    data = text.encode()
    kept = [b for i, b in enumerate(data) if not any(start <= i < end for start, end in spans)]
    return bytes(kept).decode()


def spans_of(cuts: Spans) -> list[dict[str, int]]:
    return [{"start": start, "end": end} for start, end in cuts]


TEXTS = st.text(st.sampled_from("ab \né東\U0001f600"), max_size=12)


def cuts_of(text: str) -> st.SearchStrategy[Spans]:
    """Draw spans between the characters of a text: overlapping, empty or at both ends, unsorted."""
    edges = [0, *accumulate(len(c.encode()) for c in text)]
    pair = st.tuples(st.sampled_from(edges), st.sampled_from(edges)).map(sorted).map(tuple)
    return st.lists(pair, max_size=4)


@st.composite
def text_and_cuts(draw: st.DrawFn) -> tuple[str, Spans]:
    """Draw a text and spans in it."""
    text = draw(TEXTS)
    return text, draw(cuts_of(text))


@st.composite
def shards(draw: st.DrawFn) -> Rows:
    """Draw a shard's records: verdicts of raw and of the stages after it, edits, cuts of two stages."""
    found: Rows = []
    for _ in range(draw(st.integers(0, 14))):
        text, cuts = draw(text_and_cuts())
        edited = draw(st.booleans())
        found.append(
            {
                "raw": draw(st.sampled_from([None, None, None, "ingest.empty"])),
                "deduped": draw(st.sampled_from([None, None, "dedup.near"])),
                "text": draw(TEXTS) if edited else text,
                "edited": text if edited else None,
                "cuts": cuts,
                "later_cuts": draw(cuts_of(text)),
            }
        )
    return found


SIZES = st.lists(st.integers(0, 5), max_size=4)


@settings(max_examples=20, deadline=None)
@given(rows=shards(), sizes=st.tuples(SIZES, SIZES, SIZES, SIZES))
def test_documents_are_what_a_person_would_assemble(
    rows: Rows, sizes: tuple[list[int], ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for i, row in enumerate(rows):
        row |= {"row": i, "doc_id": f"d{i}", "url": f"u{i}"}
    raw = [
        {c: r[c] for c in ("row", "doc_id", "url")}
        | {"rejected_by": r["raw"], "text": None if r["raw"] else r["text"]}
        for r in rows
    ]
    reached = [r for r in rows if r["raw"] is None]
    keys = [{c: r[c] for c in ("row", "doc_id")} for r in reached]
    annotated = [k | {"text": r["edited"]} for k, r in zip(keys, reached, strict=True)]
    deduped = [
        k | {"rejected_by": r["deduped"], "cuts": spans_of(r["cuts"])}
        for k, r in zip(keys, reached, strict=True)
    ]
    final = [
        k | {"rejected_by": None, "cuts": spans_of(r["later_cuts"])}
        for k, r in zip(keys, reached, strict=True)
        if r["deduped"] is None
    ]
    files = {
        "raw": write(folder, "raw", RAW, raw, sizes[0]),
        "annotated": write(folder, "annotated", ANNOTATED, annotated, sizes[1]),
        "deduped": write(folder, "deduped", CUT, deduped, sizes[2]),
    }
    survivors = [r for r in reached if r["deduped"] is None]

    def texts(after: Any) -> list[tuple[int, str, str, str]]:
        return [(r["row"], r["doc_id"], after(r), r["url"]) for r in survivors]

    def found(kept_by: str, *, cut: bool = True) -> list[Any]:
        batches = list(documents(files, kept_by, ["url"], cut=cut))
        assert all(b.height for b in batches)
        return [row for b in batches for row in b.rows()]

    base = lambda r: r["text"] if r["edited"] is None else r["edited"]  # noqa: E731
    assert found("deduped", cut=False) == texts(base)
    assert found("deduped") == texts(lambda r: cut_oracle(base(r), r["cuts"]))
    files["decontaminated"] = write(folder, "decontaminated", CUT, final, sizes[3])
    both = texts(lambda r: cut_oracle(base(r), r["cuts"] + r["later_cuts"]))
    assert found("decontaminated") == both
    only_raw = [(r["row"], r["doc_id"], r["text"]) for r in reached]
    assert [row for b in documents(files, "raw") for row in b.rows()] == only_raw
    del files["annotated"]
    assert found("deduped", cut=False) == texts(lambda r: r["text"])


@settings(max_examples=30, deadline=None)
@given(st.lists(text_and_cuts(), max_size=6), st.integers(0, 3))
def test_cuts_of_a_slice(docs: list[tuple[str, Spans]], offset: int) -> None:
    every = pl.DataFrame(
        {"row": range(len(docs)), "text": [t for t, _ in docs]},
        schema={"row": pl.UInt32, "text": pl.String},
    )
    cuts = pl.DataFrame(
        {"row": range(len(docs)), "cuts": [spans_of(c) for _, c in docs]},
        schema={"row": pl.UInt32, "cuts": schema.SPANS},
    )
    found = without_cuts(every.slice(offset), [cuts])
    assert found["text"].to_list() == [cut_oracle(t, c) for t, c in docs[offset:]]
    assert found.schema == every.schema


@pytest.mark.parametrize(
    ("text", "spans", "left"),
    [
        pytest.param("abc", [(0, 1)], "bc", id="first"),
        pytest.param("abc", [(2, 3)], "ab", id="last"),
        pytest.param("abc", [(0, 3)], "", id="all"),
        pytest.param("abc", [(1, 1)], "abc", id="nothing"),
        pytest.param("abc", [(1, 9)], "a", id="beyond the end"),
        pytest.param("abcd", [(0, 3), (1, 2)], "d", id="inside another"),
        pytest.param("abcd", [(2, 4), (0, 3)], "", id="overlapping, unsorted"),
        pytest.param("é東\U0001f600!", [(2, 9)], "é!", id="multi-byte"),
        pytest.param("", [(0, 0)], "", id="empty text"),
    ],
)
def test_cut(text: str, spans: Spans, left: str) -> None:
    docs = pl.DataFrame({"row": [6, 7, 8], "text": ["x", text, "y"]})
    cuts = pl.DataFrame(
        {"row": [7], "cuts": [spans_of(spans)]}, schema_overrides={"cuts": schema.SPANS}
    )
    assert without_cuts(docs, [cuts])["text"].to_list() == ["x", left, "y"]


def test_kernel_cuts_what_begins_inside_a_buffer() -> None:
    from curation_dagster import documents_kernel

    data = np.frombuffer(b"..abcdefg", np.uint8)
    offsets, one = np.array([2, 5, 9]), np.array([1])
    kept, new_offsets = documents_kernel.cut(data, offsets, one, np.array([1]), np.array([3]))
    assert (kept.tobytes(), new_offsets.tolist()) == (b"abcdg", [0, 3, 5])


DOCS = [{"row": i, "doc_id": f"d{i}", "rejected_by": None, "text": "t"} for i in range(6)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda rows: rows[2].update(doc_id="other"), "row 2 is other", id="other"),
        pytest.param(
            lambda rows: [r.update(row=r["row"] + 1) for r in rows], "row 1 is d0", id="shifted"
        ),
        pytest.param(lambda rows: rows[5].update(row=9), "cleaned: 1 rows from 9 on", id="beyond"),
        pytest.param(
            lambda rows: rows.append({"row": 6, "doc_id": "d6"}), "1 rows from 6 on", id="more"
        ),
    ],
)
@pytest.mark.parametrize("sizes", [[], [1, 2], [6], [4, 1]])
def test_tables_that_disagree_are_refused(
    change: Any, says: str, sizes: list[int], tmp_path: Path
) -> None:
    judged = [{k: v for k, v in d.items() if k != "text"} for d in DOCS]
    change(judged)
    files = {
        "raw": write(tmp_path, "raw", RAW, DOCS, sizes),
        "cleaned": write(tmp_path, "cleaned", JUDGED, judged, []),
    }
    with pytest.raises(IntegrityError, match=says):
        list(documents(files, "cleaned"))
