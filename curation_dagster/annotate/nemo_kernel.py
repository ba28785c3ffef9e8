"""The compiled loops of `nemo`: characters, words and lines; then 2-grams; then boilerplate.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,assignment"

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation_dagster.annotate.gopher_kernel import mask_for, ratio
from curation_dagster.annotate.nemo import ALPHA, BLANK, BRACKET, BULLET, DIGIT, ENGLISH, SPACE
from curation_dagster.annotate.phrases import NONE
from curation_dagster.annotate.phrases_kernel import follow, shift_of
from curation_dagster.annotate.splitter_kernel import BASE
from curation_dagster.compiled import njit
from curation_dagster.words import TABLE_SIZE
from curation_dagster.words_kernel import OFFSET, PRIME, U, decode, mix, put

FEED, HASH, H, DOT = 0x0A, 0x23, 0x68, 0x2E
ENDS = (0x2E, 0x3F, 0x21, 0x22, 0x27)
PARAGRAPH = U(0x5851F42D4C957F2D)  # keeps a paragraph apart from a line of the same text


def _suffixes(*texts):
    """Lay out texts backwards, in rows of bytes, the length in front."""
    rows = np.zeros((len(texts), 16), np.uint8)
    for k, text in enumerate(texts):
        encoded = text.encode()
        rows[k, 0] = len(encoded)
        rows[k, 1 : 1 + len(encoded)] = np.frombuffer(encoded[::-1], np.uint8)
    return rows


SUFFIXES = _suffixes("...", "…", "[...]", "(...)", "[…]", "-»", "read more", "read more..")


def _url_bytes():
    """Mark the bytes of urls; "%" (2) only before two hexadecimal digits."""
    marks = np.zeros(256, np.uint8)
    letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    marks[list(letters + b"$-_@.&+/:=?#~!*(),")] = 1
    marks[ord("%")] = 2
    return marks


URL_BYTES = _url_bytes()


class Words(NamedTuple):
    """The words of one text: hashes, where they start, and code points."""

    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    chars: NDArray[np.int32]


class Spots(NamedTuple):
    """A set of lines and paragraphs, or of 2-grams with their counts and first places."""

    keys: NDArray[np.uint64]
    stamps: NDArray[np.int32]
    seats: NDArray[np.int32]
    firsts: NDArray[np.int32]


@njit
def _is_hex(byte):
    return 0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x46 or 0x61 <= byte <= 0x66


@njit
def _url_end(data, i, end):
    """Return where the url ends that starts at i; i if none does."""
    k = i + 4
    if k + 3 >= end or data[i + 1] != 0x74 or data[i + 2] != 0x74 or data[i + 3] != 0x70:
        return i
    k += data[k] == 0x73
    if k + 3 >= end or data[k] != 0x3A or data[k + 1] != 0x2F or data[k + 2] != 0x2F:
        return i
    k += 3
    first = k
    while k < end and URL_BYTES[data[k]]:
        if URL_BYTES[data[k]] == 2 and not (
            k + 2 < end and _is_hex(data[k + 1]) and _is_hex(data[k + 2])
        ):
            break
        k += 1
    return k if k > first else i


@njit
def _trails_off(data, begin, end):
    """Tell whether a stripped line ends with one of the suffixes."""
    for row in range(len(SUFFIXES)):
        size = SUFFIXES[row, 0]
        if size > end - begin:
            continue
        k = 1
        while k <= size:
            byte = data[end - k]
            if 65 <= byte <= 90:
                byte |= 0x20
            if byte != SUFFIXES[row, k]:
                break
            k += 1
        if k > size:
            return True
    return False


@njit(inline="always")
def _is_in(known, word):
    for k in range(len(known)):
        if known[k] == word:
            return True
    return False


@njit
def _look(data, begin, end, table, known, words, spots, stamp, counts, ratios, d):
    """Measure characters, words and lines of a text; return its code points, words and paragraphs."""
    commons, ellipses = known
    keys, stamps, _, _ = spots
    hashes, starts, sizes = words
    feeds = 0
    for i in range(begin, end):
        feeds += data[i] == FEED
    mask = mask_for(2 * feeds + 2)
    points = english = digits = blanks = brackets = urls = 0
    n = size = longest = total = alphas = symbols = common = runs = 0
    lines = bullets = unended = trailing = 0
    different = different_chars = line_chars = 0
    paragraphs = own = own_chars = paragraph_chars = 0
    word = U(0)
    has_alpha = False
    line_hash = paragraph_hash = OFFSET
    line_size = paragraph_size = 0
    first_byte = last_byte = 0  # of the line without the white space around it
    url_end = begin
    last = first_kind = 0
    last_code = -1
    in_line = False
    i = begin
    while i <= end:
        code, after, kind = FEED, i + 1, np.uint8(SPACE)
        if i < end:
            code, after = decode(data, i)
            kind = table[code] if code < TABLE_SIZE else np.uint8(0)
            points += 1
            english += kind & ENGLISH > 0
            digits += kind & DIGIT > 0
            blanks += kind & BLANK > 0
            brackets += kind & BRACKET > 0
        if not kind & SPACE:
            if size == 0:
                starts[n] = i
                if not in_line:
                    in_line = True
                    first_byte, first_kind = i, kind
            word = word * BASE + U(code) + U(1)
            size += 1
            has_alpha = has_alpha or kind & ALPHA > 0
            if code == HASH:
                runs += last_code != HASH
            elif code == H and i >= url_end:
                url_end = _url_end(data, i, end)
                urls += url_end - i
            last_byte, last = after, code
        elif size:
            hashes[n] = word
            sizes[n] = size
            n += 1
            total += size
            longest = max(longest, size)
            alphas += has_alpha
            if size <= 5:
                symbols += 2 * runs > size or (not has_alpha and _is_in(ellipses, word))
                common += has_alpha and _is_in(commons, word)
            elif runs:
                symbols += 2 * runs > size
            word = U(0)
            size = runs = 0
            has_alpha = False
        last_code = code
        if code != FEED:
            line_hash = (line_hash ^ U(code)) * PRIME
            paragraph_hash = (paragraph_hash ^ U(code)) * PRIME
            line_size += 1
            paragraph_size += 1
            i = after
            continue
        if in_line:
            lines += 1
            bullets += first_kind & BULLET > 0
            unended += last not in ENDS
            trailing += _trails_off(data, first_byte, last_byte)
            line_chars += line_size
            if not put(keys, stamps, stamp, mask, mix(line_hash))[1]:
                different += 1
                different_chars += line_size
        in_line = False
        line_hash = OFFSET
        line_size = 0
        if i < end and not (after < end and data[after] == FEED):
            paragraph_hash = (paragraph_hash ^ U(FEED)) * PRIME
            paragraph_size += 1
        else:
            paragraphs += 1
            paragraph_chars += paragraph_size
            if not put(keys, stamps, stamp, mask, mix(paragraph_hash ^ PARAGRAPH))[1]:
                own += 1
                own_chars += paragraph_size
            paragraph_hash = OFFSET
            paragraph_size = 0
            if i < end:
                points += 1
                english += 1
                blanks += 1
                after += 1
        i = after
    counts[0, d], counts[1, d], counts[2, d] = n, longest, common
    ratios[0, d] = ratio(total, n)
    ratios[1, d] = ratio(alphas, n)
    ratios[2, d] = ratio(symbols, n)
    ratios[3, d] = ratio(points - english, points)
    ratios[4, d] = ratio(digits, points)
    ratios[5, d] = ratio(blanks, points)
    ratios[6, d] = ratio(brackets, points)
    ratios[7, d] = ratio(urls, points)
    ratios[8, d] = ratio(bullets, lines)
    ratios[9, d] = ratio(unended, lines)
    ratios[10, d] = ratio(trailing, lines)
    ratios[11, d] = ratio(different, lines)
    ratios[12, d] = ratio(different_chars, line_chars)
    ratios[13, d] = ratio(own, paragraphs if n else 0)
    ratios[14, d] = ratio(own_chars, paragraph_chars)
    return points, n, paragraphs


@njit
def _pairs(n, words, spots, stamp):
    """Return the first word of the most frequent 2-gram, and the code points of those that occurred before."""
    keys, stamps, seats, firsts = spots
    hashes, _, sizes = words
    mask = mask_for(n)
    best = best_at = copied = 0
    overlaps = False
    before = mix(hashes[0])
    for k in range(1, n):
        word = mix(hashes[k])
        slot, seen = put(keys, stamps, stamp, mask, mix(before * BASE + word))
        before = word
        if seen:
            seats[slot] += 1
            copied += sizes[k] + 1 if overlaps else sizes[k - 1] + sizes[k] + 1
        else:
            seats[slot] = 1
            firsts[slot] = k - 1
        overlaps = seen
        if seats[slot] > best or (seats[slot] == best and firsts[slot] < best_at):
            best, best_at = seats[slot], firsts[slot]
    return best_at, copied


@njit
def _occurrences(data, begin, end, wanted):
    """Count `wanted` in a text, from left to right, without overlap."""
    size = len(wanted)
    first, second = wanted[0], wanted[1]
    found = 0
    i = begin
    while i + size <= end:
        if data[i] == first and data[i + 1] == second:
            k = 2
            while k < size and data[i + k] == wanted[k]:
                k += 1
            if k == size:
                found += 1
                i += size
                continue
        i += 1
    return found


@njit
def _joined(data, starts, k, end, table):
    """Return the bytes of words k and k + 1, with one space between them."""
    a, b = starts[k], starts[k + 1]
    a_end = b_end = b
    i = a
    while i < b:
        code, after = decode(data, i)
        if code < TABLE_SIZE and table[code] & SPACE:
            a_end = i
            break
        i = after
    i = b
    while i < end:
        code, after = decode(data, i)
        if code < TABLE_SIZE and table[code] & SPACE:
            break
        i = after
    b_end = i
    wanted = np.empty(a_end - a + 1 + b_end - b, np.uint8)
    wanted[: a_end - a] = data[a:a_end]
    wanted[a_end - a] = 0x20
    wanted[a_end - a + 1 :] = data[b:b_end]
    return wanted


@njit
def _boilerplate(data, begin, end, phrases):
    """Count the paragraphs with a phrase; NONE if the first phrase occurs."""
    _, pair, edges, targets, ends, _ = phrases
    shift = shift_of(edges)
    found = 0
    says = False
    i = begin
    while i + 1 < end:
        if data[i] == FEED and data[i + 1] == FEED:
            found += says
            says = False
            i += 2
            continue
        a, b = data[i], data[i + 1]
        a |= np.uint8(0x20) if 65 <= a <= 90 else np.uint8(0)
        b |= np.uint8(0x20) if 65 <= b <= 90 else np.uint8(0)
        node = pair[np.int64(a) << 8 | b]
        at = i + 2
        while node != NONE:
            if ends[node] != NONE:
                if ends[node] == 0:
                    return NONE
                says = True
            if at >= end:
                break
            byte = data[at]
            byte |= np.uint8(0x20) if 65 <= byte <= 90 else np.uint8(0)
            node = follow(edges, targets, shift, node, byte)
            at += 1
        i += 1
    return found + says


@njit(nogil=True, cache=True)
def measure(data, offsets, table, known, phrases, words, spots, counts, ratios):
    """Fill counts[3, docs] and ratios[18, docs] in the order of `nemo.FAMILY`."""
    for d in range(len(offsets) - 1):
        begin, end = offsets[d], offsets[d + 1]
        points, n, paragraphs = _look(
            data, begin, end, table, known, words, spots, 2 * d + 1, counts, ratios, d
        )
        found = _boilerplate(data, begin, end, phrases)
        ratios[15, d] = 1.0 if found == NONE else ratio(found, paragraphs)
        ratios[16, d] = ratios[17, d] = np.nan
        if n > 1:
            best, copied = _pairs(n, words, spots, 2 * d + 2)
            wanted = _joined(data, words.starts, best, end, table)
            chars = words.chars[best] + 1 + words.chars[best + 1]
            ratios[16, d] = _occurrences(data, begin, end, wanted) * chars / points
            ratios[17, d] = copied / points
