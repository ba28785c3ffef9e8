"""The compiled loops of `index` and `ngrams`: n-gram hashes, their table and bloom filter, the matches.

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
WORD, FIRST_BIT, SECOND_BIT, LOW_SIX, ONE = U(32), U(26), U(20), U(63), U(1)
NEWLINE = 10


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


@njit(nogil=True, cache=True)
def lines(data, words, starts, n_terms, least, out, firsts, lasts):
    """Write the hash, the first and the last term of every line of at least `least` terms; return how many."""
    found = begin = 0
    while begin < n_terms:
        h, i = words[begin], begin + 1
        while i < n_terms:
            broken = False
            for b in range(starts[i - 1], starts[i]):
                broken |= data[b] == NEWLINE
            if broken:
                break
            h = h * R + words[i]
            i += 1
        if i - begin >= least:
            out[found], firsts[found], lasts[found] = mix(h), begin, i - 1
            found += 1
        begin = i
    return found


@njit(inline="always")
def longest_text(offsets):
    longest = 0
    for d in range(len(offsets) - 1):
        longest = max(longest, offsets[d + 1] - offsets[d])
    return longest


@njit(inline="always")
def bits_of(key):
    """Return the two bits of a key in its word of the bloom filter; the slot comes from the low bits."""
    return (ONE << ((key >> FIRST_BIT) & LOW_SIX)) | (ONE << ((key >> SECOND_BIT) & LOW_SIX))


@njit(nogil=True, cache=True)
def fill_table(distinct, keys, grams, bloom):
    """Put the n-grams into the empty table and bloom filter; both sizes are powers of two."""
    mask, word_mask = len(keys) - 1, U(len(bloom) - 1)
    for g in range(len(distinct)):
        key = distinct[g]
        slot = np.int64(key & U(mask))
        while grams[slot] >= 0:
            slot = (slot + 1) & mask
        keys[slot], grams[slot] = key, g
        bloom[np.int64((key >> WORD) & word_mask)] |= bits_of(key)


@njit(nogil=True, cache=True)
def without_enumerations(data, starts, ends, size, room, count):
    """Keep the n-grams with a term longer than two ASCII characters; return how many."""
    kept, long_at = 0, -1
    for i in range(count + size - 1):
        if count > 0 and (ends[i] - starts[i] > 2 or data[starts[i]] >= 0x80):
            long_at = i
        first = i - size + 1
        if first >= 0 and long_at >= first:
            room[kept] = room[first]
            kept += 1
    return kept


@njit(nogil=True, cache=True)
def item_ngrams(
    data, offsets, classes, lower, sizes, enumerations, term_counts, hashes, item_of
):  # fmt: skip
    """Write the hash and the item of every n-gram of the items, of `sizes[item]` terms; return how many.

    Where a size is negative, the grams are the lines of at least so many terms. Without
    `enumerations`, n-grams that have no term longer than two ASCII characters are left out.
    """
    longest = longest_text(offsets)
    words = np.empty(longest, np.uint64)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    room = np.empty(longest, np.uint64)
    firsts, lasts = np.empty(longest, np.int64), np.empty(longest, np.int64)
    found = 0
    for d in range(len(term_counts)):
        n = terms(data, offsets[d], offsets[d + 1], classes, lower, words, starts, ends)
        term_counts[d] = n
        if sizes[d] < 0:
            count = lines(data, words, starts, n, -sizes[d], room, firsts, lasts)
        else:
            count = ngrams(words, n, sizes[d], room)
            if not enumerations:
                count = without_enumerations(data, starts, ends, sizes[d], room, count)
        hashes[found : found + count] = room[:count]
        item_of[found : found + count] = d
        found += count
    return found


@njit(inline="always")
def longer(rows):
    grown = np.empty((2 * len(rows), rows.shape[1]), np.int64)
    grown[: len(rows)] = rows
    return grown


@njit(nogil=True, cache=True)
def matches(data, offsets, first, last, classes, lower, size, keys, grams, bloom):
    """Return a row (text, n-gram, first term, first byte, end byte) for every match in texts [first, last).

    A negative size asks for lines of at least so many terms. Candidates of the bloom filter are
    gathered without a branch, so that the processor waits for several of them at once.
    """
    longest = longest_text(offsets[first : last + 1])
    words = np.empty(longest, np.uint64)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    room = np.empty(longest, np.uint64)
    by_line = longest if size < 0 else 0
    firsts, lasts = np.empty(by_line, np.int64), np.empty(by_line, np.int64)
    candidates = np.empty(longest, np.int64)
    mask, word_mask = len(keys) - 1, U(len(bloom) - 1)
    rows = np.empty((256, 5), np.int64)
    n_rows = 0
    for d in range(first, last):
        begin = offsets[d]
        n = terms(data, begin, offsets[d + 1], classes, lower, words, starts, ends)
        if size < 0:  # noqa: SIM108 - a choice between two calls
            count = lines(data, words, starts, n, -size, room, firsts, lasts)
        else:
            count = ngrams(words, n, size, room)
        likely = 0
        for i in range(count):
            key = room[i]
            bits = bits_of(key)
            candidates[likely] = i
            likely += (bloom[np.int64((key >> WORD) & word_mask)] & bits) == bits
        for c in range(likely):
            i = candidates[c]
            key = room[i]
            slot = np.int64(key & U(mask))
            while grams[slot] >= 0 and keys[slot] != key:
                slot = (slot + 1) & mask
            if grams[slot] < 0:
                continue
            if n_rows == len(rows):
                rows = longer(rows)
            a, b = (firsts[i], lasts[i]) if size < 0 else (i, i + size - 1)
            rows[n_rows, 0], rows[n_rows, 1], rows[n_rows, 2] = d, grams[slot], a
            rows[n_rows, 3], rows[n_rows, 4] = starts[a] - begin, ends[b] - begin
            n_rows += 1
    return rows[:n_rows].copy()
