"""The overlap rule of AI2's decon, SIMPLE: the rare n-grams of a question in a cluster, its answer near it.

A cluster is a stretch of a document where n-grams of one question follow each other with at most
`max_misses` without a match in between. Its overlap is the share of the question's n-grams, each
weighed by its rarity among the items (idf). Answer and passage are looked for near it, and the
three overlaps are weighed 0.7, 0.2, 0.1 (without one of them .75/.25, .85/.15, 1), less for
questions of fewer than 20 n-grams. decon samples every tenth n-gram for the first match; here every
one is looked up, and terms stand for cl100k tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from curation_dagster.decontaminate.found import FOUND, ORDER, nothing
from curation_dagster.decontaminate.index import Grams, build_grams, hashes
from curation_dagster.words import buffers, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from curation_dagster.recipe_decontaminate import Simple

METHOD: Final = "ngrams"
HOT: Final = 100  # items of an n-gram that starts no cluster; it counts in one
SURE_NGRAMS: Final = 20  # of a question, from which on it has its whole weight
QUESTION_PARTS: Final = ("question", "choices", "code")  # the first an item has is its question


@dataclass(frozen=True)
class Side:
    """Answer or passage of an item: its terms and what they weigh."""

    terms: NDArray[np.uint64]
    weights: dict[int, float]  # n-gram hash -> idf


@dataclass(frozen=True)
class SimpleScan:
    """The questions' n-grams; `units` has unit, benchmark, item, part, terms, ngram_count, total and hot idf."""

    config: Simple
    units: pl.DataFrame
    table: Grams
    idf: pl.DataFrame  # gram, idf, hot
    answers: dict[int, Side]
    passages: dict[int, Side]

    @property
    def detectable(self) -> pl.DataFrame:
        """Questions of items that are long enough."""
        return self.units.filter(pl.col("ngram_count") > 0).select("benchmark", "item", "part")

    @property
    def figures(self) -> dict[str, int]:
        """How large the index is."""
        return {"ngrams": self.idf.height}

    def find(self, texts: pl.Series) -> pl.DataFrame:
        """Return FOUND; none for a null text. A row is a cluster whose score reaches its threshold."""
        matches = self.table.matches(texts)
        likely = self._likely(matches)
        if likely.is_empty():
            return nothing()
        rows = (
            matches.join(likely.join(self.table.owners, on="unit"), on=["doc", "gram"])
            .sort("doc", "unit", "place")
            .with_columns(
                cluster=(pl.col("place").diff() > self.config.max_misses)
                .fill_null(value=False)
                .cum_sum()
                .over("doc", "unit")
            )
            .join(self.idf, on="gram")
        )
        found = (
            rows.group_by("doc", "unit", "cluster")
            .agg(
                weight=pl.col("idf").filter(pl.col("gram").is_first_distinct()).sum(),
                first=pl.min("place"),
                last=pl.max("place"),
                start=pl.min("start"),
                end=pl.max("end"),
            )
            .join(self.units, on="unit")
            .with_columns(overlap=pl.col("weight") / pl.col("total"))
            .sort("doc", "unit", "cluster")
        )
        scored = found.with_columns(
            score=pl.Series(list(self._scores(found, texts)), dtype=pl.Float64)
        )
        return (
            scored.filter(pl.col("score") >= self._thresholds())
            .with_columns(method=pl.lit(METHOD))
            .select(pl.col(name).cast(kind) for name, kind in FOUND.items())
            .sort(ORDER)
        )

    def _likely(self, matches: pl.DataFrame) -> pl.DataFrame:
        """Return (doc, unit) whose n-grams, all together, could reach the threshold with a perfect answer."""
        cold = self.idf.filter(~pl.col("hot"))
        weights = (
            matches.select("doc", "gram")
            .unique()
            .join(cold, on="gram")
            .join(self.table.owners, on="gram")
            .group_by("doc", "unit")
            .agg(weight=pl.sum("idf"))
            .join(self.units.select("unit", "total", "hot_total", "least"), on="unit")
        )
        reached = pl.col("weight") + pl.col("hot_total") >= pl.col("least") * pl.col("total") - 1e-9
        return weights.filter(reached).select("doc", "unit")

    def _thresholds(self) -> pl.Expr:
        config = self.config
        span = max(config.full_terms - config.strict_terms, 1)
        share = ((pl.col("terms") - config.strict_terms) / span).clip(0.0, 1.0)
        return 1.0 - share * (1.0 - config.threshold) - 1e-6

    def _scores(self, found: pl.DataFrame, texts: pl.Series) -> Iterator[float]:
        doc, words = -1, np.empty(0, np.uint64)
        for row in found.iter_rows(named=True):
            if row["doc"] != doc:
                doc = row["doc"]
                words = term_hashes(texts[doc])
            answer, passage = self.answers.get(row["unit"]), self.passages.get(row["unit"])
            last = row["last"] + self.config.ngram
            o_a = None if answer is None else self._answer(answer, words, row["first"], last)
            o_p = None if passage is None else self._passage(passage, words, row["first"], last)
            yield score(row["overlap"], o_a, o_p, row["ngram_count"])

    def _answer(self, answer: Side, words: NDArray[np.uint64], first: int, last: int) -> float:
        config, n = self.config, len(answer.terms)
        if n <= config.short_answer_terms:
            near = words[
                max(0, first - config.short_answer_distance) : last + config.short_answer_distance
            ]
            windows = np.lib.stride_tricks.sliding_window_view(near, n) if len(near) >= n else None
            return float(windows is not None and bool((windows == answer.terms).all(axis=1).any()))
        far = max(config.long_answer_distance, 2 * n)
        return overlap(answer, words[max(0, first - far) : last + far], config.answer_ngram, None)

    def _passage(self, passage: Side, words: NDArray[np.uint64], first: int, last: int) -> float:
        config = self.config
        far = config.passage_distance + len(passage.terms)
        near = words[max(0, first - far) : last + far]
        return overlap(passage, near, config.passage_ngram, config.passage_max_misses)


