"""The asset `release`: the manifest of what ships, audited by an independent pass."""

import dagster as dg

from curation_dagster.export.release import make_release, publish
from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe
from curation_dagster.store import Store

DESCRIPTION = """Files with hashes, rows and tokens, the funnel, licences and a dataset card,
published under `releases/RECIPE/`. The audit looks for exact duplicates and benchmark n-grams
with code of its own; if it finds any, nothing is published."""


def release(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `release` for a recipe."""

    @dg.asset(**stage.declare(recipe, "release", DESCRIPTION, kinds={"json"}))
    def _release(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "release", make_release)
        store = Store.of(recipe)
        publish(store, receipts[0].summary, jsonl=recipe.export.jsonl)
        return stage.finish(context, recipe, "release", receipts)

    return _release
