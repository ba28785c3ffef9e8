"""The compiled loop of `segments`.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.segments import (
    ALNUM,
    BREAK,
    CONNECTOR,
    DOUBLE_QUOTE,
    EXTEND,
    HEBREW,
    KATAKANA,
    LETTER,
    MID_BOTH,
    MID_LETTER,
    MID_NUM,
    NUMERIC,
    OTHER,
    SINGLE_QUOTE,
)
from curation_dagster.annotate.splitter_kernel import BASE
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import U, decode

CLASS = 127


def _joined():
    """List which class goes on after which without a look ahead (WB5, WB8 to WB10, WB13 to WB13b)."""
    table = np.zeros((13, 13), np.bool_)
    letters = (LETTER, HEBREW)
    for a in (*letters, NUMERIC):
        for b in (*letters, NUMERIC):
            table[a, b] = True
    table[KATAKANA, KATAKANA] = True
    for a in (*letters, NUMERIC, KATAKANA, CONNECTOR):
        table[a, CONNECTOR] = table[CONNECTOR, a] = True
    table[HEBREW, SINGLE_QUOTE] = True
    return table


JOINED = _joined()


@njit(inline="always")
def _class(table, code):
    return np.int64(table[code]) if code < TABLE_SIZE else np.int64(OTHER)


@njit(inline="always")
def _is_letter(kind):
    return kind == LETTER or kind == HEBREW


@njit
def _bridges(data, i, stop, table, last, kind):
    """Tell whether a mark between letters, or digits, joins them: what follows, extenders aside, is such a one."""
    letters = _is_letter(last) and (kind == MID_LETTER or kind == MID_BOTH or kind == SINGLE_QUOTE)
    digits = last == NUMERIC and (kind == MID_NUM or kind == MID_BOTH or kind == SINGLE_QUOTE)
    quoted = last == HEBREW and kind == DOUBLE_QUOTE
    if not (letters or digits or quoted):
        return False
    while i < stop:
        code, i = decode(data, i)
        following = _class(table, code) & CLASS
        if following != EXTEND:
            if letters:
                return _is_letter(following)
            return following == (NUMERIC if digits else HEBREW)
    return False


@njit(nogil=True, cache=True)
def split(data, offsets, table, first, hashes, chars):
    """Fill the arrays with the words that start with a letter or digit; return how many there are."""
    n = 0
    for d in range(len(offsets) - 1):
        first[d] = n
        i, stop = offsets[d], offsets[d + 1]
        while i < stop:
            code, i = decode(data, i)
            kind = _class(table, code)
            last = kind & CLASS
            counts = kind & ALNUM > 0
            if last == BREAK or not (counts or last == CONNECTOR):
                continue
            h = U(code + 1)
            length = 1
            bridged = False
            while i < stop:
                code, after = decode(data, i)
                kind = _class(table, code) & CLASS
                if kind != EXTEND and not bridged:
                    if not JOINED[last, kind]:
                        if not _bridges(data, after, stop, table, last, kind):
                            break
                        bridged = True
                    last = kind
                elif kind != EXTEND:
                    bridged = False
                    last = kind
                h = h * BASE + U(code + 1)
                length += 1
                i = after
            if counts:
                hashes[n] = h
                chars[n] = length
                n += 1
    first[len(offsets) - 1] = n
    return n
