"""What the scanner knows of HTML (WHATWG): its tags, attributes and character classes, as tables for kernels.

Numbers of tags and flags are features of the shipped model: append, never reorder, or train again.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from curation_dagster.words import FNV_OFFSET, FNV_PRIME, MASK

INLINE, BLOCK, VOID, RAW = 0, 1, 2, 3
_INLINE: Final = (
    "a abbr acronym audio b bdi bdo big canvas cite code data del dfn em font i ins kbd label map mark nobr "
    "picture q rp rt ruby s samp slot small span strike strong sub sup time tt u var video"
)
_BLOCK: Final = (
    "address article aside blockquote body button caption center dd details dialog dir div dl dt fieldset "
    "figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 head header hgroup html legend li main menu nav "
    "noscript object ol optgroup option p pre section select summary table tbody td tfoot th thead tr ul"
)
_VOID: Final = "area base br col embed hr img input link meta param source track wbr"
_RAW: Final = "iframe math noembed noframes script style svg template textarea title xmp"
UNKNOWN_INLINE, UNKNOWN_BLOCK = 0, 1  # a custom element, with a hyphen in its name, is a block
TAGS: Final = ("?", "?-", *f"{_INLINE} {_BLOCK} {_VOID} {_RAW}".split())
TAG: Final = {name: number for number, name in enumerate(TAGS)}

FLAGS: Final = (
    "nav footer header aside article main form table li pre heading blockquote figure dl button option noscript "
    "hidden aria_hidden details a td p section ul code comment review"
).split()
FLAG: Final = {name: 1 << bit for bit, name in enumerate(FLAGS)}
_FLAGGED: Final = {
    name: name
    for name in (
        "nav footer header aside article main form table li pre blockquote button noscript details a p section"
    ).split()
} | {
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "heading"),
    **dict.fromkeys(("figure", "figcaption"), "figure"),
    **dict.fromkeys(("dl", "dt", "dd"), "dl"),
    **dict.fromkeys(("option", "select"), "option"),
    **dict.fromkeys(("td", "th"), "td"),
    **dict.fromkeys(("ul", "ol", "menu"), "ul"),
    **dict.fromkeys(("code", "kbd", "samp", "tt"), "code"),
}

ATTRIBUTES: Final = (
    "class id role itemprop style hidden aria-hidden type name property http-equiv content rel href lang "
    "alttext xml:lang"
).split()
ATTRIBUTE: Final = {name: number for number, name in enumerate(ATTRIBUTES)}

LETTER, DIGIT, SPACE, UPPER, PUNCTUATION, STOP, COMMA, UNSPACED = (1 << bit for bit in range(8))
TITLE, META, LINK, ANCHOR, JSON_LD, LANG = 1, 2, 3, 4, 5, 6  # kinds of `facts`

TAG_SLOTS: Final = 1024
ATTRIBUTE_SLOTS: Final = 256
HASH_SHIFT: Final = 20


def fnv(name: str) -> int:
    """Hash a name as the kernels do: FNV-1a over its bytes."""
    value = FNV_OFFSET
    for byte in name.encode():
        value = ((value ^ byte) * FNV_PRIME) & MASK
    return value


def _table(names: list[str] | tuple[str, ...], slots: int) -> tuple[np.ndarray, np.ndarray]:
    """Build an open-addressing table from the hash of a name to its number."""
    keys, values = np.zeros(slots, np.uint64), np.zeros(slots, np.int32)
    for number, name in enumerate(names):
        if name.startswith("?"):
            continue
        key = fnv(name)
        slot = (key >> HASH_SHIFT) % slots
        while keys[slot]:
            slot = (slot + 1) % slots
        keys[slot], values[slot] = key, number
    return keys, values


def _kinds() -> np.ndarray:
    kinds = np.zeros(len(TAGS), np.uint8)
    for names, kind in ((_BLOCK, BLOCK), (_VOID, VOID), (_RAW, RAW)):
        for name in names.split():
            kinds[TAG[name]] = kind
    kinds[UNKNOWN_BLOCK] = BLOCK
    return kinds


def _own_flags() -> np.ndarray:
    flags = np.zeros(len(TAGS), np.uint32)
    for name, flag in _FLAGGED.items():
        flags[TAG[name]] |= FLAG[flag]
    flags[TAG["pre"]] |= FLAG["code"]
    return flags


def _chars() -> np.ndarray:
    """Classes of ASCII; bytes above are read as code points."""
    table = np.full(256, PUNCTUATION, np.uint8)
    for byte in range(128):
        char = chr(byte)
        if char.isalpha():
            table[byte] = LETTER | (UPPER if char.isupper() else 0)
        elif char.isdigit():
            table[byte] = DIGIT
        elif char in " \t\n\r\f":
            table[byte] = SPACE
        elif char in ".!?":
            table[byte] = PUNCTUATION | STOP
        elif char == ",":
            table[byte] = PUNCTUATION | COMMA
    return table


TAG_KEYS, TAG_NUMBERS = _table(TAGS, TAG_SLOTS)
ATTRIBUTE_KEYS, ATTRIBUTE_NUMBERS = _table(ATTRIBUTES, ATTRIBUTE_SLOTS)
KINDS, OWN_FLAGS, CHARS = _kinds(), _own_flags(), _chars()
_FLAG_WORDS: Final = {  # words of class, id, role and itemprop that mean the same everywhere
    **dict.fromkeys(("comment", "comments", "commentlist", "disqus"), "comment"),
    **dict.fromkeys(("review", "reviews", "testimonial", "testimonials"), "review"),
}
FLAG_WORDS: Final = np.array([fnv(word) for word in _FLAG_WORDS], np.uint64)
WORD_FLAGS: Final = np.array([FLAG[flag] for flag in _FLAG_WORDS.values()], np.uint32)
