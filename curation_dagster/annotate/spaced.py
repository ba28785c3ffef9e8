"""Words by white space, which is `str.split`: what Dolma, DCLM and RedStone count most things by.

Folded words are lower-cased, code point by code point, and U+2026 is three full stops. Loop: `spaced_kernel`. Not here:
the words of most signals (`splitter`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from curation_dagster.annotate import str_classes
from curation_dagster.words import tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")  # Gopher's; at most 4 bytes

# What a word is.
HAS_ALPHA, HAS_SYMBOL, IS_STOP, IS_STOP_ANY_CASE = 1, 2, 4, 8


class Spaced(NamedTuple):
    """Words without their places; text d has the words first[d] to first[d + 1]."""

    first: NDArray[np.int64]
    hash: NDArray[np.uint64]
    chars: NDArray[np.int32]  # code points
    flags: NDArray[np.uint8]

    @property
    def most(self) -> int:
        """Return the most words that a text has."""
        return int(np.diff(self.first).max(initial=0))


def room(ends: int, words: int) -> Spaced:
    """Make arrays for so many texts and words; memory that is not written is not taken."""
    return Spaced(
        np.empty(ends, np.int64),
        np.empty(words, np.uint64),
        np.empty(words, np.int32),
        np.empty(words, np.uint8),
    )


def split(data: NDArray[np.uint8], offsets: NDArray[np.int64], *, fold: bool) -> Spaced:
    """Split the texts data[offsets[d]:offsets[d + 1]] at white space."""
    from curation_dagster.annotate import spaced_kernel  # loads numba

    words = room(len(offsets), int(offsets[-1] - offsets[0]) // 2 + len(offsets))
    lower = tables()[1] if fold else np.empty(0, np.uint32)
    n = spaced_kernel.split(data, offsets, str_classes.kinds(), lower, words)
    return Spaced(words.first, words.hash[:n], words.chars[:n], words.flags[:n])
