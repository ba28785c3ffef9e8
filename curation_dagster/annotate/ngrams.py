"""The memory in which `ngrams_kernel` counts n-grams: a set, and what is known of each word."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Scratch(NamedTuple):
    """A set with a seat for every key, and one entry more than the longest text has words."""

    keys: NDArray[np.uint64]
    stamps: NDArray[np.int32]
    seats: NDArray[np.int32]
    grams: NDArray[np.uint64]
    lengths: NDArray[np.int64]  # code points before each word
    at: NDArray[np.int32]
    slots: NDArray[np.int32]


def scratch(most_words: int, most_lines: int) -> Scratch:
    """Make room: at most 88 bytes a word of the longest text, or 64 a line; what is not written is not taken."""
    slots = 1 << int(2 * max(most_words, most_lines) + 16).bit_length()
    return Scratch(
        np.empty(slots, np.uint64),
        np.zeros(slots, np.int32),
        np.empty(slots, np.int32),
        np.empty(most_words + 1, np.uint64),
        np.zeros(most_words + 1, np.int64),
        np.empty(most_words + 1, np.int32),
        np.empty(most_words + 1, np.int32),
    )
