"""NeMo Curator's heuristic signals against an oracle, and its defaults at their thresholds."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from rule_sets import (
    ODD,
    TEXTS,
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

from curation_dagster.annotate.nemo import BOILERPLATE, BULLETS, COMMON_WORDS, ELLIPSES
from curation_dagster.recipe_rule_sets import Nemo

if TYPE_CHECKING:
    from collections.abc import Callable

    from rule_sets import Row

JUDGE = Nemo(judge="nemo")
URL = re.compile(r"https?://(?:[A-Za-z0-9$\-_@.&+/:=?#~!*(),]|%[0-9A-Fa-f]{2})+")


def ascii_lower(text: str) -> str:
    """Lower the case of ASCII."""
    return "".join(c.lower() if c.isascii() else c for c in text)


def of_unique(pieces: list[str]) -> tuple[float | None, float | None]:
    """Return how many pieces are different, by number and by characters."""
    chars = len("".join(pieces))
    return over(len(set(pieces)), len(pieces)), over(len("".join(set(pieces))), chars)


def is_symbol(word: str) -> bool:
    return word in ELLIPSES or len(re.findall("#+", word)) / len(word) > 0.5


def trails_off(line: str) -> bool:
    line = ascii_lower(line.strip())
    return line.endswith((*ELLIPSES, "read more", "read more.."))


def boilerplate(paragraphs: list[str]) -> float:
    said = [[p for p in BOILERPLATE if p in ascii_lower(par)] for par in paragraphs]
    if any("lorem ipsum" in found for found in said):
        return 1.0
    return sum(map(bool, said)) / len(paragraphs)


def top_2gram(text: str, words: list[str]) -> float | None:
    """Take the most frequent 2-gram, the first of several, and what it is of the text."""
    if len(words) < 2:
        return None
    ((best, _),) = Counter(pairwise(words)).most_common(1)
    return text.count(" ".join(best)) * len(" ".join(best)) / len(text)


def dup_2grams(text: str, words: list[str]) -> float | None:
    """Mark the words, and the spaces in front of them, of 2-grams that occurred before."""
    seen: set[tuple[str, str]] = set()
    marked: set[tuple[str, int]] = set()
    for i, gram in enumerate(pairwise(words)):
        if gram in seen:
            marked |= {("word", i), ("space", i + 1), ("word", i + 1)}
        seen.add(gram)
    chars = sum(1 if kind == "space" else len(words[i]) for kind, i in marked)
    return chars / len(text) if len(words) > 1 else None


def oracle(text: str) -> Row:
    words = text.split()
    lines = [line for line in text.split("\n") if line.strip()]
    paragraphs = text.split("\n\n")

    def of_chars(is_kind: Callable[[str], bool]) -> float | None:
        return over(sum(map(is_kind, text)), len(text))

    def of_words(is_kind: Callable[[str], bool]) -> float | None:
        return over(sum(map(is_kind, words)), len(words))

    def of_lines(is_kind: Callable[[str], bool]) -> float | None:
        return over(sum(map(is_kind, lines)), len(lines))

    unique_lines, unique_paragraphs = of_unique(lines), of_unique(paragraphs)
    return {
        "nemo_word_count": len(words),
        "nemo_max_word_chars": max(map(len, words), default=0),
        "nemo_common_word_count": sum(word in COMMON_WORDS for word in words),
        "nemo_mean_word_chars": over(sum(map(len, words)), len(words)),
        "nemo_alpha_word_ratio": of_words(lambda word: any(map(str.isalpha, word))),
        "nemo_symbol_word_ratio": of_words(is_symbol),
        "nemo_non_alnum_char_ratio": of_chars(lambda c: not re.match("[a-zA-Z0-9\n?!,.]", c)),
        "nemo_digit_char_ratio": of_chars(lambda c: c in "0123456789"),
        "nemo_white_space_char_ratio": of_chars(lambda c: c in "\t\n\r\b "),
        "nemo_bracket_char_ratio": of_chars(lambda c: c in "{}⟨⟩[]()"),
        "nemo_url_char_ratio": over(sum(map(len, URL.findall(text))), len(text)),
        "nemo_bullet_line_ratio": of_lines(lambda line: line.strip()[0] in BULLETS),
        "nemo_unended_line_ratio": of_lines(lambda line: line.strip()[-1] not in ".?!\"'"),
        "nemo_ellipsis_line_ratio": of_lines(trails_off),
        "nemo_unique_line_ratio": unique_lines[0],
        "nemo_unique_line_char_ratio": unique_lines[1],
        "nemo_unique_paragraph_ratio": unique_paragraphs[0] if words else None,
        "nemo_unique_paragraph_char_ratio": unique_paragraphs[1],
        "nemo_boilerplate_paragraph_ratio": boilerplate(paragraphs),
        "nemo_top_2gram_char_ratio": top_2gram(text, words),
        "nemo_dup_2gram_char_ratio": dup_2grams(text, words),
    }


def test_odd_texts() -> None:
    agree(JUDGE, oracle, ODD)


def test_real_texts() -> None:
    agree(JUDGE, oracle, (*bench()[::2], *chinese()))


@given(TEXTS)
def test_made_up_texts(texts: list[str]) -> None:
    agree(JUDGE, oracle, texts)


def test_company_does_not_matter() -> None:
    does_not_depend_on_company(JUDGE)


@pytest.mark.parametrize(
    ("text", "signal", "value"),
    [
        pytest.param("a b ab a b", "nemo_top_2gram_char_ratio", 0.6, id="occurs twice"),
        pytest.param("a b xa bx", "nemo_top_2gram_char_ratio", 6 / 9, id="found inside words"),
        pytest.param("a  b a b", "nemo_top_2gram_char_ratio", 3 / 8, id="one space is looked for"),
        pytest.param("a a a a", "nemo_dup_2gram_char_ratio", 5 / 7, id="overlaps count once"),
        pytest.param("x\n\n\nx", "nemo_unique_paragraph_ratio", 1.0, id="three LFs"),
        pytest.param("x\n\n\n\nx", "nemo_unique_paragraph_ratio", 2 / 3, id="an empty paragraph"),
        pytest.param("x\n x", "nemo_unique_line_ratio", 1.0, id="lines are not stripped"),
        pytest.param("http://a.b%2f%2", "nemo_url_char_ratio", 13 / 15, id="half an escape"),
        pytest.param("#a# #a", "nemo_symbol_word_ratio", 0.5, id="more than half"),
    ],
)
def test_definition(text: str, signal: str, value: float) -> None:
    assert measured(JUDGE, [text])[signal].item() == value


def lines(*counts: int) -> str:
    """Give distinct lines, then copies of the first."""
    different, copies = counts
    return "\n".join([*(f"line {chr(97 + i)}." for i in range(different)), *["line a."] * copies])


CASES = [
    ("min_words", "a " * 50, "a " * 49),
    ("max_words", "a " * 100_000, "a " * 100_001),
    ("min_mean_word_chars", "aaa", "aaa aa"),
    ("max_mean_word_chars", "a" * 10, "a" * 10 + " " + "a" * 11),
    ("max_word_chars", "a" * 1000, "a" * 1001),
    ("min_common_words", "the the", "the The"),
    ("min_alpha_word_ratio", "a b c d 1", "a b c 1"),
    ("max_symbol_word_ratio", "... " + "a " * 9, "# " + "a " * 8),
    ("max_non_alnum_char_ratio", "aaa ", "aaa é"),
    ("max_digit_char_ratio", "123" + "a" * 17, "123" + "a" * 16),
    ("max_white_space_char_ratio", "aaa ", "aaa  "),
    ("max_bracket_char_ratio", "(" + "a" * 9, "{" + "a" * 8),
    ("max_url_char_ratio", "http://abc" + " " * 40, "http://abc" + " " * 39),
    ("max_bullet_line_ratio", "• a\n" * 9 + "b", "• a\n" * 10 + "\n"),
    ("max_unended_line_ratio", "a\n" * 17 + "b.\n" * 3, "a\n" * 17 + "b.\n" * 2),
    ("max_ellipsis_line_ratio", "a...\n" * 3 + "b\n" * 7, "a read more\n" * 3 + "b\n" * 6),
    ("min_unique_line_ratio", lines(7, 3), lines(6, 3)),
    ("min_unique_line_char_ratio", lines(8, 2), lines(7, 2)),
    ("min_unique_paragraph_ratio", lines(7, 3).replace("\n", "\n\n"), lines(6, 3).replace("\n", "\n\n")),
    ("min_unique_paragraph_char_ratio", lines(8, 2).replace("\n", "\n\n"), lines(7, 2).replace("\n", "\n\n")),
    ("max_boilerplate_paragraph_ratio", "Uses Cookies\n\n" * 2 + "a\n\nb\n\nc", "uses cookies\n\n" * 2 + "a\n\nb"),
    ("max_boilerplate_paragraph_ratio", "lorem", "a\n\nb\n\nc\n\nLorem ipsum"),
    ("max_top_2gram_char_ratio", "a b" + " " * 12, "a b" + " " * 11),
    ("max_dup_2gram_char_ratio", "a b a b" + " " * 8, "a b a b" + " " * 7),
]  # fmt: skip


@pytest.mark.parametrize(("field", "kept", "dropped"), CASES)
def test_threshold(field: str, kept: str, dropped: str) -> None:
    assert rejected_by(only(JUDGE, field), kept) is None
    assert rejected_by(only(JUDGE, field), dropped) == f"clean.nemo_{field}"


@pytest.mark.parametrize("field", sorted(bounds_of(Nemo) - {"max_words", "max_word_chars"}))
def test_an_empty_text_passes_few_rules(field: str) -> None:
    expected = None if field.startswith("max_boilerplate") else f"clean.nemo_{field}"
    assert rejected_by(only(JUDGE, field), "") == expected


def test_every_bound_has_a_case() -> None:
    assert {case[0] for case in CASES} == bounds_of(Nemo)


def test_preset() -> None:
    is_preset("nemo-heuristics", JUDGE, set())
