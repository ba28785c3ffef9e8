"""The reader of documents: text as it stands after a stage, assembled from the tables that hold its parts.

Text is stored once as extracted (`raw`) and once more only where an edit changed it (`annotated`);
spans to cut are offsets into that text. Readers get it put together, batch by batch, never a shard
at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation_dagster import table, words
from curation_dagster.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_LAST_ROW = (1 << 32) - 1
_WITH_CUTS = ("deduped", "decontaminated")


def documents(
    files: Mapping[str, Path], kept_by: str, columns: Sequence[str] = (), *, cut: bool = True
) -> Iterator[pl.DataFrame]:
    """Yield the documents a stage kept: row, doc_id, the asked columns of `raw`, and `text`.

    `files` holds the tables of one shard: `raw`, `annotated` if edits count, the stage `kept_by`,
    and those whose cuts apply. One batch a row group of `raw`; batches without a kept document are
    skipped.

    Raises:
        IntegrityError: when two tables disagree about a row's document.
    """
    wanted = ["row", "doc_id", "rejected_by", "text", *columns]
    if kept_by == "raw":
        for batch in table.batches(files["raw"], wanted):
            docs = batch.filter(pl.col("rejected_by").is_null()).drop("rejected_by")
            if docs.height:
                yield docs
        return
    kept = table.RowReader(files[kept_by], ["row", "doc_id", "rejected_by"])
    edited = table.RowReader(files["annotated"], ["row", "text"]) if "annotated" in files else None
    cuts = [table.RowReader(files[s], ["row", "cuts"]) for s in _WITH_CUTS if cut and s in files]
    for batch in table.batches(files["raw"], wanted):
        if not batch.height:
            continue
        last = int(batch["row"][-1])
        here = kept.up_to(last)
        edits = edited.up_to(last) if edited else None
        spans = [reader.up_to(last) for reader in cuts]
        if here is None:
            return
        here = here.filter(pl.col("rejected_by").is_null()).select("row", expected="doc_id")
        docs = here.join(batch.drop("rejected_by"), on="row", how="left", maintain_order="left")
        _agree(docs, kept_by)
        docs = docs.drop("expected")
        if edits is not None:
            docs = docs.join(edits, on="row", how="left", maintain_order="left", suffix="_edited")
            docs = docs.with_columns(text=pl.coalesce("text_edited", "text")).drop("text_edited")
        if docs.height:
            yield without_cuts(docs, [s for s in spans if s is not None])
    rest = kept.up_to(_LAST_ROW)
    if rest is not None and rest.height:
        msg = f"{kept_by}: {rest.height} rows from {rest['row'][0]} on, but raw ends before"
        raise IntegrityError(msg)


def without_cuts(docs: pl.DataFrame, spans: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Remove the spans of every frame (row, cuts) from the texts; overlapping spans count once."""
    cuts = pl.concat([s.explode("cuts").drop_nulls("cuts") for s in spans]) if spans else None
    if cuts is None or not cuts.height:
        return docs
    cuts = (
        docs.with_row_index("position")
        .select("position", "row")
        .join(cuts, on="row")
        .unnest("cuts")
    )
    if not cuts.height:
        return docs
    from curation_dagster import documents_kernel

    data, offsets, owner = words.buffers(docs["text"])
    columns = [cuts[c].to_numpy().astype(np.int64) for c in ("position", "start", "end")]
    kept, new_offsets = documents_kernel.cut(data, offsets, *columns)
    del owner
    return docs.with_columns(words.texts_from(kept, new_offsets, "text"))


def _agree(docs: pl.DataFrame, stage: str) -> None:
    wrong = docs.filter(pl.col("doc_id").ne_missing(pl.col("expected")))
    if wrong.height:
        first = wrong.row(0, named=True)
        msg = (
            f"{stage}: row {first['row']} is {first['expected']}, but raw has {first['doc_id']} there; "
            f"{wrong.height} such rows"
        )
        raise IntegrityError(msg)
