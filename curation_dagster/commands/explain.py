"""`curate explain`: the story of one document, read from one shard's tables and the output shards it went to.

A doc_id locates itself: its first half is a hash of source and file, so the plan says which shard to open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow.parquet as pq

from curation_dagster import plan, table
from curation_dagster.clean.rules import rules_of
from curation_dagster.commands.explain_hits import told, with_excerpts
from curation_dagster.counted import counted
from curation_dagster.errors import RecipeError
from curation_dagster.export.shuffle import address
from curation_dagster.lineage import ALL
from curation_dagster.verdict import describe, signal_of

if TYPE_CHECKING:
    from curation_dagster.lineage import Lineage
    from curation_dagster.store import Ref

_STAGES = ("raw", "annotated", "cleaned", "deduped", "scored", "scanned", "mixed", "decontaminated")
_CUTS_TOLD = 20  # and documents whose url is looked up
_HIDDEN = {"row", "doc_id", "text", "text_bytes", "record_bytes", "rejected_by"}


def story(lineage: Lineage, doc_id: str) -> dict[str, Any]:
    """Collect every stage's row for a document, and what decided its fate.

    Raises:
        RecipeError: when no planned shard holds such a document.
    """
    place = locate(lineage, doc_id)
    if place is None:
        if why := why_out(lineage, doc_id):
            raise RecipeError(f"{doc_id}: {why}")
        msg = f"{doc_id}: no planned file of {lineage.recipe.name} has such documents; is it another recipe's?"
        raise RecipeError(msg)
    shard, path = place
    found: dict[str, Any] = {"doc_id": doc_id, "shard": shard, "file": path, "stages": {}}
    stages: dict[str, Any] = found["stages"]
    for stage in _STAGES:
        ref = lineage.current(stage, shard)
        if ref is None:
            found.setdefault("not_current", []).append(stage)
        row = _row(lineage, ref, doc_id) if ref else None
        if row is None:
            if stage == "raw" and ref:
                msg = f"{doc_id}: {shard} holds no such document"
                raise RecipeError(msg)
            continue
        stages[stage] = row
        if row.get("rejected_by"):
            found["rejected_by"] = row["rejected_by"]
            break
    _add(lineage, doc_id, stages)
    if stages.get("decontaminated") and not found.get("rejected_by"):
        fragments = max(1, len(stages["decontaminated"]["fragment_tokens"]))
        copies = stages["mixed"]["copies"]
        stages["exported"] = {"outputs": _outputs(lineage, doc_id, copies, fragments)}
    found["fate"] = _fate(found)
    return found


def _add(lineage: Lineage, doc_id: str, stages: dict[str, Any]) -> None:
    """Add what other tables say about a verdict: thresholds, the kept twin, where what was cut is kept."""
    if stages.get("cleaned", {}).get("rejected_by"):
        stages["cleaned"] |= _threshold(lineage, stages["cleaned"]["rejected_by"])
    if twin := stages.get("deduped", {}).get("duplicate_of"):
        stages["deduped"] |= _twin(lineage, twin)
    if stages.get("deduped", {}).get("cuts"):
        stages["deduped"] |= _cuts(lineage, doc_id)
    if cuts := stages.get("decontaminated", {}).get("cuts"):
        hits = stages.get("scanned", {}).get("hits", [])
        stages["decontaminated"]["cuts"] = [_with_items(lineage, cut, hits) for cut in cuts]
    if stages.get("scanned", {}).get("hits"):
        shard, _ = locate(lineage, doc_id) or ("", "")
        stages["scanned"]["hits"] = with_excerpts(lineage, shard, stages["scanned"])


def tell(story: dict[str, Any]) -> str:
    """Write a story for a person."""
    lines = [f"{story['doc_id']}  shard {story['shard']}  file {story['file']}"]
    for stage, row in story["stages"].items():
        verdict = row.get("rejected_by")
        lines.append(f"\n{stage}: {'rejected by ' + verdict if verdict else 'kept'}")
        cuts = row.get("cuts") or []
        hits = row.get("hits") or []
        lines += [
            f"    {name:<32} {_short(value)}"
            for name, value in row.items()
            if value is not cuts
            and value is not hits
            and name not in _HIDDEN
            and value is not None
            and value != []
        ]
        lines += [f"    {'cut':<32} {_cut_told(cut)}" for cut in cuts[:_CUTS_TOLD]]
        if len(cuts) > _CUTS_TOLD:
            lines.append(f"    {'':<32} and {len(cuts) - _CUTS_TOLD:,} more; --json has them all")
        lines += told(hits)
    return "\n".join([*lines, "", story["fate"]])


def locate(lineage: Lineage, doc_id: str) -> tuple[str, str] | None:
    """Find the shard and the file a doc_id points to, if the recipe has planned it."""
    for key, shard in lineage.shards.items():
        if path := _path_of(shard, doc_id):
            return key, path
    return None


def why_out(lineage: Lineage, doc_id: str) -> str | None:
    """Say that a document's source was retired, if it was."""
    shards = plan.stored(lineage.store).values() if lineage.retired else ()
    for shard in shards:
        if shard.source in lineage.retired and _path_of(shard, doc_id):
            return lineage.retired[shard.source].told
    return None


