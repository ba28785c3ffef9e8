"""The compiled loops of `stems`: the stems of a text, its character 4-grams, and its pairs of stems.

Import this module inside the function that needs it: it loads numba. See `words_kernel` for the
conventions.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.decontaminate.stems import (
    LOOK_ALIKES,
    MAX_STEMMED_CHARS,
    MIN_STEM_CHARS,
    NOISE_CHARS,
    NUMBER_SLOTS,
    ending_table,
    number_table,
)
from curation_dagster.words import (
    DIGIT,
    FNV_OFFSET,
    FNV_PRIME,
    LETTER,
    MASK,
    TABLE_SIZE,
    UNSPACED,
    UPPER,
)
from curation_dagster.words_kernel import OFFSET, PRIME, decode, mix

U = np.uint64
NUMBER_KEYS, NUMBER_STEMS = number_table()
ENDING_CODES, ENDING_SIZES = ending_table()
ENDING_LASTS = np.unique(ENDING_CODES[:, 0])
ALIKE = np.arange(128)
for _char, _other in LOOK_ALIKES.items():
    ALIKE[ord(_char)] = ord(_other)
NUMBER_OPEN = U((FNV_OFFSET ^ ord("#")) * FNV_PRIME & MASK)
NOTHING, WORD, NUMBER = 0, 1, 2
COMMA, POINT, ZERO, NINE, SMALL_E, SPACE_CODE = 0x2C, 0x2E, 0x30, 0x39, 0x65, 0x20
S4, S16 = U(4), U(16)


@njit(inline="always")
def is_ascii_digit(data, i, end):
    return i < end and data[i] >= ZERO and data[i] <= NINE


@njit(nogil=True, cache=True)
def stemmed(codes, prefixes, n):
    """Hash a word of n code points less its ending; `prefixes[k]` is the hash of its first k."""
    full = mix(prefixes[n])
    slot = np.int64(full % U(NUMBER_SLOTS))
    while NUMBER_KEYS[slot] != U(0):
        if NUMBER_KEYS[slot] == full:
            return NUMBER_STEMS[slot]
        slot = (slot + 1) % NUMBER_SLOTS
    last = codes[n - 1]
    for other in ENDING_LASTS:
        if last == other:
            break
    else:
        if last == SMALL_E and n > MIN_STEM_CHARS:
            return mix(prefixes[n - 1])
        return full
    for e in range(len(ENDING_SIZES)):
        size = ENDING_SIZES[e]
        if n - size < MIN_STEM_CHARS:
            continue
        same = True
        for k in range(size):
            if codes[n - 1 - k] != ENDING_CODES[e, k]:
                same = False
                break
        if same:
            n -= size
            break
    if codes[n - 1] == SMALL_E and n > MIN_STEM_CHARS:
        n -= 1
    return mix(prefixes[n])


@njit(nogil=True, cache=True)
def stems(data, begin, end, classes, lower, hashes, starts, ends):
    """Write the hash and byte span of every stem of data[begin:end]; return how many there are.

    The three output arrays hold at least `end - begin` entries.
    """
    codes = np.empty(MAX_STEMMED_CHARS + 1, np.int64)
    prefixes = np.empty(MAX_STEMMED_CHARS + 2, np.uint64)
    n, size, state, i = 0, 0, NOTHING, begin
    h, significant = OFFSET, OFFSET  # of a number: all of it, and without zeros at its end
    was_upper, fraction = False, False
    prefixes[0] = OFFSET
    while i < end:
        code, after = decode(data, i)
        kind = classes[code] if code < TABLE_SIZE else 0
        is_letter = kind & LETTER and not kind & UNSPACED
        is_digit = kind & DIGIT
        if state == WORD and (not is_letter or (kind & UPPER and not was_upper)):
            hashes[n] = stemmed(codes, prefixes, size) if size <= MAX_STEMMED_CHARS else mix(h)
            ends[n] = i
            n += 1
            state = NOTHING
        elif state == NUMBER and not is_digit:
            if code == COMMA and not fraction and is_ascii_digit(data, i + 1, end):
                if is_ascii_digit(data, i + 2, end) and is_ascii_digit(data, i + 3, end):
                    if not is_ascii_digit(data, i + 4, end):
                        i = after
                        continue
            if code == POINT and not fraction and is_ascii_digit(data, i + 1, end):
                fraction = True
                h = (h ^ U(code)) * PRIME
                i = after
                continue
            hashes[n] = mix(significant)
            ends[n] = i
            n += 1
            state = NOTHING
        if is_letter:
            if state == NOTHING:
                state, size, h = WORD, 0, OFFSET
                starts[n] = i
            small = np.int64(lower[code])
            h = (h ^ U(small)) * PRIME
            if size < MAX_STEMMED_CHARS:
                codes[size] = small
                prefixes[size + 1] = h
            size += 1
            was_upper = (kind & UPPER) != 0
        elif is_digit:
            if state == NOTHING:
                state, h, fraction = NUMBER, NUMBER_OPEN, False
                significant = h
                starts[n] = i
            h = (h ^ U(code)) * PRIME
            if not fraction or code != ZERO:
                significant = h
        elif kind & UNSPACED:
            hashes[n] = mix((OFFSET ^ U(code)) * PRIME)
            starts[n], ends[n] = i, after
            n += 1
        i = after
    if state == WORD:
        hashes[n] = stemmed(codes, prefixes, size) if size <= MAX_STEMMED_CHARS else mix(h)
    elif state == NUMBER:
        hashes[n] = mix(significant)
    if state != NOTHING:
        ends[n] = end
        n += 1
    return n


@njit(nogil=True, cache=True)
def noisy_stems(data, begin, end, classes, lower, hashes, starts, ends):
    """Do the same for text with character noise: NOISE_CHARS letters and digits in a row, look-alikes as one."""
    recent = np.zeros(NOISE_CHARS, np.int64)
    n, seen, i = 0, 0, begin
    packed = U(0)
    while i < end:
        code, after = decode(data, i)
        kind = classes[code] if code < TABLE_SIZE else 0
        if kind & (LETTER | DIGIT):
            small = np.int64(lower[code])
            packed = (packed << S16) ^ U(ALIKE[small] if small < 128 else small)
            recent[seen % NOISE_CHARS] = i
            seen += 1
            if seen >= NOISE_CHARS:
                hashes[n] = mix(packed)
                starts[n], ends[n] = recent[seen % NOISE_CHARS], after
                n += 1
        i = after
    return n


@njit(nogil=True, cache=True)
def char_grams(data, starts, ends, n_stems, lower, out):
    """Write the hash of every four characters in a row of the stems, a space around each; return how many."""
    packed, seen, n = U(SPACE_CODE), 1, 0
    for t in range(n_stems):
        i = starts[t]
        while i < ends[t]:
            code, i = decode(data, i)
            packed = (packed << S16) ^ U(lower[code])
            seen += 1
            if seen >= 4:
                out[n] = mix(packed)
                n += 1
        packed = (packed << S16) ^ U(SPACE_CODE)
        seen += 1
        if seen >= 4:
            out[n] = mix(packed)
            n += 1
    return n


@njit(nogil=True, cache=True)
def pairs(words, n_stems, out):
    """Write the hash of every two stems next to each other or with one between, in either order."""
    n = 0
    for t in range(n_stems - 1):
        out[n] = mix(words[t] + words[t + 1])
        n += 1
        if t + 2 < n_stems:
            out[n] = mix(words[t] + words[t + 2])
            n += 1
    return n
