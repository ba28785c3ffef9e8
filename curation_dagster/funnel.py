"""What came into every stage, what stayed, and why the rest did not: read from footers, no text.

In each stage rows in = kept + rejected, and what one stage keeps the next receives. Tokens are
counted in `scored`; before it they are estimated from bytes by the ratio measured there, and marked
so.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from curation_dagster.errors import IntegrityError

if TYPE_CHECKING:
    from curation_dagster.lineage import Lineage

FUNNEL_STAGES: Final = (
    "raw", "annotated", "cleaned", "deduped", "scored", "mixed", "decontaminated", "exported",
)  # fmt: skip


def funnel(lineage: Lineage) -> dict[str, Any]:
    """Sum every stage over its current partitions; a stage that is not complete says how many are missing.

    Raises:
        IntegrityError: when complete neighbours disagree about how many documents passed.
    """
    stages = [_stage(lineage, name) for name in FUNNEL_STAGES]
    _estimate_tokens(stages)
    for before, after in pairwise(stages):
        complete = not before["partitions_missing"] and not after["partitions_missing"]
        if complete and before["kept"] != after["rows_in"]:
            msg = (
                f"funnel: {before['stage']} kept {before['kept']} documents, "
                f"{after['stage']} received {after['rows_in']}"
            )
            raise IntegrityError(msg)
    return {"recipe": lineage.recipe.name, "stages": stages}


def top_reasons(stage: dict[str, Any], count: int | None = 3) -> list[tuple[str, int]]:
    """Return the most frequent reasons for rejection in a stage; all, without a `count`."""
    ranked = sorted(stage["rejected"].items(), key=lambda item: (-item[1], item[0]))
    return ranked[:count]


def _stage(lineage: Lineage, name: str) -> dict[str, Any]:
    partitions = lineage.partitions(name)
    refs = [lineage.current(name, p) for p in partitions]
    footers = [lineage.footer(ref) for ref in refs if ref]
    rejected: dict[str, int] = {}
    for summary in footers:
        for rule, count in summary["rejected"].items():
            rejected[rule] = rejected.get(rule, 0) + count
    found = {
        "stage": name,
        "rows_in": sum(s["rows"] for s in footers),
        "kept": sum(s["kept"] for s in footers),
        "rejected": dict(sorted(rejected.items())),
        "bytes_kept": sum(s.get("bytes_kept", 0) for s in footers),
        "tokens_kept": sum(s.get("tokens_kept", 0) for s in footers),
        "tokens_estimated": not all("tokens_kept" in s for s in footers if s["rows"]),
        "partitions": len(footers),
        "partitions_missing": len(refs) - len(footers) if refs else 1,
    }
    if cut := sum(s.get("cut_documents", 0) for s in footers):
        found |= {"cut_documents": cut, "fragments": sum(s["fragments"] for s in footers)}
    return _distinct(found, footers) if name == "exported" else found


def _distinct(found: dict[str, Any], footers: list[dict[str, Any]]) -> dict[str, Any]:
    """Count documents, not copies, for `exported`: what came in is what `decontaminated` kept."""
    documents = sum(s.get("first_copies", 0) for s in footers)
    extra = {"copies": found["rows_in"], "files": len(footers)}
    return found | {"rows_in": documents, "kept": documents} | extra


def _estimate_tokens(stages: list[dict[str, Any]]) -> None:
    scored = next(s for s in stages if s["stage"] == "scored")
    ratio = scored["tokens_kept"] / scored["bytes_kept"] if scored["bytes_kept"] else None
    for stage in stages:
        if stage["tokens_estimated"]:
            stage["tokens_kept"] = round(stage["bytes_kept"] * ratio) if ratio else None
