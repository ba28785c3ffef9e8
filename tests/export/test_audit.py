"""The audit finds what is planted in an exported file, and nothing else."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

from curation_dagster import schema, table
from curation_dagster.export import audit as audit_
from curation_dagster.export.audit import audit, benchmark_ngrams
from curation_dagster.recipe_decontaminate import Benchmark, Decontaminate, NGrams
from curation_dagster.section import File

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
GRAM = " ".join(QUESTION.split()[:13])
OTHER = "Completely unrelated sentences about boats, bread and the weather at the coast."


def benchmark(folder: Path, *questions: str, name: str = "bench", **more: object) -> Benchmark:
    path = folder / f"{name}.jsonl"
    path.write_text("\n".join(json.dumps({"question": q}) for q in questions) + "\n", "utf-8")
    return Benchmark(name=name, file=File(path=path), **more)


def exported(
    folder: Path,
    texts: list[str],
    ids: list[str] | None = None,
    group: int = 2,
    name: str = "x",
    sources: list[str] | None = None,
) -> Path:
    n = len(texts)
    rows = dict.fromkeys(schema.EXPORTED, [None] * n) | {
        "doc_id": ids or [f"{name}{i}" for i in range(n)],
        "source": sources or ["web"] * n,
        "text": texts,
    }
    frame = pl.DataFrame(rows, schema=schema.EXPORTED)
    path = folder / f"{name}.parquet"
    with table.TableWriter(path, schema.EXPORTED) as writer:
        for start in range(0, n, group):
            writer.write(frame.slice(start, group))
        writer.finish({})
    return path


def config(*benchmarks: Benchmark, **more: object) -> Decontaminate:
    return Decontaminate(benchmarks=benchmarks, **more)


DUPLICATES = [
    pytest.param(["a b c", "d e f"], 0, id="none"),
    pytest.param(["a b c", "a b c"], 1, id="the same"),
    pytest.param(["a b c", "A, b...  C!"], 1, id="case and punctuation"),
    pytest.param(["a b c", "a b\nc\n"], 1, id="white space"),
    pytest.param(["naïve ΣΑ", "NAÏVE, σα"], 1, id="case beyond ascii"),
    pytest.param(["a b c", "a b c", "x", "a b c"], 2, id="three of one"),
    pytest.param(["a b c", "a b c", "x", "x"], 2, id="two of two"),
    pytest.param(["a b c", "a bc"], 0, id="other words"),
    pytest.param(["a b c 1", "a b c 2"], 0, id="numbers count"),
    pytest.param(["日本語", "日本語。"], 1, id="cjk"),
    pytest.param(["日本語", "日本人"], 0, id="other cjk"),
    pytest.param([], 0, id="no documents"),
]


@pytest.mark.parametrize(("texts", "left"), DUPLICATES)
@pytest.mark.parametrize("apart", [False, True], ids=["one file", "a file each"])
def test_duplicates(tmp_path, texts, left, apart) -> None:
    paths = (
        [exported(tmp_path, [t], name=f"f{i}") for i, t in enumerate(texts)]
        if apart
        else [exported(tmp_path, texts)]
    )
    found = audit(paths, config())
    assert (found.duplicates, found.documents) == (left, len(texts))
    assert found.passed is (left == 0)
    assert len(found.duplicate_examples) >= min(left, 1)


def test_copies_of_a_document_are_no_duplicates(tmp_path) -> None:
    ids = ["d1", "d1", "d2", "d1"]
    path = exported(tmp_path, ["same", "same", "other", "same"], ids)
    twice = exported(tmp_path, ["same", "other"], ["d1", "d2"], name="y")
    found = audit([path, twice], config())
    assert (found.documents, found.duplicates) == (2, 0)
    third = exported(tmp_path, ["same"], ["d3"], name="z")
    assert audit([path, twice, third], config()).duplicate_examples == ("d1", "d3")


@pytest.mark.parametrize(
    ("sources", "left"),
    [
        pytest.param("wwww", 2, id="one source"),
        pytest.param("wkxw", 1, id="two of one source"),
        pytest.param("wwkk", 1, id="two of one source, one of another"),
        pytest.param("wkwv", 0, id="three sources"),
    ],
)
def test_duplicates_of_other_sources_count_where_the_recipe_removes_them(tmp_path, sources, left):
    path = exported(tmp_path, ["same", "SAME", "other", "same."], sources=list(sources))
    found = audit([path], config(), within_source=True)
    assert (found.duplicates, found.passed, found.within_source) == (left, left == 0, True)
    assert len(found.duplicate_examples) == (left + 1 if left else 0)
    assert audit([path], config()).duplicates == 2


HITS = [
    pytest.param(f"{OTHER} {GRAM} {OTHER}", True, id="in the middle"),
    pytest.param(GRAM, True, id="nothing else"),
    pytest.param(f"{GRAM}.", True, id="at the end"),
    pytest.param(GRAM.upper(), True, id="upper case"),
    pytest.param(GRAM.replace(" ", ", \n-- "), True, id="punctuation"),
    pytest.param(QUESTION, True, id="the whole item"),
    pytest.param(" ".join(QUESTION.split()[1:]), True, id="its second n-gram"),
    pytest.param(" ".join(GRAM.split()[:12]), False, id="a word short"),
    pytest.param(GRAM.replace("seven", "7"), False, id="a word changed"),
    pytest.param(GRAM.replace("one", "someone"), False, id="part of a longer word at the start"),
    pytest.param(GRAM + "s", False, id="part of a longer word at the end"),
    pytest.param(GRAM.replace(" ", ""), False, id="words joined"),
    pytest.param(OTHER, False, id="clean"),
    pytest.param("", False, id="empty"),
]


@pytest.mark.parametrize(("text", "hit"), HITS)
def test_planted_ngrams(tmp_path, text, hit) -> None:
    path = exported(tmp_path, [OTHER + " a", text, OTHER + " b"])
    found = audit([path], config(benchmark(tmp_path, QUESTION)))
    assert found.contaminated == hit
    assert found.contaminated_examples == (("x1",) if hit else ())
    assert found.ngrams_searched == 2
    assert found.passed is not hit


@pytest.mark.parametrize(
    ("least", "words", "hit"),
    [
        pytest.param(1, 4, True, id="1 of 1"),
        pytest.param(2, 4, False, id="1 of 2"),
        pytest.param(2, 5, True, id="2 of 2"),
        pytest.param(3, 5, False, id="2 of 3"),
        pytest.param(3, 6, True, id="3 of 3"),
    ],
)
def test_several_ngrams_of_one_item(tmp_path, least, words, hit) -> None:
    part = " ".join(QUESTION.split()[:words])
    chosen = config(
        benchmark(tmp_path, QUESTION), ngrams=NGrams(terms=4, min_ngrams=least, min_share=0)
    )
    assert audit([exported(tmp_path, [part])], chosen).contaminated == hit
    again = exported(tmp_path, [f"{part}. Again: {part}."], name="again")
    assert audit([again], chosen).contaminated == hit, "distinct n-grams are counted"
    apart = [" ".join(QUESTION.split()[i : i + 4]) for i in range(words - 3)]
    other = config(
        benchmark(tmp_path, *apart, name="apart"),
        ngrams=NGrams(terms=4, min_ngrams=least, min_share=0),
    )
    found = audit([exported(tmp_path, [part], name="y")], other).contaminated
    assert found == (least == 1), "n-grams of different items do not add up"


@pytest.mark.parametrize(("share", "hit"), [(0.27, True), (0.28, False)])
def test_a_share_of_an_item_is_asked_for(tmp_path, share, hit) -> None:
    """Three of eleven n-grams are .273."""
    chosen = config(benchmark(tmp_path, QUESTION), ngrams=NGrams(terms=4, min_share=share))
    part = " ".join(QUESTION.split()[3:9])
    assert audit([exported(tmp_path, [part])], chosen).contaminated == hit


def test_overlapping_ngrams_and_pattern_slices(tmp_path, monkeypatch) -> None:
    """With patterns searched a few at a time the same is found."""
    questions = [f"alpha beta gamma delta item {i} epsilon zeta" for i in range(20)]
    chosen = config(
        benchmark(tmp_path, *questions), ngrams=NGrams(terms=5, min_ngrams=4, min_share=0)
    )
    path = exported(
        tmp_path, [questions[7], questions[19] + " x", OTHER, "alpha beta gamma delta item"]
    )
    whole = audit([path], chosen)
    assert whole.contaminated_examples == ("x0", "x1")
    monkeypatch.setattr(audit_, "_PATTERNS_AT_ONCE", 3)
    assert audit([path], chosen) == whole


def test_flagged_benchmarks_are_not_searched(tmp_path) -> None:
    path = exported(tmp_path, [QUESTION])
    flagged = benchmark(tmp_path, QUESTION, name="flagged", action="flag")
    found = audit([path], config(flagged))
    assert (found.contaminated, found.ngrams_searched) == (0, 0)
    both = config(flagged, benchmark(tmp_path, QUESTION))
    assert audit([path], both).contaminated == 1


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "csv", "parquet"])
def test_forms_of_a_benchmark(tmp_path, form) -> None:
    frame = pl.DataFrame({"q": ["one two", None], "a": ["three four", "five, six seven"]})
    path = tmp_path / f"bench.{form}"
    match form:
        case "jsonl":
            frame.write_ndjson(path)
        case "jsonl.gz":
            path.write_bytes(gzip.compress(frame.write_ndjson().encode()))
        case "csv":
            frame.write_csv(path)
        case "parquet":
            frame.write_parquet(path)
    of = Benchmark(name="b", file=File(path=path), question=("q", "a"))
    grams = benchmark_ngrams(config(of, ngrams=NGrams(terms=3)))
    assert grams.select("gram", "item").rows() == [
        (" five six seven ", "b/1/question"), (" one two three ", "b/0/question"), (" two three four ", "b/0/question"),
    ]  # fmt: skip


def test_the_corpus_is_clean_and_what_the_audit_would_find_without_the_stages(done) -> None:
    refs = [done.lineage.current("exported", k) for k in done.lineage.partitions("exported")]
    with done.store.fetch(*refs) as paths:
        found = audit(paths, done.recipe.decontaminate)
    assert found.passed
    assert found.ngrams_searched > 0
    assert found.documents == sum(f["first_copies"] for f in done.footers("exported"))


def test_the_audit_sees_raw_text_as_it_is(done, tmp_path) -> None:
    raw = done.all_rows("raw").filter(pl.col("text").is_not_null())
    path = exported(tmp_path, raw["text"].to_list(), raw["doc_id"].to_list(), group=9)
    found = audit([path], done.recipe.decontaminate)
    assert (found.duplicates, found.contaminated) == (2, 1)
