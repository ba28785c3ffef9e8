"""The signals of the Gopher rules (Rae et al., 2021, appendix A1.1), as in datatrove but on words.

A word is a maximal run of characters that are not white space (`str.split`), punctuation included;
datatrove asks spaCy and leaves words of punctuation out of count and mean. So thresholds carry over
roughly, not exactly. Furthermore:

- A stop word is compared without the ASCII punctuation around it ("the," is one; "The" is not).
- An n-gram is a sequence of words: "a bc" is not "ab c". The top n-gram is the most frequent one,
  the longest of several, and counts nothing if it occurs once. Its ratio is at most 1, though its
  copies may overlap.
- Lines are `str.splitlines` for quality, empty ones included; for repetition what lies between LFs,
  and paragraphs what lies between runs of two or more in the stripped text; an empty piece at
  either end is none.
- "#" and ellipses are counted per word, and their ratios may exceed 1.

A ratio without a denominator is null. Not here: thresholds (`clean.rules`).
"""

from __future__ import annotations

import functools
import string
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import polars.selectors as cs

from curation_dagster.words import LETTER, TABLE_SIZE, buffers, tables
from curation_dagster.words import SPACE as IS_SPACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPACE, ALPHA, LINE_END, PUNCT = 1, 2, 4, 8
LINE_ENDS = "\n\x0b\x0c\r\x1c\x1d\x1e\x85\u2028\u2029"
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
COUNTS = ("gopher_word_count", "gopher_stop_word_count")
QUALITY = (
    "gopher_mean_word_chars",
    "gopher_hash_word_ratio",
    "gopher_ellipsis_word_ratio",
    "gopher_bullet_line_ratio",
    "gopher_ellipsis_line_ratio",
    "gopher_alpha_word_ratio",
)
REPETITION = (
    "gopher_dup_line_ratio",
    "gopher_dup_paragraph_ratio",
    "gopher_dup_line_char_ratio",
    "gopher_dup_paragraph_char_ratio",
    *(f"gopher_top_{n}gram_char_ratio" for n in range(2, 5)),
    *(f"gopher_dup_{n}gram_char_ratio" for n in range(5, 11)),
)


@functools.cache
def _kinds() -> NDArray[np.uint8]:
    """Give what the loops ask of a code point: white space, letter, line end, ASCII punctuation."""
    classes, _ = tables()
    kinds = np.zeros(TABLE_SIZE, np.uint8)
    kinds[classes & IS_SPACE > 0] |= SPACE
    letters = [c for c in np.flatnonzero(classes & LETTER).tolist() if chr(c).isalpha()]
    for bit, codes in (
        (ALPHA, letters),
        (LINE_END, [ord(c) for c in LINE_ENDS]),
        (PUNCT, [ord(c) for c in string.punctuation]),
    ):
        kinds[codes] |= bit
    return kinds


def measure_quality(texts: pl.Series) -> pl.DataFrame:
    """Measure what the quality rules decide on; a null text has null signals.

    >>> measure_quality(pl.Series(["- to be, or..."]))["gopher_stop_word_count"].item()
    2
    """
    from curation_dagster.annotate import gopher_kernel  # loads numba

    data, offsets, owner = buffers(texts)
    stops = np.array([int.from_bytes(word.encode(), "big") for word in STOP_WORDS], np.uint64)
    counts = np.zeros((len(COUNTS), len(texts)), np.uint32)
    ratios = np.empty((len(QUALITY), len(texts)))
    gopher_kernel.quality(data, offsets, _kinds(), stops, counts, ratios)
    del owner  # the Arrow array outlives the views into it
    frame = pl.DataFrame(dict(zip((*COUNTS, *QUALITY), (*counts, *ratios), strict=True)))
    return _known(frame, texts)


def measure_repetition(texts: pl.Series) -> pl.DataFrame:
    """Measure what the repetition rules decide on; a null text has null signals.

    Scratch: at most 40 bytes per byte of the longest text, about 10 per byte of prose.
    """
    from curation_dagster.annotate import gopher_kernel  # loads numba

    data, offsets, owner = buffers(texts)
    most = int(np.diff(offsets).max(initial=0)) // 2 + 2  # words, or lines, of the longest text
    slots = max(16, 1 << (2 * most).bit_length())  # as `gopher_kernel._mask_for`
    ratios = np.empty((len(REPETITION), len(texts)))
    gopher_kernel.repetition(
        data,
        offsets,
        _kinds(),
        np.empty(most + 1, np.uint64),
        np.empty(most + 1, np.int64),
        np.empty(most, np.int32),
        np.empty(most, np.bool_),
        np.empty(slots, np.uint64),
        np.zeros(slots, np.int32),
        np.empty((slots, 3), np.int32),
        ratios,
    )
    del owner  # the Arrow array outlives the views into it
    return _known(pl.DataFrame(dict(zip(REPETITION, ratios, strict=True))), texts)


def _known(frame: pl.DataFrame, texts: pl.Series) -> pl.DataFrame:
    """Say null where there was nothing to divide by, or no text."""
    frame = frame.with_columns(cs.float().fill_nan(None))
    if not texts.null_count():
        return frame
    return frame.with_columns(pl.when(texts.is_not_null()).then(pl.all()))
