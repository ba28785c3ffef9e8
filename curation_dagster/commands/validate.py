"""What of a recipe can only be seen with its files and shards at hand: checked before any work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from curation_dagster.annotate.stage import signal_columns
from curation_dagster.decontaminate.index import Index, build_index
from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Collection

    from curation_dagster.recipe import Recipe


def validate(recipe: Recipe, shards: Collection[str] | None = None) -> Index:
    """Refuse what a stage would stumble over; return the index of the benchmarks.

    Raises:
        RecipeError: for a quality key nothing measures, a benchmark that cannot be read, or, where the planned
            shards are given, a classifier trained on shards that are not among them.
    """
    key, signals = recipe.dedup.quality_key, signal_columns(recipe.steps)
    if key is not None and key not in signals:
        msg = f"dedup.quality_key: no step of {recipe.name} measures {key!r}; measured are {list(signals)}"
        raise RecipeError(msg)
    trained = recipe.score.classifier
    named = {*trained.good.shards, *trained.ordinary.shards} if trained else set()
    if shards is not None and (lost := sorted(named - set(shards))):
        msg = f"score.classifier: no such shards: {lost}; planned are {list(shards)[:20]}"
        raise RecipeError(msg)
    return build_index(recipe.decontaminate.benchmarks, Path(), recipe.decontaminate.ngram_terms)
