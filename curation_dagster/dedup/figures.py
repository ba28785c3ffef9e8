"""What the footer of `duplicates` says, for people: cluster sizes, what each source loses, whose copies it holds.

Reads numbers only. The check on a source's band, the UI and `curate duplicates` show the same rows.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation_dagster.recipe import Dedup

_LEAST: Final = (
    2,
    3,
    4,
    5,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1 << 32,
)  # FineWeb2 weighs by some of them


def sizes(footer: dict[str, Any]) -> list[dict[str, Any]]:
    """Count clusters and their documents by ranges of cluster size; ranges without a cluster are left out.

    >>> sizes({"cluster_sizes": {"2": 5, "7": 1, "9": 1}})
    [{'size': '2', 'clusters': 5, 'documents': 10}, {'size': '5-9', 'clusters': 2, 'documents': 16}]
    """
    counts = {int(size): count for size, count in footer["cluster_sizes"].items()}
    rows = []
    for least, following in pairwise(_LEAST):
        here = {size: count for size, count in counts.items() if least <= size < following}
        if here:
            name = f"{least}-{following - 1}" if following - least > 1 else str(least)
            name = f"{least}+" if following == _LEAST[-1] else name
            documents = sum(size * count for size, count in here.items())
            rows.append({"size": name, "clusters": sum(here.values()), "documents": documents})
    return rows


def losses(footer: dict[str, Any], config: Dedup) -> list[dict[str, Any]]:
    """Say of each source: documents, duplicates of others, those removed, their share and the band it must not exceed.

    Where near duplicates stay (`dedup.remove` is false), removed are the copies alone.
    """
    rows = []
    for source, (documents, duplicates) in sorted(footer["removed"].items()):
        removed = duplicates if config.remove else footer["copied"].get(source, 0)
        rows.append(
            {
                "source": source,
                "documents": documents,
                "duplicates": duplicates,
                "removed": removed,
                "removed_share": removed / documents if documents else 0.0,
                "max_removed_share": config.max_removed.get(source, config.max_removed_share),
            }
        )
    return rows


def overlap(footer: dict[str, Any]) -> list[dict[str, Any]]:
    """List, source by source, how many of its documents are duplicates of one kept in each source."""
    found = footer["overlap"]
    names = sorted({*found, *(kept_in for row in found.values() for kept_in in row)})
    return [{"source": name, **{k: found.get(name, {}).get(k, 0) for k in names}} for name in names]


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Write rows of the same keys as a markdown table: the first column names, the others count or are shares.

    >>> print(markdown([{"size": "2", "share": 0.25, "clusters": 1200}]))
    | size | share | clusters |
    |---|--:|--:|
    | 2 | 25.0 % | 1,200 |
    """
    if not rows:
        return "none"
    lines = [f"| {' | '.join(rows[0])} |", "|---|" + "--:|" * (len(rows[0]) - 1)]
    lines += [f"| {' | '.join(cell(value) for value in row.values())} |" for row in rows]
    return "\n".join(lines)


def cell(value: Any) -> str:  # noqa: ANN401 - a name, a count or a share
    """Write a name, a count with its commas, or a share in percent."""
    if isinstance(value, float):
        return f"{100 * value:.1f} %"
    return f"{value:,}" if isinstance(value, int) else str(value)


def cuts(footer: dict[str, Any]) -> list[dict[str, Any]]:
    """List what `repeats` cuts, by rule and source; spans of two rules may cover the same bytes.

    >>> cuts({"cut": {"line": {"web": {"spans": 3, "documents": 2, "bytes": 90}}}})
    [{'rule': 'line', 'source': 'web', 'spans': 3, 'documents': 2, 'bytes': 90}]
    """
    return [
        {"rule": rule, "source": source, **counts}
        for rule, sources in sorted(footer["cut"].items())
        for source, counts in sorted(sources.items())
    ]
