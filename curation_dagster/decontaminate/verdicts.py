"""What benchmark hits mean for the documents of the mix.

Not here: finding the hits; see `cascade`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from curation_dagster.errors import IntegrityError
from curation_dagster.recipe_decontaminate import drops
from curation_dagster.schema import SPANS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation_dagster.recipe_decontaminate import Benchmark


def decide(
    mixed_kept: pl.DataFrame, scanned: pl.DataFrame, benchmarks: Sequence[Benchmark]
) -> pl.DataFrame:
    """Reject documents with a hit on a benchmark to drop; one row per mixed document, in order.

    `scanned` has row, doc_id and `hits` (`found.as_lists`). benchmark, item and score are
    those of the hit that decided: of the dropping ones, or else of the flagged ones, the highest
    score, then the first by name.

    Raises:
        IntegrityError: if a document was not scanned, has another doc_id, or has a hit on an
        unknown benchmark.
    """
    hits = _hits_of(mixed_kept, scanned)
    known = {benchmark.name for benchmark in benchmarks}
    found = hits.select(pl.col("hits").list.explode(empty_as_null=False, keep_nulls=False))
    named = set(found.to_series().struct.field("benchmark").unique())
    if unknown := sorted(named - known):
        msg = f"decontaminated: hits on benchmarks the recipe has not: {unknown}; rerun scanned"
        raise IntegrityError(msg)
    deciding = (
        hits.select("row", "hits")
        .filter(pl.col("hits").list.len() > 0)
        .explode("hits")
        .unnest("hits")
        .with_columns(drops=drops(benchmarks))
        .sort(
            "row", "drops", "score", "benchmark", "item",
            descending=[False, True, True, False, False], maintain_order=True,
        )
        .unique("row", keep="first", maintain_order=True)
    )  # fmt: skip
    return (
        mixed_kept.select("row", "doc_id")
        .join(
            deciding.select(
                "row",
                pl.when("drops").then(pl.format("decontaminate.{}", "method")).alias("rejected_by"),
                "benchmark",
                "item",
                "score",
            ),
            on="row",
            how="left",
            maintain_order="left",
        )
        .with_columns(cuts=pl.lit([], dtype=SPANS))
    )


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
