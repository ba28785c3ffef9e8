"""How benchmark items and documents become stems: what rephrasing leaves of a word, a number, an identifier.

A stem is a term (`words`) cut further where letters meet digits and where lower case meets upper, so
that `numList` and `num_list` are two stems, less an English ending. A number is one stem whatever
its commas and trailing zeros, and a number word is its number: "1,000.50", "1000.5". In the mode for
character noise a stem is four characters in a row, without what lies between terms, and characters
that readers of scans take for one another are one. The compiled loops are in `stems_kernel`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from curation_dagster.words import term_hash_oracle

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENDINGS = (
    "ations", "ation", "ingly", "edly", "ings", "ing", "ers", "ies", "ed", "es", "er", "ly", "s",
)  # fmt: skip
MIN_STEM_CHARS = 3  # an ending goes if so many characters stay
MAX_STEMMED_CHARS = 32  # a longer run of letters is left whole
_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty""".split()
_TENS = "thirty forty fifty sixty seventy eighty ninety".split()
_OTHERS = {
    "hundred": 100, "thousand": 1000, "million": 1_000_000, "dozen": 12,
    "twice": 2, "double": 2, "thrice": 3, "triple": 3,
}  # fmt: skip
NUMBER_WORDS = (
    {word: number for number, word in enumerate(_SMALL)}
    | {word: 10 * tens for tens, word in enumerate(_TENS, 3)}
    | _OTHERS
)
NUMBER_SLOTS = 256
LOOK_ALIKES = {"0": "o", "1": "l", "i": "l", "5": "s", "8": "b"}  # for the lower-cased character
NOISE_CHARS = 4


@functools.cache
def number_table() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return an open-addressing table from the hash of a number word to the stem of its number."""
    keys, values = np.zeros(NUMBER_SLOTS, np.uint64), np.zeros(NUMBER_SLOTS, np.uint64)
    for word, number in NUMBER_WORDS.items():
        key = term_hash_oracle(word)
        slot = key % NUMBER_SLOTS
        while keys[slot]:
            slot = (slot + 1) % NUMBER_SLOTS
        keys[slot], values[slot] = key, term_hash_oracle(f"#{number}")
    return keys, values


@functools.cache
def ending_table() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the endings as code points, last character first, and how long each is."""
    codes = np.zeros((len(ENDINGS), max(map(len, ENDINGS))), np.int64)
    for row, ending in enumerate(ENDINGS):
        codes[row, : len(ending)] = [ord(char) for char in reversed(ending)]
    return codes, np.array([len(ending) for ending in ENDINGS])
