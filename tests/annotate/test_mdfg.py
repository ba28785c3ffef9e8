"""MDFG's signals for Chinese against an oracle, and its rules at their thresholds."""

from __future__ import annotations

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
    only,
    over,
    rejected_by,
)

from curation_dagster.recipe_rule_sets import MDFG

if TYPE_CHECKING:
    from pathlib import Path

    from rule_sets import Row

JUDGE = MDFG(judge="mdfg")
SENSITIVE = ("教育", "学", "东西", "b")
TRADITIONAL = ("東", "軟體", "體")


def lowered(text: str) -> str:
    """Lower the case of every code point that stays one."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def oracle(text: str, size: int = 13, *, lists: bool = False) -> Row:
    lines = text.split("\n")
    plain = lowered(text.strip())
    for blank in " \n\t":
        plain = plain.replace(blank, "")
    grams = [plain[i : i + size] for i in range(len(plain) - size)]  # the last one is left out
    repeated = sum(count for count in Counter(grams).values() if count > 1)
    return {
        "mdfg_char_count": len(text),
        "mdfg_mean_line_chars": len(text) / len(lines),
        "mdfg_han_char_ratio": over(sum("\u4e00" <= c <= "\u9fa5" for c in text), len(text)),
        "mdfg_repeated_ngram_ratio": repeated / len(grams) if grams else 0.0,
        "mdfg_sensitive_word_line_ratio": sum(word in text for word in SENSITIVE) / len(lines)
        if lists
        else None,
        "mdfg_traditional_count": sum(text.count(c) for c in TRADITIONAL) if lists else None,
    }


@pytest.fixture
def with_lists(tmp_path: Path) -> MDFG:
    files = {
        "sensitive_words": a_list(tmp_path, "s", *(f"类\t{word}" for word in SENSITIVE), "", "b"),
        "traditional": a_list(tmp_path, "t", *TRADITIONAL),
    }
    return MDFG.model_validate({"judge": "mdfg", **files})


def test_odd_texts(with_lists: MDFG) -> None:
    agree(with_lists, lambda text: oracle(text, lists=True), ODD)


def test_real_texts(with_lists: MDFG) -> None:
    agree(JUDGE, oracle, bench())
    agree(with_lists, lambda text: oracle(text, lists=True), (*chinese(), *bench()[-60:]))


@given(TEXTS, st.integers(1, 4))
def test_made_up_texts(texts: list[str], size: int) -> None:
    judge = JUDGE.model_copy(update={"ngram_chars": size})
    agree(judge, lambda text: oracle(text, size), texts)


@given(st.lists(st.text("ab ", max_size=300), max_size=4))
def test_texts_that_repeat_much(texts: list[str]) -> None:
    judge = JUDGE.model_copy(update={"ngram_chars": 5})
    agree(judge, lambda text: oracle(text, 5), texts)


def test_company_does_not_matter() -> None:
    does_not_depend_on_company(JUDGE)


HAN = "".join(map(chr, range(0x4E00, 0x5000)))
CASES = [
    ("min_chars", "字" * 201, "字" * 200),
    ("min_mean_line_chars", "字" * 18 + "\n" + "字", "字" * 17 + "\n" + "字"),
    ("min_han_char_ratio", "\u4e00\u9fa5字" + "a" * 7, "\u4dff\u9fa6字" + "\u4e00" + "a" * 10),
    # 25 characters twice have 13 n-grams twice: 26 of 25 + 25 + 15 - 13
    ("max_repeated_ngram_ratio", HAN[:25] * 2 + HAN[25:40], HAN[:25] * 2 + HAN[25:39]),
    ("max_repeated_ngram_ratio", HAN[:13] * 2, "字" * 15),
]


@pytest.mark.parametrize(("field", "kept", "dropped"), CASES)
def test_threshold(field: str, kept: str, dropped: str) -> None:
    assert rejected_by(only(JUDGE, field), kept) is None
    assert rejected_by(only(JUDGE, field), dropped) == f"clean.mdfg_{field}"


LISTED_CASES = [
    ("max_sensitive_word_line_ratio", 0.5, "学学\n学", "教育学\n学"),
    ("max_traditional", 0, "东京", "東京"),
]


@pytest.mark.parametrize(("field", "value", "kept", "dropped"), LISTED_CASES)
def test_threshold_of_a_list(
    field: str, value: float, kept: str, dropped: str, with_lists: MDFG
) -> None:
    judge = only(with_lists, "none").model_copy(update={field: value})
    assert rejected_by(judge, kept) is None
    assert rejected_by(judge, dropped) == f"clean.mdfg_{field}"


def test_every_bound_has_a_case() -> None:
    assert {case[0] for case in (*CASES, *LISTED_CASES)} == bounds_of(MDFG)


def test_preset() -> None:
    is_preset("mdfg-zh", JUDGE, {"sensitive_words", "traditional"})
