"""The signals of MDFG's rules for Chinese text (Zhang et al., 2024, arXiv:2411.19668), as ChineseWebText-2.0 has them.

What the reference code (preprocess.py) leaves to be known:

- Lines are what lies between LFs, empty ones included. A Chinese character is U+4E00 to U+9FA5.
- Sensitive words are counted once each, however often they occur (the README says: occurrences), by lines.
- Repetition is of 13 characters of the text without the white space around it, without spaces, tabs and LFs, in lower
  case. The last n-gram of a text is not looked at, nor are those of a text of 13 characters or fewer.
- Traditional characters are what zhconv would change for zh-cn. Its tables are not ours: give a list of characters and
  phrases, and their occurrences are counted.

A ratio without a denominator is null, and so is a signal whose list is not given. Not here: models of quality,
domain and toxicity.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curation_dagster.annotate import characters, phrases
from curation_dagster.annotate.family import Family, Signal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation_dagster.annotate.family import Chunk
    from curation_dagster.recipe_rule_sets import MDFG

FIRST_HAN, LAST_HAN = 0x4E00, 0x9FA5
SPACE, BLANK = 1, 2
_SIGNALS = (
    Signal("mdfg_char_count", pl.UInt32, "Code points."),
    Signal("mdfg_mean_line_chars", pl.Float64, "Code points, LFs included, by lines."),
    Signal("mdfg_han_char_ratio", pl.Float64, "Code points from U+4E00 to U+9FA5."),
    Signal(
        "mdfg_repeated_ngram_ratio",
        pl.Float64,
        "N-grams of `ngram_chars` characters (13) that occur more than once.",
    ),
    Signal(
        "mdfg_sensitive_word_line_ratio",
        pl.Float64,
        "Different phrases of the list `sensitive_words`, by lines.",
    ),
    Signal("mdfg_traditional_count", pl.UInt32, "Occurrences of the list `traditional`."),
)


@functools.cache
def _classes() -> NDArray[np.uint8]:
    return characters.table((SPACE, str.isspace), (BLANK, " \n\t"))


def _measure(chunk: Chunk, judge: MDFG) -> dict[str, NDArray[Any]]:
    """Measure the rules' signals. Scratch: 70 bytes for every byte of the longest text."""
    from curation_dagster.annotate import mdfg_kernel  # loads numba
    from curation_dagster.annotate.repeats_kernel import scratch_for

    longest = int(np.diff(chunk.offsets).max(initial=0))
    counts = np.zeros((2, len(chunk)), np.int64)
    ratios = np.empty((3, len(chunk)))
    mdfg_kernel.measure(
        chunk.data,
        chunk.offsets,
        _classes(),
        characters.lower(),
        judge.ngram_chars,
        np.empty(longest + 1, np.uint32),
        scratch_for(longest),
        counts,
        ratios,
    )
    chars, lines = counts
    sensitive = traditional = np.full(len(chunk), np.nan)
    if judge.sensitive_words:
        sensitive = phrases.count(chunk, judge.sensitive_words)[1] / lines
    if judge.traditional:
        traditional = phrases.count(chunk, judge.traditional)[0].astype(float)
    return dict(zip(FAMILY.columns, (chars, *ratios, sensitive, traditional), strict=True))


FAMILY = Family(
    "MDFG rules for Chinese",
    "Zhang et al., 2024, arXiv:2411.19668; CASIA-LM/ChineseWebText-2.0, preprocess.py",
    _SIGNALS,
    _measure,
)
