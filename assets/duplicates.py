"""The asset `duplicates`: clusters of exact and near duplicates over the whole corpus."""

import dagster as dg

from curation_dagster.dedup.stage import find_duplicates
from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe

DESCRIPTION = """Every document in a cluster of two or more, over all shards of all sources: who
is kept, whose duplicate the others are, how similar, by which rule. Reads keys and hashes, never
text."""


def duplicates(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `duplicates` for a recipe."""

    @dg.asset(**stage.declare(recipe, "duplicates", DESCRIPTION, kinds={"parquet", "numba"}))
    def _duplicates(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "duplicates", find_duplicates)
        return stage.finish(context, recipe, "duplicates", receipts)

    return _duplicates
