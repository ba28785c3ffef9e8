"""RedStone's signals and sentences against its definitions, on real and made-up text; its rules at their thresholds."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings

from curation_dagster.annotate.families import EDITS, FAMILIES
from curation_dagster.annotate.family import measure, rewrite
from curation_dagster.annotate.redstone import TITLES
from curation_dagster.annotate.stage import annotate
from curation_dagster.clean.rules import rules_of
from curation_dagster.recipe_edits import RedStoneSentences
from curation_dagster.recipe_rule_sets import RedStone
from curation_dagster.verdict import verdict
from tests.annotate.web_oracles import ODD, TEXTS, real_texts, redstone, redstone_text, sentences

JUDGE = RedStone(judge="redstone")
EDIT = RedStoneSentences(edit="redstone_sentences")
MEANT = RedStoneSentences(edit="redstone_sentences", phrases=True)
NAMES = set(TITLES)


def same_as_oracle(texts: list[str]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    found = measure(series, [(FAMILIES["redstone"], JUDGE)])
    for text, row in zip(texts, found.iter_rows(named=True), strict=True):
        expected = redstone(text, NAMES)
        assert list(row) == list(expected)
        assert row == {k: v if v is None else pytest.approx(v) for k, v in expected.items()}, text
    for step in (EDIT, MEANT):
        found = rewrite(series, EDITS["redstone_sentences"], step)
        for text, row in zip(texts, found.iter_rows(named=True), strict=True):
            left, removed = redstone_text(text, NAMES, phrases=step is MEANT)
            assert row["text"] == left, text
            assert row["redstone_removed_word_ratio"] == removed
            assert row["redstone_sentence_count"] == len(sentences(text, NAMES))


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_signals_and_sentences_are_redstones(texts: list[str]) -> None:
    same_as_oracle(texts)


@pytest.mark.parametrize("text", ODD, ids=[text[:9] for text in ODD])
def test_odd_documents(text: str) -> None:
    same_as_oracle([text, "and so on", text])


def test_real_documents() -> None:
    if not (texts := real_texts(100)):
        pytest.skip("no shared data")
    same_as_oracle(texts)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("He left. She stayed.", 2),
        ("He left. she stayed.", 1),
        ("Mr. Smith left. It was 5 p.m. in U.S. Army time.", 2),
        ("Really? Yes! (No.) \u201cWell.\u201d He left... Then came.", 6),
        ("In 1999. 2000 came.", 2),
        ("one line\nanother\n\nlast", 4),
        ("  ", 1),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert len(sentences(text, NAMES)) == count
    found = rewrite(pl.Series([text]), EDITS["redstone_sentences"], EDIT)
    assert found["redstone_sentence_count"].item() == count


@pytest.mark.parametrize(
    ("sentence", "note"),
    [
        ("ABC de.", None),
        ("ABCD de.", "uppercase"),
        ("12 345", "number"),
        ("1,234 5", None),
        ("3 likes", "counter"),
        ("3 likes!", None),
        ("word", "short"),
        ("Sign up now", "phrase"),
        ("now sign up", None),
        ("Now read more...", "phrase"),
        ("The items in cart are", "phrase"),
    ],
)
def test_sentences_that_go(sentence: str, note: str | None) -> None:
    found = rewrite(pl.Series([f"a start\n{sentence}\nan end"]), EDITS["redstone_sentences"], MEANT)
    notes = {k for k, v in found.row(0, named=True).items() if k.endswith("sentence_count") and v}
    assert notes == {
        "redstone_sentence_count",
        *([f"redstone_{note}_sentence_count"] if note else []),
    }
    assert (sentence in found["text"].item()) == (note is None)


def text_of(words: int = 60, *more: str) -> str:
    """Make a text that every rule keeps: all words differ, and one sentence."""
    made = [f"w{chr(97 + i % 26)}{chr(97 + i // 26)}x" for i in range(words)]
    made[0], made[1] = "The", "OF"
    return "\n".join([" ".join(made), *more])


CASES = [
    pytest.param(text_of(50), text_of(49), "min_words", id="words"),
    pytest.param(
        text_of(60, "a#... \u2026# ##"),
        text_of(60, "a#... \u2026# ## #"),
        "max_symbol_word_ratio",
        id="symbols",
    ),
    pytest.param(
        text_of(60, *(f"{c} no..." for c in "abc"), *(f"{c} no" for c in "defghi")),
        text_of(60, *(f"{c} no\u2026" for c in "abcd"), *(f"{c} no" for c in "efghi")),
        "max_ellipsis_sentence_ratio",
        id="ellipses",
    ),
    pytest.param(
        text_of(60, *(f"\u2013 {c}o" for c in "abcdefghi")),
        "\n".join([*(f"\u25aa {c}o" for c in "abcdefghi"), f"\u2022 {text_of(60)}"]),
        "max_bullet_sentence_ratio",
        id="bullets",
    ),
    pytest.param(
        text_of(60, *"abcdef", "z", "z", "z"),
        text_of(60, *"abcde", "z", "z", "z", "z"),
        "max_dup_sentence_ratio",
        id="every copy of a sentence counts",
    ),
    pytest.param(text_of(95, *"abcde"), text_of(94, *"abcdef"), "max_removed_word_ratio", id="5 %"),
]  # fmt: skip


@pytest.mark.parametrize(("kept", "rejected", "rule"), CASES)
def test_rules_at_their_thresholds(kept: str, rejected: str, rule: str) -> None:
    judge = JUDGE if "removed" in rule else RedStone(judge="redstone", max_removed_word_ratio=None)
    steps = (judge, EDIT)
    found = annotate(pl.Series([kept, rejected]), steps)
    assert found.select(verdict("clean", rules_of(steps))).to_series().to_list() == [
        None,
        f"clean.redstone_{rule}",
    ]
