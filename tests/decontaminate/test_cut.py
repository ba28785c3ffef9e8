"""What a hit takes out of a text: against a slow oracle over characters, and at every threshold."""

from __future__ import annotations

from itertools import accumulate, groupby, pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation_dagster.decontaminate.cut import NOTHING_LEFT, TOO_MANY, between, merged, trim
from curation_dagster.decontaminate.offsets import recut, recut_span, uncut, uncut_span
from curation_dagster.recipe_decontaminate import Cut

GPT3 = Cut()
CHARS = "ab é東\U0001f600"


def oracle(text: str, hits: list[tuple[int, int]], config: Cut) -> str | list[str]:
    """Say which fragments stay, character by character; hits are offsets of characters."""
    gone = [
        any(a - config.around_chars <= i < b + config.around_chars for a, b in hits)
        for i in range(len(text))
    ]
    pairs = groupby(zip(gone, text, strict=True), key=lambda pair: pair[0])
    runs = [(cut, [char for _, char in run]) for cut, run in pairs]
    if sum(cut for cut, _ in runs) > config.max_cuts:
        return TOO_MANY
    kept = ["".join(run) for cut, run in runs if not cut]
    return [k for k in kept if len(k) >= config.min_fragment_chars] or NOTHING_LEFT


def edges(text: str) -> list[int]:
    return [0, *accumulate(len(c.encode()) for c in text)]


def cut_by_chars(text: str, hits: list[tuple[int, int]], config: Cut) -> str | list[str]:
    at, data = edges(text), text.encode()
    found = trim(data, [(at[a], at[b]) for a, b in hits], config)
    return found.rejected_by or [data[a:b].decode() for a, b in found.fragments]


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]], Cut]:
    """Draw a text of characters of 1 to 4 bytes, hits that may overlap and lie at its ends, and small numbers."""
    text = draw(st.text(st.sampled_from(CHARS), min_size=1, max_size=60))
    place = st.integers(0, len(text))
    pairs = st.tuples(place, place).map(lambda p: (min(p), max(p))).filter(lambda p: p[0] < p[1])
    hits = draw(st.lists(pairs, min_size=1, max_size=8))
    numbers = st.integers(0, 6), st.integers(1, 8), st.integers(1, 4)
    around, least, most = (draw(n) for n in numbers)
    return text, hits, Cut(around_chars=around, min_fragment_chars=least, max_cuts=most)


@settings(max_examples=300)
@given(cases())
def test_the_oracle_agrees(case: tuple[str, list[tuple[int, int]], Cut]) -> None:
    assert cut_by_chars(*case) == oracle(*case)


@settings(max_examples=200)
@given(cases())
def test_fragments_and_cuts_tile_the_text(case: tuple[str, list[tuple[int, int]], Cut]) -> None:
    text, hits, config = case
    at, data = edges(text), text.encode()
    found = trim(data, [(at[a], at[b]) for a, b in hits], config)
    if found.rejected_by:
        assert (found.cuts, found.fragments) == ((), ())
        return
    pieces = sorted((*found.cuts, *found.fragments))
    assert pieces[0][0] == 0
    assert pieces[-1][1] == len(data)
    assert all(before[1] == after[0] for before, after in pairwise(pieces))
    assert all(a < b for a, b in pieces)
    kinds = [piece in found.cuts for piece in pieces]
    assert all(x != y for x, y in pairwise(kinds)), "cuts and fragments take turns"
    assert {e for piece in pieces for e in piece} <= set(at), "never inside a character"


