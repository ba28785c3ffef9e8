"""What the UI shows of a partition and of a run: numbers, a table of all partitions, a histogram of a signal or two."""

import base64
from collections.abc import Iterable
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
from numpy.typing import NDArray

from curation_dagster import table
from curation_dagster.dedup import figures
from curation_dagster.funnel import top_reasons
from curation_dagster.job import Receipt
from curation_dagster.lineage import ALL, Lineage
from curation_dagster.orchestration import partitions
from curation_dagster.recipe_file import digest

HISTOGRAMS = {
    "raw": ("text_bytes",),
    "annotated": ("gopher_word_count", "lid_language_prob"),
    "deduped": ("cluster_size",),
    "scored": ("quality", "token_count"),
    "exported": ("token_count",),
}
_FILES_SAMPLED, _FILES_SAMPLED_AGAIN = 20, 2  # where something was computed; where all was reused
_TABLE_ROWS = 200
_RECORDS_ASKED = 50  # of a partition, the newest: some reused what was there
_MEGA = 1e6


def attach(context: dg.AssetExecutionContext, stage: str, receipts: list[Receipt]) -> None:
    """Give every partition of a ranged run its own metadata."""
    if receipts and receipts[0].ref.partition != "all":
        with partitions.remembered(context.instance):
            for receipt in receipts:
                partition = receipt.ref.partition
                context.add_asset_metadata(of_partition(receipt), partition_key=partition)
    context.log.info(
        "%s: %d computed, %d in all", stage, sum(r.computed for r in receipts), len(receipts)
    )


def log_committed(
    context: dg.AssetExecutionContext, key: dg.AssetKey, receipts: list[Receipt]
) -> None:
    """Record what was committed in a step that fails; a failed step records nothing by itself."""
    for receipt in receipts:
        partition = None if receipt.ref.partition == "all" else receipt.ref.partition
        context.log_event(
            dg.AssetMaterialization(key, partition=partition, metadata=of_partition(receipt))
        )


def of_partition(receipt: Receipt) -> dict[str, Any]:
    """Describe one partition in numbers; what does not apply is left out."""
    summary, ref = receipt.summary, receipt.ref
    text_bytes = summary.get("bytes_kept", 0)
    found: dict[str, Any] = {
        "file": ref.name,
        "computed": receipt.computed,
        "file_bytes": ref.bytes,
        "rows": summary.get("rows"),
        "kept": summary.get("kept"),
        "bytes_kept": summary.get("bytes_kept"),
        "tokens_kept": summary.get("tokens_kept"),
    }
    if receipt.computed:
        found |= {
            "seconds": round(receipt.seconds, 3),
            "mb_per_second": round(text_bytes / _MEGA / max(receipt.seconds, 1e-3), 3),
        }
    if summary.get("rejected"):
        reasons = ", ".join(f"{rule}: {count}" for rule, count in top_reasons(summary, 5))
        found["top_rejections"] = reasons
    if account := summary.get("account"):
        found |= {name: account[name] for name in ("damaged_ranges", "damaged_bytes")}
    return {k: v for k, v in found.items() if v is not None}


def seconds_of(
    instance: dg.DagsterInstance, recipes: Iterable[str], stage: str, partition: str
) -> float | None:
    """Return how long a partition took when it was last computed, for the first of these recipes that has; or None."""
    partitions_ = None if partition == ALL else [partition]
    for recipe in recipes:
        key = dg.AssetKey([recipe, stage])
        wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=partitions_)
        for record in instance.fetch_materializations(wanted, limit=_RECORDS_ASKED).records:
            materialization = record.asset_materialization
            if materialization and "seconds" in materialization.metadata:
                return float(str(materialization.metadata["seconds"].value))
    return None


