"""The benchmark hits of one document, as `curate explain` tells them: which item, found how, where.

What a benchmark asks must not be spread further: of a span only its ends are shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from curation_dagster.commands.look import text_of

if TYPE_CHECKING:
    from curation_dagster.lineage import Lineage

_FIRST, _LAST = 3, 2  # words shown of a span
SHOWN: Final = 20  # hits told in full


def with_excerpts(lineage: Lineage, shard: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row's hits with an `excerpt` of each span, redacted."""
    text = text_of(lineage, shard, [row["row"]]).get(row["row"], "").encode()
    return [
        hit | {"excerpt": redacted(text[hit["start"] : hit["end"]].decode(errors="replace"))}
        for hit in row["hits"]
    ]


def redacted(span: str) -> str:
    """Show the first and the last words of a span, and how many there are between.

    >>> redacted("A lighthouse keeper lights a lamp every seventeen minutes")
    'A lighthouse keeper [4 words] seventeen minutes'
    >>> redacted("two words")
    '[2 words]'
    """
    words = span.split()
    hidden = len(words) - _FIRST - _LAST
    if hidden < 1:
        return f"[{len(words)} words]"
    return " ".join([*words[:_FIRST], f"[{hidden} words]", *words[-_LAST:]])


def told(hits: list[dict[str, Any]]) -> list[str]:
    """Write hits for a person, the best first."""
    ranked = sorted(hits, key=lambda hit: (-hit["score"], hit["start"]))
    lines = [
        f"    {'hit':<32} {hit['benchmark']}/{hit['item']} {hit['part']}, {hit['method']} "
        f"{hit['score']:.3f}, bytes {hit['start']} to {hit['end']}: {hit['excerpt']}"
        for hit in ranked[:SHOWN]
    ]
    more = len(hits) - SHOWN
    return [*lines, f"    {'hit':<32} and {more:,} more"] if more > 0 else lines