@pytest.mark.parametrize("char", ["x", "é", "東", "\U0001f600"])
@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        pytest.param(399, 0, NOTHING_LEFT, id="199 characters stay: too short"),
        pytest.param(400, 0, [200], id="200 stay"),
        pytest.param(401, 0, [201], id="201 stay"),
        pytest.param(0, 399, NOTHING_LEFT, id="199 behind it"),
        pytest.param(0, 400, [200], id="200 behind it"),
        pytest.param(400, 401, [200, 201], id="both sides"),
        pytest.param(399, 401, [201], id="only the longer side"),
        pytest.param(199, 199, NOTHING_LEFT, id="less than the window on both sides"),
        pytest.param(0, 0, NOTHING_LEFT, id="nothing but the hit"),
    ],
)
def test_windows_and_fragments_of_200_characters(
    char: str, before: int, after: int, left: str | list[int]
) -> None:
    text = char * before + "HIT" + char * after
    found = cut_by_chars(text, [(before, before + 3)], GPT3)
    assert (found if isinstance(found, str) else [len(f) for f in found]) == left
    if isinstance(found, list):
        assert set("".join(found)) == {char}


@pytest.mark.parametrize(
    ("hits", "gap", "wanted"),
    [
        pytest.param(10, 1000, 11, id="ten cuts leave eleven fragments"),
        pytest.param(11, 1000, TOO_MANY, id="eleven cuts are too many"),
        pytest.param(11, 400, 2, id="eleven windows that touch are one cut"),
        pytest.param(11, 401, TOO_MANY, id="a character between windows parts them"),
        pytest.param(10, 401, 2, id="short fragments go, and ten cuts are counted before that"),
    ],
)
def test_more_than_ten_cuts(hits: int, gap: int, wanted: int | str) -> None:
    text = "x" * 1000 + ("H" + "x" * gap) * (hits - 1) + "H" + "x" * 1000
    places = [i for i, c in enumerate(text) if c == "H"]
    found = cut_by_chars(text, [(i, i + 1) for i in places], GPT3)
    assert (found if isinstance(found, str) else len(found)) == wanted


@pytest.mark.parametrize(
    ("hit", "cuts"),
    [
        pytest.param((3, 5), ((3, 6),), id="it ends inside a character"),
        pytest.param((5, 6), ((3, 6),), id="it begins inside one"),
        pytest.param((4, 5), ((3, 6),), id="it lies inside one"),
        pytest.param((6, 99), ((6, 9),), id="it ends behind the text"),
    ],
)
def test_spans_that_are_no_characters_are_widened(
    hit: tuple[int, int], cuts: tuple[tuple[int, int], ...]
) -> None:
    config = Cut(around_chars=0, min_fragment_chars=1)
    assert trim("東京都".encode(), [hit], config).cuts == cuts


@pytest.mark.parametrize(
    ("spans", "wanted"),
    [
        pytest.param([(5, 7), (1, 3)], [(1, 3), (5, 7)], id="sorted"),
        pytest.param([(1, 5), (4, 7)], [(1, 7)], id="overlapping"),
        pytest.param([(1, 9), (4, 7)], [(1, 9)], id="inside another"),
        pytest.param([(1, 4), (4, 7)], [(1, 7)], id="touching"),
        pytest.param([(1, 4), (1, 4)], [(1, 4)], id="twice"),
        pytest.param([(4, 4)], [], id="empty"),
    ],
)
def test_spans_merge(spans: list[tuple[int, int]], wanted: list[tuple[int, int]]) -> None:
    assert merged(spans) == wanted
    covered = sorted((*between(wanted, 10), *wanted))
    assert [i for a, b in covered for i in range(a, b)] == list(range(10))


@given(st.lists(st.integers(0, 30), max_size=8, unique=True), st.integers(0, 20), st.integers(1, 9))
@example([0, 3, 5, 9], 2, 1)
def test_offsets_go_there_and_back(points: list[int], start: int, length: int) -> None:
    ordered = sorted(points)
    cuts = merged(zip(ordered[::2], ordered[1::2], strict=False))
    kept = [i for i in range(100) if not any(a <= i < b for a, b in cuts)]
    span = (start, start + length)
    assert uncut(start, cuts) == kept[start]
    assert recut(uncut(start, cuts), cuts) == start
    wide = uncut_span(span, cuts)
    assert wide == (kept[start], kept[start + length - 1] + 1)
    assert recut_span(wide, cuts) == span
