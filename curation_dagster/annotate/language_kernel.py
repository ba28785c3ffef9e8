"""The compiled loops of a fastText classifier: words to rows, rows to a text's mean, mean to labels.

A text's vector is the mean of the rows of its words and their character n-grams, so a word adds
the same sum wherever it stands, and sums are kept in a `cache` of fixed size. An entry holds the
whole word, not its hash, and is a function of it alone: what was cached, or pushed out, changes no
value. Sums are in single precision in the order of the n-grams, a text's total is in
double precision in the order of the words. Import this where it is used: it loads numba.
"""
# The arguments of compiled functions are arrays and tuples of them, whose types numba infers.
# mypy: disable-error-code="assignment,no-untyped-def,no-untyped-call,untyped-decorator"

import math

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.words_kernel import M1, M2, mix

U = np.uint64
FNV_32_OFFSET, FNV_32_PRIME = np.uint32(2166136261), np.uint32(16777619)
SPREAD = U(0x9E3779B97F4A7C15)
LESS, MORE, SLASH, LETTER_S, UNDERSCORE = 60, 62, 47, 115, 95
CONTINUATION, CONTINUED = np.uint32(0xC0), np.uint32(0x80)  # of UTF-8
LABEL = np.frombuffer(b"__label__", np.uint8)
KEY_BYTES = 27  # of a cached word: its key is 32 bytes, of which one is the length, four the rows
KEY_FLOATS = 8
COUNT, NOT_COUNT = U(0xFFFFFFFF), U(0xFFFFFFFF00000000)
WAITING = 1024  # n-grams looked up at once
WAYS = 4  # places where a word may be cached
LEAST = 1e-5  # fastText adds it to a probability before it takes the logarithm

_SPACES = np.zeros(256, np.bool_)
_SPACES[[0, 9, 10, 11, 12, 13, 32]] = True


@njit(inline="always")
def _fnv(h, byte):
    """Go on with fastText's hash: FNV-1a over signed bytes."""
    return np.uint32((h ^ np.uint32(np.int32(np.int8(byte)))) * FNV_32_PRIME)


@njit(inline="always")
def _same(data, begin, length, entries, start, end):
    if length != end - start:
        return False
    for i in range(length):
        if data[begin + i] != entries[start + i]:
            return False
    return True


@njit(inline="always")
def _find(data, begin, end, entries, ends, seats):
    """Return the seat of a word and the id there, or -1."""
    h = FNV_32_OFFSET
    for i in range(begin, end):
        h = _fnv(h, data[i])
    seat = np.int64(h) & (len(seats) - 1)
    while seats[seat] >= 0:
        found = seats[seat]
        if _same(data, begin, end - begin, entries, ends[found], ends[found + 1]):
            break
        seat = (seat + 1) & (len(seats) - 1)
    return seat, seats[seat]


@njit(cache=True)
def seat_words(entries, ends):
    """Make the hash table over a dictionary's entries, at most half full."""
    size = 2
    while size < 2 * len(ends):
        size *= 2
    seats = np.full(size, -1, np.int32)
    for i in range(len(ends) - 1):
        seat, found = _find(entries, ends[i], ends[i + 1], entries, ends, seats)
        if found < 0:
            seats[seat] = i
    return seats


@njit(inline="always")
def _is_label(data, begin, end):
    if end - begin < len(LABEL):
        return False
    for i in range(len(LABEL)):
        if data[begin + i] != LABEL[i]:
            return False
    return True


@njit(inline="always")
def bucket_of(h, bucket, shift, reciprocal):
    """Return h modulo the buckets, by a product with the reciprocal that is at most one too small."""
    left = U(h) - (U(h) * reciprocal >> shift) * bucket
    return np.int32(left - bucket * U(left >= bucket))


@njit(inline="always")
def _add_grams(grams, n, model, sums, at):
    """Add the rows of n buckets to sums[at]; return how many were kept. No branch waits for a load."""
    if len(model.pruned):
        kept = 0
        for k in range(n):
            gram = grams[k]
            grams[kept] = gram
            kept += (model.kept[gram >> 3] >> (gram & 7)) & 1
        n = kept
        for k in range(n):
            grams[k] = model.pruned[grams[k]]
    for k in range(n):
        row = model.words + np.int64(grams[k])
        for q in range(model.rows.shape[1]):
            sums[at, KEY_FLOATS + q] += model.rows[row, q]
    return n


