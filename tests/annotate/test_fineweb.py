"""FineWeb's signals against the formulas of the reference code."""

from __future__ import annotations

import datatrove_oracle as oracle
import polars as pl
import pytest
import splitter_oracle
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster.annotate.family import measure
from curation_dagster.annotate.fineweb import FAMILY
from curation_dagster.recipe_judges import FineWeb

JUDGE = FineWeb(judge="fineweb")
TEXTS = st.lists(
    st.lists(
        st.sampled_from(["ab", "a" * 31, ".", "。", " ", "\n", "\n", "\r", "\u2028", "!x"]),
        max_size=40,
    ).map("".join),
    max_size=5,
)


def check(texts: list[str]) -> None:
    found = measure(pl.Series(texts, dtype=pl.String), [(FAMILY, JUDGE)]).to_dicts()
    assert found == [oracle.fineweb(text, splitter_oracle.split(text)) for text in texts]


def test_real_text(installed: list[str], corpus: list[str]) -> None:
    check([*installed, *corpus])


@given(TEXTS)
def test_agrees_with_oracle(texts: list[str]) -> None:
    check(texts)


@pytest.mark.parametrize(
    ("text", "signal", "value"),
    [
        ("a.\nb", "fineweb_terminal_line_ratio", 0.5),
        ("a. \nb!", "fineweb_terminal_line_ratio", 0.5),
        ("一。\n二", "fineweb_terminal_line_ratio", 0.5),
        ("x" * 30 + "\n" + "x" * 31, "fineweb_short_line_ratio", 0.5),
        ("é" * 30 + "\n \n" + "é" * 31, "fineweb_short_line_ratio", 0.5),
        ("ab\nab\ncd", "fineweb_dup_line_char_ratio", 1 / 3),
        ("a b\n\nc d", "fineweb_newline_word_ratio", 0.5),
        ("\n", "fineweb_short_line_ratio", None),
        ("\n", "fineweb_newline_word_ratio", None),
    ],
)
def test_definition(text: str, signal: str, value: float | None) -> None:
    assert measure(pl.Series([text]), [(FAMILY, JUDGE)])[signal].item() == value


def test_what_is_short_is_the_recipes() -> None:
    judge = FineWeb(judge="fineweb", short_line_chars=3)
    found = measure(pl.Series(["abc\nabcd"]), [(FAMILY, judge)])
    assert found["fineweb_short_line_ratio"].item() == 0.5
