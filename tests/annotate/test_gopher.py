"""The Gopher signals against the formulas of the reference code, on real and on made-up text."""

from __future__ import annotations

import datatrove_oracle as oracle
import polars as pl
import pytest
import splitter_oracle
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster.annotate.family import measure
from curation_dagster.annotate.gopher import QUALITY, REPETITION
from curation_dagster.recipe_judges import GopherQuality, GopherRepetition

JUDGES = (
    (QUALITY, GopherQuality(judge="gopher_quality")),
    (REPETITION, GopherRepetition(judge="gopher_repetition")),
)
SPACES = st.sampled_from(
    [" ", " ", " ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\x1f"]
)
WORDS = st.sampled_from(
    "a b ab the be, (to) ... …. \u2026 # - \u2022 東 é 7 \u2764\ufe0f \U0001f600".split()
)
TEXTS = st.lists(
    st.lists(st.tuples(WORDS, SPACES).map("".join), max_size=60).map("".join)
    | st.text(max_size=30),
    max_size=6,
)


def check(texts: list[str]) -> None:
    """Compare both kernels with both oracles; equal, not close: the same integers are divided."""
    words = [splitter_oracle.split(text) for text in texts]
    found = measure(pl.Series(texts, dtype=pl.String), JUDGES).to_dicts()
    for row, text, of_text in zip(found, texts, words, strict=True):
        assert row == oracle.gopher_quality(text, of_text) | oracle.gopher_repetition(text, of_text)


def test_installed_text(installed: list[str]) -> None:
    check(installed)


def test_corpus(corpus: list[str]) -> None:
    check(corpus)


@given(TEXTS)
def test_agrees_with_oracle(texts: list[str]) -> None:
    check(texts)


@pytest.mark.parametrize(
    ("text", "signal", "value"),
    [
        pytest.param("the cat, The (to) THE to", "gopher_stop_word_count", 2, id="case, distinct"),
        pytest.param("the\u00a0be\u3000to", "gopher_word_count", 3, id="NBSP, ideographic space"),
        pytest.param("a, b! ...", "gopher_word_count", 2, id="symbols are no words here"),
        pytest.param("a, bcd! ...", "gopher_mean_word_chars", 2.0, id="nor in the mean"),
        pytest.param("a, b ...", "gopher_alpha_word_ratio", 0.5, id="but here"),
        pytest.param("\u2764\ufe0f a", "gopher_alpha_word_ratio", 1 / 3, id="a mark is no letter"),
        pytest.param("....... \u2026", "gopher_ellipsis_word_ratio", 1.5, id="seven dots are two"),
        pytest.param(
            "a...\t\nb . . .\n\nc", "gopher_ellipsis_line_ratio", 0.25, id="empty lines are lines"
        ),
        pytest.param(
            " - a\r\n\u2022b\r\nc", "gopher_bullet_line_ratio", 2 / 3, id="CR LF is one end"
        ),
        pytest.param("\na\n\na\n", "gopher_dup_line_ratio", 0.5, id="ends are empty lines"),
        pytest.param(
            "a\n\nb\n\n\na\n", "gopher_dup_paragraph_ratio", 1 / 3, id="three LFs end a paragraph"
        ),
        pytest.param(
            "a bb a bb cc d cc d", "gopher_top_2gram_char_ratio", 8 / 19, id="first of the top"
        ),
        pytest.param("a b c", "gopher_top_2gram_char_ratio", 3 / 5, id="once counts"),
        pytest.param("a a a a", "gopher_top_2gram_char_ratio", 9 / 7, id="overlapping copies"),
        pytest.param("é è é è", "gopher_top_2gram_char_ratio", 6 / 7, id="code points, not bytes"),
        pytest.param("1 2 3 4 5 1 2 3 4 5", "gopher_dup_5gram_char_ratio", 5 / 19, id="joined"),
        pytest.param(
            "1 23 4 5 6 12 3 4 5 6", "gopher_dup_5gram_char_ratio", 6 / 21, id="1 23 is 12 3"
        ),
        pytest.param(
            "a " * 14, "gopher_dup_5gram_char_ratio", 10 / 28, id="skips n words after a hit"
        ),
        pytest.param("a b", "gopher_dup_10gram_char_ratio", 0.0, id="fewer words than n"),
    ],
)
def test_definition(text: str, signal: str, value: float) -> None:
    assert measure(pl.Series([text]), JUDGES)[signal].item() == value


def test_stop_words_are_the_recipes() -> None:
    judge = GopherQuality(judge="gopher_quality", stop_words=("der", "die", "das", "Straße"))
    found = measure(pl.Series(["die Straße, das Haus, die Tür, the"]), [(QUALITY, judge)])
    assert found["gopher_stop_word_count"].item() == 3


def test_more_stop_words_than_bits() -> None:
    words = [f"w{i}x" for i in range(200)]
    judge = GopherQuality(judge="gopher_quality", stop_words=tuple(words))
    found = measure(pl.Series([" ".join(words[:150] * 2)]), [(QUALITY, judge)])
    assert found["gopher_stop_word_count"].item() == 150
