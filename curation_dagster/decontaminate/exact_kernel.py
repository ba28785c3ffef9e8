"""The compiled loop of `exact`: does the run of terms around a matched n-gram equal an item's?

Import this module inside the function that needs it: it loads numba. See `words_kernel` for the
conventions.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.decontaminate.ngram_kernel import R, longest_text
from curation_dagster.words_kernel import terms

U = np.uint64


@njit(nogil=True, cache=True)
def prefixes(words, n_terms, out):
    """Write the rolling hash of the first i terms for every i from 0 to `n_terms`."""
    h = U(0)
    out[0] = h
    for i in range(n_terms):
        h = h * R + words[i]
        out[i + 1] = h


@njit(nogil=True, cache=True)
def whole_hashes(data, offsets, classes, lower, counts, out):
    """Write the number of terms of each text and the hash of all of them."""
    longest = longest_text(offsets)
    words = np.empty(longest, np.uint64)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    rolled = np.empty(longest + 1, np.uint64)
    for d in range(len(counts)):
        n = terms(data, offsets[d], offsets[d + 1], classes, lower, words, starts, ends)
        prefixes(words, n, rolled)
        counts[d], out[d] = n, rolled[n]


@njit(nogil=True, cache=True)
def verify(data, offsets, classes, lower, docs, places, lengths, wanted, powers, spans):
    """Write the byte span of every candidate whose terms are the wanted ones; (-1, -1) for the others.

    A candidate is a document (they ascend), the place of its first term, how many terms it has and
    their hash. `powers[k]` is R to the k.
    """
    longest = longest_text(offsets)
    words = np.empty(longest, np.uint64)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    rolled = np.empty(longest + 1, np.uint64)
    read, n = -1, 0
    for c in range(len(docs)):
        d = docs[c]
        if d != read:
            n = terms(data, offsets[d], offsets[d + 1], classes, lower, words, starts, ends)
            prefixes(words, n, rolled)
            read = d
        first, after = places[c], places[c] + lengths[c]
        spans[c] = -1
        if first < 0 or after > n:
            continue
        if rolled[after] - rolled[first] * powers[lengths[c]] == wanted[c]:
            spans[c, 0], spans[c, 1] = starts[first] - offsets[d], ends[after - 1] - offsets[d]
