"""The compiled loops of `minhash`: exact hash, shingles, signature and band keys of each text.

Import this module inside the function that needs it: it loads numba. See `words_kernel` for the
conventions.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.dedup.minhash import ROLL
from curation_dagster.words import FNV_OFFSET
from curation_dagster.words_kernel import decode, mix, terms

U = np.uint64
R = U(ROLL)
SEED_1, SEED_2 = U(FNV_OFFSET), U(0x6C62272E07BB0142)
P1, P2 = U(0x9FB21C651E98DF25), U(0xA0761D6478BD642F)
S1, S2, S32 = U(32), U(29), U(32)
ALL, HIGH_BITS, CASE_BITS = U(0xFFFFFFFFFFFFFFFF), U(0x8080808080808080), U(0x2020202020202020)
RAW = U(0xFF00)  # marks a byte of a text without terms: UTF-8 has no byte FF
TILE = 4096  # shingles at a time: 16 kB, so they stay in the first-level cache


@njit(inline="always")
def step_1(h, code):
    h = (h ^ code) * P1
    return h ^ (h >> S1)


@njit(inline="always")
def step_2(h, code):
    h = (h + code) * P2
    return h ^ (h >> S2)


@njit(inline="always")
def eight_bytes(data, i):
    """Read eight bytes, the first lowest, whatever the machine; LLVM makes one load of it."""
    low = U(data[i]) | U(data[i + 1]) << U(8) | U(data[i + 2]) << U(16) | U(data[i + 3]) << U(24)
    high = (
        U(data[i + 4]) | U(data[i + 5]) << U(8) | U(data[i + 6]) << U(16) | U(data[i + 7]) << U(24)
    )
    return low | high << U(32)


@njit(inline="always")
def utf8(code):
    """Encode a code point: (its bytes, the first lowest; how many)."""
    if code < 0x80:
        return U(code), 1
    last = U(0x80 | (code & 0x3F))
    if code < 0x800:
        return U(0xC0 | (code >> 6)) | last << U(8), 2
    middle = U(0x80 | ((code >> 6) & 0x3F))
    if code < 0x10000:
        return U(0xE0 | (code >> 12)) | middle << U(8) | last << U(16), 3
    second = U(0x80 | ((code >> 12) & 0x3F))
    return U(0xF0 | (code >> 18)) | second << U(8) | middle << U(16) | last << U(24), 4


@njit(nogil=True, cache=True)
def add_slowly(h1, h2, data, i, stop, lower):
    """Add what is left of a term to both lanes, character by character."""
    word, held = U(0), 0
    while i < stop:
        code, i = decode(data, i)
        bytes_, size = utf8(np.int64(lower[code]))
        word |= bytes_ << U(8 * held)
        held += size
        if held >= 8:
            h1, h2 = step_1(h1, word), step_2(h2, word)
            held -= 8
            word = bytes_ >> U(8 * (size - held)) if held else U(0)
    return step_1(h1, word), step_2(h2, word)


@njit(nogil=True, cache=True)
def exact_hash(data, begin, end, n_terms, starts, ends, lower):
    """Hash the terms in two independent lanes; without terms, the bytes.

    A lane takes the UTF-8 of each lower-cased term, eight bytes at a time, zeros to the next
    multiple of eight and at least one: so terms do not run together. Terms in ASCII are letters and
    digits, which one OR lowers.
    """
    h1, h2 = SEED_1, SEED_2
    if n_terms == 0:
        for i in range(begin, end):
            h1, h2 = step_1(h1, RAW | U(data[i])), step_2(h2, RAW | U(data[i]))
        return mix(h1), mix(h2)
    for t in range(n_terms):
        i, stop = starts[t], ends[t]
        while True:
            size = min(stop - i, 8)
            if size and i + 8 > len(data):
                h1, h2 = add_slowly(h1, h2, data, i, stop, lower)
                break
            mask = ALL >> U(64 - 8 * size) if size else U(0)
            word = eight_bytes(data, i) & mask if size else U(0)
            if word & HIGH_BITS:
                h1, h2 = add_slowly(h1, h2, data, i, stop, lower)
                break
            word |= CASE_BITS & mask
            h1, h2 = step_1(h1, word), step_2(h2, word)
            if size < 8:
                break
            i += 8
    return mix(h1), mix(h2)


@njit(inline="always")
def fmix(h):
    """Mix 32 bits by MurmurHash3's finalizer, as datasketch does before it permutes."""
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x85EBCA6B))
    h = np.uint32(h ^ (h >> np.uint32(13)))
    h = np.uint32(h * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))


@njit(nogil=True, cache=True)
def shingle(hashes, n_terms, ngram, rolled, shingles):
    """Write the 32-bit hash of every `ngram` terms in a row (of all, if fewer); return how many."""
    size = min(ngram, n_terms)
    count = n_terms - size + 1
    oldest, h = U(1), U(0)
    for i in range(size):
        oldest *= R
        h = h * R + hashes[i]
    rolled[0] = h
    for i in range(1, count):
        h = h * R + (hashes[i + size - 1] - hashes[i - 1] * oldest)
        rolled[i] = h
    for i in range(count):
        shingles[i] = fmix(np.uint32(mix(rolled[i]) >> S32))
    return count


@njit(nogil=True, cache=True)
def minima(shingles, n, factors, addends, signature):
    """Write each permutation's smallest value; shingles in the inner loop, which vectorises."""
    signature[:] = np.uint32(0xFFFFFFFF)
    for first in range(0, n, TILE):
        # A slice: an offset in the index stops the vectoriser.
        tile = shingles[first : min(first + TILE, n)]
        for p in range(len(factors)):
            factor, addend, smallest = factors[p], addends[p], signature[p]
            for i in range(len(tile)):
                smallest = min(smallest, np.uint32(tile[i] * factor + addend))
            signature[p] = smallest


@njit(nogil=True, cache=True)
def band_key(signature, band, rows):
    """Hash the values of one band, and its number, so equal values in two bands give two keys."""
    h = mix(U(band + 1) * R)
    for i in range(band * rows, (band + 1) * rows):
        h = mix((h ^ U(signature[i])) * P1)
    return h


@njit(nogil=True, cache=True)
def fingerprint(
    data, offsets, classes, lower, factors, addends, ngram, rows, exact, counts, signatures, keys
):
    """Fill the output arrays; return how many signatures, which are packed (none without terms)."""
    longest = 0
    for d in range(len(counts)):
        longest = max(longest, offsets[d + 1] - offsets[d])
    hashes = np.empty(longest, np.uint64)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    rolled, shingles = np.empty(longest, np.uint64), np.empty(longest, np.uint32)
    filled = 0
    for d in range(len(counts)):
        begin, end = offsets[d], offsets[d + 1]
        n = terms(data, begin, end, classes, lower, hashes, starts, ends)
        counts[d] = n
        exact[d, 0], exact[d, 1] = exact_hash(data, begin, end, n, starts, ends, lower)
        if n:
            m = shingle(hashes, n, ngram, rolled, shingles)
            minima(shingles, m, factors, addends, signatures[filled])
            for band in range(len(keys)):
                keys[band, d] = band_key(signatures[filled], band, rows)
            filled += 1
    return filled
