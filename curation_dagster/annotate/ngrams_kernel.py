"""How word n-grams repeat, for n from 2 to 10, counting every copy: one pass over the words, then over what repeats.

An n-gram that occurs twice begins and ends with an (n-1)-gram that does, so each n looks only at the places that the
one before left over: a few in a hundred words of prose. Used by the filters that count all copies (Dolma, DCLM,
RedStone); datatrove's Gopher counts later copies only, and has its own loop.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

from curation_dagster.annotate.gopher_kernel import mask_for
from curation_dagster.compiled import njit
from curation_dagster.words_kernel import M1, mix, put

# The columns of `found`.
TIMES, FIRST, LONGEST, COPIES, COVERED = range(5)


@njit(inline="always")
def _join(gram, word):
    """Hash an n-gram and the word behind it; another factor than that of a word's own polynomial."""
    return mix(gram * M1 + word)


@njit(nogil=True)
def repeats(hashes, chars, lo, hi, stamp, scratch, found):
    """Fill found[9, 5] for the words lo to hi, and lengths with the code points before each; return the last stamp.

    For each n: how often the most frequent n-gram occurs; the code points of the first such, and of the longest;
    those of all n-grams that occur twice, overlaps counted again; and those of the words in them, counted once.
    """
    keys, stamps, seats, grams, lengths, at, slots = scratch
    count = hi - lo
    found[:] = 0
    lengths[0] = 0
    for k in range(count):
        lengths[k + 1] = lengths[k] + chars[lo + k]
    mask = mask_for(count)
    live = 0
    for n in range(2, min(count, 10) + 1):
        stamp += 1
        held = 0
        best = 1
        if n == 2:
            for k in range(count - 1):
                h = _join(hashes[lo + k], hashes[lo + k + 1])
                slot, seen = put(keys, stamps, stamp, mask, h)
                seats[slot] = seats[slot] + 1 if seen else 1
                best = max(best, seats[slot])
                at[k], slots[k] = k, slot
            held = count - 1
        for j in range(live - 1):
            k = at[j]
            if at[j + 1] != k + 1 or k + n > count:
                continue
            slot, seen = put(keys, stamps, stamp, mask, _join(grams[j], hashes[lo + k + n - 1]))
            seats[slot] = seats[slot] + 1 if seen else 1
            best = max(best, seats[slot])
            at[held], slots[held] = k, slot
            held += 1
        live = covered = copies = longest = end = 0
        first = lengths[n] if best == 1 else -1
        for j in range(held if best > 1 else 0):
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
            at[live], grams[live] = k, keys[slots[j]]
            live += 1
        found[n - 2, TIMES] = best
        found[n - 2, FIRST] = first
        found[n - 2, LONGEST] = longest
        found[n - 2, COPIES] = copies
        found[n - 2, COVERED] = covered
    return stamp
