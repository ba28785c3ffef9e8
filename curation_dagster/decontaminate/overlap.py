"""Which n-grams of an item count, by policy: what each published rule indexes.

Sources: Brown et al., 2020 (GPT-3), appendix C; datatrove's `NGramsDecontConfig`; Soldaini et al.,
2024 (Dolma), paragraphs of the evaluation sets in a bloom filter. The rule of AI2's decon is in
`simple`. What differs from their programs is in docs/decontamination.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation_dagster.words import tables

if TYPE_CHECKING:
    from curation_dagster.recipe_decontaminate import NGrams

_QUERY = ("passage", "question", "choices")
_LABEL = ("answer", "code")


def units_of(items: pl.DataFrame, config: NGrams) -> pl.DataFrame:
    """Return ITEMS with `size`: what a policy indexes, and of how many terms its n-grams are.

    A negative size means whole lines of at least so many terms.
    """
    match config.policy:
        case "gpt3":
            return items.join(_sizes(items, config), on="benchmark", maintain_order="left")
        case "datatrove":
            return _labels(items, config).with_columns(size=pl.lit(config.terms, pl.Int64))
        case "dolma":
            return items.with_columns(size=pl.lit(-config.terms, pl.Int64))
        case _:
            return items.with_columns(size=pl.lit(config.terms, pl.Int64))


def _sizes(items: pl.DataFrame, config: NGrams) -> pl.DataFrame:
    """Give each benchmark the 5th percentile of its items' terms, within [min_terms, terms]."""
    lengths = items.with_columns(terms=term_counts(items["text"]))
    whole = lengths.group_by("benchmark", "item").agg(pl.sum("terms"))
    low = pl.col("terms").quantile(config.length_quantile, "lower").cast(pl.Int64)
    sizes = whole.group_by("benchmark").agg(size=low)
    return sizes.with_columns(pl.col("size").clip(config.min_terms, config.terms))


def _labels(items: pl.DataFrame, config: NGrams) -> pl.DataFrame:
    """Return answers and code, each after the last terms of its query; and the query where asked for."""
    wide = items.filter(pl.col("part").is_in(_QUERY)).group_by(
        "benchmark", "item", maintain_order=True
    )
    order = pl.col("part").replace_strict(dict(zip(_QUERY, range(len(_QUERY)), strict=True)))
    query = wide.agg(query=pl.col("text").sort_by(order).str.join("\n"))
    labels = items.filter(pl.col("part").is_in(_LABEL))
    if config.overlap_ngrams:
        joined = labels.join(query, on=["benchmark", "item"], how="left", maintain_order="left")
        tails = last_terms(joined["query"], config.terms - 1)
        labels = joined.select(
            "benchmark", "item", "part",
            text=pl.concat_str([tails, joined["text"]], separator="\n"),
        )  # fmt: skip
    if not config.query_ngrams:
        return labels
    return pl.concat([labels, items.filter(pl.col("part").is_in(_QUERY))])


def last_terms(texts: pl.Series, count: int) -> pl.Series:
    """Cut a text to its last `count` terms and what lies between them; null is nothing."""
    ends = [] if not count else [_tail(text, count) for text in texts.fill_null("")]
    return pl.Series(texts.name, ends or [""] * len(texts), dtype=pl.String)


def _tail(text: str, count: int) -> str:
    from curation_dagster import words_kernel

    data = np.frombuffer(text.encode(), np.uint8)
    room = np.empty(len(data), np.uint64)
    starts, ends = np.empty(len(data), np.int64), np.empty(len(data), np.int64)
    n = words_kernel.terms(data, 0, len(data), *tables(), room, starts, ends)
    return data[starts[n - count] if n > count else 0 :].tobytes().decode()


def term_counts(texts: pl.Series) -> pl.Series:
    """Count the terms of each text."""
    from curation_dagster.decontaminate.index import hashes

    return hashes(texts, [1 << 40] * len(texts))[1].cast(pl.Int64)
