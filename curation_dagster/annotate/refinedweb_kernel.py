"""The compiled loops of `refinedweb`: a table of a text's lines, from which each step strikes some out.

A step looks at the start of a line only, where that is enough. Import this module inside the function that needs it: it
loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.gopher_kernel import ratio
from curation_dagster.annotate.refinedweb import COUNTERS, PHRASES
from curation_dagster.annotate.str_classes import DECIMAL, DIGIT, SPACE, UPPER, WORD
from curation_dagster.annotate.str_classes_kernel import (
    FEED,
    before,
    counted_words,
    kind_of,
    spaced_words,
    trim,
)
from curation_dagster.compiled import njit
from curation_dagster.words_kernel import decode

COMMA, DOT, KELVIN = 0x2C, 0x2E, 0x212A
UNITS = (0x6B, 0x6D, 0x62)  # k m b
BLANKS = 3  # the characters behind "read more"


def _packed(phrases):
    """Put phrases into rows of bytes, the length in front."""
    rows = np.zeros((len(phrases), 16), np.uint8)
    for k, phrase in enumerate(phrases):
        rows[k, 0] = len(phrase)
        rows[k, 1 : 1 + len(phrase)] = np.frombuffer(phrase.encode(), np.uint8)
    return rows


NOUNS, SAID = _packed(COUNTERS), _packed(PHRASES)
IN_CART, READ_MORE, SIGN_IN = range(3)


@njit(inline="always")
def _lowered(code):
    """Fold what `str.lower` makes an ASCII letter of."""
    if 65 <= code <= 90:
        return code | 0x20
    return 0x6B if code == KELVIN else code


@njit(inline="always")
def folded(code):
    """Fold what `re.IGNORECASE` takes for an ASCII letter: dotted and dotless i, long s, Kelvin."""
    if code == 0x130 or code == 0x131:
        return 0x69
    if code == 0x17F:
        return 0x73
    return _lowered(code)


@njit
def _after(data, i, end, rows, k):
    """Return where phrase k that starts at i ends, whatever the case; -1 if it does not."""
    for c in range(rows[k, 0]):
        if i >= end:
            return -1
        code, i = decode(data, i)
        if folded(code) != rows[k, 1 + c]:
            return -1
    return i


@njit
def _is_counter(data, begin, end, table):
    r"""Match ^\W*\d[,.\d]*[kmb]?\s+(likes|shares|…)\W*$ on the lower-cased line."""
    i = begin
    digits = spaces = 0
    while i < end:
        code, after = decode(data, i)
        kind = kind_of(table, code)
        if kind & DECIMAL:
            digits += 1
        elif kind & WORD or (digits and code != COMMA and code != DOT):
            break
        i = after
    if not digits or i >= end:
        return False
    code, after = decode(data, i)
    if _lowered(code) in UNITS:
        i = after
    while i < end:
        code, after = decode(data, i)
        if not kind_of(table, code) & SPACE:
            break
        spaces += 1
        i = after
    if not spaces:
        return False
    for k in range(len(NOUNS)):
        j = i
        n = 0
        while n < NOUNS[k, 0] and j < end:
            code, after = decode(data, j)
            if _lowered(code) != NOUNS[k, 1 + n]:
                break
            j = after
            n += 1
        if n == NOUNS[k, 0]:
            while j < end:
                code, j = decode(data, j)
                if kind_of(table, code) & WORD:
                    return False
            return True
    return False


@njit
def _is_shouted(data, begin, end, table, most):
    """Tell whether more than the share `most` of a line's code points are capitals."""
    points = end - begin
    capitals = 0
    high = np.uint8(0)
    for i in range(begin, end):
        capitals += 65 <= data[i] <= 90
        high |= data[i]
    if high >= 0x80:
        points = capitals = 0
        i = begin
        while i < end:
            code, i = decode(data, i)
            points += 1
            capitals += kind_of(table, code) & UPPER > 0
    return points > 0 and capitals / points > most


@njit
def _is_digits(data, begin, end, table, most):
    """Tell whether more than the share `most` of a line's code points are digits."""
    points = digits = 0
    i = begin
    allowed = (1 - most) * (end - begin) + 1
    while i < end:
        code, i = decode(data, i)
        points += 1
        digits += kind_of(table, code) & DIGIT > 0
        if points - digits > allowed:
            return False
    return points > 0 and digits / points > most


@njit
def _strip(data, spans, n, table):
    """Take the white space at the ends off a text given as lines; return how many lines are left."""
    first = 0
    while first < n:
        spans[0, first], _ = trim(data, spans[0, first], spans[1, first], table)
        if spans[0, first] < spans[1, first]:
            break
        first += 1
    while n > first:
        _, spans[1, n - 1] = trim(data, spans[0, n - 1], spans[1, n - 1], table)
        if spans[0, n - 1] < spans[1, n - 1]:
            break
        n -= 1
    if first:
        for k in range(first, n):
            spans[0, k - first], spans[1, k - first] = spans[0, k], spans[1, k]
    return n - first


@njit
def _drop(data, spans, n, table, step, limit):
    """Strike out the lines that a step drops: 0 shouted, 1 digits, 2 counters, 3 short; return how many are left."""
    kept = 0
    for k in range(n):
        begin, end = spans[0, k], spans[1, k]
        if step == 0:
            drop = _is_shouted(data, begin, end, table, limit)
        elif step == 1:
            drop = _is_digits(data, begin, end, table, limit)
        elif step == 2:
            drop = _is_counter(data, begin, end, table)
        else:
            words = np.int64(limit)
            drop = end > begin and spaced_words(data, begin, end, table, words) < words
        if not drop:
            spans[0, kept], spans[1, kept] = begin, end
            kept += 1
    return kept


