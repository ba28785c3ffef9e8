"""The global keyed shuffle: a training document goes where a hash of (doc_id, copy, fragment) sends it, in its order.

What decontamination parts are fragments, training documents of their own; fragment 0 is hashed as an uncut document.

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
from curation_dagster.errors import IntegrityError
from curation_dagster.job import write_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from curation_dagster.job import Files, Job
    from curation_dagster.plan import Shard
    from curation_dagster.recipe import Export

BUCKET_TOKENS: Final = 30_000_000  # about 128 MB of text
_ORDER: Final = ("key", "doc_id", "copy", "fragment")
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
        placed = pl.concat(parts).sort("slot", *_ORDER) if parts else pl.DataFrame()
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
                gathered = pl.concat(groups).sort(*_ORDER)
                yield gathered.select(list(schema.EXPORTED))

    return write_table(job, files, schema.EXPORTED, frames())


def address(docs: pl.DataFrame, phase: str, count: int, seed: int) -> tuple[pl.Series, pl.Series]:
    """Return the hash of every row (doc_id, copy, fragment) and the output shard it goes to, of `count`."""
    later = pl.when(pl.col("fragment") > 0).then(pl.format("#{}", "fragment")).otherwise(pl.lit(""))
    ids = docs.select(pl.format("{}#{}{}", "doc_id", "copy", later)).to_series()
    key = keyed(ids, f"export {seed} {phase}")
    return key, pl.Series(f"{phase}-" + (key % count).cast(pl.String).str.zfill(5))


def _copies(files: dict[str, Path], shard: Shard) -> Iterator[pl.DataFrame]:
    scored = table.RowReader(files["scored"], ["row", "quality"])
    mixed = table.RowReader(files["mixed"], ["row", "copies"])
    decided = table.RowReader(files["decontaminated"], ["row", "token_count", "fragment_tokens"])
    columns = ["url", "license", "crawled_at"]
    for docs in documents(files, "decontaminated", columns, fragments=True):
        known, last = docs, int(docs["row"][-1])
        for reader in (scored, mixed, decided):
            known = known.join(
                _must(reader.up_to(last)), on="row", how="left", maintain_order="left"
            )
        known = _with_own_tokens(known)
        rows = known.explode("copies").drop_nulls("copies").unnest("copies")
        rows = rows.with_columns(copy=pl.int_ranges(0, pl.col("copies"), dtype=pl.UInt16)).explode(
            "copy"
        )
        yield rows.with_columns(
            source=pl.lit(shard.source),
            is_first=pl.col("row").is_first_distinct(),
            text_bytes=pl.col("text").str.len_bytes(),
        )


def _with_own_tokens(docs: pl.DataFrame) -> pl.DataFrame:
    """Give every fragment its own number of tokens.

    Raises:
        IntegrityError: when a text falls into another number of fragments than were counted.
    """
    parted = pl.col("fragment_tokens").list.len() > 0
    wrong = docs.filter(parted & (pl.col("fragment_tokens").list.len() != pl.len().over("row")))
    if wrong.height:
        doc_id, counted = wrong.select("doc_id", "fragment_tokens").row(0)
        msg = f"exported: {doc_id} falls into other fragments than the {len(counted)} counted; rerun decontaminated"
        raise IntegrityError(msg)
    own = pl.col("fragment_tokens").list.get(pl.col("fragment"), null_on_oob=True)
    return docs.with_columns(token_count=pl.when(parted).then(own).otherwise("token_count"))


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
