"""Kept blocks to text: paragraphs, lists, table rows and code stay what they were; Markdown-like on request.

Import inside the function that needs it: this loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.ingest.blocks.bytes_kernel import LF
from curation_dagster.ingest.blocks.markup import CHARS, SPACE, TAG
from curation_dagster.ingest.blocks.scan_kernel import ELEMENT, END, SIGN_END, SIGN_START, START
from curation_dagster.ingest.blocks.table_kernel import (
    MAX_COLUMNS,
    ROOM,
    U,
    columns_before,
    pad,
    places,
    put_cell,
    put_rule,
    with_column,
)

(LI, OL, UL, MENU, PRE, TD, TH, TR, TABLE, P, BLOCKQUOTE, DT, DD, CAPTION, FIGCAPTION) = (
    TAG[n] for n in "li ol ul menu pre td th tr table p blockquote dt dd caption figcaption".split()
)
H1, H6 = TAG["h1"], TAG["h6"]
NONE = -1
# what is known of the place of a block
ITEM, LIST_DEPTH, ORDERED, CODE, CELL, ROW, GRID, QUOTES, LEVEL, LOOSE = range(10)
FENCE = np.frombuffer(b"```", np.uint8)
MAX_INDENT, MAX_QUOTES = 8, 4


@njit
def place_of(tags, parents, e, place):
    """Describe where an element lies: its list item, code block, table cell, quote, heading."""
    place[:] = NONE
    place[LIST_DEPTH] = place[QUOTES] = place[LEVEL] = place[ORDERED] = place[LOOSE] = 0
    while e > 0:
        t = tags[e]
        if t == LI and place[ITEM] == NONE:
            place[ITEM] = e
            if place[LIST_DEPTH] == 0:
                place[ORDERED] = -1  # the next list up says
        elif t == OL or t == UL or t == MENU:
            if place[ITEM] != NONE:
                place[LIST_DEPTH] += 1
                if place[ORDERED] == -1:
                    place[ORDERED] = e if t == OL else 0
        elif t == PRE:
            place[CODE] = e
        elif (t == TD or t == TH) and place[CELL] == NONE and place[GRID] == NONE:
            place[CELL] = e
        elif t == TR and place[ROW] == NONE and place[CELL] != NONE and place[GRID] == NONE:
            place[ROW] = e
        elif t == TABLE and place[GRID] == NONE:
            place[GRID] = e
        elif t == BLOCKQUOTE:
            place[QUOTES] += 1
        elif H1 <= t <= H6 and place[LEVEL] == 0:
            place[LEVEL] = t - H1 + 1
        elif t == P or t == DT or t == CAPTION or t == FIGCAPTION:
            place[LOOSE] = 1
        e = parents[e]
    if place[ORDERED] == -1:
        place[ORDERED] = 0


@njit
def is_titled(tags, parents, e):
    """Say whether an element lies in a heading, a term or a caption: where a link to itself may stand."""
    while e > 0:
        t = tags[e]
        if H1 <= t <= H6 or t == DT or t == CAPTION or t == FIGCAPTION:
            return True
        e = parents[e]
    return False


@njit(inline="always")
def trimmed(text, first, end, in_code):
    """Leave out white space at both ends; code keeps that of its first line."""
    while end > first and CHARS[text[end - 1]] & SPACE:
        end -= 1
    while first < end and (text[first] == LF or (not in_code and CHARS[text[first]] & SPACE)):
        first += 1
    return first, end


@njit
def without_sign(text, first, end, sign, behind, in_code):
    """Leave out a permalink's sign at either end, unless there is nothing else."""
    if behind >= end:
        first, end = trimmed(text, first, max(sign, first), in_code)
        return (first, end) if first < end else (sign, behind)
    return trimmed(text, behind, end, in_code) if sign <= first else (first, end)


@njit
def mark_outer_rows(tags, parents, grid, is_layout):
    """Mark the rows around a table."""
    e = parents[grid] if grid > 0 else 0
    while e > 0:
        if tags[e] == TR:
            is_layout[e] = True
        e = parents[e]


