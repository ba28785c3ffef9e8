"""RefinedWeb's corrections against DCLM's modifiers in plain Python, and the 5 % rule."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings

from curation_dagster.annotate.families import EDITS
from curation_dagster.annotate.family import rewrite
from curation_dagster.annotate.stage import annotate
from curation_dagster.clean.rules import rules_of
from curation_dagster.recipe_edits import RefinedWebLines
from curation_dagster.recipe_rule_sets import RefinedWeb
from curation_dagster.verdict import verdict
from tests.annotate.web_oracles import COUNTER, ODD, TEXTS, counted, real_texts, refinedweb

EDIT = RefinedWebLines(edit="refinedweb_lines")
WHOLE_LINES = RefinedWebLines(edit="refinedweb_lines", phrases="line")
JUDGE = RefinedWeb(judge="refinedweb")


def same_as_oracle(texts: list[str]) -> None:
    for step in (EDIT, WHOLE_LINES):
        found = rewrite(pl.Series(texts, dtype=pl.String), EDITS["refinedweb_lines"], step)
        for text, row in zip(texts, found.iter_rows(named=True), strict=True):
            left, removed = refinedweb(text, substring=step is EDIT)
            assert row["text"] == left, text
            assert row["refinedweb_removed_word_ratio"] == removed
            assert row["refinedweb_line_count"] == text.count("\n") + 1


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_lines_are_dclms(texts: list[str]) -> None:
    same_as_oracle(texts)


@pytest.mark.parametrize("text", ODD, ids=[text[:9] for text in ODD])
def test_odd_documents(text: str) -> None:
    same_as_oracle([text, "and so on", text])


def test_real_documents() -> None:
    if not (texts := real_texts(300)):
        pytest.skip("no shared data")
    same_as_oracle(texts)


@pytest.mark.parametrize(
    "line",
    [
        "3 likes",
        "1.2k views",
        "** 1,234 Comments **",
        "5\u212a\u2003followers!",
        "\u0663 shares",
        "7M reposts",
        "3likes",
        "3 like",
        "three likes",
        "3 likes you",
        "3 k likes",
        "_3 likes",
        "3,,..4b downloads",
        "+3 v\u0130ews",
    ],
)
def test_counters_are_those_of_the_pattern(line: str) -> None:
    found = rewrite(pl.Series([f"a line\n{line}\nb line"]), EDITS["refinedweb_lines"], EDIT)
    assert found["refinedweb_counter_line_count"].item() == bool(COUNTER.search(line.lower()))


@pytest.mark.parametrize(
    ("line", "left", "note"),
    [
        pytest.param("ABc d", "ABc d", None, id="two capitals of five"),
        pytest.param("AB c", "AB c", None, id="half of the line"),
        pytest.param("ABC d", None, "uppercase", id="three of five"),
        pytest.param("\u00c9\u00c9\u00c9 d", None, "uppercase", id="beyond ASCII"),
        pytest.param("12345", None, "digit", id="digits"),
        pytest.param("1,234 5", "1,234 5", None, id="a comma is no digit"),
        pytest.param("word", None, "short", id="one word"),
        pytest.param("two words", "two words", None, id="two words"),
        pytest.param("2 items in cart now", "2 now", "phrase", id="in the middle"),
        pytest.param("Items In Cart", None, "phrase", id="nothing is left"),
        pytest.param("a b c d e f g read more...", "a b c d e f g", "phrase", id="nine words"),
        pytest.param("a b c d e f g h read more...", "a b c d e f g h", "phrase", id="ten words"),
        pytest.param("a b c d e f g h i read more...", "a b c d e f g h i read more...", None, id="eleven"),
        pytest.param("and read more >>", "and", "phrase", id="dots are any characters"),
        pytest.param("read more... or not", "read more... or not", None, id="not at the end"),
        pytest.param("Sign-in or register", "or register", "phrase", id="at the start"),
        pytest.param("please sign-in", "please sign-in", None, id="not at the start"),
    ],
)  # fmt: skip
def test_lines(line: str, left: str | None, note: str | None) -> None:
    found = rewrite(pl.Series([f"first line\n{line}\nlast line"]), EDITS["refinedweb_lines"], EDIT)
    kept = ["first line", *([left] if left else []), "last line"]
    assert found["text"].item() == "\n".join(kept)
    counted_as = {
        n: v for n, v in found.row(0, named=True).items() if n.endswith("line_count") and v
    }
    assert counted_as == {"refinedweb_line_count": 3} | (
        {f"refinedweb_{note}_line_count": 1} if note else {}
    )


@pytest.mark.parametrize(
    ("gone", "rejected"),
    [(4, None), (5, None), (6, "clean.refinedweb_max_removed_word_ratio")],
)
def test_pages_that_lose_more_than_five_percent_of_their_words_are_rejected(
    gone: int, rejected: str | None
) -> None:
    text = "\n".join(["word " * (100 - gone), *["word"] * gone])
    assert len(counted(text)) == 100
    steps = (EDIT, JUDGE)
    found = annotate(pl.Series([text]), steps)
    assert found["refinedweb_removed_word_ratio"].item() == gone / 100
    assert found.select(verdict("clean", rules_of(steps))).item() == rejected


def test_a_page_without_words_is_rejected() -> None:
    steps = (EDIT, JUDGE)
    found = annotate(pl.Series(["", "!!! ???", "word", None]), steps)
    assert found["refinedweb_removed_word_ratio"].to_list() == [None, None, 1.0, None]
    assert found.select(verdict("clean", rules_of(steps))).to_series().null_count() == 0
