"""Read UTF-8 bytes of a page: words of markup, code points by class, entities. For kernels; this loads numba."""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.ingest.blocks.markup import (
    CHARS,
    COMMA,
    DIGIT,
    LETTER,
    PUNCTUATION,
    SPACE,
    STOP,
    UNSPACED,
)

LT, GT, AMP, SLASH, QUOTE, APOSTROPHE, EQUALS, DASH, BANG, QUESTION, LF, CR = (
    60, 62, 38, 47, 34, 39, 61, 45, 33, 63, 10, 13,
)  # fmt: skip
NBSP_NAMED = np.frombuffer(b"&nbsp;", np.uint8)
NBSP_NUMBER = np.frombuffer(b"&#160;", np.uint8)
NBSP_HEX = np.frombuffer(b"&#xa0;", np.uint8)
# what generators of documentation write into the permalink of a heading, as it is or as a reference
_SIGNS = (
    "¶", "§", "#", "🔗", "🔗\ufe0f", "&para;", "&#182;", "&#xb6;", "&sect;", "&#167;", "&#xa7;", "&num;", "&#35;",
    "&#x23;", "&#128279;", "&#x1f517;",
)  # fmt: skip
SIGNS = np.frombuffer("".join(_SIGNS).encode(), np.uint8)
_ENDS = np.cumsum([len(sign.encode()) for sign in _SIGNS])
SIGN_SPANS = np.stack([np.concatenate([[0], _ENDS[:-1]]), _ENDS], axis=1)
MAX_SIGN = int(np.diff(SIGN_SPANS).max())


@njit(inline="always")
def lower(c):
    return c + 32 if 65 <= c <= 90 else c


@njit
def starts(html, i, end, word):
    """Say whether html[i:end] begins with `word`, whose letters are lower-case or compared as they are."""
    if i + len(word) > end:
        return False
    for k in range(len(word)):
        if html[i + k] != word[k] and lower(html[i + k]) != word[k]:
            return False
    return True


@njit
def find(html, i, end, word):
    """Find `word` in html[i:end]; -1 if it is not there."""
    first = word[0]
    while i + len(word) <= end:
        if lower(html[i]) == first and starts(html, i, end, word):
            return i
        i += 1
    return -1


@njit(inline="always")
def wide(html, i):
    """Classify the code point above ASCII at byte i of valid UTF-8; return (class, bytes).

    Coarser than `words.tables`, and by comparing bytes: the model's features count these classes, so they are its own.
    """
    c = html[i]
    if c < 0xE0:
        if c == 0xC2:
            b = html[i + 1]
            if b == 0xA0 or b == 0x85:
                return SPACE, 2
            return (LETTER if b in (0xAA, 0xB5, 0xBA) else PUNCTUATION), 2
        if c == 0xD8 and html[i + 1] == 0x8C:  # Arabic comma
            return PUNCTUATION | COMMA, 2
        if (c == 0xD8 and html[i + 1] == 0x9F) or (c == 0xDB and html[i + 1] == 0x94):
            return PUNCTUATION | STOP, 2
        return LETTER, 2
    if c >= 0xF0:
        return (LETTER | UNSPACED if c == 0xF0 and html[i + 1] >= 0xA0 else PUNCTUATION), 4
    b = html[i + 1]
    last = html[i + 2]
    if c == 0xE2:
        if b == 0x80:
            if last <= 0x8B or last == 0xA8 or last == 0xA9 or last == 0xAF:
                return SPACE, 3
            return (LETTER if last == 0x99 else PUNCTUATION), 3  # the apostrophe joins
        return (PUNCTUATION if b < 0xB0 else LETTER), 3
    if c == 0xE3:
        if b == 0x80:
            if last == 0x80:
                return SPACE, 3
            if last == 0x81:
                return PUNCTUATION | COMMA, 3
            return (PUNCTUATION | STOP if last == 0x82 else PUNCTUATION), 3
        return LETTER | UNSPACED, 3
    if 0xE4 <= c <= 0xE9:
        return LETTER | UNSPACED, 3
    if c == 0xEF and (b == 0xBC or b == 0xBD):
        if b == 0xBC and last == 0x8C:
            return PUNCTUATION | COMMA, 3
        if b == 0xBC and (last == 0x81 or last == 0x9F or last == 0x8E):
            return PUNCTUATION | STOP, 3
        if b == 0xBC and (0x90 <= last <= 0x99 or 0xA1 <= last <= 0xBA):
            return LETTER, 3
        return (LETTER | UNSPACED if b == 0xBD and last >= 0xA6 else PUNCTUATION), 3
    if c == 0xE0 and 0xB8 <= b <= 0xBB:  # Thai, Lao
        return LETTER | UNSPACED, 3
    if c == 0xE1 and (0x80 <= b <= 0x82 or 0x9E <= b <= 0x9F):  # Burmese, Khmer
        return LETTER | UNSPACED, 3
    return LETTER, 3


@njit(inline="always")
def char_at(html, i):
    """Classify the code point at byte i of valid UTF-8; return (class, bytes)."""
    if html[i] < 128:
        return np.int64(CHARS[html[i]]), 1
    kind, size = wide(html, i)
    return np.int64(kind), size


@njit(inline="always")
def entity(html, i, n):
    """Measure the entity at an ampersand; return (bytes or 1, is it a no-break space)."""
    if (
        starts(html, i, n, NBSP_NAMED)
        or starts(html, i, n, NBSP_NUMBER)
        or starts(html, i, n, NBSP_HEX)
    ):
        return 6, True
    j = i + 1
    if j < n and html[j] == 35:
        j += 1
    while j < n and j - i < 12 and CHARS[html[j]] & (LETTER | DIGIT):
        j += 1
    return (j + 1 - i if j < n and html[j] == 59 and j > i + 1 else 1), False


@njit
def is_sign(text, i, n):
    """Say whether text[i:n], white space aside, is nothing but a sign that links to where it stands."""
    while i < n and CHARS[text[i]] & SPACE:
        i += 1
    while n > i and CHARS[text[n - 1]] & SPACE:
        n -= 1
    if not 0 < n - i <= MAX_SIGN:
        return False
    for k in range(len(SIGN_SPANS)):
        first, last = SIGN_SPANS[k]
        if n - i == last - first and starts(text, i, n, SIGNS[first:last]):
            return True
    return False


@njit(inline="always")
def behind(html, j, n):
    """Return the byte behind the next `>`."""
    while j < n and html[j] != GT:
        j += 1
    return min(j + 1, n)
