"""The compiled loops of `repeats`.

Import this module inside the function that needs it: it loads numba. See `words_kernel` for the conventions. A
*place* is a document's rank and the number of a piece in it (rank << 32 | number): a smaller place is earlier.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.dedup.minhash import ROLL
from curation_dagster.words_kernel import U, mix

R = U(ROLL)
HALF, LOW = U(32), U(0xFFFFFFFF)
NOWHERE = U(0xFFFFFFFFFFFFFFFF)


@njit(inline="always")
def wide(short):
    return mix(U(short) + R)


@njit(nogil=True, cache=True)
def windows(firsts, hashes, size, shorter, key_firsts, keys):
    """Write the key of every `size` terms in a row in each run of terms; with `shorter`, of all if there are fewer.

    Run d is hashes[firsts[d]:firsts[d + 1]]; its keys begin at key_firsts[d].
    """
    n = 0
    for d in range(len(firsts) - 1):
        key_firsts[d] = n
        begin, end = firsts[d], firsts[d + 1]
        width = min(size, end - begin) if shorter else size
        if width == 0 or end - begin < width:
            continue
        oldest, h = U(1), U(0)
        for t in range(begin, begin + width):
            oldest *= R
            h = h * R + wide(hashes[t])
        t = begin + width
        while True:
            key = mix(h)
            keys[n] = key or U(1)
            n += 1
            if t == end:
                break
            h = h * R + (wide(hashes[t]) - wide(hashes[t - width]) * oldest)
            t += 1
    key_firsts[len(firsts) - 1] = n
    return n


@njit(nogil=True, cache=True)
def records(firsts, keys, ranks, numbers, step, salt, found_keys, places):
    """Write the keys that are not 0, xor `salt`, and their places; return how many. See `repeats.Keys`."""
    n = 0
    for run in range(len(firsts) - 1):
        for j in range(firsts[run], firsts[run + 1]):
            if keys[j]:
                found_keys[n] = keys[j] ^ salt
                number = numbers[run] + (j - firsts[run]) * step
                places[n] = U(ranks[run]) << HALF | U(number)
                n += 1
    return n


@njit(nogil=True, cache=True)
def repeats(keys, places, apart, order, passed, hits, firsts, sizes):
    """Go through sorted keys: write every place of a key after its earliest; return (repeats, groups).

    The earliest place is of no document passed over (by rank); such a document is held against itself too. In the
    document of the earliest, a place counts from `apart` pieces after it. Where documents are passed over, the places
    of a key are ascending. A hit is index << 32 | number, firsts are the rank of the earliest place, sizes the
    occurrences of each key that has several.
    """
    n, found, begin, groups = len(keys), 0, 0, 0
    for i in range(1, n + 1):
        if i < n and keys[i] == keys[begin]:
            continue
        if i - begin > 1:
            first = NOWHERE
            for j in range(begin, i):
                if places[j] < first and not passed[np.int64(places[j] >> HALF)]:
                    first = places[j]
            own = first  # the earliest place in the document at hand
            for j in range(begin, i):
                rank = places[j] >> HALF
                if rank > first >> HALF:
                    held = first
                else:
                    if rank != own >> HALF:
                        own = first if rank == first >> HALF else places[j]
                    held = own
                    if places[j] == own or places[j] - own < U(apart):
                        continue
                hits[found] = U(order[np.int64(rank)]) << HALF | places[j] & LOW
                firsts[found] = held >> HALF
                found += 1
            sizes[groups] = i - begin
            groups += 1
        begin = i
    return found, groups


@njit(nogil=True, cache=True)
def covered(docs, begins, ends, found):
    """Add to found[doc] how many terms its spans cover; spans are sorted by document and beginning."""
    current, reach = -1, 0
    for i in range(len(docs)):
        if docs[i] != current:
            current, reach = docs[i], 0
        begin = max(begins[i], reach)
        if ends[i] > begin:
            found[current] += ends[i] - begin
            reach = ends[i]
