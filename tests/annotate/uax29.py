"""Word boundaries of UAX #29 in plain Python, rule by rule, over the classes of `segments`."""

from __future__ import annotations

from itertools import pairwise

from curation_dagster.annotate import segments as s
from curation_dagster.words import TABLE_SIZE

LETTERS = {s.LETTER, s.HEBREW}
INSIDE_WORDS = {s.MID_LETTER, s.MID_BOTH, s.SINGLE_QUOTE}
INSIDE_NUMBERS = {s.MID_NUM, s.MID_BOTH, s.SINGLE_QUOTE}
WORDLIKE = {*LETTERS, s.NUMERIC, s.KATAKANA}


def word_class(char: str) -> int:
    return int(s.classes()[ord(char)]) & 127 if ord(char) < TABLE_SIZE else s.OTHER


def goes_on(kinds: list[int], i: int) -> bool:
    """Tell whether no boundary is before the i-th of the characters that are no extenders."""
    second, last, kind = kinds[i - 2] if i > 1 else None, kinds[i - 1], kinds[i]
    following = kinds[i + 1] if i + 1 < len(kinds) else None
    return (
        (last in LETTERS and kind in LETTERS)  # WB5
        or (last in LETTERS and kind in INSIDE_WORDS and following in LETTERS)  # WB6
        or (second in LETTERS and last in INSIDE_WORDS and kind in LETTERS)  # WB7
        or (last == s.HEBREW and kind == s.SINGLE_QUOTE)  # WB7a
        or (last == following == s.HEBREW and kind == s.DOUBLE_QUOTE)  # WB7b
        or (second == kind == s.HEBREW and last == s.DOUBLE_QUOTE)  # WB7c
        or (last == kind == s.NUMERIC)  # WB8
        or (last in LETTERS and kind == s.NUMERIC)  # WB9
        or (last == s.NUMERIC and kind in LETTERS)  # WB10
        or (second == kind == s.NUMERIC and last in INSIDE_NUMBERS)  # WB11
        or (last == following == s.NUMERIC and kind in INSIDE_NUMBERS)  # WB12
        or (last == kind == s.KATAKANA)  # WB13
        or (last in {*WORDLIKE, s.CONNECTOR} and kind == s.CONNECTOR)  # WB13a
        or (last == s.CONNECTOR and kind in WORDLIKE)  # WB13b
    )


def words(text: str) -> list[str]:
    """Split a text; extenders belong to what is before them (WB4), but for line breaks (WB3a)."""
    starts: list[int] = []
    for i, char in enumerate(text):
        extends = word_class(char) == s.EXTEND and starts
        if not extends or word_class(text[starts[-1]]) == s.BREAK:
            starts.append(i)
    kinds = [word_class(text[i]) for i in starts]
    cuts = [start for i, start in enumerate(starts) if i == 0 or not goes_on(kinds, i)]
    return [text[a:b] for a, b in pairwise([*cuts, len(text)])]
