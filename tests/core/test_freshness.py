"""The age of a source is that of its last planned shard."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from curation_dagster.freshness import ages
from curation_dagster.orchestration.source_checks import freshness_of
from curation_dagster.recipe import Automation
from curation_dagster.store import Store

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Wanting:
    """As much of a recipe as says how old a source may be."""

    def __init__(self, **days: float) -> None:
        self.automation = Automation(max_age_days=days)


def planned(root: Path, source: str, *days_ago: float) -> None:
    folder = root / "plan" / source
    folder.mkdir(parents=True)
    for number, days in enumerate(days_ago):
        path = folder / f"{source}-{number:05d}.json"
        path.write_text("{}")
        os.utime(path, ((NOW - timedelta(days=days)).timestamp(),) * 2)
    (folder / "source.json").write_text("{}")  # written now; says nothing of files


@pytest.mark.parametrize(
    ("days_ago", "days", "stale"),
    [
        pytest.param((30, 2, 9), 2, False, id="at the limit"),
        pytest.param((30, 2.01, 9), 2.01, True, id="just over"),
        pytest.param((0,), 0, False, id="today"),
        pytest.param((), None, True, id="nothing planned"),
    ],
)
def test_the_age_of_a_source(days_ago, days, stale, tmp_path):
    planned(tmp_path, "web", *days_ago)
    recipe: Any = Wanting(web=2)
    [age] = ages(recipe, Store(str(tmp_path)), NOW)
    assert (age.days, age.is_stale) == (days if days is None else pytest.approx(days), stale)
    passed, metadata = freshness_of([age])
    assert passed is not stale
    assert metadata["stale"] == ([age.said] if stale else [])


def test_a_source_without_a_limit_has_no_age(tmp_path):
    planned(tmp_path, "web", 1000)
    recipe: Any = Wanting()
    assert ages(recipe, Store(str(tmp_path)), NOW) == []
    assert freshness_of([])[0]
