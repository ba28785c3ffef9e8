"""The asset `scored`: quality and token counts of every document that is left."""

import dagster as dg

from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe
from curation_dagster.score.stage import score_shard

DESCRIPTION = (
    """P(good) by the classifier, and the exact number of tokens of the text as it will ship."""
)


def scored(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `scored` for a recipe."""

    @dg.asset(**stage.declare(recipe, "scored", DESCRIPTION, kinds={"parquet", "fasttext"}))
    def _scored(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "scored", score_shard)
        return stage.finish(context, recipe, "scored", receipts)

    return _scored
