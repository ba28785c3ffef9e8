"""The stage `annotated`: apply a recipe's edits in order and measure, for each judge, the text as it is at that point.

Drops nothing. The text is stored only where an edit changed it; thresholds are not looked at.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import polars as pl

from curation_dagster import makeup, schema
from curation_dagster.annotate import bad_words, pii, url_list, url_words
from curation_dagster.annotate.families import EDITS, FAMILIES
from curation_dagster.annotate.family import measure, rewrite
from curation_dagster.annotate.language import columns as language_columns
from curation_dagster.annotate.language import default_model, language
from curation_dagster.annotate.mask import columns as masked_columns
from curation_dagster.annotate.mask import mask
from curation_dagster.annotate.normalize import normalize
from curation_dagster.documents import documents
from curation_dagster.job import write_table
from curation_dagster.recipe_edits import (
    C4Lines,
    DclmText,
    Mask,
    Normalize,
    RedStoneSentences,
    RefinedWebLines,
)
from curation_dagster.recipe_judges import BadWords, Language, Pii, UrlList, UrlWords

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from curation_dagster.annotate.family import Family
    from curation_dagster.job import Files, Job
    from curation_dagster.recipe_edits import PiiKind
    from curation_dagster.recipe_steps import Step
    from curation_dagster.schema import Columns


def signal_columns(steps: Sequence[Step]) -> Columns:
    """Name the signals a recipe's steps measure, with their types, in order."""
    found: Columns = {}
    for step in steps:
        match step:
            case Normalize():
                pass
            case Mask():
                found |= masked_columns(step.kinds)
            case Pii():
                found |= pii.SCHEMA
            case UrlList():
                found |= url_list.SCHEMA
            case UrlWords():
                found |= url_words.FAMILY.columns
            case BadWords():
                found |= bad_words.SCHEMA
            case Language(top_k=top_k):
                found |= language_columns(top_k)
            case (
                C4Lines(edit=name)
                | DclmText(edit=name)
                | RefinedWebLines(edit=name)
                | RedStoneSentences(edit=name)
            ):
                found |= EDITS[name].columns
            case _:
                found |= FAMILIES[step.judge].columns
    return found


def annotate(  # noqa: C901 - one case a step
    texts: pl.Series, steps: Sequence[Step], urls: pl.Series | None = None
) -> pl.DataFrame:
    """Return the signals of every text, and `text` as the edits leave it. A null text has null signals.

    Judges with no edit between them share one splitting into words. `urls` are those of the
    documents, if they have any; only `url_list` and `url_words` read them.
    """
    if urls is None:
        urls = pl.Series([None], dtype=pl.String).new_from_index(0, len(texts))
    signals: list[pl.DataFrame] = []
    together: list[tuple[Family, Any]] = []
    earlier: tuple[PiiKind, ...] = ()  # masked
    for step, following in zip_longest(steps, steps[1:]):
        match step:
            case Normalize():
                texts = normalize(texts)
            case Mask():
                masked = mask(texts, step.kinds, earlier)
                texts = masked["text"]
                earlier += step.kinds
                signals.append(masked.drop("text"))
            case (
                C4Lines(edit=name)
                | DclmText(edit=name)
                | RefinedWebLines(edit=name)
                | RedStoneSentences(edit=name)
            ):
                edited = rewrite(texts, EDITS[name], step)
                texts = edited["text"]
                signals.append(edited.drop("text"))
            case Language(model=model, top_k=top_k):
                path = model.path if model else default_model()
                signals.append(language(texts, path, top_k))
            case Pii():
                signals.append(pii.measure(texts))
            case UrlList(files=files):
                signals.append(url_list.measure(urls, files))
            case UrlWords():
                signals.append(url_words.measure(urls, step))
            case BadWords():
                signals.append(bad_words.measure(texts, step))
            case _:
                together.append((FAMILIES[step.judge], step))
        if together and (following is None or hasattr(following, "edit")):
            signals.append(measure(texts, together))
            together = []
    measured = pl.concat(signals, how="horizontal") if signals else pl.DataFrame()
    return (
        measured.with_columns(texts.alias("text")) if signals else texts.rename("text").to_frame()
    )


def annotate_shard(job: Job, files: Files) -> dict[str, Any]:
    """Write `annotated` for one shard; its footer counts the documents by language and by licence."""
    steps = job.recipe.steps
    read = ["url"] if any(isinstance(step, UrlList | UrlWords) for step in steps) else []
    columns = schema.VERDICT | signal_columns(steps) | {"text": pl.String}
    languages: dict[str, int] = {}
    licenses: dict[str, int] = {}

    def frames() -> Iterator[pl.DataFrame]:
        for docs in documents({"raw": files.one("raw")}, "raw", [*read, "license"]):
            found = annotate(docs["text"], steps, docs["url"] if read else None)
            makeup.add(licenses, docs["license"], schema.UNDECLARED)
            if "lid_language" in columns:
                makeup.add(languages, found["lid_language"], "unknown")
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

    return write_table(job, files, columns, frames(), languages=languages, licenses=licenses)
