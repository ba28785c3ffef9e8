"""The n-gram step against slow sets of tuples, under each policy that counts, on real text with planted items."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster import threads
from curation_dagster.decontaminate import ngrams as step
from curation_dagster.decontaminate.found import FOUND
from curation_dagster.decontaminate.registry import ITEMS as ITEM_COLUMNS
from curation_dagster.recipe_decontaminate import Decontaminate, NGrams
from curation_dagster.section import File
from curation_dagster.words import terms_oracle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SIZE = 5
ITEMS = {
    "plain": "How many eggs does Janet sell at the market every single day of the week?",
    "unicode": "Où se trouve l'école où naquit André-Marie Ampère, près de Lyon ou d'Évreux?",
    "cjk": "東京タワーの高さは何メートルですか",
    "greek": "ΠΟΙΑ ΕΊΝΑΙ Η ΠΡΩΤΕΎΟΥΣΑ της Ελλάδας και πόσους κατοίκους έχει σήμερα",
    "shared": "how many eggs does Janet eat for breakfast",
    "short": "Two plus two?",
    "exact": "one two three four five",
    "repeated": "see a bee c d e flea see a bee c d e flea see a bee c d e flea",
    "counting": "1 2 3 4 5 6 7 and then eight",
    "lines": "First line of six short words\nno\nSecond line has five words\n\nFirst line of six short words",
}
Gram = tuple[str, ...]


def items_of(questions: dict[str, str], answers: dict[str, str] | None = None) -> pl.DataFrame:
    rows = []
    for item, text in questions.items():
        rows.append(("a", item, "question", text))
        if answers and item in answers:
            rows.append(("a", item, "answer", answers[item]))
    return pl.DataFrame(rows, schema=ITEM_COLUMNS, orient="row")


def build(items: pl.DataFrame, **said: Any) -> step.NGramScan:
    built = step.build(items, Decontaminate(ngrams=NGrams(**{"min_share": 0.0} | said)))
    assert isinstance(built, step.NGramScan)
    return built


def ngrams(text: str, size: int = SIZE) -> list[Gram]:
    terms = terms_oracle(text)
    return [tuple(terms[i : i + size]) for i in range(len(terms) - size + 1)]


def is_enumeration(gram: Gram) -> bool:
    return all(len(term) <= 2 and term.isascii() for term in gram)


def long_lines(text: str, least: int = SIZE) -> list[Gram]:
    lines = [tuple(terms_oracle(line)) for line in text.split("\n")]
    return [line for line in lines if len(line) >= least]


def oracle(
    text: str | None,
    items: dict[str, set[Gram]],
    grams: Callable[[str], list[Gram]],
    least: int,
    share: Fraction = Fraction(0),
) -> dict[str, float]:
    """Intersect sets of tuples: item -> share of its distinct n-grams, for the items that hit."""
    seen = set(grams(text or ""))
    return {
        name: len(of & seen) / len(of)
        for name, of in items.items()
        if of and len(of & seen) >= max(min(least, len(of)), math.ceil(share * len(of)))
    }


def hits(found: pl.DataFrame, documents: int) -> list[dict[str, Any]]:
    """Return item -> score of each document; all rows of one item have one score."""
    told: list[dict[str, Any]] = [{} for _ in range(documents)]
    for doc, item, score in found.select("doc", "item", "score").iter_rows():
        assert told[doc].setdefault(item, pytest.approx(score)) == score
    return told


def texts_with_items(base: Sequence[str]) -> list[str | None]:
    items = list(ITEMS.values())
    texts: list[str | None] = [None, "", "🙂", *items]
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
    return texts


@pytest.mark.parametrize("least", [1, 3, 100])
@pytest.mark.parametrize(
    ("said", "grams"),
    [
        pytest.param({"terms": SIZE, "enumerations": True}, ngrams, id="count"),
        pytest.param(
            {"terms": SIZE},
            lambda text: [g for g in ngrams(text) if not is_enumeration(g)],
            id="count, no enumerations",
        ),
        pytest.param({"policy": "dolma", "terms": SIZE}, long_lines, id="dolma"),
        pytest.param(
            {"policy": "gpt3", "terms": 7, "min_terms": 3, "length_quantile": 0.0},
            lambda text: ngrams(text, 3),
            id="gpt3: the shortest item has three terms",
        ),
    ],
)
def test_the_scan_agrees_with_sets_of_tuples(
    said: dict[str, Any], grams: Callable[[str], list[Gram]], least: int,
    package_descriptions: list[str], bench_texts: list[str],
) -> None:  # fmt: skip
    texts = texts_with_items([*package_descriptions[:40], *bench_texts[::10]])
    items = {name: set(grams(text)) for name, text in ITEMS.items()}
    found = build(items_of(ITEMS), min_ngrams=least, **said).find(pl.Series(texts))
    assert found.schema == FOUND
    assert [oracle(t, items, grams, least) for t in texts] == hits(found, len(texts))


@pytest.mark.parametrize("share", ["0.1", "0.2", "0.5", "1"])
def test_a_share_of_the_ngrams_is_asked_for(share: str, package_descriptions: list[str]) -> None:
    texts = texts_with_items(package_descriptions[:30])
    texts += [
        " ".join(item.split()[a:b])
        for item in ITEMS.values()
        for a in (0, 1, 3)
        for b in range(4, 14)
    ]
    items = {name: set(ngrams(text)) for name, text in ITEMS.items()}
    scan = build(items_of(ITEMS), terms=SIZE, enumerations=True, min_share=float(share))
    wanted = [oracle(t, items, ngrams, 1, Fraction(share)) for t in texts]
    assert hits(scan.find(pl.Series(texts)), len(texts)) == wanted


def test_of_a_passage_any_overlap_is_told() -> None:
    words = [f"word{i}" for i in range(412)]
    items = items_of({"q": " ".join(words)}).with_columns(part=pl.lit("passage"))
    scan = build(items, min_share=0.2)
    (score,) = scan.find(pl.Series([" ".join(words[100:132])]))["score"]
    assert score == pytest.approx(20 / 400)


def datatrove_grams(label: str, query: str, *, own: bool, overlap: bool, size: int) -> set[Gram]:
    """List what datatrove's documentation says is indexed."""
    q, a = terms_oracle(query), terms_oracle(label)
    grams = set(ngrams(label, size))
    if own:
        grams |= set(ngrams(query, size))
    if overlap:
        for taken in range(1, size):  # terms of the label
            if len(a) >= taken and len(q) >= size - taken:
                grams.add((*q[-(size - taken) :], *a[:taken]))
    return grams


