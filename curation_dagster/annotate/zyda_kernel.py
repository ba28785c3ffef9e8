"""The compiled loop of `zyda`: one pass over code points, runs and patterns.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,assignment"

import numpy as np

from curation_dagster.annotate.gopher_kernel import ratio
from curation_dagster.annotate.zyda import BREAK, DECIMAL, OPENS, REPEATED_RUN, SPACE, WORD
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import decode

FEED, QUOTE, COLON, LESS, BACKSLASH = 0x0A, 0x22, 0x3A, 0x3C, 0x5C
H, L, W, X = 0x68, 0x6C, 0x77, 0x78
HTTPS, LOREM, XML, VERSION = (
    np.frombuffer(text, np.uint8) for text in (b"https://", b"lorem ipsum", b"xml", b" version=")
)


@njit(inline="always")
def _is_at(data, i, end, text):
    """Tell whether the text at i starts with `text`."""
    if i + len(text) > end:
        return False
    k = 0
    while k < len(text) and data[i + k] == text[k]:
        k += 1
    return k == len(text)


@njit
def _after_www(data, i, end):
    """Return where "www" and a character that is not LF end; i if they are not there."""
    if i + 3 < end and data[i + 1] == W and data[i + 2] == W and data[i + 3] != FEED:
        return decode(data, i + 3)[1]
    return i


@njit(nogil=True, cache=True)
def measure(data, offsets, table, squeezed_from, counts, ratios):
    """Fill counts[5, docs] and ratios[7, docs], in the order of `zyda.FAMILY`."""
    for d in range(len(offsets) - 1):
        i, end = offsets[d], offsets[d + 1]
        points = breaks = others = digits = 0
        runs = taken = run = 0
        xml = declarations = lorem = https = less = quote = www = 0
        www_end = i
        last = -1
        last_kind = np.uint8(0)
        while i <= end:
            code, after, kind = -2, i + 1, np.uint8(0)
            if i < end:
                code, after = decode(data, i)
                kind = table[code] if code < TABLE_SIZE else np.uint8(0)
            if code == last:
                run += 1
            else:
                if run >= REPEATED_RUN:
                    if last < 256 and squeezed_from[last] and run >= squeezed_from[last]:
                        left = 1 + (last == BACKSLASH)
                        taken += run - left
                        run = left
                    runs += run >= REPEATED_RUN and last_kind & WORD > 0
                run = 1
                last = code
                last_kind = kind
            if i == end:
                break
            points += 1
            breaks += kind & BREAK > 0
            others += kind & (WORD | SPACE) == 0
            digits += kind & DECIMAL > 0
            if kind & OPENS:
                if code == LESS:
                    less += 1
                elif code == QUOTE:
                    quote += after < end and data[after] == COLON
                elif code == H:
                    https += _is_at(data, i, end, HTTPS)
                elif code == L:
                    lorem += _is_at(data, i, end, LOREM)
                elif code == X:
                    if _is_at(data, i, end, XML):
                        xml += 1
                        declarations += _is_at(data, i + 3, end, VERSION)
                elif i >= www_end:
                    www_end = _after_www(data, i, end)
                    www += www_end > i
            i = after
        squeezed = points - taken
        counts[0, d] = squeezed
        counts[1, d] = runs
        counts[2, d] = xml
        counts[3, d] = declarations
        counts[4, d] = lorem
        ratios[0, d] = ratio(points - breaks, breaks + 1)
        ratios[1, d] = ratio(others, points)
        ratios[2, d] = ratio(digits, points)
        ratios[3, d] = ratio(https, squeezed)
        ratios[4, d] = ratio(less, squeezed)
        ratios[5, d] = ratio(quote, squeezed)
        ratios[6, d] = ratio(www, squeezed)
