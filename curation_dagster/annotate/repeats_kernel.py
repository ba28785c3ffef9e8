"""The compiled search for n-grams that occur more than once; `data_juicer` and `mdfg` ask for it.

Most n-grams of a text occur once. A first pass marks bits: seen, and seen twice. Only n-grams whose second bit is set go
into an exact table, a few in a hundred by chance. N-grams are compared by 64 bits of a rolling polynomial.
Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,assignment"

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation_dagster.annotate.splitter_kernel import BASE, power
from curation_dagster.compiled import njit
from curation_dagster.words_kernel import M1, U, mix, put

BITS_A_GRAM = 16


class Scratch(NamedTuple):
    """Room for the n-grams of the longest text: 60 bytes each."""

    hashes: NDArray[np.uint64]
    bits: NDArray[np.uint64]  # seen in the first half, seen twice in the second
    keys: NDArray[np.uint64]
    stamps: NDArray[np.int32]
    seats: NDArray[np.int32]
    used: NDArray[np.int64]
    tally: NDArray[np.int32]  # zero


def scratch_for(symbols: int) -> Scratch:
    """Make room for texts of so many symbols (characters or words)."""
    slots = 1 << max(4, (2 * symbols).bit_length())
    return Scratch(
        np.empty(symbols + 1, np.uint64),
        np.empty(2 * slots * BITS_A_GRAM // 64, np.uint64),
        np.empty(slots, np.uint64),
        np.zeros(slots, np.int32),
        np.empty(slots, np.int32),
        np.empty(symbols + 1, np.int64),
        np.zeros(symbols + 2, np.int32),
    )


@njit
def _sift(symbols, total, n, scratch):
    """Hash the n-grams and mark their bits; return how many met a bit that was set, and a hash's shift."""
    hashes, bits = scratch.hashes, scratch.bits
    size = 6  # of the first half of the bits, as a power of two
    while 1 << size < BITS_A_GRAM * total:
        size += 1
    half = 1 << (size - 6)
    bits[: 2 * half] = U(0)
    shift = U(64 - size)
    oldest = power(n - 1)
    h = U(0)
    for k in range(n - 1):
        h = h * BASE + U(symbols[k]) + U(1)
    hits = 0
    for k in range(total):
        h = h * BASE + U(symbols[k + n - 1]) + U(1)
        hashes[k] = h
        at = (h * M1) >> shift
        word, bit = np.int64(at >> U(6)), U(1) << (at & U(63))
        if bits[word] & bit:
            bits[half + word] |= bit
            hits += 1
        else:
            bits[word] |= bit
        h -= (U(symbols[k]) + U(1)) * oldest
    return hits, shift, half


@njit
def repeats(symbols, count, total, n, scratch, stamp):
    """Count the first `total` n-grams of symbols[:count].

    Return how many there are of those that occur more than once, how many different ones those are,
    how many different n-grams there are, and how many entries of `used` are slots of `seats`.
    """
    if total <= 0:
        return 0, 0, 0, 0
    hits, shift, half = _sift(symbols, total, n, scratch)
    if hits == 0:
        return 0, 0, total, 0
    hashes, bits, keys, stamps, seats, used, _ = scratch
    mask = 15
    while mask < 2 * min(2 * hits, total):
        mask = 2 * mask + 1
    found = filled = 0
    for k in range(total):
        h = hashes[k]
        at = (h * M1) >> shift
        if bits[half + np.int64(at >> U(6))] >> (at & U(63)) & U(1):
            found += 1
            slot, seen = put(keys, stamps, stamp, mask, mix(h))
            if seen:
                seats[slot] += 1
            else:
                seats[slot] = 1
                used[filled] = slot
                filled += 1
    alone = 0
    for k in range(filled):
        alone += seats[used[k]] == 1
    return found - alone, filled - alone, total - found + filled, filled


@njit
def most_frequent(wanted, filled, scratch):
    """Add up the counts of the `wanted` most frequent n-grams of those that `repeats` left in `used`."""
    seats, used, tally = scratch.seats, scratch.used, scratch.tally
    most = 0
    for k in range(filled):
        times = seats[used[k]]
        tally[times] += 1
        most = max(most, times)
    total = 0
    while most > 0:
        taken = min(wanted, tally[most])
        total += taken * most
        wanted -= taken
        tally[most] = 0
        most -= 1
    return total
