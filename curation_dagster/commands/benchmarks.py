"""`curate benchmarks`: the benchmarks of a recipe, read and indexed as the scan would.

Also `curate benchmarks common`: the n-grams of the benchmarks that many documents of a file hold,
which [decontaminate.ngrams] ignore takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click
import polars as pl

from curation_dagster.commands.apply import documents
from curation_dagster.counted import counted
from curation_dagster.decontaminate import calibrate, cascade, ngrams, registry
from curation_dagster.decontaminate.cascade import EVERY
from curation_dagster.decontaminate.overlap import term_counts
from curation_dagster.errors import RecipeError
from curation_dagster.recipe_file import sha256

if TYPE_CHECKING:
    from pathlib import Path

    from curation_dagster.recipe_decontaminate import Decontaminate

_SAID: Final = ("name", "version", "licence", "split", "language", "kind", "action")


def listed(config: Decontaminate) -> list[dict[str, Any]]:
    """Describe every benchmark: what the recipe says, its items, parts, terms, and what no step can find.

    Raises:
        RecipeError: when a benchmark cannot be read; see `registry.read`.
    """
    built = cascade.build(config)
    lost = built.undetectable_counts()
    terms = built.items.with_columns(terms=term_counts(built.items["text"]))
    indexed = _ngrams_of(built)
    rows = []
    for benchmark in config.benchmarks:
        mine = terms.filter(benchmark=benchmark.name)
        parts = mine.group_by("part", maintain_order=True).agg(pl.len(), pl.median("terms"))
        rows.append(
            {name: getattr(benchmark, name) for name in _SAID}
            | {
                "items": built.ids.filter(benchmark=benchmark.name).height,
                "parts": {
                    part: {"items": items, "median_terms": median}
                    for part, items, median in parts.iter_rows()
                },
                "ngrams": indexed.get(benchmark.name, 0),
                "undetectable": lost.get(benchmark.name, {}),
                "sha256": sha256(benchmark.file.path),
            }
        )
    return rows


def _ngrams_of(built: cascade.Cascade) -> dict[str, int]:
    """Count the distinct n-grams of each benchmark that the scan looks for."""
    scan = built.finders.get("ngrams")
    if not isinstance(scan, ngrams.NGramScan):
        return {}
    names = scan.units.select("unit", "benchmark")
    pairs = [table.owners.join(names, on="unit") for table in scan.tables]
    counts: dict[str, int] = {}
    for frame in pairs:
        for name, count in frame.group_by("benchmark").agg(pl.n_unique("gram")).iter_rows():
            counts[name] = counts.get(name, 0) + count
    return counts


def undetectable(config: Decontaminate) -> list[dict[str, str]]:
    """List the items that no step can find: benchmark and item."""
    return cascade.build(config).undetectable()[EVERY].to_dicts()


def brief(row: dict[str, Any]) -> str:
    """Write a benchmark in one line."""
    lost = row["undetectable"].get(EVERY, 0)
    return (
        f"benchmark {row['name']}: {counted(row['items'], 'item')}, {lost:,} that no step can find"
    )


def tell(rows: list[dict[str, Any]]) -> str:
    """Write the benchmarks for a person."""
    lines = []
    for row in rows:
        about = ", ".join(str(row[name]) for name in _SAID[1:] if row[name])
        lines.append(f"{row['name']}: {counted(row['items'], 'item')} ({about})")
        parts = [
            f"{part} {of['items']:,} (median {of['median_terms']:g} terms)"
            for part, of in row["parts"].items()
        ]
        lines.append(f"  parts: {', '.join(parts)}")
        if row["ngrams"]:
            lines.append(f"  n-grams: {row['ngrams']:,}")
        short = [
            f"{step} {count:,}" for step, count in row["undetectable"].items() if step != EVERY
        ]
        lines.append(
            f"  undetectable: {row['undetectable'].get(EVERY, 0):,} by {EVERY}; by {', '.join(short)}"
        )
        lines.append(f"  sha256: {row['sha256']}")
    return "\n".join(lines)


def common(config: Decontaminate, source: Path, target: Path, max_documents: int) -> int:
    """Write the n-grams that more than `max_documents` documents of a Parquet file hold; return how many.

    Raises:
        RecipeError: when the recipe counts no n-grams, or weighs them (policy "simple").
        SchemaError: when the file lacks doc_id (or id) or text.
    """
    scan = cascade.build(config).finders.get("ngrams")
    if not isinstance(scan, ngrams.NGramScan):
        msg = 'benchmarks common: needs the step "ngrams" with a policy that counts them, not "simple"'
        raise RecipeError(msg)
    seen: dict[str, int] = {}
    for docs in documents(source):
        for text in scan.shared(docs["text"]):
            seen[text] = seen.get(text, 0) + 1
    found = sorted(text for text, count in seen.items() if count > max_documents)
    target.write_text("".join(f"{text}\n" for text in found), "utf-8")
    click.echo(f"{counted(len(seen), 'n-gram')} of benchmarks in {source.name}", err=True)
    return len(found)


def calibrated(config: Decontaminate, clean: Path | None) -> str:
    """Write the thresholds of rare_terms, and of rerank where it is named, and what each comes from, as TOML.

    Raises:
        RecipeError: when the recipe names no benchmark, or a model cannot be read.
        SchemaError: when the clean file lacks doc_id (or id) or text.
    """
    if not config.benchmarks:
        msg = "benchmarks calibrate: the recipe names no benchmarks: [[decontaminate.benchmarks]]"
        raise RecipeError(msg)
    texts = pl.concat([docs["text"] for docs in documents(clean)]) if clean else None
    found = calibrate.calibrate(registry.read(config.benchmarks).items, config, texts)
    lines = []
    for step, chosen in calibrate.thresholds(found).items():
        lines.append(f"[decontaminate.{step}]")
        for kind, benchmark, negatives, threshold in (
            found.filter(step=step).drop("step").iter_rows()
        ):
            of = benchmark or "clean text"
            lines.append(f"# {kind}: {of}, {counted(negatives, 'negative')}: {threshold:.2f}")
        lines += [f"{kind} = {threshold:.2f}" for kind, threshold in chosen.items()]
    return "\n".join(lines)
