"""The asset `deduped`: the verdict on duplicates, per shard."""

import dagster as dg

from curation_dagster.dedup.stage import dedup_shard
from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe

DESCRIPTION = """Each shard's documents joined to its slice of `duplicates`. A shard whose slice
did not change is reused when a crawl is added."""


def deduped(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `deduped` for a recipe."""

    @dg.asset(**stage.declare(recipe, "deduped", DESCRIPTION, kinds={"parquet", "polars"}))
    def _deduped(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "deduped", dedup_shard)
        return stage.finish(context, recipe, "deduped", receipts)

    return _deduped
