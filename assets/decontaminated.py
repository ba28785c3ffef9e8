"""The asset `decontaminated`: the verdict on benchmark hits."""

import dagster as dg

from curation_dagster.decontaminate.stage import decide_shard
from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe

DESCRIPTION = """Mixed documents joined to their benchmark hits: a hit on a benchmark whose action
is `drop` rejects the document, one whose action is `cut` parts it into fragments, and one whose action
is `flag` is noted."""


def decontaminated(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `decontaminated` for a recipe."""

    @dg.asset(**stage.declare(recipe, "decontaminated", DESCRIPTION, kinds={"parquet", "polars"}))
    def _decontaminated(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "decontaminated", decide_shard)
        return stage.finish(context, recipe, "decontaminated", receipts)

    return _decontaminated