@njit(inline="always")
def _sum_word(data, begin, end, model, framed, grams, sums, at):
    """Write the sum of the rows of a word and its n-grams to sums[at]; return how many rows."""
    dim = model.rows.shape[1]
    for q in range(dim):
        sums[at, KEY_FLOATS + q] = 0
    _, found = _find(data, begin, end, model.entries, model.ends, model.seats)
    if found >= model.words or (found < 0 and _is_label(data, begin, end)):
        return 0
    count = 0
    if found >= 0:
        for q in range(dim):
            sums[at, KEY_FLOATS + q] += model.rows[found, q]
        count = 1
    if model.maxn <= 0:
        return count
    size = end - begin + 2
    framed[0], framed[size - 1], framed[size] = LESS, MORE, 0
    for k in range(end - begin):
        framed[k + 1] = np.uint32(np.int32(np.int8(data[begin + k])))
    bucket, shift, reciprocal = U(model.bucket), U(model.shift), U(model.reciprocal)
    waiting = 0
    for i in range(size):
        if framed[i] & CONTINUATION == CONTINUED:
            continue
        if waiting + model.maxn > len(grams):
            count += _add_grams(grams, waiting, model, sums, at)
            waiting = 0
        h = FNV_32_OFFSET
        n = 0
        j = i
        while n < model.maxn and j < size:
            h = np.uint32((h ^ framed[j]) * FNV_32_PRIME)
            j += 1
            if framed[j] & CONTINUATION != CONTINUED:
                n += 1
                grams[waiting] = bucket_of(h, bucket, shift, reciprocal)
                waiting += n >= model.minn and (n > 1 or (i > 0 and j < size))
    return count + _add_grams(grams, waiting, model, sums, at)


@njit(inline="always")
def _pack(data, begin, end):
    """Give up to eight bytes as a number."""
    packed = U(0)
    shift = U(0)
    for i in range(begin, end):
        packed |= U(data[i]) << shift
        shift += U(8)
    return packed


@njit(inline="always")
def _seat(keys, a, b, c, d):
    """Return where a word is cached, or the place to put it, and whether it is there."""
    h = mix(a * SPREAD + b * M1 + c * M2 + d)
    mask = U(len(keys) - 2)
    for way in range(WAYS):
        seat = np.int64((h + U(way)) & mask)
        last = keys[seat, 3] & NOT_COUNT
        if last == d and keys[seat, 0] == a and keys[seat, 1] == b and keys[seat, 2] == c:
            return seat, True
        if last == U(0):
            return seat, False
    return np.int64((h + (h >> U(62))) & mask), False


@njit
def _sum_text(data, begin, end, model, keys, sums, framed, grams, total):
    """Add the words of a text up to its end, or a word `</s>`; return how many rows."""
    dim = len(total)
    total[:] = 0
    rows = 0
    i = begin
    while True:
        while i < end and _SPACES[data[i]]:
            i += 1
        start = i
        while i < end and not _SPACES[data[i]]:
            i += 1
        size = i - start
        if size == 0 or (
            size == 4
            and data[start] == LESS
            and data[start + 1] == SLASH
            and data[start + 2] == LETTER_S
            and data[start + 3] == MORE
        ):
            break
        a = b = c = d = U(0)
        seat, known = np.int64(len(keys) - 1), False  # where a word too long to be cached is summed
        if size <= KEY_BYTES:
            a = _pack(data, start, min(i, start + 8))
            d = U(size) << U(56)
            if size > 8:
                b = _pack(data, start + 8, min(i, start + 16))
                c = _pack(data, start + 16, min(i, start + 24))
                d |= _pack(data, start + 24, i) << U(32)
            seat, known = _seat(keys, a, b, c, d)
        if not known:
            count = _sum_word(data, start, i, model, framed, grams, sums, seat)
            keys[seat, 0], keys[seat, 1], keys[seat, 2], keys[seat, 3] = a, b, c, d | U(count)
        rows += np.int64(keys[seat, 3] & COUNT)
        for q in range(dim):
            total[q] += sums[seat, KEY_FLOATS + q]
    if model.eos >= 0:
        rows += 1
        for q in range(dim):
            total[q] += model.rows[model.eos, q]
    return rows


