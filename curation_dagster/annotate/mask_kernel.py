"""The compiled loop of `mask`: write texts with what was found in them replaced.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.pii_email_kernel import DOMAIN, USER
from curation_dagster.annotate.pii_kernel import CARD, EMAIL, IBAN, IP, IPV6, KEY, PHONE
from curation_dagster.annotate.pii_key_kernel import OURS, OURS_PRIVATE, TAG_BYTES
from curation_dagster.annotate.pii_phone_kernel import OURS as FICTION
from curation_dagster.annotate.pii_text_kernel import is_alpha, is_digit
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import OFFSET, PRIME, U, decode, mix

HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
NETWORKS = np.array(((192, 0, 2), (198, 51, 100), (203, 0, 113)), np.int64)
DOCUMENTATION = np.frombuffer(b"2001:db8::", np.uint8)
IBAN_NAME, CARD_NAME = np.frombuffer(b"IBAN_", np.uint8), np.frombuffer(b"CARD_", np.uint8)
FIRST_TAG_LETTER = 103  # g: no hexadecimal digit, so that nothing runs into an IPv6 address
DOT, COLON = 0x2E, 0x3A


@njit(inline="always")
def _put(out, at, byte, write):
    if write:
        out[at] = byte
    return at + 1


@njit
def _copy(data, begin, end, out, at, write):
    if write:
        for k in range(end - begin):
            out[at + k] = data[begin + k]
    return at + end - begin


@njit
def _hash(data, begin, end, kind, lower):
    """Hash the original: addresses lower-cased, numbers without what divides them, secrets as they are."""
    h = OFFSET
    i = begin
    while i < end:
        code, i = decode(data, i)
        if kind in (PHONE, CARD, IBAN) and not (is_digit(code) or is_alpha(code)):
            continue
        if kind in (EMAIL, IP, IPV6, IBAN) and code < TABLE_SIZE:
            h = (h ^ U(lower[code])) * PRIME
        else:
            h = (h ^ U(code)) * PRIME
    return mix(h)


@njit
def _put_hex(h, first, last, out, at, write):
    """Write hexadecimal digits of `h`, counted from the left."""
    for k in range(first, last):
        at = _put(out, at, HEX[(h >> U(60 - 4 * k)) & U(15)], write)
    return at


@njit
def _put_email(h, out, at, write):
    at = _copy(USER, 0, len(USER), out, at, write)
    at = _put_hex(h, 0, 8, out, at, write)
    return _copy(DOMAIN, 0, len(DOMAIN), out, at, write)


@njit
def _put_ip(h, out, at, write):
    network = np.int64(h % U(3))
    for k in range(4):
        value = NETWORKS[network, k] if k < 3 else np.int64((h >> U(32)) % U(254)) + 1
        if k:
            at = _put(out, at, DOT, write)
        if value >= 100:
            at = _put(out, at, 48 + value // 100, write)
        if value >= 10:
            at = _put(out, at, 48 + value // 10 % 10, write)
        at = _put(out, at, 48 + value % 10, write)
    return at


@njit
def _put_ipv6(h, out, at, write):
    at = _copy(DOCUMENTATION, 0, len(DOCUMENTATION), out, at, write)
    at = _put_hex(h, 0, 4, out, at, write)
    at = _put(out, at, COLON, write)
    return _put_hex(h, 4, 8, out, at, write)


@njit
def _put_phone(h, out, at, write):
    """Write an area code, 555-01 and two digits: one of 79,200."""
    area = np.int64(h % U(792))
    second, third = area % 99 // 10, area % 99 % 10
    if second == 1 and third == 1:  # 211, 311, … are services; 99 takes their place
        second, third = np.int64(9), np.int64(9)
    at = _put(out, at, 50 + area // 99, write)
    at = _put(out, at, 48 + second, write)
    at = _put(out, at, 48 + third, write)
    at = _copy(FICTION, 0, len(FICTION), out, at, write)
    last = np.int64((h >> U(32)) % U(100))
    at = _put(out, at, 48 + last // 10, write)
    return _put(out, at, 48 + last % 10, write)


@njit
def _put_word(name, h, out, at, write):
    at = _copy(name, 0, len(name), out, at, write)
    for k in range(TAG_BYTES):
        at = _put(out, at, FIRST_TAG_LETTER + np.int64((h >> U(60 - 4 * k)) & U(15)), write)
    return at


@njit
def _put_replacement(data, begin, end, kind, lower, out, at, write):
    h = _hash(data, begin, end, kind, lower)
    if kind == EMAIL:
        return _put_email(h, out, at, write)
    if kind == IP:
        return _put_ip(h, out, at, write)
    if kind == IPV6:
        return _put_ipv6(h, out, at, write)
    if kind == PHONE:
        return _put_phone(h, out, at, write)
    if kind == IBAN:
        return _put_word(IBAN_NAME, h, out, at, write)
    if kind == CARD:
        return _put_word(CARD_NAME, h, out, at, write)
    return _put_word(OURS if kind == KEY else OURS_PRIVATE, h, out, at, write)


@njit(nogil=True, cache=True)
def rewrite(data, offsets, lower, rows, spans, starts, out, write):
    """Write each row at its start; with `write` false, its size to starts[1:] instead. Spans are sorted."""
    s = 0
    for r in range(len(rows)):
        begin, end = offsets[rows[r]], offsets[rows[r] + 1]
        at = starts[r] if write else 0
        while s < len(spans) and spans[s, 0] < begin:
            s += 1
        i = begin
        while s < len(spans) and spans[s, 0] < end:
            if not spans[s, 3]:
                at = _copy(data, i, spans[s, 0], out, at, write)
                i = spans[s, 1]
                at = _put_replacement(data, spans[s, 0], i, spans[s, 2], lower, out, at, write)
            s += 1
        at = _copy(data, i, end, out, at, write)
        if not write:
            starts[r + 1] = at
