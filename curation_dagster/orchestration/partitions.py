"""Dagster's partitions: a copy of the plan. Shards and output shards are dynamic, one set a recipe."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from curation_dagster.lineage import ALL, BY_NAME, Lineage
from curation_dagster.recipe import Recipe


def definition(recipe: Recipe, kind: str) -> dg.DynamicPartitionsDefinition:
    """Return the shards of a recipe's sources (kind "shard"), or the output shards its mixture asks for ("output")."""
    return dg.DynamicPartitionsDefinition(name=f"{recipe.name}/{kind}s")


def known(instance: dg.DagsterInstance, recipe: Recipe, kind: str) -> list[str]:
    """List the partitions as Dagster orders them, by when it learned of them: its ranges follow that."""
    return list(instance.get_dynamic_partitions(definition(recipe, kind).name or ""))


@contextmanager
def remembered(instance: dg.DagsterInstance) -> Iterator[None]:
    """Read each set of partitions once meanwhile: Dagster reads all of them for every partition it is told about."""
    vars(instance)["get_dynamic_partitions"] = functools.cache(instance.get_dynamic_partitions)
    try:
        yield
    finally:
        del vars(instance)["get_dynamic_partitions"]


def sync(instance: dg.DagsterInstance, recipe: Recipe, lineage: Lineage) -> None:
    """Make the instance's partitions those of the plan and of the current mixture; new ones come last.

    While there is no current mixture, the output shards of the last one stay: runs may be about them.
    """
    wanted = {"shard": lineage.partitions("raw")}
    if lineage.current("mixture", ALL):
        wanted["output"] = lineage.partitions("exported")
    for kind, keys in wanted.items():
        name, before = definition(recipe, kind).name or "", set(known(instance, recipe, kind))
        for key in sorted(before - set(keys)):
            instance.delete_dynamic_partition(name, key)
        if new := [key for key in keys if key not in before]:
            instance.add_dynamic_partitions(name, new)


def keys_of(context: dg.AssetExecutionContext, stage: str) -> list[str]:
    """Return the partitions this step is asked for."""
    return [ALL] if BY_NAME[stage].partitions == "none" else list(context.partition_keys)
