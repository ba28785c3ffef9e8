"""How alike a window of a document and a benchmark item are: the compiled side of `likeness`.

Import this module inside the function that needs it: it loads numba. See `words_kernel` for the
conventions.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import math

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.decontaminate.code_kernel import documentation, skeleton, skeleton_grams
from curation_dagster.decontaminate.likeness import (
    CHARS,
    KINDS,
    PAIRS,
    SALTS,
    SKELETON,
    VIEWS,
    WINDOW,
    WORDS,
)
from curation_dagster.decontaminate.stems_kernel import char_grams, noisy_stems, pairs, stems
from curation_dagster.words_kernel import put

U = np.uint64
SALT = np.array(SALTS, np.uint64)
LOGS = np.array([0.0] + [1 + math.log(c) for c in range(1, 256)], np.float64)


@njit(inline="always")
def idf_of(key, table_keys, table_idf, fallback):
    """Look up the weight of a gram; one that no two items share is not in the table."""
    mask = len(table_keys) - 1
    slot = np.int64(key & U(mask))
    while table_keys[slot] != U(0):
        if table_keys[slot] == key:
            return np.float64(table_idf[slot])
        slot = (slot + 1) & mask
    return fallback


@njit(nogil=True, cache=True)
def scratch_for(n_bytes):
    """Allocate what `likeness` works in, for a window and an item of together so many bytes: about 150 bytes each."""
    slots = 64
    while slots < 8 * n_bytes + 64:
        slots *= 2
    room = 2 * n_bytes + 64
    return (
        np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.int64),
        np.empty(4 * room, np.uint64), np.empty(room, np.uint64), np.empty(room, np.uint8),
        np.empty(slots, np.uint64), np.zeros(slots, np.int64), np.empty((slots, 1 + VIEWS), np.int32),
        np.empty(slots, np.int8), np.empty(slots, np.int64), np.zeros(2, np.int64),
    )  # fmt: skip


@njit(nogil=True, cache=True)
def start(scratch, n_bytes):
    """Empty the table, and make it fit for so many bytes; return the mask of its slots."""
    scratch[11][0] += 1
    scratch[11][1] = 0
    slots = 64
    while slots < 8 * n_bytes + 64:
        slots *= 2
    return min(slots, len(scratch[6])) - 1


@njit(nogil=True, cache=True)
def count_grams(grams, n, kind, columns, mask, scratch):
    """Add grams to the columns of the table whose bits are set."""
    keys, stamps, counts, kinds, touched, state = (
        scratch[6], scratch[7], scratch[8], scratch[9], scratch[10], scratch[11],
    )  # fmt: skip
    for g in range(n):
        slot, known = put(keys, stamps, state[0], mask, grams[g] ^ SALT[kind])
        if not known:
            counts[slot] = 0
            kinds[slot] = kind
            touched[state[1]] = slot
            state[1] += 1
        for column in range(1 + VIEWS):
            if columns >> column & 1:
                counts[slot, column] += 1


@njit(nogil=True, cache=True)
def count_stems(data, hashes, starts, ends, n, columns, noisy, lower, mask, scratch):
    """Count the stems, and in text without character noise their pairs and characters, too."""
    count_grams(hashes, n, WORDS, columns, mask, scratch)
    if not noisy:
        grams = scratch[3]
        count_grams(grams, pairs(hashes, n, grams), PAIRS, columns, mask, scratch)
        count_grams(
            grams, char_grams(data, starts, ends, n, lower, grams), CHARS, columns, mask, scratch
        )


@njit(nogil=True, cache=True)
def count_text(data, begin, end, columns, code, noisy, classes, lower, mask, scratch):
    """Count the grams of a text: of a program those of its documentation, or of all if it has none."""
    if end <= begin:
        return
    hashes, starts, ends = scratch[0], scratch[1], scratch[2]
    said, first, last = data, begin, end
    if code:
        tokens, grams = scratch[4], scratch[3]
        n = skeleton(data, begin, end, tokens)
        count_grams(grams, skeleton_grams(tokens, n, grams), SKELETON, columns, mask, scratch)
        size = documentation(data, begin, end, scratch[5])
        if size:
            said, first, last = scratch[5], 0, size
    if noisy:
        n = noisy_stems(said, first, last, classes, lower, hashes, starts, ends)
    else:
        n = stems(said, first, last, classes, lower, hashes, starts, ends)
    count_stems(said, hashes, starts, ends, n, columns, noisy, lower, mask, scratch)


@njit(nogil=True, cache=True)
def cosines(table_keys, table_idf, fallbacks, valid, code, noisy, scratch):
    """Return how alike the window and the best valid view of the item are: the mean of the cosines of all kinds.

    A gram counted c times weighs (1 + ln c) times its idf. In programs the skeleton weighs as much
    as the three kinds of documentation together.
    """
    keys, counts, kinds, touched, state = (
        scratch[6],
        scratch[8],
        scratch[9],
        scratch[10],
        scratch[11],
    )
    window = np.zeros(KINDS, np.float64)
    items, both = np.zeros((VIEWS, KINDS), np.float64), np.zeros((VIEWS, KINDS), np.float64)
    for t in range(state[1]):
        slot = touched[t]
        kind = kinds[slot]
        idf = idf_of(keys[slot], table_keys, table_idf, fallbacks[kind])
        w = LOGS[min(counts[slot, WINDOW], 255)] * idf
        window[kind] += w * w
        for view in range(VIEWS):
            c = counts[slot, 1 + view]
            if c:
                v = LOGS[min(c, 255)] * idf
                items[view, kind] += v * v
                both[view, kind] += v * w
    best = 0.0
    for view in range(VIEWS):
        if not valid >> view & 1:
            continue
        total, weight = 0.0, 0.0
        for kind in range(KINDS):
            if (noisy and kind != WORDS) or (kind == SKELETON and not code):
                continue
            share = 3.0 if kind == SKELETON else 1.0
            weight += share
            if both[view, kind] > 0:
                total += share * both[view, kind] / math.sqrt(items[view, kind] * window[kind])
        best = max(best, total / weight)
    return best
