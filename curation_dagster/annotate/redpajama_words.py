r"""The normalised words of RedPajama-V2: what its signals over words are taken from.

A text loses ASCII punctuation, is lower-cased (`str.lower`), stripped, has its white space replaced
by single spaces (`\s+`), and is decomposed (NFD), in this order. That leaves words between white space: no step
joins or splits words, so those of a line are those of the text that stand in the line. Punctuation alone
leaves no word. The tables here are probed from Python's own `str` and `unicodedata`, among
them which characters decide if a capital sigma becomes ς; the loop is `redpajama_words_kernel`.
"""

from __future__ import annotations

import functools
import string
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from curation_dagster.annotate import splitter
from curation_dagster.words import TABLE_SIZE, mix_oracle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation_dagster.annotate.family import Chunk

# An entry of `Tables.fold` is a code point and perhaps NUMERIC; FORM and the index of a form; or one of the last.
CODE = (1 << 21) - 1
NUMERIC, FORM = 1 << 21, 1 << 22
DROPPED, SPACE, FEED, SIGMA = (1 << 23) + np.arange(4, dtype=np.uint32)
CLASS_SHIFT = 24  # a code point of a form has its canonical combining class above it
# What a code point is to the capital sigma beside it.
IGNORED, CASED = 1, 2
_LAST_IGNORED = 0xE01EF  # variation selectors and tags lie far above all letters


class Tables(NamedTuple):
    """What normalising makes of each code point below TABLE_SIZE; those above stay as they are."""

    fold: NDArray[np.uint32]
    first: NDArray[np.int32]  # form i is forms[first[i]:first[i + 1]]
    forms: NDArray[np.uint32]
    sigma: NDArray[np.uint8]


class Normal(NamedTuple):
    """The normalised words of a chunk's texts, and what follows from those of each line."""

    first: NDArray[np.int64]  # text d has the words first[d] to first[d + 1]
    hash: NDArray[np.uint64]  # mix_oracle of splitter.word_hash
    chars: NDArray[np.int32]
    lorem: NDArray[np.float64]  # "lorem ipsum" by characters, of each text
    line_counts: NDArray[np.int64]  # lines of each text
    line_words: NDArray[np.uint32]
    line_scripts: NDArray[np.uint32]  # words that are "javascript"
    line_numeric: NDArray[np.float64]  # share of characters that are numeric


@functools.cache
def tables() -> Tables:
    """Probe what Python makes of each code point."""
    fold = np.arange(TABLE_SIZE, dtype=np.uint32)
    first, forms = [0], list[int]()
    for code in range(TABLE_SIZE):
        char = chr(code)
        form = unicodedata.normalize("NFD", char.lower())
        if char.isspace():
            fold[code] = SPACE
        elif len(form) == 1 and not unicodedata.combining(form):
            fold[code] = ord(form) | NUMERIC * form.isnumeric()
        else:
            fold[code] = FORM | (len(first) - 1)
            forms += [
                ord(c) | NUMERIC * c.isnumeric() | unicodedata.combining(c) << CLASS_SHIFT
                for c in form
            ]
            first.append(len(forms))
    fold[[ord(c) for c in string.punctuation]] = DROPPED
    fold[ord("\n")], fold[ord("Σ")] = FEED, SIGMA
    return Tables(fold, np.array(first, np.int32), np.array(forms, np.uint32), _sigma())


def _sigma() -> NDArray[np.uint8]:
    """Probe `str.lower`: Σ becomes ς behind a cased letter, with ignored characters between, before none."""
    table = np.zeros(_LAST_IGNORED + 1, np.uint8)
    for code in (*range(TABLE_SIZE), *range(0xE0000, _LAST_IGNORED + 1)):
        if f"{chr(code)}Σ".lower()[-1] == "ς":
            table[code] = CASED
        elif f"a{chr(code)}Σ".lower()[-1] == "ς":
            table[code] = IGNORED
    table[[ord(c) for c in string.punctuation]] = IGNORED  # removed before lower-casing
    return table


def normal_hash(word: str) -> int:
    """Hash a normalised word as the kernel does."""
    return mix_oracle(splitter.word_hash(word))


def normalised(chunk: Chunk) -> Normal:
    """Normalise the texts of a chunk. Room: a word takes two bytes of text, a line one."""
    from curation_dagster.annotate import redpajama_words_kernel  # loads numba

    docs = len(chunk)
    size = int(chunk.offsets[-1] - chunk.offsets[0])
    longest = int(np.diff(chunk.offsets).max(initial=0))
    lines = int(np.count_nonzero(chunk.data[chunk.offsets[0] : chunk.offsets[-1]] == ord("\n")))
    room = size // 2 + docs + 1
    found = Normal(
        np.zeros(docs + 1, np.int64),
        np.empty(room, np.uint64),
        np.empty(room, np.int32),
        np.empty(docs),
        np.empty(docs, np.int64),
        np.empty(lines + docs, np.uint32),
        np.empty(lines + docs, np.uint32),
        np.empty(lines + docs),
    )
    # Two bytes of text are at most three code points in NFD.
    codes = np.empty(2 * longest + 16, np.uint32)
    script = np.uint64(normal_hash("javascript"))
    redpajama_words_kernel.normalise(chunk.data, chunk.offsets, tables(), script, codes, found)
    all_lines = int(found.line_counts.sum())
    return Normal(
        found.first,
        found.hash[: found.first[-1]],
        found.chars[: found.first[-1]],
        found.lorem,
        found.line_counts,
        found.line_words[:all_lines],
        found.line_scripts[:all_lines],
        found.line_numeric[:all_lines],
    )
