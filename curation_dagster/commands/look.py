"""Commands that look at what is there: status, funnel, ls, cat, sample. None of them computes a stage."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from curation_dagster import census, gates, table
from curation_dagster.chance import keyed
from curation_dagster.clean.rules import rules_of
from curation_dagster.commands import damage
from curation_dagster.counted import counted
from curation_dagster.documents import documents
from curation_dagster.errors import IntegrityError, RecipeError
from curation_dagster.export.release import damaged_renderings, is_done, withdrawn
from curation_dagster.funnel import top_reasons
from curation_dagster.lineage import ALL, BY_NAME, stages
from curation_dagster.verdict import describe

if TYPE_CHECKING:
    from curation_dagster.lineage import Lineage
    from curation_dagster.store import Ref

_SNIPPET, _RECORD_SNIPPET = 400, 200  # characters


def status(lineage: Lineage, *, verify: bool, as_json: bool) -> int:
    """Count partitions by state; with `verify`, read every current file. Return the exit code."""
    found = census.counted_states(lineage)
    damaged: list[str] = []
    if verify:
        names = [stage.name for stage in stages(lineage.recipe)]
        damaged = [why for name in names for _, why in census.damaged(lineage, name)]
        wrong = damaged_renderings(lineage.store, lineage.recipe.name)
        damaged += [f"{name}: not what SHA256SUMS says; remove it and run again" for name in wrong]
    unreadable = damage.of_inputs(lineage)
    gone = withdrawn(lineage.store, lineage.recipe.name)
    held = gates.waiting(lineage, "release")
    if as_json:
        said: dict[str, Any] = {
            "recipe": lineage.recipe.name,
            "stages": found,
            "withdrawn_files": gone,
            "gates_open": [gate.name for gate in held],
        }
        out = {source: asdict(retirement) for source, retirement in lineage.retired.items()}
        said |= {"retired": out, "damaged": damaged, "damaged_inputs": unreadable}
        click.echo(json.dumps(said, indent=1))
    else:
        shown = Table("stage", *census.STATES)
        for row in found:
            shown.add_row(*(str(v) for v in row.values()))
        Console().print(shown)
        for retirement in lineage.retired.values():
            click.secho(retirement.told, fg="yellow")
        if unreadable:
            click.secho(f"raw: {damage.told(unreadable)}", fg="yellow")
        for message in damaged:
            click.secho(message, fg="red")
        if held:
            told = (
                f"{counted(len(held), 'gate')} open; `curate gates {lineage.recipe.name}` says more"
            )
            click.secho(f"gates: {told}", fg="yellow")
        if gone:
            files = counted(len(gone), "file")
            told = f"release: withdrawn, {files} held what was taken down; run again"
            click.secho(told, fg="red")
        elif lineage.current("release", ALL) and not is_done(lineage, "release", ALL):
            click.secho("release: not rendered whole, so not published; run again", fg="red")
    return 1 if damaged else 0


def print_funnel(found: dict[str, Any], most: int | None = 3) -> None:
    """Print a funnel as a table, then the reasons, at most so many; ≈ marks tokens estimated from bytes."""
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
        notes += _notes(stage, most)
    Console().print(shown)
    for note in notes:
        click.echo(f"  {note}")


def print_mixture(lineage: Lineage) -> None:
    """Print what each phase asked of each source, what it gets, and why not more."""
    ref = lineage.current("mixture", ALL)
    if ref is None:
        return
    with lineage.store.fetch(ref) as (path,):
        rows = table.read(path).to_dicts()
    for row in rows:
        short = f"; short of {row['target_tokens']:,}: {row['reason']}" if row["reason"] else ""
        got = f"{row['planned_tokens']:,} tokens, {row['epochs']:.2f} epochs of {row['supply_tokens']:,}"
        click.echo(f"  mixture {row['phase']}/{row['domain']}: {got}{short}")


def _notes(stage: dict[str, Any], most: int | None) -> list[str]:
    """Say what the numbers of a stage leave out: reasons, copies, what is not computed."""
    notes = [f"{stage['stage']} rejected: {reasons(stage, most)}"] if stage["rejected"] else []
    if cut := stage.get("cut_documents"):
        parts = f"{counted(cut, 'document')} cut, {counted(stage['fragments'], 'fragment')} left"
        notes.append(f"{stage['stage']}: {parts}")
    if missing := stage["partitions_missing"]:
        is_not = "is" if missing == 1 else "are"
        notes.append(f"{stage['stage']}: {counted(missing, 'partition')} {is_not} not computed")
    if "copies" in stage:
        documents_ = counted(stage["copies"], "training document")
        shipped = f"{documents_} (with copies) in {counted(stage['files'], 'file')}"
        notes.append(f"{stage['stage']}: {shipped}")
    return notes


def reasons(stage: dict[str, Any], count: int | None = 3) -> str:
    """Name the most frequent reasons for rejection, and how many rows had others."""
    top = top_reasons(stage, count)
    said = ", ".join(f"{rule.split('.', 1)[1]} {n:,}" for rule, n in top)
    if more := len(stage["rejected"]) - len(top):
        rest = sum(stage["rejected"].values()) - sum(n for _, n in top)
        said += f", {counted(more, 'other')} {rest:,}"
    return said


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


def cat(lineage: Lineage, stage: str, partition: str | None, count: int) -> None:
    """Print the first rows of a partition, or of all in order, as JSON lines."""
    _known(lineage, stage)
    for key in [partition] if partition else lineage.partitions(stage):
        ref = current(lineage, stage, key)
        if ref.suffix != "parquet":
            click.echo(json.dumps(lineage.footer(ref), indent=1, sort_keys=True))
            return
        with lineage.store.open(ref) as stream:
            for batch in table.batches(stream):
                click.echo(_plain(batch.head(count)).write_ndjson().rstrip())
                count -= batch.height
                if count <= 0:
                    return


def sample(lineage: Lineage, stage: str, rule: str | None, count: int) -> None:
    """Show rejected documents of a stage, then kept ones: a keyed pick over all shards.

    Raises:
        RecipeError: for a stage that judges nothing, or a rule that rejected nothing.
    """
    _known(lineage, stage)
    if BY_NAME[stage].partitions != "shard":
        msg = f"{stage} judges no documents; sample a per-shard stage"
        raise RecipeError(msg)
    rows = _verdicts(lineage, stage)
    rejected = rows.filter(pl.col("rejected_by").is_not_null())
    if rule:
        counts = dict(rejected["rejected_by"].value_counts(sort=True).iter_rows())
        rejected = rejected.filter(
            pl.col("rejected_by").str.split(".").list.last() == rule.split(".")[-1]
        )
        if not rejected.height:
            msg = f"no document was rejected by {rule} in {stage}; there are {counts}"
            raise RecipeError(msg)
    kept = rows.filter(pl.col("rejected_by").is_null())
    for colour, group in (("red", rejected), ("green", kept)):
        picked = group.sort("order", "doc_id").head(count)
        for shard in picked["shard"].unique(maintain_order=True):
            here = picked.filter(pl.col("shard") == shard)
            if stage == "raw":
                _show_records(lineage, shard, colour, here)
            else:
                _show(lineage, shard, colour, here)


def _verdicts(lineage: Lineage, stage: str) -> pl.DataFrame:
    """Read every shard's verdicts, narrow, each with a keyed place in the pick."""
    wanted = ["row", "doc_id", "rejected_by", "signal", "value", "duplicate_of"]
    parts = [pl.DataFrame(schema={"row": pl.UInt32, "doc_id": pl.String, "rejected_by": pl.String})]
    for key in lineage.partitions(stage):
        if ref := lineage.current(stage, key):
            with lineage.store.open(ref) as stream:
                parts.append(table.read(stream, wanted).with_columns(shard=pl.lit(key)))
    rows = pl.concat(parts, how="diagonal")
    return rows.with_columns(order=keyed(rows["doc_id"], "sample"))


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