@njit(inline="always")
def put(out, o, char, times):
    for _ in range(times):
        out[o] = char
        o += 1
    return o


@njit
def put_all(out, o, chars):
    for char in chars:
        out[o] = char
        o += 1
    return o


@njit
def put_number(out, o, number):
    """Write "number. "."""
    size = 1
    while 10**size <= number:
        size += 1
    for k in range(size):
        out[o + k] = 48 + number // 10 ** (size - 1 - k) % 10
    out[o + size] = 46
    out[o + size + 1] = 32
    return o + size + 2


@njit
def end_row(out, o, cells, width, is_first):
    """Close a Markdown table row, and draw the rule below a table's first."""
    o = pad(out, o, cells, width)
    return put_rule(out, o, width) if is_first else o


@njit
def fill_columns(blocks, tags, parents, keep, in_cell, is_layout, before, columns):
    """Find the columns of each Markdown table; none of one that has too many."""
    place = np.zeros(10, np.int64)
    too_wide = np.zeros(len(tags), np.bool_)
    for k in range(len(blocks)):
        if not keep[k]:
            continue
        place_of(tags, parents, blocks[k, ELEMENT], place)
        row, grid = place[ROW], place[GRID]
        if row == NONE or is_layout[row] or in_cell[row] < 2:
            continue
        columns[grid], exceeds = with_column(columns[grid], before[place[CELL]])
        too_wide[grid] |= exceeds
    for e in range(len(tags)):
        if too_wide[e]:
            columns[e] = U(0)


@njit(cache=True, nogil=True)
def room(blocks, keep, markdown):
    """Return how many bytes `render` may write."""
    size = 64
    for k in range(len(blocks)):
        if keep[k]:
            length = blocks[k, END] - blocks[k, START]
            size += 2 * length + 64 + ROOM if markdown else length + 64
    return size