@njit(inline="always")
def _offer(label, score, labels, scores, found):
    """Insert a label among the best, the later one first of equals; return how many there are."""
    k = len(labels)
    if found < k:
        found += 1
    at = found - 1
    while at > 0 and scores[at - 1] <= score:
        labels[at], scores[at] = labels[at - 1], scores[at - 1]
        at -= 1
    labels[at], scores[at] = label, score
    return found


@njit
def _descend(model, mean, stack, heights, labels, scores):
    """Find the best leaves of the tree depth first; what is less likely than 1e-5 is none."""
    leaves = len(model.output)
    floor = np.float32(math.log(LEAST))
    found = 0
    stack[0], heights[0] = 2 * leaves - 2, 0
    depth = 1
    while depth:
        depth -= 1
        node, score = stack[depth], heights[depth]
        if score < floor or (found == len(labels) and score < scores[found - 1]):
            continue
        if node < leaves:
            found = _offer(node, score, labels, scores, found)
            continue
        f = np.float32(0)
        for q in range(len(mean)):
            f += mean[q] * model.output[node - leaves, q]
        f = np.float32(1 / (1 + math.exp(-np.float64(f))))
        stack[depth], stack[depth + 1] = model.right[node], model.left[node]
        heights[depth] = score + np.float32(math.log(f + LEAST))
        heights[depth + 1] = score + np.float32(math.log(1 - np.float64(f) + LEAST))
        depth += 2
    return found


@njit
def _rank(model, mean, outputs, labels, scores):
    """Find the best labels of a softmax."""
    found = 0
    top = np.float32(-np.inf)
    outputs[:] = 0
    for q in range(len(mean)):
        for label in range(len(outputs)):
            outputs[label] += mean[q] * model.output[q, label]
    for label in range(len(outputs)):
        top = max(top, outputs[label])
    whole = np.float32(0)
    for label in range(len(outputs)):
        outputs[label] = math.exp(outputs[label] - top)
        whole += outputs[label]
    for label in range(len(outputs)):
        score = np.float32(math.log(np.float64(outputs[label] / whole) + LEAST))
        if found < len(labels) or score >= scores[found - 1]:
            found = _offer(label, score, labels, scores, found)
    return found


@njit(nogil=True, cache=True)
def identify(data, offsets, model, keys, sums, labels, probs):
    """Fill labels[texts, k] (-1: none) and probs of the texts between the offsets; an empty text has none.

    `keys` and `sums` are the cache, of one caller at a time: two views of the same memory.
    """
    dim = model.rows.shape[1]
    leaves = len(model.output) if len(model.left) else model.output.shape[1]
    longest = 0
    for d in range(len(offsets) - 1):
        longest = max(longest, offsets[d + 1] - offsets[d])
    framed = np.empty(longest + 3, np.uint32)
    grams = np.empty(WAITING + model.maxn, np.int32)
    total = np.empty(dim, np.float64)
    mean = np.empty(dim, np.float32)
    stack = np.empty(leaves + 1, np.int64)
    heights = np.empty(leaves + 1, np.float32)
    scores = np.empty(labels.shape[1], np.float32)
    for d in range(len(offsets) - 1):
        labels[d, :] = -1
        probs[d, :] = np.nan
        begin, end = offsets[d], offsets[d + 1]
        if begin == end:
            continue
        rows = _sum_text(data, begin, end, model, keys, sums, framed, grams, total)
        if rows == 0:
            continue
        for q in range(dim):
            mean[q] = total[q] / rows
        if len(model.left):
            found = _descend(model, mean, stack, heights, labels[d], scores)
        else:
            found = _rank(model, mean, heights[:leaves], labels[d], scores)
        for k in range(found):
            probs[d, k] = min(math.exp(scores[k]), 1.0)
