"""The asset `annotated`: edits applied in order, and every cheap signal the recipe's judges need."""

import dagster as dg

from curation_dagster.annotate.stage import annotate_shard
from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe

DESCRIPTION = """Signals of every document with text (language, Gopher, personal data), measured
where the recipe's steps ask for them. Holds a document's text only where an edit changed it.
Drops nothing."""


def annotated(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `annotated` for a recipe."""

    @dg.asset(**stage.declare(recipe, "annotated", DESCRIPTION, kinds={"parquet", "polars"}))
    def _annotated(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "annotated", annotate_shard)
        return stage.finish(context, recipe, "annotated", receipts)

    return _annotated
