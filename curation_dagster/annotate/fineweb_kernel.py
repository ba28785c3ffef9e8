"""The compiled loop of `fineweb`: lines, their ends, their lengths and their copies.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,assignment"

import numpy as np

from curation_dagster.annotate.gopher_kernel import mask_for, ratio
from curation_dagster.annotate.splitter import SPACE, TERMINAL
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import OFFSET, PRIME, U, decode, mix, put

FEED = 0x0A


@njit(nogil=True, cache=True)
def measure(data, offsets, table, first, short_line_chars, keys, stamps, ratios):
    """Fill ratios[4, docs] in the order of `fineweb.FAMILY`; the set holds twice the lines of any text."""
    for d in range(len(offsets) - 1):
        i, stop = offsets[d], offsets[d + 1]
        feeds = 0
        for k in range(i, stop):
            feeds += data[k] == FEED
        mask = mask_for(feeds + 1)
        lines = ended = short = copied = points = 0
        while i <= stop:
            h = OFFSET
            length = 0
            blank = True
            kind = np.uint16(0)
            while i < stop and data[i] != FEED:
                code, after = decode(data, i)
                kind = table[code] if code < TABLE_SIZE else np.uint16(0)
                blank = blank and kind & SPACE > 0
                h = (h ^ U(code)) * PRIME
                length += 1
                i = after
            i += 1
            points += length
            if not blank:
                lines += 1
                ended += kind & TERMINAL > 0
                short += length <= short_line_chars
                _, seen = put(keys, stamps, d + 1, mask, mix(h))
                copied += length * seen
        ratios[0, d] = ratio(ended, lines)
        ratios[1, d] = ratio(short, lines)
        ratios[2, d] = ratio(copied, points)
        ratios[3, d] = ratio(feeds, first[d + 1] - first[d])
