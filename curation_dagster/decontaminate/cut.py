"""Which spans of a text go because of hits, and which fragments stay (Brown et al., 2020, appendix C).

A hit goes with `around_chars` characters on either side. What is left between two such spans, or between one and an
end of the text, is a fragment; one shorter than `min_fragment_chars` goes too. A text with more than `max_cuts`
separate spans is contaminated as a whole. Characters are code points; offsets are UTF-8 bytes and never lie inside
one. Not here: which hits are cut, and what becomes of the fragments; see `verdicts` and `trim`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from curation_dagster.recipe_decontaminate import Cut

TOO_MANY: Final = "decontaminate.too_many_cuts"
NOTHING_LEFT: Final = "decontaminate.nothing_left"
_LONGEST: Final = 4  # bytes of a code point
_MARK, _CONTINUES = 0xC0, 0x80  # the two high bits of a byte that begins no code point
Span = tuple[int, int]


@dataclass(frozen=True)
class Trimmed:
    """Spans to cut and fragments to keep; together they tile the text, in order. Or why nothing of it stays."""

    rejected_by: str | None
    cuts: tuple[Span, ...] = ()
    fragments: tuple[Span, ...] = ()


def trim(text: bytes, hits: Iterable[Span], config: Cut) -> Trimmed:
    """Cut hits (byte offsets, any order) out of a text. Cost: the text's bytes once, 4 x around_chars a hit.

    >>> from curation_dagster.recipe_decontaminate import Cut
    >>> trim(b"one two three four", [(8, 13)], Cut(around_chars=1, min_fragment_chars=5))
    Trimmed(rejected_by=None, cuts=((7, 18),), fragments=((0, 7),))
    """
    wide = merged(widened(text, hit, config.around_chars) for hit in hits)
    if len(wide) > config.max_cuts:
        return Trimmed(TOO_MANY)
    fragments = [
        (start, end)
        for start, end in between(wide, len(text))
        if len(text[start:end].decode()) >= config.min_fragment_chars
    ]
    if not fragments:
        return Trimmed(NOTHING_LEFT)
    return Trimmed(None, tuple(between(fragments, len(text))), tuple(fragments))


def widened(text: bytes, span: Span, chars: int) -> Span:
    """Move the ends of a span outwards by so many characters, as far as the text goes."""
    start, end = _boundary(text, span[0], -1), _boundary(text, span[1], 1)
    before = text[max(0, start - _LONGEST * chars) : start].decode(errors="ignore")
    after = text[end : end + _LONGEST * chars].decode(errors="ignore")
    left = len(before[max(0, len(before) - chars) :].encode())
    return start - left, end + len(after[:chars].encode())


def merged(spans: Iterable[Span]) -> list[Span]:
    """Sort spans and join those that overlap or touch; empty ones are none."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif start < end:
            found.append((start, end))
    return found


def between(spans: Sequence[Span], length: int) -> list[Span]:
    """List what lies between sorted spans apart from each other, and at the ends, where it is not empty."""
    starts, ends = [0, *(end for _, end in spans)], [*(start for start, _ in spans), length]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if start < end]


def _boundary(text: bytes, at: int, step: int) -> int:
    """Move an offset that lies inside a code point to its edge."""
    at = min(max(at, 0), len(text))
    while 0 < at < len(text) and text[at] & _MARK == _CONTINUES:
        at += step
    return at
