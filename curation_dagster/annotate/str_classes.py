r"""What a code point is to Python's `str` methods and to `re`: the table that rules over characters read.

The published web filters are Python, so `isupper`, `isdigit`, `isalnum`, `isspace` and `\w` mean what Python means.
Code points from TABLE_SIZE on are nothing. Loops: `str_classes_kernel`. Not here: what makes a word (`splitter`).
"""

from __future__ import annotations

import functools
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from curation_dagster.words import TABLE_SIZE

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPACE, ALPHA, UPPER, DIGIT, DECIMAL, ALNUM = 1, 2, 4, 8, 16, 32  # str.isspace ... ; DECIMAL is \d
WORD = 64  # \w: alphanumeric or underscore
CAPITAL = 128  # category Lu
STARTER = 256  # category Lu or Lo: what a sentence may start with
BLANK = 512  # category N, Z or C: numbers, separators and controls
SYMBOL = 4096  # "#" and U+2026
OPENING, CLOSING = 1024, 2048  # quotes and brackets before and behind a sentence

_OPENINGS, _CLOSINGS = "'\"([\u00bf\u00a1", "'\")]"


@functools.cache
def kinds() -> NDArray[np.uint16]:
    """Return what each code point below TABLE_SIZE is, as a sum of the bits above."""
    return np.fromiter((_kind_of(chr(c)) for c in range(TABLE_SIZE)), np.uint16, TABLE_SIZE)


def _kind_of(char: str) -> int:
    category = unicodedata.category(char)
    kind = SPACE * char.isspace() | ALPHA * char.isalpha() | UPPER * char.isupper()
    kind |= DIGIT * char.isdigit() | DECIMAL * char.isdecimal() | ALNUM * char.isalnum()
    kind |= WORD * (char.isalnum() or char == "_") | CAPITAL * (category == "Lu")
    kind |= STARTER * (category in {"Lu", "Lo"}) | BLANK * (category[0] in "NZC")
    kind |= OPENING * (category == "Pi" or char in _OPENINGS)
    kind |= SYMBOL * (char in "#\u2026")
    return kind | CLOSING * (category == "Pf" or char in _CLOSINGS)
