"""Compiled steps over characters and lines: what stands here, what stood before, where white space ends.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.str_classes import ALNUM, SPACE
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import OFFSET, PRIME, U, decode, mix, put

FEED = 0x0A
NONE = np.uint16(0)


@njit(inline="always")
def kind_of(table, code):
    """Return what a code point is."""
    return table[code] if code < TABLE_SIZE else NONE


@njit(inline="always")
def before(data, i):
    """Return where the code point before byte i starts."""
    i -= 1
    while data[i] & 0xC0 == 0x80:
        i -= 1
    return i


@njit
def trim(data, begin, end, table):
    """Return the span without the white space at its ends, as `str.strip` does."""
    while begin < end:
        code, after = decode(data, begin)
        if not kind_of(table, code) & SPACE:
            break
        begin = after
    while end > begin:
        i = before(data, end)
        code, _ = decode(data, i)
        if not kind_of(table, code) & SPACE:
            break
        end = i
    return begin, end


@njit(inline="always")
def is_gap(byte):
    """Tell what fastText's tokenizer splits at: ASCII white space and NUL."""
    return (byte == 0x20) | (byte - np.uint8(9) <= np.uint8(4)) | (byte == 0)


@njit
def counted_words(data, begin, end, table):
    """Count what DCLM calls words: runs between ASCII white space that start with a letter or digit.

    First those that start with ASCII, without a branch, then the others, where there are any.
    """
    found = 0
    high = np.uint8(0)
    gap = True
    for i in range(begin, end):
        byte = data[i]
        letter = 97 <= byte | 0x20 <= 122 and byte < 0x80
        found += gap & (letter | (48 <= byte <= 57))
        gap = is_gap(byte)
        high |= byte
    if high < 0x80:
        return found
    for i in range(begin, end):
        if data[i] >= 0xC0 and (i == begin or is_gap(data[i - 1])):
            code, _ = decode(data, i)
            found += kind_of(table, code) & ALNUM > 0
    return found


@njit
def hashed(data, begin, end):
    """Hash bytes in two lanes (FNV-1a over every other byte each), and count their code points."""
    odd, even = OFFSET, PRIME
    points = 0
    i = begin
    while i + 1 < end:
        odd = (odd ^ U(data[i])) * PRIME
        even = (even ^ U(data[i + 1])) * PRIME
        points += (data[i] & 0xC0 != 0x80) + (data[i + 1] & 0xC0 != 0x80)
        i += 2
    if i < end:
        odd = (odd ^ U(data[i])) * PRIME
        points += data[i] & 0xC0 != 0x80
    return mix(mix(odd) + even), points


@njit
def spaced_words(data, begin, end, table, most):
    """Count words by white space (`str.split`), no further than `most`."""
    found = 0
    gap = True
    i = begin
    while i < end:
        code, i = decode(data, i)
        if kind_of(table, code) & SPACE:
            gap = True
        elif gap:
            gap = False
            found += 1
            if found >= most:
                break
    return found


@njit
def copied_pieces(data, begin, end, feeds, strip, table, keys, stamps, seats, stamp, mask):
    """Compare what runs of exactly `feeds` LFs (1 or 2) separate; stripped and without empty ones if told so.

    Return all pieces, those that have a copy (the first one too), and the code points of both.
    """
    pieces = copied = points = copied_points = 0
    i = begin
    while True:
        j = i
        while j < end:
            if data[j] == FEED and (feeds == 1 or (j + 1 < end and data[j + 1] == FEED)):
                break
            j += 1
        a, b = i, j
        if strip:
            a, b = trim(data, i, j, table)
        if b > a or not strip:
            h, length = hashed(data, a, b)
            slot, seen = put(keys, stamps, stamp, mask, h)
            times = 0
            if seen:
                times = 1 + (seats[slot] == 0)
            seats[slot] = seen
            pieces += 1
            points += length
            copied += times
            copied_points += times * length
        if j >= end:
            return pieces, copied, points, copied_points
        i = j + feeds
