"""The compiled loop of `lines`.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,assignment"

import numpy as np

from curation_dagster.annotate.lines import ENDS_SENTENCE, IS_BLANK
from curation_dagster.annotate.splitter import SPACE, TERMINAL
from curation_dagster.annotate.splitter_kernel import BASE
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import U, decode, mix

FEED = 0x0A


@njit
def _is_blank(data, begin, end, table):
    i = begin
    while i < end:
        code, i = decode(data, i)
        if not (code < TABLE_SIZE and table[code] & SPACE):
            return False
    return True


@njit
def hash_bytes(data, begin, end):
    """Hash a span of bytes, as a line is."""
    h = U(0)
    for i in range(begin, end):
        h = h * BASE + U(data[i] + np.uint64(1))
    return mix(h)


@njit(nogil=True, cache=True)
def split(data, offsets, table, lines):
    """Fill `lines` with the lines of every text."""
    first, start, end, hashes, chars, flags = lines
    n = 0
    for d in range(len(offsets) - 1):
        first[d] = n
        i, stop = offsets[d], offsets[d + 1]
        while True:
            begin = i
            h = U(0)
            length = solid = 0
            while i < stop and data[i] != FEED:
                c = data[i]
                h = h * BASE + U(c + np.uint64(1))
                length += (c & 0xC0) != 0x80
                solid |= 0x20 < c < 0x7F
                i += 1
            start[n], end[n], hashes[n], chars[n] = begin, i, mix(h), length
            flags[n] = 0
            if not solid and _is_blank(data, begin, i, table):
                flags[n] = IS_BLANK
            else:
                last = i - 1
                while data[last] & 0xC0 == 0x80:
                    last -= 1
                code, _ = decode(data, last)
                if code < TABLE_SIZE and table[code] & TERMINAL:
                    flags[n] = ENDS_SENTENCE
            n += 1
            if i >= stop:
                break
            i += 1
    first[len(offsets) - 1] = n
