"""The step `ngrams`: parts of items whose word n-grams a document shares.

`overlap` says which n-grams a policy looks for; "simple" weighs them and is a step of its own in
`simple`. Distinct n-grams are counted over the whole document; each place where they lie together
is a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from curation_dagster.decontaminate import simple
from curation_dagster.decontaminate.found import FOUND, ORDER, nothing
from curation_dagster.decontaminate.index import Grams, build_grams, hashes
from curation_dagster.decontaminate.overlap import units_of
from curation_dagster.recipe_decontaminate import REPLIES
from curation_dagster.words import terms_oracle

if TYPE_CHECKING:
    from pathlib import Path

    from curation_dagster.recipe_decontaminate import Decontaminate, NGrams

METHOD = "ngrams"
ROUNDING = 1e-9  # a fifth of five is one, whatever 0.2 is in binary


@dataclass(frozen=True)
class NGramScan:
    """The n-grams of the items, a table for each size.

    `units` has unit, benchmark, item, part, ngram_count (distinct) and needed.
    """

    units: pl.DataFrame
    tables: tuple[Grams, ...]

    @property
    def detectable(self) -> pl.DataFrame:
        """Parts with an n-gram that counts."""
        return self.units.filter(pl.col("ngram_count") > 0).select("benchmark", "item", "part")

    @property
    def figures(self) -> dict[str, int]:
        """How large the index is."""
        return {"ngrams": sum(t.owners["gram"].n_unique() for t in self.tables)}

    def find(self, texts: pl.Series) -> pl.DataFrame:
        """Return FOUND; none for a null text. The score is the share of the part's n-grams."""
        found = [self._found(table, texts) for table in self.tables]
        return pl.concat([nothing(), *found]).sort(ORDER)

    def shared(self, texts: pl.Series) -> list[str]:
        """List the n-grams of items that the texts have, as terms; one entry for a text and n-gram."""
        found = []
        for table in self.tables:
            spans = table.matches(texts).unique(["doc", "gram"], keep="first", maintain_order=True)
            for doc, start, end in spans.select("doc", "start", "end").iter_rows():
                piece = texts[doc].encode()[start:end].decode()
                found.append(" ".join(terms_oracle(piece)))
        return found

    def _found(self, table: Grams, texts: pl.Series) -> pl.DataFrame:
        matches = table.matches(texts)
        if matches.is_empty():
            return nothing()
        shared = (
            matches.select("doc", "gram")
            .unique()
            .join(table.owners, on="gram")
            .group_by("doc", "unit")
            .agg(shared=pl.len())
            .join(self.units, on="unit")
            .filter(pl.col("shared") >= pl.col("needed"))
        )
        if shared.is_empty():
            return nothing()
        return (
            matches.join(shared.join(table.owners, on="unit"), on=["doc", "gram"])
            .sort("doc", "unit", "place")
            .with_columns(cluster=clusters(abs(table.size)))
            .group_by("doc", "unit", "cluster")
            .agg(
                pl.first("benchmark", "item", "part"),
                pl.lit(METHOD).alias("method"),
                score=pl.first("shared") / pl.first("ngram_count"),
                start=pl.min("start"),
                end=pl.max("end"),
            )
            .select(pl.col(name).cast(kind) for name, kind in FOUND.items())
        )


def clusters(gap: int) -> pl.Expr:
    """Number the runs of places (sorted by doc, unit, place) that are at most `gap` terms apart."""
    apart = pl.col("place").diff() > gap
    return apart.fill_null(value=False).cum_sum().over("doc", "unit")


def build(items: pl.DataFrame, config: Decontaminate) -> NGramScan | simple.SimpleScan:
    """Index the n-grams of ITEMS that the policy counts."""
    section = config.ngrams
    if section.policy == "simple":
        return simple.build(items, section.simple)
    units = units_of(items, section).with_row_index("unit").cast({"unit": pl.Int64})
    listed = section.policy != "count" or section.enumerations
    pairs, _ = hashes(units["text"], units["size"].to_list(), enumerations=listed)
    if section.ignore is not None:
        sizes = sorted(set(units["size"].to_list()))
        pairs = pairs.join(ignored(section.ignore.path, sizes), on="hash", how="anti")
    pairs = _told_apart(pairs, section)
    counts = pairs.group_by("unit").agg(ngram_count=pl.len().cast(pl.Int64))
    units = units.join(counts, on="unit", how="left", maintain_order="left").with_columns(
        pl.col("ngram_count").fill_null(0)
    )
    units = units.with_columns(needed=pl.min_horizontal("ngram_count", pl.lit(section.min_ngrams)))
    if section.policy == "count":
        units = _asked_more(units, section)
        found = units.filter(pl.col("ngram_count") > 0)
        pairs = pairs.join(found.select("unit"), on="unit", how="semi")
    pairs = pairs.join(units.select("unit", "size"), on="unit")
    tables = tuple(
        build_grams(pairs.filter(size=size), size) for size in sorted(pairs["size"].unique())
    )
    wanted = ("unit", "benchmark", "item", "part", "ngram_count")
    return NGramScan(units.select(*wanted, "needed"), tables)


def _told_apart(pairs: pl.DataFrame, section: NGrams) -> pl.DataFrame:
    """Limit the units of one n-gram: a template of a thousand items costs as many rows a match."""
    if section.policy == "count":
        return pairs.filter(pl.len().over("hash") <= section.max_items)
    return pairs.sort("hash", "unit").filter(
        pl.int_range(pl.len()).over("hash") < section.max_items
    )


def _asked_more(units: pl.DataFrame, section: NGrams) -> pl.DataFrame:
    """Ask for a share of the n-grams, and more of answers and choices; those with too few have none that count.

    Of a passage any overlap is told: it is a figure, seldom a reason to drop.
    """
    least, reply = section.min_answer_ngrams, pl.col("part").is_in(REPLIES)
    share = (pl.col("ngram_count") * section.min_share - ROUNDING).ceil().cast(pl.Int64)
    asked = pl.when(pl.col("part") == "passage").then(0).otherwise(share)
    units = units.with_columns(needed=pl.max_horizontal("needed", asked))
    lacking = reply & (pl.col("ngram_count") < least)
    return units.with_columns(
        ngram_count=pl.when(lacking).then(0).otherwise("ngram_count"),
        needed=pl.when(reply).then(pl.max_horizontal("needed", pl.lit(least))).otherwise("needed"),
    )


def ignored(path: Path, sizes: list[int]) -> pl.DataFrame:
    """Hash the n-grams of a text file, one or more a line, that do not count."""
    lines = pl.Series("line", path.read_text("utf-8").splitlines(), dtype=pl.String)
    found = [hashes(lines, [size] * len(lines))[0].select("hash") for size in sizes]
    return pl.concat([pl.DataFrame(schema={"hash": pl.UInt64}), *found]).unique()
