"""What benchmark hits mean for the documents of the mix: a join, so that it can be decided again without a scan.

The recipe says for every benchmark, and for its passages apart, whether a hit drops the document, cuts the hit out of
it, or only flags it. Not here: finding the hits, see `cascade`; what a cut takes and leaves, see `trim`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from curation_dagster.errors import IntegrityError
from curation_dagster.recipe_decontaminate import doing
from curation_dagster.schema import TRIMMED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation_dagster.recipe_decontaminate import Benchmark

_DROPS, _CUTS, _FLAGS = 2, 1, 0  # the weightiest hit decides


def decide(
    mixed_kept: pl.DataFrame,
    scanned: pl.DataFrame,
    benchmarks: Sequence[Benchmark],
    trimmed: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Reject or cut documents by their hits; one row per mixed document, in order.

    `scanned` has row, doc_id and `hits` (`found.as_lists`), `trimmed` is `schema.TRIMMED` and needed where a hit cuts.
    benchmark, item and score are those of the hit that decided: one that drops before one that cuts before one that
    flags, then the highest score, then the first by name. A document that was cut has its cuts, and the bytes and
    tokens of what is left; elsewhere these are empty and null.

    Raises:
        IntegrityError: if a document was not scanned, has another doc_id, has a hit on an unknown benchmark, or one
            that cuts and was not trimmed.
    """
    hits = _hits_of(mixed_kept, scanned)
    known = {benchmark.name for benchmark in benchmarks}
    found = hits.select(pl.col("hits").list.explode(empty_as_null=False, keep_nulls=False))
    named = set(found.to_series().struct.field("benchmark").unique())
    if unknown := sorted(named - known):
        msg = f"decontaminated: hits on benchmarks the recipe has not: {unknown}; rerun scanned"
        raise IntegrityError(msg)
    drops, cuts = doing(benchmarks, "drop"), doing(benchmarks, "cut")
    deciding = (
        hits.select("row", "doc_id", "hits")
        .filter(pl.col("hits").list.len() > 0)
        .explode("hits")
        .unnest("hits")
        .with_columns(weight=pl.when(drops).then(_DROPS).when(cuts).then(_CUTS).otherwise(_FLAGS))
        .sort(
            "row", "weight", "score", "benchmark", "item",
            descending=[False, True, True, False, False], maintain_order=True,
        )
        .unique("row", keep="first", maintain_order=True)
    )  # fmt: skip
    dropped = pl.when(pl.col("weight") == _DROPS).then(pl.format("decontaminate.{}", "method"))
    wide = _with_cuts(deciding, trimmed).select(
        "row",
        pl.coalesce(dropped, "rejected_by").alias("rejected_by"),
        "benchmark",
        "item",
        "score",
        *_CUT_COLUMNS,
    )
    joined = mixed_kept.select("row", "doc_id").join(
        wide, on="row", how="left", maintain_order="left"
    )
    return joined.with_columns(pl.col("cuts", "fragment_tokens").fill_null([]))


_CUT_COLUMNS = ("text_bytes", "token_count", "cuts", "fragment_tokens")


def _with_cuts(deciding: pl.DataFrame, trimmed: pl.DataFrame | None) -> pl.DataFrame:
    """Join what `trimmed` says of the documents whose weightiest hit cuts."""
    cut = deciding.filter(pl.col("weight") == _CUTS).select("row", "doc_id")
    known = trimmed if trimmed is not None else pl.DataFrame(schema=TRIMMED)
    there = cut.join(known, on=["row", "doc_id"], how="left", maintain_order="left")
    untrimmed = cut.join(known, on=["row", "doc_id"], how="anti", maintain_order="left")
    if untrimmed.height:
        msg = (
            f"decontaminated: {untrimmed.height} documents have a hit that cuts and were not trimmed, the first is "
            f"{untrimmed['doc_id'][0]}; rerun trimmed"
        )
        raise IntegrityError(msg)
    return deciding.join(there.drop("doc_id"), on="row", how="left", maintain_order="left")


def _hits_of(mixed_kept: pl.DataFrame, scanned: pl.DataFrame) -> pl.DataFrame:
    """Give each document its hits."""
    if twice := scanned.filter(pl.col("row").is_duplicated()).height:
        msg = f"decontaminated: {twice} scanned rows share a row number; rerun scanned"
        raise IntegrityError(msg)
    joined = mixed_kept.select("row", "doc_id").join(
        scanned.select("row", "hits", found="doc_id"), on="row", how="left", maintain_order="left"
    )
    wrong = joined.filter(pl.col("doc_id").ne_missing(pl.col("found")))
    if wrong.height:
        row, doc_id, found = wrong.select("row", "doc_id", "found").row(0)
        msg = (
            f"decontaminated: {wrong.height} documents do not fit what was scanned; row {row} is "
            f"{found!r}, {doc_id!r} expected; rerun scanned"
        )
        raise IntegrityError(msg)
    return joined.drop("found")
