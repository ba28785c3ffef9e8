"""The asset `cleaned`: the recipe's rules over the signals."""

import dagster as dg

from curation_dagster.clean.stage import clean_shard
from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe

DESCRIPTION = """The verdict of the recipe's rules: the first rule a document fails, with the
signal and the value that decided. Reads numbers, no text: a changed threshold recomputes this
stage in seconds."""


def cleaned(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `cleaned` for a recipe."""

    @dg.asset(**stage.declare(recipe, "cleaned", DESCRIPTION, kinds={"parquet", "polars"}))
    def _cleaned(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "cleaned", clean_shard)
        return stage.finish(context, recipe, "cleaned", receipts)

    return _cleaned
