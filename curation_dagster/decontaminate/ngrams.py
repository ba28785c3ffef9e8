"""The step `ngrams`: items whose word n-grams a document shares (Brown et al., 2020, appendix C).

The compiled loop is in `ngram_kernel`, the table of n-grams in `index`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation_dagster.decontaminate.found import FOUND, ORDER
from curation_dagster.decontaminate.index import Index, build_index
from curation_dagster.words import buffers, tables

if TYPE_CHECKING:
    from curation_dagster.recipe_decontaminate import Decontaminate


@dataclass(frozen=True)
class NGramScan:
    """The n-grams of the items and how many of them make a hit."""

    index: Index
    min_ngrams: int

    def find(self, texts: pl.Series) -> pl.DataFrame:
        """Return FOUND; none for a null text.

        A hit shares at least `min_ngrams` distinct n-grams with a part of an item, or all of them
        if it has fewer. Its score is their share of the part's; the span goes from the first
        matched term to the end of the last. Texts with hits are read twice. Scratch: 40 bytes an
        item, 8 an n-gram.
        """
        from curation_dagster.decontaminate import ngram_kernel

        index = self.index
        data, offsets, owner = buffers(texts)
        needed = np.minimum(index.ngram_counts, self.min_ngrams).astype(np.int64)
        counts = np.zeros(len(texts), np.int64)

        def run(selected: np.ndarray, found: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
            hits, matched = np.empty((n, 3), np.int64), np.empty(n, np.float64)
            ngram_kernel.scan(
                data, offsets, selected, *tables(), index.ngram_terms, needed,
                index.keys, index.grams, index.bloom, index.gram_offsets, index.gram_items,
                found, hits, matched,
            )  # fmt: skip
            return hits, matched

        run(np.arange(len(texts)), counts, 0)
        with_hits = np.flatnonzero(counts)
        hits, matched = run(with_hits, np.empty(len(with_hits), np.int64), int(counts.sum()))
        del owner  # the views into it are done with
        item = hits[:, 0]
        frame = pl.DataFrame(
            {
                "doc": np.repeat(np.arange(len(texts)), counts),
                "benchmark": index.items["benchmark"].gather(item),
                "item": index.items["item"].gather(item),
                "part": index.items["part"].gather(item),
                "method": pl.repeat("ngrams", len(item), dtype=pl.String, eager=True),
                "score": matched / index.ngram_counts[item],
                "start": hits[:, 1],
                "end": hits[:, 2],
            }
        )
        return frame.cast(FOUND).sort(ORDER)


def build(items: pl.DataFrame, config: Decontaminate) -> NGramScan:
    """Index the n-grams of ITEMS."""
    return NGramScan(build_index(items, config.ngrams.terms), config.ngrams.min_ngrams)