def score(question: float, answer: float | None, passage: float | None, ngrams: int) -> float:
    """Weigh the overlaps of the parts an item has; what a short question loses goes to the others.

    >>> score(0.8, None, None, 5), round(score(0.8, 1.0, None, 30), 3), round(score(0.8, 1.0, None, 10), 4)
    (0.8, 0.85, 0.8875)
    """
    if answer is None and passage is None:
        return question
    base = {
        (True, True): (0.7, 0.2, 0.1),
        (True, False): (0.75, 0.25, 0.0),
        (False, True): (0.85, 0.0, 0.15),
    }[answer is not None, passage is not None]
    sure = min(1.0, 0.5 + 0.5 * ngrams / SURE_NGRAMS)
    given = base[0] * (1 - sure)
    others = base[1] + base[2]
    rest = (base[1] * (answer or 0.0) + base[2] * (passage or 0.0)) / others
    return base[0] * sure * question + (others + given) * rest


def overlap(side: Side, words: NDArray[np.uint64], size: int, max_misses: int | None) -> float:
    """Return the share of a side's idf in `words`; with `max_misses`, of the best stretch without more in a row."""
    total = sum(side.weights.values())
    if not total:
        return 0.0
    best, seen, missed = 0.0, set[int](), 0
    for gram in grams(words, size):
        if gram in side.weights:
            seen.add(gram)
            missed = 0
            continue
        missed += 1
        if max_misses is not None and missed > max_misses and seen:
            best, seen = max(best, sum(side.weights[g] for g in seen)), set()
    return max(best, sum(side.weights[g] for g in seen)) / total


def grams(words: NDArray[np.uint64], size: int) -> list[int]:
    """Hash every `size` terms in a row."""
    from curation_dagster.decontaminate import ngram_kernel

    room = np.empty(max(len(words), 1), np.uint64)
    n = ngram_kernel.ngrams(words, len(words), size, room)
    found: list[int] = room[:n].tolist()
    return found


def term_hashes(text: str) -> NDArray[np.uint64]:
    """Hash the terms of one text."""
    from curation_dagster import words_kernel

    data, offsets, owner = buffers(pl.Series([text]))
    words, spans = np.empty(len(data), np.uint64), np.empty((2, len(data)), np.int64)
    n = words_kernel.terms(data, offsets[0], offsets[1], *tables(), words, spans[0], spans[1])
    del owner  # the views into it are done with
    return words[:n]