def _show(lineage: Lineage, shard: str, colour: str, rows: pl.DataFrame) -> None:
    rules = {
        f"clean.{name}": describe(keep) for name, keep in rules_of(lineage.recipe.steps).items()
    }
    texts = text_of(lineage, shard, rows["row"].to_list()) if rows.height else {}
    for row in rows.iter_rows(named=True):
        why = row["rejected_by"] or "kept"
        value = f" ({row['signal']} = {row['value']:g})" if row.get("value") is not None else ""
        rule = f", rule {rules[why]}" if why in rules else ""
        twin = f" (duplicate of {row['duplicate_of']})" if row.get("duplicate_of") else ""
        click.secho(f"{row['doc_id']}  {why}{value}{rule}{twin}", fg=colour)
        text = texts.get(row["row"], "")
        shown = text[:_SNIPPET].replace("\n", "\n    ")
        click.echo(f"    {shown}{'…' * (len(text) > _SNIPPET)}\n")


def _show_records(lineage: Lineage, shard: str, colour: str, rows: pl.DataFrame) -> None:
    """Show what `raw` has of records: where they are from, why they have no text, what there is of them."""
    for row in _records(lineage, shard, rows["row"].to_list()).iter_rows(named=True):
        why = row["rejected_by"] or "kept"
        reason = f": {row['reason']}" if row["reason"] else ""
        click.secho(f"{row['doc_id']}  {why}{reason}", fg=colour)
        known = {
            "url": row["url"] or "none",
            "locator": row["locator"],
            "http status": row["http_status"],
            "type": row["content_type"],
            "title": row["title"],
        }
        click.echo("    " + "  ".join(f"{k} {v}" for k, v in known.items() if v is not None))
        if text := row["text"] or "":
            shown = text[:_RECORD_SNIPPET].replace("\n", "\n    ")
            click.echo(f"    {shown}{'…' * (len(text) > _RECORD_SNIPPET)}")
        click.echo()


def _records(lineage: Lineage, shard: str, rows: list[int]) -> pl.DataFrame:
    wanted = [
        "row", "doc_id", "rejected_by", "reason", "url", "locator", "http_status", "content_type", "title", "text",
    ]  # fmt: skip
    with lineage.store.open(current(lineage, "raw", shard)) as stream:
        parts = [b.filter(pl.col("row").is_in(rows)) for b in table.batches(stream, wanted)]
    found = pl.concat(parts)
    return pl.DataFrame({"row": rows}, schema={"row": pl.UInt32}).join(
        found, on="row", how="left", maintain_order="left"
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


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    import polars.selectors as cs

    return frame.with_columns(cs.binary().bin.encode("hex"))
