"""The asset `trimmed`: what is left of documents that benchmark hits cut."""

import dagster as dg

from curation_dagster.decontaminate.trim import trim_shard
from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe

DESCRIPTION = """The spans that hits on benchmarks whose action is `cut` take out of documents, and
the tokens of the fragments that stay, so that the mixture counts what will be left. Reads the text
of shards with such hits only."""


def trimmed(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `trimmed` for a recipe."""

    @dg.asset(**stage.declare(recipe, "trimmed", DESCRIPTION, kinds={"parquet", "polars"}))
    def _trimmed(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "trimmed", trim_shard)
        return stage.finish(context, recipe, "trimmed", receipts)

    return _trimmed
