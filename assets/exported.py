"""The asset `exported`: the training shards, by a global keyed shuffle."""

import functools

import dagster as dg

from curation_dagster.export.shuffle import collect
from curation_dagster.orchestration import stage
from curation_dagster.orchestration.shuffle import spilled
from curation_dagster.recipe import Recipe

DESCRIPTION = """Training shards: every copy of every kept document, where a hash of its id sends
it and in that order. One row a training document with its text, source, licence, quality and
token count."""


def exported(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `exported` for a recipe."""

    @dg.asset(**stage.declare(recipe, "exported", DESCRIPTION, kinds={"parquet"}))
    def _exported(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        with spilled(context, recipe) as (folder, wanted):
            gather = functools.partial(collect, folder=folder, wanted=wanted)
            receipts = stage.compute(context, recipe, "exported", gather)
        return stage.finish(context, recipe, "exported", receipts)

    return _exported
