"""The stage `repeats`: the spans of every document that occur earlier in the corpus, from keys and lengths alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curation_dagster import schema, table
from curation_dagster.dedup.parts import Corpus, Part
from curation_dagster.dedup.repeats import repeats
from curation_dagster.dedup.scratch import Scratch
from curation_dagster.dedup.verdicts import reason
from curation_dagster.digest import frame_digest
from curation_dagster.errors import IntegrityError
from curation_dagster.job import write_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from curation_dagster.job import Files, Job


def find_repeats(job: Job, files: Files) -> dict[str, Any]:
    """Write `repeats` over every shard; its footer holds a digest of each shard's slice, and the report.

    Memory: the recipe's `dedup.memory_gb`; what exceeds it lies beside the draft, on disk.

    Raises:
        IntegrityError: when `duplicates` names a document that `fingerprinted` has not.
    """
    config = job.recipe.dedup
    corpus = Corpus(
        [
            Part.of_file(path, shard.key, shard.source, shard.generation)
            for shard, path in zip(job.shards, files.parents["fingerprinted"], strict=True)
        ]
    )
    with Scratch.beside(files.draft.parent, config.memory_gb) as scratch:
        gone = scratch.array(corpus.height, np.bool_)
        columns = ["shard", "row", "keep", "rule", "copy_rule"]
        duplicates = table.batches(files.one("duplicates"), columns)
        mark_removed(corpus, duplicates, gone, remove=config.remove)
        found = repeats(corpus, gone, config, scratch)
        slices: dict[str, str] = {}
        cut: dict[str, dict[str, dict[str, int]]] = {}

        def frames() -> Iterator[pl.DataFrame]:
            for part, rows in found.frames():
                slices[part.shard] = frame_digest(rows)
                _count(part, rows, cut)
                yield rows

        return write_table(
            job, files, schema.REPEATS, frames(),
            slices=slices, cut=cut, most_repeated=found.most_repeated,
        )  # fmt: skip


def mark_removed(
    corpus: Corpus, duplicates: Iterable[pl.DataFrame], gone: NDArray[np.bool_], *, remove: bool
) -> None:
    """Mark, by index, the documents that go as duplicates; the frames have one shard each.

    Raises:
        IntegrityError: when a document is not in the corpus.
    """
    numbers = {part.shard: number for number, part in enumerate(corpus.parts)}
    for frame in duplicates:
        removed = frame.filter(reason(remove=remove).is_not_null())
        if not removed.height:
            continue
        shard = frame["shard"][0]
        number = numbers.get(shard)
        at = 0
        for _, first, batch in corpus.batches(["row"], [] if number is None else [number]):
            here = batch["row"].is_in(removed["row"].implode()).to_numpy()
            gone[first : first + batch.height] |= here
            at += int(here.sum())
        if at != removed.height:
            msg = f"repeats: {shard} has {at} of {removed.height} documents that duplicates removed; rerun duplicates"
            raise IntegrityError(msg)


def _count(part: Part, rows: pl.DataFrame, cut: dict[str, dict[str, dict[str, int]]]) -> None:
    """Add a part's spans to its source's, by rule; spans of two rules may cover the same bytes."""
    told = rows.group_by("rule").agg(
        spans=pl.len(),
        documents=pl.col("row").n_unique(),
        bytes=(pl.col("end") - pl.col("start")).cast(pl.UInt64).sum(),
    )
    for row in told.sort("rule").iter_rows(named=True):
        mine = cut.setdefault(row.pop("rule"), {}).setdefault(part.source, dict.fromkeys(row, 0))
        for name, value in row.items():
            mine[name] += value
