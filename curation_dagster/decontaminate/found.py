"""What a step finds, and how its rows become the hits of documents.

A row of FOUND is one place of one document that matched one part of one item. `doc` is the place
of the document in the series searched; start and end are UTF-8 byte offsets. Rows are sorted by
doc, start, end, benchmark, item.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from curation_dagster.schema import HITS

FOUND = {
    "doc": pl.UInt32,
    "benchmark": pl.String,
    "item": pl.String,
    "part": pl.String,
    "method": pl.String,
    "score": pl.Float32,
    "start": pl.UInt32,
    "end": pl.UInt32,
}
HIT_COLUMNS = [name for name in FOUND if name != "doc"]
ORDER = ("doc", "start", "end", "benchmark", "item", "part", "method")


def nothing() -> pl.DataFrame:
    """Return FOUND without a row."""
    return pl.DataFrame(schema=FOUND)


def as_lists(found: pl.DataFrame, documents: int) -> pl.Series:
    """Gather the rows of FOUND, sorted by doc, into one list of hits a document."""
    import pyarrow as pa

    counts = np.bincount(found["doc"].to_numpy(), minlength=documents)
    offsets = np.zeros(documents + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    hits = found.select(HIT_COLUMNS).to_struct("hits")
    lists = pa.LargeListArray.from_arrays(offsets, hits.to_arrow())
    return pl.Series("hits", pl.from_arrow(lists), dtype=HITS)
