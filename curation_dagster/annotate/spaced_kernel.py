"""The compiled loop of `spaced`.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,assignment"

import numpy as np

from curation_dagster.annotate.spaced import (
    HAS_ALPHA,
    HAS_SYMBOL,
    IS_STOP,
    IS_STOP_ANY_CASE,
    STOP_WORDS,
)
from curation_dagster.annotate.splitter_kernel import BASE
from curation_dagster.annotate.str_classes import ALPHA, SPACE, SYMBOL
from curation_dagster.annotate.str_classes_kernel import NONE, kind_of
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import U, decode

DOT, ELLIPSIS = 0x2E, 0x2026
STOPS = np.array([int.from_bytes(b"\1" + word.encode()) for word in STOP_WORDS], np.int64)


@njit
def stop_flags(data, begin, end):
    """Return the flags of a word of at most four bytes."""
    packed = 1
    for i in range(begin, end):
        packed = packed << 8 | np.int64(data[i])
    flags = 0
    for stop in STOPS:
        flags |= IS_STOP * (packed == stop)
        flags |= IS_STOP_ANY_CASE * (packed | 0x20202020 == stop | 0x20202020)
    return flags


@njit(nogil=True, cache=True)
def split(data, offsets, table, lower, words):
    """Fill `words`; return how many there are."""
    first, hashes, chars, flags = words
    fold = len(lower) > 0
    n = 0
    for d in range(len(offsets) - 1):
        first[d] = n
        i, stop = offsets[d], offsets[d + 1]
        while i < stop:
            code, after = decode(data, i)
            kind = kind_of(table, code)
            if kind & SPACE:
                i = after
                continue
            begin = i
            h = U(0)
            length = 0
            some = NONE
            while True:
                some |= kind
                if fold and code < TABLE_SIZE:
                    code = np.int64(lower[code])
                    if code == ELLIPSIS:
                        h = (h * BASE + U(DOT + 1)) * BASE + U(DOT + 1)
                        length += 2
                        code = DOT
                h = h * BASE + U(code + 1)
                length += 1
                i = after
                if i >= stop:
                    break
                code, after = decode(data, i)
                kind = kind_of(table, code)
                if kind & SPACE:
                    break
            hashes[n] = h
            chars[n] = length
            flags[n] = HAS_ALPHA * (some & ALPHA > 0) | HAS_SYMBOL * (some & SYMBOL > 0)
            if 2 <= i - begin <= 4:
                flags[n] |= stop_flags(data, begin, i)
            n += 1
    first[len(offsets) - 1] = n
    return n
