"""`curate takedown --erase`: make a root hold no text of what its lists name (`erased`).

First the list is written: from then on nothing that was made from the texts is current. Then every file that
holds one goes. A `raw` is written again with blank rows, byte for byte what reading its shard again gives, so the
source is not needed; what was made from it (`annotated`, `exported`, a classifier, a release's JSONL) is removed, and
made again by the next run. A tombstone `ROOT/erased/gone/<stage>/<file>.json` says what became of each file, and a
release that held one is marked by `withdrawn.json`. Every step can be repeated: killed anywhere and run again,
the end is the same.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import polars as pl

from curation_dagster import engine, plan, schema, table
from curation_dagster.commands.holders import RELEASES, Holder, documents, holders
from curation_dagster.commands.whereabouts import manifest
from curation_dagster.erased import FOLDER, GONE, Erasures, base_of, without, write
from curation_dagster.errors import CurationError, IntegrityError, StorageError
from curation_dagster.export.release import WITHDRAWN, withdrawn
from curation_dagster.lineage import record_name
from curation_dagster.recipe_file import short_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation_dagster.commands.whereabouts import Search
    from curation_dagster.lineage import Lineage
    from curation_dagster.store import Ref, Store

J = TypeVar("J")
T = TypeVar("T")
_MODELS: Final = "classifier"


def erase(lineage: Lineage, found: Search) -> dict[str, Any]:
    """Write the list of what was found, and remove every text it names; return what was done.

    Raises:
        StorageError: while another process writes to the root.
        CurationError: when a file could not be worked on; the others are done, and running again goes on.
        IntegrityError: when a text is still there afterwards.
    """
    store = lineage.store
    if busy := store.busy():
        msg = f"something may be writing to {store.root}: {', '.join(busy)} in .scratch; stop it, or remove the folder"
        raise StorageError(msg)
    name = _listed(store, found)
    done = _remove(lineage)
    marked = _withdraw(lineage)
    if left := holding(lineage):
        msg = f"still there: {', '.join(sorted(left))}; was something run meanwhile? Run it again"
        raise IntegrityError(msg)
    return {
        "list": name,
        "replaced": done["replaced"],
        "removed": done["removed"],
        "withdrawn": marked,
    }


def holding(lineage: Lineage) -> dict[str, int]:
    """Count the erased documents that files still hold text of, by file."""
    store = lineage.store
    jobs = [(store, holder) for holder in holders(store)]
    found = _all(lineage, _held, jobs, [h.name for _, h in jobs], "takedown (looking again)")
    return {name: count for name, count in found.items() if count}


def _listed(store: Store, found: Search) -> str:
    """Write the list, unless one says it already; return its name."""
    asked, documents_ = found.request.named, set(found.documents)
    lists = Erasures.of(store).lists
    known = {doc_id for listed in lists for doc_id in listed.documents}
    for listed in lists:
        same = replace(listed.named, copies_of=()).said == replace(asked, copies_of=()).said
        same = same and set(asked.copies_of) <= set(listed.named.copies_of)
        if same and documents_ <= known:
            return listed.name
    searched: dict[str, list[str]] = {}
    for holder in found.searched:
        base = _base(store, holder.ref) if holder.ref and holder.stage == "raw" else None
        if holder.ref and base:
            searched.setdefault(holder.ref.partition, []).append(base)
    return write(
        store, found.named, sorted(documents_), {k: sorted({*v}) for k, v in searched.items()}
    )


def _remove(lineage: Lineage) -> dict[str, list[str]]:
    """Replace or remove every file that holds a text of an erased document."""
    store = lineage.store
    tables = [h for h in holders(store) if h.stage != RELEASES]
    files = [*tables, *(Holder(r.name, _MODELS, r.bytes, r) for r in store.refs(_MODELS))]
    jobs = [(store, holder) for holder in files]
    done = _all(lineage, remove_texts, jobs, [h.name for h in files], "takedown (erasing)")
    return {
        what: sorted(n for n, w in done.items() if w == what) for what in ("replaced", "removed")
    }


def remove_texts(job: tuple[Store, Holder]) -> str | None:
    """Do what one file needs; say what was done."""
    store, holder = job
    if holder.stage == _MODELS:
        count = _learned_from(store, holder)
    elif holder.stage == "raw":
        return _reread(store, holder)
    else:
        count = _held(job)
    if not count:
        return None
    _bury(store, holder.name, count, None)
    return "removed"


def _reread(store: Store, holder: Holder) -> str | None:
    """Write a `raw` again as its shard is read under the lists of now, then remove the old file."""
    ref = holder.ref
    if ref is None:
        return None
    count = _held((store, holder))
    made_from = _made_from(store, ref)
    shard = plan.stored_shard(store, ref.partition)
    if made_from is None or shard is None:  # nobody knows how it was made
        if count:
            _bury(store, ref.name, count, None)
        return "removed" if count else None
    now = {key: value for key, value in made_from.items() if key != FOLDER}
    if applying := Erasures.of(store).applying(shard, base_of(now)):
        now[FOLDER] = applying
    if short_hash(now) == ref.input:
        return None
    with store.scratch() as folder, store.fetch(ref) as (path,):
        draft, tally = folder / "draft.parquet", table.Tally()
        with table.TableWriter(draft, schema.RAW) as writer:
            for frame in without(table.batches(path), store, now.get(FOLDER)):
                tally.add(frame)
                writer.write(frame)
            writer.finish(table.footer(path, ref.name) | tally.summary)
        new = store.publish(draft, ref.stage, ref.partition, short_hash(now))
    record = json.dumps(now, sort_keys=True).encode()
    store.create(record_name(ref.stage, ref.partition, new.input), record)
    _bury(store, ref.name, count, new.name)
    return "replaced"


def _bury(store: Store, name: str, count: int, replaced_by: str | None) -> None:
    """Leave a tombstone, then remove the file; a removed file has one, always."""
    said = {"documents": count, "replaced_by": replaced_by, "reason": "taken down"}
    store.create(f"{GONE}/{name}.json", json.dumps(said, sort_keys=True).encode())
    store.remove(name)


def _withdraw(lineage: Lineage) -> list[str]:
    """Mark every release one of whose files is gone or must go, then remove those; return the releases' names."""
    store = lineage.store
    jobs = [(store, h) for h in holders(store) if h.stage == RELEASES]
    held = _all(lineage, _held, jobs, [h.name for _, h in jobs], "takedown (releases)")
    buried = {n.removesuffix(".json") for n in store.names(f"{GONE}/exported")}
    marked = []
    for release in store.folders(RELEASES):
        listed = [f["name"] for f in manifest(store, release).get("files", [])]
        gone = [n for n in listed if n.removeprefix("exported/") in buried]
        going = [h.name for _, h in jobs if h.release == release and held[h.name]]
        before = withdrawn(store, release)
        if not (gone or going or before):
            continue
        files = sorted({*before, *gone, *going})
        said = {
            "release": release,
            "reason": "held documents that were taken down",
            "files_gone": files,
        }
        with store.scratch() as scratch:
            draft = scratch / WITHDRAWN
            draft.write_text(json.dumps(said, sort_keys=True, indent=1) + "\n", "utf-8")
            store.replace(f"{RELEASES}/{release}/{WITHDRAWN}", draft)
        for name in going:
            _bury(store, name, held[name] or 0, None)
        marked.append(release)
    return marked


