"""The compiled loops of `gopher`: one pass over bytes for lines, one over words, and one over words for each n.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.lines_kernel import hash_bytes
from curation_dagster.annotate.splitter import ALPHA, DIGIT, HAS_ALPHA, IS_SYMBOLS, LINE_END, SPACE
from curation_dagster.annotate.splitter_kernel import BASE, find, power
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import U, decode, mix, put

HASH, DASH, DOT, BULLET, ELLIPSIS, FEED = 0x23, 0x2D, 0x2E, 0x2022, 0x2026, 0x0A
NEVER = 1 << 62
HEAD = 16  # bytes; n-grams that begin differently are not looked up


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
        plain = i
        while i < end and data[i] < 0x80 and table[data[i]] & (ALPHA | DIGIT):
            i += 1
        if i > plain:
            in_line, tail, dots = True, False, 0
            continue
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
def quality(data, offsets, table, words, stops, seen, counts, ratios):
    """Fill counts[2, docs] and ratios[6, docs], in the order of `gopher.QUALITY`.

    `stops` are sorted hashes; `seen` holds a zero for each.
    """
    first, _, _, hashes, chars, flags = words
    may_stop = U(0)  # which low bits the hash of a stop word has
    for s in range(len(stops)):
        may_stop |= U(1) << (stops[s] & U(63))
    for d in range(len(offsets) - 1):
        found = _marks(data, offsets[d], offsets[d + 1], table)
        counted = alphas = total = 0
        for k in range(first[d], first[d + 1]):
            alphas += flags[k] & HAS_ALPHA > 0
            if not flags[k] & IS_SYMBOLS:
                counted += 1
                total += chars[k]
                if may_stop >> (hashes[k] & U(63)) & U(1):
                    stop = find(stops, hashes[k])
                    if stop >= 0 and seen[stop] != d + 1:
                        seen[stop] = d + 1
                        counts[1, d] += 1
        n = first[d + 1] - first[d]
        counts[0, d] = counted
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
def _copied_lines(lines, begin, end, keys, stamps, stamp):
    """Count what runs of LFs separate: all pieces, those seen before, and the code points of those.

    A run at either end of the text makes an empty piece.
    """
    _, start, stop, hashes, chars, _ = lines
    mask = mask_for(end - begin)
    pieces = copies = copied = empty = 0
    for k in range(begin, end):
        if start[k] < stop[k]:
            pieces += 1
            _, seen = put(keys, stamps, stamp, mask, hashes[k])
            copies += seen
            copied += chars[k] * seen
        elif k == begin or k == end - 1:
            empty += 1
    return pieces + empty, copies + (empty > 1), copied


@njit
def span(data, begin, end, table):
    """Return the span of a text without the white space around it, from the ends inwards."""
    i = begin
    while i < end:
        code, after = decode(data, i)
        if not (code < TABLE_SIZE and table[code] & SPACE):
            break
        i = after
    while end > i:
        last = end - 1
        while data[last] & 0xC0 == 0x80:
            last -= 1
        code, _ = decode(data, last)
        if not (code < TABLE_SIZE and table[code] & SPACE):
            break
        end = last
    return i, end


@njit
def _copied_paragraphs(data, first, last, lines, begin, end, keys, stamps, stamp):
    """Count what empty lines separate in data[first:last], the stripped text, as `_copied_lines` does."""
    _, start, stop, hashes, chars, _ = lines
    mask = mask_for(end - begin)
    pieces = copies = copied = length = 0
    h = U(0)
    for k in range(begin, end):
        if stop[k] < first or (start[k] > last or (start[k] == last and last > first)):
            continue
        if start[k] == stop[k]:  # a separator
            if length:
                pieces += 1
                _, seen = put(keys, stamps, stamp, mask, mix(h))
                copies += seen
                copied += (length - 1) * seen
            h = U(0)
            length = 0
        elif start[k] < first or stop[k] > last:
            a, b = max(start[k], first), min(stop[k], last)
            h = h * BASE + hash_bytes(data, a, b)
            length += code_points(data, a, b) + 1
        else:
            h = h * BASE + hashes[k]
            length += chars[k] + 1
    if length or pieces == 0:
        pieces += 1
        _, seen = put(keys, stamps, stamp, mask, mix(h))
        copies += seen
        copied += (length - 1) * seen
    return pieces, copies, copied


@njit
def code_points(data, begin, end):
    """Count the code points of a span of UTF-8."""
    n = 0
    for i in range(begin, end):
        n += (data[i] & 0xC0) != 0x80
    return n


@njit
def _follow(data, words, begin, end, prefix, joined, sizes, chars_at, heads):
    """Write, for the words begin to end, what n-grams follow from; return how many have a head.

    `prefix` hashes words in a row, `joined` their code points, `sizes` and `chars_at` count bytes and
    code points; `heads` hashes the HEAD bytes from each word on, as long as there are so many.
    """
    _, start, stop, hashes, chars, _ = words
    p, j, high, low = U(0), U(0), U(0), U(0)
    at = points = waiting = 0
    due = HEAD  # where the head of the word `waiting` is whole
    for n in range(end - begin):
        k = begin + n
        prefix[n], joined[n], sizes[n], chars_at[n] = p, j, at, points
        p = p * BASE + mix(hashes[k])
        j = j * power(chars[k]) + hashes[k]
        points += chars[k]
        for i in range(start[k], stop[k]):
            high = high << U(8) | low >> U(56)  # the last sixteen bytes
            low = low << U(8) | U(data[i])
            at += 1
            if at == due:
                heads[waiting] = mix(high * BASE + low)
                waiting += 1
                due = sizes[waiting] + HEAD if waiting <= n else NEVER
        if due == NEVER:
            due = at + HEAD  # of the next word
    n = end - begin
    prefix[n], joined[n], sizes[n], chars_at[n] = p, j, at, points
    return waiting


@njit
def _mark_repeated(count, hashes, repeated, keys, stamps, stamp, seats):
    """Mark those of hashes[:count] that occur twice or more."""
    mask = mask_for(count)
    for k in range(count):
        slot, seen = put(keys, stamps, stamp, mask, hashes[k])
        repeated[k] = seen
        if seen:
            repeated[seats[slot]] = True
        else:
            seats[slot] = k


@njit
def _top(n, m, at, prefix, repeated, keys, stamps, stamp, seats, counts):
    """Find the most frequent n-gram, the first of several, of those that start at the words at[:m].

    At any other word an n-gram starts that occurs once: an n-gram can repeat only where both shorter
    ones in it do. Return its first word, its count (0: none repeats), and the m of n + 1, for which `at` is rewritten.
    """
    mask = mask_for(m)
    step = power(n)
    best, best_at = 1, 0
    for k in range(m):
        p = at[k]
        slot, seen = put(keys, stamps, stamp, mask, mix(prefix[p + n] - prefix[p] * step))
        repeated[k] = seen
        if seen:
            repeated[seats[slot]] = True
            counts[slot] += 1
            if counts[slot] > best or (counts[slot] == best and at[seats[slot]] < best_at):
                best, best_at = counts[slot], at[seats[slot]]
        else:
            seats[slot], counts[slot] = k, 1
    left = 0
    for k in range(m - 1):
        if repeated[k] and repeated[k + 1] and at[k + 1] == at[k] + 1:
            at[left] = at[k]
            left += 1
    return best_at, best, left


@njit
def _dups(n, count, joined, sizes, chars_at, unique, keys, stamps, stamp):
    """Return the code points of the n-grams that occurred before, from left to right, skipping over a copy.

    Where `unique` holds, the HEAD bytes from that word on occur once, and so does any n-gram as long.
    """
    mask = mask_for(count)
    copied = k = 0
    while k < count - n + 1:
        if unique[k] and sizes[k + n] - sizes[k] >= HEAD:
            k += 1
            continue
        chars = chars_at[k + n] - chars_at[k]
        _, seen = put(keys, stamps, stamp, mask, mix(joined[k + n] - joined[k] * power(chars)))
        if seen:
            copied += chars
            k += n
        else:
            k += 1
    return copied


@njit(nogil=True, cache=True)
def repetition(data, offsets, table, words, lines, held, ratios):
    """Fill ratios[13, docs], in the order of `gopher.REPETITION`; `held` is what `gopher._scratch` makes."""
    keys, stamps, seats, counts, prefix, joined, sizes, chars_at, heads, at, flags = held
    stamp = 0
    for d in range(len(offsets) - 1):
        begin, end = offsets[d], offsets[d + 1]
        a, b = lines[0][d], lines[0][d + 1]
        points = b - a - 1
        for k in range(a, b):
            points += lines[4][k]
        stamp += 1
        pieces, copies, copied = _copied_lines(lines, a, b, keys, stamps, stamp)
        ratios[0, d] = ratio(copies, pieces)
        ratios[2, d] = ratio(copied, points)
        stamp += 1
        i, j = span(data, begin, end, table)
        pieces, copies, copied = _copied_paragraphs(data, i, j, lines, a, b, keys, stamps, stamp)
        ratios[1, d] = ratio(copies, pieces)
        ratios[3, d] = ratio(copied, points)
        first = words[0][d]
        count = words[0][d + 1] - first
        whole = _follow(data, words, first, first + count, prefix, joined, sizes, chars_at, heads)
        m = max(count - 1, 0)
        for k in range(m):
            at[k] = k
        for n in range(2, 5):
            stamp += 1
            best_at, best, m = _top(n, m, at, prefix, flags, keys, stamps, stamp, seats, counts)
            chars = chars_at[best_at + n] - chars_at[best_at] + n - 1 if count >= n else 0
            ratios[2 + n, d] = ratio(chars * best, points)
        stamp += 1
        _mark_repeated(whole, heads, flags, keys, stamps, stamp, seats)
        for k in range(count):
            flags[k] = k < whole and not flags[k]
        for n in range(5, 11):
            stamp += 1
            found = _dups(n, count, joined, sizes, chars_at, flags, keys, stamps, stamp)
            ratios[2 + n, d] = ratio(found, points)
