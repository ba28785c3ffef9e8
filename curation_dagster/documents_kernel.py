"""The compiled loops that remove byte spans from texts. Import it where it is used: it loads numba."""
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


@njit(nogil=True, cache=True)
def split(data, offsets, positions, starts, ends, parts_text):
    """Copy the runs of bytes that spans leave; return (bytes, their offsets, the text each is of).

    A span that `parts_text` parts what lies before it from what lies behind; others only remove. Spans may overlap. A
    run that is empty is left out, but for the one of a text of which nothing stays.
    """
    first = offsets[0]
    gone = np.zeros(offsets[-1] - first, np.uint8)
    for i in range(len(positions)):
        begin = offsets[positions[i]] - first
        stop = min(begin + ends[i], offsets[positions[i] + 1] - first)
        for j in range(begin + starts[i], stop):
            gone[j] |= 2 if parts_text[i] else 1
    count = len(gone) - np.count_nonzero(gone)
    kept = np.empty(count, np.uint8)
    room = len(offsets) + np.count_nonzero(parts_text)
    new_offsets, texts = np.zeros(room + 1, np.int64), np.empty(room, np.int64)
    n, runs = 0, 0
    for d in range(len(offsets) - 1):
        begun, parted = n, False
        for j in range(offsets[d] - first, offsets[d + 1] - first):
            if gone[j]:
                parted |= gone[j] >= 2
                continue
            if parted and n > begun:
                texts[runs] = d
                runs += 1
                new_offsets[runs] = n
                begun = n
            parted = False
            kept[n] = data[first + j]
            n += 1
        texts[runs] = d
        runs += 1
        new_offsets[runs] = n
    return kept, new_offsets[: runs + 1], texts[:runs]
