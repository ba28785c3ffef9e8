"""Normalisation: against `unicodedata`, on every code point, and idempotent."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster.annotate.normalize import MAY_COMPOSE, normalize


def oracle(text: str) -> str:
    """Normalise one text slowly and obviously."""
    text = text.replace("\r\n", "\n")
    for end in "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029":
        text = text.replace(end, "\n")
    kept = (c for c in text if c in "\t\n" or (unicodedata.category(c) != "Cc" and c != "\ufeff"))
    return unicodedata.normalize("NFC", "".join(kept))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(None, None, id="null"),
        pytest.param("", "", id="empty"),
        pytest.param("a\r\nb\rc\n\rd", "a\nb\nc\n\nd", id="line ends"),
        pytest.param(
            "a\x0bb\x0cc\x85d\u2028e\u2029f\x1cg", "a\nb\nc\nd\ne\nf\ng", id="other line ends"
        ),
        pytest.param("a\x00b\tc\x1f\x7f\x80\x9f", "ab\tc", id="controls"),
        pytest.param("\ufeffa\ufeffb", "ab", id="byte order marks"),
        pytest.param("e\u0301 \u212b \u1112\u1161\u11ab", "\u00e9 \u00c5 \ud55c", id="composed"),
        pytest.param("e\x01\u0301", "\u00e9", id="removing a control lets letters compose"),
        pytest.param(
            "\U0001f600\u2764\ufe0f 東京", "\U0001f600\u2764\ufe0f 東京", id="emoji and CJK"
        ),
        pytest.param("é" * 100_000, "é" * 100_000, id="very long"),
    ],
)
def test_case(text: str | None, expected: str | None) -> None:
    assert normalize(pl.Series([text], dtype=pl.String)).to_list() == [expected]


def test_no_rows() -> None:
    assert normalize(pl.Series([], dtype=pl.String)).to_list() == []


def test_every_character_that_may_compose_is_known() -> None:
    chars = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    moved = [c for c in chars if unicodedata.combining(c) or unicodedata.normalize("NFC", c) != c]
    seconds = [
        d[1] for c in chars if len(d := unicodedata.normalize("NFD", c)) > 1
    ]  # what a composition can end in
    seconds += [d[-1] for c in chars if len(d := unicodedata.normalize("NFD", c)) > 1]
    needed = pl.Series(sorted({*moved, *seconds}))
    assert needed.filter(~needed.str.contains(MAY_COMPOSE)).to_list() == []


def test_real_text(installed: list[str]) -> None:
    decomposed = [unicodedata.normalize("NFD", t).replace("\n", "\r\n") for t in installed]
    texts = installed + decomposed
    assert normalize(pl.Series(texts)).to_list() == [oracle(t) for t in texts]


@settings(deadline=None, derandomize=True)
@given(
    st.lists(
        st.text(
            st.characters(max_codepoint=0x2FFFF, exclude_categories=["Cs", "Cn"])
            | st.sampled_from("e\u0301\r\n\x00\ufeff")
        )
    )
)
def test_agrees_with_oracle_and_is_idempotent(texts: list[str]) -> None:
    once = normalize(pl.Series(texts, dtype=pl.String))
    assert once.to_list() == [oracle(t) for t in texts]
    assert normalize(once).equals(once)
