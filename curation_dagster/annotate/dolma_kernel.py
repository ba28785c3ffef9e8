"""The compiled loops of `dolma`.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.gopher_kernel import mask_for, ratio
from curation_dagster.annotate.ngrams_kernel import COPIES, FIRST, TIMES, repeats
from curation_dagster.annotate.spaced import HAS_ALPHA, HAS_SYMBOL, IS_STOP
from curation_dagster.annotate.str_classes_kernel import FEED, copied_pieces
from curation_dagster.compiled import njit

STAR, DASH = 0x2A, 0x2D
LONG = 256  # words this long are rare: a median among them is found by sorting
MAX_PERIOD, MIN_TIMES = 13, 3


@njit
def _median(chars, lo, hi, sizes):
    """Return the median of chars[lo:hi], the mean of the middle two; NaN where there are none."""
    count = hi - lo
    if count == 0:
        return np.nan
    sizes[:] = 0
    for k in range(lo, hi):
        sizes[min(chars[k], LONG - 1)] += 1
    middle = 0
    below = seen = 0
    for rank in ((count - 1) // 2, count // 2):
        while seen + sizes[below] <= rank:
            seen += sizes[below]
            below += 1
        middle += below
    if below == LONG - 1:
        return np.median(chars[lo:hi])
    return middle / 2


@njit
def _repetition(hashes, lo, hi):
    """Return the most times in a row that a sequence of at most MAX_PERIOD words stands; 0 below MIN_TIMES.

    Three times a period p is 2p words in a row that equal the one p before: one of them is at a multiple of p.
    """
    best = 0
    for period in range(1, min(MAX_PERIOD, (hi - lo) // MIN_TIMES) + 1):
        k = lo + period
        while k < hi:
            if hashes[k] != hashes[k - period]:
                k += period
                continue
            first = last = k
            while first > lo + period and hashes[first - 1] == hashes[first - 1 - period]:
                first -= 1
            while last + 1 < hi and hashes[last + 1] == hashes[last + 1 - period]:
                last += 1
            best = max(best, (last + 1 - first) // period + 1)
            k = last + period
    return best if best >= MIN_TIMES else 0


@njit
def _marks(data, begin, end):
    """Count the lines, those that start with a bullet, and those that end with U+2026."""
    lines = bullets = ellipses = 0
    line = begin
    for i in range(begin, end + 1):
        if i == end or data[i] == FEED:
            lines += 1
            if line < i:
                bullets += data[line] == STAR or data[line] == DASH
                ellipses += (
                    i - line >= 3
                    and data[i - 1] == 0xA6
                    and data[i - 2] == 0x80
                    and data[i - 3] == 0xE2
                )
            line = i + 1
    return lines, bullets, ellipses


@njit(nogil=True, cache=True)
def measure(data, offsets, table, words, scratch, counts, ratios):
    """Fill counts[3, docs] and ratios[16, docs], in the order of `dolma.FAMILY`."""
    first, hashes, chars, flags = words
    keys, stamps, seats, _, lengths, _, _ = scratch
    sizes = np.empty(LONG, np.int64)
    found = np.empty((9, 5), np.int64)
    stamp = 0
    for d in range(len(offsets) - 1):
        lo, hi = first[d], first[d + 1]
        stops = symbols = alphas = 0
        for k in range(lo, hi):
            stops += flags[k] & IS_STOP > 0
            symbols += flags[k] & HAS_SYMBOL > 0
            alphas += flags[k] & HAS_ALPHA > 0
        n = hi - lo
        counts[0, d], counts[1, d] = n, stops
        counts[2, d] = _repetition(hashes, lo, hi)
        lines, bullets, ellipses = _marks(data, offsets[d], offsets[d + 1])
        stamp = repeats(hashes, chars, lo, hi, stamp + 1, scratch, found)
        stamp += 1
        _, copied, _, copied_points = copied_pieces(
            data, offsets[d], offsets[d + 1], 1, False, table, keys, stamps, seats, stamp, mask_for(lines)
        )  # fmt: skip
        points = lengths[n]
        ratios[0, d] = _median(chars, lo, hi, sizes)
        ratios[1, d] = ratio(symbols, n)
        ratios[2, d] = ratio(alphas, n)
        ratios[3, d] = bullets / lines
        ratios[4, d] = ellipses / lines
        ratios[5, d] = copied / lines
        ratios[6, d] = ratio(copied_points, points)
        for k in range(3):
            ratios[7 + k, d] = ratio(found[k, TIMES] * found[k, FIRST], points)
        for k in range(3, 9):
            size = k + 2
            whole = (
                0  # of all n-grams: what stands before each end, less what stands before each start
            )
            for j in range(min(size, n + 1)):
                whole += lengths[n - j] - lengths[j]
            if size > n:
                whole = points
            ratios[7 + k, d] = ratio(found[k, COPIES], whole)
