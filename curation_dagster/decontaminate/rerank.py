"""To be written: the step `rerank`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from curation_dagster.recipe_decontaminate import Decontaminate


@dataclass(frozen=True)
class Rescorer:
    """What `rescore` compares with."""

    items: pl.DataFrame

    def rescore(self, _texts: pl.Series, found: pl.DataFrame) -> pl.DataFrame:
        """Return the rows to keep."""
        return found


def build(items: pl.DataFrame, _config: Decontaminate) -> Rescorer:
    """Take the items."""
    return Rescorer(items)
