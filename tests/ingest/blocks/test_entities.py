"""Character references: what Python's own `html.unescape` makes of them."""

import html
from html.entities import html5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster.ingest.blocks.extract import unescape

PIECES = st.sampled_from(
    ["&", "#", "x", "X", ";", "amp", "AMP;", "lt", "notin;", "not", "nbsp;", "é", "中", " ", "0", "65", "128", "1F600",
     "d800", "110000", "fdd0", "ffff", "Eacute", "nGt;", "CounterClockwiseContourIntegral;", "q", "\n"]
)  # fmt: skip


def resolved(text: str) -> str:
    return unescape(text.encode())


@pytest.mark.parametrize("first", range(0, 0x111000, 0x11100))
def test_every_number(first: int) -> None:
    step = 1 if first == 0 else 37
    text = "|".join(f"&#{n};" for n in range(first, first + 0x11100, step))
    assert resolved(text) == html.unescape(text)


@pytest.mark.parametrize("tail", ["", " ", "x", "=", ";"])
def test_every_name(tail: str) -> None:
    text = "|".join(f"&{name}{tail}" for name in html5)
    assert resolved(text) == html.unescape(text)


@given(st.lists(PIECES).map("".join))
def test_anything(text: str) -> None:
    assert resolved(text) == html.unescape(text)


def test_a_number_with_thousands_of_digits() -> None:
    assert resolved(f"a&#{'9' * 5000};b&#x{'0' * 5000}41;c") == "a\ufffdbAc"
