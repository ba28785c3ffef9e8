"""Telephone numbers: groups of digits in a form that hardly anything else has, or after a word that announces one.

Without a word: `+` and 8 to 15 digits (ITU-T E.164); three, three and four digits as in North America; nine to eleven
digits that begin with a trunk 0, in groups divided alike. After a word of `PHONE_WORDS` any 7 to 12 digits in up to
six groups that are no date. A word of `NO_PHONE` before forbids all but the first. The word is at most
`MAX_CONTEXT_BYTES` before, with no digit between.

`ddd-555-01dd` is reserved for fiction and is what `mask` writes: never found, and no number reaches into it.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.pii import NO_PHONE, PHONE_WORDS, word_hashes
from curation_dagster.annotate.pii_text_kernel import (
    AT,
    CLOSE,
    DASH,
    DOT,
    OPEN,
    PLUS,
    SPACE,
    UNDERSCORE,
    back,
    digit_at,
    is_among,
    is_digit,
    is_word,
    word_at,
    word_hash,
)
from curation_dagster.compiled import njit
from curation_dagster.words import LETTER, TABLE_SIZE, tables
from curation_dagster.words_kernel import decode

LETTERS = (tables()[0] & LETTER).astype(np.bool_)
WANTED, REFUSED = word_hashes(PHONE_WORDS), word_hashes(NO_PHONE)
OURS = np.frombuffer(b"-555-01", np.uint8)
OURS_BYTES = 12
MAX_CONTEXT_BYTES = 40
MAX_GROUPS = 8
MAX_GROUP_DIGITS = 15
MAX_EXTENSION_DIGITS = 6
GLUE = np.uint8(0)  # between groups of which a bracket divides
LEN, HEAD, JOINT, AFTER = range(
    4
)  # of a group: digits, first digit, what is before it, first byte after it
NOTHING_BEFORE = np.frombuffer(b"@.$#=%&/\\", np.uint8)


@njit
def _is_ours(data, i, low, high):
    """Say if `ddd-555-01dd` stands at `i`, and no more digits."""
    if i + OURS_BYTES > high or digit_at(data, i - 1, low, high):
        return False
    for k in range(len(OURS)):
        if data[i + 3 + k] != OURS[k]:
            return False
    for k in (0, 1, 2, 10, 11):
        if not is_digit(data[i + k]):
            return False
    return not digit_at(data, i + OURS_BYTES, low, high)


@njit
def _is_closed(data, i, high):
    """Say if a bracket closes after the digits at `i`."""
    stop = min(high, i + MAX_GROUP_DIGITS)
    while i < stop and is_digit(data[i]):
        i += 1
    return i < high and data[i] == CLOSE


@njit
def _begins(data, i, low, high):
    """Return where a number begins whose first run of two digits or more is at `i`: `+`, `(`, `1-` go before."""
    j = i - 1 if i > low and data[i - 1] == OPEN and _is_closed(data, i, high) else i
    k = j - 1 if j > low and data[j - 1] in (SPACE, DASH, DOT) else j
    if k > low and 49 <= data[k - 1] <= 57 and k < i and not digit_at(data, k - 2, low, k):
        if k - 1 > low and data[k - 2] == PLUS:
            return k - 2
        if data[k - 1] == 49:
            c = data[k - 2] if k - 1 > low else np.uint8(SPACE)
            if not (is_word(c) or c in (DASH, DOT, 0x2C, 0x2F, AT)):
                return k - 1
    if j > low and data[j - 1] == PLUS:
        return j - 1
    return j


@njit
def _read(data, i, high, groups):
    """Write the groups of digits from `i` on; return how many."""
    n = 0
    joint = GLUE
    while n < MAX_GROUPS:
        bracket = i < high and data[i] == OPEN
        start = i + 1 if bracket else i
        j = start
        while j < high and is_digit(data[j]) and j - start <= MAX_GROUP_DIGITS:
            j += 1
        if j == start or (bracket and (j >= high or data[j] != CLOSE)):
            break
        after = j + 1 if bracket else j
        groups[n, LEN], groups[n, HEAD] = j - start, data[start] - 48
        groups[n, JOINT], groups[n, AFTER] = joint, after
        n += 1
        i = after
        if i < high and data[i] in (SPACE, DASH, DOT):
            joint = data[i]
            i += 1
        elif bracket or (i < high and data[i] == OPEN):
            joint = GLUE
        else:
            break
    return n


@njit
def _context(data, i, low, lower):
    """Look for the nearest word that announces (1) or forbids (-1) a number at `i`; 0 if there is none."""
    stop = max(low, i - MAX_CONTEXT_BYTES)
    while i > stop:
        previous = back(data, i)
        if is_digit(data[previous]) or data[previous] == UNDERSCORE:
            return 0
        code, _ = decode(data, previous)
        if not (code < TABLE_SIZE and LETTERS[code]):
            i = previous
            continue
        end = i
        while i > low:
            previous = back(data, i)
            code, _ = decode(data, previous)
            if not (code < TABLE_SIZE and LETTERS[code]):
                break
            i = previous
            if end - i > MAX_CONTEXT_BYTES:
                return 0
        h = word_hash(data, i, end, lower)
        if is_among(h, WANTED):
            return 1
        if is_among(h, REFUSED):
            return -1
    return 0


@njit
def _international(groups, n):
    """Return how many groups a number after `+` has, or 0."""
    total = best = 0
    for k in range(n):
        total += groups[k, LEN]
        if total > 15 or (best and groups[0, HEAD] == 1 and total > 11):
            break
        if total >= 8 and (groups[0, HEAD] != 1 or total == 11):
            best = k + 1
    return best if groups[0, HEAD] != 0 else 0


@njit
def _american(data, begin, groups, n):
    """Return how many groups a number of three, three and four digits has, with 1 or 001 before, or 0."""
    k = 0
    if n > 3 and (
        (groups[0, LEN] == 1 and groups[0, HEAD] == 1)
        or (
            groups[0, LEN] == 3
            and data[begin] == 48
            and data[begin + 1] == 48
            and data[begin + 2] == 49
        )
    ):
        k = 1
    if n < k + 3 or groups[k, LEN] != 3 or groups[k + 1, LEN] != 3 or groups[k + 2, LEN] != 4:
        return 0
    first, second = groups[k + 1, JOINT], groups[k + 2, JOINT]
    if groups[k, HEAD] < 2 or second == GLUE:
        return 0
    bracket = data[groups[k, AFTER] - 1] == CLOSE
    if second == SPACE:
        return k + 3 if groups[k + 1, HEAD] >= 2 and (bracket or first == SPACE) else 0
    return k + 3 if bracket or first == second else 0


@njit
def _national(data, begin, groups, n):
    """Return how many groups a number with a trunk 0 has: all that are divided alike; or 0."""
    bracket = data[begin] == OPEN
    if groups[0, HEAD] != 0 or groups[0, LEN] < 2 or (not bracket and groups[0, LEN] > 5):
        return 0
    if data[begin + 1 + bracket] == 48 or n < 2:
        return 0
    k, total = 1, groups[0, LEN]
    joint = groups[2, JOINT] if bracket and n > 2 else groups[1, JOINT]
    while k < n and ((k == 1 and bracket) or groups[k, JOINT] == joint):
        total += groups[k, LEN]
        k += 1
    many = k > 2 or (bracket and k == 2) or groups[1, LEN] >= 6
    return k if many and k == n and 9 <= total <= 11 else 0


@njit
def _announced(groups, n):
    """Return how many groups any number after a telling word has, or 0."""
    total = k = 0
    while k < min(n, 6) and total + groups[k, LEN] <= 12:
        total += groups[k, LEN]
        k += 1
    if total < 7 or k < n:
        return 0
    if k == 3 and total == 8:  # a date
        first, second, third = groups[0, LEN], groups[1, LEN], groups[2, LEN]
        if (first, second, third) == (4, 2, 2) or (first, second, third) == (2, 2, 4):
            return 0
    return k


@njit
def _extension(data, i, high):
    """Return the end of `x123` or ` x123` at `i`, or `i`."""
    j = i + 1 if i < high and data[i] == SPACE else i
    if j >= high or data[j] != 120:
        return i
    k = j + 1
    while k < high and is_digit(data[k]) and k - j <= MAX_EXTENSION_DIGITS:
        k += 1
    return k if k > j + 1 and not digit_at(data, k, j, high) else i


@njit
def _free_before(data, i, low, high, edges):
    """Say if no word, sum or longer number is joined to what begins at `i`."""
    if i - 1 < low:
        return edges & 1 == 0
    c = data[i - 1]
    if word_at(data, i - 1, low, high, edges) and data[i] != OPEN:
        return False
    for k in range(len(NOTHING_BEFORE)):
        if c == NOTHING_BEFORE[k]:
            return False
    if c == SPACE and i - 2 >= low and data[i - 2] == 0x23:  # "# 415", as in a list of entries
        return False
    if c in (DASH, PLUS) and word_at(data, i - 2, low, high, edges):
        return False
    return not (c in (0x2C, 0x3A) and digit_at(data, i - 2, low, high))  # 1,234 and 10:30


@njit
def _free_after(data, i, low, high, edges):
    if word_at(data, i, low, high, edges):
        return False
    if i < high and data[i] in (DASH, DOT, 0x2F, 0x3A, 0x2C) and digit_at(data, i + 1, low, high):
        return False
    return not (i < high and data[i] in (AT, 0x25))


@njit
def _has_ours(data, begin, end, low, high):
    for i in range(begin, end):
        if data[i] == DASH and i - 3 >= low and _is_ours(data, i - 3, low, high):
            return True
    return False


@njit
def _end(data, begin, low, high, edges, groups, lower):
    """Return where the telephone number that may begin at `begin` ends, or -1."""
    if not _free_before(data, begin, low, high, edges):
        return -1
    plus = data[begin] == PLUS
    n = _read(data, begin + 1 if plus else begin, high, groups)
    if n == 0:
        return -1
    if plus:
        k = _international(groups, n)
        end = _extension(data, groups[k - 1, AFTER], high) if k else -1
        return end if k and _free_after(data, end, low, high, edges) else -1
    context = _context(data, begin, low, lower)
    if context < 0:
        return -1
    k = _american(data, begin, groups, n)
    alone = (
        k and groups[k - 1, JOINT] != SPACE
    )  # a space may then come before or after other digits
    if not k:
        k = _national(data, begin, groups, n)
    if not k and context > 0:
        k = _announced(groups, n)
    if not k:
        return -1
    if not alone and begin - 2 >= low and data[begin - 1] == SPACE and is_digit(data[begin - 2]):
        return -1
    if not alone and k < n:
        return -1
    end = _extension(data, groups[k - 1, AFTER], high)
    return end if _free_after(data, end, low, high, edges) else -1


@njit
def phones(data, places, found, lower):
    """Write begin and end of every telephone number; return how many."""
    n = 0
    past = 0
    groups = np.zeros((MAX_GROUPS, 4), np.int64)
    for p in range(len(places)):
        at, low, high, edges = places[p, 0], places[p, 1], places[p, 2], places[p, 3]
        if at < past:
            continue
        if _is_ours(data, at, low, high):
            past = at + OURS_BYTES
            continue
        begin = _begins(data, at, max(low, past), high)
        end = _end(data, begin, low, high, edges, groups, lower)
        if end < 0 or _has_ours(data, begin, end, low, high):
            continue
        found[n, 0], found[n, 1], found[n, 3] = begin, end, 0
        n += 1
        past = end
    return n
