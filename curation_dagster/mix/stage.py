"""The stages `mixture` and `mixed`: plan over the whole corpus, then give every document its copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from curation_dagster import schema, table
from curation_dagster.digest import frame_digest
from curation_dagster.errors import IntegrityError
from curation_dagster.job import write_table
from curation_dagster.mix import plan, weights
from curation_dagster.recipe_decontaminate import drops

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from curation_dagster.job import Files, Job
    from curation_dagster.recipe import Mix
    from curation_dagster.recipe_decontaminate import Benchmark


def plan_mixture(job: Job, files: Files) -> dict[str, Any]:
    """Write `mixture`; its footer holds the output shards of each phase and a digest of each domain's rows."""
    benchmarks = job.recipe.decontaminate.benchmarks
    floors = _floors(job.recipe.mix)
    parts = []
    of_each = ("scored", "scanned", "trimmed", "deduped")
    tables = [files.parents.get(stage, [None] * len(job.shards)) for stage in of_each]
    for shard, scored, scanned, trimmed, deduped in zip(job.shards, *tables, strict=True):
        docs = table.read(scored, ["row", "doc_id", "token_count", "quality", *floors])
        docs = _without_hits(docs, table.read(scanned, ["row", "hits"]), benchmarks)
        if trimmed is not None:
            docs = _cut(docs, table.read(trimmed, ["row", "rejected_by", "token_count"]))
        if deduped is not None:
            docs = _rehydrated(docs, table.read(deduped, ["row", "cluster_size"]), job.recipe.mix)
        usable = docs.select("doc_id", "token_count", "quality", *floors)
        parts.append(usable.with_columns(domain=pl.lit(shard.source)))
    mixture = plan.mixture(pl.concat(parts), job.recipe.mix, job.recipe.export.shard_tokens)
    outputs = dict(
        mixture.group_by("phase", maintain_order=True).agg(pl.first("output_shards")).iter_rows()
    )
    slices = {
        domain: frame_digest(mixture.filter(pl.col("domain") == domain))
        for domain in mixture["domain"].unique(maintain_order=True)
    }
    return write_table(job, files, schema.MIXTURE, [mixture], output_shards=outputs, slices=slices)


def mix_shard(job: Job, files: Files) -> dict[str, Any]:
    """Write `mixed` for one shard.

    Rejected are documents below a floor of every phase (`mix.quality`), those an epoch leaves out for the size of their
    cluster (`mix.cluster_weight`), and the others without a copy (`mix.not_sampled`).
    """
    mine = table.read(files.one("mixture")).filter(pl.col("domain") == job.shard.source)
    mix = job.recipe.mix
    least = {phase.name: phase.min_scores for phase in mix.phases}
    reached = [
        plan.reaches(row["min_quality"], least.get(row["phase"], {}))
        for row in mine.iter_rows(named=True)
    ]
    low = ~pl.any_horizontal(reached) if reached else pl.lit(value=False)
    sizes = None
    if mix.cluster_weights is not None:
        sizes = table.RowReader(files.one("deduped"), ["row", "cluster_size"])

    def frames() -> Iterator[pl.DataFrame]:
        wanted = ["row", "doc_id", "rejected_by", "text_bytes", "token_count", "quality"]
        for docs in table.batches(files.one("scored"), [*wanted, *_floors(mix)]):
            kept = docs.filter(pl.col("rejected_by").is_null())
            if sizes and kept.height:
                known = sizes.up_to(int(kept["row"][-1]))
                kept = _multiplied(kept, known, mix)
            kept = kept.with_columns(plan.copies(kept, mine, mix.seed, least))
            reason = (
                pl.when(pl.col("copies").list.len() > 0)
                .then(pl.lit(None, dtype=pl.String))
                .when(low)
                .then(pl.lit("mix.quality"))
                .when(
                    pl.col("multiplicity") == 0
                    if "multiplicity" in kept.columns
                    else pl.lit(value=False)
                )
                .then(pl.lit("mix.cluster_weight"))
                .otherwise(pl.lit("mix.not_sampled"))
            )
            yield kept.with_columns(rejected_by=reason).select(list(schema.MIXED))

    return write_table(job, files, schema.MIXED, frames())


def _without_hits(
    docs: pl.DataFrame, scanned: pl.DataFrame, benchmarks: Sequence[Benchmark]
) -> pl.DataFrame:
    """Leave out documents that a hit will drop."""
    hits = scanned.explode("hits").drop_nulls("hits").unnest("hits").filter(drops(benchmarks))
    dropped = hits.select("row").unique(maintain_order=True)
    return docs.join(dropped, on="row", how="anti", maintain_order="left")


def _cut(docs: pl.DataFrame, trimmed: pl.DataFrame) -> pl.DataFrame:
    """Give documents that hits cut the tokens of what will be left; leave out those of which nothing is."""
    left = trimmed.select("row", gone="rejected_by", left="token_count")
    known = docs.join(left, on="row", how="left", maintain_order="left")
    counted = known.filter(pl.col("gone").is_null())
    return counted.with_columns(token_count=pl.coalesce("left", "token_count")).drop("gone", "left")


def _rehydrated(docs: pl.DataFrame, sizes: pl.DataFrame, mix: Mix) -> pl.DataFrame:
    """Make documents what one epoch reads of them: those it reads, with the tokens of all their reads."""
    docs = _multiplied(docs, sizes, mix).filter(pl.col("multiplicity") > 0)
    tokens = pl.col("token_count").cast(pl.UInt64) * pl.col("multiplicity")
    return docs.with_columns(token_count=tokens).drop("multiplicity")


def _multiplied(docs: pl.DataFrame, sizes: pl.DataFrame | None, mix: Mix) -> pl.DataFrame:
    """Say how often an epoch reads each document.

    Raises:
        IntegrityError: for a document whose cluster size `deduped` does not know.
    """
    known = (
        sizes
        if sizes is not None
        else pl.DataFrame(schema={"row": pl.UInt32, "cluster_size": pl.UInt32})
    )
    found = docs.select("row").join(known, on="row", how="left", maintain_order="left")
    if found["cluster_size"].null_count():
        row = found.filter(pl.col("cluster_size").is_null())["row"][0]
        msg = f"mix: `deduped` has no row {row}, `scored` has; rerun scored"
        raise IntegrityError(msg)
    return docs.with_columns(weights.multiplicity(docs["doc_id"], found["cluster_size"], mix))


def _floors(mix: Mix) -> list[str]:
    """Name the model signals that a phase has a floor on."""
    return sorted({name for phase in mix.phases for name in phase.min_scores})
