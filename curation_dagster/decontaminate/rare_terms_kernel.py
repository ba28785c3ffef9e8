"""The compiled loops of `rare_terms`: the grams of items, the scan for their rare stems, the look at a candidate.

Import this module inside the function that needs it: it loads numba. See `words_kernel` for the
conventions.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import math

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.decontaminate.code_kernel import whole_definition
from curation_dagster.decontaminate.likeness import (
    VIEWS,
    WITH_ANSWER,
    WITH_CHOICES,
    WORDS,
)
from curation_dagster.decontaminate.likeness_kernel import (
    cosines,
    count_text,
    scratch_for,
    start,
)
from curation_dagster.decontaminate.rare_terms import (
    CROWDED,
    DOUBT,
    MAX_DEFINITION_BYTES,
    MAX_REGION_BYTES,
    MISS,
    SEGMENT_BYTES,
)
from curation_dagster.decontaminate.stems_kernel import noisy_stems, stems

U = np.uint64
ALL = 1 << 1 | 1 << 2 | 1 << 3
TOTAL, LATEST, NEED, BEST = range(4)


@njit(nogil=True, cache=True)
def longest_item(bounds):
    longest = 0
    for t in range(len(bounds)):
        longest = max(longest, bounds[t, 3] - bounds[t, 0])
    return longest


@njit(nogil=True, cache=True)
def count_item(data, bounds, t, code, noisy, classes, lower, mask, scratch):
    """Count an item's parts: its answer, question and choices lie next to each other in that order."""
    answer, question, choices, end = bounds[t, 0], bounds[t, 1], bounds[t, 2], bounds[t, 3]
    with_answer, with_choices = WITH_ANSWER << 1, WITH_CHOICES << 1
    count_text(data, answer, question, with_answer, code, noisy, classes, lower, mask, scratch)
    count_text(data, question, choices, ALL, code, noisy, classes, lower, mask, scratch)
    count_text(data, choices, end, with_choices, code, noisy, classes, lower, mask, scratch)


@njit(nogil=True, cache=True)
def document_frequencies(data, bounds, is_code, noisy, classes, lower, keys, seen, kinds):
    """Count in how many items each gram occurs, in an open-addressing table whose free slots hold 0.

    Returns whether it was large enough: at most half full.
    """
    scratch = scratch_for(longest_item(bounds))
    mask, used = len(keys) - 1, 0
    for t in range(len(bounds)):
        small = start(scratch, bounds[t, 3] - bounds[t, 0])
        count_item(data, bounds, t, is_code[t], noisy, classes, lower, small, scratch)
        for i in range(scratch[11][1]):
            place = scratch[10][i]
            key = scratch[6][place]
            key |= U(key == U(0))
            slot = np.int64(key & U(mask))
            while keys[slot] != U(0) and keys[slot] != key:
                slot = (slot + 1) & mask
            if seen[slot] == 0:
                used += 1
                if 2 * used > len(keys):
                    return False
            keys[slot] = key
            kinds[slot] = scratch[9][place]
            seen[slot] += 1
    return True


@njit(nogil=True, cache=True)
def item_stems(data, bounds, noisy, classes, lower, hashes, item_of, counts):
    """Write each distinct stem of each item, and how often it is in each view; return how many."""
    scratch = scratch_for(longest_item(bounds))
    n = 0
    for t in range(len(bounds)):
        small = start(scratch, bounds[t, 3] - bounds[t, 0])
        count_item(data, bounds, t, False, noisy, classes, lower, small, scratch)
        for i in range(scratch[11][1]):
            slot = scratch[10][i]
            if scratch[9][slot] == WORDS:
                hashes[n], item_of[n] = scratch[6][slot], t
                for view in range(VIEWS):
                    counts[n, view] = min(scratch[8][slot, 1 + view], 255)
                n += 1
    return n


@njit(inline="always")
def term_of(key, keys, terms):
    mask = len(keys) - 1
    slot = np.int64(key & U(mask))
    while terms[slot] >= 0:
        if keys[slot] == key:
            return terms[slot]
        slot = (slot + 1) & mask
    return -1


@njit(nogil=True, cache=True)
def segment_end(data, begin, end):
    """End a segment before a byte that is no letter or digit, if one is near."""
    if end - begin <= SEGMENT_BYTES:
        return end
    stop = begin + SEGMENT_BYTES
    for i in range(stop, max(stop - 4096, begin), -1):
        if data[i] <= 0x20:
            return i
    while data[stop] >= 0x80 and data[stop] < 0xC0:
        stop += 1
    return stop


