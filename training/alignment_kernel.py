"""The compiled loop of `labels`: a longest common subsequence that prefers runs."""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np
from numba import njit


@njit
def matched(a, b):
    """Mark which words of `a` the subsequence matches. Memory: a byte a cell, len(a) * len(b)."""
    n, m = len(a), len(b)
    back = np.zeros((n + 1, m + 1), np.uint8)
    before, now = np.zeros(m + 1, np.float32), np.zeros(m + 1, np.float32)
    ran, runs = np.zeros(m + 1, np.bool_), np.zeros(m + 1, np.bool_)
    for i in range(1, n + 1):
        now[0] = 0
        for j in range(1, m + 1):
            best, step, is_match = before[j], 1, False
            if now[j - 1] > best:
                best, step = now[j - 1], 2
            if a[i - 1] == b[j - 1]:
                score = before[j - 1] + (1.0 if ran[j - 1] else 0.25)
                if score > best:
                    best, step, is_match = score, 3, True
            now[j], runs[j], back[i, j] = best, is_match, step
        before, now = now, before
        ran, runs = runs, ran
    matched = np.zeros(n, np.uint8)
    i, j = n, m
    while i > 0 and j > 0:
        if back[i, j] == 3:
            matched[i - 1] = 1
            i, j = i - 1, j - 1
        elif back[i, j] == 1:
            i -= 1
        else:
            j -= 1
    return matched
