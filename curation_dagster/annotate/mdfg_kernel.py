"""The compiled loop of `mdfg`: one pass over code points, one over n-grams of characters.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.gopher_kernel import ratio
from curation_dagster.annotate.mdfg import BLANK, FIRST_HAN, LAST_HAN, SPACE
from curation_dagster.annotate.repeats_kernel import repeats
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import decode

FEED = 0x0A


@njit(nogil=True, cache=True)
def measure(data, offsets, table, lower, n, symbols, scratch, counts, ratios):
    """Fill counts[2, docs] with code points and lines, and ratios[3, docs] in the order of `mdfg.FAMILY`."""
    for d in range(len(offsets) - 1):
        i, end = offsets[d], offsets[d + 1]
        points = feeds = hans = size = kept = 0
        while i < end:
            code, after = decode(data, i)
            kind, small = np.uint8(0), np.uint32(code)
            if code < TABLE_SIZE:
                kind, small = table[code], lower[code]
            points += 1
            feeds += code == FEED
            hans += FIRST_HAN <= code <= LAST_HAN
            if not kind & BLANK and (size > 0 or not kind & SPACE):
                symbols[size] = small
                size += 1
                if not kind & SPACE:
                    kept = size  # white space behind it may be the text's end
            i = after
        total = kept - n
        found = repeats(symbols, total, n, scratch)
        counts[0, d], counts[1, d] = points, feeds + 1
        ratios[0, d] = ratio(points, feeds + 1)
        ratios[1, d] = ratio(hans, points)
        ratios[2, d] = found[0] / total if total > 0 else 0.0
