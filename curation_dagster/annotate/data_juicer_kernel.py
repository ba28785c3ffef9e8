"""The compiled loop of `data_juicer`: one pass over code points, then n-grams of characters and of words.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,assignment"

import numpy as np

from curation_dagster.annotate.data_juicer import (
    ALNUM,
    IS_SPECIAL,
    KIND_BITS,
    LINE_END,
    SEPARATOR,
    SMALL_SPECIAL,
)
from curation_dagster.annotate.gopher_kernel import ratio
from curation_dagster.annotate.repeats_kernel import most_frequent, repeats
from curation_dagster.annotate.splitter_kernel import BASE
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import U, decode, mix

FEED, CR = 0x0A, 0x0D


@njit(inline="always")
def _is_listed(slots, word):
    """Tell whether a word's hash is in an open-addressing table."""
    slot = np.int64(word & U(len(slots) - 1))
    while slots[slot] != U(0):
        if slots[slot] == word:
            return True
        slot = (slot + 1) & (len(slots) - 1)
    return False


@njit(nogil=True, cache=True)
def measure(data, offsets, table, sizes, lists, symbols, words, scratch, counts, ratios):
    """Fill counts[3, docs] and ratios[7, docs] in the order of `data_juicer.FAMILY`.

    `symbols` holds the code points of the longest text, `words` the hashes of its words.
    """
    ngram_chars, ngram_words = sizes
    stops, flags = lists
    for d in range(len(offsets) - 1):
        i, end = offsets[d], offsets[d + 1]
        points = alnums = specials = lines = line = longest = 0
        counted = refined = stopped = flagged = 0
        cr_end = -1
        kinds = 0xFF  # bits that all characters of the word have
        h = kept = U(0)
        while i <= end:
            code, after, kind = 0, i + 1, np.int64(SEPARATOR)
            if i < end:
                code, after = decode(data, i)
                kind = np.int64(table[code]) if code < TABLE_SIZE else code << KIND_BITS
                symbols[points] = code
                points += 1
                alnums += kind & ALNUM
                specials += (kind & IS_SPECIAL) >> 1
            if kind & (SEPARATOR | LINE_END):
                if kind & LINE_END:
                    if code != FEED or cr_end != i:  # LF behind CR ends no line of its own
                        lines += 1
                        longest = max(longest, points - 1 - line)
                    line = points
                    if code == CR:
                        cr_end = after
                if kind & SEPARATOR:
                    counted += not kinds & IS_SPECIAL
                    if kept:
                        words[refined] = mix(kept)
                        refined += 1
                        stopped += _is_listed(stops, kept)
                        flagged += _is_listed(flags, kept)
                    h = kept = U(0)
                    kinds = 0xFF
                    i = after
                    continue
            kinds &= kind
            if not kind & SMALL_SPECIAL:
                h = h * BASE + U(kind >> KIND_BITS) + U(1)
                kept = h
            elif h != U(0):
                h = h * BASE + U(kind >> KIND_BITS) + U(1)
            i = after
        if line < points:
            lines += 1
            longest = max(longest, points - line)
        counts[0, d], counts[1, d], counts[2, d] = points, counted, longest
        ratios[0, d] = points / lines if lines else 0.0
        ratios[1, d] = ratio(alnums, points)
        ratios[2, d] = ratio(specials, points)
        total = points - ngram_chars + 1
        _, repeated, different, filled = repeats(symbols, total, ngram_chars, scratch)
        wanted = min(np.int64(np.sqrt(different)), repeated)
        ratios[3, d] = most_frequent(wanted, filled, scratch) / total if total > 0 else 0.0
        total = refined - ngram_words + 1
        again, _, _, _ = repeats(words, total, ngram_words, scratch)
        ratios[4, d] = again / total if total > 0 else 0.0
        ratios[5, d] = ratio(stopped, refined)
        ratios[6, d] = ratio(flagged, refined)
