"""The compiled loop of `mask`: read marked text, write it with the marked addresses replaced.

Bytes 1 and 2 stand around an e-mail address, 3 and 4 around digits and dots; 3 and 4 may also stand
inside an e-mail address, where they mean nothing. Import this module inside the function that needs
it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

from ipaddress import IPv4Network

import numpy as np

from curation_dagster.annotate.mask import SPECIAL_NETWORKS
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import OFFSET, PRIME, U, decode, mix

USER = np.frombuffer(b"user-", np.uint8)
DOMAIN = np.frombuffer(b"@example.com", np.uint8)
HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
NETWORKS = np.array(((192, 0, 2), (198, 51, 100), (203, 0, 113)), np.int64)
NOT_PUBLIC = np.array(
    [
        (int(network.network_address), int(network.netmask))
        for network in map(IPv4Network, SPECIAL_NETWORKS)
    ],
    np.uint64,
)
LF, SPACE, DASH, DOT, SLASH, UNDERSCORE = 0x0A, 0x20, 0x2D, 0x2E, 0x2F, 0x5F


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
def _letter(data, i, begin, end):
    """Say if an ASCII letter stands at `i`; the edge of an e-mail address is one, also replaced."""
    if i < begin or i >= end:
        return False
    c = data[i]
    return c in (1, 2) or 97 <= (c | 0x20) <= 122


@njit
def _joined(data, i, begin, end):
    """Say if a letter, a digit or an underscore stands at `i`."""
    return _letter(data, i, begin, end) or (
        begin <= i < end and (48 <= data[i] <= 57 or data[i] == UNDERSCORE)
    )


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
        if not (48 <= c <= 57 or 97 <= c <= 102):
            return False
    return True


@njit
def _hash(data, begin, end, lower):
    """Hash the lower-cased code points, marks aside, as `words.term_hash_oracle` does."""
    h = OFFSET
    i = begin
    while i < end:
        code, i = decode(data, i)
        if code > 4:
            h = (h ^ U(lower[code] if code < TABLE_SIZE else code)) * PRIME
    return mix(h)


@njit
def _is_public(data, begin, end):
    """Say if data[begin:end], digits and dots, is a global unicast IPv4 address."""
    address = part = U(0)
    parts = digits = 0
    for i in range(begin, end + 1):
        c = data[i] if i < end else DOT
        if c == DOT:
            if parts == 4 or part > U(255):
                return False
            address = address << U(8) | part
            parts += 1
            digits, part = 0, U(0)
        else:
            # 010 is 8 for some readers, 10 for others
            if digits == 3 or (digits > 0 and part == U(0)):
                return False
            part = part * U(10) + U(c - 48)
            digits += 1
    for k in range(len(NOT_PUBLIC)):
        if address & NOT_PUBLIC[k, 1] == NOT_PUBLIC[k, 0]:
            return False
    return True


@njit
def _stands_alone(data, begin, end, first, last):
    """Say if what is outside the marks at `begin` and `end` lets the digits be an address."""
    before, after = begin - 1, end + 1
    if _joined(data, before, first, last) or _joined(data, after, first, last):
        return False
    if before >= first and data[before] == DOT:
        return False
    if before >= first and data[before] in (DASH, SLASH) and _letter(data, before - 1, first, last):
        return False
    if after < last and data[after] == DOT:
        opens_line = before < first or data[before] == LF
        if opens_line and after + 1 < last and data[after + 1] == SPACE:  # a heading, "1.2.3.4. On"
            return False
        return not _joined(data, after + 1, first, last)
    return not (after < last and data[after] == DASH and _letter(data, after + 1, first, last))


@njit
def _put_email(h, out, at, write):
    for k in range(5):
        at = _put(out, at, USER[k], write)
    for k in range(8):
        at = _put(out, at, HEX[(h >> U(60 - 4 * k)) & U(15)], write)
    for k in range(12):
        at = _put(out, at, DOMAIN[k], write)
    return at


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
def _close(data, i, last):
    """Find the mark that closes the one at `i`; e-mail addresses joined by a dot are one."""
    kind = data[i]
    close = i + 1
    while data[close] != kind + 1:
        close += 1
        if (
            kind == 1
            and close + 2 < last
            and data[close] == 2
            and data[close + 1] == DOT
            and data[close + 2] == 1
        ):
            close += 2
    return close


@njit
def _rewrite(data, first, last, lower, out, at, write):
    """Write one text from `at` on, or count only; return the end and how many were replaced."""
    emails = ips = 0
    i = first
    while i < last:
        plain = i
        while i < last and data[i] > 4:
            i += 1
        at = _copy(data, plain, i, out, at, write)
        if i == last:
            break
        kind = data[i]
        close = _close(data, i, last)
        if kind == 1 and not _is_ours(data, i + 1, close):
            at = _put_email(_hash(data, i + 1, close, lower), out, at, write)
            emails += 1
        elif (
            kind == 3
            and _is_public(data, i + 1, close)
            and _stands_alone(data, i, close, first, last)
        ):
            at = _put_ip(_hash(data, i + 1, close, lower), out, at, write)
            ips += 1
        else:
            at = _copy(data, i + 1, close, out, at, write)
        i = close + 1
    return at, emails, ips


@njit(nogil=True, cache=True)
def rewrite(data, offsets, lower, starts, out, found, write):
    """Write each text at its start; with `write` false, its size to starts[1:] instead."""
    for d in range(len(offsets) - 1):
        at = starts[d] if write else 0
        size, emails, ips = _rewrite(data, offsets[d], offsets[d + 1], lower, out, at, write)
        if not write:
            starts[d + 1] = size
        found[0, d] = emails
        found[1, d] = ips
