"""The compiled loops of `gopher`: one pass over bytes for lines, one over words, and one over words for each n.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.splitter import HAS_ALPHA, IS_SYMBOLS, LINE_END, SPACE
from curation_dagster.annotate.splitter_kernel import BASE, power
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import OFFSET, PRIME, U, decode, mix, put

HASH, DASH, DOT, BULLET, ELLIPSIS, FEED = 0x23, 0x2D, 0x2E, 0x2022, 0x2026, 0x0A


@njit(inline="always")
def ratio(part, whole):
    """Divide; NaN where there is nothing to divide by."""
    return part / whole if whole else np.nan


@njit
def _marks(data, begin, end, table):
    """Count '#', ellipses, lines, lines that start with a bullet, and lines that end with an ellipsis."""
    hashes = ellipses = lines = bullets = trailing = dots = 0
    in_line = tail = False
    line = i = begin
    while i < end:
        code, after = decode(data, i)
        kind = table[code] if code < TABLE_SIZE else np.uint16(0)
        if kind & SPACE:
            dots = 0
            cr_of_crlf = code == 13 and after < end and data[after] == FEED
            if kind & LINE_END and not cr_of_crlf:
                lines += 1
                trailing += tail
                in_line = tail = False
                line = after
        else:
            if not in_line:
                in_line = True
                bullets += code == BULLET or code == DASH
            if code == DOT:
                dots += 1
                ellipses += dots % 3 == 0
                tail = dots >= 3
            else:
                dots = 0
                hashes += code == HASH
                tail = code == ELLIPSIS
                ellipses += tail
        i = after
    if line < end:
        lines += 1
        trailing += tail
    return hashes, ellipses, lines, bullets, trailing


@njit(nogil=True, cache=True)
def quality(data, offsets, table, words, stops, counts, ratios):
    """Fill counts[2, docs] and ratios[6, docs], in the order of `gopher.QUALITY`; `stops` are sorted hashes."""
    first, _, _, hashes, chars, flags = words
    for d in range(len(offsets) - 1):
        found = _marks(data, offsets[d], offsets[d + 1], table)
        counted = alphas = total = 0
        stop_bits = U(0)
        for k in range(first[d], first[d + 1]):
            alphas += flags[k] & HAS_ALPHA > 0
            if not flags[k] & IS_SYMBOLS:
                counted += 1
                total += chars[k]
                for s in range(len(stops)):
                    if hashes[k] == stops[s]:
                        stop_bits |= U(1) << U(s)
        n = first[d + 1] - first[d]
        counts[0, d] = counted
        while stop_bits:
            counts[1, d] += 1
            stop_bits &= stop_bits - U(1)
        ratios[0, d] = ratio(total, counted)
        ratios[1, d] = ratio(found[0], n)
        ratios[2, d] = ratio(found[1], n)
        ratios[3, d] = ratio(found[3], found[2])
        ratios[4, d] = ratio(found[4], found[2])
        ratios[5, d] = ratio(alphas, n)


@njit(inline="always")
def mask_for(entries):
    """Size a set for `entries` keys: a power of two, at most half full, less one."""
    mask = 15
    while mask < 2 * entries:
        mask = 2 * mask + 1
    return mask


@njit
def _copies(data, begin, end, feeds, most, keys, stamps, stamp):
    """Count what runs of at least `feeds` LFs separate, empty pieces at the ends included.

    Return all pieces, those seen before, and the code points of those.
    """
    mask = mask_for(most)
    pieces = copies = copied = 0
    i = begin
    while True:
        h = OFFSET
        length = 0
        cut = False
        while i < end:
            run = i
            while run < end and data[run] == FEED:
                run += 1
            if run - i >= feeds:
                i = run
                cut = True
                break
            h = (h ^ U(data[i])) * PRIME
            length += (data[i] & 0xC0) != 0x80
            i += 1
        pieces += 1
        _, seen = put(keys, stamps, stamp, mask, mix(h))
        copies += seen
        copied += length * seen
        if not cut:
            return pieces, copies, copied


@njit
def _stripped(data, begin, end, table):
    """Return the text's span without the white space around it."""
    first, last = end, begin
    i = begin
    while i < end:
        code, after = decode(data, i)
        if not (code < TABLE_SIZE and table[code] & SPACE):
            first = min(first, i)
            last = after
        i = after
    return min(first, last), last


@njit
def _top(n, count, prefix, lengths, keys, stamps, stamp, seats):
    """Return the code points of the most frequent n-gram, the first of several, times its count."""
    mask = mask_for(count)
    step = power(n)
    best = best_at = 0
    for k in range(count - n + 1):
        slot, seen = put(keys, stamps, stamp, mask, mix(prefix[k + n] - prefix[k] * step))
        seats[slot] = seats[slot] + 1 if seen else 1
        best = max(best, seats[slot])
    if best > 1:
        for k in range(count - n + 1):
            h = mix(prefix[k + n] - prefix[k] * step)
            slot = np.int64(h & U(mask))
            while keys[slot] != h:
                slot = (slot + 1) & mask
            if seats[slot] == best:
                best_at = k
                break
    return (lengths[best_at + n] - lengths[best_at] + n - 1) * best if best else 0


@njit
def _dups(n, count, joined, lengths, keys, stamps, stamp):
    """Return the code points of the n-grams that occurred before, from left to right, skipping over a copy."""
    mask = mask_for(count)
    copied = k = 0
    while k < count - n + 1:
        length = lengths[k + n] - lengths[k]
        _, seen = put(keys, stamps, stamp, mask, mix(joined[k + n] - joined[k] * power(length)))
        if seen:
            copied += length
            k += n
        else:
            k += 1
    return copied


@njit(nogil=True, cache=True)
def repetition(data, offsets, table, words, keys, stamps, seats, prefix, joined, lengths, ratios):
    """Fill ratios[13, docs], in the order of `gopher.REPETITION`.

    The set (keys, stamps, seats) is a power of two over twice the words, or lines, of any text; the
    other three arrays hold one entry more than its words.
    """
    first, _, _, hashes, chars, _ = words
    stamp = 0
    for d in range(len(offsets) - 1):
        begin, end = offsets[d], offsets[d + 1]
        points = feeds = 0
        for i in range(begin, end):
            points += (data[i] & 0xC0) != 0x80
            feeds += data[i] == FEED
        a, b = _stripped(data, begin, end, table)
        for k in range(2):
            stamp += 1
            pieces, copies, copied = _copies(
                data, a if k else begin, b if k else end, k + 1, feeds + 1, keys, stamps, stamp
            )
            ratios[k, d] = ratio(copies, pieces)
            ratios[2 + k, d] = ratio(copied, points)
        count = first[d + 1] - first[d]
        prefix[0], joined[0], lengths[0] = U(0), U(0), 0
        for k in range(count):
            h, length = hashes[first[d] + k], chars[first[d] + k]
            prefix[k + 1] = prefix[k] * BASE + mix(h)
            joined[k + 1] = joined[k] * power(length) + h
            lengths[k + 1] = lengths[k] + length
        for n in range(2, 11):
            stamp += 1
            if n < 5:
                found = _top(n, count, prefix, lengths, keys, stamps, stamp, seats)
            else:
                found = _dups(n, count, joined, lengths, keys, stamps, stamp)
            ratios[2 + n, d] = ratio(found, points)
