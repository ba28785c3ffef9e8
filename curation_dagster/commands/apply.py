"""`curate apply`: one stage on one file with the library's own functions: no root, no Dagster.

The file is treated as a corpus of its own. Columns that come in and are not recomputed go out again.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
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

Pair = tuple[pl.DataFrame, pl.DataFrame]  # what came in, and what was found of it, row by row
_ROWS: Final = 10_000
_REASONS: Final = 8  # named in the summary
_MEASURES: Final = {"annotate", "score"}  # stages that judge nothing
_JUDGING: Final = ("ingest", "clean", "dedup", "decontaminate")  # verdicts begin with such a name


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
    stages: dict[str, Callable[[Path, Recipe], Iterator[Pair]]] = {
        "ingest": _ingest,
        "annotate": _annotate,
        "clean": _clean,
        "dedup": partial(_dedup, narrow=narrow),
        "score": _score,
        "decontaminate": _decontaminate,
    }
    empty = schema.RAW if stage == "ingest" else schema.KEY
    tally: dict[str | None, int] = {}
    frames = (_joined(*pair, narrow=narrow) for pair in stages[stage](source, config))
    rows = _write(target, _tallied(frames, tally), empty)
    judged = stage not in _MEASURES
    click.echo(f"{stage}: {_told(rows, tally) if judged else counted(rows, 'row')}", err=True)
    return rows


def _joined(came: pl.DataFrame, found: pl.DataFrame, *, narrow: bool) -> pl.DataFrame:
    if not came.width:
        return found
    if narrow:
        return came.select("doc_id").hstack(found.drop("text", strict=False))
    return came.drop(found.columns, strict=False).hstack(found)


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


def _ingest(path: Path, recipe: Recipe) -> Iterator[Pair]:
    from curation_dagster.ingest.page import require
    from curation_dagster.ingest.read import new_account, noted, numbered, read

    require(recipe.ingest.extractor)
    source = Source(name="file", paths=(str(path),))
    entry = plan.Input(path.name, str(path), path.stat().st_size, "")
    account = new_account()
    with path.open("rb") as stream:
        rows = noted(read(stream, entry, source, recipe.ingest), recipe.ingest, account)
        yield from ((pl.DataFrame(), frame) for frame in numbered(rows))
    if found := damage.summed([account]):
        click.echo(damage.told(found), err=True)


def _annotate(path: Path, recipe: Recipe) -> Iterator[Pair]:
    for docs in documents(path):
        found = annotate(docs["text"], recipe.steps, docs.get_column("url", default=None))
        yield docs.drop("text"), found


def _clean(path: Path, recipe: Recipe) -> Iterator[Pair]:
    rules = rules_of(recipe.steps)
    signals = set(signal_columns(recipe.steps))
    for docs in documents(path):
        measured = pl.DataFrame()
        if not signals <= set(docs.columns):
            measured = annotate(docs["text"], recipe.steps, docs.get_column("url", default=None))
            docs = docs.drop("text")  # noqa: PLW2901 - edits may have changed it
        judged = clean(docs.drop(measured.columns, strict=False).hstack(measured), rules)
        found = judged.select(*measured.columns, "rejected_by", "signal", "value")
        before = _pending(docs, "clean")
        judged_here = before["rejected_by"].is_null()
        found = found.with_columns(pl.when(judged_here).then(pl.col("signal", "value")))
        yield _judged(before, found)


def _dedup(path: Path, recipe: Recipe, *, narrow: bool) -> Iterator[Pair]:
    from curation_dagster.commands.apply_dedup import verdicts

    def fresh(*, text: bool = True) -> Iterator[pl.DataFrame]:
        return (_pending(docs, "dedup") for docs in documents(path, text=text))

    with tempfile.TemporaryDirectory() as folder:
        judged = verdicts(fresh, recipe.dedup, Path(folder))
    start = 0
    for docs in fresh(text=not narrow):
        rows = pl.DataFrame({"row": range(start, start + docs.height)}, schema={"row": pl.UInt32})
        found = rows.join(judged, on="row", how="left", maintain_order="left")
        yield _judged(docs, found.drop("row", "doc_id"))
        start += docs.height


def _score(path: Path, recipe: Recipe) -> Iterator[Pair]:
    from curation_dagster import tokens
    from curation_dagster.score.stage import score, scorers

    tokenizer, others = tokens.tokenizer(recipe.score.tokenizer), scorers(recipe.score)
    for docs in documents(path):
        found = score(docs["text"], recipe.score, None, tokenizer, others)
        yield docs, found


def _decontaminate(path: Path, recipe: Recipe) -> Iterator[Pair]:
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
        yield _judged(_pending(docs, "decontaminate"), decided)


def _pending(docs: pl.DataFrame, stage: str) -> pl.DataFrame:
    """Clear verdicts of this stage and of those after it; what came before it stays rejected."""
    if docs.schema.get("rejected_by") != pl.String:
        return docs.with_columns(rejected_by=pl.lit(None, dtype=pl.String))
    again = "|".join(_JUDGING[_JUDGING.index(stage) :])
    rule = pl.col("rejected_by")
    return docs.with_columns(pl.when(~rule.str.contains(f"^({again})\\.")).then(rule))


def _judged(docs: pl.DataFrame, found: pl.DataFrame) -> Pair:
    """Pair documents with what was found; those that have a verdict keep it."""
    return docs, found.with_columns(rejected_by=pl.coalesce(docs["rejected_by"], "rejected_by"))


def documents(path: Path, *, text: bool = True) -> Iterator[pl.DataFrame]:
    """Yield batches of a Parquet file with doc_id and text as strings; or without the text.

    Raises:
        SchemaError: when the file has no such columns, or is no Parquet.
    """
    try:
        file = pq.ParquetFile(path)
    except (OSError, ValueError) as error:
        msg = f"{path}: not a Parquet file: {error}; `curate apply ingest` makes one of JSONL, WARC, HTML or text"
        raise SchemaError(msg) from error
    with file:
        names = file.schema_arrow.names
        key = next((n for n in ("doc_id", "id") if n in names), None)
        if key is None or "text" not in names:
            wanted = {"doc_id (or id)": key, "text": "text" in names or None}
            raise SchemaError.missing(
                str(path), {n for n, at in wanted.items() if at is None}, names
            )
        strings = ["doc_id", "text"] if text else ["doc_id"]
        columns = names if text else [name for name in names if name != "text"]
        for group in range(file.num_row_groups):  # a batch of two groups costs another copy
            for batch in file.iter_batches(_ROWS, [group], columns):
                frame = pl.DataFrame(pl.from_arrow(batch)).rename({key: "doc_id"})
                yield frame.with_columns(pl.col(strings).cast(pl.String))


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
