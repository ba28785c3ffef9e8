"""What a program says and what shape it has, whatever its language: its documentation, its skeleton.

A rephrased program has other names and another language, but its comments say the same, and its
examples and expressions have the same shape. The *documentation* is the lines of comments and doc
strings that hold words. The *skeleton* is the program's operators, brackets and commas, with every
name an x, every number an N and every string an S; what languages do differently (braces, colons,
dots, semicolons, key words) is left out.

Import this module inside the function that needs it: it loads numba. See `words_kernel` for the
conventions.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.words_kernel import mix

U = np.uint64
R = U(0x9E3779B97F4A7C15)
NAME, VALUE, STRING = U(1), U(2), U(3)
LONGEST_GRAM, SHORTEST_GRAM = 5, 2
_KINDS = np.zeros(256, np.uint8)
LETTER, DIGIT, OPERATOR, BRACKET, QUOTE, SPACE = 1, 2, 3, 4, 5, 6
for _chars, _kind in (
    (b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", LETTER),
    (b"0123456789", DIGIT),
    (b"-+*/%=<>!&|^", OPERATOR),
    (b"[](),", BRACKET),
    (b"\"'", QUOTE),
    (b" \t\r\n", SPACE),
):
    _KINDS[list(_chars)] = _kind
KINDS = _KINDS
NEWLINE, HASH, SLASH, STAR, EQUALS, LESS, GREATER, MINUS, DOT, BANG = b"\n#/*=<>-.!"
CODE, BLOCK, COMMENT = 0, 1, 2


@njit(inline="always")
def is_at(data, i, end, a, b, c):
    return i + 2 < end and data[i] == a and data[i + 1] == b and data[i + 2] == c


@njit(nogil=True, cache=True)
def says_something(data, begin, end):
    """Tell a line of words from an example, an assertion and a rule: two words, half of it letters, no arrow."""
    first, last = begin, end
    while first < last and KINDS[data[first]] == SPACE:
        first += 1
    while last > first and KINDS[data[last - 1]] == SPACE:
        last -= 1
    letters, words, inside = 0, 0, False
    for i in range(first, last):
        is_letter = (KINDS[data[i]] == LETTER and data[i] != 0x5F) or data[i] >= 0x80
        letters += is_letter
        words += is_letter and not inside
        inside = is_letter
        if i + 1 < last:
            c, after = data[i], data[i + 1]
            if after == GREATER and c in {EQUALS, MINUS, GREATER}:
                return False
            if after == EQUALS and c == EQUALS:
                return False
            if c == 0x9E and after == 0x9E:  # the arrow U+279E
                return False
    return words >= 2 and 2 * letters >= last - first


@njit(nogil=True, cache=True)
def documentation(data, begin, end, out):
    """Copy the documentation of data[begin:end], a line break after each line; return how many bytes.

    `out` holds at least 2 * (end - begin) + 2 bytes.
    """
    n, i, state, line = 0, begin, CODE, begin
    quote = np.uint8(0)
    while i <= end:
        at_end = i >= end
        if state == CODE:
            if at_end:
                break
            c = data[i]
            if KINDS[c] == QUOTE and is_at(data, i, end, c, c, c):
                state, quote, i = BLOCK, c, i + 3
                line = i
                continue
            if c == SLASH and i + 1 < end and data[i + 1] == STAR:
                state, quote, i = BLOCK, np.uint8(STAR), i + 2
                line = i
                continue
            if c == HASH or (c == SLASH and i + 1 < end and data[i + 1] == SLASH):
                state, i = COMMENT, i + (1 if c == HASH else 2)
                line = i
                continue
            i += 1
            continue
        closes = at_end
        step = 0
        if not at_end and state == BLOCK:
            if quote == STAR:
                closes = data[i] == STAR and i + 1 < end and data[i + 1] == SLASH
                step = 2
            else:
                closes = is_at(data, i, end, quote, quote, quote)
                step = 3
        is_line = not at_end and data[i] == NEWLINE
        if closes or is_line:
            if says_something(data, line, i):
                out[n : n + i - line] = data[line:i]
                n += i - line
                out[n] = NEWLINE
                n += 1
            if at_end:
                break
            if closes:
                state, i = CODE, i + step
            else:
                i += 1
                line = i
                if state == COMMENT:
                    state = CODE
            continue
        i += 1
    return n


@njit(nogil=True, cache=True)
def skeleton(data, begin, end, out):
    """Write the tokens of the skeleton; return how many. `out` holds at least `end - begin` entries."""
    n, i = 0, begin
    while i < end:
        c = data[i]
        kind = KINDS[c]
        if kind == LETTER:
            while i < end and KINDS[data[i]] in {LETTER, DIGIT}:
                i += 1
            out[n] = NAME
            n += 1
        elif kind == DIGIT:
            while i < end and KINDS[data[i]] == DIGIT:
                i += 1
            if i + 1 < end and data[i] == DOT and KINDS[data[i + 1]] == DIGIT:
                i += 1
                while i < end and KINDS[data[i]] == DIGIT:
                    i += 1
            out[n] = VALUE
            n += 1
        elif kind == OPERATOR:
            h, first = U(c), i
            i += 1
            while i < end and KINDS[data[i]] == OPERATOR:
                if i > first + 1 and i == first + 2 and data[i] == EQUALS == data[i - 1]:
                    if data[first] in {EQUALS, BANG}:  # JavaScript's === and !==
                        i += 1
                        continue
                h = h * R + U(data[i])
                i += 1
            out[n] = mix(h)
            n += 1
        elif kind == QUOTE:
            close = i + 1
            while close < end and data[close] != c and data[close] != NEWLINE:
                close += 1
            if close < end and data[close] == c:
                out[n] = STRING
                n += 1
                i = close + 1
            else:
                i += 1
        else:
            if kind == BRACKET:
                out[n] = mix(U(c))
                n += 1
            i += 1
    return n


@njit(nogil=True, cache=True)
def skeleton_grams(tokens, n_tokens, out):
    """Write the hash of every two to five tokens in a row; return how many, at most four a token."""
    n = 0
    for i in range(n_tokens):
        h = tokens[i]
        for k in range(1, LONGEST_GRAM):
            if i + k >= n_tokens:
                break
            h = mix(h * R + tokens[i + k])
            out[n] = h
            n += 1
    return n


@njit(nogil=True, cache=True)
def whole_definition(data, begin, end, text_begin, text_end, max_bytes):
    """Widen a span to the definition it lies in: lines between those that begin a new one, and at most so much.

    A definition begins with a line that is not indented and follows an empty one.
    """
    first = max(begin, text_begin)
    while first > text_begin and begin - first < max_bytes:
        at_line = data[first - 1] == NEWLINE
        if at_line and first >= text_begin + 2 and data[first - 2] == NEWLINE:
            if KINDS[data[first]] != SPACE:
                break
        first -= 1
    last = end
    while last < text_end and last - end < max_bytes:
        if data[last - 1] == NEWLINE and last >= text_begin + 2 and data[last - 2] == NEWLINE:
            if KINDS[data[last]] != SPACE and last > end:
                break
        last += 1
    while first < begin and data[first] >= 0x80 and data[first] < 0xC0:  # inside a character
        first += 1
    while last > end and last < text_end and data[last] >= 0x80 and data[last] < 0xC0:
        last -= 1
    return first, last