@njit(nogil=True, cache=True)
def best_of_block(hot, n_hot, state, mass, limit):
    """Move the items of which a block holds most to the front, and return how many: an order without ties.

    Most is the sum times the share of the item, which goes with the square of a cosine.
    """
    if n_hot <= limit:
        return n_hot
    for place in range(limit):
        top = place
        for i in range(place + 1, n_hot):
            a, b = hot[i], hot[top]
            x, y = state[a, BEST] ** 2 * mass[b], state[b, BEST] ** 2 * mass[a]
            if x > y or (x == y and a < b):
                top = i
        hot[place], hot[top] = hot[top], hot[place]
    return limit


@njit(inline="always")
def widened(a, b, low, high, size):
    """Widen a run to the size of the item, both sides alike, so that what lies around counts against it."""
    missing = size - (b - a)
    if missing > 0:
        a = max(low, min(a - missing // 2, high - size))
        b = min(high, max(b, a + size))
    return a, b


@njit(nogil=True, cache=True)
def best_run(found, low, high, idf, unknown, marks, stamp):
    """Return the run of stems [a, b) in which the item's weigh most: each adds its idf, all others take MISS of theirs.

    The item's stems are marked (Kadane's sum of a subarray).
    """
    total, top, a, best_a, best_b = 0.0, 0.0, low, low, low
    for i in range(low, high):
        term = found[i]
        if total <= 0:
            total, a = 0.0, i
        if term >= 0 and marks[term] == stamp:
            total += idf[term]
        else:
            total -= MISS * (idf[term] if term >= 0 else unknown)
        if total > top:
            top, best_a, best_b = total, a, i + 1
    return best_a, best_b


@njit(nogil=True, cache=True)
def glance(
    t, found, low, high, length, stem_bounds, item_terms, item_views, norms, valid, idf, unknown,
    marks, views_of, seen, stamp,
):  # fmt: skip
    """Compare an item and the run of stems most like it by its distinct stems alone.

    Returns the cosine of the best valid view, the run [a, b), and its evidence: what the stems that both have weigh.
    """
    for s in range(stem_bounds[t], stem_bounds[t + 1]):
        marks[item_terms[s]], views_of[item_terms[s]] = stamp, item_views[s]
    a, b = best_run(found, low, high, idf, unknown, marks, stamp)
    a, b = widened(a, b, low, high, length)
    window, evidence = 1e-9, 0.0
    both_0, both_1, both_2 = 0.0, 0.0, 0.0
    for i in range(a, b):
        term = found[i]
        if term < 0:
            window += unknown * unknown
        elif seen[term] != stamp:
            seen[term] = stamp
            square = idf[term] * idf[term]
            window += square
            if marks[term] == stamp:
                views = views_of[term]
                evidence += idf[term]
                both_0 += square * (views & 1)
                both_1 += square * (views >> 1 & 1)
                both_2 += square * (views >> 2 & 1)
    best = 0.0
    if valid[t] & 1:
        best = max(best, both_0 / norms[t, 0])
    if valid[t] & 2:
        best = max(best, both_1 / norms[t, 1])
    if valid[t] & 4:
        best = max(best, both_2 / norms[t, 2])
    return best / math.sqrt(window), a, b, evidence


@njit(nogil=True, cache=True)
def scan(
    data, offsets, first, last, noisy, classes, lower, keys, terms, idf, unknown, posted, items,
    need, mass, lengths, stem_bounds, item_terms, item_views, norms, valid, nearest, window_terms,
    candidates, least, out, trusts,
):  # fmt: skip
    """Write (document, item, start, end) where texts first to last - 1 hold enough of an item's rare stems.

    An item's sum grows by the idf of each of its stems and decays by e over `window_terms`; a stem counts
    once in a window. Of each block of so many terms the best `candidates` items are glanced at, around
    the place where their sum was highest; those whose score by stems alone is `least` are written, with the
    trust that their evidence is worth. Returns how many there are; more than `out` holds are not written.
    Scratch: 32 bytes an item, 25 a term, 28 a byte of a segment.
    """
    n_items, far = len(need), window_terms + 1  # terms between documents: no window reaches over it
    state = np.zeros((n_items, 4), np.float32)  # of an item, together in memory
    latest = state.view(np.int32)
    latest[:, LATEST] = -far
    state[:, NEED] = need
    peak, hot = np.zeros(n_items, np.int64), np.empty(n_items + 1, np.int64)
    seen_at = np.full(len(idf), -far, np.int64)
    marks, seen = np.zeros(len(idf), np.int64), np.zeros(len(idf), np.int64)
    views_of = np.zeros(len(idf), np.uint8)
    decay = np.exp(-np.arange(window_terms + 1) / window_terms).astype(np.float32)
    longest = 0
    for d in range(first, last):
        longest = max(longest, offsets[d + 1] - offsets[d])
    room = min(longest, SEGMENT_BYTES + 8)
    hashes, found = np.empty(room, np.uint64), np.empty(room, np.int32)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    place, written, stamp = 0, 0, 0
    for d in range(first, last):
        begin = offsets[d]
        while begin < offsets[d + 1]:
            stop = segment_end(data, begin, offsets[d + 1])
            if noisy:
                n = noisy_stems(data, begin, stop, classes, lower, hashes, starts, ends)
            else:
                n = stems(data, begin, stop, classes, lower, hashes, starts, ends)
            for i in range(n):
                found[i] = term_of(hashes[i], keys, terms)
            n_hot = 0
            for i in range(n):
                term = found[i]
                at = place + i
                if term >= 0 and at - seen_at[term] > window_terms:
                    weight = idf[term]
                    seen_at[term] = at
                    for p in range(posted[term], posted[term + 1]):
                        item = items[p]
                        gap = at - latest[item, LATEST]
                        now = weight
                        if gap <= window_terms:
                            now += state[item, TOTAL] * decay[gap]
                        state[item, TOTAL], latest[item, LATEST] = now, at
                        if now >= state[item, NEED] and now > state[item, BEST]:
                            if state[item, BEST] == 0:
                                hot[n_hot] = item
                                n_hot += 1
                            state[item, BEST], peak[item] = now, i
                if (i + 1) % window_terms == 0 or i == n - 1:
                    for k in range(best_of_block(hot, n_hot, state, mass, candidates)):
                        t = hot[k]
                        reach = 3 * lengths[t] // 2 + 10
                        stamp += 1
                        cosine, a, b, evidence = glance(
                            t, found, max(0, peak[t] - reach), min(n, peak[t] + reach), lengths[t],
                            stem_bounds, item_terms, item_views, norms, valid, idf, unknown,
                            marks, views_of, seen, stamp,
                        )  # fmt: skip
                        trust = evidence / (evidence + DOUBT)
                        if cosine * trust - CROWDED * nearest[t] >= least[t]:
                            if written < len(out):
                                out[written, 0], out[written, 1] = d, t
                                out[written, 2], out[written, 3] = starts[a], ends[b - 1]
                                trusts[written] = trust
                            written += 1
                    for k in range(n_hot):
                        state[hot[k], BEST] = 0
                    n_hot = 0
            place += n
            begin = stop
        place += far
    return written


@njit(nogil=True, cache=True)
def look(
    data, offsets, found, noisy, classes, lower, item_data, bounds, is_code, valid,
    table_keys, table_idf, fallbacks, scores, spans,
):  # fmt: skip
    """Compare each candidate's window with its item: write the likeness and the span in bytes of the document."""
    longest = 0
    for f in range(len(found)):
        longest = max(longest, found[f, 3] - found[f, 2])
    longest = min(longest, MAX_REGION_BYTES) + 2 * MAX_DEFINITION_BYTES
    scratch = scratch_for(longest + min(longest_item(bounds), MAX_REGION_BYTES))
    for f in range(len(found)):
        d, t, first = found[f, 0], found[f, 1], found[f, 2]
        last = min(found[f, 3], first + MAX_REGION_BYTES)
        size = bounds[t, 3] - bounds[t, 0]
        if is_code[t]:
            first, last = whole_definition(
                data, first, last, offsets[d], offsets[d + 1], min(size, MAX_DEFINITION_BYTES)
            )
        mask = start(scratch, size + last - first)
        count_text(data, first, last, 1, is_code[t], noisy, classes, lower, mask, scratch)
        count_item(item_data, bounds, t, is_code[t], noisy, classes, lower, mask, scratch)
        scores[f] = cosines(table_keys, table_idf, fallbacks, valid[t], is_code[t], noisy, scratch)
        spans[f, 0], spans[f, 1] = first - offsets[d], last - offsets[d]


@njit(nogil=True, cache=True)
def fill(keys, values, table_keys, table_values, taken):
    """Put distinct keys and their values in empty open-addressing tables; key 0 must not occur."""
    mask = len(table_keys) - 1
    for i in range(len(keys)):
        slot = np.int64(keys[i] & U(mask))
        while taken[slot]:
            slot = (slot + 1) & mask
        taken[slot] = True
        table_keys[slot], table_values[slot] = keys[i], values[i]


@njit(nogil=True, cache=True)
def question_lengths(data, bounds, noisy, classes, lower):
    """Count the stems of each item's question."""
    room = longest_item(bounds) + 1
    hashes = np.empty(room, np.uint64)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    lengths = np.empty(len(bounds), np.int64)
    for t in range(len(bounds)):
        first, last = bounds[t, 1], bounds[t, 2]
        if noisy:
            lengths[t] = noisy_stems(data, first, last, classes, lower, hashes, starts, ends)
        else:
            lengths[t] = stems(data, first, last, classes, lower, hashes, starts, ends)
    return lengths
