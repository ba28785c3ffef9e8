"""The compiled loops of `dclm`: urls and newlines, and what its rules measure.

Urls are found from their dots, which are rare, outwards. Import this module inside the function that needs it: it loads
numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.gopher_kernel import mask_for, ratio
from curation_dagster.annotate.ngrams_kernel import COVERED, LONGEST, TIMES, repeats
from curation_dagster.annotate.refinedweb_kernel import folded
from curation_dagster.annotate.spaced import IS_STOP_ANY_CASE
from curation_dagster.annotate.spaced_kernel import stop_flags
from curation_dagster.annotate.splitter_kernel import BASE
from curation_dagster.annotate.str_classes import ALPHA, SPACE, SYMBOL, WORD
from curation_dagster.annotate.str_classes_kernel import (
    FEED,
    NONE,
    before,
    copied_pieces,
    counted_words,
    kind_of,
    trim,
)
from curation_dagster.compiled import njit
from curation_dagster.words_kernel import U, decode

DOT, SLASH, COLON, STAR, DASH = 0x2E, 0x2F, 0x3A, 0x2A, 0x2D
BULLET, DISC, ELLIPSIS = 0x2022, 0x25CF, 0x2026
MOST_HOST, MOST_SPACES, MOST_DOMAIN = 256, 10, 24


def _bytes_of(chars):
    table = np.zeros(256, np.bool_)
    table[[ord(c) for c in chars]] = True
    return table


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_HOST = _LETTERS + _LETTERS.upper() + "0123456789-@:%._+~#="
HOST, TAIL = _bytes_of(_HOST), _bytes_of(_HOST + "()?&/")


@njit(inline="always")
def _is_digit(byte):
    return 0x30 <= byte <= 0x39


@njit
def _among(h, table):
    """Find a hash among sorted ones."""
    low, high = 0, len(table)
    while low < high:
        middle = (low + high) >> 1
        if table[middle] < h:
            low = middle + 1
        else:
            high = middle
    return low < len(table) and table[low] == h


@njit
def _is_word_at(data, i, end, table):
    r"""Tell whether a \w stands at byte i."""
    if i >= end:
        return False
    code, _ = decode(data, i)
    return kind_of(table, code) & WORD > 0


@njit
def _is_word_before(data, i, begin, table):
    r"""Tell whether a \w stands before byte i."""
    return i > begin and _is_word_at(data, before(data, i), i, table)


@njit
def _domain_end(data, i, end, table, domains):
    """Return where the top-level domain that starts at i ends; -1 if there is none."""
    h = U(0)
    j = i
    while j < end and 0x61 <= data[j] <= 0x7A and j - i <= MOST_DOMAIN:
        h = h * BASE + U(data[j] + 1)
        j += 1
    if j - i < 2 or _is_word_at(data, j, end, table) or not _among(h, domains):
        return -1
    return j


@njit
def _starts_with_domain(data, begin, end, domains):
    """Tell whether the text starts with the letters of a top-level domain, in any case as `re` has it."""
    h = U(0)
    i = begin
    while i < end:
        code, i = decode(data, i)
        code = folded(code)
        if not 0x61 <= code <= 0x7A or i - begin > 2 * MOST_DOMAIN:
            return False
        h = h * BASE + U(code + 1)
        if _among(h, domains):
            return True
    return False


@njit
def _scheme_start(data, i, begin):
    """Return where http://, https:// or ftp:// before byte i starts; i if there is none."""
    if i - begin < 6 or data[i - 1] != SLASH or data[i - 2] != SLASH or data[i - 3] != COLON:
        return i
    a, b, c = data[i - 6], data[i - 5], data[i - 4]
    if a == 0x66 and b == 0x74 and c == 0x70:  # ftp
        return i - 6
    if i - begin >= 7 and data[i - 7] == 0x68 and a == 0x74 and b == 0x74 and c == 0x70:  # http
        return i - 7
    if i - begin >= 8 and data[i - 8] == 0x68 and data[i - 7] == 0x74 and a == 0x74:  # https
        return i - 8 if b == 0x70 and c == 0x73 else i
    return i


