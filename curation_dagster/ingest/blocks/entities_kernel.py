"""Resolve character references in UTF-8 bytes, as `html.unescape` does (HTML 13.2.5.72), in one pass.

Named references come from Python's own table. Import inside the function that needs it: this loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,assignment"

import html
from html.entities import html5

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.ingest.blocks.bytes_kernel import AMP
from curation_dagster.ingest.blocks.markup import CHARS, DIGIT, LETTER, fnv
from curation_dagster.ingest.blocks.tag_kernel import OFFSET, PRIME, U

SLOTS = 8192
MAX_NAME = max(map(len, html5))
SEMICOLON, NUMBER_SIGN, SMALL_X, CAPITAL_X = 59, 35, 120, 88
REPLACEMENT = 0xFFFD
KEYS = np.zeros(SLOTS, np.uint64)
SPANS = np.zeros((SLOTS, 2), np.int32)
_held = bytearray()
for _name, _text in html5.items():
    _slot = fnv(_name) % SLOTS
    while KEYS[_slot]:
        _slot = (_slot + 1) % SLOTS
    KEYS[_slot] = fnv(_name)
    SPANS[_slot] = len(_held), len(_held) + len(_text.encode())
    _held += _text.encode()
TEXTS = np.frombuffer(bytes(_held), np.uint8)
LOW = (
    np.array(  # what numbers below 160 mean, windows-1252 for the controls above 127; -1 is nothing
        [
            ord(html.unescape(f"&#{n};") or "\0") if n and html.unescape(f"&#{n};") else -1
            for n in range(160)
        ],
        np.int32,
    )
)
LOW[0] = REPLACEMENT


@njit(inline="always")
def put(out, o, code):
    """Write a code point as UTF-8."""
    if code < 0x80:
        out[o] = code
        return o + 1
    if code < 0x800:
        out[o] = 0xC0 | (code >> 6)
        out[o + 1] = 0x80 | (code & 0x3F)
        return o + 2
    if code < 0x10000:
        out[o] = 0xE0 | (code >> 12)
        out[o + 1] = 0x80 | ((code >> 6) & 0x3F)
        out[o + 2] = 0x80 | (code & 0x3F)
        return o + 3
    out[o] = 0xF0 | (code >> 18)
    out[o + 1] = 0x80 | ((code >> 12) & 0x3F)
    out[o + 2] = 0x80 | ((code >> 6) & 0x3F)
    out[o + 3] = 0x80 | (code & 0x3F)
    return o + 4


@njit(inline="always")
def meaning(code):
    """Return the code point that a number stands for; -1 for none."""
    if code < 160:
        return np.int64(LOW[code])
    if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
        return np.int64(REPLACEMENT)
    if 0xFDD0 <= code <= 0xFDEF or (code & 0xFFFE) == 0xFFFE:
        return np.int64(-1)
    return code


@njit
def number(data, i, n):
    """Read the number at `&#`; return (code point or -1, byte behind it), or (-1, i) if there is none."""
    j = i + 2
    hexadecimal = j < n and (data[j] == SMALL_X or data[j] == CAPITAL_X)
    if hexadecimal:
        j += 1
    first = j
    code = np.int64(0)
    while j < n:
        c = np.int64(data[j])
        if 48 <= c <= 57:
            digit = c - 48
        elif hexadecimal and (97 <= c <= 102 or 65 <= c <= 70):
            digit = (c | 32) - 87
        else:
            break
        code = min(code * (16 if hexadecimal else 10) + digit, np.int64(0x110000))
        j += 1
    if j == first:
        return np.int64(-1), i
    if j < n and data[j] == SEMICOLON:
        j += 1
    return meaning(code), j


@njit
def named(data, i, n):
    """Find the longest name at `&`; return (slot or -1, byte behind it)."""
    key = OFFSET
    found, end = -1, i
    j = i + 1
    while j < n and j - i <= MAX_NAME:
        c = data[j]
        if not (c < 128 and CHARS[c] & (LETTER | DIGIT)) and c != SEMICOLON:
            break
        key = (key ^ U(c)) * PRIME
        j += 1
        slot = np.int64(key % U(SLOTS))
        while KEYS[slot] != U(0):
            if KEYS[slot] == key:
                found, end = slot, j
                break
            slot = (slot + 1) % SLOTS
        if c == SEMICOLON:
            break
    return found, end


@njit(cache=True, nogil=True)
def unescape(data, out):
    """Write `data` with its references resolved to `out`, of twice its size; return the number of bytes."""
    n = len(data)
    i = o = 0
    while i < n:
        if data[i] != AMP:
            out[o] = data[i]
            i += 1
            o += 1
            continue
        if i + 1 < n and data[i + 1] == NUMBER_SIGN:
            code, end = number(data, i, n)
            if end > i:
                if code >= 0:
                    o = put(out, o, code)
                i = end
                continue
        else:
            slot, end = named(data, i, n)
            if slot >= 0:
                for k in range(SPANS[slot, 0], SPANS[slot, 1]):
                    out[o] = TEXTS[k]
                    o += 1
                i = end
                continue
        out[o] = AMP
        o += 1
        i += 1
    return o
