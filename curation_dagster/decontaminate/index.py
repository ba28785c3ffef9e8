"""The n-grams of all benchmark items, as arrays to probe (Brown et al., 2020, appendix C).

An n-gram is `ngram_terms` consecutive terms, hashed to 64 bits: at 10^12 corpus terms and 10^6
n-grams, one false match is expected once in 18 corpora. Parts too short for one n-gram are listed
in `undetectable`. The compiled loops are in `ngram_kernel`. Not here: what a hit is; see `ngrams`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation_dagster.words import buffers, tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOOM_BITS_PER_SLOT = 4


@dataclass(frozen=True)
class Index:
    """An open-addressing table of n-gram hashes, a bloom filter, and the items of each n-gram.

    `items` has benchmark, item, part, term_count and ngram_count (distinct).
    The n-gram in slot s has number `grams[s]` (-1: empty) and the items
    `gram_items[gram_offsets[g]:gram_offsets[g + 1]]`.
    """

    ngram_terms: int
    items: pl.DataFrame
    ngram_counts: NDArray[np.uint32]
    keys: NDArray[np.uint64]
    grams: NDArray[np.int32]
    bloom: NDArray[np.uint64]
    gram_offsets: NDArray[np.int64]
    gram_items: NDArray[np.int32]

    @property
    def undetectable(self) -> pl.DataFrame:
        """Parts with fewer than `ngram_terms` terms, which no scan can find."""
        return self.items.filter(pl.col("ngram_count") == 0)


def build_index(items: pl.DataFrame, ngram_terms: int) -> Index:
    """Index the n-grams of ITEMS (`registry`): every part by itself."""
    from curation_dagster.decontaminate import ngram_kernel

    data, offsets, owner = buffers(items["text"])
    term_counts = np.empty(items.height, np.uint32)
    room = max(len(data), 1)  # an item has at most one n-gram per byte
    hashes, item_of = np.empty(room, np.uint64), np.empty(room, np.int32)
    n = ngram_kernel.item_ngrams(
        data, offsets, *tables(), ngram_terms, term_counts, hashes, item_of
    )
    del owner  # the views into it are done with
    pairs = pl.DataFrame({"hash": hashes[:n], "item": item_of[:n]}).unique().sort("hash", "item")
    distinct, first = np.unique(pairs["hash"].to_numpy(), return_index=True)
    counts = np.bincount(pairs["item"].to_numpy(), minlength=items.height).astype(np.uint32)
    slots = 1 << max(6, (2 * len(distinct)).bit_length())
    keys, grams = np.zeros(slots, np.uint64), np.full(slots, -1, np.int32)
    bloom = np.zeros(slots * BLOOM_BITS_PER_SLOT // 64, np.uint64)
    ngram_kernel.fill_table(distinct, keys, grams, bloom)
    return Index(
        ngram_terms=ngram_terms,
        items=items.select("benchmark", "item", "part", term_count=term_counts, ngram_count=counts),
        ngram_counts=counts,
        keys=keys,
        grams=grams,
        bloom=bloom,
        gram_offsets=np.append(first, len(pairs)).astype(np.int64),
        gram_items=pairs["item"].to_numpy().copy(),
    )
