"""The asset `mixed`: how often each document is used, per phase."""

import dagster as dg

from curation_dagster.mix.stage import mix_shard
from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe

DESCRIPTION = """Copies of every scored document in each phase. Whole epochs for all, one more for
those a hash of the document's id selects, until the budget is met."""


def mixed(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `mixed` for a recipe."""

    @dg.asset(**stage.declare(recipe, "mixed", DESCRIPTION, kinds={"parquet", "polars"}))
    def _mixed(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "mixed", mix_shard)
        return stage.finish(context, recipe, "mixed", receipts)

    return _mixed
