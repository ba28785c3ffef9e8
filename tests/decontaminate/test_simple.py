"""The rule of decon: clusters and scores against a slow reading of its description, thresholds at their edges."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import polars as pl
import pytest

from curation_dagster.decontaminate import simple
from curation_dagster.decontaminate.found import FOUND
from curation_dagster.decontaminate.registry import ITEMS as ITEM_COLUMNS
from curation_dagster.recipe_decontaminate import Simple
from curation_dagster.words import terms_oracle


def words(name: str, count: int) -> list[str]:
    return [f"{name}{i}" for i in range(count)]


def frame(*rows: tuple[str, str, list[str]]) -> pl.DataFrame:
    told = [("b", item, part, " ".join(terms)) for item, part, terms in rows]
    return pl.DataFrame(told, schema=ITEM_COLUMNS, orient="row")


def scores(items: pl.DataFrame, *texts: list[str], **said: Any) -> list[dict[str, float]]:
    found = simple.build(items, Simple(**said)).find(pl.Series([" ".join(t) for t in texts]))
    assert found.schema == FOUND
    told: list[dict[str, float]] = [{} for _ in texts]
    for doc, item, score in found.select("doc", "item", "score").iter_rows():
        told[doc][item] = max(score, told[doc].get(item, 0))
    return told


HOST = words("host", 30)
Q60 = words("q", 60)


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        pytest.param(60, True, id="all"),
        pytest.param(49, True, id="45 of 56 n-grams: .804"),
        pytest.param(48, False, id="44 of 56: .786"),
    ],
)
def test_a_long_question_needs_four_fifths_of_its_ngrams(kept: int, *, found: bool) -> None:
    told = scores(frame(("x", "question", Q60)), [*HOST, *Q60[:kept], *HOST])
    assert told == ([{"x": pytest.approx((kept - 4) / 56)}] if found else [{}])


@pytest.mark.parametrize(
    ("length", "missing", "found"),
    [
        pytest.param(20, 0, True, id="20 terms, all of them"),
        pytest.param(20, 1, False, id="20 terms, one missing"),
        pytest.param(35, 2, True, id="35 terms: .9, 29 of 31"),
        pytest.param(35, 4, False, id="35 terms: .9, 27 of 31"),
        pytest.param(50, 9, True, id="50 terms: .8, 37 of 46"),
        pytest.param(50, 10, False, id="50 terms: .8, 36 of 46"),
        pytest.param(19, 0, False, id="19 terms: not looked for"),
    ],
)
def test_short_questions_need_more(length: int, missing: int, *, found: bool) -> None:
    question = words("q", length)
    told = scores(frame(("x", "question", question)), [*HOST, *question[: length - missing], *HOST])
    assert bool(told[0]) is found


@pytest.mark.parametrize(
    ("apart", "found"), [(6, True), (7, True), (8, False)], ids=["10 misses", "11 misses", "12"]
)
def test_a_gap_ends_a_cluster(apart: int, *, found: bool) -> None:
    """Words put in between: n-grams miss while one of them is inside, which is 4 more than there are words."""
    half = len(Q60) // 2
    text = [*Q60[:half], *words("gap", apart), *Q60[half:]]
    told = scores(frame(("x", "question", Q60)), text, max_misses=12)
    assert bool(told[0]) is found


@pytest.mark.parametrize(
    ("answer", "near", "found"),
    [
        pytest.param(["yes"], ["yes"], True, id="a short answer is there"),
        pytest.param(["yes"], [*words("far", 49), "yes"], True, id="50 terms away"),
        pytest.param(["yes"], [*words("far", 51), "yes"], False, id="52 terms away"),
        pytest.param(["yes"], ["no"], False, id="it is not there"),
        pytest.param(["of", "the", "sea"], ["of", "the", "sea"], True, id="three terms"),
        pytest.param(["of", "the", "sea"], ["the", "sea", "of"], False, id="in another order"),
        pytest.param(words("a", 10), words("a", 10), True, id="a longer one"),
        pytest.param(
            words("a", 10), [*words("far", 88), *words("a", 10)], True, id="within 100 terms"
        ),
        pytest.param(words("a", 10), [*words("far", 150), *words("a", 10)], False, id="beyond"),
    ],
)
def test_the_answer_decides_where_the_question_is_not_whole(
    answer: list[str], near: list[str], *, found: bool
) -> None:
    """45 of 60 words: 41 of 56 n-grams; .75 x .732 + .25 is .799 without, .8 with one more."""
    items = frame(("x", "question", Q60), ("x", "answer", answer))
    assert bool(scores(items, [*HOST, *Q60[:46], *near])[0]) is found


def test_a_passage_counts_little_and_the_rest_as_published() -> None:
    items = frame(
        ("x", "question", Q60), ("x", "answer", words("a", 10)), ("x", "passage", words("p", 40))
    )
    whole = [*words("p", 40), *Q60, *words("a", 10)]
    told = scores(items, whole, [*Q60, *words("a", 10)], [*words("p", 40), *Q60], words("p", 40))
    assert told == [
        {"x": pytest.approx(1.0)}, {"x": pytest.approx(0.9)}, {"x": pytest.approx(0.8)}, {},
    ]  # fmt: skip


def test_rare_ngrams_weigh_more_and_equal_items_are_one() -> None:
    """Two items share their first half, which so weighs less: computed by hand from the definition."""
    shared, own = words("s", 30), {"x": words("x", 30), "y": words("y", 30)}
    items = frame(*((name, "question", [*shared, *of]) for name, of in own.items()))
    text = [*shared, *own["x"][:20]]
    grams = {
        name: {tuple([*shared, *of][i : i + 5]) for i in range(56)} for name, of in own.items()
    }
    counts = Counter(gram for of in grams.values() for gram in of)
    idf = {gram: math.log(1 + 2 / n) for gram, n in counts.items()}
    seen = {tuple(text[i : i + 5]) for i in range(len(text) - 4)}
    wanted = sum(idf[g] for g in grams["x"] & seen) / sum(idf[g] for g in grams["x"])
    told = scores(items, text, threshold=0.5)
    assert told == [{"x": pytest.approx(wanted, abs=1e-6)}]
    again = pl.concat([items, items.with_columns(item=pl.col("item") + "2")])
    assert scores(again, text, threshold=0.5) == told


def test_what_it_looks_for_on_real_text(package_descriptions: list[str]) -> None:
    """Items cut out of real documents are found where they came from, with a span that holds them."""
    hosts = [text for text in package_descriptions if len(terms_oracle(text)) > 400][:25]
    rows = []
    for i, text in enumerate(hosts):
        piece = text[len(text) // 3 :][:900]
        rows.append(("b", str(i), "question", piece))
    items = pl.DataFrame(rows, schema=ITEM_COLUMNS, orient="row")
    built = simple.build(items, Simple())
    found = built.find(pl.Series([*hosts, *package_descriptions[:5], None]))
    own = found.filter(pl.col("doc").cast(pl.String) == pl.col("item"))
    assert set(own["item"]) == set(built.detectable["item"])
    least = own.group_by("doc").agg(pl.max("score"))["score"].min()
    assert least > 0.97, "all but the words that the cut went through"


@pytest.mark.parametrize(
    ("question", "answer", "passage", "ngrams", "score"),
    [
        pytest.param(0.8, None, None, 3, 0.8, id="a question alone is not scaled"),
        pytest.param(0.8, 0.4, None, 20, 0.7, id=".75 and .25"),
        pytest.param(0.8, None, 0.4, 20, 0.74, id=".85 and .15"),
        pytest.param(0.8, 0.4, 0.2, 20, 0.66, id=".7, .2, .1"),
        pytest.param(0.8, 0.4, None, 0, 0.55, id="half the weight of a question of no n-grams"),
    ],
)
def test_how_parts_are_weighed(question, answer, passage, ngrams, score) -> None:
    assert simple.score(question, answer, passage, ngrams) == pytest.approx(score)


def test_no_items() -> None:
    built = simple.build(pl.DataFrame(schema=ITEM_COLUMNS), Simple())
    assert built.find(pl.Series(["one two three", None])).is_empty()
