r"""E-mail addresses: from each `@`, walk left over a local part and right over labels.

What is found is what the two regexes that `tests/annotate/test_mask.py` keeps would find, leftmost and greedy:
`[A0-9]L*(\.L+)*@(?:[A0-9-]*[A0-9]\.)+T`, where A is a Latin, Greek or Cyrillic letter or a mark, L is A, a
digit or one of `_%+'-`, and T is `xn--…` or two letters and then letters and digits. Addresses joined by a dot are one,
so that what replaces an address never runs into another. No byte is walked over more than twice.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.pii import MARKS_BEYOND
from curation_dagster.annotate.pii_text_kernel import DASH, DOT, back, is_alpha, is_digit
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import decode

USER = np.frombuffer(b"user-", np.uint8)
DOMAIN = np.frombuffer(b"@example.com", np.uint8)
FIRST_MARK, LAST_MARK = MARKS_BEYOND
NO, SIGN, FIGURE, LETTER = range(4)  # what a code point is to an address


@njit
def _kind(data, i, letters):
    """Classify the code point at `i`; return (kind, next byte)."""
    c = data[i]
    if c < 0x80:
        if is_alpha(c):
            return LETTER, i + 1
        if is_digit(c):
            return FIGURE, i + 1
        return (SIGN if c in (0x25, 0x27, 0x2B, 0x2D, 0x5F) else NO), i + 1  # % ' + - _
    code, after = decode(data, i)
    known = letters[code] if code < TABLE_SIZE else FIRST_MARK <= code <= LAST_MARK
    return (LETTER if known else NO), after


@njit
def _local(data, at, low, letters):
    """Return where the local part before `at` begins, or -1."""
    begin = -1
    i = at
    after_dot = True  # no dot before the @, nor two in a row
    while i > low:
        if data[i - 1] == DOT:
            if after_dot:
                break
            after_dot = True
            i -= 1
            continue
        i = back(data, i)
        kind, _ = _kind(data, i, letters)
        if kind == NO:
            break
        after_dot = False
        if kind >= FIGURE:
            begin = i
    return begin


@njit
def _domain(data, i, high, letters):
    """Return where the domain that starts at `i` ends, or -1: the last label that may be a top-level domain."""
    end = -1
    labels = 0
    while True:
        start = i
        kind = NO
        leading = 0  # letters the label begins with
        stop = -1  # its first dash
        while i < high:
            kind_here, after = _kind(data, i, letters)
            dash = data[i] == DASH
            if kind_here == NO or (kind_here == SIGN and not dash):
                break
            if dash and stop < 0:
                stop = i
            if kind_here == LETTER and leading >= 0:
                leading += 1
            elif leading < 2:
                leading = -1
            kind, i = kind_here, after
        if labels and i - start > 4 and _is_punycode(data, start):
            end = i
        elif labels and leading >= 2:
            end = stop if stop >= 0 else i
        if i == start or kind == SIGN or i >= high or data[i] != DOT:
            return end
        labels += 1
        i += 1


@njit
def _is_punycode(data, i):
    return data[i] == 120 and data[i + 1] == 110 and data[i + 2] == DASH and data[i + 3] == DASH


@njit
def _is_ours(data, begin, end):
    """Say if the address is already `user-<8 hex>@example.com`."""
    if end - begin != 25:
        return False
    for k in range(5):
        if data[begin + k] != USER[k]:
            return False
    for k in range(12):
        if data[begin + 13 + k] != DOMAIN[k]:
            return False
    for k in range(5, 13):
        c = data[begin + k]
        if not (is_digit(c) or 97 <= c <= 102):
            return False
    return True


@njit
def emails(data, places, found, letters):
    """Write begin, end and whether masked of every address; return how many."""
    n = 0
    past = 0  # the end of the last address
    for p in range(len(places)):
        at, low, high = places[p, 0], places[p, 1], places[p, 2]
        begin = _local(data, at, max(low, past), letters)
        if begin < 0:
            continue
        end = _domain(data, at + 1, high, letters)
        if end < 0:
            continue
        if n and past > low and begin == past + 1 and data[past] == DOT and found[n - 1, 1] == past:
            n -= 1
            begin = found[n, 0]
        found[n, 0], found[n, 1], found[n, 3] = begin, end, _is_ours(data, begin, end)
        n += 1
        past = end
    return n
