"""The asset `fingerprinted`: what deduplication compares: exact hash, signature, band keys."""

import dagster as dg

from curation_dagster.dedup.stage import fingerprint_shard
from curation_dagster.orchestration import stage
from curation_dagster.recipe import Recipe

DESCRIPTION = """For every document that passed the rules: a 128-bit hash of its terms, its
MinHash signature and one key for each LSH band, and what decides which of two duplicates is kept."""


def fingerprinted(recipe: Recipe) -> dg.AssetsDefinition:
    """Define `fingerprinted` for a recipe."""

    @dg.asset(**stage.declare(recipe, "fingerprinted", DESCRIPTION, kinds={"parquet", "numba"}))
    def _fingerprinted(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        receipts = stage.compute(context, recipe, "fingerprinted", fingerprint_shard)
        return stage.finish(context, recipe, "fingerprinted", receipts)

    return _fingerprinted
