"""`curate apply dedup`: a Parquet file as a corpus of its own: keys to disk, clusters, cuts, then the verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation_dagster import schema, table
from curation_dagster.dedup.cluster import clusters
from curation_dagster.dedup.parts import Corpus, Part
from curation_dagster.dedup.repeats import repeats
from curation_dagster.dedup.repeats_stage import mark_removed
from curation_dagster.dedup.scratch import Scratch
from curation_dagster.dedup.stage import fingerprint_columns, fingerprints
from curation_dagster.dedup.verdicts import deduped
from curation_dagster.errors import SchemaError
from curation_dagster.ingest.tabular import date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from curation_dagster.recipe import Dedup


def verdicts(
    documents: Callable[[], Iterator[pl.DataFrame]], config: Dedup, folder: Path
) -> pl.DataFrame:
    """Judge documents by doc_id and text, and url, crawled_at and the quality key where there are such columns.

    Those whose `rejected_by` is not null are neither compared nor in the result: a row for each of the others, in
    their order, by `row`, its number among all. `folder` is where files go that hold what does not fit into memory.

    Raises:
        SchemaError: a doc_id comes twice, or there is no column of the quality key.
    """
    with Scratch.beside(folder, config.memory_gb) as scratch:
        path = scratch.path()
        _write_keys(documents(), config, path)
        corpus = Corpus([Part.of_file(path, "file", "file", 0)])
        ids = table.read(path, ["row", "doc_id"])
        if (twice := ids.filter(pl.col("doc_id").is_duplicated())).height:
            first = twice["doc_id"][0]
            msg = f"apply dedup: {twice.height} documents share a doc_id with another one; {first!r} is the first"
            raise SchemaError(msg)
        members = pl.concat([rows for _, rows in clusters(corpus, config, scratch).frames()])
        spans = pl.DataFrame(schema=schema.REPEATS)
        if config.cuts:
            gone = scratch.array(corpus.height, np.bool_)
            mark_removed(corpus, [members], gone, remove=config.remove)
            found = repeats(corpus, gone, config, scratch)
            spans = pl.concat([spans, *(rows for _, rows in found.frames())])
    return deduped(ids, members, spans, config.min_left_terms, remove=config.remove)


def _write_keys(documents: Iterator[pl.DataFrame], config: Dedup, path: Path) -> None:
    rows = 0
    with table.TableWriter(path, fingerprint_columns(config)) as writer:
        for docs in documents:
            numbered = docs.with_columns(row=pl.int_range(rows, rows + pl.len(), dtype=pl.UInt32))
            rows += docs.height
            compared = numbered.filter(pl.col("rejected_by").is_null())
            writer.write(fingerprints(_completed(compared, config), config))
        writer.finish({})


def _completed(docs: pl.DataFrame, config: Dedup) -> pl.DataFrame:
    """Add the columns of a stage's documents that a file may lack; dates may be text in it."""
    if config.quality_key and config.quality_key not in docs.columns:
        raise SchemaError.missing("dedup.quality_key", {config.quality_key}, docs.columns)
    absent = {"url", "crawled_at"} - set(docs.columns)
    docs = docs.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in sorted(absent))
    when = pl.col("crawled_at")
    when = date(when) if docs.schema["crawled_at"] == pl.String else when
    return docs.with_columns(when.cast(schema.TIME))