@njit
def _spaces_start(data, i, begin, table):
    """Return where up to ten white spaces before byte i start."""
    for _ in range(MOST_SPACES):
        if i <= begin:
            break
        j = before(data, i)
        code, _ = decode(data, j)
        if not kind_of(table, code) & SPACE:
            break
        i = j
    return i


@njit
def _tail_end(data, i, end):
    while i < end and TAIL[data[i]]:
        i += 1
    return i


@njit
def _url_at(data, dot, floor, end, table, domains):
    """Return the span of the url whose top-level domain follows a dot; an empty one if there is none."""
    if dot <= floor or not HOST[data[dot - 1]]:
        return dot, dot
    after = _domain_end(data, dot + 1, end, table, domains)
    if after < 0:
        return dot, dot
    start = dot
    while start > floor and dot - start < MOST_HOST and HOST[data[start - 1]]:
        start -= 1
    if start == floor or not HOST[data[start - 1]]:
        start = _spaces_start(data, _scheme_start(data, start, floor), floor, table)
    return start, _tail_end(data, after, end)


@njit
def _address_at(data, i, floor, end, table):
    """Return the span of the address of four numbers that starts at i; an empty one if there is none."""
    if _is_word_before(data, i, floor, table):
        return i, i
    j = i
    for group in range(4):
        digits = 0
        while j < end and digits < 3 and _is_digit(data[j]):
            if digits == 2 and data[j - 2] > 0x32:
                break
            j += 1
            digits += 1
        if digits == 0:
            return i, i
        if group < 3:
            if j >= end or data[j] != DOT:
                return i, i
            j += 1
    start = _scheme_start(data, i, floor)
    if start < i and _is_word_before(data, start, floor, table):
        start = i
    return _spaces_start(data, start, floor, table), _tail_end(data, j, end)


@njit
def _without(data, begin, end, table, domains, addresses, out, at):
    """Write a text without its urls, or its addresses; return where it ends and how many there were."""
    found = 0
    floor = i = begin
    while i < end:
        a = b = i
        if addresses:
            if _is_digit(data[i]):
                a, b = _address_at(data, i, floor, end, table)
        elif data[i] == DOT:
            a, b = _url_at(data, i, floor, end, table, domains)
        if b > a:
            for k in range(floor, a):
                out[at] = data[k]
                at += 1
            floor = i = b
            found += 1
        else:
            i += 1
    for k in range(floor, end):
        out[at] = data[k]
        at += 1
    return at, found


@njit(nogil=True, cache=True)
def text(data, offsets, table, domains, config, out, ends, counts):
    """Write each text without urls and with few newlines in a row; fill counts[2, docs] in the order of `dclm.TEXT`."""
    urls, where_dclm, max_newlines = config
    at = 0
    for d in range(len(offsets) - 1):
        begin, end = offsets[d], offsets[d + 1]
        start = at
        if urls and (not where_dclm or _starts_with_domain(data, begin, end, domains)):
            at, found = _without(data, begin, end, table, domains, False, out, at)
            counts[0, d] += found
        else:
            for k in range(begin, end):
                out[at] = data[k]
                at += 1
        if urls:
            at, found = _without(out, start, at, table, domains, True, out, start)
            counts[0, d] += found
        feeds = 0
        kept = start
        for k in range(start, at):
            feeds = feeds + 1 if out[k] == FEED else 0
            if feeds > max_newlines:
                counts[1, d] += 1
            else:
                out[kept] = out[k]
                kept += 1
        at = kept
        ends[d + 1] = at


