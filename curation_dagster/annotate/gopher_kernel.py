"""The compiled loops of `gopher`: one pass over bytes, then one over words for each n.

Import this module inside the function that needs it: it loads numba. `quality` is one long loop on
purpose: all it counts shares the decoded code point and its class.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.gopher import ALPHA, LINE_END, PUNCT, SPACE
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import OFFSET, PRIME, U, decode, mix, put

BASE = U(0x9E3779B97F4A7C15)  # odd; spreads the word hashes of an n-gram
HASH, DASH, DOT, BULLET, ELLIPSIS = 0x23, 0x2D, 0x2E, 0x2022, 0x2026


@njit
def _stop_bit(data, begin, end, kinds, stops):
    """Find the word without the ASCII punctuation around it among `stops`; return its bit, or 0."""
    while begin < end and data[begin] < 0x80 and kinds[data[begin]] & PUNCT:
        begin += 1
    while end > begin and data[end - 1] < 0x80 and kinds[data[end - 1]] & PUNCT:
        end -= 1
    if not 2 <= end - begin <= 4:
        return 0
    packed = U(0)
    for i in range(begin, end):
        packed = packed << U(8) | U(data[i])
    for k in range(len(stops)):
        if stops[k] == packed:
            return 1 << k
    return 0


@njit
def _ratio(part, whole):
    return part / whole if whole else np.nan


@njit(nogil=True, cache=True)
def quality(data, offsets, kinds, stops, counts, ratios):
    """Fill counts[2, docs] and ratios[6, docs], in the order of `gopher.QUALITY`."""
    for d in range(len(offsets) - 1):
        i, end = offsets[d], offsets[d + 1]
        words = chars = alphas = hashes = ellipses = 0
        lines = bullets = trailing = 0
        stop_bits = 0
        start = line = i
        in_word = has_alpha = in_line = tail = False
        dots = 0
        while i < end:
            code, after = decode(data, i)
            kind = kinds[code] if code < TABLE_SIZE else 0
            if kind & SPACE:
                if in_word:
                    stop_bits |= _stop_bit(data, start, i, kinds, stops)
                    alphas += has_alpha
                    in_word = False
                dots = 0
                cr_of_crlf = code == 13 and after < end and data[after] == 10
                if kind & LINE_END and not cr_of_crlf:
                    lines += 1
                    trailing += tail
                    in_line = tail = False
                    line = after
            else:
                if not in_word:
                    in_word, has_alpha, start = True, False, i
                    words += 1
                    if not in_line:
                        in_line = True
                        bullets += code in (BULLET, DASH)
                chars += 1
                if kind & ALPHA:
                    has_alpha, tail, dots = True, False, 0
                elif code == DOT:
                    dots += 1
                    ellipses += dots % 3 == 0
                    tail = dots >= 3
                else:
                    dots = 0
                    hashes += code == HASH
                    tail = code == ELLIPSIS
                    ellipses += tail
            i = after
        if in_word:
            stop_bits |= _stop_bit(data, start, end, kinds, stops)
            alphas += has_alpha
        if line < end:
            lines += 1
            trailing += tail
        counts[0, d] = words
        while stop_bits:
            counts[1, d] += 1
            stop_bits &= stop_bits - 1
        ratios[0, d] = _ratio(chars, words)
        ratios[1, d] = _ratio(hashes, words)
        ratios[2, d] = _ratio(ellipses, words)
        ratios[3, d] = _ratio(bullets, lines)
        ratios[4, d] = _ratio(trailing, lines)
        ratios[5, d] = _ratio(alphas, words)


@njit
def _words(data, begin, end, kinds, prefix, chars):
    """Write the prefix hash and prefix code points of the words.

    Return words, code points of the text, LFs, and the span from the first word to the last.
    """
    n = points = feeds = 0
    first = last = begin
    prefix[0] = U(0)
    chars[0] = 0
    in_word = False
    h = OFFSET
    length = 0
    i = begin
    while i < end:
        code, after = decode(data, i)
        points += 1
        kind = kinds[code] if code < TABLE_SIZE else 0
        if kind & SPACE:
            feeds += code == 10
            if in_word:
                in_word = False
                n += 1
                prefix[n] = prefix[n - 1] * BASE + mix(h)
                chars[n] = chars[n - 1] + length
                last = i
        else:
            if not in_word:
                in_word = True
                h = OFFSET
                length = 0
                if n == 0:
                    first = i
            h = (h ^ U(code)) * PRIME
            length += 1
        i = after
    if in_word:
        n += 1
        prefix[n] = prefix[n - 1] * BASE + mix(h)
        chars[n] = chars[n - 1] + length
        last = end
    return n, points, feeds, first, last


@njit(inline="always")
def _mask_for(entries):
    """Size a set for `entries` keys: a power of two, at most half full, less one."""
    mask = 15
    while mask < 2 * entries:
        mask = 2 * mask + 1
    return mask


@njit
def _copies(data, begin, end, feeds, most, keys, stamps, stamp):
    """Count the pieces between runs of at least `feeds` LFs.

    Return all pieces, second and later copies, and the code points of those.
    """
    mask = _mask_for(most)
    pieces = copies = copied = 0
    i = begin
    while i < end:
        h = OFFSET
        length = 0
        while i < end:
            run = i
            while run < end and data[run] == 10:
                run += 1
            if run - i >= feeds:
                i = run
                break
            h = (h ^ U(data[i])) * PRIME
            length += (data[i] & 0xC0) != 0x80
            i += 1
        if length:
            pieces += 1
            _, seen = put(keys, stamps, stamp, mask, mix(h))
            copies += seen
            copied += length * seen
    return pieces, copies, copied


@njit
def _ngrams(n, m, at, repeated, prefix, chars, keys, stamps, stamp, seats):
    """Look at the n-grams that start at the words at[:m]; at any other word a unique one starts.

    Return the code points of the top n-gram times its count, those of the duplicates that the
    greedy walk meets, and the m of n + 1, for which it rewrites `at`: an n-gram can repeat only
    where the two shorter ones in it do. A seat of the set holds first index, count, and whether
    the walk came by.
    """
    mask = _mask_for(m)
    power = U(1)
    for _ in range(n):
        power *= BASE
    best = 1
    best_chars = copied = free = 0
    for k in range(m):
        p = at[k]
        slot, seen = put(keys, stamps, stamp, mask, mix(prefix[p + n] - prefix[p] * power))
        length = chars[p + n] - chars[p]
        repeated[k] = seen
        if seen:
            repeated[seats[slot, 0]] = True
            count = seats[slot, 1] + 1
            seats[slot, 1] = count
            if count > best or (count == best and length > best_chars):
                best, best_chars = count, length
        else:
            seats[slot, 0], seats[slot, 1], seats[slot, 2] = k, 1, 0
        if p >= free:
            if seats[slot, 2]:
                copied += length
                free = p + n
            else:
                seats[slot, 2] = 1
    left = 0
    for k in range(m - 1):
        if repeated[k] and repeated[k + 1] and at[k + 1] == at[k] + 1:
            at[left] = at[k]
            left += 1
    return (best_chars + n - 1) * best if best > 1 else 0, copied, left


@njit(nogil=True, cache=True)
def repetition(data, offsets, kinds, prefix, chars, at, repeated, keys, stamps, seats, ratios):
    """Fill ratios[13, docs], in the order of `gopher.REPETITION`; scratch fits the longest text."""
    stamp = 0
    for d in range(len(offsets) - 1):
        begin, end = offsets[d], offsets[d + 1]
        n_words, points, feeds, first, last = _words(data, begin, end, kinds, prefix, chars)
        most = min(feeds, (end - begin) // 2) + 1
        for k in range(2):
            a, b = (begin, end) if k == 0 else (first, last)
            stamp += 1
            pieces, copies, copied = _copies(data, a, b, k + 1, most, keys, stamps, stamp)
            ratios[k, d] = _ratio(copies, pieces)
            ratios[2 + k, d] = _ratio(copied, points)
        m = max(n_words - 1, 0)
        for k in range(m):
            at[k] = k
        for n in range(2, 11):
            stamp += 1
            top, copied, m = _ngrams(n, m, at, repeated, prefix, chars, keys, stamps, stamp, seats)
            # Overlapping copies ("a a a a") can cover more than the text.
            ratios[2 + n, d] = min(_ratio(top if n < 5 else copied, points), 1.0)
