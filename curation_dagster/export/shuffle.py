"""The global keyed shuffle: a document copy goes where a hash of (doc_id, copy) sends it, and is ordered by it there.

Two passes. `spill` reads each input shard once and writes its copies grouped by (output shard,
bucket), a row group each; `collect` gathers one output shard bucket by bucket. A bucket is a range
of the hash, so buckets in order are the shard in order, and memory is one bucket, not one shard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow.parquet as pq

from curation_dagster import schema, table
from curation_dagster.chance import keyed
from curation_dagster.documents import documents
from curation_dagster.job import write_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from curation_dagster.job import Files, Job
    from curation_dagster.plan import Shard
    from curation_dagster.recipe import Export

BUCKET_TOKENS: Final = 30_000_000  # about 128 MB of text
_COLUMNS: Final = {"slot": pl.UInt32, "key": pl.UInt64, **schema.EXPORTED}
TABLES: Final = ("raw", "annotated", "deduped", "scored", "mixed", "decontaminated")


def buckets(config: Export) -> int:
    """How many buckets an output shard is gathered in."""
    return max(1, -(-config.shard_tokens // BUCKET_TOKENS))


def spill_shard(
    files: dict[str, Path], shard: Shard, outputs: dict[str, int], wanted: frozenset[str], config: Export,
    folder: Path,
) -> int:  # fmt: skip
    """Write the copies of one input shard that go to a wanted output; return how many.

    `outputs` is the number of output shards of each phase, `wanted` are output partition keys.
    """
    slots = {name: i for i, name in enumerate(sorted(wanted))}
    written = 0
    if not slots:
        return written
    for number, docs in enumerate(_copies(files, shard)):
        parts = [
            _placed(docs.filter(pl.col("phase") == phase), phase, count, slots, config)
            for phase, count in outputs.items()
            if count
        ]
        placed = pl.concat(parts).sort("slot", "key", "doc_id", "copy") if parts else pl.DataFrame()
        if placed.height:
            with table.TableWriter(
                folder / f"{shard.key}.{number:06d}.parquet", _COLUMNS
            ) as writer:
                for group in placed.partition_by("slot", maintain_order=True):
                    writer.write(group)
            written += placed.height
    return written


def collect(job: Job, files: Files, folder: Path, wanted: frozenset[str]) -> dict[str, Any]:
    """Gather one output shard from what was spilled, in hash order."""
    per_output = buckets(job.recipe.export)
    first = sorted(wanted).index(job.partition) * per_output
    spilled = sorted(folder.glob("*.parquet"))

    def frames() -> Iterator[pl.DataFrame]:
        for slot in range(first, first + per_output):
            groups = [frame for path in spilled for frame in _row_groups(path, slot)]
            if groups:
                gathered = pl.concat(groups).sort("key", "doc_id", "copy")
                yield gathered.select(list(schema.EXPORTED))

    return write_table(job, files, schema.EXPORTED, frames())


def address(docs: pl.DataFrame, phase: str, count: int, seed: int) -> tuple[pl.Series, pl.Series]:
    """Return the hash of every copy (doc_id, copy) and the output shard it goes to, of `count`."""
    ids = docs.select(pl.col("doc_id") + pl.lit("#") + pl.col("copy").cast(pl.String)).to_series()
    key = keyed(ids, f"export {seed} {phase}")
    return key, pl.Series(f"{phase}-" + (key % count).cast(pl.String).str.zfill(5))


def _copies(files: dict[str, Path], shard: Shard) -> Iterator[pl.DataFrame]:
    scored = table.RowReader(files["scored"], ["row", "quality", "token_count"])
    mixed = table.RowReader(files["mixed"], ["row", "copies"])
    for docs in documents(files, "decontaminated", ["url", "license", "crawled_at"]):
        last = int(docs["row"][-1])
        known = docs.join(_must(scored.up_to(last)), on="row", how="left", maintain_order="left")
        known = known.join(_must(mixed.up_to(last)), on="row", how="left", maintain_order="left")
        rows = known.explode("copies").drop_nulls("copies").unnest("copies")
        rows = rows.with_columns(copy=pl.int_ranges(0, pl.col("copies"), dtype=pl.UInt16)).explode(
            "copy"
        )
        yield rows.with_columns(
            source=pl.lit(shard.source),
            fragment=pl.lit(0, dtype=pl.UInt16),
            is_first=pl.col("row").is_first_distinct(),
            text_bytes=pl.col("text").str.len_bytes(),
        )


def _placed(
    docs: pl.DataFrame, phase: str, count: int, slots: dict[str, int], config: Export
) -> pl.DataFrame:
    key, output = address(docs, phase, count, config.seed)
    width = (1 << 64) // buckets(config) + 1
    placed = docs.with_columns(
        key=key,
        output=output,
        bucket=(key // pl.lit(width, dtype=pl.UInt64)).cast(pl.UInt32)
        if buckets(config) > 1
        else pl.lit(0, pl.UInt32),
    ).filter(pl.col("output").is_in(list(slots)))
    slot = pl.col("output").replace_strict(slots, return_dtype=pl.UInt32) * buckets(
        config
    ) + pl.col("bucket")
    return placed.with_columns(slot=slot.cast(pl.UInt32)).select(list(_COLUMNS))


def _row_groups(path: Path, slot: int) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            if file.metadata.row_group(group).column(0).statistics.min == slot:
                yield pl.DataFrame(pl.from_arrow(file.read_row_group(group)))


def _must(frame: pl.DataFrame | None) -> pl.DataFrame:
    return frame if frame is not None else pl.DataFrame(schema={"row": pl.UInt32})