@njit(inline="always")
def _is_spaced_dots(data, i, end):
    """Tell whether ". . ." stands at byte i."""
    if i + 5 > end or data[i] != DOT or data[i + 2] != DOT or data[i + 4] != DOT:
        return False
    return data[i + 1] == 0x20 and data[i + 3] == 0x20


@njit
def _words(data, begin, end, table):
    """Return words by white space, their code points, those with a letter, stop words, and symbols.

    Symbols are '#', '...', '. . .' and U+2026, each counted as `str.count` does.
    """
    words = points = alphas = stops = symbols = dots = 0
    free = i = begin
    while i < end:
        code, after = decode(data, i)
        kind = kind_of(table, code)
        if kind & SPACE:
            dots = 0
            i = after
            continue
        first = i
        some = NONE
        while True:
            some |= kind
            points += 1
            if code == DOT:
                dots += 1
                symbols += dots % 3 == 0
                if i >= free and _is_spaced_dots(data, i, end):
                    symbols += 1
                    free = i + 5
            else:
                dots = 0
                symbols += kind & SYMBOL > 0
            i = after
            if i >= end:
                break
            code, after = decode(data, i)
            kind = kind_of(table, code)
            if kind & SPACE:
                break
        words += 1
        alphas += some & ALPHA > 0
        if 2 <= i - first <= 4:
            stops += stop_flags(data, first, i) & IS_STOP_ANY_CASE > 0
    return words, points, alphas, stops, symbols


@njit
def _marks(data, begin, end, table):
    """Count the lines that are not blank, those that start with a bullet, and those that end with an ellipsis."""
    lines = bullets = ellipses = 0
    line = begin
    for i in range(begin, end + 1):
        if i < end and data[i] != FEED:
            continue
        a, b = trim(data, line, i, table)
        line = i + 1
        if a == b:
            continue
        lines += 1
        code, _ = decode(data, a)
        bullets += code == DISC or code == BULLET or code == STAR or code == DASH
        j = before(data, b)
        code, _ = decode(data, j)
        dotted = b - a >= 3 and data[b - 1] == DOT and data[b - 2] == DOT and data[b - 3] == DOT
        ellipses += code == ELLIPSIS or dotted or (b - a >= 5 and _is_spaced_dots(data, b - 5, b))
    return lines, bullets, ellipses


@njit(nogil=True, cache=True)
def measure(data, offsets, table, segments, scratch, counts, ratios):
    """Fill counts[2, docs] and ratios[18, docs], in the order of `dclm.FAMILY`."""
    first, hashes, chars, _ = segments
    keys, stamps, seats, _, lengths, _, _ = scratch
    found = np.empty((9, 5), np.int64)
    stamp = 0
    for d in range(len(offsets) - 1):
        begin, end = offsets[d], offsets[d + 1]
        n, total, alphas, stops, symbols = _words(data, begin, end, table)
        counts[0, d] = counted_words(data, begin, end, table)
        counts[1, d] = stops
        lines, bullets, ellipses = _marks(data, begin, end, table)
        ratios[0, d] = ratio(total, n)
        ratios[1, d] = ratio(symbols, n)
        ratios[2, d] = ratio(bullets, lines)
        ratios[3, d] = ratio(ellipses, lines)
        ratios[4, d] = ratio(n - alphas, n)
        for k in range(2):
            stamp += 1
            pieces, copied, points, copied_points = copied_pieces(
                data, begin, end, k + 1, True, table, keys, stamps, seats, stamp, mask_for(lines)
            )
            ratios[5 + 2 * k, d] = ratio(copied, pieces)
            ratios[6 + 2 * k, d] = ratio(copied_points, points)
        lo, hi = first[d], first[d + 1]
        stamp = repeats(hashes, chars, lo, hi, stamp, scratch, found)
        points = lengths[hi - lo]
        for k in range(9):
            part = found[k, COVERED]
            if k < 3:
                part = found[k, TIMES] * found[k, LONGEST]
            ratios[9 + k, d] = ratio(part, points)
