"""The stages `classifier` and `scored`: train what the recipe names, then score and count every kept document."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from curation_dagster import makeup, schema, table, tokens
from curation_dagster.chance import keyed
from curation_dagster.documents import documents
from curation_dagster.errors import RecipeError
from curation_dagster.job import write_table
from curation_dagster.recipe import FastTextSignal, ImportanceSignal
from curation_dagster.score import classifier, importance, labelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from curation_dagster.job import Files, Job
    from curation_dagster.recipe import Classifier, Score, TrainingText

    Scorers = Mapping[str, Callable[[pl.Series], pl.Series]]


def columns(config: Score) -> schema.Columns:
    """Name the columns of `scored`: the model signals of the recipe come last."""
    return schema.SCORED | {signal.name: pl.Float64() for signal in config.signals}


def scorers(config: Score) -> Scorers:
    """Load the models that `[[score.signals]]` names.

    Raises:
        RecipeError: when a file is no such model.
    """
    found: dict[str, Callable[[pl.Series], pl.Series]] = {}
    for signal in config.signals:
        match signal:
            case FastTextSignal(model=file, ordinary=label):
                model = labelled.load(file.path, label)
                found[signal.name] = partial(labelled.score, model=model, ordinary=label)
            case ImportanceSignal(model=file, length_corrected=corrected):
                found[signal.name] = partial(
                    importance.score, model=importance.load(file.path), length_corrected=corrected
                )
    return found


def score(
    texts: pl.Series, config: Score, model: Any, tokenizer: Any, others: Scorers | None = None  # noqa: ANN401
) -> pl.DataFrame:  # fmt: skip
    """Measure quality (null without a model), token counts, and what `others` score of texts."""
    quality = pl.Series("quality", [None] * texts.len(), dtype=pl.Float32)
    if model is not None and config.classifier is not None:
        lines = classifier.one_line(texts, config.classifier.max_doc_chars)
        quality = classifier.prob_good(lines, model)
    found = {name: scorer(texts) for name, scorer in (others or {}).items()}
    return pl.DataFrame({"token_count": tokens.count(texts, tokenizer), "quality": quality} | found)


def score_shard(job: Job, files: Files) -> dict[str, Any]:
    """Write `scored` for one shard; its footer has the sum of each score."""
    config = job.recipe.score
    model = classifier.load(files.one("classifier")) if "classifier" in files.parents else None
    tokenizer, others = tokens.tokenizer(config.tokenizer), scorers(config)

    sums: dict[str, dict[str, int]] = {}

    def frames() -> Iterator[pl.DataFrame]:
        for docs in documents(files.singles, "deduped"):
            found = score(docs["text"], config, model, tokenizer, others)
            for name in ("quality", *others):
                makeup.total(sums, found[name])
            yield docs.select(
                "row",
                "doc_id",
                rejected_by=pl.lit(None, dtype=pl.String),
                text_bytes=pl.col("text").str.len_bytes(),
            ).hstack(found)

    return write_table(job, files, columns(config), frames(), scores=sums)


def train_classifier(job: Job, files: Files) -> dict[str, Any]:
    """Train the quality classifier on the shards and files the recipe names.

    Raises:
        RecipeError: when a named shard is not planned, or a class is too small.
    """
    config = job.recipe.score.classifier
    if config is None:
        msg = "no [score.classifier] in the recipe"
        raise RecipeError(msg)
    text = {name: _text(getattr(config, name), job, files, config) for name in ("good", "ordinary")}
    model, metrics = classifier.train(text["good"], text["ordinary"], config, files.draft.parent)
    model.replace(files.draft)
    beside = files.draft.with_name("metrics.json")
    summary = {"metrics": metrics.as_dict()}
    beside.write_text(json.dumps(summary, sort_keys=True), "utf-8")
    files.extra["metrics"] = beside
    return summary


def _text(named: TrainingText, job: Job, files: Files, config: Classifier) -> pl.DataFrame:
    parts = [_of_shard(shard, job, files, config) for shard in named.shards]
    for file in named.files:
        texts = _of_file(file.path)
        parts.append(pl.DataFrame({"key": texts.str.slice(0, 200), "text": texts}))
    found = pl.concat(parts)
    order = keyed(found["key"], f"sample {config.seed}")
    return (
        found.with_columns(order=order)
        .sort("order", "key", "text")
        .head(named.max_docs)
        .drop("order")
    )


def _of_shard(shard: str, job: Job, files: Files, config: Classifier) -> pl.DataFrame:
    refs = job.parents["raw"]
    index = next(i for i, ref in enumerate(refs) if ref.partition == shard)
    local = {stage: files.parents[stage][index] for stage in ("raw", "annotated", "deduped")}
    batches = [
        docs.select(key="doc_id", text=pl.col("text").str.slice(0, config.max_doc_chars))
        for docs in documents(local, "deduped")
    ]
    return (
        pl.concat(batches)
        if batches
        else pl.DataFrame(schema={"key": pl.String, "text": pl.String})
    )


def _of_file(path: Path) -> pl.Series:
    frame = table.read(path, ["text"]) if path.suffix == ".parquet" else pl.read_ndjson(path)
    if "text" not in frame.columns:
        msg = f"score.classifier: {path}: no column 'text'; found {frame.columns}"
        raise RecipeError(msg)
    return frame["text"].cast(pl.String).drop_nulls()
