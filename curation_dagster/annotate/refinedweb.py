"""RefinedWeb's line-wise corrections (Penedo et al., 2023, arXiv:2306.01116, section 3.2), as DCLM has them.

The paper names the lines and the 5 % rule, but no numbers; those are DCLM's (mlfoundations/dclm, baselines/mappers).
Lines are what lies between LFs. In this order, each step over the whole text, lines are dropped

1. that are mostly capitals: more than `max_uppercase_ratio` of their code points (`str.isupper`), spaces included;
2. that are digits only (`str.isdigit`): more than `max_digit_ratio`, so not "1,234" or "12 34";
3. that are counters ("3 likes", "1.2k views"), case folded, with any punctuation around;
4. of fewer than `min_words` words by white space. Empty lines stay; those of white space go.

Then lines of at most `max_phrase_words` words lose "items in cart" wherever it is, "Read more..." at the end and
"Sign-in" at the start, whatever the case, with one white space before (behind "Sign-in"); a line of which nothing is
left goes. With `phrases = "line"` the whole line goes. As in DCLM the dots of "Read more..." are any three
characters. After every step but the fourth the text loses white space at its ends.

`refinedweb_removed_word_ratio` compares the words before and after all of it: runs between ASCII white space that
start with a letter or digit, which is what DCLM takes from fastText's tokenizer. It is null where a text has none.
DCLM drops a page as soon as a step leaves nothing; here its text is empty, and all of its words were removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curation_dagster.annotate import str_classes
from curation_dagster.annotate.family import Edit, Edited, Family, Signal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation_dagster.annotate.family import Chunk
    from curation_dagster.recipe_edits import RefinedWebLines

COUNTERS = (
    "likes shares comments retweets reposts quotes bookmarks upvotes downvotes downloads views followers"
).split()
PHRASES = ("items in cart", "read more", "sign-in")
_NOTES = (
    Signal("refinedweb_line_count", pl.UInt32, "Lines (by LF) before RefinedWeb's corrections."),
    Signal("refinedweb_uppercase_line_count", pl.UInt32, "Lines dropped as mostly capitals."),
    Signal("refinedweb_digit_line_count", pl.UInt32, "Lines dropped as digits only."),
    Signal("refinedweb_counter_line_count", pl.UInt32, "Lines dropped as counters."),
    Signal("refinedweb_short_line_count", pl.UInt32, "Lines dropped for want of words."),
    Signal(
        "refinedweb_phrase_line_count",
        pl.UInt32,
        "Lines that lost a phrase, or were dropped for it.",
    ),
    Signal(
        "refinedweb_removed_word_ratio",
        pl.Float64,
        "Words that RefinedWeb's corrections removed, by those before.",
    ),
)
_SIGNALS = (
    Signal(
        "refinedweb_word_count",
        pl.UInt32,
        "Words between ASCII white space that start with a letter or digit.",
    ),
)


def _lines(chunk: Chunk, step: RefinedWebLines) -> Edited:
    from curation_dagster.annotate import refinedweb_kernel  # loads numba

    out = np.empty(chunk.offsets[-1] - chunk.offsets[0], np.uint8)
    ends = np.zeros(len(chunk) + 1, np.int64)
    counts = np.zeros((len(_NOTES) - 1, len(chunk)), np.uint32)
    removed = np.empty(len(chunk))
    refinedweb_kernel.lines(
        chunk.data,
        chunk.offsets,
        str_classes.kinds(),
        (step.max_uppercase_ratio, step.max_digit_ratio),
        (step.counters, step.min_words, step.max_phrase_words, step.phrases == "substring"),
        np.empty((2, chunk.most_lines), np.int64),
        out,
        ends,
        counts,
        removed,
    )
    notes = dict(zip(LINES.columns, (*counts, removed), strict=True))
    return Edited(out[: ends[-1]], ends, notes)


def _page(chunk: Chunk, judge: object) -> dict[str, NDArray[Any]]:  # noqa: ARG001 - as every family's
    from curation_dagster.annotate import refinedweb_kernel  # loads numba

    counts = np.empty(len(chunk), np.uint32)
    refinedweb_kernel.page(chunk.data, chunk.offsets, str_classes.kinds(), counts)
    return {"refinedweb_word_count": counts}


_SOURCE = (
    "Penedo et al., 2023, arXiv:2306.01116, section 3.2; mlfoundations/dclm, baselines/mappers"
)
LINES = Edit("RefinedWeb line-wise corrections", _SOURCE, _NOTES, _lines)
PAGE = Family("RefinedWeb page rule", _SOURCE, _SIGNALS, _page)
