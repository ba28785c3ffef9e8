"""What footers count of a column."""

from __future__ import annotations

import polars as pl
import pytest

from curation_dagster import makeup


def test_batches_add_up_to_the_whole() -> None:
    values = pl.Series(["b", None, "a", "b", None, "c"])
    whole: dict[str, int] = {}
    parts: dict[str, int] = {}
    makeup.add(whole, values, "none")
    for i in range(len(values)):
        makeup.add(parts, values[i : i + 1], "none")
    assert whole == parts == {"b": 2, "none": 2, "a": 1, "c": 1}
    assert list(whole) == list(parts)


def test_many_values_are_counted_together() -> None:
    counts: dict[str, int] = {}
    makeup.add(counts, pl.Series([f"v{n}" for n in range(makeup.MAX_VALUES)]), "none")
    makeup.add(counts, pl.Series(["v0", "new", "newer", None]), "none")
    assert len(counts) == makeup.MAX_VALUES + 1
    assert (counts["v0"], counts[makeup.OTHERS]) == (2, 3)


def test_sums_do_not_depend_on_batches() -> None:
    scores = pl.Series("quality", [0.1, None, 0.2, float("nan"), float("inf"), 0.3], pl.Float32)
    whole: dict[str, dict[str, int]] = {}
    parts: dict[str, dict[str, int]] = {}
    makeup.total(whole, scores)
    for i in reversed(range(len(scores))):
        makeup.total(parts, scores[i : i + 1])
    assert whole == parts
    assert whole["quality"]["documents"] == 3
    assert makeup.mean(whole["quality"]) == pytest.approx(0.2, abs=1e-6)


def test_the_mean_of_nothing_is_none() -> None:
    sums: dict[str, dict[str, int]] = {}
    makeup.total(sums, pl.Series("quality", [None], pl.Float32))
    assert makeup.mean(sums["quality"]) is None
