"""The stage `annotated`: apply a recipe's edits in order and measure, for each judge, the text as it is at that point.

Drops nothing. The text is stored only where an edit changed it; thresholds are not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from curation_dagster import schema
from curation_dagster.annotate import bad_words, gopher, pii, url_list
from curation_dagster.annotate.language import SCHEMA as LANGUAGE_COLUMNS
from curation_dagster.annotate.language import default_model, language
from curation_dagster.annotate.mask import columns as masked_columns
from curation_dagster.annotate.mask import mask
from curation_dagster.annotate.normalize import normalize
from curation_dagster.documents import documents
from curation_dagster.job import write_table
from curation_dagster.recipe import (
    BadWords,
    GopherQuality,
    GopherRepetition,
    Language,
    Mask,
    Normalize,
    Pii,
    UrlList,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from curation_dagster.job import Files, Job
    from curation_dagster.recipe import Step
    from curation_dagster.schema import Columns

_QUALITY: Columns = {
    name: pl.UInt32 if name in gopher.COUNTS else pl.Float64
    for name in (*gopher.COUNTS, *gopher.QUALITY)
}
_REPETITION: Columns = dict.fromkeys(gopher.REPETITION, pl.Float64)


def signal_columns(steps: Sequence[Step]) -> Columns:
    """Name the signals a recipe's steps measure, with their types, in order."""
    found: Columns = {}
    for step in steps:
        match step:
            case Mask():
                found |= masked_columns(step.kinds)
            case Pii():
                found |= pii.SCHEMA
            case UrlList():
                found |= url_list.SCHEMA
            case BadWords():
                found |= bad_words.SCHEMA
            case Language():
                found |= LANGUAGE_COLUMNS
            case GopherQuality():
                found |= _QUALITY
            case GopherRepetition():
                found |= _REPETITION
    return found


def annotate(  # noqa: C901 - one case a step
    texts: pl.Series, steps: Sequence[Step], urls: pl.Series | None = None
) -> pl.DataFrame:
    """Return the signals of every text, and `text` as the edits leave it. A null text has null signals.

    `urls` are those of the documents, if they have any; only `url_list` reads them.
    """
    if urls is None:
        urls = pl.Series([None], dtype=pl.String).new_from_index(0, len(texts))
    signals: list[pl.DataFrame] = []
    for step in steps:
        match step:
            case Normalize():
                texts = normalize(texts)
            case Mask():
                masked = mask(texts, step.kinds)
                texts = masked["text"]
                signals.append(masked.drop("text"))
            case Pii():
                signals.append(pii.measure(texts))
            case UrlList(files=files):
                signals.append(url_list.measure(urls, tuple(file.path for file in files)))
            case BadWords():
                signals.append(bad_words.measure(texts, step))
            case Language(model=model):
                signals.append(language(texts, model.path if model else default_model()))
            case GopherQuality():
                signals.append(gopher.measure_quality(texts))
            case GopherRepetition():
                signals.append(gopher.measure_repetition(texts))
    measured = pl.concat(signals, how="horizontal") if signals else pl.DataFrame()
    return (
        measured.with_columns(texts.alias("text")) if signals else texts.rename("text").to_frame()
    )


def annotate_shard(job: Job, files: Files) -> dict[str, Any]:
    """Write `annotated` for one shard."""
    steps = job.recipe.steps
    columns = schema.VERDICT | signal_columns(steps) | {"text": pl.String}
    read = ["url"] if any(isinstance(step, UrlList) for step in steps) else []

    def frames() -> Iterator[pl.DataFrame]:
        for docs in documents({"raw": files.one("raw")}, "raw", read):
            found = annotate(docs["text"], steps, docs["url"] if read else None)
            changed = found["text"].ne_missing(docs["text"])
            yield (
                pl.concat([docs.select("row", "doc_id"), found], how="horizontal")
                .with_columns(
                    rejected_by=pl.lit(None, dtype=pl.String),
                    text_bytes=pl.col("text").str.len_bytes(),
                    text=pl.when(changed).then("text"),
                )
                .select(list(columns))
            )

    return write_table(job, files, columns, frames())
