"""The stage `trimmed`: for every document with a hit to cut, the spans that go and the tokens of what stays.

It exists where a benchmark's action is "cut". It reads the text of those documents alone, after `scanned` and before
`mixture`, so that supply counts what will be left of them; `decontaminated` and the mixture join it. A changed number
of [decontaminate.cut] recomputes it and scans nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from curation_dagster import schema, table, tokens
from curation_dagster.decontaminate.cut import Trimmed, trim
from curation_dagster.decontaminate.offsets import recut_span, uncut_span
from curation_dagster.documents import documents
from curation_dagster.job import write_table
from curation_dagster.recipe_decontaminate import doing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from curation_dagster.job import Files, Job
    from curation_dagster.recipe_decontaminate import Benchmark, Cut

    Count = Callable[[pl.Series], pl.Series]
    Span = tuple[int, int]


def trim_shard(job: Job, files: Files) -> dict[str, Any]:
    """Write `trimmed` for one shard; text is read only where the shard has hits to cut."""
    config = job.recipe.decontaminate
    hits = cutting(table.read(files.one("scanned"), ["row", "hits"]), config.benchmarks)

    def frames() -> Iterator[pl.DataFrame]:
        if not hits.height:
            return
        tokenizer = tokens.tokenizer(job.recipe.score.tokenizer)
        removed = table.RowReader(files.one("deduped"), ["row", "cuts"])
        for docs in documents(files.singles, "deduped"):
            some = docs.join(hits, on="row", maintain_order="left")
            earlier = removed.up_to(int(docs["row"][-1]))
            if some.height and earlier is not None:
                some = some.join(earlier, on="row", how="left", maintain_order="left")
                yield trimmed(some, config.cut, lambda texts: tokens.count(texts, tokenizer))

    return write_table(job, files, schema.TRIMMED, frames())


def cutting(scanned: pl.DataFrame, benchmarks: Sequence[Benchmark]) -> pl.DataFrame:
    """List the spans to cut of each document that has some and no hit that drops it: row, spans."""
    hits = scanned.select("row", "hits").explode("hits").drop_nulls("hits").unnest("hits")
    dropped = hits.filter(doing(benchmarks, "drop")).select("row").unique()
    cut = hits.filter(doing(benchmarks, "cut"))
    kept = cut.join(dropped, on="row", how="anti", maintain_order="left")
    return kept.group_by("row", maintain_order=True).agg(spans=pl.struct("start", "end"))


def trimmed(docs: pl.DataFrame, config: Cut, count: Count) -> pl.DataFrame:
    """Cut documents: row, doc_id, text (after the cuts of dedup), spans, and `cuts`, those of dedup.

    Spans, and the cuts returned, are offsets into the text before any cut. A hit is widened in the text as dedup left
    it, which is what was scanned; a cut covers what dedup cut inside it.
    """
    rows: list[dict[str, Any]] = []
    texts: list[str] = []
    for row, doc_id, text, spans, cuts in docs.select(
        "row", "doc_id", "text", "spans", "cuts"
    ).iter_rows():
        data, before = text.encode(), [_pair(cut) for cut in cuts or ()]
        found = trim(data, [recut_span(_pair(span), before) for span in spans], config)
        kept = [data[start:end].decode() for start, end in found.fragments]
        texts += kept
        rows.append(_row(found, before, len(data)) | {"row": row, "doc_id": doc_id})
    numbers = iter(count(pl.Series("text", texts, pl.String)).to_list())
    for row_of in rows:
        row_of["fragment_tokens"] = [next(numbers) for _ in range(row_of.pop("fragments"))]
        kept_tokens = sum(row_of["fragment_tokens"])
        row_of["token_count"] = None if row_of["rejected_by"] else kept_tokens
    return pl.DataFrame(rows, schema=schema.TRIMMED)


def _row(found: Trimmed, before: Sequence[Span], length: int) -> dict[str, Any]:
    """Say what is cut, in offsets into the text before any cut, and how long what stays is."""
    left = sum(end - start for start, end in found.fragments)
    places = [uncut_span(cut, before) for cut in found.cuts]
    return {
        "rejected_by": found.rejected_by,
        "text_bytes": length if found.rejected_by else left,
        "cuts": [{"start": start, "end": end} for start, end in places],
        "fragments": len(found.fragments),
    }


def _pair(span: dict[str, int]) -> Span:
    return span["start"], span["end"]
