"""What a root holds, held against what the plan says it should: missing, stale, foreign and damaged, by stage.

Cost: a listing a stage, and a look at names; no file is opened unless asked to (`damaged`), but for the footers the
lineage needs anyway. `status` counts states, `reconcile` names what is off and mends it, the check `reconciled` tells
the UI.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from curation_dagster import plan
from curation_dagster.errors import IntegrityError
from curation_dagster.export.release import damaged_renderings, is_done
from curation_dagster.lineage import RECORDS, stages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.lineage import Lineage, Stage
    from curation_dagster.store import Ref

STATES: Final = ("current", "stale", "missing", "blocked")
Kind = Literal["missing", "stale", "foreign", "damaged", "interrupted"]


@dataclass(frozen=True)
class Finding:
    """One thing that is off: a partition, a file or a piece of work."""

    kind: Kind
    stage: str
    name: str
    why: str


def counted_states(lineage: Lineage) -> list[dict[str, Any]]:
    """Count every stage's partitions by state."""
    found = []
    for stage in stages(lineage.recipe):
        states: list[str] = [lineage.state(stage.name, k) for k in lineage.partitions(stage.name)]
        found.append({"stage": stage.name, **{s: states.count(s) for s in STATES}})
    return found


def lacking(lineage: Lineage) -> dict[str, dict[str, int]]:
    """Count what is missing, stale or interrupted, by stage; nothing where all that is expected is there."""
    found: dict[str, dict[str, int]] = {}
    for stage in stages(lineage.recipe):
        keys = [k for k in lineage.partitions(stage.name) if not is_done(lineage, stage.name, k)]
        if keys:
            found[stage.name] = Counter(_kind(lineage, stage.name, k) or "blocked" for k in keys)
    return found


def survey(lineage: Lineage, *, verify: bool) -> list[Finding]:
    """List all that is off in the store; with `verify` every current file is read."""
    found = [
        Finding("interrupted", "plan", name, "a plan was written down and not carried out")
        for name in plan.unfinished(lineage.store)
    ]
    known = set(plan.stored(lineage.store))
    for stage in stages(lineage.recipe):
        found += _expected(lineage, stage.name)
        found += _foreign(lineage, stage, known)
        if verify:
            found += [
                Finding("damaged", stage.name, ref.name, why) for ref, why in damaged(lineage, stage.name)
            ]  # fmt: skip
    if verify:
        why = "not what SHA256SUMS says"
        names = damaged_renderings(lineage.store, lineage.recipe.name)
        found += [Finding("damaged", "release", name, why) for name in names]
    return found


def damaged(lineage: Lineage, stage: str) -> Iterator[tuple[Ref, str]]:
    """Read a stage's current files and yield those that are not what their names say, and what is wrong.

    Of a partition whose parents are not there, every file: any may be current once they are back.
    """
    for key in lineage.partitions(stage):
        current = lineage.current(stage, key)
        blocked = lineage.state(stage, key) == "blocked"
        for ref in lineage.files(stage, key) if blocked else filter(None, [current]):
            try:
                with lineage.store.fetch(ref):
                    pass
            except IntegrityError as error:
                yield ref, str(error)


def _expected(lineage: Lineage, stage: str) -> Iterator[Finding]:
    for key in lineage.partitions(stage):
        if not is_done(lineage, stage, key) and (kind := _kind(lineage, stage, key)):
            not_whole = "it was not rendered whole, so it is not published"
            why = not_whole if kind == "interrupted" else lineage.why(stage, key)
            yield Finding(kind, stage, key, why)


def _kind(lineage: Lineage, stage: str, partition: str) -> Kind | None:
    """Say what is wrong with a partition that is not done; None if only with what comes before it."""
    match lineage.state(stage, partition):
        case "current":  # a release
            return "interrupted"
        case "blocked":
            return None
        case found:
            return found


def _foreign(lineage: Lineage, stage: Stage, shards: set[str]) -> Iterator[Finding]:
    """Yield files of a stage that are of no form, or of a partition that no plan of the root has."""
    store = lineage.store
    refs = store.refs(stage.name)
    ours = {ref.name for ref in refs}
    for name in store.names(stage.name):
        if f"{stage.name}/{name}" not in ours:
            yield Finding("foreign", stage.name, f"{stage.name}/{name}", "no partition's name")
    if stage.partitions == "shard":
        strange = [ref for ref in refs if ref.partition not in shards]
        why = "no plan has this shard"
    else:  # other recipes have other phases: what was made here says so
        records = {*store.names(f"{RECORDS}/{stage.name}")}
        made = {name.rsplit(".", 2)[1] for name in records}
        current = {lineage.current(stage.name, key) for key in lineage.partitions(stage.name)}
        strange = [ref for ref in refs if ref.input not in made and ref not in current]
        why = "nothing says what it was made from"
    yield from (Finding("foreign", stage.name, ref.name, why) for ref in strange)
