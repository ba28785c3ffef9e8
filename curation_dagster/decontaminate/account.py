"""What a scan of one shard found, for the footer of `scanned`: items by benchmark and method, hits by method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


class Account:
    """Hits summed up while they are written.

    `found` is benchmark -> method -> items, sorted; `methods` is method -> hits.
    """

    def __init__(self) -> None:
        """Start with nothing found."""
        self.found: dict[str, dict[str, list[str]]] = {}
        self.methods: dict[str, int] = {}
        self._seen: set[tuple[str, str, str]] = set()

    def add(self, hits: pl.Series) -> None:
        """Note the items of a column of hits."""
        rows = hits.explode(empty_as_null=False, keep_nulls=False).struct.unnest()
        for method, count in rows["method"].value_counts().iter_rows():
            self.methods[method] = self.methods.get(method, 0) + count
        new = set(rows.select("benchmark", "method", "item").unique().iter_rows()) - self._seen
        self._seen |= new
        for benchmark, method, item in sorted(new):
            self.found.setdefault(benchmark, {}).setdefault(method, []).append(item)
        for methods in self.found.values():
            for items in methods.values():
                items.sort()


def items_found(summaries: list[dict[str, Any]]) -> dict[str, dict[str, list[str]]]:
    """Put the `found` of several footers together."""
    found: dict[str, dict[str, set[str]]] = {}
    for summary in summaries:
        for benchmark, methods in summary["found"].items():
            for method, items in methods.items():
                found.setdefault(benchmark, {}).setdefault(method, set()).update(items)
    return {
        benchmark: {method: sorted(items) for method, items in sorted(methods.items())}
        for benchmark, methods in sorted(found.items())
    }
