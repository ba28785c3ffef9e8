"""Commands that look at what is there: status, funnel, ls, cat, sample. None of them computes a stage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from curation_dagster import table
from curation_dagster.documents import documents
from curation_dagster.errors import IntegrityError, RecipeError
from curation_dagster.funnel import top_reasons
from curation_dagster.lineage import BY_NAME, stages

if TYPE_CHECKING:
    from curation_dagster.lineage import Lineage
    from curation_dagster.store import Ref

STATES = ("current", "stale", "missing", "blocked")
_SNIPPET = 400


def status(lineage: Lineage, *, verify: bool, as_json: bool) -> int:
    """Count partitions by state; with `verify`, read every current file. Return the exit code."""
    found: list[dict[str, Any]] = []
    damaged: list[str] = []
    for stage in stages(lineage.recipe):
        keys = lineage.partitions(stage.name)
        states: list[str] = [lineage.state(stage.name, key) for key in keys]
        found.append({"stage": stage.name, **{s: states.count(s) for s in STATES}})
        if verify:
            damaged += _damaged(lineage, [r for k in keys if (r := lineage.current(stage.name, k))])
    if as_json:
        click.echo(
            json.dumps(
                {"recipe": lineage.recipe.name, "stages": found, "damaged": damaged}, indent=1
            )
        )
    else:
        shown = Table("stage", *STATES)
        for row in found:
            shown.add_row(*(str(v) for v in row.values()))
        Console().print(shown)
        for message in damaged:
            click.secho(message, fg="red")
    return 1 if damaged else 0


def print_funnel(found: dict[str, Any]) -> None:
    """Print a funnel as a table, then the reasons; ≈ marks tokens estimated from bytes."""
    shown = Table("stage", box=box.SIMPLE)
    for heading in ("in", "kept", "%", "MB kept", "tokens kept"):
        shown.add_column(heading, justify="right", no_wrap=True)
    notes: list[str] = []
    for stage in found["stages"]:
        share = f"{100 * stage['kept'] / stage['rows_in']:.1f}" if stage["rows_in"] else "-"
        tokens = stage["tokens_kept"]
        about = "≈ " if stage["tokens_estimated"] else ""
        shown.add_row(
            stage["stage"],
            f"{stage['rows_in']:,}",
            f"{stage['kept']:,}",
            share,
            f"{stage['bytes_kept'] / 1e6:,.2f}",
            f"{about}{tokens:,}" if tokens is not None else "-",
        )
        notes += _notes(stage)
    Console().print(shown)
    for note in notes:
        click.echo(f"  {note}")


def _notes(stage: dict[str, Any]) -> list[str]:
    """Say what the numbers of a stage leave out: reasons, copies, what is not computed."""
    reasons = ", ".join(f"{rule.split('.', 1)[1]} {count:,}" for rule, count in top_reasons(stage))
    notes = [f"{stage['stage']} rejected: {reasons}"] if reasons else []
    if missing := stage["partitions_missing"]:
        notes.append(f"{stage['stage']}: {missing} partitions are not computed")
    if "copies" in stage:
        shipped = f"{stage['copies']:,} training documents (with copies) in {stage['files']} files"
        notes.append(f"{stage['stage']}: {shipped}")
    return notes


def ls(lineage: Lineage, stage: str) -> None:
    """List a stage's partitions and their files."""
    _known(lineage, stage)
    shown = Table("partition", "state", "rows", "kept", "bytes", "file")
    for key in lineage.partitions(stage):
        ref = lineage.current(stage, key)
        summary = lineage.footer(ref) if ref else {}
        shown.add_row(
            key,
            lineage.state(stage, key),
            str(summary.get("rows", "")),
            str(summary.get("kept", "")),
            f"{ref.bytes:,}" if ref else "",
            lineage.store.path(ref.name) if ref else "",
        )
    Console(width=max(Console().width, 160)).print(shown)


def cat(lineage: Lineage, stage: str, partition: str, count: int) -> None:
    """Print a partition's first rows as JSON lines."""
    ref = current(lineage, stage, partition)
    with lineage.store.open(ref) as stream:
        if ref.suffix == "json":
            click.echo(stream.read().decode())
            return
        for batch in table.batches(stream):
            click.echo(_plain(batch.head(count)).write_ndjson().rstrip())
            count -= batch.height
            if count <= 0:
                return


