"""The compiled loop of `phrases`: a walk down the trie from every byte that may start a phrase.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,assignment"

import numpy as np

from curation_dagster.annotate.phrases import EDGE_PRIME, NONE
from curation_dagster.compiled import njit
from curation_dagster.words_kernel import U

STEP = U(EDGE_PRIME)


@njit(inline="always")
def follow(edges, targets, shift, node, byte):
    """Return the node that a byte leads to; NONE if it leads nowhere."""
    key = (U(node) << U(8) | U(byte)) + U(1)
    slot = np.int64((key * STEP) >> shift)
    while edges[slot] != key:
        if edges[slot] == U(0):
            return np.int32(NONE)
        slot = (slot + 1) & (len(edges) - 1)
    return targets[slot]


@njit(inline="always")
def shift_of(edges):
    """Return by how much a hash is shifted to be a slot of the table of edges."""
    shift = 64
    while 1 << (64 - shift) < len(edges):
        shift -= 1
    return U(shift)


@njit(nogil=True, cache=True)
def count(data, offsets, phrases, last, counts):
    """Fill counts[2, docs]: occurrences, and phrases that occur. `last` holds NONE for every phrase.

    A phrase's last end is a place in `data`: where it lies before the text, the phrase is new to the text.
    """
    single, pair, edges, targets, ends, _ = phrases
    shift = shift_of(edges)
    for d in range(len(offsets) - 1):
        begin, stop = offsets[d], offsets[d + 1]
        for i in range(begin, stop):
            node = np.int32(NONE)
            number = single[data[i]]
            at = i + 1
            if i + 1 < stop:
                node = pair[np.int64(data[i]) << 8 | data[i + 1]]
            while True:
                if number != NONE and last[number] <= i:
                    counts[0, d] += 1
                    counts[1, d] += last[number] <= begin
                    last[number] = at
                if node == NONE:
                    break
                at = at + 1
                number = ends[node]
                node = follow(edges, targets, shift, node, data[at]) if at < stop else NONE