ANSWERS = {
    "plain": "She sells eighteen of them, and keeps none",
    "unicode": "à Lyon",
    "short": "Four, of course",
    "exact": "six",
}


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("own", [True, False])
def test_datatrove_indexes_labels_and_what_leads_into_them(
    *, own: bool, overlap: bool, package_descriptions: list[str]
) -> None:
    items = items_of(ITEMS, ANSWERS)
    config = {"policy": "datatrove", "terms": SIZE, "query_ngrams": own, "overlap_ngrams": overlap}
    wanted = {
        item: datatrove_grams(ANSWERS[item], ITEMS[item], own=own, overlap=overlap, size=SIZE)
        for item in ANSWERS
    }
    texts = [
        f"{text} {ITEMS[i]} {a}" for text in package_descriptions[:5] for i, a in ANSWERS.items()
    ]
    texts += [
        *ITEMS.values(),
        *ANSWERS.values(),
        "two plus two four of course",
        "for breakfast four of course",
    ]
    texts += [" ".join([*ITEMS[i].split()[-3:], *a.split()[:2]]) for i, a in ANSWERS.items()]
    found = build(items, **config).find(pl.Series(texts))
    told = [set(of) & set(ANSWERS) for of in hits_of_items(found, len(texts))]
    assert told == [
        {i for i, grams in wanted.items() if grams & set(ngrams(text))} for text in texts
    ]


def hits_of_items(found: pl.DataFrame, documents: int) -> list[set[str]]:
    told: list[set[str]] = [set() for _ in range(documents)]
    for doc, item in found.select("doc", "item").iter_rows():
        told[doc].add(item)
    return told


