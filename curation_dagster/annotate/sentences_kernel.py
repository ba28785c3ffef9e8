"""Where sentences end, by the rules of Koehn and Schroeder's splitter; `redstone` says which they are.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

from curation_dagster.annotate.splitter_kernel import BASE
from curation_dagster.annotate.str_classes import CLOSING, OPENING, STARTER, WORD
from curation_dagster.annotate.str_classes_kernel import FEED, before, kind_of, trim
from curation_dagster.compiled import njit
from curation_dagster.words_kernel import U, decode

SPACE, DOT, DASH, PAREN, PERCENT, QUESTION, CALL = 0x20, 0x2E, 0x2D, 0x28, 0x25, 0x3F, 0x21
NO_START, CAPITAL_START, DIGIT_START = range(3)


@njit
def _starts(data, i, end, table):
    """Tell how a word starts behind quotes and brackets, and whether there are quotes but no round bracket."""
    opened = False
    paren = False
    while i < end:
        code, after = decode(data, i)
        kind = kind_of(table, code)
        if not kind & OPENING:
            if kind & STARTER:
                return CAPITAL_START, opened and not paren
            if 0x30 <= code <= 0x39:
                return DIGIT_START, opened and not paren
            return NO_START, False
        opened = True
        paren = paren or code == PAREN
        i = after
    return NO_START, False


@njit
def _is_known(data, begin, end, prefixes):
    """Find a word among sorted hashes."""
    h = U(0)
    i = begin
    while i < end:
        code, i = decode(data, i)
        h = h * BASE + U(code + 1)
    low, high = 0, len(prefixes)
    while low < high:
        middle = (low + high) >> 1
        if prefixes[middle] < h:
            low = middle + 1
        else:
            high = middle
    return low < len(prefixes) and prefixes[low] == h


@njit
def _is_acronym(data, begin, dots, table):
    """Tell whether a full stop and capitals or hyphens stand before the dots at the end of a word."""
    i = dots
    letters = 0
    while i > begin:
        j = before(data, i)
        code, _ = decode(data, j)
        if code == DOT:
            return letters > 0
        if not kind_of(table, code) & STARTER and code != DASH:
            return False
        letters += 1
        i = j
    return False


@njit
def _stops(data, begin, end, table, prefixes):
    """Tell whether the full stops at the end of a word end a sentence: not behind a title or an acronym."""
    dots = end
    while dots > begin and data[dots - 1] == DOT:
        dots -= 1
    if _is_acronym(data, begin, dots, table):
        return False
    closed = dots
    while closed > begin:
        j = before(data, closed)
        code, _ = decode(data, j)
        if not kind_of(table, code) & CLOSING and code != PERCENT:
            break
        closed = j
    if closed < dots:
        return True
    first = closed
    while first > begin:
        j = before(data, first)
        code, _ = decode(data, j)
        if not kind_of(table, code) & WORD and code not in (DOT, DASH):
            break
        first = j
    return not _is_known(data, first, end - 1, prefixes)


@njit
def _breaks(data, begin, p, q, end, table, prefixes):
    """Tell whether a sentence ends before the spaces data[p:q]; it began no later than `begin`."""
    last = before(data, p)
    code, _ = decode(data, last)
    kind = kind_of(table, code)
    marks = code in (DOT, QUESTION, CALL)
    if not marks and not kind & CLOSING:
        return False
    start, opened = _starts(data, q, end, table)
    if start == NO_START:
        return False
    if not marks:
        i = last
        while i > begin:
            i = before(data, i)
            code, _ = decode(data, i)
            if not kind_of(table, code) & CLOSING:
                break
        return code in (DOT, QUESTION, CALL) and start == CAPITAL_START
    if code != DOT:
        return start == CAPITAL_START
    if start == CAPITAL_START and (opened or (last > begin and data[last - 1] == DOT)):
        return True
    word = last
    while word > begin and data[word - 1] != SPACE:
        word -= 1
    return _stops(data, word, p, table, prefixes)


@njit(nogil=True)
def sentences(data, begin, end, table, prefixes, spans):
    """Fill spans[2, …] with the sentences of a text, without the spaces around them; return how many there are."""
    begin, end = trim(data, begin, end, table)
    n = 0
    start = i = begin
    while i <= end:
        if i == end or data[i] == FEED:
            last = i
            while last > start and data[last - 1] == SPACE:
                last -= 1
            spans[0, n], spans[1, n] = start, last
            n += 1
            i += 1
            while i < end and data[i] == SPACE:
                i += 1
            start = i
        elif data[i] == SPACE:
            p = i
            while data[i] == SPACE:
                i += 1
            if p > start and _breaks(data, start, p, i, end, table, prefixes):
                spans[0, n], spans[1, n] = start, p
                n += 1
                start = i
        else:
            i += 1
    return n
