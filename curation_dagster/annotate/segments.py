"""Words as Unicode bounds them (UAX #29, rules WB1 to WB13b), of those that start with a letter or digit.

This is what DCLM takes n-grams of (its `split_words` with the package uniseg). Word_Break classes are derived from
Python's own Unicode tables: general categories, blocks, and the few code points that UAX #29 names. Scripts without
spaces (Han, hiragana, Thai, Lao, Khmer, Burmese) have a word a letter, as the annex has it. Emoji sequences and
flags are not joined: they start no word here. Loop: `segments_kernel`. Not here: what is counted.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from curation_dagster.annotate.spaced import Spaced, room
from curation_dagster.words import TABLE_SIZE, UNSPACED_RANGES

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Classes of UAX #29, table 3; a letter or digit of any class has ALNUM as well.
(OTHER, LETTER, HEBREW, NUMERIC, KATAKANA, CONNECTOR, EXTEND, BREAK) = range(8)
(MID_LETTER, MID_NUM, MID_BOTH, SINGLE_QUOTE, DOUBLE_QUOTE) = range(8, 13)
ALNUM = 128

_SKIN_TONES, _CIRCLED = range(0x1F3FB, 0x1F400), range(0x24B6, 0x24EA)
_HEBREW = (range(0x05D0, 0x05F3), range(0xFB1D, 0xFB50))
_NAMED = {
    BREAK: "\n\r\x0b\x0c\x85\u2028\u2029",
    MID_LETTER: ":\u00b7\u0387\u055f\u05f4\u2027\ufe13\ufe55\uff1a",
    MID_NUM: ",;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b",
    MID_BOTH: ".\u2018\u2019\u2024\ufe52\uff07\uff0e",
    SINGLE_QUOTE: "'",
    DOUBLE_QUOTE: '"',
    NUMERIC: "\u066b",
    EXTEND: "\u200c\u200d\uff9e\uff9f",
    OTHER: "\u200b",
    CONNECTOR: "\u202f",
    KATAKANA: "\u3031\u3032\u3033\u3034\u3035\u309b\u309c\u30a0\u30fc\uff70",
}


@functools.cache
def classes() -> NDArray[np.uint8]:
    """Return the class of every code point below TABLE_SIZE."""
    table = np.fromiter((_class_of(chr(c)) for c in range(TABLE_SIZE)), np.uint8, TABLE_SIZE)
    for kind, chars in _NAMED.items():
        for char in chars:
            table[ord(char)] = kind | ALNUM * char.isalnum()
    return table


def _class_of(char: str) -> int:
    category, code = unicodedata.category(char), ord(char)
    kind = OTHER
    if category in {"Mn", "Mc", "Me", "Cf"} or code in _SKIN_TONES:
        kind = EXTEND
    elif category == "Nd":
        kind = NUMERIC
    elif category == "Pc":
        kind = CONNECTOR
    elif category[0] == "L" or category == "Nl" or code in _CIRCLED:
        kind = _letter(char)
    return kind | ALNUM * char.isalnum()


def _letter(char: str) -> int:
    code = ord(char)
    if "KATAKANA" in unicodedata.name(char, ""):
        return KATAKANA
    if any(code in block for block in _HEBREW):
        return HEBREW
    unspaced = any(first <= code <= last for first, last in UNSPACED_RANGES)
    return OTHER if unspaced else LETTER


def split(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Spaced:
    """Split the texts data[offsets[d]:offsets[d + 1]]; the words have no flags."""
    from curation_dagster.annotate import segments_kernel  # loads numba

    words = room(len(offsets), int(offsets[-1] - offsets[0]) + 1)
    n = segments_kernel.split(data, offsets, classes(), words.first, words.hash, words.chars)
    return Spaced(words.first, words.hash[:n], words.chars[:n], words.flags[:0])
