"""`curate gates` and `curate accept`: what failed that a person must accept, and the acceptance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from curation_dagster import gate_judge, gates
from curation_dagster.commands import person
from curation_dagster.counted import counted
from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from curation_dagster.gates import Acceptance
    from curation_dagster.lineage import Lineage

CHECK_FAILED = 3


def accept(lineage: Lineage, stage: str, because: str, by: str | None) -> Acceptance:
    """Accept every gate of a stage that failed and is open.

    Raises:
        RecipeError: for a stage without gates, with none that is open, or without a reason or a name.
    """
    if stage not in gates.CHECKS:
        msg = f"{stage} has no gates; {', '.join(gates.CHECKS)} have"
        raise RecipeError(msg)
    if not because.strip():
        msg = "--because is empty: say why this is right; the release will tell it"
        raise RecipeError(msg)
    known = gates.acceptances(lineage.recipe, lineage.store)
    found = [g for g in gate_judge.of_store(lineage, [stage]) if g.name not in known]
    if not found:
        msg = f"{lineage.recipe.name}: no gate of {stage} is open; `curate gates {lineage.recipe.name}` lists all"
        raise RecipeError(msg)
    for gate in found:
        click.echo(f"accepted: {gate.said}")
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return gates.accept(lineage.store, found, person.who(by), at, because.strip())


def listed(lineage: Lineage) -> list[dict[str, Any]]:
    """Return a record a gated stage: how much of it is judged, what failed, and who accepted that."""
    known = gates.acceptances(lineage.recipe, lineage.store)
    rows = []
    for stage, check in gates.CHECKS.items():
        keys = lineage.partitions(stage)
        failed = gate_judge.of_store(lineage, [stage])
        rows.append(
            {
                "stage": stage,
                "check": check,
                "judged": sum(lineage.current(stage, key) is not None for key in keys),
                "shards": len(keys),
                "open": [{"gate": g.name, "said": g.said} for g in failed if g.name not in known],
                "accepted": [
                    {"gate": g.name, "said": g.said, "by": a.by, "at": a.at, "because": a.because}
                    for g in failed
                    if (a := known.get(g.name))
                ],
            }
        )
    return rows


def tell(recipe: str, rows: list[dict[str, Any]]) -> list[str]:
    """Write the records as lines, with the commands that accept what is open."""
    lines = []
    for row in rows:
        lines.append(f"{row['stage']} {row['check']}: {_state(row)}")
        lines += [f"  open: {gate['said']}" for gate in row["open"]]
        lines += [
            f"  accepted by {gate['by']} at {gate['at']}, because {gate['because']}: {gate['said']}"
            for gate in row["accepted"]
        ]
    lines += [f'curate accept {recipe} {row["stage"]} --because "…"' for row in rows if row["open"]]
    return lines


def _state(row: dict[str, Any]) -> str:
    parts = [f"{len(row[what])} {what}" for what in ("open", "accepted") if row[what]]
    if row["judged"] < row["shards"] or not row["shards"]:
        parts.append(f"{row['judged']} of {counted(row['shards'], 'shard')} computed")
    return ", ".join(parts) or "passed"