def sample(lineage: Lineage, stage: str, rule: str | None, count: int) -> None:
    """Show rejected documents of a stage beside kept ones, spread over the shards in plan order."""
    _known(lineage, stage)
    if BY_NAME[stage].partitions != "shard":
        msg = f"{stage} judges no documents; sample a per-shard stage"
        raise RecipeError(msg)
    shown = {"rejected": 0, "kept": 0}
    for key in lineage.partitions(stage):
        ref = lineage.current(stage, key)
        if ref is None:
            continue
        with lineage.store.open(ref) as stream:
            rows = table.read(
                stream, ["row", "doc_id", "rejected_by", "signal", "value", "duplicate_of"]
            )
        rejected = rows.filter(pl.col("rejected_by").is_not_null())
        if rule:
            rejected = rejected.filter(
                pl.col("rejected_by").str.split(".").list.last() == rule.split(".")[-1]
            )
        kept = rows.filter(pl.col("rejected_by").is_null())
        for kind, group in (("rejected", rejected), ("kept", kept)):
            picked = group.head(count - shown[kind])
            shown[kind] += picked.height
            _show(lineage, key, kind, picked)
        if min(shown.values()) >= count:
            break
    if not shown["rejected"]:
        click.echo(f"no document was rejected{f' by {rule}' if rule else ''} in {stage}")


def current(lineage: Lineage, stage: str, partition: str) -> Ref:
    """Return the current file of a partition.

    Raises:
        RecipeError: when the stage or partition does not exist.
        IntegrityError: when it is not current.
    """
    _known(lineage, stage)
    if partition not in lineage.partitions(stage):
        msg = f"{stage} has no partition {partition!r}; there are {lineage.partitions(stage)[:20]}"
        raise RecipeError(msg)
    ref = lineage.current(stage, partition)
    if ref is None:
        msg = f"{stage}/{partition} is {lineage.state(stage, partition)}; run it first"
        raise IntegrityError(msg)
    return ref


def _show(lineage: Lineage, shard: str, kind: str, rows: pl.DataFrame) -> None:
    texts = text_of(lineage, shard, rows["row"].to_list()) if rows.height else {}
    for row in rows.iter_rows(named=True):
        colour = "red" if kind == "rejected" else "green"
        why = row["rejected_by"] or "kept"
        value = f" ({row['signal']} = {row['value']:g})" if row.get("value") is not None else ""
        twin = f" (duplicate of {row['duplicate_of']})" if row.get("duplicate_of") else ""
        click.secho(f"{row['doc_id']}  {why}{value}{twin}", fg=colour)
        text = texts.get(row["row"], "")
        click.echo(
            "    "
            + text[:_SNIPPET].replace("\n", "\n    ")
            + ("…" if len(text) > _SNIPPET else "")
            + "\n"
        )


def text_of(lineage: Lineage, shard: str, rows: list[int]) -> dict[int, str]:
    """Return the texts of some rows of a shard, after edits where they are known."""
    refs = {s: lineage.current(s, shard) for s in ("raw", "annotated")}
    with lineage.store.fetch(*(r for r in refs.values() if r)) as paths:
        files = dict(zip((s for s, r in refs.items() if r), paths, strict=True))
        kept_by = "annotated" if "annotated" in files else "raw"
        found: dict[int, str] = {}
        for docs in documents(files, kept_by):
            found |= dict(docs.filter(pl.col("row").is_in(rows)).select("row", "text").iter_rows())
            if len(found) == len(rows):
                break
        return found


def _known(lineage: Lineage, stage: str) -> None:
    names = [s.name for s in stages(lineage.recipe)]
    if stage not in names:
        msg = f"no stage {stage!r}; stages are {', '.join(names)}"
        raise RecipeError(msg)


def _damaged(lineage: Lineage, refs: list[Ref]) -> list[str]:
    messages = []
    for ref in refs:
        try:
            with lineage.store.fetch(ref):
                pass
        except IntegrityError as error:
            messages.append(str(error))
    return messages


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    import polars.selectors as cs

    return frame.with_columns(cs.binary().bin.encode("hex"))
