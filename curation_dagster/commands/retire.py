"""`curate retire`: take a source out of every corpus over a root, or bring it back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from curation_dagster import plan, retired
from curation_dagster.commands import person
from curation_dagster.counted import counted
from curation_dagster.errors import RecipeError
from curation_dagster.store import Store

if TYPE_CHECKING:
    from curation_dagster.recipe import Recipe


def retire(recipe: Recipe, source: str, because: str, by: str | None) -> None:
    """Take a source out, and say what that changes.

    Raises:
        RecipeError: the recipe has no such source, trains a classifier on its shards, or has no other; or it is out.
    """
    store = Store.of(recipe)
    out = retired.of(store)
    _know(recipe, source)
    if source in out:
        raise RecipeError(f"{out[source].told}; --undo brings it back")
    if not {*recipe.source_names} - {*out, source}:
        raise RecipeError(f"{source} is the only source {recipe.name} has left")
    if lost := [key for key in recipe.training_shards if key.rpartition("-")[0] == source]:
        raise RecipeError(f"score.classifier: is trained on {', '.join(lost)}; name other shards")
    shards = [shard for shard in plan.shards(recipe, store) if shard.source == source]
    at = datetime.now(UTC).isoformat(timespec="seconds")
    retired.retire(store, retired.Retirement(source, because, person.who(by), at))
    click.echo(
        f"{source}: {counted(len(shards), 'shard')} out of every corpus over {recipe.root}. The next run makes anew "
        f"what all shards are read for; files of the source stay until `curate gc {recipe.name}`, published "
        "releases as they are."
    )


def restore(recipe: Recipe, source: str) -> None:
    """Bring a source back.

    Raises:
        RecipeError: the recipe has no such source, or it is not retired.
    """
    store = Store.of(recipe)
    _know(recipe, source)
    if source not in retired.of(store):
        raise RecipeError(f"{source} is not retired")
    retired.restore(store, source)
    click.echo(f"{source} is back; what is still there of its files is current again")


def tell(recipe: Recipe) -> None:
    """List what is retired."""
    out = retired.of(Store.of(recipe))
    for retirement in out.values():
        click.echo(retirement.told)
    if not out:
        click.echo(f"nothing is retired; sources are {', '.join(recipe.source_names)}")


def _know(recipe: Recipe, source: str) -> None:
    if source not in recipe.source_names:
        raise RecipeError(f"no such source: {source}; there are {list(recipe.source_names)}")
