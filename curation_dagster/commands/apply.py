"""`curate apply`: one stage on one file with the library's own functions: no root, no Dagster.

The file is treated as a corpus of its own. Columns that come in and are not recomputed go out again.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import numpy as np
import polars as pl
import pyarrow.parquet as pq

from curation_dagster import plan, schema, table
from curation_dagster.annotate.stage import annotate, signal_columns
from curation_dagster.clean.rules import rules_of
from curation_dagster.clean.stage import clean
from curation_dagster.commands import damage
from curation_dagster.commands.look import reasons
from curation_dagster.counted import counted
from curation_dagster.errors import RecipeError, SchemaError
from curation_dagster.recipe import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from curation_dagster.recipe import Recipe

_ROWS: Final = 10_000
_REASONS: Final = 8  # named in the summary
_MEASURES: Final = {"annotate", "score"}  # stages that judge nothing


def apply(
    stage: str, source: Path, target: Path, recipe: Recipe | None, *, narrow: bool = False
) -> int:
    """Run a stage on a file and write Parquet, whole or not at all; return the rows written.

    `narrow` leaves out what came in, except for doc_id.

    Raises:
        RecipeError: when the stage needs something only a recipe can name.
        IntegrityError: when the file is damaged and the recipe's `ingest.on_damage` is "fail".
        SchemaError: when the input lacks doc_id (or id) or text.
    """
    from curation_dagster.scaffold import default_recipe

    config = recipe or default_recipe()
    stages: dict[str, Callable[[Path, Recipe], Iterator[pl.DataFrame]]] = {
        "ingest": _ingest,
        "annotate": _annotate,
        "clean": _clean,
        "dedup": partial(_dedup, narrow=narrow),
        "score": _score,
        "decontaminate": _decontaminate,
    }
    empty = schema.RAW if stage == "ingest" else schema.KEY
    tally: dict[str | None, int] = {}
    frames = stages[stage](source, config)
    if narrow and stage != "ingest":
        came = set(pq.read_schema(source).names) - {"doc_id", "rejected_by"}
        frames = (frame.drop(came, strict=False) for frame in frames)
    rows = _write(target, _tallied(frames, tally), empty)
    judged = stage not in _MEASURES
    click.echo(f"{stage}: {_told(rows, tally) if judged else counted(rows, 'row')}", err=True)
    return rows


def _tallied(
    frames: Iterable[pl.DataFrame], tally: dict[str | None, int]
) -> Iterator[pl.DataFrame]:
    """Pass frames on and count their rows by verdict."""
    for frame in frames:
        if "rejected_by" in frame.columns:
            for rule, count in frame["rejected_by"].value_counts().iter_rows():
                tally[rule] = tally.get(rule, 0) + count
        yield frame


def _told(rows: int, tally: dict[str | None, int]) -> str:
    rejected = {rule: count for rule, count in tally.items() if rule is not None}
    said = (
        f"{counted(rows, 'row')}, {tally.get(None, 0):,} kept, {sum(rejected.values()):,} rejected"
    )
    return f"{said}: {reasons({'rejected': rejected}, _REASONS)}" if rejected else said


def _ingest(path: Path, recipe: Recipe) -> Iterator[pl.DataFrame]:
    from curation_dagster.ingest.page import require
    from curation_dagster.ingest.read import new_account, noted, numbered, read

    require(recipe.ingest.extractor)
    source = Source(name="file", paths=(str(path),))
    entry = plan.Input(path.name, str(path), path.stat().st_size, "")
    account = new_account()
    with path.open("rb") as stream:
        yield from numbered(
            noted(read(stream, entry, source, recipe.ingest), recipe.ingest, account)
        )
    if found := damage.summed([account]):
        click.echo(damage.told(found), err=True)


def _annotate(path: Path, recipe: Recipe) -> Iterator[pl.DataFrame]:
    for docs in documents(path):
        found = annotate(docs["text"], recipe.steps, docs.get_column("url", default=None))
        yield docs.drop("text", *found.columns, strict=False).hstack(found)


def _clean(path: Path, recipe: Recipe) -> Iterator[pl.DataFrame]:
    rules = rules_of(recipe.steps)
    signals = set(signal_columns(recipe.steps))
    for docs in documents(path):
        measured = docs
        if not signals <= set(docs.columns):
            found = annotate(docs["text"], recipe.steps, docs.get_column("url", default=None))
            measured = docs.drop("text", *found.columns, strict=False).hstack(found)
        yield clean(measured.drop("rejected_by", strict=False), rules)


def _dedup(path: Path, recipe: Recipe, *, narrow: bool) -> Iterator[pl.DataFrame]:
    from curation_dagster.dedup.cluster import clusters
    from curation_dagster.dedup.minhash import fingerprint
    from curation_dagster.dedup.parts import Corpus, Part
    from curation_dagster.dedup.pieces import pieces
    from curation_dagster.dedup.repeats import repeats
    from curation_dagster.dedup.repeats_stage import mark_removed
    from curation_dagster.dedup.scratch import Scratch
    from curation_dagster.dedup.verdicts import deduped

    config = recipe.dedup
    with tempfile.TemporaryDirectory() as folder:
        keys, rows = Path(folder) / "fingerprinted.parquet", 0
        writer: table.TableWriter | None = None
        for docs in documents(path):
            found = _keys(docs, rows).hstack(fingerprint(docs["text"], config))
            found = found.hstack(pieces(docs["text"], config))
            writer = writer or table.TableWriter(keys, found.schema)
            writer.write(found)
            rows += docs.height
        if writer is None:
            return
        writer.finish({})
        part = Part.of_file(keys, "file", "file", 0)
        scratch = Scratch(Path(folder), int(config.memory_gb * (1 << 30)))
        corpus = Corpus([part])
        members = pl.concat([rows for _, rows in clusters(corpus, config, scratch).frames()])
        spans = pl.DataFrame(schema=schema.REPEATS)
        if config.cuts:
            gone = scratch.array(corpus.height, np.bool_)
            mark_removed(corpus, [members], gone, remove=config.remove)
            spans = pl.concat(
                [spans, *(r for _, r in repeats(corpus, gone, config, scratch).frames())]
            )
        ids = table.read(keys, ["row", "doc_id"])
        verdicts = deduped(ids, members, spans, config.min_left_terms, remove=config.remove)
    if narrow:
        yield verdicts.drop("row")
        return
    start = 0
    for docs in documents(path):
        here = verdicts.slice(start, docs.height).drop("row", "doc_id")
        yield docs.drop(here.columns, strict=False).hstack(here)
        start += docs.height


def _score(path: Path, recipe: Recipe) -> Iterator[pl.DataFrame]:
    from curation_dagster import tokens
    from curation_dagster.score.stage import score, scorers

    tokenizer, others = tokens.tokenizer(recipe.score.tokenizer), scorers(recipe.score)
    for docs in documents(path):
        found = score(docs["text"], recipe.score, None, tokenizer, others)
        yield docs.drop(found.columns, strict=False).hstack(found)


def _decontaminate(path: Path, recipe: Recipe) -> Iterator[pl.DataFrame]:
    from curation_dagster import tokens
    from curation_dagster.decontaminate import cascade
    from curation_dagster.decontaminate.found import as_lists
    from curation_dagster.decontaminate.trim import cutting, trimmed
    from curation_dagster.decontaminate.verdicts import decide

    config = recipe.decontaminate
    if not config.benchmarks:
        msg = "apply decontaminate: no benchmarks; name a recipe with [[decontaminate.benchmarks]] by --recipe"
        raise RecipeError(msg)
    searched = cascade.build(config)
    tokenizer = tokens.tokenizer(recipe.score.tokenizer) if config.cuts else None
    for docs in documents(path):
        rows = docs.select("doc_id").with_row_index("row")
        hits = rows.with_columns(hits=as_lists(searched.find(docs["text"]), docs.height))
        cut = rows.with_columns(docs["text"], cuts=pl.lit([], dtype=schema.SPANS)).join(
            cutting(hits, config.benchmarks), on="row", maintain_order="left"
        )
        left = trimmed(cut, config.cut, lambda texts: tokens.count(texts, tokenizer))
        decided = decide(rows, hits, config.benchmarks, left)
        decided = decided.drop("row", "doc_id", "text_bytes", "token_count")
        decided = decided.with_columns(hits["hits"])
        yield docs.drop(decided.columns, strict=False).hstack(decided)


def _keys(docs: pl.DataFrame, first_row: int) -> pl.DataFrame:
    from curation_dagster.dedup.urls import url_hash

    def optional(name: str, kind: Any) -> pl.Expr:  # noqa: ANN401 - a Polars type
        return pl.col(name).cast(kind) if name in docs.columns else pl.lit(None, dtype=kind)

    return docs.select(
        pl.int_range(first_row, first_row + pl.len(), dtype=pl.UInt32).alias("row"),
        "doc_id",
        url_hash=url_hash(
            docs.get_column(
                "url", default=pl.repeat(None, docs.height, dtype=pl.String, eager=True)
            )
        ),
        quality=optional("quality", pl.Float64),
        date=optional("crawled_at", schema.TIME),
    )


def documents(path: Path) -> Iterator[pl.DataFrame]:
    """Yield batches of a Parquet file with doc_id and text as strings.

    Raises:
        SchemaError: when the file has no such columns, or is no Parquet.
    """
    try:
        file = pq.ParquetFile(path)
    except (OSError, ValueError) as error:
        msg = f"{path}: not a Parquet file: {error}"
        raise SchemaError(msg) from error
    with file:
        names = file.schema_arrow.names
        key = next((n for n in ("doc_id", "id") if n in names), None)
        if key is None or "text" not in names:
            raise SchemaError.missing(str(path), {"doc_id (or id)", "text"}, names)
        for batch in file.iter_batches(batch_size=_ROWS):
            frame = pl.DataFrame(pl.from_arrow(batch)).rename({key: "doc_id"})
            yield frame.with_columns(pl.col("doc_id", "text").cast(pl.String))


def _write(target: Path, frames: Iterable[pl.DataFrame], empty: schema.Columns) -> int:
    draft = target.with_name(f".{target.name}.draft")
    iterator = iter(frames)
    first = next(iterator, pl.DataFrame(schema=empty))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with table.TableWriter(draft, dict(first.schema)) as writer:
            writer.write(first)
            for frame in iterator:
                writer.write(frame)
            writer.finish({})
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return writer.rows
