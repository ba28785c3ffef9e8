"""The asset `scanned`: where benchmark items occur in the documents."""

import dagster as dg

from curation_dagster.decontaminate.stage import scan_shard
from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe

DESCRIPTION = """Every hit of a benchmark item in a document: benchmark, item, method, score and
byte span. Does not depend on the mix, so the decision on a hit can be retaken without scanning
again."""


def scanned(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `scanned` for a recipe."""

    @dg.asset(**stage.declare(recipe, "scanned", DESCRIPTION, kinds={"parquet", "numba"}))
    def _scanned(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "scanned", scan_shard)
        return stage.finish(context, recipe, "scanned", receipts)

    return _scanned
