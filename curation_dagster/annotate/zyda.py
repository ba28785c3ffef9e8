r"""The signals of Zyda's filter (Tokpanov et al., 2024, arXiv:2406.01981), as Zyphra/Zyda_processing computes them.

What the reference code (preprocess_and_filter.py, filtering.py) leaves to be known:

- Patterns are regular expressions though they look like text: "www." is "www" and any character but LF, and
  "<?xml version=" is "xml version=" with or without "<" in front of it.
- The length, and what counts are divided by, are of the *squeezed* text: a run of ten or more of - _ / . , : ? LF CR
  NBSP (20 tabs or backslashes, 40 spaces) is one of them, of backslashes two. Counts are of the text as it is.
- Words are what stands between single white spaces, - / \ and full stops, empty ones included.
- A repeated substring is a run of seven or more of one letter, digit or "_", in the squeezed text.
- A list's entries are plain phrases here, each counted once however often it is listed; in the reference they
  are regular expressions, and a second copy counts again.

A ratio of a text without characters is null, and so is a signal whose list is not given. Not here: deduplication.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curation_dagster.annotate import phrases
from curation_dagster.annotate.characters import table
from curation_dagster.annotate.family import Family, Signal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation_dagster.annotate.family import Chunk
    from curation_dagster.recipe_rule_sets import Zyda
    from curation_dagster.section import File

SPACE, WORD, DECIMAL, BREAK, OPENS = 1, 2, 4, 8, 16
SQUEEZED = (("-_/.,:?\n\r\xa0", 10), ("\t\\", 20), (" ", 40))  # characters, and from how many on
REPEATED_RUN = 7

_COUNTS = (
    Signal("zyda_char_count", pl.UInt32, "Code points of the squeezed text."),
    Signal("zyda_repeated_run_count", pl.UInt32, "Runs of at least seven of one letter or digit."),
    Signal("zyda_xml_count", pl.UInt32, "Occurrences of 'xml'."),
    Signal("zyda_xml_declaration_count", pl.UInt32, "Occurrences of 'xml version='."),
    Signal("zyda_lorem_ipsum_count", pl.UInt32, "Occurrences of 'lorem ipsum'."),
)
_RATIOS = (
    Signal("zyda_mean_word_chars", pl.Float64, r"Mean code points between white space, - / \ ."),
    Signal(
        "zyda_non_alnum_char_ratio",
        pl.Float64,
        "Code points that are no letter, digit, space or '_'.",
    ),
    Signal("zyda_digit_char_ratio", pl.Float64, "Code points that are decimal digits."),
    Signal(
        "zyda_https_char_ratio", pl.Float64, "Occurrences of 'https://', by squeezed code points."
    ),
    Signal("zyda_less_than_char_ratio", pl.Float64, "Occurrences of '<', by squeezed code points."),
    Signal(
        "zyda_quote_colon_char_ratio", pl.Float64, "Occurrences of '\":', by squeezed code points."
    ),
    Signal(
        "zyda_www_char_ratio",
        pl.Float64,
        "Occurrences of 'www' and a character, by squeezed code points.",
    ),
)
_LISTED = (
    Signal("zyda_zh_porn_count", pl.UInt32, "Occurrences of the list `zh_porn`."),
    Signal("zyda_sexual_word_count", pl.UInt32, "Occurrences of the list `sexual_words`."),
    Signal("zyda_sexual_word_char_ratio", pl.Float64, "The same, by squeezed code points."),
    Signal("zyda_profanity_char_ratio", pl.Float64, "The same of the list `profanity`."),
    Signal("zyda_cursed_char_ratio", pl.Float64, "The same of the list `cursed_substrings`."),
)  # fmt: skip


@functools.cache
def _classes() -> NDArray[np.uint8]:
    return table(
        (SPACE, str.isspace),
        (WORD, lambda char: char.isalnum() or char == "_"),
        (DECIMAL, str.isdecimal),
        (BREAK, str.isspace),
        (BREAK, "-/\\."),
        (OPENS, '<"hwxl'),
    )


@functools.cache
def _squeezed_from() -> NDArray[np.int64]:
    """Return for each code point below 256 from how many on a run of it is squeezed; 0 for never."""
    least = np.zeros(256, np.int64)
    for chars, count in SQUEEZED:
        least[[ord(char) for char in chars]] = count
    return least


def _measure(chunk: Chunk, judge: Zyda) -> dict[str, NDArray[Any]]:
    from curation_dagster.annotate import zyda_kernel  # loads numba

    counts = np.zeros((len(_COUNTS), len(chunk)), np.uint32)
    ratios = np.empty((len(_RATIOS), len(chunk)))
    zyda_kernel.measure(chunk.data, chunk.offsets, _classes(), _squeezed_from(), counts, ratios)
    chars = np.where(counts[0], counts[0].astype(float), np.nan)
    porn, sexual, profanity, cursed = (
        _occurrences(chunk, file)
        for file in (judge.zh_porn, judge.sexual_words, judge.profanity, judge.cursed_substrings)
    )
    listed = (porn, sexual, sexual / chars, profanity / chars, cursed / chars)
    return dict(zip(FAMILY.columns, (*counts, *ratios, *listed), strict=True))


def _occurrences(chunk: Chunk, file: File | None) -> NDArray[np.float64]:
    """Count what a list says; without a list nothing is known."""
    if file is None:
        return np.full(len(chunk), np.nan)
    found: NDArray[np.float64] = phrases.count(chunk, file)[0].astype(np.float64)
    return found


FAMILY = Family(
    "Zyda",
    "Tokpanov et al., 2024, arXiv:2406.01981; Zyphra/Zyda_processing, zyda/utils/filtering.py",
    (*_COUNTS, *_RATIOS, *_LISTED),
    _measure,
)
