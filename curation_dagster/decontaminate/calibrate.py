"""Thresholds for a set of benchmarks: the score that so few of the hardest negatives reach.

A *negative* is the question of an item, and its hardest the best other item of the same benchmark: whoever finds
that has found the wrong one. `max_false_positives` is the share of negatives that may pass; of the documents of
clean text, where there is some, CLEAN_RATE may be hit. Thresholds are by kind, the highest of the benchmarks of a
kind, so that they carry over to a benchmark that was not there. Deterministic: no chance, no fit. Not here: the
scores (`rare_terms`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation_dagster.decontaminate import rare_terms

if TYPE_CHECKING:
    from curation_dagster.recipe_decontaminate import Decontaminate

CALIBRATED = {
    "kind": pl.String,
    "benchmark": pl.String,  # null: clean text
    "negatives": pl.UInt32,
    "threshold": pl.Float64,
}
CLEAN_RATE = 0.001  # of clean documents that may be hit
STEP = 0.01  # thresholds are rounded up to it


def calibrate(
    items: pl.DataFrame, config: Decontaminate, clean: pl.Series | None = None
) -> pl.DataFrame:
    """Return CALIBRATED for the step rare_terms: a row a benchmark, and one a kind for clean text."""
    index = rare_terms.build(items, config.model_copy(update={"steps": ("rare_terms",)}))
    everything = np.full_like(index.thresholds, -1)
    index = replace(index, thresholds=everything, least=everything)
    names = index.items.names.with_columns(kind=pl.Series(index.items.kinds, dtype=pl.String))
    kinds = names.select("benchmark", "kind").unique(maintain_order=True)
    found = index.find(index.items.questions)
    owners = names.select(doc=pl.int_range(pl.len(), dtype=pl.UInt32), of="benchmark", own="item")
    wrong = found.join(owners, on="doc").filter(
        (pl.col("of") == pl.col("benchmark")) & (pl.col("own") != pl.col("item"))
    )
    rows = []
    for benchmark, kind in kinds.iter_rows():
        total = names.filter(pl.col("benchmark") == benchmark).height
        best = (
            wrong.filter(pl.col("benchmark") == benchmark)
            .group_by("doc")
            .agg(pl.col("score").max())
        )
        rows.append(
            (kind, benchmark, total, reached(best["score"], total, config.max_false_positives))
        )
    if clean is not None:
        hit = index.find(clean).join(kinds, on="benchmark")
        for kind in kinds["kind"].unique(maintain_order=True):
            best = hit.filter(pl.col("kind") == kind).group_by("doc").agg(pl.col("score").max())
            rows.append((kind, None, len(clean), reached(best["score"], len(clean), CLEAN_RATE)))
    return pl.DataFrame(rows, CALIBRATED, orient="row")


def reached(scores: pl.Series, total: int, rate: float) -> float:
    """Return the least multiple of STEP that at most `rate` of `total` texts reach; those without a score never do.

    >>> reached(pl.Series([0.31, 0.2, 0.1]), total=10, rate=0.1)
    0.21
    """
    allowed = int(rate * total)
    ranked = scores.sort(descending=True)
    least = float(ranked[allowed]) if allowed < len(ranked) else 0.0
    return round(STEP * (math.floor(least / STEP) + 1), 2)


def thresholds(calibrated: pl.DataFrame) -> dict[str, float]:
    """Return kind -> threshold: the highest of its rows."""
    highest = calibrated.group_by("kind", maintain_order=True).agg(pl.col("threshold").max())
    return dict(highest.iter_rows())
