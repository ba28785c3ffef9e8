"""Checks that know a source's past: a shard unlike the earlier ones, and a source that gets nothing new.

Neither says that something is wrong with the files: they are what somebody should look at.
"""

from typing import Any

from curation_dagster import freshness, history
from curation_dagster.job import Receipt
from curation_dagster.lineage import Lineage

Finding = tuple[bool, dict[str, Any]]


def like_its_past(lineage: Lineage, stage: str, receipts: list[Receipt]) -> Finding:
    """No figure of a shard is far from those of the same source's earlier shards, by a robust z-score."""
    found = history.standings(lineage, stage, [r.ref.partition for r in receipts])
    compared = [each for each in found if each.z is not None]
    unlike = [each for each in compared if abs(each.z or 0) > lineage.recipe.gates.max_z]
    unlike.sort(key=lambda each: -abs(each.z or 0))
    said = [
        f"{e.shard} {e.figure} {e.value:,.4g}, median of {e.past} shards {e.median:,.4g}, "
        f"spread {e.spread:,.4g}, z {e.z:+.1f}"
        for e in unlike
    ]
    return not unlike, {
        "unlike": said[:50], "compared": len(compared), "too_little_past": len(found) - len(compared),
    }  # fmt: skip


def fresh(lineage: Lineage, _stage: str, _receipts: list[Receipt]) -> Finding:
    """Every source that [automation] max_age_days names had a new file since; the sensor looks too, when none comes."""
    return freshness_of(freshness.ages(lineage.recipe, lineage.store))


def freshness_of(ages: list[freshness.Age]) -> Finding:
    """Judge the ages of sources."""
    stale = [age for age in ages if age.is_stale]
    return not stale, {
        "stale": [age.said for age in stale],
        "days": {age.source: f"{age.days:.1f}" for age in ages if age.days is not None},
    }
