"""How text becomes lines: what LFs separate, found once for all signals that are about lines.

A text has one line more than it has LFs; a line may be empty. Not here: `str.splitlines`, which some rules mean by
lines; its pieces are counted where they are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from curation_dagster.annotate.splitter import classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

IS_BLANK, ENDS_SENTENCE = 1, 2


class Lines(NamedTuple):
    """The lines of a run of texts, as arrays that kernels read; text d has the lines first[d] to first[d + 1]."""

    first: NDArray[np.int64]
    start: NDArray[np.int64]  # byte in the data
    end: NDArray[np.int64]  # the LF is not in it
    hash: NDArray[np.uint64]  # of its bytes
    chars: NDArray[np.int32]  # code points
    flags: NDArray[np.uint8]  # of white space only; last character is a sentence mark


def split(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Lines:
    """Find the lines of the texts data[offsets[d]:offsets[d + 1]]."""
    from curation_dagster.annotate import lines_kernel  # loads numba

    docs = len(offsets) - 1
    n = docs + int(np.count_nonzero(data[offsets[0] : offsets[-1]] == ord("\n")))
    lines = Lines(
        np.empty(docs + 1, np.int64),
        np.empty(n, np.int64),
        np.empty(n, np.int64),
        np.empty(n, np.uint64),
        np.empty(n, np.int32),
        np.empty(n, np.uint8),
    )
    lines_kernel.split(data, offsets, classes(), lines)
    return lines
