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

    from numpy.typing import NDArray

_LAST_ROW = (1 << 32) - 1
_PARTING = (
    "decontaminated",
)  # its cuts part a text into fragments; those of others join what they leave
_WITH_CUTS = ("deduped", *_PARTING)


def documents(
    files: Mapping[str, Path],
    kept_by: str,
    columns: Sequence[str] = (),
    *,
    cut: bool = True,
    fragments: bool = False,
) -> Iterator[pl.DataFrame]:
    """Yield the documents a stage kept: row, doc_id, the asked columns of `raw`, and `text`.

    `files` holds the tables of one shard: `raw`, `annotated` if edits count, the stage `kept_by`,
    and those whose cuts apply. One batch a row group of `raw`; batches without a kept document are
    skipped. With `fragments`, what the cuts of `decontaminated` part are rows of their own, numbered
    in the column `fragment`.

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
    readers = {
        s: table.RowReader(files[s], ["row", "cuts"]) for s in _WITH_CUTS if cut and s in files
    }
    for batch in table.batches(files["raw"], wanted):
        if not batch.height:
            continue
        last = int(batch["row"][-1])
        here = kept.up_to(last)
        edits = edited.up_to(last) if edited else None
        cuts = {stage: reader.up_to(last) for stage, reader in readers.items()}
        spans = {stage: frame for stage, frame in cuts.items() if frame is not None}
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
            yield (
                in_fragments(docs, spans) if fragments else without_cuts(docs, [*spans.values()])
            )
    rest = kept.up_to(_LAST_ROW)
    if rest is not None and rest.height:
        msg = f"{kept_by}: {rest.height} rows from {rest['row'][0]} on, but raw ends before"
        raise IntegrityError(msg)


def without_cuts(docs: pl.DataFrame, spans: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Remove the spans of every frame (row, cuts) from the texts; overlapping spans count once."""
    cuts = _placed(docs, spans)
    if not cuts.height:
        return docs
    from curation_dagster import documents_kernel

    data, offsets, owner = words.buffers(docs["text"])
    kept, new_offsets = documents_kernel.cut(data, offsets, *_columns(cuts))
    del owner
    return docs.with_columns(words.texts_from(kept, new_offsets, "text"))


def in_fragments(docs: pl.DataFrame, spans: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Remove the spans of every stage's frame; those of `decontaminated` part a text into rows, numbered from 0."""
    whole = docs.with_columns(fragment=pl.lit(0, pl.UInt16))
    places = {stage: _placed(docs, [frame]) for stage, frame in spans.items()}
    cuts = pl.concat(
        [p.with_columns(parts=pl.lit(stage in _PARTING)) for stage, p in places.items()]
        or [_NO_CUTS]
    )
    if not cuts.height:
        return whole
    from curation_dagster import documents_kernel

    data, offsets, owner = words.buffers(docs["text"])
    columns = [*_columns(cuts), cuts["parts"].to_numpy()]
    kept, new_offsets, of = documents_kernel.split(data, offsets, *columns)
    del owner
    texts = words.texts_from(kept, new_offsets, "text")
    number = pl.int_range(pl.len(), dtype=pl.UInt16).over("row")
    return docs.select(pl.all().gather(of)).with_columns(texts).with_columns(fragment=number)


_NO_CUTS = pl.DataFrame(
    schema={"position": pl.UInt32, "start": pl.UInt32, "end": pl.UInt32, "parts": pl.Boolean}
)


def _placed(docs: pl.DataFrame, spans: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """List the cuts of these documents: position among them, start, end."""
    if not spans:
        return _NO_CUTS.drop("parts")
    cuts = pl.concat([s.explode("cuts").drop_nulls("cuts") for s in spans])
    at = docs.with_row_index("position").select("position", "row")
    return at.join(cuts, on="row").unnest("cuts").select("position", "start", "end")


def _columns(cuts: pl.DataFrame) -> list[NDArray[np.int64]]:
    return [cuts[c].to_numpy().astype(np.int64) for c in ("position", "start", "end")]


def _agree(docs: pl.DataFrame, stage: str) -> None:
    wrong = docs.filter(pl.col("doc_id").ne_missing(pl.col("expected")))
    if wrong.height:
        first = wrong.row(0, named=True)
        msg = (
            f"{stage}: row {first['row']} is {first['expected']}, but raw has {first['doc_id']} there; "
            f"{wrong.height} such rows"
        )
        raise IntegrityError(msg)