def build(items: pl.DataFrame, config: Simple) -> SimpleScan:
    """Index the questions of ITEMS; equal questions with equal answers are one item, the first."""
    wide = _wide(items)
    whole = pl.concat_str(["question", "answer", "passage"], separator="\n", ignore_nulls=True)
    wide = wide.with_columns(whole=whole)
    found = [term_hashes(text) for text in wide["whole"]]
    wide = wide.with_columns(
        terms=pl.Series([len(t) for t in found], dtype=pl.Int64),
        unique=pl.Series([len(np.unique(t)) for t in found], dtype=pl.Int64),
    )
    units = wide.filter(
        (pl.col("terms") >= config.min_terms) & (pl.col("unique") >= config.min_unique_terms)
    ).with_row_index("unit").cast({"unit": pl.Int64})  # fmt: skip
    pairs, _ = hashes(units["question"], [config.ngram] * units.height)
    table = build_grams(pairs, config.ngram)
    idf = (
        table.owners.group_by("gram")
        .agg(items=pl.len())
        .select("gram", idf=(1 + units.height / pl.col("items")).log(), hot=pl.col("items") > HOT)
    )
    totals = (
        table.owners.join(idf, on="gram")
        .group_by("unit")
        .agg(
            ngram_count=pl.len().cast(pl.Int64),
            total=pl.sum("idf"),
            hot_total=pl.col("idf").filter(pl.col("hot")).sum(),
        )
    )
    units = units.join(totals, on="unit", how="left", maintain_order="left").with_columns(
        pl.col("ngram_count").fill_null(0), pl.col("total", "hot_total").fill_null(0.0)
    )
    answers = _sides(units, "answer", config.answer_ngram)
    passages = _sides(units, "passage", config.passage_ngram)
    units = units.with_columns(least=_least(units, config)).drop(
        "question", "answer", "passage", "whole"
    )
    return SimpleScan(config, units, table, idf, answers, passages)


def _wide(items: pl.DataFrame) -> pl.DataFrame:
    """Make one row an item: its question (and which part that is), answer and passage."""
    order = {part: i for i, part in enumerate(QUESTION_PARTS)}
    asked = (
        items.filter(pl.col("part").is_in(QUESTION_PARTS))
        .with_columns(order=pl.col("part").replace_strict(order, return_dtype=pl.Int64))
        .sort("order", maintain_order=True)
        .unique(["benchmark", "item"], keep="first", maintain_order=True)
        .rename({"text": "question"})
        .drop("order")
    )
    for part in ("answer", "passage"):
        of = items.filter(part=part).select("benchmark", "item", pl.col("text").alias(part))
        asked = asked.join(of, on=["benchmark", "item"], how="left", maintain_order="left")
    return asked.unique(["question", "answer", "passage"], keep="first", maintain_order=True)


def _sides(units: pl.DataFrame, part: str, size: int) -> dict[int, Side]:
    texts = units[part].fill_null("")
    pairs, _ = hashes(texts, [size] * units.height)
    rarity = pairs.group_by("hash").agg(idf=(1 + units.height / pl.len()).log())
    weighed = pairs.join(rarity, on="hash").sort("unit", "hash")
    weights: dict[int, dict[int, float]] = {}
    for unit, key, idf in weighed.select("unit", "hash", "idf").iter_rows():
        weights.setdefault(unit, {})[key] = idf
    sides = ((unit, term_hashes(text)) for unit, text in enumerate(texts) if text)
    return {unit: Side(terms, weights.get(unit, {})) for unit, terms in sides if len(terms)}


def _least(units: pl.DataFrame, config: Simple) -> pl.Series:
    """Return the least overlap of the question with which a score can reach the lowest threshold.

    That is with perfect answer and passage; the weights are linear in the question's overlap.
    """
    values: Sequence[Any] = units.select("answer", "passage", "ngram_count").rows()
    least = []
    for answer, passage, count in values:
        others = (None if answer is None else 1.0, None if passage is None else 1.0)
        at_0, at_1 = score(0.0, *others, count), score(1.0, *others, count)
        least.append(max(0.0, (config.threshold - at_0) / (at_1 - at_0)) if at_1 > at_0 else 0.0)
    return pl.Series("least", least, dtype=pl.Float64)
