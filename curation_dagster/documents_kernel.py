"""The compiled loop that removes byte spans from texts. Import it where it is used: it loads numba."""
# The arguments of compiled functions are arrays whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit


@njit(nogil=True, cache=True)
def cut(data, offsets, positions, starts, ends):
    """Copy texts without the bytes of any span; return (bytes, offsets). Spans may overlap."""
    first = offsets[0]
    drop = np.zeros(offsets[-1] - first, np.bool_)
    for i in range(len(positions)):
        begin = offsets[positions[i]] - first
        stop = min(begin + ends[i], offsets[positions[i] + 1] - first)
        drop[begin + starts[i] : stop] = True
    kept = np.empty(len(drop) - drop.sum(), np.uint8)
    new_offsets = np.empty(len(offsets), np.int64)
    n = 0
    for d in range(len(offsets) - 1):
        new_offsets[d] = n
        for j in range(offsets[d] - first, offsets[d + 1] - first):
            if not drop[j]:
                kept[n] = data[first + j]
                n += 1
    new_offsets[-1] = n
    return kept, new_offsets
