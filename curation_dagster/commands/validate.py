"""What of a recipe can only be seen with its files and shards at hand: checked before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation_dagster import plan
from curation_dagster.annotate import language
from curation_dagster.annotate.stage import signal_columns
from curation_dagster.decontaminate import cascade, registry
from curation_dagster.errors import RecipeError
from curation_dagster.ingest import tabular
from curation_dagster.ingest.page import require
from curation_dagster.ingest.read import format_of
from curation_dagster.lineage import STAGES
from curation_dagster.recipe_judges import Language
from curation_dagster.score.stage import scorers

if TYPE_CHECKING:
    from collections.abc import Collection

    from curation_dagster.lineage import Lineage, Stage
    from curation_dagster.recipe import Recipe, Source

_SHOWN = 8


def look_inside(recipe: Recipe, source: Source, path: str, url: str) -> list[str]:
    """Try the beginning of a source's first file; return what a user may want to know.

    Raises:
        RecipeError: when the format cannot be told, or no record has the text field.
    """
    kind = format_of(path, source)
    if kind not in {"jsonl", "parquet"}:
        return []
    entry = plan.Input(path, url, 0, "")
    with plan.open_unverified(entry, recipe.endpoint_url) as stream:
        frames = (
            tabular.json_lines(stream, path, source)
            if kind == "jsonl"
            else tabular.parquet(stream, path, source)
        )
        head = next(iter(frames), None)
    if head is None or not head.height:
        return [f"{path} is empty"]
    if not head["text"].count():
        msg = f"source {source.name!r}: no record at the beginning of {path} has the field {source.text_field!r}"
        raise RecipeError(msg)
    absent = [
        f
        for f, column in (("url_field", "url"), ("date_field", "crawled_at"))
        if not head[column].count()
    ]
    return [
        f"no {name} {getattr(source, name)!r} at the beginning of {path}; left empty"
        for name in absent
    ]


def validate(
    recipe: Recipe, lineage: Lineage | None = None, wanted: Collection[Stage] = STAGES
) -> None:
    """Refuse what a stage would stumble over.

    The steps that look for benchmark items take seconds to build, which tells whether they can be; so that is done
    only if a stage that is wanted would do it again.

    Raises:
        RecipeError: for an extractor that is not installed, a quality key nothing measures, a benchmark or a model of
            [[score.signals]] that cannot be read, a language that the model has no label for, or, where the planned
            shards are given, a classifier trained on shards that are not among them.
    """
    require(recipe.ingest.extractor)
    key, signals = recipe.dedup.quality_key, signal_columns(recipe.steps)
    if key is not None and key not in signals:
        msg = f"dedup.quality_key: no step of {recipe.name} measures {key!r}; measured are {list(signals)}"
        raise RecipeError(msg)
    scorers(recipe.score)
    for step in recipe.steps:
        if isinstance(step, Language):
            _know_languages(step)
    if lineage and (lost := [key for key in recipe.training_shards if key not in lineage.shards]):
        msg = f"score.classifier: no such shards: {lost}; planned are {list(lineage.shards)[:20]}"
        raise RecipeError(msg)
    registry.read_items(recipe.decontaminate.benchmarks)
    scans = any(stage.name == "scanned" for stage in wanted)
    keys = lineage.partitions("scanned") if lineage and scans else []
    if lineage is None or any(lineage.state("scanned", key) != "current" for key in keys):
        cascade.build(recipe.decontaminate)


def _know_languages(step: Language) -> None:
    """Refuse languages that the step's model never says: no document would pass."""
    path = step.model.path if step.model else language.default_model()
    labels = sorted(language.labels_of(path))
    if lost := [name for name in step.languages if name not in labels]:
        like = [x for x in labels if x[:2] == lost[0][:2]] or labels
        shown = ", ".join(like[:_SHOWN]) + " …" * (len(like) > _SHOWN)
        msg = f"language.languages: {path.name} has no label {lost[0]!r}; of its {len(labels)} labels: {shown}"
        raise RecipeError(msg)
