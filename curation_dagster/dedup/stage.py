"""The stages `fingerprinted`, `duplicates` and `deduped`: keys per shard, clusters over all, verdicts per shard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curation_dagster import schema, table
from curation_dagster.dedup.cluster import clusters
from curation_dagster.dedup.minhash import band_name, fingerprint, parameters
from curation_dagster.dedup.verdicts import deduped
from curation_dagster.digest import frame_digest
from curation_dagster.documents import documents
from curation_dagster.errors import SchemaError
from curation_dagster.job import write_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from curation_dagster.job import Files, Job
    from curation_dagster.recipe import Dedup
    from curation_dagster.schema import Columns

_KEYS = ["row", "doc_id", "exact_hash", "quality", "date"]


def fingerprint_columns(config: Dedup) -> Columns:
    """Name the columns of `fingerprinted`; bands and signature depend on the recipe."""
    bands, _ = parameters(config)
    return {
        **schema.VERDICT,
        "exact_hash": pl.Binary,
        "quality": pl.Float64,
        "date": schema.TIME,
        "url_hash": pl.UInt64,
        "term_count": pl.UInt32,
        **{band_name(i): pl.UInt64 for i in range(bands)},
        "signature": pl.List(pl.UInt32),
    }


def fingerprint_shard(job: Job, files: Files) -> dict[str, Any]:
    """Write `fingerprinted` for one shard.

    Raises:
        SchemaError: when the quality key is no signal of this recipe.
    """
    from curation_dagster.chance import keyed

    config = job.recipe.dedup
    columns = fingerprint_columns(config)
    signals = table.RowReader(
        files.one("annotated"), ["row", *_quality_column(config, files.one("annotated"))]
    )

    def frames() -> Iterator[pl.DataFrame]:
        for docs in documents(files.singles, "cleaned", ["url", "crawled_at"]):
            known = signals.up_to(int(docs["row"][-1]))
            if known is None:
                return
            measured = docs.join(known, on="row", how="left", maintain_order="left")
            quality = pl.col(config.quality_key) if config.quality_key else pl.lit(None)
            url_hash = keyed(docs["url"], "url").set(docs["url"].is_null(), None)
            yield (
                measured.select(
                    "row",
                    "doc_id",
                    rejected_by=pl.lit(None, dtype=pl.String),
                    text_bytes=pl.col("text").str.len_bytes(),
                    quality=quality.cast(pl.Float64),
                    date="crawled_at",
                    url_hash=url_hash,
                )
                .hstack(fingerprint(docs["text"], config))
                .select(list(columns))
            )

    return write_table(job, files, columns, frames())


def find_duplicates(job: Job, files: Files) -> dict[str, Any]:
    """Write `duplicates` over every shard; its footer holds a digest of each shard's slice.

    Memory: about 100 bytes a document, one band's keys, and the signatures of candidates.
    """
    paths = files.parents["fingerprinted"]
    parts = [
        table.read(path, _KEYS).with_columns(
            shard=pl.lit(shard.key),
            source=pl.lit(shard.source),
            generation=pl.lit(shard.generation, pl.UInt32),
        )
        for shard, path in zip(job.shards, paths, strict=True)
    ]
    docs = pl.concat(parts)
    bands, height = parameters(job.recipe.dedup)
    width = bands * height

    def band(number: int) -> pl.Series:
        name = band_name(number)
        return pl.concat([table.read(path, [name]) for path in paths]).to_series()

    def signatures(rows: pl.Series) -> NDArray[np.uint32]:
        return _signatures(paths, [part.height for part in parts], rows, width)

    found = clusters(docs, band, signatures, job.recipe.dedup).select(list(schema.DUPLICATES))
    slices = {shard[0]: frame_digest(rows) for shard, rows in _by_shard(found)}
    sizes = dict(
        found.group_by("cluster", maintain_order=True)
        .len()["len"]
        .value_counts(sort=True)
        .iter_rows()
    )
    histogram = {str(size): count for size, count in sorted(sizes.items())}
    return write_table(
        job, files, schema.DUPLICATES, [found], slices=slices, cluster_sizes=histogram
    )


def dedup_shard(job: Job, files: Files) -> dict[str, Any]:
    """Write `deduped` for one shard: its slice of `duplicates` joined to its kept documents."""
    everywhere = pl.scan_parquet(files.one("duplicates"))
    mine = everywhere.filter(pl.col("shard") == job.partition).collect()
    kept = table.read(files.one("cleaned"), ["row", "doc_id", "rejected_by", "text_bytes"])
    kept = kept.filter(pl.col("rejected_by").is_null()).drop("rejected_by")
    verdicts = deduped(kept, mine).with_columns(kept["text_bytes"]).select(list(schema.DEDUPED))
    return write_table(job, files, schema.DEDUPED, [verdicts])


def _quality_column(config: Dedup, annotated: Path) -> list[str]:
    if config.quality_key is None:
        return []
    import pyarrow.parquet as pq

    names = pq.read_schema(annotated).names
    if config.quality_key not in names:
        raise SchemaError.missing("dedup.quality_key", {config.quality_key}, names)
    return [config.quality_key]


def _signatures(
    paths: list[Path], heights: list[int], rows: pl.Series, width: int
) -> NDArray[np.uint32]:
    """Load the signatures of ascending positions in the concatenation of all shards: n x width."""
    found = [np.empty((0, width), np.uint32)]
    wanted, start = rows.to_numpy(), 0
    for path, height in zip(paths, heights, strict=True):
        low, high = np.searchsorted(wanted, [start, start + height])
        here, first = wanted[low:high] - start, 0
        for batch in table.batches(path, ["signature"]) if len(here) else ():
            inside = here[(here >= first) & (here < first + batch.height)] - first
            lists = batch["signature"].gather(inside)
            found.append(lists.explode().to_numpy().reshape(len(inside), width))
            first += batch.height
        start += height
    return np.concatenate(found)


def _by_shard(found: pl.DataFrame) -> list[tuple[tuple[str], pl.DataFrame]]:
    if not found.height:
        return []
    return list(found.partition_by("shard", maintain_order=True, as_dict=True).items())  # type: ignore[arg-type]
