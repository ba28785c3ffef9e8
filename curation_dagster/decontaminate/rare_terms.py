"""To be written: the step `rare_terms`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation_dagster.decontaminate.found import nothing

if TYPE_CHECKING:
    import polars as pl

    from curation_dagster.recipe_decontaminate import Decontaminate


@dataclass(frozen=True)
class Index:
    """What `find` looks for."""

    items: pl.DataFrame

    @property
    def detectable(self) -> pl.DataFrame:
        """Return the parts that can be found: benchmark, item, part."""
        return self.items.select("benchmark", "item", "part").clear()

    def find(self, _texts: pl.Series) -> pl.DataFrame:
        """Return FOUND."""
        return nothing()


def build(items: pl.DataFrame, _config: Decontaminate) -> Index:
    """Index the items."""
    return Index(items)