@njit(cache=True, nogil=True)
def render(text, blocks, tags, parents, keep, markdown, out):
    """Write the kept blocks to `out`; return the number of bytes.

    A table row is one line where each of its cells holds one block; other tables are layout, and
    their cells paragraphs. Entities are left as they are.
    """
    n_elements = len(tags)
    in_cell = np.zeros(n_elements, np.int32)  # kept blocks of a cell, kept cells of a row
    is_layout = np.zeros(n_elements, np.bool_)  # of rows
    numbers = np.zeros(n_elements, np.int32)  # items written of an ordered list
    has_begun = np.zeros(n_elements, np.bool_)  # of items
    before = places(tags, parents) if markdown else np.zeros(1, np.int32)  # cells before a cell
    behind = np.zeros(n_elements if markdown else 1, np.int32)  # of rows: the next free column
    columns = np.zeros(n_elements if markdown else 1, np.uint64)  # of tables: those with a cell
    here, last = np.zeros(10, np.int64), np.full(10, NONE, np.int64)
    for k in range(len(blocks)):
        if not keep[k]:
            continue
        place_of(tags, parents, blocks[k, ELEMENT], here)
        mark_outer_rows(tags, parents, here[GRID], is_layout)
        cell, row = here[CELL], here[ROW]
        if cell == NONE or row == NONE:
            continue
        in_cell[cell] += 1
        if in_cell[cell] == 1:
            in_cell[row] += 1
            if markdown:
                before[cell] = max(before[cell], behind[row])
                behind[row] = before[cell] + 1
        if in_cell[cell] > 1 or here[ITEM] > cell or here[CODE] != NONE:
            is_layout[row] = True
    if markdown:
        fill_columns(blocks, tags, parents, keep, in_cell, is_layout, before, columns)
    o = 0
    is_any = fenced = False
    row_open = False  # of a Markdown table
    is_first_row = False
    cells = width = 0  # of that row: written, wanted
    last_quotes = 0
    for k in range(len(blocks)):
        if not keep[k]:
            continue
        first, end = blocks[k, START], blocks[k, END]
        place_of(tags, parents, blocks[k, ELEMENT], here)
        in_code = here[CODE] != NONE
        if here[ROW] != NONE and (is_layout[here[ROW]] or in_cell[here[ROW]] < 2):
            here[CELL] = here[ROW] = here[GRID] = NONE
        first, end = trimmed(text, first, end, in_code)
        if blocks[k, SIGN_END] > 0 and is_titled(tags, parents, blocks[k, ELEMENT]):
            first, end = without_sign(
                text, first, end, blocks[k, SIGN_START], blocks[k, SIGN_END], in_code
            )
        if first == end:
            continue
        tabular = here[ROW] != NONE
        same_row = tabular and here[ROW] == last[ROW]
        follows_row = tabular and last[ROW] != NONE and here[GRID] == last[GRID]
        piped = tabular and markdown and columns[here[GRID]] != U(0)
        same_code = in_code and here[CODE] == last[CODE]
        if row_open and not same_row:
            o = end_row(out, o, cells, width, is_first_row)
            row_open = False
        if fenced and not same_code:
            o = put_all(out, put(out, o, LF, 1), FENCE)
            fenced = False
        quotes = min(here[QUOTES], MAX_QUOTES) if markdown and not in_code and not tabular else 0
        if same_row:
            if not piped:
                o = put(out, put(out, put(out, o, 32, 1), 124, 1), 32, 1)
        elif is_any:
            same_item = here[ITEM] != NONE and here[ITEM] == last[ITEM]
            listed = (
                here[ITEM] != NONE and last[ITEM] != NONE and here[LEVEL] == 0 and last[LEVEL] == 0
            )
            close = (
                same_code
                or follows_row
                or listed
                or (
                    here[LOOSE] + last[LOOSE] == 0
                    and here[LEVEL] + last[LEVEL] == 0
                    and here[ITEM] == last[ITEM]
                    and here[CODE] == last[CODE]
                    and here[GRID] == last[GRID]
                    and here[QUOTES] == last[QUOTES]
                )
            )
            o = put(out, o, LF, 1)
            if not close or (same_item and here[LOOSE] and not in_code):
                if quotes > 0 and last_quotes > 0:
                    o = put(out, o, 62, min(quotes, last_quotes))
                o = put(out, o, LF, 1)
        if not same_row:
            if quotes > 0:
                o = put(out, put(out, o, 62, quotes), 32, 1)
            if here[ITEM] != NONE and not tabular and not same_code and not (in_code and markdown):
                o = put(out, o, 32, 2 * min(max(here[LIST_DEPTH] - 1, 0), MAX_INDENT))
                if has_begun[here[ITEM]]:
                    o = put(out, o, 32, 2)
                elif here[ORDERED] > 0:
                    numbers[here[ORDERED]] += 1
                    o = put_number(out, o, numbers[here[ORDERED]])
                else:
                    o = put(out, put(out, o, 45, 1), 32, 1)
                has_begun[here[ITEM]] = True
            if here[LEVEL] > 0 and markdown and not tabular and not in_code:
                o = put(out, put(out, o, 35, here[LEVEL]), 32, 1)
            if piped:
                o = put(out, o, 124, 1)
                row_open, is_first_row = True, not follows_row
                cells, width = 0, columns_before(columns[here[GRID]], MAX_COLUMNS)
            if in_code and markdown and not same_code:
                o = put(out, put_all(out, o, FENCE), LF, 1)
                fenced = True
        on_a_line = tabular or (markdown and here[LEVEL] > 0 and not in_code)
        if piped:
            column = columns_before(columns[here[GRID]], before[here[CELL]])
            o = put(out, pad(out, o, cells, column), 32, 1)
            o = put(out, put(out, put_cell(text, first, end, out, o), 32, 1), 124, 1)
            cells = column + 1
        else:
            for i in range(first, end):
                out[o] = 32 if on_a_line and text[i] == LF else text[i]
                o += 1
        is_any = True
        last_quotes = quotes
        last[:] = here
    if row_open:
        o = end_row(out, o, cells, width, is_first_row)
    if fenced:
        o = put_all(out, put(out, o, LF, 1), FENCE)
    return o
