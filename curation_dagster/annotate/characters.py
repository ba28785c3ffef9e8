"""Tables that say of every code point what a family of signals asks of it.

A family names its classes of characters as bits; a kernel then asks one table per code point. Code points at
TABLE_SIZE and above are of no class. Not here: the classes that words are split by (`splitter`).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from curation_dagster.words import TABLE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Kind = tuple[int, Callable[[str], bool] | Iterable[str]]


def table(*kinds: Kind) -> NDArray[np.uint8]:
    """Return the sum of the bits of all kinds a code point is of; a kind is a predicate, or characters.

    >>> table((1, str.isspace), (2, "ab"))[[32, 97, 99]].tolist()
    [1, 2, 0]
    """
    found = np.zeros(TABLE_SIZE, np.uint8)
    for bit, kind in kinds:
        if callable(kind):
            is_kind = np.fromiter((kind(chr(c)) for c in range(TABLE_SIZE)), bool, TABLE_SIZE)
            found[is_kind] |= bit
        else:
            found[[ord(c) for c in kind]] |= bit
    return found


@functools.cache
def lower() -> NDArray[np.uint32]:
    """Return the lower case of every code point that has one of a single code point; else itself.

    Against `str.lower` of a whole text: U+0130 stays, and a final sigma is as any other.
    """
    small = np.arange(TABLE_SIZE, dtype=np.uint32)
    for code in range(TABLE_SIZE):
        char = chr(code).lower()
        if len(char) == 1:
            small[code] = ord(char)
    return small


def in_ranges(ranges: str) -> str:
    """Return the characters of ranges written in hexadecimal.

    >>> in_ranges("41-43 61")
    'ABCa'
    """
    spans = (span.partition("-") for span in ranges.split())
    return "".join(chr(c) for a, _, b in spans for c in range(int(a, 16), int(b or a, 16) + 1))
