"""Classes of bytes and what stands beside a span; shared by the kernels that find personal data.

A place comes with `low` and `high`, the text around it up to the document's ends or another finding. `edges` says
which of the two is another finding: that counts as a letter, before and after it is replaced.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import OFFSET, PRIME, U, decode, mix

LF, SPACE, HASH, PLUS, DASH, DOT, SLASH = 0x0A, 0x20, 0x23, 0x2B, 0x2D, 0x2E, 0x2F
OPEN, CLOSE, COLON, AT, UNDERSCORE = 0x28, 0x29, 0x3A, 0x40, 0x5F


@njit(inline="always")
def is_digit(c):
    return (c >= 48) & (c <= 57)


@njit(inline="always")
def is_alpha(c):
    return ((c >= 97) & (c <= 122)) | ((c >= 65) & (c <= 90))


@njit(inline="always")
def is_hex(c):
    return is_digit(c) | ((c >= 97) & (c <= 102)) | ((c >= 65) & (c <= 70))


@njit(inline="always")
def is_word(c):
    return is_alpha(c) | is_digit(c) | (c == UNDERSCORE)


@njit
def letter_at(data, i, low, high, edges):
    """Say if an ASCII letter stands at `i`, or the edge of another finding."""
    if i < low:
        return edges & 1 != 0
    if i >= high:
        return edges & 2 != 0
    return is_alpha(data[i])


@njit
def word_at(data, i, low, high, edges):
    """Say if a letter, a digit or an underscore stands at `i`, or the edge of another finding."""
    return letter_at(data, i, low, high, edges) or (low <= i < high and is_word(data[i]))


@njit
def digit_at(data, i, low, high):
    return low <= i < high and is_digit(data[i])


@njit
def starts_with(data, i, high, text):
    """Say if the bytes of `text` stand at `i`."""
    if i + len(text) > high:
        return False
    for k in range(len(text)):
        if data[i + k] != text[k]:
            return False
    return True


@njit
def back(data, i):
    """Return where the code point before byte `i` begins."""
    i -= 1
    while data[i] & 0xC0 == 0x80:
        i -= 1
    return i


@njit
def word_hash(data, begin, end, lower):
    """Hash lower-cased code points as `words.term_hash_oracle` does."""
    h = OFFSET
    i = begin
    while i < end:
        code, i = decode(data, i)
        h = (h ^ U(lower[code] if code < TABLE_SIZE else code)) * PRIME
    return mix(h)


@njit
def is_among(h, sorted_hashes):
    low, high = 0, len(sorted_hashes)
    while low < high:
        middle = (low + high) // 2
        if sorted_hashes[middle] < h:
            low = middle + 1
        else:
            high = middle
    return low < len(sorted_hashes) and sorted_hashes[low] == h
