"""Find benchmark items in documents by shared word n-grams (Brown et al., 2020, appendix C).

The compiled loop is in `ngram_kernel`. Not here: what becomes of a document with hits; see
`verdicts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation_dagster.schema import HITS
from curation_dagster.words import buffers, tables

if TYPE_CHECKING:
    from curation_dagster.decontaminate.index import Index

HIT = HITS.inner


def scan(texts: pl.Series, index: Index, *, min_ngrams: int = 1) -> pl.Series:
    """List the benchmark items each text holds, by benchmark and item; none for a null text.

    A hit shares at least `min_ngrams` distinct n-grams with an item, or all of them if it has
    fewer. Its score is their share of the item's; start and end are UTF-8 byte offsets, from the
    first matched term to the end of the last. Texts with hits are read twice. Scratch: 40 bytes an
    item, 8 an n-gram.
    """
    from curation_dagster.decontaminate import ngram_kernel

    data, offsets, owner = buffers(texts)
    needed = np.minimum(index.ngram_counts, min_ngrams).astype(np.int64)
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
            "benchmark": index.items["benchmark"].gather(item),
            "item": index.items["item"].gather(item),
            "method": pl.repeat("ngram", len(item), dtype=pl.String, eager=True),
            "score": pl.Series(matched / index.ngram_counts[item], dtype=pl.Float32),
            "start": pl.Series(hits[:, 1], dtype=pl.UInt32),
            "end": pl.Series(hits[:, 2], dtype=pl.UInt32),
        }
    )
    return _as_lists(frame.to_struct("hits").cast(HIT), counts).alias(texts.name)


def _as_lists(hits: pl.Series, counts: np.ndarray) -> pl.Series:
    """Cut a column of hits into one list a document."""
    import pyarrow as pa

    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    lists = pa.LargeListArray.from_arrays(offsets, hits.to_arrow())
    return pl.Series(pl.from_arrow(lists), dtype=HITS)
