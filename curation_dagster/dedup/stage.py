"""The stages `fingerprinted`, `duplicates` and `deduped`: keys per shard, clusters over all, verdicts per shard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from curation_dagster import schema, table
from curation_dagster.dedup.cluster import clusters
from curation_dagster.dedup.minhash import band_name, fingerprint, parameters, scheme
from curation_dagster.dedup.parts import Corpus, Part
from curation_dagster.dedup.pieces import piece_columns, pieces
from curation_dagster.dedup.scratch import Scratch
from curation_dagster.dedup.urls import url_hash
from curation_dagster.dedup.verdicts import deduped
from curation_dagster.digest import frame_digest
from curation_dagster.documents import documents
from curation_dagster.errors import IntegrityError, SchemaError
from curation_dagster.job import write_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from curation_dagster.job import Files, Job
    from curation_dagster.recipe import Dedup
    from curation_dagster.schema import Columns


def fingerprint_columns(config: Dedup) -> Columns:
    """Name the columns of `fingerprinted`; bands, signature and shingles depend on the recipe."""
    bands = parameters(config).bands if config.near else 0
    lists = ["signature", *(["shingles"] if config.verify == "jaccard" else [])]
    return {
        **schema.VERDICT,
        "exact_hash": pl.Binary,
        "quality": pl.Float64,
        "date": schema.TIME,
        "url_hash": pl.UInt64,
        "term_count": pl.UInt32,
        **{band_name(i): pl.UInt64 for i in range(bands)},
        **{name: pl.List(pl.UInt32) for name in lists if config.near},
        **piece_columns(config),
    }


def fingerprints(docs: pl.DataFrame, config: Dedup) -> pl.DataFrame:
    """Make rows of `fingerprinted` of row, doc_id, text, url, crawled_at and the quality key."""
    quality = pl.col(config.quality_key) if config.quality_key else pl.lit(None)
    return (
        docs.select(
            "row",
            "doc_id",
            rejected_by=pl.lit(None, dtype=pl.String),
            text_bytes=pl.col("text").str.len_bytes(),
            quality=quality.cast(pl.Float64),
            date="crawled_at",
            url_hash=url_hash(docs["url"]),
        )
        .hstack(fingerprint(docs["text"], config))
        .hstack(pieces(docs["text"], config))
        .select(list(fingerprint_columns(config)))
    )


def fingerprint_shard(job: Job, files: Files) -> dict[str, Any]:
    """Write `fingerprinted` for one shard; its footer names the scheme of the signatures.

    Raises:
        SchemaError: when the quality key is no signal of this recipe.
    """
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
            yield fingerprints(
                docs.join(known, on="row", how="left", maintain_order="left"), config
            )

    return write_table(job, files, columns, frames(), scheme=scheme(config))


def find_duplicates(job: Job, files: Files) -> dict[str, Any]:
    """Write `duplicates` over every shard; its footer holds a digest of each shard's slice, and the report.

    Memory: the recipe's `dedup.memory_gb`; what exceeds it lies beside the draft, on disk.

    Raises:
        IntegrityError: when a shard's signatures are of another scheme than the recipe's.
    """
    config = job.recipe.dedup
    for shard, path in zip(job.shards, files.parents["fingerprinted"], strict=True):
        _refuse_other_scheme(path, shard.key, config)
    corpus = Corpus(
        [
            Part.of_file(path, shard.key, shard.source, shard.generation)
            for shard, path in zip(job.shards, files.parents["fingerprinted"], strict=True)
        ]
    )
    with Scratch.beside(files.draft.parent, config.memory_gb) as scratch:
        found = clusters(corpus, config, scratch)
        slices: dict[str, str] = {}
        removed: dict[str, list[int]] = {}
        overlap: dict[str, dict[str, int]] = {}
        copied: dict[str, int] = {}

        def frames() -> Iterator[pl.DataFrame]:
            for part, rows in found.frames():
                _count(corpus, part, rows, removed, overlap)
                copies = rows.height - rows["copy_rule"].null_count()
                copied[part.source] = copied.get(part.source, 0) + copies
                if rows.height:
                    members = rows.select(list(schema.DUPLICATES))
                    slices[part.shard] = frame_digest(members)
                    yield members

        return write_table(
            job, files, schema.DUPLICATES, frames(),
            slices=slices, cluster_sizes=found.histogram(), removed=removed, overlap=overlap,
            copied=copied, sampled=found.sampled,
        )  # fmt: skip


def _refuse_other_scheme(path: Path, shard: str, config: Dedup) -> None:
    found, wanted = table.footer(path, shard).get("scheme"), scheme(config)
    if wanted is not None and found != wanted:
        msg = (
            f"duplicates: the signatures of {shard} are of scheme {found}, {wanted} expected; "
            "they do not compare; rerun fingerprinted"
        )
        raise IntegrityError(msg)


def _count(
    corpus: Corpus,
    part: Part,
    rows: pl.DataFrame,
    removed: dict[str, list[int]],
    overlap: dict[str, dict[str, int]],
) -> None:
    """Add a part's documents to its source's [documents, removed], and whose copies they are to `overlap`."""
    gone = rows.filter(~pl.col("keep"))["kept_in"]
    told = removed.setdefault(part.source, [0, 0])
    told[0] += part.height
    told[1] += len(gone)
    row = overlap.setdefault(part.source, {})
    for number, count in gone.value_counts(sort=True).iter_rows():
        source = corpus.parts[number].source
        row[source] = row.get(source, 0) + count


def dedup_shard(job: Job, files: Files) -> dict[str, Any]:
    """Write `deduped` for one shard: its slices of `duplicates` and `repeats` joined to its kept documents."""

    def mine(stage: str) -> pl.DataFrame:
        everywhere = pl.scan_parquet(files.one(stage))
        return everywhere.filter(pl.col("shard") == job.partition).collect()

    kept = table.read(files.one("cleaned"), ["row", "doc_id", "rejected_by", "text_bytes"])
    kept = kept.filter(pl.col("rejected_by").is_null()).drop("rejected_by")
    repeats = mine("repeats") if "repeats" in files.parents else None
    config = job.recipe.dedup
    verdicts = deduped(
        kept, mine("duplicates"), repeats, config.min_left_terms, remove=config.remove
    )
    span = pl.element().struct
    sizes = pl.col("cuts").list.eval(span.field("end") - span.field("start")).list.sum()
    verdicts = verdicts.with_columns(text_bytes=pl.lit(kept["text_bytes"]) - sizes)
    return write_table(job, files, schema.DEDUPED, [verdicts.select(list(schema.DEDUPED))])


def _quality_column(config: Dedup, annotated: Path) -> list[str]:
    if config.quality_key is None:
        return []
    import pyarrow.parquet as pq

    names = pq.read_schema(annotated).names
    if config.quality_key not in names:
        raise SchemaError.missing("dedup.quality_key", {config.quality_key}, names)
    return [config.quality_key]
