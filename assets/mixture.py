"""The asset `mixture`: how many epochs of which source meet each phase's token budget."""

import dagster as dg

from curation_dagster.mix.stage import plan_mixture
from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe

DESCRIPTION = """Supply, target, epochs and shortfall of every phase and source, counted in
tokens, and into how many output shards each phase goes. Supply leaves out documents that
decontamination will drop."""


def mixture(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `mixture` for a recipe."""

    @dg.asset(**stage.declare(recipe, "mixture", DESCRIPTION, kinds={"parquet", "polars"}))
    def _mixture(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "mixture", plan_mixture)
        return stage.finish(context, recipe, "mixture", receipts)

    return _mixture
