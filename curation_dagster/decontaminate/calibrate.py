"""Thresholds for a set of benchmarks: the score that so few of the hardest negatives reach.

A *negative* is the question of an item, and its hardest the best other item of the same benchmark: whoever finds
that has found the wrong one. `max_false_positives` is the share of negatives that may pass; of the documents of
clean text, where there is some, CLEAN_RATE may be hit. What rare_terms hits with the recipe's thresholds counts
against what rerank may, which adds to it. Thresholds are by step and kind, the highest of the benchmarks of a kind, so
that they carry over to a benchmark that was not there. Deterministic: no chance, no fit. Not here: the scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation_dagster.decontaminate import rare_terms, rerank

if TYPE_CHECKING:
    from curation_dagster.decontaminate.rare_terms import RareTermIndex
    from curation_dagster.decontaminate.rerank import Reranker
    from curation_dagster.recipe_decontaminate import Decontaminate

CALIBRATED = {
    "step": pl.String,
    "kind": pl.String,
    "benchmark": pl.String,  # null: clean text
    "negatives": pl.UInt32,
    "threshold": pl.Float64,
}
CLEAN_RATE = 0.001  # of clean documents that may be hit; each kind has an equal part of them
STEP = 0.01  # thresholds are rounded up to it
COMPARED = 200  # questions of a benchmark that are compared again, evenly spread: BERT reads a dozen a second


@dataclass(frozen=True)
class Scored:
    """A step without its thresholds: what it looks at, and the scores it gives."""

    step: str
    index: RareTermIndex
    reranker: Reranker | None = None

    def candidates(self, texts: pl.Series) -> pl.DataFrame:
        """Return FOUND for all it looks at."""
        found = self.index.find(texts)
        return self.reranker.candidates(texts, found) if self.reranker else found

    def open(self, texts: pl.Series, found: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """Score rows of documents that no step before has a hit in; and count those in which one has."""
        if self.reranker is None:
            return found, 0
        settled = found.filter(self.reranker.settled(found)).select("doc").unique()
        left = found.join(settled, on="doc", how="anti", maintain_order="left")
        scored = left.with_columns(score=self.reranker.scores(texts, left))
        return scored.filter(pl.col("score") >= 0), settled.height


def calibrate(
    items: pl.DataFrame, config: Decontaminate, clean: pl.Series | None = None
) -> pl.DataFrame:
    """Return CALIBRATED for rare_terms, and for rerank where it is named: a row a benchmark; of clean text, a kind.

    Costs what the steps cost: with a sentence model, some minutes for a benchmark and for a thousand documents.

    Raises:
        RecipeError: if a model cannot be read.
    """
    alone = rare_terms.build(items, config.model_copy(update={"steps": ("rare_terms",)}))
    everything = np.full_like(alone.thresholds, -1)
    steps = [Scored("rare_terms", replace(alone, thresholds=everything, least=everything))]
    if config.runs("rerank"):
        wide = rare_terms.build(items, config)
        steps.append(Scored("rerank", wide, rerank.build(items, config, wide)))
    rows: list[tuple[str, str, str | None, int, float]] = []
    for step in steps:
        rows += _of_questions(step, config.max_false_positives)
        rows += _of_clean(step, clean) if clean is not None else []
    return pl.DataFrame(rows, CALIBRATED, orient="row")


def _of_questions(step: Scored, rate: float) -> list[tuple[str, str, str | None, int, float]]:
    """Search each item's question for other items of its benchmark."""
    names, questions = step.index.items.names, step.index.items.questions
    rows: list[tuple[str, str, str | None, int, float]] = []
    for benchmark, kind in _kinds(step.index).items():
        mine = np.flatnonzero((names["benchmark"] == benchmark).to_numpy())
        if step.reranker:
            mine = mine[:: -(-len(mine) // COMPARED)]
        texts, own = questions[mine], names["item"][mine]
        found = step.candidates(texts).filter(pl.col("benchmark") == benchmark)
        wrong = found.filter(found["item"] != own.gather(found["doc"]))
        scored, settled = step.open(texts, wrong)
        best = scored.group_by("doc").agg(pl.col("score").max())["score"]
        allowed = int(rate * len(mine)) - settled
        rows.append((step.step, kind, benchmark, len(mine), reached(best, allowed)))
    return rows


def _of_clean(step: Scored, clean: pl.Series) -> list[tuple[str, str, str | None, int, float]]:
    """Search clean text, where whatever is found is wrong."""
    kinds = _kinds(step.index)
    scored, settled = step.open(clean, step.candidates(clean))
    allowed = (int(CLEAN_RATE * len(clean)) - settled) // len(set(kinds.values()))
    hit = scored.with_columns(
        kind=pl.col("benchmark").replace_strict(kinds, return_dtype=pl.String)
    )
    rows: list[tuple[str, str, str | None, int, float]] = []
    for kind in dict.fromkeys(kinds.values()):
        best = hit.filter(pl.col("kind") == kind).group_by("doc").agg(pl.col("score").max())
        rows.append((step.step, kind, None, len(clean), reached(best["score"], allowed)))
    return rows


def _kinds(index: RareTermIndex) -> dict[str, str]:
    return dict(zip(index.items.names["benchmark"], index.items.kinds, strict=True))


def reached(scores: pl.Series, allowed: int) -> float:
    """Return the least multiple of STEP that at most so many texts reach; those without a score never do.

    >>> reached(pl.Series([0.31, 0.2, 0.1]), allowed=1)
    0.21
    """
    ranked, place = scores.sort(descending=True), max(allowed, 0)
    least = float(ranked[place]) if place < len(ranked) else 0.0
    return round(STEP * (math.floor(least / STEP) + 1), 2)


def thresholds(calibrated: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Return step -> kind -> threshold: the highest of its rows."""
    found: dict[str, dict[str, float]] = {}
    for step, kind, threshold in calibrated.select("step", "kind", "threshold").iter_rows():
        of_step = found.setdefault(step, {})
        of_step[kind] = max(of_step.get(kind, 0.0), threshold)
    return found
