"""Repeats against a plain oracle on real text; order, memory, scope and generations."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repeats_oracle import Doc, Span, repeated, terms_at

from curation_dagster import schema
from curation_dagster.dedup import pieces as pieces_
from curation_dagster.dedup import repeats as repeats_
from curation_dagster.dedup.minhash import fingerprint
from curation_dagster.dedup.parts import Corpus, Part
from curation_dagster.dedup.pieces import pieces
from curation_dagster.dedup.scratch import Runs, Scratch
from curation_dagster.recipe import Dedup
from curation_dagster.recipe_repeats import Lines, Paragraphs, Substrings
from curation_dagster.words import terms_oracle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LINES = Dedup(lines=Lines())
PARAGRAPHS = Dedup(paragraphs=Paragraphs())
BFF = Dedup(paragraphs=Paragraphs(ngram=13))
WINDOWS = Dedup(substrings=Substrings())
ALL = Dedup(lines=Lines(min_terms=3), paragraphs=Paragraphs(ngram=13), substrings=Substrings())
SMALL = Dedup(
    lines=Lines(min_terms=2), paragraphs=Paragraphs(ngram=2, max_seen_ratio=0.5, min_terms=2),
    substrings=Substrings(window_terms=3),
)  # fmt: skip


def frame(docs: Sequence[Doc], config: Dedup) -> pl.DataFrame:
    texts = pl.Series([doc.text for doc in docs], dtype=pl.String)
    keys = {
        "row": list(range(len(docs))),
        "doc_id": [doc.name for doc in docs],
        "quality": [None] * len(docs),
        "date": [None] * len(docs),
    }
    types = {"row": pl.UInt32, "doc_id": pl.String, "quality": pl.Float64, "date": schema.TIME}
    return (
        pl.DataFrame(keys, schema=types)
        .hstack(fingerprint(texts, config))
        .hstack(pieces(texts, config))
    )


def search(
    parts: Sequence[tuple[int, Sequence[Doc]]],
    config: Dedup,
    scratch: Scratch | Path,
    removed: Sequence[int] = (),
) -> pl.DataFrame:
    """Find the repeats of parts (generation, documents of one source)."""
    corpus = Corpus(
        [
            Part.of_frame(frame(docs, config), f"s{n}", docs[0].source if docs else "web", generation)
            for n, (generation, docs) in enumerate(parts)
        ]
    )  # fmt: skip
    gone = np.zeros(corpus.height, np.bool_)
    gone[list(removed)] = True
    if not isinstance(scratch, Scratch):
        scratch = Scratch(scratch, 1 << 24)
    found = repeats_.repeats(corpus, gone, config, scratch)
    rows = [rows for _, rows in found.frames()]
    return pl.concat(rows) if rows else pl.DataFrame()


def spans(found: pl.DataFrame) -> dict[str, list[Span]]:
    told: dict[str, list[Span]] = {}
    for row in found.iter_rows(named=True):
        span = Span(row["start"], row["end"], row["rule"], row["first_doc_id"])
        told.setdefault(row["doc_id"], []).append(span)
    return told


def wanted(docs: Sequence[Doc], config: Dedup) -> dict[str, list[Span]]:
    return {name: cut for name, cut in repeated(docs, config).items() if cut}


def wanted_and_kept(docs: Sequence[Doc], config: Dedup) -> tuple[dict[str, list[Span]], list[str]]:
    """Judge one document after the other, each against those kept before it; return the spans and who is not kept."""
    kept: list[Doc] = []
    found, thin = {}, []
    for doc in docs:
        cut = repeated([*kept, doc], config)[doc.name]
        if cut:
            found[doc.name] = cut
        at = [len(doc.text[:begin].encode()) for _, begin, _ in terms_at(doc.text)]
        left = [place for place in at if not any(span.start <= place < span.end for span in cut)]
        if cut and len(left) < config.min_left_terms:
            thin.append(doc.name)
        else:
            kept.append(doc)
    return found, thin


def named(texts: Sequence[str], source: str = "web") -> list[Doc]:
    return [Doc(f"d{n:05d}", text, source) for n, text in enumerate(texts)]


def cut_text(doc: Doc, found: dict[str, list[Span]]) -> str:
    data = bytearray(doc.text.encode())
    for span in sorted(found.get(doc.name, []), reverse=True):
        del data[span.start : span.end]
    return data.decode()


def planted(texts: Sequence[str], seed: int) -> list[Doc]:
    """Real texts of up to 3,000 characters; boilerplate lines, and runs of terms of others, put into many of them."""
    rng = random.Random(seed)
    boilerplate = ["Sign up for our newsletter, 12 May 2021!", "Home", "© 2024 All rights reserved"]
    found = []
    for n, text in enumerate(texts):
        lines = text[:3000].split("\n")
        for line in rng.sample(boilerplate, 2):
            lines.insert(rng.randrange(len(lines) + 1), line.replace("12", str(10 + n % 50)))
        other = texts[rng.randrange(len(texts))][:3000].split()
        begin = rng.randrange(max(len(other) - 80, 1))
        lines.insert(rng.randrange(len(lines) + 1), " ".join(other[begin : begin + 70]))
        found.append("\n".join(lines))
    return named(found)


@pytest.mark.parametrize(
    "config", [LINES, PARAGRAPHS, BFF, WINDOWS, ALL], ids=["lines", "paragraphs", "bff", "windows", "all"]
)  # fmt: skip
def test_planted_repeats_in_real_text_agree_with_the_oracle(
    config: Dedup, package_descriptions: list[str], bench_texts: list[str], tmp_path: Path
) -> None:
    docs = planted([*package_descriptions[:60], *bench_texts[:60]], 1)
    found = search([(0, docs[:50]), (0, []), (0, docs[50:])], config, tmp_path)
    assert spans(found) == wanted(docs, config)
    assert found.height > 50


WORDS = [f"term{n}" for n in range(400)]


@pytest.mark.parametrize(("shared", "cut"), [(49, 0), (50, 50), (51, 51), (130, 130)])
def test_a_window_is_fifty_terms(shared: int, cut: int, tmp_path: Path) -> None:
    same = WORDS[:shared]
    first = " ".join([*WORDS[200:230], *same, "Only here."])
    second = " ".join(["Another", "beginning:", *same]) + ". The end, though."
    found = spans(search([(0, named([first, second]))], WINDOWS, tmp_path))
    left = cut_text(Doc("d00001", second), found)
    assert len(terms_oracle(second)) - len(terms_oracle(left)) == cut
    assert left == ("Another beginning:  The end, though." if cut else second)
    assert {span.first for cuts in found.values() for span in cuts} == (
        {"d00000"} if cut else set()
    )


@pytest.mark.parametrize(
    ("config", "texts", "left"),
    [
        pytest.param(LINES, ["Home\nfirst", "home!\nlast"], ["Home\nfirst", "last"], id="case and punctuation"),
        pytest.param(LINES, ["a 12\n", "a 34\nb"], ["a 12\n", "b"], id="which digits"),
        pytest.param(
            Dedup(lines=Lines(fold_digits=False)), ["a 12\n", "a 34\na 12"], ["a 12\n", "a 34\n"], id="digits count"
        ),
        pytest.param(LINES, ["a b\nc\na b\na b"], ["a b\nc\n"], id="in one document"),
        pytest.param(LINES, ["x\nthe end", "y\nthe end"], ["x\nthe end", "y\n"], id="last line without LF"),
        pytest.param(LINES, ["a b\r\nc\r\n", "d\r\na b\r\nc"], ["a b\r\nc\r\n", "d\r\n"], id="CRLF"),
        pytest.param(LINES, ["---\n\n***\n---\n", "---"], ["---\n\n***\n---\n", "---"], id="no terms"),
        pytest.param(LINES, ["東京の天気\n晴れ", "晴れ\n東京の天気。"], ["東京の天気\n晴れ", ""], id="CJK"),
        pytest.param(
            Dedup(lines=Lines(min_terms=2)), ["Home\na b", "Home\na b"], ["Home\na b", "Home\n"], id="short: terms"
        ),
        pytest.param(
            Dedup(lines=Lines(min_chars=5)), ["Home\nHouse", "«Home»\nHouse."],
            ["Home\nHouse", "«Home»\n"], id="short: characters",
        ),
        pytest.param(
            PARAGRAPHS, ["a\nb\n\nc", "b\n\na\nb\n \n\nd"], ["a\nb\n\nc", "b\n\nd"], id="blank lines go with it"
        ),
        pytest.param(PARAGRAPHS, ["a\r\n\r\nb", "\r\nc\r\n\r\na\r\n"], ["a\r\n\r\nb", "\r\nc\r\n\r\n"],
                     id="paragraphs in CRLF"),
        pytest.param(
            Dedup(paragraphs=Paragraphs(ngram=2, min_terms=3)), ["a b\n\na b c", "a b\n\na b c"],
            ["a b\n\na b c", "a b\n\n"], id="short paragraphs",
        ),
        pytest.param(
            Dedup(substrings=Substrings(window_terms=4)), ["東京の天気", "雨、東京の天。"], ["東京の天気", "雨、"],
            id="windows of CJK",
        ),
        pytest.param(
            Dedup(substrings=Substrings(window_terms=2)), ["a a a a a b"], ["a a  b"], id="they overlap themselves"
        ),
    ],
)  # fmt: skip
def test_what_is_left(config: Dedup, texts: list[str], left: list[str], tmp_path: Path) -> None:
    docs = named(texts)
    found = spans(search([(0, docs)], config, tmp_path))
    assert [cut_text(doc, found) for doc in docs] == left
    assert found == wanted(docs, config)


@pytest.mark.parametrize(("new", "goes"), [(2, True), (3, True), (4, False)])
def test_a_paragraph_goes_when_more_than_the_ratio_was_seen(
    new: int, goes: bool, tmp_path: Path
) -> None:
    """Of 20 n-grams at most 16 may have been seen."""
    first = " ".join(WORDS[:32])
    second = " ".join([*WORDS[: 32 - new], *WORDS[300 : 300 + new]])
    found = search([(0, named([first, second]))], BFF, tmp_path)
    assert (found.height == 1) == goes


PIECES = st.sampled_from(
    ["a", "b ", "c\n", "\n", "a b", "東", "1", "2 ", ". ", "B\r\n", "—", "\n\n", " a"]
)
TEXTS = st.lists(st.lists(PIECES, max_size=25).map("".join), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None)
@given(texts=TEXTS, scope=st.sampled_from(["global", "source"]))
def test_any_text_agrees_with_the_oracle(
    texts: list[str], scope: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = SMALL.model_copy(update={"scope": scope})
    docs = [Doc(d.name, d.text, "books" if n % 2 else "web") for n, d in enumerate(named(texts))]
    parts = [(0, [d for d in docs if d.source == source]) for source in ("books", "web")]
    found = search(parts, config, tmp_path_factory.mktemp("scratch"))
    assert spans(found) == wanted(docs, config)
    whole = Dedup(paragraphs=Paragraphs(fold_digits=True, min_chars=2), scope=scope)
    found = search(parts, whole, tmp_path_factory.mktemp("scratch"))
    assert spans(found) == wanted(docs, whole)


@settings(max_examples=60, deadline=None)
@given(old=TEXTS, new=TEXTS)
def test_a_newer_generation_changes_no_older_document(
    old: list[str], new: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    older = named(old)
    newer = [Doc(f"a{n}", text) for n, text in enumerate(new)]  # smaller doc_ids: they would win
    alone = search([(0, older)], SMALL, tmp_path_factory.mktemp("scratch"))
    both = search([(0, older), (1, newer)], SMALL, tmp_path_factory.mktemp("scratch"))
    mine = both.filter(pl.col("shard") == "s0") if both.height else both
    assert mine.rows() == alone.rows()
    assert spans(both) == wanted([*older, *newer], SMALL)


def _noted(runs: list[int], *given: Any, **named: Any) -> Runs:
    made = Runs(*given, **named)
    runs.append(len(made._files))
    return made


def test_little_memory_parts_and_batches_do_not_show(
    package_descriptions: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = planted([*package_descriptions[:80]], 2)
    once = search([(0, docs)], ALL, tmp_path)
    monkeypatch.setattr(repeats_, "DOCS", 3)
    scratch = Scratch(tmp_path, 1 << 13)
    runs: list[int] = []
    monkeypatch.setattr(repeats_, "Runs", lambda *given, **named: _noted(runs, *given, **named))
    shuffled = random.Random(3).sample(docs, len(docs))
    parts = [(0, shuffled[:30]), (0, shuffled[30:31]), (0, shuffled[31:])]
    again = search(parts, ALL, scratch)
    assert min(runs) > 1
    assert scratch.spilled_bytes > 1 << 13
    assert spans(again) == spans(once)
    columns = ["doc_id", "start", "end", "rule", "first_doc_id", "left_terms"]
    order = ["doc_id", "start", "end", "rule"]
    assert again.select(columns).sort(order).equals(once.select(columns).sort(order))
    assert again["shard"].is_sorted()


def test_removed_documents_hold_nothing_and_are_not_cut(tmp_path: Path) -> None:
    docs = named(["a b\n", "a b\nc", "a b\nd"])
    found = search([(0, docs)], LINES, tmp_path, removed=[0])
    assert spans(found) == {"d00002": [Span(0, 4, "line", "d00001")]}


@settings(max_examples=150, deadline=None)
@given(texts=TEXTS, least=st.integers(2, 5))
def test_what_is_not_kept_holds_no_first_occurrence(
    texts: list[str], least: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = SMALL.model_copy(update={"min_left_terms": least})
    docs = named(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeats_, "PASSES", 2 * len(docs) + 2)
        found = search([(0, docs)], config, tmp_path_factory.mktemp("scratch"))
    cuts, thin = wanted_and_kept(docs, config)
    assert spans(found) == cuts
    few = found.filter(pl.col("left_terms") < least) if found.height else found
    assert sorted(set(few.get_column("doc_id", default=pl.Series()))) == thin


def test_when_the_passes_end_early_nothing_kept_refers_to_what_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain: each document is thin only if the one before it is kept."""
    docs = named([f"line {n} of it\nline {n + 1} of it\n" for n in range(30)])
    config = Dedup(lines=Lines(fold_digits=False), min_left_terms=5)
    found = search([(0, docs)], config, tmp_path)
    thin = set(found.filter(pl.col("left_terms") < 5)["doc_id"])
    assert thin
    assert not thin & set(found["first_doc_id"])
    monkeypatch.setattr(repeats_, "PASSES", 100)
    every_other = [doc.name for doc in docs[1::2]]
    assert search([(0, docs)], config, tmp_path)["doc_id"].to_list() == every_other


def test_terms_that_are_left(tmp_path: Path) -> None:
    docs = named(["one two three\nfour\n", "four\none two three\nfive six", "Four!\n\n—"])
    config = Dedup(lines=Lines(), substrings=Substrings(window_terms=2))
    found = search([(0, docs)], config, tmp_path)
    left = dict(found.select("doc_id", "left_terms").iter_rows())
    assert left == {"d00001": 2, "d00002": 0}


def test_chunks_do_not_show(bench_texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pl.Series([*(bench_texts[:50] or WORDS), "", None, "\n\n", "x"])
    once = pieces(texts, ALL)
    monkeypatch.setattr(pieces_, "RUN_BYTES", 100)
    assert pieces(texts, ALL).equals(once)
    assert pieces(texts.clear(), ALL).schema == once.schema


def test_the_most_repeated_are_counted(tmp_path: Path) -> None:
    docs = named(["a\nb\n", "a\nb\n", "a\nc\n"])
    corpus = Corpus([Part.of_frame(frame(docs, LINES), "s", "web", 0)])
    gone = np.zeros(3, np.bool_)
    found = repeats_.repeats(corpus, gone, LINES, Scratch(tmp_path, 1 << 20))
    assert found.most_repeated == {"line": [3, 2]}
