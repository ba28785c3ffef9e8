"""Where what a rights holder names is: in every stored file of a root, whichever recipe made it.

What is named becomes hashes (`named`) before anything is looked at. Documents named by id or url are found by
narrow columns; then their copies by the text, everywhere. `erase` removes what is found here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from curation_dagster import engine, plan, table
from curation_dagster.commands.holders import RELEASES, Holder, documents, holders
from curation_dagster.erased import Erasures
from curation_dagster.errors import CurationError, RecipeError
from curation_dagster.ingest.read import read as read_any
from curation_dagster.lineage import ALL
from curation_dagster.named import MIN_SHARE, Named, exact_hashes
from curation_dagster.recipe import Ingest, Source

if TYPE_CHECKING:
    from pathlib import Path

    from curation_dagster.lineage import Lineage
    from curation_dagster.store import Store

MATCH: Final = {
    "file": pl.String,
    "doc_id": pl.String,
    "url": pl.String,
    "method": pl.String,
    "item": pl.UInt32,
    "score": pl.Float32,
    "start": pl.UInt32,
    "end": pl.UInt32,
    "holds": pl.Boolean,
    "exact_hash": pl.String,
}


@dataclass(frozen=True)
class Request:
    """What is named: the hashes, what cannot be found and why, and how many of each kind."""

    named: Named
    counts: dict[str, int]
    unusable: tuple[str, ...]


@dataclass(frozen=True)
class Search:
    """What was found: a row a file, document and match; `holds` where the file has text of it."""

    request: Request
    named: Named  # with the copies that were looked for
    searched: tuple[Holder, ...]
    matches: pl.DataFrame

    @property
    def documents(self) -> list[str]:
        """The documents found, in any file."""
        return self.matches["doc_id"].unique().sort().to_list()


def request(
    texts: Path | None, urls: Path | None, ids: Path | None, min_share: float = MIN_SHARE
) -> Request:
    """Read what is named. `texts` is any file a source can have; the others have one a line, # begins a remark.

    Raises:
        RecipeError: when nothing is named, or a file cannot be read.
    """
    named, unusable, counts = Named(min_share=min_share), [], {}
    if texts:
        found = _texts(texts)
        named = Named.of_texts(found["text"], min_share)
        short = [found["locator"][i] for i in named.undetectable]
        unusable += [f"{at}: too short to be found inside a document" for at in short]
        counts["texts"] = found.height
    if urls:
        lines = pl.Series(_lines(urls), dtype=pl.String)
        of_urls = Named.of_urls(lines)
        named = replace(named, urls=of_urls.urls)
        unusable += [
            f"{u}: no url with a host" for u in lines if not Named.of_urls(pl.Series([u])).urls
        ]
        counts["urls"] = len(lines)
    if ids:
        named = replace(named, ids=tuple(sorted({*_lines(ids)})))
        counts["ids"] = len(named.ids)
    if not (named.ids or named.urls or named.copies_of):
        msg = f"nothing is named: no text, url or id in {texts or urls or ids}"
        raise RecipeError(msg)
    return Request(named, counts, tuple(unusable))


def search(lineage: Lineage, asked: Request, *, copies: bool) -> Search:
    """Look through every file that carries text; with `copies`, documents with the text of one found count too.

    Raises:
        CurationError: when a file cannot be read: what it holds is not known then.
    """
    files = holders(lineage.store)
    found = _through(lineage, files, asked.named, "takedown (searching)")
    hashes = found["exact_hash"].drop_nulls().unique().sort()
    every = {*asked.named.copies_of, *(hashes if copies else ())}
    if copies and (asked.named.ids or asked.named.urls) and len(hashes):
        twins = Named(copies_of=tuple(hashes))
        more = _through(lineage, files, twins, "takedown (copies)")
        new = more.join(found, on=["file", "doc_id"], how="anti")
        found = pl.concat([found, new])
    ordered = found.sort("doc_id", "file", "method", "item", "start", nulls_last=True)
    named = replace(asked.named, copies_of=tuple(sorted(every)))
    return Search(asked, named, tuple(files), ordered)


def report(lineage: Lineage, found: Search) -> dict[str, Any]:
    """Say which documents, shards, files and releases hold what is named."""
    matches, store = found.matches, lineage.store
    shards = _shards(lineage)
    by_file = matches.filter("holds").group_by("file").agg(pl.col("doc_id").n_unique()).sort("file")
    held = dict(by_file.iter_rows())
    docs = [
        _document(doc_id, rows, shards)
        for (doc_id,), rows in matches.group_by("doc_id", maintain_order=True)
    ]
    erased = Erasures.of(store).documents
    reached = matches.filter(pl.col("item").is_not_null())["item"].unique()
    texts = found.request.counts.get("texts", 0)
    return {
        "recipe": lineage.recipe.name,
        "root": lineage.recipe.root,
        "named": found.request.counts,
        "unusable": list(found.request.unusable),
        "texts_found": reached.len() if texts else None,
        "documents": docs,
        "shards": sorted({d["shard"] for d in docs if d["shard"]}),
        "files": [{"name": name, "documents": n} for name, n in held.items()],
        "releases": releases_of(store, set(held)),
        "near_copies": _near_copies(lineage, set(matches["doc_id"])),
        "erased_before": sum(d["doc_id"] in erased for d in docs),
    }


def releases_of(store: Store, files: set[str]) -> list[dict[str, Any]]:
    """List the releases whose shards or renderings are among these files."""
    found = []
    for name in store.folders(RELEASES):
        listed = [f["name"] for f in manifest(store, name).get("files", [])]
        renderings = [
            f"{RELEASES}/{name}/jsonl/{n}" for n in store.names(f"{RELEASES}/{name}/jsonl")
        ]
        if holding := [n for n in [*listed, *renderings] if n in files]:
            found.append({"name": name, "files": sorted(holding)})
    return found


def manifest(store: Store, release: str) -> dict[str, Any]:
    """Read what a release says of itself; nothing where it was never published whole."""
    if "manifest.json" not in store.names(f"{RELEASES}/{release}"):
        return {}
    return dict(json.loads(store.read(f"{RELEASES}/{release}/manifest.json")))


def _through(lineage: Lineage, files: list[Holder], named: Named, label: str) -> pl.DataFrame:
    """Search files on the engine.

    Raises:
        CurationError: naming the files that could not be read.
    """
    jobs = [(lineage.store, holder, named) for holder in files]
    workers = lineage.recipe.processes
    outcomes = engine.run_all(
        search_file, jobs, [h.name for h in files], workers=workers, label=label
    )
    if failed := [o.message for o in outcomes if o.error]:
        raise CurationError("takedown: what these files hold is not known:\n" + "\n".join(failed))
    return pl.concat(
        [pl.DataFrame(schema=MATCH), *(o.result for o in outcomes if o.result is not None)]
    )


def search_file(job: tuple[Store, Holder, Named]) -> pl.DataFrame:
    """Return MATCH of one file; a text is read where finding takes it, and of what was found."""
    store, holder, named = job
    parts = [pl.DataFrame(schema=MATCH)]
    for docs in documents(store, holder, text=named.reads_text or holder.stage == RELEASES):
        found = named.find(docs)
        if found.height:
            parts.append(_told(docs, found, holder))
    matches = pl.concat(parts)
    if not named.reads_text and matches.height and holder.stage != RELEASES:
        matches = _with_hashes(store, holder, matches)
    return matches


def _told(docs: pl.DataFrame, found: pl.DataFrame, holder: Holder) -> pl.DataFrame:
    rows = docs.with_row_index("doc").filter(pl.col("doc").is_in(found["doc"].unique().implode()))
    rows = rows.with_columns(
        exact_hashes(rows["text"]).alias("exact_hash"), file=pl.lit(holder.name)
    )
    joined = found.join(rows, on="doc", how="left", maintain_order="left")
    return joined.select(list(MATCH)).cast(MATCH)  # type: ignore[arg-type]


def _with_hashes(store: Store, holder: Holder, matches: pl.DataFrame) -> pl.DataFrame:
    """Read the texts of what was found without any."""
    wanted = matches["doc_id"].unique().implode()
    hashed = [pl.DataFrame(schema={"doc_id": pl.String, "found": pl.String})]
    for docs in documents(store, holder):
        mine = docs.filter(pl.col("doc_id").is_in(wanted))
        if mine.height:
            hashed.append(mine.select("doc_id", found=exact_hashes(mine["text"])))
    joined = matches.join(pl.concat(hashed), on="doc_id", how="left", maintain_order="left")
    return joined.with_columns(exact_hash="found").select(list(MATCH))


def _document(doc_id: str, rows: pl.DataFrame, shards: dict[str, str]) -> dict[str, Any]:
    places = rows.filter(pl.col("start").is_not_null())
    url = rows["url"].drop_nulls()
    return {
        "doc_id": doc_id,
        "shard": shards.get(doc_id.split("-", 1)[0]),
        "url": url[0] if len(url) else None,
        "by": rows["method"].unique().sort().to_list(),
        "share": places["score"].max(),
        "files": rows.filter("holds")["file"].unique().sort().to_list(),
        "spans": [
            {k: row[k] for k in ("file", "item", "score", "start", "end")}
            for row in places.iter_rows(named=True)
        ],
    }


def _near_copies(lineage: Lineage, found: set[str]) -> list[str]:
    """List the other members of the clusters of duplicates of what was found, where the recipe has them."""
    ref = lineage.current("duplicates", ALL)
    if ref is None or not found:
        return []
    named = pl.Series(sorted(found), dtype=pl.String).implode()
    columns = ["doc_id", "cluster"]
    with lineage.store.open(ref) as stream:
        mine = [b.filter(pl.col("doc_id").is_in(named)) for b in table.batches(stream, columns)]
        clusters = pl.concat(mine)["cluster"].unique().implode() if mine else None
    if clusters is None:
        return []
    with lineage.store.open(ref) as stream:
        parts = [
            b.filter(pl.col("cluster").is_in(clusters)) for b in table.batches(stream, columns)
        ]
    members = pl.concat(parts).filter(~pl.col("doc_id").is_in(named))
    return members["doc_id"].unique().sort().to_list()


def _shards(lineage: Lineage) -> dict[str, str]:
    """Say which shard every input file of the root is in, by what its doc_ids begin with."""
    return {
        plan.doc_prefix(shard.source, entry.path): key
        for key, shard in plan.stored(lineage.store).items()
        for entry in shard.inputs
    }


def _texts(path: Path) -> pl.DataFrame:
    """Read locator and text of every record that has a text.

    Raises:
        RecipeError: for a file of no format a source can have.
    """
    source = Source(name="named", paths=(str(path),))
    entry = plan.Input(path.name, str(path), path.stat().st_size, "")
    with path.open("rb") as stream:
        frames = [f.select("locator", "text") for f in read_any(stream, entry, source, Ingest())]
    none = pl.DataFrame(schema={"locator": pl.String, "text": pl.String})
    return pl.concat([none, *frames]).drop_nulls("text")


def _lines(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]
