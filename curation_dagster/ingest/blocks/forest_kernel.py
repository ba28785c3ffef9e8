"""Walk boosted trees over rows of features: 64 rows at a time, level by level, without a branch on leaves.

A leaf is a node whose two children are itself, so a tree takes as many steps for every row. Import
inside the function that needs it: this loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np
from numba import njit

ROWS = 64


@njit(cache=True, nogil=True)
def predict(rows, selected, features, thresholds, children, values, roots, depths, out):
    """Write sigmoid(sum of the trees) of the selected rows to `out`, which is float32 by row."""
    at = np.zeros(ROWS, np.int32)
    for first in range(0, len(selected), ROWS):
        n = min(ROWS, len(selected) - first)
        for i in range(n):
            out[selected[first + i]] = 0
        for tree in range(len(roots)):
            for i in range(n):
                at[i] = roots[tree]
            for _ in range(depths[tree]):
                for i in range(n):
                    node = at[i]
                    right = rows[selected[first + i], features[node]] > thresholds[node]
                    at[i] = children[node, np.int32(right)]
            for i in range(n):
                out[selected[first + i]] += values[at[i]]
        for i in range(n):
            row = selected[first + i]
            out[row] = 1.0 / (1.0 + np.exp(-np.float64(out[row])))


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
