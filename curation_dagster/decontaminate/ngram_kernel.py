"""The compiled loops of `index` and `scan`: n-gram hashes, their table and bloom filter, the hits.

Import this module inside the function that needs it: it loads numba. See `words_kernel` for the
conventions.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.words_kernel import mix, terms

U = np.uint64
R = U(0x9E3779B97F4A7C15)  # odd: the weight of a term depends on its place in the n-gram
HALF, SIX, LOW_SIX, ONE = U(32), U(6), U(63), U(1)


@njit(nogil=True, cache=True)
def ngrams(words, n_terms, size, out):
    """Write the hash of every `size` terms in a row; return how many. O(1) a term."""
    count = n_terms - size + 1
    if count < 1:
        return 0
    oldest, h = U(1), U(0)
    for i in range(size):
        oldest *= R
        h = h * R + words[i]
    out[0] = h
    # Slices: an offset in the index stops the vectoriser.
    leaving, entering = words[:count], words[size - 1 : n_terms]
    for i in range(1, count):
        out[i] = entering[i] - leaving[i - 1] * oldest
    for i in range(1, count):
        h = h * R + out[i]
        out[i] = h
    for i in range(count):
        out[i] = mix(out[i])
    return count


@njit(inline="always")
def longest_text(offsets):
    longest = 0
    for d in range(len(offsets) - 1):
        longest = max(longest, offsets[d + 1] - offsets[d])
    return longest


@njit(inline="always")
def in_bloom(bloom, bit_mask, key):
    """Test the key's bit; it comes from the high half, the slot from the low: independent."""
    bit = (key >> HALF) & bit_mask
    return (bloom[np.int64(bit >> SIX)] >> (bit & LOW_SIX)) & ONE


@njit(nogil=True, cache=True)
def fill_table(distinct, keys, grams, bloom):
    """Put the n-grams into the empty table and bloom filter; both sizes are powers of two."""
    mask, bit_mask = len(keys) - 1, U(len(bloom) * 64 - 1)
    for g in range(len(distinct)):
        key = distinct[g]
        slot = np.int64(key & U(mask))
        while grams[slot] >= 0:
            slot = (slot + 1) & mask
        keys[slot], grams[slot] = key, g
        bit = (key >> HALF) & bit_mask
        bloom[np.int64(bit >> SIX)] |= ONE << (bit & LOW_SIX)


@njit(nogil=True, cache=True)
def item_ngrams(data, offsets, classes, lower, size, term_counts, hashes, item_of):
    """Write the hash and the item of every n-gram of the items; return how many."""
    longest = longest_text(offsets)
    words = np.empty(longest, np.uint64)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    room = np.empty(longest, np.uint64)
    found = 0
    for d in range(len(term_counts)):
        n = terms(data, offsets[d], offsets[d + 1], classes, lower, words, starts, ends)
        term_counts[d] = n
        count = ngrams(words, n, size, room)
        hashes[found : found + count] = room[:count]
        item_of[found : found + count] = d
        found += count
    return found


@njit(nogil=True, cache=True)
def touch(gram, document, first, last, gram_offsets, gram_items, gram_stamps, items, n_touched):
    """Note one matched n-gram; `items` has a row (stamp, distinct n-grams, start, end) an item.

    Column 4 lists the touched items. Returns how many there are now.
    """
    new = gram_stamps[gram] != document
    gram_stamps[gram] = document
    for j in range(gram_offsets[gram], gram_offsets[gram + 1]):
        item = gram_items[j]
        if items[item, 0] != document:
            items[item, 0], items[item, 1], items[item, 2] = document, 0, first
            items[n_touched, 4] = item
            n_touched += 1
        items[item, 1] += new
        items[item, 3] = last
    return n_touched


@njit(nogil=True, cache=True)
def scan(
    data, offsets, selected, classes, lower, size, needed,
    keys, grams, bloom, gram_offsets, gram_items, counts, hits, scores,
):  # fmt: skip
    """Count the hits of the selected texts, and write them if `hits` has room for any.

    A hit is (item, start, end) and its number of distinct n-grams; those of one text are sorted by
    item. Called twice: to count for all texts, then to fill for the texts that have any.
    """
    longest = longest_text(offsets)
    words = np.empty(longest, np.uint64)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    room = np.empty(longest, np.uint64)
    gram_stamps = np.zeros(len(gram_offsets), np.int64)
    items = np.zeros((len(needed), 5), np.int64)
    mask, bit_mask = len(keys) - 1, U(len(bloom) * 64 - 1)
    filled = 0
    for s in range(len(selected)):
        d = selected[s]
        begin = offsets[d]
        n = terms(data, begin, offsets[d + 1], classes, lower, words, starts, ends)
        touched = 0
        for i in range(ngrams(words, n, size, room)):
            key = room[i]
            if not in_bloom(bloom, bit_mask, key):
                continue
            slot = np.int64(key & U(mask))
            while grams[slot] >= 0 and keys[slot] != key:
                slot = (slot + 1) & mask
            if grams[slot] >= 0:
                touched = touch(
                    grams[slot], s + 1, starts[i] - begin, ends[i + size - 1] - begin,
                    gram_offsets, gram_items, gram_stamps, items, touched,
                )  # fmt: skip
        counts[s] = 0
        for item in np.sort(items[:touched, 4]):
            if items[item, 1] >= needed[item]:
                counts[s] += 1
                if len(hits):
                    hits[filled, 0] = item
                    hits[filled, 1:] = items[item, 2:4]
                    scores[filled] = items[item, 1]
                    filled += 1
    return filled
