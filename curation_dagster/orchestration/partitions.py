"""Dagster's partitions: a copy of the plan. Shards and output shards are dynamic, one set a recipe."""

import dagster as dg

from curation_dagster.lineage import ALL, BY_NAME, Lineage
from curation_dagster.recipe import Recipe


def shards_def(recipe: Recipe) -> dg.DynamicPartitionsDefinition:
    """Return the shards of a recipe's sources."""
    return dg.DynamicPartitionsDefinition(name=f"{recipe.name}/shards")


def outputs_def(recipe: Recipe) -> dg.DynamicPartitionsDefinition:
    """Return the output shards the mixture asks for."""
    return dg.DynamicPartitionsDefinition(name=f"{recipe.name}/outputs")


def sync(instance: dg.DagsterInstance, recipe: Recipe, lineage: Lineage) -> None:
    """Make the instance's partitions those of the plan and of the current mixture; new ones come last.

    While there is no current mixture, the output shards of the last one stay: runs may be about them.
    """
    known_outputs = lineage.current("mixture", ALL) is not None
    for definition, wanted in (
        (shards_def(recipe), lineage.partitions("raw")),
        *([(outputs_def(recipe), lineage.partitions("exported"))] if known_outputs else []),
    ):
        known = instance.get_dynamic_partitions(definition.name or "")
        for key in sorted(set(known) - set(wanted)):
            instance.delete_dynamic_partition(definition.name or "", key)
        new = [key for key in wanted if key not in set(known)]
        if new:
            instance.add_dynamic_partitions(definition.name or "", new)


def keys_of(context: dg.AssetExecutionContext, stage: str) -> list[str]:
    """Return the partitions this step is asked for."""
    return [ALL] if BY_NAME[stage].partitions == "none" else list(context.partition_keys)