def _path_of(shard: plan.Shard, doc_id: str) -> str | None:
    """Return the file of a shard that a doc_id points to."""
    prefix = doc_id.split("-", 1)[0]
    found = (e.path for e in shard.inputs if plan.doc_prefix(shard.source, e.path) == prefix)
    return next(found, None)


def _row(lineage: Lineage, ref: Ref, doc_id: str) -> dict[str, Any] | None:
    """Find a document's row; row groups are tried one by one, without their text first."""
    with lineage.store.open(ref) as stream, pq.ParquetFile(stream) as file:
        for group in range(file.num_row_groups):
            ids = pl.Series(pl.from_arrow(file.read_row_group(group, columns=["doc_id"])["doc_id"]))
            at = (ids == doc_id).arg_max()
            if at is None or ids[at] != doc_id:
                continue
            columns = [n for n in file.schema_arrow.names if n not in {"text", "signature"}]
            rows = file.read_row_group(group, columns=columns).slice(at, 1)
            return pl.DataFrame(pl.from_arrow(rows)).row(0, named=True)
    return None


def _cuts(lineage: Lineage, doc_id: str) -> dict[str, Any]:
    """List what was cut from a document, by which rule, where the kept occurrence is, and how much is left."""
    ref, place = lineage.current("repeats", ALL), locate(lineage, doc_id)
    if ref is None or place is None:
        return {}
    names = ["start", "end", "rule", "first_doc_id", "left_terms"]
    with lineage.store.open(ref) as stream:
        frames = [
            frame.filter(pl.col("doc_id") == doc_id).select(names)
            for frame in table.batches(stream, ["doc_id", *names], shard=place[0])
        ]
    cuts = pl.concat(frames) if frames else pl.DataFrame(schema=names)
    firsts = cuts["first_doc_id"].unique(maintain_order=True).head(_CUTS_TOLD)
    urls = {name: _twin(lineage, name)["kept_twin_url"] for name in firsts}
    told = [
        cut | {"first_url": urls.get(cut["first_doc_id"])}
        for cut in cuts.drop("left_terms").iter_rows(named=True)
    ]
    least = lineage.recipe.dedup.min_left_terms
    return {"cuts": told, "left_terms": cuts["left_terms"].first(), "min_left_terms": least}


def _with_items(
    lineage: Lineage, cut: dict[str, Any], hits: list[dict[str, Any]]
) -> dict[str, Any]:
    """Say because of which hits a span was cut: those inside it whose action is to cut."""
    config = lineage.recipe.decontaminate
    items = [
        f"{hit['benchmark']}/{hit['item']} ({hit['part']}, {hit['method']} {hit['score']:.3f})"
        for hit in hits
        if cut["start"] <= hit["start"] < cut["end"]
        and config.benchmark(hit["benchmark"]).action_on(hit["part"]) == "cut"
    ]
    return cut | {"items": items}


def _cut_told(cut: dict[str, Any]) -> str:
    if "items" in cut:
        return f"bytes {cut['start']} to {cut['end']}: {', '.join(cut['items'])}"
    where = f" ({cut['first_url']})" if cut.get("first_url") else ""
    return (
        f"{cut['rule']}, bytes {cut['start']} to {cut['end']}: kept in {cut['first_doc_id']}{where}"
    )


def _threshold(lineage: Lineage, rejected_by: str) -> dict[str, Any]:
    """Say what the rule that rejected a document asks for."""
    keep = rules_of(lineage.recipe.steps).get(rejected_by.removeprefix("clean."))
    return {"rule": describe(keep), "decided_by": signal_of(keep)} if keep is not None else {}


