"""How long ago a source had its last new file: by when its latest shard was planned, which the sensor does.

A crawl from last year that arrives today is fresh: what counts is that something arrives. Only a check reads this
clock; nothing that is stored depends on it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from curation_dagster.recipe import Recipe
    from curation_dagster.store import Store

_DAY: Final = timedelta(days=1)


class Age(NamedTuple):
    """A source that must not be older than `limit` days; without any shard it has no age, and is."""

    source: str
    days: float | None
    limit: float

    @property
    def is_stale(self) -> bool:
        """Whether a new file is overdue."""
        return self.days is None or self.days > self.limit

    @property
    def said(self) -> str:
        """Say how old it is."""
        if self.days is None:
            return f"{self.source}: nothing is planned"
        return f"{self.source}: last new file {self.days:.1f} days ago, {self.limit:g} allowed"


def ages(recipe: Recipe, store: Store, now: datetime | None = None) -> list[Age]:
    """Return the age of every source that [automation] max_age_days names; one listing each."""
    now = now or datetime.now(UTC)
    found = []
    for source, limit in sorted(recipe.automation.max_age_days.items()):
        planned = [
            at for name, _, at in store.listed(f"plan/{source}") if name.startswith(f"{source}-")
        ]
        days = (now - max(planned)) / _DAY if planned else None
        found.append(Age(source, days, limit))
    return found