@njit
def _write(data, spans, n, out, at):
    """Join lines by LF behind out[at], make the spans those of the copy, and return where it ends."""
    for k in range(n):
        if k:
            out[at] = FEED
            at += 1
        begin, length = spans[0, k], spans[1, k] - spans[0, k]
        for b in range(length):
            out[at + b] = data[begin + b]
        spans[0, k], spans[1, k] = at, at + length
        at += length
    return at


@njit
def _without(out, begin, end, table):
    """Take every "items in cart", with a white space before, out of a line; return its new end."""
    i = at = begin
    while i < end:
        code, after = decode(out, i)
        match = -1
        if kind_of(table, code) & SPACE:
            match = _after(out, after, end, SAID, IN_CART)
        if match < 0:
            match = _after(out, i, end, SAID, IN_CART)
        if match >= 0:
            i = match
            continue
        while i < after:
            out[at] = out[i]
            at += 1
            i += 1
    return at


@njit
def _read_more(out, begin, end, table):
    """Return where "read more" and three more characters at the end of a line start, with a white space; or the end."""
    i = end
    for _ in range(BLANKS + SAID[READ_MORE, 0]):
        if i <= begin:
            return end
        i = before(out, i)
    if _after(out, i, end, SAID, READ_MORE) < 0:
        return end
    if i > begin:
        j = before(out, i)
        code, _ = decode(out, j)
        if kind_of(table, code) & SPACE:
            return j
    return i


@njit
def _sign_in(out, begin, end, table):
    """Return where a line starts without "sign-in" and a white space."""
    i = _after(out, begin, end, SAID, SIGN_IN)
    if i < 0:
        return begin
    if i < end:
        code, after = decode(out, i)
        if kind_of(table, code) & SPACE:
            return after
    return i


@njit
def _may_say(data, begin, end):
    """Tell, phrase by phrase, whether a text has what of it is ASCII in any case: art, mor, gn-."""
    cart = more = sign = False
    for i in range(begin, end - 2):
        a, b, c = data[i] | 0x20, data[i + 1] | 0x20, data[i + 2] | 0x20
        cart |= (a == 0x61) & (b == 0x72) & (c == 0x74)
        more |= (a == 0x6D) & (b == 0x6F) & (c == 0x72)
        sign |= (a == 0x67) & (b == 0x6E) & (c == 0x2D)
    return cart, more, sign


@njit
def _phrases(out, spans, n, table, phrase, most_words, substring):
    """Take a phrase out of the short lines, or those lines; return how many lines are left, and how many had it."""
    kept = found = 0
    for k in range(n):
        begin, end = spans[0, k], spans[1, k]
        if end > begin and spaced_words(out, begin, end, table, most_words + 1) <= most_words:
            if phrase == IN_CART:
                last = _without(out, begin, end, table)
                first = begin
            elif phrase == READ_MORE:
                first, last = begin, _read_more(out, begin, end, table)
            else:
                first, last = _sign_in(out, begin, end, table), end
            said = last - first < end - begin
            found += said
            a, b = trim(out, first, last, table)
            if a == b or (said and not substring):
                continue
            begin, end = first, last
        spans[0, kept], spans[1, kept] = begin, end
        kept += 1
    return kept, found


@njit(nogil=True, cache=True)
def lines(data, offsets, table, ratios, config, spans, out, ends, counts, removed):
    """Write each text without what goes; fill counts[6, docs] and removed, in the order of `refinedweb.LINES`."""
    counters, min_words, max_phrase_words, substring = config
    at = 0
    for d in range(len(offsets) - 1):
        begin, end = offsets[d], offsets[d + 1]
        n = 0
        line = begin
        for i in range(begin, end + 1):
            if i == end or data[i] == FEED:
                spans[0, n], spans[1, n] = line, i
                n += 1
                line = i + 1
        counts[0, d] = n
        for step in range(4):
            limit = ratios[step] if step < 2 else np.float64(min_words)
            if step == 2 and not counters:
                continue
            left = _drop(data, spans, n, table, step, limit)
            counts[1 + step, d] = n - left
            n = _strip(data, spans, left, table) if step < 3 else left
        text = at
        at = _write(data, spans, n, out, at)
        if max_phrase_words:
            said = _may_say(out, text, at)
            n = _strip(out, spans, n, table)
            for phrase in range(3):
                if min_words > 0 and not said[phrase]:
                    continue  # nor are there lines of white space, which would go
                n, found = _phrases(out, spans, n, table, phrase, max_phrase_words, substring)
                counts[5, d] += found
                n = _strip(out, spans, n, table)
            at = _write(out, spans, n, out, text)
        ends[d + 1] = at
        words = counted_words(data, begin, end, table)
        left = words if at - text == end - begin else counted_words(out, text, at, table)
        removed[d] = ratio(words - left, words)


@njit(nogil=True, cache=True)
def page(data, offsets, table, counts):
    """Count the words of every text."""
    for d in range(len(offsets) - 1):
        counts[d] = counted_words(data, offsets[d], offsets[d + 1], table)