def _twin(lineage: Lineage, doc_id: str) -> dict[str, Any]:
    """Say where the document that was kept is from; null what is not known."""
    place = locate(lineage, doc_id)
    ref = lineage.current("raw", place[0]) if place else None
    row = _row(lineage, ref, doc_id) if ref else None
    return {
        "kept_twin_url": row["url"] if row else None,
        "kept_twin_source": lineage.shards[place[0]].source if place else None,
    }


def _outputs(
    lineage: Lineage, doc_id: str, copies: list[dict[str, Any]], fragments: int
) -> list[str]:
    """Name the output files that hold a document's copies, as the shuffle addresses their fragments."""
    mixture = lineage.current("mixture", ALL)
    if mixture is None:
        return []
    counts = lineage.footer(mixture)["output_shards"]
    found: dict[str, int] = {}
    for entry in copies:
        each = pl.DataFrame({"copy": range(entry["copies"])}).join(
            pl.DataFrame({"fragment": range(fragments)}), how="cross"
        )
        each = each.with_columns(doc_id=pl.lit(doc_id))
        _, outputs = address(
            each, entry["phase"], counts[entry["phase"]], lineage.recipe.export.seed
        )
        for output in outputs:
            ref = lineage.current("exported", output)
            name = ref.name if ref else f"exported/{output} (not computed)"
            found[name] = found.get(name, 0) + 1
    return [f"{name} x{count}" if count > 1 else name for name, count in sorted(found.items())]


def _fate(found: dict[str, Any]) -> str:
    stages = found["stages"]
    cluster = _cluster(stages.get("deduped", {}))
    if reason := found.get("rejected_by"):
        stage, row = next((s, r) for s, r in stages.items() if r.get("rejected_by"))
        text = f"rejected in {stage} by {reason}"
        if row.get("rule"):
            value = stages["annotated"].get(row["decided_by"])
            text += f": {row['decided_by']} is {_short(value)}, the rule is {row['rule']}"
        if row.get("duplicate_of"):
            text += f": {_as_duplicate(row)}"
        if reason == "dedup.nothing_left":
            text += f": cuts leave {row['left_terms']:,} terms of it, min_left_terms is {row['min_left_terms']:,}"
        if row.get("item"):
            text += f": holds {row['benchmark']}/{row['item']} (score {row['score']:.3f})"
        return text if stage == "deduped" else text + cluster
    if outputs := stages.get("exported", {}).get("outputs"):
        return "shipped in " + ", ".join(outputs) + _parts(stages["decontaminated"]) + cluster
    waiting = f"; not current: {', '.join(found['not_current'])}" if "not_current" in found else ""
    return f"kept so far, last seen in {list(stages)[-1]}{waiting}{cluster}"


def _parts(row: dict[str, Any]) -> str:
    """Say of a document that benchmark hits cut what is left of it."""
    if not row["cuts"]:
        return ""
    spans, parts = len(row["cuts"]), len(row["fragment_tokens"])
    left = f"{counted(parts, 'fragment')} of {row['token_count']:,} tokens stay"
    return f"; {counted(spans, 'span')} cut out for benchmark items, {left}"


def _as_duplicate(row: dict[str, Any]) -> str:
    """Say whose duplicate a document is, how alike they are and how many there are."""
    alike = row["similarity"]
    similarity = "similarity not measured" if alike is None else f"similarity {alike:.3f}"
    place = f" of {row['kept_twin_source']}" if row["kept_twin_source"] else ""
    url = f", {row['kept_twin_url']}" if row["kept_twin_url"] else ""
    size = f"a cluster of {row['cluster_size']:,}"
    return f"duplicate of {row['duplicate_of']}{place}{url} ({similarity}; {size})"


def _cluster(row: dict[str, Any]) -> str:
    """Say of a document that stays what cluster it is in, if others are in it."""
    if row.get("duplicate_of"):
        return f"; stays, though a {_as_duplicate(row)}"
    size = row.get("cluster_size", 1)
    return f"; the kept one of a cluster of {size:,}" if size > 1 else ""


def _short(value: Any) -> str:  # noqa: ANN401 - a cell
    return f"{value:.6g}" if isinstance(value, float) else str(value)
