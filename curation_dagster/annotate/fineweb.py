"""FineWeb's own signals (Penedo et al., 2024, arXiv:2406.17557), as datatrove 0.10.1 computes them.

Lines are what lies between LFs and is not blank, white space included. A line ends a sentence if its very
last character is a sentence mark (`splitter.TERMINALS`). The denominator of the copied characters is all
characters but LF, blank lines included. LFs are divided by the words of `splitter`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curation_dagster.annotate.family import Family, Signal, set_slots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation_dagster.annotate.family import Chunk
    from curation_dagster.recipe_judges import FineWeb

_SIGNALS = (
    Signal("fineweb_terminal_line_ratio", pl.Float64, "Lines that end with a sentence mark."),
    Signal(
        "fineweb_short_line_ratio",
        pl.Float64,
        "Lines of at most `short_line_chars` code points (30).",
    ),
    Signal("fineweb_dup_line_char_ratio", pl.Float64, "Code points in lines that occurred before."),
    Signal("fineweb_newline_word_ratio", pl.Float64, "LFs, by words."),
)


def _measure(chunk: Chunk, judge: FineWeb) -> dict[str, NDArray[Any]]:
    from curation_dagster.annotate import fineweb_kernel  # loads numba

    slots = set_slots(chunk.lines.first)
    ratios = np.empty((len(_SIGNALS), len(chunk)))
    fineweb_kernel.measure(
        chunk.lines,
        chunk.words.first,
        judge.short_line_chars,
        np.empty(slots, np.uint64),
        np.zeros(slots, np.int32),
        ratios,
    )
    return dict(zip(FAMILY.columns, ratios, strict=True))


FAMILY = Family("FineWeb", "Penedo et al., 2024, arXiv:2406.17557, section 3.5", _SIGNALS, _measure)