def _held(job: tuple[Store, Holder]) -> int:
    """Count the erased documents a file has text of; of `annotated`, those it has a row of."""
    store, holder = job
    erased = pl.Series(sorted(Erasures.of(store).documents), dtype=pl.String).implode()
    held = 0
    for docs in documents(store, holder, text=False):
        held += docs.filter("holds", pl.col("doc_id").is_in(erased))["doc_id"].n_unique()
    return held


def _learned_from(store: Store, holder: Holder) -> int:
    """Count the erased documents of the shards a model was trained on; its vocabulary may hold their words."""
    made_from = _made_from(store, holder.ref) if holder.ref else None
    if holder.ref is None or holder.ref.suffix != "bin" or made_from is None:
        return 0
    section = made_from["recipe"]["classifier"]
    trained = {*section["good"]["shards"], *section["ordinary"]["shards"]}
    shards = [shard for key in sorted(trained) if (shard := plan.stored_shard(store, key))]
    prefixes = {plan.doc_prefix(s.source, entry.path) for s in shards for entry in s.inputs}
    return sum(doc_id.split("-", 1)[0] in prefixes for doc_id in Erasures.of(store).documents)


def _base(store: Store, ref: Ref) -> str | None:
    made_from = _made_from(store, ref)
    return base_of(made_from) if made_from else None


def _made_from(store: Store, ref: Ref) -> dict[str, Any] | None:
    """Read what a file was made from; None where no record says."""
    try:
        return dict(json.loads(store.read(record_name(ref.stage, ref.partition, ref.input))))
    except StorageError as error:
        if not error.is_absence:
            raise
        return None


def _all(
    lineage: Lineage, work: Callable[[J], T], jobs: list[J], keys: list[str], label: str
) -> dict[str, T | None]:
    """Map over files on the engine.

    Raises:
        CurationError: naming the files that failed.
    """
    outcomes = engine.run_all(work, jobs, keys, workers=lineage.recipe.processes, label=label)
    if failed := [o.message for o in outcomes if o.error]:
        raise CurationError("takedown: run it again when these are mended:\n" + "\n".join(failed))
    return {o.key: o.result for o in outcomes}
