"""The Gopher signals against slow oracles written from the rules, on real and on made-up text."""

from __future__ import annotations

import re
import string
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster.annotate.gopher import (
    COUNTS,
    QUALITY,
    REPETITION,
    STOP_WORDS,
    measure_quality,
    measure_repetition,
)

Row = dict[str, "float | None"]
SPACES = st.sampled_from(
    [" ", " ", " ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\x1f"]
)
WORDS = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "the",
        "be,",
        "(to)",
        "...",
        "\u2026",
        "#",
        "-",
        "\u2022",
        "東",
        "é",
        "7",
        "\u2764\ufe0f",
        "\U0001f600",
    ]
)
TEXTS = st.lists(
    st.lists(st.tuples(WORDS, SPACES).map("".join), max_size=60).map("".join)
    | st.text(max_size=30),
    max_size=6,
)


def over(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def quality_oracle(text: str) -> Row:
    words, lines = text.split(), text.splitlines()
    ends = [line.rstrip() for line in lines]
    stops = {word.strip(string.punctuation) for word in words} & set(STOP_WORDS)
    return {
        "gopher_word_count": len(words),
        "gopher_stop_word_count": len(stops),
        "gopher_mean_word_chars": over(sum(map(len, words)), len(words)),
        "gopher_hash_word_ratio": over(text.count("#"), len(words)),
        "gopher_ellipsis_word_ratio": over(text.count("...") + text.count("\u2026"), len(words)),
        "gopher_bullet_line_ratio": over(
            sum(line.lstrip().startswith(("-", "\u2022")) for line in lines), len(lines)
        ),
        "gopher_ellipsis_line_ratio": over(
            sum(end.endswith(("...", "\u2026")) for end in ends), len(lines)
        ),
        "gopher_alpha_word_ratio": over(
            sum(any(c.isalpha() for c in w) for w in words), len(words)
        ),
    }


def copies(pieces: list[str]) -> tuple[int, int]:
    copied = [piece for i, piece in enumerate(pieces) if piece in set(pieces[:i])]
    return len(copied), sum(map(len, copied))


def top_chars(words: list[str], n: int) -> int:
    counts = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    best = max(counts.values(), default=0)
    longest = max(
        (len(" ".join(gram)) for gram, count in counts.items() if count == best), default=0
    )
    return longest * best if best > 1 else 0


def copied_chars(words: list[str], n: int) -> int:
    seen = set()
    i = chars = 0
    while i < len(words) - n + 1:
        gram = tuple(words[i : i + n])
        if gram in seen:
            chars += sum(map(len, gram))
            i += n
        else:
            seen.add(gram)
            i += 1
    return chars


def repetition_oracle(text: str) -> Row:
    words = text.split()
    lines = [line for line in re.split(r"\n+", text) if line]
    paragraphs = [p for p in re.split(r"\n{2,}", text.strip()) if p]
    line_copies, line_chars = copies(lines)
    paragraph_copies, paragraph_chars = copies(paragraphs)
    row: Row = {
        "gopher_dup_line_ratio": over(line_copies, len(lines)),
        "gopher_dup_paragraph_ratio": over(paragraph_copies, len(paragraphs)),
        "gopher_dup_line_char_ratio": over(line_chars, len(text)),
        "gopher_dup_paragraph_char_ratio": over(paragraph_chars, len(text)),
    }
    for n in range(2, 11):
        chars = top_chars(words, n) if n < 5 else copied_chars(words, n)
        kind = "top" if n < 5 else "dup"
        ratio = over(chars, len(text))
        row[f"gopher_{kind}_{n}gram_char_ratio"] = ratio if ratio is None else min(ratio, 1.0)
    return row


def check(texts: list[str]) -> None:
    """Compare both kernels with both oracles; equal, not close: the same integers are divided."""
    series = pl.Series(texts, dtype=pl.String)
    assert measure_quality(series).to_dicts() == [quality_oracle(t) for t in texts]
    assert measure_repetition(series).to_dicts() == [repetition_oracle(t) for t in texts]


def test_installed_text(installed: list[str]) -> None:
    check(installed)


def test_corpus(corpus: list[str]) -> None:
    check(corpus)


@settings(deadline=None, derandomize=True)
@given(TEXTS)
def test_agrees_with_oracle(texts: list[str]) -> None:
    check(texts)


@pytest.mark.parametrize("measure", [measure_quality, measure_repetition])
def test_batch_does_not_matter(measure: object, installed: list[str]) -> None:
    assert callable(measure)
    whole = measure(pl.Series(installed))
    assert pl.concat([measure(pl.Series([t])) for t in installed]).equals(whole)
    assert measure(pl.Series(installed).reverse()).reverse().equals(whole)
    assert measure(pl.Series(installed)[7:31]).equals(whole[7:31])


def test_null_and_empty() -> None:
    texts = pl.Series([None, "", "a b"], dtype=pl.String)
    both = pl.concat([measure_quality(texts), measure_repetition(texts)], how="horizontal")
    assert both.columns == [*COUNTS, *QUALITY, *REPETITION]
    assert set(both.row(0)) == {None}
    assert both.row(1) == (0, 0, *[None] * (len(QUALITY) + len(REPETITION)))
    assert None not in both.row(2)
    assert both.dtypes == [pl.UInt32] * 2 + [pl.Float64] * (len(QUALITY) + len(REPETITION))


def test_no_rows() -> None:
    none = pl.Series([], dtype=pl.String)
    assert measure_quality(none).shape == (0, 8)
    assert measure_repetition(none).shape == (0, 13)


@pytest.mark.parametrize(
    ("text", "signal", "value"),
    [
        pytest.param(
            "the cat, The (to) THE to",
            "gopher_stop_word_count",
            2,
            id="case, punctuation, distinct",
        ),
        pytest.param(
            "the\u00a0be\u3000to", "gopher_word_count", 3, id="NBSP and ideographic space"
        ),
        pytest.param("\u2764\ufe0f a", "gopher_alpha_word_ratio", 0.5, id="a mark is no letter"),
        pytest.param("....... \u2026", "gopher_ellipsis_word_ratio", 1.5, id="seven dots are two"),
        pytest.param(
            "a...\t\nb . . .\n\nc", "gopher_ellipsis_line_ratio", 0.25, id="empty lines are lines"
        ),
        pytest.param(
            " - a\r\n\u2022b\r\nc", "gopher_bullet_line_ratio", 2 / 3, id="CR LF is one end"
        ),
        pytest.param("\na\n\na\n", "gopher_dup_line_ratio", 0.5, id="ends are no lines"),
        pytest.param(
            "a\n\nb\n\n\na\n", "gopher_dup_paragraph_ratio", 1 / 3, id="three LFs end a paragraph"
        ),
        pytest.param(
            "a bb cc a bb d cc a", "gopher_top_2gram_char_ratio", 8 / 19, id="longest of two"
        ),
        pytest.param("a b c", "gopher_top_2gram_char_ratio", 0.0, id="once is no repetition"),
        pytest.param("a a a a", "gopher_top_2gram_char_ratio", 1.0, id="overlapping copies"),
        pytest.param(
            "東 京 東 京", "gopher_top_2gram_char_ratio", 6 / 7, id="code points, not bytes"
        ),
        pytest.param(
            "1 2 3 4 5 1 2 3 4 5", "gopher_dup_5gram_char_ratio", 5 / 19, id="words without spaces"
        ),
        pytest.param(
            "1 23 4 5 6 12 3 4 5 6", "gopher_dup_5gram_char_ratio", 0.0, id="1 23 is not 12 3"
        ),
        pytest.param(
            "a " * 14, "gopher_dup_5gram_char_ratio", 10 / 28, id="skips n words after a hit"
        ),
        pytest.param("a b", "gopher_dup_10gram_char_ratio", 0.0, id="fewer words than n"),
    ],
)
def test_definition(text: str, signal: str, value: float) -> None:
    texts = pl.Series([text])
    row = {
        **measure_quality(texts).row(0, named=True),
        **measure_repetition(texts).row(0, named=True),
    }
    assert row[signal] == value
