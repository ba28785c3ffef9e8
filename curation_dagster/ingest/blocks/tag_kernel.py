"""Read a tag: its attributes, the words of its classes, what it says of the page; and what raw elements hold.

For kernels; this loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.ingest.blocks import markup
from curation_dagster.ingest.blocks.bytes_kernel import (
    APOSTROPHE,
    BANG,
    DASH,
    EQUALS,
    GT,
    LT,
    QUOTE,
    SLASH,
    behind,
    find,
    lower,
    starts,
)
from curation_dagster.ingest.blocks.markup import (
    ANCHOR,
    ATTRIBUTE,
    ATTRIBUTE_KEYS,
    ATTRIBUTE_NUMBERS,
    CHARS,
    FLAG_WORDS,
    LANG,
    LINK,
    META,
    SPACE,
    TAG,
    WORD_FLAGS,
)
from curation_dagster.words import FNV_OFFSET, FNV_PRIME

U = np.uint64
OFFSET, PRIME = U(FNV_OFFSET), U(FNV_PRIME)
SHIFT = U(markup.HASH_SHIFT)
ATTRIBUTE_SLOTS = U(markup.ATTRIBUTE_SLOTS)
N_ATTRIBUTES = len(markup.ATTRIBUTES)
WORD_BITS = U((1 << 16) - 1)
WORD_SHIFT = U(24)
MAX_CLASS_BYTES = 300  # of a class, id, role or itemprop
A, HTML, LINK_TAG, META_TAG = (TAG[n] for n in "a html link meta".split())
CLASS, ID, ROLE, ITEMPROP, STYLE_ATTR, HIDDEN, ARIA_HIDDEN, TYPE, NAME, PROPERTY, HTTP_EQUIV, CONTENT = (
    ATTRIBUTE[n] for n in
    "class id role itemprop style hidden aria-hidden type name property http-equiv content".split()
)  # fmt: skip
REL, HREF, LANG_ATTR, ALTTEXT, XML_LANG = (
    ATTRIBUTE[n] for n in "rel href lang alttext xml:lang".split()
)
NONE_WORD = np.frombuffer(b"none", np.uint8)
HIDDEN_WORD = np.frombuffer(b"hidden", np.uint8)
CANONICAL = np.frombuffer(b"canonical", np.uint8)
X_TEX = np.frombuffer(b"application/x-tex", np.uint8)
COMMONS = np.frombuffer(b"//creativecommons.org/", np.uint8)
COMMONS_WWW = np.frombuffer(b"//www.creativecommons.org/", np.uint8)
LICENSE = np.frombuffer(b"license", np.uint8)


@njit
def attributes(html, j, n, spans):
    """Read a tag's attributes from byte j; return (byte behind the tag, is it self-closing).

    `spans[k]` is where the value of the attribute number k lies; (-1, -1) where it is not there.
    """
    spans[:, 0] = -1
    closing = False
    while j < n:
        c = html[j]
        if c == GT:
            return j + 1, closing
        if CHARS[c] & SPACE:
            j += 1
            continue
        if c == SLASH:
            closing = j + 1 < n and html[j + 1] == GT
            j += 1
            continue
        key = OFFSET
        first = j
        while j < n:
            c = html[j]
            if (c == EQUALS and j > first) or c == GT or c == SLASH or CHARS[c] & SPACE:
                break
            key = (key ^ U(lower(c))) * PRIME
            j += 1
        after = j
        while j < n and CHARS[html[j]] & SPACE:
            j += 1
        start = end = after
        if j < n and html[j] == EQUALS:
            j += 1
            while j < n and CHARS[html[j]] & SPACE:
                j += 1
            start = j
            if j < n and (html[j] == QUOTE or html[j] == APOSTROPHE):
                quote = html[j]
                start = j + 1
                j += 1
                while j < n and html[j] != quote:
                    j += 1
                end = j
                j += 1
            else:
                while j < n and html[j] != GT and not CHARS[html[j]] & SPACE:
                    j += 1
                end = j
        slot = (key >> SHIFT) % ATTRIBUTE_SLOTS
        while ATTRIBUTE_KEYS[slot] != U(0):
            if ATTRIBUTE_KEYS[slot] == key:
                number = ATTRIBUTE_NUMBERS[slot]
                if spans[number, 0] < 0:  # the first of two counts
                    spans[number, 0] = start
                    spans[number, 1] = min(end, n)
                break
            slot = (slot + U(1)) % ATTRIBUTE_SLOTS
    return n, closing


@njit
def is_out_of_sight(html, start, end):
    """Say whether a style holds `display: none` or `visibility: hidden`."""
    for word in (NONE_WORD, HIDDEN_WORD):
        i = find(html, start, end, word)
        while i >= 0:
            k = i - 1
            while k > start and CHARS[html[k]] & SPACE:
                k -= 1
            if k >= start + 7 and html[k] == 58 and lower(html[k - 1]) == 121:  # ":" behind a "y"
                return True
            i = find(html, i + 4, end, word)
    return False


@njit
def class_words(html, start, end, found, n_found, signature):
    """Hash the words of a class, id, role or itemprop, split at case; return (count, flags, hash of all)."""
    end = min(end, start + MAX_CLASS_BYTES)
    flags = np.uint32(0)
    i = start
    while i < end:
        c = html[i]
        low = c | 32
        if not 97 <= low <= 122:
            signature = (signature ^ U(c)) * PRIME
            i += 1
            continue
        first = i
        key = OFFSET
        while True:
            key = (key ^ U(low)) * PRIME
            signature = (signature ^ U(c)) * PRIME
            was_small = c >= 97
            i += 1
            if i >= end:
                break
            c = html[i]
            low = c | 32
            if not 97 <= low <= 122 or (was_small and c <= 90):
                break
        if i - first >= 2 and n_found < len(found):
            found[n_found] = np.int32((key >> WORD_SHIFT) & WORD_BITS)
            n_found += 1
            if i - first >= 6:
                for k in range(len(FLAG_WORDS)):
                    if FLAG_WORDS[k] == key:
                        flags |= WORD_FLAGS[k]
    return n_found, flags, signature


@njit
def end_of_raw(html, j, n, name, size):
    """Find `</name` from byte j; -1 if there is none."""
    j += 1  # where a slash may be
    while j + 1 + size <= n:
        c = html[j]
        if c == LT:
            j += 1
            continue
        if c == SLASH and html[j - 1] == LT:
            k = 0
            while k < size and lower(html[j + 1 + k]) == lower(html[name + k]):
                k += 1
            after = j + 1 + size
            if k == size and (after == n or html[after] == GT or CHARS[html[after]] & SPACE):
                return j - 1
        j += 2  # no slash behind a byte that is no "<"
    return -1


@njit
def end_of_comment(html, j, n):
    """Return the byte behind the comment whose `--` is at byte j; -1 if it has no end.

    `<!-->` and `<!--->` are whole comments, and `--!>` ends one like `-->`.
    """
    first = j + 2
    while j + 2 < n:
        if html[j] == DASH and html[j + 1] == DASH:
            if html[j + 2] == GT:
                return j + 3
            if j >= first and html[j + 2] == BANG and j + 3 < n and html[j + 3] == GT:
                return j + 4
        j += 1
    return -1


@njit(inline="always")
def add_fact(facts, n_facts, kind, k0, k1, v0, v1):
    if n_facts < len(facts) and v0 >= 0:
        facts[n_facts, 0], facts[n_facts, 1], facts[n_facts, 2] = kind, k0, k1
        facts[n_facts, 3], facts[n_facts, 4] = v0, v1
        return n_facts + 1
    return n_facts


@njit
def state_fact(html, tag, spans, facts, n_facts):
    """Keep what a tag says of the page: meta, link, licence anchors, the language."""
    if tag == META_TAG:
        for key in (NAME, PROPERTY, HTTP_EQUIV, ITEMPROP):
            if spans[key, 0] >= 0 and spans[CONTENT, 0] >= 0:
                return add_fact(
                    facts, n_facts, META, spans[key, 0], spans[key, 1], spans[CONTENT, 0], spans[CONTENT, 1]
                )  # fmt: skip
    elif tag == LINK_TAG:
        r0, r1 = spans[REL, 0], spans[REL, 1]
        if r0 >= 0 and (
            starts(html, r0, r1, CANONICAL) or find(html, r0, min(r1, r0 + 100), LICENSE) >= 0
        ):
            return add_fact(
                facts, n_facts, LINK, spans[REL, 0], spans[REL, 1], spans[HREF, 0], spans[HREF, 1]
            )
    elif tag == A:
        h0, h1 = spans[HREF, 0], spans[HREF, 1]
        r0, r1 = spans[REL, 0], spans[REL, 1]
        if h0 >= 0:
            commons = False
            for skip in (0, 5, 6):  # nothing, "http:", "https:"
                at = h0 + skip
                if at < h1 and html[at] == SLASH:
                    commons = (
                        commons
                        or starts(html, at, h1, COMMONS)
                        or starts(html, at, h1, COMMONS_WWW)
                    )
            if commons or (r0 >= 0 and r1 - r0 < 100 and find(html, r0, r1, LICENSE) >= 0):
                return add_fact(
                    facts, n_facts, ANCHOR, max(r0, 0), max(r1, 0) if r0 >= 0 else 0, h0, h1
                )
    elif tag == HTML:
        key = LANG_ATTR if spans[LANG_ATTR, 0] >= 0 else XML_LANG
        return add_fact(facts, n_facts, LANG, 0, 0, spans[key, 0], spans[key, 1])
    return n_facts


@njit
def tex_of(html, start, end, alt0, alt1):
    """Find the TeX of a MathML element: its annotation, else its alttext; (-1, -1) if there is none."""
    i = find(html, start, end, X_TEX)
    if i >= 0:
        i = behind(html, i, end)
        j = i
        while j < end and html[j] != LT:
            j += 1
        if j > i:
            return i, j
    if alt0 >= 0 and alt1 > alt0:
        return alt0, alt1
    return -1, -1


@njit
def copy_math(html, start, end, text, o, is_tex):
    """Copy a formula: TeX between dollars, or the text of MathML's elements; return the new end."""
    first = o
    if is_tex:
        text[o] = 36
        o += 1
    space = True
    i = start
    while i < end:
        c = html[i]
        if CHARS[c] & SPACE or (c == LT and not is_tex):
            if c == LT:
                i = behind(html, i, end) - 1
            if not space:
                text[o] = 32
                o += 1
            space = True
        else:
            text[o] = c
            o += 1
            space = False
        i += 1
    while o > first and text[o - 1] == 32:
        o -= 1
    if is_tex:
        text[o] = 36
        o += 1
    return o