def test_datatrove_has_terms_of_its_own_unless_the_recipe_says_otherwise() -> None:
    assert [NGrams(policy=p).terms for p in ("count", "gpt3", "datatrove", "dolma")] == [
        13,
        13,
        12,
        13,
    ]
    assert NGrams(policy="datatrove", terms=9).terms == 9


@pytest.mark.parametrize(
    ("lengths", "size"),
    [
        pytest.param([40] * 30, 13, id="long items: 13"),
        pytest.param([10] + [40] * 30, 13, id="a few short ones do not count"),
        pytest.param([10, 10, 10] + [40] * 30, 10, id="one in twenty does"),
        pytest.param([3, 3, 3] + [40] * 30, 8, id="never fewer than 8"),
    ],
)
def test_gpt3_takes_the_size_of_a_benchmarks_short_items(lengths: list[int], size: int) -> None:
    items = items_of(
        {str(i): " ".join(f"w{i}x{j}" for j in range(n)) for i, n in enumerate(lengths)}
    )
    scan = build(items, policy="gpt3")
    assert [table.size for table in scan.tables if not table.owners.is_empty()] == [size]


@pytest.mark.parametrize(
    ("terms", "found"), [(19, False), (20, True), (21, True)], ids=["seven", "eight", "nine"]
)
def test_an_answer_alone_needs_eight_ngrams(terms: int, found: bool) -> None:
    words = [f"word{i}" for i in range(40)]
    items = items_of({"q": "what"}, {"q": " ".join(words)})
    text = " ".join([*words[:terms], "and so on"])
    assert build(items).find(pl.Series([text])).height == found
    assert build(items, min_answer_ngrams=1).find(pl.Series([text])).height == 1
    short = items_of({"q": "what"}, {"q": " ".join(words[:terms])})
    assert build(short).detectable.height == found


@pytest.mark.parametrize("item", sorted(set(ITEMS) - {"short", "counting", "lines"}))
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "", id="alone"),
        pytest.param("", " and then more.", id="at the start"),
        pytest.param("Vor dem Ende… ", "", id="at the end"),
        pytest.param("日本語。", "…🙂", id="between multibyte characters"),
    ],
)
def test_offsets_slice_back_to_the_item(item: str, before: str, after: str) -> None:
    text = before + ITEMS[item] + after
    found = build(items_of(ITEMS), terms=SIZE).find(pl.Series([text])).filter(item=item)
    assert found.select("benchmark", "part", "method", "score").rows() == [
        ("a", "question", "ngrams", 1.0)
    ]
    start, end = found.select("start", "end").row(0)
    assert text.encode()[start:end].decode() == ITEMS[item].rstrip("?")


def test_each_place_is_a_row() -> None:
    between = " ".join(["nothing of it here"] * 10)
    text = f"{ITEMS['plain']} {between} {ITEMS['plain']} {between}"
    found = build(items_of(ITEMS), terms=SIZE).find(pl.Series([text])).filter(item="plain")
    spans = [text[a:b] for a, b in found.select("start", "end").iter_rows()]
    assert spans == [ITEMS["plain"].rstrip("?")] * 2
    assert found["score"].to_list() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("ONE TWO THREE FOUR FIVE", ["exact"], id="case"),
        pytest.param("one,two;three\n\nfour--five", ["exact"], id="punctuation"),
        pytest.param("(one) two\u00a0three “four” five", ["exact"], id="typography"),
        pytest.param("one two three four", [], id="a word short"),
        pytest.param("one two three four six", [], id="another word"),
        pytest.param("onetwo three four five", [], id="words joined"),
        pytest.param("five four three two one", [], id="another order"),
        pytest.param("how many eggs does Janet", ["plain", "shared"], id="of two items"),
        pytest.param("1 2 3 4 5 6 7 8 9", [], id="an enumeration"),
    ],
)
def test_variations(text: str, found: list[str]) -> None:
    assert build(items_of(ITEMS), terms=SIZE).find(pl.Series([text]))["item"].to_list() == found


