"""The compiled loop of `url_list`: hash a host from its end, and at each dot look up what was hashed so far.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

from curation_dagster.compiled import njit
from curation_dagster.words_kernel import OFFSET, PRIME, U, mix

HASH, SLASH, COLON, QUERY, AT, OPEN, DOT = 0x23, 0x2F, 0x3A, 0x3F, 0x40, 0x5B, 0x2E


@njit
def _value(keys, values, h):
    key = mix(h)
    mask = len(keys) - 1
    slot = key & U(mask)
    while values[slot]:
        if keys[slot] == key:
            return values[slot]
        slot = (slot + U(1)) & U(mask)
    return 0


@njit
def _host(data, i, end):
    """Return where the host begins and ends, and where the path begins."""
    begin = i
    for k in range(i, end - 2):
        if data[k] == COLON and data[k + 1] == SLASH and data[k + 2] == SLASH:
            i = k + 3
            break
        if data[k] in (SLASH, QUERY, HASH):
            break
    if i == begin and i + 1 < end and data[i] == SLASH and data[i + 1] == SLASH:
        i += 2
    path = i
    while path < end and data[path] not in (SLASH, QUERY, HASH):
        path += 1
    for k in range(path - 1, i - 1, -1):
        if data[k] == AT:
            i = k + 1
            break
    last = path
    if i < path and data[i] != OPEN:
        last = i
        while last < path and data[last] != COLON:
            last += 1
    while last > i and data[last - 1] == DOT:
        last -= 1
    return i, last, path


@njit
def _of_path(data, path, end, keys, values, h, found):
    """Return the value of the longest part of the path that is listed, or `found`."""
    for k in range(path, end + 1):
        ends = k == end or data[k] in (QUERY, HASH)
        if k > path and (ends or data[k] == SLASH):
            value = _value(keys, values, h)
            found = value or found
        if ends:
            break
        h = (h ^ U(data[k])) * PRIME
    return found


@njit(nogil=True, cache=True)
def look_up(data, offsets, keys, values, has_paths, found):
    """Write the value of the longest entry that fits each url, or 0."""
    for d in range(len(offsets) - 1):
        end = offsets[d + 1]
        first, last, path = _host(data, offsets[d], end)
        h = OFFSET
        for k in range(last - 1, first - 1, -1):
            c = data[k]
            h = (h ^ U(c | 0x20 if 65 <= c <= 90 else c)) * PRIME
            if k == first or data[k - 1] == DOT:
                value = _value(keys, values, h)
                found[d] = value or found[d]
                if has_paths:
                    found[d] = _of_path(data, path, end, keys, values, h, found[d])
