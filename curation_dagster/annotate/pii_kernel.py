"""Where to look for personal data: blocks that may hold some, places in them, and what is around a place.

The pass over all bytes compares 64 at once by vector instructions and reads each byte and the two after it; what it
flags is a superset. Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.pii import KINDS
from curation_dagster.annotate.pii_address_kernel import ipv4, ipv6
from curation_dagster.annotate.pii_email_kernel import emails
from curation_dagster.annotate.pii_key_kernel import keys, private_keys
from curation_dagster.annotate.pii_number_kernel import cards, ibans
from curation_dagster.annotate.pii_phone_kernel import phones
from curation_dagster.annotate.pii_text_kernel import is_alpha, is_digit, is_hex, is_word
from curation_dagster.compiled import njit

WIDTH = 64  # an argument, for LLVM unrolls loops of constant length before it can vectorize them
PRIVATE_KEY, KEY, EMAIL, IBAN, IPV6, IP, CARD, PHONE = range(8)
if KINDS != ("private_key", "key", "email", "iban", "ipv6", "ip", "card", "phone"):
    raise ImportError(KINDS)  # the bits of a flag are places in KINDS
BYTE = np.uint8
ALL = BYTE(255)
BITS = [BYTE(1 << k) for k in range(8)]
B_PRIVATE, B_KEY, B_EMAIL, B_IBAN, B_IPV6, B_IP, B_CARD, B_PHONE = BITS
NONE = BYTE(0)
FIRST = np.zeros(256, np.uint8)  # a bit a kind: may this byte be the first at a place
for _kind, _bytes in (
    (PRIVATE_KEY, b"-P"),
    (KEY, b"AKeghnprsx"),
    (EMAIL, b"@"),
    (IBAN, bytes([*range(65, 91), *range(97, 123)])),
    (IPV6, b":"),
    (IP, b"0123456789"),
    (CARD, b"0123456789"),
    (PHONE, b"0123456789"),
):
    FIRST[list(_bytes)] |= BITS[_kind]


@njit(inline="always")
def _key_head(x, y, z):
    """Say if three bytes begin a prefix of `KEY_FORMS`, a JSON Web Token or what replaces a key."""
    amazon = (x == 65) & (((y == 75) | (y == 83)) & (z == 73) | (y == 73) & (z == 122))
    github = (z == 111) | (z == 112) | (z == 114) | (z == 115) | (z == 117)
    git = (x == 103) & ((y == 104) & github | (y == 105) & (z == 116) | (y == 108) & (z == 112))
    stripe = ((x == 115) | (x == 114)) & (y == 107) & ((z == 95) | (z == 45))
    slack = (x == 120) & (y == 111) & (z == 120)
    npm = (x == 110) & (y == 112) & (z == 109)
    pypi = (x == 112) & (y == 121) & (z == 112)
    hugging = (x == 104) & (y == 102) & (z == 95)
    token = (x == 101) & (y == 121) & (z == 74)
    ours = (x == 75) & (y == 69) & (z == 89)
    return amazon | git | stripe | slack | npm | pypi | hugging | token | ours


@njit(inline="always")
def _private_head(x, y, z):
    return (x == 45) & (y == 45) & (z == 66) | (x == 80) & (y == 82) & (z == 73)


@njit(nogil=True, cache=True)
def flag_few(data, flags, width):
    """Flag the blocks of `width` bytes where an e-mail or IPv4 address may be; the last ones always are."""
    full = max(0, (len(data) - 2) // width)
    for b in range(full):
        at = b * width
        first, second, third = data[at:], data[at + 1 :], data[at + 2 :]
        seen = NONE
        for i in range(width):
            x, y, z = first[i], second[i], third[i]
            seen |= B_EMAIL if x == 64 else NONE
            seen |= B_IP if is_digit(x) & (y == 46) & is_digit(z) else NONE
        flags[b] = seen
    flags[full:] = ALL


@njit(nogil=True, cache=True)
def flag_all(data, flags, width):
    """Flag the blocks where any kind may be, a bit a kind; the last blocks always are."""
    full = max(0, (len(data) - 3) // width)
    for b in range(full):
        at = b * width
        first, second, third, fourth = data[at:], data[at + 1 :], data[at + 2 :], data[at + 3 :]
        seen = NONE
        for i in range(width):
            x, y, z, w = first[i], second[i], third[i], fourth[i]
            digits = is_digit(x) & is_digit(y)
            seen |= B_PRIVATE if _private_head(x, y, z) else NONE
            seen |= B_KEY if _key_head(x, y, z) else NONE
            seen |= B_EMAIL if x == 64 else NONE
            seen |= B_IBAN if is_alpha(x) & is_alpha(y) & is_digit(z) & is_digit(w) else NONE
            seen |= B_IPV6 if (x == 58) & ((y == 58) | is_hex(y)) else NONE
            seen |= B_IP if is_digit(x) & (y == 46) & is_digit(z) else NONE
            seen |= B_CARD if digits & is_digit(z) else NONE
            seen |= B_PHONE if digits else NONE
        flags[b] = seen
    flags[full:] = ALL


@njit
def _is_place(data, i, begin, end, kind):
    """Say if a finding of this kind is worth trying at byte `i`."""
    x = data[i]
    y = data[i + 1] if i + 1 < end else NONE
    z = data[i + 2] if i + 2 < end else NONE
    if kind == EMAIL:
        return x == 64
    if kind == IP:
        return is_digit(x) and y == 46 and is_digit(z)
    if kind == IPV6:
        return x == 58 and (y == 58 or is_hex(y))
    if kind == PRIVATE_KEY:
        return _private_head(x, y, z)
    if kind == KEY:
        return _key_head(x, y, z) and (i == begin or not is_word(data[i - 1]))
    starts = i == begin or not is_word(data[i - 1])
    if kind == IBAN:
        return starts and is_alpha(x) and is_alpha(y) and is_digit(z)
    if kind == CARD:
        return starts and is_digit(x) and is_digit(y) and is_digit(z)
    return is_digit(x) and is_digit(y) and (i == begin or not is_digit(data[i - 1]))


@njit
def _walk(data, offsets, flags, kind, taken, places, write):
    """Write place, first and last byte of the text around it, and edges; return how many places there are."""
    n = t = 0
    bit = BYTE(1) << BYTE(kind)
    for d in range(len(offsets) - 1):
        begin, end = offsets[d], offsets[d + 1]
        if begin == end:
            continue
        for b in range(begin // WIDTH, (end - 1) // WIDTH + 1):
            if not flags[b] & bit:
                continue
            for i in range(max(begin, b * WIDTH), min(end, b * WIDTH + WIDTH)):
                if not FIRST[data[i]] & bit or not _is_place(data, i, begin, end, kind):
                    continue
                while t < len(taken) and taken[t, 1] <= i:
                    t += 1
                if t < len(taken) and taken[t, 0] <= i:
                    continue  # inside what an earlier kind took
                if write:
                    low, high, edges = begin, end, 0
                    if t > 0 and taken[t - 1, 1] > begin:
                        low, edges = taken[t - 1, 1], 1
                    if t < len(taken) and taken[t, 0] < end:
                        high, edges = taken[t, 0], edges | 2
                    places[n, 0], places[n, 1], places[n, 2], places[n, 3] = i, low, high, edges
                n += 1
    return n


@njit(nogil=True, cache=True)
def candidates(data, offsets, flags, kind, taken):
    """Return the places to try: place, low, high, edges (1: another finding ends at low, 2: starts at high)."""
    n = _walk(data, offsets, flags, kind, taken, np.empty((0, 4), np.int64), False)
    places = np.empty((n, 4), np.int64)
    _walk(data, offsets, flags, kind, taken, places, True)
    return places


@njit(nogil=True, cache=True)
def find(kind, data, places, lower, letters):
    """Decide at each place; return begin, end, kind and whether it is masked already."""
    found = np.empty((len(places), 4), np.int64)
    n = 0
    if kind == PRIVATE_KEY:
        n = private_keys(data, places, found)
    elif kind == KEY:
        n = keys(data, places, found)
    elif kind == EMAIL:
        n = emails(data, places, found, letters)
    elif kind == IBAN:
        n = ibans(data, places, found)
    elif kind == IPV6:
        n = ipv6(data, places, found)
    elif kind == IP:
        n = ipv4(data, places, found, lower)
    elif kind == CARD:
        n = cards(data, places, found)
    else:
        n = phones(data, places, found, lower)
    found[:n, 2] = kind
    return found[:n].copy()
