"""The index and the scan against a slow set of tuples, on real text with planted items."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from curation_dagster.decontaminate import ngrams as ngrams_
from curation_dagster.decontaminate.found import as_lists
from curation_dagster.decontaminate.index import Index, build_index
from curation_dagster.decontaminate.registry import read_items
from curation_dagster.errors import RecipeError
from curation_dagster.recipe_decontaminate import Benchmark
from curation_dagster.schema import HITS
from curation_dagster.section import File
from curation_dagster.words import terms_oracle

SIZE = 5
ITEMS = {
    "plain": "How many eggs does Janet sell at the market every single day of the week?",
    "unicode": "Où se trouve l'école où naquit André-Marie Ampère, près de Lyon ou d'Évreux?",
    "cjk": "東京タワーの高さは何メートルですか",
    "greek": "ΠΟΙΑ ΕΊΝΑΙ Η ΠΡΩΤΕΎΟΥΣΑ της Ελλάδας και πόσους κατοίκους έχει σήμερα",
    "shared": "how many eggs does Janet eat for breakfast",
    "short": "Two plus two?",
    "exact": "one two three four five",
    "repeated": "a b c d e f a b c d e f a b c d e f",
}


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def index(tmp_path: Path) -> Index:
    write(tmp_path, "a.jsonl", [{"id": k, "question": v} for k, v in ITEMS.items()])
    return index_of(
        tmp_path, SIZE, Benchmark(name="a", file=File(path=Path("a.jsonl")), id_field="id")
    )


def index_of(folder: Path, terms: int, *benchmarks: Benchmark) -> Index:
    return build_index(read_items(benchmarks, folder), terms)


def scan(texts: pl.Series, index: Index, *, min_ngrams: int = 1) -> pl.Series:
    return as_lists(ngrams_.NGramScan(index, min_ngrams).find(texts), len(texts))


def ngrams(text: str) -> list[tuple[str, ...]]:
    terms = terms_oracle(text)
    return [tuple(terms[i : i + SIZE]) for i in range(len(terms) - SIZE + 1)]


def oracle(text: str | None, min_ngrams: int = 1) -> list[tuple[str, float]]:
    """Intersect sets of tuples: (item, share of its distinct n-grams), for the items that hit."""
    seen = set(ngrams(text or ""))
    hits = []
    for name, item in sorted(ITEMS.items()):
        grams = set(ngrams(item))
        if grams and len(grams & seen) >= min(min_ngrams, len(grams)):
            hits.append((name, len(grams & seen) / len(grams)))
    return hits


def shares(found: pl.Series) -> list[list[tuple[str, Any]]]:
    return [
        [(h["item"], pytest.approx(h["score"])) for h in sorted(hits, key=lambda h: str(h["item"]))]
        for hits in found.to_list()
    ]


def test_scan_agrees_with_sets_of_tuples(
    index: Index, package_descriptions: list[str], bench_texts: list[str]
) -> None:
    base = [*package_descriptions[:60], *bench_texts[::8]]
    items = list(ITEMS.values())
    texts: list[str | None] = [None, "", "🙂"]
    for i, text in enumerate(base):
        item, middle = items[i % len(items)], len(text) // 2
        half = " ".join(item.split()[: len(item.split()) // 2 + 1])
        texts += [
            text,
            f"{item} {text}",
            f"{text} {item}",
            f"{text[:middle]}\n{item.upper()}\n{text[middle:]}",
            f"{text[:middle]} {'... '.join(half.split())} {text[middle:]} {items[i % 3]}",
        ]
    for least in (1, 3, 100):
        found = scan(pl.Series(texts), index, min_ngrams=least)
        assert [oracle(text, least) for text in texts] == shares(found)


@pytest.mark.parametrize("item", sorted(set(ITEMS) - {"short"}))
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "", id="alone"),
        pytest.param("", " and then more.", id="at the start"),
        pytest.param("Vor dem Ende… ", "", id="at the end"),
        pytest.param("日本語。", "…🙂", id="between multibyte characters"),
    ],
)
def test_offsets_slice_back_to_the_item(index: Index, item: str, before: str, after: str) -> None:
    text = before + ITEMS[item] + after
    hits = {h["item"]: h for h in scan(pl.Series([text]), index).item()}
    hit = hits[item]
    span = text.encode()[hit["start"] : hit["end"]].decode()
    assert span == ITEMS[item].rstrip("?")
    assert (hit["benchmark"], hit["method"], hit["score"]) == ("a", "ngrams", 1.0)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ONE TWO THREE FOUR FIVE", id="case"),
        pytest.param("one,two;three\n\nfour--five", id="punctuation"),
        pytest.param("(one) two\u00a0three “four” five", id="typography"),
    ],
)
def test_variations_of_an_item(index: Index, text: str) -> None:
    assert [h["item"] for h in scan(pl.Series([text]), index).item()] == ["exact"]


@pytest.mark.parametrize(
    "text",
    [
        "one two three four",
        "one two three four six",
        "onetwo three four five",
        "five four three two one",
    ],
)
def test_no_hit(index: Index, text: str) -> None:
    assert scan(pl.Series([text]), index).to_list() == [[]]


def test_an_ngram_of_two_items_hits_both(index: Index) -> None:
    found = scan(pl.Series(["how many eggs does Janet"]), index).item()
    assert [h["item"] for h in found] == ["plain", "shared"]
    assert found[0]["score"] < found[1]["score"]


def test_items_too_short_are_listed(index: Index) -> None:
    rows = index.undetectable.select("benchmark", "item", "term_count").rows()
    assert rows == [("a", "short", 3)]
    assert index.items.height == len(ITEMS)


def test_nothing_depends_on_the_batch(index: Index, bench_texts: list[str]) -> None:
    texts = pl.Series("t", [*ITEMS.values(), None, *bench_texts[:20], " ".join(ITEMS.values())])
    whole = scan(texts, index)
    assert whole.dtype == HITS
    assert whole.null_count() == 0
    parts = [scan(texts[i : i + 1], index) for i in range(len(texts))]
    assert pl.concat(parts).equals(whole)
    assert scan(texts[3:7], index).equals(whole[3:7])
    assert scan(texts.clear(), index).dtype == whole.dtype


def test_an_index_survives_pickle(index: Index) -> None:
    again = pickle.loads(pickle.dumps(index))  # noqa: S301 - our own bytes
    text = pl.Series(list(ITEMS.values()))
    assert scan(text, again).equals(scan(text, index))


def test_hits_are_sorted_by_benchmark_then_item(tmp_path: Path) -> None:
    rows = [{"id": i, "question": "one two three four five six"} for i in ("z", "b")]
    write(tmp_path, "x.jsonl", rows)
    names = ("second", "first")
    benchmarks = [
        Benchmark(name=name, file=File(path=Path("x.jsonl")), id_field="id") for name in names
    ]
    found = scan(pl.Series(["one two three four five"]), index_of(tmp_path, 5, *benchmarks)).item()
    assert [(h["benchmark"], h["item"]) for h in found] == [
        ("first", "b"), ("first", "z"), ("second", "b"), ("second", "z"),
    ]  # fmt: skip
    assert {h["score"] for h in found} == {0.5}


@pytest.mark.parametrize(
    "name", ["x.jsonl", "x.jsonl.gz", "x.jsonl.zst", "x.csv", "x.csv.gz", "x.parquet"]
)
def test_file_formats(tmp_path: Path, name: str) -> None:
    table = pl.DataFrame({"n": [7, 8], "q": ["one two three", None], "a": ["four five", "x"]})
    path = tmp_path / name
    if name.endswith("parquet"):
        table.write_parquet(path)
    else:
        plain = (table.write_csv() if ".csv" in name else table.write_ndjson()).encode()
        packed = {".gz": gzip.compress(plain), ".zst": zstandard.compress(plain)}
        path.write_bytes(packed.get(path.suffix, plain))
    benchmark = Benchmark(name="x", file=File(path=Path(name)), id_field="n", question=("q", "a"))
    index = index_of(tmp_path, 5, benchmark)
    assert index.items.rows() == [("x", "7", "question", 5, 1), ("x", "8", "question", 1, 0)]
    assert scan(pl.Series(["One two three four five"]), index).item()[0]["item"] == "7"


def test_lists_of_texts_are_joined(tmp_path: Path) -> None:
    write(
        tmp_path, "x.jsonl", [{"id": 1, "question": "one two", "endings": ["three four", "five"]}]
    )
    benchmark = Benchmark(
        name="x", file=File(path=Path("x.jsonl")), question=("question", "endings")
    )
    assert index_of(tmp_path, 5, benchmark).items["term_count"].to_list() == [5]


@pytest.mark.parametrize(
    ("file", "fields", "message"),
    [
        pytest.param("none.jsonl", {}, "cannot read .*none.jsonl", id="no file"),
        pytest.param(
            "x.jsonl", {"id_field": "key"}, "x.jsonl has no field 'key'", id="no id field"
        ),
        pytest.param(
            "x.jsonl", {"question": ("question", "b")}, "no field 'b'", id="no text field"
        ),
        pytest.param("x.txt", {}, "neither", id="unknown format"),
        pytest.param("bad.jsonl", {}, "cannot read .*bad.jsonl", id="malformed"),
        pytest.param("bad.jsonl.gz", {}, "cannot read .*bad.jsonl.gz", id="not gzip"),
        pytest.param("bad.jsonl.zst", {}, "cannot read .*bad.jsonl.zst", id="not zstd"),
        pytest.param("null.jsonl", {}, "1 items without 'id'", id="no id"),
    ],
)
def test_errors_name_file_and_field(
    tmp_path: Path, file: str, fields: dict[str, Any], message: str
) -> None:
    write(tmp_path, "x.jsonl", [{"id": 1, "question": "q"}])
    write(tmp_path, "null.jsonl", [{"id": None, "question": "q"}, {"id": 1, "question": "q"}])
    for name in ("x.txt", "bad.jsonl", "bad.jsonl.gz", "bad.jsonl.zst"):
        (tmp_path / name).write_text("{not json")
    benchmark = Benchmark(name="x", file=File(path=Path(file)), **({"id_field": "id"} | fields))
    with pytest.raises(RecipeError, match=message):
        index_of(tmp_path, 5, benchmark)


def test_no_benchmarks(tmp_path: Path) -> None:
    index = index_of(tmp_path, 13)
    assert index.items.is_empty()
    assert scan(pl.Series(["one two three", None]), index).to_list() == [[], []]
