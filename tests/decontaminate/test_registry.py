"""Every form of a benchmark's file, and what is said of one that cannot be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard
from pydantic import ValidationError

from curation_dagster.decontaminate.registry import read, read_items
from curation_dagster.errors import RecipeError
from curation_dagster.recipe_decontaminate import Benchmark, Decontaminate
from curation_dagster.section import File


def benchmark(name: str, **fields: Any) -> Benchmark:
    return Benchmark(name="x", file=File(path=Path(name)), **fields)


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize(
    "name",
    [
        "x.jsonl",
        "x.jsonl.gz",
        "x.jsonl.zst",
        "x.ndjson",
        "x.csv",
        "x.csv.gz",
        "x.csv.zst",
        "x.parquet",
    ],
)
def test_every_format_gives_the_same_items(tmp_path: Path, name: str) -> None:
    table = pl.DataFrame(
        {"n": [7, 8, 9], "q": ["one, two", None, " "], "a": ["four\nfive", "x", ""]}
    )
    path = tmp_path / name
    if name.endswith("parquet"):
        table.write_parquet(path)
    else:
        plain = (table.write_csv() if ".csv" in name else table.write_ndjson()).encode()
        packed = {".gz": gzip.compress(plain), ".zst": zstandard.compress(plain)}
        path.write_bytes(packed.get(path.suffix, plain))
    found = read([benchmark(name, id_field="n", question=("q",), answer=("a",))], tmp_path)
    assert found.ids.rows() == [("x", "7"), ("x", "8"), ("x", "9")]
    assert found.items.rows() == [
        ("x", "7", "question", "one, two"), ("x", "7", "answer", "four\nfive"), ("x", "8", "answer", "x"),
    ]  # fmt: skip


def test_a_csv_without_a_header_has_numbered_fields(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('What is it?,a,b,"c, d",A\nAnd now?,e,f,g,B\n')
    of = benchmark(
        "x.csv", has_header=False, question=("1",), choices=("2", "3", "4"), answer=("5",)
    )
    assert read_items([of], tmp_path).rows()[:3] == [
        ("x", "0", "question", "What is it?"), ("x", "0", "choices", "a\nb\nc, d"), ("x", "0", "answer", "A"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "field", "text"),
    [
        pytest.param({"q": "a"}, "q", "a", id="a column"),
        pytest.param({"q": ["a", None, "b"]}, "q", "a\nb", id="a list"),
        pytest.param({"q": [["a"], ["b", "c"]]}, "q", "a\nb\nc", id="a list of lists"),
        pytest.param({"q": [1, 2]}, "q", "1\n2", id="numbers"),
        pytest.param({"q": {"text": "a"}}, "q.text", "a",
            id="an object"),
        pytest.param({"q": {"of": {"text": "a"}}}, "q.of.text", "a", id="an object in an object"),
        pytest.param({"q": {"text": ["a", "b"]}}, "q.text", "a\nb", id="a list in an object"),
        pytest.param({"q": [{"text": "a"}, {"text": "b"}]}, "q.text", "a\nb", id="objects in a list"),
        pytest.param({"q.text": "a", "q": {"text": "b"}}, "q.text", "a", id="a column with a dot"),
    ],
)  # fmt: skip
def test_a_path_leads_to_text(tmp_path: Path, row: dict[str, Any], field: str, text: str) -> None:
    write(tmp_path, "x.jsonl", [row])
    assert read_items([benchmark("x.jsonl", question=(field,))], tmp_path)["text"].to_list() == [
        text
    ]


@pytest.mark.parametrize(
    ("file", "fields", "message"),
    [
        pytest.param("none.jsonl", {}, "'x': cannot read .*none.jsonl", id="no file"),
        pytest.param("x.jsonl", {"id_field": "key"}, r"x.jsonl has no field 'key' \(id_field\); found \['id'",
            id="no id"),
        pytest.param("x.jsonl", {"answer": ("b",)}, r"no field 'b' \(answer\)", id="no field"),
        pytest.param("x.jsonl", {"answer": ("o.b",)}, r"no field 'o.b' \(answer\); found \['o.k'\]",
            id="no inner field"),
        pytest.param("x.jsonl", {"answer": ("question.b",)}, "no objects in 'question', but String", id="no object"),
        pytest.param("x.jsonl", {"answer": ("o",)}, r"objects in 'o' \(answer\); .* such as 'o.k'; found \['k'\]",
            id="an object"),
        pytest.param("x.jsonl", {"answer": ("empty",)}, "no text in any field", id="no text"),
        pytest.param("x.txt", {}, "is neither", id="unknown format"),
        pytest.param("bad.jsonl", {}, "cannot read .*bad.jsonl", id="malformed"),
        pytest.param("bad.jsonl.gz", {}, "cannot read .*bad.jsonl.gz", id="not gzip"),
        pytest.param("bad.jsonl.zst", {}, "cannot read .*bad.jsonl.zst", id="not zstd"),
        pytest.param("bad.parquet", {}, "cannot read .*bad.parquet", id="not parquet"),
        pytest.param("null.jsonl", {"id_field": "id"}, r"1 items without 'id' \(id_field\)", id="a null id"),
        pytest.param("twice.jsonl", {"id_field": "id"}, "more than once: '1'", id="an id twice"),
        pytest.param("x.jsonl", {"id_field": "o"}, r"Struct.* in 'o' \(id_field\)", id="an object as id"),
        pytest.param("zero.csv", {}, "holds no items", id="no records"),
    ],
)  # fmt: skip
def test_errors_name_file_field_and_what_was_found(
    tmp_path: Path, file: str, fields: dict[str, Any], message: str
) -> None:
    write(tmp_path, "x.jsonl", [{"id": 1, "question": "q", "o": {"k": "v"}, "empty": None}])
    write(tmp_path, "null.jsonl", [{"id": None, "question": "q"}, {"id": 1, "question": "q"}])
    write(tmp_path, "twice.jsonl", [{"id": 1, "question": "q"}, {"id": 1, "question": "r"}])
    (tmp_path / "zero.csv").write_text("id,question\n")
    for name in ("x.txt", "bad.jsonl", "bad.jsonl.gz", "bad.jsonl.zst", "bad.parquet"):
        (tmp_path / name).write_text("{not json")
    with pytest.raises(RecipeError, match=message):
        read([benchmark(file, **fields)], tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"text_fields": ["q"]}, r'write question = \["question"\]', id="text_fields"),
        pytest.param(
            {"question": ["q"], "answer": ["q"]}, r"one part, once: \['q'\]", id="a field twice"
        ),
        pytest.param({"kind": "poem"}, "'prose', 'math' or 'code'", id="an unknown kind"),
    ],
)
def test_what_a_benchmark_cannot_say(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        benchmark("x.jsonl", **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            {"ngram_terms": 13}, r"is now terms in \[decontaminate.ngrams\]", id="ngram_terms"
        ),
        pytest.param(
            {"min_ngrams": 1}, r"is now min_ngrams in \[decontaminate.ngrams\]", id="min_ngrams"
        ),
        pytest.param({"steps": ["exact", "exact"]}, "named twice", id="a step twice"),
        pytest.param({"steps": []}, "at least 1 item", id="no step"),
        pytest.param({"steps": ["judge"]}, r"needs \[decontaminate.judge\]", id="no judge"),
    ],
)
def test_what_the_section_cannot_say(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Decontaminate(**given)


def test_without_any_part_it_is_the_question() -> None:
    assert benchmark("x").fields("question") == ("question",)
    assert benchmark("x", code=("prompt",)).fields("question") == ()
    assert [benchmark("x").action_on(part) for part in ("question", "passage")] == ["drop", "flag"]


def test_no_benchmarks() -> None:
    assert read([]).ids.is_empty()
    assert read_items([]).is_empty()