WORDS = st.lists(st.sampled_from(["alpha", "beta", "x", "42", "東", "日本"]), max_size=14).map(
    " ".join
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(WORDS, min_size=1, max_size=4),
    st.lists(WORDS, min_size=1, max_size=4),
    st.integers(2, 4),
)
def test_few_words_many_repeats(items: list[str], texts: list[str], least: int) -> None:
    names = {str(i): text for i, text in enumerate(items)}
    scan = build(items_of(names), terms=3, min_ngrams=least, enumerations=True)
    sets = {name: set(ngrams(text, 3)) for name, text in names.items()}
    wanted = [oracle(text, sets, lambda t: ngrams(t, 3), least) for text in texts]
    assert hits(scan.find(pl.Series(texts, dtype=pl.String)), len(texts)) == wanted


@pytest.mark.parametrize("count", [1, 2, 4])
def test_nothing_depends_on_threads_or_the_batch(
    count: int, monkeypatch: pytest.MonkeyPatch, package_descriptions: list[str]
) -> None:
    texts = pl.Series(texts_with_items(package_descriptions[:30]))
    scan = build(items_of(ITEMS), terms=SIZE)
    whole = scan.find(texts)
    monkeypatch.setattr(threads.pl, "thread_pool_size", lambda: count)
    monkeypatch.setattr("curation_dagster.decontaminate.index.RUN_BYTES", 1 << 12)
    assert scan.find(texts).equals(whole)
    parts = [
        scan.find(texts[i : i + 7]).with_columns(pl.col("doc") + np.uint32(i))
        for i in range(0, len(texts), 7)
    ]
    assert pl.concat(parts).equals(whole)


def test_the_index_survives_pickle() -> None:
    scan = build(items_of(ITEMS), terms=SIZE)
    texts = pl.Series(list(ITEMS.values()))
    again = pickle.loads(pickle.dumps(scan))  # noqa: S301 - our own bytes
    assert again.find(texts).equals(scan.find(texts))


def test_what_it_cannot_find_is_said() -> None:
    scan = build(items_of(ITEMS), terms=SIZE)
    assert set(ITEMS) - set(scan.detectable["item"]) == {"short"}


def test_ignored_ngrams_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "common.txt"
    path.write_text("one two three four FIVE\nhow many eggs does Janet eat\n", "utf-8")
    texts = pl.Series([ITEMS["exact"], "How many eggs does Janet sell", ITEMS["shared"]])
    scan = build(items_of(ITEMS), terms=SIZE, ignore=File(path=path))
    assert hits_of_items(scan.find(texts), 3) == [set(), {"plain"}, {"shared"}]
    assert "exact" not in scan.detectable["item"]


def test_no_items() -> None:
    scan = build(pl.DataFrame(schema=ITEM_COLUMNS))
    assert scan.find(pl.Series(["one two three", None])).is_empty()
    assert scan.figures == {"ngrams": 0}


@pytest.mark.parametrize(("sharing", "found"), [(20, True), (21, False)])
def test_a_template_tells_no_item(sharing: int, *, found: bool) -> None:
    """Twenty items may share an n-gram; more, and it counts for none of them, under published rules for twenty."""
    start = "for which of these scenarios does the keeper do something that is clearly wrong here"
    items = items_of(
        {str(i): f"{start} {' '.join(f'own{i}x{j}' for j in range(13))}" for i in range(sharing)}
    )
    texts = pl.Series([f"{start} and then", " ".join(f"own3x{j}" for j in range(13))])
    told = hits_of_items(build(items).find(texts), 2)
    assert told == [{str(i) for i in range(sharing)} if found else set(), {"3"}]
    assert len(hits_of_items(build(items, policy="gpt3").find(texts), 2)[0]) == 20


@pytest.mark.parametrize(
    ("least", "words", "found"), [(1, 13, True), (1, 12, False), (4, 16, True), (4, 15, False)]
)
def test_so_many_distinct_ngrams_make_a_hit(least: int, words: int, *, found: bool) -> None:
    question = [f"word{i}" for i in range(40)]
    scan = build(items_of({"q": " ".join(question)}), min_ngrams=least)
    part = " ".join(question[5 : 5 + words])
    assert bool(scan.find(pl.Series([part])).height) is found
    again = scan.find(pl.Series([f"{part}. Again: {part}."]))
    assert bool(again.height) is found, "an n-gram that comes again counts once"
