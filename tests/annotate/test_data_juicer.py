"""data-juicer's signals against an oracle, and its defaults at their thresholds."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_sets import (
    ODD,
    TEXTS,
    a_list,
    agree,
    bench,
    bounds_of,
    chinese,
    does_not_depend_on_company,
    is_preset,
    measured,
    only,
    over,
    rejected_by,
)

from curation_dagster.annotate.data_juicer import SPECIAL
from curation_dagster.recipe_rule_sets import DataJuicer

if TYPE_CHECKING:
    from pathlib import Path

    from rule_sets import Row

JUDGE = DataJuicer(judge="data_juicer")
STOPS = ("the", "of", "a", "字", "i̇")
FLAGGED = ("be", "don't")


def stripped(word: str) -> str:
    """Take the special characters from both ends."""
    while word and word[0] in SPECIAL:
        word = word[1:]
    while word and word[-1] in SPECIAL:
        word = word[:-1]
    return word


def lowered(word: str) -> str:
    """Lower the case of every code point that stays one."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in word)


def oracle(text: str, chars: int = 10, words: int = 10, *, lists: bool = False) -> Row:
    lines = text.splitlines()
    segments = re.split("[ \n\t]", text)
    counted = list(filter(None, map(stripped, segments)))
    refined = list(filter(None, (stripped(lowered(s)) for s in segments)))
    char_grams = Counter(text[i : i + chars] for i in range(len(text) - chars + 1))
    repeated = sorted((n for n in char_grams.values() if n > 1), reverse=True)
    most = repeated[: math.isqrt(len(char_grams))]
    word_grams = Counter(tuple(refined[i : i + words]) for i in range(len(refined) - words + 1))
    again = sum(n for n in word_grams.values() if n > 1)
    return {
        "juicer_char_count": len(text),
        "juicer_word_count": len(counted),
        "juicer_max_line_chars": max(map(len, lines), default=0),
        "juicer_mean_line_chars": len(text) / len(lines) if lines else 0.0,
        "juicer_alnum_char_ratio": over(sum(map(str.isalnum, text)), len(text)),
        "juicer_special_char_ratio": over(sum(c in SPECIAL for c in text), len(text)),
        "juicer_char_repetition_ratio": sum(most) / char_grams.total() if char_grams else 0.0,
        "juicer_word_repetition_ratio": again / word_grams.total() if word_grams else 0.0,
        "juicer_stop_word_ratio": over(sum(w in STOPS for w in refined), len(refined))
        if lists
        else None,
        "juicer_flagged_word_ratio": over(sum(w in FLAGGED for w in refined), len(refined))
        if lists
        else None,
    }


@pytest.fixture
def with_lists(tmp_path: Path) -> DataJuicer:
    files = {
        "stop_words": a_list(tmp_path, "s", *STOPS),
        "flagged_words": a_list(tmp_path, "f", *FLAGGED),
    }
    return DataJuicer.model_validate({"judge": "data_juicer", **files})


def test_odd_texts(with_lists: DataJuicer) -> None:
    agree(with_lists, lambda text: oracle(text, lists=True), ODD)


def test_real_texts(with_lists: DataJuicer) -> None:
    agree(JUDGE, oracle, (*bench(), *chinese()))
    agree(with_lists, lambda text: oracle(text, lists=True), bench()[::5])


@given(TEXTS, st.integers(1, 4), st.integers(1, 3))
def test_made_up_texts(texts: list[str], chars: int, words: int) -> None:
    judge = JUDGE.model_copy(update={"ngram_chars": chars, "ngram_words": words})
    agree(judge, lambda text: oracle(text, chars, words), texts)


@given(st.lists(st.text("ab ", max_size=300), max_size=4))
def test_texts_that_repeat_much(texts: list[str]) -> None:
    judge = JUDGE.model_copy(update={"ngram_chars": 4, "ngram_words": 2})
    agree(judge, lambda text: oracle(text, 4, 2), texts)


def test_company_does_not_matter() -> None:
    does_not_depend_on_company(JUDGE)


def test_special_characters_are_what_they_are_said_to_be() -> None:
    assert len(SPECIAL) == 1641  # of the reference's set, those of one code point
    assert {" ", "\x0b", "7", "~", "\u3000", "\U0001f600", "ー"} < SPECIAL
    odd = {c for c in SPECIAL if c.isalpha()}
    assert {unicodedata.category(c)[0] for c in SPECIAL - odd} <= set("PSZNCM")
    assert len(odd) < 40


@pytest.mark.parametrize(
    ("text", "signal", "value"),
    [
        pytest.param("Г г", "juicer_word_count", 1, id="stripped as it is written"),
        pytest.param("a\u3000b\rc", "juicer_word_count", 1, id="other white space separates not"),
        pytest.param("a\r\nbcd\n", "juicer_mean_line_chars", 3.5, id="line ends count"),
        pytest.param("a\r\nbcd\n", "juicer_max_line_chars", 3, id="line ends do not count"),
        pytest.param("½²Ⅷ字!", "juicer_alnum_char_ratio", 0.8, id="numbers of any kind"),
    ],
)
def test_definition(text: str, signal: str, value: float) -> None:
    assert measured(JUDGE, [text])[signal].item() == value


HAN = "".join(map(chr, range(0x4E02, 0x5000)))
W = [chr(0x5100 + i) for i in range(12)]
CASES = [
    ("min_chars", "a" * 10, "a" * 9),
    ("min_words", "a " * 10, "a " * 9 + "!1"),
    ("min_mean_line_chars", "a" * 15 + "\n" + "abcd", "a" * 15 + "\n" + "abc"),
    ("min_max_line_chars", "a" * 10, "a" * 9 + "\n" + "b"),
    ("min_alnum_char_ratio", "a..." * 5, "a..." * 5 + "."),
    ("max_special_char_ratio", "aaa.", "aaa.."),
    # one 10-gram seven times, and seven others once
    ("max_char_repetition_ratio", "a" * 16 + HAN[:7], "a" * 16 + HAN[:6]),
    # four 10-grams twice, and eight others once
    ("max_word_repetition_ratio", " ".join(W * 2 + W[:1]), " ".join(W * 2 + W[:2])),
]


@pytest.mark.parametrize(("field", "kept", "dropped"), CASES)
def test_threshold(field: str, kept: str, dropped: str) -> None:
    assert rejected_by(only(JUDGE, field), kept) is None
    assert rejected_by(only(JUDGE, field), dropped) == f"clean.juicer_{field}"


LISTED_CASES = [
    ("min_stop_word_ratio", 0.3, "The of, a " + "x " * 7, "The of, a " + "x " * 8),
    ("max_flagged_word_ratio", 0.045, "Don't " * 9 + "x " * 191, "Don't " * 9 + "x " * 190),
]


@pytest.mark.parametrize(("field", "value", "kept", "dropped"), LISTED_CASES)
def test_threshold_of_a_list(
    field: str, value: float, kept: str, dropped: str, with_lists: DataJuicer
) -> None:
    judge = only(with_lists, "none").model_copy(update={field: value})
    assert rejected_by(judge, kept) is None
    assert rejected_by(judge, dropped) == f"clean.juicer_{field}"


def test_every_bound_has_a_case() -> None:
    assert {case[0] for case in (*CASES, *LISTED_CASES)} == bounds_of(DataJuicer)


def test_preset() -> None:
    is_preset("data-juicer", JUDGE, {"stop_words", "flagged_words"})
