"""The asset `raw`: every record of a shard's input files as a row, with the text of those that have any."""

import dagster as dg

from curation_dagster.ingest.read import ingest_shard
from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe

DESCRIPTION = """One row for every record of the shard's input files: url, date, licence, title
and the extracted text, or the reason why a record has none. Nothing is dropped: a rejected record
keeps its row."""


def raw(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `raw` for a recipe."""

    @dg.asset(**stage.declare(recipe, "raw", DESCRIPTION, kinds={"parquet", "html"}))
    def _raw(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "raw", ingest_shard)
        return stage.finish(context, recipe, "raw", receipts)

    return _raw
