"""The stage `release`: a manifest of what ships, audited, and its rendering under `ROOT/releases/RECIPE/`.

The manifest is the stage's immutable file; the folder holds what people read (manifest, funnel,
dataset card, SHA256SUMS) and, if asked for, the text as JSONL.zst. A release whose audit failed is recorded and
not published.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow.parquet as pq
import zstandard

from curation_dagster import gates, table
from curation_dagster import lineage as lineage_
from curation_dagster.contamination import figures, probes_failed
from curation_dagster.errors import StorageError
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
MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
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
    if job.recipe.pilot is not None:
        manifest["pilot"] = job.recipe.pilot
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
    """Render a release for people; return the names it has, empty if its audit failed, or probes nobody accepted.

    The folder is published while it has a manifest.json. That goes first and comes back last, so a rendering that was
    interrupted is none, and the next run makes it whole. One that is whole already is left as it is.
    """
    if refused(manifest):
        return []
    folder, texts = _folder(manifest), _texts(manifest)
    shards = _jsonl_names(manifest) if jsonl else []
    written = [f"{folder}/{name}" for name in (*shards, *texts, SUMS)]
    if _is_whole(store, manifest, jsonl=jsonl):
        return written
    if MANIFEST in store.names(folder):
        store.remove(f"{folder}/{MANIFEST}")
    with store.scratch() as scratch:
        sums = _render_jsonl(store, manifest, folder, scratch) if jsonl else {}
        for name in store.names(f"{folder}/jsonl"):
            if f"jsonl/{name}" not in shards:  # of an earlier mixture
                store.remove(f"{folder}/jsonl/{name}")
        sums |= {name: _sum(text) for name, text in texts.items()}
        if WITHDRAWN in store.names(folder):  # this one holds none of it
            store.remove(f"{folder}/{WITHDRAWN}")
        for name, text in [(SUMS, _listed(sums)), *reversed(texts.items())]:
            draft = scratch / name
            draft.write_text(text, "utf-8")
            store.replace(f"{folder}/{name}", draft)
    return written


def refused(manifest: dict[str, Any]) -> bool:
    """Whether a release is not to be published: its audit failed, or probes that nobody accepted."""
    accepted = any(gate["check"] == "probes_found" for gate in manifest["gates"])
    return not manifest["audit"]["passed"] or bool(manifest["probes_failed"] and not accepted)


def is_done(lineage: Lineage, stage: str, partition: str) -> bool:
    """Whether a partition is current, and, of `release`, its rendering whole. Two listings, three small files."""
    ref = lineage.current(stage, partition)
    if ref is None or stage != "release":
        return ref is not None
    manifest = lineage.footer(ref)
    return refused(manifest) or _is_whole(
        lineage.store, manifest, jsonl=lineage.recipe.export.jsonl
    )


def damaged_renderings(store: Store, release: str) -> list[str]:
    """Read a published release and name the files that are not what its SHA256SUMS says."""
    folder = f"releases/{release}"
    listed = {*store.names(folder)}
    if not {MANIFEST, SUMS} <= listed or WITHDRAWN in listed:
        return []
    wrong = []
    for name, wanted in _sums(store, folder).items():
        try:
            with store.open_name(f"{folder}/{name}") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except StorageError as error:
            if not error.is_absence:
                raise
            found = "nothing"
        if found != wanted:
            wrong.append(f"{folder}/{name}")
    return wrong


def _sums(store: Store, folder: str) -> dict[str, str]:
    """Read what SHA256SUMS says of each file."""
    lines = store.read(f"{folder}/{SUMS}").decode().splitlines()
    return {name: wanted for wanted, name in (line.split("  ", 1) for line in lines)}


def _is_whole(store: Store, manifest: dict[str, Any], *, jsonl: bool) -> bool:
    """Say whether the folder is this manifest's rendering, by names and by what SHA256SUMS says of the texts."""
    folder, texts = _folder(manifest), _texts(manifest)
    listed = {*store.names(folder)}
    shards = {f"jsonl/{name}" for name in store.names(f"{folder}/jsonl")}
    if not {*texts, SUMS} <= listed or WITHDRAWN in listed:
        return False
    if shards != set(_jsonl_names(manifest) if jsonl else []):
        return False
    known = _sums(store, folder)
    same = all(known.get(name) == _sum(text) for name, text in texts.items())
    return same and store.read(f"{folder}/{MANIFEST}").decode() == texts[MANIFEST]


def _folder(manifest: dict[str, Any]) -> str:
    return f"releases/{manifest['recipe']}"


def _texts(manifest: dict[str, Any]) -> dict[str, str]:
    """Return the small files by name; the manifest is the first, and written last."""
    return {
        MANIFEST: _pretty(manifest),
        "funnel.json": _pretty({"recipe": manifest["recipe"], "stages": manifest["funnel"]}),
        "README.md": card(manifest),
    }


def _jsonl_names(manifest: dict[str, Any]) -> list[str]:
    return [f"jsonl/{file['partition']}.jsonl.zst" for file in manifest["files"]]


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _listed(sums: dict[str, str]) -> str:
    """Write sums as `sha256sum --check` reads them."""
    return "".join(f"{digest_}  {name}\n" for name, digest_ in sorted(sums.items()))


def withdrawn(store: Store, release: str) -> list[str]:
    """Name the files that are gone from a published release because a takedown named what they held."""
    folder = f"releases/{release}"
    if WITHDRAWN not in store.names(folder):
        return []
    return list(json.loads(store.read(f"{folder}/{WITHDRAWN}"))["files_gone"])


def _render_jsonl(
    store: Store, manifest: dict[str, Any], folder: str, scratch: Path
) -> dict[str, str]:
    """Write the shards as JSONL; return their sha256 by name."""
    sums = {}
    refs = {ref.name: ref for ref in store.refs("exported")}
    for file, name in zip(manifest["files"], _jsonl_names(manifest), strict=True):
        draft = scratch / "draft.jsonl.zst"
        with (
            store.fetch(refs[file["name"]]) as (path,),
            draft.open("wb") as raw,
            zstandard.ZstdCompressor(level=3).stream_writer(raw, closefd=False) as stream,
        ):
            for batch in table.batches(path):
                stream.write(batch.write_ndjson().encode())
        sums[name] = sha256(draft)
        store.replace(f"{folder}/{name}", draft)
    return sums


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
