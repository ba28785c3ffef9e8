"""The compiled loops of `redstone`.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.gopher_kernel import mask_for, ratio
from curation_dagster.annotate.ngrams_kernel import COVERED, FIRST, TIMES, repeats
from curation_dagster.annotate.redstone import BULLETS
from curation_dagster.annotate.sentences_kernel import sentences
from curation_dagster.annotate.spaced import HAS_ALPHA, IS_STOP_ANY_CASE
from curation_dagster.annotate.str_classes import ALPHA, BLANK, CAPITAL, DECIMAL, SPACE
from curation_dagster.annotate.str_classes_kernel import (
    FEED,
    before,
    copied_pieces,
    kind_of,
    trim,
)
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import OFFSET, PRIME, U, decode, mix, put

BULLET_CODES = tuple(ord(c) for c in BULLETS)
BLANK_BYTE, DOT, HASH, ELLIPSIS = 0x20, 0x2E, 0x23, 0x2026


def _packed(phrases):
    """Put phrases into rows of bytes, the length in front."""
    rows = np.zeros((len(phrases), 16), np.uint8)
    for k, phrase in enumerate(phrases):
        rows[k, 0] = len(phrase)
        rows[k, 1 : 1 + len(phrase)] = np.frombuffer(phrase.encode(), np.uint8)
    return rows


FIRSTS = _packed(["sign in", "sign-in", "sign up", "sign-up"])
OTHERS = _packed(["read more", "items in cart"])
SELECTORS = (0xE0100, 0xE01EF)  # the only code points beyond the table that are not of category C
BEHIND = 3  # the characters behind "read more"


@njit
def _ends_with_ellipsis(data, begin, end):
    """Tell whether a trimmed sentence ends with three dots, of which U+2026 is three."""
    dots = 0
    while end > begin and dots < 3:
        i = before(data, end)
        code, _ = decode(data, i)
        if code != DOT and code != ELLIPSIS:
            return False
        dots += 1 if code == DOT else 3
        end = i
    return dots >= 3


@njit
def _symbols(data, begin, end):
    """Count '#' and '...', of which U+2026 is one."""
    found = dots = 0
    for i in range(begin, end):
        byte = data[i]
        if byte == DOT:
            dots += 1
            found += dots % 3 == 0
        elif byte == 0xE2 and data[i + 1] == 0x80 and data[i + 2] == 0xA6:
            dots += 3
            found += 1
        elif byte & 0xC0 != 0x80:
            dots = 0
            found += byte == HASH
    return found


@njit
def _hash(data, begin, end):
    """Hash a sentence with one space for several; return the hash and its code points."""
    h = OFFSET
    length = 0
    spaced = False
    for i in range(begin, end):
        byte = data[i]
        if spaced and byte == BLANK_BYTE:
            continue
        spaced = byte == BLANK_BYTE
        h = (h ^ U(byte)) * PRIME
        length += (byte & 0xC0) != 0x80
    return mix(h), length


@njit
def _copies(data, spans, n, keys, stamps, seats, stamp, mask):
    """Return how many sentences have a copy, the code points of those, and of all."""
    copied = copied_points = points = 0
    for k in range(n):
        h, length = _hash(data, spans[0, k], spans[1, k])
        slot, seen = put(keys, stamps, stamp, mask, h)
        times = 0
        if seen:
            times = 1 + (seats[slot] == 0)
        seats[slot] = seen
        points += length
        copied += times
        copied_points += times * length
    return copied, copied_points, points


@njit(nogil=True, cache=True)
def measure(data, offsets, table, titles, words, scratch, spans, counts, ratios):
    """Fill counts[2, docs] and ratios[18, docs], in the order of `redstone.FAMILY`."""
    first, hashes, chars, flags = words
    keys, stamps, seats, _, lengths, _, _ = scratch
    found = np.empty((9, 5), np.int64)
    stamp = 0
    for d in range(len(offsets) - 1):
        begin, end = offsets[d], offsets[d + 1]
        lo, hi = first[d], first[d + 1]
        stops = alphas = 0
        for k in range(lo, hi):
            stops += flags[k] & IS_STOP_ANY_CASE > 0
            alphas += flags[k] & HAS_ALPHA > 0
        n_sentences = sentences(data, begin, end, table, titles, spans)
        ellipses = bullets = 0
        for k in range(n_sentences):
            a, b = trim(data, spans[0, k], spans[1, k], table)
            if a < b:
                ellipses += _ends_with_ellipsis(data, a, b)
                code, _ = decode(data, a)
                bullets += code in BULLET_CODES
        lines = 1
        for i in range(begin, end):
            lines += data[i] == FEED
        n = hi - lo
        stamp = repeats(hashes, chars, lo, hi, stamp, scratch, found) + 2
        whole = lengths[n]
        copied, copied_points, points = _copies(
            data, spans, n_sentences, keys, stamps, seats, stamp - 1, mask_for(n_sentences)
        )
        pieces, same, line_points, same_points = copied_pieces(
            data, begin, end, 1, False, table, keys, stamps, seats, stamp, mask_for(lines)
        )
        counts[0, d], counts[1, d] = n, stops
        ratios[0, d] = ratio(whole, n)
        ratios[1, d] = ratio(_symbols(data, begin, end), n)
        ratios[2, d] = ratio(alphas, n)
        ratios[3, d] = ellipses / n_sentences
        ratios[4, d] = bullets / n_sentences
        ratios[5, d] = ratio(copied, n_sentences if points else 0)
        ratios[6, d] = ratio(copied_points, points)
        ratios[7, d] = ratio(same, pieces if line_points else 0)
        ratios[8, d] = ratio(same_points, line_points)
        for k in range(9):
            part = found[k, COVERED]
            if k < 3:
                part = found[k, TIMES] * found[k, FIRST] if found[k, TIMES] > 1 else 0
            ratios[9 + k, d] = ratio(part, whole)


@njit
def _is_at(data, i, end, rows, k):
    """Tell whether the lower-cased sentence says phrase k at i."""
    if i + rows[k, 0] > end:
        return False
    for c in range(rows[k, 0]):
        byte = data[i + c]
        if 65 <= byte <= 90:
            byte |= 0x20
        if byte != rows[k, 1 + c]:
            return False
    return True


@njit
def _says(data, begin, end):
    """Tell whether a trimmed sentence has one of the excluded phrases."""
    for k in range(len(FIRSTS)):
        if _is_at(data, begin, end, FIRSTS, k):
            return True
    i = end
    for _ in range(BEHIND):
        if i > begin:
            i = before(data, i)
    i -= OTHERS[0, 0]
    if i >= begin and _is_at(data, i, end, OTHERS, 0):
        return True
    for i in range(begin, end - OTHERS[1, 0] + 1):
        if _is_at(data, i, end, OTHERS, 1):
            return True
    return False


@njit
def _is_counter(data, begin, end, table):
    r"""Match ^\d+\s+[a-zA-Z]+$ on a trimmed sentence."""
    i = begin
    part = 0
    while i < end:
        code, after = decode(data, i)
        kind = kind_of(table, code)
        if kind & DECIMAL:
            if part > 0:
                return False
        elif kind & SPACE:
            if i == begin or part > 1:
                return False
            part = 1
        elif 97 <= code | 0x20 <= 122 and code < 128:
            if part == 0:
                return False
            part = 2
        else:
            return False
        i = after
    return part == 2


@njit
def _drops(data, begin, end, table, most, phrases, counts, d):
    """Return a sentence's words, and whether it goes; count every reason."""
    letters = capitals = words = 0
    blank = gap = True
    i = begin
    while i < end:
        code, i = decode(data, i)
        kind = kind_of(table, code)
        words += gap and not kind & SPACE
        gap = kind & SPACE > 0
        letters += kind & ALPHA > 0
        capitals += kind & CAPITAL > 0
        beyond = code >= TABLE_SIZE and not SELECTORS[0] <= code <= SELECTORS[1]
        blank = blank and (kind & BLANK > 0 or beyond)
    shouted = letters > 0 and capitals / letters > most
    begin, end = trim(data, begin, end, table)
    numbers = blank and end > begin
    counter = _is_counter(data, begin, end, table)
    short = words == 1
    said = phrases and _says(data, begin, end)
    counts[1, d] += shouted
    counts[2, d] += numbers
    counts[3, d] += counter
    counts[4, d] += short
    counts[5, d] += said
    return words, shouted or numbers or counter or short or said


@njit(nogil=True, cache=True)
def rewrite(data, offsets, table, titles, config, spans, out, ends, counts, removed):
    """Write the sentences that stay, a line each; fill counts[6, docs] and removed, as `redstone.SENTENCES`."""
    most, phrases = config
    at = 0
    for d in range(len(offsets) - 1):
        n = sentences(data, offsets[d], offsets[d + 1], table, titles, spans)
        counts[0, d] = n
        words = gone = 0
        kept = 0
        for k in range(n):
            begin, end = spans[0, k], spans[1, k]
            size, drops = _drops(data, begin, end, table, most, phrases, counts, d)
            words += size
            if drops:
                gone += size
                continue
            if kept:
                out[at] = FEED
                at += 1
            kept += 1
            for i in range(begin, end):
                if data[i] != BLANK_BYTE or data[i - 1] != BLANK_BYTE or i == begin:
                    out[at] = data[i]
                    at += 1
        ends[d + 1] = at
        removed[d] = ratio(gone, words)
