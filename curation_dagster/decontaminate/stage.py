"""The stages `scanned` and `decontaminated`: find benchmark items in every kept document, then decide by a join.

The scan is the expensive part and does not depend on the mix; the decision can be retaken without
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from curation_dagster import schema, table
from curation_dagster.decontaminate import cascade
from curation_dagster.decontaminate.account import Account
from curation_dagster.decontaminate.found import as_lists
from curation_dagster.decontaminate.offsets import uncut_span
from curation_dagster.decontaminate.probes import probe
from curation_dagster.decontaminate.verdicts import decide
from curation_dagster.documents import documents
from curation_dagster.job import write_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.job import Files, Job


def scan_shard(job: Job, files: Files) -> dict[str, Any]:
    """Write `scanned` for one shard: text without cuts is searched; spans are offsets into the text before any."""
    searched = cascade.build(job.recipe.decontaminate)
    cuts = table.RowReader(files.one("deduped"), ["row", "cuts"])
    account = Account()  # filled while the frames are written, and so in the footer

    def frames() -> Iterator[pl.DataFrame]:
        for docs in documents(files.singles, "deduped"):
            hits = as_lists(searched.find(docs["text"]), docs.height)
            account.add(hits)
            hits = _before_cuts(docs["row"], hits, cuts.up_to(int(docs["row"][-1])))
            yield docs.select(
                "row",
                "doc_id",
                rejected_by=pl.lit(None, dtype=pl.String),
                text_bytes=pl.col("text").str.len_bytes(),
                hits=hits,
            )

    config = job.recipe.decontaminate
    return write_table(
        job, files, schema.SCANNED, frames(), items=searched.ids.height,
        undetectable=searched.undetectable()[cascade.EVERY].height,
        undetectable_by_step=searched.undetectable_counts(), found=account.found, methods=account.methods,
        thresholds=cascade.thresholds(config), probes=probe(searched, config),
    )  # fmt: skip


def decide_shard(job: Job, files: Files) -> dict[str, Any]:
    """Write `decontaminated` for one shard; its footer says how many rows and tokens `exported` owes it."""
    mixed = table.read(files.one("mixed")).filter(pl.col("rejected_by").is_null())
    hits = table.read(files.one("scanned"), ["row", "doc_id", "hits"])
    trimmed = table.read(files.one("trimmed")) if "trimmed" in files.parents else None
    decided = decide(mixed, hits, job.recipe.decontaminate.benchmarks, trimmed)
    decided = decided.with_columns(
        text_bytes=pl.coalesce("text_bytes", mixed["text_bytes"]),
        token_count=pl.coalesce("token_count", mixed["token_count"]),
    ).select(list(schema.DECONTAMINATED))
    copies = mixed["copies"].list.eval(pl.element().struct.field("copies")).list.sum()
    kept = decided.with_columns(copies=copies.cast(pl.UInt64)).filter(
        pl.col("rejected_by").is_null()
    )
    fragments = pl.col("fragment_tokens").list.len().clip(lower_bound=1)
    owed = {
        "copies": pl.col("copies"),
        "exported_rows": pl.col("copies") * fragments,
        "exported_tokens": pl.col("copies") * pl.col("token_count"),
    }
    owed |= {
        "cut_documents": (pl.col("cuts").list.len() > 0).cast(pl.UInt64),
        "fragments": pl.col("fragment_tokens").list.len().cast(pl.UInt64),
    }
    sums = kept.select(**{name: each.sum() for name, each in owed.items()}).row(0, named=True)
    return write_table(job, files, schema.DECONTAMINATED, [decided], **sums)


def _before_cuts(rows: pl.Series, hits: pl.Series, cuts: pl.DataFrame | None) -> pl.Series:
    """Move the spans of hits to where they lie in the text before cuts."""
    found = pl.DataFrame({"row": rows, "hits": hits}).filter(pl.col("hits").list.len() > 0)
    if cuts is None or not found.height:
        return hits
    both = found.join(cuts.filter(pl.col("cuts").list.len() > 0), on="row", maintain_order="left")
    if not both.height:
        return hits
    moved = [
        [_moved(hit, [(cut["start"], cut["end"]) for cut in spans]) for hit in of_doc]
        for of_doc, spans in both.select("hits", "cuts").iter_rows()
    ]
    frame = both.select("row", moved=pl.Series(moved, dtype=hits.dtype))
    joined = rows.to_frame().join(frame, on="row", how="left", maintain_order="left")
    return joined.select(pl.coalesce("moved", hits.alias("hits")).alias("hits")).to_series()


def _moved(hit: dict[str, Any], cuts: list[tuple[int, int]]) -> dict[str, Any]:
    start, end = uncut_span((hit["start"], hit["end"]), cuts)
    return hit | {"start": start, "end": end}
