"""Pages as lessons: their blocks, how much of each is main text, and how much a page weighs.

WCXB and readability pages have gold text. Pages of trafilatura's own set have only segments that
must or must not be there: their labels are trafilatura's output, overruled by the segments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from resiliparse.extract.html2text import extract_plain_text

from curation_dagster.ingest.blocks import scan_kernel
from curation_dagster.ingest.blocks.extract import twins
from curation_dagster.ingest.blocks.scratch import Scanned, scan
from training import labels
from training.pages import READABILITY, TRAFILATURA, WCXB, Example, words

if TYPE_CHECKING:
    from collections.abc import Iterable

WEIGHTS: Final = {WCXB: 1.0, TRAFILATURA: 0.5, READABILITY: 1.0}
_CLASS_WORDS_CAP: Final = 40
_SHRINKAGE: Final = 2.0  # pages
_PAGE_WORDS: Final = 200


class Lesson(NamedTuple):
    """A page to learn from."""

    example: Example
    page: Scanned  # copies: they outlive the next scan
    labels: np.ndarray  # float64 in [0, 1] by block
    weights: np.ndarray  # by block; every page counts about equally
    classes: tuple[
        np.ndarray, np.ndarray, float
    ]  # hashes, their (words, main words), the page's share


def lessons(examples: Iterable[Example]) -> list[Lesson]:
    """Label pages; those without blocks, or too large to align, teach nothing."""
    return [lesson for example in examples if (lesson := _lesson(example)) is not None]


def gold_text(example: Example) -> str:
    """Return the gold text, or what stands for it."""
    if example.set_name == WCXB:
        return str(example.gold["text"])
    if example.set_name == READABILITY:
        page = f"<html><body>{example.gold['expected_html']}</body></html>"
        return str(extract_plain_text(page, main_content=False, alt_texts=False))
    import trafilatura

    return trafilatura.extract(example.body) or ""


def class_weights(taught: Iterable[Lesson]) -> np.ndarray:
    """Return float32 by hash: how much likelier main text is below an element with that class word."""
    gained, seen = np.zeros(1 << 16), np.zeros(1 << 16)
    for lesson in taught:
        hashes, counts, share = lesson.classes
        if len(hashes):
            trust = np.minimum(counts[:, 0] / 20, 1) * WEIGHTS[lesson.example.set_name]
            gained[hashes] += trust * (counts[:, 1] / counts[:, 0] - share)
            seen[hashes] += trust
    return (gained / (seen + _SHRINKAGE)).astype(np.float16).astype(np.float32)


def _lesson(example: Example) -> Lesson | None:
    scanned = scan(example.utf8)
    page = Scanned(*(part.copy() if isinstance(part, np.ndarray) else part for part in scanned))
    block_words = [words(text) for text in labels.block_texts(page)]
    if not block_words:
        return None
    found = labels.aligned(block_words, gold_text(example))
    if found is None:
        return None
    if example.set_name == TRAFILATURA:
        found = labels.overruled(found, block_words, example.gold["with"], example.gold["without"])
    first = twins(page)  # the alignment matches one of them, whichever
    again = np.flatnonzero(first >= 0)
    np.maximum.at(found, first[again], found[again])
    found[again] = found[first[again]]
    n_words = page.blocks[:, scan_kernel.WORDS] + 1.0
    weights = n_words / (n_words.sum() + _PAGE_WORDS) * 100 * WEIGHTS[example.set_name]
    return Lesson(example, page, found, weights, _class_counts(page, found))


def _class_counts(page: Scanned, found: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Count, by class word, the words below elements that have it, and those that are main text."""
    n_words = np.minimum(page.blocks[:, scan_kernel.WORDS], _CLASS_WORDS_CAP) + 1.0
    above: dict[int, frozenset[int]] = {0: frozenset()}
    counts: dict[int, Any] = {}
    for block, element in enumerate(page.blocks[:, scan_kernel.ELEMENT].tolist()):
        path, at = [], element
        while at not in above:
            path.append(at)
            at = int(page.parents[at])
        for e in reversed(path):
            own = page.classes[page.class_from[e] : page.class_to[e]].tolist()
            above[e] = above[int(page.parents[e])] | frozenset(own)
        for word in above[element]:
            held = counts.setdefault(word, [0.0, 0.0])
            held[0] += n_words[block]
            held[1] += n_words[block] * found[block]
    share = float((n_words * found).sum() / max(n_words.sum(), 1e-9))
    return np.array(list(counts), np.int64), np.array(list(counts.values())).reshape(-1, 2), share
