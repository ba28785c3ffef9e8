"""What of each benchmark the corpus held, by which method it was found, and what became of the documents.

Read from the columns of hits and verdicts and from footers, a row group at a time; what is held in memory is a row
for an item and method, not for a document. *Before* is every document that was searched (`scanned`); *after* is what
`decontaminated` keeps, without the hits its cuts remove. A flagged hit is seen after, and counted so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from curation_dagster import probed, table
from curation_dagster.errors import IntegrityError
from curation_dagster.schema import SPANS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.lineage import Lineage
    from curation_dagster.store import Ref

_HIT: Final = ("benchmark", "item", "part", "method", "score", "start", "end")
_FATES: Final = ("dropped", "cut", "flagged", "not_mixed")
_SEEN: Final = {"benchmark": pl.String, "item": pl.String, "method": pl.String, "after": pl.Boolean}
PLACE: Final = {
    "shard": pl.String, "row": pl.UInt32, "doc_id": pl.String, "benchmark": pl.String, "item": pl.String,
    "part": pl.String, "method": pl.String, "score": pl.Float32, "start": pl.UInt32, "end": pl.UInt32,
}  # fmt: skip


def figures(lineage: Lineage) -> list[dict[str, Any]]:
    """Return one record a benchmark of the recipe.

    Raises:
        IntegrityError: when `scanned` or `decontaminated` is not current.
    """
    seen = pl.DataFrame(schema=_SEEN)
    fates: dict[str, dict[str, int]] = {}
    for _, hits in found(lineage):
        here = hits.select(list(_SEEN))
        seen = pl.concat([seen, here]).group_by(list(_SEEN)[:3]).agg(pl.col("after").any())
        documents = hits.unique(["row", "benchmark"]).group_by("benchmark", "fate").len()
        for benchmark, fate, count in documents.iter_rows():
            mine = fates.setdefault(benchmark, dict.fromkeys(_FATES, 0))
            mine[fate] += count
    footer = _footer(lineage)
    failed = probed.failures(footer["probes"], lineage.recipe.decontaminate) if footer else []
    return [
        _of(b.name, seen.filter(benchmark=b.name), fates.get(b.name, {}), footer, failed)
        for b in lineage.recipe.decontaminate.benchmarks
    ]


def probes_failed(lineage: Lineage) -> list[str]:
    """Say what the probes of any shard's run missed or found wrongly; [] where there are no benchmarks.

    Raises:
        IntegrityError: when `scanned` is not current.
    """
    config = lineage.recipe.decontaminate
    if not config.benchmarks:
        return []
    footers = (lineage.footer(_current(lineage, "scanned", shard)) for shard in lineage.shards)
    return sorted({reason for f in footers for reason in probed.failures(f["probes"], config)})


def found(lineage: Lineage) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield (shard, a row a hit): row, doc_id, the hit, `fate` of its document, and whether it is there `after`."""
    for shard in lineage.shards:
        refs = [_current(lineage, stage, shard) for stage in ("scanned", "decontaminated")]
        with lineage.store.fetch(*refs) as (scanned, decided):
            verdicts = table.RowReader(decided, ["row", "rejected_by", "cuts"])
            for batch in table.batches(scanned, ["row", "doc_id", "hits"]):
                if not batch.height:
                    continue
                known = verdicts.up_to(int(batch["row"][-1]))
                hits = batch.filter(pl.col("hits").list.len() > 0).explode("hits").unnest("hits")
                yield shard, _with_fate(hits, known)


def places(lineage: Lineage, count: int) -> dict[str, tuple[pl.DataFrame, pl.DataFrame]]:
    """Return of each benchmark the `count` nearest and the `count` farthest hits, PLACE, one a document and item."""
    names = [b.name for b in lineage.recipe.decontaminate.benchmarks]
    held = {name: (pl.DataFrame(schema=PLACE),) * 2 for name in names}
    for shard, hits in found(lineage):
        here = hits.with_columns(shard=pl.lit(shard)).select(list(PLACE))
        for (name,), mine in here.group_by("benchmark"):
            if name in held:
                near, far = held[str(name)]
                held[str(name)] = (_best(near, mine, count, True), _best(far, mine, count, False))
    return held


def _best(held: pl.DataFrame, more: pl.DataFrame, count: int, nearest: bool) -> pl.DataFrame:
    order = ["score", "doc_id", "item", "start", "method"]
    ranked = pl.concat([held, more]).sort(order, descending=[nearest, *[False] * 4])
    return ranked.unique(["doc_id", "item"], keep="first", maintain_order=True).head(count)


def _with_fate(hits: pl.DataFrame, verdicts: pl.DataFrame | None) -> pl.DataFrame:
    none = pl.DataFrame(schema={"row": pl.UInt32, "rejected_by": pl.String, "cuts": SPANS})
    known = (none if verdicts is None else verdicts).with_columns(mixed=pl.lit(value=True))
    joined = hits.join(known, on="row", how="left", maintain_order="left")
    fate = (
        pl.when(pl.col("mixed").is_null())
        .then(pl.lit("not_mixed"))
        .when(pl.col("rejected_by").is_not_null())
        .then(pl.lit("dropped"))
        .when(pl.col("cuts").list.len() > 0)
        .then(pl.lit("cut"))
        .otherwise(pl.lit("flagged"))
    )
    told = joined.with_columns(fate=fate).with_row_index("hit")
    spans = told.select("hit", "start", "end", "cuts").explode("cuts").drop_nulls("cuts")
    first, last = (pl.col("cuts").struct.field(f) for f in ("start", "end"))
    cut = spans.filter(first < pl.col("end"), last > pl.col("start"))["hit"].unique()
    ships = pl.col("fate").is_in(["cut", "flagged"]) & ~pl.col("hit").is_in(cut.implode())
    return told.with_columns(after=ships).select("row", "doc_id", *_HIT, "fate", "after")


def _of(
    name: str, seen: pl.DataFrame, fates: dict[str, int], footer: dict[str, Any], failed: list[str]
) -> dict[str, Any]:
    items = int(footer["probes"]["items"].get(name, 0)) if footer else 0
    lost = footer["undetectable_by_step"].get(name, {}) if footer else {}
    before, after = seen["item"].n_unique(), seen.filter("after")["item"].n_unique()
    methods = seen.group_by("method").agg(pl.col("item").n_unique()).sort("method")
    return {
        "benchmark": name,
        "items": items,
        "undetectable": int(lost.get("all steps", 0)),
        "seen_before": before,
        "seen_after": after,
        "share_before": before / items if items else None,
        "share_after": after / items if items else None,
        "by_method": dict(methods.iter_rows()),
        "documents": {fate: fates.get(fate, 0) for fate in _FATES},
        "probes_failed": [reason for reason in failed if reason.startswith(f"{name}:")],
    }


def _footer(lineage: Lineage) -> dict[str, Any]:
    """Return a shard's footer: of items and probes every shard's says the same."""
    for shard in lineage.shards:
        return lineage.footer(_current(lineage, "scanned", shard))
    return {}


def _current(lineage: Lineage, stage: str, shard: str) -> Ref:
    ref = lineage.current(stage, shard)
    if ref is None:
        state = lineage.state(stage, shard)
        msg = (
            f"{stage}/{shard} is {state}; `curate run {lineage.recipe.name} --to {stage}` makes it"
        )
        raise IntegrityError(msg)
    return ref
