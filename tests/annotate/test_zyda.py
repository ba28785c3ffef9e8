"""Zyda's signals against an oracle of regular expressions, and its rules at their thresholds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from pydantic import ValidationError
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

from curation_dagster.recipe_rule_sets import Zyda

if TYPE_CHECKING:
    from pathlib import Path

    from rule_sets import Row

JUDGE = Zyda(judge="zyda")
LISTS = {
    "zh_porn": ("直播", "直"),
    "sexual_words": ("foo bar", "aba", "x"),
    "profanity": ("damn", "a+"),
    "cursed_substrings": ("\U0001f600\U0001f600", "é"),
}
SQUEEZED = [(c, 10, c) for c in "-_/.,:?\n\r\xa0"] + [("\t", 20, "\t"), ("\\", 20, "\\\\"), (" ", 40, " ")]  # fmt: skip


def oracle(text: str, lists: dict[str, tuple[str, ...]] | None = None) -> Row:
    squeezed = text
    for char, least, left in SQUEEZED:
        run = f"{re.escape(char)}{{{least},}}"
        squeezed = re.sub(run, left.replace("\\", "\\\\"), squeezed)
    words = re.split(r"\s|-|/|\\|\.", text)
    counts = {
        name: sum(text.count(phrase) for phrase in lists[name]) if lists else None for name in LISTS
    }

    def by_chars(count: int | None) -> float | None:
        return None if count is None else over(count, len(squeezed))

    return {
        "zyda_char_count": len(squeezed),
        "zyda_repeated_run_count": len(re.findall(r"(\w)\1{6,}", squeezed)),
        "zyda_xml_count": len(re.findall("xml", text)),
        "zyda_xml_declaration_count": len(re.findall("<?xml version=", text)),
        "zyda_lorem_ipsum_count": len(re.findall("lorem ipsum", text)),
        "zyda_mean_word_chars": sum(map(len, words)) / len(words),
        "zyda_non_alnum_char_ratio": over(len(re.findall(r"[^\w\s]", text)), len(text)),
        "zyda_digit_char_ratio": over(len(re.findall(r"\d", text)), len(text)),
        "zyda_https_char_ratio": by_chars(text.count("https://")),
        "zyda_less_than_char_ratio": by_chars(text.count("<")),
        "zyda_quote_colon_char_ratio": by_chars(text.count('":')),
        "zyda_www_char_ratio": by_chars(len(re.findall("www.", text))),
        "zyda_zh_porn_count": counts["zh_porn"],
        "zyda_sexual_word_count": counts["sexual_words"],
        "zyda_sexual_word_char_ratio": by_chars(counts["sexual_words"]),
        "zyda_profanity_char_ratio": by_chars(counts["profanity"]),
        "zyda_cursed_char_ratio": by_chars(counts["cursed_substrings"]),
    }


@pytest.fixture
def with_lists(tmp_path: Path) -> Zyda:
    files = {name: a_list(tmp_path, name, *phrases) for name, phrases in LISTS.items()}
    return Zyda.model_validate({"judge": "zyda", **files})


def test_odd_texts(with_lists: Zyda) -> None:
    agree(JUDGE, oracle, ODD)
    agree(with_lists, lambda text: oracle(text, LISTS), ODD)


def test_real_texts(with_lists: Zyda) -> None:
    agree(JUDGE, oracle, (*bench(), *chinese()))
    agree(with_lists, lambda text: oracle(text, LISTS), (*bench()[::5], *chinese()[::5]))


@given(TEXTS)
def test_made_up_texts(texts: list[str]) -> None:
    agree(JUDGE, oracle, texts)


def test_company_does_not_matter() -> None:
    does_not_depend_on_company(JUDGE)


def padded(piece: str, times: int, length: int) -> str:
    """Give a text of `length` code points that has a piece so many times."""
    text = piece * times
    return text + "é " * ((length - len(text)) // 2) + "é" * ((length - len(text)) % 2)


CASES = [
    ("min_chars", "a" * 100, "a" * 99),
    ("min_chars", "a" * 99 + "-" * 10, "a" * 98 + "-" * 10),
    ("min_mean_word_chars", "aaa aaa", "aaa aa"),
    ("max_mean_word_chars", "a" * 12 + "." + "b" * 12, "a" * 12 + "." + "b" * 13),
    ("max_non_alnum_char_ratio", "!!!" + "a" * 7, "!!!!" + "a" * 9),
    ("max_digit_char_ratio", "12" + "a" * 8, "12" + "a" * 7),
    ("max_repeated_runs", "aaaaaaa " * 50, "aaaaaaa " * 51),
    ("max_repeated_runs", "aaaaaa " * 51, "________ " * 51),
    ("max_repeated_runs", "__________ " * 51, "aaaaaaaaaaaaaa " * 51),
    ("max_xml", "xml " * 10, "xml " * 11),
    ("max_xml_declarations", "<?xml version=1 ", "<?xml version=1 xml version=2"),
    ("max_lorem_ipsum", "lorem ipsum " * 2, "lorem ipsum" * 3),
    ("max_https_char_ratio", padded("https://", 2, 1000), padded("https://", 2, 999)),
    ("max_less_than_char_ratio", padded("<", 3, 100), padded("<", 3, 99)),
    ("max_quote_colon_char_ratio", padded('":', 2, 1000), padded('":', 2, 999)),
    ("max_www_char_ratio", padded("www.", 1, 100), padded("wwwa", 1, 99)),
]


@pytest.mark.parametrize(("field", "kept", "dropped"), CASES)
def test_threshold(field: str, kept: str, dropped: str) -> None:
    assert rejected_by(only(JUDGE, field), kept) is None
    assert rejected_by(only(JUDGE, field), dropped) == f"clean.zyda_{field}"


LISTED_CASES = [
    ("max_zh_porn", 1, "直", "直播"),
    ("max_sexual_words", 10, "x" * 10, "x" * 11),
    ("max_sexual_word_char_ratio", 0.001, padded("x", 1, 1000), padded("x", 1, 999)),
    ("max_profanity_char_ratio", 0.0025, padded("damn", 1, 400), padded("damn", 1, 399)),
    (
        "max_cursed_char_ratio",
        0.01,
        "\U0001f600" * 2 + "a" * 98,
        "\U0001f600" * 2 + "a" * 97,
    ),
]


@pytest.mark.parametrize(("field", "value", "kept", "dropped"), LISTED_CASES)
def test_threshold_of_a_list(
    field: str, value: float, kept: str, dropped: str, with_lists: Zyda
) -> None:
    judge = only(with_lists, "none").model_copy(update={field: value})
    assert rejected_by(judge, kept) is None
    assert rejected_by(judge, dropped) == f"clean.zyda_{field}"


def test_every_bound_has_a_case() -> None:
    assert {case[0] for case in (*CASES, *LISTED_CASES)} == bounds_of(Zyda)


def test_preset() -> None:
    is_preset("zyda", JUDGE, set(LISTS))


def test_a_bound_without_its_list_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_sexual_words needs the list sexual_words"):
        Zyda(judge="zyda", max_sexual_words=10)
