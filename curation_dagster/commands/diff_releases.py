"""`curate diff A B` of two releases, by their manifests: what ships in one and not in the other, and by which rules.

Reads the files that the manifests name, so it compares what was published whatever has become of the recipes. Memory:
about 40 bytes a row of both; texts are hashed where they are read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click
import polars as pl
import pyarrow.parquet as pq
from rich import box
from rich.console import Console
from rich.table import Table

from curation_dagster.chance import keyed
from curation_dagster.commands.diff import beginning
from curation_dagster.counted import counted
from curation_dagster.errors import IntegrityError, RecipeError
from curation_dagster.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.store import Ref

KINDS: Final = ("gone", "new", "changed", "copies", "same")
_RULES_SHOWN: Final = 20


@dataclass(frozen=True)
class Release:
    """A published manifest and the store its files are in."""

    name: str
    store: Store
    manifest: dict[str, Any]

    def refs(self) -> list[Ref]:
        """List the files that ship.

        Raises:
            IntegrityError: one is gone.
        """
        found = {ref.name: ref for ref in self.store.refs("exported")}
        names = [file["name"] for file in self.manifest["files"]]
        if lost := [name for name in names if name not in found]:
            msg = f"{self.name}: {counted(len(lost), 'file')} of the release gone, {lost[0]} the first"
            raise IntegrityError(msg)
        return [found[name] for name in names]


def is_manifest(name: str) -> bool:
    """Say whether an argument names a manifest and not a recipe."""
    return name.endswith(".json")


def read(path: str) -> Release:
    """Read `ROOT/releases/NAME/manifest.json`, or an older one at `ROOT/release/all.….json`; a path or url.

    Raises:
        RecipeError: the file lies elsewhere, or is no manifest.
    """
    parts = path.removeprefix("file://").split("/")
    above = 3 if parts[-1] == "manifest.json" else 2
    root, stage = "/".join(parts[:-above]) or ".", parts[-above] if len(parts) >= above else ""
    if stage not in {"releases", "release"}:
        raise RecipeError(f"{path}: not a manifest below ROOT/releases/ or ROOT/release/")
    store = Store(root)
    try:
        manifest = json.loads(store.read("/".join(parts[-above:])))
    except ValueError as error:
        raise RecipeError(f"{path}: not JSON: {error}") from error
    if not {"recipe", "files", "funnel"} <= set(manifest):
        raise RecipeError(f"{path}: not a manifest of a release")
    return Release(path, store, manifest)


def compare(a: Release, b: Release, samples: int) -> dict[str, Any]:
    """Compare what two releases ship, document by document, and what their rules rejected.

    A document is gone or new, or its text changed (other extraction, edits, cuts), or the number of its copies.
    """
    both = _documents(a).join(
        _documents(b), on="doc", how="full", coalesce=True, suffix="_b", maintain_order="left_right"
    )
    kind = (
        pl.when(pl.col("rows_b").is_null())
        .then(pl.lit("gone"))
        .when(pl.col("rows").is_null())
        .then(pl.lit("new"))
        .when(pl.col("text") != pl.col("text_b"))
        .then(pl.lit("changed"))
        .when(pl.col("rows") != pl.col("rows_b"))
        .then(pl.lit("copies"))
        .otherwise(pl.lit("same"))
    )
    told = both.with_columns(kind=kind, source=pl.coalesce("source", "source_b"))
    by_source = (
        told.group_by("source", "kind")
        .agg(
            documents=pl.len(),
            tokens=pl.col("tokens").sum(),
            tokens_b=pl.col("tokens_b").sum(),
        )
        .sort("source", "kind")
    )
    picked = {
        name: told.filter(pl.col("kind") == name).sort("doc").head(samples)["doc"].to_list()
        for name in KINDS[:3]
    }
    shown = {
        name: list(_texts(a if name == "gone" else b, docs))
        for name, docs in picked.items()
        if docs
    }
    return {
        "a": a.name,
        "b": b.name,
        "recipes": [r.manifest["recipe"] for r in (a, b)],
        "recipe_digests": [r.manifest["recipe_digest"] for r in (a, b)],
        "documents": by_source.to_dicts(),
        "tokens": [r.manifest["tokens"] for r in (a, b)],
        "rejected": _rejected(a, b),
        "samples": shown,
    }


def show(found: dict[str, Any], *, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    click.echo(f"{found['a']} -> {found['b']}")
    before, after = found["tokens"]
    click.echo(f"{before:,} -> {after:,} tokens, with copies ({after - before:+,})")
    table = Table("source", box=box.SIMPLE)
    for kind in KINDS:
        table.add_column(kind, justify="right", no_wrap=True)
    for source in dict.fromkeys(row["source"] for row in found["documents"]):
        mine = {r["kind"]: r["documents"] for r in found["documents"] if r["source"] == source}
        table.add_row(source, *(f"{mine.get(kind, 0):,}" for kind in KINDS))
    Console().print(table)
    moved = [row for row in found["rejected"] if row["a"] != row["b"]]
    for row in moved[:_RULES_SHOWN]:
        click.echo(f"  {row['rule']}: rejected {row['a']:,} -> {row['b']:,}")
    if len(moved) > _RULES_SHOWN:
        click.echo(f"  and {counted(len(moved) - _RULES_SHOWN, 'other rule')} (--json)")
    for kind, documents in found["samples"].items():
        for document in documents:
            click.secho(f"{document['doc_id']}  {kind}", fg="yellow")
            click.echo(f"    {document['text']}")


def _documents(release: Release) -> pl.DataFrame:
    """Return doc (a hash of doc_id), source, rows (fragments times copies), tokens and text (a hash) of what ships."""
    columns = ["doc_id", "source", "fragment", "token_count", "text"]
    parts = []
    for batch in _batches(release, columns):
        text = keyed(batch["text"], "diff").cast(pl.UInt64) * (batch["fragment"] + 1).cast(
            pl.UInt64
        )
        parts.append(
            batch.select(
                doc=keyed(batch["doc_id"], "diff"),
                source=pl.col("source").cast(pl.Categorical),
                tokens=pl.col("token_count").cast(pl.UInt64),
                text=text,
            )
        )
    if not parts:
        empty = {"doc": pl.UInt64, "source": pl.Categorical, "rows": pl.UInt32}
        return pl.DataFrame(schema=empty | {"tokens": pl.UInt64, "text": pl.UInt64})
    return (
        pl.concat(parts)
        .group_by("doc", maintain_order=True)
        .agg(
            pl.col("source").first(),
            rows=pl.len(),
            tokens=pl.col("tokens").sum(),
            text=pl.col("text").unique().sum(),  # of its fragments; copies have the same
        )
    )


def _texts(release: Release, docs: list[int]) -> Iterator[dict[str, str]]:
    """Yield the beginnings of documents, in the order of the files."""
    left = set(docs)
    for batch in _batches(release, ["doc_id", "fragment", "is_first", "text"]):
        if not left:
            return
        mine = batch.with_columns(doc=keyed(batch["doc_id"], "diff")).filter(
            pl.col("is_first") & (pl.col("fragment") == 0) & pl.col("doc").is_in(list(left))
        )
        for row in mine.iter_rows(named=True):
            left.discard(row["doc"])
            yield {"doc_id": row["doc_id"], "text": beginning(row["text"])}


def _batches(release: Release, columns: list[str]) -> Iterator[pl.DataFrame]:
    for ref in release.refs():
        with release.store.open(ref) as stream, pq.ParquetFile(stream) as file:
            for group in range(file.num_row_groups):
                yield pl.DataFrame(pl.from_arrow(file.read_row_group(group, columns=columns)))


def _rejected(a: Release, b: Release) -> list[dict[str, Any]]:
    """List every rule with what it rejected in both, those that moved most first."""
    counts: dict[str, list[int]] = {}
    for side, release in enumerate((a, b)):
        for stage in release.manifest["funnel"]:
            for rule, count in stage["rejected"].items():
                counts.setdefault(rule, [0, 0])[side] += count
    rows = [{"rule": rule, "a": was, "b": now} for rule, (was, now) in counts.items()]
    return sorted(rows, key=lambda row: (-abs(row["b"] - row["a"]), row["rule"]))
