"""The steps that look for benchmark items, joined: exact, ngrams, rare_terms, rerank, judge.

A step is a module with `build(items, config)`, where `config` is the whole section
`[decontaminate]`. What it builds has `find(texts) -> FOUND` and `detectable`, the parts of items it
can find; `rerank` and `judge` have `rescore(texts, found) -> FOUND` instead and see what
`rare_terms` found. Building is done once in a process, and again where a file or a setting changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import polars as pl

from curation_dagster.decontaminate.found import FOUND, ORDER, nothing
from curation_dagster.decontaminate.registry import read
from curation_dagster.recipe_file import content, short_hash

if TYPE_CHECKING:
    from curation_dagster.recipe_decontaminate import Decontaminate

EVERY: Final = "all steps"
_UNREAD: Final = {"action", "passage_action", "version", "licence", "split"}  # of a benchmark
_built: dict[str, Cascade] = {}  # the last one, by what it was made from


class Finder(Protocol):
    """A step that finds places by itself."""

    @property
    def detectable(self) -> pl.DataFrame:
        """Return what can be found: benchmark, item, part.

        A part named here is found where it stands alone. What a step finds only together, such as a short question with
        its choices, has another name than any part ("question and choices").
        """

    def find(self, texts: pl.Series) -> pl.DataFrame:
        """Return FOUND."""


class Rescorer(Protocol):
    """A step that keeps or drops what another found."""

    def rescore(self, texts: pl.Series, found: pl.DataFrame) -> pl.DataFrame:
        """Return rows of `found`, with method and score of its own."""


@dataclass(frozen=True)
class Cascade:
    """The steps a recipe names, built; `ids` are all items, `items` the text they have."""

    ids: pl.DataFrame
    items: pl.DataFrame
    finders: dict[str, Finder]
    rescorers: dict[str, Rescorer]

    def find(self, texts: pl.Series) -> pl.DataFrame:
        """Search the texts with every step; FOUND. The rescorers judge what rare_terms found."""
        found = {name: finder.find(texts) for name, finder in self.finders.items()}
        for rescorer in self.rescorers.values():
            if "rare_terms" in found:
                found["rare_terms"] = rescorer.rescore(texts, found["rare_terms"])
        return pl.concat([nothing(), *(f.select(list(FOUND)) for f in found.values())]).sort(ORDER)

    def undetectable(self) -> dict[str, pl.DataFrame]:
        """List the items (benchmark, item) that a step cannot find, by step; and those that none can."""
        found = {
            name: step.detectable.select("benchmark", "item").unique()
            for name, step in self.finders.items()
        }
        if not found:
            return {EVERY: self.ids}
        found[EVERY] = pl.concat(list(found.values())).unique()
        return {
            name: self.ids.join(seen, on=["benchmark", "item"], how="anti", maintain_order="left")
            for name, seen in found.items()
        }

    def undetectable_counts(self) -> dict[str, dict[str, int]]:
        """Count them: benchmark -> step -> items."""
        told: dict[str, dict[str, int]] = {
            name: {} for name in self.ids["benchmark"].unique(maintain_order=True)
        }
        for step, lost in self.undetectable().items():
            counts = dict(lost.group_by("benchmark").len().iter_rows())
            for name, of in told.items():
                of[step] = counts.get(name, 0)
        return told


def build(config: Decontaminate) -> Cascade:
    """Read the benchmarks and build the steps that `config` names; once in a process for what they hold.

    Raises:
        RecipeError: if a benchmark or a model cannot be read.
    """
    said = content(config) | {"cut": None, "probes": None}
    said["benchmarks"] = [
        {k: v for k, v in benchmark.items() if k not in _UNREAD} for benchmark in said["benchmarks"]
    ]
    key = short_hash(said)
    if key not in _built:
        registry = read(config.benchmarks)
        items = registry.items
        finders = _finders(items, config)
        cascade = Cascade(registry.ids, items, finders, _rescorers(items, config, finders))
        _built.clear()
        _built[key] = cascade
    return _built[key]


def thresholds(config: Decontaminate) -> dict[str, Any]:
    """Return what the recipe asks of a hit, for the steps it names; not how a judge is reached, nor which answers."""
    found: dict[str, Any] = {name: content(getattr(config, name)) for name in config.steps}
    if config.judge is not None and "judge" in found:
        unsaid = config.judge.asking | {"cache"}
        found["judge"] = {k: v for k, v in found["judge"].items() if k not in unsaid}
    return found


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


def _rescorers(
    items: pl.DataFrame, config: Decontaminate, finders: dict[str, Finder]
) -> dict[str, Rescorer]:
    rescorers: dict[str, Rescorer] = {}
    if config.runs("rerank"):
        from curation_dagster.decontaminate import rerank

        rescorers["rerank"] = rerank.build(items, config, finders.get("rare_terms"))
    if config.runs("judge"):
        from curation_dagster.decontaminate import judge

        rescorers["judge"] = judge.build(items, config)
    return rescorers
