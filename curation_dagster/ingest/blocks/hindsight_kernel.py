"""Measure what the first forest said around each block: `features.HINDSIGHT`. For kernels; this loads numba."""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,assignment"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.ingest.blocks.features import HINDSIGHT, LEVELS
from curation_dagster.ingest.blocks.features_kernel import (
    GOLDEN,
    IN_HEADING,
    STIR,
    border_of,
    power_above,
    slot_of,
)
from curation_dagster.ingest.blocks.scan_kernel import ELEMENT, WORDS
from curation_dagster.ingest.blocks.tag_kernel import U

LIKELY = 0.5
AT_BEHIND = HINDSIGHT.index("p_most_behind")
AT_CONTENT = HINDSIGHT.index("expected_before")


@njit(cache=True, nogil=True)
def look_back(blocks, tags, parents, flags, signatures, p, out):
    """Fill `out`, float32 (blocks, len(HINDSIGHT)), from the first forest's probabilities."""
    n, n_elements = len(blocks), len(tags)
    sums = np.zeros((n_elements, 3), np.float32)  # p by words, words, blocks
    total = words = 0.0
    most = np.float32(0.0)
    prefix = np.zeros((n + 1, 2), np.float64)
    for k in range(n):
        e = blocks[k, ELEMENT]
        w = np.float32(blocks[k, WORDS] + 1)
        sums[e, 0] += w * p[k]
        sums[e, 1] += w
        sums[e, 2] += 1
        total += w * p[k]
        words += w
        most = max(most, p[k])
        prefix[k + 1, 0] = prefix[k, 0] + w * p[k]
        prefix[k + 1, 1] = prefix[k, 1] + w
    for e in range(n_elements - 1, 0, -1):
        for q in range(3):
            sums[parents[e], q] += sums[e, q]
    mask = power_above(n_elements) - 1
    keys = np.zeros(mask + 1, np.uint64)
    alike = np.zeros((mask + 1, 2), np.float32)
    slots = np.zeros(n_elements, np.int64)
    for e in range(1, n_elements):
        if sums[e, 2] == 0:
            continue
        up = parents[e]
        key = signatures[e] + (signatures[parents[up]] * U(3) if up > 0 else U(0))
        slot = slot_of(keys, mask, (key ^ (signatures[up] * GOLDEN)) | U(1))
        alike[slot, 0] += sums[e, 0]
        alike[slot, 1] += sums[e, 1]
        slots[e] = slot
    before = np.float32(0.0)
    for k in range(n):
        x = out[k]
        x[0] = p[k]
        c = 1
        for offset in (-4, -3, -2, -1, 1, 2, 3, 4):
            j = k + offset
            x[c] = p[j] if 0 <= j < n else -1.0
            c += 1
        for width in (3, 8, 20):
            lo, hi = max(0, k - width), min(n, k + width + 1)
            x[c] = (prefix[hi, 0] - prefix[lo, 0]) / (prefix[hi, 1] - prefix[lo, 1])
            c += 1
        x[c : c + LEVELS + 3] = -1.0
        z = border_of(tags, parents, blocks[k, ELEMENT])
        level = 0
        above = np.float32(0.0)
        while True:
            up = parents[z]
            if z == 0 or sums[up, 2] > sums[z, 2]:
                share = sums[z, 0] / max(sums[z, 1], np.float32(1.0))
                if level < LEVELS:
                    x[c + level] = share
                if level < 3 and z > 0:
                    x[c + LEVELS + level] = alike[slots[z], 0] / alike[slots[z], 1]
                if level > 0 and z > 0:
                    above = max(above, share)
                level += 1
            if z == 0:
                break
            z = up
        c += LEVELS + 3
        x[c] = total / max(words, 1.0)
        x[c + 1] = most
        x[c + 2] = np.log2(np.float64(1 + total))
        x[c + 3] = before
        x[c + 5] = above
        before = max(before * np.float32(0.98), p[k])
    behind = np.float32(0.0)
    for k in range(n - 1, -1, -1):
        out[k, AT_BEHIND] = behind
        behind = max(behind * np.float32(0.98), p[k])
    _place_in_content(blocks, flags, parents, signatures, p, prefix, out[:, AT_CONTENT:])


@njit
def _place_in_content(blocks, flags, parents, signatures, p, prefix, out):
    """Say how much of the expected text lies before and behind each block, and how far it is from it."""
    n = len(blocks)
    total = max(prefix[n, 0], 1e-6)
    since = np.float32(-1.0)
    for k in range(n):
        out[k, 0] = prefix[k, 0] / total
        out[k, 1] = (total - prefix[k + 1, 0]) / total
        out[k, 2] = since
        out[k, 7] = np.log2(1.0 + total)
        if p[k] > LIKELY:
            since = np.float32(0.0)
        elif since >= 0:
            since += blocks[k, WORDS]
    ahead = np.float32(-1.0)
    for k in range(n - 1, -1, -1):
        out[k, 3] = ahead
        if p[k] > LIKELY:
            ahead = np.float32(0.0)
        elif ahead >= 0:
            ahead += blocks[k, WORDS]
    first = 0
    for k in range(n + 1):
        if k == n or (flags[blocks[k, ELEMENT]] & IN_HEADING and k > first):
            mean = (prefix[k, 0] - prefix[first, 0]) / max(prefix[k, 1] - prefix[first, 1], 1e-6)
            is_headed = (flags[blocks[first, ELEMENT]] & IN_HEADING) != 0
            for j in range(first, k):
                out[j, 4] = mean
                out[j, 5] = p[first] if is_headed else -1.0
            first = k
    mask = power_above(n) - 1
    keys = np.zeros(mask + 1, np.uint64)
    sums = np.zeros((mask + 1, 2), np.float64)
    slots = np.zeros(n, np.int64)
    for k in range(n):
        e = blocks[k, ELEMENT]
        key = (signatures[e] ^ (U(parents[max(parents[e], 0)] + 1) * GOLDEN)) | U(1)
        slot = slot_of(keys, mask, (key * STIR) | U(1))
        w = blocks[k, WORDS] + 1.0
        sums[slot, 0] += w * p[k]
        sums[slot, 1] += w
        slots[k] = slot
    for k in range(n):
        out[k, 6] = sums[slots[k], 0] / sums[slots[k], 1]
