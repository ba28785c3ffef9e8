"""Numbers with check digits: IBAN (ISO 13616, modulo 97) and payment cards (ISO/IEC 7812-1, Luhn).

Both plain or grouped as printed: an IBAN in fours with single spaces; a card in 4-4-4-4, 4-4-4-4-3, 4-6-5 or 4-6-4 with
spaces or dashes. Issuers and lengths are those of `CARD_ISSUERS`, lengths by country those of `IBAN_LENGTHS`.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.pii import CARD_ISSUERS, IBAN_LENGTHS
from curation_dagster.annotate.pii_text_kernel import (
    AT,
    DASH,
    DOT,
    PLUS,
    SLASH,
    SPACE,
    digit_at,
    is_alpha,
    is_digit,
    word_at,
)
from curation_dagster.compiled import njit

ISSUERS = np.array(CARD_ISSUERS, np.int64)
LENGTHS = np.zeros((26, 26), np.int64)
for _entry in IBAN_LENGTHS.split():
    LENGTHS[ord(_entry[0]) - 65, ord(_entry[1]) - 65] = int(_entry[2:])
MAX_CARD_DIGITS = 19


@njit
def _iban_end(data, begin, high):
    """Return where the account number that may begin at `begin` ends, or -1."""
    length = LENGTHS[(data[begin] | 0x20) - 97, (data[begin + 1] | 0x20) - 97]
    if length == 0:
        return -1
    grouped = begin + 4 < high and data[begin + 4] == SPACE
    i = begin
    head = rest = np.int64(0)  # the remainders of the first four characters and of the others
    for k in range(length):
        if grouped and k and k % 4 == 0:
            if i >= high or data[i] != SPACE:
                return -1
            i += 1
        if i >= high:
            return -1
        c = data[i]
        digit = is_digit(c)
        if (k in (2, 3) and not digit) or not (digit or is_alpha(c)):
            return -1
        value = np.int64(c - 48 if digit else (c | 0x20) - 87)
        if k < 4:
            head = (head * (10 if digit else 100) + value) % 97
        else:
            rest = (rest * (10 if digit else 100) + value) % 97
        i += 1
    # the first four count as six digits at the end: two letters of two digits each, two digits
    return i if (rest * 1_000_000 + head) % 97 == 1 else -1


@njit
def ibans(data, places, found):
    """Write begin and end of every account number; return how many."""
    n = 0
    past = 0
    for p in range(len(places)):
        begin, low, high, edges = places[p, 0], places[p, 1], places[p, 2], places[p, 3]
        if begin < past or word_at(data, begin - 1, low, high, edges):
            continue
        end = _iban_end(data, begin, high)
        if end < 0 or word_at(data, end, low, high, edges):
            continue
        if end < high and data[end] == DASH and word_at(data, end + 1, low, high, edges):
            continue
        found[n, 0], found[n, 1], found[n, 3] = begin, end, 0
        n += 1
        past = end
    return n


@njit
def _is_card(data, begin, end):
    """Say if the digits in data[begin:end] are a card's: issuer, length, check digit."""
    head = np.int64(0)
    n = 0
    for i in range(begin, end):
        if is_digit(data[i]):
            if n < 4:
                head = head * 10 + np.int64(data[i] - 48)
            n += 1
    known = False
    for k in range(len(ISSUERS)):
        width, first, last, fewest, most = ISSUERS[k]
        prefix = head // 10 ** (4 - width)
        known |= first <= prefix <= last and fewest <= n <= most
    if not known:
        return False
    total = np.int64(0)
    place = 0
    for i in range(end - 1, begin - 1, -1):
        if is_digit(data[i]):
            value = np.int64(data[i] - 48)
            if place % 2:
                value = value * 2 - 9 if value > 4 else value * 2
            total += value
            place += 1
    return total % 10 == 0


@njit
def _card_end(data, begin, high):
    """Return where the card number that begins at `begin` ends, or -1."""
    groups = 0
    shape = np.int64(0)  # the groups' lengths, a decimal digit each
    separator = np.uint8(0)
    best = -1
    i = begin
    while groups < 5:
        start = i
        while i < high and is_digit(data[i]) and i - start <= MAX_CARD_DIGITS:
            i += 1
        length = i - start
        groups += 1
        if groups == 1 and length > 4:
            return (
                i if length >= 12 and length <= MAX_CARD_DIGITS and _is_card(data, begin, i) else -1
            )
        if length < 3 or length > 6:
            break
        shape = shape * 10 + length
        if shape in (4444, 465, 464, 44443) and _is_card(data, begin, i):
            best = i
        if i >= high or data[i] not in (SPACE, DASH) or (groups > 1 and data[i] != separator):
            break
        separator = data[i]
        i += 1
    return best


@njit
def cards(data, places, found):
    """Write begin and end of every card number; return how many."""
    n = 0
    past = 0
    for p in range(len(places)):
        begin, low, high, edges = places[p, 0], places[p, 1], places[p, 2], places[p, 3]
        before = begin - 1
        if begin < past or word_at(data, before, low, high, edges):
            continue
        if before >= low:
            c = data[before]
            if c in (DOT, AT, PLUS) or (
                c in (DASH, SLASH) and word_at(data, before - 1, low, high, edges)
            ):
                continue
        end = _card_end(data, begin, high)
        if end < 0 or word_at(data, end, low, high, edges):
            continue
        if end < high and data[end] in (DASH, DOT, AT) and digit_at(data, end + 1, low, high):
            continue
        found[n, 0], found[n, 1], found[n, 3] = begin, end, 0
        n += 1
        past = end
    return n
