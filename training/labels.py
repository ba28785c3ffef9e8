"""How much of each block is main text: the soft labels, by aligning a page's words with its gold text.

The alignment is a longest common subsequence in document order that prefers runs (a match counts
.25, one that continues a match 1). A block's label is the share of its words that are matched.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

import numpy as np

from curation_dagster.ingest.blocks.scan_kernel import END, START
from training import alignment_kernel
from training.pages import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation_dagster.ingest.blocks.scratch import Scanned

_MAX_CELLS: Final = 2_500_000_000  # bytes of back-pointers; larger pages have no label


def block_texts(page: Scanned) -> list[str]:
    """Return the text of every block, entities resolved."""
    text = page.text.tobytes()
    return [
        html.unescape(text[start:end].decode("utf-8", "replace"))
        for start, end in zip(
            page.blocks[:, START].tolist(), page.blocks[:, END].tolist(), strict=True
        )
    ]


def aligned(block_words: Sequence[Sequence[str]], gold: str) -> np.ndarray | None:
    """Label blocks, float64 in [0, 1]; None for a page too large to align."""
    vocabulary: dict[str, int] = {}
    ours = np.array(
        [vocabulary.setdefault(w, len(vocabulary)) for block in block_words for w in block],
        np.int32,
    )
    theirs = np.array([vocabulary.setdefault(w, len(vocabulary)) for w in words(gold)], np.int32)
    if len(ours) * len(theirs) > _MAX_CELLS:
        return None
    matched = alignment_kernel.matched(ours, theirs)
    labels = np.zeros(len(block_words))
    at = 0
    for k, block in enumerate(block_words):
        if block:
            labels[k] = matched[at : at + len(block)].mean()
        at += len(block)
    return labels


def overruled(
    labels: np.ndarray,
    block_words: Sequence[Sequence[str]],
    must: Sequence[str],
    must_not: Sequence[str],
) -> np.ndarray:
    """Set the labels of blocks that hold a segment which must or must not be there."""
    texts = [f" {' '.join(block)} " for block in block_words]
    labels = labels.copy()
    for segments, value in ((must_not, 0.0), (must, 1.0)):
        for segment in segments:
            wanted = " ".join(words(segment))
            if not wanted:
                continue
            for k, text in enumerate(texts):
                if f" {wanted} " in text or (
                    len(text) > 12 and text.strip() and text in f" {wanted} "  # noqa: PLR2004 - a piece of it
                ):
                    labels[k] = value
    return labels
