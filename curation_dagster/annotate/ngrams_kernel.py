"""How word n-grams repeat, for n from 2 to 10, counting every copy: one pass over the words, then over what repeats.

An n-gram that occurs twice begins and ends with an (n-1)-gram that does, so each n looks only at the places that the
one before left over: a few in a hundred words of prose. Used by the filters that count all copies (Dolma, DCLM,
RedStone); datatrove's Gopher counts later copies only, and has its own loop.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.gopher_kernel import mask_for
from curation_dagster.annotate.splitter_kernel import BASE, power
from curation_dagster.compiled import njit
from curation_dagster.words_kernel import U, mix, put

# The columns of `found`.
TIMES, FIRST, LONGEST, COPIES, COVERED = range(5)


def scratch(most_words, most_lines):
    """Make the arrays that `repeats` works in: 44 bytes a word of the longest text, or 16 a line."""
    slots = 1 << int(2 * max(most_words, most_lines) + 16).bit_length()
    return (
        np.empty(slots, np.uint64),
        np.zeros(slots, np.int32),
        np.empty(slots, np.int32),
        np.empty(most_words + 1, np.uint64),
        np.zeros(most_words + 1, np.int64),
        np.empty(most_words + 1, np.int64),
        np.empty(most_words + 1, np.int64),
    )


@njit(nogil=True)
def repeats(hashes, chars, lo, hi, stamp, scratch, found):
    """Fill found[9, 5] for the words lo to hi, and lengths with the code points before each; return the last stamp.

    For each n: how often the most frequent n-gram occurs; the code points of the first such, and of the longest;
    those of all n-grams that occur twice, overlaps counted again; and those of the words in them, counted once.
    """
    keys, stamps, seats, prefix, lengths, at, slots = scratch
    count = hi - lo
    prefix[0], lengths[0] = U(0), 0
    for k in range(count):
        prefix[k + 1] = prefix[k] * BASE + mix(hashes[lo + k])
        lengths[k + 1] = lengths[k] + chars[lo + k]
        at[k] = k
    found[:] = 0
    mask = mask_for(count)
    live = count
    for n in range(2, min(count, 10) + 1):
        stamp += 1
        step = power(n)
        held = 0
        best = 1
        for j in range(live - 1):
            k = at[j]
            if k + n > count:
                break
            if at[j + 1] != k + 1:
                continue
            h = mix(prefix[k + n] - prefix[k] * step)
            slot, seen = put(keys, stamps, stamp, mask, h)
            seats[slot] = seats[slot] + 1 if seen else 1
            best = max(best, seats[slot])
            at[held], slots[held] = k, slot
            held += 1
        live = covered = copies = longest = 0
        first = lengths[n] if best == 1 else -1
        end = 0
        for j in range(held):
            times = seats[slots[j]]
            if times < 2:
                continue
            k = at[j]
            length = lengths[k + n] - lengths[k]
            if times == best:
                first = length if first < 0 else first
                longest = max(longest, length)
            copies += length
            covered += lengths[k + n] - lengths[max(k, end)]
            end = k + n
            at[live] = k
            live += 1
        found[n - 2, TIMES] = best
        found[n - 2, FIRST] = first
        found[n - 2, LONGEST] = longest
        found[n - 2, COPIES] = copies
        found[n - 2, COVERED] = covered
    return stamp
