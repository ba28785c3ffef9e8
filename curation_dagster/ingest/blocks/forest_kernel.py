"""Walk boosted trees over rows of features, and choose the blocks that pay.

The trees are complete: all of one depth, children of node k at 2k + 1 and 2k + 2, so that a step is a
comparison and no branch. 32 rows go together, turned to columns that fit the first cache. Import
inside the function that needs it: this loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np
from numba import njit

ROWS = 32


@njit(cache=True, nogil=True)
def predict(rows, selected, features, thresholds, values, out):
    """Write sigmoid(sum of the trees) of the selected rows to `out`, which is float32 by row."""
    n_columns = rows.shape[1]
    n_nodes = features.shape[1]
    block = np.empty(n_columns * ROWS, np.float32)
    at = np.empty(ROWS, np.int32)
    sums = np.empty(ROWS, np.float32)
    for first in range(0, len(selected), ROWS):
        n = min(ROWS, len(selected) - first)
        for i in range(n):
            row = rows[selected[first + i]]
            for column in range(n_columns):
                block[column * ROWS + i] = row[column]
        sums[:] = 0
        for tree in range(len(features)):
            feature, threshold, value = features[tree], thresholds[tree], values[tree]
            at[:] = 0
            base = 0  # of a level's nodes
            while base < n_nodes:
                for i in range(n):
                    node = base + at[i]
                    right = block[np.int64(feature[node]) * ROWS + i] > threshold[node]
                    at[i] = 2 * at[i] + np.int32(right)
                base = 2 * base + 1
            for i in range(n):
                sums[i] += value[at[i]]
        for i in range(n):
            out[selected[first + i]] = 1.0 / (1.0 + np.exp(-np.float64(sums[i])))


@njit(cache=True, nogil=True)
def select(p, words, beta):
    """Choose the blocks that maximise the expected F-beta: the most probable ones, as many as pay.

    p is the chance that a block's words are content, so a prefix of k blocks finds sum(p * words) of
    the expected total. Ties keep the order of the page. Returns (mask, expected words kept).
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
    expected = 0.0
    for k in range(n_best):
        keep[order[k]] = True
        expected += p[order[k]] * words[order[k]]
    return keep, expected
