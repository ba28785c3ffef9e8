"""Where a byte lies in a text before and after cuts: every stored offset is into the text before any.

Cuts are ascending and apart from each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Span = tuple[int, int]


def uncut(offset: int, cuts: Iterable[Span]) -> int:
    """Return where a byte of the text without `cuts` lies in the text with them.

    >>> uncut(2, [(0, 3), (5, 9)])
    9
    """
    for start, end in cuts:
        if start > offset:
            break
        offset += end - start
    return offset


def recut(offset: int, cuts: Iterable[Span]) -> int:
    """Return where a byte lies once `cuts` are gone; for one that is itself cut, where the next one lies.

    >>> recut(9, [(0, 3), (5, 9)]), recut(6, [(0, 3), (5, 9)])
    (2, 2)
    """
    return offset - sum(min(end, offset) - start for start, end in cuts if start < offset)


def uncut_span(span: Span, cuts: Sequence[Span]) -> Span:
    """Return where a span that is not empty lies before cuts: from its first byte to its last."""
    return uncut(span[0], cuts), uncut(span[1] - 1, cuts) + 1


def recut_span(span: Span, cuts: Sequence[Span]) -> Span:
    """Return where what cuts leave of a span lies."""
    return recut(span[0], cuts), recut(span[1], cuts)
