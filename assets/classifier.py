"""The asset `classifier`: the quality classifier, trained on what the recipe names."""

import dagster as dg

from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe
from curation_dagster.score.stage import train_classifier

DESCRIPTION = """A fastText model that tells text the recipe calls good from text it calls
ordinary, with its held-out AUC and confusion. Trained on one thread with a seed: the same text
gives the same bytes."""


def classifier(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `classifier` for a recipe."""

    @dg.asset(**stage.declare(recipe, "classifier", DESCRIPTION, kinds={"fasttext"}))
    def _classifier(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "classifier", train_classifier)
        return stage.finish(context, recipe, "classifier", receipts)

    return _classifier
