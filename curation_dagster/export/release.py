"""The stage `release`: a manifest of what ships, audited, and its rendering under `ROOT/releases/RECIPE/`.

The manifest is the stage's immutable file; the folder holds what people read (manifest, funnel,
dataset card) and, if asked for, the text as JSONL.zst. A release whose audit failed is recorded and
not published.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow.parquet as pq
import zstandard

from curation_dagster import gates, table
from curation_dagster import lineage as lineage_
from curation_dagster.contamination import figures, probes_failed
from curation_dagster.export.audit import audit
from curation_dagster.export.card import card
from curation_dagster.funnel import funnel
from curation_dagster.lineage import Lineage
from curation_dagster.recipe_file import digest, sha256

if TYPE_CHECKING:
    from pathlib import Path

    from curation_dagster.job import Files, Job
    from curation_dagster.recipe_decontaminate import Decontaminate
    from curation_dagster.store import Store

_TOP_LICENCES: Final = 50
WITHDRAWN: Final = "withdrawn.json"  # beside a release whose files held what was taken down


def make_release(job: Job, files: Files) -> dict[str, Any]:
    """Audit the exported files and write the manifest.

    Raises:
        IntegrityError: when the stages disagree about how many documents passed.
    """
    lineage = Lineage(job.recipe, job.store)
    paths = files.parents["exported"]
    refs = job.parents["exported"]
    dedup = job.recipe.dedup
    found = audit(
        paths,
        job.recipe.decontaminate,
        duplicates_allowed=not dedup.exact
        or dedup.cuts  # cuts can leave two texts the same
        or job.recipe.decontaminate.cuts,
        within_source=dedup.scope == "source",
        erased=lineage.erasures.documents,
    )
    listed = [_file(ref.name, path) for ref, path in zip(refs, paths, strict=True)]
    contents = pl.concat(
        [table.read(p, ["source", "license", "token_count", "phase"]) for p in paths]
    )
    manifest = {
        "recipe": job.recipe.name,
        "description": job.recipe.description,
        "recipe_digest": digest(job.recipe),
        "code_versions": {stage.name: stage.code_version for stage in lineage_.stages(job.recipe)},
        "rows": sum(f["rows"] for f in listed),
        "tokens": sum(f["tokens"] for f in listed),
        "files": listed,
        "audit": asdict(found) | {"passed": found.passed},
        "contamination": figures(lineage),
        "probes_failed": probes_failed(lineage),
        "gates": _accepted(lineage),
        "sources": _counts(contents, "source"),
        "phases": _counts(contents, "phase"),
        "licenses": _counts(contents, "license")[:_TOP_LICENCES],
        "funnel": funnel(lineage)["stages"],
        "mixture": _mixture(lineage),
        "benchmarks": benchmarks(job.recipe.decontaminate),
    }
    files.draft.write_text(
        json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
    return manifest


def benchmarks(config: Decontaminate) -> list[dict[str, str | None]]:
    """Return what the recipe says of the benchmarks that were looked for, and their files' sha256."""
    named = ("name", "version", "split", "language", "licence", "action", "passage_action")
    return [
        {name: getattr(benchmark, name) for name in named} | {"sha256": sha256(benchmark.file.path)}
        for benchmark in config.benchmarks
    ]


def _accepted(lineage: Lineage) -> list[dict[str, Any]]:
    """Return every gate that failed and was accepted: what, by whom, when and why."""
    return [
        asdict(gate) | {"by": said.by, "at": said.at, "because": said.because, "record": said.name}
        for gate, said in gates.accepted(lineage)
    ]


def publish(store: Store, manifest: dict[str, Any], *, jsonl: bool) -> list[str]:
    """Render a release for people; return the names written, empty if its audit failed, or probes nobody accepted."""
    probes_accepted = any(gate["check"] == "probes_found" for gate in manifest["gates"])
    if not manifest["audit"]["passed"] or (manifest["probes_failed"] and not probes_accepted):
        return []
    folder = f"releases/{manifest['recipe']}"
    written = []
    with store.scratch() as scratch:
        texts = {
            "manifest.json": _pretty(manifest),
            "funnel.json": _pretty({"recipe": manifest["recipe"], "stages": manifest["funnel"]}),
            "README.md": card(manifest),
        }
        if jsonl:
            written += _render_jsonl(store, manifest, folder, scratch)
        for name, text in texts.items():
            draft = scratch / name
            draft.write_text(text, "utf-8")
            store.replace(f"{folder}/{name}", draft)
            written.append(f"{folder}/{name}")
    for name in store.names(f"{folder}/jsonl"):
        if f"{folder}/jsonl/{name}" not in written:  # of an earlier mixture
            store.remove(f"{folder}/jsonl/{name}")
    if WITHDRAWN in store.names(folder):  # this one holds none of it
        store.remove(f"{folder}/{WITHDRAWN}")
    return written


def withdrawn(store: Store, release: str) -> list[str]:
    """Name the files that are gone from a published release because a takedown named what they held."""
    folder = f"releases/{release}"
    if WITHDRAWN not in store.names(folder):
        return []
    return list(json.loads(store.read(f"{folder}/{WITHDRAWN}"))["files_gone"])


def _render_jsonl(store: Store, manifest: dict[str, Any], folder: str, scratch: Path) -> list[str]:
    written = []
    refs = {ref.name: ref for ref in store.refs("exported")}
    for file in manifest["files"]:
        name = f"{folder}/jsonl/{file['partition']}.jsonl.zst"
        draft = scratch / "draft.jsonl.zst"
        with (
            store.fetch(refs[file["name"]]) as (path,),
            draft.open("wb") as raw,
            zstandard.ZstdCompressor(level=3).stream_writer(raw, closefd=False) as stream,
        ):
            for batch in table.batches(path):
                stream.write(batch.write_ndjson().encode())
        store.replace(name, draft)
        written.append(name)
    return written


def _file(name: str, path: Path) -> dict[str, Any]:
    summary = table.footer(path, name)
    return {
        "name": name,
        "partition": name.rsplit("/", maxsplit=1)[-1].rsplit(".", 3)[0],
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
        "rows": pq.read_metadata(path).num_rows,
        "tokens": summary.get("tokens_kept", 0),
    }


def _counts(contents: pl.DataFrame, column: str) -> list[dict[str, Any]]:
    grouped = contents.group_by(column, maintain_order=True).agg(
        documents=pl.len(), tokens=pl.col("token_count").cast(pl.UInt64).sum()
    )
    return grouped.sort("documents", column, descending=[True, False], nulls_last=True).to_dicts()


def _mixture(lineage: Lineage) -> list[dict[str, Any]]:
    ref = lineage.current("mixture", lineage_.ALL)
    if ref is None:
        return []
    with lineage.store.fetch(ref) as (path,):
        return table.read(path).drop("extra_below").to_dicts()


def _pretty(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
