"""What language is like outside of the benchmarks: in how many of 20,000 made-up texts each gram occurs.

How rare a term is cannot be learned from a dozen items, nor from items that are all about arithmetic. The vocabulary
of cl100k is in the order in which its merges were found, which is about the order of frequency on the web; so word r of
it is drawn with a weight of 1 / (r + 2.7) (Zipf; Mandelbrot, 1953), and texts of 40 such words, one of 25 a number,
are counted as items are. The texts say nothing, so pairs of words are as frequent as their words make them. They are
the same on every machine. The mode for character noise goes without: with them it found .90 of the items, not .96.
"""

from __future__ import annotations

import base64
import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from curation_dagster.tokens import cl100k
from curation_dagster.words import tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXTS = 20_000
WORDS_A_TEXT = 40
NUMBER_EVERY = 25
NUMBERS = 10_000  # from 0 on
OFFSET = 2.7
SEEN = 2  # texts, at least: what one of them holds is as rare as what none does


class Counts(NamedTuple):
    """Grams by key, ascending: in how many texts, and of which kind."""

    keys: NDArray[np.uint64]
    seen: NDArray[np.int32]
    kinds: NDArray[np.int8]

    def of(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return in how many texts each of these grams is."""
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.seen[at], 0).astype(np.int32)

    @classmethod
    def none(cls) -> Counts:
        """Return the counts of no text."""
        return cls(np.zeros(1, np.uint64), np.zeros(1, np.int32), np.zeros(1, np.int8))


@functools.cache
def counts() -> Counts:
    """Count the grams of all texts; about two CPU seconds, once a process."""
    from curation_dagster.decontaminate import rare_terms_kernel as kernel

    made = [text.encode() for text in texts()]
    ends = np.cumsum([len(text) for text in made])
    begins = ends - np.array([len(text) for text in made])
    bounds = np.stack([begins, begins, ends, ends], axis=1).astype(np.int64)  # a question each
    data = np.frombuffer(b"".join(made), np.uint8)
    slots = 1 << 20
    while True:
        keys, seen = np.zeros(slots, np.uint64), np.zeros(slots, np.int32)
        kinds, is_code = np.zeros(slots, np.int8), np.zeros(len(made), np.bool_)
        if kernel.document_frequencies(data, bounds, is_code, False, *tables(), keys, seen, kinds):
            break
        slots *= 2
    kept = np.flatnonzero(seen >= SEEN)
    order = kept[np.argsort(keys[kept])]
    return Counts(keys[order], seen[order], kinds[order])


def texts() -> list[str]:
    """Make the texts."""
    words = np.array(vocabulary())
    n = TEXTS * WORDS_A_TEXT
    chosen = words[_drawn(n, len(words), OFFSET, 0)]
    numbers = np.arange(NUMBERS).astype(str)[_drawn(n, NUMBERS, 1.0, n)]
    mixed = np.where(np.arange(n) % NUMBER_EVERY == 0, numbers, chosen)
    return [" ".join(row) for row in mixed.reshape(TEXTS, WORDS_A_TEXT).tolist()]


def vocabulary() -> list[str]:
    """List the words of cl100k, most frequent first: tokens of a space and small ASCII letters."""
    lines = cl100k().read_bytes().split(b"\n")
    tokens = (base64.b64decode(line.split(b" ", 1)[0]) for line in lines if line)
    return [t[1:].decode() for t in tokens if t[:1] == b" " and t[1:].isalpha() and t[1:].islower()]


def _drawn(n: int, kinds: int, offset: float, first: int) -> NDArray[np.int64]:
    """Draw numbers from 0 to `kinds`, k with a weight of 1 / (k + offset), by a hash of the place (SplitMix64)."""
    z = (np.arange(first + 1, first + n + 1, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    even = ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / (1 << 53)
    weights = np.cumsum(1.0 / (np.arange(kinds) + offset))
    drawn: NDArray[np.int64] = np.searchsorted(weights, even * weights[-1], "right")
    return np.minimum(drawn, kinds - 1)
