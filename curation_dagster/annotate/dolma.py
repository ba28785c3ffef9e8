"""Dolma's variant of the Gopher rules, and its repetition rule (Soldaini et al., 2024, arXiv:2402.00159).

As allenai/dolma has them: `python/dolma/taggers/gopher.py` ("gopher_v1"), `taggers/repetitions`, and the thresholds of
`configs/dolma-v1_6/mixing/cc-*.yaml`. What differs from other variants:

- Words are those between white space, punctuation and all; stop words are counted every time, and only if they stand
  alone in lower case. Word length is the median. A symbol word has a "#" or U+2026 in it ("..." is none).
- Lines are what lies between LFs, empty ones included. A bullet is "*" or "-" as the very first character, an ellipsis
  U+2026 as the very last. Of equal lines all count as copies, the first too, and so do empty ones.
- Shares of characters are of the code points of words, so that of copied lines may exceed 1. The top n-gram is the
  most frequent, the first of several, without the spaces between its words, and counts even if it occurs once.
- The characters of n-grams that occur twice are divided by those of all n-grams, overlaps counted again in both.
- A repetition is the most times in a row that a sequence of 1 to 13 words stands, from 3 on. Dolma takes the tokens of
  the GPT-NeoX tokenizer, in windows of 100,000 characters; ours are words by white space, so that a repetition inside
  a word ("hahaha") is not seen, and one of thirteen long words is.

A text of fewer than n words has no n-gram, so none that repeats: 0. A ratio without a denominator is null (Dolma: 0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curation_dagster.annotate import ngrams, str_classes
from curation_dagster.annotate.family import Family, Signal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation_dagster.annotate.family import Chunk

_COUNTS = (
    Signal("dolma_word_count", pl.UInt32, "Words by white space."),
    Signal("dolma_stop_word_count", pl.UInt32, "Stop words among them, every time."),
    Signal(
        "dolma_repetition_count",
        pl.UInt32,
        "Most times in a row that a sequence of 1 to 13 words stands; 0 below three.",
    ),
)
_RATIOS = (
    Signal("dolma_median_word_chars", pl.Float64, "Median code points of the words."),
    Signal("dolma_symbol_word_ratio", pl.Float64, "Words with '#' or U+2026."),
    Signal("dolma_alpha_word_ratio", pl.Float64, "Words with at least one letter."),
    Signal("dolma_bullet_line_ratio", pl.Float64, "Lines that start with '*' or '-'."),
    Signal("dolma_ellipsis_line_ratio", pl.Float64, "Lines that end with U+2026."),
    Signal("dolma_dup_line_ratio", pl.Float64, "Lines that have a copy."),
    Signal(
        "dolma_dup_line_char_ratio",
        pl.Float64,
        "Code points of lines that have a copy, by those of words.",
    ),
    *(
        Signal(
            f"dolma_top_{n}gram_char_ratio",
            pl.Float64,
            f"Code points of the words of the most frequent word {n}-gram, times its count.",
        )
        for n in range(2, 5)
    ),
    *(
        Signal(
            f"dolma_dup_{n}gram_char_ratio",
            pl.Float64,
            f"Code points of word {n}-grams that have a copy, by those of all word {n}-grams.",
        )
        for n in range(5, 11)
    ),
)


def _measure(chunk: Chunk, judge: object) -> dict[str, NDArray[Any]]:  # noqa: ARG001 - as every family's
    from curation_dagster.annotate import dolma_kernel  # loads numba

    counts = np.empty((len(_COUNTS), len(chunk)), np.uint32)
    ratios = np.empty((len(_RATIOS), len(chunk)))
    dolma_kernel.measure(
        chunk.data,
        chunk.offsets,
        str_classes.kinds(),
        chunk.spaced,
        ngrams.scratch(chunk.spaced.most, chunk.most_lines),
        counts,
        ratios,
    )
    return dict(zip(FAMILY.columns, (*counts, *ratios), strict=True))


FAMILY = Family(
    "Dolma 1.6 (Gopher rules, repetitions)",
    "Soldaini et al., 2024, arXiv:2402.00159; allenai/dolma, configs/dolma-v1_6",
    (*_COUNTS, *_RATIOS),
    _measure,
)
