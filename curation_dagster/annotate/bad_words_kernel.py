"""The compiled loop of `bad_words`: hash each term, and compare entries where one begins with it.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.bad_words import FILTER_BITS
from curation_dagster.compiled import njit
from curation_dagster.words import DIGIT, LETTER, SPACE, TABLE_SIZE, UNSPACED
from curation_dagster.words_kernel import OFFSET, PRIME, U, decode, mix

ALNUM = LETTER | DIGIT
FILTER = U((1 << FILTER_BITS) - 1)


@njit
def _kind(code, classes):
    return classes[code] if code < TABLE_SIZE else np.uint8(0)


@njit
def _end(data, i, end, codes, classes, lower):
    """Return where an entry that begins at `i` ends, or -1."""
    last = np.uint8(0)
    for k in range(len(codes)):
        if i >= end:
            return -1
        code, after = decode(data, i)
        last = _kind(code, classes)
        if codes[k] == 32:
            if not last & SPACE:
                return -1
            while i < end:
                code, after = decode(data, i)
                if not _kind(code, classes) & SPACE:
                    break
                i = after
            continue
        if codes[k] != (lower[code] if code < TABLE_SIZE else code):
            return -1
        i = after
    if i < end and last & ALNUM and not last & UNSPACED:
        code, _ = decode(data, i)
        follows = _kind(code, classes)
        if follows & ALNUM and not follows & UNSPACED:
            return -1
    return i


@njit
def _longest(data, i, end, h, classes, lower, keys, codes, starts):
    """Return where the longest entry that begins at `i` with the term `h` ends, or -1."""
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < h:
            low = middle + 1
        else:
            high = middle
    best = -1
    while low < len(keys) and keys[low] == h:
        entry = codes[starts[low] : starts[low + 1]]
        best = max(best, _end(data, i, end, entry, classes, lower))
        low += 1
    return best


@njit(nogil=True, cache=True)
def count(data, offsets, classes, lower, keys, codes, starts, first_bits, found):
    """Write how often entries occur in each text."""
    for d in range(len(offsets) - 1):
        i, end = offsets[d], offsets[d + 1]
        while i < end:
            start = i
            code, i = decode(data, i)
            kind = _kind(code, classes)
            if not kind & ALNUM:
                continue
            if kind & UNSPACED:
                h = (OFFSET ^ U(code)) * PRIME
            else:
                h = (OFFSET ^ U(lower[code])) * PRIME
                while i < end:
                    code, after = decode(data, i)
                    kind = _kind(code, classes)
                    if not kind & ALNUM or kind & UNSPACED:
                        break
                    h = (h ^ U(lower[code])) * PRIME
                    i = after
            h = mix(h)
            if first_bits[h & FILTER]:
                stop = _longest(data, start, end, h, classes, lower, keys, codes, starts)
                if stop > 0:
                    found[d] += np.uint32(1)
                    i = stop
