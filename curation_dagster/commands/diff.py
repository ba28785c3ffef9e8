"""`curate diff A B`: the documents of which two recipes think differently, by the verdicts of both, with samples.

Shard by shard, from columns of verdicts alone; texts are read for the samples. Both recipes must have planned the same
files: shards that only one has are counted, not compared. Where a stage is not current for both recipes in every
common shard, fates are compared as of the stage before it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click
import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from curation_dagster import table
from curation_dagster.chance import keyed
from curation_dagster.commands import look
from curation_dagster.counted import counted
from curation_dagster.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.lineage import Lineage

JUDGING: Final = ("raw", "annotated", "cleaned", "deduped", "mixed", "decontaminated")
KEPT: Final = "kept"
_SNIPPET: Final = 160  # characters of a sample


def compare(a: Lineage, b: Lineage, samples: int) -> dict[str, Any]:
    """Count the documents whose fate differs, by both fates; pick `samples` of each pair by a hash of doc_id.

    Raises:
        IntegrityError: the recipes share no shard that both have computed.
    """
    common = [key for key in a.partitions("raw") if key in b.shards]
    stages = _both(a, b, common)
    if not stages:
        msg = f"{a.recipe.name} and {b.recipe.name} share no shard that is current in both; run them first"
        raise IntegrityError(msg)
    counts: dict[tuple[str, str], list[int]] = {}
    picked: dict[tuple[str, str], pl.DataFrame] = {}
    same = [0, 0]
    for key in common:
        both = _fates(a, key, stages).join(
            _fates(b, key, stages), on=["row", "doc_id"], how="full", coalesce=True, suffix="_b"
        )
        if n := both.select(pl.col("fate", "fate_b").is_null().sum()).sum_horizontal().item():
            msg = f"{key}: {n} documents are in one root and not in the other; the inputs differ"
            raise IntegrityError(msg)
        stays = both.filter(pl.col("fate") == pl.col("fate_b"))
        same = [same[0] + stays.height, same[1] + int(stays["text_bytes"].cast(pl.UInt64).sum())]
        moved = both.filter(pl.col("fate") != pl.col("fate_b")).with_columns(shard=pl.lit(key))
        moved = moved.with_columns(order=keyed(moved["doc_id"], "diff"))
        for (was, now), rows in moved.group_by("fate", "fate_b"):
            told = counts.setdefault((str(was), str(now)), [0, 0])
            told[0] += rows.height
            told[1] += int(rows["text_bytes"].cast(pl.UInt64).sum())
            here = [rows, *(f for f in [picked.get((str(was), str(now)))] if f is not None)]
            picked[str(was), str(now)] = pl.concat(here).sort("order", "doc_id").head(samples)
    ranked = sorted(counts, key=lambda pair: (-counts[pair][0], pair))
    moves = [
        {
            "from": pair[0], "to": pair[1], "documents": counts[pair][0], "bytes": counts[pair][1],
            "samples": list(_shown(a, picked[pair])),
        }
        for pair in ranked
    ]  # fmt: skip
    return {
        "a": a.recipe.name,
        "b": b.recipe.name,
        "as_of": stages[-1],
        "shards": len(common),
        "shards_of_a_alone": len(a.shards) - len(common),
        "shards_of_b_alone": len(b.shards) - len(common),
        "same": {"documents": same[0], "bytes": same[1]},
        "moved": moves,
        "shipped": {lineage.recipe.name: _shipped(lineage) for lineage in (a, b)},
    }


def show(found: dict[str, Any], *, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    click.echo(
        f"{found['a']} -> {found['b']}, as of {found['as_of']}: {counted(found['shards'], 'shard')}, "
        f"{counted(found['same']['documents'], 'document')} judged alike"
    )
    for side in ("a", "b"):
        if alone := found[f"shards_of_{side}_alone"]:
            click.echo(f"{counted(alone, 'shard')} only in {found[side]}, not compared")
    if found["moved"]:
        _print_moves(found)
    for name, shipped in found["shipped"].items():
        if shipped:
            documents, tokens = (
                counted(shipped["documents"], "document"),
                f"{shipped['tokens']:,} tokens",
            )
            click.echo(f"{name} ships {documents}, {tokens}, with copies")


def _print_moves(found: dict[str, Any]) -> None:
    told = Table(found["a"], found["b"], box=box.SIMPLE)
    for heading in ("documents", "MB"):
        told.add_column(heading, justify="right", no_wrap=True)
    for move in found["moved"]:
        told.add_row(
            move["from"], move["to"], f"{move['documents']:,}", f"{move['bytes'] / 1e6:,.2f}"
        )
    Console().print(told)
    for move in found["moved"]:
        for sample in move["samples"]:
            click.secho(f"{sample['doc_id']}  {move['from']} -> {move['to']}", fg="yellow")
            click.echo(f"    {sample['text']}")


def _both(a: Lineage, b: Lineage, shards: list[str]) -> list[str]:
    """List the judging stages that are current everywhere in both, up to the first that is not."""
    found: list[str] = []
    for stage in JUDGING if shards else ():
        if not all(lineage.current(stage, key) for lineage in (a, b) for key in shards):
            break
        found.append(stage)
    return found


def _fates(lineage: Lineage, shard: str, stages: list[str]) -> pl.DataFrame:
    """Return row, doc_id, text_bytes (as read) and fate of every document of a shard."""
    found: pl.DataFrame | None = None
    for stage in stages:
        with lineage.store.open(look.current(lineage, stage, shard)) as stream:
            if "rejected_by" not in table.columns(stream):
                continue
            verdicts = table.read(stream, ["row", "doc_id", "rejected_by", "text_bytes"])
        if found is None:
            found = verdicts.with_columns(fate="rejected_by").drop("rejected_by")
            continue
        later = verdicts.select("row", "rejected_by")
        joined = found.join(later, on="row", how="left", maintain_order="left")
        found = joined.with_columns(fate=pl.coalesce("fate", "rejected_by")).drop("rejected_by")
    if found is None:
        msg = f"{shard}: nothing judged yet"
        raise IntegrityError(msg)
    return found.with_columns(pl.col("fate").fill_null(KEPT))


def _shown(lineage: Lineage, rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the picked documents with the beginning of their texts, shard by shard."""
    for (shard,), here in rows.group_by("shard", maintain_order=True):
        texts = look.text_of(lineage, str(shard), here["row"].to_list())
        for row, doc_id in here.select("row", "doc_id").iter_rows():
            yield {"doc_id": doc_id, "shard": shard, "text": beginning(texts.get(row, ""))}


def beginning(text: str) -> str:
    """Return the beginning of a text in one line."""
    line = " ".join(text.split())
    return line[:_SNIPPET] + "…" * (len(line) > _SNIPPET)


def _shipped(lineage: Lineage) -> dict[str, int] | None:
    """Sum what the output files hold; None where they are not all there."""
    refs = [lineage.current("exported", key) for key in lineage.partitions("exported")]
    if not refs or not all(refs):
        return None
    footers = [lineage.footer(ref) for ref in refs if ref]
    return {
        "documents": sum(f["rows"] for f in footers),
        "tokens": sum(f.get("tokens_kept", 0) for f in footers),
    }
