"""Score rows by boosted trees, and choose the blocks that pay.

Trees are not walked: each node whose row goes right strikes its left leaves from a 32-bit set, and
the first leaf left is the row's (QuickScorer, Lucchese et al., 2015). Nodes need no order and no
branches, so 64 rows are compared at once by vector instructions. Import inside the function that
needs it: this loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit

ROWS = 64  # compared at once; an argument, for LLVM unrolls loops of constant length before it can vectorize them
ALL = np.uint32(0xFFFFFFFF)
MULTIPLIER, SHIFT = np.uint32(0x077CB531), np.uint32(27)  # de Bruijn: which bit a power of two is
BIT = np.zeros(32, np.int32)
for _bit in range(32):
    BIT[((1 << _bit) * 0x077CB531 & 0xFFFFFFFF) >> 27] = _bit


@njit(cache=True, nogil=True)
def predict(rows, selected, width, starts, features, thresholds, kept, values, out):
    """Write sigmoid(sum of the trees) of the selected rows to `out`, which is float32 by row; `width` is ROWS."""
    n_columns = rows.shape[1]
    block = np.zeros((n_columns, width), np.float32)  # columns of some rows
    leaves = np.empty(width, np.uint32)
    sums = np.empty(width, np.float32)
    for first in range(0, len(selected), width):
        n = min(width, len(selected) - first)
        for i in range(n):
            row = rows[selected[first + i]]
            for column in range(n_columns):
                block[column, i] = row[column]
        sums[:] = 0
        for tree in range(len(starts) - 1):
            leaves[:] = ALL
            for node in range(starts[tree], starts[tree + 1]):
                measured, threshold, right = block[features[node]], thresholds[node], kept[node]
                for i in range(width):
                    leaves[i] &= right if measured[i] > threshold else ALL
            for i in range(width):
                left = np.int64(leaves[i])
                lowest = np.uint32(left & -left)
                sums[i] += values[tree, BIT[np.uint32(lowest * MULTIPLIER) >> SHIFT]]
        for i in range(n):
            out[selected[first + i]] = 1.0 / (1.0 + np.exp(-np.float64(sums[i])))


@njit(cache=True, nogil=True)
def select(p, words, beta, least):
    """Choose the blocks that maximise the expected F-beta: the most probable ones, as many as pay.

    p is the chance that a block's words are content, so a prefix of k blocks finds sum(p * words) of
    the expected total. Ties keep the order of the page. Where even the best F-beta is below `least`, none is
    chosen. Returns (mask, expected words kept).
    """
    n = len(p)
    keep = np.zeros(n, np.bool_)
    if n == 0:
        return keep, 0.0
    order = np.argsort(-p.astype(np.float64), kind="mergesort")
    total = 0.0
    for k in range(n):
        total += p[k] * (words[k] + 1e-3)
    found = kept = best = 0.0
    n_best = 0
    weight = beta * beta
    for k in range(n):
        w = words[order[k]] + 1e-3
        found += p[order[k]] * w
        kept += w
        score = found / (kept + weight * total + 1e-9)
        if score > best:
            best, n_best = score, k + 1
    if (1.0 + weight) * best < least:
        n_best = 0
    expected = 0.0
    for k in range(n_best):
        keep[order[k]] = True
        expected += p[order[k]] * words[order[k]]
    return keep, expected
