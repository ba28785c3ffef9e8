"""Items that stand in a document term for term, against a slow search of term lists."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import polars as pl
import pytest
from shared_data import DATA

from curation_dagster.decontaminate import exact
from curation_dagster.decontaminate.found import FOUND
from curation_dagster.decontaminate.registry import ITEMS as ITEM_COLUMNS
from curation_dagster.decontaminate.registry import read_items
from curation_dagster.recipe_decontaminate import Benchmark, Decontaminate, Exact
from curation_dagster.section import File
from curation_dagster.words import terms_oracle

GSM8K = DATA / "benchmarks" / "gsm8k-test.jsonl.gz"
QUESTION = "How many eggs does Janet sell at the market every single day of the week?"
ITEMS = [
    ("a", "long", "question", QUESTION),
    ("a", "cjk", "question", "東京タワーの高さは何メートルですか"),
    ("a", "vague", "question", "Which of these is it?"),
    ("a", "vague", "choices", "A lighthouse with a lamp\nTwo ferries and a barge\nNeither of them"),
    ("a", "what", "question", "What is it?"),
    ("a", "code", "code", "def mend(lamp):\n    return [wick.trim() for wick in lamp.wicks if wick.burnt]"),
    ("a", "reply", "question", "Is it right to trim a wick before dawn, when all the keepers sleep?"),
    ("a", "reply", "answer", "No, a wick may be trimmed at noon and never earlier than that"),
]  # fmt: skip
NEEDED = 30.0


def build(items: pl.DataFrame, **said: Any) -> exact.ExactScan:
    return exact.build(items, Decontaminate(exact=Exact(**said)))


def frame(rows: list[tuple[str, str, str, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=ITEM_COLUMNS, orient="row")


@pytest.fixture
def scan() -> exact.ExactScan:
    return build(frame(ITEMS), min_bits=NEEDED, min_answer_bits=NEEDED)


def found_in(scan: exact.ExactScan, text: str) -> list[tuple[str, str, str]]:
    found = scan.find(pl.Series([text]))
    data = text.encode()
    return [
        (item, part, data[start:end].decode())
        for item, part, start, end in found.select("item", "part", "start", "end").iter_rows()
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "", id="alone"),
        pytest.param("", " and then more.", id="at the start"),
        pytest.param("Vor dem Ende… ", "", id="at the end"),
        pytest.param("日本語。", "…🙂", id="between multibyte characters"),
    ],
)
@pytest.mark.parametrize(
    ("item", "part"), [(i, p) for _, i, p, _ in ITEMS if i in {"long", "cjk", "code"}]
)
def test_whole_items_are_found_where_they_stand(
    scan: exact.ExactScan, item: str, part: str, before: str, after: str
) -> None:
    text = next(t for _, i, p, t in ITEMS if (i, p) == (item, part))
    assert found_in(scan, before + text + after) == [(item, part, text.rstrip("?]"))]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(QUESTION.upper(), id="case"),
        pytest.param(QUESTION.replace(" ", "\n-- "), id="punctuation"),
        pytest.param(f"{QUESTION} {QUESTION}", id="twice"),
    ],
)
def test_variations(scan: exact.ExactScan, text: str) -> None:
    assert {item for item, _, _ in found_in(scan, text)} == {"long"}
    assert len(found_in(scan, text)) == text.count("?")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(QUESTION.replace("week?", "month?"), id="the last word"),
        pytest.param(QUESTION.replace("How ", ""), id="without the first word"),
        pytest.param(QUESTION.replace("Janet", "Jane"), id="a name"),
        pytest.param("What is it?", id="an item that tells too little"),
        pytest.param("Which of these is it?", id="a question that tells too little"),
        pytest.param("", id="empty"),
    ],
)
def test_no_hit(scan: exact.ExactScan, text: str) -> None:
    assert found_in(scan, text) == []


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param(
            "A lighthouse with a lamp; two ferries and a barge; neither of them", id="bare"
        ),
        pytest.param(
            "A. A lighthouse with a lamp\nB. Two ferries and a barge\nC. Neither of them",
            id="lettered",
        ),
        pytest.param(
            "(a) a lighthouse with a lamp (b) two ferries and a barge (c) neither of them",
            id="in brackets",
        ),
    ],
)
def test_a_vague_question_is_found_with_its_choices(scan: exact.ExactScan, choices: str) -> None:
    hits = found_in(scan, f"Quiz. Which of these is it? {choices}. Next.")
    assert ("vague", "question") in {(item, part) for item, part, _ in hits}


def test_what_it_tells_is_by_the_rarity_of_its_terms() -> None:
    """The bar lies between what two forms tell, computed by hand."""
    terms = [terms_oracle(text) for *_, text in ITEMS]
    counts = Counter(term for of in terms for term in of)
    total = sum(counts.values())
    bits = {
        (item, part): sum(math.log2(total / counts[t]) for t in set(of))
        for (_, item, part, _), of in zip(ITEMS, terms, strict=True)
    }
    bar = bits["long", "question"]
    for shift, found in ((-0.01, True), (0.01, False)):
        scan = build(frame(ITEMS), min_bits=bar + shift)
        assert (("long", "question") in scan.detectable.select("item", "part").rows()) is found
    assert bits["what", "question"] < NEEDED < bar


@pytest.mark.parametrize(("least", "found"), [(20.0, True), (500.0, False)])
def test_an_answer_alone_must_tell_more(least: float, *, found: bool) -> None:
    scan = build(frame(ITEMS), min_bits=NEEDED, min_answer_bits=least)
    text = "They said: No, a wick may be trimmed at noon and never earlier than that."
    assert bool(found_in(scan, text)) is found
    assert ("reply", "question") in scan.detectable.select("item", "part").rows()


@pytest.mark.skipif(not GSM8K.exists(), reason="no shared data")
def test_real_items_in_real_text_against_a_slow_search(bench_texts: list[str]) -> None:
    items = read_items(
        [Benchmark(name="gsm8k", file=File(path=GSM8K), answer=("answer",), question=("question",))]
    )
    scan = build(items)
    rows = items.filter(pl.col("part") == "question").gather_every(20).rows()
    texts: list[str | None] = [None]
    for i, (_, _, _, question) in enumerate(rows):
        host = bench_texts[i]
        middle = len(host) // 2
        texts += [f"{host[:middle]} {question} {host[middle:]}", f"{host} {question[:-30]}", host]
    found = scan.find(pl.Series(texts))
    assert found.schema == FOUND
    wanted = [("gsm8k", terms_oracle(text)) for *_, text in rows]
    expected = set()
    for doc, text in enumerate(texts):
        told = f" {' '.join(terms_oracle(text or ''))} "
        for (_, item, part, _), (_, terms) in zip(rows, wanted, strict=True):
            if f" {' '.join(terms)} " in told:
                expected.add((doc, item, part))
    assert set(found.select("doc", "item", "part").rows()) == expected
    assert len(expected) == len(rows)


def test_no_items() -> None:
    scan = build(pl.DataFrame(schema=ITEM_COLUMNS))
    assert scan.find(pl.Series(["one two three", None])).is_empty()