def of_run(lineage: Lineage, stage: str, receipts: list[Receipt]) -> dict[str, Any]:
    """Describe the run's part of a stage: a table of its partitions, its signals, and where the files are.

    Dagster repeats this on every partition of the run; `run_` tells it from what the partition says. It shows the run's
    entries first, except that a partition's own value stands where the run has one by that name: so the run names what
    every partition has, and each page begins with its partition.
    """
    own = [of_partition(receipt) for receipt in receipts]
    found: dict[str, Any] = {
        name: value
        for name, value in (own[0] if own else {}).items()
        if all(name in o for o in own)
    } | {
        "run_partitions": len(receipts),
        "run_computed": sum(r.computed for r in receipts),
        "run_table": dg.MetadataValue.md(partition_table(receipts)),
    }
    if receipts and receipts[0].ref.partition == "all":
        found |= receipts[0].summary.get("metrics", {})
    if stage == "duplicates" and receipts:
        found |= of_duplicates(lineage, receipts[0])
    if receipts and receipts[0].ref.suffix == "parquet":
        found["dagster/column_schema"] = _column_schema(lineage, receipts[0])
    sampled = _FILES_SAMPLED if any(r.computed for r in receipts) else _FILES_SAMPLED_AGAIN
    for signal in HISTOGRAMS.get(stage, ()):
        values = _values(lineage, signal, receipts[:sampled])
        if values.size:
            picture = histogram(values, signal)
            found[f"histogram_{signal}"] = dg.MetadataValue.md(_inline(picture, signal))
    return found | {
        "folder": dg.MetadataValue.path(lineage.store.path(stage)),
        "recipe_digest": digest(lineage.recipe),
    }


def of_duplicates(lineage: Lineage, receipt: Receipt) -> dict[str, Any]:
    """Show cluster sizes, what each source (a row) loses, and in which source (a column) those are kept instead."""
    footer = receipt.summary
    shown = {
        "cluster_sizes": figures.sizes(footer),
        "removed_by_source": figures.losses(footer, lineage.recipe.dedup),
        "overlap": figures.overlap(footer),
    }
    return {name: dg.MetadataValue.md(figures.markdown(rows)) for name, rows in shown.items()}


def partition_table(receipts: list[Receipt]) -> str:
    """Write the partitions as a markdown table, the first 200 of them; a number no partition has gets no column."""
    shown = receipts[:_TABLE_ROWS]
    names = {"rows": "rows", "kept": "kept", "tokens": "tokens_kept"}
    columns = {
        title: [f"{r.summary[name]:,}" if name in r.summary else "" for r in shown]
        for title, name in names.items()
    }
    columns["seconds"] = [f"{r.seconds:.1f}" if r.computed else "reused" for r in shown]
    columns = {title: cells for title, cells in columns.items() if any(cells)}
    lines = [f"| partition | {' | '.join(columns)} |", "|---|" + "--:|" * len(columns)]
    for receipt, *cells in zip(shown, *columns.values(), strict=True):
        lines.append(f"| {receipt.ref.partition} | {' | '.join(cells)} |")
    if len(receipts) > _TABLE_ROWS:
        lines.append(f"| … {len(receipts) - _TABLE_ROWS} more |" + " |" * len(columns))
    return "\n".join(lines)


def histogram(values: NDArray[np.float64], title: str, bars: int = 32) -> str:
    """Draw a histogram as SVG: 352 x 160 px, logarithmic bins where the values span more than 100-fold.

    One path of few characters: the UI shows markdown below 1,000 in place, in a column this wide, and hides more.
    """
    low, high = float(values.min()), float(values.max())
    logarithmic = low >= 1 and high / low > 100  # noqa: PLR2004
    edges = np.geomspace(low, high, bars + 1) if logarithmic else np.linspace(low, high, bars + 1)
    counts, _ = np.histogram(values, edges)
    tallest, step = max(int(counts.max()), 1), 352 // bars
    heights = [round(99 * n / tallest) for n in counts.tolist()]
    path = "".join(f"v-{h}m{step} {h}" if h else f"m{step} 0" for h in heights)
    scale = "log scale" if logarithmic else "linear"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="352" height="160" font-family="Arial" font-size="12">'
        f'<path d="M{step // 2} 136{path}" stroke="#4f46e5" stroke-width="{step - 1}"/>'
        f'<text y="12">{title}: {values.size:,} documents, {scale}, tallest bar {tallest:,}</text>'
        f'<text y="154">{low:,.6g}</text>'
        f'<text x="352" y="154" text-anchor="end">{high:,.6g}</text></svg>'
    )


def _values(lineage: Lineage, signal: str, receipts: list[Receipt]) -> NDArray[np.float64]:
    parts = []
    for receipt in receipts:
        with lineage.store.open(receipt.ref) as stream:
            frame = table.read(stream, [signal])
        if signal in frame.columns:
            parts.append(frame[signal].drop_nulls().cast(pl.Float64).to_numpy())
    return np.concatenate(parts) if parts else np.empty(0)


def _column_schema(lineage: Lineage, receipt: Receipt) -> dg.TableSchema:
    with lineage.store.open(receipt.ref) as stream:
        columns = table.columns(stream)
    return dg.TableSchema([dg.TableColumn(name, kind) for name, kind in columns.items()])


def _inline(svg: str, title: str) -> str:
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
