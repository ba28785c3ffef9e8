"""The compiled loops of `named`: n-grams of the texts somebody names, and which documents share them.

Import this module inside the function that needs it: it loads numba. See `words_kernel` for the
conventions.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.decontaminate.ngram_kernel import longest_text, ngrams
from curation_dagster.words_kernel import terms

LOW_SIX, SIX, ONE = np.uint64(63), np.uint64(6), np.uint64(1)


@njit(nogil=True, cache=True)
def text_ngrams(data, begin, end, classes, lower, longest):
    """Return the hashes of one text's n-grams, of `longest` terms or of all it has, and their size."""
    room = max(end - begin, 1)
    words, out = np.empty(room, np.uint64), np.empty(room, np.uint64)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    n = terms(data, begin, end, classes, lower, words, starts, ends)
    size = min(n, longest)
    count = ngrams(words, n, size, out) if size else 0
    return out[:count], size


@njit(nogil=True, cache=True)
def bits_of(grams, bits):
    """Set a bit for every n-gram; the number of bits is a power of two."""
    mask = np.uint64(len(bits) * 64 - 1)
    for gram in grams:
        bit = gram & mask
        bits[np.int64(bit >> SIX)] |= ONE << (bit & LOW_SIX)


@njit(nogil=True, cache=True)
def shared(
    data, offsets, classes, lower, size, grams, bits, item_offsets, item_of, item_sizes, min_share, hits
):  # fmt: skip
    """Write (document, text, distinct n-grams, start, end) where enough are shared; return how many there are.

    More than `hits` has room for are counted, not written: call again with more room. `grams` are
    sorted; the texts that have gram g are `item_of[item_offsets[g]:item_offsets[g + 1]]`.
    """
    longest = max(longest_text(offsets), 1)
    words, hashes = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    seen = np.full(len(grams), -1, np.int64)
    state = np.zeros((len(item_sizes), 4), np.int64)  # document + 1, distinct, start, end
    touched = np.empty(len(item_sizes), np.int64)
    mask = np.uint64(len(bits) * 64 - 1)
    found = 0
    for d in range(len(offsets) - 1):
        n = terms(data, offsets[d], offsets[d + 1], classes, lower, words, starts, ends)
        n_touched = 0
        for i in range(ngrams(words, n, size, hashes)):
            bit = hashes[i] & mask
            if not (bits[np.int64(bit >> SIX)] >> (bit & LOW_SIX)) & ONE:
                continue
            g = np.searchsorted(grams, hashes[i])
            if g == len(grams) or grams[g] != hashes[i]:
                continue
            new = seen[g] != d
            seen[g] = d
            for j in range(item_offsets[g], item_offsets[g + 1]):
                item = item_of[j]
                if state[item, 0] != d + 1:
                    state[item, 0], state[item, 1] = d + 1, 0
                    state[item, 2] = starts[i] - offsets[d]
                    touched[n_touched] = item
                    n_touched += 1
                state[item, 1] += new
                state[item, 3] = ends[i + size - 1] - offsets[d]
        for item in np.sort(touched[:n_touched]):
            if state[item, 1] >= min_share * item_sizes[item]:
                if found < len(hits):
                    hits[found, 0], hits[found, 1] = d, item
                    hits[found, 2:] = state[item, 1:]
                found += 1
    return found
