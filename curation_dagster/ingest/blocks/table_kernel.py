"""Markdown tables (GitHub Flavored Markdown 0.29, 4.10): every row has the same cells, and a cell is one line.

A cell's column is the number of cells before it in its row, so an empty cell keeps its place; a column in which no
cell is kept is left out. `colspan` is not known here: what stands behind a wide cell moves left. A table of
more than 64 columns has no Markdown. Import inside the function that needs it: this loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.ingest.blocks.bytes_kernel import AMP, CR, LF
from curation_dagster.ingest.blocks.entities_kernel import SPANS, TEXTS, named, number
from curation_dagster.ingest.blocks.markup import TAG

U = np.uint64
TD, TH = TAG["td"], TAG["th"]
MAX_COLUMNS = 64  # bits of a mask
SPACE, BACKSLASH, PIPE, NUMBER_SIGN = 32, 92, 124, 35
EMPTY = np.frombuffer(b"  |", np.uint8)
RULE = np.frombuffer(b" --- |", np.uint8)
ROOM = 320  # bytes for padding and the rule, of a block: a row has two blocks at least


@njit
def places(tags, parents):
    """Count, for every cell, the cells before it with the same parent."""
    before = np.zeros(len(tags), np.int32)
    found = np.zeros(len(tags), np.int32)
    for e in range(1, len(tags)):
        if tags[e] == TD or tags[e] == TH:
            before[e] = found[parents[e]]
            found[parents[e]] += 1
    return before


@njit(inline="always")
def with_column(mask, column):
    """Add a column to a table's; all bits stay zero once there are too many, which the second value says."""
    return (mask | (U(1) << U(column)), False) if column < MAX_COLUMNS else (mask, True)


@njit
def columns_before(mask, column):
    """Count the columns of a table that stand before one."""
    count = 0
    for k in range(min(column, MAX_COLUMNS)):
        if mask & (U(1) << U(k)):
            count += 1
    return count


@njit
def pad(out, o, cells, wanted):
    """Write empty cells."""
    for _ in range(cells, wanted):
        for char in EMPTY:
            out[o] = char
            o += 1
    return o


@njit
def put_rule(out, o, cells):
    """Write the line below a table's first row."""
    out[o], out[o + 1] = LF, PIPE
    o += 2
    for _ in range(cells):
        for char in RULE:
            out[o] = char
            o += 1
    return o


@njit
def put_cell(text, first, end, out, o):
    r"""Write a cell: line ends as spaces, `|` as `\|`, also where a reference stands for them; at most twice the bytes.

    Backslashes before a pipe are doubled, or they would escape the one that escapes it.
    """
    slashes = 0
    i = first
    while i < end:
        c = np.int64(text[i])
        after = i + 1
        if c == AMP:
            meant, behind = referred(text, i, end)
            if meant == LF or meant == CR or meant == BACKSLASH or meant == PIPE:
                c, after = meant, behind
        if c == PIPE:
            for _ in range(slashes + 1):
                out[o] = BACKSLASH
                o += 1
        slashes = slashes + 1 if c == BACKSLASH else 0
        out[o] = SPACE if c == LF or c == CR else c
        o += 1
        i = after
    return o


@njit
def referred(text, i, n):
    """Return the code point below 128 that a character reference at `&` stands for, or -1, and the byte behind it."""
    if i + 1 < n and text[i + 1] == NUMBER_SIGN:
        code, behind = number(text, i, n)
        return (code if behind > i and code < 128 else np.int64(-1)), behind
    slot, behind = named(text, i, n)
    if slot >= 0 and SPANS[slot, 1] - SPANS[slot, 0] == 1:
        return np.int64(TEXTS[SPANS[slot, 0]]), behind
    return np.int64(-1), behind
