"""What a page holds for its layout: text that stands twice, for wide screens and for narrow ones say, or out of sight.

A block is a twin of the first block with the same text if a styled container (an element with class, id,
role or itemprop) lies between it and what the two have in common. Text that an author repeats stands in
the same element, or in plain ones. Import inside the function that needs it: this loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.ingest.blocks.features_kernel import STIR, U, border_of, power_above, slot_of
from curation_dagster.ingest.blocks.markup import FLAG
from curation_dagster.ingest.blocks.scan_kernel import DIGEST, ELEMENT, WORDS

IN_CODE, HIDDEN = np.uint32(FLAG["pre"]), np.uint32(FLAG["hidden"])
MIN_WORDS = 5
VISIBLE_WORDS = 100  # expected main text in sight from which hidden text is not what a reader sees
VISIBLE_SHARE = 0.4  # ... unless most of it is hidden


@njit(cache=True, nogil=True)
def twins(blocks, tags, parents, flags, class_from, class_to):
    """Return, for every block, the block it is a twin of, or -1. Text of few words, and code, has none."""
    n = len(blocks)
    found = np.full(n, -1, np.int32)
    mask = power_above(n) - 1
    keys = np.zeros(mask + 1, np.uint64)
    firsts = np.full(mask + 1, -1, np.int32)
    marked = np.full(len(tags), -1, np.int32)  # ancestors of the first block, by block
    for k in range(n):
        if blocks[k, WORDS] < MIN_WORDS or flags[blocks[k, ELEMENT]] & IN_CODE:
            continue
        slot = slot_of(keys, mask, (U(blocks[k, DIGEST]) * STIR) | U(1))
        first = firsts[slot]
        if first < 0:
            firsts[slot] = k
            continue
        a = border_of(tags, parents, blocks[first, ELEMENT])
        b = border_of(tags, parents, blocks[k, ELEMENT])
        if parents[a] == parents[b]:
            continue
        while a > 0:
            marked[a] = first
            a = parents[a]
        while b > 0 and marked[b] != first:
            if class_to[b] > class_from[b]:
                found[k] = first
                break
            b = parents[b]
    return found


@njit(cache=True, nogil=True)
def settle(blocks, flags, first, p):
    """Drop hidden blocks where there is main text in sight; of twins keep the first, with the best one's p."""
    seen = unseen = 0.0
    for k in range(len(p)):
        if flags[blocks[k, ELEMENT]] & HIDDEN:
            unseen += p[k] * blocks[k, WORDS]
        else:
            seen += p[k] * blocks[k, WORDS]
    in_sight = seen >= VISIBLE_WORDS and seen >= VISIBLE_SHARE * unseen
    for k in range(len(p)):
        if in_sight and flags[blocks[k, ELEMENT]] & HIDDEN:
            p[k] = 0
    for k in range(len(p)):
        if first[k] >= 0:
            p[first[k]] = max(p[first[k]], p[k])
            p[k] = 0
