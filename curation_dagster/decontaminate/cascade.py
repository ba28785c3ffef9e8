"""The steps that look for benchmark items, joined: exact, ngrams, rare_terms, rerank, judge.

A step is a module with `build(items, config)`, where `config` is the whole section
`[decontaminate]`. What it builds has `find(texts) -> FOUND`; `rerank` and `judge` have
`rescore(texts, found) -> FOUND` instead and see what `rare_terms` found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import polars as pl

from curation_dagster.decontaminate.found import FOUND, ORDER, nothing
from curation_dagster.decontaminate.registry import read_items

if TYPE_CHECKING:
    from curation_dagster.recipe_decontaminate import Decontaminate


class Finder(Protocol):
    """A step that finds places by itself."""

    def find(self, texts: pl.Series) -> pl.DataFrame:
        """Return FOUND."""


class Rescorer(Protocol):
    """A step that keeps or drops what another found."""

    def rescore(self, texts: pl.Series, found: pl.DataFrame) -> pl.DataFrame:
        """Return rows of `found`, with method and score of its own."""


@dataclass(frozen=True)
class Cascade:
    """The steps a recipe names, built; `items` is what they look for."""

    items: pl.DataFrame
    finders: dict[str, Finder]
    rescorers: dict[str, Rescorer]

    def find(self, texts: pl.Series) -> pl.DataFrame:
        """Search the texts with every step; FOUND. The rescorers judge what rare_terms found."""
        found = {name: finder.find(texts) for name, finder in self.finders.items()}
        for rescorer in self.rescorers.values():
            found["rare_terms"] = rescorer.rescore(texts, found["rare_terms"])
        return pl.concat([nothing(), *(f.select(list(FOUND)) for f in found.values())]).sort(ORDER)


def build(config: Decontaminate) -> Cascade:
    """Read the benchmarks and build the steps that `config` names.

    Raises:
        RecipeError: if a benchmark or a model cannot be read.
    """
    items = read_items(config.benchmarks)
    return Cascade(items, _finders(items, config), _rescorers(items, config))


def _finders(items: pl.DataFrame, config: Decontaminate) -> dict[str, Finder]:
    finders: dict[str, Finder] = {}
    if config.runs("exact"):
        from curation_dagster.decontaminate import exact

        finders["exact"] = exact.build(items, config)
    if config.runs("ngrams"):
        from curation_dagster.decontaminate import ngrams

        finders["ngrams"] = ngrams.build(items, config)
    if config.runs("rare_terms"):
        from curation_dagster.decontaminate import rare_terms

        finders["rare_terms"] = rare_terms.build(items, config)
    return finders


def _rescorers(items: pl.DataFrame, config: Decontaminate) -> dict[str, Rescorer]:
    rescorers: dict[str, Rescorer] = {}
    if config.runs("rerank"):
        from curation_dagster.decontaminate import rerank

        rescorers["rerank"] = rerank.build(items, config)
    if config.runs("judge"):
        from curation_dagster.decontaminate import judge

        rescorers["judge"] = judge.build(items, config)
    return rescorers
