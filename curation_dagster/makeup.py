"""How a column is made up, for a footer: documents by value, and the sum of a score.

Filled batch by batch while a table is written, in the order of its rows, so that equal tables have equal footers. Sums
are whole numbers, which add up to the same in any order.
"""

from __future__ import annotations

from typing import Final

import polars as pl

OTHERS: Final = "others"
MAX_VALUES: Final = 200  # a footer is read often; what comes after so many is counted together
_MILLION: Final = 1_000_000


def add(counts: dict[str, int], values: pl.Series, absent: str) -> None:
    """Count values into `counts`: null as `absent`, and what is new after `MAX_VALUES` as `OTHERS`.

    >>> counts = {}
    >>> add(counts, pl.Series(["en", None, "en", "de"]), "unknown")
    >>> counts
    {'en': 2, 'unknown': 1, 'de': 1}
    """
    named = values.alias("value").fill_null(absent).to_frame()
    for value, count in named.group_by("value", maintain_order=True).len().iter_rows():
        key = value if value in counts or len(counts) < MAX_VALUES else OTHERS
        counts[key] = counts.get(key, 0) + count


def total(sums: dict[str, dict[str, int]], scores: pl.Series) -> None:
    """Add the scores of a batch to `sums`, under their name: how many there are, and their sum in millionths."""
    known = scores.cast(pl.Float64).drop_nulls()
    known = known.filter(known.is_finite())
    here = sums.setdefault(scores.name, {"documents": 0, "millionths": 0})
    here["documents"] += len(known)
    here["millionths"] += int((known * _MILLION).round().cast(pl.Int64).sum())


def mean(sums: dict[str, int]) -> float | None:
    """Return the mean of what `total` added up; None of nothing."""
    return sums["millionths"] / _MILLION / sums["documents"] if sums["documents"] else None
