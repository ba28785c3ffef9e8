"""The distribution of a numeric signal over any number of documents, in bounded memory and in any order.

Values that share sign, exponent and the first 10 bits of the mantissa share a bucket, which remembers its smallest
value: quantiles are values that occur, at most one part in 1,024 below the exact one; whole numbers below
2,048 are exact. Some 1,000 buckets for each doubling between the smallest and the largest value.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import polars as pl

_BITS = 42  # of the 52 of a double's mantissa, left out
_WIDE = 100  # values that span more are binned by their logarithm
_OUTSIDE = 0.005  # share of the documents beyond the regular bins, on either side


class Histogram(NamedTuple):
    """Bin edges, one more than there are counts; a bin has its lower edge, the last both."""

    edges: list[float]
    counts: list[int]
    logarithmic: bool


class Spread:
    """Counts, extremes, quantiles and a histogram of one signal; null is counted apart."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.nulls = 0
        self.total = 0.0
        self.maximum = math.nan
        self._buckets = pl.DataFrame(schema={"key": pl.Int64, "docs": pl.Int64, "low": pl.Float64})

    def add(self, values: pl.Series) -> None:
        """Count a batch."""
        known = values.cast(pl.Float64).fill_nan(None).drop_nulls().to_numpy() + 0.0  # no -0.0
        self.nulls += len(values) - len(known)
        if not len(known):
            return
        self.total += float(known.sum())
        self.maximum = float(np.fmax(self.maximum, known.max()))
        size = np.abs(known).view(np.int64) >> _BITS
        new = pl.DataFrame({"key": np.where(known < 0, -size - 1, size), "low": known})
        counted = new.group_by("key").agg(pl.len().cast(pl.Int64).alias("docs"), pl.min("low"))
        both = pl.concat([self._buckets, counted])
        self._buckets = both.group_by("key").agg(pl.sum("docs"), pl.min("low")).sort("key")

    @property
    def count(self) -> int:
        """Count the documents that have a value."""
        return int(self._buckets["docs"].sum())

    @property
    def minimum(self) -> float:
        """Return the smallest value; NaN if there is none."""
        return float(self._buckets["low"][0]) if self.count else math.nan

    @property
    def mean(self) -> float:
        """Return the mean; NaN if there is none."""
        return self.total / self.count if self.count else math.nan

    def quantile(self, share: float) -> float:
        """Return the smallest value that at least `share` of the values do not exceed (nearest rank).

        >>> spread = Spread()
        >>> spread.add(pl.Series([3, 1, 2, None, 4]))
        >>> spread.quantile(0.5), spread.quantile(0), spread.quantile(1), spread.nulls
        (2.0, 1.0, 4.0, 1)
        """
        if not self.count:
            return math.nan
        if share >= 1:
            return self.maximum
        rank = max(1, math.ceil(share * self.count))
        return float(self._buckets["low"][int(self._buckets["docs"].cum_sum().search_sorted(rank))])

    def histogram(self, bins: int, *, whole: bool = False) -> Histogram:
        """Count documents in bins, which are even, or by the logarithm where values are positive and span 100-fold.

        The rarest values on either side widen the first and the last bin. With `whole`, edges are whole numbers.
        """
        if not self.count:
            return Histogram([], [], logarithmic=False)
        low, high = self.quantile(_OUTSIDE), self.quantile(1 - _OUTSIDE)
        logarithmic = low > 0 and high / low > _WIDE
        spaced = np.geomspace if logarithmic else np.linspace
        edges = spaced(low, high, bins + 1)
        if whole:
            edges = np.unique(np.rint(edges))
        edges[0], edges[-1] = self.minimum, max(self.maximum, edges[-1])
        edges = np.unique(edges)
        if len(edges) == 1:
            edges = np.repeat(edges, 2)
        values = self._buckets["low"].to_numpy()
        at = np.clip(np.searchsorted(edges, values, "right") - 1, 0, len(edges) - 2)
        counts = np.bincount(at, self._buckets["docs"].to_numpy(), len(edges) - 1)
        return Histogram(edges.tolist(), [int(n) for n in counts], logarithmic=logarithmic)
