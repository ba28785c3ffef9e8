"""The compiled search for n-grams that occur more than once; `data_juicer` and `mdfg` ask for it.

Most n-grams of a text occur once. A first pass marks bits: seen, and seen twice. Only n-grams whose second bit is set
go into an exact table, a few in a hundred of them by chance. The polynomial over an n-gram has 64 bits.
Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,assignment"

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation_dagster.annotate.gopher_kernel import mask_for
from curation_dagster.annotate.splitter_kernel import BASE, power
from curation_dagster.compiled import njit
from curation_dagster.words_kernel import M1, U, mix

BITS_A_GRAM = 8
TIMES = U((1 << 28) - 1)  # more than the characters of any text that is read
TAG = ~TIMES


class Scratch(NamedTuple):
    """Room for the n-grams of the longest text: 50 bytes each, 80 at most."""

    hashes: NDArray[np.uint64]
    bits: NDArray[np.uint64]  # seen, and seen twice, turn by turn
    seats: NDArray[
        np.uint64
    ]  # a hash's high bits, and below them how often it was there; 0 is free
    used: NDArray[np.int64]
    tally: NDArray[np.int32]  # zero


def scratch_for(symbols: int) -> Scratch:
    """Make room for texts of so many symbols (characters or words)."""
    slots = 1 << max(6, (2 * symbols).bit_length())
    return Scratch(
        np.empty(symbols + 1, np.uint64),
        np.empty(2 * slots * BITS_A_GRAM // 64, np.uint64),
        np.empty(slots, np.uint64),
        np.empty(symbols + 1, np.int64),
        np.zeros(symbols + 2, np.int32),
    )


@njit
def _sift(symbols, total, n, scratch):
    """Write the hashes of the n-grams that may occur more than once; return how many there are."""
    hashes, bits = scratch.hashes, scratch.bits
    size = 6  # bits of each kind, as a power of two
    while 1 << size < BITS_A_GRAM * total:
        size += 1
    bits[: 1 << (size - 5)] = U(0)
    shift = U(64 - size)
    gone = power(n)
    h = U(0)
    for k in range(n):
        h = h * BASE + U(symbols[k]) + U(1)
    for k in range(total):
        hashes[k] = h
        at = (h * M1) >> shift
        word, bit = (at >> U(6)) << U(1), U(1) << (at & U(63))
        seen = bits[word]
        bits[word + U(1)] |= seen & bit
        bits[word] = seen | bit
        if k + 1 < total:
            h = h * BASE + (U(symbols[k + n]) + U(1) - (U(symbols[k]) + U(1)) * gone)
    found = 0
    for k in range(total):
        h = hashes[k]
        at = (h * M1) >> shift
        hashes[found] = h
        found += np.int64((bits[((at >> U(6)) << U(1)) + U(1)] >> (at & U(63))) & U(1))
    return found


@njit
def repeats(symbols, total, n, scratch):
    """Count the first `total` n-grams of `symbols`, by 36 bits of their hashes and the slot they fall into.

    Return how many there are of those that occur more than once, how many different ones those are,
    how many different n-grams there are, and how many entries of `used` are slots of `seats`.
    """
    if total <= 0:
        return 0, 0, 0, 0
    found = _sift(symbols, total, n, scratch)
    hashes, _, seats, used, _ = scratch
    for k in range(found):
        hashes[k] = mix(hashes[k])
    mask = U(mask_for(found))
    seats[: np.int64(mask) + 1] = U(0)
    filled = alone = 0
    for k in range(found):
        slot = hashes[k] & mask
        tag = hashes[k] & TAG
        while seats[slot] != U(0) and seats[slot] & TAG != tag:
            slot = (slot + U(1)) & mask
        times = seats[slot] & TIMES
        seats[slot] = tag | (times + U(1))
        used[filled] = slot
        filled += times == U(0)
        alone += np.int64(times == U(0)) - np.int64(times == U(1))
    return found - alone, filled - alone, total - found + filled, filled


@njit
def most_frequent(wanted, filled, scratch):
    """Add up the counts of the `wanted` most frequent n-grams of those that `repeats` left in `used`."""
    seats, used, tally = scratch.seats, scratch.used, scratch.tally
    most = 0
    for k in range(filled):
        times = np.int64(seats[used[k]] & TIMES)
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
